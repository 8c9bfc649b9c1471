package cli

import "testing"

func TestWhatMayHaveBeenMeant(t *testing.T) {
	names := []string{"list", "show", "delete", "disable", "enable", "reset-factors", "set-password"}
	for _, tc := range []struct {
		typed string
		names []string
		want  string
	}{
		{"lsit", names, "list"},
		{"lst", names, "list"},
		{"lists", names, "list"},
		{"dele", names, "delete"},
		{"reset-factor", names, "reset-factors"},
		{"setpassword", names, "set-password"},
		{"reset", names, "reset-factors"},
		{"--dryrun", []string{"--dry-run", "--prune"}, "--dry-run"},
		{"--conf", []string{"--config", "--json"}, "--config"},
		{"--limt", []string{"--limit", "--after"}, "--limit"},
		{"frobnicate", names, ""},
		{"x", names, ""},
		{"", names, ""},
		{"--", []string{"--config"}, ""},
	} {
		want := ""
		if tc.want != "" {
			want = " (did you mean " + tc.want + "?)"
		}
		if got := didYouMean(tc.typed, tc.names); got != want {
			t.Errorf("%q: %q, want %q", tc.typed, got, want)
		}
	}
}
