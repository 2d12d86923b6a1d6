// Code generated from ../../fiberjwttest/store.go by internal/twin; DO NOT EDIT.

// Package fiberjwttest helps to test applications that use fiberjwt, by a [Kit],
// and stores of sessions, by [TestStore].
package fiberjwttest

import (
	"context"
	"crypto/rand"
	"errors"
	"maps"
	mathrand "math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt/session"
)

// TestStore runs the conformance suite on a store: a store is correct if it passes.
// open is called several times; each call must return a new store on the same data,
// as in another process. Other data in there does not matter. If the store also is
// a session.Attempts, session.Clock, session.Revocations or session.Slider, these
// abilities are tested too. The environment variable FIBERJWT_CASES sets the number
// of random cases, 1,000 by default.
func TestStore(t *testing.T, open func(t *testing.T) session.Store) {
	tests := map[string]func(*testing.T, *suite){
		"RefreshEqualsDecide":                  testRefreshEqualsDecide,
		"RacingRefreshesWriteOnce":             testRacingRefreshesWriteOnce,
		"ReuseIsReportedByExactlyOneCall":      testReuseWritesOnce,
		"RacingRefreshesDoNotUndoRevoke":       testRevokeHoldsAgainstRefresh,
		"RevokeChecksTheOwner":                 testRevokeAsksForTheOwner,
		"PasswordChangeEndsEarlierLogins":      testLoginsBeforeAChange,
		"RevokeAllEndsAllButOne":               testRevokeAll,
		"RowSurvivesRestart":                   testRestart,
		"ListReturnsLiveSessionsNewestFirst":   testList,
		"ProveChangesOnlyAuthTime":             testProve,
		"PruneRemovesOnlySessionsPastTheirEnd": testPrune,
		"SessionOfAnotherKindIsNotFound":       testOtherKind,
		"RepeatedCreateKeepsTheRow":            testCreateTwice,
		"RepeatedCreateKeepsLaterChanges":      testCreateAgain,
		"DeadlinesAreKeptToTheMillisecond":     testBoundaries,
		"SubjectsAreComparedByteForByte":       testSubjects,
		"ProveOfUnknownSessionStoresNothing":   testProveUnknown,
		"DoneContextIsAnError":                 testDoneContext,
	}
	if _, ok := open(t).(session.Attempts); ok {
		maps.Copy(tests, attemptsTests)
	}
	if _, ok := open(t).(session.Clock); ok {
		tests["StoreClockDecidesIfAsked"] = testClock
	}
	if _, ok := open(t).(session.Slider); ok {
		tests["SlideMovesIdleDeadlineOfLiveSessions"] = testSlide
	}
	if _, ok := open(t).(session.Revocations); ok {
		tests["RevokedSinceListsEveryRevocation"] = testRevocations
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			test(t, &suite{t: t, open: open, store: open(t), subject: rand.Text()})
		})
	}
}

// The times of the suite. Its clock is the real time, because a store may delete rows
// whose Ends is past by its own clock.
var times = session.Times{Grace: 30 * time.Second, Rearm: time.Minute, Age: 5 * time.Minute, Idle: 14 * 24 * time.Hour}

const (
	second = int64(1000)
	day    = 24 * 3600 * second
)

type suite struct {
	t       *testing.T
	open    func(t *testing.T) session.Store
	store   session.Store
	racers  []session.Store // the store and two others, made when they are needed
	subject string          // an account that only this test uses
}

// row returns a living session whose generation 7 was issued now, with parent 6.
func (s *suite) row() session.Row {
	now := time.Now().UnixMilli()
	sid := make([]byte, 16)
	_, _ = rand.Read(sid)
	return session.Row{
		SID: sid, Kind: "users", Subject: s.subject, Gen: 7, Prev: 6, Issued: now, IdleUntil: now + 14*day, Ends: now + 90*day,
		AuthTime: now, Created: now, Address: "192.0.2.1", Agent: "Ünïcode \"quoted\" 'agent' \\ ?",
	}
}

