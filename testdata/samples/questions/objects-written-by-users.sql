-- title: Objects that users changed by hand
-- about: Writing object calls of users, not of roles or services.
SELECT userIdentity.userName AS user_name, eventName, element_at(requestParameters, 'bucketName') AS bucket, count(*) AS calls
FROM events
WHERE eventSource = 's3.amazonaws.com' AND eventCategory = 'Data' AND NOT readOnly AND userIdentity.type = 'IAMUser'
GROUP BY 1, 2, 3
ORDER BY calls DESC, user_name, eventName, bucket
LIMIT 20
