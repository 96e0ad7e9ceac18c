package fn

import (
	"cmp"
	"slices"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/sqlerr"
)

// LambdaFunc evaluates the body of a lambda for m inner rows: params are its
// parameters, flat or constant, each of m values. outer[k] is the row of the
// call that inner row k belongs to, for the columns that the body refers to.
// It returns m values of the type that typeOf gave, in any layout.
type LambdaFunc func(params []*column.Vector, outer []int32, m int) (*column.Vector, error)

// Higher is a function with lambda parameters.
type Higher struct {
	Doc
	// Bind picks the overload. args are the types of the arguments, nil where a
	// lambda stands. typeOf gives the type of the body of the lambda at an
	// argument's position when its parameters have the given types; it fails
	// when the lambda takes another number of parameters. The lambda is to be
	// compiled for the types of the last call.
	Bind func(args []*column.Type, typeOf func(arg int, params []*column.Type) (*column.Type, error)) (*HigherBound, error)
}

// HigherBound is a Higher resolved for given types.
type HigherBound struct {
	// Args are the types that the arguments must be cast to, nil for lambdas.
	Args []*column.Type
	// Lambdas are the types that the bodies of the lambdas must be cast to, at
	// their arguments' positions, nil for the others.
	Lambdas []*column.Type
	Result  *column.Type
	// Eval computes n values like [Bound.Eval]. args has nil for lambdas, fns nil
	// for the others. It handles NULL arguments itself.
	Eval func(c *Context, args []*column.Vector, fns []LambdaFunc, n int) (*column.Vector, error)
}

type higherEval = func(c *Context, t *column.Type, args []*column.Vector, fns []LambdaFunc, n int) (*column.Vector, error)

// opened is an array or map argument laid out for lambdas: one inner row for
// each element of each value that is not NULL.
type opened struct {
	offsets  []int32
	children []*column.Vector
	outer    []int32
	nulls    column.Bits
}

func open(v *column.Vector, n int) opened {
	v = column.Flatten(v)
	offsets, children := elements(v, n)
	o := opened{offsets: offsets, nulls: v.Nulls, outer: make([]int32, offsets[n])}
	for _, c := range children {
		o.children = append(o.children, column.Flatten(c))
	}
	for i := range n {
		for e := offsets[i]; e < offsets[i+1]; e++ {
			o.outer[e] = int32(i)
		}
	}
	return o
}

// call evaluates a lambda once for each element.
func (o opened) call(f LambdaFunc, params ...*column.Vector) (*column.Vector, error) {
	m := len(o.outer)
	if m == 0 {
		return nil, nil
	}
	return f(params, o.outer, m)
}

// isTrueAt reports whether a boolean is true and not NULL.
func isTrueAt(v *column.Vector, i int) bool {
	if v.IsNull(i) {
		return false
	}
	leaf, j := v.Leaf(i)
	return leaf.I64[j] != 0
}

// filtered keeps the elements for which the lambda is true.
func (o opened) filtered(t *column.Type, keep *column.Vector, n int) *column.Vector {
	out := &column.Vector{Type: t, Len: n, Nulls: o.nulls, Offsets: make([]int32, n+1)}
	var positions []int32
	for i := range n {
		for e := o.offsets[i]; e < o.offsets[i+1]; e++ {
			if isTrueAt(keep, int(e)) {
				positions = append(positions, e)
			}
		}
		out.Offsets[i+1] = int32(len(positions))
	}
	for _, c := range o.children {
		out.Children = append(out.Children, column.Gather(c, positions))
	}
	return out
}

func flatOrEmpty(v *column.Vector, t *column.Type) *column.Vector {
	if v == nil {
		return column.New(t, 0)
	}
	return column.Flatten(v)
}

// mapBuilt makes maps of keys and values that belong to offsets and checks the
// keys.
func mapBuilt(c *Context, t *column.Type, o opened, keys, values *column.Vector, n int) (_ *column.Vector, err error) {
	defer rescue(&err) // no guard stands around functions with lambdas
	out := &column.Vector{Type: t, Len: n, Nulls: o.nulls, Offsets: o.offsets, Children: []*column.Vector{keys, values}}
	if err := checkKeys(&pacer{c: c}, out, n, &failures{}); err != nil {
		return nil, err
	}
	return out, nil
}

