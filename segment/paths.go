package segment

import (
	"context"
	"fmt"
	"slices"
	"unsafe"

	"github.com/cairndb/cairn/segment/column"
)

// PathID names an object-key path within one segment. [Root] is the whole record.
type PathID uint32

// Root is the path with no keys: the record itself.
const Root PathID = 0

// invented marks paths that are in no shape but may be in values kept as text.
// Such a path is numbered by the last path above it that the segment knows;
// the rest of its keys is remembered by the reader.
const invented PathID = 1 << 31

// Lookup finds a path by its unescaped keys. ok is false when no record has
// anything there.
func (r *Reader) Lookup(ctx context.Context, path []string) (p PathID, ok bool, err error) {
	d, err := r.directory(ctx)
	if err != nil {
		return 0, false, err
	}
	n := uint32(0)
	for i, k := range path {
		c, ok := d.child(n, k)
		if !ok {
			// Values above may be kept as text, and the path inside.
			for m := n; ; m = d.parent[m] {
				if d.hasText(m) {
					p, ok := r.invent(n, path[i:])
					if !ok {
						return 0, false, fmt.Errorf("looking up %q: more than %d paths that are only possible", path, maxInvented)
					}
					return p, true, nil
				}
				if m == 0 {
					return 0, false, nil
				}
			}
		}
		n = c
	}
	return PathID(n), true, nil
}

// inventedPath is a path of which only the beginning is in the directory.
type inventedPath struct {
	node uint32
	rest []string
}

func (r *Reader) invent(node uint32, rest []string) (PathID, bool) {
	r.invented.Lock()
	defer r.invented.Unlock()
	for i, v := range r.invented.paths {
		if v.node == node && slices.Equal(v.rest, rest) {
			return invented | PathID(i), true
		}
	}
	if len(r.invented.paths) >= maxInvented {
		return 0, false
	}
	r.invented.paths = append(r.invented.paths, inventedPath{node, append([]string(nil), rest...)})
	return invented | PathID(len(r.invented.paths)-1), true
}

// maxInvented bounds what queries for ever new paths can make a reader remember.
const maxInvented = 1 << 14

func (r *Reader) inventedPath(p PathID) (inventedPath, error) {
	r.invented.Lock()
	defer r.invented.Unlock()
	i := int(p &^ invented)
	if i >= len(r.invented.paths) {
		return inventedPath{}, fmt.Errorf("path %d is not of this segment", p)
	}
	return r.invented.paths[i], nil
}

// Children lists the keys seen directly under a path, ascending. Keys that
// only occur in values kept as text because of a cap are found by reading those values.
func (r *Reader) Children(ctx context.Context, p PathID) ([]string, error) {
	d, err := r.directory(ctx)
	if err != nil {
		return nil, err
	}
	keys := map[string]bool{}
	text := p&invented != 0
	if !text {
		n := uint32(p)
		if int(n) >= len(d.parent) {
			return nil, fmt.Errorf("path %d is not of this segment", p)
		}
		for c := n + 1; c < d.last[n]; c = d.last[c] {
			if d.flags[c]&nodeElement == 0 {
				keys[d.key(c)] = true
			}
		}
		for m := n; ; m = d.parent[m] {
			text = text || d.hasText(m)
			if m == 0 {
				break
			}
		}
	}
	if text {
		err := r.eachText(ctx, p, Range(0, r.rows), func(_ int, v []byte) {
			if kindOf(v) == Object {
				eachMember(v, func(raw, _ []byte) { keys[string(Unescape(nil, raw))] = true })
			}
		})
		if err != nil {
			return nil, err
		}
	}
	out := make([]string, 0, len(keys))
	for k := range keys {
		out = append(out, k)
	}
	slices.Sort(out)
	return out, nil
}

