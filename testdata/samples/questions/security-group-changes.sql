-- title: Changes of security groups by account
-- about: How often ingress and egress rules were changed, by whom last.
SELECT recipientAccountId AS account, eventName, count(*) AS changes, max_by(userIdentity.arn, eventTime) AS last_by
FROM events
WHERE eventSource = 'ec2.amazonaws.com' AND eventName LIKE '%SecurityGroup%' AND NOT readOnly
GROUP BY 1, 2
ORDER BY changes DESC, account, eventName
