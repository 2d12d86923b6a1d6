package fiberjwt

import (
	"cmp"
	"fmt"
	"time"

	"github.com/fiberjwt/fiberjwt/session"
)

// Refresh sets the times of refresh token rotation. They hang together and
// [Open] checks them against each other; change them only if clients need more
// than ten seconds for a refresh.
type Refresh struct {
	// Timeout is how long a client waits for the answer of one refresh, and how
	// long the server tries: a refresh that is done later can sign the client out.
	// Default 10 s.
	Timeout time.Duration
	// Grace is how long the parent of a refresh token still gives that token,
	// the same bits for every tab that asks. Default 30 s, at least 2 Timeout.
	Grace time.Duration
	// Rearm is how long the parent still gives that token but restarts the
	// grace, for answers that were lost on the way. Default 60 s, at least
	// Grace + 2 Timeout. A refresh token is not rotated before this age
	// either, nor before half the life of an access token.
	Rearm time.Duration
}

func (r Refresh) withDefaults() Refresh {
	return Refresh{
		Timeout: cmp.Or(r.Timeout, 10*time.Second),
		Grace:   cmp.Or(r.Grace, 30*time.Second),
		Rearm:   cmp.Or(r.Rearm, 60*time.Second),
	}
}

// The largest Timeout and Rearm, so that sums of times do not overflow.
const (
	longestRefresh = time.Hour
	longestRearm   = 24 * time.Hour
)

// problems of r, which has its defaults.
func (r Refresh) problems() []string {
	var problems []string
	if r.Timeout < leastTimeout || r.Timeout > longestRefresh {
		return []string{fmt.Sprintf("Config.Refresh.Timeout: %v is not between 100 µs and 1 h: give a unit, as in 10 * time.Second, or leave it out for the default of 10 s", r.Timeout)}
	}
	if r.Rearm > longestRearm {
		return []string{fmt.Sprintf("Config.Refresh.Rearm: %v is more than a day, in which a stolen refresh token would be taken for a late one", r.Rearm)}
	}
	if r.Grace < 2*r.Timeout {
		problems = append(problems, fmt.Sprintf("Config.Refresh.Grace is %v; it must be at least twice the Timeout of %v, or a slow answer signs people out", r.Grace, r.Timeout))
	}
	if r.Rearm-2*r.Timeout < r.Grace {
		problems = append(problems, fmt.Sprintf("Config.Refresh.Rearm is %v; it must be at least Grace + 2 Timeout, %v", r.Rearm, r.Grace+2*r.Timeout))
	}
	return problems
}

// times of a kind.
func (r Refresh) times(access, idle time.Duration) session.Times {
	return session.Times{Grace: r.Grace, Rearm: r.Rearm, Age: max(r.Rearm, access/2), Idle: idle}
}
