package fn

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"hash/crc32"
	"math"
	"math/bits"
	"slices"
	"strings"
	"unsafe"

	"github.com/cespare/xxhash/v2"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/sqlerr"
)

func digest(newHash func() hash.Hash) kernel {
	return func(c *Context, t *column.Type, args []*column.Vector, n int) (*column.Vector, error) {
		v, out := made[string](t, n)
		pace := pacer{c: c}
		h := newHash()
		var sum []byte
		for i := range out {
			if args[0].IsNull(i) {
				continue
			}
			h.Reset()
			hashText(&pace, h, strAt(args[0], i))
			sum = h.Sum(sum[:0])
			out[i] = string(sum)
		}
		return v, nil
	}
}

// encodedPiece is how many bytes are encoded between two looks whether the query
// has ended: whole groups of 3 bytes (base64) and of 5 (base32).
const encodedPiece = 4096 * 15

// encoded makes a kernel of a function that appends the text of some bytes, which
// is that of its pieces.
func encoded(f func(dst, piece []byte) []byte) kernel {
	return try1(func(c *Context, s string) (string, bool, error) {
		pace := &pacer{c: c}
		dst := f(nil, []byte(s[:min(len(s), encodedPiece)]))
		if len(s) <= encodedPiece {
			return string(dst), true, nil
		}
		dst = slices.Grow(dst, len(s)/encodedPiece*len(dst)+len(dst))
		for s = s[encodedPiece:]; s != ""; s = s[min(len(s), encodedPiece):] {
			pace.tick(encodedPiece)
			dst = f(dst, []byte(s[:min(len(s), encodedPiece)]))
		}
		return unsafe.String(unsafe.SliceData(dst), len(dst)), true, nil // dst is nobody else's
	})
}

func appendHex(dst, piece []byte) []byte {
	const digits = "0123456789ABCDEF"
	for _, c := range piece {
		dst = append(dst, digits[c>>4], digits[c&15])
	}
	return dst
}

// hashText writes a text to a hash, piece by piece when it is long.
func hashText(p *pacer, h hash.Hash, s string) {
	const rate = 4 // bytes hashed while one is worked on elsewhere
	for len(s) > tickBytes {
		p.tick(tickBytes / rate)
		h.Write([]byte(s[:tickBytes]))
		s = s[tickBytes:]
	}
	p.tick(rowWork + len(s)/rate)
	h.Write([]byte(s))
}

// murmur3 is the 128-bit hash for 64-bit machines with seed 0.
func murmur3(s string) string {
	const c1, c2 = 0x87c37b91114253d5, 0x4cf5ad432745937f
	var h1, h2 uint64
	n := len(s)
	mix1 := func(k uint64) uint64 { return bits.RotateLeft64(k*c1, 31) * c2 }
	mix2 := func(k uint64) uint64 { return bits.RotateLeft64(k*c2, 33) * c1 }
	b := []byte(s)
	for ; len(b) >= 16; b = b[16:] {
		h1 ^= mix1(binary.LittleEndian.Uint64(b))
		h1 = (bits.RotateLeft64(h1, 27)+h2)*5 + 0x52dce729
		h2 ^= mix2(binary.LittleEndian.Uint64(b[8:]))
		h2 = (bits.RotateLeft64(h2, 31)+h1)*5 + 0x38495ab5
	}
	var tail [16]byte
	copy(tail[:], b)
	if len(b) > 8 {
		h2 ^= mix2(binary.LittleEndian.Uint64(tail[8:]))
	}
	if len(b) > 0 {
		h1 ^= mix1(binary.LittleEndian.Uint64(tail[:]))
	}
	h1 ^= uint64(n)
	h2 ^= uint64(n)
	h1 += h2
	h2 += h1
	h1, h2 = mix(h1), mix(h2)
	h1 += h2
	h2 += h1
	out := binary.BigEndian.AppendUint64(nil, h1)
	return string(binary.BigEndian.AppendUint64(out, h2))
}

