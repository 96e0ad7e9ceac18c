package api_test

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/cairndb/cairn/server/auth"
)

func TestStoreLife(t *testing.T) {
	f := newFixture(t, nil)
	out := f.call("CreateEventDataStore", object{"Name": "my-store", "RetentionPeriod": 30, "TagsList": []object{{"Key": "team", "Value": "x"}}})
	arn := out["EventDataStoreArn"].(string)
	if out["Status"] != "CREATED" || out["TerminationProtectionEnabled"] != true || out["MultiRegionEnabled"] != true || out["BillingMode"] != "EXTENDABLE_RETENTION_PRICING" ||
		!strings.HasPrefix(arn, "arn:aws:cloudtrail:"+region+":"+account+":eventdatastore/") {
		t.Errorf("got %v", out)
	}
	if s := fmt.Sprint(out["AdvancedEventSelectors"]); !strings.Contains(s, "Default management events") {
		t.Errorf("selectors %s", s)
	}
	id := arn[strings.LastIndexByte(arn, '/')+1:]
	for _, ref := range []string{arn, id} {
		if got := f.call("GetEventDataStore", object{"EventDataStore": ref}); got["Status"] != "ENABLED" || got["RetentionPeriod"] != 30.0 || got["FederationStatus"] != "DISABLED" {
			t.Errorf("got %v", got)
		}
	}
	f.fails("CreateEventDataStore", object{"Name": "MY-store"}, "EventDataStoreAlreadyExistsException")
	f.fails("DeleteEventDataStore", object{"EventDataStore": id}, "EventDataStoreTerminationProtectedException")
	f.fails("UpdateEventDataStore", object{"EventDataStore": id}, "InvalidParameterException")
	f.call("UpdateEventDataStore", object{"EventDataStore": id, "TerminationProtectionEnabled": false, "Name": "other", "RetentionPeriod": 7})
	f.call("EnableFederation", object{"EventDataStore": id, "FederationRoleArn": "arn:aws:iam::111122223333:role/fed"})
	f.fails("EnableFederation", object{"EventDataStore": id, "FederationRoleArn": "arn:aws:iam::111122223333:role/fed"}, "EventDataStoreFederationEnabledException")
	f.fails("DeleteEventDataStore", object{"EventDataStore": id}, "EventDataStoreFederationEnabledException")
	f.call("DisableFederation", object{"EventDataStore": id})
	f.fails("StartEventDataStoreIngestion", object{"EventDataStore": id}, "InvalidEventDataStoreStatusException")
	f.call("StopEventDataStoreIngestion", object{"EventDataStore": id})
	f.fails("RestoreEventDataStore", object{"EventDataStore": id}, "InvalidEventDataStoreStatusException")
	f.call("DeleteEventDataStore", object{"EventDataStore": id})
	f.fails("DeleteEventDataStore", object{"EventDataStore": id}, "InactiveEventDataStoreException")
	f.fails("UpdateEventDataStore", object{"EventDataStore": id, "RetentionPeriod": 8}, "InactiveEventDataStoreException")
	if got := f.call("GetEventDataStore", object{"EventDataStore": id}); got["Status"] != "PENDING_DELETION" {
		t.Errorf("got %v", got)
	}
	if got := f.call("RestoreEventDataStore", object{"EventDataStore": id}); got["Status"] != "STOPPED_INGESTION" || got["Name"] != "other" {
		t.Errorf("got %v", got)
	}
	f.call("StartEventDataStoreIngestion", object{"EventDataStore": id})
	if got := f.call("ListTags", object{"ResourceIdList": []string{arn}}); !strings.Contains(fmt.Sprint(got), "team") {
		t.Errorf("got %v", got)
	}
}

func TestStoresOfOthers(t *testing.T) {
	f := newFixture(t, nil)
	arn := f.call("CreateEventDataStore", object{"Name": "shared"})["EventDataStoreArn"].(string)
	other := f.newKey("admin", auth.Grants{}, "444455556666")
	if out, code := f.as(other, "GetEventDataStore", object{"EventDataStore": arn[strings.LastIndexByte(arn, '/')+1:]}); code != "EventDataStoreNotFoundException" {
		t.Errorf("%s %v", code, out)
	}
	if out, _ := f.as(other, "ListEventDataStores", object{}); fmt.Sprint(out["EventDataStores"]) != "[]" {
		t.Errorf("%v", out)
	}
	if out, code := f.as(other, "GetEventDataStore", object{"EventDataStore": arn}); code != "AccessDeniedException" {
		t.Errorf("%s %v", code, out)
	}
	policy := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::444455556666:root"},"Action":["cloudtrail:GetEventDataStore"],"Resource":"` + arn + `"}]}`
	f.call("PutResourcePolicy", object{"ResourceArn": arn, "ResourcePolicy": policy})
	if out, code := f.as(other, "GetEventDataStore", object{"EventDataStore": arn}); code != "" || out["Name"] != "shared" {
		t.Errorf("%s %v", code, out)
	}
	if out, code := f.as(other, "DeleteEventDataStore", object{"EventDataStore": arn}); code != "AccessDeniedException" {
		t.Errorf("%s %v", code, out)
	}
	// The same name in another account is another store.
	if out, code := f.as(other, "CreateEventDataStore", object{"Name": "shared"}); code != "" {
		t.Errorf("%s %v", code, out)
	}
}

// TestCallsAreEvents finds the events that calls leave.
func TestCallsAreEvents(t *testing.T) {
	f := newFixture(t, nil)
	arn := f.call("CreateEventDataStore", object{"Name": "my-store"})["EventDataStoreArn"].(string)
	f.fails("DeleteEventDataStore", object{"EventDataStore": arn}, "EventDataStoreTerminationProtectedException")
	rows, err := f.lake.Query(context.Background(), `SELECT eventName || '|' || eventSource || '|' || awsRegion || '|' || recipientAccountId || '|' || coalesce(errorCode, '') || '|' ||
		element_at(requestParameters, 'name') || '|' || userIdentity.userName FROM event_history WHERE eventName = 'CreateEventDataStore' AND readOnly = false AND element_at(responseElements, 'eventDataStoreArn') = ?`, arn)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	b, err := rows.Next()
	if err == io.EOF {
		t.Fatal("the call left no event")
	}
	if err != nil {
		t.Fatal(err)
	}
	leaf, j := b.Cols[0].Leaf(0)
	if got := leaf.Str[j]; got != "CreateEventDataStore|cloudtrail.amazonaws.com|eu-west-1|111122223333||my-store|admin" {
		t.Errorf("got %s", got)
	}
}
