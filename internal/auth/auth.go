// Package auth signs accounts in and out: it verifies tokens, starts, refreshes and ends
// sessions, registers accounts, changes passwords and makes links. It does not know HTTP.
package auth

import (
	"context"
	"time"

	"github.com/uptrace/bun"

	"github.com/fiberjwt/fiberjwt/internal/accounts"
	"github.com/fiberjwt/fiberjwt/internal/dbcheck"
	"github.com/fiberjwt/fiberjwt/internal/fault"
	"github.com/fiberjwt/fiberjwt/internal/journal"
	"github.com/fiberjwt/fiberjwt/internal/password"
	"github.com/fiberjwt/fiberjwt/internal/seal"
	"github.com/fiberjwt/fiberjwt/internal/secret"
	"github.com/fiberjwt/fiberjwt/internal/seen"
	"github.com/fiberjwt/fiberjwt/internal/sessions"
	"github.com/fiberjwt/fiberjwt/internal/statement"
	"github.com/fiberjwt/fiberjwt/internal/throttle"
	"github.com/fiberjwt/fiberjwt/internal/token"
	"github.com/fiberjwt/fiberjwt/session"
)

// Labels of derived keys; see package secret. Those of links end with the issuer.
const (
	labelTicket   = "fiberjwt/v1/ticket/"  // + kind + "/" + issuer
	labelDevice   = "fiberjwt/v1/device/"  // + kind + "/" + issuer
	labelUnlock   = "fiberjwt/v1/unlock/"  // + kind + "/" + issuer
	labelOnce     = "fiberjwt/v1/once/"    // + kind + "/" + purpose + "/" + issuer
	labelAccount  = "fiberjwt/v1/account/" // + kind
	labelAttempts = "fiberjwt/v1/attempts"
)

// Kind is a kind of account with its lifetimes, hooks and keys.
type Kind struct {
	*accounts.Kind

	AccessTTL, IdleTTL, SessionTTL time.Duration

	// Allow refuses an account by returning an error. An error with a class of package
	// fault does not refuse the account, and is returned unchanged. It is nil if the kind
	// allows all accounts.
	Allow  func(ctx context.Context, account any) error
	Claims func(account any) map[string]any
	// FromIssuer returns the account of a token of another issuer, or nil if there is none.
	// It is nil if the kind does not accept such tokens.
	FromIssuer func(ctx context.Context, v *Verified) (any, error)

	Times session.Times // of rotation

	refresh seal.RefreshCodec
	tickets seal.Keys
	devices seal.Keys // for the cookie that marks a browser
	unlocks seal.Keys
	prints  seal.Keys // for the fingerprints of accounts
}

// Config configures [New]. No field has a default.
type Config struct {
	DB       *bun.DB         // nil: tokens are verified only
	Pool     *statement.Pool // of the statements on DB, nil without DB
	Kinds    []*Kind
	Ring     secret.Ring
	Tokens   *token.Tokens
	Sessions *sessions.Sessions // nil without DB
	Hasher   *password.Hasher
	Guard    *dbcheck.Guard // nil without DB
	Old      OldTokens
	Journal  *journal.Journal

	Sliding      bool // requests extend their sessions, see [Service.Prolong]
	ReadTimeout  time.Duration
	WriteTimeout time.Duration
	Now          func() time.Time
	MachineClock bool // Now is time.Now; then refreshes go by the clock of the store
}

// Service signs accounts in and out. It is safe for concurrent use.
type Service struct {
	Config
	attempts *throttle.Throttle     // nil without DB
	seen     *seen.Cache[seenToken] // nil without a cache of accounts
}

// New returns a Service, and derives the keys of the kinds. It sends no statement.
func New(cfg Config) *Service {
	a := &Service{Config: cfg}
	for _, k := range cfg.Kinds {
		k.refresh = seal.NewRefreshCodec(cfg.Ring, k.Name, len(k.FingerprintColumns) > 0)
		k.tickets = seal.NewKeys(cfg.Ring, labelTicket+k.Name+"/"+cfg.Tokens.Issuer)
		k.devices = seal.NewKeys(cfg.Ring, labelDevice+k.Name+"/"+cfg.Tokens.Issuer)
		k.unlocks = seal.NewKeys(cfg.Ring, labelUnlock+k.Name+"/"+cfg.Tokens.Issuer)
		k.prints = seal.NewKeys(cfg.Ring, labelAccount+k.Name)
		k.Times.StoreClock = cfg.MachineClock
		k.Ready = cfg.Guard.Check
	}
	if cfg.DB != nil {
		a.attempts = newThrottle(cfg)
	}
	if cfg.Sessions != nil && cfg.Sessions.Caches() {
		a.seen = seen.New[seenToken]()
	}
	return a
}

// Kind returns the kind with this name, or nil.
func (a *Service) Kind(name string) *Kind {
	for _, k := range a.Kinds {
		if k.Name == name {
			return k
		}
	}
	return nil
}

// KindNames returns the names of the kinds, in the order of Config.Kinds.
func (a *Service) KindNames() []string {
	names := make([]string, len(a.Kinds))
	for i, k := range a.Kinds {
		names[i] = k.Name
	}
	return names
}

// Ready returns nil if statements may contain text of clients; see [dbcheck.Guard].
func (a *Service) Ready(ctx context.Context) error { return a.Guard.Check(ctx) }

// ErrNoStore is the error of calls that need sessions if there are none.
var ErrNoStore = fault.Setup("there are no sessions: Config has no DB and no Entities")
