//go:build unix

package main

import (
	"os"
	"syscall"
)

// owns reports whether the process runs as the owner of a directory, or as root.
func owns(dir string) bool {
	info, err := os.Stat(dir)
	if err != nil {
		return false
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	return os.Geteuid() == 0 || ok && int(st.Uid) == os.Geteuid()
}
