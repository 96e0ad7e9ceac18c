package engine

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"slices"

	"github.com/klauspost/compress/zstd"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/exec/spill"
)

// Columns of the groups of a partial.
//
//	groups │ tuples │ numbers of the groups' tuples │ column │ column │ …
//
// groups is how many there are, a varint in shortest form, and types are known from the view. Keys
// beside the time depend on each other: an event name has one source, a principal one account. So what comes
// together is kept once, as tuples, a varint, 0 for none, and each group has the number of its tuple: so
// many more than that of the group before it, modulo tuples. Groups are in the order of their time
// and then of their tuples, so that these differences are small.
//
// A column is a length and so many bytes, so that others can be read without it.
// It begins with a byte that tells its form; with 16 added a bitmap of NULLs follows,
// of words of 8 bytes, with 32 it is of tuples, as many values as there are tuples.
//
//	0 any       length │ the column as package spill writes it, packed
//	1 integers  least │ step │ numbers
//	2 text      entries │ numbers │ length │ the entries, packed
//	3 runs      least │ step │ runs │ numbers: from run to run │ numbers: lengths less 1
//
// An integer is least (a zigzag varint) and so many steps (a varint). Integers that never fall are runs of
// equal ones if there are few; the first run rises from least. Text is the place of an entry; entries, a
// column in the form of package spill, are different, and one may be NULL. Numbers are a byte
// that tells how many bytes the largest takes, 0 to 8, and the lowest bytes of all, packed, then the next.
// Packed bytes are a length and a zstd frame of so many bytes, or 0 and the bytes as they are.
const (
	groupsAny  = 0
	groupsInts = 1
	groupsText = 2
	groupsRuns = 3

	groupsNulls  = 16
	groupsTupled = 32

	// packFrom is how many bytes are worth compressing.
	packFrom = 48
)

// groupTable is the groups of a view. Columns that are keys may be of tuples.
type groupTable struct {
	n    int
	cols []*column.Vector // nil where tuples has them
	// tuples are, by column, count values; of is the number of each group's tuple.
	tuples []*column.Vector
	count  int
	of     []uint32
}

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

// tableOf makes a table of n groups with the given columns, ordered by the columns that order lists.
func tableOf(columns []groupColumn, n int, order []int) *groupTable {
	t := &groupTable{n: n, cols: make([]*column.Vector, len(columns)), tuples: make([]*column.Vector, len(columns))}
	if n == 0 {
		return t
	}
	for i := range columns {
		t.cols[i] = columns[i].vector(n)
	}
	by, sorted := t.makeTuples(order), slices.Clone(t.cols)
	if t.count > 0 {
		sorted = append(sorted, &column.Vector{Len: n, Dict: &column.Vector{Len: t.count}, Codes: t.of})
	}
	at := groupOrder(sorted, n, by)
	if at == nil {
		return t
	}
	for i, v := range t.cols {
		if v != nil {
			t.cols[i] = column.Gather(v, at)
		}
	}
	if t.count > 0 {
		of := make([]uint32, n)
		for i, p := range at {
			of[i] = t.of[p]
		}
		t.of = of
	}
	return t
}

// makeTuples makes tuples of the columns in order that have dictionaries, if there are much
// fewer than groups. It returns the order with the tuples, as a column more, instead of them.
func (t *groupTable) makeTuples(order []int) []int {
	var members []int
	width := 0
	for _, k := range order {
		if v := t.cols[k]; v.Dict != nil && !v.Nulls.Any() {
			members = append(members, k)
			width += bits.Len(uint(v.Dict.Len - 1))
		}
	}
	if len(members) == 0 || width > 64 {
		return order
	}
	keys := make([]uint64, t.n)
	for _, k := range members {
		w := uint(bits.Len(uint(t.cols[k].Dict.Len - 1)))
		for i, c := range t.cols[k].Codes[:t.n] {
			keys[i] = keys[i]<<w | uint64(c)
		}
	}
	of, rows := numberTuples(keys)
	if len(rows) > t.n/2 {
		return order
	}
	at := make([]int32, len(rows))
	for i, r := range rows {
		at[i] = int32(r)
	}
	t.of, t.count = of, len(rows)
	var by []int
	for _, k := range order {
		switch {
		case !slices.Contains(members, k):
			by = append(by, k)
		case k == members[0]:
			by = append(by, len(t.cols))
		}
	}
	for _, k := range members {
		t.tuples[k], t.cols[k] = column.Gather(t.cols[k], at), nil
	}
	return by
}

