package enginetest_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A peer is another database that holds the events of the first store in one
// flat table: a column for each column and path that it can hold, texts, booleans
// and times.
type peer interface {
	name() string
	dialect() dialect
	// ask runs queries and returns the texts of their values, NULL as nil; an
	// error stands for the query that failed.
	ask(queries []string) ([]peerAnswer, error)
}

type peerAnswer struct {
	rows [][]any // *string or nil
	err  error
}

// peerCols are the columns of the flat table.
var peerCols = slices.DeleteFunc(slices.Concat(textCols, boolCols, timeCols), func(c *col) bool { return strings.Contains(c.path, "credentiais") })

// TestDifferentialPeers asks the same of Cairn, of the plain evaluation, and of
// SQLite and PostgreSQL where these are installed. What the dialects write
// differently is told at writer.
func TestDifferentialPeers(t *testing.T) {
	n := max(*diffQueries/3, 1)
	t.Logf("-diff.seed=%d, %d queries", *diffSeed, n)
	s := newSample(t, *diffEvents/2, *diffSeed+2)
	var peers []peer
	for _, open := range []func(testing.TB, *sample) peer{openSQLite, openPostgres} {
		if p := open(t, s); p != nil {
			peers = append(peers, p)
		}
	}
	if len(peers) == 0 {
		t.Skip("neither SQLite nor PostgreSQL is here to compare with")
	}
	lakes := openLakes(t, s, configs)
	m := newMaker(s, *diffSeed+2, true)
	queries := make([]*query, n)
	for i := range queries {
		queries[i] = m.query()
	}
	faults := 0
	for _, p := range peers {
		texts := make([]string, n)
		for i, q := range queries {
			texts[i] = peerText(p, q)
		}
		answers, err := p.ask(texts)
		if err != nil {
			t.Fatalf("%s: %v", p.name(), err)
		}
		for i, q := range queries {
			l := lakes[i%len(lakes)]
			got, _, err := l.ask(q)
			fault := peerFault(q, answers[i], got, err)
			if fault == "" {
				continue
			}
			// Who is right is told by the plain evaluation; show the smallest query
			// over which the two do not agree.
			differs := func(c *query) bool {
				a, err := p.ask([]string{peerText(p, c)})
				if err != nil || (a[0].err == nil) != (answers[i].err == nil) {
					return false
				}
				got, _, err := l.ask(c)
				return peerFault(c, a[0], got, err) != ""
			}
			small := shrink(q, differs)
			got, text, err := l.ask(small)
			a, _ := p.ask([]string{peerText(p, small)})
			plain := evaluate(small, s)
			verdict := "the plain evaluation sides with Cairn"
			if judge(small, plain, got, err) != "" {
				verdict = "the plain evaluation does not side with Cairn"
			}
			t.Errorf("query %d of -diff.seed=%d: %s and configuration %q: %s (%s)\nCairn: %s\n%s: %s\n%s\n%s", i, *diffSeed, p.name(), l.name, fault, verdict,
				text, p.name(), peerText(p, small), showAnswer(small, got, plain.rows, err), showPeer(a[0]))
			if faults++; faults == faultsShown {
				t.FailNow()
			}
		}
	}
}

func peerText(p peer, q *query) string {
	w := &writer{d: p.dialect(), store: func(name string) string { return name }}
	return w.text(q)
}

// peerFault compares a peer's answer with Cairn's.
func peerFault(q *query, a peerAnswer, got [][]any, err error) string {
	if a.err != nil {
		return "it fails there: " + a.err.Error()
	}
	kinds := q.kinds()
	want := &answer{}
	for _, row := range a.rows {
		out := make([]any, len(row))
		for i, v := range row {
			if s, ok := v.(*string); ok {
				x, err := peerValue(*s, kinds[i])
				if err != nil {
					return err.Error()
				}
				out[i] = x
			}
		}
		want.rows = append(want.rows, out)
		if q.order != nil {
			want.order = append(want.order, q.orderOf(out))
		}
	}
	// The peer has applied limit and offset already.
	c := *q
	c.limit, c.offset = -1, -1
	return c.check(want, got, err)
}

// peerValue reads the text of a value.
func peerValue(s string, k kind) (any, error) {
	switch k {
	case kInt:
		return strconv.ParseInt(s, 10, 64)
	case kDouble:
		return strconv.ParseFloat(s, 64)
	case kBool:
		switch s {
		case "1", "t", "true":
			return true, nil
		case "0", "f", "false":
			return false, nil
		}
		return nil, fmt.Errorf("%q is no boolean", s)
	case kTime:
		at, err := time.Parse("2006-01-02 15:04:05", s)
		if err != nil {
			return nil, err
		}
		return instant(at.UnixMicro()), nil
	}
	return s, nil
}

