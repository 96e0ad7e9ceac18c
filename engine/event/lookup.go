package event

import (
	"bytes"
	"slices"
	"strings"
)

// What events are looked up by beside their own members: who (Username) and on what
// (Resource). Neither is in a record as such; both are derived from it here, by whoever
// answers a lookup and by whoever builds an index for it, so that the two agree.

// Places of the members that lookups ask for, best first: in CloudTrail events at the top, in
// Insights events in the details of the insight, in events from outside in their data.
var (
	IDPlaces        = [][]string{{"eventID"}, {"eventId"}}
	NamePlaces      = [][]string{{"eventName"}, {"insightEventName"}, {"insightDetails", "eventName"}, {"eventData", "eventName"}}
	SourcePlaces    = [][]string{{"eventSource"}, {"insightEventSource"}, {"insightDetails", "eventSource"}, {"eventData", "eventSource"}}
	ReadOnlyPlaces  = [][]string{{"readOnly"}}
	AccessKeyPlaces = [][]string{{"userIdentity", "accessKeyId"}}
	RegionPlaces    = [][]string{{"awsRegion"}}
	AccountPlaces   = [][]string{{"recipientAccountId"}}

	// UserPlaces are what a user name is made of, in the order of Username's parameters.
	UserPlaces = [...][][]string{
		{{"userIdentity", "type"}},
		{{"userIdentity", "userName"}},
		{{"userIdentity", "arn"}},
		{{"userIdentity", "invokedBy"}},
		{{"eventData", "userIdentity", "principalId"}},
	}
)

// TextOf returns the text of the first of some places in a record that Parse has accepted
// that is there and not null: of a string unescaped, of a number or boolean as it is written; ""
// where there is none.
func TextOf(record []byte, places [][]string) string {
	for _, path := range places {
		if v := Lookup(record, path...); len(v) > 0 && v[0] != 'n' {
			return scalarText(v)
		}
	}
	return ""
}

// scalarText is the text of a raw scalar, "" for an object or array.
func scalarText(v []byte) string {
	switch {
	case len(v) >= 2 && v[0] == '"':
		return string(AppendUnescaped(nil, v[1:len(v)-1]))
	case len(v) == 0 || v[0] == '{' || v[0] == '[' || v[0] == 'n':
		return ""
	}
	return string(v)
}

// Username is the name by which the caller of an event is looked up: the IAM user's name, "root",
// the name of an assumed role's session, the name of a federated user, else the service that
// called, else the principal of an event from outside; "" when there is none.
func Username(kind, userName, arn, invokedBy, principal string) string {
	if kind == "Root" {
		return "root"
	}
	if userName != "" {
		return userName
	}
	switch kind {
	case "AssumedRole", "FederatedUser", "IAMUser":
		if i := strings.LastIndexByte(arn, '/'); i >= 0 {
			return arn[i+1:]
		}
	}
	if invokedBy != "" {
		return invokedBy
	}
	return principal
}

// Facts are what lookups ask of an event.
type Facts struct {
	Name, Source, AccessKeyID, Username string
	Resources                           []Resource
}

// FactsOf returns the facts of a record that Parse has accepted. It walks over the record once,
// where TextOf walks once for each place.
func FactsOf(record []byte) Facts {
	t := topOf(record)
	who := t.identity()
	return Facts{
		Name: t.text(NamePlaces), Source: t.text(SourcePlaces), AccessKeyID: rawText(who[identityAccessKey]),
		Username: t.username(&who), Resources: t.resources(nil),
	}
}

// UsernameOf is Username of a record that Parse has accepted.
func UsernameOf(record []byte) string {
	t := topOf(record)
	who := t.identity()
	return t.username(&who)
}

// topValues are the raw values of the members at the top of a record below which something is
// looked for, by topNumbers.
type topValues [topMax][]byte

// topMax is room for all of topNumbers: a test holds them against it.
const topMax = 16

