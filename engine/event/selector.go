package event

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Event selectors say which events a trail delivers and which a store takes. An event is
// selected when one selector of the list selects it. There are two forms, and a list has
// one of them:
//
//   - advanced selectors: conditions on fields, all of which must hold;
//   - basic selectors (of trails alone): management events and the data events of three
//     kinds of resources.
//
// In a condition the values of the positive operators (Equals, StartsWith, EndsWith) are
// alternatives, each value of a negative one excludes, and both must agree. Texts are
// compared byte by byte; booleans are the texts "true" and "false". A field that an event
// does not have fails what is positive and passes what is negative. resources.ARN is about
// the resources of the selector's type: a positive condition wants one that fits, a
// negative one none that does.
//
// In JSON the types are spelled as the CloudTrail API spells them.

// Limits of selectors.
const (
	// SelectorValuesMax is how many values all conditions of a list may have.
	SelectorValuesMax = 500
	// SelectorsMax bounds a store's list. A trail's is bounded by its values alone.
	SelectorsMax = 5
	// BasicSelectorsMax and DataResourceValuesMax bound the basic form.
	BasicSelectorsMax     = 5
	DataResourceValuesMax = 250

	selectorNameMax  = 1000
	selectorValueMax = 2048
)

// AdvancedSelector is a named list of conditions that must all hold.
type AdvancedSelector struct {
	Name           string          `json:",omitempty"`
	FieldSelectors []FieldSelector // at least one
}

// FieldSelector is a condition on one field.
type FieldSelector struct {
	Field         string
	Equals        []string `json:",omitempty"`
	StartsWith    []string `json:",omitempty"`
	EndsWith      []string `json:",omitempty"`
	NotEquals     []string `json:",omitempty"`
	NotStartsWith []string `json:",omitempty"`
	NotEndsWith   []string `json:",omitempty"`
}

// BasicSelector is a selector of the older form.
type BasicSelector struct {
	// ReadWriteType is All (also when it is empty), ReadOnly or WriteOnly. An event that
	// does not say whether it only reads is selected by All alone.
	ReadWriteType string `json:",omitempty"`
	// IncludeManagementEvents is true when it is nil.
	IncludeManagementEvents *bool `json:",omitempty"`
	// ExcludeManagementEventSources may name kms.amazonaws.com and rdsdata.amazonaws.com.
	ExcludeManagementEventSources []string       `json:",omitempty"`
	DataResources                 []DataResource `json:",omitempty"`
}

// DataResource names resources whose data events are selected.
type DataResource struct {
	// Type is AWS::S3::Object, AWS::Lambda::Function or AWS::DynamoDB::Table.
	Type string
	// Values are ARNs: of objects their beginnings, of functions and tables the whole.
	// "arn:aws:s3", "arn:aws:lambda" and "arn:aws:dynamodb" stand for all.
	Values []string `json:",omitempty"`
}

// Selectors is a list of one of the two forms.
type Selectors struct {
	Basic    []BasicSelector    `json:",omitempty"`
	Advanced []AdvancedSelector `json:",omitempty"`
}

// SelectorsFor says what a list of selectors is for: trails may test fewer fields, and
// stores hold more categories.
type SelectorsFor uint8

// What selectors are for.
const (
	ForTrail SelectorsFor = iota
	ForStore
)

// SelectorError says what is wrong with a list of selectors.
type SelectorError struct {
	// Member is the place, such as "AdvancedEventSelectors[0].FieldSelectors[1].Equals[0]".
	Member string
	Reason string
}

// Error returns place and reason.
func (e *SelectorError) Error() string { return e.Member + ": " + e.Reason }

func bad(member, format string, args ...any) *SelectorError {
	return &SelectorError{Member: member, Reason: fmt.Sprintf(format, args...)}
}

// DefaultTrailSelectors is what a trail selects when nothing else is said: all
// management events.
func DefaultTrailSelectors() Selectors {
	yes := true
	return Selectors{Basic: []BasicSelector{{ReadWriteType: "All", IncludeManagementEvents: &yes}}}
}

