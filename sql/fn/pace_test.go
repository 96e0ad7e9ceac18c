package fn

import (
	"context"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/cairndb/cairn/segment/column"
)

// TestLongTexts works on texts that are taken piece by piece, and has the same
// results as in one go.
func TestLongTexts(t *testing.T) {
	p := &pacer{c: &Context{}}
	for _, unit := range []string{"ab", "äß€", "\U0001f600x", "e\u0301", "a\xff\xfe", "\x80\x80\x80\x80\x80", "ΣΑΣ "} {
		s := strings.Repeat(unit, 3*tickBytes/len(unit)+1)
		var all strings.Builder
		p.pieces(s, func(piece string) {
			if utf8.ValidString(unit) && !utf8.ValidString(piece) {
				t.Errorf("%q: a code point is cut", unit)
			}
			all.WriteString(piece)
		})
		if all.String() != s {
			t.Errorf("%q: the pieces are not the text", unit)
		}
		for name, want := range map[string]string{"lower": strings.ToLower(s), "upper": strings.ToUpper(s), "normalize": norm.NFC.String(s)} {
			b, err := LookupScalar(name).Bind([]*column.Type{column.VarcharType})
			if err != nil {
				t.Fatal(err)
			}
			v, err := b.Eval(&Context{}, []*column.Vector{{Type: column.VarcharType, Len: 1, Str: []string{s}}}, 1)
			if err != nil || v.Str[0] != want {
				t.Errorf("%s of %q, repeated: %v, or another text", name, unit, err)
			}
		}
		for _, find := range []string{"b", "€", "a", "zz", unit, unit + unit, "\xff"} {
			for _, with := range []string{"", "y", "long"} {
				got, _, err := replaceAll(&Context{}, s, find, with)
				if err != nil || got != strings.ReplaceAll(s, find, with) {
					t.Errorf("replace of %q in %q, repeated: %v, or another text", find, unit, err)
				}
			}
		}
		if got, want := reverseText(p, validText(s)), string(reversedRunes(validText(s))); got != want {
			t.Errorf("reverse of %q, repeated, is another text", unit)
		}
	}
}

// TestContainsRun compares with looking at every place.
func TestContainsRun(t *testing.T) {
	array := func(s string) *column.Vector {
		v := column.New(column.ArrayOf(column.VarcharType), 1)
		v.Children = []*column.Vector{{Type: column.VarcharType, Len: len(s), Str: strings.Split(s, "")}}
		v.Offsets[1] = int32(len(s))
		return v
	}
	texts := []string{""}
	for from := 0; len(texts[len(texts)-1]) < 5; from++ {
		texts = append(texts, texts[from]+"a", texts[from]+"b")
	}
	for _, a := range texts {
		for _, b := range texts {
			for _, x := range []string{a, a + b + a} {
				if got, want := containsRun(nil, array(x), array(b), 0), strings.Contains(x, b); got != want {
					t.Errorf("%q in %q: %v", b, x, got)
				}
			}
		}
	}
}

// TestCallsEnd ends calls on values of which one is too long to be worked on in a
// moment.
func TestCallsEnd(t *testing.T) {
	text := strings.Repeat("ab", 2<<20)
	array := column.New(column.ArrayOf(column.VarcharType), 1)
	array.Children = []*column.Vector{{Type: column.VarcharType, Len: 1 << 17, Str: strings.SplitN(strings.Repeat("x,", 1<<17-1)+"x", ",", 1<<17)}}
	array.Offsets[1] = 1 << 17
	one := func(s string) *column.Vector {
		return &column.Vector{Type: column.VarcharType, Len: 1, Str: []string{s}}
	}
	list := "[" + strings.Repeat("1,", 1<<20) + "1]"
	for _, c := range []struct {
		name string
		args []*column.Vector
	}{
		{"lower", []*column.Vector{one("Ä" + text)}}, {"normalize", []*column.Vector{one(text)}}, {"reverse", []*column.Vector{one(text)}},
		{"replace", []*column.Vector{one(text), one("a")}}, {"translate", []*column.Vector{one(text), one("a"), one("b")}},
		{"hamming_distance", []*column.Vector{one(text), one(text)}}, {"levenshtein_distance", []*column.Vector{one(text[:9000]), one(text[:9000])}},
		{"split_part", []*column.Vector{one(text), one("a"), {Type: column.BigIntType, Len: 1, I64: []int64{1 << 20}}}},
		{"like", []*column.Vector{one(text), one("%a_c%")}}, {"ilike", []*column.Vector{one(text), one("%a_c%")}},
		{"json_parse", []*column.Vector{one(list)}}, {"json_array_length", []*column.Vector{one(list)}}, {"json_size", []*column.Vector{one(list), one("$")}},
		{"json_array_get", []*column.Vector{one(list), {Type: column.BigIntType, Len: 1, I64: []int64{5}}}},
		{"array_sort", []*column.Vector{array}}, {"array_distinct", []*column.Vector{array}}, {"array_union", []*column.Vector{array, array}},
		{"contains_sequence", []*column.Vector{array, array}}, {"luhn_check", []*column.Vector{one(strings.Repeat("9", 4<<20))}},
	} {
		types := make([]*column.Type, len(c.args))
		for i, a := range c.args {
			types[i] = a.Type
		}
		b, err := LookupScalar(c.name).Bind(types)
		if err != nil {
			t.Fatal(c.name, err)
		}
		looks := 0
		ctx := &Context{Live: func() error {
			if looks++; looks > 2 {
				return context.Canceled
			}
			return nil
		}}
		if _, err := b.Eval(ctx, c.args, 1); !errors.Is(err, context.Canceled) || looks != 3 {
			t.Errorf("%s: looked %d times whether to go on, then %v", c.name, looks, err)
		}
	}
}
