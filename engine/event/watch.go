package event

// Watch numbers the record members that deciding about a record needs.
type Watch uint8

// The watched members, in the order of [WatchPaths].
const (
	WatchVersion Watch = iota
	WatchTime
	WatchID
	WatchIDLower // eventId, as aggregated events spell it
	WatchSource
	WatchName
	WatchType
	WatchCategory
	WatchManagement
	WatchReadOnly
	WatchRegion
	WatchRecipient
	WatchWindowStart
	WatchCount int = iota
)

var watchPaths = [WatchCount][]string{
	WatchVersion:     {"eventVersion"},
	WatchTime:        {"eventTime"},
	WatchID:          {"eventID"},
	WatchIDLower:     {"eventId"},
	WatchSource:      {"eventSource"},
	WatchName:        {"eventName"},
	WatchType:        {"eventType"},
	WatchCategory:    {"eventCategory"},
	WatchManagement:  {"managementEvent"},
	WatchReadOnly:    {"readOnly"},
	WatchRegion:      {"awsRegion"},
	WatchRecipient:   {"recipientAccountId"},
	WatchWindowStart: {"timeWindow", "windowStart"},
}

// Fields are the raw JSON texts of the watched members of one record, indexed
// by [Watch]: a string with its quotes, a number, true, false, null, or a whole
// object or array (for which any text that begins with its bracket will do).
// nil means that the record has no such member; of several values at the same
// path the last counts. Names are meant as JSON means them: an escaped spelling
// of a name is that name.
type Fields [WatchCount][]byte

// WatchPaths returns the record paths of the watched members, position i being
// that of Watch(i): names from the record down, in exact case. The caller must
// not change them.
func WatchPaths() [][]string { return watchPaths[:] }
