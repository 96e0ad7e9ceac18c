package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/cairndb/cairn/engine"
	"github.com/cairndb/cairn/sql"
	"github.com/cairndb/cairn/sql/sqlerr"
)

// Queries run in the background, in the name of whoever started them and with what that
// principal saw at that moment. What became of them is kept for a week, with their rows.

// Limits of queries.
const (
	// runningMax is how many may run at once in an account and region.
	runningMax = 10
	// queryTime ends a query.
	queryTime = time.Hour
	// queryKeep is how long a query and its rows are kept.
	queryKeep = 7 * 24 * time.Hour
	// sweepEvery is how often what is too old is looked for.
	sweepEvery = 10 * time.Minute
)

// The states of a query.
const (
	queryQueued   = "QUEUED"
	queryRunning  = "RUNNING"
	queryFinished = "FINISHED"
	queryFailed   = "FAILED"
	queryCanceled = "CANCELLED"
	queryTimedOut = "TIMED_OUT"
)

// savedQuery is what is kept of a query, under account, region and ID.
type savedQuery struct {
	ID, Account, Region, Statement string
	Alias, Refresh                 string   `json:",omitempty"`
	Stores                         []string // IDs of those that it asks
	Delivery, DeliveryStatus       string   `json:",omitempty"`
	Status                         string
	Error                          string `json:",omitempty"`
	Created, Ended                 time.Time
	Rows, Scanned, Bytes, Millis   int64
	Columns                        []string `json:",omitempty"`
	Who                            string
}

func (q *savedQuery) name() string { return q.Account + "/" + q.Region + "/" + q.ID }

func (q *savedQuery) ended() bool { return q.Status != queryQueued && q.Status != queryRunning }

// running are the queries that have not ended.
type running struct {
	sync.Mutex
	by map[string]*runningQuery
}

type runningQuery struct {
	cancel context.CancelCauseFunc
	done   chan struct{} // closed when what became of it is kept

	mu sync.Mutex
	q  savedQuery
}

// now returns the query as it is.
func (r *runningQuery) now() savedQuery {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.q
}

func (r *runningQuery) set(fn func(q *savedQuery)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	fn(&r.q)
}

var errCanceled = errors.New("canceled")

// asked notes which tables a query names.
type asked struct {
	sql.Catalog
	mu    sync.Mutex
	names []string
}

func (a *asked) Table(ctx context.Context, name string) (sql.Table, error) {
	t, err := a.Catalog.Table(ctx, name)
	if err == nil && t != nil {
		a.mu.Lock()
		a.names = append(a.names, name)
		a.mu.Unlock()
	}
	return t, err
}

// prepared is a query that can be run.
type prepared struct {
	snap   *engine.Snapshot
	st     *sql.Statement
	stores []string
}

// prepare reads and binds a query for the caller. The snapshot must be closed.
func (c *call) prepare(text string) (*prepared, error) {
	scope := c.who.Scope()
	p, err := c.prepareAs(text, scope)
	if err != nil {
		return nil, err
	}
	// Events of its own account only, but in stores that are of the organization, or that
	// another account shares.
	mine := c.scope()
	for _, id := range p.stores {
		store, err := c.s.lake.Store(id)
		if err != nil || store.Retention().BuiltIn {
			continue
		}
		e, err := c.seenAnywhere(id)
		if err == nil && e == nil {
			err = fail("EventDataStoreNotFound", "there is no event data store %s in account %s and region %s", id, c.account, c.region)
		}
		if err == nil {
			err = e.active()
		}
		if err != nil {
			p.snap.Close()
			return nil, err
		}
		if e.set.Organization || e.set.Account != c.account {
			mine = scope
		}
	}
	if slices.Equal(mine.Accounts, scope.Accounts) {
		return p, nil
	}
	p.snap.Close()
	return c.prepareAs(text, mine)
}

// seenAnywhere is seen of a store of whatever account.
func (c *call) seenAnywhere(id string) (*eds, error) {
	if e, err := c.seen(id, c.account); e != nil || err != nil {
		return e, err
	}
	set, err := find[storeSettings](c.s, engine.ObjectStoreSettings, id)
	if err != nil || set == nil {
		return nil, err
	}
	return c.seen(id, set.Account)
}

