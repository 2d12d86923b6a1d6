package password

import (
	"context"
	"encoding/base64"
	"math"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt/internal/admission"
	"github.com/fiberjwt/fiberjwt/internal/fault"
)

// Hashes from other programs: Debian's argon2 0~20171227, called without a line break by
//
//	echo -n "$PASSWORD" | argon2 'fiberjwt salt 16' -id -t 2 -k 19456 -p 1 -l 32 -e
//	echo -n "$PASSWORD" | argon2 'fiberjwt salt 16' -id -t 3 -k 1024 -p 4 -l 24 -e
//
// and Apache's htpasswd 2.4.71, htpasswd -nbBC 5 u "$PASSWORD". bcrypt72 is a hash of 72
// times "a".
const (
	knownPassword = "correct horse battery staple"
	knownArgon    = "$argon2id$v=19$m=19456,t=2,p=1$ZmliZXJqd3Qgc2FsdCAxNg$/yDKcWKZYdSq8ljkKqe0s/QG1B/w6FeB0l0cg/odO44"
	knownLanes    = "$argon2id$v=19$m=1024,t=3,p=4$ZmliZXJqd3Qgc2FsdCAxNg$aL0duvrAadiE8HTFGNuP+tss7uGY63Tr"
	knownBcrypt   = "$2y$05$b2piw7kgs3QrcPIbtIJxKeAt1koDZ8R5uuFc9SmKIIQmNX7y19fRK"
	bcrypt72      = "$2y$05$V0MOcRrtakzGJO/6Y46huu3kGFcnBPnSEa7D0c3juJUwFiTSefjX."
)

// quick is far below the least accepted settings, for tests that hash often.
var quick = Settings{Memory: 64, Iterations: 1}

func hasherOf(p Settings) *Hasher {
	return New(p, Load{Processors: runtime.GOMAXPROCS(0), Patience: 5 * time.Second})
}

// salt16 and tag24 are parts of hashes that are only parsed.
const (
	salt16 = "ZmliZXJqd3Qgc2FsdCAxNg"
	tag24  = "aL0duvrAadiE8HTFGNuP+tss7uGY63Tr"
)

func verify(t *testing.T, h *Hasher, encoded, password string) (ok, stale bool) {
	t.Helper()
	ok, stale, err := h.Verify(context.Background(), encoded, password)
	require.NoError(t, err)
	return ok, stale
}

func TestHashIsPHCStringWithDefaults(t *testing.T) {
	h := hasherOf(Settings{})
	encoded, err := h.Hash(context.Background(), knownPassword)
	require.NoError(t, err)
	require.Regexp(t, `^\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$`, encoded)

	ok, stale := verify(t, h, encoded, knownPassword)
	require.True(t, ok)
	require.False(t, stale)
	ok, _ = verify(t, h, encoded, knownPassword+" ")
	require.False(t, ok)
}

func TestHashesOfOnePasswordDiffer(t *testing.T) {
	h := hasherOf(quick)
	first, err := h.Hash(context.Background(), knownPassword)
	require.NoError(t, err)
	second, err := h.Hash(context.Background(), knownPassword)
	require.NoError(t, err)
	require.NotEqual(t, first, second)
}

func TestHashesOfOtherProgramsVerify(t *testing.T) {
	h := hasherOf(Settings{})
	for name, tc := range map[string]struct {
		encoded string
		stale   bool
	}{
		"argon2 of the default parameters": {knownArgon, false},
		"argon2 of less memory":            {knownLanes, true},
		"bcrypt 2y":                        {knownBcrypt, true},
		"bcrypt 2b":                        {strings.Replace(knownBcrypt, "2y", "2b", 1), true},
		"bcrypt 2a":                        {strings.Replace(knownBcrypt, "2y", "2a", 1), true},
	} {
		t.Run(name, func(t *testing.T) {
			ok, stale := verify(t, h, tc.encoded, knownPassword)
			require.True(t, ok)
			require.Equal(t, tc.stale, stale)

			ok, stale = verify(t, h, tc.encoded, strings.ToUpper(knownPassword))
			require.False(t, ok)
			require.False(t, stale, "a wrong password must not lead to a new hash")
		})
	}
}

