package users

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"sallyport/mfa"
	"sallyport/storage"
)

// Fault is one thing wrong with a Draft. Field is its key in a desired-state file.
type Fault struct {
	Field string
	Err   error
}

// Faults returns everything Create would refuse a draft for, without making anything
// and without asking whether a name is taken.
func (u *Registry) Faults(d Draft) []Fault {
	var out []Fault
	try := func(field string, d Draft, check func(Draft) error) {
		if err := check(d); err != nil {
			out = append(out, Fault{field, err})
		}
	}
	if _, ok := storage.Bytes(d.ID); !ok && d.ID != "" {
		out = append(out, Fault{"id", errUserID})
	}
	names := func(d Draft) error { _, err := u.identifiers(d, "", u.now()); return err }
	try("username", Draft{Username: cmp.Or(d.Username, "x")}, names)
	try("email", Draft{Username: "x", Email: d.Email}, names)
	try("phone_number", Draft{Username: "x", Phone: d.Phone}, names)
	if d.Username+d.Email+d.Phone == "" {
		try("username", Draft{}, names)
	}
	try("roles", d, func(d Draft) error { return checkRoles(d.Roles) })
	if d.Password != "" {
		try("password", d, func(d Draft) error { return u.password.Check(d.Password, d.words()...) })
	}
	// No password is hashed here, so that nothing has to wait.
	factors := func(d Draft) error { _, _, err := u.authenticators(context.Background(), d, "", u.now()); return err }
	try("password_hash", Draft{PasswordHash: d.PasswordHash}, factors)
	try("totp_secret", Draft{TOTPSecret: d.TOTPSecret, TOTPShape: d.TOTPShape, TOTPPeriod: d.TOTPPeriod}, factors)
	try("recovery_codes", Draft{RecoveryCodes: d.RecoveryCodes}, factors)
	return out
}

// Amending says how far an existing user is made what a draft says.
type Amending struct {
	MFA         bool // Draft.MFAEnabled is meant; else the user's wish stays
	Credentials bool // password, authenticator and recovery codes are replaced too
}

// Difference is one value that is to change. Nil is "not there"; secrets are not shown.
type Difference struct {
	Key    string `json:"key"`
	From   any    `json:"from"`
	To     any    `json:"to"`
	Secret bool   `json:"secret,omitempty"`
}

// Amendment is what makes a user what a draft says: found by reading, not made yet.
type Amendment struct {
	Account     storage.Account
	Differences []Difference
	draft       Draft
	change      storage.UserChange
}

func (a *Amendment) differs(key string, from, to any) {
	a.Differences = append(a.Differences, Difference{Key: key, From: from, To: to})
}

// Amendment compares a user with a draft. What the draft leaves out stays: names of a
// kind it has none of, the profile, the roles, the status. A name that differs takes the place of
// all the user's names of its kind; proven names stay proven.
func (u *Registry) Amendment(ctx context.Context, account storage.Account, d Draft, o Amending) (Amendment, error) {
	a := Amendment{Account: account, draft: d, change: storage.UserChange{ID: account.User.ID}}
	if err := u.amendNames(&a); err != nil {
		return a, err
	}
	if d.Roles != nil && !slices.Equal(d.Roles, account.User.Roles) {
		a.differs("roles", account.User.Roles, d.Roles)
		a.change.Roles = &d.Roles
	}
	if d.Profile != nil {
		a.amendProfile()
	}
	if d.Status != "" && d.Status != account.User.Status {
		a.differs("status", account.User.Status, d.Status)
		a.change.Status = &d.Status
		a.change.Kill = d.Status != storage.UserActive // who is pending again has to prove who they are first
	}
	if o.MFA && d.MFAEnabled != account.User.MFAEnabled {
		a.differs("mfa_enabled", account.User.MFAEnabled, d.MFAEnabled)
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
	wanted, err := u.identifiers(d, a.Account.User.ID, u.now())
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
		at := slices.IndexFunc(have, func(i storage.Identifier) bool { return i.Value == w.Value })
		switch {
		case at < 0:
			var from []string
			for _, i := range have {
				from = append(from, i.Value)
				names.Drop = append(names.Drop, i.ID)
			}
			names.Add = append(names.Add, w)
			a.differs(key, oneOrAll(from), w.Value)
		case have[at].VerifiedAt.IsZero() && !w.VerifiedAt.IsZero():
			names.Verify = append(names.Verify, have[at].ID)
			a.differs(key+"_verified", false, true)
		}
	}
	if len(names.Add)+len(names.Verify) > 0 {
		a.change.Names = &names
	}
	return nil
}

func oneOrAll(values []string) any {
	switch len(values) {
	case 0:
		return nil
	case 1:
		return values[0]
	}
	return values
}

// amendProfile compares claim by claim, as both are kept.
func (a *Amendment) amendProfile() {
	have, want := plainJSON(a.Account.User.Profile), plainJSON(a.draft.Profile)
	differ := false
	for _, claim := range slices.Sorted(maps.Keys(merged(have, want))) {
		from, to := have[claim], want[claim]
		if string(from) == string(to) {
			continue
		}
		differ = true
		a.differs("profile."+claim, a.Account.User.Profile[claim], a.draft.Profile[claim])
	}
	if differ {
		a.change.Profile = a.draft.Profile
	}
}

// plainJSON writes each claim in the one way it is compared: numbers and tables come
// out of a database with other types than out of a file.
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

func merged[K comparable, V any](a, b map[K]V) map[K]V {
	out := maps.Clone(a)
	maps.Copy(out, b)
	return out
}

// Amend makes it so, in one transaction. IdentifierTaken: somebody got the name meanwhile.
func (u *Registry) Amend(ctx context.Context, v mfa.Caller, a Amendment) error {
	if len(a.Differences) == 0 {
		return nil
	}
	c := a.change
	c.Events = []storage.Event{u.changed(v, a.Account, "amended")}
	if c.Factors != nil {
		if err := u.replaced(ctx, v, a, &c); err != nil {
			return err
		}
	}
	return u.update(ctx, c)
}
