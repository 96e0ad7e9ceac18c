package enginetest_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cairndb/cairn/engine"
	"github.com/cairndb/cairn/engine/enginetest"
	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/sqlerr"
)

// The differential test asks lakes that hold the same events in different ways
// the same random questions. All must answer as a plain evaluation does that
// decodes every record with encoding/json and walks a tree for every row. A
// second test asks each lake questions whose answers must fit each other, a
// third one asks SQLite and PostgreSQL what they can be asked, too.
//
//	go test ./engine/enginetest -run Differential -diff.queries=20000 -diff.seed=7
//
// runs a long campaign; seeds are printed, and the same numbers give the same
// records and queries. A query that goes wrong is made smaller before it is
// shown.
//
// The parts:
//
//	differential_data_test.go    records, odd ones among them, and how they read
//	differential_expr_test.go    expressions and their plain evaluation
//	differential_query_test.go   queries: evaluation, comparison, SQL text
//	differential_make_test.go    the random queries
//	differential_shrink_test.go  smaller queries that still go wrong
//	differential_peers_test.go   SQLite and PostgreSQL
//	differential_scope_test.go   readers who see some accounts only
var (
	diffQueries = flag.Int("diff.queries", 400, "random queries of the differential test")
	diffSeed    = flag.Uint64("diff.seed", 1, "seed of the differential test's records and queries")
	diffEvents  = flag.Int("diff.events", 2000, "generated events of the differential test")
	diffAll     = flag.Bool("diff.all", false, "ask every query of every lake, not of three in turn")
	diffShow    = flag.Bool("diff.show", false, "log every query of the differential test")
)

// faultsShown ends a test that has found enough.
const faultsShown = 10

// config is one way to hold the events.
type config struct {
	name    string
	options engine.Options
	files   bool           // imported from log files, not appended
	later   engine.Options // the options to open the lake with again, after most events are in it
	merged  bool           // wait until small segments have become large ones
	reopen  int            // open the lake again after so many queries, 0: never
}

var configs = []config{
	{name: "memtable", options: engine.Options{}},
	{name: "tiny segments", options: engine.Options{SegmentRows: 64, MemtableRows: 64, NoMerge: true}},
	{name: "no bitmaps", options: engine.Options{SegmentRows: 500, NoBitmaps: true, Workers: 1}},
	{name: "imported", options: engine.Options{SegmentRows: 800, NoMerge: true}, files: true},
	{name: "reopened", options: engine.Options{SegmentRows: 600, CacheBytes: 4 << 20}, reopen: 9},
	{name: "encrypted", options: engine.Options{SegmentRows: 300, CacheBytes: 1 << 20, Keeper: enginetest.OpenKeeper{}}, reopen: 11},
	{name: "merged", options: engine.Options{SegmentRows: 64, NoMerge: true}, later: engine.Options{SegmentRows: 2048, MemtableRows: 64}, merged: true},
}

// lake is an open lake that holds the sample.
type lake struct {
	config
	t       testing.TB
	fs      vfs.FS
	options engine.Options
	l       *engine.Lake
	asked   int
	scope   *engine.Scope // asked as who sees no more than this; nil for everything
}

// now is what the lakes' clocks say.
var now = time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC)

func openLakes(t testing.TB, s *sample, configs []config) (out []*lake) {
	for _, c := range configs {
		l := &lake{config: c, t: t, fs: vfs.NewMem()}
		l.open(c.options)
		t.Cleanup(func() { l.close() })
		for _, store := range []string{"events", "other"} {
			if _, err := l.l.CreateStore(context.Background(), store); err != nil {
				t.Fatal(err)
			}
			if c.files {
				l.importFiles(store, s.store(store))
			} else {
				l.append(store, s.store(store))
			}
		}
		if c.merged {
			l.waitMerged()
		}
		out = append(out, l)
	}
	return out
}

func (l *lake) open(o engine.Options) {
	l.t.Helper()
	o.FS, o.MemtableAge = l.fs, -1
	o.Clock = func() time.Time { return now }
	o.Rand = rand.NewChaCha8([32]byte{byte(l.asked)}) // the IDs of the stores are the same in all lakes
	var err error
	if l.l, err = engine.Open("lake", &o); err != nil {
		l.t.Fatalf("%s: %v", l.name, err)
	}
	l.options = o
}

