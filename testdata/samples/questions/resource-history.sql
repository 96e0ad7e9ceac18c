-- title: History of one kind of resource
-- about: Changes of roles, resource by resource: what happened to it, in order.
SELECT r.arn AS resource, count(*) AS changes,
       array_join(array_agg(eventName ORDER BY eventTime, eventID), ' > ') AS history
FROM events
CROSS JOIN UNNEST(resources) AS r(accountid, type, arn, arnprefix)
WHERE r.type = 'AWS::IAM::Role' AND NOT readOnly
GROUP BY r.arn
ORDER BY changes DESC, resource
LIMIT 15
