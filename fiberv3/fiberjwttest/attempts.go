// Code generated from ../../fiberjwttest/attempts.go by internal/twin; DO NOT EDIT.

package fiberjwttest

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"math"
	mathrand "math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt/session"
)

// attemptsTests are for stores that are session.Attempts.
var attemptsTests = map[string]func(*testing.T, *suite){
	"SwapStoresOnlyOverWhatWasRead":    testSwap,
	"OnlyOneRacingSwapIsStored":        testRacingSwaps,
	"NoConcurrentSwapIsLost":           testCounting,
	"RepeatedSwapHasNoFurtherEffect":   testRepeatedSwap,
	"PruneKeepsRecordsUntilTheyExpire": testPruneAttempts,
	"DoneContextStoresNoRecord":        testDoneContextOfAttempts,
}

// attempts returns the store as a session.Attempts.
func (s *suite) attempts() session.Attempts { return s.store.(session.Attempts) }

func (s *suite) load(keys ...[]byte) []session.AttemptRecord {
	s.t.Helper()
	records, err := s.attempts().LoadAttempts(s.t.Context(), keys)
	require.NoError(s.t, err)
	require.Len(s.t, records, len(keys))
	return records
}

func (s *suite) swap(swaps ...session.AttemptSwap) []bool {
	s.t.Helper()
	stored, err := s.attempts().SwapAttempts(s.t.Context(), swaps)
	require.NoError(s.t, err)
	require.Len(s.t, stored, len(swaps))
	return stored
}

// attemptKey returns 32 random bytes.
func attemptKey() []byte {
	key := make([]byte, 32)
	_, _ = rand.Read(key)
	return key
}

// attemptRecord returns a record that lives for an hour.
func attemptRecord(value ...byte) session.AttemptRecord {
	return session.AttemptRecord{Revision: 1 + mathrand.Int64N(math.MaxInt64), Expires: time.Now().Add(time.Hour).UnixMilli(), Value: value}
}

func testSwap(t *testing.T, s *suite) {
	seed := time.Now().UnixNano()
	random := mathrand.New(mathrand.NewPCG(uint64(seed), 0))
	keys := [][]byte{make([]byte, 32), slices.Repeat([]byte{0xff}, 32)}
	for range 6 {
		keys = append(keys, attemptKey())
	}
	want := s.load(keys...) // another run may have left records under the first two keys
	for step := range cases() {
		random.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i]; want[i], want[j] = want[j], want[i] })
		var swaps []session.AttemptSwap
		var stores []bool
		for i := range 1 + random.IntN(len(keys)) {
			value := make([]byte, random.IntN(80))
			if random.IntN(50) == 0 {
				value = make([]byte, session.MaxAttemptBytes)
			}
			for j := range value {
				value[j] = byte(random.Uint32())
			}
			swap := session.AttemptSwap{Key: keys[i], Old: want[i].Revision, Record: attemptRecord(value...)}
			switch n := random.IntN(8); {
			case n == 0 && swap.Old != 0: // without a record a store may store the swap or not
				swap.Old++
			case n == 1:
				swap.Old = 0
			}
			swaps, stores = append(swaps, swap), append(stores, swap.Old == want[i].Revision)
		}
		require.Equal(t, stores, s.swap(swaps...), "seed %d, step %d", seed, step)
		for i, swap := range swaps {
			if stores[i] {
				want[i] = swap.Record
			}
		}
		got := s.load(keys...)
		for i := range keys {
			require.Equal(t, want[i].Revision, got[i].Revision, "seed %d, step %d", seed, step)
			require.Equal(t, want[i].Expires, got[i].Expires, "seed %d, step %d", seed, step)
			require.Equal(t, string(want[i].Value), string(got[i].Value), "seed %d, step %d", seed, step)
		}
	}
	require.Equal(t, session.AttemptRecord{}, s.load(attemptKey())[0], "a key without a record")
}

