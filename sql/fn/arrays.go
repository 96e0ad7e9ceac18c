package fn

import (
	"math/rand/v2"
	"slices"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/sqlerr"
)

// maxArrayElements is the longest array that a function makes out of small
// arguments (sequence, repeat, combinations).
const maxArrayElements = 1 << 20

func arrayTooLong(name string) error {
	return fault(sqlerr.ProgramLimit, "the result of %s has more than %d elements", name, maxArrayElements)
}

// elementStep is the work, in bytes, that copying an element counts for.
const elementStep = 64

// pushElements appends the elements of the array in row i to the open array.
func pushElements(p *pacer, out, a *column.Vector, i int) {
	from, to := span(a, i)
	for e := from; e < to; e++ {
		p.tick(elementStep)
		push(out.Children[0], a.Children[0], e)
	}
}

var concatArrays = emit(func(c *Context, out *column.Vector, args []*column.Vector, i int) error {
	p := &pacer{c: c}
	for _, a := range args {
		pushElements(p, out, a, i)
	}
	pushEnd(out)
	return nil
})

var reverseArray = emit(func(c *Context, out *column.Vector, args []*column.Vector, i int) error {
	from, to := span(args[0], i)
	p := &pacer{c: c}
	for e := to - 1; e >= from; e-- {
		p.tick(elementStep)
		push(out.Children[0], args[0].Children[0], e)
	}
	pushEnd(out)
	return nil
})

// distinctSet finds elements that are not distinct among those added, without
// hashing while there are few.
type distinctSet struct {
	pace   *pacer
	v      *column.Vector
	at     []int
	byHash map[uint64][]int
}

// fewElements is up to where comparing all pairs is faster than hashing.
const fewElements = 12

// setWork is what looking up an element costs.
const setWork = 4 * rowWork

// has reports whether element i of v is in the set.
func (d *distinctSet) has(v *column.Vector, i int) bool { return d.find(v, i) >= 0 }

// find returns the element of the set that element i of v is equal to, -1 for none.
func (d *distinctSet) find(v *column.Vector, i int) int {
	d.pace.tick(setWork)
	candidates := d.at
	if d.byHash != nil {
		candidates = d.byHash[HashAt(v, i)]
	}
	for _, j := range candidates {
		if EqualAt(v, i, d.v, j) {
			return j
		}
	}
	return -1
}

// add adds element i of the set's vector; false when it was there.
func (d *distinctSet) add(i int) bool {
	if d.has(d.v, i) {
		return false
	}
	d.at = append(d.at, i)
	switch {
	case d.byHash != nil:
		h := HashAt(d.v, i)
		d.byHash[h] = append(d.byHash[h], i)
	case len(d.at) > fewElements:
		d.byHash = make(map[uint64][]int, 2*len(d.at))
		for _, j := range d.at {
			h := HashAt(d.v, j)
			d.byHash[h] = append(d.byHash[h], j)
		}
	}
	return true
}

func setOf(p *pacer, a *column.Vector, i int) *distinctSet {
	d := &distinctSet{pace: p, v: a.Children[0]}
	from, to := span(a, i)
	for e := from; e < to; e++ {
		d.add(e)
	}
	return d
}

// pushDistinct appends, once each, the elements of array i that keep accepts.
func pushDistinct(p *pacer, out, a *column.Vector, i int, keep func(e int) bool) {
	d := setOf(p, a, i)
	for _, e := range d.at {
		if keep == nil || keep(e) {
			p.tick(elementStep)
			push(out.Children[0], a.Children[0], e)
		}
	}
}

// contains is three-valued: with a NULL in the array an absent value is unknown.
func containsValue(a *column.Vector, i int, x *column.Vector, j int) ternary {
	from, to := span(a, i)
	result := isFalse
	for e := from; e < to; e++ {
		switch equalTernary(a.Children[0], e, x, j) {
		case isTrue:
			return isTrue
		case isUnknown:
			result = isUnknown
		}
	}
	return result
}

// perRow makes a kernel of a function of the arguments and a row that gives an
// integer, boolean or NULL.
func perRow(f func(args []*column.Vector, i int) (x int64, ok bool, err error)) kernel {
	return perRowPaced(func(_ *pacer, args []*column.Vector, i int) (int64, bool, error) { return f(args, i) })
}

