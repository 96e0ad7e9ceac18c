package trail

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"

	"github.com/cairndb/cairn/engine/digest"
)

// Verify is how somebody with the delivered files and the public keys, and nothing else,
// finds out whether the files are as they were delivered. It walks the chain of
// digests from the newest one back, as "aws cloudtrail validate-logs" does, with the same
// verdicts and the same lines; files are read by many workers.

// Verification says what is to be verified.
type Verification struct {
	// ARN is the trail's.
	ARN string
	// Bucket is the name that the files have been delivered under, Prefix their prefix.
	Bucket, Prefix string
	// Account is whose files; the trail's account when empty. Organization is the ID of
	// an organization whose trail it is. Region is whose files; the trail's when empty.
	Account, Organization, Region string
	// Start and End are the range; whole digests are verified.
	Start, End time.Time
	// Keys are the public keys.
	Keys []*digest.TrailKey
	// Verbose prints lines of what is valid, too.
	Verbose bool
	// Out gets what is valid and the summary, Err what is not.
	Out, Err io.Writer
	// Workers is how many files are read at once; 8 when 0.
	Workers int
}

// Verdict is what came of it.
type Verdict struct {
	Digests         int `json:"digests"`
	InvalidDigests  int `json:"invalidDigests"`
	Backfill        int `json:"backfillDigests"`
	InvalidBackfill int `json:"invalidBackfillDigests"`
	Logs            int `json:"logs"`
	InvalidLogs     int `json:"invalidLogs"`
	// From and To are what valid digests cover, within the range; zero without any.
	From time.Time `json:"from,omitzero"`
	To   time.Time `json:"to,omitzero"`
	// Remarks are what the AWS CLI does not look at: a digest that names another hash of
	// the one before, hours between digests, files that two digests list.
	Remarks []string `json:"remarks,omitempty"`
}

// Valid reports whether nothing was wrong.
func (v *Verdict) Valid() bool { return v.InvalidDigests+v.InvalidBackfill+v.InvalidLogs == 0 }

const (
	// logBytesMax bounds a file before compression: CloudTrail's are at most 50 MB, one
	// that says more is not read to its end.
	logBytesMax = 256 << 20

	verifyWorkers = 8
)

var arnForm = regexp.MustCompile(`^arn:[a-z-]+:cloudtrail:([a-z0-9-]+):(\d{12}):trail/(.+)$`)

// verifier is one run.
type verifier struct {
	Verification
	target  Target
	name    string // of the trail
	home    string // its region
	verdict Verdict
	keys    map[string]*digest.TrailKey
	seen    map[string]bool // files listed
	double  bool            // the last line was an empty one
	work    chan func()
}

