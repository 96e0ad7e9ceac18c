package engine

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/cairndb/cairn/engine/archive"
	"github.com/cairndb/cairn/engine/digest"
	"github.com/cairndb/cairn/engine/enginetest/crashmem"
)

// lostKey is a lake with a digest of 20 events by key 1, whose secret was then lost, and a
// store that is locked for compliance.
func lostKey(t *testing.T, o Options) (r *testRetention, s *Store, old *digest.Ring) {
	t.Helper()
	r = newRetention(t, o)
	if _, err := r.lake.MakeStore(r.admin, NewStore{Name: "kept", Days: 400, Lock: Compliance, Protected: true}); err != nil {
		t.Fatal(err)
	}
	s = storeTest(t, r.lake)
	var batch [][]byte
	for i := range 20 {
		batch = append(batch, at(i, retentionStart.AddDate(0, 0, -20)))
	}
	for _, to := range []*Store{s, r.store("kept")} {
		if _, err := to.Append(r.admin, batch); err != nil {
			t.Fatal(err)
		}
		if _, err := to.Digest(r.admin); err != nil {
			t.Fatal(err)
		}
	}
	old, err := ParseKeys(r.lake.PublicKeys().Format())
	if err != nil {
		t.Fatal(err)
	}
	if err := r.fs.Remove("lake/SECRET"); err != nil {
		t.Fatal(err)
	}
	r.reopen()
	return r, storeTest(t, r.lake), old
}

func (r *testRetention) store(name string) *Store {
	r.t.Helper()
	s, err := r.lake.Store(name)
	if err != nil {
		r.t.Fatal(err)
	}
	return s
}

// TestResetKey: a lost key is replaced by one that nobody has endorsed; everything says so, and
// nothing that was signed or locked before is worth less.
func TestResetKey(t *testing.T) {
	r, s, old := lostKey(t, Options{})
	ctx := context.Background()
	before := r.store("kept").Retention()
	reason := "the disk died; ticket 17"
	key, err := r.lake.ResetKey(r.admin, reason)
	if err != nil {
		t.Fatal(err)
	}
	if key.Number != 2 || key.Break != reason || !key.Retired.IsZero() {
		t.Errorf("the new key: %+v", key)
	}
	if err := r.lake.CanSign(); err != nil {
		t.Errorf("after the reset: %v", err)
	}
	if keys, err := r.lake.Keys(); err != nil || len(keys) != 2 || keys[0].Retired.IsZero() || keys[0].Break != "" || keys[1] != key {
		t.Errorf("keys %+v, %v", keys, err)
	}
	if n := r.number("SELECT count(*) FROM cairn_audit WHERE eventData.eventName = 'ResetKey' AND eventData.userIdentity.principalId = 'alice'" +
		" AND eventData.requestParameters['lost'] = '" + old.Keys[0].Fingerprint() + "' AND eventData.requestParameters['reason'] = '" + reason + "'"); n != 1 {
		t.Errorf("%d records of it", n)
	}
	if _, err := s.Append(r.admin, [][]byte{at(20, retentionStart)}); err != nil {
		t.Fatal(err)
	}
	for _, s := range []*Store{s, r.store("kept")} {
		r.pass(time.Hour)
		if d, err := s.Digest(r.admin); err != nil || d.Digest.Number != 1 || d.Digest.Key != key.Fingerprint || d.Digest.Previous == nil {
			t.Fatalf("the digest after it: %+v, %v", d, err)
		}
	}
	// It is still so when the lake is opened again, and when the key is rotated.
	r.reopen()
	s = storeTest(t, r.lake)
	if k, err := r.lake.RotateKey(r.admin); err != nil || k.Number != 3 || k.Break != "" {
		t.Fatalf("rotating after it: %+v, %v", k, err)
	}
	r.pass(time.Hour)
	if _, err := s.Digest(r.admin); err != nil {
		t.Fatal(err)
	}
	all := r.lake.PublicKeys()
	named := func(what string, o VerifyOptions, problems int) *VerifyReport {
		t.Helper()
		o.Full = true
		v, err := r.lake.Verify(ctx, o)
		if err != nil {
			t.Fatal(err)
		}
		if len(v.Problems) != problems {
			t.Errorf("%s: problems %v", what, v.Problems)
		}
		if text := strings.Join(v.Breaks, "\n"); len(v.Breaks) != 3 || !strings.Contains(text, reason) || !strings.Contains(text, "key 2") ||
			!strings.Contains(text, "digests of store "+s.Name()+" from number 1 on") || !strings.Contains(text, "digests of store kept from number 1 on") {
			t.Errorf("%s: breaks %q", what, v.Breaks)
		}
		return v
	}
	named("own keys", VerifyOptions{}, 0)
	named("both keys", VerifyOptions{Keys: all}, 0)
	// Trust in the lost key does not reach the one behind the break, nor that which it has endorsed.
	v := named("the lost key alone", VerifyOptions{Keys: old}, 3)
	for i, want := range []string{"digest 1 of", "1 more"} {
		if got := v.Problems[i].String(); !strings.Contains(got, want) {
			t.Errorf("problem %d: %s", i, got)
		}
	}
	if text := v.Problems[0].What; !strings.Contains(text, "is not endorsed by the key before it") || !strings.Contains(text, "another way") {
		t.Errorf("it is not told why and what to do: %s", text)
	}
	// A receipt from before, and one from after.
	old1, err := digest.ParseKeys(all.Keys[1].PEM())
	if err != nil {
		t.Fatal(err)
	}
	rec, err := s.Prove(ctx, 3)
	if err != nil {
		t.Fatal(err)
	}
	record, err := s.Record(ctx, 3)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := rec.Check(record, verifiersOf(s.Origin(), old)); err == nil {
		t.Error("a receipt by the new key is taken with the old one")
	}
	if _, err := rec.Check(record, verifiersOf(s.Origin(), all.Endorsed(old1))); err != nil {
		t.Errorf("a receipt by key 3 with key 2, which has endorsed it: %v", err)
	}
	// The compliance lock holds as before.
	kept := r.store("kept")
	if got := kept.Retention(); got != before {
		t.Errorf("the locked store was %+v, is %+v", before, got)
	}
	days := uint32(7)
	none := Unlocked
	off := false
	for what, err := range map[string]error{
		"shortening": r.lake.UpdateStore(r.admin, "kept", StoreUpdate{Days: &days, Bypass: true}),
		"unlocking":  r.lake.UpdateStore(r.admin, "kept", StoreUpdate{Lock: &none, Bypass: true}),
		"deleting":   errors.Join(r.lake.UpdateStore(r.admin, "kept", StoreUpdate{Protected: &off}), r.lake.DeleteStore(r.admin, "kept", true)),
	} {
		if !errors.Is(err, ErrRefused) {
			t.Errorf("%s a store locked for compliance after a reset: %v", what, err)
		}
	}
	if n, _ := r.retain(); n != 0 || kept.Events() != 20 {
		t.Errorf("%d segments went, %d events are left", n, kept.Events())
	}
	provable(t, kept, records(t, kept), rand.New(rand.NewPCG(1, 1)))
}