// DefaultStoreSelectors is what a store made by the CloudTrail API takes when nothing
// else is said.
func DefaultStoreSelectors() Selectors {
	return Selectors{Advanced: []AdvancedSelector{{Name: "Default management events",
		FieldSelectors: []FieldSelector{{Field: "eventCategory", Equals: []string{"Management"}}}}}}
}

// Validate checks the list against all rules: limits, fields and operators that are legal
// for each category, and contradictions, which would select nothing. The error is a
// [*SelectorError].
func (s *Selectors) Validate(use SelectorsFor) error {
	if bad := s.validate(use); bad != nil {
		return bad
	}
	return nil
}

func (s *Selectors) validate(use SelectorsFor) *SelectorError {
	switch {
	case len(s.Basic) > 0 && len(s.Advanced) > 0:
		return bad("EventSelectors", "basic and advanced selectors exclude each other: give one of the two lists")
	case len(s.Basic) > 0 && use == ForStore:
		return bad("EventSelectors", "stores have advanced selectors only")
	case len(s.Basic) > 0:
		return validateBasic(s.Basic)
	case len(s.Advanced) == 0:
		return bad("AdvancedEventSelectors", "the list is empty: nothing would be selected")
	}
	return validateAdvanced(s.Advanced, use)
}

// basicTypes are the resource types of basic selectors and the service of their ARNs.
var basicTypes = map[string]string{"AWS::S3::Object": "s3", "AWS::Lambda::Function": "lambda", "AWS::DynamoDB::Table": "dynamodb"}

func validateBasic(list []BasicSelector) *SelectorError {
	if len(list) > BasicSelectorsMax {
		return bad("EventSelectors", "%d selectors, at most %d are allowed", len(list), BasicSelectorsMax)
	}
	values := 0
	for i := range list {
		s := &list[i]
		at := fmt.Sprintf("EventSelectors[%d]", i)
		switch s.ReadWriteType {
		case "", "All", "ReadOnly", "WriteOnly":
		default:
			return bad(at+".ReadWriteType", "%q is not one of All, ReadOnly, WriteOnly", s.ReadWriteType)
		}
		if !s.management() && len(s.ExcludeManagementEventSources) > 0 {
			return bad(at+".ExcludeManagementEventSources", "management events are not included, so none can be left out")
		}
		for k, v := range s.ExcludeManagementEventSources {
			if !slices.Contains(excludable, v) {
				return bad(fmt.Sprintf("%s.ExcludeManagementEventSources[%d]", at, k), "%q is not one of %s", v, strings.Join(excludable, ", "))
			}
		}
		if !s.management() && len(s.DataResources) == 0 {
			return bad(at, "it includes neither management events nor data resources, so it selects nothing")
		}
		for k := range s.DataResources {
			d := &s.DataResources[k]
			at := fmt.Sprintf("%s.DataResources[%d]", at, k)
			service, ok := basicTypes[d.Type]
			if !ok {
				return bad(at+".Type", "%q is not one of AWS::S3::Object, AWS::Lambda::Function, AWS::DynamoDB::Table; other types need advanced selectors", d.Type)
			}
			if len(d.Values) == 0 {
				return bad(at+".Values", "it is empty: name resources, or all of them by arn:aws:%s", service)
			}
			values += len(d.Values)
			for n, v := range d.Values {
				at := fmt.Sprintf("%s.Values[%d]", at, n)
				if bad := checkText(at, v); bad != nil {
					return bad
				}
				got, _, ok := cutARN(v)
				if !ok || got != service {
					return bad(at, "%q is not an ARN of %s (arn:aws:%s…)", v, d.Type, service)
				}
			}
		}
	}
	if values > DataResourceValuesMax {
		return bad("EventSelectors", "%d values of data resources, at most %d are allowed over all selectors", values, DataResourceValuesMax)
	}
	return nil
}