func arrayArg(d *Doc, args []*column.Type, i int) (*column.Type, error) {
	if i >= len(args) || args[i] == nil {
		return nil, badHigher(d)
	}
	switch args[i].Kind {
	case column.Unknown:
		return column.ArrayOf(column.UnknownType), nil
	case column.Array:
		return args[i], nil
	}
	return nil, badHigher(d)
}

func mapArg(d *Doc, args []*column.Type, i int) (*column.Type, error) {
	if i >= len(args) || args[i] == nil {
		return nil, badHigher(d)
	}
	switch args[i].Kind {
	case column.Unknown:
		return column.MapOf(column.UnknownType, column.UnknownType), nil
	case column.Map:
		return args[i], nil
	}
	return nil, badHigher(d)
}

func badHigher(d *Doc) error {
	return sqlerr.New(sqlerr.UndefinedFunction, sqlerr.Pos{}, "%s does not take these arguments", d.Name).WithHint("it is %s", d.Signature)
}

type typeOf = func(arg int, params []*column.Type) (*column.Type, error)

// lambdaOf types the lambda at position arg and wants its body to be of a type,
// or of any when want is nil.
func lambdaOf(d *Doc, args []*column.Type, arg int, of typeOf, want *column.Type, params ...*column.Type) (*column.Type, error) {
	if arg >= len(args) || args[arg] != nil {
		return nil, badHigher(d)
	}
	t, err := of(arg, params)
	if err != nil {
		return nil, err
	}
	if want == nil {
		return t, nil
	}
	if !CanCoerce(t, want) {
		return nil, fault(sqlerr.DatatypeMismatch, "the lambda of %s must give %s, not %s", d.Name, want, t)
	}
	return want, nil
}

// higher registers a function of one shape: count arguments, bind as above
// without the counting.
func (l *library) higherFunc(d Doc, count int, bind func(d *Doc, args []*column.Type, of typeOf) (in, lambdas []*column.Type, result *column.Type, eval higherEval, err error)) {
	h := &Higher{Doc: d}
	h.Bind = func(args []*column.Type, of func(int, []*column.Type) (*column.Type, error)) (*HigherBound, error) {
		if len(args) != count {
			return nil, badHigher(&h.Doc)
		}
		in, lambdas, result, eval, err := bind(&h.Doc, args, of)
		if err != nil {
			return nil, err
		}
		return &HigherBound{Args: in, Lambdas: lambdas, Result: result,
			Eval: func(c *Context, args []*column.Vector, fns []LambdaFunc, n int) (*column.Vector, error) {
				if n == 0 {
					return column.New(result, 0), nil
				}
				return eval(c, result, args, fns, n)
			}}, nil
	}
	l.higher[d.Name] = h
	if l.scalars[d.Name] == nil { // else documented there
		l.docs = append(l.docs, d)
	}
}

