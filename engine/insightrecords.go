package engine

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/cairndb/cairn/engine/insight"
)

// insightBatch is how many records are appended at once.
const insightBatch = 1000

// toldRecord is a record in the destination.
type toldRecord struct {
	seq       uint64
	at        insight.Minute
	series    insight.Series // without category, which records do not tell
	in        minutes        // of an End record
	withdrawn bool
	notes     int // records that speak of it
}

// toldRecords are the records of a store in its destination, by event ID.
type toldRecords struct {
	byID map[string]*toldRecord
	next uint64 // records from here on have not been read
}

// recordFields is what is read of a record.
type recordFields struct {
	EventID     string       `json:"eventID"`
	Time        time.Time    `json:"eventTime"`
	Region      string       `json:"awsRegion"`
	Account     string       `json:"recipientAccountId"`
	Shared      string       `json:"sharedEventID"`
	Source      string       `json:"insightSource"`
	State       string       `json:"insightState"`
	EventSource string       `json:"insightEventSource"`
	EventName   string       `json:"insightEventName"`
	ErrorCode   string       `json:"insightErrorCode"`
	Type        insight.Type `json:"insightType"`
	Context     struct {
		BaselineAverage  float64               `json:"baselineAverage"`
		Average          float64               `json:"insightAverage"`
		BaselineDuration int                   `json:"baselineDuration"`
		Duration         int                   `json:"insightDuration"`
		Attributions     []insight.Attribution `json:"attributions"`
	} `json:"insightContext"`
	Addendum *insight.Addendum `json:"addendum"`
	// Details is there in records as trails deliver them.
	Details *trailDetails `json:"insightDetails"`
}

// trailDetails is what records as trails deliver them have instead of the members that begin with insight.
type trailDetails struct {
	State       string       `json:"state"`
	EventSource string       `json:"eventSource"`
	EventName   string       `json:"eventName"`
	Type        insight.Type `json:"insightType"`
	ErrorCode   string       `json:"errorCode"`
	Context     struct {
		Statistics struct {
			Baseline struct {
				Average float64 `json:"average"`
			} `json:"baseline"`
			Insight struct {
				Average float64 `json:"average"`
			} `json:"insight"`
			Duration         int `json:"insightDuration"`
			BaselineDuration int `json:"baselineDuration"`
		} `json:"statistics"`
		Attributions []insight.Attribution `json:"attributions"`
	} `json:"insightContext"`
}

// flatten gives the members of a record as a trail delivers it the places of a flat one.
func (f *recordFields) flatten() {
	d := f.Details
	if d == nil {
		return
	}
	f.State, f.EventSource, f.EventName, f.Type, f.ErrorCode = d.State, d.EventSource, d.EventName, d.Type, d.ErrorCode
	st := &d.Context.Statistics
	f.Context.BaselineAverage, f.Context.Average = st.Baseline.Average, st.Insight.Average
	f.Context.BaselineDuration, f.Context.Duration = st.BaselineDuration, st.Duration
	f.Context.Attributions = d.Context.Attributions
}

func (f *recordFields) series() insight.Series {
	return insight.Series{Account: f.Account, Region: f.Region, EventSource: f.EventSource, EventName: f.EventName, ErrorCode: f.ErrorCode, Type: f.Type}
}

// eachInsightRecord calls fn with the records of a snapshot of an Insights store from a sequence number on.
func eachInsightRecord(ctx context.Context, sn *snapshot, first uint64, who *accounts, fn func(seq uint64, f *recordFields) error) error {
	return who.eachNumbered(ctx, sn, first, func(seq uint64, raw []byte) error {
		var f recordFields
		if err := json.Unmarshal(raw, &f); err != nil {
			return nil // taken in from elsewhere, and not of this kind
		}
		f.flatten()
		return fn(seq, &f)
	})
}

// readTold brings what is known of the destination up to date.
func (d *detection) readTold(ctx context.Context, dest *Store) error {
	w := d.w
	if w.told == nil {
		w.told = &toldRecords{byID: make(map[string]*toldRecord), next: d.rec.First}
	}
	t := w.told
	sn := dest.snapshot()
	defer sn.release()
	if sn.next <= t.next {
		return nil
	}
	source := w.store.insightSource()
	err := eachInsightRecord(ctx, sn, t.next, nil, func(seq uint64, f *recordFields) error {
		if f.Source == source {
			t.take(seq, f)
		}
		return nil
	})
	t.next = sn.next
	return err
}

