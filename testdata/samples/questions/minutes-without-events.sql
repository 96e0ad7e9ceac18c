-- title: Days that are missing
-- about: Days between the first and the last event on which an account recorded nothing.
WITH days AS (
  SELECT day FROM (SELECT date(min(eventTime)) AS a, date(max(eventTime)) AS b FROM events)
  CROSS JOIN UNNEST(sequence(a, b, interval '1' day)) AS d(day)
), accounts AS (SELECT DISTINCT recipientAccountId AS account FROM events)
SELECT account, count(*) AS silent_days, min(day) AS first_silent_day
FROM accounts CROSS JOIN days
WHERE NOT EXISTS (SELECT 1 FROM events e WHERE e.recipientAccountId = account AND date(e.eventTime) = day)
GROUP BY account
ORDER BY silent_days DESC, account
