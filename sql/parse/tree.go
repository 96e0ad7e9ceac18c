package parse

import "github.com/cairndb/cairn/sql/sqlerr"

// Pos is a range of bytes of the user's text.
type Pos = sqlerr.Pos

// Statement is what one text says: a *Query, or *Explain, *Show.
type Statement interface{ Kind() Kind }

// Kind is what sort of thing a statement does. Every type of [Statement] has its own, so
// that whoever has rules about statements can have one for each.
type Kind uint8

// The kinds.
const (
	KindQuery Kind = iota
	KindExplain
	KindShow

	// Kinds is how many there are.
	Kinds
)

// Explain is EXPLAIN [ANALYZE] query.
type Explain struct {
	Pos     Pos
	Analyze bool
	Query   *Query
}

// Show is SHOW TABLES, SHOW COLUMNS FROM t (also DESCRIBE t), SHOW FUNCTIONS.
type Show struct {
	Pos  Pos
	What string // "tables", "columns", "functions"
	Name *Name  // of the table, for columns
	Like string // pattern of SHOW … LIKE 'pattern', "" for all
}

// Query is a query expression: WITH, a body, and what applies to the whole.
type Query struct {
	Pos       Pos
	With      []CTE
	Recursive bool
	Body      Body
	OrderBy   []SortItem
	Limit     Expr // nil for none (also LIMIT ALL); a Literal or a Param
	Offset    Expr // nil for none
	// Ties is set for FETCH FIRST … ROWS WITH TIES: rows that the order does not
	// tell from the last one come, too.
	Ties bool
}

// CTE is one WITH item.
type CTE struct {
	Pos     Pos
	Name    Part
	Columns []Part
	Query   *Query
}

// Body is a *Select, a *SetOp, a *Values, or a *Query in parentheses.
type Body interface{ body() }

// Select is one SELECT block. Distinct is set with and without DistinctOn.
type Select struct {
	Pos        Pos
	Distinct   bool
	DistinctOn []Expr
	Items      []SelectItem
	From       []Relation // comma-separated; empty for SELECT without FROM
	Where      Expr
	GroupBy    []GroupItem
	// GroupDistinct is set for GROUP BY DISTINCT: equal grouping sets count once.
	GroupDistinct bool
	Having        Expr
	Windows       []NamedWindow
}

// SelectItem is an output expression or a wildcard.
type SelectItem struct {
	Pos   Pos
	Expr  Expr // nil for * and for t.*
	Alias *Part
	// Star is set for *, t.* and (rowexpr).*: Qualifier or Expr says of what.
	Star      bool
	Qualifier *Name
	// Title is the output name by Trino's rule when there is no alias: the last
	// step of a path as the user spelled it, else "" (the binder makes _colN).
	Title string
}

// GroupItem is one element of GROUP BY. A plain expression has Sets nil;
// otherwise Sets lists the grouping sets (ROLLUP and CUBE arrive spelled out);
// an expression that is in several sets is one and the same node.
type GroupItem struct {
	Pos  Pos
	Expr Expr
	Sets [][]Expr
}

// SetOp is UNION, INTERSECT or EXCEPT of two bodies; precedence is resolved.
type SetOp struct {
	Pos         Pos
	Op          string // "union", "intersect", "except"
	All         bool
	Left, Right Body
}

// Values is VALUES (…), (…).
type Values struct {
	Pos  Pos
	Rows [][]Expr
}

// Relation is what stands in FROM: *TableRef, *Derived, *Join, *Unnest, *TableFunc.
type Relation interface{ relation() }

// TableRef names a table, a view or a CTE.
type TableRef struct {
	Pos     Pos
	Name    Name
	Alias   *Part
	Columns []Part // alias column list
	Sample  *Sample
}

// Derived is a query in FROM.
type Derived struct {
	Pos     Pos
	Lateral bool
	Query   *Query
	Alias   *Part
	Columns []Part
	Sample  *Sample
}

// Unnest is UNNEST(…) [WITH ORDINALITY].
type Unnest struct {
	Pos        Pos
	Args       []Expr
	Ordinality bool
	Alias      *Part
	Columns    []Part
	Sample     *Sample
}

// TableFunc is a function call in FROM.
type TableFunc struct {
	Pos     Pos
	Call    *Call
	Alias   *Part
	Columns []Part
	Sample  *Sample
}

// Sample is TABLESAMPLE behind a relation that is not a join.
type Sample struct {
	Pos     Pos
	Method  string // "bernoulli", "system"
	Percent Expr   // a Literal or a Param
}

// SampleOf returns the TABLESAMPLE of a relation, nil for none.
func SampleOf(r Relation) *Sample {
	switch r := r.(type) {
	case *TableRef:
		return r.Sample
	case *Derived:
		return r.Sample
	case *Unnest:
		return r.Sample
	case *TableFunc:
		return r.Sample
	}
	return nil
}

// Join joins two relations.
type Join struct {
	Pos         Pos
	Kind        string // "inner", "left", "right", "full", "cross"
	Left, Right Relation
	On          Expr
	Using       []Part
	Natural     bool // the columns of the same name are those of USING
}

