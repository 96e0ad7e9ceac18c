// Package mapping turns records of other products' audit logs into events of the
// schema for activity from outside (event.ExternalEvents), and configuration items and Audit
// Manager evidence into theirs.
//
// # Using it
//
//	m, err := mapping.Called("okta")             // or mapping.Parse(text of a mapping file)
//	events, err := m.Map(record, mapping.Options{Account: "123456789012"})
//
// With events of AWS in a store events and others in a store activity, this asks who did what, from where,
// in the last day:
//
//	SELECT eventTime AS at, coalesce(userIdentity.userName, userIdentity.arn) AS who, eventSource AS product, eventName AS what, sourceIPAddress AS origin
//	FROM events WHERE eventTime > now() - INTERVAL '1' DAY
//	UNION ALL
//	SELECT eventTime, eventData.userIdentity.principalId, eventData.eventSource, eventData.eventName, eventData.sourceIPAddress
//	FROM activity WHERE eventTime > now() - INTERVAL '1' DAY
//	ORDER BY at DESC
//
// The mapping "cloudtrail" brings AWS's events into the same store as the others, where the second half
// alone asks about all of them.
//
// Every event is a whole record for a store. It has the bytes of the record that it was made
// of, exactly, in eventData.additionalEventData.original; and it depends on that record and the
// options alone, ID included, so that what is imported twice is told as a duplicate. A record that
// cannot be mapped is a [*Refusal], which says which member is missing or wrong.
//
// Pages of APIs ({"items":[…]}, {"value":[…]} and others) and events of log services, whose member message
// is the record's text, are taken apart.
//
// "auto" (see [Auto]) asks every built-in mapping whether a record is one of its product; a
// record that none of them knows is refused.
//
// # Mapping files
//
// The built-in mappings of products are mapping files themselves, in the folder builtin: they are the
// examples. A mapping file is one JSON object; members that are not listed here are refused.
//
//	mapping            1, the version of the format
//	product            a word, which event IDs depend on: do not change it
//	title              for people
//	detect             when "auto" takes the mapping: a list of lists of conditions; all conditions of
//	                   one list must hold. A condition is a path that must be there, path=text,
//	                   or several of them with | between, of which one must hold.
//	each               path of an array: every element makes an event of its own, and
//	                   placeholders look into the element first. Without such an array the record is
//	                   one event.
//	eventSource        templates; required
//	eventName          templates; required
//	eventTime          templates; required; texts that event.ParseTime reads, dates, and
//	                   numbers of seconds, milliseconds, microseconds or nanoseconds since 1970
//	uid                templates; the record's own ID. Without one, the hash of the record.
//	userType           templates; "Unknown" when none is there
//	principalId        templates; required
//	userDetails        object of templates
//	userAgent, sourceIPAddress, errorCode, errorMessage
//	                   templates. What is no IP address is left out. Error codes and messages
//	                   are cut at 256 bytes.
//	success            list of {"of": template, and "is": [texts], "not": [texts] or "below": number}.
//	                   The first whose template is there decides; after a success the event
//	                   has no error. Without any, it has an error when errorCode is there.
//	requestParameters, responseElements, additionalEventData
//	                   objects of templates
//
// A template is text with paths in braces: "{verb} {objectRef.resource}". It is there when all its
// paths are; text without braces always is. "{{" stands for a brace. Where one template may stand, so
// may a list of them: the first that is there counts. In the objects a template that is a
// single path copies the value as it is, objects and arrays too.
//
// A path is member names with dots between, compared exactly first and then without
// regard to case; \. is a dot in a name, and a number is the place of an element of an array, from 0.
// Null and "" count as not there.
//
// # What is cut and what is refused
//
// The limits of the PutAuditEvents call hold for names, IDs and agents: an event that breaks them is
// refused. [Options.OriginalMax] is for channels, which limit additionalEventData: a larger original
// is replaced by its length and SHA-256. An import keeps it.
//
// A Mapping is read-only and may be used by many goroutines.
package mapping
