package enginetest_test

import (
	"math/rand/v2"
	"regexp"
	"slices"
	"sort"
	"strings"
)

// maker makes queries at random. Values that it compares with come out of the
// records for the most part, so that conditions are met by some rows and
// indexes have something to find; the forms that storage answers without
// looking at rows are made more often than chance would.
type maker struct {
	*rand.Rand
	s       *sample
	common  bool   // only what SQLite and PostgreSQL can say, too
	alias   string // of the store in the query at hand
	inKey   int    // above 0 where a parameter must not stand
	columns []*col // the text columns to choose from
	// distinct are the values of columns, as far as they were asked for.
	distinct map[*col][]string
}

func newMaker(s *sample, seed uint64, common bool) *maker {
	m := &maker{Rand: rand.New(rand.NewPCG(seed, 7)), s: s, common: common, columns: textCols, distinct: map[*col][]string{}}
	if common {
		m.columns = slices.DeleteFunc(slices.Clone(textCols), func(c *col) bool { return strings.Contains(c.path, "credentiais") })
	}
	return m
}

// one in n.
func (m *maker) one(n int) bool { return m.IntN(n) == 0 }

func choose[T any](m *maker, list ...T) T { return list[m.IntN(len(list))] }

// often picks of a list, the first ones more often.
func often[T any](m *maker, list []T) T {
	return list[min(m.IntN(len(list)), m.IntN(len(list)))]
}

func op(name string, k kind, args ...*expr) *expr { return &expr{op: name, kind: k, args: args} }

func lit(k kind, v any) *expr { return &expr{op: "lit", kind: k, val: v} }

func (m *maker) row() *record { return choose(m, m.s.events...) }

// column returns a column, spelled in some way.
func (m *maker) column(c *col) *expr {
	parts := strings.Split(c.path, ".")
	spelling := m.IntN(6)
	for i, p := range parts {
		switch spelling {
		case 0:
			parts[i] = strings.ToLower(p)
		case 1:
			parts[i] = strings.ToUpper(p)
		case 2:
			b := []byte(p)
			for k := range b {
				if m.one(3) {
					b[k] ^= 0x20 * (b[k] >> 6 & 1) // letters alone
				}
			}
			parts[i] = string(b)
		case 3:
			if m.one(3) {
				parts[i] = `"` + p + `"`
			}
		}
	}
	text := strings.Join(parts, ".")
	if m.alias != "" && m.one(2) {
		text = m.alias + "." + text
	}
	return &expr{op: "col", kind: c.kind, col: c, text: text}
}

// dataText returns a text that occurs in a column, nil when the row has none.
func (m *maker) dataText(c *col) any {
	if m.one(2) {
		// Each value as often as any other: the rare ones are in indexes.
		if m.distinct[c] == nil {
			seen := map[string]bool{"": true}
			for _, r := range m.s.events {
				if s, ok := r.value(c).(string); ok && len(s) < 200 && !seen[s] && !strings.Contains(s, "\x00") {
					seen[s] = true
					m.distinct[c] = append(m.distinct[c], s)
				}
			}
		}
		if list := m.distinct[c]; list != nil {
			return choose(m, list...)
		}
	}
	for range 4 {
		if s, ok := m.row().value(c).(string); ok && len(s) < 200 && !strings.Contains(s, "\x00") {
			return s
		}
	}
	return nil
}

var constants = []string{"", " ", "AccessDenied", "Get", "a", "%", "_", "it's", "true", "42", "ec2.amazonaws.com", "us-east-1", "IAMUser", "é", "😀", "zzz", "\\", "null"}

func (m *maker) textLit() *expr {
	if m.one(20) {
		return lit(kText, nil)
	}
	if !m.one(4) {
		if v := m.dataText(choose(m, m.columns...)); v != nil {
			return m.param(lit(kText, v))
		}
	}
	return m.param(lit(kText, choose(m, constants...)))
}

func (m *maker) timeLit() *expr {
	c := eventTimeCol
	if m.one(6) {
		c = choose(m, timeCols...)
	}
	t, ok := m.row().value(c).(instant)
	if !ok || m.one(25) {
		return lit(kTime, nil)
	}
	switch m.IntN(6) {
	case 0:
		t -= t % 86400e6
	case 1:
		t -= t % 3600e6
	case 2:
		t += instant(m.IntN(2000)-1000) * 1000
	case 3:
		t += instant(m.IntN(20)-10) * 3600e6
	}
	if t < 0 || t > 253402300799e6 {
		t = 0
	}
	return lit(kTime, t)
}

