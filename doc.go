// Package fiberjwt adds JWT sessions to Fiber applications, for one or more
// kinds of account.
//
// An application declares each kind of account by its own Bun model. The
// middleware finds the access token of a request in the Authorization header or
// in a cookie, verifies it, loads the account, and stores the account in
// c.Locals under the name of its kind. Handlers for registration, login,
// refresh, logout and the list of sessions are built in:
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
// Most applications need four names only: [Config] and [New] set the middleware
// up, [Entity] declares a kind of account, and [As] wraps a handler. Use [Open]
// in place of New if the application also revokes sessions, sends links, or
// verifies tokens outside of requests. [Extractor] sets where else in a request
// a token may be.
//
// Call [Migrate] at every start, before the first request. It creates the tables
// of the library where they are missing: fiberjwt_sessions, fiberjwt_throttle,
// fiberjwt_migrations and fiberjwt_migration_locks. Call [Auth.Check] after it:
// it returns an error if the database is not fit for use.
//
// # Handlers
//
// Write most handlers with [As]. It refuses requests that are not signed in as
// the kind of T, and passes the account to the handler. [Current] returns the
// same pointer as c.Locals("users").(*User). [SessionOf] returns what the access
// token says. [Require] guards a group of routes by kind. [Fresh] requires that
// the password was proved recently.
//
// All of them need the middleware above them. Without it, As, Require and Fresh
// answer every request 500 and log the reason; they never let a request pass.
// Current and SessionOf then return nil and false.
//
// # Routes
//
// Each kind has these routes below the router in Config.Routes:
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
// The member for the identity has the name of its column, "email" by default.
// If the body of a registration or login has "transport": "cookie", the tokens
// are set as cookies. [Auth.OpenAPI] serves a description of these routes as an
// OpenAPI 3.1 document.
//
// # Tokens
//
// An access token is a JWT (RFC 7519) with the claims iss, aud, sub, kind, sid,
// jti, iat, exp and auth_time. Each kind has a separate key, so the signature of
// a token of one kind is not valid for any other kind:
//
//	id     = HKDF-SHA256(Secret, salt "", info "fiberjwt/v1/id", 6 bytes)
//	key    = HKDF-SHA256(Secret, salt "", info "fiberjwt/v1/access/" + kind, 32 bytes)
//	header = {"alg":"HS256","kid":"<base64url(id)>.<kind>","typ":"at+jwt"}
//
// The header must consist of exactly these bytes. Another program that knows the
// secret can issue tokens by this rule. The algorithm is a property of the key;
// nothing in a token can choose it.
//
// If Config.Keys is set, a key of package keys signs the tokens of all kinds.
// The header is then {"alg":"ES256","kid":"<ID of the key>","typ":"at+jwt"},
// with the algorithm of the key, and other services verify the tokens with the
// published key set. [TrustedIssuer] accepts tokens of other issuers.
// [LoginOptions] changes the token of one sign-in.
//
// A refresh token is opaque and begins with "fjr_". The table of sessions
// contains only a hash of it. Refresh tokens rotate: tabs that refresh at the
// same time get the same successor, a client whose response was lost can ask
// again, and a token that is used again after its successor was used ends the
// session. [Refresh] has the times. docs/reference/rotation.md has the whole
// rule, what it depends on and what it costs.
//
// # Links and tickets
//
// [Link] issues tokens for links in mails, for example to confirm an address or
// to sign in. Each of them can be used once. [ResetToken] and [ResetPassword]
// are for users who forgot their password. [Ticket] gives access to one path,
// for requests to which a page cannot add a header, such as the src of a video.
//
// # Errors
//
// Refusals are JSON, {"error": code, "error_description": sentence}. The Err…
// values list all of them. If the store does not answer, a request that needs
// it is answered 503. Such a request never passes, it is never answered 401,
// and no cookie changes.
//
// # Memory and concurrency
//
// [Auth], the middleware and the guards are safe for concurrent use. Strings
// that Fiber returns refer to buffers that the next request overwrites. A
// [Session] or an account that this package returns does not refer to them, so
// it may be kept after the request.
package fiberjwt
