package exec

import (
	"slices"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/plan"
	"github.com/cairndb/cairn/sql/sqlerr"
)

// shape is what a join makes of matching rows, seen from the side that is
// probed: the side whose frames pass by, while the other is held.
type shape struct {
	kind plan.JoinKind
	// heldLeft is set when the left side is held, not the right one.
	heldLeft bool
	// left and right are the types of the columns of the two sides.
	left, right []*column.Type
	// on are the conditions besides the keys, over left and right columns.
	on  []expr
	pos sqlerr.Pos
}

// keepsProbe reports whether probed rows without match are in the result, with
// NULLs for the held side.
func (s *shape) keepsProbe() bool {
	switch s.kind {
	case plan.LeftJoin, plan.SingleJoin:
		return !s.heldLeft
	case plan.RightJoin:
		return s.heldLeft
	}
	return s.kind == plan.FullJoin
}

// keepsHeld reports whether the result depends on which held rows have a match.
func (s *shape) keepsHeld() bool {
	switch s.kind {
	case plan.LeftJoin, plan.SemiJoin, plan.AntiJoin:
		return s.heldLeft
	case plan.RightJoin:
		return !s.heldLeft
	}
	return s.kind == plan.FullJoin
}

// pairs reports whether the result has the pairs of matching rows.
func (s *shape) pairs() bool {
	return s.kind != plan.SemiJoin && s.kind != plan.AntiJoin && s.kind != plan.MarkJoin
}

// matcher goes through the candidates of probed rows. It belongs to one
// goroutine.
type matcher struct {
	*shape
	w    *worker
	emit func(*frame) error
	// held are the columns of the held side, next its lists of candidates.
	held []*column.Vector
	next []int32
	// note takes the held rows that have a match, if that is asked for.
	note func(rows []uint32)
	// before is what other held rows have told of the probed ones; nil when these
	// are all.
	before *earlier
	// within narrows the candidates of the rows of f; nil when all count.
	within *narrower

	f      *frame
	of     []int32  // the probed row of each candidate pair
	with   []uint32 // the held row of each
	hit    []bool   // by probed row: it has a match
	rounds int      // how many batches of pairs f has had
}

// match pairs the rows of f with their candidates: first[i] and what follows it
// in the lists. It sets hit, and emits the pairs that match if the join has them.
func (m *matcher) match(f *frame, first []int32) error {
	m.f, m.rounds = f, 0
	m.hit = slices.Grow(m.hit[:0], f.n)[:f.n]
	clear(m.hit)
	if m.before != nil {
		m.before.recall(m.hit)
	}
	simple := len(m.on) == 0 && !m.pairs() && m.note == nil
	m.of, m.with = m.of[:0], make([]uint32, 0, min(batchRows, max(64, f.n)))
	for i, r := range first[:f.n] {
		if simple {
			m.hit[i] = m.hit[i] || r >= 0
			continue
		}
		if m.hit[i] && !m.pairs() && m.note == nil {
			continue
		}
		if m.within != nil && r >= 0 {
			for _, r := range m.within.candidates(i, r) {
				m.of, m.with = append(m.of, int32(i)), append(m.with, r)
				if len(m.of) == batchRows {
					if err := m.flush(); err != nil {
						return err
					}
					if !m.pairs() && m.note == nil && m.hit[i] {
						break
					}
				}
			}
			continue
		}
		for ; r >= 0; r = m.next[r] {
			m.of, m.with = append(m.of, int32(i)), append(m.with, uint32(r))
			if len(m.of) == batchRows {
				if err := m.flush(); err != nil {
					return err
				}
				if !m.pairs() && m.note == nil && m.hit[i] {
					break
				}
			}
		}
	}
	return m.flush()
}

// flush decides about the candidate pairs collected so far.
func (m *matcher) flush() error {
	if len(m.of) == 0 {
		return nil
	}
	if err := m.w.q.live(); err != nil {
		return err
	}
	m.rounds++
	p := &pairs{m: m, of: m.of, with: m.with}
	g := &frame{n: len(m.of), cols: make([]*column.Vector, len(m.left)+len(m.right)), src: p}
	at, all, err := keepAll(m.w, m.on, g)
	if err != nil {
		return err
	}
	defer func() { m.of, m.with = m.of[:0], make([]uint32, 0, cap(m.with)) }()
	if !all {
		if len(at) == 0 {
			return nil
		}
		g = g.sub(at)
	}
	if m.note != nil {
		rows := m.with
		if !all {
			rows = make([]uint32, len(at))
			for i, a := range at {
				rows[i] = m.with[a]
			}
		}
		m.note(rows)
	}
	for i := range g.n {
		row := i
		if !all {
			row = int(at[i])
		}
		row = int(m.of[row])
		if m.kind == plan.SingleJoin && m.hit[row] {
			return sqlerr.New(sqlerr.CardinalityViolation, m.pos, "the sub-query gives more than one row").
				WithHint("a sub-query that stands for a value may give one row; add LIMIT 1, or an aggregate such as max(…)")
		}
		m.hit[row] = true
	}
	if !m.pairs() {
		return nil
	}
	return m.emit(g)
}

// keepAll returns the rows of f for which all conditions are true.
func keepAll(w *worker, conds []expr, f *frame) (at []int32, all bool, err error) {
	all = true
	for _, c := range conds {
		g := f
		if !all {
			g = f.sub(at)
		}
		found, every, err := keep(w, c, g)
		if err != nil {
			return nil, false, err
		}
		if every {
			continue
		}
		if !all {
			for i, p := range found {
				found[i] = at[p]
			}
		}
		at, all = found, false
		if len(at) == 0 {
			break
		}
	}
	return at, all, nil
}

