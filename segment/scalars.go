package segment

import (
	"context"
	"fmt"
	"math"
	"sync"

	"github.com/cairndb/cairn/segment/column"
)

// entryTimes are the timestamps of the entries of a dictionary.
type entryTimes struct {
	dict  *column.Vector
	micro []int64
	null  []bool
}

// Timestamps returns the texts at p as timestamps. Canonical
// YYYY-MM-DDTHH:MM:SSZ needs no parsing; all other text is given to parse, which may be
// nil. What it refuses, null and absent are NULL. All calls on one reader must give
// the same parse, for its answers are kept with dictionaries.
func (r *Reader) Timestamps(ctx context.Context, p PathID, sel Selection, parse func(string) (micros int64, ok bool)) (*column.Vector, error) {
	if err := sel.check(r.rows); err != nil {
		return nil, err
	}
	if d, c, err := r.timeColumn(ctx, p); err != nil {
		return nil, err
	} else if c != nil && c.encoding == encPlain {
		if v, err := r.keptTimes(ctx, p, sel, d, c); v != nil || err != nil {
			return v, err
		}
	}
	// To unpack the times of a block for fewer rows costs more than to read their texts.
	if sel.Len() > fewRows*sel.blocks() {
		if v, err := r.storedTimes(ctx, p, sel); v != nil || err != nil {
			return v, err
		}
	}
	text, err := r.Text(ctx, p, sel)
	if err != nil {
		return nil, err
	}
	out := column.New(column.TimestampType, text.Len)
	one := func(s string) (int64, bool) {
		if sec, ok := parseTime([]byte(s)); ok {
			return sec * 1e6, true
		}
		if parse == nil {
			return 0, false
		}
		return parse(s)
	}
	if text.Dict == nil {
		for i, s := range text.Str {
			micros, ok := one(s)
			if out.I64[i] = micros; !ok || text.Nulls.Get(i) {
				out.SetNull(i)
			}
		}
		return out, nil
	}
	k := r.key(cachedTimes, uint32(p))
	et, _ := r.cache.get(k).(*entryTimes)
	if et == nil || et.dict != text.Dict {
		n := text.Dict.Len
		et = &entryTimes{dict: text.Dict, micro: make([]int64, n), null: make([]bool, n)}
		for i, s := range text.Dict.Str {
			micros, ok := one(s)
			et.micro[i], et.null[i] = micros, !ok || text.Dict.Nulls.Get(i)
		}
		r.cache.replace(k, et, int64(n)*9)
	}
	for i, c := range text.Codes {
		out.I64[i] = et.micro[c]
		if et.null[c] {
			out.SetNull(i)
		}
	}
	return out, nil
}

// storedTimes answers Timestamps for a column kept as times; nil when there is none.
func (r *Reader) storedTimes(ctx context.Context, p PathID, sel Selection) (*column.Vector, error) {
	d, c, err := r.timeColumn(ctx, p)
	if err != nil || c == nil || c.encoding != encPlain {
		return nil, err
	}
	pl, err := r.simplePlan(ctx, p)
	if err != nil {
		return nil, err
	}
	out := column.New(column.TimestampType, sel.Len())
	t := blockTimesPool.Get().(*blockTimes)
	defer t.done()
	block := -1
	var shapes []uint16
	var row int
	var next uint32
	for i := 0; i < sel.Len(); i++ {
		at := sel.row(i)
		if at/BlockRows != block {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			block = at / BlockRows
			if !pl.full {
				if shapes, err = r.rowShapes(ctx, d, block); err != nil {
					return nil, err
				}
			}
			if err := t.read(ctx, r, d, c, block); err != nil {
				return nil, err
			}
			row, next = 0, 0
		}
		at -= block * BlockRows
		if pl.full {
			n := 1
			if sel.List == nil {
				n = min(len(t.sec)-at, sel.Len()-i)
			}
			for k, sec := range t.sec[at : at+n] {
				out.I64[i+k] = sec * 1e6
			}
			i += n - 1
			continue
		}
		for _, s := range shapes[row:at] {
			next += pl.variant[s]
		}
		row = at
		if n := len(shapes); sel.List == nil && at == 0 && len(t.sec) == n && sel.Len()-i >= n {
			// A whole row block without gaps.
			for k, sec := range t.sec {
				out.I64[i+k] = sec * 1e6
			}
			i += n - 1
			row, next = n, uint32(n)
			continue
		}
		if pl.variant[shapes[at]] == 0 {
			out.SetNull(i)
			continue
		}
		if int(next) >= len(t.sec) {
			return nil, r.damaged(d.block(d.columns[pl.columns[0]].page), fmt.Errorf("times of %s: %w", d.name(c), errShape))
		}
		out.I64[i] = t.sec[next] * 1e6
	}
	return out, nil
}

// blockTimes are the seconds of a time column in one row block.
type blockTimes struct {
	sec     []int64
	page    valuesPage
	from    uint32 // values of the open page
	to      uint32
	ints    *intsPage
	release func()
}

