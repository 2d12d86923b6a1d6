package keys_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt/keys"
)

// requireRefused checks that secret is refused for the reason, and that the
// error says how to get a better one.
func requireRefused(t *testing.T, secret, reason string) {
	t.Helper()
	err := keys.Secret(secret).Check()
	require.ErrorContains(t, err, reason, "%q", secret)
	require.ErrorContains(t, err, "openssl rand -base64 48", "%q", secret)
	require.NotContains(t, err.Error(), secret)
}

// Many of these secrets are in public repositories.
func TestPlaceholderSecretIsRefused(t *testing.T) {
	for _, secret := range []string{
		"your-256-bit-secret-your-256-bit",
		"eduverse_super_secret_jwt_key_2026",
		"{{ .Values.jwt.secret | b64enc | quote }}",
		"${JWT_SECRET:?is not set in the environment}",
		"openssl rand -base64 48 | tr -d '\\n'",
		"eW91ci0yNTYtYml0LXNlY3JldC15b3VyLTI1Ni1iaXQtc2VjcmV0",
		"796f75722d3235362d6269742d736563726574796f75722d3235362d626974",
		"Acme.Gmbh.Geheimnis.Secret.Zugang.42",
		"another secret of 32 bytes at least",
		"mein-ganz-geheimer-jwt-schluessel-1",
		"replace-this-with-32-random-bytes",
		"change_me_change_me_change_me_1234567890",
		"MySuperSecretKeyThatIsAtLeast32CharactersLong!",
		"<insert-your-random-secret-here-please>",
		"this-is-a-very-long-secret-key-for-jwt-2024",
		"a-string-secret-at-least-256-bits-long",
		"your-256-bit-secret-your-256-bit-secret",
		"a-valid-string-secret-that-is-at-least-512-bits-long-which-is-very-long",
		"this-is-a-very-secure-secret-key-please-change",
		"your-super-secret-jwt-token-with-at-least-32-characters-long",
		"THIS_IS_MY_SUPER_SECRET_PASSWORD_123!",
		"thisIsAReallyLongAndRandomSecretStringThatIsHardToGuess123!@#",
		"mySecretKey123456789012345678901234567890",
		"mySecretKeyForJWTTokenGenerationAndValidationPurposesOnlyChangeInProduction",
		"MyVerySecureSecretKeyForJWTThatMustBeVeryLongForHS512AtLeast256Bits",
		"ReplaceWithSecureRandomSecretKeyOfAtLeast32BytesLength_2026_x92!",
		"dev-secret-dev-secret-dev-secret-0000",
		"YourSuperSecretKey_MustBe32CharsMinimum!",
		"generate-with-openssl-rand-base64-48",
		"TODO: put a real random secret here",
		"password1password2password3password4",
	} {
		requireRefused(t, secret, "can be guessed")
	}
}

func TestKeyboardRunIsRefusedAsSecret(t *testing.T) {
	for _, secret := range []string{
		"abcdefghijklmnopqrstuvwxyz0123456789",
		"ABCDEFGHIJKLMNOPQRSTUVWXYZ123456",
		"zyxwvutsrqponmlkjihgfedcba987654",
		"qwertyuiopasdfghjklzxcvbnm123456",
		"QwertyuiopAsdfghjklZxcvbnm1234567890",
		"1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p",
		"a1b2c3d4e5f6g7h8i9j0k1l2m3n4o5p6",
		"aaaabbbbccccddddeeeeffffgggghhhh",
		"secret-1234567890-1234567890-1234567890",
	} {
		requireRefused(t, secret, "can be guessed")
	}
}

func TestRepeatingSecretIsRefusedAtAnyPeriod(t *testing.T) {
	random := "Zt3eB8uK1qW6xN0vC9aS2dF5hJ7mL4pR0gYkV9s0bQ2nX7wT4yR1"
	for period := 16; period <= len(random); period++ {
		for _, length := range []int{2 * period, 2*period + 1, 3*period - 1, 5*period + period/2} {
			requireRefused(t, strings.Repeat(random[:period], 6)[:length], "repeats itself")
		}
	}
	for _, secret := range []string{
		"0123456789abcdef0123456789abcdef",
		"deadbeefcafedeadbeefcafedeadbeefcafe",
		"secretsecretsecretsecretsecretsecret1",
		strings.Repeat("x9K$", 9)[:34],
		strings.Repeat("abcdefg", 3) + "gfedcbagfedcba", // seven different bytes
	} {
		requireRefused(t, secret, "repeats itself or has fewer")
	}
}

