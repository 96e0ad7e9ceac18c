package engine

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cairndb/cairn/engine/catalog"
	"github.com/cairndb/cairn/engine/crypt"
	"github.com/cairndb/cairn/engine/event"
	"github.com/cairndb/cairn/engine/lsm"
	"github.com/cairndb/cairn/engine/retention"
	"github.com/cairndb/cairn/engine/trail"
	"github.com/cairndb/cairn/segment"
	"github.com/cairndb/cairn/sql"
	"github.com/cairndb/cairn/wal"
)

// Lake is an open lake directory. Its methods may be called from many
// goroutines.
type Lake struct {
	dir  string
	opts Options // FS encrypts what is in the lake's directory, if the lake is encrypted
	lock *dirLock
	// base is the file system below; ring is nil when the lake is in the clear.
	base vfs.FS
	ring *crypt.Ring

	db    *lsm.DB
	log   *wal.Log // nil when read-only
	cache *segment.Cache

	digests   digests
	publisher publisher
	retain    retainer
	insights  insights
	trails    *trail.Set
	views     viewSet // locked after cat
	temp      *tempFiles
	// turns lets short queries pass long ones.
	turns *sql.Turns
	texts *sql.Texts // statements that were read not long ago
	// foundDamage is what a read-only opening has passed over.
	foundDamage []Problem

	// stores changes only in CreateStore.
	stores struct {
		sync.RWMutex
		byNumber map[uint32]*Store
		byName   map[string]*Store // by lower-case name
		byID     map[string]*Store
	}

	// cat serialises changes of the catalogue. Locked before any Store.mu.
	cat struct {
		sync.Mutex
		head        catalog.Head
		nextSegment uint64            // the next number to give out; head has the durable one
		ends        map[uint32]uint64 // the durable ends of logs, by store
		goneBytes   uint64            // that deleted stores have taken
	}

	// logged is held from before events go into the log until they are in a
	// memtable, so that whoever holds it sees every logged event in a memtable.
	// Locked before cat.
	logged   sync.Mutex
	squeezer squeezer // under logged

	principalChanges atomic.Uint64

	commits chan *commitRequest
	sealer  sealer
	merger  merger
	garbage garbage

	// halted is set once, when the outcome of a write is unknown.
	halted atomic.Pointer[haltCause]
	// haltedCh is closed when halted is set.
	haltedCh chan struct{}

	closing   chan struct{} // closed to end background work
	work      sync.WaitGroup
	importing sync.Mutex // one import at a time
	backing   sync.Mutex // one backup at a time

	// calls counts the calls in flight.
	calls struct {
		sync.Mutex
		running int
		closed  bool
		idle    *sync.Cond // running has become 0
	}

	// uses counts what people wait for: queries, lookups and appends that have begun.
	uses atomic.Uint64

	rows struct {
		sync.Mutex
		open      map[*Rows]struct{}
		snapshots map[*Snapshot]struct{}
	}
}

type haltCause struct{ err error }

// Store is one event data store of an open lake.
type Store struct {
	lake *Lake
	rec  catalog.Store
	id   string
	// schema says which records the store takes and how queries see them.
	schema *event.Table
	tree   *tree
	kept   atomic.Pointer[[]*matview] // views that are kept, by number
	gone   atomic.Bool                // the store was deleted for good
	// answers are what came of groups of views, in the lake's cache; regrouped counts how
	// often groups were found to be wrong.
	answers   *segment.Owner
	regrouped atomic.Uint64

	// mu guards what readers take snapshots of. Slices are replaced, never
	// changed in place. The committer alone changes active and next.
	mu struct {
		sync.RWMutex
		segments []*sealed // in order of sequence numbers
		frozen   []*mem    // waiting to be sealed, in order
		active   *mem
		next     uint64        // the next sequence number
		grown    chan struct{} // closed when next has grown; nil when nobody waits
		policy   retention.Policy
		selects  *selection // what it takes of what is offered to all; nil for everything of its schema
		// undecided says that nobody has given the store a period (period.go).
		undecided bool
		holds     []retention.Hold
		dropped   []catalog.Dropped // ranges that have left, in order, none beside another
	}
}

