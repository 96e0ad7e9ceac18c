package segment

import (
	"encoding/binary"
	"math/bits"
	"slices"
)

// Value pages hold texts: those of a plain column, or a part of a dictionary.
// Real columns mix forms (one "EXAMPLE" among a thousand UUIDs), so the values
// of a page are split into classes, each stored in the way that suits it:
//
//	number of classes (byte) · their kinds (bytes)
//	if more than one class: length (uvarint) and code page: the class of every value
//	lengths of all sections but the last (uvarint) · sections
//
// A text section is a row of frames, each with its own zstd frame (or stored
// as it is when that is not longer):
//
//	frames (uvarint) · per frame: values, unpacked length, stored length (uvarint) · frames
//	unpacked: the length of every value (uvarint) · the values
//
// In a sorted section, what the value has in common with the one before it in
// the frame is left out: per value the length of that and of the rest, then the rests.
//
// A packed section is for values of one length that are random: each position
// has its own alphabet and is written with just the bits that it needs. Constant
// positions (the dashes of a UUID) need none, hexadecimal digits 4, base64 6.
//
//	length of a value (uvarint)
//	runs of positions: length<<1 | constant (uvarint), then
//	  the constant bytes, or the size of the alphabet − 1 and its bytes, ascending
//	fields of all values, no padding between values
//
// Token sections are described at tokens.go. Integer and time sections are described at packInts; a time is in seconds.
const (
	classText = iota
	classSorted
	classPacked
	classInt
	classTime
	classTokens
)

const (
	// frameValues and frameBytes close a text frame: enough for zstd to find
	// what repeats, little enough to unpack for one value.
	frameValues = 1024
	frameBytes  = 32 << 10
	// maxClasses of a page: one text section, one of tokens, and the most frequent lengths.
	maxClasses = 8
	// minGroup: fewer values of one length are not worth a section.
	minGroup = 8
	// triedLengths are looked at, those with most bytes first.
	triedLengths = 16
	// maxPackedLen is the longest value that is packed; session tokens have up to
	// some 1,500 characters.
	maxPackedLen = 4096
	// sampled values are compressed to see if packing beats that.
	sampled = 192
	// packedGain in percent: packed values may be this much of compressed
	// ones, for they are read without unpacking their neighbours.
	packedGain = 104
)

// texts is a list of byte strings, one after the other.
type texts struct {
	data []byte
	ends []uint32
}

func (t *texts) at(i int) []byte {
	from := uint32(0)
	if i > 0 {
		from = t.ends[i-1]
	}
	return t.data[from:t.ends[i]]
}

func (t *texts) len(i int) int {
	if i == 0 {
		return int(t.ends[0])
	}
	return int(t.ends[i] - t.ends[i-1])
}

func (t *texts) reset() { t.data, t.ends = t.data[:0], t.ends[:0] }

func (t *texts) add(b []byte) {
	t.data = append(t.data, b...)
	t.ends = append(t.ends, uint32(len(t.data)))
}

// alphabets are the bytes seen at each position of values of one length.
type alphabet [4]uint64

func (a *alphabet) size() int {
	return bits.OnesCount64(a[0]) + bits.OnesCount64(a[1]) + bits.OnesCount64(a[2]) + bits.OnesCount64(a[3])
}

func (a *alphabet) append(dst []byte) []byte {
	for w, m := range a {
		for ; m != 0; m &= m - 1 {
			dst = append(dst, byte(w<<6+bits.TrailingZeros64(m)))
		}
	}
	return dst
}

func (a *alphabet) union(b *alphabet) alphabet {
	return alphabet{a[0] | b[0], a[1] | b[1], a[2] | b[2], a[3] | b[3]}
}

type packRun struct {
	from, to int
	set      alphabet
	width    uint // 0: constant positions
	table    int  // in packer.tables
}

// verdict is how the values of one length fared against compression on an earlier page.
type verdict struct {
	length int
	bits   int // of a packed value
	packed bool
}

