package fiberjwt

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect"

	"github.com/fiberjwt/fiberjwt/internal/dberr"
	"github.com/fiberjwt/fiberjwt/internal/fault"
)

// A column that is too short or padded, a character set, a trigger, a rule or a
// hook of the model can change what is written to identity and hash. Every such
// write is read back before it counts.

// notKept says that a table holds something else than what was written to it.
type notKept struct {
	text   string // what, and how to fix it; nothing that a client sent
	stored any    // the row as it is, a *T with identity and hash, if this write made it so; else nil
	answer *Error // to the client
}

func (e *notKept) Error() string { return "fiberjwt: " + e.text }

func (e *notKept) Unwrap() error { return e.answer }

// stored is the row of an account, with key, identity and hash, without Load and
// also if it was deleted softly. It is nil if there is none.
func (k *kind) stored(ctx context.Context, db bun.IDB, account any) (any, error) {
	row := k.newAccount()
	q := k.byKey(db, account).Column(k.pk.Name)
	if k.password != nil {
		q = q.Column(k.identity.Name, k.password.Name)
	}
	if k.table.SoftDeleteField != nil {
		q = q.Column(k.table.SoftDeleteField.Name).WhereAllWithDeleted()
	}
	err := fault.Recover(func() error { return q.Limit(1).Scan(ctx, row) })
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, storeProblem(err)
	}
	return row, nil
}

// settle has PostgreSQL check deferred constraints and run deferred triggers now.
// At the commit they would come after what is read back.
func (k *kind) settle(ctx context.Context, tx bun.IDB) error {
	if k.db.Dialect().Name() != dialect.PG {
		return nil
	}
	_, err := tx.ExecContext(ctx, "SET CONSTRAINTS ALL IMMEDIATE")
	return writeProblem(err)
}

// readBack looks a new account up as its next sign-in will, in the transaction
// that stored it. asked is what was to be stored. Where no unique index keeps names
// apart, the account of another with the same name is ErrTaken.
func (k *kind) readBack(ctx context.Context, tx bun.IDB, account, asked any) error {
	found, taken, err := k.whose(ctx, tx, account, asked)
	if err != nil || found && !taken {
		return err
	}
	row, err := k.stored(ctx, tx, account)
	if err != nil {
		return err
	}
	if taken {
		return &notKept{k.sameName(), k.written(row, k.hash(asked)), ErrTaken}
	}
	return k.notAsAsked(row, asked)
}

// whose tells of the accounts that the identity of a new one names: its own is
// found, also by the hash that was asked for; or the name is taken by another.
func (k *kind) whose(ctx context.Context, tx bun.IDB, account, asked any) (found, taken bool, err error) {
	subject, err := k.subject(account)
	if err != nil {
		return false, false, err
	}
	accounts, err := k.named(ctx, tx, k.text(asked, k.identity))
	if err != nil {
		return false, false, err
	}
	for _, other := range accounts {
		key, err := k.subject(other)
		own, written := err == nil && key == subject, k.hash(other) == k.hash(asked)
		found = found || own && written
		taken = taken || !own && !written && !k.unsaved(other) // Load may leave the key out
	}
	if !found || taken || k.selectHook == "" {
		return found, taken, nil
	}
	// A hook of the model may change what is read, but not what is compared.
	err = fault.Recover(func() (err error) {
		found, err = k.byKey(tx, account).Where("?TableAlias.? = ?", bun.Ident(k.password.Name), k.raw(asked, k.password)).Exists(ctx)
		return err
	})
	if err != nil {
		return false, false, storeProblem(err)
	}
	return found, false, nil
}

func (k *kind) sameName() string {
	return fmt.Sprintf("kind %s: two accounts have the same %q", k.name, k.identity.Name)
}

// notAsAsked says what is wrong with the row of a new account, nil if it has none.
func (k *kind) notAsAsked(row, asked any) error {
	const change = "a trigger, a hook of the model or the column itself changes it, or an upsert of a hook writes to the row of another account"
	problem := &notKept{stored: k.written(row, k.hash(asked)), answer: ErrSetup}
	switch {
	case row == nil:
		problem.text = fmt.Sprintf("kind %s: table %s has no row of a new account after its INSERT: a trigger or a rule takes it away, or gives it another key", k.name, k.table.Name)
	case k.text(row, k.identity) != k.text(asked, k.identity):
		problem.text = fmt.Sprintf("kind %s: the column %q does not hold the identity of a new account: %s; make it wide enough and of a character set for all of Unicode, such as utf8mb4, and leave the text as it is",
			k.name, k.identity.Name, change)
		if cut, whole := k.text(row, k.identity), k.text(asked, k.identity); len(cut) < len(whole) && strings.HasPrefix(whole, cut) || !dberr.IsASCII(whole) {
			problem.answer = instance(ErrFields) // another identity would do
			problem.answer.Fields = map[string]string{k.identity.Name: "cannot be stored"}
		}
	case k.hash(row) != k.hash(asked):
		problem.text = k.hashNotKept(k.hash(asked), change)
	default:
		problem.text = fmt.Sprintf("kind %s: a new account is not found by its identity and hash: Load leaves it out or reads another table, or a hook of the model changes what is read", k.name)
	}
	return problem
}

