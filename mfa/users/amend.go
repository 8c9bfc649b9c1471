package users

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"sallyport/mfa"
	"sallyport/storage"
)

// Fault is an error in a Draft. Field is its key in a desired-state file.
type Fault struct {
	Field string
	Err   error
}

// Faults returns the errors that Create would return for a draft, except IdentifierTaken, or
// Amendment for the draft of an existing user with identifiers have. It creates nothing.
func (u *Registry) Faults(d Draft, have ...storage.Identifier) []Fault {
	var out []Fault
	try := func(field string, d Draft, check func(Draft) error) {
		if err := check(d); err != nil {
			out = append(out, Fault{field, err})
		}
	}
	if _, ok := storage.Bytes(d.ID); !ok && d.ID != "" {
		out = append(out, Fault{"id", errUserID})
	}
	names := func(d Draft) error { _, err := u.identifiers(d, have, "", u.now()); return err }
	try("username", Draft{Username: cmp.Or(d.Username, "x")}, names)
	try("email", Draft{Username: "x", Email: d.Email}, names)
	try("phone_number", Draft{Username: "x", Phone: d.Phone}, names)
	if d.Username+d.Email+d.Phone == "" {
		try("username", Draft{}, names)
	}
	for _, claim := range hiddenClaims(d.Profile) {
		out = append(out, Fault{"profile." + claim, errClaim})
	}
	try("roles", d, func(d Draft) error { return checkRoles(d.Roles) })
	if d.Password != "" {
		try("password", d, func(d Draft) error { return u.password.Check(d.Password, d.words()...) })
	}
	// Drafts without a plain password, so that none is hashed.
	factors := func(d Draft) error { _, _, err := u.authenticators(context.Background(), d, "", u.now()); return err }
	try("password_hash", Draft{PasswordHash: d.PasswordHash}, factors)
	try("totp_secret", Draft{TOTPSecret: d.TOTPSecret, TOTPShape: d.TOTPShape, TOTPPeriod: d.TOTPPeriod}, factors)
	try("recovery_codes", Draft{RecoveryCodes: d.RecoveryCodes}, factors)
	return out
}

// AmendOptions select what Amendment compares beside identifiers, roles, profile and status.
type AmendOptions struct {
	MFA         bool // MFAEnabled; else the user's setting stays
	Credentials bool // password, TOTP secret and recovery codes
}

// Difference is a value to change. Nil means absent; Secret values are omitted.
type Difference struct {
	Key    string `json:"key"`
	From   any    `json:"from"`
	To     any    `json:"to"`
	Secret bool   `json:"secret,omitempty"`
	// Warning is what the change costs; "": nothing unexpected.
	Warning string `json:"warning,omitempty"`
}

// Amendment is the change that turns a user into what a draft describes, for Amend.
type Amendment struct {
	Account     storage.Account
	Differences []Difference
	draft       Draft
	compared    AmendOptions
	dropped     []storage.Identifier // names that go
	change      storage.UserChange
}

func (a *Amendment) addDifference(key string, from, to any) {
	a.Differences = append(a.Differences, Difference{Key: key, From: from, To: to})
}

// Amendment compares a user with a draft. Empty fields of the draft keep the user's values. An
// identifier that differs replaces all of the user's of its kind; verified ones stay verified.
func (u *Registry) Amendment(ctx context.Context, account storage.Account, d Draft, o AmendOptions) (Amendment, error) {
	a := Amendment{Account: account, draft: d, compared: o, change: storage.UserChange{ID: account.User.ID}}
	if err := u.amendNames(&a); err != nil {
		return a, err
	}
	if d.Roles != nil && !slices.Equal(d.Roles, account.User.Roles) {
		a.addDifference("roles", account.User.Roles, d.Roles)
		a.change.Roles = &d.Roles
	}
	if d.Profile != nil {
		if len(hiddenClaims(d.Profile)) > 0 {
			return a, errClaim
		}
		a.amendProfile()
	}
	if d.Status != "" && d.Status != account.User.Status {
		a.addDifference("status", account.User.Status, d.Status)
		a.change.Status = &d.Status
		a.change.Kill = d.Status != storage.UserActive // a pending user has to authenticate first
	}
	if o.MFA && d.MFAEnabled != account.User.MFAEnabled {
		a.addDifference("mfa_enabled", account.User.MFAEnabled, d.MFAEnabled)
		a.change.MFAEnabled = &d.MFAEnabled
	}
	if o.Credentials {
		if err := u.amendFactors(ctx, &a); err != nil {
			return a, err
		}
	}
	return a, nil
}

