// Code generated from ../../../test/api/hash_disclosure_test.go by internal/twin; DO NOT EDIT.

package api_test

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/gofiber/fiber/v3"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/fiberjwt/fiberjwt/fiberv3"
)

// Models that cannot be marshaled while they are empty, and models that show the hash in an encoding.
type (
	plainRow struct {
		ID           int64 `bun:",pk"`
		Email        string
		PasswordHash string `json:"-"`
	}
	Panicking   struct{ plainRow }
	PanicsByPtr struct{ plainRow }
	Failing     struct{ plainRow }
	BadMember   struct {
		plainRow
		Role role
	}
	Unmarshalable struct {
		plainRow
		Notify func() `bun:"-"`
	}
	InBase64    struct{ plainRow }
	InBase64URL struct{ plainRow }
	InHex       struct{ plainRow }
	InText      struct{ plainRow }
	role        string
)

func (m Panicking) MarshalJSON() ([]byte, error) {
	parts := strings.Split(m.Email, "@")
	return json.Marshal(parts[1])
}

func (m *PanicsByPtr) MarshalJSON() ([]byte, error) {
	if m.ID == 0 {
		panic("no id")
	}
	return json.Marshal(m.Email)
}

func (Failing) MarshalJSON() ([]byte, error) { return nil, errors.New("not yet stored") }

func (r role) MarshalText() ([]byte, error) {
	if r == "" {
		return nil, errors.New("no role")
	}
	return []byte(r), nil
}

func (m InBase64) MarshalJSON() ([]byte, error) { return json.Marshal([]byte(m.PasswordHash)) }

func (m InBase64URL) MarshalJSON() ([]byte, error) {
	return json.Marshal(base64.RawURLEncoding.EncodeToString([]byte(m.PasswordHash)))
}

func (m InHex) MarshalJSON() ([]byte, error) {
	return json.Marshal(strings.ToUpper(hex.EncodeToString([]byte(m.PasswordHash))))
}

func (m InText) MarshalText() ([]byte, error) { return []byte(m.Email + ":" + m.PasswordHash), nil }

// leaksWhenStored shows its hash, except in an empty account.
type leaksWhenStored struct {
	bun.BaseModel `bun:"table:users"`
	ID            int64 `bun:",pk,autoincrement"`
	Email         string
	PasswordHash  string
}

func (s *leaksWhenStored) MarshalJSON() ([]byte, error) {
	if s.ID == 0 {
		return []byte("null"), nil
	}
	return json.Marshal(map[string]any{"id": s.ID, "h": s.PasswordHash})
}

// If the model cannot be marshaled, Open must not assume that it hides the hash. Open looks at an empty account and at one
// with values.
func TestOpenRefusesModelWithBrokenOrLeakyJSON(t *testing.T) {
	for name, test := range map[string]struct {
		kind fiberjwt.AnyEntity
		says string
	}{
		"MarshalJSON panics":             {fiberjwt.Entity[Panicking]{}, "cannot be encoded as JSON (a hook panicked: runtime error: index out of range [1] with length 1)"},
		"MarshalJSON of pointers panics": {fiberjwt.Entity[PanicsByPtr]{}, "cannot be encoded as JSON (a hook panicked: no id)"},
		"MarshalJSON fails":              {fiberjwt.Entity[Failing]{}, "not yet stored"},
		"MarshalText of a member fails":  {fiberjwt.Entity[BadMember]{}, "no role"},
		"a member has no JSON":           {fiberjwt.Entity[Unmarshalable]{}, "take empty values"},
		"the hash in base64":             {fiberjwt.Entity[InBase64]{}, "the JSON of the model shows PasswordHash"},
		"the hash in base64url":          {fiberjwt.Entity[InBase64URL]{}, "the JSON of the model shows PasswordHash"},
		"the hash in hex":                {fiberjwt.Entity[InHex]{}, "the JSON of the model shows PasswordHash"},
		"the hash in MarshalText":        {fiberjwt.Entity[InText]{}, "the JSON of the model shows PasswordHash"},
		"the hash of a stored account":   {fiberjwt.Entity[leaksWhenStored]{}, "shows PasswordHash"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := goodConfig(t)
			cfg.Entities = []fiberjwt.AnyEntity{test.kind}
			_, err := openRecovering(cfg)
			require.ErrorContains(t, err, "Password: ")
			require.ErrorContains(t, err, test.says)
			require.NotContains(t, err.Error(), "goroutine", "the error must not contain a stack")
		})
	}
}

