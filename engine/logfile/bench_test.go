package logfile

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"

	"github.com/cairndb/cairn/engine/event"
)

// logFile returns n records of about 1.7 kB with the parts that vary in real ones
// varying, as CloudTrail writes them.
func logFile(n int) (content, packed []byte) {
	rng := rand.New(rand.NewPCG(7, 7))
	hex := func(n int) string {
		var b strings.Builder
		for range n {
			b.WriteByte("0123456789abcdef"[rng.IntN(16)])
		}
		return b.String()
	}
	var b bytes.Buffer
	b.WriteString(`{"Records":[`)
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		role, host := rng.IntN(40), rng.IntN(300)
		fmt.Fprintf(&b, `{"eventVersion":"1.11","userIdentity":{"type":"AssumedRole","principalId":"AROAEXAMPLE%d:host-%d","arn":"arn:aws:sts::210987654321:assumed-role/role-%d/host-%d","accountId":"210987654321","accessKeyId":"ASIA%s","sessionContext":{"sessionIssuer":{"type":"Role","principalId":"AROAEXAMPLE%d","arn":"arn:aws:iam::210987654321:role/role-%d","accountId":"210987654321","userName":"role-%d"},"attributes":{"creationDate":"2026-01-02T02:58:11Z","mfaAuthenticated":"false"}}},"eventTime":"2026-01-02T03:%02d:%02dZ","eventSource":"s3.amazonaws.com","eventName":"Op%d","awsRegion":"eu-central-1","sourceIPAddress":"10.1.%d.%d","userAgent":"[aws-sdk-go-v2/1.30.3 os/linux lang/go#1.26.0 md/GOOS#linux md/GOARCH#amd64 api/s3#1.58.2]","requestParameters":{"bucketName":"bucket-%d","key":"nightly/%s/part-%d","Host":"bucket.s3.eu-central-1.amazonaws.com"},"responseElements":null,"additionalEventData":{"SignatureVersion":"SigV4","CipherSuite":"TLS_AES_128_GCM_SHA256","bytesTransferredIn":%d,"AuthenticationMethod":"AuthHeader","x-amz-id-2":"%s","bytesTransferredOut":0},"requestID":"%s","eventID":"%s-%s-4%s-8%s-%s","readOnly":false,"resources":[{"type":"AWS::S3::Object","ARN":"arn:aws:s3:::bucket-%d/nightly/x"},{"accountId":"210987654321","type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::bucket-%d"}],"eventType":"AwsApiCall","managementEvent":false,"recipientAccountId":"210987654321","eventCategory":"Data","tlsDetails":{"tlsVersion":"TLSv1.3","cipherSuite":"TLS_AES_128_GCM_SHA256","clientProvidedHostHeader":"bucket.s3.eu-central-1.amazonaws.com"}}`,
			role, host, role, host, strings.ToUpper(hex(16)), role, role, role, i/60%60, i%60, rng.IntN(30), rng.IntN(256), rng.IntN(256),
			role, hex(8), i, rng.IntN(1<<20), hex(48), strings.ToUpper(hex(16)), hex(8), hex(4), hex(3), hex(3), hex(12), role, role)
	}
	b.WriteString(`]}`)
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	w.Write(b.Bytes())
	w.Close()
	return b.Bytes(), z.Bytes()
}

// BenchmarkCursor walks over the records of a log file. The record lengths are
// known in advance, so that nothing but the cursor and the decompressor is
// measured; with scanning, event.Scan finds them.
func BenchmarkCursor(b *testing.B) {
	content, packed := logFile(20_000)
	var lengths []int
	var ev event.Event
	c := Open(bytes.NewReader(content), Limits{})
	for {
		buf, _, err := c.Next()
		if err == io.EOF {
			break
		}
		n, err := event.Scan(buf, &ev)
		if err != nil {
			b.Fatal(err)
		}
		lengths = append(lengths, n)
		c.Advance(n)
	}
	c.Close()
	for _, bench := range []struct {
		name string
		data []byte
		scan bool
	}{{"plain", content, false}, {"gzip", packed, false}, {"plain+scan", content, true}, {"gzip+scan", packed, true}} {
		b.Run(bench.name, func(b *testing.B) {
			b.SetBytes(int64(len(content)))
			b.ReportAllocs()
			for b.Loop() {
				c := Open(bytes.NewReader(bench.data), Limits{})
				for i := 0; ; i++ {
					buf, _, err := c.Next()
					if err == io.EOF {
						break
					}
					if err != nil {
						b.Fatal(err)
					}
					n := lengths[i]
					if bench.scan {
						if n, err = event.Scan(buf, &ev); err != nil {
							b.Fatal(err)
						}
					}
					c.Advance(n)
				}
				c.Close()
			}
			b.ReportMetric(float64(len(lengths))*float64(b.N)/b.Elapsed().Seconds(), "events/s")
		})
	}
	b.Run("gunzip alone", func(b *testing.B) {
		b.SetBytes(int64(len(content)))
		z := new(gzip.Reader)
		buf := make([]byte, 1<<20)
		for b.Loop() {
			if err := z.Reset(bytes.NewReader(packed)); err != nil {
				b.Fatal(err)
			}
			for {
				if _, err := z.Read(buf); err == io.EOF {
					break
				}
			}
		}
	})
}

// BenchmarkSmallFiles opens files of a few records, as CloudTrail mostly writes.
func BenchmarkSmallFiles(b *testing.B) {
	content, packed := logFile(5)
	var ev event.Event
	b.SetBytes(int64(len(content)))
	b.ReportAllocs()
	for b.Loop() {
		c := Open(bytes.NewReader(packed), Limits{})
		for {
			buf, _, err := c.Next()
			if err == io.EOF {
				break
			}
			n, err := event.Scan(buf, &ev)
			if err != nil {
				b.Fatal(err)
			}
			c.Advance(n)
		}
		c.Close()
	}
}
