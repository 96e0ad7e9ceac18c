-- title: Who did what everywhere, in the last day
-- about: Cloud calls of users and the actions of applications in one list, newest first.
WITH newest AS (SELECT max(eventTime) - interval '1' day AS since FROM events)
SELECT eventTime, who, action, address
FROM (
  SELECT eventTime, userIdentity.userName AS who, concat(eventSource, ' ', eventName) AS action, sourceIPAddress AS address
  FROM events
  WHERE userIdentity.type = 'IAMUser'
  UNION ALL
  SELECT eventTime, eventData.userIdentity.principalId, concat(eventData.eventSource, ' ', eventData.eventName), eventData.sourceIPAddress
  FROM activity
)
WHERE eventTime >= (SELECT since FROM newest)
ORDER BY eventTime DESC, who, action
LIMIT 25
