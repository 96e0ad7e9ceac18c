package engine_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/cairndb/cairn/engine"
	"github.com/cairndb/cairn/engine/enginetest/crashmem"
)

var (
	trailSeed   = flag.Uint64("trail.seed", 1, "seed of the crashes and outages of trails")
	trailRounds = flag.Int("trail.rounds", 20, "how many crashes, and outages, the tests of trails try")
)

// deliveredOnce returns how often each event was delivered, by name.
func deliveredOnce(t testing.TB, mem vfs.FS, dir string) map[string]int {
	t.Helper()
	_, files := delivered(t, mem, dir)
	counts := make(map[string]int)
	for _, list := range files {
		for _, r := range list {
			var ev struct{ EventName string }
			if err := json.Unmarshal([]byte(r), &ev); err != nil {
				t.Fatal(err)
			}
			counts[ev.EventName]++
		}
	}
	return counts
}

// TestTrailCrash cuts the power before writing operations of a lake that delivers, and
// looks whether what was acknowledged is delivered in the end, once.
func TestTrailCrash(t *testing.T) {
	ctx := context.Background()
	type clone struct {
		fs    *crashmem.FS
		acked int
		at    time.Time
		op    string
	}
	rng := rand.New(rand.NewPCG(*trailSeed, 2))
	run := func(stride int) (clones []clone, ops int) {
		mem, c := crashmem.New(), newClock()
		var mu sync.Mutex
		acked, ready := 0, false
		injector := errorfs.InjectorFunc(func(op errorfs.Op) error {
			if op.Kind.ReadOrWrite() != errorfs.OpIsWrite {
				return nil
			}
			mu.Lock()
			defer mu.Unlock()
			if !ready {
				return nil
			}
			if ops++; stride > 0 && ops%stride == int(*trailSeed)%stride {
				percent := []int{0, 30, 100}[rng.IntN(3)]
				clones = append(clones, clone{mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: rng}), acked, c.now(), fmt.Sprint(op.Kind, " ", op.Path)})
			}
			return nil
		})
		l := openTrailLake(t, errorfs.Wrap(mem, injector), c, nil)
		s := trailSettings()
		s.Validation = true
		if _, err := l.CreateTrail(ctx, s); err != nil {
			t.Fatal(err)
		}
		if err := l.StartTrail(ctx, "main", false); err != nil {
			t.Fatal(err)
		}
		mu.Lock()
		ready = true
		mu.Unlock()
		n := 0
		for range 12 {
			for range 3 {
				var batch [][]byte
				for range 7 {
					batch = append(batch, trailRecord(n, trailAccount, []string{"eu-west-1", "us-west-2"}[n%2], "Management", "ec2.amazonaws.com"))
					n++
				}
				appendAll(t, l, "events", batch...)
				mu.Lock()
				acked = n
				mu.Unlock()
			}
			c.add(23 * time.Minute)
			if _, err := l.DeliverTrail(ctx, "main"); err != nil {
				t.Fatal(err)
			}
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		return clones, ops
	}
	_, ops := run(0)
	clones, _ := run(max(1, ops / *trailRounds))
	t.Logf("%d operations, %d crashes", ops, len(clones))
	for _, crash := range clones {
		c := newClock()
		c.at = crash.at
		l := openTrailLake(t, crash.fs, c, nil)
		c.add(time.Minute)
		info, err := l.DeliverTrail(ctx, "main")
		if err != nil {
			t.Fatalf("crash before %s: %v", crash.op, err)
		}
		if info.Status.Waiting != 0 {
			t.Errorf("crash before %s: %d events wait", crash.op, info.Status.Waiting)
		}
		counts := deliveredOnce(t, crash.fs, "/out/audit-bucket")
		for n := range crash.acked {
			if got := counts[fmt.Sprint("Do", n)]; got != 1 {
				t.Errorf("crash before %s: event %d of %d was delivered %d times", crash.op, n, crash.acked, got)
			}
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestTrailOutages delivers to a target that takes objects and loses them, takes them and
// says it has not, fails for hours; every event is there in the end, once, and appending
// never waits.
func TestTrailOutages(t *testing.T) {
	ctx := context.Background()
	rng := rand.New(rand.NewPCG(*trailSeed, 3))
	mem, c := vfs.NewMem(), newClock()
	target := &faultyTarget{objects: map[string]object{}}
	open := func(o *engine.Options) {
		o.OpenTarget = func(context.Context, *engine.TrailSettings) (engine.TrailTarget, error) { return target, nil }
	}
	l := openTrailLake(t, mem, c, open)
	defer func() { l.Close() }()
	s := trailSettings()
	s.Target, s.Validation = "s3://audit-bucket", true
	if _, err := l.CreateTrail(ctx, s); err != nil {
		t.Fatal(err)
	}
	if err := l.StartTrail(ctx, "main", false); err != nil {
		t.Fatal(err)
	}
	var want []string
	for round := range *trailRounds {
		n := len(want)
		want = append(want, fmt.Sprint("Do", n))
		appendAll(t, l, "events", trailRecord(n, trailAccount, "eu-west-1", "Management", "ec2.amazonaws.com"))
		target.Lock()
		target.fail, target.lose, target.failAfter = nil, 0, 0
		switch rng.IntN(5) {
		case 0:
			target.fail = errors.New("500 internal error")
		case 1:
			target.lose = 1 + rng.IntN(2)
		case 2:
			target.failAfter = 1
		case 3:
			// What was accepted before is lost, as long as no digest lists it.
			listed := target.listed(t)
			for key := range target.objects {
				if !strings.Contains(key, "Digest") && !listed[key] {
					delete(target.objects, key)
				}
			}
		}
		target.Unlock()
		c.add([]time.Duration{time.Minute, 10 * time.Minute, 5 * time.Hour}[rng.IntN(3)])
		_, err := l.DeliverTrail(ctx, "main")
		if err != nil && !strings.Contains(err.Error(), "500") && !strings.Contains(err.Error(), "timeout") && !strings.Contains(err.Error(), "not there") {
			t.Fatal(err)
		}
		if round%7 == 6 {
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			l = openTrailLake(t, mem, c, open)
		}
	}
	target.Lock()
	target.fail, target.lose, target.failAfter = nil, 0, 0
	target.Unlock()
	c.add(2 * time.Hour)
	if _, err := l.DeliverTrail(ctx, "main"); err != nil {
		t.Fatal(err)
	}
	counts := map[string]int{}
	for _, name := range strings.Fields(target.events(t)) {
		counts[name]++
	}
	for _, name := range want {
		if counts[name] != 1 {
			t.Errorf("%s was delivered %d times", name, counts[name])
		}
	}
	if listed := target.listed(t); len(listed) == 0 || len(listed) > len(want) {
		t.Errorf("digests list %d files", len(listed))
	}
}

// listed returns the files that digests list. The caller holds the target, or nobody else
// uses it.
func (f *faultyTarget) listed(t testing.TB) map[string]bool {
	t.Helper()
	out := map[string]bool{}
	for key, o := range f.objects {
		if !strings.Contains(key, "CloudTrail-Digest") {
			continue
		}
		z, err := gzip.NewReader(bytes.NewReader(o.body))
		if err != nil {
			t.Fatal(err)
		}
		var doc struct{ LogFiles []struct{ S3Object string } }
		if err := json.NewDecoder(z).Decode(&doc); err != nil {
			t.Fatal(err)
		}
		for _, l := range doc.LogFiles {
			if out[l.S3Object] {
				t.Errorf("two digests list %s", l.S3Object)
			}
			out[l.S3Object] = true
		}
	}
	return out
}
