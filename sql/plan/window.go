package plan

import (
	"slices"
	"strings"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/fn"
	"github.com/cairndb/cairn/sql/parse"
	"github.com/cairndb/cairn/sql/sqlerr"
)

// Window adds the results of window functions to its input's rows, which come
// out in the order of Keys. Functions whose windows one sort can serve are in
// one node.
type Window struct {
	Input Node
	// Keys are what the rows are sorted by: partitions first, then their order.
	Keys  []SortKey
	Specs []WindowSpec
	Funcs []WindowFunc
	// Columns are those of Funcs; they follow the columns of Input.
	Columns []Col
	// Best, when above 0, says that of each partition only the rows count whose
	// row_number (with BestTies: rank) is at most that. The node may leave out
	// others; the filter above it does so in any case. There is then one spec.
	Best     int64
	BestTies bool
}

// WindowSpec is how the rows of a Window are divided and ordered: the first
// Partition keys of the sort make partitions, the next Order keys the order in
// them. Rows equal in both are peers.
type WindowSpec struct{ Partition, Order int }

// WindowFunc is a function of a Window: an aggregate over the frame of each
// row, or when Agg is nil one of the window functions proper.
type WindowFunc struct {
	Name        string
	Spec        int // of the node's
	Agg         *fn.BoundAggregate
	Args        []Expr
	Filter      Expr // of an aggregate; nil for none
	IgnoreNulls bool
	Frame       Frame
	Type        *column.Type
	Place       parse.Pos
}

// FrameUnit is what the bounds of a frame count.
type FrameUnit uint8

// The units of frames.
const (
	FrameRange FrameUnit = iota
	FrameRows
	FrameGroups
)

// Frame is which rows of its partition an aggregate sees at a row.
type Frame struct {
	Unit       FrameUnit
	Start, End Bound
	Exclude    FrameExclusion
}

// FrameExclusion is which rows around its own a frame leaves out.
type FrameExclusion uint8

// The exclusions: none, the row itself, all its peers, its peers but not itself.
const (
	ExcludeNothing FrameExclusion = iota
	ExcludeCurrentRow
	ExcludeGroup
	ExcludeTies
)

// BoundKind is where a frame begins or ends.
type BoundKind uint8

// The kinds of bounds, in their order.
const (
	UnboundedPreceding BoundKind = iota
	Preceding
	CurrentRow
	Following
	UnboundedFollowing
)

// Bound is one end of a frame.
type Bound struct {
	Kind BoundKind
	// Offset is how far away: a bigint of rows or groups, or what is added to
	// or taken from the order key of a RANGE.
	Offset Expr
	// Of a RANGE: Key is the order key, Limit the value that the key of the
	// last row inside has, of the same type; NULL where there is no such value.
	Key, Limit Expr
}

// whole reports whether the frame is the partition, whatever the row.
func (f *Frame) whole(order int) bool {
	first := f.Start.Kind == UnboundedPreceding || f.Unit == FrameRange && f.Start.Kind == CurrentRow && order == 0
	last := f.End.Kind == UnboundedFollowing || f.Unit == FrameRange && f.End.Kind == CurrentRow && order == 0
	return first && last && f.Exclude == ExcludeNothing
}

// Cols implements Node. Windows stand on one another by the hundred.
func (n *Window) Cols() []Col {
	chain, below := []*Window{n}, n.Input
	for w, ok := below.(*Window); ok; w, ok = below.(*Window) {
		chain, below = append(chain, w), w.Input
	}
	cols := slices.Clone(below.Cols())
	for _, w := range slices.Backward(chain) {
		cols = append(cols, w.Columns...)
	}
	return cols
}

// Inputs implements Node.
func (n *Window) Inputs() []Node { return []Node{n.Input} }

// windowCall is a window function of the select block that is being bound.
type windowCall struct {
	partition []Expr
	order     []SortKey
	fn        WindowFunc
	col       Col
}

// exprs calls f for each expression of the call and puts what it returns in
// its place.
func (c *windowCall) exprs(f func(Expr) (Expr, error)) error {
	list := []*Expr{&c.fn.Filter, &c.fn.Frame.Start.Offset, &c.fn.Frame.Start.Key, &c.fn.Frame.Start.Limit,
		&c.fn.Frame.End.Offset, &c.fn.Frame.End.Key, &c.fn.Frame.End.Limit}
	for i := range c.partition {
		list = append(list, &c.partition[i])
	}
	for i := range c.order {
		list = append(list, &c.order[i].Expr)
	}
	for i := range c.fn.Args {
		list = append(list, &c.fn.Args[i])
	}
	for _, e := range list {
		if *e == nil {
			continue
		}
		n, err := f(*e)
		if err != nil {
			return err
		}
		*e = n
	}
	return nil
}

