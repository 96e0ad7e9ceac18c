// Package event is the vocabulary of the lake: what an audit event record must
// have, what is read from it, how its time is written, and which SQL columns
// it has.
//
// # Using it
//
// A record that arrives alone is checked with [Parse], one strict pass over
// its bytes that needs no memory:
//
//	var ev event.Event
//	if err := event.Parse(raw, &ev); err != nil {
//		var refusal *event.Refusal
//		errors.As(err, &refusal) // why, and at which byte
//	}
//	leaf := event.LeafHash(raw)
//	id := ev.Identity(&leaf)
//
// A bulk import scans each record once, while it splits it into columns. That
// scan hands over the raw JSON text of the paths that [WatchPaths] lists, and
// [Check] applies the rules to them; the scan itself must then have enforced
// strict syntax and the caps below. Parse is such a scan followed by Check, so
// a record gets the same verdict on both ways.
//
// The tables ([CloudTrail] and the four others) say which SQL columns there
// are, of which type, and where in a record each value stands. A [Column] turns
// raw JSON texts into a vector of its type ([Column.Decode]).
//
// # What is accepted
//
// A record is one JSON object by RFC 8259 in valid UTF-8, of at most
// [MaxRecordBytes], nested at most [MaxDepth] deep, with at most [MaxKeys]
// members in all. An escaped lone surrogate is valid JSON and stays as it is;
// where text is needed it reads as U+FFFD. Of several members with the same
// name the last one counts. The order of members does not matter.
//
// Required are, depending on the category:
//
//	API, sign-in, service, network events   eventVersion eventTime eventSource eventName
//	Insight                                 eventVersion eventTime eventID
//	ConfigurationItem, Evidence,
//	ActivityAuditLog                        eventVersion eventTime
//	Aggregated                              eventVersion timeWindow.windowStart
//
// Missing, null, "" and a value that is neither a string nor (for eventVersion)
// a number are the same: not there. Records without eventCategory (versions
// below 1.07) get one from eventType and managementEvent, see
// [Event.Category]. A record without an event ID is accepted; its content is
// its identity. Everything else may have any type: a value that does not fit
// its column reads as NULL in SQL and is still in the record.
//
// The event time must be a string in one of the forms of [ParseTime] and lie in
// the years 1970 to 9999. A number is refused: whether it counts seconds or
// milliseconds could only be guessed.
//
// # Concurrency
//
// The tables are read-only. An [Event] belongs to one goroutine at a time; all
// functions may be called from many goroutines.
package event
