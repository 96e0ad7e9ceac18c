package main

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// asProgram has this test's executable be the program, which calls itself to load peers.
const asProgram = "CAIRN_BENCH_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		os.Exit(run(os.Args[1:]))
	}
	os.Exit(m.Run())
}

// TestSmallRun loads 20,000 events into Cairn, DuckDB and SQLite: all questions are asked, all answers are
// equal, and the figures come back from their file.
func TestSmallRun(t *testing.T) {
	t.Setenv(asProgram, "1")
	dir := t.TempDir()
	file, chart := filepath.Join(dir, "out.json"), filepath.Join(dir, "chart.svg")
	args := []string{"-n", "20000", "-runs", "1", "-peers", "duckdb,sqlite", "-dir", filepath.Join(dir, "run"), "-json", file, "-chart", chart, "-also", "open"}
	if code := run(args); code != 0 {
		t.Fatalf("cairn-bench %s ends with %d", strings.Join(args, " "), code)
	}
	all, err := readResults(file)
	if err != nil {
		t.Fatal(err)
	}
	r := all[0]
	if len(all) != 1 || r.Events != 20_000 || len(r.Loads) != 4 || r.Floor < 50 || r.Loads[0].PerEvent < r.Floor || r.Sizes["values"] == 0 {
		t.Errorf("%d runs, %d events, loads %+v, floor %.1f, sizes %v", len(all), r.Events, r.Loads, r.Floor, r.Sizes)
	}
	var names []string
	for _, a := range r.Answers {
		names = append(names, a.Question)
		if !a.Equal {
			t.Errorf("%s: the answers differ", a.Question)
		}
		for _, engine := range []string{"cairn", "duckdb", "parquet", "sqlite"} {
			if a.Question[0] == 'Q' && (a.Millis[engine] <= 0 || a.Slowest[engine] < a.Millis[engine] || a.Fastest[engine] > a.Millis[engine]) {
				t.Errorf("%s: %s took %v, between %v and %v", a.Question, engine, a.Millis[engine], a.Fastest[engine], a.Slowest[engine])
			}
		}
	}
	if want := len(questions) + len(lookupPages); len(names)+len(r.LeftOut) != want || len(names) < want-1 {
		t.Errorf("%d of %d questions were asked: %v; %v", len(names), want, names, r.LeftOut)
	}
	if len(r.Workloads["open"]) == 0 {
		t.Error("opening has no figures")
	}
	// The lake and the peers are there now: they are asked again, and not loaded.
	args = []string{"-lake", filepath.Join(dir, "run", "lake"), "-loaded", "-peers", "duckdb,sqlite", "-only", "needles,variants", "-runs", "1", "-floor=false", "-dir", filepath.Join(dir, "run"), "-json", file}
	if code := run(args); code != 0 {
		t.Fatalf("cairn-bench %s ends with %d", strings.Join(args, " "), code)
	}
	again, err := readResults(file)
	if err != nil {
		t.Fatal(err)
	}
	if a := again[0]; len(a.Loads) != 1 || a.Loads[0].Seconds != 0 || a.Loads[0].Bytes == 0 || len(a.Answers)+len(a.LeftOut) != 6+len(variants)+len(lookupPages) {
		t.Errorf("asked again: loads %+v, %d answers", a.Loads, len(a.Answers))
	}
	if len(again[0].LeftOut) > 1 {
		t.Errorf("left out: %v", again[0].LeftOut)
	}
	empty := 0
	for _, a := range again[0].Answers {
		if !a.Equal {
			t.Errorf("%s: the answers differ", a.Question)
		}
		if a.Rows == 0 {
			empty++
		}
	}
	if empty > 6 { // so few events have no pairs to be joined
		t.Errorf("%d answers have no rows", empty)
	}
	checkDrawing(t, chart, "Q1 count of all events")
}

func checkDrawing(t *testing.T, file, want string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for d := xml.NewDecoder(bytes.NewReader(text)); ; {
		if _, err := d.Token(); err == io.EOF {
			break
		} else if err != nil {
			t.Fatalf("the drawing is no XML: %v", err)
		}
	}
	if !bytes.Contains(text, []byte(want)) || bytes.Contains(text, []byte("NaN")) || bytes.Contains(text, []byte("Inf")) {
		t.Errorf("the drawing has no %q, or what is no number", want)
	}
}

