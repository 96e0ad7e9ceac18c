package catalog

import "math"

// Insight is what has been decided about the search for unusual activity in a store. A store without one was never
// searched.
type Insight struct {
	Store uint32
	On    bool
	// Generation grows by one when what is found can be another from then on: what was derived under
	// an earlier one is derived again.
	Generation uint64
	// Types are bits: 1 rates of calls, 2 rates of errors; Categories too: 1 management events, 2 data events.
	Types, Categories uint32
	// Destination is the number of the store that records go to, First the sequence number of the first one that can be
	// about this store.
	Destination uint32
	First       uint64
	// Lateness is the bound in minutes.
	Lateness uint32
	// The parameters of package insight.
	Sensitivity, MinRate float64
	MinCalls             uint64
	MinDuration          uint32
	// Changed is a time.
	Changed int64
}

const keyInsight = 'n'

// Bits of Types and Categories, all of them.
const insightBits = 3

func (n *Insight) key() []byte { return storeKey(keyInsight, n.Store) }

// Put writes the record.
func (n *Insight) Put(w Writer) {
	e := newEncoder()
	e.uint(uint64(n.Store))
	e.bool(n.On)
	e.uint(n.Generation)
	e.uint(uint64(n.Types))
	e.uint(uint64(n.Categories))
	e.uint(uint64(n.Destination))
	e.uint(n.First)
	e.uint(uint64(n.Lateness))
	e.uint(math.Float64bits(n.Sensitivity))
	e.uint(math.Float64bits(n.MinRate))
	e.uint(n.MinCalls)
	e.uint(uint64(n.MinDuration))
	e.int(n.Changed)
	w.Set(n.key(), e.seal(n.key()))
}

// Remove deletes the record.
func (n *Insight) Remove(w Writer) { w.Delete(n.key()) }

func (n *Insight) decode(key, value []byte) error {
	d, err := newDecoder(key, value)
	if err != nil {
		return err
	}
	n.Store = d.uint32()
	n.On = d.bool()
	n.Generation = d.uint()
	n.Types = d.uint32()
	n.Categories = d.uint32()
	n.Destination = d.uint32()
	n.First = d.uint()
	n.Lateness = d.uint32()
	n.Sensitivity = math.Float64frombits(d.uint())
	n.MinRate = math.Float64frombits(d.uint())
	n.MinCalls = d.uint()
	n.MinDuration = d.uint32()
	n.Changed = d.int()
	if d.err == nil && (n.Types == 0 || n.Types > insightBits || n.Categories == 0 || n.Categories > insightBits) {
		d.fail("types %d and categories %d of insights are not known", n.Types, n.Categories)
	}
	return d.finish(n.key())
}

// Insights returns what has been decided about all stores, by store.
func Insights(r Reader) ([]Insight, error) {
	var list []Insight
	err := r.Scan([]byte{keyInsight}, func(key, value []byte) error {
		var n Insight
		if err := n.decode(key, value); err != nil {
			return err
		}
		list = append(list, n)
		return nil
	})
	return list, err
}