// windowFunctions are the functions that only make sense over a window: the
// least and the most arguments, and what they are.
var windowFunctions = map[string]struct {
	min, max int
	usage    string
	nulls    bool // may IGNORE NULLS
}{
	"row_number":   {0, 0, "row_number()", false},
	"rank":         {0, 0, "rank()", false},
	"dense_rank":   {0, 0, "dense_rank()", false},
	"percent_rank": {0, 0, "percent_rank()", false},
	"cume_dist":    {0, 0, "cume_dist()", false},
	"ntile":        {1, 1, "ntile(buckets)", false},
	"lag":          {1, 3, "lag(value[, offset[, default]])", true},
	"lead":         {1, 3, "lead(value[, offset[, default]])", true},
	"first_value":  {1, 1, "first_value(value)", true},
	"last_value":   {1, 1, "last_value(value)", true},
	"nth_value":    {2, 2, "nth_value(value, n)", true},
}

// window binds a call with OVER and returns a reference to its result.
func (b *binder) window(x *parse.Call, name string, sc *scope, clause string) (Expr, error) {
	aggs := b.aggs
	if aggs != nil && aggs.inWindow {
		clause = "the OVER or the arguments of another window function"
	} else if aggs != nil && clause != "HAVING" {
		return b.windowIn(aggs, x, name, sc)
	}
	err := sqlerr.New(sqlerr.WindowingError, x.Pos, "the window function %s cannot stand in %s", name, clause)
	if clause == "WHERE" || clause == "HAVING" {
		err.WithHint("compute it in a query in FROM, and put the condition around that")
	}
	return nil, err
}

func (b *binder) windowIn(aggs *aggregates, x *parse.Call, name string, sc *scope) (Expr, error) {
	aggs.inWindow = true
	defer func() { aggs.inWindow = false }()
	for _, bad := range []struct {
		set  bool
		pos  parse.Pos
		what string
	}{
		{x.Distinct, x.Pos, "DISTINCT in"}, {len(x.OrderBy) > 0, x.Pos, "ORDER BY inside the arguments of"}, {len(x.WithinGroup) > 0, x.Pos, "WITHIN GROUP for"},
	} {
		if bad.set {
			return nil, notYet(bad.pos, bad.what+" a window function is")
		}
	}
	for _, a := range x.Args {
		if l, ok := a.(*parse.Lambda); ok {
			return nil, notYet(l.Pos, "a lambda in a window function is")
		}
	}
	call := windowCall{fn: WindowFunc{Name: name, IgnoreNulls: x.IgnoreNulls, Place: x.Pos}}
	inner := "the arguments of a window function"
	args, err := b.exprs(x.Args, sc, inner)
	if err != nil {
		return nil, err
	}
	call.fn.Args = args
	if _, ok := windowFunctions[name]; ok {
		err = b.windowProper(&call.fn, x)
	} else if agg := fn.LookupAggregate(name); agg != nil {
		err = b.windowAggregate(&call.fn, agg, x, sc)
	} else if fn.LookupScalar(name) != nil || forms[name].usage != "" {
		err = sqlerr.New(sqlerr.WrongObjectType, x.Pos, "%s is neither an aggregate nor a window function: it takes no OVER", name)
	} else {
		err = unknownFunction(name, x)
	}
	if err != nil {
		return nil, err
	}
	plain := *sc
	plain.outputs = nil // a window does not see the names of the select list
	frame, err := b.windowSpec(&call, x.Over, &plain, aggs, len(aggs.named))
	if err != nil {
		return nil, err
	}
	if call.fn.Frame, err = b.frame(frame, &call, &plain); err != nil {
		return nil, err
	}
	for i := range aggs.windows {
		if have := &aggs.windows[i]; sameWindow(have, &call) {
			return &Ref{base{have.col.Type, x.Pos}, have.col.ID, have.col.Name}, nil
		}
	}
	call.col = Col{b.newID(), name, call.fn.Type}
	b.isWindow[call.col.ID] = true
	aggs.windows = append(aggs.windows, call)
	return &Ref{base{call.col.Type, x.Pos}, call.col.ID, name}, nil
}