func addLambdas(l *library) {
	family := "lambda"
	types := func(t ...*column.Type) []*column.Type { return t }
	l.higherFunc(Doc{Name: "filter", Family: family, Signature: "filter(array, x -> boolean) → array", Summary: "Keeps the elements for which the lambda is true.",
		Example: "filter(array[1, 2, 3], x -> x > 1)", Result: "[2, 3]"}, 2,
		func(d *Doc, args []*column.Type, of typeOf) ([]*column.Type, []*column.Type, *column.Type, higherEval, error) {
			a, err := arrayArg(d, args, 0)
			if err != nil {
				return nil, nil, nil, nil, err
			}
			b, err := lambdaOf(d, args, 1, of, column.BooleanType, a.Elem)
			return types(a, nil), types(nil, b), a, func(_ *Context, t *column.Type, args []*column.Vector, fns []LambdaFunc, n int) (*column.Vector, error) {
				o := open(args[0], n)
				keep, err := o.call(fns[1], o.children[0])
				if err != nil {
					return nil, err
				}
				return o.filtered(t, keep, n), nil
			}, err
		})
	l.higherFunc(Doc{Name: "transform", Family: family, Signature: "transform(array, x -> y) → array", Summary: "Applies a lambda to every element.",
		Example: "transform(array[1, 2], x -> x * 10)", Result: "[10, 20]"}, 2,
		func(d *Doc, args []*column.Type, of typeOf) ([]*column.Type, []*column.Type, *column.Type, higherEval, error) {
			a, err := arrayArg(d, args, 0)
			if err != nil {
				return nil, nil, nil, nil, err
			}
			b, err := lambdaOf(d, args, 1, of, nil, a.Elem)
			return types(a, nil), types(nil, b), column.ArrayOf(b), func(c *Context, t *column.Type, args []*column.Vector, fns []LambdaFunc, n int) (*column.Vector, error) {
				o := open(args[0], n)
				v, err := o.call(fns[1], o.children[0])
				if err != nil {
					return nil, err
				}
				if v == nil {
					v = column.New(t.Elem, 0)
				}
				// A value of the lambda may be large, and is here once per element.
				if v, err = column.FlattenWatched(v, c.live); err != nil {
					return nil, err
				}
				return &column.Vector{Type: t, Len: n, Nulls: o.nulls, Offsets: o.offsets, Children: []*column.Vector{v}}, nil
			}, err
		})
	addMatches(l, family)
	l.higherFunc(Doc{Name: "reduce", Family: family, Signature: "reduce(array, start, (state, x) -> state, state -> result)",
		Summary: "Runs over the elements with a state.", Example: "reduce(array[1, 2, 3], 0, (s, x) -> s + x, s -> s)", Result: "6"}, 4, bindReduce)
	l.higherFunc(Doc{Name: "zip_with", Family: family, Signature: "zip_with(array, array, (x, y) -> z) → array",
		Summary: "Applies a lambda to the elements of two arrays, with NULL where one is shorter.", Example: "zip_with(array[1, 2], array[10, 20], (x, y) -> x + y)", Result: "[11, 22]"}, 3,
		func(d *Doc, args []*column.Type, of typeOf) ([]*column.Type, []*column.Type, *column.Type, higherEval, error) {
			a, err := arrayArg(d, args, 0)
			if err != nil {
				return nil, nil, nil, nil, err
			}
			b, err := arrayArg(d, args, 1)
			if err != nil {
				return nil, nil, nil, nil, err
			}
			r, err := lambdaOf(d, args, 2, of, nil, a.Elem, b.Elem)
			return types(a, b, nil), types(nil, nil, r), column.ArrayOf(r), zipWith, err
		})
	addMapLambdas(l, family)
	l.higherFunc(Doc{Name: "array_sort", Family: family}, 2,
		func(d *Doc, args []*column.Type, of typeOf) ([]*column.Type, []*column.Type, *column.Type, higherEval, error) {
			a, err := arrayArg(d, args, 0)
			if err != nil {
				return nil, nil, nil, nil, err
			}
			b, err := lambdaOf(d, args, 1, of, column.BigIntType, a.Elem, a.Elem)
			return types(a, nil), types(nil, b), a, sortWith, err
		})
	l.higherFunc(Doc{Name: "regexp_replace", Family: family}, 3,
		func(d *Doc, args []*column.Type, of typeOf) ([]*column.Type, []*column.Type, *column.Type, higherEval, error) {
			for _, t := range args[:2] {
				if t == nil || !CanCoerce(t, column.VarcharType) {
					return nil, nil, nil, nil, badHigher(d)
				}
			}
			b, err := lambdaOf(d, args, 2, of, column.VarcharType, column.ArrayOf(column.VarcharType))
			return types(column.VarcharType, column.VarcharType, nil), types(nil, nil, b), column.VarcharType, replaceWith, err
		})
}

