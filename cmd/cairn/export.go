package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cairndb/cairn/engine"
	"github.com/cairndb/cairn/engine/archive"
	"github.com/cairndb/cairn/engine/bucket"
	"github.com/cairndb/cairn/server"
)

func (p *program) exportCommand() *cobra.Command {
	opts := engine.ExportOptions{}
	var out, from, to string
	var formats, encrypt []string
	cmd := &cobra.Command{
		Use:   "export --out DIR|BUCKET-URL",
		Short: "Write events with their proofs as a bundle for offline audit",
		Long: `Export writes a bundle: the events of a store in open formats, a signed manifest with the
SHA-256 of every file, digests, checkpoint, proofs and public keys, and VERIFY.md, which
tells an auditor how to check all of it with sha256sum, openssl and jq. cairn-verify does
so without a lake; "cairn import" takes a bundle back.

Formats: cloudtrail (log files as CloudTrail delivers them, the exact bytes of each record),
jsonl (JSON lines), segments, parquet. Several, with commas, give further copies.

With --from, --to or --where each record carries its own proof; else the leaves of all make
the signed root. Cut short, the same command goes on. Repeated, it gives the same bytes. Give
the auditor the public key another way: cairn key export-public.

--encrypt KEEPER encrypts the bundle (AES-256-GCM) for a keeper: a passphrase or a key file
that the auditor has as well, or a key service; several keepers may be given. cairn-verify
and cairn import take the same keeper. Names and sizes of files stay readable.

The target is a directory, or the URL of a bucket: s3://BUCKET/PREFIX?region=R
A lake that "cairn serve" has open is exported by that process, as its user, on the word of that
user or root; keepers, and credentials for the bucket, are the server's to open then.`,
		Example: `  cairn export --out ./bundle
  cairn export --from 2026-01-01T00:00:00Z --to 2026-02-01T00:00:00Z --out ./january
  cairn export --where "eventName = 'ConsoleLogin'" --format jsonl,parquet --out ./logins
  cairn export --encrypt passphrase:file:./secret --out ./bundle
  cairn-verify ./bundle --key keys.pem`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if out == "" {
				return usagef("export wants --out: a directory, or the URL of a bucket")
			}
			err := notEmpty(c, "from", "to", "where", "store")
			if err == nil {
				opts.From, opts.To, err = periodFlags(from, to)
			}
			if err != nil {
				return err
			}
			for _, f := range formats {
				opts.Formats = append(opts.Formats, strings.ToLower(f))
			}
			return p.export(c.Context(), out, opts, encrypt)
		},
	}
	f := cmd.Flags()
	f.StringVar(&opts.Store, "store", engine.DefaultStore, "the store to export")
	f.StringVar(&out, "out", "", "where to write the bundle: an empty directory, or the URL of a bucket")
	f.StringVar(&from, "from", "", "only events from this time on, such as 2026-01-31 or 2026-01-31T12:00:00Z")
	f.StringVar(&to, "to", "", "only events before this time; of a date, before the day begins")
	f.StringVar(&opts.Where, "where", "", "only events that meet this condition in SQL")
	f.StringSliceVar(&formats, "format", []string{archive.CloudTrail}, "format of the records ("+strings.Join(archive.Formats, ", ")+"); more than one gives further copies")
	f.StringArrayVar(&encrypt, "encrypt", nil, "encrypt the bundle for this keeper (see: cairn encryption); may be repeated")
	f.IntVar(&opts.Workers, "workers", 0, "how many goroutines write (default: one per CPU)")
	return cmd
}

// periodFlags reads the flags of a period of time, whose first moment is in it and whose last is
// not; a date is its first moment in UTC. Times that depend on the moment of asking are refused:
// an export that was cut short goes on only if it is asked for in the same words.
func periodFlags(from, to string) (first, last time.Time, err error) {
	read := func(name, text string) (time.Time, error) {
		now := time.Now()
		t, err := flagMoment(name, text, now, false)
		if err != nil {
			return t, err
		}
		if later, err := flagMoment(name, text, now.Add(48*time.Hour), false); err != nil || !later.Equal(t) {
			return t, usagef("--%s %q is another time whenever it is asked: write a date, such as 2026-01-31, or a time, such as 2026-01-31T12:00:00Z", name, text)
		}
		return t, nil
	}
	if first, err = read("from", from); err != nil {
		return first, last, err
	}
	last, err = read("to", to)
	return first, last, err
}

