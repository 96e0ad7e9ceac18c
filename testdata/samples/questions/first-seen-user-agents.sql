-- title: User agents a principal never used before
-- about: For IAM users, programs that turned up in the last two weeks of the data and never before.
WITH bounds AS (SELECT max(eventTime) - interval '14' day AS since FROM events)
SELECT userIdentity.arn AS principal, userAgent, min(eventTime) AS first_seen, count(*) AS calls
FROM events CROSS JOIN bounds
WHERE userIdentity.type = 'IAMUser'
GROUP BY userIdentity.arn, userAgent, since
HAVING min(eventTime) >= since
ORDER BY first_seen DESC, principal, userAgent
LIMIT 25