func (s *suite) create(row session.Row) session.Row {
	s.t.Helper()
	require.NoError(s.t, s.store.Create(s.t.Context(), row))
	return row
}

func (s *suite) find(row session.Row) session.Row {
	s.t.Helper()
	found, ok, err := s.store.Find(s.t.Context(), row.Kind, row.SID)
	require.NoError(s.t, err)
	require.True(s.t, ok)
	return found
}

// answer is what a client sees of an outcome.
func answer(o session.Outcome) string {
	switch {
	case o == session.Gone:
		return "ended"
	case o == session.Reuse:
		return "revoked"
	case o.Rotates():
		return "both tokens"
	}
	return "an access token"
}

func testRefreshEqualsDecide(t *testing.T, s *suite) {
	seed := time.Now().UnixNano()
	random := mathrand.New(mathrand.NewPCG(uint64(seed), 0))
	seen := map[session.Outcome]bool{}
	for n := 0; n < cases() || len(seen) < 8 && n < 20*cases(); n++ {
		row := s.create(randomRow(random, s.row()))
		for range 1 + random.IntN(3) {
			g := max(0, row.Gen-3+random.Int64N(6))
			now := row.Created + random.Int64N(700*second) - 5*second
			want, outcome := session.Decide(row, g, now, times)
			got, gotOutcome, err := s.store.Refresh(t.Context(), row.Kind, row.SID, g, now, times)
			require.NoError(t, err)
			require.Equal(t, answer(outcome), answer(gotOutcome), "seed %d, row %+v, g %d, now %d: want %v, got %v", seed, row, g, now, outcome, gotOutcome)
			require.Equal(t, want, s.find(row), "seed %d, row %+v, g %d, now %d: %v", seed, row, g, now, outcome)
			require.Equal(t, want, got, "seed %d: the returned row", seed)
			row, seen[outcome] = want, true
		}
	}
	require.Len(t, seen, 8, "seed %d: some outcome was never tried", seed)
}

func cases() int {
	n, err := strconv.Atoi(os.Getenv("FIBERJWT_CASES"))
	if err != nil {
		return 1000
	}
	return n
}

func randomRow(random *mathrand.Rand, row session.Row) session.Row {
	row.Gen = random.Int64N(5)
	row.Prev = max(row.Gen-1-random.Int64N(2), -1)
	row.IdleUntil = row.Created + random.Int64N(2000*second)
	row.Ends = row.IdleUntil + random.Int64N(1000*second) + 3600*second
	if random.IntN(4) == 0 {
		row.IdleUntil = row.Ends - random.Int64N(10*second)
	}
	if random.IntN(20) == 0 {
		row.Revoked = row.Created - 1
	}
	return row
}

// testClock is for stores that are session.Clock. The caller's clock is wrong by an
// hour. Ages are far from every boundary, so that a slow store passes.
func testClock(t *testing.T, s *suite) {
	shared := times
	shared.StoreClock = true
	for _, off := range []int64{-3600 * second, 0, 3600 * second} {
		for _, test := range []struct {
			g, age int64
			want   session.Outcome
		}{
			{9, 20 * second, session.Heal}, {7, 150 * second, session.Same}, {7, 600 * second, session.Rotate},
			{6, 5 * second, session.Converge}, {6, 40 * second, session.Rearm}, {6, 150 * second, session.Replace},
			{5, 5 * second, session.Reuse}, {7, -60 * second, session.Same},
		} {
			now := time.Now().UnixMilli() + off
			before, err := s.store.(session.Clock).Clock(t.Context(), now)
			require.NoError(t, err)
			row := s.row()
			row.Issued, row.IdleUntil, row.Ends = before-test.age, before+14*day, before+90*day
			s.create(row)
			got, o, err := s.store.Refresh(t.Context(), row.Kind, row.SID, test.g, now, shared)
			require.NoError(t, err)
			after, err := s.store.(session.Clock).Clock(t.Context(), now)
			require.NoError(t, err)
			require.Equal(t, answer(test.want), answer(o), "generation %d, age %d ms, the caller off by %d ms: want %v, got %v", test.g, test.age, off, test.want, o)
			judged := before // when the store did
			switch {
			case test.want == session.Reuse:
				judged = got.Revoked
			case test.want.Writes():
				judged = got.Issued
			}
			require.True(t, before <= judged && judged <= after, "judged at %d, which is not between %d and %d", judged, before, after)
			want, _ := session.Decide(row, test.g, judged, times)
			require.Equal(t, want, got)
			require.Equal(t, want, s.find(row))
		}
	}
}

