# Questions that people ask of audit events.
trino
SELECT eventName, count(*) AS n FROM 5b1f7c2e-8d4a-4e0b-9c3f-2a6d1e9b7f40 GROUP BY eventName ORDER BY n DESC LIMIT 20
----
(query (select eventName (as (count() *) n) (from 5b1f7c2e-8d4a-4e0b-9c3f-2a6d1e9b7f40) (group eventName)) (order (desc n)) (limit 20))

trino
-- sign-ins to the console without a second factor
SELECT eventTime, userIdentity.arn, sourceIPAddress, element_at(additionalEventData, 'MFAUsed') AS mfa
FROM 5b1f7c2e-8d4a-4e0b-9c3f-2a6d1e9b7f40
WHERE eventName = 'ConsoleLogin' AND element_at(responseElements, 'ConsoleLogin') = 'Success'
  AND element_at(additionalEventData, 'MFAUsed') = 'No' AND eventTime > '2026-03-01 00:00:00'
ORDER BY eventTime DESC
----
(query (select eventTime userIdentity.arn sourceIPAddress (as (element_at() additionalEventData 'MFAUsed') mfa) (from 5b1f7c2e-8d4a-4e0b-9c3f-2a6d1e9b7f40) (where (and (and (and (= eventName 'ConsoleLogin') (= (element_at() responseElements 'ConsoleLogin') 'Success')) (= (element_at() additionalEventData 'MFAUsed') 'No')) (> eventTime '2026-03-01 00:00:00')))) (order (desc eventTime)))

trino
SELECT userIdentity.arn, count(*) AS uses, min(eventTime) AS first_use, max(eventTime) AS last_use
FROM events WHERE userIdentity.type = 'Root' AND userIdentity.invokedBy IS NULL AND eventType <> 'AwsServiceEvent'
GROUP BY userIdentity.arn
----
(query (select userIdentity.arn (as (count() *) uses) (as (min() eventTime) first_use) (as (max() eventTime) last_use) (from events) (where (and (and (= userIdentity.type 'Root') (is null userIdentity.invokedBy)) (<> eventType 'AwsServiceEvent'))) (group userIdentity.arn)))

trino
SELECT date_trunc('hour', eventTime) AS hour, count_if(errorCode = 'AccessDenied') AS denied, count(*) AS calls,
  CAST(count_if(errorCode = 'AccessDenied') AS double) / count(*) AS share
FROM events WHERE eventTime >= date_add('day', -7, current_timestamp) GROUP BY 1 HAVING count(*) > 100 ORDER BY 1
----
(query (select (as (date_trunc() 'hour' eventTime) hour) (as (count_if() (= errorCode 'AccessDenied')) denied) (as (count() *) calls) (as (/ (cast (count_if() (= errorCode 'AccessDenied')) double) (count() *)) share) (from events) (where (>= eventTime (date_add() 'day' (- 7) (current_timestamp())))) (group 1) (having (> (count() *) 100))) (order 1))

trino
SELECT element_at(requestParameters, 'groupId') AS security_group, userIdentity.arn, eventTime
FROM events
WHERE eventName = 'AuthorizeSecurityGroupIngress' AND element_at(requestParameters, 'ipPermissions') LIKE '%0.0.0.0/0%'
----
(query (select (as (element_at() requestParameters 'groupId') security_group) userIdentity.arn eventTime (from events) (where (and (= eventName 'AuthorizeSecurityGroupIngress') (like (element_at() requestParameters 'ipPermissions') '%0.0.0.0/0%')))))

trino
SELECT json_extract_scalar(element_at(requestParameters, 'policyDocument'), '$.Statement[0].Effect') AS effect,
  json_extract(element_at(requestParameters, 'policyDocument'), '$.Statement') AS statements
FROM events WHERE eventName IN ('PutUserPolicy', 'PutRolePolicy', 'CreatePolicyVersion')
----
(query (select (as (json_extract_scalar() (element_at() requestParameters 'policyDocument') '$.Statement[0].Effect') effect) (as (json_extract() (element_at() requestParameters 'policyDocument') '$.Statement') statements) (from events) (where (in eventName 'PutUserPolicy' 'PutRolePolicy' 'CreatePolicyVersion'))))

