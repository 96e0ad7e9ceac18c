package exec

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/cairndb/cairn/segment/column"
)

// valueText writes a value so that different values have different texts.
func valueText(v *column.Vector, i int) string {
	if v.IsNull(i) {
		return "NULL"
	}
	leaf, j := v.Leaf(i)
	if leaf.Str != nil {
		return fmt.Sprintf("%q", leaf.Str[j])
	}
	return fmt.Sprint(leaf.I64[j])
}

// partsOf makes parts of random keys: a time that does not fall, text in dictionaries of their
// own, integers with NULLs, and what is the same in a whole part.
func partsOf(r *rand.Rand, n int) (types []*column.Type, parts []storedPart) {
	types = []*column.Type{column.TimestampType, column.VarcharType, column.BigIntType, column.VarcharType, column.BigIntType}
	for range n {
		rows := r.IntN(2000)
		if rows == 0 {
			parts = append(parts, storedPart{})
			continue
		}
		times := make([]int64, rows)
		for i := range times {
			times[i] = -5*3600e6 + int64(r.IntN(50))*3600e6
		}
		slices.Sort(times)
		dict := column.New(column.VarcharType, 4)
		for i, p := range r.Perm(4) {
			dict.Str[i] = fmt.Sprint("v", p+r.IntN(2)*10)
		}
		if r.IntN(2) == 0 {
			dict.SetNull(r.IntN(4))
		}
		text := &column.Vector{Type: column.VarcharType, Len: rows, Dict: dict, Codes: make([]uint32, rows)}
		ints := column.New(column.BigIntType, rows)
		for i := range rows {
			text.Codes[i] = uint32(r.IntN(4))
			if ints.I64[i] = int64(r.IntN(5)) - 2; r.IntN(4) == 0 {
				ints.SetNull(i)
			}
		}
		one := column.New(column.VarcharType, 1)
		one.Str[0] = fmt.Sprint("c", r.IntN(2))
		same := column.New(column.BigIntType, 1)
		if same.I64[0] = int64(r.IntN(3)); r.IntN(3) == 0 {
			same.SetNull(0)
		}
		keys := []*column.Vector{{Type: types[0], Len: rows, I64: times}, text, ints, column.NewConst(one, rows), column.NewConst(same, rows)}
		parts = append(parts, storedPart{f: loaded(rows, keys), keys: keys, rising: [][]int64{times, nil, nil, nil, nil}, places: make([][]uint64, len(keys)), others: []int{0, 1, 2, 3, 4}})
	}
	return types, parts
}

// TestGroupsAreNumbered numbers the groups of random parts: equal keys have one number,
// different keys different ones, and the keys come back from the numbers.
func TestGroupsAreNumbered(t *testing.T) {
	for seed := range uint64(20) {
		types, parts := partsOf(rand.New(rand.NewPCG(seed, 1)), 6)
		digits, ok := digitsOf(types, parts)
		if !ok {
			if !slices.ContainsFunc(parts, func(p storedPart) bool { return p.f != nil }) {
				continue
			}
			t.Fatalf("seed %d: no numbers", seed)
		}
		cuts := stretches(parts, 0)
		of := map[int64]string{}
		for i := range parts {
			p := &parts[i]
			if p.f == nil {
				continue
			}
			at := 0
			for _, cut := range cuts[1:] {
				numbers := make([]int64, cut[i]-at)
				for k := range digits {
					digits[k].add(numbers, p.keys[k], p.places[k], at)
				}
				for row, n := range numbers {
					key := ""
					for k := range digits {
						key += valueText(p.keys[k], at+row) + " "
					}
					if was, ok := of[n]; ok && was != key {
						t.Fatalf("seed %d: %s and %s have one number", seed, was, key)
					}
					of[n] = key
				}
				at = cut[i]
			}
			if at != p.f.n {
				t.Fatalf("seed %d: %d rows of %d are in stretches", seed, at, p.f.n)
			}
		}
		seen := map[string]bool{}
		var numbers []int64
		for n, key := range of {
			if seen[key] {
				t.Fatalf("seed %d: %s has two numbers", seed, key)
			}
			seen[key] = true
			numbers = append(numbers, n)
		}
		back := make([]*column.Vector, len(digits))
		for k := range digits {
			back[k] = digits[k].vector(numbers)
		}
		for i, n := range numbers {
			key := ""
			for _, v := range back {
				key += valueText(v, i) + " "
			}
			if key != of[n] {
				t.Fatalf("seed %d: %s comes back as %s", seed, of[n], key)
			}
		}
	}
}

// TestStretchesHaveDifferentGroups cuts many parts by time: no value of it is in two
// stretches.
func TestStretchesHaveDifferentGroups(t *testing.T) {
	_, parts := partsOf(rand.New(rand.NewPCG(7, 1)), 200)
	cuts := stretches(parts, 0)
	if len(cuts) < 4 {
		t.Fatalf("only %d cuts", len(cuts))
	}
	in := map[int64]int{}
	for s := range cuts[1:] {
		for i := range parts {
			if parts[i].f == nil {
				continue
			}
			for _, x := range parts[i].rising[0][cuts[s][i]:cuts[s+1][i]] {
				if was, ok := in[x]; ok && was != s {
					t.Fatalf("time %d is in stretches %d and %d", x, was, s)
				}
				in[x] = s
			}
		}
	}
}

// TestNumbersThatDoNotFit leaves groups alone whose keys have too many values, or none that can
// be numbered.
func TestNumbersThatDoNotFit(t *testing.T) {
	part := func(keys ...*column.Vector) []storedPart {
		return []storedPart{{f: loaded(2, keys), keys: keys, rising: make([][]int64, len(keys)), places: make([][]uint64, len(keys))}}
	}
	wide := &column.Vector{Type: column.BigIntType, Len: 2, I64: []int64{math.MinInt64, math.MaxInt64 - 1}}
	near := &column.Vector{Type: column.BigIntType, Len: 3, I64: []int64{0, 1 << 40, 1}}
	flat := &column.Vector{Type: column.VarcharType, Len: 2, Str: []string{"a", "b"}}
	for _, keys := range [][]*column.Vector{{near, near}, {flat}, {column.New(column.DoubleType, 2)}, {{Type: column.BigIntType, Len: 3, I64: []int64{math.MinInt64, 1, math.MaxInt64}}}} {
		types := make([]*column.Type, len(keys))
		for i, v := range keys {
			types[i] = v.Type
		}
		if _, ok := digitsOf(types, part(keys...)); ok {
			t.Errorf("%v have numbers", keys)
		}
	}
	if _, ok := digitsOf([]*column.Type{column.BigIntType}, part(wide)); !ok {
		t.Error("two integers far apart, of one step, have no numbers")
	}
}
