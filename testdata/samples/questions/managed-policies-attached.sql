-- title: Managed policies attached
-- about: Which managed policies were given to whom, those that allow the most first.
SELECT regexp_extract(element_at(requestParameters, 'policyArn'), '[^/]+$') AS policy,
       CASE WHEN regexp_like(element_at(requestParameters, 'policyArn'), 'Administrator|PowerUser|FullAccess') THEN 'wide' ELSE 'narrow' END AS reach,
       count(*) AS times, max(eventTime) AS last_time, max_by(userIdentity.arn, eventTime) AS last_by
FROM events
WHERE eventName IN ('AttachUserPolicy', 'AttachRolePolicy', 'AttachGroupPolicy') AND errorCode IS NULL
GROUP BY 1, 2
ORDER BY reach DESC, times DESC, policy