// records returns the records of a store.
func records(t *testing.T, s *Store) (out [][]byte) {
	t.Helper()
	for seq := range s.Events() {
		rec, err := s.Record(context.Background(), seq)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, bytes.Clone(rec))
	}
	return out
}

// TestResetKeyRefuses: a key that can be used is not reset, nor by anybody, nor without a reason.
func TestResetKeyRefuses(t *testing.T) {
	r := newRetention(t, Options{})
	s := storeTest(t, r.lake)
	if _, err := r.lake.ResetKey(r.admin, "none yet"); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "no signing key yet") {
		t.Errorf("without a key: %v", err)
	}
	if _, err := s.Append(r.admin, [][]byte{at(0, retentionStart)}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Digest(r.admin); err != nil {
		t.Fatal(err)
	}
	secret := readTest(t, r.fs, "lake/SECRET")
	if _, err := r.lake.ResetKey(r.admin, "I want another"); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "cairn key rotate") {
		t.Errorf("a key that is not lost: %v", err)
	}
	other := bytes.Replace(secret, secret[20:24], []byte("0000"), 1)
	writeTest(t, r.fs, "lake/SECRET", other)
	for _, reason := range []string{"", strings.Repeat("x", digest.ReasonMax+1), "two\nlines", "\xff"} {
		if _, err := r.lake.ResetKey(r.admin, reason); !errors.Is(err, ErrBadInput) {
			t.Errorf("the reason %q: %v", reason, err)
		}
	}
	nobody := WithActor(context.Background(), Actor{Kind: "OSUser", Name: "mallory"})
	if _, err := r.lake.ResetKey(nobody, "lost"); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "mallory") {
		t.Errorf("by somebody who may not: %v", err)
	}
	if keys, err := r.lake.Keys(); err != nil || len(keys) != 1 {
		t.Errorf("keys %v, %v", keys, err)
	}
	if got := readTest(t, r.fs, "lake/SECRET"); !bytes.Equal(got, other) {
		t.Error("the secret was touched")
	}
	// A secret that unwraps nothing is set aside, not destroyed; twice.
	for n, name := range []string{"lake/SECRET.replaced-1", "lake/SECRET.replaced-2"} {
		if _, err := r.lake.ResetKey(r.admin, "lost"); err != nil {
			t.Fatal(err)
		}
		if got := readTest(t, r.fs, name); !bytes.Equal(got, other) {
			t.Errorf("%s is not the secret that was there", name)
		}
		if keys, err := r.lake.Keys(); err != nil || len(keys) != n+2 {
			t.Errorf("keys %v, %v", keys, err)
		}
		writeTest(t, r.fs, "lake/SECRET", other)
	}
}