// notEmpty refuses flags that were given without a value, as by a variable that is not set:
// what they would have left out must not come along.
func notEmpty(c *cobra.Command, names ...string) error {
	for _, name := range names {
		if f := c.Flags().Lookup(name); f.Changed && f.Value.String() == "" {
			return usagef("--%s is given without a value", name)
		}
	}
	return nil
}

type exportResult struct {
	Store      string  `json:"store"`
	Events     uint64  `json:"events"`
	Bytes      int64   `json:"bytes"`
	Files      int     `json:"files"`
	FileBytes  int64   `json:"fileBytes"`
	Before     uint64  `json:"eventsWrittenBefore"`
	Missing    uint64  `json:"eventsMissing"`
	TreeSize   uint64  `json:"treeSize"`
	Root       string  `json:"root"`
	Digest     uint64  `json:"digest"`
	Elapsed    float64 `json:"seconds"`
	OutputPath string  `json:"out"`
	Encrypted  bool    `json:"encrypted"`
}

func (p *program) export(ctx context.Context, out string, opts engine.ExportOptions, encrypt []string) error {
	bar := newProgress(p.err, false)
	opts.Progress = func(pr engine.ExportProgress) {
		bar.set(int64(pr.EventsDone), int64(pr.Events), "%s events  %s/s", count(int64(pr.EventsDone)), size(perSecond(pr.Bytes, pr.Elapsed)))
	}
	r, err := p.runExport(ctx, out, opts, encrypt)
	bar.finish()
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		return fmt.Errorf("interrupted; what was written is kept, and the same command goes on from there")
	}
	if errors.Is(err, engine.ErrBadInput) {
		return usageError{err}
	}
	if err != nil {
		return err
	}
	if p.json {
		return p.printJSON(exportResult{r.Store, r.Events, r.Bytes, r.Files, r.FileBytes, r.Before, r.Missing, r.Size, hex.EncodeToString(r.Root[:]), r.Digest, r.Elapsed.Seconds(), out, len(encrypt) > 0})
	}
	fmt.Fprintf(p.out, "%s (%s) of store %s in %s files (%s), proved against the tree of %s that digest %d signed; %s, %s/s\n", things(int64(r.Events), "event"), size(r.Bytes), r.Store,
		count(int64(r.Files)), size(r.FileBytes), things(int64(r.Size), "event"), r.Digest, took(r.Elapsed), size(perSecond(r.Bytes, r.Elapsed)))
	if r.Before > 0 {
		fmt.Fprintf(p.out, "%s of the events had been written by an earlier run\n", count(int64(r.Before)))
	}
	if r.Missing > 0 {
		fmt.Fprintf(p.out, "%s left the store; their hashes are in the bundle\n", things(int64(r.Missing), "event"))
	}
	if len(encrypt) > 0 {
		_, err = fmt.Fprintf(p.out, "it is encrypted; check it with: cairn-verify %s --key KEYS --keeper KEEPER\n", out)
		return err
	}
	_, err = fmt.Fprintf(p.out, "check it with: cairn-verify %s --key KEYS, or as its VERIFY.md says\n", out)
	return err
}

// runExport exports, or has the server do it that has the lake open.
func (p *program) runExport(ctx context.Context, out string, opts engine.ExportOptions, encrypt []string) (*engine.ExportReport, error) {
	dir, err := p.lakeDir()
	if err != nil {
		return nil, err
	}
	target := out
	if !bucket.IsURL(out) {
		if target, err = filepath.Abs(out); err != nil {
			return nil, err
		}
	}
	absolute := make([]string, len(encrypt))
	for i, url := range encrypt {
		if absolute[i], err = absoluteKeeper(url); err != nil {
			return nil, err
		}
	}
	r, err := server.Export(ctx, dir, target, absolute, opts)
	if !errors.Is(err, server.ErrNotServed) {
		return r, err
	}
	to, closer, err := p.openTarget(ctx, target, encrypt)
	if err != nil {
		return nil, err
	}
	lake, err := p.openToRead()
	if err != nil {
		return nil, errors.Join(err, closer.Close())
	}
	if len(encrypt) == 0 && lake.Ring() != nil {
		fmt.Fprintln(p.err, "note: the lake is encrypted, the bundle will not be: --encrypt KEEPER does that")
	}
	r, err = lake.Export(ctx, to, opts)
	return r, errors.Join(err, lake.Close(), closer.Close())
}

