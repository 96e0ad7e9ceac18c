package fn

import (
	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/sqlerr"
)

// mapPart makes a kernel of the keys (0) or the values (1) of maps as arrays,
// which share the map's own.
func mapPart(part int) kernel {
	return func(_ *Context, t *column.Type, args []*column.Vector, n int) (*column.Vector, error) {
		m := args[0]
		return &column.Vector{Type: t, Len: n, Nulls: m.Nulls, Offsets: m.Offsets[:n+1], Children: m.Children[part : part+1]}, nil
	}
}

var mapEntries kernel = func(_ *Context, t *column.Type, args []*column.Vector, n int) (*column.Vector, error) {
	m := args[0]
	rows := &column.Vector{Type: t.Elem, Len: m.Children[0].Len, Children: m.Children}
	return &column.Vector{Type: t, Len: n, Nulls: m.Nulls, Offsets: m.Offsets[:n+1], Children: []*column.Vector{rows}}, nil
}

// closeMap ends a map whose entries begin at from, after checking its keys.
func closeMap(p *pacer, out *column.Vector, from int) error {
	if err := checkMapKeys(p, out.Children[0], from, out.Children[0].Len); err != nil {
		return err
	}
	pushEnd(out)
	return nil
}

var mapOfArrays = emit(func(c *Context, out *column.Vector, args []*column.Vector, i int) error {
	kfrom, kto := span(args[0], i)
	vfrom, vto := span(args[1], i)
	if kto-kfrom != vto-vfrom {
		return fault(sqlerr.InvalidArgument, "a map of %d keys and %d values", kto-kfrom, vto-vfrom)
	}
	from, pace := out.Children[0].Len, &pacer{c: c}
	for k := range kto - kfrom {
		pace.tick(rowWork)
		push(out.Children[0], args[0].Children[0], kfrom+k)
		push(out.Children[1], args[1].Children[0], vfrom+k)
	}
	return closeMap(pace, out, from)
})

var mapFromEntries = emit(func(c *Context, out *column.Vector, args []*column.Vector, i int) error {
	from, pace := out.Children[0].Len, &pacer{c: c}
	first, last := span(args[0], i)
	for e := first; e < last; e++ {
		pace.tick(rowWork)
		if args[0].Children[0].IsNull(e) {
			return fault(sqlerr.InvalidArgument, "a map entry cannot be NULL")
		}
		row, j := args[0].Children[0].Leaf(e)
		push(out.Children[0], row.Children[0], j)
		push(out.Children[1], row.Children[1], j)
	}
	return closeMap(pace, out, from)
})

// keyOrder lists the distinct keys in order of their first coming, and for
// each the positions of its values.
type keyOrder struct {
	set    distinctSet
	values map[int][]int // by position of the first of equal keys
}

func (k *keyOrder) add(i int) {
	if k.values == nil {
		k.values = map[int][]int{}
	}
	if k.set.add(i) {
		k.values[i] = append(k.values[i], i)
		return
	}
	j := k.set.find(k.set.v, i)
	k.values[j] = append(k.values[j], i)
}

var multimapFromEntries = emit(func(c *Context, out *column.Vector, args []*column.Vector, i int) error {
	rows := column.Flatten(args[0].Children[0])
	order := keyOrder{set: distinctSet{pace: &pacer{c: c}, v: rows.Children[0]}}
	first, last := span(args[0], i)
	for e := first; e < last; e++ {
		if rows.IsNull(e) || rows.Children[0].IsNull(e) {
			return fault(sqlerr.InvalidArgument, "a map entry or key cannot be NULL")
		}
		order.add(e)
	}
	for _, e := range order.set.at {
		order.set.pace.tick(setWork)
		push(out.Children[0], rows.Children[0], e)
		for _, v := range order.values[e] {
			order.set.pace.tick(rowWork)
			push(out.Children[1].Children[0], rows.Children[1], v)
		}
		pushEnd(out.Children[1])
	}
	pushEnd(out)
	return nil
})

// mapConcat joins maps; of equal keys the last wins, in the place of the first.
var mapConcat = emit(func(c *Context, out *column.Vector, args []*column.Vector, i int) error {
	keys, values := newBuilder(args[0].Type.Key, 8), newBuilder(args[0].Type.Elem, 8)
	pace := &pacer{c: c}
	for _, m := range args {
		from, to := span(m, i)
		for e := from; e < to; e++ {
			pace.tick(rowWork)
			push(keys, m.Children[0], e)
			push(values, m.Children[1], e)
		}
	}
	order := keyOrder{set: distinctSet{pace: pace, v: keys}}
	for e := range keys.Len {
		order.add(e)
	}
	for _, e := range order.set.at {
		pace.tick(setWork)
		same := order.values[e]
		push(out.Children[0], keys, e)
		push(out.Children[1], values, same[len(same)-1])
	}
	pushEnd(out)
	return nil
})

func addMaps(l *library) {
	family := "map"
	l.scalar(Doc{Name: "map", Family: family, Signature: "map(keys, values) → map", Summary: "Makes a map of an array of keys and one of values; map() is empty.",
		Example: "map(array['a', 'b'], array[1, 2])", Result: "{a=1, b=2}"},
		over("array(K), array(V)", "map(K,V)", mapOfArrays),
		over("", "map(unknown,unknown)", func(_ *Context, t *column.Type, _ []*column.Vector, n int) (*column.Vector, error) {
			return column.New(t, n), nil
		}))
	l.scalar(Doc{Name: "map_from_entries", Family: family, Signature: "map_from_entries(array of rows) → map", Summary: "Makes a map of rows of key and value.",
		Example: "map_from_entries(zip(array['a'], array[1]))", Result: "{a=1}"},
		over("array(row(K,V))", "map(K,V)", mapFromEntries))
	l.scalar(Doc{Name: "multimap_from_entries", Family: family, Signature: "multimap_from_entries(array of rows) → map of arrays",
		Summary: "Makes a map of rows of key and value, with all the values of a key.", Example: "multimap_from_entries(zip(array['a', 'a'], array[1, 2]))", Result: "{a=[1, 2]}"},
		over("array(row(K,V))", "map(K,array(V))", multimapFromEntries))
	l.scalar(Doc{Name: "map_keys", Family: family, Signature: "map_keys(map) → array", Summary: "Gives the keys.",
		Example: "map_keys(map(array['a', 'b'], array[1, 2]))", Result: "[a, b]"}, over("map(K,V)", "array(K)", mapPart(0)))
	l.scalar(Doc{Name: "map_values", Family: family, Signature: "map_values(map) → array", Summary: "Gives the values, in the order of the keys.",
		Example: "map_values(map(array['a', 'b'], array[1, 2]))", Result: "[1, 2]"}, over("map(K,V)", "array(V)", mapPart(1)))
	l.scalar(Doc{Name: "map_entries", Family: family, Signature: "map_entries(map) → array of rows", Summary: "Gives rows of key and value.",
		Example: "map_entries(map(array['a'], array[1]))", Result: "[{field0=a, field1=1}]"}, over("map(K,V)", "array(row(K,V))", mapEntries))
	l.scalar(Doc{Name: "map_concat", Family: family, Signature: "map_concat(map, map, ...) → map", Summary: "Joins maps; of equal keys the last wins.",
		Example: "map_concat(map(array['a', 'b'], array[1, 2]), map(array['a'], array[9]))", Result: "{a=9, b=2}"},
		over("map(K,V), map(K,V)...", "map(K,V)", mapConcat))
}
