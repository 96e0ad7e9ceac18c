package segment

import (
	"errors"
	"fmt"
)

// Options of a [Builder]. The zero value is useful.
type Options struct {
	// Watch lists object-key paths whose values [Builder.Last] gives after
	// each Add; at most 255. Keys are compared exactly, unescaped.
	Watch [][]string
	// Predict is 1 + the index in Watch of the string that best tells the form
	// of the rest of a record (for audit events the name of the event); 0 means
	// none. It only affects speed.
	Predict int
	// MaxDepth is the deepest nesting of objects and arrays accepted, the
	// record itself included. Default [DefaultMaxDepth].
	MaxDepth int
	// MaxRecordBytes is the longest record accepted. Default [DefaultMaxRecordBytes].
	MaxRecordBytes int
	// MaxValues is the largest number of strings, numbers and booleans in one
	// record. Default [DefaultMaxValues].
	MaxValues int

	// MaxColumns, MaxShapes and MaxElements bound what one segment spends on
	// structure: its columns, its shapes, and the values that an array gives a
	// column in one record. What is beyond is kept as JSON text, exactly and
	// readable like the rest, only larger and slower. Defaults and upper bounds
	// are the Default constants of these names.
	MaxColumns  int
	MaxShapes   int
	MaxElements int
}

// Defaults of the caps in [Options].
const (
	// DefaultMaxDepth: real audit events stay below 20; recursion over 64
	// levels is harmless everywhere.
	DefaultMaxDepth = 64
	// DefaultMaxRecordBytes: the largest events are 1 MiB before the envelope
	// and re-spelling that producers add.
	DefaultMaxRecordBytes = 1<<20 + 64<<10
	// DefaultMaxValues keeps a record from being a table of its own; a record
	// of 1 MiB made of one-digit numbers has twice as many.
	DefaultMaxValues = 1 << 18
	// DefaultMaxColumns is beyond what 65,536 records of a hundred real
	// services show (some 10,000).
	DefaultMaxColumns = 24_000
	// DefaultMaxShapes: shapes have 16-bit numbers.
	DefaultMaxShapes = 1<<16 - 1
	// DefaultMaxElements: longer lists give every record a shape of its own. In a list of a
	// hundred machines that other records name as well, an element takes two bytes in a column
	// and nine in text.
	DefaultMaxElements = 512
	// maxShapeLeaves: a record with more leaves is kept whole, because the
	// list of its literals would be as long as the record.
	maxShapeLeaves = 8192
	// maxShapeWords bounds the literal numbers of all shapes of a segment (8 MB).
	maxShapeWords = 4 << 20
	// MaxRawBytes is the most JSON one segment takes: offsets have 32 bits,
	// and nobody wants to hold more in memory to seal it.
	MaxRawBytes = 1 << 30
	// maxLiteral bounds the text between two leaves; longer ones come from
	// lists of nothing but nulls and empty objects.
	maxLiteral = 32 << 10
	// textColumns is room beyond MaxColumns for the text that stands for what
	// finds no column.
	textColumns = 1024
	// maxRetries: how often a record is read again with one more of its parts
	// kept as text before it is kept whole.
	maxRetries = 4
)

// ErrFull is returned by [Builder.Add] when the segment holds [MaxRows] records or
// [MaxRawBytes] bytes.
var ErrFull = errors.New("segment is full")

// errCap is how a scan says that a cap on structure is reached; b.over tells where.
var errCap = errors.New("cap on structure")

// shape is one distinct sequence of edges.
type shape struct {
	from, to uint32 // in Builder.words
	rows     uint32
}

// Builder collects records and encodes them as a segment. It is reusable: Reset
// keeps its memory and what it has learnt about the form of records. A Builder
// belongs to one goroutine at a time.
type Builder struct {
	o        Options
	a        *automaton
	shapes   []shape
	words    []uint16 // the edges of all shapes
	shapeTab []uint32 // hash table: 1 + shape
	hashes   []uint64 // of the shapes
	rows     []uint16 // shape of each row
	rawBytes int64
	active   []uint32 // columns that hold values
	asked    []uint32 // columns to ask if their dictionary is worth it
	finished bool
	pages    []byte // memory of the last Finish
	packer   valuePacker

	// The record added last.
	cur      []uint16 // its edges
	fresh    []int32  // leaves that made a dictionary entry
	lastLen  int
	undoable bool
	values   []watched

	// The record being scanned.
	walk    walk
	seen    []seen
	force   []uint32 // nodes whose objects and arrays become text
	over    uint32   // node at which a cap was reached
	context uint64
	leaves  int    // scalars inside text leaves
	record  uint64 // number of the scan, for counts per record
}