// topNumbers are the first keys of all places of this file.
var topNumbers = func() map[string]int {
	out := map[string]int{"resources": 0}
	number := func(places ...[]string) {
		for _, path := range places {
			if _, ok := out[path[0]]; !ok {
				out[path[0]] = len(out)
			}
		}
	}
	for _, places := range [][][]string{NamePlaces, SourcePlaces, AccessKeyPlaces} {
		number(places...)
	}
	for _, places := range UserPlaces {
		number(places...)
	}
	for _, p := range resourcePlaces {
		number(p.Path)
	}
	return out
}()

// topOf walks over a record; of equal members the last counts.
func topOf(record []byte) (t topValues) {
	if len(record) == 0 || record[0] != '{' {
		return t
	}
	w := enter(record)
	for {
		name, v, ok := w.member()
		if !ok {
			return t
		}
		if i, ok := numberOf(topNumbers, name); ok {
			t[i] = v
		}
	}
}

// numberOf looks up a member's name as it is spelled.
func numberOf(numbers map[string]int, name []byte) (int, bool) {
	i, ok := numbers[string(name)]
	if !ok && bytes.IndexByte(name, '\\') >= 0 {
		i, ok = numbers[string(AppendUnescaped(nil, name))]
	}
	return i, ok
}

// text is TextOf for places whose first keys are in topNumbers.
func (t *topValues) text(places [][]string) string {
	for _, path := range places {
		if v := Lookup(t[topNumbers[path[0]]], path[1:]...); len(v) > 0 && v[0] != 'n' {
			return scalarText(v)
		}
	}
	return ""
}

// Members of userIdentity that tell who called: those of UserPlaces that are there, in their order, and that of
// AccessKeyPlaces.
const (
	identityType = iota
	identityUserName
	identityARN
	identityInvokedBy
	identityAccessKey
	identityMax
)

var identityNumbers = map[string]int{
	"type": identityType, "userName": identityUserName, "arn": identityARN, "invokedBy": identityInvokedBy, "accessKeyId": identityAccessKey,
}

// identity returns their raw values.
func (t *topValues) identity() (who [identityMax][]byte) {
	object := t[topNumbers["userIdentity"]]
	if len(object) == 0 || object[0] != '{' {
		return who
	}
	w := enter(object)
	for {
		name, v, ok := w.member()
		if !ok {
			return who
		}
		if i, ok := numberOf(identityNumbers, name); ok {
			who[i] = v
		}
	}
}

// rawText is the text of a raw value, "" where there is none.
func rawText(v []byte) string {
	if len(v) == 0 {
		return ""
	}
	return scalarText(v)
}

func (t *topValues) username(who *[identityMax][]byte) string {
	return Username(rawText(who[identityType]), rawText(who[identityUserName]), rawText(who[identityARN]), rawText(who[identityInvokedBy]),
		t.text(UserPlaces[len(UserPlaces)-1]))
}

// Resource is something that an event is about.
type Resource struct {
	Type string // AWS::S3::Bucket; "" where a record lists one without its type
	Name string // a name, an ID or an ARN
}

// ResourcesMax is how many resources of one event are told: a call that names more is
// found by the first of them, and the record has all.
const ResourcesMax = 64

// ResourcesOf returns what an event is about, from a record that Parse has accepted: the resources that it
// lists, then those that its parameters name and the list does not have. Added to dst.
func ResourcesOf(record []byte, dst []Resource) []Resource {
	t := topOf(record)
	return t.resources(dst)
}

func (t *topValues) resources(dst []Resource) []Resource {
	// One walk over each object finds the raw values at all places below it.
	var values [resourcePlacesMax][]byte
	some := false
	for top, keys := range resourceKeys {
		some = noteBelow(&values, keys, t[topNumbers[top]]) || some
	}
	from := len(dst)
	dst = ListedResources(t[topNumbers["resources"]], dst)
	if !some {
		return dst
	}
	source := t.text(SourcePlaces)
	if source == "" {
		return dst
	}
	for i := range resourcePlaces {
		dst = resourcePlaces[i].Named(dst, from, source, values[i])
	}
	return dst
}

