package wal

import (
	"errors"
	"fmt"
	"io"
	"syscall"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// writeCategory is how the file system's statistics name these writes.
const writeCategory vfs.DiskWriteCategory = "wal"

// Append writes one record whose payload is the parts one after the other, and
// returns its position. It is durable after the next Sync that returns nil. The
// parts are copied. Errors: ErrTooLarge, ErrNoSpace (the record is not in the
// log, the log goes on), ErrHalted, ErrClosed, and others that say why no new
// file could be begun (the record is not in the log, the log goes on).
func (l *Log) Append(parts ...[]byte) (Position, error) {
	l.w.Lock()
	defer l.w.Unlock()
	return l.append(parts)
}

// Sync makes everything durable that was appended so far. If it fails, the log
// halts: whether these records are stored is unknown until it is opened again.
func (l *Log) Sync() error {
	l.w.Lock()
	defer l.w.Unlock()
	return l.sync()
}

// AppendSync is Append and, if that succeeds, Sync. After ErrNoSpace and
// ErrTooLarge the record is certainly not in the log, after ErrHalted it may be.
func (l *Log) AppendSync(parts ...[]byte) (Position, error) {
	l.w.Lock()
	defer l.w.Unlock()
	pos, err := l.append(parts)
	if err != nil {
		return Position{}, err
	}
	return pos, l.sync()
}

func (l *Log) append(parts [][]byte) (Position, error) {
	if err := l.err(); err != nil {
		return Position{}, err
	}
	w := &l.w
	size := int64(0)
	for _, p := range parts {
		size += int64(len(p))
	}
	if size > MaxRecord {
		return Position{}, fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, size, MaxRecord)
	}
	full := w.end+frameLen+size > l.fileSize && w.last > w.header.birth
	if w.file == nil || w.ended || full {
		if err := l.rotate(); err != nil {
			return Position{}, err
		}
	}

	w.buf = appendRecord(w.buf[:0], &w.header, w.end, w.synced, parts...)
	pos := Position{w.header.number, w.end}
	n := int64(len(w.buf))
	err := l.write(w.buf)
	if cap(w.buf) > bufferKept {
		w.buf = nil
	}
	if err != nil {
		return Position{}, fmt.Errorf("writing a record of %d bytes: %w", size, err)
	}
	w.end += n
	w.last = w.end
	l.publish()
	return pos, nil
}

// write adds b to the file, whole or not at all as far as any reader is
// concerned. It does not move the end.
func (l *Log) write(b []byte) error {
	w := &l.w
	_, err := w.file.Write(b)
	if err == nil {
		return nil
	}
	err = fmt.Errorf("writing %s at offset %d: %w", l.path(w.header.number), w.end, err)
	if !noSpace(err) {
		return l.halt(err)
	}
	// Some of b may be in the file, never all of it: at least its last byte
	// found no room, so no reader takes it for a good frame. Nothing can be
	// written behind it. After a crash now it is a torn tail; and once the next
	// file has been begun, it lies behind the end that file records.
	w.ended = true
	return fmt.Errorf("%w: %w", ErrNoSpace, err)
}

func (l *Log) sync() error {
	if err := l.err(); err != nil {
		return err
	}
	w := &l.w
	if w.file == nil || w.last <= w.synced {
		return nil
	}
	if err := l.syncFile(); err != nil {
		return err
	}
	if w.ended {
		return nil
	}
	// A crash here: the records are on disk and about to be acknowledged, and
	// nothing says so yet. Opening finds them good and keeps them.
	//
	// The mark that says so is not synced. If it cannot be written the records
	// are durable all the same: with no space left the file takes no more,
	// after any other error the next call hears that the log has halted.
	f := frame{kind: kindMark, synced: w.synced, sum: emptySum}
	f.put(w.mark[:], &w.header, w.end)
	if err := l.write(w.mark[:]); err == nil {
		w.end += frameLen
		l.publish()
	}
	return nil
}

// syncFile syncs the file. All records in it are durable then.
func (l *Log) syncFile() error {
	w := &l.w
	if err := w.file.SyncData(); err != nil {
		return l.halt(fmt.Errorf("syncing %s: %w", l.path(w.header.number), err))
	}
	w.synced = w.last
	return nil
}

// Rotate ends the file in use and begins the next one, if there are records in it; what
// is appended from then on shares no file with what was appended before, which [Log.Drop]
// can remove.
func (l *Log) Rotate() error {
	l.w.Lock()
	defer l.w.Unlock()
	if err := l.err(); err != nil {
		return err
	}
	if l.w.file == nil || l.w.last <= headerLen {
		return nil
	}
	return l.rotate()
}

