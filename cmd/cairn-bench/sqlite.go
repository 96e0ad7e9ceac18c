package main

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"

	_ "github.com/mattn/go-sqlite3"
)

const sqliteFile = "events.sqlite"

// sqlite is one table with the columns that the questions name, the whole record as text, and six
// indexes that are made after the load. It has no journal while it loads.
var sqlite = &peer{
	name: "sqlite", title: "SQLite",
	words: func(q question) string { return q.SQLite },
	files: []string{sqliteFile},
	load: func(ctx context.Context, dir string, files []string) error {
		file := filepath.Join(dir, sqliteFile)
		if err := os.RemoveAll(file); err != nil {
			return err
		}
		db, err := openSQLite(file)
		if err != nil {
			return err
		}
		defer db.Close()
		if err := execAll(ctx, db, "PRAGMA journal_mode = off", "PRAGMA synchronous = off", `CREATE TABLE events (
 eventID TEXT, eventTime TEXT, eventName TEXT, eventSource TEXT, sourceIPAddress TEXT, errorCode TEXT,
 arn TEXT, accessKeyId TEXT, requestParameters TEXT, additionalEventData TEXT, record TEXT)`, "BEGIN"); err != nil {
			return err
		}
		// json_each gives an element as JSON text, which is the record but for white space.
		insert, err := db.PrepareContext(ctx, `INSERT INTO events SELECT
 value ->> '$.eventID', replace(replace(value ->> '$.eventTime', 'T', ' '), 'Z', '') || '.000', value ->> '$.eventName',
 value ->> '$.eventSource', value ->> '$.sourceIPAddress', value ->> '$.errorCode', value ->> '$.userIdentity.arn',
 value ->> '$.userIdentity.accessKeyId', value ->> '$.requestParameters', value ->> '$.additionalEventData', value
 FROM json_each(?, '$.Records')`)
		if err != nil {
			return err
		}
		if err := eachFile(files, func(text []byte) error {
			_, err := insert.ExecContext(ctx, string(text))
			return err
		}); err != nil {
			return err
		}
		return execAll(ctx, db, "COMMIT",
			"CREATE INDEX by_id ON events (eventID)",
			"CREATE INDEX by_time ON events (eventTime)",
			"CREATE INDEX by_key ON events (accessKeyId, eventTime)",
			"CREATE INDEX by_arn ON events (arn, eventTime)",
			"CREATE INDEX by_name ON events (eventName, eventTime)",
			"CREATE INDEX by_address ON events (sourceIPAddress, eventTime)",
			"ANALYZE")
	},
	open: func(ctx context.Context, dir string) (*session, error) {
		db, err := openSQLite(filepath.Join(dir, sqliteFile))
		if err != nil {
			return nil, err
		}
		s := &session{db: db, inside: true, close: db.Close}
		return s, db.QueryRowContext(ctx, "SELECT 'SQLite ' || sqlite_version()").Scan(&s.version)
	},
}

// openSQLite opens a file with one connection, a page cache of 512 MB, and sorting in memory.
func openSQLite(file string) (*sql.DB, error) {
	db, err := sql.Open("sqlite3", "file:"+file+"?_cache_size=-524288")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	return db, execAll(context.Background(), db, "PRAGMA temp_store = memory", "PRAGMA case_sensitive_like = on", "PRAGMA mmap_size = 4294967296")
}
