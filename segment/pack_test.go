package segment

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

func listOf(values []string) *texts {
	t := &texts{}
	for _, v := range values {
		t.add([]byte(v))
	}
	return t
}

func checkValues(t *testing.T, values []string, sorted, numbers bool) int {
	t.Helper()
	var p valuePacker
	p.newColumn(numbers)
	l := listOf(values)
	page := p.pack(nil, l, 0, len(values), sorted)
	var v valuesPage
	if err := v.open(page, len(values)); err != nil {
		t.Fatal(err)
	}
	var all texts
	if err := v.all(&all, 0, len(values)); err != nil {
		t.Fatal(err)
	}
	for i, want := range values {
		if got := string(all.at(i)); got != want {
			t.Fatalf("value %d is %q, want %q", i, got, want)
		}
	}
	for i := 0; i < len(values); i += 1 + len(values)/50 {
		got, err := v.at(nil, i)
		if err != nil || string(got) != values[i] {
			t.Fatalf("value %d alone is %q, want %q: %v", i, got, values[i], err)
		}
	}
	mid := len(values) / 3
	all.reset()
	if err := v.all(&all, mid, len(values)); err != nil || len(all.ends) != len(values)-mid || string(all.at(0)) != values[mid] {
		t.Fatalf("from %d on: %v", mid, err)
	}
	return len(page)
}

func TestValuePages(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	chars := func(set string, n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = set[rng.IntN(len(set))]
		}
		return string(b)
	}
	const hex, b64 = "0123456789abcdef", "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	uuid := func() string {
		return chars(hex, 8) + "-" + chars(hex, 4) + "-4" + chars(hex, 3) + "-" + chars("89ab", 1) + chars(hex, 3) + "-" + chars(hex, 12)
	}
	many := func(n int, fn func(i int) string) []string {
		out := make([]string, n)
		for i := range out {
			out[i] = fn(i)
		}
		return out
	}
	for _, c := range []struct {
		name    string
		values  []string
		numbers bool
		most    float64 // bytes per value
	}{
		{"one", []string{"x"}, false, 20},
		{"empty", []string{"", "", ""}, false, 20},
		{"uuid", many(4096, func(int) string { return uuid() }), false, 15.3},
		{"uuid with exceptions", many(4096, func(i int) string {
			if i%100 == 7 {
				return "EXAMPLE" + chars(hex, i%20)
			}
			return uuid()
		}), false, 15.9},
		{"two lengths", many(4096, func(i int) string {
			if i%3 == 0 {
				return chars("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", 16)
			}
			return uuid()
		}), false, 14.8},
		{"base64", many(500, func(int) string { return chars(b64, 75) + "=" }), false, 57.5},
		{"keys", many(300, func(int) string { return "AKIA" + chars("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 16) }), false, 10.5},
		{"paths", many(3000, func(i int) string { return fmt.Sprintf("logs/2024/01/%02d/part-%d.gz", i%28, i) }), false, 6},
		{"time", many(4096, func(i int) string { return time.Unix(1.7e9+int64(i/5), 0).UTC().Format(time.RFC3339) }), false, 0.3},
		{"old time", many(40, func(i int) string {
			return time.Date(1+i*240, time.Month(1+i%12), 28, 23, 59, i, 0, time.UTC).Format("2006-01-02T15:04:05Z")
		}), false, 9},
		{"integers", many(4096, func(int) string { return fmt.Sprint(rng.IntN(1000) - 500) }), true, 1.4},
		{"numbers", many(1000, func(i int) string {
			return []string{"1.5", "-0", "007", "1e5", "0", "-12", "123456789012345678901", "999999999999999"}[i%8]
		}), true, 6},
		{"long", many(30, func(i int) string { return strings.Repeat(chars(hex, 50), 100*(i%7)) }), false, 4000},
		{"tokens", many(1000, func(i int) string { return "FwoGZXIv" + chars(b64, 300+rng.IntN(400)) + "=="[:i%3%2*2] }), false, 380},
		{"tokens with exceptions", many(1000, func(i int) string {
			if i%90 == 1 {
				return "arn:aws:iam::123456789012:role/" + chars(hex, 3)
			}
			return chars(b64, 40+rng.IntN(400)) + "="
		}), false, 188},
		{"numbers of many lengths", many(4000, func(i int) string { return chars("0123456789", 12+i%60) }), false, 22.5},
		{"words of many lengths", many(2000, func(i int) string { return strings.Repeat("carried ", i%40) + chars(hex, 1) }), false, 12},
		{"binary", many(100, func(i int) string { return chars(string([]byte{0, 1, 2, 200, 255}), 5) }), false, 6},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := checkValues(t, c.values, false, c.numbers)
			if per := float64(n) / float64(len(c.values)); per > c.most {
				t.Errorf("%.2f bytes per value", per)
			}
			sorted := slices.Sorted(slices.Values(c.values))
			checkValues(t, sorted, true, c.numbers)
		})
	}
}

func FuzzValues(f *testing.F) {
	f.Add([]byte("a\nb\nc"), true)
	f.Add([]byte(strings.Repeat("2024-01-01T00:00:00Z\n", 20)), false)
	f.Add([]byte(strings.Repeat("12\n-7\n0\n", 9)), true)
	f.Add([]byte(strings.Repeat("QmFzZTY0\nIHRva2VucyBvZiBtYW55\nbGVuZ3Rocw==\nYW5kIHNvbWU=\nx y\n", 9)), false)
	var tokens tokenForm
	token := listOf([]string{"q8Zp4kXw2v", "q8Zz1", "q8Zbnnm3Qrs=="})
	all := []uint32{0, 1, 2}
	tokens.find(token, all)
	f.Add(tokens.append([]byte{1, classTokens}, token, all), false)
	f.Add(append([]byte{1, classTokens, 0, 1, 'a', 'b', 1, '=', 0, 30}, make([]byte, 9)...), false)
	f.Fuzz(func(t *testing.T, in []byte, numbers bool) {
		values := strings.Split(string(in), "\n")
		checkValues(t, values, false, numbers)
		slices.Sort(values)
		checkValues(t, values, true, numbers)
		// The same bytes as a page.
		for _, n := range []int{1, 5, 4096} {
			var v valuesPage
			if v.open(in, n) == nil {
				var all texts
				if len(in) < 1<<12 && v.all(&all, 0, n) == nil && len(all.ends) != n {
					t.Fatalf("%d values of %d", len(all.ends), n)
				}
				v.at(nil, n-1)
				(&wanted{text: in, fold: n == 5, unescape: true}).choose(&v, nil)
				v.find(string(in), 0, n, nil)
			}
		}
	})
}

func TestCodePages(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 2))
	var p codePacker
	for _, limit := range []int{1, 2, 3, 16, 200, 256, 257, 5000, 65535, 65536} {
		for _, n := range []int{1, 7, 100, 4096} {
			for name, fn := range map[string]func(i int) int{
				"random": func(int) int { return rng.IntN(limit) },
				"same":   func(int) int { return limit - 1 },
				"runs":   func(i int) int { return i / 50 * 7 % limit },
				"bursts": func(i int) int { return int(uint32(i/9) * 2654435761 >> 8 % uint32(limit)) },
				"few":    func(int) int { return rng.IntN(5) * 1001 % limit },
			} {
				codes := make([]uint32, n)
				for i := range codes {
					codes[i] = uint32(fn(i))
				}
				page := p.pack(nil, codes, limit)
				c, err := openCodes(page, n, limit, nil)
				if err != nil {
					t.Fatalf("%d %d %s: %v", limit, n, name, err)
				}
				from := rng.IntN(n)
				got := make([]uint32, n-from)
				if err := c.read(got, from); err != nil {
					t.Fatal(err)
				}
				if one, err := c.at(from); !slices.Equal(got, codes[from:]) || one != codes[from] || err != nil {
					t.Fatalf("%d %d %s: codes differ", limit, n, name)
				}
				for cut := range min(len(page), 20) {
					openCodes(page[:cut], n, limit, nil)
				}
			}
		}
	}
}

