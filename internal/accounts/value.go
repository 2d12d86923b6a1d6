package accounts

import (
	"encoding/json"
	"reflect"
	"strings"

	"github.com/uptrace/bun/schema"

	"github.com/fiberjwt/fiberjwt/internal/fault"
)

// StoredSubject is the subject of an account that must be a row already.
func (k *Kind) StoredSubject(account any) (string, error) {
	if k.Unsaved(account) {
		return "", fault.Setupf("kind %s: the account has no primary key: store it first, and pass the value that has its key", k.Name)
	}
	return k.Subject(account)
}

// Subject of an account that is or was stored.
func (k *Kind) Subject(account any) (string, error) {
	subject, err := k.subjects.encode(k.PK.Value(reflect.ValueOf(account).Elem()))
	if err != nil {
		return "", fault.Setupf("kind %s: %v", k.Name, err)
	}
	return subject, nil
}

// Unsaved reports whether the account is not stored yet.
func (k *Kind) Unsaved(account any) bool {
	return k.PK.Value(reflect.ValueOf(account).Elem()).IsZero()
}

// Hash is the hash of the password of an account.
func (k *Kind) Hash(account any) string { return k.Text(account, k.Password) }

// Text of the identity or the hash. Neither ends with a blank: those that are
// there were padded by a column of type CHAR, or came with an import.
func (k *Kind) Text(account any, field *schema.Field) string { return unpadded(k.Raw(account, field)) }

// Raw is text with its blanks, as a statement compares it with the column.
func (k *Kind) Raw(account any, field *schema.Field) string {
	return field.Value(reflect.ValueOf(account).Elem()).String()
}

func unpadded(text string) string { return strings.TrimRight(text, " ") }

// SetText sets a text column of an account.
func (k *Kind) SetText(account any, field *schema.Field, text string) {
	field.Value(reflect.ValueOf(account).Elem()).SetString(text)
}

// Fill decodes a JSON value into a column.
func (k *Kind) Fill(account any, field *schema.Field, value []byte) error {
	return json.Unmarshal(value, field.Value(reflect.ValueOf(account).Elem()).Addr().Interface())
}

// New is a *T.
func (k *Kind) New() any { return reflect.New(k.Model).Interface() }

// noAccount is a *T that is nil, for statements that name their columns. Bun
// passes a model that is not nil to its BeforeAppendModel, which may refuse an
// account that is empty.
func (k *Kind) noAccount() any { return reflect.Zero(reflect.PointerTo(k.Model)).Interface() }

// Key is the primary key of an account.
func (k *Kind) Key(account any) any {
	return k.PK.Value(reflect.ValueOf(account).Elem()).Interface()
}

// Copy gives each request an account of its own: handlers change them.
func Copy(account any) any {
	own := reflect.New(reflect.TypeOf(account).Elem())
	own.Elem().Set(reflect.ValueOf(account).Elem())
	return own.Interface()
}
