package api

import (
	"context"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/cairndb/cairn/engine"
	"github.com/cairndb/cairn/server/auth"
)

// operation is one of the operations; operations.go has them all.
type operation struct {
	name     string
	data     bool // of the data service
	action   auth.Action
	readOnly bool
	long     bool // waits for something: it takes changing itself
	in, out  string
	errors   string
	do       func(c *call) (any, error)

	input, output *shape
	codes         map[string]bool
}

// byName finds an operation.
var byName = map[string]*operation{}

func init() {
	for _, op := range operations {
		op.input = &shape{kind: structKind, name: op.name, members: membersOf(op.in)}
		op.output = &shape{kind: structKind, name: op.name, members: membersOf(op.out)}
		op.codes = map[string]bool{}
		for _, code := range codesOf(op) {
			op.codes[code] = true
		}
		byName[op.name] = op
	}
}

// has reports whether the operation's table names an error.
func (op *operation) has(code string) bool { return op.codes[code] }

// iam is the name of the operation in policies.
func (op *operation) iam() string {
	if op.data {
		return dataService + ":" + op.name
	}
	return controlService + ":" + op.name
}

// Rule is what an operation needs.
type Rule struct {
	Operation string
	Action    auth.Action
	ReadOnly  bool
	// Supported is false for operations that answer UnsupportedOperationException.
	Supported bool
}

// Rules returns the rules of all operations, in order of their names.
func Rules() []Rule {
	var out []Rule
	for _, op := range operations {
		out = append(out, Rule{op.name, op.action, op.readOnly, op.do != nil || op.data})
	}
	slices.SortFunc(out, func(a, b Rule) int { return strings.Compare(a.Operation, b.Operation) })
	return out
}

// call is one request.
type call struct {
	s         *API
	op        *operation
	requestID string
	now       time.Time
	r         *http.Request
	from      netip.Addr
	ctx       context.Context
	key       *auth.Signer
	who       *auth.Principal
	account   string
	region    string
	in        object
	call      *onceCall // of a call that must not be made again
}

// text returns a text of the request; "" when it is not there.
func (c *call) text(name string) string {
	t, _ := c.in[name].(string)
	return t
}

func (c *call) has(name string) bool {
	_, ok := c.in[name]
	return ok
}

// integer returns a number of the request, or what stands for none.
func (c *call) integer(name string, otherwise int) int {
	if n, ok := c.in[name].(int64); ok {
		return int(n)
	}
	return otherwise
}

// flag returns a boolean of the request, or what stands for none.
func (c *call) flag(name string, otherwise bool) bool {
	if b, ok := c.in[name].(bool); ok {
		return b
	}
	return otherwise
}

// when returns a time of the request; the zero time when it is not there.
func (c *call) when(name string) time.Time {
	m, _ := c.in[name].(moment)
	return m.Time
}

func (c *call) list(name string) []any {
	l, _ := c.in[name].([]any)
	return l
}

// texts returns a list of texts.
func texts(list []any) []string {
	var out []string
	for _, v := range list {
		if t, ok := v.(string); ok {
			out = append(out, t)
		}
	}
	return out
}

func (c *call) texts(name string) []string { return texts(c.list(name)) }

// scope is what the caller sees: with a key of an account, that account alone.
func (c *call) scope() engine.Scope {
	scope := c.who.Scope()
	if c.account != auth.NoAccount && len(scope.Accounts) > 0 {
		scope.Accounts = []string{c.account}
	}
	return scope
}

// actor is the caller, for the records of the engine.
func (c *call) actor() engine.Actor {
	a := engine.Actor{Kind: "Principal", Name: c.who.Name, Agent: shorten(c.r.UserAgent()),
		Details: map[string]string{"role": c.who.Role.String(), "accessKeyId": c.key.ID, "account": c.account}}
	if c.from.IsValid() {
		a.Address = c.from.String()
	}
	if c.who.May(auth.ManageStores) == nil {
		a.Permissions = []string{engine.PermissionManage}
	}
	return a
}

// userARN names the caller as AWS does.
func (c *call) userARN() string {
	return "arn:aws:iam::" + c.account + ":user/" + c.who.Name
}

func contains(list []string, s string) bool { return slices.Contains(list, s) }
