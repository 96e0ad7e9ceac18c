package generate

// identity is the kind of a caller, CloudTrail's userIdentity.type.
type identity uint8

const (
	idRoot identity = iota
	idIAMUser
	idAssumedRole
	idFederatedUser
	idService        // AWSService
	idAccount        // AWSAccount
	idSAML           // SAMLUser
	idWebIdentity    // WebIdentityUser
	idIdentityCenter // IdentityCenterUser
	idUnknown
	idNone // service events: no type at all
)

// origin tells where a caller's requests come from.
type origin uint8

const (
	fromNAT      origin = iota // one of three public addresses of the account's network in the region
	fromLambda                 // the provider's pool: another address with each session
	fromService                // the name of the service that called
	fromInternal               // "AWS Internal"
	fromPeople                 // the office, or home: an address for weeks
	fromVendor                 // the few addresses of a vendor
	fromCI                     // hosted build machines: another address with each session
)

// profileSpec is a way of using the cloud, shared by a population of callers. Each caller of it has some habits
// out of its calls, its own sessions, addresses and program, and its own rate of errors.
type profileSpec struct {
	name      string
	kind      identity
	share     uint32 // of the events, in parts of the sum over all profiles that a Region can have
	people    bool   // follows office hours
	count     uint32 // callers in the largest account; smaller ones have fewer
	habits    uint32 // number of habitual calls, 0: all of them
	role      string // template of the role or user name
	session   string // template of the session name
	sessions  uint32 // sessions that one role has at the same time
	stable    bool   // session names outlive the credentials
	hours     uint32 // life of temporary credentials, 0: long-lived keys or none
	context   string // what follows the attributes in sessionContext
	after     string // what follows sessionContext
	agents    []string
	origin    origin
	by        string // invokedBy
	console   bool   // works in the web console
	endpoint  uint32 // per mille of the callers that go through a VPC endpoint
	every     uint32 // minutes between starts of a scheduled caller, 0: any time
	errors    uint32 // per mille of calls refused or failed, for a caller of middling trouble
	denied    uint32 // per mille of its (caller, call) pairs that are never allowed
	run       uint32 // mean number of calls in a row
	global    bool   // works in us-east-1 only
	long      uint32 // per mille of calls outside its habits
	calls     string
	partition string // template of a partner's account number, for callers of other accounts
}

const (
	agentJava    = `aws-sdk-java/2.<int:20-31>.<int:0-70> Linux/<$kernel> OpenJDK_64-Bit_Server_VM/<pick:17.0.9+9-LTS|21.0.4+7-LTS> Java/<pick:17.0.9|21.0.4> vendor/Amazon.com_Inc. io/sync http/Apache cfg/retry-mode/legacy`
	agentBoto    = `Boto3/1.<int:26-37>.<int:0-160> md/Botocore#1.<int:29-37>.<int:0-160> ua/2.0 os/linux#<$kernel> md/arch#x86_64 lang/python#3.<pick:9.18|11.6|12.4> md/pyimpl#CPython cfg/retry-mode#<pick:legacy|standard> Botocore/1.<int:29-37>.<int:0-160>`
	agentGo      = `aws-sdk-go-v2/1.<int:18-36>.<int:0-6> os/linux lang/go#1.<int:20-24>.<int:0-9> md/GOOS#linux md/GOARCH#<pick:amd64|arm64> api/<$word>#1.<int:10-60>.<int:0-6>`
	agentGoOld   = `aws-sdk-go/1.<int:44-55>.<int:0-300> (go1.<int:19-23>.<int:0-9>; linux; amd64)`
	agentJS      = `aws-sdk-js/3.<int:300-800>.0 ua/2.1 os/linux#<$kernel> lang/js md/nodejs#<pick:18.19.1|20.15.1|22.3.0> api/<$word>#3.<int:300-800>.0`
	agentCLI     = `aws-cli/2.<int:11-28>.<int:0-20> md/awscrt#0.2<int:1-6>.<int:0-9> ua/2.0 os/<pick:linux#6.8.0-45-generic|macos#23.6.0|windows#10> md/arch#<pick:x86_64|arm64> lang/python#3.1<int:1-2>.<int:0-9> md/pyimpl#CPython cfg/retry-mode#standard md/prompt#off md/command#<$word>`
	agentSSM     = `aws-sdk-go/1.4<int:1-9>.<int:0-300> (go1.2<int:0-3>.<int:0-9>; linux; amd64) amazon-ssm-agent/3.3.<pick:859.0|1611.0|987.0>`
	agentTF      = `APN/1.0 HashiCorp/1.0 Terraform/1.<int:5-11>.<int:0-9> (+https://www.terraform.io) terraform-provider-aws/5.<int:30-94>.0 (+https://registry.terraform.io/providers/hashicorp/aws) aws-sdk-go-v2/1.<int:24-36>.<int:0-6> os/linux lang/go#1.2<int:1-4>.<int:0-9> md/GOOS#linux md/GOARCH#amd64`
	agentBrowser = `Mozilla/5.0 (<pick:Macintosh; Intel Mac OS X 10_15_7|Windows NT 10.0; Win64; x64|X11; Linux x86_64>) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/1<int:20-42>.0.0.0 Safari/537.36`
	agentConsole = `[<pick:S3Console/0.4|EC2Console/1.0>, aws-internal/3 aws-sdk-java/1.12.<int:488-760> Linux/<$kernel> OpenJDK_64-Bit_Server_VM/25.372-b08 java/1.8.0_372 vendor/Oracle_Corporation cfg/retry-mode/standard]`
	agentK8s     = `karpenter.sh-1.<int:0-4>.<int:0-9> aws-sdk-go-v2/1.<int:24-36>.<int:0-6> os/linux lang/go#1.2<int:1-4>.<int:0-9>`
	agentLBC     = `elbv2.k8s.aws/v2.<int:4-11>.<int:0-4> aws-sdk-go/1.<int:45-55>.<int:0-300> (go1.2<int:1-4>.<int:0-9>; linux; amd64)`
)

