package exec

import (
	"io"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/exec/spill"
)

// Sorted runs on disk, and the merge of runs wherever they are.
//
// A run has the columns of the rows, then those keys that are not columns, then
// the place of each row in the input, which decides between rows whose keys are
// equal. A merge therefore gives one order, whatever was put aside when.

// keySlot returns the column of the rows that key i is, or -1.
func (s *sorter) keySlot(i int) int {
	if ref, ok := s.spec.keys[i].x.(*refExpr); ok && ref.slot < s.width {
		return ref.slot
	}
	return -1
}

// runTypes are the types of a run's columns.
func (s *sorter) runTypes() []*column.Type {
	types := append([]*column.Type{}, s.types...)
	for i, k := range s.spec.keys {
		if s.keySlot(i) < 0 {
			types = append(types, k.typ)
		}
	}
	return append(types, column.BigIntType)
}

// putAside sorts what the sorter holds, writes it as a run and forgets it.
func (s *sorter) putAside() error {
	if len(s.ord) == 0 {
		return nil
	}
	s.sort(len(s.ord))
	w := s.q.space.NewWriter(s.runTypes())
	rows := 0
	for from := 0; from < len(s.order); from += rows {
		if err := s.q.live(); err != nil {
			return err
		}
		rows = s.piece(s.order[from:min(len(s.order), from+batchRows)])
		order := s.order[from : from+rows]
		b := &column.Batch{Len: len(order)}
		for i, t := range s.types {
			a := newPicker(t, len(order))
			for _, p := range order {
				a.add(s.chunks[s.at[p]>>32][i], int(uint32(s.at[p])))
			}
			b.Cols = append(b.Cols, a.vector())
		}
		ord := column.New(column.BigIntType, len(order))
		for i, p := range order {
			ord.I64[i] = int64(s.ord[p])
		}
		for i := range s.spec.keys {
			if s.keySlot(i) < 0 {
				b.Cols = append(b.Cols, s.keys[i].at(order))
			}
		}
		b.Cols = append(b.Cols, ord)
		if err := w.Append(b); err != nil {
			return err
		}
	}
	run, err := w.Finish()
	if err != nil {
		return err
	}
	s.runs = append(s.runs, run)
	s.forget()
	return nil
}

// piece returns how many of the first rows are worked on at once: fewer where
// nested values are large.
func (s *sorter) piece(order []int32) int {
	most := int64(8 * s.q.space.BlockBytes())
	for i, t := range s.types {
		if t.Payload() != column.PayloadNested {
			continue
		}
		size := int64(0)
		for k, p := range order {
			at := int(uint32(s.at[p]))
			if size += column.CopyBytes(s.chunks[s.at[p]>>32][i], at, at+1); size > most && k > 0 {
				order = order[:k]
				break
			}
		}
	}
	return len(order)
}

// forget drops the rows that the sorter holds.
func (s *sorter) forget() {
	for i := range s.keys {
		s.keys[i] = newKeyColumn(s.spec.keys[i].typ)
	}
	s.ord, s.at, s.chunks, s.order, s.held = nil, nil, nil, nil, 0
	clear(s.dicts)
}

// at returns the values at the given places, in that order.
func (k *keyColumn) at(rows []int32) *column.Vector {
	if k.kind == column.PayloadNested {
		k.seal()
		return column.Gather(k.sealed, rows)
	}
	v := &column.Vector{Type: k.typ, Len: k.n, Nulls: k.nulls, I64: k.i64, F64: k.f64, Str: k.str}
	return column.Gather(v, rows)
}

// sortedRun is one sorted run of a merge: rows in memory, or a run on disk of which
// one block is in memory.
type sortedRun struct {
	sorter *sorter
	next   int
	prefix uint64 // of the next row
	run    *spill.Run
	reader *spill.Reader
	mem    account
}

// head makes the next row ready; ok is false at the end of the run.
func (s *sortedRun) head() (ok bool, err error) {
	for s.next >= len(s.sorter.order) {
		if s.reader == nil {
			return false, nil
		}
		b, err := s.reader.Next()
		if err == io.EOF {
			return false, s.drop()
		}
		if err != nil {
			return false, err
		}
		s.load(b)
		if err := s.mem.hold(s.reader.Held()); err != nil {
			return false, err
		}
	}
	if len(s.sorter.keys) > 0 {
		s.prefix = s.sorter.keys[0].prefix(int(s.sorter.order[s.next]), &s.sorter.spec.keys[0])
	}
	return true, nil
}

// drop removes the run of a source that has been read.
func (s *sortedRun) drop() error {
	if s.reader == nil {
		return nil
	}
	err := s.reader.Close()
	if e := s.run.Remove(); err == nil {
		err = e
	}
	s.reader = nil
	s.mem.release()
	return err
}

