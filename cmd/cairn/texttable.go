package main

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/mattn/go-runewidth"
)

// textTable prints aligned columns for people.
type textTable struct {
	head  []string
	rows  [][]string
	align []bool // right-aligned
}

func newTextTable(head ...string) *textTable {
	return &textTable{head: head, align: make([]bool, len(head))}
}

// right makes columns right-aligned.
func (t *textTable) right(cols ...int) {
	for _, c := range cols {
		t.align[c] = true
	}
}

func (t *textTable) row(cells ...string) {
	for i, c := range cells {
		cells[i] = oneLine(c)
	}
	t.rows = append(t.rows, cells)
}

// oneLine makes a text fit a table cell: no line breaks, nothing that steers
// the terminal.
func oneLine(s string) string {
	s = printable(s)
	if strings.ContainsAny(s, "\n\t") {
		s = strings.NewReplacer("\n", "\\n", "\t", "\\t").Replace(s)
	}
	return s
}

func (t *textTable) widths() []int {
	w := make([]int, len(t.head))
	for i, h := range t.head {
		w[i] = runewidth.StringWidth(h)
	}
	for _, r := range t.rows {
		for i, c := range r {
			w[i] = max(w[i], runewidth.StringWidth(c))
		}
	}
	return w
}

func (t *textTable) print(out io.Writer) error {
	w := bufio.NewWriter(out)
	widths := t.widths()
	writeAligned(w, t.head, widths, t.align)
	rule := make([]string, len(widths))
	for i, n := range widths {
		rule[i] = strings.Repeat("─", n)
	}
	writeAligned(w, rule, widths, t.align)
	for _, r := range t.rows {
		writeAligned(w, r, widths, t.align)
	}
	return w.Flush()
}

func writeAligned(w *bufio.Writer, cells []string, widths []int, align []bool) {
	for i, c := range cells {
		if i > 0 {
			w.WriteString("  ")
		}
		pad := max(widths[i]-runewidth.StringWidth(c), 0)
		if align[i] {
			w.WriteString(strings.Repeat(" ", pad))
			w.WriteString(c)
			continue
		}
		w.WriteString(c)
		if i < len(cells)-1 {
			w.WriteString(strings.Repeat(" ", pad))
		}
	}
	w.WriteByte('\n')
}

// count writes a number with thousands separated: 1,234,567.
func count(n int64) string {
	s := strconv.FormatInt(n, 10)
	neg := strings.HasPrefix(s, "-")
	s = strings.TrimPrefix(s, "-")
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	if neg {
		s = "-" + s
	}
	return s
}

// size writes a number of bytes in units of 1,000: 1.2 GB.
func size(n int64) string {
	f := float64(n)
	for _, unit := range []string{"B", "kB", "MB", "GB"} {
		if f < 1000 {
			if unit == "B" {
				return fmt.Sprintf("%d B", n)
			}
			return fmt.Sprintf("%.1f %s", f, unit)
		}
		f /= 1000
	}
	return fmt.Sprintf("%.1f TB", f)
}

// took writes a duration with as many digits as mean something.
func took(d time.Duration) string {
	switch {
	case d < time.Millisecond:
		return d.Round(time.Microsecond).String()
	case d < time.Second:
		return d.Round(100 * time.Microsecond).String()
	}
	return d.Round(10 * time.Millisecond).String()
}
