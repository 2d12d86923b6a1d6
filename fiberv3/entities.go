// Code generated from ../entities.go by internal/twin; DO NOT EDIT.

package fiberjwt

import (
	"cmp"
	"context"
	"fmt"
	"reflect"
	"runtime"
	"slices"
	"time"

	"github.com/gofiber/fiber/v3"
	"github.com/uptrace/bun"

	"github.com/fiberjwt/fiberjwt/internal/accounts"
	"github.com/fiberjwt/fiberjwt/internal/auth"
	"github.com/fiberjwt/fiberjwt/internal/fault"
	"github.com/fiberjwt/fiberjwt/internal/password"
	"github.com/fiberjwt/fiberjwt/internal/token"
	"github.com/fiberjwt/fiberjwt/session"
)

// AnyEntity is a kind of account: an [Entity] of any model. It lets entities of different
// models stand in one slice. Only [Entity] implements it.
type AnyEntity interface {
	open(db *bun.DB) (*kind, []fault.Problem)
}

// Entity declares a kind of account. T is the application's Bun model, a struct. The zero
// value is a complete declaration if the model has one primary key column and the columns
// email and password_hash:
//
//	fiberjwt.Entity[User]{}
//
// Hooks run inside the request, so they are called concurrently. If a hook panics, the
// response is 500 and the process continues. [Open] copies the Entity: later changes to it
// have no effect.
//
// # Two kinds in one table
//
// Two kinds may share a table. Each kind needs its own Go type, as in type Admin User, and
// Load or Allow says which rows belong to it. One of the kinds may do without, and then
// accepts every row. If one of the kinds has Register, the kind that accepts every row must
// have it too.
//
// The row is then the account of both kinds. A new password, [ResetPassword], logout-all and
// [RevokeAll] end the sessions of both. [Auth.Check] reports a kind that reads the table of
// another kind through a view, because these sessions would not end.
type Entity[T any] struct {
	// Name of the kind. It is the key in c.Locals and the path segment of the built-in
	// routes, and it is part of the cookie names and of the tokens. It has lower-case
	// letters, digits, "_" and "-", at most 32, and begins with a letter. Default: the
	// model's table.
	Name string
	// Identity is the column that users sign in with. It must be a text column that
	// stores what is written to it without changes. Give it a unique index, which
	// [Auth.Check] looks for: if two accounts have the same identity, neither can sign
	// in. Default "email".
	//
	// In a kind with Password "-", Identity is the column that distinguishes an account
	// from a later account with the same primary key, such as the subject at an identity
	// provider. When its value changes, the sessions of the account end and its links are
	// void. It may then be a column of any type. Default: the columns that are tagged
	// unique, else the column email, else the first text column. If the model has none of
	// these and an integer as primary key, Identity must be set.
	Identity string
	// Password is the column that stores the hash of the password. It must be a text
	// column for at least 100 characters, such as VARCHAR(255) or TEXT. Default
	// "password_hash". Set it to "-" for a kind that signs in by [Login] only.
	Password string
	// Canonical returns the form in which an identity is stored and compared, so that a
	// user has one account however the name is typed. An error refuses the identity: a
	// registration is then answered 422 with the text of the error for that field, such as
	// "is not a staff number". An *Error becomes the response unchanged.
	//
	// The argument has 1 to 320 bytes, no control characters, and no white space at its
	// ends. Canonical must be idempotent, must not do I/O and must be safe for concurrent
	// use.
	//
	// A sign-in prefers the row with the identity as it was typed, because older rows may
	// not follow the rule. Otherwise it takes the row with the canonical form. If Canonical
	// refuses the identity, the response is the same as for an unknown identity.
	// Default: [CanonicalIdentity].
	Canonical func(identity string) (string, error)
	// Fillable lists the columns that a registration may set besides the identity and the
	// password. The members of the JSON body have the names of the columns. Clients can
	// set no other column. Default: none.
	Fillable []string

	// AccessTTL is the lifetime of an access token, from 1 s to 24 h. Default 10 min.
	AccessTTL time.Duration
	// IdleTTL is the time after which a session ends if it is not refreshed. Default 14
	// days.
	IdleTTL time.Duration
	// SessionTTL is the maximum lifetime of a session, even if it is refreshed. It is at
	// least IdleTTL. Default 90 days.
	SessionTTL time.Duration

	// Register opens registration to the public. It is called for each registration, before
	// the row is stored. account already has its identity and the hash of its password.
	// Register may set more columns of account, or return an error to refuse the
	// registration. It must not change the hash, and an identity that it sets must be in
	// canonical form. [Anyone] accepts every registration. Default: nil, which closes
	// registration: the response is 404.
	//
	// An *Error becomes the response unchanged. A *fiber.Error gives the response its
	// status and message. If the error means that a service did not answer, the response
	// is 503. For any other error it is 403.
	Register func(c fiber.Ctx, account *T) error
	// Allow decides whether an account may sign in and stay signed in. It is called at
	// each login, each refresh and each request. An error refuses the account: the
	// response is 401, the same as for a wrong password or a session that has ended. If
	// Allow refuses an account right after its registration, the account is stored but not
	// signed in, for example until its address is confirmed.
	//
	// If Allow cannot decide, it must return an error that wraps [ErrUnavailable]. The
	// response is then 503, and an account that was just registered is deleted again.
	// Default: every account may sign in.
	Allow func(ctx context.Context, account *T) error
	// Audience replaces Config.Audience for this kind. The access tokens of the kind carry
	// it as the claim aud, and a presented token of the kind must contain at least one of
	// these values. Give each kind another Audience if other services verify the tokens
	// and do not compare the claim kind, because user 3 and teacher 3 have the same iss
	// and sub. Default: Config.Audience.
	Audience []string
	// Claims returns further claims for an access token. Every holder of the token can
	// read them. If it returns the name of a registered claim or of a claim that the
	// library sets, no token is issued and the response is 500. Default: no further claims.
	Claims func(account *T) map[string]any
	// FromIssuer returns the account for a token of one of Config.TrustedIssuers. It is
	// called on every request with such a token, after the token is verified, and may
	// store a new account first. s.Issuer is the issuer, s.Subject is the issuer's claim
	// sub, and s.Claim reads the other claims.
	//
	// If there is no account, return nil or sql.ErrNoRows: the response is 401. An *Error
	// becomes the response unchanged. For any other error the response is 503.
	//
	// Find the account by Issuer and sub. Do not find it by an e-mail address: addresses
	// change owners, and the next owner would get the account.
	FromIssuer func(ctx context.Context, s *Session) (*T, error)
	// Load changes the SELECT that loads a row, at login and on every request. It may add
	// relations, columns and conditions. Conditions can only exclude rows.
	//
	// The query must still select the primary key, the identity and the hash, or with
	// Password "-" the columns that Identity names. It must also keep the alias of the
	// model, as in the table expression "active_users AS ?TableAlias". If the query does
	// not find the row of a new registration, the registration is refused.
	//
	// Hooks of the model for a SELECT and for its rows run too. BeforeAppendModel does not
	// run, as in every SELECT into a slice.
	Load func(q *bun.SelectQuery) *bun.SelectQuery
}

