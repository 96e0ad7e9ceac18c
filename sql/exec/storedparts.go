package exec

import (
	"math/bits"
	"slices"
	"sync/atomic"

	"github.com/cairndb/cairn/segment/column"
)

// Groups of many units, put together.
//
// What units store is small: times cut to a minute or an hour, and text of few different
// values. So the keys of a query are numbered, each within what all units have of it, and a
// group is one number of at most 64 bits, the digits of its keys; finding it takes one look.
// Where a key does not fall from one stored group of a unit to the next, as the time of groups
// that stand in the order of plan.View.Order, all groups are cut into stretches of that key, whose groups
// are different: each is put together by itself, in a table that fits into a processor's
// cache.

// storedPart is the stored groups of one unit that meet the conditions of a query.
type storedPart struct {
	f    *frame // nil for none
	keys []*column.Vector
	// rising are, by key, the values of an integer key if they never fall; nil for others.
	rising [][]int64
	// places are, by key, the number of each entry of its dictionary.
	places [][]uint64
	// tupled are keys that have the same codes, and by code what all of them add to the number
	// of a group; the keys that are alone are others.
	tupled []tupledKeys
	others []int
}

// tupledKeys are keys of a part whose values are entries of the same codes: what comes together is
// stored once, and looked at once.
type tupledKeys struct {
	codes  []uint32
	keys   []int
	digits []int64
}

// findTupled looks for keys that have the same codes.
func (p *storedPart) findTupled() {
	for k, v := range p.keys {
		if v.Const || v.Dict == nil || v.Nulls.Any() || len(v.Codes) == 0 {
			p.others = append(p.others, k)
			continue
		}
		at := slices.IndexFunc(p.tupled, func(t tupledKeys) bool { return &t.codes[0] == &v.Codes[0] && len(t.codes) == len(v.Codes) })
		if at < 0 {
			at = len(p.tupled)
			p.tupled = append(p.tupled, tupledKeys{codes: v.Codes})
		}
		p.tupled[at].keys = append(p.tupled[at].keys, k)
	}
}

// alone takes a key out of those with the same codes.
func (p *storedPart) alone(k int) {
	for i := range p.tupled {
		p.tupled[i].keys = slices.DeleteFunc(p.tupled[i].keys, func(x int) bool { return x == k })
	}
	p.tupled = slices.DeleteFunc(p.tupled, func(t tupledKeys) bool { return len(t.keys) == 0 })
	if !slices.Contains(p.others, k) {
		p.others = append(p.others, k)
	}
}

// addDigits sums up what keys with the same codes add.
func (p *storedPart) addDigits(digits []keyDigit) {
	for i := range p.tupled {
		t := &p.tupled[i]
		// Dictionaries of the same codes may differ in length: one that an expression has made can have an
		// entry more, for NULL.
		longest := 0
		for _, k := range t.keys {
			longest = max(longest, len(p.places[k]))
		}
		t.digits = make([]int64, longest)
		for _, k := range t.keys {
			for code, place := range p.places[k] {
				t.digits[code] |= int64(place << digits[k].shift)
			}
		}
	}
}

// add adds the keys' digits to the numbers of the groups from place from on.
func (t *tupledKeys) add(numbers []int64, from int) {
	for i, c := range t.codes[from : from+len(numbers)] {
		numbers[i] |= t.digits[c]
	}
}

// partReader reads the parts; part i is that of task i.
type partReader struct {
	op    *aggregateOp
	parts []storedPart
	unfit *atomic.Bool
}

func (r *partReader) take(*worker, int, *frame) error { return nil }

