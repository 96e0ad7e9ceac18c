package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cairndb/cairn/engine"
	"github.com/cairndb/cairn/engine/crypt/keeper"
)

func (p *program) encryptionCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "encryption",
		Short: "Tell of, rotate and destroy the keys of an encrypted lake",
		Long: `A lake that is made with --keeper is encrypted: every byte on disk, with AES-256, each
file under a key of its own. These keys are wrapped by the lake's key ring (the file
KEYS), and the key ring by the keeper, which is outside the lake:

  file:/path/to/key        a key file, made with: cairn encryption key-file PATH
  passphrase:              asked for on the terminal
  passphrase:env:NAME      in an environment variable
  passphrase:file:/path    in a file
  awskms://KEY?region=R    a key of AWS KMS, by ID, ARN or alias/NAME
  hashivault://KEY         a key of Vault's transit engine; the server is in $VAULT_ADDR,
                           the token in $VAULT_TOKEN (?engine=PATH if it is not "transit")

Every command takes --keeper, or finds it in $` + keeperEnv + `. Who loses the keeper or
KEYS has lost the lake: keep a copy of both, in different places.`,
		Example: `  cairn encryption key-file /etc/cairn/key
  cairn import ./AWSLogs --keeper file:/etc/cairn/key     the lake is made encrypted
  cairn encryption status
  cairn encryption rotate                                 a new key, for all files
  cairn encryption rotate --new-keeper passphrase:        another keeper as well
  cairn encryption destroy                                keys that nothing uses any more`,
	}
	cmd.AddCommand(p.keyFileCommand(), p.encryptionStatusCommand(), p.rotateCommand(), p.destroyCommand())
	return cmd
}

func (p *program) keyFileCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "key-file PATH",
		Short:   "Make a key file for a new lake",
		Example: "  cairn encryption key-file /etc/cairn/key",
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			f, err := os.OpenFile(args[0], os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
			if err != nil {
				return err
			}
			_, err = f.Write(keeper.NewKeyFile())
			if err == nil {
				err = f.Sync()
			}
			if err := errors.Join(err, f.Close()); err != nil {
				return err
			}
			fmt.Fprintf(p.err, "made %s; keep a copy elsewhere: without it the lake cannot be read\n", args[0])
			return nil
		},
	}
}

func (p *program) encryptionStatusCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "status",
		Short:   "Tell which files are encrypted under which keys",
		Example: "  cairn encryption status\n  cairn encryption status --json",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			lake, err := p.open(true)
			if err != nil {
				return err
			}
			defer lake.Close()
			s, err := lake.Encryption(c.Context())
			if err != nil {
				return err
			}
			if p.json {
				return p.printJSON(s)
			}
			return p.printEncryption(lake.Dir(), s)
		},
	}
}

func (p *program) printEncryption(dir string, s *engine.EncryptionStatus) error {
	if !s.Encrypted {
		_, err := fmt.Fprintf(p.out, "lake %s is not encrypted\n", dir)
		return err
	}
	fmt.Fprintf(p.out, "lake %s is encrypted: AES-256-GCM, a key per file; keeper %s\n\n", dir, printable(s.Keeper))
	t := newTextTable("key", "state", "created", "files", "bytes")
	t.right(0, 3, 4)
	for _, k := range s.Keys {
		state := string(k.State)
		if k.Destroyed != nil {
			state += " " + k.Destroyed.Format(time.DateOnly)
		}
		t.row(strconv.Itoa(int(k.Number)), state, k.Created.Format(time.DateTime), count(int64(k.Files)), size(k.Bytes))
	}
	if err := t.print(p.out); err != nil {
		return err
	}
	for _, f := range s.Clear {
		fmt.Fprintf(p.out, "not encrypted: %s\n", printable(f))
	}
	for _, f := range s.Unreadable {
		fmt.Fprintf(p.out, "%s\n", printable(f))
	}
	if len(s.Clear)+len(s.Unreadable) > 0 {
		return errReported
	}
	return nil
}

