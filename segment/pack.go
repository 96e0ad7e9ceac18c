package segment

import (
	"encoding/binary"
	"errors"
	"math/bits"
	"slices"
)

// errPage is what decoders of pages answer to bytes that no encoder wrote; the
// caller adds the place.
var errPage = errors.New("malformed page")

// input reads the parts of a page; after the first error it gives zeros and bad is set.
type input struct {
	b   []byte
	bad bool
}

func (in *input) uvarint() uint64 {
	v, n := binary.Uvarint(in.b)
	if n <= 0 {
		in.bad, in.b = true, nil
		return 0
	}
	in.b = in.b[n:]
	return v
}

// count reads a number that must not be above most.
func (in *input) count(most int) int {
	v := in.uvarint()
	if v > uint64(most) {
		in.bad, in.b = true, nil
		return 0
	}
	return int(v)
}

func (in *input) byte() byte {
	if len(in.b) == 0 {
		in.bad = true
		return 0
	}
	c := in.b[0]
	in.b = in.b[1:]
	return c
}

func (in *input) bytes(n int) []byte {
	if n < 0 || n > len(in.b) {
		in.bad, in.b = true, nil
		return nil
	}
	v := in.b[:n:n]
	in.b = in.b[n:]
	return v
}

// bitWriter appends fields of up to 56 bits, lowest bits first.
type bitWriter struct {
	b   []byte
	acc uint64
	n   uint
}

func (w *bitWriter) put(v uint64, width uint) {
	w.acc |= v << w.n
	w.n += width
	for w.n >= 8 {
		w.b = append(w.b, byte(w.acc))
		w.acc >>= 8
		w.n -= 8
	}
}

func (w *bitWriter) flush() []byte {
	if w.n > 0 {
		w.b = append(w.b, byte(w.acc))
		w.acc, w.n = 0, 0
	}
	return w.b
}

// window returns the 64 bits from bit offset on, of which at least 57 are
// valid; bits beyond the end are zero.
func window(b []byte, offset uint) uint64 {
	i := offset >> 3
	if int(i)+8 <= len(b) {
		return binary.LittleEndian.Uint64(b[i:]) >> (offset & 7)
	}
	var v uint64
	for k := uint(0); int(i+k) < len(b) && k < 8; k++ {
		v |= uint64(b[i+k]) << (8 * k)
	}
	return v >> (offset & 7)
}

// packedBytes is the length of n fields of width bits.
func packedBytes(n int, width uint) int { return int((uint64(n)*uint64(width) + 7) / 8) }

// packUint32 appends values of width bits (at most 32).
func packUint32(dst []byte, v []uint32, width uint) []byte {
	w := bitWriter{b: dst}
	for _, x := range v {
		w.put(uint64(x), width)
	}
	return w.flush()
}

// unpackUint32 reads fields [from, from+len(dst)) of width bits. b must be long enough.
func unpackUint32(dst []uint32, b []byte, from int, width uint) {
	off := uint(from) * width
	mask := uint64(1)<<width - 1
	i := 0
	for ; i < len(dst); i++ {
		k := off >> 3
		if int(k)+8 > len(b) {
			break
		}
		dst[i] = uint32(binary.LittleEndian.Uint64(b[k:]) >> (off & 7) & mask)
		off += width
	}
	for ; i < len(dst); i++ {
		dst[i] = uint32(window(b, off) & mask)
		off += width
	}
}

// Code pages.
//
//	codesConstant  uvarint code
//	codesPacked    width (byte), fields
//	codesBytes     frame of one byte per code
//	codesPlanes    frame of all low bytes, then all high bytes
//	codesLocal     count and ascending codes (uvarint, differences), then a page of
//	               indexes into them: the values that occur in this page are few
//	codesRuns      number of runs, length of the longest − 1, length of what comes next (uvarint),
//	               then a page of the code of every run and one of the lengths − 1
const (
	codesConstant = iota
	codesPacked
	codesBytes
	codesPlanes
	codesLocal
	codesRuns
)

const (
	// maxLocal is the most distinct codes of a page that are worth a list: indexes stay a byte.
	maxLocal = 256
	// minRun is the least average length of runs that are worth a try.
	minRun = 2
	// maxRun: lengths are codes, too.
	maxRun = 1 << 16
	// codesGain in percent: compressed codes must be smaller than this share
	// of packed ones, for they take longer to read.
	codesGain = 88
)

// codePacker holds the memory that packing codes needs.
type codePacker struct {
	planes []byte
	frame  []byte
	local  []uint32
	index  []uint32 // code → 1 + local index
	marked []uint32
	runs   []uint32 // the code of every run
	spans  []uint32 // and its length − 1
	other  []byte
}

