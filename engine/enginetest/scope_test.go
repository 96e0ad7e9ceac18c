package enginetest_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cairndb/cairn/engine"
	"github.com/cairndb/cairn/engine/enginetest"
	"github.com/cairndb/cairn/sql/sqlerr"
)

// TestScopeQueries is the campaign against leaks: two readers, each limited to accounts,
// ask a lake with everybody's events whatever they can ask, with values from the events
// of others among their conditions. Whatever they hear must be what a lake says that
// holds their own events and nothing else, and no text may be from an event of others.
//
//	go test ./engine/enginetest -run ScopeQueries -scope.queries=1000000 -timeout 24h
//
// runs a million questions; -scope.seed makes others of them. The kinds of question are
// the functions of scopeKinds. TestDifferentialScope asks fewer questions and holds them
// against the plain evaluation; what readers ask over the wire is tested in package
// server.
var (
	scopeQueries = flag.Int("scope.queries", 1500, "random questions of readers limited to accounts")
	scopeSeed    = flag.Uint64("scope.seed", 1, "seed of those questions")
)

// scopeConfigs are ways to hold the events that differ in where scopes are applied.
var scopeConfigs = []config{
	{name: "memtable", options: engine.Options{}},
	{name: "tiny segments", options: engine.Options{SegmentRows: 24, MemtableRows: 24, NoMerge: true}},
	{name: "one segment", options: engine.Options{SegmentRows: 4096, NoMerge: true}, files: true},
	{name: "no bitmaps", options: engine.Options{SegmentRows: 50, MemtableRows: 50, NoMerge: true, NoBitmaps: true, Workers: 1}},
}

// scopeAsker asks questions for one reader of one lake.
type scopeAsker struct {
	*scopedReader
	rng    *rand.Rand
	all    *lake // everybody's events
	view   *engine.View
	alone  *engine.View
	maker  *maker
	rel    *enginetest.RelMaker
	whole  *sample
	theirs map[string]bool // texts that are in the events of others only
	mine   map[string]bool // the records of the reader
}

// scopeKind is a kind of question; ask returns what is wrong with the answer.
type scopeKind struct {
	name  string
	often int // out of a thousand
	ask   func(a *scopeAsker) string
}

var scopeKinds = []scopeKind{
	{"queries of one store", 380, (*scopeAsker).askQuery},
	{"joins, sub-queries, windows", 230, (*scopeAsker).askRelation},
	{"counts and bounds", 150, (*scopeAsker).askShortcut},
	{"EXPLAIN", 70, (*scopeAsker).askPlan},
	{"errors", 70, (*scopeAsker).askError},
	{"snapshots and parameters", 50, (*scopeAsker).askSnapshot},
	{"look-ups", 25, (*scopeAsker).askLookup},
	{"records by number", 20, (*scopeAsker).askRecord},
	{"exports and figures", 5, (*scopeAsker).askWhole},
}

// computed are texts that a query can make of other values.
var computed = regexp.MustCompile(`^-?[0-9]{4}-[0-9][0-9]-|^[0-9.:-]*$`)

// textsOf collects the texts of records that tell events apart.
func textsOf(records []*record, into map[string]bool) {
	for _, r := range records {
		for _, c := range textCols {
			if s, ok := r.value(c).(string); ok && len(s) >= 12 && !computed.MatchString(s) {
				into[s] = true
			}
		}
	}
}

func newScopeAskers(t testing.TB, s *sample, all *lake, seed uint64) []*scopeAsker {
	var out []*scopeAsker
	for i, r := range scopedReaders(t, s) {
		a := &scopeAsker{scopedReader: r, rng: rand.New(rand.NewPCG(seed, uint64(i))), all: all, whole: s,
			view: all.l.As(r.scope), alone: r.alone.l.As(r.scope), maker: newMaker(s, seed+uint64(i), false),
			rel: enginetest.NewRelMaker(seed+uint64(i), relationValues(s)), theirs: map[string]bool{}, mine: map[string]bool{}}
		shared := map[string]bool{}
		textsOf(r.own.events, shared)
		textsOf(r.own.other, shared)
		textsOf(s.events, a.theirs)
		textsOf(s.other, a.theirs)
		for text := range shared {
			delete(a.theirs, text)
		}
		for _, x := range slices.Concat(r.own.events, r.own.other) {
			a.mine[x.raw] = true
			// It may stand in another place of a record of one's own.
			for text := range a.theirs {
				if strings.Contains(x.raw, text) {
					delete(a.theirs, text)
				}
			}
		}
		if len(a.theirs) < 50 {
			t.Fatalf("only %d texts are of others", len(a.theirs))
		}
		out = append(out, a)
	}
	return out
}