// param makes a literal a parameter now and then, where its place gives it a
// type.
func (m *maker) param(e *expr) *expr {
	if m.inKey == 0 && !m.common && e.val != nil && m.one(8) {
		e.style = "param"
	}
	return e
}

// compared gives a literal that is compared with something that is none a
// style that only goes there.
func (m *maker) compared(e *expr) *expr {
	if e.op != "lit" {
		return e
	}
	switch x := e.val.(type) {
	case nil:
		if m.one(2) && e.kind != kDouble {
			e.style = "bare"
		}
	case instant:
		e.style = choose(m, "", "plain", "iso", "param")
		if x%86400e6 == 0 {
			e.style = choose(m, "date", "plain", "")
		}
		if e.style == "param" {
			e.style = ""
			m.param(e)
		}
	case bool:
		e.style = choose(m, "", "", "quoted")
	default:
		m.param(e)
	}
	return e
}

// value makes an expression of a kind.
func (m *maker) value(k kind, depth int) *expr {
	// Maps and rows are of many types and, with a NULL inside, neither equal nor
	// different: nothing is done with them but to read and group them.
	if depth > 0 && k != kNested && m.one(7) {
		return m.conditional(k, depth-1)
	}
	switch k {
	case kText:
		return m.textValue(depth)
	case kInt:
		return m.intValue(depth)
	case kDouble:
		return m.doubleValue(depth)
	case kBool:
		if depth <= 0 || m.one(2) {
			return m.column(choose(m, boolCols...))
		}
		return m.cond(depth - 1)
	case kTime:
		return m.timeValue(depth)
	case kDate:
		return m.dateValue(depth)
	}
	return m.column(choose(m, nestedCols...))
}

// conditional makes one of the forms that choose among values.
func (m *maker) conditional(k kind, depth int) *expr {
	switch m.IntN(5) {
	case 0:
		args := []*expr{m.cond(depth), m.value(k, depth)}
		if m.one(3) {
			args = append(args, m.cond(depth), m.value(k, depth))
		}
		if !m.one(3) {
			args = append(args, m.value(k, depth))
		}
		return op("case", k, args...)
	case 1:
		x := m.textValue(depth)
		args := []*expr{x}
		for range 1 + m.IntN(3) {
			args = append(args, m.textLit(), m.value(k, depth))
		}
		if !m.one(3) {
			args = append(args, m.value(k, depth))
		}
		return op("casewhen", k, args...)
	case 2:
		args := []*expr{m.value(k, depth), m.value(k, depth)}
		if m.one(3) {
			args = append(args, m.value(k, depth))
		}
		return op("coalesce", k, args...)
	case 3:
		return op("nullif", k, m.value(k, depth), m.value(k, 0))
	}
	args := []*expr{m.cond(depth), m.value(k, depth)}
	if m.one(2) {
		args = append(args, m.value(k, depth))
	}
	return op("if", k, args...)
}

