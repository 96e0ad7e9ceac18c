-- title: How long the unusual lasted
-- about: Start and end of each insight, paired by their shared event ID, the longest first.
SELECT s.insightEventName AS call, s.recipientAccountId AS account, s.eventTime AS began, e.eventTime AS ended, date_diff('minute', s.eventTime, e.eventTime) AS minutes
FROM insights s
JOIN insights e ON e.sharedEventID = s.sharedEventID AND e.insightState = 'End'
WHERE s.insightState = 'Start'
ORDER BY minutes DESC, began, call
LIMIT 15
