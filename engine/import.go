package engine

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/cairndb/cairn/engine/event"
	"github.com/cairndb/cairn/engine/mapping"
	"github.com/cairndb/cairn/engine/retention"
)

// ImportOptions say what to import and where to.
type ImportOptions struct {
	// Store is the name or ID of the store; [DefaultStore] when "". A store of
	// that name is made when there is none.
	Store string
	// Schema is that of the store when it has to be made; when nil, Insights events for [InsightsStore]
	// and CloudTrail events for all others. When the store is there with another schema, the import is refused.
	Schema *event.Table
	// Days is the retention period that the store is to have, 7 to 3,653 or Forever. A
	// store that is made gets it; one that is there has its period changed first, as by
	// [Lake.UpdateStore]. When nil, the period of a store stays as it is, and one that is
	// made is given [DefaultRetention] when the import has ended, unless that would
	// take events away that it has just brought (see [Store.Undecided]).
	Days *uint32
	// Mapping turns the records of another product's audit log into events; nil for files that
	// have events. A store that is made gets the mapping's schema. Account and Region are
	// those of the events (package mapping has defaults).
	Mapping         *mapping.Mapping
	Account, Region string
	// Paths are files, directories (taken with everything below them) and glob
	// patterns.
	Paths []string
	// Rejects gets one JSON line for every record and file that was not taken:
	// {"file":…,"offset":…,"reason":…,"detail":…}; nil discards them. It is
	// written by one goroutine at a time.
	Rejects io.Writer
	// Progress is called a few times a second, and at the end, by one goroutine
	// at a time; may be nil.
	Progress func(ImportProgress)
	// Workers is the number of goroutines that read; Options.Workers when 0.
	Workers int
	// NoInsights leaves the search for unusual activity to a later import, or [Lake.DetectInsights]: for history that is
	// imported in several calls.
	NoInsights bool
	// Again reads files that are marked as imported, too. Their records turn
	// out as duplicates.
	Again bool
}

// ImportProgress tells how far an import is.
type ImportProgress struct {
	Files, FilesDone int
	// Bytes and BytesDone count the files' bytes as they lie on disk.
	Bytes, BytesDone int64
	// Records and RawBytes count the records read so far and their JSON text.
	Records  int64
	RawBytes int64
	Elapsed  time.Duration
	// Done says that all files have been read.
	Done bool
	// Detecting, after Done: all is imported, and unusual activity is looked for. Records and BytesDone count the events
	// that have been looked at, and Bytes is how many there are; the rest is zero.
	Detecting bool
	// Views and ViewsDone count the segments that lack groups of views, once the files
	// have been read.
	Views, ViewsDone int
}

// ImportReport accounts for every file and every record of an import.
type ImportReport struct {
	Store string
	// Files is the number of files found; FilesDone of them were read to their
	// end now, FilesBefore had been imported by an earlier run, FilesRejected
	// could not be read, wholly or from some point on.
	Files, FilesDone, FilesBefore, FilesRejected int
	// Records = Stored + Conflicts + Duplicates + Refused, of the files read
	// now.
	Records, Stored, Conflicts, Duplicates, Refused int64
	// RecordsBefore is the number of records of the FilesBefore files.
	RecordsBefore int64
	// RawBytes is the JSON text of the records stored now, FileBytes the size
	// of the files read now.
	RawBytes, FileBytes int64
	// Segments is the number of segments written.
	Segments int
	// Views is how long the groups of views have taken, as part of Elapsed.
	Views time.Duration
	// Expired of the refused records are older than the period of the store, the oldest
	// by its time OldestExpired. Their files count as imported: to take them after all,
	// lengthen the period and import with Again.
	Expired       int64
	OldestExpired time.Time `json:",omitzero"`
	// Days is the store's period when the import ended, Forever for none. Undecided says
	// that the store was given none because its oldest event, of the time Oldest, is older
	// than the default.
	Days      uint32
	Undecided bool
	Oldest    time.Time `json:",omitzero"`
	// Reasons counts refused records and rejected files by reason, most
	// frequent first.
	Reasons []ImportReason
	Elapsed time.Duration
	// Insights tells what was found unusual when all was imported; nil when insights of the store are not enabled. Its
	// time is not in Elapsed.
	Insights *InsightReport `json:",omitempty"`
}

// ImportReason counts what was not taken for one reason.
type ImportReason struct {
	Reason  string
	Records int64
	Files   int64
	Example string // file, offset and detail of the first case
}

