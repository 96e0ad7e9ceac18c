package insight_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/cairndb/cairn/engine/event"
	"github.com/cairndb/cairn/engine/insight"
)

var runInstances = insight.Series{Account: "123456789012", Region: "eu-central-1", EventSource: "ec2.amazonaws.com",
	EventName: "RunInstances", Type: insight.CallRate, Category: insight.Management}

func TestBurstIsFoundToTheMinute(t *testing.T) {
	at := 20*insight.DayMinutes + 600
	in := theOne(t, burst(steady(22), at, 12, 18))
	if in.Fate != insight.Reported || in.Start != day0.Start()+insight.Minute(at) || in.Duration() != 12 || in.Open || in.NewLevel {
		t.Errorf("%+v", in)
	}
	if in.Calls != 240 || in.Average() != 20 || in.Baseline() != 2 || in.BaselineDuration() != 7*insight.DayMinutes+600 || in.BaselineMinutes != in.BaselineDuration() {
		t.Errorf("%d calls, %g against %g over %d of %d minutes", in.Calls, in.Average(), in.Baseline(), in.BaselineMinutes, in.BaselineDuration())
	}
	if in.FirstAverage() != 20 || in.FirstDuration() > 5 || in.Decided != in.Found {
		t.Errorf("decided after %d minutes at %g a minute", in.FirstDuration(), in.FirstAverage())
	}
	if s, e := in.Due(in.Decided); s || e {
		t.Error("a record is due before its minute is settled")
	}
	if s, e := in.Due(in.Closed); !s || e {
		t.Error("while the end is not settled, the Start record alone is due")
	}
	if s, e := in.Due(in.Closed + 1); !s || !e {
		t.Error("both records are due at the end")
	}
	if !strings.Contains(in.Explain(), "were expected") || !strings.Contains(in.Explain(), fmt.Sprint(in.WindowCalls)) {
		t.Error(in.Explain())
	}
}

func TestRecordsParse(t *testing.T) {
	at := 20*insight.DayMinutes + 600
	in := theOne(t, burst(steady(22), at, 12, 18))
	role := "arn:aws:sts::123456789012:assumed-role/deploy"
	context := insight.Context{Store: "arn:aws:cloudtrail:eu-central-1:123456789012:eventdatastore/x",
		Attributions: []insight.Attribution{
			insight.Attribute(insight.ByIdentity, insight.Grouped{role: 230, "b<&>": 5, "a": 5, "": 3}, insight.Grouped{role: 20160}, 12, 10080),
			insight.Attribute(insight.ByErrorCode, insight.Grouped{"": 240}, nil, 12, 10080),
		}}
	var shared any
	for _, state := range []string{insight.Start, insight.End} {
		for form, make := range map[string]func(*insight.Series, string, insight.Context) ([]byte, error){"flat": in.FlatRecord, "trail": in.TrailRecord} {
			raw, err := make(&runInstances, state, context)
			if err != nil {
				t.Fatal(err)
			}
			again, _ := make(&runInstances, state, context)
			if !bytes.Equal(raw, again) {
				t.Error("the same incident has other bytes")
			}
			var ev event.Event
			if err := event.Parse(raw, &ev); err != nil {
				t.Fatalf("%s %s: %v\n%s", form, state, err, raw)
			}
			if err := event.Insights.Check(&ev); err != nil {
				t.Fatal(err)
			}
			var whole map[string]any
			if err := json.Unmarshal(raw, &whole); err != nil {
				t.Fatal(err)
			}
			// As SQL reads it: the first path of the column, or of the row's member, that is there.
			get := func(from any, c *event.Column) any {
				for _, path := range c.Paths {
					v := from
					for _, step := range path {
						m, _ := v.(map[string]any)
						v = m[step]
					}
					if v != nil {
						return v
					}
				}
				return nil
			}
			text := func(name string) any { c, _ := event.Insights.Column(name); return get(whole, c) }
			context, _ := event.Insights.Column("insightcontext")
			for member, want := range map[string]float64{"baselineaverage": 2, "insightaverage": 20, "baselineduration": 7*1440 + 600} {
				c, _ := context.Member(member)
				if got := get(get(whole, context), c); got != want {
					t.Errorf("%s %s: %s is %v, not %v", form, state, member, got, want)
				}
			}
			if text("insightstate") != state || text("insighteventname") != "RunInstances" || text("insighttype") != "ApiCallRateInsight" ||
				text("recipientaccountid") != "123456789012" || text("awsregion") != "eu-central-1" {
				t.Errorf("%s: %s", form, raw)
			}
			if id := text("sharedeventid"); shared == nil {
				shared = id
			} else if id != shared {
				t.Errorf("%s %s has the shared ID %v, another %v", form, state, id, shared)
			}
			want := `"userIdentityArn","insight":[{"value":"` + role + `","average":19.1666666667},{"value":"a","average":0.4166666667},{"value":"b<&>","average":0.4166666667}],"baseline":[{"value":"` + role + `","average":2}]`
			if !bytes.Contains(raw, []byte(want)) || !bytes.Contains(raw, []byte(`"errorCode","insight":[{"value":"null","average":20}],"baseline":[]`)) {
				t.Errorf("attributions: %s", raw)
			}
		}
	}
	in.Open = true
	if _, err := in.FlatRecord(&runInstances, insight.End, context); err == nil {
		t.Error("an End record of an open incident was made")
	}
	in.Fate = insight.Recurring
	if _, err := in.TrailRecord(&runInstances, insight.Start, context); err == nil {
		t.Error("a record of an expected incident was made")
	}
	other := runInstances
	other.Type = insight.ErrorRate
	if insight.SharedEventID("s", &runInstances, 5) == insight.SharedEventID("s", &other, 5) || insight.SharedEventID("s", &other, 5) == insight.SharedEventID("s", &other, 6) {
		t.Error("different incidents share an ID")
	}
}

func TestRankings(t *testing.T) {
	big := insight.Grouped{}
	for i := range 9 {
		big[fmt.Sprintf("v%d", i)] = uint64(i % 3)
	}
	a := insight.Attribute(insight.ByUserAgent, big, nil, 1, 0)
	var got []string
	for _, v := range a.Insight {
		got = append(got, v.Value)
	}
	if strings.Join(got, " ") != "v2 v5 v8 v1 v4" {
		t.Errorf("ranked %v", got)
	}
	by := insight.ByExcess(insight.Grouped{"always": 1000, "new": 300}, insight.Grouped{"always": 10080 * 99}, 10, 10080)
	if by[0].Value != "new" || by[1].Calls != 10 {
		t.Errorf("by excess: %v", by)
	}
}