trino
SELECT recipientAccountId, userIdentity.accountId AS caller, r.arn
FROM events CROSS JOIN UNNEST(resources) AS r (accountid, type, arn, arnprefix)
WHERE userIdentity.accountId <> recipientAccountId AND r.type = 'AWS::S3::Bucket'
----
(query (select recipientAccountId (as userIdentity.accountId caller) r.arn (from (join-cross events (unnest resources (as r accountid type arn arnprefix)))) (where (and (<> userIdentity.accountId recipientAccountId) (= r.type 'AWS::S3::Bucket')))))

trino
SELECT rt.resourceid, n FROM events, UNNEST(eventContext.tagContext.resourceTags) WITH ORDINALITY AS rt (resourceid, tags, n)
----
(query (select rt.resourceid n (from events (unnest-ordinality eventContext.tagContext.resourceTags (as rt resourceid tags n)))))

trino
WITH keys AS (
  SELECT json_extract_scalar(eventJson, '$.responseElements.accessKey.accessKeyId') AS key_id, eventTime AS made, userIdentity.arn AS maker
  FROM events WHERE eventName = 'CreateAccessKey'
), uses AS (
  SELECT userIdentity.accessKeyId AS key_id, min(eventTime) AS first_use, approx_distinct(sourceIPAddress) AS addresses
  FROM events GROUP BY userIdentity.accessKeyId
)
SELECT k.maker, k.key_id, k.made, u.first_use, date_diff('minute', k.made, u.first_use) AS minutes
FROM keys k LEFT JOIN uses u ON u.key_id = k.key_id
WHERE u.addresses > 3 OR u.first_use IS NULL ORDER BY k.made
----
(query (with (keys (query (select (as (json_extract_scalar() eventJson '$.responseElements.accessKey.accessKeyId') key_id) (as eventTime made) (as userIdentity.arn maker) (from events) (where (= eventName 'CreateAccessKey'))))) (uses (query (select (as userIdentity.accessKeyId key_id) (as (min() eventTime) first_use) (as (approx_distinct() sourceIPAddress) addresses) (from events) (group userIdentity.accessKeyId))))) (select k.maker k.key_id k.made u.first_use (as (date_diff() 'minute' k.made u.first_use) minutes) (from (join-left (table keys (as k)) (table uses (as u)) (on (= u.key_id k.key_id)))) (where (or (> u.addresses 3) (is null u.first_use)))) (order k.made))

trino
SELECT * FROM (
  SELECT userIdentity.arn AS who, awsRegion, eventTime,
    row_number() OVER (PARTITION BY userIdentity.arn, awsRegion ORDER BY eventTime) AS rnk
  FROM events
) WHERE rnk = 1 AND eventTime > now() - interval '1' day
----
(query (select * (from (derived (query (select (as userIdentity.arn who) awsRegion eventTime (as (row_number() (over (partition userIdentity.arn awsRegion) (order eventTime))) rnk) (from events))))) (where (and (= rnk 1) (> eventTime (- (now()) (interval '1' day)))))))

trino
SELECT who, eventTime, sourceIPAddress, previous
FROM (SELECT userIdentity.principalId AS who, eventTime, sourceIPAddress,
        lag(sourceIPAddress) OVER (PARTITION BY userIdentity.principalId ORDER BY eventTime) AS previous
      FROM events WHERE eventName = 'ConsoleLogin') AS signins
WHERE previous IS DISTINCT FROM sourceIPAddress
----
(query (select who eventTime sourceIPAddress previous (from (derived (query (select (as userIdentity.principalId who) eventTime sourceIPAddress (as (lag() sourceIPAddress (over (partition userIdentity.principalId) (order eventTime))) previous) (from events) (where (= eventName 'ConsoleLogin')))) (as signins))) (where (distinct-from previous sourceIPAddress))))

