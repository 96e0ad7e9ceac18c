package engine

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/cairndb/cairn/engine/event"
	"github.com/cairndb/cairn/engine/memtable"
	"github.com/cairndb/cairn/index"
	"github.com/cairndb/cairn/segment"
	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/plan"
)

// filter is what a query's terms say about segments and rows.
type filter struct {
	from, to int64 // event times that can meet the terms, both inclusive
	equals   []equality
	needed   []*source // must not be NULL
	contains []containment
	timed    bool // the event time must not be NULL
	bitmaps  bool
}

// equality demands that a text is one of some values.
type equality struct {
	src    *source
	values []string
}

// containment demands that one of some texts is in a record, or with a source that is a map in
// one of its keys and values or in the text that they make together. With fold, the texts are
// in small letters, and so is what they are looked for in.
type containment struct {
	src   *source
	texts []string
	fold  bool
}

// fragments returns the pieces of a text that each lie within one token of a record
// when they are in it, if the text is: for a map also when its keys and values are
// written otherwise, as {k=v} and with escapes resolved. Pieces of one byte tell
// little, and very many of them cost more than they save.
func (c *containment) fragments(text string) []string {
	seams := "\"{}[]:, \t\r\n"
	if c.src.kind == mapSource {
		seams += "=\\/\uFFFD"
	}
	var out []string
	for _, s := range strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(seams, r) || r < ' ' || r == 0x7f }) {
		if len(s) > 1 {
			out = append(out, s)
		}
	}
	slices.SortStableFunc(out, func(a, b string) int { return len(b) - len(a) })
	return out[:min(len(out), fragmentsMax)]
}

// fragmentsMax is how many pieces of one text are searched for.
const fragmentsMax = 3

// equalityValuesMax is how many values of an IN list are looked up one by one in
// every segment; longer lists are left to the scan.
const equalityValuesMax = 256

// exactValuesMax is how many values are searched for in the blocks that a filter
// has named. Each is a pass over the block's stored values; with more of them
// one decoded block is the cheaper way.
const exactValuesMax = 16

func (f *filter) init(t *event.Table, terms []plan.Term) error {
	f.from, f.to = math.MinInt64, math.MaxInt64
	for _, term := range terms {
		src, err := sourceOf(t, term.Path)
		if err != nil {
			return err
		}
		if term.Op == plan.IsNull {
			continue
		}
		f.needed = append(f.needed, src)
		switch {
		case isEventTime(src):
			f.timed = true
			f.bound(term)
		case (src.kind == recordSource || src.kind == mapSource) && (term.Op == plan.Contains || term.Op == plan.ContainsFold) && term.Values != nil:
			c := containment{src: src, fold: term.Op == plan.ContainsFold}
			for i := range term.Values.Len {
				leaf, j := term.Values.Leaf(i)
				c.texts = append(c.texts, leaf.Str[j])
			}
			f.contains = append(f.contains, c)
		case src.isText() && term.Op == plan.Eq && term.Values != nil && term.Values.Len <= equalityValuesMax:
			e := equality{src: src}
			for i := range term.Values.Len {
				leaf, j := term.Values.Leaf(i)
				e.values = append(e.values, leaf.Str[j])
			}
			f.equals = append(f.equals, e)
		}
	}
	return nil
}

// rowsContaining narrows the candidate rows of a segment (nil: all) to those whose
// records may have all the texts that the terms want.
func rowsContaining(ctx context.Context, r *segment.Reader, texts []containment, rows *roaring.Bitmap) (*roaring.Bitmap, error) {
	for i := range texts {
		if rows != nil && rows.IsEmpty() {
			return rows, nil
		}
		c := &texts[i]
		any := roaring.New()
		for _, text := range c.texts {
			found, err := c.rowsWith(ctx, r, text)
			if err != nil {
				return nil, err
			}
			if found == nil {
				any = nil
				break
			}
			any.Or(found)
		}
		if any != nil {
			rows = intersect(rows, any)
		}
	}
	return rows, nil
}

// fewRows is how many rows are read sooner than another part of a text, or the rows of a range of times, is searched for.
const fewRows = 64

// rowsWith returns the rows that may have a text; nil when that cannot be told.
func (c *containment) rowsWith(ctx context.Context, r *segment.Reader, text string) (rows *roaring.Bitmap, err error) {
	for _, part := range c.fragments(text) {
		if rows != nil && rows.GetCardinality() <= fewRows {
			break
		}
		var found *roaring.Bitmap
		if c.src.kind == mapSource {
			found, err = c.src.rowsWith(ctx, r, part, c.fold)
		} else {
			var bits column.Bits
			var ok bool
			if bits, ok, err = r.Containing(ctx, part, c.fold); ok {
				found = roaring.FromDense(bits, false)
			}
		}
		if err != nil {
			return nil, err
		}
		if found != nil {
			rows = intersect(rows, found)
		}
	}
	return rows, nil
}

