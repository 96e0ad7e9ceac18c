package engine

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cairndb/cairn/engine/enginetest/crashmem"
)

var (
	retentionSteps = flag.Int("retention.steps", 1500, "steps of the retention state machine; the long form takes 1000000")
	retentionSeed  = flag.Uint64("retention.seed", 1, "seed of the retention state machine")
)

// modelClock is what package retention says about time, told again: it knows the truth,
// the wall clock and what there is evidence of.
type modelClock struct {
	truth, wall   int64
	floor, strict int64
	began, ran    int64 // the wall clock at opening, and how long it has been open
	gain          int64
	saved         modelFloor // at the last moment at which a decision made it durable
}

type modelFloor struct{ floor, strict int64 }

func (c *modelClock) open() {
	c.began, c.ran, c.gain = c.wall, 0, (45 * 24 * time.Hour).Microseconds()
}

// pass lets true time pass with the lake open.
func (c *modelClock) pass(d int64) {
	c.truth, c.wall, c.ran = c.truth+d, c.wall+d, c.ran+d
	c.floor = max(c.floor, min(c.wall, c.floor+d))
	c.strict = max(c.strict, min(c.wall, c.strict+d))
}

func (c *modelClock) witness(newest int64) {
	if newest = min(newest, c.wall); newest > c.strict {
		gain := min(newest-c.strict, c.gain)
		c.gain -= gain
		c.strict += gain
		c.floor = max(c.floor, c.strict)
	}
}

func (c *modelClock) seen() int64 { return max(c.floor, min(c.wall, c.began+c.ran)) }

func (c *modelClock) durable() { c.saved = modelFloor{c.floor, c.strict} }

// retentionModel is what must be there, told apart from how the lake finds out.
type retentionModel struct {
	modelClock
	days      uint32
	mode      LockMode
	protected bool
	state     StoreState
	before    StoreState
	gone      int64
	restores  int64 // until then, truly, a deletion can be taken back: 0 if the clock was wrong
	holds     map[uint64][2]time.Time
	times     []time.Time     // of all events, by sequence number
	may       map[uint64]bool // sequence numbers that had expired when there was a pass
	acts      map[string]int64
}

// begin is the model of a store that is made now.
func (m *retentionModel) begin() {
	m.days, m.mode, m.protected, m.state, m.before, m.gone = 30, Unlocked, false, StoreEnabled, StoreEnabled, 0
	m.holds, m.times, m.may = map[uint64][2]time.Time{}, nil, map[uint64]bool{}
}

func (m *retentionModel) held(when time.Time) bool {
	for _, h := range m.holds {
		if !when.Before(h[0]) && !when.After(h[1]) {
			return true
		}
	}
	return false
}

// expired reports whether an event of a time is older than the period at another, and
// not held.
func (m *retentionModel) expired(when time.Time, now int64) bool {
	return m.days != 0 && when.Before(time.UnixMicro(now).AddDate(0, 0, -int(m.days))) && !m.held(when)
}

// decides is the time that decides what is freed.
func (m *retentionModel) decides() int64 {
	if m.mode == Compliance {
		return m.strict
	}
	return m.floor
}

// machine is a lake and its model.
type machine struct {
	*testRetention
	m     *retentionModel
	s     *Store
	mem   *crashmem.FS
	rng   *rand.Rand
	roles map[string]context.Context
	next  int // event
	where string
}

// TestRetentionMachine makes requests of every role under every mode, lets time pass
// with the lake open and closed, sets clocks, appends, crashes and opens again, and
// compares with the model. None goes early by true time, whatever the clock said; when a
// pass ends, none is there whose segment has expired by the time that there is evidence
// of; and the audit store has every request.
//
//	go test ./engine -run TestRetentionMachine -retention.steps 1000000 -timeout 24h
func TestRetentionMachine(t *testing.T) {
	t.Logf("seed %d", *retentionSeed)
	const life = 150 // steps of one lake: modes only get stricter
	for done := 0; done < *retentionSteps; done += life {
		retentionRun(t, *retentionSeed+uint64(done), min(life, *retentionSteps-done))
	}
}

