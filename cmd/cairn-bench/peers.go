package main

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/klauspost/compress/gzip"

	"github.com/cairndb/cairn/engine/event"
	"github.com/cairndb/cairn/engine/logfile"
)

// A peer is another database, or another way to keep events in one, that gets the same events
// and the same questions.
type peer struct {
	// Name is what --peers and the results call it, title the heading of its column.
	name, title string
	// words are the texts of the questions in its dialect.
	words func(question) string
	// load makes its files in dir out of log files, which are CloudTrail's {"Records":[…]}.
	// It runs in a process of its own, so that its memory and CPU time are its own.
	load func(ctx context.Context, dir string, files []string) error
	// uses are the peers that must be loaded before; their files are not counted as its own.
	uses []string
	// files are what it keeps, below dir.
	files []string
	// open opens what load has made.
	open func(ctx context.Context, dir string) (*session, error)
}

// A session asks one peer.
type session struct {
	db *sql.DB
	// ask runs a text in place of db.
	ask     func(ctx context.Context, text string) ([][]string, error)
	version string
	inside  bool // it runs in this process
	// table is what the texts' "events" are in this database.
	table string
	close func() error
}

// errAbsent is what load returns where a peer is not installed.
var errAbsent = errors.New("not installed")

var peers = []*peer{duckParquet, duckNative, sqlite, postgres, clickhouse}

// peersNamed returns the peers of a list such as "duckdb,sqlite", those that they use before them.
func peersNamed(list string) ([]*peer, error) {
	if list == "none" {
		return nil, nil
	}
	wanted := map[string]bool{}
	for _, name := range strings.Split(list, ",") {
		i := slices.IndexFunc(peers, func(p *peer) bool { return p.name == name })
		if name != "all" && i < 0 {
			return nil, fmt.Errorf("--peers: there is no %q; there are %s", name, strings.Join(peerNames(), ", "))
		}
		for _, p := range peers {
			if name == "all" || p.name == name || slices.Contains(peers[i].uses, p.name) {
				wanted[p.name] = true
			}
		}
	}
	var out []*peer
	for _, p := range peers {
		if wanted[p.name] {
			out = append(out, p)
		}
	}
	return out, nil
}

func peerNames() []string {
	names := []string{"all", "none"}
	for _, p := range peers {
		names = append(names, p.name)
	}
	return names
}

// loadPeer loads a peer in a process of its own and says what that took.
func loadPeer(p *peer, dir, data string) (load, error) {
	self, err := os.Executable()
	if err != nil {
		return load{}, err
	}
	l, _, err := measure(p.title, self, "-load", p.name, "-data", data, "-dir", dir)
	if err != nil {
		return l, err
	}
	for _, name := range p.files {
		n, err := diskUse(filepath.Join(dir, name))
		if err != nil {
			return l, err
		}
		l.Bytes += n
	}
	return l, nil
}

// query runs a text and returns all rows as text.
func (s *session) query(ctx context.Context, text string) ([][]string, error) {
	if s.table != "" {
		text = strings.NewReplacer("FROM events", "FROM "+s.table, "JOIN events", "JOIN "+s.table).Replace(text)
	}
	if s.ask != nil {
		return s.ask(ctx, text)
	}
	rows, err := s.db.QueryContext(ctx, text)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	cols, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	var out [][]string
	values := make([]any, len(cols))
	for i := range values {
		values[i] = new(any)
	}
	for rows.Next() {
		if err := rows.Scan(values...); err != nil {
			return nil, err
		}
		row := make([]string, len(cols))
		for i, v := range values {
			if b, ok := (*v.(*any)).([]byte); ok {
				row[i] = string(b)
				continue
			}
			if *v.(*any) == nil {
				row[i] = null
				continue
			}
			row[i] = fmt.Sprint(*v.(*any))
		}
		out = append(out, row)
	}
	return out, rows.Err()
}

func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

func processCPU() float64 {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

// execAll runs statements one after the other.
func execAll(ctx context.Context, db *sql.DB, statements ...string) error {
	for _, s := range statements {
		if _, err := db.ExecContext(ctx, s); err != nil {
			return fmt.Errorf("%.80s…: %w", s, err)
		}
	}
	return nil
}

// eachRecord calls f with every record of log files; what f gets is valid until it returns.
func eachRecord(files []string, f func(record []byte) error) error {
	return eachOpen(files, func(r io.Reader) error {
		c := logfile.Open(r, logfile.Limits{})
		defer c.Close()
		for {
			buf, _, err := c.Next()
			if err == io.EOF {
				return nil
			}
			if err != nil {
				return err
			}
			n, err := event.ScanValue(buf)
			if err != nil {
				return err
			}
			if err := f(buf[:n]); err != nil {
				return err
			}
			c.Advance(n)
		}
	})
}

// eachFile calls f with the text of every log file.
func eachFile(files []string, f func(text []byte) error) error {
	return eachOpen(files, func(r io.Reader) error {
		text, err := plain(r)
		if err != nil {
			return err
		}
		return f(text)
	})
}

// eachOpen calls f with every file, opened, and says from time to time how far it is.
func eachOpen(files []string, f func(r io.Reader) error) error {
	said := time.Now()
	for i, name := range files {
		file, err := os.Open(name)
		if err == nil {
			err = errors.Join(f(file), file.Close())
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if time.Since(said) > 30*time.Second {
			step("%d of %d files", i+1, len(files))
			said = time.Now()
		}
	}
	return nil
}

// plain returns what a reader yields, unpacked if it is gzip.
func plain(from io.Reader) ([]byte, error) {
	r := bufio.NewReader(from)
	if magic, err := r.Peek(2); err != nil || magic[0] != 0x1f || magic[1] != 0x8b {
		return io.ReadAll(r)
	}
	z, err := gzip.NewReader(r)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(z)
}