// rowsWith returns the rows that may have a part of a token at the places of a source;
// nil when that cannot be told.
func (s *source) rowsWith(ctx context.Context, r *segment.Reader, part string, fold bool) (*roaring.Bitmap, error) {
	all := roaring.New()
	for _, place := range s.places {
		p, there, err := r.Lookup(ctx, place)
		if err != nil {
			return nil, err
		}
		if !there {
			continue
		}
		bits, ok, err := r.ContainingBelow(ctx, p, part, fold)
		if err != nil || !ok {
			return nil, err
		}
		all.Or(roaring.FromDense(bits, false))
	}
	return all, nil
}

// isText reports whether a source gives the texts of scalars at its places, so that
// dictionaries, filters and postings of their columns tell which rows can have a value.
// They list every one of equal keys.
func (s *source) isText() bool {
	return s.kind == textSource || s.kind == jsonSource && s.typ.Kind == column.Varchar && s.rest == "$" && len(s.places) > 0
}

// isEventTime reports whether a source is what the catalogue has bounds of.
func isEventTime(s *source) bool {
	return s.kind == timeSource && len(s.places) == 1 && len(s.places[0]) == 1 && s.places[0][0] == "eventTime"
}

// bound narrows the range of event times.
func (f *filter) bound(term plan.Term) {
	if term.Values == nil || term.Values.Len == 0 {
		return
	}
	low, high := int64(math.MaxInt64), int64(math.MinInt64)
	for i := range term.Values.Len {
		leaf, j := term.Values.Leaf(i)
		low, high = min(low, leaf.I64[j]), max(high, leaf.I64[j])
	}
	switch term.Op {
	case plan.Eq:
		f.from, f.to = max(f.from, low), min(f.to, high)
	case plan.Less:
		if high > math.MinInt64 {
			f.to = min(f.to, high-1)
		}
	case plan.LessEq:
		f.to = min(f.to, high)
	case plan.Greater:
		if low < math.MaxInt64 {
			f.from = max(f.from, low+1)
		}
	case plan.GreaterEq:
		f.from = max(f.from, low)
	}
}

// outsideTime reports whether no event between two times can meet the terms.
func (f *filter) outsideTime(min, max int64) bool { return max < f.from || min > f.to }

// cuts reports whether some of the events between two times cannot meet the terms.
func (f *filter) cuts(min, max int64) bool { return min < f.from || max > f.to }

// rowsBetween returns the rows of a segment whose event time may be in a range, nil when that is not known.
func rowsBetween(ctx context.Context, r *segment.Reader, from, to int64) (*roaring.Bitmap, error) {
	p, ok, err := r.Lookup(ctx, []string{"eventTime"})
	if err != nil || !ok {
		return nil, err
	}
	ranges, ok, err := r.TimeRows(ctx, p, from, to, nil)
	if err != nil || !ok {
		return nil, err
	}
	rows := roaring.New()
	for _, a := range ranges {
		rows.AddRange(uint64(a.From), uint64(a.To))
	}
	return rows, nil
}

// rowsOf returns the rows of a segment that can meet the terms, nil for all;
// none says that there are no such rows.
func (f *filter) rowsOf(ctx context.Context, seg *sealed) (rows *roaring.Bitmap, none bool, err error) {
	// Filters are asked first: they are one small read, and most often the answer
	// is no.
	var probed []*equality
	for i := range f.equals {
		e := &f.equals[i]
		some, err := f.probe(ctx, seg, e)
		if err != nil {
			return nil, false, err
		}
		if some == nil {
			continue
		}
		if len(e.values) <= exactValuesMax {
			probed = append(probed, e)
		}
		if rows = intersect(rows, some); rows.IsEmpty() {
			return nil, true, nil
		}
	}
	if len(f.needed) == 0 {
		return rows, false, nil
	}
	r, err := seg.reader(ctx)
	if err != nil {
		return nil, false, err
	}
	for _, e := range probed {
		some, err := exactRows(ctx, r, e, rows)
		if err != nil {
			return nil, false, seg.fault(fmt.Errorf("searching column %s: %w", e.src.name(), err))
		}
		if some == nil {
			continue
		}
		if rows = intersect(rows, some); rows.IsEmpty() {
			return nil, true, nil
		}
	}
	for _, src := range f.needed {
		there := len(src.places) == 0
		for _, place := range src.places {
			_, ok, err := r.Lookup(ctx, place)
			if err != nil {
				return nil, false, seg.fault(err)
			}
			there = there || ok
		}
		if !there {
			return nil, true, nil
		}
	}
	for i := range f.equals {
		e := &f.equals[i]
		few := rows != nil && rows.GetCardinality() < uint64(seg.cat.Rows)/fewCandidates
		some, err := f.find(ctx, seg, r, e, few)
		if err != nil {
			return nil, false, seg.fault(err)
		}
		if some == nil {
			continue
		}
		if rows = intersect(rows, some); rows.IsEmpty() {
			return nil, true, nil
		}
	}
	if rows != nil && rows.GetCardinality() == uint64(seg.cat.Rows) {
		rows = nil
	}
	return rows, false, nil
}

