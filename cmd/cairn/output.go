package main

import (
	"bufio"
	"cmp"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/cairndb/cairn/engine"
	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/fn"
)

// Output formats of query results.
const (
	formatTable  = "table"
	formatCSV    = "csv"
	formatJSON   = "json"
	formatNDJSON = "ndjson"
)

const formatsHelp = "table, csv, json (one array of objects) or ndjson (one object a line)"

// checkFormat refuses unknown formats before any work is done.
func checkFormat(format string) error {
	switch format {
	case formatTable, formatCSV, formatJSON, formatNDJSON:
		return nil
	}
	return usagef("--format %q: must be %s", format, formatsHelp)
}

// tableRowsAhead is how many rows of a result decide the widths of a table:
// the rest streams, so that any result prints in constant memory.
const tableRowsAhead = 1000

// cellWidthMax is the longest cell of a table on a terminal; CSV and JSON give
// whole values.
const cellWidthMax = 120

// printRows writes a result in a format and returns how many rows it had.
func printRows(rows *engine.Rows, out io.Writer, format string, wholeCells bool) (n int64, err error) {
	defer func() {
		if e := rows.Close(); err == nil {
			err = e
		}
	}()
	w := bufio.NewWriterSize(out, 1<<16)
	switch format {
	case formatCSV:
		n, err = printCSV(rows, w)
	case formatJSON:
		n, err = printObjects(rows, w, "[", ",", "]\n")
	case formatNDJSON:
		n, err = printObjects(rows, w, "", "", "")
	default:
		n, err = printTable(rows, w, wholeCells)
	}
	if e := w.Flush(); err == nil {
		err = e
	}
	return n, err
}

func printCSV(rows *engine.Rows, w io.Writer) (n int64, err error) {
	out := csv.NewWriter(w)
	cells := make([]string, len(rows.Columns()))
	for i, c := range rows.Columns() {
		cells[i] = c.Name
	}
	if err := out.Write(cells); err != nil {
		return 0, err
	}
	for {
		b, err := rows.Next()
		if err != nil {
			out.Flush()
			return n, cmp.Or(ended(err), out.Error())
		}
		for i := range b.Len {
			for c, v := range b.Cols {
				cells[c] = ""
				if !v.IsNull(i) {
					cells[c] = fn.Format(v, i)
				}
			}
			if err := out.Write(cells); err != nil {
				return n, err
			}
		}
		n += int64(b.Len)
	}
}

func printObjects(rows *engine.Rows, w *bufio.Writer, open, between, end string) (n int64, err error) {
	names := make([][]byte, len(rows.Columns()))
	for i, c := range rows.Columns() {
		if names[i], err = json.Marshal(c.Name); err != nil {
			return 0, err
		}
	}
	w.WriteString(open)
	var line []byte
	for {
		b, err := rows.Next()
		if err == io.EOF {
			_, err = w.WriteString(end)
			return n, err
		}
		if err != nil {
			return n, err
		}
		for i := range b.Len {
			line = line[:0]
			if n > 0 {
				line = append(line, between...)
			}
			if n > 0 && open != "" {
				line = append(line, '\n')
			}
			line = append(line, '{')
			for c, v := range b.Cols {
				if c > 0 {
					line = append(line, ',')
				}
				line = append(line, names[c]...)
				line = append(line, ':')
				line = fn.AppendJSON(line, v, i)
			}
			line = append(line, '}')
			if open == "" {
				line = append(line, '\n')
			}
			if _, err := w.Write(line); err != nil {
				return n, err
			}
			n++
		}
	}
}

func printTable(rows *engine.Rows, w *bufio.Writer, wholeCells bool) (n int64, err error) {
	cols := rows.Columns()
	heads := make([]string, len(cols))
	for i, c := range cols {
		heads[i] = oneLine(c.Name)
	}
	t := newTextTable(heads...)
	for i, c := range cols {
		t.align[i] = c.Type.IsNumeric()
	}
	var widths []int
	start := func() {
		widths = t.widths()
		writeAligned(w, t.head, widths, t.align)
		rule := make([]string, len(widths))
		for i, n := range widths {
			rule[i] = strings.Repeat("─", n)
		}
		writeAligned(w, rule, widths, t.align)
		for _, r := range t.rows {
			writeAligned(w, r, widths, t.align)
		}
		t.rows = nil
	}
	for {
		b, err := rows.Next()
		if err != nil {
			if widths == nil && err == io.EOF {
				start()
			}
			return n, ended(err)
		}
		for i := range b.Len {
			cells := tableCells(b, i, wholeCells)
			if widths == nil {
				t.rows = append(t.rows, cells)
				if len(t.rows) == tableRowsAhead {
					start()
				}
			} else {
				writeAligned(w, cells, widths, t.align)
			}
		}
		n += int64(b.Len)
	}
}

func tableCells(b *column.Batch, i int, wholeCells bool) []string {
	cells := make([]string, len(b.Cols))
	for c, v := range b.Cols {
		if v.IsNull(i) {
			cells[c] = "NULL"
			continue
		}
		cells[c] = oneLine(fn.Format(v, i))
		if !wholeCells {
			cells[c] = shorten(cells[c], cellWidthMax)
		}
	}
	return cells
}

// ended is the error of a result that has been read to err.
func ended(err error) error {
	if err == io.EOF {
		return nil
	}
	return err
}

// rowsText says how many rows there were: "1 row", "12 rows".
func rowsText(n int64) string {
	if n == 1 {
		return "1 row"
	}
	return fmt.Sprintf("%s rows", count(n))
}

// things is a number of things: "1 event", "2,000 events".
func things(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return count(n) + " " + noun + "s"
}
