package generate

import (
	"strconv"
)

// entityLimit bounds the kinds of entities, so that a record's choices fit a fixed array.
const entityLimit = 128

// recorder is what one goroutine needs to write records. The fields from account on describe the record at hand.
type recorder struct {
	g     *Generator
	model *model
	runs  []run
	used  int
	keys  []uint64 // arrival within the slot and position, sorted
	items []item

	account *account
	region  *region
	stream  *stream
	rng     rng
	run     *run
	event   *call
	peer    *account
	nth     int // copy of the innermost repetition
	sec     int64
	chosen  [entityLimit / 64]uint64
	number  [entityLimit]uint32
}

// item is a call about to be recorded.
type item struct {
	run   int32
	call  *call
	extra *extra // of an anomaly or a pair, else nil
}

// run is a stretch of calls of one caller in one session. What they share is rendered once.
type run struct {
	principal *principal
	slot      uint32 // which of its parallel sessions
	life      uint64 // tells one set of credentials from the next
	created   int64
	at        int64
	identity  []byte
	address   []byte
	private   []byte
	agent     string
}

func newRecorder(g *Generator) *recorder { return &recorder{g: g, model: g.model} }

// newRun takes a run from the pool, keeping its buffers.
func (c *recorder) newRun() *run {
	if c.used == len(c.runs) {
		c.runs = append(c.runs, run{})
	}
	r := &c.runs[c.used]
	c.used++
	return r
}

// begin sets up a run of p at a time, in its session number slot. The credentials follow from the time, nothing
// is remembered from run to run.
func (c *recorder) begin(r *run, p *principal, slot uint32, at int64) {
	r.principal, r.slot, r.at = p, slot, at
	r.created = at
	who := hash(p.id, uint64(slot)<<8|4)
	r.life = who
	hours := int64(p.profile.hours)
	if hours > 0 {
		// Records may be timed up to maxDelay before the run.
		period := hours * 3600
		phase := int64(who % uint64(period))
		n := (at - maxDelay + phase) / period
		r.created = n*period - phase
		r.life = hash(who, uint64(n))
	} else if p.profile.kind == idIAMUser {
		// Long-lived keys are replaced every few weeks, by some.
		period := int64(20+who%200) * daySeconds
		r.life = hash(who, uint64(at/period))
	}
	r.agent = p.agents[0]
	if at >= p.changes {
		r.agent = p.agents[1]
	}
	c.run, c.sec = r, at
	r.identity = c.appendIdentity(r.identity[:0])
	r.address = c.appendAddress(r.address[:0])
	if p.private {
		r.private = c.appendPrivate(r.private[:0])
	}
}

// with runs f with the rng seeded, and puts the record's own back.
func (c *recorder) seeded(dst []byte, seed uint64, t template) []byte {
	kept := c.rng
	c.rng = rng{seed}
	dst = c.exec(dst, t)
	c.rng = kept
	return dst
}

func (c *recorder) appendSessionName(dst []byte) []byte {
	r := c.run
	kept := c.sec
	seed := r.life
	if r.principal.profile.stable {
		seed = hash(r.principal.id, uint64(r.slot)<<8|5)
	}
	c.sec = r.created
	dst = c.seeded(dst, seed, r.principal.profile.sessionForm)
	c.sec = kept
	return dst
}

func (c *recorder) appendAccessKey(dst []byte) []byte {
	p := c.run.principal
	prefix := "AKIA"
	if p.profile.hours > 0 {
		prefix = "ASIA"
	}
	k := rng{c.run.life}
	dst = append(append(dst, prefix...), p.account.keyPart...)
	return k.appendPower(dst, base32Set, 5, 8)
}

