package main

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/spf13/cobra"

	"github.com/cairndb/cairn/engine/event"
	"github.com/cairndb/cairn/engine/event/generate"
)

func (p *program) generateCommand() *cobra.Command {
	var opts generate.Options
	var out, start, kind string
	cmd := &cobra.Command{
		Use:   "generate",
		Short: "Write realistic sample log files",
		Long: `Generate writes synthetic CloudTrail log files in CloudTrail's folder layout, and
truth.json, which tells of the anomalies that were put in. With --kind it writes events
for stores of the other schemas instead: ` + strings.Join(generate.Kinds(), ", ") + `.
The same arguments give the same bytes on every machine.`,
		Example: `  cairn generate -n 1000000 --out logs && cairn import logs/AWSLogs
  cairn generate -n 50000 --seed 7 --days 30 --start 2026-01-01 --out logs
  cairn generate -n 2000 --kind configuration --out config`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if out == "" {
				return usagef("say where to write: --out DIR")
			}
			var err error
			if opts.Start, err = flagTime("start", start); err != nil {
				return err
			}
			if kind != event.CloudTrail.Key {
				return p.generateKind(c.Context(), kind, opts, out)
			}
			begin := time.Now()
			sum, err := p.generate(c.Context(), opts, out)
			if err != nil {
				return err
			}
			took := time.Since(begin)
			if p.json {
				return p.printJSON(sum)
			}
			_, err = fmt.Fprintf(p.out, "%s events in %s files below %s: %s of JSON, %s on disk, %d anomalies (see %s); %s events/s\n",
				count(sum.Events), count(int64(sum.Files)), filepath.Join(out, "AWSLogs"), size(sum.Bytes), size(sum.Compressed), sum.Anomalies,
				filepath.Join(out, "truth.json"), count(int64(float64(sum.Events)/max(took.Seconds(), 1e-9))))
			return err
		},
	}
	f := cmd.Flags()
	f.Int64VarP(&opts.Events, "events", "n", 10_000, "how many events")
	f.Uint64Var(&opts.Seed, "seed", 1, "which data set of that size")
	f.StringVar(&kind, "kind", event.CloudTrail.Key, "what events: "+event.CloudTrail.Key+", "+strings.Join(generate.Kinds(), ", "))
	f.StringVar(&out, "out", "", "directory to write to; made if missing")
	f.StringVar(&start, "start", "", "time of the first event (default: --days before "+generate.DefaultEnd.Format(time.DateOnly)+")")
	f.IntVar(&opts.Days, "days", 90, "how many days the events span")
	f.IntVar(&opts.Accounts, "accounts", 8, "how many accounts")
	return cmd
}

// generateKind writes events of a kind other than CloudTrail's.
func (p *program) generateKind(ctx context.Context, kind string, opts generate.Options, out string) error {
	if !slices.Contains(generate.Kinds(), kind) {
		return usagef("--kind %s: there are %s, %s", kind, event.CloudTrail.Key, strings.Join(generate.Kinds(), ", "))
	}
	sum, err := generate.WriteKind(ctx, vfs.Default, out, kind, opts)
	if err != nil {
		return err
	}
	if p.json {
		return p.printJSON(sum)
	}
	_, err = fmt.Fprintf(p.out, "%s events in %s files below %s: %s of JSON, %s on disk\n",
		count(sum.Events), count(int64(sum.Files)), filepath.Join(out, kind), size(sum.Bytes), size(sum.Compressed))
	return err
}

func (p *program) generate(ctx context.Context, opts generate.Options, out string) (generate.Summary, error) {
	g, err := generate.New(opts)
	if err != nil {
		return generate.Summary{}, usageError{err}
	}
	bar := newProgress(p.err, false)
	defer bar.finish()
	return g.WriteFiles(ctx, vfs.Default, out, func(pr generate.Progress) {
		bar.set(pr.Events, pr.EventsTotal, "%s/%s files", count(int64(pr.Files)), count(int64(pr.FilesTotal)))
	})
}
