package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/cairndb/cairn/engine"
	"github.com/cairndb/cairn/server/auth"
)

// Resource policies say who of other accounts may do what with a channel, a store or a
// dashboard. They are JSON as AWS has it: statements with Effect, Principal, Action,
// Resource and Condition. An explicit Deny wins.

// Limits of policies.
const (
	statementsMax = 20
	principalsMax = 50
)

// policyActions are what policies on the types of resources may allow.
var policyActions = map[string][]string{
	channelARN: {"cloudtrail-data:PutAuditEvents"},
	storeARN: {"cloudtrail:StartQuery", "cloudtrail:CancelQuery", "cloudtrail:ListQueries", "cloudtrail:DescribeQuery", "cloudtrail:GetQueryResults",
		"cloudtrail:GenerateQuery", "cloudtrail:GenerateQueryResultsSummary", "cloudtrail:GetEventDataStore"},
	dashboardARN: {"cloudtrail:StartDashboardRefresh"},
}

// oneOrMore is a text or a list of texts.
type oneOrMore []string

func (o *oneOrMore) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		*o = make(oneOrMore, 1)
		return json.Unmarshal(b, &(*o)[0])
	}
	return json.Unmarshal(b, (*[]string)(o))
}

// statements is a statement or a list of them.
type statements []statement

func (s *statements) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '{' {
		*s = make(statements, 1)
		return strict(b, &(*s)[0])
	}
	return strict(b, (*[]statement)(s))
}

// principals are whom a statement is about.
type principals struct {
	everybody bool
	AWS       oneOrMore
	Service   oneOrMore
}

func (p *principals) UnmarshalJSON(b []byte) error {
	if string(b) == `"*"` {
		p.everybody = true
		return nil
	}
	type plain principals
	return strict(b, (*plain)(p))
}

type statement struct {
	Sid       string
	Effect    string
	Principal *principals
	Action    oneOrMore
	Resource  oneOrMore
	Condition map[string]map[string]oneOrMore
}

type policy struct {
	Version   string
	ID        string `json:"Id"`
	Statement statements
}

func strict(b []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	return d.Decode(v)
}

// conditionOperators compare the values of a condition.
var conditionOperators = map[string]func(have, want string) bool{
	"StringEquals": func(have, want string) bool { return have == want },
	"StringLike":   like,
	"ArnEquals":    like,
	"ArnLike":      like,
}

// conditionKeys are what conditions may ask for, in lower case.
var conditionKeys = []string{"aws:sourcearn", "aws:sourceaccount", "aws:principalaccount", "aws:principalarn", "cloudtrail:externalid", "cloudtrail-data:externalid", "aws:sourceip"}

// like compares with * and ?.
func like(have, want string) bool {
	star, from := -1, 0
	h, w := 0, 0
	for h < len(have) {
		switch {
		case w < len(want) && want[w] == '*':
			star, from = w, h
			w++
		case w < len(want) && (want[w] == '?' || want[w] == have[h]):
			h++
			w++
		case star >= 0:
			from++
			h, w = from, star+1
		default:
			return false
		}
	}
	return strings.Trim(want[w:], "*") == ""
}

