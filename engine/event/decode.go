package event

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"math"
	"strconv"
	"unsafe"

	"github.com/cairndb/cairn/segment/column"
)

// Decode turns raw JSON texts, one per row, into a flat vector of the column's
// type. raws[i] is the value that stands at the column's path (for Record and
// Checksum the whole record); nil or null is NULL, and so is what does not fit.
// The texts need not be valid: broken ones are NULL. Of several members with
// one name the last counts, at the place of the first. The vector shares no
// memory with raws. Takes time linear in the texts.
func (c *Column) Decode(raws [][]byte) *column.Vector {
	d := newDecoder(raws)
	n := newNode(c, len(raws))
	for _, raw := range raws {
		switch {
		case c.Mapping == Record && raw != nil:
			n.appendStr(d.copy(raw))
		case c.Mapping == Checksum && raw != nil:
			n.appendStr(checksumOf(raw))
		default:
			d.value(n, wellFormed(raw))
		}
	}
	return n.vector()
}

// DecodeStrings is Decode for values that are all JSON strings, given without
// their quotes but with their escapes, as columns of a segment keep them. A nil
// entry is NULL, an empty one is the empty string.
func (c *Column) DecodeStrings(bodies [][]byte) *column.Vector {
	d := newDecoder(bodies)
	n := newNode(c, len(bodies))
	for _, body := range bodies {
		if body == nil {
			n.appendNull()
			continue
		}
		d.str(n, body)
	}
	return n.vector()
}

// checksumOf returns the text of the Checksum column.
func checksumOf(record []byte) string {
	sum := sha256.Sum256(record)
	return base64.StdEncoding.EncodeToString(sum[:])
}

// wellFormed returns raw without surrounding whitespace, or nil if it is not one
// JSON value within the caps of a record.
func wellFormed(raw []byte) []byte {
	raw = Trim(raw)
	if len(raw) == 0 {
		return nil
	}
	if raw[0] == '"' {
		if end, bad := stringEnd(raw, 1); bad != nil || end != len(raw) {
			return nil
		}
		return raw
	}
	if found, bad := scan(raw, nil); bad != nil || found.n != len(raw) {
		return nil
	}
	return raw
}

// node builds the vector of one column or member.
type node struct {
	c       *Column
	out     *column.Vector
	members []*node  // of Row
	elem    *node    // of Rows
	slots   [][]byte // of Row: the members' values in the object at hand
	deep    bool     // of Row: some member has paths of several steps or places
}

func newNode(c *Column, room int) *node {
	return newTypedNode(c, c.Type, c.Mapping, room)
}

func newTypedNode(c *Column, t *column.Type, m Mapping, room int) *node {
	n := &node{c: c, out: &column.Vector{Type: t}}
	switch m {
	case Row:
		n.slots = make([][]byte, len(c.Members))
		for i := range c.Members {
			n.members = append(n.members, newNode(&c.Members[i], room))
			n.out.Children = append(n.out.Children, n.members[i].out)
			if len(c.Members[i].Paths) != 1 || len(c.Members[i].Paths[0]) != 1 {
				n.deep = true
			}
		}
	case Rows:
		n.out.Offsets = make([]int32, 1, room+1)
		n.elem = newTypedNode(c, t.Elem, Row, 0)
		n.out.Children = []*column.Vector{n.elem.out}
	case TextMap:
		n.out.Offsets = make([]int32, 1, room+1)
		n.out.Children = []*column.Vector{
			{Type: column.VarcharType, Str: make([]string, 0, 4*room)},
			{Type: column.VarcharType, Str: make([]string, 0, 4*room)},
		}
	default:
		switch t.Payload() {
		case column.PayloadF64:
			n.out.F64 = make([]float64, 0, room)
		case column.PayloadStr:
			n.out.Str = make([]string, 0, room)
		default:
			n.out.I64 = make([]int64, 0, room)
		}
	}
	return n
}

func (n *node) vector() *column.Vector { return n.out }

