package dbtest

import (
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/fiberjwt/fiberjwt"
	"github.com/fiberjwt/fiberjwt/session"
)

// Servers compare names by collations, which differ in what they take for equal.
func TestEquivalentNamesShareOneAccountOnPostgres(t *testing.T) { testNames(t, postgres(t)(t)) }

func TestEquivalentNamesShareOneAccountOnMariaDB(t *testing.T) { testNames(t, maria(t)(t)) }

func testNames(t *testing.T, db *bun.DB) {
	require.NoError(t, session.Migrate(t.Context(), db))
	_, err := db.NewCreateTable().Model((*person)(nil)).Exec(t.Context())
	require.NoError(t, err)
	s := newService(t, db, fiberjwt.Entity[person]{Register: fiberjwt.Anyone[person]})
	body := func(name string) string { return `{"email":"` + name + `","password":"a pony for the trip"}` }
	status, answer := s.post(t, "/auth/people/register", body("ren\u00E9@example.com"))
	require.Equal(t, 201, status, answer)
	for _, name := range []string{"rene\u0301@example.com", "REN\u00C9@example.com", "\uFF52en\u00E9@example.com"} {
		status, answer = s.post(t, "/auth/people/register", body(name))
		require.Equal(t, 409, status, "%+q %s", name, answer)
		status, answer = s.post(t, "/auth/people/login", body(name))
		require.Equal(t, 200, status, "%+q %s", name, answer)
	}
	for _, name := range []string{"re\u200Bn\u00E9@example.com", "rene@example.com"} {
		status, answer = s.post(t, "/auth/people/login", body(name))
		require.Equal(t, 401, status, "%+q %s", name, answer)
	}
	status, answer = s.post(t, "/auth/people/register", body("re\u200Bn\u00E9@example.com"))
	require.Equal(t, 422, status, answer)
}
