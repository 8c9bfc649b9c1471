package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"sallyport/mfa"
	"sallyport/storage"
)

// userCommand is an operator's work on users, directly on the database.
func userCommand(ctx context.Context, p *program, args []string) error {
	return p.group(ctx, "user", "the users; USER is an id or any name", []command{
		{"list", "", "users in the order of their ids", userList},
		{"show", "USER", "one user, with what proves them", userShow},
		{"create", "--username NAME ...", "make a user", userCreate},
		{"disable", "USER", "keep a user out and end everything they have", userDisable},
		{"enable", "USER", "let a user in again", userEnable},
		{"delete", "USER", "remove a user for good", userDelete},
		{"unlock", "USER", "forget failures, switch locked factors on again", userUnlock},
		{"reset-factors", "USER", "take second factors and recovery codes away", userResetFactors},
		{"set-password", "USER", "give a user another password", userSetPassword},
	}, args)
}

// userView is a user as lists and --json show one. It has no secret in it.
type userView struct {
	ID            storage.UserID      `json:"id"`
	Status        storage.UserStatus  `json:"status"`
	MFAEnabled    bool                `json:"mfa_enabled"`
	Names         []nameView          `json:"names"`
	Roles         []string            `json:"roles,omitempty"`
	Profile       map[string]any      `json:"profile,omitempty"`
	Factors       []authenticatorView `json:"authenticators"`
	RecoveryCodes *int                `json:"recovery_codes,omitempty"` // unused
	Sessions      *int                `json:"sessions,omitempty"`
	Waits         []waitView          `json:"waits,omitempty"`
	CreatedAt     time.Time           `json:"created_at"`
	UpdatedAt     time.Time           `json:"updated_at"`
}

type nameView struct {
	Kind     storage.IdentifierKind `json:"kind"`
	Value    string                 `json:"value"`
	Verified bool                   `json:"verified"`
}

type authenticatorView struct {
	ID         storage.AuthenticatorID    `json:"id"`
	Method     string                     `json:"method"`
	Name       string                     `json:"name,omitempty"`
	State      storage.AuthenticatorState `json:"state"`
	Broken     bool                       `json:"broken,omitempty"`
	Origin     string                     `json:"origin"`
	CreatedAt  time.Time                  `json:"created_at"`
	LastUsedAt *time.Time                 `json:"last_used_at,omitempty"`
}

// waitView is a counter of failures that refuses now; no end: only an unlock helps.
type waitView struct {
	Bucket string     `json:"bucket"`
	Until  *time.Time `json:"until,omitempty"`
}

func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func newUserView(a storage.Account) userView {
	v := userView{ID: a.User.ID, Status: a.User.Status, MFAEnabled: a.User.MFAEnabled, Roles: a.User.Roles, Profile: a.User.Profile,
		Names: []nameView{}, Factors: []authenticatorView{}, CreatedAt: a.User.CreatedAt, UpdatedAt: a.User.UpdatedAt}
	for _, i := range a.Identifiers {
		v.Names = append(v.Names, nameView{i.Kind, i.Value, !i.VerifiedAt.IsZero()})
	}
	order := []storage.IdentifierKind{storage.Username, storage.Email, storage.Phone}
	slices.SortStableFunc(v.Names, func(a, b nameView) int { return slices.Index(order, a.Kind) - slices.Index(order, b.Kind) })
	for _, x := range a.Authenticators {
		v.Factors = append(v.Factors, authenticatorView{ID: x.ID, Method: x.Method, Name: x.Name, State: x.State, Broken: x.Broken,
			Origin: x.Origin, CreatedAt: x.CreatedAt, LastUsedAt: moment(x.LastUsedAt)})
	}
	return v
}

func (v *userView) standing(s mfa.Standing) {
	v.RecoveryCodes, v.Sessions = &s.RecoveryCodes, &s.Sessions
	for _, w := range s.Waits {
		v.Waits = append(v.Waits, waitView{w.Bucket, moment(w.Until)})
	}
}

func (v userView) names() string {
	var out []string
	for _, n := range v.Names {
		out = append(out, shownText(n.Value))
	}
	return strings.Join(out, ", ")
}

func (v userView) methods() string {
	var out []string
	for _, f := range v.Factors {
		text := f.Method
		if f.State != storage.AuthenticatorActive {
			text += " (" + string(f.State) + ")"
		}
		out = append(out, text)
	}
	return strings.Join(out, ", ")
}

func userList(ctx context.Context, p *program, args []string) error {
	f := p.flags("user list", "users in the order of their ids", "[flags]")
	limit := f.Int("limit", 100, "how many at most, up to 1000")
	after := f.String("after", "", "begin after this `id`: the last one of the page before")
	d, err := p.desk(ctx, f, args, 0)
	if err != nil {
		return err
	}
	defer d.close()
	if *limit < 1 || *limit > 1000 {
		return usageError{"user list: --limit must be from 1 to 1000"}
	}
	users, err := d.store.ListUsers(ctx, storage.UserFilter{After: storage.UserID(*after), Limit: *limit})
	if err != nil {
		return err
	}
	views := []userView{}
	for _, u := range users {
		a, err := d.store.Account(ctx, u.ID)
		if err != nil {
			return err
		}
		views = append(views, newUserView(a))
	}
	return d.answer(views, func(w io.Writer) {
		fmt.Fprintln(w, "ID\tSTATUS\tNAMES\tPROOFS\tCREATED")
		for _, v := range views {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", v.ID, v.Status, v.names(), v.methods(), stamp(v.CreatedAt))
		}
	})
}

func userShow(ctx context.Context, p *program, args []string) error {
	f := p.flags("user show", "one user, with what proves them and what waits; nothing secret is shown", "USER [flags]")
	d, err := p.desk(ctx, f, args, 1)
	if err != nil {
		return err
	}
	defer d.close()
	a, err := d.account(ctx, f.Arg(0))
	if err != nil {
		return err
	}
	s, err := d.users.Standing(ctx, a.User.ID)
	if err != nil {
		return err
	}
	v := newUserView(a)
	v.standing(s)
	return d.answer(v, v.write)
}

// write shows a user to a person.
func (v userView) write(w io.Writer) {
	line := func(key string, value any) { fmt.Fprintf(w, "%s\t%v\n", key, value) }
	line("id", v.ID)
	line("status", v.Status)
	for _, n := range v.Names {
		text := shownText(n.Value)
		if !n.Verified {
			text += " (not verified)"
		}
		line(string(n.Kind), text)
	}
	line("mfa_enabled", v.MFAEnabled)
	if len(v.Roles) > 0 {
		line("roles", shownValue(v.Roles))
	}
	for _, claim := range slices.Sorted(maps.Keys(v.Profile)) {
		line("profile."+shownText(claim), shownValue(v.Profile[claim]))
	}
	for _, f := range v.Factors {
		text := string(f.State)
		if f.Name != "" {
			text += ", called " + strconv.Quote(f.Name)
		}
		if f.Broken {
			text += ", its secret does not open"
		}
		text += ", since " + stamp(f.CreatedAt)
		if f.LastUsedAt != nil {
			text += ", last used " + stamp(*f.LastUsedAt)
		}
		line(f.Method, text)
	}
	line("recovery codes", strconv.Itoa(*v.RecoveryCodes)+" unused")
	line("sessions", *v.Sessions)
	for _, x := range v.Waits {
		if x.Until == nil {
			line("locked", x.Bucket+", until somebody unlocks it")
			continue
		}
		line("waits", x.Bucket+", until "+stamp(*x.Until))
	}
	line("created", stamp(v.CreatedAt))
	line("changed", stamp(v.UpdatedAt))
}
