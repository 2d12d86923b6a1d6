package accounts_test

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/fiberjwt/fiberjwt/internal/accounts"
	"github.com/fiberjwt/fiberjwt/internal/fault"
)

// raw sends statements.
func raw(t *testing.T, db *bun.DB, statements ...string) {
	t.Helper()
	for _, statement := range statements {
		_, err := db.ExecContext(t.Context(), statement)
		require.NoError(t, err, statement)
	}
}

// register inserts an account and reads it back, as a registration does.
func register(t *testing.T, k *accounts.Kind, account any) error {
	t.Helper()
	asked := accounts.Copy(account)
	return k.DB.RunInTx(t.Context(), nil, func(ctx context.Context, tx bun.Tx) error {
		if err := k.Insert(ctx, tx, account); err != nil {
			return err
		}
		if err := k.Settle(ctx, tx); err != nil {
			return err
		}
		return k.ReadBack(ctx, tx, account, asked)
	})
}

func TestInsertedAccountIsReadBack(t *testing.T) {
	k := users(t)
	ann := &User{Email: "ann@example.com", PasswordHash: hash}
	require.NoError(t, register(t, k, ann))
	require.NotZero(t, ann.ID)
	row, err := k.Stored(t.Context(), k.DB, ann)
	require.NoError(t, err)
	require.Equal(t, hash, k.Hash(row))
	row, err = k.Stored(t.Context(), k.DB, &User{ID: 99})
	require.NoError(t, err)
	require.Nil(t, row)
}

func TestInsertMakesAUUIDIfNothingElseDoes(t *testing.T) {
	db := newDB(t, (*Teacher)(nil))
	k := open[Teacher](t, db, accounts.Declaration{Identity: "login"})
	ann, bob := &Teacher{Login: "ann"}, &Teacher{ID: "bob", Login: "bob"}
	insert(t, k, ann)
	insert(t, k, bob)
	require.Regexp(t, `^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`, ann.ID)
	require.Equal(t, "bob", bob.ID)

	binary := &keyed[UUID]{}
	_ = kindOf[UUID](t).Insert(t.Context(), db, binary)
	require.NotZero(t, binary.ID)

	err := kindOf[int64](t).Insert(t.Context(), db, &keyed[int64]{})
	require.ErrorIs(t, err, fault.ErrSetup)
	require.ErrorContains(t, err, "nothing sets the primary key")
}

func TestUniqueConstraintIsErrTaken(t *testing.T) {
	k := users(t)
	require.NoError(t, register(t, k, &User{Email: "ann@example.com", PasswordHash: hash}))
	err := register(t, k, &User{Email: "ann@example.com", PasswordHash: hash})
	require.ErrorIs(t, err, accounts.ErrTaken)
	require.NotErrorIs(t, err, accounts.ErrRefused)
	require.ErrorIs(t, register(t, k, &User{ID: 1, Email: "bob@example.com"}), accounts.ErrTaken, "the key is taken too")
}

func TestOtherConstraintsAreErrRefused(t *testing.T) {
	for name, statement := range map[string]string{
		"check":   "CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT, name TEXT CHECK (name <> 'Ann'), admin, password_hash)",
		"trigger": "CREATE TRIGGER strict BEFORE INSERT ON users BEGIN SELECT RAISE(ABORT, 'too young'); END",
	} {
		t.Run(name, func(t *testing.T) {
			k := users(t)
			if name == "check" {
				raw(t, k.DB, "DROP TABLE users")
			}
			raw(t, k.DB, statement)
			err := register(t, k, &User{Email: "ann@example.com", Name: "Ann", PasswordHash: hash})
			require.ErrorIs(t, err, accounts.ErrRefused)
			require.NotErrorIs(t, err, accounts.ErrTaken)
		})
	}
}

func TestOtherErrorsOfAWriteAreUnavailable(t *testing.T) {
	k := users(t)
	require.NoError(t, k.WriteError(nil))
	require.ErrorIs(t, k.WriteError(errors.New("connection reset")), fault.ErrUnavailable)
	require.ErrorIs(t, k.WriteError(accounts.ErrTaken), accounts.ErrTaken)
	raw(t, k.DB, "DROP TABLE users")
	require.ErrorIs(t, k.Insert(t.Context(), k.DB, &User{Email: "ann@example.com"}), fault.ErrUnavailable)
}

