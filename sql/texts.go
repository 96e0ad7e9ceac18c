package sql

import (
	"container/list"
	"sync"

	"github.com/cairndb/cairn/sql/parse"
)

// Texts keeps the trees of statements that were read not long ago, so that a
// dashboard or driver that sends the same text again has only names and types looked
// up. A tree follows from the text and the dialect alone: it knows no table, no
// reader, no setting and no value, and every run binds it anew to what there is then. A
// change of any of these therefore cannot be missed, and nothing is ever to be thrown away
// but for room. Texts may be used by any number of goroutines; nil keeps nothing.
type Texts struct {
	limit int64
	mu    struct {
		sync.Mutex
		entries map[textKey]*list.Element
		recent  list.List // of *textEntry, the most recently used first
		used    int64
		hits    int64
		misses  int64
	}
}

type textKey struct {
	text    string
	dialect Dialect
	maxText int
}

type textEntry struct {
	key    textKey
	tree   parse.Statement
	params int
}

const (
	// textBytesMax is the longest text that is kept. Longer ones are written by
	// programs, with values in them, and do not come again.
	textBytesMax = 16 << 10
	// treeBytes is about how much memory a tree takes per byte of its text, and
	// treeBase what an entry takes besides.
	treeBytes, treeBase = 24, 512
)

// NewTexts returns Texts for about limit bytes of memory.
func NewTexts(limit int64) *Texts {
	t := &Texts{limit: limit}
	t.mu.entries = map[textKey]*list.Element{}
	t.mu.recent.Init()
	return t
}

// parse reads a statement, or finds the tree of the last time. Nobody may change the
// tree. Texts that have an error are read every time.
func (t *Texts) parse(text string, o parse.Options) (tree parse.Statement, params int, err error) {
	if t == nil || len(text) > textBytesMax {
		return parse.Parse(text, o)
	}
	k := textKey{text, o.Dialect, o.MaxText}
	t.mu.Lock()
	if e := t.mu.entries[k]; e != nil {
		t.mu.hits++
		t.mu.recent.MoveToFront(e)
		t.mu.Unlock()
		x := e.Value.(*textEntry)
		return x.tree, x.params, nil
	}
	t.mu.misses++
	t.mu.Unlock()
	if tree, params, err = parse.Parse(text, o); err != nil {
		return nil, 0, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.mu.entries[k] != nil {
		return tree, params, nil // somebody was faster
	}
	t.mu.entries[k] = t.mu.recent.PushFront(&textEntry{k, tree, params})
	t.mu.used += k.size()
	for t.mu.used > t.limit && t.mu.recent.Len() > 1 {
		last := t.mu.recent.Remove(t.mu.recent.Back()).(*textEntry)
		delete(t.mu.entries, last.key)
		t.mu.used -= last.key.size()
	}
	return tree, params, nil
}

// size is about how many bytes an entry takes.
func (k *textKey) size() int64 { return treeBase + treeBytes*int64(len(k.text)) }

// TextStats says how [Texts] are doing.
type TextStats struct {
	Texts, Used, Limit int64 // Used and Limit in bytes
	Hits, Misses       int64
}

// Stats returns the present figures.
func (t *Texts) Stats() TextStats {
	t.mu.Lock()
	defer t.mu.Unlock()
	return TextStats{Texts: int64(t.mu.recent.Len()), Used: t.mu.used, Limit: t.limit, Hits: t.mu.hits, Misses: t.mu.misses}
}
