package segment

import (
	"bytes"
	"context"
	"math/rand/v2"
	"testing"
)

// TestContaining searches for pieces of records, and compares with the records.
func TestContaining(t *testing.T) {
	ctx := context.Background()
	for _, o := range []Options{{}, {MaxColumns: 12}, {MaxShapes: 20}} {
		records := modelRecords(9, BlockRows+700)
		r := seal(t, o, records)
		rng := rand.New(rand.NewPCG(1, 2))
		searched, exact := 0, 0
		for range 250 {
			rec := records[rng.IntN(len(records))]
			from := rng.IntN(len(rec))
			text := string(rec[from:min(len(rec), from+1+rng.IntN(12))])
			switch rng.IntN(20) {
			case 0:
				text = "zz" + text
			case 1:
				text = []string{"", "eventName", "00Z", "-", "\\", "é", "10", "e5", "\x00"}[rng.IntN(9)]
			}
			rows, ok, err := r.Containing(ctx, text)
			if err != nil {
				t.Fatal(err)
			}
			if !ok {
				continue
			}
			searched++
			same := true
			for i, rec := range records {
				if bytes.Contains(rec, []byte(text)) {
					if !rows.Get(i) {
						t.Fatalf("%q is in record %d, which was not found:\n%s", text, i, rec)
					}
				} else if rows.Get(i) {
					same = false
				}
			}
			if same {
				exact++
			}
		}
		if searched < 60 || exact < searched*9/10 {
			t.Errorf("%d texts were searched for, %d of them with no row too many", searched, exact)
		}
	}
}
