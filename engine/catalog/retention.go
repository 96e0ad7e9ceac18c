package catalog

import (
	"encoding/binary"
	"fmt"
)

// The records of retention. What the numbers mean is told by engine/retention.

// Clock is how far time is known to have passed.
type Clock struct {
	// Floor and Strict are times that never decrease.
	Floor, Strict int64
	// NextHold is a hold number that was never used, as are all above it.
	NextHold uint64
}

// Policy is what has been decided about how long a store keeps its events. A store
// without one keeps them for ever.
type Policy struct {
	Store     uint32
	Kind      uint32
	Days      uint32
	Mode      uint32
	Protected bool
	State     uint32
	Before    uint32
	Gone      int64
}

// Hold is a legal hold on the events of a store between two times, both inclusive.
type Hold struct {
	Store    uint32
	Number   uint64
	From, To int64
	Reason   string
	By       string
	At       int64
}

// Dropped is a range of sequence numbers whose events have left the store.
type Dropped struct {
	Store uint32
	// First and End are the sequence numbers, End exclusive.
	First, End uint64
	// Segments is how many there were, RawBytes the length of their records, StoredBytes
	// what they took.
	Segments, RawBytes, StoredBytes uint64
	// MinTime and MaxTime are the smallest and largest event time.
	MinTime, MaxTime int64
	// At is when the last of them were dropped.
	At int64
}

// Gone is a store that was deleted for good.
type Gone struct {
	Store uint32
	ID    [16]byte
	Name  string
	// Events is how many sequence numbers it had given out, StoredBytes what it took.
	Events, StoredBytes uint64
	At                  int64
}

const (
	keyClock   = 't'
	keyPolicy  = 'p'
	keyHold    = 'l'
	keyDropped = 'x'
	keyGone    = 'g'
)

// loadRetention reads the records of retention.
func (st *State) loadRetention(r Reader) error {
	err := r.Scan([]byte{keyClock}, func(key, value []byte) error { return st.Clock.decode(key, value) })
	if err != nil {
		return err
	}
	err = r.Scan([]byte{keyPolicy}, func(key, value []byte) error {
		st.Policies = append(st.Policies, Policy{})
		return st.Policies[len(st.Policies)-1].decode(key, value)
	})
	if err != nil {
		return err
	}
	err = r.Scan([]byte{keyHold}, func(key, value []byte) error {
		st.Holds = append(st.Holds, Hold{})
		return st.Holds[len(st.Holds)-1].decode(key, value)
	})
	if err != nil {
		return err
	}
	err = r.Scan([]byte{keyDropped}, func(key, value []byte) error {
		st.Dropped = append(st.Dropped, Dropped{})
		return st.Dropped[len(st.Dropped)-1].decode(key, value)
	})
	if err != nil {
		return err
	}
	return r.Scan([]byte{keyGone}, func(key, value []byte) error {
		st.Gone = append(st.Gone, Gone{})
		return st.Gone[len(st.Gone)-1].decode(key, value)
	})
}

// verifyRetention checks what must hold between these records and the others.
func (st *State) verifyRetention(stores map[uint32]bool) error {
	absent := func(key []byte, what string, store uint32) error {
		return &CorruptError{Key: key, Reason: fmt.Sprintf("%s is of store %d, which does not exist", what, store)}
	}
	for i := range st.Policies {
		if p := &st.Policies[i]; !stores[p.Store] {
			return absent(p.key(), "a policy", p.Store)
		}
	}
	for i := range st.Holds {
		h := &st.Holds[i]
		switch {
		case !stores[h.Store]:
			return absent(h.key(), "a hold", h.Store)
		case h.Number >= st.Clock.NextHold:
			return &CorruptError{Key: h.key(), Reason: fmt.Sprintf("hold %d is not below the next number, %d", h.Number, st.Clock.NextHold)}
		case h.From > h.To:
			return &CorruptError{Key: h.key(), Reason: fmt.Sprintf("hold %d begins after it ends", h.Number)}
		}
	}
	for i := range st.Gone {
		g := &st.Gone[i]
		if stores[g.Store] || g.Store >= st.Head.NextStore {
			return &CorruptError{Key: g.key(), Reason: fmt.Sprintf("store %d was deleted and exists, or never existed", g.Store)}
		}
	}
	for i := range st.Dropped {
		d := &st.Dropped[i]
		if !stores[d.Store] {
			return absent(d.key(), "a dropped range", d.Store)
		}
		if d.First >= d.End {
			return &CorruptError{Key: d.key(), Reason: fmt.Sprintf("the dropped events %d to below %d are none", d.First, d.End)}
		}
		if i > 0 && st.Dropped[i-1].Store == d.Store && st.Dropped[i-1].End > d.First {
			return &CorruptError{Key: d.key(), Reason: fmt.Sprintf("the dropped events from %d on are named twice", d.First)}
		}
		segments := st.SegmentsOf(d.Store)
		for len(segments) > 0 && segments[0].End() <= d.First {
			segments = segments[1:]
		}
		if len(segments) > 0 && segments[0].First < d.End {
			return &CorruptError{Key: d.key(), Reason: fmt.Sprintf("the events %d to %d were dropped, but segment %d has some of them", d.First, d.End-1, segments[0].Number)}
		}
	}
	return nil
}

// DroppedOf returns the ranges that have left a store, in order.
func (st *State) DroppedOf(store uint32) []Dropped {
	var out []Dropped
	for _, d := range st.Dropped {
		if d.Store == store {
			out = append(out, d)
		}
	}
	return out
}

