// Package parquet writes records as Parquet files with typed columns, and reads the
// records back out of them.
//
//	w := parquet.NewWriter(event.CloudTrail)
//	file, err := w.Encode(seqs, records)
//	err = parquet.Records(file, limit, func(seq uint64, record []byte) error { … })
//
// A file has these columns, all but the first optional:
//
//	cairn_sequence   INT64, the sequence number
//	cairn_record     BYTE_ARRAY (UTF-8), the exact text of the record
//	cairn_bytes      BYTE_ARRAY, the record where it is no valid UTF-8, and cairn_record is NULL
//	…                the columns of the schema (package event), by their names: texts, booleans,
//	                 numbers and times (microseconds, UTC) typed; rows, arrays and maps as their JSON text
//
// Pages are compressed with zstd. A Writer belongs to one goroutine; Records may be called from
// many.
package parquet

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	parquetgo "github.com/parquet-go/parquet-go"

	"github.com/cairndb/cairn/engine/event"
	"github.com/cairndb/cairn/segment/column"
)

const (
	sequenceColumn = "cairn_sequence"
	recordColumn   = "cairn_record"
	bytesColumn    = "cairn_bytes"
)

// Writer writes files of one schema.
type Writer struct {
	schema  *parquetgo.Schema
	columns []target
	seq     int
	record  int
	bytes   int
}

// target is where the values of a column go.
type target struct {
	column *event.Column
	at     int // column of the file
	json   bool
}

// NewWriter returns a writer.
func NewWriter(t *event.Table) *Writer {
	g := parquetgo.Group{
		sequenceColumn: parquetgo.Int(64),
		recordColumn:   parquetgo.Optional(parquetgo.String()),
		bytesColumn:    parquetgo.Optional(parquetgo.Leaf(parquetgo.ByteArrayType)),
	}
	w := &Writer{}
	for i := range t.Columns {
		c := &t.Columns[i]
		if c.Mapping == event.Record {
			continue // cairn_record
		}
		var node parquetgo.Node
		json := false
		switch c.Type.Kind {
		case column.Varchar:
			node = parquetgo.String()
		case column.Boolean:
			node = parquetgo.Leaf(parquetgo.BooleanType)
		case column.Integer, column.BigInt:
			node = parquetgo.Int(64)
		case column.Double:
			node = parquetgo.Leaf(parquetgo.DoubleType)
		case column.Timestamp:
			node = parquetgo.Timestamp(parquetgo.Microsecond)
		default:
			node, json = parquetgo.JSON(), true
		}
		g[c.Name] = parquetgo.Optional(node)
		w.columns = append(w.columns, target{column: c, json: json})
	}
	for name, node := range g {
		g[name] = parquetgo.Compressed(node, &parquetgo.Zstd)
	}
	w.schema = parquetgo.NewSchema("cairn_"+t.Key, g)
	at := func(name string) int {
		leaf, _ := w.schema.Lookup(name)
		return leaf.ColumnIndex
	}
	w.seq, w.record, w.bytes = at(sequenceColumn), at(recordColumn), at(bytesColumn)
	for i := range w.columns {
		w.columns[i].at = at(w.columns[i].column.Name)
	}
	return w
}

// Encode returns a file with records and their sequence numbers.
func (w *Writer) Encode(seqs []uint64, records [][]byte) ([]byte, error) {
	rows := make([]parquetgo.Row, len(records))
	cells := make([]parquetgo.Value, len(records)*(len(w.columns)+3))
	width := len(w.columns) + 3
	for i, rec := range records {
		row := cells[i*width : (i+1)*width : (i+1)*width]
		rows[i] = row
		row[w.seq] = parquetgo.Int64Value(int64(seqs[i])).Level(0, 0, w.seq)
		text, raw := parquetgo.NullValue().Level(0, 0, w.record), parquetgo.NullValue().Level(0, 0, w.bytes)
		if utf8.Valid(rec) {
			text = parquetgo.ByteArrayValue(rec).Level(0, 1, w.record)
		} else {
			raw = parquetgo.ByteArrayValue(rec).Level(0, 1, w.bytes)
		}
		row[w.record], row[w.bytes] = text, raw
	}
	found := make([][]byte, len(records))
	for _, t := range w.columns {
		for i, rec := range records {
			found[i] = t.column.Find(rec)
		}
		if t.json {
			for i := range rows {
				v := parquetgo.NullValue().Level(0, 0, t.at)
				if found[i] != nil {
					v = parquetgo.ByteArrayValue(bytes.ToValidUTF8(found[i], []byte("\ufffd"))).Level(0, 1, t.at)
				}
				rows[i][t.at] = v
			}
			continue
		}
		values := t.column.Decode(found)
		for i := range rows {
			rows[i][t.at] = cell(values, i, t.at)
		}
	}
	var out bytes.Buffer
	pw := parquetgo.NewWriter(&out, w.schema, parquetgo.CreatedBy("cairn", "1", "1"))
	if _, err := pw.WriteRows(rows); err != nil {
		return nil, fmt.Errorf("writing Parquet: %w", err)
	}
	if err := pw.Close(); err != nil {
		return nil, fmt.Errorf("writing Parquet: %w", err)
	}
	return out.Bytes(), nil
}

