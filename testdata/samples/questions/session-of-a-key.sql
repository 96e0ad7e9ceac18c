-- title: Everything one session did
-- about: The calls of the session that made an access key after a sign-in without MFA, in order.
SELECT eventTime, eventSource, eventName, errorCode
FROM events
WHERE userIdentity.arn = (
  SELECT key.userIdentity.arn
  FROM events login JOIN events key
    ON key.userIdentity.arn = login.userIdentity.arn AND key.eventTime > login.eventTime AND key.eventTime <= login.eventTime + interval '1' hour
  WHERE login.eventName = 'ConsoleLogin' AND element_at(login.additionalEventData, 'MFAUsed') = 'No' AND key.eventName = 'CreateAccessKey'
  ORDER BY key.eventTime LIMIT 1)
ORDER BY eventTime DESC, eventID
LIMIT 20
