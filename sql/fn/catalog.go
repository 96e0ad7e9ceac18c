package fn

import (
	"slices"
	"sort"
	"strings"
	"sync"

	"github.com/cairndb/cairn/segment/column"
)

// library is every function by name. It is built once, on first use.
type library struct {
	scalars    map[string]*Scalar
	aggregates map[string]*Aggregate
	higher     map[string]*Higher
	// postgres are functions that only the Postgres dialect has.
	postgres map[string]*Scalar
	docs     []Doc
}

var builtins = sync.OnceValue(func() *library {
	l := &library{
		scalars:    map[string]*Scalar{},
		aggregates: map[string]*Aggregate{},
		higher:     map[string]*Higher{},
		postgres:   map[string]*Scalar{},
	}
	for _, family := range []func(*library){
		addOperators, addLike, addStrings, addRegexps, addTimes, addTimeFormats, addJSON, addArrays, addMaps,
		addMath, addHashes, addURLs, addAddresses, addConversions, addLambdas,
		addAggregates, addOrderedAggregates, addCollectingAggregates, addStatistics, addSketches, addForms,
	} {
		family(l)
	}
	addPostgres(l)
	for i := range l.docs {
		l.docs[i].complete()
	}
	sort.SliceStable(l.docs, func(i, j int) bool { return l.docs[i].Name < l.docs[j].Name })
	return l
})

// overload is one form of a scalar function.
type overload struct {
	signature
	run      kernel
	nullCall bool
	volatile bool
	// bind, when set, checks the types further and gives the result type (used
	// when the signature has none) and the kernel.
	bind func(args []*column.Type) (*column.Type, kernel, error)
}

// over returns an overload whose result pattern is written like its arguments.
func over(args, result string, run kernel) overload {
	return overload{signature: parseSignature(args, result), run: run}
}

// overBind returns an overload that picks its kernel, and its result type when
// result is "", by the types of its arguments.
func overBind(args, result string, bind func(args []*column.Type) (*column.Type, kernel, error)) overload {
	return overload{signature: parseSignature(args, result), bind: bind}
}

func (o overload) nulls() overload {
	o.nullCall = true
	return o
}

func (o overload) varying() overload {
	o.volatile = true
	return o
}

// scalar registers a function with its overloads.
func (l *library) scalar(d Doc, overloads ...overload) {
	s := &Scalar{Doc: d}
	s.Bind = func(given []*column.Type) (*Bound, error) { return bindOverload(&s.Doc, overloads, given) }
	l.addScalar(s)
}

func (l *library) addScalar(s *Scalar) {
	for _, name := range append([]string{s.Name}, s.Aliases...) {
		if l.scalars[name] != nil {
			panic("fn: two scalar functions called " + name)
		}
		l.scalars[name] = s
	}
	l.docs = append(l.docs, s.Doc)
}

func (l *library) aggregate(a *Aggregate) {
	for _, name := range append([]string{a.Name}, a.Aliases...) {
		if l.aggregates[name] != nil {
			panic("fn: two aggregates called " + name)
		}
		l.aggregates[name] = a
	}
	l.docs = append(l.docs, a.Doc)
}

func bindOverload(d *Doc, overloads []overload, given []*column.Type) (*Bound, error) {
	best, bestCost := -1, 0
	for i := range overloads {
		if _, _, cost, ok := overloads[i].match(given); ok && (best < 0 || cost < bestCost) {
			best, bestCost = i, cost
		}
	}
	if best < 0 {
		return nil, mismatch(d, given)
	}
	o := &overloads[best]
	to, b, _, _ := o.match(given)
	run, result := o.run, (*column.Type)(nil)
	if o.result != nil {
		result = b.resolve(o.result, nil)
	}
	if o.bind != nil {
		t, k, err := o.bind(to)
		if err != nil {
			return nil, err
		}
		run = k
		if t != nil {
			result = t
		}
	}
	return &Bound{
		Args: to, Result: result, NullCall: o.nullCall, Volatile: o.volatile,
		Eval: guard(run, result, o.nullCall, o.volatile),
	}, nil
}

// LookupScalar returns the scalar function or operator called name, without
// regard to case, or nil.
func LookupScalar(name string) *Scalar { return builtins().scalars[strings.ToLower(name)] }

// LookupPostgres returns the scalar function called name that only the Postgres
// dialect has, without regard to case, or nil.
func LookupPostgres(name string) *Scalar { return builtins().postgres[strings.ToLower(name)] }

