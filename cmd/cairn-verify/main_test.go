package main

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cairndb/cairn/engine/digest"
	"github.com/cairndb/cairn/engine/proof"
)

const origin = "cairn/00000000-0000-4000-8000-000000000001"

// made is what a lake would have given out.
type made struct {
	dir                                       string
	receipt, record, ring, pem, other, digest string
	checkpoint                                string
	witness                                   string
	growth, older, between, forked            string
	early, forkedLine                         string
}

func key(n byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{n}, ed25519.SeedSize))
}

type leaves [][]byte

func (l leaves) Tile(id proof.TileID, width int) ([]proof.Hash, error) {
	var out []proof.Hash
	for i := range width {
		out = append(out, proof.LeafHash(l[int(id.Index)*proof.TileWidth+i]))
	}
	return out, nil
}

func makeSamples(t testing.TB) *made {
	t.Helper()
	m := &made{dir: t.TempDir()}
	write := func(name string, b []byte) string {
		path := filepath.Join(m.dir, name)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	var tree proof.Tree
	var records leaves
	var chain []*digest.Signed
	at := time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC)
	for i := range 6 {
		d := &digest.Digest{Origin: origin, Number: uint64(i), Start: at, End: at.Add(time.Hour), Before: tree.Head()}
		at = d.End
		for j := range i % 3 * 7 {
			rec := fmt.Appendf(nil, `{"eventID":"%d-%d"}`, i, j)
			records = append(records, rec)
			tree.Append(proof.LeafHash(rec), nil)
		}
		d.After = tree.Head()
		if i > 0 {
			d.Previous = chain[i-1].Link()
		}
		s, err := digest.Sign(d, key(1))
		if err != nil {
			t.Fatal(err)
		}
		chain = append(chain, s)
	}
	last := chain[5]
	path, err := proof.Inclusion(last.Digest.After, 11, records)
	if err != nil {
		t.Fatal(err)
	}
	text, _, _ := strings.Cut(string(last.Checkpoint), "\n\n")
	cosigned := append(bytes.Clone(last.Checkpoint), proof.Cosign("w.example", key(9), text+"\n", at)...)
	m.witness = proof.CosignerKey("w.example", key(9).Public().(ed25519.PublicKey))
	r := proof.Receipt{Leaf: proof.LeafHash(records[11]), Index: 11, Path: path, Checkpoint: cosigned}
	m.receipt, m.record = write("receipt", r.Format()), write("record", records[11])
	m.checkpoint = write("checkpoint", last.Checkpoint)
	// The tree has grown from that of digest 2; between is another size, forked another
	// tree of the same size.
	head := last.Digest.After
	kept := chain[2].Digest.After
	steps, err := proof.Consistency(kept.Size, head, records)
	if err != nil {
		t.Fatal(err)
	}
	m.growth = write("growth", (&proof.Growth{Older: kept, Path: steps, Checkpoint: cosigned}).Format())
	m.older, m.between = write("older", chain[2].Checkpoint), write("between", chain[4].Checkpoint)
	kept.Root[0] ^= 1
	fork, err := proof.SignCheckpoint(&proof.Checkpoint{Origin: origin, Head: kept, Time: at}, proof.NewSigner(origin, key(1)))
	if err != nil {
		t.Fatal(err)
	}
	m.forked = write("forked", fork)
	m.early = write("early", append(chain[0].Line(), chain[1].Line()...))
	// The same size with another root stands in a line after the right one.
	line, err := digest.Sign(&digest.Digest{Origin: origin, Number: 3, Start: at, End: at.Add(time.Hour), Before: kept, After: kept, Previous: chain[2].Link()}, key(1))
	if err != nil {
		t.Fatal(err)
	}
	m.forkedLine = write("forked-line", append(chain[2].Line(), line.Line()...))
	k := digest.Key{Number: 1, Public: key(1).Public().(ed25519.PublicKey), Created: at}
	o := digest.Key{Number: 1, Public: key(2).Public().(ed25519.PublicKey), Created: at}
	m.ring = write("ring", (&digest.Ring{Keys: []digest.Key{k}}).Format())
	m.pem, m.other = write("pem", k.PEM()), write("other", o.PEM())
	var lines []byte
	for _, s := range append(chain[:3:3], chain[2:]...) { // one is there twice
		lines = append(lines, s.Line()...)
	}
	m.digest = write("digests", lines)
	return m
}

