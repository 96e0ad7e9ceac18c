package engine

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	signednote "golang.org/x/mod/sumdb/note"

	"github.com/cairndb/cairn/engine/digest"
	"github.com/cairndb/cairn/engine/lsm"
	"github.com/cairndb/cairn/engine/proof"
)

// How digests get elsewhere.
//
// A lake that is put back to an older state as a whole is sound in itself; only
// somebody outside who has seen a later digest can tell. So digests are sent to the
// targets of Options.Publish as they are made, each target at its own pace, by a
// cursor: a target that was away gets all that it has missed. Sending is at least
// once; what is sent again has the same bytes. Nothing waits for a target but the
// call Publish.
//
//	file:PATH         each digest is one line at the end of a file
//	exec:COMMAND      the shell runs the command with the line as standard input; exit
//	                  status 0 means that it has it
//	witness:URL#KEY   the newest checkpoint is sent to a witness (C2SP's tlog-witness)
//	                  with a proof that the tree has only grown since the one before; its
//	                  cosignature is verified by KEY and kept with the digest
//
// The targets are given by whoever runs the process and are not kept in the lake: a
// directory from elsewhere must not make its reader run commands.
//
// An attempt can fail after it has had its effect. A line may then be in a file twice,
// or half; the half one is overwritten, and readers pass over repetitions. A
// witness answers the second time with the size that it knows, and is asked again
// from there. A witness that knows a larger tree than this one has proves that the
// lake has lost its newest part; that is an error that stays.

const (
	// publishRetry is how long a target that failed is left alone.
	publishRetry = 30 * time.Second

	// publishTimeout ends an attempt.
	publishTimeout = time.Minute

	// publishFailuresSaid: the first failure of a target is logged, then every so
	// many more, about once an hour.
	publishFailuresSaid = 120

	// tailMax is how much of a file's end is looked at for a half line.
	tailMax = digest.LineBytesMax
)

// publisher is the state of the goroutine that sends digests.
type publisher struct {
	sync.Mutex // held while sending
	targets    []*target
	wake       chan struct{}
}

func (p *publisher) init() { p.wake = make(chan struct{}, 1) }

func (p *publisher) poke() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// target is a place that digests are sent to.
type target struct {
	text     string
	kind     string
	place    string // path, command or URL
	cosigner signednote.Verifier
	failures int
}

// parseTarget reads the text of a target.
func parseTarget(text string) (*target, error) {
	kind, place, ok := strings.Cut(text, ":")
	t := &target{text: text, kind: kind, place: place}
	bad := func(format string, args ...any) (*target, error) {
		return nil, failf(ErrBadInput, "target %q: %s; write file:PATH, exec:COMMAND or witness:URL#KEY", text, fmt.Sprintf(format, args...))
	}
	if !ok || place == "" {
		return bad("nothing is named")
	}
	switch kind {
	case "file", "exec":
		return t, nil
	case "witness":
		at := strings.LastIndexByte(place, '#')
		if at < 0 {
			return bad("the witness's key is missing")
		}
		name, key, cosigner, err := proof.ParseVerifierKey(place[at+1:])
		if err != nil || !cosigner {
			return bad("the key after # is not that of a witness (name+hash+base64, type 4)")
		}
		t.place, t.cosigner = strings.TrimSuffix(place[:at], "/"), proof.CosignatureVerifier(name, key)
		if u, err := url.Parse(t.place); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return bad("%q is not an http or https URL", t.place)
		}
		return t, nil
	}
	return bad("%q is no kind of target", kind)
}

func publishedKey(t *target, store uint32) []byte {
	sum := sha256.Sum256([]byte(t.text))
	return binary.BigEndian.AppendUint32(append([]byte{keyPublished}, sum[:16]...), store)
}

// published returns the number of the next digest that a target is to have.
func (l *Lake) published(t *target, s *Store) (uint64, error) {
	v, err := l.db.In(lsm.Digests).Get(publishedKey(t, s.rec.Number))
	if errors.Is(err, lsm.ErrNotFound) {
		return 0, nil
	}
	if err == nil && len(v) != 8 {
		err = &CorruptionError{Store: s.Name(), Place: "cursor of " + t.text, Err: fmt.Errorf("it has %d bytes instead of 8", len(v))}
	}
	if err != nil {
		return 0, err
	}
	return binary.BigEndian.Uint64(v), nil
}

