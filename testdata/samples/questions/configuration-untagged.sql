-- title: Resources by team and environment
-- about: Resources of the configuration store counted by two of their tags, with totals.
SELECT element_at(eventData.tags, 'team') AS team, element_at(eventData.tags, 'env') AS environment, count(DISTINCT eventData.resourceId) AS resources
FROM configuration
GROUP BY GROUPING SETS ((element_at(eventData.tags, 'team'), element_at(eventData.tags, 'env')), (element_at(eventData.tags, 'team')), ())
ORDER BY team NULLS LAST, environment NULLS LAST
