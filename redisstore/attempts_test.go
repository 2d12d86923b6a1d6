package redisstore_test

import (
	"context"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt/redisstore"
	"github.com/fiberjwt/fiberjwt/session"
)

func newAttempt(name byte) session.Attempt {
	account, address := make([]byte, 32), make([]byte, 32)
	account[0], address[0], address[1] = name, name, 1
	return session.Attempt{
		Account: session.Counter{Key: account, Limit: session.Limit{Free: 5, Fade: time.Hour}},
		Address: session.Counter{Key: address, Limit: session.Limit{Free: 50, Fade: time.Minute}},
	}
}

func TestCountersAreForgottenWhenTheFailuresHaveFaded(t *testing.T) {
	w := newWorld(t)
	now := time.Now().UnixMilli()
	for range 2 {
		_, err := w.Charge(t.Context(), newAttempt(1), now)
		require.NoError(t, err)
	}
	keys := w.keys()
	require.Len(t, keys, 2)
	longest := time.Duration(0)
	for _, key := range keys {
		left, err := w.client.PTTL(t.Context(), key).Result()
		require.NoError(t, err)
		longest = max(longest, left)
	}
	require.InDelta(t, 2*time.Hour, longest, float64(time.Minute))
	require.NoError(t, w.Refund(t.Context(), newAttempt(1)))
	for _, key := range w.keys() {
		left, err := w.client.PTTL(t.Context(), key).Result()
		require.NoError(t, err)
		require.Positive(t, left, "a counter without an end")
	}
	require.NoError(t, w.Succeed(t.Context(), newAttempt(1)))
	require.Len(t, w.keys(), 1, "the account is forgotten")
}

// lossy loses an answer that the server has given, and the connection with it.
type lossy struct {
	net.Conn
	lose *atomic.Bool
}

func (l lossy) Read(b []byte) (int, error) {
	n, err := l.Conn.Read(b)
	if n > 0 && l.lose.CompareAndSwap(true, false) {
		_ = l.Close() // the client reads on after an error
		return 0, io.EOF
	}
	return n, err
}

func TestAnAttemptWhoseAnswerIsLostIsNotChargedTwice(t *testing.T) {
	var lose atomic.Bool
	client := newServer(t).client(func(o *redis.Options) {
		o.Dialer = func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
			return lossy{conn, &lose}, err
		}
	})
	store, now := redisstore.New(client), time.Now().UnixMilli()
	require.NoError(t, client.Ping(t.Context()).Err())
	lose.Store(true)
	_, err := store.Charge(t.Context(), newAttempt(1), now)
	require.Error(t, err)
	for range 4 {
		wait, err := store.Charge(t.Context(), newAttempt(1), now)
		require.NoError(t, err)
		require.Zero(t, wait)
	}
	wait, err := store.Charge(t.Context(), newAttempt(1), now)
	require.NoError(t, err)
	require.Equal(t, time.Second, wait)
}
