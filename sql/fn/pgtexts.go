package fn

import (
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/sqlerr"
)

var plainIdent = regexp.MustCompile(`^[a-z_][a-z0-9_$]*$`)

// QuoteIdent writes a name as Postgres would have to read it.
func QuoteIdent(s string) string {
	if plainIdent.MatchString(s) && !quotedWords[s] {
		return s
	}
	return `"` + strings.ReplaceAll(s, `"`, `""`) + `"`
}

// quotedWords are the words that cannot be names of columns without quotes.
var quotedWords = func() map[string]bool {
	m := map[string]bool{}
	for w := range strings.FieldsSeq(`all analyse analyze and any array as asc asymmetric both case cast check collate column
		constraint create current_catalog current_date current_role current_time current_timestamp current_user default
		deferrable desc distinct do else end except false fetch for foreign from grant group having in initially intersect
		into lateral leading limit localtime localtimestamp not null offset on only or order placing primary references
		returning select session_user some symmetric table then to trailing true union unique user using variadic when
		where window with authorization binary collation concurrently cross current_schema freeze full ilike inner is
		isnull join left like natural notnull outer overlaps right similar tablesample verbose`) {
		m[w] = true
	}
	return m
}()

// Keywords are the words that Postgres' grammar keeps for itself.
func Keywords() []string {
	out := make([]string, 0, len(quotedWords))
	for w := range quotedWords {
		out = append(out, w)
	}
	return out
}

