-- title: Access keys made, and for whom
-- about: New access keys, marked when somebody made one for another user.
SELECT eventTime, userIdentity.arn AS made_by,
       coalesce(element_at(requestParameters, 'userName'), userIdentity.userName) AS key_for,
       if(coalesce(element_at(requestParameters, 'userName'), userIdentity.userName) = userIdentity.userName, 'own', 'for another') AS whose,
       sourceIPAddress
FROM events
WHERE eventSource = 'iam.amazonaws.com' AND eventName = 'CreateAccessKey' AND errorCode IS NULL
ORDER BY eventTime
