package trail

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"sync"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/klauspost/compress/gzip"

	"github.com/cairndb/cairn/engine/event"
)

const (
	// fileBytes is how much goes into one file, before compression. CloudTrail's limit is
	// 50 MB; a record may be more than one MiB.
	fileBytes = 40 << 20

	// buildBytes bounds what the files that are being built hold together, so that
	// many accounts and regions do not cost that many times as much.
	buildBytes = 96 << 20

	// putTimeout ends an attempt to write an object.
	putTimeout = 2 * time.Minute
)

// gzipLevel is fast and loses little: records repeat each other's words. Files are a sixteenth larger than at level 3, which
// takes a third more time.
const gzipLevel = 1

const (
	// readRows is how many sequence numbers are read, parsed and routed in one go, chunkBytes
	// how many bytes of records are handed on together.
	readRows   = 4096
	chunkBytes = 4 << 20

	// workersMax bounds the goroutines that read, and those that compress and put files. A
	// packer holds a file of fileBytes.
	workersMax = 4
)

// builder is a file that is being built.
type builder struct {
	body           *bytes.Buffer
	events         int
	oldest, newest int64
}

// routed is an event that is delivered: where to, and the bytes of its chunk that it is.
type routed struct {
	at       place
	off, end int
	time     int64
}

// chunk is a run of routed events.
type chunk struct {
	text   []byte
	events []routed
}

// reading is a run of sequence numbers that a reader takes. Its chunks come out in order; an
// error comes before out is closed.
type reading struct {
	Range
	out chan *chunk
	err error
}

// packing is a file that a packer takes.
type packing struct {
	f    *file
	body *bytes.Buffer
}

// Steps take their large buffers from those of earlier ones.
var (
	chunks = sync.Pool{New: func() any { return &chunk{text: make([]byte, 0, chunkBytes)} }}
	bodies = sync.Pool{New: func() any { return &bytes.Buffer{} }}
)

// step builds the files of a plan with several goroutines:
//
//	readers   read runs of events, parse them and find out where they go
//	dealer    takes runs in order and deals their events out to files
//	packers   hash, compress and put files
//
// Which event gets into which file depends on the order of events only, so the same plan
// gives the same files each time, whoever has read or packed them.
type step struct {
	t      *Trail
	s      *Settings
	p      *plan
	sha    bool // hash with SHA-256
	put    func(ctx context.Context, f *file, body []byte) error
	ctx    context.Context
	cancel context.CancelCauseFunc
	wg     sync.WaitGroup

	toRead chan *reading
	inTurn chan *reading
	toPack chan packing

	// The rest is the dealer's.
	building map[place]*builder
	parts    map[place]int
	order    []place // in order of their first events
	held     int
	files    []*file
}

// write builds the files of a plan and gives them to put, from several goroutines; body is
// valid during the call. The files come back in an order that is the same each time. It
// ends with the first error. Files that a digest shall list are hashed with SHA-256.
func (t *Trail) write(ctx context.Context, s *Settings, p *plan, sha bool, put func(ctx context.Context, f *file, body []byte) error) ([]*file, error) {
	workers := min(runtime.GOMAXPROCS(0), workersMax)
	st := &step{t: t, s: s, p: p, sha: sha, put: put, toRead: make(chan *reading), inTurn: make(chan *reading, workers), toPack: make(chan packing),
		building: make(map[place]*builder), parts: make(map[place]int)}
	st.ctx, st.cancel = context.WithCancelCause(ctx)
	defer st.cancel(nil)
	st.wg.Go(st.plan)
	for range workers {
		st.wg.Go(st.read)
		st.wg.Go(st.pack)
	}
	if err := st.deal(); err != nil {
		st.cancel(err)
	}
	close(st.toPack)
	st.wg.Wait()
	return st.files, context.Cause(st.ctx)
}

// plan cuts the ranges into runs, which go to readers and, in order, to the dealer.
func (st *step) plan() {
	defer close(st.toRead)
	defer close(st.inTurn)
	for _, run := range st.p.Ranges {
		for from := run.From; from < run.To; {
			r := &reading{Range: Range{Store: run.Store, From: from, To: min(run.To, from+readRows)}, out: make(chan *chunk, 1)}
			from = r.To
			for _, c := range []chan *reading{st.inTurn, st.toRead} {
				select {
				case c <- r:
				case <-st.ctx.Done():
					return
				}
			}
		}
	}
}

// read reads runs.
func (st *step) read() {
	router := newRouter(st.s)
	for r := range st.toRead {
		r.err = st.readRun(router, r)
		close(r.out)
	}
}

func (st *step) readRun(router *router, r *reading) error {
	var ev event.Event
	c := newChunk()
	hand := func() error {
		select {
		case r.out <- c:
			return nil
		case <-st.ctx.Done():
			return context.Cause(st.ctx)
		}
	}
	n := 0
	err := st.t.set.env.Read(r.Store, r.From, r.To, func(record []byte) error {
		if n++; n&255 == 0 {
			if err := st.ctx.Err(); err != nil {
				return err
			}
		}
		if err := event.Parse(record, &ev); err != nil {
			return fmt.Errorf("an event of store %s after %d: %w", r.Store, r.From, err)
		}
		at, ok := router.route(&ev)
		if !ok {
			return nil
		}
		if len(c.text) > 0 && len(c.text)+len(record) > chunkBytes {
			if err := hand(); err != nil {
				return err
			}
			c = newChunk()
		}
		off := len(c.text)
		c.text = append(c.text, record...)
		c.events = append(c.events, routed{at, off, len(c.text), ev.Time})
		return nil
	})
	if err != nil || len(c.events) == 0 {
		return err
	}
	return hand()
}

