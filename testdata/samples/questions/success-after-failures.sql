-- title: Sign-in that succeeded after failures
-- about: A user who failed at least once in the month before a successful sign-in.
SELECT ok.eventTime, ok.userIdentity.arn AS principal, ok.sourceIPAddress,
       count(*) AS failures_before
FROM events ok
JOIN events bad
  ON bad.userIdentity.accountId = ok.userIdentity.accountId
 AND bad.userIdentity.userName = ok.userIdentity.userName
 AND bad.eventTime BETWEEN ok.eventTime - interval '30' day AND ok.eventTime
WHERE ok.eventName = 'ConsoleLogin' AND element_at(ok.responseElements, 'ConsoleLogin') = 'Success'
  AND bad.eventName = 'ConsoleLogin' AND element_at(bad.responseElements, 'ConsoleLogin') = 'Failure'
GROUP BY ok.eventID, ok.eventTime, ok.userIdentity.arn, ok.sourceIPAddress
ORDER BY ok.eventTime, principal