// Import reads log files into a store. It uses all workers, keeps the order of
// the files' times, and commits segment by segment together with the files'
// marks: an import that was ended in whatever way goes on where it was when it
// is started again, and the store ends up the same as after one clean run.
//
// A malformed record or file never ends an import: it is counted in the report
// and written to Rejects. An error means that the import ended early; what it
// had committed is kept, and the report says how much that is.
func (l *Lake) Import(ctx context.Context, opts ImportOptions) (*ImportReport, error) {
	done, err := l.beginWrite()
	if err != nil {
		return nil, err
	}
	defer done()
	l.importing.Lock()
	defer l.importing.Unlock()
	name := opts.Store
	if name == "" {
		name = DefaultStore
	}
	if opts.Mapping != nil {
		if opts.Schema != nil && opts.Schema != opts.Mapping.Schema() {
			return nil, failf(ErrBadInput, "the mapping %s makes %s, not %s", opts.Mapping.Name(), opts.Mapping.Schema().Name, opts.Schema.Name)
		}
		opts.Schema = opts.Mapping.Schema()
		if opts.Account != "" && !twelveDigits(opts.Account) {
			return nil, failf(ErrBadInput, "the account is %q, must be twelve digits", opts.Account)
		}
	}
	store := l.storeCalled(name)
	switch schema := opts.Schema; {
	case store == nil:
		if schema == nil {
			schema = event.CloudTrail
			if strings.EqualFold(name, InsightsStore) { // the same, whether insights are enabled before or after
				schema = event.Insights
			}
		}
		if opts.Days != nil {
			store, err = l.MakeStore(ctx, NewStore{Name: name, Schema: schema, Days: *opts.Days})
		} else {
			store, err = l.CreateStoreOf(ctx, name, schema)
		}
		if err != nil {
			return nil, err
		}
	case schema != nil && schema != store.schema:
		return nil, failf(ErrConflict, "store %q holds %s, not %s: import into another store", store.Name(), store.schema.Name, schema.Name)
	}
	if p, _ := store.policy(); p.Kind != retention.Ordinary {
		return nil, failf(ErrRefused, "store %s is built in: what it holds comes from the lake itself, import into another store", store.Name())
	}
	if err := store.takes(true); err != nil {
		return nil, err
	}
	if p, _ := store.policy(); opts.Days != nil && (p.Days != *opts.Days || store.Undecided()) {
		if err := l.UpdateStore(ctx, name, StoreUpdate{Days: opts.Days}); err != nil {
			return nil, err
		}
	}
	imp := newImporter(ctx, l, store, opts)
	err = imp.run()
	l.merger.poke()
	if err == nil {
		err = l.settleImported(ctx, store)
	}
	if err == nil {
		imp.keepViews()
	}
	if r := imp.finalReport(); r.Stored+r.Conflicts > 0 && l.opts.DigestInterval > 0 {
		// So that the next opening need not read again what has come.
		if _, err := store.digest(ctx, false); err != nil {
			l.opts.Logger.Warn("making a digest after the import has failed; it is made later", "store", store.Name(), "error", err)
		}
	}
	if err != nil {
		err = fmt.Errorf("importing into store %s: %w", store.Name(), err)
	}
	r := imp.finalReport()
	r.tellPeriod(store)
	if err == nil && !opts.NoInsights {
		if r.Insights, err = l.detectImported(ctx, store, opts.Progress); err != nil {
			err = fmt.Errorf("the import has ended and is kept, but not all that is unusual is told of; the same command does the rest: %w", err)
		}
	}
	return r, err
}

// keepViews makes the groups of views for what has come. What cannot be made now is made in
// the background: the events are there.
func (imp *importer) keepViews() {
	l := imp.lake
	// Nothing is read any more, and the chunks take more memory than all that is to come.
	imp.mu.Lock()
	imp.free, imp.flying = nil, nil
	imp.mu.Unlock()
	began := time.Now()
	err := l.fillStore(imp.ctx, imp.store, imp.workers, false, func(f FillProgress) {
		p := &imp.progress
		p.Lock()
		defer p.Unlock()
		p.Views, p.ViewsDone = f.Segments, f.Done
		p.Elapsed = time.Since(imp.started)
		if imp.opts.Progress != nil {
			imp.opts.Progress(p.ImportProgress)
		}
	})
	if err != nil {
		l.opts.Logger.Warn("the views are not kept for all that was imported yet; that goes on", "store", imp.store.Name(), "error", err)
	}
	imp.mu.Lock()
	imp.report.Views = time.Since(began)
	imp.mu.Unlock()
	l.views.filler.poke()
}

// tellPeriod says how long the store keeps what has come.
func (r *ImportReport) tellPeriod(s *Store) {
	p, _ := s.policy()
	r.Days, r.Undecided = p.Days, s.Undecided()
	if t, ok := s.oldest(); ok && r.Undecided {
		r.Oldest = time.UnixMicro(t).UTC()
	}
}
