package trail

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cairndb/cairn/engine/digest"
)

const (
	// period is how much time a digest covers.
	period = time.Hour

	// lateAfter is how much older than its period the time in a file's key must be for a
	// back-fill digest to list it: the digest of that hour was made without it.
	lateAfter = period

	// catchUpMost is how many periods without the lake get digests afterwards. A lake that
	// was away for longer begins new chains.
	catchUpMost = 30 * 24
)

// boundary returns the last end of a period at or before a time. The minute and second are
// the trail's own, so that not all trails work at once.
func (t *Trail) boundary(at time.Time) time.Time {
	sum := sha256.Sum256([]byte("period " + t.settings.ID))
	offset := time.Duration(binary.BigEndian.Uint32(sum[:])%uint32(period/time.Second)) * time.Second
	return at.Add(-offset).Truncate(period).Add(offset).UTC()
}

// periodDue reports whether a period has ended. The caller holds mu.
func (t *Trail) periodDue(now time.Time) bool {
	return !t.st.Closed.IsZero() && !now.Before(t.st.Closed.Add(period))
}

// closePeriods makes the digests of periods that have ended, sends those that the target
// does not have, and looks after files. The caller holds work.
func (t *Trail) closePeriods(ctx context.Context, now time.Time) error {
	err := t.sendDigests(ctx)
	for err == nil {
		t.mu.Lock()
		due, gone, closed := t.periodDue(now), t.gone, t.st.Closed
		t.mu.Unlock()
		if gone {
			return nil
		}
		if !due {
			break
		}
		end := closed.Add(period)
		if now.Sub(end) > catchUpMost*period {
			end = t.boundary(now.Add(-period))
		}
		if err = t.closePeriod(ctx, closed, end); err == nil {
			err = t.sendDigests(ctx)
		}
	}
	if err == nil {
		err = t.lookAfterUnlisted(ctx, now)
	}
	if err == nil || ctx.Err() != nil {
		return ctx.Err()
	}
	err = fmt.Errorf("trail %s: digests: %w", t.settings.Name, err)
	return errors.Join(err, t.change(func(st *state, _ Writer) { st.Digest.note(now, err) }))
}

// eachFile calls fn with the files that wait for a digest, in order.
func (t *Trail) eachFile(fn func(key []byte, f *file)) error {
	return t.set.env.Scan(recordKey(letterFile, t.settings.ID), func(key, value []byte) error {
		f := &file{}
		if err := decode(key, value, f); err != nil {
			return err
		}
		fn(slices.Clone(key), f)
		return nil
	})
}

// chainKey names a chain.
type chainKey struct {
	account, region string
	backfill        bool
	end             time.Time // of back-fill digests: the hour that the files are of
}