// take notes a record.
func (t *toldRecords) take(seq uint64, f *recordFields) {
	if f.Addendum != nil {
		if r := t.byID[f.Addendum.OriginalEventID]; r != nil {
			r.notes++
			r.withdrawn = f.Addendum.Reason == insight.Withdrawn
		}
		return
	}
	if t.byID[f.EventID] != nil {
		return
	}
	r := &toldRecord{seq: seq, at: insight.MinuteOf(f.Time), series: f.series()}
	if f.State == insight.End {
		r.in = minutes{r.at + 1 - insight.Minute(f.Context.Duration), r.at + 1}
	}
	t.byID[f.EventID] = r
}

// due is a record that is to be in the destination.
type due struct {
	*insight.Found
	id, state string
	at        insight.Minute
	period    *asked // calls of the period, and of the baseline
	baseline  *asked
}

// write brings the destination up to date with what was found.
func (d *detection) write(ctx context.Context) error {
	w, l := d.w, d.w.store.lake
	l.stores.RLock()
	dest := l.stores.byNumber[d.rec.Destination]
	l.stores.RUnlock()
	if dest == nil {
		return failf(ErrNotFound, "the store that insights of store %s go to is gone: enable them again, with another --destination if you like", w.store.Name())
	}
	d.report.Destination = dest.Name()
	if err := d.readTold(ctx, dest); err != nil {
		return fmt.Errorf("reading the records of store %s: %w", dest.Name(), err)
	}
	want, fresh, err := d.due()
	if err != nil {
		return err
	}
	var out [][]byte
	for _, r := range fresh {
		if told := w.told.byID[r.id]; told != nil {
			note, err := w.note(ctx, dest, told, insight.Reinstated)
			if err != nil {
				return err
			}
			out = append(out, note)
			d.report.Reinstated++
		}
	}
	fresh = slices.DeleteFunc(fresh, func(r *due) bool { return w.told.byID[r.id] != nil })
	records, err := d.records(ctx, fresh)
	if err != nil {
		return err
	}
	out = append(out, records...)
	var wrong []string
	for id, told := range w.told.byID {
		if !told.withdrawn && !want[id] && told.at >= d.from {
			wrong = append(wrong, id)
		}
	}
	slices.Sort(wrong)
	for _, id := range wrong {
		note, err := w.note(ctx, dest, w.told.byID[id], insight.Withdrawn)
		if err != nil {
			return err
		}
		out = append(out, note)
		d.report.Withdrawn++
	}
	for len(out) > 0 {
		n := min(len(out), insightBatch)
		if err := dest.takes(false); err != nil {
			return err
		}
		verdicts, err := dest.append(ctx, out[:n])
		if err != nil {
			return err
		}
		for i, v := range verdicts {
			// A record may be older than what the destination keeps: then it is not kept.
			if v.Status == Refused && v.Reason != reasonExpired || v.Status == Conflict {
				return fmt.Errorf("store %s does not take a record (%s): %s %s", dest.Name(), v.Status, v.Detail, out[i])
			}
		}
		out = out[n:]
	}
	return d.readTold(ctx, dest)
}

// note makes a record about an earlier one.
func (w *insightWatch) note(ctx context.Context, dest *Store, told *toldRecord, reason string) ([]byte, error) {
	sn := dest.snapshot()
	defer sn.release()
	raw, err := sn.record(ctx, told.seq)
	if err != nil {
		return nil, err
	}
	return insight.Note(raw, reason, told.notes)
}

