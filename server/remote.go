package server

import (
	"context"
	"net/http"
	"time"

	"github.com/cairndb/cairn/engine"
)

// Remote is a lake that a server has open, for programs of this machine that show and manage
// its views and insights. Its methods are those of engine.Lake.
type Remote struct {
	ctx context.Context // of the command, for methods that take none
	dir string
}

// Dial returns the lake in dir that a server has open; [ErrNotServed] when none has.
func Dial(ctx context.Context, dir string) (*Remote, error) {
	resp, err := askControl(ctx, dir, "ping", nil)
	if err != nil {
		return nil, err
	}
	return &Remote{ctx, dir}, resp.Body.Close()
}

// Close does nothing: the lake stays the server's.
func (r *Remote) Close() error { return nil }

// Requests and answers, where the arguments of a method are none by themselves.
type (
	nameRequest   struct{ Name string }
	switchRequest struct {
		Store string
		On    bool
	}
	chartRequest struct {
		Store    string
		Series   engine.InsightSeries
		From, To time.Time
		Step     int
	}
	none           struct{}
	viewsAnswer    struct{ Views []engine.ViewStatus }
	settingsAnswer struct{ Settings []engine.InsightSettings }
	insightsAnswer struct{ Insights []engine.Insight }
	detectProgress struct{ Done, Of int64 }
)

