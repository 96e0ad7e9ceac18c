package engine

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/cairndb/cairn/engine/enginetest/crashmem"
	"github.com/cairndb/cairn/sql/plan"
	"github.com/cairndb/cairn/sql/sqlerr"
)

// TestAnsweredFromViews holds what the planner must and must not answer from a view, and
// compares every answer with that of the rows.
func TestAnsweredFromViews(t *testing.T) {
	ctx := context.Background()
	l, _ := viewLake(t, 1500, Options{})
	for _, v := range []NewView{
		{Name: "v", Query: `SELECT date_trunc('minute', eventTime) AS minute, eventSource, errorCode, readOnly, count(*) AS n, max(eventTime) AS last,
			avg(length(eventName)) AS a, min(eventName) AS first, count(*) FILTER (WHERE eventName LIKE 'Get%') AS gets FROM events GROUP BY 1, 2, 3, 4`},
		{Name: "w", Query: `SELECT userIdentity.arn AS arn, count(*) AS n, approx_distinct(eventName) AS d, min_by(eventName, eventTime) AS b FROM events WHERE errorCode IS NOT NULL GROUP BY 1`},
	} {
		if _, err := l.CreateView(ctx, v); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.SwitchViews(ctx, "events", false); err != nil {
		t.Fatal(err)
	}
	fillTest(t, l)
	for _, q := range []struct{ view, query string }{
		{"v", "SELECT date_trunc('minute', eventTime), count(*) FROM events GROUP BY 1"},
		{"v", "SELECT date_trunc('hour', eventTime), eventSource, count(*) FROM events GROUP BY 1, 2"},
		{"v", "SELECT date_trunc('week', eventTime), date_trunc('month', eventTime), count(*) FROM events GROUP BY 1, 2"},
		{"v", "SELECT date(eventTime), CAST(eventTime AS date), hour(eventTime), day_of_week(eventTime), count(*) FROM events GROUP BY 1, 2, 3, 4"},
		{"v", "SELECT count(*), count(errorCode), count(DISTINCT eventSource), max(eventSource), sum(length(eventSource)) FROM events"},
		{"v", "SELECT eventSource, sum(length(eventName)), avg(length(eventName)), min(eventName), max(eventTime) FROM events GROUP BY 1"},
		{"v", "SELECT eventSource, count(*) FILTER (WHERE errorCode IS NULL), count_if(readOnly), sum(CASE WHEN errorCode = 'AccessDenied' THEN 1 ELSE 0 END) FROM events GROUP BY 1"},
		{"counts", "SELECT count(*) FILTER (WHERE eventName LIKE 'Get%') FROM events"},
		{"v", "SELECT upper(eventSource) || '!', count(*) FROM events WHERE eventSource LIKE 's%' AND errorCode IS NULL AND readOnly GROUP BY 1 HAVING count(*) > 2"},
		{"v", "SELECT DISTINCT eventSource, readOnly FROM events"},
		{"v", "SELECT eventSource, errorCode = 'AccessDenied', readOnly AND errorCode LIKE 'A%', count(*) FROM events GROUP BY 1, 2, 3"},
		{"v", "SELECT count(*) FROM events WHERE eventTime >= TIMESTAMP '2026-01-02 00:00:00' AND eventTime < TIMESTAMP '2026-01-03 10:30:00' AND eventSource <> 'x'"},
		{"v", "SELECT eventSource, count(*) FROM events WHERE eventTime > TIMESTAMP '2026-01-02 00:00:07' GROUP BY 1"},
		{"v", "SELECT eventSource, count(*) FROM events WHERE eventTime BETWEEN TIMESTAMP '2026-01-01 07:00:00.001' AND TIMESTAMP '2026-01-02 07:59:59.999' GROUP BY 1"},
		{"counts", "SELECT eventSource, count(*) FROM events GROUP BY 1 ORDER BY 2 DESC LIMIT 3"},
		{"counts", "SELECT x.eventSource FROM (SELECT eventSource, count(*) AS n FROM events GROUP BY 1) x WHERE x.n = (SELECT max(n) FROM (SELECT eventSource, count(*) AS n FROM events GROUP BY 1))"},
		{"w", "SELECT userIdentity.arn, count(*), approx_distinct(eventName), min_by(eventName, eventTime) FROM events WHERE errorCode IS NOT NULL GROUP BY 1"},
		{"w", "SELECT count(*) FROM events WHERE errorCode IS NOT NULL AND userIdentity.arn LIKE '%a%'"},
		{"w", "SELECT userIdentity.arn, count(*) FROM events WHERE errorCode IS NOT NULL AND eventTime > TIMESTAMP '2026-01-02 00:00:07' GROUP BY 1"},

		{"", "SELECT eventName, count(*) FROM events GROUP BY 1"},
		{"", "SELECT date_trunc('second', eventTime), count(*) FROM events GROUP BY 1"},
		{"", "SELECT second(eventTime), count(*) FROM events GROUP BY 1"},
		{"", "SELECT eventSource, count(*) FROM events WHERE eventName = 'GetObject' GROUP BY 1"},
		{"", "SELECT eventSource, max(eventName) FROM events GROUP BY 1"},
		{"", "SELECT eventSource, count(DISTINCT eventName) FROM events GROUP BY 1"},
		{"", "SELECT eventSource, array_agg(eventSource) FROM events GROUP BY 1"},
		{"", "SELECT eventSource, count(*) FILTER (WHERE eventName LIKE 'Put%') FROM events GROUP BY 1"},
		{"", "SELECT eventSource, min(eventTime) FROM events GROUP BY 1"},
		{"", "SELECT userIdentity.arn, count(*) FROM events GROUP BY 1"},
		{"", "SELECT userIdentity.arn, count(*) FROM events WHERE errorCode = 'AccessDenied' GROUP BY 1"},
		{"", "SELECT eventSource, count(*) FROM events WHERE eventTime = TIMESTAMP '2026-01-02 00:00:07' GROUP BY 1"},
		{"", "SELECT eventSource, count(*), random() < 2 FROM events WHERE random() < 2 GROUP BY 1"},
		{"", "SELECT eventSource FROM events"},
	} {
		text := explainText(t, l, q.query)
		switch {
		case q.view == "counts":
			// Where segments know how often values come, a view is not needed, nor spoken of.
			if strings.Contains(text, "from view") || !strings.Contains(text, "from stored counts") {
				t.Errorf("%s\nshould be answered from counts alone:\n%s", q.query, text)
			}
		case q.view == "" && strings.Contains(text, "from view"), q.view != "" && !strings.Contains(text, "from view "+q.view+":"):
			t.Errorf("%s\nshould be answered from %q:\n%s", q.query, q.view, text)
		}
		if !strings.Contains(q.query, "random") {
			sameAnswers(t, l, q.query)
		}
	}
}

// TestKeptAnswers asks the same of a view again: the groups are not read again, and the
// answer is right whatever has come, gone or been hidden meanwhile.
func TestKeptAnswers(t *testing.T) {
	ctx := context.Background()
	l, s := viewLake(t, 1500, Options{})
	_, err := l.CreateView(ctx, NewView{Name: "v", Query: `SELECT date_trunc('hour', eventTime) AS hour, eventSource, count(*) AS n, avg(length(eventName)) AS a,
		max(eventTime) AS last, approx_distinct(eventName) AS d, max_by(eventName, eventTime) AS b FROM events GROUP BY 1, 2`})
	if err != nil {
		t.Fatal(err)
	}
	fillTest(t, l)
	queries := []string{
		"SELECT * FROM v",
		"SELECT hour, sum(n), max(last) FROM v GROUP BY 1",
		"SELECT max(hour), max(last), max(eventSource) FROM v",
		"SELECT eventSource, avg(length(eventName)), approx_distinct(eventName) FROM events WHERE eventTime >= TIMESTAMP '2026-01-02 00:00:00' GROUP BY 1",
		"SELECT eventSource, count(*) FILTER (WHERE eventSource LIKE 's%') FROM events WHERE eventSource IN ('s3.amazonaws.com', 'ec2.amazonaws.com') AND eventTime >= TIMESTAMP '2026-01-01 00:00:00' GROUP BY 1",
	}
	// reads tells how many bytes of groups a query reads that finds none of them decoded.
	reads := func(q string) (n int64) {
		t.Helper()
		sn := s.snapshot()
		defer sn.release()
		before := int64(0)
		for _, seg := range sn.segments {
			seg.groups.drop()
			before += seg.bytesRead.Load()
		}
		queryTest(t, l, q)
		for _, seg := range sn.segments {
			n += seg.bytesRead.Load()
		}
		return n - before
	}
	for _, q := range queries {
		if n := reads(q); n == 0 {
			t.Errorf("%s\nreads nothing the first time", q)
		}
		if n := reads(q); n != 0 && strings.Contains(explainText(t, l, q), " 0 scanned") {
			t.Errorf("%s\nreads %d bytes of groups again", q, n)
		}
		if text := strings.Join(queryTest(t, l, "EXPLAIN ANALYZE "+q), "\n"); !strings.Contains(text, "as kept since an earlier query") {
			t.Errorf("%s\n%s", q, text)
		}
		sameAnswers(t, l, q)
	}
	for _, change := range []func() error{
		func() error { appendTest(t, s, testEvents(0, 40)); return nil },
		func() error { return l.freezeStores(ctx, []*Store{s}) },
		func() error { fillTest(t, l); return nil },
	} {
		if err := change(); err != nil {
			t.Fatal(err)
		}
		for _, q := range append(queries, queries...) {
			sameAnswers(t, l, q)
		}
	}
	if _, err := l.RefreshView(ctx, "v"); err != nil {
		t.Fatal(err)
	}
	fillTest(t, l)
	if n := reads(queries[0]); n == 0 {
		t.Error("groups that were made again are not read")
	}
}

// TestGroupsOfGroups holds which groupings of a view's groups are groupings of rows.
func TestGroupsOfGroups(t *testing.T) {
	l, _ := viewLake(t, 1500, Options{})
	fillTest(t, l)
	for _, q := range []struct{ aggregates, query string }{
		{"one", "SELECT hour, sum(calls), sum(errors) FROM calls_per_hour GROUP BY 1"},
		{"one", "SELECT date_trunc('day', hour), account, sum(calls) FROM calls_per_hour WHERE region LIKE 'us-%' GROUP BY 1, 2"},
		{"one", "SELECT max(minute), min(minute), count(DISTINCT account) FROM calls_per_minute"},
		{"one", "SELECT eventSource, sum(calls) FROM calls_per_hour GROUP BY 1 HAVING sum(errors) > 2"},
		{"one", "SELECT eventSource, max(x) FROM (SELECT eventSource, eventName, max(eventTime) AS x FROM events GROUP BY 1, 2) GROUP BY 1"},
		{"two", "SELECT sum(calls) FROM calls_per_hour"},
		{"two", "SELECT sum(calls) FROM calls_per_hour WHERE account = 'none'"},
		{"two", "SELECT hour, max(calls) FROM calls_per_hour GROUP BY 1"},
		{"two", "SELECT hour, count(*) FROM calls_per_hour GROUP BY 1"},
		{"two", "SELECT hour, sum(calls) FILTER (WHERE errors > 0) FROM calls_per_hour GROUP BY 1"},
		{"two", "SELECT calls, count(*) FROM calls_per_hour GROUP BY 1"},
		{"two", "SELECT hour, avg(calls) FROM calls_per_hour GROUP BY 1"},
		{"two", "SELECT account, sum(n) FROM (SELECT recipientAccountId AS account, awsRegion, sum(length(eventName)) AS n FROM events GROUP BY 1, 2) GROUP BY 1"},
		{"two", "SELECT account, array_agg(hour ORDER BY hour) FROM calls_per_hour GROUP BY 1"},
	} {
		text := explainText(t, l, q.query)
		if n := strings.Count(text, "Aggregate") + strings.Count(text, "Distinct by"); n != 1 && q.aggregates == "one" || n != 2 && q.aggregates == "two" {
			t.Errorf("%s\nshould have %s aggregates:\n%s", q.query, q.aggregates, text)
		}
		got := rowsOf(t, l, q.query, 0)
		if want := rowsOf(t, l, q.query, plan.RulesOf(plan.RegroupOnce, plan.UseViews)); !slices.Equal(got, want) {
			t.Errorf("%s\ngot  %v\nwant %v", q.query, got, want)
		}
	}
}

// TestNewestOfView asks for the newest part of a view, by its own newest bucket: storage
// leaves out the segments before it.
func TestNewestOfView(t *testing.T) {
	l, _ := viewLake(t, 1500, Options{})
	fillTest(t, l)
	for _, q := range []string{
		"SELECT * FROM calls_per_minute WHERE minute >= (SELECT max(minute) FROM calls_per_minute) - INTERVAL '1' HOUR",
		"SELECT count(*) FROM events WHERE date(eventTime) = (SELECT max(date(eventTime)) FROM events)",
		"SELECT count(*) FROM events WHERE CAST(eventTime AS date) < (SELECT max(date(eventTime)) FROM events)",
	} {
		if text := strings.Join(queryTest(t, l, "EXPLAIN ANALYZE "+q), "\n"); !strings.Contains(text, "to storage, from a sub-query: eventtime ") {
			t.Errorf("%s\n%s", q, text)
		}
		sameAnswers(t, l, q)
	}
}

// TestPlansTellNothingOfOthers holds that a reader of one account sees the same plan whether an
// account of somebody else has events or is not there at all.
func TestPlansTellNothingOfOthers(t *testing.T) {
	ctx := context.Background()
	l, _ := viewLake(t, 1500, Options{NoBitmaps: true})
	fillTest(t, l)
	accounts := queryTest(t, l, "SELECT recipientAccountId FROM events GROUP BY 1 ORDER BY count(*) DESC LIMIT 2")
	if len(accounts) != 2 {
		t.Fatalf("accounts %v", accounts)
	}
	own, other := strings.Trim(accounts[0], "[]'"), strings.Trim(accounts[1], "[]'")
	reader := l.As(Scope{Stores: []string{All}, Accounts: []string{own}})
	for _, q := range []string{
		"SELECT count(awsRegion) FROM events WHERE recipientAccountId = '%s'",
		"SELECT hour, sum(calls) FROM calls_per_hour WHERE account = '%s' GROUP BY 1",
		"SELECT eventName, count(*) FROM events WHERE recipientAccountId = '%s' AND eventTime > TIMESTAMP '2026-01-02' GROUP BY 1",
	} {
		plan := func(account string) string {
			rows, err := reader.Query(ctx, "EXPLAIN "+fmt.Sprintf(q, account))
			if err != nil {
				t.Fatal(err)
			}
			defer rows.Close()
			return strings.ReplaceAll(strings.Join(textRows(t, q, rows.Next), "\n"), account, "…")
		}
		if there, not := plan(other), plan("999999999999"); there != not || !strings.Contains(there, "from view") {
			t.Errorf("%s\nwhere the account has events\n%s\nwhere there is none\n%s", q, there, not)
		}
	}
}

// TestNoView lists what cannot be a view, and that the error says why.
func TestNoView(t *testing.T) {
	ctx := context.Background()
	l, _ := viewLake(t, 10, Options{})
	if _, err := l.CreateView(ctx, NewView{Name: "taken", Query: "SELECT eventName, count(*) FROM events GROUP BY 1"}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ query, says string }{
		{"SELECT eventName FROM events", "grouped aggregate"},
		{"SELECT eventName, count(*) FROM events GROUP BY 1 ORDER BY 2", "ORDER BY"},
		{"SELECT eventName, count(*) FROM events GROUP BY 1 LIMIT 5", "LIMIT"},
		{"SELECT eventName, count(*) FROM events GROUP BY 1 HAVING count(*) > 1", "HAVING"},
		{"WITH x AS (SELECT 1 AS a) SELECT a, count(*) FROM x GROUP BY 1", "WITH"},
		{"SELECT e.eventName, count(*) FROM events e JOIN events f ON e.eventID = f.eventID GROUP BY 1", "one store"},
		{"SELECT eventName, count(DISTINCT eventSource) FROM events GROUP BY 1", "DISTINCT"},
		{"SELECT eventName, array_agg(eventSource) FROM events GROUP BY 1", "array_agg"},
		{"SELECT eventName, count(*) FROM events WHERE eventTime > now() - INTERVAL '1' DAY GROUP BY 1", "as now() and current_date do"},
		{"SELECT date_trunc('hour', now()), count(*) FROM events GROUP BY 1", "as now() and current_date do"},
		{"SELECT current_date, count(*) FROM events GROUP BY 1", "as now() and current_date do"},
		{"SELECT eventName, max(current_timestamp) FROM events GROUP BY 1", "as now() and current_date do"},
		{"SELECT eventName, count(*) FILTER (WHERE eventTime < localtimestamp) FROM events GROUP BY 1", "as now() and current_date do"},
		{"SELECT random(), count(*) FROM events GROUP BY 1", "another value"},
		{"SELECT eventName, count(*) FROM events GROUP BY ROLLUP (1)", "grouped aggregate"},
		{"SELECT eventName, count(*) FROM events WHERE eventName IN (SELECT eventName FROM events) GROUP BY 1", "view"},
		{"SELECT hour(eventTime AT TIME ZONE 'Asia/Tokyo'), count(*) FROM events GROUP BY 1", "zone"},
		{"SELECT eventName, count(*) FROM taken GROUP BY 1", "is a view"},
		{"SELECT eventName, count(*) FROM nothing GROUP BY 1", "does not exist"},
		{"SELECT eventName, count(*) FROM events WHERE eventName = ? GROUP BY 1", "parameter"},
		{"SHOW TABLES", "not a query"},
		{"SELECT eventName, count(*) FROM events GROUP BY 1 UNION ALL SELECT 'a', 1", "UNION"},
	} {
		_, err := l.CreateView(ctx, NewView{Name: "x", Query: c.query})
		var told *sqlerr.Error
		if !errors.Is(err, ErrBadInput) || !strings.Contains(err.Error()+fmt.Sprint(errors.As(err, &told)), c.says) {
			t.Errorf("%s: %v, should speak of %q", c.query, err, c.says)
		}
	}
	const good = "SELECT eventName, count(*) FROM events GROUP BY 1"
	for name, want := range map[string]error{"taken": ErrConflict, "events": ErrConflict, "": ErrBadInput, "a b": ErrBadInput} {
		if _, err := l.CreateView(ctx, NewView{Name: name, Query: good}); !errors.Is(err, want) {
			t.Errorf("name %q: %v", name, err)
		}
	}
	if _, err := l.CreateView(ctx, NewView{Name: "x", Query: good, Days: 7}); !errors.Is(err, ErrBadInput) {
		t.Errorf("a period without a bucket: %v", err)
	}
	if _, err := l.CreateView(WithActor(ctx, Actor{Kind: "OSUser", Name: "eve"}), NewView{Name: "x", Query: good}); !errors.Is(err, ErrRefused) {
		t.Errorf("without the permission: %v", err)
	}
	if err := l.DropView(ctx, "calls_per_day"); !errors.Is(err, ErrRefused) {
		t.Errorf("dropping a built-in view: %v", err)
	}
	if got := queryTest(t, l, "SELECT eventData.eventName, eventData.errorCode FROM cairn_audit WHERE eventData.eventName = 'CreateView' AND eventData.errorCode IS NULL"); len(got) == 0 {
		t.Error("the making of a view was not recorded")
	}
}

var (
	viewHistories = flag.Int("views.histories", 6, "how many random histories views are held against their queries in")
	viewSeed      = flag.Uint64("views.seed", 1, "the seed of the first")
)

// TestViewHistories runs random histories of a store (appends of late and duplicate
// events, sealing, merging, periods, holds, dropping, reopening, power cuts at any write, readers of some
// accounts, views made and dropped) and holds what views give against the rows:
//
//	go test ./engine -run TestViewHistories -views.histories 10000 -timeout 0
func TestViewHistories(t *testing.T) {
	for i := range *viewHistories {
		seed := *viewSeed + uint64(i)
		if !t.Run(fmt.Sprint(seed), func(t *testing.T) { viewHistory(t, seed) }) {
			return
		}
	}
}

// historyQueries are asked of every state; all are answered from views if they can be.
var historyQueries = []string{
	"SELECT hour, eventSource, n, errors, last FROM by_hour",
	"SELECT minute, account, n FROM by_minute WHERE n > 1",
	"SELECT * FROM calls_per_hour",
	"SELECT * FROM errors_per_day",
	"SELECT * FROM principals_per_day",
	"SELECT account, d FROM by_account",
	"SELECT eventSource, count(*), count(errorCode) FROM events GROUP BY 1",
	"SELECT recipientAccountId, count(*) FROM events WHERE eventTime >= TIMESTAMP '2026-02-01 06:30:00' GROUP BY 1",
	"SELECT date_trunc('day', eventTime), count(*), max(eventTime) FROM events WHERE eventTime < TIMESTAMP '2026-02-03 12:00:00.5' GROUP BY 1",
	"SELECT count(*) FROM events WHERE eventSource = 's3.amazonaws.com' AND recipientAccountId <> '1'",
}

func viewHistory(t *testing.T, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 7))
	start := time.Date(2026, 2, 10, 0, 0, 0, 0, time.UTC)
	now, run := start, time.Duration(0)
	mem, active := crashmem.New(), &crashing{}
	cuts := rand.New(rand.NewPCG(seed, 8)) // when the power is cut; the history is r's alone
	o := Options{FS: errorfs.Wrap(mem, active), SegmentRows: 64, MemtableRows: 8 + r.IntN(24), MemtableAge: -1, NoMerge: r.IntN(2) == 0, RetainInterval: -1, DigestInterval: -1,
		Clock: func() time.Time { return now }, RunTime: func() time.Duration { return run }, Workers: 1 + r.IntN(2)}
	ctx := WithActor(context.Background(), Actor{Kind: "OSUser", Name: "a", Permissions: []string{PermissionManage, PermissionBypassGovernance, PermissionReleaseHold}})
	l, err := Open("lake", &o)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { l.Close() }()
	var log []string
	step := func(format string, args ...any) { log = append(log, fmt.Sprintf(format, args...)) }
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("seed %d: %v\n%s", seed, err, strings.Join(log, "\n"))
		}
	}
	_, err = l.MakeStore(ctx, NewStore{Name: "events", Days: 30})
	must(err)
	sources := []string{"s3.amazonaws.com", "ec2.amazonaws.com", "iam.amazonaws.com"}
	var sent [][]byte
	n := 0
	views := map[string]string{
		"by_hour":    "SELECT date_trunc('hour', eventTime) AS hour, eventSource, count(*) AS n, count(errorCode) AS errors, max(eventTime) AS last FROM events GROUP BY 1, 2",
		"by_minute":  "SELECT date_trunc('minute', eventTime) AS minute, recipientAccountId AS account, count(*) AS n FROM events GROUP BY 1, 2",
		"by_account": "SELECT recipientAccountId AS account, approx_distinct(eventSource) AS d FROM events WHERE errorCode IS NULL GROUP BY 1",
	}
	for name, q := range views {
		days := uint32(0)
		if name == "by_minute" && r.IntN(2) == 0 {
			days = 9
		}
		_, err := l.CreateView(ctx, NewView{Name: name, Query: q, Days: days})
		must(err)
	}
	compare := func() {
		t.Helper()
		for _, q := range historyQueries {
			full := rowsOf(t, l, q, 0)
			if want := rowsOf(t, l, q, withoutViews); strings.Join(full, "\n") != strings.Join(want, "\n") {
				t.Fatalf("seed %d: %s\nwith views    %v\nwithout views %v\n%s", seed, q, full, want, strings.Join(log, "\n"))
			}
			account := fmt.Sprint(r.IntN(3))
			cat := l.newQueryCatalog()
			cat.view = l.As(Scope{Stores: []string{All}, Accounts: []string{account}})
			some, want := rowsIn(t, l, cat, q, 0), rowsIn(t, l, cat, q, withoutViews)
			cat.release()
			if strings.Join(some, "\n") != strings.Join(want, "\n") {
				t.Fatalf("seed %d: account %s: %s\nwith views    %v\nwithout views %v\n%s", seed, account, q, some, want, strings.Join(log, "\n"))
			}
		}
	}
	for range 12 + r.IntN(12) {
		var left *crashmem.FS // by a power cut in this step
		if cuts.IntN(3) == 0 {
			writes := cuts.IntN(40)
			active.set(func() {
				if writes--; writes == 0 {
					left = crash(mem, cuts)
				}
			})
		}
		switch r.IntN(13) {
		case 0, 1, 2, 3, 4:
			var batch [][]byte
			for range 1 + r.IntN(40) {
				at := now.Add(-time.Duration(r.IntN(24*60)) * time.Minute).Add(-time.Duration(r.IntN(60)) * time.Second)
				if r.IntN(10) == 0 {
					at = at.AddDate(0, 0, -r.IntN(20)) // late
				}
				failed := ""
				if r.IntN(5) == 0 {
					failed = `,"errorCode":"AccessDenied"`
				}
				n++
				batch = append(batch, fmt.Appendf(nil, `{"eventVersion":"1.08","userIdentity":{"type":"IAMUser","arn":"arn:%d"},"eventTime":%q,"eventSource":%q,"eventName":"N%d","awsRegion":"eu-west-1","recipientAccountId":"%d","eventID":"%08x-0000-4000-8000-%012x"%s}`,
					r.IntN(4), at.Format("2006-01-02T15:04:05Z"), sources[r.IntN(3)], r.IntN(5), r.IntN(3), n, n, failed))
			}
			if len(sent) > 0 && r.IntN(3) == 0 {
				batch = append(batch, sent[r.IntN(len(sent))]) // again
			}
			step("append %d", len(batch))
			_, err := l.storeCalled("events").Append(ctx, batch)
			must(err)
			sent = append(sent, batch...)
		case 5:
			step("seal")
			must(l.freezeStores(ctx, l.Stores()))
		case 6:
			step("fill")
			must(l.FillViews(ctx, "", nil))
		case 7:
			d := time.Duration(r.IntN(6*24)) * time.Hour
			now, run = now.Add(d), run+d
			step("pass %v", d)
		case 8:
			days := uint32(7 + r.IntN(25))
			step("period %d", days)
			if err := l.UpdateStore(ctx, "events", StoreUpdate{Days: &days}); err != nil {
				step("refused: %v", err)
			}
		case 9:
			step("drop what has expired")
			_, err := l.Retain(ctx)
			must(err)
		case 10:
			from := now.AddDate(0, 0, -r.IntN(30))
			step("hold from %v", from)
			_, err := l.AddHold(ctx, Hold{Store: "events", From: from, To: from.AddDate(0, 0, 3), Reason: "x"})
			must(err)
		case 11:
			step("reopen")
			must(l.Close())
			l, err = Open("lake", &o)
			must(err)
		case 12:
			step("make a view anew")
			must(l.DropView(ctx, "by_hour"))
			_, err := l.CreateView(ctx, NewView{Name: "by_hour", Query: views["by_hour"]})
			must(err)
		}
		active.set(nil)
		if left != nil {
			step("power cut in that step")
			must(l.Close())
			mem = left
			o.FS = errorfs.Wrap(mem, active)
			l, err = Open("lake", &o)
			must(err)
			if l.viewCalled("by_hour") == nil { // it was being made anew
				_, err := l.CreateView(ctx, NewView{Name: "by_hour", Query: views["by_hour"]})
				must(err)
			}
		}
		compare()
	}
	must(l.freezeStores(ctx, l.Stores()))
	must(l.FillViews(ctx, "", nil))
	compare()
	if report, err := l.Check(ctx, CheckOptions{}); err != nil || report.ProblemCount > 0 {
		t.Fatalf("seed %d: %+v, %v", seed, report, err)
	}
}

