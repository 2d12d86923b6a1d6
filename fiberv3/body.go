// Code generated from ../body.go by internal/twin; DO NOT EDIT.

package fiberjwt

import (
	"bytes"
	"io"
	"slices"
	"strings"

	"github.com/gofiber/fiber/v3"

	"github.com/fiberjwt/fiberjwt/internal/accounts"
	"github.com/fiberjwt/fiberjwt/internal/password"
	"github.com/fiberjwt/fiberjwt/internal/strictjson"
)

// form is the JSON object of a request body. Its values are valid until the request ends,
// because they share its memory.
type form map[string]strictjson.Value

// maxFormBytes limits the bodies of the built-in routes.
const maxFormBytes = 16 << 10

// readForm reads the body of a built-in route, which must be one JSON object in UTF-8
// without a content coding. Its errors are ErrTooLarge, ErrMediaType and ErrInvalidRequest.
func readForm(c fiber.Ctx) (form, error) {
	request := c.Request()
	if request.Header.ContentLength() > maxFormBytes {
		return nil, ErrTooLarge
	}
	if encoded(c) || !plainJSON(borrow(request.Header.ContentType())) {
		return nil, ErrMediaType // decompression for an anonymous client would cost too much
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

// readOptionalForm reads a body like readForm, but accepts an empty body too. It treats the
// body null as empty, because some clients send it when they have no body.
func readOptionalForm(c fiber.Ctx) (form, error) {
	if c.Request().Header.ContentLength() == 0 {
		return nil, nil
	}
	body, err := readBody(c)
	if err != nil || len(body) == 0 || string(bytes.Trim(body, " \t\r\n")) == "null" {
		return nil, err
	}
	return readForm(c)
}

// readBody returns the body, or ErrTooLarge if it is longer than maxFormBytes. With Fiber's
// StreamRequestBody, the body is a stream that may be endless, so readBody stops after that
// many bytes.
func readBody(c fiber.Ctx) ([]byte, error) {
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

// encoded reports whether the body has a content coding. The value identity means that there
// is no coding, although RFC 9110 §8.4.1 does not allow it in this header.
func encoded(c fiber.Ctx) bool {
	for _, header := range c.Request().Header.PeekAll(fiber.HeaderContentEncoding) {
		for coding := range strings.SplitSeq(borrow(header), ",") {
			if coding = strings.TrimSpace(coding); coding != "" && !strings.EqualFold(coding, "identity") {
				return true
			}
		}
	}
	return false
}

// plainJSON reports whether contentType is application/json in UTF-8. RFC 8259 §11 defines
// no parameters for this media type, so they are ignored. The exception is a charset other
// than UTF-8 (§8.1), because such a body cannot be read.
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

// required returns a string member. If it is missing or not a string, required notes the
// reason in wrong.
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

// optional returns a string member, or "" if it is missing or null. If it has another type,
// optional notes the reason in wrong.
func (f form) optional(name string, wrong map[string]string) string {
	if value, ok := f[name]; !ok || string(value) == "null" {
		return ""
	}
	return f.required(name, wrong)
}

// password returns a required member that is compared with a hash. It notes in wrong if the
// password is too long for that.
func (f form) password(name string, wrong map[string]string) string {
	text := f.required(name, wrong)
	if password.TooLong(text) {
		wrong[name] = "is too long"
	}
	return text
}

// identity returns the member that names an account, as the user typed it, or "" if it is
// not valid; wrong then has the reason.
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

// newIdentity returns the identity of a new account in the form that is stored. If it is not
// valid, newIdentity notes the reason in wrong. The error is one of Entity.Canonical that does
// not concern the text, such as ErrUnavailable.
func (f form) newIdentity(k *kind, wrong map[string]string) (string, error) {
	text := f.required(k.Identity.Name, wrong)
	if _, bad := wrong[k.Identity.Name]; bad {
		return "", nil
	}
	return k.NewIdentity(text, wrong)
}

// transportOf returns how the client wants to receive its tokens. The default is the first
// of Config.Transports. Cookies are set only for pages of the application or of a trusted
// origin; otherwise another site could sign a user in to the attacker's account.
func (a *Auth) transportOf(c fiber.Ctx, body form) (Transport, error) {
	transport := a.transport[0]
	if value, ok := body["transport"]; ok {
		text, _ := value.Text()
		transport = Transport(text)
	}
	switch {
	case !slices.Contains(a.transport, transport):
		return "", wrongFields(map[string]string{"transport": "is not offered by this server"})
	case transport == TransportCookie:
		return transport, a.checkUnsafeOrigin(c)
	}
	return transport, nil
}