func TestHashIsStaleWhenAnyParameterIsWeaker(t *testing.T) {
	now := phc{19456, 2, 1, make([]byte, 16), make([]byte, 32)}
	for name, tc := range map[string]struct {
		change func(*phc)
		stale  bool
	}{
		"the same":       {func(*phc) {}, false},
		"less memory":    {func(p *phc) { p.memory-- }, true},
		"fewer passes":   {func(p *phc) { p.time-- }, true},
		"a shorter salt": {func(p *phc) { p.salt = p.salt[:15] }, true},
		"a shorter tag":  {func(p *phc) { p.tag = p.tag[:31] }, true},
		"stronger":       {func(p *phc) { p.memory, p.time = 65536, 3 }, false},
		"more threads":   {func(p *phc) { p.threads = 4 }, false},
	} {
		t.Run(name, func(t *testing.T) {
			p := now
			tc.change(&p)
			require.Equal(t, tc.stale, p.weakerThan(now))
		})
	}
}

func TestBcryptRefusesPasswordsItWouldMisread(t *testing.T) {
	h := hasherOf(quick)
	a72 := strings.Repeat("a", 72)
	ok, _ := verify(t, h, bcrypt72, a72)
	require.True(t, ok)
	ok, _ = verify(t, h, bcrypt72, a72+"b")
	require.False(t, ok, "byte 73 is ignored by bcrypt")
	// bcrypt's key is the password and a NUL, over and over.
	ok, _ = verify(t, h, knownBcrypt, knownPassword+"\x00"+knownPassword)
	require.False(t, ok, "to bcrypt this is the password itself")
}

// A hash that no password matches must cost as much as a new hash. The allocated memory
// shows whether argon2 ran, more reliably than the clock.
func TestMissingHashCostsAsMuchAsWrongPassword(t *testing.T) {
	h := hasherOf(Settings{Memory: 8192})
	own, err := h.Hash(context.Background(), knownPassword)
	require.NoError(t, err)
	for name, tc := range map[string]struct{ encoded, password string }{
		"a wrong password":              {own, "wrong"},
		"no such account":               {"", knownPassword},
		"no hash":                       {knownPassword, knownPassword},
		"foreign":                       {"$argon2i$v=19$m=4096,t=3,p=1$" + salt16 + "$" + tag24, knownPassword},
		"scrypt":                        {"$scrypt$ln=16,r=8,p=1$" + salt16 + "$" + tag24, knownPassword},
		"cut off":                       {own[:len(own)/2], knownPassword},
		"out of bounds":                 {strings.Replace(own, "m=8192", "m=1048577", 1), knownPassword},
		"bcrypt 2x":                     {strings.Replace(knownBcrypt, "2y", "2x", 1), knownPassword},
		"bcrypt of a cost of minutes":   {strings.Replace(knownBcrypt, "$05$", "$17$", 1), knownPassword},
		"bcrypt of too little cost":     {strings.Replace(knownBcrypt, "$05$", "$03$", 1), knownPassword},
		"bcrypt of a signed cost":       {strings.Replace(knownBcrypt, "$05$", "$+5$", 1), knownPassword},
		"bcrypt with a foreign letter":  {knownBcrypt[:59] + "!", knownPassword},
		"bcrypt with a line break":      {knownBcrypt + "\n", knownPassword},
		"bcrypt cut off":                {knownBcrypt[:59], knownPassword},
		"bcrypt with a longer password": {bcrypt72, strings.Repeat("a", 73)},
		"bcrypt with a NUL":             {knownBcrypt, knownPassword + "\x00"},
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			ok, stale := verify(t, h, tc.encoded, tc.password)
			runtime.ReadMemStats(&after)
			require.False(t, ok)
			require.False(t, stale)
			require.InEpsilon(t, 8192<<10, after.TotalAlloc-before.TotalAlloc, 0.25)
		})
	}
}

func TestDummyHashIsRandom(t *testing.T) {
	first, second := hasherOf(quick), hasherOf(quick)
	require.NotEqual(t, first.dummy.tag, second.dummy.tag)
	ok, _ := verify(t, first, "", "")
	require.False(t, ok)
}

