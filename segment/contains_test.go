package segment

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/cairndb/cairn/segment/column"
)

// TestContaining searches for pieces of records, and compares with the records.
func TestContaining(t *testing.T) {
	ctx := context.Background()
	for _, o := range []Options{{}, {MaxColumns: 12}, {MaxShapes: 20}} {
		records := modelRecords(9, BlockRows+700)
		r := seal(t, o, records)
		rng := rand.New(rand.NewPCG(1, 2))
		searched, exact := 0, 0
		for range 250 {
			rec := records[rng.IntN(len(records))]
			from := rng.IntN(len(rec))
			text := string(rec[from:min(len(rec), from+1+rng.IntN(12))])
			switch rng.IntN(20) {
			case 0:
				text = "zz" + text
			case 1:
				text = []string{"", "eventName", "00Z", "-", "\\", "é", "10", "e5", "\x00"}[rng.IntN(9)]
			}
			rows, ok, err := r.Containing(ctx, text, false)
			if err != nil {
				t.Fatal(err)
			}
			if !ok {
				continue
			}
			searched++
			same := true
			for i, rec := range records {
				if bytes.Contains(rec, []byte(text)) {
					if !rows.Get(i) {
						t.Fatalf("%q is in record %d, which was not found:\n%s", text, i, rec)
					}
				} else if rows.Get(i) {
					same = false
				}
			}
			if same {
				exact++
			}
		}
		if searched < 60 || exact < searched*9/10 {
			t.Errorf("%d texts were searched for, %d of them with no row too many", searched, exact)
		}
	}
}

// TestContainingBelow searches the members of records for pieces of their values, with
// escapes resolved and without regard to case.
func TestContainingBelow(t *testing.T) {
	ctx := context.Background()
	values := []string{
		`"Alpha-one"`, `"\u0041lpha-two"`, `"alpha\u002dthree"`, `"ΑLPHA"`, `"` + "\u212Aelvin" + `"`, `"Kelvin"`, `"İstanbul"`,
		`{"Alpha":"x"}`, `{"deep":{"key":"xAlpha-five"}}`, `["Alpha-six",7,"ÄRGER"]`, `17.25`, `null`, `true`, `"\\u0041lpha"`, `"2026-01-02T03:04:05Z"`,
	}
	var records [][]byte
	for i := range 3 * BlockRows / 2 {
		// The second member is near-unique, so that it is stored without a dictionary.
		records = append(records, fmt.Appendf(nil, `{"id":%d,"p":{"v":%s,"n":"Id-%08X"},"q":{"v":%s}}`,
			i, values[i%len(values)], uint32(i)*2654435761, values[(i+3)%len(values)]))
	}
	for _, o := range []Options{{}, {MaxColumns: 4}, {MaxShapes: 3}} {
		r := seal(t, o, records)
		p, ok, err := r.Lookup(ctx, []string{"p"})
		if err != nil || !ok {
			t.Fatal(ok, err)
		}
		for _, text := range []string{"Alpha", "Alpha-three", "lpha-two", "alpha", "kelvin", "istanbul", "ärger", "Id-9E3779B1", "id-9e3779b1", "T03", "t03", "25", "ru", "zzz", "u0041"} {
			for _, fold := range []bool{false, true} {
				if fold && strings.ToLower(text) != text {
					continue
				}
				rows, ok, err := r.ContainingBelow(ctx, p, text, fold)
				if err != nil || !ok {
					t.Fatal(ok, err)
				}
				many := 0
				for i, rec := range records {
					_, part, _ := bytes.Cut(rec, []byte(`"p":`))
					part, rest, _ := bytes.Cut(part, []byte(`,"q":`))
					forms := []string{string(part), string(Unescape(nil, part))}
					has := slices.ContainsFunc(forms, func(s string) bool {
						if fold {
							s = strings.ToLower(s)
						}
						return strings.Contains(s, text)
					})
					if has && !rows.Get(i) {
						t.Fatalf("%q (fold %t) is in %s, which was not found", text, fold, part)
					}
					// Keys are searched for anywhere in the shape.
					if !has && rows.Get(i) && !bytes.Contains(rest, []byte(`{"v":{`)) {
						many++
					}
				}
				if o.MaxColumns == 0 && o.MaxShapes == 0 && many > 0 {
					t.Errorf("%q (fold %t): %d rows too many", text, fold, many)
				}
			}
		}
	}
}

