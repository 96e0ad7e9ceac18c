// Package parse turns the text of a query into a tree.
//
//	stmt, params, err := parse.Parse(text, parse.Options{Dialect: parse.Trino})
//
// The language is Trino's SELECT, with EXPLAIN, SHOW and DESCRIBE. The Postgres
// dialect adds what clients of the Postgres wire send. Statements that would
// write are refused. Names and types are not looked up here; the tree is in
// tree.go, [Format] writes it as text.
//
// # Steps
//
//	text ─► tokenizer ─► tokens ─► rewriter ─► skeleton text ─► TiDB's parser
//	                                  │                              │
//	                                  └──► marks (side table) ──► converter ─► tree
//
// TiDB's parser reads MySQL's dialect, which differs from ours in hundreds of
// small things and silently misreads some (a FULL JOIN b is an alias to it). So
// it is never shown the user's text. The rewriter is a recursive walk over our
// own tokens that checks the grammar and writes a text made of MySQL keywords,
// operators and marks only. A mark, m17 or m17(…), stands for entry 17 of a
// side table, which holds a half-finished node of our tree and the tokens it
// covers; the arguments are its parts that are expressions or queries. What is
// left for TiDB's parser is what it is good at: the rank of operators and the
// order of clauses, joins and set operations.
//
//	SELECT a.b AS n FROM t WHERE x || 'y' IS NULL LIMIT 5
//	SELECT m0() ,m1 FROM m2 WHERE m3 | m4 <=> m5() LIMIT 6
//
// Since no byte of the user's text reaches the skeleton text, no name can
// clash with a MySQL keyword, nothing can be injected, comments that MySQL
// executes mean nothing, and no message can show rewritten text.
//
// The converter walks TiDB's tree, of which only a dozen node types can occur,
// and refuses all others: should a new version of the parser read something
// differently, that is an error and not a wrong answer. Each operator is
// compared with the token that stands between its operands.
//
// # How things are written
//
//	x IS NULL, IS DISTINCT FROM y     x <=> m()  x <=> m(y)   rank of comparisons
//	x IN, LIKE, BETWEEN               x LIKE m(…)             rank of LIKE
//	x || y, x ->> y, x ~ y            x | y                   above LIKE, below +
//	x.f, x[1], x::t, x AT TIME ZONE   m(x, …)                 above all operators
//	f(x ORDER BY y) FILTER (…) OVER   m(x, m(m(y)), m(…), m(…))
//	any join                          a JOIN b ON m(condition)
//	(query), UNNEST, f() in FROM      (SELECT m(…))
//	a member of a set operation       SELECT m((query))
//	WITH                              SELECT m(m((cte)), …, (query))
//	ORDER BY x DESC NULLS LAST        ORDER BY m(x)
//	OFFSET, LIMIT, FETCH              LIMIT n, the number of a mark
//
// # Places
//
// A node's Pos covers its text without parentheses around it: for each node
// the text there, by itself, means the same. Errors are [sqlerr.Error] with the
// place of the first token that cannot stand where it stands, and hints for the
// mistakes that people make. Since the rewriter checks the grammar, an error of
// TiDB's parser is the second net; it is placed by the token that the skeleton
// text came from.
//
// # Limits
//
// Length, tokens and nesting are bounded ([Options]); the work is linear in the
// text. Runs of AND and OR may be as long as the text: they become balanced
// trees, so that nobody who walks them recurses deeply.
//
// # Differences between the dialects
//
// In Postgres: nested comments; E'…' and $tag$…$tag$ texts; texts on several
// lines that join; operators on JSON and arrays, regular expressions and ^; slices;
// conditions that follow each other (a = b IS NULL); any word after AS;
// x -> y is an operator except as a later argument of a function that takes
// lambdas; titles of columns. Everything else is read in both: :: and
// DISTINCT ON in Trino, lambdas and UNNEST in Postgres.
package parse

import (
	"errors"
	"unicode/utf8"

	"github.com/cairndb/cairn/sql/sqlerr"
)

