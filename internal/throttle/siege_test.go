package throttle_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt/internal/throttle"
)

// For 24 hours attackers guess the password of an account as often as they can, and its
// owner signs in once a minute with the right password. docs/evidence.md contains the
// table that this test writes.
func TestOwnerSignsInFromKnownPlaceDuringSiege(t *testing.T) {
	var table strings.Builder
	table.WriteString("| attacking addresses | wrong passwords compared | owner refused, known browser | known network | new place | new place with a link |\n|---|---|---|---|---|---|\n")
	for _, attackers := range []int{1, 100, 10_000} {
		d := newDoor(t)
		home := ada("198.51.100.1")
		require.Zero(t, d.enter(home))
		browser := throttle.Place{Account: home.Account, Device: "the owner's browser", Network: "203.0.113.2"}
		unknown := ada("203.0.113.1")
		link := ada("203.0.113.3")
		link.Link = "the owner's link"

		compared, refused := 0, map[string]int{}
		const pace = 5 * time.Second // between two guesses of all attackers, who take turns
		for second, i := 0, 0; second < 24*3600; second += int(pace / time.Second) {
			if d.fail(ada(from(i%attackers))) == 0 {
				compared++
			}
			i++
			if second%60 == 0 {
				for name, place := range map[string]throttle.Place{"browser": browser, "network": home} {
					if d.enter(place) > 0 {
						refused[name]++
					}
				}
				// These attempts are taken back, because a sign-in would make the places known.
				for name, place := range map[string]throttle.Place{"new": unknown, "link": link} {
					attempt, _ := d.try(place)
					if attempt == nil {
						refused[name]++
						continue
					}
					require.NoError(t, attempt.Forgive(t.Context()))
				}
			}
			d.sleep(pace)
		}
		fmt.Fprintf(&table, "| %d | %d | %d of 1,440 | %d of 1,440 | %d of 1,440 | %d of 1,440 |\n",
			attackers, compared, refused["browser"], refused["network"], refused["new"], refused["link"])
		require.Zero(t, refused["browser"])
		require.Zero(t, refused["network"])
		require.Zero(t, refused["link"])
		require.LessOrEqual(t, compared, 60)
		require.Less(t, refused["new"], 1440, "a new place can sign in too as long as the budget lasts")
	}
	t.Log("\n" + table.String())
	document, err := os.ReadFile("../../docs/evidence.md")
	require.NoError(t, err)
	require.True(t, strings.Contains(string(document), table.String()), "docs/evidence.md has a different table")
}
