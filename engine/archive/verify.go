package archive

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sort"
	"sync"
	"time"

	"github.com/cairndb/cairn/engine/digest"
	"github.com/cairndb/cairn/engine/proof"
)

// VerifyOptions adjust a verification.
type VerifyOptions struct {
	// Keys are public keys that are trusted. When nil the bundle's own are believed,
	// which the report says.
	Keys *digest.Ring
	// Workers is the number of goroutines; one per CPU when 0.
	Workers int
	// Progress is called now and then, by one goroutine at a time; may be nil.
	Progress func(done, total uint64, bytes int64)
}

// Report is the outcome of a verification: sentences about what was verified, what was
// not, and what is wrong. All is well when there are no problems.
type Report struct {
	Manifest    *Manifest // nil when it could not be read
	Verified    []string
	NotVerified []string
	Problems    []error
	// ProblemCount counts all problems, listed or not.
	ProblemCount int
	// Events and Bytes are the records that were hashed, FileBytes the files that were.
	Events    uint64
	Bytes     int64
	FileBytes int64
	Elapsed   time.Duration

	told map[string]bool // texts of Problems
}

// problemsMax is how many problems are listed: whoever has a thousand needs no more.
const problemsMax = 1000

// problem notes a problem, once: a file that is missing is missed by whoever reads it.
func (r *Report) problem(err error) {
	if text := err.Error(); len(r.Problems) < problemsMax {
		if r.told[text] {
			return
		}
		if r.told == nil {
			r.told = map[string]bool{}
		}
		r.told[text] = true
		r.Problems = append(r.Problems, err)
	}
	r.ProblemCount++
}

// things is a number of things: "1 event", "2 events".
func things[N int | uint64](n N, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func (r *Report) verified(format string, args ...any) {
	r.Verified = append(r.Verified, fmt.Sprintf(format, args...))
}

func (r *Report) left(format string, args ...any) {
	r.NotVerified = append(r.NotVerified, fmt.Sprintf(format, args...))
}

// Verify verifies a bundle: that its files are those of the signed manifest and no
// others, that the records are the ones of the signed tree, and that the digests lead
// there. It goes on after a problem; an error means that it was ended by ctx.
func Verify(ctx context.Context, from Source, opts VerifyOptions) (*Report, error) {
	started := time.Now()
	v := &verification{ctx: ctx, from: from, opts: opts, report: &Report{}}
	if v.opts.Workers <= 0 {
		v.opts.Workers = runtime.GOMAXPROCS(0)
	}
	if err := v.run(); err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		v.report.problem(err)
	}
	v.report.Elapsed = time.Since(started)
	return v.report, nil
}

// verification is the state of one. Workers touch only what they are given.
type verification struct {
	ctx    context.Context
	from   Source
	opts   VerifyOptions
	report *Report

	m     *Manifest
	ring  *digest.Ring // the bundle's keys and the trusted ones
	named []string     // fingerprints of keys that only the signed manifest vouches for
	files map[string]*File
	small map[string][]byte // files read so far
}

// smallBytesMax bounds files that are read whole beside the manifest: some hundred
// years of hourly digests.
const smallBytesMax = 4 << 30

// trusted reports whether a key is one of those given, or endorsed by one of them.
func (v *verification) trusted(bundle *digest.Ring, fingerprint string) bool {
	if v.opts.Keys == nil || v.opts.Keys.Find(fingerprint) != nil {
		return true
	}
	return bundle.Endorsed(v.opts.Keys).Find(fingerprint) != nil
}

func (v *verification) run() error {
	bundle, err := v.manifest()
	if err != nil {
		return err
	}
	r := v.report
	if err := v.listing(); err != nil {
		return err
	}
	head, err := v.heads(bundle)
	if err != nil {
		r.problem(err)
	}
	if err := v.others(); err != nil {
		return err
	}
	return v.parts(head, err == nil)
}

