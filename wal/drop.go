package wal

import (
	"fmt"

	"github.com/cockroachdb/errors/oserror"
)

// Drop removes the files whose records all lie before the given position,
// oldest first; the newest file always stays. After an error it may be called
// again.
func (l *Log) Drop(before Position) error {
	l.removal.Lock()
	defer l.removal.Unlock()
	for {
		l.state.Lock()
		err, files := l.state.err, l.state.files
		l.state.Unlock()
		if err != nil {
			return err
		}
		if len(files) < 2 || files[0].Number >= before.File {
			return nil
		}
		path := l.path(files[0].Number)
		if err := l.fs.Remove(path); err != nil && !oserror.IsNotExist(err) {
			return fmt.Errorf("dropping %s: %w", path, err)
		}
		// Each removal is synced before the next, because a crash must not
		// leave a gap. If it comes before the sync, the file may be back, and
		// its records with it.
		if err := syncDir(l.fs, l.dir); err != nil {
			return fmt.Errorf("dropping %s: %w", path, err)
		}
		l.state.Lock()
		l.state.files = l.state.files[1:]
		l.state.Unlock()
	}
}
