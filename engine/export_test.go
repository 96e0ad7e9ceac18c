package engine_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cairndb/cairn/engine"
	"github.com/cairndb/cairn/engine/archive"
	"github.com/cairndb/cairn/engine/enginetest"
	"github.com/cairndb/cairn/engine/logfile"
)

// memBucket is a bucket in memory that can stop taking writes.
type memBucket struct {
	sync.Mutex
	files map[string][]byte
	left  int // writes until it stops; below 0 for never
}

func newMemBucket() *memBucket { return &memBucket{files: map[string][]byte{}, left: -1} }

var errFull = errors.New("the bucket takes no more")

func (b *memBucket) Write(_ context.Context, name string, content io.Reader) error {
	c, err := io.ReadAll(content)
	if err != nil {
		return err
	}
	b.Lock()
	defer b.Unlock()
	if b.left == 0 {
		return errFull
	}
	b.left--
	b.files[name] = c
	return nil
}

func (b *memBucket) Read(_ context.Context, name string) (io.ReadCloser, error) {
	b.Lock()
	defer b.Unlock()
	c, ok := b.files[name]
	if !ok {
		return nil, &fs.PathError{Op: "read", Path: name, Err: fs.ErrNotExist}
	}
	return io.NopCloser(bytes.NewReader(c)), nil
}

func (b *memBucket) List(_ context.Context, prefix string, fn func(string, int64) error) error {
	b.Lock()
	names := slices.Sorted(maps.Keys(b.files))
	b.Unlock()
	for _, n := range names {
		if strings.HasPrefix(n, prefix) {
			if err := fn(n, int64(len(b.files[n]))); err != nil {
				return err
			}
		}
	}
	return nil
}

func (b *memBucket) clone() *memBucket {
	return &memBucket{files: maps.Clone(b.files), left: -1}
}

// oddRecords are records that are hard on whoever wants to keep them exactly.
func oddRecords(n int) [][]byte {
	rng := rand.New(rand.NewPCG(7, uint64(n)))
	times := []string{"1970-01-01T00:00:00Z", "2026-02-03T04:05:06Z", "2026-02-28T23:59:59Z", "2024-02-29T12:00:00.123Z"}
	extra := []string{
		``, "\n\t ", `"x":1.0e+00`, `"x":0.10000000000000000000001`, `"\u0078":"\ud83d\ude00\ud800"`, `"y":"` + "\u2028\u2029</script>" + `"`,
		`"x":1,"x":2`, `"z":[[],{},[{"a":null}]]`, `"":""`, `"big":123456789012345678901234567890`, "\r\n" + `"lines":` + "\n" + `[1,` + "\n" + `2]`, `"s":"a\nb\u000a"`,
	}
	out := make([][]byte, n)
	for i := range out {
		region, account := []string{"eu-west-1", "us-east-1", "../../etc", ""}[rng.IntN(4)], []string{"111122223333", "444455556666", "a/b", "-rf", ""}[rng.IntN(5)]
		e := extra[rng.IntN(len(extra))]
		if strings.TrimSpace(e) != "" {
			e = "," + e
		}
		out[i] = fmt.Appendf(nil, `{"eventVersion":"1.08","eventTime":%q,"eventID":"odd-%d","eventSource":"s3.amazonaws.com","eventName":%q,"awsRegion":%q,"recipientAccountId":%q,"userIdentity":{"type":"Root"}%s}`,
			times[rng.IntN(len(times))], i, []string{"GetObject", "PutObject", "ConsoleLogin"}[rng.IntN(3)], region, account, e)
	}
	return out
}

