package plan

import (
	"fmt"
	"strings"
)

// describe shows the node for EXPLAIN: the sort, then each function with its
// window.
func (n *Window) describe() []string {
	head := "Window"
	if len(n.Keys) > 0 {
		head += " sorted by " + describeKeys(n.Keys)
	}
	if n.Best > 0 {
		rows := "rows"
		if n.BestTies {
			rows = "ranks"
		}
		head += fmt.Sprintf(" (best %d %s of each partition)", n.Best, rows)
	}
	out := []string{head}
	for i := range n.Funcs {
		out = append(out, "computes: "+n.describeFunc(&n.Funcs[i]))
	}
	return out
}

func (n *Window) describeFunc(f *WindowFunc) string {
	s := f.Name + "(" + describeList(f.Args)
	if f.Name == "count" && len(f.Args) == 0 {
		s += "*"
	}
	s += ")"
	if f.Filter != nil {
		s += " FILTER (WHERE " + describe(f.Filter) + ")"
	}
	if f.IgnoreNulls {
		s += " IGNORE NULLS"
	}
	spec := n.Specs[f.Spec]
	var parts []string
	if spec.Partition > 0 {
		keys := make([]Expr, spec.Partition)
		for i := range keys {
			keys[i] = n.Keys[i].Expr
		}
		parts = append(parts, "PARTITION BY "+describeList(keys))
	}
	if spec.Order > 0 {
		parts = append(parts, "ORDER BY "+describeKeys(n.Keys[spec.Partition:spec.Partition+spec.Order]))
	}
	if f.Agg != nil && !f.Frame.whole(spec.Order) {
		parts = append(parts, f.Frame.describe())
	}
	return s + " OVER (" + strings.Join(parts, " ") + ")"
}

func (f *Frame) describe() string {
	return [...]string{"RANGE", "ROWS", "GROUPS"}[f.Unit] + " BETWEEN " + f.Start.describe() + " AND " + f.End.describe() +
		[...]string{"", " EXCLUDE CURRENT ROW", " EXCLUDE GROUP", " EXCLUDE TIES"}[f.Exclude]
}

func (b *Bound) describe() string {
	s := [...]string{"UNBOUNDED PRECEDING", "PRECEDING", "CURRENT ROW", "FOLLOWING", "UNBOUNDED FOLLOWING"}[b.Kind]
	if b.Offset != nil {
		return describe(b.Offset) + " " + s
	}
	return s
}

func describeKeys(list []SortKey) string {
	keys := make([]string, len(list))
	for i, k := range list {
		keys[i] = describe(k.Expr)
		if k.Desc {
			keys[i] += " DESC"
		}
		if k.NullsFirst {
			keys[i] += " NULLS FIRST"
		}
	}
	return strings.Join(keys, ", ")
}