// TestViewsSurviveCrashes cuts the power at every write of a view's life: being made and filled, late events,
// dropped segments, another period, made anew. Whatever is left opens and gives what the rows give, then and when all is grouped.
// The short form looks at every fifth, the long one (-views.histories above 6) at all.
func TestViewsSurviveCrashes(t *testing.T) {
	mem, active := crashmem.New(), &crashing{}
	r := newRetentionOn(t, errorfs.Wrap(mem, active), Options{SegmentRows: 32, MemtableRows: 8, MemtableAge: -1, NoMerge: true})
	defer func() {
		if err := r.lake.Close(); err != nil {
			t.Error(err)
		}
	}()
	l := r.lake
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	s, err := l.MakeStore(r.admin, NewStore{Name: "events", Days: 30})
	must(err)
	batch := func(from, to int) (list [][]byte) {
		for i := from; i < to; i++ {
			list = append(list, at(i, retentionStart.Add(time.Duration(i%100-90)*7*time.Hour)))
		}
		return list
	}
	appendTest(t, s, batch(0, 64))
	view := NewView{Name: "v", Query: "SELECT date_trunc('day', eventTime) AS day, eventName, count(*) AS n, max(eventTime) AS last FROM events GROUP BY 1, 2"}
	clones := crashAt(t, mem, active, func() {
		_, err := l.CreateView(r.admin, view)
		must(err)
		must(l.FillViews(r.admin, "", nil))
		appendTest(t, s, batch(64, 90))
		must(l.freezeStores(r.admin, l.Stores()))
		must(l.FillViews(r.admin, "", nil))
		r.pass(14 * 24 * time.Hour)
		_, err = l.Retain(r.admin)
		must(err)
		must(l.DropView(r.admin, "v"))
		must(l.FillViews(r.admin, "", nil))
		view.Days = 25
		_, err = l.CreateView(r.admin, view)
		must(err)
		must(l.FillViews(r.admin, "", nil))
	})
	if s.Retention().Dropped.Events == 0 {
		t.Error("nothing was dropped")
	}
	t.Logf("%d places to crash at", len(clones))
	queries := []string{"SELECT eventName, count(*) FROM events GROUP BY 1", "SELECT date_trunc('day', eventTime), count(*), max(eventTime) FROM events GROUP BY 1", "SELECT * FROM calls_per_hour", "SELECT * FROM v"}
	there, apart := 0, 5
	if *viewHistories > 6 {
		apart = 1
	}
	for i := 0; i < len(clones); i += apart {
		o := r.opts
		o.FS = clones[i]
		l, err := Open("lake", &o)
		if err != nil {
			t.Fatalf("crash %d: %v", i, err)
		}
		ask := queries
		if l.viewCalled("v") == nil {
			ask = ask[:3]
		} else {
			there++
		}
		for _, filled := range []bool{false, true} {
			if filled {
				must(l.FillViews(r.admin, "", nil))
			}
			for _, q := range ask {
				if got, want := rowsOf(t, l, q, 0), rowsOf(t, l, q, withoutViews); !slices.Equal(got, want) || len(got) == 0 {
					t.Fatalf("crash %d, filled %v: %s\nwith views    %v\nwithout views %v", i, filled, q, got, want)
				}
			}
		}
		if report, err := l.Check(r.admin, CheckOptions{}); err != nil || report.ProblemCount > 0 {
			t.Fatalf("crash %d: %+v, %v", i, report, err)
		}
		must(l.Close())
	}
	if there < 10 || there == (len(clones)+apart-1)/apart {
		t.Errorf("of %d crashes %d have the view: the test has shown nothing", len(clones), there)
	}
}

