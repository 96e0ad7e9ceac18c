SELECT eventTime, eventName, userIdentity.arn FROM {eds} WHERE eventTime > '2020-01-01 00:00:00' AND eventTime < '2099-01-01 00:00:00' ORDER BY eventTime DESC LIMIT 10;

SELECT userIdentity.principalId, count(*) AS apiCount FROM {eds} GROUP BY userIdentity.principalId ORDER BY apiCount DESC

-- who signed in without MFA
SELECT eventTime, userIdentity.userName, sourceIPAddress
FROM {eds}
WHERE eventName = 'ConsoleLogin' AND element_at(additionalEventData, 'MFAUsed') = 'No'
ORDER BY eventTime DESC;

SELECT * FROM "{eds}" WHERE eventName IN ('CreateUser', 'DeleteUser', 'CreateAccessKey') LIMIT 50

SELECT eventSource, eventName, errorCode, count(*) AS n FROM {eds} WHERE errorCode IS NOT NULL GROUP BY 1, 2, 3 HAVING count(*) > 1 ORDER BY 4 DESC, 1, 2, 3 LIMIT 25

SELECT element_at(requestParameters, 'bucketName') AS bucket, count(*) AS calls FROM {eds} WHERE eventSource = 's3.amazonaws.com' GROUP BY element_at(requestParameters, 'bucketName') ORDER BY calls DESC NULLS LAST

SELECT eventID, eventName, json_extract_scalar(element_at(requestParameters, 'instancesSet'), '$.items[0].instanceId') AS instance FROM {eds} WHERE eventName IN ('StopInstances', 'TerminateInstances')

SELECT e.eventName, t.arn, t.type FROM {eds} e CROSS JOIN UNNEST(e.resources) AS t(accountid, type, arn, arnprefix) LIMIT 20

SELECT eventName, r.arn FROM {eds} CROSS JOIN UNNEST(resources) AS r LIMIT 5

SELECT eventTime, eventName FROM {eds} WHERE any_match(resources, x -> x.type = 'AWS::S3::Bucket') LIMIT 10

SELECT eventTime FROM {eds} WHERE eventTime > current_timestamp - interval '7' day

SELECT eventTime FROM {eds} WHERE eventTime >= date_add('day', -90, now()) ORDER BY eventTime

SELECT count(*) FROM {eds} WHERE eventTime >= from_iso8601_timestamp('2020-01-01T00:00:00Z') AND eventTime < from_iso8601_timestamp('2099-01-01T00:00:00.000Z')

SELECT date_trunc('hour', eventTime) AS hr, count(*) AS n FROM {eds} GROUP BY date_trunc('hour', eventTime) ORDER BY hr

SELECT date(eventTime) AS "day", count(1) "calls" FROM {eds} GROUP BY date(eventTime) ORDER BY "day" /* newest last */

SELECT date_format(eventTime, '%Y-%m-%d') d, count(DISTINCT userIdentity.arn) users FROM {eds} GROUP BY 1 ORDER BY 1

SELECT IF(readOnly, 'read', 'write') AS readOnly, count(*) FROM {eds} GROUP BY readOnly ORDER BY readOnly

SELECT userIdentity.sessionContext.sessionIssuer.userName AS role, count(*) c FROM {eds} WHERE userIdentity.type = 'AssumedRole' GROUP BY 1 ORDER BY c DESC

SELECT userIdentity.sessionContext.attributes.mfaAuthenticated, count(*) FROM {eds} GROUP BY userIdentity.sessionContext.attributes.mfaAuthenticated

SELECT useridentity.sessioncontext.attributes.creationdate FROM {eds} WHERE useridentity.sessioncontext.attributes.creationdate > timestamp '2020-01-01 00:00:00' LIMIT 3

SELECT eventTime, userAgent FROM {eds} WHERE userAgent LIKE '%aws-cli%' OR lower(useragent) LIKE '%boto3%' LIMIT 10

SELECT eventName FROM {eds} WHERE eventName LIKE 'Delete\_%' ESCAPE '\'

