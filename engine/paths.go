package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"unsafe"

	"github.com/cairndb/cairn/engine/event"
	"github.com/cairndb/cairn/segment"
	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/plan"
)

// source says where in a record the values of a query's path stand and how they
// are made.
//
// Most paths stand at one place in the JSON and are read from that place's
// column. A few have two places, the first that is there and not null counts.
// What has no column of its own (rows, arrays) is decoded from the JSON text.
type source struct {
	// places are the paths in the record, best first. Empty for the whole record.
	places [][]string
	kind   sourceKind
	// shape makes the values of a decoded source.
	shape *event.Column
	typ   *column.Type
	// path is the JSON path of a jsonSource, rest what of it remains below place.
	path, rest string
}

type sourceKind uint8

const (
	textSource sourceKind = iota
	boolSource
	timeSource
	mapSource
	decodedSource
	recordSource
	checksumSource
	// jsonSource is what json_extract or json_extract_scalar takes out of the whole
	// record. Its one place are the keys that the path begins with.
	jsonSource
)

// sourceOf resolves a query's path.
func sourceOf(t *event.Table, p plan.Path) (*source, error) {
	if p.Column < 0 || p.Column >= len(t.Columns) {
		return nil, fmt.Errorf("the table has no column %d", p.Column)
	}
	c := &t.Columns[p.Column]
	s := &source{places: c.Paths, shape: c, typ: c.Type}
	mapping := c.Mapping
	if mapping == event.Record && len(p.Steps) == 1 && p.Type != nil {
		return jsonSourceOf(c, p)
	}
	for _, step := range p.Steps {
		switch {
		case mapping == event.Row && step.Field >= 0 && step.Field < len(c.Members):
			c = &c.Members[step.Field]
			s.places = below(s.places, c.Paths)
			s.shape, s.typ, mapping = c, c.Type, c.Mapping
		case mapping == event.TextMap && step.Field < 0:
			s.places = below(s.places, [][]string{{step.Key}})
			s.shape, s.typ, mapping = &textShape, column.VarcharType, event.Text
		default:
			return nil, fmt.Errorf("column %s has no such path", c.Name)
		}
	}
	switch mapping {
	case event.Text:
		s.kind = textSource
	case event.Bool:
		s.kind = boolSource
	case event.Time:
		s.kind = timeSource
	case event.TextMap:
		s.kind = mapSource
	case event.Record:
		s.kind = recordSource
	case event.Checksum:
		s.kind = checksumSource
	default:
		s.kind = decodedSource
	}
	return s, nil
}

// JSONPath implements plan.JSONTable: what functions take out of the whole record
// is read from the columns of its paths. The one step of a path is the text of the JSON
// path. A map of texts, such as requestParameters, is taken for the object of the record
// that it is made of, as in tables where that is a text.
func (t *table) JSONPath(col int, path string, want *column.Type) (plan.Path, bool) {
	if col < 0 || col >= len(t.schema.Columns) {
		return plan.Path{}, false
	}
	if c := &t.schema.Columns[col]; c.Mapping == event.TextMap && len(c.Paths) == 1 && strings.HasPrefix(path, "$") {
		var b strings.Builder
		b.WriteByte('$')
		for _, name := range c.Paths[0] {
			b.WriteString(`["` + name + `"]`)
		}
		path = b.String() + path[1:]
		col = slices.IndexFunc(t.schema.Columns, func(c event.Column) bool { return c.Mapping == event.Record })
	}
	if col < 0 || t.schema.Columns[col].Mapping != event.Record {
		return plan.Path{}, false
	}
	p := plan.Path{Column: col, Steps: []plan.Step{{Field: -1, Key: path}}, Type: want}
	_, err := jsonSourceOf(&t.schema.Columns[col], p)
	return p, err == nil
}

// jsonSourceOf is the source of a path that JSONPath made.
func jsonSourceOf(c *event.Column, p plan.Path) (*source, error) {
	s := &source{kind: jsonSource, shape: c, typ: p.Type, path: p.Steps[0].Key}
	keys, rest, ok := plan.JSONSteps(s.path)
	if !ok {
		return nil, fmt.Errorf("%s is not a JSON path", s.path)
	}
	if s.rest = rest; len(keys) > 0 {
		s.places = [][]string{keys}
	}
	return s, nil
}