// race calls do from n goroutines on three stores at once.
func (s *suite) race(n int, do func(i int, store session.Store)) {
	if s.racers == nil {
		s.racers = []session.Store{s.store, s.open(s.t), s.open(s.t)}
	}
	start := make(chan struct{})
	var group sync.WaitGroup
	for i := range n {
		group.Go(func() {
			<-start
			do(i, s.racers[i%len(s.racers)])
		})
	}
	close(start)
	group.Wait()
}

func testRacingRefreshesWriteOnce(t *testing.T, s *suite) {
	for range 10 {
		row := s.create(s.row())
		now := row.Issued + 600*second
		const tabs = 32
		var rows [tabs]session.Row
		var outcomes [tabs]session.Outcome
		var errs [tabs]error
		s.race(tabs, func(i int, store session.Store) {
			rows[i], outcomes[i], errs[i] = store.Refresh(context.Background(), row.Kind, row.SID, row.Gen, now+int64(i), times)
		})
		rotated := 0
		for i := range tabs {
			require.NoError(t, errs[i])
			require.EqualValues(t, 8, rows[i].Gen)
			require.Contains(t, []session.Outcome{session.Rotate, session.Converge}, outcomes[i])
			if outcomes[i] == session.Rotate {
				rotated++
			}
		}
		require.Equal(t, 1, rotated, "one of %d rotates, the others converge", tabs)
		require.EqualValues(t, 8, s.find(row).Gen)
	}
}

func testReuseWritesOnce(t *testing.T, s *suite) {
	row := s.create(s.row())
	var mu sync.Mutex
	seen := map[session.Outcome]int{}
	s.race(16, func(_ int, store session.Store) {
		_, o, err := store.Refresh(context.Background(), row.Kind, row.SID, 3, row.Issued+second, times)
		mu.Lock()
		defer mu.Unlock()
		if err == nil {
			seen[o]++
		}
	})
	require.Equal(t, map[session.Outcome]int{session.Reuse: 1, session.Gone: 15}, seen)
	require.Equal(t, row.Issued+second, s.find(row).Revoked)
	after, o, err := s.store.Refresh(t.Context(), row.Kind, row.SID, row.Gen, row.Issued+2*second, times)
	require.NoError(t, err)
	require.Equal(t, session.Gone, o)
	require.True(t, after.Reused(), "a later refresh must also report the theft, because the first answer may be lost")
}

func testRevokeHoldsAgainstRefresh(t *testing.T, s *suite) {
	ends := map[string]func(session.Store, session.Row, int64) error{
		"Revoke": func(store session.Store, row session.Row, now int64) error {
			_, err := store.Revoke(context.Background(), row.SID, row.Kind, row.Subject, now)
			return err
		},
		"RevokeAll": func(store session.Store, row session.Row, now int64) error {
			return store.RevokeAll(context.Background(), row.Kind, row.Subject, nil, now)
		},
	}
	for name, end := range ends {
		for range 10 {
			row := s.create(s.row())
			now := row.Issued + 600*second
			var errs [9]error
			s.race(len(errs), func(i int, store session.Store) {
				if i == 4 {
					errs[i] = end(store, row, now)
					return
				}
				_, _, errs[i] = store.Refresh(context.Background(), row.Kind, row.SID, row.Gen, now, times)
			})
			require.NoError(t, errors.Join(errs[:]...))
			require.Equal(t, now, s.find(row).Revoked, "a concurrent refresh undid %s", name)
			_, o, err := s.store.Refresh(t.Context(), row.Kind, row.SID, 8, now, times)
			require.NoError(t, err)
			require.Equal(t, session.Gone, o)
		}
	}
}

