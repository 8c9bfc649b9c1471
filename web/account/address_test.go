package account

import (
	"context"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/notice"
	"sallyport/mfa/users"
	"sallyport/storage"
)

const newMail = "ada@new.example"

// mailOf returns the first e-mail address of an account.
func mailOf(a storage.Account) storage.Identifier {
	for _, i := range a.Identifiers {
		if i.Kind == storage.Email {
			return i
		}
	}
	return storage.Identifier{}
}

// names returns the names of a user; true: proven.
func (h *fixture) names(id storage.UserID) string {
	out := map[string]bool{}
	for _, i := range h.account(id).Identifiers {
		out[i.Text()] = !i.VerifiedAt.IsZero()
	}
	return fmt.Sprint(out)
}

// undoLink returns the path of the link in the newest message to an address.
func (h *fixture) undoLink(address string) string {
	h.T.Helper()
	list, err := h.Store.ListMessages(context.Background(), storage.MessageFilter{Now: h.Now(), Limit: 100})
	h.OK(err)
	for _, r := range list {
		m, err := h.Store.Message(context.Background(), r.ID)
		h.OK(err)
		if r.Recipient == address && m.Data["undo"] != "" {
			return undoPath + "?token=" + m.Data["undo"]
		}
	}
	h.T.Fatalf("no message to %s has a link", address)
	return ""
}

func TestAddressesAreProvenChangedAndRemovedOnTheirPages(t *testing.T) {
	h := mailFixture(t)
	id := h.unverifiedUser()
	b := h.browser()
	b.signIn("/account", "ada", id, "")
	b.Must("/account", 200, mail, "not confirmed", "User name", `aria-label="Confirm `+mail+`"`)
	b.Get("/account/address?id=" + string(mailOf(h.account(id)).ID))
	b.Must("/account/address", 200, "Confirm your e‑mail address", `value="`+mail+`"`)
	b.Submit("address-begin")
	b.Must("/account/address", 200, "We are sending a code to "+mail, `data-delivery="/account/delivery"`, "Nine digits", `data-complete="9"`)
	code, _ := h.SentCode(mail)
	b.Submit("address-submit", "passcode", other(code))
	b.Must("/account/address", 422, "only the newest code works")
	b.Submit("address-submit", "passcode", code)
	b.Must("/account", 200, "The address is confirmed", "An address was confirmed")

	b.Get("/account/address?id=" + string(mailOf(h.account(id)).ID))
	b.Must("/account/address", 200, "Change your e‑mail address", mail+" stays in use until")
	b.Submit("address-begin", "address", "not an address")
	b.Must("/account/address", 422, "This is not an e-mail address", `value="not an address"`)
	b.Submit("address-begin", "address", mail)
	b.Must("/account/address", 409, "already confirmed in your account")
	b.Submit("address-begin", "address", "typo@new.example")
	b.Submit("enroll-correct")
	b.Must("/account/address", 200, `value="typo@new.example"`, mail+" stays in use until")
	b.Submit("address-begin", "address", newMail)
	_, form := b.Form(`id="address-submit"`)
	b.Submit("send-again")
	b.Must("/account/address", 429, "A new code cannot be sent yet", form.Get("exchange"))
	code, _ = h.SentCode(newMail)
	if got := h.names(id); got != fmt.Sprint(map[string]bool{"ada": true, mail: true}) {
		t.Errorf("before the code came back: %s", got)
	}
	b.Submit("address-submit", "passcode", code)
	b.Must("/account", 200, "The address is confirmed", "Signed in as <strong>"+newMail)
	if got := h.names(id); got != fmt.Sprint(map[string]bool{"ada": true, newMail: true}) {
		t.Errorf("names = %s", got)
	}
	changed := string(mailOf(h.account(id)).ID)
	b.Get("/account/detach?id=" + changed)
	b.Must("/account/detach", 409, "Add and confirm another address first")
	b.Post("/account/detach", url.Values{"csrf": {b.csrf()}, "id": {changed}})
	b.Must("/account/detach", 409, "Add and confirm another address first")
	b.Get("/account")
	b.Follow("address-add-phone")
	b.Must("/account/address", 200, "Add a phone number", `inputmode="tel"`)
	b.Submit("address-begin", "address", "+1 415 222 2222")
	code, _ = h.SentCode("+14152222222")
	b.Submit("address-submit", "passcode", code)
	b.Must("/account", 200, "The address is confirmed", "+14152222222")
	b.Get("/account/detach?id=" + changed)
	b.Must("/account/detach", 200, "Remove this e‑mail address?")
	b.Submit("detach-submit")
	b.Must("/account", 200, "The address is removed")
	if got := h.names(id); got != fmt.Sprint(map[string]bool{"ada": true, "+14152222222": true}) {
		t.Errorf("names = %s", got)
	}
}

// volatile are parts of a page that differ each time.
var volatile = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f-]{27}|nonce="[^"]*"|value="[A-Za-z0-9_-]{43}"|<code id="support-id">[^<]*|pending=[A-Za-z0-9_-]{100,300}`)