// perRowPaced is perRow of a function that ticks.
func perRowPaced(f func(p *pacer, args []*column.Vector, i int) (x int64, ok bool, err error)) kernel {
	return func(c *Context, t *column.Type, args []*column.Vector, n int) (*column.Vector, error) {
		v, out := made[int64](t, n)
		pace := &pacer{c: c}
		skip := unionNulls(args)
		for i := range out {
			if skip.Get(i) {
				continue
			}
			pace.tick(rowWork)
			x, ok, err := f(pace, args, i)
			if err != nil {
				return nil, err
			}
			if !ok {
				v.SetNull(i)
			}
			out[i] = x
		}
		return v, nil
	}
}

func perRowTernary(f func(p *pacer, args []*column.Vector, i int) ternary) kernel {
	return perRowPaced(func(p *pacer, args []*column.Vector, i int) (int64, bool, error) {
		t := f(p, args, i)
		return truth(t == isTrue), t != isUnknown, nil
	})
}

// extremeElement returns the position of the largest (sign 1) or smallest
// (sign -1) element, or ok false when there is none or one is NULL.
func extremeElement(a *column.Vector, i, sign int) (int, bool) {
	from, to := span(a, i)
	best := from
	for e := from; e < to; e++ {
		if a.Children[0].IsNull(e) {
			return 0, false
		}
		if sign*Compare(a.Children[0], e, a.Children[0], best) > 0 {
			best = e
		}
	}
	return best, to > from
}

func extremeOfArray(sign int) func(args []*column.Type) (*column.Type, kernel, error) {
	return func(args []*column.Type) (*column.Type, kernel, error) {
		if !CanOrder(args[0].Elem) {
			return nil, nil, fault(sqlerr.DatatypeMismatch, "values of type %s have no order", args[0].Elem)
		}
		return args[0].Elem, func(_ *Context, t *column.Type, args []*column.Vector, n int) (*column.Vector, error) {
			positions := make([]int32, n)
			for i := range positions {
				positions[i] = -1
				if !args[0].IsNull(i) {
					if e, ok := extremeElement(args[0], i, sign); ok {
						positions[i] = int32(e)
					}
				}
			}
			return pick(args[0].Children[0], positions), nil
		}, nil
	}
}

// orderOf returns the positions of the elements of array i in ascending order,
// NULLs last.
func orderOf(p *pacer, a *column.Vector, i int) []int {
	from, to := span(a, i)
	order := make([]int, to-from)
	for k := range order {
		order[k] = from + k
	}
	slices.SortStableFunc(order, func(x, y int) int {
		p.tick(rowWork)
		return Compare(a.Children[0], x, a.Children[0], y)
	})
	return order
}

func bindArraySort(args []*column.Type) (*column.Type, kernel, error) {
	if !CanOrder(args[0].Elem) {
		return nil, nil, fault(sqlerr.DatatypeMismatch, "values of type %s have no order", args[0].Elem)
	}
	return nil, emit(func(c *Context, out *column.Vector, args []*column.Vector, i int) error {
		p := &pacer{c: c}
		for _, e := range orderOf(p, args[0], i) {
			p.tick(elementStep)
			push(out.Children[0], args[0].Children[0], e)
		}
		pushEnd(out)
		return nil
	}), nil
}

// joinElements writes the elements with a separator, NULLs left out or replaced.
func joinElements(args []*column.Vector, i int, buf []byte) []byte {
	a, sep := args[0], strAt(args[1], i)
	from, to := span(a, i)
	first := true
	for e := from; e < to; e++ {
		null := a.Children[0].IsNull(e)
		if null && len(args) < 3 {
			continue
		}
		if !first {
			buf = append(buf, sep...)
		}
		first = false
		if null {
			buf = append(buf, strAt(args[2], i)...)
			continue
		}
		leaf, j := a.Children[0].Leaf(e)
		switch leaf.Type.Kind {
		case column.Double:
			buf = appendScientific(buf, leaf.F64[j], 64)
		case column.Real:
			buf = appendScientific(buf, leaf.F64[j], 32)
		default:
			buf = AppendText(buf, leaf, j)
		}
	}
	return buf
}

var arrayJoin = textKernel(func(dst []byte, args []*column.Vector, i int) ([]byte, error) {
	return joinElements(args, i, dst), nil
})

