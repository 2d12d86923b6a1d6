// Package fiberjwt gives Fiber applications JWT sessions for several kinds of
// account.
//
// An application declares its account kinds as its own Bun models. The
// middleware takes an access token from the Authorization header or a cookie, or
// where [Config].Extractor says, verifies it, loads the account and leaves it in
// c.Locals under the name of its kind.
// Register, login, refresh, logout and session handlers are built in:
//
//	app := fiber.New()
//	app.Use(fiberjwt.New(fiberjwt.Config{
//		DB:     db,     // *bun.DB
//		Secret: secret, // 32 random bytes or more
//		Entities: []fiberjwt.AnyEntity{
//			fiberjwt.Entity[User]{Register: fiberjwt.Anyone[User]},
//			fiberjwt.Entity[Teacher]{Identity: "login"},
//		},
//		Routes: app.Group("/auth"),
//	}))
//	app.Get("/me", fiberjwt.As(func(c *fiber.Ctx, u *User) error { return c.JSON(u) }))
//
// [Migrate] creates the tables that the library needs: fiberjwt_sessions,
// fiberjwt_throttle, fiberjwt_migrations and fiberjwt_migration_locks.
// [Auth.Check] looks at start whether the database is fit for use. [Config]
// says who gets in, [Entity] what a kind of account is, [Extractor] where tokens
// are found.
//
// # In a handler
//
// [As] is guard and accessor in one and the way to write most handlers.
// [Current] and c.Locals("users").(*User) give the same pointer. [SessionOf]
// tells what the token says, [Require] guards a group by kind, [Fresh] asks
// for a password that was proved lately. All of them need the middleware above
// them: without it they answer 500 and say why in the log, they never pass.
//
// # Routes
//
// Below the router in Config.Routes, for each kind:
//
//	POST   /{kind}/register      {identity, "password", …}            201 entity and tokens
//	POST   /{kind}/login         {identity, "password"}               200 tokens
//	POST   /{kind}/refresh       {"refresh_token"} or cookie          200 tokens
//	POST   /{kind}/token         {"refresh_token"}                    200 access token (Cookie.RefreshEverywhere)
//	POST   /{kind}/logout                                             204
//	POST   /{kind}/logout-all                                         204
//	GET    /{kind}/me                                                 200 entity
//	GET    /{kind}/sessions                                           200 list of SessionInfo
//	DELETE /{kind}/sessions/:id                                       204
//	POST   /{kind}/password      {"current_password", "password"}     204
//
// The identity member bears the name of the column, "email" by default.
// Register and login take "transport": "cookie" to get the tokens as cookies.
// [Auth.OpenAPI] serves all of this as an OpenAPI 3.1 document.
//
// # Tokens
//
// An access token is a JWT (RFC 7519) with the claims iss, aud, sub, kind, sid,
// jti, iat, exp and auth_time. Each kind has a key of its own, so that a token
// of one kind is not even well signed as another's:
//
//	id     = HKDF-SHA256(Secret, salt "", info "fiberjwt/v1/id", 6 bytes)
//	key    = HKDF-SHA256(Secret, salt "", info "fiberjwt/v1/access/" + kind, 32 bytes)
//	header = {"alg":"HS256","kid":"<base64url(id)>.<kind>","typ":"at+jwt"}
//
// The header must be these bytes exactly; another program that knows the
// secret can make tokens by this rule. The algorithm is a property of the key,
// and nothing in a token can choose it.
//
// With Config.Keys, a key of package keys signs the tokens of all kinds, and the
// header is {"alg":"ES256","kid":"<ID of the key>","typ":"at+jwt"}; others verify
// them by the published set. [TrustedIssuer] is for tokens of others. [LoginOptions] shapes the
// token of one sign-in.
//
// A refresh token is opaque and begins with "fjr_". The table of sessions has
// only a hash of it. See [Refresh] for how it rotates: racing tabs get the same
// successor, a lost answer can be fetched again, a token that comes back after
// its successor was used ends the session. docs/reference/rotation.md has the whole rule,
// what it rests on and what it costs.
//
// # Links
//
// [Link] makes tokens for links in mails, to confirm an address or to sign
// in, each good once; [ResetToken] and [ResetPassword] are for a forgotten
// password. [Ticket] opens one path for what takes no header, such as the src
// of a video.
//
// # Errors
//
// Refusals are JSON, {"error": code, "error_description": sentence}; the Err…
// values list them all. A store that does not answer is 503, never 401 and
// never a pass, and no cookie is touched.
//
// # Memory
//
// Strings that Fiber hands out alias buffers that the next request
// overwrites. What this package hands out, a [Session] or an account, does
// not: keep it as long as you like.
package fiberjwt