// eachText calls fn with the JSON text of those values at p that are kept as text.
func (r *Reader) eachText(ctx context.Context, p PathID, sel Selection, fn func(i int, v []byte)) error {
	return r.eachValue(ctx, p, false, sel, func(i int, v *variant, sc *scanner) error {
		if !v.leaf {
			return nil
		}
		b, err := sc.value(v.column, v.ahead)
		if err != nil {
			return err
		}
		if b = findMember(b, v.below); b != nil {
			fn(i, b)
		}
		return nil
	})
}

// eachValue calls fn for every selected row with the variant that says where its value is.
func (r *Reader) eachValue(ctx context.Context, p PathID, members bool, sel Selection, fn func(i int, v *variant, sc *scanner) error) error {
	if err := sel.check(r.rows); err != nil {
		return err
	}
	n := sel.Len()
	if n == 0 {
		return nil
	}
	pl, err := r.planOf(ctx, p, members)
	if err != nil {
		return err
	}
	sc, err := r.scanner(ctx, sel.dense())
	if err != nil {
		return err
	}
	defer sc.close()
	for i := range n {
		row := sel.row(i)
		if row/BlockRows != sc.block {
			if err := sc.enter(row / BlockRows); err != nil {
				return err
			}
		}
		if !sc.dense {
			sc.approach(row % BlockRows)
		}
		sc.pass(pl, row%BlockRows)
		s := sc.shapes[sc.row]
		if err := fn(i, &pl.variants[pl.variant[s]], sc); err != nil {
			return err
		}
	}
	return nil
}

// pass goes to a row, counting only the columns of a plan.
func (sc *scanner) pass(p *plan, row int) {
	sc.serial++
	for _, s := range sc.shapes[sc.row:row] {
		for _, a := range p.passed(s) {
			sc.passed[a.column] += a.n
		}
	}
	sc.row = row
}

// planOf returns the plan of a path, invented ones included.
func (r *Reader) planOf(ctx context.Context, p PathID, members bool) (*plan, error) {
	if p&invented == 0 {
		return r.plan(ctx, p, members)
	}
	iv, err := r.inventedPath(p)
	if err != nil {
		return nil, err
	}
	base, err := r.plan(ctx, PathID(iv.node), false)
	if err != nil {
		return nil, err
	}
	// Only text leaves can lead on from a path whose next key is in no shape.
	pl := &plan{d: base.d, s: base.s, node: base.node, variant: base.variant, advance: base.advance, advances: base.advances}
	for _, v := range base.variants {
		if v.leaf {
			v.below = append(append([]string(nil), v.below...), iv.rest...)
		} else {
			v = absent
		}
		pl.variants = append(pl.variants, v)
	}
	return pl, nil
}

// Kinds appends the kind of the value at p in every selected row, None where
// there is none.
func (r *Reader) Kinds(ctx context.Context, p PathID, sel Selection, dst []Kind) ([]Kind, error) {
	if err := sel.check(r.rows); err != nil {
		return dst, err
	}
	d, err := r.directory(ctx)
	if err != nil {
		return dst, err
	}
	if n, ok := d.everywhere(p); ok {
		for range sel.Len() {
			dst = append(dst, leafKinds[d.columns[n].kind])
		}
		return dst, nil
	}
	pl, err := r.kindPlan(ctx, p)
	if err != nil {
		return dst, err
	}
	leaves := false
	byShape := make([]Kind, len(pl.variant))
	for s, v := range pl.variant {
		byShape[s] = pl.variants[v].kind
		leaves = leaves || pl.variants[v].leaf
	}
	if leaves {
		at := len(dst)
		dst = append(dst, make([]Kind, sel.Len())...)
		err := r.eachValue(ctx, p, false, sel, func(i int, v *variant, sc *scanner) error {
			dst[at+i] = v.kind
			if v.leaf {
				b, err := sc.value(v.column, v.ahead)
				if err != nil {
					return err
				}
				dst[at+i] = kindOf(findMember(b, v.below))
			}
			return nil
		})
		return dst, err
	}
	block := -1
	var shapes []uint16
	for i := range sel.Len() {
		row := sel.row(i)
		if row/BlockRows != block {
			block = row / BlockRows
			if shapes, err = r.rowShapes(ctx, pl.d, block); err != nil {
				return dst, err
			}
		}
		dst = append(dst, byShape[shapes[row%BlockRows]])
	}
	return dst, nil
}

