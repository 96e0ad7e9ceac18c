package segment

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// plan says, for one path and every shape, where a record of that shape has its
// value. It is made once per path and cached.
//
// Of equal keys the last one counts, at every level: a second "a" hides all
// that stood in the first.
type plan struct {
	d    *directory
	s    *structure
	node uint32

	// columns at the path itself, when nothing but scalars from them (and
	// nulls) can be there: then simple is set, variants below are these
	// columns in this order, and no record has two values.
	simple  bool
	columns []uint32
	// full is set when every row has a value of the only column: row i has value i. Such a
	// plan (see simplePlan) knows nothing of shapes.
	full bool

	variant  []uint32 // by shape: index into variants
	variants []variant
	advance  []advance // which of the columns below a row of a shape passes
	advances []uint32  // by shape: where its part of advance ends
}

// variant is one way in which the value at a path is there. Variant 0 of a
// plan is "absent".
type variant struct {
	kind   Kind // of the value; for text leaves None when it must be looked up
	column int  // −1, or the column that holds the scalar or the text
	ahead  uint32
	below  []string // path inside a text leaf
	leaf   bool     // the column is a text leaf
	pieces []piece  // of an object or array
	// members of an object, for maps.
	members []memberPlan
}

// piece is literal text and the value behind it.
type piece struct {
	text   string // as it is
	dense  string // without white space between tokens
	column int    // −1: none
	ahead  uint32
}

type memberPlan struct {
	key string
	variant
}

type advance struct {
	column uint32
	n      uint32
}

var absent = variant{kind: None, column: -1}

// plan returns the plan of a path; members says that it must hold the members of objects.
func (r *Reader) plan(ctx context.Context, p PathID, members bool) (*plan, error) {
	d, err := r.directory(ctx)
	if err != nil {
		return nil, err
	}
	if int(p) >= len(d.parent) {
		return nil, fmt.Errorf("path %d is not of this segment", p)
	}
	what := uint32(cachedPlan)
	if members {
		what = cachedMembers
	}
	k := r.key(what, uint32(p))
	if pl, ok := r.cache.get(k).(*plan); ok && pl.d == d {
		return pl, nil
	}
	s, err := r.structure(ctx, d)
	if err != nil {
		return nil, err
	}
	pl := &plan{d: d, s: s, node: uint32(p), simple: !members && d.simple(uint32(p))}
	if pl.simple {
		pl.scalars()
	} else if err := pl.general(members); err != nil {
		return nil, r.damaged(d.block(pageEdges), err)
	}
	pl.listAdvances()
	return r.cache.put(k, pl, pl.bytes()).(*plan), nil
}

// simplePlan is plan for those who can do without shapes where every row has a value: reading them, and
// which of them each row has, is much of what a first answer reads.
func (r *Reader) simplePlan(ctx context.Context, p PathID) (*plan, error) {
	d, err := r.directory(ctx)
	if err != nil {
		return nil, err
	}
	if n, ok := d.everywhere(p); ok {
		return &plan{d: d, node: uint32(p), simple: true, columns: []uint32{n}, full: true}, nil
	}
	return r.plan(ctx, p, false)
}

// everywhere returns the one column at a path if each row has exactly one value of it. There is at most one value
// at a simple path, so a row block with as many values as rows has one in each.
func (d *directory) everywhere(p PathID) (column uint32, ok bool) {
	if p&invented != 0 || int(p) >= len(d.parent) || !d.simple(uint32(p)) {
		return 0, false
	}
	from, to := d.columnsAt(uint32(p))
	if to-from != 1 || d.columns[from].encoding == encTiny || int(d.columns[from].n) != d.rows {
		return 0, false
	}
	for b, start := range d.groups[d.detail(&d.columns[from]).group] {
		if int(start) != min(b*BlockRows, d.rows) {
			return 0, false
		}
	}
	return uint32(from), true
}

// simple reports whether the path only ever holds scalars and nulls, at most
// one in a record and all in columns of its own.
func (d *directory) simple(node uint32) bool {
	if node == 0 || d.flags[node]&(nodeObject|nodeArray) != 0 || d.hasText(node) {
		return false
	}
	for n := node; n != 0; n = d.parent[n] {
		if d.flags[n]&nodeTwice != 0 || d.hasText(d.parent[n]) {
			return false
		}
		// A scalar where the path goes on is no trouble: without repeated keys
		// it means that the record has nothing below.
	}
	return true
}

