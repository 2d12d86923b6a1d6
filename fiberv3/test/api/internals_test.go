// Code generated from ../../../test/api/internals_test.go by internal/twin; DO NOT EDIT.

package api_test

import (
	"reflect"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt/fiberv3"
	"github.com/fiberjwt/fiberjwt/internal/auth"
	"github.com/fiberjwt/fiberjwt/internal/seal"
	"github.com/fiberjwt/fiberjwt/session"
)

// The functions in this file reach inside an Auth, to cause states that no request
// can cause: a full cache, a busy hasher, a cache without its feed of revocations.

// serviceOf returns the layer of a without HTTP.
func serviceOf(a *fiberjwt.Auth) *auth.Service {
	field := reflect.ValueOf(a).Elem().FieldByName("service")
	return *(**auth.Service)(unsafe.Pointer(field.UnsafeAddr()))
}

// shrinkCache bounds the cache to n accounts.
func shrinkCache(a *fiberjwt.Auth, n int) { serviceOf(a).Sessions.ShrinkCache(n) }

// trustCache lets the cache answer for an hour without its feed of revocations.
func trustCache(a *fiberjwt.Auth) { serviceOf(a).Sessions.TrustCache() }

// setMachineClock replaces the clock of this machine for the cache. Call it before
// the first request.
func setMachineClock(a *fiberjwt.Auth, now func() time.Time) { serviceOf(a).Sessions.OnMachine(now) }

// useStoreClock lets the clock of the store decide about refreshes, as an Auth
// without Config.Now does. Config.Now then stands for the clock of this server.
func useStoreClock(a *fiberjwt.Auth) {
	service := serviceOf(a)
	service.MachineClock = true
	for _, k := range service.Kinds {
		k.Times.StoreClock = true
	}
}

// awaitPruning waits for the round of pruning that is running, if any.
func awaitPruning(a *fiberjwt.Auth) { serviceOf(a).Sessions.AwaitPruning() }

// pruneAtOnce lets the next row that is added start a round of pruning.
func pruneAtOnce(a *fiberjwt.Auth) { serviceOf(a).Sessions.PruneFrom(serviceOf(a).Now()) }

// nextPruning returns the earliest time of the next round of pruning.
func nextPruning(a *fiberjwt.Auth) time.Time { return serviceOf(a).Sessions.NextPruning() }

// closeGate makes the hasher refuse every password until open is called.
func closeGate(a *fiberjwt.Auth) (open func()) { return serviceOf(a).Hasher.CloseGate() }

// takeSlots occupies all slots of the hasher until free is called.
func takeSlots(a *fiberjwt.Auth) (free func()) { return serviceOf(a).Hasher.TakeSlots() }

// hashingSlots returns how many passwords the default Config hashes concurrently.
func hashingSlots(t *testing.T) int {
	t.Helper()
	a, err := fiberjwt.Open(fiberjwt.Config{Secret: []byte(testSecret)})
	require.NoError(t, err)
	return serviceOf(a).Hasher.Slots()
}

// markDevice returns the device cookie of a browser that has signed in to an
// account of the first kind.
func markDevice(a *fiberjwt.Auth, account string) string {
	return serviceOf(a).Kinds[0].Mark(seal.Device{}, account, serviceOf(a).Now())
}

// deviceOf returns the device that a cookie names, or "" if the cookie does not
// belong to the account.
func deviceOf(a *fiberjwt.Auth, value, account string) string {
	device, _ := serviceOf(a).Kinds[0].Device(value)
	id, _ := device.SignedIn(account)
	return id
}

// storedKeys counts the keys that an Auth without Entities has stored.
func storedKeys(a *fiberjwt.Auth) int { return serviceOf(a).Tokens.StoredKeys() }

// sessions lists the sessions of an account by the name of its kind.
func (w *world) sessions(kind, subject string) []fiberjwt.SessionInfo {
	w.t.Helper()
	list, err := serviceOf(w.auth).List(w.t.Context(), kind, subject)
	require.NoError(w.t, err)
	infos := make([]fiberjwt.SessionInfo, len(list))
	for i, s := range list {
		infos[i] = fiberjwt.SessionInfo{ID: session.ID(s.SID), Created: s.Created, LastRefresh: s.LastRefresh, Expires: s.Expires, Address: s.Address, UserAgent: s.Agent}
	}
	return infos
}
