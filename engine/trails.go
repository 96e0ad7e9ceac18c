package engine

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cairndb/cairn/engine/digest"
	"github.com/cairndb/cairn/engine/lsm"
	"github.com/cairndb/cairn/engine/trail"
	"github.com/cairndb/cairn/segment"
)

// Trails deliver events to directories and buckets (package trail). The lake gives them
// its logs, a space of the database for their records, and RSA keys to sign digests with:
//
//	s t f c p n l   as package trail has them
//	k number 4      an RSA key, as package digest encodes it
//
// Requests are recorded in the audit store, and need the permission to manage the lake.
type (
	// Trail is a trail as it is at a moment.
	Trail = trail.Info
	// TrailSettings are what a trail is told to do.
	TrailSettings = trail.Settings
	// TrailStatus tells how a trail does.
	TrailStatus = trail.Status
	// TrailKey is a key that signs digests of delivered files.
	TrailKey = digest.TrailKey
	// TrailTarget is where a trail puts files.
	TrailTarget = trail.Target
	// TrailTopic is a topic or queue that a trail sends to.
	TrailTopic = trail.Topic
)

const (
	letterTrailKey = 'k'

	// trailKeyTime is for how long a key signs; trailKeyOverlap is how much longer it is
	// said to be valid, on both sides: readers ask by times that are near digests.
	trailKeyTime    = 30 * 24 * time.Hour
	trailKeyOverlap = 2 * time.Hour

	// trailReadRows is how many rows of a segment are read between looks at ctx.
	trailReadRows = segment.BlockRows
)

// trailEnv is the lake as trails see it.
type trailEnv struct{ lake *Lake }

func (e trailEnv) Now() time.Time       { return e.lake.opts.Clock() }
func (e trailEnv) Logger() *slog.Logger { return e.lake.opts.Logger }

func (e trailEnv) FS() vfs.FS { return e.lake.base }

func (e trailEnv) Source(nameOrID string) (id string, next uint64, ok bool) {
	s := e.lake.storeCalled(nameOrID)
	if s == nil {
		return "", 0, false
	}
	return s.id, s.Events(), true
}

func (e trailEnv) Read(id string, from, to uint64, fn func(record []byte) error) error {
	s := e.lake.storeCalled(id)
	if s == nil {
		return nil // it was deleted for good; so are its events
	}
	sn := s.snapshot()
	defer sn.release()
	return sn.eachBetween(context.Background(), from, to, fn)
}

func (e trailEnv) Scan(prefix []byte, fn func(key, value []byte) error) error {
	return e.lake.db.In(lsm.Trails).Scan(prefix, fn)
}

func (e trailEnv) Save(fn func(w trail.Writer)) error {
	if err := e.lake.haltErr(); err != nil {
		return err
	}
	if err := e.lake.checkSpace(); err != nil {
		return err
	}
	b := e.lake.db.Batch()
	fn(b.In(lsm.Trails))
	return e.lake.writeErr(b.Commit())
}

func (e trailEnv) Target(s *trail.Settings) (trail.Target, error) {
	keepers, err := e.lake.openKeepers(s.Encrypt)
	if err != nil {
		return nil, err
	}
	t, err := e.plainTarget(s)
	if err != nil || len(keepers) == 0 {
		return t, err
	}
	sealed, err := SealTarget(context.Background(), t, s.Prefix, keepers)
	if err != nil {
		return nil, errors.Join(err, t.Close())
	}
	return sealed, nil
}

func (e trailEnv) plainTarget(s *trail.Settings) (trail.Target, error) {
	if dir := s.Dir(); dir != "" {
		// Outside the lake, and in the clear.
		return trail.DirTarget(e.lake.base, dir), nil
	}
	if e.lake.opts.OpenTarget == nil {
		return nil, failf(ErrBadInput, "the target of trail %s is a bucket, which this program cannot open", s.Name)
	}
	return e.lake.opts.OpenTarget(context.Background(), s)
}

