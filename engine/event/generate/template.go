package generate

import (
	"fmt"
	"math/bits"
	"strconv"
	"strings"
)

// The values of a record come from templates: literal text with placeholders in angle brackets, compiled once
// into a list of operations that append to a buffer. The notation:
//
//	<acct> <region> <az>             account number, region, an availability zone of it
//	<parn> <pname> <sess> <mykey>    the caller's ARN, role or user name, session name, access key
//	<svc> <event> <org>              service prefix and name of the event itself; the account's organization
//	<peer>                           number of the other account of a call between two
//	<uuid> <UUID> <tag>              random UUID, in capitals, tag value (sometimes not ASCII)
//	<tagkey>                         tag key, another one in each copy of <rep:…>
//	<hex:n> <AN:n> <an:n> <A32:n> <a32:n> <dig:n> <b64:n>      n random characters of an alphabet
//	<b64:a-b>                        between a and b base64 characters, in fours
//	<int:a-b> <zint:a-b>             a number; with z small ones are likelier, here and below
//	<pick:x|y|z> <zpick:x|y|z>       one of several templates
//	<opt:p:x>                        x in p percent of the cases
//	<rep:a-b:x> <zrep:a-b:x>         a to b copies of x with commas between
//	<iso:±s> <isoms:±s> <isons:±s> <us:±s> <epoch:±s> <epochms:±s> <epochfrac:±s> <day:±s> <path:±s>
//	                                 the event's time plus s seconds in the forms that services write
//	<bucket>, <role>, …              an entity (entities.go): the same one throughout a record
//	<bucket+>, <role+>, …            another one each time
//	<$name>                          a macro of the data tables, expanded in place
//
// A template must not hold "<", ">" or (inside a placeholder) "|" for any other purpose; JSON text has no need.
type template []op

type op struct {
	lit  string // appended before the operation itself
	kind opKind
	a, b uint32
	n    int64
	subs []template
}

type opKind uint8

const (
	opLit opKind = iota
	opAcct
	opRegion
	opAZ
	opPrincipalARN
	opPrincipalName
	opSession
	opMyKey
	opService
	opEvent
	opOrg
	opPeer
	opUUID
	opUUIDUpper
	opTag
	opTagKey
	opPower // a: count, b: bits a character, n: which alphabet
	opAny
	opBase64Range
	opInt
	opSkewedInt
	opPick
	opSkewedPick
	opOpt
	opRep
	opSkewedRep
	opISO
	opISOMilli
	opISONano
	opUS
	opEpoch
	opEpochMilli
	opEpochFrac
	opDay
	opPath
	opEntity
	opFreshEntity
)

var plainOps = map[string]opKind{
	"acct": opAcct, "region": opRegion, "az": opAZ, "parn": opPrincipalARN, "pname": opPrincipalName,
	"sess": opSession, "mykey": opMyKey, "svc": opService, "event": opEvent, "org": opOrg, "peer": opPeer, "uuid": opUUID, "UUID": opUUIDUpper, "tag": opTag, "tagkey": opTagKey,
}

var timeOps = map[string]opKind{
	"iso": opISO, "isoms": opISOMilli, "isons": opISONano, "us": opUS, "epoch": opEpoch, "epochms": opEpochMilli,
	"epochfrac": opEpochFrac, "day": opDay, "path": opPath,
}

// alphabets by placeholder; width is the number of bits of those whose size is a power of two, else 0.
var alphabets = []struct {
	name, set string
	width     uint32
}{
	{"hex", lowerHex, 4}, {"HEX", upperHex, 4}, {"b64", base64Set, 6}, {"A32", base32Set, 5}, {"a32", lower32Set, 5},
	{"AN", upperSet, 0}, {"an", lowerSet, 0}, {"dig", digitSet, 0},
}

// compiler turns template text into operations. A mistake in the tables is a mistake in this package, found by
// whichever test runs first; hence it panics.
type compiler struct {
	entities map[string]uint32
	macros   map[string]string
}

func (c *compiler) compile(text string) template {
	if text == "" {
		return nil
	}
	var t template
	lit := ""
	for depth := 0; text != ""; {
		i := strings.IndexByte(text, '<')
		if i < 0 {
			lit += text
			break
		}
		lit += text[:i]
		text = text[i+1:]
		end := -1
		depth = 1
		for j := 0; j < len(text); j++ {
			switch text[j] {
			case '<':
				depth++
			case '>':
				depth--
			}
			if depth == 0 {
				end = j
				break
			}
		}
		if end < 0 {
			panic("generate: placeholder without end: " + text)
		}
		body := text[:end]
		text = text[end+1:]
		if name, ok := strings.CutPrefix(body, "$"); ok {
			m, ok := c.macros[name]
			if !ok {
				panic("generate: no macro " + name)
			}
			text = m + text
			continue
		}
		o := c.placeholder(body)
		o.lit, lit = lit, ""
		t = append(t, o)
	}
	if lit != "" {
		t = append(t, op{lit: lit})
	}
	return t
}

