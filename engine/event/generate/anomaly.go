package generate

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// Truth is what was put in on purpose, for those who measure detection. It is written as truth.json beside the files.
type Truth struct {
	Events    int64     `json:"events"`
	Seed      uint64    `json:"seed"`
	Start     time.Time `json:"start"`
	End       time.Time `json:"end"`
	Accounts  []string  `json:"accounts"`
	Anomalies []Anomaly `json:"anomalies"`
}

// The kinds of anomalies.
const (
	CallBurst         = "call-burst"          // many calls of a writing kind that are usually rare
	DeniedBurst       = "access-denied-burst" // many refusals
	Hammering         = "principal-hammering" // one principal repeats one call
	NewCall           = "never-seen-call"     // a call that nobody made before
	NewRegion         = "first-use-of-region" // a Region that nobody used before
	LoginAndKey       = "console-login-without-mfa-then-access-key"
	RootUse           = "root-use" // in an account whose root never acts
	ImpossibleTravel  = "impossible-travel"
	PublicBucket      = "public-bucket"
	OpenSecurityGroup = "security-group-open-to-world"
	LoggingStopped    = "logging-stopped"
)

// Anomaly is one of them. Exactly Count records have this account (recipientAccountId), region and principal
// (userIdentity.arn), this event source and name and error code where they are not empty, and a time from Start to End,
// both included.
type Anomaly struct {
	Kind        string    `json:"kind"`
	Account     string    `json:"account"`
	Region      string    `json:"region"`
	Principal   string    `json:"principal"`
	EventSource string    `json:"eventSource,omitempty"`
	EventName   string    `json:"eventName,omitempty"`
	ErrorCode   string    `json:"errorCode,omitempty"`
	Start       time.Time `json:"start"`
	End         time.Time `json:"end"`
	Count       int64     `json:"count"`
	Description string    `json:"description"`
	// EventIDs names the records in order of time, the first eventIDsMax of them; of LoginAndKey the login too.
	EventIDs []string `json:"eventIDs"`
}

// eventIDsMax keeps truth.json readable: a burst is known by its first records.
const eventIDsMax = 20

// fewestForAnomalies is the number of events below which nothing is injected: it would be most of the data.
const fewestForAnomalies = 1000

// extra is an event that does not come from the background: of an anomaly, or one side of a call between two accounts.
type extra struct {
	stream  *stream
	slot    int64
	ms      uint32
	caller  *principal
	since   int64 // when its session ran first, so that all of an anomaly's are of one session
	call    *call
	address string
	agent   string
	peer    *account // the account whose role is assumed
	shared  uint64   // not 0: sharedEventID, and the seed of what both sides say alike
	denied  bool
	anomaly int // index, -1: none
}

// planExtras decides on anomalies and on pairs of records between accounts.
func (g *Generator) planExtras() {
	g.truth = Truth{Events: g.opts.Events, Seed: g.opts.Seed, Start: time.Unix(g.start, 0).UTC(), End: time.Unix(g.end, 0).UTC()}
	for _, a := range g.accounts {
		g.truth.Accounts = append(g.truth.Accounts, a.id)
	}
	g.truth.Anomalies = []Anomaly{}
	if g.opts.Events >= fewestForAnomalies {
		g.planAnomalies()
	}
	g.planPairs()
	slices.SortStableFunc(g.extras, func(a, b extra) int {
		return cmp.Or(cmp.Compare(a.stream.index, b.stream.index), cmp.Compare(a.slot, b.slot), cmp.Compare(a.ms, b.ms))
	})
	for i := 0; i < len(g.extras); {
		j := i
		for j < len(g.extras) && g.extras[j].stream == g.extras[i].stream && g.extras[j].slot == g.extras[i].slot {
			j++
		}
		g.inSlot[int64(g.extras[i].stream.index)*g.slots+g.extras[i].slot] = [2]int32{int32(i), int32(j)}
		i = j
	}
}

