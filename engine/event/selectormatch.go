package event

import (
	"bytes"
	"slices"
	"strings"
)

// Matcher decides about events by a list of selectors. It is read-only: any number of
// goroutines may use it.
type Matcher struct {
	advanced []advancedMatcher
	basic    []basicMatcher
}

// advancedMatcher is a selector, its cheapest conditions first.
type advancedMatcher struct {
	category string
	conds    []condition
	kind     string // of resources, "" for any
}

// condition is a condition on a field.
type condition struct {
	field    field
	positive bool // there are positive values
	allow    [3]values
	deny     [3]values
}

// values are the values of one operator. Many are hashed, by their length if they are
// not whole.
type values struct {
	list []string
	set  map[string]struct{}
}

// hashedFrom is how many values to compare with cost more than a look into a map.
const hashedFrom = 8

func newValues(op operator, list []string) values {
	v := values{list: list}
	if op == opEquals && len(list) >= hashedFrom {
		v.set = make(map[string]struct{}, len(list))
		for _, s := range list {
			v.set[s] = struct{}{}
		}
	}
	return v
}

func (v *values) hit(op operator, text []byte) bool {
	if v.set != nil {
		_, ok := v.set[string(text)]
		return ok
	}
	for _, s := range v.list {
		switch op {
		case opEquals:
			if string(text) == s {
				return true
			}
		case opStartsWith:
			if len(text) >= len(s) && string(text[:len(s)]) == s {
				return true
			}
		case opEndsWith:
			if len(text) >= len(s) && string(text[len(text)-len(s):]) == s {
				return true
			}
		}
	}
	return false
}

type basicMatcher struct {
	reads, writes, unknown bool
	management             bool
	except                 []string
	data                   []basicResource
}

type basicResource struct {
	kind   string
	all    bool
	prefix bool // values are beginnings
	values []string
}

// Compile makes a matcher of selectors that [Selectors.Validate] has accepted. No
// selectors at all select nothing.
func (s *Selectors) Compile() *Matcher {
	m := &Matcher{}
	for i := range s.Advanced {
		m.advanced = append(m.advanced, compileAdvanced(&s.Advanced[i]))
	}
	for i := range s.Basic {
		m.basic = append(m.basic, compileBasic(&s.Basic[i]))
	}
	return m
}

func compileAdvanced(s *AdvancedSelector) advancedMatcher {
	var m advancedMatcher
	for k := range s.FieldSelectors {
		f := &s.FieldSelectors[k]
		number := field(slices.Index(fieldNames[:], f.Field))
		v := f.values()
		switch number {
		case fieldCategory:
			m.category = f.Equals[0]
			continue
		case fieldResourceType:
			m.kind = f.Equals[0]
		}
		c := condition{field: number}
		for op := range c.allow {
			c.allow[op] = newValues(operator(op), v[op])
			c.deny[op] = newValues(operator(op), v[op+3])
			c.positive = c.positive || len(v[op]) > 0
		}
		m.conds = append(m.conds, c)
	}
	slices.SortStableFunc(m.conds, func(a, b condition) int { return int(a.field) - int(b.field) })
	return m
}

func compileBasic(s *BasicSelector) basicMatcher {
	m := basicMatcher{reads: s.ReadWriteType != "WriteOnly", writes: s.ReadWriteType != "ReadOnly",
		management: s.management(), except: s.ExcludeManagementEventSources}
	m.unknown = m.reads && m.writes
	for _, d := range s.DataResources {
		r := basicResource{kind: d.Type, prefix: d.Type == "AWS::S3::Object"}
		for _, v := range d.Values {
			if _, rest, _ := cutARN(v); rest == "" || rest == "::" {
				r.all = true
			}
			r.values = append(r.values, v)
		}
		m.data = append(m.data, r)
	}
	return m
}

// Match reports whether the selectors select an event, which [Parse] or [Scan] has read:
// fields beyond those of Event are looked up in its Raw, once per event and only when a
// condition needs them.
func (m *Matcher) Match(ev *Event) bool {
	rest := others{ev: ev}
	for i := range m.advanced {
		if m.advanced[i].match(ev, &rest) {
			return true
		}
	}
	for i := range m.basic {
		if m.basic[i].match(ev, &rest) {
			return true
		}
	}
	return false
}

func (m *advancedMatcher) match(ev *Event, rest *others) bool {
	if m.category != ev.Category.String() {
		return false
	}
	for i := range m.conds {
		c := &m.conds[i]
		var text []byte
		switch c.field {
		case fieldReadOnly:
			switch ev.ReadOnly {
			case True:
				text = trueText
			case False:
				text = falseText
			}
		case fieldSource:
			text = ev.Source
		case fieldName:
			text = ev.Name
		case fieldType:
			text = ev.Type
		case fieldResourceType:
			if !rest.anyResource(m.kind, nil) {
				return false
			}
			continue
		case fieldResourceARN:
			if !c.resources(m.kind, rest) {
				return false
			}
			continue
		default:
			text = rest.text(c.field)
		}
		if text == nil {
			if c.positive {
				return false
			}
			continue
		}
		if c.positive && !hitAny(&c.allow, text) || hitAny(&c.deny, text) {
			return false
		}
	}
	return true
}

var trueText, falseText = []byte("true"), []byte("false")

func hitAny(v *[3]values, text []byte) bool {
	return v[opEquals].hit(opEquals, text) || v[opStartsWith].hit(opStartsWith, text) || v[opEndsWith].hit(opEndsWith, text)
}

