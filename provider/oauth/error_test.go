package oauth

import (
	"errors"
	"strings"
	"testing"

	"github.com/ory/fosite"
)

var errReset = errors.New("connection reset by peer")

func TestErrorsBecomeRegisteredCodes(t *testing.T) {
	for _, tc := range []struct {
		name   string
		err    error
		code   string
		status int
	}{
		{"invalid_state", fosite.ErrInvalidState, "invalid_request", 400},
		{"insufficient_entropy", fosite.ErrInsufficientEntropy, "invalid_request", 400},
		{"unsupported_response_mode", fosite.ErrUnsupportedResponseMode, "invalid_request", 400},
		{"token_inactive", fosite.ErrInactiveToken, "invalid_grant", 400},
		{"not_found", fosite.ErrNotFound, "invalid_grant", 400},
		{"jti_known", fosite.ErrJTIKnown, "invalid_grant", 400},
		{"scope_not_granted", fosite.ErrScopeNotGranted, "invalid_grant", 400},
		{"misconfiguration", fosite.ErrMisconfiguration, "server_error", 500},
		{"error", fosite.ErrSerializationFailure, "server_error", 500},
		{"request_unauthorized", fosite.ErrRequestUnauthorized, "server_error", 500},
		{"invalid_client", fosite.ErrInvalidClient, "invalid_client", 401},
		{"storage inside fosite", fosite.ErrServerError.WithWrap(&StorageError{errReset}), "temporarily_unavailable", 503},
		{"an Error", NewError("invalid_target", "x"), "invalid_target", 400},
		{"anything else", errReset, "server_error", 500},
	} {
		t.Run(tc.name, func(t *testing.T) {
			e := ErrorOf(tc.err)
			if e.Code != tc.code || e.Status != tc.status || !registered(e.Code) {
				t.Errorf("ErrorOf = %s %d, want %s %d", e.Code, e.Status, tc.code, tc.status)
			}
			if strings.Contains(e.Description, "reset") {
				t.Error("the description contains the cause")
			}
		})
	}
}
