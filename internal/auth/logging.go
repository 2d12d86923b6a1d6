package auth

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"

	"github.com/fiberjwt/fiberjwt/internal/accounts"
	"github.com/fiberjwt/fiberjwt/internal/dberr"
	"github.com/fiberjwt/fiberjwt/internal/fault"
	"github.com/fiberjwt/fiberjwt/internal/journal"
	"github.com/fiberjwt/fiberjwt/session"
)

// maxClockDifference is how far clocks may differ at a refresh without a warning. It is far
// below token.ClockSkew, so that the operator can act before tokens are refused.
const maxClockDifference = 5 * time.Second

// logUnknownKey warns of a token that another instance of fiberjwt may have signed.
func (a *Service) logUnknownKey(ctx context.Context, which string) {
	a.Journal.Hint(ctx, which+" is signed with a secret or key that this process does not have",
		"give all processes the same Config.Secret, or Keys, and the same kinds; keep a replaced secret in OldSecrets until its sessions have ended; do not make a random secret at start, because it would change with each start")
}

// logClocks warns that the clock of this process is behind the clock that a refresh was judged
// by or a token was issued by. If behind is negative, it is ahead.
func (a *Service) logClocks(ctx context.Context, behind time.Duration) {
	a.Journal.Log(ctx, journal.Line{
		Level: slog.LevelWarn, Message: "the clock of this process differs from that of the store or of another server", Attrs: []slog.Attr{slog.Duration("by", behind)},
		Hint: "synchronize the clocks of all servers and of the store by NTP; if they differ by more than 60 s, access tokens that were issued elsewhere are refused, and Config.CacheTTL may miss the end of a session",
	})
}

// logRefusedRow warns of a registration that the table refuses, because the 422 response
// cannot name the member that is wrong, if there is one. It also warns if the table lacks
// the unique index that should refuse a registration. The log contains no text of clients.
func (a *Service) logRefusedRow(ctx context.Context, k *Kind, err error) {
	cause := fault.Cause(err)
	reason := cause.Error()
	var changed *accounts.NotKept
	switch broken := dberr.ConstraintOf(cause); {
	case errors.Is(err, accounts.ErrTaken) && errors.As(err, &changed):
		a.Journal.Hint(ctx, "a registration is answered 409 because another account has its identity, but no unique index enforces this",
			"give the column a unique index, as Auth.Check says: without one, two registrations at the same time are both stored, and neither account can sign in", slog.String("kind", k.Name))
		return
	case !errors.Is(err, accounts.ErrRefused):
		return
	case errors.As(err, &changed):
	case broken == dberr.None:
		return
	case broken == dberr.Raised:
		reason = "a trigger raised an error"
	case broken == dberr.RefusedValue:
		reason = "a value is not of its column's type, or too long"
	}
	a.Journal.Log(ctx, journal.Line{
		Level: slog.LevelWarn, Message: "the table refuses the row of a registration; it is answered 422", Cause: k.Name + " " + fault.Brief(reason),
		Attrs: []slog.Attr{slog.String("kind", k.Name), slog.String("error", reason)},
		Hint:  "if a column that Fillable or Register does not set breaks a constraint, set it there or give it a default; if clients fill it, check it in Register; the column of the hash needs VARCHAR(255) or TEXT",
	})
}

// logOldHash warns that a sign-in could not replace an old hash. The old hash still works. If
// the database did not answer, other lines report that.
func (a *Service) logOldHash(ctx context.Context, k *Kind, err error) {
	if fault.IsUnavailable(err) {
		return
	}
	a.Journal.Log(ctx, journal.Line{
		Level: slog.LevelWarn, Message: "the hash of a password could not be replaced by a stronger one; the old one stays", Cause: k.Name,
		Attrs: []slog.Attr{slog.String("kind", k.Name), slog.Any("error", err)},
	})
}

// logLeftAccount logs that the row of a failed registration could not be deleted. It names
// each row, because the operator has to delete it.
func (a *Service) logLeftAccount(ctx context.Context, k *Kind, row any, err error) {
	subject, _ := k.Subject(row)
	a.Journal.Each(ctx, journal.Line{
		Level: slog.LevelError, Message: "the row of a failed registration could not be deleted",
		Attrs: []slog.Attr{slog.String("kind", k.Name), slog.String("subject", subject), slog.Any("error", err)},
		Hint:  "delete the row; until then, another registration with its identity is answered 409",
	})
}

