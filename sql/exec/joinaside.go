package exec

import (
	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/plan"
)

// Joins whose held side does not fit in memory.
//
// When the held side has taken its share of the budget, its rows go aside in the
// order of a hash of their keys, and so do then the rows of the other side. What
// matches comes together when both are read back, some hashes at a time, each a
// small join of its own. So only the held rows of one key must fit in memory.

// canPutAside reports whether rows of both sides that match have a hash in
// common, and whether rows of other hashes do not matter to one another.
func (op *joinOp) canPutAside() bool {
	return len(op.keys) > 0 && !op.volatile && (op.aware == 0 || op.exact && op.aware == 1 && len(op.others) == 0)
}

// room accounts for what is held, and puts it aside when there is no room.
func (h *holder) room(q *query) error {
	if h.spec == nil || !h.mem.tight(h.bytes) {
		return h.mem.hold(h.bytes)
	}
	return h.putAside(q)
}

// putAside writes the rows held and forgets them.
func (h *holder) putAside(q *query) error {
	if h.aside == nil {
		h.aside = h.spec.newAside(q)
	}
	for _, c := range h.chunks {
		h.aside.put(append([]*column.Vector{hashOf(c.keys, c.n)}, c.cols...), c.n)
		h.put += c.n
		h.denied = h.denied || c.ok != nil
	}
	if err := h.aside.write(); err != nil {
		return err
	}
	h.forget()
	return nil
}

// forget drops the rows held.
func (h *holder) forget() {
	h.chunks, h.bytes = nil, 0
	clear(h.dicts)
	h.mem.release()
}

// finish implements finisher: the rows of the probed side all go aside.
func (h *holder) finish(w *worker) error {
	if !h.all {
		return nil
	}
	return h.putAside(w.q)
}

// crowded reports whether what the workers hold must be joined from what is put
// aside: some is there, or there is no room to put the rest together.
func (op *joinOp) crowded(q *query, parts []*holder) bool {
	held := int64(0)
	for _, p := range parts {
		if p.aside != nil {
			return true
		}
		held += p.mem.held
	}
	return q.mem.spills && op.canPutAside() && held > q.mem.limit/3
}

// fromAside puts the rows of both sides aside and returns tasks that join them.
func (op *joinOp) fromAside(q *query, sh *shape, parts []*holder, probe operator) ([]task, error) {
	held := &heldRows{}
	var sides [2][]*aside
	for _, p := range parts {
		if err := p.putAside(q); err != nil {
			return nil, err
		}
		sides[0] = append(sides[0], p.aside)
		held.total += p.put
		held.someDenied = held.someDenied || p.denied
	}
	if held.total == 0 && !sh.probeKept() {
		return nil, nil
	}
	tasks, err := probe.open(q)
	if err != nil {
		return nil, err
	}
	types := sh.left
	if sh.heldLeft {
		types = sh.right
	}
	specs := [2]*asideSpec{parts[0].spec, newAsideSpec(&op.stats, types, 1, parts[0].spec.ranges, 2)}
	passing, err := runAll(q, tasks, func() *holder {
		h := newHolder(q, op, types, !sh.heldLeft, sh.probeKept() || op.aware > 0)
		h.spec, h.all = specs[1], true
		return h
	})
	if err != nil {
		return nil, err
	}
	for _, p := range passing {
		if p.aside != nil {
			sides[1] = append(sides[1], p.aside)
		}
	}
	tasks = nil
	for part := range specs[0].ranges {
		tasks = append(tasks, taskFunc(func(w *worker, emit func(*frame) error) error {
			was := w.enter(&op.stats)
			defer w.enter(was)
			return op.joinAside(w, sh, specs, sides, part, held, emit)
		}))
	}
	return tasks, nil
}

// joinAside joins the rows of one range of hashes. all tells of the held rows of
// all ranges.
func (op *joinOp) joinAside(w *worker, sh *shape, specs [2]*asideSpec, sides [2][]*aside, part int, all *heldRows, emit func(*frame) error) error {
	var readers []*hashReader
	defer func() {
		for _, r := range readers {
			r.close()
		}
	}()
	for k, spec := range specs {
		r, err := spec.newReader(w.q, sides[k], part)
		if err != nil {
			return err
		}
		readers = append(readers, r)
	}
	types := sh.right
	if sh.heldLeft {
		types = sh.left
	}
	h := newHolder(w.q, op, types, sh.heldLeft, true)
	defer func() { h.mem.release() }()
	var rows *heldRows
	var probe func(*frame) error
	ready := func() {
		if rows != nil {
			return
		}
		rows = gatherHeld([]*holder{h}, types, op.keys)
		rows.total, rows.someDenied = all.total, all.someDenied
		if sh.keepsHeld() {
			rows.hit = column.NewBits(rows.n)
		}
		rows.table = newJoinTable(op.keys, rows.keys, rows.hashes, rows.ok, rows.denied, rows.n)
		probe = op.prober(w, sh, rows, emit)
	}
	take := func(kind int, cols []*column.Vector, n int) error {
		f := loaded(n, cols[1:])
		if kind == 0 {
			return h.take(w, 0, f)
		}
		if len(h.chunks) == 0 && !sh.probeKept() {
			return nil
		}
		ready()
		return probe(f)
	}
	complete := func() error {
		if sh.keepsHeld() && len(h.chunks) > 0 {
			ready()
			if err := op.unmatched(w, sh, rows, emit); err != nil {
				return err
			}
		}
		rows = nil
		h.forget()
		return nil
	}
	return together(readers, take, complete)
}

// probeKept reports whether the result depends on probed rows without match.
func (s *shape) probeKept() bool {
	return s.keepsProbe() || s.kind == plan.AntiJoin && !s.heldLeft || s.kind == plan.MarkJoin
}
