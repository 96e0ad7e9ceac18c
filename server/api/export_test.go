package api

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// CheckAnswer holds an answer against the shape of its operation.
func CheckAnswer(name string, out object) error {
	op := byName[name]
	b, err := json.Marshal(out)
	if err != nil {
		return err
	}
	parsed, err := parseBody(b)
	if err != nil {
		return err
	}
	for k := range parsed {
		if op.output.find(k) == nil {
			return fmt.Errorf("member %s is not in the table", k)
		}
	}
	_, err = op.output.check(parsed, "")
	return err
}

// RefreshDue makes the refreshes of dashboards that are due at a time.
func (s *API) RefreshDue(ctx context.Context, now time.Time) error { return s.refreshDue(ctx, now) }

// Slot returns the last time of a schedule that is not after now.
func Slot(unit string, value int, timeOfDay string, now time.Time) time.Time {
	return (&schedule{Unit: unit, Value: value, TimeOfDay: timeOfDay}).slot(now)
}
