package exec

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/cairndb/cairn/segment/column"
)

// counted counts how many rows it is evaluated for, and fails at a value.
type counted struct {
	rows int
	bad  int64
}

func (e *counted) eval(w *worker, f *frame) (*column.Vector, error) {
	v, err := f.col(w, 0)
	if err != nil {
		return nil, err
	}
	if slices.Contains(v.I64, e.bad) {
		return nil, errors.New("bad")
	}
	e.rows += f.n
	return v, nil
}

// TestSharedExpressions checks that values are computed once per row, never for
// rows that nobody asks for, and that errors are not kept.
func TestSharedExpressions(t *testing.T) {
	q := &query{ctx: context.Background()}
	w := q.newWorker()
	v := column.New(column.BigIntType, 5)
	for i := range v.I64 {
		v.I64[i] = int64(10 * i)
	}
	for _, c := range []struct {
		name  string
		asked [][]int32 // rows in turn, nil for all
		bad   int64
		rows  int
		fails int
	}{
		{"all, then all", [][]int32{nil, nil}, -1, 5, 0},
		{"all, then some", [][]int32{nil, {1, 3}, {4}}, -1, 5, 0},
		{"some, then all", [][]int32{{1, 3}, nil, {0}}, -1, 7, 0},
		{"an error of a row that is not asked for", [][]int32{{0, 1}, {1}}, 20, 3, 0},
		{"an error", [][]int32{nil, {0, 1}, nil}, 20, 2, 2},
	} {
		x := &counted{bad: c.bad}
		e := &sharedExpr{x: x}
		f := loaded(5, []*column.Vector{v})
		fails := 0
		for _, at := range c.asked {
			g := f
			want := v.I64
			if at != nil {
				g, want = f.sub(at), nil
				for _, a := range at {
					want = append(want, v.I64[a])
				}
			}
			got, err := e.eval(w, g)
			if err != nil {
				fails++
				continue
			}
			if !slices.Equal(column.Flatten(got).I64, want) {
				t.Errorf("%s: rows %v are %v, should be %v", c.name, at, got.I64, want)
			}
		}
		if x.rows != c.rows || fails != c.fails {
			t.Errorf("%s: evaluated for %d rows and failed %d times, should be %d and %d", c.name, x.rows, fails, c.rows, c.fails)
		}
	}
}
