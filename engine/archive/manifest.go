package archive

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"time"

	"github.com/cairndb/cairn/engine/proof"
)

// Names of the files that every bundle has.
const (
	ManifestFile   = "manifest.json"
	SignatureFile  = "manifest.json.sig"
	SumsFile       = "SHA256SUMS"
	SelectionFile  = "selection.json"
	GuideFile      = "VERIFY.md"
	ScriptFile     = "verify.sh"
	KeysFile       = "keys.json"
	CheckpointFile = "tree/checkpoint.note"
	DigestsFile    = "tree/digests.jsonl"
	GapsFile       = "tree/gaps.jsonl"

	// The signed bytes and, in FILE.sig, the signatures of checkpoint and newest digest
	// by themselves, as openssl wants them.
	checkpointBody      = "tree/checkpoint"
	checkpointSignature = "tree/checkpoint.sig"
	digestDocument      = "tree/digest"
	digestSignature     = "tree/digest.sig"
	manifestKeyFile     = "keys/manifest.pem"
	checkpointKeyFile   = "keys/checkpoint.pem"
)

const (
	selectionVersion = "cairn-export/1"
	manifestVersion  = "cairn-bundle/1"

	// ManifestBytesMax bounds a manifest: a million files.
	ManifestBytesMax = 384 << 20

	// RangeEvents is how many sequence numbers a part covers at most: a segment's
	// worth. It is part of the format: parts begin at its multiples.
	RangeEvents = 1 << 16

	// PartBytesMax bounds the records of a part, which are held in memory by whoever
	// writes or verifies it. A part may exceed it by one record.
	PartBytesMax = 32 << 20

	// RecordBytesMax bounds a record; above what any store takes.
	RecordBytesMax = 4 << 20

	// frameBytesMax is how much a file may have beside its records, per record and
	// once: brackets and commas.
	frameBytesMax = 64

	pathBytesMax = 400
)

// Formats of records.
const (
	CloudTrail = "cloudtrail"
	JSONLines  = "jsonl"
	Segments   = "segments"
	Parquet    = "parquet"
)

// Formats are all formats of records.
var Formats = []string{CloudTrail, JSONLines, Segments, Parquet}

// Selection says what was asked for and of which state of the store. It is written
// first, as selection.json, so that an export that was cut short goes on with the
// same.
type Selection struct {
	Version string `json:"version"`
	// Origin names the store as checkpoints do, Store is its name, Schema the key of
	// its schema.
	Origin string `json:"origin"`
	Store  string `json:"store"`
	Schema string `json:"schema"`
	// From and To bound the event time, To excluded; "" is no bound. Where is a SQL
	// condition.
	From  string `json:"from"`
	To    string `json:"to"`
	Where string `json:"where"`
	// Formats has the format of the records first, then those of further copies.
	Formats []string `json:"formats"`
	// Tree is the signed head that everything is proved against, Digest the number of
	// the digest that signed it, Signed its time.
	Tree   Head   `json:"tree"`
	Digest uint64 `json:"digest"`
	Signed string `json:"signed"`
}

// Head is size and root of a tree as JSON has it.
type Head struct {
	Size uint64 `json:"size"`
	Root string `json:"root"` // hex
}

// HeadOf returns a head's JSON form.
func HeadOf(h proof.Head) Head { return Head{h.Size, hex.EncodeToString(h.Root[:])} }

// Proof returns the head as package proof has it.
func (h Head) Proof() (out proof.Head, err error) {
	out.Size = h.Size
	if h.Size >= proof.SizeMax {
		return out, fmt.Errorf("a tree of %d leaves is too large", h.Size)
	}
	return out, unhex(out.Root[:], h.Root)
}

// Filtered reports whether only some events of the store were asked for; then every
// record carries its own proof.
func (s *Selection) Filtered() bool { return s.From != "" || s.To != "" || s.Where != "" }

// Format returns the document.
func (s *Selection) Format() []byte { return format(s) }

// ParseSelection reads what Format returns.
func ParseSelection(b []byte) (*Selection, error) {
	s := &Selection{}
	err := strict(b, s)
	if err == nil {
		err = s.check()
	}
	if err == nil && !bytes.Equal(s.Format(), b) {
		err = errSpelling
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", SelectionFile, err)
	}
	return s, nil
}

