package engine

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/cairndb/cairn/engine/event"
	"github.com/cairndb/cairn/index"
	"github.com/cairndb/cairn/segment"
)

// StoreInfo describes a store to those who may see it.
type StoreInfo struct {
	ID, Name string
	Schema   *event.Table
	Created  time.Time
}

// Stores returns the stores that the view shows, in order of their names.
func (v *View) Stores() []StoreInfo {
	var out []StoreInfo
	for _, s := range v.lake.Stores() {
		if v.sees(s) {
			out = append(out, StoreInfo{ID: s.ID(), Name: s.Name(), Schema: s.Schema(), Created: s.Created()})
		}
	}
	return out
}

// Limited reports whether events of some accounts are left out.
func (v *View) Limited() bool { return v.accounts != nil }

// store returns a store that the view shows. The error is that of a lake without the
// others.
func (v *View) store(nameOrID string) (*Store, error) {
	s := v.lake.storeCalled(nameOrID)
	if s != nil && v.sees(s) {
		return s, s.readable()
	}
	var names []string
	for _, s := range v.Stores() {
		names = append(names, s.Name)
	}
	if len(names) == 0 {
		return nil, failf(ErrNotFound, "there is no store %q, and no other that you may see", nameOrID)
	}
	return nil, failf(ErrNotFound, "there is no store %q; there are: %s", nameOrID, strings.Join(names, ", "))
}

// Whole returns a store that the view shows all events of, for what concerns a store
// as a whole: proofs, digests, exports with proofs, sizes. A store of which it shows a
// part is an [ErrRefused], since all of these tell how many events there are.
func (v *View) Whole(nameOrID string) (*Store, error) {
	s, err := v.store(nameOrID)
	if err != nil {
		return nil, err
	}
	if v.accounts != nil {
		return nil, failf(ErrRefused, "store %s is seen for some accounts only, and this concerns all of its events", s.Name())
	}
	return s, nil
}

// Query is [Lake.Query] over what the view shows.
func (v *View) Query(ctx context.Context, text string, args ...any) (*Rows, error) {
	return v.lake.query(ctx, v, text, args)
}

// Snapshot is [Lake.Snapshot] of what the view shows.
func (v *View) Snapshot() (*Snapshot, error) { return v.lake.momentOf(v) }

// LazySnapshot is [Lake.LazySnapshot] of what the view shows.
func (v *View) LazySnapshot() (*Snapshot, error) { return v.lake.lazyMomentOf(v) }

// Follow is [Lake.Follow] in one of the view's stores. The cursor's snapshots show what
// the view does.
func (v *View) Follow(nameOrID string) (*Tail, error) {
	s, err := v.store(nameOrID)
	if err != nil {
		return nil, err
	}
	return &Tail{store: s, view: v, next: s.Events()}, nil
}

// AppendTo is [Store.Append] to a store that may be appended to. Any other is an
// [ErrRefused] in the same words, whether there is such a store or not.
func (v *View) AppendTo(ctx context.Context, nameOrID string, records [][]byte) ([]Verdict, error) {
	s := v.lake.storeCalled(nameOrID)
	if s == nil && v.appendsToAll() {
		return nil, failf(ErrNotFound, "there is no store %q", nameOrID)
	}
	if s == nil || strings.EqualFold(s.Name(), AuditStore) || !names(v.scope.Append, s) {
		return nil, failf(ErrRefused, "there is no store %q that you may append to", nameOrID)
	}
	return s.Append(ctx, records)
}

func (v *View) appendsToAll() bool {
	for _, name := range v.scope.Append {
		if name == All {
			return true
		}
	}
	return false
}

// Record is [Store.Record] in one of the view's stores. A record of another account is
// not found, and the error does not tell it from one that does not exist.
func (v *View) Record(ctx context.Context, nameOrID string, seq uint64) ([]byte, error) {
	s, err := v.store(nameOrID)
	if err != nil {
		return nil, err
	}
	if v.accounts == nil {
		return s.Record(ctx, seq)
	}
	done, err := v.lake.begin()
	if err != nil {
		return nil, err
	}
	defer done()
	sn := s.snapshot()
	defer sn.release()
	visible, err := v.accounts.has(ctx, sn, seq)
	if err != nil {
		return nil, err
	}
	if !visible {
		return nil, failf(ErrNotFound, "store %s has no record %d that you may see", s.Name(), seq)
	}
	return sn.record(ctx, seq)
}

