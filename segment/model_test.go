package segment

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cairndb/cairn/segment/column"
)

// The model: what a path of a record means, told with encoding/json alone.

type modelMember struct {
	key   string
	value json.RawMessage
}

// modelMembers returns the members of an object in order, equal keys included.
func modelMembers(raw json.RawMessage) []modelMember {
	dec := json.NewDecoder(bytes.NewReader(raw))
	if _, err := dec.Token(); err != nil {
		panic(err)
	}
	var out []modelMember
	for dec.More() {
		k, err := dec.Token()
		if err != nil {
			panic(err)
		}
		var v json.RawMessage
		if err := dec.Decode(&v); err != nil {
			panic(err)
		}
		out = append(out, modelMember{k.(string), v})
	}
	return out
}

// modelLast keeps the last of equal keys.
func modelLast(m []modelMember) []modelMember {
	var out []modelMember
	for i, x := range m {
		if !slices.ContainsFunc(m[i+1:], func(y modelMember) bool { return y.key == x.key }) {
			out = append(out, x)
		}
	}
	return out
}

func modelKind(v json.RawMessage) Kind {
	if len(v) == 0 {
		return None
	}
	switch v[0] {
	case '{':
		return Object
	case '[':
		return Array
	case '"':
		return String
	case 't', 'f':
		return Bool
	case 'n':
		return Null
	}
	return Number
}

func modelGet(rec json.RawMessage, path []string) json.RawMessage {
	for _, k := range path {
		if modelKind(rec) != Object {
			return nil
		}
		found := json.RawMessage(nil)
		for _, m := range modelMembers(rec) {
			if m.key == k {
				found = m.value
			}
		}
		rec = found
	}
	return rec
}

func modelText(v json.RawMessage) (string, bool) {
	switch modelKind(v) {
	case None, Null:
		return "", false
	case String:
		var s string
		if err := json.Unmarshal(v, &s); err != nil {
			panic(err)
		}
		return s, true
	case Object, Array:
		var b bytes.Buffer
		if err := json.Compact(&b, v); err != nil {
			panic(err)
		}
		return b.String(), true
	}
	return string(v), true
}

// modelPaths adds all object-key paths of a record.
func modelPaths(v json.RawMessage, at []string, add func([]string)) {
	add(at)
	if modelKind(v) == Object {
		for _, m := range modelMembers(v) {
			modelPaths(m.value, append(slices.Clip(at), m.key), add)
		}
	}
}

// nasty makes JSON of every kind of oddity.
type nasty struct{ r *rand.Rand }

func (g nasty) pick(s ...string) string { return s[g.r.IntN(len(s))] }

func (g nasty) space() string {
	if g.r.IntN(12) == 0 {
		return g.pick(" ", "\n", "\t", "\r\n", "   ")
	}
	return ""
}

func (g nasty) key() string {
	return g.pick(`"a"`, `"b"`, `"c"`, `"eventName"`, `"\u0061"`, `""`, `"a.b"`, `"\ud800"`, `"ключ"`, `"x y"`, `"q\"z"`, `"d"`, `"eventTime"`)
}

func (g nasty) text() string {
	switch g.r.IntN(10) {
	case 0:
		return g.pick(`"\u0061"`, `"\/"`, `"\n\t\\\""`, `"\ud83d\ude00"`, `"\udc00"`, `"\ud800x"`, `"\ud800\u0041"`, `"日本語"`, `"é"`)
	case 1:
		return fmt.Sprintf(`"%08x-%04x-4%03x-a%03x-%012x"`, g.r.Uint32(), g.r.Uint32()&0xffff, g.r.Uint32()&0xfff, g.r.Uint32()&0xfff, g.r.Uint64()&(1<<48-1))
	case 2:
		return `"` + time.Unix(1.7e9+int64(g.r.IntN(1e6)), 0).UTC().Format(time.RFC3339) + `"`
	case 3:
		return `"` + strings.Repeat(g.pick("x", "yz", "{\\\"", ": ,"), g.r.IntN(30)) + `"`
	case 4:
		return g.pick(`"true"`, `"false"`, `""`, `"12"`, `"null"`)
	}
	return fmt.Sprintf(`"v%d"`, g.r.IntN(40))
}