func (c *call) prepareAs(text string, scope engine.Scope) (*prepared, error) {
	snap, err := c.s.lake.As(scope).LazySnapshot()
	if err != nil {
		return nil, err
	}
	cat := &asked{Catalog: snap.Catalog()}
	st, err := snap.Prepare(c.ctx, text, engine.RunOptions{Catalog: cat, Now: c.now})
	if err != nil {
		snap.Close()
		return nil, c.sqlError(err, text)
	}
	p := &prepared{snap: snap, st: st}
	for _, name := range cat.names {
		if s, err := c.s.lake.Store(name); err == nil && !slices.Contains(p.stores, s.ID()) {
			p.stores = append(p.stores, s.ID())
		}
	}
	return p, nil
}

// sqlError turns an error of a query's text into one for the client.
func (c *call) sqlError(err error, text string) error {
	var e *sqlerr.Error
	if !errors.As(err, &e) {
		if errors.Is(err, engine.ErrRefused) {
			return fail("InactiveEventDataStore", "%v", err)
		}
		return err
	}
	message := sqlMessage(e, text)
	if e.Code == sqlerr.UndefinedTable {
		return fail("EventDataStoreNotFound", "%s", message)
	}
	return fail("InvalidQueryStatement", "%s", message)
}

// sqlMessage is an SQL error in one line.
func sqlMessage(e *sqlerr.Error, text string) string {
	message, _, _ := strings.Cut(sqlerr.Format(e, text), "\n")
	if e.Hint != "" && !strings.Contains(message, e.Hint) {
		message += " (" + e.Hint + ")"
	}
	return message
}

// statement returns the text of the query that a request asks for.
func (c *call) statement() (text, alias string, err error) {
	text, alias = c.text("QueryStatement"), c.text("QueryAlias")
	switch {
	case text == "" && alias == "":
		return "", "", fail("InvalidParameter", "give QueryStatement or QueryAlias")
	case text != "" && alias != "":
		return "", "", fail("InvalidParameter", "QueryStatement and QueryAlias exclude each other")
	case alias != "":
		w, err := c.widgetCalled(alias)
		if err != nil {
			return "", "", err
		}
		text, err = substitute(w.Statement, c.texts("QueryParameters"))
		if err != nil {
			return "", "", fail("InvalidParameter", "QueryParameters: %v", err)
		}
		return text, alias, nil
	case c.has("QueryParameters"):
		if text, err = substitute(text, c.texts("QueryParameters")); err != nil {
			return "", "", fail("InvalidParameter", "QueryParameters: %v", err)
		}
	}
	return text, alias, nil
}

// substitute puts values into the places of ?, in order, as they are: the ? of samples stand
// within quotes.
func substitute(text string, values []string) (string, error) {
	parts := strings.Split(text, "?")
	if len(parts)-1 != len(values) {
		return "", fmt.Errorf("the statement has %d places for parameters, %d are given", len(parts)-1, len(values))
	}
	var b strings.Builder
	for i, part := range parts {
		b.WriteString(part)
		if i < len(values) {
			b.WriteString(values[i])
		}
	}
	return b.String(), nil
}

func (c *call) startQuery() (any, error) {
	text, alias, err := c.statement()
	if err != nil {
		return nil, err
	}
	q := savedQuery{Statement: text, Alias: alias, Delivery: c.text("DeliveryS3Uri")}
	if q.Delivery != "" {
		if err := c.deliverable(q.Delivery); err != nil {
			return nil, err
		}
	}
	id, err := c.begin(q)
	if err != nil {
		return nil, err
	}
	out := object{"QueryId": id}
	if owner := c.text("EventDataStoreOwnerAccountId"); owner != "" {
		out["EventDataStoreOwnerAccountId"] = owner
	}
	return out, nil
}

