package main

import (
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
	"github.com/cairndb/cairn/engine/bucket"
	"github.com/cairndb/cairn/engine/digest"
	"github.com/cairndb/cairn/engine/trail"
	"github.com/cairndb/cairn/server"
)

// deliveredFlags say what a trail has delivered.
type deliveredFlags struct {
	trail, keys, start, end              string
	bucket, prefix, account, org, region string
	strict                               bool
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
	var target engine.TrailTarget
	if dir := s.Dir(); dir != "" {
		if _, err := os.Stat(dir); err != nil {
			return usageError{err}
		}
		target = trail.DirTarget(vfs.Default, dir)
	} else if target, err = openTarget(c.Context(), s); err != nil {
		return usageError{err}
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

// parseWhen reads a time in the forms that people use.
func parseWhen(text string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", time.DateTime, "2006-01-02T15:04", "2006-01-02 15:04", time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, usagef("%q is not a time; write it as 2026-05-01T00:00:00Z or 2026-05-01", text)
}
