package openapi_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt/internal/openapi"
)

type marshaler struct{}

func (marshaler) MarshalJSON() ([]byte, error) { return []byte(`1`), nil }

type textMarshaler struct{}

func (*textMarshaler) MarshalText() ([]byte, error) { return []byte(`x`), nil }

type base struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
}

type node struct {
	base
	Name     string    `json:"title"`
	Optional *string   `json:"optional,omitempty"`
	Quoted   int       `json:"quoted,string"`
	Hidden   string    `json:"-"`
	Parent   *node     `json:"parent"`
	At       time.Time `json:"at"`
	private  int
}

func TestSchemaFollowsEncodingJSON(t *testing.T) {
	for name, test := range map[string]struct {
		schema openapi.Object
		want   string
	}{
		"bool":           {openapi.SchemaFor[bool](), `{"type":"boolean"}`},
		"string":         {openapi.SchemaFor[string](), `{"type":"string"}`},
		"float":          {openapi.SchemaFor[float32](), `{"type":"number"}`},
		"int":            {openapi.SchemaFor[int](), `{"type":"integer","format":"int64"}`},
		"small int":      {openapi.SchemaFor[int8](), `{"type":"integer"}`},
		"unsigned":       {openapi.SchemaFor[uint](), `{"type":"integer","minimum":0}`},
		"time":           {openapi.SchemaFor[time.Time](), `{"type":"string","format":"date-time"}`},
		"pointer":        {openapi.SchemaFor[*string](), `{"type":["string","null"]}`},
		"bytes":          {openapi.SchemaFor[[]byte](), `{"type":["string","null"],"contentEncoding":"base64"}`},
		"slice":          {openapi.SchemaFor[[]string](), `{"type":["array","null"],"items":{"type":"string"}}`},
		"array":          {openapi.SchemaFor[[2]bool](), `{"type":"array","items":{"type":"boolean"},"minItems":2,"maxItems":2}`},
		"map":            {openapi.SchemaFor[map[string]int8](), `{"type":["object","null"],"additionalProperties":{"type":"integer"}}`},
		"own JSON":       {openapi.SchemaFor[marshaler](), `{}`},
		"own text":       {openapi.SchemaFor[textMarshaler](), `{"type":"string"}`},
		"interface":      {openapi.SchemaFor[any](), `{}`},
		"function":       {openapi.SchemaFor[func()](), `{}`},
		"embedded":       {openapi.SchemaFor[base](), `{"type":"object","properties":{"id":{"type":"integer","format":"int64"},"name":{"type":"string"}},"required":["id","name"]}`},
		"nested, itself": {openapi.SchemaFor[node](), `{"type":"object","required":["title","quoted","parent","at","id","name"],"properties":{"title":{"type":"string"},"optional":{"type":["string","null"]},"quoted":{"type":["string","null"]},"parent":{},"at":{"type":"string","format":"date-time"},"id":{"type":"integer","format":"int64"},"name":{"type":"string"}}}`},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := json.Marshal(test.schema)
			require.NoError(t, err)
			require.JSONEq(t, test.want, string(got))
		})
	}
	_ = node{}.private
}

func TestSchemesHaveNamesThatComponentsAllow(t *testing.T) {
	require.Equal(t, "bearer", openapi.AuthScheme("Bearer").Name)
	require.Equal(t, openapi.Object{"type": "http", "scheme": "bearer"}, openapi.AuthScheme("Bearer").Object)
	require.Equal(t, "j_w_t", openapi.AuthScheme("J W+T").Name)
	require.Equal(t, "cookie.__Host-users", openapi.ValueScheme("cookie", "__Host-users").Name)
	require.Equal(t, "bearer", openapi.OtherScheme().Object["scheme"])
}

func TestDocumentDescribesAnOperation(t *testing.T) {
	d := openapi.Document{
		Title: "api", Tags: []openapi.Tag{{Name: "users", Description: "Users."}},
		Schemas: openapi.Object{"Error": openapi.ObjectOf(openapi.Object{"error": openapi.Text(1, 9)})},
		Schemes: []openapi.Scheme{openapi.AuthScheme("Bearer")},
		Operations: []openapi.Operation{{
			ID: "users.end", Summary: "End", Tag: "users", Method: "DELETE", Path: "/users/{id}", Parameters: []string{"id"},
			Security: []openapi.Object{{"bearer": []string{}}}, Body: openapi.Text(0, 0), BodyRequired: true,
			Status: 200, Answer: openapi.Ref("Error"), Cookies: "Some.", Default: "Other.",
			Refusals: []openapi.Refusal{{401, "b", "B.", false}, {401, "a", "A.", false}, {503, "down", "Down.", true}},
		}},
	}
	operation := d.Object()["paths"].(openapi.Object)["/users/{id}"].(openapi.Object)["delete"].(openapi.Object)
	require.Equal(t, "users.end", operation["operationId"])
	require.Equal(t, []openapi.Object{{"bearer": []string{}}}, operation["security"])
	require.Equal(t, true, operation["requestBody"].(openapi.Object)["required"])
	require.Len(t, operation["parameters"], 1)

	responses := operation["responses"].(openapi.Object)
	require.ElementsMatch(t, []string{"200", "401", "503", "default"}, keysOf(responses))
	refused := responses["401"].(openapi.Object)
	require.Equal(t, "b: B. a: A.", refused["description"])
	require.Contains(t, refused["headers"], "Www-Authenticate")
	require.Contains(t, responses["503"].(openapi.Object)["headers"], "Retry-After")
	body, err := json.Marshal(refused["content"])
	require.NoError(t, err)
	require.Contains(t, string(body), `"enum":["a","b"]`, "codes are sorted")
	require.Contains(t, responses["200"].(openapi.Object)["headers"], "Set-Cookie")
}

func TestDocumentOmitsBodiesThatItCannotDescribe(t *testing.T) {
	d := openapi.Document{PlainErrors: true, Operations: []openapi.Operation{{Method: "GET", Path: "/", Status: 204, Refusals: []openapi.Refusal{{401, "a", "A.", false}}}}}
	operation := d.Object()["paths"].(openapi.Object)["/"].(openapi.Object)["get"].(openapi.Object)
	require.Equal(t, []openapi.Object{}, operation["security"], "the operation is open")
	require.NotContains(t, operation, "requestBody")
	require.NotContains(t, operation, "parameters")
	require.NotContains(t, operation["responses"].(openapi.Object)["401"], "content")
	require.NotContains(t, operation["responses"].(openapi.Object)["204"], "content")
}

func keysOf(o openapi.Object) (keys []string) {
	for key := range o {
		keys = append(keys, key)
	}
	return keys
}
