package parse

import (
	"fmt"
	"strconv"
	"strings"
)

// Format writes a statement as nested lists, operators first, everything spelled
// out. Equal trees give equal texts; positions are left out. It is for tests
// and for looking at what a query was understood to be:
//
//	SELECT a + 1 AS n FROM t WHERE b IS NULL
//	(query (select (as (+ a 1) n) (from t) (where (is null b))))
func Format(s Statement) string {
	var d dumper
	switch s := s.(type) {
	case *Query:
		d.query(s)
	case *Explain:
		word := "explain"
		if s.Analyze {
			word = "explain-analyze"
		}
		d.list(word, func() { d.query(s.Query) })
	case *Show:
		d.list("show "+s.What, func() {
			if s.Name != nil {
				d.name(*s.Name)
			}
			if s.Like != "" {
				d.list("like", func() { d.text(s.Like) })
			}
		})
	}
	return d.b.String()
}

// FormatExpr is Format for one expression.
func FormatExpr(e Expr) string {
	var d dumper
	d.expr(e)
	return d.b.String()
}

type dumper struct{ b strings.Builder }

// word writes an atom, set off from what stands before it.
func (d *dumper) word(s string) {
	if n := d.b.Len(); n > 0 && d.b.String()[n-1] != '(' {
		d.b.WriteByte(' ')
	}
	d.b.WriteString(s)
}

func (d *dumper) list(head string, body func()) {
	d.word("(" + head)
	body()
	d.b.WriteByte(')')
}

// maybe writes a list unless it would be empty.
func (d *dumper) maybe(ok bool, head string, body func()) {
	if ok {
		d.list(head, body)
	}
}

func (d *dumper) text(s string) { d.word("'" + strings.ReplaceAll(s, "'", "''") + "'") }

func (p Part) String() string {
	if p.Quoted {
		return `"` + strings.ReplaceAll(p.Text, `"`, `""`) + `"`
	}
	return p.Text
}

// String writes the name as a query could.
func (n Name) String() string {
	parts := make([]string, len(n.Parts))
	for i, p := range n.Parts {
		parts[i] = p.String()
	}
	return strings.Join(parts, ".")
}

func (d *dumper) name(n Name) { d.word(n.String()) }
func (d *dumper) part(p Part) { d.word(p.String()) }

func (d *dumper) parts(head string, parts []Part) {
	d.maybe(len(parts) > 0, head, func() {
		for _, p := range parts {
			d.part(p)
		}
	})
}

func (d *dumper) exprs(list []Expr) {
	for _, e := range list {
		d.expr(e)
	}
}

func (d *dumper) query(q *Query) {
	d.list("query", func() {
		head := "with"
		if q.Recursive {
			head = "with-recursive"
		}
		d.maybe(len(q.With) > 0, head, func() {
			for _, c := range q.With {
				d.list(c.Name.String(), func() {
					d.parts("columns", c.Columns)
					d.query(c.Query)
				})
			}
		})
		d.body(q.Body)
		d.sort("order", q.OrderBy)
		head = "limit"
		if q.Ties {
			head = "limit-ties"
		}
		d.maybe(q.Limit != nil, head, func() { d.expr(q.Limit) })
		d.maybe(q.Offset != nil, "offset", func() { d.expr(q.Offset) })
	})
}

func (d *dumper) body(b Body) {
	switch b := b.(type) {
	case *Query:
		d.query(b)
	case *SetOp:
		head := b.Op
		if b.All {
			head += "-all"
		}
		d.list(head, func() {
			d.body(b.Left)
			d.body(b.Right)
		})
	case *Values:
		d.list("values", func() {
			for _, row := range b.Rows {
				d.list("row", func() { d.exprs(row) })
			}
		})
	case *Select:
		d.selectBlock(b)
	}
}

func (d *dumper) selectBlock(s *Select) {
	head := "select"
	if s.Distinct {
		head = "select-distinct"
	}
	d.list(head, func() {
		d.maybe(len(s.DistinctOn) > 0, "on", func() { d.exprs(s.DistinctOn) })
		for _, item := range s.Items {
			d.item(item)
		}
		d.maybe(len(s.From) > 0, "from", func() {
			for _, r := range s.From {
				d.relation(r)
			}
		})
		d.maybe(s.Where != nil, "where", func() { d.expr(s.Where) })
		d.maybe(len(s.GroupBy) > 0, "group", func() {
			if s.GroupDistinct {
				d.word("distinct")
			}
			for _, g := range s.GroupBy {
				if g.Sets == nil {
					d.expr(g.Expr)
					continue
				}
				d.list("sets", func() {
					for _, set := range g.Sets {
						d.list("set", func() { d.exprs(set) })
					}
				})
			}
		})
		d.maybe(s.Having != nil, "having", func() { d.expr(s.Having) })
		for _, w := range s.Windows {
			d.list("window "+w.Name.String(), func() { d.window(w.Spec) })
		}
	})
}

