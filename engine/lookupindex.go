package engine

import (
	"context"
	"fmt"
	"slices"
	"sort"

	"github.com/cairndb/cairn/engine/event"
	"github.com/cairndb/cairn/index"
	"github.com/cairndb/cairn/segment"
	"github.com/cairndb/cairn/segment/column"
)

// What a lookup needs of a unit, a segment or a chunk of a memtable, beside its columns: its rows from the
// newest to the oldest, and for each attribute that is asked for which of them have which
// value. Both are made when they are first needed, and kept in the cache.
//
// A row's place in the order of time is its rank. Of an attribute the 32-bit hashes of its
// values are kept, ascending, each with the ranks of the rows that have it, ascending: newest
// first. So the events with a value before a moment are found by two binary searches, and
// several conditions are intersected rank by rank. A hash can be that of two values:
// records decide.

// lookupAttribute is something that events can be looked up by.
type lookupAttribute uint8

// The attributes; the first are those of the LookupEvents operation. The numbers are those of
// entries in the cache.
const (
	byEventID lookupAttribute = iota + 1
	byEventName
	byEventSource
	byReadOnly
	byUsername
	byResourceType
	byResourceName
	byAccessKey
	byCategory
	byRegion
	byAccount
)

// timeOrderEntry is the number of the order of time in the cache; filterEntry is added to that of an
// attribute for the filter of its values.
const (
	timeOrderEntry = 0
	filterEntry    = 1 << 8
)

// attributeNames are what requests call them.
var attributeNames = map[string]lookupAttribute{
	"eventid": byEventID, "eventname": byEventName, "eventsource": byEventSource, "readonly": byReadOnly,
	"username": byUsername, "resourcetype": byResourceType, "resourcename": byResourceName, "accesskeyid": byAccessKey,
}

// places are where the values of an attribute stand; nil for those that are derived.
func (a lookupAttribute) places() [][]string {
	switch a {
	case byEventID:
		return event.IDPlaces
	case byEventName:
		return event.NamePlaces
	case byEventSource:
		return event.SourcePlaces
	case byReadOnly:
		return event.ReadOnlyPlaces
	case byAccessKey:
		return event.AccessKeyPlaces
	case byRegion:
		return event.RegionPlaces
	case byAccount:
		return event.AccountPlaces
	}
	return nil
}

// has reports whether a record has a value of an attribute.
func (a lookupAttribute) has(record []byte, value string) bool {
	switch a {
	case byUsername:
		return event.UsernameOf(record) == value
	case byCategory:
		var t [len(event.CategoryPlaces)]string
		for i := range t {
			t[i] = event.TextOf(record, event.CategoryPlaces[i])
		}
		return event.CategoryOf(t[0], t[1], t[2]).String() == value
	case byResourceType, byResourceName:
		for _, r := range event.ResourcesOf(record, nil) {
			if a == byResourceType && r.Type == value || a == byResourceName && (r.Name == value || slices.Contains(event.ShortNames(r.Name), value)) {
				return true
			}
		}
		return false
	}
	return event.TextOf(record, a.places()) == value
}

// attributeHash is the hash of a value in the index of an attribute, never 0.
func attributeHash(value string) uint32 { return max(uint32(index.HashString(value)>>32), 1) }

// timeOrder are the rows of a unit from the newest to the oldest; of one time the later row
// first.
type timeOrder struct {
	rows  []uint16 // by rank
	base  int64
	near  []uint32 // times by rank, in milliseconds after base, falling; nil when they do not fit
	times []int64  // then these, in microseconds
}

func (o *timeOrder) time(rank int) int64 {
	if o.near != nil {
		return o.base + int64(o.near[rank])*1000
	}
	return o.times[rank]
}

// before returns the first rank that is after a place in the order of results.
func (o *timeOrder) before(p place, store uint32, first uint64) int {
	return sort.Search(len(o.rows), func(rank int) bool {
		return place{time: o.time(rank), store: store, seq: first + uint64(o.rows[rank])}.after(p)
	})
}

