-- title: Failed console sign-ins by user and address
-- about: Who failed to sign in, from where, how often and between when: guessing shows as many in a short time.
SELECT userIdentity.userName AS user_name, sourceIPAddress, count(*) AS failures,
       min(eventTime) AS first_failure, max(eventTime) AS last_failure
FROM events
WHERE eventName = 'ConsoleLogin' AND element_at(responseElements, 'ConsoleLogin') = 'Failure'
GROUP BY 1, 2
ORDER BY failures DESC, user_name, sourceIPAddress
LIMIT 20
