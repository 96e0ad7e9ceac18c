package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/cairndb/cairn/engine/trail"
)

const (
	// noticePause is how long a sender waits after a failure, twice as long after each more, up
	// to noticePauseMost: a notice is of use soon.
	noticePause     = time.Second
	noticePauseMost = time.Minute
)

// CheckNotices says what is wrong with the address of a webhook or topic for notices.
func CheckNotices(target string) error {
	if err := trail.CheckNotify(target); err != nil {
		return failf(ErrBadInput, "%v", err)
	}
	return nil
}

// SendNotices sends the notices of unusual activity from now on (see [Notices]) to a webhook or
// topic, until ctx ends or the lake is closed, and returns why. A webhook gets what Insight has as
// JSON, a line each, in one request, signed as the deliveries of trails are; a topic gets a message
// each. What is not taken is sent again, so a notice may come twice; those that have come
// meanwhile are kept as Notices says.
func (l *Lake) SendNotices(ctx context.Context, target string) error {
	if err := CheckNotices(target); err != nil {
		return err
	}
	var topic TrailTopic
	defer func() {
		if topic != nil {
			topic.Close()
		}
	}()
	send := func(lines [][]byte) (err error) {
		if !trail.IsTopic(target) {
			return trail.Post(ctx, target, append(bytes.Join(lines, []byte{'\n'}), '\n'))
		}
		if topic == nil {
			if l.opts.OpenTopic == nil {
				return failf(ErrBadInput, "notices go to a topic, which this program cannot open")
			}
			if topic, err = l.opts.OpenTopic(ctx, target); err != nil {
				return err
			}
		}
		if err = topic.Send(ctx, lines); err != nil {
			err = errors.Join(err, topic.Close())
			topic = nil
		}
		return err
	}
	n, err := l.Notices()
	if err != nil {
		return err
	}
	for {
		if err := n.Wait(ctx); err != nil {
			return err
		}
		from, pause := n.next, noticePause
		for {
			var lines [][]byte
			for _, in := range n.Take() {
				line, err := json.Marshal(in)
				if err != nil {
					return err
				}
				lines = append(lines, line)
			}
			err := send(lines)
			if err == nil {
				break
			}
			if ctx.Err() != nil {
				return ctx.Err()
			}
			l.opts.Logger.Error("notices of unusual activity are not taken, will be sent again", "notices", len(lines), "after", pause, "error", err)
			select {
			case <-time.After(pause):
			case <-ctx.Done():
				return ctx.Err()
			case <-l.closing:
				return failf(ErrUnavailable, "the lake is closed")
			}
			n.next, pause = from, min(2*pause, noticePauseMost)
		}
	}
}
