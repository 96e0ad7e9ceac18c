// Package catalog is the durable control state of a lake: its stores, its
// segments, how far imported files have been read, and a head that numbers the
// changes. It turns that state into records and back; where records are kept is
// the affair of whoever gives it a [Reader] and a [Writer] (engine/lsm).
//
// # Using it
//
//	state, err := catalog.Load(db)              // at opening
//	state.Head.Generation++                     // one change
//	state.Head.Put(batch); segment.Put(batch)   // … and whatever else belongs to it
//	err = batch.Commit()                        // all or nothing, synced
//
// # Records
//
// A key is a letter and big-endian numbers, so that a scan yields the segments
// of a store in order of their sequence numbers:
//
//	h                              the head
//	s | store 4                    a store
//	m | store 4 | first 8          a segment, by its first sequence number
//	e | store 4                    where a store's log ended when the lake was closed
//	i | store 4 | hash 16          how far a file has been imported; the hash is the
//	                               start of the SHA-256 of its path
//	t                              how far time is known to have passed
//	p | store 4                    how long a store keeps its events, and where it is in
//	                               its life
//	l | store 4 | number 8         a legal hold
//	x | store 4 | first 8          a range of sequence numbers that has left a store
//	g | store 4                    a store that was deleted for good
//	n | store 4                    what is looked for in a store as unusual (insight.go)
//	v | number 4                   a view
//	w | store 4                    a store without the built-in views
//	u | name                       a principal (principal.go); the name in lower case
//	f | store 4                    which of the events offered to all stores a store takes
//	a                              what salts of unknown names are made from
//	k | ID                         an access key (object.go)
//	o | kind 1 | name              an object of the control interface (object.go)
//
// A value is a version byte (1), fields, and a checksum of 8 bytes,
// little-endian: xxhash64 of the key, then of everything before it, so that a
// record is good only under its own key. Fields are unsigned varints in shortest
// form, zigzag varints for times, and texts with a varint length before them, in
// the order of the structs below. Every value has one encoding: what decodes,
// encodes to the same bytes. Times are microseconds since 1970-01-01 UTC.
//
// Nothing here is held between calls; values may be used from any goroutine.
package catalog

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"sort"

	"github.com/cespare/xxhash/v2"
)

// Reader gives catalogue records.
type Reader interface {
	// Scan calls fn with every record whose key begins with prefix, in order of
	// the keys. key and value are valid during the call.
	Scan(prefix []byte, fn func(key, value []byte) error) error
}

// Writer takes catalogue records that become durable together.
type Writer interface {
	Set(key, value []byte)
	Delete(key []byte)
}

// Head is the state of the catalogue as a whole.
type Head struct {
	// Generation grows by one with every change. The engine writes it into its
	// log too, and so notices a catalogue that has lost changes.
	Generation uint64
	// NextSegment is a segment number that was never used, as are all above it.
	NextSegment uint64
	// NextStore is a store number that was never used, as are all above it.
	NextStore uint32
	// OldestLog is the number of the oldest log file with events that are not
	// in segments; 0 when there never was one.
	OldestLog uint64
}

// Store is one event data store.
type Store struct {
	// Number names the store in keys and in the log.
	Number uint32
	// ID is its public identity, a UUID.
	ID [16]byte
	// Name is unique without regard to case.
	Name string
	// Created is a time.
	Created int64
	// Schema is the number of its schema (package event); 0, CloudTrail events, is
	// left out of the record.
	Schema uint32
}

// Segment is one sealed run of events of a store.
type Segment struct {
	Store uint32
	// First is the sequence number of its first event, Rows their number.
	First uint64
	Rows  uint32
	// Number names its blocks. Numbers are never used again.
	Number uint64
	// MinTime and MaxTime are the smallest and largest event time in it.
	MinTime, MaxTime int64
	// RawBytes is the length of its records, StoredBytes that of its blocks,
	// of which IndexBytes are postings and filters.
	RawBytes, StoredBytes, IndexBytes uint64
	// Blocks is how many blocks it has in all.
	Blocks uint32
	// Postings says that it has postings.
	Postings bool
}

