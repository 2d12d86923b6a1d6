package password

import "github.com/fiberjwt/fiberjwt/internal/admission"

// Hooks for the tests of packages above.

// CloseGate makes Enter fail until open is called.
func (h *Hasher) CloseGate() (open func()) {
	gate := h.gate
	h.gate = admission.New(0, 0, func() int { return 0 })
	return func() { h.gate = gate }
}

// TakeSlots occupies all slots until free is called.
func (h *Hasher) TakeSlots() (free func()) {
	for range cap(h.slots) {
		h.slots <- struct{}{}
	}
	return func() {
		for range cap(h.slots) {
			<-h.slots
		}
	}
}

// Slots returns how many passwords are hashed at once.
func (h *Hasher) Slots() int { return cap(h.slots) }

// HashAsTyped returns a hash of the password without normalization.
func HashAsTyped(password string) string {
	p := New(Settings{}, Load{}).dummy
	p.tag = p.derive(password)
	return p.encode()
}
