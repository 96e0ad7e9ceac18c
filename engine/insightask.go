package engine

import (
	"context"
	"slices"
	"time"

	"github.com/cairndb/cairn/engine/event"
	"github.com/cairndb/cairn/engine/insight"
	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/plan"
)

// Looking at single series: their calls per minute beside what is expected of them, and as metric data. Both count
// the store's events when asked, so they work without insights being enabled, too.

// counts gathers the counts of series that are wanted, and the first day of each account in a region.
type counts struct {
	wants  func(s *insight.Series) bool
	series []insight.Series
	ids    map[insight.Series]int
	by     [][]insight.Count
	since  map[[2]string]insight.Day
}

func newCounts(wants func(s *insight.Series) bool) *counts {
	return &counts{wants: wants, ids: make(map[insight.Series]int), since: make(map[[2]string]insight.Day)}
}

// Seen implements callCounter.
func (c *counts) Seen(account, region string, day insight.Day) {
	k := [2]string{account, region}
	if since, ok := c.since[k]; !ok || day < since {
		c.since[k] = day
	}
}

// ID implements callCounter.
func (c *counts) ID(s insight.Series) (int, bool) {
	if !c.wants(&s) {
		return 0, false
	}
	id, ok := c.ids[s]
	if !ok {
		id = len(c.series)
		c.ids[s], c.series, c.by = id, append(c.series, s), append(c.by, nil)
	}
	return id, true
}

// Add implements callCounter.
func (c *counts) Add(id int, m insight.Minute, calls uint64) bool {
	list := c.by[id]
	if n := len(list); n > 0 && list[n-1].Minute == m {
		list[n-1].Calls += calls
	} else {
		c.by[id] = append(list, insight.Count{Minute: m, Calls: calls})
	}
	return true
}

// InsightSeries is insight.Series for packages that know the engine alone.
type InsightSeries = insight.Series

// InsightChart is a series beside what is expected of it.
type InsightChart struct {
	Store  string         `json:"store"`
	Series insight.Series `json:"series"`
	// Start is the beginning of the first step, StepMinutes its length.
	Start       time.Time `json:"start"`
	StepMinutes int       `json:"stepMinutes"`
	// Calls are the calls of each step; Expected, Low and High the band that is normal, lifted where the hours before had more calls.
	Calls    []uint64  `json:"calls"`
	Expected []float64 `json:"expected"`
	Low      []float64 `json:"low"`
	High     []float64 `json:"high"`
	// Incidents are those that touch the chart, whatever became of them.
	Incidents []ChartIncident `json:"incidents"`
	// Phase is what the series was in at the beginning of the chart's first day: starting up (no verdicts before
	// SpeaksFrom), quiet, unusual, expected.
	Phase      string    `json:"phase"`
	SpeaksFrom time.Time `json:"speaksFrom"`
	// PerMinute is the average of the 28 days before, Clumpy whether few calls or clumps of them ask for more than
	// the largest of these days, Threshold the surprise in nats that it took.
	PerMinute float64 `json:"perMinute"`
	Clumpy    bool    `json:"clumpy"`
	Threshold float64 `json:"threshold"`
}

// ChartIncident is an incident of a chart.
type ChartIncident struct {
	ID    string    `json:"sharedEventId"`
	Start time.Time `json:"start"`
	// End is after the last minute.
	End  time.Time `json:"end"`
	Open bool      `json:"open,omitempty"`
	Fate string    `json:"fate"`
	Why  string    `json:"why"`
}

// The steps of charts in minutes.
var chartSteps = []int{1, 5, 15, 60, 360, 1440}

// chartStepsMax is how many steps a chart may have: a screen, or a program's plot, not an export.
const chartStepsMax = 20_000

// ChartSteps returns the possible lengths of steps in minutes.
func ChartSteps() []int { return slices.Clone(chartSteps) }