// hasText reports whether values at the node are kept as text.
func (d *directory) hasText(node uint32) bool {
	from, to := d.columnsAt(node)
	return to > from && d.columns[to-1].kind == leafJSON
}

// scalars fills a simple plan.
func (p *plan) scalars() {
	from, to := p.d.columnsAt(p.node)
	p.variants = append(p.variants, absent)
	for c := from; c < to; c++ {
		p.columns = append(p.columns, uint32(c))
		p.variants = append(p.variants, variant{kind: leafKinds[p.d.columns[c].kind], column: c})
	}
	p.variant = make([]uint32, p.d.shapes)
	for s := range p.variant {
		for _, e := range p.s.shape(uint16(s)) {
			if c := int(p.s.edges[e].to) - 1; c >= from && c < to {
				p.variant[s] = uint32(c-from) + 1
			}
		}
	}
}

// general fills a plan by walking all shapes.
func (p *plan) general(members bool) error {
	w := planWalk{plan: p, members: members, count: make([]uint32, len(p.d.columns))}
	for n := p.node; n != 0; n = p.d.parent[n] {
		if p.d.flags[n]&nodeElement != 0 {
			return fmt.Errorf("path %d leads through an array", p.node)
		}
		w.above = append(w.above, p.d.parent[n])
		w.keys = append(w.keys, p.d.key(n))
	}
	for i, j := 0, len(w.keys)-1; i < j; i, j = i+1, j-1 {
		w.keys[i], w.keys[j] = w.keys[j], w.keys[i]
		w.above[i], w.above[j] = w.above[j], w.above[i]
	}
	p.variants = append(p.variants, absent)
	p.variant = make([]uint32, p.d.shapes)
	same := map[string]uint32{}
	matter, err := w.matter()
	if err != nil {
		return err
	}
	// Many shapes differ only elsewhere: they have the same variant.
	alike := map[string]uint32{}
	var part []byte
	for s := range p.variant {
		part = part[:0]
		for _, e := range p.s.shape(uint16(s)) {
			if matter[e] {
				part = append(part, byte(e), byte(e>>8))
			}
		}
		if n, ok := alike[string(part)]; ok {
			p.variant[s] = n
			continue
		}
		v, err := w.shape(uint16(s))
		if err != nil {
			return err
		}
		if len(v.pieces) > 0 {
			p.variant[s] = uint32(len(p.variants))
			alike[string(part)] = p.variant[s]
			p.variants = append(p.variants, v)
			continue
		}
		k := fmt.Sprint(v.kind, v.column, v.ahead, len(v.below), v.leaf)
		n, ok := same[k]
		if !ok {
			if n = uint32(len(p.variants)); v.kind == None && v.column < 0 {
				n = 0
			} else {
				p.variants = append(p.variants, v)
			}
			same[k] = n
		}
		p.variant[s] = n
		alike[string(part)] = n
	}
	return nil
}

// planWalk finds the value of a path in shapes.
type planWalk struct {
	*plan
	members bool
	above   []uint32 // the nodes above the path, from the record down
	keys    []string // keys[i] leads from above[i] on
	count   []uint32 // values of each column up to here
	touched []int
}

// matter tells which edges say something of the path, of what is below it or of what it
// is in: the variant of a shape depends on no others.
func (w *planWalk) matter() ([]bool, error) {
	at := func(node uint32) bool {
		return node >= w.node && node < w.d.last[w.node] || w.level(node) >= 0
	}
	out := make([]bool, len(w.s.edges))
	for e := range out {
		events, err := w.s.eventsOf(uint16(e))
		if err != nil {
			return nil, err
		}
		to := int(w.s.edges[e].to) - 1
		out[e] = to >= 0 && at(w.d.columns[to].node) || slices.ContainsFunc(events, func(ev event) bool { return at(ev.node) })
	}
	return out, nil
}

