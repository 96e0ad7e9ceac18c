-- title: Encryption keys about to go
-- about: Keys scheduled for deletion or disabled: what they protect is lost with them.
SELECT eventTime, userIdentity.arn AS principal, eventName, element_at(requestParameters, 'keyId') AS key, element_at(requestParameters, 'pendingWindowInDays') AS days
FROM events
WHERE eventSource = 'kms.amazonaws.com' AND eventName IN ('ScheduleKeyDeletion', 'DisableKey', 'PutKeyPolicy')
ORDER BY eventTime