// begin starts a query and returns its ID.
func (c *call) begin(q savedQuery) (string, error) {
	p, err := c.prepare(q.Statement)
	if err != nil {
		return "", err
	}
	q.ID, q.Account, q.Region, q.Stores, q.Status = newID(), c.account, c.region, p.stores, queryQueued
	q.Created, q.Who = c.now.UTC().Truncate(time.Millisecond), c.who.Name
	if q.Delivery != "" {
		q.DeliveryStatus = "PENDING"
	}
	for _, o := range p.st.Columns() {
		q.Columns = append(q.Columns, o.Name)
	}
	r := &runningQuery{q: q, done: make(chan struct{})}
	ctx, cancel := context.WithCancelCause(c.s.background)
	r.cancel = cancel
	if err := c.s.running.add(r); err != nil {
		p.snap.Close()
		cancel(nil)
		return "", err
	}
	if err := c.s.save(c.ctx, engine.ObjectSavedQuery, q.name(), &q); err != nil {
		c.s.running.remove(q.ID)
		p.snap.Close()
		cancel(nil)
		return "", err
	}
	ctx = engine.WithActor(ctx, c.actor())
	c.s.work.Add(1)
	go func() {
		defer c.s.work.Done()
		defer cancel(nil)
		c.s.run(ctx, r, p)
	}()
	return q.ID, nil
}

func (a *running) add(r *runningQuery) error {
	a.Lock()
	defer a.Unlock()
	if a.by == nil {
		a.by = map[string]*runningQuery{}
	}
	n := 0
	for _, o := range a.by {
		if o.q.Account == r.q.Account && o.q.Region == r.q.Region {
			n++
		}
	}
	if n >= runningMax {
		return fail("MaxConcurrentQueries", "%d queries of account %s are running in region %s, the most that may; wait for one, or cancel it", n, r.q.Account, r.q.Region)
	}
	a.by[r.q.ID] = r
	return nil
}

func (a *running) remove(id string) {
	a.Lock()
	defer a.Unlock()
	delete(a.by, id)
}

func (a *running) find(id string) *runningQuery {
	a.Lock()
	defer a.Unlock()
	return a.by[id]
}

// run runs a query to its end, delivers its result, and keeps what became of it.
func (s *API) run(ctx context.Context, r *runningQuery, p *prepared) {
	r.set(func(q *savedQuery) { q.Status = queryRunning })
	start := time.Now()
	err := s.collect(ctx, r, p)
	p.snap.Close()
	r.set(func(q *savedQuery) {
		q.Millis = time.Since(start).Milliseconds()
		var e *sqlerr.Error
		switch {
		case err == nil:
			q.Status = queryFinished
		case errors.Is(context.Cause(ctx), errCanceled):
			q.Status, q.Error = queryCanceled, ""
		case ctx.Err() != nil:
			q.Status, q.Error = queryFailed, "the server was shut down while the query ran; start it again"
		case q.Millis >= queryTime.Milliseconds():
			q.Status, q.Error = queryTimedOut, fmt.Sprintf("the query ran longer than %v", queryTime)
		case errors.As(err, &e):
			q.Status, q.Error = queryFailed, sqlMessage(e, q.Statement)
		case errors.Is(err, errResultSize):
			q.Status, q.Error = queryFailed, err.Error()
		default:
			q.Status, q.Error = queryFailed, "the query failed because of a fault of the server; its log has the cause"
			s.log.Error("a query failed", "query", q.ID, "error", err)
		}
		if len(q.Error) > 1000 {
			q.Error = strings.ToValidUTF8(q.Error[:1000], "")
		}
		if q.DeliveryStatus != "" && q.Status != queryFinished {
			q.DeliveryStatus = map[bool]string{true: "CANCELLED", false: "FAILED"}[q.Status == queryCanceled]
		}
		q.Ended = s.clock().UTC().Truncate(time.Millisecond)
	})
	if q := r.now(); q.Status == queryFinished && q.Delivery != "" {
		status := s.deliver(ctx, &q)
		r.set(func(q *savedQuery) { q.DeliveryStatus = status })
	}
	q := r.now()
	// Also when the server is going down: it waits for this.
	if err := s.save(context.WithoutCancel(ctx), engine.ObjectSavedQuery, q.name(), &q); err != nil {
		s.log.Error("the state of a query was not kept", "query", q.ID, "error", err)
	}
	s.running.remove(q.ID)
	close(r.done)
}