// leastCut is the length from which the beginning of a hash tells whose it is.
const leastCut = 32

// written is row if it has the hash that was just made, whole or cut off, in any
// case, and else nil: an upsert of the application can lead to the row of another
// account, and another request can have written to it since.
func (k *kind) written(row any, hash string) any {
	if row == nil {
		return nil
	}
	stored := k.hash(row)
	if len(stored) < leastCut || len(stored) > len(hash) || !strings.EqualFold(stored, hash[:len(stored)]) {
		return nil
	}
	return row
}

func (k *kind) hashNotKept(hash, why string) string {
	return fmt.Sprintf("kind %s: the column %q does not hold a hash of %d characters as it is written: %s; make it VARCHAR(255) or TEXT, and leave the text as it is", k.name, k.password.Name, len(hash), why)
}

// takeBack deletes the row of an account that is not to stay: where a table has
// no transactions, rolling back left it there. row has the hash that was made for
// it; one that has another identity or hash by now is another's.
func (k *kind) takeBack(ctx context.Context, db bun.IDB, row any) error {
	_, err := db.NewDelete().Model(k.noAccount()).
		Where("? = ?", bun.Ident(k.pk.Name), k.key(row)).
		Where("? = ?", bun.Ident(k.identity.Name), k.raw(row, k.identity)).
		Where("COALESCE(?, '') = ?", bun.Ident(k.password.Name), k.raw(row, k.password)).ForceDelete().Exec(ctx)
	return err
}

// replaceHash changes the hash if it is still old, a raw one; false if it is not, so that
// of two changes at once only one wins. tx is a transaction, to be rolled back
// after an error; see putBack for a *notKept.
func (k *kind) replaceHash(ctx context.Context, tx bun.IDB, account any, old, hash string) (bool, error) {
	changed, err := k.setHash(ctx, tx, account, old, hash)
	if err == nil && changed {
		err = k.settle(ctx, tx)
	}
	if err != nil {
		return false, err
	}
	row, err := k.stored(ctx, tx, account)
	switch {
	case err != nil || row == nil:
		return false, err
	case changed && k.hash(row) == hash:
		return true, nil
	case changed, k.hash(row) == unpadded(old) && !k.deleted(row):
		return false, &notKept{k.hashNotKept(hash, "the column or a trigger changes it, or keeps the old one"), k.written(row, hash), ErrSetup}
	}
	return false, nil
}

// deleted says that a row was deleted softly.
func (k *kind) deleted(row any) bool {
	field := k.table.SoftDeleteField
	return field != nil && !field.HasZeroValue(reflect.ValueOf(row).Elem())
}

// setHash does not say what the table made of it.
func (k *kind) setHash(ctx context.Context, db bun.IDB, account any, old, hash string) (changed bool, err error) {
	var n int64
	err = fault.Recover(func() error {
		result, err := db.NewUpdate().Model(k.noAccount()).
			Set("? = ?", bun.Ident(k.password.Name), hash).
			Where("? = ? AND COALESCE(?, '') = ?", bun.Ident(k.pk.Name), k.key(account), bun.Ident(k.password.Name), old).Exec(ctx)
		if err == nil {
			n, err = result.RowsAffected()
		}
		return err
	})
	switch dberr.ConstraintOf(err) {
	case dberr.Other, dberr.Unique, dberr.RefusedValue:
		return false, &notKept{text: k.hashNotKept(hash, "the table refuses it"), answer: ErrSetup}
	}
	return n == 1, writeProblem(err)
}

// blameHash tells a column that is too short for a hash from what else a table
// refuses of a new account. MariaDB and MySQL name the column; PostgreSQL does
// not, but checks a constant before it looks for a row.
func (k *kind) blameHash(ctx context.Context, db bun.IDB, asked any, refused error) error {
	if strings.HasSuffix(rootCause(refused).Error(), "Data too long for column '"+k.password.Name+"' at row 1") {
		return &notKept{text: k.hashNotKept(k.hash(asked), "the table refuses it"), answer: ErrSetup}
	}
	var short *notKept
	if _, err := k.setHash(ctx, db, asked, "no such hash", k.hash(asked)); errors.As(err, &short) {
		return short
	}
	return refused
}

// putBack restores the hash that a change has spoilt: where a table has no
// transactions, rolling back did not. It leaves a hash that is not from that change.
func (k *kind) putBack(ctx context.Context, db bun.IDB, account any, old string, change error) error {
	var spoilt *notKept
	if !errors.As(change, &spoilt) || spoilt.stored == nil {
		return change
	}
	if _, err := k.setHash(ctx, db, account, k.raw(spoilt.stored, k.password), old); err != nil {
		return errors.Join(change, err)
	}
	return change
}

// inTx runs a change of accounts, again if the database rolled it back.
func inTx(ctx context.Context, db *bun.DB, change func(context.Context, bun.Tx) error) error {
	return dberr.Retry(ctx, func() error { return db.RunInTx(ctx, nil, change) })
}
