-- title: Console sign-ins without MFA
-- about: Successful sign-ins of users and root to the console for which no second factor was used.
SELECT eventTime, userIdentity.arn AS principal, sourceIPAddress, awsRegion
FROM events
WHERE eventName = 'ConsoleLogin'
  AND element_at(responseElements, 'ConsoleLogin') = 'Success'
  AND element_at(additionalEventData, 'MFAUsed') = 'No'
  AND userIdentity.type IN ('IAMUser', 'Root')
ORDER BY eventTime, principal
