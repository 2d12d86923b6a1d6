package accounts

import (
	"context"
	"database/sql"
	"errors"
	"reflect"
	"slices"

	"github.com/uptrace/bun"

	"github.com/fiberjwt/fiberjwt/internal/dberr"
	"github.com/fiberjwt/fiberjwt/internal/fault"
	"github.com/fiberjwt/fiberjwt/internal/statement"
)

// selectAccounts returns the SELECT of accounts, a *[]*T, with what the Load hook adds.
func (k *Kind) selectAccounts(db bun.IDB, accounts any) *bun.SelectQuery {
	q := db.NewSelect().Model(accounts)
	if k.load != nil {
		// The hook's conditions are a separate group, so an OR in them cannot bypass ours.
		q = q.WhereGroup(" AND ", k.load)
	}
	return q
}

// ByKey returns a SELECT that finds the row of an account by its key. A session starts
// only if it still finds one.
func (k *Kind) ByKey(db bun.IDB, account any) *bun.SelectQuery {
	return whereEqual(db.NewSelect().Model(k.nilAccount()), k.PK, k.Key(account))
}

// LoadAlive returns the account of a verified token, with one SELECT. It returns nil if the
// account does not exist or the session is not alive.
func (k *Kind) LoadAlive(ctx context.Context, subject string, sid []byte, now int64) (any, error) {
	return k.loadSubject(ctx, k.statements.byKeyAlive, subject, func(q *bun.SelectQuery) *bun.SelectQuery {
		return whereAlive(q, k.Name, subject, sid, now)
	}, subject, sid, now)
}

// whereAlive adds a condition to the SELECT that loads an account: the session of the access
// token is alive. So account and session take one round trip, and a logout has effect at once.
// Of the arguments, all but the kind are values, or stand for values of a statement.
func whereAlive(q *bun.SelectQuery, kind string, subject, sid, now any) *bun.SelectQuery {
	return q.Where("EXISTS (SELECT 1 FROM fiberjwt_sessions AS fiberjwt_s WHERE fiberjwt_s.sid = ? AND fiberjwt_s.kind = ?"+
		" AND fiberjwt_s.subject = ? AND fiberjwt_s.revoked IS NULL AND fiberjwt_s.idle_until > ? AND fiberjwt_s.ends > ?)",
		sid, kind, subject, now, now)
}

// LoadBySubject returns the account of a subject, or nil if there is none.
func (k *Kind) LoadBySubject(ctx context.Context, subject string) (any, error) {
	return k.loadSubject(ctx, k.statements.byKey, subject, All)
}

// loadSubject returns the account of a subject with a statement whose arguments are the key
// and args. Without one it is Scan with narrow.
func (k *Kind) loadSubject(ctx context.Context, by *statement.Statement, subject string, narrow func(*bun.SelectQuery) *bun.SelectQuery, args ...any) (any, error) {
	key, ok := k.subjects.decode(subject, k.PK.StructField.Type)
	if !ok {
		return nil, nil
	}
	argument, ok := k.bindable(key)
	if by == nil || !ok {
		return k.scanKey(ctx, k.DB, subject, key, narrow)
	}
	var account any
	err := k.read(ctx, k.DB, func() error {
		account = k.New() // in each try: JSON would be merged into what an earlier one has read
		return by.Scan(ctx, k.DB, account, append([]any{argument}, args...)...)
	})
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return k.checkLoaded(account, subject, err)
}

// All adds no condition to a SELECT.
func All(q *bun.SelectQuery) *bun.SelectQuery { return q }

// Scan returns the account of a subject, or nil if there is none; narrow adds conditions.
func (k *Kind) Scan(ctx context.Context, db bun.IDB, subject string, narrow func(*bun.SelectQuery) *bun.SelectQuery) (any, error) {
	key, ok := k.subjects.decode(subject, k.PK.StructField.Type)
	if !ok {
		return nil, nil
	}
	return k.scanKey(ctx, db, subject, key, narrow)
}

func (k *Kind) scanKey(ctx context.Context, db bun.IDB, subject string, key reflect.Value, narrow func(*bun.SelectQuery) *bun.SelectQuery) (any, error) {
	account, err := k.loadOne(ctx, db, func(q *bun.SelectQuery) *bun.SelectQuery {
		return narrow(whereEqual(q, k.PK, key.Interface()))
	})
	return k.checkLoaded(account, subject, err)
}

// checkLoaded returns a setup error if the loaded account is not that of subject: a Load hook
// may not select the key, and a collation may compare loosely. The row of another account
// must not be returned.
func (k *Kind) checkLoaded(account any, subject string, err error) (any, error) {
	if err != nil || account == nil {
		return nil, err
	}
	if found, err := k.Subject(account); err != nil || found != subject {
		return nil, fault.Setupf("kind %s: the primary key of the loaded row is not that of the token: let Load select the key column and give it a binary collation", k.Name)
	}
	return account, nil
}

