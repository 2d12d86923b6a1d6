// Package accounts reads and writes the accounts of one kind, in the application's own
// table and by its own Bun model. Accounts are pointers to the model behind any.
package accounts

import (
	"context"
	"reflect"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/schema"

	"github.com/fiberjwt/fiberjwt/internal/fault"
)

// Declaration is what an application says about a kind, apart from its model.
type Declaration struct {
	Name      string
	Identity  string // column, see Entity.Identity
	Password  string // column, or "-" for a kind without passwords
	Fillable  []string
	Canonical func(identity string) (string, error) // nil: CanonicalIdentity
	Load      func(*bun.SelectQuery) *bun.SelectQuery
	Narrowed  bool // something other than Load says which rows are of the kind
	Registers bool // clients can register
	// Answer returns an error of a hook that the client is answered with as it is, nil if
	// err is not one.
	Answer func(err error) *fault.Answer
}

// Kind is a kind of account on its table. It is immutable once its fields are set, and
// safe for concurrent use.
type Kind struct {
	Name  string
	Label string // for messages: "User, table users"
	DB    *bun.DB

	Model    reflect.Type
	Table    *schema.Table
	PK       *schema.Field
	Identity *schema.Field
	Password *schema.Field // nil: no passwords
	Fillable []*schema.Field
	Telling  []*schema.Field // columns of the fingerprint, of a kind without passwords

	SelectHook string // a hook of the model that runs on SELECT, "" for none

	Sharing []*Kind // the kinds of the same table, this one first; see [JoinTables]
	Counted string  // the kind under whose name failed sign-ins are counted

	// Ready is asked before a statement with a client's text, outside of transactions.
	Ready func(context.Context) error

	subjects     subjectCodec
	load         func(*bun.SelectQuery) *bun.SelectQuery
	narrowed     bool
	registers    bool
	canonicalize func(string) (string, error)
	answer       func(error) *fault.Answer
}

// Open resolves a declaration against the table of model, and says what is wrong with
// it. It sends no statement. Without db it finds only what is wrong with the model.
func Open(db *bun.DB, model reflect.Type, d Declaration) (*Kind, []string) {
	k := &Kind{
		Name: d.Name, Label: model.String(), Model: model, DB: db, load: d.Load, narrowed: d.Narrowed, registers: d.Registers,
		canonicalize: d.Canonical, answer: d.Answer, Ready: func(context.Context) error { return nil },
	}
	if k.canonicalize == nil {
		k.canonicalize = CanonicalIdentity
	}
	if model.Kind() != reflect.Struct {
		return k, []string{"the model is not a struct: declare Entity[User], not Entity[*User]"}
	}
	k.Label = model.Name()
	if db == nil {
		return k, nil // reported once for the whole Config
	}
	return k, k.resolve(d.Identity, d.Password, d.Fillable)
}