// level returns the index of a node above the path, or −1.
func (w *planWalk) level(node uint32) int {
	if l := len(w.above); l > 0 && node <= w.above[l-1] {
		for i, n := range w.above {
			if n == node {
				return i
			}
		}
	}
	return -1
}

// span is an object or array that is being passed through.
type span struct {
	kind    Kind
	edge    int // index in the shape
	at      uint32
	members []memberPlan
	member  int // of members that is being filled, −1
	start   struct {
		edge int
		at   uint32
		open bool
	}
	memberNode uint32
	counts     map[int]uint32 // values of each column before the span
	inner      map[int]uint32 // the same for the member that is open
}

func (w *planWalk) shape(n uint16) (variant, error) {
	for _, c := range w.touched {
		w.count[c] = 0
	}
	w.touched = w.touched[:0]
	cur := absent
	var open *span
	edges := w.s.shape(n)
	for i, e := range edges {
		events, err := w.s.eventsOf(e)
		if err != nil {
			return cur, err
		}
		for _, ev := range events {
			switch {
			case ev.node == w.node:
				switch ev.op {
				case opNull:
					cur, open = variant{kind: Null, column: -1}, nil
				case opEmptyObject:
					cur, open = variant{kind: Object, column: -1}, nil
					cur.pieces = w.pieces(edges, i, ev.from, i, ev.to, nil)
				case opEmptyArray:
					cur, open = variant{kind: Array, column: -1}, nil
					cur.pieces = w.pieces(edges, i, ev.from, i, ev.to, nil)
				case opOpenObject, opOpenArray:
					kind := Object
					if ev.op == opOpenArray {
						kind = Array
					}
					open = &span{kind: kind, edge: i, at: ev.from, member: -1, counts: w.snapshot(w.node)}
				case opClose:
					if open == nil {
						return cur, errPage
					}
					cur = variant{kind: open.kind, column: -1, members: open.members}
					cur.pieces = w.pieces(edges, open.edge, open.at, i, ev.to, open.counts)
					open = nil
				}
			case open != nil:
				if w.members && open.kind == Object {
					w.memberEvent(open, edges, i, ev)
				}
			case ev.op <= opOpenArray && w.level(ev.node) >= 0:
				cur = absent
			}
		}
		to := int(w.s.edges[e].to) - 1
		if to < 0 {
			break
		}
		c := &w.d.columns[to]
		switch {
		case open != nil:
			if w.members && open.kind == Object && c.node == open.memberNode && open.member >= 0 {
				open.members[open.member].variant = w.scalar(to)
			}
		case c.node == w.node:
			cur = w.scalar(to)
		default:
			if l := w.level(c.node); l >= 0 {
				cur = absent
				if c.kind == leafJSON {
					cur = w.scalar(to)
					cur.below = w.keys[l:]
				}
			}
		}
		if w.count[to] == 0 {
			w.touched = append(w.touched, to)
		}
		w.count[to]++
	}
	return cur, nil
}

// scalar is the variant of the value of a column that comes next.
func (w *planWalk) scalar(column int) variant {
	v := variant{kind: leafKinds[w.d.columns[column].kind], column: column, ahead: w.count[column]}
	if w.d.columns[column].kind == leafJSON {
		v.kind, v.leaf = None, true
	}
	return v
}

// memberEvent follows the members of the object that is the value.
func (w *planWalk) memberEvent(o *span, edges []uint16, i int, ev event) {
	if ev.op == opMember && w.d.parent[ev.node] == w.node {
		key := w.d.key(ev.node)
		for k := range o.members {
			if o.members[k].key == key {
				o.members = append(o.members[:k], o.members[k+1:]...)
				break
			}
		}
		o.members = append(o.members, memberPlan{key: key, variant: absent})
		o.member, o.memberNode = len(o.members)-1, ev.node
		return
	}
	if o.member < 0 || ev.node != o.memberNode {
		return
	}
	m := &o.members[o.member]
	switch ev.op {
	case opNull:
		m.variant = variant{kind: Null, column: -1}
	case opEmptyObject, opEmptyArray:
		m.variant = variant{kind: Object, column: -1, pieces: w.pieces(edges, i, ev.from, i, ev.to, nil)}
		if ev.op == opEmptyArray {
			m.kind = Array
		}
	case opOpenObject, opOpenArray:
		o.start.edge, o.start.at, o.start.open = i, ev.from, true
		o.inner = w.snapshot(ev.node)
		m.variant = variant{kind: Object, column: -1}
		if ev.op == opOpenArray {
			m.kind = Array
		}
	case opClose:
		if o.start.open {
			m.pieces = w.pieces(edges, o.start.edge, o.start.at, i, ev.to, o.inner)
			o.start.open = false
		}
	}
}

