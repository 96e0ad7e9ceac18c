package archive

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/gzip"

	"github.com/cairndb/cairn/engine/proof"
)

// Source is where a bundle is read from.
type Source interface {
	// Read opens a file; an error that is fs.ErrNotExist says that there is none.
	Read(ctx context.Context, name string) (io.ReadCloser, error)
	// List calls fn with the files whose names begin with prefix, in any order.
	List(ctx context.Context, prefix string, fn func(name string, size int64) error) error
}

// Target is where a bundle is written to.
type Target interface {
	Source
	// Write stores a file whole or not at all; one of the same name is replaced.
	Write(ctx context.Context, name string, content io.Reader) error
}

// Record is a record to be written.
type Record struct {
	Seq  uint64
	Raw  []byte
	Leaf proof.Hash
	// Account, Region and Time, of the event, choose its place among CloudTrail's
	// folders.
	Account, Region string
	Time            time.Time
	// Path is its inclusion proof in a filtered export.
	Path []proof.Hash
}

// Encoder makes the content of a file of some format out of records.
type Encoder func(ctx context.Context, records []Record) ([]byte, error)

const (
	cloudTrailOpen  = `{"Records":[`
	cloudTrailClose = `]}`

	// gzipLevel is the usual one: log files are read more often than written.
	gzipLevel = 6

	// writesMax is how many files of a part are written at once.
	writesMax = 16
)

// RangeWriter writes the parts of a range of sequence numbers. It belongs to one
// goroutine, and may be used for one range after the other.
type RangeWriter struct {
	Target    Target
	Selection *Selection
	// Encoders has those of the formats Segments and Parquet, when they are wanted.
	Encoders map[string]Encoder

	number  uint64
	part    int
	arena   []byte
	records []Record
	parts   []*Header
	line    []byte
	packed  bytes.Buffer
	gzip    *gzip.Writer
}

// Start begins a range.
func (w *RangeWriter) Start(number uint64) {
	w.number, w.part, w.parts = number, 0, nil
	w.arena, w.records = w.arena[:0], w.records[:0]
}

// Add adds a record. Sequence numbers grow and lie in the range. What r points to is
// copied, its path excepted, which must stay as it is.
func (w *RangeWriter) Add(ctx context.Context, r Record) error {
	if len(r.Raw) > RecordBytesMax {
		return fmt.Errorf("record %d has %d bytes, at most %d fit into a bundle", r.Seq, len(r.Raw), RecordBytesMax)
	}
	if len(w.records) > 0 && len(w.arena)+len(r.Raw) > PartBytesMax {
		if err := w.flush(ctx, false); err != nil {
			return err
		}
	}
	if cap(w.arena)-len(w.arena) < len(r.Raw) {
		// The records so far keep the old memory.
		w.arena = append(make([]byte, 0, min(2*cap(w.arena)+1<<20, PartBytesMax+RecordBytesMax)+len(r.Raw)), w.arena...)
		at := 0
		for i := range w.records {
			n := len(w.records[i].Raw)
			w.records[i].Raw = w.arena[at : at+n : at+n]
			at += n
		}
	}
	from := len(w.arena)
	w.arena = append(w.arena, r.Raw...)
	r.Raw = w.arena[from:len(w.arena):len(w.arena)]
	w.records = append(w.records, r)
	return nil
}

// End ends the range and returns what its parts have; none when it had no records.
func (w *RangeWriter) End(ctx context.Context) ([]*Header, error) {
	if len(w.records) > 0 {
		if err := w.flush(ctx, true); err != nil {
			return nil, err
		}
	}
	return w.parts, nil
}

