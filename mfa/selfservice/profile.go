package selfservice

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/text/language"

	"sallyport/input"
	"sallyport/mfa"
	"sallyport/storage"
)

// Claims of the profile with rules of their own.
const (
	Locale   = "locale"
	ZoneInfo = "zoneinfo"
)

// maxClaim is the most characters a claim may have.
const maxClaim = 100

// ProfileClaims returns the claims that users can be allowed to edit, in the order they are shown
// (OpenID Connect Core section 5.1).
func ProfileClaims() []string {
	return []string{"name", "given_name", "family_name", "nickname", Locale, ZoneInfo}
}

// Claim is a claim of the profile that its user may edit.
type Claim struct{ Name, Value string }

// Profile returns the claims that an owner may edit.
func (a *Accounts) Profile(account storage.Account) []Claim {
	var out []Claim
	for _, name := range ProfileClaims() {
		if slices.Contains(a.o.Editable, name) {
			value, _ := account.User.Profile[name].(string)
			out = append(out, Claim{Name: name, Value: value})
		}
	}
	return out
}

// ClaimError is an InvalidRequest about a claim.
type ClaimError struct{ Claim string }

// Error implements error.
func (e *ClaimError) Error() string { return "claim " + e.Claim + " is not valid" }

// Unwrap returns the refusal.
func (e *ClaimError) Unwrap() error { return &mfa.Error{Code: mfa.InvalidRequest} }

// ChangeProfile replaces claims of an owner's profile; "" removes one. Claims that its user may not
// edit, and those that values does not have, stay. It returns a ClaimError for a value that is not
// valid, and NotConfigured if users edit nothing.
func (a *Accounts) ChangeProfile(ctx context.Context, caller mfa.Caller, o mfa.Owner, values map[string]string) error {
	have := a.Profile(o.Account)
	if len(have) == 0 {
		return &mfa.Error{Code: mfa.NotConfigured}
	}
	profile, differ := maps.Clone(o.Account.User.Profile), []string(nil)
	if profile == nil {
		profile = map[string]any{}
	}
	for _, claim := range have {
		typed, given := values[claim.Name]
		value := strings.TrimSpace(typed)
		if !given || value == claim.Value {
			continue
		}
		if !validClaim(claim.Name, value) {
			return &ClaimError{claim.Name}
		}
		differ = append(differ, claim.Name)
		if profile[claim.Name] = value; value == "" {
			delete(profile, claim.Name)
		}
	}
	if len(differ) == 0 {
		return nil
	}
	u := o.Account.User
	event := storage.Event{Kind: mfa.EventProfileChanged, UserID: u.ID, ClientID: o.Client, SessionID: o.Session,
		Detail: map[string]string{"claims": strings.Join(differ, " ")}}
	err := a.store.UpdateUser(ctx, storage.UserChange{ID: u.ID, Was: u.UpdatedAt, Now: u.Next(a.now()), Profile: profile,
		Events: []storage.Event{a.journal.Event(caller, event)}})
	return mfa.Refuse("change profile", err, storage.ErrConflict, mfa.RequestChanged)
}

// validClaim reports whether a value may be that of a claim; "": none.
func validClaim(name, value string) bool {
	if value == "" {
		return true
	}
	if utf8.RuneCountInString(value) > maxClaim || !input.Shown(value) {
		return false
	}
	switch name {
	case Locale:
		_, err := language.Parse(value)
		return err == nil
	case ZoneInfo:
		// The names of the zone of this machine are no zones.
		_, err := time.LoadLocation(value)
		return err == nil && value != "Local"
	}
	return true
}
