package fiberjwt

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/fiberjwt/fiberjwt/internal/dbcheck"
	"github.com/fiberjwt/fiberjwt/internal/fault"
	"github.com/fiberjwt/fiberjwt/session"
)

// Check looks at the database, and at the store in Config.Sessions, for what Open
// cannot see: tables, columns and indexes, settings of the server and of the
// connection, its clock, and the library's own tables. Call it at start, after
// [Migrate]; it changes nothing and sends about a dozen statements. Its looks at
// the store and at each table may take 30 s each, or Config.ReadTimeout if that is
// more, since catalogs can be slow. docs/operate/databases.md lists what it finds.
//
// Its error names all problems at once, with the field and how to fix it, as that of Open does, and is
// ErrSetup; or it is ErrUnavailable, with the cause in its text, if a store could
// not be asked. What a server refuses to tell is no problem. Without Entities there
// is nothing to look at.
func (a *Auth) Check(ctx context.Context) error { return face(a.checkStores(ctx)) }

func (a *Auth) checkStores(ctx context.Context) error {
	if a.service.Sessions == nil {
		return nil
	}
	var problems []string
	for _, part := range a.checks() {
		found, err := part.within(ctx, a)
		if err != nil {
			return unasked{part.label, err}
		}
		for _, problem := range found {
			problems = append(problems, part.label+": "+problem)
		}
	}
	if len(problems) == 0 {
		return nil
	}
	return fault.Setup(inOne("the database", problems))
}

// patience is what a part of Check may take: to read its catalog, a server may open
// all the tables that it has.
const patience = 30 * time.Second

// check is a part of what Check looks at.
type check struct {
	label string // the field of the Config
	look  func(ctx context.Context) ([]string, error)
}

func (c check) within(ctx context.Context, a *Auth) (problems []string, err error) {
	ctx, cancel := context.WithTimeout(ctx, max(patience, a.service.ReadTimeout))
	defer cancel()
	err = fault.Recover(func() (err error) {
		problems, err = c.look(ctx)
		return err
	})
	return problems, err
}

func (a *Auth) checks() (checks []check) {
	checker, checked := a.service.Sessions.Store().(session.Checker)
	if !checked || !a.service.Sessions.BesideAccounts() {
		checks = append(checks, check{"Config.DB", func(ctx context.Context) ([]string, error) {
			return dbcheck.Database(ctx, a.service.DB, a.service.MachineClock)
		}})
	}
	if checked {
		label := "Config.Sessions"
		if a.service.Sessions.BesideAccounts() {
			label = "Config.DB"
		}
		checks = append(checks, check{label, func(ctx context.Context) ([]string, error) {
			return checker.Check(ctx, a.service.MachineClock)
		}})
	}
	for i, k := range a.kinds {
		checks = append(checks, check{fmt.Sprintf("Config.Entities[%d] (%s)", i, k.Label), func(ctx context.Context) ([]string, error) {
			found, known, err := dbcheck.Look(ctx, a.service.DB, k.Table.Name)
			if err != nil || !known {
				return nil, err
			}
			problems := k.Wanted(a.service.Hasher.HashLength()).Faults(found)
			if !found.View {
				return problems, nil
			}
			shared, err := a.viewProblems(ctx, k)
			return append(problems, shared...), err
		}})
	}
	return checks
}

// viewProblems says which kinds have rows of the table that k reads through a view:
// Open could not see that they share it, so what ends the sessions of a row would
// leave those of the other kind.
func (a *Auth) viewProblems(ctx context.Context, k *kind) (problems []string, err error) {
	if len(a.kinds) == 1 {
		return nil, nil
	}
	views, err := dbcheck.ViewsOf(ctx, a.service.DB)
	if err != nil {
		return nil, err
	}
	for _, other := range a.kinds {
		if !slices.Contains(k.Sharing, other.Kind.Kind) && views.Meet(k.Table.Name, other.Table.Name) {
			problems = append(problems, fmt.Sprintf("the view and the table of kind %q show rows of one table, and a new password in one kind would not end the sessions in the other: declare the kind by another type on that table, as in type Admin User, and let Load say which rows are of that kind", other.Name))
		}
	}
	return problems, nil
}

// unasked is ErrUnavailable for a developer, who needs the cause.
type unasked struct {
	label string
	cause error
}

func (u unasked) Error() string {
	return fmt.Sprintf("fiberjwt: %s could not be asked: %v", u.label, rootCause(u.cause))
}

func (u unasked) Unwrap() []error { return []error{ErrUnavailable, u.cause} }
