-- title: Regions seen for the first time
-- about: The first use of a Region by an account later than a week after the account's own first event.
SELECT account, awsRegion, first_use, calls
FROM (
  SELECT recipientAccountId AS account, awsRegion, min(eventTime) AS first_use, count(*) AS calls,
         min(min(eventTime)) OVER (PARTITION BY recipientAccountId) AS account_start
  FROM events
  GROUP BY recipientAccountId, awsRegion
)
WHERE first_use > account_start + interval '7' day
ORDER BY first_use DESC, account, awsRegion
LIMIT 25
