package trail

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"
)

// Set is the trails of a lake.
type Set struct {
	env Env

	mu     sync.Mutex
	trails map[string]*Trail // by ID
	run    func(fn func(ctx context.Context))
}

// Trail is one trail. Locks are taken in the order work, Set.mu, mu; those of a delivery to a log service
// before mu of its trail, its work after that of its trail.
type Trail struct {
	set  *Set
	wake chan struct{}

	// work is held while delivering; what follows it belongs to who holds it.
	work   sync.Mutex
	target Target
	topic  Topic // when the target is one

	// noticeAfter is when notifications are tried again, noticeWait the last pause.
	noticeAfter time.Time
	noticeWait  time.Duration

	// logs says that it is the delivery of another trail to a log service (logs.go).
	logs bool

	mu       sync.Mutex
	settings Settings
	st       state
	gone     bool
	toLogs   *Trail // its delivery to a log service; nil when there is none
}

// Open reads the trails that env keeps. With a *CorruptError comes a set of those that
// could be read, for looking at.
func Open(env Env) (*Set, error) {
	set := &Set{env: env, trails: make(map[string]*Trail)}
	err := env.Scan([]byte{letterSettings}, func(key, value []byte) error {
		t := &Trail{set: set, wake: make(chan struct{}, 1)}
		if err := decode(key, value, &t.settings); err != nil {
			return err
		}
		if string(key[1:]) != t.settings.ID {
			return &CorruptError{Key: slices.Clone(key), Reason: "it is of trail " + t.settings.ID}
		}
		set.trails[t.settings.ID] = t
		return nil
	})
	if err != nil {
		return set, err
	}
	for id, t := range set.trails {
		found := false
		want := recordKey(letterState, id)
		err := env.Scan(want, func(key, value []byte) error {
			found = true
			return decode(key, value, &t.st)
		})
		if err == nil && !found {
			err = &CorruptError{Key: want, Reason: "it is missing"}
		}
		if err == nil && t.settings.Logs != "" {
			t.toLogs = t.newLogs(&t.settings)
			found, want = false, t.toLogs.stateKey()
			err = env.Scan(want, func(key, value []byte) error {
				found = true
				return decode(key, value, &t.toLogs.st)
			})
			if err == nil && !found {
				err = &CorruptError{Key: want, Reason: "it is missing"}
			}
		}
		if err != nil {
			return set, err
		}
	}
	return set, nil
}

// Run starts the goroutines of all trails, also of those that are made later. start runs a
// function on a goroutine with a context that ends it. Without Run, trails deliver only on
// demand.
func (set *Set) Run(start func(fn func(ctx context.Context))) {
	set.mu.Lock()
	defer set.mu.Unlock()
	set.run = start
	for _, t := range set.trails {
		start(t.run)
		if b := t.branch(); b != nil {
			start(b.run)
		}
	}
}

// Info is a trail as it is at a moment.
type Info struct {
	Settings
	Status Status `json:"status"`
}

// Status tells how a trail does. Times are zero when nothing of the kind has happened.
type Status struct {
	Logging bool `json:"logging"`
	// Started and Stopped are when logging was last switched on and off.
	Started time.Time `json:"started,omitzero"`
	Stopped time.Time `json:"stopped,omitzero"`
	// Delivery and Digest are the last successes, …Error the last failures, ""
	// when the last attempt succeeded, …Tried the last attempts.
	Delivery          time.Time `json:"delivery,omitzero"`
	DeliveryTried     time.Time `json:"deliveryTried,omitzero"`
	DeliveryError     string    `json:"deliveryError,omitempty"`
	Digest            time.Time `json:"digest,omitzero"`
	DigestTried       time.Time `json:"digestTried,omitzero"`
	DigestError       string    `json:"digestError,omitempty"`
	Notification      time.Time `json:"notification,omitzero"`
	NotificationTried time.Time `json:"notificationTried,omitzero"`
	NotificationError string    `json:"notificationError,omitempty"`
	// Notices is how many notifications wait.
	Notices uint64 `json:"notices,omitempty"`
	// Waiting is how many events the trail has not looked at yet.
	Waiting uint64 `json:"waiting"`
	// Files, Events and Bytes (before compression) are what was delivered in all, Lost the
	// events that were looked at in vain for thirty days.
	Files  uint64 `json:"files"`
	Events uint64 `json:"events"`
	Bytes  uint64 `json:"bytes"`
	Lost   uint64 `json:"lost,omitempty"`
	// Skipped are events that were too large for the form of a stream.
	Skipped uint64 `json:"skipped,omitempty"`
	// Logs is how the delivery to the log service does; nil when there is none.
	Logs *Status `json:"logs,omitempty"`
}

