package segment

import (
	"context"
	"fmt"
)

// Selection names rows of a segment: those of List, which must ascend, or when
// List is nil those from From (inclusive) to To (exclusive).
type Selection struct {
	List     []uint32
	From, To int
}

// Range selects the rows from (inclusive) to (exclusive).
func Range(from, to int) Selection { return Selection{From: from, To: to} }

// List selects rows by number; they must ascend.
func List(rows []uint32) Selection {
	if rows == nil {
		rows = []uint32{}
	}
	return Selection{List: rows}
}

// Len returns the number of selected rows.
func (s Selection) Len() int {
	if s.List != nil {
		return len(s.List)
	}
	return s.To - s.From
}

// row returns the i-th selected row.
func (s Selection) row(i int) int {
	if s.List != nil {
		return int(s.List[i])
	}
	return s.From + i
}

func (s Selection) check(rows int) error {
	if s.List == nil {
		if s.From < 0 || s.From > s.To || s.To > rows {
			return fmt.Errorf("rows %d to %d of a segment of %d rows", s.From, s.To, rows)
		}
		return nil
	}
	for i := 1; i < len(s.List); i++ {
		if s.List[i-1] >= s.List[i] {
			return fmt.Errorf("selected rows do not ascend: %d is followed by %d", s.List[i-1], s.List[i])
		}
	}
	if n := len(s.List); n > 0 && int(s.List[n-1]) >= rows {
		return fmt.Errorf("row %d of a segment of %d rows", s.List[n-1], rows)
	}
	return nil
}

// denseFrom: when this share (one in n) of the rows of a span is selected, its pages are decoded whole.
const denseFrom = 12

// dense reports whether the selection takes enough rows of those it spans.
func (s Selection) dense() bool {
	n := s.Len()
	if n < BlockRows/denseFrom {
		return false
	}
	return (s.row(n-1)-s.row(0)+1)/n < denseFrom
}

// Record appends the exact bytes of a record to dst.
func (r *Reader) Record(ctx context.Context, row int, dst []byte) ([]byte, error) {
	if row < 0 || row >= r.rows {
		return dst, fmt.Errorf("row %d of a segment of %d rows", row, r.rows)
	}
	sc, err := r.scanner(ctx, false)
	if err != nil {
		return dst, err
	}
	defer sc.close()
	if err := sc.enter(row / BlockRows); err != nil {
		return dst, err
	}
	sc.approach(row % BlockRows)
	sc.skipTo(row % BlockRows)
	return sc.record(dst)
}

// record appends the record at the present row, and goes on to the next.
func (sc *scanner) record(dst []byte) ([]byte, error) {
	s, passed, cursors := sc.s, sc.passed, sc.cursors
	sc.serial++
	for _, e := range s.shape(sc.shapes[sc.row]) {
		ed := &s.edges[e]
		dst = append(dst, s.text[ed.start:ed.end]...)
		if ed.to == 0 {
			break
		}
		column := ed.to - 1
		cu, n := cursors[column], passed[column]
		if cu != nil {
			if i := cu.off + n; i < cu.size {
				passed[column] = n + 1
				if cu.c.source {
					sc.taken[column] = sc.serial
				}
				t, k := &cu.all, i
				if !cu.c.plain() {
					if t, k = cu.whole, cu.flat[i]; t == nil {
						v, err := sc.entry(cu, k)
						if err != nil {
							return dst, err
						}
						dst = append(dst, v...)
						continue
					}
				}
				from := uint32(0)
				if k > 0 {
					from = t.ends[k-1]
				}
				dst = append(dst, t.data[from:t.ends[k]]...)
				continue
			}
		}
		v, err := sc.value(int(column), 0)
		if err != nil {
			return dst, err
		}
		dst = append(dst, v...)
		if passed[column]++; sc.d.columns[column].source {
			sc.taken[column] = sc.serial
		}
	}
	sc.row++
	return dst, nil
}

// Records calls fn with the exact bytes of each selected record, in order. rec
// is only valid during the call. An error of fn ends the run and is returned.
func (r *Reader) Records(ctx context.Context, sel Selection, fn func(row int, rec []byte) error) error {
	if err := sel.check(r.rows); err != nil {
		return err
	}
	n := sel.Len()
	if n == 0 {
		return nil
	}
	sc, err := r.scanner(ctx, sel.dense())
	if err != nil {
		return err
	}
	defer sc.close()
	var rec []byte
	for i := range n {
		row := sel.row(i)
		if row/BlockRows != sc.block {
			if err := sc.enter(row / BlockRows); err != nil {
				return err
			}
		}
		if at := row % BlockRows; at != sc.row {
			if !sc.dense {
				sc.approach(at)
			}
			sc.skipTo(at)
		}
		if rec, err = sc.record(rec[:0]); err != nil {
			return err
		}
		if err := fn(row, rec); err != nil {
			return err
		}
	}
	return nil
}
