package simulate

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// Share is a part of something.
type Share struct{ Hits, Of int }

// Value is the share, 0 of nothing.
func (s Share) Value() float64 {
	if s.Of == 0 {
		return 0
	}
	return float64(s.Hits) / float64(s.Of)
}

func (s Share) String() string {
	if s.Of == 0 {
		return "–"
	}
	return fmt.Sprintf("%.3f (%d of %d)", s.Value(), s.Hits, s.Of)
}

// Recall is the share of the trials that fit and were found.
func (r *Result) Recall(fits func(t *Trial) bool) Share {
	return r.share(fits, func(t *Trial) bool { return t.Found })
}

// share counts, among the trials that fit, those for which is holds.
func (r *Result) share(fits, is func(t *Trial) bool) (s Share) {
	for i := range r.Trials {
		if t := &r.Trials[i]; fits(t) {
			s.Of++
			if is(t) {
				s.Hits++
			}
		}
	}
	return s
}

// Target is one line of the table: what was asked, and what was measured.
type Target struct {
	Name     string  `json:"name"`
	Measured float64 `json:"measured"`
	Of       int     `json:"of"` // how many anomalies it rests on, 0: account-weeks
	Least    float64 `json:"wanted"`
	Most     bool    `json:"atMost"` // Least is an upper bound
	perWeek  bool
}

// Met tells whether the target is reached.
func (t *Target) Met() bool {
	if !t.counted() {
		return true
	}
	if t.Most {
		return t.Measured <= t.Least
	}
	return t.Measured >= t.Least
}

// counted tells whether there was anything to measure.
func (t *Target) counted() bool { return t.Of > 0 || t.perWeek }

// FalsePerWeek is the number of insights for each account and week of clean data.
func (r *Result) FalsePerWeek() float64 { return float64(len(r.False)) / r.AccountWeeks }

// Precision of the run with anomalies.
func (r *Result) Precision() Share { return Share{r.Hits, r.Hits + r.Wrong} }

// mix is the recall over all scored forms: bursts count three fifths, the others a fifth each.
func (r *Result) mix(is func(t *Trial) bool) float64 {
	v := 0.0
	for f, w := range []float64{0.6, 0.2, 0.2} {
		v += w * r.share(func(t *Trial) bool { return t.Scored && t.Form == Form(f) }, is).Value()
	}
	return v
}

// Overall is the recall over all scored anomalies.
func (r *Result) Overall() float64 { return r.mix(func(t *Trial) bool { return t.Found }) }

// Targets are the lines of the table.
func (r *Result) Targets() []Target {
	recall := func(name string, fits func(t *Trial) bool) Target {
		s := r.Recall(fits)
		return Target{Name: "recall, " + name, Measured: s.Value(), Of: s.Of, Least: 0.95}
	}
	within := func(name string, least float64, fits, is func(t *Trial) bool) Target {
		s := r.share(func(t *Trial) bool { return t.Found && fits(t) }, is)
		return Target{Name: name, Measured: s.Value(), Of: s.Of, Least: least}
	}
	scored := func(t *Trial) bool { return t.Scored }
	burst := func(t *Trial, factor float64) bool { return t.Form == Burst && t.Factor == factor }
	precision := 0.85
	if r.Options.PerWeek >= 4 {
		precision = 0.9
	}
	t := []Target{
		recall("5×, M ≥ 30, calm", func(t *Trial) bool { return burst(t, 5) && t.Expected >= 30 && t.Noise == Calm }),
		recall("5×, M ≥ 30, moderate, 15 minutes or more", func(t *Trial) bool {
			return burst(t, 5) && t.Expected >= 30 && t.Noise == Moderate && t.Minutes() >= 15
		}),
		recall("10×, M ≥ 10, calm or moderate", func(t *Trial) bool { return burst(t, 10) && t.Expected >= 10 && t.Noise <= Moderate }),
		recall("never seen, 40 calls or more in 10 minutes", func(t *Trial) bool { return t.Form == NeverSeen }),
		{Name: "false per account and week, clean", Measured: r.FalsePerWeek(), Least: 0.4, Most: true, perWeek: true},
		{Name: fmt.Sprintf("precision at %g anomalies per account and week", r.Options.PerWeek), Measured: r.Precision().Value(), Of: r.Injected, Least: precision},
		within("start within 2 minutes", 0.90, scored, func(t *Trial) bool { return abs(t.StartError) <= 2 }),
		within("start within 5 minutes", 0.95, scored, func(t *Trial) bool { return abs(t.StartError) <= 5 }),
		within("end within 5 minutes", 0.90, scored, func(t *Trial) bool { return abs(t.EndError) <= 5 }),
		within("decided within 5 minutes, 5×, calm, 2 calls a minute or more", 0.90, func(t *Trial) bool {
			return burst(t, 5) && t.Noise == Calm && t.Expected >= 2*float64(t.Minutes())
		}, func(t *Trial) bool { return t.Delay <= 5 }),
	}
	if r.Options.Simple {
		best := 0.0
		for k := range simples {
			if _, _, v := r.bestSimple(k); v > best {
				best = v
			}
		}
		t = append(t, Target{Name: "recall above the best simple detector", Measured: r.Overall() - best, Least: 0.3, perWeek: true})
	}
	return t
}

