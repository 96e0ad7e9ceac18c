package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"sort"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cairndb/cairn/engine/catalog"
	"github.com/cairndb/cairn/engine/event"
	"github.com/cairndb/cairn/engine/logfile"
	"github.com/cairndb/cairn/engine/mapping"
	"github.com/cairndb/cairn/engine/retention"
	"github.com/cairndb/cairn/segment"
)

// How an import works.
//
// Files are taken in order of time, in groups of neighbours that together fill
// about one segment. A worker reads a group: one scan per record, which splits it
// into columns, checks it, and hashes it. The result is a chunk: the rows of a
// segment to be, and what else there is to tell about the files. A group of large
// files makes several chunks.
//
//	read          in parallel            worker: files → chunk
//	compare       one after the other,   chunk against segments, memtables and
//	              in file order          the chunks before it: duplicates go
//	encode        in parallel            chunk → segment, written and ingested
//	commit        one after the other,   numbers given out; catalogue: the segment
//	              in file order          and how far its files have been read
//
// Because a commit holds the marks of the files, and commits follow the order of
// the files, an import that was ended anywhere goes on behind its last commit,
// and gives the same events the same numbers as one that was not.
//
// Memory is bounded by the number of shredders, one more than there are workers.
// The last free one is kept for the group whose turn it is, or everybody could
// wait for everybody.

const (
	// importFill is how much of a segment a group is planned to fill. The plan is
	// an estimate; what does not fit makes a small segment.
	importFill = 0.95

	// importChunkBytes bounds the record bytes of a chunk, for large records.
	importChunkBytes = 160 << 20

	// importNotesMax bounds the rejected ranges that a chunk remembers.
	importNotesMax = 20_000

	// Rows per stored byte that the first groups are planned with: high, because a
	// group too small costs less than one too large.
	importRowsPerByte = 1.0 / 250

	// progressInterval is how often progress is told.
	progressInterval = 200 * time.Millisecond

	// contextInterval is how many records are read between looks at the context.
	contextInterval = 256
)

// importer is the state of one import.
type importer struct {
	ctx     context.Context
	lake    *Lake
	store   *Store
	opts    ImportOptions
	workers int
	started time.Time
	// tooOld is the line behind which events are not taken, as it was at the start.
	tooOld retention.Horizon

	files []*importFile // those to read, in order

	mu      sync.Mutex
	changed *sync.Cond // of any of the following
	err     error      // the first; ends everything
	next    int        // the first of files that no group has
	groups  int        // groups given out
	compare turn       // whose chunk is compared next
	commit  turn       // whose chunk is committed next
	free    []*chunk
	made    int                         // chunks made, at most workers+1
	flying  []*chunk                    // compared, not yet committed
	seen    struct{ rows, bytes int64 } // of the files read to their end
	report  ImportReport
	reasons map[string]*ImportReason
	listed  []string // reasons in order of their first case

	// inFlight is held for reading while chunks of flying are compared with, for
	// writing while such a chunk changes. Locked before mu.
	inFlight sync.RWMutex

	progress struct {
		sync.Mutex // held while Progress is called
		ImportProgress
	}
	read struct{ records, raw, bytes, files atomic.Int64 }
}

// turn names a chunk: its group, and its place in the group.
type turn struct{ group, part int }

// importFile is a file to be imported.
type importFile struct {
	logfile.File
	from int64        // where to go on, in bytes of decompressed content
	mark catalog.Mark // how far it is committed; whose turn it is to commit, owns it
}

// chunk is the rows of a segment to be.
type chunk struct {
	sh    *shredder
	known idSet // rows of sh by identity

	at    turn
	last  bool // of its group
	files []chunkFile
	notes []note
	raw   int64 // record bytes of the rows
	// conflict marks rows that share an identity with another event.
	conflict map[int]bool
	// next is the store's next sequence number when the chunk was compared.
	next uint64
}

