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

// A short or padded column, a character set, a trigger, a rule or a hook of the model can
// change the identity and the hash when they are written. So each of these writes is read
// back before it counts as done.

// NotKept is the error if a table does not contain what was written to it.
type NotKept struct {
	Stored any // the row, with identity and hash, if this write made it; else nil

	text  string // the problem and its fix, without any text of a client
	class error  // fault.ErrSetup, ErrTaken or Fields, which decides on the response
}

func (e *NotKept) Error() string { return "fiberjwt: " + e.text }

func (e *NotKept) Unwrap() error { return e.class }

// Stored returns the row of an account, with key, identity and hash, or nil if there is
// none. It ignores Load, and returns soft-deleted rows too.
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

// Settle makes PostgreSQL check deferred constraints and run deferred triggers now. At the
// commit they would run only after the row was read back.
func (k *Kind) Settle(ctx context.Context, tx bun.IDB) error {
	if k.DB.Dialect().Name() != dialect.PG {
		return nil
	}
	_, err := tx.ExecContext(ctx, "SET CONSTRAINTS ALL IMMEDIATE")
	return k.WriteError(err)
}

// ReadBack finds a new account in the way a sign-in does, in the transaction that stored
// it. asked is the account as it should be stored. The error is a *NotKept if the row is
// different. It matches ErrTaken if another account has the same identity, which is
// possible without a unique index.
func (k *Kind) ReadBack(ctx context.Context, tx bun.IDB, account, asked any) error {
	found, taken, err := k.findNewAccount(ctx, tx, account, asked)
	if err != nil || found && !taken {
		return err
	}
	row, err := k.Stored(ctx, tx, account)
	if err != nil {
		return err
	}
	if taken {
		return &NotKept{k.ifWritten(row, k.Hash(asked)), k.duplicateText(), ErrTaken}
	}
	return k.explainMismatch(row, asked)
}

// findNewAccount looks for the accounts with the identity of a new account. found means
// that the new account is among them, with the hash in asked. taken means that another
// account is among them.
func (k *Kind) findNewAccount(ctx context.Context, tx bun.IDB, account, asked any) (found, taken bool, err error) {
	subject, err := k.Subject(account)
	if err != nil {
		return false, false, err
	}
	accounts, err := k.findNamed(ctx, tx, k.Text(asked, k.Identity))
	if err != nil {
		return false, false, err
	}
	for _, other := range accounts {
		key, err := k.Subject(other)
		own, written := err == nil && key == subject, k.Hash(other) == k.Hash(asked)
		found = found || own && written
		taken = taken || !own && !written && !k.Unsaved(other) // Load may not select the key
	}
	if !found || taken || k.SelectHook == "" {
		return found, taken, nil
	}
	// A hook of the model may change the hash that is read, but not the comparison.
	err = fault.Recover(func() (err error) {
		found, err = k.ByKey(tx, account).Where("?TableAlias.? = ?", bun.Ident(k.Password.Name), k.Raw(asked, k.Password)).Exists(ctx)
		return err
	})
	if err != nil {
		return false, false, k.storeError(err)
	}
	return found, false, nil
}

func (k *Kind) duplicateText() string {
	return fmt.Sprintf("kind %s: two accounts have the same %q", k.Name, k.Identity.Name)
}

// explainMismatch returns the error for a new account that is not found as it was asked for.
func (k *Kind) explainMismatch(row, asked any) error {
	const change = "a trigger, a hook of the model or the column itself changes it, or an upsert of a hook writes to the row of another account"
	problem := &NotKept{Stored: k.ifWritten(row, k.Hash(asked)), class: fault.ErrSetup}
	switch {
	case row == nil:
		problem.text = fmt.Sprintf("kind %s: table %s has no row of a new account after its INSERT: a trigger or a rule removes the row or changes its key", k.Name, k.Table.Name)
	case k.Text(row, k.Identity) != k.Text(asked, k.Identity):
		problem.text = fmt.Sprintf("kind %s: the column %q does not store the identity of a new account unchanged: %s; make the column wide enough, use a character set for all of Unicode, such as utf8mb4, and do not change the text",
			k.Name, k.Identity.Name, change)
		if cut, whole := k.Text(row, k.Identity), k.Text(asked, k.Identity); len(cut) < len(whole) && strings.HasPrefix(whole, cut) || !dberr.IsASCII(whole) {
			problem.class = Fields{k.Identity.Name: "cannot be stored"} // the client can choose another identity
		}
	case k.Hash(row) != k.Hash(asked):
		problem.text = k.hashNotStored(k.Hash(asked), change)
	default:
		problem.text = fmt.Sprintf("kind %s: a new account is not found by its identity and hash: Load excludes it or reads another table, or a hook of the model changes what is read", k.Name)
	}
	return problem
}

