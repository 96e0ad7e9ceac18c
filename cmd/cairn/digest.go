package main

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cairndb/cairn/engine"
	"github.com/cairndb/cairn/engine/digest"
)

// publishTargets are those of --publish and of the environment.
func (p *program) publishTargets() []string {
	out := p.publish
	for t := range strings.SplitSeq(os.Getenv("CAIRN_PUBLISH"), "\n") {
		if t = strings.TrimSpace(t); t != "" {
			out = append(out, t)
		}
	}
	return out
}

// stores returns the store with a name, or all.
func stores(lake *engine.Lake, name string) ([]*engine.Store, error) {
	if name == "" {
		return lake.Stores(), nil
	}
	s, err := lake.Store(name)
	if err != nil {
		return nil, err
	}
	return []*engine.Store{s}, nil
}

func (p *program) digestCommand() *cobra.Command {
	var store string
	cmd := &cobra.Command{
		Use:   "digest",
		Short: "Sign what the stores hold now, and send it elsewhere",
		Long: `Digest signs a digest and a checkpoint of every store, as the lake does by itself every
hour while it is open. Only copies that are kept elsewhere can tell when the whole
directory is put back to an older state, so send them there: each --publish is
  file:PATH          a line is added to the file
  exec:COMMAND       the shell runs the command, the line is its standard input
  witness:URL#KEY    the checkpoint is cosigned by a witness (C2SP tlog-witness)
$CAIRN_PUBLISH names more of them, one a line, for every command that opens the lake
for writing. A target that was away gets what it has missed.`,
		Example: `  cairn digest
  cairn digest --store events --publish file:/mnt/audit/digests
  cairn digest --publish 'exec:ssh audit "cat >> digests"'`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			lake, err := p.open(true)
			if err != nil {
				return err
			}
			defer lake.Close()
			list, err := stores(lake, store)
			if err != nil {
				return err
			}
			for _, s := range list {
				d, err := s.Digest(c.Context())
				if err != nil {
					return err
				}
				if err := p.printDigest(s, d); err != nil {
					return err
				}
			}
			return lake.Publish(c.Context())
		},
	}
	cmd.Flags().StringVar(&store, "store", "", "the store to sign (default all)")
	cmd.Flags().StringArrayVar(&p.publish, "publish", nil, "where to send digests: file:PATH, exec:COMMAND or witness:URL#KEY; may be given several times")
	cmd.AddCommand(p.digestListCommand())
	return cmd
}

func (p *program) printDigest(s *engine.Store, d *digest.Signed) (err error) {
	if p.json {
		_, err = p.out.Write(d.Line())
		return err
	}
	g := &d.Digest
	_, err = fmt.Fprintf(p.out, "store %s, digest %d: %s, %s in all, root %v, signed %s\n",
		s.Name(), g.Number, things(int64(g.Events()), "new event"), count(int64(g.After.Size)), g.After.Root, g.End.Format(time.DateTime))
	return err
}

func (p *program) digestListCommand() *cobra.Command {
	var store string
	var from uint64
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List digests, oldest first",
		Long:  "List prints the digests of every store; with --json each as the line that is sent elsewhere, signatures and checkpoint included.",
		Example: `  cairn digest list
  cairn digest list --store events --from 700 --json > digests`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			lake, err := p.openToRead()
			if err != nil {
				return err
			}
			defer lake.Close()
			list, err := stores(lake, store)
			if err != nil {
				return err
			}
			for _, s := range list {
				if err := s.Digests(from, func(d *digest.Signed) error { return p.printDigest(s, d) }); err != nil {
					return err
				}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&store, "store", "", "the store (default all)")
	cmd.Flags().Uint64Var(&from, "from", 0, "the number to begin at")
	return cmd
}

func (p *program) keyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "key",
		Short: "The keys that sign digests: list, rotate, export",
		Long: `Digests and checkpoints are signed by the lake's own key, made with the first digest.
Its public side is to be given to whoever is to verify what the lake says.`,
	}
	cmd.AddCommand(&cobra.Command{
		Use:     "list",
		Short:   "List the signing keys, oldest first",
		Example: "  cairn key list",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return p.readLake(func(lake *engine.Lake) error {
				keys, err := lake.Keys()
				if err != nil {
					return err
				}
				return p.printKeys(keys)
			})
		},
	}, &cobra.Command{
		Use:   "rotate",
		Short: "Make a new signing key, endorsed by the one in use",
		Long: `Rotate makes a new key, which signs from now on. The key in use signs an endorsement of it,
so that whoever trusts the old one can follow; its public side is kept, what it has
signed stays valid, and it can sign nothing any more.`,
		Example: "  cairn key rotate",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return p.withLake(func(lake *engine.Lake) error {
				key, err := lake.RotateKey(c.Context())
				if err != nil {
					return err
				}
				return p.printKeys([]engine.KeyInfo{key})
			})
		},
	}, p.resetKeyCommand(), p.exportPublicCommand())
	return cmd
}

