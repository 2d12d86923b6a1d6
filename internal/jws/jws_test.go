package jws_test

import (
	"encoding/base64"
	"strings"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt/internal/jws"
)

// example is the token of RFC 7515, appendix A.1.
const example = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9" +
	".eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ" +
	".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"

func TestSplitReturnsTheThreeSegments(t *testing.T) {
	p, ok := jws.Split(example, len(example))
	require.True(t, ok)
	require.Equal(t, "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9", p.Header)
	require.Equal(t, "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", p.Signature)
	require.Equal(t, p.Header+"."+p.Payload, p.Text, "the signing input")
	require.Equal(t, example, p.Text+"."+p.Signature)
}

func TestSplitSharesTheMemoryOfItsArgument(t *testing.T) {
	raw := strings.Clone(example)
	p, ok := jws.Split(raw, len(raw))
	require.True(t, ok)
	require.Same(t, unsafe.StringData(raw), unsafe.StringData(p.Header))
	require.Zero(t, testing.AllocsPerRun(10, func() { jws.Split(raw, len(raw)) }))
}

func TestSplitAcceptsEmptySegments(t *testing.T) {
	for _, raw := range []string{"..", "a..", ".b.", "..c"} {
		p, ok := jws.Split(raw, 10)
		require.True(t, ok, raw)
		require.Equal(t, raw, p.Header+"."+p.Payload+"."+p.Signature)
	}
}

func TestSplitRefusesOtherForms(t *testing.T) {
	for name, raw := range map[string]string{
		"empty":                     "",
		"one segment":               "a",
		"two segments":              "a.b",
		"four segments":             "a.b.c.d",
		"five segments, as JWE":     "a.b.c.d.e",
		"a dot at the end":          "a.b.c.",
		"a line feed":               "a.b.c\n",
		"a line feed in the header": "\na.b.c",
		"a carriage return":         "a.\rb.c",
		"the JSON serialization":    `{"payload":"a"}`,
		"longer than the maximum":   strings.Repeat("a", 100) + ".b.c",
	} {
		t.Run(name, func(t *testing.T) {
			_, ok := jws.Split(raw, 100)
			require.False(t, ok)
		})
	}
}

func TestSplitLimitsTheLengthToTheByte(t *testing.T) {
	_, ok := jws.Split("aa.bb.cc", 8)
	require.True(t, ok)
	_, ok = jws.Split("aa.bb.cc", 7)
	require.False(t, ok)
}

func TestBase64urlHasOneSpelling(t *testing.T) {
	_, err := jws.Base64url.DecodeString("QQ")
	require.NoError(t, err)
	for b := range 256 {
		if c := string([]byte{byte(b)}); c != "\r" && c != "\n" { // which Split refuses
			for _, text := range []string{c + "QQ", "Q" + c + "Q", "QQ" + c} {
				decoded, err := jws.Base64url.DecodeString(text)
				require.True(t, err != nil || segment(string(decoded)) == text, "%q", text)
			}
		}
	}
	for _, text := range []string{"QR", "QQ==", "Q", "+/", "Q Q"} {
		_, err := jws.Base64url.DecodeString(text)
		require.Error(t, err, text)
	}
}

func segment(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

func TestReadHeaderReturnsTheParametersInUse(t *testing.T) {
	for name, test := range map[string]struct {
		text string
		want jws.Header
	}{
		"alg alone":                 {`{"alg":"ES256"}`, jws.Header{Algorithm: "ES256"}},
		"all three":                 {`{"alg":"ES256","kid":"k1","typ":"at+jwt"}`, jws.Header{Algorithm: "ES256", KeyID: "k1", Type: "at+jwt"}},
		"another order and spaces":  {` { "typ" : "JWT" , "alg" : "RS256" } `, jws.Header{Algorithm: "RS256", Type: "JWT"}},
		"escapes":                   {`{"\u0061lg":"ES\u003256"}`, jws.Header{Algorithm: "ES256"}},
		"an unknown parameter":      {`{"alg":"ES256","x":{"y":[1]}}`, jws.Header{Algorithm: "ES256"}},
		"a thumbprint":              {`{"alg":"ES256","x5t":"abc"}`, jws.Header{Algorithm: "ES256"}},
		"Ed25519 of RFC 9864":       {`{"alg":"Ed25519"}`, jws.Header{Algorithm: "EdDSA"}},
		"EdDSA":                     {`{"alg":"EdDSA"}`, jws.Header{Algorithm: "EdDSA"}},
		"none, which is no key's":   {`{"alg":"none"}`, jws.Header{Algorithm: "none"}},
		"the longest kid":           {`{"alg":"ES256","kid":"` + strings.Repeat("k", 128) + `"}`, jws.Header{Algorithm: "ES256", KeyID: strings.Repeat("k", 128)}},
		"names differ in case only": {`{"alg":"ES256","ALG":"none","Kid":"x"}`, jws.Header{Algorithm: "ES256"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := jws.ReadHeader(segment(test.text))
			require.True(t, ok)
			require.Equal(t, test.want, got)
		})
	}
}

func TestReadHeaderRefusesAmbiguousHeaders(t *testing.T) {
	cases := map[string]string{
		"no alg":           `{"kid":"k1"}`,
		"an empty alg":     `{"alg":""}`,
		"alg as a number":  `{"alg":256}`,
		"alg as null":      `{"alg":null}`,
		"alg twice":        `{"alg":"ES256","alg":"HS256"}`,
		"an empty kid":     `{"alg":"ES256","kid":""}`,
		"kid as a number":  `{"alg":"ES256","kid":1}`,
		"a long kid":       `{"alg":"ES256","kid":"` + strings.Repeat("k", 129) + `"}`,
		"typ as a list":    `{"alg":"ES256","typ":["JWT"]}`,
		"an array":         `["alg","ES256"]`,
		"a second object":  `{"alg":"ES256"}{}`,
		"invalid UTF-8":    "{\"alg\":\"ES256\",\"x\":\"\xff\"}",
		"nothing":          ``,
		"an empty object":  `{}`,
		"not JSON at all":  `alg=ES256`,
		"a cut-off object": `{"alg":"ES256"`,
	}
	for _, name := range []string{"crit", "b64", "zip", "cty", "enc", "jwk", "jku", "x5u", "x5c"} {
		cases["the parameter "+name] = `{"alg":"ES256","` + name + `":null}`
	}
	for name, text := range cases {
		t.Run(name, func(t *testing.T) {
			_, ok := jws.ReadHeader(segment(text))
			require.False(t, ok)
		})
	}
}

func TestReadHeaderRefusesOtherEncodings(t *testing.T) {
	good := segment(`{"alg":"ES256"}`)
	_, ok := jws.ReadHeader(good)
	require.True(t, ok)
	for name, text := range map[string]string{"padding": good + "=", "a raw header": `{"alg":"ES256"}`, "a cut-off group": good[:len(good)-3]} {
		_, ok := jws.ReadHeader(text)
		require.False(t, ok, name)
	}
}

func FuzzSplit(f *testing.F) {
	for _, seed := range []string{example, "a.b.c", "..", "a.b", "a.b.c.d", "a.b.c=\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		p, ok := jws.Split(raw, 1000)
		if !ok {
			return
		}
		require.Equal(t, raw, p.Header+"."+p.Payload+"."+p.Signature)
		require.Equal(t, 2, strings.Count(raw, "."))
		jws.ReadHeader(p.Header)
	})
}