func retentionRun(t *testing.T, seed uint64, steps int) {
	x := &machine{rng: rand.New(rand.NewPCG(seed, 11)), mem: crashmem.New(), m: &retentionModel{acts: map[string]int64{}}}
	x.testRetention = newRetentionOn(t, x.mem, Options{SegmentRows: 16, MemtableRows: 4, MemtableAge: -1})
	defer func() { x.lake.Close() }()
	x.roles = map[string]context.Context{"owner": x.admin}
	for name, perms := range map[string][]string{
		"nobody": nil, "manager": {PermissionManage},
		"thief": {PermissionBypassGovernance, PermissionReleaseHold}, // may everything but manage
	} {
		x.roles[name] = WithActor(context.Background(), Actor{Kind: "Principal", Name: name, Permissions: perms})
	}
	start := retentionStart.UnixMicro()
	x.m.modelClock = modelClock{truth: start, wall: start, floor: start, strict: start}
	x.m.open()
	x.where = fmt.Sprintf("seed %d, at the start", seed)
	x.make()
	for step := range steps {
		x.where = fmt.Sprintf("seed %d, step %d", seed, step)
		x.step()
		x.compare()
		if step%50 == 49 {
			x.where += ", check"
			x.sound()
			if x.m.seen() <= x.m.truth { // else old records are hidden until the clock is right
				x.recorded()
			}
		}
	}
}

func (x *machine) fail(format string, args ...any) {
	x.t.Helper()
	x.t.Fatalf("%s: %s", x.where, fmt.Sprintf(format, args...))
}

func (x *machine) find() {
	x.t.Helper()
	var err error
	if x.s, err = x.lake.Store("events"); err != nil {
		x.fail("%v", err)
	}
}

// make makes the store.
func (x *machine) make() {
	x.t.Helper()
	x.m.begin()
	if _, err := x.lake.MakeStore(x.admin, NewStore{Name: "events", Days: x.m.days}); err != nil {
		x.fail("making the store: %v", err)
	}
	x.m.durable()
	x.find()
}

// asked compares the answer to a request with what the model allows, and counts it.
func (x *machine) asked(act string, err error, allowed bool) (granted bool) {
	x.t.Helper()
	granted = err == nil
	if granted != allowed {
		x.fail("%s granted: %v (%v), want %v", act, granted, err, allowed)
	}
	if !granted && !errors.Is(err, ErrRefused) && !errors.Is(err, ErrConflict) && !errors.Is(err, ErrBadInput) {
		x.fail("%s refused without a reason: %v", act, err)
	}
	if granted {
		x.m.acts[act]++
		x.m.durable()
	} else {
		x.m.acts[act+" refused"]++
	}
	return granted
}

// live reports whether there are events that have not expired by the deciding time.
func (x *machine) live() bool {
	sn := x.s.snapshot()
	defer sn.release()
	for seq, when := range x.m.times {
		if droppedAt(sn.dropped, uint64(seq)) == nil && !x.m.expired(when, x.m.decides()) {
			return true
		}
	}
	return false
}

