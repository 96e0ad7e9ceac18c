package engine

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"sort"
	"strings"
	"time"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cairndb/cairn/segment"
)

// Stats tells what is in a lake and what it costs.
type Stats struct {
	Dir    string
	Format int
	Stores []StoreStats
	// FreedBytes is what dropped events and deleted stores have taken on disk.
	FreedBytes int64
	// WALBytes is the size of the WAL files, DiskBytes that of all files of the
	// lake.
	WALBytes, DiskBytes int64
	// Database describes the key-value store, for people.
	Database string
}

// StoreStats tells what is in one store. Sizes are bytes.
type StoreStats struct {
	ID, Name string
	Created  time.Time
	// Events are those in sight, ExpiredEvents those that have expired and are still on
	// disk; the sizes are of both.
	Events, ExpiredEvents int64
	// Dropped is what has left.
	Dropped  DroppedStats
	RawBytes int64 // the records as they arrived
	// StoredBytes is what the sealed events take on disk, indexes included.
	StoredBytes int64
	// ViewBytes is what the groups of views take beside that.
	ViewBytes int64
	// SealedEvents and SealedRawBytes are the part of Events and RawBytes that
	// is in segments: StoredBytes / SealedEvents is the cost of an event.
	SealedEvents, SealedRawBytes int64
	Segments                     int
	// MemtableEvents and MemtableBytes are not sealed yet.
	MemtableEvents, MemtableBytes int64
	// First and Last are the smallest and largest event times; zero when there
	// are no events.
	First, Last time.Time
	// FloorBytes is what the random texts in the sealed events take at least, whatever
	// the encoding; 0 unless it was asked for (see StatsOptions).
	FloorBytes int64 `json:",omitempty"`
	// Columns are the bytes by column, largest first; a column is named by its
	// path, such as userIdentity.arn.
	Columns []SizeStat
	// Structures are the bytes by purpose (values, dictionaries, shapes,
	// postings, filters, directory …), largest first.
	Structures []SizeStat
}

// SizeStat is the size of one thing.
type SizeStat struct {
	Name  string
	Bytes int64
	// Floor is a column's part of FloorBytes: a text that several columns have counts for
	// the one that has it first.
	Floor int64 `json:",omitempty"`
}

// StatsOptions say what [Lake.StatsWith] finds out.
type StatsOptions struct {
	// Floor has all sealed events read, to tell how much of them is random.
	Floor bool
	// Progress, if not nil, is called as segments have been read, of how many in all
	// stores.
	Progress func(done, all int)
}

// Stats returns what is in the lake. It reads the directories of all segments.
func (l *Lake) Stats(ctx context.Context) (*Stats, error) {
	return l.StatsWith(ctx, StatsOptions{})
}

// StatsWith returns what is in the lake.
func (l *Lake) StatsWith(ctx context.Context, o StatsOptions) (*Stats, error) {
	end, err := l.begin()
	if err != nil {
		return nil, err
	}
	defer end()
	out := &Stats{Dir: l.dir, Format: FormatVersion, Database: l.db.Metrics()}
	if l.log != nil {
		out.WALBytes = l.log.Size()
	}
	if out.DiskBytes, err = diskBytes(l.base, l.dir); err != nil {
		return nil, fmt.Errorf("measuring the lake's files: %w", err)
	}
	l.cat.Lock()
	out.FreedBytes = int64(l.cat.goneBytes)
	l.cat.Unlock()
	done, all := 0, 0
	for _, s := range l.Stores() {
		s.mu.RLock()
		all += len(s.mu.segments)
		s.mu.RUnlock()
	}
	read := func() {
		done++
		if o.Progress != nil {
			o.Progress(done, max(done, all))
		}
	}
	for _, s := range l.Stores() {
		st, err := s.stats(ctx, o.Floor, read)
		if err != nil {
			return nil, fmt.Errorf("reading the sizes of store %s: %w", s.Name(), err)
		}
		out.FreedBytes += int64(st.Dropped.Bytes)
		out.Stores = append(out.Stores, *st)
	}
	return out, nil
}

