package clienttest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// postgres is a PostgreSQL server of the test's own, reached through a socket in its
// directory.
type postgres struct{ dir string }

// startPostgres makes one. PostgreSQL does not run as root: root becomes the user
// postgres, who then owns the directory.
func startPostgres(t *testing.T) *postgres {
	t.Helper()
	bin := ""
	if initdb, err := exec.LookPath("initdb"); err == nil {
		bin = filepath.Dir(initdb)
	} else if found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb"); len(found) > 0 {
		bin = filepath.Dir(found[len(found)-1])
	} else {
		missing(t, "PostgreSQL server", err)
	}
	sh := func(script string) string {
		t.Helper()
		cmd := exec.Command("sh", "-c", script)
		if os.Getuid() == 0 {
			cmd = exec.Command("su", "postgres", "-s", "/bin/sh", "-c", script)
		}
		cmd.Dir = "/"
		out, err := cmd.CombinedOutput()
		if err != nil {
			missing(t, "PostgreSQL server", fmt.Errorf("%v: %s", err, out))
		}
		return strings.TrimSpace(string(out))
	}
	dir := sh("mktemp -d /tmp/client-postgres-XXXXXX")
	t.Cleanup(func() { sh("rm -rf " + dir) })
	sh(fmt.Sprintf("%s/initdb -D %s/data -A trust -U local -E UTF8 --locale=C.UTF-8 --no-sync", bin, dir))
	// The log goes to a file, or pg_ctl would leave our pipe open.
	sh(fmt.Sprintf(`chmod 755 %s && %s/pg_ctl -D %[1]s/data -w -l %[1]s/log -o "-c listen_addresses= -k %[1]s -c fsync=off -c max_connections=10 -c shared_buffers=16MB" start`, dir, bin))
	t.Cleanup(func() { sh(fmt.Sprintf("%s/pg_ctl -D %s/data -m immediate stop", bin, dir)) })
	return &postgres{dir}
}

// run runs SQL and returns the rows, a line each, columns between bars.
func (p *postgres) run(query string) (string, error) {
	cmd := exec.Command("psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-h", p.dir, "-U", "local", "-d", "postgres")
	cmd.Stdin = strings.NewReader(query)
	out, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%v: %s", err, out)
	}
	return strings.TrimSpace(string(out)), err
}

