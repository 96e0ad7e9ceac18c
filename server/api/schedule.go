package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/cairndb/cairn/engine"
	"github.com/cairndb/cairn/server/auth"
)

// Dashboards with a schedule are refreshed by the server, as who has set the schedule and with what
// that principal may do at the time. Parameters are of the last day: $StartTime$ is scheduledSpan
// before $EndTime$, and $Period$ is an hour. A refresh is due when a time of the schedule has
// passed since it was set or last kept; of those that a server was not there for, the last one is
// made up for.

const (
	// scheduleEvery is how often schedules are looked at; they name minutes.
	scheduleEvery = 30 * time.Second

	// scheduledSpan is how far back scheduled refreshes look, as AWS's own dashboards do.
	scheduledSpan = 24 * time.Hour

	// scheduleAgent is what records of scheduled refreshes have as their user agent.
	scheduleAgent = "cairn dashboard schedule"
)

// slot returns the last time of the schedule that is not after now.
func (s *schedule) slot(now time.Time) time.Time {
	period := time.Duration(s.Value) * time.Hour
	if s.Unit == "DAYS" {
		period *= 24
	}
	at, err := time.Parse("15:04", s.TimeOfDay)
	if err != nil || period <= 0 {
		return time.Time{} // it was checked when it was set
	}
	now = now.UTC()
	// One time of the day before, so that what follows only adds.
	first := time.Date(now.Year(), now.Month(), now.Day()-1, at.Hour(), at.Minute(), 0, 0, time.UTC)
	return first.Add(now.Sub(first) / period * period)
}

// due returns the time of the schedule that a refresh is to be made for; ok is false when there is none.
func (s *schedule) due(now time.Time) (slot time.Time, ok bool) {
	if s == nil || s.Status != "ENABLED" {
		return slot, false
	}
	slot = s.slot(now)
	return slot, slot.After(s.Since) && slot.After(s.Kept)
}

// keepSchedules makes the refreshes that are due, until the server ends.
func (s *API) keepSchedules() {
	defer s.work.Done()
	tick := time.NewTicker(scheduleEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-s.background.Done():
			return
		}
		if err := s.refreshDue(s.background, s.clock()); err != nil && s.background.Err() == nil {
			s.log.Warn("refreshing dashboards by their schedules", "error", err)
		}
	}
}

// refreshDue makes the refreshes that are due at a time.
func (s *API) refreshDue(ctx context.Context, now time.Time) error {
	list, err := all[dashboard](s, engine.ObjectDashboard, "")
	if err != nil {
		return err
	}
	var failed []error
	for i := range list {
		if slot, ok := list[i].value.Schedule.due(now); ok {
			if err := s.refreshScheduled(ctx, &list[i].value, slot, now); err != nil {
				failed = append(failed, fmt.Errorf("dashboard %s of account %s: %w", list[i].value.Name, list[i].value.Account, err))
			}
		}
	}
	return errors.Join(failed...)
}

// refreshScheduled refreshes a dashboard for a time of its schedule. That it was tried is written down
// first: one that cannot be refreshed waits for its next time.
func (s *API) refreshScheduled(ctx context.Context, of *dashboard, slot, now time.Time) error {
	s.changing.Lock()
	defer s.changing.Unlock()
	who, denied := s.scheduler(ctx, of)
	if who == nil {
		who = &auth.Principal{Name: of.Schedule.Owner}
	}
	c := &call{s: s, op: byName["StartDashboardRefresh"], requestID: newID(), now: now, r: &http.Request{Header: http.Header{"User-Agent": {scheduleAgent}}},
		key: auth.SignerOf("", "", "", of.Account, nil), who: who, account: of.Account, region: of.Region}
	c.ctx = engine.WithActor(ctx, c.actor())
	d, err := c.resolveDashboard(of.Name)
	if err != nil {
		return err
	}
	if again, ok := d.Schedule.due(now); !ok || !again.Equal(slot) {
		return nil // it was changed meanwhile
	}
	d.Schedule.Kept, d.Failure = slot, ""
	if denied != nil {
		d.Failure = shorten(denied.Error())
	}
	if err := c.saveDashboard(d); err != nil {
		return err
	}
	var out any
	if err = denied; err == nil {
		c.in = object{"DashboardId": d.Name, "QueryParameterValues": object{"$StartTime$": now.Add(-scheduledSpan).UTC().Format(time.RFC3339),
			"$EndTime$": now.UTC().Format(time.RFC3339), "$Period$": "hour"}}
		if out, err = c.startDashboardRefresh(); err != nil {
			if failed := c.failRefresh(d.Name, err); failed != nil {
				err = errors.Join(err, failed)
			}
		}
	}
	s.recorder.record(c, out, err)
	return err
}

// failRefresh keeps why a scheduled refresh could not be made.
func (c *call) failRefresh(name string, why error) error {
	d, err := c.resolveDashboard(name)
	if err != nil {
		return err
	}
	e, _ := told(why)
	d.Failure = shorten(e.Message)
	return c.saveDashboard(d)
}

// scheduler returns who a schedule's refreshes are made as.
func (s *API) scheduler(ctx context.Context, d *dashboard) (*auth.Principal, error) {
	if s.cfg.Signers == nil {
		return s.cfg.Open.Principal(ctx)
	}
	who, err := auth.Current(ctx, s.lake, d.Schedule.Owner)
	if err != nil {
		return nil, fmt.Errorf("the schedule was set by %s: %w", d.Schedule.Owner, err)
	}
	if err := who.May(byName["StartDashboardRefresh"].action); err != nil {
		return who, err
	}
	if d.Account != auth.NoAccount && !who.AllAccounts() && !slices.Contains(who.Accounts, d.Account) {
		return who, fmt.Errorf("%s, who has set the schedule, is not authorized in account %s any more", who.Name, d.Account)
	}
	return who, nil
}
