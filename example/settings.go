package main

import (
	"crypto/rand"
	"fmt"
	"time"
)

// settings are read from environment variables. Each one has a default, so none is required.
type settings struct {
	Addr            string        // ADDR, default "127.0.0.1:3000"; port 0 chooses a free port
	Database        string        // DATABASE_URL: postgres://…, mysql://… or a path; default "fiberjwt-example.db" in the working directory
	Secret          []byte        // SECRET, 32 bytes or more; default: random bytes
	SecretGenerated bool          // true if SECRET was not set, so that sessions end with the process
	AccessTTL       time.Duration // ACCESS_TTL, such as "90s" or "15m"; zero means the default of fiberjwt
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
		rand.Read(set.Secret) // never returns an error: crypto/rand ends the program instead
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
