package accounts

import (
	"fmt"
	"slices"
	"strings"

	"github.com/uptrace/bun/dialect"
	"github.com/uptrace/bun/schema"
)

// Kinds may share a table. An account is its row then: what ends the sessions of an
// account ends those of the row, under every kind of the table.

// ShareProblems says what is wrong with k beside another kind of the same table.
func (k *Kind) ShareProblems(other *Kind) (problems []string) {
	switch {
	case k.Model == other.Model:
		return []string{fmt.Sprintf("the model is that of kind %q already: declare another type, as in type Admin User, and let its Load or Allow say which rows are of that kind, because otherwise every account could sign in as either kind", other.Name)}
	case !k.sharesTable(other):
		return nil
	}
	if which := k.tooWide(other); which != "" {
		problems = append(problems, fmt.Sprintf("the table is that of kind %q already, so accounts of one kind could sign in as the other: set Load or Allow of %s to say which rows are of that kind, such as Load: func(q *bun.SelectQuery) *bun.SelectQuery { return q.Where(\"admin = ?\", true) }%s", other.Name, which, k.schemaHint(other)))
	}
	if k.PK != nil && other.PK != nil && (k.PK.Name != other.PK.Name || k.PK.StructField.Type != other.PK.StructField.Type) {
		problems = append(problems, fmt.Sprintf("the primary key is %s %s, but %s %s in kind %q of the same table: a new password ends the sessions of both kinds, so they must have the same key%s",
			k.PK.Name, k.PK.StructField.Type, other.PK.Name, other.PK.StructField.Type, other.Name, k.schemaHint(other)))
	}
	return problems
}

// schemaHint is for two models of which one alone names a schema.
func (k *Kind) schemaHint(other *Kind) string {
	if (tablesOf(k.Table)[0].schema == "") == (tablesOf(other.Table)[0].schema == "") {
		return ""
	}
	return "; or if these are tables of two schemas, name the schema of both in the tags, as in `bun:\"table:public.users\"`"
}

// tooWide names the kind, of two on one table, that has to say which rows are its
// own, "" if both kinds are fine. One of the two may take every row, but not beside
// a kind in which people register unless they register in it, too: Allow of the
// other may be about something else, such as accounts that are banned.
func (k *Kind) tooWide(other *Kind) string {
	closed := func(k *Kind) bool { return !k.narrowed && !k.registers }
	switch {
	case closed(k) && other.registers:
		return fmt.Sprintf("kind %q", k.Name)
	case closed(other) && k.registers:
		return fmt.Sprintf("kind %q", other.Name)
	case !k.narrowed && !other.narrowed:
		return "the kind whose accounts may do more"
	}
	return ""
}

// sharesTable compares the tables that the models are read from and written to.
func (k *Kind) sharesTable(other *Kind) bool {
	if k.Table == nil || other.Table == nil {
		return false
	}
	fold := k.DB.Dialect().Name() != dialect.PG // which compares quoted names as they are
	return slices.ContainsFunc(tablesOf(k.Table), func(one tableName) bool {
		return slices.ContainsFunc(tablesOf(other.Table), func(two tableName) bool { return one.is(two, fold) })
	})
}

// tableName is the name of a table. The schema is "" if the model does not name it.
type tableName struct{ schema, name string }

func tablesOf(t *schema.Table) []tableName {
	return []tableName{newTableName(string(t.SQLName)), newTableName(string(t.SQLNameForSelects))}
}

// newTableName reads a name as Bun quotes it.
func newTableName(quoted string) tableName {
	name := strings.NewReplacer(`"`, "", "`", "", "[", "", "]", "").Replace(quoted)
	if dot := strings.LastIndexByte(name, '.'); dot >= 0 {
		return tableName{name[:dot], name[dot+1:]}
	}
	return tableName{"", name}
}

// is reports whether both may be the same table: a missing schema may be any.
func (t tableName) is(other tableName, fold bool) bool {
	same := func(a, b string) bool { return a == b || fold && strings.EqualFold(a, b) }
	return same(t.name, other.name) && (t.schema == "" || other.schema == "" || same(t.schema, other.schema))
}

// Kinds names the kinds of the same table, this one first.
func (k *Kind) Kinds() []string {
	names := make([]string, len(k.Sharing))
	for i, of := range k.Sharing {
		names[i] = of.Name
	}
	return names
}

// JoinTables notes in each kind which others share its rows. The kinds have no problems.
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
