-- title: Root use by account
-- about: How often root acted in each account, and when last.
SELECT recipientAccountId AS account, count(*) AS calls, count(DISTINCT date(eventTime)) AS days, max(eventTime) AS last_seen
FROM events
WHERE userIdentity.type = 'Root' AND userIdentity.invokedBy IS NULL
GROUP BY recipientAccountId
ORDER BY calls DESC, account