// Anyone is an [Entity].Register that accepts every registration.
func Anyone[T any](fiber.Ctx, *T) error { return nil }

// CanonicalIdentity returns the form in which an e-mail address, or another name to sign in
// with, is stored and compared. It is the default of [Entity].Canonical. The form is in lower
// case and composed (NFKC): a letter and a separate accent become one character, and
// characters that Unicode defines as variants of other characters are replaced by those. So
// "Ann", "ＡＮＮ" and "ann" are one name. CanonicalIdentity is idempotent and safe for
// concurrent use.
//
// It returns an error for an identity with invisible characters, because such a name would
// look like the name of another user. These are control characters, format characters such as
// a zero width space, a soft hyphen, a byte order mark or a direction override, fillers,
// variation selectors, white space other than U+0020 between characters, and private and
// unassigned code points. It also refuses names that are empty, longer than 320 bytes, or
// have white space at their ends. The text of the error fits into Error.Fields of
// [ErrFields].
//
// An attacker can still register a name that looks the same in letters of another script: the
// Latin a and the Cyrillic a stay different. If that matters, write another Canonical.
//
// Use CanonicalIdentity also for identities that reach the table without a registration, such
// as those of an import.
func CanonicalIdentity(identity string) (string, error) { return accounts.CanonicalIdentity(identity) }

// kind is an Entity without its type parameter. Its methods take an account as a *T in an any.
type kind struct {
	*auth.Kind

	local    any                        // Name, as the key in c.Locals
	audience []string                   // nil: use Config.Audience
	register func(fiber.Ctx, any) error // nil: registration is closed
	cookies  cookieNames
}

const defaultSessionTTL = 90 * 24 * time.Hour

