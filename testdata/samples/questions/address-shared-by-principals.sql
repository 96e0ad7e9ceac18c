-- title: One address, many users
-- about: Addresses from which several IAM users acted.
SELECT sourceIPAddress, count(DISTINCT userIdentity.arn) AS users,
       array_join(slice(array_sort(array_agg(DISTINCT userIdentity.userName)), 1, 5), ', ') AS some_of_them
FROM events
WHERE userIdentity.type = 'IAMUser'
GROUP BY sourceIPAddress
HAVING count(DISTINCT userIdentity.arn) > 1
ORDER BY users DESC, sourceIPAddress
LIMIT 15
