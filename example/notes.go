package main

import (
	"encoding/json"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/gofiber/fiber/v2"
	"github.com/uptrace/bun"

	"github.com/fiberjwt/fiberjwt"
)

const (
	noteLength  = 2000 // maximum in characters, not bytes
	notesListed = 100  // maximum number of notes in a response
)

// notes has the handlers for the notes of the given kinds. The handlers get the sessions from fiberjwt and never read a token.
type notes struct {
	db    *bun.DB
	kinds []string
}

// list returns the notes of every account that is signed in, newest first.
func (n notes) list(c *fiber.Ctx) error {
	signedIn := sessions(c, n.kinds)
	if len(signedIn) == 0 {
		return fiberjwt.ErrNoToken // unreachable below the gate; without this check the query would have no WHERE
	}
	kinds, found := []string{}, []Note{}
	query := n.db.NewSelect().Model(&found).OrderExpr("id DESC").Limit(notesListed)
	for _, s := range signedIn {
		kinds = append(kinds, s.Kind)
		query.WhereOr("kind = ? AND subject = ?", s.Kind, s.Subject)
	}
	if err := query.Scan(c.UserContext()); err != nil {
		return err
	}
	return c.JSON(fiber.Map{"kinds": kinds, "notes": found})
}

// add stores a note for the account of the kind that the body names. Without a kind, the note belongs to the first account that
// is signed in.
func (n notes) add(c *fiber.Ctx) error {
	var in struct {
		Text string `json:"text"`
		Kind string `json:"kind"`
	}
	if err := readJSON(c, &in); err != nil {
		return err
	}
	text, err := noteText(in.Text)
	if err != nil {
		return err
	}
	owner, ok := n.owner(c, in.Kind)
	if !ok {
		return fiberjwt.ErrWrongKind
	}
	note := Note{Kind: owner.Kind, Subject: owner.Subject, Text: text, CreatedAt: time.Now().UTC().Truncate(time.Second)} // MySQL stores whole seconds
	if _, err := n.db.NewInsert().Model(&note).Exec(c.UserContext()); err != nil {
		return err
	}
	return c.Status(fiber.StatusCreated).JSON(note)
}

// owner returns the session of a kind, or the first session if kind is empty.
func (n notes) owner(c *fiber.Ctx, kind string) (*fiberjwt.Session, bool) {
	for _, s := range sessions(c, n.kinds) {
		if kind == "" || kind == s.Kind {
			return s, true
		}
	}
	return nil, false
}

// noteText returns text without white space around it, or an error that is answered 422.
func noteText(text string) (string, error) {
	text = strings.TrimSpace(text)
	invalid := func(reason string) error {
		return &fiberjwt.Error{
			Status: fiber.StatusUnprocessableEntity, Code: "invalid_fields", Description: "The note cannot be stored.",
			Fields: map[string]string{"text": reason},
		}
	}
	switch {
	case text == "":
		return "", invalid("is empty")
	case utf8.RuneCountInString(text) > noteLength:
		return "", invalid("is longer than 2000 characters")
	case strings.ContainsFunc(text, isUnprintable):
		return "", invalid("has control characters")
	}
	return text, nil
}

func isUnprintable(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\r' && r != '\t' }

// readJSON decodes the body into v. The decoder copies all values, so v does not use memory of the request. readJSON uses BodyRaw,
// because Body would decompress a body to any size, beyond BodyLimit.
func readJSON(c *fiber.Ctx, v any) error {
	if !c.Is("json") {
		return fiberjwt.ErrMediaType
	}
	if err := json.Unmarshal(c.BodyRaw(), v); err != nil {
		return fiberjwt.ErrInvalidRequest
	}
	return nil
}
