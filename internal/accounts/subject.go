package accounts

import (
	"encoding"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/fiberjwt/fiberjwt/internal/seal"
)

// subjectCodec converts the primary key of a kind to the sub claim and back. It accepts only
// what format writes: "01", " 1" and "+1" are not 1, even if a database treats them as
// equal.
type subjectCodec struct {
	format func(reflect.Value) (string, error)
	parse  func(string, reflect.Value) error // into an addressable value
}

const maxSubjectBytes = seal.MaxSubjectBytes

var (
	textMarshaler   = reflect.TypeFor[encoding.TextMarshaler]()
	textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// newSubjectCodec returns the codec for text types such as UUIDs, for integers and for
// strings. It returns false for every other type.
func newSubjectCodec(t reflect.Type) (subjectCodec, bool) {
	switch {
	case t.Implements(textMarshaler) && reflect.PointerTo(t).Implements(textUnmarshaler):
		return subjectCodec{formatText, parseText}, true
	case t.Kind() >= reflect.Int && t.Kind() <= reflect.Int64:
		return subjectCodec{formatInt, parseInt}, true
	case t.Kind() >= reflect.Uint && t.Kind() <= reflect.Uint64:
		return subjectCodec{formatUint, parseUint}, true
	case t.Kind() == reflect.String:
		return subjectCodec{formatString, parseString}, true
	}
	return subjectCodec{}, false
}

// decode returns the key with this subject, or false if there is no such key.
func (s subjectCodec) decode(subject string, t reflect.Type) (reflect.Value, bool) {
	key := reflect.New(t).Elem()
	if len(subject) > maxSubjectBytes || s.parse(subject, key) != nil {
		return key, false
	}
	again, err := s.format(key)
	return key, err == nil && again == subject
}

// encode returns the subject of a key, or an error if the key cannot be a subject.
func (s subjectCodec) encode(key reflect.Value) (string, error) {
	subject, err := s.format(key)
	if err != nil {
		return "", err
	}
	if subject == "" || len(subject) > maxSubjectBytes || !utf8.ValidString(subject) || strings.IndexByte(subject, 0) >= 0 {
		return "", fmt.Errorf("the primary key is empty, longer than %d bytes or not plain text", maxSubjectBytes)
	}
	return subject, nil
}

func formatText(key reflect.Value) (string, error) {
	text, err := key.Interface().(encoding.TextMarshaler).MarshalText()
	return string(text), err
}

func parseText(subject string, key reflect.Value) error {
	return key.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(subject))
}

func formatInt(key reflect.Value) (string, error) { return strconv.FormatInt(key.Int(), 10), nil }

func parseInt(subject string, key reflect.Value) error {
	n, err := strconv.ParseInt(subject, 10, key.Type().Bits())
	key.SetInt(n)
	return err
}

func formatUint(key reflect.Value) (string, error) { return strconv.FormatUint(key.Uint(), 10), nil }

func parseUint(subject string, key reflect.Value) error {
	n, err := strconv.ParseUint(subject, 10, key.Type().Bits())
	key.SetUint(n)
	return err
}

func formatString(key reflect.Value) (string, error) { return key.String(), nil }

func parseString(subject string, key reflect.Value) error {
	key.SetString(subject)
	return nil
}
