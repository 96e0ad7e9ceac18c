package plan

// A sub-query that is run for every combination of what it refers to reads its tables
// each time. What of it does not refer to the queries around gives the same rows each
// time: that is run once, and its rows are kept in memory, as those of a WITH item are.
// Only what cannot raise an error is run ahead, since it may be that no combination
// would have had it run.

// keptRowsMax is how many rows a table may have that are kept: they are filtered for
// each combination in much less than reading them takes, and for more of them the
// memory is better used otherwise.
const keptRowsMax = 1 << 18

// keepInner replaces the largest parts of a planned sub-query that do not refer to
// the queries around.
func (o *optimizer) keepInner(n Node) Node {
	if scan, ok := n.(*TableScan); ok {
		return keptScan(scan)
	}
	if !correlated(n) {
		return kept(n)
	}
	eachInput(n, o.keepInner)
	return n
}

// keptScan keeps the rows of a scan for the conditions that refer to the queries
// around.
func keptScan(scan *TableScan) Node {
	inner := *scan
	inner.Filter = nil
	var outer []Expr
	for _, c := range scan.Filter {
		if hasOuter(c) {
			outer = append(outer, c)
		} else {
			inner.Filter = append(inner.Filter, c)
		}
	}
	if n, ok := kept(&inner).(*SharedScan); ok {
		return filtered(n, outer)
	}
	return scan
}

// kept returns a node that gives the rows of n, which is run once; n itself where that
// is not worth it or not safe.
func kept(n Node) Node {
	name, rows := "", int64(0)
	eachNode(n, func(n Node) {
		switch x := n.(type) {
		case *TableScan:
			name = x.Table.Name()
			t, ok := x.Table.(RowCounter)
			if !ok {
				rows = keptRowsMax + 1
				break
			}
			rows += min(t.RowCount(), keptRowsMax+1)
		case *SharedScan, *Recursive, *WorkTable, *Limit:
			rows = keptRowsMax + 1 // kept already, or perhaps not read to their end
		}
	})
	if name == "" || rows > keptRowsMax || len(n.Cols()) == 0 || !safe(n) {
		return n
	}
	s := &SharedScan{Of: &Shared{Name: name, Root: n, Uses: 2, Kept: true}, Columns: n.Cols()}
	for _, c := range s.Columns {
		s.From = append(s.From, c.ID)
	}
	return s
}
