package archive

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"

	"github.com/cairndb/cairn/engine/digest"
	"github.com/cairndb/cairn/engine/proof"
)

var everyByte = flag.Bool("every-byte", false, "flip a bit in every byte in TestEveryByte, not in a sample")

// memory is a bundle in memory.
type memory struct {
	sync.Mutex
	files map[string][]byte
}

func (m *memory) Write(_ context.Context, name string, content io.Reader) error {
	b, err := io.ReadAll(content)
	m.Lock()
	defer m.Unlock()
	m.files[name] = b
	return err
}

func (m *memory) Read(_ context.Context, name string) (io.ReadCloser, error) {
	m.Lock()
	defer m.Unlock()
	b, ok := m.files[name]
	if !ok {
		return nil, &fs.PathError{Op: "read", Path: name, Err: fs.ErrNotExist}
	}
	return io.NopCloser(bytes.NewReader(b)), nil
}

func (m *memory) List(_ context.Context, prefix string, fn func(string, int64) error) error {
	for _, name := range slices.Sorted(maps.Keys(m.files)) {
		if strings.HasPrefix(name, prefix) {
			if err := fn(name, int64(len(m.files[name]))); err != nil {
				return err
			}
		}
	}
	return nil
}

func (m *memory) clone() *memory { return &memory{files: maps.Clone(m.files)} }

func testKey(n byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{n}, ed25519.SeedSize))
}

const testOrigin = "cairn/00000000-0000-4000-8000-000000000001"

