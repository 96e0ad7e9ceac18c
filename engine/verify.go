package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/cairndb/cairn/engine/digest"
	"github.com/cairndb/cairn/engine/proof"
	"github.com/cairndb/cairn/segment"
)

// VerifyOptions adjust a verification.
type VerifyOptions struct {
	// Store is the store to verify, "" for all.
	Store string
	// Full computes the hash of every record again. Otherwise the signatures, the chain
	// of digests and the tiles are verified, and that they fit together.
	Full bool
	// Outside are checkpoints or digests that were kept elsewhere: the contents of
	// files, each a signed checkpoint or lines of digests. The lake must have grown
	// from them.
	Outside [][]byte
	// Keys are public keys that were kept elsewhere; those of the lake that they endorse,
	// one after the other, are believed with them. When nil, the lake's own keys are.
	Keys *digest.Ring
	// Progress is called now and then, by one goroutine at a time; may be nil.
	Progress func(VerifyProgress)
}

// VerifyProgress tells how far a verification is.
type VerifyProgress struct {
	Store              string
	Events, EventsDone uint64
	Bytes              int64 // of records hashed
	Elapsed            time.Duration
}

// VerifyReport is the outcome of a verification. All that was looked at is as it was
// signed when there are no problems.
type VerifyReport struct {
	Stores   []StoreVerification
	Problems []Problem
	// ProblemCount counts all problems, listed or not.
	ProblemCount int
	// NotVerified says in sentences what was left out, and why.
	NotVerified []string
	// Breaks says in sentences where the chain of keys is broken, because a key was lost: trust
	// in the keys before says nothing of what was signed since.
	Breaks  []string
	Elapsed time.Duration
}

// StoreVerification is what was verified of one store.
type StoreVerification struct {
	Name, Origin string
	Events       uint64
	Digests      int
	// SignedEvents is how many events the newest digest covers, Signed its time.
	SignedEvents uint64
	Signed       time.Time
	// Root is that of the tree over all events.
	Root proof.Hash
	// Outside is how many checkpoints kept elsewhere were compared.
	Outside int
	// HashedEvents and HashedBytes are records whose hashes were computed again.
	HashedEvents uint64
	HashedBytes  int64
	Elapsed      time.Duration
}

// Verify verifies that the lake is what its digests say. It goes on after a problem; an
// error means that the verification itself could not be finished. The lake may be in
// use meanwhile.
func (l *Lake) Verify(ctx context.Context, opts VerifyOptions) (*VerifyReport, error) {
	done, err := l.begin()
	if err != nil {
		return nil, err
	}
	defer done()
	stores := l.Stores()
	if opts.Store != "" {
		s, err := l.Store(opts.Store)
		if err != nil {
			return nil, err
		}
		stores = []*Store{s}
	}
	v := &verification{lake: l, ctx: ctx, opts: opts, started: time.Now(), keys: opts.Keys}
	for _, p := range l.foundDamage {
		v.problem(p)
	}
	if v.keys == nil {
		v.keys = l.PublicKeys()
		v.leave("the keys are those that the lake itself names; give keys that were kept elsewhere to verify that they are yours")
	} else if own, err := digest.ParseKeys(l.PublicKeys().Format()); err == nil {
		v.keys = own.Endorsed(v.keys)
	}
	for own, i := l.PublicKeys(), 0; i < len(own.Keys); i++ {
		if own.Keys[i].Break != nil {
			v.report.Breaks = append(v.report.Breaks, own.Keys[i].BreakText())
		}
	}
	if err := v.readOutside(); err != nil {
		return nil, err
	}
	if len(opts.Outside) == 0 {
		v.leave("whether the whole lake was put back to an older state: only a checkpoint that was kept elsewhere can tell")
	}
	if !opts.Full {
		v.leave("the records themselves: their hashes are computed again by a full verification")
	}
	for _, s := range stores {
		if err := v.store(s); err != nil {
			return nil, fmt.Errorf("verifying store %s: %w", s.Name(), err)
		}
	}
	if opts.Store == "" {
		for i := range v.outside {
			if o := &v.outside[i]; !o.used {
				v.problem(Problem{Place: "checkpoint kept elsewhere", What: fmt.Sprintf("it is of %s at %d events, which is no store of this lake", o.cp.Origin, o.cp.Size)})
			}
		}
	}
	v.report.Elapsed = time.Since(v.started)
	return &v.report, nil
}

// verification is the state of one.
type verification struct {
	lake    *Lake
	ctx     context.Context
	opts    VerifyOptions
	started time.Time
	keys    *digest.Ring
	outside []outsideCheckpoint
	report  VerifyReport
}

