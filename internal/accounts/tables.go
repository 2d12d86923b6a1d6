package accounts

import (
	"fmt"
	"slices"
	"strings"

	"github.com/uptrace/bun/dialect"
	"github.com/uptrace/bun/schema"

	"github.com/fiberjwt/fiberjwt/internal/fault"
)

// Several kinds may share a table. Then the sessions of a row under all of these kinds end
// together.

// ShareProblems returns the problems of k and another kind if they share a table or a
// model.
func (k *Kind) ShareProblems(other *Kind) (problems []fault.Problem) {
	switch {
	case k.Model == other.Model:
		return []fault.Problem{fault.NewProblem("", fmt.Sprintf("kind %q already has this model, so every account could sign in as either kind", other.Name), "declare another type on the same table, as in type Admin User where User has bun.BaseModel with the tag `bun:\"table:users\"`, give its Entity a Name, and let its Load or Allow say which rows are of that kind")}
	case !k.sharesTable(other):
		return nil
	}
	if which := k.unrestrictedKind(other); which != "" {
		problems = append(problems, fault.NewProblem("", fmt.Sprintf("kind %q already has this table, so accounts of one kind could sign in as the other", other.Name),
			fmt.Sprintf("set Load or Allow of %s to say which rows are of that kind, such as Load: func(q *bun.SelectQuery) *bun.SelectQuery { return q.Where(\"admin = ?\", true) }%s", which, k.schemaHint(other))))
	}
	if k.PK != nil && other.PK != nil && (k.PK.Name != other.PK.Name || k.PK.StructField.Type != other.PK.StructField.Type) {
		problems = append(problems, fault.NewProblem("", fmt.Sprintf("the primary key is %s %s, but %s %s in kind %q of the same table, and a new password ends the sessions of both kinds",
			k.PK.Name, k.PK.StructField.Type, other.PK.Name, other.PK.StructField.Type, other.Name), "give both models the same key"+k.schemaHint(other)))
	}
	return problems
}

// schemaHint returns an addition to a problem if only one of the two models names a schema.
func (k *Kind) schemaHint(other *Kind) string {
	if (tablesOf(k.Table)[0].schema == "") == (tablesOf(other.Table)[0].schema == "") {
		return ""
	}
	return "; or if these are tables of two schemas, name the schema of both in the tags, as in `bun:\"table:public.users\"`"
}

// unrestrictedKind returns which of two kinds on one table must restrict its rows, "" if
// none must. One of the two may accept every row. But if clients can register in the
// other one, they must be able to register in this one too: Allow of the other kind may
// not restrict the rows, but exclude banned accounts, for example.
func (k *Kind) unrestrictedKind(other *Kind) string {
	isClosed := func(k *Kind) bool { return !k.narrowed && !k.registers }
	switch {
	case isClosed(k) && other.registers:
		return fmt.Sprintf("kind %q", k.Name)
	case isClosed(other) && k.registers:
		return fmt.Sprintf("kind %q", other.Name)
	case !k.narrowed && !other.narrowed:
		return "the kind whose accounts may do more"
	}
	return ""
}

// sharesTable reports whether two models are read from or written to the same table.
func (k *Kind) sharesTable(other *Kind) bool {
	if k.Table == nil || other.Table == nil {
		return false
	}
	fold := k.DB.Dialect().Name() != dialect.PG // there, quoted names are case-sensitive
	return slices.ContainsFunc(tablesOf(k.Table), func(one tableName) bool {
		return slices.ContainsFunc(tablesOf(other.Table), func(two tableName) bool { return one.is(two, fold) })
	})
}

// tableName is the name of a table. The schema is "" if the model does not name it.
type tableName struct{ schema, name string }

func tablesOf(t *schema.Table) []tableName {
	return []tableName{newTableName(string(t.SQLName)), newTableName(string(t.SQLNameForSelects))}
}

// newTableName parses a name that Bun has quoted.
func newTableName(quoted string) tableName {
	name := strings.NewReplacer(`"`, "", "`", "", "[", "", "]", "").Replace(quoted)
	if dot := strings.LastIndexByte(name, '.'); dot >= 0 {
		return tableName{name[:dot], name[dot+1:]}
	}
	return tableName{"", name}
}

// is reports whether both can be the same table: a missing schema matches every schema.
func (t tableName) is(other tableName, fold bool) bool {
	same := func(a, b string) bool { return a == b || fold && strings.EqualFold(a, b) }
	return same(t.name, other.name) && (t.schema == "" || other.schema == "" || same(t.schema, other.schema))
}

// Kinds returns the names of the kinds on the same table, this one first.
func (k *Kind) Kinds() []string {
	names := make([]string, len(k.Sharing))
	for i, of := range k.Sharing {
		names[i] = of.Name
	}
	return names
}

// JoinTables sets Sharing and Counted of each kind. The kinds must have no problems.
func JoinTables(kinds []*Kind) {
	for _, k := range kinds {
		k.Counted = k.Name
		k.Sharing = []*Kind{k}
	}
	for i, k := range kinds {
		for _, other := range kinds[:i] {
			if !k.sharesTable(other) {
				continue
			}
			k.Sharing = append(k.Sharing, other)
			other.Sharing = append(other.Sharing, k)
			if k.Counted == k.Name && k.samePassword(other) {
				k.Counted = other.Counted
			}
		}
	}
}

// samePassword reports whether the password of an account is the same in both kinds.
func (k *Kind) samePassword(other *Kind) bool {
	return k.Password != nil && other.Password != nil && k.Password.Name == other.Password.Name && k.Identity.Name == other.Identity.Name
}
