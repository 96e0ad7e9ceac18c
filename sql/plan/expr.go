package plan

import (
	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/fn"
	"github.com/cairndb/cairn/sql/parse"
)

// Expr is a typed expression. Expressions are immutable and may be shared.
type Expr interface {
	// Type is the type of the value.
	Type() *column.Type
	// Pos is the place in the user's text that the expression stands for.
	Pos() parse.Pos
	// operands are the expressions directly below, in order.
	operands() []Expr
	// with returns a copy with other operands of the same types.
	with(ops []Expr) Expr
}

type base struct {
	T     *column.Type
	Place parse.Pos
}

// Type implements Expr.
func (b base) Type() *column.Type { return b.T }

// Pos implements Expr.
func (b base) Pos() parse.Pos { return b.Place }

// CmpOp is a comparison operator.
type CmpOp uint8

// The comparison operators. IsDistinct and IsNotDistinct are never NULL.
const (
	CmpEq CmpOp = iota
	CmpNe
	CmpLt
	CmpLe
	CmpGt
	CmpGe
	IsDistinct
	IsNotDistinct
)

var cmpNames = [...]string{"=", "<>", "<", "<=", ">", ">=", "IS DISTINCT FROM", "IS NOT DISTINCT FROM"}

// String returns the operator in SQL.
func (op CmpOp) String() string { return cmpNames[op] }

// flip returns the operator with its sides exchanged.
func (op CmpOp) flip() CmpOp {
	switch op {
	case CmpLt:
		return CmpGt
	case CmpLe:
		return CmpGe
	case CmpGt:
		return CmpLt
	case CmpGe:
		return CmpLe
	}
	return op
}

// negate returns the operator that is true exactly when op is false.
func (op CmpOp) negate() CmpOp {
	return [...]CmpOp{CmpNe, CmpEq, CmpGe, CmpGt, CmpLe, CmpLt, IsNotDistinct, IsDistinct}[op]
}

type (
	// Ref is a column of the input.
	Ref struct {
		base
		ID   ColID
		Name string // as EXPLAIN and messages show it
	}
	// Const is a constant: a vector of one value.
	Const struct {
		base
		Value *column.Vector
		// Literal is set for a string as the user wrote it, or a string given
		// for a parameter: it takes the type that its context wants.
		Literal bool
	}
	// Param is a parameter whose value is not given yet.
	Param struct {
		base
		N int
	}
	// Call is a call of a scalar function or operator. The arguments have the
	// types that Fn.Args asks for.
	Call struct {
		base
		Name string
		Fn   *fn.Bound
		Args []Expr
	}
	// Cast converts X; a Try cast gives NULL where it cannot.
	Cast struct {
		base
		X   Expr
		Fn  *fn.Bound
		Try bool
	}
	// Compare compares two values of one type.
	Compare struct {
		base
		Op   CmpOp
		L, R Expr
	}
	// And is the conjunction of two or more conditions. A condition is not
	// evaluated for rows where one before it is false.
	And struct {
		base
		Items []Expr
	}
	// Or is the disjunction of two or more conditions. A condition is not
	// evaluated for rows where one before it is true.
	Or struct {
		base
		Items []Expr
	}
	// Not negates a condition.
	Not struct {
		base
		X Expr
	}
	// IsNullTest is X IS NULL, or with Not X IS NOT NULL.
	IsNullTest struct {
		base
		X   Expr
		Not bool
	}
	// In is X IN (values): constants of X's type, flat, without NULLs; HasNull
	// says that the list had a NULL too. Lists with other than constants become
	// Or.
	In struct {
		base
		X       Expr
		Values  *column.Vector
		HasNull bool
	}
	// Like is X LIKE Pattern [ESCAPE Escape].
	Like struct {
		base
		X, Pattern, Escape Expr // Escape is nil for none
		Fold               bool // ILIKE
	}
	// Case is CASE WHEN … THEN … [ELSE …] END. Only the arm that is taken is
	// evaluated. With Operand, each When is compared with it for equality and
	// has its type; else each When is a condition. Else may be nil.
	Case struct {
		base
		Operand      Expr
		Whens, Thens []Expr
		Else         Expr
	}
	// Coalesce is the first of Args that is not NULL; later ones are evaluated
	// only for rows where all before are NULL.
	Coalesce struct {
		base
		Args []Expr
	}
	// Try is X, or NULL for the rows where evaluating X fails.
	Try struct {
		base
		X Expr
	}
	// Field is a field of a row, or the value of a map for a constant key with
	// the meaning of element_at: the form that a path step takes above a scan.
	Field struct {
		base
		X    Expr
		Step Step
	}
	// MapAt is m['k']: an error when the map has no such key. Value is the same
	// as a path, NULL when there is no key; only rows where it is NULL need Map.
	MapAt struct {
		base
		Map, Value Expr
		Key        string
	}
)

