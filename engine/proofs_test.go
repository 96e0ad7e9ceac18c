package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cairndb/cairn/engine/catalog"
	"github.com/cairndb/cairn/engine/digest"
	"github.com/cairndb/cairn/engine/lsm"
	"github.com/cairndb/cairn/engine/proof"
)

// plainRoot is the root over records by RFC 6962's definition.
func plainRoot(records [][]byte) proof.Hash {
	switch n := len(records); n {
	case 0:
		return proof.EmptyRoot
	case 1:
		return proof.LeafHash(records[0])
	default:
		k := 1
		for 2*k < n {
			k *= 2
		}
		l, r := plainRoot(records[:k]), plainRoot(records[k:])
		var t proof.Tree
		t.Append(l, nil) // a node of two hashes is the tree of two leaves
		t.Append(r, nil)
		return t.Head().Root
	}
}

// provable demands that the store's tree is that over these records, and that proofs
// of some of them hold.
func provable(t *testing.T, s *Store, want [][]byte, rng *rand.Rand) {
	t.Helper()
	ctx := context.Background()
	head, err := s.TreeHead()
	if err != nil {
		t.Fatal(err)
	}
	if root := plainRoot(want); head.Size != uint64(len(want)) || head.Root != root {
		t.Fatalf("the tree has %d events and root %v, the records have %d and %v", head.Size, head.Root, len(want), root)
	}
	for range 4 {
		newer := rng.IntN(len(want)) + 1
		older := rng.IntN(newer + 1)
		path, from, to, err := s.ProveConsistency(ctx, uint64(older), uint64(newer))
		if err != nil {
			t.Fatal(err)
		}
		if from.Root != plainRoot(want[:older]) || to.Root != plainRoot(want[:newer]) {
			t.Fatalf("heads at %d and %d are %v and %v", older, newer, from.Root, to.Root)
		}
		if err := proof.CheckConsistency(path, from, to); err != nil {
			t.Fatal(err)
		}
		seq := rng.IntN(len(want))
		r, err := s.Prove(ctx, uint64(seq))
		if err != nil {
			t.Fatal(err)
		}
		again, err := proof.ParseReceipt(r.Format())
		if err != nil {
			t.Fatal(err)
		}
		cp, err := again.Check(want[seq], s.Verifiers())
		if err != nil {
			t.Fatal(err)
		}
		if cp.Origin != s.Origin() || cp.Root != plainRoot(want[:cp.Size]) {
			t.Fatalf("checkpoint %+v", cp)
		}
	}
}

// verified demands that a verification finds nothing.
func verified(t *testing.T, l *Lake, opts VerifyOptions) *VerifyReport {
	t.Helper()
	r, err := l.Verify(context.Background(), opts)
	if err != nil {
		t.Fatal(err)
	}
	if r.ProblemCount > 0 {
		t.Fatalf("verification finds %v", r.Problems)
	}
	return r
}

