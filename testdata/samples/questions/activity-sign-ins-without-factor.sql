-- title: Applications entered without a second factor
-- about: Sign-ins to applications for which no factor was asked.
SELECT eventData.userIdentity.principalId AS who, element_at(eventData.requestParameters, 'application') AS application, count(*) AS times, max(eventTime) AS last_time
FROM activity
WHERE element_at(eventData.requestParameters, 'factor') = 'none'
GROUP BY 1, 2
ORDER BY times DESC, who, application
