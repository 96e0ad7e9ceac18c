package exec

import (
	"encoding/binary"
	"errors"
	"math"
	"sync"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/plan"
	"github.com/cairndb/cairn/sql/sqlerr"
)

// statement is what the query and the sub-queries of a statement share.
type statement struct {
	mu    sync.Mutex
	subs  map[*plan.SubPlan]*subquery
	items map[*plan.Shared]*sharedItem
	scans []*scanOp // prepared while the statement ran
}

func newStatement() *statement {
	return &statement{subs: map[*plan.SubPlan]*subquery{}, items: map[*plan.Shared]*sharedItem{}}
}

// subquery answers a sub-query of an expression for the rows that ask. Without
// parameters it is run once, when the first row asks. With a plan.Lookup it is
// run once too, its rows found by what they must be equal to; else, and when
// that run fails or does not fit, it is run for each combination of parameters
// that has not been seen.
//
// At most one run of a sub-query is under way: its operators and the units of
// its tables serve one run at a time, each on all workers.
type subquery struct {
	node *plan.Subquery
	mem  account // guarded by mu

	mu sync.Mutex
	// once and lookup are made when the query is compiled, each in case it is
	// used; plain when it is needed.
	plain  *subrun
	lookup *subrun
	empty  *subrun
	probes []expr // over a frame of the arguments

	one     *answer            // without parameters
	seen    map[string]*answer // by parameters
	table   *lookupTable
	refused bool // the lookup does not serve
	def     *answer
}

// subrun is a plan of a sub-query ready to be run.
type subrun struct {
	root  plan.Node
	q     *query
	op    operator
	width int
	made  map[plan.Node]operator
}

// answer is what a sub-query gives for one combination of parameters.
type answer struct {
	value *column.Vector // one value; for ANY and ALL nil
	set   *members       // for ANY and ALL
	err   error
}

// seenBytesMax bounds the answers that a sub-query remembers by parameters, as
// does seenPart of the budget: runs to come need the rest.
const (
	seenBytesMax = 16 << 20
	seenPart     = 8
)

type subqueryExpr struct {
	node  *plan.Subquery
	state *subquery
	x     []expr
	args  []expr
}

// outerExpr is a column of the row that the sub-query is run for.
type outerExpr struct {
	id  plan.ColID
	typ *column.Type
}

func (e *outerExpr) eval(w *worker, f *frame) (*column.Vector, error) {
	v := w.q.params[e.id]
	if v == nil {
		return nil, sqlerr.New(sqlerr.Internal, sqlerr.Pos{}, "a column of the query around has no value")
	}
	return column.NewConst(v, f.n), nil
}

func (c *compiler) subquery(e *plan.Subquery, in slots) expr {
	all := c.q.all
	s := all.subs[e.Sub]
	if s == nil {
		s = &subquery{node: e, seen: map[string]*answer{}}
		s.mem = account{m: c.q.mem, what: "a sub-query", todo: "let it give fewer rows, or raise the budget"}
		all.subs[e.Sub] = s
		if l := e.Sub.Lookup; l != nil {
			s.lookup = c.subrun(l.Root)
			if l.Empty != nil {
				s.empty = c.subrun(l.Empty)
			}
			at := slots{}
			for i, p := range e.Sub.Params {
				at[p.ID] = i
			}
			s.probes = c.exprs(l.Probes, at)
		} else {
			s.plain = c.subrun(e.Sub.Root)
		}
	}
	return &subqueryExpr{node: e, state: s, x: c.exprs(e.X, in), args: c.exprs(e.Args, in)}
}

// subrun compiles a plan to be run by itself, with the scans of the statement.
func (c *compiler) subrun(root plan.Node) *subrun {
	q := *c.q
	q.caches, q.params = 0, nil
	k := &compiler{q: &q, made: map[plan.Node]operator{}}
	r := &subrun{root: root, q: &q, width: len(root.Cols()), made: k.made}
	r.op = k.node(root)
	c.scans = append(c.scans, k.scans...)
	return r
}

