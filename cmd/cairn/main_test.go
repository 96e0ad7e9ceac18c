package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cairndb/cairn/engine"
)

// cairn runs the program in this process.
func cairn(t *testing.T, in string, args ...string) (out, errOut string, status int) {
	t.Helper()
	var o, e bytes.Buffer
	status = run(context.Background(), args, strings.NewReader(in), &o, &e)
	return o.String(), e.String(), status
}

// must runs the program and fails the test unless it ends well.
func must(t *testing.T, args ...string) string {
	t.Helper()
	out, errOut, status := cairn(t, "", args...)
	if status != 0 {
		t.Fatalf("cairn %s: status %d\n%s", strings.Join(args, " "), status, errOut)
	}
	return out
}

// sampleLake generates and imports n events and returns the lake's directory.
func sampleLake(t *testing.T, n string) string {
	t.Helper()
	dir := t.TempDir()
	must(t, "generate", "-n", n, "--out", filepath.Join(dir, "logs"))
	must(t, "import", filepath.Join(dir, "logs", "AWSLogs"), "--dir", filepath.Join(dir, "lake"))
	return filepath.Join(dir, "lake")
}

func TestGenerateImportQuery(t *testing.T) {
	lake := sampleLake(t, "3000")
	if got := must(t, "query", "SELECT count(*) AS n FROM events", "--dir", lake, "--format", "csv"); got != "n\n3000\n" {
		t.Errorf("count gives %q", got)
	}
	// The four formats hold the same rows.
	const q = "SELECT eventName, count(*) AS n, max(errorCode) AS worst FROM events GROUP BY eventName ORDER BY n DESC, eventName LIMIT 7"
	rows, err := csv.NewReader(strings.NewReader(must(t, "query", q, "--dir", lake, "--format", "csv"))).ReadAll()
	if err != nil || len(rows) != 8 {
		t.Fatalf("csv: %v, %v", rows, err)
	}
	type line struct {
		EventName string
		N         int64
		Worst     *string
	}
	var list []line
	if err := json.Unmarshal([]byte(must(t, "query", q, "--dir", lake, "--format", "json")), &list); err != nil {
		t.Fatal(err)
	}
	dec := json.NewDecoder(strings.NewReader(must(t, "query", q, "--dir", lake, "--format", "ndjson")))
	table := must(t, "query", q, "--dir", lake)
	for i, l := range list {
		var nd line
		if err := dec.Decode(&nd); err != nil || nd.EventName != l.EventName || nd.N != l.N {
			t.Errorf("row %d: ndjson %+v, json %+v (%v)", i, nd, l, err)
		}
		if r := rows[i+1]; r[0] != l.EventName || r[1] != strings.ReplaceAll(count(l.N), ",", "") || (l.Worst == nil) != (r[2] == "") {
			t.Errorf("row %d: csv %v, json %+v", i, r, l)
		}
		if !strings.Contains(table, l.EventName) {
			t.Errorf("the table lacks %s", l.EventName)
		}
	}
	if err := dec.Decode(new(line)); !errors.Is(err, io.EOF) {
		t.Errorf("ndjson goes on: %v", err)
	}
	// Statement from a file, from a pipe, with a parameter.
	file := filepath.Join(t.TempDir(), "q.sql")
	if err := os.WriteFile(file, []byte("SELECT count(*) AS n\nFROM events;\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	fromFile := must(t, "query", "-f", file, "--dir", lake, "--format", "csv")
	piped, _, _ := cairn(t, "select count(*) as n from events", "query", "--dir", lake, "--format", "csv")
	if fromFile != piped || piped != "n\n3000\n" {
		t.Errorf("file gives %q, pipe %q", fromFile, piped)
	}
	top := rows[1][0]
	got := must(t, "query", "SELECT count(*) AS n FROM events WHERE eventName = ?", "--param", top, "--dir", lake, "--format", "csv")
	if got != "n\n"+rows[1][1]+"\n" {
		t.Errorf("with parameter %s: %q, want %s", top, got, rows[1][1])
	}
	if out := must(t, "check", "--dir", lake); !strings.HasPrefix(out, "no damage: 3,000 events") {
		t.Errorf("check says %q", out)
	}
	if out := must(t, "stats", "--dir", lake, "--floor"); !strings.Contains(out, "the floor of any encoding") || !strings.Contains(out, "floor/event") {
		t.Errorf("stats --floor says\n%s", out)
	}
	if out := must(t, "stats", "--dir", lake); !strings.Contains(out, "3,000") || !strings.Contains(out, "eventID") || strings.Contains(out, "floor") {
		t.Errorf("stats says %q", out)
	}
	// Again: nothing new.
	var again engine.ImportReport
	logs := filepath.Join(filepath.Dir(lake), "logs", "AWSLogs")
	if err := json.Unmarshal([]byte(must(t, "import", logs, "--dir", lake, "--json")), &again); err != nil {
		t.Fatal(err)
	}
	if again.Stored != 0 || again.RecordsBefore != 3000 {
		t.Errorf("the second import: %+v", again)
	}
	// Lookup finds what SQL finds.
	out := must(t, "lookup", "--attribute", "EventName="+top, "--limit", "100000", "--dir", lake, "--json")
	var found []lookupLine
	if err := json.Unmarshal([]byte(out), &found); err != nil {
		t.Fatal(err)
	}
	if got := count(int64(len(found))); strings.ReplaceAll(got, ",", "") != rows[1][1] {
		t.Errorf("lookup finds %s events of %s, SQL %s", got, top, rows[1][1])
	}
	for i := 1; i < len(found); i++ {
		if found[i].EventTime.After(found[i-1].EventTime) {
			t.Fatalf("lookup is not newest first at %d", i)
		}
	}
}

// TestDemo runs the README's first command and wants an answer to each question.
func TestDemo(t *testing.T) {
	out := must(t, "demo", "-n", "20000")
	for _, q := range demoQuestions {
		if !strings.Contains(out, q.ask) {
			t.Errorf("the demo does not ask %q", q.ask)
		}
	}
	if strings.Contains(out, "(0 rows") {
		t.Errorf("a question of the demo has no answer:\n%s", out)
	}
}

func TestExitStatus(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "lake")
	must(t, "store", "create", "events", "--dir", dir)
	for _, c := range []struct {
		args   string
		status int
		says   string
	}{
		{"version", 0, ""},
		{"nonsense", 2, "unknown command"},
		{"query --nonsense", 2, "unknown flag"},
		{"query a b", 2, "accepts at most 1 arg"},
		{"query --sample nothing", 2, "--samples lists them"},
		{"query --sample root-activity SELECT", 2, "not both"},
		{"query --samples SELECT", 2, "runs nothing"},
		{"query x --format xml", 2, "must be table, csv, json"},
		{"import", 2, "requires at least 1 arg"},
		{"generate", 2, "--out DIR"},
		{"generate -n -5 --out " + dir, 2, ""},
		{"lookup --attribute Username", 2, "NAME=VALUE"},
		{"lookup --start someday", 2, "not a time"},
		{"lookup --format xml", 2, "must be"},
		{"lookup --limit 0", 2, "at least 1"},
		{"query SELECT+nme+FROM+events", 1, "nme"},
		{"query SELECT+1+FROM+evnts", 1, "events"},
		{"query UPDATE+events+SET+eventName=1", 1, ""},
		{"store show nothing", 1, "nothing"},
		{"store create events", 1, "events"},
	} {
		args := strings.Fields(c.args)
		for i := range args {
			args[i] = strings.ReplaceAll(args[i], "+", " ")
		}
		_, errOut, status := cairn(t, "", append(args, "--dir", dir)...)
		if status != c.status || !strings.Contains(errOut, c.says) {
			t.Errorf("cairn %s: status %d and %q, want %d and something with %q", c.args, status, errOut, c.status, c.says)
		}
	}
	_, errOut, status := cairn(t, "", "query", "SELECT 1", "--dir", filepath.Join(t.TempDir(), "none"))
	if status != 1 || !strings.Contains(errOut, "cairn import") {
		t.Errorf("a missing lake: status %d, %q", status, errOut)
	}
}

// TestSamples lists the sample queries in every format, and runs one.
func TestSamples(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "lake")
	must(t, "store", "create", "events", "--dir", dir)
	for format, wants := range map[string]string{
		"table": "impossible-travel\n    Impossible travel. ", "csv": "name,title,about,store,sql\n",
		"json": `"name": "impossible-travel"`, "ndjson": `{"name":"access-denied-bursts"`,
	} {
		if out := must(t, "query", "--samples", "--format", format); !strings.Contains(out, wants) {
			t.Errorf("%s: no %q in %.200s", format, wants, out)
		}
	}
	if out := must(t, "query", "--sample", "root-activity", "--format", "csv", "--dir", dir); out != "account,eventTime,eventSource,eventName,sourceIPAddress,errorCode\n" {
		t.Errorf("the sample gave %q", out)
	}
}

