-- title: Roles that assume roles
-- about: Sessions of one role that took on another.
SELECT userIdentity.sessionContext.sessionIssuer.userName AS from_role,
       regexp_extract(element_at(requestParameters, 'roleArn'), 'role/(.*)$', 1) AS to_role, count(*) AS times
FROM events
WHERE eventName = 'AssumeRole' AND userIdentity.type = 'AssumedRole'
GROUP BY 1, 2
ORDER BY times DESC, from_role, to_role
LIMIT 20
