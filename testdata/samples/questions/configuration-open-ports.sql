-- title: Security groups that let anyone in
-- about: Configuration items of security groups with rules for 0.0.0.0/0, by port.
SELECT eventData.resourceName AS security_group, json_extract_scalar(p.permission, '$.fromPort') AS port, eventData.accountId AS account, max(eventTime) AS seen
FROM configuration
CROSS JOIN UNNEST(CAST(json_parse(element_at(eventData.configuration, 'ipPermissions')) AS array(json))) AS p(permission)
WHERE eventData.resourceType = 'AWS::EC2::SecurityGroup'
  AND json_format(json_extract(p.permission, '$.ipRanges')) LIKE '%0.0.0.0/0%'
GROUP BY 1, 2, 3
ORDER BY seen DESC, security_group, port
LIMIT 20