// kindPlan is a plan that tells null from absent, which a simple plan need not.
func (r *Reader) kindPlan(ctx context.Context, p PathID) (*plan, error) {
	d, err := r.directory(ctx)
	if err != nil {
		return nil, err
	}
	if p&invented != 0 || int(p) >= len(d.flags) || d.flags[p]&nodeNull == 0 || !d.simple(uint32(p)) {
		return r.planOf(ctx, p, false)
	}
	return r.plan(ctx, p, true)
}

// Present returns a bitmap over all rows of the segment: bit i is set when row
// i has a value at p that is not null. It is cached and shared: read-only.
func (r *Reader) Present(ctx context.Context, p PathID) (column.Bits, error) {
	k := r.key(cachedBits, uint32(p))
	if b, ok := r.cache.get(k).(column.Bits); ok {
		return b, nil
	}
	bits := column.NewBits(r.rows)
	var kinds []Kind
	var err error
	for from := 0; from < r.rows; from += BlockRows {
		if kinds, err = r.Kinds(ctx, p, Range(from, min(from+BlockRows, r.rows)), kinds[:0]); err != nil {
			return nil, err
		}
		for i, k := range kinds {
			if k > Null {
				bits.Set(from + i)
			}
		}
	}
	return r.cache.put(k, bits, int64(len(bits))*8).(column.Bits), nil
}

// expected is about how many bytes n records have, with some room for those that are longer than most.
func (r *Reader) expected(n int) int {
	each := r.rawBytes / int64(max(1, r.rows))
	return int(min(int64(n)*(each+each/4), r.rawBytes, 1<<20))
}

// textBuilder collects varchar or json values.
type textBuilder struct {
	data  []byte
	ends  []uint32
	nulls column.Bits
	n     int
}

func newTextBuilder(n int) *textBuilder { return &textBuilder{ends: make([]uint32, 0, n), n: n} }

func (t *textBuilder) null() {
	if t.nulls == nil {
		t.nulls = column.NewBits(t.n)
	}
	t.nulls.Set(len(t.ends))
	t.end()
}

func (t *textBuilder) end() { t.ends = append(t.ends, uint32(len(t.data))) }

// vector makes a flat vector; all its strings share one piece of memory.
func (t *textBuilder) vector(typ *column.Type) *column.Vector {
	return &column.Vector{Type: typ, Len: len(t.ends), Nulls: t.nulls, Str: stringsOf(t.data, t.ends)}
}

// stringsOf gives the parts of data as strings without copying: data must not change any more.
func stringsOf(data []byte, ends []uint32) []string {
	all := unsafe.String(unsafe.SliceData(data), len(data))
	out := make([]string, len(ends))
	from := uint32(0)
	for i, e := range ends {
		out[i] = all[from:e]
		from = e
	}
	return out
}

// appendText appends the value of a variant by the rules of varchar columns; ok is false for NULL.
func (sc *scanner) appendText(dst []byte, v *variant) (out []byte, ok bool, err error) {
	switch {
	case v.leaf:
		b, err := sc.value(v.column, v.ahead)
		if err != nil {
			return dst, false, err
		}
		b = findMember(b, v.below)
		dst, ok = appendTextOf(dst, b)
		return dst, ok, nil
	case v.column >= 0:
		b, err := sc.value(v.column, v.ahead)
		if err != nil {
			return dst, false, err
		}
		if v.kind == String && sc.escapes(v.column) {
			return Unescape(dst, b), true, nil
		}
		return append(dst, b...), true, nil
	case len(v.pieces) > 0:
		for i := range v.pieces {
			p := &v.pieces[i]
			dst = append(dst, p.dense...)
			if p.column >= 0 {
				b, err := sc.value(p.column, p.ahead)
				if err != nil {
					return dst, false, err
				}
				if sc.d.columns[p.column].kind == leafJSON {
					dst, _ = appendCompact(dst, b, false)
				} else {
					dst = append(dst, b...)
				}
			}
		}
		return dst, true, nil
	}
	return dst, false, nil
}

