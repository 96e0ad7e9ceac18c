package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/cairndb/cairn/engine"
	"github.com/cairndb/cairn/engine/insight"
)

func (p *program) insightEnableCommand() *cobra.Command {
	var n engine.InsightSettings
	var types, categories []string
	var later bool
	cmd := &cobra.Command{
		Use:   "enable",
		Short: "Look for unusual activity in a store",
		Long: `Enable looks for unusual activity in a store: in what it holds now, in what imports bring, at their end, and
in what arrives at a server, while it runs. It may be given again, with other settings; records that do
not hold with them are withdrawn.

A record is made when what it rests on is older than --lateness. What arrives later than that, or history
that is imported later, is taken into account as well: what is right then gets records, and what was
wrong a record that withdraws it.

--sensitivity trades false insights for missed ones; what it costs is measured in
testdata/bench/insights.md of the sources, and by "cairn insight measure".`,
		Example: `  cairn insight enable
  cairn insight enable --store payments --types error --destination payment_insights
  cairn insight enable --categories management --sensitivity 0.7 --min-calls 20`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			var err error
			if n.Types, err = insightTypesOf(types); err != nil {
				return err
			}
			if n.Categories, err = insightCategoriesOf(categories); err != nil {
				return err
			}
			lake, err := p.watched(c.Context(), false)
			if err != nil {
				return err
			}
			defer lake.Close()
			set, err := lake.EnableInsights(c.Context(), n)
			if err != nil {
				return err
			}
			var report *engine.InsightReport
			if !later {
				if report, err = p.detect(c, lake, set.Store); err != nil {
					return err
				}
			}
			if p.json {
				return p.printJSON(struct {
					Settings  insightSettings       `json:"settings"`
					Detection *engine.InsightReport `json:"detection,omitempty"`
				}{describeInsights(set), report})
			}
			fmt.Fprintf(p.out, "Insights of store %s are on: %s of %s events, records go to store %s once they are %s old.\n", set.Store,
				strings.Join(typeWords(set.Types), " and "), strings.ToLower(strings.Join(words(set.Categories), " and ")), set.Destination, minutesText(set.Lateness))
			return p.printDetection(report)
		},
	}
	f := cmd.Flags()
	f.StringVar(&n.Store, "store", engine.DefaultStore, "the store to look into")
	f.StringSliceVar(&types, "types", nil, "rate (of calls), error (rate of errors), or both (default)")
	f.StringSliceVar(&categories, "categories", nil, "management, data, or both (default)")
	f.StringVar(&n.Destination, "destination", engine.InsightsStore, "the store for records; made when there is none")
	f.DurationVar(&n.Lateness, "lateness", 15*time.Minute, "how long events may take to arrive, up to 24h")
	insightParamFlags(f, &n.Params)
	f.BoolVar(&later, "later", false, "only switch it on; what the store holds is looked at by the next import, or cairn insight detect")
	return cmd
}

// insightParamFlags are the parameters of detection.
func insightParamFlags(f *pflag.FlagSet, to *insight.Params) {
	f.Float64Var(&to.Sensitivity, "sensitivity", 1, "0.25 to 4: more finds more, and more that is wrong")
	f.Uint64Var(&to.MinCalls, "min-calls", insight.DefaultMinCalls, "the least calls in 5, 15 or 60 minutes that can be unusual")
	f.Float64Var(&to.MinRate, "min-rate", 0, "the least calls per minute that are reported")
	f.IntVar(&to.MinDuration, "min-duration", insight.DefaultMinDuration, "the least minutes that something must last")
}

func insightTypesOf(list []string) (out []insight.Type, err error) {
	for _, s := range list {
		switch strings.ToLower(s) {
		case "rate", "call", "calls", strings.ToLower(string(insight.CallRate)):
			out = append(out, insight.CallRate)
		case "error", "errors", strings.ToLower(string(insight.ErrorRate)):
			out = append(out, insight.ErrorRate)
		default:
			return nil, usagef("--types: %q is neither rate nor error", s)
		}
	}
	return out, nil
}

func insightCategoriesOf(list []string) (out []insight.Category, err error) {
	for _, s := range list {
		switch {
		case strings.EqualFold(s, string(insight.Management)):
			out = append(out, insight.Management)
		case strings.EqualFold(s, string(insight.Data)):
			out = append(out, insight.Data)
		default:
			return nil, usagef("--categories: %q is neither management nor data", s)
		}
	}
	return out, nil
}

func words[T ~string](list []T) (out []string) {
	for _, s := range list {
		out = append(out, string(s))
	}
	return out
}

