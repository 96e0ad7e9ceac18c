package enginetest_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cairndb/cairn/engine"
	"github.com/cairndb/cairn/engine/enginetest"
	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/fn"
	"github.com/cairndb/cairn/sql/plan"
	"github.com/cairndb/cairn/sql/sqltest"
)

// The logic tests of package sql are asked of lakes too. Each of their tables is
// a store, a row an event with its values, and the query gets a WITH in front of
// it that makes the columns of the table from the paths of the events: the
// planner puts it in the place of the table, down to the terms for storage.
//
//	go test ./engine/enginetest -run LogicOnLakes -logic.all
//
// asks every query of every lake; otherwise each is asked of one of them.
var logicAll = flag.Bool("logic.all", false, "ask every query of the logic tests of every lake, not of one in turn")

// logicNow is what the clocks of the logic tests say.
var logicNow = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

var logicConfigs = []config{
	{name: "memtable", options: engine.Options{}},
	{name: "small segments", options: engine.Options{SegmentRows: 512, MemtableRows: 512, NoMerge: true}},
	{name: "merged", options: engine.Options{SegmentRows: 512, MemtableRows: 512, NoMerge: true}, later: engine.Options{SegmentRows: 8192, MemtableRows: 64}, merged: true},
	{name: "encrypted", options: engine.Options{SegmentRows: 3000, CacheBytes: 1 << 20, Keeper: enginetest.OpenKeeper{}}},
	// Sorts, groups and joins of the large table do not fit in half of this.
	{name: "spilling", options: engine.Options{SegmentRows: 4096, QueryBytes: 1 << 20, Workers: 1}},
}

func TestLogicOnLakes(t *testing.T) {
	files, err := filepath.Glob("../../sql/testdata/*.test")
	if err != nil || len(files) == 0 {
		t.Fatalf("no logic tests: %v", err)
	}
	tables := append(sqltest.Fixture(), sqltest.JoinTables()...)
	views := map[string]string{}
	for _, table := range tables {
		views[table.Name()] = logicView(table)
	}
	var lakes []*engine.Lake
	for _, c := range logicConfigs {
		lakes = append(lakes, logicLake(t, c, tables))
	}
	asked, left, full := make([]int, len(lakes)), 0, 0
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		records, err := sqltest.ParseLogic(string(data))
		if err != nil {
			t.Fatal(err)
		}
		joins := slices.ContainsFunc([]string{"join", "lateral", "unnest"}, func(of string) bool { return strings.HasPrefix(filepath.Base(file), of) })
		for i, r := range records {
			q, lines, ok := overViews(r.Query, views, joins)
			if !ok {
				left++
				continue
			}
			for k, l := range lakes {
				if !*logicAll && (i+r.Line)%len(lakes) != k {
					continue
				}
				asked[k]++
				over := r
				over.Query = q
				got := over.Check(func(string) (*sqltest.Result, error) {
					ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
					defer cancel()
					return sqltest.Collect(l.Query(ctx, q))
				})
				want := r.Want
				if r.Error {
					// The text may name what a column is made of, and hints what is there,
					// which is a WITH item and not a table.
					got, want = codeAndPlace(got, lines), codeAndPlace(want, 0)
				}
				if strings.HasPrefix(got, "53200") && logicConfigs[k].name == "spilling" {
					full++ // what cannot be put aside: aggregates that keep values, partitions of windows
					continue
				}
				if got != want {
					t.Errorf("%s:%d: %s\n%s\ngot\n%s\nwant\n%s", file, r.Line, logicConfigs[k].name, r.Query, got, want)
				}
			}
		}
	}
	t.Logf("asked %v; %d queries of catalogues, plans and aliases left out; %d did not fit", asked, left, full)
	if full*20 > slices.Max(asked) {
		t.Errorf("%d queries did not fit in memory", full)
	}
}

// notOfViews are queries of what a WITH item does not have: SHOW, plans, aliases of
// columns and fields, and rows that are seen as a table.
var notOfViews = regexp.MustCompile(`(?i)^\s*(show|describe|explain|drop|insert|update|delete)\b|\bip\b|usrename`)

