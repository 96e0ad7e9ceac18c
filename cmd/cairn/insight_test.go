package main

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cairndb/cairn/engine"
	"github.com/cairndb/cairn/engine/event/generate"
	"github.com/cairndb/cairn/engine/insight"
)

var insightDense = flag.Bool("insight.dense", false, "in TestInsightEndToEnd also a million events of one account (minutes)")

// TestInsightEndToEnd generates logs of one dense account, imports them, and holds what was found against what was put in.
func TestInsightEndToEnd(t *testing.T) {
	sizes := []string{"20000"}
	if *insightDense {
		sizes = append(sizes, "200000", "1000000")
	}
	for _, n := range sizes {
		dir := t.TempDir()
		logs, lake := filepath.Join(dir, "logs"), filepath.Join(dir, "lake")
		must(t, "generate", "-n", n, "--accounts", "1", "--days", "60", "--start", "2025-03-01", "--seed", "3", "--out", logs)
		must(t, "insight", "enable", "--dir", lake)
		out := must(t, "import", filepath.Join(logs, "AWSLogs"), "--dir", lake)
		if !strings.Contains(out, "unusual periods found") {
			t.Errorf("the import says nothing of insights:\n%s", out)
		}
		compareWithTruth(t, filepath.Join(logs, "truth.json"), lake)
	}
}

func compareWithTruth(t *testing.T, path, lake string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var truth generate.Truth
	if err := json.Unmarshal(b, &truth); err != nil {
		t.Fatal(err)
	}
	var list []engine.Insight
	if err := json.Unmarshal([]byte(must(t, "insight", "list", "--json", "--dir", lake)), &list); err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	wanted := 0
	for _, a := range truth.Anomalies {
		// What is told by rates: 30 calls or more of what writes, or is refused.
		if a.Count < 30 || strings.HasPrefix(a.EventName, "Describe") {
			continue
		}
		wanted++
		hit := false
		for _, in := range list {
			if in.Account != a.Account || in.Region != a.Region || in.EventSource != a.EventSource || in.EventName != a.EventName || in.Start.Sub(a.Start).Abs() > 2*time.Minute {
				continue
			}
			found[in.ID] = true
			if in.Type == insight.ErrorRate && in.ErrorCode != a.ErrorCode {
				continue
			}
			hit = true
			if end := a.End.Truncate(time.Minute); in.End.Sub(end).Abs() > 5*time.Minute {
				t.Errorf("%s %s ends %v, found is %v", a.Kind, a.EventName, end, in.End)
			}
			if top := in.Attributions[0].Insight[0].Value; !strings.HasPrefix(a.Principal, top) {
				t.Errorf("%s %s is by %s, found is %s", a.Kind, a.EventName, a.Principal, top)
			}
		}
		if !hit {
			t.Errorf("not found: %s %s from %v, %d calls", a.Kind, a.EventName, a.Start, a.Count)
		}
	}
	if wanted < 3 {
		t.Errorf("only %d anomalies that rates tell: the data shows nothing", wanted)
	}
	if wrong := len(list) - len(found); wrong > 0 {
		t.Errorf("%d of %d insights are of nothing that was put in: %+v", wrong, len(list), list)
	}
}

// publishedInsight is a record in the form in which trails deliver them.
const publishedInsight = `{"Records":[{"eventVersion":"1.08","eventTime":"2025-04-02T10:00:00Z","awsRegion":"eu-west-3","eventID":"5d6b5a3c-0000-4000-8000-00000000000a",
"eventType":"AwsCloudTrailInsight","recipientAccountId":"444455556666","sharedEventID":"5d6b5a3c-0000-4000-8000-000000000001","insightDetails":{"state":"Start",
"eventSource":"kms.amazonaws.com","eventName":"ScheduleKeyDeletion","insightType":"ApiErrorRateInsight","errorCode":"AccessDenied","insightContext":{"statistics":{
"baseline":{"average":0.002},"insight":{"average":4.5},"insightDuration":7,"baselineDuration":10093},"attributions":[{"attribute":"userAgent",
"insight":[{"value":"curl/9","average":4.5}],"baseline":[]}]}},"eventCategory":"Insight"}]}`

