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

// clocksApart is how far clocks may differ at a refresh before that is logged. It is far
// below token.ClockSkew, so that there is time to do something.
const clocksApart = 5 * time.Second

// logUnknownKey warns of a token that another fiberjwt may have signed.
func (a *Service) logUnknownKey(ctx context.Context, which string) {
	a.Journal.Hint(ctx, which+" is signed with a secret or key that this process does not have",
		"give all processes the same Config.Secret, or Keys, and the same kinds; keep a replaced secret in OldSecrets until its sessions have ended; a random secret that is made at start is another one after each start")
}

// logClocks warns that the clock of this process is behind the one that judged a refresh or
// issued a token, or ahead of it if behind is negative.
func (a *Service) logClocks(ctx context.Context, behind time.Duration) {
	a.Journal.Log(ctx, journal.Line{
		Level: slog.LevelWarn, Message: "the clock of this process differs from that of the store or of another server", Attrs: []slog.Attr{slog.Duration("by", behind)},
		Hint: "keep the clocks of all servers and of the store together by NTP; if they differ by more than 60 s, access tokens that were issued elsewhere are refused, and Config.CacheTTL may miss the end of a session",
	})
}

// logRefusedRow warns of a registration that the table refuses: the 422 cannot say which
// member is wrong, if one is. It also warns of one that the table should refuse and does
// not. What clients sent stays out of the log.
func (a *Service) logRefusedRow(ctx context.Context, k *Kind, err error) {
	cause := fault.Cause(err)
	reason := cause.Error()
	var changed *accounts.NotKept
	switch broken := dberr.ConstraintOf(cause); {
	case errors.Is(err, accounts.ErrTaken) && errors.As(err, &changed):
		a.Journal.Hint(ctx, "a registration is answered 409 because another account has its identity, but no unique index keeps the two apart",
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

// logOldHash warns that a sign-in could not replace an old hash, which still works. If the
// database does not answer, the lines of failed requests say so.
func (a *Service) logOldHash(ctx context.Context, k *Kind, err error) {
	if fault.IsUnavailable(err) {
		return
	}
	a.Journal.Log(ctx, journal.Line{
		Level: slog.LevelWarn, Message: "the hash of a password could not be replaced by a stronger one; the old one stays", Cause: k.Name,
		Attrs: []slog.Attr{slog.String("kind", k.Name), slog.Any("error", err)},
	})
}

// logLeftAccount logs that the row of a failed registration could not be deleted. Each row
// is named, since only the operator can delete it.
func (a *Service) logLeftAccount(ctx context.Context, k *Kind, row any, err error) {
	subject, _ := k.Subject(row)
	a.Journal.Each(ctx, journal.Line{
		Level: slog.LevelError, Message: "the row of a failed registration could not be deleted",
		Attrs: []slog.Attr{slog.String("kind", k.Name), slog.String("subject", subject), slog.Any("error", err)},
		Hint:  "delete the row; until then, another registration with its identity is answered 409",
	})
}

// logLeftSession logs that a session could not be ended. No client can use it.
func (a *Service) logLeftSession(ctx context.Context, err error) {
	a.Journal.Log(ctx, journal.Line{
		Level: slog.LevelError, Message: "the session of an account that has to wait could not be ended; no client has its tokens", Attrs: []slog.Attr{slog.Any("error", err)},
	})
}

// logNoSession logs that a registration has no session, because the store elsewhere failed.
// If the sessions of an earlier account with the same key may go on, each such account is
// named, since only the operator can end them.
func (a *Service) logNoSession(ctx context.Context, row session.Row, former bool, err error) {
	line := journal.Line{
		Level: slog.LevelError, Message: "an account is registered without a session",
		Attrs: []slog.Attr{slog.String("kind", row.Kind), slog.String("subject", row.Subject), slog.Any("error", err)},
	}
	if !former {
		a.Journal.Log(ctx, line)
		return
	}
	line.Message += "; sessions of an earlier account with its key may go on"
	line.Hint = "call fiberjwt.RevokeAll for it"
	a.Journal.Each(ctx, line)
}

// logReplaced logs that a session was refused because its account is another one by now, or
// has changed in a column that tells accounts apart.
func (a *Service) logReplaced(ctx context.Context, k *Kind) {
	columns := make([]string, len(k.Telling))
	for i, field := range k.Telling {
		columns[i] = field.Name
	}
	a.Journal.Log(ctx, journal.Line{
		Level: slog.LevelWarn, Message: "a session was refused because its account has other values in the columns that tell it from an earlier account with the same key", Cause: k.Name,
		Attrs: []slog.Attr{slog.String("kind", k.Name), slog.String("columns", strings.Join(columns, ", "))},
		Hint:  "this is right after an account was deleted and its key was given again; if it is the same account, name a column that never changes in Entity.Identity, or call Login again after the change",
	})
}

// LogNotPruned logs that rows which are over could not be deleted.
func (a *Service) LogNotPruned(err error) {
	a.Journal.Log(context.Background(), journal.Line{
		Level: slog.LevelWarn, Message: "expired sessions and failed sign-ins could not be deleted; the next try is in an hour", Attrs: []slog.Attr{slog.Any("error", err)},
		Hint: cmp.Or(Remedy(err), "if the database user may not delete, grant it that; or set Config.ManualPrune and call Auth.Prune in a job"),
	})
}

// LogUncached warns of kinds that Config.CacheTTL does nothing for.
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
			Hint:  "if the hook must run, change nothing; what it decides can also be decided in Entity.Allow, which is asked on every request, with the cache too",
		})
	}
}

// Remedy says how to fix the cause of a failure, "" if that is not known.
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