// Open opens the lake in dir, or makes one there when the directory is empty or
// missing. Another process that has the lake open is an [ErrUnavailable];
// damage is an [ErrCorrupt], and then nothing was changed.
func Open(dir string, options *Options) (_ *Lake, err error) {
	opts, err := options.withDefaults()
	if err != nil {
		return nil, err
	}
	l := &Lake{
		turns:    sql.NewTurns(),
		texts:    sql.NewTexts(textBytes),
		dir:      dir,
		opts:     opts,
		base:     opts.FS,
		cache:    segment.NewCache(opts.CacheBytes / 2),
		commits:  make(chan *commitRequest, commitQueue),
		haltedCh: make(chan struct{}),
		closing:  make(chan struct{}),
	}
	l.stores.byNumber = make(map[uint32]*Store)
	l.stores.byName = make(map[string]*Store)
	l.stores.byID = make(map[string]*Store)
	l.rows.open = make(map[*Rows]struct{})
	l.rows.snapshots = make(map[*Snapshot]struct{})
	l.calls.idle = sync.NewCond(&l.calls)
	l.sealer.init()
	l.merger.init()
	l.garbage.init()
	l.digests.init()
	l.publisher.init()
	l.retain.init()
	l.insights.init()
	l.views.init()
	for _, text := range opts.Publish {
		t, err := parseTarget(text)
		if err != nil {
			return nil, err
		}
		l.publisher.targets = append(l.publisher.targets, t)
	}
	if err := l.open(); err != nil {
		return nil, fmt.Errorf("opening lake %s: %w", dir, err)
	}
	l.temp = newTempFiles(l.opts.FS, dir) // below which encryption is by now
	if opts.ReadOnly {
		return l, nil
	}
	if err := l.temp.sweep(); err != nil {
		// They only take space, and the next opening tries again.
		opts.Logger.Warn("temporary files of queries are left", "error", err)
	}
	l.start(l.commitLoop)
	l.start(l.sealLoop)
	l.start(l.collectLoop)
	if opts.EventHistory {
		if _, err := l.history(); err != nil {
			// A user's store is in its place, or the disk is full: the rest works.
			opts.Logger.Error("there is no event history", "error", err)
		}
	}
	if !opts.NoMerge {
		l.start(l.mergeLoop)
	}
	if !opts.NoViews {
		l.start(l.fillLoop)
	}
	if opts.DigestInterval > 0 {
		l.start(l.digestLoop)
	}
	if opts.RetainInterval > 0 {
		l.start(l.retainLoop)
	}
	if len(l.publisher.targets) > 0 {
		l.start(l.publishLoop)
	}
	if opts.InsightInterval > 0 {
		l.start(l.insightLoop)
	}
	if l.opts.RunTrails {
		l.runTrails()
	}
	return l, nil
}

// start runs a background loop until the lake is closed.
func (l *Lake) start(loop func()) {
	l.work.Add(1)
	go func() {
		defer l.work.Done()
		loop()
	}()
}

// begin registers a call; done must be called at its end.
func (l *Lake) begin() (done func(), err error) {
	l.calls.Lock()
	defer l.calls.Unlock()
	if l.calls.closed {
		return nil, failf(ErrUnavailable, "the lake is closed")
	}
	l.calls.running++
	return l.end, nil
}

func (l *Lake) end() {
	l.calls.Lock()
	defer l.calls.Unlock()
	if l.calls.running--; l.calls.running == 0 {
		l.calls.idle.Broadcast()
	}
}

// beginWrite is begin for calls that change the lake.
func (l *Lake) beginWrite() (done func(), err error) {
	if l.opts.ReadOnly {
		return nil, failf(ErrUnavailable, "the lake is open for reading only")
	}
	done, err = l.begin()
	if err != nil {
		return nil, err
	}
	if err := l.haltErr(); err != nil {
		done()
		return nil, err
	}
	return done, nil
}

// Close ends all background work and releases the directory. It ends open
// queries and waits for other running calls; calls made later fail with
// [ErrUnavailable]. Events that are not yet in a segment stay in the log.
func (l *Lake) Close() error {
	l.calls.Lock()
	if l.calls.closed {
		l.calls.Unlock()
		return nil
	}
	l.calls.closed = true
	l.calls.Unlock()
	l.retain.cancel()
	l.views.filler.cancel()
	l.endRows()
	l.calls.Lock()
	for l.calls.running > 0 {
		l.calls.idle.Wait()
	}
	l.calls.Unlock()
	l.endRows() // of calls to Query that were running
	l.endSnapshots()
	close(l.closing)
	l.work.Wait()
	l.signEnds()
	l.trails.Close()
	var errs []error
	if l.log != nil {
		// After a halt the log says again what everybody has heard already.
		if err := l.log.Close(); err != nil && !errors.Is(err, wal.ErrHalted) {
			errs = append(errs, err)
		}
	}
	if len(errs) == 0 {
		errs = append(errs, l.noteEnds())
	}
	errs = append(errs, l.db.Close(), l.lock.Close())
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("closing lake %s: %w", l.dir, err)
	}
	return nil
}

