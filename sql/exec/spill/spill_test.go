package spill

import (
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/sqlerr"
)

var (
	zoned = &column.Type{Kind: column.TimestampTZ, Precision: 6}
	deep  = column.ArrayOf(column.MapOf(column.VarcharType, column.RowOf(
		column.Field{Name: "n", Type: column.BigIntType},
		column.Field{Name: "tags", Type: column.ArrayOf(column.VarcharType)},
		column.Field{Name: "at", Type: zoned})))
	everyType = []*column.Type{
		column.UnknownType, column.BooleanType, column.TinyIntType, column.BigIntType, column.RealType, column.DoubleType,
		column.DecimalOf(18, 4), column.VarcharType, column.VarbinaryType, column.JSONType, column.DateType, column.TimeType,
		column.TimestampType, zoned, column.IntervalDayType, column.IntervalMonthType, column.UUIDType, column.IPAddressType,
		column.ArrayOf(column.BigIntType), column.MapOf(column.VarcharType, column.DoubleType),
		column.RowOf(column.Field{Name: "a", Type: column.VarcharType}, column.Field{Name: "b", Type: column.ArrayOf(column.BooleanType)}), deep,
	}
)

func randomVector(r *rand.Rand, t *column.Type, n int) *column.Vector {
	v := column.New(t, n)
	inner := func(e *column.Type) *column.Vector { return randomVector(r, e, int(v.Offsets[n])) }
	switch t.Payload() {
	case column.PayloadI64:
		for i := range v.I64 {
			v.I64[i] = int64(r.Uint64()) >> r.IntN(64)
		}
		for i := range v.Zone {
			v.Zone[i] = uint16(r.IntN(3))
		}
	case column.PayloadF64:
		special := []float64{0, math.Copysign(0, -1), math.NaN(), math.Inf(1), math.Inf(-1)}
		for i := range v.F64 {
			v.F64[i] = r.NormFloat64()
			if r.IntN(4) == 0 {
				v.F64[i] = special[r.IntN(len(special))]
			}
		}
	case column.PayloadStr:
		for i := range v.Str {
			v.Str[i] = strings.Repeat(string(rune('a'+r.IntN(20))), r.IntN(12)) + string([]byte{byte(r.IntN(256))})
		}
	default:
		if t.Kind == column.Row {
			for i, f := range t.Fields {
				v.Children[i] = randomVector(r, f.Type, n)
			}
			break
		}
		for i := range n {
			v.Offsets[i+1] = v.Offsets[i] + int32(r.IntN(4))
		}
		if v.Children[0] = inner(t.Elem); t.Kind == column.Map {
			v.Children = []*column.Vector{inner(t.Key), inner(t.Elem)}
		}
	}
	for i := range n {
		if r.IntN(5) == 0 || t.Kind == column.Unknown {
			v.SetNull(i)
		}
	}
	return v
}

// layouts returns the values of v in each layout that operators see.
func layouts(r *rand.Rand, v *column.Vector) []*column.Vector {
	out := []*column.Vector{v}
	if v.Len == 0 {
		return out
	}
	one := v.Slice(0, 1)
	out = append(out, column.NewConst(column.Flatten(one), v.Len))
	small := randomVector(r, v.Type, 3)
	codes := make([]uint32, v.Len)
	for i := range codes {
		codes[i] = uint32(r.IntN(3))
	}
	dict := &column.Vector{Type: v.Type, Len: v.Len, Dict: small, Codes: codes}
	out = append(out, dict)
	withNulls := *dict
	for i := range v.Len {
		if r.IntN(3) == 0 {
			withNulls.SetNull(i)
		}
	}
	out = append(out, &withNulls)
	if v.Len > 20 {
		out = append(out, v.Slice(3, v.Len-2), dict.Slice(7, v.Len-9))
	}
	return out
}

