package trail

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cairndb/cairn/engine/event"
)

// The folders of log files.
const (
	folderEvents     = "CloudTrail"
	folderInsight    = "CloudTrail-Insight"
	folderNetwork    = "CloudTrail-NetworkActivity"
	folderAggregated = "CloudTrail-Aggregated"
	folderDigest     = "CloudTrail-Digest"
)

// place is where an event's file goes.
type place struct{ account, folder, region string }

// globalServices record in one region what they do in all.
var globalServices = []string{"iam.amazonaws.com", "sts.amazonaws.com", "cloudfront.amazonaws.com"}

const globalRegion = "us-east-1"

// router decides which events a trail delivers, and where to. It belongs to one goroutine.
type router struct {
	s       *Settings
	matcher *event.Matcher
	members map[string]bool // nil for all

	// names holds the texts of accounts and regions seen, so that no event makes one.
	names map[string]string
}

func newRouter(s *Settings) *router {
	r := &router{s: s, matcher: s.Selectors.Compile(), names: make(map[string]string)}
	if len(s.Accounts) > 0 {
		r.members = map[string]bool{s.Account: true}
		for _, a := range s.Accounts {
			r.members[a] = true
		}
	}
	return r
}

// namesMax bounds the texts that are remembered: hostile records may have any.
const namesMax = 1 << 16

// known returns text as a string if it has the form, else the fallback.
func (r *router) known(text []byte, form func(string) bool, fallback string) string {
	if len(text) == 0 {
		return fallback
	}
	if s, ok := r.names[string(text)]; ok {
		return s
	}
	s := string(text)
	if !form(s) {
		return fallback
	}
	if len(r.names) < namesMax {
		r.names[s] = s
	}
	return s
}

// route returns where an event goes; ok is false when the trail does not deliver it.
func (r *router) route(ev *event.Event) (p place, ok bool) {
	p.account = r.known(ev.Recipient, accountForm.MatchString, r.s.Account)
	switch {
	case r.s.Organization == "":
		ok = p.account == r.s.Account
	case r.members != nil:
		ok = r.members[p.account]
	default:
		ok = true
	}
	if !ok {
		return p, false
	}
	p.region = r.known(ev.Region, regionForm.MatchString, r.s.HomeRegion)
	if !r.s.MultiRegion {
		global := p.region == globalRegion && slices.Contains(globalServices, string(ev.Source))
		switch {
		case global && r.s.GlobalServices:
			p.region = r.s.HomeRegion
		case global, p.region != r.s.HomeRegion:
			return p, false
		}
	}
	switch ev.Category {
	case event.Insight:
		p.folder = folderInsight
		return p, r.wantsInsight(ev)
	case event.Aggregated:
		p.folder = folderAggregated
		return p, r.s.Aggregated
	case event.NetworkActivity:
		p.folder = folderNetwork
	case event.Management, event.Data:
		p.folder = folderEvents
	default:
		return p, false
	}
	return p, r.matcher.Match(ev)
}

func (r *router) wantsInsight(ev *event.Event) bool {
	if len(r.s.Insights) == 0 {
		return false
	}
	kind := event.Lookup(ev.Raw, "insightDetails", "insightType")
	return slices.ContainsFunc(r.s.Insights, func(want string) bool {
		return len(kind) == len(want)+2 && string(kind[1:len(kind)-1]) == want
	})
}

// base returns the start of the keys of an account's folder.
func (s *Settings) base(account, folder, region string) string {
	var b strings.Builder
	if s.Prefix != "" {
		b.WriteString(s.Prefix + "/")
	}
	b.WriteString("AWSLogs/")
	if s.Organization != "" {
		b.WriteString(s.Organization + "/")
	}
	b.WriteString(account + "/" + folder + "/" + region + "/")
	return b.String()
}

// logKey returns the key of a log file. what tells files of one time apart.
func (s *Settings) logKey(p place, stamp time.Time, what string) string {
	return fmt.Sprintf("%s%s/%s_%s_%s_%s_%s.json.gz", s.base(p.account, p.folder, p.region), stamp.Format("2006/01/02"),
		p.account, p.folder, p.region, stamp.Format("20060102T1504Z"), random(s.ID+" "+what))
}

// digestKey returns the key of a digest.
func (s *Settings) digestKey(account, region string, end time.Time, backfill bool) string {
	suffix := ""
	if backfill {
		suffix = "_backfill"
	}
	return fmt.Sprintf("%s%s/%s_%s_%s_%s_%s_%s%s.json.gz", s.base(account, folderDigest, region), end.Format("2006/01/02"),
		account, folderDigest, region, s.Name, s.HomeRegion, end.Format("20060102T150405Z"), suffix)
}

// random returns 16 letters and digits that follow from a text. Two of 64 values are passed
// over, so that all are equally likely.
func random(text string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	out := make([]byte, 0, 16)
	for sum := sha256.Sum256([]byte(text)); ; sum = sha256.Sum256(sum[:]) {
		for _, c := range sum {
			if c = c & 63; int(c) < len(alphabet) {
				if out = append(out, alphabet[c]); len(out) == 16 {
					return string(out)
				}
			}
		}
	}
}

// checkKey makes sure that a key stays where it belongs, whatever it was made of.
func checkKey(key string) error {
	const keyMax = 1024 // of S3
	if len(key) == 0 || len(key) > keyMax {
		return fmt.Errorf("a key of %d bytes", len(key))
	}
	for _, part := range strings.Split(key, "/") {
		if part == "" || part == "." || part == ".." {
			return fmt.Errorf("the key %q leads elsewhere", key)
		}
	}
	for _, c := range []byte(key) {
		if c < ' ' || c == 0x7f || c == '\\' {
			return fmt.Errorf("the key %q has the byte %#02x", key, c)
		}
	}
	return nil
}