// flush writes a part: first its files, and then the index, which says that they are
// there. A crash before that leaves files that are written again, with the same bytes.
func (w *RangeWriter) flush(ctx context.Context, last bool) error {
	h := &Header{Range: w.number, Number: w.part, Last: last, Events: uint64(len(w.records)), Bytes: int64(len(w.arena))}
	entries := make([]Entry, len(w.records))
	for i := range w.records {
		r := &w.records[i]
		entries[i] = Entry{Seq: r.Seq, Leaf: r.Leaf, Bytes: len(r.Raw), Path: r.Path}
	}
	for i, format := range w.Selection.Formats {
		e := entries
		if i > 0 {
			e = nil
		}
		if err := w.files(ctx, h, format, e); err != nil {
			return err
		}
	}
	w.line = appendHeader(w.line[:0], h)
	for i := range entries {
		w.line = appendEntry(w.line, &entries[i])
	}
	if err := w.Target.Write(ctx, IndexName(h.Range, h.Number), bytes.NewReader(w.line)); err != nil {
		return err
	}
	w.parts = append(w.parts, h)
	w.part++
	w.arena, w.records = w.arena[:0], w.records[:0]
	return nil
}

// group is records that go into one file.
type group struct {
	path   string
	format string
	rows   []int
}

// files writes the files of one format. entries, of the first format, get the places
// of the records.
func (w *RangeWriter) files(ctx context.Context, h *Header, format string, entries []Entry) (err error) {
	name := fmt.Sprintf("%08d-%03d", h.Range, h.Number)
	var groups []*group
	switch format {
	case CloudTrail:
		groups = w.cloudTrailGroups()
	case JSONLines:
		// A record with line breaks in it is no line: it goes into a file of the other
		// kind, so that its bytes stay as they are.
		lines, others := &group{path: "records/" + name + ".jsonl.gz", format: JSONLines}, &group{path: "records/" + name + "-with-line-breaks.json.gz", format: CloudTrail}
		for i := range w.records {
			if bytes.IndexByte(w.records[i].Raw, '\n') >= 0 {
				others.rows = append(others.rows, i)
			} else {
				lines.rows = append(lines.rows, i)
			}
		}
		for _, g := range []*group{lines, others} {
			if len(g.rows) > 0 {
				groups = append(groups, g)
			}
		}
	case Segments, Parquet:
		suffix := ".segment"
		if format == Parquet {
			suffix = ".parquet"
		}
		g := &group{path: format + "/" + name + suffix, format: format}
		for i := range w.records {
			g.rows = append(g.rows, i)
		}
		groups = []*group{g}
	}
	// Writing waits for disks and networks; files are written side by side. The context
	// ends them all when one fails, and no return leaves a write behind.
	ctx, cancel := context.WithCancelCause(ctx)
	var writes sync.WaitGroup
	limit := make(chan struct{}, writesMax)
	defer func() {
		writes.Wait()
		if failed := context.Cause(ctx); failed != nil {
			err = failed
		}
		cancel(nil)
	}()
	for _, g := range groups {
		f := File{Path: g.path, Format: g.format, Events: uint64(len(g.rows))}
		number := len(h.Files)
		place := func(row, at int) {
			if entries != nil {
				entries[row].File, entries[row].At = number, at
			}
		}
		content, err := w.encode(ctx, g, &f, place)
		if err != nil {
			return fmt.Errorf("writing %s: %w", g.path, err)
		}
		sum := sha256.Sum256(content)
		f.Bytes, f.SHA256 = int64(len(content)), hex.EncodeToString(sum[:])
		limit <- struct{}{}
		writes.Go(func() {
			defer func() { <-limit }()
			if err := w.Target.Write(ctx, f.Path, bytes.NewReader(content)); err != nil {
				cancel(err)
			}
		})
		h.Files = append(h.Files, f)
		if entries == nil {
			h.Copies++
		}
	}
	return nil
}

// encode makes a file's content.
func (w *RangeWriter) encode(ctx context.Context, g *group, f *File, place func(row, at int)) ([]byte, error) {
	if g.format == Segments || g.format == Parquet {
		records := make([]Record, 0, len(g.rows))
		for n, row := range g.rows {
			place(row, n)
			records = append(records, w.records[row])
		}
		encode := w.Encoders[g.format]
		if encode == nil {
			return nil, fmt.Errorf("there is no encoder of the format %q", g.format)
		}
		return encode(ctx, records)
	}
	w.packed.Reset()
	if w.gzip == nil {
		z, err := gzip.NewWriterLevel(&w.packed, gzipLevel)
		if err != nil {
			return nil, err
		}
		w.gzip = z
	}
	w.gzip.Reset(&w.packed)
	at := 0
	put := func(b []byte) error {
		n, err := w.gzip.Write(b)
		at += n
		return err
	}
	open, between, end := frameOf(g.format)
	err := put(open)
	for n, row := range g.rows {
		if n > 0 {
			err = errors.Join(err, put(between))
		}
		place(row, at)
		err = errors.Join(err, put(w.records[row].Raw))
	}
	err = errors.Join(err, put(end), w.gzip.Close())
	f.Content = int64(at)
	return bytes.Clone(w.packed.Bytes()), err
}

