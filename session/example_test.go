package session_test

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/sqlitedialect"

	"github.com/fiberjwt/fiberjwt/session"
)

// Two tabs send the same refresh token. An hour later, an attacker who has copied
// it sends it again.
func ExampleDecide() {
	times := session.Times{Grace: 30 * time.Second, Rearm: time.Minute, Age: 5 * time.Minute, Idle: 24 * time.Hour}
	const minute = 60_000
	row := session.Row{Prev: -1, IdleUntil: 24 * 60 * minute, Ends: 90 * 24 * 60 * minute}

	row, first := session.Decide(row, 0, 10*minute, times)
	fmt.Println(first, row.Gen)
	row, second := session.Decide(row, 0, 10*minute+50, times)
	fmt.Println(second, row.Gen)

	row, _ = session.Decide(row, 1, 20*minute, times) // the tabs continue
	row, stolen := session.Decide(row, 0, 70*minute, times)
	fmt.Println(stolen, row.Alive(70*minute))
	// Output:
	// rotate 1
	// converge 1
	// reuse false
}

// A store in the database of the accounts, which Migrate has prepared.
func ExampleNewSQL() {
	ctx := context.Background()
	conn, err := sql.Open("sqlite3", ":memory:")
	if err != nil {
		panic(err)
	}
	conn.SetMaxOpenConns(1) // otherwise each connection has its own database in memory
	db := bun.NewDB(conn, sqlitedialect.New())
	defer func() { _ = db.Close() }()
	if err := session.Migrate(ctx, db); err != nil {
		panic(err)
	}
	store := session.NewSQL(db)

	sid := bytes.Repeat([]byte{7}, 16) // 16 random bytes
	now := time.Now().UnixMilli()
	row := session.Row{SID: sid, Kind: "users", Subject: "1", Prev: -1, Issued: now, IdleUntil: now + 1000, Ends: now + 1000, AuthTime: now, Created: now}
	if err := store.Create(ctx, row); err != nil {
		panic(err)
	}
	found, err := store.Revoke(ctx, sid, "users", "1", now)
	fmt.Println(found, err)
	row, _, err = store.Find(ctx, "users", sid)
	fmt.Println(row.Alive(now), err)
	// Output:
	// true <nil>
	// false <nil>
}

// An ID is what applications see of a session.
func ExampleID() {
	id := session.ID(bytes.Repeat([]byte{7}, 16))
	sid, ok := session.ParseID(id)
	fmt.Println(id, len(sid), ok)
	_, ok = session.ParseID("' OR 1=1")
	fmt.Println(ok)
	// Output:
	// BwcHBwcHBwcHBwcHBwcHBw 16 true
	// false
}