// chunkFile is what a chunk has of one file.
type chunkFile struct {
	file *importFile
	rows int // rows of the chunk up to and with this file
	// What became of the file's records in this chunk beside the rows.
	duplicates, refused int64
	offset              int64 // read up to here
	done                bool
	rejected            bool // the file as a whole, or its rest
}

// note is a range of a file that was not taken.
type note struct {
	file   *importFile
	path   string
	offset int64
	reason string
	detail string
	whole  bool  // the file as a whole, or its rest
	time   int64 // of an event that is too old
}

func newImporter(ctx context.Context, l *Lake, s *Store, opts ImportOptions) *importer {
	imp := &importer{ctx: ctx, lake: l, store: s, opts: opts, started: time.Now(), reasons: make(map[string]*ImportReason)}
	imp.changed = sync.NewCond(&imp.mu)
	imp.tooOld = s.tooOld()
	imp.workers = opts.Workers
	if imp.workers <= 0 {
		imp.workers = l.opts.Workers
	}
	imp.report.Store = s.Name()
	return imp
}

// run does the import.
func (imp *importer) run() error {
	files, rejects := logfile.Walk(imp.lake.opts.FS, imp.opts.Paths)
	imp.report.Files = len(files) + len(rejects)
	for _, r := range rejects {
		imp.report.FilesRejected++
		imp.count(&note{path: r.Path, reason: string(r.Reason), detail: r.Error(), whole: true})
	}
	if err := imp.choose(files); err != nil {
		return err
	}
	stop := imp.tellProgress()
	defer stop()
	cancel := context.AfterFunc(imp.ctx, func() { imp.fail(imp.ctx.Err()) })
	defer cancel()
	halt := make(chan struct{})
	defer close(halt)
	go func() {
		select {
		case <-imp.lake.haltedCh:
			imp.fail(imp.lake.haltErr())
		case <-halt:
		}
	}()
	var readers sync.WaitGroup
	var finishers sync.WaitGroup
	for range imp.workers {
		readers.Add(1)
		go func() {
			defer readers.Done()
			for imp.readGroup(&finishers) {
			}
		}()
	}
	readers.Wait()
	finishers.Wait()
	imp.mu.Lock()
	defer imp.mu.Unlock()
	return imp.err
}

// choose takes the files that are to be read.
func (imp *importer) choose(files []logfile.File) error {
	fs := imp.lake.opts.FS
	for _, f := range files {
		file := &importFile{File: f}
		file.mark = catalog.Mark{Store: imp.store.rec.Number, Path: markPath(fs, f.Path, imp.opts.Mapping), Size: uint64(f.Size)}
		info, err := fs.Stat(f.Path)
		if err == nil {
			file.mark.Modified = info.ModTime().UnixNano()
		}
		old, err := catalog.FindMark(imp.lake.db, imp.store.rec.Number, file.mark.Path)
		if err != nil {
			return imp.lake.openErr(err)
		}
		if old != nil && old.Size == file.mark.Size && old.Modified == file.mark.Modified && !imp.opts.Again {
			if old.Done {
				imp.report.FilesBefore++
				imp.report.RecordsBefore += int64(old.Stored + old.Conflicts + old.Duplicates + old.Refused)
				continue
			}
			file.mark, file.from = *old, int64(old.Offset)
		}
		imp.files = append(imp.files, file)
		imp.progress.Bytes += f.Size
	}
	imp.progress.Files = len(imp.files)
	return nil
}

// markPath is the path that a file's mark is kept under. On the machine's own
// file system it does not depend on the working directory. A file that was read as one product's is
// another one when it is read as another's, or as what it is.
func markPath(fs vfs.FS, path string, as *mapping.Mapping) string {
	if vfs.Root(fs) == vfs.Default {
		if abs, err := filepath.Abs(path); err == nil {
			path = abs
		}
	}
	if as != nil {
		path += "\x00as " + as.Name() // which no path has
	}
	return path
}

// fail ends the import.
func (imp *importer) fail(err error) {
	imp.mu.Lock()
	defer imp.mu.Unlock()
	if imp.err == nil && err != nil {
		imp.err = err
	}
	imp.changed.Broadcast()
}

