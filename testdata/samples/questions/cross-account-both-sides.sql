-- title: Both sides of a call between accounts
-- about: Records that two accounts keep of the same call, found by their shared event ID.
SELECT a.sharedEventID, a.eventTime, a.eventName, a.recipientAccountId AS one_account, b.recipientAccountId AS other_account
FROM events a
JOIN events b ON a.sharedEventID = b.sharedEventID AND a.recipientAccountId < b.recipientAccountId
ORDER BY a.eventTime DESC, a.sharedEventID
LIMIT 15
