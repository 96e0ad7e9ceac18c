package engine

import (
	"bytes"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/exec/spill"
)

// partialTypes are those of a view with a time, a text, a count and a sketch.
var partialTypes = []*column.Type{column.TimestampType, column.VarcharType, column.BigIntType, column.VarbinaryType}

func partialBatch(rows int) *column.Batch {
	b := &column.Batch{Len: rows}
	for _, t := range partialTypes {
		b.Cols = append(b.Cols, column.New(t, rows))
	}
	for i := range rows {
		b.Cols[0].I64[i] = int64(i/3) * 60e6
		b.Cols[1].Str[i] = string(rune('a' + i%5))
		b.Cols[2].I64[i] = int64(i)
		b.Cols[3].Str[i] = "sketch"
		if i%4 == 0 {
			b.Cols[1].Str[i] = ""
			b.Cols[1].SetNull(i)
		}
	}
	return b
}

// rowsText writes the groups out, one a line.
func rowsText(b *column.Batch) []string {
	out := make([]string, b.Len)
	for i := range out {
		cols := make([]*column.Vector, len(b.Cols))
		for k, c := range b.Cols {
			if cols[k] = column.Flatten(c.Slice(i, i+1)); c.IsNull(i) {
				cols[k] = column.NullConst(c.Type, 1)
			}
		}
		out[i] = string(spill.AppendBatch(nil, cols, 1))
	}
	return out
}

// TestPartialRoundTrip writes groups and reads them back: none, one, and several batches, in
// the order in which they came and in that of their keys.
func TestPartialRoundTrip(t *testing.T) {
	for _, rows := range []int{0, 1, 4096, 10_000} {
		b := partialBatch(rows)
		want := rowsText(b)
		for _, order := range [][]int{nil, {1, 0}} {
			w := &partialWriter{}
			for from := 0; from < rows || from == 0; from += 4096 {
				part := &column.Batch{Len: min(rows-from, 4096)}
				for _, c := range b.Cols {
					part.Cols = append(part.Cols, c.Slice(from, from+part.Len))
				}
				if err := w.add(part); err != nil {
					t.Fatal(err)
				}
			}
			data, h, err := w.finish(7, 3, 99, order)
			if err != nil || h.groups != rows || h.size != len(data) {
				t.Errorf("%d rows: head %+v, %v", rows, h, err)
			}
			back, err := decodePartial(7, 3, 99, partialTypes, data, nil)
			if err != nil {
				t.Fatal(err)
			}
			got := rowsText(back)
			if order != nil {
				key := func(i int) string {
					if back.Cols[1].IsNull(i) {
						return ""
					}
					leaf, j := back.Cols[1].Leaf(i)
					return leaf.Str[j]
				}
				ended := map[string]bool{}
				for i := 1; i < rows; i++ {
					if k, was := key(i), key(i-1); k != was {
						ended[was] = true
						if ended[k] {
							t.Fatalf("%d rows: groups of %q do not follow each other", rows, k)
						}
					} else if back.Cols[0].I64[i] < back.Cols[0].I64[i-1] {
						t.Fatalf("%d rows: group %d is before the one before it", rows, i)
					}
				}
				slices.Sort(got)
				slices.Sort(want)
			}
			if !slices.Equal(got, want) {
				t.Errorf("%d rows in order %v: other groups come back", rows, order)
			}
			for _, wrong := range []func() error{
				func() error { _, err := decodePartial(8, 3, 99, partialTypes, data, nil); return err },
				func() error { _, err := decodePartial(7, 4, 99, partialTypes, data, nil); return err },
				func() error { _, err := decodePartial(7, 3, 98, partialTypes, data, nil); return err },
			} {
				if wrong() == nil {
					t.Errorf("%d rows: groups are read as those of another segment, view or query", rows)
				}
			}
		}
	}
}

