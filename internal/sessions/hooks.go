package sessions

import "time"

// Hooks for the tests of packages above.

// ShrinkCache bounds the cache to n accounts.
func (s *Sessions) ShrinkCache(n int) { s.cache.room = n }

// TrustCache uses the cache for an hour without its feed.
func (s *Sessions) TrustCache() {
	s.cache.mu.Lock()
	defer s.cache.mu.Unlock()
	s.cache.fresh, s.cache.gap = time.Hour, time.Hour
}

// OnMachine gives the cache another clock than that of this machine, before the first
// request.
func (s *Sessions) OnMachine(now func() time.Time) { s.cache.machine = now }

// AwaitPruning waits for the round of pruning that runs, if one does.
func (s *Sessions) AwaitPruning() { s.pruner.rounds.Wait() }

// PruneFrom says when the next round may start.
func (s *Sessions) PruneFrom(at time.Time) { s.pruner.next = at }

// NextPruning is when the next round may start.
func (s *Sessions) NextPruning() time.Time { return s.pruner.next }
