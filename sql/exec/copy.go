package exec

import (
	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/sqlerr"
)

// Copies of nested values.
//
// A copy of a number or of a text's place is small, but one of an array, a map or
// a row is as large as the value: an array that an UNNEST repeats for each of its
// million elements would be there a million times. So nested values that stand in
// many rows stay one value, in a dictionary that the rows have codes for; what
// needs them side by side works on a few rows at a time, and asks first whether
// there is room.

// shareBytes is how large a copy of nested values may be without asking whether
// some of them are the same: most are small.
const shareBytes = 64 << 10

// laidBytes is how many bytes it takes to lay nested values flat that are not;
// nothing for others.
func laidBytes(v *column.Vector) int64 {
	if v.Type.Payload() != column.PayloadNested || v.Dict == nil && !v.Const {
		return 0
	}
	return column.CopyBytes(v, 0, v.Len)
}

// wholeBytes is what a vector holds together with its dictionary.
func wholeBytes(v *column.Vector) int64 {
	n := vectorBytes(v)
	if v.Dict != nil {
		n += vectorBytes(v.Dict)
	}
	return n
}

// dicts are the dictionaries last charged, by column.
type dicts []*column.Vector

// fresh is what the dictionary of column i holds, 0 if it is the last one still.
func (d dicts) fresh(i int, v *column.Vector) int64 {
	if v.Dict == nil || v.Dict == d[i] {
		return 0
	}
	d[i] = v.Dict
	return vectorBytes(v.Dict)
}

// gather is column.Gather for places of which some may come many times.
func gather(v *column.Vector, at []int32) *column.Vector {
	if v.Type.Payload() != column.PayloadNested || v.Const || v.Dict != nil {
		return column.Gather(v, at)
	}
	n := int64(0)
	for _, p := range at {
		n += column.CopyBytes(v, int(p), int(p)+1)
	}
	if n <= shareBytes || n <= 2*column.CopyBytes(v, 0, v.Len) {
		return column.Gather(v, at)
	}
	out := &column.Vector{Type: v.Type, Len: len(at), Dict: v, Codes: make([]uint32, len(at))}
	for i, p := range at {
		out.Codes[i] = uint32(p)
	}
	return out
}

// gathered is gather with a result that is flat, but for nested values that stand
// in several rows.
func gathered(v *column.Vector, at []int32) *column.Vector {
	v = gather(v, at)
	if laidBytes(v) > shareBytes {
		return v
	}
	return column.Flatten(v)
}

// tooLarge is what fits panics with; recovered turns it into the error.
type tooLarge struct{ err *sqlerr.Error }

// freeBytes is how large a copy for one batch may be whatever the budget: batches
// on their way are not charged, and small budgets must work too.
const freeBytes = 1 << 20

// fits ends the query if the budget has no room for n bytes that are about to be
// copied.
func (q *query) fits(n int64, what string) {
	if n <= freeBytes || n <= q.mem.room() {
		return
	}
	panic(&tooLarge{sqlerr.New(sqlerr.OutOfMemory, sqlerr.Pos{},
		"%s needs more than the query's memory budget of %s: %s of arrays, maps or rows for one batch of rows", what, byteCount(q.mem.limit), byteCount(n)).
		WithHint("select fewer columns, take what you need out of arrays and maps before rows are repeated, or raise the budget")})
}

// laid returns v flat, a constant too.
func (q *query) laid(v *column.Vector, what string) *column.Vector {
	q.fits(laidBytes(v), what)
	return column.Flatten(v)
}

// picker makes a vector out of rows of others. A nested value that stands in
// several rows is copied once.
type picker struct {
	out    *column.Appender
	nested bool
	// codes say which of the values of out each row has, once that is not the one
	// with its own number.
	codes []uint32
	share bool
	known map[picked]uint32
	bytes int64 // of nested values that were copied
	laid  int64 // the same if each row had its own
}

// picked names a value by the flat vector that it is in.
type picked struct {
	leaf *column.Vector
	at   int
}

func newPicker(t *column.Type, n int) *picker {
	return &picker{out: column.NewAppender(t, n), nested: t.Payload() == column.PayloadNested}
}

// add appends value i of v.
func (p *picker) add(v *column.Vector, i int) {
	if !p.nested {
		p.out.Append(v, i)
		return
	}
	if v.IsNull(i) {
		p.own()
		p.out.Null()
		return
	}
	leaf, j := v.Leaf(i)
	size := column.CopyBytes(leaf, j, j+1)
	p.laid += size
	if v.Dict == nil && !v.Const {
		p.bytes += size
		p.own()
		p.out.Append(leaf, j)
		return
	}
	if !p.share {
		p.share, p.known = true, map[picked]uint32{}
		for i := range p.out.Len() {
			p.codes = append(p.codes, uint32(i))
		}
	}
	code, ok := p.known[picked{leaf, j}]
	if !ok {
		code = uint32(p.out.Len())
		p.known[picked{leaf, j}] = code
		p.bytes += size
		p.out.Append(leaf, j)
	}
	p.codes = append(p.codes, code)
}

// own gives the value that is appended next to one row.
func (p *picker) own() {
	if p.share {
		p.codes = append(p.codes, uint32(p.out.Len()))
	}
}

// vector returns what was picked.
func (p *picker) vector() *column.Vector {
	v := p.out.Vector()
	if !p.share || v.Len == len(p.codes) {
		return v
	}
	return &column.Vector{Type: v.Type, Len: len(p.codes), Dict: v, Codes: p.codes}
}
