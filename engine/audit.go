package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cairndb/cairn/engine/event"
	"github.com/cairndb/cairn/engine/retention"
)

// The audit store: what was done with the lake is told by events in a store of the lake,
// under the same tree and digests as all others.
//
// Its events are of the schema for events from outside AWS. eventData tells who
// (userIdentity), what (eventName, requestParameters, responseElements, errorCode), when
// (eventTime) and from where (sourceIPAddress, userAgent, userIdentity.details). When the
// wall clock says another time than the lake goes by, additionalEventData.wallClock tells. An act is
// recorded before it takes effect, so that a crash between the two leaves a record too many,
// never one too few; an act that then fails is recorded again with its error.
//
// Only the lake itself appends to the store. It is made with the first act. That the lake
// signs a digest because one is due is no act: the digest tells of itself.
const (
	// AuditStore is the name of the audit store.
	AuditStore = "cairn_audit"

	// HistoryStore is the name of the event history.
	HistoryStore = "event_history"

	// auditDays is the period of the audit store when it is made: the longest. It can be
	// changed like that of other stores.
	auditDays = retention.DaysMax

	// auditTextMax bounds the texts of a record of the audit store, in bytes: a query may
	// be longer than an event.
	auditTextMax = 16 << 10

	// auditClockOff is how far the wall clock may be from the time that the lake goes by
	// before acts tell what it said.
	auditClockOff = time.Minute
)

// Acts that the lake tells of, beside those of stores and holds. Servers tell of
// sign-ins and of grants.
const (
	ActExport     = "ExportEvents"
	ActBackup     = "BackupLake"
	ActUseKey     = "UseKey"
	ActRotateKey  = "RotateKey"
	ActResetKey   = "ResetKey"
	ActDestroyKey = "DestroyKey"
	ActQuery      = "StartQuery"
)

// Actor is who does something.
type Actor struct {
	// Kind says what names are of: "OSUser", "Principal", "System", "Process".
	Kind string
	// Name is the name; for people and programs that have signed in the one they signed in
	// with.
	Name string
	// Address is where the request came from, an IP address or "".
	Address string
	// Agent is the program that it came through.
	Agent string
	// Details are told as they are: user ID, host, the user behind sudo.
	Details map[string]string
	// Permissions are what the actor may do beyond what everybody may who reaches the
	// method: [PermissionManage] and so on.
	Permissions []string
}

// The named permissions of retention; package retention tells what they allow.
const (
	PermissionManage           = retention.Manage
	PermissionBypassGovernance = retention.BypassGovernance
	PermissionReleaseHold      = retention.ReleaseHold
)

// systemActor does what the lake does by itself.
var systemActor = Actor{Kind: "System", Name: "cairn"}

type actorKey struct{}

// WithActor returns a context that says who makes the calls that it is given to.
func WithActor(ctx context.Context, a Actor) context.Context {
	return context.WithValue(ctx, actorKey{}, a)
}

// ActorOf returns who makes the calls. A program that has said nothing is itself the
// actor, and may manage the lake but not get around its locks.
func ActorOf(ctx context.Context) Actor {
	if a, ok := ctx.Value(actorKey{}).(Actor); ok {
		return a
	}
	return Actor{Kind: "Process", Name: "the program that has opened the lake", Permissions: []string{PermissionManage}}
}

// rights are what package retention wants to know of an actor.
func (a *Actor) rights(bypass bool) retention.Rights {
	may := func(p string) bool { return slices.Contains(a.Permissions, p) }
	return retention.Rights{Manage: may(PermissionManage), BypassGovernance: may(PermissionBypassGovernance), ReleaseHold: may(PermissionReleaseHold), Bypass: bypass}
}

// Act is something that was done, or asked for in vain.
type Act struct {
	// Name is what: one of the Act constants, or another word.
	Name string
	// Store is the store that it is about; may be nil.
	Store *Store
	// Request and Response are its parameters and its outcome, of values that package
	// json can write; may be nil.
	Request, Response map[string]any
	// Err is why it was refused or has failed; nil when it was done.
	Err error
}

