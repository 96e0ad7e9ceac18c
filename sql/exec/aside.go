package exec

import (
	"math/bits"
	"sync/atomic"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/fn"
)

// Rows put aside by a hash.
//
// Groups, and the two sides of a join, that do not fit in memory are written as
// runs that are sorted by a hash of their keys. What belongs together then comes
// together when the runs are merged, in the order of the hash, and is worked on
// a piece at a time: however much there is, only the rows of one hash must be in
// memory together. Runs are split into ranges of hashes, which workers read
// beside each other.
//
// A row has the hash, perhaps a second one that orders rows within the first,
// then its columns.

// asideSpec is what all rows of one kind that an operator puts aside share.
type asideSpec struct {
	sort   *sortOp // by the hashes
	hashes int     // 1 or 2
	ranges int     // a power of two
	number atomic.Int64
}

// asideRanges is how many ranges of hashes are read at once by an operator that
// puts rows of some kinds aside: one for every worker, if the budget has room
// for the blocks of that many runs.
func asideRanges(q *query, kinds int) int {
	n := min(q.workers, q.mem.fanIn()/(4*kinds))
	return 1 << max(0, bits.Len(uint(n))-1)
}

// newAsideSpec describes rows with the given columns behind their hashes. kinds
// is how many kinds of rows are read at once.
func newAsideSpec(stats *opStats, types []*column.Type, hashes, ranges, kinds int) *asideSpec {
	spec := &sortSpec{wanted: -1}
	all := make([]*column.Type, 0, hashes+len(types))
	for i := range hashes {
		all = append(all, column.BigIntType)
		spec.keys = append(spec.keys, sortKey{x: &refExpr{slot: i}, typ: column.BigIntType})
	}
	all = append(all, types...)
	return &asideSpec{
		sort:   &sortOp{stats: opStats{}, spec: spec, width: len(all), types: all, beside: ranges * kinds},
		hashes: hashes, ranges: ranges,
	}
}

// aside is what one worker has put aside.
type aside struct {
	spec  *asideSpec
	parts []*sorter // by range
	ord   uint64    // of the next row: the number of the worker, then of the row
}

func (s *asideSpec) newAside(q *query) *aside {
	a := &aside{spec: s, ord: uint64(s.number.Add(1)) << 40}
	for range s.ranges {
		p := newSorter(q, &s.sort.stats, s.sort.spec, s.sort.width)
		p.types = s.sort.types
		a.parts = append(a.parts, p)
	}
	return a
}

// hashOf hashes rows by the columns of their keys. Without columns all rows have
// the same hash. Hashes are not negative, so that their order is that of
// integers.
func hashOf(cols []*column.Vector, n int) *column.Vector {
	hashes := make([]uint64, n)
	for _, v := range cols {
		fn.HashInto(hashes, v)
	}
	out := column.New(column.BigIntType, n)
	for i, h := range hashes {
		out.I64[i] = int64(mix(h) >> 1)
	}
	return out
}

// put collects rows, which are written with the next call of write. cols are
// their hashes, flat, and columns.
func (a *aside) put(cols []*column.Vector, n int) {
	shift := 64 - uint(bits.Len(uint(a.spec.ranges)))
	rows := make([][]int32, a.spec.ranges)
	for i, h := range cols[0].I64[:n] {
		r := h >> shift
		if a.spec.ranges == 1 {
			r = 0
		}
		rows[r] = append(rows[r], int32(i))
	}
	for r, at := range rows {
		if len(at) == 0 {
			continue
		}
		p := a.parts[r]
		for k := range a.spec.hashes {
			p.keys[k].add(column.Gather(cols[k], at), len(at))
		}
		for _, i := range at {
			p.ord = append(p.ord, a.ord+uint64(i))
			p.at = append(p.at, uint64(len(p.chunks))<<32|uint64(i))
		}
		p.chunks = append(p.chunks, cols)
	}
	a.ord += uint64(n)
}

// write writes what has been collected.
func (a *aside) write() error {
	for _, p := range a.parts {
		if err := p.putAside(); err != nil {
			return err
		}
	}
	return nil
}

// hashReader reads the rows of one range of hashes, put aside by any number of
// workers, in the order of their hashes.
type hashReader struct {
	spec *asideSpec
	m    *merge
	f    *frame // rows at and after at are to come; nil after the last
	at   int
	end  bool
}

func (s *asideSpec) newReader(q *query, all []*aside, part int) (*hashReader, error) {
	var sorters []*sorter
	for _, a := range all {
		if a != nil {
			sorters = append(sorters, a.parts[part])
		}
	}
	m, err := newMerge(q, s.sort, sorters)
	return &hashReader{spec: s, m: m}, err
}

func (r *hashReader) close() {
	if r != nil && r.m != nil {
		r.m.end()
	}
}

// fill makes sure that there is a row, if there are any more.
func (r *hashReader) fill() error {
	if r.end || r.f != nil && r.at < r.f.n {
		return nil
	}
	if err := r.m.q.live(); err != nil {
		return err
	}
	f, err := r.m.frame(r.spec.sort)
	r.f, r.at, r.end = f, 0, f == nil
	return err
}

// last is the hash of the last row at hand, of which more may follow.
func (r *hashReader) last() int64 { return r.f.cols[0].I64[r.f.n-1] }

// upTo takes the rows at hand whose hash is below h, or also those with h, and
// returns their hashes and columns; n is 0 when there are none.
func (r *hashReader) upTo(h int64, with bool) (cols []*column.Vector, n int) {
	if r.f == nil {
		return nil, 0
	}
	from := r.at
	for hashes := r.f.cols[0].I64; r.at < r.f.n && (hashes[r.at] < h || with && hashes[r.at] == h); r.at++ {
	}
	if r.at == from {
		return nil, 0
	}
	cols = make([]*column.Vector, len(r.f.cols))
	for i, v := range r.f.cols {
		cols[i] = v.Slice(from, r.at)
	}
	return cols, r.at - from
}

// together reads several kinds of rows side by side. take gets the rows of
// readers[kind]; complete is called whenever all rows of all hashes seen so far
// have been taken. Rows of one hash that reach beyond what is at hand are taken
// kind by kind, or by whole if there is one.
func together(readers []*hashReader, take func(kind int, cols []*column.Vector, n int) error, whole func(hash int64) error, complete func() error) error {
	for {
		h, any := int64(0), false
		for _, r := range readers {
			if err := r.fill(); err != nil {
				return err
			}
			if !r.end && (!any || r.last() < h) {
				h, any = r.last(), true
			}
		}
		if !any {
			return nil
		}
		some := false
		for kind, r := range readers {
			if cols, n := r.upTo(h, false); n > 0 {
				some = true
				if err := take(kind, cols, n); err != nil {
					return err
				}
			}
		}
		switch {
		case !some && whole != nil:
			if err := whole(h); err != nil {
				return err
			}
		case !some:
			for kind, r := range readers {
				for {
					if err := r.fill(); err != nil {
						return err
					}
					cols, n := r.upTo(h, true)
					if n == 0 {
						break
					}
					if err := take(kind, cols, n); err != nil {
						return err
					}
				}
			}
		}
		if err := complete(); err != nil {
			return err
		}
	}
}