func (x *machine) step() {
	m, rng := x.m, x.rng
	role := []string{"nobody", "manager", "owner", "owner", "thief"}[rng.IntN(5)]
	ctx := x.roles[role]
	manage, owner := role == "manager" || role == "owner", role == "owner"
	bypass := rng.IntN(2) == 0
	pending := m.state == StorePending
	around := m.mode == Unlocked || m.mode == Governance && owner && bypass
	hours := func(n int) int64 { return int64(rng.IntN(n)) * time.Hour.Microseconds() }
	switch k := rng.IntN(23); k {
	case 0, 1, 2, 3, 4, 5:
		x.where += ", append"
		x.append()
	case 6, 7:
		d := hours(10 * 24)
		x.where += fmt.Sprintf(", %d h pass", d/time.Hour.Microseconds())
		m.pass(d)
		x.pass(time.Duration(d) * time.Microsecond)
	case 8:
		m.wall = m.truth + int64(rng.IntN(7300)-3650)*24*time.Hour.Microseconds()
		x.where += fmt.Sprintf(", the clock is set to %v", time.UnixMicro(m.wall).UTC())
		x.wall.Store(m.wall)
	case 9:
		x.where += ", the clock is right"
		m.wall = m.truth
		x.wall.Store(m.wall)
	case 10: // closed for a while
		away := int64(0)
		if rng.IntN(2) == 0 {
			away = hours(20 * 24)
		}
		x.where += fmt.Sprintf(", reopen after %d h", away/time.Hour.Microseconds())
		if err := x.lake.Close(); err != nil {
			x.fail("%v", err)
		}
		m.truth, m.wall = m.truth+away, m.wall+away
		x.wall.Add(away)
		m.open()
		x.run.Store(0)
		x.open()
		x.find()
	case 11:
		x.where += ", crash"
		clone := crash(x.mem, rng)
		if err := x.lake.Close(); err != nil {
			x.fail("%v", err)
		}
		x.mem, x.fs, x.opts.FS = clone, clone, clone
		m.open()
		x.run.Store(0)
		x.open()
		x.find()
		// What was not durable of the time is lost, up to a bound; the model goes on
		// from there.
		now, lost := x.lake.RetentionTime(), clockSaveInterval.Microseconds()
		if f := now.Floor.UnixMicro(); f > m.floor || f < m.saved.floor-lost {
			x.fail("the floor is %v, was %v, and %v when something was last decided", now.Floor, time.UnixMicro(m.floor).UTC(), time.UnixMicro(m.saved.floor).UTC())
		}
		if f := now.Strict.UnixMicro(); f > m.strict || f < m.saved.strict-lost {
			x.fail("the strict floor is %v, was %v", now.Strict, time.UnixMicro(m.strict).UTC())
		}
		m.floor, m.strict = now.Floor.UnixMicro(), now.Strict.UnixMicro()
	case 12, 13, 14: // period, mode and protection at once
		u := StoreUpdate{Bypass: bypass}
		days, mode, protected := m.days, m.mode, m.protected
		if rng.IntN(3) > 0 {
			days = []uint32{7, 14, 30, 60, 90, 6, 3653, Forever}[rng.IntN(8)]
			u.Days = &days
		}
		if rng.IntN(8) == 0 {
			mode = []LockMode{Unlocked, Governance, Compliance}[rng.IntN(3)]
			u.Lock = &mode
		}
		if rng.IntN(8) == 0 {
			protected = rng.IntN(2) == 0
			u.Protected = &protected
		}
		shorter := days != m.days && (m.days == Forever || days != Forever && days < m.days)
		weaker := shorter || mode < m.mode
		valid := days != 6 && !(mode == Compliance && days == Forever) && (u.Days != nil || u.Lock != nil || u.Protected != nil)
		x.where += fmt.Sprintf(", %s updates %d days, %v, %v to %d days, %v, %v (bypass %v)", role, m.days, m.mode, m.protected, days, mode, protected, bypass)
		err := x.lake.UpdateStore(ctx, "events", u)
		if x.asked("UpdateEventDataStore", err, manage && !pending && valid && (!weaker || around)) {
			m.days, m.mode, m.protected = days, mode, protected
		}
	case 15:
		from := time.UnixMicro(m.truth - hours(60*24)).UTC()
		to := from.Add(time.Duration(hours(20*24)) * time.Microsecond)
		x.where += ", " + role + " holds"
		h, err := x.lake.AddHold(ctx, Hold{Store: "events", Reason: "case", From: from, To: to})
		if x.asked("AddLegalHold", err, manage && !pending) {
			m.holds[h.ID] = [2]time.Time{from, to}
		}
	case 16:
		for _, id := range slices.Sorted(maps.Keys(m.holds))[:min(1, len(m.holds))] {
			x.where += ", " + role + " releases"
			if x.asked("ReleaseLegalHold", x.lake.ReleaseHold(ctx, id, ""), owner) {
				delete(m.holds, id)
			}
		}
	case 17:
		x.where += fmt.Sprintf(", %s deletes under %v (bypass %v)", role, m.mode, bypass)
		allowed := manage && !pending && !m.protected && len(m.holds) == 0 && (around || !x.live())
		if x.asked("DeleteEventDataStore", x.lake.DeleteStore(ctx, "events", bypass), allowed) {
			m.before, m.state, m.gone = m.state, StorePending, m.seen()+7*24*time.Hour.Microseconds()
			if m.restores = 0; m.seen() == m.truth {
				m.restores = m.gone
			}
		}
	case 18:
		x.where += ", " + role + " restores"
		if x.asked("RestoreEventDataStore", x.lake.RestoreStore(ctx, "events"), manage && pending) {
			m.state = m.before
		}
	case 19:
		on := rng.IntN(3) > 0
		x.where += fmt.Sprintf(", %s has ingestion %v", role, on)
		act, from, to := "StopEventDataStoreIngestion", StoreEnabled, StoreStopped
		if on {
			act, from, to = "StartEventDataStoreIngestion", StoreStopped, StoreEnabled
		}
		if x.asked(act, x.lake.SetIngestion(ctx, "events", on), manage && m.state == from) {
			m.state = to
		}
	case 20: // the word of an administrator, who knows; and of others, who do not
		x.where += ", " + role + " confirms the time"
		if owner && m.wall != m.truth {
			break
		}
		if x.asked("ConfirmTime", x.lake.ConfirmTime(ctx), owner) {
			m.floor = max(m.floor, m.wall)
			m.began = max(m.began, m.wall-m.ran)
			m.saved = modelFloor{m.floor, m.saved.strict}
		}
	default:
		x.where += ", retain"
		x.retainAll()
	}
}

