-- title: API calls that nobody had made before
-- about: Names of calls whose first use is in the last two weeks of the data.
SELECT eventSource, eventName, min(eventTime) AS first_call, min_by(userIdentity.arn, eventTime) AS by_whom, count(*) AS calls
FROM events
GROUP BY eventSource, eventName
HAVING min(eventTime) >= (SELECT max(eventTime) - interval '14' day FROM events)
ORDER BY first_call DESC, eventSource, eventName
LIMIT 25
