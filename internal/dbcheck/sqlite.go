package dbcheck

import (
	"context"
	"database/sql"
	"errors"
	"regexp"
	"strings"

	"github.com/uptrace/bun"
)

const sqliteColumns = `SELECT name, type, "notnull" = 0 AS nullable, hidden > 1 AS generated FROM pragma_table_xinfo(?, ?) ORDER BY cid`

const sqliteIndexes = `
SELECT l.name, COALESCE(x.name, '') AS part, COALESCE(s.sql, '') AS statement
FROM pragma_index_list(?, ?) AS l
  JOIN pragma_index_xinfo(l.name, ?) AS x ON x.key = 1
  LEFT JOIN ?.sqlite_master AS s ON s.type = 'index' AND s.name = l.name
WHERE l."unique" = 1
ORDER BY l.name, x.seqno`

func lookSQLite(ctx context.Context, db *bun.DB, table string) (Found, error) {
	schema, name := lastOf(table)
	if schema == "" {
		schema = "main"
	}
	var columns []struct {
		Name, Type          string
		Nullable, Generated bool
	}
	if err := db.NewRaw(sqliteColumns, name, schema).Scan(ctx, &columns); err != nil {
		return Found{}, err
	}
	var kind, statement string
	err := db.NewSelect().TableExpr("?.sqlite_master", bun.Ident(schema)).ColumnExpr("type, sql").
		Where("type IN ('table', 'view') AND name = ? COLLATE NOCASE", name).Scan(ctx, &kind, &statement)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return Found{}, err
	}
	found, generated := Found{Exists: len(columns) > 0, View: kind == "view", folds: true}, map[string]string{}
	for _, c := range columns {
		if c.Generated {
			generated[c.Name] = generatedAs(statement, c.Name)
		}
		found.Columns = append(found.Columns, FoundColumn{Name: c.Name, Type: c.Type, Nullable: c.Nullable, kind: affinity(c.Type)})
	}
	var parts []struct{ Name, Part, Statement string }
	if err := db.NewRaw(sqliteIndexes, name, schema, schema, bun.Ident(schema)).Scan(ctx, &parts); err != nil {
		return Found{}, err
	}
	rows := make([]indexRow, len(parts))
	for i, p := range parts {
		expression, predicate := indexOf(p.Statement)
		if p.Part == "" {
			p.Part = expression
		}
		if expression := generated[p.Part]; expression != "" {
			p.Part = expression
		}
		rows[i] = indexRow{Name: p.Name, Part: p.Part, Predicate: predicate}
	}
	found.Unique = indexesOf(rows)
	found.OnConflict, err = sqliteOnConflict(ctx, db, schema, name)
	return found, err
}

var (
	sqliteAside    = regexp.MustCompile(`(?is)'(?:[^']|'')*'|"(?:[^"]|"")*"|--[^\n]*|/\*.*?\*/`)
	sqliteNull     = regexp.MustCompile(`(?i)\bNOT\s+NULL\s+ON\s+CONFLICT\s+REPLACE\b`) // this one stores the default value
	sqliteConflict = regexp.MustCompile(`(?i)\bON\s+CONFLICT\s+(REPLACE|IGNORE)\b`)
)

// sqliteOnConflict returns what a table does with a row that violates a constraint:
// REPLACE or IGNORE, or "" if it refuses the row.
func sqliteOnConflict(ctx context.Context, db *bun.DB, schema, name string) (string, error) {
	var statements []string
	err := db.NewSelect().TableExpr("?.sqlite_master", bun.Ident(schema)).ColumnExpr("COALESCE(sql, '')").
		Where("type = 'table' AND name = ? COLLATE NOCASE", name).Scan(ctx, &statements)
	if err != nil || len(statements) == 0 {
		return "", err
	}
	plain := sqliteNull.ReplaceAllString(sqliteAside.ReplaceAllString(statements[0], " "), " ")
	if clause := sqliteConflict.FindStringSubmatch(plain); clause != nil {
		return strings.ToUpper(clause[1]), nil
	}
	return "", nil
}

// affinity returns the kind of a column by its declared type
// (https://www.sqlite.org/datatype3.html §3.1): a numeric column stores "007" as 7.
// SQLite ignores lengths.
func affinity(declared string) kind {
	declared = strings.ToUpper(declared)
	has := func(part string) bool { return strings.Contains(declared, part) }
	switch {
	case has("INT"):
		return numbers
	case has("CHAR"), has("CLOB"), has("TEXT"), has("BLOB"), declared == "":
		return text
	}
	return numbers
}

var comments = regexp.MustCompile(`(?s)--[^\n]*|/\*.*?\*/`)

var indexParts = regexp.MustCompile(`(?is)\bON\b[^(]*\((.*?)\)\s*(?:WHERE\b(.*))?$`)

// indexOf returns the parts and the predicate in CREATE INDEX, "" for an index that
// a constraint made.
func indexOf(statement string) (parts, predicate string) {
	found := indexParts.FindStringSubmatch(strings.TrimSpace(comments.ReplaceAllString(statement, " ")))
	if found == nil {
		return "", ""
	}
	return found[1], strings.TrimSpace(found[2])
}

// generatedAs returns the expression of a generated column in CREATE TABLE, "" if
// it cannot find one.
func generatedAs(statement, column string) string {
	statement = comments.ReplaceAllString(statement, " ")
	start := regexp.MustCompile("(?is)[\\s,(\"\\[`]" + regexp.QuoteMeta(column) + "[\"\\]`]?\\s[^,]*?\\bAS\\s*\\(").FindStringIndex(statement)
	if start == nil {
		return ""
	}
	depth := 1
	for i, letter := range statement[start[1]:] {
		switch letter {
		case '(':
			depth++
		case ')':
			depth--
		}
		if depth == 0 {
			return statement[start[1] : start[1]+i]
		}
	}
	return ""
}
