package enginetest_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// The plain evaluation: an expression is a tree, a value is a Go value, a row is
// a record. It shares no code with the engine and knows no shortcut.

// kind is the type of an expression, as far as the test has to know.
type kind uint8

const (
	kText   kind = iota // string
	kInt                // int64
	kDouble             // float64
	kBool               // bool
	kTime               // instant
	kDate               // day
	kNested             // nested: maps, rows and arrays, for which only equality matters
)

// NULL is nil. The other values:
type (
	instant int64  // microseconds since 1970
	day     int64  // days since 1970
	nested  string // the text of show, members of maps in order
)

// col is a column, or a member of one, as the schema describes it.
type col struct {
	path    string   // its SQL name, with dots, in the spelling of the documents
	json    []string // where it stands in the record; for a member of a row in an array, in that row
	kind    kind
	mapping byte // t text, b boolean, i instant, m map, r row, a array of rows, w whole record, c checksum
	members []*col
	also    []string // a second place, which counts when the first has nothing
}

func (c *col) read(raw json.RawMessage) any {
	switch c.mapping {
	case 'b':
		return boolOf(raw)
	case 'i':
		return timeOf(raw)
	case 'm':
		return mapOf(raw)
	case 'r':
		return rowOf(raw, c.members)
	case 'a':
		return rowsOf(raw, c.members)
	}
	return textOf(raw)
}

// value returns the column's value in a record.
func (r *record) value(c *col) any {
	v, ok := r.values[c]
	if ok {
		return v
	}
	switch c.mapping {
	case 'w':
		v = r.raw
	case 'c':
		v = checksumOf(r.raw)
	default:
		v = c.read(r.at(c.json))
		if v == nil && c.also != nil {
			v = c.read(r.at(c.also))
		}
	}
	r.values[c] = v
	return v
}

// newCol makes a column out of "sqlPath" or "sqlPath=json.path", by a letter for
// its mapping.
func newCol(mapping byte, spec string) *col {
	path, place, ok := strings.Cut(spec, "=")
	if !ok {
		place = path
	}
	c := &col{path: path, json: strings.Split(place, "."), mapping: mapping}
	switch mapping {
	case 'b':
		c.kind = kBool
	case 'i':
		c.kind = kTime
	case 'm', 'r', 'a':
		c.kind = kNested
	}
	return c
}

func newCols(mapping byte, specs ...string) (list []*col) {
	for _, s := range specs {
		list = append(list, newCol(mapping, s))
	}
	return list
}

