package event

import "github.com/cairndb/cairn/segment/column"

// The five schemas. A record of one kind can be read through the table of
// another: what it does not have is NULL.
var (
	// CloudTrail is the schema for API, sign-in, service, data and
	// network-activity events.
	CloudTrail = newTable(0, "cloudtrail", "CloudTrail events", []Category{Management, Data, NetworkActivity},
		text("eventversion", "eventVersion"),
		row("useridentity", "userIdentity",
			text("type", "type"),
			text("principalid", "principalId"),
			text("arn", "arn"),
			text("accountid", "accountId"),
			text("accesskeyid", "accessKeyId"),
			text("username", "userName"),
			row("sessioncontext", "sessionContext",
				row("attributes", "attributes",
					timestamp("creationdate", "creationDate"),
					text("mfaauthenticated", "mfaAuthenticated")),
				row("sessionissuer", "sessionIssuer",
					text("type", "type"),
					text("principalid", "principalId"),
					text("arn", "arn"),
					text("accountid", "accountId"),
					text("username", "userName")),
				row("webidfederationdata", "webIdFederationData",
					text("federatedprovider", "federatedProvider"),
					textMap("attributes", "attributes")),
				text("sourceidentity", "sourceIdentity"),
				text("ec2roledelivery", "ec2RoleDelivery"),
				text("ec2issuedinvpc", "ec2IssuedInVpc")),
			row("onbehalfof", "onBehalfOf",
				text("userid", "userId"),
				text("identitystorearn", "identityStoreArn")),
			row("inscopeof", "inScopeOf",
				text("sourcearn", "sourceArn"),
				text("sourceaccount", "sourceAccount"),
				text("issuertype", "issuerType"),
				text("credentialsissuedto", "credentialsIssuedTo").alias("credentiaisissuedto")),
			text("invokedby", "invokedBy"),
			text("identityprovider", "identityProvider")),
		timestamp("eventtime", "eventTime"),
		text("eventsource", "eventSource"),
		text("eventname", "eventName"),
		text("awsregion", "awsRegion"),
		text("sourceipaddress", "sourceIPAddress"),
		text("useragent", "userAgent"),
		text("errorcode", "errorCode"),
		text("errormessage", "errorMessage"),
		textMap("requestparameters", "requestParameters"),
		textMap("responseelements", "responseElements"),
		textMap("additionaleventdata", "additionalEventData"),
		text("requestid", "requestID"),
		text("eventid", "eventID").or("eventId"),
		boolean("readonly", "readOnly"),
		rows("resources", "resources",
			text("accountid", "accountId"),
			text("type", "type"),
			text("arn", "ARN"),
			text("arnprefix", "ARNPrefix")),
		text("eventtype", "eventType"),
		text("apiversion", "apiVersion"),
		boolean("managementevent", "managementEvent"),
		text("recipientaccountid", "recipientAccountId"),
		text("sharedeventid", "sharedEventID"),
		text("annotation", "annotation"),
		text("vpcendpointid", "vpcEndpointId"),
		text("vpcendpointaccountid", "vpcEndpointAccountId"),
		textMap("serviceeventdetails", "serviceEventDetails"),
		textMap("addendum", "addendum"),
		textMap("edgedevicedetails", "edgeDeviceDetails"),
		textMap("insightdetails", "insightDetails"),
		text("eventcategory", "eventCategory"),
		row("tlsdetails", "tlsDetails",
			text("tlsversion", "tlsVersion"),
			text("ciphersuite", "cipherSuite"),
			text("clientprovidedhostheader", "clientProvidedHostHeader"),
			text("keyexchange", "keyExchange")),
		text("sessioncredentialfromconsole", "sessionCredentialFromConsole"),
		wholeRecord(),
		checksum(),
		row("eventcontext", "eventContext",
			textMap("requestcontext", "requestContext"),
			row("tagcontext", "tagContext",
				rows("resourcetags", "resourceTags",
					text("arn", "arn"),
					textMap("tags", "tags")),
				textMap("principaltags", "principalTags"))),
	)

	// Insights is the schema for Insights events. It reads the flat form that
	// event data stores hold and the nested form that trails deliver.
	Insights = newTable(1, "insights", "Insights events", []Category{Insight},
		text("eventversion", "eventVersion"),
		text("eventcategory", "eventCategory"),
		text("eventtype", "eventType"),
		text("eventid", "eventID"),
		timestamp("eventtime", "eventTime"),
		text("awsregion", "awsRegion"),
		text("recipientaccountid", "recipientAccountId"),
		text("sharedeventid", "sharedEventID"),
		textMap("addendum", "addendum"),
		text("insightsource", "insightSource"),
		text("insightstate", "insightState").or("insightDetails", "state"),
		text("insighteventsource", "insightEventSource").or("insightDetails", "eventSource"),
		text("insighteventname", "insightEventName").or("insightDetails", "eventName"),
		text("insighterrorcode", "insightErrorCode").or("insightDetails", "errorCode"),
		text("insighttype", "insightType").or("insightDetails", "insightType"),
		row("insightcontext", "insightContext",
			number("baselineaverage", "baselineAverage").or("statistics", "baseline", "average"),
			number("insightaverage", "insightAverage").or("statistics", "insight", "average"),
			integer("baselineduration", "baselineDuration").or("statistics", "baselineDuration"),
			integer("insightduration", "insightDuration").or("statistics", "insightDuration"),
			rows("attributions", "attributions",
				text("attribute", "attribute"),
				text("insightvalue", "insightValue"),
				number("insightaverage", "insightAverage"),
				text("baselinevalue", "baselineValue"),
				number("baselineaverage", "baselineAverage"),
				rows("insight", "insight", text("value", "value"), number("average", "average")),
				rows("baseline", "baseline", text("value", "value"), number("average", "average"))),
		).or("insightDetails", "insightContext"),
		wholeRecord(),
		checksum(),
	)

	// ConfigurationItems is the schema for AWS Config items.
	ConfigurationItems = newTable(2, "configuration", "configuration items", []Category{ConfigurationItem},
		text("eventversion", "eventVersion"),
		text("eventcategory", "eventCategory"),
		text("eventtype", "eventType"),
		text("eventid", "eventID"),
		timestamp("eventtime", "eventTime"),
		text("awsregion", "awsRegion"),
		text("recipientaccountid", "recipientAccountId"),
		textMap("addendum", "addendum"),
		row("eventdata", "eventData",
			text("configurationitemversion", "configurationItemVersion").or("version"),
			text("configurationitemcapturetime", "configurationItemCaptureTime"),
			text("configurationitemstatus", "configurationItemStatus"),
			text("configurationitemstateid", "configurationItemStateId").or("configurationStateId"),
			text("accountid", "accountId").or("awsAccountId"),
			text("resourcetype", "resourceType"),
			text("resourceid", "resourceId"),
			text("resourcename", "resourceName"),
			text("arn", "arn").or("ARN"),
			text("awsregion", "awsRegion"),
			text("availabilityzone", "availabilityZone"),
			text("resourcecreationtime", "resourceCreationTime"),
			textMap("configuration", "configuration"),
			textMap("supplementaryconfiguration", "supplementaryConfiguration"),
			text("relatedevents", "relatedEvents"),
			rows("relationships", "relationships",
				text("name", "name").or("relationshipName"),
				text("resourcetype", "resourceType"),
				text("resourceid", "resourceId"),
				text("resourcename", "resourceName")),
			textMap("tags", "tags")),
		wholeRecord(),
		checksum(),
	)

	// EvidenceItems is the schema for Audit Manager evidence.
	EvidenceItems = newTable(3, "evidence", "Audit Manager evidence", []Category{Evidence},
		text("eventversion", "eventVersion"),
		text("eventcategory", "eventCategory"),
		text("eventtype", "eventType"),
		text("eventid", "eventID"),
		timestamp("eventtime", "eventTime"),
		text("awsregion", "awsRegion"),
		text("recipientaccountid", "recipientAccountId"),
		textMap("addendum", "addendum"),
		row("eventdata", "eventData",
			textMap("attributes", "attributes"),
			text("awsaccountid", "awsAccountId"),
			text("awsorganization", "awsOrganization"),
			text("compliancecheck", "complianceCheck"),
			text("datasource", "dataSource"),
			text("eventname", "eventName"),
			text("eventsource", "eventSource"),
			text("evidenceawsaccountid", "evidenceAwsAccountId"),
			text("evidencebytype", "evidenceByType"),
			text("iamid", "iamId"),
			text("evidenceid", "evidenceId"),
			timestamp("time", "time"),
			text("assessmentid", "assessmentId"),
			text("controlsetid", "controlSetId"),
			text("controlid", "controlId"),
			text("controlname", "controlName"),
			text("controldomainname", "controlDomainName"),
			text("frameworkname", "frameworkName"),
			text("frameworkid", "frameworkId"),
			text("service", "service"),
			text("servicecategory", "serviceCategory"),
			text("resourcearn", "resourceArn"),
			text("resourcetype", "resourceType"),
			text("evidencefolderid", "evidenceFolderId"),
			text("description", "description"),
			text("manualevidences3resourcepath", "manualEvidenceS3ResourcePath"),
			text("evidencefoldername", "evidenceFolderName"),
			text("resourcecompliancecheck", "resourceComplianceCheck")),
		wholeRecord(),
		checksum(),
	)

	// ExternalEvents is the schema for events from outside AWS that came in
	// through a channel.
	ExternalEvents = newTable(4, "activity", "events from outside", []Category{ActivityAuditLog},
		text("eventversion", "eventVersion"),
		text("eventcategory", "eventCategory"),
		text("eventtype", "eventType"),
		text("eventid", "eventID"),
		timestamp("eventtime", "eventTime"),
		text("awsregion", "awsRegion"),
		text("recipientaccountid", "recipientAccountId"),
		row("addendum", "addendum",
			text("reason", "reason"),
			text("updatedfields", "updatedFields"),
			text("originaluid", "originalUID"),
			text("originaleventid", "originalEventID")),
		row("metadata", "metadata",
			text("ingestiontime", "ingestionTime"),
			text("channelarn", "channelARN")),
		row("eventdata", "eventData",
			text("version", "version"),
			row("useridentity", "userIdentity",
				text("type", "type"),
				text("principalid", "principalId"),
				textMap("details", "details")),
			text("useragent", "userAgent"),
			text("eventsource", "eventSource"),
			text("eventname", "eventName"),
			text("eventtime", "eventTime"),
			text("uid", "UID"),
			textMap("requestparameters", "requestParameters"),
			textMap("responseelements", "responseElements"),
			text("errorcode", "errorCode"),
			text("errormessage", "errorMessage").alias("errormssage"),
			text("sourceipaddress", "sourceIPAddress"),
			text("recipientaccountid", "recipientAccountId"),
			textMap("additionaleventdata", "additionalEventData")),
		wholeRecord(),
		checksum(),
	)

	tables = []*Table{CloudTrail, Insights, ConfigurationItems, EvidenceItems, ExternalEvents}
)

