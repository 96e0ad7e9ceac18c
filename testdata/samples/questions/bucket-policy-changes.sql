-- title: Changes of bucket policies
-- about: Who changed who may read which bucket.
SELECT element_at(requestParameters, 'bucketName') AS bucket, count(*) AS changes,
       array_join(array_sort(array_agg(DISTINCT eventName)), ', ') AS kinds, max(eventTime) AS last_change, max_by(userIdentity.arn, eventTime) AS last_by
FROM events
WHERE eventSource = 's3.amazonaws.com' AND eventName IN ('PutBucketPolicy', 'DeleteBucketPolicy', 'PutBucketAcl', 'DeleteBucketPublicAccessBlock', 'PutBucketPublicAccessBlock')
GROUP BY 1
ORDER BY last_change DESC, bucket
LIMIT 20
