package spill

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"unsafe"

	"github.com/cairndb/cairn/segment/column"
)

// rowsMax is how many rows a block may say it has; writers stay far below it.
const rowsMax = 1 << 24

// depthMax bounds the nesting of types that are read back; the planner's own
// limit is lower.
const depthMax = 200

var errShort = errors.New("the block ends too early")

// decoder reads vectors out of the content of a block, whose memory the text in
// them shares.
type decoder struct {
	b     []byte
	depth int
}

// DecodeBatch reads what [AppendBatch] has written, whose memory the text in the batch
// shares. It takes any bytes.
func DecodeBatch(b []byte, types []*column.Type) (*column.Batch, error) {
	return decodeBatch(b, types)
}

// decodeBatch reads the content of a block with columns of the given types. It
// takes any bytes; what it returns has the right lengths everywhere.
func decodeBatch(b []byte, types []*column.Type) (*column.Batch, error) {
	d := &decoder{b: b}
	rows, err := d.uvarint(rowsMax)
	if err != nil {
		return nil, err
	}
	out := &column.Batch{Len: rows, Cols: make([]*column.Vector, len(types))}
	for i, t := range types {
		if out.Cols[i], err = d.vector(t, rows); err != nil {
			return nil, fmt.Errorf("column %d: %w", i, err)
		}
	}
	if len(d.b) != 0 {
		return nil, fmt.Errorf("%d bytes follow the last column", len(d.b))
	}
	return out, nil
}

func (d *decoder) uvarint(most int) (int, error) {
	x, n := binary.Uvarint(d.b)
	if n <= 0 {
		return 0, errShort
	}
	if x > uint64(most) {
		return 0, fmt.Errorf("a count of %d is too large", x)
	}
	if n != (bits.Len64(x|1)+6)/7 {
		return 0, errors.New("a count is not in its shortest form")
	}
	d.b = d.b[n:]
	return int(x), nil
}

func (d *decoder) take(n int) ([]byte, error) {
	if n < 0 || n > len(d.b) {
		return nil, errShort
	}
	out := d.b[:n:n]
	d.b = d.b[n:]
	return out, nil
}

func (d *decoder) vector(t *column.Type, n int) (*column.Vector, error) {
	if d.depth++; d.depth > depthMax {
		return nil, errors.New("values are nested too deeply")
	}
	defer func() { d.depth-- }()
	head, err := d.take(1)
	if err != nil {
		return nil, err
	}
	flags := head[0] &^ 15
	if n == 0 {
		if head[0] != layoutFlat {
			return nil, errors.New("an empty vector has a layout")
		}
		return column.New(t, 0), nil
	}
	switch head[0] & 15 {
	case layoutFlat:
		return d.flat(t, n, flags)
	case layoutConst:
		if flags != 0 {
			return nil, errors.New("a constant has flags")
		}
		if len(d.b) == 0 || d.b[0]&15 != layoutFlat {
			return nil, errors.New("a constant is not flat")
		}
		one, err := d.vector(t, 1)
		if err != nil {
			return nil, err
		}
		return column.NewConst(one, n), nil
	case layoutDict:
		return d.dictionary(t, n, flags)
	}
	return nil, fmt.Errorf("layout %d is unknown", head[0])
}

func (d *decoder) nulls(n int, flags byte) (column.Bits, error) {
	if flags&flagNulls == 0 {
		return nil, nil
	}
	words := (n + 63) / 64
	raw, err := d.take(8 * words)
	if err != nil {
		return nil, err
	}
	out := make(column.Bits, words)
	for i := range out {
		out[i] = binary.LittleEndian.Uint64(raw[8*i:])
	}
	if n&63 != 0 && out[words-1]>>uint(n&63) != 0 {
		return nil, errors.New("NULLs past the last row")
	}
	return out, nil
}