// TestViewsOfAccounts gives readers of some accounts the groups of these accounts.
func TestViewsOfAccounts(t *testing.T) {
	ctx := context.Background()
	l := openTest(t, vfs.NewMem(), Options{SegmentRows: 128, MemtableAge: -1, NoMerge: true})
	s := storeTest(t, l)
	var batch [][]byte
	for i := range 512 {
		rec := testEvent(i)
		batch = append(batch, fmt.Appendf(rec[:len(rec)-1:len(rec)-1], `,"recipientAccountId":"%d"}`, i%3))
	}
	appendTest(t, s, batch)
	if err := l.freezeStores(ctx, []*Store{s}); err != nil {
		t.Fatal(err)
	}
	for name, q := range map[string]string{
		"mine":    "SELECT recipientAccountId AS account, userIdentity.userName AS who, count(*) AS n FROM events GROUP BY 1, 2",
		"nobodys": "SELECT userIdentity.userName AS who, count(*) AS n FROM events GROUP BY 1",
	} {
		if _, err := l.CreateView(ctx, NewView{Name: name, Query: q}); err != nil {
			t.Fatal(err)
		}
	}
	fillTest(t, l)
	cat := l.newQueryCatalog()
	defer cat.release()
	cat.view = l.As(Scope{Stores: []string{All}, Accounts: []string{"1"}})
	for _, q := range []string{"SELECT * FROM mine", "SELECT * FROM nobodys", "SELECT sum(n) FROM mine", "SELECT userIdentity.userName, count(*) FROM events GROUP BY 1"} {
		got, want := rowsIn(t, l, cat, q, 0), rowsIn(t, l, cat, q, withoutViews)
		if strings.Join(got, "\n") != strings.Join(want, "\n") || len(got) == 0 {
			t.Errorf("%s\nwith views    %v\nwithout views %v", q, got, want)
		}
	}
	// The groups are taken where the account is among the keys, and only there.
	table, err := cat.Table(ctx, "events")
	if err != nil {
		t.Fatal(err)
	}
	scan, err := table.Scan(ctx, plan.ScanRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range s.keptViews() {
		for _, u := range scan.Units() {
			_, has := u.(plan.ViewedUnit).HasGroups(ctx, v.plan)
			if want := v.rec.Name != "nobodys"; has != want {
				t.Errorf("view %s: groups are given: %v", v.rec.Name, has)
			}
		}
	}
}