// TestTree grows a store in every way and compares its tree with the definition:
// appends, imports between them, seals, merges, openings.
func TestTree(t *testing.T) {
	fs := vfs.NewMem()
	rng := rand.New(rand.NewPCG(5, 6))
	o := Options{SegmentRows: 700, MemtableRows: 130, DigestInterval: -1}
	l := openTest(t, fs, o)
	s := storeTest(t, l)
	var want [][]byte
	next := func(n int) [][]byte {
		e := testEvents(len(want), len(want)+n)
		want = append(want, e...)
		return e
	}
	for round := range 14 {
		switch round % 5 {
		case 0, 1, 3:
			appendTest(t, s, next(1+rng.IntN(300)))
		case 2:
			writeTest(t, fs, logName(round), logFile(next(1+rng.IntN(1500))))
			importTest(t, l, ImportOptions{Paths: []string{"logs"}})
		case 4:
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			l = openTest(t, fs, o)
			s = storeTest(t, l)
		}
		provable(t, s, want, rng)
	}
	waitSealed(t, s, 130)
	l.merger.poke()
	verified(t, l, VerifyOptions{})
	r := verified(t, l, VerifyOptions{Full: true})
	if got := verifiedStore(t, r, s); got.HashedEvents != uint64(len(want)) || got.SignedEvents == 0 || got.Root != plainRoot(want) {
		t.Errorf("verified %+v of %d events", got, len(want))
	}
	if _, err := s.Prove(context.Background(), uint64(len(want))); !errors.Is(err, ErrNotFound) {
		t.Errorf("an event beyond the end: %v", err)
	}
	if _, _, _, err := s.ProveConsistency(context.Background(), 3, uint64(len(want)+1)); !errors.Is(err, ErrBadInput) {
		t.Errorf("a size beyond the end: %v", err)
	}
	// What is stored of the tree: 32 bytes for 256 events, and the edges.
	bytes := 0
	if err := l.db.In(lsm.Trees).Scan(nil, func(k, v []byte) error { bytes += len(v); return nil }); err != nil {
		t.Fatal(err)
	}
	if most := len(want)/256*32 + 2000; bytes > most {
		t.Errorf("%d bytes of tiles for %d events, at most %d are due", bytes, len(want), most)
	}
}

// testClock is a clock that stands still until it is moved.
type testClock struct{ micros atomic.Int64 }

func newTestClock() *testClock {
	c := &testClock{}
	c.micros.Store(time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC).UnixMicro())
	return c
}

func (c *testClock) now() time.Time          { return time.UnixMicro(c.micros.Load()).UTC() }
func (c *testClock) forward(d time.Duration) { c.micros.Add(d.Microseconds()) }

