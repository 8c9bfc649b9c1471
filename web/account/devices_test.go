package account

import (
	"context"
	"crypto/rand"
	"strings"
	"testing"
	"time"

	"sallyport/storage"
)

// remember stores a remembered device of a user.
func (h *fixture) remember(user storage.UserID, agent string) storage.RememberedID {
	h.T.Helper()
	d := storage.RememberedDevice{ID: storage.RememberedID(storage.Random128(rand.Reader)), UserID: user, Generation: 1, UserAgent: agent,
		Factor: storage.Factor{Method: "totp", At: h.Now()}, CreatedAt: h.Now(), LastUsedAt: h.Now(), ExpiresAt: h.Now().Add(30 * 24 * time.Hour)}
	h.OK(h.Store.Spend(context.Background(), storage.Spend{Now: h.Now(), Remember: &d}))
	return d.ID
}

func TestRememberedDevicesAreListedAndEnded(t *testing.T) {
	h := newFixture(t)
	ada, eve := h.User("ada", totpKey), h.User("eve", totpKey)
	h.remember(ada, "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0")
	h.remember(ada, "")
	other := h.remember(eve, "")
	left := func(user storage.UserID) int {
		t.Helper()
		list, err := h.Store.RememberedOf(context.Background(), user, h.Now())
		h.OK(err)
		return len(list)
	}
	b := h.browser()
	b.signIn("/account", "ada", ada, "")
	b.Get("/account")
	b.Must("/account", 200, `id="devices"`, "Firefox on Linux", "Unknown browser")
	action, form := b.Form(`action="/account/devices"`)
	form.Set("id", string(other))
	b.Post(action, form)
	if left(eve) != 1 || left(ada) != 2 {
		t.Fatal("a user ended a device of another one")
	}
	b.Get("/account")
	_, form = b.Form(`action="/account/devices"`)
	b.Post(action, form)
	if b.Must("/account", 200, "asked for there again"); left(ada) != 1 {
		t.Errorf("%d devices, want one left", left(ada))
	}
	h.Wait(16 * time.Minute)
	b.Submit("devices-end-all")
	if b.Must("/account/devices", 403, `id="account-confirm"`); left(ada) != 1 {
		t.Error("a device ended without a fresh proof")
	}
	fresh := h.browser()
	fresh.signIn("/account", "ada", ada, "")
	fresh.Get("/account")
	fresh.Submit("devices-end-all")
	fresh.Must("/account", 200, "everywhere again")
	if left(ada) != 0 || strings.Contains(fresh.Page.Body.String(), `id="devices"`) {
		t.Error("devices are left")
	}
}