func (m *maker) textValue(depth int) *expr {
	if m.common {
		switch {
		case depth <= 0 || m.one(2):
			return m.column(often(m, m.columns))
		case m.one(8):
			return m.textLit()
		}
		switch m.IntN(4) {
		case 0:
			return op("||", kText, m.value(kText, depth-1), m.value(kText, depth-1))
		case 1:
			return op("substr", kText, m.value(kText, depth-1), lit(kInt, int64(1+m.IntN(8))), lit(kInt, int64(m.IntN(8))))
		case 2:
			return op("replace", kText, m.value(kText, depth-1), lit(kText, choose(m, "a", "Get", "-", ".amazonaws", "é")), lit(kText, choose(m, "", "_", "long")))
		}
		return op("cast", kText, m.value(kInt, depth-1))
	}
	if depth <= 0 || m.one(3) {
		switch m.IntN(10) {
		case 0, 1:
			return m.mapGet(0)
		case 2:
			return m.textLit()
		}
		return m.column(often(m, m.columns))
	}
	sub := func() *expr { return m.value(kText, depth-1) }
	switch m.IntN(16) {
	case 0:
		args := []*expr{sub(), sub()}
		if m.one(3) {
			args = append(args, sub())
		}
		return op(choose(m, "||", "concat"), kText, args...)
	case 1:
		return op("lower", kText, sub())
	case 2:
		return op("upper", kText, sub())
	case 3:
		args := []*expr{sub(), lit(kInt, int64(m.IntN(14)-4))}
		if m.one(2) {
			args = append(args, lit(kInt, int64(m.IntN(9)-1)))
		}
		return op("substr", kText, args...)
	case 4:
		return op("split_part", kText, sub(), lit(kText, choose(m, ":", ".", "/", "a", "::")), lit(kInt, int64(1+m.IntN(5))))
	case 5:
		args := []*expr{sub(), lit(kText, choose(m, "a", "Get", "-", ".amazonaws", "é", "aa"))}
		if m.one(2) {
			args = append(args, lit(kText, choose(m, "", "_", "$1", "long")))
		}
		return op("replace", kText, args...)
	case 6:
		return op("trim", kText, sub())
	case 7:
		return op("reverse", kText, sub())
	case 8, 9:
		return m.mapGet(depth - 1)
	case 10, 11:
		return m.jsonScalar(depth - 1)
	case 12:
		return op("cast", kText, m.value(choose(m, kInt, kBool, kTime, kDate), depth-1))
	case 13:
		p := choose(m, `^[A-Z][a-z]+`, `[0-9]+`, `arn:aws:([a-z]+)`, `(?i)([a-z])([a-z]*)`, `/([^/]+)`, `é|ß|😀`)
		e := op("regexp_extract", kText, sub())
		e.text, e.n, e.style = p, m.IntN(regexp.MustCompile(p).NumSubexp()+1), choose(m, "", "short")
		return e
	case 14:
		return op("concatws", kText, lit(kText, choose(m, ",", "", " - ")), sub(), sub())
	}
	return op(choose(m, "greatest", "least"), kText, sub(), sub())
}

// mapGet reads a key of a map column, mostly one that is there.
func (m *maker) mapGet(depth int) *expr {
	c := often(m, mapCols)
	var key *expr
	switch {
	case depth > 0 && m.one(12):
		key = m.textValue(depth - 1)
	case m.one(8):
		key = lit(kText, choose(m, "", "it's", "a.b", "ключ", "BUCKETNAME", "bucketname", "none", "k1", "key"))
	default:
		key = lit(kText, "bucketName")
		for range 20 {
			if o := m.row().object(c.json); len(o) > 0 {
				keys := make([]string, 0, len(o))
				for k := range o {
					keys = append(keys, k)
				}
				sort.Strings(keys)
				key.val = choose(m, keys...)
				break
			}
		}
	}
	if m.one(20) {
		return op("try", kText, op("mapsub", kText, m.column(c), key))
	}
	return op("mapget", kText, m.column(c), key)
}

var plainStep = regexp.MustCompile(`^[A-Za-z0-9_:$/@|#-]+$`)

// jsonScalar reads a place of a JSON text, mostly one that is there.
func (m *maker) jsonScalar(depth int) *expr {
	arg := m.column(recordCol)
	var doc any = m.row().raw
	if m.one(2) {
		arg = m.mapGet(depth - 1)
		for range 30 {
			if v, err := arg.eval(&env{row: m.row()}); err == nil && v != nil {
				doc = v
				if strings.HasPrefix(v.(string), "{") || strings.HasPrefix(v.(string), "[") {
					break
				}
			}
		}
	}
	e := op("jsonscalar", kText, arg)
	e.style = "$"
	raw := []byte(doc.(string))
	for range 5 {
		step, spelled := "", ""
		if o := objectOf(raw); len(o) > 0 {
			var keys []string
			for k := range o {
				if plainStep.MatchString(k) {
					keys = append(keys, k)
				}
			}
			if len(keys) == 0 {
				break
			}
			sort.Strings(keys)
			step = choose(m, keys...)
			spelled = choose(m, "."+step, "."+step, `["`+step+`"]`, "['"+step+"']")
			raw = o[step]
		} else if len(raw) > 0 && raw[0] == '[' {
			step = choose(m, "0", "0", "1")
			spelled = "[" + step + "]"
			raw = nil
		} else {
			if m.one(10) {
				step, spelled = "none", ".none"
			}
			raw = nil
		}
		e.text += step
		if step != "" {
			e.text += "."
		}
		e.style += spelled
		if raw == nil || m.one(6) {
			break
		}
	}
	return e
}