// List returns all trails, by name and home region.
func (set *Set) List() []Info {
	set.mu.Lock()
	list := make([]*Trail, 0, len(set.trails))
	for _, t := range set.trails {
		list = append(list, t)
	}
	set.mu.Unlock()
	var out []Info
	for _, t := range list {
		out = append(out, t.info())
	}
	sortBy(out, func(a, b Info) bool { return a.Name < b.Name || a.Name == b.Name && a.ARN() < b.ARN() })
	return out
}

// Get returns a trail by name or ARN.
func (set *Set) Get(nameOrARN string) (Info, error) {
	t, err := set.find(nameOrARN)
	if err != nil {
		return Info{}, err
	}
	return t.info(), nil
}

// Name returns the trail's name.
func (t *Trail) Name() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.settings.Name
}

func (t *Trail) info() Info {
	var logs *Status
	if b := t.branch(); b != nil {
		i := b.info()
		logs = &i.Status
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	st := &t.st
	i := Info{Settings: t.settings}
	i.Status = Status{Logging: st.Logging, Started: st.Started, Stopped: st.Stopped,
		Delivery: st.Delivery.Done, Digest: st.Digest.Done,
		DeliveryTried: st.Delivery.Tried, DigestTried: st.Digest.Tried,
		DeliveryError: st.Delivery.Error, DigestError: st.Digest.Error,
		Files: st.Delivered.Files, Events: st.Delivered.Events, Bytes: st.Delivered.Bytes, Lost: st.Lost.Events,
		Notification: st.Notice.Done, NotificationTried: st.Notice.Tried, NotificationError: st.Notice.Error, Notices: st.Notices, Skipped: st.Skipped, Logs: logs}
	for _, r := range st.Ranges {
		to := r.To
		if r.Open {
			_, to, _ = t.set.env.Source(r.Store)
		}
		if to > r.From {
			i.Status.Waiting += to - r.From
		}
	}
	return i
}

// find returns the trail with a name or ARN.
func (set *Set) find(nameOrARN string) (*Trail, error) {
	set.mu.Lock()
	defer set.mu.Unlock()
	var found *Trail
	var names []string
	for _, t := range set.trails {
		t.mu.Lock()
		s := &t.settings
		if s.ARN() == nameOrARN {
			t.mu.Unlock()
			return t, nil
		}
		if s.Name == nameOrARN {
			if found != nil {
				t.mu.Unlock()
				return nil, invalid("Name", "several trails are called %q: name one by its ARN", nameOrARN)
			}
			found = t
		}
		names = append(names, s.Name)
		t.mu.Unlock()
	}
	if found != nil {
		return found, nil
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("%w: there is no trail %q: the lake has none yet", ErrNotFound, nameOrARN)
	}
	slices.Sort(names)
	return nil, fmt.Errorf("%w: there is no trail %q; there are: %s", ErrNotFound, nameOrARN, strings.Join(names, ", "))
}

// Create makes a trail, which does not deliver yet. ID and Created of the settings are
// given here.
func (set *Set) Create(s Settings) (Info, error) {
	if err := s.Validate(); err != nil {
		return Info{}, err
	}
	id, err := newID()
	if err != nil {
		return Info{}, err
	}
	s.ID, s.Created = id, set.env.Now().UTC()
	t := &Trail{set: set, wake: make(chan struct{}, 1), settings: s}
	if s.Logs != "" {
		t.toLogs = t.newLogs(&s)
	}
	set.mu.Lock()
	defer set.mu.Unlock()
	for _, other := range set.trails {
		other.mu.Lock()
		taken := other.settings.ARN() == s.ARN()
		other.mu.Unlock()
		if taken {
			return Info{}, fmt.Errorf("%w: %s", ErrExists, s.ARN())
		}
	}
	err = set.env.Save(func(w Writer) {
		for _, r := range []struct {
			letter byte
			v      any
		}{{letterSettings, &t.settings}, {letterState, &t.st}} {
			key := recordKey(r.letter, id)
			w.Set(key, encode(key, r.v))
		}
		if b := t.toLogs; b != nil {
			key := b.stateKey()
			w.Set(key, encode(key, &b.st))
		}
	})
	if err != nil {
		return Info{}, fmt.Errorf("making trail %s: %w", s.Name, err)
	}
	set.trails[id] = t
	if set.run != nil {
		set.run(t.run)
		if t.toLogs != nil {
			set.run(t.toLogs.run)
		}
	}
	return t.info(), nil
}

func newID() (string, error) {
	var b [16]byte
	if _, err := io.ReadFull(rand.Reader, b[:]); err != nil {
		return "", fmt.Errorf("making an ID for a trail: %w", err)
	}
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:]), nil
}

