package exec

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/plan"
)

// ExplainColumns describes the result of EXPLAIN.
func ExplainColumns() []plan.Output {
	return []plan.Output{{Name: "plan", Type: column.VarcharType}}
}

// explain makes the rows of EXPLAIN: the plan as text, a line each. With
// ANALYZE the query runs first, in the background like any other.
func (r *Rows) explain(p *plan.Plan, c compiled) (*Rows, error) {
	r.columns = ExplainColumns()
	go func() {
		var err error
		if p.Analyze {
			err = r.drive(c.op, len(p.Root.Cols()), func(*column.Batch) error { return nil })
		}
		if err == nil {
			text := r.text(p, c)
			b := &column.Batch{Len: len(text), Cols: []*column.Vector{{Type: column.VarcharType, Len: len(text), Str: text}}}
			select {
			case r.queue <- b:
			case <-r.q.ctx.Done():
				err = canceledBy(r.q.ctx.Err())
			}
		}
		r.finish(err)
	}()
	return r, nil
}

// text writes the plan, what its scans leave out, and with ANALYZE what every
// step has cost.
func (r *Rows) text(p *plan.Plan, c compiled) []string {
	var lines []string
	shown, items := map[*plan.SubPlan]bool{}, map[*plan.Shared]bool{}
	var walk func(n plan.Node, made map[plan.Node]operator, depth int)
	walk = func(n plan.Node, made map[plan.Node]operator, depth int) {
		if p, ok := n.(*plan.Project); ok && p.Narrows {
			walk(p.Input, made, depth)
			return
		}
		indent := strings.Repeat("  ", depth)
		op := made[n]
		head := plan.Describe(n)
		if top, ok := op.(*topScanOp); ok {
			head[0] += fmt.Sprintf(" (positions of the best %d rows, other columns read at the end)", top.spec.wanted)
		}
		if agg, ok := op.(*aggregateOp); ok && agg.byCounts {
			head[0] += " (from stored counts where a segment has them)"
		}
		if p.Analyze {
			head[0] += "  " + measured(statsOf(op))
		}
		lines = append(lines, indent+head[0])
		for _, l := range head[1:] {
			lines = append(lines, indent+"    "+l)
		}
		if agg, ok := op.(*aggregateOp); ok && agg.stored != nil && agg.scan.scan != nil {
			if told := agg.stored.told(r.q, agg.scan, agg.byCounts, agg.counted, p.Analyze); told != "" {
				lines = append(lines, indent+"    "+told)
			}
		}
		if scan, ok := op.(*scanOp); ok && scan.scan != nil {
			for _, l := range scanned(scan, p.Analyze) {
				lines = append(lines, indent+"    "+l)
			}
		}
		if k, ok := op.(*seekOp); ok {
			lines = append(lines, indent+"    found by "+k.how.String())
		}
		if j, ok := op.(*joinOp); ok && j.told != "" {
			lines = append(lines, indent+"    "+j.told)
		}
		if top, ok := op.(*topScanOp); ok {
			// The scan is part of this operator.
			made[n.Inputs()[0]] = top.scan
		}
		plan.Subqueries(n, func(s *plan.Subquery) {
			state := r.q.all.subs[s.Sub]
			if shown[s.Sub] || state == nil {
				return
			}
			shown[s.Sub] = true
			run := state.shown()
			lines = append(lines, indent+"    "+state.describe())
			walk(run.root, run.made, depth+3)
		})
		if use, ok := n.(*plan.SharedScan); ok && !items[use.Of] {
			items[use.Of] = true
			run := r.q.all.items[use.Of].run
			walk(run.root, run.made, depth+1)
		}
		for _, in := range n.Inputs() {
			walk(in, made, depth+1)
		}
	}
	walk(p.Root, c.made, 0)
	if p.Postgres {
		lines[0] += "  " + costed(p)
	}
	if p.Analyze {
		s := r.Stats()
		var bytes int64
		for _, scan := range r.scans {
			bytes += scan.stored()
		}
		lines = append(lines, fmt.Sprintf("total: %s, %d bytes read, %d bytes of memory at the peak, %d workers",
			s.Elapsed.Round(time.Microsecond), bytes, s.PeakMemory, r.q.workers))
		if s.Spilled > 0 {
			lines = append(lines, fmt.Sprintf("spilled: %d bytes in %d temporary files, %d bytes at once", s.Spilled, r.q.space.Files(), r.q.space.Peak()))
		}
	}
	return lines
}

// costed writes about how many rows a plan gives, as Postgres does. postgres_fdw reads it
// to choose between plans: its costs count rows, so that more of them cost more.
func costed(p *plan.Plan) string {
	rows := max(1, plan.EstimateRows(p.Root))
	width := 0
	for _, c := range p.Root.Cols() {
		switch c.Type.Payload() {
		case column.PayloadI64, column.PayloadF64:
			width += 8
		default:
			width += 32 // a short text
		}
	}
	return fmt.Sprintf("(cost=0.00..%d.00 rows=%d width=%d)", rows, rows, width)
}

func measured(s *opStats) string {
	return fmt.Sprintf("[%d rows, %d batches, %s]", s.rows.Load(), s.batches.Load(),
		time.Duration(s.nanos.Load()).Round(time.Microsecond))
}

// scanned tells what a scan reads and what it need not.
func scanned(op *scanOp, ran bool) []string {
	p := op.pruned()
	out := slices.Clone(op.told)
	if p.Segments > 0 {
		line := fmt.Sprintf("segments: %d of %d (left out: %d by time, %d by filter",
			p.Segments-p.SegmentsByTime-p.SegmentsByFilter-p.SegmentsUnasked, p.Segments, p.SegmentsByTime, p.SegmentsByFilter)
		if p.SegmentsUnasked > 0 {
			line += fmt.Sprintf(", %d since others have better rows", p.SegmentsUnasked)
		}
		out = append(out, line+")")
	}
	out = append(out, fmt.Sprintf("rows: %d of %d (left out by bitmap: %d), not yet in a segment: %d",
		p.Rows-p.RowsByBitmap, p.Rows, p.RowsByBitmap, p.MemtableRows))
	if len(p.Columns) > 0 {
		out = append(out, "columns: "+strings.Join(p.Columns, ", "))
	}
	if ran {
		out = append(out, fmt.Sprintf("read: %d bytes", op.stored()))
	}
	return out
}