var profileTable = []profileSpec{
	{name: "application", kind: idAssumedRole, share: 201, count: 24, habits: 7, role: `<$env>-<$word>-<zpick:app|api|worker>-role`, session: `i-0<hex:16>`, sessions: 5, stable: true, hours: 6,
		context: `,"ec2RoleDelivery":"2.0"`, agents: []string{agentJava, agentBoto, agentGo, agentJS}, origin: fromNAT, endpoint: 230, errors: 44, denied: 15, run: 8, long: 20,
		calls: "s3:GetObject 76,s3:PutObject 56,s3:HeadObject 26,s3:ListObjects 14,s3:GetBucketLocation 12,sqs:SendMessage 16,sqs:ReceiveMessage 12,sqs:GetQueueAttributes 30,sqs:GetQueueUrl 20,dynamodb:GetItem 26,dynamodb:PutItem 14,dynamodb:UpdateItem 16,dynamodb:DescribeTable 30,secretsmanager:GetSecretValue 60,ssm:GetParameter 50,ssm:GetParametersByPath 40,ssm:GetParameters 24,kms:Decrypt 50,kms:GenerateDataKey 30,ec2:DescribeInstances 40,ec2:DescribeTags 40,sts:GetCallerIdentity 40,sts:AssumeRole 76,logs:CreateLogStream 40,logs:DescribeLogStreams 20,logs:DescribeLogGroups 10,kinesis:PutRecords 12,kinesis:DescribeStreamSummary 20,sns:Publish 10,sns:GetTopicAttributes 10,elasticache:r 10,es:r 6,bedrock:InvokeModel 20,bedrock:Converse 10,states:StartExecution 12"},
	{name: "fleet", kind: idAssumedRole, share: 84, count: 6, habits: 0, role: `<zpick:AmazonSSMRoleForInstancesQuickSetup|<$env>-ssm-instance-role|<$word>-base-instance-role>`, session: `i-0<hex:16>`, sessions: 10, stable: true, hours: 6,
		context: `,"ec2RoleDelivery":"2.0"`, agents: []string{agentSSM}, origin: fromNAT, endpoint: 220, every: 5, errors: 16, run: 4,
		calls: "ssm:UpdateInstanceInformation 100,ssm:ListInstanceAssociations 60,ssm:UpdateInstanceAssociationStatus 14,ssm:GetDocument 8,ssm:PutInventory 16"},
	{name: "function", kind: idAssumedRole, share: 191, count: 30, habits: 6, role: `<$word>-<$word>-<zpick:handler|worker|api|sync>-role<opt:60:-<an:8>>`, session: `<$word>-<$word>-<zpick:handler|worker|api|sync|authorizer>`, sessions: 2, stable: true, hours: 12,
		after: `,"inScopeOf":{"issuerType":"AWS::Lambda::Function","credentialsIssuedTo":"arn:aws:lambda:<region>:<acct>:function:<sess>"}`, agents: []string{agentBoto, agentJS, agentGo}, origin: fromLambda, endpoint: 40, every: 0, errors: 38, denied: 20, run: 8, long: 20,
		calls: "logs:CreateLogStream 110,logs:CreateLogGroup 30,dynamodb:GetItem 20,dynamodb:PutItem 16,dynamodb:UpdateItem 14,dynamodb:BatchWriteItem 6,s3:GetObject 30,s3:PutObject 20,s3:ListObjects 10,sqs:SendMessage 8,sqs:GetQueueAttributes 20,kms:Decrypt 40,kms:GenerateDataKey 10,secretsmanager:GetSecretValue 40,ssm:GetParameter 40,ssm:GetParametersByPath 20,ec2:CreateNetworkInterface 10,ec2:DescribeNetworkInterfaces 24,ec2:DeleteNetworkInterface 8,ec2:DescribeSubnets 8,ec2:DescribeSecurityGroups 8,states:SendTaskSuccess 6,states:DescribeExecution 8,events:PutRule 2,sts:AssumeRole 66,sts:GetCallerIdentity 24,lambda:Invoke 30,lambda:GetFunctionConfiguration20150331v2 10,rds:DescribeDBInstances 10,sns:Publish 12,kinesis:GetRecords 6,bedrock:InvokeModel 10"},
	{name: "container", kind: idAssumedRole, share: 106, count: 20, habits: 6, role: `<zpick:ecsTaskExecutionRole|<$env>-<$word>-task-role|<$env>-<$word>-execution-role>`, session: `<hex:32>`, sessions: 2, hours: 12,
		after: `,"inScopeOf":{"issuerType":"AWS::ECS::Task","credentialsIssuedTo":"arn:aws:ecs:<region>:<acct>:task/<sess>"}`, agents: []string{agentJava, agentBoto, agentJS, agentGo}, origin: fromNAT, endpoint: 170, errors: 38, denied: 15, run: 8, long: 10,
		calls: "ecr:GetAuthorizationToken 40,ecr:BatchGetImage 40,ecr:GetDownloadUrlForLayer 50,ecr:BatchCheckLayerAvailability 20,logs:CreateLogStream 60,ssm:GetParameters 40,secretsmanager:GetSecretValue 40,kms:Decrypt 20,s3:GetObject 30,s3:PutObject 20,s3:HeadObject 10,sqs:ReceiveMessage 12,sqs:SendMessage 8,dynamodb:GetItem 12,dynamodb:UpdateItem 8,sts:GetCallerIdentity 12,sts:AssumeRole 40,ecs:SubmitTaskStateChange 20,ecs:DescribeTasks 16"},
	{name: "cluster-controller", kind: idAssumedRole, share: 196, count: 12, habits: 12, role: `<zpick:eks-<$word>-node-role|karpenter-controller-<$env>|aws-load-balancer-controller|cluster-autoscaler-<$env>|external-dns|ebs-csi-driver>`, session: `<epoch><dig:9>`, sessions: 2, hours: 12,
		after: ``, agents: []string{agentK8s, agentLBC, agentGoOld, agentGo}, origin: fromNAT, endpoint: 60, every: 1, errors: 32, denied: 10, run: 11, long: 10,
		calls: "ec2:DescribeInstances 60,ec2:DescribeInstanceTypes 20,ec2:DescribeLaunchTemplates 12,ec2:DescribeSubnets 24,ec2:DescribeSecurityGroups 24,ec2:DescribeVolumes 30,ec2:DescribeNetworkInterfaces 30,ec2:DescribeAvailabilityZones 12,ec2:DescribeSpotPriceHistory 10,ec2:DescribeImages 8,ec2:DescribeTags 10,ec2:CreateFleet 4,ec2:CreateTags 8,ec2:AttachVolume 3,ec2:CreateVolume 3,ec2:TerminateInstances 4,autoscaling:DescribeAutoScalingGroups 50,autoscaling:DescribeAutoScalingInstances 20,autoscaling:DescribeTags 8,autoscaling:SetDesiredCapacity 2,elasticloadbalancing:DescribeTargetHealth 50,elasticloadbalancing:DescribeLoadBalancers 30,elasticloadbalancing:DescribeTargetGroups 24,elasticloadbalancing:DescribeListeners 12,elasticloadbalancing:DescribeRules 10,elasticloadbalancing:DescribeTags 16,elasticloadbalancing:RegisterTargets 6,elasticloadbalancing:DeregisterTargets 4,route53:ListResourceRecordSets 20,route53:ListHostedZones 12,route53:ChangeResourceRecordSets 4,eks:DescribeCluster 20,eks:DescribeNodegroup 6,wafv2:GetWebACLForResource 12,acm:r 8,ecr:BatchGetImage 12,ecr:GetDownloadUrlForLayer 14,ecr:GetAuthorizationToken 10"},
	{name: "service-account-token", kind: idWebIdentity, share: 8, count: 14, habits: 0, role: `system:serviceaccount:<$word>:<$word>-<zpick:sa|server|controller>`, agents: []string{agentGoOld, agentBoto, agentJava}, origin: fromNAT, errors: 14, run: 1, every: 15,
		calls: "sts:AssumeRoleWithWebIdentity 100"},
	{name: "config-recorder", kind: idAssumedRole, share: 78, count: 1, habits: 0, role: `AWSServiceRoleForConfig`, session: `<zpick:AWSConfig-Describe|EC2DescribeHandlerSession|AWSConfig-BucketConfigCheck|configLambdaExecution>`, sessions: 4, stable: true, hours: 1,
		agents: nil, origin: fromService, by: "config.amazonaws.com", errors: 6, run: 10,
		calls: "s3:r 60,ec2:r 110,iam:r 260,lambda:r 34,rds:r 30,kms:r 14,dynamodb:r 14,elasticloadbalancing:r 20,sns:r 12,sqs:r 12,cloudtrail:r 8,autoscaling:r 10,ecs:r 10,eks:r 6,secretsmanager:r 4,cloudwatch:r 10,logs:r 6,apigateway:r 8,cloudformation:r 8,acm:r 6,elasticfilesystem:r 6,es:r 5,wafv2:r 4,config:PutEvaluations 10"},
	{name: "monitoring", kind: idAssumedRole, share: 196, count: 4, habits: 0, role: `<zpick:DatadogIntegrationRole|<$word>-observability-readonly|grafana-cloudwatch-role>`, session: `<zpick:DatadogAWSIntegration|grafana|metrics-collector>`, sessions: 2, stable: true, hours: 1,
		agents: []string{agentBoto, agentGo}, origin: fromVendor, every: 5, errors: 56, denied: 60, run: 14,
		calls: "cloudwatch:ListMetrics 70,cloudwatch:DescribeAlarms 50,cloudwatch:GetMetricData 46,tagging:GetResources 60,ec2:DescribeInstances 50,ec2:DescribeVolumes 30,ec2:DescribeInstanceStatus 30,rds:DescribeDBInstances 30,rds:DescribeEvents 10,elasticloadbalancing:DescribeLoadBalancers 30,elasticloadbalancing:DescribeTags 20,lambda:ListFunctions20150331 30,lambda:ListTags20170331 20,sqs:ListQueues 12,sqs:GetQueueAttributes 20,autoscaling:DescribeAutoScalingGroups 20,ecs:DescribeServices 16,ecs:ListClusters 10,ecs:ListServices 10,ecs:DescribeClusters 8,dynamodb:DescribeTable 10,dynamodb:ListTables 6,elasticache:DescribeCacheClusters 10,s3:ListBuckets 10,s3:GetBucketTagging 8,health:r 20,logs:DescribeLogGroups 14,kinesis:DescribeStreamSummary 8,apigateway:GetRestApis 6,states:ListStateMachines 6,ce:r 4,es:DescribeDomain 4,sns:ListTopics 6,cloudtrail:LookupEvents 4,route53:ListHostedZones 3,elasticfilesystem:DescribeFileSystems 3,eks:ListClusters 3"},
	{name: "scanner", kind: idAssumedRole, share: 40, count: 3, habits: 0, role: `<zpick:SecurityAuditRole|cspm-readonly-role|vulnerability-scanner>`, session: `<zpick:cspm-scan-<epoch>|prowler|audit-<uuid>>`, sessions: 1, hours: 1,
		agents: []string{agentBoto, agentGo}, origin: fromVendor, every: 360, errors: 70, denied: 150, run: 40,
		calls: "iam:r 300,s3:r 70,ec2:r 160,kms:r 40,rds:r 30,lambda:r 40,cloudtrail:r 20,guardduty:r 16,config:r 16,organizations:r 10,ecr:r 20,eks:r 14,ecs:r 16,secretsmanager:r 14,ssm:DescribeParameters 8,ssm:DescribeInstanceInformation 8,sns:r 16,sqs:r 16,elasticloadbalancing:r 16,cloudfront:r 10,route53:r 10,acm:r 10,apigateway:r 10,dynamodb:r 14,logs:DescribeLogGroups 10,logs:DescribeMetricFilters 8,cloudwatch:DescribeAlarms 8,securityhub:r 8,securityhub:BatchImportFindings 4,elasticfilesystem:r 6,elasticache:r 6,es:r 6,backup:r 6,codebuild:r 8,sagemaker:r 6,glue:GetDatabases 4,athena:r 6,wafv2:r 6,events:r 6,states:r 4,cloudformation:r 8,codepipeline:r 4,autoscaling:r 6,kinesis:r 4,health:r 2"},
	{name: "deployment", kind: idAssumedRole, share: 174, count: 8, habits: 0, people: true, role: `<zpick:github-actions-deploy|terraform-<$env>|cdk-hnb659fds-deploy-role|gitlab-runner-<$env>>`, session: `<zpick:GitHubActions|terraform-<dig:19>|gitlab-<dig:7>|cdk-session>`, sessions: 2, hours: 1,
		agents: []string{agentTF, agentTF, agentCLI, agentJS}, origin: fromCI, errors: 52, denied: 35, run: 30,
		calls: "iam:r 200,iam:w 50,iam:CreateAccessKey 1,ec2:r 110,ec2:w 22,s3:r 80,s3:w 16,lambda:r 50,lambda:w 26,ecs:r 30,ecs:w 14,ecr:r 20,ecr:w 30,cloudformation:r 40,cloudformation:w 18,logs:r 26,logs:w 12,kms:r 20,kms:w 5,ssm:GetParameter 20,ssm:PutParameter 8,secretsmanager:r 14,secretsmanager:w 4,sns:r 12,sns:w 4,sqs:r 12,sqs:w 5,dynamodb:r 14,dynamodb:w 4,rds:r 16,rds:w 3,route53:r 14,route53:w 3,elasticloadbalancing:r 20,elasticloadbalancing:w 5,autoscaling:r 8,autoscaling:w 3,cloudwatch:r 10,cloudwatch:w 8,events:r 8,events:w 5,acm:r 6,acm:w 1,cloudfront:r 5,cloudfront:w 3,apigateway:r 6,apigateway:w 3,eks:r 8,eks:w 2,wafv2:r 4,wafv2:w 2,codebuild:r 6,codebuild:w 3,sts:GetCallerIdentity 30,sts:AssumeRole 60,organizations:r 3,glue:r 4,elasticache:r 3,states:w 2,config:w 1,backup:w 1,organizations:w 1,codepipeline:w 3,ssm:AddTagsToResource 2,kinesis:w 1,cloudtrail:w 1"},
	{name: "console-person", kind: idAssumedRole, share: 190, count: 30, habits: 24, people: true, role: `AWSReservedSSO_<zpick:PowerUserAccess|ReadOnlyAccess|AdministratorAccess|DataScientist|Billing>_<hex:16>`, session: `<$first>.<$last>@<org>.example.com`, sessions: 1, stable: true, hours: 8,
		after:  `,"onBehalfOf":{"userId":"<hex:10>-<uuid>","identityStoreArn":"arn:aws:identitystore::<acct>:identitystore/d-9<dig:9>"}`,
		agents: []string{agentBrowser, "AWS Internal", agentConsole, agentBrowser}, origin: fromPeople, console: true, errors: 54, denied: 60, run: 20, long: 80,
		calls: "ec2:r 160,ec2:w 10,s3:r 70,s3:w 4,iam:r 90,cloudwatch:r 60,logs:r 70,lambda:r 50,lambda:w 5,rds:r 30,rds:w 2,ecs:r 40,ecs:w 4,eks:r 14,cloudformation:r 30,cloudformation:w 2,kms:r 16,ssm:r 16,ssm:StartSession 4,ssm:TerminateSession 2,secretsmanager:r 12,dynamodb:r 16,sqs:r 14,sns:r 12,health:r 40,ce:r 20,cloudtrail:LookupEvents 16,cloudtrail:r 8,guardduty:r 10,config:r 10,athena:r 16,athena:StartQueryExecution 8,glue:GetTables 8,glue:GetDatabases 6,tagging:r 14,organizations:r 8,route53:r 8,acm:r 6,codepipeline:r 10,codebuild:r 8,states:r 8,apigateway:r 8,autoscaling:r 8,elasticloadbalancing:r 16,securityhub:r 4,backup:r 4,bedrock:r 4,sagemaker:r 4,events:r 4,guardduty:w 1,codepipeline:w 2,kms:ScheduleKeyDeletion 1,athena:StopQueryExecution 1"},
	{name: "command-person", kind: idAssumedRole, share: 112, count: 24, habits: 14, people: true, role: `AWSReservedSSO_<zpick:PowerUserAccess|ReadOnlyAccess|AdministratorAccess|DataScientist>_<hex:16>`, session: `<$first>.<$last>@<org>.example.com`, sessions: 1, stable: true, hours: 4,
		after:  `,"onBehalfOf":{"userId":"<hex:10>-<uuid>","identityStoreArn":"arn:aws:identitystore::<acct>:identitystore/d-9<dig:9>"}`,
		agents: []string{agentCLI, agentCLI, agentBoto, agentGo}, origin: fromPeople, errors: 64, denied: 60, run: 12, long: 80,
		calls: "sts:GetCallerIdentity 60,eks:DescribeCluster 30,ecr:GetAuthorizationToken 24,s3:ListBuckets 20,s3:GetObject 20,s3:ListObjects 20,s3:r 14,ec2:r 80,ec2:StartInstances 3,ec2:StopInstances 3,logs:FilterLogEvents 30,logs:r 20,logs:StartQuery 12,logs:GetQueryResults 24,lambda:r 20,lambda:Invoke 4,ecs:r 24,ecs:UpdateService 4,ssm:StartSession 12,ssm:GetParameter 14,ssm:r 10,secretsmanager:GetSecretValue 14,secretsmanager:r 6,rds:r 12,cloudformation:r 14,dynamodb:r 12,dynamodb:GetItem 6,athena:r 14,athena:StartQueryExecution 8,glue:r 12,sqs:r 8,iam:r 20,bedrock:Converse 10,sagemaker:r 6,sagemaker:w 2,ssm:SendCommand 3,states:StartExecution 3,tagging:r 4,cloudwatch:r 6"},
	{name: "portal-person", kind: idIdentityCenter, share: 10, count: 24, habits: 0, people: true, role: `<uuid>`, agents: []string{agentBrowser, agentCLI}, origin: fromPeople, errors: 10, run: 3,
		calls: "sso:ListAccounts 30,sso:ListAccountRoles 50,sso:GetRoleCredentials 40"},
	{name: "named-person", kind: idIAMUser, share: 54, count: 14, habits: 18, people: true, role: `<$first>.<$last>`, agents: []string{agentCLI, agentBoto}, origin: fromPeople, errors: 64, denied: 80, run: 8, long: 60,
		calls: "sts:GetCallerIdentity 40,sts:GetSessionToken 10,ec2:r 90,ec2:w 6,s3:r 40,s3:GetObject 20,iam:r 40,iam:w 2,logs:r 30,lambda:r 20,rds:r 20,ecs:r 14,cloudformation:r 14,secretsmanager:r 10,ssm:r 14,dynamodb:r 10,sts:GetFederationToken 4,sts:DecodeAuthorizationMessage 3,kms:r 6,iam:ChangePassword 1"},
	{name: "signing-in", kind: idIAMUser, share: 6, count: 18, habits: 0, people: true, hours: 12, role: `<$first>.<$last>`, agents: []string{agentBrowser}, origin: fromPeople, errors: 0, run: 2,
		calls: "signin:ConsoleLogin 60,signin:ConsoleLogin#nomfa 6,signin:CheckMfa 50,signin:SwitchRole 20,signin:RenewRole 8"},
	{name: "signing-in-directory", kind: idUnknown, share: 2, count: 12, habits: 0, people: true, role: `<$first>.<$last>@<org>.example.com`, agents: []string{agentBrowser}, origin: fromPeople, errors: 0, run: 1,
		calls: "signin:UserAuthentication 10"},
	{name: "saml-person", kind: idSAML, share: 2, count: 16, habits: 0, people: true, role: `<$first>.<$last>@<org>.example.com`, agents: []string{agentBrowser, "aws-internal/3 aws-sdk-java/1.12.<int:600-760> Linux/<$kernel> OpenJDK_64-Bit_Server_VM/25.402-b08 java/1.8.0_402 vendor/Oracle_Corporation cfg/retry-mode/standard"}, origin: fromPeople, errors: 10, run: 1,
		calls: "sts:AssumeRoleWithSAML 10"},
	{name: "legacy-program", kind: idIAMUser, share: 64, count: 16, habits: 5, role: `svc-<$word>-<zpick:uploader|backup|reader|sync>`, agents: []string{agentBoto, agentJava, agentGoOld}, origin: fromVendor, every: 15, errors: 64, denied: 30, run: 8, long: 10,
		calls: "s3:PutObject 50,s3:GetObject 40,s3:ListObjects 26,s3:ListBuckets 30,s3:GetBucketLocation 20,s3:DeleteObject 6,sqs:SendMessage 14,sqs:GetQueueUrl 20,ec2:DescribeInstances 40,ec2:DescribeSnapshots 20,ec2:CreateSnapshot 8,rds:DescribeDBInstances 20,rds:CreateDBSnapshot 3,route53:ListResourceRecordSets 14,route53:ChangeResourceRecordSets 4,cloudwatch:ListMetrics 20,sts:AssumeRole 30,sts:GetCallerIdentity 20,ssm:GetParameter 16,dynamodb:DescribeTable 8"},
	{name: "role-for-service", kind: idService, share: 35, count: 9, habits: 2, role: `<zpick:lambda|ecs-tasks|ec2|autoscaling|config|events|states|glue|backup|ssm|firehose|apigateway|rds>.amazonaws.com`, agents: nil, origin: fromService, errors: 0, run: 1,
		calls: "sts:AssumeRole 100"},
	{name: "keys-for-service", kind: idService, share: 24, count: 6, habits: 3, role: `<zpick:delivery.logs|cloudtrail|secretsmanager|s3|dynamodb|rds|ebs>.amazonaws.com`, agents: nil, origin: fromService, errors: 0, run: 2,
		calls: "kms:GenerateDataKey 40,kms:Decrypt 50,kms:DescribeKey 10,s3:GetBucketAcl 30,kms:CreateGrant 3,kms:RetireGrant 3,kms:GenerateDataKeyWithoutPlaintext 4"},
	{name: "partner", kind: idAccount, share: 60, count: 8, habits: 3, role: `AROA<A32:17>`, session: `<zpick:<$word>-session|<epoch><dig:9>|<hex:12>>`, sessions: 2, hours: 1, agents: []string{agentJS, agentGo, agentJava}, origin: fromVendor, errors: 20, run: 4,
		partition: `<dig:12>`, calls: "kms:Sign 30,kms:Decrypt 40,kms:Encrypt 14,s3:GetObject 16,s3:PutObject 10,s3:ListObjects 4,sts:AssumeRole 50,ecr:BatchGetImage 6,kms:DescribeKey 6,kms:GenerateDataKey 10"},
	{name: "service-event", kind: idNone, share: 9, count: 1, habits: 0, role: `service`, agents: nil, origin: fromService, errors: 0, run: 1,
		calls: "ec2:SharedSnapshotVolumeCreated 10,secretsmanager:SecretVersionDeletion 16,secretsmanager:RotationSucceeded 12,ecr:PolicyExecutionEvent 14,backup:BackupJobCompleted 18,kms:RotateKey 4,elasticfilesystem:NewClientConnection 10"},
	{name: "scaling", kind: idAssumedRole, share: 27, count: 1, habits: 0, role: `AWSServiceRoleForAutoScaling`, session: `AutoScaling`, sessions: 1, stable: true, hours: 1,
		agents: nil, origin: fromService, by: "autoscaling.amazonaws.com", errors: 14, run: 5,
		calls: "ec2:RunInstances 10,ec2:TerminateInstances 10,ec2:CreateTags 8,ec2:DescribeInstances 30,ec2:DescribeInstanceStatus 20,ec2:DescribeLaunchTemplateVersions 10,ec2:DescribeSubnets 8,ec2:DescribeSecurityGroups 6,elasticloadbalancing:RegisterTargets 10,elasticloadbalancing:DeregisterTargets 8,elasticloadbalancing:DescribeTargetHealth 30,cloudwatch:DescribeAlarms 10,cloudwatch:PutMetricAlarm 2,ec2:ModifyNetworkInterfaceAttribute 2"},
	{name: "backups", kind: idAssumedRole, share: 9, count: 1, habits: 0, role: `AWSBackupDefaultServiceRole`, session: `AWSBackup-<$word>`, sessions: 2, hours: 1,
		agents: nil, origin: fromService, by: "backup.amazonaws.com", every: 60, errors: 10, run: 8,
		calls: "ec2:CreateSnapshot 20,ec2:DeleteSnapshot 12,ec2:DescribeSnapshots 40,ec2:DescribeVolumes 20,ec2:CreateTags 8,rds:CreateDBSnapshot 4,rds:DeleteDBSnapshot 3,rds:DescribeDBSnapshots 10,backup:w 6,backup:r 10,dynamodb:DescribeTable 6,tagging:GetResources 6,kms:DescribeKey 6"},
	{name: "data-pipeline", kind: idAssumedRole, share: 55, count: 10, habits: 9, role: `<zpick:AWSGlueServiceRole-<$word>|<$word>-etl-role|emr-<$word>-runtime|airflow-<$env>-execution>`, session: `<zpick:GlueJobRunnerSession|<$word>-<epoch>|i-0<hex:16>>`, sessions: 2, hours: 3,
		agents: []string{agentJava, agentBoto}, origin: fromNAT, endpoint: 280, every: 60, errors: 52, denied: 20, run: 14, long: 10,
		calls: "glue:GetTable 50,glue:GetPartitions 40,glue:BatchGetPartition 16,glue:GetDatabase 24,glue:GetPartition 14,glue:BatchCreatePartition 4,glue:UpdateTable 3,glue:StartJobRun 8,glue:GetJobRun 24,glue:StartCrawler 2,athena:StartQueryExecution 14,athena:GetQueryExecution 40,athena:GetQueryResults 16,s3:GetObject 44,s3:PutObject 34,s3:ListObjects 24,s3:HeadObject 16,s3:DeleteObject 8,kms:Decrypt 20,kms:GenerateDataKey 16,kinesis:GetRecords 20,kinesis:DescribeStream 10,kinesis:ListShards 8,kinesis:GetShardIterator 6,logs:CreateLogStream 16,secretsmanager:GetSecretValue 8,sts:AssumeRole 24,dynamodb:BatchWriteItem 4,dynamodb:DescribeStream 4,dynamodb:GetShardIterator 4,sagemaker:CreateTrainingJob 2,sagemaker:DescribeTrainingJob 6,cloudwatch:ListMetrics 3"},
	{name: "stack-engine", kind: idAssumedRole, share: 41, people: true, count: 3, habits: 0, role: `cdk-hnb659fds-cfn-exec-role-<acct>-<$env>`, session: `AWSCloudFormation`, sessions: 1, stable: true, hours: 1,
		agents: nil, origin: fromService, by: "cloudformation.amazonaws.com", errors: 20, denied: 10, run: 20, calls: "iam:w 40,iam:r 80,lambda:w 24,lambda:r 40,logs:w 10,logs:r 10,ec2:w 10,ec2:r 40,sqs:w 4,sqs:r 6,sns:w 4,sns:r 6,dynamodb:w 4,dynamodb:r 8,events:w 6,events:r 6,s3:w 6,s3:r 14,ssm:GetParameters 10,ssm:PutParameter 3,cloudwatch:w 6,kms:r 4,apigateway:w 4,apigateway:r 6,ecs:w 4,elasticloadbalancing:w 3"},
	{name: "key-rotation", kind: idAssumedRole, share: 2, count: 1, habits: 0, role: `key-rotation-role`, session: `rotate-access-keys`, sessions: 1, stable: true, hours: 12, agents: []string{agentBoto}, origin: fromLambda, every: 720, errors: 10, run: 8, global: true,
		calls: "iam:ListUsers 10,iam:ListAccessKeys 30,iam:GetAccessKeyLastUsed 30,iam:CreateAccessKey 3,iam:UpdateAccessKey 3,iam:DeleteAccessKey 3,secretsmanager:PutSecretValue 3"},
	{name: "federated-person", kind: idFederatedUser, share: 8, people: true, count: 6, habits: 8, role: `<$first>`, sessions: 1, hours: 12, agents: []string{agentBrowser, agentCLI}, origin: fromPeople, errors: 20, denied: 120, run: 5,
		calls: "ec2:r 40,s3:r 30,s3:GetObject 10,cloudwatch:r 20,logs:r 20,athena:r 10,rds:r 10"},
	{name: "owner", kind: idRoot, share: 1, people: true, count: 1, habits: 0, role: `root`, hours: 12, agents: []string{agentBrowser}, origin: fromPeople, errors: 0, run: 3, global: true,
		calls: "iam:GetAccountSummary 20,iam:ListMFADevices 10,iam:ListAccessKeys 10,ce:r 10,organizations:DescribeOrganization 10,health:r 10"},
}
