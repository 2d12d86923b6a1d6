package dbcheck

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect"

	"github.com/fiberjwt/fiberjwt/internal/fault"
)

// Column is a column that an application reads and writes.
type Column struct {
	Name    string
	Setting string // the setting that names it, such as "Identity"; "" if only the model names it
	Width   int    // characters that it must have room for, 0 for any width
	Exact   bool   // a text that must be read as it was written
	Key     bool   // a program makes such a text: all have one length and one form
	Any     bool   // a text of any characters
	Alone   bool   // no two rows may have the same value
}

// Table is a table that an application reads and writes.
type Table struct {
	Name       string // with its schema, as in Bun's tag
	Columns    []Column
	SoftDelete string // the column that marks deleted rows, "" if there is none
	// Narrowed means that the application sees only a part of the rows, for instance
	// those of a tenant. A value can be unique there although it is not unique in the
	// table.
	Narrowed bool
}

// Found is what a database has under the name of a table.
type Found struct {
	Exists  bool
	View    bool // it has no indexes of its own
	Columns []FoundColumn
	Unique  []Index

	OnConflict string // of SQLite: what happens to a row that violates a constraint, "" if it is refused

	folds bool // names of columns are case-insensitive
}

// FoundColumn is a column of a database.
type FoundColumn struct {
	Name     string
	Type     string
	Width    int    // in characters, or bytes of a binary type; 0 means no limit
	Charset  string // of a text, if columns have character sets, else ""
	Nullable bool
	kind     kind
}

// kind is how a type treats a text.
type kind int

const (
	text    kind = iota // stores it unchanged
	padded              // pads it with blanks or zeros
	numbers             // stores "007" as 7
	plain               // is for UUIDs or integers, which are read in one form
	other               // is for something else
)

// leastKey is the length from which a padded column may be for keys that fill it:
// ULID, KSUID, nanoid, UUID.
const leastKey = 16

// Index is a unique index.
type Index struct {
	Name      string
	Parts     []string // names of columns, or expressions
	Predicate string   // selects the rows of the index, "" for all
	Prefix    int      // characters of its first part that it compares, 0 for all
	Settled   bool     // NULL equals NULL
}

// Look finds a table. known is false for a database that this package cannot ask.
func Look(ctx context.Context, db *bun.DB, table string) (found Found, known bool, err error) {
	switch db.Dialect().Name() {
	case dialect.SQLite:
		found, err = lookSQLite(ctx, db, table)
	case dialect.PG:
		found, err = lookPostgres(ctx, db, table)
	case dialect.MySQL:
		found, err = lookMySQL(ctx, db, table)
	default:
		return Found{}, false, nil
	}
	return found, true, err
}

// Column returns the column with this name.
func (f Found) Column(name string) (FoundColumn, bool) {
	i := slices.IndexFunc(f.Columns, func(c FoundColumn) bool {
		return c.Name == name || f.folds && strings.EqualFold(c.Name, name)
	})
	if i < 0 {
		return FoundColumn{}, false
	}
	return f.Columns[i], true
}

// Faults returns the problems of the table that was found.
func (t Table) Faults(f Found) (problems []fault.Problem) {
	if !f.Exists {
		return []fault.Problem{fault.NewProblem("", "the table does not exist", "create it before the first request")}
	}
	if f.OnConflict != "" {
		problems = append(problems, fault.NewProblem("", fmt.Sprintf("a constraint of the table has ON CONFLICT %s, so the database reports no error when a registration takes the identity of another account, and one of the two rows is lost", f.OnConflict), "create the table without that clause"))
	}
	for _, c := range t.Columns {
		problems = append(problems, fault.Within(c.Setting, t.columnFaults(f, c))...)
	}
	return problems
}

func (t Table) columnFaults(f Found, c Column) (problems []fault.Problem) {
	found, ok := f.Column(c.Name)
	if !ok {
		return []fault.Problem{fault.NewProblem("", fmt.Sprintf("the table has no column %q", c.Name), "bring it up to the model; its columns are "+f.names())}
	}
	if reason := found.changes(c); reason != "" {
		problems = append(problems, fault.NewProblem("", fmt.Sprintf("the column %q is a %s, which %s", c.Name, found.Type, reason), "make it a VARCHAR or TEXT"))
	}
	if found.Width > 0 && found.Width < c.Width {
		problems = append(problems, fault.NewProblem("", fmt.Sprintf("the column %q has room for %d characters, %d are needed", c.Name, found.Width, c.Width), "widen it, for example to VARCHAR(255)"))
	}
	if c.Any && found.Charset != "" && found.Charset != "utf8mb4" {
		problems = append(problems, fault.NewProblem("", fmt.Sprintf("the column %q has the character set %s, which lacks most characters", c.Name, found.Charset), "convert it to utf8mb4"))
	}
	if c.Alone && !f.View {
		problems = append(problems, t.uniqueProblems(f, c.Name)...)
	}
	return append(problems, f.shortIndexes(c)...)
}

