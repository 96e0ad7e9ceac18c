package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/cairndb/cairn/engine"
	"github.com/cairndb/cairn/engine/event"
	"github.com/cairndb/cairn/engine/logfile"
)

// Imports copy the log files of a bucket into a store: every gzip file below a CloudTrail/
// folder, in order of their keys. How far an import has come is kept after each file, with
// the files that could not be read; so one that was stopped, or has failed, goes on there when it is
// started again by its ID. Selectors of the store are passed over; events that it has are not
// stored twice; those older than its period are left out.

// Limits of imports.
const (
	// failuresMax bounds the failures that are kept of an import: enough to see what is
	// wrong; all are counted.
	failuresMax = 1000
	// importBatch is how many records are stored at once.
	importBatch = 2000
	// objectMax bounds a log file before decompression; CloudTrail's are 50 MB at most, unpacked.
	objectMax = 1 << 30
	// importKeep is how long an import that has ended is kept.
	importKeep = 90 * 24 * time.Hour
)

// The states of an import.
const (
	importInitializing = "INITIALIZING"
	importInProgress   = "IN_PROGRESS"
	importFailed       = "FAILED"
	importStopped      = "STOPPED"
	importCompleted    = "COMPLETED"
)

// importJob is what is kept of an import, under account, region and ID.
type importJob struct {
	ID, Account, Region, Store string
	URI, BucketRegion, Role    string
	Start, End                 time.Time
	Status                     string
	Created, Updated           time.Time
	Found, Done                int64 // prefixes
	Files, Events, Failed      int64
	Key                        string `json:",omitempty"` // the last file that is done
	Failures                   []importFailure
}

type importFailure struct {
	Location, Status, Type, Message string
	At                              time.Time
}

func (j *importJob) name() string { return j.Account + "/" + j.Region + "/" + j.ID }

func (j *importJob) ended() bool {
	return j.Status != importInitializing && j.Status != importInProgress
}

// importers are the imports that are going on.
type importers struct {
	sync.Mutex
	by map[string]*importer
}

type importer struct {
	stop context.CancelCauseFunc
	done chan struct{}
	mu   sync.Mutex
	job  importJob
}

func (i *importer) now() importJob {
	i.mu.Lock()
	defer i.mu.Unlock()
	j := i.job
	j.Failures = slices.Clone(j.Failures)
	return j
}

func (i *importer) set(fn func(j *importJob)) {
	i.mu.Lock()
	defer i.mu.Unlock()
	fn(&i.job)
}

var errImportStopped = errors.New("the import was stopped")

// importing reports whether an import into a store is going on.
func (s *API) importing(store string) (bool, error) {
	s.imports.Lock()
	defer s.imports.Unlock()
	for _, i := range s.imports.by {
		if i.job.Store == store {
			return true, nil
		}
	}
	return false, nil
}

// jobOf returns an import as it is.
func (c *call) jobOf(id string) (*importJob, error) {
	if i := c.s.findImport(id); i != nil {
		if j := i.now(); j.Account == c.account && j.Region == c.region {
			return &j, nil
		}
	}
	j, err := find[importJob](c.s, engine.ObjectImportJob, c.mine()+id)
	if err != nil {
		return nil, err
	}
	if j == nil {
		return nil, fail("ImportNotFound", "there is no import %s in account %s and region %s", id, c.account, c.region)
	}
	return j, nil
}

func (s *API) findImport(id string) *importer {
	s.imports.Lock()
	defer s.imports.Unlock()
	return s.imports.by[id]
}

