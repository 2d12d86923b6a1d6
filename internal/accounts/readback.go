package accounts

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

// NotKept says that a table holds something else than what was written to it.
type NotKept struct {
	Stored any // the row as it is, with identity and hash, if this write made it so; else nil

	text string // what, and how to fix it; nothing that a client sent
	is   error  // what it is to the client: fault.ErrSetup, ErrTaken or Fields
}

func (e *NotKept) Error() string { return "fiberjwt: " + e.text }

func (e *NotKept) Unwrap() error { return e.is }

// Stored is the row of an account, with key, identity and hash, without Load and
// also if it was deleted softly. It is nil if there is none.
func (k *Kind) Stored(ctx context.Context, db bun.IDB, account any) (any, error) {
	row := k.New()
	q := k.ByKey(db, account).Column(k.PK.Name)
	if k.Password != nil {
		q = q.Column(k.Identity.Name, k.Password.Name)
	}
	if k.Table.SoftDeleteField != nil {
		q = q.Column(k.Table.SoftDeleteField.Name).WhereAllWithDeleted()
	}
	err := fault.Recover(func() error { return q.Limit(1).Scan(ctx, row) })
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, k.storeError(err)
	}
	return row, nil
}

// Settle has PostgreSQL check deferred constraints and run deferred triggers now.
// At the commit they would come after what is read back.
func (k *Kind) Settle(ctx context.Context, tx bun.IDB) error {
	if k.DB.Dialect().Name() != dialect.PG {
		return nil
	}
	_, err := tx.ExecContext(ctx, "SET CONSTRAINTS ALL IMMEDIATE")
	return k.WriteError(err)
}

// ReadBack looks a new account up as its next sign-in will, in the transaction
// that stored it. asked is what was to be stored. Where no unique index keeps names
// apart, the account of another with the same name is ErrTaken.
func (k *Kind) ReadBack(ctx context.Context, tx bun.IDB, account, asked any) error {
	found, taken, err := k.whose(ctx, tx, account, asked)
	if err != nil || found && !taken {
		return err
	}
	row, err := k.Stored(ctx, tx, account)
	if err != nil {
		return err
	}
	if taken {
		return &NotKept{k.written(row, k.Hash(asked)), k.sameName(), ErrTaken}
	}
	return k.notAsAsked(row, asked)
}

// whose tells of the accounts that the identity of a new one names: its own is
// found, also by the hash that was asked for; or the name is taken by another.
func (k *Kind) whose(ctx context.Context, tx bun.IDB, account, asked any) (found, taken bool, err error) {
	subject, err := k.Subject(account)
	if err != nil {
		return false, false, err
	}
	accounts, err := k.named(ctx, tx, k.Text(asked, k.Identity))
	if err != nil {
		return false, false, err
	}
	for _, other := range accounts {
		key, err := k.Subject(other)
		own, written := err == nil && key == subject, k.Hash(other) == k.Hash(asked)
		found = found || own && written
		taken = taken || !own && !written && !k.Unsaved(other) // Load may leave the key out
	}
	if !found || taken || k.SelectHook == "" {
		return found, taken, nil
	}
	// A hook of the model may change what is read, but not what is compared.
	err = fault.Recover(func() (err error) {
		found, err = k.ByKey(tx, account).Where("?TableAlias.? = ?", bun.Ident(k.Password.Name), k.Raw(asked, k.Password)).Exists(ctx)
		return err
	})
	if err != nil {
		return false, false, k.storeError(err)
	}
	return found, false, nil
}

func (k *Kind) sameName() string {
	return fmt.Sprintf("kind %s: two accounts have the same %q", k.Name, k.Identity.Name)
}

// notAsAsked says what is wrong with the row of a new account, nil if it has none.
func (k *Kind) notAsAsked(row, asked any) error {
	const change = "a trigger, a hook of the model or the column itself changes it, or an upsert of a hook writes to the row of another account"
	problem := &NotKept{Stored: k.written(row, k.Hash(asked)), is: fault.ErrSetup}
	switch {
	case row == nil:
		problem.text = fmt.Sprintf("kind %s: table %s has no row of a new account after its INSERT: a trigger or a rule takes it away, or gives it another key", k.Name, k.Table.Name)
	case k.Text(row, k.Identity) != k.Text(asked, k.Identity):
		problem.text = fmt.Sprintf("kind %s: the column %q does not hold the identity of a new account: %s; make it wide enough and of a character set for all of Unicode, such as utf8mb4, and leave the text as it is",
			k.Name, k.Identity.Name, change)
		if cut, whole := k.Text(row, k.Identity), k.Text(asked, k.Identity); len(cut) < len(whole) && strings.HasPrefix(whole, cut) || !dberr.IsASCII(whole) {
			problem.is = Fields{k.Identity.Name: "cannot be stored"} // another identity would do
		}
	case k.Hash(row) != k.Hash(asked):
		problem.text = k.hashNotKept(k.Hash(asked), change)
	default:
		problem.text = fmt.Sprintf("kind %s: a new account is not found by its identity and hash: Load leaves it out or reads another table, or a hook of the model changes what is read", k.Name)
	}
	return problem
}

