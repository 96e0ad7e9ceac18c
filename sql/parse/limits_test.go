package parse

import (
	"fmt"
	"reflect"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/cairndb/cairn/sql/sqlerr"
)

// deep are the ways to nest; %s is the place for one level more.
var deep = map[string]struct{ open, core, close string }{
	"parentheses":   {"(", "1", ")"},
	"calls":         {"f(", "1", ")"},
	"arrays":        {"ARRAY[", "1", "]"},
	"subscripts":    {"a[", "1", "]"},
	"subqueries":    {"(SELECT ", "1", ")"},
	"derived":       {"(SELECT * FROM (SELECT ", "1", "))"},
	"exists":        {"EXISTS (SELECT ", "1", ")"},
	"case":          {"CASE WHEN ", "1", " THEN 1 END"},
	"else":          {"CASE WHEN 1 THEN 1 ELSE ", "1", " END"},
	"casts":         {"CAST(", "1", " AS int)"},
	"lambdas":       {"f(x -> ", "1", ")"},
	"bare lambdas":  {"x -> ", "1", ""},
	"rows":          {"(1, ", "1", ")"},
	"in":            {"1 IN (", "1", ")"},
	"any":           {"1 = ANY (", "1", ")"},
	"not":           {"NOT (", "1", ")"},
	"minus":         {"-(", "1", ")"},
	"with":          {"(WITH a AS (SELECT ", "1", ") SELECT 1)"},
	"json":          {"json_object('a' : ", "1", ")"},
	"mixed":         {"f((a[", "1", "]))"},
	"set operation": {"(SELECT 1 UNION (SELECT ", "1", "))"},
	"window":        {"f() OVER (ORDER BY ", "1", ")"},
	"filter":        {"f() FILTER (WHERE ", "1", ")"},
	"joins":         {"(SELECT 1 FROM (a JOIN (SELECT ", "1", ") ON 1))"},
}

// Nesting ends with a clear error long before a stack would overflow, and what
// people write passes.
func TestDeepNesting(t *testing.T) {
	// A run-away recursion must fail this test, not eat the machine.
	defer debug.SetMaxStack(debug.SetMaxStack(64 << 20))
	for name, d := range deep {
		nest := func(n int) string {
			text := "SELECT " + strings.Repeat(d.open, n) + d.core + strings.Repeat(d.close, n)
			if name == "bare lambdas" {
				text = "SELECT f(" + strings.TrimPrefix(text, "SELECT ") + ")"
			}
			return text
		}
		if _, _, err := Parse(nest(25), Options{}); err != nil {
			t.Errorf("%s, 25 levels: %v", name, err)
		}
		for _, n := range []int{1000, 10_000} {
			err := parseError(t, nest(n), Options{})
			if err == nil || err.Code != sqlerr.StatementTooComplex {
				t.Errorf("%s, %d levels: %v", name, n, err)
			} else if !err.Pos.Known() {
				t.Errorf("%s, %d levels: the error has no place", name, n)
			}
		}
	}
	types := "SELECT CAST(1 AS " + strings.Repeat("array(", 1000) + "int" + strings.Repeat(")", 1000) + ")"
	if err := parseError(t, types, Options{}); err == nil || err.Code != sqlerr.StatementTooComplex {
		t.Errorf("nested types: %v", err)
	}
	if err := parseError(t, "SELECT "+strings.Repeat("(", 5000), Options{}); err == nil || err.Code != sqlerr.StatementTooComplex {
		t.Errorf("open parentheses: %v", err)
	}
	if err := parseError(t, "SELECT 1 FROM "+strings.Repeat("(", 5000), Options{}); err == nil || err.Code != sqlerr.StatementTooComplex {
		t.Errorf("open parentheses in FROM: %v", err)
	}
	if err := parseError(t, strings.Repeat("(", 5000)+"SELECT 1", Options{}); err == nil || err.Code != sqlerr.StatementTooComplex {
		t.Errorf("open parentheses before SELECT: %v", err)
	}
}

func TestDepthIsAnOption(t *testing.T) {
	if err := parseError(t, "SELECT ((((1))))", Options{MaxDepth: 3}); err == nil || err.Code != sqlerr.StatementTooComplex {
		t.Errorf("got %v", err)
	}
	if _, _, err := Parse("SELECT ((((1))))", Options{MaxDepth: 10}); err != nil {
		t.Error(err)
	}
}