// frameOf returns what stands before, between and behind the records of a file.
func frameOf(format string) (open, between, end []byte) {
	if format == JSONLines {
		return nil, []byte("\n"), []byte("\n")
	}
	return []byte(cloudTrailOpen), []byte(","), []byte(cloudTrailClose)
}

// cloudTrailGroups puts the records into the files that CloudTrail would: by account,
// region and day.
func (w *RangeWriter) cloudTrailGroups() []*group {
	by := map[string]*group{}
	var keys []string
	for i := range w.records {
		r := &w.records[i]
		account, region := folder(r.Account, "no-account"), folder(r.Region, "no-region")
		t := r.Time.UTC()
		if y := t.Year(); y < 0 || y > 9999 {
			t = time.Unix(0, 0).UTC()
		}
		key := account + "/" + region + "/" + t.Format("2006/01/02")
		g := by[key]
		if g == nil {
			kind := "CloudTrail"
			if w.Selection.Schema == "insights" {
				kind = "CloudTrail-Insight"
			}
			unique := sha256.Sum256(fmt.Appendf(nil, "%s\n%d\n%d\n%s", w.Selection.Origin, w.number, w.part, key))
			g = &group{format: CloudTrail, path: fmt.Sprintf("records/AWSLogs/%s/%s/%s/%s/%s_%s_%s_%s_%s.json.gz", account, kind, region, t.Format("2006/01/02"),
				account, kind, region, t.Truncate(5*time.Minute).Format("20060102T1504Z"), letters(unique[:16]))}
			by[key] = g
			keys = append(keys, key)
		}
		g.rows = append(g.rows, i)
	}
	sort.Strings(keys)
	out := make([]*group, len(keys))
	for i, k := range keys {
		out[i] = by[k]
	}
	return out
}

// letters makes a name such as CloudTrail's files have at their ends.
func letters(b []byte) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
	out := make([]byte, len(b))
	for i, c := range b {
		out[i] = alphabet[int(c)%len(alphabet)]
	}
	return string(out)
}

// folder returns a text as the name of a folder; what could not be one is replaced.
func folder(s, other string) string {
	if s == "" || len(s) > 64 || s[0] == '-' || strings.IndexFunc(s, func(r rune) bool {
		return !(r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r == '-')
	}) >= 0 {
		return other
	}
	return s
}

// FinishedRange returns what the parts of a range have when an earlier run has written
// all of them, nil otherwise. sizes has the files that are there.
func FinishedRange(ctx context.Context, from Source, number uint64, sizes map[string]int64) ([]*Header, error) {
	var parts []*Header
	for n := 0; ; n++ {
		name := IndexName(number, n)
		if _, there := sizes[name]; !there {
			return nil, nil
		}
		r, err := from.Read(ctx, name)
		if err != nil {
			return nil, err
		}
		line, err := readLine(r, headerBytesMax)
		if err := errors.Join(err, r.Close()); err != nil {
			return nil, fmt.Errorf("reading %s: %w", name, err)
		}
		h, err := parseHeader(line)
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", name, err)
		}
		for i := range h.Files {
			if size, there := sizes[h.Files[i].Path]; !there || size != h.Files[i].Bytes {
				return nil, nil
			}
		}
		if parts = append(parts, h); h.Last {
			return parts, nil
		}
	}
}

// readLine reads the first line, without its newline.
func readLine(r io.Reader, limit int) ([]byte, error) {
	var out []byte
	buf := make([]byte, 4096)
	for len(out) <= limit {
		n, err := r.Read(buf)
		if i := bytes.IndexByte(buf[:n], '\n'); i >= 0 {
			return append(out, buf[:i]...), nil
		}
		out = append(out, buf[:n]...)
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("its first line is longer than %d bytes", limit)
}