// outsideCheckpoint is a checkpoint that was kept elsewhere.
type outsideCheckpoint struct {
	cp   *proof.Checkpoint
	note []byte
	line *digest.Signed // nil for a checkpoint alone
	used bool
}

func (v *verification) problem(p Problem) {
	v.report.ProblemCount++
	if len(v.report.Problems) < problemsMax {
		v.report.Problems = append(v.report.Problems, p)
	}
}

func (v *verification) leave(what string) {
	v.report.NotVerified = append(v.report.NotVerified, what)
}

// readOutside reads the checkpoints that were kept elsewhere.
func (v *verification) readOutside() error {
	for i, text := range v.opts.Outside {
		bad := func(err error) error {
			return failf(ErrBadInput, "reading checkpoint file %d of %d: %w", i+1, len(v.opts.Outside), err)
		}
		if !bytes.HasPrefix(text, []byte("{")) {
			cp, err := proof.UnverifiedCheckpoint(text)
			if err != nil {
				return bad(err)
			}
			v.outside = append(v.outside, outsideCheckpoint{cp: cp, note: text})
			continue
		}
		lines := bytes.Split(bytes.TrimSuffix(text, []byte("\n")), []byte("\n"))
		for n, line := range lines {
			d, err := digest.ParseLine(line)
			if err != nil {
				return bad(fmt.Errorf("line %d: %w", n+1, err))
			}
			cp := &proof.Checkpoint{Origin: d.Digest.Origin, Head: d.Digest.After, Time: d.Digest.End}
			v.outside = append(v.outside, outsideCheckpoint{cp: cp, note: d.Checkpoint, line: d})
		}
	}
	return nil
}

// storeVerification is the verification of one store.
type storeVerification struct {
	*verification
	s     *Store
	t     *treeTiles
	out   *StoreVerification
	heads []signedHead // in order of their sizes
}

// signedHead is a head that the tree must have had.
type signedHead struct {
	proof.Head
	what string
}

func (v *verification) store(s *Store) error {
	started := time.Now()
	k := &storeVerification{verification: v, s: s, out: &StoreVerification{Name: s.Name(), Origin: s.Origin()}}
	if err := k.chain(); err != nil {
		return err
	}
	t, release, err := s.tiles(v.ctx)
	if err != nil {
		// A tree that is not known has been reported when the lake was opened.
		k.wrong("tree", "%v", err)
		return v.ctx.Err()
	}
	defer release()
	k.t = t
	head := t.tree.grown.Head()
	for _, d := range t.sn.dropped {
		v.leave(fmt.Sprintf("events %d to %d of store %s: they had expired and were dropped by %s; the tree has kept what the proofs of the others need",
			d.First, d.End-1, s.Name(), time.UnixMicro(d.At).UTC().Format(time.DateTime)))
	}
	k.out.Events, k.out.Root = head.Size, head.Root
	k.addOutside(head)
	if n := head.Size - min(head.Size, k.out.SignedEvents); n > 0 {
		newest := fmt.Sprintf("the newest %d events of store %s, which are under no digest yet", n, s.Name())
		if n == 1 {
			newest = fmt.Sprintf("the newest event of store %s, which is under no digest yet", s.Name())
		}
		v.leave(newest)
	}
	k.heads = append(k.heads, signedHead{head, "the tree in memory"})
	slices.SortStableFunc(k.heads, func(a, b signedHead) int {
		if a.Size < b.Size {
			return -1
		}
		if a.Size > b.Size {
			return 1
		}
		return 0
	})
	if v.opts.Full {
		err = k.full()
	} else {
		err = k.roots()
	}
	k.out.Elapsed = time.Since(started)
	v.report.Stores = append(v.report.Stores, *k.out)
	return err
}

func (k *storeVerification) wrong(place, format string, args ...any) {
	k.problem(Problem{Store: k.s.Name(), Place: place, What: fmt.Sprintf(format, args...)})
}

