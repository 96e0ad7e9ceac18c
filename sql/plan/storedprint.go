package plan

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/cairndb/cairn/segment/column"
)

// What came of the groups of a view can be kept for the next query that asks the same. A
// print is a text that two uses of one view have in common only if the same comes of the
// same groups: columns by their place, functions by name and types, constants by value. What
// is not known to depend on that alone has no print.

// printer writes a print.
type printer struct {
	strings.Builder
	at map[ColID]int // the places of the columns
	no bool
}

// print returns the print of s in an aggregate, "" for none.
func (s *StoredGroups) print(g *Aggregate) string {
	p := &printer{at: map[ColID]int{}}
	for i, c := range s.Columns {
		p.at[c.ID] = i
	}
	fmt.Fprintf(p, "%d %x", s.View.Number, s.View.Print)
	for _, k := range s.Keys {
		p.WriteString(" key ")
		p.expr(k)
	}
	for _, f := range s.Filter {
		p.WriteString(" where ")
		p.expr(f)
	}
	for _, r := range s.Ranges {
		fmt.Fprintf(p, " range %d %d %d %d %d %d", r.Op, r.Value, r.Width, r.First, r.Last, r.Count)
	}
	for i, a := range s.Aggs {
		of := &g.Aggs[i]
		if len(of.Order) > 0 || of.Distinct || of.Fn.Ordered {
			return "" // these have no states
		}
		fmt.Fprintf(p, " agg %q %s %d", of.Name, of.Fn.Result, a.State)
		for _, t := range of.Fn.Args {
			fmt.Fprintf(p, " %s", t)
		}
		if a.State >= 0 {
			// Constants among the arguments are part of what the view has.
			fmt.Fprintf(p, " of %d", len(of.Args))
		}
		for _, e := range a.Args {
			p.WriteByte(' ')
			p.expr(e)
		}
		if a.Filter != nil {
			p.WriteString(" if ")
			p.expr(a.Filter)
		}
	}
	if p.no {
		return ""
	}
	return p.String()
}

func (p *printer) expr(e Expr) {
	switch e.Type().Payload() {
	case column.PayloadI64, column.PayloadStr:
	default:
		p.no = true
		return
	}
	if e.Type().Kind == column.TimestampTZ {
		p.no = true // the zone of the session may be in it
		return
	}
	p.WriteByte('(')
	switch x := e.(type) {
	case *Ref:
		at, ok := p.at[x.ID]
		p.no = p.no || !ok
		fmt.Fprintf(p, "#%d", at)
	case *Const:
		p.constant(x.Value)
	case *Call:
		if cutFunctions[x.Name] == 0 && x.Name != "date_trunc" {
			p.no = true // it may depend on the session
		}
		p.WriteString(x.Name)
	case *Compare:
		fmt.Fprintf(p, "cmp%d", x.Op)
	case *And:
		p.WriteString("and")
	case *Or:
		p.WriteString("or")
	case *Not:
		p.WriteString("not")
	case *IsNullTest:
		fmt.Fprintf(p, "null%t", x.Not)
	case *In:
		fmt.Fprintf(p, "in%t", x.HasNull)
		p.constant(x.Values)
	case *Like:
		fmt.Fprintf(p, "like%t%t", x.Fold, x.Escape != nil)
	case *Coalesce:
		p.WriteString("coalesce")
	default:
		p.no = true
	}
	for _, op := range e.operands() {
		p.expr(op)
	}
	fmt.Fprintf(p, ":%s)", e.Type())
}

// constant writes the values of a vector.
func (p *printer) constant(v *column.Vector) {
	if v.Zone != nil || v.Len > 1<<10 {
		p.no = true
		return
	}
	for i := range v.Len {
		p.WriteByte(' ')
		if v.IsNull(i) {
			p.WriteString("null")
			continue
		}
		leaf, j := v.Leaf(i)
		switch v.Type.Payload() {
		case column.PayloadI64:
			p.WriteString(strconv.FormatInt(leaf.I64[j], 10))
		case column.PayloadStr:
			p.WriteString(strconv.Quote(leaf.Str[j]))
		default:
			p.no = true
		}
	}
}