func (l *lake) close() {
	if l.l == nil {
		return
	}
	if err := l.l.Close(); err != nil {
		l.t.Errorf("%s: %v", l.name, err)
	}
	l.l = nil
}

func (l *lake) append(store string, records []*record) {
	l.t.Helper()
	for i := 0; i < len(records); i += 97 {
		if i > len(records)*3/4 && l.later.SegmentRows > 0 && l.options.SegmentRows != l.later.SegmentRows {
			l.close()
			l.open(l.later)
		}
		s, err := l.l.Store(store)
		if err != nil {
			l.t.Fatal(err)
		}
		var batch [][]byte
		for _, r := range records[i:min(i+97, len(records))] {
			batch = append(batch, []byte(r.raw))
		}
		verdicts, err := s.Append(context.Background(), batch)
		if err != nil {
			l.t.Fatal(err)
		}
		for k, v := range verdicts {
			if v.Status != engine.Stored && v.Status != engine.Conflict {
				l.t.Fatalf("%s: %s %s %s: %s", l.name, v.Status, v.Reason, v.Detail, batch[k])
			}
		}
	}
}

// importFiles writes the records to log files of all forms and imports them.
func (l *lake) importFiles(store string, records []*record) {
	l.t.Helper()
	dir := "logs-" + store
	if err := l.fs.MkdirAll(dir, 0o755); err != nil {
		l.t.Fatal(err)
	}
	for i := 0; i*211 < len(records); i++ {
		var raws [][]byte
		for _, r := range records[i*211 : min(i*211+211, len(records))] {
			raws = append(raws, []byte(r.raw))
		}
		var b []byte
		switch i % 4 {
		case 0:
			b = append(append([]byte(`{"Records":[`), bytes.Join(raws, []byte(","))...), "]}"...)
		case 1:
			b = bytes.Join(raws, []byte("\n"))
		case 2:
			b = append(append([]byte("[\n"), bytes.Join(raws, []byte(" ,\n"))...), "\n]\n"...)
		case 3:
			var z bytes.Buffer
			w := gzip.NewWriter(&z)
			w.Write(append(append([]byte(`{"Records" : [ `), bytes.Join(raws, []byte(", "))...), "] }"...))
			w.Close()
			b = z.Bytes()
		}
		f, err := l.fs.Create(fmt.Sprintf("%s/%04d.json", dir, i), vfs.WriteCategoryUnspecified)
		if err != nil {
			l.t.Fatal(err)
		}
		if _, err := f.Write(b); err != nil {
			l.t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			l.t.Fatal(err)
		}
	}
	r, err := l.l.Import(context.Background(), engine.ImportOptions{Store: store, Paths: []string{dir}})
	if err != nil {
		l.t.Fatal(err)
	}
	if n := r.Stored + r.Conflicts; n != int64(len(records)) {
		l.t.Fatalf("%s: %d of %d records imported: %+v", l.name, n, len(records), r.Reasons)
	}
}

