package engine

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"slices"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/exec/spill"
)

// Columns of the groups of a partial.
//
//	groups │ column │ column │ …
//
// groups is how many there are, a varint in shortest form; types are known from the view. A
// column begins with a byte that tells its form; with 16 added a bitmap of NULLs follows,
// of words of 8 bytes.
//
//	0 any       length │ the column as package spill writes it
//	1 integers  least │ step │ width │ width bytes for each group
//	2 text      entries │ width │ width bytes for each group │ length │ the entries
//
// An integer is least (a zigzag varint) and so many steps (a varint), which are as wide as the
// largest of them needs: 0, 1, 2, 4 or 8 bytes. Most are times cut to a minute or hour and small counts, so a
// byte or two is all they take. Text is the place of an entry; entries, a column in the form
// of package spill, are different, and one may be NULL. All numbers are little-endian.
const (
	groupsAny  = 0
	groupsInts = 1
	groupsText = 2

	groupsNulls = 16
)

// groupColumn gathers the values of a column.
type groupColumn struct {
	typ *column.Type
	// dict and codes, until a batch has another dictionary or none; then flat.
	dict  *column.Vector
	codes []uint32
	flat  *column.Appender
}

// add takes the values of a vector, and returns about how many bytes they take.
func (c *groupColumn) add(v *column.Vector) int64 {
	if c.typ == nil {
		c.typ, c.dict = v.Type, v.Dict
	}
	if c.flat == nil && v.Dict != nil && v.Dict == c.dict && !v.Const && !v.Nulls.Any() {
		c.codes = append(c.codes, v.Codes[:v.Len]...)
		return 4 * int64(v.Len)
	}
	if c.flat == nil {
		c.flat = column.NewAppender(c.typ, len(c.codes)+v.Len)
		if c.dict != nil && len(c.codes) > 0 {
			c.flat.AppendAll(&column.Vector{Type: c.typ, Len: len(c.codes), Dict: c.dict, Codes: c.codes})
		}
		c.dict, c.codes = nil, nil
	}
	c.flat.AppendAll(v)
	return column.CopyBytes(v, 0, v.Len) + column.TextBytes(v, 0, v.Len)
}

// vector returns all values: text as a dictionary of different entries unless most are
// different, integers flat.
func (c *groupColumn) vector(n int) *column.Vector {
	var v *column.Vector
	if c.flat != nil {
		v = c.flat.Vector()
	} else {
		v = &column.Vector{Type: c.typ, Len: n, Dict: c.dict, Codes: c.codes}
	}
	if c.typ.Payload() != column.PayloadStr {
		return column.Flatten(v)
	}
	entries, codes := column.NewAppender(c.typ, 0), make([]uint32, n)
	number := map[string]uint32{}
	null := -1
	place := func(of *column.Vector, i int) uint32 {
		if of.IsNull(i) {
			if null < 0 {
				null = entries.Len()
				entries.Null()
			}
			return uint32(null)
		}
		leaf, j := of.Leaf(i)
		at, ok := number[leaf.Str[j]]
		if !ok {
			at = uint32(entries.Len())
			number[leaf.Str[j]] = at
			entries.Append(leaf, j)
		}
		return at
	}
	if c.flat == nil {
		places := make([]uint32, c.dict.Len)
		for i := range places {
			places[i] = place(c.dict, i)
		}
		for i, code := range c.codes {
			codes[i] = places[code]
		}
	} else {
		for i := range codes {
			codes[i] = place(v, i)
		}
	}
	if entries.Len() > n/2 && n > 16 {
		return column.Flatten(v)
	}
	return &column.Vector{Type: c.typ, Len: n, Dict: entries.Vector(), Codes: codes}
}

// steps tells integers as steps from the least of them.
type steps struct {
	least int64
	step  uint64
	most  uint64 // the largest number of steps
}

