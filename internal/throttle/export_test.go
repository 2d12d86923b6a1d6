package throttle

import "github.com/fiberjwt/fiberjwt/session"

// NewMemory returns the store of a single process.
func NewMemory() session.Attempts { return newMemory() }