// logLeftSession logs that a session could not be ended. No client can use the session.
func (a *Service) logLeftSession(ctx context.Context, err error) {
	a.Journal.Log(ctx, journal.Line{
		Level: slog.LevelError, Message: "the session of an account that has to wait could not be ended; no client has its tokens", Attrs: []slog.Attr{slog.Any("error", err)},
	})
}

// logNoSession logs that a registration has no session because the store of the sessions
// failed. If sessions of an earlier account with the same key may continue, it names each
// account, because the operator has to end these sessions.
func (a *Service) logNoSession(ctx context.Context, row session.Row, former bool, err error) {
	line := journal.Line{
		Level: slog.LevelError, Message: "an account is registered without a session",
		Attrs: []slog.Attr{slog.String("kind", row.Kind), slog.String("subject", row.Subject), slog.Any("error", err)},
	}
	if !former {
		a.Journal.Log(ctx, line)
		return
	}
	line.Message += "; sessions of an earlier account with its key may continue"
	line.Hint = "call fiberjwt.RevokeAll for it"
	a.Journal.Each(ctx, line)
}

// logReplaced warns that a session was refused because its key belongs to another account by
// now, or because a column of the fingerprint has changed.
func (a *Service) logReplaced(ctx context.Context, k *Kind) {
	columns := make([]string, len(k.FingerprintColumns))
	for i, field := range k.FingerprintColumns {
		columns[i] = field.Name
	}
	a.Journal.Log(ctx, journal.Line{
		Level: slog.LevelWarn, Message: "a session was refused because its account has other values in the columns that distinguish it from an earlier account with the same key", Cause: k.Name,
		Attrs: []slog.Attr{slog.String("kind", k.Name), slog.String("columns", strings.Join(columns, ", "))},
		Hint:  "this is expected after an account was deleted and its key was reused; if it is the same account, name a column that never changes in Entity.Identity, or call Login again after the change",
	})
}

// LogNotPruned logs that expired rows could not be deleted.
func (a *Service) LogNotPruned(err error) {
	a.Journal.Log(context.Background(), journal.Line{
		Level: slog.LevelWarn, Message: "expired sessions and failed sign-ins could not be deleted; the next try is in an hour", Attrs: []slog.Attr{slog.Any("error", err)},
		Hint: cmp.Or(Remedy(err), "if the database user may not delete rows, grant it DELETE; or set Config.ManualPrune and call Auth.Prune in a job"),
	})
}

// LogUncached warns of kinds for which Config.CacheTTL has no effect.
func (a *Service) LogUncached() {
	if a.Sessions == nil || !a.Sessions.Caches() {
		return
	}
	for _, k := range a.Kinds {
		if k.SelectHook == "" {
			continue
		}
		a.Journal.Each(context.Background(), journal.Line{
			Level: slog.LevelWarn, Message: "accounts of this kind are not cached, because their model has a hook that gets the context of the request",
			Attrs: []slog.Attr{slog.String("kind", k.Name), slog.String("hook", k.SelectHook)},
			Hint:  "if the hook must run, change nothing; what it decides can also be decided in Entity.Allow, which is called on every request, with the cache too",
		})
	}
}

// Remedy returns the fix for the cause of a failure, "" if it is not known.
func Remedy(err error) string {
	var lock *Waited
	if errors.As(err, &lock) {
		return WaitedHint
	}
	if err == nil {
		return ""
	}
	cause := fault.Cause(err)
	switch dberr.Missing(cause) {
	case dberr.MissingTable:
		if text := cause.Error(); strings.Contains(text, "fiberjwt_sessions") || strings.Contains(text, "fiberjwt_throttle") {
			return "a table of the library is missing: call fiberjwt.Migrate(ctx, db) at every start"
		}
		return "a table of Config.Entities is missing: create it before the first request"
	case dberr.MissingColumn:
		return "a column is missing: bring the tables of Config.Entities up to their models, and call fiberjwt.Migrate(ctx, db) at start"
	}
	return ""
}
