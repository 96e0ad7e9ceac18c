package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/cairndb/cairn/engine/insight"
	"github.com/cairndb/cairn/engine/insight/simulate"
)

func (p *program) insightCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "insight",
		Short: "Find unusual activity, and show it",
		Long: `Insights are found by comparing the calls of each minute, by account, region, event source and event
name, with what the same hours of the weeks before had: rates of calls (of management events those that
write) and rates of errors, by error code. What is unusual gets a Start and an End record in the store
"insights", which SQL queries, digests and retention treat as any other.

A series of calls has no verdicts in its account's first 14 days. Jobs that recur at their time of the week or
day are listed as expected, not reported.`,
		Example: `  cairn insight enable && cairn import ./AWSLogs && cairn insight list
  cairn insight list --expected
  cairn query "SELECT eventTime, insightState, insightEventName, insightContext.insightAverage FROM insights"`,
	}
	cmd.AddCommand(p.insightEnableCommand(), p.insightDisableCommand(), p.insightListCommand(), p.insightShowCommand(), p.insightMetricsCommand(), p.insightDetectCommand(), p.insightMeasureCommand())
	return cmd
}

func (p *program) insightMeasureCommand() *cobra.Command {
	var o simulate.Options
	var shapes string
	var calm, moderate, noisy float64
	cmd := &cobra.Command{
		Use:   "measure",
		Short: "Find known anomalies in simulated traffic and print how well that went",
		Long: `Measure simulates series of calls per minute with known truth (rhythms, noise, jobs, sessions,
drift, outages, new levels, first uses; bursts, hammering, calls that were never seen), lets
the detector of insights judge them from their fifth week, and prints recall, false
insights, precision and errors beside what is wanted, with three simple detectors for
comparison. The same arguments give the same table on every machine. It ends with 1 if a
target is missed.`,
		Example: `  cairn insight measure
  cairn insight measure --seed 1000 --seeds 1 --accounts 2 --shapes harsh
  cairn insight measure --seeds 1 --sensitivity 1.5`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			sh := simulate.DefaultShapes()
			switch shapes {
			case "default":
			case "harsh":
				sh = simulate.HarshShapes()
			case "other":
				sh = simulate.OtherShapes()
			case "services":
				sh = simulate.ServicesShapes()
			default:
				return usagef("--shapes is default, harsh, other or services, not %q", shapes)
			}
			sh.CV = [3]float64{calm, moderate, noisy}
			for _, cv := range sh.CV {
				if !(cv >= 0 && cv <= 2) {
					return usagef("a spread of %g was asked for, 0 to 2 are possible", cv)
				}
			}
			for _, n := range []int{o.Seeds, o.Accounts, o.Series, o.Weeks, o.Trials} {
				if n < 1 || n > 10_000 {
					return usagef("--seeds, --accounts, --series, --weeks and --trials are 1 to 10000")
				}
			}
			if !(o.PerWeek > 0 && o.PerWeek*float64(o.Weeks) <= float64(o.Series)) {
				return usagef("--anomalies-per-week times --weeks must be above 0 and no more than --series: a series has one anomaly")
			}
			if _, err := insight.NewDetector(o.Params); err != nil {
				return usagef("%v", err)
			}
			o.Shapes = &sh
			bar := newProgress(p.err, false)
			o.Progress = func(done, of int) { bar.set(int64(done), int64(of), "%d/%d accounts", done, of) }
			r, err := simulate.Measure(c.Context(), o)
			bar.finish()
			if err != nil {
				return err
			}
			if p.json {
				if err := p.printJSON(r.Targets()); err != nil {
					return err
				}
			} else if err := r.Print(p.out); err != nil {
				return err
			}
			for _, t := range r.Targets() {
				if !t.Met() {
					return fmt.Errorf("target missed: %s is %.3f, wanted is %.2f", t.Name, t.Measured, t.Least)
				}
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.Uint64Var(&o.Seed, "seed", 1, "the first seed")
	f.IntVar(&o.Seeds, "seeds", 3, "how many seeds")
	f.IntVar(&o.Accounts, "accounts", 5, "accounts for each seed")
	f.IntVar(&o.Series, "series", 100, "series for each account")
	f.IntVar(&o.Weeks, "weeks", 4, "weeks that are judged, after four to learn")
	f.Float64Var(&o.PerWeek, "anomalies-per-week", 2, "scored anomalies for each account and week")
	f.IntVar(&o.Trials, "trials", 4, "single anomalies tried for each series, for recall and errors")
	f.StringVar(&shapes, "shapes", "default", "what the traffic looks like: default, harsh, other, which is drawn by other means, or services, of programs that scale and deploy")
	f.Float64Var(&calm, "cv-calm", 0.05, "spread of 5-minute counts of calm series, beyond Poisson")
	f.Float64Var(&moderate, "cv-moderate", 0.19, "the same of moderate series")
	f.Float64Var(&noisy, "cv-noisy", 0.39, "the same of noisy series")
	f.BoolVar(&o.Simple, "simple", true, "measure the simple detectors, too")
	insightParamFlags(f, &o.Params)
	return cmd
}