func TestPHCStringHasOneAcceptedForm(t *testing.T) {
	long := func(n int) string { return base64.RawStdEncoding.EncodeToString(make([]byte, n)) }
	const head = "$argon2id$v=19$m=1024,t=3,p=4$"
	good := head + salt16 + "$" + tag24
	for name, tc := range map[string]struct {
		encoded string
		ok      bool
	}{
		"as written":                     {good, true},
		"least":                          {"$argon2id$v=19$m=8,t=1,p=1$" + long(8) + "$" + long(16), true},
		"most":                           {"$argon2id$v=19$m=1048576,t=16,p=16$" + long(64) + "$" + long(64), true},
		"empty":                          {"", false},
		"1 GiB and 1 KiB":                {strings.Replace(good, "m=1024", "m=1048577", 1), false},
		"memory that overflows":          {strings.Replace(good, "m=1024", "m=4294967297024", 1), false},
		"memory below 8 KiB a thread":    {strings.Replace(good, "m=1024", "m=31", 1), false},
		"17 passes":                      {strings.Replace(good, "t=3", "t=17", 1), false},
		"no passes":                      {strings.Replace(good, "t=3", "t=0", 1), false},
		"17 threads":                     {strings.Replace(good, "p=4", "p=17", 1), false},
		"no threads":                     {strings.Replace(good, "p=4", "p=0", 1), false},
		"threads that overflow a byte":   {strings.Replace(good, "p=4", "p=257", 1), false},
		"a salt of 7 bytes":              {head + long(7) + "$" + tag24, false},
		"a salt of 65 bytes":             {head + long(65) + "$" + tag24, false},
		"a tag of 15 bytes":              {head + salt16 + "$" + long(15), false},
		"a tag of 65 bytes":              {head + salt16 + "$" + long(65), false},
		"no tag":                         {head + salt16 + "$", false},
		"no salt":                        {head + "$" + tag24, false},
		"one part too many":              {good + "$", false},
		"another variant":                {strings.Replace(good, "argon2id", "argon2i", 1), false},
		"an old version":                 {strings.Replace(good, "v=19", "v=16", 1), false},
		"no version":                     {strings.Replace(good, "v=19$", "", 1), false},
		"another order":                  {strings.Replace(good, "m=1024,t=3", "t=3,m=1024", 1), false},
		"a parameter twice":              {strings.Replace(good, "t=3", "t=3,t=3", 1), false},
		"an unknown parameter":           {strings.Replace(good, "p=4", "p=4,data=AAAA", 1), false},
		"a leading zero":                 {strings.Replace(good, "t=3", "t=03", 1), false},
		"a sign":                         {strings.Replace(good, "t=3", "t=+3", 1), false},
		"a blank before a number":        {strings.Replace(good, "t=3", "t= 3", 1), false},
		"a number in hexadecimal":        {strings.Replace(good, "t=3", "t=0x3", 1), false},
		"padding":                        {head + salt16 + "==$" + tag24, false},
		"base64url":                      {strings.Replace(good, "+", "-", 1), false},
		"spare bits that are not zero":   {strings.Replace(good, "AxNg$", "AxNh$", 1), false},
		"a line break in base64":         {strings.Replace(good, "AxNg$", "AxNg\n$", 1), false},
		"a line break at the end":        {good + "\n", false},
		"a blank at the end":             {good + " ", false},
		"a blank at the start":           {" " + good, false},
		"longer than any hash can be":    {good + strings.Repeat("A", 1<<20), false},
		"a format verb instead of a tag": {head + salt16 + "$%d%s%n", false},
	} {
		t.Run(name, func(t *testing.T) {
			_, ok := parsePHC(tc.encoded)
			require.Equal(t, tc.ok, ok)
		})
	}
}

func FuzzPasswordHashIsParsedWithoutPanicOrCost(f *testing.F) {
	for _, seed := range []string{
		"", "$", "$$$$$", knownArgon, knownLanes, knownBcrypt,
		"$argon2id$v=19$m=1048576,t=16,p=16$" + salt16 + "$" + tag24,
		"$argon2id$v=19$m=4294967295,t=4294967295,p=255$" + salt16 + "$" + tag24,
		"$argon2id$v=19$m=1024,t=3,p=4,p=4$" + salt16 + "$" + tag24,
		"$argon2id$v=19$m= 1024,t=+3,p=04$" + salt16 + "\n$" + tag24 + "==",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, encoded string) {
		p, ok := parsePHC(encoded)
		if !ok {
			require.Zero(t, p)
			return
		}
		require.LessOrEqual(t, p.memory, uint32(1<<20))
		require.GreaterOrEqual(t, p.memory, 8*uint32(p.threads))
		require.LessOrEqual(t, p.time, uint32(16))
		require.LessOrEqual(t, p.threads, uint8(16))
		require.NotZero(t, p.time, "argon2 panics")
		require.NotZero(t, p.threads, "argon2 panics")
		require.True(t, len(p.salt) >= 8 && len(p.salt) <= 64)
		require.True(t, len(p.tag) >= 16 && len(p.tag) <= 64)
		require.Equal(t, encoded, p.encode())
	})
}

