package server

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"github.com/cairndb/cairn/engine"
	"github.com/cairndb/cairn/sql"
)

// What a program of this machine may have the server of a lake do, because only one
// process has a lake open: backups, exports, trails, views and insights (remote.go), principals
// and their keys (remoteusers.go). The server listens on a Unix socket in the lake's directory (engine.ControlSocket). Whoever may write to it is the owner of the
// server's process or root, that is, somebody who could read and change the lake's files as
// well; that is its authentication, and the system tells who it is. So there is no password
// to be kept for a nightly backup, and nothing for the network.
//
// A request is HTTP: POST /backup with a [backupRequest], POST /export with an
// [exportRequest]. The answer is lines of JSON, [controlLine], one now and then while it
// goes on, the last with a report or an error. A client that goes away ends what it has
// asked for. POST /trail takes a [TrailRequest] and answers with one [TrailAnswer].

// controlPathMax is the longest path of a socket that all systems take; longer ones are
// reached through the directory where the system has a way.
const controlPathMax = 100

// controlLineMax bounds a line of an answer: a manifest of a million files.
const controlLineMax = 512 << 20

// controlRequestMax bounds a request, whose longest part is a condition in SQL.
const controlRequestMax = 2 << 20

// ErrNotServed says that no server has the lake open.
var ErrNotServed = errors.New("no server has the lake open")

// OpenBucket opens the place of a backup or an export, a directory or the URL of a bucket;
// what is written there is encrypted for keepers, if there are any.
type OpenBucket func(ctx context.Context, target string, keepers []string) (engine.Bucket, io.Closer, error)

// backupRequest asks for a backup.
type backupRequest struct {
	// Target is what OpenBucket takes, paths absolute. The server writes there, as
	// the user that it runs as.
	Target string `json:"target"`
	Rehash bool   `json:"rehash,omitempty"`
}

// exportRequest asks for an export: engine.ExportOptions, and where to.
type exportRequest struct {
	Target string `json:"target"`
	// Keepers are URLs of keepers that the bundle is encrypted for. The server opens them.
	Keepers []string  `json:"keepers,omitempty"`
	Store   string    `json:"store,omitempty"`
	From    time.Time `json:"from,omitzero"`
	To      time.Time `json:"to,omitzero"`
	Where   string    `json:"where,omitempty"`
	Formats []string  `json:"formats,omitempty"`
	Workers int       `json:"workers,omitempty"`
}

// controlLine is a line of an answer; it has one of these.
type controlLine[Progress, Report any] struct {
	Progress *Progress `json:"progress,omitempty"`
	Report   *Report   `json:"report,omitempty"`
	Error    string    `json:"error,omitempty"`
	// Kind is of Error.
	Kind string `json:"kind,omitempty"`
	// SQL is what Error tells of a query that was asked for, with its place and hint.
	SQL *sql.Error `json:"sql,omitempty"`
}

// controlKinds are the kinds of errors that a program of this machine acts upon.
var controlKinds = map[string]error{"badInput": engine.ErrBadInput, "notFound": engine.ErrNotFound, "corrupt": engine.ErrCorrupt,
	"conflict": engine.ErrConflict, "refused": engine.ErrRefused}

// controlError is an error of the server's, with its kind and, where there is one, what it tells of
// a query.
type controlError struct {
	text string
	kind error
	told *sql.Error
}

func (e *controlError) Error() string { return "the server of the lake: " + e.text }

// Unwrap returns what errors.Is and errors.As find.
func (e *controlError) Unwrap() (list []error) {
	if e.kind != nil {
		list = append(list, e.kind)
	}
	if e.told != nil {
		list = append(list, e.told)
	}
	return list
}

// control is the listener for programs of this machine.
type control struct {
	server *Server
	ln     net.Listener
	http   *http.Server
}

// controlAddress returns the address of a lake's socket. done ends what it needs.
func controlAddress(dir string) (address string, done func(), err error) {
	address = filepath.Join(dir, engine.ControlSocket)
	if len(address) <= controlPathMax {
		return address, func() {}, nil
	}
	if runtime.GOOS != "linux" {
		return "", nil, fmt.Errorf("the path of socket %s is longer than %d bytes", address, controlPathMax)
	}
	d, err := os.Open(dir)
	if err != nil {
		return "", nil, err
	}
	return fmt.Sprintf("/proc/self/fd/%d/%s", d.Fd(), engine.ControlSocket), func() { d.Close() }, nil
}

