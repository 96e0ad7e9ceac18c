package api

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/cairndb/cairn/engine"
	"github.com/cairndb/cairn/engine/mapping"
	"github.com/cairndb/cairn/server/auth"
)

// Limits of requests.
const (
	// BodyMax is the longest body of a request: what the data service takes in one call,
	// and more than any call of the control service has.
	BodyMax = 1 << 20
	// inFlightMax is how many requests are answered at once. Each may hold a body and an
	// answer of some megabytes.
	inFlightMax = 128
	// requestTime ends requests that take longer; long work goes on behind them.
	requestTime = 50 * time.Second
)

// The services, as signatures name them.
const (
	controlService = "cloudtrail"
	dataService    = "cloudtrail-data"
)

// Signers are the access keys of a lake.
type Signers interface {
	// Signer returns the key with an ID, or an error of kind auth.ErrNoKey or
	// auth.ErrKeyExpired.
	Signer(ctx context.Context, id string, from netip.Addr) (*auth.Signer, error)
	// Failed is told of a request that was signed wrongly in the name of a key.
	Failed(ctx context.Context, id string, from netip.Addr, why string)
}

// Buckets opens a bucket by its name, for results, imports and trails. An error that is
// [fs.ErrNotExist] says that there is none.
type Buckets func(ctx context.Context, name string) (engine.Bucket, io.Closer, error)

// Config says what an API serves.
type Config struct {
	Lake *engine.Lake
	// Signers know the access keys. When nil, Open is whom everybody is taken for, signed
	// or not.
	Signers Signers
	Open    *auth.SignedIn
	// Regions are those that requests may be signed for; any when empty.
	Regions []string
	// Organization is the one that the accounts belong to; nil for none.
	Organization *Organization
	// Buckets are where results go and imports come from; nil for none.
	Buckets Buckets
	// Targets names the target of trails that deliver to a bucket (see trail.Settings).
	Targets func(bucket string) (string, error)
	// Topics returns the URL of the topic that has an ARN, for notifications of trails; nil
	// when there are none, and nobody is told.
	Topics func(arn string) (string, error)
	// LogGroups returns the address of a stream (engine/trail) that stands for the log group with an
	// ARN; nil when there are none, and groups are only kept and shown.
	LogGroups func(arn string) (string, error)
	// Mappings are sources of channels beside the built-in ones (engine/mapping): records of
	// their products are events.
	Mappings []*mapping.Mapping
	Logger   *slog.Logger
	// Clock tells the time; time.Now when nil.
	Clock func() time.Time
}

// API answers the requests of a lake. Make it with [New] and end it with [API.Close].
type API struct {
	cfg       Config
	lake      *engine.Lake
	log       *slog.Logger
	clock     func() time.Time
	tokenKey  []byte
	inFlight  chan struct{}
	replays   replays
	recorder  *recorder
	ingestion ingestions
	recent    recents
	running   running
	imports   importers

	// changing is held by calls that change anything, so that what they have looked at
	// still holds when they write.
	changing sync.Mutex

	background context.Context
	stop       context.CancelFunc
	work       sync.WaitGroup
}

// New makes the API of an open lake, which must stay open until Close has returned. It
// serves once [API.Start] was called.
func New(cfg Config) (*API, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.Signers == nil && cfg.Open == nil {
		return nil, errors.New("the API has nobody to serve")
	}
	if err := cfg.Organization.check(); err != nil {
		return nil, err
	}
	if err := checkMappings(cfg.Mappings); err != nil {
		return nil, err
	}
	s := &API{cfg: cfg, lake: cfg.Lake, log: cfg.Logger, clock: cfg.Clock, inFlight: make(chan struct{}, inFlightMax)}
	var err error
	if s.tokenKey, err = s.loadTokenKey(); err != nil {
		return nil, err
	}
	s.background, s.stop = context.WithCancel(context.Background())
	s.recorder = &recorder{s: s, queue: make(chan []byte, recordsMax), ended: make(chan struct{})}
	return s, nil
}

// Start begins what goes on in the background. It is called once, before requests come.
func (s *API) Start() {
	s.recorder.start()
	if s.lake.ReadOnly() {
		return
	}
	for _, do := range []func(context.Context) error{s.takeUp, s.takeUpImports} {
		if err := do(s.background); err != nil {
			s.log.Error("what a server has left running could not be ended", "error", err)
		}
	}
	s.work.Add(2)
	go s.tend()
	go s.keepSchedules()
}

// Close ends what goes on in the background and waits for it. No requests may be running.
func (s *API) Close() {
	s.stop()
	s.work.Wait()
	s.recorder.close()
}

// tokenKeyName is the name of the key that paging tokens are made with.
const tokenKeyName = "paging tokens"