trino
SELECT IF(readOnly, 'read', 'write') AS kind, eventSource, count(*) FROM events GROUP BY IF(readOnly, 'read', 'write'), eventSource ORDER BY 3 DESC
----
(query (select (as (IF() readOnly 'read' 'write') kind) eventSource (count() *) (from events) (group (IF() readOnly 'read' 'write') eventSource)) (order (desc 3)))

trino
SELECT CASE WHEN hour(eventTime) BETWEEN 8 AND 18 AND day_of_week(eventTime) < 6 THEN 'office' ELSE 'off hours' END AS shift, count(*) AS n
FROM events WHERE eventName LIKE 'Delete%' OR eventName LIKE 'Terminate%' GROUP BY 1
----
(query (select (as (case (when (and (between (hour() eventTime) 8 18) (< (day_of_week() eventTime) 6)) 'office') (else 'off hours')) shift) (as (count() *) n) (from events) (where (or (like eventName 'Delete%') (like eventName 'Terminate%'))) (group 1)))

trino
SELECT eventSource, eventName FROM events WHERE eventTime > '2026-01-02T00:00:00Z'
EXCEPT
SELECT eventSource, eventName FROM events WHERE eventTime <= '2026-01-02T00:00:00Z'
----
(query (except (select eventSource eventName (from events) (where (> eventTime '2026-01-02T00:00:00Z'))) (select eventSource eventName (from events) (where (<= eventTime '2026-01-02T00:00:00Z')))))

trino
SELECT tlsDetails.tlsVersion, count(*) FROM events WHERE tlsDetails.tlsVersion IN ('TLSv1', 'TLSv1.1') AND eventSource NOT IN ('sts.amazonaws.com') GROUP BY tlsDetails.tlsVersion
----
(query (select tlsDetails.tlsVersion (count() *) (from events) (where (and (in tlsDetails.tlsVersion 'TLSv1' 'TLSv1.1') (not-in eventSource 'sts.amazonaws.com'))) (group tlsDetails.tlsVersion)))

trino
SELECT regexp_extract(userAgent, '^([A-Za-z-]+)/', 1) AS client, approx_distinct(userIdentity.arn) users
FROM events GROUP BY 1 ORDER BY users DESC NULLS LAST LIMIT 10
----
(query (select (as (regexp_extract() userAgent '^([A-Za-z-]+)/' 1) client) (as (approx_distinct() userIdentity.arn) users) (from events) (group 1)) (order (desc-nulls-last users)) (limit 10))

trino
SELECT awsRegion, map_agg(eventName, n) FROM (SELECT awsRegion, eventName, count(*) AS n FROM events GROUP BY awsRegion, eventName) GROUP BY awsRegion
----
(query (select awsRegion (map_agg() eventName n) (from (derived (query (select awsRegion eventName (as (count() *) n) (from events) (group awsRegion eventName))))) (group awsRegion)))

trino
SELECT eventID FROM events WHERE any_match(resources, r -> r.type = 'AWS::KMS::Key' AND r.arn LIKE '%:key/%')
----
(query (select eventID (from events) (where (any_match() resources (lambda (r) (and (= r.type 'AWS::KMS::Key') (like r.arn '%:key/%')))))))

trino
SELECT transform(filter(resources, r -> r.accountId IS NOT NULL), r -> r.accountId || ':' || r.type) AS touched FROM events
----
(query (select (as (transform() (filter() resources (lambda (r) (not-is null r.accountId))) (lambda (r) (|| (|| r.accountId ':') r.type))) touched) (from events)))

trino
SELECT reduce(map_values(requestParameters), 0, (s, v) -> s + length(v), s -> s) AS bytes FROM events WHERE requestParameters IS NOT NULL
----
(query (select (as (reduce() (map_values() requestParameters) 0 (lambda (s v) (+ s (length() v))) (lambda (s) s)) bytes) (from events) (where (not-is null requestParameters))))

trino
SELECT max_by(eventName, eventTime), min_by(eventName, eventTime), arbitrary(userAgent) FROM events GROUP BY userIdentity.arn
----
(query (select (max_by() eventName eventTime) (min_by() eventName eventTime) (arbitrary() userAgent) (from events) (group userIdentity.arn)))