// appendGroups writes the groups, if they are not too large to be read.
func appendGroups(b []byte, t *groupTable) ([]byte, error) {
	b = binary.AppendUvarint(b, uint64(t.n))
	if t.n == 0 {
		return b, nil
	}
	w := &groupWriter{b: binary.AppendUvarint(b, uint64(t.count)), numbers: make([]uint64, max(t.n, t.count))}
	if t.count > 0 {
		last := uint32(0)
		for i, c := range t.of {
			d := c - last
			if c < last {
				d += uint32(t.count)
			}
			w.numbers[i], last = uint64(d), c
		}
		w.appendNumbers(t.n, uint64(t.count-1))
	}
	for i, v := range t.cols {
		at := len(w.b)
		if v != nil {
			w.column(v, 0)
		} else {
			w.column(t.tuples[i], groupsTupled)
		}
		w.b = slices.Insert(w.b, at, binary.AppendUvarint(nil, uint64(len(w.b)-at))...)
		if w.size > partialBytesMax {
			return nil, errPartialTooLarge
		}
	}
	return w.b, nil
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

// groupWriter writes columns of groups.
type groupWriter struct {
	b       []byte
	numbers []uint64 // those to be written next
	raw     []byte
	size    int // bytes packed so far, as they are
}

// appendNumbers writes the first n of w.numbers, of which most is no smaller than the largest.
func (w *groupWriter) appendNumbers(n int, most uint64) {
	width := (bits.Len64(most) + 7) / 8
	w.b = append(w.b, byte(width))
	w.raw = slices.Grow(w.raw[:0], n)[:n]
	for shift := 0; shift < 8*width; shift += 8 {
		for i, x := range w.numbers[:n] {
			w.raw[i] = byte(x >> shift)
		}
		w.packed(w.raw)
	}
}

// packed writes bytes whose number is known.
func (w *groupWriter) packed(raw []byte) {
	w.size += len(raw)
	if len(raw) >= packFrom {
		enc, _ := partialZstd()
		if p := enc.EncodeAll(raw, nil); len(p) < len(raw) {
			w.b = append(binary.AppendUvarint(w.b, uint64(len(p))), p...)
			return
		}
	}
	w.b = append(append(w.b, 0), raw...)
}

// sized writes a column as package spill does, after its length.
func (w *groupWriter) sized(v *column.Vector) {
	one := spill.AppendBatch(nil, []*column.Vector{v}, v.Len)
	w.b = binary.AppendUvarint(w.b, uint64(len(one)))
	w.packed(one)
}

func (w *groupWriter) column(v *column.Vector, form byte) {
	nulls := v.Nulls.Any()
	switch {
	case isInts(v):
		s := stepsOf(v)
		if !nulls {
			if runs := risingRuns(v); runs > 0 {
				w.runs(v, s, runs, form)
				return
			}
		}
		if form |= groupsInts; nulls {
			form |= groupsNulls
		}
		if w.b = append(w.b, form); nulls {
			w.b = appendNulls(w.b, v)
		}
		w.b = binary.AppendUvarint(binary.AppendVarint(w.b, s.least), s.step)
		if s.most == 0 {
			w.b = append(w.b, 0)
			return
		}
		for i, x := range v.I64[:v.Len] {
			if w.numbers[i] = 0; !nulls || !v.Nulls.Get(i) {
				w.numbers[i] = s.of(x)
			}
		}
		w.appendNumbers(v.Len, s.most)
	case v.Dict != nil && !nulls:
		w.b = binary.AppendUvarint(append(w.b, form|groupsText), uint64(v.Dict.Len))
		for i, c := range v.Codes[:v.Len] {
			w.numbers[i] = uint64(c)
		}
		w.appendNumbers(v.Len, uint64(v.Dict.Len-1))
		w.sized(v.Dict)
	default:
		w.b = append(w.b, form|groupsAny)
		w.sized(v)
	}
}

// risingRuns returns how many runs of equal values integers have that never fall, 0 when
// there are many or they do.
func risingRuns(v *column.Vector) int {
	list := v.I64[:v.Len]
	runs := 1
	for i := 1; i < len(list); i++ {
		if list[i] < list[i-1] {
			return 0
		}
		if list[i] > list[i-1] {
			runs++
		}
	}
	if runs > len(list)/2 {
		return 0
	}
	return runs
}

func (w *groupWriter) runs(v *column.Vector, s steps, runs int, form byte) {
	w.b = binary.AppendVarint(append(w.b, form|groupsRuns), s.least)
	w.b = binary.AppendUvarint(binary.AppendUvarint(w.b, s.step), uint64(runs))
	list, lengths := v.I64[:v.Len], make([]uint64, 0, runs)
	last, most, longest := s.least, uint64(0), uint64(0)
	for from := 0; from < len(list); {
		to := from + 1
		for to < len(list) && list[to] == list[from] {
			to++
		}
		rise := (uint64(list[from]) - uint64(last)) / s.step
		w.numbers[len(lengths)] = rise
		lengths = append(lengths, uint64(to-from-1))
		most, longest = max(most, rise), max(longest, uint64(to-from-1))
		last, from = list[from], to
	}
	w.appendNumbers(runs, most)
	copy(w.numbers, lengths)
	w.appendNumbers(runs, longest)
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

// groupReader takes the columns of groups apart.
type groupReader struct {
	b    []byte
	left int // how many bytes may still come of what is packed
}

// readGroups reads what appendGroups has written, of the columns those that need lists, all when it
// is nil; others are nil. It takes any bytes. Keys that are of tuples have the same numbers.
func readGroups(b []byte, types []*column.Type, need []bool) (*column.Batch, error) {
	n, b, err := shortUvarint(b, segmentRowsMax)
	if err != nil {
		return nil, err
	}
	out := &column.Batch{Len: n, Cols: make([]*column.Vector, len(types))}
	r := &groupReader{b, partialBytesMax}
	tuples, of := 0, []uint32(nil)
	if n > 0 {
		if tuples, err = r.uvarint(segmentRowsMax); err != nil {
			return nil, err
		}
		if tuples > 0 {
			if of, err = r.tuples(n, tuples); err != nil {
				return nil, fmt.Errorf("numbers of tuples: %w", err)
			}
		}
	}
	for i, t := range types {
		if n == 0 {
			out.Cols[i] = column.New(t, 0)
			continue
		}
		size, err := r.uvarint(len(r.b))
		if err != nil {
			return nil, err
		}
		b, err := r.take(size)
		if err != nil {
			return nil, err
		}
		if need != nil && !need[i] {
			continue
		}
		one := &groupReader{b, r.left}
		if out.Cols[i], err = one.column(t, n, tuples, of); err == nil && len(one.b) > 0 {
			err = fmt.Errorf("%d bytes follow it", len(one.b))
		}
		if err != nil {
			return nil, fmt.Errorf("column %d: %w", i, err)
		}
		r.left = one.left
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

// packed reads n bytes, as memory of its own: text shares it, and what is read from goes.
func (r *groupReader) packed(n int) ([]byte, error) {
	size, err := r.uvarint(len(r.b))
	if err != nil {
		return nil, err
	}
	if size == 0 {
		b, err := r.take(n)
		return bytes.Clone(b), err
	}
	b, err := r.take(size)
	if err != nil {
		return nil, err
	}
	var h zstd.Header
	if err := h.Decode(b); err != nil {
		return nil, err
	}
	if !h.HasFCS || h.FrameContentSize != uint64(n) {
		return nil, fmt.Errorf("%d bytes instead of %d", h.FrameContentSize, n)
	}
	if r.left -= n; r.left < 0 {
		return nil, errPartialTooLarge
	}
	_, dec := partialZstd()
	raw, err := dec.DecodeAll(b, make([]byte, 0, n))
	if err == nil && len(raw) != n {
		err = fmt.Errorf("%d bytes instead of %d", len(raw), n)
	}
	return raw, err
}

// planes reads the bytes of n numbers, from the lowest; of numbers that are all 0 there are
// none.
func (r *groupReader) planes(n, most int) (planes [][]byte, err error) {
	w, err := r.take(1)
	if err != nil {
		return nil, err
	}
	if int(w[0]) > most {
		return nil, fmt.Errorf("numbers of %d bytes", w[0])
	}
	for range w[0] {
		p, err := r.packed(n)
		if err != nil {
			return nil, err
		}
		planes = append(planes, p)
	}
	return planes, nil
}

// numbers reads n numbers of at most 4 bytes.
func (r *groupReader) numbers(n int) ([]uint32, error) {
	planes, err := r.planes(n, 4)
	if err != nil {
		return nil, err
	}
	out := make([]uint32, n)
	switch len(planes) {
	case 0:
	case 1:
		for i, x := range planes[0][:n] {
			out[i] = uint32(x)
		}
	case 2:
		low, high := planes[0][:n], planes[1][:n]
		for i := range out {
			out[i] = uint32(low[i]) | uint32(high[i])<<8
		}
	default:
		for k, p := range planes {
			for i, x := range p[:n] {
				out[i] |= uint32(x) << (8 * k)
			}
		}
	}
	return out, nil
}

// tuples reads the numbers of the groups' tuples.
func (r *groupReader) tuples(n, tuples int) ([]uint32, error) {
	of, err := r.numbers(n)
	if err != nil {
		return nil, err
	}
	last := uint32(0)
	for i, d := range of {
		if d >= uint32(tuples) {
			return nil, fmt.Errorf("%d tuples on of %d", d, tuples)
		}
		if last += d; last >= uint32(tuples) {
			last -= uint32(tuples)
		}
		of[i] = last
	}
	return of, nil
}

// column reads a column of n groups, or of tuples.
func (r *groupReader) column(t *column.Type, n, tuples int, of []uint32) (*column.Vector, error) {
	form, err := r.take(1)
	if err != nil {
		return nil, err
	}
	if form[0]&groupsTupled != 0 {
		if tuples == 0 {
			return nil, errors.New("a column of tuples without tuples")
		}
		v, err := r.values(t, tuples, form[0]&^groupsTupled)
		if err != nil {
			return nil, err
		}
		if v.Const {
			return column.NewConst(column.Flatten(v.Slice(0, 1)), n), nil
		}
		return &column.Vector{Type: t, Len: n, Dict: column.Flatten(v), Codes: of}, nil
	}
	return r.values(t, n, form[0])
}

func (r *groupReader) values(t *column.Type, n int, form byte) (*column.Vector, error) {
	switch form {
	case groupsAny:
		return r.sized(t, n)
	case groupsInts, groupsInts | groupsNulls, groupsRuns:
		if !isInts(&column.Vector{Type: t}) {
			return nil, fmt.Errorf("integers in a column of %s", t)
		}
		if form == groupsRuns {
			return r.runs(t, n)
		}
		return r.ints(t, n, form&groupsNulls != 0)
	case groupsText:
		if t.Payload() != column.PayloadStr {
			return nil, fmt.Errorf("text in a column of %s", t)
		}
		return r.text(t, n)
	}
	return nil, fmt.Errorf("form %d is unknown", form)
}

func (r *groupReader) sized(t *column.Type, n int) (*column.Vector, error) {
	size, err := r.uvarint(partialBytesMax)
	if err != nil {
		return nil, err
	}
	b, err := r.packed(size)
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

// scale reads the least of integers, and their step.
func (r *groupReader) scale() (least, step int64, err error) {
	least, k := binary.Varint(r.b)
	if k <= 0 {
		return 0, 0, errGroupsShort
	}
	r.b = r.b[k:]
	by, k := binary.Uvarint(r.b)
	if k <= 0 {
		return 0, 0, errGroupsShort
	}
	r.b = r.b[k:]
	return least, int64(by), nil
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
	least, by, err := r.scale()
	if err != nil {
		return nil, err
	}
	planes, err := r.planes(n, 8)
	if err != nil {
		return nil, err
	}
	if len(planes) == 0 && !nulls {
		return column.NewConst(&column.Vector{Type: t, Len: 1, I64: []int64{least}}, n), nil
	}
	v.I64 = make([]int64, n)
	out := v.I64
	if len(planes) == 1 {
		for i, x := range planes[0][:n] {
			out[i] = least + int64(x)*by
		}
		return v, nil
	}
	for k, p := range planes {
		for i, x := range p[:n] {
			out[i] |= int64(x) << (8 * k)
		}
	}
	for i, x := range out {
		out[i] = least + x*by
	}
	return v, nil
}

func (r *groupReader) runs(t *column.Type, n int) (*column.Vector, error) {
	last, by, err := r.scale()
	if err != nil {
		return nil, err
	}
	runs, err := r.uvarint(n)
	if err != nil {
		return nil, err
	}
	rises, err := r.planes(runs, 8)
	if err != nil {
		return nil, err
	}
	lengths, err := r.numbers(runs)
	if err != nil {
		return nil, err
	}
	v := &column.Vector{Type: t, Len: n, I64: make([]int64, n)}
	at := 0
	for i, length := range lengths {
		rise := uint64(0)
		for k, p := range rises {
			rise |= uint64(p[i]) << (8 * k)
		}
		if int(length) >= n-at {
			return nil, fmt.Errorf("runs of more than %d", n)
		}
		last += int64(rise) * by
		for to := at + int(length); at <= to; at++ {
			v.I64[at] = last
		}
	}
	if at != n {
		return nil, fmt.Errorf("runs of %d instead of %d", at, n)
	}
	return v, nil
}

func (r *groupReader) text(t *column.Type, n int) (*column.Vector, error) {
	entries, err := r.uvarint(n)
	if err != nil {
		return nil, err
	}
	if entries == 0 {
		return nil, errors.New("a dictionary is empty")
	}
	codes, err := r.numbers(n)
	if err != nil {
		return nil, err
	}
	if most := slices.Max(codes); int(most) >= entries {
		return nil, fmt.Errorf("entry %d of %d", most, entries)
	}
	dict, err := r.sized(t, entries)
	if err != nil {
		return nil, err
	}
	if dict.Dict != nil || dict.Const {
		return nil, errors.New("the entries of a dictionary are not flat")
	}
	if entries == 1 {
		return column.NewConst(dict.Slice(0, 1), n), nil
	}
	return &column.Vector{Type: t, Len: n, Dict: dict, Codes: codes}, nil
}