// cutARN returns the service of an ARN and what follows it; rest is nil when the ARN ends
// with the service.
func cutARN(arn string) (service, rest string, ok bool) {
	head, tail, ok := strings.Cut(arn, ":")
	if !ok || head != "arn" {
		return "", "", false
	}
	partition, tail, ok := strings.Cut(tail, ":")
	if !ok || partition == "" {
		return "", "", false
	}
	service, rest, _ = strings.Cut(tail, ":")
	return service, rest, service != ""
}

func (s *BasicSelector) management() bool {
	return s.IncludeManagementEvents == nil || *s.IncludeManagementEvents
}

// excludable are the sources of management events that may be left out.
var excludable = []string{"kms.amazonaws.com", "rdsdata.amazonaws.com"}

func checkText(at, v string) *SelectorError {
	switch n := utf8.RuneCountInString(v); {
	case n == 0:
		return bad(at, "it is empty")
	case n > selectorValueMax:
		return bad(at, "%d characters, at most %d are allowed", n, selectorValueMax)
	case !utf8.ValidString(v):
		return bad(at, "it is not valid UTF-8")
	}
	return nil
}

// operator numbers the operators, the positive ones first.
type operator uint8

const (
	opEquals operator = iota
	opStartsWith
	opEndsWith
	opNotEquals
	opNotStartsWith
	opNotEndsWith
	operators = 6
)

var operatorNames = [operators]string{"Equals", "StartsWith", "EndsWith", "NotEquals", "NotStartsWith", "NotEndsWith"}

// values returns the values of each operator.
func (f *FieldSelector) values() [operators][]string {
	return [operators][]string{f.Equals, f.StartsWith, f.EndsWith, f.NotEquals, f.NotStartsWith, f.NotEndsWith}
}

// field numbers the fields, those that cost least to read first.
type field uint8

const (
	fieldCategory field = iota
	fieldReadOnly
	fieldSource
	fieldName
	fieldType
	fieldConsole
	fieldErrorCode
	fieldEndpoint
	fieldARN
	fieldResourceType
	fieldResourceARN
	fieldCount
)

var fieldNames = [fieldCount]string{"eventCategory", "readOnly", "eventSource", "eventName", "eventType",
	"sessionCredentialFromConsole", "errorCode", "vpcEndpointId", "userIdentity.arn", "resources.type", "resources.ARN"}

// legality is what a field may be asked in selectors of a category: how many field
// selectors, by which operators, for which values.
type legality struct {
	field    field
	required bool
	ops      []operator // nil for any
	values   []string   // nil for any
	single   bool       // one value at most
}

var (
	onlyEquals = []operator{opEquals}
	booleans   = []string{"true", "false"}
)

// legal is the table of legal conditions, beside eventCategory.
var legal = map[SelectorsFor]map[Category][]legality{
	ForTrail: {
		Management: {
			{field: fieldReadOnly, ops: onlyEquals, values: booleans},
			{field: fieldSource, ops: []operator{opNotEquals}, values: excludable},
		},
		Data:            dataLegal,
		NetworkActivity: networkLegal,
	},
	ForStore: {
		Management: {
			{field: fieldReadOnly, ops: onlyEquals, values: booleans},
			{field: fieldSource}, {field: fieldName}, {field: fieldType},
			{field: fieldConsole, ops: []operator{opEquals, opNotEquals}, values: []string{"true"}},
			{field: fieldARN},
		},
		Data:            dataLegal,
		NetworkActivity: networkLegal,
		Insight:         {}, ConfigurationItem: {}, Evidence: {}, ActivityAuditLog: {},
	},
}

var dataLegal = []legality{
	{field: fieldResourceType, required: true, ops: onlyEquals, single: true},
	{field: fieldReadOnly, ops: onlyEquals, values: booleans},
	{field: fieldSource}, {field: fieldName}, {field: fieldType},
	{field: fieldConsole, ops: []operator{opEquals, opNotEquals}, values: []string{"true"}},
	{field: fieldARN}, {field: fieldResourceARN},
}

var networkLegal = []legality{
	{field: fieldSource, required: true, ops: onlyEquals, single: true},
	{field: fieldName},
	{field: fieldErrorCode, ops: onlyEquals, values: []string{"VpceAccessDenied"}},
	{field: fieldEndpoint},
}

