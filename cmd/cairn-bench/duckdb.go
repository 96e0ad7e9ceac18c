package main

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	_ "github.com/duckdb/duckdb-go/v2"
)

// duckColumns are the typed columns that DuckDB gets: every top-level field of
// a CloudTrail record, identities as structs, free-form members as JSON text,
// so that the Parquet file holds all that the records say, as Cairn does.
const duckColumns = `STRUCT(
 eventVersion VARCHAR,
 userIdentity STRUCT("type" VARCHAR, principalId VARCHAR, arn VARCHAR, accountId VARCHAR, accessKeyId VARCHAR, userName VARCHAR,
  sessionContext STRUCT(
   sessionIssuer STRUCT("type" VARCHAR, principalId VARCHAR, arn VARCHAR, accountId VARCHAR, userName VARCHAR),
   webIdFederationData JSON, attributes STRUCT(creationDate VARCHAR, mfaAuthenticated VARCHAR),
   sourceIdentity VARCHAR, ec2RoleDelivery VARCHAR, ec2IssuedInVpc VARCHAR, assumedRoot VARCHAR),
  invokedBy VARCHAR, identityProvider VARCHAR, credentialId VARCHAR, onBehalfOf JSON, inScopeOf JSON, invokedByDelegate JSON),
 eventTime TIMESTAMP, eventSource VARCHAR, eventName VARCHAR, awsRegion VARCHAR, sourceIPAddress VARCHAR, userAgent VARCHAR,
 errorCode VARCHAR, errorMessage VARCHAR, requestParameters JSON, responseElements JSON, additionalEventData JSON,
 requestID VARCHAR, eventID VARCHAR, readOnly BOOLEAN,
 resources STRUCT(ARN VARCHAR, ARNPrefix VARCHAR, accountId VARCHAR, "type" VARCHAR)[],
 eventType VARCHAR, apiVersion VARCHAR, managementEvent BOOLEAN, recipientAccountId VARCHAR, sharedEventID VARCHAR,
 vpcEndpointId VARCHAR, vpcEndpointAccountId VARCHAR, serviceEventDetails JSON, addendum JSON, edgeDeviceDetails JSON,
 insightDetails JSON, annotation VARCHAR, eventCategory VARCHAR, sessionCredentialFromConsole VARCHAR,
 tlsDetails STRUCT(tlsVersion VARCHAR, cipherSuite VARCHAR, clientProvidedHostHeader VARCHAR, keyExchange VARCHAR),
 eventContext JSON)[]`

// duck is DuckDB with one connection.
type duck struct {
	db      *sql.DB
	dir     string
	version string
}

// openDuck opens a database file in dir with two threads, as many as Cairn gets
// on the smallest machine these figures are compared on.
func openDuck(ctx context.Context, dir string) (*duck, error) {
	file := filepath.Join(dir, "events.duckdb")
	if err := os.RemoveAll(file); err != nil {
		return nil, err
	}
	db, err := sql.Open("duckdb", file)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	d := &duck{db: db, dir: dir}
	if _, err := db.ExecContext(ctx, fmt.Sprintf("SET threads TO %d", runtime.NumCPU())); err != nil {
		return nil, err
	}
	return d, db.QueryRowContext(ctx, "SELECT version()").Scan(&d.version)
}

func (d *duck) Close() error { return d.db.Close() }

func (d *duck) parquetFile() string { return filepath.Join(d.dir, "events.parquet") }

// parquet writes the events of the log files, in the order of the list, into
// one Parquet file with zstd. It runs in this process, so its peak memory is
// that of the process and counted as such.
func (d *duck) parquet(ctx context.Context, files []string) (load, error) {
	l := load{Name: "DuckDB Parquet zstd"}
	quoted := make([]string, len(files))
	for i, f := range files {
		quoted[i] = quote(f)
	}
	start, cpu := time.Now(), processCPU()
	_, err := d.db.ExecContext(ctx, fmt.Sprintf(`COPY (SELECT r.* FROM (SELECT unnest(Records) AS r FROM read_json([%s],
 columns = {'Records': %s}, maximum_object_size = 1073741824)))
 TO %s (FORMAT parquet, COMPRESSION zstd)`, strings.Join(quoted, ","), quote(duckColumns), quote(d.parquetFile())))
	if err != nil {
		return l, fmt.Errorf("DuckDB: %w", err)
	}
	l.Seconds, l.CPU = time.Since(start).Seconds(), processCPU()-cpu
	l.PeakMB = peakMB()
	if err := d.db.QueryRowContext(ctx, "SELECT count(*) FROM "+quote(d.parquetFile())).Scan(&l.Events); err != nil {
		return l, err
	}
	info, err := os.Stat(d.parquetFile())
	if err != nil {
		return l, err
	}
	l.Bytes = info.Size()
	return l, nil
}

// native makes a table of the Parquet file, sorted by time, and a view of the
// file itself.
func (d *duck) native(ctx context.Context) error {
	for _, s := range []string{
		"CREATE TABLE native AS SELECT * FROM " + quote(d.parquetFile()) + " ORDER BY eventTime",
		"CREATE VIEW parquet AS SELECT * FROM " + quote(d.parquetFile()),
	} {
		if _, err := d.db.ExecContext(ctx, s); err != nil {
			return fmt.Errorf("DuckDB: %w", err)
		}
	}
	return nil
}

// query runs a question over a table and returns all rows as text.
func (d *duck) query(ctx context.Context, text, table string) ([][]string, error) {
	rows, err := d.db.QueryContext(ctx, strings.NewReplacer("FROM events", "FROM "+table, "JOIN events", "JOIN "+table).Replace(text))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	cols, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	var out [][]string
	values := make([]any, len(cols))
	for i := range values {
		values[i] = new(any)
	}
	for rows.Next() {
		if err := rows.Scan(values...); err != nil {
			return nil, err
		}
		row := make([]string, len(cols))
		for i, v := range values {
			row[i] = fmt.Sprint(*v.(*any))
		}
		out = append(out, row)
	}
	return out, rows.Err()
}

func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

func processCPU() float64 {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

func peakMB() float64 {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return float64(u.Maxrss) / 1000
}