func (e *Ref) operands() []Expr        { return nil }
func (e *Const) operands() []Expr      { return nil }
func (e *Param) operands() []Expr      { return nil }
func (e *Call) operands() []Expr       { return e.Args }
func (e *Cast) operands() []Expr       { return []Expr{e.X} }
func (e *Compare) operands() []Expr    { return []Expr{e.L, e.R} }
func (e *And) operands() []Expr        { return e.Items }
func (e *Or) operands() []Expr         { return e.Items }
func (e *Not) operands() []Expr        { return []Expr{e.X} }
func (e *IsNullTest) operands() []Expr { return []Expr{e.X} }
func (e *In) operands() []Expr         { return []Expr{e.X} }
func (e *Like) operands() []Expr {
	if e.Escape == nil {
		return []Expr{e.X, e.Pattern}
	}
	return []Expr{e.X, e.Pattern, e.Escape}
}
func (e *Case) operands() []Expr {
	var ops []Expr
	if e.Operand != nil {
		ops = append(ops, e.Operand)
	}
	for i := range e.Whens {
		ops = append(ops, e.Whens[i], e.Thens[i])
	}
	if e.Else != nil {
		ops = append(ops, e.Else)
	}
	return ops
}
func (e *Coalesce) operands() []Expr { return e.Args }
func (e *Try) operands() []Expr      { return []Expr{e.X} }
func (e *Field) operands() []Expr    { return []Expr{e.X} }
func (e *MapAt) operands() []Expr    { return []Expr{e.Value, e.Map} }

func (e *Ref) with([]Expr) Expr       { return e }
func (e *Const) with([]Expr) Expr     { return e }
func (e *Param) with([]Expr) Expr     { return e }
func (e *Call) with(ops []Expr) Expr  { c := *e; c.Args = ops; return &c }
func (e *Cast) with(ops []Expr) Expr  { c := *e; c.X = ops[0]; return &c }
func (e *And) with(ops []Expr) Expr   { c := *e; c.Items = ops; return &c }
func (e *Or) with(ops []Expr) Expr    { c := *e; c.Items = ops; return &c }
func (e *Not) with(ops []Expr) Expr   { c := *e; c.X = ops[0]; return &c }
func (e *In) with(ops []Expr) Expr    { c := *e; c.X = ops[0]; return &c }
func (e *Try) with(ops []Expr) Expr   { c := *e; c.X = ops[0]; return &c }
func (e *Field) with(ops []Expr) Expr { c := *e; c.X = ops[0]; return &c }
func (e *Compare) with(ops []Expr) Expr {
	c := *e
	c.L, c.R = ops[0], ops[1]
	return &c
}
func (e *IsNullTest) with(ops []Expr) Expr { c := *e; c.X = ops[0]; return &c }
func (e *Like) with(ops []Expr) Expr {
	c := *e
	c.X, c.Pattern = ops[0], ops[1]
	if e.Escape != nil {
		c.Escape = ops[2]
	}
	return &c
}
func (e *Case) with(ops []Expr) Expr {
	c := *e
	if e.Operand != nil {
		c.Operand, ops = ops[0], ops[1:]
	}
	c.Whens, c.Thens = make([]Expr, len(e.Whens)), make([]Expr, len(e.Thens))
	for i := range e.Whens {
		c.Whens[i], c.Thens[i], ops = ops[0], ops[1], ops[2:]
	}
	if e.Else != nil {
		c.Else = ops[0]
	}
	return &c
}
func (e *Coalesce) with(ops []Expr) Expr { c := *e; c.Args = ops; return &c }
func (e *MapAt) with(ops []Expr) Expr {
	c := *e
	c.Value, c.Map = ops[0], ops[1]
	return &c
}