// End returns the sequence number after its last.
func (s *Segment) End() uint64 { return s.First + uint64(s.Rows) }

// End is the number of events that a store had when the lake was closed with events of
// it in the log: a log that ends before that has lost some.
type End struct {
	Store uint32
	Next  uint64
}

// Mark tells how far a file has been imported into a store.
type Mark struct {
	Store uint32
	// Path, Size in bytes and Modified (nanoseconds since 1970) are the
	// identity of the file: when size or time have changed, it is another file.
	Path     string
	Size     uint64
	Modified int64
	// Done says that it was read to its end.
	Done bool
	// Offset is how far it was read, in bytes of decompressed content.
	Offset uint64
	// What became of the records read so far.
	Stored, Conflicts, Duplicates, Refused uint64
}

// State is the catalogue without the marks.
type State struct {
	Head   Head
	Stores []Store // by number
	// Segments are in order of store and sequence numbers.
	Segments []Segment
	// Ends are by store.
	Ends []End

	// What belongs to retention: policies by store, holds by store and number, dropped
	// ranges by store and sequence number, deleted stores by number.
	Clock    Clock
	Policies []Policy
	Holds    []Hold
	Dropped  []Dropped
	Gone     []Gone

	// Selectors are by store.
	Selectors []Selectors
	// Views are those that somebody has made, by number; ViewsOff the stores without the
	// built-in ones.
	Views    []View
	ViewsOff []ViewsOff
}

// CorruptError says which record is damaged.
type CorruptError struct {
	Key    []byte
	Reason string
}

// Error names the key and the reason.
func (e *CorruptError) Error() string {
	return fmt.Sprintf("catalogue record %q is damaged: %s", e.Key, e.Reason)
}

// The first bytes of the keys; part of the format.
const (
	keyHead    = 'h'
	keyStore   = 's'
	keySegment = 'm'
	keyMark    = 'i'
	keyEnd     = 'e'

	keyPrincipal = 'u'
	keyPretence  = 'a'
	keyAccessKey = 'k'
	keyObject    = 'o'
)

const (
	version     = 1
	checksumLen = 8

	// nameMax bounds the texts in records: paths of files are the longest, and
	// no system has longer ones than 4,096 bytes but for nesting tricks.
	nameMax = 1 << 16
)

