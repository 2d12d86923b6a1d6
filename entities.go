package fiberjwt

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/schema"

	"github.com/fiberjwt/fiberjwt/session"
)

// Kind is a kind of account: an [Entity] of some model. The interface is
// sealed; it exists so that entities of different models fit into one slice.
type Kind interface {
	open(db *bun.DB) (*kind, []string)
}

// Entity declares a kind of account by its Bun model T, a struct. The zero
// value is a complete declaration for a model whose primary key is one column
// and that has the columns email and password_hash:
//
//	fiberjwt.Entity[User]{}
//
// Hooks run inside the request, concurrently; a hook that panics refuses the
// request with 500 and does not end the process. Entities are copied by [Open].
type Entity[T any] struct {
	// Name of the kind: the key in c.Locals, the path segment of its routes, a
	// part of its cookies' names and of its tokens. Lower-case letters, digits,
	// "_" and "-", at most 32. Default: the model's table.
	Name string
	// Identity is the column that a person signs in with; give it a unique
	// index. Default "email".
	Identity string
	// Password is the column that holds the password's hash. Default
	// "password_hash"; "-" for a kind that signs in by [Login] only.
	Password string
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
	// [ErrUnavailable] if it could not be decided. Default: every row may.
	Allow func(ctx context.Context, account *T) error
	// Claims adds claims of the application's own to access tokens. They are
	// readable by whoever holds the token. Names of registered claims and of
	// the library's are refused when the token is issued.
	Claims func(account *T) map[string]any
	// FromIssuer finds the account that a token of one of Config.Issuers is for,
	// on every request with one, and may store it first. s has the issuer, its sub
	// as Subject, and by Claim what else the token says; it is verified. nil, or
	// sql.ErrNoRows, means that there is none: 401. An *Error is answered as it
	// is, any other is 503. Choose by Issuer and sub: addresses of mail change hands.
	FromIssuer func(ctx context.Context, s *Session) (*T, error)
	// Load shapes the SELECT that loads a row, at login and on every request:
	// relations, columns, further conditions. Its conditions can only narrow;
	// key, identity and password must stay among the columns.
	Load func(q *bun.SelectQuery) *bun.SelectQuery
}

// Anyone opens registration of a kind to everybody; see [Entity].Register.
func Anyone[T any](*fiber.Ctx, *T) error { return nil }

// kind is an Entity without its type parameter. Accounts are *T behind any.
type kind struct {
	name  string
	label string // for messages: "User, table users"
	db    *bun.DB

	model    reflect.Type // T
	table    *schema.Table
	pk       *schema.Field
	identity *schema.Field
	password *schema.Field // nil: no passwords
	fillable []*schema.Field
	subjects subjectCodec

	accessTTL, idleTTL, sessionTTL time.Duration

	register func(*fiber.Ctx, any) error // nil: closed
	allow    func(context.Context, any) error
	claims   func(any) map[string]any
	load     func(*bun.SelectQuery) *bun.SelectQuery

	fromIssuer func(context.Context, *Session) (any, error) // nil: tokens of others are for nobody

	refresh []refreshKey // the first signs
	tickets []refreshKey
	devices []refreshKey // tag the device cookie
	unlocks []refreshKey // tag what UnlockToken makes
	times   session.Times
	cookies cookieNames
}

const defaultSessionTTL = 90 * 24 * time.Hour

// open resolves the declaration against the model's table. It does no I/O.
func (e Entity[T]) open(db *bun.DB) (*kind, []string) {
	k := &kind{
		name:       e.Name,
		model:      reflect.TypeFor[T](),
		db:         db,
		accessTTL:  orDefault(e.AccessTTL, 10*time.Minute),
		idleTTL:    orDefault(e.IdleTTL, 14*24*time.Hour),
		sessionTTL: orDefault(e.SessionTTL, defaultSessionTTL),
		load:       e.Load,
		allow:      func(context.Context, any) error { return nil },
		claims:     func(any) map[string]any { return nil },
	}
	if k.model.Kind() != reflect.Struct {
		k.label = k.model.String()
		return k, []string{"the model is not a struct: declare Entity[User], not Entity[*User]"}
	}
	k.label = k.model.Name()
	if db == nil {
		return k, nil // reported once for the whole Config
	}
	e.adopt(k)
	return k, k.resolve(e.Identity, e.Password, e.Fillable)
}

// adopt takes the hooks over.
func (e Entity[T]) adopt(k *kind) {
	if e.Register != nil {
		k.register = func(c *fiber.Ctx, account any) error { return e.Register(c, account.(*T)) }
	}
	if e.Allow != nil {
		k.allow = func(ctx context.Context, account any) error { return e.Allow(ctx, account.(*T)) }
	}
	if e.FromIssuer != nil {
		k.fromIssuer = func(ctx context.Context, s *Session) (any, error) {
			account, err := e.FromIssuer(ctx, s)
			if account == nil {
				return nil, err
			}
			return account, err
		}
	}
	if e.Claims != nil {
		k.claims = func(account any) map[string]any { return e.Claims(account.(*T)) }
	}
}

