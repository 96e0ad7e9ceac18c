package engine

import (
	"context"
	"fmt"

	"github.com/cairndb/cairn/engine/event"
	"github.com/cairndb/cairn/engine/retention"
)

// StoreVerdict is what became of a record in one store.
type StoreVerdict struct {
	Store string
	Verdict
}

// Append offers records to every store: each takes those of its schema that its
// selectors select (all, if it has none), and the event
// history, which is made with the first of them, takes management events. A store
// whose ingestion is stopped, or that is pending deletion, is passed over; so are the
// built-in stores otherwise. It returns the verdicts of each record, one per store that it
// was offered to; a record that no store takes has a single verdict, without a store, that
// says why.
//
// Stores are written one after the other. After an error some may have the records;
// offering all of them again is safe, because they are told as duplicates where they are.
func (l *Lake) Append(ctx context.Context, records [][]byte) ([][]StoreVerdict, error) {
	done, err := l.beginWrite()
	if err != nil {
		return nil, err
	}
	defer done()
	out := make([][]StoreVerdict, len(records))
	events := make([]offered, len(records))
	for i, r := range records {
		var ev event.Event
		if err := event.Parse(event.Trim(r), &ev); err != nil {
			out[i] = []StoreVerdict{{Verdict: refusal(err)}}
			continue
		}
		events[i] = offered{ev: ev, ok: true}
		if ev.Category == event.Management && l.storeCalled(HistoryStore) == nil {
			if _, err := l.history(); err != nil {
				return nil, err
			}
		}
	}
	for _, s := range l.Stores() {
		if s.takes(false) != nil {
			continue
		}
		var batch [][]byte
		var of []int
		for i := range events {
			if events[i].ok && s.wants(&events[i].ev) {
				batch, of = append(batch, records[i]), append(of, i)
			}
		}
		if len(batch) == 0 {
			continue
		}
		verdicts, err := s.append(ctx, batch)
		if err != nil {
			return nil, fmt.Errorf("offering %d records to store %s: %w", len(batch), s.Name(), err)
		}
		for k, i := range of {
			out[i] = append(out[i], StoreVerdict{s.Name(), verdicts[k]})
		}
	}
	for i := range out {
		if out[i] == nil {
			out[i] = []StoreVerdict{{Verdict: Verdict{Status: Refused, Reason: reasonNoStore, Detail: "no store of the lake takes events of category " + events[i].ev.Category.String()}}}
		}
	}
	return out, nil
}

// reasonNoStore is why an event that is well-formed is kept nowhere.
const reasonNoStore = "no store takes it"

// offered is a record that has been read.
type offered struct {
	ev event.Event
	ok bool
}

// wants reports whether an event that is offered to all stores is for this one.
func (s *Store) wants(ev *event.Event) bool {
	p, _ := s.policy()
	switch p.Kind {
	case retention.History:
		return ev.Category == event.Management
	case retention.Audit:
		return false
	}
	return s.schema.Check(ev) == nil && s.selects(ev)
}