SELECT eventName FROM {eds} WHERE eventName NOT LIKE 'Describe%' AND eventName NOT LIKE 'Get%' AND eventName NOT LIKE 'List%' GROUP BY eventName ORDER BY eventName

SELECT DISTINCT eventName FROM {eds} WHERE regexp_like(eventName, '^(Put|Attach).*Policy$') ORDER BY eventName

SELECT sourceIPAddress, count(*) FROM {eds} WHERE NOT regexp_like(sourceIPAddress, 'amazonaws\.com$') GROUP BY sourceIPAddress ORDER BY count(*) DESC LIMIT 10

SELECT sourceIPAddress FROM {eds} WHERE contains('10.0.0.0/8', TRY_CAST(sourceIPAddress AS ipaddress)) LIMIT 3

SELECT eventName, CAST(requestParameters AS json) FROM {eds} LIMIT 2

SELECT json_format(CAST(requestParameters AS JSON)) AS params FROM {eds} WHERE requestParameters IS NOT NULL LIMIT 2

SELECT eventName, json_extract_scalar(eventJson, '$.requestParameters.userName') u FROM {eds} WHERE eventSource = 'iam.amazonaws.com' LIMIT 5

SELECT json_extract(eventJson, '$.userIdentity.sessionContext') FROM {eds} LIMIT 2

SELECT json_extract_scalar(eventjson, '$.tlsDetails.tlsVersion') AS tls, COUNT(*) FROM {eds} GROUP BY json_extract_scalar(eventjson, '$.tlsDetails.tlsVersion')

SELECT tlsDetails.tlsVersion, count(*) AS n FROM {eds} WHERE tlsDetails.tlsVersion IN ('TLSv1', 'TLSv1.1') GROUP BY tlsDetails.tlsVersion

SELECT try(CAST(element_at(requestParameters, 'maxResults') AS integer)) AS m FROM {eds} ORDER BY m DESC NULLS LAST LIMIT 3

SELECT approx_distinct(userIdentity.arn) AS principals, approx_percentile(length(eventJson), 0.95) AS p95 FROM {eds}

SELECT approx_percentile(length(eventJson), ARRAY[0.5, 0.9, 0.99]) FROM {eds}

SELECT eventName, max_by(eventID, eventTime) AS latest, min_by(eventID, eventTime) AS first FROM {eds} GROUP BY eventName ORDER BY eventName LIMIT 5

SELECT * FROM (SELECT eventName, eventTime, rank() OVER (PARTITION BY eventName ORDER BY eventTime DESC) AS rnk FROM {eds}) WHERE rnk = 1 ORDER BY eventName

SELECT eventTime, userIdentity.arn, lag(eventTime) OVER (PARTITION BY userIdentity.arn ORDER BY eventTime) AS before FROM {eds} ORDER BY eventTime LIMIT 10

WITH failed AS (SELECT userIdentity.arn AS arn, count(*) AS n FROM {eds} WHERE errorCode IN ('AccessDenied', 'Client.UnauthorizedOperation', 'UnauthorizedOperation') GROUP BY userIdentity.arn) SELECT arn, n FROM failed WHERE n >= 3 ORDER BY n DESC

WITH keys AS (
  SELECT element_at(responseElements, 'accessKey') AS k, eventTime FROM {eds} WHERE eventName = 'CreateAccessKey'
)
SELECT json_extract_scalar(k, '$.accessKeyId') AS id, eventTime FROM keys;

SELECT eventId, eventName FROM {eds} WHERE readOnly = false UNION SELECT eventId, eventName FROM {eds} WHERE errorCode = 'AccessDenied' ORDER BY 2, 1 LIMIT 10

SELECT eventName FROM {eds} WHERE awsRegion = 'us-east-1' INTERSECT SELECT eventName FROM {eds} WHERE awsRegion <> 'us-east-1'

SELECT eventName FROM {eds} EXCEPT SELECT eventName FROM {eds} WHERE readOnly = true ORDER BY eventName

