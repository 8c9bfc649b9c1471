package desired

import (
	"context"
	"errors"
	"fmt"

	"sallyport/mfa"
	"sallyport/mfa/users"
	"sallyport/provider/apikeys"
	"sallyport/provider/clients"
	"sallyport/storage"
)

// maxLeftUsers bounds the kept users that are named; the others are counted.
const maxLeftUsers = 20

// Single says whether a state has only one record, which then may have to exist or not. Other
// records are ignored.
type Single int

// The kinds of states.
const (
	Whole      Single = iota // many records; others are reported or deleted
	OnlyNew                  // one record that must not exist
	OnlyKnown                // one record that must exist
	OnlyEither               // one record
)

// Options control planning.
type Options struct {
	Single      Single
	Prune       bool           // delete clients and API keys not in the state
	Credentials bool           // replace passwords and factors of existing users
	By          apikeys.Caller // creates and changes API keys
}

// Records gives access to the records.
type Records struct {
	Store   Store
	Users   *users.Registry
	Clients *clients.Registry
	APIKeys *apikeys.Keys
	// Explain returns the text of a refusal by mfa and provider.
	Explain func(error) (string, bool)
	// Algorithms returns those that the server has signing keys for; nil: every one.
	Algorithms func() []string
	// UsernamesEditable: users choose their user names, so that one alone does not say who a user is.
	UsernamesEditable bool
}

// Store is the part of storage that planning reads.
type Store interface {
	storage.Settling
	Account(ctx context.Context, id storage.UserID) (storage.Account, error)
	ListUsers(ctx context.Context, f storage.UserFilter) ([]storage.User, error)
	ListClients(ctx context.Context) ([]storage.Client, error)
}

// Plan has the changes of a state. Planning writes nothing.
type Plan struct {
	by            apikeys.Caller
	clients       []clientStep
	users         []userStep
	keys          []apiKeyStep
	pruned        []storage.ClientID
	prunedKeys    []storage.APIKey
	leftClients   []storage.ClientID
	leftKeys      []string
	leftUsers     []string
	leftUsersMore int
}

// clientStep creates or changes a client.
type clientStep struct {
	was         *storage.Client // nil: new
	want        storage.Client
	differences []users.Difference
}

// userStep creates or changes a user.
type userStep struct {
	name        string
	id          storage.UserID // of a new user: set on creation
	draft       users.Draft
	amendment   *users.Amendment // nil: new
	differences []users.Difference
}

// Changes returns the number of records to change.
func (p *Plan) Changes() int {
	return len(p.clients) + len(p.users) + len(p.keys) + len(p.pruned) + len(p.prunedKeys)
}

// planner builds a plan. It reports faults that depend on the database through fault; an error
// means that the database cannot be read.
type planner struct {
	Records
	o     Options
	fault func(path, text string)
	plan  Plan
	names map[string]int         // canonical name: index of its user in the file
	seen  map[storage.UserID]int // existing user: its index in the file
	found map[storage.ClientID]bool
}

// PlanState compares a state with the records. It reports faults that depend on the records
// through fault; an error means that they cannot be read.
func (r Records) PlanState(ctx context.Context, s State, o Options, fault func(path, text string)) (Plan, error) {
	p := planner{Records: r, o: o, fault: fault, names: map[string]int{}, seen: map[storage.UserID]int{}, found: map[storage.ClientID]bool{}}
	p.plan.by = o.By
	for i := range s.Clients {
		if err := p.client(ctx, &s.Clients[i], fmt.Sprintf("clients[%d]", i)); err != nil {
			return Plan{}, fmt.Errorf("client %q: %w", s.Clients[i].ID, err)
		}
	}
	for i := range s.Users {
		if err := p.user(ctx, &s.Users[i], i); err != nil {
			return Plan{}, fmt.Errorf("users[%d]: %w", i, err)
		}
	}
	if err := p.planAPIKeys(ctx, s.APIKeys); err != nil {
		return Plan{}, err
	}
	if o.Single != Whole {
		return p.plan, nil
	}
	if err := p.missing(ctx); err != nil {
		return Plan{}, err
	}
	return p.plan, nil
}

func (p *planner) client(ctx context.Context, c *Client, path string) error {
	want := newClient(c)
	p.found[want.ID] = true
	if p.Clients.Reserved(want.ID) {
		p.fault(path+".client_id", "belongs to the server itself")
		return nil
	}
	if p.Algorithms != nil {
		for _, f := range clients.UnsignedFaults(want, p.Algorithms()) {
			p.fault(path+"."+f.Field, f.Text)
		}
	}
	have, err := p.Clients.Client(ctx, want.ID)
	if errors.Is(err, clients.ErrNotFound) {
		step := clientStep{want: want, differences: ClientDifferences(storage.Client{}, want)}
		if len(want.SecretHashes) > 0 {
			step.differences = append(step.differences, users.Difference{Key: "client_secret", Secret: true})
		}
		p.plan.clients = append(p.plan.clients, step)
		return nil
	}
	if err != nil {
		return err
	}
	want.Registration = have.Registration
	adopted := p.o.Single == Whole && have.Registration != nil
	if adopted { // from now on the file says what the client is: it neither expires nor changes itself
		want.Registration = nil
	}
	step := clientStep{was: &have, want: want, differences: ClientDifferences(have, want)}
	if kept := want; sameSecret(have, want) && clients.TakeSecrets(&kept, have) {
		step.want = kept
	} else {
		step.differences = append(step.differences, users.Difference{Key: "client_secret", Secret: true})
	}
	if adopted {
		step.differences = append(step.differences, users.Difference{Key: "registration", From: "the client's own", To: "the operator's",
			Warning: "its registration access token ends, and it does not expire"})
	}
	if len(step.differences) > 0 {
		p.plan.clients = append(p.plan.clients, step)
	}
	return nil
}

