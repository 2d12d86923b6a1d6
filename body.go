package fiberjwt

import (
	"bytes"
	"io"
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/fiberjwt/fiberjwt/internal/accounts"
	"github.com/fiberjwt/fiberjwt/internal/password"
	"github.com/fiberjwt/fiberjwt/internal/strictjson"
)

// form is the JSON object of a request body. Its values are borrowed.
type form map[string]strictjson.Value

const maxFormBytes = 16 << 10

// readForm reads the body of a built-in route: plain JSON in UTF-8, one object.
func readForm(c *fiber.Ctx) (form, error) {
	request := c.Request()
	if request.Header.ContentLength() > maxFormBytes {
		return nil, ErrTooLarge
	}
	if encoded(c) || !plainJSON(borrow(request.Header.ContentType())) {
		return nil, ErrMediaType // inflating for an anonymous client costs too much
	}
	body, err := readBody(c)
	if err != nil {
		return nil, err
	}
	members := form{}
	err = strictjson.Object(body, func(name string, value strictjson.Value) error {
		members[strings.Clone(name)] = value
		return nil
	})
	if err != nil {
		return nil, withCause(ErrInvalidRequest, err)
	}
	return members, nil
}

// readOptionalForm also takes no body at all, and null, which some clients send
// for none.
func readOptionalForm(c *fiber.Ctx) (form, error) {
	if c.Request().Header.ContentLength() == 0 {
		return nil, nil
	}
	body, err := readBody(c)
	if err != nil || len(body) == 0 || string(bytes.Trim(body, " \t\r\n")) == "null" {
		return nil, err
	}
	return readForm(c)
}

// readBody reads no more than a form may have, also of a stream without end
// (Fiber's StreamRequestBody).
func readBody(c *fiber.Ctx) ([]byte, error) {
	request := c.Request()
	if request.IsBodyStream() {
		body, err := io.ReadAll(io.LimitReader(request.BodyStream(), maxFormBytes+1))
		if err != nil {
			return nil, withCause(ErrInvalidRequest, err)
		}
		if len(body) > maxFormBytes {
			return nil, ErrTooLarge
		}
		request.SetBodyRaw(body)
	}
	if body := request.Body(); len(body) <= maxFormBytes {
		return body, nil
	}
	return nil, ErrTooLarge
}

// encoded reports whether the body has a content coding. identity is none, though
// it is not meant for this header (RFC 9110 §8.4.1).
func encoded(c *fiber.Ctx) bool {
	for _, header := range c.Request().Header.PeekAll(fiber.HeaderContentEncoding) {
		for coding := range strings.SplitSeq(borrow(header), ",") {
			if coding = strings.TrimSpace(coding); coding != "" && !strings.EqualFold(coding, "identity") {
				return true
			}
		}
	}
	return false
}

// plainJSON reports whether the media type is application/json. RFC 8259 §11
// defines no parameters for it, so they mean nothing, except that a charset other
// than UTF-8 (§8.1) says that the body cannot be read.
func plainJSON(contentType string) bool {
	name, parameters, _ := strings.Cut(contentType, ";")
	if !strings.EqualFold(strings.TrimSpace(name), fiber.MIMEApplicationJSON) {
		return false
	}
	for parameter := range strings.SplitSeq(strings.ToLower(parameters), ";") {
		name, value, _ := strings.Cut(parameter, "=")
		if strings.TrimSpace(name) != "charset" {
			continue
		}
		switch strings.Trim(value, "\"' \t") {
		case "", "utf-8", "utf8", "us-ascii", "ascii":
		default:
			return false
		}
	}
	return true
}

// required is a string member that must be there.
func (f form) required(name string, wrong map[string]string) string {
	value, ok := f[name]
	if !ok {
		wrong[name] = "is missing"
		return ""
	}
	text, ok := value.Text()
	if !ok {
		wrong[name] = "must be a string"
	}
	return text
}

// optional is a string member that may be missing or null.
func (f form) optional(name string, wrong map[string]string) string {
	if value, ok := f[name]; !ok || string(value) == "null" {
		return ""
	}
	return f.required(name, wrong)
}

// password is a required member that is worth hashing.
func (f form) password(name string, wrong map[string]string) string {
	text := f.required(name, wrong)
	if password.TooLong(text) {
		wrong[name] = "is too long"
	}
	return text
}

// identity is the member that names the account, as it is typed.
func (f form) identity(k *kind, wrong map[string]string) string {
	name := k.Identity.Name
	text := f.required(name, wrong)
	if _, bad := wrong[name]; bad {
		return ""
	}
	if problem := accounts.IdentityProblem(text); problem != "" {
		wrong[name] = problem
	}
	return text
}

// newIdentity is the identity of an account that is to be made, as it is stored.
func (f form) newIdentity(k *kind, wrong map[string]string) (string, error) {
	text := f.required(k.Identity.Name, wrong)
	if _, bad := wrong[k.Identity.Name]; bad {
		return "", nil
	}
	return k.NewIdentity(text, wrong)
}

// transportOf is how the client wants its tokens. Cookies are set only for
// pages of our own, or a page elsewhere could sign the user in as another account.
func (a *Auth) transportOf(c *fiber.Ctx, body form) (Transport, error) {
	transport := a.transport[0]
	if value, ok := body["transport"]; ok {
		text, _ := value.Text()
		transport = Transport(text)
	}
	switch {
	case !slices.Contains(a.transport, transport):
		return "", wrongFields(map[string]string{"transport": "is not one that this server offers"})
	case transport == TransportCookie:
		return transport, a.checkUnsafeOrigin(c)
	}
	return transport, nil
}