func FuzzCodes(f *testing.F) {
	f.Add([]byte{1, 2, 3, 4, 5, 6}, uint16(7))
	f.Add([]byte{codesLocal, 2, 1, 1, codesPacked, 1, 3}, uint16(300))
	f.Add([]byte{codesRuns, 2, 3, 3, codesPacked, 2, 9, codesPacked, 2, 14}, uint16(6))
	f.Add(new(codePacker).pack(nil, []uint32{1, 1, 1, 1, 4, 4, 4, 4, 4, 4, 4, 4, 4, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7}, 300), uint16(300))
	f.Fuzz(func(t *testing.T, in []byte, limit uint16) {
		lim := int(limit) + 1
		codes := make([]uint32, 0, len(in))
		for i := range in {
			codes = append(codes, uint32(int(in[i])*(1+i%3)%lim))
		}
		if len(codes) > 0 {
			var p codePacker
			c, err := openCodes(p.pack(nil, codes, lim), len(codes), lim, nil)
			if err != nil {
				t.Fatal(err)
			}
			got := make([]uint32, len(codes))
			if err := c.read(got, 0); err != nil || !slices.Equal(got, codes) {
				t.Fatal(got, codes, err)
			}
		}
		for _, n := range []int{1, 3, 4096} {
			c, err := openCodes(in, n, lim, nil)
			if err != nil {
				continue
			}
			got := make([]uint32, n)
			if c.read(got, 0) != nil {
				continue
			}
			for i, x := range got {
				if one, err := c.at(i); int(x) >= lim || one != x || err != nil {
					t.Fatalf("code %d of %d", x, lim)
				}
			}
		}
	})
}