trino
SELECT userIdentity.sessionContext.sessionIssuer.arn, element_at(split(userIdentity.arn, '/'), -1) AS session, count(*)
FROM events WHERE userIdentity.type = 'AssumedRole' GROUP BY 1, 2
----
(query (select userIdentity.sessionContext.sessionIssuer.arn (as (element_at() (split() userIdentity.arn '/') (- 1)) session) (count() *) (from events) (where (= userIdentity.type 'AssumedRole')) (group 1 2)))

trino
SELECT eventName, approx_percentile(json_array_length(json_extract(eventJson, '$.resources')), 0.95) FROM events GROUP BY eventName
----
(query (select eventName (approx_percentile() (json_array_length() (json_extract() eventJson '$.resources')) 0.95) (from events) (group eventName)))

trino
SELECT date(eventTime) AS day, awsRegion, count(*) FROM events GROUP BY ROLLUP (date(eventTime), awsRegion) ORDER BY 1 NULLS FIRST, 2
----
(query (select (as (date() eventTime) day) awsRegion (count() *) (from events) (group (sets (set (date() eventTime) awsRegion) (set (date() eventTime)) (set)))) (order (asc-nulls-first 1) 2))

trino
SELECT eventSource, awsRegion, grouping(eventSource, awsRegion) g, count(*) FROM events GROUP BY GROUPING SETS ((eventSource, awsRegion), (eventSource), ())
----
(query (select eventSource awsRegion (as (grouping() eventSource awsRegion) g) (count() *) (from events) (group (sets (set eventSource awsRegion) (set eventSource) (set)))))

trino
SELECT a.eventTime, a.eventName, b.eventName FROM events a JOIN events b
  ON a.userIdentity.accessKeyId = b.userIdentity.accessKeyId AND b.eventTime BETWEEN a.eventTime AND a.eventTime + interval '5' minute
WHERE a.eventName = 'GetCallerIdentity' AND b.errorCode LIKE '%Unauthorized%'
----
(query (select a.eventTime a.eventName b.eventName (from (join-inner (table events (as a)) (table events (as b)) (on (and (= a.userIdentity.accessKeyId b.userIdentity.accessKeyId) (between b.eventTime a.eventTime (+ a.eventTime (interval '5' minute))))))) (where (and (= a.eventName 'GetCallerIdentity') (like b.errorCode '%Unauthorized%')))))

trino
SELECT eventName, eventTime FROM 0aa11bb2-1e10-4c3d-9e4f-a5b6c7d8e9f0 UNION ALL SELECT eventName, eventTime FROM 7c7c7c7c-2e22-4c3d-9e4f-a5b6c7d8e9f0 ORDER BY eventTime DESC LIMIT 100
----
(query (union-all (select eventName eventTime (from 0aa11bb2-1e10-4c3d-9e4f-a5b6c7d8e9f0)) (select eventName eventTime (from 7c7c7c7c-2e22-4c3d-9e4f-a5b6c7d8e9f0))) (order (desc eventTime)) (limit 100))

trino
SELECT contains('10.0.0.0/8', TRY_CAST(sourceIPAddress AS ipaddress)) AS inside, count(*) FROM events GROUP BY 1
----
(query (select (as (contains() '10.0.0.0/8' (try-cast sourceIPAddress ipaddress)) inside) (count() *) (from events) (group 1)))

trino
SELECT url_extract_host(json_extract_scalar(eventJson, '$.additionalEventData.LoginTo')) AS host, count(*) FROM events WHERE eventName = 'ConsoleLogin' GROUP BY 1
----
(query (select (as (url_extract_host() (json_extract_scalar() eventJson '$.additionalEventData.LoginTo')) host) (count() *) (from events) (where (= eventName 'ConsoleLogin')) (group 1)))

trino
SELECT to_hex(sha256(to_utf8(eventJson))) AS digest, eventID FROM events WHERE eventID = '0b7a5c1e-9d2f-4b8e-a6c3-5f0d1e2a3b4c'
----
(query (select (as (to_hex() (sha256() (to_utf8() eventJson))) digest) eventID (from events) (where (= eventID '0b7a5c1e-9d2f-4b8e-a6c3-5f0d1e2a3b4c'))))

