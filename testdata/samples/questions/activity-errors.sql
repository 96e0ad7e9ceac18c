-- title: What failed outside the cloud
-- about: Errors of applications by program and code, with one message of each.
SELECT eventData.eventSource AS program, eventData.eventName AS action, eventData.errorCode AS code, count(*) AS errors, min(eventData.errorMessage) AS example
FROM activity
WHERE eventData.errorCode IS NOT NULL
GROUP BY 1, 2, 3
ORDER BY errors DESC, program, action, code
LIMIT 15
