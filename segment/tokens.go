package segment

import (
	"cmp"
	"encoding/binary"
	"math/bits"
	"slices"
	"unicode/utf8"
)

// A token section is for values of different lengths whose characters are random:
// every character takes the bits that the one alphabet of all of them needs. That is
// what compression would reach at best, and one value is read without the others.
//
//	what all values begin with: length (uvarint), bytes
//	size of the alphabet − 1 (byte), its bytes, ascending
//	1 and the byte that values are padded with at their end, or 0 (bytes)
//	characters of the shortest value (uvarint), bits of a length (byte)
//	lengths of all values: characters − those of the shortest, and when there is a
//	  byte to pad with, two bits above: how often it follows; then filled up to a byte
//	characters of all values, no padding between values
//
// The characters are those between beginning and padding.
const (
	// maxTokenAlphabet: with more characters, values are language rather than random.
	maxTokenAlphabet = 64
	// maxPads at the end of a value: what two bits hold.
	maxPads = 3
	padBits = 2
	// maxLengthBits: no value is longer than maxUnpacked.
	maxLengthBits = 30
	// minToken is the least average length that is worth a try.
	minToken = 12
)

// tokenForm is how tokens of one page are packed.
type tokenForm struct {
	prefix  []byte
	set     alphabet
	in      [256]bool // characters and, if padded, the one byte to pad with
	padded  bool
	pad     byte
	width   uint
	table   [256]byte
	lengths []uint32 // of the values that fit
}

// packTokens places the values that are not yet placed and consist of the characters of
// one alphabet, if that is shorter than to compress them.
func (p *valuePacker) packTokens(t *texts, from, to int) (placed int) {
	if p.tokens == tokensNo {
		return 0
	}
	m := p.members[:0]
	size := 0
	for i := from; i < to; i++ {
		if l := t.len(i); l > 0 && p.class[i-from] == 0 {
			m = append(m, uint32(i))
			size += l
		}
	}
	p.members = m
	if len(m) < minGroup || size < len(m)*minToken {
		return 0
	}
	f := &p.token
	if p.tokens == tokensUnknown {
		// A look at some values saves counting the characters of all.
		some := min(len(m), sampled)
		size := 0
		for _, i := range m[:some] {
			size += t.len(int(i))
		}
		p.tokens = tokensNo
		if !f.find(t, m[:some]) || f.bytes(t, m[:some], size) > p.sample(t, m[:some]) {
			return 0
		}
		p.tokens = tokensYes
	}
	if !f.find(t, m) {
		return 0
	}
	m = slices.DeleteFunc(m, func(i uint32) bool { return !f.fits(t.at(int(i))) })
	if len(m) < minGroup {
		return 0
	}
	before := len(p.section)
	p.section = f.append(p.section, t, m)
	p.kinds = append(p.kinds, classTokens)
	p.sizes = append(p.sizes, len(p.section)-before)
	for _, i := range m {
		p.class[int(i)-from] = uint32(len(p.kinds))
	}
	return len(m)
}

// What is known about tokens in a column.
const (
	tokensUnknown = iota
	tokensYes
	tokensNo
)

// find chooses beginning, alphabet and padding for values.
func (f *tokenForm) find(t *texts, m []uint32) bool {
	first := t.at(int(m[0]))
	shared := len(first)
	for _, i := range m[1:] {
		if shared = sharedPrefix(first[:shared], t.at(int(i))); shared == 0 {
			break
		}
	}
	// What one odd value does not share, the others do not have to repeat: but then the
	// beginning is part of what is random, which costs little.
	shared = min(shared, maxPackedLen)
	f.prefix = append(f.prefix[:0], first[:shared]...)
	var count, tail [256]int
	total := 0
	for _, i := range m {
		v := t.at(int(i))[shared:]
		for _, c := range v {
			count[c]++
		}
		total += len(v)
		if n := len(v); n > 0 {
			c := v[n-1]
			for k := n; k > 0 && n-k < maxPads && v[k-1] == c; k-- {
				tail[c]++
			}
		}
	}
	f.padded = false
	seen := make([]byte, 0, 256)
	for c, n := range count {
		if n == 0 {
			continue
		}
		if n == tail[c] && !f.padded && n < total/8 {
			f.padded, f.pad = true, byte(c)
			continue
		}
		seen = append(seen, byte(c))
	}
	if len(seen) > maxTokenAlphabet {
		// The most frequent characters; values with others stay text.
		slices.SortStableFunc(seen, func(a, b byte) int { return cmp.Compare(count[b], count[a]) })
		seen = seen[:maxTokenAlphabet]
	}
	if len(seen) < 2 {
		return false
	}
	slices.Sort(seen)
	f.in, f.set = [256]bool{}, alphabet{}
	for k, c := range seen {
		f.in[c] = true
		f.table[c] = byte(k)
		f.set[c>>6] |= 1 << (c & 63)
	}
	f.width = uint(bits.Len(uint(len(seen) - 1)))
	return true
}

