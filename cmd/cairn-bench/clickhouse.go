package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/cairndb/cairn/engine/event"
)

const clickhouseDir = "clickhouse"

// clickhouse is a server of its own with one MergeTree table in order of time: typed columns for the
// top level and identities, JSON texts for what is nested, packed with zstd as the Parquet file is. Its server is a child of
// this process, which is asked over HTTP on a loopback port, and it writes below the directory of the run only. The
// configuration and the texts are those that versions from 18.16, which Debian has, understand up to the current ones; where a
// version has more to offer (indexes that skip, functions that parse JSON rather than search it) it gets that.
var clickhouse = &peer{
	name: "clickhouse", title: "ClickHouse",
	words: func(q question) string { return q.ClickHouse },
	files: []string{clickhouseDir + "/data"},
	load: func(ctx context.Context, dir string, files []string) (err error) {
		if _, err := clickhouseProgram(); err != nil {
			return err
		}
		if err := os.RemoveAll(filepath.Join(dir, clickhouseDir)); err != nil {
			return err
		}
		c, err := startClickHouse(ctx, dir)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, c.stop()) }()
		var defs []string
		for _, col := range clickhouseColumns {
			defs = append(defs, col.name+" "+col.kind)
		}
		create := "CREATE TABLE events (" + strings.Join(defs, ", ") + ") ENGINE = MergeTree ORDER BY eventTime"
		if _, err := c.ask(ctx, create, nil); err != nil {
			return err
		}
		if c.current() {
			for _, name := range []string{"eventID", "accessKeyId", "arn", "eventName", "sourceIPAddress"} {
				if _, err := c.ask(ctx, fmt.Sprintf("ALTER TABLE events ADD INDEX by_%s %s TYPE bloom_filter GRANULARITY 1", name, name), nil); err != nil {
					return err
				}
			}
		}
		// Half a million events make a part, so that merging has little to do.
		const batch = 500_000
		var rows bytes.Buffer
		n := 0
		send := func() error {
			if n == 0 {
				return nil
			}
			_, err := c.ask(ctx, "INSERT INTO events FORMAT TabSeparated", &rows)
			rows.Reset()
			n = 0
			return err
		}
		if err := eachRecord(files, func(record []byte) error {
			clickhouseRow(&rows, record)
			if n++; n == batch {
				return send()
			}
			return nil
		}); err != nil {
			return err
		}
		if err := send(); err != nil {
			return err
		}
		_, err = c.ask(ctx, "OPTIMIZE TABLE events FINAL", nil)
		return err
	},
	open: func(ctx context.Context, dir string) (*session, error) {
		c, err := startClickHouse(ctx, dir)
		if err != nil {
			return nil, err
		}
		return &session{version: "ClickHouse " + c.version, close: c.stop, ask: func(ctx context.Context, text string) ([][]string, error) {
			return c.ask(ctx, text, nil)
		}}, nil
	},
}

// clickhouseColumn is a column and where in a record its value is.
type clickhouseColumn struct {
	name, kind string
	path       []string
}

const (
	chText = "Nullable(String)"                 // near-unique
	chWord = "LowCardinality(Nullable(String))" // one of some thousands
	chFlag = "Nullable(UInt8)"
	chTime = "DateTime"
	chJSON = "String" // "" where it is absent
)

var clickhouseColumns = func() (out []clickhouseColumn) {
	add := func(prefix []string, kind string, names ...string) {
		for _, name := range names {
			path := append(append([]string(nil), prefix...), name)
			column := name
			if len(prefix) > 0 && (name == "type" || name == "accountId") {
				column = "identity_" + name
			}
			out = append(out, clickhouseColumn{column, kind, path})
		}
	}
	add(nil, chTime, "eventTime")
	add(nil, "String", "eventID")
	add(nil, chWord, "eventVersion", "eventSource", "eventName", "awsRegion", "userAgent", "errorCode", "eventType", "apiVersion", "recipientAccountId",
		"vpcEndpointId", "vpcEndpointAccountId", "eventCategory", "sessionCredentialFromConsole")
	add(nil, chText, "sourceIPAddress", "errorMessage", "requestID", "sharedEventID", "annotation")
	add(nil, chFlag, "readOnly", "managementEvent")
	add(nil, chJSON, "requestParameters", "responseElements", "additionalEventData", "resources", "serviceEventDetails", "addendum", "edgeDeviceDetails",
		"insightDetails", "tlsDetails", "eventContext")
	identity := []string{"userIdentity"}
	add(identity, chWord, "type", "arn", "accountId", "userName", "invokedBy", "identityProvider")
	add(identity, chText, "principalId", "accessKeyId", "credentialId")
	add(identity, chJSON, "sessionContext", "onBehalfOf", "inScopeOf", "invokedByDelegate")
	return out
}()