trino
SELECT insightSource, insightContext.baselineAverage, insightContext.insightAverage, t.attribute, t.insight
FROM insights CROSS JOIN UNNEST(insightContext.attributions) AS t
WHERE insightState = 'Start' AND insightContext.insightAverage > 10 * insightContext.baselineAverage
----
(query (select insightSource insightContext.baselineAverage insightContext.insightAverage t.attribute t.insight (from (join-cross insights (unnest insightContext.attributions (as t)))) (where (and (= insightState 'Start') (> insightContext.insightAverage (* 10 insightContext.baselineAverage))))))

trino
SELECT eventData.resourceId, eventData.configurationItemStatus, eventTime FROM config_items
WHERE eventData.resourceType = 'AWS::EC2::SecurityGroup' AND eventData.tags['env'] = 'prod'
ORDER BY eventData.resourceId, eventTime
----
(query (select eventData.resourceId eventData.configurationItemStatus eventTime (from config_items) (where (and (= eventData.resourceType 'AWS::EC2::SecurityGroup') (= (subscript eventData.tags 'env') 'prod')))) (order eventData.resourceId eventTime))

trino
SELECT metadata.channelARN, eventData.userIdentity.details['department'], count(*) FROM activity GROUP BY 1, 2
----
(query (select metadata.channelARN (subscript eventData.userIdentity.details 'department') (count() *) (from activity) (group 1 2)))

trino
SELECT json_array_get(element_at(requestParameters, 'evaluations'), 0) FROM events WHERE eventName = 'PutEvaluations'
----
(query (select (json_array_get() (element_at() requestParameters 'evaluations') 0) (from events) (where (= eventName 'PutEvaluations'))))

trino
SELECT sum(CASE WHEN errorCode IS NULL THEN 1 ELSE 0 END) AS fine, sum(CASE WHEN errorCode IS NOT NULL THEN 1 ELSE 0 END) AS failed FROM events
----
(query (select (as (sum() (case (when (is null errorCode) 1) (else 0))) fine) (as (sum() (case (when (not-is null errorCode) 1) (else 0))) failed) (from events)))

trino
SELECT eventTime AT TIME ZONE 'Europe/Vienna' AS local, format_datetime(eventTime, 'EEE HH:mm') FROM events LIMIT 5
----
(query (select (as (at-zone eventTime 'Europe/Vienna') local) (format_datetime() eventTime 'EEE HH:mm') (from events)) (limit 5))

trino
SELECT array_join(array_sort(array_agg(DISTINCT awsRegion)), ', ') AS regions, userIdentity.userName FROM events GROUP BY userIdentity.userName HAVING cardinality(array_agg(DISTINCT awsRegion)) >= 5
----
(query (select (as (array_join() (array_sort() (array_agg() distinct awsRegion)) ', ') regions) userIdentity.userName (from events) (group userIdentity.userName) (having (>= (cardinality() (array_agg() distinct awsRegion)) 5))))

trino
SELECT listagg(DISTINCT eventName, ',') WITHIN GROUP (ORDER BY eventName) FROM events WHERE requestID = 'R-1'
----
(query (select (listagg() distinct eventName ',' (within eventName)) (from events) (where (= requestID 'R-1'))))

trino
SELECT count(*) FILTER (WHERE readOnly) AS reads, count(*) FILTER (WHERE NOT readOnly) AS writes, eventSource FROM events GROUP BY eventSource
----
(query (select (as (count() * (filter readOnly)) reads) (as (count() * (filter (not readOnly))) writes) eventSource (from events) (group eventSource)))

trino
SELECT day, n, avg(n) OVER (ORDER BY day ROWS BETWEEN 6 PRECEDING AND CURRENT ROW) AS week_average
FROM (SELECT date_trunc('day', eventTime) AS day, count(*) AS n FROM events GROUP BY 1) d ORDER BY day
----
(query (select day n (as (avg() n (over (order day) (rows (preceding 6) (current row)))) week_average) (from (derived (query (select (as (date_trunc() 'day' eventTime) day) (as (count() *) n) (from events) (group 1))) (as d)))) (order day))