// The columns. Names stand as in a record: SQL matches them in any case.
var (
	textCols = slices.Concat(newCols('t', "eventVersion", "eventSource", "eventName", "awsRegion", "sourceIPAddress", "userAgent",
		"errorCode", "errorMessage", "requestID", "eventType", "apiVersion", "recipientAccountId", "sharedEventID", "annotation",
		"vpcEndpointId", "vpcEndpointAccountId", "eventCategory", "sessionCredentialFromConsole",
		"userIdentity.type", "userIdentity.principalId", "userIdentity.arn", "userIdentity.accountId", "userIdentity.accessKeyId",
		"userIdentity.userName", "userIdentity.invokedBy", "userIdentity.identityProvider",
		"userIdentity.sessionContext.attributes.mfaAuthenticated", "userIdentity.sessionContext.sessionIssuer.arn",
		"userIdentity.sessionContext.sessionIssuer.type", "userIdentity.sessionContext.sessionIssuer.userName",
		"userIdentity.sessionContext.sourceIdentity", "userIdentity.sessionContext.ec2RoleDelivery",
		"userIdentity.sessionContext.webIdFederationData.federatedProvider", "userIdentity.onBehalfOf.userId",
		"userIdentity.inScopeOf.credentialsIssuedTo", "userIdentity.inScopeOf.credentiaisIssuedTo=userIdentity.inScopeOf.credentialsIssuedTo",
		"tlsDetails.tlsVersion", "tlsDetails.cipherSuite", "tlsDetails.keyExchange"),
		[]*col{eventIDCol})
	eventIDCol   = &col{path: "eventID", json: []string{"eventID"}, also: []string{"eventId"}, mapping: 't'}
	eventNameCol = textCols[2]
	boolCols     = newCols('b', "readOnly", "managementEvent")
	timeCols     = newCols('i', "eventTime", "userIdentity.sessionContext.attributes.creationDate")
	eventTimeCol = timeCols[0]
	mapCols      = newCols('m', "requestParameters", "responseElements", "additionalEventData", "serviceEventDetails", "addendum",
		"edgeDeviceDetails", "insightDetails", "userIdentity.sessionContext.webIdFederationData.attributes", "eventContext.requestContext")
	recordCol   = &col{path: "eventJson", mapping: 'w'}
	checksumCol = &col{path: "eventJsonChecksum", mapping: 'c'}
	resourceCol = &col{path: "resources", json: []string{"resources"}, kind: kNested, mapping: 'a', members: newCols('t', "accountId", "type", "ARN", "ARNPrefix")}
	tlsCol      = &col{path: "tlsDetails", json: []string{"tlsDetails"}, kind: kNested, mapping: 'r', members: newCols('t', "tlsVersion", "cipherSuite", "clientProvidedHostHeader", "keyExchange")}
	sessionCol  = &col{path: "userIdentity.sessionContext", json: []string{"userIdentity", "sessionContext"}, kind: kNested, mapping: 'r', members: []*col{
		{json: []string{"attributes"}, kind: kNested, mapping: 'r', members: []*col{newCol('i', "creationDate"), newCol('t', "mfaAuthenticated")}},
		{json: []string{"sessionIssuer"}, kind: kNested, mapping: 'r', members: newCols('t', "type", "principalId", "arn", "accountId", "userName")},
		{json: []string{"webIdFederationData"}, kind: kNested, mapping: 'r', members: []*col{newCol('t', "federatedProvider"), newCol('m', "attributes")}},
		newCol('t', "sourceIdentity"), newCol('t', "ec2RoleDelivery"), newCol('t', "ec2IssuedInVpc"),
	}}
	contextCol = &col{path: "eventContext", json: []string{"eventContext"}, kind: kNested, mapping: 'r', members: []*col{
		newCol('m', "requestContext"),
		{json: []string{"tagContext"}, kind: kNested, mapping: 'r', members: []*col{
			{json: []string{"resourceTags"}, kind: kNested, mapping: 'a', members: []*col{newCol('t', "arn"), newCol('m', "tags")}},
			newCol('m', "principalTags"),
		}},
	}}
	nestedCols = slices.Concat(mapCols, []*col{resourceCol, tlsCol, sessionCol, contextCol})
)

// expr is an expression. Depending on op:
//
//	col            a column, written as text
//	lit            the value val, written as style says
//	key            the group key number n of the query
//	agg            an aggregate name over args, with distinct and filter
//	the others     an operator or function of args
type expr struct {
	op       string
	kind     kind
	args     []*expr
	col      *col
	text     string // the spelling of a column; a name, unit, pattern or path
	val      any
	style    string
	n        int
	distinct bool
	filter   *expr
}

// env is what an expression is evaluated over.
type env struct {
	row   *record
	group []*record
	keys  []*expr
}

// errValue is why a query fails at a value.
var errValue = errors.New("a value that the query cannot use")

func (e *expr) eval(v *env) (any, error) {
	switch e.op {
	case "col":
		return v.row.value(e.col), nil
	case "lit":
		return e.val, nil
	case "key":
		return v.keys[e.n].eval(v)
	case "agg":
		return e.aggregate(v)
	case "and", "or":
		stop, other := false, true
		if e.op == "or" {
			stop, other = true, false
		}
		var out any = other
		for _, a := range e.args {
			switch x, err := a.eval(v); {
			case err != nil:
				return nil, err
			case x == stop:
				return stop, nil
			case x == nil:
				out = nil
			}
		}
		return out, nil
	case "case": // cond, value, …, else
		for i := 0; i+1 < len(e.args); i += 2 {
			c, err := e.args[i].eval(v)
			if err != nil {
				return nil, err
			}
			if c == true {
				return e.args[i+1].eval(v)
			}
		}
		if len(e.args)%2 == 1 {
			return e.args[len(e.args)-1].eval(v)
		}
		return nil, nil
	case "casewhen": // operand, value, result, …, else
		x, err := e.args[0].eval(v)
		if err != nil {
			return nil, err
		}
		for i := 1; i+1 < len(e.args); i += 2 {
			w, err := e.args[i].eval(v)
			if err != nil {
				return nil, err
			}
			if x != nil && w != nil && compare(x, w) == 0 {
				return e.args[i+1].eval(v)
			}
		}
		if len(e.args)%2 == 0 {
			return e.args[len(e.args)-1].eval(v)
		}
		return nil, nil
	case "if":
		c, err := e.args[0].eval(v)
		if err != nil {
			return nil, err
		}
		if c == true {
			return e.args[1].eval(v)
		}
		if len(e.args) == 3 {
			return e.args[2].eval(v)
		}
		return nil, nil
	case "coalesce":
		for _, a := range e.args {
			if x, err := a.eval(v); x != nil || err != nil {
				return x, err
			}
		}
		return nil, nil
	case "try":
		x, err := e.args[0].eval(v)
		if err != nil {
			return nil, nil
		}
		return x, nil
	}
	args := make([]any, len(e.args))
	for i, a := range e.args {
		x, err := a.eval(v)
		if err != nil {
			return nil, err
		}
		args[i] = x
	}
	return e.apply(args, v)
}

