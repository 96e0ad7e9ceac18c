package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/spf13/cobra"

	"github.com/cairndb/cairn/engine"
	"github.com/cairndb/cairn/engine/archive"
	"github.com/cairndb/cairn/engine/bucket"
	"github.com/cairndb/cairn/engine/crypt/keeper"
	"github.com/cairndb/cairn/engine/digest"
	"github.com/cairndb/cairn/engine/trail"
	"github.com/cairndb/cairn/server"
)

// deliveredFlags say what a trail has delivered.
type deliveredFlags struct {
	trail, keys, start, end              string
	bucket, prefix, account, org, region string
	strict                               bool
	decrypt                              []string
}

func (f *deliveredFlags) declare(c *cobra.Command) {
	g := c.Flags()
	g.StringVar(&f.trail, "trail", "", "verify what this trail has delivered: its ARN, or the name of one of the lake's")
	g.StringVar(&f.keys, "keys", "", "with --trail: file of public keys, from: cairn trail keys (default: the lake's)")
	g.StringVar(&f.start, "start-time", "", "with --trail: from when on, such as 2026-05-01T00:00:00Z or 2026-05-01")
	g.StringVar(&f.end, "end-time", "", "with --trail: until when (default: now)")
	g.StringVar(&f.bucket, "bucket-name", "", "with --trail: name that digests have of the target (default: the bucket's, or the directory's last part)")
	g.StringVar(&f.prefix, "prefix", "", "with --trail: prefix of the keys, before AWSLogs")
	g.StringVar(&f.account, "account-id", "", "with --trail: account whose files to verify (default: the trail's)")
	g.StringVar(&f.org, "organization", "", "with --trail: ID of the organization whose trail it is")
	g.StringVar(&f.region, "region", "", "with --trail: region whose files to verify (default: the trail's home)")
	g.StringArrayVar(&f.decrypt, "decrypt", nil, "with --trail: keeper of files that the trail has encrypted (default: those of the lake's trail)")
	g.BoolVar(&f.strict, "strict", false, "with --trail: fail for notes, too, which the AWS CLI does not make")
}

// verifyDelivered verifies what a trail has delivered.
func (p *program) verifyDelivered(c *cobra.Command, args []string, f *deliveredFlags) error {
	if f.trail == "" {
		return usagef("whose files are they? give --trail ARN (arn:aws:cloudtrail:REGION:ACCOUNT:trail/NAME), or the name of one of the lake's trails")
	}
	if f.start == "" {
		return usagef("from when on? give --start-time, such as 2026-05-01T00:00:00Z")
	}
	what := trail.Verification{ARN: f.trail, Prefix: f.prefix, Account: f.account, Organization: f.org, Region: f.region, End: time.Now(),
		Verbose: p.verbose, Out: p.out, Err: p.err}
	if p.json {
		what.Out, what.Err = io.Discard, io.Discard
	}
	var err error
	if what.Start, err = parseWhen(f.start); err == nil && f.end != "" {
		what.End, err = parseWhen(f.end)
	}
	if err != nil {
		return err
	}
	s := &engine.TrailSettings{Bucket: f.bucket}
	if !strings.HasPrefix(f.trail, "arn:") || len(args) == 0 {
		a, err := p.askTrail(c.Context(), &server.TrailRequest{Do: "show", Name: f.trail})
		if err != nil {
			return err
		}
		known := &a.Trails[0].Settings
		what.ARN, s.Target, s.Bucket = known.ARN(), known.Target, known.Bucket
		if len(f.decrypt) == 0 {
			f.decrypt = known.Encrypt
		}
		if f.prefix == "" {
			what.Prefix = known.Prefix
		}
		if f.org == "" {
			what.Organization = known.Organization
		}
	}
	if len(args) > 0 {
		if s.Target = args[0]; !bucket.IsURL(args[0]) {
			dir, err := filepath.Abs(strings.TrimPrefix(args[0], "file:"))
			if err != nil {
				return err
			}
			s.Target = "file:" + dir
		}
		s.Bucket = f.bucket
	}
	what.Bucket = s.BucketName()
	if f.keys != "" {
		b, err := os.ReadFile(f.keys)
		if err == nil {
			what.Keys, err = digest.ParseTrailKeys(b)
		}
		if err != nil {
			return fmt.Errorf("reading keys from %s: %w", f.keys, err)
		}
	} else {
		a, err := p.askTrail(c.Context(), &server.TrailRequest{Do: "keys"})
		if err == nil {
			what.Keys, err = digest.ParseTrailKeys(a.Keys)
		}
		if err != nil {
			return fmt.Errorf("asking the lake for public keys, as no --keys are given: %w", err)
		}
	}
	target, err := p.openDelivered(c.Context(), s, what.Prefix, f.decrypt)
	if err != nil {
		return err
	}
	verdict, err := trail.Verify(c.Context(), target, what)
	if err := errors.Join(err, target.Close()); err != nil {
		if errors.Is(err, trail.ErrInvalid) {
			return usageError{err}
		}
		return err
	}
	if p.json {
		if err := p.printJSON(verdict); err != nil {
			return err
		}
	}
	if !verdict.Valid() || f.strict && len(verdict.Remarks) > 0 {
		return errReported
	}
	return nil
}

