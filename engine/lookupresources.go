package engine

import (
	"bytes"
	"slices"
	"unsafe"

	"github.com/cairndb/cairn/engine/event"
	"github.com/cairndb/cairn/segment"
	"github.com/cairndb/cairn/segment/column"
)

// The indexes of types and names of resources are made in one walk over the values at the some hundred places where
// resources are named. Most of these columns have dictionaries, so what a text names is found out once for all rows
// that have it. Where a record has a key twice or very many resources, more is indexed than it tells: records
// decide.

// The first places of a walk for resources; those of event.ResourcePlaces follow.
const (
	listedARN = iota
	listedPrefix
	listedType
	firstNamed
)

// resourceWalk are the places where resources stand.
var resourceWalk = func() []segment.LeafPlace {
	places := []segment.LeafPlace{
		listedARN:    {Path: []string{"resources"}, Key: "ARN"},
		listedPrefix: {Path: []string{"resources"}, Key: "ARNPrefix"},
		listedType:   {Path: []string{"resources"}, Key: "type"},
	}
	for _, p := range event.ResourcePlaces() {
		places = append(places, segment.LeafPlace{Path: p.Path, Key: p.Key})
	}
	return places
}()

// resourceName is what a text is found by if it names a resource.
type resourceName struct {
	known  bool
	hashes [1 + event.ShortNamesMax]uint32 // of the text and its short names, 0 for none
	kind   uint32                          // hash of the type that an ID tells by its prefix, 0 for none
}

// resourceWalker gathers the pairs of both indexes.
type resourceWalker struct {
	*attributeBuilder
	kinds  [][]resourceKind // by number and place; nil for events without a source
	source []uint16         // by row, the number of what its source has
	texts  [][]resourceName // by column and code
	odd    []uint32         // rows whose resources are in JSON text
	raw    []byte           // unescaped
	short  []string
}

// resourceKind is what a place names in events of a source.
type resourceKind struct {
	names, byPrefix bool
	hash            uint32 // of the type
}

// resources gathers the types of resources, and their names.
func (b *attributeBuilder) resources() error {
	w := resourceWalker{attributeBuilder: b}
	r := b.reader
	b.pairs, b.names = make([]uint64, 0, 2*r.Rows()), make([]uint64, 0, 4*r.Rows())
	if err := w.sources(r); err != nil {
		return err
	}
	if err := r.EachLeaf(b.ctx, resourceWalk, w.leaf); err != nil {
		return err
	}
	return r.Records(b.ctx, segment.List(w.odd), func(row int, rec []byte) error {
		for _, resource := range event.ResourcesOf(rec, nil) {
			if resource.Type != "" {
				w.typed(row, attributeHash(resource.Type))
			}
			if resource.Name != "" {
				n := w.nameOf([]byte(resource.Name))
				w.named(row, &n)
			}
		}
		return nil
	})
}

// sources finds the source of every row, and what its places name.
func (w *resourceWalker) sources(r *segment.Reader) error {
	w.source = make([]uint16, r.Rows())
	w.kinds = [][]resourceKind{nil}
	numbers := map[string]uint16{}
	src := &source{places: event.SourcePlaces, kind: textSource, shape: &textShape, typ: column.VarcharType}
	places := event.ResourcePlaces()
	last, number := "", uint16(0)
	for from := 0; from < r.Rows(); from += segment.BlockRows {
		to := min(from+segment.BlockRows, r.Rows())
		v, err := src.read(w.ctx, r, segment.Range(from, to))
		if err != nil {
			return err
		}
		for row := from; row < to; row++ {
			s, _ := textAt(v, row-from)
			if s != last {
				var ok bool
				if number, ok = numbers[s]; !ok {
					if len(numbers) > segment.BlockRows {
						clear(numbers)
					}
					number = w.kindsOf(places, s)
					numbers[s] = number
				}
				last = s
			}
			w.source[row] = number
		}
	}
	return nil
}

// kindsOf returns the number of what the places name in events of a source. Most services have theirs in common.
func (w *resourceWalker) kindsOf(places []event.ResourcePlace, source string) uint16 {
	if source == "" {
		return 0
	}
	kinds := make([]resourceKind, len(places))
	for i := range places {
		switch kind := places[i].TypeFor(source); kind {
		case "":
		case event.ByPrefix:
			kinds[i] = resourceKind{names: true, byPrefix: true}
		default:
			kinds[i] = resourceKind{names: true, hash: attributeHash(kind)}
		}
	}
	for n, have := range w.kinds {
		if slices.Equal(have, kinds) {
			return uint16(n)
		}
	}
	w.kinds = append(w.kinds, kinds)
	return uint16(len(w.kinds) - 1)
}

// leaf notes what a value names.
func (w *resourceWalker) leaf(l *segment.Leaf) error {
	if l.Place < 0 {
		if n := len(w.odd); n == 0 || w.odd[n-1] != uint32(l.Row) {
			w.odd = append(w.odd, uint32(l.Row))
		}
		return nil
	}
	kind := resourceKind{names: true}
	if l.Place >= firstNamed {
		kinds := w.kinds[w.source[l.Row]]
		if l.Kind != segment.String || kinds == nil {
			return nil
		}
		if kind = kinds[l.Place-firstNamed]; !kind.names {
			return nil
		}
	}
	n, err := w.text(l)
	if err != nil {
		return err
	}
	switch {
	case n.hashes[0] == 0, kind.byPrefix && n.kind == 0:
		return nil // the empty text, or no ID
	case l.Place == listedType:
		w.typed(l.Row, n.hashes[0])
		return nil
	case kind.byPrefix:
		w.typed(l.Row, n.kind)
	case kind.hash != 0:
		w.typed(l.Row, kind.hash)
	}
	w.named(l.Row, n)
	return nil
}

// text returns what the text of a leaf is found by.
func (w *resourceWalker) text(l *segment.Leaf) (*resourceName, error) {
	if l.Code >= 0 {
		for l.Column >= len(w.texts) {
			w.texts = append(w.texts, nil)
		}
		if w.texts[l.Column] == nil {
			w.texts[l.Column] = make([]resourceName, l.Codes)
		}
		if n := &w.texts[l.Column][l.Code]; n.known {
			return n, nil
		}
	}
	raw, err := l.Raw()
	if err != nil {
		return nil, err
	}
	if l.Kind == segment.String && bytes.IndexByte(raw, '\\') >= 0 {
		w.raw = segment.Unescape(w.raw[:0], raw)
		raw = w.raw
	}
	n := w.nameOf(raw)
	if l.Code >= 0 {
		w.texts[l.Column][l.Code] = n
	}
	return &n, nil
}

// nameOf does not keep text.
func (w *resourceWalker) nameOf(text []byte) resourceName {
	n := resourceName{known: true}
	if len(text) == 0 {
		return n
	}
	name := unsafe.String(unsafe.SliceData(text), len(text))
	n.hashes[0] = attributeHash(name)
	w.short = event.AppendShortNames(w.short[:0], name)
	for i, short := range w.short {
		n.hashes[1+i] = attributeHash(short)
	}
	if kind := event.TypeByPrefix(name); kind != "" {
		n.kind = attributeHash(kind)
	}
	return n
}

func (w *resourceWalker) typed(row int, hash uint32) {
	w.pairs = append(w.pairs, uint64(hash)<<16|uint64(row))
}

func (w *resourceWalker) named(row int, n *resourceName) {
	for _, h := range n.hashes {
		if h == 0 {
			return
		}
		w.names = append(w.names, uint64(h)<<16|uint64(row))
	}
}