func (d *dumper) item(item SelectItem) {
	switch {
	case item.Star && item.Expr != nil:
		d.list("star", func() { d.expr(item.Expr) })
	case item.Qualifier != nil:
		d.word(item.Qualifier.String() + ".*")
	case item.Star:
		d.word("*")
	case item.Alias != nil:
		d.list("as", func() {
			d.expr(item.Expr)
			d.part(*item.Alias)
		})
	default:
		d.expr(item.Expr)
	}
}

func (d *dumper) alias(alias *Part, columns []Part) {
	if alias != nil {
		d.list("as "+alias.String(), func() {
			for _, c := range columns {
				d.part(c)
			}
		})
	}
}

func (d *dumper) relation(r Relation) {
	if s := SampleOf(r); s != nil {
		d.list("sample-"+s.Method, func() {
			d.expr(s.Percent)
			d.unsampled(r)
		})
		return
	}
	d.unsampled(r)
}

func (d *dumper) unsampled(r Relation) {
	switch r := r.(type) {
	case *TableRef:
		if r.Alias == nil {
			d.name(r.Name)
			return
		}
		d.list("table "+r.Name.String(), func() { d.alias(r.Alias, r.Columns) })
	case *Derived:
		head := "derived"
		if r.Lateral {
			head = "lateral"
		}
		d.list(head, func() {
			d.query(r.Query)
			d.alias(r.Alias, r.Columns)
		})
	case *Unnest:
		head := "unnest"
		if r.Ordinality {
			head = "unnest-ordinality"
		}
		d.list(head, func() {
			d.exprs(r.Args)
			d.alias(r.Alias, r.Columns)
		})
	case *TableFunc:
		d.list("table-function", func() {
			d.expr(r.Call)
			d.alias(r.Alias, r.Columns)
		})
	case *Join:
		d.list("join-"+r.Kind, func() {
			d.relation(r.Left)
			d.relation(r.Right)
			d.maybe(r.On != nil, "on", func() { d.expr(r.On) })
			d.parts("using", r.Using)
			if r.Natural {
				d.word("natural")
			}
		})
	}
}

func (d *dumper) sort(head string, items []SortItem) {
	d.maybe(len(items) > 0, head, func() {
		for _, item := range items {
			if !item.Desc && item.Nulls == "" {
				d.expr(item.Expr)
				continue
			}
			head := "asc"
			if item.Desc {
				head = "desc"
			}
			if item.Nulls != "" {
				head += "-nulls-" + item.Nulls
			}
			d.list(head, func() { d.expr(item.Expr) })
		}
	})
}

func (d *dumper) window(w *Window) {
	d.list("over", func() {
		if w.Ref != nil {
			d.part(*w.Ref)
		}
		d.maybe(len(w.PartitionBy) > 0, "partition", func() { d.exprs(w.PartitionBy) })
		d.sort("order", w.OrderBy)
		if f := w.Frame; f != nil {
			d.list(f.Unit, func() {
				for _, b := range []Bound{f.Start, f.End} {
					if b.Offset == nil {
						d.word("(" + b.Kind + ")")
					} else {
						d.list(b.Kind, func() { d.expr(b.Offset) })
					}
				}
				if f.Exclude != "" {
					d.word("exclude-" + strings.ReplaceAll(f.Exclude, " ", "-"))
				}
			})
		}
	})
}

func (d *dumper) literal(e *Literal) {
	switch e.Kind {
	case NullLiteral:
		d.word("null")
	case StringLiteral:
		d.text(e.Text)
	case BinaryLiteral:
		d.word(fmt.Sprintf("x'%X'", e.Text))
	default:
		d.word(e.Text)
	}
}

func negated(not bool, head string) string {
	if not {
		return "not-" + head
	}
	return head
}

