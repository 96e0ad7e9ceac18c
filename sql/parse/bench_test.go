package parse

import "testing"

// A query of the kind and length (0.6 KB) that people run on audit events.
const typicalQuery = `SELECT userIdentity.sessionContext.sessionIssuer.userName AS role, eventSource, eventName,
  count(*) AS calls, count(DISTINCT sourceIPAddress) AS addresses, max(eventTime) AS last_seen
FROM 4f9c1c52-3e12-4f7a-9d31-0c5a8be1e0aa
WHERE eventTime BETWEEN '2026-01-01 00:00:00' AND '2026-02-01 00:00:00'
  AND errorCode IN ('AccessDenied', 'Client.UnauthorizedOperation')
  AND userIdentity.type = 'AssumedRole' AND eventName NOT LIKE 'Describe%'
  AND element_at(requestParameters, 'bucketName') IS NOT NULL
GROUP BY userIdentity.sessionContext.sessionIssuer.userName, eventSource, eventName
HAVING count(*) > 5 ORDER BY calls DESC, role LIMIT 50`

func BenchmarkParse(b *testing.B) {
	b.SetBytes(int64(len(typicalQuery)))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := Parse(typicalQuery, Options{}); err != nil {
			b.Fatal(err)
		}
	}
}

// The steps by themselves.
func BenchmarkTokenize(b *testing.B) {
	b.SetBytes(int64(len(typicalQuery)))
	for b.Loop() {
		t := tokenizer{text: typicalQuery, limit: TokensMax}
		t.run()
	}
}

func BenchmarkSkeleton(b *testing.B) {
	b.SetBytes(int64(len(typicalQuery)))
	t := tokenizer{text: typicalQuery, limit: TokensMax}
	t.run()
	r := &rewriter{text: typicalQuery, toks: t.out, limit: DepthMax}
	r.statement()
	r.finish()
	if r.err != nil {
		b.Fatal(r.err)
	}
	b.ReportMetric(float64(len(r.out)), "rewritten-bytes")
	b.ResetTimer()
	for b.Loop() {
		if r.skeleton() == nil {
			b.Fatal(r.err)
		}
	}
}

func BenchmarkParseLongList(b *testing.B) {
	text := []byte("SELECT * FROM t WHERE eventID IN ('0'")
	for i := range 10_000 {
		text = append(text, ",'0c5a8be1-e0aa-4f7a-9d31-"...)
		for d := 100_000_000_000; d > 0; d /= 10 {
			text = append(text, byte('0'+i/d%10))
		}
		text = append(text, '\'')
	}
	text = append(text, ')')
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if _, _, err := Parse(string(text), Options{}); err != nil {
			b.Fatal(err)
		}
	}
}
