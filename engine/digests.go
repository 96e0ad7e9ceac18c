package engine

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	signednote "golang.org/x/mod/sumdb/note"

	"github.com/cairndb/cairn/engine/catalog"
	"github.com/cairndb/cairn/engine/digest"
	"github.com/cairndb/cairn/engine/lsm"
	"github.com/cairndb/cairn/engine/proof"
)

// How digests are made.
//
// At every full interval of UTC (each hour) a digest of every store is made, also
// when nothing has happened; one that was due while the lake was closed is made
// when it is opened again, and its period covers all of that time. One is also made
// on demand, after an import, when many events have come (digestEventsMax), and when the lake is closed
// with some that are under none (closeEventsMax), because the next opening computes the leaves of all
// events since the last one.
//
//	the tree's head is taken               only events that are durable are in it
//	the last digest's root is computed     and must be the one that was signed
//	digest and checkpoint are signed
//	they are committed, with the tiles     crash: it is there wholly or not at all
//	they are published                     crash: it is done again, with the same bytes
//
// Nothing that was not committed is ever shown, so after a crash there is no second
// digest with the same number elsewhere.
//
// The records of the space lsm.Digests, numbers big-endian:
//
//	'd' | store 4 | number 8   a digest: signature, checkpoint and cosignatures
//	                           included, as a line of package digest without newline
//	'k' | number 4             a signing key, as package digest encodes it
//	't' | store 4              the tail of the tree that the last digest signs (tree.go)
//	'p' | hash 16 | store 4    how far a target has got: the number of the next digest
//	                           to be sent there, 8 bytes; the hash is the start of the
//	                           SHA-256 of the target's text
const (
	keyDigest    = 'd'
	keySigning   = 'k'
	keyTail      = 't'
	keyPublished = 'p'
)

const (
	// defaultDigestInterval is that of CloudTrail.
	defaultDigestInterval = time.Hour

	// digestEventsMax is how many events may be under no digest before one is made
	// early: an opening reads them again, a few seconds' work.
	digestEventsMax = 1 << 18

	// closeEventsMax is how many events may be under no digest when the lake is closed: the next
	// opening takes some 50 ms for that many.
	closeEventsMax = 1 << 14

	// originPrefix stands before a store's ID in digests and checkpoints.
	originPrefix = "cairn/"
)

// digests is the state of signing.
type digests struct {
	// Mutex is held while a digest is made or a key changes. Locked before
	// Lake.logged and Lake.cat.
	sync.Mutex
	keys []*digest.Stored
	// trailKey is the key for digests of trails that was used last.
	trailKey *digest.TrailKey
	wake     chan struct{} // has a token when a digest may be due

	// shown guards what readers see; locked last.
	shown struct {
		sync.Mutex
		ring *digest.Ring
		last map[uint32]*digest.Signed // by store
	}
}

func (d *digests) init() {
	d.wake = make(chan struct{}, 1)
	d.shown.ring = &digest.Ring{}
	d.shown.last = make(map[uint32]*digest.Signed)
}

func (d *digests) poke() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

func digestKey(store uint32, number uint64) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint32([]byte{keyDigest}, store), number)
}

func signingKey(number int) []byte {
	return binary.BigEndian.AppendUint32([]byte{keySigning}, uint32(number))
}

// recoveredDigests is what an opening has read.
type recoveredDigests struct {
	keys []*digest.Stored
	ring *digest.Ring
	last map[uint32]*digest.Signed
}

// readDigests reads the keys and the last digest of every store, and verifies it.
func (r *recovery) readDigests(db *lsm.DB) error {
	d := &r.digests
	d.last = make(map[uint32]*digest.Signed)
	d.ring = &digest.Ring{}
	damaged := func(place string, err error) error { return &CorruptionError{Place: place, Err: err} }
	err := db.In(lsm.Digests).Scan([]byte{keySigning}, func(_, value []byte) error {
		k, err := digest.DecodeStored(value)
		if err != nil {
			return damaged("signing keys", err)
		}
		d.keys = append(d.keys, k)
		return nil
	})
	if err != nil {
		return err
	}
	if d.ring, err = digest.RingOf(d.keys); err != nil {
		d.ring = &digest.Ring{}
		return damaged("signing keys", err)
	}
	for _, rec := range r.state.Stores {
		s, err := lastDigest(db, &rec)
		if err == nil && s != nil {
			_, err = s.Verify(d.ring)
		}
		if err != nil {
			return &CorruptionError{Store: rec.Name, Place: "last digest", Err: err}
		}
		d.last[rec.Number] = s
	}
	return nil
}

