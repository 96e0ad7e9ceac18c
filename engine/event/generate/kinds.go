package generate

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/klauspost/compress/gzip"
)

// The kinds of events beside CloudTrail's, by the names of their schemas. They are
// small sets for demonstrations and tests: a few hundred things and people of the
// same accounts, without the sessions and anomalies of the main model.
const (
	Insights      = "insights"
	Configuration = "configuration"
	Evidence      = "evidence"
	Activity      = "activity"
)

// Kinds are the kinds that EachOf and WriteKind make.
func Kinds() []string { return []string{Insights, Configuration, Evidence, Activity} }

// kindEventsMax bounds what WriteKind makes: a day of it is held in memory.
const kindEventsMax = 10_000_000

// EachOf calls fn with the records of a kind in order of time, each one compact JSON object that is only valid
// during the call. Of the options it looks at Events (0: 2,000), Seed, Start, Days and Accounts; the same ones
// give the same bytes.
func EachOf(kind string, opts Options, fn func(raw []byte, at time.Time) error) error {
	if opts.Events == 0 {
		opts.Events = 2000
	}
	if opts.Events < 0 || opts.Events > kindEventsMax {
		return fmt.Errorf("generate: %d events of kind %s asked for, 1 to %d are possible", opts.Events, kind, kindEventsMax)
	}
	// The planned data set of one event checks the options and gives accounts and Regions.
	plan := opts
	plan.Events = 1
	g, err := New(plan)
	if err != nil {
		return err
	}
	k := &kindMaker{g: g, n: opts.Events, seed: hash(opts.Seed, kindSalt), seen: map[uint32]int{}}
	make := map[string]func(i int64) string{
		Insights: k.insight, Configuration: k.configuration, Evidence: k.evidence, Activity: k.activity,
	}[kind]
	if make == nil {
		return fmt.Errorf("generate: no kind of events is called %q: there are %s", kind, strings.Join(Kinds(), ", "))
	}
	var compact bytes.Buffer
	for i := range opts.Events {
		k.at(i)
		compact.Reset()
		if err := json.Compact(&compact, []byte(make(i))); err != nil {
			return fmt.Errorf("generate: event %d of kind %s: %w", i, kind, err)
		}
		if err := fn(compact.Bytes(), k.time); err != nil {
			return err
		}
	}
	return nil
}

// kindSalt keeps the streams of kinds apart from those of the main model.
const kindSalt = 0x6b696e6473

// WriteKind writes the records of a kind as log files, one for each day, below dir of fs. It ends early with
// ctx's error or the first of fs.
func WriteKind(ctx context.Context, fs vfs.FS, dir, kind string, opts Options) (Summary, error) {
	var sum Summary
	var day string
	var text, packed bytes.Buffer
	flush := func() error {
		if text.Len() == 0 {
			return nil
		}
		text.WriteString("]}")
		packed.Reset()
		z, err := gzip.NewWriterLevel(&packed, gzipLevel)
		if err != nil {
			return err
		}
		if _, err := z.Write(text.Bytes()); err != nil {
			return err
		}
		if err := z.Close(); err != nil {
			return err
		}
		folder := fs.PathJoin(dir, kind)
		if err := fs.MkdirAll(folder, 0o755); err != nil {
			return err
		}
		name := fs.PathJoin(folder, kind+"_"+day+".json.gz")
		if err := writeFile(fs, name, packed.Bytes()); err != nil {
			return fmt.Errorf("writing log file %s: %w", name, err)
		}
		sum.Files++
		sum.Bytes += int64(text.Len())
		sum.Compressed += int64(packed.Len())
		text.Reset()
		return nil
	}
	err := EachOf(kind, opts, func(raw []byte, at time.Time) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		if d := at.Format("20060102"); d != day {
			if err := flush(); err != nil {
				return err
			}
			day = d
		}
		if text.Len() == 0 {
			text.WriteString(`{"Records":[`)
		} else {
			text.WriteByte(',')
		}
		text.Write(raw)
		sum.Events++
		return nil
	})
	if err == nil {
		err = flush()
	}
	return sum, err
}

