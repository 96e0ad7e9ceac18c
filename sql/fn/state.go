package fn

import (
	"encoding/binary"
	"math"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/sqlerr"
)

// The state of accumulators as columns of values: what groups are put aside as
// when they do not fit in memory. Where a result can be added to, it is the
// state; sketches are bytes. States live as long as a query and no longer, so
// their form may change from one version to the next.

func bigints(values []int64) *column.Vector {
	return &column.Vector{Type: column.BigIntType, Len: len(values), I64: values}
}

func bigintsOf(n int, f func(g int) int64) *column.Vector {
	v := column.New(column.BigIntType, n)
	for g := range v.I64 {
		v.I64[g] = f(g)
	}
	return v
}

// int64At and floatAt read value i, which is not NULL.
func int64At(v *column.Vector, i int) int64 {
	leaf, j := v.Leaf(i)
	return leaf.I64[j]
}

func floatAt(v *column.Vector, i int) float64 {
	leaf, j := v.Leaf(i)
	return leaf.F64[j]
}

func (c *counter) StateTypes() []*column.Type { return []*column.Type{column.BigIntType} }
func (c *counter) State() []*column.Vector    { return []*column.Vector{bigints(c.counts)} }
func (c *counter) Load(groups []uint32, state []*column.Vector, n int) error {
	for i, g := range groups[:n] {
		c.counts[g] += int64At(state[0], i)
	}
	return nil
}

func (s *integerSum) StateTypes() []*column.Type {
	return []*column.Type{column.BigIntType, column.BigIntType, column.BigIntType}
}

func (s *integerSum) State() []*column.Vector {
	return []*column.Vector{
		bigintsOf(len(s.sums), func(g int) int64 { return s.sums[g].hi }),
		bigintsOf(len(s.sums), func(g int) int64 { return int64(s.sums[g].lo) }),
		bigints(s.counts),
	}
}

func (s *integerSum) Load(groups []uint32, state []*column.Vector, n int) error {
	for i, g := range groups[:n] {
		s.sums[g] = s.sums[g].add(int128{hi: int64At(state[0], i), lo: uint64(int64At(state[1], i))})
		s.counts[g] += int64At(state[2], i)
	}
	return nil
}

func (s *doubleSum) StateTypes() []*column.Type {
	return []*column.Type{column.DoubleType, column.BigIntType}
}

func (s *doubleSum) State() []*column.Vector {
	return []*column.Vector{{Type: column.DoubleType, Len: len(s.sums), F64: s.sums}, bigints(s.counts)}
}

func (s *doubleSum) Load(groups []uint32, state []*column.Vector, n int) error {
	for i, g := range groups[:n] {
		s.sums[g] += floatAt(state[0], i)
		s.counts[g] += int64At(state[1], i)
	}
	return nil
}

func (e *extreme) StateTypes() []*column.Type { return []*column.Type{e.t} }
func (e *extreme) State() []*column.Vector    { return []*column.Vector{e.vector()} }
func (e *extreme) Load(groups []uint32, state []*column.Vector, n int) error {
	return e.Add(groups, state, n)
}

func (e *extremeBy) StateTypes() []*column.Type { return []*column.Type{e.x.t, e.by.t} }
func (e *extremeBy) State() []*column.Vector {
	return []*column.Vector{e.x.vector(), e.by.vector()}
}

func (e *extremeBy) Load(groups []uint32, state []*column.Vector, n int) error {
	return e.Add(groups, state, n)
}

func (a *anyValue) StateTypes() []*column.Type { return []*column.Type{a.t} }
func (a *anyValue) State() []*column.Vector    { return []*column.Vector{a.vector()} }
func (a *anyValue) Load(groups []uint32, state []*column.Vector, n int) error {
	return a.Add(groups, state, n)
}

func (f *folded) StateTypes() []*column.Type { return []*column.Type{column.BigIntType} }
func (f *folded) State() []*column.Vector {
	v := bigints(f.values)
	for g, st := range f.state {
		if st == slotEmpty {
			v.SetNull(g)
		}
	}
	return []*column.Vector{v}
}

func (f *folded) Load(groups []uint32, state []*column.Vector, n int) error {
	return f.Add(groups, state, n)
}