// Update changes settings: fn is given a copy. Name, account and home region cannot be
// changed. What the trail has not delivered yet is delivered by the new settings.
func (set *Set) Update(nameOrARN string, fn func(s *Settings) error) (Info, error) {
	t, err := set.find(nameOrARN)
	if err != nil {
		return Info{}, err
	}
	// A step that is under way ends by the settings that it has begun with.
	t.work.Lock()
	defer t.work.Unlock()
	t.mu.Lock()
	before := t.settings
	t.mu.Unlock()
	var next Settings
	text, err := json.Marshal(&before)
	if err == nil {
		err = json.Unmarshal(text, &next)
	}
	if err == nil {
		err = fn(&next)
	}
	if err != nil {
		return Info{}, err
	}
	if next.ARN() != before.ARN() || next.ID != before.ID {
		return Info{}, invalid("Name", "name, account and home region of a trail cannot be changed")
	}
	if err := next.Validate(); err != nil {
		return Info{}, err
	}
	defer t.lockLogs()()
	if err := t.apply(before, next); err != nil {
		return Info{}, fmt.Errorf("changing trail %s: %w", before.Name, err)
	}
	t.close()
	return t.info(), nil
}

// apply makes settings those of the trail and of its delivery to a log service, which begins or
// ends with it. The caller holds work of both.
func (t *Trail) apply(before, next Settings) error {
	set := t.set
	had := t.branch()
	logs := had
	switch {
	case next.Logs == "":
		logs = nil
	case logs == nil:
		logs = t.newLogs(&next)
	}
	added := logs != nil && had == nil
	sources := !slices.Equal(before.Sources, next.Sources)
	var hadState state
	if had != nil {
		had.mu.Lock()
		defer had.mu.Unlock()
		hadState = had.st.clone()
	}
	err := t.change(func(st *state, w Writer) {
		if before.Validation && !next.Validation {
			t.endChains(st)
		}
		if next.Validation && st.Logging && st.Closed.IsZero() {
			st.Closed = t.boundary(set.env.Now().UTC())
		}
		if st.Logging && sources {
			t.closeRanges(st)
			t.openRanges(st, next.Sources)
		}
		t.settings = next
		key := recordKey(letterSettings, next.ID)
		w.Set(key, encode(key, &next))
		switch {
		case logs == nil && had != nil:
			w.Delete(had.stateKey())
		case logs == nil:
		case added && st.Logging:
			logs.st.Logging, logs.st.Started = true, set.env.Now().UTC()
			logs.openRanges(&logs.st, next.Sources)
		case st.Logging && sources:
			logs.closeRanges(&logs.st)
			logs.openRanges(&logs.st, next.Sources)
		}
		if logs != nil {
			key := logs.stateKey()
			w.Set(key, encode(key, &logs.st))
		}
	})
	if err != nil {
		t.mu.Lock()
		t.settings = before
		t.mu.Unlock()
		if had != nil {
			had.st = hadState
		}
		return err
	}
	if had != nil {
		if had.settings = logSettings(next); logs == nil {
			had.gone = true
		}
		had.close()
	}
	t.mu.Lock()
	t.toLogs = logs
	t.mu.Unlock()
	if added {
		set.mu.Lock()
		run := set.run
		set.mu.Unlock()
		if run != nil {
			run(logs.run)
		}
	}
	return nil
}

