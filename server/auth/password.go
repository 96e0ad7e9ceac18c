package auth

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/xdg-go/stringprep"

	"github.com/cairndb/cairn/engine"
)

// The rules of passwords, and how verifiers are made.
const (
	// PasswordMin is the shortest password in characters: guessing online is slowed,
	// and a stolen verifier of a password this long is not worth much.
	PasswordMin = 12

	// PasswordMax is the longest in bytes. It bounds what one attempt can make the
	// server hash.
	PasswordMax = 1024

	// passwordKinds is how many different characters there must be.
	passwordKinds = 5

	// iterations is what a new verifier is made with: RFC 7677 asks for 4,096 at
	// least, and clients in slow languages compute it at every sign-in.
	iterations = 10_000

	// iterationsMin is the floor of RFC 7677, for verifiers that come from outside;
	// iterationsMax keeps such a one from making clients compute for minutes.
	iterationsMin, iterationsMax = 4096, 1_000_000

	saltLen = 16
)

// CheckPassword says what is wrong with a password for a name; nil when nothing is.
func CheckPassword(name, password string) error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w: the password "+format, append([]any{engine.ErrBadInput}, args...)...)
	}
	switch n := utf8.RuneCountInString(password); {
	case len(password) > PasswordMax:
		return bad("has %d bytes, at most %d are taken", len(password), PasswordMax)
	case !utf8.ValidString(password):
		return bad("is not UTF-8")
	case n < PasswordMin:
		return bad("has %d characters, it needs %d", n, PasswordMin)
	}
	seen := map[rune]bool{}
	for _, r := range password {
		if unicode.IsControl(r) {
			return bad("has a control character")
		}
		seen[r] = true
	}
	if len(seen) < passwordKinds {
		return bad("has %d different characters, it needs %d", len(seen), passwordKinds)
	}
	if len(name) >= 4 && strings.Contains(strings.ToLower(password), strings.ToLower(name)) {
		return bad("contains the name")
	}
	if _, err := stringprep.SASLprep.Prepare(password); err != nil {
		return bad("has characters that clients treat in different ways: %v", err)
	}
	return nil
}

// generatedAlphabet has no characters that are taken for one another.
const generatedAlphabet = "abcdefghijkmnpqrstuvwxyz23456789"

// GeneratePassword makes a password of 24 characters in four groups, 120 random bits,
// from a source of random bytes; crypto/rand when nil.
func GeneratePassword(random io.Reader) (string, error) {
	if random == nil {
		random = rand.Reader
	}
	var b [24]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return "", fmt.Errorf("reading random bytes: %w", err)
	}
	var s strings.Builder
	for i, x := range b {
		if i > 0 && i%6 == 0 {
			s.WriteByte('-')
		}
		s.WriteByte(generatedAlphabet[x%byte(len(generatedAlphabet))])
	}
	return s.String(), nil
}

// MakeVerifier makes the verifier of a password with a random salt, from crypto/rand when
// random is nil.
func MakeVerifier(random io.Reader, password string) (engine.Verifier, error) {
	if random == nil {
		random = rand.Reader
	}
	salt := make([]byte, saltLen)
	if _, err := io.ReadFull(random, salt); err != nil {
		return engine.Verifier{}, fmt.Errorf("reading random bytes: %w", err)
	}
	return verifierOf(password, salt, iterations)
}

// verifierOf computes a verifier as section 3 of RFC 5802 has it.
func verifierOf(password string, salt []byte, rounds int) (engine.Verifier, error) {
	prepared, err := stringprep.SASLprep.Prepare(password)
	if err != nil {
		prepared = password // as PostgreSQL and its clients do
	}
	salted, err := pbkdf2.Key(sha256.New, prepared, salt, rounds, sha256.Size)
	if err != nil {
		return engine.Verifier{}, err
	}
	client := sum(salted, "Client Key")
	stored := sha256.Sum256(client)
	return engine.Verifier{Iterations: uint32(rounds), Salt: salt, StoredKey: stored[:], ServerKey: sum(salted, "Server Key")}, nil
}

func sum(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

// Matches reports whether a password is that of a verifier, for protocols that send
// the password itself. It takes the time of a sign-in whatever the answer.
func Matches(v engine.Verifier, password string) bool {
	if len(password) > PasswordMax {
		password = password[:PasswordMax] // which was never taken, and so does not match
	}
	got, err := verifierOf(password, v.Salt, int(v.Iterations))
	return err == nil && hmac.Equal(got.StoredKey, v.StoredKey) && hmac.Equal(got.ServerKey, v.ServerKey)
}

// verifierPrefix begins the text of a verifier in the form that PostgreSQL and its
// clients have for it:
//
//	SCRAM-SHA-256$iterations:salt$storedkey:serverkey       in base64
const verifierPrefix = "SCRAM-SHA-256$"

// FormatVerifier writes a verifier in PostgreSQL's form, in which a client can set a
// password without showing it to the server.
func FormatVerifier(v engine.Verifier) string {
	enc := base64.StdEncoding.EncodeToString
	return fmt.Sprintf("%s%d:%s$%s:%s", verifierPrefix, v.Iterations, enc(v.Salt), enc(v.StoredKey), enc(v.ServerKey))
}

// ParseVerifier reads a verifier in PostgreSQL's form; ok is false for a text that
// does not begin like one.
func ParseVerifier(text string) (v engine.Verifier, ok bool, err error) {
	rest, ok := strings.CutPrefix(text, verifierPrefix)
	if !ok {
		return v, false, nil
	}
	bad := fmt.Errorf("%w: the verifier is not SCRAM-SHA-256$iterations:salt$storedkey:serverkey with %d to %d iterations", engine.ErrBadInput, iterationsMin, iterationsMax)
	params, keys, ok1 := strings.Cut(rest, "$")
	count, salt, ok2 := strings.Cut(params, ":")
	stored, server, ok3 := strings.Cut(keys, ":")
	if !ok1 || !ok2 || !ok3 || len(text) > 512 {
		return v, true, bad
	}
	n, err := strconv.ParseUint(count, 10, 32)
	if err != nil || n < iterationsMin || n > iterationsMax {
		return v, true, bad
	}
	v.Iterations = uint32(n)
	for _, part := range []struct {
		to   *[]byte
		text string
		min  int
		max  int
	}{{&v.Salt, salt, 8, 128}, {&v.StoredKey, stored, sha256.Size, sha256.Size}, {&v.ServerKey, server, sha256.Size, sha256.Size}} {
		b, err := base64.StdEncoding.Strict().DecodeString(part.text)
		if err != nil || len(b) < part.min || len(b) > part.max {
			return engine.Verifier{}, true, bad
		}
		*part.to = b
	}
	return v, true, nil
}

// pretend makes the verifier of a name that nobody has: the same one each time, and
// none that any password matches.
func pretend(secret []byte, name string) engine.Verifier {
	name = strings.ToLower(name)
	return engine.Verifier{
		Iterations: iterations,
		Salt:       sum(secret, "salt of "+name)[:saltLen],
		StoredKey:  sum(secret, "stored key of "+name),
		ServerKey:  sum(secret, "server key of "+name),
	}
}
