package catalog

import (
	"bytes"
	"errors"
	"reflect"
	"sort"
	"strings"
	"testing"
)

// table is a catalogue in memory.
type table map[string][]byte

func (t table) Set(key, value []byte) { t[string(key)] = append([]byte(nil), value...) }
func (t table) Delete(key []byte)     { delete(t, string(key)) }
func (t table) Scan(prefix []byte, fn func(key, value []byte) error) error {
	var keys []string
	for k := range t {
		if strings.HasPrefix(k, string(prefix)) {
			keys = append(keys, k)
		}
	}
	sort.Strings(keys)
	for _, k := range keys {
		if err := fn([]byte(k), t[k]); err != nil {
			return err
		}
	}
	return nil
}

func sample() *State {
	return &State{
		Head: Head{Generation: 7, NextSegment: 12, NextStore: 3, OldestLog: 4},
		Stores: []Store{
			{Number: 0, ID: [16]byte{1, 2, 3}, Name: "events", Created: 1_700_000_000_000_000},
			{Number: 2, ID: [16]byte{9}, Name: "Öl", Created: -5, Schema: 3},
		},
		Segments: []Segment{
			{Store: 0, First: 0, Rows: 65536, Number: 3, MinTime: -1, MaxTime: 1 << 50, RawBytes: 1 << 27, StoredBytes: 1 << 23, IndexBytes: 77, Blocks: 900, Postings: true},
			{Store: 0, First: 65536, Rows: 1, Number: 11, MinTime: 5, MaxTime: 5, RawBytes: 10, StoredBytes: 20},
			{Store: 2, First: 0, Rows: 9, Number: 5},
		},
		Ends:     []End{{Store: 0, Next: 70_000}, {Store: 2, Next: 9}},
		Clock:    Clock{Floor: 1 << 50, Strict: -3, NextHold: 8},
		Policies: []Policy{{Store: 0, Days: 366, Protected: true}, {Store: 2, Kind: 2, Days: 3653, Mode: 2, State: 2, Before: 1, Gone: 1 << 49}},
		Holds:    []Hold{{Store: 2, Number: 1, From: -1 << 63, To: 1<<63 - 1, Reason: "Fall 7", By: "ä", At: 5}, {Store: 2, Number: 7, From: 3, To: 3, Reason: "x"}},
		Dropped:  []Dropped{{Store: 2, First: 9, End: 300, Segments: 2, RawBytes: 5, StoredBytes: 4, MinTime: -7, MaxTime: 8, At: 9}},
		Gone:     []Gone{{Store: 1, ID: [16]byte{7}, Name: "old", Events: 5, StoredBytes: 9, At: 11}},

		Selectors: []Selectors{{Store: 2, Text: []byte(`{"Advanced":[]}`)}},
		Views:     []View{{Number: 1024, Store: 0, Name: "hourly", Query: "SELECT 1", Days: 90, Created: 7}, {Number: 1030, Store: 2, Name: "Ö", Query: ""}},
		ViewsOff:  []ViewsOff{{Store: 2}},
	}
}

func put(st *State) table {
	t := table{}
	st.Head.Put(t)
	for i := range st.Stores {
		st.Stores[i].Put(t)
	}
	for i := range st.Segments {
		st.Segments[i].Put(t)
	}
	for i := range st.Ends {
		st.Ends[i].Put(t)
	}
	for i := range st.Selectors {
		st.Selectors[i].Put(t)
	}
	st.Clock.Put(t)
	for i := range st.Policies {
		st.Policies[i].Put(t)
	}
	for i := range st.Holds {
		st.Holds[i].Put(t)
	}
	for i := range st.Dropped {
		st.Dropped[i].Put(t)
	}
	for i := range st.Gone {
		st.Gone[i].Put(t)
	}
	for i := range st.Views {
		st.Views[i].Put(t)
	}
	for i := range st.ViewsOff {
		st.ViewsOff[i].Put(t)
	}
	return t
}

func TestLoadGivesWhatWasPut(t *testing.T) {
	want := sample()
	got, err := Load(put(want))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if segs := got.SegmentsOf(0); len(segs) != 2 || segs[1].Number != 11 {
		t.Errorf("segments of store 0: %+v", segs)
	}
	if segs := got.SegmentsOf(1); len(segs) != 0 {
		t.Errorf("segments of store 1: %+v", segs)
	}
}

func TestEmptyCatalogue(t *testing.T) {
	st, err := Load(table{})
	if err != nil || len(st.Stores) != 0 || st.Head != (Head{}) {
		t.Errorf("got %+v, %v", st, err)
	}
}

