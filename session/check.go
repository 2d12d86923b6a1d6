package session

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/fiberjwt/fiberjwt/internal/dbcheck"
	"github.com/fiberjwt/fiberjwt/internal/fault"
)

// Checker is an optional ability of a [Store]: it examines its configuration, for
// Auth.Check. fiberjwt finds it by a type assertion on Config.Store.
type Checker interface {
	// Check returns the problems of the configuration by which sessions would be lost,
	// changed or not stored. Each is a text for developers: the reason, ": " and how to
	// fix it. It changes nothing. If clock is true, it also compares the clock of the
	// store with that of this process. Information that the store refuses to give is
	// not a problem. An error means that the store could not be asked.
	Check(ctx context.Context, clock bool) (faults []string, err error)
}

var _ Checker = (*SQL)(nil)

// Check implements [Checker]. It examines the settings of the database, its clock,
// and whether the tables are those of this version of the library.
func (s *SQL) Check(ctx context.Context, clock bool) (faults []string, err error) {
	problems, err := dbcheck.Database(ctx, s.db, clock)
	if err != nil {
		return nil, err
	}
	faults = fault.Texts(problems)
	for _, own := range []struct{ table, columns string }{{table, columns}, {attemptsTable, attemptColumns}} {
		found, known, err := dbcheck.Look(ctx, s.db, own.table)
		if err != nil {
			return nil, err
		}
		if known {
			faults = append(faults, outdated(own.table, own.columns, found)...)
		}
	}
	return append(faults, s.missingSteps(ctx)...), nil
}

const migrateHint = ": call fiberjwt.Migrate(ctx, db) at every start"

func outdated(table, columns string, found dbcheck.Found) []string {
	if !found.Exists {
		return []string{"the table " + table + " is missing" + migrateHint}
	}
	missing := slices.DeleteFunc(strings.Split(columns, ", "), func(name string) bool {
		_, ok := found.Column(name)
		return ok
	})
	if len(missing) == 0 {
		return nil
	}
	return []string{"the table " + table + " lacks " + strings.Join(missing, ", ") + migrateHint}
}

// missingSteps returns the migrations of this version that are not recorded. The
// database user of the application may have no right to read the record; then only
// the check of the columns counts.
func (s *SQL) missingSteps(ctx context.Context) (faults []string) {
	var done []string
	if err := s.db.NewSelect().Table(migrationsTable).Column("name").Scan(ctx, &done); err != nil {
		return nil
	}
	for _, step := range steps(s.db).Sorted() {
		if !slices.Contains(done, step.Name) {
			faults = append(faults, fmt.Sprintf("the tables of the library lack the step %s of this version", step.Name)+migrateHint)
		}
	}
	return faults
}
