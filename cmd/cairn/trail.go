package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cairndb/cairn/engine"
	"github.com/cairndb/cairn/engine/bucket"
	"github.com/cairndb/cairn/engine/event"
	"github.com/cairndb/cairn/engine/topic"
	"github.com/cairndb/cairn/engine/trail"
	"github.com/cairndb/cairn/server"
)

const trailLong = `A trail delivers events to a directory or a bucket, as CloudTrail does: compressed log files
{"Records":[…]} about every five minutes, named
  [PREFIX/]AWSLogs/ACCOUNT/CloudTrail/REGION/YYYY/MM/DD/ACCOUNT_CloudTrail_REGION_TIME_RANDOM.json.gz
and, with --validation, a signed digest of them every hour, which
"aws cloudtrail validate-logs" and "cairn verify TARGET" check.

It reads stores as they grow (--source, the store events by default) and delivers what its
selectors select: each event at least once, none lost by crashes or by a target that is
away. "cairn serve" runs all trails of its lake; without a server,
"cairn trail deliver-now" delivers what waits. A lake that a server has open is managed
through that server.`

func (p *program) trailCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "trail",
		Short: "Deliver events to directories and buckets, as CloudTrail does",
		Long:  trailLong,
		Example: `  cairn trail create main --account 111122223333 --region eu-west-1 --target file:/srv/audit --validation
  cairn trail start main
  cairn trail status main`,
	}
	named := func(use, short, do, example string) *cobra.Command {
		return &cobra.Command{Use: use + " NAME|ARN", Short: short, Example: example, Args: cobra.ExactArgs(1),
			RunE: func(c *cobra.Command, args []string) error {
				a, err := p.askTrail(c.Context(), &server.TrailRequest{Do: do, Name: args[0]})
				if a != nil && len(a.Trails) == 1 {
					err = errors.Join(err, p.printTrail(&a.Trails[0]))
				}
				return err
			}}
	}
	var fromStart bool
	start := &cobra.Command{
		Use:   "start NAME|ARN",
		Short: "Start logging: deliver what comes from now on",
		Example: `  cairn trail start main
  cairn trail start main --from-start   # and everything that its sources have`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			a, err := p.askTrail(c.Context(), &server.TrailRequest{Do: "start", Name: args[0], FromStart: fromStart})
			if err != nil {
				return err
			}
			return p.printTrail(&a.Trails[0])
		},
	}
	start.Flags().BoolVar(&fromStart, "from-start", false, "deliver also all that its sources have")
	remove := &cobra.Command{
		Use: "delete NAME|ARN", Short: "Delete a trail; what it has delivered stays", Example: "  cairn trail delete main", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			_, err := p.askTrail(c.Context(), &server.TrailRequest{Do: "delete", Name: args[0]})
			return err
		},
	}
	list := &cobra.Command{
		Use: "list", Short: "List the trails", Example: "  cairn trail list --json", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			a, err := p.askTrail(c.Context(), &server.TrailRequest{Do: "list"})
			if err != nil {
				return err
			}
			if p.json {
				return p.printJSON(append([]engine.Trail{}, a.Trails...))
			}
			t := newTextTable("name", "account", "region", "target", "logging", "waiting", "last delivery", "error")
			t.right(5)
			for i := range a.Trails {
				s := &a.Trails[i]
				region := s.HomeRegion
				if s.MultiRegion {
					region = "all"
				}
				t.row(s.Name, s.Account, region, withoutQuery(s.Target), onOff(s.Status.Logging), count(int64(s.Status.Waiting)), when(s.Status.Delivery), s.Status.DeliveryError)
			}
			return t.print(p.out)
		},
	}
	cmd.AddCommand(p.createTrailCommand(), list, named("show", "Show a trail", "show", "  cairn trail show main --json"),
		p.updateTrailCommand(), start, named("stop", "Stop logging; what has come until now is delivered yet", "stop", "  cairn trail stop main"), remove,
		named("status", "Show how a trail does", "show", "  cairn trail status main --json"),
		named("deliver-now", "Deliver what waits now, and digests of hours that have ended", "deliver", "  cairn trail deliver-now main"), p.trailKeysCommand(), p.decryptTrailCommand())
	return cmd
}

