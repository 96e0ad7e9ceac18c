package segment

import (
	"bytes"
	"encoding/binary"
	"slices"

	"github.com/cairndb/cairn/segment/column"
)

// The values of some columns are put together from others of the same record: the ARN
// of an object from bucket and key, that of a session from its account and name. Such a
// column is built: it has a dictionary of patterns, and codes that say which one each value
// has; or it is filled: it has the pattern of every value in value pages. A pattern is the value with parts of it replaced: a byte b below 32, which no
// JSON string has as it is, stands for what the record has in the b-th of the
// columns that the directory names as sources. A value in which nothing is found is a pattern
// by itself.
//
// Sources are in a record at most once, are not built themselves, and are not JSON text.
const (
	// buildFrom is the least number of values a column must have to be built.
	buildFrom = 256
	// buildLength is the least average length of its values.
	buildLength = 12
	// buildRepeats: columns with a dictionary whose entries occur more often than this keep it, for
	// a dictionary answers questions that patterns do not.
	buildRepeats = 4
	// maxBuiltSources of a column.
	maxBuiltSources = 4
	// minPart is the shortest text that is looked for in others: shorter ones are found
	// by chance.
	minPart = 4
	// builtShare in percent of the bytes of a column must come from others.
	builtShare = 25
	// filledShare in percent, for columns in which hardly any two patterns are the same.
	filledShare = 35
	// hopelessShare in percent of the samples have patterns of their own.
	hopelessShare = 90
	// builtGain in percent: a source must give this much of a column.
	builtGain = 4
	// buildEvery: one row of so many is looked at for sources; of few rows, buildRows are.
	buildEvery = 47
	buildRows  = 256
	// buildHopeless: a column of which so many values have nothing of others is left alone.
	buildHopeless = 48
)

// part is a value of a row that is looked at.
type part struct {
	column uint32
	text   []byte
}

// builtSample is a value that may be built, and what else its record has.
type builtSample struct {
	text  []byte
	parts []part
}

// value returns value i of the column.
func (c *finalColumn) value(i int) []byte {
	if c.plain {
		return c.entry(i)
	}
	e := c.codes[i]
	if c.order != nil {
		e = c.order[e]
	}
	return c.entry(int(e))
}

// build looks for columns whose values are made of others.
func (f *finisher) build() {
	may := make([]bool, len(f.byNumber))
	var cands []*finalColumn
	for _, c := range f.columns {
		if c.kind != leafString || c.n < buildFrom || c.flags&columnTimes != 0 || len(c.data) < buildLength*len(c.ends) ||
			c.encoding == encTiny || c.encoding == encDictionary && c.n >= buildRepeats*len(c.order) {
			continue
		}
		may[c.number] = true
		cands = append(cands, c)
	}
	if len(cands) == 0 {
		return
	}
	slices.SortStableFunc(cands, func(x, y *finalColumn) int { return len(y.data) - len(x.data) })
	samples := f.samples(may)
	taken := map[*finalColumn]bool{}
	for _, c := range cands {
		if taken[c] {
			continue
		}
		if sources := f.sourcesOf(c, samples[c.number]); len(sources) > 0 && f.buildFrom(c, sources) {
			for _, s := range sources {
				taken[s] = true
			}
		}
	}
}

