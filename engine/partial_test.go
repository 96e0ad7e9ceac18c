package engine

import (
	"bytes"
	"errors"
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

// TestPartialRoundTrip writes groups and reads them back: none, one, and several batches.
func TestPartialRoundTrip(t *testing.T) {
	for _, rows := range []int{0, 1, 4096, 10_000} {
		w := &partialWriter{}
		b := partialBatch(rows)
		if err := w.add(b); err != nil {
			t.Fatal(err)
		}
		data, h := w.finish(7, 3, 99)
		if h.groups != rows || h.size != len(data) {
			t.Errorf("%d rows: head %+v", rows, h)
		}
		back, err := decodePartial(7, 3, 99, partialTypes, data)
		if err != nil {
			t.Fatal(err)
		}
		at := 0
		for _, part := range back {
			got := spill.AppendBatch(nil, part.Cols, part.Len)
			cols := make([]*column.Vector, len(b.Cols))
			for i, c := range b.Cols {
				cols[i] = c.Slice(at, at+part.Len)
			}
			if !bytes.Equal(got, spill.AppendBatch(nil, cols, part.Len)) {
				t.Errorf("%d rows: those from %d on differ", rows, at)
			}
			at += part.Len
		}
		if at != rows {
			t.Errorf("%d rows came back of %d", at, rows)
		}
		for _, wrong := range []func() error{
			func() error { _, err := decodePartial(8, 3, 99, partialTypes, data); return err },
			func() error { _, err := decodePartial(7, 4, 99, partialTypes, data); return err },
			func() error { _, err := decodePartial(7, 3, 98, partialTypes, data); return err },
		} {
			if wrong() == nil {
				t.Errorf("%d rows: groups are read as those of another segment, view or query", rows)
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

// FuzzPartial decodes any bytes under a right checksum, and encodes what it gets.
func FuzzPartial(f *testing.F) {
	w := &partialWriter{}
	w.add(partialBatch(20))
	data, h := w.finish(7, 3, 99)
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
		batches, err := decodePartial(7, 3, 99, partialTypes, b)
		if err != nil {
			return
		}
		for _, batch := range batches {
			for i, c := range batch.Cols {
				if c.Len != batch.Len || !c.Type.Equal(partialTypes[i]) {
					t.Errorf("column %d has %d values of %v in a batch of %d", i, c.Len, c.Type, batch.Len)
				}
			}
		}
	})
}
