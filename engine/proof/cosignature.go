package proof

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
)

// A witness that has seen a tree grow says so by a cosignature (C2SP's
// tlog-cosignature, Ed25519): 8 bytes of time, seconds since 1970, big-endian, and
// a signature of
//
//	cosignature/v1
//	time 1679315147
//	the text of the checkpoint
const cosignatureHead = "cosignature/v1\ntime "

// cosignatureTime returns the time in a cosignature.
func cosignatureTime(sig []byte) (stamp uint64, ok bool) {
	if len(sig) != 8+ed25519.SignatureSize {
		return 0, false
	}
	stamp = binary.BigEndian.Uint64(sig)
	return stamp, stamp < 1<<62
}

func cosignedMessage(text []byte, stamp uint64) []byte {
	return fmt.Appendf(nil, "%s%d\n%s", cosignatureHead, stamp, text)
}

// CosignatureVerifier returns the verifier of a witness's cosignatures.
func CosignatureVerifier(name string, key ed25519.PublicKey) note.Verifier {
	return &verifier{name, algCosignature, key}
}

// CosignerKey returns the text form of a witness's key.
func CosignerKey(name string, key ed25519.PublicKey) string {
	return fmt.Sprintf("%s+%08x+%s", name, keyHash(name, algCosignature, key), base64.StdEncoding.EncodeToString(append([]byte{algCosignature}, key...)))
}

// Cosign returns the signature line, with its newline, that a witness gives for a
// checkpoint's text.
func Cosign(name string, key ed25519.PrivateKey, text string, at time.Time) string {
	stamp := uint64(at.Unix())
	hash := keyHash(name, algCosignature, key.Public().(ed25519.PublicKey))
	sig := binary.BigEndian.AppendUint32(nil, hash)
	sig = binary.BigEndian.AppendUint64(sig, stamp)
	sig = append(sig, ed25519.Sign(key, cosignedMessage([]byte(text), stamp))...)
	return signaturePrefix + name + " " + base64.StdEncoding.EncodeToString(sig) + "\n"
}

// Cosignature is what a witness has said about a checkpoint.
type Cosignature struct {
	Name string
	Time time.Time
}

// AddCosignatures adds those of a witness's signature lines that are by the given
// verifiers and hold for the checkpoint, and returns the checkpoint with them.
// Lines by others are ignored; if none is left, or one is wrong, that is an error.
func AddCosignatures(checkpoint, lines []byte, known ...note.Verifier) (msg []byte, added []Cosignature, err error) {
	text, _, err := splitNote(checkpoint)
	if err != nil {
		return nil, nil, err
	}
	if len(lines) > CheckpointBytesMax {
		return nil, nil, fmt.Errorf("reading cosignatures: %d bytes are too many", len(lines))
	}
	msg = bytes.Clone(checkpoint)
	for _, line := range strings.SplitAfter(string(lines), "\n") {
		if line == "" {
			continue
		}
		body, ended := strings.CutSuffix(line, "\n")
		name, sig, err := parseSignature(body)
		if err != nil || !ended {
			return nil, nil, fmt.Errorf("reading cosignatures: %q is not a signature line", line)
		}
		for _, v := range known {
			if v.Name() != name || v.KeyHash() != binary.BigEndian.Uint32(sig) {
				continue
			}
			if !v.Verify([]byte(text), sig[4:]) {
				return nil, nil, fmt.Errorf("the cosignature of %s is wrong: %w", name, ErrMismatch)
			}
			stamp, _ := cosignatureTime(sig[4:])
			added = append(added, Cosignature{Name: name, Time: time.Unix(int64(stamp), 0).UTC()})
			if !bytes.Contains(msg, []byte("\n"+line)) {
				msg = append(msg, line...)
			}
		}
	}
	if len(added) == 0 {
		return nil, nil, fmt.Errorf("no cosignature is by a witness that is known: %w", ErrUnsigned)
	}
	return msg, added, nil
}
