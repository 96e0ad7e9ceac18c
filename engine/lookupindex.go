package engine

import (
	"context"
	"fmt"
	"slices"
	"sort"

	"github.com/RoaringBitmap/roaring/v2"

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

// timeOrderEntry is the number of the order of time in the cache; valuesEntry is added to that of an
// attribute for the hashes of its values alone.
const (
	timeOrderEntry = 0
	valuesEntry    = 1 << 8
)

// valuesMost is how many different values an attribute may have in a unit for their hashes to be kept alone.
const valuesMost = 1 << 15

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
	slices.Sort(pairs)
	pairs = slices.Compact(pairs)
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

func (x *attributeIndex) bytes() int64 {
	return int64(4*len(x.hashes) + 4*len(x.starts) + 2*len(x.ranks) + 100)
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

// ranks returns the ranks of the rows that may have a value of an attribute. Of a unit that has none, only the
// hashes of the values that it has are kept: a value that few events have is asked of very many
// units, whose indexes together are larger than the cache.
func (s *lookupSource) ranks(ctx context.Context, a lookupAttribute, hash uint32) ([]uint16, error) {
	if x, ok := s.keep.Get(uint32(a)).(*attributeIndex); ok {
		return x.of(hash), nil
	}
	if values, ok := s.keep.Get(valuesEntry + uint32(a)).([]uint32); ok {
		if _, there := slices.BinarySearch(values, hash); !there {
			return nil, nil
		}
	}
	x, err := s.attribute(ctx, a, hash)
	if x == nil || err != nil {
		return nil, err
	}
	return x.of(hash), nil
}

// attribute makes the index of an attribute; nil when no row has the value with a hash, and the
// hashes of those that rows have are kept instead.
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
	if other == 0 && !slices.ContainsFunc(b.pairs, func(p uint64) bool { return uint32(p>>16) == hash }) {
		if values := b.values(); len(values) <= valuesMost {
			s.keep.Put(valuesEntry+uint32(a), values, int64(4*len(values)))
			return nil, nil
		}
	}
	order, err := s.order(ctx)
	if err != nil {
		return nil, err
	}
	rankOf := make([]uint16, len(order.rows))
	for rank, row := range order.rows {
		rankOf[row] = uint16(rank)
	}
	for _, pairs := range [][]uint64{b.pairs, b.names} {
		for i, p := range pairs {
			pairs[i] = p&^0xffff | uint64(rankOf[uint16(p)])
		}
	}
	if other != 0 {
		types, names := newAttributeIndex(b.pairs), newAttributeIndex(b.names)
		if a == byResourceName {
			types, names = names, types
		}
		s.keep.Put(uint32(other), names, names.bytes())
		return s.keep.Put(uint32(a), types, types.bytes()).(*attributeIndex), nil
	}
	x := newAttributeIndex(b.pairs)
	return s.keep.Put(uint32(a), x, x.bytes()).(*attributeIndex), nil
}

// has reports whether the index of an attribute is there.
func (s *lookupSource) has(a lookupAttribute) bool {
	_, ok := s.keep.Get(uint32(a)).(*attributeIndex)
	return ok
}

// resourceSearches is how many lookups by the name of a resource search a segment for the name before an index is made:
// to find all resources of all rows takes many times as long as a search, and as much of the cache as few lakes
// have for all of their segments.
const resourceSearches = 32

// namedMost is how many rows of a segment a search may leave as candidates. A text that very many records have
// somewhere ("prod") may be the name of nothing, and to read them all takes longer than to make the index.
const namedMost = 256

// resourceTops are the members below which resources are named.
var resourceTops = func() []string {
	tops := []string{"resources"}
	for _, p := range event.ResourcePlaces() {
		if !slices.Contains(tops, p.Path[0]) {
			tops = append(tops, p.Path[0])
		}
	}
	return tops
}()

// named returns the ranks of the rows that may name a resource, with no index: those that have its name where
// resources are named. As with hashes, records decide.
func (s *lookupSource) named(ctx context.Context, name string) ([]uint16, error) {
	order, err := s.order(ctx)
	if err != nil {
		return nil, err
	}
	places := &source{kind: mapSource, places: make([][]string, 1)}
	search := containment{src: places}
	all := roaring.New()
	for _, top := range resourceTops {
		places.places[0] = []string{top}
		rows, err := search.rowsWith(ctx, s.reader, name)
		if err != nil {
			return nil, err
		}
		if rows != nil {
			all.Or(rows)
		}
		if rows == nil || all.GetCardinality() > namedMost { // nothing of it can be searched for, or it is no help
			return s.ranks(ctx, byResourceName, attributeHash(name))
		}
	}
	if all.IsEmpty() {
		return nil, nil
	}
	is := column.NewBits(len(order.rows))
	for it := all.Iterator(); it.HasNext(); {
		is.Set(int(it.Next()))
	}
	ranks := make([]uint16, 0, all.GetCardinality())
	for rank, row := range order.rows {
		if is.Get(int(row)) {
			ranks = append(ranks, uint16(rank))
		}
	}
	return ranks, nil
}

// attributeBuilder gathers the pairs of an attribute's index, hash<<16 | row.
type attributeBuilder struct {
	ctx    context.Context
	reader *segment.Reader
	pairs  []uint64
	names  []uint64 // of resources, whose types are in pairs
}

// values returns the hashes of the pairs, ascending, each once.
func (b *attributeBuilder) values() []uint32 {
	var values []uint32
	for _, p := range b.pairs {
		if h := uint32(p >> 16); len(values) == 0 || h != values[len(values)-1] {
			values = append(values, h)
		}
	}
	slices.Sort(values)
	return slices.Clone(slices.Compact(values))
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

// resources gathers the types and names of resources. There are some hundred places where they
// may stand. Each is read through once, aside: their plans would drive everything else out
// of the cache, the indexes of other segments first.
func (b *attributeBuilder) resources() error {
	r := b.reader.Aside()
	rows := r.Rows()
	found := make([][]event.Resource, rows)
	// each reads the raw values of the rows that have any.
	var list []uint32
	each := func(path []string, fn func(row int, raw []byte)) error {
		p, ok, err := r.Lookup(b.ctx, path)
		if err != nil || !ok {
			return err
		}
		has, err := r.Present(b.ctx, p)
		if err != nil {
			return err
		}
		for from := 0; from < rows; from += segment.BlockRows {
			if err := b.ctx.Err(); err != nil {
				return err
			}
			list = list[:0]
			for row := from; row < min(from+segment.BlockRows, rows); row++ {
				if has.Get(row) {
					list = append(list, uint32(row))
				}
			}
			if len(list) == 0 {
				continue
			}
			v, err := r.Raw(b.ctx, p, segment.List(list))
			if err != nil {
				return err
			}
			for k, row := range list {
				if text, ok := textAt(v, k); ok {
					fn(int(row), []byte(text))
				}
			}
		}
		return nil
	}
	if err := each([]string{"resources"}, func(row int, raw []byte) { found[row] = event.ListedResources(raw, found[row]) }); err != nil {
		return err
	}
	sources := &source{places: event.SourcePlaces, kind: textSource, shape: &textShape, typ: column.VarcharType}
	src := make([]*column.Vector, 0, rows/segment.BlockRows+1)
	for from := 0; from < rows; from += segment.BlockRows {
		v, err := sources.read(b.ctx, r, segment.Range(from, min(from+segment.BlockRows, rows)))
		if err != nil {
			return err
		}
		src = append(src, v)
	}
	all := event.ResourcePlaces()
	for k := range all {
		err := each(all[k].Path, func(row int, raw []byte) {
			if s, _ := textAt(src[row/segment.BlockRows], row%segment.BlockRows); s != "" {
				found[row] = all[k].Named(found[row], 0, s, raw)
			}
		})
		if err != nil {
			return err
		}
	}
	for row := range found {
		for _, r := range found[row] {
			if r.Type != "" {
				b.pairs = append(b.pairs, uint64(attributeHash(r.Type))<<16|uint64(row))
			}
			if r.Name == "" {
				continue
			}
			b.names = append(b.names, uint64(attributeHash(r.Name))<<16|uint64(row))
			for _, short := range event.ShortNames(r.Name) {
				b.names = append(b.names, uint64(attributeHash(short))<<16|uint64(row))
			}
		}
	}
	return nil
}