// kindMaker makes the records of one kind.
type kindMaker struct {
	g    *Generator
	n    int64
	seed uint64
	r    rng // of the record at hand
	time time.Time
	seen map[uint32]int // resources by how often they were recorded
}

// at prepares for record i: times ascend, a little unevenly.
func (k *kindMaker) at(i int64) {
	k.r = rng{hash(k.seed, uint64(i))}
	span := k.g.end - k.g.start
	step := max(1, span/k.n)
	k.time = time.Unix(k.g.start+span*i/k.n+int64(k.r.below(uint32(min(step, 1<<31)))), 0).UTC()
}

func (k *kindMaker) stamp() string { return k.time.Format(time.RFC3339) }

func (k *kindMaker) uuid() string {
	return string(appendUUID(nil, k.r.next(), k.r.next(), lowerHex))
}

func (k *kindMaker) pick(s ...string) string { return s[k.r.skewed(uint32(len(s)))] }

// stream picks where an event happens.
func (k *kindMaker) stream() (account, region string) {
	s := k.g.streams[k.r.skewed(uint32(len(k.g.streams)))]
	return s.account.id, s.region.name
}

// envelope opens a record with what all kinds have.
func (k *kindMaker) envelope(category, kind, account, region string) string {
	return fmt.Sprintf(`{"eventVersion":"1.08","eventCategory":%q,"eventType":%q,"eventID":%q,"eventTime":%q,"awsRegion":%q,"recipientAccountId":%q`,
		category, kind, k.uuid(), k.stamp(), region, account)
}

func (k *kindMaker) role(account string) string {
	return "arn:aws:sts::" + account + ":assumed-role/" + k.pick("app-orders", "deploy-pipeline", "data-export", "node-agent", "audit-reader")
}

// insight makes the start of an incident from even numbers, and its end from the odd one after.
func (k *kindMaker) insight(i int64) string {
	own := k.r
	k.r = rng{hash(k.seed, uint64(i/2)|1<<62)} // what both have in common
	account, region := k.stream()
	shared := k.uuid()
	source, name := "ec2.amazonaws.com", k.pick("RunInstances", "TerminateInstances", "DescribeInstances", "AuthorizeSecurityGroupIngress")
	if k.r.chance(400) {
		source, name = "iam.amazonaws.com", k.pick("CreateAccessKey", "AttachRolePolicy", "PutUserPolicy")
	}
	kind, code := "ApiCallRateInsight", ""
	if k.r.chance(350) {
		kind, code = "ApiErrorRateInsight", k.pick("AccessDenied", "Client.UnauthorizedOperation", "ThrottlingException")
	}
	base := float64(k.r.below(4000)) / 10000
	// The conversion keeps machines from rounding once instead of twice.
	peak := float64(base*float64(4+k.r.below(20))) + float64(1+k.r.below(9))/5
	minutes := 1 + k.r.below(40)
	who, agent := k.role(account), k.pick("aws-cli/2.15.30", "Boto3/1.34.69", "terraform-provider-aws/5.42.0")
	k.r = own
	state := "Start"
	if i%2 == 1 {
		state = "End"
		peak *= 0.8
	}
	s := k.envelope("Insight", "AwsCloudTrailInsight", account, region)
	s += fmt.Sprintf(`,"sharedEventID":%q,"insightSource":"arn:aws:cloudtrail:%s:%s:eventdatastore/0d1c1f3a-7f0e-4a56-9d53-3c1f7a2e5b10"`, shared, region, account)
	s += fmt.Sprintf(`,"insightState":%q,"insightEventSource":%q,"insightEventName":%q,"insightType":%q`, state, source, name, kind)
	if code != "" {
		s += fmt.Sprintf(`,"insightErrorCode":%q`, code)
	}
	s += fmt.Sprintf(`,"insightContext":{"baselineAverage":%.4f,"insightAverage":%.4f,"baselineDuration":%d,"insightDuration":%d,"attributions":[`,
		base, peak, 10080+k.r.below(1440), minutes)
	return s + fmt.Sprintf(`{"attribute":"userIdentityArn","insight":[{"value":%q,"average":%.4f}],"baseline":[{"value":%q,"average":%.4f}]},`+
		`{"attribute":"userAgent","insight":[{"value":%q,"average":%.4f}],"baseline":[]}]}}`, who, peak, who, base, agent, peak)
}