func TestSlotsBoundConcurrentHashes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := hasherOf(quick)
		var inside atomic.Int32
		leave := make(chan struct{})
		for range 5 * cap(h.slots) {
			go func() { _ = h.compute(t.Context(), func() { inside.Add(1); <-leave; inside.Add(-1) }) }()
		}
		synctest.Wait()
		require.EqualValues(t, cap(h.slots), inside.Load())
		require.Equal(t, max(1, runtime.GOMAXPROCS(0)-1), cap(h.slots), "one processor is for all other requests")
		close(leave)
		synctest.Wait()
		require.Empty(t, h.slots)
	})
}

func TestQueueIsAsLongAsTheDeadlineAllows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := hasherOf(quick)
		for range 100 { // 100 ms each, so 50 fit into 5 s
			require.NoError(t, h.compute(t.Context(), func() { time.Sleep(100 * time.Millisecond) }))
		}
		inside := cap(h.slots) + overlap
		var waiting atomic.Int32
		for range inside + 50*cap(h.slots) {
			go func() {
				waiting.Add(1)
				_, _ = h.Enter(t.Context(), "")
				waiting.Add(-1)
			}()
		}
		synctest.Wait()
		require.EqualValues(t, 50*cap(h.slots), waiting.Load())
		start := time.Now()
		_, err := h.Enter(t.Context(), "")
		require.ErrorIs(t, err, admission.ErrBusy)
		require.ErrorIs(t, err, fault.ErrUnavailable)
		require.Zero(t, time.Since(start), "the excess is refused at once")
		time.Sleep(5 * time.Second)
		synctest.Wait()
		require.Zero(t, waiting.Load(), "a request waits beyond the deadline")
	})
}

func TestSignInsLeaveHalfOfThePoolToOthers(t *testing.T) {
	for _, c := range []struct{ slots, pool, want int }{{1, 0, 3}, {7, 0, 9}, {7, 1, 1}, {7, 2, 1}, {7, 10, 5}, {7, 100, 9}} {
		require.Equal(t, c.want, signInsAtOnce(c.slots, c.pool), "%+v", c)
	}
}

func TestWaitingForASlotEndsWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := hasherOf(quick)
		leave := make(chan struct{})
		for range cap(h.slots) {
			go func() { _ = h.compute(t.Context(), func() { <-leave }) }()
		}
		synctest.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		result := make(chan error, 1)
		go func() {
			_, err := h.Hash(ctx, knownPassword)
			result <- err
		}()
		synctest.Wait()
		cancel()
		require.ErrorIs(t, <-result, context.Canceled)
		close(leave)
	})
}

func TestEndedContextHashesNothing(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	h := hasherOf(quick)
	_, err := h.Hash(ctx, knownPassword)
	require.ErrorIs(t, err, context.Canceled)
	_, _, err = h.Verify(ctx, knownArgon, knownPassword)
	require.ErrorIs(t, err, context.Canceled)
	require.Empty(t, h.slots)
}

// Old hashes have other costs than new ones. The time of a wrong password must not show
// which hash an account has.
func TestWrongPasswordPaysForKnownOldHashes(t *testing.T) {
	h := hasherOf(Settings{})
	paid := func(encoded string) (costs []string) {
		_, own, _ := h.matcher(encoded, "wrong")
		for _, cost := range h.costs(own) {
			costs = append(costs, cost.name)
		}
		return costs
	}
	for _, dear := range []string{"$2b$13$" + knownBcrypt[7:], strings.Replace(knownArgon, "m=19456,t=2", "m=1048576,t=16", 1)} {
		require.Len(t, paid(dear), 2)
		require.Equal(t, []string{""}, paid(""), "only its own account pays a very expensive hash")
	}
	require.Equal(t, []string{"", "bcrypt 05"}, paid(knownBcrypt))
	all := []string{"", "bcrypt 05", "m=1024,t=3,p=4"}
	require.Equal(t, all, paid(knownLanes))
	for _, encoded := range []string{"", knownBcrypt, knownArgon, knownLanes, "foreign", "$2b$09$" + knownBcrypt[7:]} {
		if encoded[:min(len(encoded), 7)] == "$2b$09$" {
			all = append(all, "bcrypt 09")
		}
		require.Equal(t, all, paid(encoded), encoded)
	}
	require.Equal(t, append(all, "bcrypt 11"), paid("$2b$11$"+knownBcrypt[7:]))
	require.Equal(t, all, paid(""), "more than three costs are remembered")
	for _, encoded := range []string{knownArgon, knownBcrypt} {
		ok, stale, err := h.Verify(t.Context(), encoded, knownPassword)
		require.NoError(t, err)
		require.True(t, ok && stale == (encoded == knownBcrypt))
		ok, _, err = h.Verify(t.Context(), encoded, "wrong")
		require.NoError(t, err)
		require.False(t, ok)
	}
	_, _, err := h.Verify(t.Context(), "", strings.Repeat("x", 100))
	require.NoError(t, err)
}