// Long chains are refused when a tree of them would be deep; AND and OR become
// balanced trees and may be as long as the text.
func TestLongChains(t *testing.T) {
	chain := func(op string, n int) string {
		return "SELECT " + strings.TrimSuffix(strings.Repeat("a"+op, n), op)
	}
	for _, op := range []string{"+", "||", "*", "-"} {
		if _, _, err := Parse(chain(op, 4000), Options{}); err != nil {
			t.Errorf("%s: %v", op, err)
		}
		if err := parseError(t, chain(op, 20_000), Options{}); err == nil || err.Code != sqlerr.StatementTooComplex {
			t.Errorf("%s: %v", op, err)
		}
	}
	for _, text := range []string{
		strings.TrimSuffix(strings.Repeat("SELECT 1 UNION ALL ", 6000), "UNION ALL "),
		"SELECT " + strings.Repeat("-", 200) + "1", // a comment
		"SELECT " + strings.Repeat("- ", 200) + "1",
		"SELECT " + strings.Repeat("NOT ", 200) + "a",
		"SELECT a" + strings.Repeat("[1]", 6000),
		"SELECT a" + strings.Repeat("::int", 6000),
		"SELECT f(a)" + strings.Repeat(".b", 6000),
		"SELECT CAST(a AS int" + strings.Repeat(" array", 6000) + ")",
	} {
		if err := parseError(t, text, Options{}); err == nil || err.Code != sqlerr.StatementTooComplex && !strings.Contains(text, "--") {
			t.Errorf("%.40s…: %v", text, err)
		}
	}
	for _, op := range []string{" AND ", " OR "} {
		stmt, _, err := Parse("SELECT "+strings.TrimSuffix(strings.Repeat("a = 1"+op, 10_000), op), Options{})
		if err != nil {
			t.Fatal(err)
		}
		leaves := 0
		var depth func(e Expr) int
		depth = func(e Expr) int {
			if b, ok := e.(*Binary); ok && b.Op == strings.ToLower(strings.TrimSpace(op)) {
				return 1 + max(depth(b.L), depth(b.R))
			}
			leaves++
			return 0
		}
		if d := depth(stmt.(*Query).Body.(*Select).Items[0].Expr); d > 20 || leaves != 10_000 {
			t.Errorf("%s: the tree is %d deep and has %d leaves", op, d, leaves)
		}
	}
}

// A balanced run keeps its order and its places.
func TestBalancedRuns(t *testing.T) {
	var b strings.Builder
	b.WriteString("SELECT (c0 = 0)")
	for i := 1; i < 200; i++ {
		fmt.Fprintf(&b, " AND c%d = %d", i, i)
	}
	b.WriteString(" OR x")
	text := b.String()
	stmt, _, err := Parse(text, Options{})
	if err != nil {
		t.Fatal(err)
	}
	or := stmt.(*Query).Body.(*Select).Items[0].Expr.(*Binary)
	next := 0
	var check func(e Expr)
	check = func(e Expr) {
		bin := e.(*Binary)
		if bin.Op == "and" {
			if got := text[bin.OpPos.Start:bin.OpPos.End]; got != "AND" {
				t.Errorf("the operator is placed at %q", got)
			}
			check(bin.L)
			check(bin.R)
			return
		}
		if got, want := FormatExpr(bin), fmt.Sprintf("(= c%d %d)", next, next); got != want {
			t.Fatalf("got %s, want %s", got, want)
		}
		next++
	}
	check(or.L)
	if next != 200 || text[or.Pos.Start:or.Pos.End] != text[len("SELECT "):] {
		t.Errorf("%d conditions, placed at %q", next, text[or.Pos.Start:or.Pos.End])
	}
}

func TestTextAndTokenLimits(t *testing.T) {
	long := "SELECT '" + strings.Repeat("é", LakeTextMax-9) + "'"
	if _, _, err := Parse(long, Options{MaxText: LakeTextMax}); err != nil {
		t.Errorf("%d characters: %v", len([]rune(long)), err)
	}
	if err := parseError(t, long+" ", Options{MaxText: LakeTextMax}); err == nil || err.Code != sqlerr.ProgramLimit {
		t.Errorf("one character more: %v", err)
	}
	if err := parseError(t, strings.Repeat(" ", TextMax)+"SELECT 1", Options{}); err == nil || err.Code != sqlerr.ProgramLimit {
		t.Errorf("default length: %v", err)
	}
	if err := parseError(t, "SELECT a, b, c", Options{MaxTokens: 5}); err == nil || err.Code != sqlerr.StatementTooComplex {
		t.Errorf("tokens: %v", err)
	}
	if err := parseError(t, "SELECT "+strings.Repeat("?,", MaxParams+1)+"1", Options{}); err == nil || err.Code != sqlerr.ProgramLimit {
		t.Errorf("parameters: %v", err)
	}
}

func TestParametersAreCounted(t *testing.T) {
	for text, want := range map[string]int{
		"SELECT 1": 0, "SELECT ?, ?": 2, "SELECT $3": 3, "SELECT $1 + $1": 1, "SELECT '?', \"?\" -- ?": 0,
		"SELECT a FROM t LIMIT ? OFFSET ?": 2, "EXPLAIN SELECT $2": 2, "SHOW TABLES": 0,
	} {
		if _, n, err := Parse(text, Options{}); err != nil || n != want {
			t.Errorf("%s: %d parameters, %v; want %d", text, n, err, want)
		}
	}
}

