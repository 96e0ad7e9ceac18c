package plan

import (
	"fmt"
	"strings"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/fn"
)

// describe shows an expression as SQL, for EXPLAIN, hints and messages.
func describe(e Expr) string {
	switch e := e.(type) {
	case *Ref:
		return e.Name
	case *Const:
		return showValue(e.Value, 0)
	case *Param:
		return fmt.Sprintf("$%d", e.N)
	case *Call:
		if len(e.Args) == 2 && strings.ContainsAny(e.Name[:1], "+-*/%|") {
			return "(" + describe(e.Args[0]) + " " + e.Name + " " + describe(e.Args[1]) + ")"
		}
		if e.Name == "subscript" {
			return describe(e.Args[0]) + "[" + describe(e.Args[1]) + "]"
		}
		return e.Name + "(" + describeList(e.Args) + ")"
	case *Cast:
		if e.Try {
			return "TRY_CAST(" + describe(e.X) + " AS " + e.T.String() + ")"
		}
		return "CAST(" + describe(e.X) + " AS " + e.T.String() + ")"
	case *Compare:
		return describe(e.L) + " " + e.Op.String() + " " + describe(e.R)
	case *And:
		return "(" + joined(e.Items, " AND ") + ")"
	case *Or:
		return "(" + joined(e.Items, " OR ") + ")"
	case *Not:
		return "NOT (" + describe(e.X) + ")"
	case *IsNullTest:
		if e.Not {
			return describe(e.X) + " IS NOT NULL"
		}
		return describe(e.X) + " IS NULL"
	case *In:
		items := make([]string, 0, e.Values.Len)
		for i := range e.Values.Len {
			if i == listedMax {
				items = append(items, fmt.Sprintf("… %d more", e.Values.Len-i))
				break
			}
			items = append(items, showValue(e.Values, i))
		}
		if e.HasNull {
			items = append(items, "NULL")
		}
		return describe(e.X) + " IN (" + strings.Join(items, ", ") + ")"
	case *Like:
		op := " LIKE "
		if e.Fold {
			op = " ILIKE "
		}
		s := describe(e.X) + op + describe(e.Pattern)
		if e.Escape != nil {
			s += " ESCAPE " + describe(e.Escape)
		}
		return s
	case *Case:
		var b strings.Builder
		b.WriteString("CASE")
		if e.Operand != nil {
			b.WriteString(" " + describe(e.Operand))
		}
		for i := range e.Whens {
			b.WriteString(" WHEN " + describe(e.Whens[i]) + " THEN " + describe(e.Thens[i]))
		}
		if e.Else != nil {
			b.WriteString(" ELSE " + describe(e.Else))
		}
		return b.String() + " END"
	case *Coalesce:
		return "coalesce(" + describeList(e.Args) + ")"
	case *Try:
		return "try(" + describe(e.X) + ")"
	case *Field:
		if e.Step.Field < 0 {
			return "element_at(" + describe(e.X) + ", " + quote(e.Step.Key) + ")"
		}
		return describe(e.X) + "." + e.X.Type().Fields[e.Step.Field].Name
	case *Higher:
		return e.Name + "(" + describeList(e.Args) + ")"
	case *Lambda:
		if len(e.Params) == 1 {
			return e.Params[0].Name + " -> " + describe(e.Body)
		}
		return "(" + strings.Join(e.names(), ", ") + ") -> " + describe(e.Body)
	case *LambdaParam:
		return e.Name
	case *Subquery:
		return e.describe()
	case *Outer:
		return e.Name
	case *MapAt:
		return describe(e.Map) + "[" + quote(e.Key) + "]"
	}
	return fmt.Sprintf("%T", e)
}

// listedMax is how many values of a list EXPLAIN shows.
const listedMax = 8

func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

func showValue(v *column.Vector, i int) string {
	if v.IsNull(i) {
		return "NULL"
	}
	s := fn.Format(v, i)
	switch v.Type.Kind {
	case column.Boolean, column.TinyInt, column.SmallInt, column.Integer, column.BigInt, column.Real, column.Double, column.Decimal:
		return s
	case column.Varchar:
		return quote(s)
	case column.Array, column.Map, column.Row:
		return s
	}
	return v.Type.Kind.String() + " " + quote(s)
}

func joined(list []Expr, sep string) string {
	out := make([]string, len(list))
	for i, e := range list {
		out[i] = describe(e)
	}
	return strings.Join(out, sep)
}

func describeList(list []Expr) string { return joined(list, ", ") }

