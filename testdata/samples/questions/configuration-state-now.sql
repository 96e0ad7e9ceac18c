-- title: Latest state of each resource
-- about: The newest configuration item of every resource that was not deleted, counted by type.
SELECT resource_type, count(*) AS resources, count_if(status = 'ResourceDiscovered') AS new_ones
FROM (
  SELECT eventData.resourceType AS resource_type, eventData.configurationItemStatus AS status,
         row_number() OVER (PARTITION BY eventData.resourceId ORDER BY eventTime DESC, eventID) AS place
  FROM configuration
)
WHERE place = 1 AND status NOT LIKE 'ResourceDeleted%'
GROUP BY resource_type
ORDER BY resources DESC, resource_type
