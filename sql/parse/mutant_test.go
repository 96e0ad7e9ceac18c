package parse

import (
	"encoding/hex"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
)

// replacements are the tokens that mutants get in the place of others.
var replacements = []string{
	",", "(", ")", "[", "]", ".", "*", "=", "<", "||", "+", "-", "::", "->", "a", `"Q"`, "'x'", "1", "2.5", "$1", "NULL",
	"AND", "OR", "NOT", "IN", "IS", "LIKE", "BETWEEN", "AS", "FROM", "WHERE", "SELECT", "JOIN", "ON", "USING", "CASE", "WHEN", "END",
	"GROUP", "ORDER", "BY", "LIMIT", "UNION", "DISTINCT", "ARRAY", "ROW", "CAST", "OVER", "EXISTS", "interval", "date",
}

// mutants returns the variants of a query that differ from it in one token:
// left out, doubled, exchanged with the next, and replaced by n others.
func mutants(text string, dialect Dialect, n int) []string {
	tok := tokenizer{text: text, dialect: dialect, limit: TokensMax}
	tok.run()
	toks := tok.out[:len(tok.out)-1]
	src := func(t token) string { return text[t.start:t.end] }
	var out []string
	rng := rand.New(rand.NewPCG(uint64(len(text)), uint64(len(toks))))
	for i, t := range toks {
		before, after := text[:t.start], text[t.end:]
		out = append(out, before+" "+after, before+src(t)+" "+src(t)+after)
		if i+1 < len(toks) {
			next := toks[i+1]
			out = append(out, before+" "+src(next)+" "+src(t)+" "+text[next.end:])
		}
		for range n {
			out = append(out, before+" "+replacements[rng.IntN(len(replacements))]+" "+after)
		}
	}
	return out
}

// No mutant of any sample leads the rewriter and the skeleton parser apart, or
// puts a node outside of the one around it.
func TestMutantsKeepTheInvariants(t *testing.T) {
	total := 0
	for _, c := range goodQueries(t) {
		for _, m := range mutants(c.text, c.dialect, 3) {
			checkAnyText(t, m, c.dialect == Postgres)
			total++
		}
	}
	if total < 20_000 {
		t.Errorf("only %d mutants", total)
	}
}

// textKey names a query in testdata/mutants.txt.
func textKey(text string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(text))
	return h.Sum64()
}

// testdata/mutants.txt holds, for each of many samples, which of its mutants the
// parser of PostgreSQL 15 accepted, and which we accept in the Postgres
// dialect: a key of the sample, the number of mutants, and both verdicts with
// a bit for each mutant. The differences have been looked through. We accept
// more where a word is a name in Trino and not in Postgres (limit, array, desc,
// day as an alias) and where a field follows a call. We accept less where a
// word is reserved in Trino only (by, between, like, is, exists, null …), where
// Postgres takes any word before a text for a type, and where it takes any
// operator for a prefix. Others would be mistakes.
func TestMutantVerdicts(t *testing.T) {
	queries := map[uint64]string{}
	for _, c := range goodQueries(t) {
		queries[textKey(c.text)] = c.text
	}
	const file = "testdata/mutants.txt"
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var written strings.Builder
	total, over, under := 0, 0, 0
	for _, line := range strings.Split(strings.TrimSpace(string(data)), "\n") {
		var key uint64
		var n int
		var postgres, stored string
		if _, err := fmt.Sscanf(line, "%x %d %s %s", &key, &n, &postgres, &stored); err != nil {
			t.Fatalf("%.40s…: %v", line, err)
		}
		text, ok := queries[key]
		if !ok {
			t.Errorf("%016x: no query has this key any more; its line must go", key)
			continue
		}
		list := mutants(text, Postgres, 3)
		theirs, err1 := hex.DecodeString(postgres)
		known, err2 := hex.DecodeString(stored)
		if err1 != nil || err2 != nil || len(list) != n || len(theirs) != (n+7)/8 || len(known) != len(theirs) {
			t.Fatalf("%.40s…: the line does not fit the query's %d mutants", line, len(list))
		}
		ours := make([]byte, len(theirs))
		for i, m := range list {
			bit := byte(1) << (i % 8)
			if parseError(t, m, Options{Dialect: Postgres}) == nil {
				ours[i/8] |= bit
			}
			total++
			switch mine, his := ours[i/8]&bit != 0, theirs[i/8]&bit != 0; {
			case mine && !his:
				over++
			case his && !mine:
				under++
			}
			if !*update && (ours[i/8]^known[i/8])&bit != 0 {
				t.Errorf("accepted: %v, before: %v, by PostgreSQL: %v\n%s", ours[i/8]&bit != 0, known[i/8]&bit != 0, theirs[i/8]&bit != 0, m)
			}
		}
		fmt.Fprintf(&written, "%016x %d %s %x\n", key, n, postgres, ours)
	}
	if *update {
		if err := os.WriteFile(file, []byte(written.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d mutants: %d accepted by us alone, %d by PostgreSQL alone", total, over, under)
	if total < 20_000 || over*1000 > 12*total || under*1000 > 35*total {
		t.Errorf("%d mutants, %d accepted by us alone, %d by PostgreSQL alone: too many differ", total, over, under)
	}
}
