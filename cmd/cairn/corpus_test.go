package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cairndb/cairn/engine"
)

// corpusDir is a folder of real audit logs beside the repository. Few have it.
const corpusDir = "../../../shared/corpus"

// TestImportRealLogs imports a tree of real logs, files that are no logs among
// them, and accounts for every record: as an independent reader sees them, each
// is stored with its very bytes, a duplicate, or refused with a reason.
func TestImportRealLogs(t *testing.T) {
	if _, err := os.Stat(corpusDir); err != nil {
		t.Skip("no real logs beside the repository: ", err)
	}
	lists, files := recordLists(t, corpusDir)
	offered := map[string]int{}
	total := 0
	for _, l := range lists {
		for _, rec := range l {
			offered[string(rec)]++
			total++
		}
	}
	dir := t.TempDir()
	lake, err := engine.Open(dir, &engine.Options{SegmentRows: 1000, MemtableRows: 1000})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = lake.Close() }()
	var rejects bytes.Buffer
	report, err := lake.Import(context.Background(), engine.ImportOptions{Paths: []string{corpusDir}, Rejects: &rejects})
	if err != nil {
		t.Fatal(err)
	}
	if got := report.Stored + report.Conflicts + report.Duplicates + report.Refused; got != report.Records {
		t.Errorf("the outcomes add up to %d, the records to %d", got, report.Records)
	}
	if report.Files != files {
		t.Errorf("%d files found, there are %d", report.Files, files)
	}
	if report.Records < int64(total) {
		t.Errorf("%d records seen, an independent reader finds %d in record lists alone", report.Records, total)
	}
	// Every line of the rejects names file and reason, and there is one for
	// each refused record.
	refusedIn := map[string]int{}
	for line := range strings.Lines(rejects.String()) {
		var r struct {
			File, Reason, Detail string
			Offset               int64
		}
		if err := json.Unmarshal([]byte(line), &r); err != nil || r.File == "" || r.Reason == "" {
			t.Fatalf("reject without file or reason: %s (%v)", line, err)
		}
		refusedIn[filepath.Base(filepath.Dir(r.File))+"/"+filepath.Base(r.File)]++
	}
	var reasons int64
	for _, r := range report.Reasons {
		reasons += r.Records
	}
	if reasons != report.Refused {
		t.Errorf("%d refused records have a reason, %d are refused", reasons, report.Refused)
	}

	store, err := lake.Store(engine.DefaultStore)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := store.Events(), uint64(report.Stored+report.Conflicts); got != want {
		t.Fatalf("the store has %d events, the report says %d", got, want)
	}
	stored := map[string]int{}
	for seq := range store.Events() {
		rec, err := store.Record(context.Background(), seq)
		if err != nil {
			t.Fatal(err)
		}
		if offered[string(rec)] == 0 {
			t.Fatalf("record %d is not in any file as it came back: %s", seq, rec)
		}
		if stored[string(rec)]++; stored[string(rec)] > 1 {
			t.Errorf("record %d is stored twice: %.200s", seq, rec)
		}
	}
	// Files of plain CloudTrail records have nothing refused.
	for _, name := range []string{"invictus-aws-dataset.json.gz", "opensearch-catalog.json.gz", "boogy-cloudtrail-log-parser.json.gz"} {
		if n := refusedIn["corpus/"+name]; n > 0 {
			t.Errorf("%d records of %s were refused", n, name)
		}
		for _, rec := range lists[name] {
			if stored[string(rec)] == 0 {
				t.Fatalf("a record of %s is not in the store: %.200s", name, rec)
			}
		}
	}
	if c, err := lake.Check(context.Background(), engine.CheckOptions{}); err != nil || c.ProblemCount > 0 {
		t.Errorf("check: %v, %v", c, err)
	}
	t.Logf("%d records of %d files: %d stored, %d conflicts, %d duplicates, %d refused", report.Records, report.Files, report.Stored,
		report.Conflicts, report.Duplicates, report.Refused)
}

// recordLists reads, with the standard library only, the record lists of all
// JSON files that are one object with one list of objects in it.
func recordLists(t *testing.T, dir string) (lists map[string][]json.RawMessage, files int) {
	lists = map[string][]json.RawMessage{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		files++
		if !strings.HasSuffix(path, ".json.gz") {
			return nil
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		z, err := gzip.NewReader(f)
		if err != nil {
			return err
		}
		text, err := io.ReadAll(z)
		if err != nil {
			return err
		}
		var top map[string][]json.RawMessage
		if err := json.Unmarshal(text, &top); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		if len(top) == 1 {
			for _, l := range top {
				lists[filepath.Base(path)] = append(lists[filepath.Base(path)], l...)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return lists, files
}
