package segment

// MaxRows is the most records one segment holds: one container of a roaring
// bitmap, and row numbers of 16 bits.
const MaxRows = 1 << 16

// BlockRows is the number of rows of a row block, the unit in which rows are read cheaply.
const BlockRows = 4096

// Kind is the JSON kind of a value.
type Kind uint8

// The kinds.
const (
	None   Kind = iota // there is no value
	Null               // null
	String             // its raw text is what stands between the quotes
	Number
	Bool
	Object
	Array
)

var kindNames = [...]string{"none", "null", "string", "number", "boolean", "object", "array"}

func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "kind?"
}
