-- title: Which roles are assumed by whom
-- about: Roles by number of AssumeRole calls, with the number of different callers.
SELECT element_at(requestParameters, 'roleArn') AS role, count(*) AS times, count(DISTINCT coalesce(userIdentity.arn, userIdentity.invokedBy)) AS callers, count(errorCode) AS failed
FROM events
WHERE eventSource = 'sts.amazonaws.com' AND eventName LIKE 'AssumeRole%'
GROUP BY 1
ORDER BY times DESC, role
LIMIT 20
