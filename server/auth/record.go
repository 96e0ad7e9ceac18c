package auth

import (
	"context"
	"log/slog"
	"time"
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