// Delete removes a trail. What it has delivered stays; what waits is not delivered.
func (set *Set) Delete(nameOrARN string) error {
	t, err := set.find(nameOrARN)
	if err != nil {
		return err
	}
	t.work.Lock()
	defer t.work.Unlock()
	defer t.lockLogs()()
	id := t.settings.ID
	var keys [][]byte
	for _, letter := range []byte{letterSettings, letterState, letterFile, letterLink, letterPending, letterNotice, letterLogs} {
		err := set.env.Scan(recordKey(letter, id), func(key, _ []byte) error {
			keys = append(keys, slices.Clone(key))
			return nil
		})
		if err != nil {
			return err
		}
	}
	set.mu.Lock()
	defer set.mu.Unlock()
	err = set.env.Save(func(w Writer) {
		for _, key := range keys {
			w.Delete(key)
		}
	})
	if err != nil {
		return fmt.Errorf("deleting trail %s: %w", t.settings.Name, err)
	}
	delete(set.trails, id)
	t.mu.Lock()
	t.gone = true
	t.mu.Unlock()
	t.close()
	if b := t.branch(); b != nil {
		b.mu.Lock()
		b.gone = true
		b.mu.Unlock()
		b.close()
	}
	return nil
}

// Start switches logging on: what comes from now on is delivered; with fromStart also all
// that the sources have, once. A trail that is on stays on.
func (set *Set) Start(nameOrARN string, fromStart bool) error {
	t, err := set.find(nameOrARN)
	if err != nil {
		return err
	}
	return t.changeAll(func(t *Trail, st *state, _ Writer) {
		if st.Logging {
			return
		}
		st.Logging, st.Started = true, set.env.Now().UTC()
		t.openRanges(st, t.settings.Sources)
		if t.settings.Validation && st.Closed.IsZero() {
			st.Closed = t.boundary(st.Started)
		}
		if fromStart {
			for i := range st.Ranges {
				if st.Ranges[i].Open {
					st.Ranges[i].From = 0
				}
			}
		}
	})
}

// Stop switches logging off: what has come until now is delivered yet.
func (set *Set) Stop(nameOrARN string) error {
	t, err := set.find(nameOrARN)
	if err != nil {
		return err
	}
	defer func() {
		t.poke()
		if b := t.branch(); b != nil {
			b.poke()
		}
	}()
	return t.changeAll(func(t *Trail, st *state, _ Writer) {
		if !st.Logging {
			return
		}
		st.Logging, st.Stopped = false, set.env.Now().UTC()
		t.endChains(st)
		t.closeRanges(st)
	})
}

// endChains lets the chains of digests end with the period that is open.
func (t *Trail) endChains(st *state) {
	if !st.Closed.IsZero() && st.Ending.IsZero() {
		st.Ending = t.set.env.Now().UTC()
	}
}

// openRanges begins to read sources at their ends. A store that is not there yet is read
// from its start when it is made.
func (t *Trail) openRanges(st *state, sources []string) {
	for _, name := range sources {
		id, next, ok := t.set.env.Source(name)
		if !ok {
			id, next = name, 0
		}
		st.Ranges = append(st.Ranges, Range{Store: id, From: next, Open: true})
	}
}

func (t *Trail) closeRanges(st *state) {
	kept := st.Ranges[:0:0]
	for _, r := range st.Ranges {
		if r.Open {
			r.Open = false
			if _, next, ok := t.set.env.Source(r.Store); ok {
				r.To = max(next, r.From)
			} else {
				r.To = r.From
			}
		}
		if r.From < r.To {
			kept = append(kept, r)
		}
	}
	st.Ranges = kept
}

// Deliver delivers now what waits, and closes periods that have ended.
func (set *Set) Deliver(ctx context.Context, nameOrARN string) (Info, error) {
	t, err := set.find(nameOrARN)
	if err != nil {
		return Info{}, err
	}
	err = errors.Join(t.step(ctx), t.notify(ctx, true))
	if b := t.branch(); b != nil {
		err = errors.Join(err, b.step(ctx))
	}
	return t.info(), err
}

// Close gives up targets. No goroutine may run any more.
func (set *Set) Close() {
	set.mu.Lock()
	defer set.mu.Unlock()
	for _, t := range set.trails {
		t.work.Lock()
		t.close()
		t.work.Unlock()
		if b := t.branch(); b != nil {
			b.work.Lock()
			b.close()
			b.work.Unlock()
		}
	}
}

func (t *Trail) poke() {
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

var errGone = errors.New("the trail was deleted")

// change changes the state durably, together with what else fn writes. When it fails
// the state is as it was.
func (t *Trail) change(fn func(st *state, w Writer)) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.gone {
		return errGone
	}
	before := t.st.clone()
	err := t.set.env.Save(func(w Writer) {
		fn(&t.st, w)
		key := t.stateKey()
		w.Set(key, encode(key, &t.st))
	})
	if err != nil {
		t.st = before
	}
	return err
}