func TestAccountWithTakenNameIsFoundWithoutAnIndex(t *testing.T) {
	k := users(t)
	raw(t, k.DB, "DROP TABLE users", "CREATE TABLE users (id INTEGER PRIMARY KEY, email, name, admin, password_hash)")
	other := strings.ToUpper(hash)
	require.NoError(t, register(t, k, &User{Email: "ann@example.com", PasswordHash: hash}))
	err := register(t, k, &User{Email: "ann@example.com", PasswordHash: other})
	var changed *accounts.NotKept
	require.ErrorAs(t, err, &changed)
	require.ErrorIs(t, err, accounts.ErrTaken)
	require.Equal(t, other, k.Hash(changed.Stored), "the row that this write made")
}

func TestChangedRowIsNotKept(t *testing.T) {
	for name, test := range map[string]struct {
		change string
		email  string
		class  error
		text   string
	}{
		"a removed row":        {"DELETE FROM users", "ann", fault.ErrSetup, "has no row of a new account after its INSERT"},
		"a truncated identity": {"UPDATE users SET email = 'an'", "ann", accounts.ErrRefused, `the column "email" does not store the identity`},
		"another identity":     {"UPDATE users SET email = 'bob'", "ann", fault.ErrSetup, `the column "email" does not store the identity`},
		"a lost character":     {"UPDATE users SET email = '?nn'", "änn", accounts.ErrRefused, `the column "email" does not store the identity`},
		"a truncated hash":     {"UPDATE users SET password_hash = substr(password_hash, 1, 60)", "ann", fault.ErrSetup, `the column "password_hash" does not store a hash`},
	} {
		t.Run(name, func(t *testing.T) {
			k := users(t)
			raw(t, k.DB, "CREATE TRIGGER change AFTER INSERT ON users BEGIN "+test.change+"; END")
			err := register(t, k, &User{Email: test.email, PasswordHash: hash})
			require.ErrorIs(t, err, test.class)
			require.ErrorContains(t, err, test.text)
			require.NotContains(t, err.Error(), hash)
		})
	}
}

func TestAccountThatLoadExcludesIsNotKept(t *testing.T) {
	k := open[User](t, newDB(t, (*User)(nil)), accounts.Declaration{Load: func(q *bun.SelectQuery) *bun.SelectQuery { return q.Where("admin") }})
	err := register(t, k, &User{Email: "ann@example.com", PasswordHash: hash})
	require.ErrorIs(t, err, fault.ErrSetup)
	require.ErrorContains(t, err, "is not found by its identity and hash")
}

func TestReplaceHashSucceedsOnce(t *testing.T) {
	k := users(t)
	ann := &User{Email: "ann@example.com", PasswordHash: hash}
	insert(t, k, ann)
	replaced := strings.Replace(hash, "t=2", "t=3", 1)
	for _, want := range []bool{true, false} {
		changed, err := k.ReplaceHash(t.Context(), k.DB, ann, hash, replaced)
		require.NoError(t, err)
		require.Equal(t, want, changed)
	}
	changed, err := k.ReplaceHash(t.Context(), k.DB, &User{ID: 99}, hash, replaced)
	require.NoError(t, err)
	require.False(t, changed)
}

func TestHashThatIsNotKeptIsPutBack(t *testing.T) {
	k := users(t)
	ann := &User{Email: "ann@example.com", PasswordHash: hash}
	insert(t, k, ann)
	raw(t, k.DB, "CREATE TRIGGER cut AFTER UPDATE ON users WHEN length(new.password_hash) > 90 AND new.password_hash LIKE '%t=3%' BEGIN UPDATE users SET password_hash = substr(password_hash, 1, 40); END")
	replaced := strings.Replace(hash, "t=2", "t=3", 1)
	_, err := k.ReplaceHash(t.Context(), k.DB, ann, hash, replaced)
	require.ErrorIs(t, err, fault.ErrSetup)
	require.ErrorIs(t, k.PutBack(t.Context(), k.DB, ann, hash, err), err)
	row, err := k.Stored(t.Context(), k.DB, ann)
	require.NoError(t, err)
	require.Equal(t, hash, k.Hash(row))
}

func TestPutBackIgnoresOtherErrors(t *testing.T) {
	k := users(t)
	change := errors.New("deadlock")
	require.Same(t, change, k.PutBack(t.Context(), k.DB, &User{ID: 1}, hash, change))
}

func TestTakeBackDeletesOnlyItsOwnRow(t *testing.T) {
	k := users(t)
	ann := &User{Email: "ann@example.com", PasswordHash: hash}
	insert(t, k, ann)
	require.NoError(t, k.TakeBack(t.Context(), k.DB, &User{ID: ann.ID, Email: ann.Email, PasswordHash: "another hash"}))
	n, err := k.DB.NewSelect().Table("users").Count(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 1, n)
	require.NoError(t, k.TakeBack(t.Context(), k.DB, ann))
	n, err = k.DB.NewSelect().Table("users").Count(t.Context())
	require.NoError(t, err)
	require.Zero(t, n)
}