// samples collects values of the columns that may be built, by builder's number.
func (f *finisher) samples(may []bool) map[uint32][]builtSample {
	out := map[uint32][]builtSample{}
	passed := make([]uint32, len(f.byNumber))
	every := uint32(min(buildEvery, 1+len(f.b.rows)/buildRows))
	for row, s := range f.b.rows {
		words := f.words(uint32(s))
		// Not every n-th row: records may come in turns.
		if uint32(row)*0x9e3779b1>>16%every != 0 {
			for _, e := range words {
				if to := f.a.edges[e].to; to != endsColumn {
					passed[to]++
				}
			}
			continue
		}
		var parts []part
		some := false
		for _, e := range words {
			to := f.a.edges[e].to
			if to == endsColumn {
				continue
			}
			some = some || may[to]
			if c := f.byNumber[to]; !c.inArray && c.kind != leafJSON {
				if v := c.value(int(passed[to])); len(v) >= minPart {
					parts = append(parts, part{to, v})
				}
			}
			passed[to]++
		}
		if !some {
			continue
		}
		had := map[uint32]uint32{}
		for _, e := range words {
			if to := f.a.edges[e].to; to != endsColumn && may[to] {
				had[to]++
			}
		}
		for _, e := range words {
			to := f.a.edges[e].to
			if n := had[to]; to != endsColumn && n > 0 {
				delete(had, to) // one value of a row is enough
				out[to] = append(out[to], builtSample{f.byNumber[to].value(int(passed[to] - n)), parts})
			}
		}
	}
	return out
}

// sourcesOf chooses the columns that give most to the samples of a column.
func (f *finisher) sourcesOf(c *finalColumn, samples []builtSample) (sources []*finalColumn) {
	total := 0
	for _, s := range samples {
		total += len(s.text)
	}
	rest := total
	gain := map[uint32]int{}
	for range maxBuiltSources {
		clear(gain)
		for i, s := range samples {
			if i == buildHopeless && len(gain) == 0 && len(sources) == 0 {
				return nil
			}
			for _, p := range s.parts {
				if len(p.text) <= len(s.text) && p.column != c.number && f.byNumber[p.column].built == nil && bytes.Contains(s.text, p.text) {
					gain[p.column] += len(p.text)
				}
			}
		}
		best, most := uint32(0), 0
		for c, n := range gain {
			if n > most || n == most && c < best {
				best, most = c, n
			}
		}
		if most*100 < total*builtGain || most == 0 {
			break
		}
		sources = append(sources, f.byNumber[best])
		for i := range samples {
			s := &samples[i]
			for _, p := range s.parts {
				if p.column == best && bytes.Contains(s.text, p.text) {
					s.text = bytes.ReplaceAll(s.text, p.text, []byte{byte(len(sources))})
				}
			}
		}
		rest -= most
	}
	if (total-rest)*100 < total*builtShare {
		return nil
	}
	// When hardly any two samples have the same pattern, all values need not be tried to see that
	// they have not.
	patterns := map[string]struct{}{}
	for _, s := range samples {
		patterns[string(s.text)] = struct{}{}
	}
	if len(patterns)*100 > len(samples)*hopelessShare && (total-rest)*100 < total*filledShare {
		return nil
	}
	return sources
}

// buildFrom makes patterns of all values of a column, and is false when there are too many.
func (f *finisher) buildFrom(c *finalColumn, sources []*finalColumn) bool {
	most := c.n / 4
	// With a dictionary that hardly repeats, values are as good as those of a plain column.
	repeats := c.encoding == encDictionary && c.n > 2*len(c.order)
	if repeats {
		most = len(c.order) * 3 / 4
	}
	// By shape, how many values of c a row has, and which of the sources.
	count := make([]uint32, len(f.b.shapes))
	has := make([]uint8, len(f.b.shapes))
	for s := range f.b.shapes {
		for _, e := range f.words(uint32(s)) {
			to := f.a.edges[e].to
			if to == c.number {
				count[s]++
			}
			for k, x := range sources {
				if to == x.number {
					if has[s]&(1<<k) != 0 {
						return false
					}
					has[s] |= 1 << k
				}
			}
		}
	}
	p := &builderColumn{kind: c.kind, node: c.node}
	var passed [maxBuiltSources]int
	var text, other []byte
	next, size := 0, 0
	for _, s := range f.b.rows {
		for range count[s] {
			text = append(text[:0], c.value(next)...)
			size += len(text)
			for k, x := range sources {
				if has[s]&(1<<k) == 0 {
					continue
				}
				v := x.value(passed[k])
				if len(v) < minPart || len(v) > len(text) {
					continue
				}
				i := bytes.Index(text, v)
				if i < 0 {
					continue
				}
				other = other[:0]
				rest := text
				for ; i >= 0; i = bytes.Index(rest, v) {
					other = append(append(other, rest[:i]...), byte(k+1))
					rest = rest[i+len(v):]
				}
				text, other = append(other, rest...), text
			}
			p.add(text, hashText(text, textSeed))
			if !p.plain && (len(p.ends) > most || len(p.ends) >= maxDictionary || p.probe) {
				if repeats {
					return false
				}
				p.spell()
			}
			next++
		}
		for k := range sources {
			passed[k] += int(has[s] >> k & 1)
		}
	}
	if p.plain && (size-len(p.data))*100 < size*filledShare {
		return false
	}
	c.built = &finalColumn{builderColumn: p, group: c.group, encoding: encBuilt}
	c.sources = sources
	if p.plain {
		c.built.encoding = encFilled
	} else {
		f.sortDictionary(c.built)
	}
	c.encoding = c.built.encoding
	return true
}