// apply evaluates an operator or function over its values.
func (e *expr) apply(args []any, v *env) (any, error) {
	// Those that say something about NULL.
	switch e.op {
	case "isnull":
		return args[0] == nil, nil
	case "notnull":
		return args[0] != nil, nil
	case "istrue":
		return args[0] == true, nil
	case "isfalse":
		return args[0] == false, nil
	case "isunknown":
		return args[0] == nil, nil
	case "distinct", "notdistinct":
		same := args[0] == nil && args[1] == nil || args[0] != nil && args[1] != nil && compare(args[0], args[1]) == 0
		return same == (e.op == "notdistinct"), nil
	case "nullif":
		if args[0] != nil && args[1] != nil && compare(args[0], args[1]) == 0 {
			return nil, nil
		}
		return args[0], nil
	case "in", "notin":
		if args[0] == nil {
			return nil, nil
		}
		var out any = e.op == "notin"
		for _, a := range args[1:] {
			if a == nil {
				out = nil
			} else if compare(args[0], a) == 0 {
				return e.op == "in", nil
			}
		}
		return out, nil
	case "between", "notbetween":
		// x >= a AND x <= b
		lo, hi := atLeast(args[0], args[1]), atLeast(args[2], args[0])
		if lo == false || hi == false {
			return e.op == "notbetween", nil
		}
		if lo == nil || hi == nil {
			return nil, nil
		}
		return e.op == "between", nil
	case "mapget", "mapsub", "cardinality":
		return e.mapValue(args, v)
	case "concatws":
		if args[0] == nil {
			return nil, nil
		}
		var parts []string
		for _, a := range args[1:] {
			if a != nil {
				parts = append(parts, a.(string))
			}
		}
		return strings.Join(parts, args[0].(string)), nil
	}
	if slices.Contains(args, nil) {
		return nil, nil
	}
	switch e.op {
	case "=":
		return compare(args[0], args[1]) == 0, nil
	case "<>":
		return compare(args[0], args[1]) != 0, nil
	case "<":
		return compare(args[0], args[1]) < 0, nil
	case "<=":
		return compare(args[0], args[1]) <= 0, nil
	case ">":
		return compare(args[0], args[1]) > 0, nil
	case ">=":
		return compare(args[0], args[1]) >= 0, nil
	case "not":
		return !args[0].(bool), nil
	case "like", "notlike":
		return like(args[0].(string), e.text, e.style) == (e.op == "like"), nil
	case "neg", "abs":
		if f, ok := args[0].(float64); ok {
			if e.op == "neg" || f < 0 {
				return -f, nil
			}
			return f, nil
		}
		x := args[0].(int64)
		if x == math.MinInt64 {
			return nil, errValue
		}
		if e.op == "neg" || x < 0 {
			return -x, nil
		}
		return x, nil
	case "+", "-", "*", "/", "%":
		return arithmetic(e.op, args[0], args[1])
	case "greatest", "least":
		out := args[0]
		for _, a := range args[1:] {
			if c := compare(a, out); c > 0 == (e.op == "greatest") && c != 0 {
				out = a
			}
		}
		return out, nil
	case "cast", "date":
		return cast(args[0], e.kind)
	case "trycast":
		x, err := cast(args[0], e.kind)
		if err != nil {
			return nil, nil
		}
		return x, nil
	case "jsonscalar":
		return jsonScalar(args[0].(string), e.text), nil
	case "regexp_like":
		return regexp.MustCompile(e.text).MatchString(args[0].(string)), nil
	case "regexp_extract":
		if m := regexp.MustCompile(e.text).FindStringSubmatch(args[0].(string)); m != nil {
			return m[e.n], nil
		}
		return nil, nil
	case "date_trunc", "date_part", "date_diff", "date_add":
		return e.applyTime(args)
	}
	return e.applyText(args)
}

