package topic_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"gocloud.dev/pubsub"
	_ "gocloud.dev/pubsub/awssnssqs"
	_ "gocloud.dev/pubsub/mempubsub"

	"github.com/cairndb/cairn/engine/topic"
)

// receive takes n messages from a subscription, sorted, and sees that no more come.
func receive(t *testing.T, url string, n int, more func()) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	sub, err := pubsub.OpenSubscription(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Shutdown(ctx)
	more()
	seen := map[string]bool{}
	var out []string
	for len(out) < n {
		m, err := sub.Receive(ctx)
		if err != nil {
			t.Fatalf("after %d messages: %v", len(out), err)
		}
		m.Ack()
		if text := string(m.Body); !seen[text] { // queues deliver at least once
			seen[text] = true
			out = append(out, text)
		}
	}
	slices.Sort(out)
	return out
}

func send(t *testing.T, url string) (want []string) {
	t.Helper()
	to, err := topic.Open(context.Background(), url)
	if err != nil {
		t.Fatal(err)
	}
	var messages [][]byte
	for i := range 25 {
		text := fmt.Sprintf(`{"n":%02d,"text":"a <b> & ünïcode %s"}`, i, strings.Repeat("x", 30_000*(i%2)))
		want = append(want, text)
		messages = append(messages, []byte(text))
	}
	if err := to.Send(context.Background(), messages); err != nil {
		t.Error(err)
	}
	if err := to.Send(context.Background(), nil); err != nil {
		t.Error(err)
	}
	if err := to.Close(); err != nil {
		t.Error(err)
	}
	slices.Sort(want)
	return want
}

// TestSend sends messages in this process.
func TestSend(t *testing.T) {
	// The topic must be there before somebody subscribes.
	url := "mem://sent"
	first, err := topic.Open(context.Background(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	var want []string
	if got := receive(t, url, 25, func() { want = send(t, url) }); !slices.Equal(got, want) {
		t.Errorf("%q came, not %q", got, want)
	}
}

// TestOpen refuses addresses that name no topic, without telling what they may keep secret.
func TestOpen(t *testing.T) {
	for _, url := range []string{"", "awssns://?region=eu-west-1", "awssqs:///?secret=hidden", "nonsense://x?secret=hidden", "awssns:///arn?region=eu-west-1&hidden=hidden", "mem://a b%zz?hidden"} {
		to, err := topic.Open(context.Background(), url)
		if err == nil {
			to.Close()
			t.Errorf("%q was opened", url)
		}
	}
	if _, err := topic.Open(context.Background(), "awssqs:///?secret=hidden"); strings.Contains(err.Error(), "hidden") {
		t.Error(err)
	}
}

// TestServices sends to a queue, and to a topic that a queue listens to, of a service that
// speaks SNS's and SQS's protocols: moto, of Python, where it is there.
func TestServices(t *testing.T) {
	python := os.Getenv("CAIRN_MOTO_PYTHON")
	if python == "" {
		python = "python3"
	}
	if err := exec.Command(python, "-c", "import moto.server, flask").Run(); err != nil {
		t.Skip("needs a Python with moto[server] (pip install 'moto[server]'), named by CAIRN_MOTO_PYTHON if it is not python3")
	}
	for k, v := range map[string]string{"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull} {
		t.Setenv(k, v)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	// It makes a queue and a topic that the queue listens to, then says so.
	cmd := exec.Command(python, "-c", fmt.Sprintf(`
import boto3, sys
from moto.server import ThreadedMotoServer
s = ThreadedMotoServer(ip_address="127.0.0.1", port=%d)
s.start()
at = dict(region_name="eu-west-1", endpoint_url="http://127.0.0.1:%[1]d")
sqs, sns = boto3.client("sqs", **at), boto3.client("sns", **at)
direct = sqs.create_queue(QueueName="direct")["QueueUrl"]
heard = sqs.create_queue(QueueName="heard")["QueueUrl"]
topic = sns.create_topic(Name="told")["TopicArn"]
arn = sqs.get_queue_attributes(QueueUrl=heard, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
print("ready", direct.split("//")[1], heard.split("//")[1], topic, flush=True)
sys.stdin.read()
`, port))
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		stdin.Close()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	var direct, heard, arn string
	lines := bufio.NewScanner(stdout)
	for direct == "" && lines.Scan() {
		_, _ = fmt.Sscanf(lines.Text(), "ready %s %s %s", &direct, &heard, &arn)
	}
	if direct == "" {
		t.Fatal("moto did not start")
	}
	go func() { _, _ = io.Copy(io.Discard, stdout) }()
	query := fmt.Sprintf("?region=eu-west-1&endpoint=http://127.0.0.1:%d", port)
	for _, c := range []struct{ to, from string }{
		{"awssqs://" + direct + query, "awssqs://" + direct + query},
		{"awssns:///" + arn + query, "awssqs://" + heard + query},
	} {
		var want []string
		if got := receive(t, c.from, 25, func() { want = send(t, c.to) }); !slices.Equal(got, want) {
			t.Errorf("%s: %q came, not %q", c.to, got, want)
		}
	}
	// A topic that is not there is told of with the first message.
	to, err := topic.Open(context.Background(), "awssns:///arn:aws:sns:eu-west-1:123456789012:none"+query)
	if err != nil {
		t.Fatal(err)
	}
	defer to.Close()
	if err := to.Send(context.Background(), [][]byte{[]byte("{}")}); err == nil || !strings.Contains(err.Error(), "none") {
		t.Errorf("a topic that is not there: %v", err)
	}
	http.DefaultClient.CloseIdleConnections()
}
