package engine

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	signednote "golang.org/x/mod/sumdb/note"

	"github.com/cairndb/cairn/engine/digest"
	"github.com/cairndb/cairn/engine/enginetest/crashmem"
	"github.com/cairndb/cairn/engine/proof"
)

// testWitness remembers the newest head of every tree and cosigns only what grows
// from it, as C2SP's tlog-witness says. fail makes it fail before or after its work.
type testWitness struct {
	t    *testing.T
	keys func() *digest.Ring

	mu     sync.Mutex
	latest map[string]proof.Head
	fail   func() (before, after bool)
	forks  int
}

func witnessKey() ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{77}, ed25519.SeedSize))
}

func (w *testWitness) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	before, after := false, false
	if w.fail != nil {
		before, after = w.fail()
	}
	if before {
		http.Error(rw, "later", http.StatusServiceUnavailable)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil || r.URL.Path != "/w/add-checkpoint" {
		http.Error(rw, "no", http.StatusBadRequest)
		return
	}
	head, msg, ok := strings.Cut(string(body), "\n\n")
	lines := strings.Split(head, "\n")
	old, err := strconv.ParseUint(strings.TrimPrefix(lines[0], "old "), 10, 60)
	cp, err2 := proof.UnverifiedCheckpoint([]byte(msg))
	if !ok || err != nil || err2 != nil {
		http.Error(rw, "no", http.StatusBadRequest)
		return
	}
	if _, err := proof.OpenCheckpoint([]byte(msg), verifiersOf(cp.Origin, w.keys())); err != nil {
		http.Error(rw, "no", http.StatusForbidden)
		return
	}
	last, seen := w.latest[cp.Origin]
	if !seen {
		last.Root = proof.EmptyRoot
	}
	if old != last.Size {
		rw.Header().Set("Content-Type", "text/x.tlog.size")
		rw.WriteHeader(http.StatusConflict)
		fmt.Fprintf(rw, "%d\n", last.Size)
		return
	}
	var path []proof.Hash
	for _, l := range lines[1:] {
		var h proof.Hash
		if err := h.UnmarshalJSON([]byte(strconv.Quote(l))); err != nil {
			http.Error(rw, "no", http.StatusBadRequest)
			return
		}
		path = append(path, h)
	}
	if err := proof.CheckConsistency(path, last, cp.Head); err != nil {
		w.forks++
		http.Error(rw, "no", http.StatusUnprocessableEntity)
		return
	}
	w.latest[cp.Origin] = cp.Head
	if after {
		panic(http.ErrAbortHandler) // it is stored, and nobody hears of it
	}
	text, _, _ := strings.Cut(msg, "\n\n")
	io.WriteString(rw, proof.Cosign("w.example", witnessKey(), text+"\n", time.Unix(1_770_000_000, 0)))
}

func newTestWitness(t *testing.T) (*testWitness, string) {
	w := &testWitness{t: t, latest: map[string]proof.Head{}}
	server := httptest.NewServer(w)
	server.Config.ErrorLog = nil
	t.Cleanup(server.Close)
	return w, "witness:" + server.URL + "/w#" + proof.CosignerKey("w.example", witnessKey().Public().(ed25519.PublicKey))
}

// TestWitness: checkpoints are cosigned, and a lake that was put back is told so.
func TestWitness(t *testing.T) {
	w, target := newTestWitness(t)
	fs := vfs.NewMem()
	o := Options{DigestInterval: -1, Publish: []string{target}}
	l := openTest(t, fs, o)
	w.keys = l.PublicKeys
	s := storeTest(t, l)
	ctx := context.Background()
	grow := func(from, to int) {
		t.Helper()
		appendTest(t, s, testEvents(from, to))
		if _, err := s.Digest(ctx); err != nil {
			t.Fatal(err)
		}
		if err := l.Publish(ctx); err != nil {
			t.Fatal(err)
		}
	}
	grow(0, 10)
	old := map[string][]byte{}
	l.Close()
	readTree(t, fs, "lake", old)
	l = openTest(t, fs, o)
	s = storeTest(t, l)
	grow(10, 700)
	known := signednote.VerifierList(proof.CosignatureVerifier("w.example", witnessKey().Public().(ed25519.PublicKey)))
	r, err := s.Prove(ctx, 3)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Check(testEvent(3), known); err != nil {
		t.Errorf("the receipt has no cosignature: %v", err)
	}
	verified(t, l, VerifyOptions{Full: true})
	l.Close()
	l = openTest(t, writeTree(t, old), o)
	s = storeTest(t, l)
	appendTest(t, s, testEvents(1000, 1020))
	if _, err := s.Digest(ctx); err != nil {
		t.Fatal(err)
	}
	if err := l.Publish(ctx); !errors.Is(err, ErrRolledBack) {
		t.Errorf("the witness of a lake that was put back: %v", err)
	}
}

