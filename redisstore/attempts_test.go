package redisstore_test

import (
	"context"
	"io"
	"math"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt/redisstore"
	"github.com/fiberjwt/fiberjwt/session"
)

// swapOf returns a swap of a record with a lifetime.
func swapOf(name byte, life time.Duration) session.AttemptSwap {
	key := make([]byte, 32)
	key[0] = name
	return session.AttemptSwap{Key: key, Record: session.AttemptRecord{
		Revision: math.MaxInt64 - int64(name), Expires: time.Now().Add(life).UnixMilli(), Value: []byte{name, '|', 0, 0xff},
	}}
}

func TestAttemptRecordsExpireByThemselves(t *testing.T) {
	w := newWorld(t)
	stored, err := w.SwapAttempts(t.Context(), []session.AttemptSwap{swapOf(1, 5*time.Hour), swapOf(2, -time.Hour)})
	require.NoError(t, err)
	require.Equal(t, []bool{true, true}, stored)
	keys := w.keys()
	require.Len(t, keys, 2)
	longest, shortest := time.Duration(0), 100*time.Hour
	for _, key := range keys {
		left, err := w.client.PTTL(t.Context(), key).Result()
		require.NoError(t, err)
		longest, shortest = max(longest, left), min(shortest, left)
	}
	require.InDelta(t, 5*time.Hour, longest, float64(time.Minute))
	require.InDelta(t, time.Hour, shortest, float64(time.Minute), "a record must live an hour, because the clock of the caller may be behind")
}

// lossy drops an answer of the server and closes the connection.
type lossy struct {
	net.Conn
	lose *atomic.Bool
}

func (l lossy) Read(b []byte) (int, error) {
	n, err := l.Conn.Read(b)
	if n > 0 && l.lose.CompareAndSwap(true, false) {
		_ = l.Close() // otherwise the client continues to read after an error
		return 0, io.EOF
	}
	return n, err
}

func TestSwapWithLostReplyIsStoredOnce(t *testing.T) {
	var lose atomic.Bool
	client := newServer(t).client(func(o *redis.Options) {
		o.Dialer = func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
			return lossy{conn, &lose}, err
		}
	})
	store, swap := redisstore.New(client), swapOf(1, time.Hour)
	require.NoError(t, client.Ping(t.Context()).Err())
	lose.Store(true)
	_, err := store.SwapAttempts(t.Context(), []session.AttemptSwap{swap}) // the client may repeat the command
	require.NoError(t, err)
	records, err := store.LoadAttempts(t.Context(), [][]byte{swap.Key})
	require.NoError(t, err)
	require.Equal(t, swap.Record, records[0])
}
