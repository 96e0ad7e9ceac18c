package fn

import (
	"io"
	"regexp"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/dlclark/regexp2"
)

// Neither engine can be told to stop. A search in a long text therefore reads it
// through a reader that stops when the query has ended, and a search that
// backtracks for long goes on beside the caller, who waits for it or leaves it to
// its time limit.

const (
	// longText is the text from which on the linear engine reads with a reader:
	// its slowest expressions take some milliseconds for less.
	longText = 64 << 10
	// backtrackPatience is how long the caller runs a match itself.
	backtrackPatience = 10 * time.Millisecond
)

func init() {
	// How exactly the backtracking engine keeps its time limits.
	regexp2.SetTimeoutCheckPeriod(5 * time.Millisecond)
}

// pacedText reads a text rune by rune. When the query has ended it panics with
// stopped, which searchLong turns into the error.
type pacedText struct {
	s    string
	pace *pacer
}

// ReadRune implements io.RuneReader.
func (p *pacedText) ReadRune() (rune, int, error) {
	if p.s == "" {
		return 0, 0, io.EOF
	}
	p.pace.tick(1)
	r, size := utf8.DecodeRuneInString(p.s)
	p.s = p.s[size:]
	return r, size, nil
}

// behind is an expression that matches the first match of another one behind
// the first character of a text: what stands before the place where a search goes
// on decides about \b and (?m)^.
type behind struct {
	once sync.Once
	re   *regexp.Regexp
}

func (b *behind) get(of *regexp.Regexp) *regexp.Regexp {
	b.once.Do(func() { b.re = regexp.MustCompile(`\A(?s:.)(?s:.*?)(` + of.String() + `)`) })
	return b.re
}

// searchLong returns the first match at or after byte from, nil for none.
func (r *regex) searchLong(p *pacer, s string, from int) (loc []int, err error) {
	defer rescue(&err)
	if from == 0 {
		return r.linear.FindReaderSubmatchIndex(&pacedText{s, p}), nil
	}
	_, size := utf8.DecodeLastRuneInString(s[:from])
	from -= size
	loc = r.behind.get(r.linear).FindReaderSubmatchIndex(&pacedText{s[from:], p})
	if loc == nil {
		return nil, nil
	}
	loc = loc[2:]
	for i := range loc {
		if loc[i] >= 0 {
			loc[i] += from
		}
	}
	return loc, nil
}

// eachLong is each for long texts: matches are what FindAll finds.
func (r *regex) eachLong(c *Context, s string, f func(loc []int) bool) error {
	p := &pacer{c: c}
	for from, last := 0, -1; from <= len(s); {
		loc, err := r.searchLong(p, s, from)
		if err != nil || loc == nil {
			return err
		}
		// An empty match right behind a match is none.
		accept := loc[1] > from || loc[0] != last
		if loc[1] > from {
			from = loc[1]
		} else {
			_, size := utf8.DecodeRuneInString(s[from:])
			from += max(size, 1)
		}
		last = loc[1]
		if accept && !f(loc) {
			return nil
		}
	}
	return nil
}

// patiently runs a search of the backtracking engine: here for a moment, then
// beside the caller until the time limit or the end of the query.
func patiently[R any](c *Context, s string, quick, full *regexp2.Regexp, search func(re *regexp2.Regexp) (R, error)) (R, error) {
	// Before it begins, the engine makes an array of the code points of the text.
	if len(s) < longText {
		found, err := search(quick)
		if err == nil {
			return found, nil
		}
	}
	type answer struct {
		found R
		err   error
	}
	done := make(chan answer, 1)
	go func() {
		found, err := search(full)
		done <- answer{found, err}
	}()
	tick := time.NewTicker(backtrackPatience)
	defer tick.Stop()
	for {
		select {
		case a := <-done:
			return a.found, a.err
		case <-tick.C:
			if err := c.live(); err != nil {
				var none R
				return none, err
			}
		}
	}
}
