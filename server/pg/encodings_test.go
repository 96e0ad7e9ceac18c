package pg

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgtype"
)

var encodingValues = flag.Int("encodings.values", 25, "random values of each type that go to the server and back")

// randomText has characters of every length in UTF-8, and those that escapes are for.
func randomText(r *rand.Rand) string {
	var b strings.Builder
	for range r.IntN(12) {
		b.WriteRune([]rune("aZ0 \\\"'\n\t\r,{}é߀語🙂\u0001\u2028")[r.IntN(19)])
	}
	return b.String()
}

// encodings are the types that a client may send and that come back as themselves, with a
// random value of each.
var encodings = []struct {
	name string
	oid  uint32
	next func(r *rand.Rand) any
}{
	{"boolean", pgtype.BoolOID, func(r *rand.Rand) any { return r.IntN(2) == 0 }},
	{"smallint", pgtype.Int2OID, func(r *rand.Rand) any { return int16(r.Uint64()) >> r.IntN(16) }},
	{"integer", pgtype.Int4OID, func(r *rand.Rand) any { return int32(r.Uint64()) >> r.IntN(32) }},
	{"bigint", pgtype.Int8OID, func(r *rand.Rand) any { return int64(r.Uint64()) >> r.IntN(64) }},
	{"real", pgtype.Float4OID, func(r *rand.Rand) any {
		return []float32{float32(r.NormFloat64()), math.Float32frombits(r.Uint32()), 0, float32(math.Inf(-1)), math.MaxFloat32}[r.IntN(5)]
	}},
	{"double precision", pgtype.Float8OID, func(r *rand.Rand) any {
		return []float64{r.NormFloat64(), math.Float64frombits(r.Uint64()), math.Copysign(0, -1), math.Inf(1), 1e-320}[r.IntN(5)]
	}},
	{"decimal(18,6)", pgtype.NumericOID, func(r *rand.Rand) any {
		return pgtype.Numeric{Int: big.NewInt((int64(r.Uint64()) >> r.IntN(60)) % 1e17), Exp: -6, Valid: true}
	}},
	{"text", pgtype.TextOID, func(r *rand.Rand) any { return randomText(r) }},
	{"bytea", pgtype.ByteaOID, func(r *rand.Rand) any {
		b := make([]byte, r.IntN(20))
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		return b
	}},
	{"date", pgtype.DateOID, func(r *rand.Rand) any {
		return pgtype.Date{Time: time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, r.IntN(9998*365)), Valid: true}
	}},
	{"time(6)", pgtype.TimeOID, func(r *rand.Rand) any { return pgtype.Time{Microseconds: r.Int64N(86_400_000_000), Valid: true} }},
	{"timestamp(6) with time zone", pgtype.TimestamptzOID, func(r *rand.Rand) any {
		return pgtype.Timestamptz{Time: time.UnixMicro(r.Int64N(4e15) - 2e15).UTC(), Valid: true}
	}},
	{"interval day to second", pgtype.IntervalOID, func(r *rand.Rand) any {
		return pgtype.Interval{Microseconds: r.Int64N(86_400_000_000), Days: int32(r.IntN(2000)), Valid: true}
	}},
	{"uuid", pgtype.UUIDOID, func(r *rand.Rand) any {
		u := pgtype.UUID{Valid: true}
		for i := range u.Bytes {
			u.Bytes[i] = byte(r.Uint32())
		}
		return u
	}},
	{"jsonb", pgtype.JSONBOID, func(r *rand.Rand) any {
		b, _ := json.Marshal(map[string]any{randomText(r): []any{randomText(r), r.IntN(1000), nil, r.IntN(2) == 0}, "n": map[string]any{"x": randomText(r)}})
		return json.RawMessage(b)
	}},
}

// Every type goes to the server as text and in binary, comes back in both forms, and is to
// pgx's codecs, which know nothing of this server, the same value each time.
func TestEncodingsAgainstThoseOfPgx(t *testing.T) {
	f := newFixture(t, 1, nil)
	c := f.connect(t).PgConn()
	m := pgtype.NewMap()
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 1))
	for _, e := range encodings {
		codec, ok := m.TypeForOID(e.oid)
		if !ok {
			t.Fatal(e.name)
		}
		decode := func(format int16, raw []byte) (any, error) {
			if e.oid == pgtype.JSONBOID {
				var s string
				err := m.Scan(e.oid, format, raw, &s)
				var v any
				if err == nil {
					err = json.Unmarshal([]byte(s), &v)
				}
				return v, err
			}
			return codec.Codec.DecodeValue(m, e.oid, format, raw)
		}
		for range *encodingValues {
			value := e.next(r)
			var sent, back []any
			for _, in := range []int16{textFormat, binaryFormat} {
				raw, err := m.Encode(e.oid, in, value, nil)
				if err != nil {
					t.Fatalf("%s: %v", e.name, err)
				}
				own, err := decode(in, raw)
				if err != nil {
					t.Fatalf("%s: %v", e.name, err)
				}
				for _, out := range []int16{textFormat, binaryFormat} {
					res := c.ExecParams(context.Background(), "SELECT $1::"+e.name, [][]byte{raw}, []uint32{e.oid}, []int16{in}, []int16{out}).Read()
					if res.Err != nil {
						t.Fatalf("seed %d: %s %v in format %d: %v", seed, e.name, value, in, res.Err)
					}
					got, err := decode(out, res.Rows[0][0])
					if err != nil {
						t.Errorf("seed %d: %s %v in format %d comes back in format %d as %q: %v", seed, e.name, value, in, out, res.Rows[0][0], err)
						continue
					}
					sent, back = append(sent, canonical(own)), append(back, canonical(got))
				}
			}
			if !reflect.DeepEqual(sent, back) {
				t.Errorf("seed %d: %s: sent %v, came back %v", seed, e.name, sent, back)
			}
		}
		// NULL is NULL in every form.
		for _, out := range []int16{textFormat, binaryFormat} {
			res := c.ExecParams(context.Background(), "SELECT $1::"+e.name, [][]byte{nil}, []uint32{e.oid}, []int16{out}, []int16{out}).Read()
			if res.Err != nil || res.Rows[0][0] != nil {
				t.Errorf("%s: NULL comes back as %q, %v", e.name, res.Rows, res.Err)
			}
		}
	}
}

// canonical makes values comparable that are the same: numbers by their value, intervals by
// their length, NaN as itself.
func canonical(v any) any {
	switch x := v.(type) {
	case time.Time:
		return x.UTC().Format(time.RFC3339Nano)
	case float32:
		return fmt.Sprint(x)
	case float64:
		return fmt.Sprint(x)
	case pgtype.Interval:
		return time.Duration(x.Microseconds+int64(x.Days)*86_400_000_000) * time.Microsecond
	case pgtype.Numeric:
		r := new(big.Rat).SetInt(x.Int)
		scale := new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(max(x.Exp, -x.Exp))), nil))
		if x.Exp < 0 {
			return r.Quo(r, scale).FloatString(12)
		}
		return r.Mul(r, scale).FloatString(12)
	case []byte:
		return string(x)
	}
	return v
}