func (r *partReader) runTask(w *worker, number int, t task) error {
	op, s := r.op, r.op.stored
	if r.unfit.Load() {
		return nil
	}
	was := w.enter(&op.stats)
	defer w.enter(was)
	unit := t.(*unitTask).unit()
	u, ok := s.has(w.q, unit)
	if !ok || op.byCounts && s.counts(w.q, unit, op.counted) {
		r.unfit.Store(true)
		return nil
	}
	f, ok, err := s.frame(w, u)
	if err != nil {
		return err
	}
	if !ok {
		r.unfit.Store(true)
		return nil
	}
	if f != nil {
		if f, err = narrow(w, s.filter, f); err != nil {
			return err
		}
	}
	p := &r.parts[number]
	if p.f = f; f == nil {
		return nil
	}
	for slot := range f.cols { // other workers will only read them
		if !s.need[slot] {
			continue
		}
		if _, err := f.col(w, slot); err != nil {
			return err
		}
	}
	p.keys, p.rising, p.places = make([]*column.Vector, len(s.keys)), make([][]int64, len(s.keys)), make([][]uint64, len(s.keys))
	for i, k := range s.keys {
		v, err := k.eval(w, f)
		if err != nil {
			return err
		}
		if p.keys[i] = v; numbered(v.Type) && !v.Const && v.Dict == nil && len(v.I64) >= v.Len && !v.Nulls.Any() && slices.IsSorted(v.I64[:v.Len]) {
			p.rising[i] = v.I64[:v.Len]
		}
	}
	p.findTupled()
	return nil
}

// numbered reports whether the values of a type are integers and nothing else.
func numbered(t *column.Type) bool {
	return t.Payload() == column.PayloadI64 && t.Kind != column.TimestampTZ
}

// keyDigit is one key's part of the number of a group.
type keyDigit struct {
	typ   *column.Type
	shift uint
	mask  uint64
	// dict has the values of a key that has dictionaries; nil for integers, which are steps from the least of
	// them, and 1 more where NULL is among them, which is 0.
	dict  *column.Vector
	least int64
	step  uint64
	nulls uint64
}

// digitsOf numbers the keys of all parts. ok is false when they do not fit, or are no such
// keys.
func digitsOf(types []*column.Type, parts []storedPart) (digits []keyDigit, ok bool) {
	digits = make([]keyDigit, len(types))
	shift := 0
	// The last key is the lowest digit.
	for k := len(types) - 1; k >= 0; k-- {
		d := &digits[k]
		d.typ = types[k]
		var most uint64
		coded := func(p storedPart) bool { return p.f == nil || p.keys[k].Const || p.keys[k].Dict != nil }
		if numbered(d.typ) && !slices.ContainsFunc(parts, func(p storedPart) bool { return !coded(p) }) {
			most, ok = d.entries(parts, k)
		} else if numbered(d.typ) {
			most, ok = d.ints(parts, k)
		} else {
			most, ok = d.entries(parts, k)
		}
		if !ok {
			return nil, false
		}
		width := bits.Len64(most)
		if d.shift, d.mask = uint(shift), 1<<uint(width)-1; shift+width > 64 {
			return nil, false
		}
		shift += width
	}
	return digits, true
}

// ints finds the range and the steps of an integer key.
func (d *keyDigit) ints(parts []storedPart, k int) (most uint64, ok bool) {
	first := true
	var greatest int64
	each := func(fn func(list []int64, v *column.Vector)) {
		for i := range parts {
			p := &parts[i]
			if p.f == nil {
				continue
			}
			v := p.keys[k]
			if v.Const {
				leaf, j := v.Leaf(0)
				one := &column.Vector{Type: v.Type, Len: 1, I64: leaf.I64[j : j+1]}
				if v.IsNull(0) {
					one.SetNull(0)
				}
				v = one
			} else if v.Dict != nil {
				v = column.Flatten(v)
				p.keys[k] = v
				p.alone(k)
			}
			if v.Nulls.Any() {
				d.nulls = 1
			}
			fn(v.I64[:v.Len], v)
		}
	}
	each(func(list []int64, v *column.Vector) {
		nulls := v.Nulls.Any()
		for i, x := range list {
			if nulls && v.Nulls.Get(i) {
				continue
			}
			if first {
				d.least, greatest, first = x, x, false
			}
			d.least, greatest = min(d.least, x), max(greatest, x)
		}
	})
	divisor := uint64(0)
	each(func(list []int64, v *column.Vector) {
		nulls := v.Nulls.Any()
		last := d.least
		for i, x := range list {
			if x == last || divisor == 1 || nulls && v.Nulls.Get(i) {
				continue
			}
			last = x
			n := uint64(x) - uint64(d.least)
			if divisor != 0 && n%divisor == 0 {
				continue
			}
			for n != 0 { // Euclid's
				divisor, n = n, divisor%n
			}
		}
	})
	d.step = max(divisor, 1)
	most = (uint64(greatest)-uint64(d.least))/d.step + d.nulls
	return most, most < 1<<62
}

