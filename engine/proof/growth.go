package proof

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

const (
	growthHead = "cairn/consistency-proof@v1\n"

	// growthMax is the longest consistency proof of trees below SizeMax.
	growthMax = pathMax + 1

	// GrowthBytesMax bounds a consistency proof: a checkpoint, and 63 lines before it.
	GrowthBytesMax = CheckpointBytesMax + 4<<10
)

// Growth shows that the tree with a signed head begins with an older one: that what was
// in a store then is in it now, unchanged and in the same order. Its text is
//
//	cairn/consistency-proof@v1
//	older SIZE ROOT
//	HASH              any number of times: the proof of RFC 9162, 2.1.4.1
//
//	CHECKPOINT        of the newer tree, a signed note
//
// with roots and hashes in base64.
type Growth struct {
	// Older is the head of the older tree, which whoever checks must have from elsewhere.
	Older Head
	Path  []Hash
	// Checkpoint of the newer tree is a signed note.
	Checkpoint []byte
}

// Format returns the text.
func (g *Growth) Format() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%solder %d %s\n", growthHead, g.Older.Size, base64.StdEncoding.EncodeToString(g.Older.Root[:]))
	for _, h := range g.Path {
		b.WriteString(base64.StdEncoding.EncodeToString(h[:]))
		b.WriteByte('\n')
	}
	b.WriteByte('\n')
	b.Write(g.Checkpoint)
	return b.Bytes()
}

// ParseGrowth reads a consistency proof. Nothing is verified by it.
func ParseGrowth(text []byte) (*Growth, error) {
	fail := func(format string, args ...any) (*Growth, error) {
		return nil, fmt.Errorf("reading a consistency proof: "+format, args...)
	}
	if len(text) > GrowthBytesMax {
		return fail("%d bytes are too many", len(text))
	}
	rest, ok := strings.CutPrefix(string(text), growthHead)
	if !ok {
		return fail("its first line is not %q", strings.TrimSpace(growthHead))
	}
	head, checkpoint, ok := strings.Cut(rest, "\n\n")
	if !ok {
		return fail("there is no empty line before a checkpoint")
	}
	lines := strings.Split(head, "\n")
	if len(lines) > 1+growthMax {
		return fail("%d lines before the checkpoint", len(lines))
	}
	g := &Growth{Checkpoint: []byte(checkpoint)}
	size, root, _ := strings.Cut(strings.TrimPrefix(lines[0], "older "), " ")
	var err error
	if g.Older.Size, err = parseSize(size); err != nil || !strings.HasPrefix(lines[0], "older ") {
		return fail("line 2 is not \"older\", a size and a root")
	}
	if g.Older.Root, err = parseHash(root); err != nil {
		return fail("line 2 is not \"older\", a size and a root: %w", err)
	}
	for i, line := range lines[1:] {
		h, err := parseHash(line)
		if err != nil {
			return fail("line %s: %w", strconv.Itoa(3+i), err)
		}
		g.Path = append(g.Path, h)
	}
	if _, err := UnverifiedCheckpoint(g.Checkpoint); err != nil {
		return nil, fmt.Errorf("reading a consistency proof: %w", err)
	}
	return g, nil
}

// Check verifies that the tree of the checkpoint begins with the older one, and that the
// checkpoint is signed by a known key. known may be nil for a checkpoint that is trusted for
// other reasons. That Older is the head that somebody saw, only they can say.
func (g *Growth) Check(known note.Verifiers) (*Checkpoint, error) {
	c, err := UnverifiedCheckpoint(g.Checkpoint)
	if known != nil && err == nil {
		c, err = OpenCheckpoint(g.Checkpoint, known)
	}
	if err != nil {
		return nil, err
	}
	if err := CheckConsistency(g.Path, g.Older, c.Head); err != nil {
		return nil, err
	}
	return c, nil
}
