package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cairndb/cairn/engine"
)

func (p *program) viewCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "view",
		Short: "Make, list, show and drop materialized views",
		Long: `A view is a grouped aggregate over one store that keeps itself: its groups are stored for every
segment, when that is written, and queries read them instead of the events. Reading a view always
gives what its query gives now; expiry, holds and late events are seen at once. Queries that
group coarser than a view, or name fewer of its columns, are answered from it as well (EXPLAIN
says "from view").

Stores of CloudTrail events have built-in views of calls, errors, principals and source addresses
per minute, hour and day: calls_per_hour, errors_per_day … are those of the store events, the names of
others begin with that of their store (payments_calls_per_hour). Most are read from a few that are kept;
principals_per_minute and addresses_per_minute are read from the events, since there are as many of their
groups.

While a server has the lake open, the server does what these commands ask for.`,
		Example: `  cairn view create sources_hourly --query "SELECT date_trunc('hour', eventTime) AS hour, eventSource, count(*) AS calls FROM events GROUP BY 1, 2"
  cairn query "SELECT * FROM sources_hourly ORDER BY hour DESC LIMIT 10"
  cairn view list
  cairn view drop sources_hourly`,
	}
	cmd.AddCommand(p.createViewCommand(), p.listViewsCommand(), p.showViewCommand(), p.dropViewCommand(), p.refreshViewCommand(), p.builtInViewsCommand())
	return cmd
}

func (p *program) createViewCommand() *cobra.Command {
	var n engine.NewView
	cmd := &cobra.Command{
		Use:   "create NAME",
		Short: "Make a view, and keep its groups for what the store has",
		Long: `Create makes a view of a query: SELECT of keys and aggregates FROM one store, with GROUP BY and,
if wanted, WHERE. One of the keys may cut the time: date_trunc('hour', eventTime). Aggregates are
count, count_if, sum, min, max, avg, min_by, max_by, approx_distinct, approx_percentile, bool_and,
bool_or, any_value, checksum. What cannot be a view is refused with the reason.

With --retention-days the view shows the time buckets of its last so many days only. It cannot
show events for longer than its store keeps them.

The groups of the store's segments are made at once, newest first. If that is interrupted it goes on in the
background; the view can be read from the beginning.`,
		Example: `  cairn view create failed_logins --query "SELECT date_trunc('day', eventTime) AS day, sourceIPAddress, count(*) AS n FROM events WHERE eventName = 'ConsoleLogin' AND errorMessage IS NOT NULL GROUP BY 1, 2"`,
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if n.Query == "" {
				return usagef("--query is missing: the SELECT that the view is of")
			}
			n.Name = args[0]
			lake, err := p.watched(c.Context(), false)
			if err != nil {
				return err
			}
			defer lake.Close()
			v, err := lake.CreateView(c.Context(), n)
			if err != nil {
				return queryError{err, n.Query}
			}
			if err := p.fillViews(c.Context(), lake, v.Store); err != nil {
				return err
			}
			if v, err = lake.ViewNamed(v.Name); err != nil {
				return err
			}
			return p.printView(v)
		},
	}
	cmd.Flags().StringVar(&n.Query, "query", "", "the SELECT that the view is of")
	cmd.Flags().StringVar(&n.Store, "store", "", "the store that the query must read (default: whichever it names)")
	cmd.Flags().Uint32Var(&n.Days, "retention-days", 0, "show only the time buckets of so many days (default: as long as the store keeps its events)")
	return cmd
}

// fillViews keeps the views of a store for all segments. Being interrupted is no error.
func (p *program) fillViews(ctx context.Context, lake watchedLake, store string) error {
	bar := newProgress(p.err, false)
	err := lake.FillViews(ctx, store, func(f engine.FillProgress) {
		bar.set(int64(f.Done), int64(f.Segments), "%s/%s segments grouped", count(int64(f.Done)), count(int64(f.Segments)))
	})
	bar.finish()
	if errors.Is(err, context.Canceled) {
		fmt.Fprintln(p.err, "interrupted; the rest is grouped whenever the lake is open")
		return nil
	}
	return err
}

func (p *program) listViewsCommand() *cobra.Command {
	var store string
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the views and how far they are kept",
		Example: "  cairn view list\n  cairn view list --store events --json",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			lake, err := p.watched(c.Context(), true)
			if err != nil {
				return err
			}
			defer lake.Close()
			list, err := lake.Views(store)
			if err != nil {
				return err
			}
			if p.json {
				if list == nil {
					list = []engine.ViewStatus{}
				}
				return p.printJSON(list)
			}
			if len(list) == 0 {
				_, err := fmt.Fprintln(p.out, "There are no views: only stores of CloudTrail events have built-in ones.")
				return err
			}
			t := newTextTable("view", "store", "kept", "groups", "size", "bytes/event", "columns")
			t.right(3, 4, 5)
			for i := range list {
				v := &list[i]
				groups, bytes, each := count(v.Groups), size(v.Bytes), perEvent(v.Bytes, v.Events)
				if v.From != "" {
					groups, bytes, each = "", "", ""
				}
				t.row(v.Name, v.Store, keptText(v), groups, bytes, each, strings.Join(v.Columns, ", "))
			}
			return t.print(p.out)
		},
	}
	cmd.Flags().StringVar(&store, "store", "", "of this store only")
	return cmd
}

