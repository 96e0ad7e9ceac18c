// Command cairn keeps, queries and checks audit events: one binary over the
// engine. It turns flags into calls and results into text, and nothing else.
//
// Results go to standard output, everything else to standard error. The exit
// status is 0 when all is well, 1 when the command failed or a check found
// damage, 2 when the command was called wrongly.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/cairndb/cairn/engine"
	"github.com/cairndb/cairn/sql/sqlerr"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// Exit statuses.
const (
	exitFine   = 0
	exitFailed = 1
	exitUsage  = 2
)

// usageError marks an error of the caller's words: exit status 2.
type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() }
func (e usageError) Unwrap() error { return e.err }

func usagef(format string, args ...any) error {
	return usageError{fmt.Errorf(format, args...)}
}

// errReported ends a command with status 1 when what went wrong has been said.
var errReported = errors.New("reported")

// queryError carries the text that an SQL error speaks of.
type queryError struct {
	err  error
	text string
}

func (e queryError) Error() string { return sqlerr.Format(e.err, e.text) }
func (e queryError) Unwrap() error { return e.err }

// program is what the commands share.
type program struct {
	in       io.Reader
	out, err io.Writer

	dir       string
	keeperURL string
	json      bool
	format    string
	verbose   bool
	publish   []string
	// insightInterval is how often the lake looks for unusual activity by itself: never, but for servers.
	insightInterval time.Duration
	// cacheBytes is what the lake keeps of what it has read; 0 for its default.
	cacheBytes int64
}

func run(ctx context.Context, args []string, in io.Reader, out, errOut io.Writer) int {
	p := &program{in: in, out: out, err: errOut, insightInterval: -1}
	root := p.root()
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errOut)
	err := root.ExecuteContext(ctx)
	var usage usageError
	switch {
	case err == nil:
		return exitFine
	case errors.Is(err, errReported):
		return exitFailed
	case errors.As(err, &usage):
		fmt.Fprintf(errOut, "cairn: %s\n", printable(err.Error()))
		return exitUsage
	case errors.Is(err, context.Canceled) && ctx.Err() != nil:
		fmt.Fprintln(errOut, "cairn: interrupted")
		return exitFailed
	}
	fmt.Fprintf(errOut, "cairn: %s\n", printable(err.Error()))
	return exitFailed
}

func (p *program) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "cairn",
		Short: "Keep, query and check audit events",
		Long: `Cairn keeps audit events (CloudTrail and others) in a lake: a directory with an
append-only, compressed, indexed log that is asked in SQL.`,
		Example: `  cairn demo                                    see it work on sample events
  cairn import ./AWSLogs                        read log files into the lake
  cairn query "SELECT eventName, count(*) FROM events GROUP BY 1 ORDER BY 2 DESC LIMIT 10"
  cairn query                                   an interactive shell
  cairn lookup --attribute EventName=ConsoleLogin`,
		PersistentPreRun: func(c *cobra.Command, _ []string) {
			c.SetContext(p.withActor(c.Context()))
		},
		SilenceErrors: true,
		SilenceUsage:  true,
		CompletionOptions: cobra.CompletionOptions{
			HiddenDefaultCmd: true,
		},
	}
	root.PersistentFlags().StringVar(&p.dir, "dir", "", "the lake's directory (default $CAIRN_DIR, else the user's data directory)")
	root.PersistentFlags().StringVar(&p.keeperURL, "keeper", "", "URL of the keeper of an encrypted lake's key (default $"+keeperEnv+"); see: cairn encryption --help")
	root.PersistentFlags().BoolVar(&p.json, "json", false, "print results as JSON for programs")
	root.PersistentFlags().BoolVarP(&p.verbose, "verbose", "v", false, "tell of background work on standard error")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usagef("%w\nsee: %s --help", err, cmd.CommandPath())
	})
	root.AddCommand(p.demoCommand(), p.generateCommand(), p.insightCommand(), p.importCommand(), p.queryCommand(), p.lookupCommand(),
		p.storeCommand(), p.viewCommand(), p.holdCommand(), p.serveCommand(), p.userCommand(), p.statsCommand(), p.checkCommand(), p.encryptionCommand(), p.backupCommand(), p.restoreCommand(), p.exportCommand(),
		p.digestCommand(), p.proveCommand(), p.verifyCommand(), p.keyCommand(), p.trailCommand(), p.versionCommand())
	wrongUse(root)
	return root
}

