package generate

// entityTable lists the kinds of things that calls are about. size is how many an account has (0: no end of
// them); form gives the name of one, its placeholders answering the same for the same number; regional ones
// differ from region to region.
var entityTable = []struct {
	name     string
	size     uint32
	regional bool
	form     string
}{
	{"bucket", 60, false, `<org>-<pick:<$word>-<$word>|<$word>>-<$env><opt:40:-<an:6>>`},
	{"object", 0, false, `<zpick:<$word>/<path>/<uuid>.<zpick:parquet|json.gz|log.gz|csv>|AWSLogs/<acct>/<$word>/<path>/<acct>_<$word>_<hex:16>.log.gz|<$word>/dt=<day>/part-<dig:5>-<uuid>.c000.snappy.parquet|uploads/<hex:2>/<hex:32>|terraform/<$env>/<$word>.tfstate|<$word>/<$word>-<zint:1-400>.<pick:png|jpg|pdf>|reports/<zpick:q1|q2|q3|q4>/Zusammenfassung-Überblick-<dig:4>.xlsx|导出/<day>/<$word>-<dig:6>.csv>`},
	{"fn", 60, true, `<$word>-<$word>-<zpick:handler|worker|api|sync|authorizer><opt:60:-<$env>>`},
	{"table", 30, true, `<$env>-<$word>-<zpick:events|state|sessions|locks|users|orders>`},
	{"role", 90, false, `<zpick:<$word>-<$word>-role|<$env>-<$word>-task|<$word>Role|eks-<$word>-irsa>`},
	{"user", 40, false, `<zpick:<$first>.<$last>|svc-<$word>-<$env>|<$first>>`},
	{"group", 12, false, `<zpick:developers|admins|readonly|billing|data-<$word>|oncall>`},
	{"policy", 60, false, `<$word>-<$word>-<zpick:access|policy|boundary|readonly>`},
	{"profile", 30, false, `<$word>-<$env>-instance-profile`},
	{"instance", 500, true, `i-0<hex:16>`},
	{"volume", 900, true, `vol-0<hex:16>`},
	{"snapshot", 900, true, `snap-0<hex:16>`},
	{"image", 60, true, `ami-0<hex:16>`},
	{"sg", 120, true, `sg-0<hex:16>`},
	{"subnet", 24, true, `subnet-0<hex:16>`},
	{"vpc", 6, true, `vpc-0<hex:16>`},
	{"eni", 900, true, `eni-0<hex:16>`},
	{"rtb", 20, true, `rtb-0<hex:16>`},
	{"igw", 6, true, `igw-0<hex:16>`},
	{"nat", 8, true, `nat-0<hex:16>`},
	{"eip", 20, true, `eipalloc-0<hex:16>`},
	{"lt", 30, true, `lt-0<hex:16>`},
	{"tgw", 4, true, `tgw-0<hex:16>`},
	{"vpce", 8, true, `vpce-0<hex:16>`},
	{"key", 24, true, `<uuid>`},
	{"keyalias", 24, true, `alias/<$word>-<$env>`},
	{"loggroup", 200, true, `<zpick:/aws/lambda/<$word>-<$word>-<$env>|/ecs/<$env>/<$word>|/aws/eks/<$word>/cluster|/app/<$word>/<$env>|/aws/vpc/flow-logs>`},
	{"logstream", 0, true, `<zpick:<path>/[$LATEST]<hex:32>|<$word>/<$word>/<hex:32>|eni-0<hex:16>-all|i-0<hex:16>>`},
	{"secret", 40, true, `<$env>/<$word>/<zpick:db-credentials|api-key|oauth|signing-key>`},
	{"param", 200, true, `/<$env>/<$word>/<zpick:db/host|db/port|feature-flags|endpoint|log-level|image-tag>`},
	{"queue", 40, true, `<$env>-<$word>-<zpick:events|jobs|dlq|notifications><opt:15:.fifo>`},
	{"topic", 30, true, `<$env>-<$word>-<zpick:alerts|events|updates>`},
	{"kstream", 14, true, `<$env>-<$word>-stream`},
	{"cluster", 8, true, `<$env>-<$word>`},
	{"service", 50, true, `<$word>-<zpick:api|web|worker|consumer>`},
	{"taskdef", 50, true, `<$env>-<$word>`},
	{"task", 0, true, `<hex:32>`},
	{"eks", 5, true, `<org>-<$env>-eks`},
	{"repo", 50, true, `<opt:50:<org>/><$word>-<zpick:api|web|worker|base>`},
	{"stack", 60, true, `<zpick:<$env>-<$word>-stack|CdkToolkit|<$word>-network|StackSet-<$word>-<uuid>>`},
	{"zone", 14, false, `Z0<AN:18>`},
	{"domain", 14, false, `<$word>.<$env>.<org>.example.com`},
	{"cert", 30, true, `<uuid>`},
	{"db", 16, true, `<$env>-<$word>-<zpick:db|postgres|mysql|reporting>`},
	{"dbcluster", 8, true, `<$env>-<$word>-aurora`},
	{"lb", 20, true, `app/<$env>-<$word>/<hex:16>`},
	{"tg", 40, true, `<$env>-<$word>-tg/<hex:16>`},
	{"asg", 24, true, `<zpick:<$env>-<$word>-asg|eks-<$word>-<uuid>>`},
	{"detector", 1, true, `<hex:32>`},
	{"trail", 2, false, `<org>-<zpick:management-events|data-events>`},
	{"workgroup", 6, true, `<zpick:primary|<$word>-analysts|<$env>-etl>`},
	{"gluedb", 10, true, `<$word>_<zpick:raw|curated|marts>`},
	{"gluetable", 120, true, `<$word>_<$word>`},
	{"crawler", 12, true, `<$word>-crawler`},
	{"job", 24, true, `<$word>-<zpick:etl|backfill|compaction>`},
	{"machine", 20, true, `<$env>-<$word>-workflow`},
	{"rule", 40, true, `<$word>-<zpick:schedule|every-5-minutes|nightly|on-change>`},
	{"alarm", 80, true, `<$env>-<$word>-<zpick:HighCPU|5xx|Latency-p99|QueueDepth|DiskFull>`},
	{"api", 12, true, `<an:10>`},
	{"distribution", 8, false, `E<AN:13>`},
	{"project", 24, true, `<$word>-<zpick:build|deploy|test>`},
	{"pipeline", 16, true, `<$word>-<$env>-pipeline`},
	{"efs", 6, true, `fs-0<hex:16>`},
	{"cachecluster", 8, true, `<$env>-<$word>-redis`},
	{"domainname", 5, true, `<org>-<$word>`},
	{"webacl", 5, true, `<$env>-<$word>-acl/<uuid>`},
	{"vault", 5, true, `<zpick:Default|<$env>-vault|compliance>`},
	{"userpool", 5, true, `<region>_<AN:9>`},
	{"assoc", 20, true, `<uuid>`},
	{"rolearn", 90, false, `arn:aws:iam::<acct>:role/<zpick:<$word>-<$word>-role|<$env>-<$word>-task|service-role/<$word>Role>`},
	{"rolesession", 0, false, `<zpick:<$word>-<dig:10>|aws-sdk-go-<epoch><dig:9>|<$word>-<$word>|i-0<hex:16>|<uuid>>`},
	{"websession", 0, false, `<zpick:<epoch><dig:9>|GitHubActions|botocore-session-<epoch>|eks-<$word>-<uuid>>`},
	{"bus", 4, true, `<zpick:default|<$word>-bus>`},
	{"mlmodel", 6, true, `<zpick:anthropic.claude-3-5-sonnet-20241022-v2:0|amazon.nova-pro-v1:0|amazon.titan-embed-text-v2:0|meta.llama3-70b-instruct-v1:0>`},
	{"orgunit", 6, false, `ou-<an:4>-<an:8>`},
}

