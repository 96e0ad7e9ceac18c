package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/cairndb/cairn/engine"
)

func (p *program) statsCommand() *cobra.Command {
	var columns int
	var floor bool
	cmd := &cobra.Command{
		Use:   "stats",
		Short: "Tell what is in the lake and what it costs",
		Long: "Stats prints events, sizes and time range per store, and where the bytes are: by structure and by column.\n\n" +
			"With --floor it reads all sealed events and says how much of them is random (UUIDs, tokens, keys): what no\n" +
			"encoding that keeps every byte can go below, were everything else free.",
		Example: "  cairn stats\n  cairn stats --columns 100\n  cairn stats --floor\n  cairn stats --json",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			lake, err := p.openToRead()
			if err != nil {
				return err
			}
			defer lake.Close()
			bar := newProgress(p.err, false)
			s, err := lake.StatsWith(c.Context(), engine.StatsOptions{Floor: floor, Progress: func(done, all int) {
				bar.set(int64(done), int64(all), "%s/%s segments", count(int64(done)), count(int64(all)))
			}})
			bar.finish()
			if err != nil {
				return err
			}
			if p.json {
				return p.printJSON(s)
			}
			return p.printStats(s, columns)
		},
	}
	cmd.Flags().IntVar(&columns, "columns", 20, "how many columns to list, largest first")
	cmd.Flags().BoolVar(&floor, "floor", false, "read everything and tell how much of it is random")
	return cmd
}

func perEvent(bytes, events int64) string {
	if events == 0 {
		return "–"
	}
	return fmt.Sprintf("%.2f", float64(bytes)/float64(events))
}

func (p *program) printStats(s *engine.Stats, columns int) error {
	fmt.Fprintf(p.out, "lake %s, format %d: %s on disk, %s of it WAL\n", s.Dir, s.Format, size(s.DiskBytes), size(s.WALBytes))
	if s.FreedBytes > 0 {
		fmt.Fprintf(p.out, "%s freed by retention and deleted stores\n", size(s.FreedBytes))
	}
	for _, st := range s.Stores {
		fmt.Fprintf(p.out, "\nstore %s (%s)\n", st.Name, st.ID)
		fmt.Fprintf(p.out, "  events    %s", count(st.Events))
		if st.Events > 0 {
			fmt.Fprintf(p.out, ", from %s to %s", st.First.UTC().Format(time.DateTime), st.Last.UTC().Format(time.DateTime))
		}
		if st.ExpiredEvents > 0 {
			fmt.Fprintf(p.out, "\n  expired   %s events, still on disk", count(st.ExpiredEvents))
		}
		if st.Dropped.Events > 0 {
			fmt.Fprintf(p.out, "\n  dropped   %s events in %s segments, %s freed", count(int64(st.Dropped.Events)), count(int64(st.Dropped.Segments)), size(int64(st.Dropped.Bytes)))
		}
		fmt.Fprintf(p.out, "\n  raw       %s, %s bytes an event\n", size(st.RawBytes), perEvent(st.RawBytes, st.Events))
		fmt.Fprintf(p.out, "  sealed    %s events in %s segments: %s, %s bytes an event, indexes included\n",
			count(st.SealedEvents), count(int64(st.Segments)), size(st.StoredBytes), perEvent(st.StoredBytes, st.SealedEvents))
		if st.ViewBytes > 0 {
			fmt.Fprintf(p.out, "  views     %s, %s bytes an event\n", size(st.ViewBytes), perEvent(st.ViewBytes, st.SealedEvents))
		}
		if st.FloorBytes > 0 {
			fmt.Fprintf(p.out, "  random    %s, %s bytes an event: the floor of any encoding; what is sealed takes %.2f times that, views included\n",
				size(st.FloorBytes), perEvent(st.FloorBytes, st.SealedEvents), float64(st.StoredBytes+st.ViewBytes)/float64(st.FloorBytes))
		}
		fmt.Fprintf(p.out, "  memtable  %s events, %s\n", count(st.MemtableEvents), size(st.MemtableBytes))
		for _, part := range []struct {
			title string
			list  []engine.SizeStat
			most  int
		}{{"structure", st.Structures, len(st.Structures)}, {"column", st.Columns, columns}} {
			if len(part.list) == 0 || part.most <= 0 {
				continue
			}
			heads := []string{part.title, "bytes", "bytes/event"}
			floor := part.title == "column" && st.FloorBytes > 0
			if floor {
				heads = append(heads, "floor/event")
			}
			t := newTextTable(heads...)
			for i := 1; i < len(heads); i++ {
				t.right(i)
			}
			row := func(name string, bytes, random int64) {
				cells := []string{name, count(bytes), perEvent(bytes, st.SealedEvents)}
				if floor {
					cells = append(cells, perEvent(random, st.SealedEvents))
				}
				t.row(cells...)
			}
			var rest, restFloor int64
			for i, c := range part.list {
				if i < part.most {
					row(c.Name, c.Bytes, c.Floor)
				} else {
					rest += c.Bytes
					restFloor += c.Floor
				}
			}
			if n := len(part.list) - part.most; n > 0 {
				row(fmt.Sprintf("(%s more)", count(int64(n))), rest, restFloor)
			}
			fmt.Fprintln(p.out)
			if err := t.print(p.out); err != nil {
				return err
			}
		}
	}
	return nil
}