// Record tells the audit store of an act; the actor is that of the context. When it
// returns without an error, that is on disk. It is for servers and programs: what the
// methods of the lake do, they record themselves.
func (l *Lake) Record(ctx context.Context, act Act) error {
	done, err := l.beginWrite()
	if err != nil {
		return err
	}
	defer done()
	if act.Name == "" {
		return failf(ErrBadInput, "an act needs a name")
	}
	return l.recordAct(ctx, ActorOf(ctx), act)
}

// recordAct appends an event to the audit store, making it first if there is none. The
// caller must not hold Lake.cat and not be the committer.
func (l *Lake) recordAct(ctx context.Context, who Actor, act Act) error {
	s, err := l.builtIn(AuditStore, event.ExternalEvents, retention.Policy{Kind: retention.Audit, Days: auditDays})
	if err != nil {
		return err
	}
	rec, err := l.auditEvent(&who, &act)
	if err != nil {
		return err
	}
	// What is recorded is recorded, also when the caller goes away.
	verdicts, err := s.append(context.WithoutCancel(ctx), [][]byte{rec})
	if err == nil && verdicts[0].Status == Refused {
		err = errors.New(verdicts[0].Detail)
	}
	if err != nil {
		return fmt.Errorf("recording %s in store %s: %w", act.Name, AuditStore, err)
	}
	return nil
}

// The members of an audit event; the schema for events from outside tells what they
// are.
type (
	auditEvent struct {
		Version   string        `json:"eventVersion"`
		Category  string        `json:"eventCategory"`
		Type      string        `json:"eventType"`
		ID        string        `json:"eventID"`
		Time      string        `json:"eventTime"`
		Region    string        `json:"awsRegion"`
		Recipient string        `json:"recipientAccountId"`
		Metadata  auditMetadata `json:"metadata"`
		Data      auditData     `json:"eventData"`
	}
	auditMetadata struct {
		Ingested string `json:"ingestionTime"`
		Channel  string `json:"channelARN"`
	}
	auditData struct {
		Version    string         `json:"version"`
		User       auditIdentity  `json:"userIdentity"`
		Agent      string         `json:"userAgent,omitempty"`
		Source     string         `json:"eventSource"`
		Name       string         `json:"eventName"`
		Time       string         `json:"eventTime"`
		UID        string         `json:"UID"`
		Request    map[string]any `json:"requestParameters,omitempty"`
		Response   map[string]any `json:"responseElements,omitempty"`
		ErrorCode  string         `json:"errorCode,omitempty"`
		Error      string         `json:"errorMessage,omitempty"`
		Address    string         `json:"sourceIPAddress,omitempty"`
		Recipient  string         `json:"recipientAccountId"`
		Additional map[string]any `json:"additionalEventData,omitempty"`
	}
	auditIdentity struct {
		Type      string            `json:"type"`
		Principal string            `json:"principalId"`
		Details   map[string]string `json:"details,omitempty"`
	}
)

// auditAccount and auditRegion stand where AWS has an account and a region: a lake is
// in none.
const (
	auditAccount = "000000000000"
	auditRegion  = "local"
	auditSource  = "cairn"
)

// auditEvent makes the record of an act.
func (l *Lake) auditEvent(who *Actor, act *Act) ([]byte, error) {
	id, err := newUUID(l.opts.Rand)
	if err != nil {
		return nil, fmt.Errorf("making an event ID: %w", err)
	}
	// A wall clock that is set back does not date acts before others, or so early that
	// the store would not take them.
	wall := l.opts.Clock().UTC()
	now := time.UnixMicro(l.retain.clock.Seen()).UTC()
	e := auditEvent{
		Version: "1.0", Category: event.ActivityAuditLog.String(), Type: "ActivityLog", ID: formatUUID(id),
		Time: timeText(now.UnixMicro()), Region: auditRegion, Recipient: auditAccount,
		Metadata: auditMetadata{Ingested: timeText(now.UnixMicro()), Channel: auditSource},
		Data: auditData{
			Version: "1.0", User: auditIdentity{Type: cut(who.Kind), Principal: cut(who.Name), Details: map[string]string{}},
			Agent: cut(who.Agent), Source: auditSource, Name: cut(act.Name), Time: now.Format("2006-01-02T15:04:05Z"), UID: formatUUID(id),
			Address: cut(who.Address), Recipient: auditAccount, Request: map[string]any{}, Response: cutAll(act.Response),
		},
	}
	for k, v := range who.Details {
		e.Data.User.Details[cut(k)] = cut(v)
	}
	for k, v := range cutAll(act.Request) {
		e.Data.Request[k] = v
	}
	if act.Store != nil {
		e.Data.Request["eventDataStore"] = act.Store.Name()
		e.Data.Request["eventDataStoreId"] = act.Store.ID()
	}
	if off := wall.Sub(now).Abs(); off > auditClockOff {
		e.Data.Additional = map[string]any{"wallClock": timeText(wall.UnixMicro())}
	}
	if act.Err != nil {
		e.Data.ErrorCode, e.Data.Error = errorCode(act.Err), cut(act.Err.Error())
	}
	rec, err := json.Marshal(e)
	if err != nil {
		return nil, failf(ErrBadInput, "recording %s: its parameters cannot be written as JSON: %w", act.Name, err)
	}
	return rec, nil
}