// sliceArray takes length elements from start, which counts from the end when
// negative.
var sliceArray = emit(func(c *Context, out *column.Vector, args []*column.Vector, i int) error {
	from, to := span(args[0], i)
	start, length := intAt(args[1], i), intAt(args[2], i)
	size := int64(to - from)
	switch {
	case start == 0:
		return fault(sqlerr.InvalidArgument, "array positions begin at 1, not 0")
	case length < 0:
		return fault(sqlerr.InvalidArgument, "the length of a slice cannot be negative")
	case start < 0:
		start += size + 1
	}
	if start >= 1 && start <= size {
		first, p := from+int(start)-1, &pacer{c: c}
		for e := first; e < first+int(min(length, size-start+1)); e++ {
			p.tick(elementStep)
			push(out.Children[0], args[0].Children[0], e)
		}
	}
	pushEnd(out)
	return nil
})

// sequence counts from one number or time to another.
func sequence(step func(args []*column.Vector, i int) (int64, bool), next func(x, start, step, k int64) (int64, bool)) kernel {
	return emit(func(_ *Context, out *column.Vector, args []*column.Vector, i int) error {
		from, to := intAt(args[0], i), intAt(args[1], i)
		by, given := step(args, i)
		if !given {
			if by = 1; to < from {
				by = -1
			}
		}
		if by == 0 || by > 0 && to < from || by < 0 && to > from {
			return fault(sqlerr.InvalidArgument, "the step of a sequence must lead from its start to its end")
		}
		// Months are not what the numbers count: those sequences are cut short below.
		if steps := (float64(to) - float64(from)) / float64(by); len(args) < 3 || args[2].Type.Kind != column.IntervalMonth {
			if steps >= maxArrayElements {
				return arrayTooLong("sequence")
			}
		}
		x, ok := from, true
		for k := int64(1); ok && (by > 0 && x <= to || by < 0 && x >= to); k++ {
			if k > maxArrayElements {
				return arrayTooLong("sequence")
			}
			pushInt(out.Children[0], x)
			x, ok = next(x, from, by, k)
		}
		pushEnd(out)
		return nil
	})
}

func combinations(p *pacer, out *column.Vector, a *column.Vector, i int, n int64) error {
	from, to := span(a, i)
	size := int64(to - from)
	if n < 0 || n > 5 {
		return fault(sqlerr.InvalidArgument, "combinations takes 0 to 5 elements at a time, not %d", n)
	}
	lists := out.Children[0]
	chosen := make([]int64, n)
	for k := range chosen {
		chosen[k] = int64(k)
	}
	for count := 0; n <= size; count++ {
		if count > maxArrayElements {
			return arrayTooLong("combinations")
		}
		p.tick(rowWork * int(n+1))
		for _, k := range chosen {
			size := int(column.CopyBytes(a.Children[0], from+int(k), from+int(k)+1))
			if err := p.spend(size); err != nil {
				return err
			}
			if err := p.keep(size); err != nil {
				return err
			}
			push(lists.Children[0], a.Children[0], from+int(k))
		}
		pushEnd(lists)
		k := n - 1
		for k >= 0 && chosen[k] == size-n+k {
			k--
		}
		if k < 0 {
			break
		}
		for chosen[k]++; k+1 < n; k++ {
			chosen[k+1] = chosen[k] + 1
		}
	}
	pushEnd(out)
	return nil
}

func bindZip(args []*column.Type) (*column.Type, kernel, error) {
	fields := make([]column.Field, len(args))
	for i, a := range args {
		if a.Kind != column.Array {
			return nil, nil, fault(sqlerr.UndefinedFunction, "zip takes arrays, not %s", a)
		}
		fields[i].Type = a.Elem
	}
	return column.ArrayOf(column.RowOf(fields...)), emit(func(ctx *Context, out *column.Vector, args []*column.Vector, i int) error {
		p := &pacer{c: ctx}
		longest := 0
		for _, a := range args {
			from, to := span(a, i)
			longest = max(longest, to-from)
		}
		rows := out.Children[0]
		for k := range longest {
			p.tick(elementStep * len(args))
			for c, a := range args {
				if from, to := span(a, i); from+k < to {
					push(rows.Children[c], a.Children[0], from+k)
				} else {
					pushNull(rows.Children[c])
				}
			}
			pushEnd(rows)
		}
		pushEnd(out)
		return nil
	}), nil
}