// testLoginsBeforeAChange runs a password change concurrently with sign-ins with the old
// password: RevokeAll must end every session that was created before it began.
func testLoginsBeforeAChange(t *testing.T, s *suite) {
	for range 10 {
		here := s.create(s.row())
		var rows [8]session.Row
		for i := range rows {
			rows[i] = s.row()
		}
		var created [len(rows)]atomic.Bool
		var before [len(rows)]bool
		var errs [len(rows) + 1]error
		first := make(chan struct{})
		s.race(len(errs), func(i int, store session.Store) {
			if i < len(rows) {
				errs[i] = store.Create(context.Background(), rows[i])
				created[i].Store(true)
				if i == 0 {
					close(first)
				}
				return
			}
			<-first
			for j := range before {
				before[j] = created[j].Load()
			}
			errs[i] = store.RevokeAll(context.Background(), here.Kind, here.Subject, here.SID, here.Created)
		})
		require.NoError(t, errors.Join(errs[:]...))
		for i, row := range rows {
			require.False(t, before[i] && s.find(row).Revoked == 0, "a session with the old password outlives its change")
		}
		require.Zero(t, s.find(here).Revoked)
	}
}

func testRevokeAsksForTheOwner(t *testing.T, s *suite) {
	row := s.create(s.row())
	for name, owner := range map[string][2]string{
		"another kind": {"teachers", row.Subject}, "another account": {row.Kind, row.Subject + "1"}, "letters in another case": {"Users", row.Subject},
	} {
		found, err := s.store.Revoke(t.Context(), row.SID, owner[0], owner[1], row.Created)
		require.NoError(t, err)
		require.False(t, found, name)
	}
	require.Zero(t, s.find(row).Revoked)
	for i := range int64(2) {
		found, err := s.store.Revoke(t.Context(), row.SID, "", "", row.Created+i)
		require.NoError(t, err)
		require.True(t, found)
	}
	require.Equal(t, row.Created, s.find(row).Revoked, "a second Revoke changed the time")
	found, err := s.store.Revoke(t.Context(), s.row().SID, "", "", row.Created)
	require.NoError(t, err)
	require.False(t, found)
}

func testRevokeAll(t *testing.T, s *suite) {
	mine, here, ended := s.create(s.row()), s.create(s.row()), s.row()
	ended.Revoked = ended.Created - 5
	s.create(ended)
	sameID := s.row()
	sameID.Kind = "teachers"
	s.create(sameID)
	other := s.row()
	other.Subject += "1"
	s.create(other)

	require.NoError(t, s.store.RevokeAll(t.Context(), "users", s.subject, here.SID, mine.Created+9))
	require.Equal(t, mine.Created+9, s.find(mine).Revoked)
	require.Zero(t, s.find(here).Revoked)
	require.Equal(t, ended.Revoked, s.find(ended).Revoked)
	require.Zero(t, s.find(sameID).Revoked, "the same key in another kind")
	require.Zero(t, s.find(other).Revoked)
	require.NoError(t, s.store.RevokeAll(t.Context(), "users", s.subject, nil, mine.Created+10))
	require.Equal(t, mine.Created+10, s.find(here).Revoked)
}

func testRestart(t *testing.T, s *suite) {
	row := s.create(s.row())
	again, ok, err := s.open(t).Find(t.Context(), row.Kind, row.SID)
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, row, again, "a column was stored wrongly")
}

