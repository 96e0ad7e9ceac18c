package parse

import (
	"strconv"
	"strings"

	"github.com/cairndb/cairn/sql/sqlerr"
)

// typeName reads the name of a type. It is not looked up: the planner knows
// which types there are.
//
//	bigint   double precision   varchar(10)   timestamp(3) with time zone
//	array(T)   array<T>   T array   T[]   map(K, V)   row(name T, …)   row(T, …)
func (r *rewriter) typeName() TypeName {
	if !r.enter() {
		return TypeName{}
	}
	defer r.leave()
	first := r.i
	t := r.baseType()
	for r.err == nil {
		switch {
		case r.isOp("[") && (r.at(1).isOp("]") || r.at(1).kind == tokNumber && r.at(2).isOp("]")):
			for !r.acceptOp("]") {
				r.next()
			}
		case r.is("array"):
			r.next()
			if r.isOp("[") && r.at(1).kind == tokNumber && r.at(2).isOp("]") {
				r.i += 3
			}
		default:
			return t
		}
		t = TypeName{Pos: r.since(first), Name: "array", Args: []TypeName{t}}
		if r.i-first > 2*r.limit {
			r.failAt(r.tok().pos(), sqlerr.StatementTooComplex, "the type is nested deeper than %d levels", r.limit)
		}
	}
	return t
}

func (r *rewriter) baseType() TypeName {
	first := r.i
	tok := r.tok()
	if !tok.isLabel() || tok.isReserved() {
		r.unexpectedHint("the name of a type is expected")
		return TypeName{}
	}
	r.next()
	// A schema before the name is dropped: pg_catalog.int4.
	for r.isOp(".") && r.at(1).isLabel() {
		r.next()
		tok = r.next()
	}
	t := TypeName{Name: strings.ToLower(tok.text)}
	switch {
	case t.Name == "array" && tok.kind == tokWord:
		t.Args = r.typeArguments(1)
	case t.Name == "map" && tok.kind == tokWord:
		t.Args = r.typeArguments(2)
	case t.Name == "row" && tok.kind == tokWord:
		r.rowType(&t)
	case t.Name == "interval":
		if u := intervalUnits[r.tok().word]; r.tok().kind == tokWord && u != "" {
			r.next()
			r.expect("to")
			to := intervalUnits[r.tok().word]
			if to == "" {
				r.unexpectedHint("a unit of time is expected")
				return TypeName{}
			}
			r.next()
			t.Name += " " + u + " to " + to
		}
	default:
		switch next := strings.ToLower(r.tok().text); {
		case r.tok().kind != tokWord:
		case t.Name == "double" && next == "precision", next == "varying" && (t.Name == "character" || t.Name == "char" || t.Name == "bit"):
			t.Name += " " + next
			r.next()
		}
		t.Params = r.typeParams()
		if (t.Name == "timestamp" || t.Name == "time") && (r.is("with") || r.is("without")) {
			if r.next().word == "with" {
				t.Name += " with time zone"
			}
			r.expect("time")
			r.expect("zone")
		}
	}
	if r.err != nil {
		return TypeName{}
	}
	t.Pos = r.since(first)
	if next := r.tok(); next.split {
		t.Pos.End = int(next.start)
	}
	return t
}

// typeParams reads the numbers of decimal(10, 2).
func (r *rewriter) typeParams() []int {
	if !r.isOp("(") {
		return nil
	}
	open := r.i
	r.next()
	var params []int
	for {
		t := r.tok()
		n, err := strconv.ParseInt(t.text, 10, 32)
		if t.kind != tokNumber || err != nil {
			r.unexpectedHint("a length or precision is expected")
			return nil
		}
		params = append(params, int(n))
		r.next()
		if !r.acceptOp(",") {
			break
		}
	}
	r.closeBracket(open)
	return params
}

// typeArguments reads the n types in parentheses or angle brackets.
func (r *rewriter) typeArguments(n int) []TypeName {
	open := r.i
	angle := r.isOp("<")
	if !angle && !r.isOp("(") {
		r.unexpectedHint("the types inside are expected in parentheses")
		return nil
	}
	r.next()
	var args []TypeName
	for {
		args = append(args, r.typeName())
		if len(args) == n {
			break
		}
		r.expectOp(",")
		if r.err != nil {
			return nil
		}
	}
	if angle {
		r.closeAngle()
	} else {
		r.closeBracket(open)
	}
	return args
}

// closeAngle expects > and takes one half of >>.
func (r *rewriter) closeAngle() {
	if t := r.tok(); t.isOp(">>") {
		t.word = ">"
		t.start++
		t.split = true
		return
	}
	r.expectOp(">")
}

// rowType reads the fields of a row, with or without names.
func (r *rewriter) rowType(t *TypeName) {
	open := r.i
	if !r.isOp("(") {
		r.unexpectedHint("the fields of the row are expected in parentheses")
		return
	}
	r.next()
	named := false
	for {
		field := Part{}
		if r.fieldNamed() {
			field = r.next().part()
			named = true
		}
		t.Fields = append(t.Fields, field)
		t.Args = append(t.Args, r.typeName())
		if !r.acceptOp(",") {
			break
		}
	}
	if !named {
		t.Fields = nil
	}
	r.closeBracket(open)
}

// fieldNamed reports whether a field's name stands before its type: a word that
// another word follows, unless both make one type.
func (r *rewriter) fieldNamed() bool {
	t, next := r.tok(), r.at(1)
	if t.kind == tokQuoted {
		return true
	}
	if !t.isName() || next.kind != tokWord && next.kind != tokQuoted {
		return false
	}
	switch second := strings.ToLower(next.text); strings.ToLower(t.text) {
	case "double":
		if second == "precision" {
			return r.at(2).kind == tokWord
		}
	case "character", "char":
		if second == "varying" {
			return false
		}
	case "time", "timestamp":
		if second == "with" || second == "without" {
			return false
		}
	case "interval":
		if intervalUnits[next.word] != "" {
			return false
		}
	}
	if next.isWord("array") {
		after := r.at(2)
		return after.isOp("(") || after.isOp("<")
	}
	return true
}