func (c *call) startImport() (any, error) {
	var job *importJob
	if c.has("ImportId") {
		if c.has("Destinations") || c.has("ImportSource") || c.has("StartEventTime") || c.has("EndEventTime") {
			return nil, fail("InvalidParameter", "ImportId starts an import again as it was: leave out the other members")
		}
		j, err := c.jobOf(c.text("ImportId"))
		if err != nil {
			return nil, err
		}
		if j.Status == importCompleted {
			return nil, fail("InvalidParameter", "import %s is completed", j.ID)
		}
		job = j
	} else {
		j, err := c.newImport()
		if err != nil {
			return nil, err
		}
		job = j
	}
	e, err := c.resolveStore(job.Store)
	if err != nil {
		return nil, err
	}
	if err := e.active(); err != nil {
		return nil, err
	}
	if e.Schema() != event.CloudTrail {
		return nil, fail("InvalidEventDataStoreCategory", "event data store %s holds %s; log files are copied into stores of CloudTrail events", e.arn, e.Schema().Name)
	}
	if e.set.Organization {
		if err := c.managementOnly("to copy events into a store of the organization"); err != nil {
			return nil, fail("OperationNotPermitted", "%s", err.(*Error).Message)
		}
	}
	place, err := parseS3(job.URI)
	if err != nil {
		return nil, fail("InvalidImportSource", "ImportSource.S3.S3LocationUri: %s", err.(*Error).Message)
	}
	b, closer, err := c.s.openBucket(c.ctx, place.bucket)
	if err != nil {
		var e *Error
		if errors.As(err, &e) {
			return nil, fail("InvalidImportSource", "ImportSource.S3.S3LocationUri: %s", e.Message)
		}
		return nil, err
	}
	job.Status, job.Updated = importInitializing, c.now.UTC()
	i := &importer{job: *job, done: make(chan struct{})}
	ctx, cancel := context.WithCancelCause(c.s.background)
	i.stop = cancel
	if err := c.s.imports.add(i); err != nil {
		cancel(nil)
		return nil, errors.Join(err, closer.Close())
	}
	if err := c.s.save(c.ctx, engine.ObjectImportJob, job.name(), job); err != nil {
		c.s.imports.remove(job.ID)
		cancel(nil)
		return nil, errors.Join(err, closer.Close())
	}
	out := c.importOut(job)
	ctx = engine.WithActor(ctx, c.actor())
	c.s.work.Add(1)
	go func() {
		defer c.s.work.Done()
		defer cancel(nil)
		c.s.runImport(ctx, i, e.Store, b, place)
		if err := closer.Close(); err != nil {
			c.s.log.Warn("closing a bucket", "bucket", place.bucket, "error", err)
		}
	}()
	return out, nil
}

// newImport reads the members of a new import.
func (c *call) newImport() (*importJob, error) {
	source, ok := c.in["ImportSource"].(object)
	if !ok || len(c.texts("Destinations")) != 1 {
		return nil, fail("InvalidParameter", "give Destinations and ImportSource, or ImportId")
	}
	s3 := source["S3"].(object)
	j := &importJob{ID: newID(), Account: c.account, Region: c.region, URI: s3["S3LocationUri"].(string), BucketRegion: s3["S3BucketRegion"].(string),
		Role: s3["S3BucketAccessRoleArn"].(string), Start: c.when("StartEventTime"), End: c.when("EndEventTime"), Created: c.now.UTC()}
	if !j.Start.IsZero() && !j.End.IsZero() && j.Start.After(j.End) {
		return nil, fail("InvalidParameter", "StartEventTime is after EndEventTime")
	}
	e, err := c.resolveStore(c.texts("Destinations")[0])
	if err != nil {
		return nil, err
	}
	j.Store = e.ID()
	return j, nil
}

func (a *importers) add(i *importer) error {
	a.Lock()
	defer a.Unlock()
	if a.by == nil {
		a.by = map[string]*importer{}
	}
	for _, o := range a.by {
		if o.job.Account == i.job.Account {
			return fail("AccountHasOngoingImport", "import %s of account %s is going on; there is one at a time", o.job.ID, o.job.Account)
		}
	}
	a.by[i.job.ID] = i
	return nil
}

func (a *importers) remove(id string) {
	a.Lock()
	defer a.Unlock()
	delete(a.by, id)
}