// bestSimple returns the setting of a simple detector with most recall at up to one
// false insight per account and week.
func (r *Result) bestSimple(k Simple) (threshold, volume int, recall float64) {
	threshold = -1
	for i := range simpleThresholds {
		for j := range simpleVolumes {
			if float64(r.simpleFalse[k][i][j]) > r.AccountWeeks {
				continue
			}
			if v := r.mix(func(t *Trial) bool { return t.simple[k][i][j] }); v > recall {
				threshold, volume, recall = i, j, v
			}
		}
	}
	return threshold, volume, recall
}

func abs(v int) int { return max(v, -v) }

// Print writes the table of targets, the curves and where false insights come from, as Markdown.
func (r *Result) Print(w io.Writer) error {
	var b strings.Builder
	o := r.Options
	fmt.Fprintf(&b, "Seeds %d to %d, %d accounts of %d series, %d weeks judged after %d; %d trials, %d anomalies in the run with anomalies.\n\n",
		o.Seed, o.Seed+uint64(o.Seeds)-1, o.Accounts, o.Series, o.Weeks, warmWeeks, len(r.Trials), r.Injected)
	b.WriteString("| target | measured | of | wanted | |\n|---|---|---|---|---|\n")
	for _, t := range r.Targets() {
		sign, met, of := "≥", "met", "–"
		if t.Most {
			sign = "≤"
		}
		switch {
		case !t.counted():
			met = "nothing to measure"
		case !t.Met():
			met = "**missed**"
		}
		if !t.perWeek {
			of = fmt.Sprint(t.Of)
		}
		fmt.Fprintf(&b, "| %s | %.3f | %s | %s %.2f | %s |\n", t.Name, t.Measured, of, sign, t.Least, met)
	}
	b.WriteString("\n| detector | setting | recall of all scored | false per account and week |\n|---|---|---|---|\n")
	fmt.Fprintf(&b, "| Cairn | sensitivity %g | %.2f | %.2f |\n", max(o.Params.Sensitivity, 0)+map[bool]float64{true: 1}[o.Params.Sensitivity == 0], r.Overall(), r.FalsePerWeek())
	if o.Simple {
		for k := range simples {
			i, j, v := r.bestSimple(k)
			if i < 0 {
				fmt.Fprintf(&b, "| %s | none of %d has up to 1 false | 0 | – |\n", k, len(simpleThresholds)*len(simpleVolumes))
				continue
			}
			fmt.Fprintf(&b, "| %s, best with up to 1 false | %g, %d calls | %.2f | %.2f |\n", k, simpleThresholds[i], simpleVolumes[j], v, float64(r.simpleFalse[k][i][j])/r.AccountWeeks)
		}
	}
	r.curves(&b)
	r.falseBy(&b)
	_, err := io.WriteString(w, b.String())
	return err
}

var steps = []float64{1, 3, 10, 15, 20, 30, 60, 120, 1e9}

func (r *Result) curves(b *strings.Builder) {
	b.WriteString("\nRecall of bursts by expected calls M (share found, and how many were tried):\n\n| factor, noise |")
	for i := range len(steps) - 1 {
		if i+2 == len(steps) {
			fmt.Fprintf(b, " M ≥ %g |", steps[i])
		} else {
			fmt.Fprintf(b, " %g–%g |", steps[i], steps[i+1])
		}
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(steps)-1) + "\n")
	for _, factor := range []float64{3, 5, 10} {
		for noise := range Noisy + 1 {
			fmt.Fprintf(b, "| %g×, %s |", factor, noise)
			for i := range len(steps) - 1 {
				s := r.Recall(func(t *Trial) bool {
					return t.Form == Burst && t.Factor == factor && t.Noise == noise && t.Expected >= steps[i] && t.Expected < steps[i+1]
				})
				if s.Of == 0 {
					b.WriteString(" – |")
				} else {
					fmt.Fprintf(b, " %.2f (%d) |", s.Value(), s.Of)
				}
			}
			b.WriteString("\n")
		}
	}
	b.WriteString("\n| hammering on | recall |\n|---|---|\n")
	for k := range FirstUse + 1 {
		if s := r.Recall(func(t *Trial) bool { return t.Form == Hammering && t.Kind == k }); s.Of > 0 {
			fmt.Fprintf(b, "| %s | %v |\n", k, s)
		}
	}
}

func (r *Result) falseBy(b *strings.Builder) {
	by := map[string]int{}
	for _, f := range r.False {
		name := f.Kind.String()
		if f.Kind.Steady() {
			name += ", " + f.Noise.String()
		}
		by[name]++
	}
	var names []string
	for n := range by {
		names = append(names, n)
	}
	slices.Sort(names)
	fmt.Fprintf(b, "\n| false insights on | number |\n|---|---|\n")
	for _, n := range names {
		fmt.Fprintf(b, "| %s | %d |\n", n, by[n])
	}
	fmt.Fprintf(b, "\nExpected incidents (recurring, not reported): %d.\n", r.Recurring)
}