func (c *recorder) appendCallerARN(dst []byte) []byte {
	p := c.run.principal
	a := p.account.id
	switch p.profile.kind {
	case idAssumedRole:
		dst = append(append(append(append(dst, "arn:aws:sts::"...), a...), ":assumed-role/"...), p.name...)
		return c.appendSessionName(append(dst, '/'))
	case idFederatedUser:
		return append(append(append(append(dst, "arn:aws:sts::"...), a...), ":federated-user/"...), p.name...)
	case idRoot, idIAMUser:
		return append(dst, p.arn...)
	case idAccount:
		dst = append(append(append(append(dst, "arn:aws:sts::"...), p.partner...), ":assumed-role/"...), p.name...)
		return c.appendSessionName(append(dst, '/'))
	}
	return append(dst, p.name...)
}

func appendField(dst []byte, key, value string) []byte {
	return append(append(append(append(append(dst, ',', '"'), key...), `":"`...), value...), '"')
}

// appendIdentity appends the userIdentity object of the current run.
func (c *recorder) appendIdentity(dst []byte) []byte {
	p := c.run.principal
	pr := p.profile
	a := p.account.id
	switch pr.kind {
	case idRoot:
		dst = append(dst, `{"type":"Root"`...)
		dst = appendField(dst, "principalId", a)
		dst = appendField(dst, "arn", p.arn)
		dst = appendField(dst, "accountId", a)
		dst = append(dst, `,"accessKeyId":"`...)
		dst = append(c.appendAccessKey(dst), '"')
		dst = append(dst, `,"sessionContext":{`...)
		if !p.modern {
			dst = append(dst, `"sessionIssuer":{},"webIdFederationData":{},`...)
		}
		dst = append(c.appendAttributes(dst, p.mfa), '}')
	case idIAMUser:
		dst = append(dst, `{"type":"IAMUser"`...)
		dst = appendField(dst, "principalId", p.uid)
		dst = appendField(dst, "arn", p.arn)
		dst = appendField(dst, "accountId", a)
		dst = append(dst, `,"accessKeyId":"`...)
		dst = append(c.appendAccessKey(dst), '"')
		dst = appendField(dst, "userName", p.name)
		if pr.hours > 0 {
			dst = append(dst, `,"sessionContext":{`...)
			if !p.modern {
				dst = append(dst, `"sessionIssuer":{},"webIdFederationData":{},`...)
			}
			dst = append(c.appendAttributes(dst, p.mfa), '}')
		}
	case idAssumedRole:
		dst = append(append(append(dst, `{"type":"AssumedRole","principalId":"`...), p.uid...), ':')
		dst = append(c.appendSessionName(dst), `","arn":"`...)
		dst = append(c.appendCallerARN(dst), '"')
		dst = appendField(dst, "accountId", a)
		if pr.by == "" || !p.modern {
			dst = append(dst, `,"accessKeyId":"`...)
			dst = append(c.appendAccessKey(dst), '"')
		}
		dst = append(dst, `,"sessionContext":{"sessionIssuer":{"type":"Role"`...)
		dst = appendField(dst, "principalId", p.uid)
		dst = appendField(dst, "arn", p.arn)
		dst = appendField(dst, "accountId", a)
		dst = append(appendField(dst, "userName", p.name), '}')
		if pr.name == "cluster-controller" {
			dst = append(append(append(dst, `,"webIdFederationData":{"federatedProvider":"arn:aws:iam::`...), a...), ":oidc-provider/oidc.eks."...)
			dst = append(append(dst, c.region.name...), ".amazonaws.com/id/"...)
			k := rng{hash(p.account.seed, c.region.salt)}
			dst = append(k.appendPower(dst, upperHex, 4, 32), `","attributes":{}}`...)
		} else if !p.modern {
			dst = append(dst, `,"webIdFederationData":{}`...)
		}
		dst = append(dst, ',')
		dst = c.appendAttributes(dst, p.mfa && !pr.stable)
		dst = c.exec(dst, pr.contextForm)
		dst = append(dst, '}')
		if pr.by != "" {
			dst = appendField(dst, "invokedBy", pr.by)
		}
		dst = c.seeded(dst, p.id, pr.afterForm)
	case idFederatedUser:
		dst = append(dst, `{"type":"FederatedUser"`...)
		dst = appendField(dst, "principalId", a+":"+p.name)
		dst = append(dst, `,"arn":"`...)
		dst = append(c.appendCallerARN(dst), '"')
		dst = appendField(dst, "accountId", a)
		dst = append(dst, `,"accessKeyId":"`...)
		dst = append(c.appendAccessKey(dst), `","sessionContext":{"sessionIssuer":{"type":"IAMUser"`...)
		dst = appendField(dst, "principalId", p.uid)
		dst = appendField(dst, "arn", p.arn)
		dst = appendField(dst, "accountId", a)
		dst = append(appendField(dst, "userName", p.name), `},"webIdFederationData":{},`...)
		dst = append(c.appendAttributes(dst, false), '}')
	case idService:
		dst = append(dst, `{"type":"AWSService"`...)
		dst = appendField(dst, "invokedBy", p.name)
	case idAccount:
		dst = append(append(append(dst, `{"type":"AWSAccount","principalId":"`...), p.name...), ':')
		dst = append(c.appendSessionName(dst), '"')
		dst = appendField(dst, "accountId", p.partner)
	case idSAML:
		k := rng{p.account.seed}
		dst = append(dst, `{"type":"SAMLUser","principalId":"`...)
		provider := string(k.appendPower(nil, base64Set, 6, 27)) + "="
		dst = append(append(append(append(dst, provider...), ':'), p.name...), '"')
		dst = appendField(dst, "userName", p.name)
		dst = appendField(dst, "identityProvider", provider)
	case idWebIdentity:
		k := rng{hash(p.account.seed, c.region.salt)}
		provider := "arn:aws:iam::" + a + ":oidc-provider/oidc.eks." + c.region.name + ".amazonaws.com/id/" + string(k.appendPower(nil, upperHex, 4, 32))
		dst = append(dst, `{"type":"WebIdentityUser"`...)
		dst = appendField(dst, "principalId", provider+":sts.amazonaws.com:"+p.name)
		dst = appendField(dst, "userName", p.name)
		dst = appendField(dst, "identityProvider", provider)
	case idIdentityCenter:
		k := rng{p.account.seed}
		dst = append(dst, `{"type":"IdentityCenterUser"`...)
		dst = appendField(dst, "accountId", a)
		dst = append(append(append(dst, `,"onBehalfOf":{"userId":"`...), p.name...), `","identityStoreArn":"arn:aws:identitystore::`...)
		dst = append(append(dst, a...), ":identitystore/d-9"...)
		dst = append(k.appendAny(dst, digitSet, 9), `"},"credentialId":"`...)
		l := rng{hash(p.id, uint64(c.run.at/28800))}
		dst = append(appendUUID(dst, l.next(), l.next(), lowerHex), '"')
	case idUnknown:
		dst = append(dst, `{"type":"Unknown"`...)
		dst = appendField(dst, "principalId", a)
		dst = append(dst, `,"arn":""`...)
		dst = appendField(dst, "accountId", a)
		dst = append(dst, `,"accessKeyId":""`...)
		dst = appendField(dst, "userName", p.name)
	case idNone: // a service event names the service, see appendRecord
		return dst
	}
	return append(dst, '}')
}