func stepsOf(v *column.Vector) steps {
	s := steps{step: 1}
	nulls, first := v.Nulls.Any(), true
	var greatest int64
	for i, x := range v.I64[:v.Len] {
		if nulls && v.Nulls.Get(i) {
			continue
		}
		if first || x < s.least {
			s.least = x
		}
		if first || x > greatest {
			greatest = x
		}
		first = false
	}
	divisor := uint64(0)
	for i, x := range v.I64[:v.Len] {
		if nulls && v.Nulls.Get(i) || divisor == 1 {
			continue
		}
		for d := uint64(x) - uint64(s.least); d != 0; { // Euclid's
			divisor, d = d, divisor%d
		}
	}
	if divisor > 1 {
		s.step = divisor
	}
	s.most = (uint64(greatest) - uint64(s.least)) / s.step
	return s
}

func (s steps) of(x int64) uint64 { return (uint64(x) - uint64(s.least)) / s.step }

// isInts reports whether a column has form groupsInts.
func isInts(v *column.Vector) bool {
	return v.Type.Payload() == column.PayloadI64 && v.Type.Kind != column.TimestampTZ && v.Dict == nil && !v.Const && len(v.I64) >= v.Len
}

// appendGroups writes n groups, ordered by the columns that order lists.
func appendGroups(b []byte, columns []groupColumn, n int, order []int) []byte {
	b = binary.AppendUvarint(b, uint64(n))
	if n == 0 {
		return b
	}
	cols := make([]*column.Vector, len(columns))
	for i := range columns {
		cols[i] = columns[i].vector(n)
	}
	if at := groupOrder(cols, n, order); at != nil {
		for i, v := range cols {
			cols[i] = column.Gather(v, at)
		}
	}
	for _, v := range cols {
		b = appendGroupColumn(b, v)
	}
	return b
}

// groupOrder returns the places of the groups in the order of some of their columns, up to
// one that has none.
func groupOrder(cols []*column.Vector, n int, order []int) []int32 {
	// The places that a value can take, from column to column, as digits of one number.
	var digits [][]uint64
	var widths []int
	all := 0
	for _, k := range order {
		v := cols[k]
		digit := make([]uint64, n)
		most := uint64(0)
		switch {
		case v.Dict != nil:
			for i, c := range v.Codes[:n] {
				digit[i] = uint64(c)
			}
			most = uint64(v.Dict.Len - 1)
		case isInts(v):
			s := stepsOf(v)
			if most = s.most; most == math.MaxUint64 {
				digit = nil
				break
			}
			most++ // NULL is the least
			for i, x := range v.I64[:n] {
				if !v.Nulls.Get(i) {
					digit[i] = s.of(x) + 1
				}
			}
		default:
			digit = nil
		}
		if digit == nil {
			break
		}
		digits, widths = append(digits, digit), append(widths, bits.Len64(most))
		all += bits.Len64(most)
	}
	if len(digits) == 0 {
		return nil
	}
	at := make([]int32, n)
	place := bits.Len64(uint64(n - 1))
	if all+place > 64 {
		for i := range at {
			at[i] = int32(i)
		}
		slices.SortStableFunc(at, func(a, b int32) int {
			for _, digit := range digits {
				if x, y := digit[a], digit[b]; x != y {
					if x < y {
						return -1
					}
					return 1
				}
			}
			return 0
		})
		return at
	}
	keys := make([]uint64, n)
	for i := range keys {
		key := uint64(0)
		for k, digit := range digits {
			key = key<<uint(widths[k]) | digit[i]
		}
		keys[i] = key<<uint(place) | uint64(i)
	}
	slices.Sort(keys)
	for i, key := range keys {
		at[i] = int32(key & (1<<uint(place) - 1))
	}
	return at
}

func appendGroupColumn(b []byte, v *column.Vector) []byte {
	switch {
	case isInts(v):
		form := byte(groupsInts)
		nulls := v.Nulls.Any()
		if nulls {
			form |= groupsNulls
		}
		b = append(b, form)
		if nulls {
			b = appendNulls(b, v)
		}
		s := stepsOf(v)
		b = binary.AppendVarint(b, s.least)
		b = binary.AppendUvarint(b, s.step)
		width := widthOf(s.most)
		b = append(b, byte(width))
		for i, x := range v.I64[:v.Len] {
			n := uint64(0)
			if !nulls || !v.Nulls.Get(i) {
				n = s.of(x)
			}
			b = appendWide(b, n, width)
		}
		return b
	case v.Dict != nil && !v.Nulls.Any():
		b = append(b, groupsText)
		b = binary.AppendUvarint(b, uint64(v.Dict.Len))
		width := widthOf(uint64(v.Dict.Len - 1))
		b = append(b, byte(width))
		for _, c := range v.Codes[:v.Len] {
			b = appendWide(b, uint64(c), width)
		}
		return appendSized(b, v.Dict)
	}
	return appendSized(append(b, groupsAny), v)
}

