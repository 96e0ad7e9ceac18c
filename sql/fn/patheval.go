package fn

import (
	"cmp"
	"errors"
	"math"
	"strconv"
	"strings"
)

// errPath is what a step of a path fails with; the clauses of the function say
// what becomes of it.
var errPath = errors.New("fn: a step of a JSON path does not fit the value")

// pathItemsMax bounds the items that one evaluation of a path goes through:
// nested wildcards and filters multiply.
const pathItemsMax = 1_000_000

// pathRun is the evaluation of a path on one value.
type pathRun struct {
	strict  bool
	context jsonItem
	vars    map[string]jsonItem
	current jsonItem
	last    int // of the array whose subscripts are evaluated; -1 for none
	work    int
	pace    *pacer
}

// find returns the items of a path.
func (p *sqlPath) find(pace *pacer, context jsonItem, vars map[string]jsonItem) ([]jsonItem, error) {
	r := &pathRun{strict: p.strict, context: context, vars: vars, last: -1, pace: pace}
	return r.eval(p.root)
}

func (r *pathRun) count(n int) error {
	if r.work += n; r.work > pathItemsMax {
		return errPath
	}
	return nil
}

// unwrapped is a sequence with its arrays replaced by their elements, in lax
// mode; in strict mode it is as it was.
func (r *pathRun) unwrapped(items []jsonItem) ([]jsonItem, error) {
	if r.strict {
		return items, nil
	}
	var out []jsonItem
	for _, it := range items {
		if it.kind != 'a' {
			out = append(out, it)
			continue
		}
		out = appendElements(r.pace, out, it)
	}
	return out, r.count(len(out))
}

func appendElements(p *pacer, out []jsonItem, array jsonItem) []jsonItem {
	members(p, array.raw, func(_ int, _, v string) bool {
		out = append(out, itemOf(v))
		return true
	})
	return out
}

func (r *pathRun) eval(n *pathNode) ([]jsonItem, error) {
	if err := r.count(1); err != nil {
		return nil, err
	}
	r.pace.tick(rowWork)
	switch n.op {
	case "context":
		return []jsonItem{r.context}, nil
	case "current":
		if r.current.kind == 0 {
			return nil, errPath
		}
		return []jsonItem{r.current}, nil
	case "variable":
		it, ok := r.vars[n.text]
		if !ok {
			return nil, errPath
		}
		return []jsonItem{it}, nil
	case "last":
		if r.last < 0 {
			return nil, errPath
		}
		return []jsonItem{{'n', strconv.Itoa(r.last)}}, nil
	case "literal":
		return []jsonItem{n.item}, nil
	case "+", "-", "*", "/", "%":
		return r.arithmetic(n)
	}
	items, err := r.eval(n.args[0])
	if err != nil {
		return nil, err
	}
	if n.op == "descendant" {
		var out []jsonItem
		for _, it := range items {
			out = descend(r.pace, out, it, n.text)
		}
		return out, r.count(len(out))
	}
	unwrap := true
	switch n.op {
	case "elements", "subscript":
		unwrap = false
	case "method":
		unwrap = n.text != "type" && n.text != "size"
	}
	if unwrap {
		if items, err = r.unwrapped(items); err != nil {
			return nil, err
		}
	}
	var out []jsonItem
	for i, it := range items {
		if out, err = r.step(out, n, it, i); err != nil {
			return nil, err
		}
	}
	return out, r.count(len(out))
}

// step appends what one accessor gives for one item.
func (r *pathRun) step(out []jsonItem, n *pathNode, it jsonItem, i int) ([]jsonItem, error) {
	switch n.op {
	case "member", "members":
		if it.kind != 'o' {
			if r.strict {
				return nil, errPath
			}
			return out, nil
		}
		found := false
		var value string
		members(r.pace, it.raw, func(_ int, key, v string) bool {
			if n.op == "members" {
				out = append(out, itemOf(v))
			} else if unquote(key) == n.text {
				found, value = true, v // the last of equal keys
			}
			return true
		})
		if n.op == "member" {
			if found {
				return append(out, itemOf(value)), nil
			}
			if r.strict {
				return nil, errPath
			}
		}
		return out, nil
	case "elements", "subscript":
		var all []jsonItem
		switch {
		case it.kind == 'a':
			all = appendElements(r.pace, nil, it)
		case r.strict:
			return nil, errPath
		default:
			all = []jsonItem{it}
		}
		if n.op == "elements" {
			return append(out, all...), nil
		}
		return r.subscripts(out, n.args[1:], all)
	case "filter":
		was := r.current
		r.current = it
		met := r.test(n.args[1])
		r.current = was
		if met == pathTrue {
			out = append(out, it)
		}
		return out, nil
	case "minus", "plus":
		if it.kind != 'n' {
			return nil, errPath
		}
		if n.op == "minus" {
			it.raw = negated(it.raw)
		}
		return append(out, it), nil
	case "method":
		return r.method(out, n.text, it, i)
	}
	return nil, errPath
}

