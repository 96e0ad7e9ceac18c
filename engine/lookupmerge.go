package engine

import (
	"container/heap"
	"context"
	"fmt"
	"math"
	"runtime"
	"slices"
	"sort"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/cairndb/cairn/engine/event"
	"github.com/cairndb/cairn/engine/memtable"
	"github.com/cairndb/cairn/engine/retention"
	"github.com/cairndb/cairn/segment"
	"github.com/cairndb/cairn/segment/column"
)

// How a lookup is answered. Every unit gives the rows that meet the request from the newest to the
// oldest, and a heap merges the units, those that have not been looked into standing in it
// with the newest time that they can have: so what is older than the page is not opened.
// Candidates are read, compared with the request, and counted once, until the page is full.

// lookupUnit is a segment or a chunk of a memtable.
type lookupUnit struct {
	snap  *snapshot
	seg   *sealed // nil for a chunk
	keep  *segment.Owner
	chunk *segment.Reader
	first uint64
	rows  int
	mine  *roaring.Bitmap // the rows that are seen; nil for all

	tried bool  // it was opened
	some  bool  // and may have events for the request
	err   error // or could not be
	met   bool  // next is that of an event
	next  place // of the next event, or a bound of it
	row   int   // of the next event
	order *timeOrder
	rank  int        // of the event after the next
	lists [][]uint16 // of ranks, all of which have to have a rank
	at    []int      // how far each list is used up
}

func (u *lookupUnit) reader(ctx context.Context) (*segment.Reader, error) {
	if u.seg != nil {
		return u.seg.reader(ctx)
	}
	return u.chunk, nil
}

func (u *lookupUnit) fault(err error) error {
	if u.seg != nil {
		return u.seg.fault(err)
	}
	return err
}

// lookupHeap has the unit on top whose next event comes first in the results.
type lookupHeap []*lookupUnit

func (h lookupHeap) Len() int           { return len(h) }
func (h lookupHeap) Less(i, j int) bool { return h[j].next.after(h[i].next) }
func (h lookupHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *lookupHeap) Push(x any)        { *h = append(*h, x.(*lookupUnit)) }
func (h *lookupHeap) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}

// lookupRow is a row that meets the request as far as indexes tell.
type lookupRow struct {
	place
	unit *lookupUnit
	row  int
}

func (k *lookup) run(ctx context.Context) (*LookupResult, error) {
	var h lookupHeap
	for _, sn := range k.snaps {
		if err := k.gather(ctx, sn, &h); err != nil {
			return nil, fmt.Errorf("looking up events in store %s: %w", sn.store.Name(), err)
		}
	}
	heap.Init(&h)
	out := &LookupResult{Events: []LookupEvent{}}
	var last place
	for {
		// One more than a page, to know whether there is a next one.
		list, err := k.candidates(ctx, &h, k.limit+1-len(out.Events))
		if err != nil {
			return nil, err
		}
		if len(list) == 0 {
			return out, nil
		}
		found, err := k.read(ctx, list)
		if err != nil {
			return nil, err
		}
		for i := range found {
			if found[i].Record == nil {
				continue // was none after all
			}
			if len(out.Events) == k.limit {
				out.Next = k.token(last)
				return out, nil
			}
			last = list[i].place
			if k.accounts != nil {
				found[i].Seq = 0
			}
			out.Events = append(out.Events, found[i])
		}
	}
}

// gather adds the units of a snapshot that can have events for the request.
func (k *lookup) gather(ctx context.Context, sn *snapshot, h *lookupHeap) error {
	store := sn.store.rec.Number
	outside := func(lo, hi int64) bool {
		return hi < k.from || lo > k.to || sn.horizon.Of(lo, hi) == retention.All || lo > k.before.time
	}
	bound := func(hi int64) place {
		return place{time: min(hi, k.to, k.before.time), store: store, seq: math.MaxUint64}
	}
	for _, seg := range sn.segments {
		if outside(seg.cat.MinTime, seg.cat.MaxTime) {
			continue
		}
		if maybe, err := k.mayHave(seg); err != nil {
			return err
		} else if !maybe {
			continue
		}
		m, err := k.accounts.mine(ctx, seg)
		if err != nil {
			return err
		}
		if m.n > 0 {
			*h = append(*h, &lookupUnit{snap: sn, seg: seg, keep: seg.derived, first: seg.cat.First, rows: int(seg.cat.Rows), mine: m.rows, next: bound(seg.cat.MaxTime)})
		}
	}
	for _, v := range sn.views {
		if lo, hi := v.Times(); outside(lo, hi) {
			continue
		}
		chunks, err := v.Chunks(ctx)
		if err != nil {
			return err
		}
		for _, c := range chunks {
			if outside(c.MinTime, c.MaxTime) {
				continue
			}
			m, err := k.accounts.mineIn(ctx, sn.store.schema, c)
			if err != nil {
				return err
			}
			if m.n > 0 {
				*h = append(*h, &lookupUnit{snap: sn, chunk: c.Reader, keep: c.Derived, first: v.First() + uint64(c.From), rows: c.To - c.From, mine: m.rows, next: bound(c.MaxTime)})
			}
		}
	}
	return nil
}