// load makes a block of a run the rows of the source.
func (s *sortedRun) load(b *column.Batch) {
	t := s.sorter
	at := len(t.types)
	for i := range t.keys {
		t.keys[i] = newKeyColumn(t.spec.keys[i].typ)
		if slot := t.keySlot(i); slot >= 0 {
			t.keys[i].add(b.Cols[slot], b.Len)
		} else {
			t.keys[i].add(b.Cols[at], b.Len)
			at++
		}
		t.keys[i].seal()
	}
	ord := column.Flatten(b.Cols[at])
	t.ord, t.at, t.order = t.ord[:0], t.at[:0], t.order[:0]
	for i := range b.Len {
		t.ord = append(t.ord, uint64(ord.I64[i]))
		t.at = append(t.at, uint64(i))
		t.order = append(t.order, int32(i))
	}
	t.chunks = [][]*column.Vector{b.Cols[:len(t.types)]}
	s.next = 0
}

// merge reads sorted runs as one: a heap of them with the run whose next row is
// the first at its top.
type merge struct {
	q       *query
	sources []*sortedRun
	left    int64 // rows still wanted, -1 for all
	read    int64 // bytes of blocks that rows of the frame in the making come from
	// With ties: the keys of the last row that is wanted in any case.
	ties bool
	last *sorter
	// popped is the source of the row last handed out: it is moved on only when
	// the next row is asked for, because its block may go then.
	popped *sortedRun
}

// newMerge gets the runs of all sorters ready to be merged. If there are more
// than can be read at once, some are merged to longer ones first.
func newMerge(q *query, op *sortOp, sorters []*sorter) (*merge, error) {
	m := &merge{q: q, left: op.spec.wanted, ties: op.spec.ties}
	var runs []*spill.Run
	for _, s := range sorters {
		if len(s.runs) > 0 && q.mem.used.Load() > q.mem.limit/4 {
			// The blocks of the runs need the room.
			if err := s.putAside(); err != nil {
				return nil, err
			}
			s.mem.release()
		}
		runs = append(runs, s.runs...)
		m.sources = append(m.sources, &sortedRun{sorter: s})
	}
	most := max(2, q.mem.fanIn()/max(1, op.beside))
	for len(runs) > most {
		// The shortest are at the front: those merged go to the end.
		n := min(most, len(runs)-most+1)
		run, err := mergeRuns(q, op, runs[:n])
		if err != nil {
			return nil, err
		}
		runs = append(runs[n:], run)
	}
	for _, r := range runs {
		s, err := newSource(q, op, r)
		if err != nil {
			return nil, err
		}
		m.sources = append(m.sources, s)
	}
	return m, m.start()
}

func newSource(q *query, op *sortOp, r *spill.Run) (*sortedRun, error) {
	s := &sortedRun{run: r, sorter: newSorter(q, &op.stats, op.spec, op.width)}
	s.sorter.types = op.types
	s.mem = account{m: q.mem, what: "merging sorted runs", todo: "select fewer columns, or raise the budget"}
	var err error
	s.reader, err = r.Reader()
	return s, err
}

// mergeRuns merges runs to one and removes them.
func mergeRuns(q *query, op *sortOp, runs []*spill.Run) (*spill.Run, error) {
	m := &merge{q: q, left: -1}
	for _, r := range runs {
		s, err := newSource(q, op, r)
		if err != nil {
			return nil, err
		}
		m.sources = append(m.sources, s)
	}
	if err := m.start(); err != nil {
		return nil, err
	}
	defer m.end()
	out := newSorter(q, &op.stats, op.spec, op.width)
	out.types = op.types
	types := out.runTypes()
	w := q.space.NewWriter(types)
	for {
		if err := q.live(); err != nil {
			return nil, err
		}
		cols := make([]*column.Appender, len(types))
		for i, t := range types {
			cols[i] = column.NewAppender(t, 0)
		}
		n := 0
		for ; n < batchRows && m.read < int64(q.space.BlockBytes()); n++ {
			s, row, err := m.pop()
			if err != nil {
				return nil, err
			}
			if s == nil {
				break
			}
			for i, v := range s.chunks[0] {
				cols[i].Append(v, int(row))
			}
			at := len(op.types)
			for i := range op.spec.keys {
				if s.keySlot(i) < 0 {
					cols[at].AppendAll(s.keys[i].at([]int32{row}))
					at++
				}
			}
			cols[at].Append(&column.Vector{Type: column.BigIntType, Len: 1, I64: []int64{int64(s.ord[row])}}, 0)
		}
		m.read = 0
		if n == 0 {
			return w.Finish()
		}
		b := &column.Batch{Len: n}
		for _, a := range cols {
			b.Cols = append(b.Cols, a.Vector())
		}
		if err := w.Append(b); err != nil {
			return nil, err
		}
	}
}

