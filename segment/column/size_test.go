package column

import "testing"

// The sizes of values are those of their flat copies, whatever layout they are in.
func TestSizes(t *testing.T) {
	text := &Vector{Type: VarcharType, Len: 4, Str: []string{"a", "bcd", "", "efghi"}}
	arrays := &Vector{Type: ArrayOf(VarcharType), Len: 3, Offsets: []int32{0, 3, 3, 4}, Children: []*Vector{text}}
	rows := &Vector{Type: RowOf(Field{Name: "x", Type: ArrayOf(VarcharType)}, Field{Name: "n", Type: BigIntType}), Len: 3,
		Children: []*Vector{arrays, New(BigIntType, 3)}}
	dict := &Vector{Type: arrays.Type, Len: 4, Dict: arrays, Codes: []uint32{0, 0, 2, 1}}
	for _, c := range []struct {
		name       string
		v          *Vector
		from, to   int
		copy, text int64
	}{
		{"text", text, 0, 4, 64, 9},
		{"some text", text, 1, 3, 32, 3},
		{"nothing", text, 2, 2, 0, 0},
		{"arrays", arrays, 0, 3, 12 + 64, 9},
		{"an empty array", arrays, 1, 2, 4, 0},
		{"rows", rows, 0, 3, 12 + 12 + 64 + 48, 9},
		{"a constant", NewConst(arrays.Slice(0, 1), 5), 1, 4, 3 * (4 + 48), 3 * 4},
		{"a dictionary", dict, 0, 4, 2*(4+48) + 4 + 16 + 4, 4 + 4 + 5},
		{"part of a dictionary", dict, 2, 4, 4 + 16 + 4, 5},
	} {
		if got := CopyBytes(c.v, c.from, c.to); got != c.copy {
			t.Errorf("%s: a copy of %d bytes, want %d", c.name, got, c.copy)
		}
		if got := TextBytes(c.v, c.from, c.to); got != c.text {
			t.Errorf("%s: text of %d bytes, want %d", c.name, got, c.text)
		}
	}
}