func validateAdvanced(list []AdvancedSelector, use SelectorsFor) *SelectorError {
	if use == ForStore && len(list) > SelectorsMax {
		return bad("AdvancedEventSelectors", "%d selectors, a store has at most %d", len(list), SelectorsMax)
	}
	total := 0
	var alone Category // a category that must be the only one
	var first Category
	for i := range list {
		at := fmt.Sprintf("AdvancedEventSelectors[%d]", i)
		c, n, bad1 := validateOne(&list[i], at, use)
		if bad1 != nil {
			return bad1
		}
		if total += n; total > SelectorValuesMax {
			return bad(at, "more than %d values in all conditions", SelectorValuesMax)
		}
		switch c {
		case Insight, ConfigurationItem, Evidence, ActivityAuditLog:
			alone = c
		}
		if i == 0 {
			first = c
		}
		if alone != OtherCategory && (c != first || first != alone) {
			return bad(at, "events of category %s share a store with no other category", alone)
		}
	}
	return nil
}

// validateOne checks one selector and returns its category and how many values it has.
func validateOne(s *AdvancedSelector, at string, use SelectorsFor) (c Category, values int, _ *SelectorError) {
	if n := utf8.RuneCountInString(s.Name); n > selectorNameMax {
		return 0, 0, bad(at+".Name", "%d characters, at most %d are allowed", n, selectorNameMax)
	}
	if len(s.FieldSelectors) == 0 {
		return 0, 0, bad(at+".FieldSelectors", "it is empty: eventCategory is needed at least")
	}
	if len(s.FieldSelectors) > SelectorValuesMax {
		return 0, 0, bad(at+".FieldSelectors", "%d conditions, at most %d values are allowed in all", len(s.FieldSelectors), SelectorValuesMax)
	}
	var by [fieldCount][]int // positions of the conditions on each field
	for k := range s.FieldSelectors {
		f := &s.FieldSelectors[k]
		at := fmt.Sprintf("%s.FieldSelectors[%d]", at, k)
		number := slices.Index(fieldNames[:], f.Field)
		if number < 0 {
			return 0, 0, bad(at+".Field", "%q is no field of selectors: there are %s", f.Field, strings.Join(fieldNames[:], ", "))
		}
		by[number] = append(by[number], k)
		some := false
		for op, list := range f.values() {
			some = some || len(list) > 0
			values += len(list)
			for n, v := range list {
				if bad := checkText(fmt.Sprintf("%s.%s[%d]", at, operatorNames[op], n), v); bad != nil {
					return 0, 0, bad
				}
			}
		}
		if !some {
			return 0, 0, bad(at, "the condition on %s has no operator", f.Field)
		}
	}
	c, wrong := categoryOf(s, by[fieldCategory], at, use)
	if wrong != nil {
		return 0, 0, wrong
	}
	if wrong := checkLegal(s, c, &by, at, use); wrong != nil {
		return 0, 0, wrong
	}
	for number, positions := range by {
		if wrong := contradiction(s, positions, at); wrong != nil {
			return 0, 0, wrong
		}
		if field(number) == fieldResourceARN && len(positions) > 0 {
			if wrong := checkARNs(s, positions, by[fieldResourceType], at); wrong != nil {
				return 0, 0, wrong
			}
		}
	}
	return c, values, nil
}

// categoryOf reads the one condition on eventCategory.
func categoryOf(s *AdvancedSelector, positions []int, at string, use SelectorsFor) (Category, *SelectorError) {
	if len(positions) != 1 {
		return 0, bad(at+".FieldSelectors", "%d conditions on eventCategory, exactly one is needed", len(positions))
	}
	f := &s.FieldSelectors[positions[0]]
	at = fmt.Sprintf("%s.FieldSelectors[%d]", at, positions[0])
	for op, list := range f.values() {
		if len(list) > 0 && operator(op) != opEquals {
			return 0, bad(at+"."+operatorNames[op], "eventCategory can only be tested with Equals")
		}
	}
	if len(f.Equals) != 1 {
		return 0, bad(at+".Equals", "eventCategory takes one value; use a selector per category")
	}
	var names []string
	for c := Management; int(c) < len(categoryNames); c++ {
		if _, ok := legal[use][c]; !ok {
			continue
		}
		if c.String() == f.Equals[0] {
			return c, nil
		}
		names = append(names, c.String())
	}
	return 0, bad(at+".Equals[0]", "%q is not one of %s", f.Equals[0], strings.Join(names, ", "))
}