func addArrays(l *library) {
	family := "array"
	l.scalar(Doc{Name: "cardinality", Family: family, Signature: "cardinality(array or map) → bigint", Summary: "Counts the elements.",
		Example: "cardinality(array[1, 2, 3])", Result: "3"},
		over("array(T)", "bigint", perRow(func(args []*column.Vector, i int) (int64, bool, error) {
			from, to := span(args[0], i)
			return int64(to - from), true, nil
		})),
		over("map(K,V)", "bigint", perRow(func(args []*column.Vector, i int) (int64, bool, error) {
			from, to := span(args[0], i)
			return int64(to - from), true, nil
		})),
		over("varbinary", "bigint", sketchCardinality))
	l.scalar(Doc{Name: "contains", Family: family, Signature: "contains(array, value) → boolean, contains(network, address) → boolean",
		Summary: "Tells whether an array has an element, or a network such as 10.0.0.0/8 an address.", Example: "contains(array['a', 'b'], 'b')", Result: "true"},
		over("array(T), T", "boolean", perRowTernary(func(_ *pacer, args []*column.Vector, i int) ternary { return containsValue(args[0], i, args[1], i) })),
		over("varchar, ipaddress", "boolean", networkContains))
	l.scalar(Doc{Name: "array_position", Family: family, Signature: "array_position(array, value[, instance]) → bigint",
		Summary: "Gives the position of an element, from 1; 0 when it is not there.", Example: "array_position(array['a', 'b'], 'b')", Result: "2"},
		over("array(T), T", "bigint", perRow(func(args []*column.Vector, i int) (int64, bool, error) {
			from, to := span(args[0], i)
			for e := from; e < to; e++ {
				if equalTernary(args[0].Children[0], e, args[1], i) == isTrue {
					return int64(e-from) + 1, true, nil
				}
			}
			return 0, true, nil
		})),
		over("array(T), T, bigint", "bigint", perRow(func(args []*column.Vector, i int) (int64, bool, error) {
			from, to := span(args[0], i)
			instance, step, e := intAt(args[2], i), 1, from
			if instance == 0 {
				return 0, false, fault(sqlerr.InvalidArgument, "the instance to find cannot be 0")
			}
			if instance < 0 {
				instance, step, e = -instance, -1, to-1
			}
			for ; e >= from && e < to; e += step {
				if equalTernary(args[0].Children[0], e, args[1], i) == isTrue {
					if instance--; instance == 0 {
						return int64(e-from) + 1, true, nil
					}
				}
			}
			return 0, true, nil
		})))
	l.scalar(Doc{Name: "array_distinct", Family: family, Signature: "array_distinct(array) → array", Summary: "Leaves out repeated elements.",
		Example: "array_distinct(array[1, 2, 1])", Result: "[1, 2]"},
		over("array(T)", "array(T)", emit(func(c *Context, out *column.Vector, args []*column.Vector, i int) error {
			pushDistinct(&pacer{c: c}, out, args[0], i, nil)
			pushEnd(out)
			return nil
		})))
	l.scalar(Doc{Name: "array_sort", Family: family, Signature: "array_sort(array[, lambda]) → array",
		Summary: "Sorts the elements, NULLs last; a lambda (x, y) gives -1, 0 or 1.", Example: "array_sort(array[3, null, 1])", Result: "[1, 3, null]"},
		overBind("array(T)", "array(T)", bindArraySort))
	l.scalar(Doc{Name: "array_max", Family: family, Signature: "array_max(array) → element", Summary: "Gives the largest element; NULL when one is NULL.",
		Example: "array_max(array[1, 3, 2])", Result: "3"}, overBind("array(T)", "", extremeOfArray(1)))
	l.scalar(Doc{Name: "array_min", Family: family, Signature: "array_min(array) → element", Summary: "Gives the smallest element; NULL when one is NULL.",
		Example: "array_min(array[2, 1, 3])", Result: "1"}, overBind("array(T)", "", extremeOfArray(-1)))
	l.scalar(Doc{Name: "array_join", Family: family, Signature: "array_join(array, separator[, text for NULL]) → varchar",
		Summary: "Writes the elements with a separator; NULLs are left out or replaced.", Example: "array_join(array['a', null, 'b'], '-', '?')", Result: "a-?-b"},
		over("array(T), varchar", "varchar", arrayJoin), over("array(T), varchar, varchar", "varchar", arrayJoin))
	addArraySets(l, family)
	l.scalar(Doc{Name: "shuffle", Family: family, Signature: "shuffle(array) → array", Summary: "Brings the elements into random order."},
		over("array(T)", "array(T)", emit(func(c *Context, out *column.Vector, args []*column.Vector, i int) error {
			order := orderOf(&pacer{c: c}, args[0], i)
			for k := len(order) - 1; k > 0; k-- {
				j := int(random(c) * float64(k+1))
				order[k], order[j] = order[j], order[k]
			}
			for _, e := range order {
				push(out.Children[0], args[0].Children[0], e)
			}
			pushEnd(out)
			return nil
		})).varying())
	l.scalar(Doc{Name: "slice", Family: family, Signature: "slice(array, start, length) → array",
		Summary: "Takes elements from a position, which counts from the end when negative.", Example: "slice(array[1, 2, 3, 4], 2, 2)", Result: "[2, 3]"},
		over("array(T), bigint, bigint", "array(T)", sliceArray))
	l.scalar(Doc{Name: "trim_array", Family: family, Signature: "trim_array(array, count) → array", Summary: "Leaves out elements at the end.",
		Example: "trim_array(array[1, 2, 3], 1)", Result: "[1, 2]"},
		over("array(T), bigint", "array(T)", emit(func(c *Context, out *column.Vector, args []*column.Vector, i int) error {
			from, to := span(args[0], i)
			p := &pacer{c: c}
			n := intAt(args[1], i)
			if n < 0 || n > int64(to-from) {
				return fault(sqlerr.InvalidArgument, "%d elements cannot be taken from an array of %d", n, to-from)
			}
			for e := from; e < to-int(n); e++ {
				p.tick(elementStep)
				push(out.Children[0], args[0].Children[0], e)
			}
			pushEnd(out)
			return nil
		})))
	addSequences(l, family)
	l.scalar(Doc{Name: "repeat", Family: family, Signature: "repeat(value, count) → array", Summary: "Makes an array of one value.",
		Example: "repeat('a', 2)", Result: "[a, a]"},
		over("T, bigint", "array(T)", emitNulls(func(c *Context, out *column.Vector, args []*column.Vector, i int) error {
			if args[1].IsNull(i) {
				pushNull(out)
				return nil
			}
			n := intAt(args[1], i)
			if n > maxArrayElements {
				return arrayTooLong("repeat")
			}
			p, size := pacer{c: c}, int(column.CopyBytes(args[0], i, i+1))
			if err := p.keep(int(max(n, 0)) * size); err != nil {
				return err
			}
			for range n {
				if err := p.spend(size); err != nil {
					return err
				}
				push(out.Children[0], args[0], i)
			}
			pushEnd(out)
			return nil
		})).nulls())
	l.scalar(Doc{Name: "flatten", Family: family, Signature: "flatten(array of arrays) → array", Summary: "Joins the arrays inside an array.",
		Example: "flatten(array[array[1, 2], array[3]])", Result: "[1, 2, 3]"},
		over("array(array(T))", "array(T)", emit(func(c *Context, out *column.Vector, args []*column.Vector, i int) error {
			from, to := span(args[0], i)
			p := &pacer{c: c}
			for e := from; e < to; e++ {
				if inner := args[0].Children[0]; !inner.IsNull(e) {
					leaf, j := inner.Leaf(e)
					pushElements(p, out, leaf, j)
				}
			}
			pushEnd(out)
			return nil
		})))
	l.scalar(Doc{Name: "ngrams", Family: family, Signature: "ngrams(array, n) → array of arrays", Summary: "Gives every run of n neighbours.",
		Example: "ngrams(array[1, 2, 3], 2)", Result: "[[1, 2], [2, 3]]"},
		over("array(T), bigint", "array(array(T))", emit(func(c *Context, out *column.Vector, args []*column.Vector, i int) error {
			from, to := span(args[0], i)
			n := intAt(args[1], i)
			if n < 1 {
				return fault(sqlerr.InvalidArgument, "ngrams takes 1 or more elements at a time, not %d", n)
			}
			size := int(min(n, int64(to-from)))
			if (to-from)*size > maxArrayElements {
				return arrayTooLong("ngrams")
			}
			p := pacer{c: c}
			if err := p.keep(size * int(column.CopyBytes(args[0].Children[0], from, to))); err != nil {
				return err
			}
			for e := from; e+size <= to; e++ {
				if err := p.spend(rowWork * (size + 1)); err != nil {
					return err
				}
				for k := range size {
					push(out.Children[0].Children[0], args[0].Children[0], e+k)
				}
				pushEnd(out.Children[0])
			}
			pushEnd(out)
			return nil
		})))
	l.scalar(Doc{Name: "combinations", Family: family, Signature: "combinations(array, n) → array of arrays", Summary: "Gives every choice of n elements.",
		Example: "combinations(array[1, 2, 3], 2)", Result: "[[1, 2], [1, 3], [2, 3]]"},
		over("array(T), bigint", "array(array(T))", emit(func(c *Context, out *column.Vector, args []*column.Vector, i int) error {
			return combinations(&pacer{c: c}, out, args[0], i, intAt(args[1], i))
		})))
	l.scalar(Doc{Name: "zip", Family: family, Signature: "zip(array, array, ...) → array of rows", Summary: "Pairs the elements of arrays, with NULL where one is shorter.",
		Example: "zip(array[1, 2], array['a'])", Result: "[{field0=1, field1=a}, {field0=2, field1=null}]"},
		overBind("any, any...", "", bindZip))
	l.scalar(Doc{Name: "contains_sequence", Family: family, Signature: "contains_sequence(array, array) → boolean",
		Summary: "Tells whether an array holds another as a run of neighbours.", Example: "contains_sequence(array[1, 2, 3], array[2, 3])", Result: "true"},
		over("array(T), array(T)", "boolean", perRowPaced(func(p *pacer, args []*column.Vector, i int) (int64, bool, error) {
			return truth(containsRun(p, args[0], args[1], i)), true, nil
		})))
}