// noteBelow notes the values of places below a top member; of equal members the last counts.
func noteBelow(values *[resourcePlacesMax][]byte, keys map[string][]int, object []byte) (some bool) {
	if len(object) == 0 || object[0] != '{' {
		return false
	}
	w := enter(object)
	for {
		name, v, ok := w.member()
		if !ok {
			return some
		}
		places, ok := keys[string(name)]
		if !ok && bytes.IndexByte(name, '\\') >= 0 {
			places = keys[string(AppendUnescaped(nil, name))]
		}
		for _, i := range places {
			values[i] = Lookup(v, resourcePlaces[i].Path[2:]...)
			some = some || values[i] != nil
		}
	}
}

// resourcePlacesMax is room for all places: a test holds them against it.
const resourcePlacesMax = 192

// resourceKeys are the places by the top member and the member below it.
var resourceKeys = func() map[string]map[string][]int {
	out := map[string]map[string][]int{}
	for i, p := range resourcePlaces {
		if out[p.Path[0]] == nil {
			out[p.Path[0]] = map[string][]int{}
		}
		out[p.Path[0]][p.Path[1]] = append(out[p.Path[0]][p.Path[1]], i)
	}
	return out
}()

// ListedResources adds the resources of the raw text of a record's member of that name to dst.
func ListedResources(raw []byte, dst []Resource) []Resource {
	if len(raw) == 0 || raw[0] != '[' {
		return dst
	}
	from := len(dst)
	w := enter(raw)
	for {
		v, ok := w.element()
		if !ok {
			return dst
		}
		r := Resource{Type: scalarText(Lookup(v, "type")), Name: scalarText(Lookup(v, "ARN"))}
		if r.Name == "" {
			r.Name = scalarText(Lookup(v, "ARNPrefix"))
		}
		if r != (Resource{}) {
			dst = add(dst, from, r)
		}
	}
}

// add adds a resource that is not among those from a place on, while there is room.
func add(dst []Resource, from int, r Resource) []Resource {
	if len(dst)-from >= ResourcesMax {
		return dst
	}
	for _, have := range dst[from:] {
		if have.Type == r.Type && (have.Name == r.Name || slices.Contains(ShortNames(have.Name), r.Name)) {
			return dst
		}
	}
	return append(dst, r)
}

// ShortNamesMax is how many short names a resource has at most.
const ShortNamesMax = 3

// ShortNames are the other texts by which a resource with an ARN is found: what stands
// behind the account, and what stands behind the last colon or slash.
func ShortNames(name string) []string { return AppendShortNames(nil, name) }

// AppendShortNames appends them to dst.
func AppendShortNames(dst []string, name string) []string {
	if !strings.HasPrefix(name, "arn:") {
		return dst
	}
	rest := name
	for range 5 {
		i := strings.IndexByte(rest, ':')
		if i < 0 {
			return dst
		}
		rest = rest[i+1:]
	}
	if rest != "" {
		dst = append(dst, rest)
	}
	last := rest[strings.LastIndexAny(rest, ":/")+1:]
	if last != "" && last != rest {
		dst = append(dst, last)
	}
	// A path below the type: user/team/alice is known as team/alice, too.
	if i := strings.IndexAny(rest, ":/"); i >= 0 {
		if below := rest[i+1:]; below != "" && below != rest && below != last {
			dst = append(dst, below)
		}
	}
	return dst
}

// ResourcePlace is a place in records of some services that names what the event is about.
type ResourcePlace struct {
	// Path are the keys to a text, or to a list of texts or, with Key, of objects.
	Path []string
	// Key is the member of a list's objects that has the name; "" for texts.
	Key string
	// types are the types of what is named, by the label of the service; that of "" is
	// for all others.
	types map[string]string
}