// FindByIdentity returns the account with the identity of a sign-in, or nil if there is
// none. If several accounts have the identity, because no index prevents that, it returns
// the one that is spelled exactly so. If there is not exactly one, it returns a setup
// error.
func (k *Kind) FindByIdentity(ctx context.Context, db bun.IDB, identity string) (any, error) {
	accounts, err := k.findNamed(ctx, db, identity)
	if len(accounts) > 1 {
		accounts = slices.DeleteFunc(accounts, func(account any) bool { return k.Text(account, k.Identity) != identity })
		if len(accounts) != 1 {
			return nil, fault.Setupf("%s, so neither can sign in: give the column a unique index, as Auth.Check says", k.duplicateText())
		}
	}
	if err != nil || len(accounts) == 0 {
		return nil, err
	}
	return accounts[0], nil
}

// maxSameIdentity is the maximum number of rows that are read for one identity.
const maxSameIdentity = 1000

// findNamed returns the accounts with an identity. It looks for the identity as it was
// sent, for rows that are older than this library, and in its canonical form. Both are in
// one statement, so that the number of statements does not show whether an account
// exists. It sends a second statement if the first returns more than one row: from a join,
// for names that are equal only in a collation, or for several accounts.
func (k *Kind) findNamed(ctx context.Context, db bun.IDB, identity string) (accounts []any, err error) {
	name, err := k.NameOf(identity)
	if err != nil {
		return nil, err
	}
	search := func(q *bun.SelectQuery) *bun.SelectQuery {
		if name == identity {
			return whereEqual(q, k.Identity, identity)
		}
		return whereEither(q, k.Identity, identity, name)
	}
	rows, err := k.named(ctx, db, identity, name, search)
	if err == nil && rows.Len() > 1 {
		rows, err = k.AtMost(ctx, db, maxSameIdentity, search)
	}
	if err != nil {
		if dberr.Unstorable(fault.Cause(err), identity) { // then no row contains it
			err = nil
		}
		return nil, err
	}
	seen := map[string]bool{}
	for i := range rows.Len() {
		account := rows.Index(i).Interface()
		found, err := k.NameOf(k.Text(account, k.Identity))
		if err != nil {
			return nil, err
		}
		subject, _ := k.Subject(account)
		// A collation that ignores accents finds ann for änn, but the throttle counts
		// them separately.
		if found == name && !seen[subject] {
			accounts = append(accounts, account)
		}
		seen[subject] = true
	}
	return accounts, nil
}

// named returns up to two rows with one of two forms of an identity.
func (k *Kind) named(ctx context.Context, db bun.IDB, identity, name string, search func(*bun.SelectQuery) *bun.SelectQuery) (reflect.Value, error) {
	by, args := k.statements.byName, []any{identity}
	if name != identity {
		by, args = k.statements.byEither, []any{identity, name}
	}
	if by == nil {
		return k.AtMost(ctx, db, 2, search)
	}
	return k.readAll(ctx, db, func(into any) error { return by.Scan(ctx, db, into, args...) })
}

// loadOne returns the first account that a SELECT finds, or nil.
func (k *Kind) loadOne(ctx context.Context, db bun.IDB, narrow func(*bun.SelectQuery) *bun.SelectQuery) (any, error) {
	accounts, err := k.AtMost(ctx, db, 1, narrow)
	if err != nil || accounts.Len() == 0 {
		return nil, err
	}
	return accounts.Index(0).Interface(), nil
}

// AtMost returns up to limit accounts, as a []*T. It passes a slice to Bun, because Bun
// would call BeforeAppendModel on a single account, which is still empty.
func (k *Kind) AtMost(ctx context.Context, db bun.IDB, limit int64, narrow func(*bun.SelectQuery) *bun.SelectQuery) (accounts reflect.Value, err error) {
	return k.readAll(ctx, db, func(into any) error { return narrow(k.selectAccounts(db, into)).Limit(limit).Scan(ctx) })
}

// readAll returns the accounts, a []*T, that query stores in into, a *[]*T.
func (k *Kind) readAll(ctx context.Context, db bun.IDB, query func(into any) error) (accounts reflect.Value, err error) {
	err = k.read(ctx, db, func() error {
		into := reflect.New(reflect.SliceOf(reflect.PointerTo(k.Model)))
		accounts = into.Elem()
		return query(into.Interface())
	})
	if errors.Is(err, sql.ErrNoRows) { // from a hook of the model that refuses the rows
		return accounts.Slice(0, 0), nil
	}
	return accounts, err
}

// read runs a query, which may be repeated. The error is sql.ErrNoRows or one of the store.
func (k *Kind) read(ctx context.Context, db bun.IDB, query func() error) (err error) {
	if _, alone := db.(*bun.DB); !alone { // in a transaction, which fails as a whole: no retry
		err = fault.Recover(query)
	} else {
		if err := k.Ready(ctx); err != nil {
			return err
		}
		err = dberr.RetryIdempotent(ctx, func() error { return fault.Recover(query) })
	}
	if err == nil || errors.Is(err, sql.ErrNoRows) {
		return err
	}
	return k.storeError(err)
}

// selectHookOf returns the name of a hook of the model that Bun calls on SELECT, "" if it
// has none.
func selectHookOf(account any) string {
	switch account.(type) {
	case bun.BeforeSelectHook:
		return "BeforeSelect"
	case bun.AfterSelectHook:
		return "AfterSelect"
	case bun.BeforeScanRowHook:
		return "BeforeScanRow"
	case bun.AfterScanRowHook:
		return "AfterScanRow"
	}
	return ""
}
