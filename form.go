package fiberjwt

import (
	"io"
	"strings"
	"unicode/utf8"

	"github.com/gofiber/fiber/v2"

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
	if len(request.Header.Peek(fiber.HeaderContentEncoding)) > 0 || !plainJSON(borrow(request.Header.ContentType())) {
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
		return nil, because(ErrInvalidRequest, err)
	}
	return members, nil
}

// readOptionalForm also takes no body at all.
func readOptionalForm(c *fiber.Ctx) (form, error) {
	if c.Request().Header.ContentLength() == 0 {
		return nil, nil
	}
	if body, err := readBody(c); err != nil || len(body) == 0 {
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
			return nil, because(ErrInvalidRequest, err)
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

// plainJSON: application/json, in UTF-8 if it says so (RFC 8259 §8.1, §11).
func plainJSON(contentType string) bool {
	name, parameters, _ := strings.Cut(contentType, ";")
	if !strings.EqualFold(strings.TrimSpace(name), fiber.MIMEApplicationJSON) {
		return false
	}
	parameters = strings.ToLower(strings.ReplaceAll(strings.TrimSpace(parameters), `"`, ""))
	return parameters == "" || parameters == "charset=utf-8"
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
	if tooLong(text) {
		wrong[name] = "is too long"
	}
	return text
}

const maxIdentityBytes = 320 // an e-mail address at its longest

// identity is the member that names the account, as it is typed.
func (f form) identity(k *kind, wrong map[string]string) string {
	name := k.identity.Name
	text := f.required(name, wrong)
	if _, bad := wrong[name]; bad {
		return ""
	}
	switch {
	case text == "":
		wrong[name] = "is empty"
	case strings.TrimSpace(text) != text:
		wrong[name] = "begins or ends with white space"
	case len(text) > maxIdentityBytes:
		wrong[name] = "is too long"
	case strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f || r == utf8.RuneError }):
		wrong[name] = "has characters that are not allowed"
	}
	return text
}

// canonical is how identities are stored and counted: ASCII letters in lower
// case, so that Ann@example.com and ann@example.com are one account. Full case folding would make one of names
// that a database keeps apart, such as those with K and the Kelvin sign.
func canonical(identity string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + ('a' - 'A')
		}
		return r
	}, identity)
}

// localPart of an e-mail address, which makes a poor password.
func localPart(identity string) string {
	local, _, ok := strings.Cut(identity, "@")
	if !ok {
		return ""
	}
	return local
}

// hasNUL: no database column takes one, and Bun refuses it late. The escape
// counts only where its backslash is not escaped itself.
func hasNUL(value strictjson.Value) bool {
	text := strings.ReplaceAll(string(value), `\\`, "")
	return strings.Contains(text, `\u0000`)
}
