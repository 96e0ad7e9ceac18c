package fn

import "github.com/cairndb/cairn/segment/column"

// A builder is a flat vector under construction, to which values are pushed.

// newBuilder returns an empty vector of type t with room for n values.
func newBuilder(t *column.Type, n int) *column.Vector {
	v := column.New(t, n)
	empty(v)
	return v
}

func empty(v *column.Vector) {
	v.Len = 0
	v.I64, v.F64, v.Str, v.Zone = v.I64[:0], v.F64[:0], v.Str[:0], v.Zone[:0]
	if v.Offsets != nil {
		v.Offsets = append(v.Offsets[:0], 0)
	}
	for _, c := range v.Children {
		empty(c)
	}
}

// pushNull appends a NULL of any type.
func pushNull(v *column.Vector) {
	i := v.Len
	switch v.Type.Payload() {
	case column.PayloadI64:
		pushInt(v, 0)
	case column.PayloadF64:
		pushFloat(v, 0)
	case column.PayloadStr:
		pushStr(v, "")
	default:
		if v.Type.Kind == column.Row {
			for _, c := range v.Children {
				pushNull(c)
			}
		}
		pushEnd(v)
	}
	if w := i>>6 + 1; len(v.Nulls) < w {
		v.Nulls = append(v.Nulls, make(column.Bits, w-len(v.Nulls))...)
	}
	v.Nulls.Set(i)
}

func pushInt(v *column.Vector, x int64) {
	v.I64 = append(v.I64, x)
	if v.Type.Kind == column.TimestampTZ {
		v.Zone = append(v.Zone, 0)
	}
	v.Len++
}

func pushZoned(v *column.Vector, x int64, zone uint16) {
	v.I64, v.Zone = append(v.I64, x), append(v.Zone, zone)
	v.Len++
}

func pushFloat(v *column.Vector, x float64) {
	v.F64 = append(v.F64, x)
	v.Len++
}

func pushStr(v *column.Vector, s string) {
	v.Str = append(v.Str, s)
	v.Len++
}

// pushEnd ends an array, map or row whose elements have been pushed to the
// children.
func pushEnd(v *column.Vector) {
	if v.Type.Kind != column.Row {
		v.Offsets = append(v.Offsets, int32(v.Children[0].Len))
	}
	v.Len++
}

// cut shortens a builder to n values.
func cut(v *column.Vector, n int) {
	if v.Len <= n {
		return
	}
	v.Len = n
	if v.I64 != nil {
		v.I64 = v.I64[:n]
	}
	if v.Zone != nil {
		v.Zone = v.Zone[:n]
	}
	if v.F64 != nil {
		v.F64 = v.F64[:n]
	}
	if v.Str != nil {
		v.Str = v.Str[:n]
	}
	for w := range v.Nulls {
		switch lo := w << 6; {
		case lo >= n:
			v.Nulls[w] = 0
		case lo+64 > n:
			v.Nulls[w] &= 1<<uint(n-lo) - 1
		}
	}
	switch {
	case v.Offsets != nil:
		v.Offsets = v.Offsets[:n+1]
		for _, c := range v.Children {
			cut(c, int(v.Offsets[n]))
		}
	default:
		for _, c := range v.Children {
			cut(c, n)
		}
	}
}

// push appends value i of another vector of the same type, in any layout.
func push(v, from *column.Vector, i int) {
	if from.IsNull(i) {
		pushNull(v)
		return
	}
	leaf, j := from.Leaf(i)
	switch v.Type.Payload() {
	case column.PayloadI64:
		if v.Type.Kind == column.TimestampTZ {
			pushZoned(v, leaf.I64[j], zoneAt(leaf, j))
			return
		}
		pushInt(v, leaf.I64[j])
	case column.PayloadF64:
		pushFloat(v, leaf.F64[j])
	case column.PayloadStr:
		pushStr(v, leaf.Str[j])
	default:
		if v.Type.Kind == column.Row {
			for k, c := range v.Children {
				push(c, leaf.Children[k], j)
			}
		} else {
			for k, c := range v.Children {
				for e := leaf.Offsets[j]; e < leaf.Offsets[j+1]; e++ {
					push(c, leaf.Children[k], int(e))
				}
			}
		}
		pushEnd(v)
	}
}

func zoneAt(v *column.Vector, i int) uint16 {
	if v.Zone == nil {
		return 0
	}
	return v.Zone[at(v, i)]
}

// elements returns n array or map values as offsets that begin at 0 and
// children that hold just the elements of values that are not NULL, so that
// work on the children meets nothing that no row shows.
func elements(v *column.Vector, n int) (offsets []int32, children []*column.Vector) {
	total := 0
	clean := !v.Const && !v.Nulls.Any() && v.Offsets[0] == 0 && len(v.Offsets) > n && int(v.Offsets[n]) == v.Children[0].Len
	if clean {
		return v.Offsets[:n+1], v.Children
	}
	offsets = make([]int32, n+1)
	for i := range n {
		if !v.IsNull(i) {
			from, to := span(v, i)
			total += to - from
		}
		offsets[i+1] = int32(total)
	}
	pick := make([]int32, 0, total)
	for i := range n {
		if !v.IsNull(i) {
			from, to := span(v, i)
			for e := from; e < to; e++ {
				pick = append(pick, int32(e))
			}
		}
	}
	for _, c := range v.Children {
		children = append(children, column.Gather(c, pick))
	}
	return offsets, children
}
