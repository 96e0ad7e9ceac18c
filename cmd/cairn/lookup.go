package main

import (
	"bufio"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cairndb/cairn/engine"
	"github.com/cairndb/cairn/engine/event"
	"github.com/cairndb/cairn/server"
)

// lookupFlags are what a lookup asks for.
type lookupFlags struct {
	store, start, end, format string
	attributes                []string
	limit                     int
	all, history, follow      bool
	req                       engine.LookupRequest
}

func (p *program) lookupCommand() *cobra.Command {
	var o lookupFlags
	cmd := &cobra.Command{
		Use:   "lookup",
		Short: "Find the newest events with given attributes",
		Long: `Lookup lists events, newest first. Attributes are EventId, EventName, EventSource,
Username, ResourceName, ResourceType, AccessKeyId and ReadOnly; several must all hold.

It looks into all stores with CloudTrail events, the event history among them, and gives an event that
is in several of them once; --store looks into one store, of any kind. --history is what AWS calls the
event history: management events of the last ` + fmt.Sprint(engine.HistoryDays) + ` days.

Times are UTC: 2026-01-31, "2026-01-31 12:00", 2026-01-31T12:00:00Z, 1769860800 (seconds since 1970), now,
today, yesterday, or how long ago: 90m, 24h, 7d, 2w. Both ends are included; a day as --end is
included whole.

Formats are table, csv (the columns of the AWS console and a few more), json (a list, as LookupEvents
answers), ndjson (the same, one event a line) and record (the exact records, one after the other,
which "cairn import" takes). --all prints every event there is, in constant memory.

--follow goes on with events as they come, oldest first; it works while a server has the lake open, and
looks for changes every other second while none has.`,
		Example: `  cairn lookup --attribute EventName=ConsoleLogin
  cairn lookup --attribute Username=alice --attribute ReadOnly=false --start 7d --limit 20
  cairn lookup --attribute ResourceName=my-bucket --start yesterday --end today --format csv > events.csv
  cairn lookup --history --category insight
  cairn lookup --all --start 2026-01-01 --end 2026-03-31 --format ndjson | gzip > quarter.ndjson.gz
  cairn lookup --follow --attribute ReadOnly=false
  cairn lookup --store activity --attribute Username=octocat`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if p.json {
				o.format = formatJSON
			}
			if err := o.check(time.Now(), c.Flags().Changed("limit")); err != nil {
				return err
			}
			src, done, err := p.lookupSource(c.Context(), &o)
			if err != nil {
				return err
			}
			defer done()
			if o.follow {
				return p.follow(c.Context(), &o, src)
			}
			return p.lookup(c.Context(), &o, src)
		},
	}
	f := cmd.Flags()
	f.StringArrayVar(&o.attributes, "attribute", nil, "NAME=VALUE that must hold; may be given several times")
	f.StringVar(&o.start, "start", "", "earliest event time")
	f.StringVar(&o.end, "end", "", "latest event time")
	f.StringVar(&o.req.Category, "category", "", "only events of this category: management, data, networkactivity, insight …")
	f.StringVar(&o.req.Account, "account", "", "only events of this account")
	f.StringVar(&o.req.Region, "region", "", "only events of this region")
	f.IntVar(&o.limit, "limit", 50, "how many events to list; with --follow, how many to begin with (default 10 then)")
	f.BoolVar(&o.all, "all", false, "list all events there are")
	f.BoolVar(&o.history, "history", false, fmt.Sprintf("look into the event history: management events of the last %d days", engine.HistoryDays))
	f.BoolVar(&o.follow, "follow", false, "go on with new events until interrupted")
	f.StringVar(&o.store, "store", "", "the store to look in (default: all with CloudTrail events)")
	f.StringVar(&o.format, "format", formatTable, "table, csv, json, ndjson or record")
	return cmd
}

// formatRecord prints the exact records.
const formatRecord = "record"