// valuePacker makes value pages. What it learns about a column (newColumn
// forgets it) saves measuring every page.
type valuePacker struct {
	codes    codePacker
	token    tokenForm
	tokens   uint8 // what is known about tokens in the column
	numbers  bool  // the column holds numbers: look for integers
	verdicts []verdict

	class   []uint32
	count   []uint32 // by length
	members []uint32 // values by length
	start   []uint32 // by length: where in members
	lengths []int
	sets    []alphabet
	runs    []packRun
	tables  [][256]byte
	ints    []int64
	lens    []byte
	rests   []byte
	frame   []byte
	section []byte
	heads   []byte
	bodies  []byte
	kinds   []byte
	sizes   []int
}

func (p *valuePacker) newColumn(numbers bool) {
	p.verdicts, p.numbers, p.tokens = p.verdicts[:0], numbers, tokensUnknown
}

// pack appends a page of values [from, to) of t. sorted says that they ascend.
func (p *valuePacker) pack(dst []byte, t *texts, from, to int, sorted bool) []byte {
	n := to - from
	p.class = append(p.class[:0], make([]uint32, n)...)
	p.kinds, p.sizes, p.section = p.kinds[:0], p.sizes[:0], p.section[:0]
	rest := n
	if p.numbers {
		rest -= p.packNumbers(t, from, to)
	}
	if rest >= minGroup {
		rest -= p.packLengths(t, from, to)
	}
	if rest >= minGroup {
		rest -= p.packTokens(t, from, to)
	}
	if rest > 0 {
		// Class 0 up to now means "not yet placed"; the others are numbered from 1.
		before := len(p.section)
		kind := byte(classText)
		if sorted {
			kind = classSorted
		}
		p.packText(t, from, to, sorted)
		p.kinds = append(p.kinds, kind)
		p.sizes = append(p.sizes, len(p.section)-before)
		for i, c := range p.class {
			if c == 0 {
				p.class[i] = uint32(len(p.kinds))
			}
		}
	}
	dst = append(dst, byte(len(p.kinds)))
	dst = append(dst, p.kinds...)
	if len(p.kinds) > 1 {
		for i := range p.class {
			p.class[i]--
		}
		p.frame = p.codes.pack(p.frame[:0], p.class, len(p.kinds))
		dst = binary.AppendUvarint(dst, uint64(len(p.frame)))
		dst = append(dst, p.frame...)
	}
	for _, s := range p.sizes[:len(p.sizes)-1] {
		dst = binary.AppendUvarint(dst, uint64(s))
	}
	return append(dst, p.section...)
}

// packNumbers places integers that are shorter that way than as text.
func (p *valuePacker) packNumbers(t *texts, from, to int) int {
	p.ints = p.ints[:0]
	size := 0
	for i := from; i < to; i++ {
		if v, ok := parseInt(t.at(i)); ok {
			p.ints = append(p.ints, v)
			size += len(t.at(i))
		}
	}
	if len(p.ints) < minGroup {
		return 0
	}
	before := len(p.section)
	s, ok := packInts(p.section, p.ints)
	if !ok || len(s)-before > size/2 {
		p.section = p.section[:before]
		return 0
	}
	p.section = s
	p.kinds = append(p.kinds, classInt)
	p.sizes = append(p.sizes, len(p.section)-before)
	for i := from; i < to; i++ {
		if _, ok := parseInt(t.at(i)); ok {
			p.class[i-from] = uint32(len(p.kinds))
		}
	}
	return len(p.ints)
}

