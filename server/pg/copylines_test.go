package pg

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Lines of JSON come in as they are, whether they stand so in the file or as COPY's text
// format writes them, and also where the first of them could be either.
func TestCopyTellsJSONLinesFromText(t *testing.T) {
	plain := []string{`{"a":"C:\\temp"}`, `{"b":1}`, `{"c":"tab\\t"}`, `{"d":"say \"yes\""}`, `{"e":"x\\ny"}`}
	escape := strings.NewReplacer(`\`, `\\`)
	read := func(lines []string) (out []string, form lineForm) {
		t.Helper()
		o := &copyOptions{}
		if err := o.fill(nil, nil, nil, nil); err != nil {
			t.Fatal(err)
		}
		r := newRowReader(o, 1<<20).(*lineRows)
		add := func(b []byte) error { out = append(out, string(b)); return nil }
		if err := r.take([]byte(strings.Join(lines, "\n")+"\n"), add); err != nil {
			t.Fatal(err)
		}
		if err := r.end(add); err != nil {
			t.Fatal(err)
		}
		return out, r.form
	}
	var escaped []string
	for _, l := range plain {
		escaped = append(escaped, escape.Replace(l))
	}
	for _, c := range []struct {
		name     string
		in, want []string
		form     lineForm
	}{
		{"plain", plain, plain, formPlain},
		{"escaped", escaped, plain, formEscaped},
		{"nothing tells", plain[:3], []string{`{"a":"C:\temp"}`, `{"b":1}`, `{"c":"tab\t"}`}, formAssumed},
		{"no backslash", plain[1:2], plain[1:2], formUnknown},
		{"no JSON", []string{`x\\y`, `{"b":1}`}, []string{`x\y`, `{"b":1}`}, formUnknown},
		{"no JSON between", []string{plain[0], `x\\y`, plain[3]}, []string{plain[0], `x\\y`, plain[3]}, formPlain},
	} {
		if got, form := read(c.in); !slices.Equal(got, c.want) || form != c.form {
			t.Errorf("%s: got %q, form %d; want %q, form %d", c.name, got, form, c.want, c.form)
		}
	}
	// Not for ever: more than a megabyte of lines that do not tell are taken for the text format.
	many := slices.Repeat([]string{`{"a":"` + strings.Repeat("x", 1000) + `\\temp"}`}, 2000)
	if got, form := read(append(many, plain[3])); form != formAssumed || len(got) != 2001 || !strings.HasSuffix(got[0], `x\temp"}`) {
		t.Errorf("form %d, %d lines", form, len(got))
	}
}

// The notice tells which form was taken when it was not plain to see.
func TestCopySaysWhichFormItTook(t *testing.T) {
	f := newFixture(t, 0, nil)
	var notices []*pgconn.Notice
	cfg, err := pgx.ParseConfig(f.dsn(""))
	if err != nil {
		t.Fatal(err)
	}
	cfg.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) { notices = append(notices, n) }
	c, err := pgx.ConnectConfig(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(context.Background())
	for i, x := range []struct{ value, hint string }{{`plain`, ""}, {`say \"yes\"`, "plain JSON lines"}, {`C:\\temp`, "taken for COPY's escapes"}} {
		notices = nil
		line := strings.Replace(string(record(i)), `"userName":"user`, fmt.Sprintf(`"userName":"%s`, x.value), 1) + "\n"
		if tag, err := c.PgConn().CopyFrom(context.Background(), bytes.NewReader([]byte(line)), "COPY events FROM STDIN"); err != nil || tag.RowsAffected() != 1 {
			t.Fatal(tag, err)
		}
		if x.hint == "" && len(notices) > 0 || x.hint != "" && (len(notices) != 1 || !strings.Contains(notices[0].Hint, x.hint)) {
			t.Errorf("%s: %+v", line, notices)
		}
	}
}

// TestCopyOutBinaryMessages: the header of the binary format comes in one message with the
// first row, or with the end where there is none, as PostgreSQL sends it.
func TestCopyOutBinaryMessages(t *testing.T) {
	f := newFixture(t, 3, nil)
	c := f.connect(t)
	for text, want := range map[string]int{"SELECT eventID FROM events": 4, "SELECT eventID FROM events WHERE false": 1} {
		var out messages
		if _, err := c.PgConn().CopyTo(context.Background(), &out, "COPY ("+text+") TO STDOUT (FORMAT binary)"); err != nil {
			t.Fatal(err)
		}
		if len(out) != want || !strings.HasPrefix(out[0], "PGCOPY\n\xff\r\n\x00") || len(out[0]) < 19+2 || !strings.HasSuffix(out[len(out)-1], "\xff\xff") {
			t.Errorf("%s: %q", text, out)
		}
	}
}

// messages keeps what is written, one message at a time.
type messages []string

func (m *messages) Write(b []byte) (int, error) {
	*m = append(*m, string(b))
	return len(b), nil
}
