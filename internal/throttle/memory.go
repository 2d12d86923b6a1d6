package throttle

import (
	"container/list"
	"context"
	"sync"

	"github.com/fiberjwt/fiberjwt/session"
)

// memory implements session.Attempts in the memory of one process.
//
// It holds at most maxRecords keys, because otherwise an attacker could fill the memory,
// and drops the least recently used one. To make it drop the failures of an account, an
// attacker must cause as many attempts on other names, and each of them costs a password
// hash.
type memory struct {
	mu      sync.Mutex
	records map[string]*list.Element
	recent  *list.List // of *entry, the most recently used first
}

const maxRecords = 1 << 15 // about 8 MB

type entry struct {
	key    string
	record session.AttemptRecord
}

func newMemory() *memory { return &memory{records: map[string]*list.Element{}, recent: list.New()} }

// LoadAttempts implements session.Attempts.
func (m *memory) LoadAttempts(_ context.Context, keys [][]byte) ([]session.AttemptRecord, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	records := make([]session.AttemptRecord, len(keys))
	for i, key := range keys {
		if element, ok := m.records[string(key)]; ok {
			m.recent.MoveToFront(element)
			records[i] = element.Value.(*entry).record
		}
	}
	return records, nil
}

// SwapAttempts implements session.Attempts.
func (m *memory) SwapAttempts(_ context.Context, swaps []session.AttemptSwap) ([]bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	stored := make([]bool, len(swaps))
	for i, swap := range swaps {
		element, ok := m.records[string(swap.Key)]
		switch {
		case ok && element.Value.(*entry).record.Revision == swap.Old:
			element.Value.(*entry).record = swap.Record
			stored[i] = true
		case !ok && swap.Old == 0:
			m.add(string(swap.Key), swap.Record)
			stored[i] = true
		}
	}
	return stored, nil
}

func (m *memory) add(key string, record session.AttemptRecord) {
	if oldest := m.recent.Back(); len(m.records) >= maxRecords {
		m.recent.Remove(oldest)
		delete(m.records, oldest.Value.(*entry).key)
	}
	m.records[key] = m.recent.PushFront(&entry{key, record})
}