func TestMarks(t *testing.T) {
	tab := table{}
	m := Mark{Store: 2, Path: "/logs/2026/a.json.gz", Size: 12345, Modified: 1_700_000_000_123_456_789, Offset: 99, Stored: 4, Conflicts: 3, Duplicates: 2, Refused: 1}
	m.Put(tab)
	got, err := FindMark(tab, 2, m.Path)
	if err != nil || got == nil || *got != m {
		t.Fatalf("got %+v, %v, want %+v", got, err, m)
	}
	if got, err := FindMark(tab, 1, m.Path); got != nil || err != nil {
		t.Errorf("mark of another store: %+v, %v", got, err)
	}
	m.Done = true
	m.Put(tab)
	n := 0
	Marks(tab, func(g *Mark, err error) error {
		n++
		if err != nil || *g != m {
			t.Errorf("got %+v, %v", g, err)
		}
		return nil
	})
	if n != 1 {
		t.Errorf("%d marks, want 1", n)
	}
}

func TestEveryFlippedBitIsNoticed(t *testing.T) {
	good := put(sample())
	for key, value := range good {
		for i := range value {
			for bit := range 8 {
				value[i] ^= 1 << bit
				var corrupt *CorruptError
				if _, err := Load(good); !errors.As(err, &corrupt) {
					t.Fatalf("bit %d of byte %d of record %q: %v", bit, i, key, err)
				}
				value[i] ^= 1 << bit
			}
		}
		for n := range value {
			bad := table{}
			for k, v := range good {
				bad[k] = v
			}
			bad[key] = value[:n]
			if _, err := Load(bad); err == nil {
				t.Fatalf("record %q cut to %d bytes was taken", key, n)
			}
		}
	}
}

func TestSwappedRecordsAreNoticed(t *testing.T) {
	tab := put(sample())
	a, b := string(sample().Segments[0].key()), string(sample().Segments[1].key())
	tab[a], tab[b] = tab[b], tab[a]
	if _, err := Load(tab); err == nil {
		t.Error("swapped records were taken")
	}
}

func TestInconsistentStatesAreRefused(t *testing.T) {
	cases := map[string]func(st *State){
		"overlap":              func(st *State) { st.Segments[1].First = 65535 },
		"segment number reuse": func(st *State) { st.Segments[2].Number = 3 },
		"number from beyond":   func(st *State) { st.Segments[2].Number = 12 },
		"unknown store":        func(st *State) { st.Segments[2].Store = 1 },
		"store from beyond":    func(st *State) { st.Head.NextStore = 2 },
		"no rows":              func(st *State) { st.Segments[1].Rows = 0 },
	}
	for name, spoil := range cases {
		st := sample()
		spoil(st)
		var corrupt *CorruptError
		if _, err := Load(put(st)); !errors.As(err, &corrupt) {
			t.Errorf("%s: %v", name, err)
		}
	}
	tab := put(sample())
	tab.Delete([]byte{keyHead})
	if _, err := Load(tab); err == nil {
		t.Error("a catalogue without head was taken")
	}
}

func TestGoldenKeys(t *testing.T) {
	s := Segment{Store: 1, First: 0x0203}
	if got, want := s.key(), []byte("m\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x02\x03"); !bytes.Equal(got, want) {
		t.Errorf("segment key %q, want %q", got, want)
	}
	st := Store{Number: 0x0a0b}
	if got, want := st.key(), []byte("s\x00\x00\x0a\x0b"); !bytes.Equal(got, want) {
		t.Errorf("store key %q, want %q", got, want)
	}
	tab := table{}
	(&Head{Generation: 300, NextSegment: 2, NextStore: 1, OldestLog: 9}).Put(tab)
	if got, want := tab["h"][:6], []byte("\x01\xac\x02\x02\x01\x09"); !bytes.Equal(got, want) {
		t.Errorf("head %x, want %x", got, want)
	}
}

// TestSchemaOnce: schema 0 is told by silence alone, so that a store has one encoding.
func TestSchemaOnce(t *testing.T) {
	s := Store{Number: 4, Name: "x", Schema: 7}
	tab := table{}
	s.Put(tab)
	value := []byte(tab[string(s.key())])
	payload := value[:len(value)-checksumLen]
	var got Store
	if err := got.decode(s.key(), value); err != nil || got != s {
		t.Errorf("%+v, %v", got, err)
	}
	payload[len(payload)-1] = 0
	e := encoder{b: payload}
	if err := got.decode(s.key(), e.seal(s.key())); err == nil {
		t.Error("a store with schema 0 written out was taken")
	}
}

