// Package oidc has the program of docs/how-to/identity-provider.md: sign-in by
// Google or another OpenID provider.
package oidc

import (
	"context"
	"crypto/subtle"
	"database/sql"
	"errors"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/gofiber/fiber/v2"
	"github.com/uptrace/bun"
	"golang.org/x/oauth2"

	"github.com/fiberjwt/fiberjwt"
)

// User signs in by the provider only, so it has no password. Provider and
// ProviderSubject identify the account there, because an address may change hands.
type User struct {
	ID              int64  `bun:",pk,autoincrement" json:"id"`
	Provider        string `bun:",notnull,unique:provided" json:"-"`
	ProviderSubject string `bun:",notnull,unique:provided" json:"-"`
	Email           string `json:"email"`
}

// signIn has two routes: start sends the browser to the provider, and the provider
// sends it back to finish.
type signIn struct {
	db       *bun.DB
	client   oauth2.Config
	verifier *oidc.IDTokenVerifier
}

// newSignIn fetches the addresses and keys of a provider, for instance of
// "https://accounts.google.com".
func newSignIn(ctx context.Context, db *bun.DB, issuer, clientID, clientSecret, redirect string) (signIn, error) {
	provider, err := oidc.NewProvider(ctx, issuer)
	if err != nil {
		return signIn{}, err
	}
	return signIn{
		db: db,
		client: oauth2.Config{
			ClientID: clientID, ClientSecret: clientSecret, RedirectURL: redirect,
			Endpoint: provider.Endpoint(), Scopes: []string{oidc.ScopeOpenID, "email"},
		},
		verifier: provider.Verifier(&oidc.Config{ClientID: clientID}), // signature, iss, aud and exp
	}, nil
}

const flowCookie = "__Host-oidc"

// start binds the flow to this browser: state against forged answers, nonce
// against replayed ID tokens, PKCE against stolen codes (RFC 9700 §2.1).
func (s signIn) start(c *fiber.Ctx) error {
	state, nonce, verifier := oauth2.GenerateVerifier(), oauth2.GenerateVerifier(), oauth2.GenerateVerifier()
	keepFlow(c, strings.Join([]string{state, nonce, verifier}, "."), 10*time.Minute)
	return c.Redirect(s.client.AuthCodeURL(state, oidc.Nonce(nonce), oauth2.S256ChallengeOption(verifier)))
}

func (s signIn) finish(c *fiber.Ctx) error {
	flow := strings.Split(c.Cookies(flowCookie), ".")
	keepFlow(c, "", -time.Hour)
	if len(flow) != 3 || subtle.ConstantTimeCompare([]byte(flow[0]), []byte(c.Query("state"))) != 1 {
		return fiberjwt.ErrBadCredentials
	}
	user, err := s.account(c.UserContext(), c.Query("code"), flow[1], flow[2])
	if err != nil {
		return err
	}
	if _, err := fiberjwt.Login(c, user, fiberjwt.LoginOptions{Transport: fiberjwt.TransportCookie}); err != nil {
		return err
	}
	return c.Redirect("/")
}

// account exchanges the code, once, and takes the account from the verified ID token.
func (s signIn) account(ctx context.Context, code, nonce, verifier string) (*User, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	answer, err := s.client.Exchange(ctx, code, oauth2.VerifierOption(verifier))
	if err != nil {
		return nil, fiberjwt.ErrBadCredentials
	}
	raw, _ := answer.Extra("id_token").(string)
	token, err := s.verifier.Verify(ctx, raw)
	if err != nil || token.Nonce != nonce {
		return nil, fiberjwt.ErrBadCredentials
	}
	var claims struct {
		Email         string `json:"email"`
		EmailVerified bool   `json:"email_verified"`
	}
	if err := token.Claims(&claims); err != nil || !claims.EmailVerified {
		return nil, fiberjwt.ErrBadCredentials
	}
	return s.findOrCreate(ctx, token.Issuer, token.Subject, claims.Email)
}

func (s signIn) findOrCreate(ctx context.Context, provider, subject, email string) (*User, error) {
	find := func() (*User, error) {
		user := new(User)
		return user, s.db.NewSelect().Model(user).Where("provider = ? AND provider_subject = ?", provider, subject).Scan(ctx)
	}
	user, err := find()
	if !errors.Is(err, sql.ErrNoRows) {
		return user, err
	}
	created := &User{Provider: provider, ProviderSubject: subject, Email: email}
	if _, err := s.db.NewInsert().Model(created).Ignore().Exec(ctx); err != nil {
		return nil, err
	}
	return find() // if two first sign-ins race, one of them created the account
}

func keepFlow(c *fiber.Ctx, value string, life time.Duration) {
	c.Cookie(&fiber.Cookie{
		Name: flowCookie, Value: value, Path: "/", Secure: true, HTTPOnly: true, SameSite: fiber.CookieSameSiteLaxMode,
		Expires: time.Now().Add(life),
	})
}

// routes mounts both. They are in Config.Public, because the user is not signed in yet.
func (s signIn) routes(app *fiber.App, secret []byte) {
	app.Use(fiberjwt.New(fiberjwt.Config{
		DB:       s.db,
		Secret:   secret,
		Entities: []fiberjwt.AnyEntity{fiberjwt.Entity[User]{Password: "-"}}, // no passwords
		Routes:   app.Group("/auth"),                                         // refresh, logout, me, sessions
		Public:   []string{"GET /oidc/start", "GET /oidc/finish"},
	}))
	app.Get("/oidc/start", s.start)
	app.Get("/oidc/finish", s.finish)
}
