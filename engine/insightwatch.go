package engine

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/cairndb/cairn/engine/catalog"
	"github.com/cairndb/cairn/engine/insight"
	"github.com/cairndb/cairn/engine/lsm"
)

// How far detection is, and what of it is durable.
//
// What is known of a store's series is an insight.Watch: states at the beginning of a day, the day before the one that
// the lateness bound is in, and in memory the counts since. With it goes a sequence number: events below it are in the
// states if they are older than that day. Both are written together
// when the day moves on, after the records that came of it are in the destination:
//
//	events are counted, records appended    crash: the same records again, which are dropped as duplicates
//	states and sequence number are written  crash: there wholly or not at all
//
// An opening reads them and counts the events since that day again. When there are events from the
// sequence number on that are older than the day, or nothing was written, or settings have changed, everything is
// counted again, some days at a time (windowRows).
//
// The records of the space lsm.Insight, numbers big-endian:
//
//	'h' | store 4             version 1 (1 byte), generation of the settings, sequence number, length of the watch (8 bytes
//	                          each), xxhash64 of all before (8 bytes)
//	'w' | store 4 | part 4    the bytes of the watch (package insight), 1 MiB each but the last
const (
	keyWatchHead = 'h'
	keyWatch     = 'w'

	watchHeadVersion = 1
	watchHeadLen     = 1 + 4*8
	watchPartBytes   = 1 << 20
	// watchBytesMax bounds what a head can say: SeriesMax states of the usual size.
	watchBytesMax = 4 << 30

	// windowRows is about how many events are counted before states move on, when everything is counted:
	// 16 bytes of memory for each.
	windowRows = 4 << 20
)

// insightWatch follows the series of a store.
type insightWatch struct {
	// Mutex is held while detecting. Locked before Lake.importing is asked for, never while Lake.cat is held.
	sync.Mutex
	store *Store
	watch *insight.Watch // nil until it is needed
	next  uint64         // events below have been counted
	wrote insight.Day    // of the durable states
	told  *toldRecords   // what the destination has; nil until it is needed
	// lateFirst and lateLast are when late events were noticed that wait for everything to be counted again; zero: none
	lateFirst, lateLast time.Time

	// shown is what others see without waiting for detection.
	shown struct {
		sync.Mutex
		rec         catalog.Insight
		provisional []Insight
		expected    []insight.Found
		phases      insight.Phases
		known       bool // phases and expected are
	}
}

func newInsightWatch(s *Store, rec catalog.Insight) *insightWatch {
	w := &insightWatch{store: s}
	w.shown.rec = rec
	return w
}

// settings returns what the catalogue has.
func (w *insightWatch) settings() catalog.Insight {
	w.shown.Lock()
	defer w.shown.Unlock()
	return w.shown.rec
}

func (w *insightWatch) setSettings(rec catalog.Insight) {
	w.shown.Lock()
	defer w.shown.Unlock()
	w.shown.rec = rec
}

func (w *insightWatch) on() bool { rec := w.settings(); return rec.On }

// forget drops what is in memory. The caller holds the lock.
func (w *insightWatch) forget() {
	w.watch, w.told, w.next = nil, nil, 0
	w.lateFirst, w.lateLast = time.Time{}, time.Time{}
}

// InsightReport tells what a detection has done.
type InsightReport struct {
	// Store and Destination are names.
	Store, Destination string
	// Events is how many events were looked at, all when Everything is true.
	Events     int64
	Everything bool
	// Series is how many are watched, Learning how many of them are in their first 14 days, the first of which
	// ends at SpeaksFrom. Unwatched series were too many.
	Series, Learning int
	SpeaksFrom       time.Time `json:",omitzero"`
	Unwatched        int
	// Starts and Ends are the new records; Withdrawn and Reinstated those that say so of earlier ones.
	Starts, Ends, Withdrawn, Reinstated int
	// Provisional is how many incidents are known that have no record yet, because what they rest on is younger than
	// the lateness bound.
	Provisional int
	Elapsed     time.Duration
}

// DetectInsights looks for unusual activity in a store now, in everything that it holds, and writes the records that
// are due. progress, which may be nil, is told of events done and in all.
func (l *Lake) DetectInsights(ctx context.Context, store string, progress func(done, of int64)) (*InsightReport, error) {
	done, err := l.beginWrite()
	if err != nil {
		return nil, err
	}
	defer done()
	s, err := l.Store(store)
	if err != nil {
		return nil, err
	}
	w := l.insights.watch(s)
	if w == nil || !w.on() {
		return nil, failf(ErrConflict, "insights of store %s are not enabled: cairn insight enable --store %s", s.Name(), s.Name())
	}
	return w.detect(ctx, false, progress)
}

