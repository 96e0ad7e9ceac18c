package engine

import (
	"context"
	"fmt"

	"github.com/cairndb/cairn/engine/event"
	"github.com/cairndb/cairn/engine/memtable"
)

// find looks for an event in everything a snapshot holds: same says that its very
// bytes are there, under seq; found that some event with its identity is.
//
// Only segments whose time range covers the event's time are asked, because the
// same bytes have the same time. A conflict with an event of quite another time
// is therefore not seen; it changes nothing, since conflicts are stored.
func (sn *snapshot) find(ctx context.Context, row *memtable.Row) (seq uint64, same, found bool, err error) {
	for i := len(sn.views) - 1; i >= 0; i-- {
		s, same, ok := sn.views[i].Find(row.ID, &row.Leaf)
		if same {
			return s, true, true, nil
		}
		if ok {
			seq, found = s, true
		}
	}
	for i := len(sn.segments) - 1; i >= 0; i-- {
		seg := sn.segments[i]
		if row.Time < seg.cat.MinTime || row.Time > seg.cat.MaxTime {
			continue
		}
		err := seg.findIdentity(ctx, row.ID, func(at int) (bool, error) {
			r, err := seg.reader(ctx)
			if err != nil {
				return false, err
			}
			rec, err := r.Record(ctx, at, nil)
			if err != nil {
				return false, fmt.Errorf("reading record %d: %w", seg.cat.First+uint64(at), err)
			}
			seq, found = seg.cat.First+uint64(at), true
			same = event.LeafHash(rec) == row.Leaf
			return !same, nil
		})
		if err != nil {
			return 0, false, false, fmt.Errorf("looking for duplicates: %w", err)
		}
		if same {
			return seq, true, true, nil
		}
	}
	return seq, false, found, nil
}
