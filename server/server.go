package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cairndb/cairn/engine"
	"github.com/cairndb/cairn/engine/mapping"
	"github.com/cairndb/cairn/server/api"
	"github.com/cairndb/cairn/server/auth"
	"github.com/cairndb/cairn/server/pg"
)

// Server serves one lake. Make it with [New].
type Server struct {
	lake    *engine.Lake
	cfg     Config
	metrics *metrics
	figures http.Handler
	api     *api.API // nil when HTTP is off, or there is nobody to serve

	pg     *pg.Listener
	pgLn   net.Listener
	http   *http.Server
	httpLn net.Listener
	tls    bool
	ready  atomic.Bool

	control *control // nil when there is none
}

// New checks the configuration and opens the listeners, so that their addresses are known
// and errors come before anything is served.
func New(lake *engine.Lake, cfg Config) (_ *Server, err error) {
	if cfg, err = cfg.filled(); err != nil {
		return nil, err
	}
	if cfg.Catalog == nil {
		cfg.Catalog = withCatalog
	}
	if cfg.Notices != "" {
		if err := engine.CheckNotices(cfg.Notices); err != nil {
			return nil, fmt.Errorf("notices: %w", err)
		}
	}
	s := &Server{lake: lake, cfg: cfg, metrics: newMetrics(lake)}
	s.figures = figuresOf(s.metrics)
	t, err := cfg.tlsConfig()
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			s.closeListeners()
		}
	}()
	if cfg.PG != Off {
		s.tls = t != nil
		p := pg.Config{
			Authenticator: cfg.Authenticator, TLS: t, CertificateSignIn: cfg.TLSClientCA != "", RequireTLS: cfg.TLSRequired,
			Catalog: cfg.Catalog, Connections: cfg.Connections, IdleTime: cfg.IdleTime, IdleInTransaction: cfg.IdleInTransaction,
			StatementTime: cfg.StatementTime, WriteTime: cfg.WriteTime, Logger: cfg.Logger, Observer: s.metrics,
		}
		if cfg.NoAuth {
			p.Open = cfg.Everybody
		}
		if s.pg, err = pg.New(p); err != nil {
			return nil, err
		}
		if s.pgLn, err = net.Listen("tcp", cfg.PG); err != nil {
			return nil, fmt.Errorf("listening for Postgres clients: %w", err)
		}
	}
	if cfg.HTTP != Off {
		if err := s.makeAPI(); err != nil {
			return nil, err
		}
		s.http = &http.Server{
			Handler: s.handler(), ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute, WriteTimeout: time.Minute,
			IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10, ConnContext: auth.ConnContext,
		}
		if s.httpLn, err = net.Listen("tcp", cfg.HTTP); err != nil {
			return nil, fmt.Errorf("listening for HTTP: %w", err)
		}
		if t != nil && !isLoopback(cfg.HTTP) {
			own := t.Clone()
			own.ClientAuth, own.ClientCAs = tls.NoClientCert, nil // there are passwords here
			s.httpLn = tls.NewListener(s.httpLn, own)
		}
		s.httpLn = auth.WatchHeads(s.httpLn)
	}
	if cfg.OpenBucket != nil {
		// Without it the lake is served all the same: a file system may have no sockets.
		if err := s.openControl(); err != nil {
			cfg.Logger.Warn("no backups while this runs", "error", err)
		}
	}
	return s, nil
}

// makeAPI makes what answers AWS's clients.
func (s *Server) makeAPI() (err error) {
	cfg := api.Config{Lake: s.lake, Regions: s.cfg.Regions, Organization: s.cfg.Organization, Buckets: s.cfg.Buckets, Targets: s.cfg.Targets, Topics: s.cfg.Topics, LogGroups: s.cfg.LogGroups, Logger: s.cfg.Logger}
	for _, file := range s.cfg.Mappings {
		text, err := os.ReadFile(file)
		if err != nil {
			return fmt.Errorf("setting mappings: %w", err)
		}
		m, err := mapping.Parse(text)
		if err != nil {
			return fmt.Errorf("setting mappings: %s: %w", file, err)
		}
		cfg.Mappings = append(cfg.Mappings, m)
	}
	if s.cfg.NoAuth {
		cfg.Open = auth.Trust("everybody", auth.Origin{})
	} else {
		var ok bool
		if cfg.Signers, ok = s.cfg.Authenticator.(api.Signers); !ok {
			return nil // who signs in otherwise has no access keys
		}
	}
	s.api, err = api.New(cfg)
	return err
}

// Close gives the listeners up of a server that will not serve. One that serves is ended by its context.
func (s *Server) Close() { s.closeListeners() }

func (s *Server) closeListeners() {
	if s.pgLn != nil {
		s.pgLn.Close()
	}
	if s.httpLn != nil {
		s.httpLn.Close()
	}
	s.closeControl()
}

// Addr returns the address of the Postgres listener, "" when it is off.
func (s *Server) Addr() string {
	if s.pgLn == nil {
		return ""
	}
	return s.pgLn.Addr().String()
}

// HTTPAddr returns the address of the HTTP listener, "" when it is off.
func (s *Server) HTTPAddr() string {
	if s.httpLn == nil {
		return ""
	}
	return s.httpLn.Addr().String()
}

// Serve serves until ctx ends or a listener fails, and shuts down. It may be called once.
func (s *Server) Serve(ctx context.Context) error {
	log := s.cfg.Logger
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var work sync.WaitGroup
	run := func(serve func() error) {
		work.Add(1)
		go func() {
			defer work.Done()
			if err := serve(); err != nil {
				stop(err)
			}
		}()
	}
	if s.pg != nil {
		log.Info("serving Postgres clients", "address", s.Addr(), "tls", s.tls, "authentication", !s.cfg.NoAuth)
		run(func() error { return s.pg.Serve(ctx, s.pgLn) })
	}
	if s.http != nil {
		log.Info("serving AWS clients, health and metrics", "address", s.HTTPAddr())
		if s.api != nil {
			s.api.Start()
		}
		run(func() error {
			if err := s.http.Serve(s.httpLn); !errors.Is(err, http.ErrServerClosed) {
				return fmt.Errorf("serving HTTP: %w", err)
			}
			return nil
		})
	}
	if s.control != nil {
		defer s.closeControl()
		run(func() error { return s.control.serve(ctx) })
	}
	if s.cfg.Notices != "" {
		run(func() error {
			if err := s.lake.SendNotices(ctx, s.cfg.Notices); ctx.Err() == nil {
				log.Error("notices of unusual activity are sent no more", "error", err)
			}
			return nil
		})
	}
	s.ready.Store(true)
	<-ctx.Done()
	s.ready.Store(false)
	cause := context.Cause(ctx)
	log.Info("shutting down", "wait", s.cfg.ShutdownTime.String())
	limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.cfg.ShutdownTime)
	defer cancel()
	if s.pg != nil {
		s.pg.Shutdown(limit)
	}
	if s.http != nil {
		if err := s.http.Shutdown(limit); err != nil {
			s.http.Close()
		}
	}
	if s.control != nil {
		// What is going on there has been cancelled with ctx.
		if err := s.control.http.Shutdown(limit); err != nil {
			s.control.http.Close()
		}
	}
	work.Wait()
	if s.api != nil {
		s.api.Close()
	}
	if cause != nil && !errors.Is(cause, context.Canceled) && !errors.Is(cause, context.DeadlineExceeded) {
		return cause
	}
	return nil
}
