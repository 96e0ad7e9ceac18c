// Package sqlerr is the one error shape of the SQL layers: what was wrong, in
// the words of the user's own text, where in that text, and what to do.
//
// Every stage (parse, plan, exec, functions) returns *Error for what the user
// can mend. The SQLSTATE codes are those of PostgreSQL's Appendix A, so that
// the wire protocol can pass them on as they are.
package sqlerr

import (
	"errors"
	"fmt"
	"strings"
)

// SQLSTATE codes in use.
const (
	SyntaxError            = "42601"
	UndefinedColumn        = "42703"
	UndefinedTable         = "42P01"
	UndefinedFunction      = "42883"
	UndefinedParameter     = "42P02"
	AmbiguousColumn        = "42702"
	DatatypeMismatch       = "42804"
	GroupingError          = "42803"
	WrongObjectType        = "42809"
	InvalidColumnReference = "42P10"
	WindowingError         = "42P20"
	UndefinedObject        = "42704"
	NameTooLong            = "42622"
	FeatureNotSupported    = "0A000"
	DivisionByZero         = "22012"
	NumericOutOfRange      = "22003"
	InvalidText            = "22P02"
	InvalidEncoding        = "22021"
	InvalidDatetime        = "22007"
	InvalidRegexp          = "2201B"
	InvalidEscape          = "22025"
	InvalidArgument        = "22023"
	InvalidFrameOffset     = "22013"
	InvalidJSON            = "22032"
	ArraySubscript         = "2202E"
	CardinalityViolation   = "21000"
	ReadOnly               = "25006"
	DiskFull               = "53100"
	OutOfMemory            = "53200"
	ConfigurationLimit     = "53400"
	ProgramLimit           = "54000"
	StatementTooComplex    = "54001"
	TooManyColumns         = "54011"
	QueryCanceled          = "57014"
	IOError                = "58030"
	DataCorrupted          = "XX001"
	Internal               = "XX000"
)

// Pos is a range of the user's text: byte offsets, end exclusive. An empty range
// is a place between two characters, such as the end of the text. The zero Pos
// means that no place is known.
type Pos struct{ Start, End int }

// Known reports whether the position names a place.
func (p Pos) Known() bool { return p.End > 0 }

// Error is an error of a query.
type Error struct {
	Code    string // SQLSTATE
	Message string // one sentence without the place and without a full stop
	Detail  string // more about the cause, or ""
	Hint    string // what to do about it, or ""
	Pos     Pos    // where in the user's text, when known
}

// New returns an error with a formatted message.
func New(code string, pos Pos, format string, args ...any) *Error {
	return &Error{Code: code, Pos: pos, Message: fmt.Sprintf(format, args...)}
}

// WithHint sets the hint and returns e.
func (e *Error) WithHint(format string, args ...any) *Error {
	e.Hint = fmt.Sprintf(format, args...)
	return e
}

// WithDetail sets the detail and returns e.
func (e *Error) WithDetail(format string, args ...any) *Error {
	e.Detail = fmt.Sprintf(format, args...)
	return e
}

// Error returns the message alone; [Format] adds place, detail and hint.
func (e *Error) Error() string { return e.Message }

// SQLState returns the code, as errors of Postgres drivers do.
func (e *Error) SQLState() string { return e.Code }

// At gives err a position if it is an *Error without one, and returns err.
func At(err error, pos Pos) error {
	var e *Error
	if errors.As(err, &e) && !e.Pos.Known() {
		e.Pos = pos
	}
	return err
}

// LineColumn returns the 1-based line and the 1-based column, in characters,
// of a byte offset in text.
func LineColumn(text string, offset int) (line, column int) {
	offset = min(max(offset, 0), len(text))
	before := text[:offset]
	line = 1 + strings.Count(before, "\n")
	if i := strings.LastIndexByte(before, '\n'); i >= 0 {
		before = before[i+1:]
	}
	return line, 1 + len([]rune(before))
}

// Format writes an error for a person: message, the line of the query with a
// mark under the place, detail and hint.
func Format(err error, text string) string {
	var e *Error
	if !errors.As(err, &e) {
		return err.Error()
	}
	var b strings.Builder
	b.WriteString(e.Message)
	if e.Pos.Known() {
		line, col := LineColumn(text, e.Pos.Start)
		fmt.Fprintf(&b, " (line %d, column %d)", line, col)
		lines := strings.Split(text, "\n")
		if line <= len(lines) {
			shown := strings.ReplaceAll(strings.TrimRight(lines[line-1], "\r"), "\t", " ")
			fmt.Fprintf(&b, "\n  %s\n  %s^", shown, strings.Repeat(" ", col-1))
		}
	}
	if e.Detail != "" {
		b.WriteString("\ndetail: " + e.Detail)
	}
	if e.Hint != "" {
		b.WriteString("\nhint: " + e.Hint)
	}
	return b.String()
}