SELECT a.userIdentity.arn, a.eventTime AS login, b.eventTime AS keymade FROM {eds} a JOIN {eds} b ON a.userIdentity.arn = b.userIdentity.arn AND b.eventTime BETWEEN a.eventTime AND a.eventTime + INTERVAL '1' HOUR WHERE a.eventName = 'ConsoleLogin' AND b.eventName = 'CreateAccessKey'

SELECT l.eventName, r.n FROM {eds} AS l LEFT JOIN (SELECT eventName, count(*) n FROM {eds} GROUP BY 1) AS r ON l.eventName = r.eventName LIMIT 3

SELECT eventSource, SUM(CASE WHEN errorCode IS NULL THEN 0 ELSE 1 END) AS failed, SUM(CASE WHEN errorCode IS NULL THEN 1 ELSE 0 END) AS ok FROM {eds} GROUP BY eventSource ORDER BY failed DESC

SELECT eventSource, count_if(errorCode IS NOT NULL) * 100.0 / count(*) AS pct FROM {eds} GROUP BY eventSource ORDER BY pct DESC, eventSource

SELECT eventSource, round(100.0 * count(*) / sum(count(*)) OVER (), 2) AS share FROM {eds} GROUP BY eventSource ORDER BY share DESC

SELECT eventSource, CAST(count(*) AS double) / 24 AS per_hour FROM {eds} GROUP BY eventSource ORDER BY 2 DESC

SELECT CAST(count(*) AS decimal(38, 6)) / CAST(count(DISTINCT eventSource) AS decimal(20, 2)) FROM {eds}

SELECT hour(eventTime) AS h, day_of_week(eventTime) AS dow, count(*) FROM {eds} WHERE day_of_week(eventTime) > 5 GROUP BY 1, 2 ORDER BY 2, 1

SELECT extract(hour FROM eventTime) AS h, count(*) FROM {eds} GROUP BY extract(hour FROM eventTime) ORDER BY h

SELECT eventTime AT TIME ZONE 'America/New_York' AS local FROM {eds} LIMIT 2

SELECT to_unixtime(eventTime), from_unixtime(to_unixtime(eventTime)) FROM {eds} LIMIT 2

SELECT date_diff('minute', min(eventTime), max(eventTime)) FROM {eds}

SELECT max(eventTime) - min(eventTime) AS span FROM {eds}

SELECT format_datetime(eventTime, 'yyyy-MM-dd HH:mm') AS t FROM {eds} LIMIT 2

SELECT parse_datetime('2026-01-02 03:04', 'yyyy-MM-dd HH:mm'), date_parse('2026-01-02', '%Y-%m-%d')

SELECT map_keys(requestParameters) AS ks FROM {eds} WHERE cardinality(requestParameters) > 0 LIMIT 2

SELECT k, count(*) FROM {eds} CROSS JOIN UNNEST(map_keys(requestParameters)) AS t(k) GROUP BY k ORDER BY 2 DESC LIMIT 5

SELECT k, v FROM {eds} CROSS JOIN UNNEST(requestParameters) AS t(k, v) LIMIT 5

SELECT eventName, k FROM {eds}, UNNEST(requestParameters) AS t(k, v) WHERE k LIKE '%Name' LIMIT 5

SELECT eventName, ord, arn FROM {eds} CROSS JOIN UNNEST(transform(resources, x -> x.arn)) WITH ORDINALITY AS t(arn, ord) LIMIT 4

SELECT eventID, r.arn FROM {eds} LEFT JOIN UNNEST(resources) AS r ON TRUE ORDER BY eventID LIMIT 4

SELECT array_join(array_agg(DISTINCT eventName ORDER BY eventName), ', ') FROM {eds} WHERE eventSource = 'iam.amazonaws.com'

SELECT userIdentity.arn, listagg(eventName, ',' ON OVERFLOW TRUNCATE '...' WITH COUNT) WITHIN GROUP (ORDER BY eventTime) AS trail FROM {eds} GROUP BY userIdentity.arn LIMIT 2