// detect brings detection and records up to now. When it is patient, late events wait until no more of them come.
func (w *insightWatch) detect(ctx context.Context, patient bool, progress func(done, of int64)) (*InsightReport, error) {
	w.Lock()
	defer w.Unlock()
	r, err := w.detectLocked(ctx, patient, progress)
	if err != nil {
		// What was found and not written down is found again from the durable states.
		w.forget()
		return nil, fmt.Errorf("looking for unusual activity in store %s: %w", w.store.Name(), err)
	}
	return r, nil
}

func (w *insightWatch) detectLocked(ctx context.Context, patient bool, progress func(done, of int64)) (*InsightReport, error) {
	l, rec := w.store.lake, w.settings()
	begin := time.Now()
	now := l.opts.Clock().UTC()
	settled := insight.MinuteOf(now.Add(-time.Duration(rec.Lateness) * time.Minute))
	if err := w.store.readable(); err != nil {
		return nil, err
	}
	sn := w.store.snapshot()
	defer sn.release()
	d := &detection{w: w, rec: rec, sn: sn, settled: settled, day: settled.Day() - 1, progress: progress, report: &InsightReport{Store: w.store.Name()}}
	if err := d.count(ctx, patient, now); err != nil {
		return nil, err
	}
	if err := w.watch.Advance(d.day, d.add); err != nil {
		return nil, err
	}
	if err := w.watch.Look(insight.MinuteOf(now)+1, d.add); err != nil {
		return nil, err
	}
	if err := d.write(ctx); err != nil {
		return nil, err
	}
	if day, _ := w.watch.Day(); w.lateFirst.IsZero() && (day != w.wrote || d.everything) {
		if err := w.save(rec.Generation, sn.next); err != nil {
			return nil, err
		}
		w.wrote = day
	}
	d.show(now)
	d.report.Elapsed = time.Since(begin)
	l.insights.figures.add(d.report)
	return d.report, nil
}

// detection is one run.
type detection struct {
	w       *insightWatch
	rec     catalog.Insight
	sn      *snapshot
	settled insight.Minute
	// day is where states move on to; records from minute from on are compared with what is found now.
	day        insight.Day
	from       insight.Minute
	everything bool
	found      []insight.Found
	progress   func(done, of int64)
	report     *InsightReport
}

func (d *detection) add(f insight.Found) { d.found = append(d.found, f) }

// always is all time that events can be from, the years 1 to 9999.
var always = minutes{insight.MinuteOf(time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)), insight.MinuteOf(time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC))}

// count brings the watch up to the snapshot.
func (d *detection) count(ctx context.Context, patient bool, now time.Time) error {
	w := d.w
	if w.watch == nil {
		ok, err := d.load(ctx)
		if err != nil || !ok {
			return errors.Join(err, d.countAll(ctx, err))
		}
	} else if d.sn.next > w.next {
		late, err := d.calls(ctx, w.next, always)
		if err != nil {
			return err
		}
		d.report.Events = int64(d.sn.next - w.next)
		if w.next = d.sn.next; late {
			if w.lateLast = now; w.lateFirst.IsZero() {
				w.lateFirst = now
			}
		}
	}
	if !w.lateFirst.IsZero() && !(patient && now.Sub(w.lateLast) < lateQuiet && now.Sub(w.lateFirst) < lateLongest) {
		return d.countAll(ctx, nil)
	}
	day, _ := w.watch.Day()
	d.from = day.Start()
	return nil
}

func (d *detection) calls(ctx context.Context, first uint64, in minutes) (late bool, err error) {
	return d.sn.countCalls(ctx, first, in, insightRates(&d.rec), d.w.watch)
}