// setPublished moves a target's cursor, together with what else fill writes.
func (l *Lake) setPublished(t *target, s *Store, next uint64, fill func(w lsm.Writer)) error {
	b := l.db.Batch()
	w := b.In(lsm.Digests)
	w.Set(publishedKey(t, s.rec.Number), binary.BigEndian.AppendUint64(nil, next))
	if fill != nil {
		fill(w)
	}
	return l.writeErr(b.Commit())
}

// publishLoop sends digests as they are made, and tries again what has failed.
func (l *Lake) publishLoop() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		select {
		case <-l.closing:
		case <-l.haltedCh:
		case <-ctx.Done():
		}
		cancel()
	}()
	tick := time.NewTicker(publishRetry)
	defer tick.Stop()
	for {
		l.publish(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-l.publisher.wake:
		}
	}
}

// Publish sends what the targets of Options.Publish do not have yet, now, and returns
// what has failed. It is tried again in the background either way.
func (l *Lake) Publish(ctx context.Context) error {
	done, err := l.beginWrite()
	if err != nil {
		return err
	}
	defer done()
	return l.publish(ctx)
}

func (l *Lake) publish(ctx context.Context) error {
	l.publisher.Lock()
	defer l.publisher.Unlock()
	var errs []error
	for _, t := range l.publisher.targets {
		var failed error
		for _, s := range l.Stores() {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err := l.publishStore(ctx, t, s); err != nil {
				failed = fmt.Errorf("publishing digests of store %s to %s: %w", s.Name(), t.text, err)
				errs = append(errs, failed)
			}
		}
		if failed == nil {
			t.failures = 0
			continue
		}
		if t.failures%publishFailuresSaid == 0 && ctx.Err() == nil {
			l.opts.Logger.Error("a target does not take digests; they are kept and tried again", "error", failed, "failures", t.failures+1)
		}
		t.failures++
	}
	return errors.Join(errs...)
}

// publishStore sends a store's digests to a target.
func (l *Lake) publishStore(ctx context.Context, t *target, s *Store) error {
	last := s.lastDigest()
	if last == nil {
		return nil
	}
	next, err := l.published(t, s)
	if err != nil || next > last.Digest.Number {
		return err
	}
	if t.kind == "witness" {
		return l.askWitness(ctx, t, s, last)
	}
	return s.eachDigest(next, func(d *digest.Signed) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		send := l.appendLine
		if t.kind == "exec" {
			send = l.runCommand
		}
		if err := send(ctx, t, d.Line()); err != nil {
			return err
		}
		// A crash here sends the digest again.
		return l.setPublished(t, s, d.Digest.Number+1, nil)
	})
}

