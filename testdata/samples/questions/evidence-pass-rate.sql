-- title: Share of checks passed
-- about: How many checks each framework passed, by month.
SELECT eventData.frameworkName AS framework, date_trunc('month', eventTime) AS month, count(*) AS checks,
       round(100.0 * count_if(eventData.complianceCheck = 'PASS') / count(*), 1) AS percent_passed
FROM evidence
WHERE eventData.complianceCheck IN ('PASS', 'FAIL')
GROUP BY 1, 2
ORDER BY framework, month