// waitMerged waits until there are few segments.
func (l *lake) waitMerged() {
	l.t.Helper()
	for range 2000 {
		st, err := l.l.Stats(context.Background())
		if err != nil {
			l.t.Fatal(err)
		}
		segments := 0
		for _, s := range st.Stores {
			segments += s.Segments
		}
		if segments < 14 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	l.t.Fatalf("%s: the segments are not merged after 20 s", l.name)
}

// writer writes queries for the lake, stores by name or ID.
func (l *lake) writer(byID bool) *writer {
	return &writer{store: func(name string) string {
		if !byID {
			return name
		}
		s, err := l.l.Store(name)
		if err != nil {
			l.t.Fatal(err)
		}
		return s.ID()
	}}
}

// ask runs a query.
func (l *lake) ask(q *query) (rows [][]any, text string, err error) {
	w := l.writer(q.alias == "T1")
	text = w.text(q)
	rows, err = l.run(text, w.args...)
	if len(w.args) > 0 {
		text += fmt.Sprintf("   -- %#v", w.args)
	}
	return rows, text, err
}

// run runs SQL text.
func (l *lake) run(text string, args ...any) (out [][]any, err error) {
	return l.runUpTo(math.MaxInt, text, args...)
}

// errTooManyRows is the error of a query with more rows than the test wants to hold.
var errTooManyRows = errors.New("too many rows")

// runUpTo is run, and errTooManyRows after most rows.
func (l *lake) runUpTo(most int, text string, args ...any) (out [][]any, err error) {
	if l.asked++; l.reopen > 0 && l.asked%l.reopen == 0 {
		l.close()
		l.open(l.options)
	}
	query := l.l.Query
	if l.scope != nil {
		query = l.l.As(*l.scope).Query
	}
	rows, err := query(context.Background(), text, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for {
		b, err := rows.Next()
		if err == io.EOF {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		if len(out)+b.Len > most {
			return nil, errTooManyRows
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

// cell is a value as the plain evaluation has it.
func cell(v *column.Vector, i int) any {
	if v.IsNull(i) {
		return nil
	}
	leaf, j := v.Leaf(i)
	switch t := leaf.Type; t.Kind {
	case column.Boolean:
		return leaf.I64[j] != 0
	case column.TinyInt, column.SmallInt, column.Integer, column.BigInt:
		return leaf.I64[j]
	case column.Real, column.Double:
		return leaf.F64[j]
	case column.Varchar:
		return leaf.Str[j]
	case column.Date:
		return day(leaf.I64[j])
	case column.Timestamp:
		return instant(leaf.I64[j])
	case column.Row:
		var parts []string
		for _, c := range leaf.Children {
			parts = append(parts, show(cell(c, j)))
		}
		return nested("(" + strings.Join(parts, ", ") + ")")
	case column.Array, column.Map:
		var parts []string
		for e := int(leaf.Offsets[j]); e < int(leaf.Offsets[j+1]); e++ {
			s := show(cell(leaf.Children[0], e))
			if t.Kind == column.Map {
				s += "=" + show(cell(leaf.Children[1], e))
			}
			parts = append(parts, s)
		}
		if t.Kind == column.Map {
			slices.Sort(parts)
			return nested("{" + strings.Join(parts, ", ") + "}")
		}
		return nested("[" + strings.Join(parts, ", ") + "]")
	}
	return fmt.Sprintf("a value of type %s", leaf.Type)
}

// errorKind tells errors apart, so that a smaller query fails for the same
// reason: the SQLSTATE.
func errorKind(err error) string {
	var e *sqlerr.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return "other"
}

// dataError reports whether an error is one that a value in a query may cause.
func dataError(err error) bool { return strings.HasPrefix(errorKind(err), "22") }

// TestDifferential compares lakes of all configurations with the plain
// evaluation.
func TestDifferential(t *testing.T) {
	differential(t, configs, *diffEvents, *diffQueries, *diffSeed)
}

// largeConfigs hold segments and a memtable of several blocks of rows.
var largeConfigs = []config{
	{name: "large memtable", options: engine.Options{}},
	{name: "large segment", options: engine.Options{}, files: true},
	{name: "large segments", options: engine.Options{SegmentRows: 4500, NoMerge: true, NoBitmaps: true}},
}

// TestDifferentialLarge is TestDifferential with fewer queries over more events:
// what is read block by block has a second and a third block here.
func TestDifferentialLarge(t *testing.T) {
	differential(t, largeConfigs, *diffEvents*9/2, max(*diffQueries/16, 1), *diffSeed+3)
}

func differential(t *testing.T, configs []config, events, queries int, seed uint64) {
	t.Logf("-diff.seed=%d, %d events, %d queries", *diffSeed, events, queries)
	s := newSample(t, events, seed)
	lakes := openLakes(t, s, configs)
	m := newMaker(s, seed, false)
	faults, empty, failing := 0, 0, 0
	for i := range queries {
		q := m.query()
		if *diffShow {
			t.Logf("%d: %s", i, lakes[0].writer(false).text(q))
		}
		want := evaluate(q, s)
		switch {
		case want.err != nil:
			failing++
		case len(want.rows) == 0:
			empty++
		}
		for _, l := range someOf(lakes, i, 3) {
			got, _, err := l.ask(q)
			if fault := judge(q, want, got, err); fault != "" {
				t.Errorf("query %d of -diff.seed=%d, %s", i, *diffSeed, explain(l, s, q))
				faults++
				break
			}
		}
		if faults == faultsShown {
			t.Fatalf("stopped after %d faults in %d queries", faults, i+1)
		}
	}
	t.Logf("%d queries had no rows, %d were to fail and did", empty, failing)
	if queries >= 100 && empty > queries/2 {
		t.Errorf("%d of %d queries had no rows: the test shows little", empty, queries)
	}
	for _, l := range lakes {
		report, err := l.l.Check(context.Background(), engine.CheckOptions{})
		if err != nil {
			t.Errorf("%s: %v", l.name, err)
			continue
		}
		for _, p := range report.Problems {
			t.Errorf("%s: check: %v", l.name, p)
		}
	}
}

// someOf returns n of the lakes, in turn, or all when that is asked for.
func someOf(lakes []*lake, turn, n int) (out []*lake) {
	if *diffAll {
		return lakes
	}
	for i := range min(n, len(lakes)) {
		out = append(out, lakes[(turn*n+turn/2+i)%len(lakes)])
	}
	return out
}

// judge is query.check, with errors of the wrong sort as faults.
func judge(q *query, want *answer, got [][]any, err error) string {
	if err != nil && want.err != nil && !dataError(err) {
		return "it fails with another error than one of its data: " + err.Error()
	}
	return q.check(want, got, err)
}

// explain makes a query that goes wrong on a lake smaller, and shows both
// answers.
func explain(l *lake, s *sample, q *query) string {
	category := func(q *query) string {
		got, _, err := l.ask(q)
		switch fault := judge(q, evaluate(q, s), got, err); {
		case fault == "":
			return ""
		case err != nil:
			return "error " + errorKind(err)
		}
		return "rows"
	}
	_, full, _ := l.ask(q)
	want := category(q)
	small := shrink(q, func(q *query) bool { return category(q) == want })
	got, text, err := l.ask(small)
	a := evaluate(small, s)
	var b strings.Builder
	fmt.Fprintf(&b, "configuration %q: %s\nquery:   %s\nsmaller: %s\n", l.name, judge(small, a, got, err), full, text)
	if want == "" {
		b.WriteString("the fault did not show again: the answer is not always the same\n")
	}
	fmt.Fprintf(&b, "expected: %s\ngot:      %s", showAnswer(small, a.rows, got, a.err), showAnswer(small, got, a.rows, err))
	return b.String()
}

// showAnswer shows the first rows of an answer, those first that another does
// not have.
func showAnswer(q *query, rows, other [][]any, err error) string {
	if err != nil {
		return "error: " + err.Error()
	}
	const most, long = 6, 400
	left := map[string]int{}
	for _, r := range other {
		left[rowKey(r)]++
	}
	var lines []string
	add := func(mark string, r []any) {
		s := showRow(r)
		if len(s) > long {
			s = s[:long] + "…"
		}
		lines = append(lines, mark+s)
	}
	for _, r := range rows {
		if left[rowKey(r)]--; left[rowKey(r)] < 0 && len(lines) < most {
			add("only here: ", r)
		}
	}
	for _, r := range rows[:min(len(rows), most-len(lines))] {
		add("", r)
	}
	return fmt.Sprintf("%d rows\n    %s", len(rows), strings.Join(lines, "\n    "))
}

// TestDifferentialPartition asks every lake questions that must fit together,
// with conditions that the plain evaluation is not asked about: the rows that
// meet a condition, those that do not and those for which it is unknown are all
// rows, for lists, counts, sums and groups; and counting by a condition as a
// value gives as many rows as filtering by it.
func TestDifferentialPartition(t *testing.T) {
	n := max(*diffQueries/8, 1)
	t.Logf("-diff.seed=%d, %d conditions", *diffSeed, n)
	s := newSample(t, *diffEvents/3, *diffSeed+1)
	lakes := openLakes(t, s, configs)
	m := newMaker(s, *diffSeed+1, false)
	m.inKey++ // no parameters: the texts are put together here
	faults := 0
	for i := range n {
		m.alias = ""
		cond := m.cond(3)
		k := choose(m, kText, kInt, kTime, kBool)
		list := &query{store: "events", limit: -1, offset: -1, items: []*expr{m.value(k, 2), m.column(eventIDCol)}}
		key := &query{store: "events", limit: -1, offset: -1, items: []*expr{m.column(often(m, m.columns))}}
		amount := m.small(2)
		for _, l := range someOf(lakes, i, 2) {
			w := l.writer(false)
			p, items, group, sum := w.expr(list, cond), w.list(list, list.items), w.list(key, key.items), w.expr(list, amount)
			ask := func(format string, args ...any) [][]any {
				text := fmt.Sprintf(format, args...)
				rows, err := l.run(text)
				if err != nil {
					t.Fatalf("condition %d of -diff.seed=%d, configuration %q: %s\n%v", i, *diffSeed, l.name, text, err)
				}
				return rows
			}
			parts := []string{p, "NOT " + p, "(" + p + ") IS NULL"}
			fault := func(format string, args ...any) {
				faults++
				t.Errorf("condition %d of -diff.seed=%d, configuration %q: %s\n%s", i, *diffSeed, l.name, p, fmt.Sprintf(format, args...))
			}
			// Lists, plain and distinct.
			for _, distinct := range []string{"", "DISTINCT "} {
				all := bag(ask("SELECT %s%s FROM events", distinct, items), distinct != "")
				var pieces [][]any
				for _, part := range parts {
					pieces = append(pieces, ask("SELECT %s%s FROM events WHERE %s", distinct, items, part)...)
				}
				if d := differ(all, bag(pieces, distinct != "")); d != "" {
					fault("SELECT %s%s: the parts are not the whole: %s", distinct, items, d)
				}
			}
			// Counts, sums, extremes, by group.
			total, pieces := map[string][]any{}, map[string][]any{}
			for _, row := range ask("SELECT %s, count(*), sum(%s), min(%[2]s), max(%[2]s) FROM events GROUP BY 1", group, sum) {
				total[rowKey(row[:1])] = row[1:]
			}
			for _, part := range parts {
				for _, row := range ask("SELECT %s, count(*), sum(%s), min(%[2]s), max(%[2]s) FROM events WHERE %s GROUP BY 1", group, sum, part) {
					k := rowKey(row[:1])
					pieces[k] = together(pieces[k], row[1:])
				}
			}
			for k, row := range total {
				if rowKey(row) != rowKey(pieces[k]) {
					fault("group %s of %s: %s in the whole, %s in the parts", k, group, showRow(row), showRow(pieces[k]))
					break
				}
			}
			if len(total) != len(pieces) {
				fault("%d groups by %s in the whole, %d in the parts", len(total), group, len(pieces))
			}
			// The condition as a filter and as a value.
			yes := ask("SELECT count(*) FROM events WHERE %s", p)[0][0].(int64)
			value := int64(0)
			for _, row := range ask("SELECT %s FROM events", p) {
				if row[0] == true {
					value++
				}
			}
			counted := ask("SELECT count_if(%s), count(*) FILTER (WHERE %[1]s), coalesce(sum(CASE WHEN %[1]s THEN 1 ELSE 0 END), 0) FROM events", p)[0]
			if value != yes || rowKey(counted) != rowKey([]any{yes, yes, yes}) {
				fault("%d rows meet the condition, %d have it true, aggregates count %s", yes, value, showRow(counted))
			}
			if faults >= faultsShown {
				t.FailNow()
			}
		}
	}
}

// bag counts rows by their text; distinct takes equal ones as one.
func bag(rows [][]any, distinct bool) map[string]int {
	out := map[string]int{}
	for _, r := range rows {
		if k := rowKey(r); !distinct || out[k] == 0 {
			out[k]++
		}
	}
	return out
}

func differ(a, b map[string]int) string {
	for k, n := range a {
		if b[k] != n {
			return fmt.Sprintf("%d times instead of %d: %s", b[k], n, k)
		}
	}
	for k, n := range b {
		if a[k] == 0 {
			return fmt.Sprintf("%d times instead of never: %s", n, k)
		}
	}
	return ""
}

// together adds up count, sum, min and max of two parts of a group.
func together(a, b []any) []any {
	if a == nil {
		return b
	}
	out := slices.Clone(a)
	for i, x := range b {
		switch {
		case x == nil:
		case a[i] == nil:
			out[i] = x
		case i < 2:
			out[i] = a[i].(int64) + x.(int64)
		case (compare(x, a[i]) < 0) == (i == 2):
			out[i] = x
		}
	}
	return out
}
