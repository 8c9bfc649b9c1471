package users

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"sallyport/input"
	"sallyport/mfa"
)

// Limits of a user's roles: every access token carries them, in an HTTP header.
const (
	maxRoles = 32
	maxRole  = 64 // bytes
)

// checkRoles refuses roles that a resource server could misread.
func checkRoles(roles []string) error {
	if len(roles) > maxRoles {
		return &mfa.Error{Code: mfa.InvalidRequest, Err: fmt.Errorf("more than %d roles", maxRoles)}
	}
	for i, role := range roles {
		switch {
		case role == "" || len(role) > maxRole:
			return &mfa.Error{Code: mfa.InvalidRequest, Err: fmt.Errorf("a role has 1 to %d bytes", maxRole)}
		case !input.Shown(role) || strings.TrimSpace(role) != role:
			return &mfa.Error{Code: mfa.InvalidRequest, Err: errors.New("a role is printable text without spaces around it")}
		case slices.Contains(roles[:i], role):
			return &mfa.Error{Code: mfa.InvalidRequest, Err: errors.New("a role is there twice")}
		}
	}
	return nil
}
