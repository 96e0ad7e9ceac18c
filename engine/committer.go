package engine

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/cairndb/cairn/engine/event"
	"github.com/cairndb/cairn/engine/memtable"
	"github.com/cairndb/cairn/engine/retention"
	"github.com/cairndb/cairn/wal"
)

const (
	// commitQueue is how many calls may wait for the committer; the next ones
	// wait to get into the queue.
	commitQueue = 256

	// groupBytesMax bounds what one log record gathers from waiting calls: more
	// would make those that come first wait for the writing of all.
	groupBytesMax = 16 << 20

	// frozenMax is how many full memtables may wait for sealing before appends
	// wait, too: with the active one they bound the memory of unsealed events.
	frozenMax = 3
)

// commitRequest is a call that waits for the committer: an append, or a task
// that must run between appends.
type commitRequest struct {
	ctx   context.Context
	store *Store
	rows  []memtable.Row
	bytes int64

	// task, when set, is run instead.
	task func() error

	verdicts []Verdict // one per row
	err      error
	done     chan struct{}
}

// commitLoop is the committer: the one goroutine that gives out sequence numbers.
// It gathers the calls that wait, writes one record for all, syncs once, puts the
// events into memtables and answers. While it syncs, the next calls gather.
func (l *Lake) commitLoop() {
	var waiting []*commitRequest
	for {
		waiting = waiting[:0]
		select {
		case <-l.closing:
			l.refuseWaiting()
			return
		case r := <-l.commits:
			waiting = append(waiting, r)
		}
		size := waiting[0].bytes
		for size < groupBytesMax && waiting[len(waiting)-1].task == nil {
			select {
			case r := <-l.commits:
				waiting = append(waiting, r)
				size += r.bytes
				continue
			default:
			}
			break
		}
		var task *commitRequest
		if n := len(waiting) - 1; waiting[n].task != nil {
			task, waiting = waiting[n], waiting[:n]
		}
		if len(waiting) > 0 {
			l.commitAppends(waiting)
		}
		if task != nil {
			task.err = task.task()
			close(task.done)
		}
	}
}

// refuseWaiting answers the calls that are still in the queue when the lake is
// closed.
func (l *Lake) refuseWaiting() {
	for {
		select {
		case r := <-l.commits:
			r.err = failf(ErrUnavailable, "the lake is closed")
			close(r.done)
		default:
			return
		}
	}
}

// commit hands a request to the committer and waits for its answer.
func (l *Lake) commit(r *commitRequest) error {
	r.done = make(chan struct{})
	select {
	case l.commits <- r:
	case <-r.ctx.Done():
		return fmt.Errorf("waiting to append: %w", r.ctx.Err())
	case <-l.haltedCh:
		return l.haltErr()
	}
	select {
	case <-r.done:
		return r.err
	case <-l.haltedCh:
		// The committer may be parked for good in a write that has failed. If it
		// has answered after all, the answer counts.
		select {
		case <-r.done:
			return r.err
		default:
			return l.haltErr()
		}
	}
}

// commitAppends commits the calls as one group.
func (l *Lake) commitAppends(calls []*commitRequest) {
	err := l.haltErr()
	if err == nil {
		err = l.sealer.waitForRoom(l)
	}
	var g *commitGroup
	if err == nil {
		g, err = l.gather(calls)
	}
	if err == nil {
		err = l.logGroup(g)
	}
	for _, c := range calls {
		if c.err == nil {
			c.err = err
		}
		close(c.done)
	}
}

// commitGroup is what becomes of one group of calls.
type commitGroup struct {
	stores map[*Store]*storeGroup
	order  []*storeGroup
}

// storeGroup is the part of a group that goes to one store.
type storeGroup struct {
	store *Store
	first uint64
	rows  []memtable.Row
	// tooOld is the line behind which events are not taken.
	tooOld retention.Horizon
	byID   map[event.Identity][]int32 // positions in rows
}

// gather decides about every record of the calls: a duplicate, or stored under
// the next number.
func (l *Lake) gather(calls []*commitRequest) (*commitGroup, error) {
	g := &commitGroup{stores: make(map[*Store]*storeGroup, 1)}
	for _, c := range calls {
		if err := c.ctx.Err(); err != nil {
			c.err = fmt.Errorf("waiting to append: %w", err)
			continue
		}
		sg := g.stores[c.store]
		if sg == nil {
			sg = &storeGroup{store: c.store, first: c.store.mu.next, byID: make(map[event.Identity][]int32, len(c.rows)), tooOld: c.store.tooOld()}
			g.stores[c.store] = sg
			g.order = append(g.order, sg)
		}
		sn := c.store.snapshot()
		for i := range c.rows {
			v, err := sg.decide(c.ctx, sn, &c.rows[i])
			if err != nil {
				// Nothing of this call may stay: its neighbours' numbers would be
				// wrong if only its rows were taken back, so the group ends here.
				sn.release()
				return nil, err
			}
			c.verdicts[i] = v
		}
		sn.release()
	}
	return g, nil
}

