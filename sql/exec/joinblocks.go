package exec

import (
	"io"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/exec/spill"
)

// Joining what was put aside, block by block.
//
// Rows come in the order of their hashes. Those of several hashes that lie in the
// blocks at hand are few, and joined as if they were all. When the rows of one
// hash reach further, as many held ones as there is room for are held at a time;
// the rows of the other side pass by all of these blocks, from a run that the
// first pass has written. What outer joins, EXISTS and IN must know of a passing
// row after the last block is two bits.

// blockPart is the part of the budget that the held rows of one range of hashes
// take: they are there twice while they are put together.
const blockPart = 8

// asideJoin joins the rows of one range of hashes. It belongs to one goroutine.
type asideJoin struct {
	op   *joinOp
	w    *worker
	sh   *shape
	emit func(*frame) error
	// all tells of the held rows of all ranges.
	all      *heldRows
	readers  []*hashReader // of held rows, of passing ones
	held     *holder
	passing  []*column.Type
	blockMax int64
	// rows and probe are made of held when the first row is to pass.
	rows  *heldRows
	probe *prober
}

// joinAside joins the rows of one range of hashes.
func (op *joinOp) joinAside(w *worker, sh *shape, specs [2]*asideSpec, sides [2][]*aside, part int, all *heldRows, emit func(*frame) error) error {
	j := &asideJoin{op: op, w: w, sh: sh, emit: emit, all: all}
	defer func() {
		for _, r := range j.readers {
			r.close()
		}
	}()
	for k, spec := range specs {
		r, err := spec.newReader(w.q, sides[k], part)
		if err != nil {
			return err
		}
		j.readers = append(j.readers, r)
	}
	types := sh.right
	j.passing = sh.left
	if sh.heldLeft {
		types, j.passing = sh.left, sh.right
	}
	j.held = newHolder(w.q, op, types, sh.heldLeft, true)
	defer func() { j.held.mem.release() }()
	j.blockMax = w.q.mem.limit / int64(blockPart*specs[0].ranges)
	return together(j.readers, j.take, j.oneHash, j.complete)
}

// ready puts the held rows together.
func (j *asideJoin) ready() {
	if j.rows != nil {
		return
	}
	j.rows = gatherHeld([]*holder{j.held}, j.held.types, j.op.keys)
	j.rows.total, j.rows.someDenied = j.all.total, j.all.someDenied
	if j.sh.keepsHeld() {
		j.rows.hit = column.NewBits(j.rows.n)
	}
	j.rows.table = newJoinTable(j.w.q, j.op.keys, j.rows.keys, j.rows.hashes, j.rows.ok, j.rows.denied, j.rows.n)
	j.rows.ranged = j.op.rangedRows(j.w, j.sh, j.rows, func(n int64) bool { return n < j.blockMax })
	j.probe = j.op.newProber(j.w, j.sh, j.rows, j.emit)
}

// take gets rows of either side; the held ones of a hash come first.
func (j *asideJoin) take(kind int, cols []*column.Vector, n int) error {
	f := loaded(n, cols[1:])
	if kind == 0 {
		return j.held.take(j.w, 0, f)
	}
	if len(j.held.chunks) == 0 && !j.sh.probeKept() {
		return nil
	}
	j.ready()
	return j.probe.probe(f)
}

// complete ends with the held rows: all that could match them have passed.
func (j *asideJoin) complete() error {
	if j.sh.keepsHeld() && len(j.held.chunks) > 0 {
		j.ready()
		if err := j.op.unmatched(j.w, j.sh, j.rows, j.emit); err != nil {
			return err
		}
	}
	j.rows, j.probe = nil, nil
	j.held.forget()
	return nil
}

// next returns the next rows of one side with the given hash; n is 0 after the
// last.
func (j *asideJoin) next(kind int, hash int64) (cols []*column.Vector, n int, err error) {
	r := j.readers[kind]
	if err := r.fill(); err != nil {
		return nil, 0, err
	}
	cols, n = r.upTo(hash, true)
	if n > 0 {
		cols = cols[1:]
	}
	return cols, n, nil
}

// more reports whether one side has another row with the hash.
func (j *asideJoin) more(kind int, hash int64) (bool, error) {
	r := j.readers[kind]
	if err := r.fill(); err != nil {
		return false, err
	}
	return !r.end && r.f.cols[0].I64[r.at] == hash, nil
}

// skip passes over the rows of one side with the hash.
func (j *asideJoin) skip(kind int, hash int64) error {
	for {
		if _, n, err := j.next(kind, hash); n == 0 || err != nil {
			return err
		}
	}
}

