// Command cairn-verify checks what a Cairn lake has given out, without the lake and
// without trusting it: bundles that were exported, receipts of single
// events, and files of digests and checkpoints. It reads the files that it is given, writes to standard output, and
// does nothing else, unless it is told to decrypt a bundle; it imports the packages proof,
// digest and archive only, so that it can be read through in an hour.
//
//	cairn-verify BUNDLE [--key FILE]… [--keeper URL]…
//	cairn-verify decrypt BUNDLE --keeper URL --out FOLDER
//	cairn-verify receipt FILE --record FILE (--key FILE | --checkpoint FILE)…
//	cairn-verify consistency FILE --checkpoint FILE… --key FILE…
//	cairn-verify digests FILE --key FILE…
//	cairn-verify checkpoint FILE --key FILE…
//
// A file that --checkpoint names has a checkpoint, or the lines of digests that a lake has
// sent elsewhere ("cairn digest --publish"), of any of its stores.
//
// A key file has what "cairn key export-public" prints, in any of its forms. It must
// have come another way than what is checked by it; a bundle that is verified without one
// is verified by the keys inside it, which the answer says. Every line of the answer says
// what was verified, or what was not and why; --json says the same for programs.
//
// The exit status is 0 when everything that was asked for has been verified, 1 when
// something is not as it should be, 2 when the command was called wrongly.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/cairndb/cairn/engine/digest"
	"github.com/cairndb/cairn/engine/proof"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// Exit statuses.
const (
	exitVerified = 0
	exitFailed   = 1
	exitUsage    = 2
)

// fileMax bounds a file that is read whole: a record is at most a megabyte, a chain of
// hourly digests two kilobytes an hour.
const fileMax = 1 << 30

const usage = `usage:
  cairn-verify BUNDLE [--key FILE]... [--keeper URL]...
  cairn-verify decrypt BUNDLE --keeper URL --out FOLDER
  cairn-verify receipt FILE --record FILE (--key FILE | --checkpoint FILE)...
  cairn-verify consistency FILE --checkpoint FILE... --key FILE...
  cairn-verify digests FILE --key FILE...
  cairn-verify checkpoint FILE --key FILE...
flags: --json prints the answer for programs; --witness KEY, which may be repeated, demands
a witness's cosignature (name+hash+base64); --keeper opens an encrypted bundle:
file:/path/to/key, passphrase:env:NAME or passphrase:file:/path; --checkpoint takes a
checkpoint, or the lines of digests that the lake has sent elsewhere
exit status: 0 verified, 1 something is not as it should be, 2 called wrongly
`

// answer is what is printed.
type answer struct {
	Result      string   `json:"result"` // verified, decrypted or failed
	Verified    []string `json:"verified"`
	NotVerified []string `json:"notVerified"`
	Problems    []string `json:"problems"`
	Bundle      *bundle  `json:"bundle,omitempty"`
}

func (a *answer) verified(format string, args ...any) {
	a.Verified = append(a.Verified, fmt.Sprintf(format, args...))
}

func (a *answer) left(format string, args ...any) {
	a.NotVerified = append(a.NotVerified, fmt.Sprintf(format, args...))
}

func (a *answer) problem(format string, args ...any) {
	a.Problems = append(a.Problems, fmt.Sprintf(format, args...))
}

// usageError is an error of the caller's words.
type usageError struct{ error }

// list is a flag that may be given several times.
type list []string

func (l *list) String() string     { return strings.Join(*l, ",") }
func (l *list) Set(s string) error { *l = append(*l, s); return nil }

// command is what was asked for.
type command struct {
	kind, file, record, out             string
	keys, checkpoints, witness, keepers list
	json                                bool

	ring   *digest.Ring
	errOut io.Writer
}

func run(args []string, out, errOut io.Writer) int {
	if slices.ContainsFunc(args, func(a string) bool { return a == "-h" || a == "-help" || a == "--help" }) {
		fmt.Fprint(out, usage)
		return exitVerified
	}
	c, err := parse(args)
	c.errOut = errOut
	var a *answer
	if err == nil {
		a, err = c.verify()
	}
	if err != nil {
		var wrong usageError
		if errors.As(err, &wrong) {
			fmt.Fprintf(errOut, "cairn-verify: %s\n%s", printable(err.Error()), usage)
			return exitUsage
		}
		a = &answer{}
		a.problem("%v", err)
	}
	a.Result = "verified"
	if c.kind == "decrypt" {
		a.Result = "decrypted"
	}
	if len(a.Problems) > 0 {
		a.Result = "failed"
	}
	if err := a.print(out, c.json); err != nil {
		fmt.Fprintf(errOut, "cairn-verify: %v\n", err)
		return exitFailed
	}
	if len(a.Problems) > 0 {
		return exitFailed
	}
	return exitVerified
}

