package mfa_test

import (
	"testing"

	"sallyport/mfa"
)

func TestBrowsersByName(t *testing.T) {
	for header, want := range map[string]mfa.Agent{
		"Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0":                                                   {"Firefox", "Linux"},
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36 Edg/126.0":    {"Edge", "Windows"},
		"Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 Version/17.5 Mobile/15E148 Safari/604.1":      {"Safari", "iPhone"},
		"Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Mobile Safari/537.36":                 {"Chrome", "Android"},
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 14_5) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Safari/605.1.15":       {"Safari", "macOS"},
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 14_5) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36 OPR/111.0": {"Opera", "macOS"},
		"curl/8.5.0": {},
		"":           {},
	} {
		if got := mfa.ReadAgent(header); got != want {
			t.Errorf("%q = %v, want %v", header, got, want)
		}
	}
}