// appendTextOf appends JSON text by the rules of varchar columns.
func appendTextOf(dst, b []byte) ([]byte, bool) {
	switch kindOf(b) {
	case None, Null:
		return dst, false
	case String:
		return Unescape(dst, b[1:len(b)-1]), true
	case Object, Array:
		dst, _ = appendCompact(dst, b, false)
		return dst, true
	}
	return append(dst, b...), true
}

func (sc *scanner) escapes(column int) bool {
	c := &sc.d.columns[column]
	return c.encoding == encTiny || c.flags&columnEscapes != 0
}

// appendRaw appends the exact JSON text of a value; ok is false when it is absent.
func (sc *scanner) appendRaw(dst []byte, v *variant) (out []byte, ok bool, err error) {
	switch {
	case v.leaf:
		b, err := sc.value(v.column, v.ahead)
		if err != nil {
			return dst, false, err
		}
		b = findMember(b, v.below)
		return append(dst, b...), b != nil, nil
	case v.column >= 0:
		b, err := sc.value(v.column, v.ahead)
		if err != nil {
			return dst, false, err
		}
		if v.kind == String {
			dst = append(dst, '"')
			dst = append(dst, b...)
			return append(dst, '"'), true, nil
		}
		return append(dst, b...), true, nil
	case v.kind == Null:
		return append(dst, "null"...), true, nil
	}
	for i := range v.pieces {
		p := &v.pieces[i]
		dst = append(dst, p.text...)
		if p.column >= 0 {
			b, err := sc.value(p.column, p.ahead)
			if err != nil {
				return dst, false, err
			}
			dst = append(dst, b...)
		}
	}
	return dst, len(v.pieces) > 0, nil
}

// Raw returns the exact JSON text of the values at p, as a vector of type
// json. A JSON null is the text null; NULL means that there is no value. For
// [Root] it is the records themselves.
func (r *Reader) Raw(ctx context.Context, p PathID, sel Selection) (*column.Vector, error) {
	t := newTextBuilder(sel.Len())
	if p == Root {
		t.data = make([]byte, 0, r.expected(sel.Len()))
		err := r.Records(ctx, sel, func(_ int, rec []byte) error {
			t.data = append(t.data, rec...)
			t.end()
			return nil
		})
		if err != nil {
			return nil, err
		}
		return t.vector(column.JSONType), nil
	}
	d, err := r.directory(ctx)
	if err != nil {
		return nil, err
	}
	// A simple plan does not tell null from absent.
	full := p&invented == 0 && int(p) < len(d.flags) && d.flags[p]&nodeNull != 0 && d.simple(uint32(p))
	err = r.eachValue(ctx, p, full, sel, func(_ int, v *variant, sc *scanner) error {
		var ok bool
		var err error
		if t.data, ok, err = sc.appendRaw(t.data, v); err != nil {
			return err
		}
		if !ok {
			t.null()
			return nil
		}
		t.end()
		return nil
	})
	if err != nil {
		return nil, err
	}
	return t.vector(column.JSONType), nil
}