// collect runs a query and writes its rows.
func (s *API) collect(ctx context.Context, r *runningQuery, p *prepared) (err error) {
	rows, err := p.snap.Run(ctx, p.st, nil, engine.RunOptions{Timeout: queryTime})
	if err != nil {
		return err
	}
	defer rows.Close()
	q := r.now()
	w, err := s.createResult(q.ID, q.Columns)
	if err != nil {
		return err
	}
	var total int64
	for {
		b, err := rows.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return errors.Join(err, w.close())
		}
		total += int64(b.Len)
		written, err := w.add(b)
		if err != nil {
			return errors.Join(err, w.close())
		}
		r.set(func(q *savedQuery) { q.Rows += written })
	}
	st := rows.Stats()
	err = w.close()
	r.set(func(q *savedQuery) {
		q.Rows, q.Bytes, q.Scanned = total, st.BytesRead, st.Pruning.Rows+st.Pruning.MemtableRows-st.Pruning.RowsByBitmap
	})
	return err
}

// findQuery finds a query of the caller's account and region.
func (c *call) findQuery(id string) (*savedQuery, error) {
	if r := c.s.running.find(id); r != nil {
		if q := r.now(); q.Account == c.account && q.Region == c.region {
			return &q, nil
		}
	}
	q, err := find[savedQuery](c.s, engine.ObjectSavedQuery, c.mine()+id)
	if err != nil {
		return nil, err
	}
	if q == nil {
		return nil, fail("QueryIdNotFound", "there is no query %s in account %s and region %s; queries are kept for %d days", id, c.account, c.region, int(queryKeep.Hours()/24))
	}
	return q, c.queryVisible(q)
}

// queryVisible says why a query cannot be looked at, if it cannot: one of a store that is
// pending deletion is not shown, and what others may see only is not either.
func (c *call) queryVisible(q *savedQuery) error {
	for _, id := range q.Stores {
		store, err := c.s.lake.Store(id)
		if err != nil {
			continue // it is gone; the result is not
		}
		if store.Retention().State == engine.StorePending {
			return fail("InactiveEventDataStore", "event data store %s of the query is pending deletion", id)
		}
		if !c.who.Has(store.Name()) && !c.who.Has(id) {
			return fail("QueryIdNotFound", "there is no query %s in account %s and region %s", q.ID, c.account, c.region)
		}
	}
	return nil
}

// queryStore checks a member that older clients send, against the query.
func (c *call) queryStore(q *savedQuery) error {
	ref := c.text("EventDataStore")
	if ref == "" {
		return nil
	}
	e, err := c.resolveStore(ref)
	if err != nil {
		return err
	}
	if err := e.active(); err != nil {
		return err
	}
	if !slices.Contains(q.Stores, e.ID()) {
		return fail("QueryIdNotFound", "query %s does not ask event data store %s", q.ID, e.arn)
	}
	return nil
}

func (c *call) describeQuery() (any, error) {
	id := c.text("QueryId")
	var q *savedQuery
	var err error
	switch alias := c.text("QueryAlias"); {
	case id != "" && alias != "":
		return nil, fail("InvalidParameter", "QueryId and QueryAlias exclude each other")
	case id != "":
		q, err = c.findQuery(id)
	case alias != "":
		q, err = c.latest(alias, c.text("RefreshId"))
	default:
		return nil, fail("InvalidParameter", "give QueryId or QueryAlias")
	}
	if err != nil {
		return nil, err
	}
	if err := c.queryStore(q); err != nil {
		return nil, err
	}
	millis := q.Millis
	if !q.ended() {
		millis = c.now.Sub(q.Created).Milliseconds()
	}
	out := object{"QueryId": q.ID, "QueryString": q.Statement, "QueryStatus": q.Status, "QueryStatistics": object{
		"EventsMatched": q.Rows, "EventsScanned": q.Scanned, "BytesScanned": q.Bytes, "ExecutionTimeInMillis": millis, "CreationTime": moment{q.Created}}}
	if q.Error != "" {
		out["ErrorMessage"] = atLeast4(q.Error)
	}
	if q.Delivery != "" {
		out["DeliveryS3Uri"], out["DeliveryStatus"] = q.Delivery, q.DeliveryStatus
	}
	return out, nil
}

