-- title: Logging switched off
-- about: Calls that stop, delete or narrow the trail that should record them.
SELECT eventTime, recipientAccountId AS account, userIdentity.arn AS principal, eventName, element_at(requestParameters, 'name') AS trail, sourceIPAddress
FROM events
WHERE eventSource = 'cloudtrail.amazonaws.com'
  AND eventName IN ('StopLogging', 'DeleteTrail', 'UpdateTrail', 'PutEventSelectors', 'StopEventDataStoreIngestion', 'DeleteEventDataStore')
ORDER BY eventTime
