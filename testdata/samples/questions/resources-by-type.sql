-- title: Resources touched, by type
-- about: What kinds of resources the records name, and how many of each.
SELECT r.type, count(*) AS mentions, count(DISTINCT r.arn) AS resources
FROM events
CROSS JOIN UNNEST(resources) AS r(accountid, type, arn, arnprefix)
GROUP BY r.type
ORDER BY mentions DESC, r.type