func (g nasty) value(depth int) string {
	n := g.r.IntN(14)
	if depth <= 0 && n >= 10 {
		n -= 10
	}
	switch {
	case n < 4:
		return g.text()
	case n < 6:
		return g.pick("0", "-0", "1", "12", "1.0", "1e5", "-1.5E+10", "123456789012345678901234567890", "0.1", fmt.Sprint(g.r.IntN(1e9)))
	case n < 8:
		return g.pick("true", "false")
	case n == 8:
		return "null"
	case n == 9:
		return g.pick("{}", "[]", "{ }", "[\n]")
	case n < 12:
		return g.object(depth-1, g.r.IntN(5))
	}
	var b strings.Builder
	b.WriteString("[" + g.space())
	many := g.r.IntN(4)
	if g.r.IntN(20) == 0 {
		many = g.r.IntN(90)
	}
	for i := range many {
		if i > 0 {
			b.WriteString("," + g.space())
		}
		b.WriteString(g.value(depth-1) + g.space())
	}
	b.WriteString("]")
	return b.String()
}

func (g nasty) object(depth, members int) string {
	var b strings.Builder
	b.WriteString("{" + g.space())
	for i := range members {
		if i > 0 {
			b.WriteString(g.space() + "," + g.space())
		}
		b.WriteString(g.key() + g.space() + ":" + g.space() + g.value(depth) + g.space())
	}
	b.WriteString("}")
	return b.String()
}

// regular makes records like those of a log: fixed members, some optional.
func (g nasty) regular(i int) string {
	s := fmt.Sprintf(`{"eventID":"%08x-%04x-4%03x-b%03x-%012x","eventTime":"%s","eventName":"%s","n":%d`,
		g.r.Uint32(), i&0xffff, g.r.Uint32()&0xfff, g.r.Uint32()&0xfff, g.r.Uint64()&(1<<48-1),
		time.Unix(1.7e9+int64(i/3), 0).UTC().Format(time.RFC3339), g.pick("GetObject", "PutObject", "List", "AssumeRole"), g.r.IntN(1<<20))
	if i%3 == 0 {
		s += `,"errorCode":` + g.pick(`"AccessDenied"`, `"NoSuchKey"`, `null`)
	}
	if i%4 != 0 {
		// The owner follows from the ARN, with exceptions; the team too, but not every record has one.
		u := g.r.IntN(300)
		owner := u * 7 % 90
		if g.r.IntN(100) == 0 {
			owner = g.r.IntN(90)
		}
		s += fmt.Sprintf(`,"owner":"o%d","user":{"mfa":"%v"`, owner, i%5 == 0)
		if i%5 < 3 {
			s += fmt.Sprintf(`,"team":"t%d"`, u*11%40)
		}
		s += fmt.Sprintf(`,"arn":"arn:aws:iam::1234:user/u%d","id":"AIDA%016d"}`, u, g.r.IntN(400))
	}
	switch i % 7 {
	case 1:
		bucket, key := fmt.Sprintf("bucket-%d", g.r.IntN(20)), fmt.Sprintf("some/long/path/%d/object-%d.txt", g.r.IntN(100), g.r.IntN(1e6))
		if i%50 == 1 {
			key += `\u00e9`
		}
		s += fmt.Sprintf(`,"params":{"bucketName":"%s","key":"%s"},"resources":[{"ARN":"arn:aws:s3:::%s/%s"},{"ARN":"arn:aws:s3:::%[1]s"}]`, bucket, key, bucket, key)
	case 2:
		s += `,"params":null`
	case 3:
		s += `,"params":{}`
	case 4:
		s += fmt.Sprintf(`,"params":{"ids":["i-%08x","i-%08x"],"dry":%v}`, g.r.Uint32(), g.r.Uint32(), i%2 == 0)
	case 5:
		s += g.assumed(i)
	}
	return s + "}"
}

