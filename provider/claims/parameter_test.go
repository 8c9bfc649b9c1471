package claims

import (
	"reflect"
	"strings"
	"testing"
)

func TestClaimsParameter(t *testing.T) {
	for _, tc := range []struct {
		name, text string
		ok         bool
	}{
		{"nothing", "", true},
		{"an empty object", `{}`, true},
		{"plain and essential claims", `{"userinfo":{"name":{"essential":true},"email":null},"id_token":{"acr":{"values":["aal2"]}}}`, true},
		{"unknown members", `{"other":{"x":1},"userinfo":{"zz":{"purpose":"fun"}}}`, true},
		{"members that look like known ones", `{"USERINFO":["name"],"u\u017ferinfo":1,"Id_Token":"x"}`, true},
		{"a list", `[]`, false},
		{"a string", `"userinfo"`, false},
		{"null", `null`, false},
		{"claims followed by something", `{}]`, false},
		{"claims with an extra closing brace", `{}}`, false},
		{"claims followed by rubbish", `{"userinfo":{}}]junk`, false},
		{"claims twice", `{}{}`, false},
		{"claims as a list", `{"userinfo":["name"]}`, false},
		{"a claim as a string", `{"userinfo":{"name":"x"}}`, false},
		{"essential as a string", `{"userinfo":{"name":{"essential":"yes"}}}`, false},
		{"two values", `{} {}`, false},
		{"cut short", `{"userinfo":`, false},
		{"too deep", `{"a":` + strings.Repeat("[", 20) + strings.Repeat("]", 20) + `}`, false},
		{"too long", `{"a":"` + strings.Repeat("x", 4096) + `"}`, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if _, err := Parse(tc.text); (err == nil) != tc.ok {
				t.Errorf("Parse = %v, want ok %v", err, tc.ok)
			}
		})
	}
	c, err := Parse(`{"id_token":{"acr":{"essential":true,"value":"aal1","values":["aal2",3]},"sub":{"value":"u1"}}}`)
	if err != nil {
		t.Fatal(err)
	}
	names, essential := c.ACR()
	if !reflect.DeepEqual(names, []string{"aal1", "aal2"}) || !essential || c.Subject() != "u1" {
		t.Errorf("acr = %v %v, subject %q, want [aal1 aal2] true u1", names, essential, c.Subject())
	}
}

func FuzzClaimsParameter(f *testing.F) {
	f.Add(`{"userinfo":{"name":{"essential":true}},"id_token":{"acr":{"values":["aal2"]}}}`)
	f.Add(`[[[[`)
	f.Add(`{"id_token":{"sub":null}}`)
	f.Fuzz(func(t *testing.T, text string) {
		c, err := Parse(text)
		if err != nil {
			return
		}
		names, _ := c.ACR()
		for _, n := range names {
			if n == "" {
				t.Error("an empty acr value")
			}
		}
		_ = c.Subject()
	})
}