// TestGroupColumns writes columns of all forms and widths and reads them back.
func TestGroupColumns(t *testing.T) {
	ints := func(typ *column.Type, values ...int64) *column.Vector {
		return &column.Vector{Type: typ, Len: len(values), I64: values}
	}
	text := func(values ...string) *column.Vector {
		return &column.Vector{Type: column.VarcharType, Len: len(values), Str: values}
	}
	some := ints(column.BigIntType, 5, 0, 7)
	some.SetNull(1)
	none := ints(column.BigIntType, 0, 0, 0)
	empty := text("", "", "x")
	empty.SetNull(0)
	for i := range 3 {
		none.SetNull(i)
	}
	different := make([]string, 40)
	for i := range different {
		different[i] = strings.Repeat("y", i)
	}
	wide := column.New(column.DoubleType, 3)
	wide.F64[1] = -0.5
	zoned := column.New(column.TimestampTZType, 2)
	zoned.Zone = []uint16{0, 0}
	for _, v := range []*column.Vector{
		ints(column.BigIntType, 4), ints(column.BigIntType, 4, 4, 4), ints(column.BigIntType, math.MinInt64, math.MaxInt64),
		ints(column.BigIntType, math.MinInt64, math.MaxInt64, 0), ints(column.BigIntType, 0, 255), ints(column.BigIntType, -1, 255), ints(column.BigIntType, 0, 65536, 1),
		ints(column.TimestampType, 0, 60e6, 120e6), ints(column.TimestampType, 1, 1<<32, 7), ints(column.BooleanType, 1, 0), some, none,
		text("a"), text("a", "b", "a"), text("", "", ""), empty, text(different...),
		{Type: column.VarcharType, Len: 4, Dict: text("a", "b", "a"), Codes: []uint32{2, 1, 0, 0}},
		wide, zoned, column.NewConst(text("z"), 3),
	} {
		cols := make([]groupColumn, 1)
		cols[0].add(v)
		b, err := appendGroups(nil, tableOf(cols, v.Len, nil))
		if err != nil {
			t.Fatal(err)
		}
		back, err := readGroups(b, []*column.Type{v.Type}, nil)
		if err != nil {
			t.Errorf("%+v: %v", v, err)
			continue
		}
		want := &column.Batch{Len: v.Len, Cols: []*column.Vector{column.Flatten(v)}}
		got := &column.Batch{Len: back.Len, Cols: []*column.Vector{column.Flatten(back.Cols[0])}}
		if !slices.Equal(rowsText(got), rowsText(want)) {
			t.Errorf("%+v comes back as %+v", v, back.Cols[0])
		}
		for n := range b {
			if _, err := readGroups(b[:n], []*column.Type{v.Type}, nil); err == nil {
				t.Errorf("%+v: %d of %d bytes are read", v, n, len(b))
			}
		}
	}
}

// TestPartialBounds ends a partial that would be too large.
func TestPartialBounds(t *testing.T) {
	w := &partialWriter{}
	b := partialBatch(4096)
	for i := range b.Cols[3].Str {
		b.Cols[3].Str[i] = string(make([]byte, 4096))
	}
	var err error
	for range 4 {
		if err = w.add(b); err != nil {
			break
		}
	}
	if !errors.Is(err, errPartialTooLarge) {
		t.Errorf("64 MiB of groups: %v", err)
	}
}

// checkGroups holds the lengths in a batch against each other.
func checkGroups(t *testing.T, batch *column.Batch, types []*column.Type) {
	t.Helper()
	for i, c := range batch.Cols {
		if c.Len != batch.Len || !c.Type.Equal(types[i]) {
			t.Errorf("column %d has %d values of %v in a batch of %d", i, c.Len, c.Type, batch.Len)
		}
		for row := range c.Len {
			if leaf, j := c.Leaf(row); !c.IsNull(row) && j >= leaf.Len {
				t.Fatalf("column %d: value %d of %d", i, j, leaf.Len)
			}
		}
	}
}

// FuzzGroupColumns reads any bytes as the columns of groups.
func FuzzGroupColumns(f *testing.F) {
	columns := make([]groupColumn, len(partialTypes))
	for i, c := range partialBatch(70).Cols {
		columns[i].add(c)
	}
	for _, order := range [][]int{{0, 1}, nil} {
		b, err := appendGroups(nil, tableOf(columns, 70, order))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if batch, err := readGroups(b, partialTypes, nil); err == nil {
			checkGroups(t, batch, partialTypes)
		}
	})
}

// FuzzPartial decodes any bytes under a right checksum, and encodes what it gets.
func FuzzPartial(f *testing.F) {
	w := &partialWriter{}
	w.add(partialBatch(20))
	data, h, err := w.finish(7, 3, 99, []int{0, 1})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(false, data[:len(data)-partialChecksum])
	head := encodeHead(7, 3, h)
	f.Add(true, head[:len(head)-partialChecksum])
	head = encodeHead(7, 3, partialHead{print: 1, reason: "no room"})
	f.Add(true, head[:len(head)-partialChecksum])
	f.Fuzz(func(t *testing.T, isHead bool, payload []byte) {
		b := sealPartial(7, 3, bytes.Clone(payload))
		if isHead {
			h, err := decodeHead(7, 3, b)
			if err == nil && !bytes.Equal(encodeHead(7, 3, h), b) {
				t.Errorf("%x decodes to %+v, which encodes differently", b, h)
			}
			return
		}
		batch, err := decodePartial(7, 3, 99, partialTypes, b, nil)
		if err != nil {
			return
		}
		checkGroups(t, batch, partialTypes)
	})
}