// identified returns the positions in a memtable of the events that can meet the
// terms, as far as these name event IDs; nil when they name none.
func (f *filter) identified(v *memtable.View) *roaring.Bitmap {
	var rows *roaring.Bitmap
	var at []int
	for i := range f.equals {
		e := &f.equals[i]
		if !e.names() {
			continue
		}
		some := roaring.New()
		for _, id := range e.values {
			at = v.With(event.IdentityOf([]byte(id)), at[:0])
			for _, row := range at {
				some.Add(uint32(row))
			}
		}
		rows = intersect(rows, some)
	}
	return rows
}

// someIn reports whether any of the positions from to to−1 is in a set.
func someIn(rows *roaring.Bitmap, from, to int) bool {
	it := rows.Iterator()
	it.AdvanceIfNeeded(uint32(from))
	return it.HasNext() && it.PeekNext() < uint32(to)
}

// rowsInMemory returns the rows of a chunk of a memtable that can meet the terms, nil
// for all; none says that there are no such rows. known are the positions that
// [filter.identified] gave.
func (f *filter) rowsInMemory(ctx context.Context, c *memtable.Chunk, known *roaring.Bitmap) (rows *roaring.Bitmap, none bool, err error) {
	if known != nil {
		rows = roaring.New()
		it := known.Iterator()
		it.AdvanceIfNeeded(uint32(c.From))
		for it.HasNext() && it.PeekNext() < uint32(c.To) {
			rows.Add(it.Next() - uint32(c.From))
		}
	}
	for i := range f.equals {
		e := &f.equals[i]
		if e.names() && known != nil {
			continue
		}
		_, codes, ok, err := e.codes(ctx, c.Reader)
		if err != nil {
			return nil, false, err
		}
		if ok && len(codes) == 0 {
			return nil, true, nil
		}
		if ok || len(e.values) > exactValuesMax {
			continue
		}
		some, err := exactRows(ctx, c.Reader, e, rows)
		if err != nil {
			return nil, false, err
		}
		if some == nil {
			continue
		}
		if rows = intersect(rows, some); rows.IsEmpty() {
			return nil, true, nil
		}
	}
	return rows, rows != nil && rows.IsEmpty(), nil
}

// names reports whether an equality names events by their IDs: then the identity of
// an event tells whether it can be one of them.
func (e *equality) names() bool {
	return e.src.kind == textSource && len(e.src.places) > 0 && isIdentity(e.src.places[0]) &&
		!slices.ContainsFunc(e.values, func(v string) bool { return !plainText(v) })
}

// intersect returns the rows in both sets; nil is the set of all.
func intersect(a, b *roaring.Bitmap) *roaring.Bitmap {
	if a == nil {
		return b
	}
	return roaring.And(a, b)
}

// probe asks the membership filters for the blocks of rows that may have one of
// the values; nil says that there is no filter to ask.
func (f *filter) probe(ctx context.Context, seg *sealed, e *equality) (*roaring.Bitmap, error) {
	if len(e.src.places) == 0 {
		return nil, nil
	}
	place := e.src.places[0]
	for _, v := range e.values {
		if !plainText(v) {
			return nil, nil
		}
	}
	ask := func(v string) (block int, maybe bool, err error) {
		return seg.probeIdentity(identityHash(event.IdentityOf([]byte(v))))
	}
	if !isIdentity(place) || e.src.kind != textSource {
		if len(e.src.places) > 1 {
			return nil, nil
		}
		x, err := seg.index()
		if err != nil {
			return nil, err
		}
		c := x.column(place)
		if c == nil || c.pages == 0 {
			return nil, nil
		}
		ask = func(v string) (block int, maybe bool, err error) { return x.probe(c, index.HashString(v)) }
		r, err := seg.reader(ctx)
		if err != nil {
			return nil, err
		}
		if ok, err := onlyStrings(ctx, r, place); err != nil || !ok {
			return nil, seg.fault(err)
		}
	}
	rows := roaring.New()
	for _, v := range e.values {
		block, maybe, err := ask(v)
		if err != nil {
			return nil, err
		}
		switch {
		case !maybe:
		case block == index.AnyBlock:
			rows.AddRange(0, uint64(seg.cat.Rows))
		default:
			from := uint64(block) * segment.BlockRows
			rows.AddRange(from, min(from+segment.BlockRows, uint64(seg.cat.Rows)))
		}
	}
	return rows, nil
}

