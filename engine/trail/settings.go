package trail

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/cairndb/cairn/engine/event"
)

// Limits of settings.
const (
	nameMin, nameMax = 3, 128

	// prefixMax is the longest key prefix, in bytes.
	prefixMax = 200

	// sourcesMax bounds the stores of one trail: there are ten in a region.
	sourcesMax = 16

	// keepersMax bounds the keepers of one trail, as those of a bundle.
	keepersMax = 64

	// accountsMax bounds the member accounts of an organization's trail.
	accountsMax = 1 << 16

	tagsMax = 50
)

// DefaultSource is the store that a trail reads when none is named.
const DefaultSource = "events"

// ErrInvalid is the kind of error of settings that are refused; ErrNotFound of trails that
// are not there; ErrExists of names that are taken.
var (
	ErrInvalid  = errors.New("invalid settings")
	ErrNotFound = errors.New("no such trail")
	ErrExists   = errors.New("the trail exists already")
)

// FieldError is an ErrInvalid that names the setting.
type FieldError struct {
	Field  string
	Reason string
	err    error
}

// Error returns setting and reason.
func (e *FieldError) Error() string { return e.Field + ": " + e.Reason }

// Unwrap returns ErrInvalid, and a *event.SelectorError where selectors are wrong.
func (e *FieldError) Unwrap() []error {
	if e.err != nil {
		return []error{ErrInvalid, e.err}
	}
	return []error{ErrInvalid}
}

func invalid(field, format string, args ...any) error {
	return &FieldError{Field: field, Reason: fmt.Sprintf(format, args...)}
}

// Settings are what a trail is told to do. Zero values mean what the comments say.
type Settings struct {
	// ID is given when the trail is made, a UUID.
	ID      string    `json:"id"`
	Created time.Time `json:"created"`

	// Name follows CloudTrail's rules: 3 to 128 letters, digits, ".", "_" and "-".
	Name string `json:"name"`
	// Account owns the trail, 12 digits. HomeRegion is the region of its ARN.
	Account    string `json:"account"`
	HomeRegion string `json:"homeRegion"`

	// Target is where files go: file:DIRECTORY, or the URL of a bucket. Its query may hold
	// what the bucket's driver needs (endpoint, region).
	Target string `json:"target"`
	// Bucket is the name of the target in digests: the URL's host when empty, or the last
	// part of the directory.
	Bucket string `json:"bucket,omitempty"`
	// Prefix comes before AWSLogs in all keys.
	Prefix string `json:"prefix,omitempty"`
	// Notify is told of files as they are delivered: the URL of a topic, queue or webhook
	// (notice.go).
	Notify string `json:"notify,omitempty"`
	// Logs is where the same events go as events of a log service, too: the address of a stream
	// (logs.go).
	Logs string `json:"logs,omitempty"`
	// KMSKeyID is passed on to the bucket, to encrypt files with.
	KMSKeyID string `json:"kmsKeyId,omitempty"`

	// Encrypt names keepers, by their URLs: files are encrypted so that each of them can
	// read them. Nobody else can, AWS's tools included.
	Encrypt []string `json:"encrypt,omitempty"`

	// MultiRegion delivers the events of all regions; GlobalServices those of iam, sts
	// and cloudfront too, when it is for one region.
	MultiRegion    bool `json:"multiRegion,omitempty"`
	GlobalServices bool `json:"globalServices,omitempty"`
	// Organization is the ID of an organization, o-…, whose trail it is. Accounts are its
	// members; all that events name when it is empty.
	Organization string   `json:"organization,omitempty"`
	Accounts     []string `json:"accounts,omitempty"`

	// Validation makes digests.
	Validation bool `json:"validation,omitempty"`

	Selectors event.Selectors `json:"selectors"`
	// Insights are the types of Insights events that are delivered: ApiCallRateInsight,
	// ApiErrorRateInsight.
	Insights []string `json:"insights,omitempty"`
	// Aggregated delivers aggregated data events.
	Aggregated bool `json:"aggregated,omitempty"`

	// Sources are stores, by name; DefaultSource alone when empty.
	Sources []string `json:"sources,omitempty"`

	// Form and Pattern are for targets that take events one by one (stream.go): the form
	// of events, and an event pattern that chooses among them.
	Form    string          `json:"form,omitempty"`
	Pattern json.RawMessage `json:"pattern,omitempty"`

	// Labels are kept for the CloudTrail API, which shows them: SnsTopicName and so on.
	Labels map[string]string `json:"labels,omitempty"`
	Tags   map[string]string `json:"tags,omitempty"`
}

