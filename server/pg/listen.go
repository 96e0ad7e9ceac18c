package pg

import (
	"context"
	"encoding/json"
	"io"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/cairndb/cairn/engine"
	"github.com/cairndb/cairn/sql"
	"github.com/cairndb/cairn/sql/sqlerr"
)

const (
	// listenMax bounds what one session listens to: each is a query per append.
	listenMax = 16
	// payloadMax is the longest payload, as in Postgres: clients have buffers of it.
	payloadMax = 8000
)

// listening is one channel of a session.
type listening struct {
	channel string
	store   string
	tail    *engine.Tail
	query   *sql.Statement
	notices *engine.Notices // instead of the two, of the channel of notices
	cancel  context.CancelFunc
	// due is set when there are events; resume lets the goroutine that waits for them
	// wait again, so the tail belongs to one goroutine at a time.
	due    atomic.Bool
	resume chan struct{}
	gone   sync.WaitGroup
}

// noticesChannel tells of unusual activity as soon as it is found.
const noticesChannel = "cairn_notices"

// listen begins to listen to a channel: a store, a store and a condition, or noticesChannel.
func (s *session) listen(channel string) error {
	if s.listening[channel] != nil {
		return nil
	}
	if len(s.listening) >= listenMax {
		return sqlerr.New(sqlerr.ConfigurationLimit, sqlerr.Pos{}, "a session may listen to %d channels", listenMax)
	}
	if strings.EqualFold(channel, noticesChannel) {
		notices, err := s.db.Notices()
		if err != nil {
			return err
		}
		ctx, cancel := context.WithCancel(context.Background())
		s.follow(ctx, &listening{channel: channel, notices: notices, cancel: cancel}, notices.Wait)
		return nil
	}
	store, condition := channel, ""
	if i := strings.Index(strings.ToLower(channel), " where "); i >= 0 {
		store, condition = channel[:i], channel[i+len(" where "):]
	}
	store = strings.TrimSpace(store)
	tail, err := s.db.Follow(store)
	if err != nil {
		return failure(err).WithHint(`a channel is a store, or a store and a condition: LISTEN "events WHERE errorCode IS NOT NULL"`)
	}
	text := "SELECT eventJson FROM " + quoteIdent(store)
	if condition != "" {
		text += " WHERE " + condition
	}
	snap, err := s.db.LazySnapshot()
	if err != nil {
		return err
	}
	defer snap.Close()
	ctx, cancel := context.WithCancel(context.Background())
	query, err := snap.Prepare(ctx, text, s.listenOptions())
	if err != nil {
		cancel()
		e := *failure(err)
		e.Pos = sqlerr.Pos{} // in a text that the client has not written
		return &e
	}
	l := &listening{channel: channel, store: store, tail: tail, query: query, cancel: cancel}
	s.follow(ctx, l, tail.Wait)
	return nil
}

// follow begins to wait for what a channel tells.
func (s *session) follow(ctx context.Context, l *listening, wait func(context.Context) error) {
	l.resume = make(chan struct{}, 1)
	if s.listening == nil {
		s.listening = make(map[string]*listening)
	}
	s.listening[l.channel] = l
	l.gone.Add(1)
	go func() {
		defer l.gone.Done()
		for wait(ctx) == nil {
			l.due.Store(true)
			s.c.poke()
			select {
			case <-l.resume:
			case <-ctx.Done():
				return
			}
		}
	}()
}

// listenOptions are those of the queries of channels: over stores alone.
func (s *session) listenOptions() engine.RunOptions {
	return engine.RunOptions{Dialect: sql.Postgres, Zone: s.settings.zone}
}

// unlisten ends listening to a channel, to all for "".
func (s *session) unlisten(channel string) {
	for name, l := range s.listening {
		if channel == "" || name == channel {
			l.cancel()
			l.gone.Wait()
			delete(s.listening, name)
		}
	}
}

// deliver sends what has come in.
func (s *session) deliver() {
	for _, l := range s.listening {
		if !l.due.CompareAndSwap(true, false) {
			continue
		}
		if err := s.notify(l); err != nil {
			e := failure(s.canceledWhy(err))
			s.w.sendNotice("WARNING", e.Code, "events of channel "+quoteIdent(l.channel)+" were not told: "+e.Message, e.Detail, "")
		}
		l.resume <- struct{}{}
	}
	_ = s.w.flush()
}

// notify sends the new events of one channel, as the principal may see them now.
func (s *session) notify(l *listening) error {
	if err := s.may(commandRules[verbListen]); err != nil {
		return err
	}
	if l.notices != nil {
		now, err := s.db.Notices()
		if err != nil {
			return err
		}
		l.notices.SeeAs(now)
		for _, in := range l.notices.Take() {
			b, err := json.Marshal(in)
			if err != nil {
				return err
			}
			s.w.send(&pgproto3.NotificationResponse{PID: s.c.id, Channel: l.channel, Payload: payload(string(b))})
			if s.w.err != nil {
				return errTerminate
			}
		}
		return nil
	}
	now, err := s.db.Follow(l.store)
	if err != nil {
		return err
	}
	l.tail.SeeAs(now)
	snap, err := l.tail.Snapshot()
	if err != nil {
		return err
	}
	defer snap.Close()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	defer s.c.running(cancel, s.limit())()
	rows, err := snap.Run(ctx, l.query, nil, s.listenOptions())
	if err != nil {
		return err
	}
	defer rows.Close()
	for {
		b, err := rows.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		for i := range b.Len {
			v, k := b.Cols[0].Leaf(i)
			s.w.send(&pgproto3.NotificationResponse{PID: s.c.id, Channel: l.channel, Payload: payload(v.Str[k])})
			if s.w.err != nil {
				return errTerminate
			}
		}
	}
}

// payload is what is told of a record: the record, or if that is too long what names it.
func payload(record string) string {
	record = clean(record)
	if len(record) < payloadMax {
		return record
	}
	var e struct {
		EventID   string `json:"eventID,omitempty"`
		EventTime string `json:"eventTime,omitempty"`
		EventName string `json:"eventName,omitempty"`
		Truncated bool   `json:"truncated"`
	}
	_ = json.Unmarshal([]byte(record), &e) // what cannot be read is left out
	e.Truncated = true
	b, err := json.Marshal(e)
	if err != nil || len(b) >= payloadMax {
		return `{"truncated":true}`
	}
	return string(b)
}
