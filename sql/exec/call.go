package exec

import (
	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/fn"
	"github.com/cairndb/cairn/sql/sqlerr"
)

// callExpr is a call of a scalar function.
type callExpr struct {
	fn   *fn.Bound
	args []expr
	pos  sqlerr.Pos
	grow growth
}

// growth says how much larger than its arguments a function's result may be.
type growth uint8

const (
	fixed     growth = iota // numbers: as many bytes as rows
	moderate                // text about as long as the arguments
	multiply                // the arguments' lengths may multiply
	unbounded               // an argument says how long the result is
)

var growths = map[string]growth{
	"replace": multiply, "regexp_replace": multiply, "array_join": multiply, "translate": multiply,
	"repeat": unbounded, "sequence": unbounded, "lpad": unbounded, "rpad": unbounded,
	"combinations": unbounded, "ngrams": unbounded, "format": unbounded,
}

func newCall(name string, f *fn.Bound, args []expr, pos sqlerr.Pos) *callExpr {
	e := &callExpr{fn: f, args: args, pos: pos}
	if p := f.Result.Payload(); p == column.PayloadStr || p == column.PayloadNested {
		e.grow = max(moderate, growths[name])
	}
	return e
}

// stepBytes is how large the result of one step of a function is expected to
// be at most. Where it would be more, the function gets fewer rows at a time,
// and what it has made is held against the budget before it goes on: one call
// over one batch must not fill the memory of the process.
const stepBytes = 8 << 20

// unboundedBytes is what a row of an unbounded function is taken to need.
const unboundedBytes = 1 << 20

func (e *callExpr) eval(w *worker, f *frame) (*column.Vector, error) {
	args := make([]*column.Vector, len(e.args))
	constant := true
	laid := int64(0)
	for i, a := range e.args {
		v, err := a.eval(w, f)
		if err != nil {
			return nil, err
		}
		if size := laidBytes(v); v.Dict != nil && size > shareBytes {
			laid += size // a few rows at a time
		} else {
			v = flat(v)
		}
		args[i] = v
		constant = constant && v.Const
	}
	if !constant && f.n > 1 {
		need := laid
		if e.grow != fixed {
			need = max(need, e.resultBytes(args, f.n))
		}
		if need > stepBytes {
			return e.inSteps(w, args, f.n, int(max(1, float64(f.n)*stepBytes/float64(need))))
		}
	}
	return e.step(w, args, f.n)
}

func (e *callExpr) step(w *worker, args []*column.Vector, n int) (*column.Vector, error) {
	if err := w.q.live(); err != nil {
		return nil, err
	}
	for i, a := range args {
		args[i] = flat(a)
	}
	v, err := e.fn.Eval(w.fn, args, n)
	if err != nil {
		return nil, placed(err, e.pos)
	}
	if !e.fn.NullCall {
		v = nullWhere(v, args)
	}
	return v, nil
}

// resultBytes estimates the size of the result of n rows.
func (e *callExpr) resultBytes(args []*column.Vector, n int) int64 {
	if e.grow == unbounded {
		return int64(n) * unboundedBytes
	}
	var sum int64
	most := int64(1)
	for i, v := range args {
		if v.I64 != nil || v.F64 != nil {
			continue
		}
		b := vectorBytes(v)
		if v.Const {
			sum += b * int64(n)
			if i > 0 {
				most = max(most, b-64)
			}
			continue
		}
		sum += b
		if i > 0 && e.grow == multiply {
			for _, s := range v.Str {
				most = max(most, int64(len(s)))
			}
		}
	}
	if e.grow == multiply {
		sum *= most
		if sum < 0 {
			sum = 1 << 62
		}
	}
	return sum
}

// inSteps evaluates some rows at a time.
func (e *callExpr) inSteps(w *worker, args []*column.Vector, n, rows int) (*column.Vector, error) {
	out := newPicker(e.fn.Result, n)
	mem := account{m: w.q.mem, what: "a result", todo: "make shorter values, or raise the budget"}
	defer mem.release()
	for from := 0; from < n; from += rows {
		if err := w.q.live(); err != nil {
			return nil, err
		}
		to := min(n, from+rows)
		part := make([]*column.Vector, len(args))
		for i, v := range args {
			part[i] = v.Slice(from, to)
		}
		v, err := e.step(w, part, to-from)
		if err != nil {
			return nil, err
		}
		size := vectorBytes(v)
		if v.Const {
			size *= int64(to - from)
		}
		if err := mem.hold(mem.held + size); err != nil {
			return nil, sqlerr.At(err, e.pos)
		}
		for i := range v.Len {
			out.add(v, i)
		}
	}
	return out.vector(), nil
}

// nullWhere returns v with the rows NULL where an argument is.
func nullWhere(v *column.Vector, args []*column.Vector) *column.Vector {
	var nulls column.Bits
	for _, a := range args {
		if !a.Nulls.Any() {
			continue
		}
		if a.Const {
			return column.NullConst(v.Type, v.Len)
		}
		if nulls == nil {
			nulls = column.NewBits(v.Len)
			copy(nulls, v.Nulls)
		}
		for i, x := range a.Nulls[:min(len(a.Nulls), len(nulls))] {
			nulls[i] |= x
		}
	}
	if nulls == nil {
		return v
	}
	if v.Const {
		if v.Nulls.Get(0) {
			return v
		}
		v = column.Flatten(v)
	}
	out := *v
	out.Nulls = nulls
	return &out
}
