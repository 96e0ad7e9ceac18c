-- title: What root did
-- about: Every call by an account's root user, which daily work never needs.
SELECT recipientAccountId AS account, eventTime, eventSource, eventName, sourceIPAddress, errorCode
FROM events
WHERE userIdentity.type = 'Root' AND userIdentity.invokedBy IS NULL
ORDER BY account, eventTime, eventName