func (c *Clock) key() []byte { return []byte{keyClock} }

// Put writes the clock.
func (c *Clock) Put(w Writer) {
	e := newEncoder()
	e.int(c.Floor)
	e.int(c.Strict)
	e.uint(c.NextHold)
	w.Set(c.key(), e.seal(c.key()))
}

func (c *Clock) decode(key, value []byte) error {
	d, err := newDecoder(key, value)
	if err != nil {
		return err
	}
	c.Floor = d.int()
	c.Strict = d.int()
	c.NextHold = d.uint()
	return d.finish(c.key())
}

func storeKey(kind byte, store uint32) []byte {
	return binary.BigEndian.AppendUint32([]byte{kind}, store)
}

func (p *Policy) key() []byte { return storeKey(keyPolicy, p.Store) }

// Put writes the policy.
func (p *Policy) Put(w Writer) {
	e := newEncoder()
	e.uint(uint64(p.Store))
	e.uint(uint64(p.Kind))
	e.uint(uint64(p.Days))
	e.uint(uint64(p.Mode))
	e.bool(p.Protected)
	e.uint(uint64(p.State))
	e.uint(uint64(p.Before))
	e.int(p.Gone)
	w.Set(p.key(), e.seal(p.key()))
}

// Remove deletes the record.
func (p *Policy) Remove(w Writer) { w.Delete(p.key()) }

func (p *Policy) decode(key, value []byte) error {
	d, err := newDecoder(key, value)
	if err != nil {
		return err
	}
	p.Store = d.uint32()
	p.Kind = d.uint32()
	p.Days = d.uint32()
	p.Mode = d.uint32()
	p.Protected = d.bool()
	p.State = d.uint32()
	p.Before = d.uint32()
	p.Gone = d.int()
	return d.finish(p.key())
}

func (h *Hold) key() []byte {
	return binary.BigEndian.AppendUint64(storeKey(keyHold, h.Store), h.Number)
}

// Put writes the hold.
func (h *Hold) Put(w Writer) {
	e := newEncoder()
	e.uint(uint64(h.Store))
	e.uint(h.Number)
	e.int(h.From)
	e.int(h.To)
	e.text(h.Reason)
	e.text(h.By)
	e.int(h.At)
	w.Set(h.key(), e.seal(h.key()))
}

// Remove deletes the record.
func (h *Hold) Remove(w Writer) { w.Delete(h.key()) }

func (h *Hold) decode(key, value []byte) error {
	d, err := newDecoder(key, value)
	if err != nil {
		return err
	}
	h.Store = d.uint32()
	h.Number = d.uint()
	h.From = d.int()
	h.To = d.int()
	h.Reason = d.text()
	h.By = d.text()
	h.At = d.int()
	return d.finish(h.key())
}

func (x *Dropped) key() []byte {
	return binary.BigEndian.AppendUint64(storeKey(keyDropped, x.Store), x.First)
}

// Put writes the range.
func (x *Dropped) Put(w Writer) {
	e := newEncoder()
	e.uint(uint64(x.Store))
	e.uint(x.First)
	e.uint(x.End)
	e.uint(x.Segments)
	e.uint(x.RawBytes)
	e.uint(x.StoredBytes)
	e.int(x.MinTime)
	e.int(x.MaxTime)
	e.int(x.At)
	w.Set(x.key(), e.seal(x.key()))
}

// Remove deletes the record.
func (x *Dropped) Remove(w Writer) { w.Delete(x.key()) }

func (x *Dropped) decode(key, value []byte) error {
	d, err := newDecoder(key, value)
	if err != nil {
		return err
	}
	x.Store = d.uint32()
	x.First = d.uint()
	x.End = d.uint()
	x.Segments = d.uint()
	x.RawBytes = d.uint()
	x.StoredBytes = d.uint()
	x.MinTime = d.int()
	x.MaxTime = d.int()
	x.At = d.int()
	return d.finish(x.key())
}

func (g *Gone) key() []byte { return storeKey(keyGone, g.Store) }

// Put writes what is left of a store.
func (g *Gone) Put(w Writer) {
	e := newEncoder()
	e.uint(uint64(g.Store))
	e.text(string(g.ID[:]))
	e.text(g.Name)
	e.uint(g.Events)
	e.uint(g.StoredBytes)
	e.int(g.At)
	w.Set(g.key(), e.seal(g.key()))
}

func (g *Gone) decode(key, value []byte) error {
	d, err := newDecoder(key, value)
	if err != nil {
		return err
	}
	g.Store = d.uint32()
	id := d.text()
	if len(id) != len(g.ID) {
		d.fail("an ID of %d bytes instead of %d", len(id), len(g.ID))
	}
	copy(g.ID[:], id)
	g.Name = d.text()
	g.Events = d.uint()
	g.StoredBytes = d.uint()
	g.At = d.int()
	return d.finish(g.key())
}

// Remove deletes the store's record.
func (s *Store) Remove(w Writer) { w.Delete(s.key()) }

// Remove deletes the record.
func (n *End) Remove(w Writer) { w.Delete(n.key()) }

// Remove deletes the mark.
func (m *Mark) Remove(w Writer) { w.Delete(markKey(m.Store, m.Path)) }

// MarksOf calls fn with every mark of a store.
func MarksOf(r Reader, store uint32, fn func(m *Mark) error) error {
	return r.Scan(storeKey(keyMark, store), func(key, value []byte) error {
		m := &Mark{}
		if err := m.decode(key, value); err != nil {
			return err
		}
		return fn(m)
	})
}
