package fiberjwt

import (
	"fmt"
	"slices"
	"strings"

	"github.com/uptrace/bun/dialect"
	"github.com/uptrace/bun/schema"
)

// Kinds may share a table. An account is its row then: what ends the sessions of an
// account ends those of the row, under every kind of the table.

// shareProblems says what is wrong with k beside another kind of the same table.
func (k *kind) shareProblems(other *kind) (problems []string) {
	switch {
	case k.model == other.model:
		return []string{fmt.Sprintf("the model is that of kind %q already: declare another type, as in type Admin User, and let its Load or Allow say which rows are of that kind, because otherwise every account could sign in as either kind", other.name)}
	case !k.sharesTable(other):
		return nil
	}
	if which := k.tooWide(other); which != "" {
		problems = append(problems, fmt.Sprintf("the table is that of kind %q already, so accounts of one kind could sign in as the other: set Load or Allow of %s to say which rows are of that kind, such as Load: func(q *bun.SelectQuery) *bun.SelectQuery { return q.Where(\"admin = ?\", true) }%s", other.name, which, k.schemaHint(other)))
	}
	if k.pk != nil && other.pk != nil && (k.pk.Name != other.pk.Name || k.pk.StructField.Type != other.pk.StructField.Type) {
		problems = append(problems, fmt.Sprintf("the primary key is %s %s, but %s %s in kind %q of the same table: a new password ends the sessions of both kinds, so they must have the same key%s",
			k.pk.Name, k.pk.StructField.Type, other.pk.Name, other.pk.StructField.Type, other.name, k.schemaHint(other)))
	}
	return problems
}

// schemaHint is for two models of which one alone names a schema.
func (k *kind) schemaHint(other *kind) string {
	if (tablesOf(k.table)[0].schema == "") == (tablesOf(other.table)[0].schema == "") {
		return ""
	}
	return "; or if these are tables of two schemas, name the schema of both in the tags, as in `bun:\"table:public.users\"`"
}

// tooWide names the kind, of two on one table, that has to say which rows are its
// own, "" if both kinds are fine. One of the two may take every row, but not beside
// a kind in which people register unless they register in it, too: Allow of the
// other may be about something else, such as accounts that are banned.
func (k *kind) tooWide(other *kind) string {
	closed := func(k *kind) bool { return !k.narrowed && k.register == nil }
	switch {
	case closed(k) && other.register != nil:
		return fmt.Sprintf("kind %q", k.name)
	case closed(other) && k.register != nil:
		return fmt.Sprintf("kind %q", other.name)
	case !k.narrowed && !other.narrowed:
		return "the kind whose accounts may do more"
	}
	return ""
}

// sharesTable compares the tables that the models are read from and written to.
func (k *kind) sharesTable(other *kind) bool {
	if k.table == nil || other.table == nil {
		return false
	}
	fold := k.db.Dialect().Name() != dialect.PG // which compares quoted names as they are
	return slices.ContainsFunc(tablesOf(k.table), func(one tableName) bool {
		return slices.ContainsFunc(tablesOf(other.table), func(two tableName) bool { return one.is(two, fold) })
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

// joinTables notes in each kind which others share its rows. The kinds have no problems.
func joinTables(kinds []*kind) {
	for _, k := range kinds {
		k.counted = k.name
		k.sharing = []*kind{k}
	}
	for i, k := range kinds {
		for _, other := range kinds[:i] {
			if !k.sharesTable(other) {
				continue
			}
			k.sharing = append(k.sharing, other)
			other.sharing = append(other.sharing, k)
			if k.counted == k.name && k.samePassword(other) {
				k.counted = other.counted
			}
		}
	}
}

// samePassword reports whether the password of an account is the same in both kinds.
func (k *kind) samePassword(other *kind) bool {
	return k.password != nil && other.password != nil && k.password.Name == other.password.Name && k.identity.Name == other.identity.Name
}