func atLeast(a, b any) any {
	if a == nil || b == nil {
		return nil
	}
	return compare(a, b) >= 0
}

// compare orders two values of one type, or of types that go together.
func compare(a, b any) int {
	switch x := a.(type) {
	case string:
		return strings.Compare(x, b.(string))
	case nested:
		return strings.Compare(string(x), string(b.(nested)))
	case bool:
		n := func(b bool) int {
			if b {
				return 1
			}
			return 0
		}
		return n(x) - n(b.(bool))
	case int64:
		if y, ok := b.(float64); ok {
			return cmp.Compare(float64(x), y)
		}
		return cmp.Compare(x, b.(int64))
	case float64:
		if y, ok := b.(int64); ok {
			return cmp.Compare(x, float64(y))
		}
		return cmp.Compare(x, b.(float64))
	case instant:
		if y, ok := b.(day); ok {
			return cmp.Compare(x, instant(int64(y)*86400e6))
		}
		return cmp.Compare(x, b.(instant))
	case day:
		if y, ok := b.(instant); ok {
			return cmp.Compare(instant(int64(x)*86400e6), y)
		}
		return cmp.Compare(x, b.(day))
	}
	panic(fmt.Sprintf("comparing %T with %T", a, b))
}

func arithmetic(op string, a, b any) (any, error) {
	x, xi := a.(int64)
	y, yi := b.(int64)
	if !xi || !yi {
		f, g := toFloat(a), toFloat(b)
		switch op {
		case "+":
			return f + g, nil
		case "-":
			return f - g, nil
		case "*":
			return f * g, nil
		}
		return f / g, nil
	}
	switch op {
	case "+":
		if s := x + y; (s > x) == (y > 0) {
			return s, nil
		}
	case "-":
		if s := x - y; (s < x) == (y > 0) {
			return s, nil
		}
	case "*":
		hi, lo := bits.Mul64(uint64(max(x, -x)), uint64(max(y, -y)))
		if hi == 0 && lo < 1<<63 {
			return x * y, nil
		}
	case "/":
		if y != 0 && !(x == math.MinInt64 && y == -1) {
			return x / y, nil
		}
	case "%":
		if y != 0 && y != -1 {
			return x % y, nil
		}
		if y == -1 {
			return int64(0), nil
		}
	}
	return nil, errValue
}

func toFloat(x any) float64 {
	if i, ok := x.(int64); ok {
		return float64(i)
	}
	return x.(float64)
}

// like matches code point by code point: % is any text, _ any character.
func like(s, pattern, escape string) bool {
	var match func(s, p []rune) bool
	match = func(s, p []rune) bool {
		for len(p) > 0 {
			switch {
			case escape != "" && string(p[0]) == escape:
				p = p[1:]
				if len(s) == 0 || s[0] != p[0] {
					return false
				}
			case p[0] == '%':
				for len(p) > 0 && p[0] == '%' {
					p = p[1:]
				}
				if len(p) == 0 {
					return true
				}
				for i := range s {
					if match(s[i:], p) {
						return true
					}
				}
				return match(nil, p)
			case len(s) == 0 || p[0] != '_' && s[0] != p[0]:
				return false
			}
			s, p = s[1:], p[1:]
		}
		return len(s) == 0
	}
	return match([]rune(s), []rune(pattern))
}

var (
	wholePattern  = regexp.MustCompile(`^[+-]?[0-9]+$`)
	numberPattern = regexp.MustCompile(`^\s*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?\s*$`)
	datePattern   = regexp.MustCompile(`^([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})$`)
)

