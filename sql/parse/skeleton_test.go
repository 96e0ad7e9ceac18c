package parse

import (
	"strings"
	"testing"

	"github.com/cairndb/cairn/sql/sqlerr"
)

// Should the skeleton parser ever refuse what the rewriter wrote, the message is
// in terms of the user's text: here the text between the two is spoilt, one
// piece at a time.
func TestSkeletonErrorsArePlacedInTheUsersText(t *testing.T) {
	tok := tokenizer{text: typicalQuery, limit: TokensMax}
	tok.run()
	r := &rewriter{text: typicalQuery, toks: tok.out, limit: DepthMax}
	r.statement()
	r.finish()
	if r.err != nil {
		t.Fatal(r.err)
	}
	good := string(r.out)
	spoilt := 0
	for _, p := range r.pieces {
		if good[p.out] == ' ' {
			continue // room that was not needed
		}
		spoilt++
		r.err, r.i = nil, 0
		r.out = append([]byte(good[:p.out]), '}')
		r.out = append(r.out, good[p.out+1:]...)
		if r.skeleton() != nil {
			t.Errorf("accepted: %s", r.out)
			continue
		}
		if r.err.Code != sqlerr.SyntaxError || strings.Contains(r.err.Message, "}") || strings.Contains(r.err.Message, "m1") {
			t.Errorf("the error is %v", r.err)
		}
		want := int(p.tok)
		got := -1
		for i := range r.toks {
			if int(r.toks[i].start) == r.err.Pos.Start {
				got = i
				break
			}
		}
		if got < want-1 || got > want+1 {
			t.Errorf("the error is placed at token %d, the piece is of token %d: %s", got, want, r.out)
		}
	}
	if spoilt < 70 {
		t.Errorf("only %d pieces were spoilt", spoilt)
	}
}

// The parts of TiDB's tree that our text never produces are refused, whatever a
// later version of its parser may make of a text.
func TestUnknownNodesAreRefused(t *testing.T) {
	for _, text := range []string{
		"SELECT 1", "SELECT a", "SELECT m0", "SELECT *", "SELECT m0(), @x", "SELECT m0() FROM m1 LIMIT 2 FOR UPDATE",
		"SELECT m0() FROM m1 LIMIT 2, 2", "SELECT m0() FROM m1", "SELECT m99() FROM m1 LIMIT 2", "SELECT DISTINCT m0() FROM m1 LIMIT 2",
		"SELECT m0() FROM m1 WHERE m1 XOR m1 LIMIT 2", "SELECT m0() FROM m1 a LIMIT 2", "SELECT m0() FROM m1 NATURAL JOIN m1 LIMIT 2",
		"SELECT m0() FROM m1 GROUP BY m1 WITH ROLLUP LIMIT 2", "SELECT m0(), count(*) FROM m1 LIMIT 2", "UPDATE m1 SET a = 1",
		"WITH a AS (SELECT 1) SELECT m0() FROM m1 LIMIT 2", "TABLE m1 LIMIT 2", "SELECT m0() FROM m1 LIMIT 2 INTO OUTFILE 'x'",
	} {
		tok := tokenizer{text: "SELECT FROM t", dialect: Postgres, limit: TokensMax}
		tok.run()
		r := &rewriter{text: "SELECT FROM t", dialect: Postgres, toks: tok.out, limit: DepthMax}
		r.statement()
		r.out = []byte(text)
		root := r.skeleton()
		if root == nil {
			t.Errorf("%s: %v", text, r.err)
			continue
		}
		c := &converter{toks: r.toks, marks: r.marks, dialect: Postgres}
		if q := c.query(root); c.err == nil {
			t.Errorf("%s: became %s", text, Format(q))
		} else if c.err.Code != sqlerr.Internal {
			t.Errorf("%s: %v", text, c.err)
		}
	}
}