// resolve finds the columns and says what is wrong with them.
func (k *kind) resolve(identity, password string, fillable []string) (faults []string) {
	defer func() {
		if p := recover(); p != nil { // so Bun says that it cannot map a model
			faults = append(faults, fmt.Sprint("the model cannot be mapped: ", p))
		}
	}()
	k.table = k.db.Table(k.model)
	k.label = fmt.Sprintf("%s, table %s", k.model.Name(), k.table.Name)
	if k.name == "" {
		k.name = k.table.Name
	}
	if !validKind(k.name) {
		faults = append(faults, fmt.Sprintf("Name: %q cannot name a kind: set Name to lower-case letters, digits, \"_\" and \"-\", at most 32, a letter first", k.name))
	}
	faults = append(faults, k.resolveKey()...)
	if password != "-" {
		return append(faults, k.resolveCredentials(identity, password, fillable)...)
	}
	if identity != "" || len(fillable) > 0 {
		faults = append(faults, `Identity, Fillable: nobody registers or signs in by them in a kind with Password "-": remove them`)
	}
	if k.register != nil {
		faults = append(faults, `Register: a kind with Password "-" cannot register here: create the account in your own route and call Login`)
	}
	return faults
}

func (k *kind) resolveCredentials(identity, password string, fillable []string) (faults []string) {
	k.identity = k.column("Identity", orDefault(identity, "email"), reflect.String, &faults)
	k.password = k.column("Password", orDefault(password, "password_hash"), reflect.String, &faults)
	if k.password != nil && k.password == k.identity {
		faults = append(faults, fmt.Sprintf("Password: the column %q is the identity too", k.password.Name))
	}
	if ofForms(identity) {
		faults = append(faults, fmt.Sprintf("Identity: %q is a member of the built-in routes' own: sign in with a column of another name", identity))
	}
	for i, name := range fillable {
		field := k.column(fmt.Sprintf("Fillable[%d]", i), name, reflect.Invalid, &faults)
		if field != nil && (field == k.pk || field == k.password || field == k.identity || field == k.table.SoftDeleteField) {
			faults = append(faults, fmt.Sprintf("Fillable[%d]: the column %q is not for clients to fill: remove it", i, name))
		} else if ofForms(name) {
			faults = append(faults, fmt.Sprintf("Fillable[%d]: %q is a member of the built-in routes' own, which would go to the column as it is: remove it, and set the column in Register", i, name))
		}
		k.fillable = append(k.fillable, field)
	}
	if k.password != nil && k.showsHash() {
		faults = append(faults, fmt.Sprintf("Password: the JSON of the model shows %s: tag the field `json:\"-\"`", k.password.GoName))
	}
	return faults
}

// ofForms: the built-in routes read a member of that name for themselves.
func ofForms(name string) bool { return name == "password" || name == "transport" }

func (k *kind) resolveKey() []string {
	if len(k.table.PKs) != 1 {
		return []string{fmt.Sprintf("the model has %d primary key columns, one is needed: tag it `bun:\",pk\"`; the columns are %s", len(k.table.PKs), k.columns())}
	}
	k.pk = k.table.PKs[0]
	codec, ok := newSubjectCodec(k.pk.StructField.Type)
	if !ok {
		return []string{fmt.Sprintf("the primary key %q is a %s: use an integer, a string or a type with MarshalText and UnmarshalText, such as a UUID", k.pk.Name, k.pk.StructField.Type)}
	}
	k.subjects = codec
	return nil
}

// column finds a column of the model by name, of a Go kind unless that is Invalid.
func (k *kind) column(setting, name string, want reflect.Kind, faults *[]string) *schema.Field {
	i := slices.IndexFunc(k.table.Fields, func(f *schema.Field) bool { return f.Name == name })
	if i < 0 {
		*faults = append(*faults, fmt.Sprintf("%s: the model has no column %q; its columns are %s", setting, name, k.columns()))
		return nil
	}
	field := k.table.Fields[i]
	if want != reflect.Invalid && field.StructField.Type.Kind() != want {
		*faults = append(*faults, fmt.Sprintf("%s: the column %q is a %s, not a string", setting, name, field.StructField.Type))
	}
	return field
}

func (k *kind) columns() string {
	names := make([]string, len(k.table.Fields))
	for i, field := range k.table.Fields {
		names[i] = field.Name
	}
	return strings.Join(names, ", ")
}

