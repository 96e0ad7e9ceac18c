package event

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/cairndb/cairn/segment/column"
)

// show writes value i of a vector as text: NULL, strings quoted, maps {k:v},
// rows (a,b), arrays [a,b].
func show(v *column.Vector, i int) string {
	if v.IsNull(i) {
		return "NULL"
	}
	switch v.Type.Kind {
	case column.Varchar:
		return strconv.Quote(v.Str[i])
	case column.Boolean:
		return strconv.FormatBool(v.I64[i] != 0)
	case column.Timestamp:
		return FormatTime(v.I64[i])
	case column.Double:
		return fmt.Sprint(v.F64[i])
	case column.Map, column.Array:
		var parts []string
		for k := int(v.Offsets[i]); k < int(v.Offsets[i+1]); k++ {
			s := show(v.Children[0], k)
			if v.Type.Kind == column.Map {
				s += ":" + show(v.Children[1], k)
			}
			parts = append(parts, s)
		}
		if v.Type.Kind == column.Map {
			return "{" + strings.Join(parts, ",") + "}"
		}
		return "[" + strings.Join(parts, ",") + "]"
	case column.Row:
		var parts []string
		for _, c := range v.Children {
			parts = append(parts, show(c, i))
		}
		return "(" + strings.Join(parts, ",") + ")"
	}
	return fmt.Sprint(v.I64[i])
}

// sound checks that every part of a vector has the length that its type asks for.
func sound(t *testing.T, v *column.Vector, n int) {
	t.Helper()
	if v.Len != n {
		t.Fatalf("%s: %d values, want %d", v.Type, v.Len, n)
	}
	switch v.Type.Kind {
	case column.Row:
		if len(v.Children) != len(v.Type.Fields) {
			t.Fatalf("%s: %d children", v.Type, len(v.Children))
		}
		for i, c := range v.Children {
			if c.Type != v.Type.Fields[i].Type {
				t.Fatalf("%s: child %d is %s", v.Type, i, c.Type)
			}
			sound(t, c, n)
		}
	case column.Map, column.Array:
		if len(v.Offsets) != n+1 || v.Offsets[0] != 0 {
			t.Fatalf("%s: offsets %v", v.Type, v.Offsets)
		}
		for i := range n {
			if v.Offsets[i] > v.Offsets[i+1] {
				t.Fatalf("%s: offsets %v", v.Type, v.Offsets)
			}
		}
		for _, c := range v.Children {
			sound(t, c, int(v.Offsets[n]))
		}
	default:
		if len(v.I64)+len(v.F64)+len(v.Str) != n {
			t.Fatalf("%s: %d %d %d payloads, want %d", v.Type, len(v.I64), len(v.F64), len(v.Str), n)
		}
		for _, s := range v.Str {
			if !utf8.ValidString(s) {
				t.Fatalf("%s: %q is no text", v.Type, s)
			}
		}
	}
}

// col returns a column by its SQL path in a table.
func col(t testing.TB, table *Table, path string) *Column {
	t.Helper()
	names := strings.Split(path, ".")
	c, _ := table.Column(names[0])
	for _, name := range names[1:] {
		if c == nil {
			break
		}
		c, _ = c.Member(name)
	}
	if c == nil {
		t.Fatalf("%s has no %s", table.Name, path)
	}
	return c
}

