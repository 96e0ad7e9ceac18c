-- title: What requests consist of
-- about: The most frequent parameter names of each of the five busiest services.
SELECT eventSource, name, uses
FROM (
  SELECT eventSource, name, count(*) AS uses,
         row_number() OVER (PARTITION BY eventSource ORDER BY count(*) DESC, name) AS place
  FROM events
  CROSS JOIN UNNEST(requestParameters) AS p(name, value)
  WHERE eventSource IN (SELECT eventSource FROM events GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 5)
  GROUP BY eventSource, name
)
WHERE place <= 3
ORDER BY eventSource, place
