package journal

import (
	"maps"
	"time"
)

// interval is the least time between two lines of one cause.
const interval = time.Minute

// limit bounds how often a flood is written down: the lines themselves would be the
// next flood.
type limit struct {
	count int       // since the last line
	next  time.Time // when the next line may be written
}

// another counts one occurrence. If it is time for a line, it returns how many there
// were since the last one.
func (l *limit) another(now time.Time) (count int, due bool) {
	l.count++
	// A time that is too far off was set before the clock was put back.
	if now.Before(l.next) && l.next.Sub(now) <= interval {
		return 0, false
	}
	count, l.count, l.next = l.count, 0, now.Add(interval)
	return count, true
}

// maxCauses is how many causes one topic tells apart.
const maxCauses = 16

// limits has a limit for each cause. Its size is bounded, because the text of an error
// may be different in every request: when it is full, all further causes share a limit.
type limits struct {
	causes map[string]*limit // at most maxCauses
	others limit             // shared
}

func (l *limits) of(cause string, now time.Time) *limit {
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

// makeRoom forgets the causes whose minute is over. If it forgot others too, a flood of
// different causes could write more lines than there is room for. Occurrences that are
// in no line yet are counted with the others.
func (l *limits) makeRoom(now time.Time) {
	maps.DeleteFunc(l.causes, func(_ string, old *limit) bool {
		over := !now.Before(old.next)
		if over {
			l.others.count += old.count
		}
		return over
	})
}