// newDraft converts a user of a desired state for mfa.
func newDraft(u *User) users.Draft {
	return users.Draft{
		ID: storage.UserID(u.ID), Username: u.Username, Email: u.Email, EmailVerified: u.EmailVerified,
		Phone: u.Phone, PhoneVerified: u.PhoneVerified, Password: u.Password, PasswordHash: u.PasswordHash,
		TOTPSecret: u.TOTPSecret, TOTPShape: mfa.Shape{Algorithm: u.TOTPAlgorithm, Digits: u.TOTPDigits}, TOTPPeriod: int(seconds(u.TOTPPeriod)),
		RecoveryCodes: u.RecoveryCodes, Roles: u.Roles, Profile: u.Profile,
		MFAEnabled: u.MFAEnabled != nil && *u.MFAEnabled, Status: storage.UserStatus(u.Status),
	}
}

func (p *planner) user(ctx context.Context, u *User, i int) error {
	path, d := fmt.Sprintf("users[%d]", i), newDraft(u)
	twice := p.namedTwice(u, i)
	account, ok, err := p.existing(ctx, u, i)
	if err != nil {
		return err
	}
	var have []storage.Identifier
	if account != nil {
		have = account.Identifiers
	}
	faults := p.Users.Faults(d, have...)
	for _, x := range faults {
		var e *mfa.Error
		if errors.As(x.Err, &e) && e.NeedsOperator() {
			return x.Err
		}
		p.fault(path+"."+x.Field, p.faultText(x.Err))
	}
	if len(faults) > 0 || twice || !ok {
		return nil
	}
	switch {
	case p.o.Single == OnlyNew && account != nil:
		return &mfa.Error{Code: mfa.IdentifierTaken}
	case p.o.Single == OnlyKnown && account == nil: // deleted meanwhile
		return &mfa.Error{Code: mfa.UserNotFound}
	case account == nil:
		p.plan.users = append(p.plan.users, userStep{name: draftName(d), draft: d, differences: draftDifferences(d)})
		return nil
	}
	p.seen[account.User.ID] = i
	a, err := p.Users.Amendment(ctx, *account, d, users.AmendOptions{MFA: u.MFAEnabled != nil, Credentials: p.o.Credentials})
	if err != nil {
		return err
	}
	if len(a.Differences) > 0 {
		p.plan.users = append(p.plan.users, userStep{name: mfa.DisplayName(*account), id: account.User.ID, amendment: &a, differences: a.Differences})
	}
	return nil
}

// faultText returns the text of a refusal by mfa or provider.
func (r Records) faultText(err error) string {
	if text, ok := r.Explain(err); ok && mfa.CodeOf(err) != mfa.InvalidRequest {
		return text
	}
	var e *mfa.Error
	if errors.As(err, &e) && e.Err != nil {
		return e.Err.Error()
	}
	return err.Error()
}

// named is a name of a user in the file.
type named struct{ key, name string }

// namesOf returns the canonical names of a user; invalid names are reported elsewhere.
func namesOf(u *User) []named {
	var out []named
	for _, n := range []named{{"username", u.Username}, {"email", u.Email}, {"phone_number", u.Phone}} {
		if name, _, err := mfa.Canonical(n.name); err == nil {
			out = append(out, named{n.key, name})
		}
	}
	return out
}

// namedTwice reports names that an earlier user in the file has, in any spelling.
func (p *planner) namedTwice(u *User, i int) bool {
	twice := false
	for _, n := range namesOf(u) {
		if other, taken := p.names[n.name]; taken && other != i {
			p.fault(fmt.Sprintf("users[%d].%s", i, n.key), fmt.Sprintf("users[%d] has this name", other))
			twice = true
		}
		p.names[n.name] = i
	}
	return twice
}

// missing finds records that are not in the file.
func (p *planner) missing(ctx context.Context) error {
	clients, err := p.Store.ListClients(ctx)
	if err != nil {
		return fmt.Errorf("list clients: %w", err)
	}
	for _, c := range clients {
		switch {
		case p.found[c.ID] || c.Registration != nil: // one that registered itself was in no file
		case p.o.Prune:
			p.plan.pruned = append(p.plan.pruned, c.ID)
		default:
			p.plan.leftClients = append(p.plan.leftClients, c.ID)
		}
	}
	for after := storage.UserID(""); ; {
		page, err := p.Store.ListUsers(ctx, storage.UserFilter{After: after, Limit: 1000})
		if err != nil {
			return fmt.Errorf("list users: %w", err)
		}
		for _, u := range page {
			after = u.ID
			if _, ok := p.seen[u.ID]; ok {
				continue
			}
			if err := p.leave(ctx, u.ID); err != nil {
				return err
			}
		}
		if len(page) == 0 {
			return nil
		}
	}
}

// leave records a user who is kept.
func (p *planner) leave(ctx context.Context, id storage.UserID) error {
	if len(p.plan.leftUsers) == maxLeftUsers {
		p.plan.leftUsersMore++
		return nil
	}
	a, err := p.Store.Account(ctx, id)
	if err != nil {
		return fmt.Errorf("read user: %w", err)
	}
	p.plan.leftUsers = append(p.plan.leftUsers, mfa.DisplayName(a))
	return nil
}

// draftName returns the name shown for a new user.
func draftName(d users.Draft) string {
	for _, name := range []string{d.Username, d.Email, d.Phone} {
		if name != "" {
			return name
		}
	}
	return string(d.ID)
}