// Load reads everything but the marks. Damaged and unknown records are errors
// of type *CorruptError. A catalogue without a head is empty.
func Load(r Reader) (*State, error) {
	st := &State{}
	var heads int
	err := r.Scan([]byte{keyHead}, func(key, value []byte) error {
		heads++
		return st.Head.decode(key, value)
	})
	if err != nil {
		return nil, err
	}
	err = r.Scan([]byte{keyStore}, func(key, value []byte) error {
		var s Store
		if err := s.decode(key, value); err != nil {
			return err
		}
		st.Stores = append(st.Stores, s)
		return nil
	})
	if err != nil {
		return nil, err
	}
	err = r.Scan([]byte{keySegment}, func(key, value []byte) error {
		var s Segment
		if err := s.decode(key, value); err != nil {
			return err
		}
		st.Segments = append(st.Segments, s)
		return nil
	})
	if err != nil {
		return nil, err
	}
	err = r.Scan([]byte{keyEnd}, func(key, value []byte) error {
		var e End
		if err := e.decode(key, value); err != nil {
			return err
		}
		st.Ends = append(st.Ends, e)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if err := st.loadRetention(r); err != nil {
		return nil, err
	}
	if err := st.loadSelectors(r); err != nil {
		return nil, err
	}
	if err := st.loadViews(r); err != nil {
		return nil, err
	}
	if heads == 0 && len(st.Stores)+len(st.Segments) > 0 {
		return nil, &CorruptError{Key: []byte{keyHead}, Reason: "there are stores or segments, but no head"}
	}
	return st, st.verify()
}

// verify checks what must hold between the records.
func (st *State) verify() error {
	stores := make(map[uint32]bool, len(st.Stores))
	for i := range st.Stores {
		s := &st.Stores[i]
		stores[s.Number] = true
		if s.Number >= st.Head.NextStore {
			return &CorruptError{Key: s.key(), Reason: fmt.Sprintf("store %d is not below the next number, %d", s.Number, st.Head.NextStore)}
		}
	}
	numbers := make(map[uint64]bool, len(st.Segments))
	var next uint64
	for i := range st.Segments {
		s := &st.Segments[i]
		if i == 0 || st.Segments[i-1].Store != s.Store {
			next = 0
		}
		switch {
		case !stores[s.Store]:
			return &CorruptError{Key: s.key(), Reason: fmt.Sprintf("segment %d belongs to store %d, which does not exist", s.Number, s.Store)}
		case s.Number >= st.Head.NextSegment:
			return &CorruptError{Key: s.key(), Reason: fmt.Sprintf("segment %d is not below the next number, %d", s.Number, st.Head.NextSegment)}
		case numbers[s.Number]:
			return &CorruptError{Key: s.key(), Reason: fmt.Sprintf("segment %d is named twice", s.Number)}
		case s.Rows == 0:
			return &CorruptError{Key: s.key(), Reason: fmt.Sprintf("segment %d has no rows", s.Number)}
		case s.First < next:
			return &CorruptError{Key: s.key(), Reason: fmt.Sprintf("segment %d begins at sequence number %d, but an earlier one ends at %d", s.Number, s.First, next)}
		}
		numbers[s.Number] = true
		next = s.End()
	}
	if err := st.verifySelectors(stores); err != nil {
		return err
	}
	if err := st.verifyViews(stores); err != nil {
		return err
	}
	return st.verifyRetention(stores)
}

func (h *Head) key() []byte { return []byte{keyHead} }

// Put writes the head.
func (h *Head) Put(w Writer) {
	e := newEncoder()
	e.uint(h.Generation)
	e.uint(h.NextSegment)
	e.uint(uint64(h.NextStore))
	e.uint(h.OldestLog)
	w.Set(h.key(), e.seal(h.key()))
}

func (h *Head) decode(key, value []byte) error {
	d, err := newDecoder(key, value)
	if err != nil {
		return err
	}
	h.Generation = d.uint()
	h.NextSegment = d.uint()
	h.NextStore = d.uint32()
	h.OldestLog = d.uint()
	return d.finish(h.key())
}

func (s *Store) key() []byte {
	return binary.BigEndian.AppendUint32([]byte{keyStore}, s.Number)
}

// Put writes the store.
func (s *Store) Put(w Writer) {
	e := newEncoder()
	e.uint(uint64(s.Number))
	e.text(string(s.ID[:]))
	e.text(s.Name)
	e.int(s.Created)
	if s.Schema != 0 {
		e.uint(uint64(s.Schema))
	}
	w.Set(s.key(), e.seal(s.key()))
}

func (s *Store) decode(key, value []byte) error {
	d, err := newDecoder(key, value)
	if err != nil {
		return err
	}
	s.Number = d.uint32()
	id := d.text()
	if len(id) != len(s.ID) {
		d.fail("an ID of %d bytes instead of %d", len(id), len(s.ID))
	}
	copy(s.ID[:], id)
	s.Name = d.text()
	s.Created = d.int()
	if s.Schema = 0; len(d.b) > 0 {
		if s.Schema = d.uint32(); s.Schema == 0 && d.err == nil {
			d.fail("schema 0 is written out")
		}
	}
	return d.finish(s.key())
}

func (n *End) key() []byte {
	return binary.BigEndian.AppendUint32([]byte{keyEnd}, n.Store)
}

// Put writes the end.
func (n *End) Put(w Writer) {
	e := newEncoder()
	e.uint(uint64(n.Store))
	e.uint(n.Next)
	w.Set(n.key(), e.seal(n.key()))
}

func (n *End) decode(key, value []byte) error {
	d, err := newDecoder(key, value)
	if err != nil {
		return err
	}
	n.Store = d.uint32()
	n.Next = d.uint()
	return d.finish(n.key())
}

func (s *Segment) key() []byte {
	k := binary.BigEndian.AppendUint32([]byte{keySegment}, s.Store)
	return binary.BigEndian.AppendUint64(k, s.First)
}

// Put writes the segment.
func (s *Segment) Put(w Writer) {
	e := newEncoder()
	e.uint(uint64(s.Store))
	e.uint(s.First)
	e.uint(uint64(s.Rows))
	e.uint(s.Number)
	e.int(s.MinTime)
	e.int(s.MaxTime)
	e.uint(s.RawBytes)
	e.uint(s.StoredBytes)
	e.uint(s.IndexBytes)
	e.uint(uint64(s.Blocks))
	e.bool(s.Postings)
	w.Set(s.key(), e.seal(s.key()))
}

// Remove deletes the segment's record.
func (s *Segment) Remove(w Writer) { w.Delete(s.key()) }

func (s *Segment) decode(key, value []byte) error {
	d, err := newDecoder(key, value)
	if err != nil {
		return err
	}
	s.Store = d.uint32()
	s.First = d.uint()
	s.Rows = d.uint32()
	s.Number = d.uint()
	s.MinTime = d.int()
	s.MaxTime = d.int()
	s.RawBytes = d.uint()
	s.StoredBytes = d.uint()
	s.IndexBytes = d.uint()
	s.Blocks = d.uint32()
	s.Postings = d.bool()
	if s.First > ^uint64(0)-uint64(s.Rows) {
		d.fail("sequence numbers from %d on overflow", s.First)
	}
	return d.finish(s.key())
}

func markKey(store uint32, path string) []byte {
	k := binary.BigEndian.AppendUint32([]byte{keyMark}, store)
	sum := sha256.Sum256([]byte(path))
	return append(k, sum[:16]...)
}

// Put writes the mark.
func (m *Mark) Put(w Writer) {
	key := markKey(m.Store, m.Path)
	e := newEncoder()
	e.uint(uint64(m.Store))
	e.text(m.Path)
	e.uint(m.Size)
	e.int(m.Modified)
	e.bool(m.Done)
	e.uint(m.Offset)
	e.uint(m.Stored)
	e.uint(m.Conflicts)
	e.uint(m.Duplicates)
	e.uint(m.Refused)
	w.Set(key, e.seal(key))
}

func (m *Mark) decode(key, value []byte) error {
	d, err := newDecoder(key, value)
	if err != nil {
		return err
	}
	m.Store = d.uint32()
	m.Path = d.text()
	m.Size = d.uint()
	m.Modified = d.int()
	m.Done = d.bool()
	m.Offset = d.uint()
	m.Stored = d.uint()
	m.Conflicts = d.uint()
	m.Duplicates = d.uint()
	m.Refused = d.uint()
	return d.finish(markKey(m.Store, m.Path))
}

// FindMark returns the mark of a path, nil when it has none.
func FindMark(r Reader, store uint32, path string) (*Mark, error) {
	var found *Mark
	err := r.Scan(markKey(store, path), func(key, value []byte) error {
		m := &Mark{}
		if err := m.decode(key, value); err != nil {
			return err
		}
		found = m
		return nil
	})
	return found, err
}

// Marks calls fn with every mark. Damaged ones are given as their error.
func Marks(r Reader, fn func(m *Mark, err error) error) error {
	return r.Scan([]byte{keyMark}, func(key, value []byte) error {
		m := &Mark{}
		err := m.decode(key, value)
		return fn(m, err)
	})
}

// SegmentsOf returns the segments of a store, in order.
func (st *State) SegmentsOf(store uint32) []Segment {
	from := sort.Search(len(st.Segments), func(i int) bool { return st.Segments[i].Store >= store })
	to := sort.Search(len(st.Segments), func(i int) bool { return st.Segments[i].Store > store })
	return st.Segments[from:to]
}

// encoder builds a value.
type encoder struct{ b []byte }

func newEncoder() *encoder       { return &encoder{b: []byte{version}} }
func (e *encoder) uint(v uint64) { e.b = binary.AppendUvarint(e.b, v) }
func (e *encoder) int(v int64)   { e.b = binary.AppendVarint(e.b, v) }
func (e *encoder) text(s string) { e.uint(uint64(len(s))); e.b = append(e.b, s...) }
func (e *encoder) bool(v bool) {
	if v {
		e.uint(1)
	} else {
		e.uint(0)
	}
}

func (e *encoder) seal(key []byte) []byte {
	return binary.LittleEndian.AppendUint64(e.b, checksum(key, e.b))
}

func checksum(key, payload []byte) uint64 {
	h := xxhash.New()
	h.Write(key)
	h.Write(payload)
	return h.Sum64()
}

// decoder takes a value apart; the first fault is kept and all later fields are
// zero.
type decoder struct {
	key []byte
	b   []byte
	err error
}

func newDecoder(key, value []byte) (*decoder, error) {
	if len(value) < 1+checksumLen {
		return nil, &CorruptError{Key: clone(key), Reason: fmt.Sprintf("%d bytes are too few", len(value))}
	}
	payload := value[:len(value)-checksumLen]
	want := binary.LittleEndian.Uint64(value[len(payload):])
	if got := checksum(key, payload); got != want {
		return nil, &CorruptError{Key: clone(key), Reason: fmt.Sprintf("checksum is %016x, should be %016x", want, got)}
	}
	if payload[0] != version {
		return nil, &CorruptError{Key: clone(key), Reason: fmt.Sprintf("version %d is not known (this program writes %d)", payload[0], version)}
	}
	return &decoder{key: clone(key), b: payload[1:]}, nil
}

func clone(b []byte) []byte { return append([]byte(nil), b...) }

func (d *decoder) fail(format string, args ...any) {
	if d.err == nil {
		d.err = &CorruptError{Key: d.key, Reason: fmt.Sprintf(format, args...)}
	}
	d.b = nil
}

var errVarint = errors.New("number is cut off or not in shortest form")

func (d *decoder) uint() uint64 {
	if d.err != nil {
		return 0
	}
	v, n := binary.Uvarint(d.b)
	if n <= 0 || (n > 1 && d.b[n-1] == 0) {
		d.fail("%v", errVarint)
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) uint32() uint32 {
	v := d.uint()
	if v > 1<<32-1 {
		d.fail("number %d is above 32 bits", v)
	}
	return uint32(v)
}

func (d *decoder) int() int64 {
	v := d.uint()
	return int64(v>>1) ^ -int64(v&1)
}

func (d *decoder) bool() bool {
	v := d.uint()
	if v > 1 {
		d.fail("%d is neither 0 nor 1", v)
	}
	return v == 1
}

func (d *decoder) text() string {
	n := d.uint()
	if n > nameMax || n > uint64(len(d.b)) {
		d.fail("text of %d bytes in %d", n, len(d.b))
		return ""
	}
	s := string(d.b[:n])
	d.b = d.b[n:]
	return s
}

// finish checks that nothing is left and that the record lies under its own key.
func (d *decoder) finish(key []byte) error {
	if d.err == nil && len(d.b) > 0 {
		d.fail("%d bytes are left over", len(d.b))
	}
	if d.err == nil && string(key) != string(d.key) {
		d.fail("it belongs under key %q", key)
	}
	return d.err
}
