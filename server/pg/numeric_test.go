package pg

import (
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
