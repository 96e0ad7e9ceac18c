-- title: Instances without their patches
-- about: Compliance items that say a patch is missing, with its severity.
SELECT eventData.resourceName AS instance, k.patch, json_extract_scalar(k.detail, '$.Severity') AS severity, max(eventTime) AS seen
FROM configuration
CROSS JOIN UNNEST(CAST(json_extract(eventJson, '$.eventData.configuration.AWS:ComplianceItem.Content.Patch') AS map(varchar, json))) AS k(patch, detail)
WHERE eventData.resourceType = 'AWS::SSM::PatchCompliance'
  AND json_extract_scalar(k.detail, '$.Status') = 'NON_COMPLIANT'
GROUP BY 1, 2, 3
ORDER BY CASE severity WHEN 'CRITICAL' THEN 1 WHEN 'HIGH' THEN 2 ELSE 3 END, seen DESC, instance, patch
LIMIT 20