// append appends events of the last days, and some that may be too old.
func (x *machine) append() {
	m := x.m
	var batch [][]byte
	var times []time.Time
	for range 1 + x.rng.IntN(8) {
		within := 5
		if x.rng.IntN(10) == 0 {
			within = 100
		}
		when := time.UnixMicro(m.truth - int64(x.rng.IntN(within*24*60))*time.Minute.Microseconds()).UTC().Truncate(time.Millisecond)
		batch, times = append(batch, at(x.next, when)), append(times, when)
		x.next++
	}
	verdicts, err := x.s.Append(context.Background(), batch)
	if m.state != StoreEnabled {
		if !errors.Is(err, ErrRefused) {
			x.fail("appending in state %v: %v", m.state, err)
		}
		return
	}
	if err != nil {
		x.fail("%v", err)
	}
	newest := int64(math.MinInt64)
	for i, v := range verdicts {
		if m.expired(times[i], m.decides()) {
			if v.Status != Refused || v.Reason != reasonExpired {
				x.fail("an event of %v is taken at %v: %+v", times[i], time.UnixMicro(m.decides()).UTC(), v)
			}
			continue
		}
		if v.Status != Stored || v.Seq != uint64(len(m.times)) {
			x.fail("event of %v at %v: %+v", times[i], time.UnixMicro(m.decides()).UTC(), v)
		}
		m.times = append(m.times, times[i])
		newest = max(newest, times[i].UnixMicro())
	}
	m.witness(newest)
}

