-- title: Accounts with changes and their resources
-- about: For each account, writing calls to the service beside the resources of it that the configuration store knows.
SELECT e.account, e.writes, coalesce(c.resources, 0) AS resources
FROM (SELECT recipientAccountId AS account, count(*) AS writes FROM events WHERE NOT readOnly GROUP BY 1) e
LEFT JOIN (SELECT eventData.accountId AS account, count(DISTINCT eventData.resourceId) AS resources FROM configuration GROUP BY 1) c
  ON c.account = e.account
ORDER BY e.writes DESC, e.account
