package api

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"time"
)

// Paging tokens are opaque: base64url, without padding, of
//
//	version 1 (1) | issued, seconds (8, big-endian) | where the next page begins | MAC (16)
//
// The MAC is over all of that and over what the token is bound to: the operation, the
// caller's account and region, and the request without its token and page size. So a token
// cannot be made or changed by a client, and continues nothing but its own request.
const (
	tokenVersion = 1
	tokenMACLen  = 16
	tokenHeadLen = 1 + 8
	// tokenTime is how long a token holds: a day, for scripts that pause between pages.
	tokenTime = 24 * time.Hour
	// tokenMax bounds a token's text; the shapes allow 1,000 characters.
	tokenMax = 1000
)

var errToken = errors.New("the token is not one that this request gave: repeat the request without it")

// sealToken makes the token of a position.
func sealToken(key []byte, bound []byte, position string, now time.Time) string {
	b := append(make([]byte, 0, tokenHeadLen+len(position)+tokenMACLen), tokenVersion)
	b = binary.BigEndian.AppendUint64(b, uint64(now.Unix()))
	b = append(b, position...)
	return base64.RawURLEncoding.EncodeToString(append(b, tokenMAC(key, bound, b)...))
}

// openToken returns the position of a token.
func openToken(key []byte, bound []byte, token string, now time.Time) (string, error) {
	if len(token) > tokenMax {
		return "", errToken
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(b) < tokenHeadLen+tokenMACLen || b[0] != tokenVersion {
		return "", errToken
	}
	body := b[:len(b)-tokenMACLen]
	if !hmac.Equal(tokenMAC(key, bound, body), b[len(body):]) {
		return "", errToken
	}
	issued := time.Unix(int64(binary.BigEndian.Uint64(body[1:])), 0)
	if now.Sub(issued) > tokenTime {
		return "", errors.New("the token has expired: repeat the request without it")
	}
	return string(body[tokenHeadLen:]), nil
}

func tokenMAC(key, bound, body []byte) []byte {
	h := hmac.New(sha256.New, key)
	_ = binary.Write(h, binary.BigEndian, uint64(len(bound)))
	h.Write(bound)
	h.Write(body)
	return h.Sum(nil)[:tokenMACLen]
}

// bound is what tokens of a call are bound to.
func (c *call) bound() []byte {
	rest := object{}
	for k, v := range c.in {
		switch k {
		case "NextToken", "MaxResults", "MaxQueryResults":
		default:
			rest[k] = v
		}
	}
	b, err := json.Marshal([]any{c.op.name, c.account, c.region, c.who.Name, rest})
	if err != nil {
		panic(err) // what came as JSON goes as JSON
	}
	return b
}

// next makes the NextToken of a position.
func (c *call) next(position string) string {
	return sealToken(c.s.tokenKey, c.bound(), position, c.now)
}

// position returns where the page asked for begins; "" for the first.
func (c *call) position() (string, error) {
	token := c.text("NextToken")
	if token == "" {
		return "", nil
	}
	p, err := openToken(c.s.tokenKey, c.bound(), token, c.now)
	if err != nil {
		return "", c.wrong("NextToken", "NextToken: %v", err)
	}
	return p, nil
}

// page cuts a page of at most size items out of a list that is ordered by key, beginning
// after the position that the request's token names, and returns the token of the next.
func page[T any](c *call, list []T, size int, key func(*T) string) (out []T, next string, err error) {
	from, err := c.position()
	if err != nil {
		return nil, "", err
	}
	if from != "" {
		i := 0
		for i < len(list) && key(&list[i]) <= from {
			i++
		}
		list = list[i:]
	}
	if len(list) > size {
		list = list[:size]
		next = c.next(key(&list[size-1]))
	}
	return list, next, nil
}
