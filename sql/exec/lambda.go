package exec

import (
	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/fn"
	"github.com/cairndb/cairn/sql/plan"
	"github.com/cairndb/cairn/sql/sqlerr"
)

// higherExpr is a call of a function with lambdas. The function lays the
// elements of all rows out as inner rows and has a lambda evaluated for them at
// once: in a frame that has the columns of the row that each element belongs to,
// loaded when the body first asks for them, and the parameters behind.
type higherExpr struct {
	fn      *fn.HigherBound
	args    []expr // nil for lambdas
	lambdas []expr // bodies; nil for the others
	params  int    // slot of the first parameter
	closed  bool   // no column is needed: one value for all rows
	typ     *column.Type
	pos     sqlerr.Pos
}

func (c *compiler) higher(e *plan.Higher, in slots) expr {
	h := &higherExpr{fn: e.Fn, args: make([]expr, len(e.Args)), lambdas: make([]expr, len(e.Args)), typ: e.Type(), pos: e.Place}
	for _, s := range in {
		h.params = max(h.params, s+1)
	}
	h.closed = !plan.Volatile(e)
	plan.Walk(e, func(x plan.Expr) bool {
		switch x := x.(type) {
		case *plan.Ref:
			h.closed = false
		case *plan.LambdaParam:
			if _, around := in[x.ID]; around {
				h.closed = false
			}
		}
		return h.closed
	})
	for i, a := range e.Args {
		l, ok := a.(*plan.Lambda)
		if !ok {
			h.args[i] = c.expr(a, in)
			continue
		}
		inner := make(slots, len(in)+len(l.Params))
		for id, s := range in {
			inner[id] = s
		}
		for k, p := range l.Params {
			inner[p.ID] = h.params + k
		}
		h.lambdas[i] = c.expr(l.Body, inner)
	}
	return h
}

func (e *higherExpr) eval(w *worker, f *frame) (*column.Vector, error) {
	if e.closed && f.n > 1 {
		v, err := e.eval(w, f.sub([]int32{0}))
		if err != nil {
			return nil, err
		}
		return column.NewConst(column.Flatten(v), f.n), nil
	}
	args := make([]*column.Vector, len(e.args))
	fns := make([]fn.LambdaFunc, len(e.args))
	laid := int64(0)
	for i := range e.args {
		if e.lambdas[i] != nil {
			fns[i] = e.lambda(w, f, e.lambdas[i])
			continue
		}
		v, err := e.args[i].eval(w, f)
		if err != nil {
			return nil, err
		}
		args[i], laid = v, laid+laidBytes(v)
	}
	if laid > stepBytes && f.n > 1 {
		return inHalves(w, e, f, e.typ)
	}
	for i, v := range args {
		if v != nil {
			w.q.fits(laidBytes(v), "a function")
			if v.Dict == nil {
				continue
			}
			var err error
			if args[i], err = column.FlattenWatched(v, w.q.live); err != nil {
				return nil, err
			}
		}
	}
	v, err := e.fn.Eval(w.fn, args, fns, f.n)
	if err != nil {
		return nil, placed(err, e.pos)
	}
	return v, nil
}

// inHalves evaluates x for the first half of the rows of f, then for the rest: for
// values of which a batch is too much.
func inHalves(w *worker, x expr, f *frame, t *column.Type) (*column.Vector, error) {
	if err := w.q.live(); err != nil {
		return nil, err
	}
	mem := account{m: w.q.mem, what: "a result", todo: "make shorter values, or raise the budget"}
	defer mem.release()
	var halves [2]piece
	for k, r := range [2][2]int{{0, f.n / 2}, {f.n / 2, f.n}} {
		rows := make([]int32, 0, r[1]-r[0])
		for i := r[0]; i < r[1]; i++ {
			rows = append(rows, int32(i))
		}
		v, err := x.eval(w, f.sub(rows))
		if err != nil {
			return nil, err
		}
		if err := mem.hold(mem.held + wholeBytes(v)); err != nil {
			return nil, err
		}
		halves[k] = piece{v, rows}
	}
	return assemble(w, t, f.n, halves[:]), nil
}

// lambdaRows is how many inner rows a lambda is evaluated for at once: rows with
// long arrays must not make vectors without bound, and a query is to end soon
// after it was cancelled.
const lambdaRows = batchRows

func (e *higherExpr) lambda(w *worker, f *frame, body expr) fn.LambdaFunc {
	at := func(params []*column.Vector, outer []int32, m int) (*column.Vector, error) {
		g := &frame{n: m, cols: make([]*column.Vector, e.params+len(params)), src: &captured{f, outer}}
		copy(g.cols[e.params:], params)
		return body.eval(w, g)
	}
	return func(params []*column.Vector, outer []int32, m int) (*column.Vector, error) {
		mem := account{m: w.q.mem, what: "the result of a lambda", todo: "make shorter values, or raise the budget"}
		defer mem.release()
		if m <= lambdaRows {
			if err := w.q.live(); err != nil {
				return nil, err
			}
			v, err := at(params, outer, m)
			if err != nil {
				return nil, err
			}
			// One value for many elements becomes as many.
			if err := mem.hold(laidBytes(v)); err != nil {
				return nil, sqlerr.At(err, e.pos)
			}
			return v, nil
		}
		var out *column.Appender
		for from := 0; from < m; from += lambdaRows {
			if err := w.q.live(); err != nil {
				return nil, err
			}
			to := min(m, from+lambdaRows)
			part := make([]*column.Vector, len(params))
			for i, p := range params {
				part[i] = p.Slice(from, to)
			}
			v, err := at(part, outer[from:to], to-from)
			if err != nil {
				return nil, err
			}
			size := vectorBytes(v)
			if v.Const {
				size *= int64(to - from)
			}
			if err := mem.hold(mem.held + max(size, laidBytes(v))); err != nil {
				return nil, sqlerr.At(err, e.pos)
			}
			if out == nil {
				out = column.NewAppender(v.Type, m)
			}
			out.AppendAll(v)
		}
		return out.Vector(), nil
	}
}

// captured loads the columns around a lambda for its inner rows, of which one
// outer row may have many.
type captured struct {
	of    *frame
	outer []int32
}

func (c *captured) load(w *worker, slot int) (*column.Vector, error) {
	v, err := c.of.col(w, slot)
	if err != nil {
		return nil, err
	}
	return gather(v, c.outer), nil
}

func (c *captured) loadAt(w *worker, slot int, at []int32) (*column.Vector, error) {
	v, err := c.of.col(w, slot)
	if err != nil {
		return nil, err
	}
	rows := make([]int32, len(at))
	for i, p := range at {
		rows[i] = c.outer[p]
	}
	return gather(v, rows), nil
}