// packLengths places the values of frequent lengths for which packing is
// shorter than compression.
func (p *valuePacker) packLengths(t *texts, from, to int) (placed int) {
	if len(p.count) == 0 {
		p.count, p.start = make([]uint32, maxPackedLen+1), make([]uint32, maxPackedLen+1)
	}
	p.lengths = p.lengths[:0]
	for i := from; i < to; i++ {
		if l := t.len(i); l > 0 && l <= maxPackedLen && p.class[i-from] == 0 {
			if p.count[l]++; p.count[l] == 1 {
				p.lengths = append(p.lengths, l)
			}
		}
	}
	all := p.lengths
	p.lengths = slices.DeleteFunc(p.lengths, func(l int) bool {
		few := p.count[l] < minGroup
		if few {
			p.count[l] = 0
		}
		return few
	})
	clear(all[len(p.lengths):])
	slices.SortFunc(p.lengths, func(a, b int) int {
		if d := int(p.count[b])*b - int(p.count[a])*a; d != 0 {
			return d
		}
		return a - b
	})
	if len(p.lengths) > triedLengths {
		for _, l := range p.lengths[triedLengths:] {
			p.count[l] = 0
		}
		p.lengths = p.lengths[:triedLengths]
	}
	n := uint32(0)
	for _, l := range p.lengths {
		p.start[l] = n
		n += p.count[l]
	}
	p.members = sized(p.members, int(n))
	for i := from; i < to; i++ {
		if l := t.len(i); l > 0 && l <= maxPackedLen && p.count[l] > 0 && p.class[i-from] == 0 {
			p.members[p.start[l]] = uint32(i)
			p.start[l]++
		}
	}
	for _, l := range p.lengths {
		m := p.members[p.start[l]-p.count[l] : p.start[l]]
		p.count[l] = 0
		if len(p.kinds) < maxClasses-2 && p.packLength(t, m, from, l) {
			placed += len(m)
		}
	}
	return placed
}

// packLength places the values m, all of length l, if packing them is worth it.
func (p *valuePacker) packLength(t *texts, m []uint32, from, l int) bool {
	if l == canonicalTimeLen && p.packTimes(t, m, from) {
		return true
	}
	p.sets = append(p.sets[:0], make([]alphabet, l)...)
	sets := p.sets
	for _, i := range m {
		for j, c := range t.at(int(i)) {
			sets[j][c>>6] |= 1 << (c & 63)
		}
	}
	perValue, head := p.findRuns(l)
	packed := head + packedBytes(len(m), uint(perValue))
	if packed >= len(m)*l {
		return false
	}
	k := slices.IndexFunc(p.verdicts, func(v verdict) bool {
		return v.length == l && perValue >= v.bits-v.bits/8-2 && perValue <= v.bits+v.bits/8+2
	})
	if k < 0 {
		k = len(p.verdicts)
		s := p.sample(t, m)
		p.verdicts = append(p.verdicts, verdict{l, perValue, packed*100 <= s*len(m)/min(len(m), sampled)*packedGain})
	}
	if !p.verdicts[k].packed {
		return false
	}
	before := len(p.section)
	out := binary.AppendUvarint(p.section, uint64(l))
	p.tables = p.tables[:0]
	for i := range p.runs {
		r := &p.runs[i]
		if r.width == 0 {
			out = binary.AppendUvarint(out, uint64(r.to-r.from)<<1|1)
			for j := r.from; j < r.to; j++ {
				out = p.sets[j].append(out)
			}
			continue
		}
		out = binary.AppendUvarint(out, uint64(r.to-r.from)<<1)
		out = append(out, byte(r.set.size()-1))
		at := len(out)
		out = r.set.append(out)
		r.table = len(p.tables)
		p.tables = append(p.tables, [256]byte{})
		for code, c := range out[at:] {
			p.tables[r.table][c] = byte(code)
		}
	}
	class := uint32(len(p.kinds) + 1)
	w := bitWriter{b: out}
	for _, i := range m {
		p.class[int(i)-from] = class
		v := t.at(int(i))
		for k := range p.runs {
			r := &p.runs[k]
			if r.width == 0 {
				continue
			}
			table, width := &p.tables[r.table], r.width
			// Fields are gathered to some 32 bits before they are put.
			var acc uint64
			var n uint
			for _, c := range v[r.from:r.to] {
				acc |= uint64(table[c]) << n
				if n += width; n > 24 {
					w.put(acc, n)
					acc, n = 0, 0
				}
			}
			w.put(acc, n)
		}
	}
	p.section = w.flush()
	p.kinds = append(p.kinds, classPacked)
	p.sizes = append(p.sizes, len(p.section)-before)
	return true
}

