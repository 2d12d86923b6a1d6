package accounts

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/uptrace/bun/schema"

	"github.com/fiberjwt/fiberjwt/internal/fault"
	"github.com/fiberjwt/fiberjwt/internal/token"
)

// resolve finds the columns of the declaration, and returns its problems.
func (k *Kind) resolve(identity, password string, fillable []string) (problems []fault.Problem) {
	defer func() {
		if p := recover(); p != nil { // Bun panics if it cannot map a model
			problems = append(problems, fault.NewProblem("", fmt.Sprintf("Bun cannot map the model (%v)", p), "correct its fields and tags"))
		}
	}()
	k.Table = k.DB.Table(k.Model)
	k.SelectHook = selectHookOf(k.New())
	k.Label = fmt.Sprintf("%s, table %s", k.Model.Name(), k.Table.Name)
	if k.Name == "" {
		k.Name = k.Table.Name
	}
	if !token.ValidKind(k.Name) {
		problems = append(problems, fault.NewProblem("Name", fmt.Sprintf("%q cannot name a kind", k.Name), `set Name to at most 32 lower-case letters, digits, "_" and "-", with a letter first`))
	}
	problems = append(problems, k.resolveKey()...)
	k.narrowed = k.narrowed || k.loadNarrows()
	if password != "-" {
		problems = append(problems, k.loadProblems()...)
		return append(problems, k.resolveCredentials(identity, password, fillable)...)
	}
	problems = append(problems, k.resolveFingerprint(identity)...)
	problems = append(problems, k.loadProblems()...)
	if len(fillable) > 0 {
		problems = append(problems, fault.NewProblem("Fillable", `a kind with Password "-" has no registration`, "remove it"))
	}
	if k.registers {
		problems = append(problems, fault.NewProblem("Register", `a kind with Password "-" cannot register here`, "create the account in your own route and call Login"))
	}
	return problems
}

func (k *Kind) resolveCredentials(identity, password string, fillable []string) (problems []fault.Problem) {
	k.Identity = k.Column("Identity", cmp.Or(identity, "email"), reflect.String, &problems)
	k.Password = k.Column("Password", cmp.Or(password, "password_hash"), reflect.String, &problems)
	problems = append(problems, k.textProblems("Identity", k.Identity)...)
	problems = append(problems, k.textProblems("Password", k.Password)...)
	if k.Password != nil && k.Password == k.Identity {
		problems = append(problems, fault.NewProblem("Password", fmt.Sprintf("the column %q is also the identity", k.Password.Name), "name another column in one of the two"))
	}
	if group := k.sharedIdentity(); group != "" {
		problems = append(problems, fault.NewProblem("Identity", fmt.Sprintf("the column %q is unique only together with others (`bun:\"unique:%s\"`), so two accounts can have the same", k.Identity.Name, group),
			"tag it `bun:\",unique\"`, or let Load or BeforeSelect narrow the accounts to those among which it is unique"))
	}
	if isReservedMember(identity) {
		problems = append(problems, fault.NewProblem("Identity", fmt.Sprintf("the built-in routes use a member %q of the body themselves", identity), "use a column with another name"))
	}
	for i, name := range fillable {
		setting := fmt.Sprintf("Fillable[%d]", i)
		field := k.Column(setting, name, reflect.Invalid, &problems)
		if field != nil && (field == k.PK || field == k.Password || field == k.Identity || field == k.Table.SoftDeleteField) {
			problems = append(problems, fault.NewProblem(setting, fmt.Sprintf("clients must not set the column %q", name), "remove it"))
		} else if isReservedMember(name) {
			problems = append(problems, fault.NewProblem(setting, fmt.Sprintf("the built-in routes use a member %q of the body themselves, and its value would be stored in the column unchanged", name), "remove it, and set the column in Register"))
		}
		k.Fillable = append(k.Fillable, field)
	}
	if k.Password != nil && k.Password.StructField.Type.Kind() == reflect.String {
		problems = append(problems, k.hashProblems()...)
	}
	return problems
}

// sharedIdentity returns the name of a group of columns that Bun's tags make unique only
// together, if the identity belongs to it. It returns "" if a tag makes the identity
// unique alone, and for models without such tags, because their indexes may be created
// elsewhere.
func (k *Kind) sharedIdentity() (group string) {
	if k.Identity == nil || k.selectsSubset() {
		return ""
	}
	for name, fields := range k.Table.Unique {
		if !slices.Contains(fields, k.Identity) {
			continue
		}
		others := slices.ContainsFunc(fields, func(f *schema.Field) bool {
			// A column that marks deleted rows, and is equal in all other rows, does no harm.
			mark := f == k.Table.SoftDeleteField && !f.IsPtr && !f.NullZero
			return f != k.Identity && !mark
		})
		if name == "" || !others { // the group without a name has columns that are unique alone
			return ""
		}
		group = max(group, name)
	}
	return group
}

// isReservedMember reports whether the built-in routes use a member of this name
// themselves.
func isReservedMember(name string) bool { return name == "password" || name == "transport" }

func (k *Kind) resolveKey() []fault.Problem {
	if len(k.Table.PKs) != 1 {
		return []fault.Problem{fault.NewProblem("", fmt.Sprintf("the model has %d primary key columns, one is needed", len(k.Table.PKs)), "tag it `bun:\",pk\"`; the columns are "+k.columns())}
	}
	k.PK = k.Table.PKs[0]
	codec, ok := newSubjectCodec(k.PK.StructField.Type)
	if !ok {
		return []fault.Problem{fault.NewProblem("", fmt.Sprintf("the primary key %q is a %s", k.PK.Name, k.PK.StructField.Type), "use an integer, a string or a type with MarshalText and UnmarshalText, such as a UUID")}
	}
	k.subjects = codec
	return nil
}

// Column returns the column of the model with this name, or nil. It adds a problem if there
// is none, or if want is not Invalid and the field has another Go kind.
func (k *Kind) Column(setting, name string, want reflect.Kind, problems *[]fault.Problem) *schema.Field {
	field := k.Field(name)
	if field == nil {
		*problems = append(*problems, fault.NewProblem(setting, fmt.Sprintf("the model has no column %q", name), "set "+setting+" to one of its columns, which are "+k.columns()))
		return nil
	}
	if want != reflect.Invalid && field.StructField.Type.Kind() != want {
		*problems = append(*problems, fault.NewProblem(setting, fmt.Sprintf("the column %q is a %s, not a string", name, field.StructField.Type), "name another column, or make the field a string"))
	}
	return field
}

// Field returns the column of the model with this name, or nil.
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
