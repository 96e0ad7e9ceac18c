package main

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
)

const postgresDir = "postgres"

// postgres is a cluster of its own with one table, the whole record as jsonb, and six indexes that
// are made after the load. Its server is a child of this process, reached through a socket.
var postgres = &peer{
	name: "postgres", title: "PostgreSQL",
	words: func(q question) string { return q.Postgres },
	files: []string{postgresDir + "/data"},
	load: func(ctx context.Context, dir string, files []string) error {
		s, err := startPostgres(ctx, dir, true)
		if err != nil {
			return err
		}
		defer s.close()
		if err := execAll(ctx, s.db, `CREATE UNLOGGED TABLE events (
 eventID text, eventTime timestamptz, eventName text, eventSource text, sourceIPAddress text, errorCode text,
 arn text, accessKeyId text, requestParameters jsonb, additionalEventData jsonb, record jsonb)`); err != nil {
			return err
		}
		if err := eachFile(files, func(text []byte) error {
			_, err := s.db.ExecContext(ctx, `INSERT INTO events SELECT
 r ->> 'eventID', (r ->> 'eventTime')::timestamptz, r ->> 'eventName', r ->> 'eventSource', r ->> 'sourceIPAddress', r ->> 'errorCode',
 r #>> '{userIdentity,arn}', r #>> '{userIdentity,accessKeyId}', r -> 'requestParameters', r -> 'additionalEventData', r
 FROM jsonb_array_elements($1::jsonb -> 'Records') AS r`, string(text))
			return err
		}); err != nil {
			return err
		}
		return execAll(ctx, s.db,
			"CREATE INDEX ON events (eventID)",
			"CREATE INDEX ON events (eventTime)",
			"CREATE INDEX ON events (accessKeyId, eventTime)",
			"CREATE INDEX ON events (arn, eventTime)",
			"CREATE INDEX ON events (eventName, eventTime)",
			"CREATE INDEX ON events (sourceIPAddress, eventTime)",
			"VACUUM ANALYZE events", "CHECKPOINT")
	},
	open: func(ctx context.Context, dir string) (*session, error) { return startPostgres(ctx, dir, false) },
}

// startPostgres starts the cluster below dir, which it makes first when asked to. PostgreSQL does
// not run as root: root becomes the user postgres.
func startPostgres(ctx context.Context, dir string, create bool) (*session, error) {
	initdb, err := exec.LookPath("initdb")
	if err != nil {
		found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
		if len(found) == 0 {
			return nil, fmt.Errorf("PostgreSQL: %w", errAbsent)
		}
		initdb = found[len(found)-1]
	}
	dir, err = filepath.Abs(filepath.Join(dir, postgresDir))
	if err != nil {
		return nil, err
	}
	attr := &syscall.SysProcAttr{}
	own := func(string) error { return nil }
	if os.Getuid() == 0 {
		u, err := user.Lookup("postgres")
		if err != nil {
			return nil, fmt.Errorf("PostgreSQL does not run as root: %w", err)
		}
		uid, err1 := strconv.Atoi(u.Uid)
		gid, err2 := strconv.Atoi(u.Gid)
		if err1 != nil || err2 != nil {
			return nil, fmt.Errorf("user postgres is %s:%s", u.Uid, u.Gid)
		}
		attr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		own = func(path string) error { return os.Chown(path, uid, gid) }
	}
	program := func(path string, args ...string) (*exec.Cmd, *bytes.Buffer) {
		cmd := exec.Command(path, args...)
		out := new(bytes.Buffer)
		cmd.Dir, cmd.SysProcAttr, cmd.Stdout, cmd.Stderr = "/", attr, out, out
		return cmd, out
	}
	data := filepath.Join(dir, "data")
	if create {
		if err := os.RemoveAll(dir); err != nil {
			return nil, err
		}
		if err := os.Mkdir(dir, 0o755); err != nil {
			return nil, err
		}
		if err := own(dir); err != nil {
			return nil, err
		}
		cmd, out := program(initdb, "-D", data, "-A", "trust", "-U", "peer", "-E", "UTF8", "--lc-collate=C", "--lc-ctype=C.UTF-8", "--no-sync")
		if err := cmd.Run(); err != nil {
			return nil, fmt.Errorf("initdb: %w\n%s", err, out)
		}
	}
	// The name of a socket has at most some hundred bytes: it has a directory of its own.
	socket, err := os.MkdirTemp("", "cairn-bench-")
	if err != nil {
		return nil, err
	}
	if err := own(socket); err != nil {
		return nil, err
	}
	args := []string{"-D", data, "-k", socket}
	for _, set := range []string{"listen_addresses=", "fsync=off", "wal_level=minimal", "max_wal_senders=0", "max_wal_size=4GB",
		"shared_buffers=512MB", "work_mem=256MB", "maintenance_work_mem=256MB", "effective_cache_size=4GB", "random_page_cost=1.1",
		"timezone=UTC", "autovacuum=off", "max_parallel_workers_per_gather=2"} {
		args = append(args, "-c", set)
	}
	cmd, out := program(filepath.Join(filepath.Dir(initdb), "postgres"), args...)
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	s := &session{}
	s.close = func() error {
		if s.db != nil {
			s.db.Close()
		}
		// SIGINT: a fast shutdown, which writes all that is in memory.
		err := cmd.Process.Signal(syscall.SIGINT)
		if err == nil {
			err = cmd.Wait()
		}
		os.RemoveAll(socket)
		return err
	}
	if s.db, err = sql.Open("pgx", "host="+socket+" user=peer dbname=postgres sslmode=disable"); err != nil {
		s.close()
		return nil, err
	}
	s.db.SetMaxOpenConns(1)
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		err := s.db.QueryRowContext(ctx, "SELECT 'PostgreSQL ' || current_setting('server_version')").Scan(&s.version)
		if err == nil {
			return s, nil
		}
		if time.Now().After(deadline) {
			s.close()
			return nil, fmt.Errorf("PostgreSQL does not answer: %w\n%s", err, out)
		}
	}
}
