package segment

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/bits"
	"slices"
	"unicode/utf8"
)

// A search for a text unpacks all pages that may have it. What it meets there is noted
// in the cache: which pieces of four bytes the values of a page have, as bits of a hash.
// The next search, for whatever text, passes over the pages that lack a piece.
// It takes an eighth of the text, and works for texts of some length that are rare.

// grams are the pieces of the values of a page.
type grams struct {
	bits  []uint64 // a power of two of them; empty when there are no such values
	shift uint
	// others says that the page has values, never of text sections, that were not looked at: their
	// alphabets had not the text of then. escapes and beyond that some value has an escape
	// of a character, or letters beyond ASCII.
	others, escapes, beyond bool
	seams                   *seams // of a page of patterns
}

const gramLen = 4

func gram(b []byte) uint32 { return binary.LittleEndian.Uint32(b) * 0x9e3779b1 }

// smallLetters makes ASCII letters of four bytes small, as pieces are noted.
func smallLetters(dst, b []byte) []byte {
	dst = append(dst[:0], b...)
	for i, c := range dst {
		if 'A' <= c && c <= 'Z' {
			dst[i] = c + 'a' - 'A'
		}
	}
	return dst
}

func newGrams(size int) *grams {
	words := 1 << bits.Len(uint(max(size, 64)/64-1))
	return &grams{bits: make([]uint64, words), shift: uint(32 - bits.Len(uint(words*64-1)))}
}

// add notes the pieces of values that stand one after the other: those that reach over
// two of them do no harm.
func (g *grams) add(data []byte, small []byte) []byte {
	small = smallLetters(small, data)
	for i := 0; i+gramLen <= len(small); i++ {
		at := gram(small[i:]) >> g.shift
		g.bits[at>>6] |= 1 << (at & 63)
	}
	g.escapes = g.escapes || bytes.Contains(data, unicodeEscape)
	for _, c := range data {
		g.beyond = g.beyond || c >= utf8.RuneSelf
	}
	return small
}

// mayHave reports whether some value that was looked at may have the text that is wanted.
func (g *grams) mayHave(w *wanted) bool {
	if len(g.bits) == 0 {
		return false
	}
	if g.escapes && w.unescape || g.beyond && w.fold {
		return true
	}
	for i := 0; i+gramLen <= len(w.grams); i++ {
		if at := gram(w.grams[i:]) >> g.shift; g.bits[at>>6]&(1<<(at&63)) == 0 {
			return false
		}
	}
	return true
}

// read unpacks those of the n values of a page that may have the text into all: with empty ones
// between them, or none at all.
func (f *search) read(c *dirColumn, number uint32, n int, all *texts) error {
	all.reset()
	key := f.r.key(cachedGrams, number)
	var g *grams
	if len(f.text.text) >= gramLen {
		g, _ = f.r.cache.get(key).(*grams)
	}
	if g != nil && !g.others && !g.mayHave(&f.text) {
		return nil
	}
	page, release, err := f.r.page(f.ctx, f.d, number)
	if err != nil {
		return err
	}
	defer release()
	v := &f.values
	if err = v.open(page, n); err == nil && f.text.choose(v, g) {
		err = v.all(all, 0, n)
	}
	if err == nil && g == nil && len(f.text.text) >= gramLen && f.r.cache.roomForScans() {
		g = f.text.note(v, all)
		f.r.cache.put(key, g, int64(8*len(g.bits))+64)
	}
	if err != nil {
		return f.r.damaged(f.d.block(number), fmt.Errorf("column %s: %w", f.d.name(c), err))
	}
	return nil
}

// readPatterns unpacks the n patterns of a page of a built column into f.all, and is false when
// no value that is made of them can have the text but within a part.
func (f *search) readPatterns(c *dirColumn, number uint32, n int) (some bool, err error) {
	key := f.r.key(cachedGrams, number)
	g, _ := f.r.cache.get(key).(*grams)
	if g != nil && !(f.text.unescape && c.flags&columnEscapes != 0) && !g.mayHave(&f.text) && !g.seams.mayReach(&f.text) {
		return false, nil
	}
	page, release, err := f.r.page(f.ctx, f.d, number)
	if err != nil {
		return false, err
	}
	defer release()
	f.all.reset()
	if err = f.values.open(page, n); err == nil {
		for i := range f.values.classes {
			f.values.classes[i].skip = false
		}
		err = f.values.all(&f.all, 0, n)
	}
	if err != nil {
		return false, f.r.damaged(f.d.block(number), fmt.Errorf("column %s: %w", f.d.name(c), err))
	}
	if g == nil && f.r.cache.roomForScans() {
		g = f.text.note(&f.values, &f.all)
		g.seams = seamsOf(&f.all)
		f.r.cache.put(key, g, int64(8*len(g.bits))+128)
	}
	return true, nil
}

// seams are the bytes, in small letters, that stand before and after the parts of the patterns of a page.
type seams struct {
	before, after alphabet
	adjoin        bool // parts stand side by side
}

func (a *alphabet) set(c byte)      { a[c>>6] |= 1 << (c & 63) }
func (a *alphabet) has(c byte) bool { return a[c>>6]&(1<<(c&63)) != 0 }

func seamsOf(all *texts) *seams {
	s := new(seams)
	small := func(c byte) byte {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		return c
	}
	for k := range all.ends {
		v := all.at(k)
		for i, c := range v {
			if c >= firstText {
				continue
			}
			if i > 0 {
				s.before.set(small(v[i-1]))
				s.adjoin = s.adjoin || v[i-1] < firstText
			}
			if i+1 < len(v) {
				s.after.set(small(v[i+1]))
			}
		}
	}
	return s
}

// mayReach reports whether a text may reach from a literal into a part beside it.
func (s *seams) mayReach(w *wanted) bool {
	if s.adjoin {
		return true
	}
	if w.fold {
		// Lengths and letters beyond ASCII change with the case.
		for c := utf8.RuneSelf; c < 256; c++ {
			if s.before.has(byte(c)) || s.after.has(byte(c)) {
				return true
			}
		}
	}
	last := len(w.grams) - 1
	for i, c := range w.grams {
		if i < last && s.before.has(c) || i > 0 && s.after.has(c) {
			return true
		}
	}
	return false
}

// note returns the pieces of a page whose values, but for classes that were passed over, are in all.
func (w *wanted) note(v *valuesPage, all *texts) *grams {
	g := new(grams)
	if len(all.data) > 0 {
		g = newGrams(len(all.data))
		w.small = g.add(all.data, w.small)
	}
	g.others = slices.ContainsFunc(v.classes, func(c classSection) bool { return c.skip })
	return g
}
