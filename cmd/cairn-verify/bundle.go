package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/cairndb/cairn/engine/archive"
)

// bundle is what the answer says of a bundle in figures.
type bundle struct {
	Store    string `json:"store,omitempty"`
	Origin   string `json:"origin,omitempty"`
	TreeSize uint64 `json:"treeSize,omitempty"`
	Root     string `json:"root,omitempty"`
	// Events and Bytes are records that were hashed, FileBytes the files that they were in.
	Events    uint64  `json:"events"`
	Bytes     int64   `json:"bytes"`
	FileBytes int64   `json:"fileBytes"`
	Seconds   float64 `json:"seconds"`
	// MBPerSecond is records in megabytes (10^6) per second, reading, unpacking and
	// hashing included.
	MBPerSecond float64 `json:"mbPerSecond"`
}

// bundle verifies a bundle.
func (c *command) bundle(a *answer) error {
	from, closer, err := archive.Dir(c.file)
	if err != nil {
		return err
	}
	defer closer.Close()
	opts := archive.VerifyOptions{}
	if len(c.keys) > 0 {
		opts.Keys = c.ring
	}
	var told time.Time
	terminal := false
	if f, ok := c.errOut.(*os.File); ok {
		info, err := f.Stat()
		terminal = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	started := time.Now()
	opts.Progress = func(done, total uint64, bytes int64) {
		if now := time.Now(); terminal && now.Sub(told) > 200*time.Millisecond {
			told = now
			fmt.Fprintf(c.errOut, "\r%d of %d events, %.0f MB/s ", done, total, perSecond(bytes, now.Sub(started)))
		}
	}
	r, err := archive.Verify(context.Background(), from, opts)
	if terminal && !told.IsZero() {
		fmt.Fprint(c.errOut, "\r\033[K")
	}
	if err != nil {
		return err
	}
	a.Verified, a.NotVerified = r.Verified, r.NotVerified
	for _, p := range r.Problems {
		a.problem("%v", p)
	}
	if n := r.ProblemCount - len(r.Problems); n > 0 {
		a.problem("%d more problems are not listed", n)
	}
	a.Bundle = &bundle{Events: r.Events, Bytes: r.Bytes, FileBytes: r.FileBytes, Seconds: r.Elapsed.Seconds(), MBPerSecond: perSecond(r.Bytes, r.Elapsed)}
	if m := r.Manifest; m != nil {
		a.Bundle.Store, a.Bundle.Origin = m.Selection.Store, m.Selection.Origin
		a.Bundle.TreeSize, a.Bundle.Root = m.Selection.Tree.Size, m.Selection.Tree.Root
	}
	return nil
}

func perSecond(bytes int64, d time.Duration) float64 {
	return float64(bytes) / 1e6 / max(d.Seconds(), 1e-9)
}

// figures says in a line what a bundle has cost to verify.
func (b *bundle) figures() string {
	return fmt.Sprintf("%d events, %.1f MB of records in %.1f MB of files, hashed in %.2f s: %.0f MB/s", b.Events, float64(b.Bytes)/1e6, float64(b.FileBytes)/1e6, b.Seconds, b.MBPerSecond)
}
