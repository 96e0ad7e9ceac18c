-- title: Hours without events
-- about: Hours between the first and the last event in which an account recorded nothing: quiet nights, or logs that are missing.
WITH hours AS (
  SELECT hour FROM (SELECT date_trunc('hour', min(eventTime)) AS a, date_trunc('hour', max(eventTime)) AS b FROM events)
  CROSS JOIN UNNEST(sequence(a, b, interval '1' hour)) AS h(hour)
), accounts AS (SELECT DISTINCT recipientAccountId AS account FROM events)
SELECT account, count(*) AS silent_hours, min(hour) AS first_silent_hour
FROM accounts CROSS JOIN hours
WHERE NOT EXISTS (SELECT 1 FROM events e WHERE e.recipientAccountId = account AND date_trunc('hour', e.eventTime) = hour)
GROUP BY account
ORDER BY silent_hours DESC, account
