package event

// The caps on one record. They bound what a hostile record can cost; real
// records stay far below each of them.
const (
	// MaxRecordBytes is the largest record, in bytes. CloudTrail lets an event
	// grow to 1 MiB ("Large" event data stores) and measures it in its own,
	// compact form; a quarter more leaves room for whitespace and escapes.
	MaxRecordBytes = 1<<20 + 1<<18

	// MaxDepth is how deep objects and arrays may be nested, the record itself
	// being 1. Real records reach 13 to 20; 128 keeps every recursive reader of
	// a document within a few kilobytes of stack.
	MaxDepth = 128

	// MaxKeys is how many members all objects of a record may have together.
	// Real records of the largest size have some 2,000. Every new path may
	// become a column of a segment, so a record of 200,000 one-letter members
	// would cost far more than its bytes.
	MaxKeys = 32768
)