func (p *program) resetKeyCommand() *cobra.Command {
	var lost bool
	var reason string
	cmd := &cobra.Command{
		Use:   "reset --lost --reason TEXT",
		Short: "Make a new signing key when the one in use is lost",
		Long: `Reset is for a lake whose signing key nothing unwraps any more: the file SECRET is gone from its
directory, and every backup of it is, too. (If there is one, put it back: nothing is lost then.)
It makes a new secret and a new key. What was signed stays signed and is verified with the
old key as before. The old key cannot endorse the new one, so the chain of keys has a break there:
"cairn verify" and "cairn-verify" name it for ever, and whoever trusts the old key does not trust the
new one until you give it to them (cairn key export-public) another way. The reason goes into the
key ring and into cairn_audit. Retention periods, locks and holds stay as they are.

What else the lost secret had sealed has to be made again: access keys of AWS clients
(cairn user access-key). A new key for the digests of trails is made with it.`,
		Example: `  cairn key reset --lost --reason "disk of audit1 died, backups were without SECRET; ticket 4711"`,
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if !lost {
				return usagef("say --lost: a key that can be used is rotated, not reset (cairn key rotate)")
			}
			if err := digest.CheckReason(reason); err != nil {
				return usagef("--reason: %v", err)
			}
			return p.withLake(func(lake *engine.Lake) error {
				key, err := lake.ResetKey(c.Context(), reason)
				if err != nil {
					return err
				}
				fmt.Fprintf(p.err, "key %d signs now; key %d has not endorsed it. Give its fingerprint to whoever verifies, and make access keys anew\n", key.Number, key.Number-1)
				return p.printKeys([]engine.KeyInfo{key})
			})
		},
	}
	cmd.Flags().BoolVar(&lost, "lost", false, "every copy of the secret is lost")
	cmd.Flags().StringVar(&reason, "reason", "", "how it was lost, for those who will verify (up to 300 bytes)")
	return cmd
}

// withLake opens the lake for the time of a call.
func (p *program) withLake(f func(*engine.Lake) error) error {
	lake, err := p.open(true)
	return during(lake, err, f)
}

// readLake opens the lake for the time of a call that only reads.
func (p *program) readLake(f func(*engine.Lake) error) error {
	lake, err := p.openToRead()
	return during(lake, err, f)
}

// during calls f with a lake, which is closed after that.
func during(lake *engine.Lake, opening error, f func(*engine.Lake) error) (err error) {
	if opening != nil {
		return opening
	}
	defer func() {
		if e := lake.Close(); err == nil {
			err = e
		}
	}()
	return f(lake)
}

type keyLine struct {
	Number      int        `json:"number"`
	Fingerprint string     `json:"fingerprint"`
	Created     time.Time  `json:"created"`
	Retired     *time.Time `json:"retired,omitempty"`
	Wrapping    string     `json:"wrapping"`
	// Break is why the key before has not endorsed this one.
	Break string `json:"break,omitempty"`
}

func (p *program) printKeys(keys []engine.KeyInfo) error {
	list := make([]keyLine, len(keys))
	t := newTextTable("key", "created", "retired", "kept by", "fingerprint")
	for i, k := range keys {
		list[i] = keyLine{Number: k.Number, Fingerprint: k.Fingerprint, Created: k.Created, Wrapping: k.Wrapping, Break: k.Break}
		retired := "in use"
		if !k.Retired.IsZero() {
			list[i].Retired, retired = &k.Retired, k.Retired.Format(time.DateTime)
		}
		if i+1 < len(keys) && keys[i+1].Break != "" {
			retired = k.Retired.Format(time.DateTime) + " (lost)"
		}
		t.row(fmt.Sprint(k.Number), k.Created.Format(time.DateTime), retired, k.Wrapping, k.Fingerprint)
	}
	if p.json {
		return p.printJSON(list)
	}
	if err := t.print(p.out); err != nil {
		return err
	}
	for _, k := range keys {
		if k.Break != "" {
			fmt.Fprintf(p.out, "break: key %d is not endorsed by key %d, which was lost: %s\n", k.Number, k.Number-1, printable(k.Break))
		}
	}
	return nil
}

func (p *program) exportPublicCommand() *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "export-public",
		Short: "Print the public keys for whoever verifies",
		Long: `Export-public prints the public keys: as a key ring with all of them and their endorsements
(for cairn-verify), as PEM of the one in use (for openssl), or as one verifier key per
store, as signed notes name keys (for witnesses).`,
		Example: `  cairn key export-public > keys.json
  cairn key export-public --format pem > key.pem`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if format != "ring" && format != "pem" && format != "note" {
				return usagef("--format %q: must be ring, pem or note", format)
			}
			return p.readLake(func(lake *engine.Lake) error {
				ring := lake.PublicKeys()
				if len(ring.Keys) == 0 {
					return fmt.Errorf("there is no key yet: the first digest makes it (cairn digest)")
				}
				switch format {
				case "pem":
					_, err := p.out.Write(ring.Keys[len(ring.Keys)-1].PEM())
					return err
				case "note":
					for _, s := range lake.Stores() {
						if _, err := fmt.Fprintln(p.out, s.VerifierKey()); err != nil {
							return err
						}
					}
					return nil
				}
				_, err := p.out.Write(ring.Format())
				return err
			})
		},
	}
	cmd.Flags().StringVar(&format, "format", "ring", "ring (all keys, with endorsements), pem (the one in use) or note (one line a store)")
	return cmd
}
