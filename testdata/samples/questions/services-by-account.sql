-- title: Services in use, by account
-- about: Calls by account, with subtotals per account and the total.
SELECT recipientAccountId AS account, eventSource, count(*) AS calls
FROM events
WHERE eventSource IN ('iam.amazonaws.com', 's3.amazonaws.com', 'sts.amazonaws.com')
GROUP BY ROLLUP (recipientAccountId, eventSource)
ORDER BY account NULLS FIRST, eventSource NULLS FIRST
