package api

import (
	"fmt"
	"strings"
)

// Page is the documentation of the operations, made from their table.
func Page() string {
	var b strings.Builder
	b.WriteString(`# Operations for AWS clients

Made by ` + "`go test ./server/api -run Table -rewrite`" + ` from the table of operations. Requests go to the HTTP listener of
` + "`cairn serve`" + `: CloudTrail's with POST / and X-Amz-Target (awsJson 1.1), PutAuditEvents with POST /PutAuditEvents
(REST-JSON), signed with an access key (Signature Version 4). Bold members must be given. "answered" operations do what
CloudTrail's do, but for what the last column says; the others answer with the error that stands there.

| operation | who may | members | state |
|---|---|---|---|
`)
	for _, op := range operations {
		var members []string
		for _, m := range op.input.members {
			name := m.name
			if m.required {
				name = "**" + name + "**"
			}
			members = append(members, name)
		}
		state := "answered"
		if op.do == nil && !op.data {
			state = "UnsupportedOperationException"
		}
		if note := notes[op.name]; note != "" {
			state += "; " + note
		}
		fmt.Fprintf(&b, "| %s | %v | %s | %s |\n", op.name, op.action, strings.Join(members, ", "), state)
	}
	return b.String()
}

// notes say what is special about operations here.
var notes = map[string]string{
	"CreateEventDataStore":                 "KmsKeyId is kept and shown, encryption is that of the lake",
	"UpdateEventDataStore":                 "in SQL a store keeps the name that it was made with, and its ID",
	"EnableFederation":                     "kept and shown; other engines read the lake through the Postgres wire or exported Parquet",
	"DisableFederation":                    "kept and shown",
	"CreateChannel":                        "Source may also be a mapping, built in (auto, cloudtrail, entra, github, google-workspace, kubernetes, okta) or of --mappings; then and for GitHub and OktaSystemLogEvents eventData may be a record as the product writes it",
	"GetChannel":                           "IngestionStatus is that since the server was started",
	"RegisterOrganizationDelegatedAdmin":   "the organization is a setting of the server",
	"DeregisterOrganizationDelegatedAdmin": "the organization is a setting of the server",
	"StartQuery":                           "asks stores by name or ID; results are kept for 7 days, at most 1 GiB each",
	"GetQueryResults":                      "a page has up to 4 MiB",
	"GenerateQuery":                        "no queries are made from prose; SearchSampleQueries finds some by words",
	"LookupEvents":                         "of the key's account and the request's region, from all stores; a key of account 000000000000 sees all accounts of its principal; no limit of two a second",
	"ListInsightsMetricData":               "of a store that Insights are enabled for, else of the event history",
	"CreateTrail":                          "reads the event history, and the store events if there is one; the topic hears of deliveries where --topics is set, the log group gets the events where --log-groups is",
	"UpdateTrail":                          "the topic hears of deliveries where --topics is set, the log group gets the events where --log-groups is",
	"PutEventConfiguration":                "kept and shown",
	"StartImport":                          "role and region of the bucket are kept and shown; the server's own credentials are used",
	"CreateDashboard":                      "the server refreshes by the schedule, as who has set it, with parameters of the last day",
	"ListDashboards":                       "there are no managed ones",
	"PutAuditEvents":                       "an event that comes again within ten minutes is answered as the first was, and stored once",
}
