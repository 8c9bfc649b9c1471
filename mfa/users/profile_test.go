package users_test

import (
	"strings"
	"testing"

	"sallyport/mfa"
	"sallyport/mfa/mfatest"
	"sallyport/mfa/users"
)

func TestProfilesAreTextThatMayBeShown(t *testing.T) {
	h := mfatest.New(t)
	account, err := h.Users.Account(t.Context(), h.CreateAda().ID)
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name, field string
		profile     map[string]any
	}{
		{"names of many scripts", "", map[string]any{"name": "Ada Łovelace 王", "nickname": "می\u200cخواهم", "given_name": ""}},
		{"an address of several lines", "", map[string]any{"address": map[string]any{"formatted": "1 Road\r\nTown\nLand"}}},
		{"numbers", "", map[string]any{"updated_at": int64(7), "x": true}},
		{"an override", "profile.name", map[string]any{"name": "\u202eadA"}},
		{"a line break", "profile.nickname", map[string]any{"nickname": "Ada\nAdmin"}},
		{"an escape", "profile.website", map[string]any{"website": "https://x.example/\x1b[31m"}},
		{"in an address", "profile.address", map[string]any{"address": map[string]any{"formatted": "1 Road\n\u2066Town"}}},
		{"in a name of an address", "profile.address", map[string]any{"address": map[string]any{"a\u202e": "b"}}},
		{"in a list", "profile.x", map[string]any{"x": []any{"a", "b\x00"}}},
		{"in a text that is not UTF-8", "profile.name", map[string]any{"name": "J\xfcrgen"}},
	} {
		d := users.Draft{Username: strings.ReplaceAll(tc.name, " ", "."), Profile: tc.profile}
		want := mfa.Code("")
		if tc.field != "" {
			want = mfa.InvalidRequest
		}
		faults := h.Users.Faults(d)
		if len(faults) > 1 || (len(faults) == 1) != (tc.field != "") || len(faults) == 1 && faults[0].Field != tc.field {
			t.Errorf("%s: faults %v, want in %q", tc.name, faults, tc.field)
		}
		_, err := h.Users.Create(t.Context(), h.Caller, d)
		mfatest.Want(t, "create with "+tc.name, err, want)
		d.Username = ""
		_, err = h.Users.Amendment(t.Context(), account, d, users.AmendOptions{})
		mfatest.Want(t, "change to "+tc.name, err, want)
	}
}
