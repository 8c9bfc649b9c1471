package dev

import (
	"net/http"
	"net/url"
	"strings"

	"sallyport/provider"
	"sallyport/provider/clients"
)

// The till of the demo is a confidential client: this server has its secret, and calls the provider for it.

// askAtTill asks a customer to confirm a payment (OpenID Connect Client-Initiated Backchannel
// Authentication).
func (d *demo) askAtTill(w http.ResponseWriter, r *http.Request) {
	d.asTill(w, r, provider.BackchannelPath, url.Values{"scope": {"openid profile"}, "login_hint": {r.PostFormValue("login_hint")},
		"binding_message": {r.PostFormValue("binding_message")}, "ui_locales": {"en"}})
}

// pollAtTill asks for the customer's answer.
func (d *demo) pollAtTill(w http.ResponseWriter, r *http.Request) {
	d.asTill(w, r, "/token", url.Values{"grant_type": {clients.CIBA}, "auth_req_id": {r.PostFormValue("auth_req_id")}})
}

// asTill passes a form on to the provider, and its answer back. Another page gets nothing out of it: it
// can send no form that this origin reads, and every sign-in waits for its user.
func (d *demo) asTill(w http.ResponseWriter, r *http.Request, path string, form url.Values) {
	if from := r.Header.Get("Origin"); from != d.at.demo() {
		http.Error(w, "This form is not of this page.", http.StatusForbidden)
		return
	}
	out, err := http.NewRequestWithContext(r.Context(), http.MethodPost, d.at.issuer()+path, strings.NewReader(form.Encode()))
	if err != nil {
		d.fail(w, err)
		return
	}
	out.RemoteAddr = r.RemoteAddr
	out.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	out.SetBasicAuth("till", url.QueryEscape(d.secrets.Web))
	d.server.Handler.ServeHTTP(w, out) // the provider is in this process
}
