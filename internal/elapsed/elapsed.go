// Package elapsed measures time on machines that may be suspended.
package elapsed

import "time"

// Between is the time from since to now, by the monotonic clock or by the wall
// clock, whichever is more: the former stands still while the machine is
// suspended, and the latter can be put back.
func Between(since, now time.Time) time.Duration {
	return max(now.Sub(since), now.Round(0).Sub(since.Round(0)))
}