// InsightChart returns the calls of a series between two times, with what is expected. The series must be
// named completely; Type and Category may be left out when only one fits. step is one of ChartSteps.
func (l *Lake) InsightChart(ctx context.Context, store string, s insight.Series, from, to time.Time, step int) (*InsightChart, error) {
	done, err := l.begin()
	if err != nil {
		return nil, err
	}
	defer done()
	src, err := l.cloudTrail(store)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(chartSteps, step) {
		return nil, failf(ErrBadInput, "a chart with steps of %d minutes: there are %v", step, chartSteps)
	}
	// Steps begin with the day, so that they end with it.
	begin, end := insight.MinuteOf(from), insight.MinuteOf(to)
	begin -= (begin - begin.Day().Start()) % insight.Minute(step)
	n := int((end - begin + insight.Minute(step) - 1) / insight.Minute(step))
	if n < 1 || n > chartStepsMax {
		return nil, failf(ErrBadInput, "a chart from %v to %v in steps of %d minutes has %d of them, 1 to %d are possible", from, to, step, n, chartStepsMax)
	}
	sn := src.snapshot()
	defer sn.release()
	c := newCounts(func(o *insight.Series) bool {
		return o.Account == s.Account && o.Region == s.Region && o.EventSource == s.EventSource && o.EventName == s.EventName && o.ErrorCode == s.ErrorCode &&
			(s.Type == "" || o.Type == s.Type) && (s.Category == "" || o.Category == s.Category)
	})
	all := watchedRates{calls: true, errors: true, management: true, data: true}
	if _, err := sn.countCalls(ctx, 0, minutes{always.from, begin + insight.Minute(n*step)}, all, c); err != nil {
		return nil, err
	}
	switch len(c.series) {
	case 0:
		return nil, failf(ErrNotFound, "store %s has no such calls before %v: %s %s in account %s, region %s, error code %q (of management events only those that write count as calls)",
			src.Name(), to.UTC().Format(time.DateTime), s.EventSource, s.EventName, s.Account, s.Region, s.ErrorCode)
	case 1:
	default:
		return nil, failf(ErrBadInput, "there are %d such series, of management and of data events: say which category", len(c.series))
	}
	params := insight.Params{}
	if w := l.insights.watch(src); w != nil {
		rec := w.settings()
		params = insightParams(&rec)
	}
	chart := &InsightChart{Store: src.Name(), Series: c.series[0], Start: begin.Time(), StepMinutes: step, Calls: make([]uint64, n), Incidents: []ChartIncident{}}
	return chart, chart.fill(src, params, c, begin)
}

// fill goes through the days of a chart and those before.
func (ch *InsightChart) fill(s *Store, params insight.Params, c *counts, begin insight.Minute) error {
	det, err := insight.NewDetector(params)
	if err != nil {
		return err
	}
	list := insight.Merge(c.by[0])
	step, n := insight.Minute(ch.StepMinutes), len(ch.Calls)
	end := begin + step*insight.Minute(n)
	state := insight.NewState(c.since[[2]string{ch.Series.Account, ch.Series.Region}])
	found := make(map[insight.Minute]insight.Incident)
	note := func(incidents []insight.Incident) {
		for _, in := range incidents {
			if in.End > begin && in.Start < end {
				found[in.Start] = in
			}
		}
	}
	at := 0
	day := func(d insight.Day) (out []insight.Count) {
		from := at
		for at < len(list) && list[at].Minute.Day() == d {
			at++
		}
		return list[from:at]
	}
	first := max(begin.Day(), state.Since())
	for at < len(list) && list[at].Minute.Day() < first {
		d := list[at].Minute.Day()
		incidents, err := det.Day(state, d, day(d))
		if err != nil {
			return err
		}
		note(incidents)
	}
	incidents, err := det.Idle(state, first)
	if err != nil {
		return err
	}
	note(incidents)
	st := det.Status(state)
	ch.Phase, ch.SpeaksFrom, ch.PerMinute, ch.Clumpy, ch.Threshold = st.Phase.String(), st.SpeaksFrom.Start().Time(), st.PerMinute, st.Clumpy, st.Threshold
	ch.Expected, ch.Low, ch.High = make([]float64, n), make([]float64, n), make([]float64, n)
	for d := first; d.Start() < end; d++ {
		calls := day(d)
		for _, x := range calls {
			if x.Minute >= begin && x.Minute < end {
				ch.Calls[(x.Minute-begin)/step] += x.Calls
			}
		}
		before := state.Clone()
		incidents, err := det.Day(state, d, calls)
		if err != nil {
			return err
		}
		note(incidents)
		bands, err := det.BandsOf(before, ch.StepMinutes, calls, incidents)
		if err != nil {
			return err
		}
		for i, b := range bands {
			if k := int((d.Start()-begin)/step) + i; d.Start()+step*insight.Minute(i) >= begin && k < n {
				ch.Expected[k], ch.Low[k], ch.High[k] = b.Expected, b.Low, b.High
			}
		}
	}
	for _, in := range found {
		ch.Incidents = append(ch.Incidents, ChartIncident{ID: insight.SharedEventID(s.insightSource(), &ch.Series, in.Start), Start: in.Start.Time(), End: in.End.Time(),
			Open: in.Open, Fate: in.Fate.String(), Why: in.Explain()})
	}
	slices.SortFunc(ch.Incidents, func(a, b ChartIncident) int { return a.Start.Compare(b.Start) })
	return nil
}

