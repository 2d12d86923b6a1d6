package seen_test

import (
	"strconv"
	"strings"
	"sync"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt/internal/seen"
)

// twice offers a value as often as it takes to be remembered.
func twice(c *seen.Cache[int], text string, value int) {
	c.Offer(text, value)
	c.Offer(text, value)
}

func TestValueIsRememberedFromTheSecondTimeOn(t *testing.T) {
	c := seen.New[int]()
	c.Offer("a", 1)
	_, ok := c.Get("a")
	require.False(t, ok)
	c.Offer("a", 2)
	value, ok := c.Get("a")
	require.True(t, ok)
	require.Equal(t, 2, *value)
	_, ok = c.Get("b")
	require.False(t, ok)
}

// Fiber's strings are such views of buffers that are used again.
func TestTextIsCopied(t *testing.T) {
	c := seen.New[int]()
	buffer := []byte("first")
	twice(c, unsafe.String(&buffer[0], len(buffer)), 1)
	copy(buffer, "other")
	_, ok := c.Get("first")
	require.True(t, ok)
	_, ok = c.Get("other")
	require.False(t, ok)
}

func TestForgottenTextIsGone(t *testing.T) {
	c := seen.New[int]()
	twice(c, "a", 1)
	c.Forget("a")
	_, ok := c.Get("a")
	require.False(t, ok)
	c.Forget("never there")
}

func TestLongTextIsNotRemembered(t *testing.T) {
	c := seen.New[int]()
	for length, want := range map[int]bool{1024: true, 1025: false} {
		text := strings.Repeat("x", length)
		twice(c, text, 1)
		_, ok := c.Get(text)
		require.Equal(t, want, ok, length)
	}
}

func TestCacheIsBoundedAndRightWhenFull(t *testing.T) {
	c := seen.New[int]()
	const texts = 100_000
	for i := range texts {
		twice(c, strconv.Itoa(i), i)
	}
	kept := 0
	for i := range texts {
		if value, ok := c.Get(strconv.Itoa(i)); ok {
			require.Equal(t, i, *value)
			kept++
		}
	}
	require.LessOrEqual(t, kept, 1<<14)
	require.Greater(t, kept, 1<<13)
}

// Each text shares a place with some other one, which comes between its own two times.
func TestTextsInTurnAreRemembered(t *testing.T) {
	c := seen.New[int]()
	const texts = 8000
	for range 2 {
		for i := range texts {
			c.Offer(strconv.Itoa(i), i)
		}
	}
	kept := 0
	for i := range texts {
		if _, ok := c.Get(strconv.Itoa(i)); ok {
			kept++
		}
	}
	require.Greater(t, kept, texts*85/100, "the rest has no free slot")
}

func TestNilCacheRemembersNothing(t *testing.T) {
	var c *seen.Cache[int]
	twice(c, "a", 1)
	c.Forget("a")
	_, ok := c.Get("a")
	require.False(t, ok)
}

func TestConcurrentUseNeverMixesTexts(t *testing.T) {
	c := seen.New[string]()
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for i := range 20_000 {
				text := strconv.Itoa(i % 5000)
				if value, ok := c.Get(text); ok && *value != text {
					t.Errorf("%s has the value of %s", text, *value)
				}
				c.Offer(text, text)
				if i%7 == 0 {
					c.Forget(text)
				}
			}
		})
	}
	all.Wait()
}