// windowProper checks the arguments of a window function that is no aggregate.
func (b *binder) windowProper(f *WindowFunc, x *parse.Call) error {
	w := windowFunctions[f.Name]
	if x.Star {
		return sqlerr.New(sqlerr.WrongObjectType, x.Pos, "* does not go with %s", f.Name).WithHint("it is written %s", w.usage)
	}
	if n := len(f.Args); n < w.min || n > w.max {
		return sqlerr.New(sqlerr.UndefinedFunction, x.Pos, "%s does not take %d arguments", f.Name, n).WithHint("it takes %s", w.usage)
	}
	if x.Filter != nil {
		return sqlerr.New(sqlerr.WrongObjectType, x.Filter.Position(), "FILTER does not go with %s, which is not an aggregate", f.Name)
	}
	if x.IgnoreNulls && !w.nulls {
		return sqlerr.New(sqlerr.WrongObjectType, x.Pos, "IGNORE NULLS does not go with %s", f.Name)
	}
	number := func(i int) error {
		if !f.Args[i].Type().IsInteger() && !b.untyped(f.Args[i]) {
			return sqlerr.New(sqlerr.DatatypeMismatch, f.Args[i].Pos(), "%s takes a whole number here, not %s", f.Name, f.Args[i].Type())
		}
		e, err := b.convert(f.Args[i], column.BigIntType)
		f.Args[i] = e
		return err
	}
	f.Type = column.BigIntType
	switch f.Name {
	case "percent_rank", "cume_dist":
		f.Type = column.DoubleType
	case "ntile":
		return number(0)
	case "lag", "lead":
		if len(f.Args) > 1 {
			if err := number(1); err != nil {
				return err
			}
		}
		f.Type = f.Args[0].Type()
		if len(f.Args) > 2 {
			both := []Expr{f.Args[0], f.Args[2]}
			t, err := b.unify(f.Name, both, x.Pos)
			if err != nil {
				return err
			}
			f.Args[0], f.Args[2], f.Type = both[0], both[1], t
		}
	case "first_value", "last_value":
		f.Type = f.Args[0].Type()
	case "nth_value":
		f.Type = f.Args[0].Type()
		return number(1)
	}
	return nil
}

// windowAggregate binds an aggregate over a window.
func (b *binder) windowAggregate(f *WindowFunc, agg *fn.Aggregate, x *parse.Call, sc *scope) error {
	if x.IgnoreNulls {
		return sqlerr.New(sqlerr.WrongObjectType, x.Pos, "IGNORE NULLS does not go with %s", f.Name).
			WithHint("FILTER (WHERE … IS NOT NULL) leaves rows out")
	}
	types := make([]*column.Type, len(f.Args))
	for i, a := range f.Args {
		types[i] = a.Type()
		if b.untyped(a) {
			types[i] = column.UnknownType
		}
	}
	bound, err := agg.Bind(types)
	if err != nil {
		return sqlerr.At(err, x.Pos)
	}
	for i, e := range f.Args {
		if f.Args[i], err = b.convert(e, bound.Args[i]); err != nil {
			return err
		}
	}
	if x.Filter != nil {
		if f.Filter, err = b.bindExpr(x.Filter, sc, "FILTER"); err != nil {
			return err
		}
		if f.Filter, err = b.condition(f.Filter, "FILTER"); err != nil {
			return err
		}
	}
	f.Name, f.Agg, f.Type = strings.ToLower(agg.Name), bound, bound.Result
	return nil
}