func TestDecode(t *testing.T) {
	null := func(n int) string { return "(" + strings.TrimSuffix(strings.Repeat("NULL,", n), ",") + ")" }
	for _, test := range []struct {
		table *Table
		col   string
		raw   string
		want  string
	}{
		{CloudTrail, "eventname", `"Get\u0041\n"`, `"GetA\n"`},
		{CloudTrail, "eventname", `""`, `""`},
		{CloudTrail, "eventname", `12.50`, `"12.50"`},
		{CloudTrail, "eventname", `true`, `"true"`},
		{CloudTrail, "eventname", `null`, `NULL`},
		{CloudTrail, "eventname", ``, `NULL`},
		{CloudTrail, "eventname", ` { "a" : [ 1 , "x y\"," ] } `, `"{\"a\":[1,\"x y\\\",\"]}"`},
		{CloudTrail, "eventname", `"unterminated`, `NULL`},
		{CloudTrail, "eventname", `"\ud83d\ude00\ud800\\"`, `"😀�\\"`},
		{CloudTrail, "readonly", `true`, `true`},
		{CloudTrail, "readonly", `false`, `false`},
		{CloudTrail, "readonly", `"true"`, `true`},
		{CloudTrail, "readonly", `"false"`, `false`},
		{CloudTrail, "readonly", `"yes"`, `NULL`},
		{CloudTrail, "readonly", `1`, `NULL`},
		{CloudTrail, "readonly", `{}`, `NULL`},
		{CloudTrail, "eventtime", `"2026-01-02 03:04:05.123456"`, `2026-01-02T03:04:05.123Z`},
		{CloudTrail, "eventtime", `"2026-01-02\u002003:04:05"`, `2026-01-02T03:04:05Z`},
		{CloudTrail, "eventtime", `"soon"`, `NULL`},
		{CloudTrail, "eventtime", `1767323045`, `NULL`},
		{CloudTrail, "useridentity.sessioncontext.attributes.creationdate", `"20131102T010628Z"`, `2013-11-02T01:06:28Z`},
		{CloudTrail, "requestparameters", `{"a":1,"b":{"x":[1, 2]},"c":null,"d":"q\"","e":true,"f":-0.0e1,"\u0067":""}`,
			`{"a":"1","b":"{\"x\":[1,2]}","c":NULL,"d":"q\"","e":"true","f":"-0.0e1","g":""}`},
		{CloudTrail, "requestparameters", `{}`, `{}`},
		{CloudTrail, "requestparameters", `null`, `NULL`},
		{CloudTrail, "requestparameters", `[1]`, `NULL`},
		{CloudTrail, "requestparameters", `"text"`, `NULL`},
		{CloudTrail, "requestparameters", `{"a":1,"b":2,"a":3}`, `{"a":"3","b":"2"}`},
		{CloudTrail, "requestparameters", `{"a":1,"\u0061":null}`, `{"a":NULL}`},
		{CloudTrail, "requestparameters", `{"a":null,"a":"x"}`, `{"a":"x"}`},
		{CloudTrail, "requestparameters", `{"a":1,}`, `NULL`},
		{CloudTrail, "requestparameters", `{"A":1,"a":2}`, `{"A":"1","a":"2"}`},
		{CloudTrail, "resources", `[{"ARN":"x","accountId":1},null,7,{"arn":"no","ARNPrefix":"p","type":{"k": 1}}]`,
			`[("1",NULL,"x",NULL),NULL,NULL,(NULL,"{\"k\":1}",NULL,"p")]`},
		{CloudTrail, "resources", `[]`, `[]`},
		{CloudTrail, "resources", `{}`, `NULL`},
		{CloudTrail, "tlsdetails", `{"tlsVersion":"TLSv1.3","x":1,"tlsVersion":"TLSv1.2"}`, `("TLSv1.2",NULL,NULL,NULL)`},
		{CloudTrail, "tlsdetails", `"TLS"`, `NULL`},
		{CloudTrail, "useridentity", `"root"`, `NULL`},
		{CloudTrail, "useridentity", `{"type":"Root","sessionContext":"none","onBehalfOf":{"userId":"u"}}`,
			`("Root",NULL,NULL,NULL,NULL,NULL,NULL,("u",NULL),NULL,NULL,NULL)`},
		{CloudTrail, "useridentity.sessioncontext", `{"sessionIssuer":{},"webIdFederationData":{"attributes":{"a":"b"}},"attributes":{"creationDate":"never","mfaAuthenticated":false}}`,
			`((NULL,"false"),` + null(5) + `,(NULL,{"a":"b"}),NULL,NULL,NULL)`},
		{CloudTrail, "eventcontext", `{"requestContext":{"aws:x":["a", "b"]},"tagContext":{"resourceTags":[{"arn":"r","tags":{"k":"v"}},{"arn":"s"}],"principalTags":{}}}`,
			`({"aws:x":"[\"a\",\"b\"]"},([("r",{"k":"v"}),("s",NULL)],{}))`},
		{CloudTrail, "eventjson", ` {"a" : 1} `, `" {\"a\" : 1} "`},
		{Insights, "insightcontext", `{"statistics":{"baseline":{"average":8.5e-05},"insight":{"average":1},"insightDuration":5,"baselineDuration":11336},"attributions":[{"attribute":"userAgent","insight":[{"value":"x","average":0.5}],"baseline":[]}]}`,
			`(8.5e-05,1,11336,5,[("userAgent",NULL,NULL,NULL,NULL,[("x",0.5)],[])])`},
		{Insights, "insightcontext", `{"baselineAverage":1,"insightAverage":2.5,"baselineDuration":3.0,"insightDuration":4.5,"statistics":{"baseline":{"average":9}}}`,
			`(1,2.5,3,NULL,NULL)`},
		{Insights, "insightcontext.baselineaverage", `"1"`, `NULL`},
		{Insights, "insightcontext.baselineaverage", `1e999`, `NULL`},
		{Insights, "insightcontext.insightduration", `3000000000`, `NULL`},
		{ConfigurationItems, "eventdata.relatedevents", `[ "a", "b" ]`, `"[\"a\",\"b\"]"`},
		{ExternalEvents, "addendum", `{"reason":"UPDATED_DATA","originalUID":"u"}`, `("UPDATED_DATA",NULL,"u",NULL)`},
		{ExternalEvents, "eventdata.eventtime", `"2026-01-02T03:04:05"`, `"2026-01-02T03:04:05"`},
	} {
		c := col(t, test.table, test.col)
		// Between others, so that offsets and NULL bits are tested too.
		raws := [][]byte{nil, []byte(test.raw), []byte("null"), []byte(test.raw)}
		v := c.Decode(raws)
		sound(t, v, len(raws))
		if c.Mapping != Record && (!v.IsNull(0) || !v.IsNull(2)) {
			t.Errorf("%s: neighbours are not NULL", test.col)
		}
		for _, i := range []int{1, 3} {
			if got := show(v, i); got != test.want {
				t.Errorf("%s from %s is %s, want %s", test.col, test.raw, got, test.want)
			}
		}
	}
}