func (e trailEnv) Topic(s *trail.Settings, target string) (trail.Topic, error) {
	if e.lake.opts.OpenTopic == nil {
		return nil, failf(ErrBadInput, "trail %s sends to a topic, which this program cannot open", s.Name)
	}
	return e.lake.opts.OpenTopic(context.Background(), target)
}

// eachBetween calls fn with the records from one sequence number to another that have not
// left the store, in order.
func (sn *snapshot) eachBetween(ctx context.Context, from, to uint64, fn func(record []byte) error) error {
	to = min(to, sn.next)
	for from < to {
		if seg := sn.segmentOf(from); seg != nil {
			end := min(to, seg.cat.End(), from+trailReadRows)
			r, err := seg.reader(ctx)
			if err != nil {
				return err
			}
			var told error
			err = r.Records(ctx, segment.Range(int(from-seg.cat.First), int(end-seg.cat.First)), func(_ int, rec []byte) error {
				told = fn(rec)
				return told
			})
			if told != nil {
				return told
			}
			if err != nil {
				return seg.fault(fmt.Errorf("reading records from %d on: %w", from, err))
			}
			from = end
			continue
		}
		if v := sn.viewOf(from); v != nil {
			rows := v.Rows()
			for from < to && from-v.First() < uint64(len(rows)) {
				if err := fn(rows[from-v.First()].Raw); err != nil {
					return err
				}
				from++
			}
			continue
		}
		// It has left the store. What stays begins with the next segment or memtable.
		next := uint64(math.MaxUint64)
		for _, seg := range sn.segments {
			if seg.cat.First > from {
				next = min(next, seg.cat.First)
			}
		}
		for _, v := range sn.views {
			if v.First() > from {
				next = min(next, v.First())
			}
		}
		from = next
	}
	return nil
}

// openTrails reads the trails.
func (l *Lake) openTrails() error {
	set, err := trail.Open(trailEnv{l})
	l.trails = set
	var damage *trail.CorruptError
	if errors.As(err, &damage) {
		err = &CorruptionError{Place: "trails", Err: err}
	}
	return err
}

// runTrails starts the trails.
func (l *Lake) runTrails() {
	ctx, cancel := context.WithCancel(context.Background())
	l.start(func() {
		<-l.closing
		cancel()
	})
	l.trails.Run(func(fn func(ctx context.Context)) { l.start(func() { fn(ctx) }) })
}

// trailErr gives an error of package trail its kind.
func trailErr(err error) error {
	switch {
	case errors.Is(err, trail.ErrInvalid):
		return &kindError{kind: ErrBadInput, err: err}
	case errors.Is(err, trail.ErrNotFound):
		return &kindError{kind: ErrNotFound, err: err}
	case errors.Is(err, trail.ErrExists):
		return &kindError{kind: ErrConflict, err: err}
	}
	return err
}

// Trails lists the trails, by name.
func (l *Lake) Trails() ([]Trail, error) {
	done, err := l.begin()
	if err != nil {
		return nil, err
	}
	defer done()
	return l.trails.List(), nil
}

// Trail returns a trail by name or ARN; [ErrNotFound] when there is none.
func (l *Lake) Trail(nameOrARN string) (Trail, error) {
	done, err := l.begin()
	if err != nil {
		return Trail{}, err
	}
	defer done()
	t, err := l.trails.Get(nameOrARN)
	return t, trailErr(err)
}

// manageTrail checks the right to change trails, records an act, and does it.
func (l *Lake) manageTrail(ctx context.Context, name string, request map[string]any, do func() error) error {
	done, err := l.beginWrite()
	if err != nil {
		return err
	}
	defer done()
	act := Act{Name: name, Request: request}
	who := ActorOf(ctx)
	if !who.rights(false).Manage {
		act.Err = failf(ErrRefused, "to change trails needs the permission %s", PermissionManage)
		return errors.Join(act.Err, l.recordAct(ctx, who, act))
	}
	if err := l.recordAct(ctx, who, act); err != nil {
		return err
	}
	if err := do(); err != nil {
		err = trailErr(err)
		l.recordFailure(ctx, who, act, err)
		return err
	}
	return nil
}

