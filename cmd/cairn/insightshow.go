package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cairndb/cairn/engine"
	"github.com/cairndb/cairn/engine/insight"
)

// chartColumns is about how wide a chart is.
const chartColumns = 72

func (p *program) insightShowCommand() *cobra.Command {
	var s insight.Series
	var store, from, to, category string
	var step int
	cmd := &cobra.Command{
		Use:   "show [ID]",
		Short: "Show an unusual period, or a series of calls, with what is expected",
		Long: `Show draws the calls of a series over the band that is normal, and says why a period is unusual and who made it.
It is named by its ID or the first characters of it (cairn insight list), or any series by its account, region, event source and
event name, and error code for rates of errors. The line "calls" has the calls of each step, "normal to" the
largest number that is not unusual, "expected" what is expected (more where the hours before had more than usual, as
a level that creeps up is no burst), all on the same scale; ^ marks unusual periods, ~ those that
were expected because they recur, . those in the first 14 days.`,
		Example: `  cairn insight show 75ee193e
  cairn insight show 75ee193e --step 1 --start 2026-03-23T04:00:00Z --end 2026-03-23T06:00:00Z
  cairn insight show --account 111122223333 --region eu-west-1 --event-source ec2.amazonaws.com --event-name RunInstances --json`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			begin, err := flagTime("start", from)
			if err != nil {
				return err
			}
			end, err := flagTime("end", to)
			if err != nil {
				return err
			}
			if category != "" {
				list, err := insightCategoriesOf([]string{category})
				if err != nil {
					return usagef("--category: %q is neither management nor data", category)
				}
				s.Category = list[0]
			}
			if len(args) == 0 && (s.Account == "" || s.Region == "" || s.EventSource == "" || s.EventName == "") {
				return usagef("say what to show: an ID from cairn insight list, or --account, --region, --event-source and --event-name")
			}
			if step != 0 && !slices.Contains(engine.ChartSteps(), step) {
				return usagef("--step %d: there are %v", step, engine.ChartSteps())
			}
			lake, err := p.watched(c.Context(), true)
			if err != nil {
				return err
			}
			defer lake.Close()
			var about *engine.Insight
			if len(args) == 1 {
				if about, err = oneInsight(c, lake, args[0]); err != nil {
					return err
				}
				store = about.Store
				s = insight.Series{Account: about.Account, Region: about.Region, EventSource: about.EventSource, EventName: about.EventName, ErrorCode: about.ErrorCode, Type: about.Type, Category: s.Category}
				if begin.IsZero() {
					begin = about.Start.Add(-12 * time.Hour)
				}
				if end.IsZero() {
					end = latest(about.End, about.Start).Add(6 * time.Hour)
				}
			}
			if end.IsZero() {
				end = time.Now()
				if !begin.IsZero() {
					end = begin.Add(24 * time.Hour)
				}
			}
			if begin.IsZero() {
				begin = end.Add(-24 * time.Hour)
			}
			if !begin.Before(end) {
				return usagef("--start is not before --end")
			}
			if step == 0 {
				step = stepFor(end.Sub(begin))
			}
			var chart *engine.InsightChart
			if about != nil && store == "" {
				fmt.Fprintln(p.err, "cairn: no chart: the events of this record are not in this lake")
			} else {
				chart, err = lake.InsightChart(c.Context(), store, s, begin, end, step)
			}
			if err != nil && about != nil && len(about.Attributions) > 0 {
				// Records of other lakes, and of events that have expired, tell enough by themselves.
				fmt.Fprintf(p.err, "cairn: no chart: %s\n", printable(err.Error()))
				chart, err = nil, nil
			}
			if err != nil {
				return err
			}
			if p.json {
				return p.printJSON(struct {
					Insight *engine.Insight      `json:"insight,omitempty"`
					Chart   *engine.InsightChart `json:"chart,omitempty"`
				}{about, chart})
			}
			if about != nil {
				p.printInsight(about)
			}
			if chart != nil {
				p.printChart(chart, about)
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&store, "store", engine.DefaultStore, "of a series: the store")
	insightSeriesFlags(f, &s.Account, &s.Region, &s.EventSource, &s.EventName, &s.ErrorCode)
	f.StringVar(&category, "category", "", "of a series: management or data, if there are both")
	f.StringVar(&from, "start", "", "beginning of the chart (default: 12 hours before, or a day)")
	f.StringVar(&to, "end", "", "end of the chart (default: 6 hours after, or now)")
	f.IntVar(&step, "step", 0, "minutes of a step: 1, 5, 15, 60, 360 or 1440 (default: as fits)")
	return cmd
}

// oneInsight returns the insight whose ID begins so.
func oneInsight(c *cobra.Command, lake watchedLake, id string) (*engine.Insight, error) {
	list, err := lake.Insights(c.Context(), engine.InsightFilter{ID: id})
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		if list, err = lake.Insights(c.Context(), engine.InsightFilter{ID: id, Expected: true}); err != nil {
			return nil, err
		}
	}
	switch len(list) {
	case 0:
		return nil, fmt.Errorf("there is no insight %s: see cairn insight list", id)
	case 1:
		return &list[0], nil
	}
	return nil, usagef("%d insights begin with %s: give more characters", len(list), id)
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// stepFor chooses the step of a chart.
func stepFor(d time.Duration) int {
	for _, step := range engine.ChartSteps() {
		if d/time.Minute <= time.Duration(step*chartColumns*3/2) {
			return step
		}
	}
	return 1440
}

func (p *program) printInsight(in *engine.Insight) {
	row := func(name, format string, args ...any) {
		fmt.Fprintf(p.out, "%-10s %s\n", name, oneLine(fmt.Sprintf(format, args...)))
	}
	row("insight", "%s", in.ID)
	row("type", "%s", in.Type)
	row("calls of", "%s %s%s", in.EventSource, in.EventName, map[bool]string{true: ", error " + in.ErrorCode}[in.ErrorCode != ""])
	row("in", "account %s, region %s%s", in.Account, in.Region, map[bool]string{true: ", store " + in.Store}[in.Store != ""])
	end := "goes on, as far as is known"
	if !in.End.IsZero() {
		end = "last minute " + in.End.Format("2006-01-02 15:04")
	}
	state := ""
	if in.Provisional {
		state = " (provisional: events may still come that change it)"
	}
	if in.Expected {
		state = " (expected, not reported)"
	}
	row("when", "%s, %s; %d minutes%s", in.Start.Format("2006-01-02 15:04"), end, in.Minutes, state)
	row("rate", "%s a minute; %s in the %s before", rateText(in.Average), rateText(in.BaselineAverage), daysText(in.BaselineMinutes))
	if in.Why != "" {
		row("why", "%s", in.Why)
	}
	for _, a := range in.Attributions {
		fmt.Fprintf(p.out, "\n")
		t := newTextTable(attributeWords[a.Attribute], "a minute", "before")
		t.right(1, 2)
		before := map[string]string{}
		for _, v := range a.Baseline {
			before[v.Value] = v.Average.String()
		}
		for _, v := range a.Insight {
			t.row(attributedText(v.Value), shortNumber(v.Average.String()), shortNumber(before[v.Value]))
			delete(before, v.Value)
		}
		for _, v := range a.Baseline {
			if _, ok := before[v.Value]; ok {
				t.row(attributedText(v.Value), "", shortNumber(v.Average.String()))
			}
		}
		_ = t.print(p.out)
	}
	fmt.Fprintln(p.out)
}

var attributeWords = map[string]string{insight.ByIdentity: "who", insight.ByUserAgent: "with", insight.ByErrorCode: "error code"}

func attributedText(v string) string {
	if v == "null" {
		return "(none)"
	}
	return shorten(v, 90)
}

// shortNumber cuts a decimal for people.
func shortNumber(s string) string {
	var v float64
	if _, err := fmt.Sscan(s, &v); err != nil {
		return s
	}
	return rateText(v)
}

func daysText(minutes int) string {
	if minutes < 2*1440 {
		return fmt.Sprintf("%d hours", (minutes+59)/60)
	}
	return fmt.Sprintf("%d days", (minutes+1439)/1440)
}

// printChart draws a chart.
func (p *program) printChart(ch *engine.InsightChart, about *engine.Insight) {
	top := 1.0
	calls := make([]float64, len(ch.Calls))
	for i, n := range ch.Calls {
		calls[i] = float64(n)
		top = max(top, calls[i], ch.Expected[i])
	}
	// A band far above all calls would make them flat.
	for _, v := range ch.High {
		top = max(top, min(v, 2*slices.Max(calls)))
	}
	marks := make([]rune, len(calls))
	for i := range marks {
		marks[i] = ' '
		from := ch.Start.Add(time.Duration(i*ch.StepMinutes) * time.Minute)
		to := from.Add(time.Duration(ch.StepMinutes) * time.Minute)
		for _, in := range ch.Incidents {
			if in.Start.Before(to) && in.End.After(from) {
				marks[i] = map[string]rune{"reported": '^', "recurring": '~', "learning": '.'}[in.Fate]
				if marks[i] == 0 {
					marks[i] = '-'
				}
			}
		}
	}
	for at := 0; at < len(calls); at += 2 * chartColumns {
		to := min(at+2*chartColumns, len(calls))
		if len(calls) <= 2*chartColumns {
			to = len(calls)
		}
		from := ch.Start.Add(time.Duration(at*ch.StepMinutes) * time.Minute)
		until := ch.Start.Add(time.Duration(to*ch.StepMinutes) * time.Minute)
		ends := from.Format("2006-01-02 15:04")
		last := until.Format("2006-01-02 15:04")
		fmt.Fprintf(p.out, "%-10s %s%s%s\n", "", ends, strings.Repeat(" ", max(2, to-at-len(ends)-len(last))), last)
		fmt.Fprintf(p.out, "%-10s %s  largest %s in %s\n", "calls", sparkline(calls[at:to], top), count(int64(slices.Max(calls[at:to]))), stepText(ch.StepMinutes))
		fmt.Fprintf(p.out, "%-10s %s  up to %s\n", "normal to", sparkline(ch.High[at:to], top), rateText(slices.Max(ch.High[at:to])))
		fmt.Fprintf(p.out, "%-10s %s  up to %s\n", "expected", sparkline(ch.Expected[at:to], top), rateText(slices.Max(ch.Expected[at:to])))
		if line := strings.TrimRight(string(marks[at:to]), " "); line != "" {
			fmt.Fprintf(p.out, "%-10s %s\n", "", line)
		}
		fmt.Fprintln(p.out)
	}
	for _, in := range ch.Incidents {
		if about == nil || len(ch.Incidents) > 1 || about.Why == "" {
			end := in.End.Format("15:04")
			if in.Open {
				end = "…"
			}
			fmt.Fprintf(p.out, "%s  %s–%s  %s: %s\n", in.ID[:8], in.Start.Format("2006-01-02 15:04"), end, in.Fate, in.Why)
		}
	}
	if ch.Phase == insight.StartingUp.String() {
		fmt.Fprintf(p.out, "The series is starting up: no verdicts before %s.\n", ch.SpeaksFrom.Format(time.DateOnly))
	}
	kind := ""
	if ch.Clumpy {
		kind = ", few calls or calls in clumps: only what is larger than all of 28 days is unusual"
	}
	fmt.Fprintf(p.out, "Average of the 28 days before the chart: %s a minute%s.\n", rateText(ch.PerMinute), kind)
}

func stepText(minutes int) string {
	switch {
	case minutes == 1:
		return "a minute"
	case minutes < 60:
		return fmt.Sprintf("%d minutes", minutes)
	case minutes == 60:
		return "an hour"
	case minutes < 1440:
		return fmt.Sprintf("%d hours", minutes/60)
	}
	return "a day"
}

// sparkline draws values as bars of eighths; what is above top is cut, what is above zero shows.
func sparkline(values []float64, top float64) string {
	const bars = "▁▂▃▄▅▆▇█"
	steps := []rune(bars)
	var b strings.Builder
	for _, v := range values {
		if v <= 0 {
			b.WriteByte(' ')
			continue
		}
		i := int(min(v, top) / top * float64(len(steps)))
		b.WriteRune(steps[min(i, len(steps)-1)])
	}
	return b.String()
}

func (p *program) insightMetricsCommand() *cobra.Command {
	var q engine.MetricQuery
	var kind, from, to, data, category string
	cmd := &cobra.Command{
		Use:   "metrics",
		Short: "Print calls or errors per period as the service's API returns them",
		Long: `Metrics prints the time series that insights are found in, as ListInsightsMetricData returns it: parallel arrays of
timestamps (seconds since 1970) and values, for one event source, event name and type, and error code for rates of errors; of all
accounts and regions together unless some are named. --data-type NonZeroData leaves out periods without calls, FillWithZeros
has them. At most 21,600 points are given at once; with --max-results there is a NextToken, which is the --start
of the next call.`,
		Example: `  cairn insight metrics --event-source ec2.amazonaws.com --event-name RunInstances --json
  cairn insight metrics --event-source s3.amazonaws.com --event-name GetObject --category data --period 300 --start 2026-03-01 --end 2026-03-02
  cairn insight metrics --event-source iam.amazonaws.com --event-name CreateUser --type error --error-code AccessDenied --data-type FillWithZeros`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			types, err := insightTypesOf([]string{kind})
			if err != nil {
				return err
			}
			q.Type = types[0]
			if category != "" {
				list, err := insightCategoriesOf([]string{category})
				if err != nil {
					return usagef("--category: %q is neither management nor data", category)
				}
				q.Category = list[0]
			}
			switch {
			case strings.EqualFold(data, "NonZeroData"):
			case strings.EqualFold(data, "FillWithZeros"):
				q.Zeros = true
			default:
				return usagef("--data-type is NonZeroData or FillWithZeros, not %q", data)
			}
			if q.Start, err = flagTime("start", from); err != nil {
				return err
			}
			if q.End, err = flagTime("end", to); err != nil {
				return err
			}
			lake, err := p.watched(c.Context(), true)
			if err != nil {
				return err
			}
			defer lake.Close()
			m, err := lake.InsightMetrics(c.Context(), q)
			if err != nil {
				return err
			}
			if p.json {
				return p.printJSON(m)
			}
			if len(m.Timestamps) == 0 {
				_, err := fmt.Fprintln(p.out, "There are no such calls in that time, which --start and --end name (default: the last 90 days).")
				return err
			}
			t := newTextTable("time", "value")
			t.right(1)
			for i, at := range m.Timestamps {
				t.row(time.Unix(at, 0).UTC().Format("2006-01-02 15:04"), count(int64(m.Values[i])))
			}
			if err := t.print(p.out); err != nil {
				return err
			}
			if m.NextToken != "" {
				fmt.Fprintf(p.out, "\nThere is more: --start %s\n", m.NextToken)
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&q.Store, "store", engine.DefaultStore, "the store")
	insightSeriesFlags(f, &q.Account, &q.Region, &q.EventSource, &q.EventName, &q.ErrorCode)
	f.StringVar(&kind, "type", "rate", "rate or error")
	f.StringVar(&category, "category", "", "management (default) or data")
	f.StringVar(&from, "start", "", "beginning, inclusive (default: 90 days ago)")
	f.StringVar(&to, "end", "", "end, exclusive (default: now)")
	f.IntVar(&q.Period, "period", 3600, "seconds of a period: 60, 300 or 3600")
	f.StringVar(&data, "data-type", "NonZeroData", "NonZeroData or FillWithZeros")
	f.IntVar(&q.MaxResults, "max-results", 0, "at most so many points, up to 21600")
	return cmd
}