SELECT histogram(awsRegion) FROM {eds}

SELECT map_agg(eventName, eventSource) FROM (SELECT DISTINCT eventName, eventSource FROM {eds} WHERE eventSource LIKE 'iam%')

SELECT eventSource, count(*) FILTER (WHERE readOnly) AS reads, count(*) FILTER (WHERE NOT readOnly) AS writes FROM {eds} GROUP BY eventSource ORDER BY 1

SELECT awsRegion, eventSource, count(*) FROM {eds} GROUP BY ROLLUP (awsRegion, eventSource) ORDER BY 1, 2

SELECT awsRegion, readOnly, count(*), grouping(awsRegion, readOnly) FROM {eds} GROUP BY CUBE (awsRegion, readOnly) ORDER BY 4, 1, 2

SELECT split_part(userIdentity.arn, '/', 2) AS who, count(*) FROM {eds} GROUP BY 1 ORDER BY 2 DESC LIMIT 5

SELECT replace(eventSource, '.amazonaws.com') AS svc, count(*) AS n FROM {eds} GROUP BY replace(eventSource, '.amazonaws.com') ORDER BY n DESC

SELECT regexp_extract(userIdentity.arn, 'assumed-role/([^/]+)/(.+)$', 1) AS role, regexp_extract(userIdentity.arn, '([^/]+)$') AS session FROM {eds} WHERE userIdentity.type = 'AssumedRole' LIMIT 3

SELECT regexp_replace(sourceIPAddress, '(\d+)\.(\d+)\.\d+\.\d+', '$1.$2.x.x') AS net, count(*) FROM {eds} GROUP BY 1 ORDER BY 2 DESC LIMIT 3

SELECT substr(eventID, 1, 8), length(eventID), upper(awsRegion), concat(awsRegion, ':', eventName) FROM {eds} LIMIT 2

SELECT userIdentity.accountId, recipientAccountId, count(*) FROM {eds} WHERE userIdentity.accountId <> recipientAccountId GROUP BY 1, 2

SELECT coalesce(userIdentity.userName, userIdentity.sessionContext.sessionIssuer.userName, userIdentity.invokedBy, 'unknown') AS who, count(*) c FROM {eds} GROUP BY 1 ORDER BY c DESC, who LIMIT 10

SELECT nullif(errorCode, '') IS NULL AS ok, count(*) FROM {eds} GROUP BY 1

SELECT eventTime, eventName FROM {eds} WHERE userIdentity.type = 'Root' AND userIdentity.invokedBy IS NULL AND eventType <> 'AwsServiceEvent'

SELECT eventName FROM {eds} WHERE eventName IN (SELECT eventName FROM {eds} WHERE errorCode IS NOT NULL) AND errorCode IS NULL GROUP BY eventName

SELECT DISTINCT userIdentity.arn FROM {eds} e WHERE EXISTS (SELECT 1 FROM {eds} f WHERE f.userIdentity.arn = e.userIdentity.arn AND f.errorCode = 'AccessDenied') AND NOT EXISTS (SELECT 1 FROM {eds} g WHERE g.userIdentity.arn = e.userIdentity.arn AND g.eventName = 'ConsoleLogin')

SELECT eventName, (SELECT count(*) FROM {eds} b WHERE b.eventName = a.eventName) AS n FROM (SELECT DISTINCT eventName FROM {eds}) a ORDER BY n DESC LIMIT 3

SELECT eventTime, eventName FROM {eds} WHERE eventTime > (SELECT max(eventTime) - interval '1' hour FROM {eds}) ORDER BY eventTime

SELECT eventCategory, managementEvent, count(*) FROM {eds} GROUP BY eventCategory, managementEvent

SELECT eventName, element_at(resources, 1).arn IS NULL AS nothing, resources[1].type FROM {eds} WHERE cardinality(resources) > 0 LIMIT 2

SELECT eventName, element_at(resources, 1).arn FROM {eds} LIMIT 3