// findRuns joins positions whose alphabets need the same number of bits, alone
// and together, and returns the bits of a value and the bytes that describe the runs.
func (p *valuePacker) findRuns(l int) (perValue, head int) {
	p.runs = p.runs[:0]
	head = 2
	for j := range l {
		a := &p.sets[j]
		width := uint(bits.Len(uint(a.size() - 1)))
		if k := len(p.runs) - 1; k >= 0 && p.runs[k].width == width {
			r := &p.runs[k]
			u := r.set.union(a)
			if width == 0 || uint(bits.Len(uint(u.size()-1))) == width {
				r.set, r.to = u, j+1
				continue
			}
		}
		p.runs = append(p.runs, packRun{from: j, to: j + 1, set: *a, width: width})
	}
	for i := range p.runs {
		r := &p.runs[i]
		perValue += int(r.width) * (r.to - r.from)
		head += 2
		if r.width == 0 {
			head += r.to - r.from
		} else {
			head += r.set.size()
		}
	}
	return perValue, head
}

// sample compresses some values and returns how long they get.
func (p *valuePacker) sample(t *texts, m []uint32) int {
	p.rests = p.rests[:0]
	m = m[:min(len(m), sampled)]
	for _, i := range m {
		p.rests = append(p.rests, t.at(int(i))...)
	}
	p.frame = squeeze(p.frame[:0], p.rests, fastEncoder())
	return min(len(p.frame), len(p.rests)) + len(m)
}

// packTimes places canonical times.
func (p *valuePacker) packTimes(t *texts, m []uint32, from int) bool {
	p.ints = p.ints[:0]
	for _, i := range m {
		sec, ok := parseTime(t.at(int(i)))
		if !ok {
			return false
		}
		p.ints = append(p.ints, sec)
	}
	before := len(p.section)
	s, ok := packInts(p.section, p.ints)
	if !ok {
		p.section = p.section[:before]
		return false
	}
	p.section = s
	p.kinds = append(p.kinds, classTime)
	p.sizes = append(p.sizes, len(p.section)-before)
	for _, i := range m {
		p.class[int(i)-from] = uint32(len(p.kinds))
	}
	return true
}

// packText appends the frames of all values that are not yet placed.
func (p *valuePacker) packText(t *texts, from, to int, sorted bool) {
	p.heads, p.bodies = p.heads[:0], p.bodies[:0]
	p.lens, p.rests = p.lens[:0], p.rests[:0]
	frameCount, n := 0, 0
	var last []byte
	flush := func() {
		raw := append(p.lens, p.rests...)
		p.lens = raw[:0]
		e := fastEncoder()
		if sorted {
			e = goodEncoder()
		}
		p.frame = squeeze(p.frame[:0], raw, e)
		stored := p.frame
		if len(stored) >= len(raw) {
			stored = raw
		}
		p.heads = binary.AppendUvarint(p.heads, uint64(n))
		p.heads = binary.AppendUvarint(p.heads, uint64(len(raw)))
		p.heads = binary.AppendUvarint(p.heads, uint64(len(stored)))
		p.bodies = append(p.bodies, stored...)
		p.rests = p.rests[:0]
		frameCount++
		n, last = 0, nil
	}
	for i := from; i < to; i++ {
		if p.class[i-from] != 0 {
			continue
		}
		v := t.at(i)
		if n > 0 && (n == frameValues || len(p.rests)+len(v) > frameBytes) {
			flush()
		}
		rest := v
		if sorted {
			k := 0
			for k < len(v) && k < len(last) && v[k] == last[k] {
				k++
			}
			p.lens = binary.AppendUvarint(p.lens, uint64(k))
			rest, last = v[k:], v
		}
		p.lens = binary.AppendUvarint(p.lens, uint64(len(rest)))
		p.rests = append(p.rests, rest...)
		n++
	}
	flush()
	p.section = binary.AppendUvarint(p.section, uint64(frameCount))
	p.section = append(p.section, p.heads...)
	p.section = append(p.section, p.bodies...)
}