// clickhousePlaces are the columns by the names of members, those of identities behind a dot.
var clickhousePlaces = func() map[string]int {
	m := make(map[string]int, len(clickhouseColumns))
	for i, c := range clickhouseColumns {
		m[strings.Join(c.path, ".")] = i
	}
	return m
}()

// clickhouseRow appends a record as a line of tab-separated values.
func clickhouseRow(to *bytes.Buffer, record []byte) {
	var raw [64][]byte
	name := make([]byte, 0, 64)
	for key, value := range event.Members(record) {
		if string(key) != "userIdentity" {
			if i, ok := clickhousePlaces[string(key)]; ok {
				raw[i] = value
			}
			continue
		}
		for key, value := range event.Members(value) {
			name = append(append(name[:0], "userIdentity."...), key...)
			if i, ok := clickhousePlaces[string(name)]; ok {
				raw[i] = value
			}
		}
	}
	for i, c := range clickhouseColumns {
		if i > 0 {
			to.WriteByte('\t')
		}
		v := raw[i]
		null := len(v) == 0 || string(v) == "null"
		var text []byte
		if !null {
			text = v
			if v[0] == '"' {
				if text = v[1 : len(v)-1]; bytes.IndexByte(text, '\\') >= 0 {
					text = event.AppendUnescaped(nil, text)
				}
			}
		}
		switch {
		case c.kind == chTime:
			// To the second, as CloudTrail has it: 2026-01-02T03:04:05Z.
			if len(text) > 19 {
				text = text[:19]
			}
			to.Write(bytes.Replace(text, []byte("T"), []byte(" "), 1))
		case null && strings.Contains(c.kind, "Nullable"):
			to.WriteString(`\N`)
		case c.kind == chFlag:
			to.WriteByte("01"[btoi(string(text) == "true")])
		default:
			writeTabSeparated(to, text)
		}
	}
	to.WriteByte('\n')
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// writeTabSeparated escapes what tab-separated values cannot hold.
func writeTabSeparated(to *bytes.Buffer, text []byte) {
	for {
		i := bytes.IndexAny(text, "\\\t\n\r\x00")
		if i < 0 {
			to.Write(text)
			return
		}
		to.Write(text[:i])
		to.WriteByte('\\')
		switch text[i] {
		case '\t':
			to.WriteByte('t')
		case '\n':
			to.WriteByte('n')
		case '\r':
			to.WriteByte('r')
		case 0:
			to.WriteByte('0')
		default:
			to.WriteByte(text[i])
		}
		text = text[i+1:]
	}
}

var unescapeTabSeparated = strings.NewReplacer(`\\`, `\`, `\t`, "\t", `\n`, "\n", `\r`, "\r", `\0`, "\x00", `\'`, "'", `\b`, "\b", `\f`, "\f")

// A clickhouseServer is a running server.
type clickhouseServer struct {
	address, version string
	major            int
	cmd              *exec.Cmd
	said             *bytes.Buffer
	ended            chan struct{} // closed when the server has ended
}

// current tells versions with functions that parse JSON and indexes that skip from those without.
func (c *clickhouseServer) current() bool { return c.major >= 20 }

// clickhouseProgram returns how the server is called: a program of its own, or one program for all.
func clickhouseProgram() ([]string, error) {
	if p, err := exec.LookPath("clickhouse-server"); err == nil {
		return []string{p}, nil
	}
	if p, err := exec.LookPath("clickhouse"); err == nil {
		return []string{p, "server"}, nil
	}
	return nil, fmt.Errorf("ClickHouse: %w", errAbsent)
}

const clickhouseUsers = `<clickhouse>
 <profiles><default><max_memory_usage>%d</max_memory_usage><max_threads>%d</max_threads><log_queries>0</log_queries></default></profiles>
 <users><default><password></password><networks><ip>127.0.0.1</ip></networks><profile>default</profile><quota>default</quota></default></users>
 <quotas><default></default></quotas>
</clickhouse>
`

const clickhouseConfig = `<clickhouse>
 <logger><level>warning</level><log>%[1]s/log</log><errorlog>%[1]s/errors</errorlog></logger>
 <http_port>%[2]d</http_port><listen_host>127.0.0.1</listen_host>
 <path>%[1]s/data/</path><tmp_path>%[1]s/tmp/</tmp_path><user_files_path>%[1]s/files/</user_files_path><format_schema_path>%[1]s/schemas/</format_schema_path>
 <mark_cache_size>536870912</mark_cache_size><uncompressed_cache_size>0</uncompressed_cache_size>
 <users_config>%[1]s/users.xml</users_config><default_profile>default</default_profile><default_database>default</default_database><timezone>UTC</timezone>
 <compression><case><min_part_size>0</min_part_size><min_part_size_ratio>0</min_part_size_ratio><method>zstd</method></case></compression>
</clickhouse>
`

// clickhouseMemory is what one query may use: sorting whole records of a million events takes some gigabytes.
const clickhouseMemory = 4 << 30

// startClickHouse starts the server of dir and waits for it.
func startClickHouse(ctx context.Context, dir string) (*clickhouseServer, error) {
	program, err := clickhouseProgram()
	if err != nil {
		return nil, err
	}
	if dir, err = filepath.Abs(filepath.Join(dir, clickhouseDir)); err != nil {
		return nil, err
	}
	if strings.ContainsAny(dir, "<&") {
		return nil, fmt.Errorf("the directory %s cannot be named in ClickHouse's configuration", dir)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	port := free.Addr().(*net.TCPAddr).Port
	if err := free.Close(); err != nil {
		return nil, err
	}
	for name, text := range map[string]string{
		"config.xml": fmt.Sprintf(clickhouseConfig, dir, port),
		"users.xml":  fmt.Sprintf(clickhouseUsers, int64(clickhouseMemory), runtime.NumCPU()),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return nil, err
		}
	}
	c := &clickhouseServer{address: fmt.Sprintf("http://127.0.0.1:%d/", port), said: new(bytes.Buffer), ended: make(chan struct{})}
	c.cmd = exec.Command(program[0], append(program[1:], "--config-file="+filepath.Join(dir, "config.xml"))...)
	c.cmd.Dir, c.cmd.Stdout, c.cmd.Stderr = dir, c.said, c.said
	// It ends with this process, however that ends.
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		c.cmd.Wait()
		close(c.ended)
	}()
	for deadline := time.Now().Add(time.Minute); ; {
		rows, err := c.ask(ctx, "SELECT version()", nil)
		if err == nil {
			c.version = rows[0][0]
			text, _, _ := strings.Cut(c.version, ".")
			c.major, _ = strconv.Atoi(text)
			return c, nil
		}
		select {
		case <-c.ended:
		case <-time.After(50 * time.Millisecond):
			if time.Now().Before(deadline) {
				continue
			}
			c.cmd.Process.Kill()
			<-c.ended
		}
		log, _ := os.ReadFile(filepath.Join(dir, "errors"))
		return nil, fmt.Errorf("ClickHouse does not answer: %w\n%s%s", err, c.said, log)
	}
}

// stop ends the server and waits for it.
func (c *clickhouseServer) stop() error {
	http.DefaultClient.CloseIdleConnections() // it would wait for them
	if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	<-c.ended
	return nil
}

// ask runs a statement and returns its rows; rows, if not nil, follow the statement.
func (c *clickhouseServer) ask(ctx context.Context, text string, rows io.Reader) ([][]string, error) {
	set := url.Values{"query": {text}, "default_format": {"TabSeparated"}}
	if !c.current() {
		set.Set("allow_experimental_low_cardinality_type", "1")
	}
	if c.current() {
		set.Set("query", strings.NewReplacer("visitParamExtractString(", "JSONExtractString(", "visitParamHas(", "JSONHas(").Replace(text))
	}
	if rows == nil {
		rows = http.NoBody
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.address+"?"+set.Encode(), rows)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		const most = 600 // it tells every column of a row that it does not understand
		return nil, fmt.Errorf("ClickHouse: %s", bytes.TrimSpace(body[:min(len(body), most)]))
	}
	var out [][]string
	for line := range strings.Lines(string(body)) {
		row := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		for i, v := range row {
			if v == `\N` {
				row[i] = null
			} else if strings.IndexByte(v, '\\') >= 0 {
				row[i] = unescapeTabSeparated.Replace(v)
			}
		}
		out = append(out, row)
	}
	return out, nil
}
