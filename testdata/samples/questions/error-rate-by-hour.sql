-- title: Error rate by hour of the day
-- about: Share of failing calls in each hour of the day (UTC).
SELECT hour(eventTime) AS hour_of_day, count(*) AS calls, count(errorCode) AS errors,
       round(100.0 * count(errorCode) / count(*), 2) AS percent
FROM events
GROUP BY 1
ORDER BY 1
