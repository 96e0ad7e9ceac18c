-- title: Instances launched
-- about: Launches by type of instance and account.
SELECT recipientAccountId AS account, element_at(requestParameters, 'instanceType') AS instance_type, count(*) AS launches, count(errorCode) AS failed
FROM events
WHERE eventSource = 'ec2.amazonaws.com' AND eventName = 'RunInstances'
GROUP BY 1, 2
ORDER BY launches DESC, account, instance_type
LIMIT 20
