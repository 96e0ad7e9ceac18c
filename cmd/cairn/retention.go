package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cairndb/cairn/engine"
	"github.com/cairndb/cairn/engine/event"
)

// periodText writes a retention period.
func periodText(days uint32) string {
	if days == engine.Forever {
		return "forever"
	}
	return fmt.Sprintf("%d days", days)
}

// A period as CloudTrail Lake has them, in days; the engine refuses others as well.
const (
	retentionMin = 7
	retentionMax = 3653
)

// parsePeriod reads a retention period: a number of days, or "forever".
func parsePeriod(s string) (uint32, error) {
	if s == "forever" {
		return engine.Forever, nil
	}
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil || n < retentionMin || n > retentionMax {
		return 0, usagef("retention %q is neither a number of days, 7 to 3653, nor forever", s)
	}
	return uint32(n), nil
}

func (p *program) updateStoreCommand() *cobra.Command {
	var period, lock, ingestion, selectors string
	var protected, bypass bool
	cmd := &cobra.Command{
		Use:   "update NAME|ID",
		Short: "Change how long a store keeps its events, its lock, its protection",
		Long: `Update changes the retention period (by event time), the lock mode and termination
protection of a store, and starts or stops its ingestion.

  --lock none         whoever manages the lake may shorten the period and delete the store
  --lock governance   that needs --bypass-governance, from the owner of the lake's directory
  --lock compliance   nobody can, and the mode stays; lengthening is always possible

Events older than a shorter period are invisible at once, and gone for good with their
segment. Every change is recorded in the store cairn_audit.`,
		Example: `  cairn store update events --retention 2557
  cairn store update events --lock governance --termination-protection
  cairn store update events --retention 90 --bypass-governance
  cairn store update events --ingestion stop
  cairn store update writes --selectors @selectors.json   # none takes them off`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			u := engine.StoreUpdate{Bypass: bypass}
			flags := c.Flags()
			if flags.Changed("retention") {
				days, err := parsePeriod(period)
				if err != nil {
					return err
				}
				u.Days = &days
			}
			if flags.Changed("lock") {
				mode, err := engine.ParseLockMode(lock)
				if err != nil {
					return usageError{err}
				}
				u.Lock = &mode
			}
			if flags.Changed("termination-protection") {
				u.Protected = &protected
			}
			changes := u.Days != nil || u.Lock != nil || u.Protected != nil
			if ingestion != "" && ingestion != "start" && ingestion != "stop" {
				return usagef("--ingestion is %q, must be start or stop", ingestion)
			}
			var sel *event.Selectors
			if selectors != "" && selectors != "none" {
				var err error
				if sel, err = readSelectors(selectors); err != nil {
					return err
				}
			}
			if !changes && ingestion == "" && selectors == "" {
				return usagef("nothing to change: give --retention, --lock, --termination-protection, --ingestion or --selectors")
			}
			return p.changeStore(c, args[0], func(lake *engine.Lake) error {
				ctx := c.Context()
				if changes {
					if err := lake.UpdateStore(ctx, args[0], u); err != nil {
						return err
					}
				}
				if selectors != "" {
					if err := lake.SetSelectors(ctx, args[0], sel); err != nil {
						return err
					}
				}
				if ingestion != "" {
					return lake.SetIngestion(ctx, args[0], ingestion == "start")
				}
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&period, "retention", "", "days to keep events, 7 to 3653, or forever")
	cmd.Flags().StringVar(&lock, "lock", "", "lock mode: none, governance or compliance")
	cmd.Flags().BoolVar(&protected, "termination-protection", false, "refuse to delete the store")
	cmd.Flags().StringVar(&ingestion, "ingestion", "", "start or stop taking events; imports go on")
	cmd.Flags().StringVar(&selectors, "selectors", "", "advanced event selectors, JSON or @FILE, in place of those it has; none for all events of its schema")
	cmd.Flags().BoolVar(&bypass, "bypass-governance", false, "use the permission to get around governance mode")
	return cmd
}

// changeStore opens the lake, changes a store, frees what can go, and shows the store.
func (p *program) changeStore(c *cobra.Command, name string, change func(*engine.Lake) error) error {
	lake, err := p.open(true)
	if err != nil {
		return err
	}
	defer lake.Close()
	if err := change(lake); err != nil {
		return err
	}
	// The change stands; what cannot go now goes later.
	if r, err := lake.Retain(c.Context()); err != nil {
		fmt.Fprintf(p.err, "cairn: not all expired events could be dropped now: %v\n", err)
	} else if r.Segments > 0 {
		fmt.Fprintf(p.err, "dropped %s expired events in %s segments: %s freed\n", count(int64(r.Events)), count(int64(r.Segments)), size(int64(r.Bytes)))
	}
	s, err := lake.Store(name)
	if errors.Is(err, engine.ErrNotFound) {
		return nil
	} else if err != nil {
		return err
	}
	return p.showStore(s)
}

func (p *program) deleteStoreCommand() *cobra.Command {
	var bypass bool
	cmd := &cobra.Command{
		Use:   "delete NAME|ID",
		Short: "Delete a store; for seven days it can be restored",
		Long: `Delete makes a store pending: it answers no queries and takes no events. It can be
restored for seven days, and is gone after that. Termination protection has to be off, legal
holds have to be released, and a lock mode must allow it.`,
		Example: "  cairn store update payments --termination-protection=false\n  cairn store delete payments",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return p.changeStore(c, args[0], func(lake *engine.Lake) error {
				return lake.DeleteStore(c.Context(), args[0], bypass)
			})
		},
	}
	cmd.Flags().BoolVar(&bypass, "bypass-governance", false, "use the permission to get around governance mode")
	return cmd
}

func (p *program) restoreStoreCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "restore NAME|ID",
		Short:   "Take the deletion of a store back",
		Example: "  cairn store restore payments",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return p.changeStore(c, args[0], func(lake *engine.Lake) error {
				return lake.RestoreStore(c.Context(), args[0])
			})
		},
	}
}