// chain verifies the chain of digests.
func (k *storeVerification) chain() error {
	chain := digest.Chain{Keys: k.keys}
	own := k.lake.PublicKeys()
	breaks := digest.Breaks{Ring: own}
	unknown := 0 // digests by keys that are not trusted: one sentence is enough
	first := true
	err := k.s.eachDigest(0, func(d *digest.Signed) error {
		if err := k.ctx.Err(); err != nil {
			return err
		}
		n := d.Digest.Number
		if first && n != 0 {
			k.wrong("digests", "the first one there is number %d, those before it are missing", n)
		}
		first = false
		if b := breaks.At(&d.Digest); b != nil {
			k.report.Breaks = append(k.report.Breaks, fmt.Sprintf("digests of store %s from number %d on, signed since %s, rest on key %d, which key %d has not endorsed",
				k.s.Name(), n, d.Digest.End.Format(time.DateTime), b.Number, b.Number-1))
		}
		if err := chain.Add(d); errors.Is(err, digest.ErrUnknownKey) && own.Find(d.Digest.Key) != nil {
			if unknown++; unknown == 1 {
				k.wrong("digests", "%v: %s", err, own.WhyUnknown(d.Digest.Key, k.opts.Keys))
			}
			chain = digest.Chain{Keys: k.keys}
			return nil
		} else if err != nil {
			k.wrong("digests", "%v", err)
			chain = digest.Chain{Keys: k.keys}
			if _, err := d.Verify(k.keys); err != nil {
				return nil
			}
			// Go on behind the break.
			if err := chain.Add(d); err != nil {
				return nil
			}
		}
		k.out.Digests++
		k.out.SignedEvents, k.out.Signed = d.Digest.After.Size, d.Digest.End
		k.addHead(d.Digest.After, fmt.Sprintf("digest %d, signed %s", n, d.Digest.End.Format(time.DateTime)))
		return nil
	})
	if unknown > 1 {
		k.wrong("digests", "%d more signed by keys that are not trusted", unknown-1)
	}
	if errors.Is(err, ErrCorrupt) {
		k.wrong("digests", "%v", err)
		return nil
	}
	return err
}

func (k *storeVerification) addHead(h proof.Head, what string) {
	if n := len(k.heads); n == 0 || k.heads[n-1].Head != h {
		k.heads = append(k.heads, signedHead{h, what})
	}
}

// addOutside takes up the checkpoints that were kept elsewhere.
func (k *storeVerification) addOutside(now proof.Head) {
	known := verifiersOf(k.s.Origin(), k.keys)
	for i := range k.outside {
		o := &k.outside[i]
		if o.cp.Origin != k.s.Origin() {
			continue
		}
		o.used = true
		k.out.Outside++
		what := fmt.Sprintf("the checkpoint of %s that was kept elsewhere", o.cp.Time.Format(time.DateTime))
		if _, err := proof.OpenCheckpoint(o.note, known); err != nil {
			k.wrong("checkpoint kept elsewhere", "%v", err)
			continue
		}
		if o.cp.Size > now.Size {
			k.wrong("events", "%s has %d events, the lake has %d: %v to an older state, or has lost events %d to %d", what, o.cp.Size, now.Size, ErrRolledBack, now.Size, o.cp.Size-1)
			continue
		}
		k.addHead(o.cp.Head, what)
		if o.line != nil {
			k.compareDigest(o.line)
		}
	}
}

// compareDigest compares a digest that was kept elsewhere with the lake's.
func (k *storeVerification) compareDigest(d *digest.Signed) {
	found := false
	err := k.s.eachDigest(d.Digest.Number, func(own *digest.Signed) error {
		found = own.Digest.Number == d.Digest.Number
		if found && (!bytes.Equal(own.Document, d.Document) || own.Signature != d.Signature) {
			k.wrong("digests", "digest %d is another one than was sent elsewhere", d.Digest.Number)
		}
		return errStop
	})
	if err != nil && !errors.Is(err, errStop) {
		k.wrong("digests", "%v", err)
	} else if !found {
		k.wrong("digests", "digest %d was sent elsewhere and is missing: %v to an older state", d.Digest.Number, ErrRolledBack)
	}
}

// roots computes the root of every head from the tiles.
func (k *storeVerification) roots() error {
	bad := 0
	for _, h := range k.heads {
		if err := k.ctx.Err(); err != nil {
			return err
		}
		if h.Size > k.out.Events {
			k.wrong("events", "%s covers %d events, there are %d", h.what, h.Size, k.out.Events)
			continue
		}
		got, err := k.t.headAt(h.Size)
		if err != nil {
			k.wrong("tree", "%v", err)
		} else if got != h.Head {
			bad++
			if bad == 1 {
				k.wrong("tree", "its first %d events have the root %v, %s says %v", h.Size, got.Root, h.what, h.Root)
			}
		}
	}
	if bad > 1 {
		k.wrong("tree", "%d later heads do not fit either", bad-1)
	}
	return nil
}

