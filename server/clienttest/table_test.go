package clienttest

import (
	"flag"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
)

var rewrite = flag.Bool("clients.rewrite", false, "write what the clients have checked to CLIENTS.md")

// clients are those of the table, in its order.
var clients = []struct{ key, name, from string }{
	{"psql", "psql", "Debian `postgresql-client`"},
	{"psycopg2", "psycopg 2", "Debian `python3-psycopg2`"},
	{"psycopg3", "psycopg 3", "Debian `python3-psycopg`"},
	{"asyncpg", "asyncpg", "Debian `python3-asyncpg`"},
	{"sqlalchemy", "SQLAlchemy", "Debian `python3-sqlalchemy`"},
	{"pgx", "pgx", "Go `github.com/jackc/pgx/v5`"},
	{"libpq", "lib/pq", "Go `github.com/lib/pq`"},
	{"node", "node-postgres", "npm `pg`, `pg-cursor`"},
	{"jdbc", "JDBC", "Debian `libpostgresql-jdbc-java`"},
	{"odbc", "ODBC", "Debian `odbc-postgresql`, `python3-pyodbc`"},
	{"fdw", "postgres_fdw", "Debian `postgresql`"},
	{"grafana", "Grafana", "its queries, replayed through pgx"},
	{"dbeaver", "DBeaver", "its kind of catalogue queries, replayed through pgx"},
	{"metabase", "Metabase", "its kind of catalogue queries, replayed through pgx"},
}

// result is what a client has checked.
type result struct {
	client, version string
	checks          []string
	failed          int
}

var results struct {
	sync.Mutex
	by map[string]*result
}

func (r *result) check(name string, ok bool) {
	r.checks = append(r.checks, name)
	if !ok {
		r.failed++
	}
}

// keep puts a result into the table.
func (r *result) keep() {
	results.Lock()
	defer results.Unlock()
	if results.by == nil {
		results.by = map[string]*result{}
	}
	results.by[r.client] = r
}

// inProcess begins the results of a client that is a package of Go: it finds the server in
// the environment.
func inProcess(t *testing.T, client, module string) *result {
	t.Helper()
	at := serve(t)
	for name, value := range map[string]string{"PGHOST": "127.0.0.1", "PGPORT": at.port, "PGUSER": "admin", "PGPASSWORD": at.password, "PGDATABASE": "cairn"} {
		t.Setenv(name, value)
	}
	r := &result{client: client}
	mod, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	if _, rest, ok := strings.Cut(string(mod), module+" v"); ok {
		r.version = strings.Fields(rest)[0]
	}
	t.Cleanup(r.keep)
	return r
}

// run runs a check.
func (r *result) run(t *testing.T, name string, f func() error) {
	t.Helper()
	err := f()
	if err != nil {
		t.Errorf("%s: %v", name, err)
	}
	r.check(name, err == nil)
}

// equal returns an error unless both are the same.
func equal(got, want any) error {
	if !reflect.DeepEqual(got, want) {
		return fmt.Errorf("got %v (%[1]T), want %v (%[2]T)", got, want)
	}
	return nil
}

// takenRecord is a record that the store called taken can take, number i.
func takenRecord(i int) string {
	return fmt.Sprintf(`{"eventVersion":"1.08","eventTime":"2026-02-01T00:00:00Z","eventID":"20000000-0000-4000-8000-%012d","eventSource":"iam.amazonaws.com",`+
		`"eventName":"CreateRole","awsRegion":"us-east-1","requestParameters":{"text":"a \"quoted\" word, a \\ backslash\n"}}`, i)
}

const (
	tableFile = "../CLIENTS.md"
	tableHead = `# Clients

Every client below is run against a server by the tests, the real one where it is named as a package; it signs in with
SCRAM-SHA-256, over TLS where it does so by itself. The list is written by the tests, too:

` + "```" + `
go test ./server/clienttest -clients.rewrite
` + "```" + `

Versions are those of the machine that wrote it; the checks are the same everywhere.

| client | version | from | checks | failed |
|---|---|---|---|---|
`
)

// section is what is said of a client: its checks, one a line.
func (r *result) section(name string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n## %s\n\n", name)
	for _, c := range r.checks {
		fmt.Fprintf(&b, "- %s\n", strings.ReplaceAll(c, "|", `\|`))
	}
	return b.String()
}

// table compares the results with what is written, or writes it.
func table() error {
	if *rewrite {
		var b, sections strings.Builder
		b.WriteString(tableHead)
		for _, c := range clients {
			r := results.by[c.key]
			if r == nil {
				return fmt.Errorf("the table needs all clients, and %s was not run", c.name)
			}
			fmt.Fprintf(&b, "| %s | %s | %s | %d | %d |\n", c.name, r.version, c.from, len(r.checks), r.failed)
			sections.WriteString(r.section(c.name))
		}
		return os.WriteFile(tableFile, []byte(b.String()+sections.String()), 0o644)
	}
	written, err := os.ReadFile(tableFile)
	if err != nil {
		return err
	}
	for _, c := range clients {
		r := results.by[c.key]
		if r == nil {
			continue
		}
		_, rest, found := strings.Cut(string(written), "\n## "+c.name+"\n")
		if at := strings.Index(rest, "\n## "); at >= 0 {
			rest = rest[:at]
		}
		_, want, _ := strings.Cut(r.section(c.name), "\n## "+c.name+"\n")
		if !found || strings.TrimSpace(rest) != strings.TrimSpace(want) {
			return fmt.Errorf("CLIENTS.md does not list what %s has checked (%s): run with -clients.rewrite", c.name, strings.Join(r.checks, ", "))
		}
	}
	return nil
}

func TestMain(m *testing.M) {
	flag.Parse()
	code := m.Run()
	if code == 0 {
		if err := table(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// Every client of the table is run by some test.
func TestTableNamesEveryClient(t *testing.T) {
	if *rewrite {
		return // it is about to be written
	}
	written, err := os.ReadFile(tableFile)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range clients {
		if !strings.Contains(string(written), "\n| "+c.name+" | ") {
			t.Errorf("CLIENTS.md has no row of %s", c.name)
		}
	}
	for line := range strings.Lines(string(written)) {
		if name, ok := strings.CutPrefix(line, "## "); ok && !slices.ContainsFunc(clients, func(c struct{ key, name, from string }) bool { return c.name == strings.TrimSpace(name) }) {
			t.Errorf("CLIENTS.md has a section of %s, which no test runs", strings.TrimSpace(name))
		}
	}
}