// closePeriod makes the digests of the period from start to end.
func (t *Trail) closePeriod(ctx context.Context, start, end time.Time) error {
	s := &t.settings // only who holds work changes them
	var done [][]byte
	var files []*file
	more := false // files of a later period
	err := t.eachFile(func(key []byte, f *file) {
		if f.At.Before(end) {
			done = append(done, key)
			files = append(files, f)
		} else {
			more = more || f.Digest
		}
	})
	if err != nil {
		return err
	}
	if err := t.restore(ctx, files); err != nil {
		return err
	}
	links := make(map[chainKey]*link)
	var linkKeys [][]byte
	err = t.set.env.Scan(recordKey(letterLink, s.ID), func(key, value []byte) error {
		l := &link{}
		linkKeys = append(linkKeys, slices.Clone(key))
		if err := decode(key, value, l); err != nil {
			return err
		}
		links[chainKey{account: l.Account, region: l.Region, backfill: l.Backfill}] = l
		return nil
	})
	if err != nil {
		return err
	}
	if end.Sub(start) > period {
		// Too much was missed: the chains end here, new ones begin.
		start = end.Add(-period)
		clear(links)
	}
	// Every chain that there was goes on, and the trail's own is always there.
	lists := map[chainKey][]*file{{account: s.Account, region: s.HomeRegion}: nil}
	for k := range links {
		if !k.backfill {
			lists[k] = nil
		}
	}
	for _, f := range files {
		if !f.Digest {
			continue
		}
		k := chainKey{account: f.Account, region: f.Region}
		if start.Sub(f.Stamp) >= lateAfter {
			late := chainKey{account: f.Account, region: f.Region, backfill: true, end: t.boundary(f.Stamp).Add(period)}
			last := links[chainKey{account: f.Account, region: f.Region, backfill: true}]
			// One back-fill digest an hour: its key would be the same.
			if last == nil || last.End < late.end.Format(digest.TrailTimeLayout) {
				k = late
			}
		}
		lists[k] = append(lists[k], f)
	}
	signing, err := t.set.env.Key(end)
	if err != nil {
		return err
	}
	order := slices.SortedFunc(maps.Keys(lists), func(a, b chainKey) int {
		return cmpText(a.account+" "+a.region+" "+a.end.Format(digest.TrailTimeLayout), b.account+" "+b.region+" "+b.end.Format(digest.TrailTimeLayout))
	})
	var made []pending
	for _, k := range order {
		from, to := start, end
		if k.backfill {
			from, to = k.end.Add(-period), k.end
		}
		chain := chainKey{account: k.account, region: k.region, backfill: k.backfill}
		p, l, err := t.makeDigest(s, k, from, to, end, links[chain], lists[k], signing)
		if err != nil {
			return err
		}
		made = append(made, *p)
		links[chain] = l
	}
	return t.change(func(st *state, w Writer) {
		for _, key := range done {
			w.Delete(key)
		}
		for i := range made {
			key := numberKey(letterPending, s.ID, st.Next)
			w.Set(key, encode(key, &made[i]))
			st.Next++
		}
		st.Closed = end
		// What came before logging was switched off may not be delivered yet, or in
		// the next period only.
		if !st.Ending.IsZero() && !end.Before(st.Ending) && (st.Logging || !waiting(st) && !more) {
			st.Ending = time.Time{}
			for _, key := range linkKeys {
				w.Delete(key)
			}
			for _, l := range links {
				w.Delete(l.recordKey(s.ID))
			}
			if !st.Logging || !s.Validation {
				st.Closed = time.Time{}
			}
			return
		}
		for _, l := range links {
			key := l.recordKey(s.ID)
			w.Set(key, encode(key, l))
		}
	})
}

// waiting reports whether something that came before logging was switched off is not
// delivered yet.
func waiting(st *state) bool {
	return slices.ContainsFunc(st.Ranges, func(r Range) bool { return !r.Open && r.From < r.To })
}