func (u *Registry) amendNames(a *Amendment) error {
	d := a.draft
	if d.Username+d.Email+d.Phone == "" {
		return nil
	}
	wanted, err := u.identifiers(d, a.Account.Identifiers, a.Account.User.ID, u.now())
	if err != nil {
		return err
	}
	var names storage.NamesChange
	for _, w := range wanted {
		var have []storage.Identifier
		for _, i := range a.Account.Identifiers {
			if i.Kind == w.Kind {
				have = append(have, i)
			}
		}
		key := map[storage.IdentifierKind]string{storage.Phone: "phone_number"}[w.Kind]
		key = cmp.Or(key, string(w.Kind))
		at := slices.IndexFunc(have, func(i storage.Identifier) bool { return i.Value == w.Value && i.Text() == w.Text() })
		switch {
		case at < 0:
			var from []string
			for _, i := range have {
				from = append(from, i.Text())
				names.Drop, a.dropped = append(names.Drop, i.ID), append(a.dropped, i)
			}
			for _, kept := range a.Account.Retired {
				if kept.Value == w.Value {
					names.Drop = append(names.Drop, kept.ID)
				}
			}
			names.Add = append(names.Add, w)
			a.addDifference(key, unwrapSingle(from), w.Text())
			u.differAt(a, have)
		case have[at].VerifiedAt.IsZero() && !w.VerifiedAt.IsZero():
			names.Verify = append(names.Verify, have[at].ID)
			a.addDifference(key+"_verified", false, true)
		}
	}
	if len(names.Add)+len(names.Verify) > 0 {
		a.change.Names = &names
	}
	return nil
}

func unwrapSingle(values []string) any {
	switch len(values) {
	case 0:
		return nil
	case 1:
		return values[0]
	}
	return values
}

// differAt adds the second factors whose codes go to names that another one replaces: they go too.
func (u *Registry) differAt(a *Amendment, names []storage.Identifier) {
	for _, i := range names {
		for _, x := range u.verifier.FactorsAt(a.Account, i.Text()) {
			a.addDifference("factors."+x.Method, i.Text(), nil)
		}
	}
}

// amendProfile compares profiles claim by claim.
func (a *Amendment) amendProfile() {
	have, want := plainJSON(a.Account.User.Profile), plainJSON(a.draft.Profile)
	claims, differ := maps.Clone(have), false
	maps.Copy(claims, want)
	for _, claim := range slices.Sorted(maps.Keys(claims)) {
		from, to := have[claim], want[claim]
		if string(from) == string(to) {
			continue
		}
		differ = true
		a.addDifference("profile."+claim, a.Account.User.Profile[claim], a.draft.Profile[claim])
	}
	if differ {
		a.change.Profile = a.draft.Profile
	}
}

// plainJSON encodes each claim for comparison: numbers and maps have other types from a
// database than from a file.
func plainJSON(profile map[string]any) map[string]json.RawMessage {
	out := map[string]json.RawMessage{}
	for claim, value := range profile {
		text, err := json.Marshal(value)
		if err != nil {
			text = fmt.Appendf(nil, "%v", value)
		}
		out[claim] = text
	}
	return out
}

// Amend applies an amendment in one transaction. IdentifierTaken: another user has the
// identifier. RequestChanged: it takes a name away, and the user changed since they were compared.
func (u *Registry) Amend(ctx context.Context, v mfa.Caller, a Amendment) error {
	if len(a.Differences) == 0 {
		return nil
	}
	c := a.change
	c.EndTickets = c.Names != nil || c.Status != nil || c.Factors != nil
	c.Events = []storage.Event{u.changeEvent(v, a.Account, "amended")}
	if c.Factors != nil {
		if err := u.replaceFactors(ctx, v, a, &c); err != nil {
			return err
		}
	}
	for _, i := range a.dropped {
		u.removeFactorsAt(v, a.Account, i, &c)
	}
	if c.Factors != nil && (a.draft.MFAEnabled && a.compared.MFA) {
		c.Factors.Lasting = nil // the setting stays as it is described
	}
	if len(a.dropped) == 0 {
		return u.update(ctx, c)
	}
	// A factor that came meanwhile at a name that goes would get its codes there.
	user := a.Account.User
	c.Was, c.Now = user.UpdatedAt, user.Next(u.now())
	err := u.update(ctx, c)
	if !errors.Is(err, storage.ErrConflict) {
		return err
	}
	now, failure := u.Account(ctx, user.ID)
	if failure != nil {
		return failure
	}
	if !now.User.UpdatedAt.Equal(user.UpdatedAt) {
		return &mfa.Error{Code: mfa.RequestChanged, Err: err}
	}
	return err
}