type watched struct {
	raw  []byte
	kind Kind
}

// NewBuilder returns an empty builder.
func NewBuilder(o Options) *Builder {
	if len(o.Watch) > 255 {
		panic(fmt.Sprintf("segment: %d watched paths, at most 255 are possible", len(o.Watch)))
	}
	def := func(v *int, d, most int) {
		if *v <= 0 {
			*v = d
		}
		if *v > most {
			*v = most
		}
	}
	def(&o.MaxDepth, DefaultMaxDepth, 512)
	def(&o.MaxRecordBytes, DefaultMaxRecordBytes, 64<<20)
	def(&o.MaxValues, DefaultMaxValues, 1<<30)
	def(&o.MaxColumns, DefaultMaxColumns, DefaultMaxColumns)
	def(&o.MaxShapes, DefaultMaxShapes, DefaultMaxShapes)
	def(&o.MaxElements, DefaultMaxElements, DefaultMaxElements)
	b := &Builder{o: o, values: make([]watched, len(o.Watch))}
	b.walk.maxDepth = o.MaxDepth
	b.learnAnew()
	b.shapeTab = make([]uint32, 1024)
	return b
}

func (b *Builder) learnAnew() {
	b.a = newAutomaton()
	for i, p := range b.o.Watch {
		if len(p) > 0 {
			b.a.watchPath(i, p)
		}
	}
	whole := &b.a.columns[wholeColumn]
	whole.below, whole.watched = b.a.nodes[0].below, len(b.a.nodes[0].below) > 0
}

// Reset forgets all records. What the last Finish returned is invalid from now on.
func (b *Builder) Reset() {
	b.shapes, b.words, b.hashes, b.rows = b.shapes[:0], b.words[:0], b.hashes[:0], b.rows[:0]
	clear(b.shapeTab)
	b.rawBytes, b.undoable, b.finished = 0, false, false
	b.active, b.asked = b.active[:0], b.asked[:0]
	if len(b.a.edges) > warmEdges || b.a.text > warmText || len(b.a.columns) > b.o.MaxColumns/2 {
		b.learnAnew()
		return
	}
	for i := range b.a.columns {
		b.a.columns[i].reset()
	}
}

// Rows returns how many records the builder holds.
func (b *Builder) Rows() int { return len(b.rows) }

// RawBytes returns the sum of their lengths.
func (b *Builder) RawBytes() int64 { return b.rawBytes }

// MemoryBytes estimates what the builder occupies. It walks all columns: ask
// now and then, not after each record.
func (b *Builder) MemoryBytes() int64 {
	n := int64(b.a.text) + int64(len(b.a.edges))*128 + int64(len(b.a.columns))*200 +
		int64(cap(b.words))*2 + int64(cap(b.shapes))*20 + int64(cap(b.rows))*2
	for i := range b.a.columns {
		n += b.a.columns[i].memory()
	}
	return n
}

