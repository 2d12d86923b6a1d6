package fiberjwt

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/schema"

	"github.com/fiberjwt/fiberjwt/internal/dberr"
	"github.com/fiberjwt/fiberjwt/internal/fault"
	"github.com/fiberjwt/fiberjwt/internal/seal"
	"github.com/fiberjwt/fiberjwt/internal/token"
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
// Two kinds may share a table, each with a type of its own, as in type Admin User, if
// Load or Allow says which rows are of a kind. One of them may take every row: that in
// which people register, if any of them has Register. An account is its row then: a
// new password, [ResetPassword], logout-all and [Auth.RevokeAll] end the sessions of
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
	// key, identity and password must stay among the columns, with Password "-" the
	// columns that tell accounts apart (see Identity), and the model's alias
	// in a table expression: "active_users AS ?TableAlias". A registration whose row
	// it does not find is refused. The hooks of the model for a SELECT and for its rows
	// run too; BeforeAppendModel does not, as in any SELECT of a slice.
	Load func(q *bun.SelectQuery) *bun.SelectQuery
}

// Anyone opens registration of a kind to everybody; see [Entity].Register.
func Anyone[T any](*fiber.Ctx, *T) error { return nil }

// kind is an Entity without its type parameter. Accounts are *T behind any.
type kind struct {
	name  string
	label string // for messages: "User, table users"
	db    *bun.DB

	quoting *quoting // of db

	model    reflect.Type // T
	table    *schema.Table
	pk       *schema.Field
	identity *schema.Field
	password *schema.Field // nil: no passwords
	fillable []*schema.Field
	telling  []*schema.Field // those of the fingerprint, of a kind with Password "-"
	subjects subjectCodec

	audience []string // nil: that of the Config

	accessTTL, idleTTL, sessionTTL time.Duration

	register func(*fiber.Ctx, any) error // nil: closed
	allow    func(context.Context, any) error
	claims   func(any) map[string]any
	load     func(*bun.SelectQuery) *bun.SelectQuery
	narrowed bool // by Load or Allow

	selectHook string // of the model, "" for none

	sharing []*kind // the kinds of the same table, this one first
	counted string  // the kind under whose name failed sign-ins are counted

	canonicalize func(string) (string, error)

	fromIssuer func(context.Context, *Session) (any, error) // nil: tokens of others are for nobody

	refresh seal.RefreshCodec
	tickets seal.Keys
	devices seal.Keys // of the device cookie
	unlocks seal.Keys // of what UnlockToken makes
	prints  seal.Keys // of the fingerprints of accounts
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
		accessTTL:  cmp.Or(e.AccessTTL, 10*time.Minute),
		idleTTL:    cmp.Or(e.IdleTTL, 14*24*time.Hour),
		sessionTTL: cmp.Or(e.SessionTTL, defaultSessionTTL),
		audience:   slices.Clone(e.Audience),
		load:       e.Load,
		narrowed:   e.Allow != nil,
		allow:      func(context.Context, any) error { return nil },
		claims:     func(any) map[string]any { return nil },

		canonicalize: CanonicalIdentity,
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
	if e.Canonical != nil {
		k.canonicalize = e.Canonical
	}
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
func (k *kind) resolve(identity, password string, fillable []string) (problems []string) {
	defer func() {
		if p := recover(); p != nil { // so Bun says that it cannot map a model
			problems = append(problems, fmt.Sprint("the model cannot be mapped: ", p))
		}
	}()
	k.table = k.db.Table(k.model)
	k.selectHook = selectHookOf(k.newAccount())
	k.label = fmt.Sprintf("%s, table %s", k.model.Name(), k.table.Name)
	if k.name == "" {
		k.name = k.table.Name
	}
	if !token.ValidKind(k.name) {
		problems = append(problems, fmt.Sprintf("Name: %q cannot name a kind: set Name to lower-case letters, digits, \"_\" and \"-\", at most 32, a letter first", k.name))
	}
	if slices.Contains(k.audience, "") {
		problems = append(problems, "Audience has an empty name: remove it")
	}
	problems = append(problems, k.resolveKey()...)
	k.narrowed = k.narrowed || k.loadNarrows()
	if password != "-" {
		problems = append(problems, k.loadProblems()...)
		return append(problems, k.resolveCredentials(identity, password, fillable)...)
	}
	problems = append(problems, k.resolveTelling(identity)...)
	problems = append(problems, k.loadProblems()...)
	if len(fillable) > 0 {
		problems = append(problems, `Fillable: a kind with Password "-" has no registration: remove it`)
	}
	if k.register != nil {
		problems = append(problems, `Register: a kind with Password "-" cannot register here: create the account in your own route and call Login`)
	}
	return problems
}

func (k *kind) resolveCredentials(identity, password string, fillable []string) (problems []string) {
	k.identity = k.column("Identity", cmp.Or(identity, "email"), reflect.String, &problems)
	k.password = k.column("Password", cmp.Or(password, "password_hash"), reflect.String, &problems)
	problems = append(problems, k.textProblems("Identity", k.identity)...)
	problems = append(problems, k.textProblems("Password", k.password)...)
	if k.password != nil && k.password == k.identity {
		problems = append(problems, fmt.Sprintf("Password: the column %q is the identity too", k.password.Name))
	}
	if group := k.sharedIdentity(); group != "" {
		problems = append(problems, fmt.Sprintf("Identity: the column %q is unique only together with others (`bun:\"unique:%s\"`), so two accounts can have the same: tag it `bun:\",unique\"`, or let Load or BeforeSelect narrow the accounts to those among which it is unique", k.identity.Name, group))
	}
	if ofForms(identity) {
		problems = append(problems, fmt.Sprintf("Identity: %q is a member of the built-in routes' own: sign in with a column of another name", identity))
	}
	for i, name := range fillable {
		field := k.column(fmt.Sprintf("Fillable[%d]", i), name, reflect.Invalid, &problems)
		if field != nil && (field == k.pk || field == k.password || field == k.identity || field == k.table.SoftDeleteField) {
			problems = append(problems, fmt.Sprintf("Fillable[%d]: the column %q is not for clients to fill: remove it", i, name))
		} else if ofForms(name) {
			problems = append(problems, fmt.Sprintf("Fillable[%d]: %q is a member of the built-in routes' own, which would go to the column as it is: remove it, and set the column in Register", i, name))
		}
		k.fillable = append(k.fillable, field)
	}
	if k.password != nil && k.password.StructField.Type.Kind() == reflect.String {
		problems = append(problems, k.hashProblems()...)
	}
	return problems
}

// sharedIdentity is a group of columns that Bun's tag makes unique, the identity
// among them, where it makes the identity alone unique nowhere; else "". A model
// without such tags says nothing: its indexes may come from elsewhere.
func (k *kind) sharedIdentity() (group string) {
	if k.identity == nil || k.selectsPart() {
		return ""
	}
	for name, fields := range k.table.Unique {
		if !slices.Contains(fields, k.identity) {
			continue
		}
		others := slices.ContainsFunc(fields, func(f *schema.Field) bool {
			// A mark of deleted rows that is the same for all others does no harm.
			mark := f == k.table.SoftDeleteField && !f.IsPtr && !f.NullZero
			return f != k.identity && !mark
		})
		if name == "" || !others { // without a name it is for each column
			return ""
		}
		group = max(group, name)
	}
	return group
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
func (k *kind) column(setting, name string, want reflect.Kind, problems *[]string) *schema.Field {
	field := k.field(name)
	if field == nil {
		*problems = append(*problems, fmt.Sprintf("%s: the model has no column %q; its columns are %s", setting, name, k.columns()))
		return nil
	}
	if want != reflect.Invalid && field.StructField.Type.Kind() != want {
		*problems = append(*problems, fmt.Sprintf("%s: the column %q is a %s, not a string", setting, name, field.StructField.Type))
	}
	return field
}

// field of a column, nil if the model has none of the name.
func (k *kind) field(name string) *schema.Field {
	i := slices.IndexFunc(k.table.Fields, func(f *schema.Field) bool { return f.Name == name })
	if i < 0 {
		return nil
	}
	return k.table.Fields[i]
}

func (k *kind) columns() string {
	names := make([]string, len(k.table.Fields))
	for i, field := range k.table.Fields {
		names[i] = field.Name
	}
	return strings.Join(names, ", ")
}

func (k *kind) timeProblems(r Refresh) (problems []string) {
	if k.accessTTL < time.Second || k.accessTTL > token.MaxLife {
		problems = append(problems, fmt.Sprintf("AccessTTL: %v is not between 1 s and 24 h", k.accessTTL))
	}
	// A session that was not old enough to rotate is not prolonged either.
	if age := r.times(k.accessTTL, k.idleTTL).Age; k.idleTTL-k.accessTTL < age {
		least := k.accessTTL + age
		problems = append(problems, fmt.Sprintf("IdleTTL: %v is too short for an AccessTTL of %v: give %v or more", k.idleTTL, k.accessTTL, least))
	}
	if k.sessionTTL < k.idleTTL {
		session := k.sessionTTL.String()
		if k.sessionTTL == defaultSessionTTL { // which nobody may have set
			session = "the default of 90 days"
		}
		problems = append(problems, fmt.Sprintf("SessionTTL: %s is shorter than IdleTTL, %v: set SessionTTL to %v or more, or IdleTTL to %v or less", session, k.idleTTL, k.idleTTL, k.sessionTTL))
	}
	return problems
}

// hashProblems marshals a model that has a hash, without and with other values, which
// sees through tags, embedding and MarshalJSON alike. A model that cannot be
// marshalled could show the hash.
func (k *kind) hashProblems() []string {
	const hash = "$argon2id$v=19$m=19456,t=2,p=1$bWFya29mZmliZXJqd3Rz$Zm9ydGhlaGFzaHRoYXRtdXN0bmV2ZXJiZXNob3du0"
	account := reflect.New(k.model)
	k.password.Value(account.Elem()).SetString(hash)
	for _, full := range []bool{false, true} {
		if full { // MarshalJSON may show more then
			k.fillIn(account.Elem())
		}
		for _, shape := range []any{account.Interface(), account.Elem().Interface()} {
			var text []byte
			err := fault.Recover(func() (err error) {
				text, err = json.Marshal(shape)
				return err
			})
			if err != nil && !full {
				return []string{fmt.Sprintf("Password: an empty model has no JSON, so it cannot be seen whether that would show %s: let MarshalJSON and MarshalText take empty values (%s)", k.password.GoName, brief(rootCause(err).Error()))}
			}
			if showsHash(text, hash) {
				return []string{fmt.Sprintf("Password: the JSON of the model shows %s: tag the field `json:\"-\"`", k.password.GoName)}
			}
		}
	}
	return nil
}

// fillIn sets the columns of plain types but the hash.
func (k *kind) fillIn(account reflect.Value) {
	for _, field := range k.table.Fields {
		switch value := field.Value(account); {
		case field == k.password:
		case value.Kind() == reflect.String:
			value.SetString(probeIdentity)
		case value.CanInt():
			value.SetInt(7)
		case value.CanUint():
			value.SetUint(7)
		case value.Kind() == reflect.Bool:
			value.SetBool(true)
		}
	}
}

// showsHash: text has the hash, as it is or in base64 or hex. What is shorter than
// 16 bytes is no hash, but a word such as "!" for an account without a password.
func showsHash(text []byte, hash string) bool {
	if len(hash) < 16 {
		return false
	}
	start := []byte(hash[:len(hash)/3*3]) // in base64, the same whatever follows
	for _, shown := range []string{
		longest(strings.Split(hash, "/")), // which an encoder may escape
		base64.StdEncoding.EncodeToString(start), base64.URLEncoding.EncodeToString(start),
		hex.EncodeToString(start), strings.ToUpper(hex.EncodeToString(start)),
	} {
		if len(shown) >= 12 && bytes.Contains(text, []byte(shown)) {
			return true
		}
	}
	return bytes.Contains(text, []byte(hash))
}

func longest(parts []string) string {
	return slices.MaxFunc(parts, func(a, b string) int { return len(a) - len(b) })
}

// entity is the JSON of an account for its owner. It fails rather than show the
// hash: the application's encoder and what the row contains are known only now.
func (k *kind) entity(c *fiber.Ctx, account any) ([]byte, error) {
	text, err := c.App().Config().JSONEncoder(account)
	if err != nil {
		return nil, fault.Broken(err)
	}
	if k.password != nil && showsHash(text, k.hash(account)) {
		return nil, fault.Setupf("the JSON of kind %s shows %s: tag the field `json:\"-\"`, and use a fiber.Config.JSONEncoder that obeys it", k.name, k.password.GoName)
	}
	return text, nil
}

// storedSubject is the subject of an account that must be a row already.
func (k *kind) storedSubject(account any) (string, error) {
	if k.unsaved(account) {
		return "", fault.Setupf("kind %s: the account has no primary key: store it first, and pass the value that has its key", k.name)
	}
	return k.subject(account)
}

// subject of an account that is or was stored.
func (k *kind) subject(account any) (string, error) {
	subject, err := k.subjects.encode(k.pk.Value(reflect.ValueOf(account).Elem()))
	if err != nil {
		return "", fault.Setupf("kind %s: %v", k.name, err)
	}
	return subject, nil
}

// unsaved: the account is no row yet.
func (k *kind) unsaved(account any) bool {
	return k.pk.Value(reflect.ValueOf(account).Elem()).IsZero()
}

func (k *kind) hash(account any) string { return k.text(account, k.password) }

// text of the identity or the hash. Neither ends with a blank: those that are
// there were padded by a column of type CHAR, or came with an import.
func (k *kind) text(account any, field *schema.Field) string { return unpadded(k.raw(account, field)) }

// raw is text with its blanks, as a statement compares it with the column.
func (k *kind) raw(account any, field *schema.Field) string {
	return field.Value(reflect.ValueOf(account).Elem()).String()
}

func unpadded(text string) string { return strings.TrimRight(text, " ") }

func (k *kind) setText(account any, field *schema.Field, text string) {
	field.Value(reflect.ValueOf(account).Elem()).SetString(text)
}

// fill decodes a JSON value into a column.
func (k *kind) fill(account any, field *schema.Field, value []byte) error {
	return json.Unmarshal(value, field.Value(reflect.ValueOf(account).Elem()).Addr().Interface())
}

// newAccount is a *T.
func (k *kind) newAccount() any { return reflect.New(k.model).Interface() }

// noAccount is a *T that is nil, for statements that name their columns. Bun
// passes a model that is not nil to its BeforeAppendModel, which may refuse an
// account that is empty.
func (k *kind) noAccount() any { return reflect.Zero(reflect.PointerTo(k.model)).Interface() }

// selecting is the SELECT of accounts, a *[]*T, shaped by the Load hook.
func (k *kind) selecting(db bun.IDB, accounts any) *bun.SelectQuery {
	q := db.NewSelect().Model(accounts)
	if k.load != nil {
		// In a group of its own an OR of the hook cannot widen our conditions.
		q = q.WhereGroup(" AND ", k.load)
	}
	return q
}

// byKey is the SELECT that must still find the account for a session to start.
func (k *kind) byKey(db bun.IDB, account any) *bun.SelectQuery {
	return db.NewSelect().Model(k.noAccount()).Where("?TableAlias.? = ?", bun.Ident(k.pk.Name), k.key(account))
}

func (k *kind) key(account any) any {
	return k.pk.Value(reflect.ValueOf(account).Elem()).Interface()
}

// loadAlive gives the account of a verified token if both it and its session
// are alive: one SELECT. The account is nil if not.
func (k *kind) loadAlive(ctx context.Context, subject string, sid []byte, now int64) (any, error) {
	return k.scan(ctx, k.db, subject, func(q *bun.SelectQuery) *bun.SelectQuery {
		return session.WhereAlive(q, k.name, subject, sid, now)
	})
}

// loadBySubject gives the account, nil if there is none.
func (k *kind) loadBySubject(ctx context.Context, subject string) (any, error) {
	return k.scan(ctx, k.db, subject, all)
}

// all is a condition that every row meets.
func all(q *bun.SelectQuery) *bun.SelectQuery { return q }

func (k *kind) scan(ctx context.Context, db bun.IDB, subject string, narrow func(*bun.SelectQuery) *bun.SelectQuery) (any, error) {
	key, ok := k.subjects.decode(subject, k.pk.StructField.Type)
	if !ok {
		return nil, nil
	}
	account, err := k.one(ctx, db, func(q *bun.SelectQuery) *bun.SelectQuery {
		return narrow(q.Where("?TableAlias.? = ?", bun.Ident(k.pk.Name), key.Interface()))
	})
	if err != nil || account == nil {
		return nil, err
	}
	// A Load hook that leaves the key out, or a column that compares loosely,
	// must not answer as somebody else.
	if found, err := k.subject(account); err != nil || found != subject {
		return nil, fault.Setupf("kind %s: the loaded row has another primary key than the token: let Load select the key column and give it a binary collation", k.name)
	}
	return account, nil
}

// findByIdentity gives the account that a person names at login, nil if there
// is none. Where nothing keeps two accounts apart, it takes neither, but for the
// one that is spelt as it was typed.
func (k *kind) findByIdentity(ctx context.Context, db bun.IDB, identity string) (any, error) {
	accounts, err := k.named(ctx, db, identity)
	if len(accounts) > 1 {
		accounts = slices.DeleteFunc(accounts, func(account any) bool { return k.text(account, k.identity) != identity })
		if len(accounts) != 1 {
			return nil, fault.Setupf("%s, so neither can sign in: give the column a unique index, as Auth.Check says", k.sameName())
		}
	}
	if err != nil || len(accounts) == 0 {
		return nil, err
	}
	return accounts[0], nil
}

// mostAlike bounds the rows that are read for one identity.
const mostAlike = 1000

// named gives the accounts that an identity names. It takes the identity as it is
// typed, for rows that are older than this library, and in its canonical form; in
// one statement, so that the number of statements does not tell whether there is an
// account. It sends a second one where there is more than one row: of a join, of
// names that only a collation takes for the same, or of several accounts.
func (k *kind) named(ctx context.Context, db bun.IDB, identity string) (accounts []any, err error) {
	name, err := k.nameOf(identity)
	if err != nil {
		return nil, err
	}
	column := bun.Ident(k.identity.Name)
	search := func(q *bun.SelectQuery) *bun.SelectQuery {
		if name == identity {
			return q.Where("?TableAlias.? = ?", column, identity)
		}
		return q.Where("(?TableAlias.? = ? OR ?TableAlias.? = ?)", column, identity, column, name)
	}
	rows, err := k.atMost(ctx, db, 2, search)
	if err == nil && rows.Len() > 1 {
		rows, err = k.atMost(ctx, db, mostAlike, search)
	}
	if err != nil {
		if dberr.Unstorable(rootCause(err), identity) { // so no row has it
			err = nil
		}
		return nil, err
	}
	seen := map[string]bool{}
	for i := range rows.Len() {
		account := rows.Index(i).Interface()
		found, err := k.nameOf(k.text(account, k.identity))
		if err != nil {
			return nil, err
		}
		subject, _ := k.subject(account)
		// A collation that folds accents finds ann for änn; the throttle counts
		// them apart.
		if found == name && !seen[subject] {
			accounts = append(accounts, account)
		}
		seen[subject] = true
	}
	return accounts, nil
}

// one loads a single account, nil if there is none.
func (k *kind) one(ctx context.Context, db bun.IDB, narrow func(*bun.SelectQuery) *bun.SelectQuery) (any, error) {
	accounts, err := k.atMost(ctx, db, 1, narrow)
	if err != nil || accounts.Len() == 0 {
		return nil, err
	}
	return accounts.Index(0).Interface(), nil
}

// atMost loads up to so many accounts, as a []*T. It asks Bun for a slice, since an
// account that is still empty would be passed to its BeforeAppendModel.
func (k *kind) atMost(ctx context.Context, db bun.IDB, limit int64, narrow func(*bun.SelectQuery) *bun.SelectQuery) (accounts reflect.Value, err error) {
	load := func() error {
		into := reflect.New(reflect.SliceOf(reflect.PointerTo(k.model)))
		accounts = into.Elem()
		return fault.Recover(func() error { return narrow(k.selecting(db, into.Interface())).Limit(limit).Scan(ctx) })
	}
	if _, alone := db.(*bun.DB); alone {
		if err := k.quoting.check(ctx); err != nil {
			return accounts, err
		}
		err = dberr.RetryIdempotent(ctx, load)
	} else { // in a transaction, which is over as a whole when a statement fails
		err = load()
	}
	switch {
	case errors.Is(err, sql.ErrNoRows): // a hook of the model says so, of rows that it does not want
		return accounts.Slice(0, 0), nil
	case err != nil:
		return accounts, storeProblem(err)
	}
	return accounts, nil
}

// insert stores a new account.
func (k *kind) insert(ctx context.Context, db bun.IDB, account any) error {
	if err := k.setKey(account); err != nil {
		return err
	}
	err := fault.Recover(func() error {
		_, err := db.NewInsert().Model(account).Exec(ctx)
		return err
	})
	return writeProblem(err)
}

// writeProblem is what an error of writing a row is to the client. A constraint
// or a trigger may also be deferred until the transaction commits.
func writeProblem(err error) error {
	switch dberr.ConstraintOf(err) {
	case dberr.Unique:
		return because(ErrTaken, err)
	case dberr.Other, dberr.RefusedValue, dberr.Raised:
		return because(ErrFields, err)
	}
	if err != nil {
		return storeProblem(err)
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
	return fault.Setupf("kind %s: nothing makes the primary key %q: tag it `bun:\",pk,autoincrement\"` or set it in Register", k.name, k.pk.Name)
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

// storeProblem is 503 for whatever a database returned, but leaves what a hook
// of the application, run by Bun, decided.
func storeProblem(err error) error {
	if isOurs(err) {
		return err
	}
	return fault.Unavailable(err)
}