// keptText says how a view is kept.
func keptText(v *engine.ViewStatus) string {
	switch {
	case v.Broken != "":
		return "cannot be read"
	case v.From != "":
		return "from " + v.From
	case v.Filled+v.NotKept < v.Segments:
		return fmt.Sprintf("%s of %s segments", count(int64(v.Filled)), count(int64(v.Segments)))
	case v.NotKept > 0:
		return fmt.Sprintf("%s segments, %s are read", count(int64(v.Filled)), count(int64(v.NotKept)))
	}
	if v.Filled == 1 {
		return "1 segment"
	}
	return count(int64(v.Filled)) + " segments"
}

func (p *program) showViewCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "show NAME",
		Short:   "Show a view",
		Example: "  cairn view show activity_per_hour",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			lake, err := p.watched(c.Context(), true)
			if err != nil {
				return err
			}
			defer lake.Close()
			v, err := lake.ViewNamed(args[0])
			if err != nil {
				return err
			}
			return p.printView(v)
		},
	}
}

func (p *program) printView(v *engine.ViewStatus) error {
	if p.json {
		return p.printJSON(v)
	}
	fmt.Fprintf(p.out, "view     %s of store %s", v.Name, v.Store)
	if v.BuiltIn {
		fmt.Fprint(p.out, ", built in")
	}
	fmt.Fprintf(p.out, "\nquery    %s\ncolumns  %s\nkept     %s", strings.Join(strings.Fields(v.Query), " "), strings.Join(v.Columns, ", "), keptText(v))
	if v.From == "" && v.Broken == "" {
		fmt.Fprintf(p.out, ": %s groups of %s events, %s, %s bytes an event", count(v.Groups), count(v.Events), size(v.Bytes), perEvent(v.Bytes, v.Events))
	}
	if v.Cursor < v.Sealed {
		fmt.Fprintf(p.out, "\ncursor   %s of %s: later segments are read until they are grouped", count(int64(v.Cursor)), count(int64(v.Sealed)))
	}
	if v.Reason != "" {
		fmt.Fprintf(p.out, "\nread     %s segments, since %s", count(int64(v.NotKept)), v.Reason)
	}
	if v.Days > 0 {
		fmt.Fprintf(p.out, "\nshows    %d days", v.Days)
	}
	if !v.Created.IsZero() {
		fmt.Fprintf(p.out, "\ncreated  %s", v.Created.Format(time.DateTime))
	}
	if v.Broken != "" {
		fmt.Fprintf(p.out, "\nbroken   %s", v.Broken)
	}
	_, err := fmt.Fprintln(p.out)
	return err
}

func (p *program) dropViewCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "drop NAME",
		Short:   "Drop a view; events stay as they are",
		Example: "  cairn view drop sources_hourly",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			lake, err := p.watched(c.Context(), false)
			if err != nil {
				return err
			}
			defer lake.Close()
			v, err := lake.ViewNamed(args[0])
			if err != nil {
				return err
			}
			if err := lake.DropView(c.Context(), v.Name); err != nil {
				return err
			}
			if err := p.fillViews(c.Context(), lake, v.Store); err != nil {
				return err
			}
			if p.json {
				return p.printJSON(map[string]string{"dropped": v.Name})
			}
			_, err = fmt.Fprintf(p.out, "view %s dropped\n", v.Name)
			return err
		},
	}
}

func (p *program) refreshViewCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "refresh NAME",
		Short: "Make the groups of a view anew",
		Long: `Refresh makes all groups of a view anew from the events. Views keep themselves; this is for one
that cairn check has found damaged.`,
		Example: "  cairn view refresh activity_per_hour",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			lake, err := p.watched(c.Context(), false)
			if err != nil {
				return err
			}
			defer lake.Close()
			v, err := lake.RefreshView(c.Context(), args[0])
			if err != nil {
				return err
			}
			if err := p.fillViews(c.Context(), lake, v.Store); err != nil {
				return err
			}
			if v, err = lake.ViewNamed(v.Name); err != nil {
				return err
			}
			return p.printView(v)
		},
	}
}

func (p *program) builtInViewsCommand() *cobra.Command {
	var store string
	cmd := &cobra.Command{
		Use:     "built-in on|off",
		Short:   "Switch the built-in views of a store on or off",
		Example: "  cairn view built-in off --store archive",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if args[0] != "on" && args[0] != "off" {
				return usagef("on or off, not %q", args[0])
			}
			lake, err := p.watched(c.Context(), false)
			if err != nil {
				return err
			}
			defer lake.Close()
			if err := lake.SwitchViews(c.Context(), store, args[0] == "on"); err != nil {
				return err
			}
			if err := p.fillViews(c.Context(), lake, store); err != nil {
				return err
			}
			if p.json {
				return p.printJSON(map[string]string{"store": store, "builtInViews": args[0]})
			}
			_, err = fmt.Fprintf(p.out, "built-in views of store %s: %s\n", store, args[0])
			return err
		},
	}
	cmd.Flags().StringVar(&store, "store", engine.DefaultStore, "the store")
	return cmd
}
