package pg

import (
	"encoding/binary"
	"io"
	"math"
	"slices"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/sqlerr"
)

// scrolling is what a cursor declared SCROLL keeps: all rows that were read so far, which count among
// those that a session may hold (heldMax).
type scrolling struct {
	batches []*column.Batch
	ends    []int64 // the number of the last row of each batch; the first row has number 1
	// pos is the row that the cursor stands on, 0 before the first, one more than there are behind the last.
	pos int64
}

// total is the number of rows that were read.
func (k *scrolling) total() int64 {
	if len(k.ends) == 0 {
		return 0
	}
	return k.ends[len(k.ends)-1]
}

// row finds a row by its number.
func (k *scrolling) row(n int64) (*column.Batch, int) {
	i, _ := slices.BinarySearch(k.ends, n)
	b := k.batches[i]
	return b, b.Len - 1 - int(k.ends[i]-n)
}

// readTo reads rows of a scrolling cursor until there is one of this number, or no more.
func (s *session) readTo(p *portal, n int64) error {
	k := p.scroll
	for k.total() < n && !p.done {
		b, err := p.rows.Next()
		if err == io.EOF {
			_ = p.rows.Close()
			p.rows, p.done = nil, true
			return nil
		}
		if err != nil {
			p.close()
			return err
		}
		b = carried(b, p.columns)
		k.batches, k.ends = append(k.batches, b), append(k.ends, k.total()+int64(b.Len))
		p.all = &s.c.l.held
		held := batchBytes(b)
		p.held += held
		p.all.Add(held)
		var mine int64
		for _, o := range s.portals {
			mine += o.held
		}
		if mine > heldMax || s.c.l.held.Load() > heldByAll {
			p.close()
			return sqlerr.New(sqlerr.OutOfMemory, sqlerr.Pos{}, "the rows that a cursor with SCROLL keeps, with other results read in parts, need more than %d MB", heldMax>>20).
				WithHint("declare it NO SCROLL, or select fewer columns or rows")
		}
	}
	return nil
}

// scroll runs FETCH and MOVE on a cursor declared SCROLL.
func (s *session) scroll(c *command, own, p *portal, simple bool) error {
	return s.within(p, func() error {
		if p.rows == nil && !p.done {
			if err := s.start(p); err != nil {
				return err
			}
		}
		from, to, step, err := s.target(c, p)
		if err != nil {
			return err
		}
		formats := p.formats
		if !p.binary {
			formats = own.formats
		}
		if c.verb == verbFetch && simple {
			s.sendColumns(p.columns, formats)
		}
		n := int64(0)
		if from > 0 && (to-from)*step >= 0 {
			n = (to-from)*step + 1
		}
		if c.verb == verbMove {
			s.complete(rowsTag("MOVE", n))
			return nil
		}
		before := s.w.sent + int64(len(s.w.out))
		for i := range n {
			b, at := p.scroll.row(from + i*step)
			s.sendRow(b, at, formats)
			if len(s.w.out) >= outFull {
				if err := s.w.flush(); err != nil {
					return errTerminate
				}
			}
		}
		s.stats.rows, s.stats.bytes = s.stats.rows+n, s.stats.bytes+s.w.sent+int64(len(s.w.out))-before
		s.complete(rowsTag("FETCH", n))
		return nil
	})
}

// target moves a scrolling cursor, and returns the rows that it passes on its way, which are those that FETCH
// gives: from 0 when there are none.
func (s *session) target(c *command, p *portal) (from, to, step int64, err error) {
	k, count, direction := p.scroll, c.count, c.direction
	if direction == relative {
		switch {
		case count == 0:
			direction = forward
		case count > 0 && count > math.MaxInt64-k.pos:
			direction, count = absolute, math.MaxInt64
		case count < 0 && k.pos+count < 1:
			direction, count = absolute, 0
		default:
			direction, count = absolute, k.pos+count
		}
	}
	if count == 0 && direction != absolute { // the row that it stands on, once more
		if k.pos >= 1 && k.pos <= k.total() {
			return k.pos, k.pos, 1, nil
		}
		return 0, 0, 1, nil
	}
	switch direction {
	case backward:
		at := k.pos
		if k.pos = 0; count < at {
			k.pos = at - count
		}
		if at <= 1 {
			return 0, 0, -1, nil
		}
		return at - 1, max(1, k.pos), -1, nil
	case absolute:
		if count < 0 {
			if err := s.readTo(p, math.MaxInt64); err != nil {
				return 0, 0, 1, err
			}
			count = max(0, k.total()+1+count)
		} else if err := s.readTo(p, count); err != nil {
			return 0, 0, 1, err
		}
		if k.pos = min(count, k.total()+1); k.pos != count || count == 0 {
			return 0, 0, 1, nil
		}
		if count > k.total() {
			return 0, 0, 1, nil
		}
		return count, count, 1, nil
	}
	first, last := k.pos+1, int64(math.MaxInt64)
	if count < last-k.pos {
		last = k.pos + count
	}
	if err := s.readTo(p, last); err != nil {
		return 0, 0, 1, err
	}
	if k.pos = last; last > k.total() {
		last, k.pos = k.total(), k.total()+1
	}
	if first > last {
		return 0, 0, 1, nil
	}
	return first, last, 1, nil
}

// sendRow sends a row.
func (s *session) sendRow(b *column.Batch, at int, formats []int16) {
	w := s.w
	m := w.begin('D')
	w.out = binary.BigEndian.AppendUint16(w.out, uint16(len(b.Cols)))
	for k, v := range b.Cols {
		w.out = appendValue(w.out, v, at, formatOf(formats, k), s.settings.loc)
	}
	w.finish(m)
}