// open resolves the declaration with the table of the model. It does no I/O.
func (e Entity[T]) open(db *bun.DB) (*kind, []fault.Problem) {
	inner, problems := accounts.Open(db, reflect.TypeFor[T](), accounts.Declaration{
		Name: e.Name, Identity: e.Identity, Password: e.Password, Fillable: e.Fillable, Canonical: e.Canonical, Load: e.Load,
		Narrowed: e.Allow != nil, Registers: e.Register != nil, Answer: hookAnswer,
	})
	k := &kind{
		Kind: &auth.Kind{
			Kind:       inner,
			AccessTTL:  cmp.Or(e.AccessTTL, 10*time.Minute),
			IdleTTL:    cmp.Or(e.IdleTTL, 14*24*time.Hour),
			SessionTTL: cmp.Or(e.SessionTTL, defaultSessionTTL),
			Claims:     func(any) map[string]any { return nil },
		},
		audience: slices.Clone(e.Audience),
	}
	k.local = k.Name
	if slices.Contains(k.audience, "") {
		problems = append(problems, fault.NewProblem("Audience", "has an empty name", "remove it"))
	}
	e.setHooks(k)
	return k, problems
}

// setHooks gives k the hooks of e.
func (e Entity[T]) setHooks(k *kind) {
	if e.Register != nil {
		k.register = func(c fiber.Ctx, account any) error { return e.Register(c, account.(*T)) }
	}
	if e.Allow != nil {
		k.Allow = func(ctx context.Context, account any) error { return allowError(e.Allow(ctx, account.(*T))) }
	}
	if e.FromIssuer != nil {
		k.FromIssuer = func(ctx context.Context, v *auth.Verified) (any, error) {
			s := new(Session)
			s.set(v)
			account, err := e.FromIssuer(ctx, s)
			if answer := hookAnswer(err); answer != nil {
				err = answer
			}
			if account == nil {
				return nil, err
			}
			return account, err
		}
	}
	if e.Claims != nil {
		k.Claims = func(account any) map[string]any { return e.Claims(account.(*T)) }
	}
}

func (k *kind) timeProblems(r Refresh) (problems []fault.Problem) {
	if k.AccessTTL < time.Second || k.AccessTTL > token.MaxLife {
		problems = append(problems, fault.NewProblem("AccessTTL", fmt.Sprintf("%v is not between 1 s and 24 h", k.AccessTTL), "give a time in this range, or leave it out for the default of 10 min"))
	}
	// A refresh that comes too early to rotate does not extend the idle time either.
	if age := r.times(k.AccessTTL, k.IdleTTL).Age; k.IdleTTL-k.AccessTTL < age {
		least := k.AccessTTL + age
		problems = append(problems, fault.NewProblem("IdleTTL", fmt.Sprintf("%v is too short for an AccessTTL of %v", k.IdleTTL, k.AccessTTL), fmt.Sprintf("give %v or more", least)))
	}
	if k.SessionTTL < k.IdleTTL {
		session := k.SessionTTL.String()
		if k.SessionTTL == defaultSessionTTL { // the application may not have set it
			session = "the default of 90 days"
		}
		problems = append(problems, fault.NewProblem("SessionTTL", fmt.Sprintf("%s is shorter than IdleTTL, %v", session, k.IdleTTL), fmt.Sprintf("set SessionTTL to %v or more, or IdleTTL to %v or less", k.IdleTTL, k.SessionTTL)))
	}
	return problems
}

// entity returns the JSON of an account for its owner. It returns an error if the JSON would
// show the hash of the password. Open has checked that too, but it knows neither the
// application's JSONEncoder nor the values in the row.
func (k *kind) entity(c fiber.Ctx, account any) ([]byte, error) {
	text, err := c.App().Config().JSONEncoder(account)
	if err != nil {
		return nil, fault.Broken(err)
	}
	if k.Password != nil && accounts.ShowsHash(text, k.Hash(account)) {
		return nil, fault.Setupf("the JSON of kind %s shows %s: tag the field `json:\"-\"`, and use a fiber.Config.JSONEncoder that obeys it", k.Name, k.Password.GoName)
	}
	return text, nil
}

// Create stores a new account with a password. Use it outside a request, for example for the
// first account of a kind whose registration is closed, for an import or on a command line.
// The identity, which must be set in account, and the password must meet the rules of the
// built-in registration. The identity is stored in its canonical form, and all other columns
// as they are. If a sign-in would not find the row, it is removed again and Create returns an
// error.
//
//	admin := &Admin{Email: "ann@example.com"}
//	err := fiberjwt.Create(ctx, auth, admin, password)
//
// Create does not call Entity.Register or Entity.Allow, and does not start a session: call
// [Auth.Issue] or [Login] for that.
//
// Afterwards account has its primary key and the hash. After an error it is unchanged. The
// error is ErrFields, with Error.Fields for the column of the identity and for "password";
// ErrTaken if an account with this identity exists; ErrUnavailable; or ErrSetup. Create is
// safe for concurrent use if each call has its own account.
func Create[T any](ctx context.Context, a *Auth, account *T, password string) error {
	k, err := kindOf[T](a)
	if err == nil && (k.Password == nil || account == nil) {
		err = fault.Setupf("Create: account is nil, or kind %s has no passwords: insert its rows yourself", k.Name)
	}
	if err != nil {
		return publicError(err)
	}
	return publicError(a.service.Create(ctx, k.Kind, account, password))
}

