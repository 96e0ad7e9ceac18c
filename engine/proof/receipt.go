package proof

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

const (
	receiptHead = "c2sp.org/tlog-proof@v1\n"

	// pathMax is the longest proof of a tree below SizeMax.
	pathMax = 60

	// ReceiptBytesMax bounds a receipt: a checkpoint, and 62 lines before it.
	ReceiptBytesMax = CheckpointBytesMax + 4<<10
)

// Receipt shows that a record is in a tree with a signed head.
type Receipt struct {
	// Leaf is the hash of the record as a leaf, Index its sequence number.
	Leaf  Hash
	Index uint64
	// Path has a hash for each step from the leaf to the root.
	Path []Hash
	// Checkpoint is a signed note.
	Checkpoint []byte
}

// Format returns the receipt's text.
func (r *Receipt) Format() []byte {
	var b bytes.Buffer
	b.WriteString(receiptHead)
	fmt.Fprintf(&b, "extra %s\nindex %d\n", base64.StdEncoding.EncodeToString(r.Leaf[:]), r.Index)
	for _, h := range r.Path {
		b.WriteString(base64.StdEncoding.EncodeToString(h[:]))
		b.WriteByte('\n')
	}
	b.WriteByte('\n')
	b.Write(r.Checkpoint)
	return b.Bytes()
}

// ParseReceipt reads a receipt. Nothing is verified by it.
func ParseReceipt(text []byte) (*Receipt, error) {
	fail := func(format string, args ...any) (*Receipt, error) {
		return nil, fmt.Errorf("reading a receipt: "+format, args...)
	}
	if len(text) > ReceiptBytesMax {
		return fail("%d bytes are too many", len(text))
	}
	rest, ok := strings.CutPrefix(string(text), receiptHead)
	if !ok {
		return fail("its first line is not %q", strings.TrimSpace(receiptHead))
	}
	head, checkpoint, ok := strings.Cut(rest, "\n\n")
	if !ok {
		return fail("there is no empty line before a checkpoint")
	}
	lines := strings.Split(head, "\n")
	if len(lines) < 2 || len(lines) > 2+pathMax {
		return fail("%d lines before the checkpoint", len(lines))
	}
	r := &Receipt{Checkpoint: []byte(checkpoint)}
	extra, ok := strings.CutPrefix(lines[0], "extra ")
	var err error
	if r.Leaf, err = parseHash(extra); err != nil || !ok {
		return fail("line 2 is not \"extra\" and the record's hash")
	}
	index, ok := strings.CutPrefix(lines[1], "index ")
	if r.Index, err = parseSize(index); err != nil || !ok {
		return fail("line 3 is not \"index\" and a number")
	}
	for i, line := range lines[2:] {
		h, err := parseHash(line)
		if err != nil {
			return fail("line %s: %w", strconv.Itoa(4+i), err)
		}
		r.Path = append(r.Path, h)
	}
	if _, err := UnverifiedCheckpoint(r.Checkpoint); err != nil {
		return nil, fmt.Errorf("reading a receipt: %w", err)
	}
	return r, nil
}

// ErrOtherRecord is the error of a receipt for other bytes than those given.
var ErrOtherRecord = errors.New("the receipt is for another record")

// Check verifies that the record has the receipt's index in the tree of the
// receipt's checkpoint, and that the checkpoint is signed by a known key. known
// may be nil for a checkpoint that is trusted for other reasons.
func (r *Receipt) Check(record []byte, known note.Verifiers) (*Checkpoint, error) {
	c, err := UnverifiedCheckpoint(r.Checkpoint)
	if known != nil && err == nil {
		c, err = OpenCheckpoint(r.Checkpoint, known)
	}
	if err != nil {
		return nil, err
	}
	if leaf := LeafHash(record); leaf != r.Leaf {
		return nil, fmt.Errorf("the record's hash is %v, the receipt's is %v: %w", leaf, r.Leaf, ErrOtherRecord)
	}
	if err := CheckInclusion(r.Path, c.Head, r.Index, r.Leaf); err != nil {
		return nil, err
	}
	return c, nil
}
