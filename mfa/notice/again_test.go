package notice_test

import (
	"testing"
	"time"

	"sallyport/mfa/notice"
	"sallyport/storage"
)

// A template that is not known to last must keep its end: it may hold a code.
func TestOnlyANoticeGetsMoreTimeWhenItIsSentAgain(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	end := now.Add(-time.Minute)
	for _, template := range append(notice.Templates(), "unknown") {
		want := now.Add(24 * time.Hour)
		if notice.HasCode(template) || template == "unknown" {
			want = end
		}
		if got := notice.Until(now, storage.Message{Template: template, ExpiresAt: end}); !got.Equal(want) {
			t.Errorf("%s sent again expires at %s, want %s", template, got, want)
		}
	}
}
