package logfile

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/klauspost/compress/zstd"

	"github.com/cairndb/cairn/engine/event"
)

// rec returns a small but acceptable record.
func rec(n int) string {
	return fmt.Sprintf(`{"eventVersion":"1.11","eventTime":"2026-01-02T03:04:%02dZ","eventSource":"s3.amazonaws.com","eventName":"Op%d","eventID":"id-%d","requestParameters":{"list":[{"k":"v, {x}"},{"k":"]"}],"t":"a\"b\\"}}`, n%60, n, n)
}

func wrap(recs ...string) string { return `{"Records":[` + strings.Join(recs, ",") + `]}` }

func gz(t testing.TB, s string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	io.WriteString(z, s)
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func zst(t testing.TB, s string) string {
	t.Helper()
	e, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return string(e.EncodeAll([]byte(s), nil))
}

// outcome is what a walk over one file gave.
type outcome struct {
	records []string
	offsets []int64
	refused []string // records that scan as JSON but are no events
	rejects []*Reject
}

// read walks over a file as an import does.
func read(t testing.TB, r io.Reader, limits Limits) outcome {
	t.Helper()
	var out outcome
	c := Open(r, limits)
	defer c.Close()
	var ev event.Event
	for range 1 << 20 {
		buf, offset, err := c.Next()
		if err == io.EOF {
			return out
		}
		var bad *Reject
		if errors.As(err, &bad) {
			out.rejects = append(out.rejects, bad)
			continue
		}
		if err != nil {
			t.Fatalf("Next returned %T, want *Reject", err)
		}
		n, err := event.Scan(buf, &ev)
		switch {
		case err == nil:
			out.records = append(out.records, string(buf[:n]))
			out.offsets = append(out.offsets, offset)
			c.Advance(n)
		case n > 0:
			out.refused = append(out.refused, err.Error())
			c.Advance(n)
		default:
			bad := c.Skip()
			bad.Err = err
			out.rejects = append(out.rejects, bad)
		}
	}
	t.Fatal("the cursor does not come to an end")
	return out
}

func (o outcome) reasons() string {
	var s []string
	for _, r := range o.rejects {
		s = append(s, string(r.Reason))
	}
	return strings.Join(s, ", ")
}

func TestForms(t *testing.T) {
	a, b, c := rec(1), rec(2), rec(3)
	want := []string{a, b, c}
	pretty := "[\n  " + a + ",\n  " + b + ",\n  " + c + "\n]\n"
	for _, test := range []struct{ name, content string }{
		{"wrapper", wrap(a, b, c)},
		{"wrapper with blanks", " {\n \"Records\" : [ " + a + " , " + b + "\n,\n" + c + " ] \n } \n"},
		{"wrapper with other members", `{"note":"x","n":[],"Records":[` + a + "," + b + `],"token":null,"more":[` + c + `]}`},
		{"any name", `{"Stuff":[` + a + "," + b + "," + c + `]}`},
		{"wrappers in a row", wrap(a) + wrap(b) + "\n" + wrap(c)},
		{"array", "[" + a + "," + b + "," + c + "]"},
		{"pretty array", pretty},
		{"arrays in a row", "[" + a + "][" + b + "," + c + "]"},
		{"lines", a + "\n" + b + "\n" + c + "\n"},
		{"lines without the last newline", a + "\n" + b + "\n" + c},
		{"lines with CRLF, blank lines, byte order mark", "\ufeff" + a + "\r\n\r\n" + b + "\r\n" + c + "\r\n"},
		{"values in a row", a + b + " " + c},
		{"lines of arrays", a + "\n[" + b + "]\n[]\n[" + c + "]\n"},
		{"lines of wrappers", wrap(a) + "\n" + wrap(b, c) + "\n"},
		{"record that begins with a list", strings.Join([]string{a, b, c}, "\n")},
	} {
		for _, pack := range []struct {
			name string
			pack func(testing.TB, string) string
		}{
			{"plain", func(_ testing.TB, s string) string { return s }},
			{"gzip", gz},
			{"gzip members", func(t testing.TB, s string) string {
				return gz(t, s[:len(s)/3]) + gz(t, s[len(s)/3:len(s)/2]) + gz(t, "") + gz(t, s[len(s)/2:])
			}},
			{"zstd", zst},
			{"zstd frames", func(t testing.TB, s string) string {
				return zst(t, s[:len(s)/3]) + "\x51\x2a\x4d\x18\x02\x00\x00\x00hi" + zst(t, s[len(s)/3:])
			}},
		} {
			t.Run(test.name+"/"+pack.name, func(t *testing.T) {
				packed := pack.pack(t, test.content)
				for _, r := range []io.Reader{strings.NewReader(packed), iotest.OneByteReader(strings.NewReader(packed)), iotest.DataErrReader(strings.NewReader(packed))} {
					out := read(t, r, Limits{})
					if strings.Join(out.records, "\n") != strings.Join(want, "\n") || len(out.rejects) > 0 || len(out.refused) > 0 {
						t.Fatalf("records %q\nrejects %v\nrefused %v", out.records, out.rejects, out.refused)
					}
					for i, at := range out.offsets {
						if !strings.HasPrefix(test.content[at:], want[i]) {
							t.Errorf("record %d is not at offset %d", i, at)
						}
					}
				}
			})
		}
	}
}

func TestBareRecord(t *testing.T) {
	for _, content := range []string{
		rec(1),
		"{\n  \"eventVersion\": \"1.0\",\n  \"eventTime\": \"2026-01-02T03:04:05Z\",\n  \"eventSource\": \"a\",\n  \"eventName\": \"b\"\n}\n",
		`{"resources":[{"ARN":"x"}],` + rec(1)[1:],
		`{"resources":[],` + rec(1)[1:],
	} {
		out := read(t, strings.NewReader(content), Limits{})
		if len(out.records) != 1 || out.records[0] != strings.TrimSpace(content) || len(out.rejects) > 0 {
			t.Errorf("%q: %q %v", content, out.records, out.rejects)
		}
		two := content + "\n" + content
		if out := read(t, strings.NewReader(two), Limits{}); len(out.records) != 2 || len(out.rejects) > 0 {
			t.Errorf("twice %q: %q %v", content, out.records, out.rejects)
		}
	}
}

func TestLookupEventsAnswer(t *testing.T) {
	item := func(r string) string {
		return fmt.Sprintf(`{"EventId":"x","EventTime":1700000000.0,"Resources":[{"ResourceType":"t"}],"CloudTrailEvent":%q}`, r)
	}
	content := `{"Events":[` + item(rec(1)) + `,{"EventId":"none"},` + item(rec(2)) + `,` + item(`{"broken`) + `,` + item(rec(3)+" x") + `],"NextToken":"t"}`
	out := read(t, strings.NewReader(content), Limits{})
	if len(out.records) != 3 || out.records[0] != rec(1) || out.records[1] != rec(2) || out.records[2] != rec(3) {
		t.Errorf("records %q", out.records)
	}
	if len(out.refused) != 1 || out.reasons() != "malformed record, text between records" {
		t.Errorf("refused %q, rejects %v", out.refused, out.rejects)
	}
	if want := int64(strings.LastIndex(content[:strings.Index(content, "Op2")], `{"EventId"`)); out.offsets[1] != want {
		t.Errorf("offset %d, want %d", out.offsets[1], want)
	}
}

// A malformed record must not hide its neighbours, in any form of file.
func TestMalformedRecord(t *testing.T) {
	good := rec(7)
	for _, test := range []struct{ name, bad string }{
		{"missing comma", strings.Replace(good, `","eventSource`, `" "eventSource`, 1)},
		{"trailing comma", good[:len(good)-1] + ",}"},
		{"missing quote at the end of a value", strings.Replace(good, `s3.amazonaws.com"`, `s3.amazonaws.com`, 1)},
		{"missing quote at the start of a value", strings.Replace(good, `"s3.amazonaws.com"`, `s3.amazonaws.com"`, 1)},
		{"missing quote of a name", strings.Replace(good, `"eventSource"`, `"eventSource`, 1)},
		{"quote inside a value", strings.Replace(good, `Op7`, `Op"7`, 1)},
		{"missing brace at the end", good[:len(good)-1]},
		{"missing brace inside", strings.Replace(good, `"t":"a`, `"z":{"t":"a`, 1)},
		{"missing bracket", strings.Replace(good, `{"k":"]"}]`, `{"k":"]"}`, 1)},
		{"bare word", strings.Replace(good, `"Op7"`, `Op7`, 1)},
		{"NaN", strings.Replace(good, `"Op7"`, `NaN`, 1)},
		{"single quotes", strings.Replace(good, `"Op7"`, `'Op7'`, 1)},
		{"control character", strings.Replace(good, `Op7`, "Op\x017", 1)},
		{"line break in a string", strings.Replace(good, `Op7`, "Op\r\n7", 1)},
		{"bad escape", strings.Replace(good, `Op7`, `Op\x7`, 1)},
		{"bad UTF-8", strings.Replace(good, `Op7`, "Op\xff7", 1)},
		{"cut off in a string", good[:strings.Index(good, "amazonaws")]},
		{"cut off in an object", good[:strings.Index(good, `"t":`)]},
		{"ellipsis", strings.Replace(good, `"Op7"`, `...`, 1)},
		{"a brace too many", good + "}"},
		{"a bracket too many", strings.Replace(good, `{"k":"]"}]`, `{"k":"]"}]]`, 1)},
		{"brackets swapped", strings.Replace(good, `{"k":"]"}]`, `{"k":"]"]}`, 1)},
		{"text after it", good + " etc."},
		{"a brace missing at the start", good[1:]},
		{"deep", strings.Replace(good, `"Op7"`, strings.Repeat(`{"a":[`, 200)+strings.Repeat(`]}`, 200), 1)},
		{"depth bomb", strings.Replace(good, `"Op7"`, strings.Repeat(`[`, 100_000), 1)},
	} {
		a, b := rec(1), rec(2)
		multiline := strings.Contains(test.bad, "\n")
		for form, content := range map[string]string{
			"wrapper":        wrap(a, test.bad, b),
			"pretty wrapper": "{\n\t\"Records\": [\n\t\t" + a + ",\n\t\t" + test.bad + ",\n\t\t" + b + "\n\t]\n}",
			"wrapper, first": wrap(test.bad, a, b),
			"wrapper, twice": wrap(a, test.bad, test.bad, b),
			"array":          "[" + a + "," + test.bad + "," + b + "]",
			"lines":          a + "\n" + test.bad + "\n" + b + "\n",
			"lines, first":   test.bad + "\n" + a + "\n" + b + "\n",
			"wrapper, last":  wrap(a, b, test.bad) + "\n" + wrap(a, b),
		} {
			if form == "lines" && multiline {
				continue
			}
			out := read(t, iotest.OneByteReader(strings.NewReader(content)), Limits{})
			got := strings.Join(out.records, "\n")
			want := a + "\n" + b
			if form == "wrapper, last" {
				// The closing brackets of a file may go with the record; what
				// follows must not.
				want = want + "\n" + want
			}
			if strings.HasPrefix(test.bad, good) {
				// The record itself is well-formed; it is what follows that is not.
				got = strings.ReplaceAll(got, good+"\n", "")
				got = strings.ReplaceAll(got, "\n"+good, "")
			}
			if got != want {
				t.Errorf("%s, %s: records %q\nrejects %v", test.name, form, out.records, out.rejects)
			}
			if len(out.rejects) == 0 {
				t.Errorf("%s, %s: nothing rejected", test.name, form)
			}
			if !strings.HasPrefix(form, "wrapper, ") && len(out.rejects)+len(out.refused) > 4 {
				t.Errorf("%s, %s: %d rejects: %v", test.name, form, len(out.rejects), out.rejects)
			}
		}
	}
}

func TestNotRecords(t *testing.T) {
	a, b := rec(1), rec(2)
	for _, test := range []struct{ name, content, reasons string }{
		{"empty", "", "empty file"},
		{"blank", " \n\n ", "empty file"},
		{"gzip of nothing", gz(t, ""), "empty file"},
		{"text", "# Readme\n\nSome text, {\"a\":1}\n{\"b\":2}\n", "not JSON"},
		{"text in brackets", "[INFO] started\n[INFO] stopped\n", "not JSON"},
		{"text with a date in brackets", "[2026-01-02 03:04:05] started\n", "not JSON"},
		{"binary", "\x7fELF\x02\x01\x01\x00\x00", "not JSON"},
		{"zeros", strings.Repeat("\x00", 5000), "not JSON"},
		{"gzip in gzip", gz(t, gz(t, wrap(a))), "not JSON"},
		{"a string", `"text"`, "not a record"},
		{"a number", "12\n", "not a record"},
		{"csv", "a,b,c\n1,2,3\n", "not JSON"},
		{"wrapper that is not closed", wrap(a, b)[:len(wrap(a, b))-2], "file ends early"},
		{"wrapper that is not closed 2", wrap(a, b)[:len(wrap(a, b))-1], "file ends early"},
		{"numbers in an array", "[1,2,3]", "not a record"},
		{"null among records", wrap(a, "null", b), "not a record"},
		{"elements that are no objects", wrap(a, "1", `"x"`, "[{}]", b), "not a record"},
		{"text after", wrap(a, b) + "\nbye", "text between records"},
		{"text between lines", a + "\nhello {there}\n" + b, "text between records"},
		{"log text between lines", a + "\n[INFO] hello {there}\n[1,2]\n" + b, "text between records, not a record"},
		{"text before lines", "hello\n" + a + "\n" + b, "text between records"},
		{"scalar lines", a + "\n12\n\"x\"\n" + b, "not a record, not a record"},
		{"text between elements", wrap(a+" x", b), "text between records"},
		{"object in the wrapper", `{"Records":[` + a + "," + b + `],"Meta":{"a":1}}`, "not a record"},
		{"wrapper closed too early", `{"Records":[` + a + "," + b + "}", "text between records"},
	} {
		out := read(t, strings.NewReader(test.content), Limits{})
		if out.reasons() != test.reasons {
			t.Errorf("%s: %v, want %s", test.name, out.rejects, test.reasons)
		}
		wantRecords := strings.Contains(test.content, `"Op1"`) && strings.Contains(test.content, `"Op2"`)
		if got := len(out.records) == 2; got != wantRecords {
			t.Errorf("%s: records %q", test.name, out.records)
		}
	}
}

func TestDamagedCompression(t *testing.T) {
	var recs []string
	for i := range 2000 {
		recs = append(recs, rec(i))
	}
	content := wrap(recs...)
	packed := gz(t, content)
	zpacked := zst(t, content)
	flip := func(s string, at int) string {
		b := []byte(s)
		b[at] ^= 0x55
		return string(b)
	}
	for _, test := range []struct {
		name, packed string
		reason       Reason
		some         int // at least so many records are kept
	}{
		{"gzip cut in the middle", packed[:len(packed)*3/4], TruncatedGzip, 1000},
		{"gzip cut in the trailer", packed[:len(packed)-3], TruncatedGzip, 2000},
		{"gzip cut in the header", packed[:5], TruncatedGzip, 0},
		{"gzip checksum", flip(packed, len(packed)-6), DamagedGzip, 2000},
		{"gzip length", flip(packed, len(packed)-2), DamagedGzip, 2000},
		{"gzip with text after it", packed + "and more, even more", DamagedGzip, 2000},
		{"zstd cut", zpacked[:len(zpacked)-10], TruncatedZstd, 0},
		{"zstd checksum", flip(zpacked, len(zpacked)-2), DamagedZstd, 0},
	} {
		out := read(t, strings.NewReader(test.packed), Limits{})
		last := out.rejects[len(out.rejects)-1]
		if last.Reason != test.reason {
			t.Errorf("%s: %v", test.name, out.rejects)
		}
		if len(out.records) < test.some {
			t.Errorf("%s: %d records", test.name, len(out.records))
		}
		for i, r := range out.records {
			if r != recs[i] {
				t.Errorf("%s: record %d is %q", test.name, i, r)
				break
			}
		}
		if test.some > 0 && last.Offset == 0 {
			t.Errorf("%s: no place: %v", test.name, last)
		}
	}
}

func TestReadError(t *testing.T) {
	content := wrap(rec(1), rec(2))
	cause := errors.New("the disk says no")
	for _, packed := range []string{content, gz(t, content), zst(t, content)} {
		r := io.MultiReader(strings.NewReader(packed[:len(packed)-5]), iotest.ErrReader(cause))
		out := read(t, r, Limits{})
		last := out.rejects[len(out.rejects)-1]
		if last.Reason != Unreadable || !errors.Is(last, cause) {
			t.Errorf("got %v", out.rejects)
		}
	}
}

// blob yields head, then n times fill, then tail, without holding it.
func blob(head string, n int64, fill byte, tail string) io.Reader {
	return io.MultiReader(strings.NewReader(head), io.LimitReader(constant(fill), n), strings.NewReader(tail))
}

type constant byte

func (c constant) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(c)
	}
	return len(p), nil
}