// valuesPage is an opened value page.
type valuesPage struct {
	n       int
	classes []classSection
	classOf codesPage // when there are several
	buf     []byte
	codes   []uint32
}

type textFrame struct {
	first, n int // values
	raw      int
	b        []byte
}

type unpackRun struct {
	n     int
	at    int  // position in the value
	off   uint // of its first field, in the fields of a value
	width uint
	chars []byte   // 2^width of them, or the constant bytes
	pairs []uint16 // two characters by two fields, for reading many values
}

type classSection struct {
	kind byte
	n    int
	next int  // for reading in order
	skip bool // what reads all values gets empty ones in their place

	// The values of the class before index seen of the page are ranked: single values are
	// mostly read in order, and need not be counted from the start.
	seen, ranked int

	frames []textFrame // text
	frame  int         // which one vals holds, −1 none
	vals   texts
	buf    []byte
	number int          // of the class in its page
	keep   *frameKeeper // where unpacked frames are kept; nil: nowhere

	length int // packed
	bits   uint
	runs   []unpackRun
	fields []byte

	tokens tokenSection

	ints    intsPage // int, time
	decoded []int64
}

// open prepares a page of n values; it keeps pointing into page.
func (p *valuesPage) open(page []byte, n int) error {
	in := input{b: page}
	k := in.count(maxClasses)
	kinds := in.bytes(k)
	if in.bad || k == 0 || n <= 0 {
		return errPage
	}
	p.n = n
	if cap(p.classes) < k {
		p.classes = make([]classSection, k)
	}
	p.classes = p.classes[:k]
	for i := range p.classes {
		c := &p.classes[i]
		c.forget()
		*c = classSection{kind: kinds[i], n: n, frame: -1, frames: c.frames[:0], vals: c.vals, buf: c.buf, runs: c.runs[:0], decoded: c.decoded[:0], tokens: tokenSection{ends: c.tokens.ends, pads: c.tokens.pads}}
	}
	if k > 1 {
		page := in.bytes(in.count(len(in.b)))
		var err error
		if p.classOf, err = openCodes(page, n, k, p.buf); err != nil {
			return err
		}
		if p.classOf.mode == codesBytes || p.classOf.mode == codesPlanes {
			p.buf = p.classOf.b
		}
		p.codes = sized(p.codes, n)
		if err := p.classOf.read(p.codes, 0); err != nil {
			return err
		}
		for i := range p.classes {
			p.classes[i].n = 0
		}
		for _, c := range p.codes {
			p.classes[c].n++
		}
	}
	var sizes [maxClasses]int
	for i := range k - 1 {
		sizes[i] = in.count(len(in.b))
	}
	for i := range p.classes {
		b := in.b
		if i < k-1 {
			b = in.bytes(sizes[i])
		}
		if in.bad {
			return errPage
		}
		if err := p.classes[i].open(b); err != nil {
			return err
		}
	}
	return nil
}

// keepFrames makes the page share unpacked frames with others of its kind.
func (p *valuesPage) keepFrames(k *frameKeeper) {
	for i := range p.classes {
		if c := &p.classes[i]; c.kind == classText && len(c.frames) < 1<<28 {
			c.keep, c.number, c.vals = k, i, texts{}
		}
	}
}

func sized[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n, n+n/4)
	}
	return s[:n]
}

func (c *classSection) open(b []byte) (err error) {
	switch c.kind {
	case classText, classSorted:
		in := input{b: b}
		k := in.count(len(b))
		first := 0
		for range k {
			f := textFrame{first: first, n: in.count(c.n - first), raw: in.count(maxUnpacked)}
			stored := in.count(len(b))
			f.b = b[:stored] // cut below, when all heads are read
			if in.bad || f.n == 0 {
				return errPage
			}
			c.frames = append(c.frames, f)
			first += f.n
		}
		if in.bad || first != c.n {
			return errPage
		}
		for i := range c.frames {
			c.frames[i].b = in.bytes(len(c.frames[i].b))
		}
		if in.bad || len(in.b) != 0 {
			return errPage
		}
		return nil
	case classPacked:
		return c.openPacked(b)
	case classTokens:
		return c.tokens.open(b, c.n)
	case classInt, classTime:
		c.ints, err = openInts(b, c.n)
		return err
	}
	return errPage
}