// DescribeList shows expressions as SQL, separated by commas.
func DescribeList(list []Expr) string { return describeList(list) }

// Describe shows a node for EXPLAIN: what it is, then more about it, a line
// each.
func Describe(n Node) []string {
	switch n := n.(type) {
	case *TableScan:
		out := []string{"Scan " + n.Table.Name()}
		for _, f := range n.Filter {
			out = append(out, "filter: "+describe(f))
		}
		for _, t := range n.Terms {
			out = append(out, "to storage: "+n.describeTerm(t))
		}
		for _, l := range n.LateTerms() {
			out = append(out, "to storage once known: "+describe(l.Cond))
		}
		if len(n.Columns) > 0 {
			names := make([]string, len(n.Columns))
			for i, c := range n.Columns {
				names[i] = c.Name
			}
			out = append(out, "reads: "+strings.Join(names, ", "))
		}
		return out
	case *Values:
		if n.Why != "" {
			return []string{"Nothing" + n.Why}
		}
		return []string{fmt.Sprintf("Values (%d rows)", len(n.Rows))}
	case *Filter:
		return []string{"Filter " + joined(n.Conds, " AND ")}
	case *Project:
		return []string{"Project " + describeList(n.Exprs)}
	case *Aggregate:
		head := "Aggregate"
		if len(n.Aggs) == 0 {
			head = "Distinct"
		}
		if len(n.Keys) > 0 {
			head += " by " + describeList(n.Keys)
		}
		var aggs []string
		for _, a := range n.Aggs {
			s := a.Name + "("
			if a.Distinct {
				s += "DISTINCT "
			}
			if a.Name == "count" && len(a.Args) == 0 {
				s += "*"
			}
			s += describeList(a.Args)
			if len(a.Order) > 0 {
				s += " ORDER BY " + describeKeys(a.Order)
			}
			s += ")"
			if a.Filter != nil {
				s += " FILTER (WHERE " + describe(a.Filter) + ")"
			}
			aggs = append(aggs, s)
		}
		if len(aggs) > 0 {
			return []string{head, "computes: " + strings.Join(aggs, ", ")}
		}
		return []string{head}
	case *Expand:
		sets := make([]string, len(n.Sets))
		for i, set := range n.Sets {
			keys := make([]Expr, len(set))
			for k, at := range set {
				keys[k] = n.Keys[at]
			}
			sets[i] = "(" + describeList(keys) + ")"
		}
		return []string{"Grouping sets " + strings.Join(sets, ", ")}
	case *Window:
		return n.describe()
	case *Sort:
		head := "Sort by "
		if n.Limit >= 0 {
			head = fmt.Sprintf("Top %d by ", n.Limit)
			if n.Offset > 0 {
				head = fmt.Sprintf("Top %d after %d by ", n.Limit, n.Offset)
			}
			if n.Ties {
				head = strings.Replace(head, " by ", " with ties by ", 1)
			}
		}
		return []string{head + describeKeys(n.Keys)}
	case *Limit:
		s := "Limit"
		if n.N >= 0 {
			s += fmt.Sprintf(" %d", n.N)
		}
		if n.Offset > 0 {
			s += fmt.Sprintf(" offset %d", n.Offset)
		}
		return []string{s}
	case *Union:
		return []string{"Union all"}
	case *Join:
		return n.describe()
	case *Unnest:
		return n.describe()
	case *SetOp:
		return []string{n.describe()}
	case *SharedScan:
		return []string{n.describe()}
	case *Recursive:
		return []string{n.describe()}
	case *WorkTable:
		return []string{"Rows of the last step of " + n.Name}
	}
	return []string{fmt.Sprintf("%T", n)}
}

var termNames = [...]string{"=", "<>", "<", "<=", ">", ">=", "IS NULL", "IS NOT NULL", "begins with", "ends with", "contains", "contains (any case)"}

func (n *TableScan) describeTerm(t Term) string {
	name := ""
	for i, p := range n.Paths {
		if samePath(p, t.Path) {
			name = n.Columns[i].Name
		}
	}
	s := name + " " + termNames[t.Op]
	if t.Op == IsNull || t.Op == NotNull {
		return s
	}
	if t.Values.Len > 1 {
		switch t.Op {
		case Eq:
			s = name + " in"
		case NotEq:
			s = name + " not in"
		default:
			s += " any of"
		}
	}
	for i := range t.Values.Len {
		if i == listedMax {
			s += fmt.Sprintf(" … %d more", t.Values.Len-i)
			break
		}
		s += " " + showValue(t.Values, i)
	}
	return s
}