func (a *answer) print(out io.Writer, asJSON bool) error {
	if asJSON {
		for _, l := range []*[]string{&a.Verified, &a.NotVerified, &a.Problems} {
			if *l == nil {
				*l = []string{}
			}
		}
		b, err := json.MarshalIndent(a, "", "  ")
		if err == nil {
			_, err = out.Write(append(b, '\n'))
		}
		return err
	}
	for _, s := range a.Verified {
		fmt.Fprintf(out, "verified:     %s\n", printable(s))
	}
	for _, s := range a.NotVerified {
		fmt.Fprintf(out, "not verified: %s\n", printable(s))
	}
	for _, s := range a.Problems {
		fmt.Fprintf(out, "PROBLEM:      %s\n", printable(s))
	}
	if a.Bundle != nil {
		fmt.Fprintln(out, printable(a.Bundle.figures()))
	}
	_, err := fmt.Fprintln(out, a.Result)
	return err
}

// printable replaces what could steer a terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r >= 0x7f && r < 0xa0 || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
			return '\ufffd'
		}
		return r
	}, s)
}

// parse reads the command line. Flags may stand before and after the file.
func parse(args []string) (*command, error) {
	c := &command{}
	if len(args) == 0 {
		return c, usageError{errors.New("nothing is asked for")}
	}
	c.kind = args[0]
	f := flag.NewFlagSet("cairn-verify", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.StringVar(&c.record, "record", "", "")
	f.Var(&c.keys, "key", "")
	f.Var(&c.checkpoints, "checkpoint", "")
	f.Var(&c.witness, "witness", "")
	f.Var(&c.keepers, "keeper", "")
	f.StringVar(&c.out, "out", "", "")
	f.BoolVar(&c.json, "json", false, "")
	var files []string
	for rest := args[1:]; ; {
		if err := f.Parse(rest); err != nil {
			return c, usageError{err}
		}
		if rest = f.Args(); len(rest) == 0 {
			break
		}
		files, rest = append(files, rest[0]), rest[1:]
	}
	switch c.kind {
	case "receipt", "consistency", "digests", "checkpoint", "bundle", "decrypt":
	default:
		// A directory may be named alone.
		if info, err := os.Stat(c.kind); err != nil || !info.IsDir() || len(files) > 0 {
			return c, usageError{fmt.Errorf("%q cannot be verified: it is neither a bundle's directory nor one of decrypt, receipt, consistency, digests, checkpoint", c.kind)}
		}
		c.kind, files = "bundle", []string{c.kind}
	}
	if len(files) != 1 {
		return c, usageError{fmt.Errorf("%d files are named, one can be verified", len(files))}
	}
	c.file = files[0]
	if (c.kind == "receipt") != (c.record != "") {
		return c, usageError{errors.New("--record goes with a receipt, and a receipt with --record")}
	}
	if c.kind != "receipt" && c.kind != "consistency" && len(c.checkpoints) > 0 {
		return c, usageError{errors.New("--checkpoint goes with a receipt or a consistency proof")}
	}
	if c.kind == "consistency" && len(c.checkpoints) == 0 {
		return c, usageError{errors.New("a consistency proof is about an older checkpoint that you have kept: give it by --checkpoint")}
	}
	if (c.kind == "decrypt") != (c.out != "") {
		return c, usageError{errors.New("--out goes with decrypt, and decrypt with --out")}
	}
	if c.kind != "bundle" && c.kind != "decrypt" && len(c.keepers) > 0 {
		return c, usageError{errors.New("--keeper goes with a bundle")}
	}
	if c.kind == "decrypt" {
		if len(c.keepers) == 0 || len(c.keys)+len(c.witness) > 0 {
			return c, usageError{errors.New("decrypt wants --keeper, and verifies nothing: verify what it has written")}
		}
		return c, nil
	}
	if c.kind == "bundle" {
		if len(c.witness) > 0 {
			return c, usageError{errors.New("--witness goes with a receipt or a checkpoint: try tree/checkpoint.note of the bundle")}
		}
		return c, nil
	}
	if len(c.keys) == 0 && (c.kind != "receipt" || len(c.checkpoints) == 0) {
		return c, usageError{errors.New("nothing is trusted: give the lake's public key by --key, or a checkpoint that you trust by --checkpoint")}
	}
	return c, nil
}

// read reads a file.
func read(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, fileMax+1))
	if err == nil && len(b) > fileMax {
		err = fmt.Errorf("reading %s: it is longer than %d bytes", path, fileMax)
	}
	return b, err
}

