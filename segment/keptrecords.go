package segment

import (
	"context"

	"github.com/cairndb/cairn/segment/column"
)

// Rebuilding a record opens a page for each of its values, a hundred times the work of
// handing it out. So records that few are asked for at a time are kept as they were rebuilt:
// what the page cache of a row store does for it. They are found by reader and row, and go with the
// reader; which rows somebody may see is decided before rows are asked for.

const (
	// recordsShare is the part of the cache that records may fill.
	recordsShare = 4
	// keptRecordRows is how many records may be asked for at once to be looked for in
	// the cache: many rows together share the work of opening pages.
	keptRecordRows = 1024
	// keptRecordShare is the part of the records' share that one may fill.
	keptRecordShare = 64
)

// KeptRecords is [Reader.Raw] of [Root] for a few rows: records in the cache are given without a
// copy, the others are rebuilt, and kept if keep is set. A reader of very many rows should not
// set it, so that those that are asked for again stay.
func (r *Reader) KeptRecords(ctx context.Context, sel Selection, keep bool) (*column.Vector, error) {
	n := sel.Len()
	if n == 0 || n > keptRecordRows {
		return r.Raw(ctx, Root, sel)
	}
	if err := sel.check(r.rows); err != nil {
		return nil, err
	}
	out := make([]string, n)
	missing := r.cache.records(r.number, sel, out)
	switch {
	case len(missing) == 0:
		return &column.Vector{Type: column.JSONType, Len: n, Str: out}, nil
	case !keep && len(missing) == n:
		return r.Raw(ctx, Root, sel)
	}
	rest := Selection{List: missing}
	if len(missing) == n {
		rest = sel
	}
	at := 0
	err := r.Records(ctx, rest, func(row int, rec []byte) error {
		for sel.row(at) != row {
			at++
		}
		out[at] = string(rec)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if keep {
		r.cache.keepRecords(r.number, sel, rest, out)
	}
	return &column.Vector{Type: column.JSONType, Len: n, Str: out}, nil
}

// records fills out with the selected records of a reader that are kept, and lists the rows of the others.
func (c *Cache) records(reader uint64, sel Selection, out []string) (missing []uint32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	k := cacheKey{reader: reader, what: cachedRecord}
	for i := range out {
		k.number = uint32(sel.row(i))
		if e := c.mu.entries[k]; e != nil {
			c.mu.hits++
			c.touch(e)
			out[i] = e.value.(string)
			continue
		}
		c.mu.misses++
		if missing == nil {
			missing = make([]uint32, 0, len(out)-i)
		}
		missing = append(missing, k.number)
	}
	return missing
}

// keepRecords puts those of the selected records into the cache that rest names.
func (c *Cache) keepRecords(reader uint64, sel, rest Selection, recs []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	k := cacheKey{reader: reader, what: cachedRecord}
	at := 0
	for i := range rest.Len() {
		row := rest.row(i)
		for sel.row(at) != row {
			at++
		}
		k.number = uint32(row)
		rec := recs[at]
		if int64(len(rec)) > c.limit/recordsShare/keptRecordShare || c.mu.entries[k] != nil {
			continue
		}
		c.add(&cacheEntry{key: k, value: rec, size: int64(len(rec)) + entryOverhead})
	}
}
