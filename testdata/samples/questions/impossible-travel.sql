-- title: Impossible travel
-- about: One user's console sign-ins from two addresses less than two hours apart, taken pairwise in order of time.
SELECT principal, before_time, before_address, eventTime, sourceIPAddress,
       date_diff('minute', before_time, eventTime) AS minutes
FROM (
  SELECT userIdentity.arn AS principal, eventTime, sourceIPAddress,
         lag(eventTime) OVER w AS before_time,
         lag(sourceIPAddress) OVER w AS before_address
  FROM events
  WHERE eventName = 'ConsoleLogin' AND element_at(responseElements, 'ConsoleLogin') = 'Success'
  WINDOW w AS (PARTITION BY userIdentity.arn ORDER BY eventTime, eventID)
)
WHERE sourceIPAddress <> before_address AND date_diff('minute', before_time, eventTime) < 120
ORDER BY eventTime, principal
