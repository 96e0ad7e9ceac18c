package segment

import "bytes"

// builderColumn collects the values of one column in the order of the records:
// as codes into a dictionary of distinct values as long as that is worth it,
// then plainly.
type builderColumn struct {
	// What every value needs comes first, for the sake of cache lines.
	kind    leafKind
	plain   bool
	probe   bool // the hash table degenerated: stop using a dictionary
	inArray bool
	watched bool     // it is watched, or something below it
	n       int      // values
	slots   []slot   // hash table
	codes   []uint32 // per value, unless plain
	ends    []uint32 // where each distinct value (or, when plain, each value) ends in data
	data    []byte   // the values, one after the other

	node        uint32
	watch       uint8   // 1 + index in Options.Watch
	below       []uint8 // watched paths below the node
	record      uint64  // the scan that recordStart belongs to
	recordStart int     // values before that record
	shape       uint64  // the scan that inShape belongs to
	inShape     int
	// Memory of the other form: plain values while there is a dictionary, and
	// the other way round.
	spareEnds []uint32
	spareData []byte
}

// slot of a hash table: an entry and where its text is, so that a comparison
// touches no third place.
type slot struct {
	tag      uint32 // upper half of the hash
	entry    uint32 // 1 + number
	from, to uint32 // in data
}

const (
	// askedFrom: whether a dictionary is worth it is asked when the number of
	// values reaches this or a larger power of two.
	askedFrom = 1024
	// maxDictionary is the most distinct values a dictionary keeps: beyond it,
	// codes and dictionary pages cost more than they save.
	maxDictionary = 49152
	// maxProbe bounds the search in the hash table; only values made to collide
	// come near it.
	maxProbe = 128
)

// add appends a value whose hash is h; fresh says that a dictionary entry was made for it.
func (c *builderColumn) add(raw []byte, h uint64) (fresh bool) {
	c.n++
	if c.plain {
		c.data = append(c.data, raw...)
		c.ends = append(c.ends, uint32(len(c.data)))
		return false
	}
	if len(c.ends)*2 >= len(c.slots) {
		c.grow()
	}
	mask := uint64(len(c.slots) - 1)
	tag := uint32(h >> 32)
	i := h & mask
	for probes := 0; ; probes++ {
		s := &c.slots[i]
		if s.entry == 0 {
			break
		}
		if s.tag == tag && string(c.data[s.from:s.to]) == string(raw) {
			c.codes = append(c.codes, s.entry-1)
			return false
		}
		if probes == maxProbe {
			c.probe = true
		}
		i = (i + 1) & mask
	}
	e, from := uint32(len(c.ends)), uint32(len(c.data))
	c.data = append(c.data, raw...)
	to := uint32(len(c.data))
	c.ends = append(c.ends, to)
	c.slots[i] = slot{tag, e + 1, from, to}
	c.codes = append(c.codes, e)
	return true
}

// pop takes back the value added last; fresh is what add said.
func (c *builderColumn) pop(fresh bool) {
	c.n--
	if c.plain {
		c.cut()
		return
	}
	if fresh {
		// The entry was put into the table last, so no other entry was placed
		// beyond it: emptying its slot breaks no search.
		e := uint32(len(c.ends))
		mask := uint64(len(c.slots) - 1)
		for i := hashText(c.entry(len(c.ends)-1), textSeed) & mask; ; i = (i + 1) & mask {
			if c.slots[i].entry == e {
				c.slots[i] = slot{}
				break
			}
		}
		c.cut()
	}
	c.codes = c.codes[:len(c.codes)-1]
}

func (c *builderColumn) cut() {
	c.ends = c.ends[:len(c.ends)-1]
	end := 0
	if n := len(c.ends); n > 0 {
		end = int(c.ends[n-1])
	}
	c.data = c.data[:end]
}

// entry returns distinct value i, or value i of a plain column.
func (c *builderColumn) entry(i int) []byte {
	from := uint32(0)
	if i > 0 {
		from = c.ends[i-1]
	}
	return c.data[from:c.ends[i]]
}

// textSeed starts every hash of a value. Collisions cost at most maxProbe
// steps a value before the dictionary is given up, so it need not be secret.
const textSeed = 0x2545f4914f6cdd1d

