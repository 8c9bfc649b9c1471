package oauth

import "testing"

func TestResponsesKeepTheQueryOfTheRedirectURI(t *testing.T) {
	for _, tc := range []struct{ name, uri, want string }{
		{"no query", "https://rp.example/cb", "https://rp.example/cb?code=1"},
		{"a query", "https://rp.example/cb?dummy1=lorem&dummy2=ipsum", "https://rp.example/cb?dummy1=lorem&dummy2=ipsum&code=1"},
		{"an empty query", "https://rp.example/cb?", "https://rp.example/cb?code=1"},
		{"a private-use scheme", "com.example.app:/cb", "com.example.app:/cb?code=1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := AppendQuery(tc.uri, Encode([][2]string{{"code", "1"}})); got != tc.want {
				t.Errorf("appendQuery = %q, want %q", got, tc.want)
			}
		})
	}
}

func TestErrorDescriptionsHoldLegalCharactersOnly(t *testing.T) {
	for _, tc := range []struct{ text, want string }{
		{"plain text", "plain text"},
		{"a \"quoted\" word", "a 'quoted' word"},
		{"line\r\nbreak\tand \\", "linebreakand"},
		{"grüße", "gre"},
	} {
		if got := Sanitize(tc.text); got != tc.want {
			t.Errorf("legal(%q) = %q, want %q", tc.text, got, tc.want)
		}
	}
}
