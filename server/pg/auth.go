package pg

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"net/netip"
	"strings"

	"github.com/cairndb/cairn/server/auth"
)

// Authenticator knows who may sign in. Its methods are called from many goroutines.
type Authenticator interface {
	// Credential returns what the password of a user is checked with. For a name that
	// nobody has it returns a credential with a salt that is always the same for that
	// name and keys that no password fits, so that nobody learns which names there are.
	// An error ends the connection with its text: for those who have failed too often.
	Credential(ctx context.Context, user string, from netip.Addr) (Credential, error)
	// SignIn returns the principal after the client has proved to be it; by is
	// "scram-sha-256" or "certificate". An error ends the connection with its text.
	SignIn(ctx context.Context, user string, from netip.Addr, by string) (Principal, error)
	// Failed is told of every sign-in that did not succeed after Credential, and why.
	Failed(ctx context.Context, user string, from netip.Addr, why string)
}

// Credential is a SCRAM-SHA-256 verifier (RFC 5802, RFC 7677).
type Credential struct {
	Salt       []byte
	Iterations int
	StoredKey  [32]byte
	ServerKey  [32]byte
}

// Principal is who has signed in.
type Principal interface {
	// Name is the name that it has signed in with.
	Name() string
	// Admin reports whether it may do everything, which clients are told.
	Admin() bool
	// May returns an error when it may not do an action now.
	May(action auth.Action) error
	// Standing is what it may do now, or an error when it has been removed. The pointer
	// is another one when what it may do has changed.
	Standing() (*auth.Principal, error)
	// Database is the lake as it may see it.
	Database() Database
	// Users changes principals in its name; nil where nobody signs in.
	Users() Users
}

// Users are the principals of a lake, as one of them may change them (see auth.Store).
type Users interface {
	List(ctx context.Context) ([]auth.Listed, error)
	// Add and Rotate return the password when they have made one.
	Add(ctx context.Context, name string, g auth.Grants, password, application string) (made string, err error)
	Rotate(ctx context.Context, name, password, application string) (made string, err error)
	Grant(ctx context.Context, name string, g auth.Grants, application string) error
	Revoke(ctx context.Context, name string, g auth.Grants, application string) error
	Remove(ctx context.Context, name, application string) error
}

const (
	scramPlain = "SCRAM-SHA-256"
	scramPlus  = "SCRAM-SHA-256-PLUS"
	// scramMax bounds a message of the exchange: a nonce, a name and a proof are less
	// than 200 bytes.
	scramMax = 4 << 10
)

// errScram is a message of the exchange that is not what it must be.
type errScram struct{ what string }

func (e errScram) Error() string { return "malformed SCRAM message: " + e.what }

// errProof says that the password was wrong, or nobody has the name.
var errProof = errors.New("wrong proof")

// scram is the server's side of one exchange.
type scram struct {
	plus    bool   // the client has chosen channel binding
	offered bool   // the server has offered it
	binding []byte // tls-server-end-point data

	header      string // the client's gs2 header
	clientFirst string // without the header
	serverFirst string
	nonce       string
	cred        Credential
}

// first reads the client's first message and returns the server's.
func (s *scram) first(msg []byte, cred Credential, newNonce func() (string, error)) ([]byte, error) {
	text := string(msg)
	if len(text) > scramMax || strings.ContainsRune(text, 0) {
		return nil, errScram{"the first message"}
	}
	parts := strings.SplitN(text, ",", 3)
	if len(parts) < 3 {
		return nil, errScram{"the header"}
	}
	switch flag := parts[0]; {
	case flag == "n" && !s.plus:
	case flag == "y" && !s.plus:
		if s.offered {
			// The client believes that binding was not offered: somebody in between has
			// taken it out of the list.
			return nil, errScram{"the client could have used channel binding, and does not know that it was offered"}
		}
	case strings.HasPrefix(flag, "p=") && s.plus:
		if flag != "p=tls-server-end-point" {
			return nil, errScram{"the kind of channel binding must be tls-server-end-point"}
		}
	default:
		return nil, errScram{"the flag of channel binding does not fit the mechanism"}
	}
	if parts[1] != "" && !strings.HasPrefix(parts[1], "a=") {
		return nil, errScram{"the header"}
	}
	s.header = parts[0] + "," + parts[1] + ","
	s.clientFirst = parts[2]
	fields := strings.Split(s.clientFirst, ",")
	if strings.HasPrefix(s.clientFirst, "m=") {
		return nil, errScram{"extensions are not supported"}
	}
	if len(fields) < 2 || !strings.HasPrefix(fields[0], "n=") || !strings.HasPrefix(fields[1], "r=") {
		return nil, errScram{"the first message"}
	}
	client := fields[1][2:]
	if client == "" || !printableASCII(client) {
		return nil, errScram{"the nonce"}
	}
	own, err := newNonce()
	if err != nil {
		return nil, err
	}
	s.cred = cred
	s.nonce = client + own
	s.serverFirst = fmt.Sprintf("r=%s,s=%s,i=%d", s.nonce, base64.StdEncoding.EncodeToString(cred.Salt), cred.Iterations)
	return []byte(s.serverFirst), nil
}

