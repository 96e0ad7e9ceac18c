package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cairndb/cairn/engine"
	"github.com/cairndb/cairn/engine/event"
	"github.com/cairndb/cairn/engine/mapping"
)

func (p *program) importCommand() *cobra.Command {
	var opts engine.ImportOptions
	var rejects, schema, key, period, as, mappingFile, example string
	var decrypt []string
	cmd := &cobra.Command{
		Use:   "import PATH…",
		Short: "Read log files into a store",
		Long: `Import reads log files, directories with everything below them, and glob patterns
into a store. It recognises by content, not by name: CloudTrail log files
({"Records":[…]}), JSON arrays, JSON lines and single objects; plain, gzip or zstd.
A directory or bucket URL with a bundle that "cairn export" has made is verified, by --key or
its own keys, and taken back whole, in the order that its store had; an encrypted one wants
its keeper by --decrypt.

It can be ended at any moment and run again: it goes on where it was, and the result is
that of one clean run. A record or file that cannot be taken is counted in the table at
the end, with its reason, and never ends the import; --rejects keeps each with its place.

Audit logs of other products become events by --as: github, okta, google-workspace,
kubernetes, entra, or auto, which tells them apart record by record; config and evidence for AWS
Config items and Audit Manager evidence; or --mapping FILE for any other JSON. The store
(default: activity) has the schema for events from outside, and each event the record that it was made
of. --mapping-example NAME prints a built-in mapping, to write your own by.

A store that the import makes keeps its events for 366 days by the time of the event, or as
--retention-days says. If there are older ones among them, nothing is lost: the store
keeps all of them until it is given a period, and the import says so. Into a store that has
a period already, events that are older are not taken; the import says how many.`,
		Example: `  cairn import ./AWSLogs
  cairn import 'logs/*.json.gz' more/ --store payments
  cairn import ./AWSLogs/111122223333/CloudTrail-Insight --store insights
  cairn import ./AWSLogs --rejects rejects.ndjson
  cairn import ./AWSLogs-since-2019 --retention-days 3653
  cairn import ./bundle --dir ./new-lake
  cairn import okta-logs/ github-audit.json --as auto --store activity
  cairn import app.ndjson --mapping acme.json`,
		Args: func(c *cobra.Command, args []string) error {
			if example != "" {
				return cobra.NoArgs(c, args)
			}
			return cobra.MinimumNArgs(1)(c, args)
		},
		RunE: func(c *cobra.Command, args []string) error {
			if example != "" {
				text := mapping.Text(example)
				if text == nil {
					return usagef("--mapping-example %q: there are %s", example, strings.Join(mapping.Products(), ", "))
				}
				_, err := p.out.Write(text)
				return err
			}
			if as != "" || mappingFile != "" {
				var err error
				if opts.Mapping, err = mappingOf(as, mappingFile); err != nil {
					return err
				}
				if !c.Flags().Changed("store") {
					opts.Store = opts.Mapping.Schema().Key
				}
			} else if opts.Account != "" || opts.Region != "" {
				return usagef("--account and --region go with --as or --mapping: events have their own")
			}
			if len(args) == 1 && opts.Mapping == nil && isBundle(args[0]) {
				if period != "" {
					return usagef("--retention-days goes with log files: give the store a period with \"cairn store create\" before, or with \"cairn store update\" after")
				}
				o := engine.ImportBundleOptions{}
				if c.Flags().Changed("store") {
					o.Store = opts.Store
				}
				if key != "" {
					b, err := os.ReadFile(key)
					if err == nil {
						o.Keys, err = engine.ParseKeys(b)
					}
					if err != nil {
						return fmt.Errorf("reading keys from %s: %w", key, err)
					}
				}
				return p.importBundle(c.Context(), args[0], decrypt, o)
			}
			if key != "" || len(decrypt) > 0 {
				return usagef("--key and --decrypt go with one bundle")
			}
			if period != "" {
				days, err := parsePeriod(period)
				if err != nil {
					return err
				}
				opts.Days = &days
			}
			opts.Paths = args
			if schema != "" {
				var err error
				if opts.Schema, err = schemaCalled(schema); err != nil {
					return err
				}
			}
			return p.importFiles(c.Context(), opts, rejects)
		},
	}
	cmd.Flags().StringVar(&opts.Store, "store", engine.DefaultStore, "the store to fill; made when there is none of that name")
	cmd.Flags().StringVar(&schema, "schema", "", "what the store holds if it has to be made (see store create; default "+event.CloudTrail.Key+", "+event.Insights.Key+" for store "+engine.InsightsStore+")")
	cmd.Flags().StringVar(&as, "as", "", "the product whose audit log the files are: "+strings.Join(mapping.Names(), ", "))
	cmd.Flags().StringVar(&mappingFile, "mapping", "", "a file that says how records become events")
	cmd.Flags().StringVar(&example, "mapping-example", "", "print the mapping of a product ("+strings.Join(mapping.Products(), ", ")+") and do nothing else")
	cmd.Flags().StringVar(&opts.Account, "account", "", "with --as or --mapping: the account of the events, twelve digits (default "+mapping.NoAccount+")")
	cmd.Flags().StringVar(&opts.Region, "region", "", "with --as or --mapping: the region of the events (default global)")
	cmd.Flags().StringVar(&period, "retention-days", "", "days for the store to keep events, 7 to 3653, or forever (default: as it is; 366 when it is made)")
	cmd.Flags().StringVar(&key, "key", "", "of a bundle: a file with public keys that were kept elsewhere (cairn key export-public)")
	cmd.Flags().StringArrayVar(&decrypt, "decrypt", nil, "of an encrypted bundle: its keeper (see: cairn encryption)")
	cmd.Flags().StringVar(&rejects, "rejects", "", "write every record and file that was not taken to this file, one JSON object a line")
	cmd.Flags().IntVar(&opts.Workers, "workers", 0, "how many goroutines read (default: one per CPU)")
	cmd.Flags().BoolVar(&opts.NoInsights, "no-insights", false, "do not look for unusual activity at the end (see: cairn insight); for history that is imported in several runs")
	cmd.Flags().BoolVar(&opts.Again, "again", false, "read files that were imported before, too; their records turn out as duplicates")
	return cmd
}

