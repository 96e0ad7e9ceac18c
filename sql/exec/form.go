package exec

import (
	"errors"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/plan"
	"github.com/cairndb/cairn/sql/sqlerr"
)

// Forms decide for every row which of their operands is evaluated at all.

// piece is the value of an operand for some rows of a frame.
type piece struct {
	v    *column.Vector
	rows []int32 // nil for all
}

// assemble puts pieces together to one vector of n values; rows that no piece
// has are NULL.
func assemble(w *worker, t *column.Type, n int, pieces []piece) *column.Vector {
	if len(pieces) == 1 && pieces[0].rows == nil {
		return pieces[0].v
	}
	if t.Payload() == column.PayloadNested {
		return assembleNested(w, t, n, pieces)
	}
	out := column.New(t, n)
	out.Nulls = column.NewBits(n)
	for i := range out.Nulls {
		out.Nulls[i] = ^uint64(0)
	}
	for _, p := range pieces {
		v := flat(p.v)
		count := len(p.rows)
		if p.rows == nil {
			count = n
		}
		for i := range count {
			row, from := i, i
			if p.rows != nil {
				row = int(p.rows[i])
			}
			if v.Const {
				from = 0
			}
			if v.Nulls.Get(from) {
				out.Nulls.Set(row)
				continue
			}
			out.Nulls.Clear(row)
			switch {
			case v.I64 != nil:
				out.I64[row] = v.I64[from]
				if v.Zone != nil {
					out.Zone[row] = v.Zone[from]
				}
			case v.F64 != nil:
				out.F64[row] = v.F64[from]
			default:
				out.Str[row] = v.Str[from]
			}
		}
	}
	if n&63 != 0 { // no bits set past the end
		out.Nulls[len(out.Nulls)-1] &= 1<<uint(n&63) - 1
	}
	if !out.Nulls.Any() {
		out.Nulls = nil
	}
	return out
}

func assembleNested(w *worker, t *column.Type, n int, pieces []piece) *column.Vector {
	from := make([]int32, n) // 1 + piece
	at := make([]int32, n)
	for p := range pieces {
		if pieces[p].rows == nil {
			for i := range n {
				from[i], at[i] = int32(p+1), int32(i)
			}
		}
		for i, row := range pieces[p].rows {
			from[row], at[row] = int32(p+1), int32(i)
		}
	}
	copied := int64(0)
	for _, p := range pieces {
		if p.v.Dict == nil && !p.v.Const {
			copied += column.CopyBytes(p.v, 0, p.v.Len)
		}
	}
	w.q.fits(copied, "a result")
	out := newPicker(t, n)
	none := column.NullConst(t, 1)
	for i := range n {
		if from[i] == 0 {
			out.add(none, 0)
			continue
		}
		out.add(pieces[from[i]-1].v, int(at[i]))
	}
	return out.vector()
}

type caseExpr struct {
	typ          *column.Type
	operand      expr // nil for a searched CASE
	equal        *comparison
	whens, thens []expr
	otherwise    expr // nil for NULL
}

func (e *caseExpr) eval(w *worker, f *frame) (*column.Vector, error) {
	var operand *column.Vector
	if e.operand != nil {
		v, err := e.operand.eval(w, f)
		if err != nil {
			return nil, err
		}
		operand = v
	}
	var pieces []piece
	var open []int32 // rows of f that no arm has taken; nil for all
	g := f
	var truth []int8
	for k := range e.whens {
		if err := w.q.live(); err != nil {
			return nil, err
		}
		v, err := e.whens[k].eval(w, g)
		if err != nil {
			return nil, err
		}
		if operand != nil {
			o := operand
			if open != nil {
				o = gather(operand, open)
			}
			if v, err = e.equal.compare(w, o, v, g.n); err != nil {
				return nil, err
			}
		}
		truth = truthOf(v, g.n, truth)
		taken, left := make([]int32, 0, g.n), make([]int32, 0, g.n)
		for i, t := range truth {
			row := int32(i)
			if open != nil {
				row = open[i]
			}
			if t == yes {
				taken = append(taken, row)
			} else {
				left = append(left, row)
			}
		}
		if len(taken) > 0 {
			p, err := evalAt(w, e.thens[k], f, taken)
			if err != nil {
				return nil, err
			}
			pieces = append(pieces, p)
		}
		if len(left) == 0 {
			return assemble(w, e.typ, f.n, pieces), nil
		}
		if len(left) < g.n {
			open, g = left, f.sub(left)
		}
	}
	if e.otherwise != nil {
		if open == nil {
			return e.otherwise.eval(w, f)
		}
		p, err := evalAt(w, e.otherwise, f, open)
		if err != nil {
			return nil, err
		}
		pieces = append(pieces, p)
	}
	if len(pieces) == 0 {
		return column.NullConst(e.typ, f.n), nil
	}
	return assemble(w, e.typ, f.n, pieces), nil
}

// evalAt evaluates x for some rows of f.
func evalAt(w *worker, x expr, f *frame, rows []int32) (piece, error) {
	if len(rows) == f.n {
		v, err := x.eval(w, f)
		return piece{v: v}, err
	}
	v, err := x.eval(w, f.sub(rows))
	return piece{v: v, rows: rows}, err
}

type coalesceExpr struct {
	typ  *column.Type
	args []expr
}