// checkLegal holds the conditions against the table.
func checkLegal(s *AdvancedSelector, c Category, by *[fieldCount][]int, at string, use SelectorsFor) *SelectorError {
	rules := legal[use][c]
	for number, positions := range by {
		if len(positions) == 0 || field(number) == fieldCategory {
			continue
		}
		k := slices.IndexFunc(rules, func(l legality) bool { return l.field == field(number) })
		at := fmt.Sprintf("%s.FieldSelectors[%d]", at, positions[0])
		if k < 0 {
			what := "a trail"
			if use == ForStore {
				what = "a store"
			}
			return bad(at+".Field", "%s cannot be tested in a selector of %s events of %s", fieldNames[number], c, what)
		}
		rule := &rules[k]
		if rule.single && len(positions) > 1 {
			return bad(at, "%s may be tested once", fieldNames[number])
		}
		for _, p := range positions {
			at := fmt.Sprintf("%s.FieldSelectors[%d]", at[:strings.LastIndex(at, ".")], p)
			for op, list := range s.FieldSelectors[p].values() {
				if len(list) == 0 {
					continue
				}
				if rule.ops != nil && !slices.Contains(rule.ops, operator(op)) {
					return bad(at+"."+operatorNames[op], "%s of %s events cannot be tested with %s here", fieldNames[number], c, operatorNames[op])
				}
				if rule.single && len(list) > 1 {
					return bad(at+"."+operatorNames[op], "%s takes one value; use a selector for each", fieldNames[number])
				}
				for n, v := range list {
					if rule.values != nil && !slices.Contains(rule.values, v) {
						return bad(fmt.Sprintf("%s.%s[%d]", at, operatorNames[op], n), "%q is not one of %s", v, strings.Join(rule.values, ", "))
					}
					if field(number) == fieldResourceType && !resourceTypeLike(v) {
						return bad(fmt.Sprintf("%s.%s[%d]", at, operatorNames[op], n), "%q is not spelled like a resource type, as AWS::S3::Object is", v)
					}
				}
			}
		}
	}
	for _, rule := range rules {
		if rule.required && len(by[rule.field]) == 0 {
			return bad(at+".FieldSelectors", "selectors of %s events need a condition on %s", c, fieldNames[rule.field])
		}
	}
	return nil
}

// resourceTypeLike reports whether a text has the form AWS::Service::Kind; which types
// there are changes every month.
func resourceTypeLike(v string) bool {
	parts := strings.Split(v, "::")
	if len(parts) != 3 || parts[0] != "AWS" {
		return false
	}
	for _, p := range parts[1:] {
		if p == "" || strings.ContainsFunc(p, func(r rune) bool {
			return r != '-' && r != '_' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
		}) {
			return false
		}
	}
	return true
}

// arnServices tells the service in the ARNs of the commoner resource types.
var arnServices = map[string]string{
	"AWS::S3::Object": "s3", "AWS::S3::AccessPoint": "s3", "AWS::Lambda::Function": "lambda", "AWS::DynamoDB::Table": "dynamodb",
	"AWS::DynamoDB::Stream": "dynamodb", "AWS::CloudTrail::Channel": "cloudtrail", "AWS::SNS::Topic": "sns", "AWS::SQS::Queue": "sqs",
	"AWS::EC2::Snapshot": "ec2", "AWS::Cognito::IdentityPool": "cognito-identity", "AWS::SSM::ManagedNode": "ssm", "AWS::Glue::Table": "glue",
}