// TestForeignData has a PostgreSQL server take the stores for foreign tables.
func TestForeignData(t *testing.T) {
	pg, at := startPostgres(t), serve(t)
	r := &result{client: "fdw"}
	check := func(name, query, want string) {
		t.Helper()
		got, err := pg.run(query)
		switch {
		case err != nil:
			t.Errorf("%s: %v", name, err)
		case want != "" && got != want:
			t.Errorf("%s: got %s, want %s", name, got, want)
			err = os.ErrInvalid
		}
		r.check(name, err == nil)
	}
	version, err := pg.run("SHOW server_version")
	if err != nil {
		t.Fatal(err)
	}
	r.version, _, _ = strings.Cut(version, " ")
	check("foreign server and user mapping", fmt.Sprintf(`CREATE EXTENSION postgres_fdw;
		CREATE SERVER lake FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port '%s', dbname 'cairn', use_remote_estimate 'true');
		CREATE USER MAPPING FOR CURRENT_USER SERVER lake OPTIONS (user 'admin', password '%s');`, at.port, at.password), "")
	check("IMPORT FOREIGN SCHEMA", "CREATE SCHEMA lake; IMPORT FOREIGN SCHEMA public FROM SERVER lake INTO lake;", "")
	check("IMPORT FOREIGN SCHEMA of one table", "CREATE SCHEMA one; IMPORT FOREIGN SCHEMA public LIMIT TO (events) FROM SERVER lake INTO one; SELECT count(*) FROM information_schema.foreign_tables WHERE foreign_table_schema = 'one'", "1")
	check("types of columns", `SELECT string_agg(column_name || ' ' || data_type, ', ' ORDER BY column_name) FROM information_schema.columns
		WHERE table_schema = 'lake' AND table_name = 'events' AND column_name IN ('eventtime', 'eventname', 'readonly', 'useridentity')`,
		"eventname text, eventtime timestamp with time zone, readonly boolean, useridentity jsonb")
	check("count", "SELECT count(*) FROM lake.events", fmt.Sprint(events))
	check("conditions", "SELECT count(*) FROM lake.events WHERE eventname = 'GetObject' AND eventtime < '2026-01-01 01:00:00+00' AND readonly AND eventsource LIKE 's3.%' AND errorcode IS NULL", "15")
	check("IN and ANY", "SELECT count(*) FROM lake.events WHERE eventname IN ('GetObject', 'PutObject') AND awsregion = ANY (ARRAY['us-east-1', 'eu-west-1'])", fmt.Sprint(events/2))
	check("values", "SELECT to_char(eventtime AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI'), eventname, readonly, useridentity->>'type' FROM lake.events ORDER BY eventtime LIMIT 1", "2026-01-01 00:00|GetObject|t|IAMUser")
	check("grouping, order and limit", "SELECT eventname, count(*), min(eventid) FROM lake.events GROUP BY 1 ORDER BY 1 LIMIT 2", "AssumeRole|250|00000000-0000-4000-8000-000000000003\nGetObject|250|00000000-0000-4000-8000-000000000000")
	check("join with a local table", `CREATE TABLE risk (name text PRIMARY KEY, level int); INSERT INTO risk VALUES ('GetObject', 1), ('AssumeRole', 9); ANALYZE risk;
		SELECT r.level, count(*) FROM lake.events e JOIN risk r ON r.name = e.eventname GROUP BY 1 ORDER BY 1`, "1|250\n9|250")
	check("join by a parameter for each row", `SET enable_hashjoin = off; SET enable_mergejoin = off;
		SELECT r.level, count(*) FROM risk r, LATERAL (SELECT eventid FROM lake.events e WHERE e.eventname = r.name OFFSET 0) x GROUP BY 1 ORDER BY 1`, "1|250\n9|250")
	check("join of two foreign tables", "SELECT count(*) FROM lake.events a JOIN lake.events b USING (eventid) WHERE a.eventname = 'PutObject'", "250")
	check("local view", "CREATE VIEW recent AS SELECT eventid, eventtime FROM lake.events WHERE eventtime >= '2026-01-01 16:00+00'; SELECT count(*) FROM recent", "40")
	check("materialized view", "CREATE MATERIALIZED VIEW kept AS SELECT eventid, eventname FROM lake.events; SELECT count(*) FROM kept", fmt.Sprint(events))
	check("cursor", "BEGIN; DECLARE c CURSOR FOR SELECT eventid FROM lake.events ORDER BY eventid; MOVE FORWARD 10 FROM c; FETCH 1 FROM c; CLOSE c; COMMIT", "00000000-0000-4000-8000-000000000010")
	check("small fetch size", "ALTER FOREIGN TABLE lake.events OPTIONS (ADD fetch_size '7'); SELECT count(DISTINCT eventid) FROM lake.events", fmt.Sprint(events))
	check("EXPLAIN with remote estimates", "SELECT 1 FROM (SELECT 1) x; EXPLAIN (VERBOSE) SELECT eventname FROM lake.events WHERE eventname = 'GetObject'", "")
	check("ANALYZE", "ANALYZE lake.events", "")
	check("transaction with savepoint", "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM lake.events; SAVEPOINT a; SELECT count(*) FROM lake.events WHERE readonly; ROLLBACK TO a; SELECT count(*) FROM lake.events; COMMIT",
		"1000\n500\n1000")
	if out, err := pg.run("DELETE FROM lake.events WHERE eventname = 'GetObject'"); err == nil || !strings.Contains(out, "immutable") {
		t.Errorf("DELETE through the foreign table: %s, %v", out, err)
	} else {
		r.check("DELETE is refused by the lake", true)
	}
	if out, err := pg.run("SELECT 1 / 0 FROM lake.events; SELECT nothing FROM lake.events"); err == nil {
		t.Errorf("no error: %s", out)
	}
	r.keep()
}
