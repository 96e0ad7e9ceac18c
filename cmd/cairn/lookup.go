package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cairndb/cairn/engine"
	"github.com/cairndb/cairn/engine/event"
)

func (p *program) lookupCommand() *cobra.Command {
	var (
		store, start, end, format string
		attributes                []string
		limit                     int
	)
	cmd := &cobra.Command{
		Use:   "lookup",
		Short: "Find the newest events with given attributes",
		Long: `Lookup lists events, newest first. Attributes are EventId, EventName, EventSource,
Username, ResourceName, ResourceType, AccessKeyId and ReadOnly; several must all hold.
Times are UTC: 2026-01-31, "2026-01-31 12:00:00" or 2026-01-31T12:00:00Z, both ends included.`,
		Example: `  cairn lookup --attribute EventName=ConsoleLogin
  cairn lookup --attribute Username=alice --attribute ReadOnly=false --start 2026-01-01 --limit 20
  cairn lookup --attribute EventId=… --format record`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			req := engine.LookupRequest{Attributes: map[string]string{}}
			for _, a := range attributes {
				name, value, ok := strings.Cut(a, "=")
				if !ok {
					return usagef("--attribute %q: write NAME=VALUE, such as EventName=ConsoleLogin", a)
				}
				if _, twice := req.Attributes[name]; twice {
					return usagef("--attribute %s is given twice", name)
				}
				req.Attributes[name] = value
			}
			var err error
			if req.Start, err = flagTime("start", start); err != nil {
				return err
			}
			if req.End, err = flagTime("end", end); err != nil {
				return err
			}
			if limit < 1 {
				return usagef("--limit %d: must be at least 1", limit)
			}
			if p.json {
				format = "json"
			}
			if format != "table" && format != "json" && format != "record" {
				return usagef("--format %q: must be table, json or record", format)
			}
			lake, err := p.open(true)
			if err != nil {
				return err
			}
			defer lake.Close()
			s, err := lake.Store(store)
			if err != nil {
				return err
			}
			var found []engine.LookupEvent
			for len(found) < limit {
				req.Limit = min(limit-len(found), engine.LookupLimitMax)
				page, err := s.Lookup(c.Context(), req)
				if err != nil {
					return err
				}
				found = append(found, page.Events...)
				if req.Token = page.Next; req.Token == "" {
					break
				}
			}
			return p.printLookup(found, format)
		},
	}
	f := cmd.Flags()
	f.StringArrayVar(&attributes, "attribute", nil, "NAME=VALUE that must hold; may be given several times")
	f.StringVar(&start, "start", "", "earliest event time")
	f.StringVar(&end, "end", "", "latest event time")
	f.IntVar(&limit, "limit", 50, "how many events to list")
	f.StringVar(&store, "store", engine.DefaultStore, "the store to look in")
	f.StringVar(&format, "format", "table", "table, json (a list of events) or record (the exact records, one after the other)")
	return cmd
}

func flagTime(flag, s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if t, err := time.Parse(time.DateOnly, s); err == nil {
		return t, nil
	}
	micros, ok := event.ParseTime(s)
	if !ok {
		return time.Time{}, usagef("--%s %q is not a time; write 2026-01-31 or 2026-01-31T12:00:00Z", flag, s)
	}
	return time.UnixMicro(micros).UTC(), nil
}

type lookupLine struct {
	EventTime       time.Time `json:"EventTime"`
	EventID         string    `json:"EventId,omitempty"`
	EventName       string    `json:"EventName"`
	EventSource     string    `json:"EventSource"`
	Username        string    `json:"Username,omitempty"`
	AccessKeyID     string    `json:"AccessKeyId,omitempty"`
	ReadOnly        string    `json:"ReadOnly,omitempty"`
	CloudTrailEvent string    `json:"CloudTrailEvent"`
}

func (p *program) printLookup(found []engine.LookupEvent, format string) error {
	switch format {
	case "json":
		list := make([]lookupLine, len(found))
		for i, e := range found {
			list[i] = lookupLine{e.EventTime.UTC(), e.EventID, e.EventName, e.EventSource, e.Username, e.AccessKeyID, e.ReadOnly, string(e.Record)}
		}
		return p.printJSON(list)
	case "record":
		for _, e := range found {
			if _, err := fmt.Fprintf(p.out, "%s\n", e.Record); err != nil {
				return err
			}
		}
		return nil
	}
	t := newTextTable("time", "event", "source", "user", "event ID")
	for _, e := range found {
		t.row(e.EventTime.UTC().Format(time.DateTime), e.EventName, e.EventSource, e.Username, e.EventID)
	}
	return t.print(p.out)
}
