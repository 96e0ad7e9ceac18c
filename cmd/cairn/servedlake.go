package main

import (
	"context"
	"errors"
	"time"

	"github.com/cairndb/cairn/engine"
	"github.com/cairndb/cairn/engine/insight"
	"github.com/cairndb/cairn/server"
)

// watchedLake is what the commands of views and insights do with a lake, which this program
// has opened, or which a server of this machine has open.
type watchedLake interface {
	CreateView(context.Context, engine.NewView) (*engine.ViewStatus, error)
	FillViews(ctx context.Context, store string, progress func(engine.FillProgress)) error
	Views(store string) ([]engine.ViewStatus, error)
	ViewNamed(name string) (*engine.ViewStatus, error)
	DropView(ctx context.Context, name string) error
	RefreshView(ctx context.Context, name string) (*engine.ViewStatus, error)
	SwitchViews(ctx context.Context, store string, on bool) error

	EnableInsights(context.Context, engine.InsightSettings) (engine.InsightSettings, error)
	DisableInsights(ctx context.Context, store string) error
	InsightSettings() []engine.InsightSettings
	DetectInsights(ctx context.Context, store string, progress func(done, of int64)) (*engine.InsightReport, error)
	Insights(context.Context, engine.InsightFilter) ([]engine.Insight, error)
	InsightChart(ctx context.Context, store string, s insight.Series, from, to time.Time, step int) (*engine.InsightChart, error)
	InsightMetrics(context.Context, engine.MetricQuery) (*engine.MetricData, error)

	Close() error
}

// openedLake is a lake that this program has opened.
type openedLake struct{ *engine.Lake }

// EnableInsights makes the default store, too.
func (l openedLake) EnableInsights(ctx context.Context, n engine.InsightSettings) (engine.InsightSettings, error) {
	return server.EnableInsights(ctx, l.Lake, n)
}

// watched opens the lake, or goes by the server that has it open.
func (p *program) watched(ctx context.Context, mustExist bool) (watchedLake, error) {
	dir, err := p.lakeDir()
	if err != nil {
		return nil, err
	}
	r, err := server.Dial(ctx, dir)
	if err == nil {
		return r, nil
	}
	if !errors.Is(err, server.ErrNotServed) {
		return nil, err
	}
	lake, err := p.open(mustExist)
	if err != nil {
		return nil, err
	}
	return openedLake{lake}, nil
}