// entries numbers the dictionaries of a key.
func (d *keyDigit) entries(parts []storedPart, k int) (most uint64, ok bool) {
	in := newInterner(d.typ)
	for i := range parts {
		p := &parts[i]
		if p.f == nil {
			continue
		}
		v := p.keys[k]
		dict := v
		switch {
		case v.Const:
			dict = v.Slice(0, 1)
		case v.Dict != nil && !v.Nulls.Any():
			dict = v.Dict
		default:
			return 0, false
		}
		out := make([]uint32, dict.Len)
		in.numbers(dict, out)
		p.places[k] = make([]uint64, dict.Len)
		for e, n := range out {
			p.places[k][e] = uint64(n)
		}
	}
	if in.n == 0 {
		return 0, false
	}
	most = uint64(in.n - 1)
	d.dict = in.vector()
	return most, true
}

// add adds the key's digit to the numbers of the groups of a part from place from on.
func (d *keyDigit) add(numbers []int64, v *column.Vector, places []uint64, from int) {
	if v.Const {
		x := uint64(0)
		if d.dict != nil {
			x = places[0]
		} else if leaf, j := v.Leaf(0); !v.IsNull(0) {
			x = (uint64(leaf.I64[j])-uint64(d.least))/d.step + d.nulls
		}
		for i := range numbers {
			numbers[i] |= int64(x << d.shift)
		}
		return
	}
	if d.dict != nil {
		for i, c := range v.Codes[from : from+len(numbers)] {
			numbers[i] |= int64(places[c] << d.shift)
		}
		return
	}
	list := v.I64[from : from+len(numbers)]
	if d.nulls == 1 && v.Nulls.Any() {
		for i, x := range list {
			if !v.Nulls.Get(from + i) {
				numbers[i] |= int64(((uint64(x)-uint64(d.least))/d.step + 1) << d.shift)
			}
		}
		return
	}
	// Equal values follow each other where groups are ordered, and dividing takes longest.
	last, digit := d.least, d.nulls<<d.shift
	for i, x := range list {
		if x != last {
			last, digit = x, ((uint64(x)-uint64(d.least))/d.step+d.nulls)<<d.shift
		}
		numbers[i] |= int64(digit)
	}
}

// vector returns the key of the groups of the given numbers.
func (d *keyDigit) vector(numbers []int64) *column.Vector {
	v := &column.Vector{Type: d.typ, Len: len(numbers)}
	if d.dict != nil {
		v.Dict, v.Codes = d.dict, make([]uint32, len(numbers))
		for i, n := range numbers {
			v.Codes[i] = uint32(uint64(n) >> d.shift & d.mask)
		}
		return v
	}
	v.I64 = make([]int64, len(numbers))
	for i, n := range numbers {
		x := uint64(n) >> d.shift & d.mask
		if x < d.nulls {
			v.SetNull(i)
			continue
		}
		v.I64[i] = int64(uint64(d.least) + (x-d.nulls)*d.step)
	}
	return v
}

// numberTable gives the numbers of groups places in the order of their first coming.
type numberTable struct {
	made []int64
	// at has 1 + the place of a number, where there are few numbers; else table.
	at    []uint32
	table intTable
}

// directMost is up to how many numbers are looked up in an array if there are fewer rows:
// it fits into a processor's cache.
const directMost = 1 << 18