func (c *compiler) placeholder(body string) op {
	name, arg, _ := strings.Cut(body, ":")
	if k, ok := plainOps[name]; ok {
		return op{kind: k}
	}
	if k, ok := timeOps[name]; ok {
		var n int64
		if arg != "" {
			n = number(arg)
		}
		return op{kind: k, n: n}
	}
	for i, a := range alphabets {
		if a.name != name {
			continue
		}
		if lo, hi, ok := strings.Cut(arg, "-"); ok {
			return op{kind: opBase64Range, a: uint32(number(lo)), b: uint32(number(hi))}
		}
		o := op{kind: opPower, a: uint32(number(arg)), b: a.width, n: int64(i)}
		if a.width == 0 {
			o.kind = opAny
		}
		return o
	}
	switch name {
	case "int", "zint":
		lo, hi, _ := strings.Cut(arg, "-")
		o := op{kind: opInt, n: number(lo), a: uint32(number(hi) - number(lo) + 1)}
		if name == "zint" {
			o.kind = opSkewedInt
		}
		return o
	case "pick", "zpick":
		o := op{kind: opPick}
		if name == "zpick" {
			o.kind = opSkewedPick
		}
		for _, part := range alternatives(arg) {
			o.subs = append(o.subs, c.compile(part))
		}
		o.a = uint32(len(o.subs))
		return o
	case "opt":
		p, rest, _ := strings.Cut(arg, ":")
		return op{kind: opOpt, a: uint32(number(p)) * 10, subs: []template{c.compile(rest)}}
	case "rep", "zrep":
		r, rest, _ := strings.Cut(arg, ":")
		lo, hi, _ := strings.Cut(r, "-")
		o := op{kind: opRep, n: number(lo), a: uint32(number(hi) - number(lo) + 1), subs: []template{c.compile(rest)}}
		if name == "zrep" {
			o.kind = opSkewedRep
		}
		return o
	}
	kind := opEntity
	if n, ok := strings.CutSuffix(name, "+"); ok {
		name, kind = n, opFreshEntity
	}
	e, ok := c.entities[name]
	if !ok {
		panic("generate: unknown placeholder " + body)
	}
	return op{kind: kind, a: e}
}

func number(s string) int64 {
	n, err := strconv.ParseInt(strings.TrimPrefix(s, "+"), 10, 64)
	if err != nil {
		panic(fmt.Sprintf("generate: %q is not a number", s))
	}
	return n
}

// alternatives splits at the bars outside nested placeholders.
func alternatives(s string) []string {
	var parts []string
	depth, from := 0, 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '<':
			depth++
		case '>':
			depth--
		case '|':
			if depth == 0 {
				parts = append(parts, s[from:i])
				from = i + 1
			}
		}
	}
	return append(parts, s[from:])
}