func cmpText(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// makeDigest makes one digest.
func (t *Trail) makeDigest(s *Settings, k chainKey, start, end, generated time.Time, previous *link, files []*file, key *digest.TrailKey) (*pending, *link, error) {
	bucket := s.BucketName()
	d := &digest.TrailDigest{Account: k.account, Start: start.Format(digest.TrailTimeLayout), End: end.Format(digest.TrailTimeLayout),
		Bucket: bucket, Object: s.digestKey(k.account, k.region, end, k.backfill)}
	if previous != nil {
		algorithm := digest.TrailHashAlgorithm
		d.PreviousBucket, d.PreviousObject, d.PreviousHash = &previous.Bucket, &previous.Key, &previous.Hash
		d.PreviousHashAlgorithm, d.PreviousSignature = &algorithm, &previous.Signature
	}
	var oldest, newest int64
	for i, f := range files {
		if i == 0 || f.Oldest < oldest {
			oldest = f.Oldest
		}
		if i == 0 || f.Newest > newest {
			newest = f.Newest
		}
		d.Files = append(d.Files, digest.TrailFile{Bucket: bucket, Object: f.Key, Hash: f.Hash, HashAlgorithm: digest.TrailHashAlgorithm,
			Newest: eventTime(f.Newest), Oldest: eventTime(f.Oldest)})
	}
	if len(files) > 0 {
		o, n := eventTime(oldest), eventTime(newest)
		d.Oldest, d.Newest = &o, &n
	}
	document, signature, err := d.Sign(key)
	if err != nil {
		return nil, nil, err
	}
	meta := map[string]string{digest.MetaSignature: signature, digest.MetaAlgorithm: digest.TrailSignatureAlgorithm}
	if k.backfill {
		meta[digest.MetaBackfill] = generated.UTC().Format("2006-01-02T15:04:05.000Z")
	}
	sum := sha256.Sum256(document)
	return &pending{Key: d.Object, Document: document, Meta: meta},
		&link{Bucket: bucket, Key: d.Object, Hash: hex.EncodeToString(sum[:]), Signature: signature, End: d.End, Account: k.account, Region: k.region, Backfill: k.backfill}, nil
}

func eventTime(micros int64) string {
	return time.UnixMicro(micros).UTC().Format(digest.TrailTimeLayout)
}

// sendDigests puts the digests that were made into the target, in order. A crash between
// putting one and noting that puts it again, the same bytes.
func (t *Trail) sendDigests(ctx context.Context) error {
	for {
		var key []byte
		var p pending
		err := t.set.env.Scan(recordKey(letterPending, t.settings.ID), func(k, v []byte) error {
			key = slices.Clone(k)
			if err := decode(k, v, &p); err != nil {
				return err
			}
			return errEnough
		})
		if err != nil && !errors.Is(err, errEnough) {
			return err
		}
		if key == nil {
			return nil
		}
		target, err := t.open(&t.settings)
		if err != nil {
			return err
		}
		var z gzipper
		body, err := z.compress(p.Document)
		if err != nil {
			return err
		}
		if err := put(ctx, target, p.Key, body, p.Meta); err != nil {
			t.close()
			return err
		}
		now := t.set.env.Now()
		if err := t.change(func(st *state, w Writer) { w.Delete(key); st.Digest.note(now, nil) }); err != nil {
			return err
		}
	}
}

var errEnough = errors.New("enough")

// lookAfterUnlisted looks once more at files that no digest will list, an hour after they
// were delivered.
func (t *Trail) lookAfterUnlisted(ctx context.Context, now time.Time) error {
	var done [][]byte
	var files []*file
	err := t.eachFile(func(key []byte, f *file) {
		if !f.Digest && now.Sub(f.At) >= period {
			done, files = append(done, key), append(files, f)
		}
	})
	if err != nil || len(done) == 0 {
		return err
	}
	if err := t.restore(ctx, files); err != nil {
		return err
	}
	return t.change(func(_ *state, w Writer) {
		for _, key := range done {
			w.Delete(key)
		}
	})
}

// restore looks whether the target has files, and builds those anew that it has lost. The
// caller holds work.
func (t *Trail) restore(ctx context.Context, files []*file) error {
	if len(files) == 0 {
		return nil
	}
	target, err := t.open(&t.settings)
	if err != nil {
		return err
	}
	lost := make(map[string]*file)
	for _, f := range files {
		ctx, cancel := context.WithTimeout(ctx, putTimeout)
		err := look(ctx, target, f.Key, f.Stored)
		cancel()
		switch {
		case errors.Is(err, errLost):
			lost[f.Key] = f
		case err != nil:
			t.close()
			return err
		}
	}
	for _, f := range files {
		if lost[f.Key] == nil {
			continue
		}
		// All files of the plan that are lost are built in one go.
		var mu sync.Mutex // lost
		_, err := t.write(ctx, &t.settings, &plan{Stamp: f.Stamp, Ranges: f.Ranges}, !strings.HasPrefix(f.Hash, quickHash), func(ctx context.Context, again *file, body []byte) error {
			mu.Lock()
			l := lost[again.Key]
			found := l != nil && l.Hash == again.Hash
			if found {
				delete(lost, again.Key)
			}
			mu.Unlock()
			if !found {
				return nil
			}
			t.set.env.Logger().Warn("a trail's target has lost a file that it had accepted; it was delivered again", "trail", t.settings.Name, "key", again.Key)
			return put(ctx, target, again.Key, body, nil)
		})
		if err != nil {
			return err
		}
		if lost[f.Key] != nil {
			delete(lost, f.Key)
			t.set.env.Logger().Error("a trail's target has lost a file that cannot be built anew: the trail's settings or the store have changed since", "trail", t.settings.Name, "key", f.Key)
		}
	}
	return nil
}