// FuzzRecord: what decodes encodes to the same bytes, and nothing panics.
func FuzzRecord(f *testing.F) {
	tab := put(sample())
	(&Mark{Path: "x", Done: true}).Put(tab)
	for _, p := range samplePrincipals() {
		p.Put(tab)
	}
	(&Insight{Store: 2, On: true, Types: 3, Categories: 1, Destination: 4, Sensitivity: 1, MinCalls: 10, MinDuration: 1, Lateness: 15, Changed: 9}).Put(tab)
	for k, v := range tab {
		f.Add([]byte(k), v[:len(v)-checksumLen])
	}
	f.Fuzz(func(t *testing.T, key, payload []byte) {
		e := encoder{b: append([]byte(nil), payload...)}
		value := e.seal(key)
		if len(key) == 0 {
			return
		}
		back := table{}
		switch key[0] {
		case keyHead:
			var h Head
			if h.decode(key, value) != nil {
				return
			}
			h.Put(back)
		case keyStore:
			var s Store
			if s.decode(key, value) != nil {
				return
			}
			s.Put(back)
		case keySegment:
			var s Segment
			if s.decode(key, value) != nil {
				return
			}
			s.Put(back)
		case keyMark:
			var m Mark
			if m.decode(key, value) != nil {
				return
			}
			m.Put(back)
		case keyEnd:
			var n End
			if n.decode(key, value) != nil {
				return
			}
			n.Put(back)
		case keyClock:
			var c Clock
			if c.decode(key, value) != nil {
				return
			}
			c.Put(back)
		case keyPolicy:
			var p Policy
			if p.decode(key, value) != nil {
				return
			}
			p.Put(back)
		case keyPrincipal:
			var p Principal
			if p.decode(key, value) != nil {
				return
			}
			p.Put(back)
		case keyHold:
			var h Hold
			if h.decode(key, value) != nil {
				return
			}
			h.Put(back)
		case keyDropped:
			var x Dropped
			if x.decode(key, value) != nil {
				return
			}
			x.Put(back)
		case keySelectors:
			var s Selectors
			if s.decode(key, value) != nil {
				return
			}
			s.Put(back)
		case keyInsight:
			var n Insight
			if n.decode(key, value) != nil {
				return
			}
			n.Put(back)
		case keyGone:
			var g Gone
			if g.decode(key, value) != nil {
				return
			}
			g.Put(back)
		case keyView:
			var v View
			if v.decode(key, value) != nil {
				return
			}
			v.Put(back)
		case keyViewsOff:
			var o ViewsOff
			if o.decode(key, value) != nil {
				return
			}
			o.Put(back)
		default:
			return
		}
		if !bytes.Equal(back[string(key)], value) {
			t.Errorf("record %q decoded from %x encodes to %x", key, value, back[string(key)])
		}
	})
}

func TestInsights(t *testing.T) {
	tab := table{}
	if list, err := Insights(tab); err != nil || len(list) != 0 {
		t.Fatalf("%v, %v", list, err)
	}
	want := []Insight{
		{Store: 2, On: true, Generation: 7, Types: 3, Categories: 1, Destination: 4, First: 99, Sensitivity: 1.5, MinRate: 0.25, MinCalls: 10, MinDuration: 1, Lateness: 15, Changed: -9},
		{Store: 3, Types: 1, Categories: 2},
	}
	for i := range want {
		want[i].Put(tab)
	}
	if list, err := Insights(tab); err != nil || !reflect.DeepEqual(list, want) {
		t.Fatalf("%+v, %v", list, err)
	}
	(&Insight{Store: 4, Types: 4, Categories: 1}).Put(tab)
	if _, err := Insights(tab); err == nil {
		t.Error("types that nobody knows were read")
	}
	want[0].Remove(tab)
	if len(tab) != 2 {
		t.Error("a record was not removed")
	}
}

// TestRetentionRecordsMustFit names every record of retention that contradicts the others.
func TestRetentionRecordsMustFit(t *testing.T) {
	for name, spoil := range map[string]func(*State){
		"policy of no store":     func(st *State) { st.Policies[0].Store = 1 },
		"hold of no store":       func(st *State) { st.Holds[0].Store = 1 },
		"hold not given out":     func(st *State) { st.Clock.NextHold = 7 },
		"hold ends before":       func(st *State) { st.Holds[1].To = 2 },
		"dropped of no store":    func(st *State) { st.Dropped[0].Store = 1 },
		"dropped nothing":        func(st *State) { st.Dropped[0].End = 9 },
		"dropped and there":      func(st *State) { st.Dropped[0].First = 8 },
		"dropped twice":          func(st *State) { st.Dropped = append(st.Dropped, Dropped{Store: 2, First: 299, End: 301}) },
		"selectors of no store":  func(st *State) { st.Selectors[0].Store = 1 },
		"deleted and there":      func(st *State) { st.Gone[0].Store = 2 },
		"deleted and never made": func(st *State) { st.Gone[0].Store = 3 },
	} {
		st := sample()
		spoil(st)
		var damage *CorruptError
		if _, err := Load(put(st)); !errors.As(err, &damage) {
			t.Errorf("%s: got %v, want a *CorruptError", name, err)
		}
	}
}

// TestViewsMustFit names records of views that contradict the others.
func TestViewsMustFit(t *testing.T) {
	for name, spoil := range map[string]func(*State){
		"view of no store":      func(st *State) { st.Views[0].Store = 1 },
		"views off in no store": func(st *State) { st.ViewsOff[0].Store = 1 },
	} {
		st := sample()
		spoil(st)
		var damage *CorruptError
		if _, err := Load(put(st)); !errors.As(err, &damage) {
			t.Errorf("%s: got %v, want a *CorruptError", name, err)
		}
	}
}