// addMatches adds any_match, all_match and none_match, which are three-valued.
func addMatches(l *library, family string) {
	for _, f := range []struct {
		name, summary, example, result string
		// decides is the value of one element that settles the answer.
		decides, answer bool
	}{
		{"any_match", "Tells whether the lambda is true for any element.", "any_match(array[1, 2], x -> x > 1)", "true", true, true},
		{"all_match", "Tells whether the lambda is true for all elements.", "all_match(array[1, 2], x -> x > 1)", "false", false, false},
		{"none_match", "Tells whether the lambda is true for no element.", "none_match(array[1, 2], x -> x > 2)", "true", true, false},
	} {
		l.higherFunc(Doc{Name: f.name, Family: family, Signature: f.name + "(array, x -> boolean) → boolean", Summary: f.summary, Example: f.example, Result: f.result}, 2,
			func(d *Doc, args []*column.Type, of typeOf) ([]*column.Type, []*column.Type, *column.Type, higherEval, error) {
				a, err := arrayArg(d, args, 0)
				if err != nil {
					return nil, nil, nil, nil, err
				}
				b, err := lambdaOf(d, args, 1, of, column.BooleanType, a.Elem)
				return []*column.Type{a, nil}, []*column.Type{nil, b}, column.BooleanType,
					func(_ *Context, t *column.Type, args []*column.Vector, fns []LambdaFunc, n int) (*column.Vector, error) {
						o := open(args[0], n)
						hit, err := o.call(fns[1], o.children[0])
						if err != nil {
							// What fails may stand behind the element that decides.
							if hit, err = o.untilDecided(fns[1], n, f.decides); err != nil {
								return nil, err
							}
						}
						v, out := made[int64](t, n)
						for i := range out {
							unknown, decided := false, false
							for e := o.offsets[i]; e < o.offsets[i+1] && !decided; e++ {
								if hit.IsNull(int(e)) {
									unknown = true
								} else {
									decided = isTrueAt(hit, int(e)) == f.decides
								}
							}
							switch {
							case decided:
								out[i] = truth(f.answer)
							case unknown:
								v.SetNull(i)
							default:
								out[i] = truth(!f.answer)
							}
						}
						return withNulls(v, o.nulls), nil
					}, err
			})
	}
}

// untilDecided evaluates a condition for the first elements of all arrays, then
// the second, and so on, and leaves an array when an element decides. Elements
// behind that are NULL in the result.
func (o opened) untilDecided(f LambdaFunc, n int, decides bool) (*column.Vector, error) {
	out := column.New(column.BooleanType, len(o.outer))
	decided := make([]bool, n)
	for k := int32(0); ; k++ {
		var rows, positions []int32
		for i := range n {
			e := o.offsets[i] + k
			switch {
			case e >= o.offsets[i+1]:
			case decided[i]:
				out.SetNull(int(e))
			default:
				rows, positions = append(rows, int32(i)), append(positions, e)
			}
		}
		if len(rows) == 0 {
			// Arrays that are decided may be longer.
			for i := range n {
				for e := o.offsets[i] + k; e < o.offsets[i+1]; e++ {
					out.SetNull(int(e))
				}
			}
			return out, nil
		}
		v, err := f([]*column.Vector{column.Gather(o.children[0], positions)}, rows, len(rows))
		if err != nil {
			return nil, err
		}
		for j, e := range positions {
			if v.IsNull(j) {
				out.SetNull(int(e))
				continue
			}
			met := isTrueAt(v, j)
			out.I64[e] = truth(met)
			decided[rows[j]] = met == decides
		}
	}
}

func bindReduce(d *Doc, args []*column.Type, of typeOf) ([]*column.Type, []*column.Type, *column.Type, higherEval, error) {
	fail := func(err error) ([]*column.Type, []*column.Type, *column.Type, higherEval, error) {
		return nil, nil, nil, nil, err
	}
	a, err := arrayArg(d, args, 0)
	if err != nil {
		return fail(err)
	}
	state := args[1]
	if state == nil {
		return fail(badHigher(d))
	}
	// The state must hold both its start and what the lambda makes of it.
	for range 4 {
		t, err := lambdaOf(d, args, 2, of, nil, state, a.Elem)
		if err != nil {
			return fail(err)
		}
		next := CommonType(state, t)
		if next == nil {
			return fail(fault(sqlerr.DatatypeMismatch, "the state of reduce begins as %s and becomes %s", state, t))
		}
		if next.Equal(state) {
			break
		}
		state = next
	}
	r, err := lambdaOf(d, args, 3, of, nil, state)
	if err != nil {
		return fail(err)
	}
	return []*column.Type{a, state, nil, nil}, []*column.Type{nil, nil, state, r}, r, reduce, nil
}