func (e *coalesceExpr) eval(w *worker, f *frame) (*column.Vector, error) {
	var pieces []piece
	var open []int32
	for k, a := range e.args {
		var p piece
		var err error
		if k == 0 {
			p.v, err = a.eval(w, f)
		} else {
			p, err = evalAt(w, a, f, open)
		}
		if err != nil {
			return nil, err
		}
		pieces = append(pieces, p)
		var left []int32
		for i := range p.v.Len {
			if p.v.IsNull(i) {
				if p.rows != nil {
					left = append(left, p.rows[i])
				} else {
					left = append(left, int32(i))
				}
			}
		}
		if len(left) == 0 {
			break
		}
		open = left
	}
	if len(pieces) > 1 && pieces[len(pieces)-1].rows == nil {
		return pieces[len(pieces)-1].v, nil // all before were NULL everywhere
	}
	return assemble(w, e.typ, f.n, pieces), nil
}

// tryExpr gives NULL for the rows where x fails.
type tryExpr struct {
	typ *column.Type
	x   expr
}

func (e *tryExpr) eval(w *worker, f *frame) (*column.Vector, error) {
	v, err := e.x.eval(w, f)
	if err == nil || !forgivable(err) {
		return v, err
	}
	if f.n == 1 {
		return column.NullConst(e.typ, 1), nil
	}
	// Find the failing rows by halves: few failures cost few evaluations.
	if err := w.q.live(); err != nil {
		return nil, err
	}
	var halves [2]piece
	for k, r := range [2][2]int{{0, f.n / 2}, {f.n / 2, f.n}} {
		rows := make([]int32, 0, r[1]-r[0])
		for i := r[0]; i < r[1]; i++ {
			rows = append(rows, int32(i))
		}
		v, err := e.eval(w, f.sub(rows))
		if err != nil {
			return nil, err
		}
		halves[k] = piece{v, rows}
	}
	return assemble(w, e.typ, f.n, halves[:]), nil
}

// forgivable reports whether TRY turns an error into NULL: errors of data do,
// those of the query, of storage and of resources do not.
func forgivable(err error) bool {
	var e *sqlerr.Error
	return errors.As(err, &e) && (len(e.Code) > 2 && e.Code[:2] == "22")
}

// fieldExpr is a field of a row, or element_at of a map with a constant key.
type fieldExpr struct {
	x    expr
	step plan.Step
	typ  *column.Type
}

func (e *fieldExpr) eval(w *worker, f *frame) (*column.Vector, error) {
	v, err := e.x.eval(w, f)
	if err != nil {
		return nil, err
	}
	if v.Dict != nil && v.Dict.Dict == nil && !v.Dict.Const && laidBytes(v) > shareBytes {
		of, err := e.of(v.Dict)
		if err != nil {
			return nil, err
		}
		return &column.Vector{Type: e.typ, Len: v.Len, Nulls: v.Nulls, Dict: column.Flatten(of), Codes: v.Codes}, nil
	}
	return e.of(w.q.laid(v, "a field of rows"))
}

// of returns the field of flat values.
func (e *fieldExpr) of(v *column.Vector) (*column.Vector, error) {
	if e.step.Field >= 0 {
		return nullWhere(v.Children[e.step.Field], []*column.Vector{v}), nil
	}
	at := make([]int32, v.Len)
	missing := column.NewBits(v.Len)
	for i := range v.Len {
		j := findKey(v, i, e.step.Key)
		if j < 0 {
			missing.Set(i)
			continue
		}
		at[i] = j
	}
	values := v.Children[1]
	if values.Len == 0 {
		return column.NullConst(e.typ, v.Len), nil
	}
	out := column.Gather(values, at)
	return nullWhere(out, []*column.Vector{{Type: v.Type, Len: v.Len, Nulls: missing}}), nil
}

// findKey returns the position of the entry with a varchar key in row i of a
// flat map vector, or -1.
func findKey(v *column.Vector, i int, key string) int32 {
	if v.Nulls.Get(i) {
		return -1
	}
	for j := v.Offsets[i]; j < v.Offsets[i+1]; j++ {
		if leaf, k := v.Children[0].Leaf(int(j)); leaf.Str[k] == key {
			return j
		}
	}
	return -1
}

// mapAtExpr is m['k'], an error for a map without the key. The value comes by
// its path; the map itself is read only where that is NULL.
type mapAtExpr struct {
	value, of expr
	key       string
	pos       sqlerr.Pos
}

func (e *mapAtExpr) eval(w *worker, f *frame) (*column.Vector, error) {
	v, err := e.value.eval(w, f)
	if err != nil {
		return nil, err
	}
	var rows []int32
	for i := range v.Len {
		if v.IsNull(i) {
			rows = append(rows, int32(i))
		}
	}
	if len(rows) == 0 {
		return v, nil
	}
	m, err := e.of.eval(w, f.sub(rows))
	if err != nil {
		return nil, err
	}
	m = w.q.laid(m, "a map")
	for i := range m.Len {
		if !m.Nulls.Get(i) && findKey(m, i, e.key) < 0 {
			return nil, sqlerr.New(sqlerr.InvalidArgument, e.pos, "key not present in map: %s", e.key).
				WithHint("element_at(map, key) gives NULL for a key that is missing")
		}
	}
	return v, nil
}

// missingParam is a parameter that was given no value.
type missingParam struct {
	n   int
	pos sqlerr.Pos
}

func (e *missingParam) eval(*worker, *frame) (*column.Vector, error) {
	return nil, sqlerr.New(sqlerr.UndefinedParameter, e.pos, "parameter %d has no value", e.n)
}