func (d *decoder) flat(t *column.Type, n int, flags byte) (*column.Vector, error) {
	v := &column.Vector{Type: t, Len: n}
	if flags&^(flagNulls|flagZones) != 0 || flags&flagZones != 0 && t.Payload() != column.PayloadI64 {
		return nil, errors.New("flags are wrong")
	}
	var err error
	if v.Nulls, err = d.nulls(n, flags); err != nil {
		return nil, err
	}
	switch t.Payload() {
	case column.PayloadI64:
		raw, err := d.take(8 * n)
		if err != nil {
			return nil, err
		}
		v.I64 = make([]int64, n)
		for i := range v.I64 {
			v.I64[i] = int64(binary.LittleEndian.Uint64(raw[8*i:]))
		}
		if flags&flagZones != 0 {
			if raw, err = d.take(2 * n); err != nil {
				return nil, err
			}
			v.Zone = make([]uint16, n)
			for i := range v.Zone {
				v.Zone[i] = binary.LittleEndian.Uint16(raw[2*i:])
			}
		}
		return v, nil
	case column.PayloadF64:
		raw, err := d.take(8 * n)
		if err != nil {
			return nil, err
		}
		v.F64 = make([]float64, n)
		for i := range v.F64 {
			v.F64[i] = math.Float64frombits(binary.LittleEndian.Uint64(raw[8*i:]))
		}
		return v, nil
	case column.PayloadStr:
		return v, d.text(v)
	}
	if t.Kind == column.Row {
		for _, f := range t.Fields {
			c, err := d.vector(f.Type, n)
			if err != nil {
				return nil, err
			}
			v.Children = append(v.Children, c)
		}
		return v, nil
	}
	raw, err := d.take(4 * n)
	if err != nil {
		return nil, err
	}
	v.Offsets = make([]int32, n+1)
	sum := 0
	for i := range n {
		sum += int(binary.LittleEndian.Uint32(raw[4*i:]))
		if sum > math.MaxInt32 {
			return nil, errors.New("arrays are too long")
		}
		v.Offsets[i+1] = int32(sum)
	}
	inner := []*column.Type{t.Elem}
	if t.Kind == column.Map {
		inner = []*column.Type{t.Key, t.Elem}
	}
	for _, e := range inner {
		c, err := d.vector(e, sum)
		if err != nil {
			return nil, err
		}
		v.Children = append(v.Children, c)
	}
	return v, nil
}

// text cuts strings out of the block without copying them.
func (d *decoder) text(v *column.Vector) error {
	raw, err := d.take(4 * v.Len)
	if err != nil {
		return err
	}
	all := unsafe.String(unsafe.SliceData(d.b), len(d.b))
	v.Str = make([]string, v.Len)
	from := 0
	for i := range v.Str {
		to := from + int(binary.LittleEndian.Uint32(raw[4*i:]))
		if to > len(all) {
			return errShort
		}
		v.Str[i] = all[from:to]
		from = to
	}
	d.b = d.b[from:]
	return nil
}

func (d *decoder) dictionary(t *column.Type, n int, flags byte) (*column.Vector, error) {
	if flags&^flagNulls != 0 {
		return nil, errors.New("flags are wrong")
	}
	v := &column.Vector{Type: t, Len: n}
	var err error
	if v.Nulls, err = d.nulls(n, flags); err != nil {
		return nil, err
	}
	entries, err := d.uvarint(n)
	if err != nil {
		return nil, err
	}
	raw, err := d.take(4 * n)
	if err != nil {
		return nil, err
	}
	v.Codes = make([]uint32, n)
	for i := range v.Codes {
		if v.Codes[i] = binary.LittleEndian.Uint32(raw[4*i:]); v.Codes[i] >= uint32(entries) {
			return nil, fmt.Errorf("code %d of a dictionary of %d", v.Codes[i], entries)
		}
	}
	if len(d.b) == 0 || d.b[0]&15 != layoutFlat {
		return nil, errors.New("a dictionary is not flat")
	}
	if v.Dict, err = d.vector(t, entries); err != nil {
		return nil, err
	}
	return v, nil
}