func (s *Store) stats(ctx context.Context, random bool, read func()) (*StoreStats, error) {
	sn := s.snapshot()
	defer sn.release()
	st := &StoreStats{ID: s.ID(), Name: s.Name(), Created: s.Created(), Segments: len(sn.segments), Dropped: s.Retention().Dropped}
	first, last := int64(math.MaxInt64), int64(math.MinInt64)
	columns, structures := map[string]int64{}, map[string]int64{}
	f := newFloor(floorSample)
	for _, seg := range sn.segments {
		c := &seg.cat
		rows, none, err := sn.visible(ctx, seg)
		if err != nil {
			return nil, err
		}
		st.Events += shownRows(int64(c.Rows), rows, none)
		st.SealedEvents += int64(c.Rows)
		st.SealedRawBytes += int64(c.RawBytes)
		st.StoredBytes += int64(c.StoredBytes)
		first, last = min(first, c.MinTime), max(last, c.MaxTime)
		if err := seg.sizes(ctx, columns, structures); err != nil {
			return nil, err
		}
		if random {
			if err := seg.floorOf(ctx, f); err != nil {
				return nil, err
			}
		}
		read()
	}
	st.RawBytes = st.SealedRawBytes
	for _, v := range sn.views {
		st.MemtableEvents += int64(len(v.Rows()))
		st.MemtableBytes += v.Bytes()
		for i := range v.Rows() {
			if !sn.horizon.Expired(v.Rows()[i].Time) {
				st.Events++
			}
		}
		lo, hi := v.Times()
		first, last = min(first, lo), max(last, hi)
	}
	st.RawBytes += st.MemtableBytes
	st.ExpiredEvents = st.SealedEvents + st.MemtableEvents - st.Events
	if st.SealedEvents+st.MemtableEvents > 0 {
		st.First, st.Last = time.UnixMicro(first).UTC(), time.UnixMicro(last).UTC()
	}
	st.ViewBytes = structures["views"]
	st.Columns, st.Structures = largestFirst(columns), largestFirst(structures)
	floors := f.bytes()
	for i := range st.Columns {
		st.Columns[i].Floor = floors[st.Columns[i].Name]
	}
	for _, n := range floors {
		st.FloorBytes += n
	}
	return st, nil
}

// shownRows is how many of a segment's rows are in sight.
func shownRows(all int64, rows *roaring.Bitmap, none bool) int64 {
	switch {
	case none:
		return 0
	case rows != nil:
		return int64(rows.GetCardinality())
	}
	return all
}

// sizes adds the bytes of a segment by column and by structure.
func (s *sealed) sizes(ctx context.Context, columns, structures map[string]int64) error {
	r, err := s.reader(ctx)
	if err != nil {
		return err
	}
	z, err := r.Sizes(ctx)
	if err != nil {
		return s.fault(err)
	}
	structures["directory"] += z.Directory
	structures["shapes"] += z.Shapes
	structures["dictionaries"] += z.Dictionaries
	structures["codes"] += z.Codes
	structures["small columns"] += z.Tiny
	structures["values"] += z.Values
	structures["checksums"] += z.Checksums
	err = r.EachColumn(ctx, func(c segment.ColumnInfo) error {
		columns[strings.Join(c.Path, ".")] += c.Stored
		return nil
	})
	if err != nil {
		return s.fault(err)
	}
	return s.lake.db.Blocks(s.cat.Number, blockIndexDir, math.MaxUint8, func(kind byte, _ uint32, data []byte) error {
		switch kind {
		case blockIndexDir, blockFilter:
			structures["filters"] += int64(len(data))
		case blockPostings:
			structures["postings"] += int64(len(data))
		case blockViewHead, blockView:
			structures["views"] += int64(len(data))
		}
		return nil
	})
}

func largestFirst(m map[string]int64) []SizeStat {
	var out []SizeStat
	for name, n := range m {
		if n > 0 {
			out = append(out, SizeStat{Name: name, Bytes: n})
		}
	}
	sort.Slice(out, func(i, j int) bool {
		if out[i].Bytes != out[j].Bytes {
			return out[i].Bytes > out[j].Bytes
		}
		return out[i].Name < out[j].Name
	})
	return out
}

// diskBytes returns the size of all files below a directory. Files that go away
// meanwhile do not count.
func diskBytes(fs vfs.FS, dir string) (int64, error) {
	names, err := fs.List(dir)
	if err != nil {
		return 0, err
	}
	var sum int64
	for _, name := range names {
		path := fs.PathJoin(dir, name)
		info, err := fs.Stat(path)
		switch {
		case errors.Is(err, os.ErrNotExist):
		case err != nil:
			return 0, err
		case info.IsDir():
			n, err := diskBytes(fs, path)
			if err != nil && !errors.Is(err, os.ErrNotExist) {
				return 0, err
			}
			sum += n
		default:
			sum += info.Size()
		}
	}
	return sum, nil
}
