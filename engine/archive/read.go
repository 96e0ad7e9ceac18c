package archive

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path"

	"github.com/klauspost/compress/gzip"
)

// Kinds of what can be wrong with a bundle, for errors.Is.
var (
	// ErrManifest: manifest, signature or SHA256SUMS are not as they must be.
	ErrManifest = errors.New("the manifest is not as it must be")
	// ErrMissing: a file that the manifest names is not there.
	ErrMissing = errors.New("a file is missing")
	// ErrStranger: a file is there that the manifest does not name.
	ErrStranger = errors.New("a file that does not belong to the bundle")
	// ErrChanged: a file is not the one that the manifest names.
	ErrChanged = errors.New("a file was changed")
	// ErrRecords: index and records do not fit together.
	ErrRecords = errors.New("the records are not what their index says")
	// ErrTree: records or digests do not belong to the signed tree.
	ErrTree = errors.New("the tree is not the one that was signed")
	// ErrKey: signed by somebody who is not trusted.
	ErrKey = errors.New("the key is not trusted")
)

// dir is a bundle in a directory. Nothing outside of it is reached, whatever links
// there are.
type dir struct{ root *os.Root }

// Dir opens the bundle in a directory.
func Dir(name string) (Source, io.Closer, error) {
	root, err := os.OpenRoot(name)
	if err != nil {
		return nil, nil, err
	}
	return dir{root}, root, nil
}

// Read implements Source.
func (d dir) Read(_ context.Context, name string) (io.ReadCloser, error) {
	info, err := d.root.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file but %v", name, info.Mode().Type())
	}
	return d.root.Open(name)
}

// List implements Source. Links and devices are listed as files; reading them fails.
func (d dir) List(ctx context.Context, prefix string, fn func(name string, size int64) error) error {
	return fs.WalkDir(d.root.FS(), ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return errors.Join(err, ctx.Err())
		}
		if len(name) < len(prefix) || name[:len(prefix)] != prefix {
			return nil
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		return fn(path.Clean(name), info.Size())
	})
}

// newDir is a directory that a bundle is written to.
type newDir struct{ dir }

// NewDir makes a directory, if there is none, to write a bundle to.
func NewDir(name string) (Target, io.Closer, error) {
	if err := os.MkdirAll(name, 0o755); err != nil {
		return nil, nil, err
	}
	root, err := os.OpenRoot(name)
	if err != nil {
		return nil, nil, err
	}
	return newDir{dir{root}}, root, nil
}

// Write implements Target.
func (d newDir) Write(_ context.Context, name string, content io.Reader) error {
	if err := d.root.MkdirAll(path.Dir(name), 0o755); err != nil {
		return err
	}
	tmp := name + ".part"
	f, err := d.root.Create(tmp)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, content)
	if err := errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, d.root.Remove(tmp))
	}
	return d.root.Rename(tmp, name)
}

// readSmall reads a file whole.
func readSmall(ctx context.Context, from Source, name string, limit int64) ([]byte, error) {
	r, err := from.Read(ctx, name)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("%s: %w", name, ErrMissing)
		}
		return nil, err
	}
	b, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err := errors.Join(err, r.Close()); err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	if int64(len(b)) > limit {
		return nil, fmt.Errorf("%s is longer than %d bytes: %w", name, limit, ErrChanged)
	}
	return b, nil
}

// sumReader reads a file of the manifest and compares it with size and hash there.
type sumReader struct {
	f   *File
	r   io.ReadCloser
	sum hash.Hash
	n   int64
}

func openFile(ctx context.Context, from Source, f *File) (*sumReader, error) {
	r, err := from.Read(ctx, f.Path)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%s: %w", f.Path, ErrMissing)
		}
		return nil, fmt.Errorf("%s: %w", f.Path, err)
	}
	return &sumReader{f: f, r: r, sum: sha256.New()}, nil
}

// Read implements io.Reader; it gives no more than one byte beyond the file's size.
func (r *sumReader) Read(p []byte) (int, error) {
	if left := r.f.Bytes + 1 - r.n; int64(len(p)) > left {
		p = p[:max(left, 0)]
	}
	if len(p) == 0 {
		return 0, io.EOF
	}
	n, err := r.r.Read(p)
	r.n += int64(n)
	r.sum.Write(p[:n])
	return n, err
}

