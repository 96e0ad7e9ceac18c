package catalog

import (
	"encoding/binary"
	"fmt"
)

// View is a view that somebody has made, or what was decided about one that the lake has
// by itself.
type View struct {
	// Number names its groups in the segments of the store.
	Number uint32
	Store  uint32
	// Name is unique among views and stores, without regard to case.
	Name string
	// Query is its text.
	Query string
	// Days is its period; 0 for that of the store.
	Days uint32
	// Created is a time.
	Created int64
}

// ViewsOff says that a store does not keep the built-in views.
type ViewsOff struct{ Store uint32 }

const (
	keyView     = 'v'
	keyViewsOff = 'w'
)

func (v *View) key() []byte { return binary.BigEndian.AppendUint32([]byte{keyView}, v.Number) }

// Put writes the view.
func (v *View) Put(w Writer) {
	e := newEncoder()
	e.uint(uint64(v.Number))
	e.uint(uint64(v.Store))
	e.text(v.Name)
	e.text(v.Query)
	e.uint(uint64(v.Days))
	e.int(v.Created)
	w.Set(v.key(), e.seal(v.key()))
}

// Remove deletes the view's record.
func (v *View) Remove(w Writer) { w.Delete(v.key()) }

func (v *View) decode(key, value []byte) error {
	d, err := newDecoder(key, value)
	if err != nil {
		return err
	}
	v.Number = d.uint32()
	v.Store = d.uint32()
	v.Name = d.text()
	v.Query = d.text()
	v.Days = d.uint32()
	v.Created = d.int()
	return d.finish(v.key())
}

func (o *ViewsOff) key() []byte { return binary.BigEndian.AppendUint32([]byte{keyViewsOff}, o.Store) }

// Put writes that the store keeps none.
func (o *ViewsOff) Put(w Writer) {
	e := newEncoder()
	e.uint(uint64(o.Store))
	w.Set(o.key(), e.seal(o.key()))
}

// Remove says that it keeps them again.
func (o *ViewsOff) Remove(w Writer) { w.Delete(o.key()) }

func (o *ViewsOff) decode(key, value []byte) error {
	d, err := newDecoder(key, value)
	if err != nil {
		return err
	}
	o.Store = d.uint32()
	return d.finish(o.key())
}

// loadViews reads the records of views.
func (st *State) loadViews(r Reader) error {
	err := r.Scan([]byte{keyView}, func(key, value []byte) error {
		st.Views = append(st.Views, View{})
		return st.Views[len(st.Views)-1].decode(key, value)
	})
	if err != nil {
		return err
	}
	return r.Scan([]byte{keyViewsOff}, func(key, value []byte) error {
		st.ViewsOff = append(st.ViewsOff, ViewsOff{})
		return st.ViewsOff[len(st.ViewsOff)-1].decode(key, value)
	})
}

// verifyViews checks what must hold between these records and the stores.
func (st *State) verifyViews(stores map[uint32]bool) error {
	for i := range st.Views {
		if v := &st.Views[i]; !stores[v.Store] {
			return &CorruptError{Key: v.key(), Reason: fmt.Sprintf("view %q is of store %d, which does not exist", v.Name, v.Store)}
		}
	}
	for i := range st.ViewsOff {
		if o := &st.ViewsOff[i]; !stores[o.Store] {
			return &CorruptError{Key: o.key(), Reason: fmt.Sprintf("built-in views are off for store %d, which does not exist", o.Store)}
		}
	}
	return nil
}