// cloudTrail returns a store of CloudTrail events.
func (l *Lake) cloudTrail(name string) (*Store, error) {
	s, err := l.Store(name)
	if err != nil {
		return nil, err
	}
	if s.schema != event.CloudTrail {
		return nil, failf(ErrBadInput, "insights are about stores of %s, and store %s holds %s", event.CloudTrail.Name, s.Name(), s.schema.Name)
	}
	return s, s.readable()
}

// MetricQuery asks for metric data, as ListInsightsMetricData does.
type MetricQuery struct {
	// Store is the name or ID of the source store.
	Store string
	// EventSource, EventName and Type are needed, and ErrorCode for the type insight.ErrorRate.
	EventSource, EventName, ErrorCode string
	Type                              insight.Type
	// Category is insight.Management when "".
	Category insight.Category
	// Account and Region leave out other ones; "" takes all together.
	Account, Region string
	// Start is inclusive, 90 days before now when zero; End exclusive, now when zero. Times are taken down to a
	// multiple of the period.
	Start, End time.Time
	// Period is 60, 300 or 3600 seconds; 3600 when 0.
	Period int
	// Zeros gives all periods (FillWithZeros), not only those with calls (NonZeroData).
	Zeros bool
	// MaxResults is how many points are given, 1 to MetricPointsMax; all of them, which must not be more, when 0.
	MaxResults int
}

// MetricPointsMax is how many points the service gives at once: 15 days of minutes.
const MetricPointsMax = 21_600

// metricDays is how far back the default start is.
const metricDays = 90

// MetricData is metric data in parallel arrays, as the service gives them.
type MetricData struct {
	EventSource string       `json:"EventSource"`
	EventName   string       `json:"EventName"`
	InsightType insight.Type `json:"InsightType"`
	ErrorCode   string       `json:"ErrorCode,omitempty"`
	Timestamps  []int64      `json:"Timestamps"` // seconds since 1970
	Values      []float64    `json:"Values"`
	// NextToken is the start for the next call, when there are more points.
	NextToken string `json:"NextToken,omitempty"`
}

