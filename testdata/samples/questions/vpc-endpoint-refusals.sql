-- title: Refusals at VPC endpoints
-- about: Calls through a VPC endpoint that failed.
SELECT vpcEndpointId, eventSource, eventName, errorCode, count(*) AS refusals
FROM events
WHERE vpcEndpointId IS NOT NULL AND errorCode IS NOT NULL
GROUP BY 1, 2, 3, 4
ORDER BY refusals DESC, vpcEndpointId, eventSource, eventName, errorCode
LIMIT 20