func (c *checksum) StateTypes() []*column.Type { return []*column.Type{column.BigIntType} }
func (c *checksum) State() []*column.Vector {
	v := bigintsOf(len(c.sums), func(g int) int64 { return int64(c.sums[g]) })
	for g, seen := range c.seen {
		if !seen {
			v.SetNull(g)
		}
	}
	return []*column.Vector{v}
}

func (c *checksum) Load(groups []uint32, state []*column.Vector, n int) error {
	for i, g := range groups[:n] {
		if !state[0].IsNull(i) {
			c.sums[g] += uint64(int64At(state[0], i))
			c.seen[g] = true
		}
	}
	return nil
}

func doubleTypes(n int) []*column.Type {
	types := make([]*column.Type, n)
	for i := range types {
		types[i] = column.DoubleType
	}
	return types
}

// doubleColumns gives n columns of doubles for the groups.
func doubleColumns(n, groups int, f func(g int) []float64) []*column.Vector {
	out := make([]*column.Vector, n)
	for k := range out {
		out[k] = column.New(column.DoubleType, groups)
	}
	for g := range groups {
		for k, x := range f(g) {
			out[k].F64[g] = x
		}
	}
	return out
}

func (s *spread) StateTypes() []*column.Type { return doubleTypes(5) }
func (s *spread) State() []*column.Vector {
	return doubleColumns(5, len(s.groups), func(g int) []float64 {
		m := &s.groups[g]
		return []float64{m.n, m.mean, m.m2, m.m3, m.m4}
	})
}

func (s *spread) Load(groups []uint32, st []*column.Vector, n int) error {
	for i, g := range groups[:n] {
		s.groups[g].merge(moments{floatAt(st[0], i), floatAt(st[1], i), floatAt(st[2], i), floatAt(st[3], i), floatAt(st[4], i)})
	}
	return nil
}

func (r *relation) StateTypes() []*column.Type { return doubleTypes(6) }
func (r *relation) State() []*column.Vector {
	return doubleColumns(6, len(r.groups), func(g int) []float64 {
		p := &r.groups[g]
		return []float64{p.n, p.meanY, p.meanX, p.m2y, p.m2x, p.c}
	})
}

func (r *relation) Load(groups []uint32, st []*column.Vector, n int) error {
	for i, g := range groups[:n] {
		r.groups[g].merge(pairMoments{floatAt(st[0], i), floatAt(st[1], i), floatAt(st[2], i), floatAt(st[3], i), floatAt(st[4], i), floatAt(st[5], i)})
	}
	return nil
}

func (e *entropy) StateTypes() []*column.Type { return doubleTypes(2) }
func (e *entropy) State() []*column.Vector {
	return doubleColumns(2, len(e.sum), func(g int) []float64 { return []float64{e.sum[g], e.sumLog[g]} })
}

func (e *entropy) Load(groups []uint32, state []*column.Vector, n int) error {
	for i, g := range groups[:n] {
		e.sum[g] += floatAt(state[0], i)
		e.sumLog[g] += floatAt(state[1], i)
	}
	return nil
}

func (d *distinctEstimate) StateTypes() []*column.Type { return []*column.Type{column.VarbinaryType} }
func (d *distinctEstimate) State() []*column.Vector {
	out := column.New(column.VarbinaryType, len(d.sketches))
	for g := range d.sketches {
		if s := &d.sketches[g]; s.p == 0 {
			out.SetNull(g)
		} else {
			out.Str[g] = s.encode()
		}
	}
	return []*column.Vector{out}
}

func (d *distinctEstimate) Load(groups []uint32, state []*column.Vector, n int) error {
	for i, g := range groups[:n] {
		if state[0].IsNull(i) {
			continue
		}
		leaf, j := state[0].Leaf(i)
		s, err := decodeSketch(leaf.Str[j])
		if err != nil {
			return err
		}
		if d.p == 0 && !d.merging {
			d.p = s.p
		}
		if err := d.mergeOne(g, s); err != nil {
			return err
		}
	}
	return nil
}

// appendDoubles appends doubles to the bytes of a state; doublesAt reads them.
func appendDoubles(b []byte, values ...float64) []byte {
	for _, x := range values {
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(x))
	}
	return b
}

func appendCentroids(b []byte, list []centroid) []byte {
	for _, c := range list {
		b = appendDoubles(b, c.mean, c.weight)
	}
	return b
}