// identifyExtras tells the truth the IDs of its events, once the background's numbers are known.
func (g *Generator) identifyExtras() {
	type found struct {
		at int64
		id string
	}
	ids := make([][]found, len(g.truth.Anomalies))
	for _, r := range g.inSlot {
		for i := r[0]; i < r[1]; i++ {
			x := &g.extras[i]
			if x.anomaly < 0 {
				continue
			}
			n := g.count(x.stream, x.slot, x.slot+1) + int64(i-r[0])
			hi, lo := g.eventID(x.stream, x.slot, n)
			ids[x.anomaly] = append(ids[x.anomaly], found{x.slot*g.slot*1000 + int64(x.ms), string(appendUUID(nil, hi, lo, lowerHex))})
		}
	}
	for i, list := range ids {
		slices.SortFunc(list, func(a, b found) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.id, b.id)) })
		for _, f := range list[:min(len(list), eventIDsMax)] {
			g.truth.Anomalies[i].EventIDs = append(g.truth.Anomalies[i].EventIDs, f.id)
		}
	}
	slices.SortStableFunc(g.truth.Anomalies, func(a, b Anomaly) int { return a.Start.Compare(b.Start) })
}

// newCallsFrom is the number of events from which a call that was never seen comes often
// enough to be told from its rate.
const newCallsFrom = 10_000

// scene places anomalies.
type scene struct {
	g *Generator
	r rng
}

