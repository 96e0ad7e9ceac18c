// Package memtable holds the events of a store that are in the log but not yet
// in a segment. They can be found and searched from the moment they are
// acknowledged, by the same code that reads sealed segments.
//
// # Using it
//
// One owner appends to a [Table]; anybody takes a [View] of it, which is what
// it held at that moment and stays so:
//
//	t := memtable.New(first, cache)
//	t.Append(rows)
//	v := t.View()
//	for _, chunk := range chunks { // from v.Chunks(ctx)
//		chunk.Reader.Text(…) // row 0 of it is event v.First()+chunk.From
//	}
//
// # Chunks
//
// A query needs columns, an append must not pay for them. So rows are kept as
// they arrived, and turned into segments in memory ("chunks") when a query first
// asks for them. Chunks are cut like a binary counter: at row counts that are
// powers of two, aligned to their size, from chunkMin to chunkMax rows; only the
// rest behind the last whole chunk is rebuilt when it has grown. A row is
// therefore shredded at most eight times however often a growing table is
// queried, and no query has to shred more than its table holds.
//
//	rows 0            4096       6144   7168 7424 … 7490
//	     |    4096     |   2048   | 1024 | 256 | …  rest |
//
// A chunk that a larger one has replaced lives on in the views that have it. Who
// looks for events by their IDs finds their positions by [View.With], and asks for
// the chunks with these alone.
//
// # Duplicates
//
// A table knows the identity of each of its events (event.Identity) and the hash
// of each record, and so tells duplicates from conflicts by [View.Find].
//
// # Concurrency
//
// Append belongs to one goroutine at a time; everything else may be called from
// many, also during an Append.
package memtable

import (
	"context"
	"fmt"
	"sync"

	"github.com/cairndb/cairn/engine/event"
	"github.com/cairndb/cairn/segment"
)

const (
	// chunkMin is the smallest chunk that is kept when the table grows: below
	// it, building anew costs less than a hundred microseconds or so.
	chunkMin = 32

	// chunkMax is one block of rows: building a larger one would make some query
	// wait for it, and reading in blocks gains nothing more.
	chunkMax = segment.BlockRows
)

// Row is one event.
type Row struct {
	// Raw is the record. The table keeps it; it must not change.
	Raw []byte
	// Time is the event time in microseconds since 1970-01-01 UTC.
	Time int64
	// ID is the event's identity and Leaf the hash of Raw.
	ID   event.Identity
	Leaf [32]byte
}

// Table is a run of events with dense sequence numbers.
type Table struct {
	first uint64
	cache *segment.Cache

	mu   sync.RWMutex
	rows []Row // grows at the end only
	// ids has the last row of each identity; older has, for every row, the row
	// before it with the same identity, or -1.
	ids          map[event.Identity]int32
	older        []int32
	bytes        int64
	minTime, max int64

	chunks struct {
		sync.Mutex
		kept map[span]*Chunk
	}
}

type span struct{ from, to int }

// New returns an empty table whose first event will have sequence number first.
// cache holds the decoded parts of its chunks.
func New(first uint64, cache *segment.Cache) *Table {
	t := &Table{first: first, cache: cache, ids: make(map[event.Identity]int32)}
	t.chunks.kept = make(map[span]*Chunk)
	return t
}

// First returns the sequence number of the first event.
func (t *Table) First() uint64 { return t.first }

// Append adds events at the end.
func (t *Table) Append(rows []Row) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range rows {
		r := &rows[i]
		n := int32(len(t.rows))
		before, ok := t.ids[r.ID]
		if !ok {
			before = -1
		}
		t.ids[r.ID] = n
		t.older = append(t.older, before)
		if n == 0 {
			t.minTime, t.max = r.Time, r.Time
		}
		t.minTime, t.max = min(t.minTime, r.Time), max(t.max, r.Time)
		t.bytes += int64(len(r.Raw))
		t.rows = append(t.rows, *r)
	}
}

// Len returns the number of events, Bytes the length of their records.
func (t *Table) Len() int { t.mu.RLock(); defer t.mu.RUnlock(); return len(t.rows) }

// Bytes returns the length of all records.
func (t *Table) Bytes() int64 { t.mu.RLock(); defer t.mu.RUnlock(); return t.bytes }

// View returns what the table holds now.
func (t *Table) View() *View {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return &View{t: t, rows: t.rows, bytes: t.bytes, minTime: t.minTime, maxTime: t.max}
}

// View is an unchanging prefix of a table.
type View struct {
	t                *Table
	rows             []Row
	bytes            int64
	minTime, maxTime int64
}

// First returns the sequence number of the first event.
func (v *View) First() uint64 { return v.t.first }

// Rows returns the events; read-only.
func (v *View) Rows() []Row { return v.rows }

// Bytes returns the length of all records.
func (v *View) Bytes() int64 { return v.bytes }

// Times returns the smallest and largest event time, which say nothing when the
// view is empty.
func (v *View) Times() (min, max int64) { return v.minTime, v.maxTime }

// Find looks for an event with this identity. same says that its record is the
// one with this hash, and seq is then its sequence number; otherwise seq is that
// of some event with the identity.
func (v *View) Find(id event.Identity, leaf *[32]byte) (seq uint64, same, found bool) {
	t := v.t
	t.mu.RLock()
	defer t.mu.RUnlock()
	at, ok := t.ids[id]
	if !ok {
		return 0, false, false
	}
	for i := at; i >= 0; i = t.older[i] {
		if int(i) >= len(v.rows) {
			continue
		}
		seq, found = t.first+uint64(i), true
		if t.rows[i].Leaf == *leaf {
			return seq, true, true
		}
	}
	return seq, false, found
}

