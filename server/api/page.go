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
	"GetChannel":                           "IngestionStatus is that since the server was started",
	"RegisterOrganizationDelegatedAdmin":   "the organization is a setting of the server",
	"DeregisterOrganizationDelegatedAdmin": "the organization is a setting of the server",
	"PutAuditEvents":                       "an event that comes again within ten minutes is answered as the first was, and stored once",
}
