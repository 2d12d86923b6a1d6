package throttle

import "github.com/fiberjwt/fiberjwt/session"

// NewMemory is the store of a single process.
func NewMemory() session.Attempts { return newMemory() }

// MaxRecords of it.
const MaxRecords = maxRecords