// countAll counts everything anew, some days at a time.
func (d *detection) countAll(ctx context.Context, err error) error {
	if err != nil {
		return err
	}
	w := d.w
	told := w.told
	w.forget()
	w.told = told
	if w.watch, err = insight.NewWatch(insightParams(&d.rec)); err != nil {
		return err
	}
	d.everything, d.report.Everything = true, true
	spans := d.sn.spans()
	var of, done int64
	for _, s := range spans {
		of += s.rows
	}
	d.report.Events = of
	from := always.from
	for _, to := range windowsOf(spans) {
		if _, err := d.calls(ctx, 0, minutes{from, to.Start()}); err != nil {
			return err
		}
		if err := w.watch.Advance(min(to, d.day), d.add); err != nil {
			return err
		}
		for _, s := range spans {
			if s.last >= from.Day() && s.last < to {
				done += s.rows
			}
		}
		if d.progress != nil {
			d.progress(done, of)
		}
		from = to.Start()
	}
	w.next = d.sn.next
	d.from = always.from
	if d.sn.partly() {
		d.from = (minuteOf(d.sn.horizon.Cutoff).Day() + 1 + insight.LearnDays + insight.HistoryDays).Start()
		for _, x := range d.sn.dropped {
			d.from = max(d.from, (minuteOf(x.MaxTime).Day() + 1 + insight.LearnDays + insight.HistoryDays).Start())
		}
	}
	return nil
}

// partly reports whether events have expired or left.
func (sn *snapshot) partly() bool {
	if len(sn.dropped) > 0 {
		return true
	}
	for _, seg := range sn.segments {
		if sn.horizon.Expired(seg.cat.MinTime) {
			return true
		}
	}
	for _, v := range sn.views {
		if lo, _ := v.Times(); sn.horizon.Expired(lo) {
			return true
		}
	}
	return false
}

// span is the days that a run of events is from.
type span struct {
	first, last insight.Day
	rows        int64
}

// spans returns the days of segments and memtables.
func (sn *snapshot) spans() (out []span) {
	for _, seg := range sn.segments {
		out = append(out, span{minuteOf(seg.cat.MinTime).Day(), minuteOf(seg.cat.MaxTime).Day(), int64(seg.cat.Rows)})
	}
	for _, v := range sn.views {
		lo, hi := v.Times()
		out = append(out, span{minuteOf(lo).Day(), minuteOf(hi).Day(), int64(len(v.Rows()))})
	}
	return out
}

// windowsOf cuts time into windows of about windowRows events, and returns their ends; the last is after all events.
func windowsOf(spans []span) (ends []insight.Day) {
	var last []insight.Day
	for _, s := range spans {
		last = append(last, s.last+1)
	}
	slices.Sort(last)
	last = slices.Compact(last)
	from := always.from.Day()
	for i, end := range last {
		if i+1 < len(last) {
			rows := int64(0)
			for _, s := range spans { // up to the end after this one
				if s.first < last[i+1] && s.last >= from {
					rows += s.rows
				}
			}
			if rows <= windowRows {
				continue
			}
		}
		ends = append(ends, end)
		from = end
	}
	return ends
}

func watchHeadKey(store uint32) []byte {
	return binary.BigEndian.AppendUint32([]byte{keyWatchHead}, store)
}
func watchKey(store uint32) []byte { return binary.BigEndian.AppendUint32([]byte{keyWatch}, store) }

// watchHead is the durable head of a watch.
type watchHead struct{ generation, next, size uint64 }

func (h watchHead) encode() []byte {
	b := []byte{watchHeadVersion}
	for _, v := range []uint64{h.generation, h.next, h.size} {
		b = binary.BigEndian.AppendUint64(b, v)
	}
	return binary.BigEndian.AppendUint64(b, xxhash.Sum64(b))
}

func decodeWatchHead(b []byte) (h watchHead, err error) {
	switch {
	case len(b) != watchHeadLen:
		return h, fmt.Errorf("%d bytes instead of %d", len(b), watchHeadLen)
	case b[0] != watchHeadVersion:
		return h, fmt.Errorf("version %d is not known", b[0])
	case binary.BigEndian.Uint64(b[watchHeadLen-8:]) != xxhash.Sum64(b[:watchHeadLen-8]):
		return h, errors.New("the checksum does not fit")
	}
	h.generation, h.next, h.size = binary.BigEndian.Uint64(b[1:]), binary.BigEndian.Uint64(b[9:]), binary.BigEndian.Uint64(b[17:])
	if h.size > watchBytesMax {
		return h, fmt.Errorf("%d bytes are more than there can be", h.size)
	}
	return h, nil
}

