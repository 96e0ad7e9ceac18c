-- title: Access keys used from many addresses
-- about: Long-lived keys by the number of addresses they came from: a leaked key shows here first.
SELECT userIdentity.accessKeyId AS access_key, min_by(userIdentity.arn, eventTime) AS principal,
       count(DISTINCT sourceIPAddress) AS addresses, count(*) AS calls, max(eventTime) AS last_used
FROM events
WHERE userIdentity.accessKeyId LIKE 'AKIA%'
GROUP BY userIdentity.accessKeyId
ORDER BY addresses DESC, calls DESC, access_key
LIMIT 15
