package engine

import (
	"context"
	"fmt"
	"strings"

	"github.com/cairndb/cairn/engine/event"
	"github.com/cairndb/cairn/engine/insight"
	"github.com/cairndb/cairn/index"
	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/plan"
)

// How calls per minute are counted: in one pass over the columns of a store that tell of a call what it was and when.
// Values are compared as numbers of dictionary entries, never as texts; a combination of values is turned into
// series once per segment.

// callColumns are the columns that decide to which series an event counts, in the order of tuple.
var callColumns = [...]string{"eventcategory", "eventtype", "managementevent", "readonly", "recipientaccountid", "awsregion", "eventsource", "eventname", "errorcode"}

// Positions in callColumns.
const (
	atCategory = iota
	atType
	atManagement
	atReadOnly
	atAccount
	atRegion
	atSource
	atName
	atError
	tupleLen
)

// tuple are the values of callColumns of an event, as numbers of a unit's texts.
type tuple [tupleLen]uint32

// callCounter counts calls; insight.Watch is one, and whoever has counts ready can give them to it as well.
type callCounter interface {
	// Seen tells that there was an event in an account's region on a day.
	Seen(account, region string, day insight.Day)
	// ID returns the number of a series; false when there are too many.
	ID(insight.Series) (int, bool)
	// Add counts calls in a minute; false when the minute is settled.
	Add(id int, m insight.Minute, calls uint64) bool
}

// watchedRates says which series are counted.
type watchedRates struct {
	calls, errors    bool
	management, data bool
}

// series returns the series that an event counts to, none to two.
func (r watchedRates) series(text func(at int) (string, bool)) []insight.Series {
	get := func(at int) string { s, _ := text(at); return s }
	s := insight.Series{Account: get(atAccount), Region: get(atRegion), EventSource: get(atSource), EventName: get(atName), Category: insight.Management}
	if s.EventSource == "" || s.EventName == "" {
		return nil
	}
	switch category, ok := text(atCategory); {
	case ok && strings.EqualFold(category, event.Management.String()):
	case ok && strings.EqualFold(category, event.Data.String()):
		s.Category = insight.Data
	case ok || get(atType) == "AwsCloudTrailInsight":
		return nil
	case get(atManagement) == "false":
		s.Category = insight.Data
	}
	if s.Category == insight.Data && !r.data || s.Category == insight.Management && !r.management {
		return nil
	}
	var out []insight.Series
	// Of management events only what writes counts as a call.
	if r.calls && (s.Category == insight.Data || get(atReadOnly) == "false") {
		s.Type = insight.CallRate
		out = append(out, s)
	}
	if code := get(atError); r.errors && code != "" {
		s.Type, s.ErrorCode = insight.ErrorRate, code
		out = append(out, s)
	}
	return out
}

// callPaths are the paths of callColumns, after that of the event time, and then those asked for.
func callPaths(t *event.Table, more ...string) []plan.Path {
	var out []plan.Path
	for _, name := range append(append([]string{"eventtime"}, callColumns[:]...), more...) {
		head, member, _ := strings.Cut(name, ".")
		c, at := t.Column(head)
		p := plan.Path{Column: at, Type: c.Type}
		if member != "" {
			m, i := c.Member(member)
			p.Steps, p.Type = []plan.Step{{Field: i}}, m.Type
		}
		out = append(out, p)
	}
	return out
}

// minutes is a range of minutes, the end exclusive.
type minutes struct{ from, to insight.Minute }

func (r minutes) has(m insight.Minute) bool { return m >= r.from && m < r.to }

// terms say to storage that only a range of time is wanted.
func (r minutes) terms(t *event.Table) []plan.Term {
	c, at := t.Column("eventtime")
	bound := func(m insight.Minute, op plan.Op) plan.Term {
		v := column.New(c.Type, 1)
		v.I64[0] = m.Time().UnixMicro()
		return plan.Term{Path: plan.Path{Column: at, Type: c.Type}, Op: op, Values: v}
	}
	return []plan.Term{bound(r.from, plan.GreaterEq), bound(r.to, plan.Less)}
}