// start makes the heap.
func (m *merge) start() error {
	all := m.sources
	m.sources = m.sources[:0:0]
	for _, s := range all {
		ok, err := s.head()
		if err != nil {
			return err
		}
		if ok {
			m.sources = append(m.sources, s)
		} else {
			s.sorter.mem.release()
		}
	}
	for i := len(m.sources)/2 - 1; i >= 0; i-- {
		m.down(i)
	}
	return nil
}

// before reports whether the next row of a source comes before that of another.
func before(a, b *sortedRun) bool {
	if a.prefix != b.prefix {
		return a.prefix < b.prefix
	}
	return compareRows(a.sorter, a.sorter.order[a.next], b.sorter, b.sorter.order[b.next]) < 0
}

// down lets source i sink to its place in the heap.
func (m *merge) down(i int) {
	for {
		k := 2*i + 1
		if k >= len(m.sources) {
			return
		}
		if k+1 < len(m.sources) && before(m.sources[k+1], m.sources[k]) {
			k++
		}
		if !before(m.sources[k], m.sources[i]) {
			return
		}
		m.sources[i], m.sources[k] = m.sources[k], m.sources[i]
		i = k
	}
}

// pop returns the next row, or a nil sorter at the end. The row of a run on disk
// stays there until the next call: callers copy what they need.
func (m *merge) pop() (*sorter, int32, error) {
	if err := m.advance(); err != nil || len(m.sources) == 0 {
		return nil, 0, err
	}
	s := m.sources[0]
	row := s.sorter.order[s.next]
	switch {
	case m.left > 1 || m.left == 1 && !m.ties:
		m.left--
	case m.left == 1:
		m.left, m.last = 0, s.sorter.only(row)
	case m.left == 0 && (!m.ties || compareKeys(m.last, 0, s.sorter, row) != 0):
		return nil, 0, nil
	}
	m.popped = s
	s.next++
	return s.sorter, row, nil
}

// only returns a sorter that has the keys of one row and nothing else.
func (s *sorter) only(row int32) *sorter {
	one := &sorter{spec: s.spec}
	for i := range s.keys {
		k := newKeyColumn(s.spec.keys[i].typ)
		k.add(s.keys[i].at([]int32{row}), 1)
		k.seal()
		one.keys = append(one.keys, k)
	}
	return one
}

// advance makes the row after the one last popped ready.
func (m *merge) advance() error {
	s := m.popped
	if s == nil {
		return nil
	}
	m.popped = nil
	fresh := s.next >= len(s.sorter.order)
	ok, err := s.head()
	if err != nil {
		return err
	}
	if !ok {
		s.sorter.mem.release()
		last := len(m.sources) - 1
		m.sources[0] = m.sources[last]
		m.sources = m.sources[:last]
	} else if fresh && s.reader != nil {
		m.read += s.reader.Held()
	}
	m.down(0)
	return nil
}

// frameBytes is how many bytes of nested values a merge copies for one frame.
const frameBytes = 8 << 20

// frame returns the next rows, nil at the end. Rows that lie in many blocks keep
// all of these in memory, so a frame of large rows has fewer of them.
func (m *merge) frame(op *sortOp) (*frame, error) {
	cols := make([]*picker, op.width)
	for i, t := range op.types {
		cols[i] = newPicker(t, 0)
	}
	most := int64(frameBytes)
	if m.q.space != nil {
		most = min(most, int64(8*m.q.space.BlockBytes()))
	}
	n, copied := 0, int64(0)
	for ; n < batchRows && m.read < most && copied < most; n++ {
		r, row, err := m.pop()
		if err != nil {
			return nil, err
		}
		if r == nil {
			break
		}
		chunk := r.chunks[r.at[row]>>32]
		copied = 0
		for i, v := range chunk {
			cols[i].add(v, int(uint32(r.at[row])))
			copied += cols[i].bytes
		}
	}
	m.read = 0
	if n == 0 {
		return nil, nil
	}
	f := loaded(n, make([]*column.Vector, op.width))
	for i, c := range cols {
		f.cols[i] = c.vector()
	}
	return f, nil
}

func (m *merge) skip(n int64) error {
	for ; n > 0; n-- {
		if n%batchRows == 0 {
			if err := m.q.live(); err != nil {
				return err
			}
		}
		if r, _, err := m.pop(); r == nil || err != nil {
			return err
		}
	}
	m.read = 0
	return nil
}

// end gives back what the runs hold, however far they were read.
func (m *merge) end() {
	for _, s := range m.sources {
		s.drop()
		s.sorter.mem.release()
		s.sorter.forget()
	}
	m.sources = nil
}
