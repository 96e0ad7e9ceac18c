-- title: Errors by code
-- about: What fails in the accounts, and for how many principals.
SELECT errorCode, count(*) AS errors, count(DISTINCT userIdentity.arn) AS principals,
       round(100.0 * count(*) / sum(count(*)) OVER (), 1) AS percent
FROM events
WHERE errorCode IS NOT NULL
GROUP BY errorCode
ORDER BY errors DESC, errorCode
LIMIT 20
