// Package generate makes realistic audit logs: CloudTrail records of an organization that does not exist, as log
// files in CloudTrail's layout or one by one. For demonstrations, tests, benchmarks and for measuring detection:
// a few anomalies are put in on purpose and told in Truth.
//
//	g, err := generate.New(generate.Options{Events: 1_000_000, Seed: 7})
//	…
//	sum, err := g.WriteFiles(ctx, vfs.Default, "logs", nil)
//
// The same Options give the same bytes, on any machine, with any number of workers, through WriteFiles and Each
// alike. Only integers decide, and the records of one account, Region and slot of time (an hour, less where much
// happens) come from a random stream of their own.
//
// # The model
//
// An organization has accounts of falling size; each works in some Regions, of falling size too. A few hundred callers per
// account (population.go) follow profiles (profiles.go): applications, functions, containers, cluster controllers, an
// agent on every machine, monitoring and scanning from outside, deployments, people in the console, at the command
// line and signing in, services acting for themselves or for someone, partners from other accounts. A profile says what kind of
// identity its callers have, what they call, whether they keep office hours or a schedule, what program and addresses they
// use, how long their credentials live and how often they fail. A caller of it has a few habitual calls and things it
// works on. Activity comes in runs of one caller in one session; the weight of an hour follows day, week, noise
// and drift.
//
// A call (services.go) is a set of templates (template.go) for its parameters, answer, resources and so on. What calls
// are about (entities.go) is named by a hash of kind, account, Region and number; sessions and access keys are a
// function of caller and time. So there is no state: any hour can be made alone, and data of any size starts at once.
//
// Members stand in CloudTrail's order and in compact form. Text is mostly ASCII; one record in a hundred has other letters, in
// UTF-8, or characters that the service escapes (\u003d); some nested times have fractions of seconds; the largest records
// have tens of kilobytes.
//
// # Figures
//
// A million events with the default options have on average 1,696 bytes, 305 of them after gzip, in 2,264 files. Beside
// real records (the two columns on the right: an hour of one account, and 6,000 records from many sources):
//
//	share of records with …                here   one account   many
//	tlsDetails                              78 %      79 %       62 %
//	resources                               29 %      24 %       44 %
//	sharedEventID                           13 %       1 %       19 %
//	additionalEventData                     11 %      11 %       18 %
//	errorCode                              8.7 %    10.3 %     12.4 %
//	sessionCredentialFromConsole            10 %       9 %      4.5 %
//	vpcEndpointId                          5.4 %       5 %       15 %
//	apiVersion                             4.8 %     0.3 %      3.0 %
//	requestParameters null                  13 %      12 %       12 %
//	responseElements null                   86 %      89 %       89 %
//	a session token (720 to 1,000 chars)   9.2 %     1.2 %      3.4 %
//	x-amz-id-2                             10 %      9.2 %     15.6 %
//	data events                            8.6 %         –          –
//	distinct access keys per event          14 %         –          –
//
// Tokens are more frequent than in either: where everything runs in roles AssumeRole is among the most frequent
// calls, and its 60 random bytes per event are what an archive has to carry. They are set by the sts:AssumeRole
// weights of the profiles and by the share of role-for-service.
//
// The ten most frequent event names have 36 % of the events, some 450 occur. Making a record takes 3 to 4 µs, making
// and compressing it 9; two cores write some 200,000 events a second.
//
// # Concurrency
//
// A Generator does not change after New; its methods may be called from many goroutines at a time.
package generate

import (
	"errors"
	"fmt"
	"math/bits"
	"runtime"
	"slices"
	"time"
)

// Options says what to generate. The zero value gives 10,000 events of eight accounts over the 90 days that end at
// DefaultEnd. Whatever changes here changes the data; Workers does not.
type Options struct {
	// Events is the exact number of records, 0: 10,000; at most MaxEvents.
	Events int64
	// Seed selects one of the data sets of that size.
	Seed uint64
	// Start is the first moment that an event may carry, taken to the start of its hour, UTC. Zero: Days before DefaultEnd.
	Start time.Time
	// Days is the length of the span, 0: 90; at most MaxDays.
	Days int
	// Accounts is the number of accounts, 0: 8; at most MaxAccounts. The first is the largest.
	Accounts int
	// Workers is the number of goroutines that write files, 0: one per processor.
	Workers int
}