// lastDigest returns the digest of a store with the highest number, or nil.
func lastDigest(db *lsm.DB, rec *catalog.Store) (*digest.Signed, error) {
	key, value, err := db.In(lsm.Digests).Last(digestKey(rec.Number, 0)[:5])
	if err != nil || key == nil {
		return nil, err
	}
	return decodeDigest(rec, key, value)
}

// decodeDigest reads a stored digest, which must lie under its own key.
func decodeDigest(rec *catalog.Store, key, value []byte) (*digest.Signed, error) {
	s, err := digest.ParseLine(value)
	if err != nil {
		return nil, err
	}
	if want := digestKey(rec.Number, s.Digest.Number); string(key) != string(want) || s.Digest.Origin != originOf(rec) {
		return nil, fmt.Errorf("digest %d of %s lies under the key %x", s.Digest.Number, s.Digest.Origin, key)
	}
	return s, nil
}

func originOf(rec *catalog.Store) string { return originPrefix + formatUUID(rec.ID) }

// Origin returns the name of the store in digests and checkpoints: "cairn/" and
// its ID.
func (s *Store) Origin() string { return originOf(&s.rec) }

// lastDigest returns the store's newest digest, or nil.
func (s *Store) lastDigest() *digest.Signed {
	d := &s.lake.digests.shown
	d.Lock()
	defer d.Unlock()
	return d.last[s.rec.Number]
}

// PublicKeys returns the public sides of all keys that have signed, or may sign, the
// lake's digests. It is empty before the first digest.
func (l *Lake) PublicKeys() *digest.Ring {
	d := &l.digests.shown
	d.Lock()
	defer d.Unlock()
	return d.ring
}

// Digest makes a digest of the store now: it signs what the store holds, and stores
// digest and checkpoint before they are sent anywhere. Appends and queries go on
// meanwhile. That somebody had the key used is recorded in the audit store.
func (s *Store) Digest(ctx context.Context) (*digest.Signed, error) {
	done, err := s.lake.beginWrite()
	if err != nil {
		return nil, err
	}
	defer done()
	if err := s.lake.recordAct(ctx, ActorOf(ctx), Act{Name: ActUseKey, Store: s, Request: map[string]any{"key": "signing", "purpose": "digest"}}); err != nil {
		return nil, fmt.Errorf("recording that the signing key is used: %w", err)
	}
	d, err := s.digest(ctx, false)
	if err != nil {
		return nil, fmt.Errorf("making a digest of store %s: %w", s.Name(), err)
	}
	return d, nil
}