// cut returns the characters of a value and how often it is padded.
func (f *tokenForm) cut(v []byte) (chars []byte, pads int) {
	v = v[len(f.prefix):]
	for f.padded && pads < maxPads && len(v) > 0 && v[len(v)-1] == f.pad {
		v = v[:len(v)-1]
		pads++
	}
	return v, pads
}

func (f *tokenForm) fits(v []byte) bool {
	chars, _ := f.cut(v)
	for _, c := range chars {
		if !f.in[c] {
			return false
		}
	}
	return true
}

// bytes estimates what values take: those that fit packed, the others as they are.
func (f *tokenForm) bytes(t *texts, m []uint32, size int) int {
	chars := 0
	for _, i := range m {
		if v := t.at(int(i)); f.fits(v) {
			size -= len(v)
			chars += len(v) - len(f.prefix)
		}
	}
	return size + packedBytes(chars, f.width) + 2*len(m)
}

func (f *tokenForm) append(dst []byte, t *texts, m []uint32) []byte {
	dst = append(binary.AppendUvarint(dst, uint64(len(f.prefix))), f.prefix...)
	dst = f.set.append(append(dst, byte(f.set.size()-1)))
	if f.padded {
		dst = append(dst, 1, f.pad)
	} else {
		dst = append(dst, 0)
	}
	f.lengths = f.lengths[:0]
	shortest, longest := uint32(1<<32-1), uint32(0)
	for _, i := range m {
		chars, _ := f.cut(t.at(int(i)))
		n := uint32(len(chars))
		shortest, longest = min(shortest, n), max(longest, n)
		f.lengths = append(f.lengths, n)
	}
	width := uint(bits.Len32(longest - shortest))
	dst = append(binary.AppendUvarint(dst, uint64(shortest)), byte(width))
	w := bitWriter{b: dst}
	for k, i := range m {
		w.put(uint64(f.lengths[k]-shortest), width)
		if f.padded {
			_, pads := f.cut(t.at(int(i)))
			w.put(uint64(pads), padBits)
		}
	}
	w.b, w.acc, w.n = w.flush(), 0, 0
	for _, i := range m {
		chars, _ := f.cut(t.at(int(i)))
		var acc uint64
		var n uint
		for _, c := range chars {
			acc |= uint64(f.table[c]) << n
			if n += f.width; n > 40 {
				w.put(acc, n)
				acc, n = 0, 0
			}
		}
		w.put(acc, n)
	}
	return w.flush()
}

// tokenSection is an opened token section.
type tokenSection struct {
	prefix []byte
	chars  []byte // 2^width of them
	pairs  []uint16
	padded bool
	pad    byte
	width  uint
	ends   []uint32 // where the characters of each value end
	pads   []uint8
	fields []byte
}

