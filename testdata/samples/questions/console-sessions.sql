-- title: What is done through the console
-- about: Writing calls with credentials of a console session, by user.
SELECT userIdentity.arn AS principal, count(*) AS writes, count(DISTINCT eventName) AS different_calls
FROM events
WHERE sessionCredentialFromConsole = 'true' AND NOT readOnly
GROUP BY 1
ORDER BY writes DESC, principal
LIMIT 15