// check makes the request of the flags.
func (o *lookupFlags) check(now time.Time, limited bool) error {
	o.req.Attributes = map[string]string{}
	for _, a := range o.attributes {
		name, value, ok := strings.Cut(a, "=")
		if !ok || value == "" {
			return usagef("--attribute %q: write NAME=VALUE, such as EventName=ConsoleLogin", a)
		}
		for have := range o.req.Attributes {
			if strings.EqualFold(have, name) {
				return usagef("--attribute %s is given twice", name)
			}
		}
		o.req.Attributes[name] = value
	}
	var err error
	if o.req.Start, err = flagMoment("start", o.start, now, false); err != nil {
		return err
	}
	if o.req.End, err = flagMoment("end", o.end, now, true); err != nil {
		return err
	}
	switch {
	case o.limit < 1:
		return usagef("--limit %d: must be at least 1", o.limit)
	case o.all && limited:
		return usagef("give --all or --limit, not both")
	case o.history && o.store != "":
		return usagef("give --history or --store, not both")
	case o.follow && o.all:
		return usagef("give --follow or --all, not both")
	case o.follow && o.history:
		return usagef("--follow has no --history: without it all stores are followed, with --category management those events alone")
	case o.follow && o.format == formatJSON:
		return usagef("--follow never ends, and a list of JSON must: use --format ndjson")
	case !slices.Contains([]string{formatTable, formatCSV, formatJSON, formatNDJSON, formatRecord}, o.format):
		return usagef("--format %q: must be table, csv, json, ndjson or record", o.format)
	}
	if o.follow && !limited {
		o.limit = 10
	}
	return nil
}

// flagTime reads a time as people write it; a day is its beginning.
func flagTime(flag, s string) (time.Time, error) { return flagMoment(flag, s, time.Now(), false) }

// flagMoment is flagTime at some time; end says that a day means its end.
func flagMoment(flag, s string, now time.Time, end bool) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	now = now.UTC()
	day := func(t time.Time) time.Time {
		if end {
			return t.AddDate(0, 0, 1).Add(-time.Microsecond)
		}
		return t
	}
	midnight := now.Truncate(24 * time.Hour)
	switch word := strings.ToLower(strings.TrimSpace(s)); word {
	case "now":
		return now, nil
	case "today":
		return day(midnight), nil
	case "yesterday":
		return day(midnight.AddDate(0, 0, -1)), nil
	default:
		if ago, ok := parseAgo(word); ok {
			return now.Add(-ago), nil
		}
	}
	if t, err := time.Parse(time.DateOnly, s); err == nil {
		return day(t), nil
	}
	for _, layout := range []string{"2006-01-02 15:04", "2006-01-02T15:04", "2006-01-02T15:04Z", "2006/01/02 15:04:05", "Jan 2, 2006", time.RFC1123, time.RFC1123Z} {
		if t, err := time.Parse(layout, s); err == nil {
			if layout == "Jan 2, 2006" {
				t = day(t)
			}
			return t.UTC(), nil
		}
	}
	if seconds, ok := epochSeconds(strings.TrimPrefix(s, "@")); ok {
		return seconds, nil
	}
	micros, ok := event.ParseTime(s)
	if !ok {
		return time.Time{}, usagef("--%s %q is not a time; write 2026-01-31, 2026-01-31T12:00:00Z, or how long ago, such as 24h or 7d", flag, s)
	}
	return time.UnixMicro(micros).UTC(), nil
}

// parseAgo reads 90m, 24h, -24h, 7d, 2w, "3 days ago".
func parseAgo(s string) (time.Duration, bool) {
	s = strings.TrimPrefix(strings.TrimSpace(strings.TrimSuffix(s, "ago")), "-")
	i := strings.IndexFunc(s, func(r rune) bool { return r < '0' || r > '9' })
	if i < 1 || i > 6 {
		return 0, false
	}
	n := 0
	for _, c := range s[:i] {
		n = 10*n + int(c-'0')
	}
	units := map[string]time.Duration{"s": time.Second, "sec": time.Second, "second": time.Second, "m": time.Minute, "min": time.Minute, "minute": time.Minute,
		"h": time.Hour, "hour": time.Hour, "d": 24 * time.Hour, "day": 24 * time.Hour, "w": 7 * 24 * time.Hour, "week": 7 * 24 * time.Hour}
	unit := strings.TrimSpace(s[i:])
	u, ok := units[unit]
	if !ok {
		u, ok = units[strings.TrimSuffix(unit, "s")]
	}
	return time.Duration(n) * u, ok
}

