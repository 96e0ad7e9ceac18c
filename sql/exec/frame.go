package exec

import (
	"github.com/cairndb/cairn/segment/column"
)

// frame is a set of rows on their way through the operators: n rows, whose
// columns are loaded when first asked for. A frame is used by one goroutine.
type frame struct {
	n    int
	cols []*column.Vector // nil until loaded
	src  loader           // nil when all columns are loaded
	// shared are values of expressions that stand in several places.
	shared []sharedValue
}

// loader knows how to get the columns of a frame.
type loader interface {
	// load returns the column at all rows of the frame.
	load(w *worker, slot int) (*column.Vector, error)
	// loadAt returns the column at the given ascending rows of the frame.
	loadAt(w *worker, slot int, at []int32) (*column.Vector, error)
}

// col returns a column at all rows.
func (f *frame) col(w *worker, slot int) (*column.Vector, error) {
	if v := f.cols[slot]; v != nil {
		return v, nil
	}
	v, err := f.src.load(w, slot)
	if err != nil {
		return nil, err
	}
	f.cols[slot] = v
	return v, nil
}

// colAt returns a column at some rows, without loading it at the others.
func (f *frame) colAt(w *worker, slot int, at []int32) (*column.Vector, error) {
	if v := f.cols[slot]; v != nil {
		return column.Gather(v, at), nil
	}
	return f.src.loadAt(w, slot, at)
}

// sub returns the frame of the given ascending rows of f.
func (f *frame) sub(at []int32) *frame {
	return &frame{n: len(at), cols: make([]*column.Vector, len(f.cols)), src: &subset{f, at}}
}

// subset loads the columns of some rows of another frame.
type subset struct {
	of *frame
	at []int32
}

func (s *subset) load(w *worker, slot int) (*column.Vector, error) {
	return s.of.colAt(w, slot, s.at)
}

func (s *subset) loadAt(w *worker, slot int, at []int32) (*column.Vector, error) {
	inner := make([]int32, len(at))
	for i, p := range at {
		inner[i] = s.at[p]
	}
	return s.of.colAt(w, slot, inner)
}

// loaded is a frame whose columns are all there.
func loaded(n int, cols []*column.Vector) *frame { return &frame{n: n, cols: cols} }

// vectorBytes estimates the memory that a vector holds, dictionaries aside:
// those are shared, and charged by who keeps them.
func vectorBytes(v *column.Vector) int64 {
	n := int64(8*len(v.Nulls)+4*len(v.Codes)+8*len(v.I64)+8*len(v.F64)+16*len(v.Str)+2*len(v.Zone)+4*len(v.Offsets)) + 64
	for _, s := range v.Str {
		n += int64(len(s))
	}
	for _, c := range v.Children {
		n += vectorBytes(c)
	}
	return n
}
