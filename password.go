package fiberjwt

import (
	"runtime"

	"github.com/gofiber/fiber/v2"

	"github.com/fiberjwt/fiberjwt/internal/password"
)

// Password sets what hashing a password costs and which passwords are taken.
// The zero value is right for most applications.
//
// Hashes are argon2id. Raise the cost as far as a login may take: weaker hashes
// and those of bcrypt still verify, and are replaced at the next login. At most
// GOMAXPROCS - 1 passwords are hashed at once, and at least one. Logins take that
// many times Memory, and as much again until the garbage is collected. A request
// waits for ReadTimeout and WriteTimeout together at most; one that would have to
// wait longer is answered 503 at once.
//
// Settings below those that OWASP holds to be equally strong are refused: 47104
// KiB with 1 pass, 19456 with 2, 12288 with 3, 9216 with 4, 7168 with 5 or more.
type Password struct {
	Memory    uint32 // KiB; default 19456, at most 1048576
	Time      uint32 // passes over the memory; default 2, at most 16
	Threads   uint8  // default 1, at most 16; more shortens a login and leaves fewer processors for others
	MinLength int    // code points, 8 to 64; default 8. Take 15 where nothing but the password protects much (NIST SP 800-63B)
}

func newHasher(cfg Config) *password.Hasher {
	load := password.Load{Processors: runtime.GOMAXPROCS(0), Patience: cfg.ReadTimeout + cfg.WriteTimeout}
	if fiber.IsChild() { // a child of Fiber's Prefork has one, whatever GOMAXPROCS says before it listens
		load.Processors = 1
	}
	if cfg.DB != nil {
		load.Pool = cfg.DB.Stats().MaxOpenConnections
	}
	return password.New(password.Settings(cfg.Password), load)
}
