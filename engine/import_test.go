package engine

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// writeTest writes a file, compressed when its name says so.
func writeTest(t testing.TB, fs vfs.FS, path string, content []byte) {
	t.Helper()
	if err := fs.MkdirAll(fs.PathDir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := fs.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	var w io.Writer = f
	if strings.HasSuffix(path, ".gz") {
		z := gzip.NewWriter(f)
		defer func() {
			if err := z.Close(); err != nil {
				t.Fatal(err)
			}
			f.Close()
		}()
		w = z
	} else {
		defer f.Close()
	}
	// A file may change the buffer it is given (vfs.File).
	if _, err := w.Write(bytes.Clone(content)); err != nil {
		t.Fatal(err)
	}
}

// logFile is a log file as the cloud service writes it.
func logFile(records [][]byte) []byte {
	return append(append([]byte(`{"Records":[`), bytes.Join(records, []byte(","))...), "]}"...)
}

// logName is a path that tells its time: minute m of a day.
func logName(m int) string {
	return fmt.Sprintf("logs/AWSLogs/111122223333/CloudTrail/eu-west-1/2026/01/02/111122223333_CloudTrail_eu-west-1_20260102T%02d%02dZ_abc.json.gz", m/60, m%60)
}

func importTest(t testing.TB, l *Lake, o ImportOptions) *ImportReport {
	t.Helper()
	r, err := l.Import(context.Background(), o)
	if err != nil {
		t.Fatalf("%v, %+v", err, r)
	}
	if r.Records != r.Stored+r.Conflicts+r.Duplicates+r.Refused {
		t.Errorf("the report does not add up: %+v", r)
	}
	return r
}

func TestImport(t *testing.T) {
	for _, workers := range []int{1, 2, 3} {
		for _, rows := range []int{16, 100, 65536} {
			t.Run(fmt.Sprintf("%d workers, %d rows", workers, rows), func(t *testing.T) {
				fs := vfs.NewMem()
				const files, each = 20, 30
				var want [][]byte
				for m := range files {
					records := testEvents(m*each, (m+1)*each)
					want = append(want, records...)
					writeTest(t, fs, logName(m), logFile(records))
				}
				l := openTest(t, fs, Options{SegmentRows: rows, NoMerge: true})
				var last ImportProgress
				r := importTest(t, l, ImportOptions{Paths: []string{"logs"}, Workers: workers, Progress: func(p ImportProgress) { last = p }})
				if r.Stored != files*each || r.FilesDone != files || r.Refused+r.Conflicts+r.Duplicates != 0 {
					t.Errorf("report %+v", r)
				}
				if !last.Done || last.FilesDone != files || last.Records != files*each {
					t.Errorf("last progress %+v", last)
				}
				s := storeTest(t, l)
				sameRecords(t, s, want)
				// Again: nothing to do.
				r = importTest(t, l, ImportOptions{Paths: []string{"logs"}, Workers: workers})
				if r.FilesBefore != files || r.RecordsBefore != files*each || r.Records != 0 {
					t.Errorf("second report %+v", r)
				}
				if err := l.Close(); err != nil {
					t.Fatal(err)
				}
				l = openTest(t, fs, Options{SegmentRows: rows})
				s = storeTest(t, l)
				sameRecords(t, s, want)
				appendTest(t, s, testEvents(5000, 5010))
				// The same files once more, read in spite of their marks.
				r = importTest(t, l, ImportOptions{Paths: []string{"logs"}, Workers: workers, Again: true})
				if r.Duplicates != files*each || r.Stored != 0 {
					t.Errorf("third report %+v", r)
				}
				sameRecords(t, s, append(want, testEvents(5000, 5010)...))
			})
		}
	}
}

func TestImportAccountsForEverything(t *testing.T) {
	fs := vfs.NewMem()
	other := []byte(strings.Replace(string(testEvent(2)), "GetObject", "PutObject", 1))
	writeTest(t, fs, logName(1), logFile([][]byte{testEvent(1), testEvent(2), testEvent(1)}))
	writeTest(t, fs, logName(2), logFile([][]byte{testEvent(3), other, testEvent(2), []byte(`{"eventVersion":"1.08"}`)}))
	writeTest(t, fs, "logs/lines.json", []byte(string(testEvent(4))+"\n{\"broken\":\n"+string(testEvent(5))+"\n"))
	writeTest(t, fs, "logs/empty.json", nil)
	writeTest(t, fs, "logs/text.txt", []byte("this is no JSON at all"))
	cut := logFile(testEvents(6, 9))
	writeTest(t, fs, "logs/cut.json", cut[:len(cut)-40])
	l := openTest(t, fs, Options{})
	var rejects bytes.Buffer
	r := importTest(t, l, ImportOptions{Paths: []string{"logs", "nowhere"}, Rejects: &rejects})
	if r.Stored != 7 || r.Duplicates != 2 || r.Conflicts != 1 {
		t.Errorf("report %+v", r)
	}
	if r.Refused != 3 {
		t.Errorf("refused %d: %+v", r.Refused, r.Reasons)
	}
	if r.Files != 7 {
		t.Errorf("%d files, want 7", r.Files)
	}
	var records, files int64
	for _, reason := range r.Reasons {
		records += reason.Records
		files += reason.Files
		if reason.Example == "" {
			t.Errorf("reason %+v has no example", reason)
		}
	}
	if records != r.Refused || files < int64(r.FilesRejected) {
		t.Errorf("reasons %+v do not add up to %d records and %d files", r.Reasons, r.Refused, r.FilesRejected)
	}
	lines := 0
	for dec := json.NewDecoder(&rejects); dec.More(); lines++ {
		var line struct{ File, Reason, Detail string }
		if err := dec.Decode(&line); err != nil {
			t.Fatal(err)
		}
		if line.File == "" || line.Reason == "" || line.Detail == "" {
			t.Errorf("reject %+v", line)
		}
	}
	if int64(lines) != records+files {
		t.Errorf("%d rejects for %d records and %d files", lines, records, files)
	}
}

func TestImportWhileAppending(t *testing.T) {
	fs := vfs.NewMem()
	const files, each = 30, 40
	for m := range files {
		writeTest(t, fs, logName(m), logFile(testEvents(m*each, (m+1)*each)))
	}
	l := openTest(t, fs, Options{SegmentRows: 100})
	s := storeTest(t, l)
	done := make(chan error)
	go func() {
		var err error
		for i := 0; i < files*each && err == nil; i += 7 {
			_, err = s.Append(context.Background(), testEvents(i, min(i+7, files*each)))
		}
		done <- err
	}()
	importTest(t, l, ImportOptions{Paths: []string{"logs"}, Workers: 2})
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	// Every event is there once, whichever way it came first.
	if n := s.Events(); n != files*each {
		t.Errorf("%d events, want %d", n, files*each)
	}
	seen := make(map[string]bool)
	for seq := range s.Events() {
		rec, err := s.Record(context.Background(), seq)
		if err != nil {
			t.Fatal(err)
		}
		if seen[string(rec)] {
			t.Errorf("record %d is there twice", seq)
		}
		seen[string(rec)] = true
	}
}

// TestImportGoesOn ends an import at many places and runs it again: the store
// must be the same as after one clean run.
func TestImportGoesOn(t *testing.T) {
	const files, each = 12, 25
	var want [][]byte
	fill := func(fs vfs.FS) {
		want = nil
		for m := range files {
			records := testEvents(m*each, (m+1)*each)
			want = append(want, records...)
			writeTest(t, fs, logName(m), logFile(records))
		}
		big := testEvents(1000, 1200)
		want = append(want, big...)
		writeTest(t, fs, "logs/z.json", bytes.Join(big, []byte("\n")))
	}
	for stop := 0; stop < 20; stop++ {
		fs := vfs.NewMem()
		fill(fs)
		l := openTest(t, fs, Options{SegmentRows: 40, NoMerge: true})
		ctx, cancel := context.WithCancel(context.Background())
		reads := 0
		o := Options{FS: fs}
		_ = o
		l.opts.FS = &countingFS{FS: fs, opened: func() {
			if reads++; reads > stop {
				cancel()
			}
		}}
		_, err := l.Import(ctx, ImportOptions{Paths: []string{"logs"}, Workers: 1})
		cancel()
		if err == nil && stop < files {
			t.Errorf("stop %d: the import ended without an error", stop)
		}
		l.opts.FS = fs
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		l = openTest(t, fs, Options{SegmentRows: 40, NoMerge: true})
		importTest(t, l, ImportOptions{Paths: []string{"logs"}, Workers: 2})
		sameRecords(t, storeTest(t, l), want)
	}
}

// countingFS tells of every opened log file.
type countingFS struct {
	vfs.FS
	opened func()
}

func (c *countingFS) Open(name string, opts ...vfs.OpenOption) (vfs.File, error) {
	if strings.HasPrefix(name, "logs/") {
		c.opened()
	}
	return c.FS.Open(name, opts...)
}