// due returns the event IDs of all records that there should be of what was found, and those that are not there, in order
// of time.
func (d *detection) due() (want map[string]bool, fresh []*due, err error) {
	want = make(map[string]bool)
	source := d.w.store.insightSource()
	for i := range d.found {
		f := &d.found[i]
		start, end := f.Due(d.settled)
		for _, x := range []struct {
			is    bool
			state string
			at    insight.Minute
		}{{start, insight.Start, f.Start}, {end, insight.End, f.End - 1}} {
			if !x.is {
				continue
			}
			id, err := f.RecordID(&f.Series, x.state, source)
			if err != nil {
				return nil, nil, err
			}
			if want[id] {
				continue
			}
			want[id] = true
			if told := d.w.told.byID[id]; told != nil && !told.withdrawn || d.everything && x.at < d.from {
				continue
			}
			fresh = append(fresh, &due{Found: f, id: id, state: x.state, at: x.at})
		}
	}
	slices.SortFunc(fresh, func(a, b *due) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.id, b.id)) })
	return want, fresh, nil
}

// records makes new records, with who made the calls.
func (d *detection) records(ctx context.Context, fresh []*due) ([][]byte, error) {
	var periods []*asked
	baselines := make(map[*insight.Found]*asked)
	for _, r := range fresh {
		end := r.End
		if r.state == insight.Start {
			end = r.Start + insight.Minute(r.FirstDuration())
		}
		r.period = &asked{series: r.Series, in: minutes{r.Start, end}, got: newAttributed()}
		periods = append(periods, r.period)
		b := baselines[r.Found]
		if b == nil {
			b = &asked{series: r.Series, in: minutes{r.BaselineStart, r.Start}, except: d.earlier(r), got: newAttributed()}
			baselines[r.Found] = b
			periods = append(periods, b)
		}
		r.baseline = b
	}
	if err := d.sn.attributeCalls(ctx, insightRates(&d.rec), periods); err != nil {
		return nil, err
	}
	var out [][]byte
	source := d.w.store.insightSource()
	for _, r := range fresh {
		length := int(r.period.in.to - r.period.in.from)
		c := insight.Context{Store: source}
		for _, name := range r.Series.Type.Attributes() {
			of := func(a *asked) insight.Grouped {
				switch name {
				case insight.ByIdentity:
					return a.got.identity
				case insight.ByUserAgent:
					return a.got.agent
				}
				return a.got.code
			}
			c.Attributions = append(c.Attributions, insight.Attribute(name, of(r.period), of(r.baseline), length, r.BaselineMinutes))
		}
		raw, err := r.FlatRecord(&r.Series, r.state, c)
		if err != nil {
			return nil, err
		}
		if r.state == insight.Start {
			d.report.Starts++
		} else {
			d.report.Ends++
		}
		out = append(out, raw)
	}
	return out, nil
}

// earlier returns the earlier incidents in the baseline of one, which its averages leave out.
func (d *detection) earlier(r *due) (out []minutes) {
	key := r.Series
	key.Category = ""
	for _, told := range d.w.told.byID {
		if told.series == key && !told.withdrawn && told.in.to > r.BaselineStart && told.in.from < r.Start && told.in.to <= r.Start {
			out = append(out, told.in)
		}
	}
	for i := range d.found {
		f := &d.found[i]
		if f.Series == r.Series && f.Fate == insight.Reported && f.End > r.BaselineStart && f.End <= r.Start {
			out = append(out, minutes{f.Start, f.End})
		}
	}
	return out
}

// Insight is an incident as its records tell it, or one that has none yet.
type Insight struct {
	// ID is the sharedEventID of its records.
	ID string `json:"sharedEventId"`
	// Store is the source: the name of a store of the lake, or what the records of others say.
	Store       string       `json:"store"`
	Account     string       `json:"account"`
	Region      string       `json:"region"`
	EventSource string       `json:"eventSource"`
	EventName   string       `json:"eventName"`
	ErrorCode   string       `json:"errorCode,omitempty"`
	Type        insight.Type `json:"insightType"`
	// Start is the first minute; End the last, the zero time while it goes on.
	Start time.Time `json:"start"`
	End   time.Time `json:"end,omitzero"`
	// Minutes is how long it was, or had been when it was decided.
	Minutes         int     `json:"insightDuration"`
	Average         float64 `json:"insightAverage"`
	BaselineAverage float64 `json:"baselineAverage"`
	BaselineMinutes int     `json:"baselineDuration"`
	// Provisional: there is no record yet, because events may still come that change it.
	Provisional bool `json:"provisional,omitempty"`
	// Expected: there is no record, because it recurs. Why says so.
	Expected bool   `json:"expected,omitempty"`
	Why      string `json:"why,omitempty"`
	// Attributions are those of the latest record.
	Attributions []insight.Attribution `json:"attributions,omitempty"`
	// StartRecord and EndRecord are the event IDs of its records.
	StartRecord string `json:"startEventId,omitempty"`
	EndRecord   string `json:"endEventId,omitempty"`
}