// askTrail has the server do something that has the lake open, or opens it.
func (p *program) askTrail(ctx context.Context, r *server.TrailRequest) (*server.TrailAnswer, error) {
	dir, err := p.lakeDir()
	if err != nil {
		return nil, err
	}
	a, err := server.AskTrail(ctx, dir, r)
	if errors.Is(err, server.ErrNotServed) {
		var lake *engine.Lake
		if lake, err = p.open(true); err != nil {
			return nil, err
		}
		a, err = server.DoTrail(ctx, lake, r)
		err = errors.Join(err, lake.Close())
	}
	if errors.Is(err, engine.ErrBadInput) {
		err = usageError{err}
	}
	return a, err
}

// trailFlags are the settings of a trail as flags.
type trailFlags struct {
	target, bucket, prefix, kms, organization, selectors string
	accounts, sources, insights                          []string
	notify, logs                                         string
	encrypt                                              []string
	form, pattern                                        string
	multi, global, validation                            bool
}

func (f *trailFlags) declare(c *cobra.Command) {
	g := c.Flags()
	g.StringVar(&f.target, "target", "", "where files go: file:/DIRECTORY, jsonl:/FILE, https://WEBHOOK#SECRET, awssns:///ARN?region=R, awssqs://HOST/ACCOUNT/QUEUE?region=R, or s3://BUCKET?region=R (and endpoint=URL&use_path_style=true for what speaks S3; ssetype=AES256)")
	g.StringVar(&f.form, "form", "", "with jsonl:, webhooks and topics, the form of events: bus (envelope of an event bus), log (event of a log service), or records as they are")
	g.StringVar(&f.pattern, "pattern", "", "with jsonl:, webhooks and topics, an event pattern that events in their form must fit, JSON")
	g.StringVar(&f.bucket, "bucket-name", "", "name of the target in digests (default: the bucket, or the directory's last part)")
	g.StringVar(&f.prefix, "prefix", "", "prefix of all keys, before AWSLogs")
	g.StringVar(&f.notify, "notify", "", "tell this topic or webhook of files as they are delivered: awssns:///ARN?region=R, awssqs://HOST/ACCOUNT/QUEUE?region=R, https://WEBHOOK#SECRET")
	g.StringVar(&f.logs, "logs", "", "give the same events to a log service, too, as its events: jsonl:/FILE, https://WEBHOOK#SECRET, or a topic")
	g.StringVar(&f.kms, "kms-key", "", "key that the bucket is told to encrypt files with")
	g.StringArrayVar(&f.encrypt, "encrypt", nil, "encrypt files for this keeper before they leave (see: cairn encryption); may be repeated. cairn trail decrypt reads them, AWS's tools do not")
	g.BoolVar(&f.multi, "multi-region", true, "deliver events of all regions, not of the home region alone")
	g.BoolVar(&f.global, "global-services", true, "deliver events of iam, sts and cloudfront, which are recorded in us-east-1")
	g.StringVar(&f.organization, "organization", "", "ID of an organization, o-…: deliver events of all its accounts")
	g.StringSliceVar(&f.accounts, "member", nil, "account of the organization (default: all that events name); several by commas")
	g.BoolVar(&f.validation, "validation", true, "sign a digest of the files every hour")
	g.StringVar(&f.selectors, "selectors", "", "event selectors, basic or advanced, JSON or @FILE (default: all management events)")
	g.StringSliceVar(&f.insights, "insights", nil, "types of Insights events to deliver: ApiCallRateInsight, ApiErrorRateInsight")
	g.StringSliceVar(&f.sources, "source", nil, "store to read (default: events); several by commas")
}