// snapshot notes how many values the columns below a node have had.
func (w *planWalk) snapshot(node uint32) map[int]uint32 {
	var m map[int]uint32
	from, to := w.d.columnsIn(node, w.d.last[node])
	for _, c := range w.touched {
		if c >= from && c < to {
			if m == nil {
				m = map[int]uint32{}
			}
			m[c] = w.count[c]
		}
	}
	return m
}

// pieces cuts the part of a shape from a place in one literal to a place in another.
func (w *planWalk) pieces(edges []uint16, i int, from uint32, j int, to uint32, counts map[int]uint32) []piece {
	out := make([]piece, 0, j-i+1)
	var had map[int]uint32
	inString := false
	for k := i; k <= j; k++ {
		e := &w.s.edges[edges[k]]
		text := w.s.literal(e)
		end := uint32(len(text))
		if k == j {
			end = to
		}
		start := uint32(0)
		if k == i {
			start = from
		}
		p := piece{text: text[start:end], column: -1}
		p.dense = p.text
		if strings.ContainsAny(p.text, " \n\t\r") {
			b, _ := appendCompact(nil, []byte(p.text), inString)
			p.dense = string(b)
		}
		if k < j {
			p.column = int(e.to) - 1
			if had == nil {
				had = map[int]uint32{}
			}
			p.ahead = counts[p.column] + had[p.column]
			had[p.column]++
			inString = w.d.columns[p.column].kind == leafString
		}
		out = append(out, p)
	}
	return out
}

// listAdvances lists which columns of the variants every shape passes.
func (p *plan) listAdvances() {
	used := make([]bool, len(p.d.columns))
	var use func(column int)
	use = func(column int) {
		if column < 0 {
			return
		}
		used[column] = true
		if c := &p.d.columns[column]; c.encoding == encDerived {
			used[p.d.detail(c).source] = true
		} else if c.built() {
			for _, s := range p.d.detail(c).sources {
				use(s)
			}
		}
	}
	note := func(v *variant) {
		use(v.column)
		for _, pc := range v.pieces {
			use(pc.column)
		}
	}
	for i := range p.variants {
		note(&p.variants[i])
		for k := range p.variants[i].members {
			note(&p.variants[i].members[k].variant)
		}
	}
	count := make([]uint32, len(p.d.columns))
	p.advances = make([]uint32, p.d.shapes)
	for s := range p.advances {
		from := len(p.advance)
		for _, e := range p.s.shape(uint16(s)) {
			to := int(p.s.edges[e].to) - 1
			if to < 0 || !used[to] {
				continue
			}
			if count[to] == 0 {
				p.advance = append(p.advance, advance{column: uint32(to)})
			}
			count[to]++
		}
		for k := from; k < len(p.advance); k++ {
			a := &p.advance[k]
			a.n, count[a.column] = count[a.column], 0
		}
		p.advances[s] = uint32(len(p.advance))
	}
}

func (p *plan) passed(s uint16) []advance {
	from := uint32(0)
	if s > 0 {
		from = p.advances[s-1]
	}
	return p.advance[from:p.advances[s]]
}

func (p *plan) bytes() int64 {
	n := int64(len(p.variant))*8 + int64(cap(p.advance))*8 + 256
	add := func(v *variant) {
		n += 160 + int64(len(v.pieces))*48
		for i := range v.pieces {
			if pc := &v.pieces[i]; len(pc.dense) != len(pc.text) {
				n += int64(len(pc.dense))
			}
		}
	}
	for i := range p.variants {
		add(&p.variants[i])
		for k := range p.variants[i].members {
			add(&p.variants[i].members[k].variant)
		}
	}
	return n
}
