package elapsed_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt/internal/elapsed"
	"github.com/fiberjwt/fiberjwt/internal/elapsed/asleep"
)

func TestBetweenTakesTheLargerClockDifference(t *testing.T) {
	now := time.Now()
	later := asleep.After(30*time.Minute, now.Add(time.Second))
	require.Equal(t, time.Second, later.Sub(now), "the monotonic clock has stopped")
	require.Equal(t, 30*time.Minute+time.Second, later.Round(0).Sub(now.Round(0)))

	require.Equal(t, 30*time.Minute+time.Second, elapsed.Between(now, later))
	require.Equal(t, time.Second, elapsed.Between(asleep.After(time.Hour, now), now.Add(time.Second)), "the wall clock was set back")
	require.Equal(t, time.Minute, elapsed.Between(now.Round(0), now.Add(time.Minute).Round(0)))
}