func verify(t testing.TB, args ...string) (a answer, status int, errText string) {
	t.Helper()
	var out, errOut bytes.Buffer
	status = run(append(args, "--json"), &out, &errOut)
	if out.Len() > 0 {
		if err := json.Unmarshal(out.Bytes(), &a); err != nil {
			t.Fatalf("%v in %s", err, out.String())
		}
	}
	return a, status, errOut.String()
}

func TestVerify(t *testing.T) {
	m := makeSamples(t)
	newline := filepath.Join(m.dir, "newline")
	b, _ := os.ReadFile(m.record)
	os.WriteFile(newline, append(b, '\n'), 0o600)
	for _, c := range []struct {
		args   []string
		status int
		says   string
	}{
		{[]string{"receipt", m.receipt, "--record", m.record, "--key", m.ring}, 0, "event 11 of the 42 events"},
		{[]string{"receipt", "--record", m.record, m.receipt, "--key", m.pem}, 0, "byte for byte"},
		{[]string{"receipt", m.receipt, "--record", m.record, "--key", m.ring, "--witness", m.witness}, 0, "cosigned by the witness w.example"},
		{[]string{"receipt", m.receipt, "--record", newline, "--key", m.ring}, 0, "event 11"},
		{[]string{"receipt", m.receipt, "--record", m.record, "--checkpoint", m.checkpoint}, 0, "trusted as it is"},
		{[]string{"receipt", m.receipt, "--record", m.record, "--checkpoint", m.digest}, 0, "trusted as it is"},
		{[]string{"receipt", m.receipt, "--record", m.record, "--checkpoint", m.early}, 1, "none of the 2 digests"},
		{[]string{"receipt", m.receipt, "--record", m.record, "--checkpoint", m.older}, 1, "is of " + origin + " with 21"},
		{[]string{"receipt", m.receipt, "--record", m.record, "--checkpoint", m.record}, 1, "line 1"},
		{[]string{"receipt", m.receipt, "--record", m.record, "--key", m.other, "--key", m.ring}, 0, "event 11"},
		{[]string{"receipt", m.receipt, "--record", m.record, "--key", m.other}, 1, "not signed by a trusted key"},
		{[]string{"receipt", m.receipt, "--record", m.pem, "--key", m.ring}, 1, "another record"},
		{[]string{"receipt", m.record, "--record", m.record, "--key", m.ring}, 1, "reading a receipt"},
		{[]string{"receipt", m.receipt, "--record", m.record, "--key", m.record}, 1, "reading public keys"},
		{[]string{"receipt", m.receipt, "--record", m.dir + "/none", "--key", m.ring}, 1, "no such file"},
		{[]string{"checkpoint", m.checkpoint, "--key", m.ring}, 0, "42 events"},
		{[]string{"checkpoint", m.checkpoint, "--key", m.ring, "--witness", m.witness}, 1, "not cosigned"},
		{[]string{"digests", m.digest, "--key", m.ring}, 0, "6 digests"},
		{[]string{"digests", m.digest, "--key", m.other}, 1, "not trusted"},
		{[]string{"consistency", m.growth, "--checkpoint", m.older, "--key", m.ring}, 0, "the first 21 of the 42 events"},
		{[]string{"consistency", m.growth, "--checkpoint", m.older, "--key", m.ring, "--witness", m.witness}, 0, "unchanged and in the same order"},
		{[]string{"consistency", m.growth, "--checkpoint", m.older, "--key", m.other}, 1, "not signed by a trusted key"},
		{[]string{"consistency", m.growth, "--checkpoint", m.between, "--key", m.ring}, 1, "the proof goes from 21 events on"},
		{[]string{"consistency", m.growth, "--checkpoint", m.forked, "--key", m.ring}, 1, "the first 21 events are not those of"},
		{[]string{"consistency", m.growth, "--checkpoint", m.digest, "--key", m.ring}, 0, "the first 21 of the 42 events"},
		{[]string{"consistency", m.growth, "--checkpoint", m.early, "--key", m.ring}, 1, "none of the 2 digests"},
		{[]string{"consistency", m.growth, "--checkpoint", m.forkedLine, "--key", m.ring}, 1, "the first 21 events are not those of"},
		{[]string{"consistency", m.receipt, "--checkpoint", m.older, "--key", m.ring}, 1, "reading a consistency proof"},
		{[]string{"consistency", m.growth, "--key", m.ring}, 2, ""},
		{[]string{"consistency", m.growth, "--checkpoint", m.older}, 2, ""},
		{nil, 2, ""},
		{[]string{"receipt", m.receipt, "--record", m.record}, 2, ""},
		{[]string{"receipt", m.receipt, "--key", m.ring}, 2, ""},
		{[]string{"digests", m.digest}, 2, ""},
		{[]string{"digests", m.digest, m.digest, "--key", m.ring}, 2, ""},
		{[]string{"anything", m.digest, "--key", m.ring}, 2, ""},
		{[]string{"digests", m.digest, "--unknown"}, 2, ""},
		{[]string{"checkpoint", m.checkpoint, "--key", m.ring, "--witness", "w"}, 2, ""},
	} {
		a, status, errText := verify(t, c.args...)
		if status != c.status {
			t.Errorf("%v: status %d, want %d: %+v %s", c.args, status, c.status, a, errText)
		}
		if status == exitUsage {
			if !strings.Contains(errText, "usage:") {
				t.Errorf("%v: no usage: %s", c.args, errText)
			}
			continue
		}
		if said := fmt.Sprint(a.Verified, a.Problems); !strings.Contains(said, c.says) {
			t.Errorf("%v: it does not say %q: %s", c.args, c.says, said)
		}
		if want := map[int]string{0: "verified", 1: "failed"}[status]; a.Result != want {
			t.Errorf("%v: result %q", c.args, a.Result)
		}
	}
	// Help is an answer, not an error.
	for _, args := range [][]string{{"--help"}, {"receipt", "-h"}} {
		var out, errOut bytes.Buffer
		if status := run(args, &out, &errOut); status != 0 || !strings.HasPrefix(out.String(), "usage:") || errOut.Len() > 0 {
			t.Errorf("%v: status %d, %q, %q", args, status, out.String(), errOut.String())
		}
	}
	// For people.
	var out bytes.Buffer
	if run([]string{"digests", m.digest, "--key", m.ring}, &out, &out) != 0 || !strings.Contains(out.String(), "not verified: ") || !strings.HasSuffix(out.String(), "\nverified\n") {
		t.Errorf("for people:\n%s", out.String())
	}
}