// ResourcePlaces are all places, in the order in which ResourcesOf asks them.
func ResourcePlaces() []ResourcePlace { return resourcePlaces }

// TypeFor returns the type of what the place names in events of a source, "" when it
// names nothing there, [ByPrefix] when each ID tells its own.
func (p *ResourcePlace) TypeFor(source string) string {
	label, _, _ := strings.Cut(source, ".")
	if t, ok := p.types[label]; ok {
		return t
	}
	return p.types[""]
}

// Named adds what a raw value at the place names in an event of a source to those of
// dst that begin at from.
func (p *ResourcePlace) Named(dst []Resource, from int, source string, raw []byte) []Resource {
	if len(raw) == 0 {
		return dst // nearly always
	}
	kind := p.TypeFor(source)
	if kind == "" {
		return dst
	}
	switch raw[0] {
	case '"':
		if p.Key == "" {
			dst = named(dst, from, kind, scalarText(raw))
		}
	case '[':
		w := enter(raw)
		for {
			v, ok := w.element()
			if !ok {
				break
			}
			if p.Key != "" {
				v = Lookup(v, p.Key)
			}
			if len(v) > 0 && v[0] == '"' {
				dst = named(dst, from, kind, scalarText(v))
			}
		}
	}
	return dst
}

func named(dst []Resource, from int, kind, name string) []Resource {
	if name == "" {
		return dst
	}
	if kind == ByPrefix {
		if kind = TypeByPrefix(name); kind == "" {
			return dst
		}
	}
	return add(dst, from, Resource{kind, name})
}

// ByPrefix is the type of things whose IDs tell their type.
const ByPrefix = "by prefix"

// TypeByPrefix returns the type that an ID of EC2 tells; "" for other texts.
func TypeByPrefix(id string) string {
	prefix, _, _ := strings.Cut(id[:min(len(id), prefixMax+1)], "-")
	return typesByPrefix[prefix]
}

// prefixMax is the length of the longest prefix.
const prefixMax = len("eipalloc")

// typesByPrefix are the types of what EC2's IDs name.
var typesByPrefix = map[string]string{
	"i": "AWS::EC2::Instance", "sg": "AWS::EC2::SecurityGroup", "vpc": "AWS::EC2::VPC", "subnet": "AWS::EC2::Subnet",
	"vol": "AWS::EC2::Volume", "snap": "AWS::EC2::Snapshot", "ami": "AWS::EC2::Ami", "eni": "AWS::EC2::NetworkInterface",
	"rtb": "AWS::EC2::RouteTable", "igw": "AWS::EC2::InternetGateway", "nat": "AWS::EC2::NatGateway", "eipalloc": "AWS::EC2::EIP",
	"acl": "AWS::EC2::NetworkAcl", "lt": "AWS::EC2::LaunchTemplate", "vpce": "AWS::EC2::VPCEndpoint", "key": "AWS::EC2::KeyPair",
	"pcx": "AWS::EC2::VPCPeeringConnection", "vgw": "AWS::EC2::VPNGateway", "vpn": "AWS::EC2::VPNConnection", "tgw": "AWS::EC2::TransitGateway",
	"dopt": "AWS::EC2::DHCPOptions", "fl": "AWS::EC2::FlowLog", "pl": "AWS::EC2::PrefixList", "eigw": "AWS::EC2::EgressOnlyInternetGateway",
}

// param is a request parameter whose name means the same in all services, other than
// those listed as pairs of a service's label and a type; "" as the first type for none.
func param(key, kind string, pairs ...string) ResourcePlace {
	return place([]string{"requestParameters", key}, "", kind, pairs)
}

func place(path []string, key, kind string, pairs []string) ResourcePlace {
	p := ResourcePlace{Path: path, Key: key, types: make(map[string]string)}
	if kind != "" {
		p.types[""] = kind
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		p.types[pairs[i]] = pairs[i+1]
	}
	return p
}

