-- title: Hours far above their average
-- about: Hours in which an account made more than four standard deviations more calls than it does on average.
WITH hourly AS (
  SELECT recipientAccountId AS account, date_trunc('hour', eventTime) AS hour, count(*) AS calls
  FROM events GROUP BY 1, 2
), usual AS (
  SELECT account, avg(calls) AS mean, stddev(calls) AS deviation FROM hourly GROUP BY account
)
SELECT account, hour, calls, round(mean, 1) AS mean, round((calls - mean) / deviation, 1) AS deviations
FROM hourly JOIN usual USING (account)
WHERE deviation > 0 AND calls > mean + 4 * deviation
ORDER BY deviations DESC, account, hour
LIMIT 20