// mayHave reports whether a segment may have the event that is looked for by its ID, without opening it.
func (k *lookup) mayHave(seg *sealed) (bool, error) {
	for _, t := range k.terms {
		if t.attribute == byEventID {
			_, maybe, err := seg.probeIdentity(identityHash(event.IdentityOf([]byte(t.value))))
			return maybe, err
		}
	}
	return true, nil
}

// candidates takes up to n candidates from the units, in the order of results.
func (k *lookup) candidates(ctx context.Context, h *lookupHeap, n int) ([]lookupRow, error) {
	var out []lookupRow
	for len(out) < n && len(*h) > 0 {
		u := (*h)[0]
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if !u.met {
			if !u.tried {
				k.openSome(ctx, *h)
			}
			if u.err != nil {
				return nil, fmt.Errorf("looking up events in store %s: %w", u.snap.store.Name(), u.fault(u.err))
			}
			u.met = true
		} else {
			out = append(out, lookupRow{u.next, u, u.row})
		}
		if u.some && k.step(u) {
			heap.Fix(h, 0)
		} else {
			heap.Pop(h)
		}
	}
	return out, nil
}

// openSome opens the unit on top of the heap. When others had nothing and its index is to be made, the request asks for something
// rare, and that of every unit may have to be: then those that come next are opened with it, side by side, the more the
// longer nothing is found.
func (k *lookup) openSome(ctx context.Context, h lookupHeap) {
	units := []*lookupUnit{h[0]}
	workers := runtime.GOMAXPROCS(0)
	if k.empty >= 2 && !k.indexed(h[0]) {
		rest := slices.DeleteFunc(slices.Clone(h[1:]), func(u *lookupUnit) bool { return u.tried || k.indexed(u) })
		sort.Sort(rest)
		units = append(units, rest[:min(len(rest), k.empty, 8*workers-1)]...)
	}
	var wait sync.WaitGroup
	var next atomic.Int32
	work := func() {
		for i := int(next.Add(1)) - 1; i < len(units); i = int(next.Add(1)) - 1 {
			u := units[i]
			u.some, u.err = k.open(ctx, u)
		}
	}
	for range min(workers, len(units)) - 1 {
		wait.Go(work)
	}
	work()
	wait.Wait()
	for _, u := range units {
		u.tried = true
		if !u.some {
			k.empty++
		}
	}
}

// indexed reports whether a unit has what is needed to open it at no cost.
func (k *lookup) indexed(u *lookupUnit) bool {
	src := lookupSource{keep: u.keep}
	for _, t := range k.terms {
		if src.lacks(t.attribute, t.hash) {
			return true
		}
	}
	for _, t := range k.terms {
		if t.attribute == byEventID && u.seg != nil {
			return true // answered by the filter of identities
		}
		if !src.has(t.attribute) {
			return false
		}
	}
	return true
}

// open looks the values of the request up in the indexes of a unit; ok is false when one of
// them is not there.
func (k *lookup) open(ctx context.Context, u *lookupUnit) (ok bool, err error) {
	src := lookupSource{keep: u.keep}
	for _, t := range k.terms {
		if src.lacks(t.attribute, t.hash) {
			return false, nil
		}
	}
	if src.reader, err = u.reader(ctx); err != nil {
		return false, err
	}
	for _, t := range k.terms {
		var ranks []uint16
		if t.attribute == byEventID && u.seg != nil {
			// The filter of identities knows, and an index of as many values as rows is
			// not worth its memory.
			if ranks, err = u.identified(ctx, &src, t.value); err != nil {
				return false, err
			}
		} else {
			if ranks, err = src.ranks(ctx, t.attribute, t.hash); err != nil {
				return false, err
			}
		}
		if len(ranks) == 0 {
			return false, nil
		}
		if len(ranks) < u.rows {
			u.lists = append(u.lists, ranks)
		}
	}
	sort.Slice(u.lists, func(i, j int) bool { return len(u.lists[i]) < len(u.lists[j]) })
	u.at = make([]int, len(u.lists))
	if u.order, err = src.order(ctx); err != nil {
		return false, err
	}
	if k.before.time == math.MaxInt64 && k.to == math.MaxInt64 {
		return true, nil
	}
	from := k.before
	if k.to < from.time {
		from = place{time: k.to + 1, store: math.MaxUint32} // after all later events
	}
	u.rank = u.order.before(from, u.snap.store.rec.Number, u.first)
	return true, nil
}

