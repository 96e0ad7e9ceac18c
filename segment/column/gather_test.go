package column

import (
	"errors"
	"slices"
	"testing"
)

// A copy of many values ends when it is told to, at every look.
func TestGatherWatched(t *testing.T) {
	const n = 300_000
	numbers, names := New(BigIntType, n), New(VarcharType, n)
	for i := range n {
		numbers.I64[i], names.Str[i] = int64(i), "x"
	}
	pairs := New(RowOf(Field{Name: "a", Type: BigIntType}, Field{Name: "b", Type: VarcharType}), n)
	pairs.Children = []*Vector{numbers, names}
	list := New(ArrayOf(pairs.Type), 3)
	list.Children, list.Offsets = []*Vector{pairs}, []int32{0, 5, 5, n}
	list.SetNull(1)
	for name, v := range map[string]*Vector{"constant": NewConst(list.Slice(2, 3), 2), "dictionary": {Type: list.Type, Len: 3, Dict: list, Codes: []uint32{2, 1, 2}}} {
		want := Flatten(Gather(v, []int32{0, 1}))
		looks := 0
		got, err := FlattenWatched(v.Slice(0, 2), func() error { looks++; return nil })
		if err != nil || looks < 8 {
			t.Fatalf("%s: %d looks, %v", name, looks, err)
		}
		if !slices.Equal(got.Offsets, want.Offsets) || !slices.Equal(got.Children[0].Children[0].I64, want.Children[0].Children[0].I64) || got.IsNull(1) != want.IsNull(1) {
			t.Errorf("%s: a watched copy is another", name)
		}
		stop := errors.New("stop")
		for end := range looks {
			at := 0
			if _, err := FlattenWatched(v.Slice(0, 2), func() error {
				if at++; at > end {
					return stop
				}
				return nil
			}); err != stop || at != end+1 {
				t.Fatalf("%s: after look %d of %d: %v", name, end, looks, err)
			}
		}
	}
}
