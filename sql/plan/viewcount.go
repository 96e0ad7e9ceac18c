package plan

import "github.com/cairndb/cairn/segment/column"

// CountingView describes a view that only counts: every key is a path of the table or a time of
// it cut to a width, and every aggregate counts rows or values of a path, all of them. A table
// can make the groups of such views from the numbers of values, many views in one pass.
type CountingView struct {
	// Keys are the paths that are keys. That at Time, -1 for none, is cut to Width microseconds.
	Keys  []Path
	Time  int
	Width int64
	// Counts are, in the order of the states, which follow the keys in View.Types, the paths
	// whose values are counted; nil counts rows. Each state is one BIGINT, never NULL.
	Counts []*Path
}

// Counting describes the view if it only counts; ok is false for any other.
func (v *View) Counting() (c CountingView, ok bool) {
	if len(v.scan.Filter) > 0 || len(v.group.Keys) == 0 {
		return c, false
	}
	c.Time = -1
	for i, k := range v.group.Keys {
		if s := v.spans[i]; s.width > 0 && s.of.Type().Kind == column.Timestamp {
			if c.Time >= 0 {
				return c, false
			}
			c.Time, c.Width, k = i, s.width, s.of
		} else if p := k.Type(); p.Payload() != column.PayloadStr && p.Kind != column.Boolean {
			return c, false
		}
		p, ok := v.scan.path(k)
		if !ok {
			return c, false
		}
		c.Keys = append(c.Keys, p)
	}
	for i := range v.group.Aggs {
		a := &v.group.Aggs[i]
		states := a.Fn.New().StateTypes()
		if a.Name != "count" || a.Distinct || a.Filter != nil || len(a.Args) > 1 || len(a.Order) > 0 ||
			len(states) != 1 || states[0].Kind != column.BigInt {
			return c, false
		}
		if len(a.Args) == 0 {
			c.Counts = append(c.Counts, nil)
			continue
		}
		p, ok := v.scan.path(a.Args[0])
		if t := a.Args[0].Type(); !ok || t.Payload() != column.PayloadStr && t.Kind != column.Boolean {
			return c, false
		}
		c.Counts = append(c.Counts, &p)
	}
	return c, true
}