// absoluteKeeper makes the path in a keeper's URL absolute, for a process that has another
// working directory.
func absoluteKeeper(url string) (string, error) {
	for _, scheme := range []string{"passphrase:file:", "file:"} {
		if path, ok := strings.CutPrefix(url, scheme); ok {
			path, err := filepath.Abs(path)
			return scheme + path, err
		}
	}
	return url, nil
}

// openTarget opens where something is to be written, encrypted for keepers if there are any.
func (p *program) openTarget(ctx context.Context, target string, encrypt []string) (engine.Bucket, io.Closer, error) {
	to, closer, err := openBucket(ctx, target, false)
	if err != nil || len(encrypt) == 0 {
		return to, closer, err
	}
	keepers, err := p.bundleKeepers(encrypt, true)
	if err == nil {
		to, err = archive.Encrypt(ctx, to, keepers)
	}
	if err != nil {
		return nil, nil, errors.Join(err, closer.Close())
	}
	return to, closer, nil
}

// bundleKeepers opens the keepers of an encrypted bundle.
func (p *program) bundleKeepers(urls []string, making bool) ([]archive.Keeper, error) {
	var out []archive.Keeper
	for _, url := range urls {
		k, err := p.openKeeper(url, making)
		if err != nil {
			return nil, err
		}
		out = append(out, k)
	}
	return out, nil
}

// isBundle reports whether a path is a bundle, and not log files.
func isBundle(path string) bool {
	if bucket.IsURL(path) {
		return true
	}
	for _, name := range []string{archive.ManifestFile, archive.EncryptionFile} {
		if _, err := os.Stat(path + "/" + name); err == nil {
			return true
		}
	}
	return false
}

// importBundle takes a bundle back.
func (p *program) importBundle(ctx context.Context, path string, decrypt []string, opts engine.ImportBundleOptions) (err error) {
	var from archive.Source
	var closer io.Closer
	if bucket.IsURL(path) {
		from, closer, err = openBucket(ctx, path, true)
	} else {
		from, closer, err = archive.Dir(path)
	}
	if err != nil {
		return err
	}
	defer closer.Close()
	keepers, err := p.bundleKeepers(decrypt, false)
	if err != nil {
		return err
	}
	if from, err = archive.Decrypt(ctx, from, keepers); err != nil {
		if errors.Is(err, archive.ErrEncrypted) && len(keepers) == 0 {
			err = fmt.Errorf("%w: give it with --decrypt", err)
		}
		return err
	}
	lake, err := p.open(false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lake.Close()) }()
	bar := newProgress(p.err, false)
	opts.Progress = func(pr engine.ExportProgress) {
		bar.set(int64(pr.EventsDone), int64(pr.Events), "%s events  %s/s", count(int64(pr.EventsDone)), size(perSecond(pr.Bytes, pr.Elapsed)))
	}
	r, err := lake.ImportBundle(ctx, from, opts)
	bar.finish()
	if err != nil && errors.Is(err, context.Canceled) {
		return fmt.Errorf("interrupted; what was taken is kept, and the same command takes the rest")
	}
	if err != nil {
		return err
	}
	if p.json {
		return p.printJSON(r)
	}
	t := newTextTable("outcome", "records", "first case")
	t.right(1)
	t.row("stored", count(int64(r.Stored)), "")
	t.row("stored, in conflict with an event of the same ID", count(int64(r.Conflicts)), "")
	t.row("duplicate", count(int64(r.Duplicates)), "")
	for _, reason := range r.Reasons {
		t.row("refused: "+reason.Reason, count(reason.Records), shorten(reason.Example, 100))
	}
	t.row("all records", count(int64(r.Events)), "")
	if err := t.print(p.out); err != nil {
		return err
	}
	fmt.Fprintf(p.out, "\nread into store %s in %s: %s/s\n", r.Store, took(r.Elapsed), size(perSecond(r.Bytes, r.Elapsed)))
	if r.Equal {
		fmt.Fprintf(p.out, "the store has exactly the events of the bundle, in their order: its tree has the same root, %x\n", r.Root[:])
		return nil
	}
	_, err = fmt.Fprintf(p.out, "the store is not the one that was exported: %s\n", r.EqualWhy)
	return err
}
