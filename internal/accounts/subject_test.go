package accounts_test

import (
	"context"
	"database/sql/driver"
	"encoding/hex"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/fiberjwt/fiberjwt/internal/accounts"
	"github.com/fiberjwt/fiberjwt/internal/fault"
)

// UUID is a text type of 16 bytes.
type UUID [16]byte

func (u UUID) MarshalText() ([]byte, error) {
	return fmt.Appendf(nil, "%x-%x-%x-%x-%x", u[0:4], u[4:6], u[6:8], u[8:10], u[10:]), nil
}

func (u *UUID) UnmarshalText(text []byte) error {
	b, err := hex.DecodeString(strings.ReplaceAll(string(text), "-", ""))
	if err == nil && len(b) != 16 {
		err = fmt.Errorf("%d bytes", len(b))
	}
	copy(u[:], b)
	return err
}

// keyed is a kind whose key has the type K.
type keyed[K any] struct {
	bun.BaseModel `bun:"table:keyed"`
	ID            K      `bun:",pk"`
	Email         string `bun:",unique"`
	PasswordHash  string `json:"-"`
}

func kindOf[K any](t *testing.T) *accounts.Kind {
	t.Helper()
	return open[keyed[K]](t, newDB(t, (*keyed[K])(nil)), accounts.Declaration{})
}

func subjectOf[K any](t *testing.T, key K) (string, error) {
	t.Helper()
	return kindOf[K](t).Subject(&keyed[K]{ID: key})
}

// fragile is a key that cannot be converted for the database.
type fragile string

func (fragile) Value() (driver.Value, error) { panic("oops") }

func TestPanicOfKeyValueIsAnError(t *testing.T) {
	_, err := kindOf[fragile](t).LoadBySubject(t.Context(), "a")
	require.ErrorIs(t, err, fault.ErrSetup)
}

func TestSubjectIsTheKeyAsText(t *testing.T) {
	for name, test := range map[string]struct {
		subject func() (string, error)
		want    string
	}{
		"integer":          {func() (string, error) { return subjectOf(t, int64(math.MinInt64)) }, "-9223372036854775808"},
		"unsigned integer": {func() (string, error) { return subjectOf(t, uint8(255)) }, "255"},
		"string":           {func() (string, error) { return subjectOf(t, "Ann ") }, "Ann "},
		"UUID":             {func() (string, error) { return subjectOf(t, UUID{15: 1}) }, "00000000-0000-0000-0000-000000000001"},
	} {
		t.Run(name, func(t *testing.T) {
			subject, err := test.subject()
			require.NoError(t, err)
			require.Equal(t, test.want, subject)
		})
	}
}

func TestKeyThatCannotBeASubjectIsASetupError(t *testing.T) {
	for name, key := range map[string]string{"empty": "", "too long": strings.Repeat("x", 256), "NUL": "a\x00b", "invalid UTF-8": "\xff"} {
		t.Run(name, func(t *testing.T) {
			_, err := subjectOf(t, key)
			require.ErrorIs(t, err, fault.ErrSetup)
		})
	}
}

func TestAccountWithoutKeyHasNoStoredSubject(t *testing.T) {
	k := users(t)
	_, err := k.StoredSubject(&User{})
	require.ErrorIs(t, err, fault.ErrSetup)
	subject, err := k.StoredSubject(&User{ID: 7})
	require.NoError(t, err)
	require.Equal(t, "7", subject)
}

func TestOnlyTheExactSubjectFindsTheAccount(t *testing.T) {
	k := users(t)
	insert(t, k, &User{ID: 1, Email: "ann@example.com"})
	for _, subject := range []string{"01", " 1", "+1", "1 ", "1.0", "0x1", "", "one", strings.Repeat("1", 300), "9223372036854775808"} {
		account, err := k.LoadBySubject(t.Context(), subject)
		require.NoError(t, err)
		require.Nil(t, account, "%q", subject)
	}
	account, err := k.LoadBySubject(t.Context(), "1")
	require.NoError(t, err)
	require.Equal(t, "ann@example.com", account.(*User).Email)
}

