package main

import (
	"bufio"
	"errors"
	"io"
	"regexp"
	"strings"
	"sync"
)

// maxKinds bounds the memory of a logTally.
const maxKinds = 1000

// logTally counts lines, and how often each kind of line occurred. Safe for
// concurrent use.
type logTally struct {
	url chan string // the address that the example prints

	mu    sync.Mutex
	lines int
	kinds map[string]int
	last  string
}

func newLogTally() *logTally {
	return &logTally{url: make(chan string, 1), kinds: map[string]int{}}
}

var listening = regexp.MustCompile(`listening on (http://[^\s]+)`)

// readFrom returns when the stream ends. A line that is too long counts as
// several, so that the server is never blocked on a full pipe.
func (l *logTally) readFrom(stream io.Reader) {
	r := bufio.NewReaderSize(stream, 64<<10)
	for {
		line, err := r.ReadSlice('\n')
		if text := strings.TrimSpace(string(line)); text != "" {
			l.add(text)
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return
		}
	}
}

func (l *logTally) add(line string) {
	if found := listening.FindStringSubmatch(line); found != nil {
		select {
		case l.url <- found[1]:
		default: // only the first one counts
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines++
	l.last = line
	kind := kindOfLine(line)
	if _, known := l.kinds[kind]; known || len(l.kinds) < maxKinds {
		l.kinds[kind]++
	}
}

var digits = regexp.MustCompile(`[0-9]+`)

// kindOfLine returns the line with its digits replaced, so that lines that differ only
// in times and numbers are of one kind.
func kindOfLine(line string) string { return digits.ReplaceAllString(line, "#") }

func (l *logTally) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = 0
	clear(l.kinds)
}

func (l *logTally) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lines
}

func (l *logTally) lastLine() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last
}

// mostFrequent returns 0 if there were no lines.
func (l *logTally) mostFrequent() (kind string, times int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for k, n := range l.kinds {
		if n > times || n == times && k < kind {
			kind, times = k, n
		}
	}
	return kind, times
}
