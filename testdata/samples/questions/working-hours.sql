-- title: Users at work at night
-- about: Calls of IAM users between midnight and five in the morning, local time in Berlin.
SELECT userIdentity.userName AS user_name, count(*) AS calls_at_night, count(DISTINCT date(eventTime AT TIME ZONE 'Europe/Berlin')) AS nights
FROM events
WHERE userIdentity.type = 'IAMUser'
  AND hour(eventTime AT TIME ZONE 'Europe/Berlin') < 5
GROUP BY 1
ORDER BY calls_at_night DESC, user_name
LIMIT 15