// mappingOf returns the mapping that --as or --mapping names.
func mappingOf(as, file string) (*mapping.Mapping, error) {
	if as != "" && file != "" {
		return nil, usagef("give --as or --mapping, not both")
	}
	if as != "" {
		m, err := mapping.Called(as)
		if err != nil {
			return nil, usagef("--as: %w", err)
		}
		return m, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, usagef("--mapping: %w", err)
	}
	m, err := mapping.Parse(text)
	if err != nil {
		return nil, usagef("--mapping %s: %w", file, err)
	}
	return m, nil
}

const (
	// importCache is what an import keeps of what it has read of the lake.
	importCache = 64 << 20
	// importMemory is the size of the heap from which on garbage is collected more often than is fastest. What is
	// needed at a time is below it on a machine with two processors; a lake of 100 million events adds some 100 MB.
	importMemory = 300 << 20
)

func (p *program) importFiles(ctx context.Context, opts engine.ImportOptions, rejects string) (err error) {
	if rejects != "" {
		f, err := os.Create(rejects)
		if err != nil {
			return usagef("--rejects: %w", err)
		}
		w := bufio.NewWriterSize(f, 1<<16)
		opts.Rejects = w
		defer func() {
			err = errors.Join(err, w.Flush(), f.Close())
		}()
	}
	// A file is read once, so a large cache would only fill with what tells duplicates, more with every segment.
	p.cacheBytes = importCache
	if os.Getenv("GOMEMLIMIT") == "" {
		defer debug.SetMemoryLimit(debug.SetMemoryLimit(importMemory))
	}
	lake, err := p.open(false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lake.Close()) }()

	bar := newProgress(p.err, true)
	opts.Progress = func(pr engine.ImportProgress) {
		if pr.Detecting {
			bar.set(pr.BytesDone, pr.Bytes, "looking for unusual activity: %s/%s events", count(pr.BytesDone), count(pr.Bytes))
			return
		}
		if pr.Views > 0 {
			bar.set(pr.BytesDone, pr.Bytes, "%s/%s segments grouped for views", count(int64(pr.ViewsDone)), count(int64(pr.Views)))
			return
		}
		secs := max(pr.Elapsed.Seconds(), 0.001)
		bar.set(pr.BytesDone, pr.Bytes, "%s/%s files  %s events  %s events/s  %s/s JSON", count(int64(pr.FilesDone)), count(int64(pr.Files)),
			count(pr.Records), count(int64(float64(pr.Records)/secs)), size(int64(float64(pr.RawBytes)/secs)))
	}
	report, err := lake.Import(ctx, opts)
	bar.finish()
	if report != nil {
		if e := p.printImport(report); e != nil && err == nil {
			err = e
		}
	}
	if err != nil && errors.Is(err, context.Canceled) {
		return fmt.Errorf("interrupted; what is in the table is kept, and the same command goes on from there")
	}
	return err
}

