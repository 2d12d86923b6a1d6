package journal

import (
	"maps"
	"time"
)

// interval is the shortest time between two lines of one cause.
const interval = time.Minute

// limit bounds how often a line is written, so that a flood of requests does not become
// a flood of lines.
type limit struct {
	count int       // occurrences since the last line
	next  time.Time // when the next line may be written
}

// occurred counts one occurrence. If a line is due, it returns the number of occurrences
// since the last line.
func (l *limit) occurred(now time.Time) (count int, due bool) {
	l.count++
	// If next is further away than interval, the clock was set back, and the line is due.
	if now.Before(l.next) && l.next.Sub(now) <= interval {
		return 0, false
	}
	count, l.count, l.next = l.count, 0, now.Add(interval)
	return count, true
}

// maxCauses is how many causes of one topic have their own limit.
const maxCauses = 16

// limits has a limit for each cause of a topic. Its size is bounded, because the text of
// an error may differ in every request. If it is full, all further causes share a limit.
type limits struct {
	causes map[string]*limit // at most maxCauses
	others limit             // shared by all other causes
}

func (l *limits) forCause(cause string, now time.Time) *limit {
	if known := l.causes[cause]; known != nil {
		return known
	}
	if len(l.causes) == maxCauses {
		l.makeRoom(now)
	}
	if len(l.causes) == maxCauses {
		return &l.others
	}
	if l.causes == nil {
		l.causes = map[string]*limit{}
	}
	l.causes[cause] = &limit{}
	return l.causes[cause]
}

// makeRoom removes the causes whose interval is over. It keeps the others: otherwise
// different causes in quick succession could each get a line. Occurrences of a removed
// cause that no line has counted yet move to the shared limit.
func (l *limits) makeRoom(now time.Time) {
	maps.DeleteFunc(l.causes, func(_ string, old *limit) bool {
		over := !now.Before(old.next)
		if over {
			l.others.count += old.count
		}
		return over
	})
}