// HashPassword returns the hash of a password for the column Entity.Password, with the cost
// that [Config].Password sets. Use it for rows that the application inserts or updates
// itself. After an update of a stored row, call [RevokeAll]: the sessions do not end by
// themselves.
//
// The error is ErrFields, with Error.Fields for "password", if a registration would not
// accept the password. It is ErrUnavailable if ctx has ended or if too many passwords are
// being hashed at the moment.
func (a *Auth) HashPassword(ctx context.Context, password string) (string, error) {
	hash, err := a.service.HashPassword(ctx, password)
	return hash, publicError(err)
}

// CheckPassword reports whether hash, a value of the column Entity.Password, is a hash of
// password. Like a sign-in, it accepts argon2id and bcrypt. Any other text matches no
// password, and the call takes as long.
//
// CheckPassword does not count failures. If clients can reach it, limit the attempts yourself,
// because an attacker could otherwise guess passwords. The error is ErrUnavailable if ctx has
// ended or if too many passwords are being hashed at the moment.
func (a *Auth) CheckPassword(ctx context.Context, hash, password string) (bool, error) {
	ok, err := a.service.CheckPassword(ctx, hash, password)
	return ok, publicError(err)
}

func newHasher(cfg Config) *password.Hasher {
	load := password.Load{Processors: runtime.GOMAXPROCS(0), Patience: cfg.ReadTimeout + cfg.WriteTimeout}
	if fiber.IsChild() { // Fiber's Prefork gives a child one processor, but sets GOMAXPROCS only when it listens
		load.Processors = 1
	}
	if cfg.DB != nil {
		load.Pool = cfg.DB.Stats().MaxOpenConnections
	}
	return password.New(password.Settings(cfg.Password), load)
}

// SessionInfo describes an active session in a list.
type SessionInfo struct {
	ID          string    `json:"id"`
	Created     time.Time `json:"created"`
	LastRefresh time.Time `json:"last_refresh"` // or when Cookie.Sliding last moved the idle deadline
	Expires     time.Time `json:"expires"`      // unless it is refreshed before
	Address     string    `json:"address"`      // of the client at the sign-in
	UserAgent   string    `json:"user_agent"`
	Current     bool      `json:"current"` // whether the request belongs to it; set by the built-in route only
}

// RevokeAll ends all sessions of an account. Call it after the account was disabled or
// deleted, or after its password was changed elsewhere. It reads only the primary key of
// account, so &User{ID: id} is enough for a deleted row. If several kinds share the table
// of the account, the sessions of all of them end.
//
// Tokens of a [TrustedIssuer] and of Config.OldTokens have no session here and stay valid;
// let [Entity].Allow refuse the account. The error is ErrUnavailable; or ErrSetup if T is
// not the model of a kind, or if account is nil or has no key.
func RevokeAll[T any](ctx context.Context, a *Auth, account *T) error {
	k, subject, err := subjectOf(a, account)
	if err != nil {
		return publicError(err)
	}
	return publicError(a.service.RevokeAll(ctx, k.Name, subject))
}

// Sessions returns the active sessions of an account, the newest first, at most 100. It
// reads only the primary key of account. The error is ErrUnavailable; or ErrSetup if T is
// not the model of a kind, or if account is nil or has no key.
func Sessions[T any](ctx context.Context, a *Auth, account *T) ([]SessionInfo, error) {
	k, subject, err := subjectOf(a, account)
	if err != nil {
		return nil, publicError(err)
	}
	infos, err := a.listSessions(ctx, k.Name, subject)
	return infos, publicError(err)
}

func (a *Auth) listSessions(ctx context.Context, kind, subject string) ([]SessionInfo, error) {
	list, err := a.service.List(ctx, kind, subject)
	if err != nil {
		return nil, err
	}
	infos := make([]SessionInfo, len(list))
	for i, s := range list {
		infos[i] = SessionInfo{ID: session.ID(s.SID), Created: s.Created, LastRefresh: s.LastRefresh, Expires: s.Expires, Address: s.Address, UserAgent: s.Agent}
	}
	return infos, nil
}

// subjectOf returns the kind of an account, and its primary key as text.
func subjectOf[T any](a *Auth, account *T) (*kind, string, error) {
	k, err := kindOf[T](a)
	if err != nil {
		return nil, "", err
	}
	if account == nil {
		return nil, "", fault.Setupf("the account is a nil *%s: pass a row that has its primary key", k.Model.Name())
	}
	subject, err := k.StoredSubject(account)
	return k, subject, err
}