func TestNewPasswordMustMeetThePolicy(t *testing.T) {
	h := hasherOf(Settings{})
	const (
		short    = "must have at least 8 characters"
		long     = "must have at most 256 characters"
		common   = "is one of the most common passwords"
		personal = "must differ from the name of the account"
		binary   = "must be text without NUL characters"
	)
	for name, tc := range map[string]struct{ password, problem string }{
		"fine":                              {"tr0ub4dor&3", ""},
		"blanks are characters":             {"  ~  ~  ", ""},
		"8 code points of several bytes":    {"пароль-ю", ""},
		"7 code points of 28 bytes":         {strings.Repeat("🔑", 7), short},
		"empty":                             {"", short},
		"256 code points of 1,024 bytes":    {strings.Repeat("🔑", 256), ""},
		"257 code points":                   {strings.Repeat("x", 257), long},
		"a NUL":                             {"tr0ub4dor\x00&3", binary},
		"invalid UTF-8":                     {"tr0ub4dor\xff&3", binary},
		"half of a surrogate pair":          {"tr0ub4dor\xed\xa0\x80", binary},
		"the most common one":               {"password", common},
		"a common one in capitals":          {"PassWord1", common},
		"the first of the list":             {"!qaz2wsx", common},
		"the last of the list":              {"zzzzzzz1", common},
		"two of the list":                   {"!qaz2wsx\n%%passwo", ""},
		"part of one of the list":           {"sswordpa", ""},
		"a common one with a blank":         {"password ", ""},
		"the e-mail address":                {"Ada.Lovelace@example.com", personal},
		"the local part":                    {"ADA.LOVELACE", personal},
		"more than the local part":          {"ada.lovelace!", ""},
		"the local part in other code":      {"аda.lovelace", ""}, // Cyrillic а
		"common before personal, both hold": {"sunshine", common},
	} {
		t.Run(name, func(t *testing.T) {
			problem := h.Problem(tc.password, "ada.lovelace@example.com", "ada.lovelace", "", "sunshine")
			require.Equal(t, tc.problem, problem)
		})
	}
}

func TestMinLengthIsConfigurable(t *testing.T) {
	h := hasherOf(Settings{MinLength: 15})
	require.Equal(t, "must have at least 15 characters", h.Problem("tr0ub4dor&3 x!"))
	require.Empty(t, h.Problem("tr0ub4dor&3 x!?"))
}

func TestTooLongIsMoreThan256CodePoints(t *testing.T) {
	require.False(t, TooLong(strings.Repeat("🔑", 256)))
	require.True(t, TooLong(strings.Repeat("x", 257)))
	require.True(t, TooLong(strings.Repeat("\xff", 257)), "a broken byte counts as one")
}

// isCommon requires this form of the list.
func TestCommonPasswordsAreSortedAndInLowerCase(t *testing.T) {
	require.True(t, strings.HasSuffix(commonPasswords, "\n"))
	lines := strings.Split(strings.TrimSuffix(commonPasswords, "\n"), "\n")
	require.Len(t, lines, 10_000)
	require.True(t, slices.IsSorted(lines))
	require.Len(t, slices.Compact(slices.Clone(lines)), len(lines), "no line is there twice")
	for _, line := range lines {
		require.Regexp(t, `^[!-@\[-~]{8,}$`, line)
	}
}

