package accounts

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/uptrace/bun/schema"

	"github.com/fiberjwt/fiberjwt/internal/token"
)

// resolve finds the columns and says what is wrong with them.
func (k *Kind) resolve(identity, password string, fillable []string) (problems []string) {
	defer func() {
		if p := recover(); p != nil { // so Bun says that it cannot map a model
			problems = append(problems, fmt.Sprint("the model cannot be mapped: ", p))
		}
	}()
	k.Table = k.DB.Table(k.Model)
	k.SelectHook = selectHookOf(k.New())
	k.Label = fmt.Sprintf("%s, table %s", k.Model.Name(), k.Table.Name)
	if k.Name == "" {
		k.Name = k.Table.Name
	}
	if !token.ValidKind(k.Name) {
		problems = append(problems, fmt.Sprintf("Name: %q cannot name a kind: set Name to lower-case letters, digits, \"_\" and \"-\", at most 32, a letter first", k.Name))
	}
	problems = append(problems, k.resolveKey()...)
	k.narrowed = k.narrowed || k.loadNarrows()
	if password != "-" {
		problems = append(problems, k.loadProblems()...)
		return append(problems, k.resolveCredentials(identity, password, fillable)...)
	}
	problems = append(problems, k.resolveTelling(identity)...)
	problems = append(problems, k.loadProblems()...)
	if len(fillable) > 0 {
		problems = append(problems, `Fillable: a kind with Password "-" has no registration: remove it`)
	}
	if k.registers {
		problems = append(problems, `Register: a kind with Password "-" cannot register here: create the account in your own route and call Login`)
	}
	return problems
}

func (k *Kind) resolveCredentials(identity, password string, fillable []string) (problems []string) {
	k.Identity = k.Column("Identity", cmp.Or(identity, "email"), reflect.String, &problems)
	k.Password = k.Column("Password", cmp.Or(password, "password_hash"), reflect.String, &problems)
	problems = append(problems, k.textProblems("Identity", k.Identity)...)
	problems = append(problems, k.textProblems("Password", k.Password)...)
	if k.Password != nil && k.Password == k.Identity {
		problems = append(problems, fmt.Sprintf("Password: the column %q is the identity too", k.Password.Name))
	}
	if group := k.sharedIdentity(); group != "" {
		problems = append(problems, fmt.Sprintf("Identity: the column %q is unique only together with others (`bun:\"unique:%s\"`), so two accounts can have the same: tag it `bun:\",unique\"`, or let Load or BeforeSelect narrow the accounts to those among which it is unique", k.Identity.Name, group))
	}
	if ofForms(identity) {
		problems = append(problems, fmt.Sprintf("Identity: %q is a member of the built-in routes' own: sign in with a column of another name", identity))
	}
	for i, name := range fillable {
		field := k.Column(fmt.Sprintf("Fillable[%d]", i), name, reflect.Invalid, &problems)
		if field != nil && (field == k.PK || field == k.Password || field == k.Identity || field == k.Table.SoftDeleteField) {
			problems = append(problems, fmt.Sprintf("Fillable[%d]: the column %q is not for clients to fill: remove it", i, name))
		} else if ofForms(name) {
			problems = append(problems, fmt.Sprintf("Fillable[%d]: %q is a member of the built-in routes' own, which would go to the column as it is: remove it, and set the column in Register", i, name))
		}
		k.Fillable = append(k.Fillable, field)
	}
	if k.Password != nil && k.Password.StructField.Type.Kind() == reflect.String {
		problems = append(problems, k.hashProblems()...)
	}
	return problems
}

// sharedIdentity is a group of columns that Bun's tag makes unique, the identity
// among them, where it makes the identity alone unique nowhere; else "". A model
// without such tags says nothing: its indexes may come from elsewhere.
func (k *Kind) sharedIdentity() (group string) {
	if k.Identity == nil || k.selectsPart() {
		return ""
	}
	for name, fields := range k.Table.Unique {
		if !slices.Contains(fields, k.Identity) {
			continue
		}
		others := slices.ContainsFunc(fields, func(f *schema.Field) bool {
			// A mark of deleted rows that is the same for all others does no harm.
			mark := f == k.Table.SoftDeleteField && !f.IsPtr && !f.NullZero
			return f != k.Identity && !mark
		})
		if name == "" || !others { // without a name it is for each column
			return ""
		}
		group = max(group, name)
	}
	return group
}

// ofForms: the built-in routes read a member of that name for themselves.
func ofForms(name string) bool { return name == "password" || name == "transport" }

func (k *Kind) resolveKey() []string {
	if len(k.Table.PKs) != 1 {
		return []string{fmt.Sprintf("the model has %d primary key columns, one is needed: tag it `bun:\",pk\"`; the columns are %s", len(k.Table.PKs), k.columns())}
	}
	k.PK = k.Table.PKs[0]
	codec, ok := newSubjectCodec(k.PK.StructField.Type)
	if !ok {
		return []string{fmt.Sprintf("the primary key %q is a %s: use an integer, a string or a type with MarshalText and UnmarshalText, such as a UUID", k.PK.Name, k.PK.StructField.Type)}
	}
	k.subjects = codec
	return nil
}

// Column finds a column of the model by name, of a Go kind unless that is Invalid.
func (k *Kind) Column(setting, name string, want reflect.Kind, problems *[]string) *schema.Field {
	field := k.Field(name)
	if field == nil {
		*problems = append(*problems, fmt.Sprintf("%s: the model has no column %q; its columns are %s", setting, name, k.columns()))
		return nil
	}
	if want != reflect.Invalid && field.StructField.Type.Kind() != want {
		*problems = append(*problems, fmt.Sprintf("%s: the column %q is a %s, not a string", setting, name, field.StructField.Type))
	}
	return field
}

// Field of a column, nil if the model has none of the name.
func (k *Kind) Field(name string) *schema.Field {
	i := slices.IndexFunc(k.Table.Fields, func(f *schema.Field) bool { return f.Name == name })
	if i < 0 {
		return nil
	}
	return k.Table.Fields[i]
}

func (k *Kind) columns() string {
	names := make([]string, len(k.Table.Fields))
	for i, field := range k.Table.Fields {
		names[i] = field.Name
	}
	return strings.Join(names, ", ")
}
