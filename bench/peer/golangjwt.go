package peer

import (
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/fiberjwt/fiberjwt/internal/token"
)

// GolangJWT verifies tokens by golang-jwt, with the checks that fiberjwt makes: algorithm,
// issuer, audience, times, and strict base64.
type GolangJWT struct {
	parser *jwt.Parser
	key    jwt.Keyfunc
}

// NewGolangJWT returns a GolangJWT for tokens of one algorithm.
func NewGolangJWT(algorithm string, key any) *GolangJWT {
	return &GolangJWT{
		parser: jwt.NewParser(jwt.WithValidMethods([]string{algorithm}), jwt.WithIssuer("fiberjwt"), jwt.WithAudience("fiberjwt"),
			jwt.WithExpirationRequired(), jwt.WithIssuedAt(), jwt.WithStrictDecoding()),
		key: func(*jwt.Token) (any, error) { return key, nil },
	}
}

// Verify returns the subject of a token.
func (g *GolangJWT) Verify(raw string) (string, error) {
	parsed, err := g.parser.Parse(raw, g.key)
	if err != nil {
		return "", err
	}
	return parsed.Claims.GetSubject()
}

type accessClaims struct {
	jwt.RegisteredClaims
	Kind      string `json:"kind"`
	SessionID string `json:"sid"`
	AuthTime  int64  `json:"auth_time"`
}

// SignGolangJWT returns a token with the claims of an access token. It uses a struct, which
// golang-jwt encodes faster than a map.
func SignGolangJWT(c token.Claims, keyID string, key []byte) (string, error) {
	t := jwt.NewWithClaims(jwt.SigningMethodHS256, accessClaims{
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer: "fiberjwt", Audience: jwt.ClaimStrings{"fiberjwt"}, Subject: c.Subject, ID: c.ID,
			IssuedAt: jwt.NewNumericDate(time.Unix(c.IssuedAt, 0)), ExpiresAt: jwt.NewNumericDate(time.Unix(c.ExpiresAt, 0)),
		},
		Kind: c.Kind, SessionID: c.SessionID, AuthTime: c.AuthTime,
	})
	t.Header["typ"], t.Header["kid"] = "at+jwt", keyID
	return t.SignedString(key)
}