// Add takes the JSON object that starts at buf[0] and returns its length; what
// follows it in buf is not looked at, so that a caller can walk a list of
// records in one pass. The text is validated strictly (RFC 8259, UTF-8) and
// copied; escapes of lone surrogates are accepted and kept.
//
// Errors are *[SyntaxError], *[LimitError] or [ErrFull]; then nothing of the
// record remains. Caps on structure are no errors: the record is kept as text
// in part or whole.
func (b *Builder) Add(buf []byte) (n int, err error) {
	if b.finished {
		return 0, errors.New("segment builder: Add after Finish")
	}
	for _, c := range b.asked {
		b.a.columns[c].decide()
	}
	b.asked = b.asked[:0]
	b.undoable = false
	if len(b.rows) >= MaxRows || b.rawBytes+int64(b.o.MaxRecordBytes) > MaxRawBytes {
		return 0, ErrFull
	}
	text := buf
	if len(text) > b.o.MaxRecordBytes {
		text = text[:b.o.MaxRecordBytes]
	}
	before := b.a.size()
	b.force = b.force[:0]
	for try := 0; ; try++ {
		b.start()
		if try > maxRetries {
			n, err = b.scanWhole(text)
		} else {
			n, err = b.scan(text)
		}
		if err == nil && !b.commit(n) {
			b.over, err = 0, errCap
		}
		if err == nil {
			return n, nil
		}
		b.takeBack()
		b.a.shrink(before)
		if err != errCap {
			if s, ok := err.(*SyntaxError); ok && s.Incomplete && len(text) < len(buf) {
				err = &LimitError{What: LimitBytes, Max: b.o.MaxRecordBytes, Offset: len(text)}
			}
			return 0, err
		}
		if b.over == 0 || b.forced(b.over) {
			try = maxRetries
			continue
		}
		b.force = append(b.force, b.over)
	}
}

func (b *Builder) start() {
	b.cur, b.fresh = b.cur[:0], b.fresh[:0]
	b.context, b.leaves = 0, 0
	b.record++
	clear(b.values)
}

// takeBack removes the values of the record that b.cur describes.
func (b *Builder) takeBack() {
	f := len(b.fresh) - 1
	for i := len(b.cur) - 1; i >= 0; i-- {
		to := b.a.edges[b.cur[i]].to
		if to == endsColumn {
			continue
		}
		c := &b.a.columns[to]
		fresh := f >= 0 && int(b.fresh[f]) == i
		if fresh {
			f--
		}
		c.pop(fresh)
		if c.n == 0 {
			b.active = b.active[:len(b.active)-1]
		}
	}
	b.asked = b.asked[:0]
	b.cur = b.cur[:0]
	clear(b.values)
}

// Undo takes back the record added last. It does nothing unless the last call
// was a successful Add.
func (b *Builder) Undo() {
	if !b.undoable {
		return
	}
	b.undoable = false
	last := len(b.rows) - 1
	s := int(b.rows[last])
	b.rows = b.rows[:last]
	b.rawBytes -= int64(b.lastLen)
	b.shapes[s].rows--
	if b.shapes[s].rows == 0 {
		// The record brought the shape, so it is the last one, and its slot the
		// last one filled.
		mask := uint64(len(b.shapeTab) - 1)
		i := b.hashes[s] & mask
		for b.shapeTab[i] != uint32(s)+1 {
			i = (i + 1) & mask
		}
		b.shapeTab[i] = 0
		b.words = b.words[:b.shapes[s].from]
		b.shapes, b.hashes = b.shapes[:s], b.hashes[:s]
	}
	b.takeBack()
}

// Last gives the value at Options.Watch[i] in the record added last: for a
// string the text between its quotes (see [Unescape]), for a number or boolean
// its text, else nil. If a key occurs twice the last one counts. raw points into
// the buffer that Add was given.
func (b *Builder) Last(i int) (raw []byte, kind Kind) {
	return b.values[i].raw, b.values[i].kind
}

