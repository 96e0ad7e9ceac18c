-- title: Buckets that were public at some time
-- about: Configuration items of buckets whose public access block is off, newest state first.
SELECT eventData.accountId AS account, eventData.resourceName AS bucket, max(eventData.configurationItemCaptureTime) AS seen, count(*) AS items
FROM configuration
WHERE eventData.resourceType = 'AWS::S3::Bucket'
  AND eventJson LIKE '%"blockPublicAcls":false%'
GROUP BY 1, 2
ORDER BY seen DESC, bucket
LIMIT 20