func testList(t *testing.T, s *suite) {
	now := time.Now().UnixMilli()
	var want []session.Row
	for i := range int64(3) {
		row := s.row()
		row.Created = now - i*second
		want = append(want, s.create(row))
	}
	for _, end := range []func(*session.Row){
		func(r *session.Row) { r.Revoked = now }, func(r *session.Row) { r.IdleUntil = now }, func(r *session.Row) { r.Kind = "teachers" },
	} {
		row := s.row()
		end(&row)
		s.create(row)
	}
	got, err := s.store.List(t.Context(), "users", s.subject, now)
	require.NoError(t, err)
	require.Equal(t, want, got)
	for range 110 {
		s.create(s.row())
	}
	got, err = s.store.List(t.Context(), "users", s.subject, now)
	require.NoError(t, err)
	require.Len(t, got, 100)
	none, err := s.store.List(t.Context(), "users", s.subject+"2", now)
	require.NoError(t, err)
	require.Empty(t, none)
}

func testProve(t *testing.T, s *suite) {
	row := s.create(s.row())
	require.NoError(t, s.store.Prove(t.Context(), row.SID, row.AuthTime+7))
	row.AuthTime += 7
	require.Equal(t, row, s.find(row))
	require.NoError(t, s.store.Prove(t.Context(), s.row().SID, row.AuthTime))
}

// testSlide is for stores that are session.Slider.
func testSlide(t *testing.T, s *suite) {
	store := s.store.(session.Slider)
	row := s.create(s.row())
	slide := func(kind string, now, idle int64) (session.Row, bool) {
		t.Helper()
		got, alive, err := store.Slide(t.Context(), kind, row.SID, now, idle)
		require.NoError(t, err)
		return got, alive
	}
	now := row.Created + day
	for _, idle := range []int64{14 * day, 1000 * day, 1000 * day} { // the last two stop at Ends
		row.IdleUntil = min(now+idle, row.Ends)
		got, alive := slide(row.Kind, now, idle)
		require.True(t, alive)
		require.Equal(t, row, got)
		require.Equal(t, row, s.find(row))
	}
	for name, dead := range map[string]func() (session.Row, bool){
		"another kind": func() (session.Row, bool) { return slide(row.Kind+"2", now, day) },
		"past the end": func() (session.Row, bool) { return slide(row.Kind, row.Ends, day) },
		"revoked": func() (session.Row, bool) {
			_, err := s.store.Revoke(t.Context(), row.SID, "", "", now)
			require.NoError(t, err)
			row.Revoked = now
			return slide(row.Kind, now, day)
		},
	} {
		_, alive := dead()
		require.False(t, alive, name)
		require.Equal(t, row, s.find(row), name)
	}
	_, alive, err := store.Slide(t.Context(), row.Kind, s.row().SID, now, day)
	require.NoError(t, err)
	require.False(t, alive)
}

func testPrune(t *testing.T, s *suite) {
	now := time.Now().UnixMilli()
	living, ended, over := s.create(s.row()), s.row(), s.row()
	ended.Revoked = now
	s.create(ended)
	over.Created, over.Issued = now-100*day, now-100*day
	over.IdleUntil, over.Ends = now-10*day, now-10*day
	s.create(over)
	later := living.Issued + 600*second
	var errs [4]error
	s.race(len(errs), func(i int, store session.Store) {
		if i == 0 {
			_, _, errs[i] = store.Refresh(context.Background(), living.Kind, living.SID, living.Gen, later, times)
			return
		}
		for n := int64(1); n > 0 && errs[i] == nil; {
			n, errs[i] = store.Prune(context.Background(), now)
		}
	})
	require.NoError(t, errors.Join(errs[:]...))
	refreshed, _ := session.Decide(living, living.Gen, later, times)
	require.Equal(t, refreshed, s.find(living), "a concurrent refresh was lost")
	require.Equal(t, ended, s.find(ended), "a revoked session was deleted before its end")
	_, found, err := s.store.Find(t.Context(), over.Kind, over.SID)
	require.NoError(t, err)
	require.False(t, found)
}