// exportLake makes a lake with records, some in segments, some in memory.
func exportLake(t testing.TB, records [][]byte) (*engine.Lake, *engine.Store) {
	t.Helper()
	o := &engine.Options{FS: vfs.NewMem(), SegmentRows: 100, Clock: func() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }}
	l, err := engine.Open("lake", o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	s, err := l.CreateStore(context.Background(), engine.DefaultStore)
	if err != nil {
		t.Fatal(err)
	}
	for part := range slices.Chunk(records, 77) {
		v, err := s.Append(context.Background(), part)
		if err != nil {
			t.Fatal(err)
		}
		for i := range v {
			if v[i].Status != engine.Stored {
				t.Fatalf("%s is %v: %s", part[i], v[i].Status, v[i].Detail)
			}
		}
	}
	return l, s
}

func export(t testing.TB, l *engine.Lake, o engine.ExportOptions) (*memBucket, *engine.ExportReport) {
	t.Helper()
	b := newMemBucket()
	r, err := l.Export(context.Background(), b, o)
	if err != nil {
		t.Fatal(err)
	}
	return b, r
}

func verifyBundle(t testing.TB, b archive.Source) *archive.Report {
	t.Helper()
	r, err := archive.Verify(context.Background(), b, archive.VerifyOptions{Workers: 2})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestExportRoundTrip exports odd records in every format and takes them back into a new
// lake, which then has the same tree.
func TestExportRoundTrip(t *testing.T) {
	ctx := context.Background()
	records := append(oddRecords(450), enginetest.Events(0, 150)...)
	l, s := exportLake(t, records)
	want, err := s.TreeHead()
	if err != nil {
		t.Fatal(err)
	}
	for _, formats := range [][]string{{archive.CloudTrail}, {archive.JSONLines}, {archive.Segments}, {archive.Parquet}, {archive.JSONLines, archive.CloudTrail, archive.Segments, archive.Parquet}} {
		t.Run(strings.Join(formats, "+"), func(t *testing.T) {
			b, r := export(t, l, engine.ExportOptions{Formats: formats})
			if r.Events != uint64(len(records)) || r.Root != want.Root || r.Missing != 0 {
				t.Fatalf("%+v", r)
			}
			v := verifyBundle(t, b)
			if v.ProblemCount > 0 || v.Events != r.Events {
				t.Fatalf("%v", v.Problems)
			}
			back, err := engine.Open("back", &engine.Options{FS: vfs.NewMem(), SegmentRows: 130})
			if err != nil {
				t.Fatal(err)
			}
			defer back.Close()
			got, err := back.ImportBundle(ctx, b, engine.ImportBundleOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if !got.Equal || got.Stored != uint64(len(records)) || got.Root != want.Root {
				t.Errorf("%+v", got)
			}
			other, err := back.Store(engine.DefaultStore)
			if err != nil {
				t.Fatal(err)
			}
			for i, rec := range records {
				if raw, err := other.Record(ctx, uint64(i)); err != nil || !bytes.Equal(raw, rec) {
					t.Fatalf("record %d: %s, %v; was %s", i, raw, err, rec)
				}
			}
			// Once more: everything is there already.
			if got, err = back.ImportBundle(ctx, b, engine.ImportBundleOptions{}); err != nil || got.Duplicates != uint64(len(records)) || !got.Equal {
				t.Errorf("again: %+v, %v", got, err)
			}
		})
	}
}

// TestExportIsRepeatable exports twice, with later digests between, and over itself.
func TestExportIsRepeatable(t *testing.T) {
	ctx := context.Background()
	l, s := exportLake(t, oddRecords(300))
	for _, o := range []engine.ExportOptions{{}, {Where: "eventName = 'GetObject'"}, {From: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}} {
		a, _ := export(t, l, o)
		if _, err := s.Digest(ctx); err != nil {
			t.Fatal(err)
		}
		b, _ := export(t, l, o)
		if !maps.EqualFunc(a.files, b.files, bytes.Equal) {
			t.Errorf("%+v: another export has other bytes", o)
		}
		r, err := l.Export(ctx, b, o)
		if err != nil || r.Before != r.Events || !maps.EqualFunc(a.files, b.files, bytes.Equal) {
			t.Errorf("%+v: over itself: %+v, %v", o, r, err)
		}
		// A bundle does not become another one.
		for _, other := range []engine.ExportOptions{{Where: "true"}, {Formats: []string{archive.JSONLines}}} {
			if _, err := l.Export(ctx, b, other); !errors.Is(err, engine.ErrConflict) {
				t.Errorf("%+v over %+v: %v", other, o, err)
			}
		}
	}
	b := newMemBucket()
	b.files["something"] = nil
	if _, err := l.Export(ctx, b, engine.ExportOptions{}); !errors.Is(err, engine.ErrConflict) {
		t.Errorf("into what is not empty: %v", err)
	}
}

// TestExportGoesOn ends an export at every file and goes on, while events are appended.
func TestExportGoesOn(t *testing.T) {
	ctx := context.Background()
	for _, o := range []engine.ExportOptions{{Formats: []string{archive.JSONLines, archive.Segments}}, {Where: "eventName <> 'PutObject'", Formats: []string{archive.CloudTrail}}} {
		l, s := exportLake(t, oddRecords(120))
		whole, _ := export(t, l, o) // makes the digest
		for k := range len(whole.files) {
			if k > 0 {
				whole, _ = export(t, l, o)
			}
			b := newMemBucket()
			b.left = k
			if _, err := l.Export(ctx, b, o); !errors.Is(err, errFull) {
				t.Fatalf("with %d writes: %v", k, err)
			}
			// Every file that is there counts as damaged or is no bundle yet.
			if r := verifyBundle(t, b); r.ProblemCount == 0 {
				t.Fatalf("with %d writes it is a bundle", k)
			}
			if k > 0 {
				if _, err := s.Append(ctx, enginetest.Events(k, k+1)); err != nil {
					t.Fatal(err)
				}
			}
			b.left = -1
			if _, err := l.Export(ctx, b, o); err != nil {
				t.Fatal(err)
			}
			if k > 0 && !maps.EqualFunc(whole.files, b.files, bytes.Equal) {
				t.Fatalf("ended after %d files and gone on: another bundle", k)
			}
			if r := verifyBundle(t, b); r.ProblemCount > 0 {
				t.Fatalf("ended after %d files: %v", k, r.Problems)
			}
		}
	}
}

// TestExportSelects compares what is selected with the query of the same condition.
func TestExportSelects(t *testing.T) {
	ctx := context.Background()
	records := oddRecords(400)
	l, _ := exportLake(t, records)
	day := func(s string) time.Time {
		at, err := time.Parse(time.RFC3339Nano, s)
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	for _, c := range []struct {
		o     engine.ExportOptions
		where string
	}{
		{engine.ExportOptions{Where: "eventName = 'GetObject' -- a comment"}, "eventName = 'GetObject'"},
		{engine.ExportOptions{From: day("2024-02-29T12:00:00.123Z"), To: day("2026-02-28T23:59:59Z")}, "eventTime >= timestamp '2024-02-29 12:00:00.123' and eventTime < timestamp '2026-02-28 23:59:59'"},
		{engine.ExportOptions{To: day("1970-01-01T00:00:00.001Z"), Where: "awsRegion like '%west%' or recipientAccountId is null"}, "eventTime < timestamp '1970-01-01 00:00:00.001' and (awsRegion like '%west%' or recipientAccountId is null)"},
		{engine.ExportOptions{Where: "false"}, "false"},
		// The newest of a selection are found by their times, whose path is not the first one.
		{engine.ExportOptions{Where: `eventID IN (SELECT eventID FROM selection WHERE "$sequence" >= 0 ORDER BY eventTime DESC, eventID LIMIT 5)`}, "eventID IN (SELECT eventID FROM events ORDER BY eventTime DESC, eventID LIMIT 5)"},
		{engine.ExportOptions{Where: `"$sequence" IN (SELECT "$sequence" FROM selection ORDER BY eventTime DESC, eventID LIMIT 5)`}, "eventID IN (SELECT eventID FROM events ORDER BY eventTime DESC, eventID LIMIT 5)"},
	} {
		rows, err := l.Query(ctx, "SELECT eventID FROM events WHERE "+c.where)
		if err != nil {
			t.Fatal(err)
		}
		var want []string
		for {
			b, err := rows.Next()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			for i := range b.Len {
				leaf, at := b.Cols[0].Leaf(i)
				want = append(want, leaf.Str[at])
			}
		}
		b, r := export(t, l, c.o)
		if v := verifyBundle(t, b); v.ProblemCount > 0 || int(v.Events) != len(want) {
			t.Errorf("%s: %d events, %v", c.where, v.Events, v.Problems)
		}
		bundle, err := archive.Open(ctx, b, nil)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		err = bundle.Records(ctx, nil, func(seq uint64, rec []byte) error {
			if !bytes.Equal(rec, records[seq]) {
				t.Errorf("record %d is %s", seq, rec)
			}
			var e struct{ EventID string }
			if err := json.Unmarshal(rec, &e); err != nil {
				return err
			}
			got = append(got, e.EventID)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		sort.Strings(got)
		sort.Strings(want)
		if !slices.Equal(got, want) || int(r.Events) != len(want) {
			t.Errorf("%s: %d events instead of %d", c.where, len(got), len(want))
		}
	}
	for _, where := range []string{"eventName", "nonsense = 1", "true) UNION (SELECT 'a'", "sum(1) > 2", "true; DROP", "(true", "1"} {
		if _, err := l.Export(ctx, newMemBucket(), engine.ExportOptions{Where: where}); err == nil {
			t.Errorf("%q is taken for a condition", where)
		}
	}
	for _, o := range []engine.ExportOptions{{Formats: []string{"csv"}}, {Formats: []string{"jsonl", "jsonl"}}, {From: day("2026-01-01T00:00:00Z"), To: day("2026-01-01T00:00:00Z")}} {
		if _, err := l.Export(ctx, newMemBucket(), o); !errors.Is(err, engine.ErrBadInput) {
			t.Errorf("%+v: %v", o, err)
		}
	}
	if _, err := l.Export(ctx, newMemBucket(), engine.ExportOptions{Store: "other"}); !errors.Is(err, engine.ErrNotFound) {
		t.Errorf("another store: %v", err)
	}
}

// TestExportedLogFiles reads an export as any log files, in CloudTrail's folders.
func TestExportedLogFiles(t *testing.T) {
	ctx := context.Background()
	records := oddRecords(250)
	l, _ := exportLake(t, records)
	for _, format := range []string{archive.CloudTrail, archive.JSONLines} {
		b, _ := export(t, l, engine.ExportOptions{Formats: []string{format}})
		mem := vfs.NewMem()
		for name, content := range b.files {
			if !strings.HasPrefix(name, "records/") {
				continue
			}
			if format == archive.CloudTrail {
				if parts := strings.Split(name, "/"); len(parts) != 9 || parts[1] != "AWSLogs" || strings.Count(parts[8], "_") != 4 {
					t.Errorf("%s is no place for a log file", name)
				}
				if _, ok := logfile.TimeOf(name); !ok {
					t.Errorf("%s tells no time", name)
				}
			}
			z, err := gzip.NewReader(bytes.NewReader(content))
			if err != nil {
				t.Fatal(err)
			}
			if text, err := io.ReadAll(z); err != nil || format == archive.CloudTrail && !json.Valid(text) {
				t.Errorf("%s is not JSON: %v", name, err)
			}
			if err := mem.MkdirAll(mem.PathDir(name), 0o755); err != nil {
				t.Fatal(err)
			}
			f, err := mem.Create(name, vfs.WriteCategoryUnspecified)
			if err == nil {
				_, err = f.Write(content)
			}
			if err = errors.Join(err, f.Close()); err != nil {
				t.Fatal(err)
			}
		}
		other, err := engine.Open("other", &engine.Options{FS: mem})
		if err != nil {
			t.Fatal(err)
		}
		r, err := other.Import(ctx, engine.ImportOptions{Paths: []string{"records"}})
		if err != nil || r.Stored != int64(len(records)) || r.Refused != 0 {
			t.Errorf("%s: %+v, %v", format, r, err)
		}
		other.Close()
	}
}

// onDisk writes a bundle into a directory.
func onDisk(t testing.TB, b *memBucket) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range b.files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestScriptOfTenLines has bash verify bundles with sha256sum, openssl and jq, and find
// what was changed.
func TestScriptOfTenLines(t *testing.T) {
	for _, tool := range []string{"bash", "sha256sum", "openssl", "jq"} {
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv("CAIRN_REQUIRE_CLIENTS") == "1" {
				t.Fatalf("%s is required here: %v", tool, err)
			}
			t.Skipf("there is no %s here", tool)
		}
	}
	ctx := context.Background()
	l, s := exportLake(t, oddRecords(50))
	for range 3 {
		if _, err := s.Digest(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Append(ctx, enginetest.Events(0, 30)); err != nil {
		t.Fatal(err)
	}
	for _, o := range []engine.ExportOptions{{}, {Where: "eventName = 'GetObject'", Formats: []string{archive.JSONLines}}} {
		b, r := export(t, l, o)
		script := string(b.files[archive.ScriptFile])
		if lines := strings.Count(strings.TrimSpace(script), "\n"); lines > 10 {
			t.Errorf("the script has %d lines", lines)
		}
		guide := string(b.files[archive.GuideFile])
		if !strings.Contains(guide, strings.TrimSpace(script)) {
			t.Error("the guide does not print the script")
		}
		dir := onDisk(t, b)
		ring := l.PublicKeys()
		trusted := filepath.Join(t.TempDir(), "key.pem")
		if err := os.WriteFile(trusted, ring.Keys[0].PEM(), 0o600); err != nil {
			t.Fatal(err)
		}
		run := func(dir string) (string, error) {
			cmd := exec.Command("bash", archive.ScriptFile, trusted)
			cmd.Dir = dir
			out, err := cmd.CombinedOutput()
			return string(out), err
		}
		if out, err := run(dir); err != nil || !strings.Contains(out, fmt.Sprintf("verified: %d files", len(b.files))) {
			t.Fatalf("%v: %s", err, out)
		}
		for _, c := range []string{"", "tree/checkpoint", "tree/digests.jsonl", "manifest.json", "SHA256SUMS", "stranger"} {
			changed := b.clone()
			name := c
			if c == "" {
				name = slices.Sorted(maps.Keys(b.files))[len(b.files)/2]
			}
			content := bytes.Clone(b.files[name])
			if c == "stranger" {
				content = []byte("hello")
			} else {
				content[len(content)/2] ^= 1
			}
			changed.files[name] = content
			if out, err := run(onDisk(t, changed)); err == nil {
				t.Errorf("%s was changed: %s", name, out)
			}
		}
		// The guide's second part: one record by hand, and, of a selection, up to the root.
		blocks := strings.Split(guide, "```bash\n")
		var steps []string
		for _, block := range blocks[2:] {
			steps = append(steps, block[:strings.Index(block, "```")])
		}
		cmd := exec.Command("bash", "-euo", "pipefail", "-c", strings.Join(steps, "\n"))
		cmd.Dir = dir
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		lines := strings.Fields(strings.ReplaceAll(string(out), " -", ""))
		if len(lines) != 3 || lines[0] != lines[1] {
			t.Fatalf("a record by hand: %s", out)
		}
		if o.Where != "" && lines[2] != fmt.Sprintf("%x", r.Root[:]) {
			t.Errorf("the path leads to %s, not to %x", lines[2], r.Root[:])
		}
	}
}

// TestExportAfterRetention: a bundle of a store from which retention has dropped events,
// between others and at the beginning, verifies and says how many are gone; a lake that
// takes it back has what was left.
func TestExportAfterRetention(t *testing.T) {
	ctx := context.Background()
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	var passed time.Duration
	o := &engine.Options{FS: vfs.NewMem(), SegmentRows: 50, MemtableRows: 50, MemtableAge: -1, NoMerge: true, RetainInterval: -1, DigestInterval: -1,
		Clock: func() time.Time { return start.Add(passed) }, RunTime: func() time.Duration { return passed }}
	l, err := engine.Open("lake", o)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	s, err := l.MakeStore(ctx, engine.NewStore{Name: "events", Days: 30})
	if err != nil {
		t.Fatal(err)
	}
	var records [][]byte
	for i := range 700 {
		when := start.Add(-20 * 24 * time.Hour) // three hundred of these, and again the last hundred
		if i >= 300 && i < 600 {
			when = start
		}
		records = append(records, fmt.Appendf(nil, `{"eventVersion":"1.08","eventTime":"%s","eventSource":"s3.amazonaws.com","eventName":"GetObject","awsRegion":"eu-west-1","eventID":"r-%d"}`, when.Format(time.RFC3339), i))
	}
	for part := range slices.Chunk(records, 50) {
		if _, err := s.Append(ctx, part); err != nil {
			t.Fatal(err)
		}
	}
	passed = 15 * 24 * time.Hour
	if r, err := l.Retain(ctx); err != nil || r.Events != 400 {
		t.Fatalf("dropped %+v, %v", r, err)
	}
	b, r := export(t, l, engine.ExportOptions{Store: "events"})
	if r.Events != 300 || r.Missing != 400 {
		t.Errorf("exported %+v", r)
	}
	v := verifyBundle(t, b)
	if len(v.Problems) > 0 || v.Manifest.Missing != 400 || v.Manifest.Events != 300 || v.Events != 300 {
		t.Errorf("the bundle: %+v", v)
	}
	if said := strings.Join(append(v.Verified, v.NotVerified...), "\n"); !strings.Contains(said, "400") {
		t.Errorf("nobody says how many events are gone:\n%s", said)
	}
	// Part of the range is gone: a selection by time has what is left of it.
	b, r = export(t, l, engine.ExportOptions{Store: "events", From: start.Add(-30 * 24 * time.Hour), To: start.Add(time.Hour)})
	if v := verifyBundle(t, b); r.Events != 300 || len(v.Problems) > 0 {
		t.Errorf("a selection: %+v, %+v", r, v.Problems)
	}
}

// TestExportOfAView: a store that is shown whole can be exported, others do not exist, and
// who sees some accounts only exports nothing, whatever the condition.
func TestExportOfAView(t *testing.T) {
	ctx := context.Background()
	l, s := exportLake(t, oddRecords(120))
	all := []string{engine.All}
	for _, c := range []struct {
		scope engine.Scope
		kind  error
	}{
		{engine.Scope{Stores: all, Accounts: all}, nil},
		{engine.Scope{Stores: []string{s.ID()}, Accounts: all}, nil},
		{engine.Scope{Stores: []string{"other"}, Accounts: all}, engine.ErrNotFound},
		{engine.Scope{}, engine.ErrNotFound},
		{engine.Scope{Stores: all, Accounts: []string{"111122223333"}}, engine.ErrRefused},
		{engine.Scope{Stores: all}, engine.ErrRefused},
	} {
		to := newMemBucket()
		r, err := l.As(c.scope).Export(ctx, to, engine.ExportOptions{Where: "recipientAccountId = '111122223333'"})
		if !errors.Is(err, c.kind) || (err == nil) != (c.kind == nil) {
			t.Errorf("%+v: %v", c.scope, err)
		}
		if err != nil && (r != nil || len(to.files) > 0) {
			t.Errorf("%+v: refused, and %d files were written", c.scope, len(to.files))
		}
	}
}