func (c *classSection) openPacked(b []byte) error {
	in := input{b: b}
	c.length = in.count(maxPackedLen)
	for at := 0; at < c.length; {
		h := in.uvarint()
		r := unpackRun{n: int(h >> 1), at: at, off: c.bits}
		if in.bad || r.n <= 0 || r.n > c.length-at {
			return errPage
		}
		if h&1 != 0 {
			r.chars = in.bytes(r.n)
		} else {
			r.chars = in.bytes(int(in.byte()) + 1)
			r.width = uint(bits.Len(uint(len(r.chars) - 1)))
			if r.width == 0 {
				return errPage
			}
			if size := 1 << r.width; len(r.chars) < size && !in.bad {
				full := make([]byte, size)
				copy(full, r.chars)
				r.chars = full
			}
			c.bits += r.width * uint(r.n)
		}
		if in.bad {
			return errPage
		}
		c.runs = append(c.runs, r)
		at += r.n
	}
	c.fields = in.b
	if c.length == 0 || len(c.fields) != packedBytes(c.n, c.bits) {
		return errPage
	}
	return nil
}

// appendPacked appends packed value i.
func (c *classSection) appendPacked(dst []byte, i int) []byte {
	off := uint(i) * c.bits
	at := len(dst)
	dst = append(dst, make([]byte, c.length)...)
	out := dst[at:]
	for k := range c.runs {
		r := &c.runs[k]
		if r.width == 0 {
			copy(out, r.chars)
			out = out[r.n:]
			continue
		}
		part := out[:r.n]
		out = out[r.n:]
		chars, mask := r.chars[:1<<r.width], uint64(1)<<r.width-1
		step := 57 / r.width
		for len(part) > 0 {
			m := min(int(step), len(part))
			w := window(c.fields, off)
			off += uint(m) * r.width
			for j := range part[:m] {
				part[j] = chars[w&mask]
				w >>= r.width
			}
			part = part[m:]
		}
	}
	return dst
}

// appendAllPacked appends packed values [from, from+n) run by run: a run is the
// same few steps for every value.
func (c *classSection) appendAllPacked(dst []byte, from, n int) []byte {
	at, l := len(dst), c.length
	dst = slices.Grow(dst, n*l)[:at+n*l]
	out := dst[at:]
	for k := range c.runs {
		r := &c.runs[k]
		if r.width == 0 {
			for p := r.at; p < len(out); p += l {
				copy(out[p:p+r.n], r.chars)
			}
			continue
		}
		if r.pairs == nil && r.width <= 6 && r.n > 1 && n >= 64 {
			r.pairs = pairsOf(r.chars, r.width)
		}
		off := uint(from)*c.bits + r.off
		mask := uint64(1)<<r.width - 1
		if r.pairs == nil {
			step := int(57 / r.width)
			for p := r.at; p < len(out); p += l {
				part, o := out[p:p+r.n], off
				for len(part) > 0 {
					m := min(step, len(part))
					w := window(c.fields, o)
					for j := range part[:m] {
						part[j] = r.chars[w&mask]
						w >>= r.width
					}
					o += uint(m) * r.width
					part = part[m:]
				}
				off += c.bits
			}
			continue
		}
		pairs, two := r.pairs, 2*r.width
		step := int(56 / two) // pairs per window
		for p := r.at; p < len(out); p += l {
			part, o := out[p:p+r.n], off
			for len(part) >= 2 {
				w := window(c.fields, o)
				m := min(step, len(part)/2)
				for j := 0; j < m; j++ {
					binary.LittleEndian.PutUint16(part[2*j:], pairs[w&(1<<two-1)])
					w >>= two
				}
				o += uint(m) * two
				part = part[2*m:]
			}
			if len(part) == 1 {
				part[0] = r.chars[window(c.fields, o)&mask]
			}
			off += c.bits
		}
	}
	return dst
}