func (c *recorder) appendAttributes(dst []byte, mfa bool) []byte {
	dst = append(dst, `"attributes":{"creationDate":"`...)
	dst = appendISO(dst, c.run.created)
	return append(strconv.AppendBool(append(dst, `","mfaAuthenticated":"`...), mfa), `"}`...)
}

// appendSignIn appends the identity as sign-in events have it: before there are credentials. Of a failed one only
// the user is known.
func (c *recorder) appendSignIn(dst []byte, failed bool) []byte {
	p := c.run.principal
	switch p.profile.kind {
	case idRoot:
		dst = append(dst, `{"type":"Root"`...)
	case idIAMUser:
		dst = append(dst, `{"type":"IAMUser"`...)
	default:
		return append(dst, c.run.identity...)
	}
	dst = appendField(dst, "principalId", p.uid)
	if !failed {
		dst = appendField(dst, "arn", p.arn)
	}
	dst = appendField(dst, "accountId", p.account.id)
	dst = append(dst, `,"accessKeyId":""`...)
	if p.profile.kind == idIAMUser {
		dst = appendField(dst, "userName", p.name)
	}
	return append(dst, '}')
}

// appendAddress appends where the run comes from.
func (c *recorder) appendAddress(dst []byte) []byte {
	r := c.run
	p := r.principal
	var seed uint64
	first := "35"
	switch p.profile.origin {
	case fromService:
		return append(dst, orElse(p.profile.by, p.name)...)
	case fromInternal:
		return append(dst, "AWS Internal"...)
	case fromNAT:
		seed, first = hash(p.account.seed, c.region.salt+p.id%3), "52"
	case fromLambda:
		seed, first = hash(r.life, 6), "3"
	case fromVendor:
		seed, first = hash(uint64(p.profile.index), p.id%3<<8|hash(r.life, 8)%6), "34"
	case fromCI:
		seed, first = hash(r.life, 7), "20"
	case fromPeople:
		week := uint64(r.at / (7 * daySeconds))
		switch hash(p.id, uint64(r.at/daySeconds)) % 10 {
		case 0, 1, 2, 3, 4, 5:
			seed, first = hash(p.account.seed, p.id%2+9), "198"
		default:
			seed, first = hash(p.id, week/6), "83"
			if p.id%7 == 0 {
				k := rng{seed}
				dst = append(dst, "2a02:"...)
				for i := range 7 {
					if i > 0 {
						dst = append(dst, ':')
					}
					dst = strconv.AppendUint(dst, uint64(k.below(65535)+1), 16)
				}
				return dst
			}
		}
	}
	k := rng{seed}
	dst = append(dst, first...)
	for range 3 {
		dst = strconv.AppendUint(append(dst, '.'), uint64(1+k.below(254)), 10)
	}
	return dst
}