// typeWords are the types for people.
func typeWords(list []insight.Type) (out []string) {
	for _, t := range list {
		if t == insight.ErrorRate {
			out = append(out, "error rates")
		} else {
			out = append(out, "call rates")
		}
	}
	return out
}

func minutesText(d time.Duration) string {
	if d == time.Minute {
		return "a minute"
	}
	return fmt.Sprintf("%d minutes", d/time.Minute)
}

// insightSettings are settings as --json prints them.
type insightSettings struct {
	Store       string             `json:"store"`
	On          bool               `json:"enabled"`
	Types       []insight.Type     `json:"types"`
	Categories  []insight.Category `json:"categories"`
	Destination string             `json:"destination"`
	Lateness    int                `json:"latenessMinutes"`
	Sensitivity float64            `json:"sensitivity"`
	MinCalls    uint64             `json:"minCalls"`
	MinRate     float64            `json:"minRate"`
	MinDuration int                `json:"minDuration"`
}

func describeInsights(n engine.InsightSettings) insightSettings {
	return insightSettings{Store: n.Store, On: n.On, Types: n.Types, Categories: n.Categories, Destination: n.Destination, Lateness: int(n.Lateness / time.Minute),
		Sensitivity: n.Params.Sensitivity, MinCalls: n.Params.MinCalls, MinRate: n.Params.MinRate, MinDuration: n.Params.MinDuration}
}

func (p *program) insightDisableCommand() *cobra.Command {
	var store string
	cmd := &cobra.Command{
		Use:   "disable",
		Short: "Look for unusual activity in a store no more",
		Long: `Disable ends the search for unusual activity in a store. Records that were made stay. When it is enabled again,
what happened meanwhile is looked at, too.`,
		Example: "  cairn insight disable --store payments",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			lake, err := p.watched(c.Context(), true)
			if err != nil {
				return err
			}
			defer lake.Close()
			if err := lake.DisableInsights(c.Context(), store); err != nil {
				return err
			}
			if p.json {
				return p.printJSON(map[string]any{"store": store, "enabled": false})
			}
			_, err = fmt.Fprintf(p.out, "Insights of store %s are off.\n", store)
			return err
		},
	}
	cmd.Flags().StringVar(&store, "store", engine.DefaultStore, "the store")
	return cmd
}

// detect looks for unusual activity, with a bar.
func (p *program) detect(c *cobra.Command, lake watchedLake, store string) (*engine.InsightReport, error) {
	bar := newProgress(p.err, false)
	defer bar.finish()
	return lake.DetectInsights(c.Context(), store, func(done, of int64) {
		bar.set(done, of, "looking for unusual activity: %s/%s events", count(done), count(of))
	})
}

func (p *program) insightDetectCommand() *cobra.Command {
	var store string
	cmd := &cobra.Command{
		Use:   "detect",
		Short: "Look for unusual activity now",
		Long: `Detect looks for unusual activity in what a store holds and makes the records that are due. Imports do so
when they end, and servers while they run; it is for after imports with --no-insights.`,
		Example: "  cairn import ./2025 --no-insights && cairn import ./2026 --no-insights && cairn insight detect",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			lake, err := p.watched(c.Context(), true)
			if err != nil {
				return err
			}
			defer lake.Close()
			report, err := p.detect(c, lake, store)
			if err != nil {
				return err
			}
			if p.json {
				return p.printJSON(report)
			}
			return p.printDetection(report)
		},
	}
	cmd.Flags().StringVar(&store, "store", engine.DefaultStore, "the store to look into")
	return cmd
}

// printDetection tells people what a detection has done.
func (p *program) printDetection(r *engine.InsightReport) error {
	if r == nil {
		return nil
	}
	fmt.Fprintf(p.out, "%s new unusual periods found in %s events of %s series in %s: %s", count(int64(r.Starts)), count(r.Events), count(int64(r.Series)), took(r.Elapsed), "cairn insight list\n")
	if r.Withdrawn+r.Reinstated > 0 {
		fmt.Fprintf(p.out, "%d records of earlier ones were withdrawn, %d reinstated: there are events now that were not known then.\n", r.Withdrawn, r.Reinstated)
	}
	if r.Provisional > 0 {
		fmt.Fprintf(p.out, "%d more are provisional: events may still arrive that change them.\n", r.Provisional)
	}
	if r.Learning > 0 {
		fmt.Fprintf(p.out, "%s series are in their first 14 days, without verdicts before %s.\n", count(int64(r.Learning)), r.SpeaksFrom.Format(time.DateOnly))
	}
	if r.Unwatched > 0 {
		fmt.Fprintf(p.out, "%s series more than %s were not watched.\n", count(int64(r.Unwatched)), count(insight.SeriesMax))
	}
	return nil
}