// windowSpec binds an OVER or a WINDOW item into call and returns its frame.
// It can refer to the first known named windows.
func (b *binder) windowSpec(call *windowCall, w *parse.Window, sc *scope, aggs *aggregates, known int) (*parse.Frame, error) {
	var frame *parse.Frame
	if w.Ref != nil {
		at := slices.IndexFunc(aggs.named[:known], func(n parse.NamedWindow) bool { return strings.EqualFold(n.Name.Text, w.Ref.Text) })
		if at < 0 {
			return nil, sqlerr.New(sqlerr.UndefinedObject, w.Ref.Pos, "window %q does not exist", w.Ref.Text).
				WithHint("windows are named before ORDER BY, as in WINDOW %s AS (PARTITION BY …)", w.Ref.Text)
		}
		var err error
		if frame, err = b.windowSpec(call, aggs.named[at].Spec, sc, aggs, at); err != nil {
			return nil, err
		}
		switch {
		case len(w.PartitionBy) > 0:
			return nil, sqlerr.New(sqlerr.WindowingError, w.PartitionBy[0].Position(), "PARTITION BY cannot be given for the named window %q a second time", w.Ref.Text)
		case len(w.OrderBy) > 0 && len(call.order) > 0:
			return nil, sqlerr.New(sqlerr.WindowingError, w.OrderBy[0].Pos, "window %q has an ORDER BY already", w.Ref.Text)
		case frame != nil && (len(w.OrderBy) > 0 || w.Frame != nil):
			return nil, sqlerr.New(sqlerr.WindowingError, w.Ref.Pos, "window %q has a frame, so it cannot be built upon", w.Ref.Text).
				WithHint("put the frame into the OVER that needs it")
		}
	}
	for _, p := range w.PartitionBy {
		e, err := b.bindExpr(p, sc, "PARTITION BY")
		if err != nil {
			return nil, err
		}
		if e, err = b.settled(e); err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(call.partition, func(have Expr) bool { return same(have, e) }) {
			call.partition = append(call.partition, e)
		}
	}
	for _, item := range w.OrderBy {
		e, err := b.bindExpr(item.Expr, sc, "the ORDER BY of a window")
		if err != nil {
			return nil, err
		}
		if e, err = b.settled(e); err != nil {
			return nil, err
		}
		k, err := b.sortKey(e, item)
		if err != nil {
			return nil, err
		}
		call.order = append(call.order, k)
	}
	if w.Frame != nil {
		frame = w.Frame
	}
	return frame, nil
}

// settled gives an untyped expression a type that rows can be sorted by.
func (b *binder) settled(e Expr) (Expr, error) {
	if b.untyped(e) {
		return b.convert(e, column.VarcharType)
	}
	return e, nil
}

// namedWindows checks the WINDOW items that nothing refers to as well.
func (b *binder) namedWindows(aggs *aggregates, sc *scope) error {
	for i, w := range aggs.named {
		for _, other := range aggs.named[:i] {
			if strings.EqualFold(other.Name.Text, w.Name.Text) {
				return sqlerr.New(sqlerr.WindowingError, w.Name.Pos, "WINDOW names %q twice", w.Name.Text)
			}
		}
		was := b.aggs
		b.aggs, aggs.inWindow = aggs, true
		var call windowCall
		frame, err := b.windowSpec(&call, w.Spec, sc, aggs, i)
		if err == nil {
			_, err = b.frame(frame, &call, sc)
		}
		b.aggs, aggs.inWindow = was, false
		if err != nil {
			return err
		}
	}
	return nil
}

var (
	frameUnits = map[string]FrameUnit{"range": FrameRange, "rows": FrameRows, "groups": FrameGroups}
	exclusions = map[string]FrameExclusion{"current row": ExcludeCurrentRow, "group": ExcludeGroup, "ties": ExcludeTies}
	boundKinds = map[string]BoundKind{
		"unbounded preceding": UnboundedPreceding, "preceding": Preceding, "current row": CurrentRow,
		"following": Following, "unbounded following": UnboundedFollowing,
	}
)

// frame binds the frame of a call whose order is known; nil stands for the
// default, which is up to the last peer, or everything where there is no order.
func (b *binder) frame(f *parse.Frame, call *windowCall, sc *scope) (Frame, error) {
	if f == nil {
		return Frame{Unit: FrameRange, Start: Bound{Kind: UnboundedPreceding}, End: Bound{Kind: CurrentRow}}, nil
	}
	out := Frame{Unit: frameUnits[f.Unit], Exclude: exclusions[f.Exclude], Start: Bound{Kind: boundKinds[f.Start.Kind]}, End: Bound{Kind: boundKinds[f.End.Kind]}}
	for _, side := range []struct {
		from *parse.Bound
		to   *Bound
	}{{&f.Start, &out.Start}, {&f.End, &out.End}} {
		if side.from.Offset == nil {
			continue
		}
		e, err := b.bindExpr(side.from.Offset, sc, "a frame")
		if err != nil {
			return out, err
		}
		if side.to.Offset = e; out.Unit == FrameRange {
			err = b.rangeBound(side.to, call)
		} else if !e.Type().IsInteger() && !b.untyped(e) {
			err = sqlerr.New(sqlerr.DatatypeMismatch, e.Pos(), "%s counts by whole numbers, not by %s", strings.ToUpper(f.Unit), e.Type())
		} else {
			side.to.Offset, err = b.convert(e, column.BigIntType)
		}
		if err != nil {
			return out, err
		}
	}
	if out.Unit == FrameGroups && len(call.order) == 0 {
		pos := call.fn.Place
		return out, sqlerr.New(sqlerr.WindowingError, pos, "a frame of GROUPS needs ORDER BY in the window")
	}
	return out, nil
}

