package fn

import (
	"slices"
	"strconv"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/sqlerr"
)

// topValues is min(x, n), max(x, n), min_by(x, y, n), max_by(x, y, n): the last
// collected column is the one to order by.
type topValues struct {
	collected
	name   string
	sign   int
	result *column.Type
	limits []int64 // per group, 0 for not known
	prune  int     // how many collected values to prune at
}

// maxTop is the largest n of these forms.
const maxTop = 10_000

func newTopValues(name string, sign int, result *column.Type, types ...*column.Type) *topValues {
	return &topValues{name: name, sign: sign, result: result, collected: newCollected(types...), prune: 4096}
}

func (t *topValues) Grow(n int) {
	t.grow(n)
	t.limits = grown(t.limits, n)
}

func (t *topValues) Add(groups []uint32, args []*column.Vector, n int) error {
	t.batch()
	by, limit := args[len(args)-2], args[len(args)-1]
	for i := range n {
		if by.IsNull(i) {
			continue
		}
		g := groupOf(groups, i)
		if t.limits[g] == 0 {
			if limit.IsNull(i) {
				return fault(sqlerr.InvalidArgument, "the n of %s is NULL", t.name)
			}
			leaf, j := limit.Leaf(i)
			if leaf.I64[j] < 1 || leaf.I64[j] > maxTop {
				return fault(sqlerr.InvalidArgument, "the n of %s must be 1 to %d, not %d", t.name, maxTop, leaf.I64[j])
			}
			t.limits[g] = leaf.I64[j]
		}
		if err := t.add(g, args, i); err != nil {
			return err
		}
	}
	if len(t.groups) > t.prune {
		t.shrink()
	}
	return nil
}

// best returns the positions to keep, group by group in order.
func (t *topValues) best() (positions, offsets []int32) {
	all, starts := t.ordered()
	by := t.cols[len(t.cols)-1]
	offsets = make([]int32, t.n+1)
	for g := range t.n {
		list := all[starts[g]:starts[g+1]]
		slices.SortStableFunc(list, func(x, y int32) int { return -t.sign * Compare(by, int(x), by, int(y)) })
		positions = append(positions, list[:min(int64(len(list)), t.limits[g])]...)
		offsets[g+1] = int32(len(positions))
	}
	return positions, offsets
}

// shrink forgets what cannot be in the result any more.
func (t *topValues) shrink() {
	positions, offsets := t.best()
	kept := newCollected()
	kept.n, kept.watched = t.n, t.watched
	for _, c := range t.cols {
		b := newBuilder(c.Type, len(positions))
		for _, p := range positions {
			push(b, c, int(p))
			kept.held += column.TextBytes(c, int(p), int(p)+1)
		}
		kept.cols = append(kept.cols, b)
	}
	for g := range t.n {
		for range offsets[g+1] - offsets[g] {
			kept.groups = append(kept.groups, uint32(g))
		}
	}
	t.collected = kept
	t.prune = max(4096, 4*len(positions))
}

func (t *topValues) Merge(other Accumulator, groups []uint32) error {
	t.batch()
	o := other.(*topValues)
	for i, n := range o.limits {
		t.limits[groups[i]] = max(t.limits[groups[i]], n)
	}
	for i, g := range o.groups {
		if err := t.add(groups[g], o.cols, i); err != nil {
			return err
		}
	}
	return nil
}

func (t *topValues) Result() (*column.Vector, error) {
	positions, offsets := t.best()
	out := &column.Vector{Type: t.result, Len: t.n, Offsets: offsets, Children: []*column.Vector{column.Gather(t.cols[0], positions)}}
	for g := range t.n {
		if offsets[g] == offsets[g+1] {
			out.SetNull(g)
		}
	}
	return out, nil
}

func (t *topValues) Bytes() int64 { return t.bytes() + int64(8*cap(t.limits)) }

// arrayAgg collects all values, NULLs included, in the order in which they come.
type arrayAgg struct {
	collected
	result *column.Type
}

func (a *arrayAgg) Grow(n int) { a.grow(n) }

func (a *arrayAgg) Add(groups []uint32, args []*column.Vector, n int) error {
	a.batch()
	for i := range n {
		if err := a.add(groupOf(groups, i), args, i); err != nil {
			return err
		}
	}
	return nil
}

func (a *arrayAgg) Merge(other Accumulator, groups []uint32) error {
	a.batch()
	o := other.(*arrayAgg)
	for i, g := range o.groups {
		if err := a.add(groups[g], o.cols, i); err != nil {
			return err
		}
	}
	return nil
}

