// Package notice composes the messages to users, and renders them: one-time codes, and
// notices of changes to their account.
package notice

import (
	"io"
	"io/fs"
	"strings"
	"time"

	"sallyport/mfa"
	"sallyport/storage"
)

// Kinds of messages.
const (
	Mail = "mail"
	SMS  = "sms"
)

// Kinds returns the kinds of messages to users.
func Kinds() []string { return []string{Mail, SMS} }

// Outgoing returns the kinds of messages that leave the server: those to users, and those to clients.
func Outgoing() []string { return append(Kinds(), storage.BackchannelLogout, storage.BackchannelPing) }

// Templates of the messages. Code and EnrollmentCode have the values "product", "code" and
// "minutes", PasswordReset and SignUp these and "link", Invitation what is beside it, all others "product" and "time", and what they have
// of "browser", "system" and "network", or else "actor".
const (
	Code            = "code"
	EnrollmentCode  = "enrollment_code"
	PasswordReset   = "password_reset"
	SignUp          = "signup"
	SignUpTaken     = "signup_taken"       // to the address of a user
	RecoveryUsed    = "recovery_code_used" // may have "left"
	FactorLocked    = "factor_locked"      // "method"
	PasswordLocked  = "password_locked"
	FactorEnrolled  = "factor_enrolled" // "method"
	FactorRemoved   = "factor_removed"  // "method", may have "name"
	RecoveryRenewed = "recovery_codes_renewed"
	PasswordChanged = "password_changed"
	AddressRemoved  = "address_removed" // "address"
	NewDevice       = "new_device"
	SignInWaiting   = "signin_waiting"  // "application"
	PasskeyCounter  = "passkey_counter" // "method"
	AddressAdded    = "address_added"   // "address"
	AddressChanged  = "address_changed" // "address" and "new"; may have "undo"
	AddressTaken    = "address_taken"   // to the address of another user

	AddressesRestored = "addresses_restored" // by the link of an earlier message
	UsernameChanged   = "username_changed"   // "username"; may have "old"

	Invitation = "invitation" // "product", "link" and "until"; may have "application" and "inviter"
)

// Templates returns every template.
func Templates() []string {
	return []string{Code, EnrollmentCode, PasswordReset, SignUp, SignUpTaken, RecoveryUsed, FactorLocked, PasswordLocked, FactorEnrolled, FactorRemoved, RecoveryRenewed, PasswordChanged,
		AddressRemoved, AddressAdded, AddressChanged, AddressTaken, AddressesRestored, UsernameChanged, Invitation, PasskeyCounter, NewDevice, SignInWaiting}
}

// ttl is how long delivery of a notice is tried.
const ttl = 24 * time.Hour

// New returns a message to every verified e-mail address of an account; nil if it has none. The
// account is that from before the change: an address that the change adds is told nothing, and
// one that it removes is. New adds the product, the time and, if the user acted, the browser and
// the network to data. The language is that of the profile or, if there are no texts in
// it, the caller's.
func New(now time.Time, random io.Reader, product string, caller mfa.Caller, a *storage.Account, template string, data map[string]string) []storage.Message {
	var out []storage.Message
	for _, i := range a.Identifiers {
		if i.Kind == storage.Email && !i.VerifiedAt.IsZero() {
			out = append(out, To(now, random, product, caller, a, i, template, data))
		}
	}
	return out
}

// To is New for one address of an account, verified or not.
func To(now time.Time, random io.Reader, product string, caller mfa.Caller, a *storage.Account, i storage.Identifier, template string, data map[string]string) storage.Message {
	kind := Mail
	if i.Kind == storage.Phone {
		kind = SMS
	}
	data["product"], data["time"] = product, now.UTC().Format(time.RFC3339)
	addPlace(data, caller)
	m := Message(now, random, Locale(a, caller.Locale), i.Text(), template, data, now.Add(ttl))
	m.Kind = kind
	return m
}

// Instead replaces what a message with a code says, for the holder of an address that another
// user named.
func Instead(m *storage.Message, holder *storage.Account, template string) {
	m.Template, m.Locale = template, Locale(holder, m.Locale)
	m.Data = map[string]string{"product": m.Data["product"], "time": m.CreatedAt.UTC().Format(time.RFC3339)}
}

// Locale returns the language of messages to a user: the one in the profile, if there are texts in
// it, else that of the caller.
func Locale(a *storage.Account, caller string) string {
	if a == nil {
		return caller
	}
	own, _ := a.User.Profile["locale"].(string)
	// OpenID Connect Core section 5.1 allows an underscore.
	own, _, _ = strings.Cut(strings.ReplaceAll(own, "_", "-"), "-")
	own = strings.ToLower(own)
	if _, err := fs.Stat(files, "templates/"+own+".txt"); err != nil {
		return caller
	}
	return own
}

// addPlace adds where a change was made, as its user recognizes it: names from closed lists and
// an address, nothing that the caller could write a text with. What a backend says of a caller
// is not passed on, nor where an administrator works.
func addPlace(data map[string]string, caller mfa.Caller) {
	switch {
	case caller.Actor != "" || caller.APIKey != "":
		data["actor"] = "other"
	default:
		agent := mfa.ReadAgent(caller.UserAgent)
		data["browser"], data["system"], data["network"] = agent.Browser, agent.System, caller.Network()
	}
}

// Message returns a mail to an address that is tried until it expires.
func Message(now time.Time, random io.Reader, locale, to, template string, data map[string]string, expires time.Time) storage.Message {
	return storage.Message{ID: storage.MessageID(storage.TimeOrdered(now, random)), Kind: Mail, Recipient: to, Template: template,
		Locale: locale, Data: data, CreatedAt: now, NextAt: now, ExpiresAt: expires}
}

// HasCode reports whether the messages of a template bring a code or a link, which ends with them.
func HasCode(template string) bool {
	return template == Code || template == EnrollmentCode || template == PasswordReset || template == SignUp || template == Invitation
}