func (c *recorder) appendPrivate(dst []byte) []byte {
	k := rng{hash(c.run.principal.id, uint64(c.run.slot)<<8|10)}
	dst = append(dst, "10."...)
	dst = strconv.AppendUint(dst, uint64(k.below(64)), 10)
	dst = strconv.AppendUint(append(dst, '.'), uint64(k.below(255)), 10)
	return strconv.AppendUint(append(dst, '.'), uint64(4+k.below(250)), 10)
}

// endpoints are the services that accounts reach through VPC endpoints.
var endpoints = map[string]bool{"s3": true, "ssm": true, "kms": true, "logs": true, "secretsmanager": true, "ecr": true, "sts": true, "sqs": true, "kinesis": true, "glue": true}

// fault is how a call went wrong: nothing, one of its own errors, or a general one.
type fault uint8

const (
	faultNone fault = iota
	faultOwn
	faultDenied
	faultThrottled
	faultLost
)

// judge decides how a call ends.
func (c *recorder) judge() (fault, *callError) {
	k, p := c.event, c.run.principal
	x := c.rng.below(1000)
	if x < k.errorSum {
		for i := range k.errors {
			if x < k.errors[i].perMille {
				return faultOwn, &k.errors[i]
			}
			x -= k.errors[i].perMille
		}
	}
	if p.errors == 0 {
		return faultNone, nil
	}
	if d := p.profile.denied; d > 0 && hash(p.id, uint64(k.id)<<8|11)%1000 < uint64(d) && c.rng.chance(930) {
		return faultDenied, nil
	}
	if !c.rng.chance(p.errors) {
		return faultNone, nil
	}
	switch y := c.rng.below(100); {
	case y < 40:
		return faultDenied, nil
	case y < 72 || k.service.lostCode == "":
		return faultThrottled, nil
	}
	return faultLost, nil
}