// Text returns the values at p as varchar: strings unescaped, numbers and
// booleans as they are written, objects and arrays as JSON text without white
// space between tokens, in source order. NULL stands for null and absent.
//
// When all values of the segment at p come from dictionaries, the result is
// a dictionary vector with [Reader.Dict]'s dictionary; else it is flat.
func (r *Reader) Text(ctx context.Context, p PathID, sel Selection) (*column.Vector, error) {
	if err := sel.check(r.rows); err != nil {
		return nil, err
	}
	pd, err := r.pathDict(ctx, p)
	if err != nil {
		return nil, err
	}
	if pd != nil {
		return r.codes(ctx, pd, sel)
	}
	t := newTextBuilder(sel.Len())
	if p == Root {
		err := r.Records(ctx, sel, func(_ int, rec []byte) error {
			t.data, _ = appendCompact(t.data, rec, false)
			t.end()
			return nil
		})
		if err != nil {
			return nil, err
		}
		return t.vector(column.VarcharType), nil
	}
	for _, read := range [...]func(context.Context, PathID, Selection, *textBuilder) (bool, error){r.plainTexts, r.fullTexts} {
		if done, err := read(ctx, p, sel, t); done || err != nil {
			if err != nil {
				return nil, err
			}
			return t.vector(column.VarcharType), nil
		}
	}
	err = r.eachValue(ctx, p, false, sel, func(_ int, v *variant, sc *scanner) error {
		var ok bool
		var err error
		if t.data, ok, err = sc.appendText(t.data, v); err != nil {
			return err
		}
		if !ok {
			t.null()
			return nil
		}
		t.end()
		return nil
	})
	if err != nil {
		return nil, err
	}
	return t.vector(column.VarcharType), nil
}

// fullTexts is Text for some rows of a plain column that every row has a value of.
func (r *Reader) fullTexts(ctx context.Context, p PathID, sel Selection, t *textBuilder) (done bool, err error) {
	d, err := r.directory(ctx)
	if err != nil {
		return false, err
	}
	n, ok := d.everywhere(p)
	if !ok || d.columns[n].encoding != encPlain || sel.dense() {
		return false, nil
	}
	sc := r.bareScanner(ctx, d)
	defer sc.close()
	cu, err := sc.cursor(int(n))
	if err != nil {
		return false, err
	}
	escapes := d.columns[n].kind == leafString && sc.escapes(int(n))
	for i := range sel.Len() {
		if i%BlockRows == 0 {
			if err := ctx.Err(); err != nil {
				return false, err
			}
		}
		v, err := sc.valueAt(cu, uint32(sel.row(i)))
		if err != nil {
			return false, err
		}
		if escapes {
			t.data = Unescape(t.data, v)
		} else {
			t.data = append(t.data, v...)
		}
		t.end()
	}
	return true, nil
}

// plainTexts is Text for ranges of a path that is a single plain column
// without escapes: its pages are unpacked straight into the result.
func (r *Reader) plainTexts(ctx context.Context, p PathID, sel Selection, t *textBuilder) (done bool, err error) {
	if p&invented != 0 || sel.List != nil || !sel.dense() {
		return false, nil
	}
	pl, err := r.simplePlan(ctx, p)
	if err != nil || !pl.simple || len(pl.columns) != 1 {
		return false, err
	}
	d, c := pl.d, &pl.d.columns[pl.columns[0]]
	if c.encoding != encPlain || c.flags&columnEscapes != 0 {
		return false, nil
	}
	det := d.detail(c)
	starts := d.groups[det.group]
	var all texts
	for row := sel.From; row < sel.To; {
		if err := ctx.Err(); err != nil {
			return false, err
		}
		b := row / BlockRows
		if pl.full {
			to := min((b+1)*BlockRows, sel.To)
			all := texts{t.data, t.ends}
			if err := r.plainRun(ctx, d, c, uint32(row), uint32(to-row), &all); err != nil {
				return false, err
			}
			t.data, t.ends, row = all.data, all.ends, to
			continue
		}
		shapes, err := r.rowShapes(ctx, d, b)
		if err != nil {
			return false, err
		}
		from, to := row-b*BlockRows, min(len(shapes), sel.To-b*BlockRows)
		at, n := starts[b], uint32(0)
		for _, s := range shapes[:from] {
			at += pl.variant[s]
		}
		for _, s := range shapes[from:to] {
			n += pl.variant[s]
		}
		if at+n > starts[b+1] {
			return false, r.damaged(d.block(c.page), fmt.Errorf("column %s: %w", d.name(c), errShape))
		}
		all.ends = all.ends[:0]
		all.data = t.data
		if err := r.plainRun(ctx, d, c, at, n, &all); err != nil {
			return false, err
		}
		end, k := uint32(len(t.data)), 0
		t.data = all.data
		for _, s := range shapes[from:to] {
			if pl.variant[s] == 0 {
				if t.nulls == nil {
					t.nulls = column.NewBits(t.n)
				}
				t.nulls.Set(len(t.ends))
			} else {
				end = all.ends[k]
				k++
			}
			t.ends = append(t.ends, end)
		}
		row += to - from
	}
	return true, nil
}

