package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cairndb/cairn/engine"
)

func (p *program) proveCommand() *cobra.Command {
	var store, out, record string
	var seq int64
	var consistency bool
	cmd := &cobra.Command{
		Use:   "prove EVENT-ID | --seq N | --consistency OLD [NEW]",
		Short: "Print a receipt: proof that an event is in the lake, or that a store has only grown",
		Long: `Prove prints a receipt, a small text file that shows that the exact record of an event has
its place under a signed checkpoint. cairn-verify checks it with the record and the
lake's public key, without the lake:
  cairn-verify receipt FILE --record RECORD --key KEYS
An event that no checkpoint covers yet is signed for first, as by "cairn digest".

With --consistency it prints the proof that the store at a checkpoint of NEW events (the
newest one when it is left out) begins with the OLD events that it had before, unchanged.
Whoever has kept a checkpoint of OLD events checks it, without the lake:
  cairn-verify consistency FILE --checkpoint OLD-CHECKPOINT --key KEYS
Events that retention has removed do not hinder that, if OLD was ever signed.`,
		Example: `  cairn prove 3b4f0d5c-… --out event.receipt --record event.json
  cairn prove --seq 1000 --store events
  cairn prove --consistency 120000 --out growth.proof`,
		Args: cobra.MaximumNArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			if consistency {
				if seq >= 0 || record != "" {
					return usagef("--consistency is about a whole store: it goes with neither --seq nor --record")
				}
				return p.proveConsistency(c, store, args, out)
			}
			if len(args) > 1 {
				return usagef("one event can be proved at a time, %d are named", len(args))
			}
			if (len(args) == 1) == (seq >= 0) {
				return usagef("name the event by its ID or by --seq")
			}
			return p.readLake(func(lake *engine.Lake) error {
				s, err := lake.Store(store)
				if err != nil {
					return err
				}
				at := uint64(seq)
				if len(args) == 1 {
					if at, err = eventSeq(c, s, args[0]); err != nil {
						return err
					}
				}
				r, err := s.Prove(c.Context(), at)
				if err != nil {
					return err
				}
				if record != "" {
					raw, err := s.Record(c.Context(), at)
					if err == nil {
						err = os.WriteFile(record, raw, 0o600)
					}
					if err != nil {
						return fmt.Errorf("writing the record: %w", err)
					}
				}
				if out != "" {
					if err := os.WriteFile(out, r.Format(), 0o600); err != nil {
						return fmt.Errorf("writing the receipt: %w", err)
					}
					return nil
				}
				_, err = p.out.Write(r.Format())
				return err
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&store, "store", engine.DefaultStore, "the store the event is in")
	f.Int64Var(&seq, "seq", -1, "the event's sequence number, instead of its ID")
	f.StringVar(&out, "out", "", "write the receipt to this file")
	f.StringVar(&record, "record", "", "write the exact record to this file")
	f.BoolVar(&consistency, "consistency", false, "prove that a store of OLD events has only grown")
	return cmd
}

// proveConsistency prints the proof that a store has grown from a number of events.
func (p *program) proveConsistency(c *cobra.Command, store string, args []string, out string) error {
	if len(args) == 0 {
		return usagef("name the number of events that the older checkpoint has: its second line")
	}
	var sizes [2]uint64
	for i, a := range args {
		var err error
		if sizes[i], err = strconv.ParseUint(a, 10, 63); err != nil || i == 1 && sizes[i] == 0 {
			return usagef("%q is not a number of events", a)
		}
	}
	return p.readLake(func(lake *engine.Lake) error {
		s, err := lake.Store(store)
		if err != nil {
			return err
		}
		g, err := s.ProveGrowth(c.Context(), sizes[0], sizes[1])
		if err != nil {
			return err
		}
		if out == "" {
			_, err = p.out.Write(g.Format())
		} else if err = os.WriteFile(out, g.Format(), 0o600); err != nil {
			err = fmt.Errorf("writing the proof: %w", err)
		}
		return err
	})
}

// eventSeq finds the one event with an ID.
func eventSeq(c *cobra.Command, s *engine.Store, id string) (uint64, error) {
	page, err := s.Lookup(c.Context(), engine.LookupRequest{Attributes: map[string]string{"EventId": id}, Limit: 50})
	if err != nil {
		return 0, err
	}
	switch len(page.Events) {
	case 0:
		return 0, fmt.Errorf("store %s has no event with the ID %q", s.Name(), id)
	case 1:
		return page.Events[0].Seq, nil
	}
	var list []string
	for _, e := range page.Events {
		list = append(list, fmt.Sprint(e.Seq))
	}
	return 0, usagef("there are several events with the ID %q; name one of them by --seq: %s", id, strings.Join(list, ", "))
}

func (p *program) verifyCommand() *cobra.Command {
	var store, key string
	var full bool
	var checkpoints []string
	var delivered deliveredFlags
	cmd := &cobra.Command{
		Use:   "verify [TARGET]",
		Short: "Verify that the lake, or what a trail has delivered, is what its signed digests say",
		Long: `Verify verifies the signatures of all digests, that they make one unbroken chain, and that
the Merkle tree has the root that each of them signed. With --full it reads every record
and computes its hash again. With --checkpoint it compares with checkpoints or digests
that were kept elsewhere: only they tell when the whole directory was put back to an
older state. With --key the signatures must be by keys that were kept elsewhere.
It changes nothing. Exit status 1 means that something is not as it was signed.

With a TARGET, a directory or the URL of a bucket, it verifies what a trail has delivered there,
as "aws cloudtrail validate-logs" does, with the same verdicts and lines: the chain of
digests and the files that they list. It needs the public keys (cairn trail keys), from
--keys or from the lake, and no lake otherwise. With --trail NAME the lake tells the rest.`,
		Example: `  cairn verify --full
  cairn verify --checkpoint /mnt/audit/digests --key keys.json --json
  cairn verify --trail main --start-time 2026-05-01T00:00:00Z
  cairn verify s3://audit-logs?region=eu-west-1 --keys trail-keys.json --start-time 2026-05-01T00:00:00Z \
      --trail arn:aws:cloudtrail:eu-west-1:111122223333:trail/main`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) > 0 || delivered.trail != "" {
				return p.verifyDelivered(c, args, &delivered)
			}
			opts := engine.VerifyOptions{Store: store, Full: full}
			for _, path := range checkpoints {
				b, err := os.ReadFile(path)
				if err != nil {
					return fmt.Errorf("reading a checkpoint: %w", err)
				}
				opts.Outside = append(opts.Outside, b)
			}
			if key != "" {
				b, err := os.ReadFile(key)
				if err == nil {
					opts.Keys, err = engine.ParseKeys(b)
				}
				if err != nil {
					return fmt.Errorf("reading keys from %s: %w", key, err)
				}
			}
			lake, err := p.openDamaged()
			if err != nil {
				return err
			}
			defer lake.Close()
			bar := newProgress(p.err, false)
			opts.Progress = func(pr engine.VerifyProgress) {
				bar.set(int64(pr.EventsDone), int64(pr.Events), "store %s, %s/s", pr.Store, size(perSecond(pr.Bytes, pr.Elapsed)))
			}
			r, err := lake.Verify(c.Context(), opts)
			bar.finish()
			if err != nil {
				return err
			}
			if err := p.printVerify(r); err != nil {
				return err
			}
			if r.ProblemCount > 0 {
				return errReported
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&store, "store", "", "the store to verify (default all)")
	f.BoolVar(&full, "full", false, "read every record and compute its hash again")
	f.StringArrayVar(&checkpoints, "checkpoint", nil, "a file with a checkpoint, or with lines of digests, that was kept elsewhere; may be given several times")
	f.StringVar(&key, "key", "", "a file with public keys that were kept elsewhere (cairn key export-public)")
	delivered.declare(cmd)
	return cmd
}

func perSecond(bytes int64, d time.Duration) int64 {
	if d <= 0 {
		return 0
	}
	return int64(float64(bytes) / d.Seconds())
}

func (p *program) printVerify(r *engine.VerifyReport) error {
	if p.json {
		return p.printJSON(r)
	}
	for _, problem := range r.Problems {
		fmt.Fprintln(p.out, printable(problem.String()))
	}
	if n := r.ProblemCount - len(r.Problems); n > 0 {
		fmt.Fprintf(p.out, "… and %s more\n", count(int64(n)))
	}
	for _, s := range r.Stores {
		fmt.Fprintf(p.out, "store %s: %s, %s of them under %s, root %v", s.Name, things(int64(s.Events), "event"), count(int64(s.SignedEvents)), things(int64(s.Digests), "digest"), s.Root)
		if s.HashedEvents > 0 {
			fmt.Fprintf(p.out, "; %s (%s) hashed again, %s/s", things(int64(s.HashedEvents), "record"), size(s.HashedBytes), size(perSecond(s.HashedBytes, s.Elapsed)))
		}
		if s.Outside > 0 {
			fmt.Fprintf(p.out, "; compared with %s kept elsewhere", things(int64(s.Outside), "checkpoint"))
		}
		fmt.Fprintln(p.out)
	}
	for _, b := range r.Breaks {
		fmt.Fprintf(p.out, "break: %s\n", printable(b))
	}
	for _, n := range r.NotVerified {
		fmt.Fprintf(p.out, "not verified: %s\n", n)
	}
	verdict := "verified"
	if r.ProblemCount > 0 {
		verdict = things(int64(r.ProblemCount), "problem")
	}
	_, err := fmt.Fprintf(p.out, "%s in %s\n", verdict, took(r.Elapsed))
	return err
}