// nextGroup gives out the next files, as many as fill a segment by what is known
// about rows per byte.
func (imp *importer) nextGroup() (files []*importFile, group int) {
	imp.mu.Lock()
	defer imp.mu.Unlock()
	if imp.err != nil || imp.next == len(imp.files) {
		return nil, 0
	}
	perByte := importRowsPerByte
	if imp.seen.bytes > 0 {
		perByte = float64(imp.seen.rows) / float64(imp.seen.bytes)
	}
	want := importFill * float64(imp.lake.opts.SegmentRows)
	var rows float64
	from := imp.next
	for imp.next < len(imp.files) {
		add := perByte * float64(imp.files[imp.next].Size)
		if imp.next > from && rows+add > want {
			break
		}
		rows += add
		imp.next++
	}
	group = imp.groups
	imp.groups++
	return imp.files[from:imp.next], group
}

// take waits for a chunk to fill. It returns nil when the import has ended.
func (imp *importer) take(at turn) *chunk {
	imp.mu.Lock()
	defer imp.mu.Unlock()
	for {
		if imp.err != nil {
			return nil
		}
		free := len(imp.free) + imp.workers + 1 - imp.made
		if free > 1 || free == 1 && imp.commit.group == at.group {
			break
		}
		imp.changed.Wait()
	}
	var c *chunk
	if n := len(imp.free); n > 0 {
		c, imp.free = imp.free[n-1], imp.free[:n-1]
	} else {
		c = &chunk{sh: newShredder(imp.store.schema)}
		imp.made++
	}
	c.reset(at)
	return c
}

func (c *chunk) reset(at turn) {
	c.sh.reset()
	c.known.reset()
	*c = chunk{sh: c.sh, known: c.known, at: at, files: c.files[:0], notes: c.notes[:0]}
}

// readGroup reads one group and has its chunks finished. It returns false when
// there is nothing left to do.
func (imp *importer) readGroup(finishers *sync.WaitGroup) bool {
	files, group := imp.nextGroup()
	if files == nil {
		return false
	}
	c := imp.take(turn{group: group})
	finish := func(c *chunk) {
		finishers.Add(1)
		go func() {
			defer finishers.Done()
			if err := imp.finish(c); err != nil {
				imp.fail(err)
			}
			// Whoever compares with the chunk has to be done with it.
			imp.inFlight.Lock()
			defer imp.inFlight.Unlock()
			imp.mu.Lock()
			imp.free = append(imp.free, c)
			imp.changed.Broadcast()
			imp.mu.Unlock()
		}()
	}
	for _, f := range files {
		if c == nil {
			return false
		}
		if c = imp.readFile(c, f, finish); c == nil {
			return false
		}
	}
	c.last = true
	finish(c)
	return true
}

// readFile reads a file into a chunk. Full chunks are finished on the way; it
// returns the one that is being filled, nil when the import has ended.
func (imp *importer) readFile(c *chunk, f *importFile, finish func(*chunk)) *chunk {
	cf := &chunkFile{file: f, offset: f.from}
	flush := func() bool {
		c.end(*cf)
		part := c.at
		finish(c)
		part.part++
		c = imp.take(part)
		cf = &chunkFile{file: f, offset: cf.offset}
		return c != nil
	}
	src, err := imp.lake.opts.FS.Open(f.Path)
	if err != nil {
		c.note(cf, note{file: f, path: f.Path, reason: string(logfile.Unreadable), detail: err.Error(), whole: true})
		c.end(*cf)
		imp.endFile(f, 0)
		return c
	}
	defer src.Close()
	cur := logfile.Open(src, logfile.Limits{})
	defer cur.Close()
	var rows, packed int64
	for i := 0; ; i++ {
		if i%contextInterval == 0 {
			now, _ := cur.Progress()
			imp.read.bytes.Add(now - packed)
			packed = now
			if imp.ended() {
				return nil
			}
		}
		buf, offset, err := cur.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			var r *logfile.Reject
			if !errors.As(err, &r) {
				r = &logfile.Reject{Reason: logfile.Unreadable, Err: err}
			}
			if r.Offset+r.Length >= f.from {
				c.note(cf, note{file: f, path: f.Path, offset: r.Offset, reason: string(r.Reason), detail: r.Error(), whole: r.ToEnd || r.Length == 0})
			}
			continue
		}
		if offset < f.from {
			pass(cur, buf, &c.sh.ev)
			continue
		}
		var made *mappedRecord
		if imp.opts.Mapping != nil {
			made = imp.mapRecord(buf)
		}
		if (c.full(imp.lake.opts.SegmentRows) || !made.fits(c.sh.rows(), imp.lake.opts.SegmentRows)) && !flush() {
			return nil
		}
		var n, added int
		if made != nil {
			n, added = c.addMapped(cf, f, cur, made, offset, &imp.tooOld)
		} else {
			n, added = c.add(cf, f, cur, buf, offset, &imp.tooOld)
		}
		rows += int64(added)
		imp.read.records.Add(1)
		imp.read.raw.Add(int64(n))
		_, content := cur.Progress()
		cf.offset = content
	}
	now, content := cur.Progress()
	imp.read.bytes.Add(now - packed)
	cf.offset = content
	cf.done = true
	c.end(*cf)
	imp.endFile(f, rows)
	return c
}

