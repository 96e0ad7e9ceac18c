package segment

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
)

func encode(tb testing.TB, b *Builder) memory {
	tb.Helper()
	e, err := b.Finish()
	if err != nil {
		tb.Fatal(err)
	}
	return blocksOf(e)
}

func sameBlocks(a, b memory) error {
	if len(a) != len(b) {
		return fmt.Errorf("%d and %d blocks", len(a), len(b))
	}
	for i := range a {
		if !bytes.Equal(a[i], b[i]) {
			return fmt.Errorf("block %d differs", i)
		}
	}
	return nil
}

func TestAddRefuses(t *testing.T) {
	for _, c := range []struct {
		in     string
		offset int
		reason string
	}{
		{`[1]`, 0, "must be a JSON object"},
		{` {}`, 0, "must be a JSON object"},
		{`"x"`, 0, "must be a JSON object"},
		{`{"a":01}`, 6, "comma"},
		{`{"a":1.}`, 5, "not a number"},
		{`{"a":-}`, 5, "not a number"},
		{`{"a":+1}`, 5, "not a value"},
		{`{"a":1e}`, 5, "not a number"},
		{`{"a":NaN}`, 5, "not a value"},
		{`{"a":tru}`, 5, "not a value"},
		{`{"a":nulL}`, 5, "not a value"},
		{`{"a":truex}`, 9, "comma"},
		{`{"a":"b"x}`, 8, "comma"},
		{`{"a":1,}`, 7, "key in quotes"},
		{`{"a":[1,]}`, 8, "comma before the end"},
		{`{"a":[1}}`, 7, "comma or the end of the array"},
		{`{"a" 1}`, 5, "colon"},
		{`{a:1}`, 1, "key in quotes"},
		{`{'a':1}`, 1, "key in quotes"},
		{`{"a":"` + "\n" + `"}`, 6, "control character"},
		{`{"a":"x` + "\x00" + `"}`, 7, "control character"},
		{`{"a":"\x"}`, 7, "unknown escape"},
		{`{"a":"\u12g4"}`, 10, "hexadecimal"},
		{"{\"a\":\"abc\xff\"}", 9, "UTF-8"},
		{"{\"a\":\"\xed\xa0\x80\"}", 6, "UTF-8"},
		{"{\"a\":\"\xc0\x80\"}", 6, "UTF-8"},
		{"{\"a\xff\":1}", 3, "UTF-8"},
		{`{"a":{"b":1]}`, 11, "comma or the end of the object"},
		{`{"a":1 "b":2}`, 7, "comma or the end of the object"},
		{`{} `, -1, ""},
		{`{"a":1}x`, -1, ""},
	} {
		for _, warm := range []bool{false, true} {
			b := NewBuilder(Options{})
			if warm {
				for _, s := range []string{`{"a":"b"}`, `{"a":1}`, `{"a":true,"b":2}`, `{"a":{"b":1}}`, `{"a":[1,2]}`, `{}`} {
					if _, err := b.Add([]byte(s)); err != nil {
						t.Fatal(err)
					}
				}
			}
			rows := b.Rows()
			n, err := b.Add([]byte(c.in))
			if c.offset < 0 {
				if err != nil || n != strings.LastIndex(c.in, "}")+1 {
					t.Errorf("%q: %d, %v", c.in, n, err)
				}
				continue
			}
			var s *SyntaxError
			if !errors.As(err, &s) || s.Offset != c.offset || !strings.Contains(s.Reason, c.reason) || s.Incomplete {
				t.Errorf("%q (warm %v): %v, want offset %d, %q", c.in, warm, err, c.offset, c.reason)
			}
			if b.Rows() != rows {
				t.Errorf("%q: the row stayed", c.in)
			}
		}
	}
}

func TestEveryPrefixIsIncomplete(t *testing.T) {
	rec := []byte(`{"a":"é\u0041","b":[1.5e-3,{"c":null,"d":{}},[]], "e":true,"f":-0,"g":"` + strings.Repeat("long ", 9) + `"}`)
	warm := NewBuilder(Options{})
	if _, err := warm.Add(rec); err != nil {
		t.Fatal(err)
	}
	for i := range rec {
		for _, b := range []*Builder{NewBuilder(Options{}), warm} {
			_, err := b.Add(rec[:i:i])
			var s *SyntaxError
			if !errors.As(err, &s) || !s.Incomplete || !errors.Is(err, io.ErrUnexpectedEOF) || s.Offset > i {
				t.Fatalf("%s: %v", rec[:i], err)
			}
		}
	}
	if warm.Rows() != 1 {
		t.Errorf("%d rows", warm.Rows())
	}
}