func (c *builderColumn) grow() {
	size := max(16, 2*len(c.slots))
	if cap(c.slots) >= size {
		c.slots = c.slots[:size]
		clear(c.slots)
	} else {
		c.slots = make([]slot, size)
	}
	mask := uint64(size - 1)
	from := uint32(0)
	for e, to := range c.ends {
		h := hashText(c.data[from:to], textSeed)
		i := h & mask
		for c.slots[i].entry != 0 {
			i = (i + 1) & mask
		}
		c.slots[i] = slot{uint32(h >> 32), uint32(e) + 1, from, to}
		from = to
	}
}

// ask reports whether the number of values is one at which a column is asked
// if its dictionary is worth keeping.
func (c *builderColumn) ask() bool {
	return !c.plain && (c.n >= askedFrom && c.n&(c.n-1) == 0 || len(c.ends) >= maxDictionary || c.probe)
}

// decide turns the column plain if a dictionary is not worth it.
func (c *builderColumn) decide() {
	if !c.plain && (c.n >= askedFrom && len(c.ends) > c.n/2 || len(c.ends) >= maxDictionary || c.probe) {
		c.spell()
	}
}

// spell writes the values of a dictionary column out.
func (c *builderColumn) spell() {
	data, ends := c.spareData[:0], c.spareEnds[:0]
	for _, e := range c.codes {
		data = append(data, c.entry(int(e))...)
		ends = append(ends, uint32(len(data)))
	}
	c.spareData, c.spareEnds = c.data, c.ends
	c.data, c.ends, c.plain = data, ends, true
}

// recodeSample values tell whether a plain column repeats itself in the long run.
const recodeSample = 1024

// recode gives a plain column a dictionary after all, if that is worth it now that all
// values are there: the answer of the first thousand holds for random identifiers, but not
// for those of a few thousand machines that come again and again.
func (c *builderColumn) recode() {
	if !c.plain || c.probe || c.n < askedFrom {
		return
	}
	var seen [4 * recodeSample]uint64
	step, again := c.n/recodeSample, 0
	for i := 0; i < c.n; i += step {
		h := hashText(c.entry(i), textSeed) | 1
		k := h >> 32 % uint64(len(seen))
		for seen[k] != 0 && seen[k] != h {
			k = (k + 1) % uint64(len(seen))
		}
		if seen[k] == h {
			again++
		}
		seen[k] = h
	}
	// Of n values drawn from a pool half are repetitions when it has n/1.6; a sample of s
	// of them then has s²/2 · 1.6/n. A third fewer may be chance.
	if again*c.n < recodeSample*recodeSample/2 {
		return
	}
	c.data, c.ends, c.spareData, c.spareEnds = c.spareData[:0], c.spareEnds[:0], c.data, c.ends
	c.codes, c.plain = c.codes[:0], false
	clear(c.slots)
	n, from := c.n, uint32(0)
	c.n = 0
	for _, to := range c.spareEnds {
		v := c.spareData[from:to]
		from = to
		c.add(v, hashText(v, textSeed))
		if len(c.ends) > n/2 || len(c.ends) >= maxDictionary || c.probe {
			c.data, c.ends, c.spareData, c.spareEnds = c.spareData, c.spareEnds, c.data, c.ends
			c.n, c.codes, c.plain = n, c.codes[:0], true
			return
		}
	}
}

// reset forgets the values and keeps the memory if there were any.
func (c *builderColumn) reset() {
	if c.n == 0 {
		c.codes, c.data, c.ends, c.slots, c.spareData, c.spareEnds = nil, nil, nil, nil, nil, nil
		return
	}
	if c.plain {
		c.data, c.ends, c.spareData, c.spareEnds = c.spareData, c.spareEnds, c.data, c.ends
	}
	c.n, c.plain, c.probe = 0, false, false
	c.codes, c.data, c.ends = c.codes[:0], c.data[:0], c.ends[:0]
	clear(c.slots)
}

func (c *builderColumn) memory() int64 {
	return int64(cap(c.codes))*4 + int64(cap(c.data)) + int64(cap(c.ends))*4 + int64(cap(c.slots))*16 +
		int64(cap(c.spareData)) + int64(cap(c.spareEnds))*4
}

func compareEntries(c *builderColumn, a, b uint32) int {
	return bytes.Compare(c.entry(int(a)), c.entry(int(b)))
}