func (e *subqueryExpr) eval(w *worker, f *frame) (*column.Vector, error) {
	if f.n == 0 {
		return column.New(e.node.T, 0), nil
	}
	x, err := evalAll(w, e.x, f)
	if err != nil {
		return nil, err
	}
	if len(e.args) == 0 {
		a, err := e.state.only(w)
		if err != nil {
			return nil, err
		}
		if a.value != nil {
			return e.typed(column.NewConst(a.value, f.n)), nil
		}
		return e.compare(w, x, f.n, func(int) *answer { return a })
	}
	args, err := evalAll(w, e.args, f)
	if err != nil {
		return nil, err
	}
	answers, err := e.state.answers(w, args, f.n)
	if err != nil {
		return nil, err
	}
	if e.node.Kind == plan.AnyQuery || e.node.Kind == plan.AllQuery {
		return e.compare(w, x, f.n, func(i int) *answer { return answers[i] })
	}
	out := newPicker(e.node.T, f.n)
	for _, a := range answers {
		v := a.value
		if !v.Const { // the same answer for many rows
			v = column.NewConst(v, 1)
		}
		out.add(v, 0)
	}
	return out.vector(), nil
}

// typed gives a value without type the type that its place has.
func (e *subqueryExpr) typed(v *column.Vector) *column.Vector {
	if v.Type.Kind == column.Unknown && e.node.T.Kind != column.Unknown {
		return column.NullConst(e.node.T, v.Len)
	}
	return v
}

// compare computes X op ANY or ALL of the answers' values.
func (e *subqueryExpr) compare(w *worker, x []*column.Vector, n int, of func(int) *answer) (*column.Vector, error) {
	out := column.New(column.BooleanType, n)
	for i := range x {
		w.q.fits(laidBytes(x[i]), "a sub-query")
		x[i] = flat(x[i])
	}
	for i := range n {
		t, err := of(i).set.compare(w, e.node, x, i)
		if err != nil {
			return nil, err
		}
		switch t {
		case yes:
			out.I64[i] = 1
		case unknown:
			out.SetNull(i)
		}
	}
	return out, nil
}

// only returns the answer of a sub-query without parameters.
func (s *subquery) only(w *worker) (*answer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.one == nil {
		a, err := s.run(s.plain, w, nil)
		if err != nil && !forgivable(err) {
			return nil, err
		}
		if err != nil {
			a = &answer{err: err}
		} else if err := s.mem.hold(a.bytes()); err != nil {
			return nil, err
		}
		s.one = a
	}
	return s.one, s.one.err
}

// answers returns the answers for n rows of arguments.
func (s *subquery) answers(w *worker, args []*column.Vector, n int) ([]*answer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]*answer, n)
	if s.lookup != nil && !s.refused {
		ok, err := s.lookUp(w, args, n, out)
		if ok || err != nil {
			return out, err
		}
	}
	if s.plain == nil {
		if err := s.compilePlain(w); err != nil {
			return nil, err
		}
	}
	var key []byte
	for i := range out {
		key = key[:0]
		for _, a := range args {
			key = exactKey(key, a, i)
		}
		a := s.seen[string(key)]
		if a == nil {
			if err := w.q.live(); err != nil {
				return nil, err
			}
			params := make(map[plan.ColID]*column.Vector, len(args))
			for k, p := range s.node.Sub.Params {
				params[p.ID] = column.Flatten(args[k].Slice(i, i+1))
			}
			var err error
			if a, err = s.run(s.plain, w, params); err != nil {
				return nil, err
			}
			if !s.node.Sub.Volatile {
				s.remember(string(key), a)
			}
		}
		out[i] = a
	}
	return out, nil
}

// remember keeps an answer for rows to come; when there are too many, all are
// forgotten.
func (s *subquery) remember(key string, a *answer) {
	size, most := int64(len(key))+96+a.bytes(), int64(seenBytesMax)
	if limit := s.mem.m.limit; limit >= 0 {
		most = min(most, limit/seenPart)
	}
	if s.mem.held+size > most || s.mem.hold(s.mem.held+size) != nil {
		clear(s.seen)
		s.mem.release()
		return
	}
	s.seen[key] = a
}

func (a *answer) bytes() int64 {
	if a.value != nil {
		return vectorBytes(a.value)
	}
	return a.set.bytes()
}

// compilePlain makes ready the run per combination of a sub-query that was to
// be answered by lookup.
func (s *subquery) compilePlain(w *worker) error {
	q := w.q
	q.all.mu.Lock()
	defer q.all.mu.Unlock()
	k := &compiler{q: q, made: map[plan.Node]operator{}}
	r := k.subrun(s.node.Sub.Root)
	for i, scan := range k.scans {
		if scan.late {
			continue
		}
		if err := scan.prepare(q.ctx, nil); err != nil {
			closeScans(k.scans[:i])
			return err
		}
	}
	q.all.scans = append(q.all.scans, k.scans...)
	s.plain = r
	return nil
}

