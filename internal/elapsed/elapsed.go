// Package elapsed measures time on machines that may be suspended.
package elapsed

import "time"

// Between returns the time from since to now by the monotonic clock or by the wall clock,
// whichever is longer. The monotonic clock stops while the machine is suspended, and the
// wall clock can be set back.
func Between(since, now time.Time) time.Duration {
	return max(now.Sub(since), now.Round(0).Sub(since.Round(0)))
}