// Verify verifies what a target has. The error says that it could not be done.
func Verify(ctx context.Context, target Target, what Verification) (*Verdict, error) {
	m := arnForm.FindStringSubmatch(what.ARN)
	if m == nil {
		return nil, invalid("TrailARN", "%q is not the ARN of a trail, arn:aws:cloudtrail:REGION:ACCOUNT:trail/NAME", what.ARN)
	}
	v := &verifier{Verification: what, target: target, home: m[1], name: m[3], keys: make(map[string]*digest.TrailKey), seen: make(map[string]bool), double: true}
	if v.Account == "" {
		v.Account = m[2]
	}
	if v.Region == "" {
		v.Region = v.home
	}
	if v.Workers <= 0 {
		v.Workers = verifyWorkers
	}
	v.Start, v.End = v.Start.UTC().Truncate(time.Second), v.End.UTC().Truncate(time.Second)
	if v.Start.After(v.End) {
		return nil, invalid("StartTime", "it is after the end, %s", shown(v.End))
	}
	for _, k := range what.Keys {
		if !k.Start.After(v.End.Add(2*time.Hour)) && !k.End.Before(v.Start) {
			v.keys[k.Fingerprint()] = k
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	v.work = make(chan func())
	defer close(v.work)
	for range v.Workers {
		go func() {
			for f := range v.work {
				f()
			}
		}()
	}
	fmt.Fprintf(v.Out, "Validating log files for trail %s between %s and %s\n\n", v.ARN, shown(v.Start), shown(v.End))
	standard, backfill, err := v.list(ctx)
	if err != nil {
		return nil, fmt.Errorf("listing digests: %w", err)
	}
	if len(v.keys) == 0 {
		return nil, fmt.Errorf("no public keys found between %s and %s", shown(v.Start), shown(v.End.Add(2*time.Hour)))
	}
	if err := v.walk(ctx, standard, false); err != nil {
		return nil, err
	}
	// Keys of back-fill digests are looked up by when those were made.
	for _, k := range what.Keys {
		v.keys[k.Fingerprint()] = k
	}
	if err := v.walk(ctx, backfill, true); err != nil {
		return nil, err
	}
	v.summary()
	return &v.verdict, nil
}

func shown(t time.Time) string { return t.UTC().Format(digest.TrailTimeLayout) }

const stampLayout = "20060102T150405Z"

// stampOf returns the time in a digest's key, as text.
func stampOf(key string) (stamp string, backfill bool) {
	key, ok := strings.CutSuffix(key, ".json.gz")
	if !ok {
		return "", false
	}
	key, backfill = strings.CutSuffix(key, "_backfill")
	return key[max(0, len(key)-len(stampLayout)):], backfill
}

// list returns the keys of digests in the range, oldest first.
func (v *verifier) list(ctx context.Context) (standard, backfill []string, err error) {
	s := Settings{Prefix: v.Prefix, Organization: v.Organization, Name: v.name, HomeRegion: v.home}
	base := s.base(v.Account, folderDigest, v.Region)
	form := regexp.MustCompile(`^\d+/\d+/\d+/` + regexp.QuoteMeta(v.Account+"_"+folderDigest+"_"+v.Region+"_"+v.name+"_"+v.home+"_") + `.+\.json\.gz$`)
	from, to := v.Start.Format(stampLayout), v.End.Add(time.Hour).Format(stampLayout)
	// Listing starts with the day of the first; keys of a day are few.
	day := v.Start.Add(-time.Minute).Truncate(24 * time.Hour)
	prefix := base
	if v.End.Sub(day) < 20*24*time.Hour && day.Month() == v.End.Add(time.Hour).Month() {
		prefix += day.Format("2006/01/")
	}
	err = v.target.List(ctx, prefix, func(key string) error {
		rest, ok := strings.CutPrefix(key, base)
		if !ok || !form.MatchString(rest) {
			return nil
		}
		stamp, late := stampOf(key)
		switch {
		case stamp > to || stamp < from:
		case late:
			backfill = append(backfill, key)
		default:
			standard = append(standard, key)
		}
		return nil
	})
	return standard, backfill, err
}

// fetched is what was read of a digest.
type fetched struct {
	digest   *digest.TrailDigest
	document []byte
	meta     map[string]string
	err      error
	missing  bool
}

// walk verifies a chain. keys are those in the range, oldest first.
func (v *verifier) walk(ctx context.Context, keys []string, backfill bool) error {
	pop := func(before string) string {
		for len(keys) > 0 {
			key := keys[len(keys)-1]
			keys = keys[:len(keys)-1]
			a, _ := stampOf(key)
			if b, _ := stampOf(before); before == "" || a < b {
				return key
			}
		}
		return ""
	}
	// Digests are read ahead of the walk, in the order in which it will want them.
	ahead := make(map[string]chan *fetched)
	next := len(keys)
	all := slices.Clone(keys)
	read := func(key string) *fetched {
		for next > 0 && len(ahead) < 2*v.Workers {
			next--
			k, c := all[next], make(chan *fetched, 1)
			ahead[k] = c
			go func() { c <- v.fetch(ctx, k, backfill) }()
		}
		if c := ahead[key]; c != nil {
			delete(ahead, key)
			return <-c
		}
		return v.fetch(ctx, key, backfill)
	}
	label := ""
	if backfill {
		label = "(backfill) "
	}
	key := pop("")
	if key == "" {
		return nil
	}
	stamp, _ := stampOf(key)
	last, err := time.Parse(stampLayout, stamp)
	if err != nil {
		last = v.End
	}
	var newer *fetched
	for key != "" && !v.Start.After(last) {
		if err := ctx.Err(); err != nil {
			return err
		}
		f := read(key)
		reason := v.judge(key, f)
		if f.err != nil && !f.missing && reason == "" {
			return fmt.Errorf("reading %s: %w", key, f.err)
		}
		if reason != "" {
			if backfill {
				v.verdict.InvalidBackfill++
			} else {
				v.verdict.InvalidDigests++
			}
			v.say(true, "%sDigest file\ts3://%s/%s\tINVALID: %s", label, v.Bucket, key, reason)
			key, newer = pop(key), nil
			continue
		}
		d := f.digest
		v.link(newer, f)
		last, _ = time.Parse(digest.TrailTimeLayout, d.Start)
		end, _ := time.Parse(digest.TrailTimeLayout, d.End)
		v.found(last, end)
		if backfill {
			v.verdict.Backfill++
		} else {
			v.verdict.Digests++
		}
		v.say(false, "%sDigest file\ts3://%s/%s\tvalid", label, v.Bucket, key)
		if err := v.files(ctx, d.Files); err != nil {
			return err
		}
		newer = f
		if d.PreviousBucket == nil || d.PreviousObject == nil {
			newer = nil
			if next := pop(key); next != "" {
				stamp, _ := stampOf(next)
				at, _ := time.Parse(stampLayout, stamp)
				v.say(true, "%sNo log files were delivered by CloudTrail between %s and %s", label, shown(at), shown(last))
				key = next
				continue
			}
			break
		}
		if *d.PreviousBucket != v.Bucket {
			v.verdict.Remarks = append(v.verdict.Remarks, fmt.Sprintf("the chain goes on in bucket %s before %s: verify it there", *d.PreviousBucket, shown(last)))
			break
		}
		key = *d.PreviousObject
	}
	return nil
}

// fetch reads a digest.
func (v *verifier) fetch(ctx context.Context, key string, backfill bool) *fetched {
	f := &fetched{}
	if checkKey(key) != nil {
		return &fetched{missing: true}
	}
	body, meta, err := v.target.Get(ctx, key, digest.TrailDocumentMax)
	if errors.Is(err, fs.ErrNotExist) {
		return &fetched{missing: true}
	}
	if err != nil {
		f.err = err
		return f
	}
	f.meta = meta
	z, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return f
	}
	z.Multistream(false) // as the AWS CLI: what follows the first member is not read
	document, err := io.ReadAll(io.LimitReader(z, digest.TrailDocumentMax+1))
	if err != nil || !json.Valid(document) {
		return f
	}
	f.document = document
	if f.digest, err = digest.ParseTrailDigest(document); err != nil {
		f.digest = nil
	}
	return f
}

// judge returns why a digest is not valid, "" when it is.
func (v *verifier) judge(key string, f *fetched) string {
	switch {
	case f.missing:
		return "not found"
	case f.err != nil:
		return ""
	case f.document == nil:
		return "invalid format"
	}
	signature, ok := f.meta[digest.MetaSignature]
	if _, also := f.meta[digest.MetaAlgorithm]; !ok || !also {
		return "signature verification failed"
	}
	if _, late := stampOf(key); late && f.meta[digest.MetaBackfill] == "" {
		return "invalid format"
	}
	d := f.digest
	if d == nil {
		return "invalid format"
	}
	if d.Bucket != v.Bucket || d.Object != key {
		return "has been moved from its original location"
	}
	k := v.keys[d.Fingerprint]
	if k == nil {
		return fmt.Sprintf("public key not found in region %s for fingerprint %s", v.home, d.Fingerprint)
	}
	if d.Verify(f.document, signature, k) != nil {
		return "signature verification failed"
	}
	return ""
}

// link notes what does not fit between a digest and the one that names it.
func (v *verifier) link(newer, f *fetched) {
	if newer == nil {
		return
	}
	n, d := newer.digest, f.digest
	sum := sha256.Sum256(f.document)
	if n.PreviousHash == nil || *n.PreviousHash != hex.EncodeToString(sum[:]) {
		v.verdict.Remarks = append(v.verdict.Remarks, fmt.Sprintf("the digest that ends %s names another hash of the one before, s3://%s/%s", n.End, v.Bucket, d.Object))
	}
	if _, late := stampOf(d.Object); !late && n.Start != d.End {
		v.verdict.Remarks = append(v.verdict.Remarks, fmt.Sprintf("no digest covers %s to %s", d.End, n.Start))
	}
}

func (v *verifier) found(start, end time.Time) {
	if start.Before(v.Start) {
		start = v.Start
	}
	if end.After(v.End) {
		end = v.End
	}
	if v.verdict.From.IsZero() || start.Before(v.verdict.From) {
		v.verdict.From = start
	}
	if end.After(v.verdict.To) {
		v.verdict.To = end
	}
}

// files verifies the files of a digest, many at once, and tells of them in order.
func (v *verifier) files(ctx context.Context, list []digest.TrailFile) error {
	type result struct {
		reason string
		err    error
	}
	results := make([]chan result, len(list))
	for i := range results {
		results[i] = make(chan result, 1)
	}
	go func() {
		for i := range list {
			v.work <- func() {
				reason, err := v.file(ctx, &list[i])
				results[i] <- result{reason, err}
			}
		}
	}()
	var failed error
	for i := range list {
		r := <-results[i]
		f := &list[i]
		switch {
		case r.err != nil:
			failed = errors.Join(failed, fmt.Errorf("reading %s: %w", f.Object, r.err))
		case r.reason != "":
			v.verdict.InvalidLogs++
			v.say(true, "Log file\ts3://%s/%s\tINVALID: %s", f.Bucket, f.Object, r.reason)
		default:
			v.verdict.Logs++
			v.say(false, "Log file\ts3://%s/%s\tvalid", f.Bucket, f.Object)
		}
		if v.seen[f.Object] {
			v.verdict.Remarks = append(v.verdict.Remarks, "two digests list s3://"+f.Bucket+"/"+f.Object)
		}
		v.seen[f.Object] = true
	}
	return failed
}

// file verifies one file and returns what is wrong with it.
func (v *verifier) file(ctx context.Context, f *digest.TrailFile) (string, error) {
	if f.Bucket != v.Bucket || checkKey(f.Object) != nil {
		return "not found", nil
	}
	body, _, err := v.target.Get(ctx, f.Object, logBytesMax)
	if errors.Is(err, fs.ErrNotExist) {
		return "not found", nil
	}
	if err != nil {
		return "", err
	}
	z, err := gzip.NewReader(bytes.NewReader(body))
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return "hash value doesn't match", nil // cut off before anything was compressed
	}
	if err != nil {
		return "invalid format", nil
	}
	z.Multistream(false)
	h := sha256.New()
	n, err := io.Copy(h, io.LimitReader(z, logBytesMax+1))
	switch {
	case err != nil && !errors.Is(err, io.ErrUnexpectedEOF):
		return "invalid format", nil
	case n > logBytesMax, err != nil, hex.EncodeToString(h.Sum(nil)) != f.Hash:
		return "hash value doesn't match", nil
	}
	return "", nil
}

