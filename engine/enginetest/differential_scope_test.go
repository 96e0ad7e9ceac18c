package enginetest_test

import (
	"context"
	"flag"
	"fmt"
	"slices"
	"sort"
	"strings"
	"testing"

	"github.com/cairndb/cairn/engine"
)

// Two readers, each limited to accounts, ask lakes that hold everybody's events. What
// they get must be what the plain evaluation gives over their own events alone, and what
// they are told besides (EXPLAIN, the texts of errors) must be what a lake tells that
// holds nothing else.
//
//	go test ./engine/enginetest -run DifferentialScope -scope.evaluated=100000 -timeout 10h
//
// is a longer run; scope_test.go has the campaign.
var (
	scopeEvaluated = flag.Int("scope.evaluated", 200, "random queries of readers limited to accounts that the plain evaluation answers, too")
	scopeEvents    = flag.Int("scope.events", 700, "generated events of readers limited to accounts")
)

// accountCol is what tells whose an event is.
var accountCol = textCols[slices.IndexFunc(textCols, func(c *col) bool { return c.path == "recipientAccountId" })]

// only returns the records of a sample that are of some accounts.
func (s *sample) only(accounts []string) *sample {
	keep := func(list []*record) (out []*record) {
		for _, r := range list {
			if name, ok := r.value(accountCol).(string); ok && slices.Contains(accounts, name) {
				out = append(out, r)
			}
		}
		return out
	}
	return &sample{events: keep(s.events), other: keep(s.other)}
}

// scopedReader is one of the two.
type scopedReader struct {
	scope engine.Scope
	own   *sample
	alone *lake // holds the reader's events and nothing else
}

func scopedReaders(t testing.TB, s *sample) (out []*scopedReader) {
	t.Helper()
	count := map[string]int{}
	for _, r := range s.events {
		if name, ok := r.value(accountCol).(string); ok {
			count[name]++
		}
	}
	var names []string
	for name := range count {
		names = append(names, name)
	}
	sort.Slice(names, func(i, j int) bool {
		return count[names[i]] > count[names[j]] || count[names[i]] == count[names[j]] && names[i] < names[j]
	})
	if len(names) < 3 {
		t.Fatalf("the sample has events of the accounts %q only", names)
	}
	// The second one has odd accounts too, and one that there is not.
	for _, accounts := range [][]string{names[:1], append([]string{"nobody's", ""}, names[1:len(names)-1]...)} {
		r := &scopedReader{scope: engine.Scope{Stores: []string{engine.All}, Accounts: accounts}, own: s.only(accounts)}
		r.alone = openLakes(t, r.own, []config{{name: "alone"}})[0]
		r.alone.scope = &r.scope
		t.Logf("accounts %.100q: %d of %d events", accounts, len(r.own.events), len(s.events))
		if len(r.own.events) == 0 || len(r.own.events) == len(s.events) {
			t.Fatal("the sample does not tell readers apart")
		}
		out = append(out, r)
	}
	return out
}

func TestDifferentialScope(t *testing.T) {
	t.Logf("-diff.seed=%d, %d events, %d queries", *diffSeed, *scopeEvents, *scopeEvaluated)
	s := newSample(t, *scopeEvents, *diffSeed+11)
	lakes := openLakes(t, s, configs)
	readers := scopedReaders(t, s)
	m := newMaker(s, *diffSeed+11, false) // with values that readers have no events of
	empty, failing, faults := 0, 0, 0
	for i := range *scopeEvaluated {
		q, r := m.query(), readers[i%2]
		want := evaluate(q, r.own)
		switch {
		case want.err != nil:
			failing++
		case len(want.rows) == 0:
			empty++
		}
		for _, l := range someOf(lakes, i, 2) {
			l.scope = &r.scope
			got, text, err := l.ask(q)
			fault := judge(q, want, got, err)
			switch {
			case fault != "":
				fault = explain(l, r.own, q)
			case err != nil:
				fault = tells(r, text, err)
			default:
				fault = explains(l, r, q)
			}
			l.scope = nil
			if fault != "" {
				t.Errorf("query %d of -diff.seed=%d: %s", i, *diffSeed, fault)
				if faults++; faults == faultsShown {
					t.FailNow()
				}
				break
			}
		}
	}
	t.Logf("%d queries had no rows, %d were to fail and did", empty, failing)
	if *scopeEvaluated >= 100 && empty > *scopeEvaluated*2/3 {
		t.Errorf("%d of %d queries had no rows: the test shows little", empty, *scopeEvaluated)
	}
}

// tells returns what is wrong with the text of an error: what it quotes must be in the
// query or in events that the reader sees.
func tells(r *scopedReader, query string, err error) string {
	parts := strings.FieldsFunc(err.Error(), func(c rune) bool { return strings.ContainsRune("'\"“”`: ,()[]", c) })
	for _, part := range parts {
		if len(part) < 6 || strings.Contains(query, part) {
			continue
		}
		if foreign(r, part) {
			return fmt.Sprintf("the error of %s tells of %q: %v", query, part, err)
		}
	}
	return ""
}

// foreign reports whether a text is in nobody's events but those of others. Words of
// messages are in none.
func foreign(r *scopedReader, part string) bool {
	in := func(list []*record) bool {
		return slices.ContainsFunc(list, func(x *record) bool { return strings.Contains(x.raw, part) })
	}
	return !in(r.own.events) && !in(r.own.other) && strings.ContainsAny(part, "0123456789")
}