func TestInsightCommands(t *testing.T) {
	dir := t.TempDir()
	logs, lake := filepath.Join(dir, "logs"), filepath.Join(dir, "lake")
	must(t, "generate", "-n", "12000", "--accounts", "1", "--days", "50", "--start", "2025-03-01", "--seed", "3", "--out", logs)
	must(t, "import", filepath.Join(logs, "AWSLogs"), "--dir", lake)
	if out := must(t, "insight", "list", "--dir", lake); !strings.Contains(out, "cairn insight enable") {
		t.Errorf("a list without insights does not say how to get some:\n%s", out)
	}
	if _, errOut, status := cairn(t, "", "insight", "detect", "--dir", lake); status != 1 || !strings.Contains(errOut, "cairn insight enable") {
		t.Errorf("detect: status %d, %s", status, errOut)
	}
	var enabled struct {
		Settings struct {
			Destination string
			Types       []string
		}
		Detection engine.InsightReport
	}
	if err := json.Unmarshal([]byte(must(t, "insight", "enable", "--json", "--dir", lake, "--types", "rate", "--destination", "odd")), &enabled); err != nil || enabled.Settings.Destination != "odd" || len(enabled.Settings.Types) != 1 || enabled.Detection.Events != 12000 {
		t.Errorf("%+v, %v", enabled, err)
	}
	var list []engine.Insight
	if err := json.Unmarshal([]byte(must(t, "insight", "list", "--json", "--dir", lake)), &list); err != nil || len(list) == 0 {
		t.Fatalf("%d, %v", len(list), err)
	}
	id := list[0].ID
	if out := must(t, "insight", "show", id[:9], "--dir", lake); !strings.Contains(out, id) || !strings.Contains(out, "normal to") || !strings.Contains(out, "^") || !strings.Contains(out, "█") {
		t.Errorf("show:\n%s", out)
	}
	in := list[0]
	var shown struct{ Chart *engine.InsightChart }
	if err := json.Unmarshal([]byte(must(t, "insight", "show", "--json", "--dir", lake, "--account", in.Account, "--region", in.Region, "--event-source", in.EventSource, "--event-name", in.EventName,
		"--start", in.Start.Format(time.RFC3339), "--end", in.Start.Add(time.Hour).Format(time.RFC3339), "--step", "5")), &shown); err != nil || shown.Chart == nil || len(shown.Chart.Calls) < 12 {
		t.Errorf("a series: %+v, %v", shown.Chart, err)
	}
	var m engine.MetricData
	if err := json.Unmarshal([]byte(must(t, "insight", "metrics", "--json", "--dir", lake, "--event-source", in.EventSource, "--event-name", in.EventName, "--start", "2025-03-01", "--end", "2025-05-01")), &m); err != nil || len(m.Values) == 0 || len(m.Values) != len(m.Timestamps) {
		t.Errorf("metrics: %+v, %v", m, err)
	}
	if out := must(t, "insight", "metrics", "--dir", lake, "--event-source", in.EventSource, "--event-name", in.EventName, "--start", "2025-03-01", "--end", "2025-05-01", "--period", "60", "--max-results", "1"); !strings.Contains(out, "--start 2025-") {
		t.Errorf("metrics:\n%s", out)
	}
	for _, args := range [][]string{{"list", "--expected", "--event-name", "Nothing"}, {"list", "--event-name", "Nothing"}, {"metrics", "--event-source", in.EventSource, "--event-name", "Nothing"}} {
		if out := must(t, append(append([]string{"insight"}, args...), "--dir", lake)...); !strings.HasPrefix(out, "Nothing ") && !strings.HasPrefix(out, "There are no such calls") {
			t.Errorf("%v:\n%s", args, out)
		}
	}
	// A record of another lake is shown without a chart.
	path := filepath.Join(dir, "published.json")
	if err := os.WriteFile(path, []byte(publishedInsight), 0o600); err != nil {
		t.Fatal(err)
	}
	must(t, "import", path, "--store", "odd", "--dir", lake)
	if out, errOut, status := cairn(t, "", "insight", "show", "5d6b5a3c", "--dir", lake); status != 0 || !strings.Contains(out, "curl/9") || strings.Contains(out, "store") || !strings.Contains(errOut, "not in this lake") {
		t.Errorf("a record of another lake: status %d\n%s\n%s", status, out, errOut)
	}
	if out := must(t, "insight", "disable", "--dir", lake); !strings.Contains(out, "off") {
		t.Error(out)
	}
	for _, bad := range [][]string{
		{"insight", "enable", "--types", "odd"}, {"insight", "enable", "--categories", "odd"}, {"insight", "show"}, {"insight", "show", id, "--step", "7"},
		{"insight", "metrics", "--data-type", "odd"}, {"insight", "list", "--type", "odd"}, {"insight", "list", "--start", "soon"},
	} {
		if _, _, status := cairn(t, "", append(bad, "--dir", lake)...); status != exitUsage {
			t.Errorf("%v: status %d", bad, status)
		}
	}
	if _, errOut, status := cairn(t, "", "insight", "show", "ffffffff", "--dir", lake); status != exitFailed || !strings.Contains(errOut, "cairn insight list") {
		t.Errorf("show of nothing: %d, %s", status, errOut)
	}
}