func TestCaps(t *testing.T) {
	deep := strings.Repeat(`{"a":`, 5) + "1" + strings.Repeat("}", 5)
	for _, c := range []struct {
		o    Options
		in   string
		what Limit
	}{
		{Options{MaxDepth: 5}, deep, ""},
		{Options{MaxDepth: 4}, deep, LimitDepth},
		{Options{MaxDepth: 4}, `{"a":[[[[1]]]]}`, LimitDepth},
		{Options{MaxRecordBytes: 10}, `{"a":1234}`, ""},
		{Options{MaxRecordBytes: 10}, `{"a":12345}`, LimitBytes},
		{Options{MaxValues: 3}, `{"a":1,"b":2,"c":3}`, ""},
		{Options{MaxValues: 3}, `{"a":1,"b":2,"c":3,"d":4}`, LimitValues},
		{Options{MaxValues: 300}, `{"a":[` + strings.Repeat("1,", 300) + `1]}`, LimitValues},
		{Options{}, `{"a":` + strings.Repeat("[", 100_000), LimitDepth},
	} {
		b := NewBuilder(c.o)
		_, err := b.Add([]byte(c.in))
		var l *LimitError
		if c.what == "" {
			if err != nil {
				t.Errorf("%.60s: %v", c.in, err)
			}
		} else if !errors.As(err, &l) || l.What != c.what {
			t.Errorf("%.60s: %v, want a limit on %s", c.in, err, c.what)
		}
	}
	b := NewBuilder(Options{})
	for range MaxRows {
		if _, err := b.Add([]byte(`{"a":1}`)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.Add([]byte(`{"a":1}`)); err != ErrFull {
		t.Errorf("record %d: %v", MaxRows+1, err)
	}
	if _, err := NewBuilder(Options{}).Finish(); err != ErrEmpty {
		t.Errorf("empty: %v", err)
	}
}

// TestNoTrace adds records with broken and taken-back ones between them: the
// segment must be the very same as without those.
func TestNoTrace(t *testing.T) {
	for _, o := range []Options{{}, {MaxColumns: 10}, {MaxShapes: 12}, {MaxElements: 2}} {
		rng := rand.New(rand.NewPCG(3, 4))
		g := nasty{rng}
		records := modelRecords(5, 3000)
		clean, dirty := NewBuilder(o), NewBuilder(o)
		for i, rec := range records {
			for range rng.IntN(3) {
				bad := []byte(g.object(3, 1+rng.IntN(6)))
				if rng.IntN(2) == 0 {
					bad = bytes.Clone(records[rng.IntN(len(records))])
				}
				if rng.IntN(2) == 0 {
					bad = bad[:rng.IntN(len(bad))]
				} else if k := rng.IntN(len(bad)); true {
					bad[k] = "{}[]\",:x1\\"[rng.IntN(10)]
				}
				if n, err := dirty.Add(bad); err == nil {
					if n > len(bad) {
						t.Fatal(n)
					}
					dirty.Undo()
				}
			}
			for _, b := range []*Builder{clean, dirty} {
				if _, err := b.Add(rec); err != nil {
					t.Fatal(i, err)
				}
			}
		}
		if clean.Rows() != dirty.Rows() || clean.RawBytes() != dirty.RawBytes() {
			t.Fatalf("%d rows of %d bytes and %d of %d", clean.Rows(), clean.RawBytes(), dirty.Rows(), dirty.RawBytes())
		}
		if o.MaxColumns+o.MaxShapes > 0 {
			continue // what is near a cap may depend on what was met
		}
		if err := sameBlocks(encode(t, clean), encode(t, dirty)); err != nil {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

// TestReuse: a builder that has learnt makes the same bytes as a new one.
func TestReuse(t *testing.T) {
	warm := NewBuilder(Options{})
	for seed := range uint64(4) {
		records := modelRecords(seed, 600+1500*int(seed%2))
		cold := NewBuilder(Options{})
		for _, b := range []*Builder{warm, cold} {
			for _, rec := range records {
				if _, err := b.Add(rec); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := sameBlocks(encode(t, warm), encode(t, cold)); err != nil {
			t.Error(seed, err)
		}
		if _, err := warm.Add([]byte(`{}`)); err == nil {
			t.Error("Add after Finish was taken")
		}
		warm.Reset()
		if warm.Rows() != 0 || warm.RawBytes() != 0 {
			t.Error("Reset left records")
		}
	}
}

func TestWatch(t *testing.T) {
	o := Options{Watch: [][]string{{"a"}, {"b", "c"}, {"b"}, {"é"}}, MaxElements: 3, Predict: 1}
	b := NewBuilder(o)
	for _, c := range []struct {
		in   string
		want [4]string
		kind [4]Kind
	}{
		{`{"a":"x\n","b":{"c":1}}`, [4]string{`x\n`, "1"}, [4]Kind{String, Number, Object, None}},
		{`{"a":null,"b":{}}`, [4]string{}, [4]Kind{Null, None, Object, None}},
		{`{"b":[1,2],"\u00e9":true}`, [4]string{"", "", "", "true"}, [4]Kind{None, None, Array, Bool}},
		{`{"b":{"c":{}},"a":[]}`, [4]string{}, [4]Kind{Array, Object, Object, None}},
		{`{"a":1,"a":2}`, [4]string{"2"}, [4]Kind{Number, None, None, None}},
		{`{"b":{"c":"x"},"b":{"d":1}}`, [4]string{}, [4]Kind{None, None, Object, None}},
		{`{"b":{"c":"x"},"b":7}`, [4]string{"", "", "7"}, [4]Kind{None, None, Number, None}},
		{`{"b":{"c":null}}`, [4]string{}, [4]Kind{None, Null, Object, None}},
		{`{}`, [4]string{}, [4]Kind{}},
	} {
		for _, cap := range []string{"none", "whole"} {
			bb := b
			if cap == "whole" {
				bb = NewBuilder(Options{Watch: o.Watch, MaxColumns: 1})
				if _, err := bb.Add([]byte(`{"only":"column"}`)); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := bb.Add([]byte(c.in)); err != nil {
				t.Fatal(err)
			}
			for i := range c.want {
				raw, kind := bb.Last(i)
				if string(raw) != c.want[i] || kind != c.kind[i] {
					t.Errorf("%s (cap %s): value %d is %q, %v", c.in, cap, i, raw, kind)
				}
			}
		}
	}
}

func TestEncodedColumns(t *testing.T) {
	records := modelRecords(9, 4500)
	b := NewBuilder(Options{})
	for _, rec := range records {
		if _, err := b.Add(rec); err != nil {
			t.Fatal(err)
		}
	}
	e, err := b.Finish()
	if err != nil {
		t.Fatal(err)
	}
	dicts, plains := 0, 0
	err = e.EachColumn(func(c *ColumnValues) error {
		rows := c.Rows(nil)
		if len(rows) != c.Values || c.Dict && len(c.Codes) != c.Values {
			return fmt.Errorf("%q: %d rows for %d values", c.Path, len(rows), c.Values)
		}
		if c.InArray || c.Kind == Object {
			return nil
		}
		if c.Dict {
			dicts++
		} else {
			plains++
		}
		// Keys that occur twice give more values than the model has.
		for i, row := range rows {
			if i+1 < len(rows) && rows[i+1] == row || i > 0 && rows[i-1] == row {
				continue
			}
			v := modelGet(records[row], c.Path)
			if modelKind(v) != c.Kind {
				continue // hidden by a later value
			}
			got := string(c.Value(i))
			if c.Kind == String {
				got = `"` + got + `"`
			}
			if got != string(v) {
				return fmt.Errorf("%q row %d: %s, want %s", c.Path, row, got, v)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if dicts == 0 || plains == 0 {
		t.Errorf("%d dictionary columns, %d others", dicts, plains)
	}
	if c, ok := e.Column([]string{"eventID"}, String); !ok || c.Dict || c.Values == 0 {
		t.Errorf("eventID: %v %v", c, ok)
	}
	if _, ok := e.Column([]string{"eventID"}, Number); ok {
		t.Error("there are no numbers at eventID")
	}
}

// TestRepeatsInTheLongRun: whether a column gets a dictionary is asked when it has a thousand
// values, and once more at the end.
func TestRepeatsInTheLongRun(t *testing.T) {
	const machines, n = 3000, 20_000
	for _, c := range []struct {
		name string
		pool int
		dict bool
	}{{"machines", machines, true}, {"random", 1 << 40, false}, {"nearly", 2 * n, false}} {
		b := NewBuilder(Options{})
		rng := rand.New(rand.NewPCG(7, uint64(c.pool)))
		for round := range 2 { // a builder that is used again
			var records [][]byte
			for i := range n {
				k := rng.IntN(c.pool)
				if i < 1024 && c.pool < 1<<30 {
					k = i // a thousand that do not repeat
				}
				rec := fmt.Appendf(nil, `{"id":"i-%017x","n":%d}`, uint64(k)*0x9e3779b97f4a7c15>>4, i)
				records = append(records, rec)
				if _, err := b.Add(rec); err != nil {
					t.Fatal(err)
				}
			}
			e, err := b.Finish()
			if err != nil {
				t.Fatal(err)
			}
			id, ok := e.Column([]string{"id"}, String)
			if !ok || id.Dict != c.dict {
				t.Errorf("%s, round %d: dictionary is %v", c.name, round, id.Dict)
			}
			r, err := Open(context.Background(), blocksOf(e), ReadOptions{})
			if err != nil {
				t.Fatal(err)
			}
			err = r.Records(context.Background(), Range(0, n), func(row int, rec []byte) error {
				if !bytes.Equal(rec, records[row]) {
					return fmt.Errorf("row %d is %s, was %s", row, rec, records[row])
				}
				return nil
			})
			if err == nil {
				err = r.Verify(context.Background())
			}
			if err != nil {
				t.Errorf("%s, round %d: %v", c.name, round, err)
			}
			b.Reset()
		}
	}
}

func FuzzRecords(f *testing.F) {
	for _, rec := range modelRecords(11, 40) {
		f.Add(rec, uint8(len(rec)))
	}
	f.Add([]byte(`{"a":1}{"a":[1,2,[3,{"b":"\ud800"}]]}`), uint8(3))
	f.Add([]byte("{\"a\":\"\xff\"}"), uint8(0))
	f.Fuzz(func(t *testing.T, in []byte, how uint8) {
		o := Options{MaxElements: 1 + int(how&7), MaxDepth: 8, MaxRecordBytes: 1 << 12}
		if how&8 != 0 {
			o.MaxColumns = 3
		}
		if how&16 != 0 {
			o.MaxShapes = 2
		}
		// The input is a row of records; it is read twice, so that the second time
		// everything is known, and with broken ones in between.
		b, clean := NewBuilder(o), NewBuilder(o)
		var kept [][]byte
		for range 2 {
			for at := 0; at < len(in); {
				n, err := b.Add(in[at:])
				if err != nil {
					b.Add(in[at:min(len(in), at+int(how))])
					at++
					continue
				}
				if how&32 != 0 && n%2 == 1 {
					b.Undo()
				} else {
					kept = append(kept, in[at:at+n])
				}
				at += n
			}
			if b.Rows() != len(kept) {
				// A piece that was added on the way counts as well.
				for b.Rows() > len(kept) {
					return
				}
				t.Fatalf("%d rows, %d were added", b.Rows(), len(kept))
			}
		}
		if len(kept) == 0 {
			return
		}
		for _, rec := range kept {
			if n, err := clean.Add(rec); err != nil || n != len(rec) {
				t.Fatalf("%q: %d, %v", rec, n, err)
			}
		}
		m := encode(t, b)
		if o.MaxColumns == 0 && o.MaxShapes == 0 {
			if err := sameBlocks(m, encode(t, clean)); err != nil {
				t.Fatal(err)
			}
		}
		r, err := Open(t.Context(), m, ReadOptions{})
		if err != nil {
			t.Fatal(err)
		}
		i := 0
		err = r.Records(t.Context(), Range(0, len(kept)), func(row int, rec []byte) error {
			if !bytes.Equal(rec, kept[i]) {
				return fmt.Errorf("%q came back as %q", kept[i], rec)
			}
			i++
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Verify(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
}