// rewrite rebuilds e bottom up: f sees each expression after its operands were
// rewritten. Parts that do not change are shared with e.
func rewrite(e Expr, f func(Expr) Expr) Expr {
	ops := e.operands()
	var changed []Expr
	for i, op := range ops {
		n := rewrite(op, f)
		if n != op && changed == nil {
			changed = append(make([]Expr, 0, len(ops)), ops[:i]...)
		}
		if changed != nil {
			changed = append(changed, n)
		}
	}
	if changed != nil {
		e = e.with(changed)
	}
	return f(e)
}

// Walk calls f for e and everything below it, top down, as long as f returns
// true.
func Walk(e Expr, f func(Expr) bool) {
	if e == nil || !f(e) {
		return
	}
	for _, op := range e.operands() {
		Walk(op, f)
	}
}

// Volatile reports whether e may give different values for the same row.
func Volatile(e Expr) bool {
	found := false
	Walk(e, func(x Expr) bool {
		switch c := x.(type) {
		case *Call:
			found = found || c.Fn.Volatile
		case *Subquery:
			// Without parameters it is run once, and that is its value.
			found = found || c.Sub.Volatile && len(c.Args) > 0
		}
		return !found
	})
	return found
}

// cannotFail reports whether evaluating e never raises an error, whatever the
// row: comparisons and tests of columns and constants.
func cannotFail(e Expr) bool {
	ok := true
	Walk(e, func(x Expr) bool {
		switch x.(type) {
		case *Call, *Cast, *MapAt, *Param, *Higher, *Subquery:
			ok = false
		case *Like:
			l := x.(*Like)
			if _, c := l.Pattern.(*Const); !c || l.Escape != nil {
				ok = false
			}
		case *Try:
			return false
		}
		return ok
	})
	return ok
}

