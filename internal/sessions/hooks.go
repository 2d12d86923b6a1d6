package sessions

import "time"

// Hooks for the tests of packages above.

// ShrinkCache limits the cache to n accounts.
func (s *Sessions) ShrinkCache(n int) { s.cache.room = n }

// TrustCache makes the cache usable for an hour without an answer of its feed.
func (s *Sessions) TrustCache() {
	s.cache.mu.Lock()
	defer s.cache.mu.Unlock()
	s.cache.maxAge, s.cache.maxGap = time.Hour, time.Hour
}

// OnMachine sets the machine's clock of the cache. Call it before the first request.
func (s *Sessions) OnMachine(now func() time.Time) { s.cache.machine = now }

// AwaitPruning waits for the running round of pruning, if there is one.
func (s *Sessions) AwaitPruning() { s.pruner.rounds.Wait() }

// PruneFrom sets when the next round may start.
func (s *Sessions) PruneFrom(at time.Time) { s.pruner.next = at }

// NextPruning returns when the next round may start.
func (s *Sessions) NextPruning() time.Time { return s.pruner.next }
