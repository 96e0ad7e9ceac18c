-- title: First call of each user and day
-- about: When users begin their day: the median of the first call's hour over the days seen.
SELECT user_name, count(*) AS days, approx_percentile(hour(first_call), 0.5) AS median_hour
FROM (
  SELECT userIdentity.userName AS user_name, eventTime AS first_call,
         row_number() OVER (PARTITION BY userIdentity.arn, date(eventTime) ORDER BY eventTime, eventID) AS place
  FROM events
  WHERE userIdentity.type = 'IAMUser'
)
WHERE place = 1
GROUP BY user_name
ORDER BY days DESC, user_name
LIMIT 15
