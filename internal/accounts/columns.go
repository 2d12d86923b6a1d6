package accounts

import (
	"bytes"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/uptrace/bun/schema"

	"github.com/fiberjwt/fiberjwt/internal/fault"
)

// What Bun's tags, and the methods of a column's type, tell of a kind without
// asking the database.

// leastHashWidth is what a column must hold for a hash of any [Password] but the
// most costly.
const leastHashWidth = 100

// Texts as they are written to the columns of identity and hash.
const (
	probeIdentity = "ann.o'hara@example.com"
	probeHash     = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$AbC/dEf+GhI"
)

// textProblems says why a column cannot be compared with what was written to it.
func (k *Kind) textProblems(setting string, field *schema.Field) (problems []string) {
	if field == nil || field.StructField.Type.Kind() != reflect.String {
		return nil // reported already
	}
	if !k.keepsText(field, probeIdentity) || !k.keepsText(field, probeHash) {
		return []string{fmt.Sprintf("%s: the column %q does not hold the text of %s: its type, %s, or its tag turns it into something else, which no statement finds again; use a string without Value, Scan and json or msgpack",
			setting, field.Name, field.GoName, field.StructField.Type)}
	}
	if width, ok := widthOf(field.UserSQLType); ok && field == k.Password && width < leastHashWidth {
		return []string{fmt.Sprintf("%s: the column %q of type %s is too short for a hash: tag it `bun:\"type:varchar(255)\"`", setting, field.Name, field.UserSQLType)}
	}
	return nil
}

// keepsText says that Bun writes the text of a column as it is, and reads it so.
func (k *Kind) keepsText(field *schema.Field, text string) (kept bool) {
	defer func() {
		if recover() != nil { // of a Value or Scan
			kept = false
		}
	}()
	account := reflect.New(k.Model).Elem()
	field.Value(account).SetString(text)
	written := field.AppendValue(k.DB.QueryGen(), nil, account)
	if !bytes.Equal(written, k.DB.Dialect().AppendString(nil, text)) {
		return false
	}
	for _, read := range []any{text, []byte(text)} {
		account.SetZero()
		if field.ScanValue(account, read) != nil || field.Value(account).String() != text {
			return false
		}
	}
	return true
}

var boundedType = regexp.MustCompile(`(?i)^\s*(?:national\s+)?n?(?:var)?(?:char(?:acter)?(?:\s+varying)?|binary)2?\s*\(\s*(\d+)`)

// widthOf a column of a type such as varchar(60), ok if it has one.
func widthOf(sqlType string) (width int, ok bool) {
	match := boundedType.FindStringSubmatch(sqlType)
	if match == nil {
		return 0, false
	}
	width, err := strconv.Atoi(match[1])
	return width, err == nil
}

// loadProblems says that nothing in the SELECT that Load shapes has the model's
// alias, which all conditions of this package use, or that it lacks a column of the
// fingerprint. It calls Load; a panic is left for the first request to report.
func (k *Kind) loadProblems() (problems []string) {
	if k.load == nil {
		return nil
	}
	query, err := k.shaped()
	if err != nil {
		return nil
	}
	if !namedAs(query, k.Table.Alias) {
		problems = append(problems, fmt.Sprintf("Load: nothing in the SELECT has the alias %q of the model: let ModelTableExpr end with \"AS ?TableAlias\"", k.Table.Alias))
	}
	for _, field := range k.Telling {
		if !selects(query, field.Name) {
			problems = append(problems, fmt.Sprintf("Load: the SELECT leaves the column %q out, which tells an account from the next one with its key: select it, or set Identity to a column that does so and is selected", field.Name))
		}
	}
	return problems
}

var inParentheses = regexp.MustCompile(`\([^()]*\)`)

// selects says that the columns of a SELECT have one of the name, or are all.
func selects(query, column string) bool {
	for inParentheses.MatchString(query) {
		query = inParentheses.ReplaceAllString(query, "")
	}
	columns := regexp.MustCompile(`(?i)\sFROM\s`).Split(query, 2)[0]
	return strings.Contains(columns, "*") || regexp.MustCompile(`(?i)(^|[^\pL\pN_$])`+regexp.QuoteMeta(column)+`($|[^\pL\pN_$])`).MatchString(columns)
}

// namedAs says that a SELECT names a table by alias, rather than only a column
// of it.
func namedAs(query, alias string) bool {
	return regexp.MustCompile("(?i)[\\s.,(\"`\\[]" + regexp.QuoteMeta(alias) + "[\"`\\]]?(?:[\\s,)]|$)").MatchString(query)
}

// shaped is the SELECT that Load shapes.
func (k *Kind) shaped() (query string, err error) {
	err = fault.Recover(func() error {
		query = k.selecting(k.DB, k.noAccount()).String()
		return nil
	})
	return query, err
}

var (
	fromTable  = regexp.MustCompile(`(?is)\sFROM\s+(\S+)`)
	conditions = regexp.MustCompile(`(?is)\sWHERE\s+(.*?)(?:\s(?:GROUP BY|ORDER BY|LIMIT|OFFSET|HAVING|FOR)\s.*)?$`)
	joins      = regexp.MustCompile(`(?i)(?:(LEFT|FULL|CROSS)\s+(?:OUTER\s+)?)?\bJOIN\s`)
)

// loadNarrows reports whether the SELECT that Load shapes can leave rows of the table
// out: by a condition, an inner join or another table. An order, a relation and a
// condition that is always true leave none out.
func (k *Kind) loadNarrows() bool {
	if k.load == nil {
		return false
	}
	query, err := k.shaped()
	if err != nil {
		return false
	}
	plain := k.DB.NewSelect().Model(k.noAccount()).String()
	if conditionsOf(query) != conditionsOf(plain) {
		return true
	}
	for _, join := range joins.FindAllStringSubmatch(query, -1) {
		if join[1] == "" {
			return true
		}
	}
	from := fromTable.FindStringSubmatch(query)
	return from == nil || !slices.ContainsFunc(tablesOf(k.Table), func(own tableName) bool { return newTableName(from[1]).is(own, true) })
}

// conditionsOf a SELECT, "" for those that hold for every row.
func conditionsOf(query string) string {
	match := conditions.FindStringSubmatch(query)
	if match == nil {
		return ""
	}
	text := strings.ToLower(strings.NewReplacer(" ", "", "(", "", ")", "").Replace(match[1]))
	if slices.Contains([]string{"true", "1", "1=1", "'1'='1'"}, text) {
		return ""
	}
	return text
}