// atLeast4 pads a message to what the interface wants of one.
func atLeast4(s string) string { return s + strings.Repeat(".", max(0, 4-len(s))) }

// latest is the last run of a query with an alias.
func (c *call) latest(alias, refresh string) (*savedQuery, error) {
	list, err := c.myQueries()
	if err != nil {
		return nil, err
	}
	for i := range list {
		if q := &list[i]; q.Alias == alias && (refresh == "" || q.Refresh == refresh) {
			return q, c.queryVisible(q)
		}
	}
	return nil, fail("QueryIdNotFound", "no query with alias %q has been run in account %s and region %s", shorten(alias), c.account, c.region)
}

// myQueries are the queries of the caller's account and region, newest first.
func (c *call) myQueries() ([]savedQuery, error) {
	saved, err := all[savedQuery](c.s, engine.ObjectSavedQuery, c.mine())
	if err != nil {
		return nil, err
	}
	out := make([]savedQuery, 0, len(saved))
	for i := range saved {
		q := saved[i].value
		if r := c.s.running.find(q.ID); r != nil {
			q = r.now()
		}
		out = append(out, q)
	}
	sort.Slice(out, func(i, j int) bool {
		if !out[i].Created.Equal(out[j].Created) {
			return out[i].Created.After(out[j].Created)
		}
		return out[i].ID < out[j].ID
	})
	return out, nil
}

func (c *call) getQueryResults() (any, error) {
	q, err := c.findQuery(c.text("QueryId"))
	if err != nil {
		return nil, err
	}
	if err := c.queryStore(q); err != nil {
		return nil, err
	}
	position, err := c.position()
	if err != nil {
		return nil, err
	}
	var from int64
	if position != "" {
		if from, err = strconv.ParseInt(position, 10, 64); err != nil {
			return nil, err
		}
	}
	most := c.integer("MaxQueryResults", listMax)
	rows := []json.RawMessage{}
	if q.Status == queryFinished || q.Status == queryRunning {
		// Of one that runs there are the rows that have been written.
		list, err := c.s.resultPage(q.ID, from, int(min(int64(most), max(0, q.Rows-from))))
		if err != nil {
			return nil, fmt.Errorf("reading the result of query %s: %w", q.ID, err)
		}
		rows = append(rows, list...)
	}
	out := object{"QueryStatus": q.Status, "QueryResultRows": rows,
		"QueryStatistics": object{"ResultsCount": len(rows), "TotalResultsCount": q.Rows, "BytesScanned": q.Bytes}}
	if q.Error != "" {
		out["ErrorMessage"] = atLeast4(q.Error)
	}
	if end := from + int64(len(rows)); end < q.Rows && len(rows) > 0 {
		out["NextToken"] = c.next(strconv.FormatInt(end, 10))
	}
	return out, nil
}

func (c *call) cancelQuery() (any, error) {
	q, err := c.findQuery(c.text("QueryId"))
	if err != nil {
		return nil, err
	}
	if err := c.queryStore(q); err != nil {
		return nil, err
	}
	r := c.s.running.find(q.ID)
	if r == nil || q.ended() {
		return nil, fail("InactiveQuery", "query %s is %s; only one that is QUEUED or RUNNING can be canceled", q.ID, q.Status)
	}
	r.cancel(errCanceled)
	return object{"QueryId": q.ID, "QueryStatus": queryCanceled}, nil
}

