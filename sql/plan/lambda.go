package plan

import (
	"strconv"
	"strings"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/fn"
	"github.com/cairndb/cairn/sql/parse"
	"github.com/cairndb/cairn/sql/sqlerr"
)

type (
	// Higher is a call of a function with lambdas. Args has a *Lambda where
	// Fn.Lambdas has a type, and elsewhere values of the types of Fn.Args.
	Higher struct {
		base
		Name string
		Fn   *fn.HigherBound
		Args []Expr
	}
	// Lambda is a lambda as an argument; its type is that of the body. Columns in
	// the body are those of the row that the call is evaluated for.
	Lambda struct {
		base
		Params []Col
		Body   Expr
	}
	// LambdaParam is a parameter of the lambda around it. It is no Ref: what asks
	// for the columns that an expression needs does not see it.
	LambdaParam struct {
		base
		ID   ColID
		Name string
	}
)

func (e *Higher) operands() []Expr      { return e.Args }
func (e *Lambda) operands() []Expr      { return []Expr{e.Body} }
func (e *LambdaParam) operands() []Expr { return nil }

func (e *Higher) with(ops []Expr) Expr  { c := *e; c.Args = ops; return &c }
func (e *Lambda) with(ops []Expr) Expr  { c := *e; c.Body = ops[0]; return &c }
func (e *LambdaParam) with([]Expr) Expr { return e }
func (e *Lambda) names() (names []string) {
	for _, p := range e.Params {
		names = append(names, p.Name)
	}
	return names
}

// sameLambda reports whether two lambdas are the same, whatever their
// parameters are called.
func sameLambda(a, b *Lambda) bool {
	if len(a.Params) != len(b.Params) || !a.T.Equal(b.T) {
		return false
	}
	renamed := make(map[ColID]ColID, len(b.Params))
	for i := range a.Params {
		if !a.Params[i].Type.Equal(b.Params[i].Type) {
			return false
		}
		renamed[b.Params[i].ID] = a.Params[i].ID
	}
	body := rewrite(b.Body, func(e Expr) Expr {
		if p, ok := e.(*LambdaParam); ok {
			if id, ok := renamed[p.ID]; ok {
				return &LambdaParam{p.base, id, p.Name}
			}
		}
		return e
	})
	return same(a.Body, body)
}

// lambdaScope are the parameters of a lambda, visible in its body before
// anything else.
type lambdaScope struct {
	params []Col
	outer  *lambdaScope
}

// parameter returns the lambda parameter that a name begins with, or nil.
func (s *scope) parameter(p parse.Part) *Col {
	for l := s.lambda; l != nil; l = l.outer {
		for i := range l.params {
			if strings.EqualFold(l.params[i].Name, p.Text) {
				return &l.params[i]
			}
		}
	}
	return nil
}

// lambdasMax bounds how often lambdas are bound: the types of a nested lambda
// are found out anew for every attempt at the types of the one around it.
const lambdasMax = 10_000

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.Itoa(n) + " " + what + "s"
}

// lambda binds a lambda for parameters of the given types.
func (b *binder) lambda(x *parse.Lambda, types []*column.Type, sc *scope) (*Lambda, error) {
	if b.lambdas++; b.lambdas > lambdasMax {
		return nil, sqlerr.New(sqlerr.StatementTooComplex, x.Pos, "the query has too many lambdas inside lambdas")
	}
	if len(x.Params) != len(types) {
		return nil, sqlerr.New(sqlerr.UndefinedFunction, x.Pos, "the lambda takes %s and is given %d", counted(len(x.Params), "parameter"), len(types))
	}
	l := &Lambda{base: base{Place: x.Pos}}
	for i, p := range x.Params {
		for _, q := range x.Params[:i] {
			if strings.EqualFold(p.Text, q.Text) {
				return nil, sqlerr.New(sqlerr.InvalidColumnReference, p.Pos, "two parameters of the lambda are called %s", p.Text)
			}
		}
		l.Params = append(l.Params, Col{b.newID(), p.Text, types[i]})
	}
	inner := *sc
	inner.lambda = &lambdaScope{l.Params, sc.lambda}
	inner.outputs = nil
	was := b.aggs
	b.aggs = nil
	defer func() { b.aggs = was }()
	body, err := b.bindExpr(x.Body, &inner, "a lambda")
	if err != nil {
		return nil, err
	}
	l.Body, l.T = body, body.Type()
	if b.untyped(body) {
		l.T = column.UnknownType
	}
	return l, nil
}

