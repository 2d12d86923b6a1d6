package throttle

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt/session"
)

func fullCounter() counter {
	c := counter{clear: 1_790_000_000_000, until: -1, spent: 1, settled: 1 << 63}
	for i := range byte(60) {
		c.charge([8]byte{i, 0xff}, 1_790_000_000_000+int64(i))
	}
	c.since = 1_790_000_000_001
	for i := range byte(maxKnown) {
		c.learn([8]byte{0xfe, i}, 1_790_000_000_000)
	}
	return c
}

func TestEncodedRecordDecodesUnchanged(t *testing.T) {
	for _, c := range []counter{{}, {settled: 1}, fullCounter()} {
		got, err := decode(c.encode())
		require.NoError(t, err)
		require.Equal(t, c, got)
		require.LessOrEqual(t, len(c.encode()), session.MaxAttemptBytes)
	}
	nothing, err := decode(nil)
	require.NoError(t, err)
	require.Equal(t, counter{}, nothing)
}

func FuzzDecode(f *testing.F) {
	full := fullCounter()
	for _, c := range []counter{{}, {clear: 1, pending: []pending{{deadline: 1}}}, full} {
		f.Add(c.encode())
	}
	f.Add([]byte{2})
	f.Add(full.encode()[:100])
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := decode(b)
		if err != nil {
			require.Equal(t, counter{}, c)
			return
		}
		again, err := decode(c.encode())
		require.NoError(t, err)
		require.Equal(t, c, again)
	})
}

func TestMemoryForgetsTheLeastRecentlyUsed(t *testing.T) {
	m := newMemory()
	store := func(n int) {
		key := []byte(time.Duration(n).String())
		records, _ := m.LoadAttempts(t.Context(), [][]byte{key})
		stored, err := m.SwapAttempts(t.Context(), []session.AttemptSwap{{Key: key, Old: records[0].Revision, Record: session.AttemptRecord{Revision: 1 + int64(n)}}})
		require.NoError(t, err)
		require.Equal(t, []bool{true}, stored)
	}
	for n := range maxRecords + 10 {
		store(n)
		if n%2 == 0 {
			store(0) // this key is always recently used
		}
	}
	require.Len(t, m.records, maxRecords)
	require.Equal(t, maxRecords, m.recent.Len())
	require.Contains(t, m.records, time.Duration(0).String())
	require.NotContains(t, m.records, time.Duration(1).String())
}

func TestExpiryCoversTheWholeRecord(t *testing.T) {
	now := int64(1_790_000_000_000)
	for name, rule := range map[string]Rule{"place": ofPlace, "network": ofNetwork} {
		for failures := range 60 {
			var c counter
			rule.add(&c, failures, now)
			for i := range byte(failures % 7) {
				c.charge([8]byte{i}, now+int64(i)*1000)
			}
			end := rule.expires(&c)
			rule.settleOverdue(&c, end)
			wait, busy := rule.verdict(&c, end, end)
			require.Zero(t, wait, "%s, %d failures", name, failures)
			require.False(t, busy)
			require.Zero(t, rule.failures(&c, end))
			require.LessOrEqual(t, c.spent, end)
		}
	}
}
