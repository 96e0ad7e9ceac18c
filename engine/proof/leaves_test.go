package proof

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"
)

// leafHashes returns the hashes of records as a LeafHasher computes them.
func leafHashes(h *LeafHasher, records [][]byte) []Hash {
	for _, r := range records {
		h.Add(r)
	}
	return h.Hashes()
}

// checkLeaves compares a hasher's results with crypto/sha256's.
func checkLeaves(t *testing.T, h *LeafHasher, records [][]byte) {
	t.Helper()
	got := leafHashes(h, records)
	if len(got) != len(records) {
		t.Fatalf("%d hashes of %d records", len(got), len(records))
	}
	for i, r := range records {
		if want := Hash(sha256.Sum256(append([]byte{0}, r...))); got[i] != want {
			t.Fatalf("record %d of %d, %d bytes: %v, want %v", i, len(records), len(r), got[i], want)
		}
	}
}

func randomRecords(rng *rand.Rand, n, size int) [][]byte {
	records := make([][]byte, n)
	for i := range records {
		records[i] = make([]byte, rng.IntN(size+1))
		for k := range records[i] {
			records[i][k] = byte(rng.Uint32())
		}
	}
	return records
}

// Every length around the ends of blocks, any number of records up to a few for each lane, records
// larger than a batch, and batches one after the other give what crypto/sha256 gives.
func TestLeafHasher(t *testing.T) {
	if !haveLanes {
		t.Log("this processor has no vectors to hash with: only the plain way is tested")
	}
	rng := rand.New(rand.NewPCG(4, 1))
	for _, plain := range []bool{false, true} {
		h := &LeafHasher{plain: plain}
		var lengths [][]byte
		for n := range 300 {
			lengths = append(lengths, bytes.Repeat([]byte{byte(n)}, n))
		}
		checkLeaves(t, h, nil)
		checkLeaves(t, h, lengths)
		for n := range 3 * lanes {
			checkLeaves(t, h, randomRecords(rng, n, 500))
		}
		checkLeaves(t, h, randomRecords(rng, 400, 6000)) // several batches
		checkLeaves(t, h, [][]byte{[]byte("a"), make([]byte, batchBytes), make([]byte, batchBytes+1), make([]byte, 3*batchBytes), []byte("b"), make([]byte, batchBytes-1), nil})
	}
}

// Records are taken back, known and asked for in between like by a list of hashes.
func TestLeafHasherAsAList(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 2))
	for _, plain := range []bool{false, true} {
		h := &LeafHasher{plain: plain}
		var want []Hash
		for range 20_000 {
			switch k := rng.IntN(100); {
			case k < 2:
				if got := h.All(); len(got) != len(want) {
					t.Fatalf("%d hashes, want %d", len(got), len(want))
				}
			case k < 4 && len(want) > 0:
				if i := rng.IntN(len(want)); h.At(i) != want[i] {
					t.Fatalf("hash %d of %d is %v, want %v", i, len(want), h.At(i), want[i])
				}
			case k < 14 && len(want) > 0:
				h.Undo()
				want = want[:len(want)-1]
			case k < 18:
				want = append(want, Hash{byte(k)})
				h.AddHash(Hash{byte(k)})
			case k == 99 && rng.IntN(20) == 0:
				h.Reset()
				want = want[:0]
			default:
				r := randomRecords(rng, 1, 3000)[0]
				h.Add(r)
				want = append(want, LeafHash(r))
			}
		}
		for i, got := range h.All() {
			if got != want[i] {
				t.Fatalf("hash %d of %d is %v, want %v", i, len(want), got, want[i])
			}
		}
	}
}

// A record is a single one, too, and what was handed out does not change.
func TestLeafHasherHandsOut(t *testing.T) {
	var h LeafHasher
	h.Grow(10)
	first := leafHashes(&h, [][]byte{[]byte("one"), []byte("two")})
	want := []Hash{LeafHash([]byte("one")), LeafHash([]byte("two"))}
	leafHashes(&h, [][]byte{[]byte("three"), []byte("four"), []byte("five")})
	if len(first) != 2 || first[0] != want[0] || first[1] != want[1] {
		t.Fatal(first, want)
	}
}

// Tiles give the roots that hashing node by node gives.
func TestTileRootLanes(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 2))
	tile := make([]Hash, TileWidth)
	for range 20 {
		for i := range tile {
			for k := range tile[i] {
				tile[i][k] = byte(rng.Uint32())
			}
		}
		if got, want := TileRoot(tile), plainTileRoot(tile); got != want {
			t.Fatalf("%v, want %v", got, want)
		}
	}
}

func FuzzLeafHasher(f *testing.F) {
	f.Add([]byte("some bytes"), uint16(3), uint16(70))
	f.Add(bytes.Repeat([]byte("0123456789"), 100), uint16(40), uint16(55))
	f.Fuzz(func(t *testing.T, data []byte, n, size uint16) {
		records := make([][]byte, int(n)%100)
		for i := range records {
			from := min(i*7, len(data))
			records[i] = data[from:min(from+int(size)+i, len(data))]
		}
		checkLeaves(t, new(LeafHasher), records)
	})
}

// cpuTime is the processor time of this process: on a shared machine the clock tells little.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func BenchmarkLeafHasher(b *testing.B) {
	for _, plain := range []bool{false, true} {
		b.Run(fmt.Sprintf("plain=%v", plain), func(b *testing.B) {
			records := randomRecords(rand.New(rand.NewPCG(1, 1)), 4096, 3400)
			n := 0
			for _, r := range records {
				n += len(r)
			}
			b.SetBytes(int64(n))
			h := &LeafHasher{plain: plain}
			start := cpuTime(b)
			for b.Loop() {
				leafHashes(h, records)
			}
			b.ReportMetric(float64(n)*float64(b.N)/1e6/(cpuTime(b)-start).Seconds(), "MB/cpu-s")
		})
	}
}

func BenchmarkTileRoot(b *testing.B) {
	tile := make([]Hash, TileWidth)
	b.SetBytes(TileWidth * HashSize)
	for b.Loop() {
		TileRoot(tile)
	}
}
