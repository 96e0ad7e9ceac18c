-- title: Errors a day against the week before
-- about: Errors of each day beside the average of the seven days before it.
SELECT day, errors,
       round(avg(errors) OVER (ORDER BY day ROWS BETWEEN 7 PRECEDING AND 1 PRECEDING), 1) AS week_before
FROM (SELECT date(eventTime) AS day, count(errorCode) AS errors FROM events GROUP BY 1)
ORDER BY day DESC
LIMIT 14
