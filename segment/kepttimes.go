package segment

import (
	"context"
	"math"

	"github.com/cairndb/cairn/segment/column"
)

// keptSeconds are the times of all rows of a block, of which each has one: four bytes a row,
// kept from the second time on that the block's times are read.
type keptSeconds struct {
	from  int64
	after []uint32
}

// keptTimes answers Timestamps where the times of the blocks are kept, or are from now on; nil where
// they are not. d and c are what timeColumn gave.
func (r *Reader) keptTimes(ctx context.Context, p PathID, sel Selection, d *directory, c *dirColumn) (*column.Vector, error) {
	n := sel.Len()
	if n == 0 || int(c.n) != r.rows {
		return nil, nil
	}
	var out *column.Vector
	for at := 0; at < n; {
		b := sel.row(at) / BlockRows
		kept, err := r.keptBlockTimes(ctx, p, d, c, b)
		if kept == nil || err != nil {
			return nil, err
		}
		if out == nil {
			out = column.New(column.TimestampType, n)
		}
		base, micros := b*BlockRows, kept.from*1e6
		if sel.List == nil {
			first := sel.row(at) - base
			part := kept.after[first:min(len(kept.after), first+n-at)]
			for i, s := range part {
				out.I64[at+i] = micros + int64(s)*1e6
			}
			at += len(part)
			continue
		}
		for ; at < n && int(sel.List[at])/BlockRows == b; at++ {
			out.I64[at] = micros + int64(kept.after[int(sel.List[at])-base])*1e6
		}
	}
	return out, nil
}

func (r *Reader) keptBlockTimes(ctx context.Context, p PathID, d *directory, c *dirColumn, b int) (*keptSeconds, error) {
	k := r.key(cachedSeconds, uint32(p))
	k.part = uint32(b)
	if kept, ok := r.cache.get(k).(*keptSeconds); ok {
		if kept.after == nil {
			return nil, nil
		}
		return kept, nil
	}
	if !r.cache.roomForScans() || !r.cache.again(k) {
		return nil, nil
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	t := blockTimesPool.Get().(*blockTimes)
	defer t.done()
	if err := t.read(ctx, r, d, c, b); err != nil {
		return nil, err
	}
	kept := new(keptSeconds)
	first, last := int64(math.MaxInt64), int64(math.MinInt64)
	for _, sec := range t.sec {
		first, last = min(first, sec), max(last, sec)
	}
	if rows := min(r.rows-b*BlockRows, BlockRows); len(t.sec) == rows && last-first <= math.MaxUint32 {
		kept.from, kept.after = first, make([]uint32, rows)
		for i, sec := range t.sec {
			kept.after[i] = uint32(sec - first)
		}
	}
	kept = r.cache.put(k, kept, int64(4*len(kept.after))+32).(*keptSeconds)
	if kept.after == nil {
		return nil, nil
	}
	return kept, nil
}

// RowRange are the rows from From (inclusive) to To (exclusive).
type RowRange struct{ From, To int }

// TimeRows appends to dst, ascending, the rows whose timestamp at p may lie between two, both inclusive, in
// microseconds since 1970: blocks of rows that have such times, and of those that the bounds cut only the rows,
// when their times are kept. ok is false when not all values are canonical times in pages of their own.
func (r *Reader) TimeRows(ctx context.Context, p PathID, from, to int64, dst []RowRange) (_ []RowRange, ok bool, err error) {
	times, ok, err := r.BlockTimes(ctx, p)
	if err != nil || !ok {
		return dst, false, err
	}
	d, c, err := r.timeColumn(ctx, p)
	if err != nil || c == nil {
		return dst, false, err
	}
	add := func(from, to int) {
		if n := len(dst); n > 0 && dst[n-1].To == from {
			dst[n-1].To = to
			return
		}
		dst = append(dst, RowRange{from, to})
	}
	for b, t := range times {
		if t.Max < from || t.Min > to {
			continue
		}
		base := b * BlockRows
		end := min(base+BlockRows, r.rows)
		if t.Min >= from && t.Max <= to || int(c.n) != r.rows {
			add(base, end)
			continue
		}
		kept, err := r.keptBlockTimes(ctx, p, d, c, b)
		if err != nil {
			return dst, false, err
		}
		if kept == nil {
			add(base, end)
			continue
		}
		first, last := kept.between(from, to)
		for i, s := range kept.after {
			if at := int64(s); at >= first && at <= last {
				add(base+i, base+i+1)
			}
		}
	}
	return dst, true, nil
}

// between returns what a row has after from, at least and at most, when its time lies between two.
func (k *keptSeconds) between(from, to int64) (first, last int64) {
	return ceilSeconds(from) - k.from, floorSeconds(to) - k.from
}

// BlockTimeRows appends to dst, ascending, the rows of row block b whose timestamp at p lies between two, both inclusive,
// in microseconds since 1970. ok is false when they are not known: where a row may have none, and
// while the times of the block are not kept.
func (r *Reader) BlockTimeRows(ctx context.Context, p PathID, b int, from, to int64, dst []uint32) (_ []uint32, ok bool, err error) {
	d, c, err := r.timeColumn(ctx, p)
	if err != nil || c == nil || c.encoding != encPlain || int(c.n) != r.rows {
		return dst, false, err
	}
	kept, err := r.keptBlockTimes(ctx, p, d, c, b)
	if err != nil || kept == nil {
		return dst, false, err
	}
	first, last := kept.between(from, to)
	for i, s := range kept.after {
		if at := int64(s); at >= first && at <= last {
			dst = append(dst, uint32(b*BlockRows+i))
		}
	}
	return dst, true, nil
}

// floorSeconds and ceilSeconds are the last second up to a time, and the first from it on.
func floorSeconds(micros int64) int64 {
	if rest := micros % 1e6; rest < 0 {
		return micros/1e6 - 1
	}
	return micros / 1e6
}

func ceilSeconds(micros int64) int64 {
	if rest := micros % 1e6; rest > 0 {
		return micros/1e6 + 1
	}
	return micros / 1e6
}