// openControl makes the socket. One that is there was left by a process that has ended: this
// one has the lake.
func (s *Server) openControl() error {
	address, done, err := controlAddress(s.lake.Dir())
	if err != nil {
		return err
	}
	defer done()
	if err := os.Remove(address); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	ln, err := net.Listen("unix", address)
	if err != nil {
		return err
	}
	// It is removed by the path that will still be good then.
	ln.(*net.UnixListener).SetUnlinkOnClose(false)
	if err := os.Chmod(address, 0o600); err != nil {
		return errors.Join(err, ln.Close())
	}
	c := &control{server: s, ln: ln}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /backup", answer(c, c.backup))
	mux.HandleFunc("POST /export", answer(c, c.export))
	mux.HandleFunc("POST /lookup", answer(c, c.lookup))
	mux.HandleFunc("POST /follow", answer(c, c.follow))
	mux.HandleFunc("POST /trail", c.trail)
	c.handleLake(mux)
	c.handleUsers(mux)
	c.http = &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute, MaxHeaderBytes: 64 << 10, ConnContext: withPeer}
	s.control = c
	return nil
}

func (s *Server) closeControl() {
	if s.control != nil {
		s.control.ln.Close()
		os.Remove(filepath.Join(s.lake.Dir(), engine.ControlSocket))
	}
}

// serve serves until ctx ends, which ends what is going on, too.
func (c *control) serve(ctx context.Context) error {
	c.http.BaseContext = func(net.Listener) context.Context { return ctx }
	err := c.http.Serve(c.ln)
	if errors.Is(err, http.ErrServerClosed) || ctx.Err() != nil {
		return nil
	}
	return fmt.Errorf("serving programs of this machine: %w", err)
}

type peerKey struct{}

// withPeer notes who has connected.
func withPeer(ctx context.Context, conn net.Conn) context.Context {
	if uid, ok := userAt(conn); ok {
		return context.WithValue(ctx, peerKey{}, uid)
	}
	return ctx
}

// actor returns who asks; an error when it is neither the owner of this process nor root.
func (c *control) actor(ctx context.Context) (engine.Actor, error) {
	a := engine.Actor{Kind: "OSUser", Name: "unknown", Agent: "cairn, through the server", Details: map[string]string{}, Permissions: []string{engine.PermissionManage}}
	uid, known := ctx.Value(peerKey{}).(int)
	if !known {
		return a, nil // the file's mode has decided
	}
	if uid != 0 && uid != os.Geteuid() {
		return a, fmt.Errorf("user %d may not manage this lake: the user that the server runs as, and root, may", uid)
	}
	a.Details["uid"] = strconv.Itoa(uid)
	if u, err := user.LookupId(a.Details["uid"]); err == nil {
		a.Name = u.Username
	}
	if host, err := os.Hostname(); err == nil {
		a.Details["host"] = host
	}
	return a, nil
}