// containsRun reports whether the array in row i of a has that of b as a run. It
// looks at every element of a at most twice: back tells how much of a match that
// fails is the beginning of another one.
func containsRun(p *pacer, a, b *column.Vector, i int) bool {
	from, to := span(a, i)
	bfrom, bto := span(b, i)
	values, wanted := a.Children[0], b.Children[0]
	n := bto - bfrom
	if n == 0 {
		return true
	}
	if n > to-from {
		return false
	}
	back := make([]int32, n)
	for k, m := 1, 0; k < n; k++ {
		p.tick(rowWork)
		for m > 0 && !EqualAt(wanted, bfrom+k, wanted, bfrom+m) {
			m = int(back[m-1])
		}
		if EqualAt(wanted, bfrom+k, wanted, bfrom+m) {
			m++
		}
		back[k] = int32(m)
	}
	m := 0
	for e := from; e < to; e++ {
		p.tick(rowWork)
		for m > 0 && !EqualAt(values, e, wanted, bfrom+m) {
			m = int(back[m-1])
		}
		if EqualAt(values, e, wanted, bfrom+m) {
			m++
		}
		if m == n {
			return true
		}
	}
	return false
}

func random(c *Context) float64 {
	if c.Rand != nil {
		return c.Rand()
	}
	return rand.Float64()
}

