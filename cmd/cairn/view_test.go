package main

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cairndb/cairn/engine"
)

// viewCommands goes through the life of a view, and through what is refused, whoever has the
// lake open.
func viewCommands(t *testing.T, lake string, served bool) {
	t.Helper()
	const query = "SELECT date_trunc('hour', eventTime) AS hour, eventSource, count(*) AS calls FROM events GROUP BY 1, 2"
	status := func(args ...string) (v engine.ViewStatus) {
		t.Helper()
		out := must(t, append(args, "--json", "--dir", lake)...)
		if err := json.Unmarshal([]byte(out), &v); err != nil {
			t.Fatalf("%s: %v", out, err)
		}
		return v
	}
	v := status("view", "create", "sources", "--query", query)
	if v.Name != "sources" || v.Store != "events" || v.Filled != v.Segments || v.Segments == 0 || v.Groups == 0 || strings.Join(v.Columns, ",") != "hour,eventSource,calls" {
		t.Errorf("created: %+v", v)
	}
	if out := must(t, "view", "show", "SOURCES", "--dir", lake); !strings.Contains(out, "view     sources of store events") || !strings.Contains(out, "FROM events GROUP BY 1, 2") {
		t.Errorf("show: %s", out)
	}
	if out := must(t, "view", "refresh", "sources", "--dir", lake); !strings.Contains(out, " groups of ") {
		t.Errorf("refresh: %s", out)
	}
	if !served {
		mustSay(t, "n\n300\n", "query", "SELECT sum(calls) AS n FROM sources", "--format", "csv", "--dir", lake)
	}
	const recent = "SELECT eventName, count(*) FROM events WHERE eventTime > now() - INTERVAL '1' DAY GROUP BY 1"
	list := must(t, "view", "list", "--dir", lake)
	for _, name := range []string{"sources", "activity_per_minute", "calls_per_hour", "errors_per_day", "principals_per_minute", "addresses_per_day", "totals_per_hour"} {
		if !strings.Contains(list, "\n"+name+" ") {
			t.Errorf("the list lacks %s:\n%s", name, list)
		}
	}
	var all []engine.ViewStatus
	if err := json.Unmarshal([]byte(must(t, "view", "list", "--store", "events", "--json", "--dir", lake)), &all); err != nil || len(all) < 15 {
		t.Errorf("%d views, %v", len(all), err)
	}
	for _, c := range []struct {
		status int
		says   string
		args   []string
	}{
		{exitUsage, "--query is missing", []string{"view", "create", "x"}},
		{exitFailed, "does not exist", []string{"view", "create", "x", "--query", "SELECT nope, count(*) FROM events GROUP BY 1"}},
		{exitFailed, "DISTINCT", []string{"view", "create", "x", "--query", "SELECT eventName, count(DISTINCT eventSource) FROM events GROUP BY 1"}},
		{exitFailed, "grouped aggregate", []string{"view", "create", "x", "--query", "SELECT eventName FROM events"}},
		{exitFailed, "is a view", []string{"view", "create", "x", "--query", "SELECT hour, sum(calls) FROM sources GROUP BY 1"}},
		{exitFailed, "called", []string{"view", "create", "sources", "--query", query}},
		{exitFailed, "needs a view with a time bucket", []string{"view", "create", "x", "--retention-days", "7", "--query", "SELECT eventName, count(*) FROM events GROUP BY 1"}},
		{exitFailed, "a view shows nothing that its store has not", []string{"view", "create", "x", "--retention-days", "3600", "--query", query}},
		{exitFailed, "no view", []string{"view", "show", "nothing"}},
		{exitFailed, "is a store, not a view", []string{"view", "drop", "events"}},
		{exitFailed, "is built in", []string{"view", "drop", "calls_per_hour"}},
		{exitFailed, "read from the events", []string{"view", "refresh", "principals_per_minute"}},
		{exitUsage, "on or off", []string{"view", "built-in", "maybe"}},
		{exitFailed, "as now() and current_date do (line 1, column 46)", []string{"view", "create", "x", "--query", recent}},
		{exitFailed, "                                             ^\nhint: filter by time when you read the view", []string{"view", "create", "x", "--query", recent}},
	} {
		refused(t, c.status, c.says, append(c.args, "--dir", lake)...)
	}
	if out := must(t, "view", "built-in", "off", "--dir", lake); !strings.Contains(out, "built-in views of store events: off") {
		t.Errorf("off: %s", out)
	}
	if list := must(t, "view", "list", "--store", "events", "--dir", lake); strings.Contains(list, "calls_per_hour") || !strings.Contains(list, "sources") {
		t.Errorf("after that:\n%s", list)
	}
	must(t, "view", "built-in", "on", "--dir", lake)
	must(t, "view", "drop", "sources", "--dir", lake)
	if list := must(t, "view", "list", "--dir", lake); !strings.Contains(list, "calls_per_hour") || strings.Contains(list, "sources") {
		t.Errorf("at the end:\n%s", list)
	}
}

func TestViewCommands(t *testing.T) {
	dir := t.TempDir()
	lake := filepath.Join(dir, "lake")
	must(t, "generate", "-n", "300", "--out", filepath.Join(dir, "logs"))
	must(t, "import", filepath.Join(dir, "logs", "AWSLogs"), "--dir", lake)
	viewCommands(t, lake, false)
}

// TestServedViewsAndInsights has the server of a lake do what the commands of views and
// insights ask for.
func TestServedViewsAndInsights(t *testing.T) {
	dir := t.TempDir()
	lake := filepath.Join(dir, "lake")
	must(t, "generate", "-n", "300", "--out", filepath.Join(dir, "logs"))
	must(t, "import", filepath.Join(dir, "logs", "AWSLogs"), "--dir", lake)
	_, stop := runServer(t, lake)
	viewCommands(t, lake, true)
	if out := must(t, "insight", "enable", "--dir", lake); !strings.Contains(out, "Insights of store events are on") || !strings.Contains(out, "new unusual periods found") {
		t.Errorf("enable: %s", out)
	}
	if out := must(t, "insight", "list", "--dir", lake); !strings.Contains(out, "Insights of store events are on") {
		t.Errorf("list: %s", out)
	}
	if out := must(t, "insight", "list", "--json", "--dir", lake); strings.TrimSpace(out) != "[]" {
		t.Errorf("list: %s", out)
	}
	must(t, "insight", "detect", "--dir", lake)
	if out := must(t, "insight", "metrics", "--event-source", "s3.amazonaws.com", "--event-name", "GetObject", "--category", "data", "--start", "2026-01-01", "--end", "2026-04-01", "--json", "--dir", lake); !strings.Contains(out, `"Timestamps"`) {
		t.Errorf("metrics: %s", out)
	}
	refused(t, exitFailed, "no insight", "insight", "show", "0123", "--dir", lake)
	refused(t, exitFailed, "nothing", "insight", "enable", "--store", "nothing", "--dir", lake)
	if out := must(t, "insight", "disable", "--dir", lake); !strings.Contains(out, "are off") {
		t.Errorf("disable: %s", out)
	}
	stop()
}