// manifest reads the manifest and verifies its signature.
func (v *verification) manifest() (*digest.Ring, error) {
	document, err := readSmall(v.ctx, v.from, ManifestFile, ManifestBytesMax)
	if errors.Is(err, ErrMissing) {
		if err := missing(v.ctx, v.from, err); !errors.Is(err, ErrMissing) {
			return nil, fmt.Errorf("%w: %w", ErrManifest, err)
		}
		return nil, fmt.Errorf("this is no bundle, or not the whole of one (an export that was cut short goes on when it is run again): %w: %w", ErrManifest, err)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrManifest, err)
	}
	signature, err := readSmall(v.ctx, v.from, SignatureFile, ed25519.SignatureSize)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrManifest, err)
	}
	m, err := ParseManifest(document)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrManifest, err)
	}
	keys, err := readSmall(v.ctx, v.from, KeysFile, digest.RingBytesMax)
	var bundle *digest.Ring
	if err == nil {
		bundle, err = digest.ParseKeys(keys)
	}
	if err == nil && !bytes.Equal(bundle.Format(), keys) {
		err = fmt.Errorf("%s is not a key ring: %w", KeysFile, ErrChanged)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %w", KeysFile, ErrChanged, err)
	}
	v.ring = bundle
	if v.opts.Keys != nil {
		v.ring = bundle.Merge(v.opts.Keys)
	}
	k := v.ring.Find(m.Key)
	switch {
	case k == nil:
		return nil, fmt.Errorf("%s is signed by %s, which is not among the bundle's keys: %w", ManifestFile, m.Key, ErrKey)
	case !ed25519.Verify(k.Public, document, signature):
		return nil, fmt.Errorf("%s has not been signed by %s, or was changed: %w: %w", ManifestFile, m.Key, ErrManifest, digest.ErrSignature)
	case !v.trusted(bundle, m.Key):
		return nil, fmt.Errorf("%s is signed by %s, which is none of the keys that were given (%s): %w", ManifestFile, m.Key, bundle.WhyUnknown(m.Key, v.opts.Keys), ErrKey)
	}
	v.m, v.report.Manifest = m, m
	if v.opts.Keys == nil {
		v.report.left("whose key it is: the signatures were checked with the keys in the bundle itself; give a key that came another way, by --key, to know that they are the lake's. The manifest is signed by %s", m.Key)
		v.report.verified("the manifest, %s and %s, is signed by the bundle's key %s", things(len(m.Files), "file"), things(m.Events, "event"), m.Key)
	} else {
		v.report.verified("the manifest, %s and %s, is signed by the trusted key %s", things(len(m.Files), "file"), things(m.Events, "event"), m.Key)
	}
	sums, err := readSmall(v.ctx, v.from, SumsFile, 2*ManifestBytesMax)
	if err != nil {
		v.report.problem(fmt.Errorf("%w: %w", ErrManifest, err))
	} else if !bytes.Equal(sums, m.Sums(document, signature)) {
		v.report.problem(fmt.Errorf("%s is not the list of the manifest's files: %w", SumsFile, ErrManifest))
	}
	v.files = make(map[string]*File, len(m.Files))
	for i := range m.Files {
		v.files[m.Files[i].Path] = &m.Files[i]
	}
	if f, sum := v.files[KeysFile], sha256.Sum256(keys); f == nil || f.SHA256 != hex.EncodeToString(sum[:]) {
		return nil, fmt.Errorf("%s is not the one that the manifest names: %w", KeysFile, ErrChanged)
	}
	return bundle, nil
}

// vouched reports whether a key that signed a digest may be believed: it is trusted, or
// the manifest, which a trusted key has signed, names it with the hash of the bundle's
// keys. Whoever trusts the key in use need not know those before it.
func (v *verification) vouched(bundle *digest.Ring, fingerprint string) bool {
	if v.trusted(bundle, fingerprint) {
		return true
	}
	if bundle.Find(fingerprint) == nil {
		return false
	}
	v.named = append(v.named, fingerprint)
	return true
}

