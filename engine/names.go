package engine

import (
	"encoding/hex"
	"fmt"
	"io"
	"strings"
	"unicode"
)

// checkStoreName says what is wrong with a store's name.
func checkStoreName(name string) error {
	if name == "" {
		return failf(ErrBadInput, "a store's name must not be empty")
	}
	if len(name) > StoreNameMax {
		return failf(ErrLimit, "the name of a store has at most %d bytes, this one has %d", StoreNameMax, len(name))
	}
	for i, r := range name {
		if unicode.IsLetter(r) || unicode.IsDigit(r) || i > 0 && strings.ContainsRune("_-.", r) {
			continue
		}
		return failf(ErrBadInput, "store name %q: %q at byte %d is neither a letter nor a digit nor, after the first, one of _-.", name, r, i)
	}
	if isUUID(name) {
		return failf(ErrBadInput, "store name %q looks like an ID", name)
	}
	return nil
}

// checkNewStoreName checks the name of a store that somebody else than the lake makes: one in
// the place of a built-in store would keep that from being made.
func checkNewStoreName(name string) error {
	for _, taken := range []string{AuditStore, HistoryStore} {
		if strings.EqualFold(name, taken) {
			return failf(ErrBadInput, "store name %q: %s is built in, and made by the lake itself when it is needed", name, taken)
		}
	}
	return checkStoreName(name)
}

// isUUID reports whether s is spelled like a UUID.
func isUUID(s string) bool {
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return false
	}
	_, err := hex.DecodeString(strings.ReplaceAll(s, "-", ""))
	return err == nil
}

// newUUID makes a random UUID (version 4).
func newUUID(rand io.Reader) (id [16]byte, err error) {
	if _, err := io.ReadFull(rand, id[:]); err != nil {
		return id, fmt.Errorf("reading random bytes: %w", err)
	}
	id[6] = id[6]&0x0f | 0x40
	id[8] = id[8]&0x3f | 0x80
	return id, nil
}

func formatUUID(id [16]byte) string {
	h := hex.EncodeToString(id[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}
