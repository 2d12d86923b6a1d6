package accounts

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/uptrace/bun"

	"github.com/fiberjwt/fiberjwt/internal/dbcheck"
)

// leastHash has room for bcrypt and for argon2id with most parameters; leastMail for
// all mail addresses but a few, which may have 254 characters (RFC 5321 §4.5.3.1.3)
// and are answered 422 if the column is shorter.
const (
	leastHash = 100
	leastMail = 100
)

// Wanted is the table that the kind needs, for new hashes of so many characters.
func (k *Kind) Wanted(hash int) dbcheck.Table {
	hash = max(leastHash, hash)
	t := dbcheck.Table{Name: k.Table.Name, Narrowed: k.selectsPart()}
	if k.Table.SoftDeleteField != nil {
		t.SoftDelete = k.Table.SoftDeleteField.Name
	}
	for _, field := range k.Table.Fields {
		column := dbcheck.Column{Name: field.Name}
		switch i := slices.Index(k.Fillable, field); {
		case field == k.PK:
			column.Setting, column.Exact, column.Key = "the primary key", field.StructField.Type.Kind() == reflect.String, true
		case field == k.Identity:
			column.Setting, column.Exact, column.Any, column.Alone = "Identity", true, true, true
			if strings.Contains(strings.ToLower(field.Name), "mail") {
				column.Width = leastMail
			}
		case field == k.Password:
			column.Setting, column.Exact, column.Width = "Password", true, hash
		case i >= 0:
			column.Setting = fmt.Sprintf("Fillable[%d]", i)
		case field != k.Table.SoftDeleteField && k.load != nil && !k.registers:
			continue // Load may leave it out
		}
		t.Columns = append(t.Columns, column)
	}
	return t
}

// selectsPart: accounts are looked for among a part of the rows.
func (k *Kind) selectsPart() bool {
	_, hooked := k.Table.ZeroIface.(bun.BeforeSelectHook)
	return hooked || k.load != nil
}