// runImport copies the files of a bucket.
func (s *API) runImport(ctx context.Context, i *importer, store *engine.Store, b engine.Bucket, place s3Place) {
	err := s.importFiles(ctx, i, store, b, place)
	i.set(func(j *importJob) {
		j.Updated = s.clock().UTC()
		switch {
		case errors.Is(context.Cause(ctx), errImportStopped):
			j.Status = importStopped
		case err != nil:
			j.Status = importFailed
			if ctx.Err() == nil {
				s.log.Error("an import failed", "import", j.ID, "error", err)
			}
		case j.Failed > 0 && j.Files == 0:
			j.Status = importFailed
		default:
			j.Status = importCompleted
		}
	})
	j := i.now()
	if err := s.save(context.WithoutCancel(ctx), engine.ObjectImportJob, j.name(), &j); err != nil {
		s.log.Error("the state of an import was not kept", "import", j.ID, "error", err)
	}
	s.imports.remove(j.ID)
	close(i.done)
}

// keyDay finds the day in a key of a log file: in its name, or in its folders.
var keyDay = regexp.MustCompile(`_([0-9]{8})T[0-9]{4}Z_|/([0-9]{4})/([0-9]{2})/([0-9]{2})/[^/]*$`)

// inDays reports whether a file may have events between two times, by its key: one that was
// delivered days later has none, nor one that was delivered before.
func inDays(key string, from, to time.Time) bool {
	m := keyDay.FindStringSubmatch(key)
	if m == nil {
		return true
	}
	day, err := time.Parse("20060102", m[1]+m[2]+m[3]+m[4])
	if err != nil {
		return true
	}
	const late = 2 * 24 * time.Hour // files come hours after their events at most
	return (from.IsZero() || !day.Add(24*time.Hour).Before(from)) && (to.IsZero() || !day.After(to.Add(late)))
}

func (s *API) importFiles(ctx context.Context, i *importer, store *engine.Store, b engine.Bucket, place s3Place) error {
	job := i.now()
	var keys []string
	prefix := place.prefix
	if prefix != "" {
		prefix += "/"
	}
	err := b.List(ctx, prefix, func(name string, size int64) error {
		if strings.HasSuffix(name, ".gz") && slices.Contains(strings.Split(name, "/"), "CloudTrail") && size <= objectMax && inDays(name, job.Start, job.End) {
			keys = append(keys, name)
		}
		return ctx.Err()
	})
	if err != nil {
		return fmt.Errorf("listing: %w", err)
	}
	sort.Strings(keys)
	folder := func(key string) string { return key[:strings.LastIndexByte(key, '/')+1] }
	folders := map[string]bool{}
	for _, k := range keys {
		folders[folder(k)] = true
	}
	i.set(func(j *importJob) { j.Status, j.Found, j.Done = importInProgress, int64(len(folders)), 0 })
	// Files that have failed before come first.
	for k, f := range job.Failures {
		if f.Status == "SUCCEEDED" {
			continue
		}
		events, bad, err := s.importFile(ctx, store, b, strings.TrimPrefix(f.Location, "s3://"+place.bucket+"/"), &job)
		if errors.Is(err, errStoreFailed) || ctx.Err() != nil {
			return errors.Join(err, ctx.Err())
		}
		i.set(func(j *importJob) {
			f := &j.Failures[k]
			f.At = s.clock().UTC()
			if err != nil || bad != nil {
				f.Status = "RETRY"
				return
			}
			f.Status = "SUCCEEDED"
			j.Failed--
			j.Files++
			j.Events += events
		})
	}
	for n, key := range keys {
		last := n+1 == len(keys) || folder(keys[n+1]) != folder(key)
		if key <= job.Key {
			if last {
				i.set(func(j *importJob) { j.Done++ })
			}
			continue
		}
		events, bad, err := s.importFile(ctx, store, b, key, &job)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		var halt error
		if errors.Is(err, errStoreFailed) {
			halt, err = err, nil
		}
		i.set(func(j *importJob) {
			j.Updated = s.clock().UTC()
			j.Events += events
			if halt != nil {
				return
			}
			j.Key = key
			if last {
				j.Done++
			}
			if err == nil && bad == nil {
				j.Files++
				return
			}
			j.Failed++
			f := importFailure{Location: "s3://" + place.bucket + "/" + key, Status: "FAILED", Type: "InvalidFile", At: j.Updated}
			switch {
			case errors.Is(err, fs.ErrNotExist):
				f.Type, f.Message = "NoSuchKey", "the object is not there any more"
			case err != nil:
				f.Type, f.Message = "AccessDenied", "the object could not be read: "+shorten(err.Error())
			default:
				f.Message = shorten(bad.Error())
			}
			if len(j.Failures) < failuresMax {
				j.Failures = append(j.Failures, f)
			}
		})
		if halt != nil {
			return halt
		}
		j := i.now()
		if err := s.save(ctx, engine.ObjectImportJob, j.name(), &j); err != nil {
			return err
		}
	}
	return nil
}

