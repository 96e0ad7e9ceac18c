package plan

import "strings"

// nearest returns the name that a misspelled one was probably meant to be, or
// "" when none is near: at most a third of its letters may be wrong.
func nearest(name string, names []string) string {
	name = strings.ToLower(name)
	best, distance := "", max(1, len(name)/3)+1
	bare := strings.ReplaceAll(name, "_", "")
	for _, n := range names {
		low := strings.ToLower(n)
		if low == name {
			continue
		}
		if strings.ReplaceAll(low, "_", "") == bare {
			return n
		}
		if d := len(low) - len(name); d >= distance || -d >= distance {
			continue
		}
		if d := edits(name, low); d < distance || d == distance && best != "" && n < best {
			best, distance = n, d
		}
	}
	return best
}

// edits counts the insertions, deletions, replacements and exchanges of
// neighbours that lead from a to b.
func edits(a, b string) int {
	x, y := []rune(a), []rune(b)
	two, one, now := make([]int, len(y)+1), make([]int, len(y)+1), make([]int, len(y)+1)
	for j := range one {
		one[j] = j
	}
	for i := range x {
		now[0] = i + 1
		for j := range y {
			d := one[j]
			if x[i] != y[j] {
				d++
			}
			d = min(d, one[j+1]+1, now[j]+1)
			if i > 0 && j > 0 && x[i] == y[j-1] && x[i-1] == y[j] {
				d = min(d, two[j-1]+1)
			}
			now[j+1] = d
		}
		two, one, now = one, now, two
	}
	return one[len(y)]
}
