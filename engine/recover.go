package engine

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"sort"
	"syscall"

	"github.com/cairndb/cairn/engine/catalog"
	"github.com/cairndb/cairn/engine/crypt"
	"github.com/cairndb/cairn/engine/event"
	"github.com/cairndb/cairn/engine/lsm"
	"github.com/cairndb/cairn/engine/memtable"
	"github.com/cairndb/cairn/engine/retention"
	"github.com/cairndb/cairn/wal"
)

// open locks the directory and brings back what is in it.
//
//	FORMAT         there or not: a lake, or a directory to make one in
//	database       opened for reading only: catalogue, and blocks of each segment
//	log            read whole: its positions must not be ahead of the catalogue
//	database       opened for writing; segments that nobody names are dropped
//	memtables      what the log has and the segments do not
//	numbers        every store's sequence numbers must be dense
//
// Nothing is written before the first three have been found to be whole.
func (l *Lake) open() (err error) {
	exists, err := l.prepareDir()
	if err != nil {
		return err
	}
	if l.lock, err = lockDir(l.opts.FS, l.dir, l.opts.ReadOnly); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			if l.log != nil {
				err = errors.Join(err, l.log.Close())
			}
			if l.db != nil {
				err = errors.Join(err, l.db.Close())
			}
			err = errors.Join(err, l.lock.Close())
		}
	}()
	if !exists {
		if err := l.create(); err != nil {
			return err
		}
	}
	r := recovery{lake: l}
	if err := r.run(); err != nil {
		return l.openErr(err)
	}
	return l.loadInsights()
}

// prepareDir makes the directory unless it is there, and tells whether there is
// a lake in it.
func (l *Lake) prepareDir() (exists bool, err error) {
	fs := l.opts.FS
	if _, err := fs.Stat(l.dir); errors.Is(err, os.ErrNotExist) {
		if l.opts.MustExist || l.opts.ReadOnly {
			return false, failf(ErrNotFound, "there is no such directory")
		}
		if err := fs.MkdirAll(l.dir, 0o755); err != nil {
			return false, fmt.Errorf("making the directory: %w", err)
		}
		if err := syncDir(fs, fs.PathDir(l.dir)); err != nil {
			return false, err
		}
	} else if err != nil {
		return false, err
	}
	if err := l.openKeys(); err != nil {
		return false, err
	}
	n, err := readFormat(l.opts.FS, l.dir)
	if err != nil {
		return false, l.openErr(err)
	}
	if n > 0 {
		return true, l.wantsKeeper()
	}
	if l.opts.MustExist || l.opts.ReadOnly {
		return false, failf(ErrNotFound, "there is no lake in this directory")
	}
	names, err := fs.List(l.dir)
	if err != nil {
		return false, fmt.Errorf("reading the directory: %w", err)
	}
	if _, err := fs.Stat(fs.PathJoin(l.dir, restoringFile)); err == nil {
		return false, failf(ErrUnavailable, "a restore into this directory was begun and not finished: run it again")
	}
	for _, name := range names {
		switch name {
		case lockFile, formatFile + ".tmp", dbDir, keysFile, keysFile + ".tmp":
			// What is left when the making of a lake was cut short.
		case walDir, secretFile:
			// The log is made after FORMAT: this was a lake, and more than FORMAT
			// may be missing.
			return false, &CorruptionError{Place: fs.PathJoin(l.dir, formatFile), Err: errors.New("it is missing, but there is a log")}
		default:
			return false, failf(ErrBadInput, "the directory is not empty and holds no lake: there is %s", name)
		}
	}
	return false, nil
}

// create makes an empty lake. FORMAT comes last: without it, everything is made
// again.
func (l *Lake) create() error {
	if err := l.createKeys(); err != nil {
		return err
	}
	db, err := lsm.Open(l.opts.FS.PathJoin(l.dir, dbDir), l.dbOptions())
	if err != nil {
		return err
	}
	b := db.Batch()
	(&catalog.Head{Generation: 1, NextSegment: 1}).Put(b)
	if err := errors.Join(b.Commit(), db.Close()); err != nil {
		return err
	}
	return writeFormat(l.opts.FS, l.dir)
}

