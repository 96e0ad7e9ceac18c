package segment

// The automaton is what a builder has learnt about the form of records. Its
// states are leaf columns: the path of the last leaf fixes which objects and
// arrays are open, so the text up to the next leaf, its literal, can only go on in a
// few ways. An edge is such a literal between two columns. Reading a record is
// comparing the input with the literal of a likely edge, taking one value, and
// so on; only an unknown literal is tokenized (walk.go).

// column numbers 0 and 1 are given to the two ends and to whole records.
const (
	endsColumn  = 0 // as the start of an edge: before the record; as its target: behind it
	wholeColumn = 1 // records kept as text
)

// edges of every automaton.
const (
	wholeEdge    = 0 // before the record → wholeColumn
	wholeEndEdge = 1 // wholeColumn → behind the record
	firstEdge    = 2
)

// pathNode is an object-key or array-element step below another node. Node 0 is the record.
type pathNode struct {
	parent  uint32
	depth   uint16
	element bool
	key     string
	elem    uint32    // node of its elements, 0 if none yet
	cols    [4]uint32 // column by leafKind, 0 if none yet
	watch   uint8     // 1 + index in Options.Watch
	below   []uint8   // watched paths that lead through this node
}

// leafKind is the kind of a column: how its values are written in a record.
// The numbers are part of the format.
type leafKind uint8

const (
	leafString leafKind = iota // the inside of a string
	leafNumber
	leafBool
	leafJSON // any JSON value, kept as text because of a cap
)

var leafKinds = [...]Kind{leafString: String, leafNumber: Number, leafBool: Bool, leafJSON: Object}

// seen is an event of a walk over a literal.
type seen struct {
	op   op
	node uint32
}

// mark says what an edge means for a watched path.
type mark struct {
	watch uint8
	kind  Kind
}

// edge is a literal and what it leads to. Scanning needs it for every value,
// so it is small; the rest is in edgeNote.
type edge struct {
	text   string
	from   uint32
	to     uint32
	next   uint16 // the edge that followed last time
	kind   uint8  // leafKind of the column it leads to, or edgeEnd
	marked bool   // it has marks
}

// edgeEnd is the kind of edges that end a record.
const edgeEnd = 0xff

type edgeNote struct {
	marks []mark
	seen  []seen
}

// nodeKey and edgeKey find what is known.
type nodeKey struct {
	parent uint32
	key    string
}

type edgeKey struct {
	from, to uint32
	text     string
}

type automaton struct {
	nodes   []pathNode
	nodeOf  map[nodeKey]uint32
	edges   []edge
	notes   []edgeNote // of the edges
	edgeOf  map[edgeKey]uint16
	columns []builderColumn
	exits   [][]uint16 // edges by their start column, likely ones first
	guess   []uint16   // successor by edge and context, see guessSlot
	text    int        // bytes of keys and literals
	key     []byte
}

const (
	// maxEdges bounds the literals of an automaton: numbers of 16 bits.
	maxEdges = 1<<16 - 1
	// warmEdges and warmText are how large an automaton may be for the next
	// segment to start with it; a larger one has met one-off forms and is
	// dropped, so that a segment can always learn maxEdges-warmEdges new ones.
	warmEdges = 1 << 15
	warmText  = 16 << 20
	// maxAutomatonText bounds keys and literals against records made of new keys.
	maxAutomatonText = 64 << 20
	guessBits        = 13
	// triedExits is how many of the known successors are compared before the
	// literal is tokenized: tokenizing costs as much as some twenty comparisons.
	triedExits = 8
)

func newAutomaton() *automaton {
	a := &automaton{
		nodeOf: map[nodeKey]uint32{},
		edgeOf: map[edgeKey]uint16{},
		guess:  make([]uint16, 1<<guessBits),
	}
	a.nodes = append(a.nodes, pathNode{})
	a.addColumn(0, leafJSON) // endsColumn: never holds values
	a.nodes[0].cols[leafJSON] = 0
	a.addColumn(0, leafJSON) // wholeColumn
	a.addEdge(edgeKey{endsColumn, wholeColumn, ""}, nil)
	a.addEdge(edgeKey{wholeColumn, endsColumn, ""}, nil)
	return a
}

func (a *automaton) member(parent uint32, raw []byte) uint32 {
	key := raw
	for _, c := range raw {
		if c == '\\' {
			a.key = Unescape(a.key[:0], raw)
			key = a.key
			break
		}
	}
	if n, ok := a.nodeOf[nodeKey{parent, string(key)}]; ok {
		return n
	}
	return a.addMember(parent, string(key))
}

func (a *automaton) addMember(parent uint32, key string) uint32 {
	n := uint32(len(a.nodes))
	a.nodes = append(a.nodes, pathNode{parent: parent, depth: a.nodes[parent].depth + 1, key: key})
	a.nodeOf[nodeKey{parent, key}] = n
	a.text += len(key) + 64
	return n
}

func (a *automaton) element(parent uint32) uint32 {
	if e := a.nodes[parent].elem; e != 0 {
		return e
	}
	n := uint32(len(a.nodes))
	a.nodes = append(a.nodes, pathNode{parent: parent, depth: a.nodes[parent].depth + 1, element: true})
	a.nodes[parent].elem = n
	a.text += 64
	return n
}

// column returns the column of a kind at a node, made if need be.
func (a *automaton) column(node uint32, k leafKind) uint32 {
	if c := a.nodes[node].cols[k]; c != 0 {
		return c
	}
	return a.addColumn(node, k)
}