func (m *maker) intValue(depth int) *expr {
	if m.one(8) {
		return lit(kInt, int64(m.IntN(60)-5))
	}
	if depth <= 0 {
		if m.one(2) {
			return m.datePart(0)
		}
		return op("length", kInt, m.column(often(m, m.columns)))
	}
	small := func() *expr { return lit(kInt, choose[int64](m, 1, 2, 3, 7, -2, 100)) }
	switch m.IntN(11) {
	case 0, 1:
		return m.datePart(depth - 1)
	case 2:
		return op(choose(m, "+", "-", "*"), kInt, m.small(depth-1), small())
	case 3:
		return op(choose(m, "/", "%"), kInt, m.small(depth-1), small())
	}
	if m.common {
		return op("length", kInt, m.value(kText, depth-1))
	}
	switch m.IntN(8) {
	case 0:
		return op("strpos", kInt, m.value(kText, depth-1), lit(kText, choose(m, "a", ".", "Get", "é", "", "zz")))
	case 1:
		return op("cardinality", kInt, m.column(choose(m, append([]*col{resourceCol}, mapCols...)...)))
	case 2:
		return op("trycast", kInt, m.value(choose(m, kText, kText, kDouble), depth-1))
	case 3:
		return op("try", kInt, op(choose(m, "+", "-", "*", "/", "%"), kInt, op("trycast", kInt, m.value(kText, depth-1)), m.small(depth-1)))
	case 4:
		e := op("date_diff", kInt, m.value(kTime, depth-1), m.value(kTime, depth-1))
		e.text = choose(m, "millisecond", "second", "minute", "hour", "day", "week", "month", "year")
		return e
	case 5:
		return op("abs", kInt, op("neg", kInt, m.small(depth-1)))
	case 6:
		return op(choose(m, "greatest", "least"), kInt, m.small(depth-1), m.small(depth-1))
	}
	return op("length", kInt, m.value(kText, depth-1))
}

// small makes an integer that no arithmetic or sum brings to overflow.
func (m *maker) small(depth int) *expr {
	switch {
	case depth > 0 && m.one(4):
		return op(choose(m, "+", "-"), kInt, m.small(depth-1), lit(kInt, int64(m.IntN(50))))
	case m.one(3):
		return m.datePart(max(depth-1, 0))
	case m.one(4) && !m.common:
		return op("cardinality", kInt, m.column(choose(m, mapCols...)))
	case m.one(5):
		return op("case", kInt, m.cond(max(depth-1, 0)), lit(kInt, int64(1)), lit(kInt, int64(0)))
	}
	return op("length", kInt, m.value(kText, max(depth-1, 0)))
}

func (m *maker) datePart(depth int) *expr {
	e := op("date_part", kInt, m.value(kTime, depth))
	e.text = choose(m, "hour", "hour", "day_of_week", "day", "minute", "month", "year", "day_of_year")
	if !m.common {
		if m.one(4) {
			e.text = choose(m, "second", "millisecond", "quarter", "week")
		}
		if depth > 0 && m.one(6) && !slices.Contains([]string{"hour", "minute", "second", "millisecond"}, e.text) {
			e.args[0] = m.value(kDate, depth-1)
		}
		if m.one(4) && e.text != "millisecond" {
			e.style = "extract"
		}
	}
	return e
}

func (m *maker) doubleValue(depth int) *expr {
	switch m.IntN(5) {
	case 0:
		return lit(kDouble, choose(m, 0.5, -1.25, 3.0, 1e10))
	case 1:
		if depth > 0 {
			return op(choose(m, "+", "-", "*"), kDouble, m.doubleValue(depth-1), lit(kDouble, choose(m, 0.5, 2.0, -4.0)))
		}
	case 2:
		return op("cast", kDouble, m.small(max(depth-1, 0)))
	}
	return op("trycast", kDouble, m.value(kText, max(depth-1, 0)))
}

func (m *maker) timeValue(depth int) *expr {
	if depth <= 0 || m.one(2) {
		if m.one(4) {
			return m.column(choose(m, timeCols...))
		}
		return m.column(eventTimeCol)
	}
	if m.common {
		e := op("date_trunc", kTime, m.column(choose(m, timeCols...)))
		e.text = choose(m, "minute", "hour", "day", "month", "year")
		return e
	}
	switch m.IntN(5) {
	case 0, 1:
		e := op("date_trunc", kTime, m.value(kTime, depth-1))
		e.text = choose(m, "second", "minute", "hour", "day", "week", "month", "quarter", "year")
		return e
	case 2:
		e := op("date_add", kTime, lit(kInt, int64(m.IntN(80)-40)), m.column(choose(m, timeCols...)))
		e.text = choose(m, "second", "minute", "hour", "day", "week", "month")
		// The year 9999 of an odd record is no good to add to.
		return op("case", kTime, op("<", kBool, m.column(eventTimeCol), lit(kTime, instant(4e15))), e)
	case 3:
		return op("trycast", kTime, m.value(kText, depth-1))
	}
	return op("cast", kTime, m.value(kDate, depth-1))
}