// appendFault appends errorCode and errorMessage. A few errors have no message.
func (c *recorder) appendFault(dst []byte, f fault, own *callError) []byte {
	s := c.event.service
	var code string
	switch f {
	case faultOwn:
		code = own.code
		if code == "" { // a failed sign-in has a message only
			dst = append(dst, `,"errorMessage":"`...)
			return append(c.exec(dst, own.message), '"')
		}
	case faultDenied:
		code = "AccessDenied"
		switch s.style {
		case "ec2":
			code = "Client.UnauthorizedOperation"
		case "json":
			code = "AccessDeniedException"
		}
	case faultThrottled:
		code = "ThrottlingException"
		switch s.style {
		case "ec2":
			code = "Client.RequestLimitExceeded"
		case "query":
			code = "Throttling"
		}
	case faultLost:
		code = s.lostCode
	}
	dst = appendField(dst, "errorCode", code)
	kept := len(dst)
	dst = append(dst, `,"errorMessage":"`...)
	from := len(dst)
	switch f {
	case faultOwn:
		dst = c.exec(dst, own.message)
	case faultDenied:
		if s.style == "ec2" {
			dst = append(dst, "You are not authorized to perform this operation. "...)
		}
		dst = append(c.appendCallerARN(append(dst, "User: "...)), " is not authorized to perform: "...)
		dst = append(append(append(dst, s.name...), ':'), c.event.name...)
		dst = append(dst, " because no identity-based policy allows the "...)
		dst = append(append(append(append(dst, s.name...), ':'), c.event.name...), " action"...)
		if s.style == "ec2" {
			dst = append(dst, ". Encoded authorization failure message: "...)
			dst = c.rng.appendPower(dst, base64Set[:62]+"-_", 6, 380+c.rng.below(260))
		}
	case faultThrottled:
		if s.style == "ec2" {
			dst = append(dst, "Request limit exceeded."...)
		} else {
			dst = append(dst, "Rate exceeded"...)
		}
	case faultLost:
		dst = c.exec(dst, s.lost)
	}
	if len(dst) == from {
		return dst[:kept]
	}
	return append(dst, '"')
}

