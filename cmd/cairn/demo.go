package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/cairndb/cairn/engine"
	"github.com/cairndb/cairn/engine/event/generate"
)

// demoQuestions are what a security engineer asks first of a new account's
// logs. Each has an answer in the generated events.
var demoQuestions = []struct{ ask, sql string }{
	{"Who signed in to the console without a second factor?", `
SELECT eventTime, userIdentity.userName, recipientAccountId AS account, sourceIPAddress
FROM events
WHERE eventName = 'ConsoleLogin'
  AND element_at(responseElements, 'ConsoleLogin') = 'Success'
  AND element_at(additionalEventData, 'MFAUsed') = 'No'
ORDER BY eventTime DESC
LIMIT 5`},
	{"Who is refused most often, and at what?", `
SELECT userIdentity.arn AS principal, eventName, count(*) AS denied, max(eventTime) AS latest
FROM events
WHERE errorCode IN ('AccessDenied', 'AccessDeniedException', 'Client.UnauthorizedOperation')
GROUP BY userIdentity.arn, eventName
ORDER BY denied DESC, latest DESC
LIMIT 5`},
	{"Which access keys were made, for whom, from where?", `
SELECT eventTime, userIdentity.arn AS made_by, element_at(requestParameters, 'userName') AS made_for,
       json_extract_scalar(element_at(responseElements, 'accessKey'), '$.accessKeyId') AS access_key, sourceIPAddress
FROM events
WHERE eventName = 'CreateAccessKey' AND errorCode IS NULL
ORDER BY eventTime DESC
LIMIT 5`},
	{"Was logging stopped, or something opened to the whole world?", `
SELECT eventTime, eventName, userIdentity.arn AS principal, awsRegion, sourceIPAddress
FROM events
WHERE eventName IN ('StopLogging', 'DeleteTrail', 'PutBucketPolicy', 'PutBucketAcl')
   OR (eventName = 'AuthorizeSecurityGroupIngress'
       AND element_at(requestParameters, 'ipPermissions') LIKE '%0.0.0.0/0%')
ORDER BY eventTime DESC
LIMIT 5`},
	{"Which hours had the most errors, and how many principals made them?", `
SELECT date_trunc('hour', eventTime) AS hour, count(*) AS errors,
       count(DISTINCT userIdentity.arn) AS principals, max_by(eventName, eventTime) AS last_call
FROM events
WHERE errorCode IS NOT NULL
GROUP BY 1
ORDER BY errors DESC, hour
LIMIT 5`},
}

func (p *program) demoCommand() *cobra.Command {
	var events int64
	var keep, serve bool
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "See it work: sample events, five questions, their answers",
		Long: `Demo generates realistic events as log files, imports them into a new lake, looks for unusual
activity, and asks five questions that a security engineer would ask. It takes seconds. With --dir the lake
and the log files stay there; otherwise they go to a temporary directory, which --keep
leaves in place. With --serve Postgres clients of this machine can ask the lake then, until
the command is interrupted.`,
		Example: "  cairn demo\n  cairn demo -n 1000000 --keep\n  cairn demo --serve",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return p.demo(c.Context(), events, keep, serve)
		},
	}
	cmd.Flags().Int64VarP(&events, "events", "n", 100_000, "how many events to generate")
	cmd.Flags().BoolVar(&keep, "keep", false, "leave the lake and the log files when done")
	cmd.Flags().BoolVar(&serve, "serve", false, "serve the lake to Postgres clients on this machine, without passwords")
	return cmd
}

