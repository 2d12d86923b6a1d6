package accounts

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// Bound returns the values of an account to which every link is bound, so that a change of
// one of them makes its links invalid: the identity, which distinguishes the account from a
// later account with the same key, and the hashes of the row under every kind on the
// table. For a kind without passwords it is the fingerprint; see [Kind.FingerprintText].
func (k *Kind) Bound(account any) string {
	texts := []string{}
	if k.Identity != nil && k.Password != nil {
		texts = append(texts, k.Text(account, k.Identity))
	}
	for _, name := range k.passwordColumns() {
		texts = append(texts, k.Text(account, k.Field(name)))
	}
	if len(k.FingerprintColumns) > 0 {
		texts = append(texts, k.FingerprintText(account))
	}
	return strings.Join(texts, "\x00")
}

// LinkProblem returns why the kind cannot have links, "" if it can. A link becomes invalid
// when any password of the row changes, so the model must have all of their columns.
func (k *Kind) LinkProblem() string {
	for _, name := range k.passwordColumns() {
		if field := k.Field(name); field == nil || field.StructField.Type.Kind() != reflect.String {
			return fmt.Sprintf("kind %s shares its table with a kind whose password is in the column %q, but its own model has no such field of type string: add it, tagged `json:\"-\"`, because a link becomes invalid when the password changes", k.Name, name)
		}
	}
	return ""
}

// passwordColumns returns the columns with a password, under every kind on the table.
func (k *Kind) passwordColumns() (names []string) {
	for _, of := range k.Sharing {
		if of.Password != nil && !slices.Contains(names, of.Password.Name) {
			names = append(names, of.Password.Name)
		}
	}
	return names
}