// epochSeconds reads a number of seconds or milliseconds since 1970.
func epochSeconds(s string) (time.Time, bool) {
	if len(s) < 9 || len(s) > 13 {
		return time.Time{}, false
	}
	n := int64(0)
	for _, c := range s {
		if c < '0' || c > '9' {
			return time.Time{}, false
		}
		n = 10*n + int64(c-'0')
	}
	if len(s) == 13 {
		return time.UnixMilli(n).UTC(), true
	}
	return time.Unix(n, 0).UTC(), true
}

// lookupSource is where events are looked up: a lake that this process opens, or the server that has
// it open.
type lookupSource struct {
	page func(ctx context.Context, req engine.LookupRequest) (*engine.LookupResult, error)
	new  func(ctx context.Context, since engine.LookupCursor) (*engine.NewEvents, error)
}

// followWait is how long one question for new events waits.
const followWait = 20 * time.Second

// ownInterval is how often a lake that no server has open is opened and looked into.
const ownInterval = 2 * time.Second

func (p *program) lookupSource(ctx context.Context, o *lookupFlags) (*lookupSource, func(), error) {
	dir, err := p.lakeDir()
	if err != nil {
		return nil, nil, err
	}
	probe := o.req
	probe.Limit = 1
	if _, err := server.Lookup(ctx, dir, o.store, o.history, probe); !errors.Is(err, server.ErrNotServed) {
		if err != nil {
			return nil, nil, err
		}
		return &lookupSource{
			page: func(ctx context.Context, req engine.LookupRequest) (*engine.LookupResult, error) {
				return server.Lookup(ctx, dir, o.store, o.history, req)
			},
			new: func(ctx context.Context, since engine.LookupCursor) (*engine.NewEvents, error) {
				return server.Follow(ctx, dir, o.store, o.req, since, followWait)
			},
		}, func() {}, nil
	}
	if o.follow {
		return p.ownFollow(dir, o), func() {}, nil
	}
	lake, err := p.openToRead()
	if err != nil {
		return nil, nil, err
	}
	return &lookupSource{page: func(ctx context.Context, req engine.LookupRequest) (*engine.LookupResult, error) {
		return server.LookUp(ctx, lake, o.store, o.history, req)
	}}, func() { lake.Close() }, nil
}

// ownFollow looks into a lake that no server has open, now and then, so that an import or a server can
// have it in between; then it asks the server.
func (p *program) ownFollow(dir string, o *lookupFlags) *lookupSource {
	return &lookupSource{
		page: func(ctx context.Context, req engine.LookupRequest) (*engine.LookupResult, error) {
			lake, err := p.openToRead()
			if err != nil {
				return nil, err
			}
			defer lake.Close()
			return server.LookUp(ctx, lake, o.store, false, req)
		},
		new: func(ctx context.Context, since engine.LookupCursor) (*engine.NewEvents, error) {
			first := since == nil
			for {
				r, err := server.Follow(ctx, dir, o.store, o.req, since, followWait)
				if errors.Is(err, server.ErrNotServed) {
					r, err = p.newInOwn(ctx, o, since)
				}
				if err == nil && (first || len(r.Events) > 0) {
					return r, nil
				}
				if err != nil && !errors.Is(err, engine.ErrUnavailable) {
					return nil, err
				}
				if err == nil {
					since = r.Cursor
				}
				select {
				case <-time.After(ownInterval):
				case <-ctx.Done():
					return nil, ctx.Err()
				}
			}
		},
	}
}

func (p *program) newInOwn(ctx context.Context, o *lookupFlags, since engine.LookupCursor) (*engine.NewEvents, error) {
	lake, err := p.openToRead()
	if err != nil {
		return nil, err
	}
	defer lake.Close()
	return lake.LookupNew(ctx, o.req, o.store, since, 0)
}