func TestEveryCommonPasswordIsFound(t *testing.T) {
	for line := range strings.Lines(commonPasswords) {
		word := strings.TrimSuffix(line, "\n")
		require.True(t, isCommon(word), word)
		require.False(t, isCommon(word+"\n"), word)
		require.False(t, isCommon(word[:len(word)-1]+"\x7f"), word)
	}
	for _, word := range []string{"", "\n", "\x00", "~~~~~~~~~", "\U0010ffff"} {
		require.False(t, isCommon(word), word)
	}
}

func TestPasswordProblemAllocatesNothing(t *testing.T) {
	h := hasherOf(Settings{})
	require.Zero(t, testing.AllocsPerRun(100, func() { h.Problem("tr0ub4dor&3", "ada.lovelace") }))
}

func TestZeroPasswordConfigIsValid(t *testing.T) {
	require.Empty(t, Settings{}.Problems())
	require.Empty(t, Settings{Memory: 1 << 20, Iterations: 16, Threads: 16, MinLength: 64}.Problems())
}

func TestInvalidPasswordConfigIsRefusedByField(t *testing.T) {
	for name, tc := range map[string]struct {
		config Settings
		faults []string
	}{
		"2 passes want 19456 KiB":            {Settings{Memory: 19455}, []string{"Config.Password.Memory: 19455 KiB is too little for Iterations of 2: give 19456 or more"}},
		"1 pass wants 47104 KiB":             {Settings{Iterations: 1}, []string{"Config.Password.Memory: 19456 KiB is too little for Iterations of 1: give 47104 or more"}},
		"3 passes want 12288 KiB":            {Settings{Memory: 12287, Iterations: 3}, []string{"Config.Password.Memory: 12287 KiB is too little for Iterations of 3: give 12288 or more"}},
		"4 passes want 9216 KiB":             {Settings{Memory: 9215, Iterations: 4}, []string{"Config.Password.Memory: 9215 KiB is too little for Iterations of 4: give 9216 or more"}},
		"5 passes want 7168 KiB":             {Settings{Memory: 7167, Iterations: 5}, []string{"Config.Password.Memory: 7167 KiB is too little for Iterations of 5: give 7168 or more"}},
		"16 passes want 7168 KiB":            {Settings{Memory: 7167, Iterations: 16}, []string{"Config.Password.Memory: 7167 KiB is too little for Iterations of 16: give 7168 or more"}},
		"bytes taken for KiB":                {Settings{Memory: 64 << 20}, []string{"Config.Password.Memory: 67108864 KiB is too much: give at most 1048576; the unit is KiB"}},
		"a minimum length that is too short": {Settings{MinLength: 7}, []string{"Config.Password.MinLength: 7 is not between 8 and 64: give a number in this range, or leave it out for the default of 8"}},
		"a minimum length that is too long":  {Settings{MinLength: 65}, []string{"Config.Password.MinLength: 65 is not between 8 and 64: give a number in this range, or leave it out for the default of 8"}},
		"a negative length":                  {Settings{MinLength: -1}, []string{"Config.Password.MinLength: -1 is not between 8 and 64: give a number in this range, or leave it out for the default of 8"}},
		"everything": {Settings{Memory: 1, Iterations: math.MaxUint32, Threads: 17, MinLength: 1}, []string{
			"Config.Password.Iterations: 4294967295 passes are more than 16: raise Memory instead",
			"Config.Password.Memory: 1 KiB is too little for Iterations of 4294967295: give 7168 or more",
			"Config.Password.Threads: 17 is too much: give at most 16",
			"Config.Password.MinLength: 1 is not between 8 and 64: give a number in this range, or leave it out for the default of 8",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, tc.faults, fault.Texts(tc.config.Problems()))
		})
	}
}

func TestEquallyStrongParametersAreAccepted(t *testing.T) {
	for _, p := range []Settings{{Memory: 47104, Iterations: 1}, {Memory: 12288, Iterations: 3}, {Memory: 9216, Iterations: 4}, {Memory: 7168, Iterations: 5}} {
		require.Empty(t, p.Problems(), "%+v", p)
	}
}

func BenchmarkVerify(b *testing.B) {
	h := hasherOf(Settings{})
	for name, encoded := range map[string]string{
		"hash=argon2id": knownArgon, "hash=bcrypt-5": knownBcrypt, "hash=none": "",
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _, _ = h.Verify(context.Background(), encoded, "wrong")
			}
		})
	}
}
