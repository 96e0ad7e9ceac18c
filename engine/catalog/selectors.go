package catalog

import "fmt"

// Selectors are which events of those that are offered to all stores a store takes. A
// store without a record takes all of its schema.
type Selectors struct {
	Store uint32
	// Text is the JSON of the selectors; what is in it is told by engine/event.
	Text []byte
}

const (
	keySelectors = 'f'

	// selectorsMax bounds the text: 500 values of 2,048 characters of four bytes each,
	// escaped, and what is around them.
	selectorsMax = 8 << 20
)

func (s *Selectors) key() []byte { return storeKey(keySelectors, s.Store) }

// Put writes the selectors.
func (s *Selectors) Put(w Writer) {
	e := newEncoder()
	e.uint(uint64(s.Store))
	e.text(string(s.Text))
	w.Set(s.key(), e.seal(s.key()))
}

// Remove deletes the record.
func (s *Selectors) Remove(w Writer) { w.Delete(s.key()) }

func (s *Selectors) decode(key, value []byte) error {
	d, err := newDecoder(key, value)
	if err != nil {
		return err
	}
	s.Store = d.uint32()
	s.Text = d.long(selectorsMax)
	return d.finish(s.key())
}

// long reads a text of up to limit bytes.
func (d *decoder) long(limit uint64) []byte {
	n := d.uint()
	if n > limit || n > uint64(len(d.b)) {
		d.fail("text of %d bytes in %d", n, len(d.b))
		return nil
	}
	b := clone(d.b[:n])
	d.b = d.b[n:]
	return b
}

func (st *State) loadSelectors(r Reader) error {
	return r.Scan([]byte{keySelectors}, func(key, value []byte) error {
		st.Selectors = append(st.Selectors, Selectors{})
		return st.Selectors[len(st.Selectors)-1].decode(key, value)
	})
}

func (st *State) verifySelectors(stores map[uint32]bool) error {
	for i := range st.Selectors {
		if s := &st.Selectors[i]; !stores[s.Store] {
			return &CorruptError{Key: s.key(), Reason: fmt.Sprintf("selectors are of store %d, which does not exist", s.Store)}
		}
	}
	return nil
}