// TestGrams searches near-unique values for one text after the other: pages that are known
// not to have it are not unpacked again, and nothing is missed.
func TestGrams(t *testing.T) {
	ctx := context.Background()
	rng := rand.New(rand.NewPCG(8, 8))
	var records [][]byte
	var values []string
	for i := range 2*BlockRows + 50 {
		value := fmt.Sprintf("Order-%d/of %x at %s", i*7919, rng.Uint64(), strings.Repeat("long ", i%5))
		values = append(values, value)
		records = append(records, fmt.Appendf(nil, `{"p":{"v":%q,"id":"i-%016x"}}`, value, rng.Uint64()))
	}
	r := seal(t, Options{}, records)
	p, _, err := r.Lookup(ctx, []string{"p"})
	if err != nil {
		t.Fatal(err)
	}
	read := func(text string, fold bool) column.Bits {
		rows, ok, err := r.ContainingBelow(ctx, p, text, fold)
		if err != nil || !ok {
			t.Fatal(ok, err)
		}
		return rows
	}
	read("never-there", false)
	noted, kept := 0, 0
	w := wanted{text: []byte("qqqq-qqqq"), grams: []byte("qqqq-qqqq")}
	for page := range uint32(400) {
		if g, ok := r.cache.get(r.key(cachedGrams, page)).(*grams); ok && len(g.bits) > 0 {
			noted++
			if g.mayHave(&w) {
				kept++
			}
		}
	}
	if noted == 0 || kept > noted/10 {
		t.Errorf("%d pages are noted, and %d of them may have a text that is nowhere", noted, kept)
	}
	for i := 0; i < len(values); i += 97 {
		text := strings.Split(values[i], " ")[1+i%2]
		if i%2 == 1 {
			text = values[i][:strings.Index(values[i], "/")]
		}
		for _, fold := range []bool{false, true} {
			want := text
			if fold {
				want = strings.ToLower(text)
			}
			rows := read(want, fold)
			for k, v := range values {
				if fold {
					v = strings.ToLower(v)
				}
				if strings.Contains(v, want) && !rows.Get(k) {
					t.Fatalf("%q (fold %t) is in %q, which was not found", want, fold, values[k])
				}
			}
		}
	}
}

// TestContainingFilled searches values that are put together from others: for texts of their patterns,
// of their parts, and over the seams of both, with the parts among what is searched and without.
func TestContainingFilled(t *testing.T) {
	ctx := context.Background()
	rng := rand.New(rand.NewPCG(5, 6))
	var records [][]byte
	var values []string
	for i := range 2*BlockRows + 300 {
		name := fmt.Sprintf("Fn-%08x-%05d", rng.Uint32(), i)
		group := fmt.Sprintf("grp%07x", rng.Uint32()&0xfffffff)
		value := fmt.Sprintf("log/%s/%s[%06x]%s", group, name, rng.Uint32()&0xffffff, group)
		if i%50 == 7 {
			value = fmt.Sprintf("%s%s%x", group, name, rng.Uint32())
		}
		values = append(values, value)
		records = append(records, fmt.Appendf(nil, `{"a":{"name":%q},"p":{"group":%q,"v":%q}}`, name, group, value))
	}
	r := seal(t, Options{}, records)
	d, err := r.directory(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(d.columns, func(c dirColumn) bool { return c.encoding == encFilled }) {
		t.Fatal("no column is filled")
	}
	p, _, err := r.Lookup(ctx, []string{"p"})
	if err != nil {
		t.Fatal(err)
	}
	rows, ok, err := r.ContainingBelow(ctx, p, "nowhere-at-all", false)
	if err != nil || !ok || slices.ContainsFunc(rows, func(w uint64) bool { return w != 0 }) {
		t.Fatal(rows, ok, err)
	}
	for i := 0; i < len(values); i += 61 {
		v := values[i]
		from := rng.IntN(len(v) - 2)
		text := v[from:min(len(v), from+2+rng.IntN(14))]
		if strings.ContainsAny(text, separators) {
			continue
		}
		for _, fold := range []bool{false, true} {
			if fold {
				text = strings.ToLower(text)
			}
			rows, ok, err := r.ContainingBelow(ctx, p, text, fold)
			if err != nil || !ok {
				t.Fatal(ok, err)
			}
			for k, v := range values {
				if fold {
					v = strings.ToLower(v)
				}
				if has := strings.Contains(v, text); has && !rows.Get(k) || !has && rows.Get(k) {
					t.Fatalf("%q (fold %t) is in %q: %t, but was found: %t", text, fold, values[k], has, rows.Get(k))
				}
			}
		}
	}
}