func pairsOf(chars []byte, width uint) []uint16 {
	p := make([]uint16, 1<<(2*width))
	for hi := range 1 << width {
		for lo := range 1 << width {
			p[hi<<width|lo] = uint16(chars[lo]) | uint16(chars[hi])<<8
		}
	}
	return p
}

// frameKeeper is where a scanner that reads single values keeps the unpacked frames
// of the page at hand.
type frameKeeper struct {
	cache *Cache
	key   cacheKey // its part tells class and frame
}

// forget gives up what is shared: it must not be written to.
func (c *classSection) forget() {
	if c.keep != nil {
		c.keep, c.vals, c.frame = nil, texts{}, -1
	}
}

// loadKept is load by way of the cache, for frames that were asked for before. What it
// leaves in vals is shared.
func (c *classSection) loadKept(f int) (ok bool, err error) {
	k := c.keep.key
	k.part = uint32(c.number)<<28 | uint32(f)
	t, ok := c.keep.cache.get(k).(*texts)
	if !ok {
		if !c.keep.cache.again(k) {
			c.vals = texts{}
			return false, nil
		}
		one := classSection{kind: c.kind, n: c.n, frame: -1, frames: c.frames}
		if err := one.load(f); err != nil {
			return false, err
		}
		t = &texts{data: slices.Clone(one.vals.data), ends: one.vals.ends}
		t = c.keep.cache.put(k, t, int64(len(t.data)+4*cap(t.ends))+64).(*texts)
	}
	c.vals, c.frame = *t, f
	return true, nil
}

// load unpacks text frame f.
func (c *classSection) load(f int) error {
	if c.frame == f {
		return nil
	}
	fr := &c.frames[f]
	if c.keep != nil {
		if kept, err := c.loadKept(f); kept || err != nil {
			return err
		}
	}
	raw := fr.b
	if len(raw) != fr.raw {
		var err error
		if raw, err = unsqueeze(c.buf, fr.b, fr.raw); err != nil {
			return err
		}
		c.buf = raw
	}
	in := input{b: raw}
	c.frame = -1
	c.vals.reset()
	if fr.n > len(raw) {
		return errPage
	}
	c.vals.ends = sized(c.vals.ends, fr.n)
	if c.kind == classText {
		end := 0
		for i := range c.vals.ends {
			end += in.count(maxUnpacked)
			if end > maxUnpacked {
				return errPage
			}
			c.vals.ends[i] = uint32(end)
		}
		if in.bad || end != len(in.b) {
			return errPage
		}
		// The values stay where they were unpacked.
		c.vals.data = in.b
		c.frame = f
		return nil
	}
	type cut struct{ shared, rest uint32 }
	cuts := make([]cut, fr.n)
	total, rests := 0, 0
	last := 0
	for i := range cuts {
		shared, rest := in.count(last), in.count(len(raw))
		cuts[i] = cut{uint32(shared), uint32(rest)}
		last = shared + rest
		total += last
		rests += rest
		if total > maxUnpacked {
			return errPage
		}
	}
	if in.bad || rests != len(in.b) {
		return errPage
	}
	data := make([]byte, 0, total)
	from := 0
	rest := in.b
	for i, k := range cuts {
		at := len(data)
		data = append(data, data[from:from+int(k.shared)]...)
		data = append(data, rest[:k.rest]...)
		rest = rest[k.rest:]
		c.vals.ends[i] = uint32(len(data))
		from = at
	}
	c.vals.data = data
	c.frame = f
	return nil
}

// append appends value i of the class.
func (c *classSection) append(dst []byte, i int) ([]byte, error) {
	switch c.kind {
	case classPacked:
		return c.appendPacked(dst, i), nil
	case classTokens:
		return c.tokens.append(dst, i), nil
	case classInt, classTime:
		var one [1]int64
		v := one[:]
		if len(c.decoded) > 0 {
			v[0] = c.decoded[i]
		} else {
			c.ints.read(v, i)
		}
		if c.kind == classInt {
			return appendInt(dst, v[0]), nil
		}
		dst, ok := appendTime(dst, v[0])
		if !ok {
			return dst, errPage
		}
		return dst, nil
	}
	f := 0
	if c.frame >= 0 && i >= c.frames[c.frame].first {
		f = c.frame
	}
	for i >= c.frames[f].first+c.frames[f].n {
		f++
	}
	if err := c.load(f); err != nil {
		return dst, err
	}
	return append(dst, c.vals.at(i-c.frames[f].first)...), nil
}

