package parse

import (
	"strings"

	"github.com/cairndb/cairn/sql/sqlerr"
)

// explainOptions reads Postgres' list of options: (ANALYZE, BUFFERS, FORMAT text). What a
// plan shows does not change with most of them.
func (r *rewriter) explainOptions(node *Explain) {
	open := r.i
	r.next()
	for {
		name := r.tok()
		option := strings.ToLower(name.text)
		switch option {
		case "analyze", "verbose", "costs", "buffers", "timing", "summary", "settings", "wal", "generic_plan", "memory", "format":
		default:
			r.failAt(name.pos(), sqlerr.SyntaxError, "unrecognized EXPLAIN option %q", name.text).
				WithHint("write EXPLAIN, EXPLAIN ANALYZE or EXPLAIN (ANALYZE, VERBOSE, COSTS, BUFFERS, TIMING, SUMMARY)")
			return
		}
		r.next()
		on := true
		if t := r.tok(); t.kind == tokWord || t.kind == tokString || t.kind == tokNumber {
			switch value := strings.ToLower(t.text); {
			case option == "format" && value == "text", option != "format" && (value == "on" || value == "true" || value == "1"):
			case option != "format" && (value == "off" || value == "false" || value == "0"):
				on = false
			case option == "format" && (value == "json" || value == "xml" || value == "yaml"):
				r.failAt(t.pos(), sqlerr.FeatureNotSupported, "plans are given as text only")
				return
			default:
				r.unexpected()
				return
			}
			r.next()
		} else if option == "format" {
			r.unexpected()
			return
		}
		if option == "analyze" {
			node.Analyze = on
		}
		if r.isOp(",") {
			r.next()
			continue
		}
		break
	}
	r.closeBracket(open)
}

// statement reads the words that a statement begins with. Commands are read
// here whole; for a query the rest of the rewriter is used. It returns nil
// when the query is the statement.
func (r *rewriter) statement() Statement {
	t := r.tok()
	first := r.i
	switch {
	case t.kind == tokEnd:
		r.failAt(Pos{}, sqlerr.SyntaxError, "the query is empty")
		return nil
	case t.isWord("explain"):
		r.next()
		node := &Explain{Pos: t.pos()}
		if opt := r.at(1); r.isOp("(") && opt.kind == tokWord && (!opt.isReserved() || opt.isWord("analyze")) {
			r.explainOptions(node)
		} else {
			node.Analyze = r.accept("analyze")
			r.accept("verbose")
		}
		if !r.startsQuery() {
			r.refuseOrUnexpected()
		}
		r.query()
		node.Pos = r.since(first)
		return node
	case t.isWord("show"):
		return r.show()
	case t.isWord("describe"), t.isWord("desc"):
		r.next()
		name := r.tableName()
		return &Show{Pos: r.since(first), What: "columns", Name: &name}
	case r.startsQuery():
		r.query()
		return nil
	}
	r.refuseOrUnexpected()
	return nil
}

func (r *rewriter) startsQuery() bool {
	return r.is("select") || r.is("with") || r.is("values") || r.is("table") || r.isOp("(")
}

// show reads SHOW TABLES, SHOW COLUMNS FROM t and SHOW FUNCTIONS, each with LIKE.
func (r *rewriter) show() *Show {
	first := r.i
	r.next()
	node := &Show{}
	switch t := r.next(); {
	case t.isWord("tables"), t.isWord("functions"):
		node.What = t.word
	case t.isWord("columns"):
		node.What = t.word
		if !r.accept("from") {
			r.expect("in")
		}
		name := r.tableName()
		node.Name = &name
	default:
		r.i--
		if t.kind == tokEnd {
			r.i = len(r.toks) - 1
		}
		r.unexpectedHint("SHOW TABLES, SHOW COLUMNS FROM a table and SHOW FUNCTIONS are known")
		return node
	}
	if r.accept("like") {
		pattern := r.tok()
		if pattern.kind != tokString {
			r.unexpectedHint("a pattern in single quotes is expected")
			return node
		}
		r.next()
		node.Like = pattern.text
	}
	node.Pos = r.since(first)
	return node
}

// changes are the statements that are not queries, by their first word, and what
// they would do to events; "" for those that have to do with something else.
var changes = map[string]string{
	"insert": "added", "update": "changed", "delete": "deleted", "merge": "changed",
	"truncate": "deleted", "drop": "deleted", "alter": "changed", "create": "added",
	"replace": "changed", "rename": "changed", "copy": "added",
	"grant": "", "revoke": "", "comment": "", "vacuum": "", "refresh": "", "call": "", "lock": "",
	"set": "", "reset": "", "begin": "", "start": "", "commit": "", "rollback": "", "use": "",
	"prepare": "", "execute": "", "deallocate": "", "discard": "", "analyze": "", "deny": "",
}

// refuseOrUnexpected ends the walk at a word that begins no query.
func (r *rewriter) refuseOrUnexpected() {
	if t := r.tok(); t.kind == tokWord {
		if _, ok := changes[strings.ToLower(t.text)]; ok {
			r.refuseChange()
			return
		}
	}
	r.unexpectedHint("a query begins with SELECT or WITH")
}

// refuseChange refuses a statement that is not a query.
func (r *rewriter) refuseChange() {
	t := r.tok()
	word := strings.ToUpper(t.text)
	switch strings.ToLower(t.text) {
	case "insert", "copy":
		r.failAt(t.pos(), sqlerr.ReadOnly, "%s is refused: a query only reads", word).
			WithHint("events are added by importing or appending them")
	case "create", "drop", "alter", "rename", "refresh":
		if next := strings.ToLower(r.at(1).text); next == "view" || next == "materialized" {
			r.failAt(t.pos(), sqlerr.FeatureNotSupported, "%s of views is not supported: a query only reads", word).
				WithHint("views are made with cairn view create NAME --query \"SELECT …\", and dropped with cairn view drop NAME")
			return
		}
		r.failAt(t.pos(), sqlerr.ReadOnly, "%s is refused: a query only reads, and stored events cannot be changed", word).
			WithHint("event data stores are managed outside SQL")
	default:
		if changes[strings.ToLower(t.text)] == "" {
			r.failAt(t.pos(), sqlerr.FeatureNotSupported, "%s is not supported: a query only reads", word).
				WithHint("SELECT, EXPLAIN, SHOW and DESCRIBE are")
			return
		}
		err := r.failAt(t.pos(), sqlerr.ReadOnly, "%s is refused: stored events cannot be changed", word)
		if changes[strings.ToLower(t.text)] == "deleted" {
			err.Hint = "events leave a store by its retention period only"
		}
	}
}

// finish expects the end of the statement.
func (r *rewriter) finish() {
	for r.isOp(";") {
		r.next()
		if t := r.tok(); t.kind != tokEnd && t.kind != tokBad && !t.isOp(";") {
			r.failAt(t.pos(), sqlerr.SyntaxError, "only one statement at a time is allowed").
				WithHint("run what follows the semicolon by itself")
			return
		}
	}
	if r.tok().kind != tokEnd {
		r.unexpected()
	}
}
