package api_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/cairndb/cairn/server/api"
	"github.com/cairndb/cairn/server/auth"
)

func TestSlot(t *testing.T) {
	for _, c := range []struct {
		unit  string
		value int
		at    string
		now   string
		want  string
	}{
		{"HOURS", 6, "00:00", "2026-03-01T00:00:00Z", "2026-03-01T00:00:00Z"},
		{"HOURS", 6, "00:00", "2026-03-01T05:59:59Z", "2026-03-01T00:00:00Z"},
		{"HOURS", 6, "07:30", "2026-03-01T01:00:00Z", "2026-02-28T19:30:00Z"},
		{"HOURS", 6, "07:30", "2026-03-01T07:30:00Z", "2026-03-01T07:30:00Z"},
		{"HOURS", 1, "23:45", "2026-03-01T00:44:00Z", "2026-02-28T23:45:00Z"},
		{"HOURS", 1, "23:45", "2026-03-01T00:46:00Z", "2026-03-01T00:45:00Z"},
		{"HOURS", 24, "12:00", "2026-03-01T11:59:00Z", "2026-02-28T12:00:00Z"},
		{"DAYS", 1, "12:00", "2026-03-01T12:00:01Z", "2026-03-01T12:00:00Z"},
	} {
		now, err := time.Parse(time.RFC3339, c.now)
		if err != nil {
			t.Fatal(err)
		}
		if got := api.Slot(c.unit, c.value, c.at, now).Format(time.RFC3339); got != c.want {
			t.Errorf("every %d %s at %s, %s: %s, want %s", c.value, c.unit, c.at, c.now, got, c.want)
		}
	}
}

// TestDashboardSchedule: a dashboard is refreshed at the times of its schedule, once for each, as who has set it.
func TestDashboardSchedule(t *testing.T) {
	ctx := context.Background()
	f := newFixture(t, nil)
	f.call("CreateEventDataStore", object{"Name": "audit"})
	f.fill(20)
	ann := f.newKey("ann", auth.Grants{Role: "admin"}, account)
	widgets := []object{{"QueryStatement": "SELECT DATE_TRUNC('?', eventTime) AS at, count(*) AS n FROM audit WHERE eventTime BETWEEN timestamp '?' AND timestamp '?' GROUP BY 1",
		"QueryParameters": []string{"$Period$", "$StartTime$", "$EndTime$"}, "ViewProperties": object{"Title": "Calls", "View": "Table"}}}
	out, code := f.as(ann, "CreateDashboard", object{"Name": "calls", "Widgets": widgets,
		"RefreshSchedule": object{"Frequency": object{"Unit": "HOURS", "Value": 6}, "Status": "ENABLED", "TimeOfDay": "07:30"}})
	if code != "" {
		t.Fatal(code)
	}
	alias := out["Widgets"].([]any)[0].(object)["QueryAlias"].(string)
	last := func() (refresh, failure string) {
		out := f.call("GetDashboard", object{"DashboardId": "calls"})
		refresh, _ = out["LastRefreshId"].(string)
		failure, _ = out["LastRefreshFailureReason"].(string)
		return refresh, failure
	}
	run := func(now time.Time) string {
		t.Helper()
		if err := f.api.RefreshDue(ctx, now); err != nil {
			t.Fatal(err)
		}
		refresh, failure := last()
		if failure != "" {
			t.Errorf("at %v: %s", now, failure)
		}
		return refresh
	}
	now := time.Now()
	if r := run(now); r != "" {
		t.Errorf("it was refreshed as %s at once", r)
	}
	first := run(now.Add(6 * time.Hour))
	if first == "" {
		t.Fatal("it was not refreshed after six hours")
	}
	q := f.call("DescribeQuery", object{"QueryAlias": alias, "RefreshId": first})["QueryId"].(string)
	if d := f.wait(q); d["QueryStatus"] != "FINISHED" {
		t.Errorf("got %v", d)
	}
	if again := run(now.Add(6*time.Hour + time.Minute)); again != first {
		// A slot may lie in that minute; it is then a new one.
		if api.Slot("HOURS", 6, "07:30", now.Add(6*time.Hour)) == api.Slot("HOURS", 6, "07:30", now.Add(6*time.Hour+time.Minute)) {
			t.Errorf("it was refreshed twice for one time: %s, %s", first, again)
		}
		first = again
	}
	if r := run(now.Add(72 * time.Hour)); r == first {
		t.Error("it was not refreshed after three days")
	} else {
		first = r
	}
	// Disabled it rests, and changing the schedule does not make up for the past.
	f.call("UpdateDashboard", object{"DashboardId": "calls", "RefreshSchedule": object{"Frequency": object{"Unit": "DAYS", "Value": 1}, "Status": "DISABLED"}})
	if r := run(now.Add(200 * time.Hour)); r != first {
		t.Error("it was refreshed while its schedule is disabled")
	}
	// Who has set it may not any more.
	if _, code := f.as(ann, "UpdateDashboard", object{"DashboardId": "calls", "RefreshSchedule": object{"Frequency": object{"Unit": "DAYS", "Value": 1}, "Status": "ENABLED"}}); code != "" {
		t.Fatal(code)
	}
	if err := f.users.Remove(ctx, superuser, auth.Origin{}, "ann"); err != nil {
		t.Fatal(err)
	}
	// Noon: an hour later is the same time of the schedule.
	later := api.Slot("DAYS", 1, "00:00", now.Add(300*time.Hour)).Add(12 * time.Hour)
	if err := f.api.RefreshDue(ctx, later); err == nil {
		t.Error("it was refreshed as somebody who was removed")
	}
	if r, failure := last(); r != first || !strings.Contains(failure, "ann") {
		t.Errorf("refresh %s, failure %q", r, failure)
	}
	if err := f.api.RefreshDue(ctx, later.Add(time.Hour)); err != nil {
		t.Errorf("it was tried again before its next time: %v", err)
	}
}