// scan reads one record, adding its values to their columns.
func (b *Builder) scan(buf []byte) (int, error) {
	a := b.a
	state := uint32(endsColumn)
	prev := uint16(wholeEdge) // stands for "no edge yet" in predictions
	pos := 0
	// A literal that was learnt may lead into an array that is to be text now.
	predict := len(b.force) == 0
	for {
		var e uint16
		var at int
		ok := false
		if predict {
			if e, at, ok = b.likely(buf, pos, state, prev); ok && a.edges[e].kind != uint8(leafString) {
				// The literal fits; what follows must be of the right kind as well.
				switch a.edges[e].kind {
				case uint8(leafNumber):
					ok = scanNumber(buf, at) >= 0
				case uint8(leafBool):
					ok = scanBool(buf, at) >= 0
				}
			}
		}
		if !ok {
			var err error
			if e, at, err = b.learn(buf, pos, state); err != nil {
				return 0, err
			}
		}
		ed := &a.edges[e]
		if p := &a.edges[prev]; p.next != e {
			p.next = e
		}
		if ed.kind == edgeEnd {
			b.cur = append(b.cur, e)
			b.applyMarks(e)
			return at, nil
		}
		var raw []byte
		var h uint64
		switch leafKind(ed.kind) {
		case leafString:
			end, hash, plain := scanString(buf, at, textSeed)
			if !plain {
				var err error
				if end, err = checkString(buf, at); err != nil {
					return 0, err
				}
				hash = hashText(buf[at:end], textSeed)
			}
			raw, h, pos = buf[at:end], hash, end
		case leafNumber:
			pos = scanNumber(buf, at)
			if pos == len(buf) {
				return 0, endOfInput(pos)
			}
			raw = buf[at:pos]
			h = hashText(raw, textSeed)
		case leafBool:
			pos = scanBool(buf, at)
			raw = buf[at:pos]
			h = hashText(raw, textSeed)
		case leafJSON:
			depth := b.o.MaxDepth - int(a.nodes[a.columns[ed.to].node].depth)
			end, scalars, err := checkValue(buf, at, depth, b.o.MaxDepth)
			if err != nil {
				return 0, err
			}
			b.leaves += scalars
			raw, pos = buf[at:end], end
			h = hashText(raw, textSeed)
		}
		c := &a.columns[ed.to]
		if c.n == 0 && !b.activate(ed.to) {
			return 0, errCap
		}
		if len(b.cur)+b.leaves >= b.o.MaxValues {
			return 0, &LimitError{What: LimitValues, Max: b.o.MaxValues, Offset: at}
		}
		if c.add(raw, h) {
			b.fresh = append(b.fresh, int32(len(b.cur)))
		}
		b.cur = append(b.cur, e)
		if c.n >= askedFrom && c.ask() {
			b.asked = append(b.asked, ed.to)
		}
		if ed.marked {
			b.applyMarks(e)
		}
		if c.watched {
			b.watch(c, raw, h)
		}
		if c.inArray && b.tooManyElements(c) {
			return 0, errCap
		}
		if len(b.cur) >= maxShapeLeaves {
			b.over = 0
			return 0, errCap
		}
		state, prev = ed.to, e
	}
}

// activate notes that a column gets its first value; false when there are too many columns.
func (b *Builder) activate(column uint32) bool {
	c := &b.a.columns[column]
	room := b.o.MaxColumns
	if c.kind == leafJSON {
		room += textColumns
	}
	if len(b.active) >= room {
		b.over = b.a.topOf(c.node)
		return false
	}
	b.active = append(b.active, column)
	return true
}

// tooManyElements counts the values of a column below an array in this record
// and reports whether they are more than an array may give.
func (b *Builder) tooManyElements(c *builderColumn) bool {
	if c.record != b.record {
		c.record, c.recordStart = b.record, c.n-1
	}
	if c.n-c.recordStart <= b.o.MaxElements {
		return false
	}
	b.over, _ = b.a.arrayOf(c.node)
	return true
}

// likely compares the input at pos with the literals that followed before:
// the one that followed in the same context, the one that followed last time, then others.
func (b *Builder) likely(buf []byte, pos int, state uint32, prev uint16) (e uint16, at int, ok bool) {
	a := b.a
	exits := a.exits[state]
	rest := buf[pos:]
	if len(exits) <= 2 {
		e = a.edges[prev].next
		if n := a.match(rest, state, e); n >= 0 {
			return e, pos + n, true
		}
		for _, e := range exits {
			if n := a.match(rest, state, e); n >= 0 {
				return e, pos + n, true
			}
		}
		return 0, 0, false
	}
	slot := guessSlot(prev, b.context)
	e = a.guess[slot]
	if n := a.match(rest, state, e); n >= 0 {
		return e, pos + n, true
	}
	e = a.edges[prev].next
	if n := a.match(rest, state, e); n >= 0 {
		a.guess[slot] = e
		return e, pos + n, true
	}
	for i := 0; i < len(exits) && i < triedExits; i++ {
		e = exits[i]
		if n := a.match(rest, state, e); n >= 0 {
			if i > 0 {
				exits[i], exits[i-1] = exits[i-1], e
			}
			a.guess[slot] = e
			return e, pos + n, true
		}
	}
	return 0, 0, false
}