func addArraySets(l *library, family string) {
	l.scalar(Doc{Name: "array_union", Family: family, Signature: "array_union(a, b) → array", Summary: "Gives the elements of both, once each.",
		Example: "array_union(array[1, 2], array[2, 3])", Result: "[1, 2, 3]"},
		over("array(T), array(T)", "array(T)", emit(func(c *Context, out *column.Vector, args []*column.Vector, i int) error {
			pushDistinct(&pacer{c: c}, out, args[0], i, nil)
			seen := setOf(&pacer{c: c}, args[0], i)
			pushDistinct(&pacer{c: c}, out, args[1], i, func(e int) bool { return !seen.has(args[1].Children[0], e) })
			pushEnd(out)
			return nil
		})))
	l.scalar(Doc{Name: "array_intersect", Family: family, Signature: "array_intersect(a, b) → array", Summary: "Gives the elements that are in both, once each.",
		Example: "array_intersect(array[1, 2], array[2, 3])", Result: "[2]"},
		over("array(T), array(T)", "array(T)", emit(func(c *Context, out *column.Vector, args []*column.Vector, i int) error {
			other := setOf(&pacer{c: c}, args[1], i)
			pushDistinct(&pacer{c: c}, out, args[0], i, func(e int) bool { return other.has(args[0].Children[0], e) })
			pushEnd(out)
			return nil
		})))
	l.scalar(Doc{Name: "array_except", Family: family, Signature: "array_except(a, b) → array", Summary: "Gives the elements of a that are not in b, once each.",
		Example: "array_except(array[1, 2], array[2, 3])", Result: "[1]"},
		over("array(T), array(T)", "array(T)", emit(func(c *Context, out *column.Vector, args []*column.Vector, i int) error {
			other := setOf(&pacer{c: c}, args[1], i)
			pushDistinct(&pacer{c: c}, out, args[0], i, func(e int) bool { return !other.has(args[0].Children[0], e) })
			pushEnd(out)
			return nil
		})))
	l.scalar(Doc{Name: "array_remove", Family: family, Signature: "array_remove(array, value) → array", Summary: "Leaves out every element equal to a value.",
		Example: "array_remove(array[1, 2, 1], 1)", Result: "[2]"},
		over("array(T), T", "array(T)", emit(func(c *Context, out *column.Vector, args []*column.Vector, i int) error {
			from, to := span(args[0], i)
			p := &pacer{c: c}
			for e := from; e < to; e++ {
				p.tick(elementStep)
				if equalTernary(args[0].Children[0], e, args[1], i) != isTrue {
					push(out.Children[0], args[0].Children[0], e)
				}
			}
			pushEnd(out)
			return nil
		})))
	l.scalar(Doc{Name: "arrays_overlap", Family: family, Signature: "arrays_overlap(a, b) → boolean",
		Summary: "Tells whether two arrays have an element in common; unknown when only NULLs could be it.", Example: "arrays_overlap(array[1, 2], array[2, 3])", Result: "true"},
		over("array(T), array(T)", "boolean", perRowTernary(func(p *pacer, args []*column.Vector, i int) ternary {
			other := setOf(p, args[1], i)
			nullThere := false
			for _, e := range other.at {
				nullThere = nullThere || args[1].Children[0].IsNull(e)
			}
			from, to := span(args[0], i)
			bfrom, bto := span(args[1], i)
			result := isFalse
			for e := from; e < to; e++ {
				switch {
				case args[0].Children[0].IsNull(e):
					if bto > bfrom {
						result = isUnknown
					}
				case other.has(args[0].Children[0], e):
					return isTrue
				case nullThere:
					result = isUnknown
				}
			}
			return result
		})))
}