// oneHash joins the rows of one hash, however many.
func (j *asideJoin) oneHash(hash int64) error {
	for kind, kept := range []bool{j.sh.keepsHeld(), j.sh.probeKept()} {
		some, err := j.more(1-kind, hash)
		if err != nil {
			return err
		}
		if !some && !kept {
			return j.skip(kind, hash)
		}
	}
	last, err := j.fillBlock(hash)
	if err != nil {
		return err
	}
	if last {
		for {
			cols, n, err := j.next(1, hash)
			if n == 0 || err != nil {
				return err // complete does the rest
			}
			j.ready()
			if err := j.probe.probe(loaded(n, cols)); err != nil {
				return err
			}
		}
	}
	return j.blocks(hash)
}

// fillBlock holds rows of the hash up to the size of a block. last says that no
// more are left.
func (j *asideJoin) fillBlock(hash int64) (last bool, err error) {
	for {
		cols, n, err := j.next(0, hash)
		if n == 0 || err != nil {
			return true, err
		}
		if err := j.held.take(j.w, 0, loaded(n, cols)); err != nil {
			return false, err
		}
		if j.held.mem.held > j.blockMax {
			some, err := j.more(0, hash)
			return !some, err
		}
	}
}

// blocks lets all passing rows of the hash pass by the block that is held, and by
// each one that follows.
func (j *asideJoin) blocks(hash int64) error {
	before := &earlier{mem: account{m: j.w.q.mem, what: "JOIN", todo: "filter more rows, join on equal columns, or raise the budget"}}
	defer func() { before.mem.release() }()
	run, err := j.firstPass(hash, before)
	if err != nil {
		return err
	}
	for !before.last {
		if err := j.complete(); err != nil {
			return err
		}
		if before.last, err = j.fillBlock(hash); err != nil {
			return err
		}
		if err := j.pass(run, before); err != nil {
			return err
		}
	}
	if err := run.Remove(); err != nil {
		return err
	}
	return j.complete()
}

// firstPass lets the rows pass by the first block and writes them for the others.
func (j *asideJoin) firstPass(hash int64, before *earlier) (*spill.Run, error) {
	out := j.w.q.space.NewWriter(j.passing)
	j.ready()
	j.probe.m.before = before
	before.at = 0
	for {
		cols, n, err := j.next(1, hash)
		if err != nil {
			return nil, err
		}
		if n == 0 {
			return out.Finish()
		}
		if err := out.Append(&column.Batch{Len: n, Cols: cols}); err != nil {
			return nil, err
		}
		if err := before.grow(n); err != nil {
			return nil, err
		}
		if err := j.probe.probe(loaded(n, cols)); err != nil {
			return nil, err
		}
		before.at += n
	}
}

// pass lets the rows of a run pass by the block that is held.
func (j *asideJoin) pass(run *spill.Run, before *earlier) error {
	r, err := run.Reader()
	if err != nil {
		return err
	}
	block := account{m: j.w.q.mem, what: "JOIN", todo: "select fewer columns, or raise the budget"}
	defer func() {
		r.Close()
		block.release()
	}()
	j.ready()
	j.probe.m.before = before
	before.at = 0
	for {
		if err := j.w.q.live(); err != nil {
			return err
		}
		b, err := r.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if err := block.hold(r.Held()); err != nil {
			return err
		}
		if err := j.probe.probe(loaded(b.Len, b.Cols)); err != nil {
			return err
		}
		before.at += b.Len
	}
}

// earlier is what the blocks before this one have told of passing rows: which
// have found a match, and for which IN is NULL if they find none. at is the first
// row of the frame that passes.
type earlier struct {
	hit, null column.Bits
	at        int
	last      bool // there are no more blocks
	mem       account
}

// grow makes room for n more rows.
func (e *earlier) grow(n int) error {
	words := (e.at + n + 63) / 64
	if words <= len(e.hit) {
		return nil
	}
	words += words / 2
	if err := e.mem.hold(int64(16 * words)); err != nil {
		return err
	}
	for _, b := range []*column.Bits{&e.hit, &e.null} {
		*b = append(*b, make(column.Bits, words-len(*b))...)
	}
	return nil
}

func (e *earlier) recall(hit []bool) {
	for i := range hit {
		hit[i] = e.hit.Get(e.at + i)
	}
}

func (e *earlier) remember(hit []bool) {
	for i, h := range hit {
		if h {
			e.hit.Set(e.at + i)
		}
	}
}

// wasNull reports whether IN was NULL for row i of the frame among earlier rows.
func (e *earlier) wasNull(i int) bool { return e != nil && e.null.Get(e.at+i) }

func (e *earlier) rememberNulls(mark *column.Vector) {
	for i := range mark.Len {
		if mark.IsNull(i) {
			e.null.Set(e.at + i)
		}
	}
}