// say prints a line: what is wrong to Err, what is valid to Out.
func (v *verifier) say(wrong bool, format string, args ...any) {
	line := fmt.Sprintf(format, args...)
	switch {
	case wrong && v.double:
		fmt.Fprintf(v.Err, "%s\n\n", line)
	case wrong:
		fmt.Fprintf(v.Err, "\n%s\n\n", line)
		v.double = true
	case v.Verbose:
		fmt.Fprintln(v.Out, line)
		v.double = false
	}
}

func (v *verifier) summary() {
	if !v.double {
		fmt.Fprintln(v.Out)
	}
	r := &v.verdict
	fmt.Fprintf(v.Out, "Results requested for %s to %s\n", shown(v.Start), shown(v.End))
	if r.Digests+r.InvalidDigests+r.Backfill+r.InvalidBackfill == 0 {
		fmt.Fprintln(v.Out, "No digests found")
		return
	}
	if r.From.IsZero() {
		fmt.Fprintln(v.Out, "No valid digests found in range")
	} else {
		fmt.Fprintf(v.Out, "Results found for %s to %s:\n", shown(r.From), shown(r.To))
	}
	for _, c := range []struct {
		name           string
		valid, invalid int
	}{{"digest", r.Digests, r.InvalidDigests}, {"backfill digest", r.Backfill, r.InvalidBackfill}, {"log", r.Logs, r.InvalidLogs}} {
		total := c.valid + c.invalid
		if total == 0 {
			continue
		}
		fmt.Fprintf(v.Out, "\n%d/%d %s files valid", c.valid, total, c.name)
		if c.invalid > 0 {
			fmt.Fprintf(v.Out, ", %d/%d %s files INVALID", c.invalid, total, c.name)
		}
	}
	fmt.Fprintln(v.Out)
	for _, remark := range r.Remarks {
		fmt.Fprintf(v.Err, "Note: %s\n", remark)
	}
}