func addSequences(l *library, family string) {
	given := func(unit int64) func(args []*column.Vector, i int) (int64, bool) {
		return func(args []*column.Vector, i int) (int64, bool) {
			if len(args) < 3 {
				return 0, false
			}
			return intAt(args[2], i) / unit, true
		}
	}
	plus := func(x, _, step, _ int64) (int64, bool) { return addInt(x, step) }
	months := func(_, start, step, k int64) (int64, bool) {
		total, ok := mulInt(step, k)
		if !ok {
			return 0, false
		}
		return addMonthsChecked(start, total)
	}
	l.scalar(Doc{Name: "sequence", Family: family, Signature: "sequence(from, to[, step]) → array",
		Summary: "Counts from one number, date or timestamp to another; the step of times is an interval.", Example: "sequence(1, 7, 3)", Result: "[1, 4, 7]"},
		over("bigint, bigint", "array(bigint)", sequence(given(1), plus)),
		over("bigint, bigint, bigint", "array(bigint)", sequence(given(1), plus)),
		over("date, date", "array(date)", sequence(given(1), plus)),
		over("date, date, intervalday", "array(date)", sequence(given(microsPerDay), plus)),
		over("date, date, intervalmonth", "array(date)", sequence(given(1), func(x, start, step, k int64) (int64, bool) {
			t, ok := months(x, start*microsPerDay, step, k)
			return dayOf(t), ok
		})),
		over("timestamp, timestamp, intervalday", "array(timestamp)", sequence(given(1), plus)),
		over("timestamp, timestamp, intervalmonth", "array(timestamp)", sequence(given(1), months)))
}