func (g *Generator) planAnomalies() {
	s := &scene{g, rng{hash(g.opts.Seed, 19)}}
	first := g.accounts[0]
	second := g.accounts[min(1, len(g.accounts)-1)]
	us := g.streamOf(first, globalRegion)
	size := func(per, least, most int64) int64 { return min(max(g.opts.Events/per, least), most) }

	// Bursts scale with the data and stay within what the busiest account could do in the time.
	p := g.caller(first, "legacy-program", 0)
	n := size(2500, 30, 1200)
	s.inject(CallBurst, us, p, "ec2:RunInstances", s.when(10*60), 10*60, n, "", false,
		fmt.Sprintf("%d RunInstances in ten minutes with the long-lived key of a program that never starts instances", n))
	p = g.caller(first, "function", 1)
	n = size(3000, 30, 1000)
	s.inject(DeniedBurst, us, p, "secretsmanager:GetSecretValue", s.when(15*60), 15*60, n, "", true,
		fmt.Sprintf("%d refused attempts to read secrets by a function's role in 15 minutes", n))
	p = g.caller(first, "deployment", 1)
	n = size(2000, 40, 1500)
	s.inject(Hammering, us, p, "logs:PutRetentionPolicy", s.when(30*60), 30*60, n, "", false,
		fmt.Sprintf("one deployment role repeats PutRetentionPolicy %d times in half an hour", n))
	p = g.caller(first, "named-person", 0)
	// As many as rates can tell (40 in ten minutes), but in a sample so small that they would
	// be a good part of it.
	least := int64(12)
	if g.opts.Events >= newCallsFrom {
		least = 40
	}
	n = size(20_000, least, 60)
	s.inject(NewCall, us, p, "ec2:ModifySnapshotAttribute", s.when(10*60), 10*60, n, "185.220.101.47", false,
		fmt.Sprintf("a user shares %d snapshots with an unknown account; the call was never made before", n))
	elsewhere := g.addStream(second, g.regions[len(g.regions)-1], 0)
	p = g.caller(second, "named-person", 1)
	n = size(50_000, 5, 40)
	s.inject(NewRegion, elsewhere, p, "ec2:RunInstances", s.when(20*60), 20*60, n, "103.253.145.28", false,
		fmt.Sprintf("%d RunInstances in %s, which no account used before", n, newRegion))

	for i := range min(5, max(1, int(g.opts.Events/1000))) {
		a := g.accounts[i%min(3, len(g.accounts))]
		p := g.caller(a, "signing-in", i/min(3, len(g.accounts)))
		p.mfa = false
		at := s.when(3600)
		wait := int64(300 + s.r.below(3000))
		address := fmt.Sprintf("185.220.%d.%d", 100+s.r.below(4), 1+s.r.below(250))
		k := s.inject(LoginAndKey, g.streamOf(a, globalRegion), p, "iam:CreateAccessKey", at+wait, 0, 1, address, false,
			"a console login without MFA, and within the hour the same user creates an access key")
		s.add(k, g.streamOf(a, globalRegion), p, "signin:ConsoleLogin#nomfa", at, at, address, false)
		g.truth.Anomalies[k].Start = time.Unix(at, 0).UTC()
	}

	p = g.caller(first, "owner", 0)
	at := s.when(40 * 60)
	k := s.inject(RootUse, us, p, "iam:CreateLoginProfile", at+900, 0, 1, "185.220.102.8", false, "the root user of an account where it never acts signs in, looks round and gives a user a password")
	for i, name := range []string{"signin:ConsoleLogin#root", "iam:GetAccountSummary", "iam:ListUsers", "iam:ListAccessKeys"} {
		s.add(k, us, p, name, at, at+int64(i)*120, "185.220.102.8", false)
	}
	t := &g.truth.Anomalies[k]
	t.Start, t.Count, t.EventSource, t.EventName = time.Unix(at, 0).UTC(), 5, "", ""

	p = g.caller(first, "signing-in", 5)
	at = s.when(3600)
	k = s.inject(ImpossibleTravel, us, p, "signin:ConsoleLogin", at, 0, 1, "84.17.46.201", false, "the same user signs in from Germany and fourteen minutes later from Singapore")
	s.add(k, us, p, "signin:ConsoleLogin", at, at+14*60, "128.199.210.66", false)
	t = &g.truth.Anomalies[k]
	t.End, t.Count = time.Unix(at+14*60, 0).UTC(), 2

	p = g.caller(first, "console-person", 2)
	at = s.when(3600)
	k = s.inject(PublicBucket, us, p, "s3:PutBucketPolicy#public", at+90, 0, 1, "", false, "someone removes a bucket's public access block and lets everybody read it")
	s.add(k, us, p, "s3:DeleteBucketPublicAccessBlock", at, at, "", false)
	g.truth.Anomalies[k].Start = time.Unix(at, 0).UTC()
	p = g.caller(second, "console-person", 0)
	s.inject(OpenSecurityGroup, g.streamOf(second, globalRegion), p, "ec2:AuthorizeSecurityGroupIngress#open", s.when(60), 0, 1, "", false, "a security group opens port 22 to 0.0.0.0/0")
	p = g.caller(first, "command-person", 1)
	s.inject(LoggingStopped, us, p, "cloudtrail:StopLogging", s.when(60), 0, 1, "", false, "someone stops the trail")
}

// streamOf returns the stream of an account in a Region it is known to use.
func (g *Generator) streamOf(a *account, region string) *stream {
	for _, s := range g.streams {
		if s.account == a && s.region.name == region {
			return s
		}
	}
	panic("generate: no stream of " + a.id + " in " + region)
}

// caller returns one of an account's callers of a profile, counted from the least active end, modulo their number.
func (g *Generator) caller(a *account, profile string, k int) *principal {
	for _, p := range g.model.profiles {
		if p.name == profile {
			list := a.callers[p.index]
			return list[len(list)-1-k%len(list)]
		}
	}
	panic("generate: no profile " + profile)
}

// when draws a time in the later part of the span, whole minutes, with room for what happens.
func (s *scene) when(room int64) int64 {
	g := s.g
	span := g.end - g.start
	from := span * 2 / 5
	at := from + int64(s.r.below(uint32(min(max(span-from-room-maxDelay-600, 1), 1<<31))))
	return (g.start + at) / 60 * 60
}