// errStoreFailed says that the fault is not the file's.
var errStoreFailed = errors.New("the events could not be stored")

// importFile copies one file. bad is what is wrong with its content, err why it could not be
// read, of kind errStoreFailed why it could not be stored.
func (s *API) importFile(ctx context.Context, store *engine.Store, b engine.Bucket, key string, job *importJob) (events int64, bad, err error) {
	r, err := b.Read(ctx, key)
	if err != nil {
		return 0, nil, err
	}
	defer r.Close()
	c := logfile.Open(r, logfile.Limits{})
	defer c.Close()
	if days := store.Retention().Days; days != engine.Forever {
		if oldest := s.clock().AddDate(0, 0, -int(days)); job.Start.Before(oldest) {
			job.Start = oldest
		}
	}
	var batch [][]byte
	flush := func() error {
		if len(batch) == 0 {
			return nil
		}
		verdicts, err := store.AppendImported(ctx, batch)
		if err != nil {
			return fmt.Errorf("%w: %w", errStoreFailed, err)
		}
		for k := range verdicts {
			switch verdicts[k].Status {
			case engine.Refused:
				if bad == nil {
					bad = errors.New(verdicts[k].Detail)
				}
			default:
				events++
			}
		}
		batch = batch[:0]
		return nil
	}
	for {
		buf, at, err := c.Next()
		if err == io.EOF {
			return events, bad, flush()
		}
		if err != nil {
			if bad == nil {
				bad = fmt.Errorf("at byte %s: %w", strconv.FormatInt(at, 10), err)
			}
			var reject *logfile.Reject
			if !errors.As(err, &reject) {
				return events, nil, err
			}
			continue
		}
		var ev event.Event
		n, err := event.Scan(buf, &ev)
		if err != nil {
			if bad == nil {
				bad = err
			}
			c.Skip()
			continue
		}
		t := time.UnixMicro(ev.Time)
		if (job.Start.IsZero() || !t.Before(job.Start)) && (job.End.IsZero() || !t.After(job.End)) {
			batch = append(batch, append([]byte(nil), buf[:n]...))
		}
		c.Advance(n)
		if len(batch) == importBatch {
			if err := flush(); err != nil {
				return events, bad, err
			}
		}
	}
}

func (c *call) importOut(j *importJob) object {
	o := object{"ImportId": j.ID, "Destinations": []string{arn{j.Region, j.Account, storeARN, j.Store}.String()}, "ImportStatus": j.Status,
		"ImportSource":     object{"S3": object{"S3LocationUri": j.URI, "S3BucketRegion": j.BucketRegion, "S3BucketAccessRoleArn": j.Role}},
		"CreatedTimestamp": moment{j.Created}, "UpdatedTimestamp": moment{j.Updated}}
	if !j.Start.IsZero() {
		o["StartEventTime"] = moment{j.Start}
	}
	if !j.End.IsZero() {
		o["EndEventTime"] = moment{j.End}
	}
	return o
}

func (c *call) fullImport(j *importJob) object {
	o := c.importOut(j)
	o["ImportStatistics"] = object{"PrefixesFound": j.Found, "PrefixesCompleted": j.Done, "FilesCompleted": j.Files, "EventsCompleted": j.Events, "FailedEntries": j.Failed}
	return o
}

