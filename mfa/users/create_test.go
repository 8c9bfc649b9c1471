package users_test

import (
	"context"
	"testing"

	"sallyport/mfa"
	"sallyport/mfa/mfatest"
	"sallyport/mfa/users"
	"sallyport/storage"
)

func TestCreatingUsers(t *testing.T) {
	h := mfatest.New(t)
	h.CreateAda()
	for _, tc := range []struct {
		name  string
		draft users.Draft
		want  mfa.Code
	}{
		{"an address and nothing else", users.Draft{Email: "A.Name@Example.com"}, ""},
		{"everything", users.Draft{Username: "carol", Email: "carol@example.com", Phone: "+49 170 123-45-67", Password: "long enough for that", TOTPSecret: "jbsw y3dp ehpk 3pxp", RecoveryCodes: []string{"AAAA-BBBB-CCCC"}}, ""},
		{"a given id", users.Draft{ID: "00000000-0000-4000-8000-000000000001", Email: "id@example.com"}, ""},
		{"an id of another layout", users.Draft{ID: "42", Email: "id2@example.com"}, mfa.InvalidRequest},
		{"no name at all", users.Draft{Password: "long enough for that"}, mfa.InvalidIdentifier},
		{"an address another one has, spelled otherwise", users.Draft{Email: " ADA@EXAMPLE.COM "}, mfa.IdentifierTaken},
		{"an address as user name", users.Draft{Username: "x@example.com"}, mfa.InvalidIdentifier},
		{"a short password", users.Draft{Email: "p1@example.com", Password: "1234567"}, mfa.PasswordTooShort},
		{"a common password", users.Draft{Email: "p2@example.com", Password: "Password123"}, mfa.PasswordTooCommon},
		{"an unknown hash", users.Draft{Email: "p3@example.com", PasswordHash: "$1$abc$def"}, mfa.InvalidRequest},
		{"a secret that is not base32", users.Draft{Email: "p4@example.com", TOTPSecret: "01890189"}, mfa.InvalidRequest},
		{"a recovery code of no shape", users.Draft{Email: "p5@example.com", RecoveryCodes: []string{"abc"}}, mfa.InvalidRequest},
	} {
		t.Run(tc.name, func(t *testing.T) {
			u, err := h.Users.Create(context.Background(), h.Caller, tc.draft)
			mfatest.Want(t, "create", err, tc.want)
			if err == nil && (u.ID == "" || u.Status != storage.UserActive) {
				t.Errorf("created %+v", u)
			}
		})
	}
	a, err := h.Users.Named(context.Background(), "+491701234567")
	if err != nil || len(a.Authenticators) != 3 || len(a.Identifiers) != 3 {
		t.Errorf("found by phone: %+v (%v), want three names and three authenticators", a, err)
	}
}