func (p *program) demo(ctx context.Context, events int64, keep, serve bool) (err error) {
	dir := p.dir
	if dir == "" {
		if dir, err = os.MkdirTemp("", "cairn-demo-"); err != nil {
			return err
		}
		if !keep {
			defer func() {
				if e := os.RemoveAll(dir); err == nil {
					err = e
				}
			}()
		}
	} else {
		keep = true
		if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
			return usagef("--dir %s is not empty; the demo wants a directory of its own", dir)
		}
	}
	logs, lakeDir := filepath.Join(dir, "logs"), filepath.Join(dir, "lake")

	start := time.Now()
	sum, err := p.generate(ctx, generate.Options{Events: events, Seed: 1}, logs)
	if err != nil {
		return err
	}
	fmt.Fprintf(p.out, "Made %s events in %s log files (%s, %s of JSON) in %s.\n", count(sum.Events), count(int64(sum.Files)),
		size(sum.Compressed), size(sum.Bytes), took(time.Since(start)))

	keeper, err := p.keeper(true)
	if err != nil {
		return err
	}
	lake, err := engine.Open(lakeDir, &engine.Options{Keeper: keeper, Logger: p.logger(), InsightInterval: -1})
	if err != nil {
		return err
	}
	defer func() {
		if e := lake.Close(); err == nil {
			err = e
		}
	}()
	bar := newProgress(p.err, true)
	report, err := lake.Import(ctx, engine.ImportOptions{Paths: []string{filepath.Join(logs, "AWSLogs")}, Progress: func(pr engine.ImportProgress) {
		bar.set(pr.BytesDone, pr.Bytes, "%s/%s files", count(int64(pr.FilesDone)), count(int64(pr.Files)))
	}})
	bar.finish()
	if err != nil {
		return err
	}
	stats, err := lake.Stats(ctx)
	if err != nil {
		return err
	}
	st := stats.Stores[0]
	fmt.Fprintf(p.out, "Imported them in %s, %s events/s: %s on disk with all indexes, %s bytes an event where the JSON has %s.\n",
		took(report.Elapsed), count(int64(float64(report.Records)/report.Elapsed.Seconds())), size(stats.DiskBytes),
		perEvent(st.StoredBytes, st.SealedEvents), perEvent(st.RawBytes, st.Events))

	if err := p.demoInsights(ctx, lake); err != nil {
		return err
	}
	p.format = formatTable
	for i, q := range demoQuestions {
		text := strings.TrimSpace(q.sql)
		fmt.Fprintf(p.out, "\n%d. %s\n\n%s\n\n", i+1, q.ask, indent(text))
		start := time.Now()
		n, err := p.runQuery(ctx, lake, text, nil)
		if err != nil {
			return err
		}
		fmt.Fprintf(p.out, "(%s, %s)\n", rowsText(n), took(time.Since(start)))
	}
	fmt.Fprintln(p.out)
	if serve {
		return p.demoServe(ctx, lake)
	}
	return demoNext(p.out, lakeDir, keep)
}

// demoInsights shows what is unusual in the sample events.
func (p *program) demoInsights(ctx context.Context, lake *engine.Lake) error {
	if _, err := lake.EnableInsights(ctx, engine.InsightSettings{Store: engine.DefaultStore}); err != nil {
		return err
	}
	report, err := lake.DetectInsights(ctx, engine.DefaultStore, nil)
	if err != nil {
		return err
	}
	list, err := lake.Insights(ctx, engine.InsightFilter{})
	if err != nil {
		return err
	}
	fmt.Fprintf(p.out, "Compared %s series of calls with their own past in %s; unusual were:\n\n", count(int64(report.Series)), took(report.Elapsed))
	return p.printInsights(list)
}

// demoServe serves the sample lake with the settings of cairn serve, but for passwords.
func (p *program) demoServe(ctx context.Context, lake *engine.Lake) error {
	var settings pflag.FlagSet
	serveFlags(&settings)
	if err := settings.Set("no-auth", "true"); err != nil {
		return err
	}
	k, err := serveSettings(&settings, "")
	if err != nil {
		return err
	}
	log, err := serveLogger(k, p.err, p.verbose)
	if err != nil {
		return err
	}
	return p.serve(ctx, lake, k, log)
}

func demoNext(w io.Writer, lakeDir string, kept bool) error {
	if !kept {
		_, err := fmt.Fprint(w, `The sample lake is removed now. To go on with it:
  cairn demo --keep                     the same, and the lake stays
To use your own logs:
  cairn import ./AWSLogs                files, folders, globs; gzip, zstd or plain
  cairn query                           an SQL shell (\? for help)
  cairn lookup --attribute EventName=ConsoleLogin
  cairn stats                           what it costs, column by column
`)
		return err
	}
	_, err := fmt.Fprintf(w, `The lake is in %[1]s. Try:
  cairn query --dir %[1]s               an SQL shell (\? for help)
  cairn lookup --dir %[1]s --attribute EventName=ConsoleLogin
  cairn query --dir %[1]s "EXPLAIN ANALYZE SELECT count(*) FROM events WHERE errorCode = 'AccessDenied'"
  cairn stats --dir %[1]s               what it costs, column by column
  cairn check --dir %[1]s               verify every byte
`, lakeDir)
	return err
}

func indent(s string) string { return "   " + strings.ReplaceAll(s, "\n", "\n   ") }
