package wal

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Verify checks the whole log in dir as Open does, and changes nothing; no
// process may have the log open for writing. Each good record goes to visit
// (which may be nil) before the damage behind it is reported, so that what is
// whole in a damaged log can still be read.
func Verify(fs vfs.FS, dir string, visit func(pos Position, payload []byte) error) (Report, error) {
	s := scan{fs: fs, dir: dir, visit: visit}
	err := s.run(0)
	r := Report{Files: len(s.files), Records: s.records, Bytes: s.bytes, Torn: s.torn}
	if err != nil {
		return r, fmt.Errorf("checking write-ahead log %s: %w", dir, err)
	}
	return r, nil
}

// Report is what a verification saw.
type Report struct {
	Files   int     // files of the log
	Records int     // good records
	Bytes   int64   // sum of their payloads
	Torn    *Repair // what Open would cut off, or nil
}

// Verify reads back and checks every record that was synced when it was
// called, while the log is in use. Each goes to visit, which may be nil.
func (l *Log) Verify(visit func(pos Position, payload []byte) error) (Report, error) {
	// Files must not go while they are read.
	l.removal.RLock()
	defer l.removal.RUnlock()

	w := &l.w
	w.Lock()
	err := l.err()
	files := l.Files()
	next, synced, open := w.header, w.synced, w.file != nil
	carry, carryEnd := w.carry, int64(headerLen)
	w.Unlock()
	if errors.Is(err, ErrClosed) {
		return Report{}, err
	}

	s := scan{fs: l.fs, dir: l.dir, visit: visit, files: files}
	// Each file ends where the next one says; they are read newest first to
	// learn that, and then oldest first for the visitor.
	ends := make([]int64, len(files))
	for i := len(files) - 1; i >= 0; i-- {
		if i == len(files)-1 && open {
			ends[i] = synced
			continue
		}
		if i == len(files)-1 {
			ends[i] = next.prevEnd
			continue
		}
		r, err := openReader(l.fs, l.dir, files[i+1].Number)
		if err != nil {
			return Report{}, fmt.Errorf("checking write-ahead log %s: %w", l.dir, err)
		}
		ends[i] = r.header.prevEnd
		if err := r.close(); err != nil {
			return Report{}, fmt.Errorf("checking write-ahead log %s: %w", l.dir, err)
		}
	}
	for i, f := range files {
		if err := s.upTo(f.Number, ends[i]); err != nil {
			return s.report(), fmt.Errorf("checking write-ahead log %s: %w", l.dir, err)
		}
	}
	if !open {
		for _, payload := range carry {
			if err := s.record(Position{next.number, carryEnd}, payload); err != nil {
				return s.report(), err
			}
			carryEnd += frameLen + int64(len(payload))
		}
	}
	return s.report(), nil
}

func (s *scan) report() Report {
	return Report{Files: len(s.files), Records: s.records, Bytes: s.bytes, Torn: s.torn}
}

// upTo reads the records of a file up to end.
func (s *scan) upTo(number uint64, end int64) (err error) {
	r, err := openReader(s.fs, s.dir, number)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.close()) }()
	return r.records(end, func(off int64, payload []byte) error {
		return s.record(Position{number, off}, payload)
	})
}