// match returns the length of the literal of edge e if it leads on from state
// and rest begins with it and goes on, else −1. Edges of text leaves never
// match: they are chosen by caps.
func (a *automaton) match(rest []byte, state uint32, e uint16) int {
	if int(e) >= len(a.edges) {
		return -1
	}
	ed := &a.edges[e]
	n := len(ed.text)
	if ed.from != state || n > len(rest) || string(rest[:n]) != ed.text || ed.kind == uint8(leafJSON) ||
		n == len(rest) && ed.kind != edgeEnd {
		return -1
	}
	return n
}

// learn tokenizes the literal at pos behind the leaf of column state.
func (b *Builder) learn(buf []byte, pos int, state uint32) (e uint16, at int, err error) {
	a := b.a
	b.walk.stack, b.seen = b.walk.stack[:0], b.seen[:0]
	from := pos
	var node uint32
	var done bool
	if state == endsColumn {
		if len(buf) == 0 {
			return 0, 0, endOfInput(0)
		}
		if buf[0] != '{' {
			return 0, 0, badJSON(0, "a record must be a JSON object")
		}
		at, node, done, err = b.walk.run(buf, pos, 0, false, b)
	} else {
		c := &a.columns[state]
		b.walk.stack = a.open(b.walk.stack, c.node)
		if c.kind == leafString {
			pos++ // its closing quote
		}
		at, node, done, err = b.walk.run(buf, pos, 0, true, b)
	}
	if err != nil {
		return 0, 0, err
	}
	to := uint32(endsColumn)
	if !done {
		if at >= len(buf) {
			return 0, 0, endOfInput(at)
		}
		kind := leafNumber
		switch c := buf[at]; c {
		case '"':
			kind = leafString
			at++
		case 't', 'f':
			if scanWord(buf, at, words[c]) < 0 {
				return 0, 0, wordError(buf, at, words[c])
			}
			kind = leafBool
		case '{', '[':
			kind = leafJSON
		default:
			if scanNumber(buf, at) < 0 {
				return 0, 0, numberError(buf, at)
			}
		}
		if a.nodes[node].cols[kind] == 0 && len(a.columns) >= 2*b.o.MaxColumns {
			b.over = a.topOf(node)
			return 0, 0, errCap
		}
		to = a.column(node, kind)
	}
	key := edgeKey{from: state, to: to, text: string(buf[from:at])}
	if known, ok := a.edgeOf[key]; ok {
		a.prefer(known)
		return known, at, nil
	}
	if len(a.edges) >= maxEdges || at-from > maxLiteral || a.text > maxAutomatonText {
		b.over = 0
		return 0, 0, errCap
	}
	e = a.addEdge(key, append([]seen(nil), b.seen...))
	a.prefer(e)
	return e, at, nil
}

// prefer moves an edge to the front of what is tried.
func (a *automaton) prefer(e uint16) {
	x := a.exits[a.edges[e].from]
	for i, n := range x {
		if n == e {
			copy(x[1:i+1], x[:i])
			x[0] = e
			return
		}
	}
}

// member, element, met and whole make a Builder the tree of its walks.

func (b *Builder) member(parent uint32, key []byte) (uint32, error) {
	if b.a.text > maxAutomatonText {
		b.over = 0
		return 0, errCap
	}
	return b.a.member(parent, key), nil
}

func (b *Builder) element(parent uint32) (uint32, error) { return b.a.element(parent), nil }

func (b *Builder) met(o op, node uint32, _, _ int) { b.seen = append(b.seen, seen{o, node}) }

func (b *Builder) whole(node uint32) bool { return len(b.force) > 0 && b.forced(node) }

func (b *Builder) forced(node uint32) bool {
	for _, f := range b.force {
		if f == node {
			return true
		}
	}
	return false
}

