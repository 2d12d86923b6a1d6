// Command server runs the application of test/process as a separate process. It prints
// its address, stops gracefully on SIGTERM, and ends with its parent.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/fiberjwt/fiberjwt/test/process/internal/service"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "server:", err)
		os.Exit(1)
	}
}

func run() error {
	var o service.Options
	address := flag.String("dsn", "", "postgres://…, mysql://… or the path of a SQLite file")
	flag.Func("secret", "the secret that signs", func(text string) error { o.Secret = []byte(text); return nil })
	flag.Func("old", "another secret that verifies; may be repeated", func(text string) error {
		o.OldSecrets = append(o.OldSecrets, []byte(text))
		return nil
	})
	flag.DurationVar(&o.AccessTTL, "access", 0, "lifetime of an access token")
	flag.DurationVar(&o.CacheTTL, "cache", 0, "CacheTTL")
	flag.DurationVar(&o.ReadTimeout, "read", 0, "ReadTimeout")
	flag.DurationVar(&o.WriteTimeout, "write", 0, "WriteTimeout")
	flag.DurationVar(&o.Refresh.Timeout, "timeout", 0, "Refresh.Timeout")
	flag.DurationVar(&o.Refresh.Grace, "grace", 0, "Refresh.Grace")
	flag.DurationVar(&o.Refresh.Rearm, "rearm", 0, "Refresh.Rearm")
	flag.Parse()

	db, err := service.Open(*address)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	if err := service.CreateTables(context.Background(), db); err != nil {
		return err
	}
	app, err := service.New(db, o)
	if err != nil {
		return err
	}
	stopped, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Printf("http://%s\n", ln.Addr())

	go func() { // stdin closes when the test process ends, also after a crash
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	served := make(chan error, 1)
	go func() { served <- app.Listener(ln) }()
	select {
	case err := <-served:
		return err
	case <-stopped.Done():
	}
	_ = app.ShutdownWithTimeout(2 * time.Second) // idle connections must not block it
	return nil
}