func TestScopeQueries(t *testing.T) {
	t.Logf("-scope.seed=%d, %d questions", *scopeSeed, *scopeQueries)
	// The lakes are asked in turns, so that each question is made for one of them.
	s := scopeSample(t, *scopeSeed+21)
	var askers []*scopeAsker
	for i, l := range openLakes(t, s, scopeConfigs) {
		askers = append(askers, newScopeAskers(t, s, l, *scopeSeed*1000+uint64(i))...)
	}
	dice := rand.New(rand.NewPCG(*scopeSeed, 3))
	asked, took := make([]int, len(scopeKinds)), make([]time.Duration, len(scopeKinds))
	faults := 0
	start := time.Now()
	for i := range *scopeQueries {
		n, k := dice.IntN(1000), 0
		for ; n >= scopeKinds[k].often; k++ {
			n -= scopeKinds[k].often
		}
		asked[k]++
		a := askers[i%len(askers)]
		began := time.Now()
		if fault := scopeKinds[k].ask(a); fault != "" {
			t.Errorf("question %d of -scope.seed=%d, configuration %q, %s: %s", i, *scopeSeed, a.all.name, scopeKinds[k].name, fault)
			if faults++; faults == faultsShown {
				t.FailNow()
			}
		}
		took[k] += time.Since(began)
		if (i+1)%50_000 == 0 {
			t.Logf("%d questions after %v, %d faults", i+1, time.Since(start).Round(time.Second), faults)
		}
	}
	for k, n := range asked {
		t.Logf("%8d %s, %.2f ms each", n, scopeKinds[k].name, took[k].Seconds()*1000/float64(max(n, 1)))
	}
	for _, a := range askers[:2] {
		if fault := a.follows(); fault != "" {
			t.Error(fault)
		}
	}
}

// scopeSample is a third of the sample of relational queries: joins without conditions
// are among the questions.
func scopeSample(t testing.TB, seed uint64) *sample {
	s := relationSample(t, seed)
	third := func(list []*record) (out []*record) {
		for i := 0; i < len(list); i += 3 {
			out = append(out, list[i])
		}
		return out
	}
	return &sample{events: third(s.events), other: third(s.other)}
}

// collect runs a query in a view.
func collect(v *engine.View, text string, args ...any) (out [][]any, err error) {
	rows, err := v.Query(context.Background(), text, args...)
	if err != nil {
		return nil, err
	}
	return cells(rows)
}