// ConditionalLeak shows its hash only if another column has a certain value, which Open cannot see.
type ConditionalLeak struct {
	ID           int64  `bun:",pk,autoincrement"`
	Email        string `bun:",unique"`
	Verbose      string
	PasswordHash string `bun:",notnull"`
}

func (m ConditionalLeak) MarshalJSON() ([]byte, error) {
	shown := map[string]any{"email": m.Email}
	if m.Verbose == "yes" {
		shown["all"] = m.PasswordHash
	}
	return json.Marshal(shown)
}

func TestResponseNeverContainsHash(t *testing.T) {
	leaking := func(cfg *fiberjwt.Config) {
		_, err := cfg.DB.NewCreateTable().Model((*ConditionalLeak)(nil)).Exec(t.Context())
		require.NoError(t, err)
		cfg.Entities = []fiberjwt.AnyEntity{fiberjwt.Entity[ConditionalLeak]{Name: "users", Register: fiberjwt.Anyone[ConditionalLeak], Fillable: []string{"verbose"}}}
	}
	w := newWorld(t, leaking)
	body := func(verbose string) string {
		return strings.TrimSuffix(credentials("users", "ann@example.com", testPassword), "}") + `,"verbose":` + verbose + `}`
	}
	a := w.do("POST", "/auth/users/register", body(`"yes"`))
	requireRefusal(t, a, 500, "server_error")
	require.Zero(t, w.count("conditional_leaks"), "the refused registration must store nothing")
	require.Contains(t, w.log.String(), "the JSON of kind users shows PasswordHash")
	require.NotContains(t, w.log.String(), "argon2id")

	a = w.do("POST", "/auth/users/register", body(`"no"`))
	require.Equal(t, 201, a.Status, a.Body)
	access := w.tokensOf(a).Access
	require.Equal(t, `{"email":"ann@example.com"}`, w.get("/auth/users/me", access).Body)
	w.sql("UPDATE conditional_leaks SET verbose = 'yes'")
	requireRefusal(t, w.get("/auth/users/me", access), 500, "server_error")
}

// The JSONEncoder of an application may ignore the tags of a model.
func TestCustomEncoderCannotLeakHash(t *testing.T) {
	w := newWorld(t)
	pair := w.register("users", "ann@example.com")
	for name, encode := range map[string]func(u *User) string{
		"as it is":             func(u *User) string { return u.PasswordHash },
		"with slashes escaped": func(u *User) string { return strings.ReplaceAll(u.PasswordHash, "/", `\/`) },
	} {
		app := fiber.New(fiber.Config{JSONEncoder: func(v any) ([]byte, error) {
			if u, ok := v.(*User); ok {
				return json.RawMessage(`{"hash":"` + encode(u) + `"}`), nil
			}
			return json.Marshal(v)
		}})
		w.auth.Mount(app.Group("/auth"))
		other := &world{t: t, app: app, log: w.log}
		a := other.get("/auth/users/me", pair.Access)
		require.Equal(t, 500, a.Status, "%s: %s", name, a.Body)
		require.NotContains(t, a.Body, "argon2id")
	}
	require.Equal(t, 200, w.get("/auth/users/me", pair.Access).Status)
}

// A placeholder is not secret, and can be a part of any text.
func TestPlaceholderHashDoesNotBlockResponse(t *testing.T) {
	w := newWorld(t)
	pair := w.register("users", "ann@example.com")
	for _, mark := range []string{"", "!", "/", "ann@example.com"} {
		w.sql("UPDATE users SET password_hash = '" + mark + "'")
		require.Equal(t, 200, w.get("/auth/users/me", pair.Access).Status, mark)
	}
}