func (m *maker) dateValue(depth int) *expr {
	switch {
	case depth > 0 && m.one(6):
		return op("trycast", kDate, m.value(kText, depth-1))
	case m.one(2):
		return op("date", kDate, m.value(kTime, depth-1))
	}
	return op("cast", kDate, m.value(kTime, depth-1))
}

// cond makes a condition.
func (m *maker) cond(depth int) *expr {
	if depth > 0 && m.one(2) {
		switch m.IntN(7) {
		case 0, 1, 2:
			return op("and", kBool, m.cond(depth-1), m.cond(depth-1))
		case 3, 4:
			return op("or", kBool, m.cond(depth-1), m.cond(depth-1))
		case 5:
			return op("not", kBool, m.cond(depth-1))
		}
		return op(choose(m, "istrue", "isfalse", "isunknown"), kBool, m.cond(depth-1))
	}
	if m.one(2) {
		return m.indexable()
	}
	switch m.IntN(12) {
	case 0, 1, 2:
		k := choose(m, kText, kText, kInt, kTime)
		if !m.common {
			k = choose(m, kText, kText, kInt, kTime, kDate, kBool, kDouble)
		}
		return m.comparison(m.value(k, depth), m.operand(k, depth))
	case 3, 4:
		return m.likeOf(m.value(kText, depth))
	case 5:
		return m.in(m.value(kText, depth), m.dataList(choose(m, m.columns...)))
	case 6:
		return op(choose(m, "isnull", "notnull"), kBool, m.value(choose(m, kText, kText, kInt, kTime, kBool), depth))
	case 7:
		k := choose(m, kText, kInt, kTime)
		x := m.value(k, depth)
		return op(choose(m, "between", "notbetween"), kBool, x, m.operand(k, 0), m.operand(k, 0))
	case 8:
		if m.common {
			break
		}
		e := op("regexp_like", kBool, m.value(kText, depth))
		e.text = choose(m, `^[A-Z][a-z]+`, `[0-9]{3}`, `(?i)describe|get`, `role/[a-z]`, `^$|^ `, `é`)
		return e
	case 9:
		if m.common {
			break
		}
		return op("starts_with", kBool, m.value(kText, depth), lit(kText, choose(m, "Get", "arn:", "", "é", "x")))
	case 10:
		if m.common {
			break
		}
		return op(choose(m, "isnull", "notnull"), kBool, m.column(choose(m, nestedCols...)))
	}
	return op(choose(m, "isnull", "notnull"), kBool, m.column(often(m, m.columns)))
}

// operand is what a value of kind k is compared with.
func (m *maker) operand(k kind, depth int) *expr {
	if m.one(4) {
		return m.value(k, depth)
	}
	switch k {
	case kText:
		return m.compared(m.textLit())
	case kInt:
		return m.compared(lit(kInt, int64(m.IntN(60)-2)))
	case kDouble:
		return lit(kDouble, choose(m, 0.0, 1.5, 100.0))
	case kBool:
		return m.compared(lit(kBool, m.one(2)))
	case kTime:
		return m.compared(m.timeLit())
	}
	t, _ := m.row().value(eventTimeCol).(instant)
	return m.compared(lit(kDate, day(floorDiv(int64(t), 86400e6))))
}

func (m *maker) comparison(a, b *expr) *expr {
	if a.op == "lit" && b.op == "lit" {
		// Styles need a partner of the type that they mean.
		a.style, b.style = "", ""
	}
	name := choose(m, "=", "=", "<>", "<", "<=", ">", ">=", "distinct", "notdistinct")
	e := op(name, kBool, a, b)
	if name == "<>" && m.one(3) {
		e.style = "!="
	}
	return e
}

func (m *maker) dataList(c *col) []*expr {
	var list []*expr
	for range 1 + m.IntN(5) {
		if v := m.dataText(c); v != nil && !m.one(8) {
			list = append(list, m.param(lit(kText, v)))
		} else {
			list = append(list, m.textLit())
		}
	}
	if m.one(8) {
		list = append(list, &expr{op: "lit", kind: kText, style: "bare"})
	}
	return list
}

func (m *maker) in(x *expr, list []*expr) *expr {
	return op(choose(m, "in", "in", "notin"), kBool, append([]*expr{x}, list...)...)
}

