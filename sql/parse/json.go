package parse

import "strings"

// json writes the functions of SQL/JSON, whose arguments have clauses: as
// m(input, path, passing…, default on empty?, default on error?), or for
// JSON_OBJECT and JSON_ARRAY as m(key, value, …) and m(value, …).
func (r *rewriter) json(first int, function string) {
	if !r.enter() {
		return
	}
	defer r.leave()
	node := &JSONCall{Function: function}
	open := r.i
	m := r.open(markJSON, node, first)
	r.expectOp("(")
	switch function {
	case "json_object":
		r.jsonObject(node)
	case "json_array":
		r.jsonArray(node)
	default:
		r.jsonPath(node)
	}
	r.closeBracket(open)
	r.close(m)
	if r.err == nil {
		node.Pos = r.since(first)
	}
}

func (r *rewriter) jsonPath(node *JSONCall) {
	r.expr()
	r.formatJSON(node, 0)
	if !r.acceptOp(",") {
		r.unexpectedHint("a path is expected as the second argument")
		return
	}
	r.emit(",")
	r.expr()
	if r.accept("passing") {
		for {
			r.emit(",")
			r.expr()
			r.formatJSON(node, 2+len(node.Passing))
			r.expect("as")
			node.Passing = append(node.Passing, r.part())
			if !r.acceptOp(",") {
				break
			}
		}
	}
	r.returning(node)
	if node.Function == "json_query" {
		r.jsonWrapper(node)
	}
	for r.err == nil && (r.is("null") || r.is("error") || r.is("default") || r.is("empty") || r.is("true") || r.is("false") || r.is("unknown")) {
		what := r.next().word
		var value Expr
		switch what {
		case "default":
			r.emit(",")
			r.value()
			value = markedExpr
		case "empty":
			what = "empty array"
			if !r.accept("array") {
				what = "empty object"
				r.expect("object")
			}
		}
		r.expect("on")
		if r.accept("empty") {
			if node.OnEmpty != "" || node.OnError != "" {
				r.i--
				r.unexpected()
			}
			node.OnEmpty, node.EmptyDefault = what, value
			continue
		}
		if node.OnError != "" {
			r.unexpected()
		}
		r.expect("error")
		node.OnError, node.ErrorDefault = what, value
	}
}

// formatJSON reads FORMAT JSON behind argument arg of the function, or behind
// the type of its result when arg is -1.
func (r *rewriter) formatJSON(node *JSONCall, arg int) {
	if r.accept("format") {
		r.expect("json")
		if node.FormatJSON == nil {
			node.FormatJSON = map[int]bool{}
		}
		if arg >= 0 {
			node.FormatJSON[arg] = true
		}
		if r.is("encoding") {
			r.notSupported("ENCODING is")
		}
	}
}

func (r *rewriter) returning(node *JSONCall) {
	if r.accept("returning") {
		t := r.typeName()
		node.Returning = &t
		r.formatJSON(node, -1)
	}
}

// jsonWrapper reads [WITHOUT | WITH [CONDITIONAL|UNCONDITIONAL]] [ARRAY] WRAPPER
// and [KEEP|OMIT] QUOTES.
func (r *rewriter) jsonWrapper(node *JSONCall) {
	if r.is("with") || r.is("without") {
		node.Wrapper = r.next().word
		if node.Wrapper == "with" {
			node.Wrapper = "unconditional"
			switch {
			case r.accept("conditional"):
				node.Wrapper = "conditional"
			case r.accept("unconditional"):
			}
		}
		r.accept("array")
		r.expect("wrapper")
	}
	if r.is("keep") || r.is("omit") {
		node.OmitQuotes = r.next().word == "omit"
		r.expect("quotes")
		if r.accept("on") {
			r.expect("scalar")
			if t := r.tok(); t.kind == tokWord && strings.EqualFold(t.text, "string") {
				r.next()
			} else {
				r.unexpected()
			}
		}
	}
}

func (r *rewriter) jsonObject(node *JSONCall) {
	for n := 0; !r.isOp(")") && r.err == nil && !r.constructorClause(); n++ {
		if n > 0 {
			r.expectOp(",")
			r.emit(",")
		}
		keyed := r.is("key") && !r.at(1).isOp(":") && !r.at(1).isWord("value") && !r.at(1).isOp(".")
		if keyed {
			r.next()
		}
		r.value()
		if keyed || !r.isOp(":") {
			r.expect("value")
		} else {
			r.next()
		}
		r.emit(",")
		r.expr()
		r.formatJSON(node, 2*n+1)
	}
	r.constructorClauses(node)
}

func (r *rewriter) jsonArray(node *JSONCall) {
	for n := 0; !r.isOp(")") && r.err == nil && !r.constructorClause(); n++ {
		if n > 0 {
			r.expectOp(",")
			r.emit(",")
		}
		r.expr()
		r.formatJSON(node, n)
	}
	r.constructorClauses(node)
}

// constructorClause reports whether the clauses behind the members begin.
func (r *rewriter) constructorClause() bool {
	return (r.is("null") || r.is("absent")) && r.at(1).isWord("on") || r.is("with") || r.is("without") || r.is("returning")
}

func (r *rewriter) constructorClauses(node *JSONCall) {
	if r.is("null") || r.is("absent") {
		node.OnNull = r.next().word
		r.expect("on")
		r.expect("null")
	}
	if r.is("with") || r.is("without") {
		node.UniqueKeys = r.next().word == "with"
		r.expect("unique")
		r.accept("keys")
	}
	r.returning(node)
}
