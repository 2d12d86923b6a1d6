package session

import "context"

// Attempts is an optional ability of a [Store]: it keeps the records by which
// failed sign-ins are counted, for all processes that share the store. fiberjwt
// finds it by a type assertion on Config.Sessions. With a store that lacks it,
// each process counts for itself.
//
// The store does not know what a record means. It keeps bytes under a key, and
// replaces a record only if it is still the one that the caller has read. All
// rules of counting are in fiberjwt, so they are the same on every store.
//
// All methods are safe for concurrent use by several processes, and return when
// ctx is done. An error means that the store could not answer: of the records of
// a failed SwapAttempts each may have been stored or not. A call that is repeated
// has no further effect, so a store may retry as it likes.
type Attempts interface {
	// LoadAttempts returns the records of keys, in the order of keys. A key without
	// a record has the zero AttemptRecord. A store may return a record that has
	// expired. It should return the latest ones; if another process has replaced one
	// a moment ago, SwapAttempts finds that out.
	LoadAttempts(ctx context.Context, keys [][]byte) ([]AttemptRecord, error)

	// SwapAttempts stores each of swaps if the record of its key still has the
	// revision that the swap names, and reports for each whether it is stored. The
	// keys differ from each other. Each record is stored or not by itself; of
	// concurrent swaps of one revision at most one is stored. If the record of the
	// key was removed because it had expired, the store may store the swap or not.
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
