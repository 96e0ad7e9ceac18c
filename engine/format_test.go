package engine

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/cespare/xxhash/v2"
	"github.com/klauspost/compress/s2"

	"github.com/cairndb/cairn/engine/event"
	"github.com/cairndb/cairn/segment"
	"github.com/cairndb/cairn/wal"
)

func encodeAppend(groups []group) []byte {
	out := []byte{recordAppend}
	for _, g := range groups {
		var lengths []int
		for _, r := range g.records {
			lengths = append(lengths, len(r))
		}
		out = appendGroupHead(out, g.store, g.first, lengths)
		for _, r := range g.records {
			out = append(out, r...)
		}
	}
	return out
}

func TestLogRecords(t *testing.T) {
	groups := []group{{store: 3, first: 70000, records: [][]byte{[]byte("{}"), []byte(`{"a":1}`)}}, {store: 0, first: 0, records: [][]byte{[]byte("x")}}}
	b := encodeAppend(groups)
	if got, want := fmt.Sprintf("%x", b[:8]), "4103f0a204020207"; got != want {
		t.Errorf("the record begins with %s, want %s", got, want)
	}
	got, err := parseAppend(b)
	if err != nil || !reflect.DeepEqual(got, groups) {
		t.Errorf("got %+v, %v", got, err)
	}
	for n := 1; n < len(b); n++ {
		if n == len(b)-5 {
			continue // between the groups
		}
		if _, err := parseAppend(b[:n:n]); err == nil && n > 1 {
			t.Errorf("a record cut to %d of %d bytes was taken", n, len(b))
		}
	}
	p := position{generation: 9, next: map[uint32]uint64{4: 5}}
	back, err := parsePosition(p.encode())
	if err != nil || !reflect.DeepEqual(*back, p) {
		t.Errorf("got %+v, %v", back, err)
	}
}

// TestSqueezedRecords checks that records are written in the shorter form, and read back from it.
func TestSqueezedRecords(t *testing.T) {
	var s squeezer
	r := rand.New(rand.NewPCG(1, 2))
	for _, c := range []struct {
		name     string
		records  int
		size     int
		noise    bool
		squeezed bool
	}{
		{"one small event", 1, 500, false, false},
		{"many alike", 1000, 500, false, true},
		{"many again, in the same buffers", 900, 400, false, true},
		{"very many", 20_000, 500, false, true},
		{"noise", 1000, 500, true, false},
		{"one large event", 1, 200_000, false, true},
	} {
		want := []group{{store: 3, first: 70000}}
		for i := range c.records {
			b := bytes.Repeat(fmt.Appendf(nil, "%d,", i), c.size)[:c.size]
			for k := range b {
				if c.noise {
					b[k] = byte(r.Uint32())
				}
			}
			want[0].records = append(want[0].records, b)
		}
		plain := encodeAppend(want)
		out := s.squeeze([][]byte{plain[:1], plain[1:7], plain[7:]})
		b := bytes.Join(out, nil)
		if !c.squeezed {
			if !bytes.Equal(b, plain) {
				t.Errorf("%s: %d bytes of %d are not the record as it is", c.name, len(b), len(plain))
			}
			continue
		}
		if len(b) > len(plain)/2 || b[0] != recordSqueezed {
			t.Errorf("%s: %d bytes of %d, type %q", c.name, len(b), len(plain), b[0])
		}
		back, err := loosen(bytes.Clone(b))
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if got, err := parseAppend(back); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: read back otherwise, %v", c.name, err)
		}
	}
	for name, b := range map[string][]byte{
		"nothing":             {recordSqueezed},
		"an empty block":      {recordSqueezed, 0},
		"too large a block":   binary.AppendUvarint([]byte{recordSqueezed}, wal.MaxRecord+1),
		"a position":          append([]byte{recordSqueezed}, s2.Encode(nil, (&position{}).encode())...),
		"a block that is cut": append([]byte{recordSqueezed}, s2.Encode(nil, bytes.Repeat([]byte("A"), 5000))[:7]...),
	} {
		if _, err := loosen(b); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
}

func FuzzLogRecord(f *testing.F) {
	f.Add(append([]byte{recordSqueezed}, s2.Encode(nil, encodeAppend([]group{{store: 1, first: 2, records: [][]byte{bytes.Repeat([]byte("{}"), 50)}}}))...))
	f.Add(encodeAppend([]group{{store: 1, first: 2, records: [][]byte{[]byte("{}")}}}))
	f.Add((&position{generation: 1, next: map[uint32]uint64{1: 2}}).encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) == 0 {
			return
		}
		if b[0] == recordSqueezed {
			plain, err := loosen(b)
			if err != nil {
				return
			}
			b = plain
		}
		if groups, err := parseAppend(b); err == nil {
			again, err := parseAppend(encodeAppend(groups))
			if err != nil || !reflect.DeepEqual(again, groups) {
				t.Errorf("%x reads as %+v, written again as %+v, %v", b, groups, again, err)
			}
		}
		parsePosition(b)
	})
}