// writeBuilt writes the patterns of a built column, and its codes.
func (f *finisher) writeBuilt(c *finalColumn) {
	if c.encoding == encFilled {
		f.writePlain(c.built)
	} else {
		f.writeDictionary(c.built)
	}
	c.pageEnds = c.built.pageEnds
}

// builtEntry is what the directory says about a built column.
func (f *finisher) builtEntry(dst []byte, c *finalColumn) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(c.sources)))
	for _, s := range c.sources {
		dst = binary.AppendUvarint(dst, uint64(slices.Index(f.columns, s)))
	}
	return dst
}

// firstText is the lowest byte that stands for itself in a pattern.
const firstText = ' '

// hasParts reports whether something is to be put into a pattern.
func hasParts(pattern []byte) bool {
	for _, c := range pattern {
		if c < firstText {
			return true
		}
	}
	return false
}

// expand puts the values of the present row into a pattern of a built column.
func (sc *scanner) expand(cu *cursor, pattern []byte) ([]byte, error) {
	if !hasParts(pattern) {
		return pattern, nil
	}
	cu.full = cu.full[:0]
	for from, i := 0, 0; i <= len(pattern); i++ {
		if i < len(pattern) && pattern[i] >= firstText {
			continue
		}
		cu.full = append(cu.full, pattern[from:i]...)
		from = i + 1
		if i == len(pattern) {
			break
		}
		k := int(pattern[i]) - 1
		if k < 0 || k >= len(cu.det.sources) {
			return nil, sc.damaged(cu, errPage)
		}
		v, err := sc.besides(cu, cu.det.sources[k])
		if err != nil {
			return nil, err
		}
		cu.full = append(cu.full, v...)
	}
	return cu.full, nil
}

// besides returns the value that the present row has in a column which is there at most once.
func (sc *scanner) besides(cu *cursor, column int) ([]byte, error) {
	source := sc.cursors[column]
	if source == nil {
		var err error
		if source, err = sc.cursor(column); err != nil {
			return nil, err
		}
	}
	k := source.base + sc.passed[column]
	if sc.taken[column] == sc.serial {
		k-- // the row's value was the last that passed
	}
	end := uint32(0)
	if source.c.encoding == encTiny {
		end = source.tiny.starts[sc.block+1]
	} else {
		end = sc.d.groups[source.det.group][sc.block+1]
	}
	if k < source.base || k >= end {
		return nil, sc.damaged(cu, errShape)
	}
	return sc.valueAt(source, k)
}

// eachInBlock calls fn with the values of a column in a row block and the rows they are in.
// Built columns have no other way to be read from end to end.
func (sc *scanner) eachInBlock(column, b int, fn func(row int, v []byte) error) error {
	if err := sc.enter(b); err != nil {
		return err
	}
	for row, shape := range sc.shapes {
		sc.serial++
		for _, e := range sc.s.shape(shape) {
			to := int(sc.s.edges[e].to) - 1
			if to < 0 {
				break
			}
			if to == column {
				v, err := sc.value(column, 0)
				if err == nil {
					err = fn(row, v)
				}
				if err != nil {
					return err
				}
			}
			if sc.passed[to]++; sc.d.columns[to].source {
				sc.taken[to] = sc.serial
			}
		}
	}
	return nil
}

