package trail

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/klauspost/compress/gzip"

	"github.com/cairndb/cairn/engine/event"
)

const (
	// fileBytes is how much goes into one file, before compression. CloudTrail's limit is
	// 50 MB; a record may be more than one MiB.
	fileBytes = 40 << 20

	// buildBytes bounds what the files that are being built hold together, so that
	// many accounts and regions do not cost that many times as much.
	buildBytes = 128 << 20

	// putTimeout ends an attempt to write an object.
	putTimeout = 2 * time.Minute
)

// gzipLevel is fast and loses little: records repeat each other's words.
const gzipLevel = 3

// builder is a file that is being built.
type builder struct {
	body           bytes.Buffer
	events         int
	oldest, newest int64
}

// write builds the files of a plan and gives them to put, in the same order and with the
// same content each time. It ends with the first error.
func (t *Trail) write(ctx context.Context, s *Settings, p *plan, put func(f *file, body []byte) error) error {
	r := newRouter(s)
	building := make(map[place]*builder)
	parts := make(map[place]int)
	var order []place // in order of their first events
	held := 0
	var z gzipper
	flush := func(at place) error {
		b := building[at]
		if b.events == 0 {
			return nil
		}
		b.body.WriteString("]}")
		sum := sha256.Sum256(b.body.Bytes())
		f := &file{Account: at.account, Region: at.region, Hash: hex.EncodeToString(sum[:]), Bytes: int64(b.body.Len()), Events: b.events,
			Oldest: b.oldest, Newest: b.newest, Stamp: p.Stamp, Ranges: p.Ranges}
		first := p.Ranges[0]
		f.Key = s.logKey(at, p.Stamp, fmt.Sprintf("%s %d %s %s %s %d", first.Store, first.From, at.account, at.folder, at.region, parts[at]))
		parts[at]++
		body, err := z.compress(b.body.Bytes())
		if err != nil {
			return err
		}
		f.Stored = int64(len(body))
		held -= b.body.Len()
		b.body.Reset()
		b.events = 0
		return put(f, body)
	}
	var ev event.Event
	for _, run := range p.Ranges {
		n := 0
		err := t.set.env.Read(run.Store, run.From, run.To, func(record []byte) error {
			if n++; n&1023 == 0 {
				if err := ctx.Err(); err != nil {
					return err
				}
			}
			if err := event.Parse(record, &ev); err != nil {
				return fmt.Errorf("an event of store %s after %d: %w", run.Store, run.From, err)
			}
			at, ok := r.route(&ev)
			if !ok {
				return nil
			}
			b := building[at]
			if b == nil {
				b = &builder{}
				building[at], order = b, append(order, at)
			}
			if b.events > 0 && b.body.Len()+len(record) > fileBytes {
				if err := flush(at); err != nil {
					return err
				}
			}
			before := b.body.Len()
			if b.events == 0 {
				b.body.WriteString(`{"Records":[`)
				b.oldest, b.newest = ev.Time, ev.Time
			} else {
				b.body.WriteByte(',')
			}
			b.body.Write(record)
			b.events++
			b.oldest, b.newest = min(b.oldest, ev.Time), max(b.newest, ev.Time)
			if held += b.body.Len() - before; held <= buildBytes {
				return nil
			}
			largest := at
			for _, other := range order {
				if building[other].body.Len() > building[largest].body.Len() {
					largest = other
				}
			}
			return flush(largest)
		})
		if err != nil {
			return err
		}
	}
	for _, at := range order {
		if err := flush(at); err != nil {
			return err
		}
	}
	return nil
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