// cell returns value i of a vector as a value of a file's column.
func cell(v *column.Vector, i, at int) parquetgo.Value {
	if v.IsNull(i) {
		return parquetgo.NullValue().Level(0, 0, at)
	}
	leaf, j := v.Leaf(i)
	var out parquetgo.Value
	switch v.Type.Kind {
	case column.Boolean:
		out = parquetgo.BooleanValue(leaf.I64[j] != 0)
	case column.Double:
		out = parquetgo.DoubleValue(leaf.F64[j])
	case column.Varchar:
		out = parquetgo.ByteArrayValue([]byte(leaf.Str[j]))
	default:
		out = parquetgo.Int64Value(leaf.I64[j])
	}
	return out.Level(0, 1, at)
}

// Records calls fn with the records of a file in order, with their sequence numbers;
// none may be longer than limit. record is only valid during the call.
func Records(file []byte, limit int, fn func(seq uint64, record []byte) error) (err error) {
	defer func() {
		// The library panics on some damaged files.
		if p := recover(); p != nil {
			err = fmt.Errorf("reading Parquet: it is damaged: %v", p)
		}
	}()
	f, err := parquetgo.OpenFile(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		return fmt.Errorf("reading Parquet: %w", err)
	}
	at := func(name string) int {
		leaf, ok := f.Schema().Lookup(name)
		if !ok {
			return -1
		}
		return leaf.ColumnIndex
	}
	seq, text, raw := at(sequenceColumn), at(recordColumn), at(bytesColumn)
	if seq < 0 || text < 0 || raw < 0 {
		return errors.New("reading Parquet: it has not the columns of an export")
	}
	for _, g := range f.RowGroups() {
		var readers [3]*values
		chunks := g.ColumnChunks()
		for i, c := range []int{seq, text, raw} {
			readers[i] = &values{pages: chunks[c].Pages()}
			defer readers[i].pages.Close()
		}
		for range g.NumRows() {
			var v [3]parquetgo.Value
			for i := range readers {
				if v[i], err = readers[i].next(); err != nil {
					return fmt.Errorf("reading Parquet: %w", err)
				}
			}
			rec := v[1]
			if rec.IsNull() {
				rec = v[2]
			}
			if rec.IsNull() || v[0].IsNull() || len(rec.ByteArray()) > limit {
				return errors.New("reading Parquet: a row has no record, or one that is too long")
			}
			if err := fn(uint64(v[0].Int64()), rec.ByteArray()); err != nil {
				return err
			}
		}
	}
	return nil
}

// values reads the values of a column one by one.
type values struct {
	pages parquetgo.Pages
	page  parquetgo.ValueReader
	buf   [64]parquetgo.Value
	have  []parquetgo.Value
}

func (v *values) next() (parquetgo.Value, error) {
	for len(v.have) == 0 {
		if v.page == nil {
			p, err := v.pages.ReadPage()
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			if err != nil {
				return parquetgo.Value{}, err
			}
			v.page = p.Values()
		}
		n, err := v.page.ReadValues(v.buf[:])
		v.have = v.buf[:n]
		if err == io.EOF {
			v.page = nil
		} else if err != nil {
			return parquetgo.Value{}, err
		} else if n == 0 {
			return parquetgo.Value{}, io.ErrNoProgress
		}
	}
	out := v.have[0]
	v.have = v.have[1:]
	return out, nil
}