// pack appends a page of codes, all below limit (at most 65,536).
func (p *codePacker) pack(dst []byte, codes []uint32, limit int) []byte {
	if len(codes) == 0 {
		return dst
	}
	if len(p.index) < limit {
		p.index = make([]uint32, limit)
	}
	p.marked = p.marked[:0]
	for _, c := range codes {
		if p.index[c] == 0 {
			p.index[c] = 1
			p.marked = append(p.marked, c)
			if len(p.marked) > maxLocal {
				break
			}
		}
	}
	for _, c := range p.marked {
		p.index[c] = 0
	}
	switch n := len(p.marked); {
	case n == 1:
		return binary.AppendUvarint(append(dst, codesConstant), uint64(codes[0]))
	case n > maxLocal || limit <= maxLocal && bits.Len(uint(limit-1)) == bits.Len(uint(n-1)):
		return p.packPlain(dst, codes, limit)
	}
	sortUint32(p.marked)
	start := len(dst)
	dst = binary.AppendUvarint(append(dst, codesLocal), uint64(len(p.marked)))
	last := uint32(0)
	for i, c := range p.marked {
		dst = binary.AppendUvarint(dst, uint64(c-last))
		last = c
		p.index[c] = uint32(i)
	}
	p.local = p.local[:0]
	for _, c := range codes {
		p.local = append(p.local, p.index[c])
	}
	for _, c := range p.marked {
		p.index[c] = 0
	}
	dst = p.packPlain(dst, p.local, len(p.marked))
	if width := uint(bits.Len(uint(limit - 1))); len(dst)-start > 2+packedBytes(len(codes), width) {
		return p.packPlain(dst[:start], codes, limit)
	}
	return dst
}

// packPlain appends codes one by one, or as runs if that is shorter: then they are read
// faster, too.
func (p *codePacker) packPlain(dst []byte, codes []uint32, limit int) []byte {
	start := len(dst)
	dst = p.packEach(dst, codes, limit)
	runs := 1
	for i, c := range codes[1:] {
		if c != codes[i] {
			runs++
		}
	}
	if runs*minRun > len(codes) {
		return dst
	}
	p.runs, p.spans = p.runs[:0], p.spans[:0]
	longest := uint32(0)
	for i, c := range codes {
		if i > 0 && c == codes[i-1] {
			p.spans[len(p.spans)-1]++
			longest = max(longest, p.spans[len(p.spans)-1])
		} else {
			p.runs, p.spans = append(p.runs, c), append(p.spans, 0)
		}
	}
	if longest >= maxRun {
		return dst
	}
	p.other = p.packEach(p.other[:0], p.runs, limit)
	head := len(dst)
	dst = binary.AppendUvarint(append(dst, codesRuns), uint64(runs))
	dst = binary.AppendUvarint(dst, uint64(longest))
	dst = append(binary.AppendUvarint(dst, uint64(len(p.other))), p.other...)
	dst = p.packEach(dst, p.spans, int(longest)+1)
	if len(dst)-head > head-start {
		return dst[:head]
	}
	return append(dst[:start], dst[head:]...)
}

func (p *codePacker) packEach(dst []byte, codes []uint32, limit int) []byte {
	width := uint(bits.Len(uint(limit - 1)))
	packed := packedBytes(len(codes), width)
	if packed > 32 {
		mode := byte(codesBytes)
		p.planes = p.planes[:0]
		for _, c := range codes {
			p.planes = append(p.planes, byte(c))
		}
		if limit > 256 {
			mode = codesPlanes
			for _, c := range codes {
				p.planes = append(p.planes, byte(c>>8))
			}
		}
		p.frame = squeeze(p.frame[:0], p.planes, fastEncoder())
		if len(p.frame)*100 < packed*codesGain {
			return append(append(dst, mode), p.frame...)
		}
	}
	return packUint32(append(dst, codesPacked, byte(width)), codes, width)
}

// codesPage is an opened code page: codes can be read one by one or many at
// once. Whether they are below the limit is checked when they are read.
type codesPage struct {
	mode  byte
	width uint
	n     int
	limit uint32 // of the codes in b
	code  uint32
	b     []byte   // packed fields, or planes
	local []uint32 // for codesLocal
	runs  []uint32 // for codesRuns: the code of every run
	ends  []uint32 // and where it ends
}