// TestGrowth puts together runs of three sizes, one of them in two files, with engines that are not asked everywhere.
func TestGrowth(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, r ...results) string {
		text, err := json.Marshal(r)
		if err == nil {
			name = filepath.Join(dir, name)
			err = os.WriteFile(name, text, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
		return name
	}
	ms := func(question string, times map[string]float64) answer {
		return answer{Question: question, What: "a & b", Millis: times}
	}
	a := write("a.json", results{Events: 10_000_000, Loads: []load{{Name: "Cairn", Seconds: 100, PerEvent: 150}},
		Answers: []answer{ms("Q4", map[string]float64{"cairn": 3}), ms("L1", map[string]float64{"cairn": 2})}})
	b := write("b.json", results{Events: 1_000_000, Loads: []load{{Name: "Cairn", Seconds: 8, PerEvent: 151}},
		Answers: []answer{ms("Q4", map[string]float64{"cairn": 1, "sqlite": 0.5})}},
		results{Events: 100_000_000, Answers: []answer{ms("Q4", map[string]float64{"cairn": 0})}})
	c := write("c.json", results{Events: 10_000_000, Loads: []load{{Name: "Cairn", PerEvent: 149}}, Answers: []answer{ms("Q1", map[string]float64{"cairn": 9}), ms("Q4", map[string]float64{"duckdb": 7})}})
	all, err := readResults(a + "," + b + "," + c)
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 3 {
		t.Fatalf("%d sizes", len(all))
	}
	chart := filepath.Join(dir, "chart.svg")
	if err := growth(all, chart); err != nil {
		t.Fatal(err)
	}
	checkDrawing(t, chart, "Q4 a &amp; b")
	slices.SortFunc(all, func(a, b *results) int { return int(a.Events - b.Events) })
	var titles []string
	for _, p := range growthPanels(all) {
		titles = append(titles, p.title)
		if p.title == "load" && (p.series[0].values[0] != 125_000 || p.series[0].values[1] != 100_000) {
			t.Errorf("load: %v", p.series[0].values)
		}
		if p.title == "Q4 a & b" && len(p.series) != 3 {
			t.Errorf("Q4: %+v", p.series)
		}
	}
	if want := []string{"load", "on disk", "Q1 a & b", "Q4 a & b", "L1 a & b"}; !slices.Equal(titles, want) {
		t.Errorf("panels %q, want %q", titles, want)
	}
	for _, bad := range []string{`{"a":1}`, `[null]`, `[{"events":0}]`, `nonsense`} {
		if err := os.WriteFile(a, []byte(bad), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := readResults(a); err == nil {
			t.Errorf("%s is taken for results", bad)
		}
	}
}

// TestAnswersAreCompared has engines answer differently.
func TestAnswersAreCompared(t *testing.T) {
	engines := []asked{{name: "cairn"}, {name: "other"}}
	for _, k := range []struct {
		other [][]string
		equal bool
	}{{[][]string{{"1", "a"}}, true}, {[][]string{{"1", "b"}}, false}, {nil, false}, {[][]string{{"1", "a"}, {"2", "b"}}, false}} {
		a, err := measureAnswer("Q", "what", 2, engines, func(e asked) ([][]string, error) {
			if e.name == "other" {
				return k.other, nil
			}
			return [][]string{{"1", "a"}}, nil
		})
		if err != nil || a.Equal != k.equal || a.Rows != 1 || a.Ratio["other"] < 0 {
			t.Errorf("%v: %+v, %v", k.other, a, err)
		}
	}
	broken := errors.New("broken")
	if _, err := measureAnswer("Q", "what", 1, engines, func(asked) ([][]string, error) { return nil, broken }); err != broken {
		t.Errorf("the error is %v", err)
	}
}

func TestQuestionsNamed(t *testing.T) {
	for list, want := range map[string]int{"needles": 6 + len(lookupPages), "scans": len(questions) - 6, "lookups": len(lookupPages), "Q2,L3,Q2": 2} {
		if got, err := questionsNamed(list); err != nil || len(got) != want {
			t.Errorf("%s: %v, %v", list, slices.Sorted(maps.Keys(got)), err)
		}
	}
	for _, list := range []string{"Q16", "needle", "Q1,", "q1"} {
		if got, err := questionsNamed(list); err == nil {
			t.Errorf("%s is taken: %v", list, got)
		}
	}
}

func TestClickHouseRow(t *testing.T) {
	var row bytes.Buffer
	clickhouseRow(&row, []byte(`{"eventTime":"2026-01-02T03:04:05.678Z","eventID":"e","errorMessage":"a\tb\\\n\u00e4","readOnly":true,"managementEvent":false,"errorCode":"",
		"userIdentity":{"type":"Root","arn":null,"sessionContext":{"a":"x\ty"},"unknown":1},"requestParameters":null,"resources":[1,2]}`))
	line, ended := strings.CutSuffix(row.String(), "\n")
	cells := strings.Split(line, "\t")
	if !ended || len(cells) != len(clickhouseColumns) {
		t.Fatalf("%d cells of %d in %q", len(cells), len(clickhouseColumns), row.String())
	}
	for name, want := range map[string]string{"eventTime": "2026-01-02 03:04:05", "eventID": "e", "errorMessage": `a\tb\\\nä`, "readOnly": "1", "managementEvent": "0",
		"errorCode": "", "identity_type": "Root", "arn": `\N`, "sessionContext": `{"a":"x\\ty"}`, "requestParameters": "", "resources": "[1,2]", "eventName": `\N`} {
		i := slices.IndexFunc(clickhouseColumns, func(c clickhouseColumn) bool { return c.name == name })
		if cells[i] != want {
			t.Errorf("%s is %q, want %q", name, cells[i], want)
		}
		if text := unescapeTabSeparated.Replace(cells[i]); name == "errorMessage" && text != "a\tb\\\nä" {
			t.Errorf("%s comes back as %q", name, text)
		}
	}
}