func TestEveryTypeOfKeyIsFoundAgain(t *testing.T) {
	testRoundTrip(t, int32(7))
	testRoundTrip(t, uint16(7))
	testRoundTrip(t, "seven")
}

func testRoundTrip[K any](t *testing.T, key K) {
	t.Helper()
	k := kindOf[K](t)
	row := &keyed[K]{ID: key, Email: "ann@example.com"}
	insert(t, k, row)
	subject, err := k.Subject(row)
	require.NoError(t, err)
	found, err := k.LoadBySubject(t.Context(), subject)
	require.NoError(t, err)
	require.Equal(t, key, found.(*keyed[K]).ID)
	missing, err := k.LoadBySubject(t.Context(), "8")
	require.NoError(t, err)
	require.Nil(t, missing)
}

func TestRowWithAnotherKeyIsNotReturned(t *testing.T) {
	k := open[User](t, newDB(t, (*User)(nil)), accounts.Declaration{Load: func(q *bun.SelectQuery) *bun.SelectQuery {
		return q.ColumnExpr("?TableColumns").ColumnExpr("99 AS id")
	}})
	insert(t, k, &User{ID: 1, Email: "ann@example.com"})
	_, err := k.LoadBySubject(t.Context(), "1")
	require.ErrorIs(t, err, fault.ErrSetup)
	require.ErrorContains(t, err, "is not that of the token")
}

func TestLoadIsNotCalledOutsideItsConditions(t *testing.T) {
	k := open[User](t, newDB(t, (*User)(nil)), accounts.Declaration{Load: func(q *bun.SelectQuery) *bun.SelectQuery {
		return q.Where("admin").WhereOr("name = 'Ann'")
	}})
	insert(t, k, &User{ID: 1, Email: "ann@example.com", Name: "Ann"})
	insert(t, k, &User{ID: 2, Email: "bob@example.com"})
	for subject, want := range map[string]bool{"1": true, "2": false, "3": false} {
		account, err := k.LoadBySubject(t.Context(), subject)
		require.NoError(t, err)
		require.Equal(t, want, account != nil, subject)
	}
}

func TestPanicInLoadIsASetupError(t *testing.T) {
	k := open[User](t, newDB(t, (*User)(nil)), accounts.Declaration{Load: func(*bun.SelectQuery) *bun.SelectQuery { panic("no tenant") }})
	_, err := k.LoadBySubject(t.Context(), "1")
	require.ErrorIs(t, err, fault.ErrSetup)
	require.ErrorContains(t, err, "no tenant")
}

func TestFailingDatabaseIsUnavailable(t *testing.T) {
	k := users(t)
	insert(t, k, &User{ID: 1, Email: "ann@example.com"})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := k.LoadBySubject(ctx, "1")
	require.ErrorIs(t, err, fault.ErrUnavailable)
	_, err = k.FindByIdentity(ctx, k.DB, "ann@example.com")
	require.ErrorIs(t, err, fault.ErrUnavailable)
	_, err = k.Stored(ctx, k.DB, &User{ID: 1})
	require.ErrorIs(t, err, fault.ErrUnavailable)
	require.ErrorIs(t, k.Insert(ctx, k.DB, &User{Email: "bob@example.com"}), fault.ErrUnavailable)
}

func TestNoStatementIsSentUntilReady(t *testing.T) {
	k := users(t)
	insert(t, k, &User{ID: 1, Email: "ann@example.com"})
	k.Ready = failReady
	_, err := k.LoadBySubject(t.Context(), "1")
	require.ErrorIs(t, err, fault.ErrUnavailable)
	require.NoError(t, k.DB.RunInTx(t.Context(), nil, func(ctx context.Context, tx bun.Tx) error {
		account, err := k.Scan(ctx, tx, "1", accounts.All)
		require.NotNil(t, account, "in a transaction Ready is not called")
		return err
	}))
}
