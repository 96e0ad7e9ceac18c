-- title: TLS versions in use
-- about: How many calls came over which TLS version, and from how many programs.
SELECT tlsDetails.tlsVersion, count(*) AS calls, count(DISTINCT userAgent) AS programs, min(eventTime) AS first_seen, max(eventTime) AS last_seen
FROM events
WHERE tlsDetails.tlsVersion IS NOT NULL
GROUP BY tlsDetails.tlsVersion
ORDER BY calls DESC