func showPeer(a peerAnswer) string {
	if a.err != nil {
		return "error: " + a.err.Error()
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d rows there", len(a.rows))
	for _, row := range a.rows[:min(len(a.rows), 6)] {
		b.WriteString("\n    ")
		for _, v := range row {
			if s, ok := v.(*string); ok {
				fmt.Fprintf(&b, "%q | ", *s)
			} else {
				b.WriteString("NULL | ")
			}
		}
	}
	return b.String()
}

// marker ends the answer of a query in the output of a program.
const marker = "@@@ end of answer"

// run feeds a script to a program and returns what it writes.
func runScript(script string, name string, args ...string) (out, complaints string, err error) {
	cmd := exec.Command(name, args...)
	cmd.Stdin = strings.NewReader(script)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err = cmd.Run()
	return stdout.String(), stderr.String(), err
}

// sqlite is the sqlite3 program over a file.
type sqlite struct{ program, file string }

func openSQLite(t testing.TB, s *sample) peer {
	program, err := exec.LookPath("sqlite3")
	if err != nil {
		t.Log("SQLite is left out: there is no program sqlite3")
		return nil
	}
	p := &sqlite{program, filepath.Join(t.TempDir(), "peer.db")}
	if out, _, err := runScript("SELECT 1 IS DISTINCT FROM NULL", program, ":memory:"); err != nil || strings.TrimSpace(out) != "1" {
		t.Log("SQLite is left out: it is too old for IS DISTINCT FROM")
		return nil
	}
	var b strings.Builder
	b.WriteString("BEGIN; CREATE TABLE events (")
	for i, c := range peerCols {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(sqlName(c) + map[kind]string{kText: " TEXT", kTime: " TEXT", kBool: " INTEGER"}[c.kind])
	}
	b.WriteString(");\n")
	for _, r := range s.events {
		b.WriteString("INSERT INTO events VALUES (")
		for i, c := range peerCols {
			if i > 0 {
				b.WriteByte(',')
			}
			switch x := r.value(c).(type) {
			case nil:
				b.WriteString("NULL")
			case bool:
				b.WriteString(strconv.FormatBool(x))
			default:
				b.WriteString(sqliteText(fmt.Sprint(x)))
			}
		}
		b.WriteString(");\n")
	}
	b.WriteString("COMMIT;\n")
	if _, complaints, err := runScript(b.String(), program, "-bail", p.file); err != nil || complaints != "" {
		t.Fatalf("filling SQLite: %v %s", err, complaints)
	}
	return p
}

func (p *sqlite) name() string     { return "SQLite" }
func (p *sqlite) dialect() dialect { return sqliteSQL }

func (p *sqlite) ask(queries []string) ([]peerAnswer, error) {
	var b strings.Builder
	b.WriteString(".mode json\nPRAGMA case_sensitive_like=ON;\n")
	line, lines := 3, make([]int, len(queries)) // where each query begins
	for i, q := range queries {
		lines[i] = line
		line += strings.Count(q, "\n") + 2
		b.WriteString(q + ";\n.print '" + marker + "'\n")
	}
	out, complaints, err := runScript(b.String(), p.program, p.file)
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return nil, err
	}
	parts := strings.Split(out, marker)
	if len(parts) != len(queries)+1 {
		return nil, fmt.Errorf("%d answers to %d queries: %s", len(parts)-1, len(queries), complaints)
	}
	answers := make([]peerAnswer, len(queries))
	for i, part := range parts[:len(queries)] {
		if part = strings.TrimSpace(part); part == "" {
			continue // no rows, or an error, which is told below
		}
		dec := json.NewDecoder(strings.NewReader(part))
		dec.UseNumber()
		var rows []map[string]any
		if err := dec.Decode(&rows); err != nil {
			return nil, fmt.Errorf("reading the answer to %s: %w", queries[i], err)
		}
		for _, r := range rows {
			row := make([]any, len(r))
			for c := range row {
				if v := r["c"+strconv.Itoa(c)]; v != nil {
					s := fmt.Sprint(v)
					row[c] = &s
				}
			}
			answers[i].rows = append(answers[i].rows, row)
		}
	}
	for c := range strings.Lines(complaints) {
		_, rest, _ := strings.Cut(c, "near line ")
		number, _, _ := strings.Cut(rest, ":")
		n, err := strconv.Atoi(number)
		if err != nil {
			continue // the second line of a complaint
		}
		i, found := slices.BinarySearch(lines, n)
		if !found {
			i--
		}
		if i < 0 {
			return nil, errors.New(complaints)
		}
		answers[i].err = errors.New(strings.TrimSpace(c))
	}
	return answers, nil
}

// postgres is a cluster of its own, reached through a socket in its directory.
type postgres struct{ psql, dir string }