// appendRecord appends one record with the members in CloudTrail's order. The event ID is given, since it has to
// be known without writing the record.
func (c *recorder) appendRecord(dst []byte, it *item, idHi, idLo uint64) []byte {
	k, r := it.call, c.run
	p := r.principal
	pr := p.profile
	c.event = k
	c.chosen = [entityLimit / 64]uint64{}
	x := it.extra
	if x != nil {
		c.peer = x.peer
	}
	var f fault
	var own *callError
	switch {
	case x == nil:
		f, own = c.judge()
	case x.denied:
		f = faultDenied
	}

	dst = append(dst, `{"eventVersion":"`...)
	version := k.service.early
	if c.sec >= c.g.start+int64(hash(c.g.opts.Seed, k.service.index)%uint64(c.g.end-c.g.start)) {
		version = k.service.late
	}
	dst = append(append(dst, version...), `","userIdentity":`...)
	switch {
	case k.console:
		dst = c.appendSignIn(dst, f != faultNone)
	case k.serviceEvent:
		dst = append(append(dst, `{"accountId":"`...), c.account.id...)
		dst = append(appendField(append(dst, '"'), "invokedBy", k.service.source), '}')
	default:
		dst = append(dst, r.identity...)
	}
	dst = append(dst, `,"eventTime":"`...)
	dst = appendISO(dst, c.sec)
	dst = append(append(dst, k.head...), c.region.name...)
	dst = append(dst, `","sourceIPAddress":"`...)
	through := p.private && endpoints[k.service.name]
	switch {
	case x != nil && x.address != "":
		dst = append(dst, x.address...)
	case k.serviceEvent:
		dst = append(dst, k.service.source...)
	case through:
		dst = append(dst, r.private...)
	default:
		dst = append(dst, r.address...)
	}
	agent := r.agent
	if k.serviceEvent {
		agent = k.service.source
	} else if x != nil && x.agent != "" {
		agent = x.agent
	}
	dst = append(append(append(dst, `","userAgent":"`...), agent...), '"')
	if f != faultNone {
		dst = c.appendFault(dst, f, own)
	}
	dst = append(dst, `,"requestParameters":`...)
	if k.req == nil {
		dst = append(dst, "null"...)
	} else {
		dst = c.exec(dst, k.req)
	}
	dst = append(dst, `,"responseElements":`...)
	switch {
	case f != faultNone && k.console:
		dst = append(append(append(dst, `{"`...), k.name...), `":"Failure"}`...)
	case f != faultNone || k.resp == nil:
		dst = append(dst, "null"...)
	default:
		dst = c.exec(dst, k.resp)
	}
	if k.aed != nil {
		dst = append(dst, `,"additionalEventData":`...)
		dst = c.exec(dst, k.aed)
	}
	if !k.serviceEvent && !k.console {
		dst = append(dst, `,"requestID":"`...)
		dst = append(c.exec(dst, k.service.ids), '"')
	}
	dst = append(dst, `,"eventID":"`...)
	dst = appendUUID(dst, idHi, idLo, lowerHex)
	dst = append(strconv.AppendBool(append(dst, `","readOnly":`...), k.read), `,`...)
	if k.res != nil {
		dst = append(dst, `"resources":`...)
		dst = append(c.exec(dst, k.res), ',')
	}
	dst = append(dst, `"eventType":"`...)
	switch {
	case k.serviceEvent:
		dst = append(dst, "AwsServiceEvent"...)
	case k.console:
		dst = append(dst, "AwsConsoleSignIn"...)
	default:
		dst = append(dst, "AwsApiCall"...)
	}
	if k.service.api != "" && !k.serviceEvent && !p.modern {
		dst = append(append(dst, `","apiVersion":"`...), k.service.api...)
	}
	dst = append(dst, `","managementEvent":`...)
	dst = append(strconv.AppendBool(dst, !k.data), `,"recipientAccountId":"`...)
	dst = append(append(dst, c.account.id...), '"')
	switch {
	case x != nil && x.shared != 0:
		dst = append(dst, `,"sharedEventID":"`...)
		dst = append(appendUUID(dst, finish(x.shared), hash(x.shared, 12), lowerHex), '"')
	case k.serviceEvent || pr.kind == idService || pr.kind == idAccount || k.service.name == "sts" && k.resp != nil:
		dst = append(dst, `,"sharedEventID":"`...)
		dst = append(appendUUID(dst, c.rng.next(), c.rng.next(), lowerHex), '"')
	}
	if through {
		dst = append(dst, `,"vpcEndpointId":"vpce-0`...)
		v := rng{hash(p.account.seed+c.region.salt, k.service.index<<8|13)}
		dst = append(v.appendPower(dst, lowerHex, 4, 16), '"')
		if version >= "1.09" {
			dst = appendField(dst, "vpcEndpointAccountId", c.account.id)
		}
	}
	if k.details != nil {
		dst = append(dst, `,"serviceEventDetails":`...)
		dst = c.exec(dst, k.details)
	}
	if k.data {
		dst = append(dst, `,"eventCategory":"Data"`...)
	} else {
		dst = append(dst, `,"eventCategory":"Management"`...)
	}
	if pr.origin != fromService && !pr.console && !k.serviceEvent {
		dst = append(append(append(dst, `,"tlsDetails":{`...), p.tls...), `,"clientProvidedHostHeader":"`...)
		dst = append(c.exec(dst, k.service.host), `"}`...)
	}
	if pr.console && !k.console {
		dst = append(dst, `,"sessionCredentialFromConsole":"true"`...)
	}
	return append(dst, '}')
}
