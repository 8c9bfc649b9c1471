package notice_test

import (
	"testing"

	"sallyport/mfa/notice"
	"sallyport/storage"
)

func TestMessagesAreInTheLanguageOfTheProfile(t *testing.T) {
	for _, tc := range []struct {
		profile any
		want    string
	}{{"de", "de"}, {"de-AT", "de"}, {"de_CH", "de"}, {"DE", "de"}, {"fr", "en"}, {"", "en"}, {"../mail", "en"}, {7, "en"}, {nil, "en"}} {
		a := storage.Account{User: storage.User{Profile: map[string]any{"locale": tc.profile}}}
		if got := notice.Locale(&a, "en"); got != tc.want {
			t.Errorf("profile %v: %q, want %q", tc.profile, got, tc.want)
		}
	}
	if got := notice.Locale(nil, "de"); got != "de" {
		t.Errorf("without an account: %q", got)
	}
}
