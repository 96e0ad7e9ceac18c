package logfile

import (
	"bytes"
	"fmt"
	"io"
	"testing"
	"testing/iotest"

	"github.com/cairndb/cairn/engine/event"
)

// account walks over content and checks that every byte of it is passed exactly
// once, as record, rejected range or envelope. It returns what was found, for
// comparison.
func account(t *testing.T, r io.Reader, total int64, limits Limits) string {
	t.Helper()
	var story bytes.Buffer
	c := Open(r, limits)
	defer c.Close()
	var ev event.Event
	end := int64(0)
	took := func(what string, offset, length int64) {
		fmt.Fprintln(&story, what, offset, length)
		if length > 0 && offset < end {
			t.Fatalf("%s at %d is before %d, where the last one ended\n%s", what, offset, end, &story)
		}
		end = max(end, offset+length)
	}
	passed := int64(0)
	for steps := int64(0); ; steps++ {
		if steps > 4*total+16 {
			t.Fatalf("no end\n%s", &story)
		}
		buf, offset, err := c.Next()
		if err == io.EOF {
			break
		}
		if bad, ok := err.(*Reject); ok {
			took(string(bad.Reason), bad.Offset, bad.Length)
			passed += bad.Length
			if bad.ToEnd {
				return story.String()
			}
			continue
		}
		if buf[0] != '{' {
			t.Fatalf("record starts with %q", buf[0])
		}
		n, _ := event.Scan(buf, &ev)
		if n > 0 {
			_, before := c.Progress()
			c.Advance(n)
			_, after := c.Progress()
			took("record", offset, after-before)
			passed += after - before
			continue
		}
		bad := c.Skip()
		if bad.Offset != offset || bad.Length <= 0 {
			t.Fatalf("skipped %v at a record at %d", bad, offset)
		}
		took("skipped", bad.Offset, bad.Length)
		passed += bad.Length
	}
	if passed+c.envelope != total {
		t.Fatalf("%d bytes of records and rejects and %d of envelope make not %d\n%s", passed, c.envelope, total, &story)
	}
	return story.String()
}

func FuzzCursor(f *testing.F) {
	a, b := rec(1), rec(2)
	for _, s := range []string{
		wrap(a, b), "[" + a + "," + b + "]", a + "\n" + b + "\n", a + b, "\ufeff" + a,
		`{"x":1,"Records":[` + a + `],"y":{"z":1}}`, "[1,2," + a + ",[3],null]",
		a + "\n" + `{"a":"` + "\n" + b, wrap(a, `{"a":{"b":1,`, b), "text\n" + a, "# text", "",
		`{"Events":[{"CloudTrailEvent":"{\"eventVersion\":1}"},{"CloudTrailEvent":"x"}]}`,
		wrap(a)[:40], wrap(a) + "}" + wrap(b), `{"Records":[` + a + `}` + wrap(b), `[{"a":1}{"b":2}]`,
		`{"Records":[{"eventVersion":"1},{"eventVersion":"2"}]}{"Records":[]}`, "[[[{{{", `{"":[{}`, "{}\r\n{}\r\n[",
		`{"Records":[]"":`, a + "}" + b, "[" + a + "}," + b + "]", a + "\n[INFO]\n" + b,
	} {
		f.Add([]byte(s), uint16(0))
		f.Add([]byte(s), uint16(30))
	}
	f.Fuzz(func(t *testing.T, content []byte, recordBytes uint16) {
		if len(content) > 2 && content[0] == 0x1f && content[1] == 0x8b || isZstd(content) {
			return // its content is not what is counted here; see FuzzPacked
		}
		limits := Limits{RecordBytes: int(recordBytes)}
		if recordBytes == 0 {
			limits.RecordBytes = 1 << 16
		}
		total := int64(len(content))
		one := account(t, bytes.NewReader(content), total, limits)
		two := account(t, iotest.OneByteReader(bytes.NewReader(content)), total, limits)
		if one != two {
			t.Errorf("in one piece:\n%s\nbyte by byte:\n%s", one, two)
		}
	})
}

// FuzzPacked feeds anything to the decompressors.
func FuzzPacked(f *testing.F) {
	f.Add([]byte(gz(f, wrap(rec(1)))))
	f.Add([]byte(zst(f, wrap(rec(1)))))
	f.Add([]byte(gz(f, "") + gz(f, "x")))
	f.Fuzz(func(t *testing.T, packed []byte) {
		read(t, bytes.NewReader(packed), Limits{RecordBytes: 1 << 12, DecompressedBytes: 1 << 22})
	})
}

func FuzzTimeOf(f *testing.F) {
	f.Add("a/b/123456789012_CloudTrail_us-east-1_20230710T1145Z_x.json.gz")
	f.Add("x/2023/07/10/09/f")
	f.Fuzz(func(t *testing.T, path string) {
		if at, ok := TimeOf(path); ok {
			if back, ok := event.ParseTime(event.FormatTime(at)); !ok || back != at {
				t.Errorf("%q gives %d", path, at)
			}
		}
	})
}
