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
// small join of its own. The rows of one hash may still be too many: one value
// that all rows have, or no equality at all, in which case all rows have one
// hash. They are then joined block by block (joinblocks.go), so that neither side
// must ever fit in memory.

// canPutAside reports whether the rows of both sides can be read again, with the
// same result.
func (op *joinOp) canPutAside() bool { return !op.volatile }

// splits reports whether rows of both sides that match have a hash in common, and
// whether rows of other hashes do not matter to one another.
func (op *joinOp) splits() bool {
	return len(op.keys) > 0 && (op.aware == 0 || op.exact && op.aware == 1 && len(op.others) == 0)
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
		h.aside.put(append([]*column.Vector{h.hashOf(c)}, c.cols...), c.n)
		h.put += c.n
		h.denied = h.denied || c.ok != nil
	}
	if err := h.aside.write(); err != nil {
		return err
	}
	h.forget()
	return nil
}

// hashOf returns the hashes that rows are put aside by. A row with a NULL among
// its keys matches nothing whatever its hash, so those are strewn.
func (h *holder) hashOf(c heldChunk) *column.Vector {
	if !h.op.splits() {
		return hashOf(nil, c.n)
	}
	hashes := hashOf(c.keys, c.n)
	for i, may := range c.ok {
		if !may {
			h.strewn++
			hashes.I64[i] = int64(mix(h.strewn) >> 1)
		}
	}
	return hashes
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

// probeKept reports whether the result depends on probed rows without match.
func (s *shape) probeKept() bool {
	return s.keepsProbe() || s.kind == plan.AntiJoin && !s.heldLeft || s.kind == plan.MarkJoin
}