// foundInsight is an incident without records.
func foundInsight(s *Store, f *insight.Found) Insight {
	in := Insight{ID: insight.SharedEventID(s.insightSource(), &f.Series, f.Start), Store: s.Name(), Account: f.Series.Account, Region: f.Series.Region,
		EventSource: f.Series.EventSource, EventName: f.Series.EventName, ErrorCode: f.Series.ErrorCode, Type: f.Series.Type,
		Start: f.Start.Time(), Minutes: f.Duration(), Average: f.Average(), BaselineAverage: f.Baseline(), BaselineMinutes: f.BaselineDuration(), Why: f.Explain()}
	if !f.Open {
		in.End = (f.End - 1).Time()
	}
	return in
}

func provisionalInsight(s *Store, f *insight.Found) Insight {
	in := foundInsight(s, f)
	in.Provisional = true
	return in
}

// InsightFilter selects insights; zero values select all.
type InsightFilter struct {
	// Store is the name or ID of a source store.
	Store string
	// From and To bound the start, To exclusive.
	From, To                                           time.Time
	Account, Region, EventSource, EventName, ErrorCode string
	Type                                               insight.Type
	// ID is the shared event ID, or the event ID of a record, or the beginning of either.
	ID string
	// Expected gives those that were expected because they recur instead of those with records.
	Expected bool
}

func (f *InsightFilter) takes(in *Insight) bool {
	is := func(want, have string) bool { return want == "" || want == have }
	begins := func(have string) bool { return len(have) >= len(f.ID) && have[:len(f.ID)] == f.ID }
	return is(f.Account, in.Account) && is(f.Region, in.Region) && is(f.EventSource, in.EventSource) && is(f.EventName, in.EventName) &&
		is(f.ErrorCode, in.ErrorCode) && is(string(f.Type), string(in.Type)) &&
		(f.From.IsZero() || !in.Start.Before(f.From)) && (f.To.IsZero() || in.Start.Before(f.To)) &&
		(f.ID == "" || begins(in.ID) || begins(in.StartRecord) || begins(in.EndRecord))
}

// Insights returns what was found unusual, in order of start, newest first: the incidents whose records are in the destinations
// (those that were withdrawn aside) or in [InsightsStore], and those that are known since the lake
// was opened and have no records yet.
func (l *Lake) Insights(ctx context.Context, f InsightFilter) ([]Insight, error) {
	return l.insightsIn(ctx, nil, f)
}

// Insights is [Lake.Insights] of what the view shows: records in stores that it shows, of the accounts that it shows.
func (v *View) Insights(ctx context.Context, f InsightFilter) ([]Insight, error) {
	return v.lake.insightsIn(ctx, v, f)
}

func (l *Lake) insightsIn(ctx context.Context, v *View, f InsightFilter) ([]Insight, error) {
	done, err := l.begin()
	if err != nil {
		return nil, err
	}
	defer done()
	var only *Store
	if f.Store != "" {
		if v != nil {
			only, err = v.store(f.Store)
		} else {
			only, err = l.Store(f.Store)
		}
		if err != nil {
			return nil, err
		}
	}
	out := []Insight{}
	if !f.Expected {
		if out, err = l.toldInsights(ctx, v, only); err != nil {
			return nil, err
		}
	}
	for _, w := range l.insights.all() {
		if w.store.gone.Load() || only != nil && w.store != only || v != nil && (!v.sees(w.store)) {
			continue
		}
		list, err := w.unwritten(f.Expected)
		if err != nil {
			return nil, err
		}
		for _, in := range list {
			if v == nil || v.accounts == nil || v.accounts.in[in.Account] {
				out = append(out, in)
			}
		}
	}
	out = slices.DeleteFunc(out, func(in Insight) bool { return !f.takes(&in) })
	slices.SortFunc(out, func(a, b Insight) int {
		return cmp.Or(b.Start.Compare(a.Start), cmp.Compare(a.Account, b.Account), cmp.Compare(a.ID, b.ID))
	})
	return out, nil
}