trino
SELECT sharedEventID, count(DISTINCT recipientAccountId) FROM events WHERE sharedEventID IS NOT NULL GROUP BY sharedEventID HAVING count(DISTINCT recipientAccountId) > 1
----
(query (select sharedEventID (count() distinct recipientAccountId) (from events) (where (not-is null sharedEventID)) (group sharedEventID) (having (> (count() distinct recipientAccountId) 1))))

trino
SELECT vpcEndpointId, sourceIPAddress, count(*) c FROM events WHERE vpcEndpointId IS NOT NULL AND eventSource = 's3.amazonaws.com' GROUP BY vpcEndpointId, sourceIPAddress ORDER BY c DESC
----
(query (select vpcEndpointId sourceIPAddress (as (count() *) c) (from events) (where (and (not-is null vpcEndpointId) (= eventSource 's3.amazonaws.com'))) (group vpcEndpointId sourceIPAddress)) (order (desc c)))

trino
SELECT e.eventName FROM events e WHERE EXISTS (SELECT 1 FROM events s WHERE s.eventName = 'StopLogging' AND s.userIdentity.arn = e.userIdentity.arn AND s.eventTime < e.eventTime)
----
(query (select e.eventName (from (table events (as e))) (where (exists (query (select 1 (from (table events (as s))) (where (and (and (= s.eventName 'StopLogging') (= s.userIdentity.arn e.userIdentity.arn)) (< s.eventTime e.eventTime)))))))))

trino
SELECT userIdentity.arn FROM events WHERE eventName IN (SELECT name FROM (VALUES 'DeleteTrail', 'StopLogging', 'UpdateTrail') AS risky (name)) GROUP BY userIdentity.arn
----
(query (select userIdentity.arn (from events) (where (in eventName (query (select name (from (derived (query (values (row 'DeleteTrail') (row 'StopLogging') (row 'UpdateTrail'))) (as risky name))))))) (group userIdentity.arn)))

trino
SELECT eventName FROM events GROUP BY eventName HAVING count(*) > (SELECT 0.1 * count(*) FROM events)
----
(query (select eventName (from events) (group eventName) (having (> (count() *) (query (select (* 0.1 (count() *)) (from events)))))))

trino
SELECT from_iso8601_timestamp(json_extract_scalar(eventJson, '$.userIdentity.sessionContext.attributes.creationDate')) AS started FROM events
----
(query (select (as (from_iso8601_timestamp() (json_extract_scalar() eventJson '$.userIdentity.sessionContext.attributes.creationDate')) started) (from events)))

trino
SELECT try(CAST(element_at(requestParameters, 'durationSeconds') AS integer)) AS seconds, count(*) FROM events WHERE eventName LIKE 'AssumeRole%' GROUP BY 1 ORDER BY 1 DESC NULLS LAST
----
(query (select (as (try() (cast (element_at() requestParameters 'durationSeconds') integer)) seconds) (count() *) (from events) (where (like eventName 'AssumeRole%')) (group 1)) (order (desc-nulls-last 1)))

trino
SELECT replace(lower(userAgent), 'aws-', ''), substr(eventName, 1, 3), strpos(userIdentity.arn, 'assumed-role') > 0 FROM events
----
(query (select (replace() (lower() userAgent) 'aws-' '') (substr() eventName 1 3) (> (strpos() userIdentity.arn 'assumed-role') 0) (from events)))

trino
SELECT split_part(userIdentity.arn, ':', 5) AS account, histogram(eventCategory) FROM events GROUP BY split_part(userIdentity.arn, ':', 5)
----
(query (select (as (split_part() userIdentity.arn ':' 5) account) (histogram() eventCategory) (from events) (group (split_part() userIdentity.arn ':' 5))))

trino
SELECT eventTime, eventName, sessionCredentialFromConsole FROM events WHERE sessionCredentialFromConsole = 'true' AND managementEvent = true AND eventCategory = 'Management' OFFSET 20 LIMIT 10
----
(query (select eventTime eventName sessionCredentialFromConsole (from events) (where (and (and (= sessionCredentialFromConsole 'true') (= managementEvent true)) (= eventCategory 'Management')))) (limit 10) (offset 20))

