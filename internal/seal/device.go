package seal

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/binary"
	"time"
)

// The device cookie marks a browser that has signed in to an account. It is not a
// credential: it only gives the browser its own counter of failed sign-ins, so that
// guesses made elsewhere do not lock out the owner. It has the form
//
//	version 1 · key 1 · device 16 · for each account: time 5, mark 8 · tag 16
//
// where time is when the browser last signed in to the account, in Unix seconds, and
// mark is a MAC of the device and the account, so the cookie does not tell which
// account it is for.
const (
	deviceVersion = 1
	deviceHead    = 1 + 1 + 16
	deviceEntry   = 5 + 8
	maxDevices    = 6 // accounts of a kind in one browser
)

// Device is an opened device cookie. The zero Device is that of a browser without one.
type Device struct {
	id      string
	entries string
	key     Key
}

// OpenDevice reads the value of a device cookie. It is not ok if none of keys made it.
func OpenDevice(keys Keys, value string) (d Device, ok bool) {
	b, ok := decode(value, deviceHead+maxDevices*deviceEntry+tagBytes)
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

// SignedIn returns the identifier of the browser and when it last signed in to
// account. The identifier is empty if it has not.
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

// Mark returns the value of the cookie after a sign-in to account. Of more than six
// accounts, the one that signed in least recently is forgotten.
func (d Device) Mark(keys Keys, account string, now time.Time) string {
	key := keys[0]
	if d.id == "" || d.key.id != key.id { // marks under an old secret are not worth keeping
		random := make([]byte, 16)
		_, _ = rand.Read(random)
		d = Device{id: string(random)}
	}
	own := string(key.bind(d.id + account)[:8])
	b := append([]byte{deviceVersion, key.id}, d.id...)
	b = append(b, binary.BigEndian.AppendUint64(nil, uint64(now.Unix()))[3:]...)
	b = append(b, own...)
	for entries, n := d.entries, 1; entries != "" && n < maxDevices; entries = entries[deviceEntry:] {
		if entries[5:deviceEntry] != own {
			b = append(b, entries[:deviceEntry]...)
			n++
		}
	}
	return encode(append(b, key.tag(b)...))
}
