-- title: Steps to more privilege
-- about: Calls by which a principal can give itself or others more rights.
SELECT eventTime, userIdentity.arn AS principal, eventName,
       coalesce(element_at(requestParameters, 'policyArn'), element_at(requestParameters, 'policyName')) AS policy,
       coalesce(element_at(requestParameters, 'userName'), element_at(requestParameters, 'roleName'), element_at(requestParameters, 'groupName')) AS target,
       errorCode
FROM events
WHERE eventSource = 'iam.amazonaws.com'
  AND eventName IN ('AttachUserPolicy', 'AttachRolePolicy', 'AttachGroupPolicy', 'PutUserPolicy', 'PutRolePolicy', 'PutGroupPolicy',
                    'CreatePolicyVersion', 'SetDefaultPolicyVersion', 'AddUserToGroup', 'UpdateAssumeRolePolicy', 'CreateLoginProfile', 'UpdateLoginProfile')
ORDER BY eventTime DESC, principal, eventName
LIMIT 30
