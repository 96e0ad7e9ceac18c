package event

import (
	"reflect"
	"strings"
	"testing"
)

func TestUsername(t *testing.T) {
	cases := []struct{ name, identity, want string }{
		{"an IAM user", `{"type":"IAMUser","userName":"alice","arn":"arn:aws:iam::123456789012:user/team/alice"}`, "alice"},
		{"an IAM user without a name", `{"type":"IAMUser","arn":"arn:aws:iam::123456789012:user/team/alice"}`, "alice"},
		{"root", `{"type":"Root","userName":"account alias","arn":"arn:aws:iam::123456789012:root"}`, "root"},
		{"a role's session", `{"type":"AssumedRole","arn":"arn:aws:sts::123456789012:assumed-role/Admin/carol@example.com"}`, "carol@example.com"},
		{"a federated user", `{"type":"FederatedUser","arn":"arn:aws:sts::123456789012:federated-user/dave"}`, "dave"},
		{"a web identity", `{"type":"WebIdentityUser","principalId":"accounts.google.com:app:1","userName":"1234"}`, "1234"},
		{"a service", `{"type":"AWSService","invokedBy":"config.amazonaws.com"}`, "config.amazonaws.com"},
		{"another account", `{"type":"AWSAccount","accountId":"210987654321"}`, ""},
		{"escapes", `{"type":"IAMUser","userName":"\u0061\"b"}`, `a"b`},
		{"a name that is null", `{"type":"IAMUser","userName":null}`, ""},
		{"an identity that is text", `"alice"`, ""},
	}
	for _, c := range cases {
		if got := UsernameOf([]byte(`{"eventVersion":"1.08","userIdentity":` + c.identity + `}`)); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	if got := UsernameOf([]byte(`{"eventData":{"userIdentity":{"type":"user","principalId":"octocat"}}}`)); got != "octocat" {
		t.Errorf("an event from outside: %q", got)
	}
}

func TestResources(t *testing.T) {
	if len(resourcePlaces) > resourcePlacesMax {
		t.Fatalf("there are %d places, and room for %d", len(resourcePlaces), resourcePlacesMax)
	}
	many := strings.Repeat(`{"instanceId":"i-1"},`, 3)
	for i := range 100 {
		many += `{"instanceId":"i-` + strings.Repeat("a", i+2) + `"},`
	}
	cases := []struct {
		name, source, rest string
		want               []Resource
	}{
		{"a parameter", "s3", `"requestParameters":{"bucketName":"logs","key":"a"}`, []Resource{{"AWS::S3::Bucket", "logs"}}},
		{"the same parameter of several services", "iam", `"requestParameters":{"groupName":"admins"}`, []Resource{{"AWS::IAM::Group", "admins"}}},
		{"the other service", "ec2", `"requestParameters":{"groupName":"web"}`, []Resource{{"AWS::EC2::SecurityGroup", "web"}}},
		{"no service", "signin", `"requestParameters":{"groupName":"web"}`, nil},
		{"listed, and named again", "s3", `"requestParameters":{"bucketName":"logs"},"resources":[{"accountId":"1","type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::logs"},{"type":"AWS::S3::Object","ARN":"arn:aws:s3:::logs/a/b"}]`,
			[]Resource{{"AWS::S3::Bucket", "arn:aws:s3:::logs"}, {"AWS::S3::Object", "arn:aws:s3:::logs/a/b"}}},
		{"a prefix", "s3", `"resources":[{"type":"AWS::S3::Object","ARNPrefix":"arn:aws:s3:::logs/"}]`, []Resource{{"AWS::S3::Object", "arn:aws:s3:::logs/"}}},
		{"sets", "ec2", `"requestParameters":{"instancesSet":{"items":[{"instanceId":"i-1"},{"imageId":"ami-2"},7,null]},"resourcesSet":{"items":[{"resourceId":"vol-9"},{"resourceId":"what"}]}}`,
			[]Resource{{"AWS::EC2::Instance", "i-1"}, {"AWS::EC2::Ami", "ami-2"}, {"AWS::EC2::Volume", "vol-9"}}},
		{"lists of texts", "ssm", `"requestParameters":{"names":["/a","/b",1]}`, []Resource{{"AWS::SSM::Parameter", "/a"}, {"AWS::SSM::Parameter", "/b"}}},
		{"answers", "sts", `"requestParameters":{"roleArn":"arn:aws:iam::1:role/r"},"responseElements":{"assumedRoleUser":{"arn":"arn:aws:sts::1:assumed-role/r/s"}}`,
			[]Resource{{"AWS::IAM::Role", "arn:aws:iam::1:role/r"}, {"AWS::STS::AssumedRole", "arn:aws:sts::1:assumed-role/r/s"}}},
		{"the last of equal keys", "s3", `"requestParameters":{"bucketName":"a"},"requestParameters":{"bucketName":"b","bucketName":"c"}`, []Resource{{"AWS::S3::Bucket", "c"}}},
		{"no object", "s3", `"requestParameters":"bucketName","resources":{"ARN":"x"}`, nil},
		{"nulls and numbers", "s3", `"requestParameters":{"bucketName":null,"functionName":12},"resources":[null,{"type":null}]`, nil},
	}
	for _, c := range cases {
		rec := []byte(`{"eventSource":"` + c.source + `.amazonaws.com",` + c.rest + `}`)
		if got := ResourcesOf(rec, nil); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
	rec := []byte(`{"eventSource":"ec2.amazonaws.com","requestParameters":{"instancesSet":{"items":[` + strings.TrimSuffix(many, ",") + `]}}}`)
	if got := ResourcesOf(rec, nil); len(got) != ResourcesMax {
		t.Errorf("of 101 resources %d are told, want %d", len(got), ResourcesMax)
	}
}

func TestShortNames(t *testing.T) {
	for name, want := range map[string]string{
		"logs":                                    "",
		"arn:aws:s3:::logs":                       "logs",
		"arn:aws:s3:::logs/a/b":                   "logs/a/b b a/b",
		"arn:aws:iam::1:user/team/alice":          "user/team/alice alice team/alice",
		"arn:aws:lambda:r:1:function:f:$LATEST":   "function:f:$LATEST $LATEST f:$LATEST",
		"arn:aws:secretsmanager:r:1:secret:db-xY": "secret:db-xY db-xY",
		"arn:broken":                              "",
		"arn:aws:s3:::":                           "",
	} {
		if got := strings.Join(ShortNames(name), " "); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

// checkFacts compares what one walk over a record finds with a walk for each place.
func checkFacts(t *testing.T, rec []byte) {
	t.Helper()
	var who [len(UserPlaces)]string
	for i := range UserPlaces {
		who[i] = TextOf(rec, UserPlaces[i])
	}
	want := Facts{
		Name: TextOf(rec, NamePlaces), Source: TextOf(rec, SourcePlaces), AccessKeyID: TextOf(rec, AccessKeyPlaces),
		Username: Username(who[0], who[1], who[2], who[3], who[4]),
	}
	want.Resources = ListedResources(Lookup(rec, "resources"), nil)
	for i := range resourcePlaces {
		want.Resources = resourcePlaces[i].Named(want.Resources, 0, want.Source, Lookup(rec, resourcePlaces[i].Path...))
	}
	if want.Source == "" {
		want.Resources = ListedResources(Lookup(rec, "resources"), nil)
	}
	if got := FactsOf(rec); !reflect.DeepEqual(got, want) {
		t.Fatalf("%s:\n%+v, place by place\n%+v", rec, got, want)
	}
	if got := UsernameOf(rec); got != want.Username {
		t.Fatalf("%s: %q, place by place %q", rec, got, want.Username)
	}
}

func TestFacts(t *testing.T) {
	if len(topNumbers) > topMax {
		t.Fatalf("%d members at the top, room for %d", len(topNumbers), topMax)
	}
	for _, rec := range []string{
		`{}`, `[]`, ``,
		`{"eventName":"A","eventSource":"s3.amazonaws.com","userIdentity":{"type":"IAMUser","userName":"a","accessKeyId":"AKIA"},"requestParameters":{"bucketName":"b"}}`,
		`{"eventName":null,"insightDetails":{"eventName":"B","eventSource":"ec2.amazonaws.com"}}`,
		`{"eventData":{"eventName":"C","eventSource":7,"userIdentity":{"principalId":"p"}}}`,
		`{"eventName":"A","event\u004eame":"B","userIdentity":{"type":"x"},"userIdentity":{"t\u0079pe":"AssumedRole","arn":"arn:aws:sts::1:assumed-role\/r\/s"}}`,
		`{"eventSource":"s3.amazonaws.com","requestParameters":{"bucketName":"a"},"requestParameters":7,"resources":[{"ARN":"arn:aws:s3:::b"}]}`,
		`{"eventSource":"sts.amazonaws.com","responseElements":{"assumedRoleUser":{"arn":"x"},"assumedRoleUser":{"arn":"y"}},"userIdentity":"text"}`,
	} {
		checkFacts(t, []byte(rec))
	}
}

// What lookups read of a record must be harmless on any record.
func FuzzLookupFields(f *testing.F) {
	f.Add([]byte(`{"eventVersion":"1","eventTime":"2026-01-01T00:00:00Z","eventSource":"ec2.amazonaws.com","eventName":"x","requestParameters":{"instancesSet":{"items":[{"instanceId":"i-1"}]}},"resources":[{"ARN":"arn:aws:s3:::b"}]}`))
	f.Add([]byte(`{"eventVersion":"1","eventTime":"2026-01-01T00:00:00Z","eventSource":"s3.amazonaws.com","eventName":"x","requestParameters":{"bucketName":"\ud800"}}`))
	f.Fuzz(func(t *testing.T, rec []byte) {
		var ev Event
		if Parse(rec, &ev) != nil {
			return
		}
		checkFacts(t, rec)
		for _, r := range ResourcesOf(rec, nil) {
			if r == (Resource{}) {
				t.Fatalf("an empty resource of %q", rec)
			}
			ShortNames(r.Name)
		}
	})
}
