package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"html"
	"math"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
)

// readResults reads the figures of several runs, smallest number of events first. Those of one number are put together, what
// a later file says for what an earlier one says.
func readResults(files string) ([]*results, error) {
	var all []*results
	for _, name := range strings.Split(files, ",") {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		var more []*results
		if err := json.Unmarshal(text, &more); err != nil {
			return nil, fmt.Errorf("%s is no file of -json: %w", name, err)
		}
		for _, r := range more {
			if r == nil || r.Events < 1 {
				return nil, fmt.Errorf("%s is no file of -json: it has a run without events", name)
			}
			i := slices.IndexFunc(all, func(o *results) bool { return o.Events == r.Events })
			if i < 0 {
				all = append(all, r)
				continue
			}
			all[i].add(r)
		}
	}
	return all, nil
}

// add takes over what another run of as many events says.
func (r *results) add(o *results) {
	for _, l := range o.Loads {
		i := slices.IndexFunc(r.Loads, func(have load) bool { return have.Name == l.Name })
		switch {
		case i < 0:
			r.Loads = append(r.Loads, l)
		case l.Seconds > 0: // a lake that was there says nothing about loading
			r.Loads[i] = l
		}
	}
	for _, a := range o.Answers {
		i := slices.IndexFunc(r.Answers, func(have answer) bool { return have.Question == a.Question })
		if i < 0 {
			r.Answers = append(r.Answers, a)
			continue
		}
		for name, ms := range a.Millis {
			r.Answers[i].Millis[name] = ms
		}
	}
	for name, figures := range o.Workloads {
		if r.Workloads == nil {
			r.Workloads = map[string][]figure{}
		}
		r.Workloads[name] = figures
	}
}