// hashed is the leaves of a run of events.
type hashed struct {
	first  uint64
	hasher proof.LeafHasher
	leaves []proof.Hash // when done
	// roots has the root of every whole tile of leaves, from the first one that begins
	// inside the run.
	roots []proof.Hash
	bytes int64
	err   error
}

func (h *hashed) add(record []byte) {
	h.hasher.Add(record)
	h.bytes += int64(len(record))
}

// done computes leaves and roots of what was added.
func (h *hashed) done() {
	h.leaves = h.hasher.Hashes()
	h.hasher = proof.LeafHasher{}
	skip := int(-h.first % proof.TileWidth) // to the first tile that begins here
	for i := skip; i+proof.TileWidth <= len(h.leaves); i += proof.TileWidth {
		h.roots = append(h.roots, proof.TileRoot(h.leaves[i:i+proof.TileWidth]))
	}
}

// full computes the leaves of all records again, and compares tiles and heads.
func (k *storeVerification) full() error {
	var tree proof.Tree
	bad := false
	full := func(id proof.TileID, hashes []proof.Hash) bool {
		if id.Level > 0 {
			bad = !k.sameTile(id, hashes) || bad
		}
		return false
	}
	heads := k.heads
	check := func() {
		for len(heads) > 0 && heads[0].Size <= tree.Size() {
			if h := heads[0]; !bad && tree.Head() != h.Head {
				bad = true
				k.wrong("events", "the records of the first %d events have the root %v, %s says %v", h.Size, tree.Head().Root, h.what, h.Root)
			}
			heads = heads[1:]
		}
	}
	check()
	err := k.runs(func(h *hashed) error {
		if h.err != nil {
			k.wrong("events", "%v; events from %d on could not be verified", h.err, h.first)
			return errStop
		}
		if err := k.fillDropped(&tree, h.first, full, func() uint64 { return nextHead(heads) }, check); err != nil {
			k.wrong("tree", "%v", err)
			return errStop
		}
		if h.first != tree.Size() {
			k.wrong("events", "events %d to %d are missing", tree.Size(), h.first-1)
			return errStop
		}
		roots := h.roots
		for i := 0; i < len(h.leaves); {
			at := h.first + uint64(i)
			rest := len(h.leaves) - i
			switch {
			case at%proof.TileWidth == 0 && rest >= proof.TileWidth && (len(heads) == 0 || heads[0].Size >= at+proof.TileWidth):
				tree.AppendTile(roots[0], full)
				i += proof.TileWidth
				roots = roots[1:]
			default:
				tree.Append(h.leaves[i], full)
				if at%proof.TileWidth == 0 && rest >= proof.TileWidth {
					roots = roots[1:] // by its leaves, because a head lies inside
				}
				i++
			}
			check()
		}
		k.out.HashedEvents += uint64(len(h.leaves))
		k.out.HashedBytes += h.bytes
		if k.opts.Progress != nil {
			k.opts.Progress(VerifyProgress{Store: k.s.Name(), Events: k.out.Events, EventsDone: k.out.HashedEvents, Bytes: k.out.HashedBytes, Elapsed: time.Since(k.started)})
		}
		return nil
	})
	if errors.Is(err, errStop) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := k.fillDropped(&tree, k.out.Events, full, func() uint64 { return nextHead(heads) }, check); err != nil {
		k.wrong("tree", "%v", err)
	}
	for level := uint8(1); level < proof.Levels; level++ {
		if id, hashes := tree.Edge(level); len(hashes) > 0 && tree.Size() == k.out.Events {
			k.sameTile(id, hashes)
		}
	}
	for _, h := range heads {
		k.wrong("events", "%s covers %d events, there are %d", h.what, h.Size, tree.Size())
	}
	return nil
}

// sameTile compares a computed tile with the one that is kept, and names the events
// that differ.
func (k *storeVerification) sameTile(id proof.TileID, hashes []proof.Hash) bool {
	kept, err := k.t.Tile(id, len(hashes))
	if err != nil {
		k.wrong("tree", "%v", err)
		return false
	}
	same := true
	for i := range hashes {
		if hashes[i] != kept[i] {
			same = false
			span := uint64(1) << (proof.TileHeight * uint(id.Level))
			first := (id.Index*proof.TileWidth + uint64(i)) * span
			k.wrong("events", "events %d to %d are not what they were: their records have the root %v, %v says %v", first, first+span-1, hashes[i], id, kept[i])
		}
	}
	return same
}

