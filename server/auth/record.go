package auth

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net"
	"time"

	"github.com/cairndb/cairn/engine"
)

// Origin is where a request comes from.
type Origin struct {
	// Address is that of the network peer, host:port; "" on the machine itself.
	Address string
	// Application is what the client calls itself.
	Application string
	// User is who the operating system says it is, for commands on the machine.
	User string
}

// Act is something to be kept for auditors.
type Act struct {
	Time time.Time
	// Name is what happened: SignIn, SignInFailed, CreatePrincipal, GrantPrincipal,
	// RevokePrincipal, RotatePassword, RemovePrincipal.
	Name string
	// Who did it, or claimed to be in a failed sign-in. Role is "" for strangers.
	Who, Role string
	Origin    Origin
	// Target is the principal that it was done to, "" for none.
	Target string
	// Details are further facts, such as the stores granted. There are no secrets
	// among them.
	Details map[string]string
	// Err is why it failed; "" when it did not.
	Err string
}

// A Recorder keeps acts. It may be called from many goroutines.
type Recorder interface {
	Record(ctx context.Context, act Act) error
}

// LogRecorder writes acts into a log.
type LogRecorder struct{ Logger *slog.Logger }

// Record implements [Recorder].
func (r LogRecorder) Record(ctx context.Context, a Act) error {
	attrs := []slog.Attr{slog.String("who", a.Who), slog.String("address", a.Origin.Address)}
	for _, x := range [...]struct{ key, value string }{
		{"role", a.Role}, {"application", a.Origin.Application}, {"user", a.Origin.User}, {"target", a.Target}, {"error", a.Err},
	} {
		if x.value != "" {
			attrs = append(attrs, slog.String(x.key, x.value))
		}
	}
	for k, v := range a.Details {
		attrs = append(attrs, slog.String(k, v))
	}
	level := slog.LevelInfo
	if a.Err != "" {
		level = slog.LevelWarn
	}
	r.Logger.LogAttrs(ctx, level, a.Name, attrs...)
	return nil
}

// LakeRecorder records acts in the lake's audit store, where whoever acted cannot
// change them.
type LakeRecorder struct{ Lake *engine.Lake }

// Record implements [Recorder]. It returns when the act is on disk.
func (r LakeRecorder) Record(ctx context.Context, a Act) error {
	who := engine.Actor{Kind: "Principal", Name: a.Who, Agent: a.Origin.Application, Address: a.Origin.host(), Details: map[string]string{}}
	if a.Role != "" {
		who.Details["role"] = a.Role
	}
	if a.Origin.User != "" {
		who.Kind = "OSUser"
		who.Details["osUser"] = a.Origin.User
		// The program knows more of who runs it.
		if known := engine.ActorOf(ctx); known.Kind == who.Kind {
			maps.Copy(who.Details, known.Details)
		}
	}
	act := engine.Act{Name: a.Name}
	if a.Target != "" || len(a.Details) > 0 {
		act.Request = map[string]any{}
	}
	if a.Target != "" {
		act.Request["principal"] = a.Target
	}
	for k, v := range a.Details {
		act.Request[k] = v
	}
	if a.Err != "" {
		act.Err = errors.New(a.Err)
	}
	return r.Lake.Record(engine.WithActor(ctx, who), act)
}

// host returns the address without the port.
func (o Origin) host() string {
	if host, _, err := net.SplitHostPort(o.Address); err == nil {
		return host
	}
	return o.Address
}