func (s *tokenSection) open(b []byte, n int) error {
	in := input{b: b}
	s.prefix = in.bytes(in.count(maxPackedLen))
	s.chars = in.bytes(int(in.byte()) + 1)
	if in.bad || len(s.chars) < 2 || len(s.chars) > maxTokenAlphabet {
		return errPage
	}
	s.width = uint(bits.Len(uint(len(s.chars) - 1)))
	if size := 1 << s.width; len(s.chars) < size {
		full := make([]byte, size)
		copy(full, s.chars)
		s.chars = full
	}
	s.pairs = nil
	each := uint(0)
	switch in.byte() {
	case 0:
		s.padded = false
	case 1:
		s.padded, s.pad = true, in.byte()
		each = padBits
	default:
		return errPage
	}
	shortest, width := in.count(maxUnpacked), uint(in.byte())
	if in.bad || width > maxLengthBits || uint64(n)*uint64(len(s.prefix)+maxPads) > maxUnpacked {
		return errPage
	}
	each += width
	if uint64(n)*uint64(each) > 8*uint64(len(in.b)) {
		return errPage
	}
	lengths := in.bytes(packedBytes(n, each))
	s.ends, s.pads = sized(s.ends, n), sized(s.pads, n)
	end, mask := uint64(0), uint64(1)<<width-1
	for i := range s.ends {
		w := window(lengths, uint(i)*each)
		end += uint64(shortest) + w&mask
		if end > maxUnpacked-uint64(n)*uint64(len(s.prefix)+maxPads) {
			return errPage
		}
		s.ends[i] = uint32(end)
		s.pads[i] = 0
		if s.padded {
			s.pads[i] = uint8(w >> width & (1<<padBits - 1))
		}
	}
	s.fields = in.b
	if in.bad || len(s.fields) != packedBytes(int(end), s.width) {
		return errPage
	}
	return nil
}

func (s *tokenSection) start(i int) uint32 {
	if i == 0 {
		return 0
	}
	return s.ends[i-1]
}

// append appends value i.
func (s *tokenSection) append(dst []byte, i int) []byte {
	dst = append(dst, s.prefix...)
	from := s.start(i)
	n := int(s.ends[i] - from)
	at := len(dst)
	dst = slices.Grow(dst, n+maxPads)[:at+n]
	part, off := dst[at:], uint(from)*s.width
	if s.pairs == nil && n > 256 {
		s.pairs = pairsOf(s.chars, s.width)
	}
	if s.pairs != nil {
		two := 2 * s.width
		mask, step := uint64(1)<<two-1, int(56/two)
		for len(part) >= 2 {
			w := window(s.fields, off)
			m := min(step, len(part)/2)
			for j := range m {
				binary.LittleEndian.PutUint16(part[2*j:], s.pairs[w&mask])
				w >>= two
			}
			off += uint(m) * two
			part = part[2*m:]
		}
	}
	mask, step := uint64(1)<<s.width-1, int(56/s.width)
	for len(part) > 0 {
		w := window(s.fields, off)
		m := min(step, len(part))
		for j := range part[:m] {
			part[j] = s.chars[w&mask]
			w >>= s.width
		}
		off += uint(m) * s.width
		part = part[m:]
	}
	for range s.pads[i] {
		dst = append(dst, s.pad)
	}
	return dst
}

// find appends which of the values from to to−1 are equal to v.
func (s *tokenSection) find(v string, from, to int, dst []int) []int {
	var text []byte
	for i := from; i < to; i++ {
		if len(s.prefix)+int(s.ends[i]-s.start(i))+int(s.pads[i]) != len(v) {
			continue
		}
		if text = s.append(text[:0], i); string(text) == v {
			dst = append(dst, i)
		}
	}
	return dst
}

// mayContain reports whether the characters of text occur at all.
func (s *tokenSection) mayContain(text []byte, fold bool) bool {
	has := func(c byte) bool {
		return slices.Index(s.chars, c) >= 0 || slices.Index(s.prefix, c) >= 0 || s.padded && c == s.pad
	}
	beyond := func(c byte) bool { return c >= utf8.RuneSelf }
	if fold && (slices.ContainsFunc(s.chars, beyond) || slices.ContainsFunc(s.prefix, beyond)) {
		return true // not only ASCII has small letters in ASCII
	}
	for _, c := range text {
		if !has(c) && !(fold && 'a' <= c && c <= 'z' && has(c-('a'-'A'))) {
			return false
		}
	}
	return true
}
