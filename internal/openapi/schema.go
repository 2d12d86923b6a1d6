package openapi

import (
	"cmp"
	"encoding"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"time"
)

// SchemaFor returns the schema of T, see [SchemaOf].
func SchemaFor[T any]() Object { return SchemaOf(reflect.TypeFor[T]()) }

// SchemaOf returns the JSON Schema (2020-12) of the JSON that encoding/json writes for a
// value of type t. The schema allows any value for a type with a MarshalJSON method, whose
// output is unknown, and for a struct that contains itself. within are the structs that
// contain t.
func SchemaOf(t reflect.Type, within ...reflect.Type) Object {
	switch {
	case t == reflect.TypeFor[time.Time]():
		return Object{"type": "string", "format": "date-time"}
	case writesItself[json.Marshaler](t), slices.Contains(within, t):
		return Object{}
	case writesItself[encoding.TextMarshaler](t):
		return Object{"type": "string"}
	}
	if scalar, ok := scalarSchema(t.Kind()); ok {
		return scalar
	}
	switch t.Kind() {
	case reflect.Pointer:
		return orNull(SchemaOf(t.Elem(), within...))
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return orNull(Object{"type": "string", "contentEncoding": "base64"})
		}
		return orNull(Object{"type": "array", "items": SchemaOf(t.Elem(), within...)})
	case reflect.Array:
		return Object{"type": "array", "items": SchemaOf(t.Elem(), within...), "minItems": t.Len(), "maxItems": t.Len()}
	case reflect.Map:
		return orNull(Object{"type": "object", "additionalProperties": SchemaOf(t.Elem(), within...)})
	case reflect.Struct:
		properties, required := Object{}, []string{}
		memberSchemas(t, append(slices.Clip(within), t), properties, &required)
		return ObjectOf(properties, required...)
	}
	return Object{}
}

func scalarSchema(kind reflect.Kind) (Object, bool) {
	switch kind {
	case reflect.Bool:
		return Object{"type": "boolean"}, true
	case reflect.String:
		return Object{"type": "string"}, true
	case reflect.Float32, reflect.Float64:
		return Object{"type": "number"}, true
	case reflect.Int64, reflect.Int:
		return Object{"type": "integer", "format": "int64"}, true
	case reflect.Int8, reflect.Int16, reflect.Int32:
		return Object{"type": "integer"}, true
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return Object{"type": "integer", "minimum": 0}, true
	}
	return nil, false
}

// writesItself reports whether t or *t implements M. encoding/json also calls the methods of
// *t, because accounts are addressable.
func writesItself[M any](t reflect.Type) bool {
	marshaler := reflect.TypeFor[M]()
	return t.Implements(marshaler) || reflect.PointerTo(t).Implements(marshaler)
}

// orNull changes a schema to allow null. A schema without a type allows it already.
func orNull(schema Object) Object {
	if name, ok := schema["type"].(string); ok {
		schema["type"] = []string{name, "null"}
	}
	return schema
}

// memberSchemas adds the members of a struct to properties, and the names of those that are
// always present to required. The members of embedded structs come last, because a member
// of the outer struct hides their members with the same name.
func memberSchemas(t reflect.Type, within []reflect.Type, properties Object, required *[]string) {
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
		if inner.Kind() == reflect.Pointer { // a nil pointer omits its members
			inner, always = inner.Elem(), new([]string)
		}
		if !slices.Contains(within, inner) {
			memberSchemas(inner, append(slices.Clip(within), inner), properties, always)
		}
	}
}

// memberSchema returns the schema of a struct field. The option string of the json tag makes
// it a string.
func memberSchema(t reflect.Type, options string, within []reflect.Type) Object {
	if slices.Contains(strings.Split(options, ","), "string") {
		return Object{"type": []string{"string", "null"}}
	}
	return SchemaOf(t, within...)
}

// ObjectOf returns the schema of an object with these properties. It allows other properties.
func ObjectOf(properties Object, required ...string) Object {
	schema := Object{"type": "object", "properties": properties}
	if len(required) > 0 {
		schema["required"] = required
	}
	return schema
}

// Text returns the schema of a string whose length in code points is between least and most.
// If most is 0, the length has no upper limit.
func Text(least, most int) Object {
	schema := Object{"type": "string"}
	if least > 0 {
		schema["minLength"] = least
	}
	if most > 0 {
		schema["maxLength"] = most
	}
	return schema
}

// Ref returns a reference to a schema in [Document.Schemas].
func Ref(schema string) Object { return Object{"$ref": "#/components/schemas/" + schema} }