// CreateTrail makes a trail, which delivers nothing before it is started. Errors:
// [ErrBadInput] with a *trail.FieldError, [ErrConflict].
func (l *Lake) CreateTrail(ctx context.Context, s TrailSettings) (t Trail, err error) {
	err = l.manageTrail(ctx, "CreateTrail", trailRequest(&s), func() error {
		t, err = l.trails.Create(s)
		return err
	})
	return t, err
}

func trailRequest(s *TrailSettings) map[string]any {
	// What a URL's query says may be secret.
	target, _, _ := strings.Cut(s.Target, "#")
	target, _, _ = strings.Cut(target, "?")
	return map[string]any{"name": s.Name, "target": target, "s3KeyPrefix": s.Prefix, "isMultiRegionTrail": s.MultiRegion,
		"isOrganizationTrail": s.Organization != "", "enableLogFileValidation": s.Validation, "eventSelectors": s.Selectors}
}

// UpdateTrail changes a trail: fn is given its settings. Name, account and home region
// stay.
func (l *Lake) UpdateTrail(ctx context.Context, nameOrARN string, fn func(s *TrailSettings) error) (t Trail, err error) {
	// The audit store is to tell what the settings become.
	before, err := l.Trail(nameOrARN)
	if err != nil {
		return t, err
	}
	if err := fn(&before.Settings); err != nil {
		return t, err
	}
	err = l.manageTrail(ctx, "UpdateTrail", trailRequest(&before.Settings), func() error {
		t, err = l.trails.Update(nameOrARN, fn)
		return err
	})
	return t, err
}

// DeleteTrail removes a trail. What it has delivered stays where it is.
func (l *Lake) DeleteTrail(ctx context.Context, nameOrARN string) error {
	return l.manageTrail(ctx, "DeleteTrail", map[string]any{"name": nameOrARN}, func() error { return l.trails.Delete(nameOrARN) })
}

// StartTrail switches logging on: what comes from now on is delivered; with fromStart
// also everything that is there.
func (l *Lake) StartTrail(ctx context.Context, nameOrARN string, fromStart bool) error {
	return l.manageTrail(ctx, "StartLogging", map[string]any{"name": nameOrARN}, func() error { return l.trails.Start(nameOrARN, fromStart) })
}

// StopTrail switches logging off. What has come until now is delivered yet.
func (l *Lake) StopTrail(ctx context.Context, nameOrARN string) error {
	return l.manageTrail(ctx, "StopLogging", map[string]any{"name": nameOrARN}, func() error { return l.trails.Stop(nameOrARN) })
}

// DeliverTrail delivers now what waits, and makes the digests of hours that have ended.
func (l *Lake) DeliverTrail(ctx context.Context, nameOrARN string) (Trail, error) {
	done, err := l.beginWrite()
	if err != nil {
		return Trail{}, err
	}
	defer done()
	t, err := l.trails.Deliver(ctx, nameOrARN)
	return t, trailErr(err)
}

// Key returns the key for digests that end at a time, making one when none is valid then.
func (e trailEnv) Key(at time.Time) (*digest.TrailKey, error) {
	l := e.lake
	l.digests.Lock()
	defer l.digests.Unlock()
	stored, err := l.trailKeys()
	if err != nil {
		return nil, err
	}
	// The newest key that is good for the time signs: a key that was replaced does not.
	for i := len(stored) - 1; i >= 0; i-- {
		k := &stored[i].Key
		if signs := k.End.Add(-trailKeyOverlap); !at.Before(k.Start) && at.Before(signs) {
			// Unwrapping is slow, and hours that were missed need it many times over.
			if open := l.digests.trailKey; open != nil && open.Number == k.Number {
				return open, nil
			}
			w, err := l.keyWrapper(false)
			if err != nil {
				return nil, err
			}
			l.digests.trailKey, err = stored[i].Open(w)
			return l.digests.trailKey, err
		}
		if at.After(k.Start) {
			break
		}
	}
	return l.addTrailKey(len(stored)+1, at)
}

