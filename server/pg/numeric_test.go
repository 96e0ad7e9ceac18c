package pg

import (
	"context"
	"math/big"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/fn"
)

// TestBinaryNumeric reads the binary form of decimals as a client does.
func TestBinaryNumeric(t *testing.T) {
	wide := strings.Repeat("9", 38)
	for _, text := range []string{
		"0", "1", "-1", "9999", "10000", "-10001", "123456789012345678", "0.1", "0.0001", "0.00001", "-0.00010", "10000.0000",
		"12345678901234567890", "-12345678901234567890.5", "100000000000000000000", wide, "-" + wide, "0." + wide, wide[:19] + "." + wide[:19],
		"0.00000000000000000000000000000000000001", "-20000000000000000000.0001", "1.50",
	} {
		whole, fraction, _ := strings.Cut(strings.TrimPrefix(text, "-"), ".")
		whole = strings.TrimLeft(whole, "0")
		typ := column.DecimalOf(max(1, len(whole)+len(fraction)), len(fraction))
		cast, err := fn.Cast(column.VarcharType, typ)
		if err != nil {
			t.Fatal(err)
		}
		from := column.New(column.VarcharType, 1)
		from.Str[0] = text
		v, err := cast.Eval(&fn.Context{}, []*column.Vector{from}, 1)
		if err != nil {
			t.Fatal(text, err)
		}
		raw := appendBinary(nil, v, 0)
		var n pgtype.Numeric
		if err := pgtype.NewMap().Scan(pgtype.NumericOID, pgtype.BinaryFormatCode, raw, &n); err != nil || !n.Valid {
			t.Errorf("%s: % x: %v", text, raw, err)
			continue
		}
		got := new(big.Rat).SetInt(n.Int)
		if ten := new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(max(n.Exp, -n.Exp))), nil)); n.Exp > 0 {
			got.Mul(got, ten)
		} else {
			got.Quo(got, ten)
		}
		want, _ := new(big.Rat).SetString(text)
		if got.Cmp(want) != 0 {
			t.Errorf("%s: % x reads as %s", text, raw, got)
		}
	}
}

// TestNumericParameters: a parameter that the client says is numeric is a number wherever it stands, and exactly
// the one that was sent.
func TestNumericParameters(t *testing.T) {
	f := newFixture(t, 1, nil)
	c := f.connect(t).PgConn()
	ctx := context.Background()
	binaryOf := func(text string) []byte {
		t.Helper()
		var n pgtype.Numeric
		if err := n.Scan(text); err != nil {
			t.Fatal(err)
		}
		b, err := pgtype.NewMap().Encode(pgtype.NumericOID, pgtype.BinaryFormatCode, n, nil)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for _, q := range []struct{ sql, given, want string }{
		{"SELECT $1", "1.50", "1.5000000000"}, {"SELECT $1 + 1", "1.5", "2.5000000000"}, {"SELECT $1 = 1.5, $1 > 1", "1.5", "t"},
		{"SELECT $1 * 2.5", "-1.5", "-3.75000000000"}, {"SELECT $1", "12345678901234567890.123", "12345678901234567890.1230000000"},
		{"SELECT count(*) FROM events WHERE length(eventID) = $1", "36", "1"}, {"SELECT $1", "0", "0.0000000000"},
		{"SELECT sum(x) FROM (VALUES ($1), ($1)) t(x)", "0.1", "0.2000000000"},
	} {
		for format, value := range map[int16][]byte{textFormat: []byte(q.given), binaryFormat: binaryOf(q.given)} {
			r := c.ExecParams(ctx, q.sql, [][]byte{value}, []uint32{pgtype.NumericOID}, []int16{format}, nil).Read()
			if r.Err != nil || string(r.Rows[0][0]) != q.want {
				t.Errorf("%s of %s, format %d: %q, want %s; %v", q.sql, q.given, format, r.Rows, q.want, r.Err)
			}
		}
	}
	if r := c.ExecParams(ctx, "SELECT 1.5 = ANY($1)", [][]byte{[]byte("{1,1.5}")}, []uint32{pgtype.NumericArrayOID}, nil, nil).Read(); r.Err != nil || string(r.Rows[0][0]) != "t" {
		t.Errorf("an array: %q, %v", r.Rows, r.Err)
	}
	if r := c.ExecParams(ctx, "SELECT $1", [][]byte{[]byte("15E-1")}, []uint32{pgtype.NumericOID}, nil, nil).Read(); r.Err != nil || string(r.Rows[0][0]) != "1.5000000000" {
		t.Errorf("an exponent: %q, %v", r.Rows, r.Err)
	}
	for _, bad := range []string{"", "x", "NaN", "Infinity", "1e999999999", "1e-999999999", "1/3", "0x10", "0.12345678901", "12345678901234567890123456789", strings.Repeat("9", 1000)} {
		r := c.ExecParams(ctx, "SELECT $1", [][]byte{[]byte(bad)}, []uint32{pgtype.NumericOID}, nil, nil).Read()
		if e := codeIs(t, r.Err, "22P02"); !strings.Contains(e.Detail, "decimal") {
			t.Errorf("%.40s: %s", bad, e.Detail)
		}
	}
}