// explains compares the plans that the lake and the one with the reader's events alone
// show.
func explains(l *lake, r *scopedReader, q *query) string {
	plan := func(l *lake) string {
		w := l.writer(false)
		text := w.text(q)
		rows, err := l.run("EXPLAIN "+text, w.args...)
		if err != nil {
			return err.Error()
		}
		return fmt.Sprint(rows)
	}
	if a, b := plan(l), plan(r.alone); a != b {
		return fmt.Sprintf("EXPLAIN in configuration %q tells of others:\n%s\nalone:\n%s", l.name, a, b)
	}
	return ""
}

// TestScopeHidesStores asks for what a view does not show.
func TestScopeHidesStores(t *testing.T) {
	ctx := context.Background()
	s := newSample(t, 200, 5)
	l := openLakes(t, s, configs[:1])[0]
	id, err := l.l.Store("other")
	if err != nil {
		t.Fatal(err)
	}
	v := l.l.As(engine.Scope{Stores: []string{"EVENTS"}, Accounts: []string{engine.All}})
	none := l.l.As(engine.Scope{})
	for _, name := range []string{"other", id.ID(), "othar", "nosuch"} {
		_, err1 := v.Query(ctx, `SELECT 1 FROM "`+name+`"`)
		_, err2 := v.Query(ctx, `SELECT 1 FROM "zzzzzz"`)
		if err1 == nil || strings.ReplaceAll(err1.Error(), name, "zzzzzz") != err2.Error() {
			t.Errorf("store %s: %v, want as for one that there is not: %v", name, err1, err2)
		}
		if _, err := v.Lookup(ctx, name, engine.LookupRequest{}); err == nil || strings.Contains(strings.ReplaceAll(err.Error(), name, ""), "other") {
			t.Errorf("looking up in %s: %v", name, err)
		}
		if _, err := v.Record(ctx, name, 0); err == nil {
			t.Errorf("a record of %s", name)
		}
		if err := v.Each(ctx, name, func([]byte) error { return nil }); err == nil {
			t.Errorf("the records of %s", name)
		}
		_, err3 := v.AppendTo(ctx, name, [][]byte{[]byte("{}")})
		_, err4 := v.AppendTo(ctx, "zzzzzz", [][]byte{[]byte("{}")})
		if err3 == nil || strings.ReplaceAll(err3.Error(), name, "zzzzzz") != err4.Error() {
			t.Errorf("appending to %s: %v, %v", name, err3, err4)
		}
	}
	if _, err := none.Query(ctx, "SELECT 1 FROM events"); err == nil {
		t.Error("the zero scope sees a store")
	}
	if got := v.Stores(); len(got) != 1 || got[0].Name != "events" {
		t.Errorf("stores %+v", got)
	}
	if st, err := none.Stats(ctx); err != nil || len(st.Stores) != 0 || st.DiskBytes != 0 {
		t.Errorf("the zero scope's figures: %+v, %v", st, err)
	}
}

// TestScopeElsewhere asks a lake otherwise than in SQL.
func TestScopeElsewhere(t *testing.T) {
	ctx := context.Background()
	s := newSample(t, 600, 9)
	readers := scopedReaders(t, s)
	for _, l := range openLakes(t, s, configs) {
		for _, r := range readers {
			v := l.l.As(r.scope)
			mine := map[string]bool{}
			for _, x := range r.own.events {
				mine[x.raw] = true
			}
			n := 0
			err := v.Each(ctx, "events", func(rec []byte) error {
				n++
				if !mine[string(rec)] {
					return fmt.Errorf("a record of others: %.200s", rec)
				}
				return nil
			})
			if err != nil || n != len(mine) {
				t.Errorf("%s: %d of %d records: %v", l.name, n, len(mine), err)
			}
			found, token := 0, ""
			for {
				page, err := v.Lookup(ctx, "events", engine.LookupRequest{Limit: 37, Token: token})
				if err != nil {
					t.Fatal(err)
				}
				for _, e := range page.Events {
					found++
					if !mine[string(e.Record)] || e.Seq != 0 {
						t.Errorf("%s: looked up %d, %.100s", l.name, e.Seq, e.Record)
					}
				}
				if token = page.Next; token == "" {
					break
				}
			}
			if found != len(mine) {
				t.Errorf("%s: %d of %d events looked up", l.name, found, len(mine))
			}
			single := 0
			for seq := range uint64(len(s.events)) {
				rec, err := v.Record(ctx, "events", seq)
				if err == nil {
					single++
				}
				if err == nil && !mine[string(rec)] {
					t.Errorf("%s: record %d is of others", l.name, seq)
				}
			}
			if single != len(mine) {
				t.Errorf("%s: %d of %d records by number", l.name, single, len(mine))
			}
			_, err1 := v.Record(ctx, "events", 1<<40)
			if err1 == nil || strings.Contains(err1.Error(), fmt.Sprint(len(s.events))) {
				t.Errorf("%s: %v", l.name, err1)
			}
			st, err := v.Stats(ctx)
			if err != nil || len(st.Stores) != 2 || st.Stores[0].Events != int64(len(mine)) || st.Stores[0].RawBytes != 0 || st.WALBytes != 0 {
				t.Errorf("%s: figures %+v, %v", l.name, st, err)
			}
			if _, err := v.Whole("events"); err == nil {
				t.Errorf("%s: a store seen in part is whole", l.name)
			}
		}
	}
}
