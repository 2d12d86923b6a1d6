package fiberjwt

import (
	"cmp"
	"context"
	"fmt"
	"reflect"
	"runtime"
	"slices"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/uptrace/bun"

	"github.com/fiberjwt/fiberjwt/internal/accounts"
	"github.com/fiberjwt/fiberjwt/internal/auth"
	"github.com/fiberjwt/fiberjwt/internal/fault"
	"github.com/fiberjwt/fiberjwt/internal/password"
	"github.com/fiberjwt/fiberjwt/internal/token"
)

// AnyEntity is a kind of account: an [Entity] of some model. The interface is
// sealed; it exists so that entities of different models fit into one slice.
type AnyEntity interface {
	open(db *bun.DB) (*kind, []string)
}

// Entity declares a kind of account by its Bun model T, a struct. The zero
// value is a complete declaration for a model whose primary key is one column
// and that has the columns email and password_hash:
//
//	fiberjwt.Entity[User]{}
//
// Two kinds may share a table, each with a type of its own, as in type Admin User, if
// Load or Allow says which rows are of a kind. One of them may take every row: that in
// which people register, if any of them has Register. An account is its row then: a
// new password, [ResetPassword], logout-all and [RevokeAll] end the sessions of
// both kinds. [Auth.Check] refuses a kind that reads another kind's table through a view.
//
// Hooks run inside the request, concurrently; a hook that panics refuses the
// request with 500 and does not end the process. Entities are copied by [Open].
type Entity[T any] struct {
	// Name of the kind: the key in c.Locals, the path segment of its routes, a
	// part of its cookies' names and of its tokens. Lower-case letters, digits,
	// "_" and "-", at most 32. Default: the model's table.
	Name string
	// Identity is the column that a person signs in with, a text that keeps what
	// is written to it; give it a unique index, which [Auth.Check] looks for: of two
	// accounts with the same, neither can sign in. Default "email".
	//
	// In a kind with Password "-" it is the column that tells an account from the
	// next one with its key, such as the subject at an identity provider: when it
	// changes, the sessions of the account end, and its links are void. Default: the
	// columns that are tagged unique, or else email, or else the first of text. A model
	// with an integer as key and none of these needs Identity, a column of any type.
	Identity string
	// Password is the column that holds the password's hash, a text of 100
	// characters or more: VARCHAR(255), TEXT. Default "password_hash"; "-" for a
	// kind that signs in by [Login] only.
	Password string
	// Canonical gives the form in which identities are stored and compared, so that
	// one person has one account however the name is typed; an error refuses the
	// name. A registration then answers 422, with the text of the error for the member,
	// such as "is not a staff number"; an *Error is answered as it is. Canonical gets
	// text of 1 to 320 bytes without control characters and without white space at its
	// ends. It must be idempotent, make no I/O and be safe for concurrent use. A sign-in
	// finds the row that has the identity as it was typed, for rows that are older than
	// the rule, and else the row that has it in this form; a name that is refused is
	// answered like an unknown one. Default: [CanonicalIdentity].
	Canonical func(identity string) (string, error)
	// Fillable lists the columns that a registration may set besides identity
	// and password, in members of the columns' names. Every other column is out
	// of reach of clients. Default none.
	Fillable []string

	// AccessTTL is the life of an access token, at most 24 h. Default 10 min.
	AccessTTL time.Duration
	// IdleTTL ends a session that was not refreshed for so long. Default 14 days.
	IdleTTL time.Duration
	// SessionTTL ends a session, however lively. Default 90 days.
	SessionTTL time.Duration

	// Register opens registration to the public and may refuse, by an error, or
	// fill in more columns; password and identity are set already, the row is
	// not stored yet. [Anyone] opens it without more. nil keeps it closed (404).
	// An *Error or *fiber.Error is answered as it is, any other as 403.
	Register func(c *fiber.Ctx, account *T) error
	// Allow is asked at login, at each refresh and on every request whether the
	// account may go on; an error refuses it: 401 as for a wrong password or an
	// ended session. An account that is refused right after its registration is
	// stored but not signed in, to wait for a confirmation say. Wrap
	// [ErrUnavailable] if it could not be decided: that is 503, and an account that
	// was just registered does not stay. Default: every row may.
	Allow func(ctx context.Context, account *T) error
	// Audience is written to the aud claim of the access tokens of this kind, in place
	// of Config.Audience, and a token of this kind must have at least one of these there.
	// Give each kind another if services verify the tokens that do not compare the claim
	// kind: user 3 and teacher 3 have the same iss and sub. Default: Config.Audience.
	Audience []string
	// Claims adds claims of the application's own to access tokens. They are
	// readable by every holder of the token. Names of registered claims and of
	// the library's are refused when the token is issued.
	Claims func(account *T) map[string]any
	// FromIssuer finds the account that a token of one of Config.TrustedIssuers is for,
	// on every request with one, and may store it first. s has the issuer, its sub
	// as Subject, and by Claim what else the token says; it is verified. nil, or
	// sql.ErrNoRows, means that there is none: 401. An *Error is answered as it
	// is, any other is 503. Choose by Issuer and sub: addresses of mail change hands.
	FromIssuer func(ctx context.Context, s *Session) (*T, error)
	// Load shapes the SELECT that loads a row, at login and on every request:
	// relations, columns, further conditions. Its conditions can only narrow;
	// key, identity and password must stay among the columns, with Password "-" the
	// columns that tell accounts apart (see Identity), and the model's alias
	// in a table expression: "active_users AS ?TableAlias". A registration whose row
	// it does not find is refused. The hooks of the model for a SELECT and for its rows
	// run too; BeforeAppendModel does not, as in any SELECT of a slice.
	Load func(q *bun.SelectQuery) *bun.SelectQuery
}

