-- title: Security groups opened to the world
-- about: Ingress rules for 0.0.0.0/0, with the group they were added to.
SELECT eventTime, userIdentity.arn AS principal, awsRegion, element_at(requestParameters, 'groupId') AS security_group, sourceIPAddress
FROM events
WHERE eventName = 'AuthorizeSecurityGroupIngress'
  AND element_at(requestParameters, 'ipPermissions') LIKE '%0.0.0.0/0%'
  AND errorCode IS NULL
ORDER BY eventTime