// TestChanged flips bits of receipt, record, digests and consistency proof; each must be
// noticed.
func TestChanged(t *testing.T) {
	m := makeSamples(t)
	rng := rand.New(rand.NewPCG(3, 4))
	changed := filepath.Join(m.dir, "changed")
	for _, c := range []struct {
		file string
		args []string
	}{
		{m.receipt, []string{"receipt", changed, "--record", m.record, "--key", m.ring, "--witness", m.witness}},
		{m.record, []string{"receipt", m.receipt, "--record", changed, "--key", m.ring}},
		{m.digest, []string{"digests", changed, "--key", m.ring}},
		{m.checkpoint, []string{"checkpoint", changed, "--key", m.ring}},
		{m.growth, []string{"consistency", changed, "--checkpoint", m.older, "--key", m.ring, "--witness", m.witness}},
	} {
		good, err := os.ReadFile(c.file)
		if err != nil {
			t.Fatal(err)
		}
		for range 300 {
			b := bytes.Clone(good)
			at := rng.IntN(len(b))
			b[at] ^= 1 << rng.IntN(8)
			if err := os.WriteFile(changed, b, 0o600); err != nil {
				t.Fatal(err)
			}
			if a, status, _ := verify(t, c.args...); status != exitFailed || len(a.Problems) == 0 {
				t.Fatalf("%s with byte %d changed from %q to %q: status %d, %+v", filepath.Base(c.file), at, good[at], b[at], status, a)
			}
		}
	}
}
