package fiberjwt

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"time"

	"github.com/gofiber/fiber/v2"
)

// The device cookie marks a browser that has signed in to an account. It is no
// credential: all that it buys is a counter of failed sign-ins of its own, so that
// what strangers do to the account does not keep its owner out. It has the form
//
//	version 1 · key 1 · device 16 · for each account: when it signed in last 5, its mark 8 · tag 16
//
// and outlives a logout. The time is in Unix seconds. A mark is a MAC of the device
// and the account, so the cookie does not tell which account it is for.
const (
	labelDevice   = "fiberjwt/v1/device/" // + kind + "/" + Config.Issuer
	deviceVersion = 1
	deviceHead    = 1 + 1 + 16
	deviceEntry   = 5 + 8
	deviceTag     = 16
	maxDevices    = 6 // accounts of a kind in one browser
	deviceLife    = 180 * 24 * time.Hour
)

// deviceOf is the identifier of the browser and when it signed in to the account
// last, "" if it has not.
func (k *kind) deviceOf(c *fiber.Ctx, account string) (id string, since time.Time) {
	id, entries, key := k.readDevice(c)
	if entries == "" {
		return "", time.Time{}
	}
	want := key.bind(id + account)[:8]
	for ; entries != ""; entries = entries[deviceEntry:] {
		if subtle.ConstantTimeCompare([]byte(entries[5:deviceEntry]), want) == 1 {
			return id, at(int64(binary.BigEndian.Uint64([]byte("\x00\x00\x00" + entries[:5]))))
		}
	}
	return "", time.Time{}
}

// readDevice opens the device cookie, if it was made here.
func (k *kind) readDevice(c *fiber.Ctx) (id, entries string, key refreshKey) {
	// A sibling host can plant a cookie of the same name beside ours.
	for _, value := range cookieValues(c, k.cookies.device) {
		if id, entries, key = k.openDevice(borrow(value)); id != "" {
			break
		}
	}
	return id, entries, key
}

func (k *kind) openDevice(value string) (id, entries string, key refreshKey) {
	if len(value) > base64url.EncodedLen(deviceHead+maxDevices*deviceEntry+deviceTag) {
		return "", "", refreshKey{}
	}
	b, err := base64url.DecodeString(value)
	if err != nil || len(b) < deviceHead+deviceEntry+deviceTag || (len(b)-deviceHead-deviceTag)%deviceEntry != 0 || b[0] != deviceVersion {
		return "", "", refreshKey{}
	}
	body, tag := b[:len(b)-deviceTag], b[len(b)-deviceTag:]
	for _, key := range k.devices {
		if key.id == b[1] && subtle.ConstantTimeCompare(key.tag(body), tag) == 1 {
			return string(body[2:deviceHead]), string(body[deviceHead:]), key
		}
	}
	return "", "", refreshKey{}
}

// markDevice notes in the browser that it has signed in to the account. Of more
// than maxDevices accounts the one that signed in least recently is forgotten.
func (k *kind) markDevice(c *fiber.Ctx, account string, now time.Time) {
	key := k.devices[0]
	id, entries, of := k.readDevice(c)
	if id == "" || of.id != key.id { // marks under an old secret are not worth keeping
		random := make([]byte, 16)
		_, _ = rand.Read(random)
		id, entries = string(random), ""
	}
	own := string(key.bind(id + account)[:8])
	b := append([]byte{deviceVersion, key.id}, id...)
	b = append(b, binary.BigEndian.AppendUint64(nil, uint64(now.Unix()))[3:]...)
	b = append(b, own...)
	for n := 1; entries != "" && n < maxDevices; entries = entries[deviceEntry:] {
		if entries[5:deviceEntry] != own {
			b = append(b, entries[:deviceEntry]...)
			n++
		}
	}
	b = append(b, key.tag(b)...)
	k.cookies.write(c, k.cookies.device, base64.RawURLEncoding.EncodeToString(b), k.cookies.routes, fiber.CookieSameSiteStrictMode, deviceLife)
}