func (c *command) verify() (*answer, error) {
	c.ring = &digest.Ring{}
	for _, path := range c.keys {
		b, err := read(path)
		if err != nil {
			return nil, err
		}
		r, err := digest.ParseKeys(b)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		c.ring = c.ring.Merge(r)
	}
	a := &answer{}
	switch c.kind {
	case "bundle":
		return a, c.bundle(a)
	case "decrypt":
		return a, c.decrypt(a)
	}
	text, err := read(c.file)
	if err != nil {
		return nil, err
	}
	for i := range c.ring.Keys {
		if k := &c.ring.Keys[i]; k.Break != nil {
			a.left("that the keys in use before and since %s are one owner's: %s", k.Created.Format(time.RFC3339), k.BreakText())
		}
	}
	switch c.kind {
	case "receipt":
		err = c.receipt(a, text)
	case "consistency":
		err = c.consistency(a, text)
	case "digests":
		err = c.digests(a, text)
	case "checkpoint":
		_, err = c.checkpoint(a, text)
	}
	var wrong usageError
	if errors.As(err, &wrong) {
		return nil, err
	}
	if err != nil {
		a.problem("%v", err)
	}
	return a, nil
}

// known returns the verifiers of an origin's checkpoints.
func (c *command) known(origin string) note.Verifiers {
	var out []note.Verifier
	for i := range c.ring.Keys {
		out = append(out, proof.NewVerifier(origin, c.ring.Keys[i].Public))
	}
	return note.VerifierList(out...)
}

// checkpoint verifies a checkpoint's signature and cosignatures.
func (c *command) checkpoint(a *answer, msg []byte) (*proof.Checkpoint, error) {
	cp, err := proof.UnverifiedCheckpoint(msg)
	if err != nil {
		return nil, err
	}
	if len(c.ring.Keys) == 0 {
		a.left("the signature of the checkpoint: no key was given")
	} else {
		if cp, err = proof.OpenCheckpoint(msg, c.known(cp.Origin)); err != nil {
			return nil, err
		}
		a.verified("the checkpoint of %s with %d events, root %v, is signed by a trusted key; it says that it was made %s", cp.Origin, cp.Size, cp.Root, cp.Time.Format(time.RFC3339))
	}
	if len(c.witness) == 0 {
		a.left("whether others were shown the same checkpoint: no witness's key was given")
	}
	for _, key := range c.witness {
		name, public, cosigner, err := proof.ParseVerifierKey(key)
		if err != nil || !cosigner {
			return nil, usageError{fmt.Errorf("--witness %q is not the key of a witness", key)}
		}
		if _, err := note.Open(msg, note.VerifierList(proof.CosignatureVerifier(name, public))); err != nil {
			return nil, fmt.Errorf("the checkpoint is not cosigned by %s: %w", name, err)
		}
		a.verified("the checkpoint is cosigned by the witness %s", name)
	}
	return cp, nil
}

// receipt verifies a receipt with its record.
func (c *command) receipt(a *answer, text []byte) error {
	r, err := proof.ParseReceipt(text)
	if err != nil {
		return err
	}
	record, err := read(c.record)
	if err != nil {
		return err
	}
	cp, err := c.checkpoint(a, r.Checkpoint)
	if err != nil {
		return err
	}
	// What a receipt's own checkpoint says is worth nothing unless it is signed by a
	// trusted key, or the same as a trusted one.
	for _, path := range c.checkpoints {
		trusted, err := kept(path)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(trusted, func(k keptHead) bool { return k.origin == cp.Origin && k.head == cp.Head }) {
			return fmt.Errorf("the receipt is for the tree of %s with %d events and root %v; %s", cp.Origin, cp.Size, cp.Root, notThere(path, trusted))
		}
		a.verified("the receipt's checkpoint has the same events and root as %s, which is trusted as it is", path)
	}
	_, err = r.Check(record, nil)
	if errors.Is(err, proof.ErrOtherRecord) {
		// A newline that an editor or a program has added is not part of the record.
		if cut, ok := bytes.CutSuffix(record, []byte("\n")); ok {
			if _, again := r.Check(cut, nil); !errors.Is(again, proof.ErrOtherRecord) {
				err, record = again, cut
			}
		}
	}
	if err != nil {
		return err
	}
	a.verified("the record of %d bytes, whose hash is %v, is event %d of the %d events under the checkpoint, byte for byte", len(record), r.Leaf, r.Index, cp.Size)
	return nil
}

