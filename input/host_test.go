package input_test

import (
	"testing"

	"sallyport/input"
)

func TestLoopback(t *testing.T) {
	for host, want := range map[string]bool{
		"localhost": true, "LocalHost": true, "localhost.": true, "127.0.0.1": true, "127.8.9.1": true, "::1": true, "::ffff:127.0.0.1": true,
		"": false, ".": false, "localhost.example": false, "app.localhost": false, "127.0.0.1.example": false, "0.0.0.0": false, "::": false,
		"10.0.0.1": false, "127.1": false, "2130706433": false, "0177.0.0.1": false, "[::1]": false, "localhost..": false,
	} {
		if got := input.Loopback(host); got != want {
			t.Errorf("%q: %v, want %v", host, got, want)
		}
	}
}