// pass leaves a record behind that an earlier run has taken.
func pass(cur *logfile.Cursor, buf []byte, ev *event.Event) {
	if n, _ := event.Scan(buf, ev); n > 0 {
		cur.Advance(n)
		return
	}
	cur.Skip()
}

// endFile counts a file that has been read.
func (imp *importer) endFile(f *importFile, rows int64) {
	imp.read.files.Add(1)
	imp.mu.Lock()
	defer imp.mu.Unlock()
	if f.from == 0 {
		imp.seen.rows += rows
		imp.seen.bytes += f.Size
	}
}

func (imp *importer) ended() bool {
	imp.mu.Lock()
	defer imp.mu.Unlock()
	return imp.err != nil
}

// keep keeps the row that was added last, of a record of n bytes, unless it has expired or is there
// already. It returns how many rows are kept.
func (c *chunk) keep(cf *chunkFile, f *importFile, n int, offset int64, tooOld *retention.Horizon) int {
	sh := c.sh
	row := len(sh.ids) - 1
	if t := sh.times[row]; tooOld.Expired(t) {
		detail := "event time " + timeText(t)
		sh.undo()
		c.note(cf, note{file: f, path: f.Path, offset: offset, reason: reasonExpired, detail: detail, time: t})
		return 0
	}
	for old := c.known.find(sh.ids[:row], &sh.ids[row]); old >= 0; old = c.known.before(old) {
		if sh.leaves.At(old) == sh.leaves.At(row) {
			sh.undo()
			delete(c.conflict, row)
			cf.duplicates++
			return 0
		}
		c.markConflict(row)
	}
	c.known.add(sh.ids)
	c.raw += int64(n)
	return 1
}

// full reports whether the chunk takes no more records.
func (c *chunk) full(rows int) bool {
	return c.sh.rows() >= rows || c.raw >= importChunkBytes || len(c.notes) >= importNotesMax
}

// end notes what the chunk has of a file.
func (c *chunk) end(cf chunkFile) {
	cf.rows = c.sh.rows()
	c.files = append(c.files, cf)
}

func (c *chunk) note(cf *chunkFile, n note) {
	if n.whole {
		cf.rejected = true
	} else {
		cf.refused++
	}
	c.notes = append(c.notes, n)
}