// Dialect says how the few things are read that Trino and Postgres read
// differently.
type Dialect uint8

const (
	// Trino is the language of the lake's own interfaces.
	Trino Dialect = iota
	// Postgres is what clients of the Postgres wire protocol send: Trino's
	// language with Postgres' operators, strings, comments and column titles.
	Postgres
)

// Limits that hold before work is done. The defaults are for a program that
// embeds the lake and writes its own queries; an interface to the outside sets
// smaller ones.
const (
	// LakeTextMax is the length that CloudTrail Lake allows, in characters.
	LakeTextMax = 10_000
	// TextMax is the default for Options.MaxText: lists of ten thousand
	// identifiers fit, a file given by mistake does not.
	TextMax = 1 << 20
	// TokensMax is the default for Options.MaxTokens. Tokens and the trees made
	// of them take about 600 bytes each, so this bounds a parse at 120 MB.
	TokensMax = 200_000
	// DepthMax is the default for Options.MaxDepth. People nest ten levels,
	// generators fifty; every later stage walks the tree by recursion.
	DepthMax = 200
	// MaxParams is the highest parameter number, as on the Postgres wire.
	MaxParams = 65535
)

// Options say how a text is read. The zero value reads Trino within the default
// limits.
type Options struct {
	Dialect   Dialect
	MaxText   int // characters; 0 for TextMax
	MaxTokens int // words and signs; 0 for TokensMax
	MaxDepth  int // levels of nesting; 0 for DepthMax
	// Done, when it is closed, ends the reading of a long text with ErrEnded; nil for
	// a text that is read to its end.
	Done <-chan struct{}
}

// ErrEnded is the error of a text that was no longer to be read.
var ErrEnded = errors.New("parse: the text is no longer wanted")

// ended reports whether the caller does not want the text any more.
func (o *Options) ended() bool {
	select {
	case <-o.Done:
		return true
	default:
		return false
	}
}

// Parse reads one statement. params is the highest number of a parameter, 0 if
// there are none. Errors are *sqlerr.Error with the place in text. Parse may be
// called by several goroutines at a time.
func Parse(text string, opts Options) (stmt Statement, params int, err error) {
	limit := func(v *int, standard int) {
		if *v <= 0 {
			*v = standard
		}
	}
	limit(&opts.MaxText, TextMax)
	limit(&opts.MaxTokens, TokensMax)
	limit(&opts.MaxDepth, DepthMax)
	if len(text) > opts.MaxText {
		if n := utf8.RuneCountInString(text); n > opts.MaxText {
			return nil, 0, sqlerr.New(sqlerr.ProgramLimit, Pos{}, "the query has %d characters, more than the %d that are allowed", n, opts.MaxText)
		}
	}
	t := tokenizer{text: text, dialect: opts.Dialect, limit: opts.MaxTokens, out: make([]token, 0, len(text)/5+8)}
	t.run()
	if opts.ended() {
		return nil, 0, ErrEnded
	}
	r := &rewriter{
		text: text, dialect: opts.Dialect, toks: t.out, limit: opts.MaxDepth,
		out: make([]byte, 0, 2*len(text)+64), pieces: make([]piece, 0, 2*len(t.out)), marks: make([]mark, 0, len(t.out)),
	}
	stmt = r.statement()
	r.finish()
	if r.err != nil {
		return nil, 0, r.err
	}
	if len(r.out) == 0 { // a command without a query
		return stmt, t.params, nil
	}
	if opts.ended() {
		return nil, 0, ErrEnded
	}
	root, ok := r.skeletonUnless(opts.Done)
	if !ok {
		return nil, 0, ErrEnded
	}
	if r.err != nil {
		return nil, 0, r.err
	}
	c := &converter{toks: r.toks, marks: r.marks, dialect: r.dialect}
	q := c.query(root)
	if c.err != nil {
		return nil, 0, c.err
	}
	if e, ok := stmt.(*Explain); ok {
		e.Query = q
		return e, t.params, nil
	}
	return q, t.params, nil
}