// leastCut is the length from which the beginning of a hash tells whose it is.
const leastCut = 32

// written is row if it has the hash that was just made, whole or cut off, in any
// case, and else nil: an upsert of the application can lead to the row of another
// account, and another request can have written to it since.
func (k *Kind) written(row any, hash string) any {
	if row == nil {
		return nil
	}
	stored := k.Hash(row)
	if len(stored) < leastCut || len(stored) > len(hash) || !strings.EqualFold(stored, hash[:len(stored)]) {
		return nil
	}
	return row
}

func (k *Kind) hashNotKept(hash, why string) string {
	return fmt.Sprintf("kind %s: the column %q does not hold a hash of %d characters as it is written: %s; make it VARCHAR(255) or TEXT, and leave the text as it is", k.Name, k.Password.Name, len(hash), why)
}

// TakeBack deletes the row of an account that is not to stay: where a table has
// no transactions, rolling back left it there. row has the hash that was made for
// it; one that has another identity or hash by now is another's.
func (k *Kind) TakeBack(ctx context.Context, db bun.IDB, row any) error {
	_, err := db.NewDelete().Model(k.noAccount()).
		Where("? = ?", bun.Ident(k.PK.Name), k.Key(row)).
		Where("? = ?", bun.Ident(k.Identity.Name), k.Raw(row, k.Identity)).
		Where("COALESCE(?, '') = ?", bun.Ident(k.Password.Name), k.Raw(row, k.Password)).ForceDelete().Exec(ctx)
	return err
}

// ReplaceHash changes the hash if it is still old, a raw one; false if it is not, so that
// of two changes at once only one wins. tx is a transaction, to be rolled back
// after an error; see putBack for a *NotKept.
func (k *Kind) ReplaceHash(ctx context.Context, tx bun.IDB, account any, old, hash string) (bool, error) {
	changed, err := k.setHash(ctx, tx, account, old, hash)
	if err == nil && changed {
		err = k.Settle(ctx, tx)
	}
	if err != nil {
		return false, err
	}
	row, err := k.Stored(ctx, tx, account)
	switch {
	case err != nil || row == nil:
		return false, err
	case changed && k.Hash(row) == hash:
		return true, nil
	case changed, k.Hash(row) == unpadded(old) && !k.Deleted(row):
		return false, &NotKept{k.written(row, hash), k.hashNotKept(hash, "the column or a trigger changes it, or keeps the old one"), fault.ErrSetup}
	}
	return false, nil
}

// Deleted says that a row was deleted softly.
func (k *Kind) Deleted(row any) bool {
	field := k.Table.SoftDeleteField
	return field != nil && !field.HasZeroValue(reflect.ValueOf(row).Elem())
}

// setHash does not say what the table made of it.
func (k *Kind) setHash(ctx context.Context, db bun.IDB, account any, old, hash string) (changed bool, err error) {
	var n int64
	err = fault.Recover(func() error {
		result, err := db.NewUpdate().Model(k.noAccount()).
			Set("? = ?", bun.Ident(k.Password.Name), hash).
			Where("? = ? AND COALESCE(?, '') = ?", bun.Ident(k.PK.Name), k.Key(account), bun.Ident(k.Password.Name), old).Exec(ctx)
		if err == nil {
			n, err = result.RowsAffected()
		}
		return err
	})
	switch dberr.ConstraintOf(err) {
	case dberr.Other, dberr.Unique, dberr.RefusedValue:
		return false, &NotKept{text: k.hashNotKept(hash, "the table refuses it"), is: fault.ErrSetup}
	}
	return n == 1, k.WriteError(err)
}

// BlameHash tells a column that is too short for a hash from what else a table
// refuses of a new account. MariaDB and MySQL name the column; PostgreSQL does
// not, but checks a constant before it looks for a row.
func (k *Kind) BlameHash(ctx context.Context, db bun.IDB, asked any, refused error) error {
	if strings.HasSuffix(fault.Cause(refused).Error(), "Data too long for column '"+k.Password.Name+"' at row 1") {
		return &NotKept{text: k.hashNotKept(k.Hash(asked), "the table refuses it"), is: fault.ErrSetup}
	}
	var short *NotKept
	if _, err := k.setHash(ctx, db, asked, "no such hash", k.Hash(asked)); errors.As(err, &short) {
		return short
	}
	return refused
}

// PutBack restores the hash that a change has spoilt: where a table has no
// transactions, rolling back did not. It leaves a hash that is not from that change.
func (k *Kind) PutBack(ctx context.Context, db bun.IDB, account any, old string, change error) error {
	var spoilt *NotKept
	if !errors.As(change, &spoilt) || spoilt.Stored == nil {
		return change
	}
	if _, err := k.setHash(ctx, db, account, k.Raw(spoilt.Stored, k.Password), old); err != nil {
		return errors.Join(change, err)
	}
	return change
}