SELECT filter(resources, r -> r.type LIKE 'AWS::%') FROM {eds} WHERE cardinality(resources) > 0 LIMIT 2

SELECT reduce(transform(resources, r -> length(r.arn)), 0, (s, x) -> s + coalesce(x, 0), s -> s) FROM {eds} LIMIT 3

SELECT json_array_length(json_extract(eventJson, '$.resources')), json_array_get(json_extract(eventJson, '$.resources'), 0) FROM {eds} LIMIT 3

SELECT CAST(json_parse('["a","b"]') AS array(varchar)), CAST(json_parse('{"a":1}') AS map(varchar, bigint))

SELECT json_value(eventJson, 'lax $.userIdentity.type'), json_exists(eventJson, 'lax $.tlsDetails') FROM {eds} LIMIT 2

SELECT ip.eventName FROM {eds} AS ip WHERE ip.sourceIPAddress = '192.0.2.1' OR ip.sourceIPAddress LIKE '203.0.113.%'

SELECT vpcEndpointId, count(*) FROM {eds} WHERE vpcEndpointId IS NOT NULL GROUP BY vpcEndpointId

SELECT eventName, sharedEventId FROM {eds} WHERE sharedEventID IS NOT NULL LIMIT 1

SELECT annotation FROM {eds} LIMIT 1

SELECT eventName FROM {eds} ORDER BY eventTime OFFSET 5 ROWS FETCH FIRST 3 ROWS ONLY

SELECT eventName FROM {eds} ORDER BY eventTime OFFSET 5 LIMIT 3

SELECT count(*) FROM {eds} TABLESAMPLE_ WHERE TABLESAMPLE_.eventName IS NOT NULL

SELECT x'65683F', to_hex(md5(to_utf8(eventID))), to_base64(to_utf8('a')) FROM {eds} LIMIT 1

SELECT url_extract_host('https://signin.aws.amazon.com/x?y=1'), url_extract_parameter('https://a/b?c=d', 'c')

SELECT from_unixtime(1700000000), from_iso8601_date('2026-01-01'), to_iso8601(timestamp '2026-01-01 00:00:00')

SELECT CAST('2026-01-01' AS date), CAST('2026-01-01 00:00:00' AS timestamp), DATE '2026-01-01' + INTERVAL '1' MONTH, current_date - INTERVAL '30' DAY

SELECT eventName FROM {eds} WHERE CAST(eventTime AS date) = DATE '2026-01-01'

SELECT eventName FROM {eds} WHERE date(eventTime) BETWEEN date '2020-01-01' AND current_date LIMIT 1

SELECT eventName FROM {eds} WHERE eventTime BETWEEN '2020-01-01' AND '2099-12-31' LIMIT 1

SELECT eventName FROM {eds} WHERE eventTime >= TIMESTAMP '2020-01-01 00:00:00.000' AND year(eventTime) >= 2020 LIMIT 1

SELECT eventName FROM {eds} WHERE to_iso8601(eventTime) > '2020-01-01T00:00:00Z' LIMIT 1

SELECT eventName FROM {eds} WHERE from_iso8601_timestamp(to_iso8601(eventTime) || 'Z') > current_timestamp - interval '3650' day LIMIT 1

SELECT element_at(requestParameters, 'policyDocument') FROM {eds} WHERE eventName LIKE 'Put%Policy' AND element_at(requestParameters, 'policyDocument') LIKE '%"Principal":"*"%'

SELECT element_at(requestParameters, 'ipPermissions') AS perms FROM {eds} WHERE eventName = 'AuthorizeSecurityGroupIngress' AND element_at(requestParameters, 'ipPermissions') LIKE '%0.0.0.0/0%'

SELECT json_extract_scalar(item, '$.fromPort') AS port FROM {eds} CROSS JOIN UNNEST(CAST(json_extract(element_at(requestParameters, 'ipPermissions'), '$.items') AS array(json))) AS t(item) WHERE eventName LIKE 'AuthorizeSecurityGroup%'