// inject adds an anomaly of n calls over some seconds and returns its number.
func (s *scene) inject(kind string, st *stream, p *principal, name string, at, seconds, n int64, address string, denied bool, description string) int {
	g := s.g
	k := len(g.truth.Anomalies)
	c := g.model.byName[name]
	a := Anomaly{Kind: kind, Account: st.account.id, Region: st.region.name, EventSource: c.service.source, EventName: c.name,
		Start: time.Unix(at, 0).UTC(), Count: n, Description: description, EventIDs: []string{}}
	if denied {
		a.ErrorCode = "AccessDeniedException"
	}
	ctx := newRecorder(g)
	ctx.account, ctx.region, ctx.run = st.account, st.region, &run{}
	ctx.begin(ctx.run, p, 0, at)
	a.Principal = string(ctx.appendCallerARN(nil))
	g.truth.Anomalies = append(g.truth.Anomalies, a)
	last := at
	for i := range n {
		t := at
		if n > 1 {
			t += seconds*i/n + int64(s.r.below(uint32(max(1, seconds/n))))
		}
		last = max(last, t)
		s.add(k, st, p, name, at, t, address, denied)
	}
	g.truth.Anomalies[k].End = time.Unix(last, 0).UTC()
	return k
}

// add adds one event of anomaly k, in the session that ran at since, and keeps its caller from doing anything else
// in the slots round it.
func (s *scene) add(k int, st *stream, p *principal, name string, since, at int64, address string, denied bool) {
	g := s.g
	slot := (at - g.start) / g.slot
	x := extra{stream: st, slot: slot, ms: uint32((at-g.start)%g.slot)*1000 + s.r.below(1000), caller: p, since: since,
		call: g.model.byName[name], address: address, denied: denied, anomaly: k}
	if address != "" && p.profile.origin == fromPeople {
		x.agent = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
	}
	g.extras = append(g.extras, x)
	// Records may carry times of up to maxDelay earlier than their slot.
	for t := slot; t <= slot+(maxDelay+g.slot-1)/g.slot && t < g.slots; t++ {
		if !slices.Contains(g.masked[t], p) {
			g.masked[t] = append(g.masked[t], p)
		}
	}
}

// pairsMax bounds the calls between accounts, which are held in memory: 20,000 take a few megabytes.
const pairsMax = 20_000

// planPairs adds calls from the first account into the others, recorded in both with the same shared event ID.
func (g *Generator) planPairs() {
	if len(g.accounts) < 2 {
		return
	}
	r := rng{hash(g.opts.Seed, 20)}
	from := g.streamOf(g.accounts[0], globalRegion)
	assume := g.model.byName["sts:AssumeRole#cross"]
	visitor := *g.caller(g.accounts[0], "deployment", 0).profile
	spec := *visitor.profileSpec
	spec.kind = idAccount
	visitor.profileSpec = &spec
	busy := map[*principal]bool{} // with an anomaly
	for _, list := range g.masked {
		for _, p := range list {
			busy[p] = true
		}
	}
	for range min(g.opts.Events/500, pairsMax) {
		p := g.caller(g.accounts[0], "deployment", int(r.below(8)))
		if busy[p] {
			continue
		}
		a := g.accounts[1+r.skewed(uint32(len(g.accounts)-1))]
		guest := *p
		guest.account, guest.profile, guest.partner, guest.name = a, &visitor, p.account.id, p.uid
		x := extra{stream: from, slot: int64(r.next() % uint64(g.slots)), ms: r.below(uint32(g.slot) * 1000), caller: p,
			call: assume, peer: a, shared: r.next() | 1, anomaly: -1}
		x.since = g.start + x.slot*g.slot + int64(x.ms/1000)
		y := x
		y.stream, y.caller = g.streamOf(a, globalRegion), &guest
		g.extras = append(g.extras, x, y)
	}
}