func (d *dumper) expr(e Expr) {
	switch e := e.(type) {
	case *Literal:
		d.literal(e)
	case *Typed:
		d.list("typed "+e.Type.String(), func() { d.text(e.Text) })
	case *Interval:
		d.list("interval", func() {
			if e.Negative {
				d.word("-")
			}
			d.text(e.Text)
			if e.Unit != "" {
				d.word(e.Unit)
			}
			if e.To != "" {
				d.word("to " + e.To)
			}
		})
	case *Ident:
		d.name(e.Name)
	case *Param:
		d.word("$" + strconv.Itoa(e.N))
	case *Unary:
		d.list(e.Op, func() { d.expr(e.X) })
	case *Binary:
		d.list(e.Op, func() {
			d.expr(e.L)
			d.expr(e.R)
		})
	case *Distinct:
		d.list(negated(e.Not, "distinct-from"), func() {
			d.expr(e.L)
			d.expr(e.R)
		})
	case *Between:
		d.list(negated(e.Not, "between"), func() { d.exprs([]Expr{e.X, e.Low, e.High}) })
	case *In:
		d.list(negated(e.Not, "in"), func() {
			d.expr(e.X)
			if e.Query != nil {
				d.query(e.Query)
			}
			d.exprs(e.List)
		})
	case *Like:
		head := "like"
		if e.Fold {
			head = "ilike"
		}
		if e.Similar {
			head = "similar to"
		}
		d.list(negated(e.Not, head), func() {
			d.expr(e.X)
			d.expr(e.Pattern)
			d.maybe(e.Esc != nil, "escape", func() { d.expr(e.Esc) })
		})
	case *Is:
		d.list(negated(e.Not, "is")+" "+e.What, func() { d.expr(e.X) })
	case *Case:
		d.list("case", func() {
			if e.Operand != nil {
				d.expr(e.Operand)
			}
			for _, w := range e.Whens {
				d.list("when", func() {
					d.expr(w.Cond)
					d.expr(w.Then)
				})
			}
			d.maybe(e.Else != nil, "else", func() { d.expr(e.Else) })
		})
	case *Cast:
		head := "cast"
		if e.Try {
			head = "try-cast"
		}
		d.list(head, func() {
			d.expr(e.X)
			d.word(e.Type.String())
		})
	case *Call:
		d.call(e)
	case *JSONCall:
		d.json(e)
	case *Field:
		d.list("field", func() {
			d.expr(e.X)
			d.part(e.Name)
		})
	case *Subscript:
		d.list("subscript", func() {
			d.expr(e.X)
			d.expr(e.Index)
		})
	case *Slice:
		d.list("slice", func() {
			d.expr(e.X)
			for _, b := range []Expr{e.Low, e.High} {
				if b == nil {
					d.word("_")
				} else {
					d.expr(b)
				}
			}
		})
	case *Array:
		d.list("array", func() { d.exprs(e.Items) })
	case *Row:
		d.list("row", func() { d.exprs(e.Items) })
	case *Lambda:
		d.list("lambda", func() {
			d.word("(")
			for _, p := range e.Params {
				d.part(p)
			}
			d.b.WriteByte(')')
			d.expr(e.Body)
		})
	case *AtTimeZone:
		d.list("at-zone", func() {
			d.expr(e.X)
			d.expr(e.Zone)
		})
	case *Subquery:
		if e.Array {
			d.list("array", func() { d.query(e.Query) })
		} else {
			d.query(e.Query)
		}
	case *Exists:
		d.list("exists", func() { d.query(e.Query) })
	case *Quantified:
		head := e.Op + " any"
		if e.All {
			head = e.Op + " all"
		}
		d.list(head, func() {
			d.expr(e.X)
			if e.Query != nil {
				d.query(e.Query)
			} else {
				d.expr(e.Array)
			}
		})
	default:
		d.word(fmt.Sprintf("%T", e))
	}
}

func (d *dumper) call(e *Call) {
	d.list(e.Name.String()+"()", func() {
		if e.Star {
			d.word("*")
		}
		if e.Distinct {
			d.word("distinct")
		}
		d.exprs(e.Args)
		d.sort("order", e.OrderBy)
		d.sort("within", e.WithinGroup)
		d.maybe(e.Filter != nil, "filter", func() { d.expr(e.Filter) })
		if e.IgnoreNulls {
			d.word("ignore-nulls")
		}
		if e.Over != nil {
			d.window(e.Over)
		}
	})
}

func (d *dumper) json(e *JSONCall) {
	d.list(e.Function, func() {
		d.exprs(e.Args)
		d.parts("passing", e.Passing)
		if e.Returning != nil {
			d.word("(returning " + e.Returning.String() + ")")
		}
		for _, clause := range []struct {
			name, what string
			value      Expr
		}{{"wrapper", e.Wrapper, nil}, {"on-empty", e.OnEmpty, e.EmptyDefault}, {"on-error", e.OnError, e.ErrorDefault}, {"on-null", e.OnNull, nil}} {
			d.maybe(clause.what != "", clause.name, func() {
				d.word(clause.what)
				if clause.value != nil {
					d.expr(clause.value)
				}
			})
		}
		if e.OmitQuotes {
			d.word("omit-quotes")
		}
		if e.UniqueKeys {
			d.word("unique-keys")
		}
	})
}

// String writes the type as a query could, in lower case.
func (t TypeName) String() string {
	var b strings.Builder
	t.write(&b)
	return b.String()
}

func (t TypeName) write(b *strings.Builder) {
	name, rest := t.Name, ""
	if len(t.Params) > 0 {
		// timestamp(3) with time zone
		if i := strings.Index(name, " with"); i >= 0 {
			name, rest = name[:i], name[i:]
		}
	}
	b.WriteString(name)
	for i, n := range t.Params {
		b.WriteString(map[bool]string{true: "(", false: ","}[i == 0])
		b.WriteString(strconv.Itoa(n))
	}
	for i, arg := range t.Args {
		b.WriteString(map[bool]string{true: "(", false: ","}[i == 0])
		if len(t.Fields) > i && t.Fields[i].Text != "" {
			b.WriteString(t.Fields[i].String() + " ")
		}
		arg.write(b)
	}
	if len(t.Params)+len(t.Args) > 0 {
		b.WriteByte(')')
	}
	b.WriteString(rest)
}
