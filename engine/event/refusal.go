package event

import "fmt"

// Reason says why a record is refused: a small closed set of texts that stay
// the same, so that tables of refusals can be grouped and compared by them.
type Reason string

// The reasons.
const (
	NotAnObject        Reason = "not an object"
	InvalidJSON        Reason = "invalid JSON"
	InvalidUTF8        Reason = "invalid UTF-8"
	CutOff             Reason = "cut off"
	TrailingData       Reason = "data after the record"
	TooLarge           Reason = "too large"
	TooDeep            Reason = "too deep"
	TooManyKeys        Reason = "too many keys"
	MissingVersion     Reason = "missing eventVersion"
	MissingTime        Reason = "missing eventTime"
	MissingSource      Reason = "missing eventSource"
	MissingName        Reason = "missing eventName"
	MissingID          Reason = "missing eventID"
	MissingWindowStart Reason = "missing timeWindow.windowStart"
	UnreadableTime     Reason = "unreadable eventTime"
	TimeOutOfRange     Reason = "eventTime out of range"
	OtherSchema        Reason = "not of the store's schema"
)

// Refusal is the error for a record that the lake does not take.
type Refusal struct {
	// Reason is one of the constants of this package.
	Reason Reason
	// Field is the path of the member in question, "" when it is the record as
	// a whole.
	Field string
	// Offset is the position in the record, in bytes from its first, at which
	// the trouble was found; -1 when it has no position, as with a missing
	// member.
	Offset int
	// Detail is what was found, for people; it may quote a short piece of the
	// record.
	Detail string
}

// Error returns the reason, the position and the detail in one line.
func (r *Refusal) Error() string {
	s := string(r.Reason)
	if r.Offset >= 0 {
		s += fmt.Sprintf(" at byte %d", r.Offset)
	}
	if r.Detail != "" {
		s += ": " + r.Detail
	}
	return s
}

// refuse returns a refusal of the record as a whole.
func refuse(reason Reason, offset int, detail string) *Refusal {
	return &Refusal{Reason: reason, Offset: offset, Detail: detail}
}

// quoteMax bounds the piece of a record that a refusal quotes: enough to
// recognise a value, not enough to fill a terminal.
const quoteMax = 60

// quote returns a printable, short form of a piece of a record.
func quote(b []byte) string {
	if len(b) > quoteMax {
		return fmt.Sprintf("%q…", b[:quoteMax])
	}
	return fmt.Sprintf("%q", b)
}
