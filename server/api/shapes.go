package api

// The shapes of CloudTrail's interface, model 2013-11-01; shape.go tells the notation.

// patterns are named texts: lengths, and which bytes they are of.
var patterns = map[string]shape{
	"Ref":      {kind: textKind, min: 3, max: 256, pattern: "[a-zA-Z0-9._/-:]", legal: func(c byte) bool { return alnum(c) || in(c, "._/-:") }},
	"Uuid":     {kind: textKind, min: 36, max: 36, pattern: "[a-f0-9-]", legal: func(c byte) bool { return digit(c) || c >= 'a' && c <= 'f' || c == '-' }},
	"Name":     {kind: textKind, min: 3, max: 128, pattern: "[a-zA-Z0-9._-]", legal: func(c byte) bool { return alnum(c) || in(c, "._-") }},
	"DashName": {kind: textKind, min: 3, max: 128, pattern: "[a-zA-Z0-9_-]", legal: func(c byte) bool { return alnum(c) || in(c, "_-") }},
	"DashRef":  {kind: textKind, min: 3, max: 256, pattern: "[a-zA-Z0-9._/-:]", legal: func(c byte) bool { return alnum(c) || in(c, "._/-:") }},
	"Acct":     {kind: textKind, min: 12, max: 16, pattern: "[0-9]", legal: digit},
	"Tok":      {kind: textKind, min: 4, max: 1000},
	"Sql":      {kind: textKind, min: 1, max: 10_000},
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

func alnum(c byte) bool { return digit(c) || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

func in(c byte, set string) bool {
	for i := range len(set) {
		if set[i] == c {
			return true
		}
	}
	return false
}

// groups are members that several answers have.
var groups = map[string]string{
	"EDS_OUT": `EventDataStoreArn, Name, Status EventDataStoreStatus, AdvancedEventSelectors [AdvancedEventSelector], MultiRegionEnabled bool, OrganizationEnabled bool, RetentionPeriod int(7-3653),
		TerminationProtectionEnabled bool, CreatedTimestamp ts, UpdatedTimestamp ts, KmsKeyId, BillingMode BillingMode`,
	"TRAIL_OUT": `Name, S3BucketName, S3KeyPrefix, SnsTopicName, SnsTopicARN, IncludeGlobalServiceEvents bool, IsMultiRegionTrail bool, TrailARN, LogFileValidationEnabled bool,
		CloudWatchLogsLogGroupArn, CloudWatchLogsRoleArn, KmsKeyId, IsOrganizationTrail bool`,
	"IMPORT_OUT": `ImportId, Destinations [str], ImportSource ImportSource, StartEventTime ts, EndEventTime ts, ImportStatus ImportStatus, CreatedTimestamp ts, UpdatedTimestamp ts`,
}

// structures are parts of requests and answers.
var structures = map[string]string{
	"AuditEvent":                      `id* str(1-128), eventData* str, eventDataChecksum str`,
	"AuditResult":                     `id* str, eventID* str`,
	"AuditFailure":                    `id* str, errorCode* str(1-128), errorMessage* str(1-1024)`,
	"AdvancedEventSelector":           `Name str(0-1000), FieldSelectors* [AdvancedFieldSelector](1-)`,
	"AdvancedFieldSelector":           `Field* str(1-1000), Equals [str(1-2048)](1-), StartsWith [str(1-2048)](1-), EndsWith [str(1-2048)](1-), NotEquals [str(1-2048)](1-), NotStartsWith [str(1-2048)](1-), NotEndsWith [str(1-2048)](1-)`,
	"AggregationConfiguration":        `Templates* [Template](1-50), EventCategory* EventCategoryAggregation`,
	"Channel":                         `ChannelArn Ref, Name Name`,
	"ContextKeySelector":              `Type* Type, Equals* [str(1-128)](1-50)`,
	"DashboardDetail":                 `DashboardArn DashRef, Type DashboardType`,
	"DataResource":                    `Type, Values [str]`,
	"Destination":                     `Type* DestinationType, Location* str(3-1024)`,
	"Event":                           `EventId, EventName, ReadOnly, AccessKeyId, EventTime ts, EventSource, Username, Resources [Resource], CloudTrailEvent`,
	"EventDataStore":                  `EventDataStoreArn Ref, Name Name, TerminationProtectionEnabled bool, Status EventDataStoreStatus, AdvancedEventSelectors [AdvancedEventSelector], MultiRegionEnabled bool, OrganizationEnabled bool, RetentionPeriod int(7-3653), CreatedTimestamp ts, UpdatedTimestamp ts`,
	"EventSelector":                   `ReadWriteType ReadWriteType, IncludeManagementEvents bool, DataResources [DataResource], ExcludeManagementEventSources [str]`,
	"ImportFailureListItem":           `Location, Status ImportFailureStatus, ErrorType, ErrorMessage, LastUpdatedTime ts`,
	"ImportSource":                    `S3* S3ImportSource`,
	"ImportStatistics":                `PrefixesFound long, PrefixesCompleted long, FilesCompleted long, EventsCompleted long, FailedEntries long`,
	"ImportsListItem":                 `ImportId Uuid, ImportStatus ImportStatus, Destinations [Ref](1-1), CreatedTimestamp ts, UpdatedTimestamp ts`,
	"IngestionStatus":                 `LatestIngestionSuccessTime ts, LatestIngestionSuccessEventID Uuid, LatestIngestionErrorCode Tok, LatestIngestionAttemptTime ts, LatestIngestionAttemptEventID Uuid`,
	"InsightSelector":                 `InsightType InsightType, EventCategories [SourceEventCategory]`,
	"LookupAttribute":                 `AttributeKey* LookupAttributeKey, AttributeValue* str(1-2000)`,
	"PartitionKey":                    `Name* str(1-255), Type* str(0-255)`,
	"PublicKey":                       `Value blob, ValidityStartTime ts, ValidityEndTime ts, Fingerprint`,
	"Query":                           `QueryId Uuid, QueryStatus QueryStatus, CreationTime ts`,
	"QueryStatistics":                 `ResultsCount int, TotalResultsCount int, BytesScanned long`,
	"QueryStatisticsForDescribeQuery": `EventsMatched long, EventsScanned long, BytesScanned long, ExecutionTimeInMillis int, CreationTime ts`,
	"RefreshSchedule":                 `Frequency RefreshScheduleFrequency, Status RefreshScheduleStatus, TimeOfDay`,
	"RefreshScheduleFrequency":        `Unit RefreshScheduleFrequencyUnit, Value int`,
	"RequestWidget":                   `QueryStatement* Sql, QueryParameters [str(1-1024)](1-10), ViewProperties* {Name:str(1-128)}`,
	"Resource":                        `ResourceType, ResourceName`,
	"ResourceTag":                     `ResourceId, TagsList [Tag](0-200)`,
	"S3ImportSource":                  `S3LocationUri*, S3BucketRegion*, S3BucketAccessRoleArn*`,
	"SearchSampleQueriesSearchResult": `Name, Description, SQL, Relevance float`,
	"SourceConfig":                    `ApplyToAllRegions bool, AdvancedEventSelectors [AdvancedEventSelector]`,
	"Tag":                             `Key* str(1-128), Value str(1-256)`,
	"Trail":                           `Name, S3BucketName, S3KeyPrefix, SnsTopicName, SnsTopicARN, IncludeGlobalServiceEvents bool, IsMultiRegionTrail bool, HomeRegion, TrailARN, LogFileValidationEnabled bool, CloudWatchLogsLogGroupArn, CloudWatchLogsRoleArn, KmsKeyId, HasCustomEventSelectors bool, HasInsightSelectors bool, IsOrganizationTrail bool`,
	"TrailInfo":                       `TrailARN, Name, HomeRegion`,
	"Widget":                          `QueryAlias str(1-256), QueryStatement Sql, QueryParameters [str(1-1024)](1-10), ViewProperties {Name:str(1-128)}`,
}

// enumerations are the values of texts that have few.
var enumerations = map[string]string{
	"BillingMode":                  "EXTENDABLE_RETENTION_PRICING FIXED_RETENTION_PRICING",
	"DashboardStatus":              "CREATING CREATED UPDATING UPDATED DELETING",
	"DashboardType":                "MANAGED CUSTOM",
	"DeliveryStatus":               "SUCCESS FAILED FAILED_SIGNING_FILE PENDING RESOURCE_NOT_FOUND ACCESS_DENIED ACCESS_DENIED_SIGNING_FILE CANCELLED UNKNOWN",
	"DestinationType":              "EVENT_DATA_STORE AWS_SERVICE",
	"EventCategory":                "insight",
	"EventCategoryAggregation":     "Data",
	"EventDataStoreStatus":         "CREATED ENABLED PENDING_DELETION STARTING_INGESTION STOPPING_INGESTION STOPPED_INGESTION",
	"FederationStatus":             "ENABLING ENABLED DISABLING DISABLED",
	"ImportFailureStatus":          "FAILED RETRY SUCCEEDED",
	"ImportStatus":                 "INITIALIZING IN_PROGRESS FAILED STOPPED COMPLETED",
	"InsightType":                  "ApiCallRateInsight ApiErrorRateInsight",
	"InsightsMetricDataType":       "FillWithZeros NonZeroData",
	"ListInsightsDataDimensionKey": "EventId EventName EventSource",
	"ListInsightsDataType":         "InsightsEvents",
	"LookupAttributeKey":           "EventId EventName ReadOnly Username ResourceType ResourceName EventSource AccessKeyId",
	"MaxEventSize":                 "Standard Large",
	"QueryStatus":                  "QUEUED RUNNING FINISHED FAILED CANCELLED TIMED_OUT",
	"ReadWriteType":                "ReadOnly WriteOnly All",
	"RefreshScheduleFrequencyUnit": "HOURS DAYS",
	"RefreshScheduleStatus":        "ENABLED DISABLED",
	"SourceEventCategory":          "Management Data",
	"Template":                     "API_ACTIVITY RESOURCE_ACCESS USER_ACTIONS",
	"Type":                         "TagContext RequestContext",
}
