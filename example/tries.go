package main

import (
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/uptrace/bun"

	"github.com/fiberjwt/fiberjwt"
)

// The routes behind "Try it" on the page. They hand tokens to a script and shorten lifetimes so that a person sees in seconds
// what usually takes minutes. An application has no such routes.

// quickConfig is a second fiberjwt for the same accounts and sessions. Its refresh tokens rotate after 2 seconds instead of 5
// minutes, and its sessions are over after a minute.
func quickConfig(set settings, db *bun.DB, routes fiber.Router) fiberjwt.Config {
	const rotation = 2 * time.Second
	return fiberjwt.Config{
		DB:     db,
		Secret: set.Secret,
		Entities: []fiberjwt.AnyEntity{
			fiberjwt.Entity[User]{AccessTTL: 2 * rotation, IdleTTL: time.Minute, SessionTTL: time.Minute},
			fiberjwt.Entity[Teacher]{Identity: "login", AccessTTL: 2 * rotation, IdleTTL: time.Minute, SessionTTL: time.Minute},
		},
		Routes:       routes,
		Transports:   []fiberjwt.Transport{fiberjwt.TransportBody},
		Refresh:      fiberjwt.Refresh{Timeout: rotation / 4, Grace: rotation / 2, Rearm: rotation},
		ReadTimeout:  rotation,
		WriteTimeout: rotation,
	}
}

// addTries adds the routes of one kind below the gate.
func addTries[T any](api fiber.Router, kind string, quick *fiberjwt.Auth) {
	own := api.Group("/try/"+kind, fiberjwt.Require(kind))

	// expiring replaces the session of the browser by one whose access token is good for a second. The password is as old as before.
	own.Post("/expiring", fiberjwt.As(func(c *fiber.Ctx, account *T) error {
		options := fiberjwt.LoginOptions{Transport: fiberjwt.TransportCookie, TTL: time.Second}
		if s, ok := fiberjwt.SessionOf(c, kind); ok {
			options.AuthTime = s.AuthTime
		}
		tokens, err := fiberjwt.Login(c, account, options)
		if err != nil {
			return err
		}
		return c.JSON(tokens)
	}))

	// tokens starts another session for the account and answers its tokens.
	own.Post("/tokens", fiberjwt.As(func(c *fiber.Ctx, account *T) error {
		tokens, err := quick.Issue(c.UserContext(), account)
		if err != nil {
			return err
		}
		return c.JSON(tokens)
	}))
}