// unwritten returns the incidents without records.
func (w *insightWatch) unwritten(expected bool) (out []Insight, err error) {
	w.shown.Lock()
	defer w.shown.Unlock()
	if !expected {
		return w.shown.provisional, nil
	}
	found := w.shown.expected
	if !w.shown.known {
		watch, _, err := w.saved(&w.shown.rec)
		if err != nil {
			return nil, fmt.Errorf("reading what is expected in store %s: %w", w.store.Name(), err)
		}
		if watch != nil {
			found = watch.Expected()
		}
	}
	for i := range found {
		in := foundInsight(w.store, &found[i])
		in.Expected = true
		out = append(out, in)
	}
	return out, nil
}

// toldInsights reads the incidents in the stores of records.
func (l *Lake) toldInsights(ctx context.Context, v *View, only *Store) ([]Insight, error) {
	var stores []*Store
	add := func(s *Store) {
		if s != nil && s.schema.Key == insightsSchema && !slices.Contains(stores, s) && (v == nil || v.sees(s)) && s.readable() == nil {
			stores = append(stores, s)
		}
	}
	for _, n := range l.InsightSettings() {
		add(l.storeCalled(n.Destination))
	}
	add(l.storeCalled(InsightsStore))
	var who *accounts
	if v != nil {
		who = v.accounts
	}
	byRecord := make(map[string]*recordFields)
	for _, s := range stores {
		sn := s.snapshot()
		err := eachInsightRecord(ctx, sn, 0, who, func(_ uint64, f *recordFields) error {
			if only != nil && f.Source != only.insightSource() {
				return nil
			}
			if f.Addendum != nil {
				switch f.Addendum.Reason {
				case insight.Withdrawn:
					if r := byRecord[f.Addendum.OriginalEventID]; r != nil {
						r.Addendum = f.Addendum
					}
					return nil
				case insight.Reinstated:
					if r := byRecord[f.Addendum.OriginalEventID]; r != nil {
						r.Addendum = nil
					}
					return nil
				}
			}
			if f.Addendum = nil; byRecord[f.EventID] == nil {
				byRecord[f.EventID] = f
			}
			return nil
		})
		sn.release()
		if err != nil {
			return nil, fmt.Errorf("reading the records of store %s: %w", s.Name(), err)
		}
	}
	byID := make(map[string]*Insight)
	for id, f := range byRecord {
		if f.Addendum != nil || f.State != insight.Start && f.State != insight.End {
			continue
		}
		in := byID[f.Shared]
		if in == nil {
			in = &Insight{}
			byID[f.Shared] = in
		}
		if f.State == insight.End || in.EndRecord == "" {
			in.Minutes, in.Average, in.Attributions = f.Context.Duration, f.Context.Average, f.Context.Attributions
		}
		in.ID, in.Store, in.Account, in.Region, in.EventSource, in.EventName, in.ErrorCode, in.Type = f.Shared, l.sourceName(f.Source), f.Account, f.Region, f.EventSource, f.EventName, f.ErrorCode, f.Type
		in.BaselineAverage, in.BaselineMinutes = f.Context.BaselineAverage, f.Context.BaselineDuration
		if f.State == insight.Start {
			in.StartRecord, in.Start = id, f.Time.UTC()
		} else {
			in.EndRecord, in.End = id, f.Time.UTC()
			if in.StartRecord == "" {
				in.Start = in.End.Add(-time.Duration(max(f.Context.Duration-1, 0)) * time.Minute)
			}
		}
	}
	out := make([]Insight, 0, len(byID))
	for _, p := range byID {
		out = append(out, *p)
	}
	return out, nil
}

// sourceName is the name of the store that records name as their source.
func (l *Lake) sourceName(source string) string {
	if n := len(insightSourcePrefix); len(source) > n && source[:n] == insightSourcePrefix {
		return source[n:]
	}
	return source
}

// insightsSchema is the key of the schema for records.
const insightsSchema = "insights"
