package segment

import "context"

// Leaves are walked over, row after row, where what is asked for stands in many columns, some of them within arrays, and
// what a value means is found out once for each entry of a dictionary. Only the edges to the columns
// that are asked for are followed, and no text is made of a value before it is wanted.

// LeafPlace is a place whose leaves are asked for: those at a path of keys, and those of the elements of an array
// there; with Key, those of that member of objects which are elements.
type LeafPlace struct {
	Path []string
	Key  string
}

// Leaf is a value on a walk. It is valid until the next one.
type Leaf struct {
	Row int
	// Place is the number of the place, −1 for JSON text that is kept as it is, at a place or above one: what
	// the record has at its places is then in the record alone.
	Place int
	// Column is a number of the column, from 0 on, and Code that of its value: leaves of a column with the same code
	// are the same. Code is −1 where that is not known; else it is less than Codes.
	Column, Code, Codes int
	Kind                Kind // String, Number or Bool; Object for JSON text

	sc *scanner
	cu *cursor
	at uint32
}

// Raw returns the bytes of the value as they are in the record, of a string those between the quotes. They are
// valid until the next leaf.
func (l *Leaf) Raw() ([]byte, error) { return l.sc.valueAt(l.cu, l.at) }

// leafStep is a value that a shape has in a column of a walk.
type leafStep struct {
	column int
	leaf   int // the number of the leaf, or onlyPassed
}

// EachLeaf calls fn with the leaves at some places, each of which has another path or key, in the order of rows and, within
// a row, of the record. All of equal keys have theirs. It ends with the first error of fn.
func (r *Reader) EachLeaf(ctx context.Context, places []LeafPlace, fn func(l *Leaf) error) error {
	d, err := r.directory(ctx)
	if err != nil {
		return err
	}
	leaves, number := d.leavesAt(places)
	if len(leaves) == 0 {
		return nil
	}
	sc, err := r.scanner(ctx, true)
	if err != nil {
		return err
	}
	defer sc.close()
	var steps []leafStep
	ends := make([]int, d.shapes+1)
	for s := range d.shapes {
		for _, e := range sc.s.shape(uint16(s)) {
			if c := int(sc.s.edges[e].to) - 1; c >= 0 && number[c] != notWalked {
				steps = append(steps, leafStep{c, number[c]})
			}
		}
		ends[s+1] = len(steps)
	}
	for b := range d.rowBlocks {
		if err := sc.enter(b); err != nil {
			return err
		}
		for row, shape := range sc.shapes {
			sc.serial++
			for _, st := range steps[ends[shape]:ends[shape+1]] {
				if st.leaf >= 0 {
					l := &leaves[st.leaf]
					l.Row, l.sc = b*BlockRows+row, sc
					if err := l.find(st.column); err != nil {
						return err
					}
					if err := fn(l); err != nil {
						return err
					}
				}
				if sc.passed[st.column]++; d.columns[st.column].source {
					sc.taken[st.column] = sc.serial
				}
			}
		}
	}
	return nil
}

// leavesAt returns a leaf for each column at the places, and by column the number of its leaf; onlyPassed for those that
// built ones among them are put together from, notWalked for all others.
func (d *directory) leavesAt(places []LeafPlace) (leaves []Leaf, number []int) {
	number = make([]int, len(d.columns))
	for c := range number {
		number[c] = notWalked
	}
	// add adds the columns at a node: where it only leads to a place, that of JSON text, which may have the place inside.
	add := func(node uint32, place int) {
		from, to := d.columnsAt(node)
		for c := from; c < to; c++ {
			kind, of := leafKinds[d.columns[c].kind], place
			if d.columns[c].kind == leafJSON {
				of = -1
			} else if place < 0 {
				continue
			}
			if number[c] < 0 {
				number[c] = len(leaves)
				leaves = append(leaves, Leaf{Place: of, Column: len(leaves), Kind: kind})
			}
		}
	}
	for i, p := range places {
		node, ok := uint32(0), true
		add(node, -1)
		for _, k := range p.Path {
			if node, ok = d.child(node, k); !ok {
				break
			}
			add(node, -1)
		}
		if !ok {
			continue
		}
		element, some := d.element(node)
		if p.Key == "" {
			add(node, i)
			if some {
				add(element, i)
			}
		} else if some {
			add(element, -1)
			if member, ok := d.child(element, p.Key); ok {
				add(member, i)
			}
		}
	}
	for c := range d.columns {
		if number[c] >= 0 && d.columns[c].built() {
			for _, s := range d.detail(&d.columns[c]).sources {
				if number[s] == notWalked {
					number[s] = onlyPassed
				}
			}
		}
	}
	return leaves, number
}

const (
	onlyPassed = -1
	notWalked  = -2
)

// find finds the value that the present row has next in a column.
func (l *Leaf) find(column int) error {
	sc := l.sc
	cu := sc.cursors[column]
	if cu == nil {
		var err error
		if cu, err = sc.cursor(column); err != nil {
			return err
		}
	}
	l.cu, l.at, l.Code = cu, cu.base+sc.passed[column], -1
	if cu.c.encoding == encTiny {
		if int(l.at) >= cu.tiny.n {
			return sc.damaged(cu, errShape)
		}
		l.Code, l.Codes = cu.tiny.code(int(l.at)), len(cu.tiny.entries)
		return nil
	}
	if l.at >= cu.c.n {
		return sc.damaged(cu, errShape)
	}
	if !cu.c.coded() {
		return nil
	}
	if l.at < cu.from || l.at >= cu.to {
		if err := sc.turn(cu, l.at); err != nil {
			return err
		}
	}
	l.Code, l.Codes = int(cu.flat[l.at-cu.from]), cu.det.distinct
	return nil
}
