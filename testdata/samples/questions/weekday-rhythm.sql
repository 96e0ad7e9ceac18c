-- title: Calls by day of the week
-- about: The weekly rhythm of reading and writing calls.
SELECT day_of_week(eventTime) AS day, count_if(readOnly) AS reads, count_if(NOT readOnly) AS writes
FROM events
GROUP BY 1
ORDER BY 1
