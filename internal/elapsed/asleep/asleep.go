// Package asleep is for tests of what a machine does that was suspended.
package asleep

import (
	"time"
	"unsafe"
)

// After is a reading of the clock as it would be had the machine been suspended
// for d, in whole seconds, before now: the wall clock has gone on, the monotonic
// one has not. It knows how time.Time is laid out: in a reading with a monotonic
// part, the seconds begin at bit 30 of the first word. elapsed has a test of it.
func After(d time.Duration, now time.Time) time.Time {
	*(*uint64)(unsafe.Pointer(&now)) += uint64(d/time.Second) << 30
	return now
}
