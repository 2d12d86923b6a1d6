package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/uptrace/bun"

	"github.com/fiberjwt/fiberjwt"
	"github.com/fiberjwt/fiberjwt/bench/drive"
	"github.com/fiberjwt/fiberjwt/bench/fixture"
	"github.com/fiberjwt/fiberjwt/bench/measure"
	"github.com/fiberjwt/fiberjwt/bench/peer"
)

// bench has what the rows share.
type bench struct {
	plan   measure.Plan
	quick  bool
	folder string
	cold   []fixture.Access
	ours   map[string]*ours
	files  int
}

const (
	sliceTime   = 8 * time.Millisecond
	rounds      = 60
	quickRounds = 8

	// Longer slices, for work that takes longer or whose clock is coarser.
	wallSliceTime  = 30 * time.Millisecond
	httpSliceTime  = 100 * time.Millisecond
	loginSliceTime = 100 * time.Millisecond
)

func newBench(quick bool) (*bench, error) {
	b := &bench{plan: measure.Plan{Rounds: rounds, Slice: sliceTime}, quick: quick, ours: map[string]*ours{}}
	if quick {
		b.plan.Rounds = quickRounds
	}
	var err error
	if b.cold, err = fixture.Tokens(fixture.Cold, nil); err != nil {
		return nil, err
	}
	b.folder, err = os.MkdirTemp("", "fiberjwt-bench")
	return b, err
}

func (b *bench) close() { _ = os.RemoveAll(b.folder) }

// compare measures cases and returns the median of the ratio of.
func (b *bench) compare(of func(measure.Round) float64, cases ...measure.Case) (outcome, error) {
	return compare(b.plan, of, cases...)
}

func compare(plan measure.Plan, of func(measure.Round) float64, cases ...measure.Case) (outcome, error) {
	result, err := plan.Run(cases...)
	if err != nil {
		return outcome{}, err
	}
	return outcomeOf(result, of, cases), nil
}

// ours is an application with fiberjwt that loads accounts from a database, with accounts
// that are signed in.
type ours struct {
	db       *bun.DB
	path     string // of the file, "" on PostgreSQL
	signedAt time.Time
	app      *fiber.App
	auth     *fiberjwt.Auth
	signedIn []fixture.SignedIn
}

const accounts = 512

// reuse is how long rows share an application: its access tokens are valid for ten minutes.
const reuse = 4 * time.Minute

// sqlite returns an application with this Config on a SQLite file of its own. Rows that ask
// for the same name share it.
func (b *bench) sqlite(name string, cfg fiberjwt.Config) (*ours, error) {
	if shared := b.ours[name]; shared != nil && time.Since(shared.signedAt) < reuse {
		return shared, nil
	}
	b.files++
	path := filepath.Join(b.folder, fmt.Sprintf("%d.db", b.files))
	db, err := fixture.NewSQLite(path)
	if err != nil {
		return nil, err
	}
	o, err := newOurs(db, cfg)
	if err != nil {
		return nil, err
	}
	o.path, b.ours[name] = path, o
	return o, nil
}

// byDefault returns the application with the default Config on SQLite.
func (b *bench) byDefault() (*ours, error) { return b.sqlite("default", fiberjwt.Config{}) }

func newOurs(db *bun.DB, cfg fiberjwt.Config) (*ours, error) {
	cfg.DB, cfg.Secret = db, fixture.Secret
	app := fiber.New()
	auth, err := peer.AddAccounts(app, cfg)
	if err != nil {
		return nil, err
	}
	hash, err := auth.HashPassword(context.Background(), fixture.Password)
	if err != nil {
		return nil, err
	}
	o := &ours{db: db, app: app, auth: auth, signedAt: time.Now()}
	o.signedIn, err = fixture.SignIn(db, auth, accounts, hash)
	return o, err
}

// emails are requests with the access tokens, to which the response is the email.
func (o *ours) emails() []drive.Request {
	list := make([]drive.Request, len(o.signedIn))
	for i, who := range o.signedIn {
		list[i] = drive.Request{Token: who.Tokens.AccessToken, Want: who.User.Email}
	}
	return list
}

// subjects are requests with the same tokens, to which the response is the subject.
func (o *ours) subjects() []drive.Request {
	list := o.emails()
	for i := range list {
		list[i].Want = strconv.FormatInt(o.signedIn[i].User.ID, 10)
	}
	return list
}

// subjects are requests with tokens, to which the response is the subject.
func subjects(tokens []fixture.Access) []drive.Request {
	list := make([]drive.Request, len(tokens))
	for i, access := range tokens {
		list[i] = drive.Request{Token: access.Token, Want: access.Subject}
	}
	return list
}

// get is a case that sends requests in turn to an application of Fiber.
func get(name string, app *fiber.App, requests []drive.Request) (measure.Case, error) {
	do, err := drive.InTurn(drive.NewFiber(app, "GET", "/"), requests)
	if err != nil {
		return measure.Case{}, fmt.Errorf("%s: %w", name, err)
	}
	return measure.Case{Name: name, Run: measure.Each(do)}, nil
}

// bare is a case that sends the same requests to a route without a middleware.
func bare(requests []drive.Request) (measure.Case, error) {
	app := fiber.New()
	peer.AddBare(app)
	return get("bare", app, open(requests))
}

// open returns the requests with the response of a route without a middleware.
func open(requests []drive.Request) []drive.Request {
	list := slices.Clone(requests)
	for i := range list {
		list[i].Want = "open"
	}
	return list
}
