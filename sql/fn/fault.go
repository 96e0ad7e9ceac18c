package fn

import (
	"strconv"
	"unicode/utf8"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/sqlerr"
)

// fault returns an error of a function; the caller knows its place in the text.
func fault(code, format string, args ...any) error {
	return sqlerr.New(code, sqlerr.Pos{}, format, args...)
}

// shownBytes is how much of a wrong value an error shows: enough to find it,
// little enough that a record does not fill a log line.
const shownBytes = 60

// shown quotes a value for an error message.
func shown(s string) string {
	if len(s) > shownBytes {
		cut := shownBytes
		for cut > 0 && !utf8.RuneStart(s[cut]) {
			cut--
		}
		return strconv.Quote(s[:cut]) + "…"
	}
	return strconv.Quote(s)
}

func overflow(t *column.Type, what string) error {
	return fault(sqlerr.NumericOutOfRange, "%s overflow: %s", t, what)
}

func invalidCast(s string, t *column.Type) error {
	return fault(sqlerr.InvalidText, "cannot cast %s to %s", shown(s), t)
}
