package exec

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"
)

// The front of the list must hold what sorting would put there, whatever the order before.
func TestBringFirst(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 1))
	for round := range 3000 {
		n := r.IntN(200)
		list := make([]int, n)
		for i := range list {
			switch round % 4 {
			case 0:
				list[i] = i
			case 1:
				list[i] = n - i
			case 2:
				list[i] = r.IntN(4)
			default:
				list[i] = r.IntN(1000)
			}
		}
		want := slices.Clone(list)
		slices.Sort(want)
		first := r.IntN(n + 1)
		bringFirst(list, first, cmp.Compare[int])
		slices.Sort(list[:first])
		if !slices.Equal(list[:first], want[:first]) {
			t.Fatalf("round %d: the first %d of %d are %v, want %v", round, first, n, list[:first], want[:first])
		}
		slices.Sort(list)
		if !slices.Equal(list, want) {
			t.Fatalf("round %d: values were lost: %v, want %v", round, list, want)
		}
	}
}

// A list made to defeat the choice of pivots must not take quadratic time.
func TestBringFirstCompares(t *testing.T) {
	const n = 1 << 16
	for _, make := range []func(i int) int{
		func(i int) int { return i },
		func(i int) int { return -i },
		func(i int) int { return min(i, n-i) },
		func(i int) int { return i & 1 * i },
		func(int) int { return 1 },
	} {
		list := []int{}
		for i := range n {
			list = append(list, make(i))
		}
		compares := 0
		bringFirst(list, 50, func(a, b int) int { compares++; return cmp.Compare(a, b) })
		if compares > 40*n {
			t.Errorf("%d comparisons for %d values", compares, n)
		}
	}
}
