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
)

// What a program of this machine may have the server of a lake do, because only one
// process has a lake open: backups. The server listens on a Unix socket in the lake's
// directory (engine.ControlSocket). Whoever may write to it is the owner of the server's
// process or root, that is, somebody who could read and change the lake's files as well;
// that is its authentication, and the system tells who it is. So there is no password
// to be kept for a nightly backup, and nothing for the network.
//
// A request is HTTP: POST /backup with a [backupRequest]. The answer is lines of JSON,
// [controlLine], one now and then while it goes on, the last with a report or an
// error. A client that goes away ends what it has asked for.

// controlPathMax is the longest path of a socket that all systems take; longer ones are
// reached through the directory where the system has a way.
const controlPathMax = 100

// controlLineMax bounds a line of an answer: a manifest of a million files.
const controlLineMax = 512 << 20

// ErrNotServed says that no server has the lake open.
var ErrNotServed = errors.New("no server has the lake open")

// OpenBucket opens the place of a backup, a directory or the URL of a bucket.
type OpenBucket func(ctx context.Context, target string) (engine.Bucket, io.Closer, error)

// backupRequest asks for a backup.
type backupRequest struct {
	// Target is what OpenBucket takes, paths absolute. The server writes there, as
	// the user that it runs as.
	Target string `json:"target"`
	Rehash bool   `json:"rehash,omitempty"`
}

// controlLine is a line of an answer; it has one of these.
type controlLine struct {
	Progress *engine.BackupProgress `json:"progress,omitempty"`
	Report   *engine.BackupReport   `json:"report,omitempty"`
	Error    string                 `json:"error,omitempty"`
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
	mux.HandleFunc("POST /backup", c.backup)
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

// backup answers POST /backup.
func (c *control) backup(w http.ResponseWriter, r *http.Request) {
	log := c.server.cfg.Logger
	var req backupRequest
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<16))
	d.DisallowUnknownFields()
	if err := d.Decode(&req); err != nil || req.Target == "" {
		http.Error(w, "a target is expected", http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	out := http.NewResponseController(w)
	say := func(l controlLine) {
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
	report, err := func() (*engine.BackupReport, error) {
		who, err := c.actor(r.Context())
		if err != nil {
			return nil, err
		}
		to, closer, err := c.server.cfg.OpenBucket(r.Context(), req.Target)
		if err != nil {
			return nil, err
		}
		var told time.Time
		opts := engine.BackupOptions{Rehash: req.Rehash, Progress: func(p engine.BackupProgress) {
			if now := time.Now(); now.Sub(told) > 100*time.Millisecond {
				told = now
				say(controlLine{Progress: &p})
			}
		}}
		report, err := c.server.lake.Backup(engine.WithActor(r.Context(), who), to, opts)
		return report, errors.Join(err, closer.Close())
	}()
	if err != nil {
		log.Warn("a backup has failed", "target", req.Target, "error", err)
		say(controlLine{Error: err.Error()})
		return
	}
	log.Info("backed up", "target", req.Target, "backup", report.Backup.ID, "objects", report.Uploaded, "bytes", report.UploadedBytes, "took", report.Elapsed)
	say(controlLine{Report: report})
}

// Backup has the server that has a lake open back it up; [ErrNotServed] when there is
// none. The server writes to target, as the user that it runs as.
func Backup(ctx context.Context, dir, target string, opts engine.BackupOptions) (*engine.BackupReport, error) {
	body, err := json.Marshal(backupRequest{Target: target, Rehash: opts.Rehash})
	if err != nil {
		return nil, err
	}
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
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://lake/backup", bytes.NewReader(body))
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
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		why, _ := io.ReadAll(io.LimitReader(resp.Body, 1000))
		return nil, fmt.Errorf("the server of the lake answers %s: %s", resp.Status, bytes.TrimSpace(why))
	}
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, controlLineMax)
	for lines.Scan() {
		var l controlLine
		switch err := json.Unmarshal(lines.Bytes(), &l); {
		case err != nil:
			return nil, fmt.Errorf("the server of the lake has answered something else: %w", err)
		case l.Error != "":
			return nil, fmt.Errorf("the server of the lake: %s", l.Error)
		case l.Report != nil && l.Report.Backup != nil:
			return l.Report, nil
		case l.Progress != nil && opts.Progress != nil:
			opts.Progress(*l.Progress)
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return nil, fmt.Errorf("the server of the lake has gone before the backup was done; run it again, and it goes on (%w)", errors.Join(io.ErrUnexpectedEOF, lines.Err()))
}