func TestIndexDirectory(t *testing.T) {
	columns := []columnIndex{
		{pages: 17},
		{path: []string{"requestID"}, kind: segment.String, pages: 3, place: 1},
		{path: []string{"userIdentity", "arn"}, kind: segment.String, postings: true, place: 2},
	}
	b := encodeIndexDir(columns)
	got, err := decodeIndexDir(b)
	if err != nil || !reflect.DeepEqual(got, columns) {
		t.Errorf("got %+v, %v", got, err)
	}
	for i := range b {
		for bit := range 8 {
			b[i] ^= 1 << bit
			if _, err := decodeIndexDir(b); err == nil {
				t.Fatalf("bit %d of byte %d flipped was not noticed", bit, i)
			}
			b[i] ^= 1 << bit
		}
	}
}

func FuzzIndexDirectory(f *testing.F) {
	b := encodeIndexDir([]columnIndex{{pages: 1}, {path: []string{"a", "b"}, kind: segment.String, postings: true, place: 1}})
	f.Add(b[:len(b)-8])
	f.Fuzz(func(t *testing.T, body []byte) {
		columns, err := decodeIndexDir(binary.LittleEndian.AppendUint64(bytes.Clone(body), xxhash.Sum64(body)))
		if err != nil {
			return
		}
		again, err := decodeIndexDir(encodeIndexDir(columns))
		if err != nil || !reflect.DeepEqual(again, columns) {
			t.Errorf("%x reads as %+v, written again as %+v, %v", body, columns, again, err)
		}
	})
}

func TestIDSet(t *testing.T) {
	var s idSet
	for range 2 {
		s.reset()
		var ids []event.Identity
		for i := range 5000 {
			id := event.IdentityOf(fmt.Appendf(nil, "id-%d", i%3000))
			if row := s.find(ids, &id); i >= 3000 && row != i-3000 || i < 3000 && row != -1 {
				t.Fatalf("row %d: found %d", i, row)
			}
			ids = append(ids, id)
			s.add(ids)
		}
		for i := range 2000 {
			row := s.find(ids, &ids[i])
			if row != i+3000 || s.before(row) != i || s.before(i) != -1 {
				t.Fatalf("identity of row %d: %d, %d, %d", i, row, s.before(row), s.before(i))
			}
		}
	}
}

func TestChooseRun(t *testing.T) {
	type seg struct {
		rows, gap int
	}
	for _, c := range []struct {
		name     string
		segs     []seg
		from, to int
	}{
		{"nothing", nil, 0, 0},
		{"few at the end stay", []seg{{1, 0}, {1, 0}, {1, 0}}, 0, 0},
		{"eight of a kind", []seg{{5, 0}, {5, 0}, {5, 0}, {5, 0}, {5, 0}, {5, 0}, {5, 0}, {5, 0}}, 0, 8},
		{"a large one among crumbs", []seg{{60, 0}, {1, 0}, {1, 0}, {1, 0}, {1, 0}, {1, 0}, {1, 0}, {1, 0}}, 0, 0},
		{"the crumbs behind it", []seg{{60, 0}, {1, 0}, {1, 0}, {1, 0}, {1, 0}, {1, 0}, {1, 0}, {1, 0}, {1, 0}}, 1, 9},
		{"a closed run", []seg{{100, 0}, {20, 0}, {30, 0}, {90, 0}}, 1, 3},
		{"a gap does not merge", []seg{{20, 0}, {30, 1}, {90, 0}}, 0, 0},
		{"full ones stay", []seg{{100, 0}, {100, 0}, {100, 0}}, 0, 0},
	} {
		var first []uint64
		next := uint64(0)
		for _, s := range c.segs {
			next += uint64(s.gap)
			first = append(first, next)
			next += uint64(s.rows)
		}
		from, to := chooseRun(len(c.segs), 100, 0, func(i int) candidate { return candidate{first: first[i], rows: c.segs[i].rows, ok: true} })
		if from != c.from || to != c.to {
			t.Errorf("%s: %d to %d, want %d to %d", c.name, from, to, c.from, c.to)
		}
	}
}

// TestChooseRunApart keeps events far apart in segments apart.
func TestChooseRunApart(t *testing.T) {
	for _, c := range []struct {
		name     string
		times    [][2]int64
		from, to int
	}{
		{"near", [][2]int64{{0, 1}, {1, 2}, {2, 3}, {3, 4}, {4, 5}, {5, 6}, {6, 7}, {7, 8}}, 0, 8},
		{"one far away", [][2]int64{{0, 1}, {1, 2}, {2, 3}, {300, 400}, {4, 5}, {5, 6}, {6, 7}, {7, 8}}, 0, 3},
		{"within the widest", [][2]int64{{0, 1}, {1, 2}, {2, 3}, {0, 400}, {4, 5}, {5, 6}, {6, 7}, {7, 8}}, 0, 8},
	} {
		from, to := chooseRun(len(c.times), 100, 10, func(i int) candidate {
			return candidate{first: uint64(i), rows: 1, min: c.times[i][0], max: c.times[i][1], ok: true}
		})
		if from != c.from || to != c.to {
			t.Errorf("%s: %d to %d, want %d to %d", c.name, from, to, c.from, c.to)
		}
	}
}
