package engine

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/cairndb/cairn/engine/catalog"
	"github.com/cairndb/cairn/engine/event"
	"github.com/cairndb/cairn/engine/lsm"
	"github.com/cairndb/cairn/engine/retention"
)

// selection is which of the events that are offered to all stores a store takes. It is
// replaced, never changed.
type selection struct {
	list    event.Selectors
	text    []byte
	matcher *event.Matcher
}

// newSelection checks selectors for a store with a schema; nil selectors give nil.
func newSelection(list *event.Selectors, schema *event.Table) (*selection, error) {
	if list == nil {
		return nil, nil
	}
	if err := list.Validate(event.ForStore); err != nil {
		return nil, &kindError{kind: ErrBadInput, err: fmt.Errorf("the selectors: %w", err)}
	}
	// Categories of another schema would select nothing that the store could take.
	for i := range list.Advanced {
		for _, f := range list.Advanced[i].FieldSelectors {
			if f.Field != "eventCategory" {
				continue
			}
			if of := event.TableCalled(f.Equals[0]); of != nil && of != schema {
				return nil, failf(ErrBadInput, "the selectors: AdvancedEventSelectors[%d]: events of category %s are not of the store's schema, %s", i, f.Equals[0], schema.Key)
			}
		}
	}
	text, err := json.Marshal(list)
	if err != nil {
		return nil, fmt.Errorf("writing the selectors: %w", err)
	}
	return &selection{list: *list, text: text, matcher: list.Compile()}, nil
}

func (sel *selection) record(store uint32) *catalog.Selectors {
	return &catalog.Selectors{Store: store, Text: sel.text}
}

// installSelectors gives a store the selectors that the catalogue has of it.
func (r *recovery) installSelectors(s *Store) error {
	for i := range r.state.Selectors {
		c := &r.state.Selectors[i]
		if c.Store != s.rec.Number {
			continue
		}
		var list event.Selectors
		err := json.Unmarshal(c.Text, &list)
		if err == nil {
			s.mu.selects, err = newSelection(&list, s.schema)
		}
		if err != nil {
			return r.damage(&CorruptionError{Store: s.Name(), Place: "catalogue", Err: fmt.Errorf("its selectors: %w", err)})
		}
	}
	return nil
}

// selects reports whether the store's selectors select an event.
func (s *Store) selects(ev *event.Event) bool {
	s.mu.RLock()
	sel := s.mu.selects
	s.mu.RUnlock()
	return sel == nil || sel.matcher.Match(ev)
}

// Selectors returns which of the events that are offered to all stores the store takes;
// nil for all of its schema.
func (s *Store) Selectors() *event.Selectors {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.mu.selects == nil {
		return nil
	}
	list := s.mu.selects.list
	return &list
}

// SetSelectors replaces the selectors of a store; nil makes it take all events of its
// schema again. Events that it has stay.
func (l *Lake) SetSelectors(ctx context.Context, store string, list *event.Selectors) error {
	s, err := l.Store(store)
	if err != nil {
		return err
	}
	sel, err := newSelection(list, s.schema)
	if err != nil {
		return fmt.Errorf("changing store %s: %w", s.Name(), err)
	}
	act := Act{Name: "UpdateEventDataStoreSelectors", Request: map[string]any{}}
	if list != nil {
		act.Request["advancedEventSelectors"] = list.Advanced
	}
	_, err = l.decide(ctx, store, act, func(_ *Store, p retention.Policy, _ []retention.Hold, who *Actor) (retention.Policy, error) {
		switch {
		case !who.rights(false).Manage:
			return p, &retention.Refusal{Reason: retention.Denied, Detail: "to change a store needs the permission " + PermissionManage}
		case p.Kind != retention.Ordinary:
			return p, &retention.Refusal{Reason: retention.Status, Detail: "the store is built in: what it takes cannot be changed"}
		case p.State == retention.Pending:
			return p, &retention.Refusal{Reason: retention.Status, Detail: "the store is pending deletion"}
		}
		return p, nil
	}, func(s *Store, b *lsm.Batch, _ *catalog.Clock) {
		if sel == nil {
			(&catalog.Selectors{Store: s.rec.Number}).Remove(b)
			return
		}
		sel.record(s.rec.Number).Put(b)
	}, func(s *Store) { s.mu.selects = sel })
	return err
}
