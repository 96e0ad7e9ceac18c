package crypt

import (
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// BenchmarkReadAt reads 16 KiB, about a block of a table, at random places.
func BenchmarkReadAt(b *testing.B) {
	for _, encrypted := range []bool{false, true} {
		name := "plain"
		if encrypted {
			name = "encrypted"
		}
		b.Run(name, func(b *testing.B) {
			dir := b.TempDir()
			var fs vfs.FS = vfs.Default
			if encrypted {
				ring, err := CreateRing(ctx, vfs.Default, filepath.Join(dir, "KEYS"), testKeeper(b))
				if err != nil {
					b.Fatal(err)
				}
				fs = New(vfs.Default, dir, ring)
			}
			const size = 16 << 20
			write(b, fs, filepath.Join(dir, "f"), "", pattern(size))
			f, err := fs.Open(filepath.Join(dir, "f"))
			if err != nil {
				b.Fatal(err)
			}
			defer f.Close()
			p := make([]byte, 16<<10)
			b.SetBytes(int64(len(p)))
			for b.Loop() {
				if _, err := f.ReadAt(p, rand.Int64N(size-int64(len(p)))); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkWrite writes a table of 8 MiB in pieces of 16 KiB.
func BenchmarkWrite(b *testing.B) {
	for _, encrypted := range []bool{false, true} {
		name := "plain"
		if encrypted {
			name = "encrypted"
		}
		b.Run(name, func(b *testing.B) {
			var fs vfs.FS = vfs.NewMem()
			if encrypted {
				fs = testFS(b, fs)
			} else if err := fs.MkdirAll("lake", 0o755); err != nil {
				b.Fatal(err)
			}
			p := pattern(16 << 10)
			b.SetBytes(8 << 20)
			for b.Loop() {
				f, err := fs.Create("lake/f", "")
				if err != nil {
					b.Fatal(err)
				}
				for range 8 << 20 / len(p) {
					if _, err := f.Write(p); err != nil {
						b.Fatal(err)
					}
				}
				if err := f.Close(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