// reduce takes all rows one element further at a time, so that the lambda runs
// on vectors: as often as the longest array is long.
func reduce(_ *Context, t *column.Type, args []*column.Vector, fns []LambdaFunc, n int) (*column.Vector, error) {
	o := open(args[0], n)
	state := column.Flatten(args[1])
	active := make([]int32, 0, n)
	for k := int32(0); ; k++ {
		active = active[:0]
		var positions []int32
		for i := range n {
			if e := o.offsets[i] + k; e < o.offsets[i+1] {
				active = append(active, int32(i))
				positions = append(positions, e)
			}
		}
		if len(active) == 0 {
			break
		}
		params := []*column.Vector{column.Gather(state, active), column.Gather(o.children[0], positions)}
		v, err := fns[2](params, slices.Clone(active), len(active))
		if err != nil {
			return nil, err
		}
		next := newBuilder(state.Type, n)
		at := 0
		for i := range n {
			if at < len(active) && int(active[at]) == i {
				push(next, v, at)
				at++
			} else {
				push(next, state, i)
			}
		}
		state = next
	}
	all := make([]int32, n)
	for i := range all {
		all[i] = int32(i)
	}
	out, err := fns[3]([]*column.Vector{state}, all, n)
	if err != nil {
		return nil, err
	}
	return withNulls(column.Flatten(out), o.nulls), nil
}

func zipWith(_ *Context, t *column.Type, args []*column.Vector, fns []LambdaFunc, n int) (*column.Vector, error) {
	a, b := open(args[0], n), open(args[1], n)
	nulls := unionNulls([]*column.Vector{{Nulls: a.nulls}, {Nulls: b.nulls}})
	out := &column.Vector{Type: t, Len: n, Nulls: nulls, Offsets: make([]int32, n+1)}
	left, right := newBuilder(a.children[0].Type, len(a.outer)), newBuilder(b.children[0].Type, len(b.outer))
	var outer []int32
	side := func(dst *column.Vector, o opened, i int, k int32) {
		if e := o.offsets[i] + k; e < o.offsets[i+1] {
			push(dst, o.children[0], int(e))
		} else {
			pushNull(dst)
		}
	}
	for i := range n {
		size := max(a.offsets[i+1]-a.offsets[i], b.offsets[i+1]-b.offsets[i])
		if nulls.Get(i) {
			size = 0
		}
		for k := range size {
			side(left, a, i, k)
			side(right, b, i, k)
			outer = append(outer, int32(i))
		}
		out.Offsets[i+1] = int32(len(outer))
	}
	var v *column.Vector
	if len(outer) > 0 {
		var err error
		if v, err = fns[2]([]*column.Vector{left, right}, outer, len(outer)); err != nil {
			return nil, err
		}
	}
	out.Children = []*column.Vector{flatOrEmpty(v, t.Elem)}
	return out, nil
}

// sortWith sorts by a comparator, which sees one pair at a time: a sort asks
// for the next pair only when it knows the last answer.
func sortWith(_ *Context, t *column.Type, args []*column.Vector, fns []LambdaFunc, n int) (*column.Vector, error) {
	o := open(args[0], n)
	values := o.children[0]
	var failed error
	positions := make([]int32, len(o.outer))
	for e := range positions {
		positions[e] = int32(e)
	}
	for i := range n {
		slices.SortStableFunc(positions[o.offsets[i]:o.offsets[i+1]], func(x, y int32) int {
			if failed != nil {
				return 0
			}
			v, err := fns[1]([]*column.Vector{column.Gather(values, []int32{x}), column.Gather(values, []int32{y})}, []int32{int32(i)}, 1)
			if err == nil && v.IsNull(0) {
				err = fault(sqlerr.InvalidArgument, "the lambda of array_sort gave NULL")
			}
			if err != nil {
				failed = err
				return 0
			}
			leaf, j := v.Leaf(0)
			return int(signOf(leaf.I64[j]))
		})
		if failed != nil {
			return nil, failed
		}
	}
	return &column.Vector{Type: t, Len: n, Nulls: o.nulls, Offsets: o.offsets, Children: []*column.Vector{column.Gather(values, positions)}}, nil
}

