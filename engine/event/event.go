package event

// Category is the kind of an event as far as rules and routing care.
type Category uint8

// The categories. OtherCategory is one that this version does not know; such
// records are held to the rules for API events.
const (
	OtherCategory Category = iota
	Management
	Data
	NetworkActivity
	Insight
	Aggregated
	ConfigurationItem
	Evidence
	ActivityAuditLog
)

var categoryNames = [...]string{
	"", "Management", "Data", "NetworkActivity", "Insight", "Aggregated",
	"ConfigurationItem", "Evidence", "ActivityAuditLog",
}

// String returns the spelling of the category in records, "" for OtherCategory.
func (c Category) String() string {
	if int(c) < len(categoryNames) {
		return categoryNames[c]
	}
	return ""
}

// Tri is a boolean that may be missing.
type Tri uint8

// The three values. A member that is neither a boolean nor the text "true" or
// "false" is Absent.
const (
	Absent Tri = iota
	False
	True
)

// Event is what [Parse] and [Check] read from a record. The texts are
// unescaped views: they alias the record, or Event's own memory where the
// record has escapes, and are valid until the record's bytes change or the
// Event is used again. A nil text means that the member is missing, null, or
// no text.
type Event struct {
	// Raw is the record as it arrived, the slice given to Parse; Check leaves
	// it nil.
	Raw []byte
	// Time is the event time in microseconds since 1970-01-01 UTC, cut to whole
	// milliseconds as the SQL column has it.
	Time int64

	Version   []byte
	ID        []byte // eventID, else eventId
	Source    []byte
	Name      []byte
	Type      []byte
	Region    []byte
	Recipient []byte // recipientAccountId

	// CategoryName is eventCategory as the record spells it, nil without one.
	CategoryName []byte
	// Category is the known category: by eventCategory, else by eventType, else
	// Data when managementEvent is false, else Management.
	Category Category
	// Management and ReadOnly are managementEvent and readOnly.
	Management, ReadOnly Tri

	// Keys and Depth are the number of members and the nesting that Parse
	// counted.
	Keys, Depth int

	fields  Fields
	scratch []byte
}
