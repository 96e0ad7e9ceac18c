package engine

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// lockShared locks a file that can only be read, together with others who only read. Where
// there is no such file, on a copy that nobody has opened yet, nobody can be asked.
func lockShared(path string) (io.Closer, error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if err := syscall.FcntlFlock(f.Fd(), syscall.F_SETLK, &syscall.Flock_t{Type: syscall.F_RDLCK}); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// lockHolder returns the process that has a lock on path, 0 when that is not
// known. The system's own list is read: opening the file and closing it again
// would release a lock of this process.
func lockHolder(fs vfs.FS, path string) int {
	info, err := fs.Stat(path)
	if err != nil {
		return 0
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0
	}
	f, err := os.Open("/proc/locks")
	if err != nil {
		return 0
	}
	defer f.Close()
	// 1: POSIX  ADVISORY  WRITE 4242 fe:01:1234567 0 EOF
	inode := fmt.Sprintf(":%d", st.Ino)
	for lines := bufio.NewScanner(f); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) < 6 || fields[1] == "->" || !strings.HasSuffix(fields[5], inode) {
			continue
		}
		if pid, err := strconv.Atoi(fields[4]); err == nil && pid > 0 {
			return pid
		}
	}
	return 0
}