// items is a list of objects below a request parameter or, for answers, a response element, in EC2's form.
func items(top, set, key string) ResourcePlace {
	return place([]string{top, set, "items"}, key, "", []string{"ec2", ByPrefix})
}

func answer(kind, service string, path ...string) ResourcePlace {
	return place(append([]string{"responseElements"}, path...), "", "", []string{service, kind})
}

// resourcePlaces are the parameters by which the common services name what a call is about.
var resourcePlaces = []ResourcePlace{
	param("bucketName", "AWS::S3::Bucket"),
	param("bucket", "", "s3", "AWS::S3::Bucket"),
	param("roleName", "AWS::IAM::Role"),
	param("roleArn", "", "sts", "AWS::IAM::Role"),
	param("userName", "", "iam", "AWS::IAM::User"),
	param("groupName", "", "iam", "AWS::IAM::Group", "ec2", "AWS::EC2::SecurityGroup", "autoscaling", "AWS::AutoScaling::AutoScalingGroup"),
	param("policyArn", "AWS::IAM::Policy"),
	param("policyName", "", "iam", "AWS::IAM::Policy", "iot", "AWS::IoT::Policy"),
	param("instanceProfileName", "AWS::IAM::InstanceProfile"),
	param("accessKeyId", "", "iam", "AWS::IAM::AccessKey"),
	param("serialNumber", "", "iam", "AWS::IAM::MfaDevice"),
	param("virtualMFADeviceName", "", "iam", "AWS::IAM::MfaDevice"),
	param("sAMLProviderArn", "", "iam", "AWS::IAM::SAMLProvider"),
	param("openIDConnectProviderArn", "", "iam", "AWS::IAM::OIDCProvider"),
	param("serverCertificateName", "", "iam", "AWS::IAM::ServerCertificate"),
	param("instanceId", "AWS::EC2::Instance"),
	param("instanceIds", "AWS::EC2::Instance"),
	param("groupId", "", "ec2", "AWS::EC2::SecurityGroup"),
	param("vpcId", "AWS::EC2::VPC"),
	param("subnetId", "AWS::EC2::Subnet"),
	param("volumeId", "AWS::EC2::Volume"),
	param("snapshotId", "", "ec2", "AWS::EC2::Snapshot", "ebs", "AWS::EC2::Snapshot"),
	param("imageId", "", "ec2", "AWS::EC2::Ami", "autoscaling", "AWS::EC2::Ami"),
	param("keyName", "AWS::EC2::KeyPair"),
	param("networkInterfaceId", "AWS::EC2::NetworkInterface"),
	param("routeTableId", "AWS::EC2::RouteTable"),
	param("internetGatewayId", "AWS::EC2::InternetGateway"),
	param("natGatewayId", "AWS::EC2::NatGateway"),
	param("allocationId", "AWS::EC2::EIP"),
	param("networkAclId", "AWS::EC2::NetworkAcl"),
	param("launchTemplateId", "AWS::EC2::LaunchTemplate"),
	param("launchTemplateName", "AWS::EC2::LaunchTemplate"),
	param("vpcEndpointId", "AWS::EC2::VPCEndpoint"),
	param("keyId", "AWS::KMS::Key"),
	param("targetKeyId", "AWS::KMS::Key"),
	param("aliasName", "AWS::KMS::Alias"),
	param("functionName", "AWS::Lambda::Function"),
	param("layerName", "AWS::Lambda::LayerVersion"),
	param("tableName", "AWS::DynamoDB::Table", "glue", "AWS::Glue::Table", "cassandra", "AWS::Cassandra::Table"),
	param("trailName", "AWS::CloudTrail::Trail"),
	param("trailNameList", "AWS::CloudTrail::Trail"),
	param("eventDataStore", "AWS::CloudTrail::EventDataStore"),
	param("channel", "", "cloudtrail", "AWS::CloudTrail::Channel"),
	param("dashboardId", "", "cloudtrail", "AWS::CloudTrail::Dashboard"),
	param("queueUrl", "AWS::SQS::Queue"),
	param("queueName", "AWS::SQS::Queue"),
	param("topicArn", "AWS::SNS::Topic"),
	param("subscriptionArn", "AWS::SNS::Subscription"),
	param("logGroupName", "AWS::Logs::LogGroup"),
	param("logStreamName", "AWS::Logs::LogStream"),
	param("alarmName", "AWS::CloudWatch::Alarm"),
	param("alarmNames", "AWS::CloudWatch::Alarm"),
	param("dashboardName", "", "monitoring", "AWS::CloudWatch::Dashboard"),
	param("rule", "", "events", "AWS::Events::Rule"),
	param("dBInstanceIdentifier", "AWS::RDS::DBInstance"),
	param("dBClusterIdentifier", "AWS::RDS::DBCluster"),
	param("dBSnapshotIdentifier", "AWS::RDS::DBSnapshot"),
	param("dBSubnetGroupName", "AWS::RDS::DBSubnetGroup"),
	param("dBParameterGroupName", "AWS::RDS::DBParameterGroup"),
	param("secretId", "AWS::SecretsManager::Secret"),
	param("documentName", "AWS::SSM::Document"),
	param("repositoryName", "", "ecr", "AWS::ECR::Repository", "codecommit", "AWS::CodeCommit::Repository"),
	param("cluster", "", "ecs", "AWS::ECS::Cluster"),
	param("clusterName", "", "ecs", "AWS::ECS::Cluster", "eks", "AWS::EKS::Cluster", "dax", "AWS::DAX::Cluster"),
	param("service", "", "ecs", "AWS::ECS::Service"),
	param("taskDefinition", "", "ecs", "AWS::ECS::TaskDefinition"),
	param("stackName", "AWS::CloudFormation::Stack"),
	param("changeSetName", "AWS::CloudFormation::ChangeSet"),
	param("autoScalingGroupName", "AWS::AutoScaling::AutoScalingGroup"),
	param("launchConfigurationName", "AWS::AutoScaling::LaunchConfiguration"),
	param("loadBalancerName", "AWS::ElasticLoadBalancing::LoadBalancer"),
	param("loadBalancerArn", "AWS::ElasticLoadBalancingV2::LoadBalancer"),
	param("targetGroupArn", "AWS::ElasticLoadBalancingV2::TargetGroup"),
	param("listenerArn", "AWS::ElasticLoadBalancingV2::Listener"),
	param("hostedZoneId", "AWS::Route53::HostedZone"),
	param("certificateArn", "AWS::CertificateManager::Certificate"),
	param("restApiId", "AWS::ApiGateway::RestApi"),
	param("apiId", "", "apigateway", "AWS::ApiGatewayV2::Api"),
	param("streamName", "", "kinesis", "AWS::Kinesis::Stream"),
	param("streamARN", "", "kinesis", "AWS::Kinesis::Stream"),
	param("deliveryStreamName", "AWS::KinesisFirehose::DeliveryStream"),
	param("domainName", "", "es", "AWS::OpenSearchService::Domain"),
	param("clusterIdentifier", "AWS::Redshift::Cluster"),
	param("cacheClusterId", "AWS::ElastiCache::CacheCluster"),
	param("detectorId", "AWS::GuardDuty::Detector"),
	param("configRuleName", "AWS::Config::ConfigRule"),
	param("configurationRecorderName", "AWS::Config::ConfigurationRecorder"),
	param("policyId", "", "organizations", "AWS::Organizations::Policy"),
	param("stateMachineArn", "AWS::StepFunctions::StateMachine"),
	param("projectName", "", "codebuild", "AWS::CodeBuild::Project"),
	param("databaseName", "", "glue", "AWS::Glue::Database"),
	param("workGroup", "AWS::Athena::WorkGroup"),
	param("distributionId", "AWS::CloudFront::Distribution"),
	param("webACLId", "AWS::WAF::WebACL"),
	param("backupVaultName", "AWS::Backup::BackupVault"),
	param("fileSystemId", "AWS::EFS::FileSystem"),
	param("userPoolId", "AWS::Cognito::UserPool"),
	param("identityPoolId", "AWS::Cognito::IdentityPool"),
	param("notebookInstanceName", "AWS::SageMaker::NotebookInstance"),
	param("id", "", "cloudfront", "AWS::CloudFront::Distribution", "route53", "AWS::Route53::HostedZone"),
	param("name", "", "cloudtrail", "AWS::CloudTrail::Trail", "events", "AWS::Events::Rule", "ssm", "AWS::SSM::Parameter", "eks", "AWS::EKS::Cluster",
		"secretsmanager", "AWS::SecretsManager::Secret", "sns", "AWS::SNS::Topic", "codepipeline", "AWS::CodePipeline::Pipeline", "codebuild", "AWS::CodeBuild::Project",
		"states", "AWS::StepFunctions::StateMachine", "route53", "AWS::Route53::HostedZone", "elasticloadbalancing", "AWS::ElasticLoadBalancingV2::LoadBalancer",
		"athena", "AWS::Athena::WorkGroup", "wafv2", "AWS::WAFv2::WebACL", "glue", "AWS::Glue::Job"),
	param("names", "", "ssm", "AWS::SSM::Parameter", "codebuild", "AWS::CodeBuild::Project"),
	items("requestParameters", "instancesSet", "instanceId"),
	items("requestParameters", "instancesSet", "imageId"),
	items("requestParameters", "instancesSet", "keyName"),
	items("requestParameters", "groupSet", "groupId"),
	items("requestParameters", "resourcesSet", "resourceId"),
	items("requestParameters", "volumeSet", "volumeId"),
	items("requestParameters", "vpcSet", "vpcId"),
	items("requestParameters", "subnetSet", "subnetId"),
	items("requestParameters", "securityGroupIdSet", "groupId"),
	items("requestParameters", "routeTableIdSet", "routeTableId"),
	items("responseElements", "instancesSet", "instanceId"),
	answer("AWS::STS::AssumedRole", "sts", "assumedRoleUser", "arn"),
	answer("AWS::IAM::AccessKey", "iam", "accessKey", "accessKeyId"),
	answer("AWS::EC2::SecurityGroup", "ec2", "groupId"),
	answer("AWS::EC2::Volume", "ec2", "volumeId"),
	answer("AWS::EC2::Snapshot", "ec2", "snapshotId"),
	answer("AWS::EC2::Ami", "ec2", "imageId"),
	answer("AWS::EC2::VPC", "ec2", "vpc", "vpcId"),
	answer("AWS::EC2::Subnet", "ec2", "subnet", "subnetId"),
	answer("AWS::EC2::NetworkInterface", "ec2", "networkInterface", "networkInterfaceId"),
	answer("AWS::EC2::InternetGateway", "ec2", "internetGateway", "internetGatewayId"),
	answer("AWS::EC2::RouteTable", "ec2", "routeTable", "routeTableId"),
	answer("AWS::KMS::Key", "kms", "keyMetadata", "keyId"),
	answer("AWS::CloudTrail::Trail", "cloudtrail", "trailARN"),
	answer("AWS::CloudTrail::EventDataStore", "cloudtrail", "eventDataStoreArn"),
	answer("AWS::Lambda::Function", "lambda", "functionArn"),
}

// CategoryOf is the category of an event by the texts of its eventCategory, its eventType and its
// managementEvent, "" for what it has not: see [Event].
func CategoryOf(category, eventType, management string) Category {
	ev := Event{Type: []byte(eventType), Management: tri([]byte(management))}
	if category != "" {
		ev.CategoryName = []byte(category)
	}
	return ev.category()
}

// CategoryPlaces are what a category is told by, in the order of CategoryOf's parameters.
var CategoryPlaces = [...][][]string{{{"eventCategory"}}, {{"eventType"}}, {{"managementEvent"}}}
