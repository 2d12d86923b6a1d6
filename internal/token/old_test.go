package token_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt/internal/seal"
	"github.com/fiberjwt/fiberjwt/internal/token"
)

const pyJWT = `{"alg":"HS256","typ":"JWT"}`

func TestOldPayloadIsOfAVerifiedToken(t *testing.T) {
	payload := `{"sub":"1","exp":1790000600}`
	for name, test := range map[string]struct {
		raw string
		ok  bool
	}{
		"the header of PyJWT 2":      {signHS256(older, pyJWT, payload), true},
		"the header of PyJWT 1":      {signHS256(older, `{"typ":"JWT","alg":"HS256"}`, payload), true},
		"no typ":                     {signHS256(older, `{"alg":"HS256"}`, payload), true},
		"another secret":             {signHS256(current, pyJWT, payload), false},
		"no signature":               {segment(pyJWT) + "." + segment(payload) + ".", false},
		"a signature of no base64":   {segment(pyJWT) + "." + segment(payload) + ".A", false},
		"a header of no base64":      {signText(older, "A."+segment(payload)), false},
		"a payload of no base64":     {signText(older, segment(pyJWT)+".A"), false},
		"no token":                   {"x", false},
		"a long token":               {signHS256(older, pyJWT, strings.Repeat("x", token.MaxBytes)), false},
		"another algorithm":          {signHS256(older, `{"alg":"HS512","typ":"JWT"}`, payload), false},
		"none":                       {signHS256(older, `{"alg":"none","typ":"JWT"}`, payload), false},
		"no alg":                     {signHS256(older, `{"typ":"JWT"}`, payload), false},
		"a token of the library":     {signHS256(older, headerOf(older, "users"), payload), false},
		"another typ":                {signHS256(older, `{"alg":"HS256","typ":"at+jwt"}`, payload), false},
		"a typ that is no text":      {signHS256(older, `{"alg":"HS256","typ":1}`, payload), false},
		"a further parameter":        {signHS256(older, `{"alg":"HS256","typ":"JWT","kid":"1"}`, payload), false},
		"a header that is no object": {signHS256(older, `"HS256"`, payload), false},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := token.OldPayload(older, test.raw)
			require.Equal(t, test.ok, ok)
			if ok {
				require.Equal(t, payload, string(got))
			}
		})
	}
}

func TestOldTableIsTheClaimTableName(t *testing.T) {
	for name, test := range map[string]struct {
		payload, table string
		ok             bool
	}{
		"a table":   {`{"table_name":"users"}`, "users", true},
		"no claim":  {`{}`, "", false},
		"a number":  {`{"table_name":1}`, "", true},
		"no object": {`x`, "", false},
	} {
		table, ok := token.OldTable([]byte(test.payload))
		require.Equal(t, test.ok, ok, name)
		require.Equal(t, test.table, table, name)
	}
}

func TestOldClaimsAreReadStrictly(t *testing.T) {
	for name, test := range map[string]struct {
		payload string
		want    token.OldClaims
		err     error
	}{
		"a text":               {`{"id":"ann","exp":2,"iat":1,"nbf":1}`, token.OldClaims{Key: "ann", ExpiresAt: 2, IssuedAt: 1, NotBefore: 1}, nil},
		"a number":             {`{"id":42,"exp":2}`, token.OldClaims{Key: "42", IsNumber: true, ExpiresAt: 2, IssuedAt: -1, NotBefore: -1}, nil},
		"a negative number":    {`{"id":-1,"exp":2}`, token.OldClaims{Key: "-1", IsNumber: true, ExpiresAt: 2, IssuedAt: -1, NotBefore: -1}, nil},
		"an access token":      {`{"id":"ann","exp":2,"type":"access"}`, token.OldClaims{Key: "ann", ExpiresAt: 2, IssuedAt: -1, NotBefore: -1}, nil},
		"other claims":         {`{"id":"ann","exp":2,"sub":1,"x":[]}`, token.OldClaims{Key: "ann", ExpiresAt: 2, IssuedAt: -1, NotBefore: -1}, nil},
		"a refresh token":      {`{"id":"ann","exp":2,"type":"refresh"}`, token.OldClaims{}, token.ErrWrong},
		"a type of no text":    {`{"id":"ann","exp":2,"type":1}`, token.OldClaims{}, token.ErrWrong},
		"a key of null":        {`{"id":null,"exp":2}`, token.OldClaims{}, token.ErrWrong},
		"a key that is a list": {`{"id":["ann"],"exp":2}`, token.OldClaims{}, token.ErrWrong},
		"a key that is true":   {`{"id":true,"exp":2}`, token.OldClaims{}, token.ErrWrong},
		"exp as a text":        {`{"id":"ann","exp":"2"}`, token.OldClaims{}, token.ErrWrong},
		"iat as a text":        {`{"id":"ann","exp":2,"iat":"1"}`, token.OldClaims{}, token.ErrWrong},
		"nbf as a text":        {`{"id":"ann","exp":2,"nbf":"1"}`, token.OldClaims{}, token.ErrWrong},
		"the key twice":        {`{"id":"ann","id":"bob","exp":2}`, token.OldClaims{}, token.ErrWrong},
		"no object":            {`x`, token.OldClaims{}, token.ErrWrong},
		"no key":               {`{"exp":2}`, token.OldClaims{}, token.ErrMissing},
		"an empty key":         {`{"id":"","exp":2}`, token.OldClaims{}, token.ErrMissing},
		"a long key":           {`{"id":"` + strings.Repeat("x", seal.MaxSubjectBytes+1) + `","exp":2}`, token.OldClaims{}, token.ErrMissing},
		"no exp":               {`{"id":"ann"}`, token.OldClaims{}, token.ErrMissing},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := token.ReadOldClaims([]byte(test.payload), "id")
			require.Equal(t, test.err, err)
			if err == nil {
				require.Equal(t, test.want, got)
			}
		})
	}
}