// finish reads what is left, closes the file and compares.
func (r *sumReader) finish() error {
	_, err := io.Copy(io.Discard, onlyReader{r})
	if err := errors.Join(err, r.r.Close()); err != nil {
		return fmt.Errorf("reading %s: %w", r.f.Path, err)
	}
	if r.n != r.f.Bytes {
		more := ""
		if r.n > r.f.Bytes {
			more = " or more"
		}
		return fmt.Errorf("%s has %d bytes%s instead of %d: %w", r.f.Path, r.n, more, r.f.Bytes, ErrChanged)
	}
	if got := hex.EncodeToString(r.sum.Sum(nil)); got != r.f.SHA256 {
		return fmt.Errorf("%s has the SHA-256 %s instead of %s: %w", r.f.Path, got, r.f.SHA256, ErrChanged)
	}
	return nil
}

// onlyReader hides whatever else a reader can do.
type onlyReader struct{ io.Reader }

// partReader reads a part: its index, and its records.
type partReader struct {
	from  Source
	files map[string]*File
	// filtered says that entries have paths.
	filtered bool

	contents [][]byte
	gzip     *gzip.Reader
}

// partRecords is a part that was read.
type partRecords struct {
	header  *Header
	entries []Entry
	// contents has the unpacked files of the first format, where records are parts of
	// them; nil for segments and Parquet.
	contents [][]byte
	rows     bool // At is a row
}

// record returns the bytes of an entry's record; nil when they are in a file that only
// the lake can read.
func (p *partRecords) record(e *Entry) []byte {
	if p.rows {
		return nil
	}
	return p.contents[e.File][e.At : e.At+e.Bytes]
}

