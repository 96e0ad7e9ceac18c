package generate

import "math/bits"

// rng is SplitMix64: eight bytes of state, about a nanosecond a number, and a stream that any seed starts at
// once. Every unit of work (one account, region and slot of time) seeds its own from the generator's seed, so
// that which goroutine does the work, and in which order, cannot change a byte. It is part of the output's
// definition: another generator here means another data set for every seed.
type rng struct{ s uint64 }

// golden is the increment of SplitMix64, 2^64 divided by the golden ratio.
const golden = 0x9e3779b97f4a7c15

func (r *rng) next() uint64 {
	r.s += golden
	return finish(r.s)
}

// finish is the output permutation of SplitMix64: a bijection on 64 bits, hence also a hash without collisions.
func finish(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// hash mixes two words into one.
func hash(a, b uint64) uint64 { return finish(finish(a+golden)^b) + golden*b }

// below returns a number in [0, n), n > 0. The bias of the multiplication (below 2^-32) is of no concern here.
func (r *rng) below(n uint32) uint32 {
	hi, _ := bits.Mul64(r.next(), uint64(n))
	return uint32(hi)
}

// skewed returns a number in [0, n) with small ones by far the likeliest: the cube of a uniform number, so that
// of n = 100 the first value takes 21 % and the first ten 46 %. All integer, so that no machine rounds otherwise.
func (r *rng) skewed(n uint32) uint32 {
	u := r.next() >> 32
	c := u * u >> 32 * u >> 32
	return uint32(c * uint64(n) >> 32)
}

// chance is true in pm of 1,000 cases.
func (r *rng) chance(pm uint32) bool { return r.below(1000) < pm }

const (
	lowerHex   = "0123456789abcdef"
	upperHex   = "0123456789ABCDEF"
	base64Set  = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	base32Set  = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
	lower32Set = "abcdefghijklmnopqrstuvwxyz234567"
	digitSet   = "0123456789"
	upperSet   = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	lowerSet   = "0123456789abcdefghijklmnopqrstuvwxyz"
)

// appendPower appends n characters of an alphabet whose size is 2^width.
func (r *rng) appendPower(dst []byte, set string, width, n uint32) []byte {
	per := 64 / width
	mask := uint64(1)<<width - 1
	for n > 0 {
		v := r.next()
		k := min(per, n)
		n -= k
		for ; k > 0; k-- {
			dst = append(dst, set[v&mask])
			v >>= width
		}
	}
	return dst
}

// appendAny appends n characters of an alphabet of any size up to 64.
func (r *rng) appendAny(dst []byte, set string, n uint32) []byte {
	size := uint64(len(set))
	for n > 0 {
		v := r.next()
		k := min(8, n)
		n -= k
		for ; k > 0; k-- {
			hi, lo := bits.Mul64(v, size)
			dst = append(dst, set[hi])
			v = lo
		}
	}
	return dst
}

// appendUUID appends the text of a random (version 4) UUID made of two words.
func appendUUID(dst []byte, hi, lo uint64, set string) []byte {
	hi = hi&^0xf000 | 0x4000
	lo = lo&^(3<<62) | 2<<62
	var b [36]byte
	at := 0
	for i := range 8 {
		v := byte(hi >> (56 - 8*i))
		b[at], b[at+1] = set[v>>4], set[v&15]
		at += 2
		if i == 3 || i == 5 || i == 7 {
			b[at] = '-'
			at++
		}
	}
	for i := range 8 {
		v := byte(lo >> (56 - 8*i))
		b[at], b[at+1] = set[v>>4], set[v&15]
		at += 2
		if i == 1 {
			b[at] = '-'
			at++
		}
	}
	return append(dst, b[:]...)
}
