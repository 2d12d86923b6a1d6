package keys_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"maps"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt/keys"
)

// requireUsable requires that a key from a parser is complete.
func requireUsable(t testing.TB, k keys.Key) {
	t.Helper()
	_, err := keys.NewSet(k)
	require.NoError(t, err)
	if k.Private() {
		signature, err := k.Sign("text")
		require.NoError(t, err)
		require.True(t, k.Verify("text", signature))
		require.False(t, k.Verify("other", signature))
	}
	if k.Symmetric() {
		return
	}
	text, err := json.Marshal(k)
	require.NoError(t, err)
	again, err := keys.ParseJWK(text)
	require.NoError(t, err)
	require.Equal(t, k.ID(), again.ID())
	require.Equal(t, k.Algorithm(), again.Algorithm())
	require.False(t, again.Private())
}

// These are the examples of RFC 7515, appendix A, RFC 7520, section 4, and RFC 8037,
// appendix A.
func TestRFCSignaturesVerify(t *testing.T) {
	var examples []struct {
		Name      string
		JWK       json.RawMessage
		Text      string
		Signature string
	}
	require.NoError(t, json.Unmarshal(example(t, "signatures.json"), &examples))
	require.Len(t, examples, 9)
	for _, tc := range examples {
		t.Run(tc.Name, func(t *testing.T) {
			k, err := keys.ParseJWK(tc.JWK)
			require.NoError(t, err)
			signature, err := base64.RawURLEncoding.DecodeString(tc.Signature)
			require.NoError(t, err)
			require.True(t, k.Verify(tc.Text, signature))
			require.False(t, k.Verify(tc.Text+"A", signature))
			if k.Private() && (k.Algorithm() == keys.EdDSA || k.Algorithm() == keys.HS256) { // other signatures are random
				own, err := k.Sign(tc.Text)
				require.NoError(t, err)
				require.Equal(t, signature, own)
			}
		})
	}
}

