package dbcheck

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect"

	"github.com/fiberjwt/fiberjwt/internal/fault"
)

// Database is [Quoting] and [Settings] and, if clock is true, [Clock].
func Database(ctx context.Context, db *bun.DB, clock bool) (problems []fault.Problem, err error) {
	quoting := func(ctx context.Context, db *bun.DB) ([]fault.Problem, error) { return Quoting(ctx, db) }
	looks := []func(context.Context, *bun.DB) ([]fault.Problem, error){quoting, Settings}
	if clock {
		looks = append(looks, Clock)
	}
	for _, look := range looks {
		found, err := look(ctx, db)
		if err != nil {
			return nil, err
		}
		problems = append(problems, found...)
	}
	return problems, nil
}

// Settings returns the settings of the connections of db that lose or change what
// is written, except those of [Quoting].
func Settings(ctx context.Context, db *bun.DB) ([]fault.Problem, error) {
	switch db.Dialect().Name() {
	case dialect.PG:
		return postgresSettings(ctx, db)
	case dialect.MySQL:
		return mysqlSettings(ctx, db)
	}
	return nil, nil
}

func postgresSettings(ctx context.Context, db *bun.DB) (problems []fault.Problem, err error) {
	var server, client string
	err = db.NewRaw("SELECT current_setting('server_encoding'), current_setting('client_encoding')").Scan(ctx, &server, &client)
	if err != nil {
		return nil, err
	}
	if server != "UTF8" {
		problems = append(problems, fault.NewProblem("", fmt.Sprintf("the database has the encoding %s, which lacks most characters", server), "create it with ENCODING 'UTF8'"))
	}
	if client != "UTF8" {
		problems = append(problems, fault.NewProblem("", fmt.Sprintf("client_encoding is %s, but Bun writes UTF-8", client), "leave it out of the address and of the settings of the role, or set it to UTF8"))
	}
	return problems, nil
}

func mysqlSettings(ctx context.Context, db *bun.DB) (problems []fault.Problem, err error) {
	var modes, client, connection, results string
	err = db.NewRaw("SELECT @@SESSION.sql_mode, @@SESSION.character_set_client, @@SESSION.character_set_connection, COALESCE(@@SESSION.character_set_results, 'utf8mb4')").
		Scan(ctx, &modes, &client, &connection, &results)
	if err != nil {
		return nil, err
	}
	if !strings.Contains(modes, "STRICT_TRANS_TABLES") && !strings.Contains(modes, "STRICT_ALL_TABLES") {
		problems = append(problems, fault.NewProblem("", "sql_mode is not strict, so the server truncates what does not fit into a column", "add STRICT_TRANS_TABLES to the sql_mode of the server and of the DSN"))
	}
	if strings.Contains(modes, "PAD_CHAR_TO_FULL_LENGTH") {
		problems = append(problems, fault.NewProblem("", "sql_mode has PAD_CHAR_TO_FULL_LENGTH, so a CHAR is read with blanks at its end", "remove it from the sql_mode of the server and of the DSN"))
	}
	for _, charset := range []string{client, connection, results} {
		if charset != "utf8mb4" {
			problems = append(problems, fault.NewProblem("", fmt.Sprintf("the connection's character set is %s, but Bun writes UTF-8", charset), "set charset=utf8mb4 in the DSN"))
			break
		}
	}
	lagging, err := galeraSettings(ctx, db)
	return append(problems, lagging...), err
}

// causal has the bits of wsrep_sync_wait for reads, for UPDATE and DELETE, and for
// INSERT and REPLACE.
const causal = 7

// galeraSettings: on a server that is not a node of a cluster these variables do
// not exist, or wsrep_on is off.
func galeraSettings(ctx context.Context, db *bun.DB) ([]fault.Problem, error) {
	var found []struct {
		Name  string `bun:"Variable_name"`
		Value string `bun:"Value"`
	}
	if err := db.NewRaw("SHOW SESSION VARIABLES WHERE Variable_name IN ('wsrep_on', 'wsrep_sync_wait')").Scan(ctx, &found); err != nil {
		return nil, err
	}
	on, wait := false, 0
	for _, variable := range found {
		if variable.Name == "wsrep_on" {
			on = variable.Value == "ON"
		} else {
			wait, _ = strconv.Atoi(variable.Value)
		}
	}
	if !on || wait&causal == causal {
		return nil, nil
	}
	return []fault.Problem{fault.NewProblem("", fmt.Sprintf("the server is a node of a Galera cluster and wsrep_sync_wait is %d, so a session that was ended on another node may still be let in here", wait), "set wsrep_sync_wait=7 in the DSN")}, nil
}

// maxClockDifference is how far the clocks of a database and of the processes that use it
// may differ.
const maxClockDifference = time.Minute

// Clock reports that the clocks of the database and of this process differ too
// much. SQLite uses the clock of the process.
func Clock(ctx context.Context, db *bun.DB) ([]fault.Problem, error) {
	var query string
	switch db.Dialect().Name() {
	case dialect.PG:
		query = "SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)"
	case dialect.MySQL:
		query = "SELECT TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6)) DIV 1000"
	default:
		return nil, nil
	}
	asked := time.Now()
	var there int64
	if err := db.NewRaw(query).Scan(ctx, &there); err != nil {
		return nil, err
	}
	return Apart(time.UnixMilli(there), asked, time.Now()), nil
}

// Apart reports that a clock, which was read between the times asked and answered,
// is too far from both.
func Apart(there, asked, answered time.Time) []fault.Problem {
	by, way := there.Sub(answered), "ahead of"
	if behind := asked.Sub(there); behind > by {
		by, way = behind, "behind"
	}
	if by <= maxClockDifference {
		return nil
	}
	return []fault.Problem{fault.NewProblem("", fmt.Sprintf("the clock of the store is %v %s that of this process", by.Round(time.Second), way), "keep the clocks of all servers together by NTP")}
}