func quoteLiteral(s string) string {
	q := "'" + strings.ReplaceAll(s, "'", "''") + "'"
	if strings.Contains(s, `\`) {
		q = "E" + strings.ReplaceAll(q, `\`, `\\`)
	}
	return q
}

// ParseBytea reads a text of Postgres' bytea: \x and hexadecimal digits, or the older form in
// which \\ is a backslash and \nnn a byte in octal.
func ParseBytea(s string) (string, error) {
	wrong := func() (string, error) {
		return "", fault(sqlerr.InvalidText, "invalid input syntax for type bytea")
	}
	if rest, ok := strings.CutPrefix(s, `\x`); ok {
		raw, err := hex.DecodeString(strings.NewReplacer(" ", "", "\n", "", "\t", "").Replace(rest))
		if err != nil {
			return "", fault(sqlerr.InvalidText, "invalid hexadecimal data in bytea: %v", err)
		}
		return string(raw), nil
	}
	if !strings.Contains(s, `\`) {
		return s, nil
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] != '\\':
			b.WriteByte(s[i])
		case i+1 < len(s) && s[i+1] == '\\':
			b.WriteByte('\\')
			i++
		case i+3 < len(s):
			n, err := strconv.ParseUint(s[i+1:i+4], 8, 8)
			if err != nil {
				return wrong()
			}
			b.WriteByte(byte(n))
			i += 3
		default:
			return wrong()
		}
	}
	return b.String(), nil
}

func addPostgresTexts(l *library) {
	l.pg("byteain", over("varchar", "varbinary", try1(func(_ *Context, s string) (string, bool, error) {
		raw, err := ParseBytea(s)
		return raw, true, err
	})))
	l.pg("interval_in", over("varchar", "intervalday", try1(func(_ *Context, s string) (int64, bool, error) {
		v, err := ParsePostgresInterval(s)
		return v, true, err
	})))
	l.pg("byteaout", over("varbinary", "varchar", map1(func(s string) string { return `\x` + hex.EncodeToString([]byte(s)) })))
	l.pg("quote_ident", over("varchar", "varchar", map1(QuoteIdent)))
	l.pg("quote_literal", over("varchar", "varchar", map1(quoteLiteral)))
	l.pg("quote_nullable", over("varchar", "varchar", emitNulls(func(_ *Context, out *column.Vector, args []*column.Vector, i int) error {
		if args[0].IsNull(i) {
			pushStr(out, "NULL")
		} else {
			pushStr(out, quoteLiteral(strAt(args[0], i)))
		}
		return nil
	})).nulls())
	cut := func(left bool) kernel {
		return emit(func(_ *Context, out *column.Vector, args []*column.Vector, i int) error {
			r, n := []rune(strAt(args[0], i)), intAt(args[1], i)
			size := int64(len(r))
			if n < 0 {
				n = max(0, size+n)
			}
			n = min(n, size)
			if left {
				r = r[:n]
			} else {
				r = r[size-n:]
			}
			pushStr(out, string(r))
			return nil
		})
	}
	l.pg("left", over("varchar, bigint", "varchar", cut(true)))
	l.pg("right", over("varchar, bigint", "varchar", cut(false)))
	overlaid := func(length bool) kernel {
		return emit(func(_ *Context, out *column.Vector, args []*column.Vector, i int) error {
			r, with, from := []rune(strAt(args[0], i)), strAt(args[1], i), intAt(args[2], i)
			n := int64(utf8.RuneCountInString(with))
			if length {
				n = intAt(args[3], i)
			}
			if from <= 0 {
				return fault("22011", "negative substring length not allowed")
			}
			size := int64(len(r))
			head := min(from-1, size)
			tail := min(max(head+min(max(n, -size-1), size+1), 0), size)
			pushStr(out, string(r[:head])+with+string(r[tail:]))
			return nil
		})
	}
	l.pg("overlay", over("varchar, varchar, bigint", "varchar", overlaid(false)), over("varchar, varchar, bigint, bigint", "varchar", overlaid(true)))
	l.pg("initcap", over("varchar", "varchar", map1(func(s string) string {
		word := false
		return strings.Map(func(r rune) rune {
			first := !word
			word = unicode.IsLetter(r) || unicode.IsDigit(r)
			if first {
				return unicode.ToUpper(r)
			}
			return unicode.ToLower(r)
		}, s)
	})))
	l.pg("btrim", over("varchar", "varchar", map1(func(s string) string { return strings.Trim(s, " ") })),
		over("varchar, varchar", "varchar", map2(func(s, set string) string { return strings.Trim(s, set) })))
	l.pg("octet_length", over("varchar", "integer", map1(func(s string) int64 { return int64(len(s)) })),
		over("varbinary", "integer", map1(func(s string) int64 { return int64(len(s)) })))
	l.pg("ascii", over("varchar", "integer", map1(func(s string) int64 {
		for _, r := range s {
			return int64(r)
		}
		return 0
	})))
	l.pg("md5", over("varchar", "varchar", map1(func(s string) string { h := md5.Sum([]byte(s)); return hex.EncodeToString(h[:]) })))
	l.pg("encode", over("varbinary, varchar", "varchar", try2(func(_ *Context, b, form string) (string, bool, error) {
		switch strings.ToLower(form) {
		case "hex":
			return hex.EncodeToString([]byte(b)), true, nil
		case "base64":
			return base64.StdEncoding.EncodeToString([]byte(b)), true, nil
		}
		return "", false, fault(sqlerr.InvalidArgument, "unrecognized encoding: %q", form)
	})))
	l.pg("decode", over("varchar, varchar", "varbinary", try2(func(_ *Context, s, form string) (string, bool, error) {
		var b []byte
		var err error
		switch strings.ToLower(form) {
		case "hex":
			b, err = hex.DecodeString(s)
		case "base64":
			b, err = base64.StdEncoding.DecodeString(strings.ReplaceAll(s, "\n", ""))
		default:
			err = fault(sqlerr.InvalidArgument, "unrecognized encoding: %q", form)
		}
		if err != nil {
			return "", false, fault(sqlerr.InvalidArgument, "%v", err)
		}
		return string(b), true, nil
	})))
	l.pg("trunc", over("double", "double", map1(func(f float64) float64 {
		if f < 0 {
			return -float64(int64(-f))
		}
		return float64(int64(f))
	})))
	l.pg("->", jsonMember(false)...)
	l.pg("->>", jsonMember(true)...)
	l.pg("#>", jsonSteps(false))
	l.pg("#>>", jsonSteps(true))
	l.pg("parse_ident", over("varchar", "array(varchar)", emit(func(_ *Context, out *column.Vector, args []*column.Vector, i int) error {
		parts, err := parseIdent(strAt(args[0], i))
		if err != nil {
			return err
		}
		for _, p := range parts {
			pushStr(out.Children[0], p)
		}
		pushEnd(out)
		return nil
	})))
	l.pg("jsonb_typeof json_typeof", over("json", "varchar", map1(func(s string) string {
		switch s = strings.TrimSpace(s); {
		case s == "":
			return "null"
		case s[0] == '{':
			return "object"
		case s[0] == '[':
			return "array"
		case s[0] == '"':
			return "string"
		case s[0] == 't', s[0] == 'f':
			return "boolean"
		case s[0] == 'n':
			return "null"
		}
		return "number"
	})))
	l.pg("json_build_object jsonb_build_object", over("any...", "json", emitNulls(buildObject)).nulls(), over("", "json", constantly("{}")))
	l.pg("to_json to_jsonb row_to_json array_to_json", overBind("any", "", func(args []*column.Type) (*column.Type, kernel, error) {
		b, err := Cast(args[0], column.JSONType)
		if err != nil {
			return nil, nil, err
		}
		return column.JSONType, func(c *Context, _ *column.Type, args []*column.Vector, n int) (*column.Vector, error) {
			return b.Eval(c, args, n)
		}, nil
	}))
}

// buildObject makes a JSON object of keys and values in turn.
func buildObject(_ *Context, out *column.Vector, args []*column.Vector, i int) error {
	if len(args)%2 != 0 {
		return fault(sqlerr.InvalidArgument, "keys and values come in pairs")
	}
	b := []byte{'{'}
	for k := 0; k < len(args); k += 2 {
		if args[k].IsNull(i) {
			return fault(sqlerr.InvalidArgument, "a key of an object must not be NULL")
		}
		if k > 0 {
			b = append(b, ", "...)
		}
		key := column.Vector{Type: column.VarcharType, Len: 1, Str: []string{elementText(args[k], i)}}
		b = AppendJSON(b, &key, 0)
		b = append(b, " : "...)
		if args[k+1].IsNull(i) {
			b = append(b, "null"...)
			continue
		}
		v, j := args[k+1].Leaf(i)
		b = AppendJSON(b, v, j)
	}
	pushStr(out, string(append(b, '}')))
	return nil
}

func addPostgresTimes(l *library) {
	l.pg("to_timestamp", over("double", "timestamptz(6)", zoned(func(c *Context, args []*column.Vector, i int) (int64, uint16, error) {
		m, err := unixMicros(dblAt(args[0], i))
		return m, c.Zone, err
	})), over("varchar, varchar", "timestamptz(6)", zoned(func(c *Context, args []*column.Vector, i int) (int64, uint16, error) {
		us, err := readTime(args, i)
		return toUTC(us, c.Zone), c.Zone, err
	})))
	l.pg("to_date", over("varchar, varchar", "date", emit(func(_ *Context, out *column.Vector, args []*column.Vector, i int) error {
		us, err := readTime(args, i)
		if err == nil {
			pushInt(out, floorDiv(us, microsPerDay))
		}
		return err
	})))
	part := func(us func(c *Context, v *column.Vector, i int) int64) kernel {
		return emit(func(c *Context, out *column.Vector, args []*column.Vector, i int) error {
			x, ok := datePart(strings.ToLower(strAt(args[0], i)), us(c, args[1], i))
			if !ok {
				return fault(sqlerr.InvalidArgument, "unit %q not recognized", strAt(args[0], i))
			}
			pushFloat(out, x)
			return nil
		})
	}
	l.pg("date_part",
		over("varchar, timestamptz(6)", "double", part(func(c *Context, v *column.Vector, i int) int64 { return intAt(v, i) })),
		over("varchar, timestamp(6)", "double", part(func(_ *Context, v *column.Vector, i int) int64 { return intAt(v, i) })),
		over("varchar, date", "double", part(func(_ *Context, v *column.Vector, i int) int64 { return intAt(v, i) * microsPerDay })))
	age := func(from, to int64) int64 { return to - from }
	l.pg("age", over("timestamptz(6), timestamptz(6)", "intervalday", map2(func(to, from int64) int64 { return age(from, to) })),
		over("timestamp(6), timestamp(6)", "intervalday", map2(func(to, from int64) int64 { return age(from, to) })),
		over("timestamp(6)", "intervalday", emit(func(c *Context, out *column.Vector, args []*column.Vector, i int) error {
			pushInt(out, today(c)*microsPerDay-intAt(args[0], i))
			return nil
		})),
		over("timestamptz(6)", "intervalday", emit(func(c *Context, out *column.Vector, args []*column.Vector, i int) error {
			pushInt(out, today(c)*microsPerDay-toLocal(intAt(args[0], i), c.Zone))
			return nil
		})),
		// Of a transaction's number: all are those of now.
		over("bigint", "integer", constantly[int64](0)))
	l.pg("date_bin", over("intervalday, timestamptz(6), timestamptz(6)", "timestamptz(6)", zoned(func(c *Context, args []*column.Vector, i int) (int64, uint16, error) {
		m, err := timeBin(intAt(args[0], i), intAt(args[1], i), intAt(args[2], i))
		return m, c.Zone, err
	})), over("intervalday, timestamp(6), timestamp(6)", "timestamp(6)", emit(func(_ *Context, out *column.Vector, args []*column.Vector, i int) error {
		m, err := timeBin(intAt(args[0], i), intAt(args[1], i), intAt(args[2], i))
		if err == nil {
			pushInt(out, m)
		}
		return err
	})))
	l.pg("time_bucket", over("intervalday, timestamp(6)", "timestamp(6)", emit(func(_ *Context, out *column.Vector, args []*column.Vector, i int) error {
		m, err := timeBin(intAt(args[0], i), intAt(args[1], i), bucketOrigin)
		if err == nil {
			pushInt(out, m)
		}
		return err
	})), over("intervalday, timestamptz(6)", "timestamptz(6)", zoned(func(c *Context, args []*column.Vector, i int) (int64, uint16, error) {
		m, err := timeBin(intAt(args[0], i), intAt(args[1], i), bucketOrigin)
		return m, c.Zone, err
	})))
	l.pg("to_char", over("timestamptz(6), varchar", "varchar", emit(func(c *Context, out *column.Vector, args []*column.Vector, i int) error {
		pushStr(out, formatTimeTemplate(time.UnixMicro(toLocal(intAt(args[0], i), c.Zone)).UTC(), strAt(args[1], i)))
		return nil
	})), over("timestamp(6), varchar", "varchar", emit(func(_ *Context, out *column.Vector, args []*column.Vector, i int) error {
		pushStr(out, formatTimeTemplate(time.UnixMicro(intAt(args[0], i)).UTC(), strAt(args[1], i)))
		return nil
	})))
}

// readTimeTemplate reads a text by a template of to_timestamp, as what a clock shows in microseconds. Of a
// text that ends early the rest is as at the start of the year 1; a text that goes on is taken as far as the template
// goes. Characters of the template that are no field stand for any one character that is no letter
// or digit, and for white space that may be missing.
func readTimeTemplate(text, template string) (int64, bool) {
	year, month, day, hour, minute, second, micros, yearDay := 1, 1, 1, 0, 0, 0, 0, 0
	half := -1 // of the day, where it is told
	at := 0
	number := func(to *int, width int) bool {
		for at < len(text) && text[at] == ' ' {
			at++
		}
		from, x := at, 0
		for at < len(text) && at-from < width && text[at] >= '0' && text[at] <= '9' {
			x = x*10 + int(text[at]-'0')
			at++
		}
		if at == from {
			return from == len(text)
		}
		*to = x
		return true
	}
	for rest := template; rest != ""; {
		upper := strings.ToUpper(rest[:min(len(rest), 5)])
		field := func(name string) bool { return strings.HasPrefix(upper, name) }
		ok, n := true, 1
		switch {
		case rest[0] == '"':
			for n < len(rest) && rest[n] != '"' {
				n++
				at = min(at+1, len(text))
			}
			n = min(n+1, len(rest))
		case field("FM"), field("TZ"), field("OF"):
			n = 2
		case field("HH24"), field("HH12"):
			ok, n = number(&hour, 2), 4
		case field("HH"):
			ok, n = number(&hour, 2), 2
		case field("MI"):
			ok, n = number(&minute, 2), 2
		case field("SS"):
			ok, n = number(&second, 2), 2
		case field("MS"), field("US"):
			// The digits after the point of a second: .5 is half of one, however many are expected.
			width := 3
			if upper[0] == 'U' {
				width = 6
			}
			from := at
			ok, n = number(&micros, width), 2
			for k := at - from; k > 0 && k < 6; k++ {
				micros *= 10
			}
		case field("YYYY"):
			ok, n = number(&year, 4), 4
		case field("YY"):
			ok, n = number(&year, 2), 2
			if year += 2000; year >= 2070 {
				year -= 100
			}
		case field("MON"):
			n = 3
			if field("MONTH") {
				n = 5
			}
			ok = at == len(text)
			for m := time.January; m <= time.December; m++ {
				for _, name := range []string{m.String(), m.String()[:3]} {
					if !ok && len(text)-at >= len(name) && strings.EqualFold(text[at:at+len(name)], name) {
						month, ok = int(m), true
						at += len(name)
					}
				}
			}
		case field("MM"):
			ok, n = number(&month, 2), 2
		case field("DDD"):
			ok, n = number(&yearDay, 3), 3
		case field("DD"):
			ok, n = number(&day, 2), 2
		case field("AM"), field("PM"):
			n = 2
			if len(text)-at >= 2 {
				switch strings.ToUpper(text[at : at+2]) {
				case "AM":
					half = 0
				case "PM":
					half = 12
				default:
					ok = false
				}
				at += 2
			}
		case upper[0] == ' ':
			for at < len(text) && text[at] == ' ' {
				at++
			}
		case upper[0] >= 'A' && upper[0] <= 'Z' && upper[0] != 'T' && upper[0] != 'Z':
			return 0, false // a field that to_timestamp does not read
		default:
			at = min(at+1, len(text))
		}
		if !ok {
			return 0, false
		}
		rest = rest[n:]
	}
	if half >= 0 {
		if hour < 1 || hour > 12 {
			return 0, false
		}
		hour = hour%12 + half
	}
	if yearDay > 0 {
		month, day = 1, yearDay
	}
	t := time.Date(year, time.Month(month), day, hour, minute, second, micros*1000, time.UTC)
	if month < 1 || month > 12 || yearDay > 366 || yearDay == 0 && t.Day() != day || yearDay > 0 && t.Year() != year || year < 1 ||
		hour > 23 || minute > 59 || second > 59 {
		return 0, false
	}
	return t.UnixMicro(), true
}

// readTime is readTimeTemplate with an error for what does not fit.
func readTime(args []*column.Vector, i int) (int64, error) {
	text, template := strAt(args[0], i), strAt(args[1], i)
	us, ok := readTimeTemplate(text, template)
	if !ok {
		return 0, fault(sqlerr.InvalidDatetime, "%s is not a time in the form %s", shown(text), shown(template))
	}
	return us, nil
}

// bucketOrigin is the Monday that buckets of weeks are counted from: 2000-01-03.
const bucketOrigin = 946857600 * 1_000_000

// timeBin returns the start of the bin that a moment is in.
func timeBin(width, t, origin int64) (int64, error) {
	if width <= 0 {
		return 0, fault(sqlerr.InvalidArgument, "stride must be greater than zero")
	}
	return origin + floorDiv(t-origin, width)*width, nil
}

// datePart returns a field of a time, in microseconds by the clock that counts.
func datePart(field string, us int64) (float64, bool) {
	t := time.UnixMicro(us).UTC()
	switch field {
	case "epoch":
		return float64(us) / 1e6, true
	case "year", "years":
		return float64(t.Year()), true
	case "quarter":
		return float64((t.Month() + 2) / 3), true
	case "month", "months":
		return float64(t.Month()), true
	case "week":
		_, w := t.ISOWeek()
		return float64(w), true
	case "isoyear":
		y, _ := t.ISOWeek()
		return float64(y), true
	case "day", "days":
		return float64(t.Day()), true
	case "doy":
		return float64(t.YearDay()), true
	case "dow":
		return float64(t.Weekday()), true
	case "isodow":
		return float64((t.Weekday()+6)%7 + 1), true
	case "hour", "hours":
		return float64(t.Hour()), true
	case "minute", "minutes":
		return float64(t.Minute()), true
	case "second", "seconds":
		return float64(t.Second()) + float64(t.Nanosecond())/1e9, true
	case "milliseconds":
		return float64(t.Second())*1e3 + float64(t.Nanosecond())/1e6, true
	case "microseconds":
		return float64(t.Second())*1e6 + float64(t.Nanosecond()/1e3), true
	case "timezone", "timezone_hour", "timezone_minute":
		return 0, true
	}
	return 0, false
}

// formatTimeTemplate writes a time by a template of to_char. Words in double quotes
// stand for themselves; FM takes the padding off the next field.
func formatTimeTemplate(t time.Time, template string) string {
	var b strings.Builder
	pad := func(x, width int, plain bool) {
		s := strconv.Itoa(x)
		for n := len(s); n < width && !plain; n++ {
			b.WriteByte('0')
		}
		b.WriteString(s)
	}
	hour12 := (t.Hour()+11)%12 + 1
	fm := false
	for i := 0; i < len(template); {
		rest := template[i:]
		upper := strings.ToUpper(rest)
		if rest[0] == '"' {
			end := strings.IndexByte(rest[1:], '"')
			if end < 0 {
				end = len(rest) - 1
			}
			b.WriteString(rest[1 : 1+end])
			i += min(end+2, len(rest))
			continue
		}
		took := true
		field := func(name string) bool { return strings.HasPrefix(upper, name) }
		n := 0
		word := func(s, like string, width int) {
			switch {
			case like == strings.ToUpper(like):
				s = strings.ToUpper(s)
			case like == strings.ToLower(like):
				s = strings.ToLower(s)
			}
			b.WriteString(s)
			for k := len(s); k < width && !fm; k++ {
				b.WriteByte(' ')
			}
		}
		switch {
		case field("FM"):
			fm = true
			i += 2
			continue
		case field("HH24"):
			n = 4
			pad(t.Hour(), 2, fm)
		case field("HH12"):
			n = 4
			pad(hour12, 2, fm)
		case field("HH"):
			n = 2
			pad(hour12, 2, fm)
		case field("MI"):
			n = 2
			pad(t.Minute(), 2, fm)
		case field("SS"):
			n = 2
			pad(t.Second(), 2, fm)
		case field("MS"):
			n = 2
			pad(t.Nanosecond()/1e6, 3, fm)
		case field("US"):
			n = 2
			pad(t.Nanosecond()/1e3, 6, fm)
		case field("YYYY"):
			n = 4
			pad(t.Year(), 4, fm)
		case field("IYYY"):
			n = 4
			y, _ := t.ISOWeek()
			pad(y, 4, fm)
		case field("YY"):
			n = 2
			pad(t.Year()%100, 2, fm)
		case field("MONTH"):
			n = 5
			word(t.Month().String(), rest[:5], 9)
		case field("MON"):
			n = 3
			word(t.Month().String()[:3], rest[:3], 0)
		case field("MM"):
			n = 2
			pad(int(t.Month()), 2, fm)
		case field("DAY"):
			n = 3
			word(t.Weekday().String(), rest[:3], 9)
		case field("DDD"):
			n = 3
			pad(t.YearDay(), 3, fm)
		case field("DD"):
			n = 2
			pad(t.Day(), 2, fm)
		case field("DY"):
			n = 2
			word(t.Weekday().String()[:3], rest[:2], 0)
		case field("IW"):
			n = 2
			_, w := t.ISOWeek()
			pad(w, 2, fm)
		case field("ID"):
			n = 2
			pad((int(t.Weekday())+6)%7+1, 1, fm)
		case field("D"):
			n = 1
			pad(int(t.Weekday())+1, 1, fm)
		case field("AM"), field("PM"):
			n = 2
			s := "AM"
			if t.Hour() >= 12 {
				s = "PM"
			}
			word(s, rest[:2], 0)
		case field("TZ"):
			n = 2
			word("UTC", rest[:2], 0)
		case field("OF"):
			n = 2
			b.WriteString("+00")
		case field("Q"):
			n = 1
			pad((int(t.Month())+2)/3, 1, fm)
		default:
			took = false
			b.WriteByte(rest[0])
			n = 1
		}
		if took {
			fm = false
		}
		i += n
	}
	return b.String()
}

// jsonPick makes a kernel that gives a part of its first argument, which pick finds, as JSON
// or as text.
func jsonPick(text bool, pick func(v string, args []*column.Vector, i int) (string, bool)) kernel {
	return emit(func(_ *Context, out *column.Vector, args []*column.Vector, i int) error {
		m, ok := pick(strAt(args[0], i), args, i)
		if ok && text {
			var p any
			if m[0] == '"' {
				if json.Unmarshal([]byte(m), &p) == nil {
					m, ok = p.(string)
				}
			} else if m == "null" {
				ok = false
			}
		}
		pushText(out, m, ok)
		return nil
	})
}

// jsonResult is the type of what jsonPick gives.
func jsonResult(text bool) string {
	if text {
		return "varchar"
	}
	return "json"
}

func jsonKey(v, key string) (string, bool) {
	var m map[string]json.RawMessage
	if json.Unmarshal([]byte(v), &m) != nil {
		return "", false
	}
	raw, ok := m[key]
	return string(raw), ok
}

// jsonPlace is an element of an array, counted from 0, and from the end below 0.
func jsonPlace(v string, at int64) (string, bool) {
	var list []json.RawMessage
	if json.Unmarshal([]byte(v), &list) != nil {
		return "", false
	}
	if at < 0 {
		at += int64(len(list))
	}
	if at < 0 || at >= int64(len(list)) {
		return "", false
	}
	return string(list[at]), true
}

// jsonMember makes the kernels of -> and ->>: a key of an object or a place of an array.
func jsonMember(text bool) []overload {
	return []overload{
		over("json, varchar", jsonResult(text), jsonPick(text, func(v string, args []*column.Vector, i int) (string, bool) { return jsonKey(v, strAt(args[1], i)) })),
		over("json, bigint", jsonResult(text), jsonPick(text, func(v string, args []*column.Vector, i int) (string, bool) { return jsonPlace(v, intAt(args[1], i)) })),
	}
}

// jsonSteps makes the kernels of #> and #>>: a key or a place for each step.
func jsonSteps(text bool) overload {
	return over("json, array(varchar)", jsonResult(text), jsonPick(text, func(v string, args []*column.Vector, i int) (string, bool) {
		from, to := span(args[1], i)
		v = strings.TrimSpace(v)
		for e := from; e < to; e++ {
			if args[1].Children[0].IsNull(e) {
				return "", false
			}
			step, ok := strAt(args[1].Children[0], e), false
			if strings.HasPrefix(v, "[") {
				at, err := strconv.ParseInt(step, 10, 64)
				if err != nil {
					return "", false
				}
				v, ok = jsonPlace(v, at)
			} else {
				v, ok = jsonKey(v, step)
			}
			if !ok {
				return "", false
			}
		}
		return v, v != ""
	}))
}

// parseIdent takes a name apart at its points: without quotes in lower case.
func parseIdent(name string) ([]string, error) {
	wrong := func() ([]string, error) {
		return nil, fault(sqlerr.InvalidArgument, "string is not a valid identifier: %q", name)
	}
	var parts []string
	for rest := strings.TrimSpace(name); ; {
		if strings.HasPrefix(rest, `"`) {
			var b strings.Builder
			rest = rest[1:]
			for {
				end := strings.IndexByte(rest, '"')
				if end < 0 {
					return wrong()
				}
				b.WriteString(rest[:end])
				if rest = rest[end+1:]; !strings.HasPrefix(rest, `"`) {
					break
				}
				b.WriteByte('"')
				rest = rest[1:]
			}
			if b.Len() == 0 {
				return wrong()
			}
			parts = append(parts, b.String())
		} else {
			end := strings.IndexFunc(rest, func(r rune) bool { return r != '_' && r != '$' && !unicode.IsLetter(r) && !unicode.IsDigit(r) })
			if end < 0 {
				end = len(rest)
			}
			if end == 0 || rest[0] == '$' || rest[0] >= '0' && rest[0] <= '9' {
				return wrong()
			}
			parts = append(parts, strings.ToLower(rest[:end]))
			rest = rest[end:]
		}
		rest = strings.TrimSpace(rest)
		if rest == "" {
			return parts, nil
		}
		if rest[0] != '.' {
			return wrong()
		}
		rest = strings.TrimSpace(rest[1:])
	}
}