// final checks the client's proof and returns the server's.
func (s *scram) final(msg []byte) ([]byte, error) {
	text := string(msg)
	if len(text) > scramMax {
		return nil, errScram{"the final message"}
	}
	cut := strings.LastIndex(text, ",p=")
	if cut < 0 {
		return nil, errScram{"there is no proof"}
	}
	without := text[:cut]
	proof, err := base64.StdEncoding.Strict().DecodeString(text[cut+3:])
	if err != nil || len(proof) != sha256.Size {
		return nil, errScram{"the proof"}
	}
	fields := strings.Split(without, ",")
	if len(fields) < 2 || !strings.HasPrefix(fields[0], "c=") || !strings.HasPrefix(fields[1], "r=") {
		return nil, errScram{"the final message"}
	}
	bound, err := base64.StdEncoding.Strict().DecodeString(fields[0][2:])
	if err != nil {
		return nil, errScram{"the channel binding"}
	}
	want := []byte(s.header)
	if s.plus {
		want = append(want, s.binding...)
	}
	if !hmac.Equal(bound, want) {
		return nil, errScram{"the channel binding does not fit this connection"}
	}
	if !hmac.Equal([]byte(fields[1][2:]), []byte(s.nonce)) {
		return nil, errScram{"the nonce is not that of this exchange"}
	}
	all := []byte(s.clientFirst + "," + s.serverFirst + "," + without)
	signature := mac(s.cred.StoredKey[:], all)
	key := make([]byte, sha256.Size)
	for i := range key {
		key[i] = proof[i] ^ signature[i]
	}
	stored := sha256.Sum256(key)
	if !hmac.Equal(stored[:], s.cred.StoredKey[:]) {
		return nil, errProof
	}
	return []byte("v=" + base64.StdEncoding.EncodeToString(mac(s.cred.ServerKey[:], all))), nil
}

func mac(key, data []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write(data)
	return h.Sum(nil)
}

func printableASCII(s string) bool {
	for _, c := range []byte(s) {
		if c < 0x21 || c > 0x7e || c == ',' {
			return false
		}
	}
	return true
}

// randomNonce returns a nonce of 18 random bytes, as Postgres does.
func randomNonce() (string, error) {
	var b [18]byte
	if _, err := rand.Read(b[:]); err != nil {
		return "", err
	}
	return base64.StdEncoding.EncodeToString(b[:]), nil
}

// endPointBinding returns the data of tls-server-end-point (RFC 5929): the hash of the
// server's certificate by the hash of its signature, SHA-256 in place of weaker ones;
// nil when the certificate's signature has no such hash.
func endPointBinding(certificate []byte) []byte {
	cert, err := x509.ParseCertificate(certificate)
	if err != nil {
		return nil
	}
	var h hash.Hash
	switch cert.SignatureAlgorithm {
	case x509.SHA384WithRSA, x509.ECDSAWithSHA384, x509.SHA384WithRSAPSS:
		h = sha512.New384()
	case x509.SHA512WithRSA, x509.ECDSAWithSHA512, x509.SHA512WithRSAPSS:
		h = sha512.New()
	case x509.PureEd25519, x509.UnknownSignatureAlgorithm:
		return nil
	default:
		h = sha256.New()
	}
	h.Write(certificate)
	return h.Sum(nil)
}

// serverCertificate returns the certificate that a connection is served with, nil when
// it depends on what the client asks for.
func serverCertificate(cfg *tls.Config) []byte {
	if cfg == nil || len(cfg.Certificates) != 1 || len(cfg.Certificates[0].Certificate) == 0 || cfg.GetCertificate != nil || cfg.GetConfigForClient != nil {
		return nil
	}
	return bytes.Clone(cfg.Certificates[0].Certificate[0])
}