// resources decides a condition on resources.ARN.
func (c *condition) resources(kind string, rest *others) bool {
	if c.positive && !rest.anyResource(kind, &c.allow) {
		return false
	}
	return !rest.anyResource(kind, &c.deny)
}

func (m *basicMatcher) match(ev *Event, rest *others) bool {
	switch ev.ReadOnly {
	case True:
		if !m.reads {
			return false
		}
	case False:
		if !m.writes {
			return false
		}
	default:
		if !m.unknown {
			return false
		}
	}
	switch ev.Category {
	case Management:
		return m.management && !slices.ContainsFunc(m.except, func(s string) bool { return string(ev.Source) == s })
	case Data:
		for i := range m.data {
			d := &m.data[i]
			found := false
			rest.resources(func(kind, arn []byte) bool {
				if string(kind) == d.kind && (d.all || d.fits(arn)) {
					found = true
				}
				return !found
			})
			if found {
				return true
			}
		}
	}
	return false
}

func (d *basicResource) fits(arn []byte) bool {
	return slices.ContainsFunc(d.values, func(v string) bool {
		return string(arn) == v || d.prefix && len(arn) >= len(v) && string(arn[:len(v)]) == v
	})
}

// others are the members of a record that only some selectors ask for: raw texts,
// read in one pass over the record's members.
type others struct {
	ev                                           *Event
	read                                         bool
	identity, list, errorCode, endpoint, console []byte
}

func (o *others) walk() {
	if o.read {
		return
	}
	o.read = true
	if len(o.ev.Raw) == 0 || o.ev.Raw[0] != '{' {
		return
	}
	w := enter(o.ev.Raw)
	for {
		name, value, ok := w.member()
		if !ok {
			return
		}
		if bytes.IndexByte(name, '\\') >= 0 {
			name = AppendUnescaped(nil, name)
		}
		switch string(name) {
		case "userIdentity":
			o.identity = value
		case "resources":
			o.list = value
		case "errorCode":
			o.errorCode = value
		case "vpcEndpointId":
			o.endpoint = value
		case "sessionCredentialFromConsole":
			o.console = value
		}
	}
}

// text returns a field's text, nil when the event does not have it.
func (o *others) text(f field) []byte {
	o.walk()
	switch f {
	case fieldErrorCode:
		return plainText(o.errorCode)
	case fieldEndpoint:
		return plainText(o.endpoint)
	case fieldConsole:
		switch tri(o.console) {
		case True:
			return trueText
		case False:
			return falseText
		}
		return nil
	case fieldARN:
		return plainText(Lookup(o.identity, "arn"))
	}
	return nil
}

// plainText returns the text of a JSON string, nil of anything else and of "".
func plainText(raw []byte) []byte {
	if len(raw) <= 2 || raw[0] != '"' {
		return nil
	}
	body := raw[1 : len(raw)-1]
	if bytes.IndexByte(body, '\\') >= 0 {
		body = AppendUnescaped(nil, body)
	}
	return body
}

// resources calls fn with type and ARN of each resource until it returns false. An event
// that lists a bucket has the beginning of ARNs in place of one.
func (o *others) resources(fn func(kind, arn []byte) bool) {
	o.walk()
	if len(o.list) == 0 || o.list[0] != '[' {
		return
	}
	w := enter(o.list)
	for {
		item, ok := w.element()
		if !ok {
			return
		}
		if item[0] != '{' {
			continue
		}
		arn := plainText(Lookup(item, "ARN"))
		if arn == nil {
			arn = plainText(Lookup(item, "ARNPrefix"))
		}
		if !fn(plainText(Lookup(item, "type")), arn) {
			return
		}
	}
}

// anyResource reports whether a resource of a kind ("" for any) has an ARN that one of
// the values hits; with nil values, whether there is one at all.
func (o *others) anyResource(kind string, v *[3]values) (found bool) {
	o.resources(func(k, arn []byte) bool {
		found = (kind == "" || string(k) == kind) && (v == nil || arn != nil && hitAny(v, arn))
		return !found
	})
	return found
}

// String returns the selectors in a line, for people.
func (s *Selectors) String() string {
	var b strings.Builder
	for i, a := range s.Advanced {
		if i > 0 {
			b.WriteString("; ")
		}
		if a.Name != "" {
			b.WriteString(a.Name)
			continue
		}
		for k, f := range a.FieldSelectors {
			if k > 0 {
				b.WriteString(" and ")
			}
			b.WriteString(f.Field)
			for op, list := range f.values() {
				if len(list) > 0 {
					b.WriteString(" " + operatorNames[op] + " " + strings.Join(list, "|"))
				}
			}
		}
	}
	for i, e := range s.Basic {
		if i > 0 {
			b.WriteString("; ")
		}
		var parts []string
		if e.management() {
			parts = append(parts, "management events")
		}
		for _, v := range e.ExcludeManagementEventSources {
			parts = append(parts, "without "+v)
		}
		for _, d := range e.DataResources {
			parts = append(parts, d.Type+" "+strings.Join(d.Values, "|"))
		}
		if e.ReadWriteType == "ReadOnly" || e.ReadWriteType == "WriteOnly" {
			parts = append(parts, e.ReadWriteType)
		}
		b.WriteString(strings.Join(parts, ", "))
	}
	return b.String()
}