func (k *kind) timeFaults(r Refresh) (faults []string) {
	if k.accessTTL < time.Second || k.accessTTL > maxTokenLife {
		faults = append(faults, fmt.Sprintf("AccessTTL: %v is not between 1 s and 24 h", k.accessTTL))
	}
	// A session that was not old enough to rotate is not prolonged either.
	if least := k.accessTTL + r.times(k.accessTTL, k.idleTTL).Age; k.idleTTL < least {
		faults = append(faults, fmt.Sprintf("IdleTTL: %v is too short for an AccessTTL of %v: give %v or more", k.idleTTL, k.accessTTL, least))
	}
	if k.sessionTTL < k.idleTTL {
		session := k.sessionTTL.String()
		if k.sessionTTL == defaultSessionTTL { // which nobody may have set
			session = "the default of 90 days"
		}
		faults = append(faults, fmt.Sprintf("SessionTTL: %s is shorter than IdleTTL, %v: set SessionTTL to %v or more, or IdleTTL to %v or less", session, k.idleTTL, k.idleTTL, k.sessionTTL))
	}
	return faults
}

// showsHash marshals a model with a mark for a hash, which sees through tags,
// embedding and MarshalJSON alike.
func (k *kind) showsHash() (shown bool) {
	defer func() { _ = recover() }() // a MarshalJSON that cannot stand an empty model
	const mark = "fiberjwt-mark-of-the-hash"
	account := reflect.New(k.model)
	k.password.Value(account.Elem()).SetString(mark)
	for _, shape := range []any{account.Interface(), account.Elem().Interface()} {
		text, err := json.Marshal(shape)
		shown = shown || err == nil && strings.Contains(string(text), mark)
	}
	return shown
}

// subject of an account that is or was stored.
func (k *kind) subject(account any) (string, error) {
	subject, err := k.subjects.encode(k.pk.Value(reflect.ValueOf(account).Elem()))
	if err != nil {
		return "", mistakef("kind %s: %v", k.name, err)
	}
	return subject, nil
}

// unsaved: the account is no row yet.
func (k *kind) unsaved(account any) bool {
	return k.pk.Value(reflect.ValueOf(account).Elem()).IsZero()
}

func (k *kind) hash(account any) string { return k.text(account, k.password) }

func (k *kind) text(account any, field *schema.Field) string {
	return field.Value(reflect.ValueOf(account).Elem()).String()
}

func (k *kind) setText(account any, field *schema.Field, text string) {
	field.Value(reflect.ValueOf(account).Elem()).SetString(text)
}

// fill decodes a JSON value into a column.
func (k *kind) fill(account any, field *schema.Field, value []byte) error {
	return json.Unmarshal(value, field.Value(reflect.ValueOf(account).Elem()).Addr().Interface())
}

// newAccount is a *T.
func (k *kind) newAccount() any { return reflect.New(k.model).Interface() }

// selecting is the SELECT of one account, shaped by the Load hook.
func (k *kind) selecting(account any) *bun.SelectQuery {
	q := k.db.NewSelect().Model(account)
	if k.load != nil {
		// In a group of its own an OR of the hook cannot widen our conditions.
		q = q.WhereGroup(" AND ", k.load)
	}
	return q
}

// byKey is the SELECT that must still find the account for a session to start.
func (k *kind) byKey(db bun.IDB, account any) *bun.SelectQuery {
	key := k.pk.Value(reflect.ValueOf(account).Elem()).Interface()
	return db.NewSelect().Model(k.newAccount()).Where("?TableAlias.? = ?", bun.Ident(k.pk.Name), key)
}

// loadAlive gives the account of a verified token if both it and its session
// are alive: one SELECT. The account is nil if not.
func (k *kind) loadAlive(ctx context.Context, subject string, sid []byte, now int64) (any, error) {
	return k.scan(ctx, subject, func(q *bun.SelectQuery) *bun.SelectQuery {
		return session.WhereAlive(q, k.name, subject, sid, now)
	})
}

// loadBySubject gives the account, nil if there is none.
func (k *kind) loadBySubject(ctx context.Context, subject string) (any, error) {
	return k.scan(ctx, subject, func(q *bun.SelectQuery) *bun.SelectQuery { return q })
}

func (k *kind) scan(ctx context.Context, subject string, narrow func(*bun.SelectQuery) *bun.SelectQuery) (any, error) {
	key, ok := k.subjects.decode(subject, k.pk.StructField.Type)
	if !ok {
		return nil, nil
	}
	account, err := k.one(ctx, func(q *bun.SelectQuery) *bun.SelectQuery {
		return narrow(q.Where("?TableAlias.? = ?", bun.Ident(k.pk.Name), key.Interface()))
	})
	if err != nil || account == nil {
		return nil, err
	}
	// A Load hook that leaves the key out, or a column that compares loosely,
	// must not answer as somebody else.
	if found, err := k.subject(account); err != nil || found != subject {
		return nil, mistakef("kind %s: the loaded row has another primary key than the token: let Load select the key column and give it a binary collation", k.name)
	}
	return account, nil
}

