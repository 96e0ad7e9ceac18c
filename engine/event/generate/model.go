package generate

import (
	"strings"
	"sync"
)

// model is what the tables compile to. It depends on nothing but the tables and is made once per process.
type model struct {
	entities []entityKind
	calls    []*call
	byName   map[string]*call // "ec2:RunInstances", "signin:ConsoleLogin#nomfa"
	profiles []*profile
	// machines and people are the sums of the shares of their profiles.
	machines, people uint32
}

type entityKind struct {
	name     string
	size     uint32
	regional bool
	form     template
}

type service struct {
	name, source, style string
	host                template
	ids                 template
	api                 string
	global              bool
	lostCode            string
	lost                template
	index               uint64
	early, late         string // eventVersion before and after the service's change of version
}

type call struct {
	id                                       uint16
	service                                  *service
	name                                     string
	head                                     string // from eventSource to the opening quote of awsRegion's value
	read, data, serviceEvent, console, named bool
	req, resp, res, aed, details             template
	errors                                   []callError
	errorSum                                 uint32
}

type callError struct {
	perMille uint32
	code     string
	message  template
}

type profile struct {
	*profileSpec
	index                  uint32
	nameForm, sessionForm  template
	contextForm, afterForm template
	agentForms             []template
	partnerForm            template
	everywhere, regional   distribution
}

// distribution chooses among calls.
type distribution struct {
	calls []uint16
	upto  []uint32 // running sums of the weights
}

func (d *distribution) add(c *call, weight uint32) {
	sum := weight
	if n := len(d.upto); n > 0 {
		sum += d.upto[n-1]
	}
	d.calls = append(d.calls, c.id)
	d.upto = append(d.upto, sum)
}

func (d *distribution) pick(r *rng) uint16 {
	x := r.below(d.upto[len(d.upto)-1])
	lo, hi := 0, len(d.upto)-1
	for lo < hi {
		if m := (lo + hi) / 2; x < d.upto[m] {
			hi = m
		} else {
			lo = m + 1
		}
	}
	return d.calls[lo]
}

var sharedModel = sync.OnceValue(buildModel)

func buildModel() *model {
	m := &model{byName: map[string]*call{}}
	c := &compiler{entities: map[string]uint32{}, macros: macroTable}
	for i, e := range entityTable {
		c.entities[e.name] = uint32(i)
	}
	if len(entityTable) > entityLimit {
		panic("generate: more kinds of entities than a record can hold")
	}
	for _, e := range entityTable {
		m.entities = append(m.entities, entityKind{e.name, e.size, e.regional, c.compile(e.form)})
	}
	versions := []string{"1.08", "1.08", "1.09", "1.09", "1.10", "1.11", "1.11"}
	for i, s := range serviceTable {
		v := i * 5 % len(versions)
		sv := &service{name: s.name, source: orElse(s.source, s.name+".amazonaws.com"), style: orElse(s.style, "json"),
			host: c.compile(orElse(s.host, s.name+".<region>.amazonaws.com")), ids: c.compile(orElse(s.ids, "<uuid>")),
			api: s.api, global: s.global, index: uint64(i), early: versions[v], late: versions[min(v+1, len(versions)-1)]}
		code, message, _ := strings.Cut(s.lost, "|")
		sv.lostCode, sv.lost = code, c.compile(message)
		aed := c.compile(s.aed)
		for _, cs := range s.calls {
			name, _, _ := strings.Cut(cs.name, "#")
			has := func(f string) bool { return strings.Contains(cs.flags, f) }
			k := &call{id: uint16(len(m.calls)), service: sv, name: name,
				head: `","eventSource":"` + sv.source + `","eventName":"` + name + `","awsRegion":"`,
				read: has("r"), data: has("d"), serviceEvent: has("s"), console: has("c"), named: has("x"),
				req: c.compile(cs.req), resp: c.compile(cs.resp), res: c.compile(cs.res), aed: aed, details: c.compile(cs.details)}
			if cs.aed != "" {
				k.aed = c.compile(cs.aed)
			}
			for line := range strings.SplitSeq(cs.errs, "\n") {
				if line == "" {
					continue
				}
				f := strings.SplitN(line, "|", 3)
				e := callError{perMille: uint32(number(f[0])), code: f[1], message: c.compile(f[2])}
				k.errors = append(k.errors, e)
				k.errorSum += e.perMille
			}
			m.calls = append(m.calls, k)
			m.byName[s.name+":"+cs.name] = k
		}
	}
	for i := range profileTable {
		p := &profile{profileSpec: &profileTable[i], index: uint32(i)}
		p.nameForm, p.sessionForm = c.compile(p.role), c.compile(p.session)
		p.contextForm, p.afterForm, p.partnerForm = c.compile(p.context), c.compile(p.after), c.compile(p.partition)
		for _, a := range p.agents {
			p.agentForms = append(p.agentForms, c.compile(a))
		}
		m.distribute(p)
		if p.people {
			m.people += p.share
		} else {
			m.machines += p.share
		}
		m.profiles = append(m.profiles, p)
	}
	return m
}

// distribute reads a profile's list of calls: "service:Call weight", or "service:r weight" and "service:w weight"
// for all reads or writes of a service, the k-th of them with a weight of 1/k.
func (m *model) distribute(p *profile) {
	const scale = 5040
	add := func(c *call, weight uint32) {
		p.everywhere.add(c, weight)
		if !c.service.global {
			p.regional.add(c, weight)
		}
	}
	for item := range strings.SplitSeq(p.calls, ",") {
		what, weight, _ := strings.Cut(item, " ")
		w := uint32(number(weight)) * scale
		if c := m.byName[what]; c != nil {
			add(c, w)
			continue
		}
		name, class, _ := strings.Cut(what, ":")
		var matching []*call
		harmonic := uint32(0)
		for _, c := range m.calls {
			if c.service.name == name && !c.named && c.read == (class == "r") {
				matching = append(matching, c)
				harmonic += scale / uint32(len(matching))
			}
		}
		if len(matching) == 0 || class != "r" && class != "w" {
			panic("generate: profile " + p.name + " names no call with " + what)
		}
		for k, c := range matching {
			add(c, max(1, uint32(uint64(w)*scale/uint64(k+1)/uint64(harmonic))))
		}
	}
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}
