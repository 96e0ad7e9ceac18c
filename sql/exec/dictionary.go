package exec

import (
	"slices"

	"github.com/cairndb/cairn/segment/column"
)

// perEntry is an expression of one column. Where the column comes with a
// dictionary, it is evaluated once per entry, and the result is a vector of
// the same codes over a dictionary of results.
type perEntry struct {
	x     expr
	slot  int
	cache int
	typ   *column.Type
}

// dictCache is what a worker knows of one expression over one dictionary.
type dictCache struct {
	dict *column.Vector
	// rows is how many rows were evaluated one by one so far: when they exceed
	// the dictionary, evaluating all of it has paid for itself.
	rows int
	// failed is set when an entry could not be evaluated. Whether a row that
	// counts has that entry only the rows can tell.
	failed bool
	// result has a value per entry and one more for NULL; nil if not evaluated.
	result *column.Vector
	// true_ tells for which of the results a condition is true.
	true_ []bool
}

func (e *perEntry) eval(w *worker, f *frame) (*column.Vector, error) {
	v, err := f.col(w, e.slot)
	if err != nil {
		return nil, err
	}
	c, err := e.entries(w, f, v)
	if err != nil {
		return nil, err
	}
	if c == nil {
		return e.x.eval(w, f)
	}
	if c.result.Const {
		return column.NewConst(c.result, f.n), nil
	}
	return &column.Vector{Type: e.typ, Len: f.n, Dict: c.result, Codes: codesOf(v)}, nil
}

// codesOf returns the codes of a dictionary vector, with the number after the
// last entry where the vector itself has a NULL.
func codesOf(v *column.Vector) []uint32 {
	if !v.Nulls.Any() {
		return v.Codes
	}
	codes := make([]uint32, v.Len)
	null := uint32(v.Dict.Len)
	for i, c := range v.Codes[:v.Len] {
		if v.Nulls.Get(i) {
			c = null
		}
		codes[i] = c
	}
	return codes
}

// entries returns the results for the entries of v's dictionary, or nil when
// the rows are to be evaluated themselves.
func (e *perEntry) entries(w *worker, f *frame, v *column.Vector) (*dictCache, error) {
	if v.Dict == nil {
		return nil, nil
	}
	c := &w.dict[e.cache]
	if c.dict != v.Dict {
		*c = dictCache{dict: v.Dict}
	}
	if c.result != nil {
		return c, nil
	}
	if c.failed {
		return nil, nil
	}
	if c.rows += f.n; v.Dict.Len > c.rows {
		return nil, nil
	}
	if w.extendedOf != v.Dict {
		w.extendedOf, w.extended = v.Dict, withNull(v.Dict)
	}
	g := loaded(w.extended.Len, make([]*column.Vector, len(f.cols)))
	g.cols[e.slot] = w.extended
	result, err := e.x.eval(w, g)
	if err != nil {
		if !forgivable(err) {
			return nil, err
		}
		c.failed = true
		return nil, nil
	}
	if !result.Const {
		result = column.Flatten(result)
	}
	c.result = result
	return c, nil
}

// withNull returns the entries of a dictionary as a flat vector with a NULL at
// its end.
func withNull(dict *column.Vector) *column.Vector {
	d := column.Flatten(dict)
	at := make([]int32, d.Len+1)
	for i := range d.Len {
		at[i] = int32(i)
	}
	if d.Len == 0 {
		v := column.New(d.Type, 1)
		v.SetNull(0)
		return v
	}
	v := column.Gather(d, at)
	v.SetNull(d.Len)
	return v
}

// selectRows looks the rows of a condition up by their codes.
func (e *perEntry) selectRows(w *worker, f *frame, at []int32) ([]int32, bool, error) {
	v, err := f.col(w, e.slot)
	if err != nil {
		return nil, false, err
	}
	c, err := e.entries(w, f, v)
	if err != nil {
		return nil, false, err
	}
	if c == nil {
		if s, ok := e.x.(rowSelector); ok {
			return s.selectRows(w, f, at)
		}
		return nil, false, nil
	}
	if c.true_ == nil {
		c.true_ = make([]bool, c.dict.Len+1)
		for i := range c.true_ {
			leaf, j := c.result.Leaf(i)
			c.true_[i] = !leaf.Nulls.Get(j) && leaf.I64[j] != 0
		}
	}
	ok := c.true_
	if !v.Nulls.Any() {
		n := len(at)
		at = slices.Grow(at, f.n)[:n+f.n]
		for i, code := range v.Codes[:f.n] {
			at[n] = int32(i)
			in := 0
			if ok[code] {
				in = 1
			}
			n += in
		}
		return at[:n], true, nil
	}
	null := ok[c.dict.Len]
	for i, code := range v.Codes[:f.n] {
		if v.Nulls.Get(i) {
			if null {
				at = append(at, int32(i))
			}
		} else if ok[code] {
			at = append(at, int32(i))
		}
	}
	return at, true, nil
}