func FuzzInts(f *testing.F) {
	f.Add(binary.LittleEndian.AppendUint64(nil, 1<<50), uint16(1))
	f.Fuzz(func(t *testing.T, in []byte, n uint16) {
		var v []int64
		for b := in; len(b) >= 4; b = b[4:] {
			v = append(v, int64(int32(binary.LittleEndian.Uint32(b)))*int64(1+len(b)%5*1000))
		}
		if len(v) > 0 {
			b, ok := packInts(nil, v)
			if !ok {
				t.Fatal("refused")
			}
			p, err := openInts(b, len(v))
			if err != nil {
				t.Fatal(err)
			}
			got := make([]int64, len(v))
			if p.read(got, 0); !slices.Equal(got, v) {
				t.Fatal(got, v)
			}
			one := got[:1]
			if p.read(one, len(v)/2); one[0] != v[len(v)/2] {
				t.Fatal(one, v)
			}
		}
		if p, err := openInts(in, int(n)); err == nil {
			p.read(make([]int64, n), 0)
		}
	})
}

func TestTimes(t *testing.T) {
	for sec := int64(-62135596800); sec <= 253402300799; sec += 86400*3 + 12345 {
		want := time.Unix(sec, 0).UTC().Format("2006-01-02T15:04:05Z")
		got, ok := appendTime(nil, sec)
		if !ok || string(got) != want {
			t.Fatalf("%d is %s, want %s", sec, got, want)
		}
		if back, ok := parseTime(got); !ok || back != sec {
			t.Fatalf("%s is %d, want %d", got, back, sec)
		}
	}
	for _, s := range []string{
		"", "2024-02-30T00:00:00Z", "2023-02-29T00:00:00Z", "2024-13-01T00:00:00Z", "2024-00-01T00:00:00Z", "2024-01-00T00:00:00Z",
		"2024-01-01T24:00:00Z", "2024-01-01T00:60:00Z", "2024-01-01T00:00:60Z", "2024-01-01 00:00:00Z", "2024-01-01T00:00:00z",
		"0000-01-01T00:00:00Z", "20240101T000000Z0000", "2024-1-001T00:00:00Z", "2024-01-01T00:00:00.1Z", "a024-01-01T00:00:00Z",
	} {
		if sec, ok := parseTime([]byte(s)); ok {
			t.Errorf("%q is %d", s, sec)
		}
	}
	for _, sec := range []int64{-62135596801, 253402300800, 1 << 62, -1 << 63} {
		if b, ok := appendTime(nil, sec); ok {
			t.Errorf("%d is %s", sec, b)
		}
	}
}

func TestUnescape(t *testing.T) {
	for in, want := range map[string]string{
		`plain`: "plain", `\"\\\/\b\f\n\r\t`: "\"\\/\b\f\n\r\t", `\u0041\u00e9\u65e5`: "Aé日", `\ud83d\ude00`: "😀",
		`\ud83d`: "�", `\ude00x`: "�x", `\ud83d\u0041`: "�A", `\ud83dx`: "�x", `\ud83d\ud83d\ude00`: "�😀", `x\`: "x�", `\u12`: "�",
	} {
		if got := string(Unescape([]byte("<"), []byte(in))); got != "<"+want {
			t.Errorf("%s is %q, want %q", in, got, want)
		}
	}
}

func TestCache(t *testing.T) {
	c := NewCache(1000)
	k := func(i int) cacheKey { return cacheKey{number: uint32(i)} }
	for i := range 20 {
		c.put(k(i), i, 40)
	}
	if s := c.Stats(); s.Used > 1000 || s.Used < 500 {
		t.Errorf("%d bytes are used", s.Used)
	}
	if c.get(k(0)) != nil || c.get(k(19)) != 19 {
		t.Error("the wrong ones went")
	}
	if got := c.put(k(19), 77, 1); got != 19 {
		t.Errorf("a second value replaced the first: %v", got)
	}
	c.put(k(100), "big", 1<<20)
	if c.get(k(100)) != "big" || c.get(k(19)) != nil {
		t.Error("a large value must push all others out and stay until the next")
	}
	c.drop(0)
	if s := c.Stats(); s.Used != 0 {
		t.Errorf("%d bytes after drop", s.Used)
	}
}

func TestBitPacking(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for width := uint(0); width <= 32; width++ {
		v := make([]uint32, 333)
		for i := range v {
			v[i] = uint32(rng.Uint64() & (1<<width - 1))
		}
		b := packUint32(nil, v, width)
		if len(b) != packedBytes(len(v), width) {
			t.Fatalf("width %d: %d bytes", width, len(b))
		}
		got := make([]uint32, 300)
		if unpackUint32(got, bytes.Clone(b), 33, width); !slices.Equal(got, v[33:]) {
			t.Fatalf("width %d", width)
		}
	}
}