// cast converts a value; the generator asks for the conversions below alone.
func cast(x any, to kind) (any, error) {
	switch x := x.(type) {
	case string:
		switch to {
		case kText:
			return x, nil
		case kInt:
			if i, err := strconv.ParseInt(x, 10, 64); err == nil && wholePattern.MatchString(x) {
				return i, nil
			}
		case kDouble:
			if numberPattern.MatchString(x) {
				if f, err := strconv.ParseFloat(strings.TrimSpace(x), 64); err == nil {
					return f, nil
				}
			}
		case kBool:
			switch strings.ToLower(x) {
			case "true", "t", "1":
				return true, nil
			case "false", "f", "0":
				return false, nil
			}
		case kDate:
			if m := datePattern.FindStringSubmatch(strings.TrimSpace(x)); m != nil {
				if at, err := time.Parse("2006-1-2", m[0]); err == nil {
					return day(at.Unix() / 86400), nil
				}
			}
		case kTime:
			for _, layout := range []string{"2006-1-2 15:04:05", "2006-1-2 15:04", "2006-1-2"} {
				if at, err := time.Parse(layout, strings.TrimSpace(x)); err == nil {
					return instant(at.Round(time.Millisecond).UnixMicro()), nil
				}
			}
		}
		return nil, errValue
	case int64:
		switch to {
		case kText:
			return strconv.FormatInt(x, 10), nil
		case kInt:
			return x, nil
		case kDouble:
			return float64(x), nil
		case kBool:
			return x != 0, nil
		}
	case bool:
		switch to {
		case kText:
			return strconv.FormatBool(x), nil
		case kBool:
			return x, nil
		case kInt:
			if x {
				return int64(1), nil
			}
			return int64(0), nil
		}
	case instant:
		switch to {
		case kText:
			return x.String(), nil
		case kTime:
			return x, nil
		case kDate:
			return day(floorDiv(int64(x), 86400e6)), nil
		}
	case day:
		switch to {
		case kText:
			return x.String(), nil
		case kDate:
			return x, nil
		case kTime:
			return instant(int64(x) * 86400e6), nil
		}
	case float64:
		switch to {
		case kDouble:
			return x, nil
		case kInt:
			r := math.Round(x)
			if !(r >= -(1<<63) && r < 1<<63) {
				return nil, errValue
			}
			return int64(r), nil
		}
	}
	panic(fmt.Sprintf("casting %T to kind %d", x, to))
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

func (i instant) time() time.Time { return time.UnixMicro(int64(i)).UTC() }

func (i instant) String() string { return i.time().Format("2006-01-02 15:04:05.000") }

func (d day) String() string { return time.Unix(int64(d)*86400, 0).UTC().Format("2006-01-02") }

// applyTime evaluates the functions of times.
func (e *expr) applyTime(args []any) (any, error) {
	asTime := func(x any) time.Time {
		if d, ok := x.(day); ok {
			return time.Unix(int64(d)*86400, 0).UTC()
		}
		return x.(instant).time()
	}
	back := func(t time.Time) any {
		if e.kind == kDate {
			return day(floorDiv(t.Unix(), 86400))
		}
		return instant(t.UnixMicro())
	}
	switch e.op {
	case "date_trunc":
		t := asTime(args[0])
		y, m, d := t.Date()
		switch e.text {
		case "millisecond", "second", "minute", "hour":
			t = t.Truncate(map[string]time.Duration{"millisecond": time.Millisecond, "second": time.Second, "minute": time.Minute, "hour": time.Hour}[e.text])
		case "day":
			t = time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
		case "week":
			t = time.Date(y, m, d-(int(t.Weekday())+6)%7, 0, 0, 0, 0, time.UTC)
		case "month":
			t = time.Date(y, m, 1, 0, 0, 0, 0, time.UTC)
		case "quarter":
			t = time.Date(y, (m-1)/3*3+1, 1, 0, 0, 0, 0, time.UTC)
		case "year":
			t = time.Date(y, 1, 1, 0, 0, 0, 0, time.UTC)
		}
		return back(t), nil
	case "date_part":
		t := asTime(args[0])
		switch e.text {
		case "year":
			return int64(t.Year()), nil
		case "quarter":
			return int64(t.Month()-1)/3 + 1, nil
		case "month":
			return int64(t.Month()), nil
		case "week":
			_, w := t.ISOWeek()
			return int64(w), nil
		case "day":
			return int64(t.Day()), nil
		case "day_of_week":
			return int64(t.Weekday()+6)%7 + 1, nil
		case "day_of_year":
			return int64(t.YearDay()), nil
		case "hour":
			return int64(t.Hour()), nil
		case "minute":
			return int64(t.Minute()), nil
		case "second":
			return int64(t.Second()), nil
		case "millisecond":
			return int64(t.Nanosecond() / 1e6), nil
		}
	case "date_diff":
		a, b := asTime(args[0]), asTime(args[1])
		unit, ok := timeUnits[e.text]
		if ok {
			return (b.UnixMicro() - a.UnixMicro()) / unit, nil
		}
		// Whole months: the largest number of them that, added to the earlier
		// time, does not go past the later one.
		sign := int64(1)
		if b.Before(a) {
			a, b, sign = b, a, -1
		}
		n := int64(b.Year()-a.Year())*12 + int64(b.Month()-a.Month())
		if sign > 0 && addMonths(a, n).After(b) || sign < 0 && addMonths(b, -n).Before(a) {
			n--
		}
		if e.text == "year" {
			n /= 12
		}
		return sign * n, nil
	case "date_add":
		n, t := args[0].(int64), asTime(args[1])
		if unit, ok := timeUnits[e.text]; ok {
			return back(time.UnixMicro(t.UnixMicro() + n*unit).UTC()), nil
		}
		if e.text == "year" {
			n *= 12
		}
		return back(addMonths(t, n)), nil
	}
	panic("no such function of times: " + e.op + " " + e.text)
}

var timeUnits = map[string]int64{"millisecond": 1e3, "second": 1e6, "minute": 60e6, "hour": 3600e6, "day": 86400e6, "week": 7 * 86400e6}

// addMonths adds months; days that the month does not have become its last.
func addMonths(t time.Time, n int64) time.Time {
	first := time.Date(t.Year(), t.Month()+time.Month(n), 1, t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
	last := first.AddDate(0, 1, -1).Day()
	return first.AddDate(0, 0, min(t.Day(), last)-1)
}

// applyText evaluates the functions of text.
func (e *expr) applyText(args []any) (any, error) {
	s, _ := args[0].(string)
	runes := []rune(s)
	n := func(i int) int64 { return args[i].(int64) }
	switch e.op {
	case "||", "concat":
		var b strings.Builder
		for _, a := range args {
			b.WriteString(a.(string))
		}
		return b.String(), nil
	case "lower":
		return strings.ToLower(s), nil
	case "upper":
		return strings.ToUpper(s), nil
	case "length":
		return int64(len(runes)), nil
	case "reverse":
		slices.Reverse(runes)
		return string(runes), nil
	case "trim":
		return strings.TrimFunc(s, isBlank), nil
	case "strpos":
		at := strings.Index(s, args[1].(string))
		if at < 0 {
			return int64(0), nil
		}
		return int64(len([]rune(s[:at]))) + 1, nil
	case "starts_with":
		return strings.HasPrefix(s, args[1].(string)), nil
	case "replace":
		with := ""
		if len(args) == 3 {
			with = args[2].(string)
		}
		return strings.ReplaceAll(s, args[1].(string), with), nil
	case "split_part":
		if n(2) < 1 {
			return nil, errValue
		}
		parts := strings.Split(s, args[1].(string))
		if n(2) > int64(len(parts)) {
			return nil, nil
		}
		return parts[n(2)-1], nil
	case "substr":
		start := n(1)
		if start < 0 {
			start += int64(len(runes)) + 1
		}
		if start < 1 || start > int64(len(runes)) {
			return "", nil
		}
		runes = runes[start-1:]
		if len(args) == 3 {
			if n(2) <= 0 {
				return "", nil
			}
			runes = runes[:min(n(2), int64(len(runes)))]
		}
		return string(runes), nil
	}
	panic("no such operator: " + e.op)
}

// isBlank reports whether trim takes a character away: what Java calls white
// space, which leaves out blanks that do not break.
func isBlank(r rune) bool {
	return r >= 0x1c && r <= 0x1f || unicode.IsSpace(r) && r != 0x85 && r != 0xa0 && r != 0x2007 && r != 0x202f
}

// mapValue evaluates element_at, a subscript and cardinality of a map column,
// which is the first argument.
func (e *expr) mapValue(args []any, v *env) (any, error) {
	c := e.args[0].col
	raw := v.row.at(c.json)
	if c.mapping == 'a' {
		var list []json.RawMessage
		if len(raw) == 0 || raw[0] != '[' || json.Unmarshal(raw, &list) != nil {
			return nil, nil
		}
		return int64(len(list)), nil
	}
	o := v.row.object(c.json)
	if e.op == "cardinality" {
		if o == nil {
			return nil, nil
		}
		return int64(len(o)), nil
	}
	if o == nil || args[1] == nil {
		return nil, nil
	}
	raw, ok := o[args[1].(string)]
	if !ok && e.op == "mapsub" {
		return nil, errValue
	}
	return textOf(raw), nil
}

// jsonScalar takes the scalar at a path of names and positions, which end in a
// dot each: "a.0.b.". Of members with the same name the first counts, as where JSON is
// read from the front.
func jsonScalar(s, path string) any {
	value := []byte(s)
	if !json.Valid(value) {
		return nil
	}
	for path != "" {
		var step string
		step, path, _ = strings.Cut(path, ".")
		dec := json.NewDecoder(bytes.NewReader(value))
		open, _ := dec.Token()
		var found json.RawMessage
		for i := 0; open == json.Delim('{') || open == json.Delim('['); i++ {
			if !dec.More() {
				break
			}
			name := strconv.Itoa(i)
			if open == json.Delim('{') {
				key, _ := dec.Token()
				name = key.(string)
			}
			var v json.RawMessage
			if err := dec.Decode(&v); err != nil {
				panic(err)
			}
			if name == step {
				found = v
				break
			}
		}
		if found == nil {
			return nil
		}
		value = found
	}
	value = bytes.TrimSpace(value)
	if value[0] == '{' || value[0] == '[' {
		return nil
	}
	return textOf(value)
}

// aggregate evaluates an aggregate over the rows of the group.
func (e *expr) aggregate(v *env) (any, error) {
	var rows [][]any
	seen := map[string]bool{}
	for _, r := range v.group {
		at := &env{row: r, keys: v.keys}
		if e.filter != nil {
			if ok, err := e.filter.eval(at); err != nil {
				return nil, err
			} else if ok != true {
				continue
			}
		}
		vals := make([]any, len(e.args))
		for i, a := range e.args {
			x, err := a.eval(at)
			if err != nil {
				return nil, err
			}
			vals[i] = x
		}
		if len(vals) > 0 {
			// The last argument decides: the value itself, or that by which
			// max_by and min_by choose.
			if vals[len(vals)-1] == nil {
				continue
			}
			if e.distinct {
				if k := rowKey(vals[:1]); seen[k] {
					continue
				} else {
					seen[k] = true
				}
			}
		}
		rows = append(rows, vals)
	}
	switch e.text {
	case "count":
		return int64(len(rows)), nil
	case "count_if":
		n := int64(0)
		for _, r := range rows {
			if r[0] == true {
				n++
			}
		}
		return n, nil
	}
	if len(rows) == 0 {
		return nil, nil
	}
	switch e.text {
	case "sum", "avg":
		if _, ok := rows[0][0].(int64); ok && e.text == "sum" {
			sum := int64(0)
			for _, r := range rows {
				sum += r[0].(int64)
			}
			return sum, nil
		}
		sum := 0.0
		for _, r := range rows {
			sum += toFloat(r[0])
		}
		if e.text == "sum" {
			return sum, nil
		}
		return sum / float64(len(rows)), nil
	case "bool_and", "bool_or":
		out := e.text == "bool_and"
		for _, r := range rows {
			if b := r[0].(bool); e.text == "bool_and" {
				out = out && b
			} else {
				out = out || b
			}
		}
		return out, nil
	}
	best := rows[0]
	last := len(best) - 1
	for _, r := range rows[1:] {
		c := compare(r[last], best[last])
		if strings.HasPrefix(e.text, "max") && c > 0 || strings.HasPrefix(e.text, "min") && c < 0 {
			best = r
		}
	}
	return best[0], nil
}

// show writes a value so that different values are different texts.
func show(v any) string {
	switch x := v.(type) {
	case nil:
		return "NULL"
	case string:
		return strconv.Quote(x)
	case int64:
		return strconv.FormatInt(x, 10)
	case float64:
		return strconv.FormatFloat(x, 'e', -1, 64)
	case bool:
		return strconv.FormatBool(x)
	case nested:
		return string(x)
	}
	return fmt.Sprint(v) // instant and day
}