// interned gives the values of one path of a unit numbers: 0 for NULL.
type interned struct {
	byText map[string]uint32
	texts  []string
	dict   *column.Vector // whose numbers are in codes
	codes  []uint32       // number + 1; 0: not known yet
}

func (n *interned) reset() {
	n.byText = make(map[string]uint32)
	n.texts = append(n.texts[:0], "")
	n.dict = nil
}

// text returns the text of a number; false for NULL.
func (n *interned) text(id uint32) (string, bool) { return n.texts[id], id != 0 }

// value gives the value at index i of a flat vector its number.
func (n *interned) value(v *column.Vector, i int) uint32 {
	if v.IsNull(i) {
		return 0
	}
	leaf, j := v.Leaf(i)
	var text string
	if leaf.Type.Kind == column.Boolean {
		text = "false"
		if leaf.I64[j] != 0 {
			text = "true"
		}
	} else {
		text = leaf.Str[j]
	}
	id, ok := n.byText[text]
	if !ok {
		id = uint32(len(n.texts))
		text = strings.Clone(text) // vectors belong to the unit
		n.texts = append(n.texts, text)
		n.byText[text] = id
	}
	return id
}

// fill writes the numbers of a vector's values into out.
func (n *interned) fill(v *column.Vector, out []uint32) {
	switch {
	case v.Const:
		id := n.value(v, 0)
		for i := range out {
			out[i] = id
		}
	case v.Dict != nil:
		if n.dict != v.Dict {
			n.dict, n.codes = v.Dict, make([]uint32, v.Dict.Len)
		}
		for i, code := range v.Codes {
			if v.Nulls.Get(i) {
				out[i] = 0
				continue
			}
			if n.codes[code] == 0 {
				n.codes[code] = n.value(v.Dict, int(code)) + 1
			}
			out[i] = n.codes[code] - 1
		}
	default:
		for i := range out {
			out[i] = n.value(v, i)
		}
	}
}

// callReader reads the units of a scan, block by block, as minutes and tuples.
type callReader struct {
	intern [tupleLen]interned
	ids    [tupleLen][]uint32
	rows   []uint32 // those of the block; nil for all
	minute []insight.Minute
	valid  []bool // has an event time
}

// unit begins with a unit.
func (c *callReader) unit() {
	for i := range c.intern {
		c.intern[i].reset()
	}
}

// block reads the rows [from, to) of a unit, a block, and returns how many are to be seen.
func (c *callReader) block(ctx context.Context, u *unit, from, to int) (n int, err error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	c.rows, n = nil, to-from
	b, err := u.Candidates(ctx)
	if err != nil {
		return 0, err
	}
	if b != nil {
		if c.rows = index.RowsIn(c.rows, b, uint32(from), uint32(to)); len(c.rows) == 0 {
			return 0, nil
		}
		n = len(c.rows)
	}
	times, err := u.Read(ctx, 0, c.rows, from, to)
	if err != nil {
		return 0, err
	}
	c.minute, c.valid = c.minute[:0], c.valid[:0]
	for i := range n {
		ok := !times.IsNull(i)
		m := insight.Minute(0)
		if ok {
			leaf, j := times.Leaf(i)
			m = minuteOf(leaf.I64[j])
		}
		c.minute, c.valid = append(c.minute, m), append(c.valid, ok)
	}
	return n, nil
}

// tuples reads the columns of the block.
func (c *callReader) tuples(ctx context.Context, u *unit, from, to, n int) error {
	for at := range tupleLen {
		v, err := u.Read(ctx, 1+at, c.rows, from, to)
		if err != nil {
			return err
		}
		if cap(c.ids[at]) < n {
			c.ids[at] = make([]uint32, plan.BlockRows)
		}
		c.ids[at] = c.ids[at][:n]
		c.intern[at].fill(v, c.ids[at])
	}
	return nil
}

