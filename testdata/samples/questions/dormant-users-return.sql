-- title: Dormant users who came back
-- about: Users with three weeks or more between two calls.
SELECT principal, before_time AS last_seen, eventTime AS back, date_diff('day', before_time, eventTime) AS days_away
FROM (
  SELECT userIdentity.arn AS principal, eventTime,
         lag(eventTime) OVER (PARTITION BY userIdentity.arn ORDER BY eventTime, eventID) AS before_time
  FROM events
  WHERE userIdentity.type = 'IAMUser'
)
WHERE date_diff('day', before_time, eventTime) >= 21
ORDER BY days_away DESC, principal
LIMIT 15
