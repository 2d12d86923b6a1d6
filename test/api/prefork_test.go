package api_test

import (
	"runtime"
	"testing"

	"github.com/gofiber/fiber/v2"
	"github.com/stretchr/testify/require"
)

// GOMAXPROCS is read before Fiber sets it to 1 in its children.
func TestPreforkChildHashesOneAtATime(t *testing.T) {
	before := runtime.GOMAXPROCS(8)
	t.Cleanup(func() { runtime.GOMAXPROCS(before) })
	require.Equal(t, 7, hashingSlots(t))
	t.Setenv(preforkChild, "1")
	require.True(t, fiber.IsChild())
	require.Equal(t, 1, hashingSlots(t))
}
