package main

// A question is asked of every engine in its own words. The first Compare
// columns of all answers must be equal, as text, row by row.
type question struct {
	Name, What string
	Cairn      string
	Duck       string
	Compare    int
}

// Placeholders in the texts, filled from the data: {id} an event ID, {key} an
// access key, {arn} a principal, {name} {address} and {from} {to} a needle,
// {hour} {hourend} one hour, {token} an instance ID that few requests name.
var questions = []question{
	{"Q1", "count of all events",
		`SELECT count(*) FROM events`,
		`SELECT count(*) FROM events`, 1},
	{"Q2", "top 10 event names",
		`SELECT eventName, count(*) AS n FROM events GROUP BY eventName ORDER BY n DESC, eventName LIMIT 10`,
		`SELECT eventName, count(*) AS n FROM events GROUP BY eventName ORDER BY n DESC, eventName LIMIT 10`, 2},
	{"Q3", "errors by source and code",
		`SELECT eventSource, errorCode, count(*) AS n FROM events WHERE errorCode IS NOT NULL GROUP BY eventSource, errorCode ORDER BY n DESC, eventSource, errorCode`,
		`SELECT eventSource, errorCode, count(*) AS n FROM events WHERE errorCode IS NOT NULL GROUP BY eventSource, errorCode ORDER BY n DESC, eventSource, errorCode`, 3},
	{"Q4", "one event by ID, full record",
		`SELECT eventID, eventJson FROM events WHERE eventID = '{id}'`,
		`SELECT eventID, * EXCLUDE (eventID) FROM events WHERE eventID = '{id}'`, 1},
	{"Q5", "newest 50 of one access key, full records",
		`SELECT eventTime, eventJson FROM events WHERE userIdentity.accessKeyId = '{key}' ORDER BY eventTime DESC LIMIT 50`,
		`SELECT strftime(eventTime, '%Y-%m-%d %H:%M:%S.%g'), * FROM events WHERE userIdentity.accessKeyId = '{key}' ORDER BY eventTime DESC LIMIT 50`, 1},
	{"Q6", "one hour, full records",
		`SELECT eventID, eventJson FROM events WHERE eventTime >= timestamp '{hour}' AND eventTime < timestamp '{hourend}' ORDER BY eventID`,
		`SELECT eventID, * EXCLUDE (eventID) FROM events WHERE eventTime >= timestamp '{hour}' AND eventTime < timestamp '{hourend}' ORDER BY eventID`, 1},
	{"Q7", "one principal by event name",
		`SELECT eventName, count(*) AS n FROM events WHERE userIdentity.arn = '{arn}' GROUP BY eventName ORDER BY n DESC, eventName`,
		`SELECT eventName, count(*) AS n FROM events WHERE userIdentity.arn = '{arn}' GROUP BY eventName ORDER BY n DESC, eventName`, 2},
	{"Q8", "distinct addresses per principal, top 20",
		`SELECT userIdentity.arn, count(DISTINCT sourceIPAddress) AS n FROM events WHERE userIdentity.arn IS NOT NULL GROUP BY userIdentity.arn ORDER BY n DESC, userIdentity.arn LIMIT 20`,
		`SELECT userIdentity.arn, count(DISTINCT sourceIPAddress) AS n FROM events WHERE userIdentity.arn IS NOT NULL GROUP BY userIdentity.arn ORDER BY n DESC, userIdentity.arn LIMIT 20`, 2},
	{"Q9", "errors per hour",
		`SELECT date_trunc('hour', eventTime) AS hour, count(*) AS n FROM events WHERE errorCode IS NOT NULL GROUP BY 1 ORDER BY 1`,
		`SELECT strftime(date_trunc('hour', eventTime), '%Y-%m-%d %H:%M:%S.%g') AS hour, count(*) AS n FROM events WHERE errorCode IS NOT NULL GROUP BY 1 ORDER BY 1`, 2},
	{"Q10", "rare token in request parameters",
		`SELECT eventID FROM events WHERE any_match(map_values(requestParameters), v -> v LIKE '%{token}%') ORDER BY eventID`,
		`SELECT eventID FROM events WHERE requestParameters::VARCHAR LIKE '%{token}%' ORDER BY eventID`, 1},
	{"Q11", "top 20 buckets",
		`SELECT element_at(requestParameters, 'bucketName') AS b, count(*) AS n FROM events WHERE element_at(requestParameters, 'bucketName') IS NOT NULL GROUP BY element_at(requestParameters, 'bucketName') ORDER BY n DESC, b LIMIT 20`,
		`SELECT json_extract_string(requestParameters, '$.bucketName') AS b, count(*) AS n FROM events WHERE json_extract_string(requestParameters, '$.bucketName') IS NOT NULL GROUP BY 1 ORDER BY n DESC, b LIMIT 20`, 2},
	{"Q12", "sign-in without MFA, then a new access key",
		`SELECT l.userIdentity.arn AS who, l.eventTime AS signed, k.eventID FROM events l JOIN events k ON k.userIdentity.arn = l.userIdentity.arn AND k.eventTime >= l.eventTime AND k.eventTime <= l.eventTime + interval '1' hour WHERE l.eventName = 'ConsoleLogin' AND element_at(l.additionalEventData, 'MFAUsed') = 'No' AND k.eventName = 'CreateAccessKey' ORDER BY who, signed, k.eventID`,
		`SELECT l.userIdentity.arn AS who, strftime(l.eventTime, '%Y-%m-%d %H:%M:%S.%g') AS signed, k.eventID FROM events l JOIN events k ON k.userIdentity.arn = l.userIdentity.arn AND k.eventTime >= l.eventTime AND k.eventTime <= l.eventTime + INTERVAL 1 HOUR WHERE l.eventName = 'ConsoleLogin' AND json_extract_string(l.additionalEventData, '$.MFAUsed') = 'No' AND k.eventName = 'CreateAccessKey' ORDER BY who, signed, k.eventID`, 3},
	{"Q13", "newest 50, full records",
		`SELECT eventTime, eventJson FROM events ORDER BY eventTime DESC LIMIT 50`,
		`SELECT strftime(eventTime, '%Y-%m-%d %H:%M:%S.%g'), * FROM events ORDER BY eventTime DESC LIMIT 50`, 1},
	{"Q14", "first event per principal and day",
		`SELECT day, count(*) AS n FROM (SELECT date_trunc('day', eventTime) AS day, row_number() OVER (PARTITION BY userIdentity.arn, date_trunc('day', eventTime) ORDER BY eventTime, eventID) AS nth FROM events WHERE userIdentity.arn IS NOT NULL) AS t WHERE nth = 1 GROUP BY day ORDER BY day`,
		`SELECT strftime(day, '%Y-%m-%d %H:%M:%S.%g'), count(*) AS n FROM (SELECT date_trunc('day', eventTime) AS day, row_number() OVER (PARTITION BY userIdentity.arn, date_trunc('day', eventTime) ORDER BY eventTime, eventID) AS nth FROM events WHERE userIdentity.arn IS NOT NULL) AS t WHERE nth = 1 GROUP BY day ORDER BY day`, 2},
	{"Q15", "event name, address and one week",
		`SELECT eventID FROM events WHERE eventName = '{name}' AND sourceIPAddress = '{address}' AND eventTime >= timestamp '{from}' AND eventTime < timestamp '{to}' ORDER BY eventID`,
		`SELECT eventID FROM events WHERE eventName = '{name}' AND sourceIPAddress = '{address}' AND eventTime >= timestamp '{from}' AND eventTime < timestamp '{to}' ORDER BY eventID`, 1},
}