// digest makes a digest; when due is set, only if one is due, and nil otherwise.
func (s *Store) digest(ctx context.Context, due bool) (*digest.Signed, error) {
	l := s.lake
	l.digests.Lock()
	defer l.digests.Unlock()
	if s.gone.Load() {
		return nil, failf(ErrNotFound, "store %s was deleted", s.Name())
	}
	if due && !s.digestDue() {
		return nil, nil // somebody was faster
	}
	t, release, err := s.tiles(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	d := &digest.Digest{Origin: s.Origin(), Start: s.Created().Truncate(time.Second), Before: proof.Head{Root: proof.EmptyRoot}, After: t.tree.grown.Head()}
	if last := s.lastDigest(); last != nil {
		d.Number, d.Start, d.Before, d.Previous = last.Digest.Number+1, last.Digest.End, last.Digest.After, last.Link()
		was, err := t.headAt(d.Before.Size)
		if err != nil {
			return nil, err
		}
		if was != d.Before {
			return nil, &CorruptionError{Store: s.Name(), Place: "tree", Err: fmt.Errorf(
				"its first %d events have the root %v, digest %d has signed %v", d.Before.Size, was.Root, last.Digest.Number, d.Before.Root)}
		}
	}
	// A clock that was set back does not take the chain back.
	d.End = l.opts.Clock().UTC().Truncate(time.Second)
	if d.End.Before(d.Start) {
		d.End = d.Start
	}
	key, err := l.signingKey()
	if err != nil {
		return nil, err
	}
	signed, err := digest.Sign(d, key)
	if err != nil {
		return nil, err
	}
	var stored func()
	l.cat.Lock()
	defer l.cat.Unlock()
	err = l.change(func(b *lsm.Batch, _ *catalog.Head) {
		b.In(lsm.Digests).Set(digestKey(s.rec.Number, d.Number), digestValue(signed))
		stored = s.tree.store(s.rec.Number, b.In(lsm.Trees))
		putTail(b.In(lsm.Digests), s.rec.Number, t.tree.grown)
	})
	if err != nil {
		return nil, err
	}
	stored()
	l.digests.shown.Lock()
	l.digests.shown.last[s.rec.Number] = signed
	l.digests.shown.Unlock()
	l.publisher.poke()
	return signed, nil
}

// digestValue is a digest as it is stored.
func digestValue(s *digest.Signed) []byte {
	b := s.Line()
	return b[:len(b)-1]
}

// Digests calls fn with the store's digests in order, from a number on.
func (s *Store) Digests(from uint64, fn func(*digest.Signed) error) error {
	done, err := s.lake.begin()
	if err != nil {
		return err
	}
	defer done()
	return s.eachDigest(from, fn)
}

func (s *Store) eachDigest(from uint64, fn func(*digest.Signed) error) error {
	prefix := digestKey(s.rec.Number, 0)[:5]
	return s.lake.db.In(lsm.Digests).ScanFrom(prefix, digestKey(s.rec.Number, from), func(key, value []byte) error {
		d, err := decodeDigest(&s.rec, key, value)
		if err != nil {
			return &CorruptionError{Store: s.Name(), Place: fmt.Sprintf("digest %x", key), Err: err}
		}
		return fn(d)
	})
}

// Prove returns a receipt for an event: the proof that its record is in the tree of
// the newest checkpoint. When no checkpoint covers it yet, a digest is made first.
// An event that does not exist is an [ErrNotFound].
func (s *Store) Prove(ctx context.Context, seq uint64) (*proof.Receipt, error) {
	done, err := s.lake.begin()
	if err != nil {
		return nil, err
	}
	defer done()
	if err := s.readable(); err != nil {
		return nil, err
	}
	if n := s.Events(); seq >= n {
		return nil, failf(ErrNotFound, "proving event %d of store %s: it %s", seq, s.Name(), numbersOf(n))
	}
	last := s.lastDigest()
	if last == nil || seq >= last.Digest.After.Size {
		if s.lake.opts.ReadOnly {
			return nil, failf(ErrUnavailable, "event %d of store %s is under no checkpoint yet, and the lake is open for reading only", seq, s.Name())
		}
		if last, err = s.Digest(ctx); err != nil {
			return nil, err
		}
	}
	t, release, err := s.tiles(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	rec, err := t.sn.record(ctx, seq)
	if err != nil {
		return nil, err
	}
	r := &proof.Receipt{Leaf: proof.LeafHash(rec), Index: seq, Checkpoint: last.Checkpoint}
	if r.Path, err = proof.Inclusion(last.Digest.After, seq, t); err != nil {
		return nil, t.fault(fmt.Errorf("proving event %d: %w", seq, err))
	}
	// What is given out has been checked the way its reader will.
	if err := proof.CheckInclusion(r.Path, last.Digest.After, seq, r.Leaf); err != nil {
		return nil, t.fault(err)
	}
	return r, nil
}

// ProveGrowth returns the proof that the store's tree as a checkpoint signs it begins with
// the tree of the older size. newer is the size of that checkpoint; 0 stands for the newest,
// which is made if the newest one is older than that. Errors: ErrNotFound when no
// checkpoint has the newer size, or the older one lies within events that have left and was
// never signed.
func (s *Store) ProveGrowth(ctx context.Context, older, newer uint64) (*proof.Growth, error) {
	done, err := s.lake.begin()
	if err != nil {
		return nil, err
	}
	defer done()
	if err := s.readable(); err != nil {
		return nil, err
	}
	last := s.lastDigest()
	if newer == 0 && (last == nil || older > last.Digest.After.Size) && older <= s.Events() {
		if s.lake.opts.ReadOnly {
			return nil, failf(ErrUnavailable, "no checkpoint of store %s has %d events yet, and the lake is open for reading only", s.Name(), older)
		}
		if last, err = s.Digest(ctx); err != nil {
			return nil, err
		}
	}
	if newer != 0 {
		last = nil
		err := s.eachDigest(0, func(d *digest.Signed) error {
			if d.Digest.After.Size > newer {
				return errStop // they only grow
			}
			if d.Digest.After.Size == newer {
				last = d
			}
			return nil
		})
		if err != nil && !errors.Is(err, errStop) {
			return nil, err
		}
		if last == nil {
			return nil, failf(ErrNotFound, "no checkpoint of store %s was signed at %d events: without the newer size the proof is to the newest one", s.Name(), newer)
		}
	}
	if last == nil || older > last.Digest.After.Size {
		return nil, failf(ErrBadInput, "proving that store %s has grown from %d events: it has %d", s.Name(), older, s.Events())
	}
	path, from, to, err := s.ProveConsistency(ctx, older, last.Digest.After.Size)
	if err != nil {
		return nil, err
	}
	if to != last.Digest.After {
		return nil, &CorruptionError{Store: s.Name(), Place: "tree", Err: fmt.Errorf("its root at %d events is %v, the checkpoint signed %v", to.Size, to.Root, last.Digest.After.Root)}
	}
	g := &proof.Growth{Older: from, Path: path, Checkpoint: last.Checkpoint}
	// What is given out has been checked the way its reader will.
	if err := proof.CheckConsistency(g.Path, g.Older, to); err != nil {
		return nil, &CorruptionError{Store: s.Name(), Place: "tree", Err: err}
	}
	return g, nil
}

// Verifiers returns the verifiers of the store's checkpoints, one for each key of the
// lake.
func (s *Store) Verifiers() signednote.Verifiers {
	return verifiersOf(s.Origin(), s.lake.PublicKeys())
}

func verifiersOf(origin string, ring *digest.Ring) signednote.Verifiers {
	var list []signednote.Verifier
	for i := range ring.Keys {
		list = append(list, proof.NewVerifier(origin, ring.Keys[i].Public))
	}
	return signednote.VerifierList(list...)
}

// digestLoop makes the digests that are due.
func (l *Lake) digestLoop() {
	tick := time.NewTicker(min(max(l.opts.DigestInterval/8, 10*time.Millisecond), time.Minute))
	defer tick.Stop()
	for {
		l.makeDueDigests()
		select {
		case <-l.closing:
			return
		case <-l.haltedCh:
			return
		case <-tick.C:
		case <-l.digests.wake:
		}
	}
}

// makeDueDigests makes the digest of every store that is due. What fails is tried
// again; events are taken meanwhile.
func (l *Lake) makeDueDigests() {
	for _, s := range l.Stores() {
		select {
		case <-l.closing:
			return
		case <-l.haltedCh:
			return
		default:
		}
		if !s.digestDue() {
			continue
		}
		if _, err := s.digest(context.Background(), true); err != nil && !errors.Is(err, ErrHalted) {
			l.opts.Logger.Error("making a digest has failed, will be tried again; events are taken meanwhile", "store", s.Name(), "error", err)
		}
	}
}

// signEnds makes a digest of every store in which many events are under none while the lake is being
// closed, so that the next opening has few to read.
func (l *Lake) signEnds() {
	if l.opts.ReadOnly || l.opts.DigestInterval <= 0 || l.halted.Load() != nil {
		return
	}
	for _, s := range l.Stores() {
		size := uint64(0)
		if last := s.lastDigest(); last != nil {
			size = last.Digest.After.Size
		}
		if s.Events() < size+closeEventsMax {
			continue
		}
		if _, err := s.digest(context.Background(), false); err != nil {
			// It is made when the lake has been opened again.
			l.opts.Logger.Warn("no digest was made while closing", "store", s.Name(), "error", err)
		}
	}
}

// digestDue reports whether a digest is to be made: a full interval has ended since
// the last one, or many events have come.
func (s *Store) digestDue() bool {
	end, size := s.Created(), uint64(0)
	if last := s.lastDigest(); last != nil {
		end, size = last.Digest.End, last.Digest.After.Size
	}
	interval := s.lake.opts.DigestInterval
	return s.lake.opts.Clock().UTC().Truncate(interval).After(end.Truncate(interval)) || s.Events() >= size+digestEventsMax
}
