package fiberjwt

import (
	"cmp"
	"encoding"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"time"
)

// schemaFor describes how encoding/json writes a T.
func schemaFor[T any]() object { return schemaOf(reflect.TypeFor[T]()) }

// schemaOf is the JSON Schema, 2020-12, of how encoding/json writes a Go type.
// What a MarshalJSON writes it cannot know, nor does it follow a type into
// itself: both may be anything. within are the structs around t.
func schemaOf(t reflect.Type, within ...reflect.Type) object {
	switch {
	case t == reflect.TypeFor[time.Time]():
		return object{"type": "string", "format": "date-time"}
	case writesItself[json.Marshaler](t), slices.Contains(within, t):
		return object{}
	case writesItself[encoding.TextMarshaler](t):
		return object{"type": "string"}
	}
	if scalar, ok := scalarSchema(t.Kind()); ok {
		return scalar
	}
	switch t.Kind() {
	case reflect.Pointer:
		return orNull(schemaOf(t.Elem(), within...))
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return orNull(object{"type": "string", "contentEncoding": "base64"})
		}
		return orNull(object{"type": "array", "items": schemaOf(t.Elem(), within...)})
	case reflect.Array:
		return object{"type": "array", "items": schemaOf(t.Elem(), within...), "minItems": t.Len(), "maxItems": t.Len()}
	case reflect.Map:
		return orNull(object{"type": "object", "additionalProperties": schemaOf(t.Elem(), within...)})
	case reflect.Struct:
		properties, required := object{}, []string{}
		memberSchemas(t, append(slices.Clip(within), t), properties, &required)
		return objectOf(properties, required...)
	}
	return object{}
}

func scalarSchema(kind reflect.Kind) (object, bool) {
	switch kind {
	case reflect.Bool:
		return object{"type": "boolean"}, true
	case reflect.String:
		return object{"type": "string"}, true
	case reflect.Float32, reflect.Float64:
		return object{"type": "number"}, true
	case reflect.Int64, reflect.Int:
		return object{"type": "integer", "format": "int64"}, true
	case reflect.Int8, reflect.Int16, reflect.Int32:
		return object{"type": "integer"}, true
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return object{"type": "integer", "minimum": 0}, true
	}
	return nil, false
}

// writesItself: the type, or in an account its address, has the methods of M.
func writesItself[M any](t reflect.Type) bool {
	marshaler := reflect.TypeFor[M]()
	return t.Implements(marshaler) || reflect.PointerTo(t).Implements(marshaler)
}

// orNull adds null to the type. A schema without one is of anything already.
func orNull(schema object) object {
	if name, ok := schema["type"].(string); ok {
		schema["type"] = []string{name, "null"}
	}
	return schema
}

// memberSchemas adds the members of a struct; those of embedded structs come
// last, since an outer one of the same name hides them.
func memberSchemas(t reflect.Type, within []reflect.Type, properties object, required *[]string) {
	var embedded []reflect.Type
	for field := range t.Fields() {
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		inner := field.Type
		if inner.Kind() == reflect.Pointer {
			inner = inner.Elem()
		}
		switch {
		case field.Tag.Get("json") == "-":
			continue
		case field.Anonymous && name == "" && inner.Kind() == reflect.Struct:
			embedded = append(embedded, field.Type)
			continue
		case !field.IsExported():
			continue
		}
		name = cmp.Or(name, field.Name)
		if _, hidden := properties[name]; hidden {
			continue
		}
		properties[name] = memberSchema(field.Type, options, within)
		if !strings.Contains(options, "omit") {
			*required = append(*required, name)
		}
	}
	for _, inner := range embedded {
		always := required
		if inner.Kind() == reflect.Pointer { // nil leaves its members out
			inner, always = inner.Elem(), new([]string)
		}
		if !slices.Contains(within, inner) {
			memberSchemas(inner, append(slices.Clip(within), inner), properties, always)
		}
	}
}

func memberSchema(t reflect.Type, options string, within []reflect.Type) object {
	if slices.Contains(strings.Split(options, ","), "string") {
		return object{"type": []string{"string", "null"}}
	}
	return schemaOf(t, within...)
}