func (p *program) printImport(r *engine.ImportReport) error {
	if p.json {
		return p.printJSON(r)
	}
	t := newTextTable("outcome", "records", "files", "first case")
	t.right(1, 2)
	t.row("stored", count(r.Stored), "", "")
	t.row("stored, in conflict with an event of the same ID", count(r.Conflicts), "", "")
	t.row("duplicate", count(r.Duplicates), "", "")
	for _, reason := range r.Reasons {
		files := ""
		if reason.Files > 0 {
			files = count(reason.Files)
		}
		t.row("refused: "+reason.Reason, count(reason.Records), files, shorten(reason.Example, 100))
	}
	t.row("all records", count(r.Records), count(int64(r.FilesDone)), "")
	if err := t.print(p.out); err != nil {
		return err
	}
	secs := max(r.Elapsed.Seconds(), 1e-9)
	fmt.Fprintf(p.out, "\n%s of %s files read into store %s in %s: %s events/s, %s/s of JSON", count(int64(r.FilesDone)), count(int64(r.Files)), r.Store,
		r.Elapsed.Round(time.Millisecond), count(int64(float64(r.Records)/secs)), size(int64(float64(r.RawBytes)/secs)))
	if r.FilesBefore > 0 {
		fmt.Fprintf(p.out, "; %s files with %s records had been imported before", count(int64(r.FilesBefore)), count(r.RecordsBefore))
	}
	fmt.Fprintln(p.out)
	if r.Expired > 0 {
		fmt.Fprintf(p.out, "\n%s events were not taken: the oldest is of %s, and store %s keeps %s. To take them, too:\n  the same command with --again --retention-days %s\n",
			count(r.Expired), r.OldestExpired.Format(time.DateOnly), r.Store, periodText(r.Days), periodFor(r.OldestExpired))
	}
	if r.Insights != nil {
		fmt.Fprintln(p.out)
		if err := p.printDetection(r.Insights); err != nil {
			return err
		}
	}
	if r.Undecided && !r.Oldest.IsZero() {
		fmt.Fprintf(p.out, "\nThe oldest event is of %s, so store %s was not given the default of %d days, and keeps all events. To have old ones expire:\n  cairn store update %s --retention DAYS\n",
			r.Oldest.Format(time.DateOnly), r.Store, engine.DefaultRetention, r.Store)
	}
	return nil
}

// periodFor is the period, as a flag has it, that keeps an event for a while yet.
func periodFor(t time.Time) string {
	days := int(time.Since(t)/(24*time.Hour)) + 30
	if days > 3653 {
		return "forever"
	}
	return strconv.Itoa(days)
}

// shorten cuts a text to n characters.
func shorten(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return s
}