const (
	// MaxEvents keeps the files of the busiest minutes, made in memory, well below the 50 MB that CloudTrail allows itself.
	MaxEvents = 2_000_000_000
	// MaxDays is ten years: the plan takes eight bytes per account, Region and slot.
	MaxDays = 3660
	// MaxAccounts bounds the plan likewise.
	MaxAccounts = 100
)

// DefaultEnd is the end of the span when no start is given: fixed, so that the same arguments always mean the same bytes.
var DefaultEnd = time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC)

// Generator is a planned data set: who acts where and when is decided, the records are made as they are asked for.
// It is not changed by any method, so that all of them may be called at the same time.
type Generator struct {
	opts       Options
	start, end int64 // Unix seconds
	model      *model
	regions    []*region
	accounts   []*account
	streams    []*stream
	slot       int64 // seconds
	slots      int64
	// first holds for each stream and slot the number of background events before it in stream order; the
	// difference of neighbours is the number in a slot.
	first  []int64
	extras []extra
	inSlot map[int64][2]int32 // cell to its range of extras
	// masked holds the callers of anomalies by slot: there they do nothing else, so that Truth can count.
	masked map[int64][]*principal
	truth  Truth
}

// New plans a data set. It fails when an option is out of range.
func New(opts Options) (*Generator, error) {
	if opts.Events == 0 {
		opts.Events = 10_000
	}
	if opts.Days == 0 {
		opts.Days = 90
	}
	if opts.Accounts == 0 {
		opts.Accounts = 8
	}
	if opts.Workers <= 0 {
		opts.Workers = runtime.GOMAXPROCS(0)
	}
	switch {
	case opts.Events < 0 || opts.Events > MaxEvents:
		return nil, fmt.Errorf("generate: %d events asked for, 1 to %d are possible", opts.Events, int64(MaxEvents))
	case opts.Days < 0 || opts.Days > MaxDays:
		return nil, fmt.Errorf("generate: %d days asked for, 1 to %d are possible", opts.Days, MaxDays)
	case opts.Accounts < 0 || opts.Accounts > MaxAccounts:
		return nil, fmt.Errorf("generate: %d accounts asked for, 1 to %d are possible", opts.Accounts, MaxAccounts)
	}
	if opts.Start.IsZero() {
		opts.Start = DefaultEnd.AddDate(0, 0, -opts.Days)
	}
	opts.Start = opts.Start.UTC().Truncate(time.Hour)
	if y := opts.Start.Year(); y < 1971 || y > 9000 {
		return nil, errors.New("generate: the start must lie between the years 1971 and 9000")
	}
	g := &Generator{opts: opts, model: sharedModel(), start: opts.Start.Unix(), inSlot: map[int64][2]int32{}, masked: map[int64][]*principal{}}
	g.end = g.start + int64(opts.Days)*daySeconds
	g.populate()
	g.slot = slotLengths[0]
	for _, l := range slotLengths[1:] {
		// A slot is sorted in memory: keep the busiest stream's (a quarter of all) at a few thousand.
		if opts.Events/4/((g.end-g.start)/g.slot) > slotTarget {
			g.slot = l
		}
	}
	g.slots = (g.end - g.start) / g.slot
	g.planExtras()
	g.spread(opts.Events - int64(len(g.extras)))
	g.identifyExtras()
	return g, nil
}

// slotLengths are the possible lengths of a slot in seconds: the unit of planning, an hour unless there is a lot to do.
var slotLengths = []int64{3600, 1800, 900, 300, 60}

const slotTarget = 2000

// Hours of the day in percent of an average hour: people's on working days at their place, machines' in UTC. On
// weekends people do weekendPercent of it. People's working days and weekends together average 100.
var (
	peopleHours = [24]uint64{8, 8, 8, 8, 8, 8, 12, 60, 160, 290, 340, 330, 240, 280, 330, 320, 290, 220, 120, 70, 50, 35, 20, 12}
	machineHour = [24]uint64{104, 112, 124, 116, 100, 94, 90, 92, 96, 100, 102, 104, 104, 106, 106, 106, 104, 102, 98, 94, 90, 88, 92, 96}
)

