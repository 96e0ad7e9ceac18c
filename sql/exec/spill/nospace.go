package spill

import (
	"errors"
	"syscall"
)

// noSpace reports whether an error of a file says that the disk is full.
func noSpace(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}
