package fn

import "github.com/cairndb/cairn/segment/column"

// Set is a set of values of one type, for IN with a list and for semi-joins:
// one look-up for each value, whatever the size of the list.
type Set struct {
	hasNull bool
	ints    map[int64]struct{}
	strs    map[string]struct{}
	values  *column.Vector
	byHash  map[uint64][]int32
}

// NewSet returns the set of the values of a vector in any layout. The vector is
// kept.
func NewSet(values *column.Vector) *Set {
	values = column.Flatten(values)
	s := &Set{values: values}
	p := values.Type.Payload()
	switch p {
	case column.PayloadI64:
		s.ints = make(map[int64]struct{}, values.Len)
	case column.PayloadStr:
		s.strs = make(map[string]struct{}, values.Len)
	default:
		s.byHash = make(map[uint64][]int32, values.Len)
	}
	for i := range values.Len {
		switch {
		case values.IsNull(i):
			s.hasNull = true
		case p == column.PayloadI64:
			s.ints[values.I64[i]] = struct{}{}
		case p == column.PayloadStr:
			s.strs[values.Str[i]] = struct{}{}
		default:
			h := HashAt(values, i)
			s.byHash[h] = append(s.byHash[h], int32(i))
		}
	}
	return s
}

// Contains reports whether a value that is not NULL is in the set.
func (s *Set) Contains(v *column.Vector, i int) bool {
	leaf, j := v.Leaf(i)
	switch {
	case s.ints != nil:
		_, ok := s.ints[leaf.I64[j]]
		return ok
	case s.strs != nil:
		_, ok := s.strs[leaf.Str[j]]
		return ok
	}
	for _, k := range s.byHash[HashAt(v, i)] {
		if EqualAt(v, i, s.values, int(k)) {
			return true
		}
	}
	return false
}

// Match returns v IN (the set) for every value, by SQL's rules: NULL when the
// value is NULL and the set is not empty, or when it is not found and the set
// holds a NULL. v may be in any layout; the result is flat or constant.
func (s *Set) Match(v *column.Vector) *column.Vector {
	if v.Const {
		one := *v
		one.Len, one.Const = 1, false
		return column.NewConst(s.Match(&one), v.Len)
	}
	if v.Dict != nil && v.Dict.Len <= 2*v.Len {
		entries := s.Match(v.Dict)
		out := column.Flatten(column.Gather(column.Flatten(entries), codesAsPositions(v)))
		if s.values.Len > 0 {
			out = withNulls(out, v.Nulls)
		}
		return out
	}
	out := column.New(column.BooleanType, v.Len)
	for i := range out.I64 {
		switch {
		case s.values.Len == 0:
		case v.IsNull(i):
			out.SetNull(i)
		case s.Contains(v, i):
			out.I64[i] = 1
		case s.hasNull:
			out.SetNull(i)
		}
	}
	return out
}

func codesAsPositions(v *column.Vector) []int32 {
	at := make([]int32, v.Len)
	for i, c := range v.Codes[:v.Len] {
		at[i] = int32(c)
	}
	return at
}