func (a *arrayAgg) Result() (*column.Vector, error) {
	positions, offsets := a.ordered()
	out := &column.Vector{Type: a.result, Len: a.n, Offsets: offsets, Children: []*column.Vector{column.Gather(a.cols[0], positions)}}
	for g := range a.n {
		if offsets[g] == offsets[g+1] {
			out.SetNull(g)
		}
	}
	return out, nil
}

func (a *arrayAgg) Bytes() int64 { return a.bytes() }

// listAgg joins text with a separator, in the order in which it comes.
type listAgg struct {
	arrayAgg
	separator string
	known     bool
	// Of ON OVERFLOW TRUNCATE: what stands for the rest, and whether how many values
	// that are comes behind it.
	truncates bool
	filler    string
	counts    bool
}

// listBytesMax is the length at which listagg truncates, Trino's.
const listBytesMax = 1 << 20

func (a *listAgg) Add(groups []uint32, args []*column.Vector, n int) error {
	a.batch()
	for i := range n {
		if args[0].IsNull(i) {
			continue
		}
		if !a.known && len(args) > 1 {
			if args[1].IsNull(i) {
				return fault(sqlerr.InvalidArgument, "the separator of listagg is NULL")
			}
			leaf, j := args[1].Leaf(i)
			a.separator = cloneText(leaf.Str[j])
		}
		if !a.known && a.truncates {
			if args[2].IsNull(i) || args[3].IsNull(i) {
				return fault(sqlerr.InvalidArgument, "the filler of listagg is NULL")
			}
			leaf, j := args[2].Leaf(i)
			a.filler, a.counts = cloneText(leaf.Str[j]), isTrueAt(args[3], i)
		}
		a.known = true
		if err := a.add(groupOf(groups, i), args, i); err != nil {
			return err
		}
	}
	return nil
}

func (a *listAgg) Merge(other Accumulator, groups []uint32) error {
	o := other.(*listAgg)
	if !a.known {
		a.separator, a.filler, a.counts, a.known = o.separator, o.filler, o.counts, o.known
	}
	return a.arrayAgg.Merge(&o.arrayAgg, groups)
}

func (a *listAgg) Result() (*column.Vector, error) {
	positions, offsets := a.ordered()
	out := column.New(column.VarcharType, a.n)
	var buf []byte
	for g := range a.n {
		if offsets[g] == offsets[g+1] {
			out.SetNull(g)
			continue
		}
		buf = buf[:0]
		all := positions[offsets[g]:offsets[g+1]]
		for k, p := range all {
			if a.truncates && len(buf)+len(a.separator)+len(a.cols[0].Str[p]) > listBytesMax {
				if k > 0 {
					buf = append(buf, a.separator...)
				}
				if buf = append(buf, a.filler...); a.counts {
					buf = append(strconv.AppendInt(append(buf, '('), int64(len(all)-k), 10), ')')
				}
				break
			}
			if k > 0 {
				buf = append(buf, a.separator...)
			}
			buf = append(buf, a.cols[0].Str[p]...)
			if len(buf) > maxTextBytes {
				return nil, tooLong("listagg")
			}
		}
		out.Str[g] = string(buf)
	}
	return out, nil
}

// mapAgg makes maps: map_agg and map_union keep the first value of a key,
// multimap_agg all of them.
type mapAgg struct {
	n      int
	seen   []bool
	keys   *valueTable
	values *column.Vector // map_agg: one per key
	lists  *arrayAgg      // multimap_agg: groups are the numbers of the keys
	union  bool           // the argument is a map
	result *column.Type
	held   int64 // text of values
	watched
}

func newMapAgg(result *column.Type, multi, union bool) *mapAgg {
	m := &mapAgg{keys: newValueTable(result.Key), result: result, union: union}
	if multi {
		m.lists = &arrayAgg{collected: newCollected(result.Elem.Elem), result: result.Elem}
	} else {
		m.values = newBuilder(result.Elem, 0)
	}
	return m
}

func (m *mapAgg) Grow(n int) {
	m.n = max(m.n, n)
	m.seen = grown(m.seen, n)
}

