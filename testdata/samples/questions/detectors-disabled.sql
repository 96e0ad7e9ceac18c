-- title: Watchmen dismissed
-- about: Detectors, recorders and flow logs that somebody deleted or stopped.
SELECT eventTime, userIdentity.arn AS principal, eventSource, eventName, errorCode
FROM events
WHERE eventName IN ('DeleteDetector', 'StopConfigurationRecorder', 'DeleteConfigurationRecorder', 'DeleteFlowLogs', 'DisableSecurityHub', 'DeleteAlarms', 'DeleteMembers', 'StopLogging')
ORDER BY eventTime, principal