func (l *Lake) dbOptions() lsm.Options {
	return lsm.Options{
		FS:         l.opts.FS,
		CacheBytes: l.opts.CacheBytes / 2,
		ReadOnly:   l.opts.ReadOnly,
		Logger:     l.opts.Logger,
		OnHalt:     l.halt,
	}
}

// openErr gives an error of opening its kind.
func (l *Lake) openErr(err error) error {
	var damagedLog *wal.CorruptError
	var damagedCatalogue *catalog.CorruptError
	var damagedFile *crypt.CorruptError
	var noKey *crypt.KeyError
	switch {
	case errors.Is(err, ErrCorrupt):
	case errors.As(err, &noKey):
		return &kindError{kind: ErrRefused, err: err}
	case errors.As(err, &damagedFile):
		err = &CorruptionError{Place: damagedFile.File, Err: err}
	case errors.As(err, &damagedLog):
		err = &CorruptionError{Place: damagedLog.File, Err: err}
	case errors.As(err, &damagedCatalogue):
		err = &CorruptionError{Place: "catalogue", Err: err}
	case lsm.IsCorrupt(err):
		err = &CorruptionError{Place: "database", Err: err}
	default:
		return l.writeErr(err)
	}
	if !l.opts.ReadOnly {
		err = fmt.Errorf("%w; nothing was changed; what is whole can be read by opening the lake for reading only", err)
	}
	return err
}

// recovery is the state of an opening.
type recovery struct {
	lake  *Lake
	state *catalog.State
	runs  map[uint32][]*mem // by store, in order
	trees map[uint32]*tree  // by store
	// digests are the keys and the last digest of each store.
	digests recoveredDigests
	// ahead is the newest position that the log told of.
	ahead position
}

func (r *recovery) run() error {
	l := r.lake
	dir := l.opts.FS.PathJoin(l.dir, dbDir)
	exists, err := lsm.Exists(l.opts.FS, dir)
	if err != nil {
		return err
	}
	if !exists {
		return &CorruptionError{Place: dir, Err: errors.New("there is no database, though there is a lake")}
	}
	o := l.dbOptions()
	o.Verify = r.verify
	if l.opts.ReadOnly {
		o.Verify = nil
	}
	if l.db, err = lsm.Open(dir, o); err != nil {
		return databaseErr(dir, err)
	}
	if l.opts.ReadOnly {
		if err := r.verify(l.db); err != nil {
			return err
		}
	} else if err := r.sweep(); err != nil {
		return err
	}
	l.cat.head = r.state.Head
	l.cat.nextSegment = max(l.cat.nextSegment, r.state.Head.NextSegment)
	l.digests.keys, l.digests.shown.ring, l.digests.shown.last = r.digests.keys, r.digests.ring, r.digests.last
	return r.install()
}

// databaseErr gives an error of opening the database its kind. What is neither one
// of ours nor one of the operating system is about the content of its files.
func databaseErr(dir string, err error) error {
	var system syscall.Errno
	var path *fs.PathError
	var kind *kindError
	var logDamage *wal.CorruptError
	var catalogueDamage *catalog.CorruptError
	var noKey *crypt.KeyError
	switch {
	case errors.As(err, &noKey), errors.As(err, &system), errors.As(err, &path), errors.As(err, &kind), errors.As(err, &logDamage), errors.As(err, &catalogueDamage),
		errors.Is(err, ErrCorrupt), errors.Is(err, lsm.ErrHalted), errors.Is(err, wal.ErrNoSpace):
		return err
	}
	return &CorruptionError{Place: dir, Err: err}
}

