package keys

import "time"

// SetNow moves the clock of a Remote.
func SetNow(r *Remote, now func() time.Time) { r.now = now }

// SetTimeout bounds a fetch of a Remote.
func SetTimeout(r *Remote, d time.Duration) { r.timeout = d }