func (m *maker) likeOf(x *expr) *expr {
	e := op(choose(m, "like", "like", "notlike"), kBool, x)
	s := choose(m, constants...)
	if x.op == "col" && x.kind == kText {
		if v, ok := m.dataText(x.col).(string); ok {
			s = v
		}
	}
	runes := []rune(s)
	if len(runes) > 1 {
		a := m.IntN(len(runes))
		b := a + 1 + m.IntN(len(runes)-a)
		switch m.IntN(5) {
		case 0:
			a = 0
		case 1:
			b = len(runes)
		case 2:
			a, b = 0, len(runes)
		}
		runes = runes[a:b]
		s = string(runes)
	}
	if m.one(5) {
		e.style = choose(m, `\`, "!", "é")
		var b strings.Builder
		for _, r := range runes {
			if r == '%' || r == '_' || string(r) == e.style {
				b.WriteString(e.style)
			}
			b.WriteRune(r)
		}
		s = b.String()
	} else if len(runes) > 0 && m.one(3) {
		runes = slices.Clone(runes)
		runes[m.IntN(len(runes))] = choose(m, '_', '%')
		s = string(runes)
	}
	switch m.IntN(5) {
	case 0:
		s = "%" + s
	case 1:
		s += "%"
	case 2, 3:
		s = "%" + s + "%"
	}
	e.text = s
	return e
}

// indexable makes a condition that storage can use: on a bare column, mostly
// met by some rows.
func (m *maker) indexable() *expr {
	c := often(m, m.columns)
	if m.one(4) {
		c = eventNameCol
	}
	x := m.column(c)
	if !m.common && m.one(6) {
		x = m.mapGet(0)
	}
	switch m.IntN(9) {
	case 0, 1:
		v := m.dataText(c)
		if v == nil {
			return op("isnull", kBool, x)
		}
		return op(choose(m, "=", "=", "=", "<>", "notdistinct"), kBool, x, m.compared(lit(kText, v)))
	case 2:
		return m.in(x, m.dataList(c))
	case 3:
		return m.likeOf(x)
	case 4:
		b := m.column(choose(m, boolCols...))
		if m.one(2) {
			return b
		}
		return op(choose(m, "=", "<>", "distinct"), kBool, b, m.compared(lit(kBool, m.one(2))))
	case 5:
		lo, hi := m.compared(m.timeLit()), m.compared(m.timeLit())
		if m.one(2) {
			return op("between", kBool, m.column(eventTimeCol), lo, hi)
		}
		return op("and", kBool, op(choose(m, ">", ">="), kBool, m.column(eventTimeCol), lo), op(choose(m, "<", "<="), kBool, m.column(eventTimeCol), hi))
	case 6:
		return op(choose(m, "=", "<", "<=", ">", ">="), kBool, m.column(choose(m, timeCols...)), m.compared(m.timeLit()))
	case 7:
		// One event, or a few.
		if v := m.dataText(eventIDCol); v != nil {
			if m.one(2) {
				return m.in(m.column(eventIDCol), m.dataList(eventIDCol))
			}
			return op("=", kBool, m.column(eventIDCol), m.compared(lit(kText, v)))
		}
	}
	return op(choose(m, "isnull", "notnull"), kBool, x)
}

// query makes a query.
func (m *maker) query() *query {
	if !m.common && m.one(10) {
		return m.unionQuery()
	}
	if m.one(3) {
		return m.groupQuery()
	}
	if m.one(8) {
		return m.countQuery()
	}
	return m.plainQuery()
}

func (m *maker) begin() *query {
	q := &query{store: "events", limit: -1, offset: -1}
	if !m.common {
		if m.one(8) {
			q.store = "other"
		}
		switch m.IntN(4) {
		case 0:
			q.alias = "e"
		case 1:
			q.alias = "T1"
		}
	}
	m.alias = q.alias
	switch m.IntN(8) {
	case 0, 1:
	case 2:
		c := often(m, m.columns)
		if v := m.dataText(c); v != nil {
			q.where = op("=", kBool, m.column(c), m.compared(lit(kText, v)))
			if m.one(3) {
				q.where = op("and", kBool, q.where, m.indexable())
			}
		}
	case 3:
		q.where = m.indexable()
	default:
		q.where = m.cond(m.IntN(4))
	}
	return q
}

func (m *maker) kind() kind {
	if m.common {
		return choose(m, kText, kText, kText, kInt, kTime, kBool)
	}
	return choose(m, kText, kText, kText, kText, kInt, kInt, kBool, kTime, kDate, kDouble, kNested)
}

func (m *maker) plainQuery() *query {
	q := m.begin()
	for range 1 + m.IntN(4) {
		q.items = append(q.items, m.value(m.kind(), m.IntN(4)))
	}
	q.distinct = m.one(6)
	if m.one(3) && !m.common && !q.distinct {
		q.items = append(q.items, m.column(choose(m, recordCol, checksumCol, eventIDCol)))
	}
	if m.one(25) && !m.common {
		// Something that cannot be had for every row: the query fails if and
		// only if such a row is among those that the condition leaves.
		q.items = append(q.items, choose(m,
			op("cast", kInt, m.column(often(m, m.columns))),
			op("mapsub", kText, m.column(mapCols[0]), lit(kText, "bucketName")),
			op("/", kInt, lit(kInt, int64(100)), op("length", kInt, m.column(often(m, m.columns)))),
			op("cast", kTime, m.column(often(m, m.columns)))))
		return q
	}
	if m.one(6) {
		// The latest events.
		q.items = append(q.items, m.column(eventTimeCol))
		q.order = []orderKey{{item: len(q.items) - 1, desc: !m.one(3)}}
		if q.limit = choose(m, 1, 5, 20, 300); m.common {
			q.limit = -1 // which of the rows with the last time is left open
		}
		return q
	}
	m.order(q)
	if len(q.order) == 0 && m.one(8) && !m.common {
		q.limit = choose(m, 0, 1, 10, 500) // any rows will do
	}
	return q
}

func hasColumn(e *expr) bool {
	return e.op == "col" || slices.ContainsFunc(e.args, hasColumn)
}

// order gives a query an order, and perhaps a limit, that leaves only one answer.
func (m *maker) order(q *query) {
	kinds := q.kinds()
	var keys []orderKey
	for i, k := range kinds {
		if k != kNested {
			keys = append(keys, orderKey{item: i})
		}
	}
	m.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
	if len(keys) == 0 {
		return
	}
	if m.one(2) {
		keys = keys[:1+m.IntN(len(keys))]
	}
	limited := false
	switch m.IntN(4) {
	case 0:
		return
	case 1, 2:
		if q.union == nil && !q.grouped && !q.distinct && m.one(2) {
			keys = keys[:m.IntN(len(keys))]
			for range 1 + m.IntN(2) {
				if e := m.value(choose(m, kText, kInt, kTime), m.IntN(2)); hasColumn(e) {
					keys = append(keys, orderKey{expr: e})
				}
			}
			if m.one(2) {
				keys = []orderKey{{expr: m.column(eventTimeCol), desc: m.one(2)}}
			}
			if !m.common {
				keys = append(keys, orderKey{expr: m.column(recordCol)})
				limited = true
			}
		}
	}
	for i := range keys {
		keys[i].desc = m.one(2)
		keys[i].nulls = choose(m, "", "FIRST", "LAST")
	}
	if len(keys) == 0 || m.common && slices.ContainsFunc(keys, func(k orderKey) bool { return k.expr != nil }) {
		return
	}
	q.order = keys
	if limited || q.total() || m.one(3) && !m.common && !slices.ContainsFunc(keys, func(k orderKey) bool { return k.expr != nil }) {
		if m.one(2) {
			q.limit = choose(m, 0, 1, 3, 10, 10, 50, 1000, 100000)
		}
		if m.one(3) {
			q.offset = choose(m, 0, 1, 5, 40, 2500, 10000)
		}
	}
}

func (m *maker) groupQuery() *query {
	q := m.begin()
	q.grouped = true
	m.inKey++
	for range 1 + m.IntN(3) {
		k := m.value(choose(m, kText, kText, kText, kBool, kInt, kTime), choose(m, 0, 0, 0, 1, 2))
		if !m.common && m.one(12) {
			k = m.value(choose(m, kNested, kDate, kDouble), 1)
		}
		if m.one(3) {
			k = m.column(often(m, m.columns))
		}
		if hasColumn(k) {
			q.keys = append(q.keys, k)
		}
	}
	m.inKey--
	for i, k := range q.keys {
		if m.one(8) {
			continue
		}
		key := &expr{op: "key", kind: k.kind, n: i}
		if k.kind == kText && m.one(8) && !m.common {
			key = op("lower", kText, key)
		}
		q.items = append(q.items, key)
	}
	q.ordinals = m.one(2)
	for range 1 + m.IntN(3) {
		q.items = append(q.items, m.aboveGroups(m.aggregate()))
	}
	m.Shuffle(len(q.items), func(i, j int) { q.items[i], q.items[j] = q.items[j], q.items[i] })
	if m.one(4) {
		q.having = m.havingCond()
		if m.one(3) {
			q.having = op(choose(m, "and", "or"), kBool, q.having, m.havingCond())
		}
	}
	m.order(q)
	return q
}

func (m *maker) havingCond() *expr {
	a := m.aggregate()
	switch a.kind {
	case kInt:
		return op(choose(m, ">", ">=", "=", "<", "<>"), kBool, a, lit(kInt, int64(choose(m, 1, 1, 2, 5, 20))))
	case kText:
		return m.comparison(a, m.compared(m.textLit()))
	}
	return op(choose(m, "isnull", "notnull"), kBool, a)
}

// aboveGroups makes something of an aggregate, mostly itself.
func (m *maker) aboveGroups(a *expr) *expr {
	if !m.one(6) {
		return a
	}
	switch a.kind {
	case kInt:
		return choose(m, op("+", kInt, a, lit(kInt, int64(1))), op("coalesce", kInt, a, lit(kInt, int64(-1))),
			op("case", kText, op(">", kBool, a, lit(kInt, int64(3))), lit(kText, "many"), lit(kText, "few")))
	case kText:
		return op("||", kText, a, lit(kText, "!"))
	}
	return a
}

func (m *maker) countQuery() *query {
	q := m.begin()
	q.grouped = true
	for range 1 + m.IntN(4) {
		q.items = append(q.items, m.aboveGroups(m.aggregate()))
	}
	if m.one(8) {
		q.having = m.havingCond()
	}
	return q
}

// aggregate makes a call of an aggregate whose result does not depend on the
// order of rows.
func (m *maker) aggregate() *expr {
	depth := m.IntN(3)
	e := &expr{op: "agg", text: "count", kind: kInt}
	any := func() *expr { return m.value(choose(m, kText, kText, kInt, kTime, kBool), depth) }
	switch m.IntN(12) {
	case 0, 1, 2:
	case 3:
		e.args = []*expr{any()}
	case 4:
		e.args, e.distinct = []*expr{any()}, true
		if !m.common && m.one(8) {
			e.args[0] = m.column(choose(m, nestedCols...))
		}
	case 5:
		e.text, e.args = "sum", []*expr{m.small(depth)}
		e.distinct = m.one(5)
	case 6:
		e.text, e.args, e.kind = "avg", []*expr{m.small(depth)}, kDouble
	case 7, 8:
		k := choose(m, kText, kInt, kTime)
		if !m.common {
			k = choose(m, kText, kInt, kTime, kBool, kDate, kDouble)
		}
		e.text, e.args, e.kind = choose(m, "min", "max"), []*expr{m.value(k, depth)}, k
		if k == kTime && m.one(2) {
			e.args[0] = m.column(eventTimeCol)
		}
	case 9, 10:
		if m.common {
			break
		}
		k := choose(m, kText, kInt, kTime, kBool, kNested)
		x, by := m.value(k, depth), m.column(recordCol)
		if m.one(3) {
			c := often(m, m.columns)
			by = m.column(c)
			x, k = op("length", kInt, m.column(c)), kInt
		}
		e.text, e.args, e.kind = choose(m, "max_by", "min_by"), []*expr{x, by}, k
	case 11:
		if m.common {
			break
		}
		e.text, e.args = choose(m, "count_if", "bool_and", "bool_or"), []*expr{m.value(kBool, depth)}
		if e.text != "count_if" {
			e.kind = kBool
		}
	}
	if m.one(7) {
		e.filter = m.cond(1)
	}
	return e
}

func (m *maker) unionQuery() *query {
	q := &query{limit: -1, offset: -1}
	var kinds []kind
	for range 1 + m.IntN(3) {
		kinds = append(kinds, choose(m, kText, kText, kInt, kTime, kBool))
	}
	for range 2 + m.IntN(2) {
		one := m.begin()
		one.store = choose(m, "events", "other")
		if m.one(4) {
			// The same column twice is what a planner may merge.
			one.where = nil
		}
		for _, k := range kinds {
			one.items = append(one.items, m.value(k, m.IntN(3)))
		}
		one.distinct = m.one(8)
		q.union = append(q.union, one)
	}
	m.order(q)
	return q
}
