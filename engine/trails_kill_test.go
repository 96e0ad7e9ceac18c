package engine_test

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cairndb/cairn/engine"
	"github.com/cairndb/cairn/engine/trail"
)

// trailKills is how often the process that delivers is killed; a campaign has more:
//
//	go test ./engine -run TestTrailKilled -trail.kills 500 -trail.seed 7 -timeout 1h
var trailKills = flag.Int("trail.kills", 5, "how often TestTrailKilled kills the process that delivers")

// The environment of the process that is killed.
const (
	killedDir = "CAIRN_TEST_TRAIL_DIR"
	killedAt  = "CAIRN_TEST_TRAIL_AT" // what its clock begins with, Unix seconds
)

// killedLake opens the lake of TestTrailKilled. Its clock runs an hour in a second, so that
// digests are made.
func killedLake(t *testing.T, dir string, at time.Time) *engine.Lake {
	t.Helper()
	began := time.Now()
	l, err := engine.Open(filepath.Join(dir, "lake"), &engine.Options{Clock: func() time.Time { return at.Add(3600 * time.Since(began)) },
		DigestInterval: -1, RetainInterval: -1, SegmentRows: 256})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// deliverForever is the process that is killed: it stores events, says so, and delivers.
func deliverForever(t *testing.T) {
	ctx := context.Background()
	var at int64
	if _, err := fmt.Sscan(os.Getenv(killedAt), &at); err != nil {
		t.Fatal(err)
	}
	l := killedLake(t, os.Getenv(killedDir), time.Unix(at, 0))
	s, err := l.Store("events")
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	n := int(s.Events())
	fmt.Printf("acked %d %d\n", n, at)
	for round := 0; time.Since(began) < time.Minute; round++ { // should nobody kill it
		var batch [][]byte
		for range 40 {
			batch = append(batch, trailRecord(n, trailAccount, []string{"eu-west-1", "us-west-2"}[n%2], "Management", "ec2.amazonaws.com"))
			n++
		}
		if _, err := s.Append(ctx, batch); err != nil {
			t.Fatal(err)
		}
		fmt.Printf("acked %d %d\n", n, at+int64(3600*time.Since(began).Seconds()))
		if round%2 == 1 {
			if _, err := l.DeliverTrail(ctx, "main"); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestTrailKilled kills a process that stores and delivers events at random moments. In the
// end every event that was acknowledged is there, and the digests are valid.
func TestTrailKilled(t *testing.T) {
	if os.Getenv(killedDir) != "" {
		deliverForever(t)
		return
	}
	ctx := context.Background()
	dir := t.TempDir()
	start := time.Date(2026, 5, 1, 10, 0, 0, 0, time.UTC)
	l := killedLake(t, dir, start)
	if _, err := l.MakeStore(ctx, engine.NewStore{Name: "events", Days: engine.Forever}); err != nil {
		t.Fatal(err)
	}
	s := trailSettings()
	s.Target, s.Bucket, s.Validation = "file:"+filepath.Join(dir, "audit-bucket"), "audit-bucket", true
	if _, err := l.CreateTrail(ctx, s); err != nil {
		t.Fatal(err)
	}
	if err := l.StartTrail(ctx, "main", false); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(*trailSeed, 5))
	acked, at := 0, start.Add(time.Hour).Unix()
	for range *trailKills {
		cmd := exec.Command(os.Args[0], "-test.run", "^TestTrailKilled$")
		cmd.Env = append(os.Environ(), killedDir+"="+dir, fmt.Sprintf("%s=%d", killedAt, at))
		var says strings.Builder
		cmd.Stderr = &says
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		// It is killed some lines later, and some time after the line, wherever it is then.
		left, pause := 1+rng.IntN(30), time.Duration(rng.IntN(30_000))*time.Microsecond
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			var n int
			var when int64
			if _, err := fmt.Sscanf(lines.Text(), "acked %d %d", &n, &when); err != nil {
				fmt.Fprintln(&says, lines.Text())
				continue
			}
			acked, at = n, max(at, when)
			if left--; left == 0 {
				time.AfterFunc(pause, func() { _ = cmd.Process.Kill() })
			}
		}
		_, _ = io.Copy(io.Discard, out)
		if err := cmd.Wait(); err == nil || cmd.ProcessState.ExitCode() != -1 {
			t.Fatalf("the process was not killed: %v\n%s", err, says.String())
		}
		at += 3600
	}
	l = killedLake(t, dir, time.Unix(at, 0).Add(2*time.Hour))
	info, err := l.DeliverTrail(ctx, "main")
	if err != nil || info.Status.Waiting != 0 {
		t.Fatal(err, info.Status)
	}
	keys, err := l.TrailKeys(start, time.Unix(at, 0).Add(24*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	counts := deliveredOnce(t, vfs.Default, filepath.Join(dir, "audit-bucket"))
	lost := 0
	for n := range acked {
		if counts[fmt.Sprint("Do", n)] == 0 {
			lost++
		}
	}
	if lost > 0 || acked == 0 {
		t.Errorf("%d of %d events were not delivered", lost, acked)
	}
	for _, region := range []string{"eu-west-1", "us-west-2"} {
		var says strings.Builder
		v, err := trail.Verify(ctx, trail.DirTarget(vfs.Default, filepath.Join(dir, "audit-bucket")), trail.Verification{ARN: info.ARN(), Bucket: "audit-bucket", Region: region,
			Start: start, End: time.Unix(at, 0).Add(24 * time.Hour), Keys: keys, Out: &says, Err: &says})
		if err != nil || !v.Valid() || v.Digests == 0 || v.Logs == 0 || len(v.Remarks) > 0 {
			t.Errorf("%s: %+v, %v\n%s", region, v, err, says.String())
		}
	}
	t.Logf("%d events, %d files, %d times killed", acked, info.Status.Files, *trailKills)
}