// replaceWith is regexp_replace with a lambda of the groups of each match.
func replaceWith(c *Context, t *column.Type, args []*column.Vector, fns []LambdaFunc, n int) (*column.Vector, error) {
	v, out := made[string](t, n)
	groups := newBuilder(column.ArrayOf(column.VarcharType), n)
	var outer []int32
	matches := make([][][]int, n)
	pace := pacer{c: c}
	var full error
	for i := range n {
		if args[0].IsNull(i) || args[1].IsNull(i) {
			v.SetNull(i)
			continue
		}
		s := strAt(args[0], i)
		r, err := regexes.get(strAt(args[1], i), compileRegex)
		if err != nil {
			return nil, err
		}
		err = r.each(c, s, func(loc []int) bool {
			if full = pace.keep(elementBytes * (1 + r.groups)); full != nil {
				return false
			}
			matches[i] = append(matches[i], loc)
			for g := 1; g <= r.groups; g++ {
				if text, ok := groupText(s, loc, int64(g)); ok {
					pushStr(groups.Children[0], text)
				} else {
					pushNull(groups.Children[0])
				}
			}
			pushEnd(groups)
			outer = append(outer, int32(i))
			return true
		})
		if err := cmp.Or(err, full); err != nil {
			return nil, err
		}
	}
	var with *column.Vector
	if len(outer) > 0 {
		var err error
		if with, err = fns[2]([]*column.Vector{groups}, outer, len(outer)); err != nil {
			return nil, err
		}
	}
	k := 0
	for i := range out {
		if v.IsNull(i) {
			continue
		}
		s, last := strAt(args[0], i), 0
		var buf []byte
		for _, loc := range matches[i] {
			buf = append(buf, s[last:loc[0]]...)
			if !with.IsNull(k) {
				leaf, j := with.Leaf(k)
				buf = append(buf, leaf.Str[j]...)
			}
			last = loc[1]
			k++
			if len(buf) > maxTextBytes {
				return nil, tooLong("regexp_replace")
			}
		}
		out[i] = string(append(buf, s[last:]...))
	}
	return v, nil
}

func addMapLambdas(l *library, family string) {
	const m = "map(array['a', 'b'], array[1, 2])"
	bindMap := func(want *column.Type, result func(m, body *column.Type) *column.Type, eval higherEval) func(d *Doc, args []*column.Type, of typeOf) ([]*column.Type, []*column.Type, *column.Type, higherEval, error) {
		return func(d *Doc, args []*column.Type, of typeOf) ([]*column.Type, []*column.Type, *column.Type, higherEval, error) {
			a, err := mapArg(d, args, 0)
			if err != nil {
				return nil, nil, nil, nil, err
			}
			b, err := lambdaOf(d, args, 1, of, want, a.Key, a.Elem)
			if err != nil {
				return nil, nil, nil, nil, err
			}
			return []*column.Type{a, nil}, []*column.Type{nil, b}, result(a, b), eval, nil
		}
	}
	l.higherFunc(Doc{Name: "map_filter", Family: family, Signature: "map_filter(map, (k, v) -> boolean) → map", Summary: "Keeps the entries for which the lambda is true.",
		Example: "map_filter(" + m + ", (k, v) -> v > 1)", Result: "{b=2}"}, 2,
		bindMap(column.BooleanType, func(m, _ *column.Type) *column.Type { return m },
			func(_ *Context, t *column.Type, args []*column.Vector, fns []LambdaFunc, n int) (*column.Vector, error) {
				o := open(args[0], n)
				keep, err := o.call(fns[1], o.children...)
				if err != nil {
					return nil, err
				}
				return o.filtered(t, keep, n), nil
			}))
	l.higherFunc(Doc{Name: "transform_keys", Family: family, Signature: "transform_keys(map, (k, v) -> key) → map", Summary: "Applies a lambda to every entry to give its new key.",
		Example: "transform_keys(" + m + ", (k, v) -> upper(k))", Result: "{A=1, B=2}"}, 2,
		bindMap(nil, func(m, b *column.Type) *column.Type { return column.MapOf(b, m.Elem) },
			func(c *Context, t *column.Type, args []*column.Vector, fns []LambdaFunc, n int) (*column.Vector, error) {
				o := open(args[0], n)
				keys, err := o.call(fns[1], o.children...)
				if err != nil {
					return nil, err
				}
				return mapBuilt(c, t, o, flatOrEmpty(keys, t.Key), o.children[1], n)
			}))
	l.higherFunc(Doc{Name: "transform_values", Family: family, Signature: "transform_values(map, (k, v) -> value) → map", Summary: "Applies a lambda to every entry to give its new value.",
		Example: "transform_values(" + m + ", (k, v) -> v * 10)", Result: "{a=10, b=20}"}, 2,
		bindMap(nil, func(m, b *column.Type) *column.Type { return column.MapOf(m.Key, b) },
			func(_ *Context, t *column.Type, args []*column.Vector, fns []LambdaFunc, n int) (*column.Vector, error) {
				o := open(args[0], n)
				values, err := o.call(fns[1], o.children...)
				if err != nil {
					return nil, err
				}
				return &column.Vector{Type: t, Len: n, Nulls: o.nulls, Offsets: o.offsets,
					Children: []*column.Vector{o.children[0], flatOrEmpty(values, t.Elem)}}, nil
			}))
	l.higherFunc(Doc{Name: "map_zip_with", Family: family, Signature: "map_zip_with(map, map, (k, v1, v2) -> value) → map",
		Summary: "Joins two maps by key and applies a lambda, with NULL where a key is missing.",
		Example: "map_zip_with(" + m + ", map(array['a'], array[5]), (k, x, y) -> x + coalesce(y, 0))", Result: "{a=6, b=2}"}, 3,
		func(d *Doc, args []*column.Type, of typeOf) ([]*column.Type, []*column.Type, *column.Type, higherEval, error) {
			fail := func(err error) ([]*column.Type, []*column.Type, *column.Type, higherEval, error) {
				return nil, nil, nil, nil, err
			}
			a, err := mapArg(d, args, 0)
			if err != nil {
				return fail(err)
			}
			b, err := mapArg(d, args, 1)
			if err != nil {
				return fail(err)
			}
			key := CommonType(a.Key, b.Key)
			if key == nil {
				return fail(badHigher(d))
			}
			a, b = column.MapOf(key, a.Elem), column.MapOf(key, b.Elem)
			r, err := lambdaOf(d, args, 2, of, nil, key, a.Elem, b.Elem)
			return []*column.Type{a, b, nil}, []*column.Type{nil, nil, r}, column.MapOf(key, r), mapZipWith, err
		})
}

