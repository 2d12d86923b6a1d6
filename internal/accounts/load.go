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
	"github.com/fiberjwt/fiberjwt/session"
)

// selecting is the SELECT of accounts, a *[]*T, shaped by the Load hook.
func (k *Kind) selecting(db bun.IDB, accounts any) *bun.SelectQuery {
	q := db.NewSelect().Model(accounts)
	if k.load != nil {
		// In a group of its own an OR of the hook cannot widen our conditions.
		q = q.WhereGroup(" AND ", k.load)
	}
	return q
}

// ByKey is the SELECT that must still find the account for a session to start.
func (k *Kind) ByKey(db bun.IDB, account any) *bun.SelectQuery {
	return db.NewSelect().Model(k.noAccount()).Where("?TableAlias.? = ?", bun.Ident(k.PK.Name), k.Key(account))
}

// LoadAlive gives the account of a verified token if both it and its session
// are alive: one SELECT. The account is nil if not.
func (k *Kind) LoadAlive(ctx context.Context, subject string, sid []byte, now int64) (any, error) {
	return k.Scan(ctx, k.DB, subject, func(q *bun.SelectQuery) *bun.SelectQuery {
		return session.WhereAlive(q, k.Name, subject, sid, now)
	})
}

// LoadBySubject gives the account, nil if there is none.
func (k *Kind) LoadBySubject(ctx context.Context, subject string) (any, error) {
	return k.Scan(ctx, k.DB, subject, All)
}

// All is a condition that every row meets.
func All(q *bun.SelectQuery) *bun.SelectQuery { return q }

// Scan loads the account of a subject, nil if there is none; narrow adds conditions.
func (k *Kind) Scan(ctx context.Context, db bun.IDB, subject string, narrow func(*bun.SelectQuery) *bun.SelectQuery) (any, error) {
	key, ok := k.subjects.decode(subject, k.PK.StructField.Type)
	if !ok {
		return nil, nil
	}
	account, err := k.one(ctx, db, func(q *bun.SelectQuery) *bun.SelectQuery {
		return narrow(q.Where("?TableAlias.? = ?", bun.Ident(k.PK.Name), key.Interface()))
	})
	if err != nil || account == nil {
		return nil, err
	}
	// A Load hook that leaves the key out, or a column that compares loosely,
	// must not answer as another account.
	if found, err := k.Subject(account); err != nil || found != subject {
		return nil, fault.Setupf("kind %s: the loaded row has another primary key than the token: let Load select the key column and give it a binary collation", k.Name)
	}
	return account, nil
}

// FindByIdentity gives the account that a person names at login, nil if there
// is none. Where nothing keeps two accounts apart, it takes neither, but for the
// one that is spelt as it was typed.
func (k *Kind) FindByIdentity(ctx context.Context, db bun.IDB, identity string) (any, error) {
	accounts, err := k.named(ctx, db, identity)
	if len(accounts) > 1 {
		accounts = slices.DeleteFunc(accounts, func(account any) bool { return k.Text(account, k.Identity) != identity })
		if len(accounts) != 1 {
			return nil, fault.Setupf("%s, so neither can sign in: give the column a unique index, as Auth.Check says", k.sameName())
		}
	}
	if err != nil || len(accounts) == 0 {
		return nil, err
	}
	return accounts[0], nil
}

// mostAlike bounds the rows that are read for one identity.
const mostAlike = 1000

// named gives the accounts that an identity names. It takes the identity as it is
// typed, for rows that are older than this library, and in its canonical form; in
// one statement, so that the number of statements does not tell whether there is an
// account. It sends a second one where there is more than one row: of a join, of
// names that only a collation takes for the same, or of several accounts.
func (k *Kind) named(ctx context.Context, db bun.IDB, identity string) (accounts []any, err error) {
	name, err := k.NameOf(identity)
	if err != nil {
		return nil, err
	}
	column := bun.Ident(k.Identity.Name)
	search := func(q *bun.SelectQuery) *bun.SelectQuery {
		if name == identity {
			return q.Where("?TableAlias.? = ?", column, identity)
		}
		return q.Where("(?TableAlias.? = ? OR ?TableAlias.? = ?)", column, identity, column, name)
	}
	rows, err := k.AtMost(ctx, db, 2, search)
	if err == nil && rows.Len() > 1 {
		rows, err = k.AtMost(ctx, db, mostAlike, search)
	}
	if err != nil {
		if dberr.Unstorable(fault.Cause(err), identity) { // so no row has it
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
		// A collation that folds accents finds ann for änn; the throttle counts
		// them apart.
		if found == name && !seen[subject] {
			accounts = append(accounts, account)
		}
		seen[subject] = true
	}
	return accounts, nil
}

// one loads a single account, nil if there is none.
func (k *Kind) one(ctx context.Context, db bun.IDB, narrow func(*bun.SelectQuery) *bun.SelectQuery) (any, error) {
	accounts, err := k.AtMost(ctx, db, 1, narrow)
	if err != nil || accounts.Len() == 0 {
		return nil, err
	}
	return accounts.Index(0).Interface(), nil
}

// AtMost loads up to so many accounts, as a []*T. It asks Bun for a slice, since an
// account that is still empty would be passed to its BeforeAppendModel.
func (k *Kind) AtMost(ctx context.Context, db bun.IDB, limit int64, narrow func(*bun.SelectQuery) *bun.SelectQuery) (accounts reflect.Value, err error) {
	load := func() error {
		into := reflect.New(reflect.SliceOf(reflect.PointerTo(k.Model)))
		accounts = into.Elem()
		return fault.Recover(func() error { return narrow(k.selecting(db, into.Interface())).Limit(limit).Scan(ctx) })
	}
	if _, alone := db.(*bun.DB); alone {
		if err := k.Ready(ctx); err != nil {
			return accounts, err
		}
		err = dberr.RetryIdempotent(ctx, load)
	} else { // in a transaction, which is over as a whole when a statement fails
		err = load()
	}
	switch {
	case errors.Is(err, sql.ErrNoRows): // a hook of the model says so, of rows that it does not want
		return accounts.Slice(0, 0), nil
	case err != nil:
		return accounts, k.storeError(err)
	}
	return accounts, nil
}

// selectHookOf names a hook of a model that Bun runs when it selects, "" if it has none.
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