func TestPublishedSecretIsRefused(t *testing.T) {
	for _, secret := range []string{
		"09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",
		"192b9bdd22ab9ed4d12e236c78afcb9a393ec15f71bbf5dc987d54727823bcbf",
		"404E635266556A586E3272357538782F413F4428472B4B6250645367566B5970",
	} {
		requireRefused(t, secret, "published example")
		requireRefused(t, secret+"\n", "published example")
	}
}

func TestSpaceAroundTextSecretIsRefused(t *testing.T) {
	for _, secret := range []string{
		sharedSecret + "\n", sharedSecret + "\r\n", sharedSecret + " ", sharedSecret + "\t", " " + sharedSecret,
		"\n" + sharedSecret, "\ufeff" + sharedSecret, "\ufeff" + sharedSecret + "\r\n", sharedSecret + "\u00a0",
		sharedSecret[:31] + "\n", // too short without the line break
		sharedSecret + "\n" + sharedSecret[:20] + "\n",
		"correct horse violin amulet pelican vertigo anchor ",
		`"` + sharedSecret + `"`, "'" + sharedSecret + "'\n", sharedSecret + "\x00", sharedSecret + "\u200b",
	} {
		requireRefused(t, secret, "white space")
		require.ErrorContains(t, keys.Secret(secret).Check(), "strings.TrimSpace")
		require.ErrorContains(t, keys.Secret(secret).Check(), `tr -d '\n'`)
	}
	require.NoError(t, keys.Secret(sharedSecret+"\n"+sharedSecret[:20]).Check(), "openssl wraps long base64; white space inside is no risk")
}

// repeatableRandom returns random bytes that are the same in each run, so that
// a test does not fail by chance.
func repeatableRandom() *rand.ChaCha8 { return rand.NewChaCha8([32]byte([]byte(sharedSecret))) }

func TestSpaceAroundRawRandomSecretIsAccepted(t *testing.T) {
	random := repeatableRandom()
	for _, space := range []string{" ", "\t", "\n", "\v", "\f", "\r", "\r\n"} {
		for range 200 {
			secret := make([]byte, 48)
			_, _ = random.Read(secret)
			copy(secret, space)
			copy(secret[len(secret)-len(space):], space)
			require.NoError(t, keys.Secret(secret).Check(), "%x", secret)
		}
	}
}

func TestRandomSecretsAreAccepted(t *testing.T) {
	random := repeatableRandom()
	for _, size := range []int{32, 48} {
		for range 20_000 {
			secret := make([]byte, size)
			_, _ = random.Read(secret)
			for _, spelled := range []string{
				string(secret), hex.EncodeToString(secret), strings.ToUpper(hex.EncodeToString(secret)),
				base64.StdEncoding.EncodeToString(secret), base64.RawURLEncoding.EncodeToString(secret),
			} {
				if err := keys.Secret(spelled).Check(); err != nil {
					t.Fatalf("%q: %v", spelled, err)
				}
			}
		}
	}
}

func TestSecretWithSSHPrefixIsAccepted(t *testing.T) {
	for _, secret := range []string{
		"ssh-rl0FwXUgH_ypJJouk74QpsIoa6TT-3G0BEYfoG1ABWKQVfxzwl-5Rv-IbLHd",
		"ssh-dssAAAA7v_ypJJouk74QpsIoa6TT-3G0BEYfoG1ABWKQVfxzwl-5Rv-IbLHd",
	} {
		require.NoError(t, keys.Secret(secret).Check(), secret)
	}
}

func TestRawSecretWithAShortWordIsAccepted(t *testing.T) {
	for _, word := range []string{"JWT", "key", "Key", "hmac"} {
		raw := []byte("\x8f\x02\xd1a\x07\xb9\x1f\xee\x90{" + word + "}\x83\xfe\x11\xc4\x05Q\xa6\x17\xf3\x9bX\x02\xde\x88\x13\xc7\xaa\xe2\x19")
		require.NoError(t, keys.Secret(raw).Check(), word)
	}
}