// retainAll makes a pass, and demands that what could go has gone.
func (x *machine) retainAll() {
	m := x.m
	for seq, when := range m.times {
		if m.expired(when, m.decides()) {
			m.may[uint64(seq)] = true
		}
	}
	before := x.s.Retention().Dropped
	segments, bytes := x.retain()
	m.durable()
	if m.state == StorePending {
		if gone := m.decides() >= m.gone; gone {
			if _, err := x.lake.Store("events"); !errors.Is(err, ErrNotFound) {
				x.fail("the store is there still: %v", err)
			}
			if m.truth < m.restores {
				x.fail("the store is gone before %v, when it is %v", time.UnixMicro(m.restores).UTC(), time.UnixMicro(m.truth).UTC())
			}
			x.make()
		}
		return
	}
	if after := x.s.Retention().Dropped; int(after.Segments-before.Segments) != segments || after.Bytes-before.Bytes != bytes {
		x.fail("a pass that says that it has dropped %d segments of %d bytes goes from %+v to %+v", segments, bytes, before, after)
	}
	sn := x.s.snapshot()
	defer sn.release()
	late := func(first uint64, n int) {
		for i := range n {
			if !m.expired(m.times[first+uint64(i)], m.decides()) {
				return
			}
		}
		x.fail("events %d to %d are late", first, first+uint64(n)-1)
	}
	for _, seg := range sn.segments {
		if m.whole(seg.cat.MinTime, seg.cat.MaxTime) {
			late(seg.cat.First, int(seg.cat.Rows))
		}
	}
	for _, v := range sn.views {
		if lo, hi := v.Times(); m.whole(lo, hi) {
			late(v.First(), len(v.Rows()))
		}
	}
}

// whole reports whether no hold touches the range of times of a segment: only its range
// is known without reading it.
func (m *retentionModel) whole(from, to int64) bool {
	for _, h := range m.holds {
		if h[0].UnixMicro() <= to && from <= h[1].UnixMicro() {
			return false
		}
	}
	return true
}

// compare compares what there is with the model.
func (x *machine) compare() {
	x.t.Helper()
	m := x.m
	now := x.lake.RetentionTime()
	if now.Floor.UnixMicro() != m.floor || now.Strict.UnixMicro() != m.strict || now.Seen.UnixMicro() != m.seen() {
		x.fail("it is %+v by the lake, by the model %v, %v, %v", now, time.UnixMicro(m.floor).UTC(), time.UnixMicro(m.strict).UTC(), time.UnixMicro(m.seen()).UTC())
	}
	if m.floor > m.truth {
		x.fail("the floor is ahead of the truth")
	}
	r := x.s.Retention()
	if r.Days != m.days || r.Lock != m.mode || r.Protected != m.protected || r.State != m.state || r.Holds != len(m.holds) || m.state == StorePending && r.Gone.UnixMicro() != m.gone {
		x.fail("the store has %+v, the model %+v", r, m)
	}
	sn := x.s.snapshot()
	gone := map[uint64]bool{}
	for _, d := range sn.dropped {
		for seq := d.First; seq < d.End; seq++ {
			gone[seq] = true
			if !m.may[seq] {
				sn.release()
				x.fail("event %d of %v has gone, truly it is %v", seq, m.times[seq], time.UnixMicro(m.truth).UTC())
			}
		}
	}
	sn.release()
	if m.state == StorePending {
		if rows, err := x.lake.Query(context.Background(), "SELECT count(*) FROM events"); err == nil {
			rows.Close()
			x.fail("a query is answered by a store that is pending deletion")
		}
		return
	}
	want := int64(0)
	for seq, when := range m.times {
		if !gone[uint64(seq)] && !m.expired(when, m.seen()) {
			want++
		}
	}
	if got := x.number("SELECT count(*) FROM events"); got != want {
		x.fail("%d events are in sight, want %d", got, want)
	}
}

// recorded demands that the audit store has every request, granted and refused.
func (x *machine) recorded() {
	x.t.Helper()
	for act, n := range x.m.acts {
		name, refused := strings.CutSuffix(act, " refused")
		is := map[bool]string{false: "IS NULL", true: "IS NOT NULL"}[refused]
		if got := x.number("SELECT count(*) FROM cairn_audit WHERE eventData.eventName = '" + name + "' AND eventData.errorCode " + is); got != n {
			x.fail("the audit store has %d of %s, want %d", got, act, n)
		}
	}
}
