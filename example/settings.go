package main

import (
	"crypto/rand"
	"fmt"
	"time"
)

// settings come from the environment. Each has a default, so the program starts with an empty environment.
type settings struct {
	Addr            string        // ADDR, "127.0.0.1:3000"; port 0 takes a free one
	Database        string        // DATABASE_URL: postgres://…, mysql://… or a path, "fiberjwt-example.db" in the working directory
	Secret          []byte        // SECRET, 32 bytes or more
	SecretGenerated bool          // SECRET was missing, so the sessions end with the process
	AccessTTL       time.Duration // ACCESS_TTL, "90s" or "15m"; zero is the default of fiberjwt
}

func readSettings(getenv func(string) string) (settings, error) {
	set := settings{Addr: getenv("ADDR"), Database: getenv("DATABASE_URL"), Secret: []byte(getenv("SECRET"))}
	if set.Addr == "" {
		set.Addr = "127.0.0.1:3000"
	}
	if set.Database == "" {
		set.Database = "fiberjwt-example.db"
	}
	if len(set.Secret) == 0 {
		set.Secret = make([]byte, 32)
		rand.Read(set.Secret) // never fails: crypto/rand ends the program instead
		set.SecretGenerated = true
	}
	var err error
	if set.AccessTTL, err = readTTL(getenv("ACCESS_TTL")); err != nil {
		return settings{}, fmt.Errorf("ACCESS_TTL: %w", err)
	}
	return set, nil
}

func readTTL(value string) (time.Duration, error) {
	if value == "" {
		return 0, nil
	}
	ttl, err := time.ParseDuration(value)
	if err != nil || ttl <= 0 {
		return 0, fmt.Errorf("%q is not a positive duration, write for example 90s or 15m", value)
	}
	return ttl, nil
}
