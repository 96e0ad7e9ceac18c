-- title: Policy statements with wildcards
-- about: Statements of policy documents in requests that allow a whole service on every resource.
SELECT eventTime, userIdentity.arn AS principal, eventName, json_extract_scalar(s.statement, '$.Sid') AS statement,
       json_extract(s.statement, '$.Action') AS actions
FROM events
CROSS JOIN UNNEST(CAST(json_extract(element_at(requestParameters, 'policyDocument'), '$.Statement') AS array(json))) AS s(statement)
WHERE eventSource = 'iam.amazonaws.com'
  AND json_extract_scalar(s.statement, '$.Resource') = '*'
  AND regexp_like(json_format(json_extract(s.statement, '$.Action')), '"([a-z0-9]+:)?\*"')
ORDER BY eventTime, principal, statement
LIMIT 20
