package index

import (
	"flag"
	"fmt"
	"math/bits"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the golden files in testdata")

// dumper prints bytes and what they mean. It reads as the package comment says
// and shares nothing with the code, bit by bit.
type dumper struct {
	strings.Builder
	b  []byte
	at int // bit
}

func (d *dumper) number(n int) uint64 {
	v := uint64(0)
	for i := range n {
		v |= uint64(d.b[(d.at+i)/8]>>((d.at+i)%8)&1) << i
	}
	d.at += n
	return v
}

// bytes prints a field of n bytes.
func (d *dumper) bytes(n int, meaning string, args ...any) uint64 {
	from := d.at / 8
	fmt.Fprintf(d, "%04d-%04d  %-18x %s", from, from+n, d.b[from:from+n], fmt.Sprintf(meaning, args...))
	v := uint64(0)
	if n <= 8 {
		v = d.number(8 * n)
		fmt.Fprintf(d, " %d", v)
	} else {
		d.at += 8 * n
	}
	fmt.Fprintln(d)
	return v
}

// align goes to the next whole byte.
func (d *dumper) align() { d.at = (d.at + 7) / 8 * 8 }

func dumpPostings(data []byte) string {
	d := &dumper{b: data}
	d.bytes(4, "magic %q", data[:4])
	d.bytes(1, "format version")
	grain := d.bytes(1, "units of 2^")
	d.bytes(2, "zero")
	rows := d.bytes(4, "rows")
	distinct := d.bytes(4, "codes")
	d.bytes(4, "rows of a listed code at most")
	length := d.bytes(4, "bits of the lists")
	units := (rows + 1<<grain - 1) >> grain
	type code struct{ length, bits int }
	tables := make([]map[code]int, 3)
	for i, what := range []string{"numbers of units", "first units", "gaps"} {
		symbols := bits.Len64(units) + 1
		if i == 0 {
			symbols++
		}
		from := d.at / 8
		var lengths []int
		for range symbols {
			lengths = append(lengths, int(d.number(4)))
		}
		d.align()
		fmt.Fprintf(d, "%04d-%04d  code lengths of %s: %v\n", from, d.at/8, what, lengths)
		// Canonical: by length, then by symbol, counting up.
		tables[i] = map[code]int{}
		next := 0
		for l := 1; l <= 8; l++ {
			for s, length := range lengths {
				if length == l {
					tables[i][code{l, next}] = s
					next++
				}
			}
			next *= 2
		}
	}
	read := func(table, excess int) (symbol int, v uint64) {
		c := code{}
		for {
			c.length++
			c.bits = c.bits*2 + int(d.number(1))
			if c.length > 8 {
				panic("no such code")
			}
			if s, ok := tables[table][c]; ok {
				if s <= excess {
					return s, 0
				}
				return s, 1<<(s-excess-1) | d.number(s-excess-1)
			}
		}
	}
	from := d.at / 8
	var offsets []uint64
	for range (distinct + 31) / 32 {
		offsets = append(offsets, d.number(bits.Len64(length)))
	}
	d.align()
	fmt.Fprintf(d, "%04d-%04d  offsets of %d bits: %v\n", from, d.at/8, bits.Len64(length), offsets)
	lists := d.at
	for c := range distinct {
		from := d.at - lists
		symbol, size := read(0, 1)
		fmt.Fprintf(d, "  bit %4d  code %d: ", from, c)
		switch {
		case symbol == 0:
			fmt.Fprintln(d, "not listed")
			continue
		case size >= 64:
			fmt.Fprintf(d, "(%d bits) ", d.number(bits.Len64(size)+6))
		}
		unit := uint64(0)
		for i := range size {
			if i == 0 {
				_, unit = read(1, 0)
			} else {
				_, gap := read(2, 0)
				unit += gap + 1
			}
			fmt.Fprintf(d, "%d ", unit)
		}
		fmt.Fprintln(d)
	}
	if d.at-lists != int(length) {
		fmt.Fprintf(d, "the lists have %d bits\n", d.at-lists)
	}
	d.align()
	d.bytes(8, "checksum")
	return d.String()
}

func dumpFilterPage(data []byte) string {
	d := &dumper{b: data}
	d.bytes(4, "magic %q", data[:4])
	d.bytes(1, "format version")
	kind := d.bytes(1, "kind (0 ribbon, 1 list)")
	width := int(d.bytes(1, "bits per number"))
	d.bytes(1, "blocks")
	d.bytes(4, "page")
	d.bytes(4, "pages")
	d.bytes(4, "keys")
	d.bytes(4, "seed")
	for d.at/8 < len(data)-8 {
		if kind == 1 {
			e := d.bytes(4, "key")
			fmt.Fprintf(d, "           hash %06x block %d\n", e>>8, e&255)
			continue
		}
		for b := range width {
			d.bytes(8, "bit %d of 64 rows", b)
		}
	}
	d.bytes(8, "checksum")
	return d.String()
}

// TestLayout fixes every byte of the formats. A difference means that segments
// written before cannot be read.
func TestLayout(t *testing.T) {
	var s strings.Builder
	c := column{distinct: 40, rows: 1000}
	for row := range c.rows {
		code := uint32(row % 7 % 4)
		if row%5 == 0 {
			code = uint32(4 + row*row/50%36)
		}
		c.codes = append(c.codes, code)
	}
	for _, opts := range []PostingsOptions{{MaxRows: 70}, {Grain: 16, MaxRows: 10}} {
		_, data := c.build(t, opts)
		fmt.Fprintf(&s, "postings %+v\n%s\n", opts, dumpPostings(data))
	}
	for _, keys := range []int{3, 40} {
		raw, err := BuildFilter(append(someKeys(1, keys, 16), Key{Hash([]byte("several")), 1}, Key{HashString("several"), 2}), FilterOptions{})
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&s, "filter page of %d keys\n%s\n", keys+1, dumpFilterPage(raw[0]))
	}
	const golden = "testdata/layout.txt"
	if *update {
		if err := os.WriteFile(golden, []byte(s.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if s.String() != string(want) {
		t.Errorf("the format has changed:\n%s", s.String())
	}
}
