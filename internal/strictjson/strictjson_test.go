package strictjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const claimsJSON = `{"iss":"fiberjwt","aud":"fiberjwt","sub":"42","kind":"users",` +
	`"sid":"01JAXK3E8Q4T9ZC5M7RW2VBN6D","jti":"q83vEjRWeJCrze8SNFZ4kA",` +
	`"iat":1790000000,"exp":1790000600,"auth_time":1790000000}`

// members returns an object of n members. All names have the same length, so that a
// comparison of lengths does not distinguish them.
func members(n, length int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `,"%0*d":0`, length, i)
	}
	return "{" + strings.TrimPrefix(b.String(), ",") + "}"
}

// nested returns an object that contains nested arrays, with depth levels in all.
func nested(depth int) string {
	return `{"a":` + strings.Repeat("[", depth-1) + strings.Repeat("]", depth-1) + `}`
}

var hostileJSON = []struct{ attack, text string }{
	{"nothing", ``},
	{"only white space", " \n"},
	{"closing brace alone", `}`},
	{"array instead of object", `[]`},
	{"string instead of object", `"a"`},
	{"null instead of object", `null`},
	{"number instead of object", `1`},
	{"byte order mark", "\ufeff{}"},
	{"UTF-16", "{\x00}\x00"},
	{"second object", `{}{}`},
	{"second object after a line end", "{\"exp\":1}\n{}"},
	{"trailing comma after the object", `{},`},
	{"trailing bracket", `{}]`},
	{"trailing NUL", "{}\x00"},
	{"leading NUL", "\x00{}"},
	{"trailing comment", `{}//`},
	{"comment inside", `{/**/}`},
	{"vertical tab as white space", "{\v}"},
	{"form feed as white space", "{\f}"},
	{"no-break space as white space", "{\u00a0}"},

	{"duplicate", `{"sub":"1","sub":"2"}`},
	{"duplicate with the same value", `{"sub":"1","sub":"1"}`},
	{"duplicate that is not adjacent", `{"sub":"1","a":{"b":[]},"sub":"2"}`},
	{"duplicate of the empty name", `{"":1,"":2}`},
	{"duplicate through an escape", `{"sub":"1","su\u0062":"2"}`},
	{"duplicate through escapes of both", `{"\u0073ub":"1","s\u0075b":"2"}`},
	{"duplicate through upper and lower hex digits", `{"\u004a":1,"\u004A":2}`},
	{"duplicate through a surrogate pair", `{"😀":1,"\ud83d\ude00":2}`},
	{"duplicate through an escaped solidus", `{"a/b":1,"a\/b":2}`},
	{"duplicate at depth 2", `{"a":{"b":1,"b":2}}`},
	{"duplicate at depth 3, in an array", `{"a":[{"b":1,"b":2}]}`},
	{"129 members", members(129, 3)},
	{"129 members at depth 2", `{"a":` + members(129, 3) + `}`},
	{"depth 17", nested(17)},
	{"depth 17 of objects", strings.Repeat(`{"a":`, 17) + `1` + strings.Repeat(`}`, 17)},
	{"a million brackets", `{"a":` + strings.Repeat("[", 1e6)},

	{"lone high surrogate", `{"a":"\ud800"}`},
	{"lone low surrogate", `{"a":"\udc00"}`},
	{"lone surrogate in a name", `{"\ud800":1}`},
	{"lone surrogate at depth 2", `{"a":["\udfff"]}`},
	{"surrogates in the wrong order", `{"a":"\udc00\ud800"}`},
	{"two high surrogates", `{"a":"\ud800\ud800"}`},
	{"high surrogate before a letter", `{"a":"\ud800x"}`},
	{"high surrogate before another escape", `{"a":"\ud800\n"}`},
	{"low surrogate without its backslash", `{"a":"\ud800udc00 "}`},
	{"surrogate as UTF-8", "{\"a\":\"\xed\xa0\x80\"}"},
	{"overlong UTF-8 of NUL", "{\"a\":\"\xc0\x80\"}"},
	{"overlong UTF-8 of a quote", "{\"a\":\"\xc0\xa2\"}"},
	{"overlong UTF-8 in a name", "{\"s\xc1\xb5b\":\"1\"}"},
	{"UTF-8 above U+10FFFF", "{\"a\":\"\xf4\x90\x80\x80\"}"},
	{"UTF-8 cut off by the quote", "{\"a\":\"\xc3\"}"},
	{"Latin-1", "{\"a\":\"caf\xe9\"}"},
	{"invalid UTF-8 between tokens", "{\x80}"},

	{"NUL in a string", "{\"a\":\"\x00\"}"},
	{"line end in a string", "{\"a\":\"\n\"}"},
	{"tab in a name", "{\"\t\":1}"},
	{"unknown escape", `{"a":"\x41"}`},
	{"escaped apostrophe", `{"a":"\'"}`},
	{"upper-case escape", `{"a":"\U0041"}`},
	{"short escape", `{"a":"\u004"}`},
	{"sign among hex digits", `{"a":"\u+041"}`},
	{"underscore among hex digits", `{"a":"\u0_41"}`},
	{"letter beyond hex digits", `{"a":"\u00g0"}`},
	{"backslash at the end", `{"a":"\`},
	{"escape at the end", `{"a":"\u00`},
	{"escaped closing quote", `{"a":"\"}`},
	{"apostrophes as quotes", `{'a':1}`},
	{"name without quotes", `{a:1}`},
	{"number as name", `{1:1}`},
	{"null as name", `{null:1}`},
	{"string that does not end", `{"a":"`},

	{"object that does not end", `{"a":1`},
	{"object closed by a bracket", `{"a":1]`},
	{"array closed by a brace", `{"a":[1}`},
	{"array that does not end", `{"a":[1`},
	{"comma after the last member", `{"a":1,}`},
	{"comma before the first member", `{,"a":1}`},
	{"two commas", `{"a":1,,"b":2}`},
	{"no comma", `{"a":1 "b":2}`},
	{"no colon", `{"a" 1}`},
	{"two colons", `{"a"::1}`},
	{"no value", `{"a":}`},
	{"name alone", `{"a"}`},
	{"comma after the last element", `{"a":[1,]}`},
	{"comma before the first element", `{"a":[,1]}`},
	{"no comma between elements", `{"a":[1 2]}`},

	{"leading zero", `{"a":01}`},
	{"negative leading zero", `{"a":-01}`},
	{"plus sign", `{"a":+1}`},
	{"minus alone", `{"a":-}`},
	{"two minuses", `{"a":--1}`},
	{"no digit before the point", `{"a":.5}`},
	{"no digit after the point", `{"a":1.}`},
	{"point before the exponent", `{"a":1.e5}`},
	{"no digit in the exponent", `{"a":1e}`},
	{"sign alone in the exponent", `{"a":1e+}`},
	{"two signs in the exponent", `{"a":1e+-1}`},
	{"point in the exponent", `{"a":1e1.5}`},
	{"NaN", `{"a":NaN}`},
	{"Infinity", `{"a":-Infinity}`},
	{"hexadecimal", `{"a":0x10}`},
	{"underscore in a number", `{"a":1_000}`},
	{"full-width digit", "{\"a\":\uff11}"},
	{"upper-case literal", `{"a":True}`},
	{"cut-off literal", `{"a":tru}`},
	{"literal that goes on", `{"a":nullx}`},
	{"undefined", `{"a":undefined}`},
}

func TestObjectRefusesHostileText(t *testing.T) {
	for _, tc := range hostileJSON {
		t.Run(tc.attack, func(t *testing.T) {
			require.ErrorIs(t, Object([]byte(tc.text), nil), ErrMalformed)
		})
	}
}

var goodJSON = []struct{ name, text string }{
	{"no member", `{}`},
	{"the claims of a token", claimsJSON},
	{"white space everywhere", " \t\r\n{ \"a\"\t:\n[ 1 , { } , [ ] ]\r, \"b\" : 2 } \n"},
	{"empty name", `{"":""}`},
	{"names that differ in case only", `{"exp":1,"Exp":2,"EXP":3}`},
	{"names that differ in Unicode folding only", "{\"sub\":1,\"\u017fub\":2,\"kid\":3,\"\u212aid\":4}"},
	{"names that differ in Unicode normalization only", "{\"\u00e9\":1,\"e\u0301\":2}"},
	{"same name in different objects", `{"a":{"a":{"a":1}},"b":[{"a":1},{"a":2}]}`},
	{"name that is also a value", `{"a":"b","b":"a"}`},
	{"128 members", members(128, 3)},
	{"twice 128 members", `{"a":` + members(128, 3) + `,"b":` + members(128, 3) + `}`},
	{"depth 16", nested(16)},
	{"depth 16 of objects", strings.Repeat(`{"a":`, 16) + `1` + strings.Repeat(`}`, 16)},
	{"each escape", `{"\"\\\/\b\f\n\r\t\u0041":"\"\\\/\b\f\n\r\t\u00e9"}`},
	{"escaped NUL", `{"a":"\u0000"}`},
	{"surrogate pair", `{"a":"\ud83d\ude00\uDBFF\uDFFF"}`},
	{"escaped noncharacter", `{"a":"\uffff"}`},
	{"replacement character, itself and escaped", "{\"a\":\"\ufffd\\ufffd\"}"},
	{"backslash before the closing quote", `{"a":"\\"}`},
	{"every length of UTF-8", `{"a":"aé€😀"}`},
	{"delete, line separator and byte order mark in a string", "{\"a\":\"\x7f\u2028\ufeff\"}"},
	{"numbers", `{"a":[0,-0,1,-1,10,0.5,-0.0,1.50,1e5,1E+5,1e-5,0e0,1.5e05,1e400,123456789012345678901234567890]}`},
	{"literals", `{"a":[true,false,null]}`},
	{"brackets and quotes inside strings", `{"a":"}],\"{[","b":1}`},
}

func TestObjectReadsWhatEncodingJSONReads(t *testing.T) {
	for _, tc := range goodJSON {
		t.Run(tc.name, func(t *testing.T) {
			requireSameAsEncodingJSON(t, []byte(tc.text))
		})
	}
}

func TestObjectRefusesTruncatedText(t *testing.T) {
	const text = `{"\u0061":["\ud83d\ude00\n",-1.5e+10,true,false,null,{"b":[]}]}`
	require.NoError(t, Object([]byte(text), nil))
	for end := range len(text) {
		whole := []byte(text)
		require.ErrorIs(t, Object(whole[:end], nil), ErrMalformed, "must not read past the end")
		require.ErrorIs(t, Object(whole[:end:end], nil), ErrMalformed)
	}
}

// requireSameAsEncodingJSON requires that Object and encoding/json read the same members,
// and that the methods of Value return the same values.
func requireSameAsEncodingJSON(t *testing.T, b []byte) {
	t.Helper()
	got := map[string]json.RawMessage{}
	require.NoError(t, Object(b, func(name string, raw Value) error {
		require.NotContains(t, got, name)
		got[name] = json.RawMessage(raw)
		requireSameValue(t, raw)
		return nil
	}))
	require.True(t, json.Valid(b))
	want := map[string]json.RawMessage{}
	require.NoError(t, json.Unmarshal(b, &want))
	require.Equal(t, want, got)
}

func requireSameValue(t *testing.T, raw Value) {
	t.Helper()
	var want any
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	require.NoError(t, decoder.Decode(&want))

	text, isText := raw.Text()
	wantText, wantIsText := want.(string)
	require.Equal(t, wantIsText, isText)
	require.Equal(t, wantText, text)

	if seconds, ok := raw.Seconds(); ok {
		require.IsType(t, json.Number(""), want)
		f, err := want.(json.Number).Float64()
		require.NoError(t, err)
		require.InDelta(t, math.Floor(f), seconds, 1) // a float may round a fraction of 0.99… up
	}

	var texts []string
	if raw.EachText(func(text string) { texts = append(texts, text) }) && !isText {
		var wantTexts []string
		require.NoError(t, json.Unmarshal(raw, &wantTexts))
		require.ElementsMatch(t, wantTexts, texts)
	}
}

func TestObjectReturnsVisitErrorAtOnce(t *testing.T) {
	stop := errors.New("stop")
	var seen []string
	err := Object([]byte(`{"a":1,"b":2,"c":malformed`), func(name string, _ Value) error {
		seen = append(seen, name)
		if name == "b" {
			return stop
		}
		return nil
	})
	require.Same(t, stop, err)
	require.Equal(t, []string{"a", "b"}, seen)
}

func TestObjectVisitsOnlyOutermostMembers(t *testing.T) {
	var seen []string
	err := Object([]byte(`{"a":{"b":1,"c":[{"d":2}]},"e":[ 3 ] }`), func(name string, raw Value) error {
		seen = append(seen, name+"="+string(raw))
		return nil
	})
	require.NoError(t, err)
	require.Equal(t, []string{`a={"b":1,"c":[{"d":2}]}`, `e=[ 3 ]`}, seen)
}

func TestTextSurvivesBufferReuse(t *testing.T) {
	body := []byte(`{"a":"secret"}`)
	var text string
	require.NoError(t, Object(body, func(_ string, raw Value) error {
		text, _ = raw.Text()
		return nil
	}))
	clear(body)
	require.Equal(t, "secret", text)
}

func TestSecondsTakesNumericDatesOnly(t *testing.T) {
	tests := []struct {
		reason, raw string
		want        int64
		ok          bool
	}{
		{"the epoch, which is a date and does not mean absence", `0`, 0, true},
		{"today", `1790000000`, 1790000000, true},
		{"after 2038", `2147483648`, 2147483648, true},
		{"last second of 9999", `253402300799`, 253402300799, true},
		{"fraction is cut off", `1790000000.999`, 1790000000, true},
		{"fraction of the last second", `253402300799.9`, 253402300799, true},
		{"fraction of the first second", `0.9`, 0, true},
		{"fraction of a thousand digits", `1.` + strings.Repeat("9", 1000), 1, true},
		{"first second of 10000", `253402300800`, 0, false},
		{"largest int64", `9223372036854775807`, 0, false},
		{"one more than the largest int64", `9223372036854775808`, 0, false},
		{"one more than the largest uint64", `18446744073709551616`, 0, false},
		{"uint64 wrapped around to today", `18446744075499551616`, 0, false},
		{"a thousand digits", strings.Repeat("9", 1000), 0, false},
		{"negative", `-1`, 0, false},
		{"negative fraction", `-0.5`, 0, false},
		{"negative zero", `-0`, 0, false},
		{"exponent", `1e9`, 0, false},
		{"exponent after a fraction", `1.79E9`, 0, false},
		{"negative exponent", `1790000000e-9`, 0, false},
		{"more than a float64 holds", `1e400`, 0, false},
		{"exponent that would take very long to compute", `1e999999999`, 0, false},
		{"quoted", `"1790000000"`, 0, false},
		{"quoted fraction", `"1790000000.5"`, 0, false},
		{"true", `true`, 0, false},
		{"null", `null`, 0, false},
		{"array", `[1790000000]`, 0, false},
		{"array with a fraction", `[1.5]`, 0, false},
		{"object", `{}`, 0, false},
	}
	for _, tc := range tests {
		t.Run(tc.reason, func(t *testing.T) {
			err := Object([]byte(`{"exp":`+tc.raw+`}`), func(_ string, raw Value) error {
				got, ok := raw.Seconds()
				require.Equal(t, tc.ok, ok)
				require.Equal(t, tc.want, got)
				return nil
			})
			require.NoError(t, err)
		})
	}
}

func TestEachTextTakesStringOrStringArray(t *testing.T) {
	tests := []struct {
		raw  string
		want []string
		ok   bool
	}{
		{`"a"`, []string{"a"}, true},
		{`""`, []string{""}, true},
		{`[]`, nil, true},
		{`["a"]`, []string{"a"}, true},
		{`[ "a" , "\u0062", "" ]`, []string{"a", "b", ""}, true},
		{`["a",["b"]]`, []string{"a"}, false},
		{`["a",1]`, []string{"a"}, false},
		{`[null]`, nil, false},
		{`[{"a":"b"}]`, nil, false},
		{`{"a":"b"}`, nil, false},
		{`null`, nil, false},
		{`5`, nil, false},
	}
	for _, tc := range tests {
		t.Run(tc.raw, func(t *testing.T) {
			var got []string
			ok := Value(tc.raw).EachText(func(text string) { got = append(got, text) })
			require.Equal(t, tc.ok, ok)
			require.Equal(t, tc.want, got)
		})
	}
}

func TestAbsentValueHasNoType(t *testing.T) {
	var absent Value
	_, isText := absent.Text()
	_, isSeconds := absent.Seconds()
	require.False(t, isText)
	require.False(t, isSeconds)
	require.False(t, absent.EachText(func(string) {}))
}

func TestObjectDoesNotAllocateForClaims(t *testing.T) {
	claims := []byte(claimsJSON)
	var issued, ours int64
	allocs := testing.AllocsPerRun(100, func() {
		_ = Object(claims, func(name string, raw Value) error {
			switch name {
			case "iat":
				issued, _ = raw.Seconds()
			case "aud":
				raw.EachText(func(text string) {
					if text == "fiberjwt" {
						ours++
					}
				})
			}
			return nil
		})
	})
	require.Zero(t, allocs)
	require.EqualValues(t, 1790000000, issued)
	require.Positive(t, ours)
}

func FuzzObjectRefusesWhatEncodingJSONRefuses(f *testing.F) {
	for _, tc := range goodJSON {
		f.Add([]byte(tc.text))
	}
	for _, tc := range hostileJSON {
		f.Add([]byte(tc.text))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		before := bytes.Clone(b)
		err := Object(b, nil)
		require.Equal(t, before, b)
		if err != nil {
			require.Same(t, ErrMalformed, err)
			return
		}
		requireSameAsEncodingJSON(t, b)
	})
}

// requireFlatAgrees requires that flat either gives up or returns the members that the
// scanner reads. It reports whether flat gave up.
func requireFlatAgrees(t *testing.T, b []byte) (gaveUp bool) {
	t.Helper()
	members := flat(b, make([]span, 0, 16))
	i := 0
	err := object(b, func(name string, raw Value) error {
		if members != nil {
			require.Less(t, i, len(members))
			require.Equal(t, name, members[i].name(b))
			require.Equal(t, string(raw), string(members[i].value(b)))
			i++
		}
		return nil
	})
	if members != nil {
		require.NoError(t, err)
		require.Len(t, members, i)
	}
	return members == nil
}

func TestFlatAgreesWithTheScanner(t *testing.T) {
	for _, tc := range goodJSON {
		requireFlatAgrees(t, []byte(tc.text))
	}
	for _, tc := range hostileJSON {
		require.True(t, requireFlatAgrees(t, []byte(tc.text)), tc.attack)
	}
	for end := range len(claimsJSON) {
		require.True(t, requireFlatAgrees(t, []byte(claimsJSON[:end])), "cut off")
		for b := range 256 {
			requireFlatAgrees(t, []byte(claimsJSON[:end]+string([]byte{byte(b)})+claimsJSON[end+1:]))
		}
	}
}

func TestFlatReadsUsualTokens(t *testing.T) {
	for _, text := range []string{
		claimsJSON, `{"a":1}`, `{"a":"","b":"{}[]:,","c":true,"d":false,"e":null,"f":12345678901234567890}`,
		`{"sub":"1","bus":"2","usb":"3"}`, strings.ReplaceAll(members(16, 3), ":0", ":1"),
	} {
		require.False(t, requireFlatAgrees(t, []byte(text)), text)
	}
	for _, text := range []string{strings.ReplaceAll(members(17, 3), ":0", ":1"), `{}`, `{"a":[]}`, `{"a":0}`, `{"a":1.5}`, `{ "a":1}`, `{"":1}`} {
		require.True(t, requireFlatAgrees(t, []byte(text)), text)
	}
}

func FuzzFlatAgreesWithTheScanner(f *testing.F) {
	f.Add([]byte(claimsJSON))
	for _, tc := range goodJSON {
		f.Add([]byte(tc.text))
	}
	for _, tc := range hostileJSON {
		f.Add([]byte(tc.text))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		requireFlatAgrees(t, b)
	})
}