func TestDecodeManyKeys(t *testing.T) {
	var b strings.Builder
	want := map[string]string{}
	b.WriteByte('{')
	for i := range 500 {
		if i > 0 {
			b.WriteByte(',')
		}
		k := fmt.Sprint("k", i%300)
		fmt.Fprintf(&b, "%q:%d", k, i)
		want[k] = fmt.Sprint(i)
	}
	b.WriteByte('}')
	v := col(t, CloudTrail, "requestparameters").Decode([][]byte{[]byte(b.String()), []byte(`{"k1":"x"}`), []byte(b.String())})
	sound(t, v, 3)
	if v.Offsets[1] != 300 || v.Offsets[2] != 301 || v.Offsets[3] != 601 {
		t.Fatalf("offsets %v", v.Offsets)
	}
	for i := range 300 {
		if k := v.Children[0].Str[i]; v.Children[1].Str[i] != want[k] {
			t.Errorf("%s is %s, want %s", k, v.Children[1].Str[i], want[k])
		}
	}
}

func TestDecodeStrings(t *testing.T) {
	for _, test := range []struct{ col, body, want string }{
		{"eventname", `a\u0062\\`, `"ab\\"`},
		{"eventname", ``, `""`},
		{"readonly", `true`, `true`},
		{"readonly", `TRUE`, `NULL`},
		{"eventtime", `2026-01-02T03:04:05.9999Z`, `2026-01-02T03:04:05.999Z`},
		{"requestparameters", `{}`, `NULL`},
		{"useridentity", `x`, `NULL`},
		{"resources", `x`, `NULL`},
	} {
		v := col(t, CloudTrail, test.col).DecodeStrings([][]byte{nil, []byte(test.body)})
		sound(t, v, 2)
		if got := show(v, 1); got != test.want || !v.IsNull(0) {
			t.Errorf("%s from %s is %s, want %s", test.col, test.body, got, test.want)
		}
	}
}

