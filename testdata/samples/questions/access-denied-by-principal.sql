-- title: Who is refused most
-- about: Principals by number of refused calls, with the calls they were refused.
SELECT userIdentity.arn AS principal, count(*) AS refused, count(DISTINCT eventName) AS different_calls,
       min(eventTime) AS first_refusal, max(eventTime) AS last_refusal
FROM events
WHERE errorCode IN ('AccessDenied', 'AccessDeniedException', 'Client.UnauthorizedOperation', 'UnauthorizedOperation')
GROUP BY userIdentity.arn
ORDER BY refused DESC, principal
LIMIT 15