func markNull(v *column.Vector, i int) {
	for len(v.Nulls) <= i>>6 {
		v.Nulls = append(v.Nulls, 0)
	}
	v.Nulls.Set(i)
}

func (n *node) appendNull() {
	v := n.out
	markNull(v, v.Len)
	switch {
	case n.members != nil:
		for _, m := range n.members {
			m.appendNull()
		}
	case v.Offsets != nil:
		v.Offsets = append(v.Offsets, v.Offsets[v.Len])
	case v.F64 != nil:
		v.F64 = append(v.F64, 0)
	case v.Str != nil:
		v.Str = append(v.Str, "")
	default:
		v.I64 = append(v.I64, 0)
	}
	v.Len++
}

func (n *node) appendStr(s string) {
	n.out.Str = append(n.out.Str, s)
	n.out.Len++
}

func (n *node) appendI64(x int64) {
	n.out.I64 = append(n.out.I64, x)
	n.out.Len++
}

func (n *node) appendF64(x float64) {
	n.out.F64 = append(n.out.F64, x)
	n.out.Len++
}

// decoder holds the one block of memory that all strings of a vector live in.
// Neither unescaping nor compacting makes a text longer, and no byte of the
// input is used twice, so the block never has to grow (which would not move
// strings already made, only waste their old block).
type decoder struct {
	block []byte
	seen  map[string]int // names of the map at hand, when it has many
}

func newDecoder(raws [][]byte) *decoder {
	size := 0
	for _, raw := range raws {
		size += len(raw)
	}
	return &decoder{block: make([]byte, 0, size)}
}

// tail returns what has been appended to the block since from as a string.
func (d *decoder) tail(from int) string {
	b := d.block[from:]
	return unsafe.String(unsafe.SliceData(b), len(b))
}

func (d *decoder) copy(b []byte) string {
	from := len(d.block)
	d.block = append(d.block, b...)
	return d.tail(from)
}

func (d *decoder) unescape(body []byte) string {
	from := len(d.block)
	d.block = AppendUnescaped(d.block, body)
	return d.tail(from)
}

// text returns the text of a value that is not null.
func (d *decoder) text(raw []byte) string {
	switch raw[0] {
	case '"':
		return d.unescape(raw[1 : len(raw)-1])
	case '{', '[':
		from := len(d.block)
		d.block = AppendCompact(d.block, raw)
		return d.tail(from)
	}
	return d.copy(raw)
}

// value appends a value, nil being NULL, to a node.
func (d *decoder) value(n *node, raw []byte) {
	if len(raw) == 0 || raw[0] == 'n' {
		n.appendNull()
		return
	}
	switch kind := raw[0]; n.c.Mapping {
	case Row:
		d.row(n, raw)
	case Rows:
		d.rows(n, raw)
	case TextMap:
		d.textMap(n, raw)
	case Text, Record, Checksum:
		n.appendStr(d.text(raw))
	case Float:
		if x, err := strconv.ParseFloat(viewOf(raw), 64); kind != '"' && err == nil {
			n.appendF64(x)
			return
		}
		n.appendNull()
	case Int:
		if x, err := strconv.ParseFloat(viewOf(raw), 64); kind != '"' && err == nil && x == math.Trunc(x) && math.Abs(x) <= math.MaxInt32 {
			n.appendI64(int64(x))
			return
		}
		n.appendNull()
	default: // Bool, Time
		switch {
		case kind == '"':
			d.str(n, raw[1:len(raw)-1])
		case n.c.Mapping == Bool && kind == 't':
			n.appendI64(1)
		case n.c.Mapping == Bool && kind == 'f':
			n.appendI64(0)
		default:
			n.appendNull()
		}
	}
}

