package accounts

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/uptrace/bun"

	"github.com/fiberjwt/fiberjwt/internal/dbcheck"
)

// minHashLength is enough for bcrypt and for argon2id with most parameters. minMailWidth is
// enough for nearly all e-mail addresses. They may have 254 characters (RFC 5321
// §4.5.3.1.3); a registration with an address that does not fit is answered 422.
const (
	minHashLength = 100
	minMailWidth  = 100
)

// Wanted returns the table that the kind needs; hash is the length of new hashes.
func (k *Kind) Wanted(hash int) dbcheck.Table {
	hash = max(minHashLength, hash)
	t := dbcheck.Table{Name: k.Table.Name, Narrowed: k.selectsSubset()}
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
				column.Width = minMailWidth
			}
		case field == k.Password:
			column.Setting, column.Exact, column.Width = "Password", true, hash
		case i >= 0:
			column.Setting = fmt.Sprintf("Fillable[%d]", i)
		case field != k.Table.SoftDeleteField && k.load != nil && !k.registers:
			continue // Load may not select it
		}
		t.Columns = append(t.Columns, column)
	}
	return t
}

// selectsSubset reports whether a hook may restrict the accounts to a part of the rows.
func (k *Kind) selectsSubset() bool {
	_, hooked := k.Table.ZeroIface.(bun.BeforeSelectHook)
	return hooked || k.load != nil
}