// errorCode says in a word why something was not done.
func errorCode(err error) string {
	if reason := retention.ReasonOf(err); reason != "" {
		return string(reason)
	}
	for _, k := range []error{ErrBadInput, ErrNotFound, ErrConflict, ErrRefused, ErrLimit, ErrUnavailable, ErrCorrupt, ErrHalted, ErrNoSpace} {
		if errors.Is(err, k) {
			return k.Error()
		}
	}
	return "failed"
}

// cut bounds a text.
func cut(s string) string {
	if len(s) > auditTextMax {
		return s[:auditTextMax] + "…"
	}
	return s
}

// cutAll bounds the texts among some values.
func cutAll(m map[string]any) map[string]any {
	out := make(map[string]any, len(m))
	for k, v := range m {
		if s, ok := v.(string); ok {
			v = cut(s)
		}
		out[k] = v
	}
	return out
}

// timeText writes a time of the engine.
func timeText(micros int64) string {
	return time.UnixMicro(micros).UTC().Format("2006-01-02T15:04:05.000Z")
}

// builtIn returns a built-in store, and makes it if there is none. A store of that name
// that somebody has made is not one.
func (l *Lake) builtIn(name string, schema *event.Table, p retention.Policy) (*Store, error) {
	l.cat.Lock()
	defer l.cat.Unlock()
	if s := l.storeCalled(name); s != nil {
		if have, _ := s.policy(); have.Kind != p.Kind {
			return nil, failf(ErrConflict, "store %q was made by a user and is in the place of the built-in one: delete it", name)
		}
		return s, nil
	}
	s, err := l.makeStore(name, schema, &p, nil)
	if err != nil {
		return nil, fmt.Errorf("making the built-in store %q: %w", name, err)
	}
	return s, nil
}

// recordQuery records a query, if queries are recorded: one that cannot be is not run.
func (l *Lake) recordQuery(ctx context.Context, text string) error {
	if !l.opts.AuditQueries || l.opts.ReadOnly {
		return nil
	}
	return l.recordAct(ctx, ActorOf(ctx), Act{Name: ActQuery, Request: map[string]any{"queryStatement": text}})
}

// mayDestroy says whether keys that files are still encrypted under may be destroyed:
// that deletes events, and nothing that forbids to delete them must stand against it.
func (l *Lake) mayDestroy(who *Actor) error {
	for _, s := range l.Stores() {
		p, holds := s.policy()
		live := s.live(l.retain.clock.For(p))
		switch {
		case len(holds) > 0:
			return failf(ErrRefused, "destroying keys that are in use: %d legal holds are on store %s", len(holds), s.Name())
		case live && p.Mode == retention.Compliance:
			return failf(ErrRefused, "destroying keys that are in use: store %s is in compliance mode and has events that have not expired", s.Name())
		case live && p.Mode == retention.Governance && !who.rights(true).BypassGovernance:
			return failf(ErrRefused, "destroying keys that are in use: store %s is in governance mode, which needs the permission %s", s.Name(), PermissionBypassGovernance)
		}
	}
	return nil
}

// history returns the event history, and makes it if there is none.
func (l *Lake) history() (*Store, error) {
	return l.builtIn(HistoryStore, event.CloudTrail, retention.Policy{Kind: retention.History, Days: retention.HistoryDays, Protected: true})
}