func newNumberTable(most uint64, rows int) *numberTable {
	t := &numberTable{}
	if most < directMost && most/8 <= uint64(rows) {
		t.at = make([]uint32, most+1)
	} else {
		t.table.reserve(min(rows, stretchRows))
	}
	t.made = make([]int64, 0, min(uint64(rows), most, stretchRows))
	return t
}

// places writes the places of numbers to out.
func (t *numberTable) places(numbers []int64, out []uint32) {
	if t.at != nil {
		for i, n := range numbers {
			p := t.at[n]
			if p == 0 {
				t.made = append(t.made, n)
				p = uint32(len(t.made))
				t.at[n] = p
			}
			out[i] = p - 1
		}
		return
	}
	for i, n := range numbers {
		p, added := t.table.number(n)
		if added {
			t.made = append(t.made, n)
		}
		out[i] = p
	}
}

// stretchRows is about how many stored groups are put together at a time: few enough for
// a processor's cache, many enough to be worth a table.
const stretchRows = 32 << 10

// stretches cuts the groups of all parts where key falls: list[i] is where stretch i begins
// in each part, and the last where the last one ends. Without such a key (-1) it is one.
func stretches(parts []storedPart, key int) (list [][]int) {
	rows := 0
	begin, end := make([]int, len(parts)), make([]int, len(parts))
	for i := range parts {
		if f := parts[i].f; f != nil {
			rows += f.n
			end[i] = f.n
		}
	}
	list = append(list, begin)
	if n := rows / stretchRows; key >= 0 && n > 1 {
		const every = 256
		var some []int64
		for i := range parts {
			if parts[i].f == nil {
				continue
			}
			for k, x := range parts[i].rising[key] {
				if k%every == 0 {
					some = append(some, x)
				}
			}
		}
		slices.Sort(some)
		for c := 1; c < n; c++ {
			x := some[c*len(some)/n]
			cut := make([]int, len(parts))
			for i := range parts {
				if parts[i].f != nil {
					cut[i], _ = slices.BinarySearch(parts[i].rising[key], x)
				}
			}
			if !slices.Equal(cut, list[len(list)-1]) {
				list = append(list, cut)
			}
		}
	}
	return append(list, end)
}

// stretchGrouper makes the groups of stretches; task i is stretch i.
type stretchGrouper struct {
	op     *aggregateOp
	parts  []storedPart
	digits []keyDigit
	cuts   [][]int
	time   int
	made   []*keptPiece
	held   account
}

func (g *stretchGrouper) take(*worker, int, *frame) error { return nil }

func (g *stretchGrouper) runTask(w *worker, number int, _ task) error {
	was := w.enter(&g.op.stats)
	defer w.enter(was)
	k, err := g.stretch(w, g.cuts[number], g.cuts[number+1])
	if err != nil || k == nil {
		return err
	}
	g.made[number] = k
	return g.held.hold(g.held.held + k.bytes())
}

func (g *stretchGrouper) stretch(w *worker, from, to []int) (*keptPiece, error) {
	rows := 0
	for i := range from {
		rows += to[i] - from[i]
	}
	if rows == 0 {
		return nil, nil
	}
	most := uint64(0)
	for i := range g.digits {
		most |= g.digits[i].mask << g.digits[i].shift
	}
	table := newNumberTable(most, rows)
	states := g.op.newGroups(w.q)
	defer states.mem.release()
	var numbers []int64
	for i := range g.parts {
		p, n := &g.parts[i], to[i]-from[i]
		if n == 0 {
			continue
		}
		if err := w.q.live(); err != nil {
			return nil, err
		}
		numbers = slices.Grow(numbers[:0], n)[:n]
		clear(numbers)
		for _, k := range p.others {
			g.digits[k].add(numbers, p.keys[k], p.places[k], from[i])
		}
		for k := range p.tupled {
			p.tupled[k].add(numbers, from[i])
		}
		states.of = slices.Grow(states.of[:0], n)[:n]
		table.places(numbers, states.of)
		for _, acc := range states.accs {
			acc.Grow(len(table.made))
		}
		f := p.f
		if n < f.n {
			f = f.between(from[i], to[i])
		}
		if err := states.loadStates(w, f); err != nil {
			return nil, err
		}
		if err := states.charge(); err != nil {
			return nil, err
		}
	}
	keys := make([]*column.Vector, len(g.digits))
	for k := range keys {
		keys[k] = g.digits[k].vector(table.made)
	}
	k, err := states.kept(w.q, keys)
	if err == nil && g.time >= 0 {
		k.timed(g.time)
	}
	return k, err
}