// parsePolicy reads and checks the policy of a resource.
func parsePolicy(text string, of arn) (*policy, error) {
	if err := checkDepth([]byte(text)); err != nil {
		return nil, err
	}
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	p := &policy{}
	if err := d.Decode(p); err != nil {
		return nil, fmt.Errorf("it is not a policy in JSON: %w", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("it is more than one JSON value")
	}
	if p.Version != "2012-10-17" && p.Version != "2008-10-17" {
		return nil, fmt.Errorf("its Version is %q, it must be 2012-10-17", shorten(p.Version))
	}
	if n := len(p.Statement); n < 1 || n > statementsMax {
		return nil, fmt.Errorf("it has %d statements, it must have 1 to %d", n, statementsMax)
	}
	for i := range p.Statement {
		if err := p.Statement[i].check(of); err != nil {
			return nil, fmt.Errorf("statement %d: %w", i+1, err)
		}
	}
	return p, nil
}

func (s *statement) check(of arn) error {
	if s.Effect != "Allow" && s.Effect != "Deny" {
		return fmt.Errorf("its Effect is %q, it must be Allow or Deny", shorten(s.Effect))
	}
	if s.Principal == nil {
		return errors.New("it has no Principal")
	}
	n := len(s.Principal.AWS) + len(s.Principal.Service)
	if !s.Principal.everybody && (n < 1 || n > principalsMax) {
		return fmt.Errorf("it has %d principals, it must have 1 to %d", n, principalsMax)
	}
	for _, p := range s.Principal.AWS {
		if _, ok := accountOf(p); !ok && p != "*" {
			return fmt.Errorf("the principal %q is neither an account nor the ARN of one of its users or roles", shorten(p))
		}
	}
	if len(s.Action) == 0 || of.kind == channelARN && len(s.Action) != 1 {
		return fmt.Errorf("it has %d actions; of a channel there is one, cloudtrail-data:PutAuditEvents", len(s.Action))
	}
	for _, a := range s.Action {
		if !slices.Contains(policyActions[of.kind], a) {
			return fmt.Errorf("the action %q is none of %s", shorten(a), strings.Join(policyActions[of.kind], ", "))
		}
	}
	if len(s.Resource) == 0 {
		return errors.New("it has no Resource")
	}
	for _, r := range s.Resource {
		if r != of.String() {
			return fmt.Errorf("its Resource is %q, it must be %s", shorten(r), of)
		}
	}
	for op, keys := range s.Condition {
		if conditionOperators[op] == nil {
			return fmt.Errorf("the condition operator %q is not known", shorten(op))
		}
		for k := range keys {
			if !slices.Contains(conditionKeys, strings.ToLower(k)) {
				return fmt.Errorf("the condition key %q is not known", shorten(k))
			}
		}
	}
	return nil
}

// accountOf is the account of a principal in a policy: an account, or an ARN of IAM or STS.
func accountOf(principal string) (account string, ok bool) {
	if auth.IsAccount(principal) {
		return principal, true
	}
	parts := strings.SplitN(principal, ":", 6)
	if len(parts) != 6 || parts[0] != "arn" || parts[2] != "iam" && parts[2] != "sts" || !auth.IsAccount(parts[4]) || parts[5] == "" {
		return "", false
	}
	return parts[4], true
}

// fits reports whether the statement is about a caller and an action.
func (s *statement) fits(c *call, action string, values map[string]string) bool {
	who := s.Principal.everybody
	for _, p := range s.Principal.AWS {
		account, _ := accountOf(p)
		if p == "*" || account == c.account && (p == account || strings.HasSuffix(p, ":root") || p == c.userARN()) {
			who = true
		}
	}
	if !who || !slices.Contains(s.Action, action) {
		return false
	}
	for op, keys := range s.Condition {
		for key, want := range keys {
			have, ok := values[strings.ToLower(key)]
			if !ok || !slices.ContainsFunc(want, func(w string) bool { return conditionOperators[op](have, w) }) {
				return false
			}
		}
	}
	return true
}

// permits reports whether the policy of a resource lets a caller of another account, or
// with more conditions of its own one, call the operation. values are what conditions ask for.
func (s *API) permits(of string, c *call, values map[string]string) (bool, error) {
	allowed, _, err := s.judge(of, c, values)
	return allowed, err
}

// judge tells what a resource's policy says of a call: allowed, or denied explicitly.
func (s *API) judge(of string, c *call, values map[string]string) (allowed, denied bool, err error) {
	text, err := find[string](s, engine.ObjectResourcePolicy, of)
	if err != nil || text == nil {
		return false, false, err
	}
	a, _ := parseARN(of)
	p, err := parsePolicy(*text, a)
	if err != nil {
		return false, false, fmt.Errorf("reading the policy of %s: %w", of, err)
	}
	have := map[string]string{"aws:principalaccount": c.account, "aws:principalarn": c.userARN(), "aws:sourceaccount": c.account}
	if c.from.IsValid() {
		have["aws:sourceip"] = c.from.String()
	}
	for k, v := range values {
		have[k] = v
	}
	for i := range p.Statement {
		st := &p.Statement[i]
		if !st.fits(c, c.op.iam(), have) {
			continue
		}
		if st.Effect == "Deny" {
			return false, true, nil
		}
		allowed = true
	}
	return allowed, false, nil
}

// policyResource finds the resource that a policy is of.
func (c *call) policyResource() (arn, error) {
	ref := c.text("ResourceArn")
	a, ok := parseARN(ref)
	if !ok {
		return arn{}, fail("ResourceARNNotValid", "%q is not the ARN of a channel, event data store or dashboard", shorten(ref))
	}
	if policyActions[a.kind] == nil {
		return arn{}, fail("ResourceTypeNotSupported", "a resource of type %q has no policy: channels, event data stores and dashboards have", shorten(a.kind))
	}
	if a.account != c.account {
		return arn{}, fail("ResourceNotFound", "there is no %s in account %s", ref, c.account)
	}
	of, err := c.resource(a, ref)
	if isNotFound(err) {
		return arn{}, fail("ResourceNotFound", "%v", err.(*Error).Message)
	}
	if err != nil {
		return arn{}, err
	}
	a, _ = parseARN(of)
	return a, nil
}

func (c *call) putResourcePolicy() (any, error) {
	of, err := c.policyResource()
	if err != nil {
		return nil, err
	}
	text := c.text("ResourcePolicy")
	if _, err := parsePolicy(text, of); err != nil {
		return nil, fail("ResourcePolicyNotValid", "the policy is not valid: %v", err)
	}
	if err := c.s.save(c.ctx, engine.ObjectResourcePolicy, of.String(), text); err != nil {
		return nil, err
	}
	return c.policyOut(of, text)
}

// policyOut is a policy in answers; organization stores have a second one, which lets the
// delegated administrators in.
func (c *call) policyOut(of arn, text string) (any, error) {
	out := object{"ResourceArn": of.String(), "ResourcePolicy": text}
	if of.kind != storeARN {
		return out, nil
	}
	e, err := c.resolveStore(of.String())
	if err != nil {
		return nil, err
	}
	if e.set.Organization {
		list, err := c.s.delegates()
		if err != nil {
			return nil, err
		}
		var roots []string
		for _, account := range list {
			roots = append(roots, "arn:aws:iam::"+account+":root")
		}
		if len(roots) > 0 {
			b, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": []any{map[string]any{
				"Effect": "Allow", "Principal": map[string]any{"AWS": roots}, "Action": policyActions[storeARN], "Resource": of.String()}}})
			if err != nil {
				return nil, err
			}
			out["DelegatedAdminResourcePolicy"] = string(b)
		}
	}
	return out, nil
}

func (c *call) getResourcePolicy() (any, error) {
	of, err := c.policyResource()
	if err != nil {
		return nil, err
	}
	text, err := find[string](c.s, engine.ObjectResourcePolicy, of.String())
	if err != nil {
		return nil, err
	}
	if text == nil {
		return nil, fail("ResourcePolicyNotFound", "%s has no policy", of)
	}
	return c.policyOut(of, *text)
}

func (c *call) deleteResourcePolicy() (any, error) {
	of, err := c.policyResource()
	if err != nil {
		return nil, err
	}
	if text, err := find[string](c.s, engine.ObjectResourcePolicy, of.String()); err != nil {
		return nil, err
	} else if text == nil {
		return nil, fail("ResourcePolicyNotFound", "%s has no policy", of)
	}
	return nil, c.s.remove(c.ctx, engine.Object{Kind: engine.ObjectResourcePolicy, Name: of.String()})
}
