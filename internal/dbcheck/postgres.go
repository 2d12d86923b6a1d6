package dbcheck

import (
	"context"
	"slices"

	"github.com/uptrace/bun"
)

// postgresColumns returns the base type of a domain, which may be a domain over
// another one.
const postgresColumns = `
WITH RECURSIVE typed AS (
  SELECT a.attnum, a.attname, a.atttypid AS oid, a.atttypmod AS modifier, a.attnotnull AS filled
  FROM pg_attribute AS a
  WHERE a.attrelid = to_regclass(?) AND a.attnum > 0 AND NOT a.attisdropped
UNION ALL
  SELECT d.attnum, d.attname, t.typbasetype, greatest(d.modifier, t.typtypmod), d.filled OR t.typnotnull
  FROM typed AS d JOIN pg_type AS t ON t.oid = d.oid AND t.typtype = 'd'
)
SELECT d.attname AS name, t.typname AS type, t.typcategory::text AS category, d.modifier, NOT d.filled AS nullable,
  (SELECT c.relkind::text FROM pg_class AS c WHERE c.oid = to_regclass(?)) AS relation
FROM typed AS d JOIN pg_type AS t ON t.oid = d.oid AND t.typtype <> 'd'
ORDER BY d.attnum`

// postgresIndexes returns a generated column as its expression. The catalog has a
// column for NULLS NOT DISTINCT since PostgreSQL 15.
const postgresIndexes = `
SELECT n.relname AS name, COALESCE(pg_get_expr(i.indpred, i.indrelid), '') AS predicate,
  COALESCE((to_jsonb(i) ->> 'indnullsnotdistinct')::boolean, false) AS settled,
  COALESCE(CASE WHEN a.attgenerated <> '' THEN pg_get_expr(d.adbin, d.adrelid) END, a.attname, pg_get_indexdef(i.indexrelid, k.n, true)) AS part
FROM pg_index AS i
  JOIN pg_class AS n ON n.oid = i.indexrelid
  CROSS JOIN LATERAL generate_series(1, i.indnkeyatts) AS k (n)
  LEFT JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[k.n - 1] AND a.attnum > 0
  LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE i.indrelid = to_regclass(?) AND (i.indisunique OR i.indisexclusion) AND i.indisvalid
ORDER BY n.relname, k.n`

func lookPostgres(ctx context.Context, db *bun.DB, table string) (Found, error) {
	name := quoted(db, table)
	var columns []struct {
		Name, Type, Category string
		Modifier             int
		Nullable             bool
		Relation             string
	}
	if err := db.NewRaw(postgresColumns, name, name).Scan(ctx, &columns); err != nil {
		return Found{}, err
	}
	found := Found{Exists: len(columns) > 0}
	for _, c := range columns {
		found.View = c.Relation == "v" || c.Relation == "f"
		column := FoundColumn{Name: c.Name, Type: c.Type, Nullable: c.Nullable, kind: other}
		switch {
		case c.Type == "bpchar":
			column.Type, column.kind = "CHAR", padded
		case c.Type == "name": // which truncates longer texts
			column.Width, column.kind = 63, text
		case slices.Contains([]string{"uuid", "int2", "int4", "int8"}, c.Type):
			column.kind = plain
		case c.Category == "S" && c.Type != "char": // "char" has one byte, and category S before PostgreSQL 15
			column.kind = text
		}
		if c.Modifier > 4 && (c.Type == "bpchar" || c.Type == "varchar") {
			column.Width = c.Modifier - 4
		}
		found.Columns = append(found.Columns, column)
	}
	var indexes []indexRow
	if err := db.NewRaw(postgresIndexes, name).Scan(ctx, &indexes); err != nil {
		return Found{}, err
	}
	found.Unique = indexesOf(indexes)
	return found, nil
}

// quoted returns the name of a table as Bun writes it.
func quoted(db *bun.DB, table string) string {
	return string(db.QueryGen().AppendIdent(nil, table))
}
