-- title: Programs that do not speak TLS 1.3
-- about: Programs of users and roles whose calls all come over an older version of TLS.
SELECT regexp_extract(userAgent, '^[^ ]+') AS program, max(tlsDetails.tlsVersion) AS newest_version, count(*) AS calls,
       count(DISTINCT userIdentity.arn) AS principals
FROM events
WHERE tlsDetails.tlsVersion IS NOT NULL
GROUP BY 1
HAVING max(tlsDetails.tlsVersion) < 'TLSv1.3'
ORDER BY calls DESC, program
LIMIT 20