func (t *blockTimes) read(ctx context.Context, r *Reader, d *directory, c *dirColumn, b int) error {
	det := d.detail(c)
	starts := d.groups[det.group]
	at, end := starts[b], starts[b+1]
	t.sec = sized(t.sec, int(end-at))
	for out := t.sec; len(out) > 0; {
		if at < t.from || at >= t.to {
			k, first := pageOf(det.ends, at)
			t.close()
			page, release, err := r.page(ctx, d, c.page+uint32(k))
			if err != nil {
				return err
			}
			t.release, t.from, t.to = release, first, det.ends[k]
			if err = t.page.open(page, int(t.to-t.from)); err == nil {
				if t.ints = t.page.times(); t.ints == nil {
					err = errPage
				}
			}
			if err != nil {
				return r.damaged(d.block(c.page+uint32(k)), fmt.Errorf("times of %s: %w", d.name(c), err))
			}
		}
		n := min(len(out), int(t.to-at))
		t.ints.read(out[:n], int(at-t.from))
		out, at = out[n:], at+uint32(n)
	}
	return nil
}

var blockTimesPool = sync.Pool{New: func() any { return new(blockTimes) }}

// done closes the page and gives the memory back.
func (t *blockTimes) done() {
	t.close()
	*t = blockTimes{sec: t.sec[:0]}
	blockTimesPool.Put(t)
}

func (t *blockTimes) close() {
	if t.release != nil {
		t.release()
		t.release = nil
	}
	t.from, t.to = 0, 0
}

// timeColumn returns the one column at p if all values there are canonical times.
func (r *Reader) timeColumn(ctx context.Context, p PathID) (*directory, *dirColumn, error) {
	d, err := r.directory(ctx)
	if err != nil {
		return nil, nil, err
	}
	if p&invented != 0 || int(p) >= len(d.parent) || !d.simple(uint32(p)) {
		return d, nil, nil
	}
	from, to := d.columnsAt(uint32(p))
	if to-from != 1 || d.columns[from].flags&columnTimes == 0 || d.columns[from].encoding == encTiny {
		return d, nil, nil
	}
	return d, &d.columns[from], nil
}

// TimeBounds returns the smallest and largest timestamp at p, in microseconds since 1970, from the
// directory; ok is false when not all values are canonical times, and when there are too few for
// bounds to be kept.
func (r *Reader) TimeBounds(ctx context.Context, p PathID) (min, max int64, ok bool, err error) {
	d, c, err := r.timeColumn(ctx, p)
	if err != nil || c == nil || c.flags&columnBounds == 0 {
		return 0, 0, false, err
	}
	det := d.detail(c)
	return det.from * 1e6, det.to * 1e6, true, nil
}

// AllTimes reports whether every row has a canonical time at p. It may be false for small segments
// that have.
func (r *Reader) AllTimes(ctx context.Context, p PathID) (bool, error) {
	_, c, err := r.timeColumn(ctx, p)
	return err == nil && c != nil && int(c.n) == r.rows, err
}

// TimeRange are two timestamps in microseconds since 1970; Min is above Max where there is no time at all.
type TimeRange struct{ Min, Max int64 }

// BlockTimes returns the smallest and largest timestamp at p of every [BlockRows] rows; ok is false
// when not all values are canonical times in pages of their own. The pages are read when this is
// first asked; what they say is kept in the cache. It must not be changed.
func (r *Reader) BlockTimes(ctx context.Context, p PathID) (times []TimeRange, ok bool, err error) {
	k := r.key(cachedBlockTimes, uint32(p))
	if times, ok = r.cache.get(k).([]TimeRange); ok {
		return times, true, nil
	}
	for from := 0; from < r.rows; from += BlockRows {
		v, err := r.storedTimes(ctx, p, Range(from, min(from+BlockRows, r.rows)))
		if v == nil || err != nil {
			return nil, false, err
		}
		t := TimeRange{Min: math.MaxInt64, Max: math.MinInt64}
		for i, micros := range v.I64 {
			if !v.Nulls.Get(i) {
				t.Min, t.Max = min(t.Min, micros), max(t.Max, micros)
			}
		}
		times = append(times, t)
	}
	return r.cache.put(k, times, int64(16*len(times))).([]TimeRange), true, nil
}

// Bools returns the booleans at p. The strings true and false count as well;
// everything else is NULL.
func (r *Reader) Bools(ctx context.Context, p PathID, sel Selection) (*column.Vector, error) {
	text, err := r.Text(ctx, p, sel)
	if err != nil {
		return nil, err
	}
	out := column.New(column.BooleanType, text.Len)
	set := func(i int, s string, null bool) {
		switch {
		case null:
			out.SetNull(i)
		case s == "true":
			out.I64[i] = 1
		case s != "false":
			out.SetNull(i)
		}
	}
	if text.Dict == nil {
		for i, s := range text.Str {
			set(i, s, text.Nulls.Get(i))
		}
		return out, nil
	}
	for i, c := range text.Codes {
		set(i, text.Dict.Str[c], text.Dict.Nulls.Get(int(c)))
	}
	return out, nil
}