func mapZipWith(c *Context, t *column.Type, args []*column.Vector, fns []LambdaFunc, n int) (_ *column.Vector, err error) {
	defer rescue(&err) // no guard stands around functions with lambdas
	a, b := open(args[0], n), open(args[1], n)
	nulls := unionNulls([]*column.Vector{{Nulls: a.nulls}, {Nulls: b.nulls}})
	out := &column.Vector{Type: t, Len: n, Nulls: nulls, Offsets: make([]int32, n+1)}
	keys, left, right := newBuilder(t.Key, 8), newBuilder(a.children[1].Type, 8), newBuilder(b.children[1].Type, 8)
	var outer []int32
	pace := &pacer{c: c}
	for i := range n {
		if !nulls.Get(i) {
			inA, inB := a.keySet(pace, i), b.keySet(pace, i)
			for e := a.offsets[i]; e < a.offsets[i+1]; e++ {
				push(keys, a.children[0], int(e))
				push(left, a.children[1], int(e))
				if f := inB.find(a.children[0], int(e)); f >= 0 {
					push(right, b.children[1], f)
				} else {
					pushNull(right)
				}
				outer = append(outer, int32(i))
			}
			for e := b.offsets[i]; e < b.offsets[i+1]; e++ {
				if !inA.has(b.children[0], int(e)) {
					push(keys, b.children[0], int(e))
					pushNull(left)
					push(right, b.children[1], int(e))
					outer = append(outer, int32(i))
				}
			}
		}
		out.Offsets[i+1] = int32(len(outer))
	}
	var v *column.Vector
	if len(outer) > 0 {
		if v, err = fns[2]([]*column.Vector{keys, left, right}, outer, len(outer)); err != nil {
			return nil, err
		}
	}
	out.Children = []*column.Vector{keys, flatOrEmpty(v, t.Elem)}
	return out, nil
}

// keySet returns the keys of map i.
func (o *opened) keySet(p *pacer, i int) *distinctSet {
	d := &distinctSet{pace: p, v: o.children[0]}
	for e := o.offsets[i]; e < o.offsets[i+1]; e++ {
		d.add(int(e))
	}
	return d
}