// answer makes a handler of what a program of this machine may ask for.
func answer[Request, Progress, Report any](c *control, do func(context.Context, *Request, func(Progress)) (*Report, error)) http.HandlerFunc {
	log := c.server.cfg.Logger
	return func(w http.ResponseWriter, r *http.Request) {
		var req Request
		d := json.NewDecoder(http.MaxBytesReader(w, r.Body, controlRequestMax))
		d.DisallowUnknownFields()
		if err := d.Decode(&req); err != nil {
			http.Error(w, "reading the request: "+err.Error(), http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/x-ndjson")
		out := http.NewResponseController(w)
		say := func(l controlLine[Progress, Report]) {
			b, err := json.Marshal(l)
			if err == nil {
				_, err = w.Write(append(b, '\n'))
			}
			if err == nil {
				err = out.Flush()
			}
			if err != nil {
				log.Debug("answering a program of this machine", "error", err)
			}
		}
		who, err := c.actor(r.Context())
		var report *Report
		if err == nil {
			var told time.Time
			report, err = do(engine.WithActor(r.Context(), who), &req, func(p Progress) {
				if now := time.Now(); now.Sub(told) > 100*time.Millisecond {
					told = now
					say(controlLine[Progress, Report]{Progress: &p})
				}
			})
		}
		if err != nil {
			log.Warn("what a program of this machine has asked for has failed", "path", r.URL.Path, "error", err)
			line := controlLine[Progress, Report]{Error: err.Error()}
			for name, kind := range controlKinds {
				if errors.Is(err, kind) {
					line.Kind = name
				}
			}
			errors.As(err, &line.SQL)
			say(line)
			return
		}
		say(controlLine[Progress, Report]{Report: report})
	}
}

// backup answers POST /backup.
func (c *control) backup(ctx context.Context, req *backupRequest, progress func(engine.BackupProgress)) (*engine.BackupReport, error) {
	to, closer, err := c.server.cfg.OpenBucket(ctx, req.Target, nil)
	if err != nil {
		return nil, err
	}
	report, err := c.server.lake.Backup(ctx, to, engine.BackupOptions{Rehash: req.Rehash, Progress: progress})
	if err := errors.Join(err, closer.Close()); err != nil {
		return nil, err
	}
	c.server.cfg.Logger.Info("backed up", "target", req.Target, "backup", report.Backup.ID, "objects", report.Uploaded, "bytes", report.UploadedBytes, "took", report.Elapsed)
	return report, nil
}

// export answers POST /export.
func (c *control) export(ctx context.Context, req *exportRequest, progress func(engine.ExportProgress)) (*engine.ExportReport, error) {
	to, closer, err := c.server.cfg.OpenBucket(ctx, req.Target, req.Keepers)
	if err != nil {
		return nil, err
	}
	report, err := c.server.lake.Export(ctx, to, engine.ExportOptions{
		Store: req.Store, From: req.From, To: req.To, Where: req.Where, Formats: req.Formats, Workers: req.Workers, Progress: progress})
	if err := errors.Join(err, closer.Close()); err != nil {
		return nil, err
	}
	c.server.cfg.Logger.Info("exported", "target", req.Target, "store", report.Store, "events", report.Events, "bytes", report.FileBytes, "took", report.Elapsed)
	return report, nil
}

// Backup has the server that has a lake open back it up; [ErrNotServed] when there is
// none. The server writes to target, as the user that it runs as.
func Backup(ctx context.Context, dir, target string, opts engine.BackupOptions) (*engine.BackupReport, error) {
	r, err := ask[engine.BackupProgress, engine.BackupReport](ctx, dir, "backup", backupRequest{Target: target, Rehash: opts.Rehash}, opts.Progress)
	if err == nil && r.Backup == nil {
		return nil, errors.New("the server of the lake has answered something else")
	}
	return r, err
}

// Export has the server that has a lake open export a store; [ErrNotServed] when there is
// none. The server writes to target, as the user that it runs as, and opens the keepers.
func Export(ctx context.Context, dir, target string, keepers []string, opts engine.ExportOptions) (*engine.ExportReport, error) {
	return ask[engine.ExportProgress, engine.ExportReport](ctx, dir, "export", exportRequest{Target: target, Keepers: keepers,
		Store: opts.Store, From: opts.From, To: opts.To, Where: opts.Where, Formats: opts.Formats, Workers: opts.Workers}, opts.Progress)
}

// ask has the server of a lake do something.
func ask[Progress, Report any](ctx context.Context, dir, what string, request any, progress func(Progress)) (*Report, error) {
	body, err := json.Marshal(request)
	if err != nil {
		return nil, err
	}
	resp, err := askControl(ctx, dir, what, body)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, controlLineMax)
	for lines.Scan() {
		var l controlLine[Progress, Report]
		switch err := json.Unmarshal(lines.Bytes(), &l); {
		case err != nil:
			return nil, fmt.Errorf("the server of the lake has answered something else: %w", err)
		case l.Error != "":
			return nil, &controlError{l.Error, controlKinds[l.Kind], l.SQL}
		case l.Report != nil:
			return l.Report, nil
		case l.Progress != nil && progress != nil:
			progress(*l.Progress)
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return nil, fmt.Errorf("the server of the lake has gone before it was done; run it again, and it goes on (%w)", errors.Join(io.ErrUnexpectedEOF, lines.Err()))
}

// askControl sends a request to the server that has a lake open; [ErrNotServed] when there
// is none. The answer has status 200.
func askControl(ctx context.Context, dir, what string, body []byte) (*http.Response, error) {
	client := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			address, done, err := controlAddress(dir)
			if err != nil {
				return nil, err
			}
			defer done()
			return new(net.Dialer).DialContext(ctx, "unix", address)
		},
	}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://lake/"+what, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	resp, err := client.Do(req)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return nil, ErrNotServed
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("asking the server of the lake: only the user that it runs as, and root, may: %w", err)
	case err != nil:
		return nil, fmt.Errorf("asking the server of the lake: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		defer resp.Body.Close()
		why, _ := io.ReadAll(io.LimitReader(resp.Body, 1000))
		return nil, fmt.Errorf("the server of the lake answers %s: %s", resp.Status, bytes.TrimSpace(why))
	}
	return resp, nil
}
