-- title: Buckets opened to everyone
-- about: Bucket policies that allow any principal, and removals of the block on public access.
SELECT eventTime, userIdentity.arn AS principal, eventName, element_at(requestParameters, 'bucketName') AS bucket
FROM events
WHERE eventSource = 's3.amazonaws.com'
  AND (eventName = 'PutBucketPolicy' AND element_at(requestParameters, 'bucketPolicy') LIKE '%"Principal":"*"%'
       OR eventName IN ('DeleteBucketPublicAccessBlock', 'DeleteAccountPublicAccessBlock'))
  AND errorCode IS NULL
ORDER BY eventTime
