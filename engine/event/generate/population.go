package generate

import (
	"strings"
)

// regionTable holds the Regions in the order in which an organization takes them up; newRegion is one that none
// of its accounts uses, until an anomaly does.
var regionTable = []string{
	"us-east-1", "eu-west-1", "us-west-2", "eu-central-1", "us-east-2", "ap-southeast-1", "ap-northeast-1", "sa-east-1",
}

const (
	globalRegion = "us-east-1" // where services without Regions are recorded
	newRegion    = "ap-southeast-3"
)

// regionWeights are the parts that the first, second, … Region of an account has of its traffic.
var regionWeights = []uint64{100, 44, 22, 11, 6, 3}

var organizations = []string{"northwind", "brightpay", "hafenlogistik", "acme-retail", "lumenhealth"}

type region struct {
	name string
	salt uint64
}

// account is one account of the organization and those who act in it.
type account struct {
	id      string
	org     string
	seed    uint64
	keyPart string // the part of an access key that tells the account
	weight  uint64
	ahead   int64 // office hours against UTC, in hours
	callers [][]*principal
}

// principal is a caller: a role, a user, a service, a partner.
type principal struct {
	id      uint64
	account *account
	profile *profile
	name    string // role, user or service name
	uid     string // AROA…, AIDA…
	arn     string // of the role or user
	partner string // account number, where it is another
	agents  [2]string
	changes int64 // when the first agent gives way to the second
	tls     string
	errors  uint32
	private bool   // goes through a VPC endpoint
	starts  uint32 // second within its period at which a scheduled caller starts
	modern  bool   // its identity does without empty objects
	mfa     bool
	habits  [64]uint16
}

// tlsForms are what clients agree on: version, suite and, from the newest, the key exchange.
var tlsForms = []string{
	`"tlsVersion":"TLSv1.3","cipherSuite":"TLS_AES_128_GCM_SHA256"`,
	`"tlsVersion":"TLSv1.2","cipherSuite":"ECDHE-RSA-AES128-GCM-SHA256"`,
	`"tlsVersion":"TLSv1.3","cipherSuite":"TLS_AES_128_GCM_SHA256","keyExchange":"X25519MLKEM768"`,
	`"tlsVersion":"TLSv1.3","cipherSuite":"TLS_AES_128_GCM_SHA256","keyExchange":"x25519"`,
	`"tlsVersion":"TLSv1.3","cipherSuite":"TLS_AES_256_GCM_SHA384","keyExchange":"secp256r1"`,
}

// stream is the traffic of one account in one Region: the unit in which files are written and randomness is split.
type stream struct {
	index   int
	account *account
	region  *region
	seed    uint64
	weight  uint64
	foreign bool // cannot record global services
	// machines and people hold a profile index for each part of the share.
	machines, people []uint8
}

// smallSet is the number of events below which there are fewer callers and Regions: else nobody would have a history.
const smallSet = 20_000

func (g *Generator) populate() {
	m := g.model
	for i := 0; i < len(regionTable); i++ {
		g.regions = append(g.regions, &region{regionTable[i], hash(g.opts.Seed, uint64(i)<<8|1)})
	}
	g.regions = append(g.regions, &region{newRegion, hash(g.opts.Seed, 0xff01)})
	r := rng{hash(g.opts.Seed, 0xacc0)}
	org := organizations[r.below(uint32(len(organizations)))]
	c := newRecorder(g)
	for i := 0; i < g.opts.Accounts; i++ {
		a := &account{org: org, seed: hash(g.opts.Seed, uint64(i)<<16|2), weight: 1000 / uint64(i+1)}
		a.id = string(r.appendAny([]byte{"123456789"[r.below(9)]}, digitSet, 11))
		a.keyPart = string(r.appendPower(nil, base32Set, 5, 8))
		a.ahead = []int64{-5, 1, -8, 1, 8, -5, 0, 9}[r.below(8)]
		g.accounts = append(g.accounts, a)
		for _, p := range m.profiles {
			n := int(p.count)
			// Smaller accounts have fewer callers.
			n = max(1, n*4/(4+2*i))
			if g.opts.Events < smallSet {
				n = max(min(n, 6), n/4)
			}
			var callers []*principal
			for k := range n {
				callers = append(callers, g.newPrincipal(c, a, p, k))
			}
			a.callers = append(a.callers, callers)
		}
	}
	for i, a := range g.accounts {
		n := max(2, 6-i*2/3)
		if g.opts.Events < smallSet {
			n = 2
		}
		order := []int{0, 1, 2, 3, 4, 5, 6, 7}
		ar := rng{a.seed}
		for k := 1; k < len(order); k++ {
			j := k + int(ar.skewed(uint32(len(order)-k)))
			order[k], order[j] = order[j], order[k]
		}
		if a.ahead == 1 || a.ahead == 0 { // a European account works at home first
			order[0], order[1] = 1, 0
		}
		for k := range min(n, len(regionWeights)) {
			g.addStream(a, g.regions[order[k]], a.weight*regionWeights[k])
		}
	}
}

