package interop

import (
	"context"
	"encoding/base64"
	"net"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/fiberjwt/fiberjwt"
	"github.com/fiberjwt/fiberjwt/keys"
)

// Teacher is another kind of account, with the same primary keys as users.
type Teacher struct {
	bun.BaseModel `bun:"table:teachers"`
	ID            int64 `bun:",pk,autoincrement"`
	Name          string
}

// These lines run the sample of a library, and fail if it does not accept the token.
const (
	runJS     = "\nconst payload = await verify(process.env.TOKEN)\nif ((payload.payload ?? payload).sub !== '1') throw new Error('sub')\n"
	runPython = "\n\nassert verify(os.environ[\"TOKEN\"])[\"sub\"] == \"1\"\n"
	// The part of an Express request that the middleware reads.
	express = `
const verify = token => new Promise((resolve, reject) => {
  const request = {
    protocol: 'https', url: '/', method: 'GET', headers: { authorization: 'Bearer ' + token },
    get: name => name === 'Host' ? 'shop.example.com' : undefined, is: () => false
  }
  check(request, {}, error => error ? reject(error) : resolve(request.auth.payload))
})
`
)

// The samples of docs/reference/verifiers.md accept tokens of one kind only.
func TestVerifierSamplesAcceptOneKindOnly(t *testing.T) {
	needNode(t)
	page, err := os.ReadFile("../../docs/reference/verifiers.md")
	require.NoError(t, err)
	blocks := regexp.MustCompile("(?s)```(js|python)\n(?://|#) ([^\n]+)\n(.*?)```").FindAllStringSubmatch(string(page), -1)
	require.Len(t, blocks, 7)
	set, address := verifiedService(t)
	var byKeys, bySecret samples
	for _, block := range blocks {
		t.Run(block[2], func(t *testing.T) {
			tokens := &byKeys
			signing := set
			if strings.Contains(block[2], "HS256") {
				tokens, signing = &bySecret, nil
			}
			if tokens.user == "" {
				*tokens = newSamples(t, address, signing)
			}
			lines := strings.ReplaceAll(block[3], "https://auth.example.com", address)
			require.NoError(t, verifies(lines, block[1], block[2], tokens.user))
			require.Error(t, verifies(lines, block[1], block[2], tokens.teacher), "the sample accepts a teacher's token")
			require.Error(t, verifies(lines, block[1], block[2], tokens.user[:len(tokens.user)-14]+strings.Repeat("A", 14)))
			if tokens.other != "" {
				require.Error(t, verifies(lines, block[1], block[2], tokens.other), "the sample accepts a token of another typ")
			}
		})
	}
}

// verifiedService publishes the keys of a set, and the discovery documents.
func verifiedService(t *testing.T) (set *keys.Set, address string) {
	t.Helper()
	key, err := keys.Generate(keys.ES256)
	require.NoError(t, err)
	set, err = keys.NewSet(key)
	require.NoError(t, err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address = "http://" + listener.Addr().String()
	auth, err := fiberjwt.Open(fiberjwt.Config{Keys: set, Issuer: address})
	require.NoError(t, err)
	app := fiber.New(fiber.Config{DisableStartupMessage: true})
	app.Get("/.well-known/jwks.json", fiberjwt.JWKS(set))
	app.Get("/.well-known/openid-configuration", auth.Discovery(address+"/.well-known/jwks.json"))
	app.Get("/.well-known/oauth-authorization-server", auth.Discovery(address+"/.well-known/jwks.json"))
	go func() { _ = app.Listener(listener) }()
	t.Cleanup(func() { _ = app.ShutdownWithTimeout(time.Second) })
	return set, address
}

// samples are tokens of user 1 and teacher 1. other has the claims of the first but
// another typ; it is empty if there is no key to sign it.
type samples struct{ user, teacher, other string }

func newSamples(t *testing.T, issuer string, set *keys.Set) (s samples) {
	t.Helper()
	db := newDB(t)
	_, err := db.NewCreateTable().Model((*Teacher)(nil)).Exec(t.Context())
	require.NoError(t, err)
	_, err = db.NewInsert().Model(&Teacher{}).Exec(t.Context())
	require.NoError(t, err)
	cfg := fiberjwt.Config{
		DB: db, Secret: []byte(secret), Issuer: issuer, ClientID: "shop", ReadTimeout: time.Minute, WriteTimeout: time.Minute,
		Entities: []fiberjwt.AnyEntity{
			fiberjwt.Entity[User]{Password: "-", Audience: []string{"https://shop.example.com/users"}},
			fiberjwt.Entity[Teacher]{Password: "-", Audience: []string{"https://shop.example.com/teachers"}},
		},
	}
	if set != nil {
		cfg.Keys = set
	}
	auth, err := fiberjwt.Open(cfg)
	require.NoError(t, err)
	user, err := auth.Issue(context.Background(), &User{ID: 1})
	require.NoError(t, err)
	teacher, err := auth.Issue(context.Background(), &Teacher{ID: 1})
	require.NoError(t, err)
	s = samples{user: user.AccessToken, teacher: teacher.AccessToken}
	if set == nil {
		return s
	}
	key, _ := set.Signer()
	text := segment(`{"alg":"ES256","kid":"`+key.ID()+`","typ":"JWT"}`) + "." + strings.Split(s.user, ".")[1]
	signature, err := key.Sign(text)
	require.NoError(t, err)
	s.other = text + "." + segment(string(signature))
	return s
}

// verifies runs the sample of a library on a token.
func verifies(lines, language, library, token string) error {
	command := []string{"/usr/bin/python3", "-c", "import os\n" + lines + runPython}
	if language == "js" {
		if strings.HasPrefix(library, "express") {
			lines += express
		}
		command = []string{"node", "--input-type=module", "-e", lines + runJS}
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Env = append(os.Environ(), "TOKEN="+token, "FIBERJWT_SECRET="+secret)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return &failure{err, string(out)}
	}
	return nil
}

type failure struct {
	error
	out string
}

func (f *failure) Error() string { return f.error.Error() + "\n" + f.out }

func segment(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