// resource is something that is recorded again and again.
type resource struct {
	kind, id, account, region string
	tags                      string
}

func (k *kindMaker) resource() (n uint32, v resource) {
	n = k.r.skewed(400)
	own := k.r
	k.r = rng{hash(k.seed, uint64(n)|1<<61)}
	v.account, v.region = k.stream()
	v.kind = [...]string{"AWS::EC2::SecurityGroup", "AWS::S3::Bucket", "AWS::IAM::User", "AWS::EC2::Instance", "AWS::SSM::PatchCompliance"}[k.r.below(5)]
	digits := string(k.r.appendPower(nil, lowerHex, 4, 17))
	team := k.pick("payments", "search", "platform", "data")
	switch v.kind {
	case "AWS::EC2::SecurityGroup":
		v.id = "sg-" + digits
	case "AWS::S3::Bucket":
		v.id = team + "-" + k.pick("logs", "exports", "assets", "backup") + "-" + digits[:6]
	case "AWS::IAM::User":
		v.id = "AIDA" + strings.ToUpper(digits[:16])
	default:
		v.id = "i-" + digits
	}
	v.tags = fmt.Sprintf(`{"team":%q,"env":%q}`, team, k.pick("prod", "prod", "staging", "dev"))
	k.r = own
	return n, v
}

