package main

import (
	"time"

	"github.com/uptrace/bun"
)

// User signs in by email. The hash has no JSON name, because fiberjwt refuses a model whose JSON contains it.
type User struct {
	bun.BaseModel `bun:"table:users"`

	ID           int64  `bun:",pk,autoincrement" json:"id"`
	Email        string `bun:",unique,notnull"   json:"email"`
	FullName     string `bun:",notnull"          json:"full_name"`
	PasswordHash string `bun:",notnull"          json:"-"`
}

// Teacher signs in by a username, in the column login. Its table, columns and tokens are separate from those of [User].
type Teacher struct {
	bun.BaseModel `bun:"table:teachers"`

	ID           int64  `bun:",pk,autoincrement" json:"id"`
	Login        string `bun:",unique,notnull"   json:"login"`
	Name         string `bun:",notnull"          json:"name"`
	PasswordHash string `bun:",notnull"          json:"-"`
}

// Note belongs to one account, named by Kind and Subject together: user 1 and teacher 1 are different accounts.
type Note struct {
	bun.BaseModel `bun:"table:notes"`

	ID        int64     `bun:",pk,autoincrement" json:"id"`
	Kind      string    `bun:",notnull"          json:"kind"`
	Subject   string    `bun:",notnull"          json:"-"`
	Text      string    `bun:",notnull,type:text" json:"text"` // a plain string would be a VARCHAR(255) on MySQL
	CreatedAt time.Time `bun:",notnull"          json:"created_at"`
}