SELECT eventName, element_at(responseElements, 'ConsoleLogin') AS result, count(*) FROM {eds} WHERE eventName = 'ConsoleLogin' GROUP BY 1, 2

SELECT responseElements['ConsoleLogin'] FROM {eds} WHERE eventName = 'ConsoleLogin' LIMIT 1

SELECT typeof(eventTime), typeof(userIdentity.sessionContext.attributes.mfaAuthenticated), typeof(requestParameters), typeof(resources) FROM {eds} LIMIT 1

SELECT userIdentity FROM {eds} LIMIT 1

SELECT e.* FROM {eds} e LIMIT 1

SELECT userIdentity.* FROM {eds} LIMIT 1

SELECT eventName, ntile(4) OVER (ORDER BY eventTime) AS q, percent_rank() OVER (ORDER BY eventTime) FROM {eds} LIMIT 4

SELECT d, n, avg(n) OVER (ORDER BY d ROWS BETWEEN 6 PRECEDING AND CURRENT ROW) AS week FROM (SELECT date(eventTime) AS d, count(*) AS n FROM {eds} GROUP BY 1) ORDER BY d

SELECT d, n, avg(n) OVER (ORDER BY d ROWS BETWEEN 3 PRECEDING AND 3 FOLLOWING EXCLUDE CURRENT ROW) AS around FROM (SELECT date(eventTime) AS d, count(*) AS n FROM {eds} GROUP BY 1) ORDER BY d

WITH hourly AS (SELECT date_trunc('hour', eventTime) AS h, count(*) AS n FROM {eds} GROUP BY 1), stats AS (SELECT avg(n) AS a, stddev(n) AS s FROM hourly) SELECT h, n FROM hourly CROSS JOIN stats WHERE n > a + 3 * s ORDER BY h

SELECT eventName, arbitrary(eventSource), bool_or(readOnly), bool_and(readOnly), checksum(eventID) FROM {eds} GROUP BY eventName ORDER BY eventName LIMIT 2

SELECT eventName, array_agg(sourceIPAddress) FILTER (WHERE errorCode IS NOT NULL) AS ips FROM {eds} GROUP BY eventName HAVING count_if(errorCode IS NOT NULL) > 0 ORDER BY 1 LIMIT 3

SELECT cardinality(array_distinct(array_agg(awsRegion))), array_max(array_agg(awsRegion)), contains(array_agg(awsRegion), 'us-east-1') FROM {eds}

SELECT slice(array_sort(array_agg(DISTINCT eventName)), 1, 3), element_at(array_agg(eventName), -1) IS NOT NULL FROM {eds}

SELECT sequence(1, 5), repeat('x', 2), flatten(ARRAY[ARRAY[1], ARRAY[2]]), array_except(ARRAY[1, 2], ARRAY[2])

SELECT n FROM UNNEST(sequence(date '2026-01-01', date '2026-01-03')) AS t(n)

SELECT t.d, count(e.eventID) FROM UNNEST(sequence(date '2026-01-01', date '2026-01-03', interval '1' day)) AS t(d) LEFT JOIN {eds} e ON date(e.eventTime) = t.d GROUP BY t.d ORDER BY t.d

SELECT CASE userIdentity.type WHEN 'Root' THEN 'root' WHEN 'IAMUser' THEN 'user' ELSE 'other' END AS kind, count(*) FROM {eds} GROUP BY 1 ORDER BY 1

SELECT eventName FROM {eds} WHERE (eventSource, eventName) IN (('iam.amazonaws.com', 'CreateUser'), ('s3.amazonaws.com', 'PutBucketPolicy')) LIMIT 2

SELECT greatest(min(eventTime), timestamp '2020-01-01 00:00:00'), least(1, 2, 3) FROM {eds}

SELECT eventTime , eventName,awsRegion
  FROM {eds}  -- every region but the usual ones
 WHERE awsRegion NOT IN ( 'us-east-1','us-west-2' )
   AND ( errorCode IS NULL OR errorCode != 'AccessDenied' )
 ORDER BY eventTime desc
 LIMIT 7 ;