func TestRFCThumbprintsAreTheKeyIDs(t *testing.T) {
	s, err := keys.ParseSet(example(t, "rfc7638.json"))
	require.NoError(t, err)
	require.Equal(t, "2011-04-29", s.All()[0].ID(), "the JWK has a kid")
	text, err := json.Marshal(s.All()[0])
	require.NoError(t, err)
	unnamed, err := keys.ParseJWK([]byte(strings.Replace(string(text), `"kid":"2011-04-29",`, "", 1)))
	require.NoError(t, err)
	require.Equal(t, "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs", unnamed.ID(), "RFC 7638 §3.1")
	ed, err := keys.ParseJWK([]byte(edJWK))
	require.NoError(t, err)
	require.Equal(t, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k", ed.ID(), "RFC 8037 A.3")
}

// example returns a file with examples of an RFC.
func example(t testing.TB, name string) []byte {
	t.Helper()
	text, err := os.ReadFile("testdata/" + name)
	require.NoError(t, err)
	return text
}

const (
	ecJWK = `{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}`
	ecD   = `"d":"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"`
	edJWK = `{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`
	edD   = `"d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"`
)

// rsaN has the form of a modulus of 2048 bits.
var rsaN = "_" + strings.Repeat("f", 340) + "Q"

// with adds members to a JWK.
func with(jwk, members string) string { return strings.TrimSuffix(jwk, "}") + "," + members + "}" }

func TestParseJWKRefusesInvalidKeys(t *testing.T) {
	off := strings.Replace(ecJWK, `"y":"x_`, `"y":"y_`, 1)
	for fault, text := range map[string]string{
		"nothing": ``, "no object": `[]`, "no kty": `{"crv":"P-256"}`, "kty of another case": strings.Replace(ecJWK, "EC", "ec", 1),
		"a name of another case": strings.Replace(ecJWK, `"kty"`, `"KTY"`, 1), "kty twice": with(ecJWK, `"kty":"EC"`), "trailing data": ecJWK + "{}",
		"kty a number": strings.Replace(ecJWK, `"EC"`, `1`, 1), "no crv": strings.Replace(ecJWK, `"crv":"P-256",`, "", 1),
		"P-224": strings.Replace(ecJWK, "P-256", "P-224", 1), "secp256k1": strings.Replace(ecJWK, "P-256", "secp256k1", 1),
		"coordinates of another curve": strings.Replace(ecJWK, "P-256", "P-384", 1), "a point off the curve": off,
		"no y": strings.Replace(ecJWK, `"y"`, `"yy"`, 1), "a short x": strings.Replace(ecJWK, "f83OJ3D2", "", 1),
		"padding": strings.Replace(ecJWK, `VEU"`, `VEU="`, 1), "a line break": strings.Replace(ecJWK, `f83O`, `f83\nO`, 1),
		"spare bits": strings.Replace(ecJWK, `RVEU"`, `RVEV"`, 1), "standard base64": strings.Replace(ecJWK, `x_FE`, `x/FE`, 1),
		"d of another key": with(ecJWK, edD), "d of zero": with(ecJWK, `"d":"`+strings.Repeat("A", 43)+`"`), "a short d": with(ecJWK, `"d":"AQ"`), "an empty d": with(ecJWK, `"d":""`),
		"for encryption": with(ecJWK, `"use":"enc"`), "an empty use": with(ecJWK, `"use":""`), "use an array": with(ecJWK, `"use":["sig"]`),
		"key_ops for encryption": with(ecJWK, `"key_ops":["deriveKey"]`), "key_ops for more": with(ecJWK, `"key_ops":["verify","deriveKey"]`),
		"key_ops a string": with(ecJWK, `"key_ops":"verify"`), "key_ops twice the same": with(ecJWK, `"key_ops":["verify","verify"]`),
		"empty key_ops": with(ecJWK, `"key_ops":[]`), "a public key to sign": with(ecJWK, `"key_ops":["sign"]`),
		"alg of another curve": with(ecJWK, `"alg":"ES384"`), "alg of another type": with(ecJWK, `"alg":"RS256"`), "alg HS256": with(ecJWK, `"alg":"HS256"`),
		"alg none": with(ecJWK, `"alg":"none"`), "an empty alg": with(ecJWK, `"alg":""`), "alg a number": with(ecJWK, `"alg":1`),
		"kid a number": with(ecJWK, `"kid":1`), "kid with a quote": with(ecJWK, `"kid":"a\"b"`), "an empty kid": with(ecJWK, `"kid":""`), "kid of 129": with(ecJWK, `"kid":"`+strings.Repeat("a", 129)+`"`),
		"X25519": strings.Replace(edJWK, "Ed25519", "X25519", 1), "Ed448": strings.Replace(edJWK, "Ed25519", "Ed448", 1), "Ed25519 with y": with(edJWK, `"y":"AQ"`),
		"Ed25519 of zeros": `{"kty":"OKP","crv":"Ed25519","x":"` + strings.Repeat("A", 43) + `"}`, "Ed25519 of foreign halves": with(edJWK, ecD), "Ed25519 as ES256": with(edJWK, `"alg":"ES256"`),
		"oct without alg": `{"kty":"oct","k":"a1Y5czBiUTJuWDd3VDR5UjFtWjhjTDVwRDNmRzZoSjA"}`, "oct for ES256": `{"kty":"oct","alg":"ES256","k":"a1Y5czBiUTJuWDd3VDR5UjFtWjhjTDVwRDNmRzZoSjA"}`,
		"a short oct": `{"kty":"oct","alg":"HS256","k":"AQID"}`, "oct of zeros": `{"kty":"oct","alg":"HS256","k":"` + strings.Repeat("A", 43) + `"}`, "no k": `{"kty":"oct","alg":"HS256"}`,
		"oct for HS512":     `{"kty":"oct","alg":"HS512","k":"a1Y5czBiUTJuWDd3VDR5UjFtWjhjTDVwRDNmRzZoSjA"}`,
		"RSA of no modulus": `{"kty":"RSA","alg":"RS256","e":"AQAB"}`, "RSA of a small modulus": `{"kty":"RSA","alg":"RS256","e":"AQAB","n":"` + strings.Repeat("f", 170) + `E"}`,
		"RSA with a huge modulus": `{"kty":"RSA","alg":"RS256","e":"AQAB","n":"` + strings.Repeat("f", 40000) + `"}`,
		"RSA with leading zeros":  `{"kty":"RSA","alg":"RS256","e":"AQAB","n":"AA` + strings.Repeat("f", 339) + `Q"}`,
		"RSA with a huge e":       `{"kty":"RSA","alg":"RS256","e":"` + strings.Repeat("f", 340) + `","n":"` + rsaN + `"}`,
		"RSA with an even e":      `{"kty":"RSA","alg":"RS256","e":"AQAC","n":"` + rsaN + `"}`,
		"RSA with e of one":       `{"kty":"RSA","alg":"RS256","e":"AQ","n":"` + rsaN + `"}`,
		"RSA without alg":         `{"kty":"RSA","e":"AQAB","n":"` + rsaN + `"}`,
		"longer than 64 KiB":      with(ecJWK, `"x5c":"`+strings.Repeat("A", 65536)+`"`),
	} {
		t.Run(fault, func(t *testing.T) {
			k, err := keys.ParseJWK([]byte(text))
			require.ErrorContains(t, err, "keys: ")
			require.Equal(t, keys.Key{}, k)
		})
	}
}

func TestJWKErrorsDoNotRepeatTheInput(t *testing.T) {
	const forged = "a line that the log would believe"
	for _, text := range []string{
		`{"kty":"RSA","alg":"` + forged + `","e":"AQAB","n":"` + rsaN + `"}`, `{"kty":"oct","alg":"` + forged + `","k":"a1Y5czBiUTJuWDd3VDR5UjFtWjhjTDVwRDNmRzZoSjA"}`,
		with(ecJWK, `"alg":"`+forged+`"`), with(ecJWK, `"use":"`+forged+`"`), with(ecJWK, `"key_ops":["`+forged+`"]`), with(ecJWK, `"kid":"`+forged+`"`), `{"kty":"` + forged + `"}`,
	} {
		_, err := keys.ParseJWK([]byte(text))
		require.ErrorContains(t, err, "keys: ")
		require.NotContains(t, err.Error(), forged)
	}
	_, err := keys.ParseSet([]byte(`{"keys":[` + strings.Repeat(`{},`, 1000) + `{}]}`))
	require.Less(t, len(err.Error()), 1000, "the error lists only the first of a thousand problems")
}

func TestParseJWKAcceptsOptionalMembers(t *testing.T) {
	for what, text := range map[string]string{
		"unchanged": ecJWK, "private": with(ecJWK, ecD), "use": with(ecJWK, `"use":"sig"`), "key_ops": with(ecJWK, `"key_ops":["verify"]`),
		"private key_ops": with(with(ecJWK, ecD), `"key_ops":["sign"]`), "alg": with(ecJWK, `"alg":"ES256"`), "x5c": with(ecJWK, `"x5c":["AAAA"],"x5t":"x","ext":true,"iat":1`),
		"Ed25519": edJWK, "private Ed25519": with(edJWK, edD), "Ed25519 by its full name": with(edJWK, `"alg":"Ed25519"`), "Ed25519 as EdDSA": with(edJWK, `"alg":"EdDSA"`),
	} {
		t.Run(what, func(t *testing.T) {
			k, err := keys.ParseJWK([]byte(text))
			require.NoError(t, err)
			requireUsable(t, k)
		})
	}
	k, err := keys.ParseJWK([]byte(with(ecJWK, `"kid":"2026-11"`)))
	require.NoError(t, err)
	require.Equal(t, "2026-11", k.ID())
}

func TestParseSetSkipsForeignAndRefusesDamagedKeys(t *testing.T) {
	document := func(members ...string) []byte { return []byte(`{"keys":[` + strings.Join(members, ",") + `]}`) }
	otherAlg := []string{with(ecJWK, `"kid":"a","alg":"ECDH-ES"`), `{"kty":"RSA","alg":"RSA-OAEP","e":"AQAB","n":"` + rsaN + `"}`}
	beside, err := keys.ParseSet(document(append(otherAlg, edJWK)...))
	require.NoError(t, err, "keys for encryption must be ignored")
	require.Len(t, beside.All(), 1)
	s, err := keys.ParseSet(document(
		with(ecJWK, `"kid":"enc","use":"enc"`), `{"kty":"AKP"}`, with(edJWK, `"kid":"ed"`), strings.Replace(edJWK, "Ed25519", "X25519", 1), with(ecJWK, `"kid":"ec"`),
	), keys.ES256)
	require.NoError(t, err)
	require.Len(t, s.All(), 1)
	require.NoError(t, find(s, "ec", keys.ES256))

	for fault, text := range map[string][]byte{
		"nothing": nil, "no keys": []byte(`{}`), "keys an object": []byte(`{"keys":{}}`), "an empty set": document(), "no object": document(`"x"`),
		"a damaged key": document(ecJWK, strings.Replace(edJWK, `"x":"`, `"x":"AA`, 1)), "no key for signatures": document(with(ecJWK, `"use":"enc"`)),
		"a kid twice": document(with(ecJWK, `"kid":"a"`), with(edJWK, `"kid":"a"`)), "keys twice": []byte(`{"keys":[` + ecJWK + `],"keys":[]}`),
		"a secret with a public key": document(ecJWK, `{"kty":"oct","alg":"HS256","k":"a1Y5czBiUTJuWDd3VDR5UjFtWjhjTDVwRDNmRzZoSjA"}`),
		"a single JWK":               []byte(ecJWK), "too long": append(document(ecJWK), make([]byte, 65536)...),
	} {
		t.Run(fault, func(t *testing.T) {
			_, err := keys.ParseSet(text)
			require.ErrorContains(t, err, "keys: ")
		})
	}
}

// privateRSA returns the members of a private JWK.
func privateRSA(t *testing.T) map[string]string {
	t.Helper()
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	text := base64.RawURLEncoding.EncodeToString
	good := map[string]string{
		"kty": "RSA", "alg": "RS256", "n": text(k.N.Bytes()), "e": "AQAB", "d": text(k.D.Bytes()), "p": text(k.Primes[0].Bytes()), "q": text(k.Primes[1].Bytes()),
		"dp": text(k.Precomputed.Dp.Bytes()), "dq": text(k.Precomputed.Dq.Bytes()), "qi": text(k.Precomputed.Qinv.Bytes()),
	}
	parsed, err := parseMembers(t, good)
	require.NoError(t, err)
	require.True(t, parsed.Private())
	return good
}

func parseMembers(t *testing.T, members map[string]string) (keys.Key, error) {
	t.Helper()
	jwk, err := json.Marshal(members)
	require.NoError(t, err)
	return keys.ParseJWK(jwk)
}

func TestRSAKeyWithMismatchedMembersIsRefused(t *testing.T) {
	good := privateRSA(t)
	for fault, damaged := range map[string]func(map[string]string){
		"a q that is no factor": func(m map[string]string) { m["q"] = "Aw" },
		"dp of another":         func(m map[string]string) { m["dp"] = good["dq"] },
		"dq of another":         func(m map[string]string) { m["dq"] = good["dp"] },
		"qi of another":         func(m map[string]string) { m["qi"] = good["dp"] },
		"d of another":          func(m map[string]string) { m["d"] = good["dp"] },
		"p twice":               func(m map[string]string) { m["q"] = good["p"] },
		"no p":                  func(m map[string]string) { delete(m, "p") },
		"no q":                  func(m map[string]string) { delete(m, "q") },
		"other primes":          func(m map[string]string) { m["oth"] = "" },
		"public with other primes": func(m map[string]string) {
			maps.DeleteFunc(m, func(name, _ string) bool { return len(name) < 3 && name != "n" && name != "e" })
			m["oth"] = ""
		},
	} {
		t.Run(fault, func(t *testing.T) {
			members := maps.Clone(good)
			damaged(members)
			k, err := parseMembers(t, members)
			require.ErrorContains(t, err, "keys: ")
			require.Equal(t, keys.Key{}, k)
		})
	}
	for _, member := range []string{"dp", "dq", "qi"} {
		members := maps.Clone(good)
		delete(members, member)
		_, err := parseMembers(t, members)
		require.NoError(t, err, "RFC 7518 §6.3.2 only recommends these members, and they can be computed")
	}
}

func TestRSAKeyMemberLongerThanModulusIsRefused(t *testing.T) {
	good, text := privateRSA(t), base64.RawURLEncoding.EncodeToString
	huge := text(bytes.Repeat([]byte{0xff}, 20<<10)) // a check of two such primes would take hours
	for _, names := range [][]string{{"p", "q"}, {"d"}, {"p"}, {"q"}, {"dp"}, {"dq"}, {"qi"}} {
		t.Run(strings.Join(names, " and "), func(t *testing.T) {
			damaged := maps.Clone(good)
			for _, name := range names {
				damaged[name] = huge
			}
			jwk, err := json.Marshal(damaged)
			require.NoError(t, err)
			_, err = keys.ParseJWK(jwk)
			require.ErrorContains(t, err, "damaged")
		})
	}
}

func TestRSAKeyWithoutAlgTakesTheOnlyFittingOne(t *testing.T) {
	k := generate(t, keys.RS256)
	text, err := json.Marshal(k)
	require.NoError(t, err)
	bare := `{"keys":[` + strings.Replace(string(text), `"alg":"RS256",`, "", 1) + `]}`
	s, err := keys.ParseSet([]byte(bare), keys.ES256, keys.PS384)
	require.NoError(t, err)
	require.NoError(t, find(s, k.ID(), keys.PS384))
	require.ErrorIs(t, find(s, k.ID(), keys.RS256), keys.ErrNoKey)
	_, err = keys.ParseSet([]byte(bare), keys.RS256, keys.PS384)
	require.ErrorContains(t, err, "does not name its algorithm")
}

func FuzzParseSet(f *testing.F) {
	f.Add([]byte(`{"keys":[` + with(ecJWK, ecD) + `,` + edJWK + `]}`))
	f.Add(example(f, "rfc7638.json"))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := keys.ParseSet(text, keys.ES256, keys.ES384, keys.ES512, keys.EdDSA, keys.RS256)
		if err != nil {
			return
		}
		for _, k := range s.All() {
			requireUsable(t, k)
		}
	})
}

func FuzzParseJWK(f *testing.F) {
	f.Add([]byte(with(ecJWK, ecD)))
	f.Add([]byte(with(edJWK, edD)))
	f.Add([]byte(`{"kty":"oct","alg":"HS256","k":"a1Y5czBiUTJuWDd3VDR5UjFtWjhjTDVwRDNmRzZoSjA"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		if k, err := keys.ParseJWK(text); err == nil {
			requireUsable(t, k)
		}
	})
}