func TestPassphraseOfUncommonWordsIsAccepted(t *testing.T) {
	for _, secret := range []string{
		"unfitted-gloomily-placate-vividness-ember-tuition",
		"feminine sizable google same word everybody",
		"amarettotrustingstopwatchsixteentannedpresume",
		"jwt-key-xkqzjwvbpmtrylhcndgfsoeuiaxkqpzmwnvbyt",
		"unfitted-gloomily-key-placate-vividness-ember-tuition-oxidant",
		"myapp-production-secret-v2-Zt3eB8uK1qW6xN0vC9aS2dF5", // a random part after a name
	} {
		require.NoError(t, keys.Secret(secret).Check(), secret)
	}
}

func TestLongSecretIsCheckedWithoutPanic(t *testing.T) {
	require.Error(t, keys.Secret(bytes.Repeat([]byte("change-me "), 5000)).Check())
	long := make([]byte, 64<<10)
	_, _ = repeatableRandom().Read(long)
	require.NoError(t, keys.Secret(long).Check())
}

// refusalBits bounds the probability that a random text is taken for words and
// runs; -60 stands for 2^-60. Its bytes are independent, chance gives the
// probability of each in lower case.
//
// A text is refused if some way to cut it costs at most half its length. Give
// each way the weight probability × z^cost, for any z between 0 and 1. A refused
// text has a way of weight z^(length/2) or more beside its probability, so the
// weights of all ways, divided by z^(length/2), are a bound (Chernoff).
func refusalBits(length int, chance func(b byte) float64) float64 {
	of := func(text string) float64 {
		product := 1.0
		for i := range len(text) {
			product *= chance(text[i])
		}
		return product
	}
	pieces := map[int]float64{} // by length
	for _, word := range keys.Words() {
		pieces[len(word)] += of(word)
	}
	var letters, others float64
	for b := range 256 {
		if 'a' <= b && b <= 'z' {
			letters += chance(byte(b))
		} else {
			others += chance(byte(b))
		}
		for n := keys.MinRun; n <= keys.MaxRun; n++ {
			for step := -1; step <= 1; step++ {
				run := make([]byte, n)
				for i := range run {
					run[i] = byte(b + i*step)
				}
				pieces[n] += of(string(run))
			}
		}
	}
	for _, pattern := range keys.KeyboardPatterns() {
		for n := keys.MinRun; n <= keys.MaxRun; n++ {
			for i := 0; i+n <= len(pattern); i++ {
				pieces[n] += of(pattern[i : i+n])
			}
		}
	}

	least := math.Inf(1)
	for z := 0.01; z < 1; z += 0.01 {
		weights := []float64{1} // of all ways to cut the first i bytes
		for i := 1; i <= length; i++ {
			sum := weights[i-1] * (letters*math.Pow(z, keys.LetterCost) + others*math.Pow(z, keys.OtherCost))
			for n, p := range pieces {
				if n <= i {
					sum += weights[i-n] * p
				}
			}
			weights = append(weights, sum)
		}
		least = min(least, math.Log2(weights[length])-float64(length/2)*math.Log2(z))
	}
	return least
}

func TestRandomSecretsAreNotGuessable(t *testing.T) {
	// draw returns the distribution of a byte that is drawn uniformly from alphabet.
	draw := func(alphabet []byte) func(byte) float64 {
		lower := bytes.ToLower(alphabet)
		return func(b byte) float64 { return float64(bytes.Count(lower, []byte{b})) / float64(len(lower)) }
	}
	const hexDigits = "0123456789abcdef"
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	raw := func(b byte) float64 {
		switch {
		case 'a' <= b && b <= 'z':
			return 2. / 256
		case 'A' <= b && b <= 'Z':
			return 0
		}
		return 1. / 256
	}
	for name, bits := range map[string]float64{
		// 32 bytes are 43 characters of base64, of which the last has 16 values
		// instead of 64. A "=" behind them raises cost and limit alike.
		"base64":    refusalBits(43, draw([]byte(letters+"+/"))) + 2,
		"base64url": refusalBits(43, draw([]byte(letters+"-_"))) + 2,
		"hex":       refusalBits(64, draw([]byte(hexDigits))),
		"raw":       refusalBits(32, raw),
	} {
		require.Less(t, bits, -60.0, "%s: one in 2^%.1f random secrets may be refused", name, -bits)
	}
}

func BenchmarkSecretCheck(b *testing.B) {
	for b.Loop() {
		_ = keys.Secret(sharedSecret).Check()
	}
}
