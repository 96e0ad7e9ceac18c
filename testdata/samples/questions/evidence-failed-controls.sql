-- title: Controls that failed
-- about: Failed compliance checks by framework and control, with the resources concerned.
SELECT eventData.frameworkName AS framework, eventData.controlName AS control, count(*) AS failures, count(DISTINCT eventData.resourceArn) AS resources
FROM evidence
WHERE eventData.complianceCheck = 'FAIL'
GROUP BY 1, 2
ORDER BY failures DESC, framework, control
LIMIT 20