const weekendPercent = 12

// activity returns the weights of machines and people in a stream during a slot.
func (g *Generator) activity(s *stream, slot int64) (machines, people uint64) {
	at := g.start + slot*g.slot
	machines = uint64(len(s.machines)) * machineHour[at%daySeconds/3600]
	local := at + s.account.ahead*3600
	people = uint64(len(s.people)) * peopleHours[local%daySeconds/3600]
	if d := (local/daySeconds + 4) % 7; d == 0 || d == 6 {
		people = people * weekendPercent / 100
	}
	return machines, people
}

// spread gives each stream and slot its number of background events: its share of the total, rounded so that the
// sum is exact. Weights carry noise by hour and by day, so that no two days are alike.
func (g *Generator) spread(total int64) {
	n := int64(len(g.streams)) * g.slots
	g.first = make([]int64, n+1)
	sum := uint64(0)
	cell := func(s *stream, slot int64) uint64 {
		machines, people := g.activity(s, slot)
		noise := 96 + hash(s.seed, uint64(slot)<<8|14)&63
		drift := 112 + hash(s.seed, uint64(slot*g.slot/daySeconds)<<8|15)&31
		return s.weight * (machines + people) >> 6 * noise * drift >> 12
	}
	i := 0
	for _, s := range g.streams {
		for slot := range g.slots {
			w := cell(s, slot)
			sum += w
			i++
			g.first[i] = int64(w)
		}
	}
	upto := uint64(0)
	for i := range g.first {
		upto += uint64(g.first[i])
		hi, lo := bits.Mul64(upto, uint64(total))
		q, _ := bits.Div64(hi, lo, sum)
		g.first[i] = int64(q)
	}
}

// count returns the number of background events of a stream from slot a up to and without slot b.
func (g *Generator) count(s *stream, a, b int64) int64 {
	base := int64(s.index) * g.slots
	return g.first[base+b] - g.first[base+a]
}

// eventID makes the two words of an event's ID from where it stands. The second is a bijection of the place: no
// two events share an ID.
func (g *Generator) eventID(s *stream, slot, ordinal int64) (hi, lo uint64) {
	lo = finish(uint64(s.index)<<52 | uint64(slot)<<26 | uint64(ordinal) ^ finish(g.opts.Seed+16)>>12<<12)
	return hash(lo, g.opts.Seed^17), lo
}

// Options returns the options with the defaults filled in.
func (g *Generator) Options() Options { return g.opts }

// Truth returns what was injected. The caller must not change its slices.
func (g *Generator) Truth() Truth { return g.truth }

// entry is a record in a batch.
type entry struct {
	arrival int64 // milliseconds since the slot's start
	sec     int64
	off     int
	end     int
}

// batch holds records before they go out.
type batch struct {
	data    []byte
	entries []entry
}

func (b *batch) reset() { b.data, b.entries = b.data[:0], b.entries[:0] }

// Each calls f with every record, slot by slot over all accounts and Regions, in the order in which they would
// arrive: near the order of their times, up to some minutes off. t is the event's time in Unix seconds. raw is the
// record's JSON without surrounding space and is valid until f returns. An error of f ends the run and is returned.
func (g *Generator) Each(f func(raw []byte, t int64) error) error {
	c := newRecorder(g)
	var b batch
	for slot := range g.slots {
		b.reset()
		for _, s := range g.streams {
			c.fill(s, slot, &b)
		}
		slices.SortStableFunc(b.entries, func(x, y entry) int { return int(x.arrival - y.arrival) })
		for _, e := range b.entries {
			if err := f(b.data[e.off:e.end:e.end], e.sec); err != nil {
				return err
			}
		}
	}
	return nil
}

// maxDelay is the longest time in seconds by which a record arrives late.
const maxDelay = 300

