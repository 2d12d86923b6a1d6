package seal

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/binary"
	"time"
)

// The device cookie marks a browser that has signed in to an account. It is not a
// credential: it only gives the browser its own counter of failed sign-ins, so that
// guesses made elsewhere do not lock out the owner. It has the form (lengths in bytes)
//
//	version 1 · key 1 · device 16 · for each account: time 5, mark 8 · tag 16
//
// where time is when the browser last signed in to the account, in Unix seconds, and
// mark is a MAC of the device and the account, so the cookie does not reveal the
// account.
const (
	deviceVersion = 1
	deviceHead    = 1 + 1 + 16
	deviceEntry   = 5 + 8
	maxAccounts   = 6 // of one kind in one browser
)

// Device is a verified device cookie. The zero Device stands for a browser without one.
type Device struct {
	id      string
	entries string // for each account: time, mark
	key     Key    // verified the cookie
}

// OpenDevice reads the value of a device cookie. ok is false if the value is malformed,
// or if no key in keys verifies it.
func OpenDevice(keys Keys, value string) (d Device, ok bool) {
	b, ok := decode(value, deviceHead+maxAccounts*deviceEntry+tagBytes)
	if !ok || len(b) < deviceHead+deviceEntry+tagBytes || (len(b)-deviceHead-tagBytes)%deviceEntry != 0 || b[0] != deviceVersion {
		return Device{}, false
	}
	key, ok := keys.verify(b)
	if !ok {
		return Device{}, false
	}
	body := b[:len(b)-tagBytes]
	return Device{id: string(body[2:deviceHead]), entries: string(body[deviceHead:]), key: key}, true
}

// SignedIn returns the identifier of the browser, and when the browser last signed in to
// account. If it never signed in to account, id is "" and last is the zero time.
func (d Device) SignedIn(account string) (id string, last time.Time) {
	if d.id == "" {
		return "", time.Time{}
	}
	want := d.key.bind(d.id + account)[:8]
	for entries := d.entries; entries != ""; entries = entries[deviceEntry:] {
		if subtle.ConstantTimeCompare([]byte(entries[5:deviceEntry]), want) == 1 {
			seconds := binary.BigEndian.Uint64([]byte("\x00\x00\x00" + entries[:5]))
			return d.id, time.Unix(int64(seconds), 0)
		}
	}
	return "", time.Time{}
}

// Mark returns the value of the cookie after a sign-in to account at now, made with the
// first key. The cookie holds six accounts; the one that signed in least recently is
// dropped for a seventh. If another key made d, the result has a new identifier and only
// this account.
func (d Device) Mark(keys Keys, account string, now time.Time) string {
	key := keys[0]
	if d.id == "" || d.key.id != key.id { // marks made with an old secret cannot be converted
		random := make([]byte, 16)
		_, _ = rand.Read(random)
		d = Device{id: string(random)}
	}
	own := string(key.bind(d.id + account)[:8])
	b := append([]byte{deviceVersion, key.id}, d.id...)
	b = append(b, binary.BigEndian.AppendUint64(nil, uint64(now.Unix()))[3:]...)
	b = append(b, own...)
	for entries, n := d.entries, 1; entries != "" && n < maxAccounts; entries = entries[deviceEntry:] {
		if entries[5:deviceEntry] != own {
			b = append(b, entries[:deviceEntry]...)
			n++
		}
	}
	return encode(append(b, key.tag(b)...))
}
