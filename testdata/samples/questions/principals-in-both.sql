-- title: Principals who both failed and changed things
-- about: IAM users who were refused something and changed something on the same day.
SELECT userIdentity.userName AS user_name, date(eventTime) AS day
FROM events
WHERE userIdentity.type = 'IAMUser' AND (errorCode LIKE '%Denied%' OR errorCode LIKE '%Unauthorized%')
INTERSECT
SELECT userIdentity.userName, date(eventTime)
FROM events
WHERE userIdentity.type = 'IAMUser' AND NOT readOnly AND errorCode IS NULL
ORDER BY day, user_name