func negated(number string) string {
	if strings.HasPrefix(number, "-") {
		return number[1:]
	}
	return "-" + number
}

func (r *pathRun) subscripts(out []jsonItem, subs []*pathNode, all []jsonItem) ([]jsonItem, error) {
	was := r.last
	r.last = len(all) - 1
	defer func() { r.last = was }()
	if len(all) == 0 {
		r.last = 0 // last of nothing is out of bounds like every other index
	}
	for _, s := range subs {
		var ends [2]int
		for k, a := range s.args {
			items, err := r.eval(a)
			if err != nil {
				return nil, err
			}
			if len(items) != 1 || items[0].kind != 'n' {
				return nil, errPath
			}
			f, err := strconv.ParseFloat(items[0].raw, 64)
			if err != nil || math.Abs(f) > 1<<31 {
				return nil, errPath
			}
			ends[k] = int(f)
		}
		if len(s.args) == 1 {
			ends[1] = ends[0]
		}
		if r.strict && (ends[0] < 0 || ends[1] < ends[0] || ends[1] >= len(all)) {
			return nil, errPath
		}
		for i := max(ends[0], 0); i <= min(ends[1], len(all)-1); i++ {
			out = append(out, all[i])
		}
	}
	return out, nil
}

// descend appends the values of a key on every level, outer objects first.
func descend(p *pacer, out []jsonItem, it jsonItem, key string) []jsonItem {
	if it.kind != 'o' && it.kind != 'a' {
		return out
	}
	if it.kind == 'o' {
		members(p, it.raw, func(_ int, k, v string) bool {
			if unquote(k) == key {
				out = append(out, itemOf(v))
			}
			return true
		})
	}
	members(p, it.raw, func(_ int, _, v string) bool {
		out = descend(p, out, itemOf(v), key)
		return true
	})
	return out
}

func (r *pathRun) method(out []jsonItem, name string, it jsonItem, i int) ([]jsonItem, error) {
	switch name {
	case "type":
		return append(out, textItem(map[byte]string{'o': "object", 'a': "array", 's': "string", 'n': "number", 'b': "boolean", 'z': "null"}[it.kind])), nil
	case "size":
		n := 1
		if it.kind == 'a' {
			n = int(memberCount(r.pace, it.raw))
		} else if r.strict {
			return nil, errPath
		}
		return append(out, jsonItem{'n', strconv.Itoa(n)}), nil
	case "keyvalue":
		if it.kind != 'o' {
			return nil, errPath
		}
		members(r.pace, it.raw, func(_ int, k, v string) bool {
			out = append(out, jsonItem{'o', `{"name":` + k + `,"value":` + v + `,"id":` + strconv.Itoa(i) + `}`})
			return true
		})
		return out, nil
	case "double":
		if it.kind == 's' || it.kind == 'n' {
			if f, ok := parseDoubleText(it.raw); ok {
				return append(out, jsonItem{'n', floatText(f)}), nil
			}
		}
		return nil, errPath
	}
	if it.kind != 'n' {
		return nil, errPath
	}
	if _, err := strconv.ParseInt(it.raw, 10, 64); err == nil {
		if name == "abs" {
			it.raw = strings.TrimPrefix(it.raw, "-")
		}
		return append(out, it), nil
	}
	if name == "abs" {
		return append(out, jsonItem{'n', strings.TrimPrefix(it.raw, "-")}), nil
	}
	f, err := strconv.ParseFloat(it.raw, 64)
	if err != nil {
		return nil, errPath
	}
	if name == "ceiling" {
		f = math.Ceil(f)
	} else {
		f = math.Floor(f)
	}
	return append(out, jsonItem{'n', floatText(f)}), nil
}

func floatText(f float64) string { return string(appendPlainDouble(nil, f)) }