func (p *program) insightListCommand() *cobra.Command {
	var f engine.InsightFilter
	var from, to, kind string
	var limit int
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List what was found unusual, newest first",
		Long: `List shows the unusual periods whose records count, newest first: when they began, how long they lasted, what rate
they had and what is usual, and who made most calls. --expected shows jobs that recur instead, which
get no records. See one in detail with: cairn insight show ID`,
		Example: `  cairn insight list
  cairn insight list --start 2026-03-01 --event-name DeleteObject --json
  cairn insight list --expected`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			var err error
			if f.From, err = flagTime("start", from); err != nil {
				return err
			}
			if f.To, err = flagTime("end", to); err != nil {
				return err
			}
			if kind != "" {
				types, err := insightTypesOf([]string{kind})
				if err != nil {
					return err
				}
				f.Type = types[0]
			}
			lake, err := p.watched(c.Context(), true)
			if err != nil {
				return err
			}
			defer lake.Close()
			list, err := lake.Insights(c.Context(), f)
			if err != nil {
				return err
			}
			if limit > 0 && len(list) > limit {
				list = list[:limit]
			}
			if p.json {
				return p.printJSON(list)
			}
			switch {
			case len(list) > 0:
				err = p.printInsights(list)
			case f.Expected:
				_, err = fmt.Fprintln(p.out, "Nothing that recurs was found.")
			default:
				_, err = fmt.Fprintln(p.out, "Nothing unusual was found.")
			}
			if err != nil {
				return err
			}
			return p.printInsightState(lake, len(list))
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&f.Store, "store", "", "only of this source store")
	fl.StringVar(&from, "start", "", "only those that began at this time or later")
	fl.StringVar(&to, "end", "", "only those that began before this time")
	insightSeriesFlags(fl, &f.Account, &f.Region, &f.EventSource, &f.EventName, &f.ErrorCode)
	fl.StringVar(&kind, "type", "", "only rate or error")
	fl.BoolVar(&f.Expected, "expected", false, "those that recur, and were not reported")
	fl.IntVar(&limit, "limit", 0, "at most so many (default: all)")
	return cmd
}

// insightSeriesFlags name a series, or several.
func insightSeriesFlags(f *pflag.FlagSet, account, region, source, name, code *string) {
	f.StringVar(account, "account", "", "only of this account")
	f.StringVar(region, "region", "", "only of this region")
	f.StringVar(source, "event-source", "", "only of this event source, such as ec2.amazonaws.com")
	f.StringVar(name, "event-name", "", "only of this event name")
	f.StringVar(code, "error-code", "", "only of this error code")
}

func (p *program) printInsights(list []engine.Insight) error {
	t := newTextTable("id", "start", "lasted", "what", "account", "region", "per minute", "usually", "most by")
	t.right(2, 6, 7)
	for _, in := range list {
		what := in.EventName
		if in.ErrorCode != "" {
			what += " " + in.ErrorCode
		}
		lasted := fmt.Sprintf("%d min", in.Minutes)
		switch {
		case in.Provisional:
			lasted += ", provisional"
		case in.End.IsZero():
			lasted = "goes on"
		}
		who := in.Why
		if len(in.Attributions) > 0 && len(in.Attributions[0].Insight) > 0 {
			who = in.Attributions[0].Insight[0].Value
		}
		t.row(in.ID[:min(8, len(in.ID))], in.Start.Format("2006-01-02 15:04"), lasted, what, in.Account, in.Region, rateText(in.Average), rateText(in.BaselineAverage), shorten(who, 70))
	}
	return t.print(p.out)
}

// rateText is a rate for people.
func rateText(v float64) string {
	switch {
	case v == 0:
		return "0"
	case v < 0.0095:
		return fmt.Sprintf("%.4f", v)
	case v < 9.5:
		return fmt.Sprintf("%.2f", v)
	}
	return fmt.Sprintf("%.0f", v)
}

// printInsightState says after a list what it rests on.
func (p *program) printInsightState(lake watchedLake, n int) error {
	sets := lake.InsightSettings()
	if len(sets) == 0 {
		_, err := fmt.Fprintln(p.out, "\nInsights are not enabled for any store: cairn insight enable")
		return err
	}
	for _, s := range sets {
		state := "on"
		if !s.On {
			state = "off"
		}
		if n == 0 || !s.On {
			fmt.Fprintf(p.out, "\nInsights of store %s are %s: %s of %s events, records in store %s. No verdicts are given in the first 14 days of an account in a region.\n", s.Store, state,
				strings.Join(typeWords(s.Types), " and "), strings.ToLower(strings.Join(words(s.Categories), " and ")), s.Destination)
		}
	}
	return nil
}
