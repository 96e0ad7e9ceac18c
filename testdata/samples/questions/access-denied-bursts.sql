-- title: Bursts of refused calls
-- about: Quarters of an hour in which one principal was refused ten times or more.
SELECT userIdentity.arn AS principal,
       from_unixtime(floor(to_unixtime(eventTime) / 900) * 900) AS quarter,
       count(*) AS refused, array_join(array_sort(array_agg(DISTINCT eventName)), ', ') AS calls
FROM events
WHERE errorCode LIKE '%AccessDenied%' OR errorCode LIKE '%Unauthorized%'
GROUP BY 1, 2
HAVING count(*) >= 10
ORDER BY refused DESC, principal