// assumed are members with values that are made of others, before and behind them.
func (g nasty) assumed(i int) string {
	session := fmt.Sprintf("sess-%010d", g.r.Uint32())
	s := fmt.Sprintf(`,"assumed":{"id":"AROA%016X:%s","arn":"arn:aws:sts::1234:assumed-role/role-%d/%[2]s"}`, g.r.Uint64(), session, g.r.IntN(9))
	if i%11 != 0 { // else it is nowhere
		s += fmt.Sprintf(`,"session":"%s"`, session)
	}
	if i%13 == 0 {
		s += fmt.Sprintf(`,"message":"%s may not %s"`, session, session)
	}
	return s
}

func seal(tb testing.TB, o Options, records [][]byte) *Reader {
	tb.Helper()
	b := NewBuilder(o)
	for i, rec := range records {
		if n, err := b.Add(rec); err != nil || n != len(rec) {
			tb.Fatalf("record %d: took %d of %d bytes: %v\n%s", i, n, len(rec), err, rec)
		}
	}
	e, err := b.Finish()
	if err != nil {
		tb.Fatal(err)
	}
	r, err := Open(context.Background(), blocksOf(e), ReadOptions{Name: "test"})
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

func modelRecords(seed uint64, n int) [][]byte {
	g := nasty{rand.New(rand.NewPCG(seed, 7))}
	var out [][]byte
	for i := range n {
		if i%3 == 0 {
			out = append(out, []byte(g.object(3, g.r.IntN(7))))
		} else {
			out = append(out, []byte(g.regular(i)))
		}
	}
	return out
}

// alikeRecords have some members in every one of them.
func alikeRecords(seed uint64, n int) (out [][]byte) {
	g := nasty{rand.New(rand.NewPCG(seed, 7))}
	for i := range n {
		note := fmt.Sprintf("%x", g.r.Uint64())
		if i%5 == 0 {
			note += `\u00e9\n`
		}
		out = append(out, []byte(fmt.Sprintf(`{"note":"%s","fraction":%d.5,%s`, note, g.r.Uint64(), g.regular(i)[1:])))
	}
	return out
}

func TestAgainstModel(t *testing.T) {
	for _, c := range []struct {
		name string
		o    Options
		n    int
	}{
		{"usual", Options{}, BlockRows + 300},
		{"one block", Options{}, 500},
		{"few columns", Options{MaxColumns: 12}, 400},
		{"few shapes", Options{MaxShapes: 20}, 400},
		{"few elements", Options{MaxElements: 2}, 400},
		{"one record", Options{}, 1},
		{"alike", Options{}, BlockRows + 200},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			records := modelRecords(uint64(c.n), c.n)
			if c.name == "alike" {
				records = alikeRecords(uint64(c.n), c.n)
			}
			r := seal(t, c.o, records)
			checkModel(t, r, records)
			if err := r.Verify(context.Background()); err != nil {
				t.Errorf("verifying: %v", err)
			}
			used := map[string]bool{}
			r.EachColumn(context.Background(), func(c ColumnInfo) error {
				used[c.Encoding] = true
				return nil
			})
			if c.name == "usual" && (!used["built"] || !used["filled"] || !used["derived"] || !used["plain"] || !used["dictionary"] || !used["tiny"]) {
				t.Errorf("only these encodings were tested: %v", used)
			}
		})
	}
}

