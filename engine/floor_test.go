package engine

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

func TestRandomTexts(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	of := func(alphabet string, n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = alphabet[rng.IntN(len(alphabet))]
		}
		return string(b)
	}
	const (
		upper  = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
		digits = "0123456789"
		base64 = upper + "abcdefghijklmnopqrstuvwxyz" + digits + "+/"
		web64  = upper + "abcdefghijklmnopqrstuvwxyz" + digits + "-_"
	)
	for _, c := range []struct {
		value string
		bytes float64
	}{
		{"", 0},
		{"ListBuckets", 0},
		{"DescribeInstanceTypesRequest", 0},
		{"signin.amazonaws.com", 0},
		{"2026-03-01T12:00:00Z", 0},
		{"111122223333", 0},
		{"arn:aws:iam::111122223333:role/Production-Deployment-Role-2", 0},
		{"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0", 0},
		{"AccessDeniedExceptionFromAnotherService", 0},
		{"deadbeef", 0}, // a word
		{"9d0443f7-8448-4150-bc8b-2d39230f8587", 16},
		{"tenant-9d0443f7-8448-4150-bc8b-2d39230f8587-blue", 16},
		{"a/9d0443f7-8448-4150-bc8b-2d39230f8587/9d0443f7-8448-4150-bc8b-2d39230f8588", 32},
		{"i-0a1b2c3d4e5f60718", 8.5},
		{"sha256:" + of("0123456789abcdef", 62) + "a1", 32},
		{"AKIA" + of(upper+"234567", 14) + "A2", 12.5},
		{"AROA" + of(upper+"234567", 15) + "AB2:alice", 13.75},
		{of(base64, 400), 300},
		{of(web64, 86) + "==", 66},
		{"token=" + of(base64, 34), 30}, // the name is not told from the token
		{`{"items":[{"id":"` + of(base64, 40) + `"}]}`, 30},
	} {
		bits := 0
		eachRandom([]byte(c.value), func(_ []byte, n int) { bits += n })
		if got := float64(bits) / 8; got != c.bytes {
			t.Errorf("%q has %v random bytes, want %v", c.value, got, c.bytes)
		}
	}
}

// TestFloorIsASample compares the floor from few texts with that from all.
func TestFloorIsASample(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 4))
	all, some := newFloor(math.MaxInt), newFloor(2000)
	for i := range 60_000 {
		id := fmt.Sprintf("%08x-0000-4000-8000-%012x", rng.Uint32(), i)
		for _, f := range []*floor{all, some} {
			f.add(f.column("a"), []byte(id))
			f.add(f.column("b"), []byte(id)) // again, elsewhere
		}
	}
	if n := len(some.seen); n > 2000 || n < 900 {
		t.Errorf("the sample has %d texts", n)
	}
	want := all.bytes()
	if want["a"] != 60_000*16 || want["b"] != 0 {
		t.Errorf("the floor is %v", want)
	}
	if got := some.bytes()["a"]; math.Abs(float64(got-want["a"])) > 0.1*float64(want["a"]) {
		t.Errorf("the sample says %d, it is %d", got, want["a"])
	}
}

func TestStatsWithFloor(t *testing.T) {
	ctx := context.Background()
	l := openTest(t, vfs.NewMem(), Options{SegmentRows: 64, MemtableRows: 64})
	s := storeTest(t, l)
	var batch [][]byte
	for i := range 128 {
		id := fmt.Sprintf("9d0443f7-8448-4150-bc8b-%012x", i)
		batch = append(batch, []byte(fmt.Sprintf(
			`{"eventVersion":"1.08","eventTime":"2026-02-01T00:00:%02dZ","eventSource":"s3.amazonaws.com","eventName":"GetObject","eventID":%q,"requestParameters":{"again":%q}}`, i%60, id, id)))
	}
	appendTest(t, s, batch)
	waitSealed(t, s, 128)
	calls := 0
	stats, err := l.StatsWith(ctx, StatsOptions{Floor: true, Progress: func(done, all int) {
		if calls++; done != calls || all < done {
			t.Errorf("call %d says %d of %d segments", calls, done, all)
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	for _, st := range stats.Stores {
		if st.Name != s.Name() {
			continue
		}
		if st.FloorBytes != 128*16 || st.Segments == 0 || calls < st.Segments {
			t.Errorf("the floor is %d bytes in %d segments, %d calls", st.FloorBytes, st.Segments, calls)
		}
		for _, c := range st.Columns {
			want := int64(0)
			if strings.EqualFold(c.Name, "eventID") {
				want = 128 * 16
			}
			if c.Floor != want {
				t.Errorf("the floor of %s is %d bytes, want %d", c.Name, c.Floor, want)
			}
		}
	}
	if plain, err := l.Stats(ctx); err != nil || plain.Stores[0].FloorBytes != 0 {
		t.Errorf("nobody has asked for a floor: %+v, %v", plain.Stores, err)
	}
}
