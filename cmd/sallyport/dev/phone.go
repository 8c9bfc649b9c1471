package dev

import (
	"cmp"
	"fmt"
	"net/http"

	"sallyport/mfa"
	"sallyport/mfa/totp"
	"sallyport/storage"
)

// phoneView is the content of the virtual phone.
type phoneView struct {
	Codes []phoneCode `json:"codes"`
	// Passkeys are where their owners created them; the server knows their public keys.
	Passkeys []phonePasskey `json:"passkeys"`
	// Waiting are sign-ins that wait for their users.
	Waiting []phoneWaiting `json:"waiting"`
	Account string         `json:"account"` // where they decide
	Domain  string         `json:"domain"`  // of passkeys; "": there are none
	Seconds int            `json:"seconds"` // until the codes change
	Period  int            `json:"period"`
}

type phoneCode struct {
	ID      string `json:"id"`
	User    string `json:"user"`
	Name    string `json:"name"`
	Code    string `json:"code"`
	Pending bool   `json:"pending"`
}

type phonePasskey struct {
	User  string `json:"user"`
	Name  string `json:"name"`
	About string `json:"about"`
}

type phoneWaiting struct {
	User   string `json:"user"`
	Client string `json:"client"`
	Words  string `json:"words"`
}

// Shown formats a code in two groups, as apps do.
func (c phoneCode) Shown() string { return c.Code[:len(c.Code)/2] + " " + c.Code[len(c.Code)/2:] }

func (d *demo) showPhone(w http.ResponseWriter, r *http.Request) {
	view, err := d.view(r)
	if err != nil {
		d.fail(w, err)
		return
	}
	d.render(w, "phone.html", view)
}

func (d *demo) readPhone(w http.ResponseWriter, r *http.Request) {
	view, err := d.view(r)
	if err != nil {
		d.fail(w, err)
		return
	}
	writeJSON(w, view)
}

// view reads every authenticator that generates codes, pending enrolments first.
func (d *demo) view(r *http.Request) (phoneView, error) {
	const period = 30
	now := d.server.Now()
	view := phoneView{Period: period, Seconds: period - int(now.Unix()%period), Codes: []phoneCode{}, Passkeys: []phonePasskey{}, Waiting: []phoneWaiting{},
		Account: d.at.issuer() + "/account#waiting"}
	if d.at.passkeys() {
		view.Domain = d.at.name
	}
	users, err := d.server.Store.ListUsers(r.Context(), storage.UserFilter{Limit: 50})
	if err != nil {
		return view, fmt.Errorf("list users: %w", err)
	}
	for _, u := range users {
		account, err := d.server.Store.Account(r.Context(), u.ID)
		if err != nil {
			return view, fmt.Errorf("read user: %w", err)
		}
		waiting, err := d.server.Provider.Waiting(r.Context(), u.ID)
		if err != nil {
			return view, err
		}
		for _, w := range waiting {
			view.Waiting = append(view.Waiting, phoneWaiting{mfa.DisplayName(account), cmp.Or(w.Client.Name, string(w.Client.ID)), w.Message})
		}
		for _, a := range account.Authenticators {
			if p, ok := d.passkey(a); ok {
				p.User = mfa.DisplayName(account)
				view.Passkeys = append(view.Passkeys, p)
			}
			pending := a.State == storage.AuthenticatorPending
			if a.Method != totp.Name || a.State == storage.AuthenticatorDisabled || pending && !now.Before(a.ExpiresAt) {
				continue
			}
			code := phoneCode{ID: string(a.ID), User: mfa.DisplayName(account), Name: a.Name, Code: d.server.TOTP.CodeOf(a, now), Pending: pending}
			if pending {
				view.Codes = append([]phoneCode{code}, view.Codes...)
				continue
			}
			view.Codes = append(view.Codes, code)
		}
	}
	return view, nil
}

// passkey describes an authenticator; false: it is no passkey.
func (d *demo) passkey(a storage.Authenticator) (phonePasskey, bool) {
	if d.server.Passkey == nil {
		return phonePasskey{}, false
	}
	k, ok := d.server.Passkey.Describe(a)
	about := "on one device only"
	if k.Synced {
		about = "synced between devices"
	}
	return phonePasskey{Name: cmp.Or(a.Name, k.Model), About: about}, ok
}
