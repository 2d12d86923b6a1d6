// Package accounts reads and writes the accounts of a kind, in the application's own
// table and with its own Bun model. An account is a pointer to the model, passed as any.
package accounts

import (
	"context"
	"reflect"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/schema"

	"github.com/fiberjwt/fiberjwt/internal/fault"
)

// Declaration describes a kind, apart from its model.
type Declaration struct {
	Name      string
	Identity  string // column, see Entity.Identity
	Password  string // column, or "-" for a kind without passwords
	Fillable  []string
	Canonical func(identity string) (string, error) // nil: CanonicalIdentity
	Load      func(*bun.SelectQuery) *bun.SelectQuery
	Narrowed  bool // something other than Load restricts which rows belong to the kind
	Registers bool // clients can register
	// Answer returns the answer that a hook has chosen by its error err, or nil if err
	// does not choose one.
	Answer func(err error) *fault.Answer
}

// Kind is a kind of account with its table. It is immutable once its fields are set, and
// safe for concurrent use.
type Kind struct {
	Name  string
	Label string // for messages: "User, table users"
	DB    *bun.DB

	Model              reflect.Type
	Table              *schema.Table
	PK                 *schema.Field
	Identity           *schema.Field
	Password           *schema.Field // nil: no passwords
	Fillable           []*schema.Field
	FingerprintColumns []*schema.Field // columns of the fingerprint, for a kind without passwords

	SelectHook string // the hook of the model that runs on SELECT, "" if it has none

	Sharing []*Kind // the kinds on the same table, this one first; see [JoinTables]
	Counted string  // the name of the kind under which failed sign-ins are counted

	// Ready is called before a statement that contains text of a client, unless it is part
	// of a transaction. If Ready returns an error, the statement is not sent.
	Ready func(context.Context) error

	statements   statements
	subjects     subjectCodec
	load         func(*bun.SelectQuery) *bun.SelectQuery
	narrowed     bool
	registers    bool
	canonicalize func(string) (string, error)
	answer       func(error) *fault.Answer
}

// Open resolves a declaration against the table of model, and returns the problems of
// both. It sends no statement. If db is nil, it checks only that the model is a struct.
func Open(db *bun.DB, model reflect.Type, d Declaration) (*Kind, []fault.Problem) {
	k := &Kind{
		Name: d.Name, Label: model.String(), Model: model, DB: db, load: d.Load, narrowed: d.Narrowed, registers: d.Registers,
		canonicalize: d.Canonical, answer: d.Answer, Ready: func(context.Context) error { return nil },
	}
	if k.canonicalize == nil {
		k.canonicalize = CanonicalIdentity
	}
	if model.Kind() != reflect.Struct {
		return k, []fault.Problem{fault.NewProblem("", "the model is not a struct", "declare Entity[User], not Entity[*User]")}
	}
	k.Label = model.Name()
	if db == nil {
		return k, nil // reported once for the whole Config
	}
	return k, k.resolve(d.Identity, d.Password, d.Fillable)
}