select eventname,count(*) as "Number of calls" from {eds} group by eventname order by "Number of calls" desc limit 3

SELECT 'it''s' AS a, 'say "hi"' AS b, "eventName" FROM {eds} LIMIT 1

SELECT COUNT ( * ) AS cnt, MIN ( eventTime ) FROM {eds}

SELECT eventName FROM {eds} WHERE eventTime > current_timestamp - interval '1' month OR eventTime > now() - interval '365' day OR eventTime > localtimestamp - interval '2' hour LIMIT 1

(SELECT eventName FROM {eds} LIMIT 1) UNION ALL (SELECT 'total' LIMIT 1)

SELECT eventName, COUNT(*) AS count FROM {eds} GROUP BY eventName ORDER BY count DESC LIMIT 3

SELECT date_trunc('day', eventTime) AS day, eventSource AS source, count(*) AS value FROM {eds} GROUP BY 1, 2 ORDER BY day, value DESC LIMIT 3

SELECT sum(CAST(element_at(additionalEventData, 'bytesTransferredOut') AS double)) AS bytes, sum(TRY_CAST(element_at(additionalEventData, 'bytesTransferredIn') AS decimal(20, 2))) FROM {eds} WHERE eventName = 'GetObject'

SELECT a.eventName, b.eventName FROM {eds} a, {eds} b WHERE a.eventID = b.eventID LIMIT 2

SELECT eventTime, userIdentity.arn FROM {eds} WHERE eventName = 'AssumeRole' AND element_at(requestParameters, 'roleArn') LIKE 'arn:aws:iam::%:role/%' LIMIT 2

SELECT json_extract_scalar(CAST(requestParameters AS json), '$.bucketName') AS b, count(*) FROM {eds} GROUP BY 1 ORDER BY 2 DESC LIMIT 3

SELECT map_filter(requestParameters, (k, v) -> v IS NOT NULL AND length(v) < 20), transform_values(requestParameters, (k, v) -> upper(v)) FROM {eds} WHERE requestParameters IS NOT NULL LIMIT 2

SELECT eventName FROM {eds} WHERE any_match(map_values(requestParameters), v -> v LIKE '%prod%') LIMIT 2

SELECT word_stem('running'), levenshtein_distance('root', 'toor'), format('%s has %d events', 'us-east-1', 5), human_readable_seconds(96)

SELECT DISTINCT ON (eventName) eventName, eventTime FROM {eds} ORDER BY eventName, eventTime DESC LIMIT 2

SELECT * FROM (VALUES (1, 'a'), (2, 'b')) AS t (id, name) JOIN (VALUES (1, 'x')) AS u (id, other) USING (id)

SELECT "eventTime", "userIdentity"."arn" AS "who" FROM {eds} WHERE "eventName" = 'ConsoleLogin' ORDER BY "eventTime" DESC LIMIT 5

SELECT eventName, count(*) AS calls, approx_most_frequent(3, sourceIPAddress, 100) AS ips FROM {eds} GROUP BY eventName ORDER BY calls DESC LIMIT 3;

SELECT json_extract_scalar(requestParameters, '$.bucketName') AS bucket, count(*) FROM {eds} WHERE eventSource = 's3.amazonaws.com' GROUP BY 1 ORDER BY 2 DESC LIMIT 20

SELECT eventTime, json_extract(responseElements, '$.ConsoleLogin') FROM {eds} WHERE eventName = 'ConsoleLogin'

SELECT eventTime, json_extract_scalar(requestParameters, '$.ipPermissions.items[0].ipRanges.items[0].cidrIp') AS cidr FROM {eds} WHERE eventName = 'AuthorizeSecurityGroupIngress'

SELECT eventName, awsRegion FROM {eds} WHERE requestParameters LIKE '%bucket%' AND responseElements NOT LIKE '%denied%' LIMIT 20