// rotate begins the next file, which ends the one in use at its last record.
func (l *Log) rotate() error {
	w := &l.w
	if w.file == nil {
		return l.begin()
	}
	// The header of the next file declares everything up to here synced, so it
	// has to be. Marks behind the last record are left behind.
	if w.last > w.synced {
		if err := l.syncFile(); err != nil {
			return err
		}
	}
	old, oldHeader := w.file, w.header
	// A file without any record that a full disk ended is replaced, under the
	// same number, so that retrying does not leave a trail of empty files.
	if w.last > headerLen {
		w.header = header{number: oldHeader.number + 1, prevSalt: oldHeader.salt, prevEnd: w.last}
	}
	if err := l.begin(); err != nil {
		w.header = oldHeader
		return err
	}
	if err := old.Close(); err != nil {
		return l.halt(fmt.Errorf("closing %s: %w", l.path(oldHeader.number), err))
	}
	return nil
}

// begin creates the file that w.header describes, with the records to be
// carried over, and makes it the one in use. If it fails without halting the
// log, nothing has changed.
func (l *Log) begin() error {
	w := &l.w
	h := w.header
	var salt [8]byte
	if _, err := io.ReadFull(l.rand, salt[:]); err != nil {
		return fmt.Errorf("beginning write-ahead log file %d: reading randomness: %w", h.number, err)
	}
	h.salt = le.Uint64(salt[:])
	h.birth = headerLen
	for _, payload := range w.carry {
		h.birth += frameLen + int64(len(payload))
	}
	b := h.append(nil)
	for _, payload := range w.carry {
		b = appendRecord(b, &h, int64(len(b)), headerLen, payload)
	}

	path := l.path(h.number)
	temp := l.fs.PathJoin(l.dir, fmt.Sprintf("%06d%s", h.number, tempSuffix))
	file, err := l.fs.Create(temp, writeCategory)
	if err != nil {
		return spaceOr(fmt.Errorf("creating %s: %w", temp, err))
	}
	// abandon gives up a file that has no name yet. If removing it fails too, it
	// is replaced by the next attempt or removed by the next opening.
	abandon := func(err error) error {
		_ = file.Close()
		_ = l.fs.Remove(temp)
		return err
	}
	if _, err := file.Write(b); err != nil {
		return abandon(spaceOr(fmt.Errorf("writing %s: %w", temp, err)))
	}
	// A crash up to here leaves an unnamed file that opening removes.
	if err := file.Sync(); err != nil {
		return abandon(l.halt(fmt.Errorf("syncing %s: %w", temp, err)))
	}
	if err := l.fs.Rename(temp, path); err != nil {
		err = fmt.Errorf("renaming %s: %w", temp, err)
		if noSpace(err) {
			return abandon(spaceOr(err))
		}
		return abandon(l.halt(err))
	}
	// A crash here leaves the file with either name. Under its final one it is
	// whole and ends its predecessor, of which everything before that end is
	// synced; under the other it is removed, and the predecessor is the last
	// file as before.
	if err := syncDir(l.fs, l.dir); err != nil {
		return errors.Join(l.halt(err), file.Close())
	}

	w.file, w.header, w.carry, w.ended = file, h, nil, false
	w.end, w.last, w.synced = h.birth, h.birth, h.birth
	l.publish()
	return nil
}

// publish shows others where the log ends now.
func (l *Log) publish() {
	w := &l.w
	l.state.Lock()
	defer l.state.Unlock()
	l.state.end = Position{w.header.number, w.end}
	files := l.state.files
	if n := len(files); n == 0 || files[n-1].Number != w.header.number {
		l.state.files = append(files, FileInfo{Number: w.header.number, Size: w.end})
	} else {
		files[n-1].Size = w.end
	}
}

// Close makes everything durable that was appended, the mark that says so
// included, and closes the log. The log is closed also if that fails.
func (l *Log) Close() error {
	w := &l.w
	w.Lock()
	defer w.Unlock()
	err := l.err()
	if errors.Is(err, ErrClosed) {
		return err
	}
	if err == nil {
		err = l.sync()
	}
	if err == nil && w.file != nil && w.end > w.synced {
		err = l.syncFile()
	}
	if w.file != nil {
		if cerr := w.file.Close(); cerr != nil {
			err = errors.Join(err, fmt.Errorf("closing %s: %w", l.path(w.header.number), cerr))
		}
		w.file = nil
	}
	l.state.Lock()
	l.state.err = ErrClosed
	l.state.Unlock()
	return err
}

func (l *Log) path(n uint64) string { return l.fs.PathJoin(l.dir, fileName(n)) }

// noSpace says whether err means that there is no room for a write now.
func noSpace(err error) bool {
	return vfs.IsNoSpaceError(err) || errors.Is(err, syscall.EDQUOT)
}

// spaceOr adds ErrNoSpace to an error that means it.
func spaceOr(err error) error {
	if noSpace(err) {
		return fmt.Errorf("%w: %w", ErrNoSpace, err)
	}
	return err
}