// TestCheckFindsDamage flips one bit in a stored table: check names the segment
// or, where the table as a whole cannot be read, the file; the exit status says so.
func TestCheckFindsDamage(t *testing.T) {
	lake := sampleLake(t, "2000")
	tables, err := filepath.Glob(filepath.Join(lake, "db", "*.sst"))
	if err != nil || len(tables) == 0 {
		t.Fatalf("no tables: %v", err)
	}
	b, err := os.ReadFile(tables[0])
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/3] ^= 0x10
	if err := os.WriteFile(tables[0], b, 0o600); err != nil {
		t.Fatal(err)
	}
	out, errOut, status := cairn(t, "", "check", "--dir", lake)
	if said := out + errOut; status != 1 || !strings.Contains(said, "segment") && !strings.Contains(said, filepath.Base(tables[0])) {
		t.Errorf("status %d, %s%s", status, out, errOut)
	}
}

// TestRejects keeps what an import does not take, with file, offset and reason.
func TestRejects(t *testing.T) {
	dir := t.TempDir()
	log := filepath.Join(dir, "mixed.json")
	good := func(id string) string {
		return `{"eventVersion":"1.08","userIdentity":{"type":"Root"},"eventTime":"2026-02-03T04:05:06Z","eventSource":"s3.amazonaws.com","eventName":"GetObject","eventID":"` + id + `"}`
	}
	text := good("a") + "\n" + `{"eventVersion":"1.08","eventTime":` + "\n" + good("b") + "\n" + `{"hello":1}` + "\n" + good("a") + "\n"
	if err := os.WriteFile(log, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	rejects := filepath.Join(dir, "rejects.ndjson")
	out := must(t, "import", log, filepath.Join(dir, "missing.json"), "--dir", filepath.Join(dir, "lake"), "--rejects", rejects)
	b, err := os.ReadFile(rejects)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	if len(lines) != 3 {
		t.Fatalf("%d rejects, want the two bad records and the missing file:\n%s", len(lines), b)
	}
	var offsets []int64
	for _, l := range lines {
		var r struct {
			File, Reason string
			Offset       int64
		}
		if err := json.Unmarshal([]byte(l), &r); err != nil || r.Reason == "" {
			t.Fatalf("%s: %v", l, err)
		}
		if strings.HasSuffix(r.File, "mixed.json") {
			offsets = append(offsets, r.Offset)
		}
	}
	if len(offsets) != 2 || offsets[1] != int64(strings.Index(text, `{"hello"`)) {
		t.Errorf("offsets %v", offsets)
	}
	for _, want := range []string{"stored", "duplicate", "refused: "} {
		if !strings.Contains(out, want) {
			t.Errorf("the table lacks %q:\n%s", want, out)
		}
	}
	if got := must(t, "query", "SELECT count(*) AS n FROM events", "--dir", filepath.Join(dir, "lake"), "--format", "csv"); got != "n\n2\n" {
		t.Errorf("stored: %q", got)
	}
}

// TestShell talks to the shell: statements over several lines, commands, errors.
func TestShell(t *testing.T) {
	dir := sampleLake(t, "1000")
	lake, err := engine.Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer lake.Close()
	var out, errOut bytes.Buffer
	p := &program{out: &out, err: &errOut, format: formatTable}
	script := []string{`\?`, `\d`, "SELECT count(*) AS n", "FROM events", "-- a comment; it ends nothing", "WHERE eventName <> ';' ;",
		`\f csv`, "SELECT 'a;b' AS x;", "SELECT nothing FROM events;", `\f xml`, `\nonsense`, "", `\q`, "SELECT 'not reached';"}
	var prompts []bool
	err = p.converse(context.Background(), lake, func(more bool) (string, error) {
		prompts = append(prompts, more)
		line := script[len(prompts)-1]
		return line, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"1000", "x\na;b\n", `\d NAME`, "events"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("output lacks %q:\n%s", want, out.String())
		}
	}
	for _, want := range []string{"nothing", "--format \"xml\"", "unknown command"} {
		if !strings.Contains(errOut.String(), want) {
			t.Errorf("errors lack %q:\n%s", want, errOut.String())
		}
	}
	if strings.Contains(out.String(), "not reached") {
		t.Error("\\q did not leave")
	}
	if prompts[2] || !prompts[3] || !prompts[4] || !prompts[5] || prompts[6] {
		t.Errorf("continuation prompts are wrong: %v", prompts)
	}
}

func TestStatementEnd(t *testing.T) {
	for text, want := range map[string]bool{
		"":                          true,
		" \n":                       true,
		"SELECT 1":                  false,
		"SELECT 1;":                 true,
		"SELECT 1 ; \n":             true,
		"SELECT ';":                 false,
		"SELECT ';'":                false,
		"SELECT ';';":               true,
		"SELECT 1 -- ;":             false,
		"SELECT 1 -- x\n;":          true,
		"SELECT 1 /* ; ":            false,
		"SELECT 1 /* ; */;":         true,
		"SELECT \"a;\" FROM t":      false,
		"SELECT 1; SELECT 2":        false,
		"SELECT 'it''s' FROM t;\n ": true,
	} {
		if _, got := statementEnd(text); got != want {
			t.Errorf("statementEnd(%q) = %v, want %v", text, got, want)
		}
	}
}

// TestPrintable: events are other people's text and must not steer a terminal.
func TestPrintable(t *testing.T) {
	for in, want := range map[string]string{
		"plain Zürich 東京":   "plain Zürich 東京",
		"a\x1b[31mred":      `a\u001b[31mred`,
		"\u202eevil":        `\u202eevil`,
		"bell\a del\x7f":    `bell\u0007 del\u007f`,
		"tab\tand\nnewline": "tab\tand\nnewline",
	} {
		if got := printable(in); got != want {
			t.Errorf("printable(%q) = %q, want %q", in, got, want)
		}
	}
	if got := oneLine("a\nb"); got != `a\nb` {
		t.Errorf("oneLine gives %q", got)
	}
}

func TestNumbersForPeople(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", -1234567: "-1,234,567"} {
		if got := count(n); got != want {
			t.Errorf("count(%d) = %s, want %s", n, got, want)
		}
	}
	for n, want := range map[int64]string{12: "12 B", 1500: "1.5 kB", 310_000_000: "310.0 MB"} {
		if got := size(n); got != want {
			t.Errorf("size(%d) = %s, want %s", n, got, want)
		}
	}
}