// LookupAggregate returns the aggregate called name, without regard to case,
// or nil.
func LookupAggregate(name string) *Aggregate { return builtins().aggregates[strings.ToLower(name)] }

// LookupHigher returns the function with lambda parameters called name,
// without regard to case, or nil. A name may be both a scalar and one of
// these (array_sort, regexp_replace): the form with a lambda among the
// arguments is meant.
func LookupHigher(name string) *Higher { return builtins().higher[strings.ToLower(name)] }

// Scalars returns every scalar function and operator, ordered by name.
func Scalars() []*Scalar {
	var out []*Scalar
	for name, s := range builtins().scalars {
		if name == s.Name {
			out = append(out, s)
		}
	}
	slices.SortFunc(out, func(a, b *Scalar) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// Aggregates returns every aggregate function, ordered by name.
func Aggregates() []*Aggregate {
	var out []*Aggregate
	for name, a := range builtins().aggregates {
		if name == a.Name {
			out = append(out, a)
		}
	}
	slices.SortFunc(out, func(a, b *Aggregate) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// All returns the documentation of everything that can be called or written as
// an operator, ordered by name: also the forms and window functions that the
// evaluator itself provides.
func All() []Doc { return slices.Clone(builtins().docs) }

// Suggest returns the function whose name is nearest to a misspelled one, or
// "" when none is near.
func Suggest(name string) string {
	name = strings.ToLower(name)
	limit := max(1, len(name)/3)
	best, bestDistance := "", limit+1
	consider := func(candidate string) {
		if c := candidate[0]; c < 'a' || c > 'z' || abs(len(candidate)-len(name)) > limit {
			return
		}
		d := editDistance([]rune(name), []rune(candidate))
		if d < bestDistance || d == bestDistance && candidate < best {
			best, bestDistance = candidate, d
		}
	}
	// A name without its underscores is a frequent slip of its own.
	bare := strings.ReplaceAll(name, "_", "")
	for _, d := range builtins().docs {
		for _, candidate := range append([]string{d.Name}, d.Aliases...) {
			if candidate != name && strings.ReplaceAll(candidate, "_", "") == bare {
				return candidate
			}
			consider(candidate)
		}
	}
	if bestDistance > limit {
		return ""
	}
	return best
}

func abs(x int) int {
	if x < 0 {
		return -x
	}
	return x
}

// editDistance counts the insertions, deletions, replacements and swaps of
// neighbours that turn a into b.
func editDistance(a, b []rune) int {
	before, row, next := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range a {
		next[0] = i + 1
		for j := range b {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			next[j+1] = min(row[j]+cost, row[j+1]+1, next[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				next[j+1] = min(next[j+1], before[j-1]+1)
			}
		}
		before, row, next = row, next, before
	}
	return row[len(b)]
}

// boundedCache keeps what was compiled from constants of queries: patterns,
// paths, formats. When full it starts over, which costs at most one
// compilation for each pattern in use.
type boundedCache[K comparable, V any] struct {
	mu   sync.RWMutex
	m    map[K]V
	size int
}

// get returns what make made of key, from the cache if it is there. Errors are
// not kept.
func (c *boundedCache[K, V]) get(key K, make_ func(K) (V, error)) (V, error) {
	c.mu.RLock()
	v, ok := c.m[key]
	c.mu.RUnlock()
	if ok {
		return v, nil
	}
	v, err := make_(key)
	if err != nil {
		return v, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.m == nil || len(c.m) >= c.size {
		c.m = make(map[K]V, 16)
	}
	c.m[key] = v
	return v, nil
}

// memo remembers the last thing compiled within one batch: a constant pattern
// then costs one look-up for the batch, a pattern column one for each change.
type memo[V any] struct {
	key   string
	value V
	known bool
}

func (m *memo[V]) get(c *boundedCache[string, V], key string, compile func(string) (V, error)) (V, error) {
	if m.known && m.key == key {
		return m.value, nil
	}
	v, err := c.get(key, compile)
	if err != nil {
		return v, err
	}
	m.key, m.value, m.known = key, v, true
	return v, nil
}

// PostgresFunctions are the names of the functions that only the Postgres dialect
// has, in order.
func PostgresFunctions() []string {
	var out []string
	for name := range builtins().postgres {
		if c := name[0]; c >= 'a' && c <= 'z' || c == '_' {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}