// loadTokenKey reads or makes the key of paging tokens. A lake that takes no changes has
// one for this run alone.
func (s *API) loadTokenKey() ([]byte, error) {
	type sealed struct {
		Scheme string
		Secret []byte
	}
	o, err := load[sealed](s, engine.ObjectSealedKey, tokenKeyName)
	if err == nil {
		key, err := s.lake.UnsealSecret(o.Scheme, o.Secret, tokenKeyName)
		if err == nil {
			return key, nil
		}
		// What sealed it is gone: tokens of before are worth nothing then.
		s.log.Warn("the key of paging tokens cannot be opened, a new one is made", "error", err)
	} else if !errors.Is(err, engine.ErrNotFound) {
		return nil, err
	}
	key := make([]byte, 32)
	if _, err := rand.Read(key); err != nil {
		return nil, fmt.Errorf("reading random bytes: %w", err)
	}
	if s.lake.ReadOnly() {
		return key, nil
	}
	scheme, secret, err := s.lake.SealSecret(key, tokenKeyName)
	if err != nil {
		return nil, fmt.Errorf("sealing the key of paging tokens: %w", err)
	}
	return key, s.save(context.Background(), engine.ObjectSealedKey, tokenKeyName, sealed{scheme, secret})
}

// newID makes a random UUID.
func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // which never fails
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	h := hex.EncodeToString(b[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// ServeHTTP answers POST / (the control service) and POST /PutAuditEvents.
func (s *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), requestTime)
	defer cancel()
	c := &call{s: s, requestID: newID(), now: s.clock(), r: r}
	// As AWS spells it; net/http would write X-Amzn-Requestid.
	w.Header()["x-amzn-RequestId"] = []string{c.requestID}
	out, err := s.serveSafely(ctx, c, w)
	var again *repeated
	if errors.As(err, &again) {
		s.write(w, c, http.StatusOK, again.answer)
		return
	}
	if c.op != nil && c.who != nil {
		s.recorder.record(c, out, err)
	}
	if err != nil {
		if c.call != nil {
			s.replays.forget(c.call) // it has changed nothing
		}
		s.sayError(w, c, err)
		return
	}
	status, answer := s.format(c, out)
	if c.call != nil {
		s.replays.settle(c.call, answer)
	}
	s.write(w, c, status, answer)
}