// add takes the record at the cursor, or notes why it is not taken. It returns
// the record's length, as far as it is known, and how many rows there are for it.
func (c *chunk) add(cf *chunkFile, f *importFile, cur *logfile.Cursor, buf []byte, offset int64, tooOld *retention.Horizon) (n, added int) {
	sh := c.sh
	n, err := sh.add(buf)
	if err == nil {
		cur.Advance(n)
		return n, c.keep(cf, f, n, offset, tooOld)
	}
	var refused *event.Refusal
	if !errors.As(err, &refused) {
		// The builder only says that it does not take the record. Package event says
		// why, in the words that a single append would hear.
		var scanErr error
		n, scanErr = event.Scan(buf, &sh.ev)
		if scanErr != nil {
			errors.As(scanErr, &refused)
		} else {
			reason := event.TooManyKeys
			if errors.Is(err, segment.ErrFull) {
				reason = event.TooLarge
			}
			refused = &event.Refusal{Reason: reason, Offset: -1, Detail: err.Error()}
		}
	}
	at := offset
	if refused.Offset > 0 {
		at += int64(refused.Offset)
	}
	c.note(cf, note{file: f, path: f.Path, offset: at, reason: string(refused.Reason), detail: refused.Error()})
	if n > 0 {
		cur.Advance(n)
		return n, 0
	}
	skipped := cur.Skip()
	return int(skipped.Length), 0
}

func (c *chunk) markConflict(row int) {
	if c.conflict == nil {
		c.conflict = make(map[int]bool)
	}
	c.conflict[row] = true
}

// count adds a note to the table of reasons and writes it to the rejects. The
// caller holds mu or is alone.
func (imp *importer) count(n *note) {
	r := imp.reasons[n.reason]
	if r == nil {
		r = &ImportReason{Reason: n.reason, Example: fmt.Sprintf("%s: %s", n.path, n.detail)}
		imp.reasons[n.reason] = r
		imp.listed = append(imp.listed, n.reason)
	}
	if n.reason == reasonExpired {
		imp.report.Expired++
		if t := time.UnixMicro(n.time).UTC(); imp.report.OldestExpired.IsZero() || t.Before(imp.report.OldestExpired) {
			imp.report.OldestExpired = t
		}
	}
	if n.whole {
		r.Files++
	} else {
		r.Records++
	}
	if imp.opts.Rejects == nil {
		return
	}
	line, err := json.Marshal(struct {
		File   string `json:"file"`
		Offset int64  `json:"offset"`
		Reason string `json:"reason"`
		Detail string `json:"detail"`
	}{n.path, n.offset, n.reason, n.detail})
	if err == nil {
		_, err = imp.opts.Rejects.Write(append(line, '\n'))
	}
	if err != nil && imp.err == nil {
		imp.err = fmt.Errorf("writing rejects: %w", err)
		imp.changed.Broadcast()
	}
}

// finalReport returns the report as it stands.
func (imp *importer) finalReport() *ImportReport {
	imp.mu.Lock()
	defer imp.mu.Unlock()
	r := imp.report
	r.Reasons = nil
	for _, reason := range imp.listed {
		r.Reasons = append(r.Reasons, *imp.reasons[reason])
	}
	sort.SliceStable(r.Reasons, func(i, j int) bool {
		a, b := &r.Reasons[i], &r.Reasons[j]
		return a.Records+a.Files > b.Records+b.Files
	})
	r.Elapsed = time.Since(imp.started)
	return &r
}

// tellProgress starts the calls of Progress and returns what ends them.
func (imp *importer) tellProgress() (stop func()) {
	if imp.opts.Progress == nil {
		return func() {}
	}
	tell := func(done bool) {
		p := &imp.progress
		p.Lock()
		defer p.Unlock()
		p.FilesDone = int(imp.read.files.Load())
		p.BytesDone = min(imp.read.bytes.Load(), p.Bytes)
		p.Records = imp.read.records.Load()
		p.RawBytes = imp.read.raw.Load()
		p.Elapsed = time.Since(imp.started)
		p.Done = done
		imp.opts.Progress(p.ImportProgress)
	}
	end := make(chan struct{})
	var ticking sync.WaitGroup
	ticking.Add(1)
	go func() {
		defer ticking.Done()
		tick := time.NewTicker(progressInterval)
		defer tick.Stop()
		for {
			select {
			case <-end:
				return
			case <-tick.C:
				tell(false)
			}
		}
	}()
	return func() {
		close(end)
		ticking.Wait()
		tell(true)
	}
}
