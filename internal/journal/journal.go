// Package journal writes the log of the library: what a client must not see, for the
// operator. What a client or an outage can repeat with every request is written at most
// once a minute for each cause.
package journal

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// Journal writes to one logger. It is safe for concurrent use.
type Journal struct {
	logger *slog.Logger
	now    func() time.Time

	mu     sync.Mutex
	topics map[string]*limits
	told   map[string]bool // by message, of Once
}

// New returns a journal that goes by the clock now.
func New(logger *slog.Logger, now func() time.Time) *Journal {
	return &Journal{logger: logger, now: now, topics: map[string]*limits{}, told: map[string]bool{}}
}

// Line is an entry of the log. All its texts are the library's or the application's,
// never a client's.
type Line struct {
	Level   slog.Level
	Message string
	Hint    string // how to fix it; "" if that is not known
	Attrs   []slog.Attr
	// Cause tells occurrences apart that each get a line. It may be the text of an error.
	Cause string
	// Topic bounds the number of causes. Messages have topics of their own, unless this
	// is set.
	Topic string
}

// Log writes l at most once a minute for each cause. The attribute count is the number
// of occurrences since the last such line.
func (j *Journal) Log(ctx context.Context, l Line) {
	if count, due := j.another(l); due {
		j.write(ctx, l, slog.Int("count", count))
	}
}

// Hint warns, like Log, of what looks like a mistake of the application.
func (j *Journal) Hint(ctx context.Context, message, hint string, attrs ...slog.Attr) {
	j.Log(ctx, Line{Level: slog.LevelWarn, Message: message, Hint: hint, Attrs: attrs, Cause: fmt.Sprint(attrs)})
}

// Each writes every occurrence, for what the operator has to act on one by one.
func (j *Journal) Each(ctx context.Context, l Line) { j.write(ctx, l) }

// Once writes a message once in the life of the journal.
func (j *Journal) Once(ctx context.Context, l Line) {
	j.mu.Lock()
	told := j.told[l.Message]
	j.told[l.Message] = true
	j.mu.Unlock()
	if !told {
		j.write(ctx, l)
	}
}

// write puts first in front, where the text of a long error does not hide it.
func (j *Journal) write(ctx context.Context, l Line, first ...slog.Attr) {
	attrs := slices.Concat(first, l.Attrs)
	if l.Hint != "" {
		attrs = append(attrs, slog.String("hint", l.Hint))
	}
	j.logger.LogAttrs(ctx, l.Level, "fiberjwt: "+l.Message, attrs...)
}

// another counts an occurrence, and says whether it is time for a line.
func (j *Journal) another(l Line) (count int, due bool) {
	topic := l.Topic
	if topic == "" {
		topic = l.Message
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.topics[topic] == nil {
		j.topics[topic] = &limits{}
	}
	return j.topics[topic].of(l.Cause, j.now()).another(j.now())
}