// doublesAt reads value i of a column of states, which is not NULL: a number
// and then doubles.
func doublesAt(v *column.Vector, i int) (head int, rest []float64, err error) {
	leaf, j := v.Leaf(i)
	s := leaf.Str[j]
	if len(s) < 8 || len(s)%8 != 0 {
		return 0, nil, fault(sqlerr.Internal, "the state of an aggregate has %d bytes", len(s))
	}
	rest = make([]float64, len(s)/8-1)
	for k := range rest {
		rest[k] = math.Float64frombits(binary.LittleEndian.Uint64([]byte(s[8*k+8 : 8*k+16])))
	}
	return int(binary.LittleEndian.Uint64([]byte(s[:8]))), rest, nil
}

// A percentile's state is the number of fractions, these, and the centroids.
func (p *percentile) StateTypes() []*column.Type { return []*column.Type{column.VarbinaryType} }
func (p *percentile) State() []*column.Vector {
	out := column.New(column.VarbinaryType, len(p.digests))
	for g, d := range p.digests {
		if d == nil {
			out.SetNull(g)
			continue
		}
		b := make([]byte, 0, 8+8*len(p.fractions)+16*len(d.centroids))
		b = binary.LittleEndian.AppendUint64(b, uint64(len(p.fractions)))
		out.Str[g] = string(appendCentroids(appendDoubles(b, p.fractions...), d.centroids))
	}
	return []*column.Vector{out}
}

func (p *percentile) Load(groups []uint32, state []*column.Vector, n int) error {
	for i, g := range groups[:n] {
		if state[0].IsNull(i) {
			continue
		}
		fractions, list, err := doublesAt(state[0], i)
		if err != nil {
			return err
		}
		if fractions > len(list) {
			return fault(sqlerr.Internal, "the state of a percentile has %d numbers, less than %d", len(list), fractions)
		}
		if p.fractions == nil {
			p.fractions = append([]float64{}, list[:fractions]...)
		}
		d := p.digest(g)
		before := cap(d.centroids)
		for list = list[fractions:]; len(list) > 1; list = list[2:] {
			d.add(list[0], list[1])
		}
		p.held += int64(16 * (cap(d.centroids) - before))
	}
	return nil
}

// A numeric histogram's state is the number of buckets and the centroids.
func (h *numericHistogram) StateTypes() []*column.Type { return []*column.Type{column.VarbinaryType} }
func (h *numericHistogram) State() []*column.Vector {
	out := column.New(column.VarbinaryType, len(h.groups))
	for g, list := range h.groups {
		out.Str[g] = string(appendCentroids(binary.LittleEndian.AppendUint64(nil, uint64(h.buckets)), list))
	}
	return []*column.Vector{out}
}

func (h *numericHistogram) Load(groups []uint32, state []*column.Vector, n int) error {
	for i, g := range groups[:n] {
		buckets, list, err := doublesAt(state[0], i)
		if err != nil {
			return err
		}
		h.buckets = max(h.buckets, buckets)
		for ; len(list) > 1; list = list[2:] {
			h.put(g, centroid{list[0], list[1]})
		}
	}
	return nil
}

// The state of what collects values is an array of each collected argument.

func (c *collected) listTypes() []*column.Type {
	var types []*column.Type
	for _, v := range c.cols {
		types = append(types, column.ArrayOf(v.Type))
	}
	return types
}

func (c *collected) lists() []*column.Vector {
	positions, offsets := c.ordered()
	var out []*column.Vector
	for _, v := range c.cols {
		out = append(out, &column.Vector{Type: column.ArrayOf(v.Type), Len: c.n, Offsets: offsets,
			Children: []*column.Vector{column.Gather(v, positions)}})
	}
	return out
}

func (c *collected) loadLists(groups []uint32, state []*column.Vector, n int) error {
	values := make([]*column.Vector, len(c.cols))
	for i, g := range groups[:n] {
		leaf, j := state[0].Leaf(i)
		first, count := int(leaf.Offsets[j]), int(leaf.Offsets[j+1]-leaf.Offsets[j])
		values[0] = leaf.Children[0]
		if len(values) > 1 {
			values[0] = values[0].Slice(first, first+count)
			first = 0
		}
		for k := 1; k < len(values); k++ {
			leaf, j := state[k].Leaf(i)
			values[k] = leaf.Children[0].Slice(int(leaf.Offsets[j]), int(leaf.Offsets[j])+count)
		}
		for e := range count {
			if err := c.add(g, values, first+e); err != nil {
				return err
			}
		}
	}
	return nil
}

