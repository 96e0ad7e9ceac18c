package engine

import (
	"context"
	"fmt"
	"time"

	"github.com/cairndb/cairn/engine/archive"
	"github.com/cairndb/cairn/engine/digest"
	"github.com/cairndb/cairn/engine/event"
	"github.com/cairndb/cairn/engine/parquet"
	"github.com/cairndb/cairn/engine/proof"
	"github.com/cairndb/cairn/segment"
)

// ImportBundleOptions say how a bundle is taken back.
type ImportBundleOptions struct {
	// Store is the store to fill, made when there is none; the name that the store had
	// when "".
	Store string
	// Keys are public keys that are trusted. When nil the bundle's own are believed.
	Keys *digest.Ring
	// Progress is called now and then; may be nil.
	Progress func(ExportProgress)
}

// ImportBundleReport is the outcome of taking a bundle back.
type ImportBundleReport struct {
	Store string
	// Events = Stored + Conflicts + Duplicates + Refused.
	Events, Stored, Conflicts, Duplicates, Refused uint64
	Bytes                                          int64
	// Reasons counts refused records by reason.
	Reasons []ImportReason
	// Equal says that the store now has exactly the tree that the bundle was made from:
	// the same records in the same order, and nothing else. EqualWhy is why not.
	Equal    bool
	EqualWhy string
	// Size and Root are those of the store's tree.
	Size    uint64
	Root    proof.Hash
	Elapsed time.Duration
}

const (
	// bundleBatchRecords and bundleBatchBytes bound the records of a bundle that are
	// appended together.
	bundleBatchRecords = 8192
	bundleBatchBytes   = 16 << 20
)

// ImportBundle takes a bundle back: every record, in its original order. The bundle is
// verified as a whole first, and nothing is taken of one that has a problem. Ended
// early and started again, it finds the records that are there already, as duplicates,
// and the store ends up the same.
func (l *Lake) ImportBundle(ctx context.Context, from archive.Source, opts ImportBundleOptions) (*ImportBundleReport, error) {
	done, err := l.beginWrite()
	if err != nil {
		return nil, err
	}
	defer done()
	started := time.Now()
	seen, err := archive.Verify(ctx, from, archive.VerifyOptions{Keys: opts.Keys, Workers: l.opts.Workers})
	if err != nil {
		return nil, err
	}
	if seen.ProblemCount > 0 {
		return nil, failf(ErrCorrupt, "the bundle has %d problems, nothing was taken: %w", seen.ProblemCount, seen.Problems[0])
	}
	b, err := archive.Open(ctx, from, opts.Keys)
	if err != nil {
		return nil, &kindError{kind: ErrCorrupt, err: err}
	}
	s, err := l.bundleStore(ctx, &b.Manifest.Selection, opts.Store)
	if err != nil {
		return nil, err
	}
	k := &bundleImport{ctx: ctx, store: s, report: &ImportBundleReport{Store: s.Name()}, reasons: map[string]int{}}
	err = b.Records(ctx, map[string]archive.Decoder{archive.Segments: decodeSegment, archive.Parquet: decodeParquet}, func(seq uint64, record []byte) error {
		if err := k.add(record); err != nil {
			return err
		}
		if opts.Progress != nil && k.report.Events%bundleBatchRecords == 0 {
			opts.Progress(ExportProgress{Events: b.Manifest.Events, EventsDone: k.report.Events, Bytes: k.report.Bytes, Elapsed: time.Since(started)})
		}
		return nil
	})
	if err == nil {
		err = k.flush()
	}
	if err != nil {
		return k.report, fmt.Errorf("importing the bundle into store %s: %w", s.Name(), err)
	}
	head, err := s.TreeHead()
	if err != nil {
		return k.report, err
	}
	k.compare(b.Manifest, head)
	k.report.Elapsed = time.Since(started)
	return k.report, nil
}