// openDelivered opens what a trail has delivered, without its encryption if it has one.
func (p *program) openDelivered(ctx context.Context, s *engine.TrailSettings, prefix string, decrypt []string) (target engine.TrailTarget, err error) {
	if dir := s.Dir(); dir != "" {
		if _, err := os.Stat(dir); err != nil {
			return nil, usageError{err}
		}
		target = trail.DirTarget(vfs.Default, dir)
	} else if target, err = openTarget(ctx, s); err != nil {
		return nil, usageError{err}
	}
	keepers, err := p.bundleKeepers(decrypt, false)
	if err == nil {
		var plain engine.TrailTarget
		if plain, err = engine.UnsealTarget(ctx, target, prefix, keepers); err == nil {
			return plain, nil
		}
	}
	if errors.Is(err, archive.ErrEncrypted) && len(decrypt) == 0 {
		err = usagef("%w: give it with --decrypt", err)
	}
	return nil, errors.Join(err, target.Close())
}

func (p *program) decryptTrailCommand() *cobra.Command {
	var out, prefix string
	var keepers []string
	cmd := &cobra.Command{
		Use:   "decrypt TARGET",
		Short: "Take the encryption off files that a trail has delivered",
		Long: `Decrypt reads what a trail with --encrypt has delivered and writes it in the clear: the files
that the trail would have delivered without it, digests with their signatures.`,
		Example: "  cairn trail decrypt file:/srv/audit --decrypt file:/etc/cairn/key --out ./audit",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if out == "" {
				return usagef("where to? give --out DIRECTORY")
			}
			s := &engine.TrailSettings{Target: args[0]}
			if !bucket.IsURL(args[0]) {
				dir, err := filepath.Abs(strings.TrimPrefix(args[0], "file:"))
				if err != nil {
					return err
				}
				s.Target = "file:" + dir
			}
			dir, err := filepath.Abs(out)
			if err != nil {
				return err
			}
			if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
				return usagef("%s is not empty", out)
			}
			from, err := p.openDelivered(c.Context(), s, prefix, keepers)
			if err != nil {
				return err
			}
			files, err := copyDelivered(c.Context(), trail.DirTarget(vfs.Default, dir), from, prefix)
			if err = errors.Join(err, from.Close()); err != nil {
				return err
			}
			if files == 0 {
				return fmt.Errorf("%s has no files that a trail has encrypted below the prefix %q", withoutQuery(args[0]), prefix)
			}
			_, err = fmt.Fprintf(p.out, "%s files written to %s\n", count(int64(files)), out)
			return err
		},
	}
	cmd.Flags().StringVar(&out, "out", "", "directory for the files, empty or new")
	cmd.Flags().StringVar(&prefix, "prefix", "", "prefix of the trail's keys, before AWSLogs")
	cmd.Flags().StringArrayVar(&keepers, "decrypt", nil, "keeper that can read the files")
	return cmd
}

// deliveredFileMax bounds a delivered file as it is stored.
const deliveredFileMax = 256 << 20

// copyDelivered copies what was delivered below a prefix.
func copyDelivered(ctx context.Context, to, from engine.TrailTarget, prefix string) (files int, err error) {
	var keys []string
	if prefix != "" {
		prefix += "/"
	}
	err = from.List(ctx, prefix+"AWSLogs/", func(key string) error {
		keys = append(keys, key)
		return nil
	})
	for _, key := range keys {
		if err != nil {
			return files, err
		}
		body, meta, e := from.Get(ctx, key, deliveredFileMax)
		if e == nil && body == nil {
			e = fmt.Errorf("%s does not authenticate: it was changed, cut, or is another file", key)
		}
		if err = e; err == nil {
			err = to.Put(ctx, key, body, meta)
			files++
		}
	}
	return files, err
}

// trailKeeper opens a keeper of a trail: there is nobody to ask for a passphrase.
func (p *program) trailKeeper(url string) (archive.Keeper, error) {
	k, err := keeper.Open(url, nil)
	if errors.Is(err, keeper.ErrUnknown) {
		k, err = openCloudKeeper(url)
	}
	return k, err
}

// parseWhen reads a time in the forms that people use.
func parseWhen(text string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", time.DateTime, "2006-01-02T15:04", "2006-01-02 15:04", time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, usagef("%q is not a time; write it as 2026-05-01T00:00:00Z or 2026-05-01", text)
}
