package cookiename_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt/internal/cookiename"
)

func TestNamesOfCookies(t *testing.T) {
	for name, test := range map[string]struct {
		namespace            string
		insecure, everywhere bool
		access, refresh      string
		device               string
	}{
		"the default":               {"", false, false, "__Host-Http-users", "__Secure-users-refresh", "__Secure-users-device"},
		"refresh everywhere":        {"", false, true, "__Host-Http-users", "__Host-Http-users.refresh", "__Secure-users-device"},
		"insecure":                  {"", true, false, "users", "users-refresh", "users-device"},
		"insecure, everywhere":      {"", true, true, "users", "users.refresh", "users-device"},
		"a namespace":               {"shop", false, false, "__Host-Http-shop~users", "__Secure-shop~users-refresh", "__Secure-shop~users-device"},
		"a namespace, everywhere":   {"shop", false, true, "__Host-Http-shop~users", "__Host-Http-shop~users.refresh", "__Secure-shop~users-device"},
		"an insecure namespace":     {"shop", true, false, "shop~users", "shop~users-refresh", "shop~users-device"},
		"all settings of the names": {"shop", true, true, "shop~users", "shop~users.refresh", "shop~users-device"},
	} {
		t.Run(name, func(t *testing.T) {
			access, refresh := cookiename.Of(test.namespace, "users", test.insecure, test.everywhere)
			require.Equal(t, test.access, access)
			require.Equal(t, test.refresh, refresh)
			require.Equal(t, test.device, cookiename.Device(test.namespace, "users", test.insecure))
		})
	}
}

func TestNamespacesAndKindsNeverShareAName(t *testing.T) {
	seen := map[string]string{}
	for _, namespace := range []string{"", "a", "b", "a-b"} {
		for _, kind := range []string{"a", "b", "a-b", "a-refresh", "a-device"} {
			for _, insecure := range []bool{false, true} {
				access, _ := cookiename.Of(namespace, kind, insecure, false)
				owner := namespace + "|" + kind
				require.Empty(t, seen[access], "%s has the name of %s", owner, seen[access])
				seen[access] = owner
			}
		}
	}
}

// Two cookies with one name and two paths cannot be distinguished by a server.
func TestRefreshCookiesOfBothPathsHaveDifferentNames(t *testing.T) {
	for _, insecure := range []bool{false, true} {
		_, limited := cookiename.Of("", "users", insecure, false)
		_, everywhere := cookiename.Of("", "users", insecure, true)
		require.NotEqual(t, limited, everywhere)
	}
}