// read reads the part, hashes files and records, and checks that index and files fit
// together in every byte.
func (r *partReader) read(ctx context.Context, formats []string, p *Part) (*partRecords, error) {
	out, err := r.index(ctx, formats, p)
	if err != nil {
		return nil, err
	}
	n := len(out.header.Files) - out.header.Copies
	if formats[0] == Segments || formats[0] == Parquet {
		out.rows = true
		for i := range out.entries {
			e := &out.entries[i]
			if e.File != 0 || e.At != i {
				return nil, fmt.Errorf("%s: record %d is said to be row %d of file %d: %w", p.Index, e.Seq, e.At, e.File, ErrRecords)
			}
		}
		if n != 1 || out.header.Files[0].Events != uint64(len(out.entries)) {
			return nil, fmt.Errorf("%s: one file with all records is expected: %w", p.Index, ErrRecords)
		}
	}
	for i := range out.header.Files {
		f := &out.header.Files[i]
		if i >= n || out.rows {
			err = r.whole(ctx, f)
		} else {
			var b []byte
			b, err = r.unpack(ctx, f, i)
			out.contents = append(out.contents, b)
		}
		if err != nil {
			return nil, err
		}
	}
	if !out.rows {
		if err := out.frames(p.Index, n); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// index reads the index of a part.
func (r *partReader) index(ctx context.Context, formats []string, p *Part) (*partRecords, error) {
	f := r.files[p.Index]
	in, err := openFile(ctx, r.from, f)
	if err != nil {
		return nil, err
	}
	out, err := r.entries(bufio.NewReaderSize(in, 1<<16), formats, p)
	// A changed file is told as that, whatever it looks like.
	if e := in.finish(); e != nil {
		return nil, e
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %w", p.Index, ErrRecords, err)
	}
	return out, nil
}

func (r *partReader) entries(in *bufio.Reader, formats []string, p *Part) (*partRecords, error) {
	line, err := longLine(in, headerBytesMax)
	if err != nil {
		return nil, err
	}
	h, err := parseHeader(line)
	if err != nil {
		return nil, err
	}
	if h.Events != p.Events || h.Bytes != p.Bytes || IndexName(h.Range, h.Number) != p.Index {
		return nil, errors.New("it is the index of another part, or says something else than the manifest")
	}
	var events uint64
	rows := formats[0] == Segments || formats[0] == Parquet
	for i := range h.Files {
		if f := r.files[h.Files[i].Path]; f == nil || *f != h.Files[i] {
			return nil, fmt.Errorf("it says something else of %s than the manifest", h.Files[i].Path)
		}
	}
	n := len(h.Files) - h.Copies
	if h.Copies < 0 || n < 1 || n > int(h.Events) {
		return nil, fmt.Errorf("%d files with %d copies are not those of %d records", len(h.Files), h.Copies, h.Events)
	}
	// What the files claim to have is allocated later; together it can be no more than
	// the records and what stands between them.
	room := h.Bytes + int64(h.Events+uint64(n))*frameBytesMax
	for i := range n {
		events += h.Files[i].Events
		room -= h.Files[i].Content
		if (h.Files[i].Format == Segments || h.Files[i].Format == Parquet) != rows || h.Files[i].Format == "" || room < 0 {
			return nil, fmt.Errorf("%s is not described as it must be", h.Files[i].Path)
		}
	}
	if events != h.Events {
		return nil, fmt.Errorf("its files have %d records, the part %d", events, h.Events)
	}
	out := &partRecords{header: h, entries: make([]Entry, 0, h.Events)}
	var bytes int64
	for {
		line, err := longLine(in, 8192)
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		if uint64(len(out.entries)) == h.Events {
			return nil, errors.New("it has more lines than records")
		}
		var e Entry
		if err := parseEntry(line, &e, r.filtered); err != nil {
			return nil, err
		}
		if k := len(out.entries); k > 0 && out.entries[k-1].Seq >= e.Seq || e.Seq/RangeEvents != h.Range || e.File >= n {
			return nil, fmt.Errorf("record %d does not stand where it should", e.Seq)
		}
		bytes += int64(e.Bytes)
		out.entries = append(out.entries, e)
	}
	if uint64(len(out.entries)) != h.Events || bytes != h.Bytes {
		return nil, fmt.Errorf("it has %d records of %d bytes instead of %d of %d", len(out.entries), bytes, h.Events, h.Bytes)
	}
	return out, nil
}

// longLine reads a line without its newline; io.EOF behind the last.
func longLine(in *bufio.Reader, limit int) ([]byte, error) {
	var long []byte
	for {
		b, err := in.ReadSlice('\n')
		switch {
		case err == nil && long == nil:
			return b[:len(b)-1], nil
		case err == nil:
			return append(long, b[:len(b)-1]...), nil
		case err == io.EOF && len(b) == 0 && long == nil:
			return nil, io.EOF
		case err == io.EOF:
			return nil, errors.New("its last line is not ended")
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, err
		}
		if long = append(long, b...); len(long) > limit {
			return nil, fmt.Errorf("a line is longer than %d bytes", limit)
		}
	}
}

// whole compares a file with its hash.
func (r *partReader) whole(ctx context.Context, f *File) error {
	in, err := openFile(ctx, r.from, f)
	if err != nil {
		return err
	}
	return in.finish()
}

// unpack reads a gzip file whose content has the length that the manifest says.
func (r *partReader) unpack(ctx context.Context, f *File, i int) ([]byte, error) {
	in, err := openFile(ctx, r.from, f)
	if err != nil {
		return nil, err
	}
	for len(r.contents) <= i {
		r.contents = append(r.contents, nil)
	}
	buf := r.contents[i]
	if int64(cap(buf)) <= f.Content {
		buf = make([]byte, f.Content+1)
		r.contents[i] = buf
	}
	buf = buf[:f.Content+1]
	packed := bufio.NewReaderSize(in, 1<<16)
	n := 0
	if r.gzip == nil {
		r.gzip = new(gzip.Reader)
	}
	if err = r.gzip.Reset(packed); err == nil {
		r.gzip.Multistream(false)
		// One byte more than there may be tells a bomb.
		if n, err = io.ReadFull(r.gzip, buf); err == io.ErrUnexpectedEOF || err == io.EOF {
			err = nil
		}
	}
	if err == nil {
		if _, e := packed.ReadByte(); e != io.EOF {
			err = errors.New("there is something behind its end")
		}
	}
	if e := in.finish(); e != nil {
		return nil, e
	}
	if err != nil {
		return nil, fmt.Errorf("%s: unpacking: %w: %w", f.Path, ErrRecords, err)
	}
	if int64(n) != f.Content {
		return nil, fmt.Errorf("%s unpacks to another length than %d: %w", f.Path, f.Content, ErrRecords)
	}
	return buf[:n], nil
}

// frames checks that the records fill their files, but for the brackets and commas that
// must be there.
func (p *partRecords) frames(index string, n int) error {
	at := make([]int, n)
	seen := make([]uint64, n)
	fail := func(f int, why string) error {
		return fmt.Errorf("%s and %s: %s: %w", index, p.header.Files[f].Path, why, ErrRecords)
	}
	expect := func(f int, want []byte) bool {
		if !bytes.HasPrefix(p.contents[f][at[f]:], want) {
			return false
		}
		at[f] += len(want)
		return true
	}
	for i := range p.entries {
		e := &p.entries[i]
		open, between, _ := frameOf(p.header.Files[e.File].Format)
		if seen[e.File] > 0 {
			open = between
		}
		if !expect(e.File, open) || e.At != at[e.File] || e.Bytes > len(p.contents[e.File])-e.At {
			return fail(e.File, fmt.Sprintf("record %d does not begin or end where it should", e.Seq))
		}
		at[e.File] += e.Bytes
		seen[e.File]++
	}
	for f := range n {
		_, _, end := frameOf(p.header.Files[f].Format)
		if !expect(f, end) || at[f] != len(p.contents[f]) || seen[f] != p.header.Files[f].Events {
			return fail(f, "there is something else than the records in it")
		}
	}
	return nil
}
