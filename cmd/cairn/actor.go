package main

import (
	"context"
	"net"
	"os"
	"os/user"
	"strings"

	"github.com/cairndb/cairn/engine"
)

// withActor says who runs the command: the user that the system knows. Whoever reaches
// the lake's files may manage it; only the owner of the lake's directory and root may get
// around governance locks and release holds.
func (p *program) withActor(ctx context.Context) context.Context {
	a := engine.Actor{Kind: "OSUser", Name: "unknown", Agent: "cairn", Details: map[string]string{}, Permissions: []string{engine.PermissionManage}}
	if u, err := user.Current(); err == nil {
		a.Name = u.Username
		a.Details["uid"] = u.Uid
	}
	if host, err := os.Hostname(); err == nil {
		a.Details["host"] = host
	}
	// What the environment tells is a hint, not a proof.
	if by := os.Getenv("SUDO_USER"); by != "" {
		a.Details["sudoUser"] = by
	}
	if from, _, _ := strings.Cut(os.Getenv("SSH_CLIENT"), " "); net.ParseIP(from) != nil {
		a.Address = from
	}
	if dir, err := p.lakeDir(); err == nil && owns(dir) {
		a.Permissions = append(a.Permissions, engine.PermissionBypassGovernance, engine.PermissionReleaseHold)
	}
	return engine.WithActor(ctx, a)
}