// str appends the value of a JSON string, given by its inside, to a node.
func (d *decoder) str(n *node, body []byte) {
	switch n.c.Mapping {
	case Text, Record, Checksum:
		n.appendStr(d.unescape(body))
		return
	case Bool:
		switch string(body) {
		case "true":
			n.appendI64(1)
			return
		case "false":
			n.appendI64(0)
			return
		}
	case Time:
		if bytes.IndexByte(body, '\\') >= 0 {
			body = AppendUnescaped(nil, body)
		}
		if t, ok := parseTimeBytes(body); ok {
			n.appendI64(cutToMillis(t))
			return
		}
	}
	n.appendNull()
}

// row appends an object as a row.
func (d *decoder) row(n *node, raw []byte) {
	if len(raw) == 0 || raw[0] != '{' {
		n.appendNull()
		return
	}
	clear(n.slots)
	members := n.c.Members
	w := enter(raw)
	for {
		name, v, ok := w.member()
		if !ok {
			break
		}
		for i := range members {
			if p := members[i].Paths[0]; len(p) == 1 && nameIs(name, p[0]) {
				n.slots[i] = v
				break
			}
		}
	}
	if n.deep {
		for i := range members {
			if v := n.slots[i]; len(v) == 0 || v[0] == 'n' {
				n.slots[i] = members[i].Find(raw)
			}
		}
	}
	for i, m := range n.members {
		d.value(m, n.slots[i])
	}
	n.out.Len++
}

// rows appends an array of objects; an element that is no object is a NULL row.
func (d *decoder) rows(n *node, raw []byte) {
	if raw[0] != '[' {
		n.appendNull()
		return
	}
	w := enter(raw)
	for {
		v, ok := w.element()
		if !ok {
			break
		}
		d.row(n.elem, v)
	}
	n.out.Offsets = append(n.out.Offsets, int32(n.elem.out.Len))
	n.out.Len++
}

// seenFrom is the number of members from which duplicates are looked up in a
// hash table: below it comparing with each is faster.
const seenFrom = 24

// textMap appends an object as a map of texts.
func (d *decoder) textMap(n *node, raw []byte) {
	if raw[0] != '{' {
		n.appendNull()
		return
	}
	keys, values := n.out.Children[0], n.out.Children[1]
	first := keys.Len
	hashed := false
	w := enter(raw)
	for {
		name, v, ok := w.member()
		if !ok {
			break
		}
		key := d.unescape(name)
		at := -1
		if count := keys.Len - first; count < seenFrom {
			for k := first; k < keys.Len; k++ {
				if keys.Str[k] == key {
					at = k
					break
				}
			}
		} else {
			if !hashed {
				hashed = true
				if d.seen == nil {
					d.seen = make(map[string]int, 2*seenFrom)
				}
				clear(d.seen)
				for k := first; k < keys.Len; k++ {
					d.seen[keys.Str[k]] = k
				}
			}
			if k, ok := d.seen[key]; ok {
				at = k
			} else {
				d.seen[key] = keys.Len
			}
		}
		if at < 0 {
			at = keys.Len
			keys.Str = append(keys.Str, key)
			values.Str = append(values.Str, "")
			keys.Len++
			values.Len++
		}
		if v[0] == 'n' {
			values.Str[at] = ""
			markNull(values, at)
			continue
		}
		values.Str[at] = d.text(v)
		if at>>6 < len(values.Nulls) {
			values.Nulls.Clear(at)
		}
	}
	n.out.Offsets = append(n.out.Offsets, int32(keys.Len))
	n.out.Len++
}

// viewOf returns b as a string for the length of a call.
func viewOf(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// AppendCompact appends a JSON value without the whitespace between its parts;
// strings, numbers and the order of members stay as they are written.
func AppendCompact(dst, raw []byte) []byte {
	for i := 0; i < len(raw); {
		from := i
		for i < len(raw) && !isSpace(raw[i]) {
			if raw[i] == '"' {
				i = quoteEnd(raw, i+1)
			} else {
				i++
			}
		}
		dst = append(dst, raw[from:i]...)
		for i < len(raw) && isSpace(raw[i]) {
			i++
		}
	}
	return dst
}
