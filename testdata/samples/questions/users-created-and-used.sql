-- title: New users and what they did first
-- about: Users that were created, with their first own call after it.
SELECT made.eventTime AS created, made.userIdentity.arn AS created_by, element_at(made.requestParameters, 'userName') AS new_user,
       min(used.eventTime) AS first_used, min_by(used.eventName, used.eventTime) AS first_call
FROM events made
LEFT JOIN events used
  ON used.userIdentity.userName = element_at(made.requestParameters, 'userName')
 AND used.recipientAccountId = made.recipientAccountId
 AND used.eventTime > made.eventTime
WHERE made.eventSource = 'iam.amazonaws.com' AND made.eventName = 'CreateUser' AND made.errorCode IS NULL
GROUP BY 1, 2, 3
ORDER BY created, new_user
