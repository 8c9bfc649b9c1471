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

// leftUsersMost bounds the users that are named as left alone; the others are counted.
const leftUsersMost = 20

// Single says that a state is of one record, and whether that may be there. What is not in
// such a state is none of its business.
type Single int

// The kinds of states.
const (
	Whole      Single = iota // of many records; what is left out is told or deleted
	OnlyNew                  // of one that must not be there
	OnlyKnown                // of one that must
	OnlyEither               // of one
)

// Options say how far a state goes.
type Options struct {
	Single      Single
	Prune       bool           // clients and API keys that are not in it are deleted
	Credentials bool           // passwords and factors of users who exist are replaced
	By          apikeys.Caller // at whose word API keys are made and changed
}

// Records are where the records are kept that a state is compared with.
type Records struct {
	Store   Store
	Users   *users.Registry
	Clients *clients.Registry
	APIKeys *apikeys.Keys
	// Explain says in words what mfa and provider refuse.
	Explain func(error) (string, bool)
}

// Store is what is read of storage.
type Store interface {
	Account(ctx context.Context, id storage.UserID) (storage.Account, error)
	AccountByIdentifier(ctx context.Context, value string) (storage.Account, error)
	ListUsers(ctx context.Context, f storage.UserFilter) ([]storage.User, error)
	ListClients(ctx context.Context) ([]storage.Client, error)
}

// Plan is what a state changes, found by reading alone.
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

// clientStep makes or changes one client.
type clientStep struct {
	was         *storage.Client // nil: new
	want        storage.Client
	differences []users.Difference
}

// userStep makes or changes one user.
type userStep struct {
	name        string
	id          storage.UserID // of a new one: when it was made
	draft       users.Draft
	amendment   *users.Amendment // nil: new
	differences []users.Difference
}

// Changes is how many records change.
func (p *Plan) Changes() int {
	return len(p.clients) + len(p.users) + len(p.keys) + len(p.pruned) + len(p.prunedKeys)
}

// planner finds out what there is to do. Faults of the file that only the database can
// know are told as they are found; an error says that the database cannot be read.
type planner struct {
	Records
	o     Options
	fault func(path, text string)
	plan  Plan
	names map[string]int         // canonical name: which user of the file has it
	seen  map[storage.UserID]int // user there is: which user of the file it is
	found map[storage.ClientID]bool
}

// PlanState compares a state with the records. Faults of it that only these can know are told
// as they are found; an error says that they cannot be read.
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
	want, err := newClient(c)
	if err != nil {
		p.fault(path+".client_secret_sha256", "must be 64 hexadecimal digits")
		return nil
	}
	p.found[want.ID] = true
	if p.Clients.Reserved(want.ID) {
		p.fault(path+".client_id", "belongs to the server itself")
		return nil
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
	step := clientStep{was: &have, want: want, differences: ClientDifferences(have, want)}
	if sameSecret(have, want) {
		step.want.SecretHashes = have.SecretHashes
	} else {
		step.differences = append(step.differences, users.Difference{Key: "client_secret", Secret: true})
	}
	if len(step.differences) > 0 {
		p.plan.clients = append(p.plan.clients, step)
	}
	return nil
}

// newDraft is the user of a desired state, as mfa takes one.
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
	faults := p.Users.Faults(d)
	for _, x := range faults {
		var e *mfa.Error
		if errors.As(x.Err, &e) && e.NeedsOperator() {
			return x.Err
		}
		p.fault(path+"."+x.Field, p.faultText(x.Err))
	}
	if len(faults) > 0 || twice {
		return nil
	}
	account, ok, err := p.existing(ctx, u, i)
	if err != nil || !ok {
		return err
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

// faultText says in words what a room above refuses in a file.
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

// named is one name of a user of the file.
type named struct{ key, name string }

// namesOf are the names of a user, canonical; what cannot be a name is a fault elsewhere.
func namesOf(u *User) []named {
	var out []named
	for _, n := range []named{{"username", u.Username}, {"email", u.Email}, {"phone_number", u.Phone}} {
		if name, _, err := mfa.Canonical(n.name); err == nil {
			out = append(out, named{n.key, name})
		}
	}
	return out
}

// namedTwice tells names that an earlier user of the file has, however they are spelled.
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

// existing finds the user that a user of the file is: by id, or else by any name. ok is
// false when that cannot be told; the faults say why.
func (p *planner) existing(ctx context.Context, u *User, i int) (account *storage.Account, ok bool, err error) {
	ok = true
	path := fmt.Sprintf("users[%d]", i)
	fault := func(key, text string) { p.fault(path+"."+key, text); ok = false }
	if u.ID != "" {
		a, err := p.Store.Account(ctx, storage.UserID(u.ID))
		switch {
		case err == nil:
			account = &a
		case !errors.Is(err, storage.ErrNotFound):
			return nil, false, fmt.Errorf("read user: %w", err)
		}
	}
	for _, n := range namesOf(u) {
		a, err := p.Store.AccountByIdentifier(ctx, n.name)
		if errors.Is(err, storage.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, false, fmt.Errorf("read user: %w", err)
		}
		switch {
		case account == nil && u.ID != "":
			fault(n.key, fmt.Sprintf("user %s has this name, and another id", a.User.ID))
		case account == nil:
			account = &a
		case account.User.ID != a.User.ID:
			fault(n.key, fmt.Sprintf("user %s has this name, and is another user than %s", a.User.ID, account.User.ID))
		}
	}
	if other, twice := p.seen[accountID(account, u)]; twice && other != i {
		p.fault(path, fmt.Sprintf("is the same user as users[%d]", other))
		return nil, false, nil
	}
	if u.ID != "" {
		p.seen[storage.UserID(u.ID)] = i
	}
	return account, ok, nil
}

func accountID(a *storage.Account, u *User) storage.UserID {
	if a != nil {
		return a.User.ID
	}
	return storage.UserID(u.ID)
}

// missing finds what is there and not in the file.
func (p *planner) missing(ctx context.Context) error {
	clients, err := p.Store.ListClients(ctx)
	if err != nil {
		return fmt.Errorf("list clients: %w", err)
	}
	for _, c := range clients {
		switch {
		case p.found[c.ID]:
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

// leave notes a user who is left alone.
func (p *planner) leave(ctx context.Context, id storage.UserID) error {
	if len(p.plan.leftUsers) == leftUsersMost {
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

// draftName is the name a new user is told by.
func draftName(d users.Draft) string {
	for _, name := range []string{d.Username, d.Email, d.Phone} {
		if name != "" {
			return name
		}
	}
	return string(d.ID)
}