func addHashes(l *library) {
	family := "hash and encoding"
	for _, h := range []struct {
		name, example, result string
		new                   func() hash.Hash
	}{
		{"md5", "to_hex(md5(to_utf8('a')))", "0CC175B9C0F1B6A831C399E269772661", md5.New},
		{"sha1", "to_hex(sha1(to_utf8('a')))", "86F7E437FAA5A7FCE15D1DDCB9EAEAEA377667B8", sha1.New},
		{"sha256", "substr(to_hex(sha256(to_utf8('a'))), 1, 16)", "CA978112CA1BBDCA", sha256.New},
		{"sha512", "substr(to_hex(sha512(to_utf8('a'))), 1, 16)", "1F40FC92DA241694", sha512.New},
	} {
		l.scalar(Doc{Name: h.name, Family: family, Signature: h.name + "(varbinary) → varbinary", Summary: "Gives the " + strings.ToUpper(h.name) + " hash.",
			Example: h.example, Result: h.result}, over("varbinary", "varbinary", digest(h.new)))
		l.scalar(Doc{Name: "hmac_" + h.name, Family: family, Signature: "hmac_" + h.name + "(varbinary, key) → varbinary",
			Summary: "Gives the HMAC with " + strings.ToUpper(h.name) + "."},
			over("varbinary, varbinary", "varbinary", try2(func(c *Context, s, key string) (string, bool, error) {
				m := hmac.New(h.new, []byte(key))
				hashText(&pacer{c: c}, m, s)
				return string(m.Sum(nil)), true, nil
			})))
	}
	bytesTo := func(name, summary, example, result string, f func(string) string) {
		l.scalar(Doc{Name: name, Family: family, Signature: name + "(varbinary) → varbinary", Summary: summary, Example: example, Result: result},
			over("varbinary", "varbinary", map1(f)))
	}
	bytesTo("xxhash64", "Gives the 64-bit xxHash.", "to_hex(xxhash64(to_utf8('a')))", "D24EC4F1A98C6E5B",
		func(s string) string { return string(binary.BigEndian.AppendUint64(nil, xxhash.Sum64String(s))) })
	bytesTo("murmur3", "Gives the 128-bit Murmur3 hash.", "to_hex(murmur3(to_utf8('a')))", "85555565F6597889E6B53A48510E895A", murmur3)
	l.scalar(Doc{Name: "crc32", Family: family, Signature: "crc32(varbinary) → bigint", Summary: "Gives the CRC-32 checksum.", Example: "crc32(to_utf8('a'))", Result: "3904355907"},
		over("varbinary", "bigint", map1(func(s string) int64 { return int64(crc32.ChecksumIEEE([]byte(s))) })))

	encode := func(name, what, example, result string, f func(dst, piece []byte) []byte) {
		l.scalar(Doc{Name: name, Family: family, Signature: name + "(varbinary) → varchar", Summary: "Writes bytes in " + what + ".", Example: example, Result: result},
			over("varbinary", "varchar", encoded(f)))
	}
	decode := func(name, what, example, result string, f func(string) ([]byte, error)) {
		k := try1(func(_ *Context, s string) (string, bool, error) {
			b, err := f(s)
			if err != nil {
				return "", false, fault(sqlerr.InvalidText, "%s is not %s", shown(s), what)
			}
			return string(b), true, nil
		})
		l.scalar(Doc{Name: name, Family: family, Signature: name + "(string) → varbinary", Summary: "Reads bytes written in " + what + ".", Example: example, Result: result},
			over("varchar", "varbinary", k), over("varbinary", "varbinary", k))
	}
	encode("to_hex", "hexadecimal", "to_hex(to_utf8('az'))", "617A", appendHex)
	decode("from_hex", "hexadecimal", "from_hex('617A')", "61 7a", hex.DecodeString)
	encode("to_base64", "base64", "to_base64(to_utf8('a?>'))", "YT8+", base64.StdEncoding.AppendEncode)
	decode("from_base64", "base64", "from_base64('YT8+')", "61 3f 3e", func(s string) ([]byte, error) { return fromBase64(base64.StdEncoding, s) })
	encode("to_base64url", "base64 for URLs", "to_base64url(to_utf8('a?>'))", "YT8-", base64.URLEncoding.AppendEncode)
	decode("from_base64url", "base64 for URLs", "from_base64url('YT8-')", "61 3f 3e", func(s string) ([]byte, error) { return fromBase64(base64.URLEncoding, s) })
	encode("to_base32", "base32", "to_base32(to_utf8('a'))", "ME======", base32.StdEncoding.AppendEncode)
	decode("from_base32", "base32", "from_base32('ME======')", "61", base32.StdEncoding.DecodeString)

	fixed := func(name, signature, summary, example, result, from, to string, k kernel) {
		l.scalar(Doc{Name: name, Family: family, Signature: signature, Summary: summary, Example: example, Result: result}, over(from, to, k))
	}
	size := func(s string, n int) error {
		if len(s) != n {
			return fault(sqlerr.InvalidArgument, "%d bytes are wanted, not %d", n, len(s))
		}
		return nil
	}
	fixed("to_big_endian_64", "to_big_endian_64(bigint) → varbinary", "Writes a bigint as 8 bytes.", "to_big_endian_64(1)", "00 00 00 00 00 00 00 01",
		"bigint", "varbinary", map1(func(x int64) string { return string(binary.BigEndian.AppendUint64(nil, uint64(x))) }))
	fixed("from_big_endian_64", "from_big_endian_64(varbinary) → bigint", "Reads a bigint from 8 bytes.", "from_big_endian_64(to_big_endian_64(-5))", "-5",
		"varbinary", "bigint", try1(func(_ *Context, s string) (int64, bool, error) {
			if err := size(s, 8); err != nil {
				return 0, false, err
			}
			return int64(binary.BigEndian.Uint64([]byte(s))), true, nil
		}))
	fixed("to_big_endian_32", "to_big_endian_32(integer) → varbinary", "Writes an integer as 4 bytes.", "to_big_endian_32(1)", "00 00 00 01",
		"integer", "varbinary", map1(func(x int64) string { return string(binary.BigEndian.AppendUint32(nil, uint32(x))) }))
	fixed("from_big_endian_32", "from_big_endian_32(varbinary) → integer", "Reads an integer from 4 bytes.", "from_big_endian_32(to_big_endian_32(-5))", "-5",
		"varbinary", "integer", try1(func(_ *Context, s string) (int64, bool, error) {
			if err := size(s, 4); err != nil {
				return 0, false, err
			}
			return int64(int32(binary.BigEndian.Uint32([]byte(s)))), true, nil
		}))
	fixed("to_ieee754_64", "to_ieee754_64(double) → varbinary", "Writes a double as 8 bytes.", "to_ieee754_64(1)", "3f f0 00 00 00 00 00 00",
		"double", "varbinary", map1(func(f float64) string { return string(binary.BigEndian.AppendUint64(nil, math.Float64bits(f))) }))
	fixed("from_ieee754_64", "from_ieee754_64(varbinary) → double", "Reads a double from 8 bytes.", "from_ieee754_64(to_ieee754_64(1.5))", "1.5",
		"varbinary", "double", try1(func(_ *Context, s string) (float64, bool, error) {
			if err := size(s, 8); err != nil {
				return 0, false, err
			}
			return math.Float64frombits(binary.BigEndian.Uint64([]byte(s))), true, nil
		}))
}

// fromBase64 reads base64 with or without the padding at its end.
func fromBase64(e *base64.Encoding, s string) ([]byte, error) {
	return e.WithPadding(base64.NoPadding).DecodeString(strings.TrimRight(s, "="))
}