func checkModel(t *testing.T, r *Reader, records [][]byte) {
	ctx := context.Background()
	rng := rand.New(rand.NewPCG(1, uint64(len(records))))
	n := 0
	err := r.Records(ctx, Range(0, len(records)), func(row int, rec []byte) error {
		if row != n || !bytes.Equal(rec, records[row]) {
			return fmt.Errorf("record %d\n%s\ncame back as %d\n%s", n, records[n], row, rec)
		}
		n++
		return nil
	})
	if err != nil || n != len(records) {
		t.Fatalf("%d records: %v", n, err)
	}
	for range 100 {
		row := rng.IntN(len(records))
		rec, err := r.Record(ctx, row, []byte("x"))
		if err != nil || string(rec) != "x"+string(records[row]) {
			t.Fatalf("record %d: %v\n%s\n%s", row, err, records[row], rec)
		}
	}
	paths := map[string][]string{}
	for _, rec := range records {
		modelPaths(rec, nil, func(p []string) { paths[fmt.Sprintf("%q", p)] = slices.Clone(p) })
	}
	paths["absent"] = []string{"no", "such", "path"}
	paths["inside"] = []string{"eventName", "deeper"}
	names := slices.Sorted(maps.Keys(paths))
	if most := 25 + 30_000/len(records); len(names) > most { // the top ones, and some of the others
		slices.SortFunc(names, func(a, b string) int { return len(paths[a]) - len(paths[b]) })
		for i := range names[20:] {
			j := i + rng.IntN(len(names)-20-i)
			names[20+i], names[20+j] = names[20+j], names[20+i]
		}
		names = names[:most]
	}
	for _, name := range names {
		checkPath(t, r, records, paths[name], rng)
		if t.Failed() {
			return
		}
	}
}

func checkPath(t *testing.T, r *Reader, records [][]byte, path []string, rng *rand.Rand) {
	t.Helper()
	ctx := context.Background()
	p, ok, err := r.Lookup(ctx, path)
	if err != nil {
		t.Fatal(err)
	}
	want := make([]json.RawMessage, len(records))
	any := false
	for i, rec := range records {
		want[i] = modelGet(rec, path)
		any = any || want[i] != nil
	}
	if !ok {
		if any {
			t.Errorf("%q is not found", path)
		}
		return
	}
	var list []uint32
	for row := range records {
		if rng.IntN(20) == 0 {
			list = append(list, uint32(row))
		}
	}
	from := rng.IntN(len(records))
	to := from + rng.IntN(len(records)-from+1)
	for _, sel := range []Selection{Range(0, len(records)), Range(from, to), List(list), List([]uint32{uint32(from)})} {
		checkSelection(t, r, p, path, sel, want)
		if t.Failed() {
			return
		}
	}
	present, err := r.Present(ctx, p)
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range want {
		if present.Get(i) != (modelKind(v) > Null) {
			t.Errorf("%q row %d: present is %v, value %s", path, i, present.Get(i), v)
			return
		}
	}
	checkDictionary(t, r, p, path, want)
	keys := map[string]bool{}
	for _, v := range want {
		if modelKind(v) == Object {
			for _, m := range modelMembers(v) {
				keys[m.key] = true
			}
		}
	}
	children, err := r.Children(ctx, p)
	if err != nil {
		t.Fatal(err)
	}
	for k := range keys { // a hidden first value may give more
		if !slices.Contains(children, k) {
			t.Errorf("%q: child %q is missing in %q", path, k, children)
		}
	}
}

