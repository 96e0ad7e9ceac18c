-- title: History of one kind of resource
-- about: Changes of buckets, one by one: what happened to each, in order.
SELECT r.arn AS resource, count(*) AS changes,
       array_join(array_agg(eventName ORDER BY eventTime, eventID), ' > ') AS history
FROM events
CROSS JOIN UNNEST(resources) AS r(accountid, type, arn, arnprefix)
WHERE r.type = 'AWS::S3::Bucket' AND NOT readOnly
GROUP BY r.arn
ORDER BY changes DESC, resource
LIMIT 15