// runs has the records of the snapshot hashed, side by side, and gives the runs in
// order of their numbers to fn.
func (k *storeVerification) runs(fn func(*hashed) error) error {
	sn := k.t.sn
	size := k.t.tree.grown.Size()
	ctx, cancel := context.WithCancel(k.ctx)
	workers := max(1, k.lake.opts.Workers)
	// At most two runs a worker wait to be taken: 2 MB each for a whole segment.
	queue := make(chan chan *hashed, workers)
	limit := make(chan struct{}, workers)
	var working sync.WaitGroup
	defer working.Wait()
	defer cancel()
	working.Add(1)
	go func() {
		defer working.Done()
		defer close(queue)
		for _, seg := range sn.segments {
			out := make(chan *hashed, 1)
			select {
			case queue <- out:
			case <-ctx.Done():
				return
			}
			limit <- struct{}{}
			working.Add(1)
			go func() {
				defer working.Done()
				defer func() { <-limit }()
				out <- hashSegment(ctx, seg)
			}()
		}
		for _, v := range sn.views {
			h := &hashed{first: v.First()}
			for i := range v.Rows() {
				h.add(v.Rows()[i].Raw)
			}
			h.done()
			out := make(chan *hashed, 1)
			out <- h
			select {
			case queue <- out:
			case <-ctx.Done():
				return
			}
		}
	}()
	var runs []*hashed // memtables may lie between segments
	next := uint64(0)
	skip := func() { // what has left is not waited for
		for d := droppedAt(sn.dropped, next); d != nil; d = droppedAt(sn.dropped, next) {
			next = d.End
		}
	}
	take := func(force bool) error {
		skip()
		for i := 0; i < len(runs); i++ {
			if h := runs[i]; force || h.first == next {
				runs = append(runs[:i], runs[i+1:]...)
				next = h.first + uint64(len(h.leaves))
				skip()
				if err := fn(h); err != nil {
					return err
				}
				i = -1
			}
		}
		return nil
	}
	for out := range queue {
		h := <-out
		if err := ctx.Err(); err != nil {
			return err
		}
		if h.first >= size {
			continue // came after the tree was looked at
		}
		if n := size - h.first; uint64(len(h.leaves)) > n {
			h.leaves = h.leaves[:n]
		}
		runs = append(runs, h)
		if err := take(false); err != nil {
			return err
		}
	}
	if err := k.ctx.Err(); err != nil {
		return err
	}
	slices.SortFunc(runs, func(a, b *hashed) int { return int(int64(a.first) - int64(b.first)) })
	return take(true)
}

// hashSegment hashes the records of a segment.
func hashSegment(ctx context.Context, seg *sealed) *hashed {
	h := &hashed{first: seg.cat.First}
	h.hasher.Grow(int(seg.cat.Rows))
	r, err := seg.reader(ctx)
	if err == nil {
		err = r.Records(ctx, segment.Range(0, r.Rows()), func(_ int, rec []byte) error {
			h.add(rec)
			return nil
		})
		if err != nil {
			err = seg.fault(fmt.Errorf("reading the records: %w", err))
		}
	}
	h.err = err
	h.done()
	return h
}

// nextHead returns the size of the first head that is still to be compared.
func nextHead(heads []signedHead) uint64 {
	if len(heads) == 0 {
		return math.MaxUint64
	}
	return heads[0].Size
}

// fillDropped lets a tree grow up to a size by events that have left the store: whole
// tiles by their roots in the tile above, others by the leaves that were kept.
func (k *storeVerification) fillDropped(tree *proof.Tree, to uint64, full func(proof.TileID, []proof.Hash) bool, head func() uint64, check func()) error {
	for tree.Size() < to {
		at := tree.Size()
		d := droppedAt(k.t.sn.dropped, at)
		if d == nil {
			return nil // they are missing, and the caller says so
		}
		if err := k.ctx.Err(); err != nil {
			return err
		}
		if at%proof.TileWidth == 0 && min(to, d.End)-at >= proof.TileWidth && head() >= at+proof.TileWidth {
			above := proof.TileID{Level: 1, Index: at / proof.TileWidth / proof.TileWidth}
			place := int(at / proof.TileWidth % proof.TileWidth)
			hashes, err := k.t.Tile(above, place+1)
			if err != nil {
				return err
			}
			tree.AppendTile(hashes[place], full)
		} else {
			hashes, err := k.t.leaves(proof.TileID{Index: at / proof.TileWidth}, int(at%proof.TileWidth)+1)
			if err != nil {
				return err
			}
			tree.Append(hashes[at%proof.TileWidth], full)
		}
		check()
	}
	return nil
}
