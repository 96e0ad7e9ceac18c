-- title: Calls from outside our networks
-- about: Calls of users from public addresses that are in none of the given networks.
SELECT sourceIPAddress, count(*) AS calls, count(DISTINCT userIdentity.arn) AS principals
FROM events
WHERE userIdentity.type = 'IAMUser'
  AND try_cast(sourceIPAddress AS ipaddress) IS NOT NULL
  AND NOT contains('10.0.0.0/8', try_cast(sourceIPAddress AS ipaddress))
  AND NOT contains('172.16.0.0/12', try_cast(sourceIPAddress AS ipaddress))
  AND NOT contains('192.168.0.0/16', try_cast(sourceIPAddress AS ipaddress))
GROUP BY sourceIPAddress
ORDER BY calls DESC, sourceIPAddress
LIMIT 15