var (
	word     = regexp.MustCompile(`[\pL_][\pL\d_]*`)
	withHead = regexp.MustCompile(`(?i)^\s*with(\s+recursive)?\b`)
	position = regexp.MustCompile(`^(\w{5} at )(\d+)(:\d+: )`)
)

// overViews returns a query with the tables that it names as WITH items, on lines
// in front of it.
func overViews(q string, views map[string]string, joins bool) (_ string, lines int, ok bool) {
	if notOfViews.MatchString(q) {
		return "", 0, false
	}
	var items []string
	for name, view := range views {
		if name[0] == 'j' && len(name) == 2 && !joins {
			continue
		}
		if !slices.ContainsFunc(word.FindAllString(q, -1), func(w string) bool { return strings.EqualFold(w, name) }) {
			continue
		}
		if regexp.MustCompile(`(?i)\b` + name + `(\s*\([^()]*\))?\s+as\s+(not\s+)?(materialized\s+)?\(`).MatchString(q) {
			return "", 0, false // a WITH item of the same name, made from the table
		}
		items = append(items, name+" AS ("+view+")")
	}
	slices.Sort(items)
	if len(items) == 0 {
		return q, 0, true
	}
	head := "WITH "
	if at := withHead.FindStringSubmatchIndex(q); at != nil {
		if at[2] >= 0 {
			head = "WITH RECURSIVE "
		}
		if strings.Contains(q[:at[1]], "\n") {
			return "", 0, false
		}
		items = append(items, "")
		q = strings.Repeat(" ", at[1]) + q[at[1]:]
		return head + strings.TrimSuffix(strings.Join(items, ", "), " ") + "\n" + q, 1, true
	}
	return head + strings.Join(items, ", ") + "\n" + q, 1, true
}

// codeAndPlace is the start of an error, its place so many lines further up.
func codeAndPlace(text string, lines int) string {
	m := position.FindStringSubmatch(text)
	if m == nil {
		code, _, _ := strings.Cut(text, ":")
		return code
	}
	n, _ := strconv.Atoi(m[2])
	return m[1] + strconv.Itoa(n-lines) + m[3]
}

// logicView is the query that gives the rows of a table from the store with its
// events.
func logicView(t *sqltest.Table) string {
	var items []string
	for _, c := range t.Columns() {
		x := "element_at(requestParameters, '" + c.Name + "')"
		if t.Name() == "events" {
			switch c.Name {
			case "bytes", "eventjson":
				x = "element_at(additionalEventData, '" + c.Name + "')"
			case "useridentity":
				x = `CAST(CASE WHEN userIdentity IS NOT NULL THEN ROW(userIdentity.type, userIdentity.arn, userIdentity.userName,
					CASE WHEN userIdentity.sessionContext IS NOT NULL THEN ROW(
						CASE WHEN userIdentity.sessionContext.attributes IS NOT NULL THEN ROW(userIdentity.sessionContext.attributes.mfaAuthenticated, userIdentity.sessionContext.attributes.creationDate) END,
						userIdentity.sessionContext.sourceIdentity) END) END AS ` + c.Type.String() + `)`
				x = strings.Join(strings.Fields(x), " ")
			default:
				x = c.Name
			}
		}
		if c.Type.Kind != column.Varchar && c.Type.Kind != column.Row && c.Type.Kind != column.Map && c.Name != "eventtime" && c.Name != "readonly" {
			x = "CAST(" + x + " AS " + c.Type.String() + ")"
		}
		items = append(items, x+" AS "+c.Name)
	}
	return "SELECT " + strings.Join(items, ", ") + " FROM t_" + t.Name()
}