// higher binds a call of a function with lambdas.
func (b *binder) higher(h *fn.Higher, name string, x *parse.Call, sc *scope, clause string) (Expr, error) {
	args := make([]Expr, len(x.Args))
	types := make([]*column.Type, len(x.Args))
	for i, a := range x.Args {
		if _, ok := a.(*parse.Lambda); ok {
			continue
		}
		e, err := b.bindExpr(a, sc, clause)
		if err != nil {
			return nil, err
		}
		args[i], types[i] = e, e.Type()
		if b.untyped(e) {
			types[i] = column.UnknownType
		}
	}
	f, err := h.Bind(types, func(arg int, params []*column.Type) (*column.Type, error) {
		l, err := b.lambda(x.Args[arg].(*parse.Lambda), params, sc)
		if err != nil {
			return nil, err
		}
		args[arg] = l
		return l.T, nil
	})
	if err != nil {
		return nil, sqlerr.At(err, x.Pos)
	}
	for i := range args {
		if l, ok := args[i].(*Lambda); ok {
			body, err := b.lambdaResult(l.Body, f.Lambdas[i])
			if err != nil {
				return nil, err
			}
			args[i] = &Lambda{base{body.Type(), l.Place}, l.Params, body}
			continue
		}
		if args[i], err = b.convert(args[i], f.Args[i]); err != nil {
			return nil, err
		}
	}
	return &Higher{base{f.Result, x.Pos}, name, f, args}, nil
}

// lambdaResult converts the body of a lambda to the type that the function
// wants of it.
func (b *binder) lambdaResult(body Expr, to *column.Type) (Expr, error) {
	e, err := b.convert(body, to)
	if err == nil && b.untyped(e) && to.Kind != column.Unknown {
		e = nullConst(to, body.Pos())
	}
	return e, err
}

// hasLambda reports whether a call has a lambda among its arguments.
func hasLambda(x *parse.Call) bool {
	for _, a := range x.Args {
		if _, ok := a.(*parse.Lambda); ok {
			return true
		}
	}
	return false
}

// reduceAgg binds reduce_agg(x, start, input, combine) as a reduction of the
// values that array_agg collects. The lambda that would combine two states is
// held to its types and not needed.
func (b *binder) reduceAgg(x *parse.Call, sc *scope, clause string) (Expr, error) {
	usage := "it is reduce_agg(x, start, (state, x) -> state, (state, state) -> state)"
	if len(x.Args) != 4 {
		return nil, sqlerr.New(sqlerr.UndefinedFunction, x.Pos, "reduce_agg does not take %s", counted(len(x.Args), "argument")).WithHint("%s", usage)
	}
	step, ok := x.Args[2].(*parse.Lambda)
	merge, ok2 := x.Args[3].(*parse.Lambda)
	if !ok || !ok2 {
		return nil, sqlerr.New(sqlerr.UndefinedFunction, x.Pos, "reduce_agg takes lambdas as its third and fourth arguments").WithHint("%s", usage)
	}
	collect := *x
	collect.Name = parse.Name{Pos: x.Name.Pos, Parts: []parse.Part{{Pos: x.Name.Pos, Text: "array_agg"}}}
	collect.Args = x.Args[:1]
	present := &parse.Is{Pos: x.Args[0].Position(), Not: true, X: x.Args[0], What: "null"}
	collect.Filter = present
	if x.Filter != nil {
		collect.Filter = &parse.Binary{Pos: x.Filter.Position(), OpPos: x.Filter.Position(), Op: "and", L: x.Filter, R: present}
	}
	identity := parse.Part{Pos: merge.Pos, Text: "state"}
	reduce := &parse.Call{
		Pos:  x.Pos,
		Name: parse.Name{Pos: x.Name.Pos, Parts: []parse.Part{{Pos: x.Name.Pos, Text: "reduce"}}},
		Args: []parse.Expr{&collect, x.Args[1], step, &parse.Lambda{
			Pos: merge.Pos, Params: []parse.Part{identity},
			Body: &parse.Ident{Name: parse.Name{Pos: merge.Pos, Parts: []parse.Part{identity}}},
		}},
	}
	e, err := b.bindExpr(reduce, sc, clause)
	if err != nil {
		return nil, err
	}
	l, err := b.lambda(merge, []*column.Type{e.Type(), e.Type()}, sc)
	if err != nil {
		return nil, err
	}
	if !fn.CanCoerce(l.T, e.Type()) {
		return nil, sqlerr.New(sqlerr.DatatypeMismatch, merge.Pos, "combining two states of reduce_agg must give %s, not %s", e.Type(), l.T)
	}
	return e, nil
}
