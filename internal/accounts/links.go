package accounts

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// Bound is what every link is bound to: the identity, which tells the account from
// the next one with its key, and the passwords that the row has, under any kind of
// its table; or for a kind without passwords what it is told by.
func (k *Kind) Bound(account any) string {
	texts := []string{}
	if k.Identity != nil && k.Password != nil {
		texts = append(texts, k.Text(account, k.Identity))
	}
	for _, name := range k.passwordColumns() {
		texts = append(texts, k.Text(account, k.Field(name)))
	}
	if len(k.Telling) > 0 {
		texts = append(texts, k.Told(account))
	}
	return strings.Join(texts, "\x00")
}

// LinkProblem says why links of the kind cannot be made, "" if they can: a link must
// end with every password of the row, so the model must have them.
func (k *Kind) LinkProblem() string {
	for _, name := range k.passwordColumns() {
		if field := k.Field(name); field == nil || field.StructField.Type.Kind() != reflect.String {
			return fmt.Sprintf("kind %s shares its table with a kind whose password is in the column %q, which its model has not as a string: add it, tagged `json:\"-\"`, because a link is void once the password changes", k.Name, name)
		}
	}
	return ""
}

// passwordColumns of the row, under every kind of its table.
func (k *Kind) passwordColumns() (names []string) {
	for _, of := range k.Sharing {
		if of.Password != nil && !slices.Contains(names, of.Password.Name) {
			names = append(names, of.Password.Name)
		}
	}
	return names
}