// built is column of a search for built columns.
func (f *search) built(i int, c *dirColumn) error {
	det := f.d.detail(c)
	const (
		inLiteral = 1 // whatever the parts are
		across    = 2 // the text may begin or end in a part
	)
	if c.encoding == encFilled {
		return f.filled(i, c)
	}
	var has []uint8
	some := uint8(0)
	for page := range det.ends {
		t, err := f.r.readDictPage(f.ctx, f.d, c, page)
		if err != nil {
			return err
		}
		for k := range t.ends {
			h := uint8(0)
			if f.text.in(t.at(k)) {
				h |= inLiteral
			} else if f.acrossParts(c, t.at(k)) {
				h |= across
			}
			has = append(has, h)
			some |= h
		}
	}
	if err := f.insideParts(i, c); err != nil {
		return err
	}
	if some == 0 {
		return nil
	}
	sc, err := f.r.scanner(f.ctx, true)
	if err != nil {
		return err
	}
	defer sc.close()
	for b := range f.d.rowBlocks {
		var cc columnCodes
		if err := cc.open(f.ctx, f.r, f.d, c, b); err != nil {
			return err
		}
		f.codes = sized(f.codes, cc.n)
		err := cc.read(f.codes, 0)
		cc.close()
		if err != nil {
			return f.r.damaged(f.d.block(c.page), err)
		}
		any := uint8(0)
		for _, code := range f.codes {
			any |= has[code]
		}
		if any == 0 {
			continue
		}
		k := 0
		err = sc.eachInBlock(i, b, func(row int, v []byte) error {
			if k >= len(f.codes) {
				return f.r.damaged(f.d.block(c.page), errShape)
			}
			h := has[f.codes[k]]
			k++
			if h == inLiteral || h == across && f.text.in(v) {
				f.rows.Set(b*BlockRows + row)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// filled is built for columns whose patterns are not listed: those are searched as they are
// stored, and the values of patterns that the text may reach into are put together.
func (f *search) filled(i int, c *dirColumn) error {
	if err := f.insideParts(i, c); err != nil {
		return err
	}
	det := f.d.detail(c)
	var sure, across []uint32
	first := uint32(0)
	for page, end := range det.ends {
		some, err := f.readPatterns(c, c.page+uint32(page), int(end-first))
		if err != nil {
			return err
		}
		if some {
			for k := range f.all.ends {
				if v := f.all.at(k); f.text.in(v) {
					sure = append(sure, first+uint32(k))
				} else if f.acrossParts(c, v) {
					across = append(across, first+uint32(k))
				}
			}
		}
		first = end
	}
	if err := f.markAll(i, sure); err != nil || len(across) == 0 {
		return err
	}
	sc, err := f.r.scanner(f.ctx, false)
	if err != nil {
		return err
	}
	defer sc.close()
	starts := f.d.groups[det.group]
	for b := range f.d.rowBlocks {
		n := 0
		for n < len(across) && across[n] < starts[b+1] {
			n++
		}
		if n == 0 {
			continue
		}
		err := sc.eachOf(i, b, across[:n], func(row int, v []byte) {
			if f.text.in(v) {
				f.rows.Set(b*BlockRows + row)
			}
		})
		if err != nil {
			return err
		}
		across = across[n:]
	}
	return nil
}

// insideParts finds the rows of a built column whose sources have the text. Where those belong to
// what is searched, that is done anyway.
func (f *search) insideParts(i int, c *dirColumn) error {
	for _, s := range f.d.detail(c).sources {
		if f.within(f.d.columns[s].node) {
			continue
		}
		with, ok := f.beside[s]
		if !ok {
			other := *f
			other.rows = column.NewBits(f.r.rows)
			other.count, other.found, other.codes = nil, nil, nil
			if err := other.column(s); err != nil {
				return err
			}
			if with = other.rows; !slices.ContainsFunc(with, func(w uint64) bool { return w != 0 }) {
				with = nil
			}
			if f.beside == nil {
				f.beside = map[int]column.Bits{}
			}
			f.beside[s] = with
		}
		if with == nil {
			continue
		}
		rows, err := f.rowsWith(i)
		if err != nil {
			return err
		}
		for w := range f.rows {
			f.rows[w] |= with[w] & rows[w]
		}
	}
	return nil
}

// eachOf calls fn with those values of a column in a row block whose ordinals are given, ascending, and
// the rows they are in.
func (sc *scanner) eachOf(column, b int, ordinals []uint32, fn func(row int, v []byte)) error {
	if err := sc.enter(b); err != nil {
		return err
	}
	// Up to the row of each, only this column's values are counted.
	count := make([]uint32, sc.d.shapes)
	for s := range count {
		for _, e := range sc.s.shape(uint16(s)) {
			if int(sc.s.edges[e].to)-1 == column {
				count[s]++
			}
		}
	}
	next := sc.d.groups[sc.d.detail(&sc.d.columns[column]).group][b]
	for row, shape := range sc.shapes {
		n := count[shape]
		if next+n <= ordinals[0] {
			next += n
			continue
		}
		sc.skipTo(row)
		sc.serial++
		// Sources have their value of this row before or after it: it is not taken yet.
		for ; len(ordinals) > 0 && ordinals[0] < next+n; ordinals = ordinals[1:] {
			v, err := sc.value(column, ordinals[0]-next)
			if err != nil {
				return err
			}
			fn(row, v)
		}
		if next += n; len(ordinals) == 0 {
			return nil
		}
	}
	return sc.damaged(sc.cursors[column], errShape)
}

// rowsWith returns the rows that have a value of a column.
func (f *search) rowsWith(i int) ([]uint64, error) {
	rows := slices.Clone(f.rows)
	clear(rows)
	has := make([]bool, f.d.shapes)
	for s := range has {
		for _, e := range f.s.shape(uint16(s)) {
			has[s] = has[s] || f.s.edges[e].to == uint32(i)+1
		}
	}
	for b := range f.d.rowBlocks {
		shapes, err := f.r.rowShapes(f.ctx, f.d, b)
		if err != nil {
			return nil, err
		}
		for row, s := range shapes {
			if has[s] {
				rows.Set(b*BlockRows + row)
			}
		}
	}
	return rows, nil
}

// acrossParts reports whether the text can be in a value of the pattern so that it begins or ends
// within a part, or has parts inside: whatever the parts are.
func (f *search) acrossParts(c *dirColumn, pattern []byte) bool {
	text := f.text.text
	switch {
	case !hasParts(pattern):
		return false
	case f.text.unescape && c.flags&columnEscapes != 0:
		return true
	case f.text.fold:
		if !f.text.lower(pattern) {
			return true
		}
		pattern = f.text.small
	}
	for i, c := range pattern {
		if c >= firstText {
			continue
		}
		left, right := pattern[:i], pattern[i+1:]
		for j := 1; j < len(text); j++ {
			if meetsEnd(left, text[:j]) || meetsStart(right, text[j:]) {
				return true
			}
		}
	}
	return false
}

// meetsEnd reports whether the literal at the end of left fits the end of text.
func meetsEnd(left, text []byte) bool {
	for len(left) > 0 && len(text) > 0 {
		l, t := left[len(left)-1], text[len(text)-1]
		if l < firstText {
			return true
		}
		if l != t {
			return false
		}
		left, text = left[:len(left)-1], text[:len(text)-1]
	}
	return len(text) == 0
}

// meetsStart reports whether the literal at the start of right fits the start of text.
func meetsStart(right, text []byte) bool {
	for len(right) > 0 && len(text) > 0 {
		if right[0] < firstText {
			return true
		}
		if right[0] != text[0] {
			return false
		}
		right, text = right[1:], text[1:]
	}
	return len(text) == 0
}