func (r *pathRun) arithmetic(n *pathNode) ([]jsonItem, error) {
	var sides [2]jsonItem
	for k, a := range n.args {
		items, err := r.eval(a)
		if err != nil {
			return nil, err
		}
		if items, err = r.unwrapped(items); err != nil {
			return nil, err
		}
		if len(items) != 1 || items[0].kind != 'n' {
			return nil, errPath
		}
		sides[k] = items[0]
	}
	x, err1 := strconv.ParseInt(sides[0].raw, 10, 64)
	y, err2 := strconv.ParseInt(sides[1].raw, 10, 64)
	if err1 == nil && err2 == nil {
		var z int64
		ok := true
		switch n.op {
		case "+":
			z = x + y
			ok = (z > x) == (y > 0)
		case "-":
			z = x - y
			ok = (z < x) == (y > 0)
		case "*":
			z, ok = mul128(x, y).int64()
		default:
			if ok = y != 0 && !(x == math.MinInt64 && y == -1); ok {
				if n.op == "/" {
					z = x / y
				} else {
					z = x % y
				}
			}
		}
		if !ok {
			return nil, errPath
		}
		return []jsonItem{{'n', strconv.FormatInt(z, 10)}}, nil
	}
	a, err1 := strconv.ParseFloat(sides[0].raw, 64)
	b, err2 := strconv.ParseFloat(sides[1].raw, 64)
	if err1 != nil || err2 != nil {
		return nil, errPath
	}
	var f float64
	switch n.op {
	case "+":
		f = a + b
	case "-":
		f = a - b
	case "*":
		f = a * b
	case "/":
		f = a / b
	default:
		f = math.Mod(a, b)
	}
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return nil, errPath
	}
	return []jsonItem{{'n', floatText(f)}}, nil
}

// Truth values of predicates.
const (
	pathFalse = iota
	pathTrue
	pathUnknown
)

func (r *pathRun) test(n *pathNode) int {
	switch n.op {
	case "&&", "||":
		a, b := r.test(n.args[0]), r.test(n.args[1])
		stop := pathFalse
		if n.op == "||" {
			stop = pathTrue
		}
		switch {
		case a == stop || b == stop:
			return stop
		case a == pathUnknown || b == pathUnknown:
			return pathUnknown
		}
		return 1 - stop
	case "!":
		if a := r.test(n.args[0]); a != pathUnknown {
			return 1 - a
		}
		return pathUnknown
	case "is unknown":
		if r.test(n.args[0]) == pathUnknown {
			return pathTrue
		}
		return pathFalse
	case "exists":
		items, err := r.eval(n.args[0])
		switch {
		case err != nil:
			return pathUnknown
		case len(items) > 0:
			return pathTrue
		}
		return pathFalse
	}
	var sides [2][]jsonItem
	for k, a := range n.args {
		items, err := r.eval(a)
		if err == nil {
			items, err = r.unwrapped(items)
		}
		if err != nil {
			return pathUnknown
		}
		sides[k] = items
	}
	if n.op == "like_regex" {
		sides[1] = []jsonItem{{}}
	}
	answer := pathFalse
	for _, a := range sides[0] {
		for _, b := range sides[1] {
			if r.count(1) != nil {
				return pathUnknown
			}
			r.pace.tick(rowWork)
			met := r.pairMet(n, a, b)
			switch {
			case met == pathTrue && !r.strict:
				return pathTrue
			case met == pathUnknown:
				// In lax mode what is found first counts, in strict mode an error.
				return pathUnknown
			case met == pathTrue:
				answer = pathTrue
			}
		}
	}
	return answer
}

func (r *pathRun) pairMet(n *pathNode, a, b jsonItem) int {
	is := func(c bool) int {
		if c {
			return pathTrue
		}
		return pathFalse
	}
	switch n.op {
	case "like_regex":
		if a.kind != 's' {
			return pathUnknown
		}
		re, err := regexes.get(n.text, compileRegex)
		if err != nil {
			return pathUnknown
		}
		found, err := re.find(r.pace.c, a.raw)
		if err != nil {
			if ended := r.pace.c.live(); ended != nil {
				panic(stopped{ended})
			}
			return pathUnknown
		}
		return is(found)
	case "starts with":
		if a.kind != 's' || b.kind != 's' {
			return pathUnknown
		}
		return is(strings.HasPrefix(a.raw, b.raw))
	}
	if a.kind == 'z' || b.kind == 'z' {
		both := a.kind == b.kind
		switch n.op {
		case "==", "<=", ">=":
			return is(both && n.op == "==")
		}
		return pathFalse
	}
	var c int
	switch {
	case a.kind != b.kind || a.kind == 'o' || a.kind == 'a':
		return pathUnknown
	case a.kind == 'n':
		c = compareNumbers(a.raw, b.raw)
	default:
		c = strings.Compare(a.raw, b.raw) // false comes before true
	}
	switch n.op {
	case "==":
		return is(c == 0)
	case "!=":
		return is(c != 0)
	case "<":
		return is(c < 0)
	case "<=":
		return is(c <= 0)
	case ">":
		return is(c > 0)
	}
	return is(c >= 0)
}

func compareNumbers(a, b string) int {
	x, err1 := strconv.ParseInt(a, 10, 64)
	y, err2 := strconv.ParseInt(b, 10, 64)
	if err1 == nil && err2 == nil {
		return cmp.Compare(x, y)
	}
	f, _ := strconv.ParseFloat(a, 64)
	g, _ := strconv.ParseFloat(b, 64)
	return cmp.Compare(f, g)
}
