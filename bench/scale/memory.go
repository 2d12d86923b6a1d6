package main

import (
	"fmt"
	"runtime"

	"github.com/gofiber/fiber/v2"

	"github.com/fiberjwt/fiberjwt"
	"github.com/fiberjwt/fiberjwt/bench/drive"
	"github.com/fiberjwt/fiberjwt/bench/fixture"
	"github.com/fiberjwt/fiberjwt/bench/peer"
	"github.com/fiberjwt/fiberjwt/bench/server"
)

// heap returns the bytes that are in use.
func heap() float64 {
	runtime.GC()
	runtime.GC() // what pools keep is freed by the second collection
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}

// cacheMemory measures the memory of a cached account. The cache keeps 10,000 of them. The
// first half is cached before, because it also fills the pools of Fiber and of the database.
func cacheMemory(w *world) error {
	const accounts = 10_000
	a, err := w.open("cache", fiberjwt.Config{}, accounts)
	if err != nil {
		return err
	}
	defer a.close()
	app := fiber.New()
	auth, err := peer.AddAccounts(app, fiberjwt.Config{DB: a.db, Secret: fixture.Secret, CacheTTL: server.CacheTTL})
	if err != nil {
		return err
	}
	defer func() { _ = auth.Close() }()
	requests := a.emails()
	half := func(requests []drive.Request) (float64, error) {
		send, err := drive.InTurn(drive.NewFiber(app, "GET", "/"), requests)
		if err != nil {
			return 0, err
		}
		for range 3 * len(requests) {
			if err := send(); err != nil {
				return 0, err
			}
		}
		return heap(), nil
	}
	first, err := half(requests[:accounts/2])
	if err != nil {
		return err
	}
	second, err := half(requests[accounts/2:])
	if err != nil {
		return err
	}
	fmt.Printf("%-12s %-28s %9.0f bytes\n", "cache", "each account", (second-first)/(accounts/2))
	runtime.KeepAlive(requests)
	return nil
}

// soak sends many requests, and prints the memory and the goroutines in between.
func soak(w *world) error {
	a, err := w.open("soak", fiberjwt.Config{CacheTTL: server.CacheTTL}, 512)
	if err != nil {
		return err
	}
	defer a.close()
	const parts = 10
	send, err := drive.InTurn(drive.NewFiber(a.app, "GET", "/"), a.emails())
	if err != nil {
		return err
	}
	for part := range parts {
		for range w.requests / parts {
			if err := send(); err != nil {
				return err
			}
		}
		fmt.Printf("%-12s %-28s %9.0f kB  %d goroutines\n", "soak", fmt.Sprintf("%d requests", (part+1)*(w.requests/parts)), heap()/1024, runtime.NumGoroutine())
	}
	return nil
}
