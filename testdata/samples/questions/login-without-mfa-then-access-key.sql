-- title: Sign-in without MFA, then a new access key
-- about: A user who signs in without a second factor and makes an access key within the hour: how a stolen password becomes lasting access.
SELECT login.userIdentity.arn AS principal, login.eventTime AS signed_in, key.eventTime AS key_made,
       login.sourceIPAddress, element_at(key.requestParameters, 'userName') AS key_for
FROM events login
JOIN events key
  ON key.userIdentity.arn = login.userIdentity.arn
 AND key.eventTime > login.eventTime
 AND key.eventTime <= login.eventTime + interval '1' hour
WHERE login.eventName = 'ConsoleLogin'
  AND element_at(login.additionalEventData, 'MFAUsed') = 'No'
  AND key.eventName = 'CreateAccessKey'
  AND key.errorCode IS NULL
ORDER BY signed_in