SELECT useridentity.arn, eventname, sourceipaddress FROM {eds} WHERE from_iso8601_timestamp(eventtime) > date_add('day', -3650, now()) ORDER BY eventtime DESC LIMIT 20

SELECT eventname, useridentity.arn FROM {eds} WHERE from_iso8601_timestamp('2020-01-01T00:00:00Z') < eventtime AND useridentity.sessioncontext.attributes.mfaauthenticated = 'false' LIMIT 30

SELECT eventName, eventTime, (SELECT count(*) FROM {eds} AS i WHERE i.eventTime > o.eventTime AND i.eventTime < o.eventTime + interval '10' minute) AS next10 FROM {eds} AS o WHERE o.errorCode IS NOT NULL ORDER BY next10 DESC LIMIT 10

SELECT a.userIdentity.arn, a.eventTime AS signedIn, b.eventName, b.eventTime FROM {eds} a JOIN {eds} b ON a.userIdentity.arn = b.userIdentity.arn AND b.eventTime BETWEEN a.eventTime AND a.eventTime + interval '1' hour WHERE a.eventName = 'ConsoleLogin' AND b.readOnly = false

SELECT o.eventName, o.eventTime, n.eventName AS following FROM {eds} o LEFT JOIN LATERAL (SELECT i.eventName FROM {eds} i WHERE i.userIdentity.arn = o.userIdentity.arn AND i.eventTime > o.eventTime ORDER BY i.eventTime LIMIT 1) n ON true WHERE o.eventSource = 'iam.amazonaws.com'

SELECT eventName, errorCode FROM {eds} WHERE any_match(ARRAY['%Delete%', '%Stop%', '%Put%'], p -> eventName LIKE p) LIMIT 20

SELECT date_format(eventTime, '%Y-%m-%d %H') AS hour, count(*) c, sum(count(*)) OVER (ORDER BY date_format(eventTime, '%Y-%m-%d %H')) AS running FROM {eds} GROUP BY 1 ORDER BY 1

SELECT CASE WHEN errorCode IS NULL THEN 'ok' ELSE 'failed' END AS result, count(*) * 100.0 / sum(count(*)) OVER () AS share FROM {eds} GROUP BY 1 ORDER BY 1

SELECT CAST(eventTime AS date) d, awsRegion, count(*) FROM {eds} WHERE eventTime >= current_timestamp - interval '3650' day GROUP BY CUBE (1, 2) ORDER BY 3 DESC

SELECT eventName, lag(eventTime) OVER (PARTITION BY userIdentity.arn ORDER BY eventTime) AS before FROM {eds} WHERE eventSource = 'iam.amazonaws.com' ORDER BY eventTime

SELECT eventname, count(*) AS calls FROM {eds} WHERE eventtime > date_add('day', -30, (SELECT max(eventtime) FROM {eds})) AND useridentity.invokedby IS NULL GROUP BY eventname EXCEPT SELECT eventname, 1 FROM {eds}

SELECT array_sort(array_distinct(flatten(array_agg(map_keys(requestParameters))))) FROM {eds} WHERE eventName = 'RunInstances'

SELECT eventName, t.k, t.v FROM {eds} CROSS JOIN UNNEST(requestParameters) AS t(k, v) LIMIT 30

SELECT eventName, item FROM {eds} CROSS JOIN UNNEST(CAST(json_extract(eventJson, '$.requestParameters.ipPermissions.items') AS array(json))) AS t(item) WHERE eventName = 'AuthorizeSecurityGroupIngress'

SELECT split_part(userIdentity.arn, '/', 2) AS role, approx_distinct(sourceIPAddress) FROM {eds} WHERE userIdentity.type = 'AssumedRole' GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 5

WITH logins AS (SELECT userIdentity.arn AS arn, min(eventTime) AS first FROM {eds} WHERE eventName = 'ConsoleLogin' GROUP BY 1) SELECT l.arn, l.first, count(*) FROM logins l JOIN {eds} e ON e.userIdentity.arn = l.arn AND e.eventTime >= l.first GROUP BY 1, 2 ORDER BY 3 DESC, 1
