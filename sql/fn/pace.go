package fn

import (
	"unicode/utf8"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/sqlerr"
)

// paceBytes is how much a kernel works through before it asks whether its query
// has ended: slow functions need about 100 ns for a byte, so some milliseconds.
const paceBytes = 64 << 10

// rowWork is what a row costs in a pacer's account besides its bytes.
const rowWork = 16

// elementBytes is what a text of an array that is a part of another text takes,
// while the array grows.
const elementBytes = 40

// pacer lets long work ask now and then whether it is to go on. Its zero value
// with a context is ready.
type pacer struct {
	c *Context
	// work is what was done since the last question, made the bytes of the values
	// made by this call.
	work, made int
	keeps      bool // it is an aggregate that keeps them
}

// spend notes work on n bytes; an error ends the call.
func (p *pacer) spend(n int) error {
	if p.work += n; p.work < paceBytes {
		return nil
	}
	p.work = 0
	return p.c.live()
}

// tick is spend for functions that give no errors: its error reaches the guard
// around the kernel as a panic with stopped. A nil pacer never ends a call.
func (p *pacer) tick(n int) {
	if p == nil {
		return
	}
	if err := p.spend(n); err != nil {
		panic(stopped{err})
	}
}

// stopped is what a call panics with whose query has ended.
type stopped struct{ err error }

// rescue turns a panic with stopped into its error; it is deferred around kernels.
func rescue(err *error) {
	if x := recover(); x != nil {
		s, ok := x.(stopped)
		if !ok {
			panic(x)
		}
		*err = s.err
	}
}

// tickBytes is how long a piece of text is that is worked on between two ticks by
// what knows nothing of them.
const tickBytes = 64 << 10

// pieces calls f with one piece of s after the other, cut between code points.
func (p *pacer) pieces(s string, f func(piece string)) {
	for len(s) > tickBytes {
		n := tickBytes
		for k := 0; k < utf8.UTFMax-1 && !utf8.RuneStart(s[n]); k++ {
			n--
		}
		p.tick(n)
		f(s[:n])
		s = s[n:]
	}
	if s != "" {
		f(s)
	}
}

// keep notes n bytes of values made, which must fit what the query has left.
func (p *pacer) keep(n int) error {
	const step = 1 << 20
	before := p.made
	p.made += n
	if p.c == nil || p.c.Room == nil || before/step == p.made/step {
		return nil
	}
	if room := p.c.Room(); int64(p.made) > room {
		what := "a function"
		if p.keeps {
			what = "an aggregate"
		}
		return sqlerr.New(sqlerr.OutOfMemory, sqlerr.Pos{}, "the values of %s need more than what is left of the query's memory budget", what).
			WithHint("make shorter values, work on fewer rows, or raise the budget")
	}
	return nil
}

// Watched is an accumulator that may take long over a batch, or keep much of it:
// arrays and maps, of which one value can be as large as the budget.
type Watched interface {
	Accumulator
	// Watch gives the accumulator the query that it works for, before its first
	// rows.
	Watch(c *Context)
}

// watched is what accumulators embed that are Watched.
type watched struct{ pacer }

// Watch implements Watched.
func (w *watched) Watch(c *Context) { w.c, w.keeps = c, true }

// batch begins a call; what earlier calls have made is charged by then.
func (w *watched) batch() { w.made = 0 }

// take notes that value i of v is about to be kept.
func (w *watched) take(v *column.Vector, i int) error {
	return w.takeBytes(int(column.CopyBytes(v, i, i+1)))
}

// takeBytes notes that n bytes are about to be kept.
func (w *watched) takeBytes(n int) error {
	if err := w.spend(n); err != nil {
		return err
	}
	return w.keep(n)
}

// live returns the error that ends the query, if it has ended.
func (c *Context) live() error {
	if c == nil || c.Live == nil {
		return nil
	}
	return c.Live()
}

// texts returns the values of a payload that is text, nil for others.
func texts[T payload](a []T) []string {
	s, _ := any(a).([]string)
	return s
}

// textLen is the length of a value of an argument that may be text.
func textLen(a []string, i int) int {
	if a == nil {
		return 0
	}
	return len(a[i])
}

// elementWork is what is to be worked through for row i of an argument: its bytes,
// or its elements.
func elementWork(v *column.Vector, i int) int {
	i = at(v, i)
	switch {
	case v.Str != nil && i < len(v.Str):
		return len(v.Str[i])
	case v.Offsets != nil && i+1 < len(v.Offsets):
		return rowWork * int(v.Offsets[i+1]-v.Offsets[i])
	}
	return 0
}
