-- title: Insights by call
-- about: Unusual activity that Insights reported, by call and type, with how far it was above its baseline.
SELECT insightEventSource AS source, insightEventName AS call, insightType AS type, insightErrorCode AS error, count(*) AS insights,
       round(max(insightContext.insightAverage / nullif(insightContext.baselineAverage, 0)), 1) AS times_the_baseline
FROM insights
WHERE insightState = 'Start'
GROUP BY 1, 2, 3, 4
ORDER BY insights DESC, source, call, type, error
