package trail

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cairndb/cairn/engine/digest"
)

// Env is what a trail needs of the lake. Its methods may be called from many goroutines.
type Env interface {
	// Now tells the time.
	Now() time.Time
	// Source returns the ID of a store, by name or ID, and the sequence number after its
	// last event; ok is false when there is none.
	Source(nameOrID string) (id string, next uint64, ok bool)
	// Read calls fn with the records of a store from one sequence number to another, in
	// order, leaving out what has left the store. record is valid during the call.
	Read(id string, from, to uint64, fn func(record []byte) error) error

	// Scan calls fn with all records whose key begins with prefix, in order of keys.
	Scan(prefix []byte, fn func(key, value []byte) error) error
	// Save makes what fn sets and deletes durable, all or nothing.
	Save(fn func(w Writer)) error

	// FS is the file system outside the lake, in the clear.
	FS() vfs.FS
	// Target opens a trail's target.
	Target(s *Settings) (Target, error)
	// Topic opens a topic or queue of a trail.
	Topic(s *Settings, target string) (Topic, error)
	// Key returns the key that signs digests that end at a time.
	Key(at time.Time) (*digest.TrailKey, error)
	// Logger hears what people should know.
	Logger() *slog.Logger
}

// Writer takes records.
type Writer interface {
	Set(key, value []byte)
	Delete(key []byte)
}

// Range is a run of sequence numbers of a store that is to be delivered.
type Range struct {
	Store string `json:"store"` // ID
	From  uint64 `json:"from"`
	// To is exclusive; Open says that it is not known yet: logging is on.
	To   uint64 `json:"to,omitempty"`
	Open bool   `json:"open,omitempty"`
}

// plan is a step that has been decided on.
type plan struct {
	Stamp  time.Time `json:"stamp"`
	Ranges []Range   `json:"ranges"`
}

// state is where a trail is.
type state struct {
	Logging bool `json:"logging,omitempty"`
	// Started and Stopped are when logging was switched on and off last.
	Started time.Time `json:"started"`
	Stopped time.Time `json:"stopped"`
	// Ranges are worked off from the first.
	Ranges []Range `json:"ranges,omitempty"`
	Plan   *plan   `json:"plan,omitempty"`

	// Closed is the end of the last period that was closed; zero when none is open.
	Closed time.Time `json:"closed"`
	// Ending is when logging or validation was switched off while chains were open: they
	// end with the period that has that time. Zero when they go on.
	Ending time.Time `json:"ending,omitzero"`

	// Next numbers files, digests and notices.
	Next uint64 `json:"next,omitempty"`

	Delivered totals  `json:"delivered"`
	Lost      totals  `json:"lost"` // given up after thirty days
	Delivery  outcome `json:"delivery"`
	Digest    outcome `json:"digest"`

	// Skipped counts events that were too large for the form of a stream.
	Skipped uint64 `json:"skipped,omitempty"`
	// Notices is how many notifications wait to be sent.
	Notices uint64  `json:"notices,omitempty"`
	Notice  outcome `json:"notice"`
}

// totals count what was delivered.
type totals struct {
	Files  uint64 `json:"files,omitempty"`
	Events uint64 `json:"events,omitempty"`
	Bytes  uint64 `json:"bytes,omitempty"` // before compression
}

// outcome is how the last attempts have ended.
type outcome struct {
	Tried time.Time `json:"tried"` // the last attempt
	Done  time.Time `json:"done"`  // the last success
	Error string    `json:"error,omitempty"`
	Since time.Time `json:"since"` // when it began to fail
}

// errorMax bounds the text of an error that is kept.
const errorMax = 1000

func (o *outcome) note(now time.Time, err error) {
	o.Tried = now
	if err == nil {
		*o = outcome{Tried: now, Done: now}
		return
	}
	if o.Error = err.Error(); len(o.Error) > errorMax {
		o.Error = o.Error[:errorMax]
	}
	if o.Since.IsZero() {
		o.Since = now
	}
}

// file is a delivered file that no digest lists yet.
type file struct {
	Account string `json:"account"`
	Region  string `json:"region"`
	Key     string `json:"key"`
	Hash    string `json:"hash"` // of the content before compression: hex SHA-256, or quickHash and hex xxhash64
	Bytes   int64  `json:"bytes"`
	Stored  int64  `json:"stored"` // bytes in the target
	Events  int    `json:"events"`
	// Oldest and Newest are event times, microseconds since 1970.
	Oldest int64 `json:"oldest"`
	Newest int64 `json:"newest"`
	// Stamp is the time in the key, At when the step was committed.
	Stamp time.Time `json:"stamp"`
	At    time.Time `json:"at"`
	// Digest says that a digest shall list it.
	Digest bool `json:"digest,omitempty"`
	// Ranges are the plan that it was made by, to make it again.
	Ranges []Range `json:"ranges"`
}

// link is the last digest of a chain.
type link struct {
	Bucket    string `json:"bucket"`
	Key       string `json:"key"`
	Hash      string `json:"hash"`
	Signature string `json:"signature"`
	End       string `json:"end"`
	// Account, Region and Backfill say which chain it is.
	Account  string `json:"account"`
	Region   string `json:"region"`
	Backfill bool   `json:"backfill,omitempty"`
}

// pending is a digest that the target does not have yet.
type pending struct {
	Key      string            `json:"key"`
	Document []byte            `json:"document"`
	Meta     map[string]string `json:"meta"`
}

// The letters of records.
const (
	letterSettings = 's'
	letterState    = 't'
	letterFile     = 'f'
	letterLink     = 'c'
	letterPending  = 'p'
	letterNotice   = 'n'
	letterLogs     = 'l'
)

func recordKey(letter byte, id string) []byte { return append([]byte{letter}, id...) }

func numberKey(letter byte, id string, n uint64) []byte {
	return binary.BigEndian.AppendUint64(recordKey(letter, id), n)
}

func (l *link) recordKey(id string) []byte {
	kind := " "
	if l.Backfill {
		kind = "b"
	}
	return append(recordKey(letterLink, id), l.Account+" "+l.Region+kind...)
}

const checksumLen = 8

// encode returns a record's value.
func encode(key []byte, v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // structs of texts, numbers and times always have a JSON form
	}
	return append(binary.LittleEndian.AppendUint64(make([]byte, 0, checksumLen+len(text)), checksum(key, text)), text...)
}

func checksum(key, text []byte) uint64 {
	h := xxhash.New()
	h.Write(key)
	h.Write(text)
	return h.Sum64()
}

// CorruptError says which record is damaged.
type CorruptError struct {
	Key    []byte
	Reason string
}

// Error names the key and the reason.
func (e *CorruptError) Error() string {
	return fmt.Sprintf("record %q of trails is damaged: %s", e.Key, e.Reason)
}

// decode reads a record's value.
func decode(key, value []byte, into any) error {
	bad := func(format string, args ...any) error {
		return &CorruptError{Key: slices.Clone(key), Reason: fmt.Sprintf(format, args...)}
	}
	if len(value) < checksumLen {
		return bad("%d bytes are too few", len(value))
	}
	text := value[checksumLen:]
	if want, got := binary.LittleEndian.Uint64(value), checksum(key, text); want != got {
		return bad("checksum is %016x, should be %016x", want, got)
	}
	if err := json.Unmarshal(text, into); err != nil {
		return bad("%v", err)
	}
	return nil
}

func sortBy[T any](list []T, less func(a, b T) bool) {
	slices.SortFunc(list, func(a, b T) int {
		switch {
		case less(a, b):
			return -1
		case less(b, a):
			return 1
		}
		return 0
	})
}