func TestBlameHashFindsTheShortColumn(t *testing.T) {
	k := users(t)
	refused := fault.Because(accounts.ErrRefused, errors.New("Error 1406 (22001): Data too long for column 'password_hash' at row 1"))
	ann := &User{ID: 1, Email: "ann@example.com", PasswordHash: hash}
	require.ErrorIs(t, k.BlameHash(t.Context(), k.DB, ann, refused), fault.ErrSetup)
	refused = fault.Because(accounts.ErrRefused, errors.New("CHECK constraint failed"))
	require.Same(t, refused, k.BlameHash(t.Context(), k.DB, ann, refused))
}

func TestRegisterHookMayNotChangeTheHash(t *testing.T) {
	k := users(t)
	require.NoError(t, k.RegisterProblem(&User{Email: "ann", PasswordHash: hash}, hash))
	require.ErrorIs(t, k.RegisterProblem(&User{Email: "ann", PasswordHash: "x"}, hash), fault.ErrSetup)
	require.ErrorIs(t, k.RegisterProblem(&User{Email: "Ann", PasswordHash: hash}, hash), fault.ErrSetup)
}

// BadJSON shows its hash only if it has a name.
type BadJSON struct {
	ID           int64 `bun:",pk"`
	Email        string
	PasswordHash string
}

func (b BadJSON) MarshalJSON() ([]byte, error) {
	if b.Email == "" {
		return []byte(`{}`), nil
	}
	return []byte(`{"hash":"` + b.PasswordHash + `"}`), nil
}

func TestHashInJSONOfFilledModelIsFound(t *testing.T) {
	_, problems := accounts.Open(newDB(t), reflect.TypeFor[BadJSON](), accounts.Declaration{})
	require.Contains(t, strings.Join(fault.Texts(problems), "\n"), "the JSON of the model shows PasswordHash")
}

func TestShowsHashFindsEncodedHashes(t *testing.T) {
	for text, want := range map[string]bool{
		hash:                    true,
		`"` + hash + `"`:        true,
		"nothing":               false,
		hash[:20]:               false,
		"JGFyZ29uMmlkJHY9MTkkb": false,
	} {
		require.Equal(t, want, accounts.ShowsHash([]byte(text), hash), text)
	}
	require.False(t, accounts.ShowsHash([]byte("!"), "!"), "a word that locks an account")
}

func TestLinksAreBoundToIdentityAndPasswords(t *testing.T) {
	k := users(t)
	ann := &User{Email: "ann@example.com", PasswordHash: hash}
	bound := k.Bound(ann)
	require.Equal(t, bound, k.Bound(&User{ID: 7, Name: "Ann", Email: ann.Email, PasswordHash: hash}))
	require.NotEqual(t, bound, k.Bound(&User{Email: "bob@example.com", PasswordHash: hash}))
	require.NotEqual(t, bound, k.Bound(&User{Email: ann.Email, PasswordHash: "x"}))
	require.Empty(t, k.LinkProblem())
}

// Pin is a kind on the table of User with a password that the model of User lacks.
type Pin struct {
	bun.BaseModel `bun:"table:users"`
	ID            int64 `bun:",pk,autoincrement"`
	Email         string
	PinHash       string `json:"-"`
}

func TestLinksNeedEveryPasswordOfTheTable(t *testing.T) {
	db := newDB(t)
	user, _ := accounts.Open(db, reflect.TypeFor[User](), accounts.Declaration{})
	pin, _ := accounts.Open(db, reflect.TypeFor[Pin](), accounts.Declaration{Name: "pins", Password: "pin_hash", Narrowed: true})
	accounts.JoinTables([]*accounts.Kind{user, pin})
	require.Contains(t, user.LinkProblem(), `password is in the column "pin_hash"`)
	require.Equal(t, "pins", pin.Counted, "another password has another count")
}

func TestFingerprintComesFromUniqueColumns(t *testing.T) {
	k := open[Guest](t, newDB(t, (*Guest)(nil)), accounts.Declaration{Password: "-"})
	require.Len(t, k.FingerprintColumns, 1)
	ann := &Guest{ID: 1, Subject: "ann"}
	require.Equal(t, "3:ann", k.FingerprintText(ann))
	require.NotEqual(t, k.FingerprintText(ann), k.FingerprintText(&Guest{ID: 1, Subject: "bob"}))
	require.Equal(t, k.FingerprintText(ann), k.Bound(ann))
	require.True(t, k.SameAs(ann, &Guest{Subject: "ANN  "}), "a database may pad and fold")
	require.True(t, k.SameAs(&Guest{}, ann), "what is not set is not compared")
	require.False(t, k.SameAs(ann, &Guest{Subject: "bob"}))
}