// rangeBound makes the limit of a RANGE bound out of order key and offset.
func (b *binder) rangeBound(to *Bound, call *windowCall) error {
	offset := to.Offset
	if len(call.order) != 1 {
		return sqlerr.New(sqlerr.WindowingError, offset.Pos(), "RANGE with an offset needs exactly one ORDER BY expression in the window")
	}
	key := call.order[0]
	op := "+"
	if (to.Kind == Preceding) != key.Desc {
		op = "-"
	}
	mismatch := func() error {
		return sqlerr.New(sqlerr.DatatypeMismatch, offset.Pos(), "RANGE with an offset of type %s does not go with ORDER BY of type %s", offset.Type(), key.Expr.Type()).
			WithHint("numbers take a number, dates and timestamps an interval")
	}
	if b.untyped(offset) {
		e, err := b.convert(offset, key.Expr.Type())
		if err != nil || !key.Expr.Type().IsNumeric() {
			return mismatch()
		}
		offset = e
	}
	// The value to be added, not one that happens to have an operator with it.
	switch t, k := offset.Type(), key.Expr.Type(); {
	case t.IsNumeric() && k.IsNumeric():
	case t.Kind == column.IntervalDay || t.Kind == column.IntervalMonth:
		switch k.Kind {
		case column.Date, column.Time, column.Timestamp, column.TimestampTZ, t.Kind:
		default:
			return mismatch()
		}
	default:
		return mismatch()
	}
	limit, err := b.function(op, []Expr{key.Expr, offset}, offset.Pos(), offset.Pos())
	if err != nil {
		return mismatch()
	}
	both := []Expr{key.Expr, limit}
	if _, err := b.unify("RANGE", both, offset.Pos()); err != nil {
		return mismatch()
	}
	to.Offset, to.Key = offset, both[0]
	// A sum out of the type's range lies beyond every key.
	to.Limit = b.fold(&Try{base{both[1].Type(), offset.Pos()}, both[1]})
	return nil
}

func sameWindow(a, c *windowCall) bool {
	f, g := &a.fn, &c.fn
	sameOr := func(x, y Expr) bool { return x == nil && y == nil || x != nil && y != nil && same(x, y) }
	sameBound := func(x, y *Bound) bool { return x.Kind == y.Kind && sameOr(x.Offset, y.Offset) }
	return f.Name == g.Name && f.IgnoreNulls == g.IgnoreNulls && f.Type.Equal(g.Type) &&
		slices.EqualFunc(f.Args, g.Args, same) && sameOr(f.Filter, g.Filter) &&
		f.Frame.Unit == g.Frame.Unit && f.Frame.Exclude == g.Frame.Exclude && sameBound(&f.Frame.Start, &g.Frame.Start) && sameBound(&f.Frame.End, &g.Frame.End) &&
		slices.EqualFunc(a.partition, c.partition, same) && slices.EqualFunc(a.order, c.order, sameKey)
}

func sameKey(a, b SortKey) bool {
	return a.Desc == b.Desc && a.NullsFirst == b.NullsFirst && same(a.Expr, b.Expr)
}

