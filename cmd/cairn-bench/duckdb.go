package main

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

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

const (
	parquetFile = "events.parquet"
	duckFile    = "events.duckdb"
)

// duckParquet is one Parquet file with zstd, in the order of the log files.
var duckParquet = &peer{
	name: "parquet", title: "DuckDB on Parquet",
	words: func(q question) string { return q.Duck },
	files: []string{parquetFile},
	load: func(ctx context.Context, dir string, files []string) error {
		quoted := make([]string, len(files))
		for i, f := range files {
			quoted[i] = quote(f)
		}
		db, err := openDuck(ctx, "")
		if err != nil {
			return err
		}
		defer db.Close()
		return execAll(ctx, db, fmt.Sprintf(`COPY (SELECT r.* FROM (SELECT unnest(Records) AS r FROM read_json([%s],
 columns = {'Records': %s}, maximum_object_size = 1073741824)))
 TO %s (FORMAT parquet, COMPRESSION zstd)`, strings.Join(quoted, ","), quote(duckColumns), quote(filepath.Join(dir, parquetFile))))
	},
	open: func(ctx context.Context, dir string) (*session, error) {
		return duckSession(ctx, "", "read_parquet("+quote(filepath.Join(dir, parquetFile))+")")
	},
}

// duckNative is a table of the Parquet file's events, sorted by time.
var duckNative = &peer{
	name: "duckdb", title: "DuckDB native",
	words: func(q question) string { return q.Duck },
	uses:  []string{"parquet"},
	files: []string{duckFile},
	load: func(ctx context.Context, dir string, _ []string) error {
		file := filepath.Join(dir, duckFile)
		if err := os.RemoveAll(file); err != nil {
			return err
		}
		db, err := openDuck(ctx, file)
		if err != nil {
			return err
		}
		defer db.Close()
		return execAll(ctx, db, "CREATE TABLE native AS SELECT * FROM read_parquet("+quote(filepath.Join(dir, parquetFile))+") ORDER BY eventTime", "CHECKPOINT")
	},
	open: func(ctx context.Context, dir string) (*session, error) {
		return duckSession(ctx, filepath.Join(dir, duckFile), "native")
	},
}

// openDuck opens a database with as many threads as there are processors, as Cairn has.
func openDuck(ctx context.Context, file string) (*sql.DB, error) {
	db, err := sql.Open("duckdb", file)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	return db, execAll(ctx, db, fmt.Sprintf("SET threads TO %d", runtime.NumCPU()))
}

func duckSession(ctx context.Context, file, table string) (*session, error) {
	db, err := openDuck(ctx, file)
	if err != nil {
		return nil, err
	}
	s := &session{db: db, inside: true, table: table, close: db.Close}
	return s, db.QueryRowContext(ctx, "SELECT 'DuckDB ' || version()").Scan(&s.version)
}