// addTrailKey makes a key for digests that end at a time and later. The caller holds
// digests.
func (l *Lake) addTrailKey(number int, at time.Time) (*digest.TrailKey, error) {
	w, err := l.keyWrapper(number == 1 && len(l.digests.keys) == 0)
	if err != nil {
		return nil, err
	}
	at = at.UTC().Truncate(time.Second)
	k, err := digest.GenerateTrailKey(rand.Reader, number, at.Add(-trailKeyOverlap), at.Add(trailKeyTime+trailKeyOverlap))
	if err != nil {
		return nil, err
	}
	s, err := digest.WrapTrailKey(k, w)
	if err != nil {
		return nil, err
	}
	err = trailEnv{l}.Save(func(w trail.Writer) { w.Set(trailKeyKey(number), s.Encode()) })
	if err != nil {
		return nil, fmt.Errorf("keeping a key for trails: %w", err)
	}
	return k, nil
}

// replaceTrailKey makes a new key for trails when the newest one cannot be opened any more. The
// caller holds digests.
func (l *Lake) replaceTrailKey() error {
	stored, err := l.trailKeys()
	if err != nil || len(stored) == 0 {
		return err
	}
	l.digests.trailKey = nil
	w, err := l.keyWrapper(false)
	if err != nil {
		return err
	}
	if _, err := stored[len(stored)-1].Open(w); err == nil {
		return nil
	}
	_, err = l.addTrailKey(len(stored)+1, l.opts.Clock())
	return err
}

func trailKeyKey(number int) []byte {
	return binary.BigEndian.AppendUint32([]byte{letterTrailKey}, uint32(number))
}

// trailKeys returns the keys, oldest first.
func (l *Lake) trailKeys() ([]*digest.StoredTrailKey, error) {
	var out []*digest.StoredTrailKey
	err := l.db.In(lsm.Trails).Scan([]byte{letterTrailKey}, func(key, value []byte) error {
		s, err := digest.DecodeStoredTrailKey(value)
		if err == nil && string(key) != string(trailKeyKey(s.Key.Number)) {
			err = fmt.Errorf("key %d lies under %x", s.Key.Number, key)
		}
		if err != nil {
			return &CorruptionError{Place: "keys of trails", Err: err}
		}
		out = append(out, s)
		return nil
	})
	return out, err
}

// RotateTrailKey makes a new key for digests of trails. The old one is valid a while longer,
// and its public side is kept.
func (l *Lake) RotateTrailKey(ctx context.Context) (k *TrailKey, err error) {
	err = l.manageTrail(ctx, ActRotateKey, map[string]any{"key": "trail"}, func() error {
		l.digests.Lock()
		defer l.digests.Unlock()
		stored, err := l.trailKeys()
		if err == nil {
			k, err = l.addTrailKey(len(stored)+1, l.opts.Clock())
		}
		return err
	})
	return k, err
}

// TrailKeys returns the public keys that are valid at some time between two, both
// inclusive, oldest first: what ListPublicKeys of the CloudTrail API tells.
func (l *Lake) TrailKeys(from, to time.Time) ([]*TrailKey, error) {
	done, err := l.begin()
	if err != nil {
		return nil, err
	}
	defer done()
	l.digests.Lock()
	defer l.digests.Unlock()
	stored, err := l.trailKeys()
	if err != nil {
		return nil, err
	}
	var out []*TrailKey
	for _, s := range stored {
		if k := &s.Key; !k.Start.After(to) && !k.End.Before(from) {
			out = append(out, k)
		}
	}
	return out, nil
}

// FormatTrailKeys returns keys as JSON, with the members of ListPublicKeys.
func FormatTrailKeys(keys []*TrailKey) []byte { return digest.FormatTrailKeys(keys) }
