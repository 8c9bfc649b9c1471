package selfservice

import (
	"context"
	"maps"
	"slices"
	"strings"

	"sallyport/mfa"
	"sallyport/storage"
)

// ProfileClaims returns the claims that users can be allowed to edit, in the order they are shown
// (OpenID Connect Core section 5.1).
func ProfileClaims() []string {
	return []string{"name", "given_name", "family_name", "nickname", mfa.Locale, mfa.ZoneInfo}
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

// ChangeProfile replaces claims of an owner's profile; "" removes one. Claims that its user may not
// edit, and those that values does not have, stay. It returns an mfa.ClaimError for a value that is not
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
		if !mfa.ValidClaim(claim.Name, value, a.now()) {
			return &mfa.ClaimError{Claim: claim.Name}
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
