package journal_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt/internal/journal"
)

// world is a journal with a clock that only the test moves.
type world struct {
	*journal.Journal
	text  bytes.Buffer
	clock time.Time
}

func newWorld() *world {
	w := &world{clock: time.Unix(1_790_000_000, 0)}
	handler := slog.NewTextHandler(&w.text, &slog.HandlerOptions{
		Level: slog.LevelDebug,
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		},
	})
	w.Journal = journal.New(slog.New(handler), func() time.Time { return w.clock })
	return w
}

// lines returns the lines that were written since the last call.
func (w *world) lines() []string {
	defer w.text.Reset()
	return strings.Split(strings.TrimSuffix(w.text.String(), "\n"), "\n")[:strings.Count(w.text.String(), "\n")]
}

var storeFailed = journal.Line{Level: slog.LevelError, Message: "the store failed", Cause: "timeout"}

func TestLogWritesOneLineAMinuteWithTheCount(t *testing.T) {
	w := newWorld()
	for range 5 {
		w.Log(t.Context(), storeFailed)
	}
	require.Equal(t, []string{`level=ERROR msg="fiberjwt: the store failed" count=1`}, w.lines())
	w.clock = w.clock.Add(time.Minute - time.Nanosecond)
	w.Log(t.Context(), storeFailed)
	require.Empty(t, w.lines())
	w.clock = w.clock.Add(time.Nanosecond)
	w.Log(t.Context(), storeFailed)
	require.Equal(t, []string{`level=ERROR msg="fiberjwt: the store failed" count=6`}, w.lines())
	w.clock = w.clock.Add(time.Hour)
	w.Log(t.Context(), storeFailed)
	require.Equal(t, []string{`level=ERROR msg="fiberjwt: the store failed" count=1`}, w.lines())
}

func TestEachCauseHasItsOwnLimit(t *testing.T) {
	w := newWorld()
	for range 3 {
		for _, cause := range []string{"timeout", "connection refused"} {
			line := storeFailed
			line.Cause = cause
			w.Log(t.Context(), line)
		}
	}
	require.Len(t, w.lines(), 2)
}

func TestEachMessageHasItsOwnCauses(t *testing.T) {
	w := newWorld()
	other := storeFailed
	other.Message = "the mail failed"
	w.Log(t.Context(), storeFailed)
	w.Log(t.Context(), other)
	require.Len(t, w.lines(), 2)

	other.Topic = storeFailed.Message
	w.Log(t.Context(), other)
	require.Empty(t, w.lines(), "the topic and the cause are the same")
}

func TestCausesAreBoundedForEachTopic(t *testing.T) {
	w := newWorld()
	log := func(cause int) {
		line := storeFailed
		line.Cause = fmt.Sprint(cause)
		w.Log(t.Context(), line)
	}
	for i := range 1000 {
		log(i)
	}
	require.Len(t, w.lines(), 16+1, "16 causes, and one line for all others")
	for i := range 1000 {
		log(i)
	}
	require.Empty(t, w.lines())

	w.clock = w.clock.Add(time.Minute)
	log(1000)
	require.Equal(t, []string{`level=ERROR msg="fiberjwt: the store failed" count=1`}, w.lines(), "the old causes made room")
	for i := range 16 {
		log(2000 + i)
	}
	lines := w.lines()
	require.Len(t, lines, 16)
	// 2000 occurrences in the first minute, of which the lines counted 17, and this one.
	require.Equal(t, `level=ERROR msg="fiberjwt: the store failed" count=1984`, lines[15], "dropped causes are counted together")
}

func TestLinesGoOnIfTheClockIsSetBack(t *testing.T) {
	w := newWorld()
	w.Log(t.Context(), storeFailed)
	w.clock = w.clock.Add(-24 * time.Hour)
	w.Log(t.Context(), storeFailed)
	require.Len(t, w.lines(), 2)
	w.Log(t.Context(), storeFailed)
	require.Empty(t, w.lines())
}

func TestHintWarnsOnceAMinuteForEachSetOfAttributes(t *testing.T) {
	w := newWorld()
	for range 3 {
		for _, kind := range []string{"users", "teachers"} {
			w.Hint(t.Context(), "no table", "run the migration", slog.String("kind", kind))
		}
	}
	require.Equal(t, []string{
		`level=WARN msg="fiberjwt: no table" count=1 kind=users hint="run the migration"`,
		`level=WARN msg="fiberjwt: no table" count=1 kind=teachers hint="run the migration"`,
	}, w.lines())
}

func TestEachWritesEveryOccurrence(t *testing.T) {
	w := newWorld()
	line := journal.Line{
		Level: slog.LevelWarn, Message: "a session was ended", Hint: "tell the owner",
		Attrs: []slog.Attr{slog.Any("error", errors.New("reuse"))},
	}
	for range 3 {
		w.Each(t.Context(), line)
	}
	want := `level=WARN msg="fiberjwt: a session was ended" error=reuse hint="tell the owner"`
	require.Equal(t, []string{want, want, want}, w.lines())
}

func TestOnceWritesAMessageOnce(t *testing.T) {
	w := newWorld()
	for range 3 {
		w.Once(t.Context(), storeFailed)
		w.clock = w.clock.Add(24 * time.Hour)
	}
	require.Equal(t, []string{`level=ERROR msg="fiberjwt: the store failed"`}, w.lines())
	other := storeFailed
	other.Message = "the mail failed"
	w.Once(t.Context(), other)
	require.Len(t, w.lines(), 1, "another message")
}

func TestConcurrentCallsAreCountedOnce(t *testing.T) {
	w := newWorld()
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			w.Log(t.Context(), storeFailed)
			w.Once(t.Context(), journal.Line{Message: "only once"})
		})
	}
	all.Wait()
	require.Len(t, w.lines(), 2)
	w.clock = w.clock.Add(time.Minute)
	w.Log(t.Context(), storeFailed)
	require.Contains(t, w.lines()[0], "count=50")
}
