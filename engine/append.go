package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/cairndb/cairn/engine/event"
	"github.com/cairndb/cairn/engine/memtable"
	"github.com/cairndb/cairn/engine/proof"
	"github.com/cairndb/cairn/engine/retention"
)

// Status is what became of one record.
type Status uint8

// The statuses. Conflict is stored too.
const (
	// Stored: the record is kept under its sequence number.
	Stored Status = iota + 1
	// Duplicate: the same event with the same bytes was there already; Seq is
	// the number it has.
	Duplicate
	// Conflict: the record is kept, though another event with the same ID and
	// other bytes is in the store.
	Conflict
	// Refused: the record was not kept; Reason and Detail say why.
	Refused
)

// String returns the status as a lower-case word.
func (s Status) String() string {
	switch s {
	case Stored:
		return "stored"
	case Duplicate:
		return "duplicate"
	case Conflict:
		return "conflict"
	case Refused:
		return "refused"
	}
	return "unknown"
}

// Verdict is what became of one record of an Append or an Import.
type Verdict struct {
	Status Status
	// Seq is the record's sequence number, meaningless when refused.
	Seq uint64
	// Reason says in a few words that never change why a record was refused,
	// such as "missing eventTime" (see event.Reason); "" otherwise.
	Reason string
	// Detail says in a sentence what was wrong with a refused record.
	Detail string
}

// Append stores records, each the JSON text of one event, and returns one
// verdict per record in the same order. When it returns without an error, the
// records reported as stored, conflicting or duplicate are on disk and every
// later query sees them. Bad records are refused by verdict and do not harm
// their neighbours; an error means that nothing of the call was acknowledged:
// nothing was kept, except under [ErrHalted], when that is unknown until the
// lake is opened again, and when ctx ends while the write is under way.
//
// The records are copied; the caller may reuse them. Calls from many goroutines
// share their syncs, so many concurrent callers are as fast as large batches.
// A call may carry up to [AppendRecordsMax] records and [AppendBytesMax] bytes.
func (s *Store) Append(ctx context.Context, records [][]byte) ([]Verdict, error) {
	done, err := s.lake.beginWrite()
	if err != nil {
		return nil, err
	}
	defer done()
	s.lake.uses.Add(1)
	if p, _ := s.policy(); p.Kind != retention.Ordinary {
		return nil, failf(ErrRefused, "store %s is built in: what it holds comes from the lake itself, nothing was kept", s.Name())
	}
	return s.append(ctx, records)
}

// append is Append for callers of which the lake waits.
func (s *Store) append(ctx context.Context, records [][]byte) ([]Verdict, error) {
	if err := s.takes(false); err != nil {
		return nil, err
	}
	return s.appendTaken(ctx, records)
}

// leafHashers are for one append each.
var leafHashers = sync.Pool{New: func() any { return new(proof.LeafHasher) }}

// appendTaken is append to a store that takes events.
func (s *Store) appendTaken(ctx context.Context, records [][]byte) ([]Verdict, error) {
	var size int64
	for _, r := range records {
		size += int64(len(r))
	}
	if len(records) > AppendRecordsMax || size > AppendBytesMax {
		return nil, failf(ErrLimit, "an append of %d records and %d bytes: at most %d records and %d bytes go into one, nothing was kept",
			len(records), size, AppendRecordsMax, int64(AppendBytesMax))
	}
	verdicts := make([]Verdict, len(records))
	call := &commitRequest{ctx: ctx, store: s}
	kept := make([]byte, 0, size)
	var at []int // position in records of each row
	var ev event.Event
	leaves := leafHashers.Get().(*proof.LeafHasher)
	defer leafHashers.Put(leaves)
	leaves.Reset()
	for i, r := range records {
		raw := event.Trim(r)
		err := event.Parse(raw, &ev)
		if err == nil {
			err = s.schema.Check(&ev)
		}
		if err != nil {
			verdicts[i] = refusal(err)
			continue
		}
		from := len(kept)
		kept = append(kept, raw...)
		row := memtable.Row{Raw: kept[from:len(kept):len(kept)], Time: ev.Time}
		leaves.Add(raw)
		if ev.ID == nil {
			row.Leaf = leaves.At(len(call.rows))
		}
		row.ID = ev.Identity(&row.Leaf)
		call.rows = append(call.rows, row)
		at = append(at, i)
	}
	for i, leaf := range leaves.All() {
		call.rows[i].Leaf = leaf
	}
	call.bytes = int64(len(kept))
	if len(call.rows) == 0 {
		return verdicts, nil
	}
	call.verdicts = make([]Verdict, len(call.rows))
	if err := s.lake.commit(call); err != nil {
		return nil, fmt.Errorf("appending to store %s: %w", s.Name(), err)
	}
	for i, v := range call.verdicts {
		verdicts[at[i]] = v
	}
	return verdicts, nil
}

// refusal turns the reason why a record is not taken into a verdict.
func refusal(err error) Verdict {
	var r *event.Refusal
	if errors.As(err, &r) {
		return Verdict{Status: Refused, Reason: string(r.Reason), Detail: r.Error()}
	}
	return Verdict{Status: Refused, Reason: string(event.InvalidJSON), Detail: err.Error()}
}
