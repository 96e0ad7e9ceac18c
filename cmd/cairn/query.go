package main

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cairndb/cairn/engine"
	"github.com/cairndb/cairn/testdata/samples"
)

func (p *program) queryCommand() *cobra.Command {
	var file, sample string
	var list bool
	var timeout time.Duration
	var params []string
	cmd := &cobra.Command{
		Use:   "query [SQL]",
		Short: "Ask the lake in SQL",
		Long: `Query runs one SQL statement and prints its result. Without SQL it starts an interactive
shell on a terminal, and reads the statement from standard input otherwise.

The language is that of CloudTrail Lake: Trino's SELECT. Tables are stores, by name or by
ID. EXPLAIN and EXPLAIN ANALYZE show what a query reads and what it can leave out; SHOW
TABLES, DESCRIBE events and SHOW FUNCTIONS tell what there is.`,
		Example: `  cairn query "SELECT eventName, count(*) AS n FROM events GROUP BY eventName ORDER BY n DESC LIMIT 10"
  cairn query -f report.sql --format csv > report.csv
  cairn query "SELECT eventTime, userIdentity.arn FROM events WHERE eventName = ?" --param ConsoleLogin
  cairn query "EXPLAIN ANALYZE SELECT count(*) FROM events WHERE errorCode = 'AccessDenied'"
  cairn query --samples
  cairn query --sample impossible-travel
  cairn query`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if p.json {
				p.format = formatJSON
			}
			if err := checkFormat(p.format); err != nil {
				return err
			}
			if list {
				if len(args) > 0 || file != "" || sample != "" {
					return usagef("--samples lists the sample queries and runs nothing; run one with --sample NAME")
				}
				return p.listSamples()
			}
			text, shell, err := p.queryText(args, file, sample)
			if err != nil {
				return err
			}
			lake, err := p.openToRead()
			if err != nil {
				return err
			}
			defer lake.Close()
			if shell {
				return p.shell(c.Context(), lake)
			}
			ctx := c.Context()
			if timeout > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, timeout)
				defer cancel()
			}
			values := make([]any, len(params))
			for i, v := range params {
				values[i] = v
			}
			_, err = p.runQuery(ctx, lake, text, values)
			return err
		},
	}
	f := cmd.Flags()
	f.StringVarP(&file, "file", "f", "", "read the statement from a file")
	f.BoolVar(&list, "samples", false, "list the sample queries with their SQL; needs no lake")
	f.StringVar(&sample, "sample", "", "run the sample query of this name")
	f.StringVar(&p.format, "format", formatTable, formatsHelp)
	f.StringArrayVar(&params, "param", nil, "value of the next parameter (? or $1), as text; may be given several times")
	f.DurationVar(&timeout, "timeout", 0, "end the query after this time, such as 30s (default: none)")
	return cmd
}

// listSamples prints the sample queries: as text with their SQL, or for
// programs in the format asked for.
func (p *program) listSamples() error {
	all := samples.All()
	if p.format == formatTable {
		for _, q := range all {
			fmt.Fprintf(p.out, "%s\n    %s. %s\n\n    %s\n\n", q.Name, q.Title, q.About, strings.ReplaceAll(q.SQL, "\n", "\n    "))
		}
		return nil
	}
	type sample struct {
		Name  string `json:"name"`
		Title string `json:"title"`
		About string `json:"about"`
		Store string `json:"store"`
		SQL   string `json:"sql"`
	}
	list := make([]sample, len(all))
	for i, q := range all {
		list[i] = sample{q.Name, q.Title, q.About, q.Store, q.SQL}
	}
	switch p.format {
	case formatCSV:
		w := csv.NewWriter(p.out)
		w.Write([]string{"name", "title", "about", "store", "sql"})
		for _, s := range list {
			w.Write([]string{s.Name, s.Title, s.About, s.Store, s.SQL})
		}
		w.Flush()
		return w.Error()
	case formatNDJSON:
		for _, s := range list {
			if err := json.NewEncoder(p.out).Encode(s); err != nil {
				return err
			}
		}
		return nil
	}
	e := json.NewEncoder(p.out)
	e.SetIndent("", "  ")
	return e.Encode(list)
}

// queryTextMax bounds a statement that is read from a file or a pipe.
const queryTextMax = 1 << 20

// queryText returns the statement, or shell when there is none to run.
func (p *program) queryText(args []string, file, sample string) (text string, shell bool, err error) {
	switch {
	case sample != "":
		if len(args) > 0 || file != "" {
			return "", false, usagef("give a statement or the name of a sample query, not both")
		}
		q, ok := samples.Find(sample)
		if !ok {
			return "", false, usagef("there is no sample query %q; --samples lists them", sample)
		}
		return q.SQL, false, nil
	case len(args) == 1 && file != "":
		return "", false, usagef("give the statement as an argument or with --file, not both")
	case len(args) == 1:
		return args[0], false, nil
	case file != "":
		f, err := os.Open(file)
		if err != nil {
			return "", false, usagef("--file: %w", err)
		}
		defer f.Close()
		return readText(f)
	case onTerminal(p.in):
		return "", true, nil
	}
	return readText(p.in)
}

func readText(r io.Reader) (string, bool, error) {
	b, err := io.ReadAll(io.LimitReader(r, queryTextMax+1))
	if err != nil {
		return "", false, err
	}
	if len(b) > queryTextMax {
		return "", false, usagef("the statement is longer than %d bytes", queryTextMax)
	}
	if strings.TrimSpace(string(b)) == "" {
		return "", false, usagef("no statement: the input is empty")
	}
	return string(b), false, nil
}

// runQuery runs a statement and prints its result.
func (p *program) runQuery(ctx context.Context, lake *engine.Lake, text string, params []any) (rows int64, err error) {
	r, err := lake.Query(ctx, text, params...)
	if err != nil {
		return 0, queryError{err, text}
	}
	// On a terminal long cells are cut; a pipe gets them whole.
	n, err := printRows(r, p.out, p.format, !onTerminal(p.out))
	if err != nil {
		return n, queryError{err, text}
	}
	return n, nil
}

// timed runs a statement and tells how long it took, on standard error.
func (p *program) timed(ctx context.Context, lake *engine.Lake, text string) error {
	start := time.Now()
	n, err := p.runQuery(ctx, lake, text, nil)
	if err != nil {
		return err
	}
	fmt.Fprintf(p.err, "(%s, %s)\n", rowsText(n), took(time.Since(start)))
	return nil
}
