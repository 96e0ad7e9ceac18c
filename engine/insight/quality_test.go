package insight_test

import (
	"context"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/cairndb/cairn/engine/insight"
	"github.com/cairndb/cairn/engine/insight/simulate"
)

var (
	qSeeds    = flag.Int("quality.seeds", 0, "seeds of the long form of TestQuality; 0: the short form")
	qSeed     = flag.Uint64("quality.seed", 1, "first seed")
	qAccounts = flag.Int("quality.accounts", 5, "accounts for each seed")
	qSeries   = flag.Int("quality.series", 100, "series for each account")
	qWeeks    = flag.Int("quality.weeks", 4, "judged weeks")
	qPerWeek  = flag.Float64("quality.perweek", 2, "scored anomalies per account and week")
	qTrials   = flag.Int("quality.trials", 4, "single anomalies tried for each series")
	qSense    = flag.Float64("quality.sensitivity", 0, "sensitivity, 0: default")
	qSimple   = flag.Bool("quality.simple", false, "measure the simple detectors, too")
	qHarsh    = flag.Bool("quality.harsh", false, "harsh shapes")
	qOther    = flag.Bool("quality.other", false, "other shapes")
	qServices = flag.Bool("quality.services", false, "shapes of services")
	qList     = flag.Int("quality.list", 0, "list so many false insights")
)

// quick holds a small measurement to bounds that a worse detector misses. It takes a second of CPU.
func quick(t *testing.T) {
	r, err := simulate.Measure(context.Background(), simulate.Options{Seed: 500, Seeds: 1, Accounts: 4, Series: 60})
	if err != nil {
		t.Fatal(err)
	}
	for _, target := range r.Targets() {
		limit := target.Least
		switch {
		case target.Most:
			limit += 0.4 // few account-weeks: an insight more or less is 0.06
		case strings.HasPrefix(target.Name, "precision"):
			limit -= 0.15
		}
		if target.Most && target.Measured > limit || !target.Most && target.Measured < limit {
			t.Errorf("%s: %.3f (of %d), the bound is %.2f", target.Name, target.Measured, target.Of, limit)
		}
	}
	if v := r.Overall(); v < 0.8 {
		t.Errorf("recall of all scored anomalies is %.3f, the bound is 0.8", v)
	}
}

// TestQuality is the measurement of testdata/bench/insights.md: in the long form with
//
//	go test ./engine/insight -run Quality -quality.seeds=3 -quality.simple -v
func TestQuality(t *testing.T) {
	if *qSeeds == 0 {
		quick(t)
		return
	}
	shapes := simulate.DefaultShapes()
	if *qHarsh {
		shapes = simulate.HarshShapes()
	}
	if *qOther {
		shapes = simulate.OtherShapes()
	}
	if *qServices {
		shapes = simulate.ServicesShapes()
	}
	r, err := simulate.Measure(context.Background(), simulate.Options{Shapes: &shapes, Seed: *qSeed, Seeds: *qSeeds, Accounts: *qAccounts, Series: *qSeries, Weeks: *qWeeks,
		PerWeek: *qPerWeek, Trials: *qTrials, Simple: *qSimple, Params: insight.Params{Sensitivity: *qSense}})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Print(os.Stdout); err != nil {
		t.Fatal(err)
	}
	for i, f := range r.False {
		if i < *qList {
			in := f.Incident
			t.Logf("%v %v%s: %s, score %.1f of %.1f, %v for %d minutes, found after %d", f.Kind, f.Noise, label(f.Change), in.Explain(), in.Score, in.Threshold, in.Start.Time(), in.Duration(), in.Found-in.Start)
		}
	}
}

func label(change string) string {
	if change == "" {
		return ""
	}
	return " (" + strings.TrimPrefix(change, ", ") + ")"
}
