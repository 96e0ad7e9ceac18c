package engine

import (
	"fmt"

	"github.com/cairndb/cairn/engine/catalog"
	"github.com/cairndb/cairn/engine/event"
	"github.com/cairndb/cairn/engine/lsm"
	"github.com/cairndb/cairn/engine/memtable"
	"github.com/cairndb/cairn/engine/proof"
	"github.com/cairndb/cairn/segment"
)

// shredder fills one segment and keeps, per row, what the engine needs to know
// beside the columns. It is reusable and belongs to one goroutine.
type shredder struct {
	b      *segment.Builder
	enc    *segment.Encoded // once it is finished
	ids    []event.Identity
	leaves proof.LeafHasher
	times  []int64
	ev     event.Event
	fields event.Fields
	schema *event.Table
}

// newShredder returns an empty shredder; add refuses what is not of the schema, nil
// for records that are in the store already.
func newShredder(schema *event.Table) *shredder {
	return &shredder{b: segment.NewBuilder(memtable.Shred), schema: schema}
}

func (s *shredder) reset() {
	s.b.Reset()
	s.enc = nil
	s.ids, s.times = s.ids[:0], s.times[:0]
	s.leaves.Reset()
}

func (s *shredder) rows() int { return s.b.Rows() }

// put takes a record that was parsed before.
func (s *shredder) put(row *memtable.Row) error {
	if _, err := s.b.Add(row.Raw); err != nil {
		return err
	}
	s.ids = append(s.ids, row.ID)
	s.leaves.AddHash(row.Leaf)
	s.times = append(s.times, row.Time)
	return nil
}

// add takes the record that begins at buf[0], which is scanned here for the
// first time, and returns its length. A record that is no event is taken back
// and its *event.Refusal returned; n is then its length, or 0 when that is
// unknown. Any other error is that of the builder.
func (s *shredder) add(buf []byte) (n int, err error) {
	n, err = s.b.Add(buf)
	if err != nil {
		return 0, err
	}
	for i := range s.fields {
		s.fields[i] = watched(buf, s.b, i)
	}
	err = event.Check(&s.fields, &s.ev)
	if err == nil && s.schema != nil {
		err = s.schema.Check(&s.ev)
	}
	if err != nil {
		s.b.Undo()
		return n, err
	}
	var leaf [32]byte
	if s.ev.ID == nil { // the hash is the identity
		leaf = event.LeafHash(buf[:n])
		s.leaves.AddHash(leaf)
	} else {
		s.leaves.Add(buf[:n])
	}
	s.ids = append(s.ids, s.ev.Identity(&leaf))
	s.times = append(s.times, s.ev.Time)
	return n, nil
}

// undo takes back the row added last.
func (s *shredder) undo() {
	s.b.Undo()
	n := len(s.ids) - 1
	s.ids, s.times = s.ids[:n], s.times[:n]
	s.leaves.Undo()
}

// Stand-ins for values whose text does not matter to package event.
var (
	jsonNull   = []byte("null")
	jsonObject = []byte("{")
	jsonArray  = []byte("[")
)

// watched returns the raw JSON text of a watched member as package event wants
// it: a string with its quotes, which stand around what the builder gives.
func watched(buf []byte, b *segment.Builder, i int) []byte {
	raw, kind := b.Last(i)
	switch kind {
	case segment.String:
		// raw is a part of buf and ends as far before the end of the memory as its
		// place in buf tells.
		from := cap(buf) - cap(raw)
		return buf[from-1 : from+len(raw)+1]
	case segment.Null:
		return jsonNull
	case segment.Object:
		return jsonObject
	case segment.Array:
		return jsonArray
	case segment.None:
		return nil
	}
	return raw
}

// built is an encoded segment with its indexes, not yet written.
type built struct {
	blocks []lsm.Block
	cat    catalog.Segment // without store, first number and segment number
}

// encode encodes the rows as a segment, once.
func (s *shredder) encode() (*segment.Encoded, error) {
	if s.enc == nil {
		enc, err := s.b.Finish()
		if err != nil {
			return nil, fmt.Errorf("encoding a segment: %w", err)
		}
		s.enc = enc
	}
	return s.enc, nil
}

// finish encodes the rows. What it returns is valid until the next reset.
func (s *shredder) finish(postings bool) (*built, error) {
	enc, err := s.encode()
	if err != nil {
		return nil, err
	}
	out := &built{blocks: make([]lsm.Block, 0, enc.Blocks()+64)}
	c := &out.cat
	for id := range enc.Blocks() {
		out.blocks = append(out.blocks, lsm.Block{Kind: blockPage, ID: uint32(id), Data: enc.Block(id)})
	}
	index, err := buildIndex(enc, s.ids, postings)
	if err != nil {
		return nil, fmt.Errorf("indexing a segment: %w", err)
	}
	out.blocks = append(out.blocks, index...)
	for _, b := range out.blocks {
		c.StoredBytes += uint64(len(b.Data))
	}
	for _, b := range index {
		c.IndexBytes += uint64(len(b.Data))
	}
	c.Rows = uint32(enc.Rows())
	c.RawBytes = uint64(enc.RawBytes())
	c.Blocks = uint32(len(out.blocks))
	c.Postings = postings
	c.MinTime, c.MaxTime = s.times[0], s.times[0]
	for _, t := range s.times {
		c.MinTime, c.MaxTime = min(c.MinTime, t), max(c.MaxTime, t)
	}
	return out, nil
}
