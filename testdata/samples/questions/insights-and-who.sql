-- title: Insights and who was behind them
-- about: The principals that insights name first, with their share of the unusual calls.
SELECT i.value AS principal, count(*) AS insights, round(avg(i.average), 2) AS calls_a_minute
FROM insights
CROSS JOIN UNNEST(insightContext.attributions) AS a(attribute, insightvalue, insightaverage, baselinevalue, baselineaverage, insight, baseline)
CROSS JOIN UNNEST(a.insight) AS i(value, average)
WHERE a.attribute = 'userIdentityArn' AND insightState = 'Start'
GROUP BY 1
ORDER BY insights DESC, principal
LIMIT 15