// openCodes opens a page of n codes below limit. buf is memory for unpacking.
func openCodes(page []byte, n, limit int, buf []byte) (c codesPage, err error) {
	if n == 0 {
		return c, nil
	}
	if len(page) == 0 {
		return c, errPage
	}
	if page[0] == codesLocal {
		in := input{b: page[1:]}
		k := in.count(min(maxLocal, limit))
		local := make([]uint32, k)
		last := uint64(0)
		for i := range local {
			last += in.uvarint()
			if last >= uint64(limit) {
				return c, errPage
			}
			local[i] = uint32(last)
		}
		if in.bad || k == 0 || len(in.b) == 0 || in.b[0] == codesLocal {
			return c, errPage
		}
		c, err = openCodes(in.b, n, k, buf)
		c.local = local
		return c, err
	}
	c.mode, c.n, c.limit = page[0], n, uint32(limit)
	switch page[0] {
	case codesRuns:
		err = c.openRuns(page[1:])
		return c, err
	case codesConstant:
		in := input{b: page[1:]}
		c.code = uint32(in.count(limit - 1))
		if in.bad {
			return c, errPage
		}
	case codesPacked:
		if len(page) < 2 || page[1] > 17 || len(page)-2 != packedBytes(n, uint(page[1])) {
			return c, errPage
		}
		c.width, c.b = uint(page[1]), page[2:]
	case codesBytes:
		if c.b, err = unsqueeze(buf, page[1:], n); err != nil {
			return c, err
		}
	case codesPlanes:
		if c.b, err = unsqueeze(buf, page[1:], 2*n); err != nil {
			return c, err
		}
	default:
		return c, errPage
	}
	return c, nil
}

// openRuns opens what comes after the mode of a page of runs.
func (c *codesPage) openRuns(b []byte) error {
	in := input{b: b}
	k, longest := in.count(c.n), in.count(maxRun-1)
	page := in.bytes(in.count(len(in.b)))
	if in.bad || k == 0 || len(page) == 0 || len(in.b) == 0 || page[0] >= codesLocal || in.b[0] >= codesLocal {
		return errPage
	}
	codes, err := openCodes(page, k, int(c.limit), nil)
	if err != nil {
		return err
	}
	spans, err := openCodes(in.b, k, longest+1, nil)
	if err != nil {
		return err
	}
	c.runs, c.ends = make([]uint32, k), make([]uint32, k)
	if err := codes.read(c.runs, 0); err != nil {
		return err
	}
	if err := spans.read(c.ends, 0); err != nil {
		return err
	}
	end := uint64(0)
	for i, n := range c.ends {
		end += uint64(n) + 1
		c.ends[i] = uint32(end)
	}
	if end != uint64(c.n) {
		return errPage
	}
	return nil
}

// at returns code i.
func (c *codesPage) at(i int) (uint32, error) {
	x := c.code
	switch c.mode {
	case codesRuns:
		k, _ := pageOf(c.ends, uint32(i))
		x = c.runs[k]
	case codesPacked:
		x = uint32(window(c.b, uint(i)*c.width) & (1<<c.width - 1))
	case codesBytes:
		x = uint32(c.b[i])
	case codesPlanes:
		x = uint32(c.b[i]) | uint32(c.b[c.n+i])<<8
	}
	if x >= c.limit {
		return 0, errPage
	}
	if c.local != nil {
		x = c.local[x]
	}
	return x, nil
}

// read fills dst with the codes from index from on.
func (c *codesPage) read(dst []uint32, from int) error {
	var highest uint32
	switch c.mode {
	case codesConstant:
		x := c.code
		if c.local != nil {
			x = c.local[x]
		}
		for i := range dst {
			dst[i] = x
		}
		return nil
	case codesRuns:
		k, _ := pageOf(c.ends, uint32(from))
		for i := 0; i < len(dst); k++ {
			x := c.runs[k]
			if c.local != nil {
				x = c.local[x]
			}
			for end := min(len(dst), int(c.ends[k])-from); i < end; i++ {
				dst[i] = x
			}
		}
		return nil
	case codesPacked:
		unpackUint32(dst, c.b, from, c.width)
		if uint64(1)<<c.width > uint64(c.limit) {
			for _, x := range dst {
				highest = max(highest, x)
			}
		}
	case codesBytes:
		for i, x := range c.b[from : from+len(dst)] {
			dst[i] = uint32(x)
			highest = max(highest, uint32(x))
		}
	case codesPlanes:
		lo, hi := c.b[from:from+len(dst)], c.b[c.n+from:]
		for i, x := range lo {
			v := uint32(x) | uint32(hi[i])<<8
			dst[i] = v
			highest = max(highest, v)
		}
	}
	if highest >= c.limit && len(dst) > 0 {
		return errPage
	}
	if c.local != nil {
		for i, x := range dst {
			dst[i] = c.local[x]
		}
	}
	return nil
}

// Integer sections hold signed 64-bit integers in runs of intRun, each run
// with a base and a width of its own, so that one is found without the others:
//
//	mode (byte) · smallest value (varint) · per run: base − smallest (uvarint), width (byte) · fields of all runs
//
// In intsOffset a field is the value − base. In intsDelta the base is the
// run's first value, and every run has a second number, its smallest step;
// fields are the step to the next value − that.
const (
	intsOffset = iota
	intsDelta
)

