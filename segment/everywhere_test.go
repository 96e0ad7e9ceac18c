package segment

import (
	"context"
	"errors"
	"testing"
)

// withoutShapes is a segment of which literals, shapes and the shapes of rows cannot be read.
type withoutShapes struct {
	memory
	from, to uint32 // their blocks
}

var errShapesRead = errors.New("shapes are read")

func (m withoutShapes) Block(ctx context.Context, id uint32) ([]byte, func(), error) {
	if id >= m.from && id < m.to {
		return nil, nil, errShapesRead
	}
	return m.memory.Block(ctx, id)
}

// TestEverywhere reads values that every row has without any shapes, which is most of what a first answer
// would read. What they are TestAgainstModel knows.
func TestEverywhere(t *testing.T) {
	ctx := context.Background()
	b := NewBuilder(Options{})
	for _, rec := range alikeRecords(1, 2*BlockRows+100) {
		if _, err := b.Add(rec); err != nil {
			t.Fatal(err)
		}
	}
	e, err := b.Finish()
	if err != nil {
		t.Fatal(err)
	}
	m := blocksOf(e)
	d, err := readDirectory(m[0])
	if err != nil {
		t.Fatal(err)
	}
	from, to := d.block(pageEdges), d.block(uint32(pageRows+d.rowBlocks-1))+1
	r, err := Open(ctx, withoutShapes{m, from, to}, ReadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	last := r.Rows() - 1
	for path, there := range map[string]bool{
		"eventID": true, "eventTime": true, "eventName": true, "n": true, "note": true, "fraction": true,
		"errorCode": false, "owner": false, "user": false,
	} {
		p, ok, err := r.Lookup(ctx, []string{path})
		if err != nil || !ok {
			t.Fatal(path, ok, err)
		}
		for what, read := range map[string]func() error{
			"texts of a block": func() error { _, err := r.Text(ctx, p, Range(BlockRows, 2*BlockRows)); return err },
			"texts of rows":    func() error { _, err := r.Text(ctx, p, List([]uint32{3, BlockRows, uint32(last)})); return err },
			"kinds":            func() error { _, err := r.Kinds(ctx, p, Range(0, 10), nil); return err },
			"times of a block": func() error { _, err := r.Timestamps(ctx, p, Range(0, BlockRows), nil); return err },
			"rows of a value":  func() error { _, _, err := r.Equal(ctx, p, []string{"x"}, 1, nil); return err },
		} {
			if path == "note" && what != "texts of rows" && what != "kinds" {
				continue // whole blocks of values with escapes are read as records are
			}
			if err := read(); errors.Is(err, errShapesRead) == there {
				t.Errorf("%s of %s, which are in every row (%v): %v", what, path, there, err)
			}
			r.Forget()
		}
	}
}