// at appends value i to dst.
func (p *valuesPage) at(dst []byte, i int) ([]byte, error) {
	if len(p.classes) == 1 {
		return p.classes[0].append(dst, i)
	}
	class := p.codes[i]
	c := &p.classes[class]
	if i < c.seen {
		c.seen, c.ranked = 0, 0
	}
	rank := c.ranked
	for _, k := range p.codes[c.seen:i] {
		if k == class {
			rank++
		}
	}
	c.seen, c.ranked = i, rank
	return c.append(dst, rank)
}

// all appends the values [from, to) to t, from any point on.
func (p *valuesPage) all(t *texts, from, to int) (err error) {
	for k := range p.classes {
		c := &p.classes[k]
		c.next = 0
		if c.kind == classInt || c.kind == classTime {
			c.decoded = sized(c.decoded, c.n)
			c.ints.read(c.decoded, 0)
		}
	}
	if len(p.classes) == 1 {
		p.classes[0].next = from
		return p.classes[0].appendRun(t, to-from)
	}
	for _, c := range p.codes[:from] {
		p.classes[c].next++
	}
	for i := from; i < to; {
		k := p.codes[i]
		j := i + 1
		for j < to && p.codes[j] == k {
			j++
		}
		if err := p.classes[k].appendRun(t, j-i); err != nil {
			return err
		}
		i = j
	}
	return nil
}

// appendRun appends the next n values of the class.
func (c *classSection) appendRun(t *texts, n int) (err error) {
	if c.skip {
		for range n {
			t.ends = append(t.ends, uint32(len(t.data)))
		}
		c.next += n
		return nil
	}
	for n > 0 {
		if c.kind == classText || c.kind == classSorted {
			f := max(c.frame, 0)
			if c.next < c.frames[f].first {
				f = 0
			}
			for c.next >= c.frames[f].first+c.frames[f].n {
				f++
			}
			if err := c.load(f); err != nil {
				return err
			}
			i := c.next - c.frames[f].first
			m := min(n, c.frames[f].n-i)
			from := uint32(0)
			if i > 0 {
				from = c.vals.ends[i-1]
			}
			shift := uint32(len(t.data)) - from
			t.data = append(t.data, c.vals.data[from:c.vals.ends[i+m-1]]...)
			for _, e := range c.vals.ends[i : i+m] {
				t.ends = append(t.ends, e+shift)
			}
			c.next += m
			n -= m
			continue
		}
		if c.kind == classPacked {
			t.data = c.appendAllPacked(t.data, c.next, n)
			end := uint32(len(t.data) - n*c.length)
			for range n {
				end += uint32(c.length)
				t.ends = append(t.ends, end)
			}
			c.next += n
			return nil
		}
		if t.data, err = c.append(t.data, c.next); err != nil {
			return err
		}
		t.ends = append(t.ends, uint32(len(t.data)))
		c.next++
		n--
	}
	return nil
}

// times returns the seconds of a page whose values are all times; nil if they are not.
func (p *valuesPage) times() *intsPage {
	if len(p.classes) == 1 && p.classes[0].kind == classTime {
		return &p.classes[0].ints
	}
	return nil
}

func appendInt(dst []byte, v int64) []byte {
	var b [20]byte
	i := len(b)
	u := uint64(v)
	if v < 0 {
		u = -u
	}
	for {
		i--
		b[i] = byte('0' + u%10)
		if u /= 10; u == 0 {
			break
		}
	}
	if v < 0 {
		i--
		b[i] = '-'
	}
	return append(dst, b[i:]...)
}

// sharedPrefix returns how many first bytes a and b share.
func sharedPrefix(a, b []byte) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}
