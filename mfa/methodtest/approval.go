package methodtest

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"time"

	"sallyport/mfa"
	"sallyport/mfa/throttle"
	"sallyport/storage"
)

// approvalLate is how long an Approval is valid.
const approvalLate = 2 * time.Minute

// Phones records approvals given on other devices.
type Phones struct {
	mu       sync.Mutex
	approved map[string]storage.UserID
}

// Approve records the approval of a challenge by a user.
func (p *Phones) Approve(c mfa.Challenge, user storage.UserID) error {
	var id string
	if err := json.Unmarshal(c, &id); err != nil {
		return fmt.Errorf("read challenge: %w", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.approved == nil {
		p.approved = map[string]storage.UserID{}
	}
	p.approved[id] = user
	return nil
}

func (p *Phones) by(id string) storage.UserID {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.approved[id]
}

// Approval is a method whose proof is given on another device. A response only checks whether
// the approval has arrived, and spends only its exchange.
type Approval struct {
	Phones *Phones
	Random io.Reader
}

type approvalState struct {
	ID    string    `json:"id"`
	Until time.Time `json:"until"`
}

// Info describes the method.
func (m *Approval) Info() mfa.Info {
	return mfa.Info{Name: "fake-approval", Kinds: []storage.Kind{storage.Have}, AMR: []string{"swk"}, Second: true, Sends: true, Bucket: throttle.Factor}
}

// Begin creates a challenge to approve, for unknown users too.
func (m *Approval) Begin(_ context.Context, a mfa.Attempt) (mfa.Begun, error) {
	id := storage.Random128(m.Random)
	c, err := json.Marshal(id)
	if err != nil {
		return mfa.Begun{}, fmt.Errorf("write challenge: %w", err)
	}
	s, err := json.Marshal(approvalState{ID: id, Until: a.Now.Add(approvalLate)})
	if err != nil {
		return mfa.Begun{}, fmt.Errorf("write state: %w", err)
	}
	return mfa.Begun{Challenge: c, State: s}, nil
}

// Parse refuses anything but an empty object.
func (m *Approval) Parse(_ mfa.Attempt, r mfa.Response) error {
	if string(r) != "{}" {
		return &mfa.Error{Code: mfa.InvalidRequest}
	}
	return nil
}

// Finish checks whether the user has approved the challenge.
func (m *Approval) Finish(_ context.Context, a mfa.Attempt, s mfa.State, r mfa.Response) (mfa.Proof, error) {
	if err := m.Parse(a, r); err != nil {
		return mfa.Proof{}, err
	}
	wrong := &mfa.Error{Code: mfa.InvalidPasscode}
	var kept approvalState
	if err := json.Unmarshal(s, &kept); err != nil || !a.Now.Before(kept.Until) || a.Account == nil || a.Account.User.Status == storage.UserDisabled {
		return mfa.Proof{}, wrong
	}
	if by := m.Phones.by(kept.ID); by == "" || by != a.Account.User.ID {
		return mfa.Proof{}, wrong
	}
	i := m.Info()
	for _, x := range a.Account.Authenticators {
		if x.Method == i.Name && x.State == storage.AuthenticatorActive {
			return mfa.Proof{User: a.Account.User.ID, Authenticator: x.ID, Kinds: i.Kinds, AMR: i.AMR,
				Spend: storage.CredentialSpend{User: a.Account.User.ID, Authenticator: x.ID}}, nil
		}
	}
	return mfa.Proof{}, wrong
}