// checkARNs checks the ARNs of Equals and NotEquals: whole ones, of the selector's type.
func checkARNs(s *AdvancedSelector, positions, types []int, at string) *SelectorError {
	kind := s.FieldSelectors[types[0]].Equals[0]
	for _, p := range positions {
		f := &s.FieldSelectors[p]
		for _, op := range [...]operator{opEquals, opNotEquals} {
			for n, v := range f.values()[op] {
				at := fmt.Sprintf("%s.FieldSelectors[%d].%s[%d]", at, p, operatorNames[op], n)
				service, _, ok := cutARN(v)
				if !ok || strings.Count(v, ":") < 5 {
					return bad(at, "%q is not a whole ARN; for a part of one use StartsWith or EndsWith", v)
				}
				if want := arnServices[kind]; want != "" && service != want {
					return bad(at, "%q is an ARN of %s, not of %s", v, service, kind)
				}
				if kind == "AWS::S3::Object" {
					if _, key, _ := strings.Cut(v, "/"); key == "" {
						return bad(at, "%q names no object; for a whole bucket use StartsWith %q", v, strings.TrimSuffix(v, "/")+"/")
					}
				}
			}
		}
	}
	return nil
}

// contradiction finds conditions on one field that no value can meet.
func contradiction(s *AdvancedSelector, positions []int, at string) *SelectorError {
	var denied [3][]string // by the positive operator
	for _, p := range positions {
		v := s.FieldSelectors[p].values()
		for op := range denied {
			denied[op] = append(denied[op], v[op+3]...)
		}
	}
	for _, p := range positions {
		v := s.FieldSelectors[p].values()
		if len(v[opEquals])+len(v[opStartsWith])+len(v[opEndsWith]) == 0 {
			continue
		}
		possible := false
		for op := opEquals; op <= opEndsWith && !possible; op++ {
			for _, value := range v[op] {
				if excluded(op, value, &denied) || excludedByOthers(s, positions, p, op, value) {
					continue
				}
				possible = true
				break
			}
		}
		if !possible {
			return bad(fmt.Sprintf("%s.FieldSelectors[%d]", at, p), "it contradicts itself or another condition on %s: no value can meet them all", s.FieldSelectors[p].Field)
		}
	}
	return nil
}

// excluded reports whether negative values exclude everything that a positive one allows.
func excluded(op operator, value string, denied *[3][]string) bool {
	if op == opEquals && slices.Contains(denied[opEquals], value) {
		return true
	}
	if op != opEndsWith && slices.ContainsFunc(denied[opStartsWith], func(d string) bool { return strings.HasPrefix(value, d) }) {
		return true
	}
	return op != opStartsWith && slices.ContainsFunc(denied[opEndsWith], func(d string) bool { return strings.HasSuffix(value, d) })
}

// excludedByOthers reports whether another condition on the field allows nothing that a
// positive value of condition p allows.
func excludedByOthers(s *AdvancedSelector, positions []int, p int, op operator, value string) bool {
	for _, q := range positions {
		v := s.FieldSelectors[q].values()
		if q == p || len(v[opEquals])+len(v[opStartsWith])+len(v[opEndsWith]) == 0 {
			continue
		}
		agrees := false
		for other := opEquals; other <= opEndsWith && !agrees; other++ {
			agrees = slices.ContainsFunc(v[other], func(w string) bool { return compatible(op, value, other, w) })
		}
		if !agrees {
			return true
		}
	}
	return false
}

// compatible reports whether some text meets two positive conditions.
func compatible(a operator, v string, b operator, w string) bool {
	if a > b {
		a, v, b, w = b, w, a, v
	}
	switch {
	case a == opEquals && b == opEquals:
		return v == w
	case a == opEquals && b == opStartsWith:
		return strings.HasPrefix(v, w)
	case a == opEquals:
		return strings.HasSuffix(v, w)
	case a == opStartsWith && b == opStartsWith:
		return strings.HasPrefix(v, w) || strings.HasPrefix(w, v)
	case a == opEndsWith:
		return strings.HasSuffix(v, w) || strings.HasSuffix(w, v)
	}
	return true
}
