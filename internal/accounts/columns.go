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

// The checks in this file use only Bun's tags and the methods of the column types. They
// do not ask the database.

// minHashWidth is the least width of a column for hashes. Only hashes with unusually
// costly parameters are longer.
const minHashWidth = 100

// Examples of texts that are written to the columns of the identity and the hash.
const (
	probeIdentity = "ann.o'hara@example.com"
	probeHash     = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$AbC/dEf+GhI"
)

// textProblems returns why a text that was written to a column is not found again by a
// comparison.
func (k *Kind) textProblems(setting string, field *schema.Field) []fault.Problem {
	if field == nil || field.StructField.Type.Kind() != reflect.String {
		return nil // Column has reported it
	}
	if !k.roundTripsText(field, probeIdentity) || !k.roundTripsText(field, probeHash) {
		return []fault.Problem{fault.NewProblem(setting, fmt.Sprintf("the column %q does not store the text of %s unchanged, because its type %s or its tag converts it, so no statement finds it again", field.Name, field.GoName, field.StructField.Type),
			"use a string without Value and Scan, and without json or msgpack in the tag")}
	}
	if width, ok := widthOf(field.UserSQLType); ok && field == k.Password && width < minHashWidth {
		return []fault.Problem{fault.NewProblem(setting, fmt.Sprintf("the column %q of type %s is too short for a hash", field.Name, field.UserSQLType), "tag it `bun:\"type:varchar(255)\"`")}
	}
	return nil
}

// roundTripsText reports whether Bun writes the text of a column unchanged and reads it
// unchanged.
func (k *Kind) roundTripsText(field *schema.Field, text string) (kept bool) {
	defer func() {
		if recover() != nil { // a Value or Scan of the type panicked
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

// widthOf returns the width in a type such as varchar(60). ok is false for types without
// a width.
func widthOf(sqlType string) (width int, ok bool) {
	match := boundedType.FindStringSubmatch(sqlType)
	if match == nil {
		return 0, false
	}
	width, err := strconv.Atoi(match[1])
	return width, err == nil
}

// loadProblems calls Load and checks the resulting SELECT: a table in it must have the
// alias of the model, which all conditions of this package use, and it must select the
// columns of the fingerprint. If Load panics, loadProblems returns nothing; the first
// request reports the panic.
func (k *Kind) loadProblems() (problems []fault.Problem) {
	if k.load == nil {
		return nil
	}
	query, err := k.loadQuery()
	if err != nil {
		return nil
	}
	if !hasAlias(query, k.Table.Alias) {
		problems = append(problems, fault.NewProblem("Load", fmt.Sprintf("nothing in the SELECT has the alias %q of the model", k.Table.Alias), `let ModelTableExpr end with "AS ?TableAlias"`))
	}
	for _, field := range k.FingerprintColumns {
		if !selects(query, field.Name) {
			problems = append(problems, fault.NewProblem("Load", fmt.Sprintf("the SELECT leaves the column %q out, which distinguishes an account from a later account with the same key", field.Name), "select it, or set Identity to another such column that is selected"))
		}
	}
	return problems
}

var inParentheses = regexp.MustCompile(`\([^()]*\)`)

// selects reports whether a SELECT returns the column, by its name or by a *.
func selects(query, column string) bool {
	for inParentheses.MatchString(query) {
		query = inParentheses.ReplaceAllString(query, "")
	}
	columns := regexp.MustCompile(`(?i)\sFROM\s`).Split(query, 2)[0]
	return strings.Contains(columns, "*") || regexp.MustCompile(`(?i)(^|[^\pL\pN_$])`+regexp.QuoteMeta(column)+`($|[^\pL\pN_$])`).MatchString(columns)
}

// hasAlias reports whether a table in a SELECT has the alias. A column that is qualified
// with the alias does not count.
func hasAlias(query, alias string) bool {
	return regexp.MustCompile("(?i)[\\s.,(\"`\\[]" + regexp.QuoteMeta(alias) + "[\"`\\]]?(?:[\\s,)]|$)").MatchString(query)
}

// loadQuery returns the SELECT of accounts, with what the Load hook adds.
func (k *Kind) loadQuery() (query string, err error) {
	err = fault.Recover(func() error {
		query = k.selectAccounts(k.DB, k.nilAccount()).String()
		return nil
	})
	return query, err
}

var (
	fromTable  = regexp.MustCompile(`(?is)\sFROM\s+(\S+)`)
	conditions = regexp.MustCompile(`(?is)\sWHERE\s+(.*?)(?:\s(?:GROUP BY|ORDER BY|LIMIT|OFFSET|HAVING|FOR)\s.*)?$`)
	joins      = regexp.MustCompile(`(?i)(?:(LEFT|FULL|CROSS)\s+(?:OUTER\s+)?)?\bJOIN\s`)
)

// loadNarrows reports whether Load restricts the SELECT to a part of the rows: by a
// condition, an inner join or another table. An order, a relation and a condition that is
// always true do not restrict it.
func (k *Kind) loadNarrows() bool {
	if k.load == nil {
		return false
	}
	query, err := k.loadQuery()
	if err != nil {
		return false
	}
	plain := k.DB.NewSelect().Model(k.nilAccount()).String()
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

// conditionsOf returns the conditions of a SELECT in a form that can be compared, "" if
// they are true for every row.
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
