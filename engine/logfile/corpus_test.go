package logfile

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/klauspost/compress/gzip"
)

// corpusDir returns the directory of real records, which lies beside the
// repository where there is one.
func corpusDir(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err != nil {
			continue
		}
		corpus := filepath.Join(dir, "..", "shared", "corpus")
		if _, err := os.Stat(corpus); err == nil {
			return corpus
		}
		break
	}
	t.Skip("there is no corpus of real records beside the repository")
	return ""
}

// Every element of every file of real and odd records is accounted for, byte by
// byte as the standard library reads it.
func TestCorpus(t *testing.T) {
	dir := corpusDir(t)
	files, rejects := Walk(vfs.Default, []string{dir})
	if len(files) == 0 || len(rejects) > 0 {
		t.Fatalf("%d files, %v", len(files), rejects)
	}
	events := 0
	for _, f := range files {
		packed, err := os.ReadFile(f.Path)
		if err != nil {
			t.Fatal(err)
		}
		out := read(t, bytes.NewReader(packed), Limits{})
		name, _ := filepath.Rel(dir, f.Path)
		t.Logf("%-50s %5d records %5d refused %3d rejects", name, len(out.records), len(out.refused), len(out.rejects))
		if !strings.HasSuffix(name, ".gz") {
			if len(out.records) > 0 || out.reasons() != "not JSON" {
				t.Errorf("%s: %d records, %v", name, len(out.records), out.rejects)
			}
			continue
		}
		z, err := gzip.NewReader(bytes.NewReader(packed))
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(z)
		if err != nil {
			t.Fatal(err)
		}
		var doc map[string][]json.RawMessage
		if err := json.Unmarshal(content, &doc); err != nil {
			t.Fatal(err)
		}
		var elements []json.RawMessage
		for _, list := range doc {
			elements = append(elements, list...)
		}
		if len(doc) > 1 {
			// Not one list of records: an object like any other.
			elements = elements[:1]
		}
		if got := len(out.records) + len(out.refused) + len(out.rejects); got != len(elements) {
			t.Errorf("%s: %d of %d elements accounted for", name, got, len(elements))
		}
		at := 0
		for _, e := range elements {
			if at < len(out.records) && out.records[at] == string(e) {
				at++
			}
		}
		if at < len(out.records) {
			t.Errorf("%s: record %d is not among the elements", name, at)
		}
		switch top := !strings.ContainsRune(name, filepath.Separator) && len(doc["Records"]) > 0; {
		case top || strings.HasPrefix(name, "insights"):
			events += len(out.records)
			if len(out.refused) > 0 || len(out.rejects) > 0 {
				t.Errorf("%s: refused %v, rejects %v", name, out.refused, out.rejects)
			}
		case strings.HasPrefix(name, "non-aws"), strings.HasPrefix(name, "digests"):
			if len(out.records) > 0 {
				t.Errorf("%s: %d of another product's records taken", name, len(out.records))
			}
		}
	}
	if events < 6000 {
		t.Errorf("only %d events", events)
	}
}
