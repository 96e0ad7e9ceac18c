package fn

import (
	"encoding/base32"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"math/rand/v2"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/cairndb/cairn/segment/column"
)

// Long numbers have the nearest double whether they are shortened or not.
func TestShortenedNumbers(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	digits := func(n int, from string) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = from[r.IntN(len(from))]
		}
		return string(b)
	}
	zeros := strings.Repeat("0", 5000)
	// Half way between two doubles, and a little beyond.
	half := strconv.FormatFloat(0.1, 'f', 55, 64) + "5"
	texts := []string{zeros, zeros + ".", "." + zeros, zeros + "1", "0." + zeros + "1e5001", "1" + zeros + "e-5000", "-1" + zeros + ".5e-4990", "1" + zeros, "-1" + zeros,
		"." + zeros + "1", "9007199254740993" + "." + zeros, "9007199254740993." + zeros + "1", "9007199254740993." + zeros + "0e0", half + zeros, half + zeros + "1", "+" + zeros + "5e-1",
		"", ".", "e5", "-", zeros + "e", zeros + "e+", zeros + "x", zeros + "..", zeros + "e5e5", zeros + "e99999999999999999999", "1.5" + zeros + "e+3", "1" + zeros + "1e-5001"}
	for range 300 {
		texts = append(texts, digits(r.IntN(20), "0123456789")+"."+digits(r.IntN(3000), "0019")+digits(r.IntN(10), "5")+"e"+fmt.Sprint(r.IntN(700)-350))
	}
	for _, s := range texts {
		if s == "" {
			continue
		}
		if _, err := strconv.ParseFloat(s, 64); errors.Is(err, strconv.ErrSyntax) {
			if short := shortened(s); short != s {
				t.Errorf("%.60s… of %d bytes is no number, %s is", s, len(s), short)
			}
			continue
		}
		exact, ok := new(big.Rat).SetString(s)
		if !ok {
			continue // an exponent beyond all bounds
		}
		want, _ := exact.Float64()
		if got, _ := strconv.ParseFloat(shortened(s), 64); got != want {
			t.Errorf("%.60s… of %d bytes: %v, not %v", s, len(s), got, want)
		}
	}
}

// Encodings of long values are those of their pieces.
func TestLongEncodings(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for _, n := range []int{0, 1, encodedPiece - 1, encodedPiece, encodedPiece + 1, 2 * encodedPiece, 3*encodedPiece + 7} {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		in := &column.Vector{Type: column.VarbinaryType, Len: 1, Str: []string{string(b)}}
		for name, want := range map[string]string{
			"to_hex": strings.ToUpper(fmt.Sprintf("%x", b)), "to_base64": base64.StdEncoding.EncodeToString(b),
			"to_base64url": base64.URLEncoding.EncodeToString(b), "to_base32": base32.StdEncoding.EncodeToString(b),
		} {
			f, err := LookupScalar(name).Bind([]*column.Type{column.VarbinaryType})
			if err != nil {
				t.Fatal(err)
			}
			v, err := f.Eval(&Context{}, []*column.Vector{in}, 1)
			if err != nil || column.Flatten(v).Str[0] != want {
				t.Errorf("%s of %d bytes: %v", name, n, err)
			}
		}
		s := strings.ToValidUTF8(string(b), "ä")
		f, err := LookupScalar("url_encode").Bind([]*column.Type{column.VarcharType})
		if err != nil {
			t.Fatal(err)
		}
		v, err := f.Eval(&Context{}, []*column.Vector{{Type: column.VarcharType, Len: 1, Str: []string{s}}}, 1)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := url.QueryUnescape(column.Flatten(v).Str[0]); err != nil || back != s {
			t.Errorf("url_encode of %d bytes is not what url_decode reads: %v", len(s), err)
		}
	}
}

// A text of many pieces is one JSON string.
func TestLongJSONStrings(t *testing.T) {
	for _, part := range []string{"a", "ä€\"\\\n", "\xff\xc3", "𝄞"} {
		s := strings.Repeat(part, 3*tickBytes/len(part)+1)
		if got := string(appendJSONPaced(&pacer{}, nil, s)); got != string(appendJSONString(nil, s)) {
			t.Errorf("%q repeated to %d bytes differs", part, len(s))
		}
	}
}