// fill appends the records of a stream and slot to b, in order of arrival.
func (c *recorder) fill(s *stream, slot int64, b *batch) {
	g := c.g
	n := int(g.count(s, slot, slot+1))
	cell := int64(s.index)*g.slots + slot
	more, any := g.inSlot[cell]
	if n == 0 && !any {
		return
	}
	c.account, c.region, c.stream = s.account, s.region, s
	c.rng = rng{hash(s.seed, uint64(slot)<<8|18)}
	c.used, c.keys, c.items = 0, c.keys[:0], c.items[:0]
	begin := g.start + slot*g.slot
	long := uint32(g.slot) * 1000
	machines, people := g.activity(s, slot)
	masked := g.masked[slot]
	for len(c.items) < n {
		p, ms := c.choose(s, n-len(c.items), begin, machines, people, masked)
		r := c.newRun()
		c.begin(r, p, c.rng.skewed(max(1, p.profile.sessions)), begin+int64(ms/1000))
		length := 1
		if p.profile.run > 1 {
			length += int(c.rng.skewed(4*p.profile.run - 3))
		}
		gap := uint32(2500)
		if p.profile.people && p.profile.origin == fromPeople {
			gap = 25_000
		}
		for ; length > 0 && len(c.items) < n; length-- {
			if ms >= long {
				ms = long - 1 - c.rng.below(3000)
			}
			c.keys = append(c.keys, uint64(ms)<<32|uint64(len(c.items)))
			c.items = append(c.items, item{run: int32(c.used - 1), call: p.pickCall(g.model, &c.rng, s.foreign)})
			ms += c.rng.skewed(gap)
		}
	}
	for i := more[0]; i < more[1]; i++ {
		x := &g.extras[i]
		c.begin(c.newRun(), x.caller, 0, x.since)
		c.keys = append(c.keys, uint64(x.ms)<<32|uint64(len(c.items)))
		c.items = append(c.items, item{run: int32(c.used - 1), call: x.call, extra: x})
	}
	slices.Sort(c.keys)
	for _, k := range c.keys {
		i := k & (1<<32 - 1)
		it := &c.items[i]
		arrival := int64(k >> 32)
		c.run = &c.runs[it.run]
		c.sec = begin + arrival/1000
		if it.extra == nil {
			delay := int64(0)
			switch x := c.rng.below(100); {
			case x < 70:
				delay = int64(c.rng.below(3))
			case x < 95:
				delay = int64(c.rng.below(30))
			default:
				delay = int64(c.rng.below(maxDelay))
			}
			c.sec = max(c.sec-delay, g.start)
		} else if it.extra.shared != 0 {
			c.rng = rng{it.extra.shared} // the two records of a pair say the same
		}
		hi, lo := g.eventID(s, slot, int64(i))
		off := len(b.data)
		b.data = c.appendRecord(b.data, it, hi, lo)
		b.entries = append(b.entries, entry{arrival, c.sec, off, len(b.data)})
	}
}

// choose picks a caller and the millisecond of the slot at which its next run starts. Shares are of events, so
// profiles with long runs are taken less often, as far as there is room for their runs.
func (c *recorder) choose(s *stream, room int, begin int64, machines, people uint64, masked []*principal) (*principal, uint32) {
	for tries := 0; ; tries++ {
		var profile uint8
		if uint64(c.rng.below(uint32(machines+people))) < machines {
			profile = s.machines[c.rng.below(uint32(len(s.machines)))]
		} else {
			profile = s.people[c.rng.below(uint32(len(s.people)))]
		}
		if run := min(c.model.profiles[profile].run, uint32(room)); run > 1 && c.rng.below(run) > 0 {
			tries--
			continue
		}
		callers := s.account.callers[profile]
		n := uint32(len(callers))
		// Another Region has other favourites.
		i := c.rng.skewed(n) + uint32(hash(s.region.salt, uint64(profile))%uint64(n))
		p := callers[i%n]
		ms := c.rng.below(uint32(c.g.slot) * 1000)
		if slices.Contains(masked, p) {
			continue
		}
		every := int64(p.profile.every) * 60
		if every == 0 {
			return p, ms
		}
		// Scheduled: at the next start from the moment drawn; not now if that is beyond the slot. After some tries
		// it runs out of turn, which also happens.
		at := begin + int64(ms/1000)
		wait := (int64(p.starts) - at) % every
		if wait < 0 {
			wait += every
		}
		if at+wait < begin+c.g.slot {
			return p, uint32(at+wait-begin)*1000 + c.rng.skewed(4000)
		}
		if tries > 4 {
			return p, ms
		}
	}
}
