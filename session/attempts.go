package session

import "context"

// Attempts is an optional ability of a [Store]: it keeps the records that count
// failed sign-ins, for all processes that share the store. fiberjwt finds it by a
// type assertion on Config.Store. With a store that lacks it, each process
// counts for itself.
//
// The store does not know what a record means. It keeps bytes under a key, and
// replaces a record only if it is still the one that the caller has read. All rules
// of counting are in fiberjwt, so they are the same on every store.
//
// All methods must be safe for concurrent use by several processes, and must return
// when ctx is done. An error means that the store could not answer: each record of
// a failed SwapAttempts may have been stored or not. A repeated call must have no
// further effect, so a store may retry.
type Attempts interface {
	// LoadAttempts returns the records of keys, in the order of keys. A key without a
	// record has the zero AttemptRecord. A store may return a record that has expired.
	// It should return the latest ones; if another process has just replaced one,
	// SwapAttempts detects it.
	LoadAttempts(ctx context.Context, keys [][]byte) ([]AttemptRecord, error)

	// SwapAttempts stores each of swaps if the record of its key still has the
	// revision that the swap names, and reports for each whether it is stored. All
	// keys are different. Each record is stored or not independently of the others; of
	// concurrent swaps of one revision at most one is stored. If the record of the key
	// was removed because it had expired, the store may store the swap or not.
	SwapAttempts(ctx context.Context, swaps []AttemptSwap) (stored []bool, err error)
}

// AttemptRecord is what a store keeps under one key.
type AttemptRecord struct {
	Revision int64  // random and positive, chosen by the caller; 0 means that there is no record
	Expires  int64  // Unix milliseconds; the store may remove the record from then on, and must keep it until then
	Value    []byte // at most MaxAttemptBytes
}

// AttemptSwap replaces the record of a key.
type AttemptSwap struct {
	Key    []byte // 32 bytes, a keyed hash: it does not show whose record it is
	Old    int64  // Revision of the record that is replaced; 0: there must be none
	Record AttemptRecord
}

// MaxAttemptBytes is the length of the longest Value.
const MaxAttemptBytes = 4000