// noteEnds writes down where the log of every store ends, so that a log that is cut
// short while the lake is closed does not pass for one that was being written. The log is
// closed, so that all of it is on disk.
func (l *Lake) noteEnds() error {
	if l.opts.ReadOnly || l.halted.Load() != nil || l.checkSpace() != nil {
		return nil
	}
	b := l.db.Batch()
	some := false
	for _, s := range l.Stores() {
		s.mu.RLock()
		end := catalog.End{Store: s.rec.Number, Next: s.mu.next}
		sealed := uint64(0)
		if n := len(s.mu.segments); n > 0 {
			sealed = s.mu.segments[n-1].cat.End()
		}
		s.mu.RUnlock()
		if end.Next > sealed && end.Next != l.cat.ends[end.Store] {
			end.Put(b)
			some = true
		}
	}
	l.cat.Lock()
	defer l.cat.Unlock()
	if c := l.clockRecord(); l.timed() && *c != l.retain.saved {
		c.Put(b)
		some = true
	}
	if !some {
		return nil
	}
	// A crash before this is durable leaves older ends, which say less.
	return l.writeErr(b.Commit())
}

// halt ends all writing: the outcome of a write is unknown.
func (l *Lake) halt(cause error) {
	if l.halted.CompareAndSwap(nil, &haltCause{cause}) {
		close(l.haltedCh)
		l.opts.Logger.Error("writing has stopped; open the lake again to go on", "cause", cause)
	}
}

// haltErr returns the error of writes after a halt, or nil.
func (l *Lake) haltErr() error {
	c := l.halted.Load()
	if c == nil {
		return nil
	}
	return &kindError{kind: ErrHalted, err: fmt.Errorf(
		"writing has stopped after a failed write, what was acknowledged is kept, whether the last unacknowledged events are is unknown; open the lake again: %w", c.err)}
}

// writeErr gives an error of the log or the database its kind, and halts the
// lake when the outcome is unknown.
func (l *Lake) writeErr(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, wal.ErrHalted), errors.Is(err, lsm.ErrHalted):
		l.halt(err)
		return l.haltErr()
	case errors.Is(err, wal.ErrNoSpace), lsm.IsNoSpace(err):
		return &kindError{kind: ErrNoSpace, err: fmt.Errorf("the disk is full, nothing of this was kept, try again once there is space: %w", err)}
	case errors.Is(err, wal.ErrTooLarge):
		return &kindError{kind: ErrLimit, err: err}
	case lsm.IsCorrupt(err):
		return &CorruptionError{Place: "database", Err: err}
	}
	return err
}

// change makes one durable change of the catalogue, and tells the log that it
// has happened. The caller holds cat.
func (l *Lake) change(fill func(b *lsm.Batch, head *catalog.Head)) error {
	if err := l.checkSpace(); err != nil {
		return err
	}
	head := l.cat.head
	head.Generation++
	b := l.db.Batch()
	fill(b, &head)
	head.NextSegment = max(head.NextSegment, l.cat.nextSegment)
	head.Put(b)
	// If the process ends here, the change is there wholly or not at all.
	if err := b.Commit(); err != nil {
		return l.writeErr(err)
	}
	l.cat.head = head
	// The log hears of it after the fact: a position that is too old is
	// harmless, one from the future would look like damage.
	l.notePosition()
	return nil
}

// checkSpace refuses changes of the catalogue while the disk is nearly full: the
// database cannot go on after a write that found no space, but it can wait.
func (l *Lake) checkSpace() error {
	usage, err := l.opts.FS.GetDiskUsage(l.dir)
	if err != nil || usage.AvailBytes >= reserveBytes {
		return nil // a file system that cannot tell has to be tried
	}
	return failf(ErrNoSpace, "%d bytes are left on the disk, the last %d are kept for the database; nothing of this was kept, try again once there is space", usage.AvailBytes, reserveBytes)
}

// notePosition writes a position into the log, without syncing it: it is a trip
// wire for damage, and the next sync takes it along. The caller holds cat.
func (l *Lake) notePosition() {
	p := position{generation: l.cat.head.Generation, next: map[uint32]uint64{}}
	if _, err := l.log.Append(p.encode()); err != nil && errors.Is(err, wal.ErrHalted) {
		l.halt(err)
	}
}