// plainRun appends the values [at, at+n) of a plain column.
func (r *Reader) plainRun(ctx context.Context, d *directory, c *dirColumn, at, n uint32, all *texts) error {
	det := d.detail(c)
	var v valuesPage
	for n > 0 {
		k, first := pageOf(det.ends, at)
		page, release, err := r.page(ctx, d, c.page+uint32(k))
		if err != nil {
			return err
		}
		m := min(n, det.ends[k]-at)
		if err = v.open(page, int(det.ends[k]-first)); err == nil {
			err = v.all(all, int(at-first), int(at-first+m))
		}
		release()
		if err != nil {
			return r.damaged(d.block(c.page+uint32(k)), fmt.Errorf("column %s: %w", d.name(c), err))
		}
		at, n = at+m, n-m
	}
	return nil
}

// Map returns the objects at p as map(varchar, varchar): members in source
// order (of equal keys the last one), values as [Reader.Text] would give
// them. It is NULL where there is no object.
func (r *Reader) Map(ctx context.Context, p PathID, sel Selection) (*column.Vector, error) {
	n := sel.Len()
	keys, values := newTextBuilder(0), &textBuilder{}
	out := column.New(column.MapOf(column.VarcharType, column.VarcharType), n)
	err := r.eachValue(ctx, p, true, sel, func(i int, v *variant, sc *scanner) error {
		defer func() { out.Offsets[i+1] = int32(len(keys.ends)) }()
		if v.leaf {
			b, err := sc.value(v.column, v.ahead)
			if err != nil {
				return err
			}
			if b = findMember(b, v.below); kindOf(b) != Object {
				out.SetNull(i)
				return nil
			}
			mapOfText(b, keys, values)
			return nil
		}
		if v.kind != Object {
			out.SetNull(i)
			return nil
		}
		for k := range v.members {
			m := &v.members[k]
			keys.data = append(keys.data, m.key...)
			keys.end()
			data, ok, err := sc.appendText(values.data, &m.variant)
			if err != nil {
				return err
			}
			values.data = data
			values.put(ok)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	out.Children = []*column.Vector{keys.vector(column.VarcharType), values.vector(column.VarcharType)}
	return out, nil
}

// put ends a value of a list whose length is not known beforehand.
func (t *textBuilder) put(ok bool) {
	i := len(t.ends)
	t.end()
	if !ok {
		for len(t.nulls) <= i>>6 {
			t.nulls = append(t.nulls, 0)
		}
		t.nulls.Set(i)
	}
}

// mapOfText appends the members of an object given as JSON text.
func mapOfText(b []byte, keys, values *textBuilder) {
	type pair struct{ key, value []byte }
	var pairs []pair
	eachMember(b, func(raw, value []byte) {
		key := Unescape(nil, raw)
		for i := range pairs {
			if string(pairs[i].key) == string(key) {
				pairs = append(pairs[:i], pairs[i+1:]...)
				break
			}
		}
		pairs = append(pairs, pair{key, value})
	})
	for _, p := range pairs {
		keys.data = append(keys.data, p.key...)
		keys.end()
		var ok bool
		values.data, ok = appendTextOf(values.data, p.value)
		values.put(ok)
	}
}