// attributeIndex tells which ranks have which value of an attribute.
type attributeIndex struct {
	hashes []uint32
	starts []uint32 // of the ranks of each hash; one more at the end
	ranks  []uint16
}

// of returns the ranks that may have a value.
func (x *attributeIndex) of(hash uint32) []uint16 {
	i, ok := slices.BinarySearch(x.hashes, hash)
	if !ok {
		return nil
	}
	return x.ranks[x.starts[i]:x.starts[i+1]]
}

// newAttributeIndex makes an index of pairs of hash and rank, hash<<16 | rank.
func newAttributeIndex(pairs []uint64) *attributeIndex {
	pairs = slices.Compact(sortPairs(pairs))
	x := &attributeIndex{ranks: make([]uint16, len(pairs))}
	for i, p := range pairs {
		if h := uint32(p >> 16); i == 0 || h != x.hashes[len(x.hashes)-1] {
			x.hashes, x.starts = append(x.hashes, h), append(x.starts, uint32(i))
		}
		x.ranks[i] = uint16(p)
	}
	x.starts = append(x.starts, uint32(len(pairs)))
	x.hashes, x.starts = slices.Clip(x.hashes), slices.Clip(x.starts)
	return x
}

// sortPairs sorts by digits, from the lowest to the highest, which takes a tenth of the time of comparing where there
// are very many. It may return other memory than that of pairs.
func sortPairs(pairs []uint64) []uint64 {
	const width, digits = 12, 48 / 12
	if len(pairs) < 1<<width {
		slices.Sort(pairs)
		return pairs
	}
	other := make([]uint64, len(pairs))
	for d := range digits {
		var next [1 << width]uint32
		for _, p := range pairs {
			next[p>>(d*width)&(1<<width-1)]++
		}
		at := uint32(0)
		for i, n := range next {
			next[i] = at
			at += n
		}
		for _, p := range pairs {
			to := &next[p>>(d*width)&(1<<width-1)]
			other[*to] = p
			*to++
		}
		pairs, other = other, pairs
	}
	return pairs
}

func (x *attributeIndex) bytes() int64 {
	return int64(4*len(x.hashes) + 4*len(x.starts) + 2*len(x.ranks) + 100)
}

// hashFilter tells which values a unit may have of an attribute. It is what is kept of a unit that has not the value looked
// up: a value that few events have is asked of very many units, whose indexes together are larger than the cache.
type hashFilter []uint64

const (
	filterBits   = 16 // a hash
	filterProbes = 11
)

// newHashFilter makes a filter of the hashes of pairs, hash<<16 and anything.
func newHashFilter(pairs []uint64) hashFilter {
	hashes := make([]uint32, 0, len(pairs))
	for _, p := range pairs {
		if h := uint32(p >> 16); len(hashes) == 0 || h != hashes[len(hashes)-1] {
			hashes = append(hashes, h)
		}
	}
	slices.Sort(hashes)
	hashes = slices.Compact(hashes)
	f := make(hashFilter, len(hashes)*filterBits/64+1)
	for _, h := range hashes {
		for i := range filterProbes {
			word, bit := f.probe(h, i)
			f[word] |= bit
		}
	}
	return f
}

func (f hashFilter) mayHave(hash uint32) bool {
	for i := range filterProbes {
		if word, bit := f.probe(hash, i); f[word]&bit == 0 {
			return false
		}
	}
	return true
}

// probe returns the place of the i-th bit of a hash.
func (f hashFilter) probe(hash uint32, i int) (word int, bit uint64) {
	at := (uint64(hash) + 1) * (0x9e3779b97f4a7c15 + uint64(i)*0xbf58476d1ce4e5b8)
	at ^= at >> 32
	return int(uint64(uint32(at)) * uint64(len(f)) >> 32), 1 << (at >> 58)
}

// lookupSource is a unit of which indexes are made.
type lookupSource struct {
	reader *segment.Reader
	keep   *segment.Owner
}

