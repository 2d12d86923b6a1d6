package main

import (
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/uptrace/bun"

	"github.com/fiberjwt/fiberjwt"
)

// This file has the routes for "Try it" on the page. They give tokens to a script, and their lifetimes are short, so that a user of
// the page sees in seconds what usually takes minutes. Do not copy them into an application.

// quickConfig returns the configuration of a second fiberjwt for the same accounts and the same table of sessions. Its refresh
// tokens rotate after 2 seconds instead of 5 minutes, and its sessions end after a minute.
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

	// expiring replaces the session of the browser by a new one, whose access token is valid for one second. The time at which the
	// password was proved stays the same.
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

	// tokens starts another session for the account and returns its tokens.
	own.Post("/tokens", fiberjwt.As(func(c *fiber.Ctx, account *T) error {
		tokens, err := quick.Issue(c.UserContext(), account)
		if err != nil {
			return err
		}
		return c.JSON(tokens)
	}))
}