trino
SELECT rank() OVER w AS place, dense_rank() OVER w, eventName, n FROM (SELECT eventName, count(*) n FROM events GROUP BY eventName) WINDOW w AS (ORDER BY n DESC) ORDER BY place FETCH FIRST 5 ROWS ONLY
----
(query (select (as (rank() (over w)) place) (dense_rank() (over w)) eventName n (from (derived (query (select eventName (as (count() *) n) (from events) (group eventName))))) (window w (over (order (desc n))))) (order place) (limit 5))

trino
SELECT * FROM events WHERE (eventName = 'RunInstances' AND requestParameters['instanceType'] LIKE 'p4%') OR (eventName = 'CreateUser' AND NOT (userIdentity.type IN ('IAMUser', 'Root')))
----
(query (select * (from events) (where (or (and (= eventName 'RunInstances') (like (subscript requestParameters 'instanceType') 'p4%')) (and (= eventName 'CreateUser') (not (in userIdentity.type 'IAMUser' 'Root')))))))

trino
SELECT map_filter(requestParameters, (k, v) -> k LIKE '%Id' AND v IS NOT NULL), map_keys(responseElements), cardinality(requestParameters) FROM events
----
(query (select (map_filter() requestParameters (lambda (k v) (and (like k '%Id') (not-is null v)))) (map_keys() responseElements) (cardinality() requestParameters) (from events)))

trino
SELECT addendum['reason'], count(*) FROM events WHERE element_at(addendum, 'reason') IN ('DELIVERY_DELAY', 'UPDATED_DATA') GROUP BY 1
----
(query (select (subscript addendum 'reason') (count() *) (from events) (where (in (element_at() addendum 'reason') 'DELIVERY_DELAY' 'UPDATED_DATA')) (group 1)))

trino
SELECT eventName, coalesce(errorCode, 'ok') AS outcome, count(*) FROM events GROUP BY CUBE (eventName, coalesce(errorCode, 'ok'))
----
(query (select eventName (as (coalesce() errorCode 'ok') outcome) (count() *) (from events) (group (sets (set eventName (coalesce() errorCode 'ok')) (set eventName) (set (coalesce() errorCode 'ok')) (set)))))

trino
SELECT x.day, coalesce(y.n, 0) AS n FROM UNNEST(sequence(date '2026-01-01', date '2026-01-31', interval '1' day)) AS x (day) LEFT JOIN (SELECT date(eventTime) AS day, count(*) AS n FROM events GROUP BY 1) AS y ON x.day = y.day
----
(query (select x.day (as (coalesce() y.n 0) n) (from (join-left (unnest (sequence() (typed date '2026-01-01') (typed date '2026-01-31') (interval '1' day)) (as x day)) (derived (query (select (as (date() eventTime) day) (as (count() *) n) (from events) (group 1))) (as y)) (on (= x.day y.day))))))

trino
WITH RECURSIVE chain (arn, depth) AS (
  SELECT userIdentity.arn, 0 FROM events WHERE eventName = 'AssumeRole' AND userIdentity.type = 'IAMUser'
  UNION ALL
  SELECT element_at(e.requestParameters, 'roleArn'), depth + 1 FROM events e JOIN chain c ON e.userIdentity.arn = c.arn WHERE depth < 4
)
SELECT arn, max(depth) FROM chain GROUP BY arn
----
(query (with-recursive (chain (columns arn depth) (query (union-all (select userIdentity.arn 0 (from events) (where (and (= eventName 'AssumeRole') (= userIdentity.type 'IAMUser')))) (select (element_at() e.requestParameters 'roleArn') (+ depth 1) (from (join-inner (table events (as e)) (table chain (as c)) (on (= e.userIdentity.arn c.arn)))) (where (< depth 4))))))) (select arn (max() depth) (from chain) (group arn)))