// order returns the order of time.
func (s *lookupSource) order(ctx context.Context) (*timeOrder, error) {
	if o, ok := s.keep.Get(timeOrderEntry).(*timeOrder); ok {
		return o, nil
	}
	times, err := s.times(ctx)
	if err != nil {
		return nil, err
	}
	n := len(times)
	o := &timeOrder{rows: make([]uint16, n)}
	for i := range o.rows {
		o.rows[i] = uint16(n - 1 - i)
	}
	slices.SortStableFunc(o.rows, func(a, b uint16) int {
		switch x, y := times[a], times[b]; {
		case x > y:
			return -1
		case x < y:
			return 1
		}
		return 0
	})
	size := int64(2*n + 100)
	if n > 0 {
		o.base = times[o.rows[n-1]]
		const most = 1<<32 - 1
		if (times[o.rows[0]]-o.base)/1000 <= most {
			o.near = make([]uint32, n)
			size += int64(4 * n)
			for rank, row := range o.rows {
				d := times[row] - o.base
				if d%1000 != 0 {
					o.near = nil
					break
				}
				o.near[rank] = uint32(d / 1000)
			}
		}
		if o.near == nil {
			o.times = make([]int64, n)
			size += int64(8 * n)
			for rank, row := range o.rows {
				o.times[rank] = times[row]
			}
		}
	}
	return s.keep.Put(timeOrderEntry, o, size).(*timeOrder), nil
}

// times returns the event time of every row.
func (s *lookupSource) times(ctx context.Context) ([]int64, error) {
	out := make([]int64, 0, s.reader.Rows())
	for from := 0; from < s.reader.Rows(); from += segment.BlockRows {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		to := min(from+segment.BlockRows, s.reader.Rows())
		v, err := timeSourceAt.read(ctx, s.reader, segment.Range(from, to))
		if err != nil {
			return nil, err
		}
		for i := range to - from {
			if !v.IsNull(i) {
				leaf, j := v.Leaf(i)
				out = append(out, leaf.I64[j])
				continue
			}
			// An aggregated event has its time elsewhere.
			rec, err := s.reader.Record(ctx, from+i, nil)
			if err != nil {
				return nil, err
			}
			var ev event.Event
			if err := event.Parse(rec, &ev); err != nil {
				return nil, fmt.Errorf("row %d: %w", from+i, err)
			}
			out = append(out, ev.Time)
		}
	}
	return out, nil
}

// ranks returns the ranks of the rows that may have a value of an attribute.
func (s *lookupSource) ranks(ctx context.Context, a lookupAttribute, hash uint32) ([]uint16, error) {
	x, ok := s.keep.Get(uint32(a)).(*attributeIndex)
	if !ok {
		var err error
		if x, err = s.attribute(ctx, a, hash); x == nil || err != nil {
			return nil, err
		}
	}
	return x.of(hash), nil
}

// attribute makes the index of an attribute; nil when no row has the value with a hash, and a
// filter is kept instead. Where there is one, which could not tell, the index is made.
func (s *lookupSource) attribute(ctx context.Context, a lookupAttribute, hash uint32) (_ *attributeIndex, err error) {
	// What is read of very many units would drive out what is kept of them.
	b := attributeBuilder{ctx: ctx, reader: s.reader.Aside()}
	other := lookupAttribute(0)
	switch a {
	case byUsername:
		err = b.derived(event.UserPlaces[:], func(t []string) string { return event.Username(t[0], t[1], t[2], t[3], t[4]) })
	case byCategory:
		err = b.derived(event.CategoryPlaces[:], func(t []string) string { return event.CategoryOf(t[0], t[1], t[2]).String() })
	case byResourceType, byResourceName:
		// What costs is to find the resources; so both are made at once.
		err = b.resources()
		if other = byResourceName; a == byResourceName {
			other = byResourceType
		}
	default:
		err = b.derived([][][]string{a.places()}, func(t []string) string { return t[0] })
	}
	if err != nil {
		return nil, err
	}
	asked, others := b.pairs, b.names
	if a == byResourceName {
		asked, others = others, asked
	}
	if !s.filtered(a) && !slices.ContainsFunc(asked, func(p uint64) bool { return uint32(p>>16) == hash }) {
		s.putFilter(a, asked)
		if other != 0 && !s.has(other) && !s.filtered(other) {
			s.putFilter(other, others)
		}
		return nil, nil
	}
	order, err := s.order(ctx)
	if err != nil {
		return nil, err
	}
	rankOf := make([]uint16, len(order.rows))
	for rank, row := range order.rows {
		rankOf[row] = uint16(rank)
	}
	for _, pairs := range [][]uint64{asked, others} {
		for i, p := range pairs {
			pairs[i] = p&^0xffff | uint64(rankOf[uint16(p)])
		}
	}
	if other != 0 && !s.has(other) {
		s.putIndex(other, others)
	}
	return s.putIndex(a, asked), nil
}

