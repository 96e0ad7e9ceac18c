package engine

import (
	"errors"

	"github.com/cairndb/cairn/engine/event"
	"github.com/cairndb/cairn/engine/logfile"
	"github.com/cairndb/cairn/engine/mapping"
	"github.com/cairndb/cairn/engine/retention"
)

// Imports of other products' audit logs: a record is mapped before it is added, and may be
// several events, which stay in one segment, so that a file is committed between records.

// twelveDigits reports whether a text is an account number.
func twelveDigits(s string) bool {
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(s) == 12
}

// mappedRecord is a record of another product and what has become of it.
type mappedRecord struct {
	n      int // its length; 0 when that is unknown
	events [][]byte
	err    error
}

// mapRecord maps the record that begins at buf[0].
func (imp *importer) mapRecord(buf []byte) *mappedRecord {
	n, err := event.ScanValue(buf[:min(len(buf), event.MaxRecordBytes)])
	if err != nil {
		return &mappedRecord{err: err}
	}
	events, err := imp.opts.Mapping.Map(buf[:n], mapping.Options{Account: imp.opts.Account, Region: imp.opts.Region})
	return &mappedRecord{n: n, events: events, err: err}
}

// fits reports whether the record's events find room in a segment that has some rows; an empty one
// takes any. A nil record, of an import without mapping, always fits.
func (r *mappedRecord) fits(rows, most int) bool {
	return r == nil || rows == 0 || rows+len(r.events) <= most
}

// addMapped adds the events of the record at the cursor, or notes why it is not taken. It
// returns the record's length and how many rows there are for it.
func (c *chunk) addMapped(cf *chunkFile, f *importFile, cur *logfile.Cursor, r *mappedRecord, offset int64, tooOld *retention.Horizon) (n, added int) {
	refuse := func(err error) {
		reason, detail := err.Error(), err.Error()
		var unmapped *mapping.Refusal
		var refused *event.Refusal
		switch {
		case errors.As(err, &unmapped):
			reason = unmapped.Reason
		case errors.As(err, &refused):
			reason = string(refused.Reason)
		}
		c.note(cf, note{file: f, path: f.Path, offset: offset, reason: reason, detail: detail})
	}
	if r.err != nil {
		refuse(r.err)
		if r.n == 0 {
			return int(cur.Skip().Length), 0
		}
	}
	cur.Advance(r.n)
	if r.err != nil {
		return r.n, 0
	}
	for _, rec := range r.events {
		if _, err := c.sh.add(rec); err != nil {
			// The builder says less than package event; what it takes that the builder does not is rare.
			var ev event.Event
			if parseErr := event.Parse(rec, &ev); parseErr != nil {
				err = parseErr
			}
			refuse(err)
			continue
		}
		added += c.keep(cf, f, len(rec), offset, tooOld)
	}
	return r.n, added
}
