package pg

import (
	"context"
	"errors"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/cairndb/cairn/engine"
	"github.com/cairndb/cairn/server/auth"
	"github.com/cairndb/cairn/sql/sqlerr"
)

// codeOf maps the kinds of the engine's errors to SQLSTATE codes.
var codeOf = []struct {
	kind error
	code string
}{
	{auth.ErrDenied, codeForbidden},
	{engine.ErrRefused, codeForbidden},
	{engine.ErrNotFound, sqlerr.UndefinedTable},
	{engine.ErrBadInput, sqlerr.InvalidArgument},
	{engine.ErrConflict, "42710"},
	{engine.ErrLimit, sqlerr.ProgramLimit},
	{engine.ErrNoSpace, sqlerr.DiskFull},
	{engine.ErrHalted, sqlerr.IOError},
	{engine.ErrCorrupt, sqlerr.DataCorrupted},
	{engine.ErrUnavailable, "57P03"},
}

// failure returns err as an error of SQL.
func failure(err error) *sqlerr.Error {
	var e *sqlerr.Error
	if errors.As(err, &e) {
		return e
	}
	for _, k := range codeOf {
		if errors.Is(err, k.kind) {
			return sqlerr.New(k.code, sqlerr.Pos{}, "%v", err)
		}
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return sqlerr.New(sqlerr.QueryCanceled, sqlerr.Pos{}, "the query was canceled")
	}
	return sqlerr.New(sqlerr.Internal, sqlerr.Pos{}, "%v", err)
}

// sendError sends an error. Its place is in text[base:], and is told as a number of
// characters in text.
func (w *wire) sendError(severity string, err error, text string, base int) {
	e := failure(err)
	m := &pgproto3.ErrorResponse{
		Severity: severity, SeverityUnlocalized: severity, Code: e.Code,
		Message: clean(e.Message), Detail: clean(e.Detail), Hint: clean(e.Hint),
	}
	if e.Code == sqlerr.Internal {
		m.Detail = "" // the place in the program, which is in the server's log
	}
	if at := base + e.Pos.Start; e.Pos.Known() && text != "" && at <= len(text) {
		m.Position = int32(utf8.RuneCountInString(text[:at])) + 1
	}
	w.send(m)
}

// clean takes out the zero bytes that end texts in the protocol.
func clean(s string) string {
	for i := range len(s) {
		if s[i] == 0 {
			b := []byte(s)
			for k := i; k < len(b); k++ {
				if b[k] == 0 {
					b[k] = ' '
				}
			}
			return string(b)
		}
	}
	return s
}

// sendNotice sends a message that is not an error.
func (w *wire) sendNotice(severity, code, message, detail, hint string) {
	w.send(&pgproto3.NoticeResponse{
		Severity: severity, SeverityUnlocalized: severity, Code: code,
		Message: clean(message), Detail: clean(detail), Hint: clean(hint),
	})
}
