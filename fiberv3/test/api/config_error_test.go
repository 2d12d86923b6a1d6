// Code generated from ../../../test/api/config_error_test.go by internal/twin; DO NOT EDIT.

package api_test

import (
	"errors"
	"testing"
	"time"

	"github.com/gofiber/fiber/v3"
	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt/fiberv3"
)

// problemsOf returns the problems of a ConfigError, each of which must be complete.
func problemsOf(t *testing.T, err error) []fiberjwt.Problem {
	t.Helper()
	var wrong *fiberjwt.ConfigError
	require.ErrorAs(t, err, &wrong)
	require.ErrorIs(t, err, fiberjwt.ErrSetup)
	require.NotEmpty(t, wrong.Problems)
	for _, p := range wrong.Problems {
		require.NotEmpty(t, p.Field, "%+v", p)
		require.NotEmpty(t, p.Reason, "%+v", p)
		require.NotEmpty(t, p.Hint, "%+v", p)
		require.ErrorContains(t, err, p.String())
	}
	return wrong.Problems
}

func fieldsOf(problems []fiberjwt.Problem) (fields []string) {
	for _, p := range problems {
		fields = append(fields, p.Field)
	}
	return fields
}

func TestConfigErrorHasAllProblems(t *testing.T) {
	cfg := goodConfig(t)
	cfg.Secret = []byte("short")
	cfg.Entities = []fiberjwt.AnyEntity{fiberjwt.Entity[User]{Identity: "mail", Fillable: []string{"nick"}}}
	cfg.Leeway = time.Hour
	cfg.TrustedOrigins = []string{"*"}
	cfg.Public = []string{"everything"}
	cfg.Password.MinLength = 1
	_, err := fiberjwt.Open(cfg)
	problems := problemsOf(t, err)
	const user = "Config.Entities[0] (User, table users): "
	require.Equal(t, []string{
		"Config.Secret", "Config.Password.MinLength", "Config.Leeway", user + "Identity", user + "Fillable[0]", "Config.Public[0]", "Config.TrustedOrigins[0]",
	}, fieldsOf(problems))
	require.Equal(t, fiberjwt.Problem{
		Field: "Config.Leeway", Reason: "1h0m0s is not between 0 and 60 s", Hint: "give a time in this range, or leave it out for the default of 5 s",
	}, problems[2])
}

func TestConfigErrorPrintsOneProblemOnOneLine(t *testing.T) {
	one := fiberjwt.Problem{Field: "Config.Secret", Reason: "is empty", Hint: "give one"}
	require.EqualError(t, &fiberjwt.ConfigError{Problems: []fiberjwt.Problem{one}}, "fiberjwt: Config.Secret is empty: give one")
	require.EqualError(t, &fiberjwt.ConfigError{Problems: []fiberjwt.Problem{one, {Field: "Config.Store", Reason: "it forgets"}}},
		"fiberjwt: the Config has 2 problems:\n  - Config.Secret is empty: give one\n  - Config.Store: it forgets")
}

func TestNewAndMountPanicWithConfigError(t *testing.T) {
	recovered := func(f func()) (err error) {
		defer func() { err, _ = recover().(error) }()
		f()
		return nil
	}
	cfg := goodConfig(t)
	cfg.Leeway = time.Hour
	_, err := fiberjwt.Open(cfg)
	require.EqualError(t, recovered(func() { fiberjwt.New(cfg) }), err.Error())
	require.Equal(t, []string{"Config.Leeway"}, fieldsOf(problemsOf(t, recovered(func() { fiberjwt.New(cfg) }))))

	auth, err := fiberjwt.Open(goodConfig(t))
	require.NoError(t, err)
	require.Equal(t, []string{"Config.Routes"}, fieldsOf(problemsOf(t, recovered(func() { auth.Mount(fiber.New().Group("/:tenant")) }))))
}

func TestCheckReturnsConfigError(t *testing.T) {
	w := newWorld(t)
	w.sql("DROP TABLE fiberjwt_throttle", "DROP TABLE teachers", "ALTER TABLE users DROP COLUMN full_name")
	require.Equal(t, []string{"Config.DB", "Config.Entities[0] (User, table users): Fillable[0]", "Config.Entities[1] (Teacher, table teachers)"},
		fieldsOf(problemsOf(t, w.auth.Check(t.Context()))))

	require.NoError(t, w.db.Close())
	var wrong *fiberjwt.ConfigError
	require.False(t, errors.As(w.auth.Check(t.Context()), &wrong), "a database that does not answer is not a mistake in the Config")
}