// set changes settings as the flags say that were given.
func (f *trailFlags) set(c *cobra.Command, s *engine.TrailSettings, all bool) error {
	given := func(name string) bool { return all || c.Flags().Changed(name) }
	if given("target") {
		s.Target = f.target
		if dir, ok := strings.CutPrefix(f.target, "file:"); ok && !strings.HasPrefix(dir, "/") {
			abs, err := filepath.Abs(dir)
			if err != nil {
				return err
			}
			s.Target = "file:" + abs
		}
	}
	for _, t := range []struct {
		flag string
		from string
		to   *string
	}{{"bucket-name", f.bucket, &s.Bucket}, {"prefix", f.prefix, &s.Prefix}, {"kms-key", f.kms, &s.KMSKeyID}, {"notify", f.notify, &s.Notify}, {"logs", f.logs, &s.Logs}, {"form", f.form, &s.Form}, {"organization", f.organization, &s.Organization}} {
		if given(t.flag) {
			*t.to = t.from
		}
	}
	for _, b := range []struct {
		flag string
		from bool
		to   *bool
	}{{"multi-region", f.multi, &s.MultiRegion}, {"global-services", f.global, &s.GlobalServices}, {"validation", f.validation, &s.Validation}} {
		if given(b.flag) {
			*b.to = b.from
		}
	}
	for _, l := range []struct {
		flag string
		from []string
		to   *[]string
	}{{"member", f.accounts, &s.Accounts}, {"insights", f.insights, &s.Insights}, {"source", f.sources, &s.Sources}} {
		if given(l.flag) {
			*l.to = l.from
		}
	}
	if given("encrypt") {
		s.Encrypt = nil
		for _, keeper := range f.encrypt {
			keeper, err := absoluteKeeper(keeper)
			if err != nil {
				return err
			}
			s.Encrypt = append(s.Encrypt, keeper)
		}
	}
	if given("pattern") {
		if f.pattern != "" && !json.Valid([]byte(f.pattern)) {
			return usagef("--pattern: the event pattern is not JSON: %s", shorten(f.pattern, 100))
		}
		s.Pattern = json.RawMessage(f.pattern)
	}
	if given("selectors") {
		sel, err := readSelectors(f.selectors)
		if err != nil {
			return err
		}
		if s.Selectors = (event.Selectors{}); sel != nil {
			s.Selectors = *sel
		}
	}
	return nil
}

func (p *program) createTrailCommand() *cobra.Command {
	var f trailFlags
	var account, region string
	var start bool
	cmd := &cobra.Command{
		Use:   "create NAME",
		Short: "Create a trail; it delivers nothing before it is started",
		Long:  trailLong,
		Example: `  cairn trail create main --account 111122223333 --region eu-west-1 --target file:/srv/audit --start
  cairn trail create all --account 111122223333 --region eu-west-1 --organization o-exampleorgid \
      --target "s3://audit-logs?region=eu-west-1" --prefix lake1
  cairn trail create alerts --account 111122223333 --region eu-west-1 --target https://alerts.example.com/hook#SECRET --form bus \
      --pattern '{"detail":{"eventName":[{"prefix":"Delete"}]}}'
  cairn trail create told --account 111122223333 --region eu-west-1 --target file:/srv/audit \
      --notify "awssns:///arn:aws:sns:eu-west-1:111122223333:delivered?region=eu-west-1"
  cairn trail create objects --account 111122223333 --region eu-west-1 --target file:/srv/objects --selectors \
      '[{"FieldSelectors":[{"Field":"eventCategory","Equals":["Data"]},{"Field":"resources.type","Equals":["AWS::S3::Object"]}]}]'`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if f.target == "" {
				return usagef("where to? give --target file:/DIRECTORY or the URL of a bucket")
			}
			if account == "" || region == "" {
				return usagef("whose trail is it? give --account (12 digits) and --region (its home region, such as eu-west-1)")
			}
			s := &engine.TrailSettings{Name: args[0], Account: account, HomeRegion: region}
			if err := f.set(c, s, true); err != nil {
				return err
			}
			if trail.IsStream(s.Target) {
				s.Validation = c.Flags().Changed("validation") && f.validation // there are no digests of streams
			}
			a, err := p.askTrail(c.Context(), &server.TrailRequest{Do: "create", Name: args[0], Settings: s})
			if err == nil && start {
				a, err = p.askTrail(c.Context(), &server.TrailRequest{Do: "start", Name: a.Trails[0].ARN()})
			}
			if err != nil {
				return err
			}
			return p.printTrail(&a.Trails[0])
		},
	}
	f.declare(cmd)
	cmd.Flags().StringVar(&account, "account", "", "the account whose events are delivered, 12 digits; of an organization, the managing one")
	cmd.Flags().StringVar(&region, "region", "", "home region of the trail")
	cmd.Flags().BoolVar(&start, "start", false, "start it, too")
	return cmd
}