func (c *callReader) tuple(i int) (t tuple) {
	for at := range t {
		t[at] = c.ids[at][i]
	}
	return t
}

// text returns the value of a column of a tuple.
func (c *callReader) text(t *tuple) func(at int) (string, bool) {
	return func(at int) (string, bool) { return c.intern[at].text(t[at]) }
}

// minuteOf returns the minute of a time of the engine.
func minuteOf(micros int64) insight.Minute {
	m := micros / 60e6
	if micros%60e6 < 0 {
		m--
	}
	return insight.Minute(m)
}

// counting is what becomes of the events of one combination of values.
type counting struct {
	ids      []int
	from, to insight.Day // days on which there were some
}

// countCalls adds the events of a snapshot with a sequence number from first on and a time in a range to counters. It
// returns whether there were some that came too late for them. Terms may leave out events that the counter does not want.
func (sn *snapshot) countCalls(ctx context.Context, first uint64, in minutes, rates watchedRates, to callCounter, terms ...plan.Term) (late bool, err error) {
	schema := sn.store.schema
	t := &table{snap: sn, schema: schema, from: first}
	s, err := t.Scan(ctx, plan.ScanRequest{Paths: callPaths(schema), Terms: append(in.terms(schema), terms...)})
	if err != nil {
		return false, err
	}
	defer s.Close()
	var c callReader
	for _, u := range s.(*scan).parts {
		l, err := c.count(ctx, u, in, rates, to)
		if err != nil {
			return false, u.fault(fmt.Errorf("counting calls: %w", err))
		}
		late = late || l
	}
	return late, nil
}

func (c *callReader) count(ctx context.Context, u *unit, in minutes, rates watchedRates, to callCounter) (late bool, err error) {
	c.unit()
	known := make(map[tuple]*counting)
	for from := 0; from < u.Rows(); from += plan.BlockRows {
		end := min(from+plan.BlockRows, u.Rows())
		n, err := c.block(ctx, u, from, end)
		if err != nil {
			return false, err
		}
		if n == 0 || !c.some(in) {
			continue
		}
		if err := c.tuples(ctx, u, from, end, n); err != nil {
			return false, err
		}
		var last tuple
		var k *counting
		for i, m := range c.minute {
			if !c.valid[i] || !in.has(m) {
				continue
			}
			day := m.Day()
			if x := c.tuple(i); k == nil || x != last {
				if last, k = x, known[x]; k == nil {
					k = &counting{from: day, to: day}
					for _, s := range rates.series(c.text(&x)) {
						if id, ok := to.ID(s); ok {
							k.ids = append(k.ids, id)
						}
					}
					known[x] = k
				}
			}
			k.from, k.to = min(k.from, day), max(k.to, day)
			for _, id := range k.ids {
				late = !to.Add(id, m, 1) || late
			}
		}
	}
	for x, k := range known {
		if account, ok := c.intern[atAccount].text(x[atAccount]); ok {
			region, _ := c.intern[atRegion].text(x[atRegion])
			to.Seen(account, region, k.from)
		}
	}
	return late, nil
}

// some reports whether a row of the block is in a range.
func (c *callReader) some(in minutes) bool {
	for i, m := range c.minute {
		if c.valid[i] && in.has(m) {
			return true
		}
	}
	return false
}

// attributed are the calls of a period by what made them.
type attributed struct {
	identity, agent, code insight.Grouped
}

func newAttributed() attributed {
	return attributed{insight.Grouped{}, insight.Grouped{}, insight.Grouped{}}
}

// asked is a period of a series whose calls are wanted by who made them.
type asked struct {
	series insight.Series
	in     minutes
	except []minutes // earlier incidents
	got    attributed
}

// wants reports whether a call in a minute counts.
func (a *asked) wants(m insight.Minute) bool {
	if !a.in.has(m) {
		return false
	}
	for _, x := range a.except {
		if x.has(m) {
			return false
		}
	}
	return true
}