// Word lists. A population's names are made of them, so they decide how alike the names of an account look.
var macroTable = map[string]string{
	"env":   `<zpick:prod|staging|dev|qa|shared|sandbox>`,
	"word":  `<pick:billing|orders|payments|search|ingest|catalog|identity|ledger|pricing|inventory|shipping|notify|audit|metrics|frontend|gateway|media|reports|analytics|features|recommend|fraud|loyalty|customer|partner|warehouse|scheduler|exports|profile|session|risk|invoice|cart|checkout|content|telemetry|geo|mail|vault|quota>`,
	"first": `<pick:anna|ben|chloe|david|elena|farid|grace|hugo|ines|jonas|kaori|liam|maria|nadia|oscar|priya|quinn|rosa|sven|tomas|uma|victor|wei|yara|zoe>`,
	"last":  `<pick:abel|brandt|castro|dubois|eriksen|fischer|garcia|haddad|ito|jansen|kumar|lopez|meyer|novak|okafor|petrov|rossi|silva|tanaka|weber>`,

	"kernel": `<pick:5.10.220-209.869.amzn2.x86_64|6.1.102-111.182.amzn2023.x86_64|5.15.0-1052-aws|6.8.0-1015-aws>`,

	"kv":      `{"key":"<tagkey>","value":"<tag>"}`,
	"KV":      `{"Key":"<tagkey>","Value":"<tag>"}`,
	"tags":    `[<zrep:1-5:<$kv>>]`,
	"tagmap":  `{"Environment":"<$env>","Team":"<tag>"<opt:50:,"CostCenter":"<dig:4>"><opt:30:,"Owner":"<$first>.<$last>@<org>.example.com">}`,
	"cipher2": `<zpick:ECDHE-RSA-AES128-GCM-SHA256|TLS_AES_128_GCM_SHA256>`,
	"cidr":    `10.<zint:0-64>.<int:0-255>.0/<pick:24|20|22>`,
	"pip":     `10.<zint:0-64>.<int:0-255>.<int:4-250>`,
	"pubip":   `<pick:18|3|34|52|54|44|35>.<int:0-255>.<int:0-255>.<int:1-254>`,
	"itype":   `<zpick:t3.micro|t3.medium|m6i.large|c6i.xlarge|m7g.large|r6g.xlarge|c7g.2xlarge|g5.xlarge>`,
	"next":    `<b64:88-320>`,
	"filter":  `{"items":[<zrep:1-3:{"name":"<zpick:instance-state-name|vpc-id|tag:Name|tag:kubernetes.io/cluster/<$word>|availability-zone|private-dns-name>","valueSet":{"items":[{"value":"<zpick:running|<vpc>|<tag>|<az>>"}]}}>]}`,
	"ec2tags": `{"items":[{"resourceType":"<pick:instance|volume|network-interface|security-group>","tags":<$tags>}]}`,
	"xmlns":   `"xmlns":"http://ec2.amazonaws.com/doc/2016-11-15/"`,
	"fnarn":   `arn:aws:lambda:<region>:<acct>:function:<fn>`,
	"s3host":  `<bucket>.s3.<region>.amazonaws.com`,

	// A policy document as it stands in a parameter: JSON inside a JSON string.
	"policydoc": `{\"Version\":\"2012-10-17\",\"Statement\":[<zrep:1-6:{\"Sid\":\"<pick:Allow|Read|Write|Deny><$word>\",\"Effect\":\"<zpick:Allow|Deny>\",\"Action\":[<zrep:1-6:\"<pick:s3|dynamodb|sqs|kms|logs|ec2|secretsmanager|ssm>:<zpick:Get*|List*|Describe*|PutObject|Decrypt|SendMessage|*>\">],\"Resource\":\"<zpick:*|arn:aws:s3:::<bucket+>/*|arn:aws:dynamodb:<region>:<acct>:table/<table+>>\"<opt:20:,\"Condition\":{\"StringEquals\":{\"aws:PrincipalOrgID\":\"o-<an:10>\"}}>}>]}`,
	"trustdoc":  `{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":{\"<zpick:Service\":\"ecs-tasks.amazonaws.com|Service\":\"lambda.amazonaws.com|AWS\":\"arn:aws:iam::<acct>:root|Service\":\"ec2.amazonaws.com>\"},\"Action\":\"sts:AssumeRole\"}]}`,

	// resources of a record
	"R.bucket":  `{"accountId":"<acct>","type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::<bucket>"}`,
	"R.object":  `{"type":"AWS::S3::Object","ARN":"arn:aws:s3:::<bucket>/<object>"},{"accountId":"<acct>","type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::<bucket>"}`,
	"R.prefix":  `{"type":"AWS::S3::Object","ARNPrefix":"arn:aws:s3:::<bucket>/"},{"accountId":"<acct>","type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::<bucket>"}`,
	"R.key":     `{"accountId":"<acct>","type":"AWS::KMS::Key","ARN":"arn:aws:kms:<region>:<acct>:key/<key>"}`,
	"R.role":    `{"accountId":"<acct>","type":"AWS::IAM::Role","ARN":"arn:aws:iam::<acct>:role/<role>"}`,
	"R.table":   `{"accountId":"<acct>","type":"AWS::DynamoDB::Table","ARN":"arn:aws:dynamodb:<region>:<acct>:table/<table>"}`,
	"R.fn":      `{"accountId":"<acct>","type":"AWS::Lambda::Function","ARN":"<$fnarn>"}`,
	"R.repo":    `{"ARN":"arn:aws:ecr:<region>:<acct>:repository/<repo>","accountId":"<acct>"}`,
	"R.kstream": `{"accountId":"<acct>","type":"AWS::Kinesis::Stream","ARN":"arn:aws:kinesis:<region>:<acct>:stream/<kstream>"}`,
	"R.topic":   `{"accountId":"<acct>","type":"AWS::SNS::Topic","ARN":"arn:aws:sns:<region>:<acct>:<topic>"}`,
	"R.queue":   `{"accountId":"<acct>","type":"AWS::SQS::Queue","ARN":"arn:aws:sqs:<region>:<acct>:<queue>"}`,
	"R.assoc":   `{"accountId":"<acct>","ARN":"arn:aws:ssm:<region>:<acct>:association/<assoc>"}`,

	"credentials": `{"accessKeyId":"ASIA<A32:16>","sessionToken":"IQoJb3JpZ2luX2Vj<b64:720-1000>","expiration":"<us:3600>"}`,
	"ec2ok":       `{"requestId":"<uuid>","_return":true}`,
}

// tagKeys are the keys of tags, in the order in which a resource has them.
var tagKeys = []string{"Name", "Environment", "Team", "CostCenter", "Owner", "Service", "ManagedBy", "kubernetes.io/cluster/main", "aws:cloudformation:stack-name", "DataClass"}

// tagValues are values of tags and descriptions; the rarer ones are not ASCII, or carry the escapes that the
// service writes for the characters which are special in HTML.
var tagValues = []string{
	"prod", "platform", "data-engineering", "payments", "web", "terraform", "staging", "core-infra", "checkout",
	"karpenter", "security", "mobile", "analytics-eu", "on-call", "cost-4711", "team-blue", "shared-services",
	"Zürich", "R\\u0026D", "São Paulo", "München Büro", "東京", "データ基盤", "équipe réseau", "платформа", "결제팀",
	"a\\u003db", "migration \\u003c2026\\u003e", "🚀 launch", "path\\/with\\/slashes",
}