// partsShare is the part of a query's memory that the groups of units may take as parts.
const partsShare = 4

// inParts groups what units store; found is nil when that cannot be done.
func (op *aggregateOp) inParts(q *query, tasks []task) (found *keptGroups, err error) {
	if len(op.keys) == 0 {
		return nil, nil
	}
	parts, unfit := make([]storedPart, len(tasks)), &atomic.Bool{}
	if _, err := runAll(q, tasks, func() *partReader { return &partReader{op, parts, unfit} }); err != nil || unfit.Load() {
		return nil, err
	}
	// Of a stored group the number of its tuple, its time and its states, of what comes of it its
	// keys, of which those with dictionaries are codes, its states and results.
	width := int64(12)
	for _, t := range op.types {
		if width += 8; t.Payload() == column.PayloadStr {
			width -= 4
		}
	}
	for i := range op.aggs {
		width += 24 * int64(len(op.aggs[i].fn.New().StateTypes()))
	}
	rows := int64(0)
	for i := range parts {
		if f := parts[i].f; f != nil {
			rows += int64(f.n)
		}
	}
	if rows == 0 || q.mem.limit >= 0 && width*rows > q.mem.limit/partsShare {
		return nil, nil
	}
	digits, ok := digitsOf(op.types, parts)
	if !ok {
		return nil, nil
	}
	for i := range parts {
		parts[i].addDigits(digits)
	}
	time := risingKey(parts, len(op.keys))
	cuts := stretches(parts, time)
	made := make([]*keptPiece, len(cuts)-1)
	sinks, err := runAll(q, make([]task, len(made)), func() *stretchGrouper {
		return &stretchGrouper{op: op, parts: parts, digits: digits, cuts: cuts, time: time, made: made,
			held: account{m: q.mem, what: "GROUP BY", todo: "group by fewer distinct values, filter more rows, or raise the budget"}}
	})
	for _, s := range sinks {
		s.held.release()
	}
	if err != nil {
		return nil, err
	}
	op.stored.taken.Add(int64(len(tasks)))
	for i, t := range tasks {
		if f := parts[i].f; f != nil {
			t.(*unitTask).op.stats.emitted(f.n)
		}
	}
	return &keptGroups{parts: slices.DeleteFunc(made, func(k *keptPiece) bool { return k == nil }), time: time}, nil
}

// risingKey returns the first key that falls in none of the parts, -1 for none.
func risingKey(parts []storedPart, keys int) int {
	for k := range keys {
		if !slices.ContainsFunc(parts, func(p storedPart) bool { return p.f != nil && p.rising[k] == nil }) {
			return k
		}
	}
	return -1
}

// between returns the frame of the rows from one place up to another.
func (f *frame) between(from, to int) *frame {
	return &frame{n: to - from, cols: make([]*column.Vector, len(f.cols)), src: &stretch{f, from, to}}
}

// stretch loads the columns of neighbouring rows of another frame.
type stretch struct {
	of       *frame
	from, to int
}

func (s *stretch) load(w *worker, slot int) (*column.Vector, error) {
	v, err := s.of.col(w, slot)
	if err != nil {
		return nil, err
	}
	return v.Slice(s.from, s.to), nil
}

func (s *stretch) loadAt(w *worker, slot int, at []int32) (*column.Vector, error) {
	inner := make([]int32, len(at))
	for i, p := range at {
		inner[i] = int32(s.from) + p
	}
	return s.of.colAt(w, slot, inner)
}
