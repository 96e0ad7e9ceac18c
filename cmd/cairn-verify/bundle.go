package main

import (
	"context"
	"errors"
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

// openKeepers opens the keepers that were named.
func (c *command) openKeepers() ([]archive.Keeper, error) {
	var out []archive.Keeper
	for _, url := range c.keepers {
		k, err := archive.OpenKeeper(url)
		if err != nil {
			return nil, usageError{fmt.Errorf("--keeper: %w (a bundle for a key service is decrypted by whoever may ask it, with cairn import)", err)}
		}
		out = append(out, k)
	}
	return out, nil
}

// decrypt takes the encryption off a bundle.
func (c *command) decrypt(a *answer) error {
	from, closer, err := archive.Dir(c.file)
	if err != nil {
		return err
	}
	defer closer.Close()
	keepers, err := c.openKeepers()
	if err != nil {
		return err
	}
	to, end, err := archive.NewDir(c.out)
	if err != nil {
		return err
	}
	defer end.Close()
	n, err := archive.Unlock(context.Background(), to, from, keepers)
	if err != nil {
		return err
	}
	a.verified("%d files were decrypted into %s, each the one that was encrypted under its name", n, c.out)
	a.left("what is in them: verify %s next", c.out)
	return nil
}

// bundle verifies a bundle.
func (c *command) bundle(a *answer) error {
	from, closer, err := archive.Dir(c.file)
	if err != nil {
		return err
	}
	defer closer.Close()
	keepers, err := c.openKeepers()
	if err != nil {
		return err
	}
	ctx := context.Background()
	e, err := archive.EncryptionOf(ctx, from)
	if err == nil && e == nil && len(keepers) > 0 {
		return usageError{errors.New("--keeper was given, and the bundle is not encrypted")}
	}
	if err == nil {
		from, err = archive.Decrypt(ctx, from, keepers)
	}
	if err != nil {
		return err
	}
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
	r, err := archive.Verify(ctx, from, opts)
	if terminal && !told.IsZero() {
		fmt.Fprint(c.errOut, "\r\033[K")
	}
	if err != nil {
		return err
	}
	a.Verified, a.NotVerified = r.Verified, r.NotVerified
	if e != nil {
		a.verified("the bundle is encrypted, and every file that was read is the one that was encrypted under its name")
	}
	for _, p := range r.Problems {
		a.problem("%v", p)
	}
	if n := r.ProblemCount - len(r.Problems); n > 0 {
		a.problem("%d more problems are not listed", n)
	}
	if m := r.Manifest; m != nil {
		a.Bundle = &bundle{Events: r.Events, Bytes: r.Bytes, FileBytes: r.FileBytes, Seconds: r.Elapsed.Seconds(), MBPerSecond: perSecond(r.Bytes, r.Elapsed)}
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