// ARN returns the trail's ARN.
func (s *Settings) ARN() string {
	return "arn:aws:cloudtrail:" + s.HomeRegion + ":" + s.Account + ":trail/" + s.Name
}

// BucketName returns the name of the target in digests and notifications.
func (s *Settings) BucketName() string {
	if s.Bucket != "" {
		return s.Bucket
	}
	if dir, ok := strings.CutPrefix(s.Target, "file:"); ok {
		dir = strings.TrimRight(dir, "/")
		return dir[strings.LastIndexByte(dir, '/')+1:]
	}
	if u, err := url.Parse(s.Target); err == nil {
		return u.Host
	}
	return ""
}

// Dir returns the directory of a target that is one, "" for buckets.
func (s *Settings) Dir() string {
	dir, ok := strings.CutPrefix(s.Target, "file:")
	if !ok {
		return ""
	}
	if rest, ok := strings.CutPrefix(dir, "//"); ok {
		dir = rest // file:///path is the same as file:/path
	}
	return dir
}

var (
	accountForm = regexp.MustCompile(`^[0-9]{12}$`)
	regionForm  = regexp.MustCompile(`^[a-z]{2,8}(-[a-z0-9]{1,12}){1,4}$`)
	orgForm     = regexp.MustCompile(`^o-[a-z0-9]{10,32}$`)
	bucketForm  = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9._-]{1,61}[a-zA-Z0-9]$`)
	prefixForm  = regexp.MustCompile(`^[a-zA-Z0-9!_.*'()/@=+-]+$`)
)

// CheckName checks a trail's name by CloudTrail's rules.
func CheckName(name string) error {
	bad := func(format string, args ...any) error { return invalid("Name", format, args...) }
	if len(name) < nameMin || len(name) > nameMax {
		return bad("%d characters, there must be %d to %d", len(name), nameMin, nameMax)
	}
	special := true // the first must not be
	for i := range len(name) {
		c := name[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
			special = false
		case c != '.' && c != '_' && c != '-':
			return bad("%q has the character %q; letters, digits, period, underscore and dash are allowed", name, c)
		case special && i == 0:
			return bad("%q does not begin with a letter or digit", name)
		case special:
			return bad("%q has two of period, underscore and dash beside each other", name)
		default:
			special = true
		}
	}
	if special {
		return bad("%q does not end with a letter or digit", name)
	}
	if _, err := netip.ParseAddr(name); err == nil {
		return bad("%q looks like an IP address", name)
	}
	return nil
}

// CheckPrefix checks a key prefix: it must not lead out of itself, nor hide what it is.
func CheckPrefix(prefix string) error {
	bad := func(format string, args ...any) error { return invalid("S3KeyPrefix", format, args...) }
	if prefix == "" {
		return nil
	}
	if len(prefix) > prefixMax {
		return bad("%d characters, at most %d are allowed", len(prefix), prefixMax)
	}
	if !prefixForm.MatchString(prefix) {
		return bad("%q has a character that keys cannot have everywhere", prefix)
	}
	for _, part := range strings.Split(prefix, "/") {
		if part == "" || part == "." || part == ".." {
			return bad("%q has an empty part or one that leads elsewhere; write it as a/b, without slashes at its ends", prefix)
		}
	}
	return nil
}

