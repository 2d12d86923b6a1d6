// Package dbcheck examines the database of an application: whether text can be
// written into statements safely, and whether tables, columns and indexes are as
// fiberjwt needs them. It knows databases and does not know HTTP.
//
// It returns problems for developers, each with the fix. An error means that the
// database could not be asked.
package dbcheck

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect"

	"github.com/fiberjwt/fiberjwt/internal/fault"
)

// Quoting returns the settings of the connections of db under which the literals
// that Bun writes have another meaning than their text, so that text of a client
// could become a part of the statement. It sends one statement, and none to a
// database without such settings.
//
// It checks one connection, or that of the transaction if db is one. All
// connections of a pool have the same settings, from the server, the database, the
// role and the address of the connection.
func Quoting(ctx context.Context, db bun.IDB) ([]fault.Problem, error) {
	switch db.Dialect().Name() {
	case dialect.PG:
		return postgresQuoting(ctx, db)
	case dialect.MySQL:
		return mysqlQuoting(ctx, db)
	}
	return nil, nil
}

// postgresQuoting: Bun does not escape backslashes, as the SQL standard says.
func postgresQuoting(ctx context.Context, db bun.IDB) (problems []fault.Problem, err error) {
	var conforming string
	if err := db.NewRaw("SELECT current_setting('standard_conforming_strings')").Scan(ctx, &conforming); err != nil {
		return nil, err
	}
	if conforming != "on" {
		problems = append(problems, fault.NewProblem("", "standard_conforming_strings is off, so PostgreSQL reads a backslash in a client's text as an escape, and the text can become SQL",
			"set it to on, which is its default, for the server, the database, the role and the address of the connection"))
	}
	return problems, nil
}

// swallowing are the character sets of MySQL and MariaDB in which a byte of UTF-8
// and a backslash after it can form one character.
var swallowing = []string{"big5", "cp932", "gb18030", "gbk", "sjis"}

// mysqlQuoting: Bun doubles quotes and backslashes, in UTF-8.
func mysqlQuoting(ctx context.Context, db bun.IDB) (problems []fault.Problem, err error) {
	var modes, charset string
	if err := db.NewRaw("SELECT @@SESSION.sql_mode, @@SESSION.character_set_client").Scan(ctx, &modes, &charset); err != nil {
		return nil, err
	}
	set := strings.Split(modes, ",")
	if slices.Contains(set, "NO_BACKSLASH_ESCAPES") {
		problems = append(problems, fault.NewProblem("", "sql_mode has NO_BACKSLASH_ESCAPES, so each backslash in a client's text is stored as two", "remove it from the sql_mode of the server and of the DSN"))
	}
	if slices.Contains(set, "EMPTY_STRING_IS_NULL") {
		problems = append(problems, fault.NewProblem("", "sql_mode has EMPTY_STRING_IS_NULL, so an empty text is stored as NULL", "remove it from the sql_mode of the server and of the DSN"))
	}
	if slices.Contains(swallowing, charset) {
		problems = append(problems, fault.NewProblem("", fmt.Sprintf("the connection's character set is %s, in which a backslash can be the second byte of a character, so that a client's text can become SQL", charset),
			"set charset=utf8mb4 in the DSN"))
	}
	return problems, nil
}
