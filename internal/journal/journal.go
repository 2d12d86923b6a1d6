// Package journal writes the log of the library. The log is for the operator, and
// contains what a client must not see. A line that a client or an outage could cause
// with every request is written at most once a minute for each cause.
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
	once   map[string]bool // the messages that Once has written
}

// New returns a Journal that writes to logger. now is the clock of the limits.
func New(logger *slog.Logger, now func() time.Time) *Journal {
	return &Journal{logger: logger, now: now, topics: map[string]*limits{}, once: map[string]bool{}}
}

// Line is an entry of the log. Its texts come from the library or the application, never
// from a client.
type Line struct {
	Level   slog.Level
	Message string
	Hint    string // how to fix it; "" if the fix is not known
	Attrs   []slog.Attr
	// Cause distinguishes occurrences of one topic: each cause has its own limit. It may
	// be the text of an error.
	Cause string
	// Topic groups causes, because the number of causes is bounded for each topic. The
	// default is Message.
	Topic string
}

// Log writes l at most once a minute for each cause. The attribute count is the number
// of occurrences since the last line of this cause.
func (j *Journal) Log(ctx context.Context, l Line) {
	if count, due := j.occurred(l); due {
		j.write(ctx, l, slog.Int("count", count))
	}
}

// Hint writes a warning about a likely mistake of the application, with the limits of
// Log. Each combination of attributes is a cause.
func (j *Journal) Hint(ctx context.Context, message, hint string, attrs ...slog.Attr) {
	j.Log(ctx, Line{Level: slog.LevelWarn, Message: message, Hint: hint, Attrs: attrs, Cause: fmt.Sprint(attrs)})
}

// Each writes every occurrence, without a limit. It is for lines that the operator must
// act on one by one.
func (j *Journal) Each(ctx context.Context, l Line) { j.write(ctx, l) }

// Once writes only the first line with the message of l.
func (j *Journal) Once(ctx context.Context, l Line) {
	j.mu.Lock()
	written := j.once[l.Message]
	j.once[l.Message] = true
	j.mu.Unlock()
	if !written {
		j.write(ctx, l)
	}
}

// write puts first before the other attributes, so that the text of a long error does
// not hide it.
func (j *Journal) write(ctx context.Context, l Line, first ...slog.Attr) {
	attrs := slices.Concat(first, l.Attrs)
	if l.Hint != "" {
		attrs = append(attrs, slog.String("hint", l.Hint))
	}
	j.logger.LogAttrs(ctx, l.Level, "fiberjwt: "+l.Message, attrs...)
}

// occurred counts an occurrence, and reports whether a line is due.
func (j *Journal) occurred(l Line) (count int, due bool) {
	topic := l.Topic
	if topic == "" {
		topic = l.Message
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.topics[topic] == nil {
		j.topics[topic] = &limits{}
	}
	return j.topics[topic].forCause(l.Cause, j.now()).occurred(j.now())
}