// Part is one identifier. Names are matched without regard to case.
type Part struct {
	Pos    Pos
	Text   string // as the user spelled it, quotes removed
	Quoted bool
}

// Name is a dotted name: parts in order.
type Name struct {
	Pos   Pos
	Parts []Part
}

// SortItem is one ORDER BY element.
type SortItem struct {
	Pos  Pos
	Expr Expr // an integer Literal here is an ordinal
	Desc bool
	// Nulls is "first", "last", or "" for the dialect's default.
	Nulls string
}

// NamedWindow is WINDOW name AS (spec).
type NamedWindow struct {
	Name Part
	Spec *Window
}

// Window is an OVER specification.
type Window struct {
	Pos         Pos
	Ref         *Part // OVER name, or the base of (name …)
	PartitionBy []Expr
	OrderBy     []SortItem
	Frame       *Frame
}

// Frame is a window frame.
type Frame struct {
	Unit       string // "rows", "range", "groups"
	Start, End Bound
	// Exclude is "current row", "group", "ties", or "" for EXCLUDE NO OTHERS.
	Exclude string
}

// Bound is one end of a frame.
type Bound struct {
	Kind   string // "unbounded preceding", "preceding", "current row", "following", "unbounded following"
	Offset Expr   // for preceding and following
}

// Expr is an expression. Position returns its range in the user's text.
type Expr interface{ Position() Pos }

// LiteralKind says what a Literal is.
type LiteralKind uint8

// The kinds of literals. The Text of a number is exactly what the value needs:
// "12", "1.50" (its scale counts), "1e5".
const (
	NullLiteral LiteralKind = iota
	BoolLiteral
	IntegerLiteral
	DecimalLiteral
	DoubleLiteral
	StringLiteral
	BinaryLiteral
)

type (
	// Literal is a constant. Text holds the decoded text ("true"/"false" for
	// booleans, raw bytes for binary).
	Literal struct {
		Pos  Pos
		Kind LiteralKind
		Text string
	}
	// Typed is a literal with a type name before it: timestamp '…', date '…'.
	Typed struct {
		Pos  Pos
		Type TypeName
		Text string
	}
	// Interval is interval '7' day; Unit is "" when it stands in the text
	// (Postgres: interval '7 days'). To is the second unit of a range.
	Interval struct {
		Pos      Pos
		Text     string
		Negative bool
		Unit, To string
	}
	// Ident is a column, or a path that starts at one: a.b.c.
	Ident struct{ Name Name }
	// Param is a parameter, numbered from 1.
	Param struct {
		Pos Pos
		N   int
	}
	// Unary is "-", "+" or "not".
	Unary struct {
		Pos Pos
		Op  string
		X   Expr
	}
	// Binary is an operator between two operands: or and = <> < <= > >= + - *
	// / % || and, in the Postgres dialect, its operators (->, ->>, @>, ~, ^ …).
	// OpPos is the place of the operator.
	Binary struct {
		Pos, OpPos Pos
		Op         string
		L, R       Expr
	}
	// Distinct is L IS [NOT] DISTINCT FROM R.
	Distinct struct {
		Pos  Pos
		Not  bool
		L, R Expr
	}
	// Between is X [NOT] BETWEEN Low AND High.
	Between struct {
		Pos          Pos
		Not          bool
		X, Low, High Expr
	}
	// In is X [NOT] IN (list) or (query).
	In struct {
		Pos   Pos
		Not   bool
		X     Expr
		List  []Expr
		Query *Query
	}
	// Like is X [NOT] LIKE Pattern [ESCAPE Escape]; Fold for ILIKE, Similar for SIMILAR TO (Postgres).
	Like struct {
		Similar         bool
		Pos             Pos
		Not, Fold       bool
		X, Pattern, Esc Expr
	}
	// Is is X IS [NOT] NULL, TRUE, FALSE or UNKNOWN.
	Is struct {
		Pos  Pos
		Not  bool
		X    Expr
		What string // "null", "true", "false", "unknown"
	}
	// Case is CASE [operand] WHEN … THEN … ELSE … END.
	Case struct {
		Pos     Pos
		Operand Expr
		Whens   []When
		Else    Expr
	}
	// Cast is CAST, TRY_CAST and ::.
	Cast struct {
		Pos  Pos
		X    Expr
		Type TypeName
		Try  bool
		// Colons is set for Postgres' ::, which reads a text as JSON where CAST makes a
		// JSON string of it.
		Colons bool
	}
	// Call is a function call. Name may be qualified. COALESCE, NULLIF, IF, TRY,
	// EXTRACT(f FROM x) (as extract('f', x)), POSITION, SUBSTRING, TRIM (as
	// trim, ltrim, rtrim), current_timestamp and friends all arrive as calls.
	Call struct {
		Pos         Pos
		Name        Name
		Args        []Expr
		Star        bool // count(*)
		Distinct    bool
		OrderBy     []SortItem // inside the parentheses
		WithinGroup []SortItem
		Filter      Expr
		IgnoreNulls bool
		Over        *Window
	}
	// Field is .name of an expression that is not a plain path.
	Field struct {
		Pos  Pos
		X    Expr
		Name Part
	}
	// Subscript is X[Index].
	Subscript struct {
		Pos      Pos
		X, Index Expr
	}
	// Slice is X[Low:High] (Postgres); either may be nil.
	Slice struct {
		Pos          Pos
		X, Low, High Expr
	}
	// Array is ARRAY[…].
	Array struct {
		Pos   Pos
		Items []Expr
	}
	// Row is ROW(…) or a parenthesised list of two or more.
	Row struct {
		Pos   Pos
		Items []Expr
	}
	// Lambda is x -> body or (x, y) -> body.
	Lambda struct {
		Pos    Pos
		Params []Part
		Body   Expr
	}
	// AtTimeZone is X AT TIME ZONE Zone.
	AtTimeZone struct {
		Pos     Pos
		X, Zone Expr
	}
	// Subquery is a scalar subquery, or ARRAY(query) when Array is set.
	Subquery struct {
		Pos   Pos
		Array bool
		Query *Query
	}
	// Exists is EXISTS (query).
	Exists struct {
		Pos   Pos
		Query *Query
	}
	// Quantified is X op ANY|SOME|ALL (query or array).
	Quantified struct {
		Pos   Pos
		X     Expr
		Op    string
		All   bool
		Query *Query
		Array Expr
	}
	// JSONCall is a function of SQL/JSON with its clauses: json_value,
	// json_query and json_exists have Args [input, path], then the values of
	// PASSING; json_array has the values, json_object keys and values in turn.
	JSONCall struct {
		Pos      Pos
		Function string
		Args     []Expr
		// Passing names the arguments behind the path.
		Passing []Part
		// FormatJSON holds the indexes of arguments followed by FORMAT JSON.
		FormatJSON map[int]bool
		Returning  *TypeName // nil for the function's default
		// OnEmpty and OnError are "" for the default, else "null", "error",
		// "default", "empty array", "empty object", "true", "false", "unknown".
		OnEmpty, OnError           string
		EmptyDefault, ErrorDefault Expr
		Wrapper                    string // json_query: "", "without", "conditional", "unconditional"
		OmitQuotes                 bool   // json_query
		OnNull                     string // constructors: "", "null", "absent"
		UniqueKeys                 bool   // json_object
	}
)

