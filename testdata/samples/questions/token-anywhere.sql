-- title: A name anywhere in the records
-- about: Every record in which a role's name stands, wherever it stands, by the field that names it.
SELECT eventSource, eventName, count(*) AS records
FROM events
WHERE eventJson LIKE '%deploy-from-tooling%'
GROUP BY 1, 2
ORDER BY records DESC, eventSource, eventName
