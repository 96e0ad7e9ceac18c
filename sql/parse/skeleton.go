package parse

import (
	"io"
	"regexp"
	"sort"
	"strconv"
	"sync"

	"github.com/pingcap/tidb/pkg/parser"
	"github.com/pingcap/tidb/pkg/parser/ast"
	"github.com/pingcap/tidb/pkg/parser/format"
	"github.com/pingcap/tidb/pkg/parser/mysql"

	"github.com/cairndb/cairn/sql/sqlerr"
)

// The skeleton parser makes literal nodes through hooks. The rewriter's text has
// only one kind of literal, the numbers behind LIMIT; the other hooks must be
// there but their values are refused by the converter.
func init() {
	ast.NewValueExpr = func(value any, _, _ string) ast.ValueExpr { return &skeletonValue{value: value} }
	ast.NewParamMarkerExpr = func(int) ast.ParamMarkerExpr { return &skeletonValue{} }
	keep := func(s string) (any, error) { return s, nil }
	ast.NewDecimal, ast.NewHexLiteral, ast.NewBitLiteral = keep, keep, keep
}

// skeletonValue is a literal of the skeleton tree.
type skeletonValue struct {
	ast.TexprNode
	value any
}

func (v *skeletonValue) Accept(visitor ast.Visitor) (ast.Node, bool) {
	n, _ := visitor.Enter(v)
	return visitor.Leave(n)
}
func (v *skeletonValue) Restore(*format.RestoreCtx) error { return nil }
func (v *skeletonValue) Format(io.Writer)                 {}
func (v *skeletonValue) SetValue(value any)               { v.value = value }
func (v *skeletonValue) GetValue() any                    { return v.value }
func (v *skeletonValue) GetDatumString() string           { return "" }
func (v *skeletonValue) GetString() string                { return "" }
func (v *skeletonValue) GetProjectionOffset() int         { return -1 }
func (v *skeletonValue) SetProjectionOffset(int)          {}
func (v *skeletonValue) SetOrder(int)                     {}

// parsers keeps skeleton parsers, which are dear to make and serve one
// goroutine at a time.
var parsers = sync.Pool{New: func() any {
	p := parser.New()
	p.SetSQLMode(mysql.ModeANSIQuotes | mysql.ModePipesAsConcat | mysql.ModeNoBackslashEscapes)
	return p
}}

// skeleton parses the rewriter's text.
func (r *rewriter) skeleton() ast.StmtNode {
	p := parsers.Get().(*parser.Parser)
	defer parsers.Put(p)
	stmts, _, err := p.ParseSQL(string(r.out))
	switch {
	case err != nil:
		r.fail(r.skeletonError(err))
	case len(stmts) != 1:
		r.fail(sqlerr.New(sqlerr.Internal, Pos{}, "the query was not understood: it reads as %d statements", len(stmts)))
	default:
		return stmts[0]
	}
	return nil
}

// skeletonLong is how long a text is from which on the skeleton parser is not waited
// for: it takes some hundred nanoseconds for a byte and cannot be stopped.
const skeletonLong = 64 << 10

// skeletonUnless is skeleton, unless done is closed before it has come to an end;
// what it does then ends by itself, after a text's worth of work, and is forgotten.
func (r *rewriter) skeletonUnless(done <-chan struct{}) (root ast.StmtNode, ok bool) {
	if done == nil || len(r.out) < skeletonLong {
		return r.skeleton(), true
	}
	type result struct {
		root  ast.StmtNode
		panic any
	}
	made := make(chan result, 1)
	go func() {
		var out result
		defer func() {
			out.panic = recover()
			made <- out
		}()
		out.root = r.skeleton()
	}()
	select {
	case out := <-made:
		if out.panic != nil {
			panic(out.panic)
		}
		return out.root, true
	case <-done:
		return nil, false // r belongs to the goroutine now
	}
}

var skeletonPlace = regexp.MustCompile(`^line \d+ column (\d+) near "`)

// skeletonError says in terms of the user's text what the skeleton parser did
// not accept. The rewriter checks the grammar itself, so this is the second
// net. The text has no line breaks: a column is enough.
func (r *rewriter) skeletonError(err error) *sqlerr.Error {
	m := skeletonPlace.FindStringSubmatch(err.Error())
	if m == nil {
		return sqlerr.New(sqlerr.Internal, Pos{}, "the query was not understood")
	}
	column, _ := strconv.Atoi(m[1])
	// The column is that behind the last byte the parser read.
	i := sort.Search(len(r.pieces), func(i int) bool { return int(r.pieces[i].out) >= column })
	if i > 0 {
		i--
	}
	if i >= len(r.pieces) {
		return sqlerr.New(sqlerr.SyntaxError, Pos{}, "syntax error")
	}
	return r.unexpectedAt(int(r.pieces[i].tok))
}