// save makes the states durable.
func (w *insightWatch) save(generation, next uint64) error {
	l, store := w.store.lake, w.store.rec.Number
	if err := l.checkSpace(); err != nil {
		return err
	}
	data := w.watch.Append(nil)
	b := l.db.Batch()
	to := b.In(lsm.Insight)
	to.DeletePrefix(watchKey(store))
	to.Set(watchHeadKey(store), watchHead{generation, next, uint64(len(data))}.encode())
	for i := 0; len(data) > 0; i++ {
		n := min(len(data), watchPartBytes)
		to.Set(binary.BigEndian.AppendUint32(watchKey(store), uint32(i)), data[:n])
		data = data[n:]
	}
	return l.writeErr(b.Commit())
}

// saved reads the durable states; nil when there are none that can be used.
func (w *insightWatch) saved(rec *catalog.Insight) (*insight.Watch, uint64, error) {
	l, store := w.store.lake, w.store.rec.Number
	records := l.db.In(lsm.Insight)
	damaged := func(err error) (*insight.Watch, uint64, error) {
		// Everything that they say is in the events, too.
		l.opts.Logger.Error("what was known of the series of a store is damaged, all events are counted again", "store", w.store.Name(), "error", err)
		return nil, 0, nil
	}
	value, err := records.Get(watchHeadKey(store))
	if errors.Is(err, lsm.ErrNotFound) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, err
	}
	h, err := decodeWatchHead(value)
	if err != nil {
		return damaged(err)
	}
	if h.generation != rec.Generation {
		return nil, 0, nil
	}
	var data []byte
	err = records.Scan(watchKey(store), func(_, value []byte) error {
		if data = append(data, value...); uint64(len(data)) > h.size {
			return fmt.Errorf("%w: more than %d bytes", insight.ErrWatch, h.size)
		}
		return nil
	})
	if err != nil && !errors.Is(err, insight.ErrWatch) {
		return nil, 0, err
	}
	if err == nil && uint64(len(data)) != h.size {
		err = fmt.Errorf("%w: %d bytes instead of %d", insight.ErrWatch, len(data), h.size)
	}
	if err != nil {
		return damaged(err)
	}
	watch, err := insight.DecodeWatch(data, insightParams(rec))
	if err != nil {
		return damaged(err)
	}
	return watch, h.next, nil
}

// load takes the durable states up and counts what came since; ok is false when everything must be counted.
func (d *detection) load(ctx context.Context) (ok bool, err error) {
	w := d.w
	watch, next, err := w.saved(&d.rec)
	if err != nil || watch == nil {
		return false, err
	}
	day, _ := watch.Day()
	before := minutes{always.from, day.Start()}
	var older anyCall
	if _, err := d.sn.countCalls(ctx, next, before, insightRates(&d.rec), &older); err != nil || older {
		return false, err
	}
	w.watch, w.wrote = watch, day
	if _, err := d.calls(ctx, 0, minutes{day.Start(), always.to}); err != nil {
		return false, err
	}
	w.next = d.sn.next
	d.report.Events = int64(d.sn.next - min(next, d.sn.next))
	return true, nil
}

// anyCall notices whether there is an event.
type anyCall bool

// Seen implements callCounter.
func (a *anyCall) Seen(string, string, insight.Day) { *a = true }

// ID implements callCounter.
func (a *anyCall) ID(insight.Series) (int, bool) { *a = true; return 0, true }

// Add implements callCounter.
func (a *anyCall) Add(int, insight.Minute, uint64) bool { return true }

// show tells others what is known now.
func (d *detection) show(now time.Time) {
	w := d.w
	r := d.report
	phases := w.watch.Phases(insight.MinuteOf(now).Day())
	_, r.Unwatched = w.watch.Len()
	if r.Series, r.Learning = phases.Series, phases.Learning; phases.Learning > 0 {
		r.SpeaksFrom = phases.SpeaksFrom.Start().Time()
	}
	var provisional []Insight
	expected := slices.Clone(w.watch.Expected())
	for i := range d.found {
		f := &d.found[i]
		start, _ := f.Due(d.settled)
		if f.Fate == insight.Reported && !start {
			provisional = append(provisional, provisionalInsight(w.store, f))
		}
	}
	r.Provisional = len(provisional)
	w.shown.Lock()
	before := w.shown.provisional
	w.shown.provisional, w.shown.expected, w.shown.phases, w.shown.known = provisional, expected, phases, true
	w.shown.Unlock()
	w.store.lake.notice(before, provisional)
}