// scanWhole keeps the record as one text leaf.
func (b *Builder) scanWhole(buf []byte) (int, error) {
	end, scalars, err := checkValue(buf, 0, b.o.MaxDepth, b.o.MaxDepth)
	if err != nil {
		return 0, err
	}
	if scalars > b.o.MaxValues {
		return 0, &LimitError{What: LimitValues, Max: b.o.MaxValues, Offset: 0}
	}
	c := &b.a.columns[wholeColumn]
	if c.n == 0 {
		b.active = append(b.active, wholeColumn) // always room: one column more than MaxColumns
	}
	raw := buf[:end]
	if c.add(raw, hashText(raw, textSeed)) {
		b.fresh = append(b.fresh, 0)
	}
	b.cur = append(b.cur, wholeEdge, wholeEndEdge)
	if c.ask() {
		b.asked = append(b.asked, wholeColumn)
	}
	b.watch(c, raw, 0)
	return end, nil
}

// commit gives the scanned record its shape; false when there is no room for a new one.
func (b *Builder) commit(n int) bool {
	h := uint64(textSeed)
	for _, e := range b.cur {
		h = fold(h^uint64(e), hashMul)
	}
	mask := uint64(len(b.shapeTab) - 1)
	i := h & mask
	for ; b.shapeTab[i] != 0; i = (i + 1) & mask {
		s := b.shapeTab[i] - 1
		if b.hashes[s] == h && equalWords(b.words[b.shapes[s].from:b.shapes[s].to], b.cur) {
			b.accept(s, n)
			return true
		}
	}
	if len(b.cur) > b.o.MaxElements && b.repeats() {
		return false
	}
	whole := b.cur[0] == wholeEdge
	if !whole && (len(b.shapes) >= b.o.MaxShapes-1 || len(b.words)+len(b.cur) > maxShapeWords) {
		return false // one number is kept for the shape of whole records
	}
	s := uint32(len(b.shapes))
	from := uint32(len(b.words))
	b.words = append(b.words, b.cur...)
	b.shapes = append(b.shapes, shape{from: from, to: uint32(len(b.words))})
	b.hashes = append(b.hashes, h)
	b.shapeTab[i] = s + 1
	if 2*len(b.shapes) > len(b.shapeTab) {
		b.growShapes()
	}
	b.accept(s, n)
	return true
}

// repeats reports whether the record gives a column more values than an array
// may; outside of arrays that takes equal keys.
func (b *Builder) repeats() bool {
	for _, e := range b.cur {
		to := b.a.edges[e].to
		if to == endsColumn {
			continue
		}
		c := &b.a.columns[to]
		if c.shape != b.record {
			c.shape, c.inShape = b.record, 0
		}
		if c.inShape++; c.inShape > b.o.MaxElements {
			return true
		}
	}
	return false
}

func (b *Builder) accept(s uint32, n int) {
	b.shapes[s].rows++
	b.rows = append(b.rows, uint16(s))
	b.rawBytes += int64(n)
	b.lastLen, b.undoable = n, true
}

func (b *Builder) growShapes() {
	b.shapeTab = make([]uint32, 2*len(b.shapeTab))
	mask := uint64(len(b.shapeTab) - 1)
	for s, h := range b.hashes {
		i := h & mask
		for b.shapeTab[i] != 0 {
			i = (i + 1) & mask
		}
		b.shapeTab[i] = uint32(s) + 1
	}
}

func equalWords(a, b []uint16) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func (b *Builder) applyMarks(e uint16) {
	for _, m := range b.a.notes[e].marks {
		b.values[m.watch] = watched{kind: m.kind}
	}
}

// watch notes a leaf that is a watched value or has watched values inside or
// below its path.
func (b *Builder) watch(c *builderColumn, raw []byte, h uint64) {
	for _, w := range c.below {
		b.values[w] = watched{}
		if c.kind != leafJSON {
			continue // a scalar where an object was expected
		}
		if v := findMember(raw, b.o.Watch[w][b.a.nodes[c.node].depth:]); v != nil {
			b.values[w] = watchedValue(v)
		}
	}
	if c.watch == 0 {
		return
	}
	i := int(c.watch - 1)
	if c.kind == leafJSON {
		b.values[i] = watchedValue(raw)
		return
	}
	b.values[i] = watched{raw, leafKinds[c.kind]}
	if i+1 == b.o.Predict {
		b.context = h
	}
}

func watchedValue(v []byte) watched {
	k := kindOf(v)
	switch k {
	case String:
		return watched{v[1 : len(v)-1], k}
	case Number, Bool:
		return watched{v, k}
	}
	return watched{kind: k}
}