// decide finds out what one record is and takes it up unless it is a duplicate.
func (sg *storeGroup) decide(ctx context.Context, sn *snapshot, row *memtable.Row) (Verdict, error) {
	v := Verdict{Status: Stored}
	if sg.tooOld.Expired(row.Time) {
		return Verdict{Status: Refused, Reason: reasonExpired, Detail: reasonExpired + " of store " + sg.store.Name()}, nil
	}
	for _, i := range sg.byID[row.ID] {
		v.Status = Conflict
		if sg.rows[i].Leaf == row.Leaf {
			return Verdict{Status: Duplicate, Seq: sg.first + uint64(i)}, nil
		}
	}
	seq, same, found, err := sn.find(ctx, row)
	if err != nil {
		return v, err
	}
	if same {
		return Verdict{Status: Duplicate, Seq: seq}, nil
	}
	if found {
		v.Status = Conflict
	}
	v.Seq = sg.first + uint64(len(sg.rows))
	sg.byID[row.ID] = append(sg.byID[row.ID], int32(len(sg.rows)))
	sg.rows = append(sg.rows, *row)
	return v, nil
}

// logGroup writes the group into the log, syncs, and puts it into memtables.
func (l *Lake) logGroup(g *commitGroup) error {
	parts := [][]byte{{recordAppend}}
	for _, sg := range g.order {
		if len(sg.rows) == 0 {
			continue
		}
		lengths := make([]int, len(sg.rows))
		for i := range sg.rows {
			lengths[i] = len(sg.rows[i].Raw)
		}
		parts = append(parts, appendGroupHead(nil, sg.store.rec.Number, sg.first, lengths))
		for i := range sg.rows {
			parts = append(parts, sg.rows[i].Raw)
		}
	}
	if len(parts) == 1 {
		return nil // nothing but duplicates, and those are on disk
	}
	l.logged.Lock()
	defer l.logged.Unlock()
	// If the process ends before the sync has, the events are there or not, and
	// nobody was told either. After it, recovery finds them in the log.
	pos, err := l.log.AppendSync(l.squeezer.squeeze(parts)...)
	if err != nil {
		return l.appendErr(err)
	}
	for _, sg := range g.order {
		sg.store.take(sg.rows, pos.File)
		sg.store.tree.grow(sg.rows)
		newest := int64(math.MinInt64)
		for i := range sg.rows {
			newest = max(newest, sg.rows[i].Time)
		}
		sg.store.witness(newest)
	}
	return nil
}

// appendErr gives an error of writing the log its kind.
func (l *Lake) appendErr(err error) error {
	err = l.writeErr(err)
	if errors.Is(err, wal.ErrClosed) {
		return failf(ErrUnavailable, "the lake is closed")
	}
	return err
}

// take puts logged rows into memtables. Only the committer calls it.
func (s *Store) take(rows []memtable.Row, logFile uint64) {
	l := s.lake
	for len(rows) > 0 {
		m := s.mu.active
		n := min(len(rows), l.opts.MemtableRows-m.Len())
		if m.logFile == 0 {
			m.logFile = logFile
			m.since = l.opts.Clock()
		}
		s.mu.Lock()
		m.Append(rows[:n])
		s.mu.next += uint64(n)
		s.wake()
		if l.full(m) {
			s.freeze()
		}
		s.mu.Unlock()
		rows = rows[n:]
	}
}

// freeze ends the active memtable. The caller is the committer and holds mu.
func (s *Store) freeze() {
	if s.mu.active.Len() == 0 {
		s.mu.active = s.lake.newMem(s.mu.next)
		return
	}
	frozen := make([]*mem, 0, len(s.mu.frozen)+1)
	s.mu.frozen = append(append(frozen, s.mu.frozen...), s.mu.active)
	s.mu.active = s.lake.newMem(s.mu.next)
	s.lake.sealer.add(1)
}

// newMem returns an empty memtable.
func (l *Lake) newMem(first uint64) *mem {
	return &mem{Table: memtable.New(first, l.cache)}
}

// full reports whether a memtable is to be sealed.
func (l *Lake) full(m *mem) bool {
	return m.Len() >= l.opts.MemtableRows || m.Bytes() >= l.opts.MemtableBytes
}

// atCommit runs a task on the committer, between appends.
func (l *Lake) atCommit(ctx context.Context, task func() error) error {
	return l.commit(&commitRequest{ctx: ctx, task: task})
}