func checkSelection(t *testing.T, r *Reader, p PathID, path []string, sel Selection, want []json.RawMessage) {
	t.Helper()
	ctx := context.Background()
	fail := func(what string, i int, got any) {
		t.Helper()
		t.Errorf("%q row %d: %s gave %v, value is %s", path, sel.row(i), what, got, want[sel.row(i)])
	}
	text, err := r.Text(ctx, p, sel)
	if err != nil {
		t.Fatalf("%q: %v", path, err)
	}
	raw, err := r.Raw(ctx, p, sel)
	if err != nil {
		t.Fatalf("%q: %v", path, err)
	}
	kinds, err := r.Kinds(ctx, p, sel, nil)
	if err != nil {
		t.Fatalf("%q: %v", path, err)
	}
	bools, err := r.Bools(ctx, p, sel)
	if err != nil {
		t.Fatalf("%q: %v", path, err)
	}
	times, err := r.Timestamps(ctx, p, sel, func(s string) (int64, bool) { return int64(len(s)), strings.HasPrefix(s, "v") })
	if err != nil {
		t.Fatalf("%q: %v", path, err)
	}
	objects, err := r.Map(ctx, p, sel)
	if err != nil {
		t.Fatalf("%q: %v", path, err)
	}
	if text.Len != sel.Len() || raw.Len != sel.Len() || len(kinds) != sel.Len() || bools.Len != sel.Len() || times.Len != sel.Len() || objects.Len != sel.Len() {
		t.Fatalf("%q: wrong number of values for %d rows", path, sel.Len())
	}
	for i := range sel.Len() {
		v := want[sel.row(i)]
		wantText, some := modelText(v)
		if got, ok := str(text, i); ok != some || got != wantText {
			fail("Text", i, got)
			return
		}
		if got, ok := str(raw, i); ok != (v != nil) || got != string(v) {
			fail("Raw", i, got)
			return
		}
		if kinds[i] != modelKind(v) {
			fail("Kinds", i, kinds[i])
			return
		}
		if got := bools.IsNull(i); got == (wantText == "true" || wantText == "false") || !got && (bools.I64[i] == 1) != (wantText == "true") {
			fail("Bools", i, got)
			return
		}
		wantMicros, isTime := int64(0), false
		if tm, err := time.Parse("2006-01-02T15:04:05Z", wantText); some && err == nil {
			wantMicros, isTime = tm.UnixMicro(), true
		} else if some && strings.HasPrefix(wantText, "v") {
			wantMicros, isTime = int64(len(wantText)), true
		}
		if got := times.IsNull(i); got == isTime || !got && times.I64[i] != wantMicros {
			fail("Timestamps", i, times.I64[i])
			return
		}
		if objects.IsNull(i) != (modelKind(v) != Object) {
			fail("Map", i, objects.IsNull(i))
			return
		}
		if modelKind(v) != Object {
			continue
		}
		members := modelLast(modelMembers(v))
		at := int(objects.Offsets[i])
		if int(objects.Offsets[i+1])-at != len(members) {
			fail("Map", i, objects.Children[0].Str[at:objects.Offsets[i+1]])
			return
		}
		for k, m := range members {
			wantText, some := modelText(m.value)
			got, ok := str(objects.Children[1], at+k)
			if objects.Children[0].Str[at+k] != m.key || ok != some || got != wantText {
				fail("Map member "+m.key, i, got)
				return
			}
		}
	}
}

func checkDictionary(t *testing.T, r *Reader, p PathID, path []string, want []json.RawMessage) {
	t.Helper()
	ctx := context.Background()
	dict, ok, err := r.Dict(ctx, p)
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]int64{}
	nulls := int64(0)
	for _, v := range want {
		if s, ok := modelText(v); ok {
			counts[s]++
		} else {
			nulls++
		}
	}
	cdict, n, counted, err := r.Counts(ctx, p)
	if err != nil {
		t.Fatal(err)
	}
	_, _, findable, err := r.Find(ctx, p, "v1")
	if err != nil || findable != ok || counted && !ok {
		t.Fatalf("%q: dictionary %v, counts %v, find %v: %v", path, ok, counted, findable, err)
	}
	if !ok {
		return
	}
	if dict.Len != len(counts)+1 || !dict.IsNull(dict.Len-1) {
		t.Fatalf("%q: dictionary of %d, model has %d", path, dict.Len, len(counts))
	}
	if counted && (cdict != dict || n[dict.Len-1] != nulls) {
		t.Errorf("%q: %d nulls counted, there are %d", path, n[dict.Len-1], nulls)
	}
	for i, s := range dict.Str[:dict.Len-1] {
		if counted && n[i] != counts[s] {
			t.Errorf("%q: %q counted %d times, occurs %d times", path, s, n[i], counts[s])
		}
		if code, found, _, err := r.Find(ctx, p, s); err != nil || !found || int(code) != i {
			t.Errorf("%q: found %q at %d (%v), it is %d: %v", path, s, code, found, i, err)
		}
	}
	for _, s := range []string{"no such value", "", "\xff", "v"} {
		if _, found, _, err := r.Find(ctx, p, s); err != nil || found != (counts[s] > 0) {
			t.Errorf("%q: finding %q gave %v, %v", path, s, found, err)
		}
	}
}

func str(v *column.Vector, i int) (string, bool) {
	if v.IsNull(i) {
		return "", false
	}
	l, k := v.Leaf(i)
	return l.Str[k], true
}
