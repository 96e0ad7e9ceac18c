package segment

import "slices"

// ColumnValues are the values of one column, for building indexes without
// decoding anything. Values are raw JSON text: the inside of a string with its
// escapes (see [Unescape]), a number or boolean as it is written.
type ColumnValues struct {
	// Path are the keys from the top; "[]" stands for any element of an array,
	// and InArray is set when there is one.
	Path    []string
	InArray bool
	// Kind is String, Number or Bool, or Object for JSON text of values beyond a cap.
	Kind Kind
	// Values is how many there are, in all rows.
	Values int
	// Entries is the number of distinct values if Dict is set: then Codes
	// holds the entry of each value, in row order. It is read-only.
	Dict    bool
	Entries int
	Codes   []uint32
	// Escapes is set when some value has a backslash, so that its raw text is
	// not what it stands for.
	Escapes bool

	column *builderColumn
	number uint32
	coded  bool
	codes  []uint32
	order  []uint32 // nil: entries are in the builder's order
	b      *Builder
}

func (f *finisher) columnValues(c *finalColumn) ColumnValues {
	v := ColumnValues{
		Kind: leafKinds[c.kind], Values: c.n, Escapes: c.flags&columnEscapes != 0,
		column: c.builderColumn, number: c.number, order: c.order, b: f.b,
	}
	for n := c.node; n != 0; n = f.a.nodes[n].parent {
		if f.a.nodes[n].element {
			v.Path, v.InArray = append(v.Path, "[]"), true
		} else {
			v.Path = append(v.Path, f.a.nodes[n].key)
		}
	}
	slices.Reverse(v.Path)
	if v.coded = !c.plain; v.coded {
		v.codes = c.codes
	}
	if !c.plain && c.built == nil {
		v.Dict, v.Entries, v.Codes = true, len(c.ends), c.codes
	}
	return v
}

// Entry returns distinct value i of a dictionary column. It must not be changed.
func (c *ColumnValues) Entry(i int) []byte {
	if c.order != nil {
		i = int(c.order[i])
	}
	return c.column.entry(i)
}

// Value returns value i in row order. It must not be changed.
func (c *ColumnValues) Value(i int) []byte {
	if c.coded {
		return c.Entry(int(c.codes[i]))
	}
	return c.column.entry(i)
}

// Rows appends the row number of every value, ascending: a row with several
// values occurs several times.
func (c *ColumnValues) Rows(dst []uint16) []uint16 {
	b := c.b
	count := make([]uint16, len(b.shapes))
	for s := range b.shapes {
		for _, e := range b.words[b.shapes[s].from:b.shapes[s].to] {
			if b.a.edges[e].to == c.number {
				count[s]++
			}
		}
	}
	dst = slices.Grow(dst, c.Values)
	for row, s := range b.rows {
		for range count[s] {
			dst = append(dst, uint16(row))
		}
	}
	return dst
}

// Columns returns all columns, in the order of their paths; read-only.
func (e *Encoded) Columns() []ColumnValues { return e.columns }

// EachColumn calls fn for every column, in the order of their paths, until it
// returns an error, which it returns.
func (e *Encoded) EachColumn(fn func(c *ColumnValues) error) error {
	for i := range e.columns {
		if err := fn(&e.columns[i]); err != nil {
			return err
		}
	}
	return nil
}

// Column returns the column of a kind at an object-key path; false when no
// record has such a value (or all that have are kept as text because of a cap).
func (e *Encoded) Column(path []string, kind Kind) (*ColumnValues, bool) {
	for i := range e.columns {
		if c := &e.columns[i]; c.Kind == kind && !c.InArray && slices.Equal(c.Path, path) {
			return c, true
		}
	}
	return nil, false
}
