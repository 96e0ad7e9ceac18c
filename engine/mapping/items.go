package mapping

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"

	"github.com/cairndb/cairn/engine/event"
)

// Configuration items and evidence keep the members that their services give them; what is
// added is the envelope, and for evidence the names by which the schema knows the members of the
// API's answers.

// first returns the text of the first of some members that is there.
func first(rec []byte, names ...string) string {
	for _, name := range names {
		if v := (path{name}).in(rec); v != nil {
			if s, ok := scalar(v); ok {
				return s
			}
		}
	}
	return ""
}

// configuration makes the event of a configuration item.
func configuration(rec []byte, o *Options) ([]byte, error) {
	text := first(rec, "configurationItemCaptureTime")
	if text == "" {
		return nil, refuse("missing configurationItemCaptureTime", "the record is no configuration item")
	}
	at, ok := parseTime(text)
	if !ok {
		return nil, refuse("unreadable configurationItemCaptureTime", "%q", text)
	}
	kind := first(rec, "resourceType")
	id := first(rec, "resourceId", "resourceName", "arn")
	if kind == "" || id == "" {
		return nil, refuse("missing resource", "a configuration item has resourceType and resourceId")
	}
	account, region := first(rec, "accountId", "awsAccountId"), first(rec, "awsRegion")
	if account == "" {
		account = o.Account
	}
	if region == "" {
		region = o.Region
	}
	uid := strings.Join([]string{account, region, kind, id, text, first(rec, "configurationStateId", "configurationItemStateId"), first(rec, "configurationItemMD5Hash", "configurationStateMd5Hash")}, "\x00")
	b := envelope(nil, event.ConfigurationItem, "AwsConfigurationItem", eventID(ConfigurationItems, uid), at, region, account)
	return closed(append(append(b, `,"eventData":`...), rec...))
}

// evidenceItem makes the event of a piece of evidence.
func evidenceItem(rec []byte, o *Options) ([]byte, error) {
	if inner := event.Lookup(rec, "evidence"); len(inner) > 0 && inner[0] == '{' {
		rec = inner // an answer with one piece of evidence
	}
	text := first(rec, "time")
	if text == "" {
		return nil, refuse("missing time", "the record is no evidence")
	}
	at, ok := parseTime(text)
	if !ok {
		return nil, refuse("unreadable time", "%q", text)
	}
	if first(rec, "dataSource", "evidenceByType", "evidenceFolderId", "controlId") == "" {
		return nil, refuse("not evidence", "none of dataSource, evidenceByType, evidenceFolderId and controlId is there")
	}
	uid := first(rec, "evidenceId", "id")
	if uid == "" {
		sum := sha256.Sum256(rec)
		uid = hex.EncodeToString(sum[:16])
	}
	account := first(rec, "evidenceAwsAccountId", "awsAccountId")
	if account == "" {
		account = o.Account
	}
	b := envelope(nil, event.Evidence, "AwsAuditManagerEvidence", eventID(EvidenceItems, uid), at, o.Region, account)
	b = append(b, `,"eventData":{`...)
	n := len(b)
	for key, v := range event.Members(rec) {
		name := unescaped(key)
		if v[0] == 'n' {
			continue
		}
		if name == "id" && first(rec, "evidenceId") == "" {
			key = []byte("evidenceId")
		}
		if name == "time" && v[0] != '"' { // the API's answers have numbers of seconds
			v = time.UnixMicro(at).UTC().AppendFormat(nil, `"2006-01-02T15:04:05.000Z"`)
		}
		if len(b) > n {
			b = append(b, ',')
		}
		b = append(append(append(append(b, '"'), key...), `":`...), v...)
	}
	// The first of the resources is what the schema has room for.
	if list := event.Lookup(rec, "resourcesIncluded"); len(list) > 0 && list[0] == '[' && first(rec, "resourceArn") == "" {
		for v := range event.Elements(list) {
			if arn := first(v, "arn"); arn != "" {
				b = appendText(append(b, `,"resourceArn":`...), arn)
				if check := first(v, "complianceCheck"); check != "" {
					b = appendText(append(b, `,"resourceComplianceCheck":`...), check)
				}
				break
			}
		}
	}
	return closed(append(b, '}'))
}

func closed(b []byte) ([]byte, error) {
	if b = append(b, '}'); len(b) > event.MaxRecordBytes {
		return nil, refuse("too large", "the event has %d bytes, at most %d are taken", len(b), event.MaxRecordBytes)
	}
	return b, nil
}