// growth prints times by size, and draws them.
func growth(all []*results, chart string) error {
	all = slices.Clone(all)
	slices.SortStableFunc(all, func(a, b *results) int { return cmp.Compare(a.Events, b.Events) })
	panels := growthPanels(all)
	var engines []string
	for _, p := range panels {
		for _, s := range p.series {
			if !slices.Contains(engines, s.name) {
				engines = append(engines, s.name)
			}
		}
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	for _, engine := range engines {
		fmt.Fprintf(w, "\n%s by number of events", engine)
		for i, r := range all {
			fmt.Fprintf(w, "\t%d", r.Events)
			if i > 0 {
				fmt.Fprint(w, "\t")
			}
		}
		fmt.Fprintln(w)
		for _, p := range panels {
			i := slices.IndexFunc(p.series, func(s series) bool { return s.name == engine })
			if i < 0 {
				continue
			}
			fmt.Fprintf(w, "%s, %s", p.title, p.unit)
			s := p.series[i]
			first := math.NaN()
			for k, v := range s.values {
				ratio := ""
				switch {
				case math.IsNaN(v):
					fmt.Fprint(w, "\t")
				default:
					fmt.Fprintf(w, "\t%s", figureText(v))
					if math.IsNaN(first) {
						first = v
					} else {
						ratio = fmt.Sprintf("× %.2f", v/first)
					}
				}
				if k > 0 {
					fmt.Fprint(w, "\t", ratio)
				}
			}
			fmt.Fprintln(w)
		}
	}
	if err := w.Flush(); err != nil || chart == "" {
		return err
	}
	return os.WriteFile(chart, drawGrowth(all, panels, engines), 0o644)
}

func figureText(v float64) string {
	switch {
	case v >= 1000:
		return fmt.Sprintf("%.0f", v)
	case v >= 100:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

// A panel is a figure by size of every engine that has one.
type panel struct {
	title, unit string
	series      []series
}

// A series has a value per size, NaN where there is none.
type series struct {
	name   string
	values []float64
}

// growthPanels takes what grows out of results: the load, what is on disk, opening, and every question.
func growthPanels(all []*results) []panel {
	titles := map[string]string{"cairn": "Cairn"}
	for _, p := range peers {
		titles[p.name] = p.title
	}
	var panels []panel
	add := func(title, unit string, at int, name string, v float64) {
		if v == 0 || math.IsNaN(v) || math.IsInf(v, 0) {
			return
		}
		i := slices.IndexFunc(panels, func(p panel) bool { return p.title == title })
		if i < 0 {
			i = len(panels)
			panels = append(panels, panel{title: title, unit: unit})
		}
		p := &panels[i]
		k := slices.IndexFunc(p.series, func(s series) bool { return s.name == name })
		if k < 0 {
			k = len(p.series)
			p.series = append(p.series, series{name, make([]float64, len(all))})
			for n := range p.series[k].values {
				p.series[k].values[n] = math.NaN()
			}
		}
		p.series[k].values[at] = v
	}
	for i, r := range all {
		for _, l := range r.Loads {
			add("load", "events/s", i, l.Name, float64(r.Events)/l.Seconds)
			add("memory of the load", "MB", i, l.Name, l.PeakMB)
			add("on disk", "bytes/event", i, l.Name, l.PerEvent)
		}
		if open := r.Workloads["open"]; len(open) > 0 {
			add(open[0].What, open[0].Unit, i, "Cairn", open[0].Value)
			for _, f := range open {
				if f.Unit == "MB" {
					add(f.What, f.Unit, i, "Cairn", f.Value)
					break
				}
			}
		}
	}
	// In the order in which they are asked, whichever run has them.
	order := map[string]int{}
	for _, q := range questions {
		order[q.Name] = len(order)
	}
	for _, p := range lookupPages {
		order[p.name] = len(order)
	}
	loads := len(panels)
	for i, r := range all {
		for _, a := range r.Answers {
			for _, name := range append([]string{"cairn"}, peerNames()...) {
				if ms, asked := a.Millis[name]; asked {
					add(a.Question+" "+a.What, "ms", i, titles[name], max(ms, 0.001))
				}
			}
		}
	}
	slices.SortStableFunc(panels[loads:], func(a, b panel) int {
		x, _, _ := strings.Cut(a.title, " ")
		y, _, _ := strings.Cut(b.title, " ")
		return cmp.Compare(order[x], order[y])
	})
	return panels
}

const (
	panelsAcross            = 4
	panelWidth, panelHeight = 250, 170
	plotLeft, plotTop       = 46, 34 // of a panel's plot, from its corner
	plotWidth, plotHeight   = 188, 108
	chartHead               = 66
)

// inks are colours that can be told apart on white, also by who does not see red or green; Cairn has the first.
var inks = []string{"#0b5394", "#e69f00", "#009e73", "#cc79a7", "#7f7f7f", "#8c510a"}

// drawGrowth draws all panels, both axes by powers of ten. Those in milliseconds share their axes, so that they
// can be compared by looking.
func drawGrowth(all []*results, panels []panel, engines []string) []byte {
	rows := (len(panels) + panelsAcross - 1) / panelsAcross
	width, height := panelsAcross*panelWidth+16, chartHead+rows*panelHeight+12
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" font-family="Helvetica, Arial, sans-serif" font-size="10">
<rect width="100%%" height="100%%" fill="white"/>
<text x="12" y="22" font-size="15" font-weight="bold">Time by number of events, medians, both axes logarithmic</text>
<text x="12" y="38" fill="#555">%s, %d CPUs; dashed: in proportion to the number of events</text>
`, width, height, width, height, html.EscapeString(all[0].Machine), all[0].CPUs)
	x := 12
	for i, name := range engines {
		fmt.Fprintf(&b, `<rect x="%d" y="48" width="16" height="4" fill="%s"/><text x="%d" y="54">%s</text>`+"\n", x, inks[i%len(inks)], x+20, html.EscapeString(name))
		x += 34 + 6*len(name)
	}
	lowX, highX := decades(float64(all[0].Events), float64(all[len(all)-1].Events))
	var times []float64
	for _, p := range panels {
		for _, s := range p.series {
			if p.unit == "ms" {
				times = append(times, s.values...)
			}
		}
	}
	for i, p := range panels {
		left, top := 8+i%panelsAcross*panelWidth, chartHead+i/panelsAcross*panelHeight
		values := times
		if p.unit != "ms" {
			values = nil
			for _, s := range p.series {
				values = append(values, s.values...)
			}
		}
		lowY, highY := math.NaN(), math.NaN()
		for _, v := range values {
			if !math.IsNaN(v) {
				if math.IsNaN(lowY) {
					lowY, highY = v, v
				}
				lowY, highY = min(lowY, v), max(highY, v)
			}
		}
		lowY, highY = decades(lowY, highY)
		atX := func(v float64) float64 {
			return float64(left+plotLeft) + plotWidth*(math.Log10(v)-lowX)/(highX-lowX)
		}
		atY := func(v float64) float64 {
			return float64(top+plotTop+plotHeight) - plotHeight*(math.Log10(v)-lowY)/(highY-lowY)
		}
		fmt.Fprintf(&b, `<text x="%d" y="%d" font-weight="bold">%s</text>`+"\n", left+4, top+16, html.EscapeString(shorten(p.title, 37)))
		fmt.Fprintf(&b, `<text x="%d" y="%d" fill="#555" font-size="9">%s</text>`+"\n", left+4, top+28, html.EscapeString(p.unit))
		for d := lowY; d <= highY; d++ {
			y := atY(math.Pow(10, d))
			fmt.Fprintf(&b, `<path d="M%d %.1fh%d" stroke="#ddd"/><text x="%d" y="%.1f" text-anchor="end" font-size="9" fill="#555">%s</text>`+"\n",
				left+plotLeft, y, plotWidth, left+plotLeft-4, y+3, power(d))
		}
		for d := lowX; d <= highX; d++ {
			x := atX(math.Pow(10, d))
			fmt.Fprintf(&b, `<path d="M%.1f %dv%d" stroke="#ddd"/><text x="%.1f" y="%d" text-anchor="middle" font-size="9" fill="#555">%s</text>`+"\n",
				x, top+plotTop, plotHeight, x, top+plotTop+plotHeight+12, power(d))
		}
		if s := p.series[0]; p.unit == "ms" && len(all) > 1 && !math.IsNaN(s.values[0]) {
			from, to := float64(all[0].Events), float64(all[len(all)-1].Events)
			v := s.values[0]
			to = min(to, from*math.Pow(10, highY)/v) // within the plot
			fmt.Fprintf(&b, `<path d="M%.1f %.1fL%.1f %.1f" stroke="#999" stroke-dasharray="2 3" fill="none"/>`+"\n", atX(from), atY(v), atX(to), atY(v*to/from))
		}
		// Cairn's line is drawn last, above the others.
		for _, s := range slices.Backward(p.series) {
			ink := inks[slices.Index(engines, s.name)%len(inks)]
			var path strings.Builder
			for k, v := range s.values {
				if math.IsNaN(v) {
					continue
				}
				x, y := atX(float64(all[k].Events)), atY(v)
				step := "L"
				if path.Len() == 0 {
					step = "M"
				}
				fmt.Fprintf(&path, "%s%.1f %.1f", step, x, y)
				fmt.Fprintf(&b, `<circle cx="%.1f" cy="%.1f" r="2.6" fill="%s"><title>%s, %d events: %s %s</title></circle>`+"\n", x, y, ink, html.EscapeString(s.name), all[k].Events, figureText(v), html.EscapeString(p.unit))
			}
			fmt.Fprintf(&b, `<path d="%s" stroke="%s" stroke-width="1.6" fill="none"/>`+"\n", path.String(), ink)
		}
	}
	b.WriteString("</svg>\n")
	return b.Bytes()
}

// decades returns the powers of ten around two values, at least one apart.
func decades(low, high float64) (from, to float64) {
	from, to = math.Floor(math.Log10(low)+1e-9), math.Ceil(math.Log10(high)-1e-9)
	if to <= from {
		to = from + 1
	}
	return from, to
}

// power writes ten to the power of d briefly.
func power(d float64) string {
	switch {
	case d >= 6:
		return fmt.Sprintf("%.0fM", math.Pow(10, d-6))
	case d >= 3:
		return fmt.Sprintf("%.0fk", math.Pow(10, d-3))
	case d >= 0:
		return fmt.Sprintf("%.0f", math.Pow(10, d))
	}
	return fmt.Sprintf("%.*f", int(-d), math.Pow(10, d))
}

func shorten(text string, most int) string {
	if r := []rune(text); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return text
}
