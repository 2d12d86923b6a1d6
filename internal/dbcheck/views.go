package dbcheck

import (
	"context"
	"strings"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect"
)

// Views has the SELECT of each view of a database, by schema and name, and by the
// name alone if the view needs no schema.
type Views map[string]string

var viewDefinitions = map[dialect.Name]string{
	dialect.SQLite: "SELECT 'main' AS schema_name, name, sql AS definition, TRUE AS visible FROM main.sqlite_master WHERE type = 'view'",
	dialect.PG: "SELECT n.nspname AS schema_name, c.relname AS name, COALESCE(pg_get_viewdef(c.oid), '') AS definition, pg_table_is_visible(c.oid) AS visible" +
		" FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE c.relkind = 'v' AND n.nspname NOT IN ('pg_catalog', 'information_schema')",
	dialect.MySQL: "SELECT TABLE_SCHEMA AS schema_name, TABLE_NAME AS name, COALESCE(VIEW_DEFINITION, '') AS definition, TABLE_SCHEMA = DATABASE() AS visible" +
		" FROM information_schema.VIEWS WHERE TABLE_SCHEMA NOT IN ('sys', 'mysql')",
}

// ViewsOf reads the views of a database that Look knows.
func ViewsOf(ctx context.Context, db *bun.DB) (Views, error) {
	var rows []struct {
		SchemaName, Name, Definition string
		Visible                      bool
	}
	if err := db.NewRaw(viewDefinitions[db.Dialect().Name()]).Scan(ctx, &rows); err != nil {
		return nil, err
	}
	views := Views{}
	for _, row := range rows {
		name := strings.ToLower(row.Name)
		views[strings.ToLower(row.SchemaName)+"."+name] = row.Definition
		if row.Visible {
			views[name] = row.Definition
		}
	}
	return views, nil
}

// Meet reports whether two tables or views show rows of the same table, as far as
// the definitions show it.
func (v Views) Meet(one, two string) bool {
	first, second := map[string]bool{}, map[string]bool{}
	v.follow(one, first)
	v.follow(two, second)
	for name := range first {
		if second[name] {
			return true
		}
	}
	return false
}

// follow collects name and everything that it reads, each also without its schema.
func (v Views) follow(name string, read map[string]bool) {
	name = strings.ToLower(name)
	if read[name] {
		return
	}
	_, plain := lastOf(name)
	read[name], read["."+plain] = true, true
	for _, source := range sources(v[name]) {
		v.follow(source, read)
	}
}

var unquoted = strings.NewReplacer(`"`, "", "`", "", "[", "", "]", "", "(", " ", ")", " ", ",", " , ", ";", " ; ")

// sources returns the names after FROM and JOIN in a SELECT.
func sources(definition string) (names []string) {
	listing, next := false, false // inside FROM; a name comes next
	for _, word := range strings.Fields(strings.ToLower(unquoted.Replace(definition))) {
		switch word {
		case "from", "join":
			listing, next = true, true
		case "select", "where", "group", "having", "order", "union", "limit", ";":
			listing, next = false, false
		case ",":
			next = listing
		case "only", "lateral":
		default:
			if next {
				names = append(names, word)
			}
			next = false
		}
	}
	return names
}
