-- title: Snapshots and images shared
-- about: Volumes' snapshots and images made readable for other accounts.
SELECT eventTime, userIdentity.arn AS principal, eventName, awsRegion, sourceIPAddress
FROM events
WHERE eventName IN ('ModifySnapshotAttribute', 'ModifyImageAttribute', 'ModifyDBSnapshotAttribute')
ORDER BY eventTime