func testOtherKind(t *testing.T, s *suite) {
	row := s.create(s.row())
	_, found, err := s.store.Find(t.Context(), "teachers", row.SID)
	require.NoError(t, err)
	require.False(t, found)
	for _, g := range []int64{row.Gen - 4, row.Gen - 1, row.Gen, row.Gen + 1} {
		_, o, err := s.store.Refresh(t.Context(), "teachers", row.SID, g, row.Issued+600*second, times)
		require.NoError(t, err)
		require.Equal(t, session.Gone, o)
		require.Equal(t, row, s.find(row), "generation %d of a session of another kind", g)
	}
	require.NoError(t, s.store.RevokeAll(t.Context(), "teachers", row.Subject, nil, row.Issued))
	listed, err := s.store.List(t.Context(), "teachers", row.Subject, row.Issued)
	require.NoError(t, err)
	require.Empty(t, listed)
	require.Equal(t, row, s.find(row))
	_, o, err := s.store.Refresh(t.Context(), "users", s.row().SID, 0, row.Issued, times)
	require.NoError(t, err)
	require.Equal(t, session.Gone, o, "an unknown session")
}

func testCreateTwice(t *testing.T, s *suite) {
	row := s.create(s.row())
	require.NoError(t, s.store.Create(t.Context(), row))
	require.Equal(t, row, s.find(row))
}

func testCreateAgain(t *testing.T, s *suite) {
	row := s.create(s.row())
	rotated, _, err := s.store.Refresh(t.Context(), row.Kind, row.SID, row.Gen, row.Issued+600*second, times)
	require.NoError(t, err)
	s.create(row)
	require.Equal(t, rotated, s.find(row), "a repeated Create undid a refresh")
	_, err = s.store.Revoke(t.Context(), row.SID, "", "", row.Issued+700*second)
	require.NoError(t, err)
	rotated.Revoked = row.Issued + 700*second
	s.create(row)
	require.Equal(t, rotated, s.find(row), "a repeated Create undid a logout")
}

// testBoundaries checks the moments at, before and after every limit that Decide
// and List know.
func testBoundaries(t *testing.T, s *suite) {
	moments := []int64{0, times.Grace.Milliseconds(), times.Rearm.Milliseconds(), times.Age.Milliseconds()}
	for _, until := range []struct{ idle, ends int64 }{{14 * day, 90 * day}, {20 * second, 90 * day}, {90 * second, 90 * second}} {
		ends := slices.Compact([]int64{until.idle, until.ends}) // each row has another subject
		for _, moment := range slices.Concat(moments, ends) {
			for age := moment - 1; age <= moment+1; age++ {
				for g := int64(4); g <= 8; g++ {
					row := s.row()
					row.IdleUntil, row.Ends = row.Issued+until.idle, row.Issued+until.ends
					row.Subject += strconv.FormatInt(age, 10) + "/" + strconv.FormatInt(g, 10) + "/" + strconv.FormatInt(until.idle, 10)
					s.create(row)
					now := row.Issued + age
					listed, err := s.store.List(t.Context(), row.Kind, row.Subject, now)
					require.NoError(t, err)
					require.Equal(t, row.Alive(now), len(listed) == 1, "%+v, age %d: the list", until, age)
					want, outcome := session.Decide(row, g, now, times)
					got, gotOutcome, err := s.store.Refresh(t.Context(), row.Kind, row.SID, g, now, times)
					require.NoError(t, err)
					require.Equal(t, answer(outcome), answer(gotOutcome), "%+v, age %d, generation %d: want %v, got %v", until, age, g, outcome, gotOutcome)
					require.Equal(t, want, s.find(row), "%+v, age %d, generation %d: %v", until, age, g, outcome)
					require.Equal(t, want, got)
				}
			}
		}
	}
}

