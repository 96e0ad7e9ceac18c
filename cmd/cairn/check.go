package main

import (
	"fmt"
	"log/slog"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/cairndb/cairn/engine"
)

func (p *program) checkCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "check",
		Short: "Read and verify everything in the lake",
		Long: `Check reads every byte of the lake: it verifies every checksum, rebuilds every record,
and compares columns, bitmaps, filters, counts and catalogue with the records. It
changes nothing. Exit status 1 means that damage was found; each problem is named with
its place.`,
		Example: "  cairn check\n  cairn check --json",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			lake, err := p.openDamaged()
			if err != nil {
				return err
			}
			defer lake.Close()
			bar := newProgress(p.err, false)
			r, err := lake.Check(c.Context(), engine.CheckOptions{Progress: func(pr engine.CheckProgress) {
				bar.set(pr.EventsDone, pr.Events, "%s/%s segments", count(int64(pr.SegmentsDone)), count(int64(pr.Segments)))
			}})
			bar.finish()
			if err != nil {
				return err
			}
			if p.json {
				if err := p.printJSON(r); err != nil {
					return err
				}
			} else {
				for _, problem := range r.Problems {
					fmt.Fprintln(p.out, printable(problem.String()))
				}
				if n := r.ProblemCount - len(r.Problems); n > 0 {
					fmt.Fprintf(p.out, "… and %s more\n", count(int64(n)))
				}
				verdict := "no damage"
				if r.ProblemCount > 0 {
					verdict = count(int64(r.ProblemCount)) + " problems"
				}
				fmt.Fprintf(p.out, "%s: %s events (%s), %s segments, %s blocks, %s WAL records in %s\n", verdict, count(r.Events), size(r.RawBytes),
					count(int64(r.Segments)), count(r.Blocks), count(r.WALRecords), took(r.Elapsed))
			}
			if r.ProblemCount > 0 {
				return errReported
			}
			return nil
		},
	}
}

// logger tells of background work when asked to, else of warnings only.
func (p *program) logger() *slog.Logger {
	level := slog.LevelWarn
	if p.verbose {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(p.err, &slog.HandlerOptions{Level: level}))
}

func (p *program) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the version",
		Example: "  cairn version",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			v := version()
			if p.json {
				return p.printJSON(v)
			}
			_, err := fmt.Fprintf(p.out, "cairn %s (lake format %d, %s)\n", v.Version, v.Format, v.Go)
			return err
		},
	}
}

type versionInfo struct {
	Version string `json:"version"`
	Commit  string `json:"commit,omitempty"`
	Format  int    `json:"format"`
	Go      string `json:"go"`
}

func version() versionInfo {
	v := versionInfo{Version: "unknown", Format: engine.FormatVersion}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	v.Version, v.Go = info.Main.Version, info.GoVersion
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			v.Commit = s.Value
		}
	}
	return v
}
