package accounts

import (
	"database/sql/driver"
	"math"
	"reflect"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect"
	"github.com/uptrace/bun/schema"

	"github.com/fiberjwt/fiberjwt/internal/statement"
)

// statements are the SELECTs of accounts that every request or sign-in sends. All are nil for
// a kind with a hook that sees Bun's query, because their text is made once.
type statements struct {
	byKey      *statement.Statement // of the key
	byKeyAlive *statement.Statement // of the key, the subject, the session and the time
	byName     *statement.Statement // of an identity
	byEither   *statement.Statement // of two forms of an identity
}

// Prepare makes the statements of a kind without problems, in a pool on its database. Without
// it, Bun writes each of them anew.
func (k *Kind) Prepare(pool *statement.Pool) {
	if _, hooked := k.New().(bun.AfterSelectHook); hooked || k.selectsSubset() {
		return
	}
	s := &k.statements
	one := func(limit int64, narrow func(*bun.SelectQuery) *bun.SelectQuery) *statement.Statement {
		q := narrow(k.selectAccounts(k.DB, reflect.New(reflect.SliceOf(reflect.PointerTo(k.Model))).Interface())).Limit(limit)
		text, err := q.AppendQuery(k.DB.QueryGen(), nil)
		if err != nil {
			return nil
		}
		return pool.New(string(text))
	}
	s.byKey = one(1, func(q *bun.SelectQuery) *bun.SelectQuery { return whereEqual(q, k.PK, statement.Arg(1)) })
	s.byKeyAlive = one(1, func(q *bun.SelectQuery) *bun.SelectQuery {
		return whereAlive(whereEqual(q, k.PK, statement.Arg(1)), k.Name, statement.Arg(2), statement.Arg(3), statement.Arg(4))
	})
	if k.Identity == nil {
		return
	}
	s.byName = one(2, func(q *bun.SelectQuery) *bun.SelectQuery { return whereEqual(q, k.Identity, statement.Arg(1)) })
	s.byEither = one(2, func(q *bun.SelectQuery) *bun.SelectQuery {
		return whereEither(q, k.Identity, statement.Arg(1), statement.Arg(2))
	})
}

// whereEqual adds the condition that a column has a value, or the value of an argument.
func whereEqual(q *bun.SelectQuery, column *schema.Field, value any) *bun.SelectQuery {
	return q.Where("?TableAlias.? = ?", bun.Ident(column.Name), value)
}

// whereEither is whereEqual for one of two values.
func whereEither(q *bun.SelectQuery, column *schema.Field, one, other any) *bun.SelectQuery {
	name := bun.Ident(column.Name)
	return q.Where("(?TableAlias.? = ? OR ?TableAlias.? = ?)", name, one, name, other)
}

var queryAppender = reflect.TypeFor[schema.QueryAppender]()

// bindable returns a key as the argument of a statement. ok is false if a driver could send
// it otherwise than Bun writes it: on PostgreSQL, Bun writes bytes as a text with their
// hexadecimal digits, which need not become bytes again. It is false too if the Value method
// of the key panics: Bun will call it again, where a panic becomes an error.
func (k *Kind) bindable(key reflect.Value) (argument any, ok bool) {
	defer func() {
		if recover() != nil {
			argument, ok = nil, false
		}
	}()
	if key.Type().Implements(queryAppender) {
		return nil, false
	}
	if valuer, ok := key.Interface().(driver.Valuer); ok {
		value, err := valuer.Value()
		switch value.(type) {
		case string, int64:
			return value, err == nil
		case []byte:
			return value, err == nil && k.DB.Dialect().Name() != dialect.PG
		}
		return nil, false
	}
	switch {
	case key.CanInt():
		return key.Int(), true
	case key.CanUint():
		return int64(key.Uint()), key.Uint() <= math.MaxInt64
	case key.Kind() == reflect.String:
		return key.String(), true
	}
	return nil, false
}