func testRacingSwaps(t *testing.T, s *suite) {
	for round := range 20 {
		keys := [][]byte{attemptKey(), attemptKey(), attemptKey()}
		before := make([]session.AttemptRecord, len(keys))
		if round%2 == 1 {
			for i, key := range keys {
				before[i] = attemptRecord(1)
				require.True(t, s.swap(session.AttemptSwap{Key: key, Record: before[i]})[0])
			}
		}
		var stored [3]atomic.Int32
		s.race(20, func(racer int, store session.Store) {
			var swaps []session.AttemptSwap
			order := []int{0, 1, 2}
			if racer%2 == 1 {
				slices.Reverse(order) // a store must not deadlock
			}
			for _, i := range order {
				swaps = append(swaps, session.AttemptSwap{Key: keys[i], Old: before[i].Revision, Record: attemptRecord(byte(racer))})
			}
			got, err := store.(session.Attempts).SwapAttempts(context.Background(), swaps)
			require.NoError(t, err)
			for n, i := range order {
				if got[n] {
					stored[i].Add(1)
				}
			}
		})
		for i := range stored {
			// A store that reads back may report a stored swap as not stored if another
			// one has replaced it; nothing replaces it here.
			require.EqualValues(t, 1, stored[i].Load(), "key %d", i)
		}
	}
}

func testCounting(t *testing.T, s *suite) {
	const racers, each = 12, 10
	keys := [][]byte{attemptKey(), attemptKey()}
	s.race(racers, func(racer int, store session.Store) {
		attempts := store.(session.Attempts)
		for n := range each {
			id := binary.BigEndian.AppendUint16(nil, uint16(racer*each+n))
			for done := false; !done; {
				records, err := attempts.LoadAttempts(context.Background(), keys)
				require.NoError(t, err)
				var swaps []session.AttemptSwap
				for i, record := range records {
					if !has(record.Value, id) {
						swaps = append(swaps, session.AttemptSwap{Key: keys[i], Old: record.Revision, Record: attemptRecord(append(slices.Clone(record.Value), id...)...)})
					}
				}
				if done = len(swaps) == 0; !done {
					_, err = attempts.SwapAttempts(context.Background(), swaps)
					require.NoError(t, err)
				}
			}
		}
	})
	for _, record := range s.load(keys...) {
		require.Len(t, record.Value, 2*racers*each, "each increment is stored once")
	}
}

// has reports whether a list of pairs of bytes has the pair.
func has(list, pair []byte) bool {
	for each := range slices.Chunk(list, len(pair)) {
		if slices.Equal(each, pair) {
			return true
		}
	}
	return false
}

func testRepeatedSwap(t *testing.T, s *suite) {
	key := attemptKey()
	first := session.AttemptSwap{Key: key, Record: attemptRecord(1)}
	require.True(t, s.swap(first)[0])
	s.swap(first)
	require.Equal(t, first.Record, s.load(key)[0])
	second := session.AttemptSwap{Key: key, Old: first.Record.Revision, Record: attemptRecord(2)}
	require.True(t, s.swap(second)[0])
	s.swap(first, session.AttemptSwap{Key: attemptKey(), Record: attemptRecord()})
	require.Equal(t, second.Record, s.load(key)[0])

	other, ok := s.open(t).(session.Attempts)
	require.True(t, ok)
	records, err := other.LoadAttempts(t.Context(), [][]byte{key})
	require.NoError(t, err)
	require.Equal(t, second.Record, records[0], "the record is not visible to another store")
}

func testPruneAttempts(t *testing.T, s *suite) {
	now := time.Now().UnixMilli()
	keys := [][]byte{attemptKey(), attemptKey()}
	lasting, over := attemptRecord(1), attemptRecord(2)
	over.Expires = now + 1
	require.Equal(t, []bool{true, true}, s.swap(
		session.AttemptSwap{Key: keys[0], Record: lasting}, session.AttemptSwap{Key: keys[1], Record: over}))
	s.race(3, func(_ int, store session.Store) {
		for n := int64(1); n > 0; {
			var err error
			n, err = store.Prune(context.Background(), now+60*second)
			require.NoError(t, err)
		}
	})
	require.Equal(t, lasting, s.load(keys[0])[0])
	again := attemptRecord(3)
	if record := s.load(keys[1])[0]; record.Revision != 0 {
		require.Equal(t, over, record, "the record is wrong before it is removed")
		require.True(t, s.swap(session.AttemptSwap{Key: keys[1], Old: record.Revision, Record: again})[0])
	} else {
		require.True(t, s.swap(session.AttemptSwap{Key: keys[1], Record: again})[0])
	}
	require.Equal(t, again, s.load(keys[1])[0])
}

func testDoneContextOfAttempts(t *testing.T, s *suite) {
	key := attemptKey()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.attempts().LoadAttempts(ctx, [][]byte{key})
	require.Error(t, err)
	_, err = s.attempts().SwapAttempts(ctx, []session.AttemptSwap{{Key: key, Record: attemptRecord(1)}})
	require.Error(t, err)
	require.Equal(t, session.AttemptRecord{}, s.load(key)[0])
}