func (k *kindMaker) configuration(int64) string {
	n, v := k.resource()
	times := k.seen[n]
	k.seen[n]++
	status := "OK"
	switch {
	case times == 0:
		status = "ResourceDiscovered"
	case k.r.chance(15):
		status = "ResourceDeleted"
		k.seen[n] = 0
	}
	s := k.envelope("ConfigurationItem", "AwsConfigurationItem", v.account, v.region)
	service, name, relations, conf, more := "ec2", v.id, "", "", "{}"
	switch v.kind {
	case "AWS::EC2::SecurityGroup":
		from, port := "10.0.0.0/8", k.pick("443", "443", "8080", "22", "3389")
		if k.r.chance(120) {
			from = "0.0.0.0/0"
		}
		name = "web-" + v.id[3:7]
		relations = `{"name":"Is contained in Vpc","resourceType":"AWS::EC2::VPC","resourceId":"vpc-0a1b2c3d4e5f60718"}`
		conf = fmt.Sprintf(`{"groupId":%q,"groupName":%q,"ipPermissions":[{"ipProtocol":"tcp","fromPort":%s,"toPort":%s,"ipRanges":[%q]}],"vpcId":"vpc-0a1b2c3d4e5f60718"}`, v.id, name, port, port, from)
	case "AWS::S3::Bucket":
		service = "s3"
		conf = fmt.Sprintf(`{"name":%q,"creationDate":"2024-03-05T09:12:44.000Z","owner":{"id":null}}`, v.id)
		more = fmt.Sprintf(`{"BucketVersioningConfiguration":{"status":%q},"PublicAccessBlockConfiguration":{"blockPublicAcls":%v,"blockPublicPolicy":%v}}`,
			k.pick("Enabled", "Suspended", "Off"), !k.r.chance(100), !k.r.chance(80))
	case "AWS::IAM::User":
		service, name = "iam", k.pick("anna", "bela", "carlo", "dörte", "emil", "farah", "goran")
		relations = `{"name":"Is attached to Group","resourceType":"AWS::IAM::Group","resourceId":"AGPA2X7ENGINEERS01","resourceName":"engineers"}`
		conf = fmt.Sprintf(`{"userName":%q,"userId":%q,"attachedManagedPolicies":[%s],"mfaDevices":%d}`, name, v.id,
			k.pick(``, `{"policyName":"ReadOnlyAccess"}`, `{"policyName":"AdministratorAccess"}`), k.r.below(2))
	case "AWS::EC2::Instance":
		relations = `{"name":"Is contained in Subnet","resourceType":"AWS::EC2::Subnet","resourceId":"subnet-0f1e2d3c4b5a69788"},{"name":"Is associated with SecurityGroup","resourceType":"AWS::EC2::SecurityGroup","resourceId":"sg-0011223344556677a"}`
		conf = fmt.Sprintf(`{"instanceId":%q,"instanceType":%q,"state":{"code":%d,"name":%q},"metadataOptions":{"httpTokens":%q}}`, v.id,
			k.pick("t3.micro", "m6i.large", "c7g.xlarge"), 16, k.pick("running", "stopped"), k.pick("required", "optional"))
	case "AWS::SSM::PatchCompliance":
		service = "ssm"
		conf = fmt.Sprintf(`{"AWS:ComplianceItem":{"Content":{"Patch":{"KB%d":{"Status":%q,"Severity":%q}}},"SchemaVersion":"1.0"}}`,
			5000000+k.r.below(40), k.pick("COMPLIANT", "COMPLIANT", "NON_COMPLIANT"), k.pick("MEDIUM", "HIGH", "CRITICAL"))
	}
	return s + fmt.Sprintf(`,"eventData":{"configurationItemVersion":"1.3","configurationItemCaptureTime":"%s","configurationItemStatus":%q,"configurationStateId":%d,`+
		`"accountId":%q,"resourceType":%q,"resourceId":%q,"resourceName":%q,"ARN":"arn:aws:%s:%s:%s:%s","awsRegion":%q,"availabilityZone":"Not Applicable",`+
		`"resourceCreationTime":"2024-03-05T09:12:44.000Z","configuration":%s,"supplementaryConfiguration":%s,"relatedEvents":[],"relationships":[%s],"tags":%s}}`,
		k.time.Format("2006-01-02T15:04:05.000Z"), status, k.time.UnixMilli(), v.account, v.kind, v.id, name, service, v.region, v.account, v.id, v.region, conf, more, relations, v.tags)
}

func (k *kindMaker) evidence(int64) string {
	account, region := k.stream()
	control := k.r.skewed(24)
	framework := k.pick("Payment card baseline", "Internal controls", "Health records")
	check := k.pick("PASS", "PASS", "FAIL", "NOT_APPLICABLE")
	by, source := "Compliance check", "AWS Security Hub"
	if k.r.chance(300) {
		by, source, check = "User activity", "AWS CloudTrail", ""
	}
	s := k.envelope("Evidence", "AwsAuditManagerEvidence", account, region)
	s += fmt.Sprintf(`,"eventData":{"attributes":{"findingId":%q,"severity":%q,"rule":"control-%02d"},"awsAccountId":%q,"awsOrganization":"o-a1b2c3d4e5",`,
		k.uuid(), k.pick("LOW", "MEDIUM", "HIGH"), control, account)
	if check != "" {
		s += fmt.Sprintf(`"complianceCheck":%q,"resourceComplianceCheck":%q,`, check, check)
	}
	return s + fmt.Sprintf(`"dataSource":%q,"eventName":%q,"eventSource":%q,"evidenceAwsAccountId":%q,"evidenceByType":%q,"iamId":%q,"evidenceId":%q,"time":%q,`+
		`"assessmentId":"5e1d7a90-0c4b-4f2e-8d11-%012d","controlSetId":"set-%d","controlId":"ctl-%04d","controlName":"Control %d: %s","controlDomainName":%q,"frameworkName":%q,"frameworkId":"fw-%d",`+
		`"service":%q,"serviceCategory":%q,"resourceArn":"arn:aws:s3:::%s-archive","resourceType":"AWS::S3::Bucket","evidenceFolderId":%q,"description":"Collected for control %d","evidenceFolderName":%q}}`,
		source, k.pick("PutBucketPolicy", "CreateUser", "BatchImportFindings"), k.pick("s3.amazonaws.com", "iam.amazonaws.com", "securityhub.amazonaws.com"), account, by, k.role(account), k.uuid(), k.stamp(),
		len(framework), control/6, control, control, k.pick("encryption at rest", "least privilege", "logging is on", "keys rotate"), k.pick("Data security", "Identity", "Monitoring"), framework, len(framework),
		k.pick("S3", "IAM", "EC2"), k.pick("Storage", "Security", "Compute"), k.pick("claims", "cards", "ledger"), k.uuid(), control, k.time.Format(time.DateOnly))
}

