package segment

import (
	"bytes"
	"context"
	"encoding/binary"
	"flag"
	"fmt"
	"os"
	"testing"
)

var update = flag.Bool("update", false, "write the golden segment of the present version anew")

// goldenRecords must never change: the golden segments were made from them.
func goldenRecords(version int) [][]byte {
	var out [][]byte
	for i := range 1100 {
		n := binary.BigEndian.AppendUint64(nil, uint64(i)*0x9e3779b97f4a7c15)
		rec := []byte(`{"id":"`)
		for _, c := range n {
			rec = append(rec, "0123456789abcdef"[c>>4], "0123456789abcdef"[c&15])
		}
		rec = append(rec, `","time":"`...)
		rec, _ = appendTime(rec, 1_700_000_000+int64(i*i%977))
		rec = append(rec, `","user":"u`...)
		rec = appendInt(rec, int64(i*7%83))
		rec = append(rec, `", "team":"t`...)
		rec = appendInt(rec, int64(i*7%83/9))
		rec = append(rec, '"')
		switch i % 4 {
		case 1:
			rec = append(rec, `,"n":-0,"m":{"k":[1,2.50,{"x":null}],"e":{}}`...)
		case 2:
			rec = append(rec, `,"error":"\u00e9\n`...)
			rec = append(rec, n[0]&7+'a', '"')
		}
		if version >= 2 && i%3 == 0 {
			rec = goldenFields2(rec, i)
		}
		out = append(out, append(rec, '}'))
	}
	return out
}

// goldenFields2 are for what version 2 brought: tokens, and values made of others.
func goldenFields2(rec []byte, i int) []byte {
	random := uint64(i) + 1
	next := func(n int) int {
		random = random*6364136223846793005 + 1442695040888963407
		return int(random >> 33 % uint64(n))
	}
	rec = append(rec, `,"token":"IQoJ`...)
	for range 40 + next(90) {
		rec = append(rec, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"[next(64)])
	}
	rec = append(append(rec, "=="[i%3%2:]...), '"')
	session := fmt.Sprintf("session-%d", next(1e9))
	return fmt.Appendf(rec, `,"session":"%s","role":"AROA%08X:%s","arn":"arn:aws:sts::1234:assumed-role/role-%d/%s"`, session, next(1<<32), session, next(5), session)
}

// TestGolden reads segments that were written when the versions of the format were new.
func TestGolden(t *testing.T) {
	for v := oldest; v <= version; v++ {
		t.Run(fmt.Sprint(v), func(t *testing.T) { testGolden(t, v) })
	}
}

func testGolden(t *testing.T, v int) {
	golden := fmt.Sprintf("testdata/v%d.segment", v)
	records := goldenRecords(v)
	if *update && v == version {
		b := NewBuilder(Options{})
		for _, rec := range records {
			if _, err := b.Add(rec); err != nil {
				t.Fatal(err)
			}
		}
		var out []byte
		for _, block := range encode(t, b) {
			out = binary.AppendUvarint(out, uint64(len(block)))
			out = append(out, block...)
		}
		if err := os.WriteFile(golden, out, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	file, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	var m memory
	for in := (input{b: file}); len(in.b) > 0 && !in.bad; {
		m = append(m, in.bytes(in.count(len(in.b))))
	}
	ctx := context.Background()
	r, err := Open(ctx, m, ReadOptions{Name: golden})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Verify(ctx); err != nil {
		t.Fatal(err)
	}
	if r.Rows() != len(records) {
		t.Fatalf("%d rows", r.Rows())
	}
	err = r.Records(ctx, Range(0, r.Rows()), func(row int, rec []byte) error {
		if !bytes.Equal(rec, records[row]) {
			t.Fatalf("row %d is %s, was %s", row, rec, records[row])
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{}
	r.EachColumn(ctx, func(c ColumnInfo) error { used[c.Encoding] = true; return nil })
	want := []string{"dictionary", "plain"}
	if v == 2 {
		want = append(want, "built", "filled")
	}
	for _, e := range want {
		if !used[e] {
			t.Errorf("no column is %s", e)
		}
	}
}