func appendNulls(b []byte, v *column.Vector) []byte {
	for i := range (v.Len + 63) / 64 {
		w := uint64(0)
		for k := 64 * i; k < min(64*i+64, v.Len); k++ {
			if v.Nulls.Get(k) {
				w |= 1 << uint(k&63)
			}
		}
		b = binary.LittleEndian.AppendUint64(b, w)
	}
	return b
}

// appendSized writes a column as package spill does, after its length.
func appendSized(b []byte, v *column.Vector) []byte {
	one := spill.AppendBatch(nil, []*column.Vector{v}, v.Len)
	return append(binary.AppendUvarint(b, uint64(len(one))), one...)
}

// widthOf is how many bytes numbers up to most take each.
func widthOf(most uint64) int {
	switch {
	case most == 0:
		return 0
	case most < 1<<8:
		return 1
	case most < 1<<16:
		return 2
	case most < 1<<32:
		return 4
	}
	return 8
}

func appendWide(b []byte, n uint64, width int) []byte {
	switch width {
	case 1:
		return append(b, byte(n))
	case 2:
		return binary.LittleEndian.AppendUint16(b, uint16(n))
	case 4:
		return binary.LittleEndian.AppendUint32(b, uint32(n))
	case 8:
		return binary.LittleEndian.AppendUint64(b, n)
	}
	return b
}

// groupReader takes the columns of groups apart.
type groupReader struct{ b []byte }

// readGroups reads what appendGroups has written. It takes any bytes; text shares their
// memory.
func readGroups(b []byte, types []*column.Type) (*column.Batch, error) {
	n, b, err := shortUvarint(b, segmentRowsMax)
	if err != nil {
		return nil, err
	}
	out := &column.Batch{Len: n, Cols: make([]*column.Vector, len(types))}
	r := &groupReader{b}
	for i, t := range types {
		if n == 0 {
			out.Cols[i] = column.New(t, 0)
			continue
		}
		if out.Cols[i], err = r.column(t, n); err != nil {
			return nil, fmt.Errorf("column %d: %w", i, err)
		}
	}
	if len(r.b) > 0 {
		return nil, fmt.Errorf("%d bytes follow the last column", len(r.b))
	}
	return out, nil
}

var errGroupsShort = errors.New("the columns end too early")

func (r *groupReader) take(n int) ([]byte, error) {
	if n < 0 || n > len(r.b) {
		return nil, errGroupsShort
	}
	out := r.b[:n:n]
	r.b = r.b[n:]
	return out, nil
}

func (r *groupReader) uvarint(most int) (n int, err error) {
	n, r.b, err = shortUvarint(r.b, most)
	return n, err
}

func (r *groupReader) column(t *column.Type, n int) (*column.Vector, error) {
	form, err := r.take(1)
	if err != nil {
		return nil, err
	}
	switch form[0] {
	case groupsAny:
		return r.sized(t, n)
	case groupsInts, groupsInts | groupsNulls:
		if !isInts(&column.Vector{Type: t}) {
			return nil, fmt.Errorf("integers in a column of %s", t)
		}
		return r.ints(t, n, form[0]&groupsNulls != 0)
	case groupsText:
		if t.Payload() != column.PayloadStr {
			return nil, fmt.Errorf("text in a column of %s", t)
		}
		return r.text(t, n)
	}
	return nil, fmt.Errorf("form %d is unknown", form[0])
}

