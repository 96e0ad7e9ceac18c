package server

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/cairndb/cairn/server/auth"
)

// Route is something that the HTTP listener answers.
type Route struct {
	// Pattern is that of http.ServeMux: method and path.
	Pattern string
	// Action is what whoever asks must be allowed to do; a route without one is answered
	// to nobody.
	Action auth.Action
	// Signed says that its requests are signed with an access key, and that each operation
	// has a rule of its own besides (api.Rules).
	Signed bool
	serve  func(s *Server, w http.ResponseWriter, r *http.Request)
}

// routes are all there are. A route is made here and nowhere else, which a test holds to.
var routes = [...]Route{
	{"GET /healthz", auth.Health, false, (*Server).serveHealth},
	{"GET /readyz", auth.Health, false, (*Server).serveReady},
	{"GET /metrics", auth.Metrics, false, (*Server).serveMetrics},
	{"POST /{$}", auth.Session, true, (*Server).serveAPI},
	{"POST /PutAuditEvents", auth.Session, true, (*Server).serveAPI},
}

// Routes returns the routes of the HTTP listener with their rules.
func Routes() []Route { return append([]Route{}, routes[:]...) }

// PasswordChecker is an authenticator that checks the passwords of HTTP requests, too.
type PasswordChecker interface {
	// Password returns who signs in with a password. An error of kind auth.ErrDenied says
	// that it is wrong, whoever has the name; one of kind auth.ErrThrottled that too many
	// were wrong before.
	Password(ctx context.Context, user, password string, from netip.Addr) (*auth.Principal, error)
}

// passwordTime bounds the wait of a request that signs in after failed ones.
const passwordTime = 10 * time.Second

// handler answers the routes to whom their rules allow.
func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	for _, route := range routes {
		if route.Signed && s.api == nil {
			continue // nobody has a key
		}
		mux.HandleFunc(route.Pattern, func(w http.ResponseWriter, r *http.Request) {
			if status, why := s.admit(w, r, route); status != http.StatusOK {
				say(w, status, why)
				return
			}
			route.serve(s, w, r)
		})
	}
	return mux
}

// admit says whether a request may be answered, and if not why.
func (s *Server) admit(w http.ResponseWriter, r *http.Request, route Route) (status int, why string) {
	from, need := peerOf(r), route.Action
	switch {
	case need == 0:
		return http.StatusForbidden, "there is no rule for this route"
	case route.Signed:
		return http.StatusOK, "" // its handler asks for the signature
	case (*auth.Principal)(nil).May(need) == nil, s.cfg.NoAuth:
		return http.StatusOK, ""
	case need == auth.Metrics && s.cfg.MetricsOpen && from.IsLoopback():
		return http.StatusOK, ""
	}
	user, password, given := r.BasicAuth()
	checker, can := s.cfg.Authenticator.(PasswordChecker)
	switch {
	case !can:
		return http.StatusForbidden, "this server cannot check passwords of HTTP requests"
	case r.TLS == nil && !from.IsLoopback() && !s.cfg.AllowCleartext:
		return http.StatusForbidden, "passwords are taken over TLS only"
	case !given:
		w.Header().Set("WWW-Authenticate", `Basic realm="cairn", charset="UTF-8"`)
		return http.StatusUnauthorized, "sign in with name and password of a principal (Basic authentication)"
	}
	ctx, cancel := context.WithTimeout(r.Context(), passwordTime)
	defer cancel()
	who, err := checker.Password(ctx, user, password, from)
	switch {
	case errors.Is(err, auth.ErrThrottled):
		return http.StatusTooManyRequests, err.Error()
	case errors.Is(err, auth.ErrDenied):
		w.Header().Set("WWW-Authenticate", `Basic realm="cairn", charset="UTF-8"`)
		return http.StatusUnauthorized, "wrong name or password"
	case err != nil:
		s.cfg.Logger.Error("checking a password", "error", err)
		return http.StatusServiceUnavailable, "the password cannot be checked now"
	}
	if err := who.May(need); err != nil {
		return http.StatusForbidden, err.Error()
	}
	return http.StatusOK, ""
}

// peerOf is the address of the other end.
func peerOf(r *http.Request) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return peer.Addr().Unmap()
}

// say answers with a line of text.
func say(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text + "\n"))
}

// serveHealth says that the process is alive.
func (s *Server) serveHealth(w http.ResponseWriter, _ *http.Request) { say(w, http.StatusOK, "ok") }

// serveReady says whether the server takes connections.
func (s *Server) serveReady(w http.ResponseWriter, _ *http.Request) {
	if !s.ready.Load() {
		say(w, http.StatusServiceUnavailable, "not ready: starting or shutting down")
		return
	}
	snap, err := s.lake.LazySnapshot()
	if err != nil {
		say(w, http.StatusServiceUnavailable, "not ready: the lake is closed")
		return
	}
	snap.Close()
	say(w, http.StatusOK, "ready")
}

// serveMetrics gives the figures to Prometheus.
func (s *Server) serveMetrics(w http.ResponseWriter, r *http.Request) { s.figures.ServeHTTP(w, r) }

// serveAPI answers AWS's clients.
func (s *Server) serveAPI(w http.ResponseWriter, r *http.Request) { s.api.ServeHTTP(w, r) }

// figuresOf makes the handler of the metrics.
func figuresOf(m *metrics) http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: 20 * time.Second})
}
