package mac_test

import (
	"encoding/hex"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt/internal/mac"
)

// The vector is test case 2 of RFC 4231.
func TestSumIsHMACSHA256InEachCall(t *testing.T) {
	key := mac.New([]byte("Jefe"))
	var all sync.WaitGroup
	sums := make([][32]byte, 64)
	for i := range sums {
		all.Go(func() {
			key.Sum([]byte("another text, of which nothing may remain"))
			sums[i] = key.Sum([]byte("what do ya want for nothing?"))
		})
	}
	all.Wait()
	for _, sum := range sums {
		require.Equal(t, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843", hex.EncodeToString(sum[:]))
	}
}