func (a *automaton) addColumn(node uint32, k leafKind) uint32 {
	n := uint32(len(a.columns))
	_, inArray := a.arrayOf(node)
	a.columns = append(a.columns, builderColumn{
		node: node, kind: k, inArray: inArray,
		watch: a.nodes[node].watch, below: a.nodes[node].below,
		watched: a.nodes[node].watch != 0 || len(a.nodes[node].below) > 0,
	})
	a.exits = append(a.exits, nil)
	a.nodes[node].cols[k] = n
	return n
}

func (a *automaton) addEdge(k edgeKey, events []seen) uint16 {
	n := uint16(len(a.edges))
	e := edge{text: k.text, from: k.from, to: k.to, next: wholeEdge, kind: edgeEnd}
	if k.to != endsColumn {
		e.kind = uint8(a.columns[k.to].kind)
	}
	note := edgeNote{seen: events}
	for _, s := range events {
		note.marks = a.addMarks(note.marks, s)
	}
	e.marked = len(note.marks) > 0
	a.edges, a.notes = append(a.edges, e), append(a.notes, note)
	a.edgeOf[k] = n
	a.text += len(k.text) + 64
	// Text leaves are chosen by caps, not by what the input shows: such an edge
	// must never be taken because its literal matches.
	if n >= firstEdge && (k.to == endsColumn || a.columns[k.to].kind != leafJSON) {
		a.exits[k.from] = append(a.exits[k.from], n)
	}
	return n
}

// addMarks notes what an event means for watched paths: a null or container at
// the path itself, and any new value above it, which begins the path anew.
func (a *automaton) addMarks(marks []mark, s seen) []mark {
	kind := None
	switch s.op {
	case opNull:
		kind = Null
	case opEmptyObject, opOpenObject:
		kind = Object
	case opEmptyArray, opOpenArray:
		kind = Array
	default:
		return marks
	}
	if s.node == 0 {
		return marks // every record starts anew
	}
	n := &a.nodes[s.node]
	if n.watch != 0 {
		marks = append(marks, mark{n.watch - 1, kind})
	}
	for _, w := range n.below {
		marks = append(marks, mark{w, None})
	}
	return marks
}

// watchPath registers a path whose value is wanted after each record.
func (a *automaton) watchPath(i int, path []string) {
	n := uint32(0)
	for _, k := range path {
		a.nodes[n].below = append(a.nodes[n].below, uint8(i))
		m, ok := a.nodeOf[nodeKey{n, k}]
		if !ok {
			m = a.addMember(n, k)
		}
		n = m
	}
	a.nodes[n].watch = uint8(i) + 1
}

// size is a state of the automaton that it can be taken back to.
type automatonSize struct{ nodes, edges, columns, text int }

func (a *automaton) size() automatonSize {
	return automatonSize{len(a.nodes), len(a.edges), len(a.columns), a.text}
}

// shrink forgets what was learnt since size s was taken.
func (a *automaton) shrink(s automatonSize) {
	for i := len(a.edges) - 1; i >= s.edges; i-- {
		e := &a.edges[i]
		delete(a.edgeOf, edgeKey{e.from, e.to, e.text})
		x := a.exits[e.from]
		for j, n := range x {
			if int(n) == i {
				a.exits[e.from] = append(x[:j], x[j+1:]...)
				break
			}
		}
		a.edges[i], a.notes[i] = edge{}, edgeNote{}
	}
	a.edges, a.notes = a.edges[:s.edges], a.notes[:s.edges]
	for i := len(a.columns) - 1; i >= s.columns; i-- {
		c := &a.columns[i]
		a.nodes[c.node].cols[c.kind] = 0
		a.columns[i] = builderColumn{}
		a.exits[i] = nil
	}
	a.columns, a.exits = a.columns[:s.columns], a.exits[:s.columns]
	for i := len(a.nodes) - 1; i >= s.nodes; i-- {
		n := &a.nodes[i]
		if n.element {
			a.nodes[n.parent].elem = 0
		} else {
			delete(a.nodeOf, nodeKey{n.parent, n.key})
		}
		a.nodes[i] = pathNode{}
	}
	a.nodes = a.nodes[:s.nodes]
	a.text = s.text
}

// open fills the stack of a walk with what is open behind a leaf at node.
func (a *automaton) open(stack []frame, node uint32) []frame {
	depth := int(a.nodes[node].depth)
	for range depth {
		stack = append(stack, frame{})
	}
	for i := depth - 1; i >= 0; i-- {
		n := &a.nodes[node]
		stack[i] = frame{node: n.parent, array: n.element}
		node = n.parent
	}
	return stack
}

// arrayOf returns the array whose elements hold the node, innermost first; ok
// is false when it is in none.
func (a *automaton) arrayOf(node uint32) (array uint32, ok bool) {
	for node != 0 {
		n := &a.nodes[node]
		if n.element {
			return n.parent, true
		}
		node = n.parent
	}
	return 0, false
}

// topOf returns the ancestor of node (or itself) directly below the record.
func (a *automaton) topOf(node uint32) uint32 {
	for a.nodes[node].depth > 1 {
		node = a.nodes[node].parent
	}
	return node
}

func guessSlot(e uint16, context uint64) uint32 {
	return uint32((uint64(e)*hashMul ^ context) * hashMul >> (64 - guessBits))
}