// mapType is the type of every map column.
var mapType = column.MapOf(column.VarcharType, column.VarcharType)

func newTable(number uint32, key, name string, categories []Category, columns ...Column) *Table {
	return &Table{Number: number, Key: key, Name: name, Categories: categories, Columns: columns}
}

func scalar(name, key string, m Mapping, t *column.Type) Column {
	return Column{Name: name, Type: t, Mapping: m, Paths: [][]string{{key}}}
}

func text(name, key string) Column      { return scalar(name, key, Text, column.VarcharType) }
func boolean(name, key string) Column   { return scalar(name, key, Bool, column.BooleanType) }
func timestamp(name, key string) Column { return scalar(name, key, Time, column.TimestampType) }
func number(name, key string) Column    { return scalar(name, key, Float, column.DoubleType) }
func integer(name, key string) Column   { return scalar(name, key, Int, column.IntegerType) }
func textMap(name, key string) Column   { return scalar(name, key, TextMap, mapType) }

func row(name, key string, members ...Column) Column {
	c := scalar(name, key, Row, rowType(members))
	c.Members = members
	return c
}

func rows(name, key string, members ...Column) Column {
	c := scalar(name, key, Rows, column.ArrayOf(rowType(members)))
	c.Members = members
	return c
}

func rowType(members []Column) *column.Type {
	fields := make([]column.Field, len(members))
	for i, m := range members {
		fields[i] = column.Field{Name: m.Name, Type: m.Type}
	}
	return column.RowOf(fields...)
}

func wholeRecord() Column {
	return Column{Name: "eventjson", Type: column.VarcharType, Mapping: Record}
}

func checksum() Column {
	return Column{Name: "eventjsonchecksum", Type: column.VarcharType, Mapping: Checksum}
}

// alias gives the column another name.
func (c Column) alias(name string) Column {
	c.Aliases = append(c.Aliases, name)
	return c
}

// or gives the column another place in the record, asked after the others.
func (c Column) or(path ...string) Column {
	c.Paths = append(c.Paths, path)
	return c
}
