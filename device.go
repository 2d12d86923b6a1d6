package fiberjwt

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"time"

	"github.com/gofiber/fiber/v2"
)

// The device cookie marks a browser that has signed in to an account. It is no
// credential: all that it buys is a counter of failed sign-ins of its own, so that
// what strangers do to the account does not keep its owner out. It has the form
//
//	version 1 · key 1 · device 16 · a mark of 8 for each account · tag 16
//
// and outlives a logout. A mark is a MAC of the device and the account, so the
// cookie does not tell which account it is for.
const (
	labelDevice   = "fiberjwt/v1/device/" // + kind + "/" + Config.Issuer
	deviceVersion = 1
	deviceHead    = 1 + 1 + 16
	deviceMark    = 8
	deviceTag     = 16
	maxMarks      = 6 // accounts of a kind in one browser
	deviceLife    = 180 * 24 * time.Hour
)

// deviceOf is the identifier of the browser, if it has signed in to the account.
func (k *kind) deviceOf(c *fiber.Ctx, account string) string {
	id, marks, key := k.readDevice(c)
	if marks == "" {
		return ""
	}
	want := key.bind(id + account)[:deviceMark]
	for ; marks != ""; marks = marks[deviceMark:] {
		if subtle.ConstantTimeCompare([]byte(marks[:deviceMark]), want) == 1 {
			return id
		}
	}
	return ""
}

// readDevice opens the device cookie, if it was made here.
func (k *kind) readDevice(c *fiber.Ctx) (id, marks string, key refreshKey) {
	value, _ := cookieValue(c, k.cookies.device)
	if value == "" || len(value) > base64url.EncodedLen(deviceHead+maxMarks*deviceMark+deviceTag) {
		return "", "", refreshKey{}
	}
	b, err := base64url.DecodeString(value)
	if err != nil || len(b) < deviceHead+deviceMark+deviceTag || (len(b)-deviceHead-deviceTag)%deviceMark != 0 || b[0] != deviceVersion {
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
// than maxMarks accounts the one that signed in least recently is forgotten.
func (k *kind) markDevice(c *fiber.Ctx, account string) {
	key := k.devices[0]
	id, marks, of := k.readDevice(c)
	if id == "" || of.id != key.id { // marks under an old secret are not worth keeping
		random := make([]byte, 16)
		_, _ = rand.Read(random)
		id, marks = string(random), ""
	}
	own := string(key.bind(id + account)[:deviceMark])
	b := append([]byte{deviceVersion, key.id}, id...)
	b = append(b, own...)
	for n := 1; marks != "" && n < maxMarks; marks = marks[deviceMark:] {
		if other := marks[:deviceMark]; other != own {
			b = append(b, other...)
			n++
		}
	}
	b = append(b, key.tag(b)...)
	k.cookies.write(c, k.cookies.device, base64.RawURLEncoding.EncodeToString(b), k.cookies.routes, fiber.CookieSameSiteStrictMode, deviceLife)
}