func (c *call) getImport() (any, error) {
	j, err := c.jobOf(c.text("ImportId"))
	if err != nil {
		return nil, err
	}
	return c.fullImport(j), nil
}

func (c *call) stopImport() (any, error) {
	j, err := c.jobOf(c.text("ImportId"))
	if err != nil {
		return nil, err
	}
	i := c.s.findImport(j.ID)
	if i == nil || j.ended() {
		return nil, fail("InvalidParameter", "import %s is %s; only one that is going on can be stopped", j.ID, j.Status)
	}
	i.stop(errImportStopped)
	select {
	case <-i.done:
	case <-c.ctx.Done():
		return nil, c.ctx.Err()
	}
	now := i.now()
	return c.fullImport(&now), nil
}

func (c *call) listImports() (any, error) {
	list, err := all[importJob](c.s, engine.ObjectImportJob, c.mine())
	if err != nil {
		return nil, err
	}
	store := ""
	if ref := c.text("Destination"); ref != "" {
		e, err := c.resolveStore(ref)
		if err != nil {
			return nil, err
		}
		store = e.ID()
	}
	for k := range list {
		if i := c.s.findImport(list[k].value.ID); i != nil {
			list[k].value = i.now()
		}
	}
	list = slices.DeleteFunc(list, func(n named[importJob]) bool {
		return store != "" && n.value.Store != store || c.has("ImportStatus") && n.value.Status != c.text("ImportStatus")
	})
	list, next, err := page(c, list, c.integer("MaxResults", listMax), func(n *named[importJob]) string { return n.name })
	if err != nil {
		return nil, err
	}
	out := []object{}
	for k := range list {
		j := &list[k].value
		out = append(out, object{"ImportId": j.ID, "ImportStatus": j.Status, "Destinations": []string{arn{j.Region, j.Account, storeARN, j.Store}.String()},
			"CreatedTimestamp": moment{j.Created}, "UpdatedTimestamp": moment{j.Updated}})
	}
	return withNext(object{"Imports": out}, next), nil
}

func (c *call) listImportFailures() (any, error) {
	j, err := c.jobOf(c.text("ImportId"))
	if err != nil {
		var e *Error
		if errors.As(err, &e) {
			return nil, fail("InvalidParameter", "ImportId: %s", e.Message) // as the operation has it
		}
		return nil, err
	}
	list, next, err := page(c, j.Failures, c.integer("MaxResults", listMax), func(f *importFailure) string { return f.Location })
	if err != nil {
		return nil, err
	}
	out := []object{}
	for _, f := range list {
		out = append(out, object{"Location": f.Location, "Status": f.Status, "ErrorType": f.Type, "ErrorMessage": f.Message, "LastUpdatedTime": moment{f.At}})
	}
	return withNext(object{"Failures": out}, next), nil
}

// takeUpImports marks, on record, what a server that has ended has left going on.
func (s *API) takeUpImports(ctx context.Context) error {
	list, err := all[importJob](s, engine.ObjectImportJob, "")
	if err != nil {
		return err
	}
	for k := range list {
		j := &list[k].value
		if j.ended() {
			continue
		}
		j.Status = importFailed
		if err := s.save(ctx, engine.ObjectImportJob, j.name(), j); err != nil {
			return err
		}
	}
	return nil
}

// sweepImports removes imports that have ended long ago.
func (s *API) sweepImports(ctx context.Context) error {
	list, err := all[importJob](s, engine.ObjectImportJob, "")
	if err != nil {
		return err
	}
	var dead []engine.Object
	for k := range list {
		if j := &list[k].value; j.ended() && s.clock().Sub(j.Updated) > importKeep {
			dead = append(dead, engine.Object{Kind: engine.ObjectImportJob, Name: j.name()})
		}
	}
	if len(dead) == 0 {
		return nil
	}
	return s.remove(ctx, dead...)
}
