package sqlerr

import (
	"errors"
	"fmt"
	"testing"
)

func TestFormatShowsThePlace(t *testing.T) {
	text := "SELECT a,\n\té + b\nFROM t"
	err := New(UndefinedColumn, Pos{Start: 16, End: 17}, "column %q does not exist", "b").
		WithDetail("the table has one column").WithHint("did you mean %q?", "a")
	want := "column \"b\" does not exist (line 2, column 6)\n" +
		"   é + b\n       ^\n" +
		"detail: the table has one column\nhint: did you mean \"a\"?"
	if got := Format(err, text); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	if got := Format(fmt.Errorf("planning: %w", err), text); got != want {
		t.Errorf("wrapped, got:\n%s", got)
	}
	if got := Format(errors.New("plain"), text); got != "plain" {
		t.Errorf("got %q", got)
	}
	if got := Format(New(Internal, Pos{}, "no place"), text); got != "no place" {
		t.Errorf("got %q", got)
	}
	end := New(SyntaxError, Pos{Start: len(text), End: len(text)}, "syntax error at end of input")
	if got, want := Format(end, text), "syntax error at end of input (line 3, column 7)\n  FROM t\n        ^"; got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestLineColumn(t *testing.T) {
	text := "aé\nb"
	for _, c := range []struct{ offset, line, column int }{
		{-1, 1, 1}, {0, 1, 1}, {1, 1, 2}, {3, 1, 3}, {4, 2, 1}, {5, 2, 2}, {99, 2, 2},
	} {
		if line, column := LineColumn(text, c.offset); line != c.line || column != c.column {
			t.Errorf("offset %d: line %d, column %d", c.offset, line, column)
		}
	}
}

func TestAtKeepsAKnownPlace(t *testing.T) {
	none := New(DivisionByZero, Pos{}, "division by zero")
	if err := At(none, Pos{Start: 3, End: 5}); !errors.Is(err, error(none)) || none.Pos != (Pos{Start: 3, End: 5}) {
		t.Errorf("the place is %v", none.Pos)
	}
	At(none, Pos{Start: 7, End: 9})
	if none.Pos != (Pos{Start: 3, End: 5}) {
		t.Errorf("the place was changed to %v", none.Pos)
	}
	if err := At(errors.New("plain"), Pos{Start: 1, End: 2}); err.Error() != "plain" {
		t.Error(err)
	}
}
