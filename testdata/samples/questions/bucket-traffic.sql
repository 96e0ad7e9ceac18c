-- title: Busiest buckets
-- about: Object calls by bucket, reading and writing apart.
SELECT element_at(requestParameters, 'bucketName') AS bucket, count_if(readOnly) AS reads, count_if(NOT readOnly) AS writes,
       count(DISTINCT userIdentity.arn) AS principals
FROM events
WHERE eventSource = 's3.amazonaws.com' AND element_at(requestParameters, 'bucketName') IS NOT NULL
GROUP BY 1
ORDER BY reads + writes DESC, bucket
LIMIT 15