// handleLake adds what a Remote asks for.
func (c *control) handleLake(mux *http.ServeMux) {
	lake := c.server.lake
	mux.HandleFunc("POST /ping", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("POST /view-create", answer(c, func(ctx context.Context, n *engine.NewView, _ func(none)) (*engine.ViewStatus, error) {
		return lake.CreateView(ctx, *n)
	}))
	mux.HandleFunc("POST /view-fill", answer(c, func(ctx context.Context, n *nameRequest, progress func(engine.FillProgress)) (*none, error) {
		return &none{}, lake.FillViews(ctx, n.Name, progress)
	}))
	mux.HandleFunc("POST /view-list", answer(c, func(_ context.Context, n *nameRequest, _ func(none)) (*viewsAnswer, error) {
		list, err := lake.Views(n.Name)
		return &viewsAnswer{list}, err
	}))
	mux.HandleFunc("POST /view-show", answer(c, func(_ context.Context, n *nameRequest, _ func(none)) (*engine.ViewStatus, error) {
		return lake.ViewNamed(n.Name)
	}))
	mux.HandleFunc("POST /view-drop", answer(c, func(ctx context.Context, n *nameRequest, _ func(none)) (*none, error) {
		return &none{}, lake.DropView(ctx, n.Name)
	}))
	mux.HandleFunc("POST /view-refresh", answer(c, func(ctx context.Context, n *nameRequest, _ func(none)) (*engine.ViewStatus, error) {
		return lake.RefreshView(ctx, n.Name)
	}))
	mux.HandleFunc("POST /view-switch", answer(c, func(ctx context.Context, n *switchRequest, _ func(none)) (*none, error) {
		return &none{}, lake.SwitchViews(ctx, n.Store, n.On)
	}))
	mux.HandleFunc("POST /insight-enable", answer(c, func(ctx context.Context, n *engine.InsightSettings, _ func(none)) (*engine.InsightSettings, error) {
		set, err := EnableInsights(ctx, lake, *n)
		return &set, err
	}))
	mux.HandleFunc("POST /insight-disable", answer(c, func(ctx context.Context, n *nameRequest, _ func(none)) (*none, error) {
		return &none{}, lake.DisableInsights(ctx, n.Name)
	}))
	mux.HandleFunc("POST /insight-settings", answer(c, func(context.Context, *none, func(none)) (*settingsAnswer, error) {
		return &settingsAnswer{lake.InsightSettings()}, nil
	}))
	mux.HandleFunc("POST /insight-detect", answer(c, func(ctx context.Context, n *nameRequest, progress func(detectProgress)) (*engine.InsightReport, error) {
		return lake.DetectInsights(ctx, n.Name, func(done, of int64) { progress(detectProgress{done, of}) })
	}))
	mux.HandleFunc("POST /insight-list", answer(c, func(ctx context.Context, f *engine.InsightFilter, _ func(none)) (*insightsAnswer, error) {
		list, err := lake.Insights(ctx, *f)
		return &insightsAnswer{list}, err
	}))
	mux.HandleFunc("POST /insight-chart", answer(c, func(ctx context.Context, q *chartRequest, _ func(none)) (*engine.InsightChart, error) {
		return lake.InsightChart(ctx, q.Store, q.Series, q.From, q.To, q.Step)
	}))
	mux.HandleFunc("POST /insight-metrics", answer(c, func(ctx context.Context, q *engine.MetricQuery, _ func(none)) (*engine.MetricData, error) {
		return lake.InsightMetrics(ctx, *q)
	}))
}

// EnableInsights switches insights on for a store of an open lake, and makes the default store
// when it is that one and missing.
func EnableInsights(ctx context.Context, lake *engine.Lake, n engine.InsightSettings) (engine.InsightSettings, error) {
	if _, err := lake.Store(n.Store); err != nil && n.Store == engine.DefaultStore {
		if _, err := lake.CreateStore(ctx, n.Store); err != nil {
			return n, err
		}
	}
	return lake.EnableInsights(ctx, n)
}

// CreateView makes a view.
func (r *Remote) CreateView(ctx context.Context, n engine.NewView) (*engine.ViewStatus, error) {
	return ask[none, engine.ViewStatus](ctx, r.dir, "view-create", n, nil)
}

// FillViews waits until the views of a store are kept.
func (r *Remote) FillViews(ctx context.Context, store string, progress func(engine.FillProgress)) error {
	_, err := ask[engine.FillProgress, none](ctx, r.dir, "view-fill", nameRequest{store}, progress)
	return err
}

// Views describes the views of a store, all when it is "".
func (r *Remote) Views(store string) ([]engine.ViewStatus, error) {
	a, err := ask[none, viewsAnswer](r.ctx, r.dir, "view-list", nameRequest{store}, nil)
	if err != nil {
		return nil, err
	}
	return a.Views, nil
}

// ViewNamed describes one view.
func (r *Remote) ViewNamed(name string) (*engine.ViewStatus, error) {
	return ask[none, engine.ViewStatus](r.ctx, r.dir, "view-show", nameRequest{name}, nil)
}

// DropView removes a view.
func (r *Remote) DropView(ctx context.Context, name string) error {
	_, err := ask[none, none](ctx, r.dir, "view-drop", nameRequest{name}, nil)
	return err
}

// RefreshView has the groups of a view made anew.
func (r *Remote) RefreshView(ctx context.Context, name string) (*engine.ViewStatus, error) {
	return ask[none, engine.ViewStatus](ctx, r.dir, "view-refresh", nameRequest{name}, nil)
}

// SwitchViews switches the built-in views of a store.
func (r *Remote) SwitchViews(ctx context.Context, store string, on bool) error {
	_, err := ask[none, none](ctx, r.dir, "view-switch", switchRequest{store, on}, nil)
	return err
}

// EnableInsights is the function of the same name.
func (r *Remote) EnableInsights(ctx context.Context, n engine.InsightSettings) (engine.InsightSettings, error) {
	set, err := ask[none, engine.InsightSettings](ctx, r.dir, "insight-enable", n, nil)
	if err != nil {
		return n, err
	}
	return *set, nil
}

// DisableInsights switches insights off.
func (r *Remote) DisableInsights(ctx context.Context, store string) error {
	_, err := ask[none, none](ctx, r.dir, "insight-disable", nameRequest{store}, nil)
	return err
}

// InsightSettings says for which stores insights were enabled; nothing when the server does
// not answer any more.
func (r *Remote) InsightSettings() []engine.InsightSettings {
	a, err := ask[none, settingsAnswer](r.ctx, r.dir, "insight-settings", none{}, nil)
	if err != nil {
		return nil
	}
	return a.Settings
}

// DetectInsights looks for unusual activity now.
func (r *Remote) DetectInsights(ctx context.Context, store string, progress func(done, of int64)) (*engine.InsightReport, error) {
	return ask[detectProgress, engine.InsightReport](ctx, r.dir, "insight-detect", nameRequest{store}, func(p detectProgress) { progress(p.Done, p.Of) })
}

// Insights lists what was found.
func (r *Remote) Insights(ctx context.Context, f engine.InsightFilter) ([]engine.Insight, error) {
	a, err := ask[none, insightsAnswer](ctx, r.dir, "insight-list", f, nil)
	if err != nil {
		return nil, err
	}
	return a.Insights, nil
}

// InsightChart shows a series.
func (r *Remote) InsightChart(ctx context.Context, store string, s engine.InsightSeries, from, to time.Time, step int) (*engine.InsightChart, error) {
	return ask[none, engine.InsightChart](ctx, r.dir, "insight-chart", chartRequest{store, s, from, to, step}, nil)
}

// InsightMetrics counts calls per period.
func (r *Remote) InsightMetrics(ctx context.Context, q engine.MetricQuery) (*engine.MetricData, error) {
	return ask[none, engine.MetricData](ctx, r.dir, "insight-metrics", q, nil)
}