// InsightMetrics returns how many calls, or errors, there were in each period.
func (l *Lake) InsightMetrics(ctx context.Context, q MetricQuery) (*MetricData, error) {
	done, err := l.begin()
	if err != nil {
		return nil, err
	}
	defer done()
	s, err := l.cloudTrail(q.Store)
	if err != nil {
		return nil, err
	}
	if err := q.fill(l.opts.Clock()); err != nil {
		return nil, err
	}
	period := insight.Minute(q.Period / 60)
	begin, end := insight.MinuteOf(q.Start), insight.MinuteOf(q.End.Add(time.Minute-1))
	begin -= ((begin % period) + period) % period
	points := q.MaxResults
	if points == 0 {
		points = MetricPointsMax
	}
	if q.Zeros && q.MaxResults == 0 && int64(end-begin) > int64(period)*MetricPointsMax {
		return nil, failf(ErrLimit, "%d points were asked for, %d are possible at once: ask for a longer period, a shorter time, or fewer results", (end-begin)/period, MetricPointsMax)
	}
	c := newCounts(func(o *insight.Series) bool {
		return o.Type == q.Type && o.Category == q.Category && o.EventSource == q.EventSource && o.EventName == q.EventName && o.ErrorCode == q.ErrorCode &&
			(q.Account == "" || o.Account == q.Account) && (q.Region == "" || o.Region == q.Region)
	})
	sn := s.snapshot()
	defer sn.release()
	rates := watchedRates{calls: q.Type == insight.CallRate, errors: q.Type == insight.ErrorRate, management: q.Category == insight.Management, data: q.Category == insight.Data}
	if _, err := sn.countCalls(ctx, 0, minutes{begin, end}, rates, c, textTerm(event.CloudTrail, "eventname", q.EventName), textTerm(event.CloudTrail, "eventsource", q.EventSource)); err != nil {
		return nil, err
	}
	sums := make(map[insight.Minute]uint64)
	for _, list := range c.by {
		for _, x := range list {
			sums[x.Minute-(x.Minute-begin)%period] += x.Calls
		}
	}
	var at []insight.Minute
	if q.Zeros {
		for m := begin; m < end && len(at) <= points; m += period {
			at = append(at, m)
		}
	} else {
		for m := range sums {
			at = append(at, m)
		}
		slices.Sort(at)
		if q.MaxResults == 0 && len(at) > points {
			return nil, failf(ErrLimit, "there are %d points, %d are possible at once: ask for a longer period, a shorter time, or fewer results", len(at), MetricPointsMax)
		}
	}
	out := &MetricData{EventSource: q.EventSource, EventName: q.EventName, InsightType: q.Type, ErrorCode: q.ErrorCode, Timestamps: []int64{}, Values: []float64{}}
	for i, m := range at {
		if i == points {
			out.NextToken = m.Time().Format(time.RFC3339)
			break
		}
		out.Timestamps, out.Values = append(out.Timestamps, int64(m)*60), append(out.Values, float64(sums[m]))
	}
	return out, nil
}

// fill checks a query and puts defaults in the place of zeros.
func (q *MetricQuery) fill(now time.Time) error {
	if q.Category == "" {
		q.Category = insight.Management
	}
	if q.End.IsZero() {
		q.End = now
	}
	if q.Start.IsZero() {
		q.Start = now.AddDate(0, 0, -metricDays)
	}
	if q.Period == 0 {
		q.Period = 3600
	}
	switch {
	case q.EventSource == "" || q.EventName == "":
		return failf(ErrBadInput, "metric data needs an event source and an event name")
	case !slices.Contains(insightTypes[:], q.Type):
		return failf(ErrBadInput, "metric data needs a type of insight, %s or %s", insight.CallRate, insight.ErrorRate)
	case q.Type == insight.ErrorRate && q.ErrorCode == "":
		return failf(ErrBadInput, "metric data of type %s needs an error code", q.Type)
	case q.Type == insight.CallRate && q.ErrorCode != "":
		return failf(ErrBadInput, "metric data of type %s has no error code", q.Type)
	case !slices.Contains(insightCategories[:], q.Category):
		return failf(ErrBadInput, "%q is no category of events with insights", q.Category)
	case q.Period != 60 && q.Period != 300 && q.Period != 3600:
		return failf(ErrBadInput, "a period of %d seconds: there are 60, 300 and 3600", q.Period)
	case !q.Start.Before(q.End):
		return failf(ErrBadInput, "the start, %s, is not before the end, %s", q.Start.UTC().Format(time.RFC3339), q.End.UTC().Format(time.RFC3339))
	case q.MaxResults < 0 || q.MaxResults > MetricPointsMax:
		return failf(ErrBadInput, "%d results were asked for, 1 to %d are possible", q.MaxResults, MetricPointsMax)
	}
	return nil
}

// textTerm says to storage that only one value of a column is wanted.
func textTerm(t *event.Table, name, value string) plan.Term {
	c, at := t.Column(name)
	v := column.New(c.Type, 1)
	v.Str[0] = value
	return plan.Term{Path: plan.Path{Column: at, Type: c.Type}, Op: plan.Eq, Values: v}
}
