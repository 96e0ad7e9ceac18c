-- title: Principals by number of addresses
-- about: How many different addresses each principal came from.
SELECT userIdentity.arn AS principal, count(DISTINCT sourceIPAddress) AS addresses, approx_distinct(userAgent) AS programs
FROM events
WHERE userIdentity.arn IS NOT NULL
GROUP BY 1
ORDER BY addresses DESC, principal
LIMIT 20