// consistency verifies that a store has only grown since checkpoints that were kept.
func (c *command) consistency(a *answer, text []byte) error {
	g, err := proof.ParseGrowth(text)
	if err != nil {
		return err
	}
	cp, err := c.checkpoint(a, g.Checkpoint)
	if err != nil {
		return err
	}
	if _, err := g.Check(nil); err != nil {
		return err
	}
	for _, path := range c.checkpoints {
		older, err := kept(path)
		if err != nil {
			return err
		}
		of := func(k keptHead) bool { return k.origin == cp.Origin && k.head.Size == g.Older.Size }
		i := slices.IndexFunc(older, of)
		switch {
		case !slices.ContainsFunc(older, func(k keptHead) bool { return k.origin == cp.Origin }):
			return fmt.Errorf("the proof is of %s; %s", cp.Origin, notThere(path, older))
		case i < 0:
			return fmt.Errorf("the proof goes from %d events on; %s", g.Older.Size, notThere(path, older))
		}
		for _, k := range older[i:] {
			if of(k) && k.head.Root != g.Older.Root {
				return fmt.Errorf("the first %d events are not those of %s: their root is %v, it was %v", k.head.Size, path, g.Older.Root, k.head.Root)
			}
		}
		a.verified("the first %d of the %d events under the newer checkpoint are those of %s, unchanged and in the same order", g.Older.Size, cp.Size, path)
	}
	return nil
}

// keptHead is the head of a tree that was kept elsewhere.
type keptHead struct {
	origin string
	head   proof.Head
}

// kept reads what was kept elsewhere: a checkpoint, or lines of digests. It is trusted as
// it is.
func kept(path string) ([]keptHead, error) {
	b, err := read(path)
	if err != nil {
		return nil, err
	}
	if !bytes.HasPrefix(b, []byte("{")) {
		cp, err := proof.UnverifiedCheckpoint(b)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		return []keptHead{{cp.Origin, cp.Head}}, nil
	}
	var out []keptHead
	for n, line := range bytes.Split(bytes.TrimSuffix(b, []byte("\n")), []byte("\n")) {
		s, err := digest.ParseLine(line)
		if err != nil {
			return nil, fmt.Errorf("%s, line %d: %w", path, n+1, err)
		}
		out = append(out, keptHead{s.Digest.Origin, s.Digest.After})
	}
	return out, nil
}

// notThere says what a file has instead of the head that was looked for.
func notThere(path string, has []keptHead) string {
	if len(has) == 1 {
		return fmt.Sprintf("%s is of %s with %d and %v", path, has[0].origin, has[0].head.Size, has[0].head.Root)
	}
	return fmt.Sprintf("none of the %d digests in %s is for that", len(has), path)
}

// digests verifies a file with lines of digests: one chain for each store.
func (c *command) digests(a *answer, text []byte) error {
	chains := map[string]*digest.Chain{}
	var order []string
	first := map[string]*digest.Digest{}
	counts := map[string]int{}
	lines := bytes.Split(bytes.TrimSuffix(text, []byte("\n")), []byte("\n"))
	for n, line := range lines {
		s, err := digest.ParseLine(line)
		if err != nil {
			a.problem("line %d: %v", n+1, err)
			continue
		}
		d := &s.Digest
		chain := chains[d.Origin]
		if chain == nil {
			chain = &digest.Chain{Keys: c.ring}
			chains[d.Origin] = chain
			order = append(order, d.Origin)
			first[d.Origin] = d
		}
		// Sending is at least once: the same again is no news.
		if last := chain.Last(); last != nil && bytes.Equal(last.Document, s.Document) && last.Signature == s.Signature {
			if _, err := s.Verify(c.ring); err != nil {
				a.problem("line %d: %v", n+1, err)
			}
			continue
		}
		if err := chain.Add(s); err != nil {
			a.problem("line %d: %v", n+1, err)
			continue
		}
		counts[d.Origin]++
	}
	for _, origin := range order {
		last := chains[origin].Last()
		if last == nil {
			continue
		}
		f, l := first[origin], &last.Digest
		a.verified("%d digests of %s, numbers %d to %d, are signed and follow each other, from %s to %s; the last one is for %d events with root %v",
			counts[origin], origin, f.Number, l.Number, f.Start.Format(time.RFC3339), l.End.Format(time.RFC3339), l.After.Size, l.After.Root)
		if f.Number > 0 {
			a.left("what was before digest %d of %s: digests 0 to %d are not in the file", f.Number, origin, f.Number-1)
		}
		a.left("whether there are digests of %s after number %d: a file cannot tell what is not in it", origin, l.Number)
	}
	a.left("the events themselves: digests hold their number and the root over their hashes")
	return nil
}
