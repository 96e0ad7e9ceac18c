package wal

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Open opens the log in dir, which is created if need be (its parent must
// exist). It checks everything that is there and hands each record to replay, in
// order; replay may be nil. A payload is valid during the call only, and nothing
// may be made of the records before Open has returned without error. Records
// that Drop removed shortly before a crash may come again.
//
// Open refuses with *CorruptError when anything that was known to be synced is
// damaged or missing, and then changes nothing. Repair is nil when nothing was
// cut off. An error of replay ends it and is returned wrapped.
//
// The caller sees to it that only one process opens dir.
func Open(fs vfs.FS, dir string, opts Options, replay func(pos Position, payload []byte) error) (*Log, *Repair, error) {
	l := &Log{fs: fs, dir: dir, fileSize: opts.FileSize, rand: opts.Rand}
	if l.fileSize <= 0 {
		l.fileSize = DefaultFileSize
	}
	if l.rand == nil {
		l.rand = rand.Reader
	}
	if err := l.makeDir(); err != nil {
		return nil, nil, fmt.Errorf("opening write-ahead log %s: %w", dir, err)
	}
	s := scan{fs: fs, dir: dir, keepCarry: true, visit: replay}
	if err := s.run(opts.OldestNeeded); err != nil {
		return nil, nil, fmt.Errorf("opening write-ahead log %s: %w", dir, err)
	}
	if err := l.sweep(); err != nil {
		return nil, nil, fmt.Errorf("opening write-ahead log %s: %w", dir, err)
	}
	w := &l.w
	w.header = s.next()
	w.carry = s.carry
	l.state.files = s.files
	l.state.end = Position{w.header.number, s.carryEnd}
	if len(w.carry) == 0 {
		return l, s.torn, nil
	}

	// Records that may have been acknowledged but were not known to be synced:
	// replay has shown them, so they must not vanish with the next crash. They
	// get a file of their own now. On a full disk that fails; reading must be
	// possible then, so the second best is taken, syncing the old file, and the
	// first append that finds room makes up for it.
	err := l.begin()
	if errors.Is(err, ErrNoSpace) {
		err = l.syncLast(s.files[len(s.files)-1].Number)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("opening write-ahead log %s: %w", dir, err)
	}
	return l, s.torn, nil
}

// makeDir creates the directory of the log, durably.
func (l *Log) makeDir() error {
	if err := l.fs.MkdirAll(l.dir, 0o755); err != nil {
		return fmt.Errorf("creating the directory: %w", err)
	}
	names, err := l.fs.List(l.dir)
	if err != nil {
		return fmt.Errorf("reading the directory: %w", err)
	}
	for _, name := range names {
		if _, ok := parseFileName(name); ok {
			return nil
		}
	}
	// The directory may be new, or may come from a run that crashed right here;
	// its own entry must be on disk before any record is. With a file in it, that
	// was done.
	return syncDir(l.fs, l.fs.PathDir(l.dir))
}

// sweep removes what a crash left while a file was being created. Without its
// final name it holds nothing that anybody was told of.
func (l *Log) sweep() error {
	names, err := l.fs.List(l.dir)
	if err != nil {
		return fmt.Errorf("reading the directory: %w", err)
	}
	for _, name := range names {
		if strings.HasSuffix(name, tempSuffix) {
			if err := l.fs.Remove(l.fs.PathJoin(l.dir, name)); err != nil {
				return fmt.Errorf("removing an unfinished file: %w", err)
			}
		}
	}
	return nil
}

// syncLast syncs file number n in place.
func (l *Log) syncLast(n uint64) error {
	path := l.fs.PathJoin(l.dir, fileName(n))
	f, err := l.fs.Open(path)
	if err != nil {
		return fmt.Errorf("opening %s: %w", path, err)
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("syncing %s: %w", path, err)
	}
	return nil
}

func syncDir(fs vfs.FS, dir string) error {
	d, err := fs.OpenDir(dir)
	if err != nil {
		return fmt.Errorf("opening directory %s: %w", dir, err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("syncing directory %s: %w", dir, err)
	}
	return nil
}

// scan walks a closed log.
type scan struct {
	fs        vfs.FS
	dir       string
	visit     func(pos Position, payload []byte) error
	keepCarry bool

	files   []FileInfo
	headers []header
	last    tail // of the last file
	torn    *Repair
	records int
	bytes   int64

	carry    [][]byte // records of the last file that are not known to be synced, if keepCarry
	carryEnd int64    // where the file to be begun ends when it holds them
}

// next is the header of the file to be begun, without its salt.
func (s *scan) next() header {
	if len(s.headers) == 0 {
		return header{number: 1}
	}
	h := s.headers[len(s.headers)-1]
	return header{number: h.number + 1, prevSalt: h.salt, prevEnd: s.last.synced}
}

func (s *scan) run(oldestNeeded uint64) error {
	if err := s.list(oldestNeeded); err != nil {
		return err
	}
	s.carryEnd = headerLen
	for i, f := range s.files {
		if err := s.file(i, f.Number); err != nil {
			return err
		}
	}
	return nil
}

// list finds the files and holds their headers against each other.
func (s *scan) list(oldestNeeded uint64) error {
	names, err := s.fs.List(s.dir)
	if err != nil {
		return fmt.Errorf("reading the directory: %w", err)
	}
	var numbers []uint64
	for _, name := range names {
		if n, ok := parseFileName(name); ok {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	missing := func(n uint64, why string) error {
		return &CorruptError{s.fs.PathJoin(s.dir, fileName(n)), 0, "a file, " + why, "none"}
	}
	// Dropping leaves the newest file, so that after the first record there is
	// always one. The one needed may not have been begun yet if it is the next.
	if oldestNeeded > 1 && (len(numbers) == 0 || numbers[len(numbers)-1]+1 < oldestNeeded) {
		return missing(oldestNeeded, "the owner of the log still needs it")
	}
	if oldestNeeded > 0 && len(numbers) > 0 && numbers[0] > oldestNeeded {
		return missing(oldestNeeded, "the owner of the log still needs it")
	}
	for i, n := range numbers {
		if i > 0 && n != numbers[i-1]+1 {
			return missing(numbers[i-1]+1, fmt.Sprintf("for there is file %d", n))
		}
	}
	for i, n := range numbers {
		r, err := openReader(s.fs, s.dir, n)
		if err != nil {
			return err
		}
		h := r.header
		s.files = append(s.files, FileInfo{n, r.size})
		s.headers = append(s.headers, h)
		if err := r.close(); err != nil {
			return fmt.Errorf("closing %s: %w", r.path, err)
		}
		if i == 0 {
			continue
		}
		if prev := s.headers[i-1]; h.prevSalt != prev.salt {
			return &CorruptError{r.path, 32, fmt.Sprintf("%016x, the salt of the file before", prev.salt), fmt.Sprintf("%016x: one of the two is not of this log", h.prevSalt)}
		} else if h.prevEnd < prev.birth {
			return &CorruptError{r.path, 40, fmt.Sprintf("the end of the file before, at least %d", prev.birth), fmt.Sprint(h.prevEnd)}
		}
	}
	return nil
}

// file reads file i of the list.
func (s *scan) file(i int, number uint64) (err error) {
	r, err := openReader(s.fs, s.dir, number)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.close()) }()

	if i < len(s.files)-1 {
		return r.records(s.headers[i+1].prevEnd, func(off int64, payload []byte) error {
			return s.record(Position{number, off}, payload)
		})
	}

	t, err := r.inspect()
	if err != nil {
		// What is good before the damage still goes to the visitor.
		if bad := (*CorruptError)(nil); s.visit != nil && !s.keepCarry && errors.As(err, &bad) {
			rest := r.records(r.size, func(off int64, payload []byte) error {
				return s.record(Position{number, off}, payload)
			})
			if !errors.As(rest, new(*CorruptError)) && rest != nil {
				return rest
			}
		}
		return err
	}
	s.last = t
	if t.end < r.size {
		s.torn = &Repair{File: r.path, Offset: t.end, Dropped: r.size - t.end}
	}
	return r.records(t.end, func(off int64, payload []byte) error {
		pos := Position{number, off}
		if off >= t.synced {
			pos = Position{number + 1, s.carryEnd}
			s.carryEnd += frameLen + int64(len(payload))
			if s.keepCarry {
				s.carry = append(s.carry, slices.Clone(payload))
			}
		} else if end := off + frameLen + int64(len(payload)); end > t.synced {
			return &CorruptError{r.path, off, fmt.Sprintf("a record before offset %d, up to which everything was synced", t.synced), fmt.Sprintf("one that ends at %d", end)}
		}
		return s.record(pos, payload)
	})
}

// records reads the records up to end, where a frame must end.
func (r *reader) records(end int64, visit func(off int64, payload []byte) error) error {
	if end > r.size {
		return &CorruptError{r.path, r.size, fmt.Sprintf("frames up to offset %d, where the file ended when the next one was begun", end), "the end of the file"}
	}
	r.rewind()
	for r.off < end {
		off := r.off
		f, payload, err := r.next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		if r.off > end {
			return &CorruptError{r.path, off, fmt.Sprintf("a frame that ends at offset %d or before", end), fmt.Sprintf("one that ends at %d", r.off)}
		}
		if f.kind == kindMark {
			continue
		}
		if err := visit(off, payload); err != nil {
			return err
		}
	}
	return nil
}

// record counts a record and shows it to the visitor.
func (s *scan) record(pos Position, payload []byte) error {
	s.records++
	s.bytes += int64(len(payload))
	if s.visit == nil {
		return nil
	}
	if err := s.visit(pos, payload); err != nil {
		return fmt.Errorf("replaying the record at %s: %w", pos, err)
	}
	return nil
}
