package segment

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// memory is a segment held in memory.
type memory [][]byte

func (m memory) Block(_ context.Context, id uint32) ([]byte, func(), error) {
	if int(id) >= len(m) {
		return nil, nil, fmt.Errorf("there is no block %d", id)
	}
	return m[id], func() {}, nil
}

func blocksOf(e *Encoded) memory {
	m := make(memory, e.Blocks())
	for i := range m {
		m[i] = bytes.Clone(e.Block(i))
	}
	return m
}

// corpusRecords returns the objects in the lists of all corpus files.
func corpusRecords(tb testing.TB) [][]byte {
	tb.Helper()
	dir, err := os.Getwd()
	if err != nil {
		tb.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		up := filepath.Dir(dir)
		if up == dir {
			tb.Skip("no go.mod above the package")
		}
		dir = up
	}
	root := filepath.Join(dir, "..", "shared", "corpus")
	if _, err := os.Stat(root); err != nil {
		tb.Skipf("sample records are not here: %v", err)
	}
	var records [][]byte
	err = filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || !strings.HasSuffix(path, ".json.gz") {
			return err
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
		b, err := io.ReadAll(z)
		if err != nil {
			return err
		}
		i := bytes.IndexByte(b, '[')
		if i < 0 {
			return nil
		}
		for i++; ; {
			i = skipSpace(b, i)
			if i < len(b) && b[i] == ',' {
				i = skipSpace(b, i+1)
			}
			if i >= len(b) || b[i] != '{' {
				return nil
			}
			end, _, err := checkValue(b, i, 64, 64)
			if err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
			records = append(records, b[i:end])
			i = end
		}
	})
	if err != nil {
		tb.Fatal(err)
	}
	return records
}

func TestCorpusComesBackExactly(t *testing.T) {
	records := corpusRecords(t)
	b := NewBuilder(Options{})
	for i, r := range records {
		n, err := b.Add(r)
		if err != nil || n != len(r) {
			t.Fatalf("record %d: took %d of %d bytes: %v", i, n, len(r), err)
		}
	}
	e, err := b.Finish()
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	r, err := Open(ctx, blocksOf(e), ReadOptions{Name: "corpus"})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d records of %d bytes in %d bytes, %d blocks: %.1f B each", e.Rows(), e.RawBytes(), e.StoredBytes(), e.Blocks(), float64(e.StoredBytes())/float64(e.Rows()))
	n := 0
	err = r.Records(ctx, Range(0, r.Rows()), func(row int, rec []byte) error {
		if !bytes.Equal(rec, records[row]) {
			return fmt.Errorf("record %d:\n%s\ncame back as\n%s", row, records[row], rec)
		}
		n++
		return nil
	})
	if err != nil || n != len(records) {
		t.Fatalf("%d records read: %v", n, err)
	}
	for row := 0; row < len(records); row += 97 {
		rec, err := r.Record(ctx, row, nil)
		if err != nil || !bytes.Equal(rec, records[row]) {
			t.Fatalf("record %d: %v\n%s\ncame back as\n%s", row, err, records[row], rec)
		}
	}
}