// makeBundle makes a bundle of n records without those that leave, signed by a key.
// what tells records of different bundles apart.
func makeBundle(t testing.TB, seed byte, what string, n int, where, format string, leaves func(seq int) bool) *memory {
	t.Helper()
	ctx := context.Background()
	private := testKey(seed)
	key := digest.Key{Number: 1, Public: private.Public().(ed25519.PublicKey), Created: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	to := &memory{files: map[string][]byte{}}
	records := make([][]byte, n)
	var tree proof.Tree
	for i := range records {
		records[i] = fmt.Appendf(nil, `{"eventID":"%s-%d","eventTime":"2026-01-02T03:04:05Z","x":[%d]}`, what, i, i*i)
		tree.Append(proof.LeafHash(records[i]), nil)
	}
	var chain []*digest.Signed
	d := &digest.Digest{Origin: testOrigin, Start: key.Created, End: key.Created.Add(time.Hour), Before: proof.Head{Root: proof.EmptyRoot}, After: proof.Head{Root: proof.EmptyRoot}}
	for range 2 {
		s, err := digest.Sign(d, private)
		if err != nil {
			t.Fatal(err)
		}
		chain = append(chain, s)
		d = &digest.Digest{Origin: testOrigin, Number: s.Digest.Number + 1, Start: s.Digest.End, End: s.Digest.End.Add(time.Hour), Before: s.Digest.After, After: tree.Head(), Previous: s.Link()}
	}
	sel := NewSelection(testOrigin, "events", "cloudtrail")
	sel.Where, sel.Formats = where, []string{format}
	sel.Tree, sel.Digest, sel.Signed = HeadOf(tree.Head()), 1, chain[1].Digest.End.Format(time.RFC3339)
	w := RangeWriter{Target: to, Selection: sel}
	w.Start(0)
	all := leafTiles(records)
	c := &Closing{Selection: sel, Keys: &digest.Ring{Keys: []digest.Key{key}}, Key: private}
	first := true
	for i, rec := range records {
		if leaves(i) {
			if where == "" {
				c.Missing++
				c.Gaps = AppendGap(c.Gaps, &Gap{Index: uint64(i), Hash: proof.LeafHash(rec)})
			}
			continue
		}
		r := Record{Seq: uint64(i), Raw: rec, Leaf: proof.LeafHash(rec), Account: fmt.Sprint(i % 2), Region: "eu-west-1", Time: key.Created}
		if where != "" {
			p, err := proof.Inclusion(tree.Head(), uint64(i), all)
			if err != nil {
				t.Fatal(err)
			}
			r.Path = append([]proof.Hash{}, p...)
		}
		if err := w.Add(ctx, r); err != nil {
			t.Fatal(err)
		}
		if first {
			c.First, first = uint64(i), false
		}
		c.Last = uint64(i)
	}
	var err error
	if c.Parts, err = w.End(ctx); err != nil {
		t.Fatal(err)
	}
	c.Digests = func(fn func(*digest.Signed) error) error {
		return errors.Join(fn(chain[0]), fn(chain[1]))
	}
	if _, err := Finish(ctx, to, c); err != nil {
		t.Fatal(err)
	}
	return to
}

type leafTiles [][]byte

func (l leafTiles) Tile(id proof.TileID, width int) ([]proof.Hash, error) {
	out := make([]proof.Hash, width)
	for i := range out {
		out[i] = proof.LeafHash(l[int(id.Index)*proof.TileWidth+i])
	}
	return out, nil
}

func nobody(int) bool  { return false }
func third(i int) bool { return i%3 == 0 }
func mustFail(t *testing.T, what string, m Source, keys *digest.Ring, kinds ...error) {
	t.Helper()
	r, err := Verify(context.Background(), m, VerifyOptions{Keys: keys, Workers: 2})
	if err != nil || r.ProblemCount == 0 {
		t.Fatalf("%s: passes: %v", what, err)
	}
	for _, p := range r.Problems {
		for _, k := range append(kinds, ErrManifest, ErrMissing, ErrStranger, ErrChanged, ErrRecords, ErrTree, ErrKey) {
			if errors.Is(p, k) {
				return
			}
		}
	}
	t.Fatalf("%s: no problem has a kind: %v", what, r.Problems)
}

// bundles are small ones of every kind.
func bundles(t testing.TB) map[string]*memory {
	return map[string]*memory{
		"whole":     makeBundle(t, 1, "a", 7, "", CloudTrail, nobody),
		"remaining": makeBundle(t, 1, "a", 7, "", JSONLines, third),
		"selection": makeBundle(t, 1, "a", 7, "x", JSONLines, third),
		"empty":     makeBundle(t, 1, "a", 0, "", CloudTrail, nobody),
		"none":      makeBundle(t, 1, "a", 3, "x", CloudTrail, func(int) bool { return true }),
	}
}

func trusted(n byte) *digest.Ring {
	return &digest.Ring{Keys: []digest.Key{{Public: testKey(n).Public().(ed25519.PublicKey)}}}
}

func TestVerify(t *testing.T) {
	for name, m := range bundles(t) {
		for _, keys := range []*digest.Ring{nil, trusted(1)} {
			r, err := Verify(context.Background(), m, VerifyOptions{Keys: keys})
			if err != nil || r.ProblemCount > 0 {
				t.Fatalf("%s: %v, %v", name, r.Problems, err)
			}
			own := strings.Contains(strings.Join(r.NotVerified, "\n"), "whose key it is")
			if own != (keys == nil) {
				t.Errorf("%s: trust in the bundle's own key is told: %v", name, own)
			}
		}
		mustFail(t, name+" with another key", m, trusted(2), ErrKey)
	}
}

// TestEveryByte flips a bit in the bytes of every file: in a sample of them, or in all,
// which takes minutes:
//
//	go test ./engine/archive -run TestEveryByte -every-byte
func TestEveryByte(t *testing.T) {
	for name, m := range bundles(t) {
		for file, content := range m.files {
			for i := range content {
				if !*everyByte && i != len(content)-1 && (i+len(file))%53 != 0 {
					continue
				}
				c := m.clone()
				c.files[file] = bytes.Clone(content)
				c.files[file][i] ^= 1 << (i % 8)
				mustFail(t, fmt.Sprintf("%s, %s, byte %d", name, file, i), c, nil, digest.ErrSignature)
			}
		}
	}
}

// TestFiles removes, truncates, extends, swaps and adds files, and takes those of another
// bundle.
func TestFiles(t *testing.T) {
	other := makeBundle(t, 1, "b", 7, "", CloudTrail, nobody)
	for name, m := range bundles(t) {
		names := slices.Sorted(maps.Keys(m.files))
		for i, file := range names {
			try := func(what string, content []byte) {
				t.Helper()
				c := m.clone()
				if content == nil {
					delete(c.files, file)
				} else if bytes.Equal(content, m.files[file]) {
					return
				} else {
					c.files[file] = content
				}
				mustFail(t, name+": "+file+" "+what, c, nil)
			}
			own := m.files[file]
			try("removed", nil)
			try("emptied", []byte{})
			if len(own) > 0 {
				try("truncated", own[:len(own)-1])
			}
			try("extended", append(bytes.Clone(own), '\n'))
			try("twice", append(bytes.Clone(own), own...))
			next := names[(i+1)%len(names)]
			try("swapped", m.files[next])
			if b, there := other.files[file]; there {
				try("of another bundle", b)
			}
		}
		for _, stranger := range []string{"x", "records/x.json.gz", ".hidden", "index/00000001-000.jsonl", "MANIFEST.JSON"} {
			c := m.clone()
			c.files[stranger] = []byte("x")
			mustFail(t, name+" with "+stranger, c, nil, ErrStranger)
		}
	}
}

// repair computes all plain checksums again, and signs with a key, if there is one.
func repair(t *testing.T, m *memory, change func(*Manifest), key ed25519.PrivateKey) {
	t.Helper()
	manifest, err := ParseManifest(m.files[ManifestFile])
	if err != nil {
		t.Fatal(err)
	}
	for i := range manifest.Files {
		f, err := sumOf(context.Background(), m, manifest.Files[i].Path)
		if err != nil {
			t.Fatal(err)
		}
		manifest.Files[i].Bytes, manifest.Files[i].SHA256 = f.Bytes, f.SHA256
	}
	if change != nil {
		change(manifest)
	}
	document := manifest.Format()
	m.files[ManifestFile] = document
	if key != nil {
		m.files[SignatureFile] = SignManifest(document, key)
	}
	m.files[SumsFile] = manifest.Sums(document, m.files[SignatureFile])
}

// rewrite changes a record and repairs file, index and checksums as far as they go.
func rewrite(t *testing.T, m *memory, path string, fix bool) {
	t.Helper()
	h, entries := readIndex(t, m, path)
	f := &h.Files[0]
	z, err := gzip.NewReader(bytes.NewReader(m.files[f.Path]))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	text[entries[0].At+3] ^= 1
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	w.Write(text)
	w.Close()
	m.files[f.Path] = packed.Bytes()
	sum, err := sumOf(context.Background(), m, f.Path)
	if err != nil {
		t.Fatal(err)
	}
	f.Bytes, f.SHA256 = sum.Bytes, sum.SHA256
	if fix {
		entries[0].Leaf = proof.LeafHash(text[entries[0].At : entries[0].At+entries[0].Bytes])
	}
	b := appendHeader(nil, h)
	for i := range entries {
		b = appendEntry(b, &entries[i])
	}
	m.files[path] = b
}

func readIndex(t *testing.T, m *memory, path string) (*Header, []Entry) {
	t.Helper()
	lines := bytes.Split(bytes.TrimSuffix(m.files[path], []byte("\n")), []byte("\n"))
	h, err := parseHeader(lines[0])
	if err != nil {
		t.Fatal(err)
	}
	entries := make([]Entry, len(lines)-1)
	for i, line := range lines[1:] {
		if err := parseEntry(line, &entries[i], bytes.Contains(line, []byte(`"path"`))); err != nil {
			t.Fatal(err)
		}
	}
	return h, entries
}

// TestRepairedChecksums has the attacker repair what can be without the key, and then
// sign with a key of his own, or with a stolen one.
func TestRepairedChecksums(t *testing.T) {
	for _, name := range []string{"whole", "remaining", "selection"} {
		for _, fix := range []bool{false, true} {
			what := fmt.Sprintf("%s, leaf repaired: %v", name, fix)
			c := bundles(t)[name].clone()
			rewrite(t, c, IndexName(0, 0), fix)
			repair(t, c, nil, nil)
			mustFail(t, what+", not signed", c, nil, digest.ErrSignature)
			repair(t, c, nil, testKey(9))
			mustFail(t, what+", signed by another", c, trusted(1), digest.ErrSignature)
			// With the lake's own key only the tree is left, which others have seen.
			repair(t, c, nil, testKey(1))
			want := ErrRecords
			if fix {
				want = ErrTree
			}
			r, err := Verify(context.Background(), c, VerifyOptions{Keys: trusted(1)})
			if err != nil || !slices.ContainsFunc(r.Problems, func(p error) bool { return errors.Is(p, want) }) {
				t.Errorf("%s, signed by a stolen key: %v, %v", what, r.Problems, err)
			}
		}
	}
	// A bundle all of which somebody else has made passes by itself, and says so.
	foreign := makeBundle(t, 9, "a", 7, "", CloudTrail, nobody)
	mustFail(t, "a whole bundle by another", foreign, trusted(1), ErrKey)
}

// TestHostileManifests: what is signed may still be hostile.
func TestHostileManifests(t *testing.T) {
	for what, change := range map[string]func(*Manifest){
		"a path out":         func(m *Manifest) { m.Files[0].Path = "../../etc/passwd" },
		"an absolute path":   func(m *Manifest) { m.Files[0].Path = "/etc/passwd" },
		"a hidden path":      func(m *Manifest) { m.Files[0].Path = "records/.ssh" },
		"a drive":            func(m *Manifest) { m.Files[0].Path = "c:x" },
		"a back slash":       func(m *Manifest) { m.Files[0].Path = `records\x` },
		"a line in a path":   func(m *Manifest) { m.Files[0].Path = "records/a\nb" },
		"a file twice":       func(m *Manifest) { m.Files[1].Path = strings.ToUpper(m.Files[0].Path) },
		"the manifest":       func(m *Manifest) { m.Files[0].Path = "Manifest.json" },
		"a huge content":     func(m *Manifest) { m.Files[0].Content = 1 << 40 },
		"a larger content":   func(m *Manifest) { m.Files[0].Content++ },
		"a smaller content":  func(m *Manifest) { m.Files[0].Content-- },
		"a content for free": func(m *Manifest) { m.Files[0].Content = PartBytesMax },
		"negative bytes":     func(m *Manifest) { m.Files[0].Bytes = -1 },
		"many events":        func(m *Manifest) { m.Files[0].Events = 1 << 50 },
		"a huge part":        func(m *Manifest) { m.Parts[0].Bytes = 1 << 50; m.Bytes = 1 << 50 },
		"no parts":           func(m *Manifest) { m.Parts = nil },
		"a part twice":       func(m *Manifest) { m.Parts = append(m.Parts, m.Parts[0]); m.Events *= 2; m.Bytes *= 2 },
		"a larger tree":      func(m *Manifest) { m.Selection.Tree.Size++; m.Missing++ },
		"another root":       func(m *Manifest) { m.Selection.Tree.Root = strings.Repeat("0", 64) },
		"another store":      func(m *Manifest) { m.Selection.Origin += "1" },
		"another time":       func(m *Manifest) { m.Selection.Signed = "2020-01-01T00:00:00Z" },
		"other formats":      func(m *Manifest) { m.Selection.Formats = []string{"csv"} },
		"as segments":        func(m *Manifest) { m.Selection.Formats = []string{Segments} },
		"another version":    func(m *Manifest) { m.Version = "cairn-bundle/2" },
		"a first that is not": func(m *Manifest) {
			*m.First = 1
			m.Events, m.Missing = m.Events-1, 1
		},
	} {
		c := bundles(t)["whole"].clone()
		repair(t, c, change, testKey(1))
		mustFail(t, what, c, trusted(1))
	}
}

// TestBombs packs much more than a file should have, and records that are not.
func TestBombs(t *testing.T) {
	base := bundles(t)["whole"]
	h, _ := readIndex(t, base, IndexName(0, 0))
	var bomb bytes.Buffer
	w := gzip.NewWriter(&bomb)
	zeros := make([]byte, 1<<20)
	for range 64 {
		w.Write(zeros)
	}
	w.Close()
	for what, content := range map[string][]byte{"a bomb": bomb.Bytes(), "no gzip": []byte("hello"), "two members": append(bytes.Clone(base.files[h.Files[0].Path]), base.files[h.Files[0].Path]...)} {
		c := base.clone()
		c.files[h.Files[0].Path] = content
		sum, err := sumOf(context.Background(), c, h.Files[0].Path)
		if err != nil {
			t.Fatal(err)
		}
		head := *h
		head.Files = slices.Clone(h.Files)
		head.Files[0].Bytes, head.Files[0].SHA256 = sum.Bytes, sum.SHA256
		_, rest, _ := bytes.Cut(c.files[IndexName(0, 0)], []byte("\n"))
		c.files[IndexName(0, 0)] = append(appendHeader(nil, &head), rest...)
		repair(t, c, nil, testKey(1))
		before := allocated()
		mustFail(t, what, c, trusted(1), ErrRecords)
		if n := allocated() - before; n > 32<<20 {
			t.Errorf("%s: %d bytes were allocated", what, n)
		}
	}
}

// TestLinks: a bundle in a directory reaches nothing outside of it.
func TestLinks(t *testing.T) {
	m := bundles(t)["whole"]
	dir := t.TempDir()
	outside := filepath.Join(t.TempDir(), "outside")
	for name, content := range m.files {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, content, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	verify := func() *Report {
		from, closer, err := Dir(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer closer.Close()
		r, err := Verify(context.Background(), from, VerifyOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	if r := verify(); r.ProblemCount > 0 {
		t.Fatal(r.Problems)
	}
	path := filepath.Join(dir, GuideFile)
	if err := errors.Join(os.Rename(path, outside), os.Symlink(outside, path)); err != nil {
		t.Fatal(err)
	}
	if r := verify(); r.ProblemCount == 0 {
		t.Error("a link to the right file outside passes")
	}
}

func TestSubtrees(t *testing.T) {
	for first := range uint64(70) {
		for end := first; end < 70; end++ {
			at := first
			err := Subtrees(first, end, func(level uint8, index uint64) error {
				if index<<level != at {
					t.Fatalf("%d to %d: a subtree at %d instead of %d", first, end, index<<level, at)
				}
				at += 1 << level
				return nil
			})
			if err != nil || at != end {
				t.Fatalf("%d to %d: ends at %d, %v", first, end, at, err)
			}
		}
	}
}

// TestTreeHead compares with package proof, with and without subtrees.
func TestTreeHead(t *testing.T) {
	for n := range uint64(300) {
		var want proof.Tree
		var got treeHead
		for i := range n {
			h := proof.LeafHash(binary.BigEndian.AppendUint64(nil, i))
			want.Append(h, nil)
			if err := got.add(0, h); err != nil {
				t.Fatal(err)
			}
		}
		if got.head() != want.Head() {
			t.Fatalf("%d leaves: %v, %v", n, got.head(), want.Head())
		}
	}
	var h treeHead
	if err := errors.Join(h.add(3, proof.Hash{}), h.add(3, proof.Hash{}), h.add(2, proof.Hash{})); err != nil {
		t.Error(err)
	}
	if h.add(3, proof.Hash{}) == nil || h.add(60, proof.Hash{}) == nil {
		t.Error("a subtree stands where it cannot")
	}
}

// FuzzManifest: what is read is formatted to the same bytes.
func FuzzManifest(f *testing.F) {
	for _, m := range bundles(f) {
		f.Add(m.files[ManifestFile])
		f.Add(m.files[SelectionFile])
		f.Add(m.files[IndexName(0, 0)])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if m, err := ParseManifest(b); err == nil && !bytes.Equal(m.Format(), b) {
			t.Errorf("manifest formatted again: %s", m.Format())
		}
		if s, err := ParseSelection(b); err == nil && !bytes.Equal(s.Format(), b) {
			t.Errorf("selection formatted again: %s", s.Format())
		}
		for line := range bytes.Lines(b) {
			line = bytes.TrimSuffix(line, []byte("\n"))
			if h, err := parseHeader(line); err == nil && !bytes.Equal(appendHeader(nil, h), append(bytes.Clone(line), '\n')) {
				t.Errorf("header formatted again: %s", appendHeader(nil, h))
			}
			for _, withPath := range []bool{false, true} {
				var e Entry
				if err := parseEntry(line, &e, withPath); err != nil {
					continue
				}
				if withPath && e.Path == nil {
					e.Path = []proof.Hash{}
				} else if !withPath {
					e.Path = nil
				}
				if again := appendEntry(nil, &e); !bytes.Equal(again, append(bytes.Clone(line), '\n')) {
					t.Errorf("entry formatted again: %s, was %s", again, line)
				}
			}
			var g Gap
			if err := parseGap(line, &g); err == nil && !bytes.Equal(AppendGap(nil, &g), append(bytes.Clone(line), '\n')) {
				t.Errorf("gap formatted again: %s", AppendGap(nil, &g))
			}
		}
	})
}

// FuzzBlocks: as FuzzManifest, for the files of segments.
func FuzzBlocks(f *testing.F) {
	f.Add(EncodeBlocks(nil))
	f.Add(EncodeBlocks([][]byte{{1, 2, 3}, {}, {4}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		if blocks, err := DecodeBlocks(b); err == nil && !bytes.Equal(EncodeBlocks(blocks), b) {
			t.Errorf("encoded again: %x", EncodeBlocks(blocks))
		}
	})
}

// BenchmarkVerify verifies a bundle of one part in memory: unpacking and hashing.
func BenchmarkVerify(b *testing.B) {
	m := makeBundle(b, 1, strings.Repeat("some text ", 100), 20_000, "", CloudTrail, nobody)
	var bytes int64
	b.ResetTimer()
	for range b.N {
		r, err := Verify(context.Background(), m, VerifyOptions{Workers: 1})
		if err != nil || r.ProblemCount > 0 {
			b.Fatal(r.Problems, err)
		}
		bytes += r.Bytes
	}
	b.ReportMetric(float64(bytes)/1e6/b.Elapsed().Seconds(), "MB/s")
}