func (k *kindMaker) activity(int64) string {
	account, region := k.stream()
	user := k.pick("anna@example.com", "bela@example.com", "build-bot", "carlo@example.com", "dörte@example.com", "emil@example.com", "contractor-7@example.net")
	source, names, agent := "code.example.com", []string{"repo.push", "pull_request.merge", "repo.create", "branch.protection_off", "member.add", "token.create"}, "git/2.44.0"
	params := fmt.Sprintf(`{"repository":"shop/%s","branch":%q}`, k.pick("api", "web", "infra", "billing"), k.pick("main", "develop", "hotfix/17"))
	switch k.r.below(3) {
	case 1:
		source, names, agent = "login.example.com", []string{"user.signin", "user.signin", "user.mfa.challenge", "user.password.reset", "app.access.grant"}, "Mozilla/5.0"
		params = fmt.Sprintf(`{"application":%q,"factor":%q}`, k.pick("payroll", "wiki", "aws-console"), k.pick("push", "webauthn", "none"))
	case 2:
		source, names, agent = "db.example.com", []string{"query.run", "table.export", "grant.role"}, "psql/16.2"
		params = fmt.Sprintf(`{"database":%q,"rows":%d,"dryRun":%v}`, k.pick("orders", "customers", "ledger"), k.r.below(5000), k.r.chance(100))
	}
	s := k.envelope("ActivityAuditLog", "ActivityLog", account, region)
	s += fmt.Sprintf(`,"metadata":{"ingestionTime":%q,"channelARN":"arn:aws:cloudtrail:%s:%s:channel/3f9b0d52-5a0e-4f35-9a43-6ad1f0c2b7e4"}`,
		k.time.Add(time.Duration(1+k.r.below(90))*time.Second).Format(time.RFC3339), region, account)
	s += fmt.Sprintf(`,"eventData":{"version":"1.0","userIdentity":{"type":%q,"principalId":%q,"details":{"department":%q,"vpn":"%v"}},"userAgent":%q,"eventSource":%q,"eventName":%q,"eventTime":%q,"UID":%q`,
		k.pick("User", "Application"), user, k.pick("engineering", "finance", "support"), k.r.chance(700), agent, source, k.pick(names...), k.stamp(), k.uuid())
	s += `,"requestParameters":` + params
	switch {
	case k.r.chance(90):
		s += fmt.Sprintf(`,"responseElements":null,"errorCode":%q,"errorMessage":"The request by %s was not allowed."`, k.pick("Forbidden", "InvalidFactor", "Locked"), user)
	default:
		s += fmt.Sprintf(`,"responseElements":{"result":"ok","took_ms":%d}`, k.r.below(900))
	}
	return s + fmt.Sprintf(`,"sourceIPAddress":"198.51.100.%d","recipientAccountId":%q,"additionalEventData":{"session":%q,"risk":"%d"}}}`, k.r.skewed(200), account, k.uuid(), k.r.skewed(100))
}
