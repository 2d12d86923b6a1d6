// Command timing measures whether the time of a refused sign-in reveals what kind of
// account a name has: none, an ordinary one, a disabled one, one without a password, one
// with an old hash, or one whose name is typed in capitals.
//
//	go run ./test/process/timing
//
// It signs in with wrong passwords in one process, on a temporary SQLite file. In each
// round it tries every name once, in random order. The table has the median of each and
// the median of its ratio to the unknown name of the same round. The clock of the
// application moves a day with each round, so no name has to wait.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/uptrace/bun"
	"golang.org/x/crypto/bcrypt"

	"github.com/fiberjwt/fiberjwt"
	"github.com/fiberjwt/fiberjwt/test/process/internal/service"
)

type account struct {
	bun.BaseModel `bun:"table:accounts"`
	ID            int64  `bun:",pk,autoincrement" json:"id"`
	Email         string `bun:",unique,notnull"   json:"email"`
	Disabled      bool   `json:"disabled"`
	PasswordHash  string `bun:",notnull"          json:"-"`
}

const right = "a pony for the trip"

// names are tried in each round. The others are compared with the first one.
var names = []string{"unknown", "known", "KNOWN", "disabled", "without", "bcrypt", "weaker"}

func main() {
	rounds := flag.Int("rounds", 100, "how often each name is tried, at most 1000")
	flag.Parse()
	if err := run(min(max(*rounds, 3), 1000)); err != nil {
		fmt.Fprintln(os.Stderr, "timing:", err)
		os.Exit(1)
	}
}

func run(rounds int) error {
	dir, err := os.MkdirTemp("", "fiberjwt-timing")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	db, err := service.Open(filepath.Join(dir, "timing.db"))
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	if err := makeAccounts(context.Background(), db); err != nil {
		return err
	}
	days := 0
	app := fiber.New(fiber.Config{ProxyHeader: "X-Real-IP", DisableStartupMessage: true})
	auth, err := fiberjwt.Open(fiberjwt.Config{
		DB: db, Secret: []byte("kV9s0bQ2nX7wT4yR1mZ8cL5pD3fG6hJ0"), Routes: app.Group("/auth"),
		Entities: []fiberjwt.AnyEntity{fiberjwt.Entity[account]{Allow: func(_ context.Context, a *account) error {
			if a.Disabled {
				return errors.New("disabled")
			}
			return nil
		}}},
		Now:    func() time.Time { return time.Now().AddDate(0, 0, days) },
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return err
	}
	defer func() { _ = auth.Close() }()

	taken, ratios := map[string][]float64{}, map[string][]float64{}
	for round := range rounds + 2 { // the first two rounds replace the old hashes
		days = 2 * round
		now := map[string]float64{}
		order := slices.Clone(names)
		rand.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		for _, name := range order {
			took, err := guess(app, name, round)
			if err != nil {
				return err
			}
			now[name] = took.Seconds() * 1000
		}
		if round < 2 {
			continue
		}
		for name, ms := range now {
			taken[name], ratios[name] = append(taken[name], ms), append(ratios[name], ms/now[names[0]])
		}
	}
	fmt.Printf("| name, wrong password | median of %d | over an unknown name |\n|---|---|---|\n", rounds)
	for _, name := range names {
		fmt.Printf("| %s | %.2f ms | %.3f |\n", name, median(taken[name]), median(ratios[name]))
	}
	return nil
}

// guess signs in with a wrong password, from another address for each name and round.
func guess(app *fiber.App, name string, round int) (time.Duration, error) {
	request := httptest.NewRequest(http.MethodPost, "/auth/accounts/login", strings.NewReader(`{"email":"`+name+`@example.com","password":"not it at all"}`))
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("X-Real-IP", fmt.Sprintf("10.%d.%d.%d", round>>8, round&0xff, 1+slices.Index(names, name)))
	began := time.Now()
	response, err := app.Test(request, -1)
	took := time.Since(began)
	if err != nil {
		return 0, err
	}
	_ = response.Body.Close()
	if response.StatusCode != fiber.StatusUnauthorized {
		return 0, fmt.Errorf("%s is answered %d", name, response.StatusCode)
	}
	return took, nil
}

func makeAccounts(ctx context.Context, db *bun.DB) error {
	if _, err := db.NewCreateTable().Model((*account)(nil)).Exec(ctx); err != nil {
		return err
	}
	if err := fiberjwt.Migrate(ctx, db); err != nil {
		return err
	}
	old, err := bcrypt.GenerateFromPassword([]byte(right), 10)
	if err != nil {
		return err
	}
	const (
		today  = "$argon2id$v=19$m=19456,t=2,p=1$ZmliZXJqd3Qgc2FsdCAxNg$/yDKcWKZYdSq8ljkKqe0s/QG1B/w6FeB0l0cg/odO44"
		weaker = "$argon2id$v=19$m=1024,t=3,p=4$ZmliZXJqd3Qgc2FsdCAxNg$aL0duvrAadiE8HTFGNuP+tss7uGY63Tr"
	)
	accounts := []account{
		{Email: "known@example.com", PasswordHash: today},
		{Email: "disabled@example.com", PasswordHash: today, Disabled: true},
		{Email: "without@example.com"},
		{Email: "bcrypt@example.com", PasswordHash: string(old)},
		{Email: "weaker@example.com", PasswordHash: weaker},
	}
	_, err = db.NewInsert().Model(&accounts).Exec(ctx)
	return err
}

func median(of []float64) float64 {
	slices.Sort(of)
	return of[len(of)/2]
}