// listing compares what is there with the manifest.
func (v *verification) listing() error {
	there := make(map[string]bool, len(v.files))
	err := v.from.List(v.ctx, "", func(name string, size int64) error {
		switch f := v.files[name]; {
		case f != nil:
			there[name] = true
		case name != ManifestFile && name != SignatureFile && name != SumsFile:
			v.report.problem(fmt.Errorf("%.200q: %w", name, ErrStranger))
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("listing the bundle: %w", err)
	}
	for i := range v.m.Files {
		if name := v.m.Files[i].Path; !there[name] {
			v.report.problem(fmt.Errorf("%s: %w", name, ErrMissing))
		}
	}
	return nil
}

// file reads a small file of the manifest and compares it with its hash.
func (v *verification) file(name string) ([]byte, error) {
	f := v.files[name]
	if f == nil {
		return nil, fmt.Errorf("the manifest does not name %s: %w", name, ErrManifest)
	}
	if f.Bytes > smallBytesMax {
		return nil, fmt.Errorf("%s has %d bytes, too many: %w", name, f.Bytes, ErrManifest)
	}
	in, err := openFile(v.ctx, v.from, f)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(in)
	if err := errors.Join(err, in.finish()); err != nil {
		return nil, err
	}
	if v.small == nil {
		v.small = map[string][]byte{}
	}
	v.small[name] = nil // only that it was seen
	return b, nil
}

// heads verifies selection, digests, and checkpoint, and returns the tree's head.
func (v *verification) heads(bundle *digest.Ring) (proof.Head, error) {
	var head proof.Head
	b, err := v.file(SelectionFile)
	if err != nil {
		return head, err
	}
	s := &v.m.Selection
	if !bytes.Equal(b, s.Format()) {
		return head, fmt.Errorf("%s is not what the manifest says: %w", SelectionFile, ErrManifest)
	}
	if head, err = s.Tree.Proof(); err != nil {
		return head, err
	}
	lines, err := v.file(DigestsFile)
	if err != nil {
		return head, err
	}
	chain := digest.Chain{Keys: v.ring}
	breaks := digest.Breaks{Ring: bundle}
	count := 0
	for n, line := range bytes.Split(bytes.TrimSuffix(lines, []byte("\n")), []byte("\n")) {
		d, err := digest.ParseLine(line)
		if err == nil && count == 0 && d.Digest.Number != 0 {
			err = fmt.Errorf("the first digest is number %d, not 0", d.Digest.Number)
		}
		if err == nil {
			err = chain.Add(d)
		}
		if err != nil {
			return head, fmt.Errorf("%s, line %d: %w: %w", DigestsFile, n+1, ErrTree, err)
		}
		if b := breaks.At(&d.Digest); b != nil {
			v.report.left("that one owner has signed all digests: those from number %d on, signed since %s, rest on a key that none before has endorsed: %s",
				d.Digest.Number, d.Digest.End.Format(time.RFC3339), b.BreakText())
		}
		count++
	}
	last := chain.Last()
	if last == nil || last.Digest.Origin != s.Origin || last.Digest.Number != s.Digest || last.Digest.After != head || last.Digest.End.Format(time.RFC3339) != s.Signed {
		return head, fmt.Errorf("the newest digest is not the one that the selection names: %w", ErrTree)
	}
	if !v.vouched(bundle, last.Digest.Key) {
		return head, fmt.Errorf("digest %d is signed by %s, which is none of the keys that were given: %w", last.Digest.Number, last.Digest.Key, ErrKey)
	}
	want, err := headFiles(last, v.ring, v.m.Key)
	if err != nil {
		return head, fmt.Errorf("%w: %w", ErrTree, err)
	}
	for _, f := range want {
		if b, err = v.file(f.name); err != nil {
			return head, err
		}
		if !bytes.Equal(b, f.b) {
			return head, fmt.Errorf("%s is not that of digest %d: %w", f.name, last.Digest.Number, ErrTree)
		}
	}
	v.report.verified("%d digests of %s, from the first one on, are signed and follow each other; the last one and its checkpoint, of %s, are for %s with root %x",
		count, s.Origin, s.Signed, things(head.Size, "event"), head.Root[:])
	for _, k := range v.named {
		v.report.verified("the key %s, which signed the last digest, is one of the lake's, by the word of the key that signed the manifest", k)
	}
	v.report.left("whether others were shown the same tree: compare the checkpoint with one that was kept elsewhere, or with a witness's")
	return head, nil
}

// others compares the files that belong to no part and have not been read yet.
func (v *verification) others() error {
	in := map[string]bool{}
	for i := range v.m.Parts {
		in[v.m.Parts[i].Index] = true
	}
	n := 0
	for i := range v.m.Files {
		f := &v.m.Files[i]
		if err := v.ctx.Err(); err != nil {
			return err
		}
		_, seen := v.small[f.Path]
		if seen || in[f.Path] || f.Format != "" || f.Path == GapsFile {
			continue
		}
		s, err := openFile(v.ctx, v.from, f)
		if err == nil {
			err = s.finish()
		}
		if err != nil {
			v.report.problem(err)
		}
		n++
	}
	return nil
}

// hashedPart is a part whose records were hashed.
type hashedPart struct {
	header *Header
	seqs   []uint64
	leaves []proof.Hash
	// roots are those of whole tiles of neighbouring records, in order.
	roots  []proof.Hash
	err    error
	number int
}

// parts verifies the records, side by side, and puts their tree together.
func (v *verification) parts(head proof.Head, known bool) error {
	ctx, cancel := context.WithCancel(v.ctx)
	defer cancel()
	// At most one part a worker waits to be taken.
	queue := make(chan chan *hashedPart, v.opts.Workers)
	work := make(chan struct {
		number int
		out    chan *hashedPart
	})
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	for range v.opts.Workers {
		running.Add(1)
		go func() {
			defer running.Done()
			r := &partReader{from: v.from, files: v.files, filtered: v.m.Selection.Filtered()}
			for w := range work {
				w.out <- v.part(ctx, r, w.number, head, known)
			}
		}()
	}
	running.Add(1)
	go func() {
		defer running.Done()
		defer close(work)
		defer close(queue)
		for i := range v.m.Parts {
			out := make(chan *hashedPart, 1)
			select {
			case queue <- out:
			case <-ctx.Done():
				return
			}
			select {
			case work <- struct {
				number int
				out    chan *hashedPart
			}{i, out}:
			case <-ctx.Done():
				return
			}
		}
	}()
	t := &treeOf{v: v, head: head}
	if !v.m.Selection.Filtered() {
		defer t.openGaps()()
	}
	for out := range queue {
		var p *hashedPart
		select {
		case p = <-out:
		case <-ctx.Done():
			return ctx.Err()
		}
		t.take(p)
		if v.opts.Progress != nil {
			v.opts.Progress(v.report.Events, v.m.Events, v.report.Bytes)
		}
	}
	if err := v.ctx.Err(); err != nil {
		return err
	}
	t.finish(known)
	return nil
}

// part verifies one part.
func (v *verification) part(ctx context.Context, r *partReader, number int, head proof.Head, known bool) *hashedPart {
	out := &hashedPart{number: number}
	formats := v.m.Selection.Formats
	p, err := r.read(ctx, formats, &v.m.Parts[number])
	if err != nil {
		out.err = err
		return out
	}
	out.header = p.header
	out.seqs, out.leaves = make([]uint64, len(p.entries)), make([]proof.Hash, len(p.entries))
	var hashed []proof.Hash
	if !p.rows {
		var hasher proof.LeafHasher
		hasher.Grow(len(p.entries))
		for i := range p.entries {
			hasher.Add(p.record(&p.entries[i]))
		}
		hashed = hasher.Hashes()
	}
	for i := range p.entries {
		e := &p.entries[i]
		out.seqs[i], out.leaves[i] = e.Seq, e.Leaf
		if !p.rows {
			if leaf := hashed[i]; leaf != e.Leaf {
				out.err = fmt.Errorf("record %d in %s has the hash %x, the index says %x: %w", e.Seq, p.header.Files[e.File].Path, leaf[:], e.Leaf[:], ErrRecords)
				return out
			}
		}
		if r.filtered && known {
			if err := proof.CheckInclusion(e.Path, head, e.Seq, e.Leaf); err != nil {
				out.err = fmt.Errorf("record %d in %s: %w: %w", e.Seq, p.header.Files[e.File].Path, ErrTree, err)
				return out
			}
		}
	}
	if !r.filtered {
		for i := 0; i < len(out.seqs); {
			if out.tileAt(i) {
				out.roots = append(out.roots, proof.TileRoot(out.leaves[i:i+proof.TileWidth]))
				i += proof.TileWidth
			} else {
				i++
			}
		}
	}
	return out
}

// tileAt reports whether record i and those behind it are all the leaves of a tile.
func (p *hashedPart) tileAt(i int) bool {
	const last = proof.TileWidth - 1
	return p.seqs[i]%proof.TileWidth == 0 && i+last < len(p.seqs) && p.seqs[i+last] == p.seqs[i]+last
}

// treeOf puts the leaves of all parts together, in order.
type treeOf struct {
	v      *verification
	head   proof.Head
	tree   treeHead
	broken bool // the tree cannot be told any more

	gaps    *bufio.Reader
	gapFile *sumReader
	gap     *Gap // the next one
	missing uint64

	last   uint64
	any    bool
	used   map[string]bool
	events uint64
}

// openGaps begins to read the gaps.
func (t *treeOf) openGaps() (end func()) {
	f := t.v.files[GapsFile]
	if f == nil {
		t.fail(fmt.Errorf("the manifest does not name %s: %w", GapsFile, ErrManifest))
		return func() {}
	}
	in, err := openFile(t.v.ctx, t.v.from, f)
	if err != nil {
		t.fail(err)
		return func() {}
	}
	t.gapFile, t.gaps = in, bufio.NewReaderSize(in, 1<<16)
	t.nextGap()
	return func() {
		if t.gapFile != nil {
			t.gapFile.r.Close()
		}
	}
}

func (t *treeOf) fail(err error) {
	t.broken = true
	t.v.report.problem(err)
}

func (t *treeOf) nextGap() {
	t.gap = nil
	line, err := longLine(t.gaps, 4096)
	if err == io.EOF {
		return
	}
	g := &Gap{}
	if err == nil {
		err = parseGap(line, g)
	}
	if err != nil {
		t.fail(fmt.Errorf("%s: %w: %w", GapsFile, ErrTree, err))
		return
	}
	t.gap = g
}

// fill adds the gaps that lie before a leaf.
func (t *treeOf) fill(seq uint64) {
	for !t.broken && t.gap != nil && t.gap.first() == t.tree.size && t.gap.end() <= seq {
		if err := t.tree.add(t.gap.Level, t.gap.Hash); err != nil {
			t.fail(fmt.Errorf("%s: %w: %w", GapsFile, ErrTree, err))
			return
		}
		t.missing += 1 << t.gap.Level
		t.nextGap()
	}
}

// take takes the next part.
func (t *treeOf) take(p *hashedPart) {
	r := t.v.report
	if p.err != nil {
		t.fail(p.err)
		return
	}
	if t.used == nil {
		t.used = map[string]bool{}
	}
	index := t.v.m.Parts[p.number].Index
	for i := range p.header.Files {
		name := p.header.Files[i].Path
		if t.used[name] {
			t.fail(fmt.Errorf("%s and another index have the file %s: %w", index, name, ErrRecords))
		}
		t.used[name] = true
		r.FileBytes += p.header.Files[i].Bytes
	}
	if t.any && len(p.seqs) > 0 && p.seqs[0] <= t.last {
		t.fail(fmt.Errorf("%s begins with record %d, after record %d: %w", index, p.seqs[0], t.last, ErrRecords))
		return
	}
	if !t.any && len(p.seqs) > 0 && p.seqs[0] != *t.v.m.First {
		r.problem(fmt.Errorf("the first record is %d, the manifest says %d: %w", p.seqs[0], *t.v.m.First, ErrRecords))
	}
	for i := 0; i < len(p.seqs); i++ {
		seq, level, h := p.seqs[i], uint8(0), p.leaves[i]
		if len(p.roots) > 0 && p.tileAt(i) {
			level, h = proof.TileHeight, p.roots[0]
			p.roots = p.roots[1:]
			i += proof.TileWidth - 1
		}
		t.last, t.any = p.seqs[i], true
		if t.v.m.Selection.Filtered() || t.broken {
			continue
		}
		if t.fill(seq); t.tree.size != seq && !t.broken {
			t.fail(fmt.Errorf("events %d to %d are neither in the bundle nor in %s: %w", t.tree.size, seq-1, GapsFile, ErrTree))
		}
		if !t.broken {
			if err := t.tree.add(level, h); err != nil {
				t.fail(fmt.Errorf("record %d: %w: %w", seq, ErrTree, err))
			}
		}
	}
	t.events += uint64(len(p.seqs))
	r.Events += uint64(len(p.seqs))
	r.Bytes += p.header.Bytes
}

// finish compares the tree with its head.
func (t *treeOf) finish(known bool) {
	v, r, m := t.v, t.v.report, t.v.m
	whole := !m.Selection.Filtered()
	if whole && t.gapFile != nil {
		t.fill(t.head.Size)
		if t.gap != nil && !t.broken {
			t.fail(fmt.Errorf("%s has a subtree at event %d, which does not belong there: %w", GapsFile, t.gap.first(), ErrTree))
		}
		err := t.gapFile.finish()
		t.gapFile = nil
		if err != nil {
			t.fail(err)
		}
	}
	var unused []string
	for i := range m.Files {
		if f := &m.Files[i]; f.Format != "" && !t.used[f.Path] && !t.broken {
			unused = append(unused, f.Path)
		}
	}
	sort.Strings(unused)
	for _, name := range unused {
		r.problem(fmt.Errorf("%s has records and no index has it: %w", name, ErrRecords))
	}
	if t.any && t.last != *m.Last && !t.broken {
		r.problem(fmt.Errorf("the last record is %d, the manifest says %d: %w", t.last, *m.Last, ErrRecords))
	}
	if t.broken || !known {
		if t.broken && whole {
			r.left("the root over all records, because of the problems before")
		}
		return
	}
	rows := m.Selection.Formats[0] == Segments || m.Selection.Formats[0] == Parquet
	if rows {
		r.left("the records themselves: they are in files of the format %q, whose hashes were compared; \"cairn import\" computes the records' hashes again", m.Selection.Formats[0])
	}
	for _, f := range m.Selection.Formats[1:] {
		r.left("what is in the further copies of the format %q: the hashes of the files were compared", f)
	}
	what := "records, byte for byte,"
	if rows {
		what = "leaf hashes"
	}
	if !whole {
		r.verified("each of the %d %s is shown by its own proof to be in the signed tree of %d events", t.events, what, t.head.Size)
		r.left("whether the selection is complete: that no other event meets it can only be seen in the whole store")
		return
	}
	if got := t.tree.head(); got != t.head {
		r.problem(fmt.Errorf("the %d records have the root %x, signed is %d events with root %x: %w", got.Size, got.Root[:], t.head.Size, t.head.Root[:], ErrTree))
		return
	}
	if t.missing != m.Missing {
		r.problem(fmt.Errorf("%d events are missing, the manifest says %d: %w", t.missing, m.Missing, ErrManifest))
	}
	if t.missing > 0 {
		r.left("%d events of the tree that have left the store: their hashes are here, they are not", t.missing)
		r.verified("%d %s are, with the hashes of those that have left the store, exactly the signed tree of %d events", t.events, what, t.head.Size)
	} else {
		r.verified("%d %s are exactly the signed tree: all %d events of the store up to the checkpoint, in order", t.events, what, t.head.Size)
	}
	r.left("events that came after the checkpoint of %s", v.m.Selection.Signed)
}
