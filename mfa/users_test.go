package mfa_test

import (
	"context"
	"testing"

	"sallyport/mfa"
	"sallyport/storage"
)

func TestCreatingUsers(t *testing.T) {
	h := newHouse(t)
	h.ada()
	for _, tc := range []struct {
		name  string
		draft mfa.Draft
		want  mfa.Code
	}{
		{"an address and nothing else", mfa.Draft{Email: "A.Name@Example.com"}, ""},
		{"everything", mfa.Draft{Username: "carol", Email: "carol@example.com", Phone: "+49 170 123-45-67", Password: "long enough for that", TOTPSecret: "jbsw y3dp ehpk 3pxp", RecoveryCodes: []string{"AAAA-BBBB-CCCC"}}, ""},
		{"a given id", mfa.Draft{ID: "00000000-0000-4000-8000-000000000001", Email: "id@example.com"}, ""},
		{"an id of another layout", mfa.Draft{ID: "42", Email: "id2@example.com"}, mfa.InvalidRequest},
		{"no name at all", mfa.Draft{Password: "long enough for that"}, mfa.InvalidIdentifier},
		{"an address another one has, spelled otherwise", mfa.Draft{Email: " ADA@EXAMPLE.COM "}, mfa.IdentifierTaken},
		{"an address as user name", mfa.Draft{Username: "x@example.com"}, mfa.InvalidIdentifier},
		{"a short password", mfa.Draft{Email: "p1@example.com", Password: "1234567"}, mfa.PasswordTooShort},
		{"a common password", mfa.Draft{Email: "p2@example.com", Password: "Password123"}, mfa.PasswordTooCommon},
		{"an unknown hash", mfa.Draft{Email: "p3@example.com", PasswordHash: "$1$abc$def"}, mfa.InvalidRequest},
		{"a secret that is not base32", mfa.Draft{Email: "p4@example.com", TOTPSecret: "01890189"}, mfa.InvalidRequest},
		{"a recovery code of no shape", mfa.Draft{Email: "p5@example.com", RecoveryCodes: []string{"abc"}}, mfa.InvalidRequest},
	} {
		t.Run(tc.name, func(t *testing.T) {
			u, err := h.users.Create(context.Background(), h.visit, tc.draft)
			want(t, "create", err, tc.want)
			if err == nil && (u.ID == "" || u.Status != storage.UserActive) {
				t.Errorf("created %+v", u)
			}
		})
	}
	a, err := h.store.AccountByIdentifier(context.Background(), "+491701234567")
	if err != nil || len(a.Authenticators) != 3 || len(a.Identifiers) != 3 {
		t.Errorf("found by phone: %+v (%v), want three names and three authenticators", a, err)
	}
}