func testSubjects(t *testing.T, s *suite) {
	var rows []session.Row
	for _, subject := range []string{"a", "A", "a ", " a", "ä", "a\u0308", "a%", "a_", `a'"\`, "a\n", "1", "01", "1.0"} {
		row := s.row()
		row.Subject += subject
		rows = append(rows, s.create(row))
	}
	for i, row := range rows {
		listed, err := s.store.List(t.Context(), row.Kind, row.Subject, row.Created)
		require.NoError(t, err)
		require.Equal(t, []session.Row{row}, listed, "%q", row.Subject)
		require.NoError(t, s.store.RevokeAll(t.Context(), row.Kind, row.Subject, nil, row.Created+1))
		rows[i].Revoked = row.Created + 1
		for _, other := range rows {
			require.Equal(t, other.Revoked, s.find(other).Revoked, "ending %q ended %q", row.Subject, other.Subject)
		}
	}
}

func testProveUnknown(t *testing.T, s *suite) {
	row := s.row()
	require.NoError(t, s.store.Prove(t.Context(), row.SID, row.AuthTime))
	_, found, err := s.store.Find(t.Context(), row.Kind, row.SID)
	require.NoError(t, err)
	require.False(t, found)
	s.create(row)
	require.Equal(t, row, s.find(row), "the session could not be created any more")
}

func testDoneContext(t *testing.T, s *suite) {
	row, unborn := s.create(s.row()), s.row()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	now := row.Issued + 600*second
	for name, call := range map[string]func() error{
		"Create": func() error { return s.store.Create(ctx, unborn) },
		"Refresh": func() error {
			_, _, err := s.store.Refresh(ctx, row.Kind, row.SID, row.Gen, now, times)
			return err
		},
		"Find":      func() error { _, _, err := s.store.Find(ctx, row.Kind, row.SID); return err },
		"Revoke":    func() error { _, err := s.store.Revoke(ctx, row.SID, row.Kind, row.Subject, now); return err },
		"RevokeAll": func() error { return s.store.RevokeAll(ctx, row.Kind, row.Subject, nil, now) },
		"Prove":     func() error { return s.store.Prove(ctx, row.SID, now) },
		"List":      func() error { _, err := s.store.List(ctx, row.Kind, row.Subject, now); return err },
		"Prune":     func() error { _, err := s.store.Prune(ctx, now); return err },
	} {
		require.Error(t, call(), name)
	}
	require.Equal(t, row, s.find(row), "something was written")
	_, found, err := s.store.Find(t.Context(), unborn.Kind, unborn.SID)
	require.NoError(t, err)
	require.False(t, found)
}

func testRevocations(t *testing.T, s *suite) {
	began := time.Now().UnixMilli()
	revoked := func(since int64) map[string]bool {
		sids, err := s.open(t).(session.Revocations).RevokedSince(t.Context(), since)
		require.NoError(t, err)
		set := map[string]bool{}
		for _, sid := range sids {
			set[string(sid)] = true
		}
		return set
	}
	living, loggedOut, stolen, first, second := s.create(s.row()), s.create(s.row()), s.create(s.row()), s.row(), s.row()
	first.Subject += "1"
	second.Subject += "1"
	s.create(first)
	s.create(second)
	_, err := s.store.Revoke(t.Context(), loggedOut.SID, "", "", began)
	require.NoError(t, err)
	require.NoError(t, s.store.RevokeAll(t.Context(), first.Kind, first.Subject, nil, began+1))
	_, o, err := s.store.Refresh(t.Context(), stolen.Kind, stolen.SID, 1, began+2, times)
	require.NoError(t, err)
	require.Equal(t, session.Reuse, o)
	got := revoked(began - 1)
	for name, row := range map[string]session.Row{"logout": loggedOut, "logout everywhere": first, "the other": second, "reuse": stolen} {
		require.True(t, got[string(row.SID)], name)
	}
	require.False(t, got[string(living.SID)])
	require.False(t, revoked(began + 5)[string(stolen.SID)], "a session that ended before since")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = s.store.(session.Revocations).RevokedSince(ctx, began)
	require.Error(t, err)
}