// lookup prints the events found, page by page.
func (p *program) lookup(ctx context.Context, o *lookupFlags, src *lookupSource) (err error) {
	w := newEventWriter(p, o.format)
	bar := newProgress(p.err, false)
	defer bar.finish()
	left := o.limit
	req := o.req
	for o.all || left > 0 {
		req.Limit = lookupPage
		if !o.all {
			req.Limit = min(left, req.Limit)
		}
		page, err := src.page(ctx, req)
		if err != nil {
			return errors.Join(err, w.end(false))
		}
		for i := range page.Events {
			if err := w.event(&page.Events[i]); err != nil {
				return err
			}
		}
		if left -= len(page.Events); w.n > lookupPage {
			bar.set(int64(w.n), max(int64(w.n+left), int64(w.n)), "%s events", count(int64(w.n)))
		}
		if req.Token = page.Next; req.Token == "" {
			break
		}
	}
	if err := w.end(true); err != nil {
		return err
	}
	if w.n == 0 && o.format == formatTable {
		fmt.Fprintln(p.err, "no such event")
	}
	return nil
}

// lookupPage is how many events are fetched at once: some megabytes of records.
const lookupPage = 2000

// follow prints the newest events, oldest first, and goes on with those that come.
func (p *program) follow(ctx context.Context, o *lookupFlags, src *lookupSource) error {
	// The cursor first: what comes between the two is told twice rather than not at all.
	now, err := src.new(ctx, nil)
	if err != nil {
		return err
	}
	req := o.req
	req.Limit = min(o.limit, engine.LookupLimitMax)
	page, err := src.page(ctx, req)
	if err != nil {
		return err
	}
	w := newEventWriter(p, o.format)
	for i := len(page.Events) - 1; i >= 0; i-- {
		if err := w.event(&page.Events[i]); err != nil {
			return err
		}
	}
	seen := map[string]map[uint64]bool{}
	for i := range page.Events {
		e := &page.Events[i]
		if seen[e.Store] == nil {
			seen[e.Store] = map[uint64]bool{}
		}
		seen[e.Store][e.Seq] = true
	}
	for cursor := now.Cursor; ; {
		if err := w.flush(); err != nil {
			return err
		}
		found, err := src.new(ctx, cursor)
		if ctx.Err() != nil {
			return nil // interrupted: that is how it ends
		}
		if err != nil {
			return err
		}
		for i := range found.Events {
			e := &found.Events[i]
			if seen[e.Store][e.Seq] {
				continue
			}
			if err := w.event(e); err != nil {
				return err
			}
		}
		cursor = found.Cursor
	}
}

type lookupResource struct {
	ResourceType string `json:"ResourceType,omitempty"`
	ResourceName string `json:"ResourceName,omitempty"`
}

type lookupLine struct {
	EventTime       time.Time        `json:"EventTime"`
	EventID         string           `json:"EventId,omitempty"`
	EventName       string           `json:"EventName"`
	EventSource     string           `json:"EventSource"`
	Username        string           `json:"Username,omitempty"`
	AccessKeyID     string           `json:"AccessKeyId,omitempty"`
	ReadOnly        string           `json:"ReadOnly,omitempty"`
	Resources       []lookupResource `json:"Resources"`
	CloudTrailEvent string           `json:"CloudTrailEvent"`
}

func lineOf(e *engine.LookupEvent) lookupLine {
	l := lookupLine{e.EventTime.UTC(), e.EventID, e.EventName, e.EventSource, e.Username, e.AccessKeyID, e.ReadOnly, []lookupResource{}, string(e.Record)}
	for _, r := range e.Resources {
		l.Resources = append(l.Resources, lookupResource{r.Type, r.Name})
	}
	return l
}

// eventWriter prints events in a format, one by one.
type eventWriter struct {
	format string
	out    *bufio.Writer
	csv    *csv.Writer
	table  *textTable // until its widths are known
	widths []int
	n      int
}