// exactKey appends bytes that are equal for values that no expression can tell
// apart.
func exactKey(b []byte, v *column.Vector, i int) []byte {
	leaf, j := v.Leaf(i)
	if v.IsNull(i) || leaf.IsNull(j) {
		return append(b, 0)
	}
	if leaf.Type.Payload() == column.PayloadF64 {
		return binary.LittleEndian.AppendUint64(append(b, 1), math.Float64bits(leaf.F64[j]))
	}
	b = appendKey(b, leaf, j)
	if leaf.Zone != nil {
		b = binary.LittleEndian.AppendUint16(b, leaf.Zone[j])
	}
	return b
}

// run runs the sub-query and makes its answer of the rows.
func (s *subquery) run(r *subrun, w *worker, params map[plan.ColID]*column.Vector) (*answer, error) {
	r.q.params = params
	c := newCollector(s)
	most := int64(-1)
	switch s.node.Kind {
	case plan.ExistsQuery:
		most = 1
	case plan.ScalarQuery:
		most = 2
	}
	defer func() { c.mem.release() }() // what is kept is held by who keeps it
	if err := r.drain(w, most, c.add); err != nil {
		return nil, err
	}
	return c.answer(nil)
}

// drain gives all batches of the run to take, in their order, or enough of them
// to have most rows.
func (r *subrun) drain(w *worker, most int64, take func(*column.Batch) error) error {
	tasks, err := r.op.open(r.q)
	if err != nil {
		return err
	}
	s := newStream(r.q, tasks, r.width, most)
	defer s.stop()
	left := most
	for most < 0 || left > 0 {
		b, err := s.next()
		if err != nil || b == nil {
			return err
		}
		if err := take(b); err != nil {
			return err
		}
		left -= int64(b.Len)
	}
	return nil
}

// collector gathers the rows that an answer is made of.
type collector struct {
	s    *subquery
	n    int
	cols []*column.Appender
	mem  account
	held int64
}

func newCollector(s *subquery) *collector {
	c := &collector{s: s, mem: s.mem}
	c.mem.held = 0
	return c
}

func (c *collector) add(b *column.Batch) error {
	c.n += b.Len
	if c.s.node.Kind == plan.ExistsQuery {
		return nil
	}
	for i, v := range b.Cols {
		if i == len(c.cols) {
			c.cols = append(c.cols, column.NewAppender(v.Type, v.Len))
		}
		c.held += vectorBytes(v)
		if v.Dict != nil || v.Const {
			c.held += max(int64(16*v.Len), laidBytes(v))
		}
		if err := c.mem.hold(c.held); err != nil {
			return err
		}
		c.cols[i].AppendAll(v)
	}
	return c.mem.hold(c.held)
}

// answer makes the answer of the given rows, or of all when rows is nil.
func (c *collector) answer(rows []int32) (*answer, error) {
	e := c.s.node
	n := c.n
	if rows != nil {
		n = len(rows)
	}
	at := func(i int) int {
		if rows != nil {
			return int(rows[i])
		}
		return i
	}
	switch e.Kind {
	case plan.ExistsQuery:
		v := column.New(column.BooleanType, 1)
		v.I64[0] = bit(n > 0)
		return &answer{value: v}, nil
	case plan.ScalarQuery:
		if n > 1 {
			return nil, sqlerr.New(sqlerr.CardinalityViolation, e.Pos(), "the sub-query gives more than one row where one value is wanted").
				WithHint("take one row with LIMIT 1, or one value with max(…) or any_value(…)")
		}
		out := column.NewAppender(e.T, 1)
		if n == 0 || c.cols[0].Vector().IsNull(at(0)) {
			out.Null()
		} else {
			out.Append(c.cols[0].Vector(), at(0))
		}
		return &answer{value: out.Vector()}, nil
	case plan.ArrayQuery:
		elems := column.NewAppender(e.T.Elem, n)
		for i := range n {
			elems.Append(c.cols[0].Vector(), at(i))
		}
		v := column.New(e.T, 1)
		v.Offsets = []int32{0, int32(n)}
		v.Children = []*column.Vector{elems.Vector()}
		return &answer{value: v}, nil
	}
	all := make([]*column.Vector, len(c.cols))
	for i := range all {
		all[i] = c.cols[i].Vector()
	}
	set := newMembers(e, all, n, at)
	if rows == nil {
		set.own = c.held
	}
	return &answer{set: set}, nil
}