// attributeCalls fills in who made the calls of some periods.
func (sn *snapshot) attributeCalls(ctx context.Context, rates watchedRates, periods []*asked) error {
	if len(periods) == 0 {
		return nil
	}
	by := make(map[insight.Series][]*asked)
	span := periods[0].in
	for _, a := range periods {
		by[a.series] = append(by[a.series], a)
		span.from, span.to = min(span.from, a.in.from), max(span.to, a.in.to)
	}
	schema := sn.store.schema
	t := &table{snap: sn, schema: schema}
	paths := callPaths(schema, "useridentity.arn", "useridentity.invokedby", "useridentity.principalid", "useragent")
	s, err := t.Scan(ctx, plan.ScanRequest{Paths: paths, Terms: span.terms(schema)})
	if err != nil {
		return err
	}
	defer s.Close()
	var c callReader
	for _, u := range s.(*scan).parts {
		if err := c.attribute(ctx, u, rates, span, by); err != nil {
			return u.fault(fmt.Errorf("finding who made calls: %w", err))
		}
	}
	return nil
}

func (c *callReader) attribute(ctx context.Context, u *unit, rates watchedRates, span minutes, by map[insight.Series][]*asked) error {
	c.unit()
	known := make(map[tuple][]*asked)
	for from := 0; from < u.Rows(); from += plan.BlockRows {
		end := min(from+plan.BlockRows, u.Rows())
		n, err := c.block(ctx, u, from, end)
		if err != nil {
			return err
		}
		if n == 0 || !c.some(span) {
			continue
		}
		if err := c.tuples(ctx, u, from, end, n); err != nil {
			return err
		}
		var rows []uint32
		var wanted [][]*asked
		var codes []string
		for i, m := range c.minute {
			if !c.valid[i] || !span.has(m) {
				continue
			}
			x := c.tuple(i)
			periods, ok := known[x]
			if !ok {
				for _, s := range rates.series(c.text(&x)) {
					periods = append(periods, by[s]...)
				}
				known[x] = periods
			}
			var in []*asked
			for _, a := range periods {
				if a.wants(m) {
					in = append(in, a)
				}
			}
			if in == nil {
				continue
			}
			row := uint32(from + i)
			if c.rows != nil {
				row = c.rows[i]
			}
			code, _ := c.intern[atError].text(x[atError])
			rows, wanted, codes = append(rows, row), append(wanted, in), append(codes, code)
		}
		if len(rows) == 0 {
			continue
		}
		if err := readWho(ctx, u, rows, wanted, codes); err != nil {
			return err
		}
	}
	return nil
}

// readWho adds the rows of a block to the periods that want them.
func readWho(ctx context.Context, u *unit, rows []uint32, wanted [][]*asked, codes []string) error {
	var who [4]*column.Vector
	for i := range who {
		v, err := u.Read(ctx, 1+tupleLen+i, rows, int(rows[0]), int(rows[len(rows)-1])+1)
		if err != nil {
			return err
		}
		who[i] = v
	}
	text := func(v *column.Vector, i int) string {
		if v.IsNull(i) {
			return ""
		}
		leaf, j := v.Leaf(i)
		return leaf.Str[j]
	}
	count := func(g insight.Grouped, key string) {
		if _, ok := g[key]; !ok {
			key = strings.Clone(key)
		}
		g[key]++
	}
	for i := range rows {
		identity := ""
		for _, v := range who[:3] {
			if identity = text(v, i); identity != "" {
				break
			}
		}
		identity = withoutSession(identity)
		agent := text(who[3], i)
		for _, a := range wanted[i] {
			count(a.got.identity, identity)
			count(a.got.agent, agent)
			count(a.got.code, codes[i])
		}
	}
	return nil
}

// withoutSession takes the name of the session from the ARN of an assumed role: sessions of one role are one
// principal.
func withoutSession(arn string) string {
	if _, after, ok := strings.Cut(arn, ":assumed-role/"); ok {
		if i := strings.LastIndexByte(after, '/'); i >= 0 {
			return arn[:len(arn)-len(after)+i]
		}
	}
	return arn
}