// findByIdentity gives the account that a person names at login, nil if there
// is none. It takes the identity as it is typed, for rows that are older than this
// library, and else in its canonical form; in one statement, so that the number
// of statements does not tell whether there is an account.
func (k *kind) findByIdentity(ctx context.Context, identity string) (any, error) {
	column := bun.Ident(k.identity.Name)
	account, err := k.one(ctx, func(q *bun.SelectQuery) *bun.SelectQuery {
		if canonical(identity) == identity {
			return q.Where("?TableAlias.? = ?", column, identity)
		}
		return q.Where("(?TableAlias.? = ? OR ?TableAlias.? = ?)", column, identity, column, canonical(identity)).
			OrderExpr("CASE WHEN ?TableAlias.? = ? THEN 0 ELSE 1 END", column, identity)
	})
	if err != nil || account == nil {
		return nil, err
	}
	if canonical(k.text(account, k.identity)) != canonical(identity) {
		// A collation that folds accents finds ann for änn; the throttle counts
		// them apart.
		return nil, nil
	}
	return account, nil
}

// one loads a single account, nil if there is none.
func (k *kind) one(ctx context.Context, narrow func(*bun.SelectQuery) *bun.SelectQuery) (any, error) {
	account := k.newAccount()
	err := shielded(func() error { return narrow(k.selecting(account)).Limit(1).Scan(ctx) })
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, storeFault(err)
	}
	return account, nil
}

// insert stores a new account.
func (k *kind) insert(ctx context.Context, db bun.IDB, account any) error {
	if err := k.setKey(account); err != nil {
		return err
	}
	err := shielded(func() error {
		_, err := db.NewInsert().Model(account).Exec(ctx)
		return err
	})
	switch constraintOf(err) {
	case uniqueConstraint:
		return because(ErrTaken, err)
	case otherConstraint, refusedValue:
		return because(ErrFields, err)
	}
	if err != nil {
		return storeFault(err)
	}
	return nil
}

// setKey gives a new account a UUID where neither the application nor the
// database makes the key: a text type of 16 bytes or a string.
func (k *kind) setKey(account any) error {
	key := k.pk.Value(reflect.ValueOf(account).Elem())
	if !key.IsZero() || k.pk.AutoIncrement || k.pk.SQLDefault != "" || k.pk.Identity {
		return nil
	}
	if _, hooked := account.(bun.BeforeAppendModelHook); hooked {
		return nil
	}
	switch {
	case key.Kind() == reflect.String:
		key.SetString(newUUID())
		return nil
	case key.Kind() == reflect.Array && key.Len() == 16:
		return parseText(newUUID(), key)
	}
	return mistakef("kind %s: nothing makes the primary key %q: tag it `bun:\",pk,autoincrement\"` or set it in Register", k.name, k.pk.Name)
}

// newUUID is a version 7 UUID (RFC 9562 §5.7): its order is that of creation,
// which keeps an index on it compact.
func newUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[6:])
	ms := uint64(time.Now().UnixMilli())
	for i := range 6 {
		b[i] = byte(ms >> (40 - 8*i))
	}
	b[6] = b[6]&0x0f | 0x70
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// replaceHash changes the hash if it is still old; false if it is not, so
// that of two changes at once only one wins.
func (k *kind) replaceHash(ctx context.Context, db bun.IDB, account any, old, hash string) (bool, error) {
	key := k.pk.Value(reflect.ValueOf(account).Elem()).Interface()
	result, err := db.NewUpdate().Model(k.newAccount()).
		Set("? = ?", bun.Ident(k.password.Name), hash).
		Where("? = ? AND COALESCE(?, '') = ?", bun.Ident(k.pk.Name), key, bun.Ident(k.password.Name), old).Exec(ctx)
	if err != nil {
		return false, storeFault(err)
	}
	n, err := result.RowsAffected()
	if err != nil {
		return false, storeFault(err)
	}
	return n == 1, nil
}

// storeFault is 503 for whatever a database returned, but leaves what a hook
// of the application, run by Bun, decided.
func storeFault(err error) error {
	var e *Error
	if errors.As(err, &e) {
		return err
	}
	return because(ErrUnavailable, err)
}

// shielded turns a panic of a hook into an error: under Fiber it would end the
// process.
func shielded(hook func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = because(ErrSetup, fmt.Errorf("a hook panicked: %v\n%s", p, debug.Stack()))
		}
	}()
	return hook()
}

func orDefault[T comparable](value, fallback T) T {
	var zero T
	if value == zero {
		return fallback
	}
	return value
}
