-- title: One principal, one call, over and over
-- about: The busiest five minutes of every principal and call, where they held five calls or more and twice what its other busy five minutes hold on average.
SELECT principal, eventSource, eventName, max(calls) AS most_in_five_minutes, round(avg(calls), 2) AS usual, max_by(slot, calls) AS at
FROM (
  SELECT userIdentity.arn AS principal, eventSource, eventName,
         from_unixtime(floor(to_unixtime(eventTime) / 300) * 300) AS slot, count(*) AS calls
  FROM events
  WHERE userIdentity.arn IS NOT NULL
  GROUP BY 1, 2, 3, 4
)
GROUP BY 1, 2, 3
HAVING max(calls) >= 5 AND max(calls) >= 2 * avg(calls)
ORDER BY most_in_five_minutes DESC, principal, eventName
