-- title: Who calls most
-- about: Principals by calls, with their share of all calls and their error rate.
SELECT userIdentity.arn AS principal, count(*) AS calls,
       round(100.0 * count(*) / sum(count(*)) OVER (), 2) AS percent,
       round(100.0 * count(errorCode) / count(*), 2) AS error_percent
FROM events
WHERE userIdentity.arn IS NOT NULL
GROUP BY userIdentity.arn
ORDER BY calls DESC, principal
LIMIT 15