// TestResetKeyBundles: a bundle names the break, and is not taken with the lost key alone.
func TestResetKeyBundles(t *testing.T) {
	r, s, old := lostKey(t, Options{})
	if _, err := r.lake.ResetKey(r.admin, "lost in a fire"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Append(r.admin, [][]byte{at(20, retentionStart)}); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if _, err := r.lake.Export(r.admin, DirBucket(vfs.Default, dir), ExportOptions{Store: s.Name()}); err != nil {
		t.Fatal(err)
	}
	from, closer, err := archive.Dir(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer closer.Close()
	verify := func(keys *digest.Ring) *archive.Report {
		v, err := archive.Verify(context.Background(), from, archive.VerifyOptions{Keys: keys})
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	for _, keys := range []*digest.Ring{nil, r.lake.PublicKeys()} {
		v := verify(keys)
		if v.ProblemCount > 0 || !strings.Contains(strings.Join(v.NotVerified, "\n"), "lost in a fire") {
			t.Errorf("%v, not verified: %q", v.Problems, v.NotVerified)
		}
	}
	if v := verify(old); v.ProblemCount == 0 || !errors.Is(v.Problems[0], archive.ErrKey) || !strings.Contains(v.Problems[0].Error(), "lost in a fire") {
		t.Errorf("with the lost key alone: %v", v.Problems)
	}
}

// TestResetKeyCrashes cuts the power at every step of a reset: the lake opens, and either the
// old key is still the lost one, or the new one signs.
func TestResetKeyCrashes(t *testing.T) {
	fs := crashmem.New()
	active := &crashing{}
	r := newRetentionOn(t, errorfs.Wrap(fs, active), Options{})
	s := storeTest(t, r.lake)
	if _, err := s.Append(r.admin, [][]byte{at(0, retentionStart)}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Digest(r.admin); err != nil {
		t.Fatal(err)
	}
	if err := fs.Remove("lake/SECRET"); err != nil {
		t.Fatal(err)
	}
	if err := syncDir(fs, "lake"); err != nil {
		t.Fatal(err)
	}
	clones := crashAt(t, fs, active, func() {
		if _, err := r.lake.ResetKey(r.admin, "lost"); err != nil {
			t.Error(err)
		}
	})
	if err := r.lake.Close(); err != nil {
		t.Fatal(err)
	}
	if len(clones) < 4 {
		t.Fatalf("%d steps", len(clones))
	}
	ends := map[int]int{}
	for i, fs := range clones {
		c := newRetentionOn(t, fs, Options{})
		keys, err := c.lake.Keys()
		if err != nil {
			t.Fatal(err)
		}
		ends[len(keys)]++
		if signs := c.lake.CanSign() == nil; signs != (len(keys) == 2) {
			t.Errorf("step %d: %d keys, can sign: %v", i, len(keys), c.lake.CanSign())
		}
		if len(keys) == 1 {
			if _, err := c.lake.ResetKey(c.admin, "lost"); err != nil {
				t.Errorf("step %d: again: %v", i, err)
			}
		}
		if _, err := storeTest(t, c.lake).Digest(c.admin); err != nil {
			t.Errorf("step %d: %v", i, err)
		}
		verified(t, c.lake, VerifyOptions{Full: true})
		if err := c.lake.Close(); err != nil {
			t.Error(err)
		}
	}
	if ends[1] == 0 {
		t.Errorf("no step before the new key: %v", ends)
	}
}

// TestVerifyWithNewestKey: whoever gives the newest key only is told once why what earlier ones have signed
// is not believed.
func TestVerifyWithNewestKey(t *testing.T) {
	r := newRetention(t, Options{})
	s := storeTest(t, r.lake)
	for i := range 5 {
		if _, err := s.Append(r.admin, [][]byte{at(i, retentionStart)}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Digest(r.admin); err != nil {
			t.Fatal(err)
		}
		r.pass(time.Hour)
		if i == 3 {
			if _, err := r.lake.RotateKey(r.admin); err != nil {
				t.Fatal(err)
			}
		}
	}
	ring := r.lake.PublicKeys()
	newest, err := ParseKeys(ring.Keys[1].PEM())
	if err != nil {
		t.Fatal(err)
	}
	v, err := r.lake.Verify(context.Background(), VerifyOptions{Keys: newest, Store: s.Name()})
	if err != nil {
		t.Fatal(err)
	}
	if len(v.Problems) != 2 || !strings.Contains(v.Problems[0].What, "give the older key") || !strings.Contains(v.Problems[1].What, "3 more") {
		t.Errorf("problems %v", v.Problems)
	}
	stranger, err := ParseKeys([]byte(strings.Repeat("ab", 32)))
	if err != nil {
		t.Fatal(err)
	}
	v, err = r.lake.Verify(context.Background(), VerifyOptions{Keys: stranger, Store: s.Name()})
	if err != nil || len(v.Problems) == 0 || !strings.Contains(v.Problems[0].What, "of which no key was given") {
		t.Errorf("with a stranger's key: %v, %v", v.Problems, err)
	}
	first, err := ParseKeys(ring.Keys[0].PEM())
	if err != nil {
		t.Fatal(err)
	}
	verified(t, r.lake, VerifyOptions{Keys: first, Store: s.Name()})
}
