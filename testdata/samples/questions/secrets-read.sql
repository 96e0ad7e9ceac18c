-- title: Secrets read
-- about: Who read which secret how often.
SELECT userIdentity.arn AS principal, element_at(requestParameters, 'secretId') AS secret, count(*) AS reads
FROM events
WHERE eventSource = 'secretsmanager.amazonaws.com' AND eventName = 'GetSecretValue'
GROUP BY 1, 2
ORDER BY reads DESC, principal, secret
LIMIT 20