func (r *groupReader) sized(t *column.Type, n int) (*column.Vector, error) {
	size, err := r.uvarint(len(r.b))
	if err != nil {
		return nil, err
	}
	b, err := r.take(size)
	if err != nil {
		return nil, err
	}
	batch, err := spill.DecodeBatch(b, []*column.Type{t})
	if err != nil {
		return nil, err
	}
	if batch.Len != n {
		return nil, fmt.Errorf("%d values instead of %d", batch.Len, n)
	}
	return batch.Cols[0], nil
}

// wide reads the width of numbers, and the numbers' bytes.
func (r *groupReader) wide(n int) (b []byte, width int, err error) {
	w, err := r.take(1)
	if err != nil {
		return nil, 0, err
	}
	switch w[0] {
	case 0, 1, 2, 4, 8:
	default:
		return nil, 0, fmt.Errorf("numbers of %d bytes", w[0])
	}
	b, err = r.take(n * int(w[0]))
	return b, int(w[0]), err
}

func (r *groupReader) ints(t *column.Type, n int, nulls bool) (*column.Vector, error) {
	v := &column.Vector{Type: t, Len: n}
	if nulls {
		raw, err := r.take((n + 63) / 64 * 8)
		if err != nil {
			return nil, err
		}
		v.Nulls = column.NewBits(n)
		for i := range v.Nulls {
			v.Nulls[i] = binary.LittleEndian.Uint64(raw[8*i:])
		}
		if n&63 != 0 && v.Nulls[len(v.Nulls)-1]>>uint(n&63) != 0 {
			return nil, errors.New("NULLs past the last group")
		}
	}
	least, k := binary.Varint(r.b)
	if k <= 0 {
		return nil, errGroupsShort
	}
	r.b = r.b[k:]
	step, k := binary.Uvarint(r.b)
	if k <= 0 {
		return nil, errGroupsShort
	}
	r.b = r.b[k:]
	b, width, err := r.wide(n)
	if err != nil {
		return nil, err
	}
	if width == 0 && !nulls {
		return column.NewConst(&column.Vector{Type: t, Len: 1, I64: []int64{least}}, n), nil
	}
	v.I64 = make([]int64, n)
	out, by := v.I64, int64(step)
	switch width {
	case 0:
		for i := range out {
			out[i] = least
		}
	case 1:
		b = b[:len(out)]
		for i := range out {
			out[i] = least + int64(b[i])*by
		}
	case 2:
		for i := range out {
			out[i] = least + int64(binary.LittleEndian.Uint16(b[2*i:]))*by
		}
	case 4:
		for i := range out {
			out[i] = least + int64(binary.LittleEndian.Uint32(b[4*i:]))*by
		}
	case 8:
		for i := range out {
			out[i] = least + int64(binary.LittleEndian.Uint64(b[8*i:]))*by
		}
	}
	return v, nil
}

func (r *groupReader) text(t *column.Type, n int) (*column.Vector, error) {
	entries, err := r.uvarint(n)
	if err != nil {
		return nil, err
	}
	b, width, err := r.wide(n)
	if err != nil {
		return nil, err
	}
	if width > 4 || entries == 0 {
		return nil, errors.New("a dictionary is too large or empty")
	}
	codes, most := []uint32(nil), uint32(0)
	if width > 0 {
		codes = make([]uint32, n)
	}
	switch width {
	case 1:
		b = b[:len(codes)]
		for i := range codes {
			codes[i] = uint32(b[i])
			most = max(most, codes[i])
		}
	case 2:
		for i := range codes {
			codes[i] = uint32(binary.LittleEndian.Uint16(b[2*i:]))
			most = max(most, codes[i])
		}
	case 4:
		for i := range codes {
			codes[i] = binary.LittleEndian.Uint32(b[4*i:])
			most = max(most, codes[i])
		}
	}
	if int(most) >= entries {
		return nil, fmt.Errorf("entry %d of %d", most, entries)
	}
	dict, err := r.sized(t, entries)
	if err != nil {
		return nil, err
	}
	if dict.Dict != nil || dict.Const {
		return nil, errors.New("the entries of a dictionary are not flat")
	}
	if width == 0 {
		return column.NewConst(dict.Slice(0, 1), n), nil
	}
	return &column.Vector{Type: t, Len: n, Dict: dict, Codes: codes}, nil
}