func (p *program) updateTrailCommand() *cobra.Command {
	var f trailFlags
	cmd := &cobra.Command{
		Use:   "update NAME|ARN",
		Short: "Change what a trail delivers, and where to",
		Long:  "Update changes the settings that are given and leaves the others. What the trail has not delivered\nyet is delivered by the new ones.",
		Example: `  cairn trail update main --validation=false
  cairn trail update main --selectors @selectors.json`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			a, err := p.askTrail(c.Context(), &server.TrailRequest{Do: "show", Name: args[0]})
			if err != nil {
				return err
			}
			s := a.Trails[0].Settings
			if err := f.set(c, &s, false); err != nil {
				return err
			}
			if a, err = p.askTrail(c.Context(), &server.TrailRequest{Do: "update", Name: args[0], Settings: &s}); err != nil {
				return err
			}
			return p.printTrail(&a.Trails[0])
		},
	}
	f.declare(cmd)
	return cmd
}

func (p *program) trailKeysCommand() *cobra.Command {
	var rotate bool
	cmd := &cobra.Command{
		Use:   "keys",
		Short: "Print the public keys that digests of trails are signed with",
		Long: `Keys prints the public keys of trails' digests, with the members of the CloudTrail API's
ListPublicKeys: keep them elsewhere, for "cairn verify TARGET --keys FILE". A key signs for 30
days; with --rotate a new one is made now.`,
		Example: "  cairn trail keys > trail-keys.json",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			r := &server.TrailRequest{Do: "keys"}
			if rotate {
				r.Do = "rotate-key"
			}
			a, err := p.askTrail(c.Context(), r)
			if err != nil {
				return err
			}
			var out any
			if err := json.Unmarshal(a.Keys, &out); err != nil {
				return err
			}
			return p.printJSON(out)
		},
	}
	cmd.Flags().BoolVar(&rotate, "rotate", false, "make a new key, and print it")
	return cmd
}

func onOff(v bool) string {
	if v {
		return "on"
	}
	return "off"
}

func when(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.UTC().Format(time.DateTime)
}

// withoutQuery leaves out what a URL may keep secret.
func withoutQuery(target string) string {
	head, _, _ := strings.Cut(target, "#")
	head, _, _ = strings.Cut(head, "?")
	return head
}