// wrongUse makes the argument checks of all commands report usage errors.
func wrongUse(cmd *cobra.Command) {
	check := cmd.Args
	if check == nil {
		check = cobra.ArbitraryArgs
		if cmd.HasSubCommands() {
			check = cobra.NoArgs
		}
	}
	cmd.Args = func(c *cobra.Command, args []string) error {
		if err := check(c, args); err != nil {
			return usagef("%w\nsee: %s --help", err, c.CommandPath())
		}
		return nil
	}
	if cmd.HasSubCommands() && cmd.RunE == nil {
		cmd.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
	}
	for _, sub := range cmd.Commands() {
		wrongUse(sub)
	}
}

// lakeDir returns the directory that --dir, the environment or the platform's
// custom names.
func (p *program) lakeDir() (string, error) {
	if p.dir != "" {
		return p.dir, nil
	}
	if dir := os.Getenv("CAIRN_DIR"); dir != "" {
		return dir, nil
	}
	if dir := os.Getenv("XDG_DATA_HOME"); dir != "" {
		return filepath.Join(dir, "cairn"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", usagef("no lake directory: give --dir or set CAIRN_DIR")
	}
	return filepath.Join(home, ".local", "share", "cairn"), nil
}

// open opens the lake; mustExist refuses to make a new one.
func (p *program) open(mustExist bool) (*engine.Lake, error) {
	dir, err := p.lakeDir()
	if err != nil {
		return nil, err
	}
	making := !mustExist
	if _, err := os.Stat(filepath.Join(dir, "FORMAT")); err == nil {
		making = false
	}
	keeper, err := p.keeper(making)
	if err != nil {
		return nil, err
	}
	lake, err := engine.Open(dir, &engine.Options{MustExist: mustExist, Keeper: keeper, Publish: p.publishTargets(), OpenTarget: openTarget, OpenTopic: openTopic, OpenKeeper: p.trailKeeper, Logger: p.logger(), InsightInterval: p.insightInterval, CacheBytes: p.cacheBytes})
	if len(p.publish) > 0 && errors.Is(err, engine.ErrBadInput) {
		return nil, usageError{fmt.Errorf("--publish: %w", err)}
	}
	if mustExist && errors.Is(err, engine.ErrNotFound) {
		return nil, fmt.Errorf("%w\nfill one with: cairn import PATH… --dir %s", err, dir)
	}
	return lake, err
}

// openDamaged opens the lake for reading only: damage does not keep it shut, and is found
// by what reads it.
func (p *program) openDamaged() (*engine.Lake, error) {
	dir, err := p.lakeDir()
	if err != nil {
		return nil, err
	}
	keeper, err := p.keeper(false)
	if err != nil {
		return nil, err
	}
	return engine.Open(dir, &engine.Options{MustExist: true, ReadOnly: true, Keeper: keeper, Logger: p.logger()})
}

// openToRead opens the lake for a command that only reads: in a directory that cannot be written
// to, as of a mounted backup, for reading only.
func (p *program) openToRead() (*engine.Lake, error) {
	lake, err := p.open(true)
	if errors.Is(err, engine.ErrNotWritable) {
		return p.openDamaged()
	}
	return lake, err
}

// onTerminal reports whether w is a terminal a person looks at.
func onTerminal(w any) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// printable replaces what could steer a terminal: events are other people's
// text.
func printable(s string) string {
	clean := func(r rune) bool {
		return r < 0x20 && r != '\n' && r != '\t' || r >= 0x7f && r < 0xa0 || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069
	}
	if strings.IndexFunc(s, clean) < 0 {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if clean(r) {
			fmt.Fprintf(&b, "\\u%04x", r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}