func (m *mapAgg) put(g uint32, keys *column.Vector, k int, values *column.Vector, i int) error {
	e, added, err := m.keys.find(g, keys, k)
	if err != nil {
		return err
	}
	if m.lists != nil {
		m.lists.grow(e + 1)
		return m.lists.add(uint32(e), []*column.Vector{values}, i)
	}
	if added {
		if err := m.take(values, i); err != nil {
			return err
		}
		push(m.values, values, i)
		m.held += column.TextBytes(values, i, i+1)
	}
	return nil
}

// Watch implements Watched.
func (m *mapAgg) Watch(c *Context) {
	m.watched.Watch(c)
	m.keys.Watch(c)
	if m.lists != nil {
		m.lists.Watch(c)
	}
}

// batch begins a call.
func (m *mapAgg) batch() {
	m.watched.batch()
	m.keys.batch()
	if m.lists != nil {
		m.lists.batch()
	}
}

func (m *mapAgg) Add(groups []uint32, args []*column.Vector, n int) error {
	m.batch()
	for i := range n {
		if args[0].IsNull(i) {
			continue
		}
		g := groupOf(groups, i)
		m.seen[g] = true
		if !m.union {
			if err := m.put(g, args[0], i, args[1], i); err != nil {
				return err
			}
			continue
		}
		leaf, j := args[0].Leaf(i)
		for e := leaf.Offsets[j]; e < leaf.Offsets[j+1]; e++ {
			if err := m.put(g, leaf.Children[0], int(e), leaf.Children[1], int(e)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (m *mapAgg) Merge(other Accumulator, groups []uint32) error {
	m.batch()
	o := other.(*mapAgg)
	for i, s := range o.seen {
		m.seen[groups[i]] = m.seen[groups[i]] || s
	}
	if o.lists != nil {
		for i, e := range o.lists.groups {
			if err := m.put(groups[o.keys.groups[e]], o.keys.values, int(e), o.lists.cols[0], i); err != nil {
				return err
			}
		}
		return nil
	}
	for e, g := range o.keys.groups {
		if err := m.put(groups[g], o.keys.values, e, o.values, e); err != nil {
			return err
		}
	}
	return nil
}

func (m *mapAgg) Result() (*column.Vector, error) {
	entries, offsets := m.keys.byGroup(m.n)
	values := m.values
	if m.lists != nil {
		var err error
		if values, err = m.lists.Result(); err != nil {
			return nil, err
		}
	}
	out := &column.Vector{Type: m.result, Len: m.n, Offsets: offsets,
		Children: []*column.Vector{column.Gather(m.keys.values, entries), column.Gather(values, entries)}}
	for g := range m.n {
		if !m.seen[g] {
			out.SetNull(g)
		}
	}
	return out, nil
}

func (m *mapAgg) Bytes() int64 {
	b := m.keys.bytes() + int64(cap(m.seen))
	if m.lists != nil {
		return b + m.lists.bytes()
	}
	return b + vectorBytes(m.values) + m.held
}

// histogram counts how often each value comes. With buckets it keeps the most
// frequent ones in the result.
type histogram struct {
	n       int
	table   *valueTable
	counts  []int64
	result  *column.Type
	buckets int64 // 0 for all
	top     bool
}

func (h *histogram) Grow(n int) { h.n = max(h.n, n) }

func (h *histogram) put(g uint32, v *column.Vector, i int, weight int64) error {
	e, added, err := h.table.find(g, v, i)
	if err != nil {
		return err
	}
	if added {
		h.counts = append(h.counts, 0)
	}
	h.counts[e] += weight
	return nil
}

// Watch implements Watched.
func (h *histogram) Watch(c *Context) { h.table.Watch(c) }

func (h *histogram) Add(groups []uint32, args []*column.Vector, n int) error {
	h.table.batch()
	v := args[0]
	if h.top {
		v = args[1]
		for i := 0; i < n && h.buckets == 0; i++ {
			leaf, j := args[0].Leaf(i)
			if args[0].IsNull(i) || leaf.I64[j] < 2 {
				return fault(sqlerr.InvalidArgument, "approx_most_frequent needs 2 or more buckets")
			}
			h.buckets = leaf.I64[j]
		}
	}
	for i := range n {
		if !v.IsNull(i) {
			if err := h.put(groupOf(groups, i), v, i, 1); err != nil {
				return err
			}
		}
	}
	return nil
}

func (h *histogram) AddWeighted(g uint32, args []*column.Vector, i int, weight int64) error {
	if !args[0].IsNull(i) {
		return h.put(g, args[0], i, weight)
	}
	return nil
}

func (h *histogram) Merge(other Accumulator, groups []uint32) error {
	h.table.batch()
	o := other.(*histogram)
	h.buckets = max(h.buckets, o.buckets)
	for e, g := range o.table.groups {
		if err := h.put(groups[g], o.table.values, e, o.counts[e]); err != nil {
			return err
		}
	}
	return nil
}

func (h *histogram) Result() (*column.Vector, error) {
	entries, offsets := h.table.byGroup(h.n)
	if h.top {
		var kept []int32
		starts := offsets
		offsets = make([]int32, h.n+1)
		for g := range h.n {
			list := entries[starts[g]:starts[g+1]]
			slices.SortStableFunc(list, func(x, y int32) int {
				if c := int(signOf(h.counts[y] - h.counts[x])); c != 0 {
					return c
				}
				return Compare(h.table.values, int(x), h.table.values, int(y))
			})
			kept = append(kept, list[:min(int64(len(list)), h.buckets)]...)
			offsets[g+1] = int32(len(kept))
		}
		entries = kept
	}
	counts := column.New(column.BigIntType, len(entries))
	for i, e := range entries {
		counts.I64[i] = h.counts[e]
	}
	out := &column.Vector{Type: h.result, Len: h.n, Offsets: offsets, Children: []*column.Vector{column.Gather(h.table.values, entries), counts}}
	for g := range h.n {
		if offsets[g] == offsets[g+1] {
			out.SetNull(g)
		}
	}
	return out, nil
}

func (h *histogram) Bytes() int64 { return h.table.bytes() + int64(8*cap(h.counts)) }

func addOrderedAggregates(l *library) {
	list := func(args []*column.Type, _ *column.Type) Accumulator {
		return &listAgg{arrayAgg: arrayAgg{collected: newCollected(column.VarcharType)}, truncates: len(args) > 2}
	}
	l.aggregateFunc(Doc{Name: "listagg", Aliases: []string{"string_agg"}, Signature: "listagg(string[, separator] [on overflow error | on overflow truncate [filler] with count | without count]) within group (order by y) → varchar", Summary: "Joins text with a separator; NULLs are left out. Past 16 MiB that is an error; with TRUNCATE the list ends at 1 MiB, with a filler ('...' if none is given) and, WITH COUNT, how many values are missing."},
		agg("varchar", "varchar", list).inOrder(), agg("varchar, varchar", "varchar", list).inOrder(),
		agg("varchar, varchar, varchar, boolean", "varchar", list).inOrder())
	l.aggregateFunc(Doc{Name: "array_agg", Signature: "array_agg(x) → array", Summary: "Collects the values, NULLs included, in an array."},
		agg("T", "array(T)", func(args []*column.Type, result *column.Type) Accumulator {
			return &arrayAgg{collected: newCollected(args[0]), result: result}
		}).inOrder())
}

func addCollectingAggregates(l *library) {
	maps := func(multi, union bool) func([]*column.Type, *column.Type) Accumulator {
		return func(_ []*column.Type, result *column.Type) Accumulator { return newMapAgg(result, multi, union) }
	}
	l.aggregateFunc(Doc{Name: "map_agg", Signature: "map_agg(key, value) → map", Summary: "Makes a map of keys and values, with the first value of a key; NULL keys are left out."},
		agg("K, V", "map(K,V)", maps(false, false)).inOrder())
	l.aggregateFunc(Doc{Name: "multimap_agg", Signature: "multimap_agg(key, value) → map of arrays", Summary: "Makes a map of keys and all their values."},
		agg("K, V", "map(K,array(V))", maps(true, false)).inOrder())
	l.aggregateFunc(Doc{Name: "map_union", Signature: "map_union(map) → map", Summary: "Joins maps, with the first value of a key."},
		agg("map(K,V)", "map(K,V)", maps(false, true)).inOrder())
	l.aggregateFunc(Doc{Name: "histogram", Signature: "histogram(x) → map", Summary: "Counts how often each value comes."},
		agg("T", "map(T,bigint)", func(args []*column.Type, result *column.Type) Accumulator {
			return &histogram{table: newValueTable(args[0]), result: result}
		}).withWeights())
	l.aggregateFunc(Doc{Name: "approx_most_frequent", Signature: "approx_most_frequent(buckets, x, capacity) → map", Summary: "Gives the most frequent values and how often each comes; it counts exactly."},
		agg("bigint, T, bigint", "map(T,bigint)", func(args []*column.Type, result *column.Type) Accumulator {
			return &histogram{table: newValueTable(args[1]), result: result, top: true}
		}))
}