// Validate fills in defaults and checks all settings. The error is a *FieldError.
func (s *Settings) Validate() error {
	if err := CheckName(s.Name); err != nil {
		return err
	}
	if !accountForm.MatchString(s.Account) {
		return invalid("Account", "%q is not an account ID of 12 digits", s.Account)
	}
	if !regionForm.MatchString(s.HomeRegion) {
		return invalid("HomeRegion", "%q is not spelled like a region, as eu-west-1 is", s.HomeRegion)
	}
	if err := CheckPrefix(s.Prefix); err != nil {
		return err
	}
	if err := s.checkTarget(); err != nil {
		return err
	}
	if err := s.checkForm(); err != nil {
		return err
	}
	if err := s.checkNotify(); err != nil {
		return err
	}
	if err := s.checkLogs(); err != nil {
		return err
	}
	if len(s.Encrypt) > keepersMax {
		return invalid("Encrypt", "%d keepers, at most %d are allowed", len(s.Encrypt), keepersMax)
	}
	if len(s.Encrypt) > 0 && IsStream(s.Target) {
		return invalid("Encrypt", "files are encrypted, and a stream has none")
	}
	if len(s.Encrypt) > 0 && s.KMSKeyID != "" {
		return invalid("Encrypt", "either the bucket encrypts files with a key of its own, or the trail does")
	}
	if s.MultiRegion {
		s.GlobalServices = true
	}
	if s.Organization != "" && !orgForm.MatchString(s.Organization) {
		return invalid("Organization", "%q is not spelled like the ID of an organization, as o-exampleorgid is", s.Organization)
	}
	if s.Organization == "" && len(s.Accounts) > 0 {
		return invalid("Accounts", "only the trail of an organization has member accounts")
	}
	if len(s.Accounts) > accountsMax {
		return invalid("Accounts", "%d accounts, at most %d are allowed", len(s.Accounts), accountsMax)
	}
	for _, a := range s.Accounts {
		if !accountForm.MatchString(a) {
			return invalid("Accounts", "%q is not an account ID of 12 digits", a)
		}
	}
	if len(s.Selectors.Basic)+len(s.Selectors.Advanced) == 0 {
		s.Selectors = event.DefaultTrailSelectors()
	}
	if err := s.Selectors.Validate(event.ForTrail); err != nil {
		return &FieldError{Field: "Selectors", Reason: err.Error(), err: err}
	}
	for _, kind := range s.Insights {
		if kind != "ApiCallRateInsight" && kind != "ApiErrorRateInsight" {
			return invalid("InsightSelectors", "%q is not one of ApiCallRateInsight, ApiErrorRateInsight", kind)
		}
	}
	if len(s.Sources) == 0 {
		s.Sources = []string{DefaultSource}
	}
	if len(s.Sources) > sourcesMax {
		return invalid("Sources", "%d stores, at most %d are allowed", len(s.Sources), sourcesMax)
	}
	for i, name := range s.Sources {
		if name == "" || slices.ContainsFunc(s.Sources[:i], func(other string) bool { return strings.EqualFold(other, name) }) {
			return invalid("Sources", "%q is empty or named twice", name)
		}
	}
	if len(s.Tags) > tagsMax {
		return invalid("TagsList", "%d tags, at most %d are allowed", len(s.Tags), tagsMax)
	}
	return nil
}

func (s *Settings) checkTarget() error {
	if IsStream(s.Target) {
		return s.checkStream()
	}
	if strings.HasPrefix(s.Target, "file:") {
		dir := s.Dir()
		if !strings.HasPrefix(dir, "/") || slices.Contains(strings.Split(dir, "/"), "..") {
			return invalid("Target", "%q: write file: and an absolute path without ..", s.Target)
		}
	} else {
		u, err := url.Parse(s.Target)
		if err != nil || u.Scheme == "" || u.Host == "" {
			return invalid("Target", "%q is neither file:DIRECTORY nor the URL of a bucket, such as s3://NAME?region=eu-west-1", redact(s.Target))
		}
		if strings.Trim(u.Path, "/") != "" {
			return invalid("Target", "%q: keys begin at the bucket's root; give %q as prefix", redact(s.Target), strings.Trim(u.Path, "/"))
		}
	}
	if name := s.BucketName(); !bucketForm.MatchString(name) || strings.Contains(name, "..") {
		return invalid("S3BucketName", "%q is not a name of a bucket; for a directory with another name give one", name)
	}
	return nil
}

// redact returns a URL without what its query and user part may keep secret.
func redact(target string) string {
	if u, err := url.Parse(target); err == nil && u.Host != "" {
		return u.Scheme + "://" + u.Host + u.Path
	}
	target, _, _ = strings.Cut(target, "#")
	target, _, _ = strings.Cut(target, "?")
	return target
}