func (t *topValues) StateTypes() []*column.Type {
	return append(t.listTypes(), column.BigIntType)
}

func (t *topValues) State() []*column.Vector {
	t.shrink()
	return append(t.lists(), bigints(t.limits))
}

func (t *topValues) Load(groups []uint32, state []*column.Vector, n int) error {
	for i, g := range groups[:n] {
		t.limits[g] = max(t.limits[g], int64At(state[len(t.cols)], i))
	}
	if err := t.loadLists(groups, state, n); err != nil {
		return err
	}
	if len(t.groups) > t.prune {
		t.shrink()
	}
	return nil
}

func (a *arrayAgg) StateTypes() []*column.Type { return a.listTypes() }
func (a *arrayAgg) State() []*column.Vector    { return a.lists() }
func (a *arrayAgg) Load(groups []uint32, state []*column.Vector, n int) error {
	return a.loadLists(groups, state, n)
}

// The separator and the filler of listagg are the same for all groups; the first is
// NULL until they are known.
func (a *listAgg) StateTypes() []*column.Type {
	return append(a.listTypes(), column.VarcharType, column.VarcharType, column.BooleanType)
}

func (a *listAgg) State() []*column.Vector {
	separator, filler, counts := column.New(column.VarcharType, 1), column.New(column.VarcharType, 1), column.New(column.BooleanType, 1)
	separator.Str[0], filler.Str[0], counts.I64[0] = a.separator, a.filler, truth(a.counts)
	if !a.known {
		separator.SetNull(0)
	}
	return append(a.lists(), column.NewConst(separator, a.n), column.NewConst(filler, a.n), column.NewConst(counts, a.n))
}

func (a *listAgg) Load(groups []uint32, state []*column.Vector, n int) error {
	for i := 0; i < n && !a.known; i++ {
		if !state[1].IsNull(i) {
			leaf, j := state[1].Leaf(i)
			a.separator, a.known = cloneText(leaf.Str[j]), true
			leaf, j = state[2].Leaf(i)
			a.filler, a.counts = cloneText(leaf.Str[j]), isTrueAt(state[3], i)
		}
	}
	return a.loadLists(groups, state, n)
}

func (m *mapAgg) StateTypes() []*column.Type { return []*column.Type{m.result} }
func (m *mapAgg) State() []*column.Vector {
	v, err := m.Result()
	if err != nil {
		panic(err) // putting lists together cannot fail
	}
	return []*column.Vector{v}
}

func (m *mapAgg) Load(groups []uint32, state []*column.Vector, n int) error {
	m.batch()
	for i, g := range groups[:n] {
		if state[0].IsNull(i) {
			continue
		}
		m.seen[g] = true
		leaf, j := state[0].Leaf(i)
		keys, values := leaf.Children[0], leaf.Children[1]
		for e := int(leaf.Offsets[j]); e < int(leaf.Offsets[j+1]); e++ {
			if m.lists == nil {
				if err := m.put(g, keys, e, values, e); err != nil {
					return err
				}
				continue
			}
			list, k := values.Leaf(e)
			for x := list.Offsets[k]; x < list.Offsets[k+1]; x++ {
				if err := m.put(g, keys, e, list.Children[0], int(x)); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (h *histogram) StateTypes() []*column.Type {
	return []*column.Type{h.result, column.BigIntType}
}

func (h *histogram) State() []*column.Vector {
	buckets := column.New(column.BigIntType, 1)
	buckets.I64[0] = h.buckets
	entries, offsets := h.table.byGroup(h.n)
	counts := bigintsOf(len(entries), func(i int) int64 { return h.counts[entries[i]] })
	return []*column.Vector{{Type: h.result, Len: h.n, Offsets: offsets, Children: []*column.Vector{column.Gather(h.table.values, entries), counts}},
		column.NewConst(buckets, h.n)}
}

func (h *histogram) Load(groups []uint32, state []*column.Vector, n int) error {
	h.table.batch()
	for i, g := range groups[:n] {
		h.buckets = max(h.buckets, int64At(state[1], i))
		leaf, j := state[0].Leaf(i)
		for e := int(leaf.Offsets[j]); e < int(leaf.Offsets[j+1]); e++ {
			if err := h.put(g, leaf.Children[0], e, int64At(leaf.Children[1], e)); err != nil {
				return err
			}
		}
	}
	return nil
}