// TestThirtyDays makes a digest each hour of a month, with empty hours, openings and
// rotations of the key, and verifies all of it.
func TestThirtyDays(t *testing.T) {
	fs := vfs.NewMem()
	clock := newTestClock()
	// The loop must not look by itself: the test says when an hour is over.
	o := Options{Clock: clock.now, SegmentRows: 512, DigestInterval: time.Hour, Publish: []string{"file:outside/digests"}}
	rng := rand.New(rand.NewPCG(30, 1))
	ctx := context.Background()
	if err := fs.MkdirAll("outside", 0o755); err != nil {
		t.Fatal(err)
	}
	open := func() (*Lake, *Store) {
		l := openTest(t, fs, o)
		return l, storeTest(t, l)
	}
	l, s := open()
	var want [][]byte
	const hours = 30 * 24
	for h := range hours {
		if h%3 != 1 {
			e := testEvents(len(want), len(want)+1+rng.IntN(20))
			want = append(want, e...)
			appendTest(t, s, e)
		}
		clock.forward(time.Hour)
		l.makeDueDigests()
		if n := s.lastDigest().Digest.Number; n != uint64(h) {
			t.Fatalf("after %d hours the newest digest is number %d", h+1, n)
		}
		switch {
		case h%101 == 50:
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			l, s = open()
		case h == 200 || h == 500:
			if _, err := l.RotateKey(ctx); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := l.Publish(ctx); err != nil {
		t.Fatal(err)
	}
	// The rotations of keys have begun an audit store, which has digests too.
	var outside []byte
	for line := range bytes.Lines(readTest(t, fs, "outside/digests")) {
		d, err := digest.ParseLine(line)
		if err != nil {
			t.Fatal(err)
		}
		if d.Digest.Origin == s.Origin() {
			outside = append(outside, line...)
		}
	}
	if n := bytes.Count(outside, []byte("\n")); n != hours {
		t.Errorf("%d lines were published, want %d", n, hours)
	}
	provable(t, s, want, rng)
	started := time.Now()
	r := verified(t, l, VerifyOptions{Full: true, Outside: [][]byte{outside}, Keys: l.PublicKeys()})
	got := verifiedStore(t, r, s)
	if got.Digests != hours || got.Outside != hours || got.SignedEvents != uint64(len(want)) {
		t.Errorf("verified %+v", got)
	}
	t.Logf("%d digests and %d events verified in %v", got.Digests, got.HashedEvents, time.Since(started))
	empty, keys := 0, map[string]bool{}
	err := s.Digests(0, func(d *digest.Signed) error {
		if d.Digest.Events() == 0 {
			empty++
		}
		keys[d.Digest.Key] = true
		return nil
	})
	if err != nil || empty != hours/3 || len(keys) != 3 {
		t.Errorf("%d empty digests, %d keys, %v", empty, len(keys), err)
	}
	// The digests alone, by the published lines and the first key's ring.
	ring, err := digest.ParseKeys(l.PublicKeys().Format())
	if err != nil {
		t.Fatal(err)
	}
	chain := digest.Chain{Keys: ring}
	for line := range bytes.Lines(outside) {
		d, err := digest.ParseLine(line)
		if err == nil {
			err = chain.Add(d)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// verifiedStore returns what a verification says of a store.
func verifiedStore(t *testing.T, r *VerifyReport, s *Store) StoreVerification {
	t.Helper()
	for _, v := range r.Stores {
		if v.Origin == s.Origin() {
			return v
		}
	}
	t.Fatalf("store %s was not verified: %+v", s.Name(), r.Stores)
	return StoreVerification{}
}

func readTest(t *testing.T, fs vfs.FS, path string) []byte {
	t.Helper()
	files := map[string][]byte{}
	readTree(t, fs, fs.PathDir(path), files)
	return files[path]
}

// TestClosedForAWhile: the digest that was due while the lake was closed is made when
// it is opened, and covers that time.
func TestClosedForAWhile(t *testing.T) {
	fs := vfs.NewMem()
	clock := newTestClock()
	o := Options{Clock: clock.now, DigestInterval: time.Hour}
	l := openTest(t, fs, o)
	s := storeTest(t, l)
	appendTest(t, s, testEvents(0, 5))
	if _, err := s.Digest(context.Background()); err != nil {
		t.Fatal(err)
	}
	l.Close()
	clock.forward(50 * time.Hour)
	l = openTest(t, fs, o)
	s = storeTest(t, l)
	l.makeDueDigests()
	l.makeDueDigests()
	d := s.lastDigest().Digest
	if d.Number != 1 || d.End.Sub(d.Start) != 50*time.Hour || d.Events() != 0 {
		t.Errorf("digest %+v", d)
	}
	// A clock that goes back does not take the chain back.
	clock.forward(-100 * time.Hour)
	again, err := s.Digest(context.Background())
	if err != nil || !again.Digest.Start.Equal(d.End) || !again.Digest.End.Equal(d.End) {
		t.Errorf("after the clock went back: %+v, %v", again, err)
	}
	verified(t, l, VerifyOptions{Full: true})
}

// forger makes lakes with the same store and keys but other records, and puts
// together what an attacker could who repairs every checksum.
type forger struct {
	t     *testing.T
	o     Options
	clock *testClock
}

func newForger(t *testing.T) *forger {
	f := &forger{t: t, clock: newTestClock()}
	f.o = Options{SegmentRows: 512, NoMerge: true, DigestInterval: -1, Clock: f.clock.now}
	return f
}

// lake writes records into a new lake, with a digest after so many of them.
func (f *forger) lake(records [][]byte, signed int) *vfs.MemFS {
	f.t.Helper()
	fs := vfs.NewMem()
	signed = min(signed, len(records))
	o := f.o
	o.Rand = strings.NewReader(strings.Repeat("x", 1000)) // the same store ID
	l := openTest(f.t, fs, o)
	s := storeTest(f.t, l)
	appendTest(f.t, s, records[:signed])
	if signed > 0 {
		if _, err := s.Digest(context.Background()); err != nil {
			f.t.Fatal(err)
		}
	}
	appendTest(f.t, s, records[signed:])
	waitSealed(f.t, s, 512)
	if err := l.Close(); err != nil {
		f.t.Fatal(err)
	}
	return fs
}

// records are the records of a space in a lake's database.
func (f *forger) records(fs vfs.FS, space lsm.Space) map[string][]byte {
	f.t.Helper()
	db, err := lsm.Open("lake/db", lsm.Options{FS: fs, CacheBytes: 1 << 20})
	if err != nil {
		f.t.Fatal(err)
	}
	defer db.Close()
	out := map[string][]byte{}
	err = db.In(space).Scan(nil, func(k, v []byte) error {
		out[string(k)] = bytes.Clone(v)
		return nil
	})
	if err != nil {
		f.t.Fatal(err)
	}
	return out
}

// replace puts other records into a space.
func (f *forger) replace(fs vfs.FS, space lsm.Space, records map[string][]byte) {
	f.t.Helper()
	db, err := lsm.Open("lake/db", lsm.Options{FS: fs, CacheBytes: 1 << 20})
	if err != nil {
		f.t.Fatal(err)
	}
	b := db.Batch()
	err = db.In(space).Scan(nil, func(k, _ []byte) error {
		b.In(space).Delete(bytes.Clone(k))
		return nil
	})
	for k, v := range records {
		b.In(space).Set([]byte(k), v)
	}
	if err := errors.Join(err, b.Commit(), db.Close()); err != nil {
		f.t.Fatal(err)
	}
}

// TestForgery edits the past and repairs every checksum. Signatures are what is left.
func TestForgery(t *testing.T) {
	f := newForger(t)
	honest := testEvents(0, 1100)
	edited := func(at int) [][]byte {
		out := append([][]byte(nil), honest...)
		out[at] = bytes.Replace(honest[at], []byte("GetObject"), []byte("PutObject"), 1)
		return out
	}
	const signed = 900
	real := f.lake(honest, signed)
	digests, tiles := f.records(real, lsm.Digests), f.records(real, lsm.Trees)
	secret := readTest(t, real, "lake/SECRET")
	ctx := context.Background()
	open := func(fs vfs.FS, readOnly bool) (*Lake, error) {
		o := f.o
		o.FS, o.ReadOnly = fs, readOnly
		return Open("lake", &o)
	}
	forge := func(records [][]byte, changes ...func(fs vfs.FS)) vfs.FS {
		fs := f.lake(records, signed)
		f.replace(fs, lsm.Digests, digests)
		writeTest(t, fs, "lake/SECRET", secret)
		for _, c := range changes {
			c(fs)
		}
		return fs
	}
	refused := func(what string, fs vfs.FS, say ...string) {
		t.Helper()
		l, err := open(fs, false)
		if err == nil {
			l.Close()
			t.Errorf("%s: the lake opens", what)
			return
		}
		if !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %v is not about damage", what, err)
		}
		for _, s := range append(say, "store events") {
			if !strings.Contains(err.Error(), s) {
				t.Errorf("%s: the error does not say %q: %v", what, s, err)
			}
		}
		if l, err = open(fs, true); err != nil {
			t.Errorf("%s: it cannot be opened for reading either: %v", what, err)
			return
		}
		defer l.Close()
		r, err := l.Verify(ctx, VerifyOptions{Full: true})
		if err != nil || r.ProblemCount == 0 {
			t.Errorf("%s: verification finds %v, %v", what, r, err)
		}
	}
	// The tools of this test change nothing by themselves.
	if l, err := open(forge(honest), false); err != nil {
		t.Fatal(err)
	} else {
		verified(t, l, VerifyOptions{Full: true})
		l.Close()
	}
	oldTiles := func(fs vfs.FS) { f.replace(fs, lsm.Trees, tiles) }
	root := plainRoot(honest[:signed]).String()
	refused("an event under the digest, tiles made anew", forge(edited(10)), "events 0 to 899", "digest 0", root, plainRoot(edited(10)[:signed]).String())
	// Without the leaves behind the last tile, or with others than were signed, they are read from the events.
	tail := func(change func([]byte) []byte) func(vfs.FS) {
		return func(fs vfs.FS) {
			changed := map[string][]byte{}
			for k, v := range digests {
				if k[0] != keyTail {
					changed[k] = v
				} else if v = change(bytes.Clone(v)); v != nil {
					changed[k] = v
				}
			}
			if len(changed) != len(digests) && change(nil) != nil {
				t.Fatal("the digest has no tail")
			}
			f.replace(fs, lsm.Digests, changed)
		}
	}
	noTail := tail(func([]byte) []byte { return nil })
	otherTail := tail(func(v []byte) []byte {
		if len(v) > 20 {
			v[20] ^= 1
		}
		return append(v, 0)[:len(v)]
	})
	refused("an event in the last tile under the digest, old tiles", forge(edited(898), oldTiles, noTail), "events 0 to 899", root)
	refused("an event in the last tile under the digest, old tiles, another tail", forge(edited(898), oldTiles, otherTail), "events 0 to 899", root)
	if l, err := open(forge(honest, otherTail), false); err != nil {
		t.Errorf("events are honest, a tail is not: %v", err)
	} else {
		verified(t, l, VerifyOptions{Full: true})
		l.Close()
	}
	refused("events cut off behind the digest's", forge(honest[:850], func(fs vfs.FS) {}), "events 850 to 899 are missing")
	refused("a digest edited", forge(honest, func(fs vfs.FS) {
		forged := map[string][]byte{}
		for k, v := range digests {
			forged[k] = v
			if k[0] == keyDigest {
				forged[k] = bytes.Replace(v, []byte("03:00:00Z"), []byte("02:00:00Z"), 3)
			}
		}
		f.replace(fs, lsm.Digests, forged)
	}), "digest")
	refused("a digest by another key", forge(honest, func(fs vfs.FS) {
		other := f.records(f.lake(honest, signed), lsm.Digests)
		mixed := map[string][]byte{}
		for k, v := range digests {
			mixed[k] = v
			if k[0] == keyDigest {
				mixed[k] = other[k]
			}
		}
		f.replace(fs, lsm.Digests, mixed)
	}), "digest")
	// An old event with the old tiles, or the old leaves behind the last: no opening reads it, a full verification does,
	// and no proof is made of it.
	for _, c := range []struct {
		at    int
		apart bool // no proof of event 600 needs the events of this one's tile
		say   string
	}{{10, true, "events 0 to 255"}, {898, false, "the first 900 events"}} {
		l, err := open(forge(edited(c.at), oldTiles), false)
		if err != nil {
			t.Fatal(err)
		}
		s := storeTest(t, l)
		if _, err := s.Prove(ctx, uint64(c.at)); !errors.Is(err, ErrCorrupt) {
			t.Errorf("event %d is edited and proved: %v", c.at, err)
		}
		if r, err := s.Prove(ctx, 600); err != nil && (c.apart || !errors.Is(err, ErrCorrupt)) {
			t.Errorf("an honest neighbour of event %d: %v", c.at, err)
		} else if err == nil {
			if _, err := r.Check(honest[600], s.Verifiers()); err != nil {
				t.Error(err)
			}
		}
		r, err := l.Verify(ctx, VerifyOptions{Full: true})
		if err != nil || r.ProblemCount == 0 || !strings.Contains(fmt.Sprint(r.Problems), c.say) {
			t.Errorf("a full verification of event %d finds %v, %v", c.at, r.Problems, err)
		}
		l.Close()
	}
}

// TestPutBack: a lake put back to an older state is sound in itself; a checkpoint that
// was kept elsewhere tells.
func TestPutBack(t *testing.T) {
	fs := vfs.NewMem()
	clock := newTestClock()
	o := Options{DigestInterval: -1, Clock: clock.now}
	l := openTest(t, fs, o)
	s := storeTest(t, l)
	ctx := context.Background()
	appendTest(t, s, testEvents(0, 300))
	first, err := s.Digest(ctx)
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	old := map[string][]byte{}
	readTree(t, fs, "lake", old)
	l = openTest(t, fs, o)
	s = storeTest(t, l)
	appendTest(t, s, testEvents(300, 400))
	clock.forward(time.Hour)
	second, err := s.Digest(ctx)
	if err != nil {
		t.Fatal(err)
	}
	keys := l.PublicKeys()
	verified(t, l, VerifyOptions{Full: true, Outside: [][]byte{first.Checkpoint, second.Checkpoint, append(first.Line(), second.Line()...)}, Keys: keys})
	l.Close()
	back := writeTree(t, old)
	l = openTest(t, back, o)
	s = storeTest(t, l)
	verified(t, l, VerifyOptions{Full: true, Outside: [][]byte{first.Checkpoint}, Keys: keys})
	for what, outside := range map[string][]byte{"its checkpoint": second.Checkpoint, "its line": second.Line()} {
		r, err := l.Verify(ctx, VerifyOptions{Outside: [][]byte{outside}, Keys: keys})
		if err != nil || !strings.Contains(fmt.Sprint(r.Problems), "has been put back") {
			t.Errorf("%s: %v, %v", what, r.Problems, err)
		}
	}
	// And then another history is written over it, with the same keys.
	appendTest(t, s, testEvents(1000, 1100))
	if _, err := s.Digest(ctx); err != nil {
		t.Fatal(err)
	}
	verified(t, l, VerifyOptions{Full: true})
	for what, outside := range map[string][]byte{"its checkpoint": second.Checkpoint, "its line": second.Line()} {
		r, err := l.Verify(ctx, VerifyOptions{Outside: [][]byte{outside}, Keys: keys})
		if err != nil || r.ProblemCount == 0 {
			t.Errorf("another history, %s: %v, %v", what, r.Problems, err)
		}
	}
}

// TestKeepTiles: what is kept of the tree when a segment leaves makes the proofs of
// what stays.
func TestKeepTiles(t *testing.T) {
	l := openTest(t, vfs.NewMem(), Options{SegmentRows: 300, NoMerge: true, DigestInterval: -1})
	s := storeTest(t, l)
	want := testEvents(0, 1000)
	appendTest(t, s, want[:450])
	d, err := s.Digest(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	appendTest(t, s, want[450:])
	waitSealed(t, s, 300)
	tiles, release, err := s.tiles(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	b := l.db.Batch()
	err = tiles.keepTiles(b.In(lsm.Trees), 0, 600, []uint64{d.Digest.After.Size})
	if err := errors.Join(err, b.Commit()); err != nil {
		t.Fatal(err)
	}
	release()
	s.mu.Lock()
	gone := s.mu.segments[:2]
	s.mu.segments = s.mu.segments[2:]
	s.mu.dropped = []catalog.Dropped{{Store: s.rec.Number, First: 0, End: 600}}
	s.mu.Unlock()
	defer func() {
		for _, g := range gone {
			g.release()
		}
	}()
	ctx := context.Background()
	path, from, to, err := s.ProveConsistency(ctx, 450, 1000)
	if err != nil {
		t.Fatal(err)
	}
	if from != d.Digest.After || to.Root != plainRoot(want) || proof.CheckConsistency(path, from, to) != nil {
		t.Errorf("from %v to %v", from, to)
	}
	for _, seq := range []uint64{600, 610, 999} {
		r, err := s.Prove(ctx, seq)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.Check(want[seq], s.Verifiers()); err != nil {
			t.Error(err)
		}
	}
	if _, err := s.Prove(ctx, 10); !errors.Is(err, ErrNotFound) {
		t.Errorf("a record that has left: %v", err)
	}
}

// TestGoldenTreeRecords holds keys and values of the tree: they are a format.
func TestGoldenTreeRecords(t *testing.T) {
	got := fmt.Sprintf("%x %x %x", tileKey(7, proof.TileID{Level: 2, Index: 0x0102}), treeKey(7, treeCursorLevel), digestKey(7, 258))
	if want := "00000007020000000000000102 00000007ff 64000000070000000000000102"; got != want {
		t.Errorf("keys %s, want %s", got, want)
	}
	key := treeKey(7, treeCursorLevel)
	if got, want := fmt.Sprintf("%x", sealTree(key, []byte{treeVersion, 1, 2})), "010102"; !strings.HasPrefix(got, want) || len(got) != 22 {
		t.Errorf("value %s, want %s and a checksum", got, want)
	}
	var tree proof.Tree
	leaf := proof.LeafHash([]byte("{}"))
	for range 257 {
		tree.Append(leaf, nil)
	}
	var w setRecord
	putTail(&w, 7, &tree)
	if want := fmt.Sprintf("%x 01%016x%x", []byte{'t', 0, 0, 0, 7}, 257, leaf[:]); fmt.Sprintf("%x %x", w.key, w.value[:len(w.value)-8]) != want {
		t.Errorf("tail %x %x, want %s and a checksum", w.key, w.value, want)
	}
}

// setRecord keeps the last record written.
type setRecord struct{ key, value []byte }

func (r *setRecord) Set(key, value []byte) { r.key, r.value = key, value }

// FuzzTreeValue: damaged values are refused.
func FuzzTreeValue(f *testing.F) {
	key := []byte("key")
	f.Add(sealTree(key, []byte{treeVersion, 1, 2, 3}))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		body, err := openTree(key, b)
		if err == nil && !bytes.Equal(sealTree(key, append([]byte{treeVersion}, body...)), b) {
			t.Errorf("%x is read as %x", b, body)
		}
	})
}

// TestSecretMissing: without the secret events are taken, and digests wait.
func TestSecretMissing(t *testing.T) {
	fs := vfs.NewMem()
	l := openTest(t, fs, Options{DigestInterval: -1})
	s := storeTest(t, l)
	ctx := context.Background()
	appendTest(t, s, testEvents(0, 5))
	if _, err := s.Digest(ctx); err != nil {
		t.Fatal(err)
	}
	l.Close()
	secret := readTest(t, fs, "lake/SECRET")
	if err := fs.Remove("lake/SECRET"); err != nil {
		t.Fatal(err)
	}
	l = openTest(t, fs, Options{DigestInterval: -1})
	s = storeTest(t, l)
	appendTest(t, s, testEvents(5, 9))
	if _, err := s.Digest(ctx); !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), "SECRET") {
		t.Errorf("digest without secret: %v", err)
	}
	if _, err := l.RotateKey(ctx); err == nil {
		t.Error("the key is rotated without the secret")
	}
	to := DirBucket(vfs.NewMem(), "bundle")
	if _, err := l.Export(ctx, to, ExportOptions{Store: s.Name()}); !errors.Is(err, ErrNotFound) {
		t.Errorf("export without secret: %v", err)
	}
	if n := 0; to.List(ctx, "", func(string, int64) error { n++; return nil }) == nil && n > 0 {
		t.Errorf("an export that cannot be signed has written %d files", n)
	}
	named := func(what string) {
		t.Helper()
		r, err := l.Check(ctx, CheckOptions{})
		if err != nil || len(r.Problems) != 1 || r.Problems[0].Place != "SECRET" {
			t.Errorf("%s: check finds %v, %v", what, r.Problems, err)
		}
		if err := l.CanSign(); err == nil || !strings.Contains(err.Error(), "put back the SECRET") || !strings.Contains(err.Error(), "no digest is made") {
			t.Errorf("%s: it can sign, or does not say what is lost and what to do: %v", what, err)
		}
	}
	named("no secret")
	other := bytes.Clone(secret)
	if i := len(other) - 5; other[i] == '7' {
		other[i] = '8'
	} else {
		other[i] = '7'
	}
	writeTest(t, fs, "lake/SECRET", other)
	named("another secret")
	writeTest(t, fs, "lake/SECRET", secret[:len(secret)-3])
	named("half a secret")
	writeTest(t, fs, "lake/SECRET", secret)
	if r, err := l.Check(ctx, CheckOptions{}); err != nil || len(r.Problems) > 0 {
		t.Errorf("with the secret back: %v, %v", r, err)
	}
	if _, err := s.Digest(ctx); err != nil {
		t.Error(err)
	}
	verified(t, l, VerifyOptions{Full: true})
}
