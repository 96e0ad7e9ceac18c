package engine

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cairndb/cairn/engine/event/generate"
)

// coldFS counts what a disk would be asked for if nothing were in the page cache: the pages of 4 KiB of
// files that are read, each once.
type coldFS struct {
	vfs.FS
	mu    sync.Mutex
	pages map[coldPage]bool
}

type coldPage struct {
	file string
	page int64
}

type coldFile struct {
	vfs.File
	fs   *coldFS
	name string
}

func (fs *coldFS) Open(name string, opts ...vfs.OpenOption) (vfs.File, error) {
	f, err := fs.FS.Open(name, opts...)
	if err != nil {
		return nil, err
	}
	return &coldFile{f, fs, name}, nil
}

func (f *coldFile) ReadAt(p []byte, off int64) (int, error) {
	f.fs.mu.Lock()
	for page := off >> 12; page<<12 < off+int64(len(p)); page++ {
		f.fs.pages[coldPage{f.name, page}] = true
	}
	f.fs.mu.Unlock()
	return f.File.ReadAt(p, off)
}

// drop empties the page cache and returns how many bytes were read into it.
func (fs *coldFS) drop() int {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	n := len(fs.pages) << 12
	fs.pages = map[coldPage]bool{}
	return n
}

// coldLake imports generated events into a lake and closes it.
func coldLake(t *testing.T, fs vfs.FS, events int, o Options) (ids []string) {
	t.Helper()
	g, err := generate.New(generate.Options{Events: int64(events), Seed: 11})
	if err != nil {
		t.Fatal(err)
	}
	var records [][]byte
	if err := g.Each(func(raw []byte, _ int64) error {
		records = append(records, bytes.Clone(raw))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	writeTest(t, fs, logName(0), logFile(records))
	l := openTest(t, fs, o)
	importTest(t, l, ImportOptions{Paths: []string{"logs"}})
	ids = queryTest(t, l, "SELECT eventID FROM events")
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return ids
}

// coldOpening is the catalogue, the log, and what is known of tables, and not the segments.
const coldOpening = 16 << 10

// TestColdReads bounds what a lake reads of its disk when nothing is in memory: to be opened, and to answer
// for the first time.
func TestColdReads(t *testing.T) {
	mem := vfs.NewMem()
	o := Options{SegmentRows: 4096, NoMerge: true}
	ids := coldLake(t, mem, 12_000, o)
	fs := &coldFS{FS: mem, pages: map[coldPage]bool{}}
	o.ReadOnly = true
	l := openTest(t, mem, o)
	rare := strings.Split(queryTest(t, l, "SELECT eventName, sourceIPAddress, date_format(min(eventTime), '%Y-%m-%d %H:%i:%s') FROM events GROUP BY 1, 2 HAVING count(*) = 2 ORDER BY 1, 2 LIMIT 1")[0], "|")
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		what, query string
		rows, most  int
	}{
		{"one event by its ID", fmt.Sprintf("SELECT eventID, eventJson FROM events WHERE eventID = '%s'", ids[7_000]), 1, 400 << 10},
		{"a rare event of a week", fmt.Sprintf("SELECT eventID FROM events WHERE eventName = '%s' AND sourceIPAddress = '%s' AND eventTime <= timestamp '%s'", rare[0], rare[1], rare[2]), 1, 112 << 10},
		{"the newest events", "SELECT eventTime, eventJson FROM events ORDER BY eventTime DESC LIMIT 50", 50, 640 << 10},
		{"how many there are", "SELECT count(*) FROM events", 1, 88 << 10},
	} {
		fs.drop()
		l := openTest(t, fs, o)
		if opening := fs.drop(); opening > coldOpening {
			t.Errorf("opening reads %d bytes, at most %d should be", opening, coldOpening)
		}
		if rows := queryTest(t, l, c.query); len(rows) != c.rows {
			t.Errorf("%s: %d rows", c.what, len(rows))
		}
		n := fs.drop()
		t.Logf("%s: %d bytes", c.what, n)
		if n > c.most {
			t.Errorf("%s: %d bytes are read, at most %d should be", c.what, n, c.most)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