// intRun is a power of two for cheap division, small enough to follow how the
// values drift, large enough for its header of some three bytes.
const intRun = 128

// maxIntWidth keeps fields within a window.
const maxIntWidth = 56

// packInts appends v in the shorter of both modes; ok is false when the values
// spread too far.
func packInts(dst []byte, v []int64) (out []byte, ok bool) {
	lo, hi := v[0], v[0]
	for _, x := range v {
		lo, hi = min(lo, x), max(hi, x)
	}
	if uint64(hi)-uint64(lo) >= 1<<(maxIntWidth-1) {
		return dst, false
	}
	start := len(dst)
	dst = packIntRuns(dst, v, lo, intsOffset)
	mid := len(dst)
	dst = packIntRuns(dst, v, lo, intsDelta)
	if len(dst)-mid < mid-start {
		return append(dst[:start], dst[mid:]...), true
	}
	return dst[:mid], true
}

func packIntRuns(dst []byte, v []int64, lo int64, mode byte) []byte {
	dst = binary.AppendVarint(append(dst, mode), lo)
	var fields [intRun]uint64
	body := bitWriter{b: make([]byte, 0, 2*len(v))}
	for len(v) > 0 {
		run := v[:min(intRun, len(v))]
		v = v[len(run):]
		if mode == intsOffset {
			base := run[0]
			for _, x := range run {
				base = min(base, x)
			}
			for i, x := range run {
				fields[i] = uint64(x - base)
			}
			dst = binary.AppendUvarint(dst, uint64(base-lo))
		} else {
			dst = binary.AppendUvarint(dst, uint64(run[0]-lo))
			step := int64(0)
			for i := 1; i < len(run); i++ {
				if d := run[i] - run[i-1]; i == 1 || d < step {
					step = d
				}
			}
			dst = binary.AppendVarint(dst, step)
			for i := 1; i < len(run); i++ {
				fields[i] = uint64(run[i] - run[i-1] - step)
			}
			fields[0] = 0
		}
		var all uint64
		for _, f := range fields[:len(run)] {
			all |= f
		}
		width := uint(bits.Len64(all))
		dst = append(dst, byte(width))
		for _, f := range fields[:len(run)] {
			body.put(f, width)
		}
	}
	return append(dst, body.flush()...)
}

type intRunHead struct {
	base, step int64
	width      uint
	offset     uint // of its first field, in bits
}

// intsPage is an opened integer section.
type intsPage struct {
	mode byte
	n    int
	runs []intRunHead
	b    []byte
}

func openInts(b []byte, n int) (p intsPage, err error) {
	in := input{b: b}
	p.mode, p.n = in.byte(), n
	lo, k := binary.Varint(in.b)
	if k <= 0 || p.mode > intsDelta || n > 8*intRun*len(b) {
		return p, errPage
	}
	in.b = in.b[k:]
	p.runs = make([]intRunHead, (n+intRun-1)/intRun)
	off := uint(0)
	for i := range p.runs {
		r := &p.runs[i]
		r.base = lo + int64(in.uvarint())
		if p.mode == intsDelta {
			if r.step, k = binary.Varint(in.b); k <= 0 {
				return p, errPage
			}
			in.b = in.b[k:]
		}
		r.width, r.offset = uint(in.byte()), off
		if in.bad || r.width > maxIntWidth {
			return p, errPage
		}
		off += r.width * uint(min(intRun, n-i*intRun))
	}
	if uint(len(in.b)) != (off+7)/8 {
		return p, errPage
	}
	p.b = in.b
	return p, nil
}

// read fills dst with the values from index from on.
func (p *intsPage) read(dst []int64, from int) {
	for len(dst) > 0 {
		r := &p.runs[from/intRun]
		k := from % intRun
		n := min(len(dst), intRun-k)
		mask := uint64(1)<<r.width - 1
		if p.mode == intsOffset {
			off := r.offset + uint(k)*r.width
			for i := range dst[:n] {
				dst[i] = r.base + int64(window(p.b, off)&mask)
				off += r.width
			}
		} else {
			v, off := r.base-r.step, r.offset // the first field is 0 and stands for no step
			for i := 0; i < k+n; i++ {
				v += r.step + int64(window(p.b, off)&mask)
				off += r.width
				if i >= k {
					dst[i-k] = v
				}
			}
		}
		dst, from = dst[n:], from+n
	}
}

func sortUint32(v []uint32) { slices.Sort(v) }

func (in *input) varint() int64 {
	v, n := binary.Varint(in.b)
	if n <= 0 {
		in.bad, in.b = true, nil
		return 0
	}
	in.b = in.b[n:]
	return v
}