func (p *program) confirmTimeCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "confirm-time",
		Short: "Say, on record, that the clock of this machine is right",
		Long: `What is freed does not come back, so a lake asks for evidence that time has passed: its
own run time, and the times of the events that it gets. A lake that was closed for long and
gets no events frees nothing until its owner has said that the clock is right. Stores in
compliance mode do not take anybody's word.`,
		Example: "  cairn store confirm-time",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			lake, err := p.open(true)
			if err != nil {
				return err
			}
			defer lake.Close()
			if err := lake.ConfirmTime(c.Context()); err != nil {
				return err
			}
			r, err := lake.Retain(c.Context())
			if err != nil {
				return err
			}
			now := lake.RetentionTime()
			if p.json {
				return p.printJSON(struct {
					Floor  time.Time `json:"floor"`
					Strict time.Time `json:"strict"`
					Freed  uint64    `json:"freedBytes"`
				}{now.Floor, now.Strict, r.Bytes})
			}
			_, err = fmt.Fprintf(p.out, "time is %s; %s freed\n", now.Floor.Format(time.DateTime), size(int64(r.Bytes)))
			return err
		},
	}
}

type holdInfo struct {
	ID     uint64     `json:"id"`
	Store  string     `json:"store"`
	From   *time.Time `json:"from,omitempty"`
	To     *time.Time `json:"to,omitempty"`
	Reason string     `json:"reason"`
	By     string     `json:"by"`
	At     time.Time  `json:"at"`
}

func describeHold(h engine.Hold) holdInfo {
	out := holdInfo{ID: h.ID, Store: h.Store, Reason: h.Reason, By: h.By, At: h.At}
	if !h.From.IsZero() {
		out.From = &h.From
	}
	if !h.To.IsZero() {
		out.To = &h.To
	}
	return out
}

func (p *program) holdCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "hold",
		Short: "Add, list and release legal holds",
		Long: `A legal hold keeps the events of a store whose times lie in a range, whatever the
retention period says. Holds may overlap: an event expires when no hold covers it any more.
Releasing one needs the owner of the lake's directory. All of it is recorded in cairn_audit.`,
	}
	cmd.AddCommand(p.addHoldCommand(), p.listHoldsCommand(), p.releaseHoldCommand())
	return cmd
}

func (p *program) addHoldCommand() *cobra.Command {
	var from, to, reason string
	cmd := &cobra.Command{
		Use:     "add STORE",
		Short:   "Put a hold on a store",
		Example: "  cairn hold add events --reason 'case 2026-17' --from 2026-01-01 --to 2026-03-31",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			h := engine.Hold{Store: args[0], Reason: reason}
			if strings.TrimSpace(reason) == "" {
				return usagef("hold add wants --reason: a hold that nobody can explain is never released")
			}
			err := notEmpty(c, "from", "to")
			if err == nil {
				h.From, err = flagMoment("from", from, time.Now(), false)
			}
			if err == nil {
				// The last day that somebody names is held to its end.
				h.To, err = flagMoment("to", to, time.Now(), true)
			}
			if err != nil {
				return err
			}
			lake, err := p.open(true)
			if err != nil {
				return err
			}
			defer lake.Close()
			if h, err = lake.AddHold(c.Context(), h); err != nil {
				return err
			}
			return p.printHolds([]engine.Hold{h})
		},
	}
	cmd.Flags().StringVar(&from, "from", "", "first event time, such as 2026-01-31 or 2026-01-31T12:00:00Z (default no bound)")
	cmd.Flags().StringVar(&to, "to", "", "last event time; of a date, the end of the day (default no bound)")
	cmd.Flags().StringVar(&reason, "reason", "", "why; required")
	return cmd
}

func (p *program) listHoldsCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List the legal holds",
		Example: "  cairn hold list --json",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			lake, err := p.openToRead()
			if err != nil {
				return err
			}
			defer lake.Close()
			return p.printHolds(lake.Holds())
		},
	}
}

func (p *program) releaseHoldCommand() *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use:     "release ID",
		Short:   "Release a hold",
		Example: "  cairn hold release 3 --reason 'case closed'",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			id, err := strconv.ParseUint(args[0], 10, 64)
			if err != nil {
				return usagef("%q is not the ID of a hold", args[0])
			}
			lake, err := p.open(true)
			if err != nil {
				return err
			}
			defer lake.Close()
			return lake.ReleaseHold(c.Context(), id, reason)
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why, for the record")
	return cmd
}

func (p *program) printHolds(holds []engine.Hold) error {
	list := []holdInfo{}
	for _, h := range holds {
		list = append(list, describeHold(h))
	}
	if p.json {
		return p.printJSON(list)
	}
	at := func(t *time.Time) string {
		if t == nil {
			return "–"
		}
		return t.Format(time.DateTime)
	}
	t := newTextTable("id", "store", "from", "to", "by", "at", "reason")
	t.right(0)
	for _, h := range list {
		t.row(strconv.FormatUint(h.ID, 10), h.Store, at(h.From), at(h.To), printable(h.By), h.At.Format(time.DateTime), printable(h.Reason))
	}
	return t.print(p.out)
}
