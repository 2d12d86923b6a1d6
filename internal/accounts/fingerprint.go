package accounts

import (
	"database/sql/driver"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/uptrace/bun/schema"
)

// resolveTelling finds the columns of the fingerprint; see [Entity].Identity.
func (k *Kind) resolveTelling(identity string) (problems []string) {
	if identity != "" {
		field := k.Column(`Identity of a kind with Password "-"`, identity, reflect.Invalid, &problems)
		switch field {
		case nil:
		case k.PK:
			problems = append(problems, fmt.Sprintf(`Identity of a kind with Password "-": the column %q is the primary key, which tells no account from the next one with its key: %s`, field.Name, tellingHint))
		default:
			k.Telling = []*schema.Field{field}
		}
		return problems
	}
	k.Telling = slices.DeleteFunc(slices.Clone(k.Table.DataFields), func(field *schema.Field) bool { return !k.unique(field) })
	if len(k.Telling) > 0 {
		return nil
	}
	i := slices.IndexFunc(k.Table.DataFields, func(field *schema.Field) bool { return field.Name == "email" })
	if i < 0 {
		i = slices.IndexFunc(k.Table.DataFields, func(field *schema.Field) bool { return field.IndirectType.Kind() == reflect.String })
	}
	switch {
	case i >= 0:
		k.Telling = k.Table.DataFields[i : i+1]
	case k.PK != nil && isInteger(k.PK.StructField.Type):
		return []string{`Identity: no column of the model is unique or a text, so nothing tells an account from the next one with its key, which would get its sessions: ` + tellingHint}
	}
	return nil
}

const tellingHint = "name a column that differs and never changes, of any type, such as the subject at an identity provider; or let the key be a UUID, which no database gives again"

func isInteger(t reflect.Type) bool { return t.Kind() >= reflect.Int && t.Kind() <= reflect.Uint64 }

// unique reports whether the model tags the column unique, alone or with others.
func (k *Kind) unique(field *schema.Field) bool {
	for _, group := range k.Table.Unique {
		if slices.ContainsFunc(group, func(member *schema.Field) bool { return member.Name == field.Name }) {
			return true
		}
	}
	return false
}

// Told is what the columns of the fingerprint have in an account.
func (k *Kind) Told(account any) string {
	var text strings.Builder
	for _, field := range k.Telling {
		value := textOf(field.Value(reflect.ValueOf(account).Elem()))
		fmt.Fprintf(&text, "%d:%s", len(value), value)
	}
	return text.String()
}

// textOf is the same text for the same value, "" for nil.
func textOf(v reflect.Value) string {
	for v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return ""
		}
		v = v.Elem()
	}
	if codec, ok := newSubjectCodec(v.Type()); ok {
		if text, err := codec.format(v); err == nil {
			return text
		}
	}
	value := v.Interface()
	if valuer, ok := value.(driver.Valuer); ok {
		if plain, err := valuer.Value(); err == nil {
			value = plain
		}
	}
	return fmt.Sprint(value)
}

// SameAs reports whether an account that the application has may be that of a row.
// Only what it has set is compared, and only texts, integers and UUIDs, since a
// database may round the rest. It may also pad a text or fold its case.
func (k *Kind) SameAs(account, row any) bool {
	for _, field := range k.Telling {
		mine := field.Value(reflect.ValueOf(account).Elem())
		kind := field.IndirectType.Kind()
		comparable := kind == reflect.String || kind == reflect.Array || isInteger(field.IndirectType)
		if mine.IsZero() || !comparable {
			continue
		}
		text := strings.TrimRight(textOf(mine), " ")
		if !strings.EqualFold(text, strings.TrimRight(textOf(field.Value(reflect.ValueOf(row).Elem())), " ")) {
			return false
		}
	}
	return true
}