func (g *Generator) addStream(a *account, r *region, weight uint64) *stream {
	s := &stream{index: len(g.streams), account: a, region: r, weight: weight, seed: hash(a.seed, r.salt), foreign: r.name != globalRegion}
	for _, p := range g.model.profiles {
		if s.foreign && (p.global || len(p.regional.calls) == 0) {
			continue
		}
		if p.kind == idRoot && a != g.accounts[min(1, len(g.accounts)-1)] {
			continue // root acts in one account only, and there seldom: its use elsewhere is an anomaly
		}
		for range p.share {
			if p.people {
				s.people = append(s.people, uint8(p.index))
			} else {
				s.machines = append(s.machines, uint8(p.index))
			}
		}
	}
	g.streams = append(g.streams, s)
	return s
}

func (g *Generator) newPrincipal(c *recorder, a *account, pr *profile, k int) *principal {
	p := &principal{account: a, profile: pr, id: hash(a.seed, uint64(pr.index)<<32|uint64(k)<<8|3)}
	r := &c.rng
	*r = rng{p.id}
	c.account, c.region, c.sec = a, g.regions[0], g.start
	c.run = &run{principal: p}
	if pr.kind == idService {
		// The k-th of the names, so that a population of services does not repeat itself.
		o := pr.nameForm[0]
		p.name = string(c.exec(nil, o.subs[k%len(o.subs)])) + pr.nameForm[1].lit
	} else {
		p.name = string(c.exec(nil, pr.nameForm))
	}
	switch pr.kind {
	case idAssumedRole:
		p.uid = "AROA" + string(r.appendPower(nil, base32Set, 5, 17))
		switch {
		case strings.HasPrefix(p.name, "AWSServiceRoleFor"):
			p.arn = "arn:aws:iam::" + a.id + ":role/aws-service-role/" + pr.by + "/" + p.name
		case strings.HasPrefix(p.name, "AWSReservedSSO_"):
			p.arn = "arn:aws:iam::" + a.id + ":role/aws-reserved/sso.amazonaws.com/" + p.name
		default:
			p.arn = "arn:aws:iam::" + a.id + ":role/" + p.name
		}
	case idIAMUser, idFederatedUser:
		p.uid = "AIDA" + string(r.appendPower(nil, base32Set, 5, 17))
		p.arn = "arn:aws:iam::" + a.id + ":user/" + p.name
	case idRoot:
		p.uid, p.arn = a.id, "arn:aws:iam::"+a.id+":root"
	}
	if pr.partnerForm != nil {
		p.partner = string(c.exec(nil, pr.partnerForm))
	}
	if n := uint32(len(pr.agentForms)); n > 0 {
		// The same program, in an older and a newer release.
		form := pr.agentForms[r.below(n)]
		p.agents[0], p.agents[1] = string(c.exec(nil, form)), string(c.exec(nil, form))
	} else {
		by := orElse(pr.by, p.name)
		p.agents[0], p.agents[1] = by, by
	}
	p.changes = g.start + int64(r.below(uint32(min(g.end-g.start, 1<<31))))
	p.tls = tlsForms[r.skewed(uint32(len(tlsForms)))]
	switch x := r.below(100); {
	case x < 60:
		p.errors = pr.errors * 4 / 10
	case x < 88:
		p.errors = pr.errors
	case x < 97:
		p.errors = pr.errors * 7 / 2
	default:
		p.errors = min(500, pr.errors*8)
	}
	p.private = r.chance(pr.endpoint)
	if pr.every > 0 {
		p.starts = r.below(pr.every * 60)
	}
	p.modern = r.chance(400)
	p.mfa = pr.people && r.chance(800)
	p.chooseHabits(r)
	return p
}

// chooseHabits gives a caller its usual calls: some of its profile's, in proportions of its own.
func (p *principal) chooseHabits(r *rng) {
	d := &p.profile.everywhere
	if p.profile.habits > 0 {
		var own distribution
		for tries := 0; len(own.calls) < int(p.profile.habits) && tries < int(p.profile.habits)*3; tries++ {
			id := d.pick(r)
			known := false
			for _, have := range own.calls {
				known = known || have == id
			}
			if !known {
				weight := uint32(0)
				for i, have := range d.calls {
					if have == id {
						weight = d.upto[i]
						if i > 0 {
							weight -= d.upto[i-1]
						}
					}
				}
				sum := weight/64*(16+r.below(96)) + 1
				if n := len(own.upto); n > 0 {
					sum += own.upto[n-1]
				}
				own.calls, own.upto = append(own.calls, id), append(own.upto, sum)
			}
		}
		d = &own
	}
	for i := range p.habits {
		p.habits[i] = d.pick(r)
	}
}

// pickCall chooses the caller's next call: a habitual one, or (seldom, or where the profile knows no habits) any of
// the profile's. In a foreign stream only calls to services with Regions are recorded.
func (p *principal) pickCall(m *model, r *rng, foreign bool) *call {
	if p.profile.habits > 0 && !r.chance(p.profile.long) {
		for range 8 {
			c := m.calls[p.habits[r.next()&63]]
			if !foreign || !c.service.global {
				return c
			}
		}
	}
	if foreign {
		return m.calls[p.profile.regional.pick(r)]
	}
	return m.calls[p.profile.everywhere.pick(r)]
}
