-- title: Data exported outside the cloud
-- about: Exports from databases and other programs, from the events that applications send.
SELECT eventData.userIdentity.principalId AS who, eventData.eventSource AS program, element_at(eventData.requestParameters, 'database') AS what,
       sum(CAST(element_at(eventData.requestParameters, 'rows') AS bigint)) AS exported_rows, count(*) AS times
FROM activity
WHERE eventData.eventName = 'table.export'
GROUP BY 1, 2, 3
ORDER BY exported_rows DESC, who
LIMIT 15