func TestNoPageTellsThatAnotherAccountHasAnAddress(t *testing.T) {
	h := mailFixture(t)
	h.User("bob", "")
	id := h.unverifiedUser()
	var pages []string
	for _, address := range []string{"bob@example.org", "cal@example.org"} {
		b := h.browser()
		b.signIn("/account/address?kind=email", "ada", id, "")
		text := ""
		for range 2 {
			b.Submit("address-begin", "address", address)
			text += b.Page.Body.String()
			b.Submit("address-submit", "passcode", "123456789")
			text += b.Page.Body.String()
			b.Submit("send-again")
			text += b.Page.Body.String()
			b.Get("/account/address?kind=email")
			h.Wait(61 * time.Second)
		}
		pages = append(pages, strings.ReplaceAll(volatile.ReplaceAllString(text, ""), address, "ADDRESS"))
	}
	if pages[0] != pages[1] {
		t.Errorf("the pages differ:\n%s\n%s", pages[0], pages[1])
	}
	if _, n := h.SentCode("bob@example.org"); n != 0 {
		t.Error("a code was sent to the address of another account")
	}
}

func TestTheLinkOfAMessageUndoesAChange(t *testing.T) {
	h := mailFixture(t)
	u, err := h.Users.Create(context.Background(), mfa.Caller{}, users.Draft{Username: "ada", Email: mail, EmailVerified: true, Password: password})
	h.OK(err)
	b := h.browser()
	b.signIn("/account/address?id="+string(mailOf(h.account(u.ID)).ID), "ada", u.ID, "")
	b.Submit("address-begin", "address", newMail)
	code, _ := h.SentCode(newMail)
	b.Submit("address-submit", "passcode", code)
	b.Must("/account", 200, "The address is confirmed")

	link := h.undoLink(mail)
	owner := h.browser() // another one, which is not signed in
	for range 2 {
		owner.Get(link)
		owner.Must(undoPath, 200, "Your account gets back", mfa.MaskAddress(mail), "Your account loses", mfa.MaskAddress(newMail))
		if strings.Contains(owner.Page.Body.String(), newMail) {
			t.Error("the page shows a whole address")
		}
	}
	stranger := h.browser()
	stranger.Post(undoPath, url.Values{"token": {strings.TrimPrefix(link, undoPath+"?token=")}})
	stranger.Must(undoPath, 403)
	if got := h.names(u.ID); got != fmt.Sprint(map[string]bool{"ada": true, newMail: true}) {
		t.Fatalf("without the form: %s", got)
	}
	owner.Submit("undo-submit")
	owner.Must(undoPath, 200, "The change is undone", "signed out everywhere")
	if _, in := owner.Cookies[cookie]; in {
		t.Error("the link made a session")
	}
	if got := h.names(u.ID); got != fmt.Sprint(map[string]bool{"ada": true, mail: true}) {
		t.Errorf("names = %s", got)
	}
	b.Get("/account")
	b.Must("/login", 200)
	owner.Follow("undo-password")
	owner.Must("/login", 200)
	owner.Get(link)
	owner.Must(undoPath, 410, "This link no longer works")
	for _, none := range []string{undoPath, undoPath + "?token=00000000-0000-0000-0000-000000000000", undoPath + "?token=%00"} {
		owner.Get(none)
		if owner.Page.Code != 404 && owner.Page.Code != 400 {
			t.Errorf("%s: %d", none, owner.Page.Code)
		}
	}
}

func TestTheProfileAndItsLanguageAreEdited(t *testing.T) {
	h := mailFixture(t)
	id := h.User("ada", "")
	b := h.browser()
	b.signIn("/account/profile", "ada", id, "")
	b.Must("/account/profile", 200, "Full name", "Time zone", `autocomplete="given-name"`)
	b.Submit("profile-submit", "name", "Ada Lovelace", "zoneinfo", "Europe/Atlantis", "locale", "de")
	b.Must("/account/profile", 422, "There is no such time zone", `value="Europe/Atlantis"`, `value="Ada Lovelace"`, `<option value="de" lang="de" selected>`)
	b.Submit("profile-submit", "zoneinfo", "Europe/Berlin", "locale", "de")
	b.Must("/account", 200, "Ihr Profil ist gespeichert", "Profil und Sprache")
	profile := h.account(id).User.Profile
	for claim, want := range map[string]string{"name": "Ada Lovelace", "zoneinfo": "Europe/Berlin", "locale": "de"} {
		if profile[claim] != want {
			t.Errorf("%s = %v", claim, profile[claim])
		}
	}
	if got := notice.Locale(&storage.Account{User: storage.User{Profile: profile}}, "en"); got != "de" {
		t.Errorf("messages are in %q", got)
	}
	b.Post("/account/profile", url.Values{"csrf": {b.csrf()}, "name": {"Ada\nAdmin"}})
	b.Must("/account/profile", 422)
}