// startPostgres makes a cluster, or returns nil where it cannot. PostgreSQL does
// not run as root: root becomes the user postgres, who then owns the directory.
func startPostgres(t testing.TB) *postgres {
	psql, err := exec.LookPath("psql")
	if err != nil {
		t.Log("PostgreSQL is left out: there is no program psql")
		return nil
	}
	bin := ""
	if initdb, err := exec.LookPath("initdb"); err == nil {
		bin = filepath.Dir(initdb)
	} else if found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb"); len(found) > 0 {
		bin = filepath.Dir(found[len(found)-1])
	} else {
		t.Log("PostgreSQL is left out: there is no program initdb")
		return nil
	}
	sh := func(script string) (string, error) {
		args := []string{"sh", "-c", script}
		if os.Getuid() == 0 {
			args = []string{"su", "postgres", "-s", "/bin/sh", "-c", script}
		}
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Dir = "/"
		out, err := cmd.CombinedOutput()
		return strings.TrimSpace(string(out)), err
	}
	dir, err := sh("mktemp -d /tmp/peer-postgres-XXXXXX")
	if err != nil {
		t.Logf("PostgreSQL is left out: %v %s", err, dir)
		return nil
	}
	t.Cleanup(func() {
		if out, err := sh("rm -rf " + dir); err != nil {
			t.Errorf("%v %s", err, out)
		}
	})
	out, err := sh(fmt.Sprintf("%s/initdb -D %s/data -A trust -U peer -E UTF8 --lc-collate=C --lc-ctype=C.UTF-8 --no-sync", bin, dir))
	if err == nil {
		// The log goes to a file, or pg_ctl would leave our pipe open.
		out, err = sh(fmt.Sprintf(`%s/pg_ctl -D %s/data -w -l %[2]s/log -o "-c listen_addresses= -k %[2]s -c fsync=off -c timezone=UTC -c max_connections=5 -c shared_buffers=16MB" start`, bin, dir))
	}
	if err != nil {
		t.Logf("PostgreSQL is left out: %v %s", err, out)
		return nil
	}
	t.Cleanup(func() {
		if out, err := sh(fmt.Sprintf("%s/pg_ctl -D %s/data -m immediate stop", bin, dir)); err != nil {
			t.Errorf("%v %s", err, out)
		}
	})
	return &postgres{psql, dir}
}

// openPostgres fills a cluster.
func openPostgres(t testing.TB, s *sample) peer {
	p := startPostgres(t)
	if p == nil {
		return nil
	}
	var b strings.Builder
	b.WriteString("CREATE TABLE events (")
	for i, c := range peerCols {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(sqlName(c) + map[kind]string{kText: " text", kTime: " timestamp", kBool: " boolean"}[c.kind])
	}
	b.WriteString(");\nCOPY events FROM STDIN;\n")
	escape := strings.NewReplacer("\\", "\\\\", "\t", "\\t", "\n", "\\n", "\r", "\\r")
	for _, r := range s.events {
		for i, c := range peerCols {
			if i > 0 {
				b.WriteByte('\t')
			}
			if v := r.value(c); v == nil {
				b.WriteString(`\N`)
			} else {
				b.WriteString(escape.Replace(fmt.Sprint(v)))
			}
		}
		b.WriteByte('\n')
	}
	b.WriteString("\\.\n")
	if _, complaints, err := p.run(b.String(), "-v", "ON_ERROR_STOP=1"); err != nil || complaints != "" {
		t.Fatalf("filling PostgreSQL: %v %s", err, complaints)
	}
	return p
}

func (p *postgres) name() string     { return "PostgreSQL" }
func (p *postgres) dialect() dialect { return postgresSQL }

func (p *postgres) run(script string, args ...string) (out, complaints string, err error) {
	return runScript(script, p.psql, append([]string{"-X", "-q", "-h", p.dir, "-U", "peer", "-d", "postgres"}, args...)...)
}

func (p *postgres) ask(queries []string) ([]peerAnswer, error) {
	var b strings.Builder
	for _, q := range queries {
		// COPY writes values so that NULL, tabs and line ends can be told; psql does
		// not tell of an error while it copies, hence the table between, and no end
		// to its time.
		b.WriteString("SET statement_timeout = '1s';\nCREATE TEMP TABLE answer AS " + q + ";\n\\set failed :ERROR\n\\set why :LAST_ERROR_MESSAGE\n" +
			"SET statement_timeout = 0;\n\\if :failed\n\\else\nCOPY answer TO STDOUT;\nDROP TABLE answer;\n\\endif\n\\echo '" + marker + "' :failed :why\n")
	}
	out, complaints, err := p.run(b.String())
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, complaints)
	}
	unescape := strings.NewReplacer("\\\\", "\\", "\\t", "\t", "\\n", "\n", "\\r", "\r", "\\b", "\b", "\\f", "\f", "\\v", "\v")
	var answers []peerAnswer
	var a peerAnswer
	for line := range strings.Lines(out) {
		line = strings.TrimSuffix(line, "\n")
		if rest, ok := strings.CutPrefix(line, marker+" "); ok {
			if message, failed := strings.CutPrefix(rest, "true"); failed {
				a.err = errors.New(strings.TrimSpace(message))
			}
			answers = append(answers, a)
			a = peerAnswer{}
			continue
		}
		var row []any
		for _, v := range strings.Split(line, "\t") {
			if v == `\N` {
				row = append(row, nil)
				continue
			}
			v = unescape.Replace(v)
			row = append(row, &v)
		}
		a.rows = append(a.rows, row)
	}
	if len(answers) != len(queries) {
		return nil, fmt.Errorf("%d answers to %d queries: %s", len(answers), len(queries), complaints)
	}
	return answers, nil
}