// same reports a difference between two vectors of any layout.
func same(a, b *column.Vector) error {
	if a.Len != b.Len {
		return fmt.Errorf("%d values, want %d", b.Len, a.Len)
	}
	for i := range a.Len {
		if err := sameValue(a, i, b, i); err != nil {
			return fmt.Errorf("value %d: %w", i, err)
		}
	}
	return nil
}

func sameValue(a *column.Vector, i int, b *column.Vector, j int) error {
	if a.IsNull(i) != b.IsNull(j) {
		return fmt.Errorf("NULL is %v, want %v", b.IsNull(j), a.IsNull(i))
	}
	if a.IsNull(i) {
		return nil
	}
	a, i = a.Leaf(i)
	b, j = b.Leaf(j)
	switch a.Type.Payload() {
	case column.PayloadI64:
		if a.I64[i] != b.I64[j] {
			return fmt.Errorf("%d, want %d", b.I64[j], a.I64[i])
		}
		if a.Zone != nil && a.Zone[i] != b.Zone[j] {
			return fmt.Errorf("zone %d, want %d", b.Zone[j], a.Zone[i])
		}
	case column.PayloadF64:
		if math.Float64bits(a.F64[i]) != math.Float64bits(b.F64[j]) {
			return fmt.Errorf("%v, want %v", b.F64[j], a.F64[i])
		}
	case column.PayloadStr:
		if a.Str[i] != b.Str[j] {
			return fmt.Errorf("%q, want %q", b.Str[j], a.Str[i])
		}
	default:
		if a.Type.Kind == column.Row {
			for k := range a.Children {
				if err := sameValue(a.Children[k], i, b.Children[k], j); err != nil {
					return err
				}
			}
			return nil
		}
		n := a.Offsets[i+1] - a.Offsets[i]
		if m := b.Offsets[j+1] - b.Offsets[j]; n != m {
			return fmt.Errorf("%d elements, want %d", m, n)
		}
		for k := range a.Children {
			for e := range n {
				if err := sameValue(a.Children[k], int(a.Offsets[i]+e), b.Children[k], int(b.Offsets[j]+e)); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func TestVectorsComeBack(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, typ := range everyType {
		for _, n := range []int{0, 1, 2, 63, 64, 65, 300} {
			for k, v := range layouts(r, randomVector(r, typ, n)) {
				enc := appendBatch(nil, []*column.Vector{v}, v.Len)
				b, err := decodeBatch(enc, []*column.Type{typ})
				if err != nil {
					t.Fatalf("%s, %d values, layout %d: %v", typ, n, k, err)
				}
				if err := same(v, b.Cols[0]); err != nil {
					t.Fatalf("%s, %d values, layout %d: %v", typ, n, k, err)
				}
				for cut := range enc {
					if cut > 200 {
						break
					}
					if _, err := decodeBatch(enc[:cut], []*column.Type{typ}); err == nil {
						t.Fatalf("%s, %d values: %d of %d bytes decode", typ, n, cut, len(enc))
					}
				}
			}
		}
	}
}

// TestRuns writes runs in batches of every size and selection and reads them.
func TestRuns(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	files := &MemFiles{}
	for _, block := range []int{64, 1 << 10, 0} {
		s := NewSpace(files, -1, block)
		w := s.NewWriter(everyType)
		var want []*column.Appender
		for _, typ := range everyType {
			want = append(want, column.NewAppender(typ, 0))
		}
		rows := 0
		for _, n := range []int{0, 1, 5, 100, 700, 3, 1, 64} {
			b := &column.Batch{Len: n}
			for _, typ := range everyType {
				all := layouts(r, randomVector(r, typ, n))
				v := all[r.IntN(min(4, len(all)))]
				b.Cols = append(b.Cols, v)
			}
			var at []int32
			if n%2 == 1 {
				at = []int32{}
				for i := range n {
					if r.IntN(2) == 0 {
						at = append(at, int32(i))
					}
				}
			}
			for i, v := range b.Cols {
				if at == nil {
					want[i].AppendAll(v)
				} else {
					want[i].AppendAll(column.Gather(v, at))
				}
			}
			var err error
			if at == nil {
				rows += n
				err = w.Append(b)
			} else {
				rows += len(at)
				err = w.AppendRows(b, at)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		run, err := w.Finish()
		if err != nil {
			t.Fatal(err)
		}
		if run.Rows() != int64(rows) || run.Bytes() != s.Written() {
			t.Errorf("the run has %d rows and %d bytes, want %d and %d", run.Rows(), run.Bytes(), rows, s.Written())
		}
		for range 2 {
			checkRun(t, run, want)
		}
		if err := run.Remove(); err != nil {
			t.Fatal(err)
		}
		if files.Len() != 0 {
			t.Errorf("%d files are left", files.Len())
		}
		s.Close()
	}
}

func checkRun(t *testing.T, run *Run, want []*column.Appender) {
	t.Helper()
	rd, err := run.Reader()
	if err != nil {
		t.Fatal(err)
	}
	defer rd.Close()
	at := 0
	for {
		b, err := rd.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if b.Len == 0 || b.Len > rowsBlock {
			t.Fatalf("a batch of %d rows", b.Len)
		}
		for i, v := range b.Cols {
			if err := same(want[i].Vector().Slice(at, at+b.Len), v); err != nil {
				t.Fatalf("column %d, rows from %d: %v", i, at, err)
			}
		}
		at += b.Len
	}
	if at != want[0].Len() {
		t.Fatalf("%d rows came back, want %d", at, want[0].Len())
	}
}

func bigints(n int) *column.Batch {
	v := column.New(column.BigIntType, n)
	for i := range v.I64 {
		v.I64[i] = int64(uint64(i) * 0x9e3779b97f4a7c15)
	}
	return &column.Batch{Len: n, Cols: []*column.Vector{v}}
}

func writeRun(t *testing.T, s *Space, b *column.Batch) *Run {
	t.Helper()
	w := s.NewWriter([]*column.Type{b.Cols[0].Type})
	if err := w.Append(b); err != nil {
		t.Fatal(err)
	}
	run, err := w.Finish()
	if err != nil {
		t.Fatal(err)
	}
	return run
}

func drain(run *Run) error {
	rd, err := run.Reader()
	if err != nil {
		return err
	}
	defer rd.Close()
	for {
		if _, err := rd.Next(); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
	}
}

func TestEmptyRun(t *testing.T) {
	files := &MemFiles{}
	s := NewSpace(files, -1, 0)
	run, err := s.NewWriter(everyType).Finish()
	if err != nil || files.Len() != 0 {
		t.Fatalf("%v; %d files for no row", err, files.Len())
	}
	if err := drain(run); err != nil {
		t.Error(err)
	}
	if err := run.Remove(); err != nil {
		t.Error(err)
	}
}

func TestDiskLimit(t *testing.T) {
	files := &MemFiles{}
	s := NewSpace(files, 100_000, 1<<10)
	writeRun(t, s, bigints(10_000))
	w := s.NewWriter([]*column.Type{column.BigIntType})
	err := w.Append(bigints(10_000))
	if err == nil {
		_, err = w.Finish()
	}
	var e *sqlerr.Error
	if !errors.As(err, &e) || e.Code != sqlerr.ConfigurationLimit || e.Hint == "" {
		t.Fatalf("past the limit: %v", err)
	}
	if err := s.Close(); err != nil || files.Len() != 0 {
		t.Fatalf("%v, %d files are left", err, files.Len())
	}
	// What is removed can be used again.
	s = NewSpace(files, 100_000, 1<<10)
	for range 5 {
		run := writeRun(t, s, bigints(10_000))
		if err := run.Remove(); err != nil {
			t.Fatal(err)
		}
	}
	if s.Peak() > 100_000 || s.Written() < 5*80_000 {
		t.Errorf("peak %d, written %d", s.Peak(), s.Written())
	}
}

func TestEndLeavesNothing(t *testing.T) {
	files := &MemFiles{}
	s := NewSpace(files, -1, 1<<10)
	run := writeRun(t, s, bigints(5000))
	rd, err := run.Reader()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := rd.Next(); err != nil {
		t.Fatal(err)
	}
	half := s.NewWriter([]*column.Type{column.BigIntType})
	if err := half.Append(bigints(5000)); err != nil {
		t.Fatal(err)
	}
	if files.Len() != 2 {
		t.Fatalf("%d files, want 2", files.Len())
	}
	for range 2 {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if files.Len() != 0 {
		t.Errorf("%d files are left", files.Len())
	}
	if err := rd.Close(); err != nil {
		t.Error(err)
	}
	if err := run.Remove(); err != nil {
		t.Error(err)
	}
	late := s.NewWriter([]*column.Type{column.BigIntType})
	if err := late.Append(bigints(5000)); err == nil || files.Len() != 0 {
		t.Errorf("a writer after the end: %v, %d files", err, files.Len())
	}
}

// TestDamage flips every bit of a file: each is named, none answered from.
func TestDamage(t *testing.T) {
	files := &MemFiles{}
	s := NewSpace(files, -1, 256)
	defer s.Close()
	run := writeRun(t, s, bigints(100))
	name := files.Names()[0]
	for bit := range 8 * int(run.Bytes()) {
		flip := func(b []byte) { b[bit/8] ^= 1 << (bit % 8) }
		files.Change(name, flip)
		var e *sqlerr.Error
		if err := drain(run); !errors.As(err, &e) || e.Code != sqlerr.DataCorrupted {
			t.Fatalf("bit %d flipped: %v", bit, err)
		}
		files.Change(name, flip)
	}
	if err := drain(run); err != nil {
		t.Fatal(err)
	}
}

// failing fails the k-th operation.
type failing struct {
	MemFiles
	left int
	err  error
}

func (f *failing) fail() error {
	if f.left--; f.left == 0 {
		return f.err
	}
	return nil
}

func (f *failing) Create() (string, io.WriteCloser, error) {
	if err := f.fail(); err != nil {
		return "", nil, err
	}
	name, w, err := f.MemFiles.Create()
	return name, &failingFile{w, f}, err
}

func (f *failing) Open(name string) (File, error) {
	if err := f.fail(); err != nil {
		return nil, err
	}
	return f.MemFiles.Open(name)
}

type failingFile struct {
	io.WriteCloser
	f *failing
}

func (w *failingFile) Write(b []byte) (int, error) {
	if err := w.f.fail(); err != nil {
		return 0, err
	}
	return w.WriteCloser.Write(b)
}

func (w *failingFile) Close() error {
	w.WriteCloser.Close()
	return w.f.fail()
}

func TestFailingFiles(t *testing.T) {
	for k := 1; ; k++ {
		files := &failing{left: k, err: syscall.ENOSPC}
		s := NewSpace(files, -1, 1<<10)
		w := s.NewWriter([]*column.Type{column.BigIntType})
		err := w.Append(bigints(1000))
		if err == nil {
			var run *Run
			if run, err = w.Finish(); err == nil {
				err = drain(run)
			}
		}
		failed := files.left <= 0
		s.Close()
		if files.Len() != 0 {
			t.Errorf("operation %d fails: %d files are left", k, files.Len())
		}
		if !failed {
			if err != nil {
				t.Fatal(err)
			}
			if k < 5 {
				t.Fatalf("only %d operations", k)
			}
			return
		}
		var e *sqlerr.Error
		if !errors.As(err, &e) || e.Code != sqlerr.DiskFull || !errors.Is(err, syscall.ENOSPC) {
			t.Fatalf("operation %d fails: %v", k, err)
		}
	}
}

func TestHugeRow(t *testing.T) {
	s := NewSpace(&MemFiles{}, -1, 0)
	defer s.Close()
	v := column.New(column.VarcharType, 3)
	v.Str[0], v.Str[1], v.Str[2] = "a", strings.Repeat("xyz", 3<<20), "b"
	run := writeRun(t, s, &column.Batch{Len: 3, Cols: []*column.Vector{v}})
	want := column.NewAppender(column.VarcharType, 3)
	want.AppendAll(v)
	checkRun(t, run, []*column.Appender{want})
}

// FuzzDecode reads any bytes as a block. What decodes encodes to something that
// decodes to the same.
func FuzzDecode(f *testing.F) {
	r := rand.New(rand.NewPCG(5, 6))
	for k, typ := range everyType {
		for _, v := range layouts(r, randomVector(r, typ, 40)) {
			f.Add(byte(k), append([]byte{formPlain}, appendBatch(nil, []*column.Vector{v}, v.Len)...))
		}
	}
	f.Add(byte(0), []byte{formCompressed, 255, 255, 255, 255, 3, 0})
	f.Fuzz(func(t *testing.T, k byte, body []byte) {
		types := []*column.Type{everyType[int(k)%len(everyType)]}
		b, _, err := decodeBody(body, types)
		if err != nil {
			return
		}
		again, err := decodeBatch(appendBatch(nil, b.Cols, b.Len), types)
		if err != nil {
			t.Fatalf("what decoded does not encode: %v", err)
		}
		if err := same(b.Cols[0], again.Cols[0]); err != nil {
			t.Fatal(err)
		}
	})
}

func benchBatch(n int) *column.Batch {
	r := rand.New(rand.NewPCG(7, 8))
	ids, names := column.New(column.BigIntType, n), column.New(column.VarcharType, n)
	arns := &column.Vector{Type: column.VarcharType, Len: n, Dict: column.New(column.VarcharType, 50), Codes: make([]uint32, n)}
	for i := range 50 {
		arns.Dict.Str[i] = fmt.Sprintf("arn:aws:iam::111122223333:user/someone-%d", i)
	}
	for i := range n {
		ids.I64[i] = int64(r.Uint64() >> 20)
		names.Str[i] = fmt.Sprintf("%016x-%08x", r.Uint64(), r.Uint32())
		arns.Codes[i] = uint32(r.IntN(50))
	}
	return &column.Batch{Len: n, Cols: []*column.Vector{ids, names, arns}}
}

func BenchmarkWrite(b *testing.B) {
	batch := benchBatch(4096)
	types := []*column.Type{column.BigIntType, column.VarcharType, column.VarcharType}
	raw := int64(rowsBytes(batch.Cols, nil, batch.Len))
	b.SetBytes(raw)
	b.ReportAllocs()
	s := NewSpace(&MemFiles{}, -1, 0)
	w := s.NewWriter(types)
	for b.Loop() {
		if err := w.Append(batch); err != nil {
			b.Fatal(err)
		}
		if s.Written() > 256<<20 {
			s.Close()
			s = NewSpace(&MemFiles{}, -1, 0)
			w = s.NewWriter(types)
		}
	}
	b.ReportMetric(float64(b.N)*4096/b.Elapsed().Seconds(), "rows/s")
}

func BenchmarkRead(b *testing.B) {
	batch := benchBatch(4096)
	types := []*column.Type{column.BigIntType, column.VarcharType, column.VarcharType}
	s := NewSpace(&MemFiles{}, -1, 0)
	w := s.NewWriter(types)
	for range 20 {
		if err := w.Append(batch); err != nil {
			b.Fatal(err)
		}
	}
	run, err := w.Finish()
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(20 * int64(rowsBytes(batch.Cols, nil, batch.Len)))
	for b.Loop() {
		if err := drain(run); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)*20*4096/b.Elapsed().Seconds(), "rows/s")
}