// exec appends what a template gives for the record at hand.
func (c *recorder) exec(dst []byte, t template) []byte {
	for i := range t {
		o := &t[i]
		dst = append(dst, o.lit...)
		switch o.kind {
		case opLit:
		case opAcct:
			dst = append(dst, c.account.id...)
		case opRegion:
			dst = append(dst, c.region.name...)
		case opAZ:
			dst = append(append(dst, c.region.name...), "abc"[c.rng.below(3)])
		case opPrincipalARN:
			dst = c.appendCallerARN(dst)
		case opPrincipalName:
			dst = append(dst, c.run.principal.name...)
		case opSession:
			dst = c.appendSessionName(dst)
		case opMyKey:
			dst = c.appendAccessKey(dst)
		case opService:
			dst = append(dst, c.event.service.name...)
		case opEvent:
			dst = append(dst, c.event.name...)
		case opOrg:
			dst = append(dst, c.account.org...)
		case opPeer:
			dst = append(dst, c.peer.id...)
		case opUUID:
			dst = appendUUID(dst, c.rng.next(), c.rng.next(), lowerHex)
		case opUUIDUpper:
			dst = appendUUID(dst, c.rng.next(), c.rng.next(), upperHex)
		case opTag:
			dst = append(dst, tagValues[c.rng.skewed(uint32(len(tagValues)))]...)
		case opTagKey:
			dst = append(dst, tagKeys[c.nth%len(tagKeys)]...)
		case opPower:
			dst = c.rng.appendPower(dst, alphabets[o.n].set, o.b, o.a)
		case opAny:
			dst = c.rng.appendAny(dst, alphabets[o.n].set, o.a)
		case opBase64Range:
			dst = c.rng.appendPower(dst, base64Set, 6, (o.a+c.rng.below(o.b-o.a+1))&^3)
		case opInt:
			dst = strconv.AppendInt(dst, o.n+int64(c.rng.below(o.a)), 10)
		case opSkewedInt:
			dst = strconv.AppendInt(dst, o.n+int64(c.rng.skewed(o.a)), 10)
		case opPick:
			dst = c.exec(dst, o.subs[c.rng.below(o.a)])
		case opSkewedPick:
			dst = c.exec(dst, o.subs[c.rng.skewed(o.a)])
		case opOpt:
			if c.rng.chance(o.a) {
				dst = c.exec(dst, o.subs[0])
			}
		case opRep:
			dst = c.repeat(dst, o.subs[0], o.n+int64(c.rng.below(o.a)))
		case opSkewedRep:
			dst = c.repeat(dst, o.subs[0], o.n+int64(c.rng.skewed(o.a)))
		case opISO:
			dst = appendISO(dst, c.sec+o.n)
		case opISOMilli:
			dst = append(three(append(appendLocal(dst, c.sec+o.n), '.'), int(c.rng.below(1000))), 'Z')
		case opISONano:
			dst = append(c.rng.appendAny(append(appendLocal(dst, c.sec+o.n), '.'), digitSet, 9), 'Z')
		case opUS:
			dst = appendUS(dst, c.sec+o.n)
		case opEpoch:
			dst = strconv.AppendInt(dst, c.sec+o.n, 10)
		case opEpochMilli:
			dst = three(strconv.AppendInt(dst, c.sec+o.n, 10), int(c.rng.below(1000)))
		case opEpochFrac:
			// A number as a program prints it: never a zero at the end of the fraction.
			dst = append(strconv.AppendInt(dst, c.sec+o.n, 10), '.')
			dst = append(c.rng.appendAny(dst, digitSet, c.rng.below(3)), "123456789"[c.rng.below(9)])
		case opDay:
			dst = appendDate(dst, c.sec+o.n, '-')
		case opPath:
			dst = appendDate(dst, c.sec+o.n, '/')
		case opEntity:
			dst = c.appendEntity(dst, o.a, c.entity(o.a))
		case opFreshEntity:
			dst = c.appendEntity(dst, o.a, c.pickEntity(o.a))
		}
	}
	return dst
}

func (c *recorder) repeat(dst []byte, t template, n int64) []byte {
	outer := c.nth
	for i := range int(n) {
		if i > 0 {
			dst = append(dst, ',')
		}
		c.nth = i
		dst = c.exec(dst, t)
	}
	c.nth = outer
	return dst
}

// An entity is a thing that calls are about: a bucket, a role, an instance. It is not stored: its name is made
// from a hash of its kind, account, region and number each time it is needed, so that populations of any size
// cost nothing and start at once.

// entity returns the number of the record's entity of a kind, chosen at its first mention.
func (c *recorder) entity(kind uint32) uint32 {
	if c.chosen[kind>>6]>>(kind&63)&1 == 0 {
		c.chosen[kind>>6] |= 1 << (kind & 63)
		c.number[kind] = c.pickEntity(kind)
	}
	return c.number[kind]
}

// pickEntity chooses one: each caller has a few habitual ones out of the account's.
func (c *recorder) pickEntity(kind uint32) uint32 {
	e := &c.model.entities[kind]
	if e.size == 0 {
		return uint32(c.rng.next())
	}
	home, _ := bits.Mul64(finish(c.run.principal.id+uint64(kind)<<32), uint64(e.size))
	i := uint32(home) + c.rng.skewed(e.size)
	if i >= e.size {
		i -= e.size
	}
	return i
}

func (c *recorder) appendEntity(dst []byte, kind, number uint32) []byte {
	e := &c.model.entities[kind]
	var seed uint64 // of what there is no end of, the number says all: two accounts can speak of the same
	if e.size > 0 {
		seed = c.account.seed
		if e.regional {
			seed += c.region.salt
		}
	}
	kept := c.rng
	c.rng = rng{hash(seed, uint64(kind)<<40|uint64(number))}
	dst = c.exec(dst, e.form)
	c.rng = kept
	return dst
}