// Chunk is a run of rows as a segment in memory.
type Chunk struct {
	// From is the position of its first row in the table, To that after its last.
	From, To int
	// MinTime and MaxTime are the smallest and largest event time.
	MinTime, MaxTime int64
	Reader           *segment.Reader
	// Derived keeps in the cache what others derive from the chunk.
	Derived *segment.Owner
}

// close gives back what the cache holds for the chunk. Whoever has the chunk may still
// use it.
func (c *Chunk) close() {
	c.Reader.Close()
	c.Derived.Drop()
}

// With appends to dst the positions of the events with this identity, in
// descending order.
func (v *View) With(id event.Identity, dst []int) []int {
	t := v.t
	t.mu.RLock()
	defer t.mu.RUnlock()
	at, ok := t.ids[id]
	if !ok {
		return dst
	}
	for i := at; i >= 0; i = t.older[i] {
		if int(i) < len(v.rows) {
			dst = append(dst, int(i))
		}
	}
	return dst
}

// Chunks returns the rows of the view as chunks in order, building those that
// do not exist yet.
func (v *View) Chunks(ctx context.Context) ([]*Chunk, error) {
	return v.ChunksOf(ctx, func(from, to int) bool { return true })
}

// ChunksOf is Chunks without the chunks of rows that nobody wants, which need not
// be built: wanted is asked for each with the positions of its first row and after its last.
func (v *View) ChunksOf(ctx context.Context, wanted func(from, to int) bool) ([]*Chunk, error) {
	t := v.t
	t.chunks.Lock()
	defer t.chunks.Unlock()
	var out []*Chunk
	for from, to := 0, 0; from < len(v.rows); from = to {
		size := chunkMax
		for size > chunkMin && from+size > len(v.rows) {
			size /= 2
		}
		to = min(from+size, len(v.rows))
		if !wanted(from, to) {
			continue
		}
		c := t.chunks.kept[span{from, to}]
		if c == nil {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			var err error
			if c, err = v.build(ctx, from, to); err != nil {
				return nil, err
			}
			t.replace(c)
		}
		out = append(out, c)
	}
	return out, nil
}

// replace keeps a chunk and forgets those inside it. The lock of chunks is held.
func (t *Table) replace(c *Chunk) {
	for s, old := range t.chunks.kept {
		if s.from >= c.From && s.to <= c.To {
			old.close()
			delete(t.chunks.kept, s)
		}
	}
	t.chunks.kept[span{c.From, c.To}] = c
}

// Release gives back what the cache holds for the table's chunks. Views remain
// usable.
func (t *Table) Release() {
	t.chunks.Lock()
	defer t.chunks.Unlock()
	for s, c := range t.chunks.kept {
		c.close()
		delete(t.chunks.kept, s)
	}
}

// builders keeps builders of chunks: each has buffers worth keeping.
var builders = sync.Pool{New: func() any { return segment.NewBuilder(Shred) }}

// Shred are the builder's options for all segments of a lake: the caps of
// package event, which has accepted every record, so that none is refused by
// the builder.
var Shred = segment.Options{
	Watch:          event.WatchPaths(),
	Predict:        1 + int(event.WatchName),
	MaxDepth:       event.MaxDepth,
	MaxRecordBytes: event.MaxRecordBytes,
}

func (v *View) build(ctx context.Context, from, to int) (*Chunk, error) {
	b := builders.Get().(*segment.Builder)
	defer func() {
		b.Reset()
		builders.Put(b)
	}()
	c := &Chunk{From: from, To: to, MinTime: v.rows[from].Time, MaxTime: v.rows[from].Time, Derived: v.t.cache.NewOwner()}
	for i := from; i < to; i++ {
		r := &v.rows[i]
		if _, err := b.Add(r.Raw); err != nil {
			return nil, fmt.Errorf("shredding event %d in memory: %w", v.t.first+uint64(i), err)
		}
		c.MinTime, c.MaxTime = min(c.MinTime, r.Time), max(c.MaxTime, r.Time)
	}
	enc, err := b.Finish()
	if err != nil {
		return nil, fmt.Errorf("encoding events in memory: %w", err)
	}
	c.Reader, err = OpenEncoded(ctx, enc, segment.ReadOptions{
		Cache: v.t.cache,
		Name:  fmt.Sprintf("events %d to %d in memory", v.t.first+uint64(from), v.t.first+uint64(to)-1),
	})
	return c, err
}

// blocks is a segment's blocks in memory.
type blocks [][]byte

// Block implements segment.BlockSource.
func (b blocks) Block(_ context.Context, id uint32) (data []byte, release func(), err error) {
	if int(id) >= len(b) {
		return nil, func() {}, fmt.Errorf("there is no block %d", id)
	}
	return b[id], func() {}, nil
}

// OpenEncoded copies a finished segment and opens the copy.
func OpenEncoded(ctx context.Context, enc *segment.Encoded, o segment.ReadOptions) (*segment.Reader, error) {
	src := make(blocks, enc.Blocks())
	all := make([]byte, 0, enc.StoredBytes())
	for i := range src {
		n := len(all)
		all = append(all, enc.Block(i)...)
		src[i] = all[n:len(all):len(all)]
	}
	return segment.Open(ctx, src, o)
}
