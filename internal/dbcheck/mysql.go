package dbcheck

import (
	"context"
	"slices"
	"strings"

	"github.com/uptrace/bun"
)

const mysqlColumns = `
SELECT c.COLUMN_NAME AS name, c.DATA_TYPE AS type, COALESCE(c.CHARACTER_MAXIMUM_LENGTH, 0) AS width,
  COALESCE(c.CHARACTER_SET_NAME, '') AS charset, c.IS_NULLABLE = 'YES' AS nullable,
  COALESCE(c.GENERATION_EXPRESSION, '') AS expression
FROM information_schema.COLUMNS AS c
WHERE c.TABLE_SCHEMA = COALESCE(NULLIF(?, ''), DATABASE()) AND c.TABLE_NAME = ?
ORDER BY c.ORDINAL_POSITION`

// mysqlViews is a separate statement: joined to COLUMNS, MariaDB opens the tables
// of all databases.
const mysqlViews = `
SELECT COUNT(*)
FROM information_schema.TABLES
WHERE TABLE_SCHEMA = COALESCE(NULLIF(?, ''), DATABASE()) AND TABLE_NAME = ? AND TABLE_TYPE LIKE '%VIEW'`

// mysqlIndexes returns an empty part for an expression, which only MySQL can index.
const mysqlIndexes = `
SELECT INDEX_NAME AS name, COALESCE(COLUMN_NAME, '') AS part, COALESCE(SUB_PART, 0) AS prefix
FROM information_schema.STATISTICS
WHERE TABLE_SCHEMA = COALESCE(NULLIF(?, ''), DATABASE()) AND TABLE_NAME = ? AND NON_UNIQUE = 0
ORDER BY INDEX_NAME, SEQ_IN_INDEX`

const mysqlExpressions = `
SELECT EXPRESSION
FROM information_schema.STATISTICS
WHERE TABLE_SCHEMA = COALESCE(NULLIF(?, ''), DATABASE()) AND TABLE_NAME = ? AND NON_UNIQUE = 0 AND COLUMN_NAME IS NULL
ORDER BY INDEX_NAME, SEQ_IN_INDEX`

var (
	mysqlTexts  = []string{"char", "varchar", "tinytext", "text", "mediumtext", "longtext", "varbinary", "tinyblob", "blob", "mediumblob", "longblob"}
	mysqlPadded = []string{"binary"} // CHAR is not padded: trailing blanks are removed when it is read
	mysqlPlain  = []string{"uuid", "tinyint", "smallint", "mediumint", "int", "bigint"}
)

func lookMySQL(ctx context.Context, db *bun.DB, table string) (Found, error) {
	schema, name := lastOf(table)
	var columns []struct {
		Name, Type string
		Width      int64
		Charset    string
		Nullable   bool
		Expression string
	}
	if err := db.NewRaw(mysqlColumns, schema, name).Scan(ctx, &columns); err != nil {
		return Found{}, err
	}
	var views int
	if err := db.NewRaw(mysqlViews, schema, name).Scan(ctx, &views); err != nil {
		return Found{}, err
	}
	found, generated := Found{Exists: len(columns) > 0, View: views > 0, folds: true}, map[string]string{}
	for _, c := range columns {
		column := FoundColumn{Name: c.Name, Type: strings.ToUpper(c.Type), Width: int(min(c.Width, 1<<20)), Charset: c.Charset, Nullable: c.Nullable, kind: other}
		switch {
		case slices.Contains(mysqlPadded, c.Type):
			column.kind = padded
		case slices.Contains(mysqlTexts, c.Type):
			column.kind = text
		case slices.Contains(mysqlPlain, c.Type):
			column.kind = plain
		}
		found.Columns = append(found.Columns, column)
		generated[c.Name] = c.Expression
	}
	var indexes []indexRow
	if err := db.NewRaw(mysqlIndexes, schema, name).Scan(ctx, &indexes); err != nil {
		return Found{}, err
	}
	if err := mysqlParts(ctx, db, schema, name, indexes, generated); err != nil {
		return Found{}, err
	}
	found.Unique = indexesOf(indexes)
	return found, nil
}

// mysqlParts fills in the expressions of indexes, or of the generated columns in
// them.
func mysqlParts(ctx context.Context, db *bun.DB, schema, name string, indexes []indexRow, generated map[string]string) error {
	var expressions []string
	if slices.ContainsFunc(indexes, func(row indexRow) bool { return row.Part == "" }) {
		if err := db.NewRaw(mysqlExpressions, schema, name).Scan(ctx, &expressions); err != nil {
			return err
		}
	}
	for i, row := range indexes {
		switch {
		case row.Part == "" && len(expressions) > 0:
			indexes[i].Part, expressions = expressions[0], expressions[1:]
		case generated[row.Part] != "":
			indexes[i].Part = generated[row.Part]
		}
	}
	return nil
}
