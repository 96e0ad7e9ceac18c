package catalog

import (
	"fmt"
	"strings"
)

// Role is what a principal is for. The numbers are part of the format.
type Role uint32

// The roles. Zero is none, and may do nothing.
const (
	RoleAdmin   Role = 1 // everything, other principals included
	RoleWriter  Role = 2 // appends to named stores
	RoleReader  Role = 3 // queries named stores, all accounts or named ones
	RoleAuditor Role = 4 // verifies, exports, sees the audit store
)

// roleMax is the last role.
const roleMax = RoleAuditor

// Limits of principals.
const (
	// PrincipalNameMax is the longest name in bytes, that of a name on the Postgres
	// wire.
	PrincipalNameMax = 63

	// grantsMax bounds the stores and the accounts of one principal: more than any
	// organisation has, and small enough to be compared with at every query.
	grantsMax = 1 << 16

	// verifierMax bounds each part of a verifier; SCRAM-SHA-256 has 32 bytes.
	verifierMax = 256
)

// All, as the name of a store or an account, stands for all there are and will be.
const All = "*"

// Principal is somebody who can sign in.
type Principal struct {
	// Name is unique without regard to case.
	Name string
	Role Role
	// Stores are the names of the stores that the role is for, Accounts the accounts
	// whose events are seen; [All] alone is all of them, none at all is nothing.
	Stores, Accounts []string
	// Created and Rotated are times: when the principal was made, and when its
	// password was last set.
	Created, Rotated int64
	// Verifier tells whether somebody knows the password.
	Verifier Verifier
}

// Verifier is what is kept of a password: the parameters of SCRAM-SHA-256 (RFC 5802,
// RFC 7677). Neither the password nor anything that signs in can be got from it but
// by trying passwords.
type Verifier struct {
	Iterations uint32
	Salt       []byte
	StoredKey  []byte
	ServerKey  []byte
}

func principalKey(name string) []byte {
	return append([]byte{keyPrincipal}, strings.ToLower(name)...)
}

// Put writes the principal.
func (p *Principal) Put(w Writer) {
	e := newEncoder()
	e.text(p.Name)
	e.uint(uint64(p.Role))
	e.texts(p.Stores)
	e.texts(p.Accounts)
	e.int(p.Created)
	e.int(p.Rotated)
	e.uint(uint64(p.Verifier.Iterations))
	e.text(string(p.Verifier.Salt))
	e.text(string(p.Verifier.StoredKey))
	e.text(string(p.Verifier.ServerKey))
	key := principalKey(p.Name)
	w.Set(key, e.seal(key))
}

// Remove deletes the principal's record.
func (p *Principal) Remove(w Writer) { w.Delete(principalKey(p.Name)) }

func (p *Principal) decode(key, value []byte) error {
	d, err := newDecoder(key, value)
	if err != nil {
		return err
	}
	p.Name = d.text()
	p.Role = Role(d.uint32())
	p.Stores = d.texts()
	p.Accounts = d.texts()
	p.Created = d.int()
	p.Rotated = d.int()
	p.Verifier.Iterations = d.uint32()
	p.Verifier.Salt = d.bytes()
	p.Verifier.StoredKey = d.bytes()
	p.Verifier.ServerKey = d.bytes()
	if d.err == nil && (p.Role == 0 || p.Role > roleMax) {
		d.fail("role %d is not known", p.Role)
	}
	if d.err == nil && (p.Name == "" || len(p.Name) > PrincipalNameMax) {
		d.fail("a name of %d bytes", len(p.Name))
	}
	return d.finish(principalKey(p.Name))
}

func (e *encoder) texts(list []string) {
	e.uint(uint64(len(list)))
	for _, s := range list {
		e.text(s)
	}
}

func (d *decoder) texts() []string {
	n := d.uint()
	// Each takes a byte at least.
	if n > grantsMax || n > uint64(len(d.b)) {
		d.fail("%d names in %d bytes", n, len(d.b))
		return nil
	}
	var list []string
	for range n {
		list = append(list, d.text())
	}
	return list
}

func (d *decoder) bytes() []byte {
	s := d.text()
	if len(s) > verifierMax {
		d.fail("%d bytes in a verifier", len(s))
		return nil
	}
	return []byte(s)
}

// Principals returns all principals, in order of their names in lower case.
func Principals(r Reader) ([]Principal, error) {
	var list []Principal
	err := r.Scan([]byte{keyPrincipal}, func(key, value []byte) error {
		var p Principal
		if err := p.decode(key, value); err != nil {
			return err
		}
		list = append(list, p)
		return nil
	})
	return list, err
}

// FindPrincipal returns the principal with a name, nil when there is none.
func FindPrincipal(r Reader, name string) (*Principal, error) {
	var found *Principal
	want := principalKey(name)
	err := r.Scan(want, func(key, value []byte) error {
		if string(key) != string(want) {
			return nil // a longer name
		}
		p := &Principal{}
		if err := p.decode(key, value); err != nil {
			return err
		}
		found = p
		return nil
	})
	return found, err
}

// PretenceLen is the length of the secret of pretended verifiers.
const PretenceLen = 32

// PutPretence writes the secret from which the salts of names that nobody has are
// made, so that a stranger cannot tell them from names that somebody has. It gives
// no access to anything.
func PutPretence(w Writer, secret [PretenceLen]byte) {
	e := newEncoder()
	e.text(string(secret[:]))
	key := []byte{keyPretence}
	w.Set(key, e.seal(key))
}

// Pretence returns the secret; ok is false when there is none.
func Pretence(r Reader) (secret [PretenceLen]byte, ok bool, err error) {
	err = r.Scan([]byte{keyPretence}, func(key, value []byte) error {
		d, err := newDecoder(key, value)
		if err != nil {
			return err
		}
		s := d.text()
		if d.err == nil && len(s) != PretenceLen {
			d.fail("a secret of %d bytes", len(s))
		}
		ok = copy(secret[:], s) == PretenceLen
		return d.finish([]byte{keyPretence})
	})
	return secret, ok, err
}

// String returns the role's name as commands have it.
func (r Role) String() string {
	switch r {
	case RoleAdmin:
		return "admin"
	case RoleWriter:
		return "writer"
	case RoleReader:
		return "reader"
	case RoleAuditor:
		return "auditor"
	}
	return fmt.Sprintf("role %d", uint32(r))
}