// cells reads a result.
func cells(rows *engine.Rows) (out [][]any, err error) {
	defer rows.Close()
	for {
		b, err := rows.Next()
		if err == io.EOF {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		for i := range b.Len {
			row := make([]any, len(b.Cols))
			for c, v := range b.Cols {
				row[c] = cell(v, i)
			}
			out = append(out, row)
		}
	}
}

// foreign returns a value of a result that is of others and not of the question.
func (a *scopeAsker) foreign(rows [][]any, question string) string {
	for _, row := range rows {
		for _, v := range row {
			if s, ok := v.(string); ok && a.theirs[s] && !strings.Contains(question, s) && !strings.Contains(question, quoted(s)) {
				return fmt.Sprintf("the answer has %.200q, which is of others: %s", s, question)
			}
		}
	}
	return ""
}

// compare asks both lakes a text; total says that the order of the rows is told.
func (a *scopeAsker) compare(text string, ordered bool, args ...any) (fault string, err error) {
	got, err1 := collect(a.view, text, args...)
	want, err2 := collect(a.alone, text, args...)
	return a.same(text+fmt.Sprintf(" -- %q", args), got, want, err1, err2, ordered), err1
}

// same compares what both lakes have said.
func (a *scopeAsker) same(text string, got, want [][]any, err1, err2 error, ordered bool) string {
	switch {
	case err1 != nil && err2 != nil:
		if errorKind(err1) != errorKind(err2) {
			return fmt.Sprintf("errors differ: %v; alone: %v; %s", err1, err2, text)
		}
		return tells(a.scopedReader, text, err1)
	case err1 != nil:
		return fmt.Sprintf("it fails: %v; %s", err1, text)
	case err2 != nil:
		return fmt.Sprintf("it should fail: %v; %s", err2, text)
	}
	if fault := a.foreign(got, text); fault != "" {
		return fault
	}
	if ordered {
		if len(got) != len(want) {
			return fmt.Sprintf("%d rows instead of %d: %s", len(got), len(want), text)
		}
		for i := range got {
			if rowKey(got[i]) != rowKey(want[i]) {
				return fmt.Sprintf("row %d is %s instead of %s: %s", i, showRow(got[i]), showRow(want[i]), text)
			}
		}
		return ""
	}
	if d := differ(bag(want, false), bag(got, false)); d != "" {
		return d + ": " + text
	}
	return ""
}

// askQuery asks what TestDifferential asks. Where the answer is left open, or an error
// depends on how far the query was read, the plain evaluation decides.
func (a *scopeAsker) askQuery() string {
	q := a.maker.query()
	w := a.all.writer(q.alias == "T1")
	text := w.text(q)
	got, err := collect(a.view, text, w.args...)
	if q.limit < 0 && q.offset < 0 {
		want, err2 := collect(a.alone, text, w.args...)
		if fault := a.same(text+fmt.Sprintf(" -- %q", w.args), got, want, err, err2, q.total()); fault == "" {
			return ""
		}
	} else if fault := a.foreign(got, text+fmt.Sprint(w.args)); fault != "" {
		return fault
	}
	if fault := judge(q, evaluate(q, a.own), got, err); fault != "" {
		return fmt.Sprintf("%s: %s -- %q", fault, text, w.args)
	}
	return ""
}

func (a *scopeAsker) askRelation() string {
	q := a.rel.Query()
	got, err := collect(a.view, q.Cairn)
	want, err2 := collect(a.alone, q.Cairn)
	if err != nil && err2 == nil || err == nil && err2 != nil {
		// An error of data comes from the rows that were read before the answer was
		// complete; both may be right.
		if e := errors.Join(err, err2); dataError(e) && strings.Contains(q.Cairn, "LIMIT") {
			return ""
		}
	}
	if err != nil || err2 != nil {
		return a.same(q.Cairn, got, want, err, err2, false)
	}
	if fault := a.foreign(got, q.Cairn); fault != "" {
		return fault
	}
	// Keys that tie are alike, so that the order of rows needs no more than equal sets.
	d := differ(bag(rounded(want), false), bag(rounded(got), false))
	if d != "" {
		return d + ": " + q.Cairn
	}
	return ""
}

// rounded leaves out the last digits of sums, whose order is the engine's own.
func rounded(rows [][]any) [][]any {
	for _, row := range rows {
		for i, v := range row {
			if f, ok := v.(float64); ok {
				row[i] = fmt.Sprintf("%.7g", f)
			}
		}
	}
	return rows
}

// column is a column that is a text, by its name.
func (a *scopeAsker) column() string {
	for {
		if c := textCols[a.rng.IntN(len(textCols))]; !strings.Contains(c.path, "credentiais") {
			return c.path
		}
	}
}

// value is a text of somebody's event, as a literal.
func (a *scopeAsker) value(path string) string {
	c := textCols[slices.IndexFunc(textCols, func(c *col) bool { return c.path == path })]
	for range 20 {
		if s, ok := a.whole.events[a.rng.IntN(len(a.whole.events))].value(c).(string); ok && s != "" && len(s) < 200 {
			return quoted(s)
		}
	}
	return "'none'"
}

func (a *scopeAsker) pick(list ...string) string { return list[a.rng.IntN(len(list))] }

// moment is a time within the sample, as a literal.
func (a *scopeAsker) moment() string {
	c := timeCols[0]
	for range 20 {
		if x, ok := a.whole.events[a.rng.IntN(len(a.whole.events))].value(c).(instant); ok && x > 0 {
			return "TIMESTAMP '" + x.time().Format("2006-01-02 15:04:05") + "'"
		}
	}
	return "TIMESTAMP '2026-01-01 00:00:00'"
}

// askShortcut asks what the engine answers without reading rows, where it can: from the
// counts and bounds of segments, dictionaries, bitmaps and filters.
func (a *scopeAsker) askShortcut() string {
	c, d := a.column(), a.column()
	from := " FROM " + a.pick("events", "events", "events", "other")
	text := ""
	switch a.rng.IntN(16) {
	case 0:
		text = "SELECT count(*), count(" + c + "), count(DISTINCT " + d + ")" + from
	case 1:
		text = "SELECT min(" + c + "), max(" + c + "), min(eventTime), max(eventTime)" + from
	case 2:
		text = "SELECT " + c + ", count(*)" + from + " GROUP BY 1"
	case 3:
		text = "SELECT DISTINCT " + c + from
	case 4:
		text = "SELECT " + c + ", " + d + ", count(*)" + from + " GROUP BY 1, 2"
	case 5:
		text = "SELECT count(*)" + from + " WHERE " + c + " = " + a.value(c)
	case 6:
		text = "SELECT eventID, " + c + from + " WHERE " + c + " IN (" + a.value(c) + ", " + a.value(c) + ", " + a.value(c) + ")"
	case 7:
		text = "SELECT eventJson" + from + " WHERE eventID = " + a.value("eventID")
	case 8:
		text = "SELECT count(*)" + from + " WHERE " + c + " IS NULL"
	case 9:
		text = "SELECT approx_distinct(" + c + "), count(*)" + from + " WHERE " + d + " <> " + a.value(d)
	case 10:
		text = "SELECT count(*), max(eventID)" + from + " WHERE eventTime >= " + a.moment() + a.pick("", " AND eventTime < "+a.moment())
	case 11:
		text = "SELECT EXISTS (SELECT 1" + from + " WHERE " + c + " = " + a.value(c) + "), (SELECT count(*)" + from + " WHERE recipientAccountId = " + a.value("recipientAccountId") + ")"
	case 12:
		v := a.value(a.pick("eventID", "userIdentity.arn", "sourceIPAddress"))
		text = "SELECT count(*)" + from + " WHERE eventJson LIKE '%' || " + v + " || '%'"
	case 13:
		text = "SELECT recipientAccountId, count(*), min(eventTime), max(eventID)" + from + " GROUP BY recipientAccountId"
	case 14:
		text = "SELECT max(" + c + ") FILTER (WHERE " + d + " > " + a.value(d) + "), sum(length(" + c + "))" + from
	default:
		text = "SELECT eventTime, " + c + from + " ORDER BY eventTime DESC, 2 LIMIT " + a.pick("1", "5", "20")
	}
	fault, _ := a.compare(text, false)
	return fault
}

// askPlan compares plans, which have estimates and figures of what was left out.
func (a *scopeAsker) askPlan() string {
	text := ""
	if a.rng.IntN(2) == 0 {
		text = a.rel.Query().Cairn
	} else {
		q := a.maker.query()
		w := a.all.writer(false)
		if text = w.text(q); len(w.args) > 0 {
			return "" // their plans are those of TestDifferentialScope
		}
	}
	if a.rng.IntN(4) > 0 {
		fault, _ := a.compare("EXPLAIN "+text, true)
		return fault
	}
	// What was read and how long it took is the lake's own; rows and texts are not.
	got, err := collect(a.view, "EXPLAIN ANALYZE "+text)
	if err != nil {
		return tells(a.scopedReader, text, err)
	}
	return a.foreign(got, text)
}

// askError asks what must or may fail: the kind of failure, and every text in it, are
// those of a lake without the others.
func (a *scopeAsker) askError() string {
	c := a.column()
	exact := false
	text := ""
	switch a.rng.IntN(12) {
	case 0:
		text = "SELECT CAST(" + c + " AS " + a.pick("bigint", "double", "timestamp", "date", "boolean") + ") FROM events"
	case 1:
		text = "SELECT 1 / (CASE WHEN " + c + " = " + a.value(c) + " THEN 0 ELSE 1 END) FROM events"
	case 2:
		text = "SELECT (SELECT " + c + " FROM events WHERE recipientAccountId = " + a.value("recipientAccountId") + ")"
	case 3:
		text, exact = "SELECT "+c[:len(c)-1]+"x FROM events", true
	case 4:
		text, exact = "SELECT 1 FROM "+a.pick("event", "othr", "cairn_audit", "event_history", "Cairn_Audit", "zzz", `"events "`), true
	case 5:
		text, exact = "SHOW "+a.pick("TABLES", "COLUMNS FROM events", "COLUMNS FROM cairn_audit", "TABLES LIKE '%a%'"), true
	case 6:
		text = "SELECT element_at(split(" + c + ", '.'), 0) FROM events WHERE eventID = " + a.value("eventID")
	case 7:
		text = "SELECT json_parse(" + c + ") FROM events WHERE " + c + " = " + a.value(c)
	case 8:
		text = "SELECT requestParameters['bucketName'] FROM events WHERE eventID = " + a.value("eventID")
	case 9:
		text = "SELECT count(*) FROM events a JOIN cairn_audit b ON a.eventID = b.eventID"
		exact = true
	case 10:
		text = "SELECT regexp_like(" + c + ", " + a.value(c) + " || '(') FROM events"
	default:
		text = "SELECT date_parse(" + c + ", '%Y') FROM events WHERE " + c + " LIKE " + a.value(c)
	}
	fault, err := a.compare(text, false)
	if fault == "" && exact && err != nil {
		if _, err2 := collect(a.alone, text); err2 == nil || err.Error() != err2.Error() {
			return fmt.Sprintf("%s: %v; alone: %v", text, err, err2)
		}
		var e *sqlerr.Error
		var e2 *sqlerr.Error
		_, again := collect(a.alone, text)
		if errors.As(err, &e) && errors.As(again, &e2) && (e.Hint != e2.Hint || e.Detail != e2.Detail) {
			return fmt.Sprintf("%s: hint %q, detail %q; alone: %q, %q", text, e.Hint, e.Detail, e2.Hint, e2.Detail)
		}
	}
	return fault
}

// askSnapshot asks as sessions of the wire do: a statement prepared once, run over
// snapshots with values.
func (a *scopeAsker) askSnapshot() string {
	c := a.column()
	text := "SELECT " + a.pick("count(*), min(eventID)", "count(DISTINCT eventName), max("+c+")") + " FROM events WHERE " + c + a.pick(" = ", " > ", " <= ") + "$1"
	value := strings.ReplaceAll(strings.Trim(a.value(c), "'"), "''", "'")
	ask := func(v *engine.View) ([][]any, error) {
		take := v.LazySnapshot
		if a.rng.IntN(2) == 0 {
			take = v.Snapshot
		}
		snap, err := take()
		if err != nil {
			return nil, err
		}
		defer snap.Close()
		st, err := snap.Prepare(context.Background(), text, engine.RunOptions{})
		if err != nil {
			return nil, err
		}
		rows, err := snap.Run(context.Background(), st, []any{value}, engine.RunOptions{})
		if err != nil {
			return nil, err
		}
		return cells(rows)
	}
	got, err1 := ask(a.view)
	want, err2 := ask(a.alone)
	return a.same(text+" -- "+value, got, want, err1, err2, false)
}

// askLookup reads the pages of a look-up.
func (a *scopeAsker) askLookup() string {
	req := engine.LookupRequest{Limit: 1 + a.rng.IntN(60), Attributes: map[string]string{}}
	for range a.rng.IntN(3) {
		name := a.pick("EventId", "EventName", "EventSource", "AccessKeyId", "Username")
		path := map[string]string{"EventId": "eventID", "EventName": "eventName", "EventSource": "eventSource",
			"AccessKeyId": "userIdentity.accessKeyId", "Username": "userIdentity.userName"}[name]
		if !slices.ContainsFunc(textCols, func(c *col) bool { return c.path == path }) {
			continue
		}
		req.Attributes[name] = strings.ReplaceAll(strings.Trim(a.value(path), "'"), "''", "'")
	}
	pages := func(v *engine.View) (out []string, err error) {
		req := req
		for {
			page, err := v.Lookup(context.Background(), "events", req)
			if err != nil {
				return nil, err
			}
			for _, e := range page.Events {
				if e.Seq != 0 {
					return nil, fmt.Errorf("event %s has number %d", e.EventID, e.Seq)
				}
				out = append(out, string(e.Record))
			}
			if req.Token = page.Next; req.Token == "" {
				return out, nil
			}
		}
	}
	got, err := pages(a.view)
	if err != nil {
		return fmt.Sprintf("looking up %v: %v", req.Attributes, err)
	}
	want, err := pages(a.alone)
	if err != nil {
		return fmt.Sprintf("looking up %v alone: %v", req.Attributes, err)
	}
	for _, rec := range got {
		if !a.mine[rec] {
			return fmt.Sprintf("looking up %v gives a record of others: %.200s", req.Attributes, rec)
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		return fmt.Sprintf("looking up %v gives %d records instead of %d", req.Attributes, len(got), len(want))
	}
	return ""
}

// askRecord asks for records by number, beyond the end of the store, too.
func (a *scopeAsker) askRecord() string {
	seq := a.rng.Uint64N(uint64(2 * len(a.whole.events)))
	rec, err := a.view.Record(context.Background(), a.pick("events", "other"), seq)
	switch {
	case err == nil && !a.mine[string(rec)]:
		return fmt.Sprintf("record %d is of others: %.200s", seq, rec)
	case err != nil && !errors.Is(err, engine.ErrNotFound):
		return fmt.Sprintf("record %d: %v", seq, err)
	}
	if err == nil {
		return ""
	}
	_, none := a.view.Record(context.Background(), "events", 1<<50)
	if want := strings.ReplaceAll(none.Error(), fmt.Sprint(uint64(1)<<50), fmt.Sprint(seq)); strings.ReplaceAll(err.Error(), "store other", "store events") != want {
		return fmt.Sprintf("record %d: %v, instead of %v", seq, err, want)
	}
	return ""
}

// askWhole takes everything out, and asks for the figures.
func (a *scopeAsker) askWhole() string {
	ctx := context.Background()
	total := 0
	for _, store := range []string{"events", "other"} {
		n := 0
		err := a.view.Each(ctx, store, func(rec []byte) error {
			n++
			if !a.mine[string(rec)] {
				return fmt.Errorf("a record of others: %.200s", rec)
			}
			return nil
		})
		if want := len(a.own.store(store)); err != nil || n != want {
			return fmt.Sprintf("exporting %s: %d records instead of %d: %v", store, n, want, err)
		}
		total += n
		if _, err := a.view.Whole(store); !errors.Is(err, engine.ErrRefused) {
			return fmt.Sprintf("the whole of store %s: %v", store, err)
		}
	}
	st, err := a.view.Stats(ctx)
	if err != nil || len(st.Stores) != 2 || st.Stores[0].Events+st.Stores[1].Events != int64(total) || st.WALBytes != 0 || st.DiskBytes != 0 {
		return fmt.Sprintf("figures: %+v, %v", st, err)
	}
	if err := a.view.Each(ctx, engine.AuditStore, func([]byte) error { return nil }); !errors.Is(err, engine.ErrNotFound) {
		return fmt.Sprintf("exporting the audit store: %v", err)
	}
	return ""
}

// follows appends events of everybody and looks at them as LISTEN does. It is the last
// question: the lakes differ from then on.
func (a *scopeAsker) follows() string {
	ctx := context.Background()
	tail, err := a.view.Follow("events")
	if err != nil {
		return err.Error()
	}
	store, err := a.all.l.Store("events")
	if err != nil {
		return err.Error()
	}
	mine := a.scope.Accounts[len(a.scope.Accounts)-1]
	for i := range 20 {
		account := mine
		if i%2 == 0 {
			account = "999988887777"
		}
		id := fmt.Sprintf("%08x-0000-4000-8000-%012d", len(mine)+i*31, a.rng.IntN(1e9))
		rec := oddRecord(`"eventID":"`+id+`"`, `"recipientAccountId":"`+account+`"`)
		if _, err := store.Append(ctx, [][]byte{rec}); err != nil {
			return err.Error()
		}
		if err := tail.Wait(ctx); err != nil {
			return err.Error()
		}
		snap, err := tail.Snapshot()
		if err != nil {
			return err.Error()
		}
		const q = "SELECT eventID, recipientAccountId FROM events"
		st, err := snap.Prepare(ctx, q, engine.RunOptions{})
		if err != nil {
			return err.Error()
		}
		rows, err := snap.Run(ctx, st, nil, engine.RunOptions{})
		if err != nil {
			return err.Error()
		}
		got, err := cells(rows)
		snap.Close()
		if err != nil || len(got) != i%2 || i%2 == 1 && (got[0][0] != id || got[0][1] != mine) {
			return fmt.Sprintf("following an event of account %s gives %v, %v", account, got, err)
		}
	}
	return ""
}