// logicLake returns a lake with the rows of the tables as events.
func logicLake(t *testing.T, c config, tables sqltest.Catalog) *engine.Lake {
	t.Helper()
	fs := vfs.NewMem()
	open := func(o engine.Options) *engine.Lake {
		o.FS, o.MemtableAge = fs, -1
		o.Clock = func() time.Time { return logicNow }
		l, err := engine.Open("lake", &o)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		return l
	}
	l := open(c.options)
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	})
	for _, table := range tables {
		if _, err := l.CreateStore(context.Background(), "t_"+table.Name()); err != nil {
			t.Fatal(err)
		}
	}
	for part := range 2 {
		if part == 1 && c.merged {
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			l = open(c.later)
		}
		for _, table := range tables {
			s, err := l.Store("t_" + table.Name())
			if err != nil {
				t.Fatal(err)
			}
			half := table.Rows() * 3 / 4
			from, to := 0, half
			if part == 1 {
				from, to = half, table.Rows()
			}
			for ; from < to; from += 500 {
				var batch [][]byte
				for r := from; r < min(from+500, to); r++ {
					batch = append(batch, logicEvent(t, table, r))
				}
				verdicts, err := s.Append(context.Background(), batch)
				if err != nil {
					t.Fatal(err)
				}
				for k, v := range verdicts {
					if v.Status != engine.Stored {
						t.Fatalf("%s: %s %s %s: %s", c.name, v.Status, v.Reason, v.Detail, batch[k])
					}
				}
			}
		}
	}
	if c.merged {
		(&lake{config: c, t: t, fs: fs, l: l}).waitMerged()
	}
	return l
}

// logicEvent is the event that stands for a row of a table.
func logicEvent(t *testing.T, table *sqltest.Table, row int) []byte {
	t.Helper()
	params := map[string]any{}
	event := map[string]any{
		"eventVersion": "1.11", "eventID": fmt.Sprintf("%s-%d", table.Name(), row), "eventTime": "2026-03-01T00:00:00Z", "eventName": "Row",
		"eventSource": "rows.example.com", "awsRegion": "eu-central-1", "requestParameters": params,
	}
	extra := map[string]any{}
	for i, c := range table.Columns() {
		v := table.Data(i)
		if v.IsNull(row) {
			continue
		}
		value := fn.Format(v, row)
		if table.Name() != "events" {
			params[c.Name] = value
			continue
		}
		switch c.Name {
		case "eventtime":
			event["eventTime"] = time.UnixMicro(v.I64[row]).UTC().Format("2006-01-02T15:04:05Z")
		case "readonly":
			event["readOnly"] = v.I64[row] != 0
		case "bytes", "eventjson":
			extra[c.Name] = value
		case "useridentity":
			event["userIdentity"] = members(v, row)
		case "requestparameters":
			delete(event, "requestParameters")
			event["requestParameters"] = members(v, row)
		default:
			event[map[string]string{"eventid": "eventID", "eventname": "eventName", "eventsource": "eventSource", "errorcode": "errorCode", "sourceipaddress": "sourceIPAddress"}[c.Name]] = value
		}
	}
	if table.Name() == "events" {
		event["additionalEventData"] = extra
		if v := table.Data(slices.IndexFunc(table.Columns(), func(c plan.Column) bool { return c.Name == "requestparameters" })); v.IsNull(row) {
			delete(event, "requestParameters")
		}
	}
	raw, err := json.Marshal(event)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// members are the fields of a row, or the entries of a map, as JSON.
func members(v *column.Vector, row int) map[string]any {
	out := map[string]any{}
	if v.Type.Kind == column.Map {
		keys, values := v.Children[0], v.Children[1]
		for e := int(v.Offsets[row]); e < int(v.Offsets[row+1]); e++ {
			out[keys.Str[e]] = nil
			if !values.IsNull(e) {
				out[keys.Str[e]] = values.Str[e]
			}
		}
		return out
	}
	names := map[string]string{"username": "userName", "sessioncontext": "sessionContext", "mfaauthenticated": "mfaAuthenticated", "creationdate": "creationDate", "sourceidentity": "sourceIdentity"}
	for i, f := range v.Type.Fields {
		c, name := v.Children[i], f.Name
		if names[name] != "" {
			name = names[name]
		}
		switch {
		case c.IsNull(row):
		case f.Type.Kind == column.Row:
			out[name] = members(c, row)
		case f.Type.Kind == column.Timestamp:
			out[name] = time.UnixMicro(c.I64[row]).UTC().Format("2006-01-02T15:04:05Z")
		default:
			out[name] = c.Str[row]
		}
	}
	return out
}