func FuzzObjectReadsWhatEncodingJSONWrites(f *testing.F) {
	f.Add("sub", "42", int64(1790000000))
	f.Add("<é\u2028>", "\x00\"\\\ufeff😀\xff", int64(-1))
	f.Fuzz(func(t *testing.T, name, text string, number int64) {
		b, err := json.Marshal(map[string]any{name: []any{map[string]any{name: text}, text, number, 1.5, nil, true}})
		require.NoError(t, err)
		requireSameAsEncodingJSON(t, b)
	})
}

func BenchmarkObject(b *testing.B) {
	inputs := []struct{ name, text string }{
		{"claims", claimsJSON},
		{"short_names", `{"a":[` + strings.Repeat(members(128, 3)+",", 15) + `0]}`},
		{"long_names", members(128, 120)},
		{"escapes", `{"a":"` + strings.Repeat(`\ud83d\ude00`, 1300) + `"}`},
		{"brackets", `{"a":[` + strings.Repeat(strings.Repeat("[", 14)+strings.Repeat("]", 14)+",", 550) + `0]}`},
		{"empty_objects", `{"a":[` + strings.Repeat("{},", 5400) + `0]}`},
		{"refused_at_the_end", members(128, 120) + `{}`},
	}
	for _, input := range inputs {
		text := []byte(input.text)
		b.Run("lib=fiberjwt/input="+input.name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				_ = Object(text, func(string, Value) error { return nil })
			}
		})
		b.Run("lib=encoding_json/input="+input.name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				var seen map[string]json.RawMessage
				_ = json.Unmarshal(text, &seen)
			}
		})
	}
}