func newEventWriter(p *program, format string) *eventWriter {
	w := &eventWriter{format: format, out: bufio.NewWriterSize(p.out, 1<<16)}
	switch format {
	case formatCSV:
		w.csv = csv.NewWriter(w.out)
		// What cannot be written is said when the first event is.
		_ = w.csv.Write(csvHead)
	case formatTable:
		w.table = newTextTable("time", "event", "user", "source", "resource", "event ID")
	case formatJSON:
		w.out.WriteString("[")
	}
	return w
}

// csvHead are the columns of the console's list, in its order, and then what else a person wants of
// an event.
var csvHead = []string{"Event name", "Event time", "User name", "Event source", "Resource type", "Resource name",
	"Event ID", "Read-only", "AWS access key", "AWS region", "Source IP address", "User agent", "Error code", "Request ID", "Account", "Store"}

func (w *eventWriter) event(e *engine.LookupEvent) error {
	w.n++
	switch w.format {
	case formatCSV:
		var types, names []string
		for _, r := range e.Resources {
			types, names = append(types, r.Type), append(names, r.Name)
		}
		at := func(path ...string) string { return event.TextOf(e.Record, [][]string{path}) }
		return w.csv.Write([]string{e.EventName, e.EventTime.UTC().Format("2006-01-02T15:04:05Z"), e.Username, e.EventSource, strings.Join(types, ", "), strings.Join(names, ", "),
			e.EventID, e.ReadOnly, e.AccessKeyID, at("awsRegion"), event.TextOf(e.Record, [][]string{{"sourceIPAddress"}, {"eventData", "sourceIPAddress"}}),
			event.TextOf(e.Record, [][]string{{"userAgent"}, {"eventData", "userAgent"}}), event.TextOf(e.Record, [][]string{{"errorCode"}, {"eventData", "errorCode"}}),
			at("requestID"), at("recipientAccountId"), e.Store})
	case formatJSON, formatNDJSON:
		b, err := json.Marshal(lineOf(e))
		if err != nil {
			return err
		}
		if w.format == formatJSON && w.n > 1 {
			w.out.WriteString(",\n")
		}
		w.out.Write(b)
		if w.format == formatNDJSON {
			w.out.WriteByte('\n')
		}
	case formatRecord:
		w.out.Write(e.Record)
		w.out.WriteByte('\n')
	default:
		w.row(e)
	}
	return nil
}

// row prints a row of a table. The first rows decide the widths.
func (w *eventWriter) row(e *engine.LookupEvent) {
	resource := ""
	if len(e.Resources) > 0 {
		if resource = e.Resources[0].Name; len(e.Resources) > 1 {
			resource += fmt.Sprintf(" +%d", len(e.Resources)-1)
		}
	}
	cells := []string{e.EventTime.UTC().Format(time.DateTime), e.EventName, e.Username, e.EventSource, shorten(resource, 60), e.EventID}
	for i, c := range cells {
		cells[i] = oneLine(c)
	}
	if w.widths != nil {
		writeAligned(w.out, cells, w.widths, w.table.align)
		return
	}
	if w.table.rows = append(w.table.rows, cells); len(w.table.rows) == tableRowsAhead {
		w.start()
	}
}

// start prints the head of a table and the rows that have waited for it.
func (w *eventWriter) start() {
	w.widths = w.table.widths()
	rule := make([]string, len(w.widths))
	for i, n := range w.widths {
		rule[i] = strings.Repeat("─", n)
	}
	writeAligned(w.out, w.table.head, w.widths, w.table.align)
	writeAligned(w.out, rule, w.widths, w.table.align)
	for _, r := range w.table.rows {
		writeAligned(w.out, r, w.widths, w.table.align)
	}
	w.table.rows = nil
}

// flush sends what has been printed.
func (w *eventWriter) flush() error {
	if w.csv != nil {
		w.csv.Flush()
		if err := w.csv.Error(); err != nil {
			return err
		}
	}
	if w.table != nil && w.widths == nil {
		w.start()
	}
	return w.out.Flush()
}

// end ends the output; whole says that nothing is missing: a list that was cut short is not closed, so
// that nobody takes it for whole.
func (w *eventWriter) end(whole bool) error {
	if w.format == formatJSON && whole {
		w.out.WriteString("]\n")
	}
	return w.flush()
}
