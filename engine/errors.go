package engine

import (
	"errors"
	"fmt"
	"strings"
)

// The kinds of errors. Every error of this package that a caller could act on
// is one of these for errors.Is; the message says what was being done, what is
// wrong and what to do. Errors of a query's text or of its evaluation are
// *sqlerr.Error (package sql/sqlerr) instead.
var (
	// ErrBadInput: an argument, a record or a file is not what it must be.
	ErrBadInput = errors.New("bad input")
	// ErrNotFound: there is no such store, record or lake.
	ErrNotFound = errors.New("not found")
	// ErrConflict: the name is taken.
	ErrConflict = errors.New("conflict")
	// ErrRefused: the lake's rules forbid it.
	ErrRefused = errors.New("refused")
	// ErrLimit: a stated limit would be passed.
	ErrLimit = errors.New("over the limit")
	// ErrUnavailable: the lake is closed, opened read-only, or in use by
	// another process.
	ErrUnavailable = errors.New("unavailable")
	// ErrCorrupt: stored bytes are not what was written; the error is or wraps
	// a *CorruptionError that names the place.
	ErrCorrupt = errors.New("corrupt")
	// ErrHalted: a write whose outcome is unknown has ended all writing; reads
	// go on, and the lake must be opened again to append.
	ErrHalted = errors.New("halted")
	// ErrNoSpace: the disk is full. Nothing of the refused call was kept; the
	// same call may succeed once there is space.
	ErrNoSpace = errors.New("no space left")
)

// ErrNotWritable is an [ErrUnavailable]: the directory of the lake can be read and not written
// to. With Options.ReadOnly it can be opened.
var ErrNotWritable = errors.New("the directory of the lake cannot be written to")

// CorruptionError says which stored bytes are damaged. Fields that do not
// apply are zero.
type CorruptionError struct {
	Store   string // name of the store, or ""
	Segment uint64 // number of the segment, or 0
	Place   string // block or file, as exactly as known
	Err     error  // what was expected and found
}

// Error names the place and the cause.
func (e *CorruptionError) Error() string {
	msg := "damaged data"
	if e.Store != "" {
		msg += " in store " + e.Store
	}
	if e.Segment != 0 {
		msg += fmt.Sprintf(", segment %d", e.Segment)
	}
	if e.Place != "" {
		msg += ", " + e.Place
	}
	// What the database adds on further lines is for its own error reports.
	what, _, _ := strings.Cut(fmt.Sprint(e.Err), "\n")
	return msg + ": " + what
}

// Unwrap returns the cause.
func (e *CorruptionError) Unwrap() error { return e.Err }

// Is reports whether target is [ErrCorrupt].
func (e *CorruptionError) Is(target error) bool { return target == ErrCorrupt }

// kindError gives an error a kind without repeating the kind in its message.
type kindError struct {
	kind error
	err  error
}

func (e *kindError) Error() string        { return e.err.Error() }
func (e *kindError) Unwrap() error        { return e.err }
func (e *kindError) Is(target error) bool { return target == e.kind }

// failf returns an error of the given kind.
func failf(kind error, format string, args ...any) error {
	return &kindError{kind: kind, err: fmt.Errorf(format, args...)}
}
