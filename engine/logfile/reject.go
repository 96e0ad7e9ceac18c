package logfile

import "fmt"

// Reason says why a range of a file holds no record: a small closed set of
// texts that stay the same.
type Reason string

// The reasons. Those that the caller's scan finds (invalid JSON in a record,
// missing fields) are not among them: they belong to package event.
const (
	EmptyFile        Reason = "empty file"
	NotJSON          Reason = "not JSON"
	NotARecord       Reason = "not a record"         // a JSON value that is no object
	Garbage          Reason = "text between records" // neither JSON nor separator
	Unclosed         Reason = "file ends early"      // an array or wrapper is still open
	Malformed        Reason = "malformed record"     // what Skip passed over
	DamagedGzip      Reason = "damaged gzip"
	TruncatedGzip    Reason = "truncated gzip"
	DamagedZstd      Reason = "damaged zstd"
	TruncatedZstd    Reason = "truncated zstd"
	TooMuchData      Reason = "decompressed data over the limit"
	Unreadable       Reason = "cannot be read"
	NotARegularFile  Reason = "not a regular file"
	NoMatch          Reason = "no such file"
	DirectoryTwice   Reason = "directory already visited"
	DirectoryTooDeep Reason = "directories nested too deep"
)

// Reject is a range of a file, or a file, that yielded no record.
type Reject struct {
	// Reason is one of the constants of this package.
	Reason Reason
	// Path is the file's; the cursor does not know it and leaves it empty.
	Path string
	// Offset is where the range starts and Length how long it is, in bytes of
	// decompressed content. A Length of 0 is a place; for a file as a whole
	// (never opened, or empty) both are 0.
	Offset, Length int64
	// ToEnd says that nothing from Offset on is looked at: the rest of the file
	// is rejected, of which Length bytes were read.
	ToEnd bool
	// Detail is what was found, for people.
	Detail string
	// Err is the error below, if any.
	Err error
}

// Error returns path, reason, place and detail in one line.
func (r *Reject) Error() string {
	s := string(r.Reason)
	if r.Path != "" {
		s = r.Path + ": " + s
	}
	switch {
	case r.ToEnd && r.Offset > 0:
		s += fmt.Sprintf(" from byte %d on", r.Offset)
	case r.ToEnd:
	case r.Length > 0:
		s += fmt.Sprintf(" at bytes %d to %d", r.Offset, r.Offset+r.Length)
	case r.Offset > 0:
		s += fmt.Sprintf(" at byte %d", r.Offset)
	}
	if r.Detail != "" {
		s += ": " + r.Detail
	}
	if r.Err != nil {
		s += ": " + r.Err.Error()
	}
	return s
}

// Unwrap returns the error below.
func (r *Reject) Unwrap() error { return r.Err }
