package provider

import (
	"net/url"
	"reflect"
	"strings"
	"testing"

	"sallyport/provider/oauth"
)

func TestParametersAppearOnce(t *testing.T) {
	many := url.Values{}
	for i := range oauth.MaxParams + 1 {
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
	got, page := merge(Params{Query: url.Values{"state": {""}, "nonce": {"n"}, hintSubject: {"someone"}}})
	if want := (url.Values{"nonce": {"n"}}); page != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("merge = %v, %v, want %v", got, page, want)
	}
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
			if oauth.Sanitize(page.Parameter) != page.Parameter {
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