func newChunk() *chunk {
	c := chunks.Get().(*chunk)
	c.text, c.events = c.text[:0], c.events[:0]
	return c
}

// deal takes runs in order and deals their events out.
func (st *step) deal() error {
	for {
		var r *reading
		var ok bool
		select {
		case r, ok = <-st.inTurn:
		case <-st.ctx.Done():
			return context.Cause(st.ctx)
		}
		if !ok {
			break
		}
		for {
			var c *chunk
			select {
			case c, ok = <-r.out:
			case <-st.ctx.Done():
				return context.Cause(st.ctx)
			}
			if !ok {
				break
			}
			for i := range c.events {
				if err := st.add(c, &c.events[i]); err != nil {
					return err
				}
			}
			chunks.Put(c)
		}
		if r.err != nil {
			return r.err
		}
	}
	for _, at := range st.order {
		if err := st.flush(at); err != nil {
			return err
		}
	}
	return nil
}

// add puts an event into the file that is being built for its place.
func (st *step) add(c *chunk, ev *routed) error {
	record := c.text[ev.off:ev.end]
	b := st.building[ev.at]
	if b == nil {
		b = &builder{}
		st.building[ev.at], st.order = b, append(st.order, ev.at)
	}
	if b.events > 0 && b.body.Len()+len(record) > fileBytes {
		if err := st.flush(ev.at); err != nil {
			return err
		}
	}
	if b.body == nil {
		b.body = bodies.Get().(*bytes.Buffer)
	}
	before := b.body.Len()
	if b.events == 0 {
		b.body.WriteString(`{"Records":[`)
		b.oldest, b.newest = ev.time, ev.time
	} else {
		b.body.WriteByte(',')
	}
	b.body.Write(record)
	b.events++
	b.oldest, b.newest = min(b.oldest, ev.time), max(b.newest, ev.time)
	if st.held += b.body.Len() - before; st.held <= buildBytes {
		return nil
	}
	largest := ev.at
	for _, other := range st.order {
		if st.building[other].len() > st.building[largest].len() {
			largest = other
		}
	}
	return st.flush(largest)
}

func (b *builder) len() int {
	if b.body == nil {
		return 0
	}
	return b.body.Len()
}

// flush gives the file of a place to a packer.
func (st *step) flush(at place) error {
	b := st.building[at]
	if b.events == 0 {
		return nil
	}
	st.held -= b.body.Len()
	b.body.WriteString("]}")
	first := st.p.Ranges[0]
	f := &file{Account: at.account, Region: at.region, Bytes: int64(b.body.Len()), Events: b.events, Oldest: b.oldest, Newest: b.newest,
		Stamp: st.p.Stamp, Ranges: st.p.Ranges,
		Key: st.s.logKey(at, st.p.Stamp, fmt.Sprintf("%s %d %s %s %s %d", first.Store, first.From, at.account, at.folder, at.region, st.parts[at]))}
	st.parts[at]++
	st.files = append(st.files, f)
	job := packing{f, b.body}
	b.body, b.events = nil, 0
	select {
	case st.toPack <- job:
		return nil
	case <-st.ctx.Done():
		return context.Cause(st.ctx)
	}
}

// pack hashes, compresses and puts files.
func (st *step) pack() {
	var z gzipper
	for job := range st.toPack {
		if st.ctx.Err() != nil {
			continue
		}
		job.f.Hash = hashOf(job.body.Bytes(), st.sha)
		body, err := z.compress(job.body.Bytes())
		if err == nil {
			job.body.Reset()
			bodies.Put(job.body)
			job.f.Stored = int64(len(body))
			err = st.put(st.ctx, job.f, body)
		}
		if err != nil {
			st.cancel(err)
		}
	}
}

// quickHash begins the hashes of files that no digest lists: they only tell whether a file
// that was built anew is the same, which needs no SHA-256.
const quickHash = "xxh64:"

func hashOf(body []byte, sha bool) string {
	if !sha {
		return fmt.Sprintf("%s%016x", quickHash, xxhash.Sum64(body))
	}
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}

// gzipper compresses one body after the other.
type gzipper struct {
	w   *gzip.Writer
	out bytes.Buffer
}

// compress returns the compressed body, valid until the next call.
func (z *gzipper) compress(body []byte) ([]byte, error) {
	z.out.Reset()
	if z.w == nil {
		var err error
		if z.w, err = gzip.NewWriterLevel(&z.out, gzipLevel); err != nil {
			return nil, err
		}
	} else {
		z.w.Reset(&z.out)
	}
	if _, err := z.w.Write(body); err != nil {
		return nil, err
	}
	if err := z.w.Close(); err != nil {
		return nil, err
	}
	return z.out.Bytes(), nil
}

// put writes an object and looks whether it is there.
func put(ctx context.Context, target Target, key string, body []byte, meta map[string]string) error {
	if err := checkKey(key); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, putTimeout)
	defer cancel()
	if err := target.Put(ctx, key, body, meta); err != nil {
		return err
	}
	return look(ctx, target, key, int64(len(body)))
}

var errLost = errors.New("the target does not have what it has accepted")

// look reports whether an object is there; errLost when it is not, or not whole.
func look(ctx context.Context, target Target, key string, size int64) error {
	got, err := target.Size(ctx, key)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: %s is not there", errLost, key)
	case err != nil:
		return err
	case got != size:
		return fmt.Errorf("%w: %s has %d bytes instead of %d", errLost, key, got, size)
	}
	return nil
}
