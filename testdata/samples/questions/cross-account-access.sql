-- title: Access from other accounts
-- about: Calls whose caller belongs to another account than the one that was called.
SELECT userIdentity.accountId AS caller_account, recipientAccountId AS called_account, eventSource, eventName, count(*) AS calls
FROM events
WHERE userIdentity.accountId <> recipientAccountId
GROUP BY 1, 2, 3, 4
ORDER BY calls DESC, caller_account, called_account, eventName
LIMIT 20
