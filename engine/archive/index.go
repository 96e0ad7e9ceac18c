package archive

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strconv"

	"github.com/cairndb/cairn/engine/proof"
)

// Header is the first line of an index: what the part has. The files of the first
// format come first, in the order that entries count them in, then further copies.
type Header struct {
	// Range is the number of the range of sequence numbers, Number that of the part in
	// it; Last says that it is the range's last.
	Range  uint64 `json:"range"`
	Number int    `json:"number"`
	Last   bool   `json:"last"`
	Events uint64 `json:"events"`
	Bytes  int64  `json:"bytes"`
	// Copies is how many of the files, the last ones, are further copies.
	Copies int    `json:"copies"`
	Files  []File `json:"files"`
}

// Entry is a further line of an index: a record.
type Entry struct {
	Seq  uint64
	Leaf proof.Hash
	// File counts the part's files from 0; At is where in the file's content, unpacked,
	// the record begins, or its row in a segment or Parquet file. Bytes is its length.
	File, At, Bytes int
	// Path is the inclusion proof of a filtered export.
	Path []proof.Hash
}

// headerBytesMax bounds a header: as many files as a part can have records.
const headerBytesMax = RangeEvents * (pathBytesMax + 200)

// pathLenMax is the longest proof of a tree below proof.SizeMax.
const pathLenMax = 60

// IndexName is the name of a part's index.
func IndexName(r uint64, number int) string { return fmt.Sprintf("index/%08d-%03d.jsonl", r, number) }

// appendEntry appends the entry's line.
func appendEntry(b []byte, e *Entry) []byte {
	b = append(b, `{"seq":`...)
	b = strconv.AppendUint(b, e.Seq, 10)
	b = append(b, `,"leaf":"`...)
	b = hex.AppendEncode(b, e.Leaf[:])
	b = append(b, `","file":`...)
	b = strconv.AppendInt(b, int64(e.File), 10)
	b = append(b, `,"at":`...)
	b = strconv.AppendInt(b, int64(e.At), 10)
	b = append(b, `,"bytes":`...)
	b = strconv.AppendInt(b, int64(e.Bytes), 10)
	if e.Path != nil {
		b = append(b, `,"path":[`...)
		for i := range e.Path {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(b, '"')
			b = hex.AppendEncode(b, e.Path[i][:])
			b = append(b, '"')
		}
		b = append(b, ']')
	}
	return append(b, "}\n"...)
}

// lineScanner takes a line of known form apart.
type lineScanner struct {
	b   []byte
	bad bool
}

func (s *lineScanner) word(w string) {
	if !bytes.HasPrefix(s.b, []byte(w)) {
		s.bad = true
		return
	}
	s.b = s.b[len(w):]
}

func (s *lineScanner) number(max uint64) (n uint64) {
	i := 0
	for i < len(s.b) && i < 20 && s.b[i] >= '0' && s.b[i] <= '9' {
		n = n*10 + uint64(s.b[i]-'0')
		i++
	}
	if i == 0 || i > 19 || i > 1 && s.b[0] == '0' || n > max {
		s.bad = true
		return 0
	}
	s.b = s.b[i:]
	return n
}

func (s *lineScanner) hash() (h proof.Hash) {
	const n = 2 * proof.HashSize
	if len(s.b) < n || bytes.ContainsAny(s.b[:n], "ABCDEF") {
		s.bad = true
		return h
	}
	if _, err := hex.Decode(h[:], s.b[:n]); err != nil {
		s.bad = true
	}
	s.b = s.b[n:]
	return h
}

// parseEntry reads an entry's line without its newline.
func parseEntry(line []byte, e *Entry, withPath bool) error {
	s := lineScanner{b: line}
	s.word(`{"seq":`)
	e.Seq = s.number(proof.SizeMax)
	s.word(`,"leaf":"`)
	e.Leaf = s.hash()
	s.word(`","file":`)
	e.File = int(s.number(RangeEvents))
	s.word(`,"at":`)
	e.At = int(s.number(1 << 31))
	s.word(`,"bytes":`)
	e.Bytes = int(s.number(RecordBytesMax))
	e.Path = e.Path[:0]
	if withPath {
		s.word(`,"path":[`)
		for len(s.b) > 0 && s.b[0] != ']' && !s.bad && len(e.Path) <= pathLenMax {
			if len(e.Path) > 0 {
				s.word(`,`)
			}
			s.word(`"`)
			e.Path = append(e.Path, s.hash())
			s.word(`"`)
		}
		s.word(`]`)
	}
	s.word(`}`)
	if s.bad || len(s.b) > 0 || len(e.Path) > pathLenMax {
		return fmt.Errorf("%.200q is not a line of an index", line)
	}
	return nil
}

// appendHeader appends the header's line.
func appendHeader(b []byte, h *Header) []byte {
	return append(b, compact(h)...)
}

func parseHeader(line []byte) (*Header, error) {
	h := &Header{}
	if err := strict(line, h); err != nil {
		return nil, err
	}
	if !bytes.Equal(bytes.TrimSuffix(compact(h), []byte("\n")), line) {
		return nil, errSpelling
	}
	for i := range h.Files {
		if err := h.Files[i].check(); err != nil {
			return nil, err
		}
	}
	return h, nil
}

// Gap is a complete subtree of the tree whose events are not in the bundle of a whole
// store: those from Index·2^Level on, 2^Level of them.
type Gap struct {
	Level uint8
	Index uint64
	Hash  proof.Hash
}

func (g *Gap) first() uint64 { return g.Index << g.Level }
func (g *Gap) end() uint64   { return (g.Index + 1) << g.Level }

// AppendGap appends a gap's line.
func AppendGap(b []byte, g *Gap) []byte {
	return fmt.Appendf(b, "{\"level\":%d,\"index\":%d,\"hash\":\"%x\"}\n", g.Level, g.Index, g.Hash[:])
}

func parseGap(line []byte, g *Gap) error {
	s := lineScanner{b: line}
	s.word(`{"level":`)
	g.Level = uint8(s.number(59))
	s.word(`,"index":`)
	g.Index = s.number(proof.SizeMax)
	s.word(`,"hash":"`)
	g.Hash = s.hash()
	s.word(`"}`)
	if s.bad || len(s.b) > 0 || g.Index >= proof.SizeMax>>g.Level {
		return fmt.Errorf("%.200q is not a line of %s", line, GapsFile)
	}
	return nil
}