// bundleStore returns the store to fill.
func (l *Lake) bundleStore(ctx context.Context, sel *archive.Selection, name string) (*Store, error) {
	schema := event.TableCalled(sel.Schema)
	if schema == nil {
		return nil, failf(ErrBadInput, "the bundle is of a store with the schema %q, which is not known", sel.Schema)
	}
	if name == "" {
		name = sel.Store
	}
	s := l.storeCalled(name)
	if s == nil {
		return l.CreateStoreOf(ctx, name, schema)
	}
	if s.schema != schema {
		return nil, failf(ErrConflict, "store %q holds %s, the bundle %s: import into another store", s.Name(), s.schema.Name, schema.Name)
	}
	return s, nil
}

// bundleImport is the state of an import.
type bundleImport struct {
	ctx     context.Context
	store   *Store
	report  *ImportBundleReport
	reasons map[string]int // place in report.Reasons

	arena []byte
	ends  []int
}

func (k *bundleImport) add(record []byte) error {
	k.arena = append(k.arena, record...)
	k.ends = append(k.ends, len(k.arena))
	k.report.Events++
	k.report.Bytes += int64(len(record))
	if len(k.ends) >= bundleBatchRecords || len(k.arena) >= bundleBatchBytes {
		return k.flush()
	}
	return nil
}

func (k *bundleImport) flush() error {
	records := make([][]byte, len(k.ends))
	from := 0
	for i, end := range k.ends {
		records[i], from = k.arena[from:end:end], end
	}
	k.arena, k.ends = k.arena[:0], k.ends[:0]
	if len(records) == 0 {
		return nil
	}
	verdicts, err := k.store.Append(k.ctx, records)
	if err != nil {
		return err
	}
	for i := range verdicts {
		switch v := &verdicts[i]; v.Status {
		case Stored:
			k.report.Stored++
		case Conflict:
			k.report.Conflicts++
		case Duplicate:
			k.report.Duplicates++
		default:
			k.report.Refused++
			at, there := k.reasons[v.Reason]
			if !there {
				at = len(k.report.Reasons)
				k.reasons[v.Reason] = at
				k.report.Reasons = append(k.report.Reasons, ImportReason{Reason: v.Reason, Example: v.Detail})
			}
			k.report.Reasons[at].Records++
		}
	}
	return nil
}

// compare says whether the store now is what was exported.
func (k *bundleImport) compare(m *archive.Manifest, head proof.Head) {
	r := k.report
	r.Size, r.Root = head.Size, head.Root
	was, err := m.Selection.Tree.Proof()
	switch {
	case err != nil:
		r.EqualWhy = err.Error()
	case m.Selection.Filtered():
		r.EqualWhy = "the bundle has a selection of the events"
	case m.Missing > 0:
		r.EqualWhy = fmt.Sprintf("%d events had left the store when it was exported", m.Missing)
	case head.Size != was.Size:
		r.EqualWhy = fmt.Sprintf("the store has %d events, the bundle's had %d", head.Size, was.Size)
	case head != was:
		r.EqualWhy = "the store has other events, or in another order"
	default:
		r.Equal = true
	}
}

// decodeSegment reads the records of an exported segment.
func decodeSegment(ctx context.Context, file []byte, fn func(record []byte) error) error {
	blocks, err := archive.DecodeBlocks(file)
	if err != nil {
		return err
	}
	r, err := segment.Open(ctx, blockList(blocks), segment.ReadOptions{Name: "an exported segment"})
	if err != nil {
		return err
	}
	defer r.Close()
	return r.Records(ctx, segment.Range(0, r.Rows()), func(_ int, record []byte) error { return fn(record) })
}

// blockList is the blocks of a segment in memory.
type blockList [][]byte

// Block implements segment.BlockSource.
func (l blockList) Block(_ context.Context, id uint32) ([]byte, func(), error) {
	if int64(id) >= int64(len(l)) {
		return nil, nil, fmt.Errorf("there is no block %d", id)
	}
	return l[id], func() {}, nil
}

// decodeParquet reads the records of an exported Parquet file.
func decodeParquet(_ context.Context, file []byte, fn func(record []byte) error) error {
	return parquet.Records(file, archive.RecordBytesMax, func(_ uint64, record []byte) error { return fn(record) })
}