// verify compares what the catalogue names with the blocks and the log. It
// changes nothing.
func (r *recovery) verify(db *lsm.DB) (err error) {
	if r.state, err = catalog.Load(db); err != nil {
		return err
	}
	if r.state.Head.Generation == 0 {
		return &CorruptionError{Place: "catalogue", Err: errors.New("it has no head")}
	}
	missing, err := db.Missing(r.named())
	if err != nil {
		return err
	}
	for _, n := range missing {
		if err := r.damage(&CorruptionError{Segment: n, Place: "database", Err: errors.New("it has no blocks, though the catalogue names it")}); err != nil {
			return err
		}
	}
	if err := r.readLog(); err != nil {
		return err
	}
	return r.recoverTrees(db)
}

// named returns the numbers of the segments that the catalogue names, ascending.
func (r *recovery) named() []uint64 {
	out := make([]uint64, 0, len(r.state.Segments))
	for i := range r.state.Segments {
		out = append(out, r.state.Segments[i].Number)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// damage returns the error, except when the lake is opened for reading only:
// then it is noted and the opening goes on.
func (r *recovery) damage(err *CorruptionError) error {
	if !r.lake.opts.ReadOnly {
		return err
	}
	r.lake.foundDamage = append(r.lake.foundDamage, Problem{Store: err.Store, Segment: err.Segment, Place: err.Place, What: err.Err.Error()})
	r.lake.opts.Logger.Error("damage found while opening", "error", err)
	return nil
}

// readLog reads the log into memtables. When reading only, the log is not
// opened, and what precedes damage in it is used.
func (r *recovery) readLog() error {
	l := r.lake
	r.runs = make(map[uint32][]*mem)
	r.ahead.next = make(map[uint32]uint64)
	dir := l.opts.FS.PathJoin(l.dir, walDir)
	if l.opts.ReadOnly {
		if _, err := l.opts.FS.Stat(dir); errors.Is(err, os.ErrNotExist) && r.state.Head.OldestLog == 0 {
			return r.comparePosition()
		}
		if _, err := wal.Verify(l.opts.FS, dir, r.replay); err != nil {
			if err := r.damage(&CorruptionError{Place: dir, Err: err}); err != nil {
				return err
			}
		}
		return r.comparePosition()
	}
	log, repair, err := wal.Open(l.opts.FS, dir, wal.Options{OldestNeeded: r.state.Head.OldestLog, Rand: l.opts.Rand}, r.replay)
	if err != nil {
		return err
	}
	l.log = log
	if repair != nil {
		l.opts.Logger.Warn("log repaired", "detail", repair.String())
	}
	return r.comparePosition()
}

// comparePosition refuses a catalogue that is older than the log says, and a log that
// ends before the place where it ended when the lake was closed.
func (r *recovery) comparePosition() error {
	r.lake.cat.ends = make(map[uint32]uint64, len(r.state.Ends))
	for _, end := range r.state.Ends {
		r.lake.cat.ends[end.Store] = end.Next
		next := uint64(0)
		if dropped := r.state.DroppedOf(end.Store); len(dropped) > 0 {
			next = dropped[len(dropped)-1].End
		}
		if segments := r.state.SegmentsOf(end.Store); len(segments) > 0 {
			next = max(next, segments[len(segments)-1].End())
		}
		if runs := r.runs[end.Store]; len(runs) > 0 {
			last := runs[len(runs)-1]
			next = max(next, last.First()+uint64(last.Len()))
		}
		if next >= end.Next {
			continue
		}
		err := r.damage(&CorruptionError{Place: r.lake.opts.FS.PathJoin(r.lake.dir, walDir), Err: fmt.Errorf(
			"store %d had %d events when the lake was closed, now the log ends after %d: its end is missing", end.Store, end.Next, next)})
		if err != nil {
			return err
		}
	}
	if r.ahead.generation > r.state.Head.Generation {
		return r.damage(&CorruptionError{Place: "database", Err: fmt.Errorf(
			"the catalogue is at change %d, but the log tells of change %d: the database has lost changes", r.state.Head.Generation, r.ahead.generation)})
	}
	return nil
}

// replay takes one record of the log.
func (r *recovery) replay(pos wal.Position, payload []byte) error {
	if len(payload) == 0 {
		return &CorruptionError{Place: "log record " + pos.String(), Err: errors.New("it is empty")}
	}
	switch payload[0] {
	case recordPosition:
		p, err := parsePosition(payload)
		if err != nil {
			return &CorruptionError{Place: "log record " + pos.String(), Err: err}
		}
		r.ahead.generation = max(r.ahead.generation, p.generation)
		return nil
	case recordAppend, recordSqueezed:
		var plain []byte
		var err error
		if payload[0] == recordSqueezed {
			plain, err = loosen(payload)
		} else {
			plain = bytes.Clone(payload)
		}
		var groups []group
		if err == nil {
			groups, err = parseAppend(plain)
		}
		if err != nil {
			return &CorruptionError{Place: "log record " + pos.String(), Err: err}
		}
		for _, g := range groups {
			if err := r.replayGroup(pos, g); err != nil {
				return err
			}
		}
		return nil
	}
	return &CorruptionError{Place: "log record " + pos.String(), Err: fmt.Errorf("type %q is not known", payload[0])}
}

// replayGroup puts the events of a group that no segment holds into memtables.
func (r *recovery) replayGroup(pos wal.Position, g group) error {
	at := func(err error) error {
		return &CorruptionError{Place: "log record " + pos.String(), Err: err}
	}
	known := false
	for i := range r.state.Stores {
		known = known || r.state.Stores[i].Number == g.store
	}
	for i := range r.state.Gone {
		if r.state.Gone[i].Store == g.store {
			return nil // deleted for good since
		}
	}
	if !known {
		return at(fmt.Errorf("it has events of store %d, which does not exist", g.store))
	}
	segments, dropped := r.state.SegmentsOf(g.store), r.state.DroppedOf(g.store)
	var ev event.Event
	for i, raw := range g.records {
		seq := g.first + uint64(i)
		if covered(segments, seq) || droppedAt(dropped, seq) != nil {
			continue
		}
		runs := r.runs[g.store]
		var m *mem
		if len(runs) > 0 {
			m = runs[len(runs)-1]
			next := m.First() + uint64(m.Len())
			if seq < next {
				// A record that the log carried over when it was last opened may come
				// twice: once where it was, once where it is now.
				if have := r.find(runs, seq); have == nil || !bytes.Equal(have, raw) {
					return at(fmt.Errorf("sequence number %d is given twice, to different records", seq))
				}
				continue
			}
			if seq > next || r.lake.full(m) {
				m = nil
			}
		}
		if m == nil {
			m = r.lake.newMem(seq)
			m.logFile = pos.File
			m.since = r.lake.opts.Clock()
			r.runs[g.store] = append(runs, m)
		}
		if err := event.Parse(raw, &ev); err != nil {
			return at(fmt.Errorf("event %d: %w", seq, err))
		}
		row := memtable.Row{Raw: raw, Time: ev.Time, Leaf: event.LeafHash(raw)}
		row.ID = ev.Identity(&row.Leaf)
		m.Append([]memtable.Row{row})
	}
	return nil
}

// find returns the record with a sequence number.
func (r *recovery) find(runs []*mem, seq uint64) []byte {
	for _, m := range runs {
		if rows := m.View().Rows(); seq >= m.First() && seq-m.First() < uint64(len(rows)) {
			return rows[seq-m.First()].Raw
		}
	}
	return nil
}

// covered reports whether a segment holds a sequence number.
func covered(segments []catalog.Segment, seq uint64) bool {
	i := sort.Search(len(segments), func(i int) bool { return segments[i].End() > seq })
	return i < len(segments) && segments[i].First <= seq
}

// sweep drops segments that no catalogue record names: a crash came between
// their ingestion and their record, or between the change that replaced them
// and their removal. Either way nobody was told that they are there.
func (r *recovery) sweep() error {
	l := r.lake
	if err := l.base.RemoveAll(l.base.PathJoin(l.dir, stageDir)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("removing what a backup has left: %w", err)
	}
	named := r.named()
	orphans, err := l.db.Orphans(named)
	if err != nil {
		return err
	}
	if n := len(named); n > 0 {
		l.cat.nextSegment = named[n-1] + 1
	}
	if len(orphans) == 0 {
		return nil
	}
	b := l.db.Batch()
	for _, n := range orphans {
		l.cat.nextSegment = max(l.cat.nextSegment, n+1)
		b.DropSegment(n)
	}
	l.opts.Logger.Info("dropping segments that a crash left", "count", len(orphans))
	return b.Commit()
}

// install makes the stores known and checks that their sequence numbers are
// dense.
func (r *recovery) install() error {
	l := r.lake
	for _, rec := range r.state.Stores {
		if event.TableNumbered(rec.Schema) == nil {
			return &CorruptionError{Store: rec.Name, Place: "catalogue", Err: fmt.Errorf("schema %d is not known to this program", rec.Schema)}
		}
		s := l.addStore(rec, retention.Policy{}, true)
		if err := r.installSelectors(s); err != nil {
			return err
		}
		s.tree = r.trees[rec.Number]
		runs := r.runs[rec.Number]
		segments := r.state.SegmentsOf(rec.Number)
		s.mu.dropped = r.state.DroppedOf(rec.Number)
		left := s.mu.dropped
		var next uint64
		for i, j := 0, 0; i < len(segments) || j < len(runs); {
			for len(left) > 0 && left[0].First == next {
				next, left = left[0].End, left[1:]
			}
			var from, to uint64
			if j == len(runs) || i < len(segments) && segments[i].First < runs[j].First() {
				from, to = segments[i].First, segments[i].End()
				s.mu.segments = append(s.mu.segments, l.newSealed(s, segments[i]))
				i++
			} else {
				from, to = runs[j].First(), runs[j].First()+uint64(runs[j].Len())
				s.mu.frozen = append(s.mu.frozen, runs[j])
				j++
			}
			if from != next {
				err := r.damage(&CorruptionError{Store: rec.Name, Err: fmt.Errorf(
					"sequence numbers jump from %d to %d: neither segments nor the log have those between", next, from)})
				if err != nil {
					return err
				}
			}
			next = to
		}
		for len(left) > 0 && left[0].First == next {
			next, left = left[0].End, left[1:]
		}
		if len(left) > 0 {
			err := r.damage(&CorruptionError{Store: rec.Name, Place: "catalogue", Err: fmt.Errorf(
				"events %d to %d were dropped, but those before are missing from %d on", left[0].First, left[0].End-1, next)})
			if err != nil {
				return err
			}
			next = left[len(left)-1].End
		}
		s.mu.next = next
		// The last run goes on growing unless it is full.
		if n := len(s.mu.frozen); n > 0 {
			last := s.mu.frozen[n-1]
			if last.First()+uint64(last.Len()) == next && !l.full(last) && !l.opts.ReadOnly {
				s.mu.active, s.mu.frozen = last, s.mu.frozen[:n-1:n-1]
			}
		}
		if s.mu.active.First() != next && s.mu.active.Len() == 0 {
			s.mu.active = l.newMem(next)
		}
		if !l.opts.ReadOnly {
			l.sealer.add(len(s.mu.frozen))
		}
	}
	for i := range r.state.Gone {
		l.cat.goneBytes += r.state.Gone[i].StoredBytes
	}
	if err := r.installRetention(); err != nil {
		return err
	}
	if err := r.installViews(); err != nil {
		return err
	}
	err := l.openTrails()
	var damaged *CorruptionError
	if errors.As(err, &damaged) {
		return r.damage(damaged)
	}
	return err
}