// minCutLength is the length from which the beginning of a hash identifies the hash.
const minCutLength = 32

// ifWritten returns row if it contains the hash that was just made, complete or truncated
// and in upper or lower case, and else nil: after an upsert of the application it can be
// the row of another account, and another request can have changed it since.
func (k *Kind) ifWritten(row any, hash string) any {
	if row == nil {
		return nil
	}
	stored := k.Hash(row)
	if len(stored) < minCutLength || len(stored) > len(hash) || !strings.EqualFold(stored, hash[:len(stored)]) {
		return nil
	}
	return row
}

func (k *Kind) hashNotStored(hash, why string) string {
	return fmt.Sprintf("kind %s: the column %q does not store a hash of %d characters unchanged: %s; make it VARCHAR(255) or TEXT, and do not change the text", k.Name, k.Password.Name, len(hash), why)
}

// TakeBack deletes the row of a failed registration, which is still there if the table has
// no transactions. row has the hash that was made for it. If the row in the table has
// another identity or hash by now, it belongs to another account and stays.
func (k *Kind) TakeBack(ctx context.Context, db bun.IDB, row any) error {
	_, err := db.NewDelete().Model(k.nilAccount()).
		Where("? = ?", bun.Ident(k.PK.Name), k.Key(row)).
		Where("? = ?", bun.Ident(k.Identity.Name), k.Raw(row, k.Identity)).
		Where("COALESCE(?, '') = ?", bun.Ident(k.Password.Name), k.Raw(row, k.Password)).ForceDelete().Exec(ctx)
	return err
}

// ReplaceHash replaces the hash old, with its trailing blanks, by hash. It returns false if
// the row has another hash, so that only one of two concurrent changes succeeds. tx is a
// transaction, which the caller must roll back after an error. If the error is a *NotKept,
// the caller must then call [Kind.PutBack].
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
	case changed, k.Hash(row) == trimPadding(old) && !k.Deleted(row):
		return false, &NotKept{k.ifWritten(row, hash), k.hashNotStored(hash, "the column or a trigger changes it, or keeps the old one"), fault.ErrSetup}
	}
	return false, nil
}

// Deleted reports whether a row is soft-deleted.
func (k *Kind) Deleted(row any) bool {
	field := k.Table.SoftDeleteField
	return field != nil && !field.HasZeroValue(reflect.ValueOf(row).Elem())
}

// setHash replaces the hash old by hash. It does not read the row back.
func (k *Kind) setHash(ctx context.Context, db bun.IDB, account any, old, hash string) (changed bool, err error) {
	var n int64
	err = fault.Recover(func() error {
		result, err := db.NewUpdate().Model(k.nilAccount()).
			Set("? = ?", bun.Ident(k.Password.Name), hash).
			Where("? = ? AND COALESCE(?, '') = ?", bun.Ident(k.PK.Name), k.Key(account), bun.Ident(k.Password.Name), old).Exec(ctx)
		if err == nil {
			n, err = result.RowsAffected()
		}
		return err
	})
	switch dberr.ConstraintOf(err) {
	case dberr.Other, dberr.Unique, dberr.RefusedValue:
		return false, &NotKept{text: k.hashNotStored(hash, "the table refuses it"), class: fault.ErrSetup}
	}
	return n == 1, k.WriteError(err)
}

// BlameHash finds out why a table refused a new account. It returns a *NotKept if the
// column of the hash is too short, and otherwise the error refused. MariaDB and MySQL name
// the column. PostgreSQL does not, so BlameHash sends an UPDATE that matches no row:
// PostgreSQL checks the width of the constant first.
func (k *Kind) BlameHash(ctx context.Context, db bun.IDB, asked any, refused error) error {
	if strings.HasSuffix(fault.Cause(refused).Error(), "Data too long for column '"+k.Password.Name+"' at row 1") {
		return &NotKept{text: k.hashNotStored(k.Hash(asked), "the table refuses it"), class: fault.ErrSetup}
	}
	var short *NotKept
	if _, err := k.setHash(ctx, db, asked, "no such hash", k.Hash(asked)); errors.As(err, &short) {
		return short
	}
	return refused
}

// PutBack restores the hash old after [Kind.ReplaceHash] has failed with the error change,
// because a rollback does not restore it in a table without transactions. A hash that is
// not from that change stays. PutBack returns change, joined with its own error if it has
// one.
func (k *Kind) PutBack(ctx context.Context, db bun.IDB, account any, old string, change error) error {
	var failed *NotKept
	if !errors.As(change, &failed) || failed.Stored == nil {
		return change
	}
	if _, err := k.setHash(ctx, db, account, k.Raw(failed.Stored, k.Password), old); err != nil {
		return errors.Join(change, err)
	}
	return change
}