// has reports whether the accounts see an event of a snapshot.
func (a *accounts) has(ctx context.Context, sn *snapshot, seq uint64) (bool, error) {
	if seg := sn.segmentOf(seq); seg != nil {
		m, err := a.shown(ctx, sn, seg)
		return m.n > 0 && (m.rows == nil || m.rows.Contains(uint32(seq-seg.cat.First))), err
	}
	view := sn.viewOf(seq)
	if view == nil {
		return false, nil
	}
	chunks, err := view.Chunks(ctx)
	if err != nil {
		return false, err
	}
	at := int(seq - view.First())
	for _, c := range chunks {
		if at < c.From || at >= c.To {
			continue
		}
		m, err := a.shownIn(ctx, sn, view, c)
		return m.n > 0 && (m.rows == nil || m.rows.Contains(uint32(at-c.From))), err
	}
	return false, nil
}

// Stats is [Lake.Stats] of the view's stores. Of a store that is seen in part only the
// number and the times of visible events are told; figures of the whole lake are left
// out.
func (v *View) Stats(ctx context.Context) (*Stats, error) {
	done, err := v.lake.begin()
	if err != nil {
		return nil, err
	}
	defer done()
	out := &Stats{Format: FormatVersion}
	for _, s := range v.lake.Stores() {
		if !v.sees(s) {
			continue
		}
		var st *StoreStats
		if v.accounts == nil {
			st, err = s.stats(ctx, false, func() {})
		} else {
			st, err = v.part(ctx, s)
		}
		if err != nil {
			return nil, fmt.Errorf("reading the sizes of store %s: %w", s.Name(), err)
		}
		out.Stores = append(out.Stores, *st)
	}
	return out, nil
}

// part describes the part of a store that the view shows.
func (v *View) part(ctx context.Context, s *Store) (*StoreStats, error) {
	st := &StoreStats{ID: s.ID(), Name: s.Name(), Created: s.Created()}
	rows, err := v.Query(ctx, `SELECT count(*), min(eventtime), max(eventtime) FROM "`+s.Name()+`"`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	b, err := rows.Next()
	if err != nil {
		return nil, err
	}
	n, j := b.Cols[0].Leaf(0)
	st.Events = n.I64[j]
	for i, to := range []*time.Time{&st.First, &st.Last} {
		if c := b.Cols[i+1]; !c.IsNull(0) {
			leaf, j := c.Leaf(0)
			*to = time.UnixMicro(leaf.I64[j]).UTC()
		}
	}
	return st, nil
}

// Each calls fn with every record of a store that the view shows, in order of arrival:
// what an export takes out. record is valid during the call. It sees the store as it
// was when it began.
func (v *View) Each(ctx context.Context, nameOrID string, fn func(record []byte) error) error {
	s, err := v.store(nameOrID)
	if err != nil {
		return err
	}
	done, err := v.lake.begin()
	if err != nil {
		return err
	}
	defer done()
	sn := s.snapshot()
	defer sn.release()
	return v.accounts.eachRecord(ctx, sn, fn)
}

// eachRecord calls fn with the records of a snapshot that the accounts see.
func (a *accounts) eachRecord(ctx context.Context, sn *snapshot, fn func(record []byte) error) error {
	return a.eachNumbered(ctx, sn, 0, func(_ uint64, record []byte) error { return fn(record) })
}

// eachNumbered is eachRecord from a sequence number on, with sequence numbers.
func (a *accounts) eachNumbered(ctx context.Context, sn *snapshot, first uint64, fn func(seq uint64, record []byte) error) error {
	for _, seg := range sn.segments {
		if seg.cat.End() <= first {
			continue
		}
		m, err := a.shown(ctx, sn, seg)
		if err != nil {
			return err
		}
		if m.n == 0 {
			continue
		}
		r, err := seg.reader(ctx)
		if err != nil {
			return err
		}
		var told error
		give := func(row int, rec []byte) error {
			if seq := seg.cat.First + uint64(row); seq >= first {
				told = fn(seq, rec)
			}
			return told
		}
		var list []uint32
		for from := 0; from < r.Rows(); from += segment.BlockRows {
			to := min(from+segment.BlockRows, r.Rows())
			sel := segment.Range(from, to)
			if m.rows != nil {
				if list = index.RowsIn(list[:0], m.rows, uint32(from), uint32(to)); len(list) == 0 {
					continue
				}
				sel = segment.List(list)
			}
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := r.Records(ctx, sel, give); err != nil {
				if told != nil {
					return told
				}
				return seg.fault(fmt.Errorf("reading records: %w", err))
			}
		}
	}
	for _, v := range sn.views {
		chunks, err := v.Chunks(ctx)
		if err != nil {
			return err
		}
		for _, c := range chunks {
			m, err := a.shownIn(ctx, sn, v, c)
			if err != nil {
				return err
			}
			for i, row := range v.Rows()[c.From:c.To] {
				if m.n == 0 || m.rows != nil && !m.rows.Contains(uint32(i)) {
					continue
				}
				seq := v.First() + uint64(c.From+i)
				if seq < first {
					continue
				}
				if err := fn(seq, row.Raw); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
