-- title: Addresses new to an access key
-- about: Addresses from which a long-lived key was used for the first time more than a week after the key's first use.
SELECT access_key, sourceIPAddress, first_use, calls
FROM (
  SELECT userIdentity.accessKeyId AS access_key, sourceIPAddress, min(eventTime) AS first_use, count(*) AS calls,
         min(min(eventTime)) OVER (PARTITION BY userIdentity.accessKeyId) AS key_start
  FROM events
  WHERE userIdentity.accessKeyId LIKE 'AKIA%'
  GROUP BY 1, 2
)
WHERE first_use > key_start + interval '7' day
ORDER BY first_use DESC, access_key, sourceIPAddress
LIMIT 20
