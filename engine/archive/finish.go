package archive

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/cairndb/cairn/engine/digest"
	"github.com/cairndb/cairn/engine/proof"
)

// verifyScript is shipped with every bundle and printed in its guide.
//
//go:embed testdata/verify.sh
var verifyScript []byte

//go:embed testdata/verify.md
var verifyGuide string

// Closing is what is needed to complete a bundle.
type Closing struct {
	Selection *Selection
	// Parts are all parts, in order.
	Parts []*Header
	// First and Last are the lowest and highest sequence number, if there are events.
	First, Last uint64
	// Gaps are the lines of what is missing from a bundle of a whole store, in order;
	// Missing how many events that is.
	Gaps    []byte
	Missing uint64
	Keys    *digest.Ring
	// Digests calls fn with the digests from 0 to that of the selection.
	Digests func(fn func(*digest.Signed) error) error
	// Key signs the manifest.
	Key ed25519.PrivateKey
}

// Finish writes what a bundle has beside its records, the manifest and its signature
// last.
func Finish(ctx context.Context, to Target, c *Closing) (*Manifest, error) {
	m := &Manifest{Version: manifestVersion, Selection: *c.Selection, Missing: c.Missing, Parts: []Part{}, Files: []File{}}
	m.Key = digest.Fingerprint(c.Key.Public().(ed25519.PublicKey))
	// The sums of indexes are taken from what is stored.
	for _, h := range c.Parts {
		name := IndexName(h.Range, h.Number)
		m.Parts = append(m.Parts, Part{Index: name, Events: h.Events, Bytes: h.Bytes})
		m.Events += h.Events
		m.Bytes += h.Bytes
		m.Files = append(m.Files, h.Files...)
		f, err := sumOf(ctx, to, name)
		if err != nil {
			return nil, err
		}
		m.Files = append(m.Files, f)
	}
	if m.Events > 0 {
		first, last := c.First, c.Last
		m.First, m.Last = &first, &last
	}
	put := func(name string, b []byte) error {
		sum := sha256.Sum256(b)
		m.Files = append(m.Files, File{Path: name, Bytes: int64(len(b)), SHA256: hex.EncodeToString(sum[:])})
		return to.Write(ctx, name, bytes.NewReader(b))
	}
	last, lines, err := c.chain()
	if err != nil {
		return nil, err
	}
	files, err := headFiles(last, c.Keys, m.Key)
	if err != nil {
		return nil, err
	}
	files = append(files, content{DigestsFile, lines}, content{KeysFile, c.Keys.Format()}, content{SelectionFile, c.Selection.Format()},
		content{ScriptFile, verifyScript}, content{GuideFile, guide(m)})
	if !c.Selection.Filtered() {
		files = append(files, content{GapsFile, c.Gaps})
	}
	for _, f := range files {
		if err := put(f.name, f.b); err != nil {
			return nil, err
		}
	}
	document := m.Format()
	if _, err := ParseManifest(document); err != nil {
		return nil, fmt.Errorf("what was to be the manifest is none: %w", err)
	}
	signature := SignManifest(document, c.Key)
	for _, f := range []content{{ManifestFile, document}, {SignatureFile, signature}, {SumsFile, m.Sums(document, signature)}} {
		if err := to.Write(ctx, f.name, bytes.NewReader(f.b)); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// content is a small file.
type content struct {
	name string
	b    []byte
}

// chain returns the lines of the digests and the newest one.
func (c *Closing) chain() (last *digest.Signed, lines []byte, err error) {
	err = c.Digests(func(d *digest.Signed) error {
		last = d
		lines = append(lines, d.Line()...)
		return nil
	})
	if err == nil && (last == nil || last.Digest.Number != c.Selection.Digest || HeadOf(last.Digest.After) != c.Selection.Tree) {
		err = fmt.Errorf("digest %d is not that of the selection", c.Selection.Digest)
	}
	return last, lines, err
}

// headFiles returns checkpoint and newest digest in the forms that are shipped: as they
// travel, and taken apart for openssl.
func headFiles(last *digest.Signed, keys *digest.Ring, manifestKey string) ([]content, error) {
	body, signature, err := noteParts(last.Checkpoint, last.Digest.Key, last.Digest.Origin, keys)
	if err != nil {
		return nil, err
	}
	out := []content{{CheckpointFile, last.Checkpoint}, {checkpointBody, body}, {checkpointSignature, signature},
		{digestDocument, last.Document}, {digestSignature, last.Signature[:]}}
	for name, fingerprint := range map[string]string{checkpointKeyFile: last.Digest.Key, manifestKeyFile: manifestKey} {
		k := keys.Find(fingerprint)
		if k == nil {
			return nil, fmt.Errorf("the key %s is not among the public keys", fingerprint)
		}
		out = append(out, content{name, k.PEM()})
	}
	// The order of a map is not that of a bundle.
	if n := len(out); out[n-2].name > out[n-1].name {
		out[n-2], out[n-1] = out[n-1], out[n-2]
	}
	return out, nil
}

// noteParts returns the bytes of a checkpoint that are signed, and the signature by a
// key.
func noteParts(note []byte, fingerprint, origin string, keys *digest.Ring) (body, signature []byte, err error) {
	k := keys.Find(fingerprint)
	if k == nil {
		return nil, nil, fmt.Errorf("the key %s is not among the public keys", fingerprint)
	}
	text, lines, ok := bytes.Cut(note, []byte("\n\n"))
	if !ok {
		return nil, nil, errors.New("the checkpoint is no signed note")
	}
	body = append(bytes.Clone(text), '\n')
	for _, line := range strings.Split(string(lines), "\n") {
		if sig := signatureOn(line, origin); sig != nil && ed25519.Verify(k.Public, body, sig) {
			return body, sig, nil
		}
	}
	return nil, nil, fmt.Errorf("the checkpoint has no signature by the key %s: %w", fingerprint, proof.ErrUnsigned)
}

// sumOf reads a file that was written.
func sumOf(ctx context.Context, from Source, name string) (File, error) {
	r, err := from.Read(ctx, name)
	if err != nil {
		return File{}, err
	}
	h := sha256.New()
	n, err := io.Copy(h, r)
	if err := errors.Join(err, r.Close()); err != nil {
		return File{}, fmt.Errorf("reading %s: %w", name, err)
	}
	return File{Path: name, Bytes: n, SHA256: hex.EncodeToString(h.Sum(nil))}, nil
}

// guide returns the text for people.
func guide(m *Manifest) []byte {
	s := &m.Selection
	what := "all events of the store"
	if s.Filtered() {
		var parts []string
		if s.From != "" {
			parts = append(parts, "from "+s.From)
		}
		if s.To != "" {
			parts = append(parts, "before "+s.To)
		}
		if s.Where != "" {
			parts = append(parts, "with the condition "+oneLine(s.Where))
		}
		what = "those of its events " + strings.Join(parts, ", ")
	}
	return []byte(strings.NewReplacer(
		"@STORE@", oneLine(s.Store), "@ORIGIN@", s.Origin, "@WHAT@", what,
		"@EVENTS@", fmt.Sprint(m.Events), "@SIZE@", fmt.Sprint(s.Tree.Size), "@ROOT@", s.Tree.Root, "@SIGNED@", s.Signed,
		"@KEY@", m.Key, "@FORMAT@", strings.Join(s.Formats, ", "), "@SCRIPT@", strings.TrimSpace(string(verifyScript)),
	).Replace(verifyGuide))
}

// oneLine keeps a text from being read as more than a word of the guide.
func oneLine(s string) string {
	if len(s) > 500 {
		s = s[:500] + "…"
	}
	return "`" + strings.Map(func(r rune) rune {
		if r < 0x20 || r == '`' || r >= 0x7f && r < 0xa0 || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
			return ' '
		}
		return r
	}, s) + "`"
}

// signatureOn returns the signature on a line of a signed note, if it is by a name.
func signatureOn(line, name string) []byte {
	text, ok := strings.CutPrefix(line, "— "+name+" ")
	b, err := base64.StdEncoding.DecodeString(text)
	if !ok || err != nil || len(b) != 4+ed25519.SignatureSize {
		return nil
	}
	return b[4:]
}