func TestHugeRecord(t *testing.T) {
	for i, test := range []struct{ name, head, tail string }{
		{"line", rec(1) + "\n" + `{"eventVersion":"`, `"}` + "\n" + rec(2) + "\n"},
		{"first line", `{"eventVersion":"`, `"}` + "\n" + rec(1) + "\n" + rec(2) + "\n"},
		{"unclosed first line", `{"eventVersion":"`, "\n" + rec(1) + "\n" + rec(2) + "\n"},
		{"element", `{"Records":[` + rec(1) + `,{"eventVersion":"`, `"},` + rec(2) + "]}"},
		{"element with a number", `{"Records":[` + rec(1) + `,{"eventVersion":1`, `},` + rec(2) + "]}"},
	} {
		n := int64(20 << 20)
		if i == 0 {
			n = 300 << 20
		}
		out := read(t, blob(test.head, n, '9', test.tail), Limits{})
		if len(out.records) != 2 || out.records[1] != rec(2) || len(out.rejects) != 1 {
			t.Errorf("%s: %d records, %v", test.name, len(out.records), out.rejects)
			continue
		}
		bad := out.rejects[0]
		var refusal *event.Refusal
		if !errors.As(bad, &refusal) || refusal.Reason != event.TooLarge || bad.Length < n {
			t.Errorf("%s: %v", test.name, bad)
		}
	}
}

func TestBomb(t *testing.T) {
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if _, err := io.Copy(z, blob(`{"Records":[`+rec(1)+`,`+rec(2)+`,`, 90<<20, ' ', `{}]}`)); err != nil {
		t.Fatal(err)
	}
	z.Close()
	out := read(t, bytes.NewReader(packed.Bytes()), Limits{})
	if len(out.records) != 2 || out.reasons() != string(TooMuchData) {
		t.Errorf("%d records, %v", len(out.records), out.rejects)
	}
	if at := out.rejects[0].Offset; at < RatioFreeBytes || at > RatioFreeBytes+32<<20 {
		t.Errorf("stopped at %d", at)
	}
	// The limit on the whole.
	out = read(t, strings.NewReader(gz(t, wrap(rec(1), rec(2), rec(3)))), Limits{DecompressedBytes: 100})
	if out.rejects[len(out.rejects)-1].Reason != TooMuchData {
		t.Errorf("%v", out.rejects)
	}
	out = read(t, strings.NewReader(wrap(rec(1), rec(2), rec(3))), Limits{DecompressedBytes: 100})
	if len(out.records) != 3 || len(out.rejects) != 0 {
		t.Errorf("plain: %d records, %v", len(out.records), out.rejects)
	}
}
