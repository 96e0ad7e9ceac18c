// Package topic opens publish/subscribe topics and queues by URL, for trails that send
// events or tell of deliveries.
//
//	t, err := topic.Open(ctx, "awssns:///arn:aws:sns:eu-west-1:111122223333:told?region=eu-west-1")
//	defer t.Close()
//	err = t.Send(ctx, [][]byte{[]byte(`{"s3Bucket":"b","s3ObjectKey":["k"]}`)})
//
// Built in are SNS topics (awssns:///ARN) and SQS queues (awssqs://HOST/ACCOUNT/QUEUE).
// Credentials come from where AWS's own tools find them; the query is that of
// gocloud.dev/aws (region, endpoint for compatible services, profile). A program that
// imports other drivers of gocloud.dev/pubsub can open their URLs as well.
//
// A Topic may be used from many goroutines.
package topic

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"

	"gocloud.dev/pubsub"
	"gocloud.dev/pubsub/awssnssqs"
	"gocloud.dev/pubsub/batcher"
)

const (
	// batchBytesMax bounds what goes into one request: SNS and SQS take 256 KiB, of ten
	// messages together. A message that is larger goes alone.
	batchBytesMax = 256 << 10

	// sending is how many messages of one Send are under way at once; the driver makes
	// requests of ten of them.
	sending = 100
)

// Topic is an open topic or queue.
type Topic struct {
	t    *pubsub.Topic
	name string
}

// Open opens the topic that a URL names. Nothing is sent, so that a topic that does not
// exist shows with the first message.
func Open(ctx context.Context, target string) (*Topic, error) {
	u, err := url.Parse(target)
	if err != nil {
		// The error of net/url has the whole text, with what may be secret.
		return nil, errors.New("opening topic: its address is not a URL")
	}
	name := u.Scheme + "://" + u.Host + u.Path
	var t *pubsub.Topic
	switch u.Scheme {
	case awssnssqs.SNSScheme, awssnssqs.SQSScheme:
		if strings.Trim(u.Host+u.Path, "/") == "" {
			return nil, fmt.Errorf("opening topic %s: it names no topic; write awssns:///ARN?region=R or awssqs://HOST/ACCOUNT/QUEUE?region=R", name)
		}
		opener := awssnssqs.URLOpener{TopicOptions: awssnssqs.TopicOptions{
			BodyBase64Encoding: awssnssqs.Never, // JSON is UTF-8
			BatcherOptions:     batcher.Options{MaxBatchByteSize: batchBytesMax},
		}}
		t, err = opener.OpenTopicURL(ctx, u)
	default:
		t, err = pubsub.OpenTopic(ctx, target)
	}
	if err != nil {
		return nil, fmt.Errorf("opening topic %s: %w", name, err)
	}
	return &Topic{t: t, name: name}, nil
}

// String names the topic, without what its query says.
func (t *Topic) String() string { return t.name }

// Send sends messages, in no order. When it fails some may have been taken.
func (t *Topic) Send(ctx context.Context, messages [][]byte) error {
	var wg sync.WaitGroup
	var mu sync.Mutex
	var failed error
	next := make(chan []byte)
	for range min(sending, len(messages)) {
		wg.Go(func() {
			for m := range next {
				if err := t.t.Send(ctx, &pubsub.Message{Body: m}); err != nil {
					mu.Lock()
					if failed == nil {
						failed = err
					}
					mu.Unlock()
				}
			}
		})
	}
	for _, m := range messages {
		mu.Lock()
		stop := failed != nil
		mu.Unlock()
		if stop {
			break
		}
		next <- m
	}
	close(next)
	wg.Wait()
	if failed != nil {
		return fmt.Errorf("sending to %s: %w", t.name, failed)
	}
	return nil
}

// Close gives up the connection.
func (t *Topic) Close() error {
	// Nothing waits: Send returns when its messages have been taken.
	return t.t.Shutdown(context.Background())
}