// serveSafely is serve; a fault of an operation is that of its request alone.
func (s *API) serveSafely(ctx context.Context, c *call, w http.ResponseWriter) (out any, err error) {
	defer func() {
		if p := recover(); p != nil {
			out, err = nil, fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return s.serve(ctx, c, w)
}

// serve finds out what is asked and by whom, and does it.
func (s *API) serve(ctx context.Context, c *call, w http.ResponseWriter) (any, error) {
	select {
	case s.inFlight <- struct{}{}:
		defer func() { <-s.inFlight }()
	default:
		return nil, fail("Throttling", "%d requests are being answered already; try again", inFlightMax)
	}
	op, err := route(c.r)
	if err != nil {
		return nil, err
	}
	c.op = op
	body, err := s.admit(ctx, c, w)
	if err != nil {
		return nil, err
	}
	who, err := c.key.Session.Principal(ctx)
	if err != nil {
		return nil, err
	}
	c.who = who
	c.ctx = engine.WithActor(ctx, c.actor())
	if err := who.May(op.action); err != nil {
		return nil, fail("AccessDenied", "User: %s is not authorized to perform: %s", c.userARN(), op.iam())
	}
	if c.key.Account != auth.NoAccount && !who.AllAccounts() && !contains(who.Accounts, c.key.Account) {
		return nil, fail("AccessDenied", "User: %s is not authorized in account %s any more", c.userARN(), c.key.Account)
	}
	if op.data {
		return c.putAuditEvents(body)
	}
	parsed, err := parseBody(body)
	if err != nil {
		return nil, fail("MalformedHttpRequest", "%v", err)
	}
	c.in, err = op.input.check(parsed, "")
	var bad *invalid
	if errors.As(err, &bad) {
		return nil, op.blame(bad)
	}
	if err != nil {
		return nil, err
	}
	if op.do == nil {
		return nil, fail("UnsupportedOperation", "%s is not supported by this server", op.name)
	}
	if !op.readOnly {
		if s.lake.ReadOnly() {
			return nil, fail("OperationNotPermitted", "the lake is open for reading only")
		}
		if !op.long {
			s.changing.Lock()
			defer s.changing.Unlock()
		}
	}
	return op.do(c)
}

// route finds the operation of a request.
func route(r *http.Request) (*operation, error) {
	if r.Method != http.MethodPost {
		return nil, fail("MalformedHttpRequest", "the method is %s, requests are sent with POST", r.Method)
	}
	if target := r.Header.Get("X-Amz-Target"); target != "" {
		// The Python clients put the service's long name before it.
		name := target[strings.LastIndexByte(target, '.')+1:]
		if op := byName[name]; op != nil && !op.data {
			return op, nil
		}
		return nil, fail("UnknownOperation", "there is no operation %q", shorten(name))
	}
	if r.URL.Path == dataPath {
		return byName["PutAuditEvents"], nil
	}
	return nil, fail("UnknownOperation", "the request has no header X-Amz-Target, and its path is not %s", dataPath)
}

const dataPath = "/PutAuditEvents"

// admit checks size and signature, and reads the body.
func (s *API) admit(ctx context.Context, c *call, w http.ResponseWriter) ([]byte, error) {
	r := c.r
	if r.ContentLength > BodyMax {
		return nil, fail("RequestEntityTooLarge", "the body has %d bytes, at most %d are taken", r.ContentLength, BodyMax)
	}
	if !c.op.data && r.URL.Path != "/" {
		return nil, fail("UnknownOperation", "the path of requests is /, not %s", shorten(r.URL.Path))
	}
	service := controlService
	if c.op.data {
		service = dataService
	}
	c.from = peerOf(r)
	if auth.Folded(r) {
		w.Header().Set("Connection", "close") // what else comes on it is refused, too
		return nil, fail(auth.SigIncomplete, "a header of the request is folded: write each on one line")
	}
	var signed *auth.SignedRequest
	if s.cfg.Signers == nil {
		c.key, c.region = auth.SignerOf("", "", "", auth.NoAccount, s.cfg.Open), "us-east-1"
		if a, err := auth.ParseAuthorization(r.Header.Get("Authorization")); err == nil {
			c.region = a.Region
		}
	} else {
		var err error
		if signed, err = auth.BeginSigned(r, c.now, service, s.cfg.Regions); err != nil {
			return nil, err
		}
		c.region = signed.Region
		// Whose key it is comes before the body: a stranger's is not read.
		if c.key, err = s.cfg.Signers.Signer(ctx, signed.KeyID, c.from); err != nil {
			return nil, auth.KeyError(err)
		}
	}
	c.account = c.key.Account
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, BodyMax))
	var tooLong *http.MaxBytesError
	switch {
	case errors.As(err, &tooLong):
		return nil, fail("RequestEntityTooLarge", "the body has more than %d bytes", BodyMax)
	case err != nil:
		return nil, fail("RequestTimeout", "the body could not be read to its end")
	}
	if signed == nil {
		return body, nil
	}
	if err := signed.Verify(c.key, body); err != nil {
		s.cfg.Signers.Failed(ctx, c.key.ID, c.from, "wrong signature")
		return nil, err
	}
	if !c.op.readOnly && !c.op.data {
		if c.call, err = s.replays.begin(ctx, signed.Signature, signed.Expires(), c.now, c.from); err != nil {
			return nil, err
		}
	}
	return body, nil
}

// peerOf is the address of the other end.
func peerOf(r *http.Request) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return peer.Addr().Unmap()
}

func (s *API) contentType(c *call) string {
	if c.op != nil && c.op.data {
		return "application/json"
	}
	return "application/x-amz-json-1.1"
}

// format makes the JSON text of an answer.
func (s *API) format(c *call, out any) (status int, text []byte) {
	if out == nil {
		out = struct{}{}
	}
	b, err := json.Marshal(out)
	if err != nil {
		s.log.Error("an answer could not be written", "operation", c.op.name, "error", err)
		return http.StatusInternalServerError, []byte(`{"__type":"InternalFailure","message":"the answer could not be written"}`)
	}
	return http.StatusOK, b
}

// write answers with a JSON text.
func (s *API) write(w http.ResponseWriter, c *call, status int, b []byte) {
	w.Header().Set("Content-Type", s.contentType(c))
	w.Header().Set("Content-Length", fmt.Sprint(len(b)))
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(b)
}

// sayError answers with an error.
func (s *API) sayError(w http.ResponseWriter, c *call, err error) {
	e, inside := told(err)
	if inside != nil {
		name := ""
		if c.op != nil {
			name = c.op.name
		}
		s.log.Error("a request could not be answered", "operation", name, "requestID", c.requestID, "error", inside)
	}
	w.Header().Set("x-amzn-ErrorType", e.Code)
	status := statusOf(e.Code)
	if status == http.StatusRequestEntityTooLarge {
		w.Header().Set("Connection", "close") // the rest of the body is not read
	}
	_, text := s.format(c, map[string]string{"__type": e.Code, "message": e.Message})
	s.write(w, c, status, text)
}
