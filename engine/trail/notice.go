package trail

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Notifications tell of files as they are delivered: Settings.Notify names a topic, a queue
// or a webhook, which gets
//
//	{"s3Bucket":"BUCKET","s3ObjectKey":["KEY", …]}
//
// They are recorded together with the files that they tell of and removed when they have
// been taken, so each is sent at least once, whatever happens between. A topic that is
// away holds no file up: it is tried again after one second, two, four … up to five
// minutes, for thirty days.

// noticeKeys is how many files one notification tells of: keys of 1 KiB fit into a message
// of 256 KiB.
const noticeKeys = 100

// notice is a notification that was not sent yet.
type notice struct {
	Keys []string  `json:"keys"`
	At   time.Time `json:"at"`
}

// noticeBody is the text of a notification.
type noticeBody struct {
	Bucket string   `json:"s3Bucket"`
	Keys   []string `json:"s3ObjectKey"`
}

// CheckNotify says what is wrong with the address of a webhook, topic or queue; it must have one.
func CheckNotify(address string) error {
	if address == "" {
		return invalid("Notify", "there is no address")
	}
	return (&Settings{Notify: address}).checkNotify()
}

func (s *Settings) checkNotify() error {
	if s.Notify == "" {
		return nil
	}
	if !isHook(s.Notify) && !IsTopic(s.Notify) {
		return invalid("Notify", "%q is neither a webhook nor the URL of a topic, such as awssns:///ARN?region=eu-west-1", redact(s.Notify))
	}
	return checkAddress("Notify", s.Notify)
}

// addNotices records that files were delivered. The caller holds mu.
func (t *Trail) addNotices(st *state, w Writer, files []*file) {
	if t.settings.Notify == "" {
		return
	}
	for part := range slices.Chunk(files, noticeKeys) {
		n := notice{At: part[0].At}
		for _, f := range part {
			n.Keys = append(n.Keys, f.Key)
		}
		key := numberKey(letterNotice, t.settings.ID, st.Next)
		w.Set(key, encode(key, &n))
		st.Next++
		st.Notices++
	}
}

// notify sends the notifications that wait. Without now it stays with its pauses.
func (t *Trail) notify(ctx context.Context, now bool) error {
	t.mu.Lock()
	waiting := t.st.Notices > 0 && !t.gone
	t.mu.Unlock()
	if !waiting {
		return nil
	}
	t.work.Lock()
	defer t.work.Unlock()
	if !now && t.set.env.Now().Before(t.noticeAfter) {
		return nil
	}
	s := &t.settings // only who holds work changes them
	send, done := t.noticeSender(s)
	err := errors.Join(t.sendNotices(ctx, s, send), done())
	if err == nil || ctx.Err() != nil {
		t.noticeWait, t.noticeAfter = 0, time.Time{}
		return ctx.Err()
	}
	at := t.set.env.Now()
	if t.noticeWait == 0 {
		t.set.env.Logger().Warn("a trail cannot tell of deliveries; it tries again until it can", "trail", s.Name, "error", err)
	}
	t.noticeWait = min(max(retryFirst, 2*t.noticeWait), retryMost)
	t.noticeAfter = at.Add(t.noticeWait)
	err = fmt.Errorf("trail %s: telling %s of deliveries: %w", s.Name, redact(s.Notify), err)
	return errors.Join(err, t.change(func(st *state, _ Writer) { st.Notice.note(at, err) }))
}

// noticeSender returns what sends a notification, and what to call afterwards.
func (t *Trail) noticeSender(s *Settings) (send func(ctx context.Context, text []byte) error, done func() error) {
	if isHook(s.Notify) {
		return func(ctx context.Context, text []byte) error {
			return post(ctx, s.Notify, "application/json", text)
		}, func() error { return nil }
	}
	var topic Topic
	return func(ctx context.Context, text []byte) (err error) {
			if topic == nil {
				if topic, err = t.set.env.Topic(s, s.Notify); err != nil {
					return err
				}
			}
			return topic.Send(ctx, [][]byte{text})
		}, func() error {
			if topic == nil {
				return nil
			}
			return topic.Close()
		}
}

func (t *Trail) sendNotices(ctx context.Context, s *Settings, send func(ctx context.Context, text []byte) error) error {
	for {
		var key []byte
		var n notice
		err := t.set.env.Scan(recordKey(letterNotice, s.ID), func(k, v []byte) error {
			key = slices.Clone(k)
			if err := decode(k, v, &n); err != nil {
				return err
			}
			return errEnough
		})
		if err != nil && !errors.Is(err, errEnough) {
			return err
		}
		if key == nil {
			// The count and the records are written together; should they differ all the
			// same, nothing is to be sent for ever.
			return t.change(func(st *state, _ Writer) { st.Notices = 0 })
		}
		now := t.set.env.Now()
		switch {
		case s.Notify == "": // it was switched off
		case now.Sub(n.At) > giveUpAfter:
			t.set.env.Logger().Error("a trail has given a notification up that was not taken for thirty days", "trail", s.Name, "files", len(n.Keys))
		default:
			text, err := marshal(&noticeBody{Bucket: s.BucketName(), Keys: n.Keys})
			if err != nil {
				return err
			}
			call, cancel := context.WithTimeout(ctx, hookTimeout)
			err = send(call, text)
			cancel()
			if err != nil {
				return err
			}
		}
		// A crash before this sends it once more.
		err = t.change(func(st *state, w Writer) {
			w.Delete(key)
			if st.Notices > 0 {
				st.Notices--
			}
			if s.Notify != "" {
				st.Notice.note(now, nil)
			}
		})
		if err != nil {
			return err
		}
	}
}
