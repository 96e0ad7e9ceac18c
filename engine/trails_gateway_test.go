package engine_test

import (
	"bytes"
	"context"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"gocloud.dev/blob"

	"github.com/cairndb/cairn/engine"
	"github.com/cairndb/cairn/engine/bucket"
)

// gateway is an S3 server of others in a process of its own (versitygw), with one bucket.
type gateway struct {
	program, dir, address string
	cmd                   *exec.Cmd
	exited                chan struct{}
	bucket                *blob.Bucket
}

// startGateway starts versitygw if it is on the path; nil when it is not. The bucket is
// sim's, the key and secret those that [simulated.ask] gives the AWS CLI.
func startGateway(t *testing.T) *gateway {
	t.Helper()
	program, err := exec.LookPath("versitygw")
	if err != nil {
		if os.Getenv("CAIRN_REQUIRE_CLIENTS") != "" {
			t.Fatal("there is no versitygw, and CAIRN_REQUIRE_CLIENTS asks for it: go install github.com/versity/versitygw/cmd/versitygw@v1.8.0")
		}
		return nil
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := &gateway{program: program, dir: t.TempDir(), address: l.Addr().String()}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_EC2_METADATA_DISABLED": "true", "AWS_MAX_ATTEMPTS": "1",
		"AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull} {
		t.Setenv(name, value)
	}
	for _, dir := range []string{"buckets/audit-bucket", "sidecar"} {
		if err := os.MkdirAll(filepath.Join(g.dir, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	g.start(t)
	t.Cleanup(func() { g.stop(t) })
	if g.bucket, err = blob.OpenBucket(t.Context(), g.target()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.bucket.Close() })
	return g
}

func (g *gateway) url() string { return "http://" + g.address }

// target is the URL of the bucket.
func (g *gateway) target() string {
	return "s3://audit-bucket?region=eu-west-1&use_path_style=true&disable_https=true&endpoint=" + g.url()
}

func (g *gateway) start(t *testing.T) {
	t.Helper()
	// Metadata goes beside the files: not every temporary directory has extended attributes.
	g.cmd = exec.Command(g.program, "--access", "key", "--secret", "secret", "--region", "eu-west-1", "--port", g.address, "--quiet",
		"posix", "--sidecar", filepath.Join(g.dir, "sidecar"), filepath.Join(g.dir, "buckets"))
	var said bytes.Buffer
	g.cmd.Stdout, g.cmd.Stderr = &said, &said
	if err := g.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	g.exited = make(chan struct{})
	go func() {
		_ = g.cmd.Wait() // it is killed
		close(g.exited)
	}()
	for {
		if r, err := http.Get(g.url() + "/audit-bucket/?location"); err == nil {
			r.Body.Close()
			return
		}
		select {
		case <-g.exited:
			t.Fatalf("versitygw has ended: %s", said.String())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (g *gateway) stop(t *testing.T) {
	t.Helper()
	if err := g.cmd.Process.Kill(); err != nil {
		t.Error(err)
	}
	<-g.exited
}

// gatewayTarget is the bucket as trails and verifiers have it.
type gatewayTarget struct{ *bucket.Bucket }

func (g gatewayTarget) Put(ctx context.Context, key string, body []byte, meta map[string]string) error {
	return g.WriteObject(ctx, key, body, bucket.Object{ContentType: "application/json", ContentEncoding: "gzip", Metadata: meta})
}

func (g gatewayTarget) List(ctx context.Context, prefix string, fn func(key string) error) error {
	return g.Bucket.List(ctx, prefix, func(name string, _ int64) error { return fn(name) })
}

func (g *gateway) open(ctx context.Context) (engine.TrailTarget, error) {
	b, err := bucket.Open(ctx, g.target())
	return gatewayTarget{b}, err
}

// objects returns what the bucket has.
func (g *gateway) objects(t *testing.T, from engine.TrailTarget) map[string]object {
	t.Helper()
	out := map[string]object{}
	err := from.List(t.Context(), "", func(key string) error {
		body, meta, err := from.Get(t.Context(), key, 1<<20)
		out[key] = object{body, meta}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// change makes the bucket have other objects than it has.
func (g *gateway) change(t *testing.T, to engine.TrailTarget, before, after map[string]object) {
	t.Helper()
	for key, o := range after {
		if was, ok := before[key]; ok && bytes.Equal(was.body, o.body) && maps.Equal(was.meta, o.meta) {
			continue
		}
		if _, ok := before[key]; ok {
			// An object that is put in the place of another keeps its metadata there if it has none.
			if err := g.bucket.Delete(t.Context(), key); err != nil {
				t.Fatal(err)
			}
		}
		if err := to.Put(t.Context(), key, o.body, o.meta); err != nil {
			t.Fatal(err)
		}
	}
	for key := range before {
		if _, ok := after[key]; ok {
			continue
		}
		if err := g.bucket.Delete(t.Context(), key); err != nil {
			t.Fatal(err)
		}
	}
}

// simulate lets a trail deliver to the gateway, which is killed for the hours in which the target is away.
func (g *gateway) simulate(t *testing.T) *simulated {
	t.Helper()
	sim := newSimulated()
	sim.run(t, func(ctx context.Context) (engine.TrailTarget, error) { return g.open(ctx) }, func(away bool) {
		if away {
			g.stop(t)
		} else {
			g.start(t)
		}
	})
	from, err := g.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { from.Close() })
	sim.from, sim.gateway = from, g
	sim.target.objects = g.objects(t, from)
	if v, text := sim.verify(t); !v.Valid() || v.Digests < 67 || v.Logs < 70 || v.Backfill < 1 || len(v.Remarks) > 0 {
		t.Fatalf("%+v\n%s", v, text)
	}
	return sim
}