// shortIndexes reports unique indexes on a prefix: of two accounts with the same
// prefix only one can be stored.
func (f Found) shortIndexes(c Column) (problems []fault.Problem) {
	for _, index := range f.Unique {
		if 0 < index.Prefix && index.Prefix < c.Width && len(index.Parts) == 1 && strings.EqualFold(index.Parts[0], c.Name) {
			problems = append(problems, fault.NewProblem("", fmt.Sprintf("%s is a unique index on the first %d characters of the column %q, so of two accounts that begin alike only one can register",
				index.Name, index.Prefix, c.Name), "index the whole column"))
		}
	}
	return problems
}

// changes says how the type changes a text, "" if it does not.
func (f FoundColumn) changes(c Column) string {
	switch {
	case f.kind == padded && c.Exact && (!c.Key || f.Width < leastKey):
		return "pads shorter texts, so that they come back changed"
	case f.kind == numbers && c.Any:
		return "stores digits as a number, so that they come back changed"
	case f.kind == other && c.Exact, f.kind == plain && c.Exact && !c.Key:
		return "is not a type of texts"
	}
	return ""
}

func (f Found) names() string {
	names := make([]string, len(f.Columns))
	for i, c := range f.Columns {
		names[i] = c.Name
	}
	return strings.Join(names, ", ")
}

// uniqueProblems reports that no index prevents two rows with the same value in column.
func (t Table) uniqueProblems(f Found, column string) []fault.Problem {
	var near []string
	for _, index := range f.Unique {
		if !slices.ContainsFunc(index.Parts, func(part string) bool { return mentions(part, column) }) {
			continue
		}
		alone := !slices.ContainsFunc(index.Parts, func(part string) bool { return !t.harmless(f, index, part, column) })
		if t.Narrowed || alone && t.covers(index.Predicate, column) {
			return nil
		}
		near = append(near, fmt.Sprintf("%s is for (%s)%s", index.Name, strings.Join(index.Parts, ", "), where(index.Predicate)))
	}
	reason := fmt.Sprintf("no unique index on the column %q alone, so two accounts can have the same value, and then neither can sign in", column)
	if len(near) > 0 {
		reason += "; " + strings.Join(near, "; ")
	}
	return []fault.Problem{fault.NewProblem("", reason, "create a unique index on the column")}
}

func where(predicate string) string {
	if predicate == "" {
		return ""
	}
	return " where " + predicate
}

// harmless reports whether a part of an index is the same for all living rows with
// the same value in column.
func (t Table) harmless(f Found, index Index, part, column string) bool {
	if c, ok := f.Column(part); ok && !strings.EqualFold(c.Name, column) {
		// Without NULLS NOT DISTINCT, NULL does not equal NULL.
		return strings.EqualFold(c.Name, t.SoftDelete) && (!c.Nullable || index.Settled)
	}
	return !slices.ContainsFunc(f.Columns, func(c FoundColumn) bool {
		return !strings.EqualFold(c.Name, column) && !strings.EqualFold(c.Name, t.SoftDelete) && mentions(part, c.Name)
	})
}

var cast = regexp.MustCompile(`::[\pL\pN_ "]+`) // of PostgreSQL; a column may have the name of the type

// mentions reports whether part is column, or an expression with it.
func mentions(part, column string) bool {
	part = cast.ReplaceAllString(part, "")
	return regexp.MustCompile(`(?i)(^|[^\pL\pN_$])` + regexp.QuoteMeta(column) + `($|[^\pL\pN_$])`).MatchString(part)
}

// covers reports whether the predicate selects all rows that matter.
func (t Table) covers(predicate, column string) bool {
	if predicate == "" {
		return true
	}
	plain := strings.ToLower(strings.Join(strings.Fields(strings.NewReplacer("(", " ", ")", " ", `"`, "", "`", "", "[", "", "]", "").Replace(cast.ReplaceAllString(predicate, ""))), " "))
	for condition := range strings.SplitSeq(plain, " and ") {
		living := t.SoftDelete != "" && condition == strings.ToLower(t.SoftDelete)+" is null"
		rest, named := strings.CutPrefix(condition, strings.ToLower(column)+" ") // accounts without an identity never sign in
		signsIn := named && slices.Contains([]string{"is not null", "<> ''", "!= ''"}, rest)
		if !living && !signsIn {
			return false
		}
	}
	return true
}

// lastOf splits the name of a table into schema and name.
func lastOf(table string) (schema, name string) {
	if i := strings.LastIndexByte(table, '.'); i >= 0 {
		return table[:i], table[i+1:]
	}
	return "", table
}

// indexesOf joins the rows of a catalog, one for each part, in the order of the
// parts.
func indexesOf(rows []indexRow) (indexes []Index) {
	for _, row := range rows {
		if n := len(indexes); n > 0 && indexes[n-1].Name == row.Name {
			indexes[n-1].Parts = append(indexes[n-1].Parts, row.Part)
			continue
		}
		indexes = append(indexes, Index{Name: row.Name, Parts: []string{row.Part}, Predicate: row.Predicate, Prefix: row.Prefix, Settled: row.Settled})
	}
	return indexes
}

type indexRow struct {
	Name      string
	Part      string
	Predicate string
	Prefix    int
	Settled   bool
}