func (p *program) printTrail(t *engine.Trail) error {
	if p.json {
		return p.printJSON(t)
	}
	st := &t.Status
	scope := "region " + t.HomeRegion
	if t.MultiRegion {
		scope = "all regions"
	}
	who := "account " + t.Account
	if t.Organization != "" {
		who = "organization " + t.Organization
		if len(t.Accounts) > 0 {
			who += ", accounts " + strings.Join(t.Accounts, ", ")
		}
	}
	bucketName := ""
	if !trail.IsStream(t.Target) {
		bucketName = t.BucketName()
	}
	rows := [][2]string{
		{"name", t.Name}, {"arn", t.ARN()},
		{"target", withoutQuery(t.Target)}, {"bucket name", bucketName}, {"form", t.Form}, {"pattern", string(t.Pattern)},
		{"prefix", t.Prefix}, {"kms key", t.KMSKeyID}, {"encrypted", strings.Join(t.Encrypt, ", ")}, {"tells", withoutQuery(t.Notify)},
		{"events of", who + ", " + scope + ", from store " + strings.Join(t.Sources, ", ")},
		{"selects", t.Selectors.String()}, {"insights", strings.Join(t.Insights, ", ")},
		{"digests", onOff(t.Validation)}, {"logging", onOff(st.Logging)},
		{"started", when(st.Started)}, {"stopped", when(st.Stopped)},
		{"delivered", fmt.Sprintf("%s events in %s files, %s; last %s", count(int64(st.Events)), count(int64(st.Files)), size(int64(st.Bytes)), when(st.Delivery))},
		{"last digest", when(st.Digest)}, {"waiting", count(int64(st.Waiting)) + " events"},
		{"error", st.DeliveryError}, {"digest error", st.DigestError}, {"notify error", st.NotificationError},
	}
	if logs := st.Logs; logs != nil {
		rows = append(rows, [2]string{"log service", fmt.Sprintf("%s, %s events, last %s, %s waiting", withoutQuery(t.Logs), count(int64(logs.Events)), when(logs.Delivery), count(int64(logs.Waiting)))},
			[2]string{"log error", logs.DeliveryError})
	}
	if st.Notices > 0 {
		rows = append(rows, [2]string{"to tell", count(int64(st.Notices)) + " notifications wait"})
	}
	if st.Skipped > 0 {
		rows = append(rows, [2]string{"too large", count(int64(st.Skipped)) + " events, of more than 256 KiB"})
	}
	if st.Lost > 0 {
		rows = append(rows, [2]string{"given up", count(int64(st.Lost)) + " events, after the target had failed for thirty days"})
	}
	for _, r := range rows {
		if r[1] == "" {
			continue
		}
		if _, err := fmt.Fprintf(p.out, "%-12s %s\n", r[0], printable(r[1])); err != nil {
			return err
		}
	}
	return nil
}

// bucketTarget is a bucket as a trail's target.
type bucketTarget struct {
	*bucket.Bucket
	kms, acl, arn string
}

// openTarget opens the bucket of a trail. S3 itself is told to let the bucket's owner have
// the files; other stores when the URL says acl=.
func openTarget(ctx context.Context, s *engine.TrailSettings) (engine.TrailTarget, error) {
	t := &bucketTarget{kms: s.KMSKeyID, arn: s.ARN()}
	u, err := url.Parse(s.Target)
	if err != nil {
		return nil, err
	}
	q := u.Query()
	if t.acl = q.Get("acl"); t.acl == "" && u.Scheme == "s3" && !q.Has("endpoint") && os.Getenv("AWS_ENDPOINT_URL_S3") == "" {
		t.acl = "bucket-owner-full-control"
	}
	q.Del("acl")
	u.RawQuery = q.Encode()
	t.Bucket, err = bucket.Open(ctx, u.String())
	return t, err
}

// openTopic opens a topic or queue of a trail.
func openTopic(ctx context.Context, url string) (engine.TrailTopic, error) {
	return topic.Open(ctx, url)
}

// Put implements engine.TrailTarget.
func (t *bucketTarget) Put(ctx context.Context, key string, body []byte, meta map[string]string) error {
	return t.WriteObject(ctx, key, body, bucket.Object{ContentType: "application/json", ContentEncoding: "gzip", Metadata: meta, KMSKeyID: t.kms, ACL: t.acl,
		KMSContext: map[string]string{"aws:cloudtrail:arn": t.arn}})
}

// List implements engine.TrailTarget.
func (t *bucketTarget) List(ctx context.Context, prefix string, fn func(key string) error) error {
	return t.Bucket.List(ctx, prefix, func(name string, _ int64) error { return fn(name) })
}