// withWindows puts the window functions of a select block on its input, with
// as few sorts as their windows allow: windows with more keys come first, and
// the others join them where the sort is the same up to their last key.
func (b *binder) withWindows(input Node, calls []windowCall) Node {
	if len(calls) == 0 {
		return input
	}
	order := make([]*windowCall, len(calls))
	for i := range calls {
		order[i] = &calls[i]
	}
	slices.SortStableFunc(order, func(a, c *windowCall) int {
		return len(c.partition) + len(c.order) - len(a.partition) - len(a.order)
	})
	var nodes []*Window
	for _, c := range order {
		var home *Window
		spec := 0
		for _, n := range nodes {
			if s, ok := n.admit(c); ok && b.on(MergeWindows) {
				home, spec = n, s
				break
			}
		}
		if home == nil {
			home = &Window{Specs: []WindowSpec{{len(c.partition), len(c.order)}}}
			for _, p := range c.partition {
				home.Keys = append(home.Keys, SortKey{Expr: p})
			}
			home.Keys = append(home.Keys, c.order...)
			nodes = append(nodes, home)
		}
		c.fn.Spec = spec
		home.Funcs = append(home.Funcs, c.fn)
		home.Columns = append(home.Columns, c.col)
	}
	for _, n := range nodes {
		n.Input = input
		input = n
	}
	return input
}

// admit returns the spec by which the node serves a call; ok is false when its
// sort does not.
func (n *Window) admit(c *windowCall) (spec int, ok bool) {
	p := len(c.partition)
	covers := func(keys []SortKey) bool {
		if p+len(c.order) > len(keys) {
			return false
		}
		for _, k := range keys[:p] {
			if !slices.ContainsFunc(c.partition, func(e Expr) bool { return same(e, k.Expr) }) {
				return false
			}
		}
		return slices.EqualFunc(c.order, keys[p:p+len(c.order)], sameKey)
	}
	if !covers(n.Keys) {
		// The keys of the node's own partition may change places, as long as no
		// other window shares them.
		own := n.Specs[0].Partition
		if len(n.Specs) > 1 || p > own || p == 0 {
			return 0, false
		}
		keys := slices.Clone(n.Keys)
		slices.SortStableFunc(keys[:own], func(a, d SortKey) int {
			rank := func(k SortKey) int {
				if slices.ContainsFunc(c.partition, func(e Expr) bool { return same(e, k.Expr) }) {
					return 0
				}
				return 1
			}
			return rank(a) - rank(d)
		})
		if !covers(keys) {
			return 0, false
		}
		n.Keys = keys
	}
	want := WindowSpec{p, len(c.order)}
	if at := slices.Index(n.Specs, want); at >= 0 {
		return at, true
	}
	n.Specs = append(n.Specs, want)
	return len(n.Specs) - 1, true
}

// decides reports whether a condition is the same for all rows of every
// partition, so that it may be asked before the rows are divided.
func (n *Window) decides(cond Expr) bool {
	if Volatile(cond) || !refers(cond) {
		return false
	}
	least := len(n.Keys)
	for _, s := range n.Specs {
		least = min(least, s.Partition)
	}
	// A key is in the partition of every spec only within the shortest.
	var known func(e Expr) bool
	known = func(e Expr) bool {
		for _, k := range n.Keys[:least] {
			if same(k.Expr, e) {
				return true
			}
		}
		if _, ok := e.(*Ref); ok {
			return false
		}
		for _, op := range e.operands() {
			if !known(op) {
				return false
			}
		}
		return true
	}
	return known(cond)
}

// keepBest notes what conditions on row_number() and rank() leave of each
// partition.
func (n *Window) keepBest(conds []Expr) {
	if len(n.Specs) != 1 || n.Specs[0].Partition == 0 {
		return
	}
	for _, f := range n.Funcs {
		switch f.Name {
		case "row_number", "rank", "dense_rank":
		default:
			return
		}
	}
	for _, c := range conds {
		x, ok := c.(*Compare)
		if !ok {
			continue
		}
		op, ref, k := x.Op, x.L, x.R
		if _, ok := ref.(*Const); ok {
			op, ref, k = op.flip(), k, ref
		}
		r, ok := ref.(*Ref)
		limit, isConst := k.(*Const)
		if !ok || !isConst || limit.null() || limit.T.Payload() != column.PayloadI64 || limit.T.Kind == column.Decimal {
			continue
		}
		best := limit.Value.I64[0]
		switch op {
		case CmpEq, CmpLe:
		case CmpLt:
			best--
		default:
			continue
		}
		for i, col := range n.Columns {
			name := n.Funcs[i].Name
			if col.ID != r.ID || name == "dense_rank" {
				continue
			}
			if best = max(best, 1); best > bestMax || n.Best > 0 && n.Best <= best {
				continue
			}
			n.Best, n.BestTies = best, name == "rank"
		}
	}
}

// bestMax is the largest row_number or rank for which losers are dropped before
// the sort: beyond it there are few.
const bestMax = 1000