// Anyone opens registration of a kind to everybody; see [Entity].Register.
func Anyone[T any](*fiber.Ctx, *T) error { return nil }

// CanonicalIdentity is the default of [Entity].Canonical: the one form in which an
// e-mail address or another name to sign in with is stored and compared. It is in
// lower case, and composed where it was typed in pieces; characters that Unicode
// holds to be variants of others are replaced by those (NFKC), so that "Ann",
// "ＡＮＮ" and "ann" are one name. It is idempotent.
//
// Identities with invisible characters are refused, since they would look
// like those of other people: controls, formatting such as a zero width space, a
// soft hyphen, a byte order mark or a direction override, fillers, variation
// selectors, white space other than U+0020 inside, private and unassigned code
// points. The error says what is wrong in the words of a field of [ErrFields].
// Letters of different scripts that look alike, such as the Latin and the Cyrillic
// a, stay different: bring a Canonical of your own if that matters.
//
// Use it for identities that reach the table by other ways, such as an import.
func CanonicalIdentity(identity string) (string, error) { return accounts.CanonicalIdentity(identity) }

// kind is an Entity without its type parameter. Accounts are *T behind any.
type kind struct {
	*auth.Kind

	audience []string                    // nil: that of the Config
	register func(*fiber.Ctx, any) error // nil: closed
	cookies  cookieNames
}

const defaultSessionTTL = 90 * 24 * time.Hour

// open resolves the declaration against the model's table. It does no I/O.
func (e Entity[T]) open(db *bun.DB) (*kind, []string) {
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
			Allow:      func(context.Context, any) error { return nil },
			Claims:     func(any) map[string]any { return nil },
		},
		audience: slices.Clone(e.Audience),
	}
	if slices.Contains(k.audience, "") {
		problems = append(problems, "Audience has an empty name: remove it")
	}
	e.adopt(k)
	return k, problems
}

