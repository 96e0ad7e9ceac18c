-- title: What was deleted
-- about: Successful calls that delete, terminate or destroy, by service.
SELECT eventSource, eventName, count(*) AS calls, max(eventTime) AS last_call, max_by(userIdentity.arn, eventTime) AS last_by
FROM events
WHERE regexp_like(eventName, '^(Delete|Terminate|Remove|Destroy|Purge)') AND errorCode IS NULL
GROUP BY 1, 2
ORDER BY calls DESC, eventSource, eventName
LIMIT 20