func (c *call) listQueries() (any, error) {
	e, err := c.resolveStore(c.text("EventDataStore"))
	if err != nil {
		return nil, err
	}
	if err := e.active(); err != nil {
		return nil, err
	}
	from, to := c.when("StartTime"), c.when("EndTime")
	if !from.IsZero() && !to.IsZero() && from.After(to) {
		return nil, fail("InvalidDateRange", "StartTime is after EndTime")
	}
	list, err := c.myQueries()
	if err != nil {
		return nil, err
	}
	status := c.text("QueryStatus")
	list = slices.DeleteFunc(list, func(q savedQuery) bool {
		return !slices.Contains(q.Stores, e.ID()) || c.now.Sub(q.Created) > queryKeep || status != "" && q.Status != status ||
			!from.IsZero() && q.Created.Before(from) || !to.IsZero() && q.Created.After(to)
	})
	// Newest first, so positions fall; page wants them to grow.
	list, next, err := page(c, list, c.integer("MaxResults", listMax), func(q *savedQuery) string {
		return fmt.Sprintf("%020d %s", 1<<62-q.Created.UnixMicro(), q.ID)
	})
	if err != nil {
		return nil, err
	}
	items := []object{}
	for i := range list {
		items = append(items, object{"QueryId": list[i].ID, "QueryStatus": list[i].Status, "CreationTime": moment{list[i].Created}})
	}
	return withNext(object{"Queries": items}, next), nil
}

// takeUp ends, on record, what a server that was not shut down has left running.
func (s *API) takeUp(ctx context.Context) error {
	saved, err := all[savedQuery](s, engine.ObjectSavedQuery, "")
	if err != nil {
		return err
	}
	for i := range saved {
		q := &saved[i].value
		if q.ended() || s.running.find(q.ID) != nil {
			continue
		}
		q.Status, q.Error, q.Ended = queryFailed, "the server ended while the query ran; start it again", s.clock().UTC()
		if q.DeliveryStatus != "" {
			q.DeliveryStatus = "FAILED"
		}
		if err := s.save(ctx, engine.ObjectSavedQuery, q.name(), q); err != nil {
			return err
		}
	}
	return nil
}

// sweepQueries removes queries that are too old, and the oldest of too many.
func (s *API) sweepQueries(ctx context.Context) error {
	saved, err := all[savedQuery](s, engine.ObjectSavedQuery, "")
	if err != nil {
		return err
	}
	sort.Slice(saved, func(i, j int) bool { return saved[i].value.Created.After(saved[j].value.Created) })
	dir := s.lake.FS()
	var total int64
	kept := map[string]bool{}
	var dead []engine.Object
	for i := range saved {
		q := &saved[i].value
		if info, err := dir.Stat(s.resultPath(q.ID)); err == nil {
			total += info.Size()
		}
		if q.ended() && (s.clock().Sub(q.Created) > queryKeep || total > resultsBytesMax) {
			dead = append(dead, engine.Object{Kind: engine.ObjectSavedQuery, Name: q.name()})
			continue
		}
		kept[q.ID+".rows"] = true
	}
	if len(dead) > 0 {
		if err := s.remove(ctx, dead...); err != nil {
			return err
		}
	}
	// Files come last: one that no query names is of no use to anybody.
	names, err := dir.List(dir.PathJoin(s.lake.Dir(), resultsDir))
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, name := range names {
		id, ok := strings.CutSuffix(name, ".rows")
		if !ok || kept[name] || s.running.find(id) != nil {
			continue
		}
		// It may be of a query that was begun after the list was read.
		if info, err := dir.Stat(s.resultPath(id)); err != nil || s.clock().Sub(info.ModTime()) < sweepEvery {
			continue
		}
		if err := dir.Remove(s.resultPath(id)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

// tend does what has to be done now and then.
func (s *API) tend() {
	defer s.work.Done()
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		for _, do := range []func(context.Context) error{s.sweepQueries, s.sweepImports, s.sweep} {
			if err := do(s.background); err != nil && s.background.Err() == nil {
				s.log.Warn("removing what is too old", "error", err)
			}
		}
		select {
		case <-tick.C:
		case <-s.background.Done():
			return
		}
	}
}
