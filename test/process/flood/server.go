package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	startPatience = 30 * time.Second
	stopPatience  = 5 * time.Second
)

// server is an example that flood built and started.
type server struct {
	cmd    *exec.Cmd
	dir    string // temporary: the program, and the SQLite file if there is one
	url    string
	log    *logTally
	exited chan struct{} // closed after err is set
	err    error
}

// startServer builds the example of the source tree at source and waits until
// it listens. The caller must call stop.
func startServer(ctx context.Context, source, database string) (*server, error) {
	dir, err := os.MkdirTemp("", "fiberjwt-flood")
	if err != nil {
		return nil, err
	}
	s := &server{dir: dir, log: newLogTally(), exited: make(chan struct{})}
	if err := s.build(ctx, source); err != nil {
		_ = os.RemoveAll(dir)
		return nil, err
	}
	if database == "" {
		database = filepath.Join(dir, "flood.db")
	}
	if err := s.start(database); err != nil {
		_ = os.RemoveAll(dir)
		return nil, err
	}
	if err := s.waitForURL(ctx); err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

// build runs in the directory of the example, so that the example may be a separate
// module.
func (s *server) build(ctx context.Context, source string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-o", s.program(), ".")
	cmd.Dir = filepath.Join(source, "example")
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build the example of %s: %w\n%s", source, err, output)
	}
	return nil
}

func (s *server) program() string { return filepath.Join(s.dir, "example.exe") }

func (s *server) start(database string) error {
	secret := make([]byte, 32)
	rand.Read(secret) // never fails: crypto/rand ends the program instead
	s.cmd = exec.Command(s.program())
	s.cmd.Dir = s.dir
	s.cmd.Env = append(os.Environ(), "ADDR=127.0.0.1:0", "DATABASE_URL="+database, fmt.Sprintf("SECRET=%x", secret),
		"ACCESS_TTL=30m") // longer than a run, so that a 401 at /me is never an expired token
	separate(s.cmd)
	stdout, err := s.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	stderr, err := s.cmd.StderrPipe()
	if err != nil {
		return err
	}
	if err := s.cmd.Start(); err != nil {
		return err
	}
	go s.watch(stdout, stderr)
	return nil
}

// watch counts the lines of both streams until the process ends.
func (s *server) watch(streams ...io.Reader) {
	var reading sync.WaitGroup
	for _, stream := range streams {
		reading.Go(func() {
			s.log.readFrom(stream)
		})
	}
	reading.Wait()
	s.err = s.cmd.Wait()
	close(s.exited)
}

// exitError must be called after exited is closed.
func (s *server) exitError() error {
	end := s.err
	if end == nil {
		end = errors.New("exit status 0")
	}
	return fmt.Errorf("the example ended: %w; its last line: %s", end, s.log.lastLine())
}

// waitForURL also waits for the end of the welcome text, which is no log.
func (s *server) waitForURL(ctx context.Context) error {
	timeout := time.After(startPatience)
	for s.url == "" {
		select {
		case s.url = <-s.log.url:
		case <-s.exited:
			return s.exitError()
		case <-timeout:
			return errors.New("the example did not print its address")
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	time.Sleep(300 * time.Millisecond)
	s.log.reset()
	return nil
}

// stop ends the process that start started, and no other.
func (s *server) stop() {
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-s.exited:
	case <-time.After(stopPatience):
		kill(s.cmd)
		<-s.exited
	}
	_ = os.RemoveAll(s.dir)
}

// peakMemory returns the peak resident memory of a process in MiB. It needs
// Linux.
func peakMemory(pid int) (int, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	return parsePeakMemory(string(status))
}

func parsePeakMemory(status string) (int, error) {
	for line := range strings.Lines(status) {
		if value, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kib, err := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(value), " kB"))
			return kib >> 10, err
		}
	}
	return 0, errors.New("no VmHWM in the status of the process")
}