func TestChecksum(t *testing.T) {
	sum := sha256.Sum256([]byte(sample))
	v := col(t, CloudTrail, "eventjsonchecksum").Decode([][]byte{[]byte(sample), nil})
	if v.Str[0] != base64.StdEncoding.EncodeToString(sum[:]) || !v.IsNull(1) {
		t.Errorf("%q", v.Str)
	}
}

func TestFind(t *testing.T) {
	for _, test := range []struct {
		table            *Table
		col, record, raw string
	}{
		{CloudTrail, "eventid", `{"eventID":"a"}`, `"a"`},
		{CloudTrail, "eventid", `{"eventId":"b"}`, `"b"`},
		{CloudTrail, "eventid", `{"eventID":null,"eventId":"b"}`, `"b"`},
		{CloudTrail, "eventid", `{"event\u0049D":"c"}`, `"c"`},
		{CloudTrail, "eventid", `{"eventid":"c"}`, ``},
		{CloudTrail, "readonly", `{ "a" : {"readOnly":true} , "readOnly" : false , "z" : [ ] }`, `false`},
		{CloudTrail, "readonly", `{"readOnly":true,"readOnly":false}`, `false`},
		{CloudTrail, "useridentity", `{"x":"{\"","userIdentity":{"a":["}",{}]},"y":1}`, `{"a":["}",{}]}`},
		{CloudTrail, "eventjson", `{"x":1}`, `{"x":1}`},
		{Insights, "insightstate", `{"insightDetails":{"state":"Start"}}`, `"Start"`},
		{Insights, "insightstate", `{"insightState":"End","insightDetails":{"state":"Start"}}`, `"End"`},
		{Insights, "insightstate", `{"insightDetails":"x"}`, ``},
	} {
		if got := col(t, test.table, test.col).Find([]byte(test.record)); string(got) != test.raw {
			t.Errorf("%s in %s is %s, want %s", test.col, test.record, got, test.raw)
		}
	}
}

func TestTables(t *testing.T) {
	want := "eventversion useridentity eventtime eventsource eventname awsregion sourceipaddress useragent errorcode errormessage " +
		"requestparameters responseelements additionaleventdata requestid eventid readonly resources eventtype apiversion managementevent " +
		"recipientaccountid sharedeventid annotation vpcendpointid vpcendpointaccountid serviceeventdetails addendum edgedevicedetails " +
		"insightdetails eventcategory tlsdetails sessioncredentialfromconsole eventjson eventjsonchecksum eventcontext"
	var names []string
	for _, c := range CloudTrail.Columns {
		names = append(names, c.Name)
	}
	if got := strings.Join(names, " "); got != want {
		t.Errorf("columns %s", got)
	}
	var check func(t *testing.T, c *Column, typ *column.Type)
	check = func(t *testing.T, c *Column, typ *column.Type) {
		if c.Name != strings.ToLower(c.Name) || c.Type != typ {
			t.Errorf("%s: %s", c.Name, c.Type)
		}
		if len(c.Paths) == 0 != (c.Mapping == Record || c.Mapping == Checksum) {
			t.Errorf("%s: paths %v", c.Name, c.Paths)
		}
		seen := map[string]bool{}
		for i := range c.Members {
			m := &c.Members[i]
			if seen[m.Name] {
				t.Errorf("%s.%s twice", c.Name, m.Name)
			}
			seen[m.Name] = true
			rowType := typ
			if c.Mapping == Rows {
				rowType = typ.Elem
			}
			if rowType.Fields[i].Name != m.Name {
				t.Errorf("%s.%s is %s in the type", c.Name, m.Name, rowType.Fields[i].Name)
			}
			check(t, m, rowType.Fields[i].Type)
		}
		// NULL in, NULL out; nothing decodes to a vector of another shape.
		sound(t, c.Decode(make([][]byte, 130)), 130)
		sound(t, c.Decode(nil), 0)
	}
	for _, table := range Tables() {
		for i := range table.Columns {
			check(t, &table.Columns[i], table.Columns[i].Type)
		}
		for _, must := range []string{"eventversion", "EventTime", "EVENTJSON", "eventJsonChecksum", "eventCategory", "eventType", "eventID"} {
			if c, i := table.Column(must); c == nil || !strings.EqualFold(table.Columns[i].Name, must) {
				t.Errorf("%s has no %s", table.Name, must)
			}
		}
		if c, i := table.Column("nothing"); c != nil || i != -1 {
			t.Error("found nothing")
		}
	}
	if a, b := col(t, CloudTrail, "useridentity.inscopeof.CredentiaisIssuedTo"), col(t, CloudTrail, "userIdentity.inScopeOf.credentialsIssuedTo"); a != b {
		t.Error("the alias is another column")
	}
	col(t, ExternalEvents, "eventdata.errormssage")
	if got := col(t, CloudTrail, "resources").Type.String(); got != "array(row(accountid varchar, type varchar, arn varchar, arnprefix varchar))" {
		t.Error(got)
	}
}