// same reports whether two expressions are the same computation, wherever they
// stand in the text. Volatile ones never are.
func same(a, b Expr) bool {
	if a == b {
		return !Volatile(a)
	}
	switch x := a.(type) {
	case *Ref:
		y, ok := b.(*Ref)
		return ok && x.ID == y.ID
	case *Const:
		y, ok := b.(*Const)
		return ok && x.T.Equal(y.T) && sameValue(x.Value, y.Value)
	case *Param:
		y, ok := b.(*Param)
		return ok && x.N == y.N
	case *Call:
		y, ok := b.(*Call)
		if !ok || x.Name != y.Name || x.Fn.Volatile || !x.T.Equal(y.T) {
			return false
		}
	case *Cast:
		y, ok := b.(*Cast)
		if !ok || x.Try != y.Try || !x.T.Equal(y.T) {
			return false
		}
	case *Compare:
		y, ok := b.(*Compare)
		if !ok || x.Op != y.Op {
			return false
		}
	case *And:
		if _, ok := b.(*And); !ok {
			return false
		}
	case *Or:
		if _, ok := b.(*Or); !ok {
			return false
		}
	case *Not:
		if _, ok := b.(*Not); !ok {
			return false
		}
	case *IsNullTest:
		y, ok := b.(*IsNullTest)
		if !ok || x.Not != y.Not {
			return false
		}
	case *In:
		y, ok := b.(*In)
		if !ok || x.HasNull != y.HasNull || !sameValue(x.Values, y.Values) {
			return false
		}
	case *Like:
		y, ok := b.(*Like)
		if !ok || x.Fold != y.Fold || (x.Escape == nil) != (y.Escape == nil) {
			return false
		}
	case *Case:
		y, ok := b.(*Case)
		if !ok || (x.Operand == nil) != (y.Operand == nil) || (x.Else == nil) != (y.Else == nil) || !x.T.Equal(y.T) {
			return false
		}
	case *Coalesce:
		if _, ok := b.(*Coalesce); !ok {
			return false
		}
	case *Try:
		if _, ok := b.(*Try); !ok {
			return false
		}
	case *Outer:
		y, ok := b.(*Outer)
		return ok && x.ID == y.ID
	case *Subquery:
		y, ok := b.(*Subquery)
		if !ok || x.Sub != y.Sub || x.Kind != y.Kind || x.Op != y.Op {
			return false
		}
	case *LambdaParam:
		y, ok := b.(*LambdaParam)
		return ok && x.ID == y.ID
	case *Lambda:
		y, ok := b.(*Lambda)
		return ok && sameLambda(x, y)
	case *Higher:
		y, ok := b.(*Higher)
		if !ok || x.Name != y.Name || !x.T.Equal(y.T) {
			return false
		}
	case *Field:
		y, ok := b.(*Field)
		if !ok || x.Step != y.Step {
			return false
		}
	case *MapAt:
		y, ok := b.(*MapAt)
		if !ok || x.Key != y.Key {
			return false
		}
	default:
		return false
	}
	p, q := a.operands(), b.operands()
	if len(p) != len(q) {
		return false
	}
	for i := range p {
		if !same(p[i], q[i]) {
			return false
		}
	}
	return true
}

// Same reports whether two expressions are the same computation.
func Same(a, b Expr) bool { return same(a, b) }

// sameValue reports whether two vectors hold the same values, bit for bit. It may say no for equal maps.
func sameValue(a, b *column.Vector) bool {
	if a.Len != b.Len {
		return false
	}
	for i := range a.Len {
		if !sameAt(a, i, b, i) {
			return false
		}
	}
	return true
}

func sameAt(a *column.Vector, i int, b *column.Vector, j int) bool {
	if a.IsNull(i) || b.IsNull(j) {
		return a.IsNull(i) && b.IsNull(j)
	}
	x, p := a.Leaf(i)
	y, q := b.Leaf(j)
	switch {
	case x.I64 != nil && y.I64 != nil:
		return x.I64[p] == y.I64[q] && (x.Zone == nil || y.Zone == nil || x.Zone[p] == y.Zone[q])
	case x.F64 != nil && y.F64 != nil:
		return x.F64[p] == y.F64[q]
	case x.Str != nil && y.Str != nil:
		return x.Str[p] == y.Str[q]
	case x.Type.Kind == column.Array && y.Type.Kind == column.Array:
		from, to := x.Offsets[p], y.Offsets[q]
		n := x.Offsets[p+1] - from
		if y.Offsets[q+1]-to != n {
			return false
		}
		for k := range n {
			if !sameAt(x.Children[0], int(from+k), y.Children[0], int(to+k)) {
				return false
			}
		}
		return true
	}
	return false
}

// NewRef returns a reference to a column.
func NewRef(c Col) Expr { return &Ref{base{T: c.Type}, c.ID, c.Name} }

// NewInteger returns a constant of type bigint.
func NewInteger(x int64) Expr { return intConst(column.BigIntType, x, parse.Pos{}) }

// NewEqual returns the comparison l = r of two values of one type.
func NewEqual(l, r Expr) Expr { return &Compare{base{T: column.BooleanType}, CmpEq, l, r} }
