package config

import (
	"fmt"
	"net/mail"
	"net/url"
	"slices"
	"strings"

	"sallyport/config/strict"
	"sallyport/input"
)

// checkMail: mail holds codes, and the password opens the mail server, so both cross a
// network encrypted only.
func (c Config) checkMail(r *strict.Reader) {
	m := c.Mail
	r.OneOf("mail.tls", m.TLS, []string{"starttls", "implicit", "none"})
	if m.Host == "" {
		for path, value := range map[string]string{"mail.ca_file": m.CAFile, "mail.username": m.Username, "mail.password_file": m.PasswordFile, "mail.from": m.From} {
			if value != "" {
				r.Fault(path, "needs mail.host")
			}
		}
		return
	}
	if strings.ContainsAny(m.Host, ":/@ ") && !strings.Contains(m.Host, "::") {
		r.Fault("mail.host", "must be a name or an address only; the port is mail.port")
	}
	if m.TLS == "none" && !input.Loopback(m.Host) {
		r.Fault("mail.tls", "may be none only for a server on the same machine: codes and the password would cross the network in plaintext")
	}
	if m.TLS == "none" && m.CAFile != "" {
		r.Fault("mail.ca_file", "and mail.tls: none exclude each other")
	}
	if (m.Username == "") != (m.PasswordFile == "") {
		r.Fault("mail", "needs both username and password_file, or neither")
	}
	from, err := mail.ParseAddress(m.From)
	switch {
	case err != nil:
		r.Fault("mail.from", "must be an address such as Example <no-reply@example.com>")
	case !input.Shown(from.Name):
		r.Fault("mail.from", "%s", input.NameFault)
	}
}

// checkSupport: the contact becomes a link on pages, and part of mails.
func (c Config) checkSupport(r *strict.Reader) {
	if c.SupportURL != "" && !input.Contact(c.SupportURL) {
		r.Fault("support_url", input.ContactFault)
	}
}

// checkHook: what is posted holds codes too.
func (c Config) checkHook(r *strict.Reader) {
	const path = "hook.url"
	h := c.Hook
	for i, kind := range h.Kinds {
		at := fmt.Sprintf("hook.kinds[%d]", i)
		r.OneOf(at, kind, []string{"sms", "mail"})
		if slices.Contains(h.Kinds[:i], kind) {
			r.Fault(at, "is named twice")
		}
		if kind == "mail" && c.Mail.Host != "" {
			r.Fault(at, "mail is sent to mail.host already")
		}
	}
	if h.URL == "" {
		if h.SecretFile != "" {
			r.Fault("hook.secret_file", "needs hook.url")
		}
		return
	}
	if h.SecretFile == "" {
		r.Fault("hook.secret_file", "is required with hook.url: without a signature the receiver cannot know whose messages it gets")
	}
	if len(h.Kinds) == 0 {
		r.Fault("hook.kinds", "must name at least one kind")
	}
	u, err := url.Parse(h.URL)
	switch {
	case err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http"):
		r.Fault(path, "must be a URL such as https://sms.example.com/messages")
	case u.User != nil:
		r.Fault(path, "holds a user or password; requests are authenticated by the signature under hook.secret_file")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.Contains(h.URL, "#"):
		r.Fault(path, "must have no query and no fragment")
	case u.Scheme == "http" && !input.Loopback(u.Hostname()):
		r.Fault(path, "must begin with https:// unless the receiver is on the same machine")
	}
}

// checkSignUp: who signs up proves an address by mail.
func (c Config) checkSignUp(r *strict.Reader) {
	r.OneOf("signup", c.SignUp, []string{"off", "open", "invited"})
	if c.SignUp != "off" && !c.Sends("mail") {
		r.Fault("signup", "needs mail, to prove addresses: mail.host, or hook.url with the kind mail")
	}
	if (c.Terms.URL == "") != (c.Terms.Version == "") {
		r.Fault("terms", "needs url and version, or neither")
	}
	if c.Terms.URL != "" && !input.TermsURL(c.Terms.URL) {
		r.Fault("terms.url", input.TermsURLFault)
	}
	if c.Terms.Version != "" && !input.TermsVersion(c.Terms.Version) {
		r.Fault("terms.version", input.TermsVersionFault)
	}
}