// TestPublishFailures has every step of publishing fail both ways, not done, and done
// but reported as failed, with crashes in between. The file's digests must make one
// chain and the witness must never see a fork.
func TestPublishFailures(t *testing.T) {
	for seed := range uint64(100) {
		publishFailures(t, seed)
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func publishFailures(t *testing.T, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 8))
	w, target := newTestWitness(t)
	var mu sync.Mutex // of rng
	pick := func(n int) int { mu.Lock(); defer mu.Unlock(); return rng.IntN(n) }
	chance := func() bool { return pick(3) == 0 }
	w.fail = func() (bool, bool) { return chance(), chance() }
	fs := crashmem.New()
	if err := fs.MkdirAll("outside", 0o755); err != nil {
		t.Fatal(err)
	}
	o := Options{DigestInterval: -1, Publish: []string{target, "file:outside/digests"}}
	ctx := context.Background()
	open := func() (*Lake, *Store) {
		o.FS = fs
		l, err := Open("lake", &o)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		w.mu.Lock()
		w.keys = l.PublicKeys
		w.mu.Unlock()
		return l, storeTest(t, l)
	}
	l, s := open()
	n := 0
	for range 6 {
		appendTest(t, s, testEvents(n, n+5))
		n += 5
		if _, err := s.Digest(ctx); err != nil {
			t.Fatal(err)
		}
		l.Publish(ctx) // may fail
		switch pick(3) {
		case 0: // power is lost; what was not synced is half there
			clone := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: pick(101), RNG: rand.New(rand.NewPCG(seed, 9))})
			l.Close()
			fs = clone
			l, s = open()
		case 1: // half a line is left at the end of the file
			b := readTest(t, fs, "outside/digests")
			if len(b) > 0 {
				cut := bytes.LastIndexByte(b[:len(b)-1], '\n') + 1
				writeTest(t, fs, "outside/digests", b[:cut+pick(len(b)-cut)])
				// and the cursor does not know of it
				last := s.lastDigest().Digest.Number
				if err := l.setPublished(l.publisher.targets[1], s, last, nil); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	w.mu.Lock()
	w.fail = nil
	w.mu.Unlock()
	if err := l.Publish(ctx); err != nil {
		t.Fatal(err)
	}
	if w.forks > 0 || w.latest[s.Origin()] != s.lastDigest().Digest.After {
		t.Errorf("%d forks; the witness has %v, the lake %v", w.forks, w.latest[s.Origin()], s.lastDigest().Digest.After)
	}
	chain := digest.Chain{Keys: l.PublicKeys()}
	for line := range bytes.Lines(readTest(t, fs, "outside/digests")) {
		d, err := digest.ParseLine(line)
		if err != nil {
			t.Fatal(err)
		}
		if last := chain.Last(); last != nil && bytes.Equal(last.Document, d.Document) {
			continue
		}
		if err := chain.Add(d); err != nil {
			t.Fatal(err)
		}
	}
	if chain.Last() == nil || chain.Last().Digest.After.Size != uint64(n) {
		t.Errorf("the file ends with %v", chain.Last())
	}
	verified(t, l, VerifyOptions{Full: true})
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestTargets: what cannot be a target is refused before anything is opened.
func TestTargets(t *testing.T) {
	for _, text := range []string{"", "x", "file:", "ftp:x", "witness:https://w.example", "witness:https://w.example#k", "witness:ftp://w#" + proof.CosignerKey("w", make([]byte, 32)), "witness:https://w.example#" + proof.VerifierKey("w", make([]byte, 32))} {
		if _, err := Open("lake", &Options{FS: vfs.NewMem(), Publish: []string{text}}); !errors.Is(err, ErrBadInput) {
			t.Errorf("target %q: %v", text, err)
		}
	}
}