// When is one arm of a CASE.
type When struct{ Cond, Then Expr }

// TypeName is a type as written, parsed but not resolved: Name in lower case
// with single spaces ("timestamp with time zone"), parameters, and for array,
// map and row the types inside (Fields names them for a row).
type TypeName struct {
	Pos    Pos
	Name   string
	Params []int
	Args   []TypeName
	Fields []Part
}

// Kind implements [Statement].
func (*Query) Kind() Kind { return KindQuery }

// Kind implements [Statement].
func (*Explain) Kind() Kind { return KindExplain }

// Kind implements [Statement].
func (*Show) Kind() Kind { return KindShow }

func (*Query) body()  {}
func (*Select) body() {}
func (*SetOp) body()  {}
func (*Values) body() {}

func (*TableRef) relation()  {}
func (*Derived) relation()   {}
func (*Join) relation()      {}
func (*Unnest) relation()    {}
func (*TableFunc) relation() {}

func (e *Literal) Position() Pos    { return e.Pos }
func (e *Typed) Position() Pos      { return e.Pos }
func (e *Interval) Position() Pos   { return e.Pos }
func (e *Ident) Position() Pos      { return e.Name.Pos }
func (e *Param) Position() Pos      { return e.Pos }
func (e *Unary) Position() Pos      { return e.Pos }
func (e *Binary) Position() Pos     { return e.Pos }
func (e *Distinct) Position() Pos   { return e.Pos }
func (e *Between) Position() Pos    { return e.Pos }
func (e *In) Position() Pos         { return e.Pos }
func (e *Like) Position() Pos       { return e.Pos }
func (e *Is) Position() Pos         { return e.Pos }
func (e *Case) Position() Pos       { return e.Pos }
func (e *Cast) Position() Pos       { return e.Pos }
func (e *Call) Position() Pos       { return e.Pos }
func (e *Field) Position() Pos      { return e.Pos }
func (e *Subscript) Position() Pos  { return e.Pos }
func (e *Slice) Position() Pos      { return e.Pos }
func (e *Array) Position() Pos      { return e.Pos }
func (e *Row) Position() Pos        { return e.Pos }
func (e *Lambda) Position() Pos     { return e.Pos }
func (e *AtTimeZone) Position() Pos { return e.Pos }
func (e *Subquery) Position() Pos   { return e.Pos }
func (e *Exists) Position() Pos     { return e.Pos }
func (e *Quantified) Position() Pos { return e.Pos }
func (e *JSONCall) Position() Pos   { return e.Pos }
