package peer_test

import (
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"

	"github.com/gofiber/fiber/v2"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/fiberjwt/fiberjwt"
	"github.com/fiberjwt/fiberjwt/bench/drive"
	"github.com/fiberjwt/fiberjwt/bench/fixture"
	"github.com/fiberjwt/fiberjwt/bench/peer"
)

// subjectOf verifies a token by each library, by its name.
func subjectOf(t *testing.T) map[string]func(token string) (string, error) {
	cristalhq, err := peer.NewCristalhq(fixture.Key)
	require.NoError(t, err)
	gin, err := peer.Gin(fixture.Key)
	require.NoError(t, err)
	contrib, ours := fiber.New(), fiber.New()
	peer.AddContrib(contrib, "HS256", fixture.Key)
	peer.AddVerifyOnly(ours)
	by := map[string]func(string) (string, error){
		"golang-jwt":  peer.NewGolangJWT("HS256", fixture.Key).Verify,
		"cristalhq":   cristalhq.Verify,
		"fiberjwt":    overFiber(ours),
		"contrib/jwt": overFiber(contrib),
	}
	for name, pair := range map[string]peer.Pair{"echo-jwt": peer.Echo(fixture.Key), "gin-jwt": gin, "jwtauth": peer.Chi(fixture.Key)} {
		client := drive.NewHTTP(pair.Protected, "/")
		by[name] = func(token string) (string, error) {
			err := client.Bearer("Bearer " + token)
			return client.Body(), err
		}
	}
	return by
}

func overFiber(app *fiber.App) func(token string) (string, error) {
	client := drive.NewFiber(app, "GET", "/")
	return func(token string) (string, error) {
		err := client.Bearer("Bearer " + token)
		return client.Body(), err
	}
}

func TestEachLibraryFindsTheSubject(t *testing.T) {
	tokens, err := fixture.Tokens(2, nil)
	require.NoError(t, err)
	for name, verify := range subjectOf(t) {
		for _, access := range tokens {
			subject, err := verify(access.Token)
			require.NoError(t, err, name)
			require.Equal(t, access.Subject, subject, name)
		}
	}
}

func TestEachLibraryRefusesForgedTokens(t *testing.T) {
	tokens, err := fixture.Tokens(1, nil)
	require.NoError(t, err)
	for name, verify := range subjectOf(t) {
		_, err := verify(fixture.Forge(tokens[0].Token))
		require.Error(t, err, name)
	}
}

func TestFloorVerifiesTheSignature(t *testing.T) {
	tokens, err := fixture.Tokens(1, nil)
	require.NoError(t, err)
	floor := peer.NewFloor(fixture.Key)
	require.NoError(t, floor.Verify([]byte(tokens[0].Token)))
	require.Error(t, floor.Verify([]byte(fixture.Forge(tokens[0].Token))))
	require.NoError(t, floor.Verify([]byte(floor.Sign("e30", []byte(`{"sub":"1"}`)))))
}

func TestTokensHaveTheLengthThatTheTablesSay(t *testing.T) {
	tokens, err := fixture.Tokens(1, nil)
	require.NoError(t, err)
	require.Len(t, tokens[0].Token, 355)
	require.Len(t, fixture.Forge(tokens[0].Token), 355)
}

func signIn(t *testing.T, n int) (*bun.DB, *fiber.App, []fixture.SignedIn) {
	db, err := fixture.NewSQLite(filepath.Join(t.TempDir(), "test.db"))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	app := fiber.New()
	auth, err := peer.AddAccounts(app, fiberjwt.Config{DB: db, Secret: fixture.Secret})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, auth.Close()) })
	signedIn, err := fixture.SignIn(db, auth, n, "no password")
	require.NoError(t, err)
	return db, app, signedIn
}

func TestOnlyTheUncheckedPeerAcceptsAnEndedSession(t *testing.T) {
	db, ours, signedIn := signIn(t, 1)
	checked, unchecked := fiber.New(), fiber.New()
	peer.AddByHand(checked, db, true)
	peer.AddByHand(unchecked, db, false)
	statuses := func() (list []int) {
		for _, app := range []*fiber.App{ours, checked, unchecked} {
			request := httptest.NewRequest("GET", "/", nil)
			request.Header.Set("Authorization", "Bearer "+signedIn[0].Tokens.AccessToken)
			response, err := app.Test(request, -1)
			require.NoError(t, err)
			list = append(list, response.StatusCode)
		}
		return list
	}
	require.Equal(t, []int{http.StatusOK, http.StatusOK, http.StatusOK}, statuses())
	_, err := db.ExecContext(t.Context(), "UPDATE fiberjwt_sessions SET revoked = 1")
	require.NoError(t, err)
	require.Equal(t, []int{http.StatusUnauthorized, http.StatusUnauthorized, http.StatusOK}, statuses())
}

func TestRefreshByHandRotatesOncePerTurn(t *testing.T) {
	db, _, signedIn := signIn(t, 2)
	turns, err := fixture.NewTurns(db, signedIn, 0)
	require.NoError(t, err)
	work, err := peer.NewRefreshByHand(db, turns)
	require.NoError(t, err)
	client := drive.NewFiber(work.Rotate(), "POST", "/")
	require.NoError(t, client.Post(nil))
	require.NoError(t, client.Post(nil))
	require.Error(t, client.Post(nil), "each session has rotated")
	require.NoError(t, turns.Restore())
	require.NoError(t, client.Post(nil))
}
