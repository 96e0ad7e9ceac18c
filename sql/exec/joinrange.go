package exec

import (
	"math"
	"slices"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/plan"
)

// Joins by a range.
//
// Where the condition of a join bounds a value of the held side by values of the
// other, as in b.eventTime BETWEEN a.eventTime AND a.eventTime + INTERVAL '1' HOUR,
// the held rows of one key are put in the order of that value, and a passing row has
// only those within its bounds as candidates. All conditions are evaluated for these
// as for any.

// joinRange is such a condition: by, of the held side, op of, of the other.
type joinRange struct {
	typ *column.Type
	by  expr
	ops []plan.CmpOp
	of  []expr
}

// side is the number of the ranges that serve.
func side(sh *shape) int {
	if sh.heldLeft {
		return 1
	}
	return 0
}

// rangeRowsMin is how many held rows there must be to a key, on average, for an order
// of them to pay.
const rangeRowsMin = 16

// rangeRowBytes is what the order takes for a row, the text of values aside, which
// the rows have.
const rangeRowBytes = 4 + 8 + 2*16 + 4

// rangedRows are the held rows in the order of their keys' lists, then of a value.
type rangedRows struct {
	rows []uint32
	by   keyColumn
	// places are, by the first row of a list, where in rows the list begins and ends.
	places [][2]int32
}

// rangedRows puts held rows in order; nil if there is no range, too few rows, or no
// room for as many bytes.
func (op *joinOp) rangedRows(w *worker, sh *shape, rows *heldRows, room func(int64) bool) *rangedRows {
	r := op.ranges[side(sh)]
	if r == nil || rows.n < rangeRowsMin {
		return nil
	}
	next := rows.table.next
	follows := column.NewBits(rows.n)
	lists := rows.n
	for _, n := range next {
		if n >= 0 {
			follows.Set(int(n))
			lists--
		}
	}
	if rows.n < rangeRowsMin*lists || !room(int64(rows.n)*rangeRowBytes) {
		return nil
	}
	v, err := r.by.eval(w, loaded(rows.n, slices.Clone(rows.cols)))
	if err != nil {
		return nil // whether a row that counts fails, the pairs will tell
	}
	all := newKeyColumn(r.typ)
	all.add(v, rows.n)
	x := &rangedRows{rows: make([]uint32, 0, rows.n), places: make([][2]int32, rows.n)}
	order := make([]int32, 0, rows.n)
	beat := pulse{q: w.q}
	for first := range rows.n {
		if follows.Get(first) {
			continue
		}
		from := len(order)
		for r := int32(first); r >= 0; r = next[r] {
			if !all.nulls.Get(int(r)) && (all.kind != column.PayloadF64 || !math.IsNaN(all.f64[r])) {
				order = append(order, r)
			}
		}
		slices.SortStableFunc(order[from:], func(a, b int32) int {
			beat.beat()
			return all.order(a, b)
		})
		x.places[first] = [2]int32{int32(from), int32(len(order))}
	}
	for _, r := range order {
		x.rows = append(x.rows, uint32(r))
	}
	all.gather(order)
	x.by = all
	return x
}

// narrower finds the candidates of passing rows. It belongs to one goroutine.
type narrower struct {
	*rangedRows
	of     *joinRange
	values []*column.Vector // of the frame that passes
	found  []uint32
}

// begin gets ready for the rows of a frame. It returns nil when all candidates count:
// there is no order, or what is to be compared cannot be computed for all rows.
func (x *narrower) begin(w *worker, f *frame) (*narrower, error) {
	if x == nil {
		return nil, nil
	}
	var err error
	x.values, err = evalAll(w, x.of.of, f)
	if err == nil {
		return x, nil
	}
	if !forgivable(err) {
		return nil, err
	}
	return nil, nil
}

// candidates returns the held rows of the list that begins with first within the
// bounds of row i. They stay valid until the next call.
func (x *narrower) candidates(i int, first int32) []uint32 {
	from, to := int(x.places[first][0]), int(x.places[first][1])
	for k, op := range x.of.ops {
		from, to = x.by.within(from, to, op, x.values[k], i)
	}
	if from >= to {
		return nil
	}
	x.found = ascending(x.found, x.rows[from:to], len(x.places))
	return x.found
}