// adopt takes the hooks over.
func (e Entity[T]) adopt(k *kind) {
	if e.Register != nil {
		k.register = func(c *fiber.Ctx, account any) error { return e.Register(c, account.(*T)) }
	}
	if e.Allow != nil {
		k.Allow = func(ctx context.Context, account any) error { return allowError(e.Allow(ctx, account.(*T))) }
	}
	if e.FromIssuer != nil {
		k.FromIssuer = func(ctx context.Context, v *auth.Verified) (any, error) {
			account, err := e.FromIssuer(ctx, sessionOf(*v))
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

func (k *kind) timeProblems(r Refresh) (problems []string) {
	if k.AccessTTL < time.Second || k.AccessTTL > token.MaxLife {
		problems = append(problems, fmt.Sprintf("AccessTTL: %v is not between 1 s and 24 h", k.AccessTTL))
	}
	// A session that was not old enough to rotate is not prolonged either.
	if age := r.times(k.AccessTTL, k.IdleTTL).Age; k.IdleTTL-k.AccessTTL < age {
		least := k.AccessTTL + age
		problems = append(problems, fmt.Sprintf("IdleTTL: %v is too short for an AccessTTL of %v: give %v or more", k.IdleTTL, k.AccessTTL, least))
	}
	if k.SessionTTL < k.IdleTTL {
		session := k.SessionTTL.String()
		if k.SessionTTL == defaultSessionTTL { // which the application may not have set
			session = "the default of 90 days"
		}
		problems = append(problems, fmt.Sprintf("SessionTTL: %s is shorter than IdleTTL, %v: set SessionTTL to %v or more, or IdleTTL to %v or less", session, k.IdleTTL, k.IdleTTL, k.SessionTTL))
	}
	return problems
}

// entity is the JSON of an account for its owner. It fails rather than show the
// hash: the application's encoder and what the row contains are known only now.
func (k *kind) entity(c *fiber.Ctx, account any) ([]byte, error) {
	text, err := c.App().Config().JSONEncoder(account)
	if err != nil {
		return nil, fault.Broken(err)
	}
	if k.Password != nil && accounts.ShowsHash(text, k.Hash(account)) {
		return nil, fault.Setupf("the JSON of kind %s shows %s: tag the field `json:\"-\"`, and use a fiber.Config.JSONEncoder that obeys it", k.Name, k.Password.GoName)
	}
	return text, nil
}

// Create stores a new account with a password, outside a request: the first one of
// a kind whose registration is closed, an import, a command line. It takes what the
// built-in route takes as identity, which account has, and as password. The identity
// is stored in its canonical form, all other columns as they are, and the row stays
// only if a sign-in finds it. Entity.Register and Entity.Allow are not asked, and no
// session begins: call [Auth.Issue] or [Login] for one.
//
//	admin := &Admin{Email: "ann@example.com"}
//	err := fiberjwt.Create(ctx, auth, admin, password)
//
// Afterwards account has its key and the hash; after an error it is as it was. The
// error is ErrFields, with Error.Fields for the identity's column and "password";
// ErrTaken if there is such an account; else ErrUnavailable or ErrSetup. It may be
// called concurrently, with an account each.
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

// HashPassword hashes a password for the column Entity.Password, at the cost of
// [Config].Password: for rows that the application inserts or updates itself. After
// an update of a stored row, call [RevokeAll]. The error is ErrFields, with
// Error.Fields of "password", if a registration would not take the password, else
// ErrUnavailable if ctx ended or too many passwords are hashed at the moment.
func (a *Auth) HashPassword(ctx context.Context, password string) (string, error) {
	hash, err := a.service.HashPassword(ctx, password)
	return hash, publicError(err)
}

// CheckPassword says whether hash, from the column Entity.Password, is one of
// password. It knows argon2id and bcrypt, as a sign-in does; any other text matches
// no password, after the same time. It counts no failures: throttle what strangers
// can call. The error is ErrUnavailable if ctx ended or too many passwords are
// hashed at the moment.
func (a *Auth) CheckPassword(ctx context.Context, hash, password string) (bool, error) {
	ok, err := a.service.CheckPassword(ctx, hash, password)
	return ok, publicError(err)
}

func newHasher(cfg Config) *password.Hasher {
	load := password.Load{Processors: runtime.GOMAXPROCS(0), Patience: cfg.ReadTimeout + cfg.WriteTimeout}
	if fiber.IsChild() { // a child of Fiber's Prefork has one, whatever GOMAXPROCS says before it listens
		load.Processors = 1
	}
	if cfg.DB != nil {
		load.Pool = cfg.DB.Stats().MaxOpenConnections
	}
	return password.New(password.Settings(cfg.Password), load)
}