// readJSON returns the values of a jsonSource whose keys lead to p: exactly what the
// function gives for the record's text. The function takes the first of equal keys where
// columns have the last; then, and where values are kept as text, the text is read.
func (s *source) readJSON(ctx context.Context, r *segment.Reader, p segment.PathID, sel segment.Selection) (*column.Vector, error) {
	form, err := r.Form(ctx, p)
	if err != nil {
		return nil, err
	}
	path := s.rest
	switch {
	case form == segment.AnyForm:
		p, path = segment.Root, s.path
	case form == segment.OneScalar && s.rest != "$":
		return column.NullConst(s.typ, selected(sel)), nil
	case form == segment.OneScalar && s.typ.Kind == column.Varchar:
		return r.Text(ctx, p, sel)
	}
	raw, err := r.Raw(ctx, p, sel)
	if err != nil {
		return nil, err
	}
	return plan.JSONExtract(raw, path, s.typ)
}

// textShape makes texts out of JSON where no column of a table does.
var textShape = event.Column{Type: column.VarcharType, Mapping: event.Text}

// below returns the places of a member: every place of the parent with every
// place of the member, in order.
func below(parents, members [][]string) [][]string {
	out := make([][]string, 0, len(parents)*len(members))
	for _, p := range parents {
		for _, m := range members {
			out = append(out, append(append(make([]string, 0, len(p)+len(m)), p...), m...))
		}
	}
	return out
}

// name is how EXPLAIN calls the source.
func (s *source) name() string {
	switch {
	case s.kind == jsonSource:
		return s.shape.Name + " " + s.path
	case len(s.places) == 0:
		return s.shape.Name
	}
	return strings.Join(s.places[0], ".")
}

// read returns the source's values in the selected rows.
func (s *source) read(ctx context.Context, r *segment.Reader, sel segment.Selection) (*column.Vector, error) {
	if len(s.places) == 0 {
		return s.readAt(ctx, r, segment.Root, sel)
	}
	var out *column.Vector
	for _, place := range s.places {
		p, ok, err := r.Lookup(ctx, place)
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		v, err := s.readAt(ctx, r, p, sel)
		if err != nil {
			return nil, err
		}
		if out == nil {
			out = v
		} else {
			out = firstOf(out, v)
		}
		if !anyNull(out) {
			break
		}
	}
	if out == nil {
		return column.NullConst(s.typ, selected(sel)), nil
	}
	return out, nil
}

func (s *source) readAt(ctx context.Context, r *segment.Reader, p segment.PathID, sel segment.Selection) (*column.Vector, error) {
	switch s.kind {
	case textSource:
		return r.Text(ctx, p, sel)
	case boolSource:
		return r.Bools(ctx, p, sel)
	case timeSource:
		return r.Timestamps(ctx, p, sel, parseMillis)
	case mapSource:
		return r.Map(ctx, p, sel)
	case jsonSource:
		return s.readJSON(ctx, r, p, sel)
	}
	texts, err := r.Raw(ctx, p, sel)
	if err != nil {
		return nil, err
	}
	return s.made(texts), nil
}

// made returns the values of a source that are made of JSON texts, of records or of what stands in them.
func (s *source) made(texts *column.Vector) *column.Vector {
	if s.kind == recordSource {
		out := *texts
		out.Type = s.typ
		return &out
	}
	raws := make([][]byte, texts.Len)
	for i := range raws {
		if !texts.IsNull(i) {
			leaf, j := texts.Leaf(i)
			raws[i] = unsafe.Slice(unsafe.StringData(leaf.Str[j]), len(leaf.Str[j]))
		}
	}
	return s.shape.Decode(raws)
}

// parseMillis reads a time as the SQL columns have it, in whole milliseconds.
func parseMillis(s string) (int64, bool) {
	t, ok := event.ParseTime(s)
	const milli = 1000
	if rest := t % milli; rest < 0 {
		return t - rest - milli, ok
	} else {
		return t - rest, ok
	}
}

// selected returns how many rows a selection names.
func selected(sel segment.Selection) int {
	if sel.List != nil {
		return len(sel.List)
	}
	return sel.To - sel.From
}

// anyNull reports whether a vector may have NULLs.
func anyNull(v *column.Vector) bool {
	return v.Nulls.Any() || v.Dict != nil && anyNull(v.Dict)
}

// firstOf returns a's values, and b's where a is NULL.
func firstOf(a, b *column.Vector) *column.Vector {
	out := column.NewAppender(a.Type, a.Len)
	for i := range a.Len {
		if a.IsNull(i) {
			out.Append(b, i)
		} else {
			out.Append(a, i)
		}
	}
	return out.Vector()
}