func (s *lookupSource) putIndex(a lookupAttribute, pairs []uint64) *attributeIndex {
	x := newAttributeIndex(pairs)
	return s.keep.Put(uint32(a), x, x.bytes()).(*attributeIndex)
}

func (s *lookupSource) putFilter(a lookupAttribute, pairs []uint64) {
	f := newHashFilter(pairs)
	s.keep.Put(filterEntry+uint32(a), f, int64(8*len(f)))
}

// has reports whether the index of an attribute is there.
func (s *lookupSource) has(a lookupAttribute) bool {
	_, ok := s.keep.Get(uint32(a)).(*attributeIndex)
	return ok
}

// filtered reports whether the filter of an attribute is there.
func (s *lookupSource) filtered(a lookupAttribute) bool {
	_, ok := s.keep.Get(filterEntry + uint32(a)).(hashFilter)
	return ok
}

// lacks reports whether it is known that no row has a value of an attribute.
func (s *lookupSource) lacks(a lookupAttribute, hash uint32) bool {
	f, ok := s.keep.Get(filterEntry + uint32(a)).(hashFilter)
	return ok && !f.mayHave(hash)
}

// attributeBuilder gathers the pairs of an attribute's index, hash<<16 | row.
type attributeBuilder struct {
	ctx    context.Context
	reader *segment.Reader
	pairs  []uint64
	names  []uint64 // of resources, whose types are in pairs
}

// derived gathers the values that fn makes of the texts at some places. Rows with the same
// texts come one after the other often enough that what was made is remembered.
func (b *attributeBuilder) derived(places [][][]string, fn func(texts []string) string) error {
	sources := make([]*source, len(places))
	for i, p := range places {
		sources[i] = &source{places: p, kind: textSource, shape: &textShape, typ: column.VarcharType}
	}
	vectors := make([]*column.Vector, len(places))
	texts, last := make([]string, len(places)), make([]string, len(places))
	known := map[string]uint32{} // hashes by texts
	var key []byte
	for from := 0; from < b.reader.Rows(); from += segment.BlockRows {
		if err := b.ctx.Err(); err != nil {
			return err
		}
		to := min(from+segment.BlockRows, b.reader.Rows())
		for i, s := range sources {
			var err error
			if vectors[i], err = s.read(b.ctx, b.reader, segment.Range(from, to)); err != nil {
				return err
			}
		}
		hash, any := uint32(0), false
		if len(known) > segment.BlockRows {
			clear(known)
		}
		for i := range to - from {
			same := i > 0
			for k, v := range vectors {
				texts[k], _ = textAt(v, i)
				same = same && texts[k] == last[k]
			}
			if !same {
				copy(last, texts)
				key = key[:0]
				for _, t := range texts {
					key = append(append(key, t...), 0)
				}
				h, ok := known[string(key)]
				if !ok {
					if value := fn(texts); value != "" {
						h = attributeHash(value)
					}
					known[string(key)] = h
				}
				hash, any = h, h != 0
			}
			if any {
				b.pairs = append(b.pairs, uint64(hash)<<16|uint64(from+i))
			}
		}
	}
	return nil
}
