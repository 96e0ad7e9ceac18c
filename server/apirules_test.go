package server_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/cairndb/cairn/server/api"
	"github.com/cairndb/cairn/server/auth"
)

// apiRules calls every operation of AWS's interface as every role, holds what happens against
// the rules, and returns their part of PERMISSIONS.md.
func apiRules(t *testing.T, f *fixture, who map[string]*auth.Principal) string {
	t.Helper()
	var page strings.Builder
	page.WriteString("\n| operation for AWS clients (server/api/operations.go) | admin | writer | reader | auditor |\n|---|---|---|---|---|\n")
	keys := map[string]*auth.NewAccessKey{}
	for _, m := range matrixRoles {
		k, err := f.users.AddAccessKey(t.Context(), auth.Superuser("test"), auth.Origin{}, m.name, auth.AccessKeyOptions{Account: mine})
		if err != nil {
			t.Fatal(err)
		}
		keys[m.name] = k
	}
	for _, rule := range api.Rules() {
		if rule.Action == 0 {
			t.Errorf("operation %s has no rule", rule.Operation)
		}
		fmt.Fprintf(&page, "| %s |", rule.Operation)
		for _, m := range matrixRoles {
			allowed := who[m.name].May(rule.Action) == nil
			// Nothing is done: what must be given is missing, or it only reads.
			code := f.operation(keys[m.name], rule.Operation)
			if (code == "AccessDeniedException") == allowed {
				t.Errorf("%s, %s: %q, the rule allows it: %t", rule.Operation, m.role, code, allowed)
			}
			fmt.Fprintf(&page, " %s |", map[bool]string{true: "yes", false: "no"}[allowed])
		}
		page.WriteByte('\n')
	}
	return page.String()
}

// operation calls an operation with nothing and returns the code of its error.
func (f *fixture) operation(k *auth.NewAccessKey, name string) string {
	f.t.Helper()
	url, service, body := "http://"+f.s.HTTPAddr()+"/", "cloudtrail", "{}"
	if name == "PutAuditEvents" {
		url, service = url+name+"?channelArn=none", "cloudtrail-data"
	}
	r, err := http.NewRequest(http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		f.t.Fatal(err)
	}
	if service == "cloudtrail" {
		r.Header.Set("X-Amz-Target", "CloudTrail_20131101."+name)
	}
	if err := auth.Sign(r, k.AccessKeyID, k.SecretAccessKey, "", "eu-west-1", service, []byte(body), time.Now()); err != nil {
		f.t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		f.t.Fatal(err)
	}
	defer res.Body.Close()
	var out struct {
		Type string `json:"__type"`
	}
	if err := json.Unmarshal([]byte(readAll(f.t, res)), &out); err != nil {
		f.t.Fatal(err)
	}
	return out.Type
}