// exactRows narrows rows (nil: all), by whole blocks of them, down to those with one
// of the values, as far as stored values can be compared; nil says that they cannot.
func exactRows(ctx context.Context, r *segment.Reader, e *equality, rows *roaring.Bitmap) (*roaring.Bitmap, error) {
	var places []segment.PathID
	for _, place := range e.src.places {
		p, ok, err := r.Lookup(ctx, place)
		if err != nil {
			return nil, err
		}
		if ok {
			places = append(places, p)
		}
	}
	if rows == nil {
		rows = roaring.New()
		rows.AddRange(0, uint64(r.Rows()))
	}
	out := roaring.New()
	var found []uint32
	for it := rows.Iterator(); it.HasNext(); {
		b := int(it.PeekNext()) / segment.BlockRows
		found = found[:0]
		for _, p := range places {
			var ok bool
			var err error
			if found, ok, err = r.Equal(ctx, p, e.values, b, found); err != nil || !ok {
				return nil, err
			}
		}
		out.AddMany(found)
		it.AdvanceIfNeeded(uint32(b+1) * segment.BlockRows)
	}
	return out, nil
}

// plainText reports whether a text value can only come from a JSON string or
// number. The texts of booleans and of objects and arrays are in no filter, and
// an empty ID is no identity.
func plainText(v string) bool {
	return v != "" && v[0] != '{' && v[0] != '[' && v != "true" && v != "false"
}

// codes looks the values up in the dictionary of the column at the one place that a
// segment has of the source; ok is false when that cannot tell which rows have them.
func (e *equality) codes(ctx context.Context, r *segment.Reader) (place []string, codes []uint32, ok bool, err error) {
	var p segment.PathID
	for _, at := range e.src.places {
		id, there, err := r.Lookup(ctx, at)
		if err != nil {
			return nil, nil, false, err
		}
		if !there {
			continue
		}
		if place != nil {
			return nil, nil, false, nil
		}
		place, p = at, id
	}
	if place == nil {
		return nil, nil, false, nil
	}
	for _, v := range e.values {
		code, found, ok, err := r.Find(ctx, p, v)
		if err != nil || !ok {
			return nil, nil, false, err
		}
		if found {
			codes = append(codes, code)
		}
	}
	return place, codes, true, nil
}

// fewCandidates: when less than this share of a segment's rows is left (one in n), their
// values are read rather than the rows of a value found out.
const fewCandidates = 16

// find looks the values up in the column's dictionary, and their rows in its
// postings, or among those that the reader keeps unless few rows are left already; nil
// says that nothing can be told.
func (f *filter) find(ctx context.Context, seg *sealed, r *segment.Reader, e *equality, few bool) (*roaring.Bitmap, error) {
	place, codes, ok, err := e.codes(ctx, r)
	if err != nil || !ok {
		return nil, err
	}
	if len(codes) == 0 {
		return roaring.New(), nil
	}
	if !f.bitmaps {
		return nil, nil
	}
	x, err := seg.index()
	if err != nil {
		return nil, err
	}
	c := x.column(place)
	if c != nil && c.postings {
		if ok, err = onlyStrings(ctx, r, place); err != nil {
			return nil, err
		}
	}
	if c == nil || !c.postings || !ok {
		if few {
			return nil, nil
		}
		return keptRows(ctx, r, place, codes)
	}
	list, err := x.list(c)
	if err != nil {
		return nil, err
	}
	rows, unkept, err := list.Union(codes)
	if err != nil {
		return nil, fmt.Errorf("%w: postings of %s: %w", errDamagedIndex, e.src.name(), err)
	}
	if len(unkept) == 0 {
		return rows, nil
	}
	if few {
		return nil, nil
	}
	frequent, err := keptRows(ctx, r, place, unkept)
	if frequent == nil || err != nil {
		return nil, err
	}
	frequent.Or(rows)
	return frequent, nil
}

// keptRows returns the rows with some codes at a place if the reader keeps them, or nil.
func keptRows(ctx context.Context, r *segment.Reader, place []string, codes []uint32) (*roaring.Bitmap, error) {
	p, ok, err := r.Lookup(ctx, place)
	if err != nil || !ok {
		return nil, err
	}
	list, ok, err := r.RowsOf(ctx, p, codes, nil)
	if err != nil || !ok {
		return nil, err
	}
	rows := roaring.New()
	rows.AddMany(list)
	return rows, nil
}

var _ plan.Table = (*table)(nil)
var _ plan.TimedUnit = (*unit)(nil)