// rest emits what the join makes of the probed rows apart from pairs, once
// their candidates have been gone through.
func (m *matcher) rest() error {
	if m.before != nil && !m.before.last {
		m.before.remember(m.hit)
		return nil
	}
	switch {
	case m.kind == plan.SemiJoin && !m.heldLeft:
		return m.probed(true)
	case m.kind == plan.AntiJoin && !m.heldLeft:
		return m.probed(false)
	case m.keepsProbe():
		var at []int32
		for i, hit := range m.hit {
			if !hit {
				at = append(at, int32(i))
			}
		}
		if len(at) == 0 {
			return nil
		}
		f := m.f
		if len(at) < f.n {
			f = f.sub(at)
		}
		return m.emit(m.alone(f))
	}
	return nil
}

// probed emits the probed rows that have a match, or those that have none.
func (m *matcher) probed(hit bool) error {
	at := make([]int32, 0, m.f.n)
	for i, h := range m.hit {
		if h == hit {
			at = append(at, int32(i))
		}
	}
	switch len(at) {
	case 0:
		return nil
	case m.f.n:
		return m.emit(m.f)
	}
	return m.emit(m.f.sub(at))
}

// alone makes result rows of probed rows, with NULLs for the held side.
func (m *matcher) alone(f *frame) *frame {
	return &frame{n: f.n, cols: make([]*column.Vector, len(m.left)+len(m.right)), src: &lonely{m.shape, f}}
}

// probeSlot returns the slot of the probed side that a slot of the result is.
func (s *shape) probeSlot(slot int) (int, bool) {
	if s.heldLeft {
		return slot - len(s.left), slot >= len(s.left)
	}
	return slot, slot < len(s.left)
}

// heldSlot returns the slot of the held side that a slot of the result is.
func (s *shape) heldSlot(slot int) int {
	if s.heldLeft {
		return slot
	}
	return slot - len(s.left)
}

// typeOf returns the type of a slot of the result.
func (s *shape) typeOf(slot int) *column.Type {
	if slot < len(s.left) {
		return s.left[slot]
	}
	return s.right[slot-len(s.left)]
}

// lonely loads probed rows that have no match.
type lonely struct {
	*shape
	of *frame
}

func (l *lonely) load(w *worker, slot int) (*column.Vector, error) {
	if s, ok := l.probeSlot(slot); ok {
		return l.of.col(w, s)
	}
	return column.NullConst(l.typeOf(slot), l.of.n), nil
}

func (l *lonely) loadAt(w *worker, slot int, at []int32) (*column.Vector, error) {
	if s, ok := l.probeSlot(slot); ok {
		return l.of.colAt(w, s, at)
	}
	return column.NullConst(l.typeOf(slot), len(at)), nil
}

// pairs loads pairs of rows. Columns of the held side are dictionary vectors
// over the held columns, so nothing is copied before somebody needs it.
type pairs struct {
	m    *matcher
	of   []int32
	with []uint32
	// Each probed row once, and where in that list the row of each pair is; made
	// when a column is to be read at the rows that have pairs only.
	rows  []int32
	place []int32
}

func (p *pairs) load(w *worker, slot int) (*column.Vector, error) {
	s, probed := p.m.probeSlot(slot)
	if !probed {
		return p.m.heldAt(slot, p.with), nil
	}
	f := p.m.f
	if f.cols[s] != nil || p.m.rounds > 1 || len(p.of) == batchRows {
		// The row may come again with the next batch of pairs.
		v, err := f.col(w, s)
		if err != nil {
			return nil, err
		}
		return gather(v, p.of), nil
	}
	if p.rows == nil {
		p.rows, p.place = distinctRows(p.of)
	}
	v, err := f.colAt(w, s, p.rows)
	if err != nil || p.place == nil {
		return v, err
	}
	return gather(v, p.place), nil
}

func (p *pairs) loadAt(w *worker, slot int, at []int32) (*column.Vector, error) {
	s, probed := p.m.probeSlot(slot)
	if !probed {
		with := make([]uint32, len(at))
		for i, a := range at {
			with[i] = p.with[a]
		}
		return p.m.heldAt(slot, with), nil
	}
	of := make([]int32, len(at))
	for i, a := range at {
		of[i] = p.of[a]
	}
	rows, place := distinctRows(of)
	v, err := p.m.f.colAt(w, s, rows)
	if err != nil || place == nil {
		return v, err
	}
	return gather(v, place), nil
}

// distinctRows lists ascending rows once each, and where in that list each of
// them is; the latter is nil when no row comes twice.
func distinctRows(of []int32) (rows, place []int32) {
	repeated := false
	for i := 1; i < len(of); i++ {
		if of[i] == of[i-1] {
			repeated = true
			break
		}
	}
	if !repeated {
		return of, nil
	}
	place = make([]int32, len(of))
	for i, r := range of {
		if i == 0 || r != of[i-1] {
			rows = append(rows, r)
		}
		place[i] = int32(len(rows) - 1)
	}
	return rows, place
}

// heldAt returns a column of the held side at the given rows.
func (m *matcher) heldAt(slot int, with []uint32) *column.Vector {
	dict := m.held[m.heldSlot(slot)]
	return &column.Vector{Type: dict.Type, Len: len(with), Dict: dict, Codes: with}
}