func (p *program) rotateCommand() *cobra.Command {
	var newKeeper string
	cmd := &cobra.Command{
		Use:   "rotate",
		Short: "Make a new key and wrap the keys of all files with it",
		Long: `Rotate makes a new key for files to come and wraps the keys of all files that are there
with it: 128 bytes of each file change, nothing is rewritten. With --new-keeper the key
ring itself goes to another keeper. Cut short, it is finished by running it again.`,
		Example: "  cairn encryption rotate\n  cairn encryption rotate --new-keeper file:/etc/cairn/key2",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			lake, err := p.open(true)
			if err != nil {
				return err
			}
			defer lake.Close()
			bar := newProgress(p.err, false)
			o := engine.RotateOptions{Progress: func(done, files int) { bar.set(int64(done), int64(files), "files") }}
			if newKeeper != "" {
				if o.Keeper, err = p.openKeeper(newKeeper, true); err != nil {
					return err
				}
			}
			n, err := lake.RotateEncryption(c.Context(), o)
			bar.finish()
			if err != nil {
				return err
			}
			fmt.Fprintf(p.err, "a new key is in use; the keys of %s files were wrapped with it. Keys that nothing uses any more go with: cairn encryption destroy\n", count(int64(n)))
			return nil
		},
	}
	cmd.Flags().StringVar(&newKeeper, "new-keeper", "", "URL of the keeper to use from now on")
	return cmd
}

func (p *program) destroyCommand() *cobra.Command {
	var all, force, yes bool
	cmd := &cobra.Command{
		Use:   "destroy [KEY…]",
		Short: "Destroy keys, and with them what is encrypted under them",
		Long: `Destroy removes keys from the key ring for ever. Without arguments these are the keys
that no file uses any more. A key that is in use takes its files with it, wherever copies
of them are, and needs --force; --all destroys every key: nothing of the lake can be read
by anybody afterwards. Copies of KEYS (in backups, too) still hold the key for who has
the keeper: remove them, or the keeper's key, as well.`,
		Example: `  cairn encryption destroy                 keys that nothing uses
  cairn encryption destroy 1 2
  cairn encryption destroy --all           the whole lake, for ever`,
		RunE: func(c *cobra.Command, args []string) error {
			var numbers []uint32
			for _, a := range args {
				n, err := strconv.ParseUint(a, 10, 32)
				if err != nil {
					return usagef("%q is no number of a key; see: cairn encryption status", a)
				}
				numbers = append(numbers, uint32(n))
			}
			if all && len(numbers) > 0 {
				return usagef("--all takes no numbers of keys")
			}
			lake, err := p.open(true)
			if err != nil {
				return err
			}
			defer lake.Close()
			if all || force {
				what := "the files under these keys"
				if all {
					what = "lake " + lake.Dir()
				}
				if err := p.confirm(yes, fmt.Sprintf("this makes %s unreadable for ever", what)); err != nil {
					return err
				}
			}
			gone, err := lake.DestroyKeys(c.Context(), numbers, force, all)
			if err != nil {
				return err
			}
			if len(gone) == 0 {
				fmt.Fprintln(p.err, "every key is in use; nothing was destroyed")
			}
			for _, n := range gone {
				fmt.Fprintf(p.err, "key %d is destroyed\n", n)
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "destroy all keys: the lake is lost for ever")
	cmd.Flags().BoolVar(&force, "force", false, "destroy keys in use: their files are lost for ever")
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return cmd
}

// confirm has a person type the word that does it.
func (p *program) confirm(yes bool, what string) error {
	if yes {
		return nil
	}
	if !onTerminal(p.in) {
		return usagef("%s: say so with --yes", what)
	}
	fmt.Fprintf(p.err, "%s. Type destroy to go on: ", what)
	line, err := bufio.NewReader(p.in).ReadString('\n')
	if strings.TrimSpace(line) != "destroy" {
		return errors.Join(errors.New("nothing was destroyed"), err)
	}
	return nil
}
