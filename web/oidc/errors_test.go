package oidc

import (
	"net/http"
	"testing"

	"sallyport/mfa"
)

func TestEveryCodeHasAnOAuthForm(t *testing.T) {
	for _, code := range mfa.Codes() {
		status, name := Refusal(code)
		if status == http.StatusInternalServerError || name == "server_error" {
			t.Errorf("Refusal(%s) = %d %s, want a form of its own", code, status, name)
		}
	}
	if status, name := Refusal("nonsense"); status != http.StatusInternalServerError || name != "server_error" {
		t.Errorf("Refusal(nonsense) = %d %s, want 500 server_error", status, name)
	}
}