// FuzzDecode decodes anything with every mapping, and holds maps of valid
// objects against the standard library.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{
		sample, `{"a":1,"a":{"b": [1, 2]},"c":null}`, `[{"ARN":"x"},1]`, `"x\u00e4"`, `true`, `-1.5e3`, `{"`, `"`, `{"a"`, `[,]`, `}`, "",
		`{"type":"x","sessionContext":{"attributes":{"creationDate":"20131102T010628Z"}}}`, `"\`, `{"a":"\ud800"}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		raws := [][]byte{raw, nil, raw}
		for _, table := range Tables() {
			for i := range table.Columns {
				c := &table.Columns[i]
				c.Find(raw)
				if c.Mapping == Record {
					continue // the bytes as they are, text or not
				}
				v := c.Decode(raws)
				sound(t, v, 3)
				if show(v, 0) != show(v, 2) {
					t.Fatalf("%s: %s and %s", c.Name, show(v, 0), show(v, 2))
				}
				if utf8.Valid(raw) {
					sound(t, c.DecodeStrings(raws), 3)
				}
			}
		}
		c, _ := CloudTrail.Column("requestparameters")
		v := c.Decode(raws)
		var want map[string]json.RawMessage
		if !utf8.Valid(raw) || json.Unmarshal(raw, &want) != nil || want == nil {
			if !v.IsNull(0) {
				t.Fatalf("%q gives %s", raw, show(v, 0))
			}
			return
		}
		if v.IsNull(0) {
			if n, err := ScanValue(raw); n == 0 && err != nil {
				return // over a cap
			}
			if len(raw) != len(Trim(raw)) {
				return
			}
			t.Fatalf("%q gives NULL", raw)
		}
		if int(v.Offsets[1]) != len(want) {
			t.Fatalf("%q gives %s", raw, show(v, 0))
		}
		for i := range int(v.Offsets[1]) {
			key := v.Children[0].Str[i]
			value, ok := want[key]
			if !ok {
				t.Fatalf("%q gives %s", raw, show(v, 0))
			}
			var text string
			switch {
			case string(value) == "null":
				text = "NULL"
			case value[0] == '"':
				var s string
				if err := json.Unmarshal(value, &s); err != nil {
					t.Fatal(err)
				}
				text = strconv.Quote(s)
			default:
				var compact bytes.Buffer
				if err := json.Compact(&compact, value); err != nil {
					t.Fatal(err)
				}
				text = strconv.Quote(compact.String())
			}
			if got := show(v.Children[1], i); got != text {
				t.Fatalf("%q: %s is %s, want %s", raw, key, got, text)
			}
		}
	})
}

func benchmarkDecode(b *testing.B, name string) {
	c, _ := CloudTrail.Column(name)
	raws := make([][]byte, 4096)
	size := 0
	for i := range raws {
		raws[i] = c.Find([]byte(sample))
		size += len(raws[i])
	}
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for b.Loop() {
		c.Decode(raws)
	}
}

func BenchmarkDecodeMap(b *testing.B)  { benchmarkDecode(b, "requestparameters") }
func BenchmarkDecodeRow(b *testing.B)  { benchmarkDecode(b, "useridentity") }
func BenchmarkDecodeText(b *testing.B) { benchmarkDecode(b, "eventname") }