// segmentNumber gives out a segment number.
func (l *Lake) segmentNumber() uint64 {
	l.cat.Lock()
	defer l.cat.Unlock()
	n := l.cat.nextSegment
	l.cat.nextSegment++
	return n
}

// Dir returns the directory of the lake.
func (l *Lake) Dir() string { return l.dir }

// FS returns the file system of the lake: what is written through it into the
// lake's directory is encrypted if the lake is.
func (l *Lake) FS() vfs.FS { return l.opts.FS }

// CreateStore makes an event data store. The name is a letter or digit followed
// by letters, digits, and any of "_-.", and must not look like an ID; names are
// compared without regard to case. A name that is taken is an [ErrConflict]. The
// store holds CloudTrail events. It is given the period of [DefaultRetention] when an
// import into it has ended or it is a day old, unless it has events that are older then;
// [Lake.MakeStore] makes one with another period, or with none.
func (l *Lake) CreateStore(ctx context.Context, name string) (*Store, error) {
	return l.CreateStoreOf(ctx, name, event.CloudTrail)
}

// CreateStoreOf makes an event data store with one of the schemas of package event.
// It is that of the store for ever: records of other kinds are refused.
func (l *Lake) CreateStoreOf(ctx context.Context, name string, schema *event.Table) (*Store, error) {
	if schema == nil {
		return nil, failf(ErrBadInput, "store %q needs a schema", name)
	}
	done, err := l.beginWrite()
	if err != nil {
		return nil, err
	}
	defer done()
	if err := checkNewStoreName(name); err != nil {
		return nil, err
	}
	l.cat.Lock()
	defer l.cat.Unlock()
	return l.makeStore(name, schema, nil, nil)
}

// addStore makes a store known.
func (l *Lake) addStore(rec catalog.Store, p retention.Policy, undecided bool) *Store {
	s := &Store{lake: l, rec: rec, id: formatUUID(rec.ID), schema: event.TableNumbered(rec.Schema), tree: newTree(), answers: l.cache.NewOwner()}
	s.mu.active = l.newMem(0)
	s.mu.policy, s.mu.undecided = p, undecided
	l.stores.Lock()
	defer l.stores.Unlock()
	l.stores.byNumber[rec.Number] = s
	l.stores.byName[strings.ToLower(rec.Name)] = s
	l.stores.byID[s.id] = s
	return s
}

// addMade makes a store known that was just made. The caller holds cat.
func (l *Lake) addMade(rec catalog.Store, p retention.Policy, undecided bool) *Store {
	s := l.addStore(rec, p, undecided)
	l.views.Lock()
	defer l.views.Unlock()
	l.addBuiltIn(s)
	return s
}

// storeCalled returns the store with a name or ID, or nil.
func (l *Lake) storeCalled(nameOrID string) *Store {
	key := strings.ToLower(nameOrID)
	l.stores.RLock()
	defer l.stores.RUnlock()
	if s := l.stores.byName[key]; s != nil {
		return s
	}
	return l.stores.byID[key]
}

// Store returns the store with a name, compared without regard to case, or an
// ID; [ErrNotFound] when there is none.
func (l *Lake) Store(nameOrID string) (*Store, error) {
	if s := l.storeCalled(nameOrID); s != nil {
		return s, nil
	}
	var names []string
	for _, s := range l.Stores() {
		names = append(names, s.Name())
	}
	if len(names) == 0 {
		return nil, failf(ErrNotFound, "there is no store %q: the lake has no stores yet", nameOrID)
	}
	return nil, failf(ErrNotFound, "there is no store %q; there are: %s", nameOrID, strings.Join(names, ", "))
}

// Stores returns the stores in order of their names.
func (l *Lake) Stores() []*Store {
	l.stores.RLock()
	defer l.stores.RUnlock()
	out := make([]*Store, 0, len(l.stores.byNumber))
	for _, s := range l.stores.byNumber {
		out = append(out, s)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Name() < out[j].Name() })
	return out
}

// ID returns the store's ID, a UUID in its usual spelling.
func (s *Store) ID() string { return s.id }

// Name returns the store's name.
func (s *Store) Name() string { return s.rec.Name }

// Schema returns the schema of the store, which all of its records have.
func (s *Store) Schema() *event.Table { return s.schema }

// Created returns when the store was made.
func (s *Store) Created() time.Time { return time.UnixMicro(s.rec.Created).UTC() }

// Events returns the number of events in the store; sequence numbers run from 0
// to one below it. Those that have expired count.
func (s *Store) Events() uint64 {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.mu.next
}
