package accounts

import (
	"encoding/json"
	"reflect"
	"strings"

	"github.com/uptrace/bun/schema"

	"github.com/fiberjwt/fiberjwt/internal/fault"
)

// StoredSubject returns the subject of an account, or a setup error if the account has no
// primary key yet.
func (k *Kind) StoredSubject(account any) (string, error) {
	if k.Unsaved(account) {
		return "", fault.Setupf("kind %s: the account has no primary key: store it first, and pass the value with the key", k.Name)
	}
	return k.Subject(account)
}

// Subject returns the subject of an account: its primary key as text.
func (k *Kind) Subject(account any) (string, error) {
	subject, err := k.subjects.encode(k.PK.Value(reflect.ValueOf(account).Elem()))
	if err != nil {
		return "", fault.Setupf("kind %s: %v", k.Name, err)
	}
	return subject, nil
}

// Unsaved reports whether the account has no primary key yet.
func (k *Kind) Unsaved(account any) bool {
	return k.PK.Value(reflect.ValueOf(account).Elem()).IsZero()
}

// Hash returns the hash of the password of an account.
func (k *Kind) Hash(account any) string { return k.Text(account, k.Password) }

// Text returns the identity or the hash without blanks at its end. Such blanks come from a
// column of type CHAR or from an import.
func (k *Kind) Text(account any, field *schema.Field) string {
	return trimPadding(k.Raw(account, field))
}

// Raw returns a text column of an account with its blanks, as statements compare it.
func (k *Kind) Raw(account any, field *schema.Field) string {
	return field.Value(reflect.ValueOf(account).Elem()).String()
}

func trimPadding(text string) string { return strings.TrimRight(text, " ") }

// SetText sets a text column of an account.
func (k *Kind) SetText(account any, field *schema.Field, text string) {
	field.Value(reflect.ValueOf(account).Elem()).SetString(text)
}

// Fill decodes a JSON value into a column.
func (k *Kind) Fill(account any, field *schema.Field, value []byte) error {
	return json.Unmarshal(value, field.Value(reflect.ValueOf(account).Elem()).Addr().Interface())
}

// New returns an empty account.
func (k *Kind) New() any { return reflect.New(k.Model).Interface() }

// nilAccount returns a nil *T, for statements that name their columns. Bun calls
// BeforeAppendModel on a model that is not nil, and this hook may refuse an empty account.
func (k *Kind) nilAccount() any { return reflect.Zero(reflect.PointerTo(k.Model)).Interface() }

// Key returns the primary key of an account.
func (k *Kind) Key(account any) any {
	return k.PK.Value(reflect.ValueOf(account).Elem()).Interface()
}

// Copy returns a shallow copy of an account. Each request gets one, because handlers may
// change it.
func Copy(account any) any {
	own := reflect.New(reflect.TypeOf(account).Elem())
	own.Elem().Set(reflect.ValueOf(account).Elem())
	return own.Interface()
}
