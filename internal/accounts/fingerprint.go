package accounts

import (
	"database/sql/driver"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/uptrace/bun/schema"

	"github.com/fiberjwt/fiberjwt/internal/fault"
)

// resolveFingerprint sets the columns of the fingerprint; see [Entity].Identity.
func (k *Kind) resolveFingerprint(identity string) (problems []fault.Problem) {
	if identity != "" {
		field := k.Column("Identity", identity, reflect.Invalid, &problems)
		switch field {
		case nil:
		case k.PK:
			problems = append(problems, fault.NewProblem("Identity", fmt.Sprintf("the column %q is the primary key, which does not distinguish an account from a later account with the same key", field.Name), fingerprintHint))
		default:
			k.FingerprintColumns = []*schema.Field{field}
		}
		return problems
	}
	k.FingerprintColumns = slices.DeleteFunc(slices.Clone(k.Table.DataFields), func(field *schema.Field) bool { return !k.unique(field) })
	if len(k.FingerprintColumns) > 0 {
		return nil
	}
	i := slices.IndexFunc(k.Table.DataFields, func(field *schema.Field) bool { return field.Name == "email" })
	if i < 0 {
		i = slices.IndexFunc(k.Table.DataFields, func(field *schema.Field) bool { return field.IndirectType.Kind() == reflect.String })
	}
	switch {
	case i >= 0:
		k.FingerprintColumns = k.Table.DataFields[i : i+1]
	case k.PK != nil && isInteger(k.PK.StructField.Type):
		return []fault.Problem{fault.NewProblem("Identity", "no column of the model is unique or a text, so nothing distinguishes an account from a later account with the same key, which would get its sessions", fingerprintHint)}
	}
	return nil
}

const fingerprintHint = "name a column whose values differ and never change, of any type, such as the subject at an identity provider; or use a UUID as the key, because it is never reused"

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

// FingerprintText returns the values of an account in the columns of the fingerprint, as one text.
// Different values give different texts.
func (k *Kind) FingerprintText(account any) string {
	var text strings.Builder
	for _, field := range k.FingerprintColumns {
		value := valueText(field.Value(reflect.ValueOf(account).Elem()))
		fmt.Fprintf(&text, "%d:%s", len(value), value)
	}
	return text.String()
}

// valueText returns a text that is the same for equal values, "" for nil.
func valueText(v reflect.Value) string {
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

// SameAs reports whether account, a value of the application, and row, as the database
// returned it, can be the same account. It compares the columns of the fingerprint that
// are set in account, and of these only texts, integers and UUIDs, because a database may
// round other values. It ignores case and trailing blanks, because a database may change
// them too.
func (k *Kind) SameAs(account, row any) bool {
	for _, field := range k.FingerprintColumns {
		mine := field.Value(reflect.ValueOf(account).Elem())
		kind := field.IndirectType.Kind()
		comparable := kind == reflect.String || kind == reflect.Array || isInteger(field.IndirectType)
		if mine.IsZero() || !comparable {
			continue
		}
		text := strings.TrimRight(valueText(mine), " ")
		if !strings.EqualFold(text, strings.TrimRight(valueText(field.Value(reflect.ValueOf(row).Elem())), " ")) {
			return false
		}
	}
	return true
}