// lookupTable has the rows of a sub-query by what they must be equal to.
type lookupTable struct {
	rows    *collector
	byKey   map[string][]int32
	answers map[string]*answer
}

// lookUp answers n rows by lookup; ok is false when it cannot.
func (s *subquery) lookUp(w *worker, args []*column.Vector, n int, out []*answer) (ok bool, err error) {
	if s.table == nil {
		switch err := s.fill(w); {
		case err == nil:
		case forgivable(err) || codeIs(err, sqlerr.OutOfMemory):
			// An error may come from rows that nobody asks for.
			s.refused = true
			return false, nil
		default:
			return false, err
		}
	}
	f := loaded(n, args)
	probes, err := evalAll(w, s.probes, f)
	if err != nil {
		return false, err
	}
	var key []byte
	for i := range n {
		var match bool
		key, match = s.lookupKey(key[:0], probes, i)
		if !match {
			if out[i], err = s.missing(w); err != nil {
				return false, err
			}
			continue
		}
		a := s.table.answers[string(key)]
		if a == nil {
			rows := s.table.byKey[string(key)]
			if rows == nil {
				a, err = s.missing(w)
			} else {
				a, err = s.table.rows.answer(rows)
				size := int64(len(key)) + 96
				if a != nil {
					size += a.bytes()
				}
				if e := s.mem.hold(s.mem.held + size); err == nil && e != nil {
					err = e
				}
			}
			if err != nil {
				return false, err
			}
			if rows != nil {
				s.table.answers[string(key)] = a
			}
		}
		out[i] = a
	}
	return true, nil
}

func codeIs(err error, code string) bool {
	var e *sqlerr.Error
	return errors.As(err, &e) && e.Code == code
}

// lookupKey appends the key of a row; match is false when nothing equals it.
func (s *subquery) lookupKey(b []byte, keys []*column.Vector, i int) (_ []byte, match bool) {
	for k, v := range keys {
		if v.IsNull(i) {
			if !s.node.Sub.Lookup.NullSafe[k] {
				return b, false
			}
			b = append(b, 0)
			continue
		}
		leaf, j := v.Leaf(i)
		if leaf.Type.Payload() == column.PayloadF64 && leaf.F64[j] != leaf.F64[j] && !s.node.Sub.Lookup.NullSafe[k] {
			return b, false
		}
		b = appendKey(b, leaf, j)
	}
	return b, true
}

// fill runs the plan of the lookup.
func (s *subquery) fill(w *worker) error {
	keys := len(s.node.Sub.Lookup.Keys)
	t := &lookupTable{rows: newCollector(s), byKey: map[string][]int32{}, answers: map[string]*answer{}}
	var key []byte
	var held int64
	err := s.lookup.drain(w, -1, func(b *column.Batch) error {
		first := t.rows.n
		for i := range b.Len {
			var match bool
			if key, match = s.lookupKey(key[:0], b.Cols[:keys], i); !match {
				continue
			}
			rows := t.byKey[string(key)]
			if rows == nil {
				held += int64(len(key)) + 64
			}
			held += 8
			t.byKey[string(key)] = append(rows, int32(first+i))
		}
		if err := s.mem.hold(held); err != nil {
			return err
		}
		return t.rows.add(&column.Batch{Len: b.Len, Cols: b.Cols[keys:]})
	})
	if err != nil {
		t.rows.mem.release()
		s.mem.release()
		return err
	}
	s.table = t
	return nil
}

// missing is the answer for values that no row of the sub-query has.
func (s *subquery) missing(w *worker) (*answer, error) {
	if s.def == nil {
		var err error
		if s.empty != nil {
			s.def, err = s.run(s.empty, w, nil)
		} else {
			s.def, err = newCollector(s).answer([]int32{})
		}
		if err != nil {
			return nil, err
		}
	}
	return s.def, nil
}

// shown is the plan of the sub-query that EXPLAIN shows.
func (s *subquery) shown() *subrun {
	if s.lookup != nil {
		return s.lookup
	}
	return s.plain
}

// describe tells how the sub-query is run.
func (s *subquery) describe() string {
	name := "sub-query " + s.node.Sub.Name()
	switch {
	case len(s.node.Args) == 0:
		return name + ", run once:"
	case s.lookup != nil:
		return name + ", run once for all rows, looked up by " + plan.DescribeList(s.node.Sub.Lookup.Probes) + ":"
	}
	return name + ", run for every combination of " + plan.DescribeList(s.node.Args) + ":"
}
