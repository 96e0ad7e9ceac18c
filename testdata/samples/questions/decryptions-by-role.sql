-- title: Who decrypts with which key
-- about: Uses of keys by role, counted from the resources of the records.
SELECT r.arn AS key, coalesce(userIdentity.sessionContext.sessionIssuer.userName, userIdentity.userName, userIdentity.invokedBy) AS who, count(*) AS uses
FROM events
CROSS JOIN UNNEST(resources) AS r(accountid, type, arn, arnprefix)
WHERE eventSource = 'kms.amazonaws.com' AND eventName = 'Decrypt' AND r.type = 'AWS::KMS::Key'
GROUP BY 1, 2
ORDER BY uses DESC, key, who
LIMIT 20
