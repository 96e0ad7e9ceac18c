package archive

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/cairndb/cairn/engine/digest"
	"github.com/cairndb/cairn/engine/proof"
)

// Bundle is a bundle whose manifest was verified.
type Bundle struct {
	Manifest *Manifest
	v        *verification
}

// Open reads a bundle's manifest and verifies its signature, by one of keys, or, when
// they are nil, by the bundle's own.
func Open(ctx context.Context, from Source, keys *digest.Ring) (*Bundle, error) {
	v := &verification{ctx: ctx, from: from, opts: VerifyOptions{Keys: keys}, report: &Report{}}
	if _, err := v.manifest(); err != nil {
		return nil, err
	}
	return &Bundle{Manifest: v.m, v: v}, nil
}

// Decoder calls fn with the records of a file of some format, in order. A record is
// only valid during the call.
type Decoder func(ctx context.Context, file []byte, fn func(record []byte) error) error

// fileBytesMax bounds a file of a format that is decoded whole: such a file is smaller
// than its records, or, with the columns of Parquet beside them, a few times as large.
const fileBytesMax = 4 * (PartBytesMax + RecordBytesMax)

// Records calls fn with all records in order of their sequence numbers. Every file is
// compared with the manifest and every record with its hash before fn has it. decoders
// has those of the formats Segments and Parquet. A record is only valid during the call.
func (b *Bundle) Records(ctx context.Context, decoders map[string]Decoder, fn func(seq uint64, record []byte) error) error {
	formats := b.Manifest.Selection.Formats
	r := &partReader{from: b.v.from, files: b.v.files, filtered: b.Manifest.Selection.Filtered()}
	next := uint64(0)
	for i := range b.Manifest.Parts {
		p, err := r.read(ctx, formats, &b.Manifest.Parts[i])
		if err != nil {
			return err
		}
		give := func(e *Entry, record []byte) error {
			if proof.LeafHash(record) != e.Leaf || len(record) != e.Bytes {
				return fmt.Errorf("record %d in %s is not the one in the index: %w", e.Seq, p.header.Files[e.File].Path, ErrRecords)
			}
			if e.Seq < next {
				return fmt.Errorf("record %d comes after record %d: %w", e.Seq, next-1, ErrRecords)
			}
			next = e.Seq + 1
			return fn(e.Seq, record)
		}
		if !p.rows {
			for k := range p.entries {
				if err := give(&p.entries[k], p.record(&p.entries[k])); err != nil {
					return err
				}
			}
			continue
		}
		if err := b.decode(ctx, decoders, p, give); err != nil {
			return err
		}
	}
	return nil
}

// decode gives the records of a part in a format that needs a decoder.
func (b *Bundle) decode(ctx context.Context, decoders map[string]Decoder, p *partRecords, give func(*Entry, []byte) error) error {
	f := &p.header.Files[0]
	decode := decoders[f.Format]
	if decode == nil {
		return fmt.Errorf("%s: records in the format %q cannot be read here", f.Path, f.Format)
	}
	if f.Bytes > fileBytesMax {
		return fmt.Errorf("%s has %d bytes, at most %d are read: %w", f.Path, f.Bytes, fileBytesMax, ErrRecords)
	}
	in, err := openFile(ctx, b.v.from, f)
	if err != nil {
		return err
	}
	file, err := io.ReadAll(in)
	if err := errors.Join(err, in.finish()); err != nil {
		return err
	}
	n := 0
	var stopped error
	err = decode(ctx, file, func(record []byte) error {
		if n == len(p.entries) {
			return fmt.Errorf("%s has more records than its index: %w", f.Path, ErrRecords)
		}
		n++
		stopped = give(&p.entries[n-1], record)
		return stopped
	})
	if stopped != nil {
		return stopped
	}
	if err != nil {
		return fmt.Errorf("%s: %w: %w", f.Path, ErrRecords, err)
	}
	if n != len(p.entries) {
		return fmt.Errorf("%s has %d records, its index %d: %w", f.Path, n, len(p.entries), ErrRecords)
	}
	return nil
}