// runCommand gives a line to a command.
func (l *Lake) runCommand(ctx context.Context, t *target, line []byte) error {
	ctx, cancel := context.WithTimeout(ctx, publishTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", t.place)
	cmd.Stdin = bytes.NewReader(line)
	cmd.WaitDelay = time.Second
	if out, err := cmd.CombinedOutput(); err != nil {
		if out = bytes.TrimSpace(out); len(out) == 0 {
			return fmt.Errorf("the command has failed, without a word: %w", err)
		}
		return fmt.Errorf("the command has failed: %w: %.200s", err, out)
	}
	return nil
}

// appendLine adds a line to a file, in the place of half a line at its end.
func (l *Lake) appendLine(_ context.Context, t *target, line []byte) (err error) {
	fs := l.base // outside the lake, and in the clear
	f, err := fs.OpenReadWrite(t.place, vfs.WriteCategoryUnspecified)
	if errors.Is(err, os.ErrNotExist) {
		f, err = fs.Create(t.place, vfs.WriteCategoryUnspecified)
	}
	if err != nil {
		return fmt.Errorf("opening the file: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("opening the file: %w", err)
	}
	end := info.Size()
	tail := make([]byte, min(end, tailMax))
	if _, err := f.ReadAt(tail, end-int64(len(tail))); err != nil && err != io.EOF {
		return fmt.Errorf("reading the end of the file: %w", err)
	}
	half := tail[bytes.LastIndexByte(tail, '\n')+1:]
	if len(half) > 0 && !bytes.HasPrefix(line, half) {
		// Not what an attempt of ours has left; it is not for us to overwrite.
		line = append([]byte("\n"), line...)
	} else {
		end -= int64(len(half))
	}
	if _, err := f.WriteAt(line, end); err != nil {
		return fmt.Errorf("writing the file: %w", err)
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("writing the file: %w", err)
	}
	return syncDir(fs, fs.PathDir(t.place))
}

// ErrRolledBack is the kind of error of a lake that has less than somebody outside
// has seen of it.
var ErrRolledBack = errors.New("the lake has been put back")

// askWitness has a witness cosign a checkpoint.
func (l *Lake) askWitness(ctx context.Context, t *target, s *Store, d *digest.Signed) error {
	ctx, cancel := context.WithTimeout(ctx, publishTimeout)
	defer cancel()
	// What the witness has seen last is what it has cosigned last, as far as we know.
	var older uint64
	if next, err := l.published(t, s); err != nil {
		return err
	} else if next > 0 {
		err := s.eachDigest(next-1, func(p *digest.Signed) error {
			older = p.Digest.After.Size
			return errStop
		})
		if err != nil && !errors.Is(err, errStop) {
			return err
		}
	}
	size := d.Digest.After.Size
	for attempt := 0; ; attempt++ {
		lines, knows, err := l.addCheckpoint(ctx, t, s, d, older)
		if err != nil {
			return err
		}
		if lines == nil {
			switch {
			case knows > size:
				return fmt.Errorf("the witness has seen %d events, digest %d has %d: %w", knows, d.Digest.Number, size, ErrRolledBack)
			case attempt > 0 || knows == older:
				return fmt.Errorf("the witness does not agree that the tree of %d events begins this one of %d: %w", knows, size, ErrRolledBack)
			}
			older = knows
			continue
		}
		return l.keepCosignature(t, s, d.Digest.Number, lines)
	}
}

// addCheckpoint makes one request. lines are the witness's signatures; when they are
// nil it knows another size.
func (l *Lake) addCheckpoint(ctx context.Context, t *target, s *Store, d *digest.Signed, older uint64) (lines []byte, knows uint64, err error) {
	path, _, to, err := s.ProveConsistency(ctx, older, d.Digest.After.Size)
	if err != nil {
		return nil, 0, err
	}
	if to != d.Digest.After {
		return nil, 0, &CorruptionError{Store: s.Name(), Place: "tree", Err: fmt.Errorf("its root at %d events is %v, digest %d has signed %v", to.Size, to.Root, d.Digest.Number, d.Digest.After.Root)}
	}
	var body bytes.Buffer
	fmt.Fprintf(&body, "old %d\n", older)
	for _, h := range path {
		fmt.Fprintln(&body, base64.StdEncoding.EncodeToString(h[:]))
	}
	body.WriteByte('\n')
	body.Write(d.Checkpoint)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, t.place+"/add-checkpoint", &body)
	if err != nil {
		return nil, 0, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, 0, fmt.Errorf("asking the witness: %w", err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, proof.CheckpointBytesMax))
	if err != nil {
		return nil, 0, fmt.Errorf("reading the witness's answer: %w", err)
	}
	switch {
	case resp.StatusCode == http.StatusOK && len(answer) > 0:
		return answer, 0, nil
	case resp.StatusCode == http.StatusConflict && strings.HasPrefix(resp.Header.Get("Content-Type"), "text/x.tlog.size"):
		knows, err := strconv.ParseUint(strings.TrimSpace(string(answer)), 10, 60)
		if err != nil {
			return nil, 0, fmt.Errorf("the witness's answer %.100q is not a size", answer)
		}
		return nil, knows, nil
	}
	return nil, 0, fmt.Errorf("the witness answers %s: %.200q", resp.Status, answer)
}

// keepCosignature adds a witness's signature to a stored digest and moves the cursor.
func (l *Lake) keepCosignature(t *target, s *Store, number uint64, lines []byte) error {
	l.digests.Lock()
	defer l.digests.Unlock()
	key := digestKey(s.rec.Number, number)
	value, err := l.db.In(lsm.Digests).Get(key)
	if err != nil {
		return err
	}
	d, err := decodeDigest(&s.rec, key, value)
	if err != nil {
		return err
	}
	d.Checkpoint, _, err = proof.AddCosignatures(d.Checkpoint, lines, t.cosigner)
	if err != nil {
		return fmt.Errorf("the witness's answer: %w", err)
	}
	if err := l.setPublished(t, s, number+1, func(w lsm.Writer) { w.Set(key, digestValue(d)) }); err != nil {
		return err
	}
	shown := &l.digests.shown
	shown.Lock()
	defer shown.Unlock()
	if last := shown.last[s.rec.Number]; last.Digest.Number == number {
		shown.last[s.rec.Number] = d
	}
	return nil
}