trino
SELECT eventID, json_extract(json_parse(eventJson), '$.eventData.configuration.AWS:ComplianceItem.Content.Patch') FROM config_items
----
(query (select eventID (json_extract() (json_parse() eventJson) '$.eventData.configuration.AWS:ComplianceItem.Content.Patch') (from config_items)))

postgres
SELECT "eventName", count(*)::int AS n FROM events WHERE "eventTime" >= $1 AND "eventTime" < $2 AND "errorCode" ~* 'denied' GROUP BY 1 ORDER BY n DESC NULLS LAST LIMIT $3
----
(query (select "eventName" (as (cast (count() *) int) n) (from events) (where (and (and (>= "eventTime" $1) (< "eventTime" $2)) (~* "errorCode" 'denied'))) (group 1)) (order (desc-nulls-last n)) (limit $3))

postgres
SELECT floor(extract(epoch FROM eventTime) / 300) * 300 AS time, eventSource AS metric, count(*) AS value FROM events WHERE eventTime BETWEEN '2026-01-01T00:00:00Z' AND '2026-01-02T00:00:00Z' GROUP BY 1, 2 ORDER BY 1, 2
----
(query (select (as (* (floor() (/ (extract() 'epoch' eventTime) 300)) 300) time) (as eventSource metric) (as (count() *) value) (from events) (where (between eventTime '2026-01-01T00:00:00Z' '2026-01-02T00:00:00Z')) (group 1 2)) (order 1 2))

postgres
SELECT c.oid, n.nspname, c.relname FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relname OPERATOR(pg_catalog.~) '^(events)$' COLLATE pg_catalog.default AND pg_catalog.pg_table_is_visible(c.oid) ORDER BY 2, 3
----
(query (select c.oid n.nspname c.relname (from (join-left (table pg_catalog.pg_class (as c)) (table pg_catalog.pg_namespace (as n)) (on (= n.oid c.relnamespace)))) (where (and (~ c.relname '^(events)$') (pg_catalog.pg_table_is_visible() c.oid)))) (order 2 3))

postgres
SELECT a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), (SELECT substring(pg_catalog.pg_get_expr(d.adbin, d.adrelid, true) for 128) FROM pg_catalog.pg_attrdef d WHERE d.adrelid = a.attrelid AND d.adnum = a.attnum AND a.atthasdef) FROM pg_catalog.pg_attribute a WHERE a.attrelid = '16384' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
----
(query (select a.attname (pg_catalog.format_type() a.atttypid a.atttypmod) (query (select (substring() (pg_catalog.pg_get_expr() d.adbin d.adrelid true) 1 128) (from (table pg_catalog.pg_attrdef (as d))) (where (and (and (= d.adrelid a.attrelid) (= d.adnum a.attnum)) a.atthasdef)))) (from (table pg_catalog.pg_attribute (as a))) (where (and (and (= a.attrelid '16384') (> a.attnum 0)) (not a.attisdropped)))) (order a.attnum))

postgres
SELECT t.typname, t.oid, CASE WHEN t.typtype IN ('b', 'e') AND t.typelem <> 0 THEN true ELSE false END AS is_array FROM pg_type t JOIN pg_namespace ns ON t.typnamespace = ns.oid WHERE t.typname = ANY($1::text[]) AND ns.nspname NOT IN ('pg_toast') OR t.oid = 'hstore'::regtype
----
(query (select t.typname t.oid (as (case (when (and (in t.typtype 'b' 'e') (<> t.typelem 0)) true) (else false)) is_array) (from (join-inner (table pg_type (as t)) (table pg_namespace (as ns)) (on (= t.typnamespace ns.oid)))) (where (or (and (= any t.typname (cast $1 array(text))) (not-in ns.nspname 'pg_toast')) (= t.oid (cast 'hstore' regtype))))))

trino
EXPLAIN ANALYZE SELECT count(*) FROM events WHERE eventTime > now() - interval '30' day AND userIdentity.accessKeyId = 'AKIAEXAMPLEKEY000000'
----
(explain-analyze (query (select (count() *) (from events) (where (and (> eventTime (- (now()) (interval '30' day))) (= userIdentity.accessKeyId 'AKIAEXAMPLEKEY000000'))))))