// identified returns the ranks of the events of a segment with an ID.
func (u *lookupUnit) identified(ctx context.Context, src *lookupSource, id string) ([]uint16, error) {
	var rows []uint16
	err := u.seg.findIdentity(ctx, event.IdentityOf([]byte(id)), func(row int) (bool, error) {
		rows = append(rows, uint16(row))
		return true, nil
	})
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	order, err := src.order(ctx)
	if err != nil {
		return nil, err
	}
	var ranks []uint16
	for rank, row := range order.rows {
		for _, want := range rows {
			if row == want {
				ranks = append(ranks, uint16(rank))
				break
			}
		}
	}
	return ranks, nil
}

// step moves a unit to its next event; false when it has none.
func (k *lookup) step(u *lookupUnit) bool {
	for rank := u.rank; rank < u.rows; rank++ {
		// The lists take turns in naming the next rank that can be in all of them.
		for i := 0; i < len(u.lists); i++ {
			list, at := u.lists[i], u.at[i]
			if at < len(list) && int(list[at]) < rank {
				at = skipTo(list, at, rank)
			}
			if u.at[i] = at; at == len(list) {
				return false
			}
			if int(list[at]) > rank {
				rank, i = int(list[at]), -1
			}
		}
		t := u.order.time(rank)
		if t < k.from {
			return false
		}
		row := u.order.rows[rank]
		if u.snap.horizon.Expired(t) || u.mine != nil && !u.mine.Contains(uint32(row)) {
			continue
		}
		u.next = place{time: t, store: u.snap.store.rec.Number, seq: u.first + uint64(row)}
		u.row, u.rank = int(row), rank+1
		return true
	}
	return false
}

// skipTo returns the first position from at on whose rank is not below one, looking near
// first.
func skipTo(list []uint16, at, rank int) int {
	step := 1
	for at+step < len(list) && int(list[at+step]) < rank {
		at += step
		step *= 2
	}
	end := min(at+step, len(list))
	return at + sort.Search(end-at, func(i int) bool { return int(list[at+i]) >= rank })
}

// read reads the records of candidates, unit by unit, so that pages are decoded once. Of those
// that do not meet the request, or that an earlier store has too, the record stays nil.
func (k *lookup) read(ctx context.Context, list []lookupRow) ([]LookupEvent, error) {
	out := make([]LookupEvent, len(list))
	order := make([]int, len(list))
	for i := range order {
		order[i] = i
	}
	sort.Slice(order, func(i, j int) bool {
		a, b := &list[order[i]], &list[order[j]]
		if a.unit != b.unit {
			if a.store != b.store {
				return a.store < b.store
			}
			return a.unit.first < b.unit.first
		}
		return a.row < b.row
	})
	var rows []uint32
	for from := 0; from < len(order); {
		u := list[order[from]].unit
		to := from
		rows = rows[:0]
		for to < len(order) && list[order[to]].unit == u {
			rows = append(rows, uint32(list[order[to]].row))
			to++
		}
		r, err := u.reader(ctx)
		var recs *column.Vector
		if err == nil {
			recs, err = r.KeptRecords(ctx, segment.List(rows), u.seg != nil)
		}
		for i := 0; err == nil && i < len(rows); i++ {
			rec := unsafe.Slice(unsafe.StringData(recs.Str[i]), len(recs.Str[i]))
			err = k.readOne(ctx, &list[order[from+i]], rec, &out[order[from+i]])
		}
		if err != nil {
			return nil, fmt.Errorf("looking up events in store %s: %w", u.snap.store.Name(), u.fault(err))
		}
		from = to
	}
	return out, nil
}

// readOne fills out with a candidate that meets the request. It does not keep rec.
func (k *lookup) readOne(ctx context.Context, at *lookupRow, rec []byte, out *LookupEvent) error {
	for _, t := range k.terms {
		if !t.attribute.has(rec, t.value) {
			return nil
		}
	}
	sn := at.unit.snap
	twice, err := k.elsewhere(ctx, sn, at.time, rec)
	if err != nil || twice {
		return err
	}
	return out.fill(sn.store.Name(), at.seq, rec)
}

// elsewhere reports whether a store that comes earlier in the order of results shows the same
// record.
func (k *lookup) elsewhere(ctx context.Context, in *snapshot, t int64, rec []byte) (bool, error) {
	var row memtable.Row
	for _, sn := range k.snaps {
		if sn == in {
			return false, nil
		}
		if sn.horizon.Expired(t) {
			continue
		}
		if row.Raw == nil {
			var ev event.Event
			if err := event.Parse(rec, &ev); err != nil {
				return false, err
			}
			row = memtable.Row{Raw: rec, Time: ev.Time, Leaf: event.LeafHash(rec)}
			row.ID = ev.Identity(&row.Leaf)
		}
		if _, same, _, err := sn.find(ctx, &row); err != nil || same {
			return same, err
		}
	}
	return false, nil
}
