package provider

import (
	"net/url"
	"reflect"
	"strings"
	"testing"

	"sallyport/provider/clients"
)

func TestParametersStandOnce(t *testing.T) {
	many := url.Values{}
	for i := range maxParams + 1 {
		many.Set("p"+strings.Repeat("x", i), "1")
	}
	for _, tc := range []struct {
		name      string
		in        Params
		parameter string // the one complained about; "-": no complaint
	}{
		{"one each", Params{Query: url.Values{"a": {"1"}}, Form: url.Values{"b": {"2"}}}, "-"},
		{"twice in the query", Params{Query: url.Values{"state": {"1", "2"}}}, "state"},
		{"twice with the same value", Params{Query: url.Values{"state": {"1", "1"}}}, "state"},
		{"twice in the body", Params{Form: url.Values{"scope": {"a", "b"}}}, "scope"},
		{"in query and body", Params{Query: url.Values{"nonce": {"1"}}, Form: url.Values{"nonce": {"1"}}}, "nonce"},
		{"an unknown one twice", Params{Query: url.Values{"extra": {"1", "2"}}}, "extra"},
		{"resource may repeat", Params{Query: url.Values{"resource": {"a", "b"}}}, "-"},
		{"NUL", Params{Query: url.Values{"state": {"a\x00"}}}, "state"},
		{"not UTF-8", Params{Query: url.Values{"state": {"\xff"}}}, "state"},
		{"too many", Params{Query: many}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, page := merge(tc.in)
			got := "-"
			if page != nil {
				got = page.Parameter
				if page.Code != "invalid_request" {
					t.Errorf("code = %q, want invalid_request", page.Code)
				}
			}
			if got != tc.parameter {
				t.Errorf("complaint about %q, want %q", got, tc.parameter)
			}
		})
	}
}

func TestEmptyParametersAreLeftOut(t *testing.T) {
	got, page := merge(Params{Query: url.Values{"state": {""}, "nonce": {"n"}, hintSubject: {"somebody"}}})
	if want := (url.Values{"nonce": {"n"}}); page != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("merge = %v, %v, want %v", got, page, want)
	}
}

func TestClaimsParameter(t *testing.T) {
	for _, tc := range []struct {
		name, text string
		ok         bool
	}{
		{"nothing", "", true},
		{"an empty object", `{}`, true},
		{"plain and essential claims", `{"userinfo":{"name":{"essential":true},"email":null},"id_token":{"acr":{"values":["aal2"]}}}`, true},
		{"unknown members", `{"other":{"x":1},"userinfo":{"zz":{"purpose":"fun"}}}`, true},
		{"a list", `[]`, false},
		{"a string", `"userinfo"`, false},
		{"null", `null`, false},
		{"claims with something behind them", `{}]`, false},
		{"claims with a closing brace too many", `{}}`, false},
		{"claims with rubbish behind them", `{"userinfo":{}}]junk`, false},
		{"claims twice", `{}{}`, false},
		{"claims as a list", `{"userinfo":["name"]}`, false},
		{"a claim as a string", `{"userinfo":{"name":"x"}}`, false},
		{"essential as a string", `{"userinfo":{"name":{"essential":"yes"}}}`, false},
		{"two values", `{} {}`, false},
		{"cut short", `{"userinfo":`, false},
		{"too deep", `{"a":` + strings.Repeat("[", 20) + strings.Repeat("]", 20) + `}`, false},
		{"too long", `{"a":"` + strings.Repeat("x", maxClaims) + `"}`, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if _, err := parseClaims(tc.text); (err == nil) != tc.ok {
				t.Errorf("parseClaims = %v, want ok %v", err, tc.ok)
			}
		})
	}
	c, err := parseClaims(`{"id_token":{"acr":{"essential":true,"value":"aal1","values":["aal2",3]},"sub":{"value":"u1"}}}`)
	if err != nil {
		t.Fatal(err)
	}
	names, essential := c.acr()
	if !reflect.DeepEqual(names, []string{"aal1", "aal2"}) || !essential || c.subject() != "u1" {
		t.Errorf("acr = %v %v, subject %q, want [aal1 aal2] true u1", names, essential, c.subject())
	}
}

func FuzzClaimsParameter(f *testing.F) {
	f.Add(`{"userinfo":{"name":{"essential":true}},"id_token":{"acr":{"values":["aal2"]}}}`)
	f.Add(`[[[[`)
	f.Add(`{"id_token":{"sub":null}}`)
	f.Fuzz(func(t *testing.T, text string) {
		c, err := parseClaims(text)
		if err != nil {
			return
		}
		names, _ := c.acr()
		for _, n := range names {
			if n == "" {
				t.Error("an empty acr value")
			}
		}
		_ = c.subject()
		_ = consentScopes(&request{client: clients.New(clientOf("fuzz")), claims: c})
	})
}

func FuzzParameters(f *testing.F) {
	f.Add("client_id=a&state=b", "client_id=c")
	f.Add("resource=a&resource=b&hint_sub=x", "")
	f.Fuzz(func(t *testing.T, query, form string) {
		q, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		b, err := url.ParseQuery(form)
		if err != nil {
			return
		}
		got, page := merge(Params{Query: q, Form: b})
		if page != nil {
			if legal(page.Parameter) != page.Parameter {
				t.Errorf("parameter %q holds illegal characters", page.Parameter)
			}
			return
		}
		for name, values := range got {
			if name == hintSubject || (name != "resource" && len(values) != 1) {
				t.Errorf("%q = %q passed", name, values)
			}
		}
	})
}

func FuzzRedirect(f *testing.F) {
	f.Add("http://127.0.0.1:80/cb")
	f.Add("http://127.0.0.1:80@evil/cb")
	f.Fuzz(func(t *testing.T, uri string) {
		c := clientOf("native")
		c.Native, c.RedirectURIs = true, []string{"http://127.0.0.1/cb"}
		if checkRedirect(uri, &c) != "" {
			return
		}
		u, err := url.Parse(uri)
		if err != nil || u.Scheme != "http" || u.Hostname() != "127.0.0.1" || u.Path != "/cb" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
			t.Errorf("%q was accepted", uri)
		}
	})
}