func TestTitles(t *testing.T) {
	for _, c := range []struct{ item, trino, postgres string }{
		{"eventName", "eventName", "eventname"},
		{`"eventName"`, "eventName", "eventName"},
		{"a.b.userName", "userName", "username"},
		{"f(x)[1].Arn", "Arn", "arn"},
		{"count(*)", "", "count"},
		{"a + 1", "", "?column?"},
		{"1", "", "?column?"},
		{"true", "", "bool"},
		{"CAST(a AS bigint)", "", "a"},
		{"CAST(1 AS bigint)", "", "int8"},
		{"a[1]", "", "a"},
		{"CASE WHEN a THEN 1 END", "", "case"},
		{"CASE WHEN a THEN 1 ELSE B END", "", "b"},
		{"EXISTS (SELECT 1)", "", "exists"},
		{"(SELECT x FROM t)", "", "x"},
		{"(SELECT 1 AS Y)", "", "y"},
		{"ARRAY[1]", "", "array"},
		{"(eventName)", "eventName", "eventname"},
		{"current_date", "", "current_date"},
		{"timestamp '2026-01-01'", "", "timestamp"},
	} {
		for d, want := range []string{c.trino, c.postgres} {
			stmt, _, err := Parse("SELECT "+c.item, Options{Dialect: Dialect(d)})
			if err != nil {
				t.Errorf("%s: %v", c.item, err)
				continue
			}
			if got := stmt.(*Query).Body.(*Select).Items[0].Title; got != want {
				t.Errorf("dialect %d: %s is titled %q, want %q", d, c.item, got, want)
			}
		}
	}
}

// What queries carry along from where they were copied.
func TestPastedText(t *testing.T) {
	for _, text := range []string{
		"\ufeffSELECT\u00a0a FROM\u2003t\u200b;\r\n",
		"SELECT a\r\nFROM t -- last line",
		"\n\n  SELECT a FROM t\n;\n\n",
	} {
		stmt, _, err := Parse(text, Options{})
		if err != nil || Format(stmt) != "(query (select a (from t)))" {
			t.Errorf("%q: %v", text, err)
		}
	}
	for text, at := range map[string]int{"SELECT '\xff'": 8, "SELECT a\xff": 8, "SELECT \"\xc3\x28\"": 8, "SELECT \x00": 7, "SELECT \"a\x01\"": 7} {
		if err := parseError(t, text, Options{}); err == nil || err.Pos.Start != at {
			t.Errorf("%q: %v", text, err)
		}
	}
	stmt, _, err := Parse("SELECT größe, 名前 AS ñ FROM t", Options{})
	if err != nil || Format(stmt) != "(query (select größe (as 名前 ñ) (from t)))" {
		t.Errorf("letters beyond ASCII: %v", err)
	}
}

// spent is the processor time of the calling thread, which other programs on
// the machine do not lengthen.
func spent(t *testing.T) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(rusageThread, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// rusageThread is RUSAGE_THREAD of Linux.
const rusageThread = 1

// The work grows with the text, not with its square.
func TestTimeIsLinear(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the time of one thread is asked for as Linux tells it")
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	shapes := map[string]func(n int) string{
		"list":     func(n int) string { return "SELECT a IN (1" + strings.Repeat(", 1", n) + ")" },
		"comments": func(n int) string { return "SELECT 1" + strings.Repeat("/* */", n) },
		"columns":  func(n int) string { return "SELECT a.b.c" + strings.Repeat(", a.b.c", n) + " FROM t" },
		"tables":   func(n int) string { return "SELECT 1 FROM t" + strings.Repeat(", t", n) },
		"groups":   func(n int) string { return "SELECT 1" + strings.Repeat(", (((1)))", n/4) },
		"cases":    func(n int) string { return "SELECT CASE" + strings.Repeat(" WHEN a THEN 1", n/4) + " END" },
	}
	for name, shape := range shapes {
		parse := func(n int) time.Duration {
			text := shape(n)
			best := time.Hour
			for range 2 {
				start := spent(t)
				if _, _, err := Parse(text, Options{}); err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				best = min(best, spent(t)-start)
			}
			return best
		}
		small, large := parse(1_000), parse(16_000)
		// The clock of a thread may tick in milliseconds.
		if large > 16*8*max(small, time.Millisecond)+20*time.Millisecond {
			t.Errorf("%s: %v for 1,000 and %v for 16,000", name, small, large)
		}
	}
}

func TestConcurrentParses(t *testing.T) {
	want, _, err := Parse(typicalQuery, Options{})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 20 {
				got, _, err := Parse(typicalQuery, Options{})
				if err != nil || !reflect.DeepEqual(got, want) {
					t.Errorf("parsed differently beside others: %v", err)
					return
				}
				if _, _, err := Parse("SELECT (", Options{}); err == nil {
					t.Error("a mistake was accepted")
				}
			}
		})
	}
	wg.Wait()
}