func (s *Selection) check() error {
	if s.Version != selectionVersion {
		return fmt.Errorf("version %q is not known, only %q", s.Version, selectionVersion)
	}
	if len(s.Formats) == 0 || len(s.Formats) > len(Formats) {
		return fmt.Errorf("%d formats are named", len(s.Formats))
	}
	seen := map[string]bool{}
	for _, f := range s.Formats {
		if !knownFormat(f) || seen[f] {
			return fmt.Errorf("format %q is not known, or named twice", f)
		}
		seen[f] = true
	}
	if _, err := s.Tree.Proof(); err != nil {
		return err
	}
	for _, t := range []string{s.From, s.To, s.Signed} {
		if _, err := time.Parse(time.RFC3339Nano, t); t != "" && err != nil {
			return fmt.Errorf("%q is not a time", t)
		}
	}
	return nil
}

func knownFormat(f string) bool {
	for _, k := range Formats {
		if k == f {
			return true
		}
	}
	return false
}

// File is a file of a bundle.
type File struct {
	// Path is below the bundle, with slashes.
	Path   string `json:"path"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
	// Of files with records: their format, how many they have, and the length of what
	// is in them unpacked.
	Format  string `json:"format,omitempty"`
	Events  uint64 `json:"events,omitempty"`
	Content int64  `json:"content,omitempty"`
}

// Part is a run of records: those of one range of sequence numbers, or as many of
// them as memory allows.
type Part struct {
	// Index names the part's index.
	Index string `json:"index"`
	// Events and Bytes are number and length of its records.
	Events uint64 `json:"events"`
	Bytes  int64  `json:"bytes"`
}

// Manifest says what a bundle has. It is signed.
type Manifest struct {
	Version   string    `json:"version"`
	Selection Selection `json:"selection"`
	// Events and Bytes are number and length of the records; First and Last the
	// sequence numbers they span, null when there are none.
	Events uint64  `json:"events"`
	Bytes  int64   `json:"bytes"`
	First  *uint64 `json:"first"`
	Last   *uint64 `json:"last"`
	// Missing is how many events of the tree are not in a bundle of a whole store:
	// they have left the store, as its retention says.
	Missing uint64 `json:"missing"`
	// Key is the fingerprint of the key that signed the manifest.
	Key   string `json:"key"`
	Parts []Part `json:"parts"`
	// Files are all files but the manifest, its signature and SHA256SUMS.
	Files []File `json:"files"`
}

// Format returns the document, whose exact bytes are signed.
func (m *Manifest) Format() []byte { return format(m) }

func format(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	if err := e.Encode(v); err != nil {
		panic(err) // strings and numbers always have a JSON form
	}
	return b.Bytes()
}

// compact returns a value as one line of JSON.
func compact(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(err) // strings and numbers always have a JSON form
	}
	return b.Bytes()
}

var errSpelling = errors.New("it is not in the one spelling that it can have")

// strict reads one JSON value without unknown members.
func strict(b []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("there is something behind it")
	}
	return nil
}

// ParseManifest reads a manifest. It verifies no signature.
func ParseManifest(b []byte) (*Manifest, error) {
	m := &Manifest{}
	err := m.parse(b)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", ManifestFile, err)
	}
	return m, nil
}

func (m *Manifest) parse(b []byte) error {
	if len(b) > ManifestBytesMax {
		return fmt.Errorf("%d bytes are too many", len(b))
	}
	if err := strict(b, m); err != nil {
		return err
	}
	if m.Version != manifestVersion {
		return fmt.Errorf("version %q is not known, only %q", m.Version, manifestVersion)
	}
	if err := m.Selection.check(); err != nil {
		return err
	}
	if !bytes.Equal(m.Format(), b) {
		return errSpelling
	}
	seen := make(map[string]bool, len(m.Files))
	for i := range m.Files {
		f := &m.Files[i]
		if err := f.check(); err != nil {
			return err
		}
		// Names that differ by case only would be one file on some systems.
		key := strings.ToLower(f.Path)
		if seen[key] || key == strings.ToLower(ManifestFile) || key == strings.ToLower(SignatureFile) || key == strings.ToLower(SumsFile) {
			return fmt.Errorf("the file %q is named twice", f.Path)
		}
		seen[key] = true
	}
	var events uint64
	var bytes int64
	for i := range m.Parts {
		p := &m.Parts[i]
		if p.Events == 0 || p.Events > RangeEvents || p.Bytes < 0 || p.Bytes > PartBytesMax+RecordBytesMax || !seen[strings.ToLower(p.Index)] {
			return fmt.Errorf("part %d is not described as it must be", i)
		}
		events += p.Events
		bytes += p.Bytes
	}
	switch {
	case events != m.Events || bytes != m.Bytes:
		return fmt.Errorf("its parts have %d events of %d bytes, it says %d of %d", events, bytes, m.Events, m.Bytes)
	case (m.Events == 0) != (m.First == nil) || (m.Events == 0) != (m.Last == nil):
		return errors.New("first and last do not fit the number of events")
	case m.Events > 0 && (*m.First > *m.Last || *m.Last-*m.First >= proof.SizeMax || *m.Last-*m.First+1 < m.Events || *m.Last >= m.Selection.Tree.Size):
		return fmt.Errorf("%d events cannot have the numbers %d to %d of a tree of %d", m.Events, *m.First, *m.Last, m.Selection.Tree.Size)
	case !m.Selection.Filtered() && m.Events+m.Missing != m.Selection.Tree.Size, m.Selection.Filtered() && m.Missing != 0:
		return fmt.Errorf("%d events and %d missing ones are not the %d of the tree", m.Events, m.Missing, m.Selection.Tree.Size)
	}
	return nil
}

func (f *File) check() error {
	var sum [sha256.Size]byte
	switch {
	case !localPath(f.Path):
		return fmt.Errorf("%.100q is not a path inside a bundle", f.Path)
	case unhex(sum[:], f.SHA256) != nil || f.Bytes < 0 || f.Content < 0:
		return fmt.Errorf("the file %q is not described as it must be", f.Path)
	case f.Format != "" && (!knownFormat(f.Format) || f.Events == 0 || f.Events > RangeEvents || f.Content > PartBytesMax+RecordBytesMax+RangeEvents*frameBytesMax):
		return fmt.Errorf("the file %q with records is not described as it must be", f.Path)
	}
	return nil
}

// localPath reports whether a path stays inside a bundle, on every system: names
// of letters, digits and a few signs, none of them a device's or hidden.
func localPath(p string) bool {
	if p == "" || len(p) > pathBytesMax || path.Clean(p) != p || path.IsAbs(p) {
		return false
	}
	for _, name := range strings.Split(p, "/") {
		if name == "" || name[0] == '.' || name[len(name)-1] == '.' {
			return false
		}
	}
	return strings.IndexFunc(p, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/._-=", r))
	}) < 0
}

// unhex fills dst from its lower-case hexadecimal form.
func unhex(dst []byte, s string) error {
	if len(s) != 2*len(dst) || strings.ToLower(s) != s {
		return fmt.Errorf("%.100q is not the hexadecimal form of %d bytes", s, len(dst))
	}
	if _, err := hex.Decode(dst, []byte(s)); err != nil {
		return fmt.Errorf("%.100q is not the hexadecimal form of %d bytes", s, len(dst))
	}
	return nil
}

// Sums returns what SHA256SUMS must be, with the sums of manifest and signature.
func (m *Manifest) Sums(document, signature []byte) []byte {
	var b bytes.Buffer
	line := func(sum, name string) { fmt.Fprintf(&b, "%s  %s\n", sum, name) }
	for i := range m.Files {
		line(m.Files[i].SHA256, m.Files[i].Path)
	}
	for _, f := range []struct {
		name string
		b    []byte
	}{{ManifestFile, document}, {SignatureFile, signature}} {
		sum := sha256.Sum256(f.b)
		line(hex.EncodeToString(sum[:]), f.name)
	}
	return b.Bytes()
}

// SignManifest returns the signature of a manifest's document.
func SignManifest(document []byte, key ed25519.PrivateKey) []byte { return ed25519.Sign(key, document) }

// NewSelection returns the selection of a whole store.
func NewSelection(origin, store, schema string) *Selection {
	return &Selection{Version: selectionVersion, Origin: origin, Store: store, Schema: schema}
}
