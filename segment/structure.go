package segment

import (
	"encoding/binary"
	"fmt"
	"sync"
)

// Edges page (squeezed): per edge, in the order of their first use in the shapes,
//
//	from: 0 when it is where the edge before led to, else 1 + column number (uvarint)
//	to − from (varint); column numbers count from 1, 0 stands for the ends of a record
//	length of the literal (uvarint)
//
// then all literals. Shapes page (squeezed): per shape its edges, until one
// leads to the end; 0 means the edge that followed the present one last time,
// else 1 + edge (uvarint). Squeezed means: unpacked length (uvarint), zstd frame.

// structure is what the records of a segment look like.
type structure struct {
	d        *directory
	text     string
	edges    []readEdge
	words    []uint16 // the edges of all shapes
	shapeEnd []uint32

	once   sync.Once
	events []event // of all edges, see readEdge.events
	ends   []uint32
	bad    error
}

type readEdge struct {
	from, to uint32 // 1 + column, 0 for the ends
	start    uint32 // of the literal in text
	end      uint32
}

// event is something other than a leaf inside a literal.
type event struct {
	op       op
	node     uint32
	from, to uint32 // in the literal
}

func unsqueezePage(page []byte) ([]byte, error) {
	in := input{b: page}
	n := in.count(maxUnpacked)
	if in.bad {
		return nil, errPage
	}
	return unsqueeze(nil, in.b, n)
}

func readStructure(d *directory, edges, shapes []byte) (*structure, error) {
	s := &structure{d: d}
	b, err := unsqueezePage(edges)
	if err != nil {
		return nil, err
	}
	in := input{b: b}
	s.edges = make([]readEdge, d.edges)
	last, end := uint64(0), uint64(0)
	columns := uint64(len(d.columns))
	for i := range s.edges {
		e := &s.edges[i]
		from := in.uvarint()
		if from == 0 {
			from = last
		} else {
			from--
		}
		to, k := binary.Varint(in.b)
		if k <= 0 {
			return nil, errPage
		}
		in.b = in.b[k:]
		to += int64(from)
		if in.bad || from > columns || to < 0 || uint64(to) > columns {
			return nil, fmt.Errorf("literal %d: %w", i, errPage)
		}
		e.from, e.to, e.start = uint32(from), uint32(to), uint32(end)
		end += uint64(in.count(len(b)))
		e.end, last = uint32(end), uint64(to)
	}
	if in.bad || end != uint64(len(in.b)) {
		return nil, fmt.Errorf("literals: %w", errPage)
	}
	s.text = string(in.b)

	if b, err = unsqueezePage(shapes); err != nil {
		return nil, err
	}
	in = input{b: b}
	s.words = make([]uint16, 0, len(b))
	s.shapeEnd = make([]uint32, 0, d.shapes)
	follow := make([]uint32, len(s.edges)+1)
	for range d.shapes {
		prev, at := len(s.edges), uint32(0)
		for {
			var n uint64
			if len(in.b) > 0 && in.b[0] == 0 { // nearly always
				n, in.b = uint64(follow[prev]), in.b[1:]
			} else {
				n = in.uvarint()
			}
			if in.bad || n == 0 || n > uint64(len(s.edges)) {
				return nil, fmt.Errorf("shape %d: %w", len(s.shapeEnd), errPage)
			}
			follow[prev] = uint32(n)
			prev = int(n - 1)
			e := &s.edges[prev]
			if e.from != at {
				return nil, fmt.Errorf("shape %d: %w", len(s.shapeEnd), errPage)
			}
			at = e.to
			s.words = append(s.words, uint16(prev))
			if at == 0 {
				break
			}
		}
		s.shapeEnd = append(s.shapeEnd, uint32(len(s.words)))
	}
	if len(in.b) != 0 {
		return nil, fmt.Errorf("shapes: %w", errPage)
	}
	return s, nil
}

// shape returns the edges of a shape.
func (s *structure) shape(n uint16) []uint16 {
	from := uint32(0)
	if n > 0 {
		from = s.shapeEnd[n-1]
	}
	return s.words[from:s.shapeEnd[n]]
}

func (s *structure) literal(e *readEdge) string { return s.text[e.start:e.end] }

func (s *structure) size() int64 {
	return int64(len(s.text)) + int64(len(s.edges))*16 + int64(cap(s.words))*2 + int64(len(s.shapeEnd))*4 +
		int64(len(s.edges))*48 // an estimate for events
}

// eventsOf returns what an edge's literal says besides leaves. The literals are
// parsed when this is first asked: rebuilding records does without.
func (s *structure) eventsOf(e uint16) ([]event, error) {
	s.once.Do(s.parse)
	if s.bad != nil {
		return nil, s.bad
	}
	from := uint32(0)
	if e > 0 {
		from = s.ends[e-1]
	}
	return s.events[from:s.ends[e]], nil
}

func (s *structure) parse() {
	w := walk{maxDepth: readDepth}
	for i := range s.edges {
		if err := s.parseEdge(&s.edges[i], &w); err != nil {
			s.bad = fmt.Errorf("literal %d: %w", i, err)
			return
		}
		s.ends = append(s.ends, uint32(len(s.events)))
	}
}

func (s *structure) parseEdge(e *readEdge, w *walk) error {
	d := s.d
	text := []byte(s.literal(e))
	w.stack = w.stack[:0]
	pos := 0
	if e.from != 0 {
		c := &d.columns[e.from-1]
		for n := c.node; n != 0; n = d.parent[n] {
			w.stack = append(w.stack, frame{d.parent[n], d.flags[n]&nodeElement != 0})
		}
		for i, j := 0, len(w.stack)-1; i < j; i, j = i+1, j-1 {
			w.stack[i], w.stack[j] = w.stack[j], w.stack[i]
		}
		if c.kind == leafString {
			if len(text) == 0 || text[0] != '"' {
				return errPage
			}
			pos = 1
		}
	}
	at, node, done, err := w.run(text, pos, 0, e.from != 0, s)
	if err != nil {
		return err
	}
	if done != (e.to == 0) || done && at != len(text) {
		return errPage
	}
	if done {
		return nil
	}
	to := &d.columns[e.to-1]
	if to.kind == leafString {
		if at != len(text)-1 || text[at] != '"' {
			return errPage
		}
	} else if at != len(text) {
		return errPage
	}
	if node != to.node {
		return errPage
	}
	return nil
}

// The methods of tree: a walk over a stored literal only meets known paths.

func (s *structure) member(parent uint32, key []byte) (uint32, error) {
	text := string(key)
	for i := range key {
		if key[i] == '\\' {
			text = string(Unescape(nil, key))
			break
		}
	}
	if n, ok := s.d.child(parent, text); ok {
		return n, nil
	}
	return 0, fmt.Errorf("key %q is not in the directory", text)
}

func (s *structure) element(parent uint32) (uint32, error) {
	if n, ok := s.d.element(parent); ok {
		return n, nil
	}
	return 0, fmt.Errorf("array elements are not in the directory")
}

func (s *structure) met(o op, node uint32, from, to int) {
	s.events = append(s.events, event{o, node, uint32(from), uint32(to)})
}

func (s *structure) whole(uint32) bool { return false }
